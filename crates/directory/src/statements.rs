//! Statements: who an address is, signed by the vault, good for a day.

use crate::Fault;
use crate::friends::Friends;
use crate::tables::{PersonRow, StatementRow, Tables};
use rows::RowKey;
use std::collections::HashMap;
use terms::{TenantId, UserId};
use wire::directory::{EndingState, Part, Recipient, Stated, Statement};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A statement older than this is made anew while the vault is there to sign.
const FRESH_MS: u64 = DAY_MS / 2;
/// Statements kept in memory: an hour's recipients of a large installation, about 60 MB.
const REMEMBERED: usize = 100_000;

/// The same of addresses that nobody has. They are made up by strangers, so they are not written
/// down, and push nobody else's out of memory.
const REMEMBERED_CAUGHT: usize = 10_000;

/// Statements at hand, by canonical address.
#[derive(Default)]
pub struct Statements {
    at_hand: HashMap<String, StatementRow>,
    /// Of unknown addresses, for the catch-all; `None`: it was somebody's.
    caught: HashMap<String, Option<StatementRow>>,
}

impl Statements {
    /// After a change of a tenant.
    pub fn forget_all(&mut self) {
        self.at_hand.clear();
        self.caught.clear();
    }

    pub fn state(
        &mut self,
        tables: &Tables,
        key: &RowKey,
        friends: &mut Friends,
        address: &str,
        host_name: &str,
        now: u64,
    ) -> Result<Stated, Fault> {
        if let Some(row) = self.at_hand.get(address)
            && is_fresh(row, now)
        {
            return Ok(known(row));
        }
        let Some((_, domain)) = address.rsplit_once('@') else { return Ok(Stated::Foreign) };
        let ours = match tables.domain(key, domain)? {
            None if is_of_the_house(address, host_name) => eldest(tables, key)?,
            ours => ours,
        };
        let Some(tenant) = ours else { return Ok(Stated::Foreign) };
        let Some((user, person)) = find(tables, key, address, tenant)? else {
            return self.state_caught(tables, key, friends, (address, tenant), now);
        };
        if person.disabled || is_ended(tables, key, tenant, user)? {
            return Ok(Stated::Unknown);
        }
        let kept = tables.statement(key, address)?.filter(is_legible);
        if let Some(row) = kept.as_ref().filter(|row| is_fresh(row, now)) {
            self.remember(address, row.clone());
            return Ok(known(row));
        }
        let made = make(tables, key, friends, (address, tenant, user), now)
            .and_then(|unsigned| unsigned.sign(|statement| friends.sign(statement)));
        match made {
            Ok(row) => {
                tables.keep_statement(key, address, &row)?;
                let stated = known(&row);
                self.remember(address, row);
                Ok(stated)
            }
            // The vault is away: yesterday's word still counts while it is valid.
            Err(_) => Ok(kept
                .filter(|row| now < row.valid_until_ms)
                .map_or(Stated::Later, |row| known(&row))),
        }
    }

    /// An address that nobody has: its domain's catch-all, if it has one.
    fn state_caught(
        &mut self,
        tables: &Tables,
        key: &RowKey,
        friends: &mut Friends,
        (address, tenant): (&str, TenantId),
        now: u64,
    ) -> Result<Stated, Fault> {
        let Some((user, person)) = catcher(tables, key, address, tenant)? else {
            return Ok(Stated::Unknown);
        };
        if person.disabled || is_ended(tables, key, tenant, user)? {
            return Ok(Stated::Unknown);
        }
        match self.caught.get(address) {
            Some(None) => return Ok(Stated::Unknown),
            Some(Some(row)) if is_fresh(row, now) => return Ok(known(row)),
            _ => {}
        }
        let unsigned = make(tables, key, friends, (address, tenant, user), now);
        let made = unsigned.and_then(|unsigned| {
            let signature = friends.sign_caught(&unsigned.statement)?;
            Ok(signature.map(|signature| unsigned.signed(signature)))
        });
        let Ok(row) = made else { return Ok(Stated::Later) };
        let stated = row.as_ref().map_or(Stated::Unknown, known);
        if self.caught.len() >= REMEMBERED_CAUGHT {
            self.caught.clear();
        }
        self.caught.insert(address.to_owned(), row);
        Ok(stated)
    }

    /// After a command that may have put others behind an address: its new statement is signed
    /// now, against the recorded change, or mail for it waits.
    pub fn restate(
        &mut self,
        tables: &Tables,
        key: &RowKey,
        friends: &mut Friends,
        address: &str,
        now: u64,
    ) -> Result<(), Fault> {
        self.at_hand.remove(address);
        self.caught.clear();
        let Some((_, domain)) = address.rsplit_once('@') else { return Ok(()) };
        let tenant = match tables.domain(key, domain)? {
            Some(tenant) => Some(tenant),
            None => eldest(tables, key)?,
        };
        let Some(tenant) = tenant else { return Ok(()) };
        let found = match address.starts_with('*') {
            true => catcher(tables, key, address, tenant)?,
            false => find(tables, key, address, tenant)?,
        };
        let Some((user, person)) = found else { return Ok(()) };
        if person.disabled {
            return Ok(());
        }
        let row = make(tables, key, friends, (address, tenant, user), now)?
            .sign(|statement| friends.sign_changed(statement, tenant, user))?;
        tables.keep_statement(key, address, &row)?;
        self.remember(address, row);
        Ok(())
    }

