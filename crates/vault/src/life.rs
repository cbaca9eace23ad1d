//! Keys in life: rotated, sealed, held, destroyed. Each act is a row of intent first, then an
//! entry of the ledger, then done; a start finishes what was left between.

use crate::Fault;
use crate::journal::Records;
use crate::keys::Keys;
use crate::rows::{Row, State, epoch_print};
use evidence::{Body, Word};
use std::collections::BTreeSet;
use terms::{TenantId, UserId};
use unseal::{Class, PublicKey, UserKey};
use wire::vault::{BackupEpoch, Freeze, KeyAct, Rotation};
use zeroize::Zeroizing;

/// Holds, seals and freezes kept in all.
const MARKS: usize = 100_000;
/// Acts under way: they are rare, and each waits for a person.
const INTENTS: usize = 64;

/// Why an act may not be: expected, found, hint.
pub(crate) type Objection = (&'static str, String, &'static str);

impl Keys {
    /// Why not, before anything is recorded.
    pub fn objection(&self, act: &KeyAct) -> Option<Objection> {
        let state = &self.state;
        let marks = state.holds.len() + state.frozen.len() + state.sealed.len();
        if state.intents.len() >= INTENTS || marks >= MARKS {
            return Some((
                "fewer acts at once",
                format!("{} under way, {marks} marks", state.intents.len()),
                "look whether the ledger and the mirror are there",
            ));
        }
        match act {
            KeyAct::ShredTenant { tenant } => self.forbids(*tenant, None),
            KeyAct::ShredUser { tenant, user } => self.forbids(*tenant, Some(*user)),
            KeyAct::SealTenant { tenant } => {
                self.is_already(*tenant, true).or_else(|| self.is_missing(*tenant, None))
            }
            KeyAct::UnsealTenant { tenant } => {
                self.is_already(*tenant, false).or_else(|| self.is_missing(*tenant, None))
            }
            KeyAct::Hold { tenant, user, .. } => self.is_missing(*tenant, *user),
            KeyAct::Rotate(Rotation::Root) | KeyAct::StartBackupEpoch => None,
            KeyAct::Rotate(Rotation::Tenant { tenant }) => self.is_locked(*tenant, None),
            KeyAct::Rotate(Rotation::User { tenant, user } | Rotation::Pairs { tenant, user }) => {
                self.is_locked(*tenant, Some(*user))
            }
            KeyAct::Freeze(freeze) => {
                let named =
                    freeze.tenant.is_some() || freeze.user.is_some() || freeze.instance.is_some();
                let hint = "name a tenant, a user or an instance";
                (!named).then(|| ("somebody to freeze", "nobody".to_owned(), hint))
            }
            KeyAct::EpochDestroyed { epoch } => {
                self.is_not_due(*epoch).or_else(|| self.needs_key(*epoch, None))
            }
            KeyAct::EpochKeyDestroyed { epoch, witness } => {
                self.is_not_due(*epoch).or_else(|| self.needs_key(*epoch, Some(witness)))
            }
            KeyAct::EpochGone { epoch } => self.is_not_due(*epoch),
        }
    }

    fn is_not_due(&self, epoch: u32) -> Option<Objection> {
        let is_due = self.state.epochs_to_destroy().contains(&epoch);
        let hint = "see `keys epochs`; one ends by a shredding or by `keys epoch start`";
        (!is_due).then(|| ("a backup epoch that has ended", epoch.to_string(), hint))
    }

    /// Where backups were sealed under a key that is known, an epoch is over with that very key:
    /// another one, or none, proves nothing. Of an epoch before keys were noted a word must do.
    fn needs_key(&self, epoch: u32, witness: Option<&[u8; 32]>) -> Option<Objection> {
        let known = self.state.backup_keys.get(&epoch)?;
        let (print, place) = (known.fingerprint(), &known.place);
        let found = match witness.map(epoch_print) {
            Some(found) if found == known.print => return None,
            Some(_) => format!("another key than {print}, which first lay in {place}"),
            None => format!("no key {print} there; it first lay in {place}"),
        };
        let hint = "keys epochs end --epoch-keys DIR, where it lies; if nobody has it any more, \
                    two persons: keys epochs end --gone EPOCH --reason TEXT";
        Some(("the key that this epoch's backups were sealed under", found, hint))
    }

