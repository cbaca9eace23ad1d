//! The key store's rows, and what they come to when they are read from first to last.

use crate::Fault;
use crate::journal::Records;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use terms::{TenantId, UserId};
use unseal::{Class, PublicKey};
use wire::vault::{BackupEpoch, Freeze, KeyAct};
use zeroize::Zeroizing;

/// One row of the store. New kinds go to the end: their number is their place.
#[derive(Serialize, Deserialize)]
pub(crate) enum Row {
    Tenant {
        tenant: TenantId,
        epoch: u32,
        stored: Vec<u8>,
    },
    User {
        tenant: TenantId,
        user: UserId,
        stored: Vec<u8>,
    },
    Pair {
        tenant: TenantId,
        user: UserId,
        class: u8,
        public: Vec<u8>,
        stored: Vec<u8>,
    },
    /// A rotated root, under the credential.
    Root {
        epoch: u32,
        stored: Vec<u8>,
    },
    /// What an earlier credential gave to derive from, under this one.
    Derived {
        stored: Vec<u8>,
    },
    Sealed {
        tenant: TenantId,
        on: bool,
    },
    Held {
        tenant: TenantId,
        user: Option<UserId>,
        on: bool,
    },
    Frozen(Freeze),
    /// Nothing of it may come back, from whatever backup.
    Shredded {
        tenant: TenantId,
        user: Option<UserId>,
        at_ms: u64,
    },
    BackupEpoch(BackupEpoch),
    /// An act that is about to be recorded, then done. A start finishes it.
    Intent {
        number: u64,
        act: KeyAct,
    },
    /// Done, or given up before it was recorded.
    Settled {
        number: u64,
    },
    /// The pair that a tenant's mail is sealed to on one day, while it is on its way.
    Transit {
        tenant: TenantId,
        public: Vec<u8>,
        stored: Vec<u8>,
    },
    /// A tenant's sign-in to one smart host, under its connector key.
    Credential {
        tenant: TenantId,
        id: [u8; 8],
        at_ms: u64,
        stored: Vec<u8>,
    },
    /// The one key that key backups of an epoch are sealed under: its fingerprint, and where it
    /// lay when the first of them was made.
    BackupKey {
        epoch: u32,
        print: [u8; 32],
        place: String,
    },
    /// What these rows know of their own deeds, with a sum that only a vault can make. It stands in
    /// this very file: a copy brings its own.
    Noted {
        noted: Vec<u8>,
        sum: [u8; 32],
    },
    /// These rows had no sums once. That they have is recorded: where, once it is.
    Summed {
        entry: Option<u64>,
    },
    /// The records of `stood`, beside these, have sums: a plain one, or none, is not the vault's.
    Stood,
}

impl Row {
    pub fn read(record: &[u8]) -> Option<Self> {
        postcard::from_bytes(record).ok()
    }

    /// Whether it is a rotated root, or what an earlier credential gave.
    pub fn is_of_root(record: &[u8]) -> bool {
        matches!(record.first(), Some(3 | 4))
    }

    pub fn write(&self) -> Option<Vec<u8>> {
        postcard::to_stdvec(self).ok()
    }
}

pub(crate) struct TenantRow {
    pub epoch: u32,
    /// Not in memory while the tenant is sealed.
    pub stored: Option<Zeroizing<Vec<u8>>>,
}

pub(crate) struct PairRow {
    pub class: Class,
    pub public: PublicKey,
    pub stored: Zeroizing<Vec<u8>>,
}

impl PairRow {
    /// Later pairs are larger: the period first, then the generation within it.
    pub fn age(&self) -> (u32, u32) {
        let epoch = self.public.epoch();
        (period_of(epoch), epoch >> PERIOD_BITS)
    }
}

/// The day is its public key's epoch.
pub(crate) struct TransitRow {
    pub public: PublicKey,
    pub stored: Zeroizing<Vec<u8>>,
}

/// Its host stands in what is sealed.
pub(crate) struct CredentialRow {
    pub at_ms: u64,
    pub stored: Zeroizing<Vec<u8>>,
}

/// The key of a backup epoch, as far as this store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupKey {
    pub print: [u8; 32],
    pub place: String,
}

