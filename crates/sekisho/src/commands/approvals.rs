//! `sekisho approval`: what waits for two persons, their answers, and doing what they agreed to.

use super::grounds;
use super::people::{folder, unknown};
use crate::arguments::{Arguments, one_of};
use crate::client::{ask, ask_on, value};
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use wire::admin::Request;

const ACTS: &str = "list, show, approve, deny, carry-out or mode";
const STATES: &[&str] = &["open", "approved", "denied", "expired", "carried-out"];
const MODES: &[&str] = &["two-persons", "single-operator"];

pub fn approval(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let act = arguments.word(ACTS)?;
    let mut states = Vec::new();
    let request = match act.as_str() {
        "list" => {
            states = arguments.options("--state")?;
            Request::ApprovalList
        }
        "show" => Request::ApprovalShow { id: id(&mut arguments)? },
        "approve" => Request::ApprovalAnswer { id: id(&mut arguments)?, agree: true },
        "deny" => Request::ApprovalAnswer { id: id(&mut arguments)?, agree: false },
        "carry-out" => Request::ApprovalCarryOut { id: id(&mut arguments)? },
        "mode" => Request::ApprovalMode { mode: mode(&mut arguments)? },
        other => return Err(unknown(ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    for state in &states {
        one_of("--state", state.clone(), STATES)?;
    }
    if matches!(request, Request::ApprovalAnswer { .. }) && grounds.by.is_none() {
        let hint = "--as ADDRESS; the password is read from the terminal, or --password-fd N";
        return Err(Trouble::wrong_use("--as ADDRESS: who answers", "nobody", hint));
    }
    match request {
        // To look costs nothing: what is shown is no refusal, whatever its state.
        Request::ApprovalList | Request::ApprovalShow { .. } => {
            let mut found = value(&folder(data)?, &request)?;
            keep(&mut found, &states);
            Ok(Outcome::Done(found))
        }
        request => ask_on(&folder(data)?, &request, &grounds),
    }
}

/// None: the mode is shown.
fn mode(arguments: &mut Arguments) -> Result<Option<String>, Trouble> {
    let word = arguments.word("a mode").ok();
    word.map(|word| one_of("approval mode", word, MODES)).transpose()
}

/// Only the requests in one of these states; none are named: all.
fn keep(value: &mut Value, states: &[String]) {
    let is_in = |item: &Value| {
        let state = item.get("state").and_then(Value::as_str).unwrap_or_default();
        states.is_empty() || states.iter().any(|one| one == state)
    };
    if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
        items.retain(is_in);
    }
}

fn id(arguments: &mut Arguments) -> Result<String, Trouble> {
    arguments.word("the id of a request")
}

/// A person changes their own password: the old one and the new one are read, never arguments.
pub fn own_password(mut arguments: Arguments, data: Option<String>) -> Answer {
    let address = arguments.word("the address")?;
    let descriptor = arguments.parsed::<u32>("--password-fd", "a descriptor's number")?;
    arguments.finish()?;
    let prompts = [format!("Password of {address}"), "New password".to_owned()];
    let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
    let mut lines = grounds::passwords(&prompts, ("--password-fd", descriptor))?;
    let new = lines.pop().unwrap_or_default();
    let password = lines.pop().unwrap_or_default();
    let request = Request::PasswordChange { address, password, new };
    ask(&folder(data)?, &request)
}

#[cfg(test)]
mod tests {
    use super::keep;
    use serde_json::json;

    #[test]
    fn requests_of_some_states() {
        let items = |states: &[&str]| {
            let all: Vec<_> = states.iter().map(|state| json!({ "state": state })).collect();
            json!({ "items": all })
        };
        let check = |named: &[&str], expected: &[&str]| {
            let mut found = items(&["open", "denied", "approved"]);
            keep(&mut found, &named.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
            assert_eq!(found, items(expected));
        };
        check(&[], &["open", "denied", "approved"]);
        check(&["open", "approved"], &["open", "approved"]);
        check(&["expired"], &[]);
    }
}