    fn remember(&mut self, address: &str, row: StatementRow) {
        if self.at_hand.len() >= REMEMBERED {
            self.at_hand.clear();
        }
        self.at_hand.insert(address.to_owned(), row);
    }
}

/// The person behind an address. `postmaster` is always somebody (RFC 5321 §4.5.1): without an
/// address of that name, the tenant's first administrator, else its first person.
pub fn find(
    tables: &Tables,
    key: &RowKey,
    address: &str,
    tenant: TenantId,
) -> Result<Option<(UserId, PersonRow)>, Fault> {
    if let Some(user) = tables.person_by_address(key, address)? {
        return Ok(tables.person(key, user)?.map(|(_, person)| (user, person)));
    }
    if !address.starts_with("postmaster@") {
        return Ok(None);
    }
    let mut people = tables.people(key, tenant)?;
    people.retain(|(_, person)| !person.disabled);
    let administrator = people.iter().position(|(_, person)| person.role == "tenant-admin");
    let chosen = administrator.unwrap_or(0);
    Ok((chosen < people.len()).then(|| people.swap_remove(chosen)))
}

/// The person who gets mail for unknown addresses of this one's domain.
fn catcher(
    tables: &Tables,
    key: &RowKey,
    address: &str,
    tenant: TenantId,
) -> Result<Option<(UserId, PersonRow)>, Fault> {
    let Some((_, domain)) = address.rsplit_once('@') else { return Ok(None) };
    let Some(caught) = tables.catch_all(key, domain)? else { return Ok(None) };
    let Some(user) = tables.person_by_address(key, &caught)? else { return Ok(None) };
    let found = tables.person(key, user)?.filter(|(of, _)| *of == tenant);
    Ok(found.map(|(_, person)| (user, person)))
}

/// Whether the contract, or the person's part of it, is being destroyed: no mail any more.
pub fn is_ended(
    tables: &Tables,
    key: &RowKey,
    tenant: TenantId,
    user: UserId,
) -> Result<bool, Fault> {
    for user in [None, Some(user)] {
        let row = tables.ending(key, Part { tenant, user })?;
        let state = row.map(|row| row.ending.state);
        if matches!(state, Some(EndingState::Destroying | EndingState::Destroyed)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `<postmaster>` without a domain, as `canonical` completes it.
fn is_of_the_house(address: &str, host_name: &str) -> bool {
    address.strip_prefix("postmaster@").is_some_and(|domain| domain.eq_ignore_ascii_case(host_name))
}

/// The tenant whose first person came first: whoever set this house up answers for it.
fn eldest(tables: &Tables, key: &RowKey) -> Result<Option<TenantId>, Fault> {
    let mut eldest = None;
    for (tenant, _) in tables.tenants(key)? {
        let first = tables.people(key, tenant)?.into_iter().map(|(_, person)| person.made_ms).min();
        eldest = eldest.into_iter().chain(first.map(|first| (first, tenant))).min();
    }
    Ok(eldest.map(|(_, tenant)| tenant))
}

/// A statement that nobody has signed yet.
struct Unsigned {
    statement: Vec<u8>,
    issued_ms: u64,
}

impl Unsigned {
    fn sign(
        self,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Fault>,
    ) -> Result<StatementRow, Fault> {
        let signature = sign(&self.statement)?;
        Ok(self.signed(signature))
    }

    fn signed(self, signature: Vec<u8>) -> StatementRow {
        let Self { statement, issued_ms } = self;
        StatementRow { statement, signature, issued_ms, valid_until_ms: issued_ms + DAY_MS }
    }
}

fn make(
    tables: &Tables,
    key: &RowKey,
    friends: &mut Friends,
    (address, tenant, user): (&str, TenantId, UserId),
    now: u64,
) -> Result<Unsigned, Fault> {
    let settings = tables.tenant(key, tenant)?.map(|row| row.settings).unwrap_or_default();
    let (body, summary) = friends.current_keys(tenant, user)?;
    let statement = Statement {
        onward: Vec::new(),
        transit: None,
        absence: None,
        address: address.to_owned(),
        tenant,
        recipients: vec![Recipient { user, body, summary }],
        settings,
        issued_ms: now,
        valid_until_ms: now + DAY_MS,
    };
    let statement = postcard::to_stdvec(&statement).map_err(|_| Fault::Encode)?;
    Ok(Unsigned { statement, issued_ms: now })
}

/// A statement from before an upgrade may have another shape: no edge could read it.
fn is_legible(row: &StatementRow) -> bool {
    postcard::from_bytes::<Statement>(&row.statement).is_ok()
}

fn is_fresh(row: &StatementRow, now: u64) -> bool {
    // A clock that jumped back must not keep a statement alive that is not yet issued.
    now >= row.issued_ms.saturating_sub(DAY_MS) && now < row.issued_ms + FRESH_MS
}

fn known(row: &StatementRow) -> Stated {
    Stated::Known { statement: row.statement.clone(), signature: row.signature.clone() }
}
