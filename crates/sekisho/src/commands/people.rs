//! Commands that the running service carries out.

use crate::arguments::Arguments;
use crate::client::ask;
use crate::outcome::{Answer, Trouble};
use wire::admin::Request;

fn unknown(of: &str, found: String) -> Trouble {
    Trouble::wrong_use(&format!("an act of `{of}`"), found, "sekisho help")
}

pub fn tenant(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let request = match arguments.word("add, list or show")?.as_str() {
        "add" => Request::TenantAdd { name: arguments.word("the tenant's name")? },
        "list" => Request::TenantList,
        "show" => Request::TenantShow { name: arguments.word("the tenant's name")? },
        other => return Err(unknown("tenant", other.to_owned())),
    };
    arguments.finish()?;
    ask(&data, &request)
}

pub fn domain(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let request = match arguments.word("add, list or check")?.as_str() {
        "add" => Request::DomainAdd {
            tenant: arguments.required("--tenant")?,
            domain: arguments.word("the domain")?,
        },
        "list" => Request::DomainList { tenant: arguments.option("--tenant")? },
        "check" => Request::DomainCheck { domain: arguments.word("the domain")? },
        other => return Err(unknown("domain", other.to_owned())),
    };
    arguments.finish()?;
    ask(&data, &request)
}

pub fn user(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let request = match arguments.word("add, list, disable or reset")?.as_str() {
        "add" => Request::UserAdd {
            tenant: arguments.required("--tenant")?,
            role: arguments.option("--role")?,
            aliases: arguments.options("--alias")?,
            password: None,
            address: arguments.word("the address")?,
        },
        "list" => Request::UserList { tenant: arguments.option("--tenant")? },
        "disable" => Request::UserDisable { address: arguments.word("the address")? },
        "reset" => Request::UserReset { address: arguments.word("the address")? },
        other => return Err(unknown("user", other.to_owned())),
    };
    arguments.finish()?;
    ask(&data, &request)
}

pub fn app_password(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let request = match arguments.word("add or revoke")?.as_str() {
        "add" => Request::AppPasswordAdd {
            protocol: arguments.required("--protocol")?,
            device: arguments.option("--device")?,
            secret_seed: None,
            address: arguments.word("the address")?,
        },
        "revoke" => Request::AppPasswordRevoke { id: arguments.word("the id")? },
        other => return Err(unknown("app-password", other.to_owned())),
    };
    arguments.finish()?;
    ask(&data, &request)
}

pub fn trace(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let query = arguments.word("a Message-ID, an address, a subject or an id")?;
    arguments.finish()?;
    ask(&data, &Request::Trace { query })
}

pub fn quarantine(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let request = match arguments.word("list, show or release")?.as_str() {
        "list" => Request::QuarantineList,
        "show" => Request::QuarantineShow { id: arguments.word("the id")? },
        "release" => Request::QuarantineRelease { id: arguments.word("the id")? },
        other => return Err(unknown("quarantine", other.to_owned())),
    };
    arguments.finish()?;
    ask(&data, &request)
}

pub fn status(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    arguments.finish()?;
    ask(&data, &Request::Status)
}