    fn forbids(&self, tenant: TenantId, user: Option<UserId>) -> Option<Objection> {
        let hint = "lift the hold first, if whoever set it agrees: `keys hold … --off`";
        let hold = self.state.hold_on(tenant, user);
        hold.map(|hold| ("no hold", hold, hint)).or_else(|| self.is_missing(tenant, user))
    }

    fn is_missing(&self, tenant: TenantId, user: Option<UserId>) -> Option<Objection> {
        let is_there = match user {
            Some(user) => self.state.users.contains_key(&(tenant, user)),
            None => self.state.tenants.contains_key(&tenant),
        };
        let found = match user {
            Some(user) => format!("none for user {user} of tenant {tenant}"),
            None => format!("none for tenant {tenant}"),
        };
        (!is_there).then_some(("a key", found, "see `keys list`; what was shredded is gone"))
    }

    /// Sealed or unsealed as it is to be: nothing is to be done.
    fn is_already(&self, tenant: TenantId, on: bool) -> Option<Objection> {
        let (expected, found) = match on {
            true => ("a tenant that is not sealed", "sealed already: nothing was to be done"),
            false => ("a tenant that is sealed", "not sealed: nothing was to be done"),
        };
        let is_already = self.state.sealed.contains(&tenant) == on;
        is_already.then(|| (expected, found.to_owned(), "see `keys list`"))
    }

    fn is_locked(&self, tenant: TenantId, user: Option<UserId>) -> Option<Objection> {
        let hint = "unseal it first: `keys unseal --tenant T`";
        let is_sealed = self.state.sealed.contains(&tenant);
        let found = || format!("tenant {tenant} is sealed");
        is_sealed
            .then(|| ("a tenant that is not sealed", found(), hint))
            .or_else(|| self.is_missing(tenant, user))
    }

    /// Notes what is about to be recorded, and gives its number.
    pub fn intend(&mut self, act: &KeyAct) -> Result<u64, Fault> {
        let number = self.state.next_intent;
        self.keep(vec![Row::Intent { number, act: act.clone() }])?;
        Ok(number)
    }

    /// Given up before it was recorded.
    pub fn give_up(&mut self, number: u64) -> Result<(), Fault> {
        self.keep(vec![Row::Settled { number }])
    }

    /// What the ledger is told; the first is waited for.
    pub fn entries(&self, act: &KeyAct) -> Vec<Body> {
        let tenant_epoch = |tenant: &TenantId| {
            self.state.tenants.get(tenant).map_or(0, |row| u64::from(row.epoch))
        };
        let shred = |what, epoch, tenant, user| Body::KeyShred {
            what: Word::new(what),
            epoch,
            tenant: Some(tenant),
            user,
        };
        let next = self.next_backup_epoch();
        match act {
            KeyAct::ShredTenant { tenant } => {
                vec![shred("tenant", tenant_epoch(tenant), *tenant, None), next]
            }
            KeyAct::ShredUser { tenant, user } => {
                vec![shred("user", tenant_epoch(tenant), *tenant, Some(*user)), next]
            }
            KeyAct::SealTenant { tenant } => vec![Body::KeySeal { sealed: true, tenant: *tenant }],
            KeyAct::UnsealTenant { tenant } => {
                vec![Body::KeySeal { sealed: false, tenant: *tenant }]
            }
            KeyAct::Hold { tenant, user, on } => {
                vec![Body::KeyHold { on: *on, tenant: *tenant, user: *user }]
            }
            KeyAct::Rotate(rotation) => vec![self.rotation_entry(rotation)],
            KeyAct::Freeze(Freeze { on, tenant, user, instance }) => {
                let (tenant, user, instance) = (*tenant, *user, *instance);
                vec![Body::KeyFreeze { on: *on, tenant, user, instance }]
            }
            KeyAct::StartBackupEpoch => vec![next],
            KeyAct::EpochGone { epoch } => {
                vec![Body::KeyBackup { what: Word::new("gone"), epoch: u64::from(*epoch) }]
            }
            KeyAct::EpochDestroyed { epoch } | KeyAct::EpochKeyDestroyed { epoch, .. } => {
                let what = Word::new("destroyed");
                vec![Body::KeyBackup { what, epoch: u64::from(*epoch) }]
            }
        }
    }

    fn next_backup_epoch(&self) -> Body {
        let epoch = u64::from(self.state.backup_epoch()) + 1;
        Body::KeyBackup { what: Word::new("start"), epoch }
    }