impl BackupKey {
    /// As people compare it.
    pub fn fingerprint(&self) -> String {
        let (short, _) = self.print.split_at(PRINT_SHOWN);
        short.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

/// Octets of a fingerprint that are shown: nobody makes a key to match them.
const PRINT_SHOWN: usize = 8;

/// The fingerprint that belongs to a witness. What only the key gives is not kept before it is
/// said, so whoever reads this store cannot say it.
pub fn epoch_print(witness: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"sekisho epoch print v1\0").chain_update(witness).finalize().into()
}

pub(crate) struct UserRow {
    pub stored: Zeroizing<Vec<u8>>,
    pub pairs: Vec<PairRow>,
}

/// Everything that the rows say.
#[derive(Default)]
pub(crate) struct State {
    pub root: Option<(u32, Zeroizing<Vec<u8>>)>,
    pub derived: Option<Zeroizing<Vec<u8>>>,
    pub tenants: HashMap<TenantId, TenantRow>,
    pub users: HashMap<(TenantId, UserId), UserRow>,
    /// By tenant and day.
    pub transits: BTreeMap<(TenantId, u32), TransitRow>,
    pub credentials: BTreeMap<(TenantId, [u8; 8]), CredentialRow>,
    pub sealed: BTreeSet<TenantId>,
    pub holds: BTreeSet<(TenantId, Option<UserId>)>,
    pub frozen: BTreeSet<(Option<TenantId>, Option<UserId>)>,
    pub shredded: BTreeMap<(TenantId, Option<UserId>), u64>,
    pub backup_epochs: BTreeMap<u32, BackupEpoch>,
    /// Of epochs with a backup made since keys are noted.
    pub backup_keys: BTreeMap<u32, BackupKey>,
    pub intents: BTreeMap<u64, KeyAct>,
    pub next_intent: u64,
    /// What was noted of deeds last, and its sum.
    pub noted: Option<(Vec<u8>, [u8; 32])>,
    /// Whether it is still to be recorded that these rows have sums now.
    pub sums_unrecorded: bool,
    /// Whether `stood` has sums.
    pub stood_has_sums: bool,
}

impl State {
    pub fn of(records: &Records) -> Result<Self, Fault> {
        Self::of_all(records.iter())
    }

    pub fn of_all<'a>(
        records: impl Iterator<Item = &'a Zeroizing<Vec<u8>>>,
    ) -> Result<Self, Fault> {
        let mut state = Self::default();
        for (number, record) in records.enumerate() {
            let row = Row::read(record).and_then(|row| state.enter(row));
            row.ok_or(Fault::Torn { at: number as u64 })?;
        }
        state.forget_sealed();
        Ok(state)
    }

    /// A sealed tenant's key stays in the file alone.
    fn forget_sealed(&mut self) {
        for tenant in &self.sealed {
            if let Some(row) = self.tenants.get_mut(tenant) {
                row.stored = None;
            }
        }
    }

    pub fn enter(&mut self, row: Row) -> Option<()> {
        match row {
            Row::Tenant { tenant, epoch, stored } => {
                let stored = Some(Zeroizing::new(stored));
                self.tenants.insert(tenant, TenantRow { epoch, stored });
            }
            Row::User { tenant, user, stored } => {
                let row = UserRow { stored: Zeroizing::new(stored), pairs: Vec::new() };
                self.users.insert((tenant, user), row);
            }
            Row::Pair { tenant, user, class, public, stored } => {
                let (class, public) = (Class::from_byte(class)?, PublicKey::parse(&public).ok()?);
                let row = PairRow { class, public, stored: Zeroizing::new(stored) };
                self.users.get_mut(&(tenant, user))?.pairs.push(row);
            }
            Row::Root { epoch, stored } => self.root = Some((epoch, Zeroizing::new(stored))),
            Row::Derived { stored } => self.derived = Some(Zeroizing::new(stored)),
            Row::Sealed { tenant, on } => put(&mut self.sealed, tenant, on),
            Row::Held { tenant, user, on } => put(&mut self.holds, (tenant, user), on),
            Row::Frozen(freeze) => put(&mut self.frozen, (freeze.tenant, freeze.user), freeze.on),
            Row::Shredded { tenant, user, at_ms } => {
                self.shredded.insert((tenant, user), at_ms);
            }
            Row::BackupEpoch(epoch) => {
                self.backup_epochs.insert(epoch.epoch, epoch);
            }
            Row::BackupKey { epoch, print, place } => {
                self.backup_keys.insert(epoch, BackupKey { print, place });
            }
            Row::Intent { number, act } => {
                self.next_intent = self.next_intent.max(number + 1);
                self.intents.insert(number, act);
            }
            Row::Settled { number } => {
                self.next_intent = self.next_intent.max(number + 1);
                self.intents.remove(&number);
            }
            Row::Noted { noted, sum } => self.noted = Some((noted, sum)),
            Row::Summed { entry } => self.sums_unrecorded = entry.is_none(),
            Row::Stood => self.stood_has_sums = true,
            Row::Transit { tenant, public, stored } => {
                let public = PublicKey::parse(&public).ok()?;
                let row = TransitRow { public, stored: Zeroizing::new(stored) };
                self.transits.insert((tenant, row.public.epoch()), row);
            }
            Row::Credential { tenant, id, at_ms, stored } => {
                let row = CredentialRow { at_ms, stored: Zeroizing::new(stored) };
                self.credentials.insert((tenant, id), row);
            }
        }
        Some(())
    }

