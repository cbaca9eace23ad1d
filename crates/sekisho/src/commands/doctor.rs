//! `sekisho doctor`: which walls this machine grants, and what is weakened here.

use crate::arguments::Arguments;
use crate::client;
use crate::outcome::{Answer, Outcome};
use serde_json::{Value, json};
use std::path::PathBuf;
use wire::admin::Request;

pub fn run(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?.map(PathBuf::from);
    arguments.finish()?;
    let walls = compartment::walls();
    let missing: Vec<String> = walls.missing.iter().map(ToString::to_string).collect();
    let granted: Vec<String> = walls.granted.iter().map(ToString::to_string).collect();
    let is_asked = data.is_some();
    let service = data.and_then(|data| client::value(&data, &Request::Status).ok());
    let is_single = service
        .as_ref()
        .and_then(|status| status.get("single_operator"))
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let mut weakened = Vec::new();
    if is_single {
        weakened.push("single-operator: what should need two persons is done by one and recorded");
    }
    if !compartment::is_root() {
        weakened.push("not root: compartments share one user id; namespaces as the kernel grants");
    }
    if is_asked && service.is_none() {
        weakened.push("no service answers on this data folder");
    }
    let whole = missing.is_empty() && weakened.is_empty();
    let found = json!({
        "walls": granted,
        "landlock": walls.landlock,
        "missing_walls": missing,
        "weakened": weakened,
        "service": service,
    });
    Ok(if whole { Outcome::Done(found) } else { Outcome::Wanting(found) })
}