    fn rotation_entry(&self, rotation: &Rotation) -> Body {
        let epoch = |tenant: &TenantId| self.state.tenants.get(tenant).map_or(0, |row| row.epoch);
        let (what, epoch, tenant, user) = match rotation {
            Rotation::Root => ("root", self.next_root_epoch(), None, None),
            Rotation::Tenant { tenant } => ("tenant", epoch(tenant) + 1, Some(*tenant), None),
            Rotation::User { tenant, user } => ("user", 0, Some(*tenant), Some(*user)),
            Rotation::Pairs { tenant, user } => ("pairs", 0, Some(*tenant), Some(*user)),
        };
        Body::KeyRotate { what: Word::new(what), epoch: u64::from(epoch), tenant, user }
    }

    pub fn root_epoch(&self) -> u32 {
        self.state.root.as_ref().map_or(1, |(epoch, _)| *epoch)
    }

    fn next_root_epoch(&self) -> u32 {
        self.root_epoch() + 1
    }

    /// Recorded: now it is done. Gives how many keys were destroyed or wrapped anew. Doing it
    /// twice does no harm: a start may repeat it.
    pub fn carry_out(
        &mut self,
        number: u64,
        act: &KeyAct,
        now_ms: u64,
        month: u32,
    ) -> Result<u64, Fault> {
        let settled = Row::Settled { number };
        let rows = match act {
            KeyAct::ShredTenant { tenant } => return self.shred(*tenant, None, number, now_ms),
            KeyAct::ShredUser { tenant, user } => {
                return self.shred(*tenant, Some(*user), number, now_ms);
            }
            KeyAct::Rotate(rotation) => return self.rotate(rotation, settled, month),
            KeyAct::SealTenant { tenant } => return self.seal(*tenant, true, settled),
            KeyAct::UnsealTenant { tenant } => return self.seal(*tenant, false, settled),
            KeyAct::Hold { tenant, user, on } => {
                vec![Row::Held { tenant: *tenant, user: *user, on: *on }, settled]
            }
            // An instance dies soon: it is stopped now, and not remembered.
            KeyAct::Freeze(freeze) if freeze.tenant.is_none() && freeze.user.is_none() => {
                vec![settled]
            }
            KeyAct::Freeze(freeze) => vec![Row::Frozen(*freeze), settled],
            KeyAct::StartBackupEpoch => {
                let mut rows = self.epoch_rows(now_ms);
                rows.push(settled);
                rows
            }
            KeyAct::EpochDestroyed { epoch }
            | KeyAct::EpochKeyDestroyed { epoch, .. }
            | KeyAct::EpochGone { epoch } => {
                let ended = self.state.backup_epochs.get(epoch).copied();
                let ended = ended.ok_or(Fault::Torn { at: 0 })?;
                let destroyed = BackupEpoch { destroyed_ms: Some(now_ms), ..ended };
                vec![Row::BackupEpoch(destroyed), settled]
            }
        };
        self.keep(rows).map(|()| 0)
    }

    /// A sealed tenant's key leaves memory, or comes back from the file.
    fn seal(&mut self, tenant: TenantId, on: bool, settled: Row) -> Result<u64, Fault> {
        self.keep(vec![Row::Sealed { tenant, on }, settled])?;
        self.state = State::of(&self.journal.records()?)?;
        Ok(1)
    }

    /// The end of the current backup epoch, and the next one.
    fn epoch_rows(&self, now_ms: u64) -> Vec<Row> {
        let current = self.state.backup_epoch();
        let ended = self.state.backup_epochs.get(&current).map(|epoch| {
            let ended_ms = Some(epoch.ended_ms.unwrap_or(now_ms));
            Row::BackupEpoch(BackupEpoch { ended_ms, ..*epoch })
        });
        let (epoch, started_ms) = (current + 1, now_ms);
        let next = BackupEpoch { epoch, started_ms, ended_ms: None, destroyed_ms: None };
        ended.into_iter().chain([Row::BackupEpoch(next)]).collect()
    }

    fn shred(
        &mut self,
        tenant: TenantId,
        user: Option<UserId>,
        number: u64,
        now_ms: u64,
    ) -> Result<u64, Fault> {
        let mut rows = vec![Row::Settled { number }];
        // A start that repeats it begins no second epoch.
        if !self.state.shredded.contains_key(&(tenant, user)) {
            rows.push(Row::Shredded { tenant, user, at_ms: now_ms });
            rows.append(&mut self.epoch_rows(now_ms));
        }
        let (records, gone) = without(self.journal.records()?, tenant, user, rows)?;
        self.replace(&records, None)?;
        Ok(gone)
    }

