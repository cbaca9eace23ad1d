//! Commands that the running service carries out.

use super::{approvals, contracts, grounds, passing, spelled};
use crate::arguments::{Arguments, one_of};
use crate::client::{ask, ask_on, value};
use crate::demo::screen::is_japanese;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use std::path::{Path, PathBuf};
use wire::admin::Request;

const TENANT_ACTS: &str =
    "add, list, show, set, terminate, cancel, endings, certificate or search-remains";
const DOMAIN_ACTS: &str = "add, list, set, gateway, check, keys or rotate-keys";
const USER_ACTS: &str =
    "add, list, disable, enable, reset, quota, forward, away, password, terminate or cancel";
const QUOTA_SHAPE: &str = "a whole number of MiB, 1 to 1048576";
const MOST_MIB: u64 = 1024 * 1024;
const APP_PASSWORD_ACTS: &str = "add, list or revoke";
const PROTOCOLS: &[&str] = &["imap", "pop3", "smtp"];
const CERTIFICATE_ACTS: &str = "install, remove or renew";

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
        "add" => Request::TenantAdd { name: spelled::tenant(&mut arguments)? },
        "list" => Request::TenantList,
        "show" => Request::TenantShow { name: arguments.word("the tenant's name")? },
        other => return Err(unknown(TENANT_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
}

fn max_age(given: Option<String>) -> Result<Option<u32>, Trouble> {
    let wrong = |found: &str| {
        let hint = "1209600 (two weeks) is usual; a day to a year is possible";
        Trouble::wrong_use("a number of seconds for --mta-sts-max-age", found, hint)
    };
    let number = |text: String| {
        let number = text.parse().ok().filter(|age| wire::pages::MAX_AGE_SECONDS.contains(age));
        number.ok_or_else(|| wrong(&text))
    };
    given.map(number).transpose()
}

fn set_domain(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let catch_all = arguments.option("--catch-all")?;
    let mta_sts = arguments.choice("--mta-sts", &["testing", "enforce", "none"])?;
    let max_age_seconds = max_age(arguments.option("--mta-sts-max-age")?)?;
    let domain = named_domain(arguments)?;
    if catch_all.is_none() && mta_sts.is_none() && max_age_seconds.is_none() {
        let hint = "--catch-all ADDRESS|none, --mta-sts testing|enforce|none, --mta-sts-max-age N";
        return Err(Trouble::wrong_use("something to set", "nothing", hint));
    }
    let is_address = |text: &String| {
        let (local, of) = text.rsplit_once('@').unwrap_or_default();
        text == "none" || !(local.is_empty() || of.is_empty())
    };
    if let Some(wrong) = catch_all.as_ref().filter(|text| !is_address(text)) {
        let hint = "--catch-all ADDRESS of a person of the domain's tenant";
        return Err(Trouble::wrong_use("an address local@domain, or none", wrong.clone(), hint));
    }
    Ok(Request::DomainSet { domain, catch_all, mta_sts, max_age_seconds })
}

/// A domain as people write one; whether it is one of ours, the service knows.
pub(super) fn named_domain(arguments: &mut Arguments) -> Result<String, Trouble> {
    let word = arguments.word("the domain")?;
    let found = match word.trim() {
        "" => "an empty word".to_owned(),
        name if is_like_a_domain(name) => return Ok(word),
        _ => word,
    };
    let hint = "the domain alone: no address, no https://, no port; see `domain list`";
    Err(Trouble::wrong_use("a domain such as example.jp", found, hint))
}

fn is_like_a_domain(name: &str) -> bool {
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control();
    let has_labels = name.trim_end_matches('.').split('.').all(|label| !label.is_empty());
    has_labels
        && !name.contains(|letter: char| is_odd(letter) || "@/:,;\\\"'<>()*?".contains(letter))
}

pub fn domain(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(DOMAIN_ACTS)?.as_str() {
        "gateway" => return passing::gateway(arguments, data),
        "add" => Request::DomainAdd {
            tenant: arguments.required("--tenant")?,
            domain: spelled::domain(named_domain(&mut arguments)?)?,
        },
        "list" => Request::DomainList { tenant: arguments.option("--tenant")? },
        "set" => set_domain(&mut arguments)?,
        "check" => Request::DomainCheck {
            allow: arguments.options("--allow")?,
            domain: named_domain(&mut arguments)?,
        },
        "keys" => Request::DomainKeys { domain: named_domain(&mut arguments)? },
        "rotate-keys" => Request::DomainRotateKeys {
            retire: arguments.switch("--retire"),
            unchecked: arguments.switch("--dangerous-unchecked"),
            domain: named_domain(&mut arguments)?,
        },
        other => return Err(unknown(DOMAIN_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    let answer = ask_on(&folder(data)?, &request, &grounds)?;
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
            aliases: spelled::aliases(&mut arguments)?,
            password: None,
            address: spelled::address(&mut arguments)?,
        },
        "list" => Request::UserList { tenant: arguments.option("--tenant")? },
        "disable" => {
            Request::UserDisable { address: arguments.word("the address")?, disabled: true }
        }
        "enable" => {
            Request::UserDisable { address: arguments.word("the address")?, disabled: false }
        }
        "reset" => Request::UserReset { address: arguments.word("the address")? },
        "quota" => Request::UserQuota {
            address: arguments.word("the address")?,
            bytes: mebibytes(&mut arguments)?,
        },
        other => return Err(unknown(USER_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
}

/// What somebody may keep, in octets.
fn mebibytes(arguments: &mut Arguments) -> Result<Option<u64>, Trouble> {
    let mib: Option<u64> = arguments.parsed("--mib", QUOTA_SHAPE)?;
    mib.map(|mib| {
        let bytes = mib.checked_mul(1024 * 1024).filter(|bytes| *bytes > 0 && mib <= MOST_MIB);
        bytes.ok_or_else(|| Trouble::wrong_use(QUOTA_SHAPE, mib.to_string(), "--mib 10240"))
    })
    .transpose()
}

pub fn app_password(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(APP_PASSWORD_ACTS)?.as_str() {
        "add" => Request::AppPasswordAdd {
            protocol: one_of("--protocol", arguments.required("--protocol")?, PROTOCOLS)?,
            device: spelled::device(&mut arguments)?,
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
        "renew" => Request::CertificateRenew,
        other => return Err(unknown(CERTIFICATE_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

fn installation(chain: &Path, key: &Path) -> Result<Request, Trouble> {
    use data_encoding::BASE64;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::Error, pem::PemObject};
    let hint = "PEM: `-----BEGIN CERTIFICATE-----`, and `PRIVATE KEY` or `EC PRIVATE KEY` without \
                a passphrase";
    let wrong = |path: &Path, error: String| {
        Trouble::refused("a PEM file", format!("{}: {error}", path.display()), hint)
    };
    let missing =
        |error: std::io::Error| Trouble::fault(format!("{}: {error}", chain.display()), hint);
    std::fs::File::open(chain).map_err(missing)?;
    let private = super::secrets::open(key)?;
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong(chain, "no certificate in it".to_owned()));
    }
    // In whichever form: the signer says what it lacks.
    let private = PrivateKeyDer::from_pem_reader(private).map_err(|error| match error {
        Error::NoItemsFound => wrong(key, "no private key in it that is not encrypted".to_owned()),
        error => wrong(key, error.to_string()),
    })?;
    Ok(Request::CertificateInstall {
        chain: certificates.iter().map(|one| BASE64.encode(one)).collect(),
        key: BASE64.encode(private.secret_der()),
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
