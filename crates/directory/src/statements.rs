//! Statements: who an address is, signed by the vault, good for a day.

use crate::Fault;
use crate::friends::Friends;
use crate::resolve::{self, Found, Lookup};
use crate::srs;
use crate::tables::{PersonRow, StatementRow, Tables};
use rows::RowKey;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use terms::{TenantId, UserId};
use wire::directory::{
    self, DECOY_ROLE, EndingState, Onward, Part, Path, Recipient, Stated, Statement, WAY_BACK,
};
use wire::lists;
use wire::post::Hop;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A statement older than this is made anew while the vault is there to sign.
const FRESH_MS: u64 = DAY_MS / 2;
/// How long the keys of whoever ends outlive the last statement of them: as long as it is
/// remembered, as long again for the letter whose recipient was noted by it, and again for the
/// answer. `edge` asks anew before it answers for a letter that takes longer.
const WITHDRAWAL: Duration = wire::directory::STATED_FOR.saturating_mul(3);
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
    /// Contracts and people of whom nothing is stated since then. After a restart they wait anew.
    withdrawn: HashMap<Part, Instant>,
    /// Instead of [`WITHDRAWAL`].
    #[cfg(test)]
    pub withdrawal: Option<Duration>,
    /// People whose keys the vault does not have; `None`: this start has not asked yet. What it
    /// signed before a restore may still be good, and nobody would open what is sealed to it.
    keyless: Option<HashSet<UserId>>,
}

impl Statements {
    pub fn is_withdrawing(&self, part: Part) -> bool {
        self.withdrawn.contains_key(&part)
    }

    /// From now on nothing is stated of them.
    pub fn withdraw(&mut self, part: Part, now: Instant) {
        self.forget_all();
        self.withdrawn.insert(part, now);
    }

    pub fn give_again(&mut self, part: Part) {
        self.forget_all();
        self.withdrawn.remove(&part);
    }

    /// Whether nobody remembers a statement of them any more.
    pub fn are_withdrawn(&self, part: Part, now: Instant) -> bool {
        let withdrawal = WITHDRAWAL;
        #[cfg(test)]
        let withdrawal = self.withdrawal.unwrap_or(withdrawal);
        let since = self.withdrawn.get(&part);
        since.is_some_and(|since| now.saturating_duration_since(*since) >= withdrawal)
    }

    /// After a change of a tenant.
    pub fn forget_all(&mut self) {
        self.at_hand.clear();
        self.caught.clear();
    }

    /// Asks the vault, once per start, whose keys it does not have. Gives how many are without,
    /// when that has just become known.
    pub fn confirm_keys(
        &mut self,
        tables: &Tables,
        key: &RowKey,
        friends: &mut Friends,
    ) -> Result<Option<usize>, Fault> {
        if self.keyless.is_some() {
            return Ok(None);
        }
        let mut people = Vec::new();
        for (tenant, _) in tables.tenants(key)? {
            for (user, _) in tables.people(key, tenant)? {
                if !is_ended(tables, key, tenant, user)? {
                    people.push((tenant, user));
                }
            }
        }
        let without = friends.without_keys(&people)?;
        let count = without.len();
        self.keyless = Some(without.into_iter().map(|(_, user)| user).collect());
        Ok(Some(count))
    }