    pub fn is_shredded(&self, tenant: TenantId, user: UserId) -> bool {
        self.shredded.contains_key(&(tenant, None))
            || self.shredded.contains_key(&(tenant, Some(user)))
    }

    /// Whether nothing of the whole tenant is to be released now.
    pub fn is_closed(&self, tenant: TenantId) -> bool {
        self.sealed.contains(&tenant) || self.frozen.contains(&(Some(tenant), None))
    }

    /// Whether nothing is to be released to this person now.
    pub fn is_stopped(&self, tenant: TenantId, user: UserId) -> bool {
        let whose = [(Some(tenant), None), (Some(tenant), Some(user)), (None, Some(user))];
        self.sealed.contains(&tenant) || whose.iter().any(|one| self.frozen.contains(one))
    }

    /// The hold that forbids a shredding. A tenant's holds one of its people too, and a person's
    /// hold holds the tenant.
    pub fn hold_on(&self, tenant: TenantId, user: Option<UserId>) -> Option<String> {
        let stands = |held: &&(TenantId, Option<UserId>)| {
            held.0 == tenant && (held.1.is_none() || user.is_none() || held.1 == user)
        };
        self.holds.iter().find(stands).map(|(tenant, user)| match user {
            Some(user) => format!("a hold on user {user} of tenant {tenant}"),
            None => format!("a hold on tenant {tenant}"),
        })
    }

    /// What of a tenant is held: all of it (`None`), and who.
    pub fn held_of(&self, tenant: TenantId) -> Vec<Option<UserId>> {
        let of = self.holds.iter().filter(|(held, _)| *held == tenant);
        of.map(|(_, user)| *user).collect()
    }

    /// The last pair of a class: mail is sealed to it, whatever its period.
    pub fn newest(&self, tenant: TenantId, user: UserId, class: Class) -> Option<&PairRow> {
        let pairs = &self.users.get(&(tenant, user))?.pairs;
        pairs.iter().filter(|pair| pair.class == class).max_by_key(|pair| pair.age())
    }

    /// A tenant's last transit pair.
    pub fn newest_transit(&self, tenant: TenantId) -> Option<&TransitRow> {
        let mut days = self.transits.range((tenant, 0)..=(tenant, u32::MAX));
        days.next_back().map(|(_, row)| row)
    }

    pub fn backup_epoch(&self) -> u32 {
        self.backup_epochs.keys().next_back().copied().unwrap_or_default()
    }

    /// Epochs whose keys should be nowhere, and nobody has said so yet.
    pub fn epochs_to_destroy(&self) -> Vec<u32> {
        let due = |epoch: &&BackupEpoch| epoch.ended_ms.is_some() && epoch.destroyed_ms.is_none();
        self.backup_epochs.values().filter(due).map(|epoch| epoch.epoch).collect()
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, item: T, on: bool) {
    match on {
        true => set.insert(item),
        false => set.remove(&item),
    };
}

/// A pair's epoch: its period (year, or year × 12 + month) below, above it how often the pair was
/// made anew within the period.
pub(crate) const PERIOD_BITS: u32 = 20;

pub(crate) fn period_of(epoch: u32) -> u32 {
    epoch & ((1 << PERIOD_BITS) - 1)
}

/// Body pairs live a year, summary pairs a month (year × 12 + month).
pub(crate) fn period(class: Class, month: u32) -> u32 {
    match class {
        Class::Body => month / 100,
        Class::Summary => month / 100 * 12 + month % 100,
    }
}

/// The month (year × 100 + month) of a summary pair's epoch: `period` read backwards.
pub(crate) fn month_of_epoch(epoch: u32) -> u32 {
    let months = period_of(epoch).saturating_sub(1);
    months / 12 * 100 + months % 12 + 1
}
