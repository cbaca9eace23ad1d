//! Tenants', users' and pairs' keys: rows wrapped by the key above, opened for one use.

use crate::Fault;
use crate::journal::Journal;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use terms::{TenantId, UserId};
use unseal::{Class, Pair, PublicKey, RootKey, Secret, SecretsKey, StatementKey, Suite, UserKey};

/// The first epoch of a tenant's key. A termination will start a second one.
const TENANT_EPOCH: u32 = 1;

/// One row of the store.
#[derive(Serialize, Deserialize)]
enum Row {
    Tenant { tenant: TenantId, epoch: u32, stored: Vec<u8> },
    User { tenant: TenantId, user: UserId, stored: Vec<u8> },
    Pair { tenant: TenantId, user: UserId, class: u8, public: Vec<u8>, stored: Vec<u8> },
}

struct TenantRow {
    epoch: u32,
    stored: Vec<u8>,
}

struct PairRow {
    class: Class,
    public: PublicKey,
    stored: Vec<u8>,
}

struct UserRow {
    stored: Vec<u8>,
    pairs: Vec<PairRow>,
}

/// What was made, to be recorded.
pub(crate) struct Made {
    pub what: &'static str,
    pub epoch: u64,
}

/// The whole store.
pub(crate) struct Keys {
    root: RootKey,
    pub statement: StatementKey,
    pub secrets: SecretsKey,
    journal: Journal,
    tenants: HashMap<TenantId, TenantRow>,
    users: HashMap<(TenantId, UserId), UserRow>,
}

impl Keys {
    pub fn open(folder: &Path, root: RootKey) -> Result<Self, Fault> {
        let (journal, records) = Journal::open(&folder.join("keys"))?;
        let mut keys = Self {
            statement: StatementKey::new(&root).map_err(Fault::Key)?,
            secrets: SecretsKey::new(&root).map_err(Fault::Key)?,
            root,
            journal,
            tenants: HashMap::new(),
            users: HashMap::new(),
        };
        for (number, record) in records.iter().enumerate() {
            let row = postcard::from_bytes(record).ok().and_then(|row| keys.enter(row));
            row.ok_or(Fault::Torn { at: number as u64 })?;
        }
        keys.prove_root()?;
        Ok(keys)
    }

    /// Another credential than the one that made the rows is noticed at once, not at first use.
    fn prove_root(&self) -> Result<(), Fault> {
        match self.tenants.iter().next() {
            Some((tenant, row)) => self
                .root
                .open_tenant(*tenant, row.epoch, &row.stored)
                .map(|_| ())
                .map_err(Fault::Key),
            None => Ok(()),
        }
    }

    fn enter(&mut self, row: Row) -> Option<()> {
        match row {
            Row::Tenant { tenant, epoch, stored } => {
                self.tenants.insert(tenant, TenantRow { epoch, stored });
            }
            Row::User { tenant, user, stored } => {
                self.users.insert((tenant, user), UserRow { stored, pairs: Vec::new() });
            }
            Row::Pair { tenant, user, class, public, stored } => {
                let (class, public) = (Class::from_byte(class)?, PublicKey::parse(&public).ok()?);
                let row = PairRow { class, public, stored };
                self.users.get_mut(&(tenant, user))?.pairs.push(row);
            }
        }
        Some(())
    }

    fn keep(&mut self, rows: Vec<Row>) -> Result<(), Fault> {
        let records: Option<Vec<_>> =
            rows.iter().map(|row| postcard::to_stdvec(row).ok()).collect();
        self.journal.append(&records.ok_or(Fault::Torn { at: 0 })?)?;
        rows.into_iter().try_for_each(|row| self.enter(row)).ok_or(Fault::Torn { at: 0 })
    }

    /// Makes a tenant's key unless it is there; what was made is to be recorded.
    pub fn make_tenant(&mut self, tenant: TenantId) -> Result<Vec<Made>, Fault> {
        if self.tenants.contains_key(&tenant) {
            return Ok(Vec::new());
        }
        let (_, stored) = self.root.make_tenant(tenant, TENANT_EPOCH).map_err(Fault::Key)?;
        self.keep(vec![Row::Tenant { tenant, epoch: TENANT_EPOCH, stored }])?;
        Ok(vec![Made { what: "tenant", epoch: u64::from(TENANT_EPOCH) }])
    }

