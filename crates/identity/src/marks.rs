//! Who is a decoy, and whose grants are frozen: few, so they are known without asking the disk.

use crate::Fault;
use crate::friends::Friends;
use crate::tables::{Marks as Table, Tables};
use compartment::now_ms;
use evidence::Body;
use rows::RowKey;
use std::collections::{HashMap, HashSet};
use terms::{Kind, TenantId, UserId};
use wire::identity::Whose;

/// Freezes that stand at once; whoever owns the sentinel shall not fill the disk.
const FREEZES: usize = 10_000;

/// What the sentinel reads as a decoy's alarm: `vigil::incident::DECOY_TOUCHED`.
pub const DECOY_TOUCHED: &str = "a decoy was touched";

/// The entry of a new decoy. It names an id and no address: whoever has set these tables back to
/// before it finds the decoy there again.
pub const DECOY_ADDED: &str = "decoy.add";

#[derive(Default)]
pub struct Marks {
    decoys: HashSet<(TenantId, UserId)>,
    frozen: HashMap<Whose, u64>,
}

impl Marks {
    pub fn read(tables: &Tables, key: &RowKey) -> Result<Self, Fault> {
        let decoys: Vec<(TenantId, UserId)> = tables.marks(key, Table::Decoy)?;
        let frozen: Vec<(Whose, u64)> = tables.marks(key, Table::Frozen)?;
        let (decoys, frozen) = (decoys.into_iter().collect(), frozen.into_iter().collect());
        Ok(Self { decoys, frozen })
    }

    pub fn has_decoys(&self) -> bool {
        !self.decoys.is_empty()
    }

    pub fn is_decoy(&self, user: UserId) -> bool {
        self.decoy(user).is_some()
    }

    /// This person with their tenant, if they are one.
    pub fn decoy(&self, user: UserId) -> Option<(TenantId, UserId)> {
        self.decoys.iter().find(|(_, decoy)| *decoy == user).copied()
    }

    pub fn decoys(&self) -> Vec<(TenantId, UserId)> {
        self.decoys.iter().copied().collect()
    }

    pub fn frozen(&self) -> Vec<(Whose, u64)> {
        let mut all: Vec<_> = self.frozen.iter().map(|(whose, since)| (*whose, *since)).collect();
        all.sort_by_key(|(_, since)| *since);
        all
    }

    /// Whether a person may have no grant now. Everybody comes in through `access` today.
    pub fn is_frozen(&self, tenant: TenantId, user: UserId) -> bool {
        [Whose::Person(tenant, user), Whose::Tenant(tenant), Whose::Kind(Kind::Access)]
            .iter()
            .any(|whose| self.frozen.contains_key(whose))
    }

    pub fn add_decoy(
        &mut self,
        tables: &Tables,
        key: &RowKey,
        decoy: (TenantId, UserId),
    ) -> Result<(), Fault> {
        tables.keep_mark(key, Table::Decoy, &decoy.1.0, &decoy)?;
        self.decoys.insert(decoy);
        Ok(())
    }

    /// A contract's end, or a person's: their decoys and freezes go with them.
    pub fn forget(
        &mut self,
        (tables, key): (&Tables, &RowKey),
        tenant: TenantId,
        user: Option<UserId>,
    ) -> Result<u64, Fault> {
        let is_meant = |of: TenantId, whose: Option<UserId>| {
            of == tenant && user.is_none_or(|user| whose == Some(user))
        };
        let mut rows = 0;
        for decoy in self.decoys.extract_if(|(of, decoy)| is_meant(*of, Some(*decoy))) {
            tables.lift_mark(key, Table::Decoy, &decoy.1.0)?;
            rows += 1;
        }
        let frozen = self.frozen.extract_if(|whose, _| match whose {
            Whose::Person(of, user) => is_meant(*of, Some(*user)),
            Whose::Tenant(of) => is_meant(*of, None),
            Whose::Kind(_) => false,
        });
        for (whose, _) in frozen {
            tables.lift_mark(key, Table::Frozen, &name(whose))?;
            rows += 1;
        }
        Ok(rows)
    }

    /// Recorded first, then kept; `by` says who wanted it, and why if nobody asked. `false`: it
    /// stood so already.
    pub fn freeze(
        &mut self,
        (tables, key, friends): (&Tables, &RowKey, &mut Friends),
        whose: Whose,
        frozen: bool,
        by: &str,
    ) -> Result<bool, Fault> {
        let is_full = frozen && self.frozen.len() >= FREEZES;
        if self.frozen.contains_key(&whose) == frozen || is_full {
            return Ok(false);
        }
        friends.journal.record(deed(whose, frozen, by)).map_err(Fault::Unrecorded)?;
        let name = name(whose);
        if frozen {
            let now = now_ms();
            tables.keep_mark(key, Table::Frozen, &name, &(whose, now))?;
            self.frozen.insert(whose, now);
        } else {
            tables.lift_mark(key, Table::Frozen, &name)?;
            self.frozen.remove(&whose);
        }
        Ok(true)
    }
}

/// A freeze or its end as the evidence tells it; whose it cannot tell is none of ours.
pub fn freeze_again(
    tables: &Tables,
    key: &RowKey,
    (what, tenant, user): (&str, Option<TenantId>, Option<UserId>),
    frozen: bool,
) -> Result<(), Fault> {
    let whose = match (tenant, user) {
        (Some(tenant), Some(user)) => Some(Whose::Person(tenant, user)),
        (Some(tenant), None) => Some(Whose::Tenant(tenant)),
        (None, _) => Kind::parse(what).map(Whose::Kind),
    };
    let Some(whose) = whose else { return Ok(()) };
    match frozen {
        true => tables.keep_mark(key, Table::Frozen, &name(whose), &(whose, now_ms())),
        false => tables.lift_mark(key, Table::Frozen, &name(whose)),
    }
}

fn name(whose: Whose) -> Vec<u8> {
    match whose {
        Whose::Person(tenant, user) => [&b"person"[..], &tenant.0, &user.0].concat(),
        Whose::Tenant(tenant) => [&b"tenant"[..], &tenant.0].concat(),
        Whose::Kind(kind) => [b"kind", kind.word().as_bytes()].concat(),
    }
}

fn deed(whose: Whose, frozen: bool, by: &str) -> Body {
    let (what, tenant, user) = match whose {
        Whose::Person(tenant, user) => ("person", Some(tenant), Some(user)),
        Whose::Tenant(tenant) => ("tenant", Some(tenant), None),
        Whose::Kind(kind) => (kind.word(), None, None),
    };
    let (what, by) = (what.into(), by.into());
    match frozen {
        true => Body::Freeze { what, by, tenant, user },
        false => Body::Unfreeze { what, by, tenant, user },
    }
}
