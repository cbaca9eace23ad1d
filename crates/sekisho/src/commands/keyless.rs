//! Whose keys the ledger says were made, and the key store does not have: what a key backup leaves
//! that is older than its data. Nobody opens what is sealed to those people.

use super::evidence::fault;
use crate::outcome::Trouble;
use evidence::{Entry, Frame};
use serde_json::{Value, json};
use std::path::Path;
use terms::{TenantId, UserId};

/// Named in a sentence; more are counted.
const NAMED: usize = 20;

/// A contract, or one of its people.
pub type Whose = (TenantId, Option<UserId>);

/// Of a folder in which nothing runs, or beside a running service. What was destroyed is not
/// missing.
pub fn missing(data: &Path) -> Result<Vec<Whose>, Trouble> {
    let reader = ledger::reader(&data.join("ledger")).map_err(fault)?;
    let mut made = Vec::new();
    let mut note = |entry: &Entry| made.extend(vault::made_of(entry));
    annals::Index::of(&reader)
        .made(|bytes| {
            Frame::parse(bytes).iter().for_each(|frame| note(&frame.entry));
        })
        .map_err(fault)?;
    vault::missing(&data.join("vault"), &made).map_err(fault)
}

/// In a sentence, by their ids: names lie sealed under a key of the store.
pub fn told(missing: &[Whose]) -> String {
    let name = |(tenant, user): &Whose| match user {
        Some(user) => format!("{user} of contract {tenant}"),
        None => format!("contract {tenant}"),
    };
    let mut named: Vec<String> = missing.iter().take(NAMED).map(name).collect();
    let more = missing.len().saturating_sub(NAMED);
    named.extend((more > 0).then(|| format!("{more} more")));
    named.join(", ")
}

/// For `status` and `doctor`; `None`: it cannot be read from here.
pub fn listed(data: &Path) -> Option<Vec<Value>> {
    let missing = missing(data).ok()?;
    let of = |(tenant, user): &Whose| {
        json!({
            "tenant": tenant.to_string(), "user": user.map(|user| user.to_string()),
        })
    };
    Some(missing.iter().map(of).collect())
}

/// What `doctor` and the start of a service say of it.
pub fn warning(missing: &[Whose]) -> Option<String> {
    (!missing.is_empty()).then(|| {
        format!(
            "the key store has no keys for {}: mail for them waits, and what they have opens for \
             nobody; restore with a key backup that is as new as the data",
            told(missing)
        )
    })
}