    fn rotate(&mut self, rotation: &Rotation, settled: Row, month: u32) -> Result<u64, Fault> {
        match *rotation {
            Rotation::Root => self.rotate_root(settled),
            Rotation::Tenant { tenant } => self.rotate_tenant(tenant, settled),
            Rotation::User { tenant, user } => self.rotate_user(tenant, user, settled),
            Rotation::Pairs { tenant, user } => {
                let mut rows = vec![settled];
                for class in [Class::Summary, Class::Body] {
                    rows.extend(self.next_pair(tenant, user, class, month)?);
                }
                let count = rows.len() as u64 - 1;
                self.keep(rows).map(|()| count)
            }
        }
    }

    fn rotate_root(&mut self, settled: Row) -> Result<u64, Fault> {
        let epoch = self.next_root_epoch();
        let (next, stored) = self.root.rotate(epoch).map_err(Fault::Key)?;
        let rows = vec![Row::Root { epoch, stored }, settled];
        let (records, count) = changed(self.journal.records()?, rows, |row| match row {
            Row::Tenant { tenant, epoch, stored } => {
                let stored = Zeroizing::new(stored);
                let wrapped = self.root.rewrap_tenant(&next, tenant, epoch, &stored);
                let stored = wrapped.map_err(Fault::Key)?;
                Ok(Change::To(Row::Tenant { tenant, epoch, stored }))
            }
            Row::Root { .. } => Ok(Change::Gone),
            _ => Ok(Change::Not),
        })?;
        self.replace(&records, Some(next))?;
        Ok(count)
    }

    fn rotate_tenant(&mut self, tenant: TenantId, settled: Row) -> Result<u64, Fault> {
        let current = self.tenant_key(tenant)?;
        let epoch = self.state.tenants.get(&tenant).map_or(0, |row| row.epoch) + 1;
        let (next, stored) = self.root.make_tenant(tenant, epoch).map_err(Fault::Key)?;
        let mut stored = Some(stored);
        let (records, count) = changed(self.journal.records()?, vec![settled], |row| match row {
            Row::Tenant { tenant: other, .. } if other == tenant => Ok(match stored.take() {
                Some(stored) => Change::To(Row::Tenant { tenant, epoch, stored }),
                None => Change::Gone,
            }),
            Row::User { tenant: other, user, stored } if other == tenant => {
                let stored = Zeroizing::new(stored);
                let stored = current.rewrap_user(&next, user, &stored).map_err(Fault::Key)?;
                Ok(Change::To(Row::User { tenant, user, stored }))
            }
            Row::Transit { tenant: other, public, stored } if other == tenant => {
                let (stored, read) = (Zeroizing::new(stored), PublicKey::parse(&public));
                let read = read.map_err(Fault::Key)?;
                let stored = current.rewrap_transit(&next, &read, &stored).map_err(Fault::Key)?;
                Ok(Change::To(Row::Transit { tenant, public, stored }))
            }
            Row::Credential { tenant: other, id, at_ms, stored } if other == tenant => {
                let stored = Zeroizing::new(stored);
                let stored = current.rewrap_credential(&next, &id, &stored).map_err(Fault::Key)?;
                Ok(Change::To(Row::Credential { tenant, id, at_ms, stored }))
            }
            _ => Ok(Change::Not),
        })?;
        self.replace(&records, None)?;
        Ok(count)
    }

    fn rotate_user(&mut self, tenant: TenantId, user: UserId, settled: Row) -> Result<u64, Fault> {
        let current = self.user_key(tenant, user).ok_or(Fault::Torn { at: 0 })?;
        let made = self.tenant_key(tenant)?.make_user(user);
        let (next, stored) = made.map_err(Fault::Key)?;
        let mut stored = Some(stored);
        let whose = (tenant, user);
        let (records, count) = changed(self.journal.records()?, vec![settled], |row| match row {
            Row::User { tenant, user, .. } if (tenant, user) == whose => Ok(match stored.take() {
                Some(stored) => Change::To(Row::User { tenant, user, stored }),
                None => Change::Gone,
            }),
            Row::Pair { tenant, user, class, public, stored } if (tenant, user) == whose => {
                let stored = Zeroizing::new(stored);
                let stored = rewrapped_pair(&current, &next, class, &public, &stored)?;
                Ok(Change::To(Row::Pair { tenant, user, class, public, stored }))
            }
            _ => Ok(Change::Not),
        })?;
        self.replace(&records, None)?;
        Ok(count)
    }
}

