//! What is done to a key store while no vault runs on it: looked at, set right after a restore,
//! put under another credential.

use crate::Fault;
use crate::credentials::SORT;
use crate::journal::{self, Journal, Records};
use crate::keys::{self, Keys};
use crate::life::{Change, changed, without};
use crate::rows::{BackupKey, Row, State};
use crate::sums::{Contents, Form};
use evidence::{Body, Entry};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use terms::{TenantId, UserId};
use unseal::RootKey;
use wire::vault::{BackupEpoch, KeyAct, Rotation};
use zeroize::Zeroizing;

/// Of a place that is remembered for people: a row stays small.
const PLACE_LETTERS: usize = 500;

/// What a store says of itself without any key.
pub struct Told {
    /// The epoch that key backups belong to now.
    pub backup_epoch: u32,
    pub backup_epochs: Vec<BackupEpoch>,
    pub backup_keys: BTreeMap<u32, BackupKey>,
    pub tenants: usize,
    pub shredded: usize,
    pub sealed: usize,
    pub holds: usize,
    /// Acts that were recorded or about to be, and are not done.
    pub unfinished: usize,
}

/// A key that was destroyed, as the ledger tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shred {
    pub tenant: TenantId,
    pub what: Destroyed,
    pub at_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destroyed {
    /// Every key of a tenant, or of one person.
    Keys(Option<UserId>),
    /// Its sign-ins to smart hosts.
    SignIns,
}

impl Shred {
    /// `None`: the entry is of something else, also where it is another's key that was destroyed
    /// (the signer's).
    pub fn of(entry: &Entry) -> Option<Self> {
        let Body::KeyShred { what, tenant: Some(tenant), user, .. } = &entry.body else {
            return None;
        };
        let what = match (what.as_str(), user) {
            ("tenant", None) => Destroyed::Keys(None),
            ("user", Some(user)) => Destroyed::Keys(Some(*user)),
            (SORT, None) => Destroyed::SignIns,
            _ => return None,
        };
        Some(Self { tenant: *tenant, what, at_ms: entry.time_ms })
    }
}

/// By the sums that need no key.
fn contents(folder: &Path) -> Result<Contents, Fault> {
    let path = folder.join("keys");
    let bytes = std::fs::read(&path).map(Zeroizing::new);
    journal::read(&path, &bytes.map_err(|source| Fault::Store { doing: "look into", source })?)
}

/// Reads the store in `folder`; also beside a running vault.
pub fn look(folder: &Path) -> Result<Told, Fault> {
    let state = State::of_all(contents(folder)?.rows())?;
    Ok(Told {
        backup_epoch: state.backup_epoch(),
        backup_epochs: state.backup_epochs.values().copied().collect(),
        backup_keys: state.backup_keys.clone(),
        tenants: state.tenants.len(),
        shredded: state.shredded.len(),
        sealed: state.sealed.len(),
        holds: state.holds.len(),
        unfinished: state.intents.len(),
    })
}