    /// Makes a user's key and first pairs unless they are there. `None`: no such tenant.
    pub fn make_user(
        &mut self,
        tenant: TenantId,
        user: UserId,
        month: u32,
    ) -> Result<Option<Vec<Made>>, Fault> {
        let Some(row) = self.tenants.get(&tenant) else {
            return Ok(None);
        };
        if self.users.contains_key(&(tenant, user)) {
            return Ok(Some(Vec::new()));
        }
        let tenant_key =
            self.root.open_tenant(tenant, row.epoch, &row.stored).map_err(Fault::Key)?;
        let (user_key, stored) = tenant_key.make_user(user).map_err(Fault::Key)?;
        let mut rows = vec![Row::User { tenant, user, stored }];
        let mut made = vec![Made { what: "user", epoch: 0 }];
        for class in [Class::Summary, Class::Body] {
            let (row, _) = pair_row(&user_key, tenant, user, class, epoch_of(class, month))?;
            made.push(made_pair(class, epoch_of(class, month)));
            rows.push(row);
        }
        self.keep(rows)?;
        Ok(Some(made))
    }

    /// The public key that mail is sealed to in `month` (year × 100 + month), made if due.
    /// `None`: no such user.
    pub fn current(
        &mut self,
        tenant: TenantId,
        user: UserId,
        class: Class,
        month: u32,
    ) -> Result<Option<(PublicKey, Option<Made>)>, Fault> {
        let epoch = epoch_of(class, month);
        if let Some(pair) = self.pair_row(tenant, user, class, epoch) {
            return Ok(Some((pair.public.clone(), None)));
        }
        let Some(user_key) = self.user_key(tenant, user) else {
            return Ok(None);
        };
        let (row, public) = pair_row(&user_key, tenant, user, class, epoch)?;
        match self.keep(vec![row]) {
            Ok(()) => Ok(Some((public, Some(made_pair(class, epoch))))),
            // A full disk must not stop mail: the last pair serves until there is room.
            Err(fault) => match self.newest(tenant, user, class) {
                Some(row) => Ok(Some((row.public.clone(), None))),
                None => Err(fault),
            },
        }
    }

    fn newest(&self, tenant: TenantId, user: UserId, class: Class) -> Option<&PairRow> {
        let pairs = &self.users.get(&(tenant, user))?.pairs;
        pairs.iter().filter(|pair| pair.class == class).max_by_key(|pair| pair.public.epoch())
    }

    /// Whether mail may be sealed to `public` for this user: it is one of the vault's own pairs.
    pub fn knows(&self, tenant: TenantId, user: UserId, class: Class, public: &PublicKey) -> bool {
        self.pair_row(tenant, user, class, public.epoch()).is_some_and(|row| row.public == *public)
    }

    /// The private half, for one release. `None`: no such pair, or its row was touched.
    pub fn pair(&self, tenant: TenantId, user: UserId, class: Class, epoch: u32) -> Option<Pair> {
        let row = self.pair_row(tenant, user, class, epoch)?;
        self.user_key(tenant, user)?.open_pair(class, &row.public, &row.stored).ok()
    }

    /// A keeper's own key, derived from the root: nothing to lose but the root.
    pub fn derived(&self, purpose: &str) -> Result<Secret, Fault> {
        self.root.derive(purpose, &[]).map_err(Fault::Key)
    }

    fn pair_row(
        &self,
        tenant: TenantId,
        user: UserId,
        class: Class,
        epoch: u32,
    ) -> Option<&PairRow> {
        let row = self.users.get(&(tenant, user))?;
        // The newest first: it is the one asked for most.
        row.pairs.iter().rev().find(|pair| pair.class == class && pair.public.epoch() == epoch)
    }

    fn user_key(&self, tenant: TenantId, user: UserId) -> Option<UserKey> {
        let row = self.tenants.get(&tenant)?;
        let tenant_key = self.root.open_tenant(tenant, row.epoch, &row.stored).ok()?;
        tenant_key.open_user(user, &self.users.get(&(tenant, user))?.stored).ok()
    }
}

fn pair_row(
    user_key: &UserKey,
    tenant: TenantId,
    user: UserId,
    class: Class,
    epoch: u32,
) -> Result<(Row, PublicKey), Fault> {
    let (public, stored) = user_key.make_pair(class, Suite::P256, epoch).map_err(Fault::Key)?;
    let (class, encoded) = (class.byte(), public.encode());
    Ok((Row::Pair { tenant, user, class, public: encoded, stored }, public))
}

fn made_pair(class: Class, epoch: u32) -> Made {
    let what = match class {
        Class::Summary => "summary-pair",
        Class::Body => "body-pair",
    };
    Made { what, epoch: u64::from(epoch) }
}

/// Body pairs live a year, summary pairs a month (year × 12 + month).
fn epoch_of(class: Class, month: u32) -> u32 {
    match class {
        Class::Body => month / 100,
        Class::Summary => month / 100 * 12 + month % 100,
    }
}

/// The month (year × 100 + month) of a summary pair's epoch: `epoch_of` read backwards.
pub(crate) fn month_of_epoch(epoch: u32) -> u32 {
    let months = epoch.saturating_sub(1);
    months / 12 * 100 + months % 12 + 1
}