fn rewrapped_pair(
    current: &UserKey,
    next: &UserKey,
    class: u8,
    public: &[u8],
    stored: &[u8],
) -> Result<Vec<u8>, Fault> {
    let class = Class::from_byte(class).ok_or(Fault::Torn { at: 0 })?;
    let public = PublicKey::parse(public).map_err(Fault::Key)?;
    current.rewrap_pair(next, class, &public, stored).map_err(Fault::Key)
}

/// What becomes of a row when the file is written anew.
pub(crate) enum Change {
    Not,
    To(Row),
    Gone,
}

/// The rows after a change, then `rows`; and how many were changed.
pub(crate) fn changed(
    records: Records,
    rows: Vec<Row>,
    mut change: impl FnMut(Row) -> Result<Change, Fault>,
) -> Result<(Records, u64), Fault> {
    let mut count = 0;
    let mut after = Records::with_capacity(records.len() + rows.len());
    let mut noted = None;
    for record in records {
        let row = Row::read(&record).ok_or(Fault::Torn { at: after.len() as u64 })?;
        if matches!(row, Row::Noted { .. }) {
            // The last one says it all.
            noted = Some(record);
            continue;
        }
        match change(row)? {
            Change::Not => after.push(record),
            Change::To(row) => {
                count += 1;
                after.push(record_of(&row)?);
            }
            Change::Gone => {}
        }
    }
    after.extend(noted);
    for row in rows {
        after.push(record_of(&row)?);
    }
    Ok((after, count))
}

fn record_of(row: &Row) -> Result<Zeroizing<Vec<u8>>, Fault> {
    row.write().map(Zeroizing::new).ok_or(Fault::Torn { at: 0 })
}

/// The rows without any key of a tenant (or one person of it), then `rows`; and how many went.
/// What names its people otherwise (freezes, holds, settled acts) goes too: the list of what was
/// shredded names a contract, not its people.
pub(crate) fn without(
    records: Records,
    tenant: TenantId,
    user: Option<UserId>,
    rows: Vec<Row>,
) -> Result<(Records, u64), Fault> {
    let mut gone = 0;
    let mut settled = BTreeSet::new();
    let new = rows.iter().filter_map(Row::write).map(Zeroizing::new);
    for record in records.iter().cloned().chain(new) {
        if let Some(Row::Settled { number }) = Row::read(&record) {
            settled.insert(number);
        }
    }
    let is_theirs = |of: TenantId, whose: UserId| of == tenant && user.is_none_or(|u| u == whose);
    let (records, _) = changed(records, rows, |row| {
        Ok(match row {
            Row::Tenant { tenant: of, .. }
            | Row::Sealed { tenant: of, .. }
            | Row::Transit { tenant: of, .. }
            | Row::Credential { tenant: of, .. }
                if of == tenant && user.is_none() =>
            {
                gone += 1;
                Change::Gone
            }
            Row::User { tenant, user, .. } | Row::Pair { tenant, user, .. }
                if is_theirs(tenant, user) =>
            {
                gone += 1;
                Change::Gone
            }
            Row::Held { tenant, user: Some(user), .. }
            | Row::Frozen(Freeze { tenant: Some(tenant), user: Some(user), .. })
                if is_theirs(tenant, user) =>
            {
                Change::Gone
            }
            Row::Intent { number, act }
                if settled.contains(&number)
                    && person(&act).is_some_and(|(tenant, user)| is_theirs(tenant, user)) =>
            {
                Change::Gone
            }
            _ => Change::Not,
        })
    })?;
    Ok((records, gone))
}

/// Whom an act names.
fn person(act: &KeyAct) -> Option<(TenantId, UserId)> {
    match *act {
        KeyAct::ShredUser { tenant, user }
        | KeyAct::Hold { tenant, user: Some(user), .. }
        | KeyAct::Rotate(Rotation::User { tenant, user } | Rotation::Pairs { tenant, user })
        | KeyAct::Freeze(Freeze { tenant: Some(tenant), user: Some(user), .. }) => {
            Some((tenant, user))
        }
        _ => None,
    }
}
