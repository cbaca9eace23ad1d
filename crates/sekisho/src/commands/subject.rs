//! Whose data a report is about: names while the service runs, ids without it.

use crate::client;
use crate::outcome::Trouble;
use serde_json::Value;
use std::path::Path;
use terms::{TenantId, UserId};
use wire::admin::Request;

/// A contract, or one person of it.
pub struct Subject {
    pub tenant: TenantId,
    pub user: Option<UserId>,
}

/// A person or a tenant, exactly one of them.
pub fn find(data: &Path, person: Option<&str>, tenant: Option<&str>) -> Result<Subject, Trouble> {
    match (person, tenant) {
        (None, Some(name)) => of_contract(data, name, None),
        (Some(address), None) => person_of(data, address),
        _ => {
            let hint = "touched --person ADDRESS, or touched --tenant NAME";
            Err(Trouble::wrong_use("a person or a tenant", "neither or both", hint))
        }
    }
}

/// A contract by its name or id, and perhaps a person of it by their address or id.
pub fn of_contract(data: &Path, tenant: &str, user: Option<&str>) -> Result<Subject, Trouble> {
    let tenant = match TenantId::parse(tenant) {
        Some(tenant) => tenant,
        None => tenant_of(data, tenant)?,
    };
    let user = match user {
        None => None,
        Some(text) => match UserId::parse(text) {
            Some(user) => Some(user),
            None => {
                let found = person_of(data, text)?;
                if found.tenant != tenant {
                    let hint = "see `user list --tenant T`";
                    return Err(Trouble::refused("a person of that tenant", text, hint));
                }
                found.user
            }
        },
    };
    Ok(Subject { tenant, user })
}

fn word(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn tenant_of(data: &Path, name: &str) -> Result<TenantId, Trouble> {
    let shown = client::value(data, &Request::TenantShow { name: name.to_owned() })?;
    let hint = "see `tenant list`; an id of 16 characters is taken while the service is stopped";
    TenantId::parse(&word(&shown, "id"))
        .ok_or_else(|| Trouble::refused("the name of a tenant", name, hint))
}

fn person_of(data: &Path, address: &str) -> Result<Subject, Trouble> {
    let people = client::value(data, &Request::UserList { tenant: None })?;
    let items = people.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = items
        .iter()
        .find(|one| word(one, "address") == address.to_lowercase() || word(one, "user") == address);
    let found = found
        .ok_or_else(|| Trouble::refused("the address of a person", address, "see `user list`"))?;
    let tenant = tenant_of(data, &word(found, "tenant"))?;
    Ok(Subject { tenant, user: UserId::parse(&word(found, "user")) })
}
