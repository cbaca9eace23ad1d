//! `sekisho approval`: what waits for two persons, their answers, and doing what they agreed to.

use super::grounds;
use super::people::{folder, unknown};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on};
use crate::outcome::Answer;
use wire::admin::Request;

const ACTS: &str = "list, show, approve, deny, carry-out or mode";

pub fn approval(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let act = arguments.word(ACTS)?;
    let request = match act.as_str() {
        "list" => Request::ApprovalList,
        "show" => Request::ApprovalShow { id: id(&mut arguments)? },
        "approve" => Request::ApprovalAnswer { id: id(&mut arguments)?, agree: true },
        "deny" => Request::ApprovalAnswer { id: id(&mut arguments)?, agree: false },
        "carry-out" => Request::ApprovalCarryOut { id: id(&mut arguments)? },
        "mode" => Request::ApprovalMode { mode: arguments.word("a mode").ok() },
        other => return Err(unknown(ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    match request {
        // To look costs nothing: what is shown is no refusal, whatever its state.
        Request::ApprovalList | Request::ApprovalShow { .. } => ask(&folder(data)?, &request),
        request => ask_on(&folder(data)?, &request, &grounds),
    }
}

fn id(arguments: &mut Arguments) -> Result<String, crate::outcome::Trouble> {
    arguments.word("the id of a request")
}

/// A person changes their own password: the old one and the new one are read, never arguments.
pub fn own_password(mut arguments: Arguments, data: Option<String>) -> Answer {
    let address = arguments.word("the address")?;
    let descriptor = arguments.parsed::<u32>("--password-fd", "a descriptor's number")?;
    arguments.finish()?;
    let prompts = [format!("Password of {address}"), "New password".to_owned()];
    let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
    let mut lines = grounds::passwords(&prompts, descriptor)?;
    let new = lines.pop().unwrap_or_default();
    let password = lines.pop().unwrap_or_default();
    let request = Request::PasswordChange { address, password, new };
    ask(&folder(data)?, &request)
}
