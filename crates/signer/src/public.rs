//! Names of public pages: one certificate for each, below the domains that we sign mail for, and
//! for nobody's name else. Our own authority issues them when they are asked for; one that an
//! operator brought comes first.

use crate::Fault;
use crate::ages::{Mark, mark};
use crate::certificate::Kept;
use crate::house_names::{Group, group_for};
use crate::installed::Place;
use crate::mail::is_domain;
use crate::signer::{Served, Signer, served};
use aws_lc_rs::signature::KeyPair;
use compartment::now_ms;
use std::collections::HashMap;
use terms::Kind;
use wire::pages::domain_of;
use wire::signer::{FromSigner, NAMES};

/// Names whose keys are in use at once; others are opened, or issued, when they are asked for.
const OPEN_NAMES: usize = 512;
/// One that has less than this left is issued again: an hour outlasts any handshake.
const LEFT_MS: u64 = 3_600_000;

/// Keys in use, by name, each with the moment of its last use.
#[derive(Default)]
pub(crate) struct OpenNames {
    open: HashMap<String, (Served, u64)>,
    uses: u64,
}

impl OpenNames {
    /// What goes for it, or served that name before.
    fn put(&mut self, name: &str, served: Served) -> [Option<Served>; 2] {
        let mut gone = None;
        if self.open.len() >= OPEN_NAMES
            && let Some(oldest) = self.open.iter().min_by_key(|(_, (_, used))| *used)
        {
            let oldest = oldest.0.clone();
            gone = self.open.remove(&oldest);
        }
        let before = self.open.insert(name.to_owned(), (served, self.uses));
        [gone, before].map(|one| one.map(|(served, _)| served))
    }

    pub fn forget(&mut self, name: &str) -> Option<Served> {
        self.open.remove(name).map(|(served, _)| served)
    }

    /// All that are open are issued, or opened, anew.
    pub fn forget_all(&mut self) -> Vec<Served> {
        self.open.drain().map(|(_, (served, _))| served).collect()
    }

    fn used(&mut self, name: &str) -> Option<&Served> {
        self.uses += 1;
        let (served, used) = self.open.get_mut(name)?;
        *used = self.uses;
        Some(served)
    }
}

impl Signer {
    /// What a peer's handshakes for that name are signed with.
    pub(crate) fn served(&mut self, kind: Kind, server_name: Option<&str>) -> Option<&Served> {
        let group = group_for(kind, server_name)?;
        let name = server_name.map(str::to_ascii_lowercase);
        if let Some(name) = name.filter(|_| group == Group::Pages) {
            match self.open_name(&name) {
                Ok(true) => return self.open_names.used(&name),
                Ok(false) => {}
                Err(fault) => self.alarm(fault.to_string()),
            }
        }
        self.of_group(group)
    }

    /// Whether it is a page's name below a domain of ours; its key is in use then.
    fn open_name(&mut self, name: &str) -> Result<bool, Fault> {
        let now = now_ms();
        let known = self.open_names.open.get(name);
        if known.is_some_and(|(served, _)| served.not_after_ms > now + LEFT_MS) {
            return Ok(true);
        }
        if Group::Pages.names(&self.start).iter().any(|own| own == name) || !self.is_ours(name)? {
            return Ok(false);
        }
        let Some(storage) = self.storage() else { return Ok(false) };
        let brought = self.store().installed_name(name, storage)?;
        let kept = match brought.filter(|kept| kept.not_after_ms > now) {
            Some(kept) => kept,
            // Not kept: it costs less than the disk does, and whoever trusts our authority does
            // not look at the key.
            None => match self.issue(&[name.to_owned()], Group::Pages, now)? {
                Some(kept) => kept,
                None => return Ok(false),
            },
        };
        let served = served(&kept)?;
        for gone in self.open_names.put(name, served) {
            self.before.put(Group::Pages, gone);
        }
        Ok(true)
    }

    /// Those of these names whose certificate no operator brought.
    pub(crate) fn unproven(&mut self, mut names: Vec<String>) -> FromSigner {
        names.truncate(NAMES);
        let mut unproven = Vec::new();
        for name in names {
            match self.is_proven(&name.to_ascii_lowercase()) {
                Ok(Some(true)) => {}
                Ok(Some(false)) => unproven.push(name),
                Ok(None) => return FromSigner::Refused,
                Err(fault) => {
                    self.alarm(fault.to_string());
                    return FromSigner::Refused;
                }
            }
        }
        FromSigner::Unproven(unproven)
    }

    /// `None`: it is locked.
    fn is_proven(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(storage) = self.storage() else { return Ok(None) };
        let is_of = |group: &Group| group.names(&self.start).iter().any(|own| own == name);
        let brought = match Group::ALL.into_iter().find(is_of) {
            Some(group) => self.store().installed(group, storage)?,
            None => self.store().installed_name(name, storage)?,
        };
        Ok(Some(brought.is_some_and(|kept| kept.not_after_ms > now_ms())))
    }

    /// The files of names that a certificate is brought for, with its key. The keys that were
    /// brought for them before are old from now on, also where nobody noted them.
    pub(crate) fn brought_by_file(
        &mut self,
        place: &Place,
        kept: Option<&Kept>,
    ) -> Result<Vec<([u8; 16], Mark)>, Fault> {
        let (Place::Names(names), Some(kept), Some(storage)) = (place, kept, self.storage()) else {
            return Ok(Vec::new());
        };
        let of = |kept: &Kept| Ok::<_, Fault>(mark(served(kept)?.key.public_key().as_ref()));
        let mut ages = self.store().ages(storage)?;
        let mut brought = Vec::new();
        for name in names {
            if let Some(before) = self.store().installed_name(name, storage)? {
                ages.is_old(of(&before)?);
            }
            brought.push((self.store().name_token(name, storage), of(kept)?));
        }
        self.store().keep_ages(storage, &ages)?;
        Ok(brought)
    }

    /// Whether a name of public pages belongs to a domain whose mail we sign.
    pub(crate) fn is_ours(&self, name: &str) -> Result<bool, Fault> {
        let domain = domain_of(name);
        match self.storage() {
            Some(key) if is_domain(domain) => {
                self.store().mail_keys(domain, key).map(|keys| keys.is_some())
            }
            _ => Ok(false),
        }
    }
}
