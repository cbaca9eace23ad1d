//! Who may write as which address: statements for senders, signed by the vault, good for an hour.

use crate::Fault;
use crate::address::ADDRESS_BYTES;
use crate::friends::Friends;
use crate::resolve::Lookup;
use crate::statements::{find, is_ended};
use crate::tables::Tables;
use rows::RowKey;
use std::collections::HashMap;
use terms::{TenantId, UserId};
use wire::directory::{Sending, SendingSettings, ToDispatch, server_of};

/// A key or a limit that changed counts within the hour, everywhere.
const HOUR_MS: u64 = 60 * 60 * 1000;
/// Older ones are made anew while the vault is there to sign.
const FRESH_MS: u64 = HOUR_MS / 2;
/// What the vault refused a server is not asked again for so long: each question rings its alarm.
const REFUSED_MS: u64 = 10 * 60 * 1000;
/// Senders of one hour in a large installation, about 30 MB.
const REMEMBERED: usize = 50_000;

struct Kept {
    settings: SendingSettings,
    statement: Vec<u8>,
    signature: Vec<u8>,
    issued_ms: u64,
}

impl Kept {
    /// Also of a clock that jumped back behind it.
    fn age_ms(&self, now: u64) -> u64 {
        now.checked_sub(self.issued_ms).unwrap_or(u64::MAX)
    }

    fn answer(&self) -> ToDispatch {
        let (statement, signature) = (self.statement.clone(), self.signature.clone());
        ToDispatch::Sending { statement, signature }
    }
}

/// Statements at hand, by person and canonical address.
#[derive(Default)]
pub struct Sendings {
    at_hand: HashMap<(UserId, String), Kept>,
    /// What the vault does not sign for a server, and since when.
    refused: HashMap<(UserId, String), u64>,
}

impl Sendings {
    /// May this person write as `address` (canonical)? Who they are and what their tenant says is
    /// looked up each time; only the vault's word is remembered.
    pub fn state(
        &mut self,
        (tables, key): (&Tables, &RowKey),
        friends: &mut Friends,
        (tenant, user): (TenantId, UserId),
        address: &str,
        now: u64,
    ) -> Result<ToDispatch, Fault> {
        let speakers = match whose(tables, key, (tenant, user), address, now)? {
            Whose::Theirs => Vec::new(),
            Whose::Shared(speakers) => speakers,
            Whose::NotTheirs => return Ok(ToDispatch::NotTheirs),
        };
        let place = (user, address.to_owned());
        if self.refused.get(&place).is_some_and(|since| now.saturating_sub(*since) < REFUSED_MS) {
            return Ok(ToDispatch::NotTheirs);
        }
        let Some(row) = tables.tenant(key, tenant)? else { return Ok(ToDispatch::NotTheirs) };
        let settings = match tables.outlet(key, tenant)?.filter(|_| user == server_of(tenant)) {
            Some(outlet) => outlet.limited(&row.sending),
            None => row.sending,
        };
        let kept = self.at_hand.get(&place).filter(|kept| kept.settings == settings);
        if let Some(kept) = kept
            && kept.age_ms(now) < FRESH_MS
        {
            return Ok(kept.answer());
        }
        let home = tables.person(key, user)?.map(|(_, person)| person.address).unwrap_or_default();
        let who = Speaker { tenant, user, home, speakers: &speakers };
        match make(friends, &who, address, &settings, now) {
            Ok(made) => {
                let answer = made.answer();
                if self.at_hand.len() >= REMEMBERED {
                    self.at_hand.clear();
                }
                self.at_hand.insert(place, made);
                Ok(answer)
            }
            // It was somebody's here before, which the vault alone remembers.
            Err(Fault::NotBelieved) if user == server_of(tenant) => {
                if self.refused.len() >= REMEMBERED {
                    self.refused.clear();
                }
                self.refused.insert(place, now);
                Ok(ToDispatch::NotTheirs)
            }
            // The vault is away: what it said within the hour still counts.
            Err(_) => {
                let valid = kept.filter(|kept| kept.age_ms(now) < HOUR_MS);
                Ok(valid.map_or(ToDispatch::Later, Kept::answer))
            }
        }
    }
}

/// Whose an address is, for one person who would write as it.
enum Whose {
    /// Theirs alone, or that of their tenant's own server.
    Theirs,
    /// Of several, of whom these may write as it, and they are among them.
    Shared(Vec<UserId>),
    NotTheirs,
}

/// Whether mail for that address is this person's alone, or they may write as it beside others; and
/// may still write at all. What only the catch-all gets is nobody's to write as.
fn whose(
    tables: &Tables,
    key: &RowKey,
    (tenant, user): (TenantId, UserId),
    address: &str,
    now: u64,
) -> Result<Whose, Fault> {
    let theirs = |is_theirs| if is_theirs { Whose::Theirs } else { Whose::NotTheirs };
    let Some((_, domain)) = address.rsplit_once('@') else { return Ok(Whose::NotTheirs) };
    if address.len() > ADDRESS_BYTES || tables.domain(key, domain)? != Some(tenant) {
        return Ok(Whose::NotTheirs);
    }
    let look = Lookup { tables, key, now };
    // A tenant's own server has its people, and we cannot know them. Ours write here, as
    // themselves: a server that wrote as them would do it without their sign-in.
    if user == server_of(tenant) {
        let has_outlet = tables.outlet(key, tenant)?.is_some();
        return Ok(theirs(has_outlet && look.is_a_server_s(address, tenant)?));
    }
    let person = tables.person(key, user)?.filter(|(of, person)| *of == tenant && !person.disabled);
    if person.is_none() || is_ended(tables, key, tenant, user)? {
        return Ok(Whose::NotTheirs);
    }
    if let Some((found, _)) = find(tables, key, address, tenant)? {
        return Ok(theirs(found == user));
    }
    Ok(match look.speakers(address, tenant)? {
        Some(speakers) if speakers.contains(&user) && look.reaches((address, tenant), user)? => {
            Whose::Shared(speakers)
        }
        _ => Whose::NotTheirs,
    })
}

/// Who writes, in the statement's words.
struct Speaker<'a> {
    tenant: TenantId,
    user: UserId,
    /// Their own address.
    home: String,
    /// All who may write as the address, where several have it.
    speakers: &'a [UserId],
}

fn make(
    friends: &mut Friends,
    who: &Speaker<'_>,
    address: &str,
    settings: &SendingSettings,
    now: u64,
) -> Result<Kept, Fault> {
    let Speaker { tenant, user, .. } = *who;
    let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    // A second time if the day ended between the key and the signature; else the answer would be
    // the same, and the vault's alarm rung twice.
    let mut before = None;
    for _ in 0..2 {
        let transit = friends.transit(tenant)?;
        if before.as_ref() == Some(&transit) {
            break;
        }
        before = Some(transit.clone());
        let sending = Sending {
            address: address.to_owned(),
            tenant,
            user,
            transit,
            home: who.home.clone(),
            domain: domain.to_owned(),
            settings: settings.clone(),
            issued_ms: now,
            valid_until_ms: now + HOUR_MS,
        };
        let statement = postcard::to_stdvec(&sending).map_err(|_| Fault::Encode)?;
        if let Some(signature) = friends.sign_sending(&statement, who.speakers)? {
            return Ok(Kept { settings: settings.clone(), statement, signature, issued_ms: now });
        }
    }
    Err(Fault::NotBelieved)
}
