//! Commands that the running service carries out.

use super::{approvals, contracts, grounds, passing};
use crate::arguments::{Arguments, one_of};
use crate::client::{ask, ask_on, value};
use crate::demo::screen::is_japanese;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use std::path::{Path, PathBuf};
use wire::admin::{Grounds, Request};

const TENANT_ACTS: &str =
    "add, list, show, set, terminate, cancel, endings, certificate or search-remains";
const DOMAIN_ACTS: &str = "add, list, set, gateway, check, keys or rotate-keys";
const USER_ACTS: &str =
    "add, list, disable, enable, reset, forward, away, password, terminate or cancel";
const APP_PASSWORD_ACTS: &str = "add, list or revoke";
const PROTOCOLS: &[&str] = &["imap", "pop3", "smtp"];
const QUARANTINE_ACTS: &str = "list, show or release";
const CERTIFICATE_ACTS: &str = "install or remove";
const QUEUE_ACTS: &str = "list, show, status, hold, release or cancel";

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
        "outlet" => passing::outlet(&mut arguments)?,
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

fn max_age(given: Option<String>) -> Result<Option<u32>, Trouble> {
    let wrong = |found: &str| {
        let hint = "1209600 (two weeks) is usual";
        Trouble::wrong_use("a number of seconds for --mta-sts-max-age", found, hint)
    };
    given.map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}

pub fn domain(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(DOMAIN_ACTS)?.as_str() {
        "gateway" => return passing::gateway(arguments, data),
        "add" => Request::DomainAdd {
            tenant: arguments.required("--tenant")?,
            domain: arguments.word("the domain")?,
        },
        "list" => Request::DomainList { tenant: arguments.option("--tenant")? },
        "set" => Request::DomainSet {
            catch_all: arguments.option("--catch-all")?,
            mta_sts: arguments.option("--mta-sts")?,
            max_age_seconds: max_age(arguments.option("--mta-sts-max-age")?)?,
            domain: arguments.word("the domain")?,
        },
        "check" => Request::DomainCheck {
            allow: arguments.options("--allow")?,
            domain: arguments.word("the domain")?,
        },
        "keys" => Request::DomainKeys { domain: arguments.word("the domain")? },
        "rotate-keys" => Request::DomainRotateKeys {
            retire: arguments.switch("--retire"),
            unchecked: arguments.switch("--dangerous-unchecked"),
            domain: arguments.word("the domain")?,
        },
        other => return Err(unknown(DOMAIN_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    let answer = ask_on(&folder(data)?, &request, &Grounds::default())?;
    Ok(if as_json { answer } else { answer.in_one_language(is_japanese()) })
}

pub fn user(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let act = arguments.word(USER_ACTS)?;
    let request = match act.as_str() {
        "forward" => passing::forward(&mut arguments)?,
        "away" => passing::away(&mut arguments)?,
        "password" => return approvals::own_password(arguments, data),
        "terminate" | "cancel" | "certificate" => {
            return contracts::user(&act, arguments, data, as_json);
        }
        "add" => Request::UserAdd {
            tenant: arguments.required("--tenant")?,
            role: arguments.choice("--role", wire::directory::ROLES)?,
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
            protocol: one_of("--protocol", arguments.required("--protocol")?, PROTOCOLS)?,
            device: arguments.option("--device")?,
            secret_seed: None,
            address: arguments.word("the address")?,
        },
        "list" => Request::AppPasswordList { address: arguments.word("the address")? },
        "revoke" => Request::AppPasswordRevoke { id: arguments.word("the id")? },
        other => return Err(unknown(APP_PASSWORD_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
}

pub fn trace(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let query = arguments.word("a Message-ID, an address, a subject or an id")?;
    arguments.finish()?;
    let answer = ask(&folder(data)?, &Request::Trace { query })?;
    Ok(if as_json { answer } else { answer.in_one_language(is_japanese()) })
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

pub fn queue(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(QUEUE_ACTS)?.as_str() {
        "list" => Request::QueueList {
            tenant: arguments.option("--tenant")?,
            after: arguments.option("--after")?,
        },
        "show" => Request::QueueShow { id: arguments.word("the id")? },
        "status" => Request::QueueStatus,
        act @ ("hold" | "release" | "cancel") => {
            let act = act.to_owned();
            Request::QueueAct { act, id: arguments.word("the id")? }
        }
        other => return Err(unknown(QUEUE_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

pub fn status(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    arguments.finish()?;
    ask(&folder(data)?, &Request::Status)
}

/// A certificate from a public authority, for this host.
pub fn certificate(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(CERTIFICATE_ACTS)?.as_str() {
        "install" => {
            let chain = arguments.required("--chain")?;
            let key = arguments.required("--key")?;
            installation(Path::new(&chain), Path::new(&key))?
        }
        "remove" => Request::CertificateInstall { chain: Vec::new(), key: String::new() },
        other => return Err(unknown(CERTIFICATE_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

fn installation(chain: &Path, key: &Path) -> Result<Request, Trouble> {
    use data_encoding::BASE64;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
    let hint = "PEM, as authorities issue it: `-----BEGIN CERTIFICATE-----` and `PRIVATE KEY`";
    let wrong = |path: &Path, error: String| {
        Trouble::refused("a PEM file", format!("{}: {error}", path.display()), hint)
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong(chain, "no certificate in it".to_owned()));
    }
    let pkcs8 = PrivatePkcs8KeyDer::from_pem_file(key);
    let pkcs8 = pkcs8.map_err(|error| wrong(key, error.to_string()))?;
    Ok(Request::CertificateInstall {
        chain: certificates.iter().map(|one| BASE64.encode(one)).collect(),
        key: BASE64.encode(pkcs8.secret_pkcs8_der()),
    })
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
