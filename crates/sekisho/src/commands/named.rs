//! Names for the ids that the ledger has, asked of the running service: of contracts, also of ended
//! ones, and of people. Who is gone has none any more, and that is said.

use crate::client;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use terms::UserId;
use wire::admin::Request;

/// Addresses asked for in one question.
const AT_ONCE: usize = 500;

#[derive(Default)]
pub struct Names {
    /// By id; and whether the contract is over.
    tenants: HashMap<String, (String, bool)>,
    people: HashMap<String, String>,
    /// Whether anybody answered.
    pub are_there: bool,
}

impl Names {
    /// As if the service had answered so.
    #[cfg(test)]
    pub fn known(found: &Value) -> Self {
        let mut names = Self { are_there: true, ..Self::default() };
        names.learn(found);
        names
    }

    pub fn ask(data: &Path, people: &HashSet<UserId>) -> Self {
        let mut names = Self::default();
        let ids: Vec<String> = people.iter().map(ToString::to_string).collect();
        let mut pages: Vec<Vec<String>> = ids.chunks(AT_ONCE).map(<[String]>::to_vec).collect();
        if pages.is_empty() {
            pages.push(Vec::new());
        }
        for (at, users) in pages.into_iter().enumerate() {
            let request = Request::Render { users, tenants: at == 0 };
            let Ok(found) = client::value(data, &request) else { continue };
            names.are_there = true;
            names.learn(&found);
        }
        names
    }

    fn learn(&mut self, found: &Value) {
        let list = |name: &str| found.get(name).and_then(Value::as_array).cloned();
        let text = |item: &Value, name: &str| item.get(name)?.as_str().map(str::to_owned);
        for item in list("items").unwrap_or_default() {
            if let (Some(user), Some(address)) = (text(&item, "user"), text(&item, "address")) {
                self.people.insert(user, address);
            }
        }
        for item in list("tenants").unwrap_or_default() {
            let is_ended = item.get("ended").and_then(Value::as_bool).unwrap_or_default();
            if let (Some(tenant), Some(name)) = (text(&item, "tenant"), text(&item, "name")) {
                self.tenants.insert(tenant, (name, is_ended));
            }
        }
    }

    /// A contract for people to read; `None`: nobody could be asked.
    pub fn tenant(&self, id: &str, is_japanese: bool) -> Option<String> {
        match self.tenants.get(id) {
            Some((name, false)) => Some(name.clone()),
            Some((name, true)) if is_japanese => Some(format!("{name}（契約終了）")),
            Some((name, true)) => Some(format!("{name} (contract ended)")),
            None if !self.are_there => None,
            None if is_japanese => Some(format!("{id}（名前はもうありません）")),
            None => Some(format!("{id} (has no name any more)")),
        }
    }

    /// A person for people to read: whoever is gone, or cannot be asked about, by the id.
    pub fn person(&self, id: &str, is_japanese: bool) -> String {
        match self.people.get(id) {
            Some(address) => address.clone(),
            None if !self.are_there => id.to_owned(),
            None if is_japanese => format!("{id}（名前はもうありません）"),
            None => format!("{id} (has no name any more)"),
        }
    }

    /// Addresses by ids, of those who were asked for.
    pub fn people(&self) -> Value {
        json!(self.people)
    }

    /// For programs: names beside the ids of every object that has some.
    pub fn beside(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.beside(item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.beside(field));
                let id = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
                let (tenant, user) = (id("tenant"), id("user"));
                let tenant = tenant.map(|id| self.tenants.get(&id).map(|known| known.0.clone()));
                let person = user.map(|id| self.people.get(&id).cloned());
                if let Some(name) = tenant {
                    fields.insert("tenant_name".to_owned(), json!(name));
                }
                if let Some(address) = person {
                    fields.insert("address".to_owned(), json!(address));
                }
            }
            _ => {}
        }
    }

    /// What stands below a report that has ids for want of names.
    pub fn note(&self, is_japanese: bool) -> Option<&'static str> {
        match (self.are_there, is_japanese) {
            (true, _) => None,
            (false, true) => {
                Some("サービスが応答しないため、名前の代わりに識別子を表示しています。")
            }
            (false, false) => Some("ids stand in the place of names: no service answers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use serde_json::json;

    #[test]
    fn a_name_or_why_there_is_none() {
        let mut names = Names { are_there: true, ..Names::default() };
        names.learn(&json!({
            "items": [
                { "user": "u1", "address": "a@b.example" }, { "user": "u2", "address": null },
            ],
            "tenants": [
                { "tenant": "t1", "name": "Kaede", "ended": false },
                { "tenant": "t2", "name": "Ume", "ended": true },
            ],
        }));
        let tenant = |id, ja| names.tenant(id, ja).unwrap();
        assert_eq!(tenant("t1", true), "Kaede");
        assert_eq!(tenant("t2", true), "Ume（契約終了）");
        assert_eq!(tenant("t2", false), "Ume (contract ended)");
        assert_eq!(tenant("t3", false), "t3 (has no name any more)");
        assert_eq!(names.person("u1", false), "a@b.example");
        assert_eq!(names.person("u2", true), "u2（名前はもうありません）");
        let mut value = json!({ "contracts": [{ "tenant": "t1", "user": "u2" }], "tenant": null });
        names.beside(&mut value);
        let expected = json!({ "tenant": "t1", "user": "u2", "tenant_name": "Kaede",
            "address": null });
        assert_eq!(value["contracts"][0], expected);
        assert!(value.get("tenant_name").is_none() && names.note(true).is_none());
    }

    #[test]
    fn without_a_service_ids_stand_and_it_is_said() {
        let names = Names::default();
        assert_eq!(names.tenant("t1", false), None);
        assert_eq!(names.person("u1", true), "u1");
        assert!(names.note(true).is_some() && names.note(false).is_some());
    }
}