    /// Whether mail for these has to wait: the vault has not said yet that it has their keys.
    fn must_wait(&mut self, look: Lookup<'_>, friends: &mut Friends, people: &[UserId]) -> bool {
        let _ = self.confirm_keys(look.tables, look.key, friends);
        let keyless = self.keyless.as_ref();
        !people.is_empty()
            && keyless.is_none_or(|keyless| people.iter().any(|user| keyless.contains(user)))
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
        // Lists, gateways and whatever else is nobody's own end with their contract.
        if is_over(tables, key, Part { tenant, user: None })? {
            return Ok(Stated::Unknown);
        }
        if address.starts_with(WAY_BACK) {
            return state_way_back(tables, key, friends, (address, tenant), now);
        }
        if lists::word(address).is_some() {
            return state_word(tables, key, friends, (address, tenant), now);
        }
        let look = Lookup { tables, key, now };
        let Some(found) = look.find(address, tenant)? else { return Ok(Stated::Unknown) };
        if found.is_made_up {
            return Ok(self.state_caught(look, friends, (address, tenant, &found)));
        }
        if self.must_wait(look, friends, &found.people) {
            return Ok(Stated::Later);
        }
        let kept = tables.statement(key, address)?.filter(is_legible);
        if let Some(row) = kept.as_ref().filter(|row| is_fresh(row, now)) {
            self.remember(address, row.clone());
            return Ok(known(row));
        }
        let made = make(look, friends, (address, tenant, &found))
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

    /// An address that nobody has: its domain's catch-all or gateway.
    fn state_caught(
        &mut self,
        look: Lookup<'_>,
        friends: &mut Friends,
        (address, tenant, found): (&str, TenantId, &Found),
    ) -> Stated {
        match self.caught.get(address) {
            Some(None) => return Stated::Unknown,
            Some(Some(row)) if is_fresh(row, look.now) => return known(row),
            _ => {}
        }
        let unsigned = make(look, friends, (address, tenant, found));
        let made = unsigned.and_then(|unsigned| {
            let signature = friends.sign_caught(&unsigned.statement)?;
            Ok(signature.map(|signature| unsigned.signed(signature)))
        });
        let Ok(row) = made else { return Stated::Later };
        let stated = row.as_ref().map_or(Stated::Unknown, known);
        if self.caught.len() >= REMEMBERED_CAUGHT {
            self.caught.clear();
        }
        self.caught.insert(address.to_owned(), row);
        stated
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
        tables.forget_statement(key, address)?;
        let Some((_, domain)) = address.rsplit_once('@') else { return Ok(()) };
        let tenant = match tables.domain(key, domain)? {
            Some(tenant) => Some(tenant),
            None => eldest(tables, key)?,
        };
        let Some(tenant) = tenant else { return Ok(()) };
        let look = Lookup { tables, key, now };
        let Some(found) = look.find(address, tenant)? else { return Ok(()) };
        let user = found.people.first().copied();
        let row = make(look, friends, (address, tenant, &found))?
            .sign(|statement| friends.sign_changed(statement, tenant, user))?;
        if !found.is_made_up {
            tables.keep_statement(key, address, &row)?;
            self.remember(address, row);
        }
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
    answers_for(tables, key, tenant)
}

/// Who answers for a tenant: its first administrator, else its first person. Never a decoy, whose
/// mailbox nobody reads.
pub fn answers_for(
    tables: &Tables,
    key: &RowKey,
    tenant: TenantId,
) -> Result<Option<(UserId, PersonRow)>, Fault> {
    let mut people = tables.people(key, tenant)?;
    people.retain(|(_, person)| !person.disabled && person.role != DECOY_ROLE);
    let administrator = people.iter().position(|(_, person)| person.role == "tenant-admin");
    let chosen = administrator.unwrap_or(0);
    Ok((chosen < people.len()).then(|| people.swap_remove(chosen)))
}

/// A person's own mailbox, wherever their addresses lead; where it is nobody, that of whoever
/// answers for the tenant. And whether mail that goes on in their name is kept there as well.
pub fn own_mailbox(
    look: Lookup<'_>,
    friends: &mut Friends,
    (tenant, user): (TenantId, UserId),
) -> Result<(Stated, bool), Fault> {
    let Lookup { tables, key, .. } = look;
    let found = match user == resolve::NOBODY {
        true => answers_for(tables, key, tenant)?.map(|(user, _)| user),
        false => tables
            .person(key, user)?
            .and_then(|(of, person)| (of == tenant && !person.disabled).then_some(user)),
    };
    let Some(person) = found else { return Ok((Stated::Unknown, false)) };
    if is_ended(tables, key, tenant, person)? {
        return Ok((Stated::Unknown, false));
    }
    let keeps = user != resolve::NOBODY && tables.way(key, user)?.keep;
    let address = directory::own_mailbox(tenant, person);
    let found = Found { people: vec![person], ..Found::default() };
    Ok((sign_once(look, friends, (&address, tenant, &found)), keeps))
}

/// Whether the contract, or the person's part of it, is being destroyed or about to be: no mail
/// any more.
pub fn is_ended(
    tables: &Tables,
    key: &RowKey,
    tenant: TenantId,
    user: UserId,
) -> Result<bool, Fault> {
    for user in [None, Some(user)] {
        if is_over(tables, key, Part { tenant, user })? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_over(tables: &Tables, key: &RowKey, part: Part) -> Result<bool, Fault> {
    let Some(row) = tables.ending(key, part)? else { return Ok(false) };
    let is_past = matches!(row.ending.state, EndingState::Destroying | EndingState::Destroyed);
    Ok(is_past || row.withdrawn)
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
    valid_until_ms: u64,
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
        let Self { statement, issued_ms, valid_until_ms } = self;
        StatementRow { statement, signature, issued_ms, valid_until_ms }
    }
}

fn make(
    look: Lookup<'_>,
    friends: &mut Friends,
    (address, tenant, found): (&str, TenantId, &Found),
) -> Result<Unsigned, Fault> {
    let Lookup { tables, key, now } = look;
    if found.is_too_large() {
        return Err(Fault::TooMany);
    }
    let settings = tables.tenant(key, tenant)?.map(|row| row.settings).unwrap_or_default();
    let mut recipients = Vec::with_capacity(found.people.len());
    for user in found.people.iter().copied() {
        let (body, summary) = friends.current_keys(tenant, user)?;
        recipients.push(Recipient { user, body, summary });
    }
    let leaves = !found.onward.is_empty() || found.absence.is_some();
    let valid_until_ms = found.until_ms.unwrap_or(u64::MAX).min(now + DAY_MS);
    let statement = Statement {
        onward: found.onward.clone(),
        transit: leaves.then(|| friends.transit(tenant)).transpose()?,
        absence: found.absence.clone(),
        address: address.to_owned(),
        tenant,
        recipients,
        settings,
        issued_ms: now,
        valid_until_ms,
    };
    let statement = postcard::to_stdvec(&statement).map_err(|_| Fault::Encode)?;
    Ok(Unsigned { statement, issued_ms: now, valid_until_ms })
}

/// A word about a list's subscription, while that is one.
fn state_word(
    tables: &Tables,
    key: &RowKey,
    friends: &mut Friends,
    (address, tenant): (&str, TenantId),
    now: u64,
) -> Result<Stated, Fault> {
    if tables.meant_by(key, address)?.is_none_or(|(of, _, _)| of != tenant) {
        return Ok(Stated::Unknown);
    }
    let (user, to) = (UserId([0; 8]), address.to_owned());
    let way = Onward { user, to, hop: Hop::List, path: Path::Word };
    state_once(Lookup { tables, key, now }, friends, (address, tenant), way)
}

/// A bounce that comes back to a sender whose mail was passed on here.
fn state_way_back(
    tables: &Tables,
    key: &RowKey,
    friends: &mut Friends,
    (address, tenant): (&str, TenantId),
    now: u64,
) -> Result<Stated, Fault> {
    let Some(to) = srs::sender(tables, key, address, now)? else { return Ok(Stated::Unknown) };
    let domain = to.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    let smart_host = tables.tenant(key, tenant)?.and_then(|row| row.sending.smart_host);
    let hop = match tables.domain(key, domain)? {
        Some(_) => Hop::Here,
        None => resolve::hop(&to, smart_host.as_ref()),
    };
    let way = Onward { user: UserId([0; 8]), to, hop, path: Path::Null };
    state_once(Lookup { tables, key, now }, friends, (address, tenant), way)
}

/// Of an address that is written once: nothing of it is kept.
fn state_once(
    look: Lookup<'_>,
    friends: &mut Friends,
    (address, tenant): (&str, TenantId),
    way: Onward,
) -> Result<Stated, Fault> {
    let found = Found { onward: vec![way], ..Found::default() };
    Ok(sign_once(look, friends, (address, tenant, &found)))
}

fn sign_once(look: Lookup<'_>, friends: &mut Friends, whom: (&str, TenantId, &Found)) -> Stated {
    let made = make(look, friends, whom)
        .and_then(|unsigned| unsigned.sign(|statement| friends.sign(statement)));
    made.map_or(Stated::Later, |row| known(&row))
}

/// A statement from before an upgrade may have another shape: no edge could read it.
fn is_legible(row: &StatementRow) -> bool {
    postcard::from_bytes::<Statement>(&row.statement).is_ok()
}

fn is_fresh(row: &StatementRow, now: u64) -> bool {
    // A clock that jumped back must not keep a statement alive that is not yet issued.
    let is_young = now >= row.issued_ms.saturating_sub(DAY_MS) && now < row.issued_ms + FRESH_MS;
    is_young && now < row.valid_until_ms
}

fn known(row: &StatementRow) -> Stated {
    Stated::Known { statement: row.statement.clone(), signature: row.signature.clone() }
}
