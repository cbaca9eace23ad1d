//! Whose data a report is about: names while the service runs, ids without it.

use crate::client;
use crate::outcome::Trouble;
use serde_json::Value;
use std::path::Path;
use terms::{TenantId, UserId};
use wire::admin::Request;

const TENANT_HINT: &str =
    "see `tenant list`; an id of 16 characters is taken while the service is stopped";
const PERSON_HINT: &str = "see `user list`; a person who has left is found by an address that they \
                           had or the id that `tenant endings` tells, whoever left with their \
                           contract by --tenant";

/// A contract, or one person of it.
pub struct Subject {
    pub tenant: TenantId,
    pub user: Option<UserId>,
    /// When everything of whoever has left was destroyed, as their contact record says.
    pub left: Option<String>,
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
    let (tenant, left) = match TenantId::parse(tenant) {
        Some(tenant) => (tenant, None),
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
    Ok(Subject { tenant, user, left })
}

fn word(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A contract that is here, or else one that has left, and when.
fn tenant_of(data: &Path, name: &str) -> Result<(TenantId, Option<String>), Trouble> {
    match client::value(data, &Request::TenantShow { name: name.to_owned() }) {
        Ok(shown) => match TenantId::parse(&word(&shown, "id")) {
            Some(tenant) => Ok((tenant, None)),
            None => Err(Trouble::refused("the name of a tenant", name, TENANT_HINT)),
        },
        Err(Trouble::Refused { expected, found, hint }) => {
            let endings = client::value(data, &Request::Endings)?;
            match left_contract(&endings, name)? {
                Some(left) => Ok((left.tenant, left.left)),
                None => Err(Trouble::Refused { expected, found, hint }),
            }
        }
        Err(trouble) => Err(trouble),
    }
}

fn person_of(data: &Path, address: &str) -> Result<Subject, Trouble> {
    let people = client::value(data, &Request::UserList { tenant: None })?;
    let items = people.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_it = |one: &&Value| {
        word(one, "address") == address.to_lowercase() || word(one, "user") == address
    };
    let folded = directory::folded_address(address);
    let is_same = |one: &&Value| directory::folded_address(&word(one, "address")) == folded;
    let found = items.iter().find(is_it).or_else(|| items.iter().find(is_same));
    if let Some(found) = found {
        let (tenant, left) = tenant_of(data, &word(found, "tenant"))?;
        return Ok(Subject { tenant, user: UserId::parse(&word(found, "user")), left });
    }
    let endings = client::value(data, &Request::Endings)?;
    if let Some(left) = left_person(&endings, address) {
        return Ok(left);
    }
    let endings = client::value(data, &Request::EndingsOf { address: address.to_owned() })?;
    left_by_address(&endings)?
        .ok_or_else(|| Trouble::refused("the address of a person", address, PERSON_HINT))
}

/// The contact records of whoever has left for good: one contract or person each.
fn left(endings: &Value) -> impl Iterator<Item = (&Value, Subject)> {
    let items = endings.get("items").and_then(Value::as_array).into_iter().flatten();
    items.filter(|one| word(one, "state") == "destroyed").filter_map(|one| {
        let tenant = TenantId::parse(&word(one, "tenant_id"))?;
        let user = UserId::parse(&word(one, "user_id"));
        Some((one, Subject { tenant, user, left: Some(word(one, "destroyed")) }))
    })
}

/// Names are given again: of several that had it, only an id says which is meant.
fn left_contract(endings: &Value, name: &str) -> Result<Option<Subject>, Trouble> {
    let is_meant = |one: &(&Value, Subject)| one.1.user.is_none() && word(one.0, "tenant") == name;
    let mut found: Vec<Subject> = left(endings).filter(is_meant).map(|(_, one)| one).collect();
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|one| one.tenant.to_string()).collect();
        let hint = "several that had this name have left: give the id of one";
        return Err(Trouble::refused("the name of one tenant", ids.join(", "), hint));
    }
    Ok(found.pop())
}

/// Whoever had the address that was asked for. Addresses are given again.
fn left_by_address(endings: &Value) -> Result<Option<Subject>, Trouble> {
    let mut found: Vec<Subject> =
        left(endings).map(|(_, one)| one).filter(|one| one.user.is_some()).collect();
    if found.len() > 1 {
        let ids: Vec<String> =
            found.iter().filter_map(|one| one.user.map(|user| user.to_string())).collect();
        let hint = "several who had this address have left: give the id of one";
        return Err(Trouble::refused("the address of one person", ids.join(", "), hint));
    }
    Ok(found.pop())
}

/// By the id, which is written down of a person who has left.
fn left_person(endings: &Value, id: &str) -> Option<Subject> {
    let user = UserId::parse(id)?;
    left(endings).map(|(_, one)| one).find(|one| one.user == Some(user))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{left_by_address, left_contract, left_person};
    use serde_json::{Value, json};

    fn ending(name: Option<&str>, ids: (u8, Option<u8>), state: &str) -> Value {
        let id = |one: u8| terms::TenantId([one; 8]).to_string();
        json!({
            "tenant": name, "tenant_id": id(ids.0), "user_id": ids.1.map(id), "state": state,
            "destroyed": (state == "destroyed").then_some("2026-12-01T00:00:00Z"),
        })
    }

    #[test]
    fn who_has_left_is_found_by_what_is_kept_of_them() {
        let endings = json!({ "items": [
            ending(Some("Kaede"), (1, None), "destroyed"),
            ending(Some("Sakura"), (2, None), "grace"),
            ending(None, (3, Some(4)), "destroyed"),
            ending(Some("Momo"), (5, None), "destroyed"),
            ending(Some("Momo"), (6, None), "destroyed"),
        ]});
        let kaede = left_contract(&endings, "Kaede").ok().flatten().unwrap();
        assert_eq!(kaede.tenant, terms::TenantId([1; 8]));
        assert_eq!(kaede.left.as_deref(), Some("2026-12-01T00:00:00Z"));
        assert!(matches!(left_contract(&endings, "Sakura"), Ok(None)), "it is still here");
        assert!(left_contract(&endings, "Momo").is_err(), "which of the two?");
        let person = left_person(&endings, &terms::UserId([4; 8]).to_string()).unwrap();
        assert_eq!(person.tenant, terms::TenantId([3; 8]));
        assert!(left_person(&endings, &terms::UserId([1; 8]).to_string()).is_none());
        assert!(left_person(&endings, "aoi@kaede.example").is_none());
    }

    #[test]
    fn who_had_an_address_is_one_person_or_the_id_says_which() {
        let gone = |user: u8, state| ending(None, (3, Some(user)), state);
        let found = |items: Vec<Value>| {
            let found = left_by_address(&json!({ "items": items }));
            found.map(|found| found.and_then(|one| one.user)).ok()
        };
        assert_eq!(found(vec![gone(4, "destroyed")]), Some(Some(terms::UserId([4; 8]))));
        assert_eq!(found(vec![gone(4, "grace")]), Some(None), "they are still here");
        assert_eq!(found(vec![gone(4, "destroyed"), gone(5, "destroyed")]), None, "which?");
    }
}