/// Whether this credential opens the store in `folder`; `None` if there is nothing yet that tells,
/// or the store is damaged, which its vault says. Also beside a running vault.
pub fn opens(folder: &Path, credential: &[u8]) -> Result<Option<bool>, Fault> {
    let root = RootKey::from_credential(credential).map_err(Fault::Key)?;
    match contents(folder).and_then(|contents| keys::opens(&contents, root)) {
        Err(Fault::Store { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(Fault::Damaged { .. } | Fault::Torn { .. }) => Ok(None),
        answer => answer,
    }
}

/// From now on this epoch has this key: noted before anything is sealed under it. One that was
/// noted before stays.
pub fn note_epoch_key(folder: &Path, epoch: u32, key: &BackupKey) -> Result<(), Fault> {
    let (mut journal, contents) = Journal::open(&folder.join("keys"))?;
    if State::of_all(contents.rows())?.backup_keys.contains_key(&epoch) {
        return Ok(());
    }
    let place = key.place.chars().take(PLACE_LETTERS).collect();
    let row = Row::BackupKey { epoch, print: key.print, place };
    journal.append(&[row.write().ok_or(Fault::Torn { at: 0 })?])
}

/// Whose key an entry says was made: a contract's, or a person's.
pub fn made_of(entry: &Entry) -> Option<(TenantId, Option<UserId>)> {
    let Body::KeyCreate { what, tenant: Some(tenant), user, .. } = &entry.body else { return None };
    match (what.as_str(), user) {
        ("tenant", None) => Some((*tenant, None)),
        ("user", Some(user)) => Some((*tenant, Some(*user))),
        _ => None,
    }
}

/// Of those whose keys were made, whose the store in `folder` neither has nor had destroyed. Also
/// beside a running vault.
pub fn missing(
    folder: &Path,
    made: &[(TenantId, Option<UserId>)],
) -> Result<Vec<(TenantId, Option<UserId>)>, Fault> {
    let state = State::of_all(contents(folder)?.rows())?;
    let is_there = |(tenant, user): &(TenantId, Option<UserId>)| match user {
        None => state.tenants.contains_key(tenant) || state.shredded.contains_key(&(*tenant, None)),
        Some(user) => {
            state.users.contains_key(&(*tenant, *user)) || state.is_shredded(*tenant, *user)
        }
    };
    let mut missing: Vec<_> = made.iter().filter(|one| !is_there(one)).copied().collect();
    missing.sort_unstable();
    missing.dedup();
    Ok(missing)
}

/// Destroys again what was destroyed before: an older backup brought it back. Gives how many keys
/// went.
pub fn apply_shreds(folder: &Path, shreds: &[Shred]) -> Result<u64, Fault> {
    let (mut journal, contents) = Journal::open(&folder.join("keys"))?;
    let known = State::of_all(contents.rows())?.shredded;
    let is_missing = |shred: &&Shred| match shred.what {
        Destroyed::Keys(user) => !known.contains_key(&(shred.tenant, user)),
        Destroyed::SignIns => true,
    };
    let missing: BTreeSet<&Shred> = shreds.iter().filter(is_missing).collect();
    if contents.head.is_some() {
        return empty(&mut journal, contents, &missing);
    }
    let mut records = contents.into_rows();
    let (before, mut gone) = (records.len(), 0);
    for Shred { tenant, what, at_ms } in missing.iter().copied() {
        let (tenant, at_ms) = (*tenant, *at_ms);
        let (left, count) = match *what {
            Destroyed::Keys(user) => {
                let rows = vec![Row::Shredded { tenant, user, at_ms }];
                without(records, tenant, user, rows)?
            }
            Destroyed::SignIns => without_sign_ins(records, tenant, at_ms)?,
        };
        (records, gone) = (left, gone + count);
    }
    let is_kept = |shred: &&Shred| matches!(shred.what, Destroyed::Keys(_));
    if records.len() != before || missing.iter().copied().any(|shred| is_kept(&shred)) {
        journal.rewrite(&records)?;
    }
    Ok(gone)
}

/// Where records have sums: the keys go, and what is left of their rows says whose they were. What
/// else names these people goes when the vault writes them anew.
fn empty(
    journal: &mut Journal,
    mut contents: Contents,
    shreds: &BTreeSet<&Shred>,
) -> Result<u64, Fault> {
    let is_it = |shred: &Shred, row: &Row| match (shred.what, row) {
        (Destroyed::SignIns, Row::Credential { tenant, at_ms, .. }) => {
            *tenant == shred.tenant && *at_ms <= shred.at_ms
        }
        (
            Destroyed::Keys(None),
            Row::Tenant { tenant, .. }
            | Row::User { tenant, .. }
            | Row::Pair { tenant, .. }
            | Row::Transit { tenant, .. }
            | Row::Credential { tenant, .. },
        ) => *tenant == shred.tenant,
        (
            Destroyed::Keys(Some(of)),
            Row::User { tenant, user, .. } | Row::Pair { tenant, user, .. },
        ) => (*tenant, *user) == (shred.tenant, of),
        _ => false,
    };
    let mut gone = 0;
    for record in &mut contents.records {
        let row = Row::read(&record.octets).filter(|_| record.form == Form::Whole);
        let is_gone = row.is_some_and(|row| shreds.iter().any(|shred| is_it(shred, &row)));
        gone += u64::from(is_gone && record.empty());
    }
    let rows = shreds.iter().filter_map(|shred| match shred.what {
        Destroyed::Keys(user) => {
            Row::Shredded { tenant: shred.tenant, user, at_ms: shred.at_ms }.write()
        }
        Destroyed::SignIns => None,
    });
    let rows: Vec<_> = rows.collect();
    if gone > 0 || !rows.is_empty() {
        journal.empty(&contents, &rows)?;
    }
    Ok(gone)
}

/// What was forgotten then; one that was set later stays.
pub(crate) fn without_sign_ins(
    records: Records,
    whose: TenantId,
    until_ms: u64,
) -> Result<(Records, u64), Fault> {
    let mut gone = 0;
    let (records, _) = changed(records, Vec::new(), |row| {
        Ok(match row {
            Row::Credential { tenant, at_ms, .. } if tenant == whose && at_ms <= until_ms => {
                gone += 1;
                Change::Gone
            }
            _ => Change::Not,
        })
    })?;
    Ok((records, gone))
}

/// Puts the store under another credential; the old one opens nothing of it any more. What is
/// derived from the root stays. The next start records it, and rotates the root as well.
pub fn reseal(folder: &Path, old: &[u8], new: &[u8]) -> Result<(), Fault> {
    let root = RootKey::from_credential(old).map_err(Fault::Key)?;
    let mut keys = Keys::open(folder, root, 0)?;
    let (epoch, number) = (keys.root_epoch(), keys.state.next_intent);
    let (stored, derived) = keys.root.reseal(new, epoch).map_err(Fault::Key)?;
    let act = KeyAct::Rotate(Rotation::Root);
    let mut records = keys.journal.records()?;
    let is_other = |record: &Zeroizing<Vec<u8>>| {
        !matches!(Row::read(record), Some(Row::Root { .. } | Row::Derived { .. }))
    };
    records.retain(is_other);
    let rows = [
        Row::Root { epoch, stored },
        Row::Derived { stored: derived },
        Row::Intent { number, act },
    ];
    for row in rows {
        records.push(row.write().map(Zeroizing::new).ok_or(Fault::Torn { at: 0 })?);
    }
    keys.journal.rewrite(&records)?;
    keys.keep_tip(None, None)?;
    // Only what opens under the new credential alone is a success.
    let root = RootKey::from_credential(new).map_err(Fault::Key)?;
    Keys::open(folder, root, 0).map(|_| ())
}
