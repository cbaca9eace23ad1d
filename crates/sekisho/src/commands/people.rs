//! Commands that the running service carries out.

use super::{approvals, contracts, grounds};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on, value};
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use std::path::PathBuf;
use wire::admin::Request;

const TENANT_ACTS: &str =
    "add, list, show, set, terminate, cancel, endings, certificate or search-remains";
const DOMAIN_ACTS: &str = "add, list, set or check";
const USER_ACTS: &str = "add, list, disable, enable, reset, password, terminate or cancel";
const APP_PASSWORD_ACTS: &str = "add or revoke";
const QUARANTINE_ACTS: &str = "list, show or release";

/// The data folder, asked for last: who forgot the act as well hears of the act first.
pub fn folder(data: Option<String>) -> Result<PathBuf, Trouble> {
    let hint = "name the folder of the running service; `sekisho help` shows every option";
    data.map(PathBuf::from).ok_or_else(|| Trouble::wrong_use("--data DIR", "nothing", hint))
}

pub fn unknown(acts: &str, found: String) -> Trouble {
    Trouble::wrong_use(acts, found, "sekisho help")
}

pub fn tenant(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let act = arguments.word(TENANT_ACTS)?;
    let request = match act.as_str() {
        "set" | "terminate" | "cancel" | "endings" | "certificate" | "search-remains" => {
            return contracts::tenant(&act, arguments, data, as_json);
        }
        "add" => Request::TenantAdd { name: arguments.word("the tenant's name")? },
        "list" => Request::TenantList,
        "show" => Request::TenantShow { name: arguments.word("the tenant's name")? },
        other => return Err(unknown(TENANT_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

pub fn domain(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(DOMAIN_ACTS)?.as_str() {
        "add" => Request::DomainAdd {
            tenant: arguments.required("--tenant")?,
            domain: arguments.word("the domain")?,
        },
        "list" => Request::DomainList { tenant: arguments.option("--tenant")? },
        "set" => Request::DomainSet {
            catch_all: arguments.required("--catch-all")?,
            domain: arguments.word("the domain")?,
        },
        "check" => Request::DomainCheck { domain: arguments.word("the domain")? },
        other => return Err(unknown(DOMAIN_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

pub fn user(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let act = arguments.word(USER_ACTS)?;
    let request = match act.as_str() {
        "password" => return approvals::own_password(arguments, data),
        "terminate" | "cancel" | "certificate" => {
            return contracts::user(&act, arguments, data, as_json);
        }
        "add" => Request::UserAdd {
            tenant: arguments.required("--tenant")?,
            role: arguments.option("--role")?,
            aliases: arguments.options("--alias")?,
            password: None,
            address: arguments.word("the address")?,
        },
        "list" => Request::UserList { tenant: arguments.option("--tenant")? },
        "disable" => {
            Request::UserDisable { address: arguments.word("the address")?, disabled: true }
        }
        "enable" => {
            Request::UserDisable { address: arguments.word("the address")?, disabled: false }
        }
        "reset" => Request::UserReset { address: arguments.word("the address")? },
        other => return Err(unknown(USER_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
}

pub fn app_password(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(APP_PASSWORD_ACTS)?.as_str() {
        "add" => Request::AppPasswordAdd {
            protocol: arguments.required("--protocol")?,
            device: arguments.option("--device")?,
            secret_seed: None,
            address: arguments.word("the address")?,
        },
        "revoke" => Request::AppPasswordRevoke { id: arguments.word("the id")? },
        other => return Err(unknown(APP_PASSWORD_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
}

pub fn trace(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let query = arguments.word("a Message-ID, an address, a subject or an id")?;
    arguments.finish()?;
    ask(&folder(data)?, &Request::Trace { query })
}

pub fn quarantine(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(QUARANTINE_ACTS)?.as_str() {
        "list" => Request::QuarantineList,
        "show" => Request::QuarantineShow { id: arguments.word("the id")? },
        "release" => Request::QuarantineRelease { id: arguments.word("the id")? },
        other => return Err(unknown(QUARANTINE_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

pub fn status(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    arguments.finish()?;
    ask(&folder(data)?, &Request::Status)
}

/// The certificate authority that mail clients must trust: as it goes into a file, or as JSON.
pub fn authority(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    arguments.finish()?;
    let found = value(&folder(data)?, &Request::Authority)?;
    match found.get("ca").and_then(Value::as_str) {
        Some(pem) if !as_json => {
            print!("{pem}");
            Ok(Outcome::Told(0))
        }
        _ => Ok(Outcome::Done(found)),
    }
}
