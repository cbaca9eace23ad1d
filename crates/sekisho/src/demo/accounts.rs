//! The demo's two organisations and their people, with secrets that a restart shows again.

use crate::client;
use crate::outcome::Trouble;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use wire::admin::Request;

/// One person of the demo.
pub struct Account {
    pub address: &'static str,
    pub tenant: &'static str,
    pub role: &'static str,
    aliases: &'static [&'static str],
    pub password: String,
    pub app_password: String,
    pub pop3_password: String,
    pub smtp_password: String,
}

type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// The organisations, and the domain of each.
pub const DOMAINS: &[(&str, &str)] =
    &[("Example Japan", "example.jp"), ("Example Net", "example.net")];
const PEOPLE: &[Row] = &[
    ("aoi@example.jp", "Example Japan", "user", &[]),
    ("haru@example.jp", "Example Japan", "user", &["info@example.jp"]),
    ("mina@example.jp", "Example Japan", "approver", &[]),
    ("sato@example.jp", "Example Japan", "tenant-admin", &[]),
    ("rei@example.jp", "Example Japan", "operator", &[]),
    ("alice@example.net", "Example Net", "user", &[]),
    ("bob@example.net", "Example Net", "user", &["sales@example.net"]),
    ("olga@example.net", "Example Net", "auditor", &[]),
];

/// Stands in the data folder once everybody was made: who is gone later stays gone.
const MADE: &str = "demo.made";

/// Makes everybody at the first start; all who are still there are shown, at every start.
pub fn settle(data: &Path, credential: &[u8]) -> Result<Vec<Account>, Trouble> {
    let derive = Hkdf::<Sha256>::new(None, credential);
    if !is_made(data)? {
        for (tenant, domain) in DOMAINS {
            let (tenant, domain) = ((*tenant).to_owned(), (*domain).to_owned());
            unless_there(client::value(data, &Request::TenantAdd { name: tenant.clone() }))?;
            unless_there(client::value(data, &Request::DomainAdd { domain, tenant }))?;
        }
        for row in PEOPLE {
            make_one(data, &derive, row)?;
        }
    }
    let there = addresses(data)?;
    let still = PEOPLE.iter().filter(|row| there.contains(row.0));
    let accounts: Vec<Account> =
        still.map(|row| settle_one(data, &derive, row)).collect::<Result<_, _>>()?;
    // Without it everybody is made again, as at the first start.
    let mut options = File::options();
    let _ = options.create(true).append(true).mode(0o600).open(data.join(MADE));
    Ok(accounts)
}

/// A destruction tells it too, of a folder that an earlier version made.
fn is_made(data: &Path) -> Result<bool, Trouble> {
    if data.join(MADE).exists() {
        return Ok(true);
    }
    let endings = client::value(data, &Request::Endings)?;
    let mut items = endings.get("items").and_then(Value::as_array).into_iter().flatten();
    Ok(items.any(|item| item.get("state").and_then(Value::as_str) == Some("destroyed")))
}

fn addresses(data: &Path) -> Result<HashSet<String>, Trouble> {
    let told = client::value(data, &Request::UserList { tenant: None })?;
    let items = told.get("items").and_then(Value::as_array).into_iter().flatten();
    let address = |item: &Value| Some(item.get("address")?.as_str()?.to_owned());
    Ok(items.filter_map(address).collect())
}

fn password(derive: &Hkdf<Sha256>, address: &str) -> String {
    let password = BASE32_NOPAD.encode(&seed::<16>(derive, address, "password"));
    password.to_ascii_lowercase()
}

fn make_one(data: &Path, derive: &Hkdf<Sha256>, row: &Row) -> Result<(), Trouble> {
    let (address, tenant, role, aliases) = *row;
    unless_there(client::value(
        data,
        &Request::UserAdd {
            address: address.to_owned(),
            tenant: tenant.to_owned(),
            role: Some(role.to_owned()),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            password: Some(password(derive, address)),
        },
    ))
}

fn settle_one(data: &Path, derive: &Hkdf<Sha256>, row: &Row) -> Result<Account, Trouble> {
    let (address, tenant, role, aliases) = *row;
    let secret = |protocol: &str| match app_password(data, derive, address, protocol) {
        // Revoked meanwhile, and no longer ours alone to make: there is none to show.
        Err(Trouble::Refused { .. }) => Ok(String::new()),
        made => made,
    };
    Ok(Account {
        address,
        tenant,
        role,
        aliases,
        password: password(derive, address),
        app_password: secret("imap")?,
        pop3_password: secret("pop3")?,
        smtp_password: secret("smtp")?,
    })
}

fn app_password(
    data: &Path,
    derive: &Hkdf<Sha256>,
    address: &str,
    protocol: &str,
) -> Result<String, Trouble> {
    let made = client::value(
        data,
        &Request::AppPasswordAdd {
            address: address.to_owned(),
            protocol: protocol.to_owned(),
            device: Some("demo".to_owned()),
            secret_seed: Some(HEXLOWER.encode(&seed::<26>(derive, address, protocol))),
        },
    )?;
    let secret = made.get("secret").and_then(Value::as_str).unwrap_or_default();
    Ok(secret.to_owned())
}

fn seed<const N: usize>(derive: &Hkdf<Sha256>, address: &str, what: &str) -> [u8; N] {
    let mut seed = [0; N];
    let _ = derive.expand(format!("demo {what} of {address}").as_bytes(), &mut seed);
    seed
}

/// A restart finds everything in its place: that is no trouble.
fn unless_there(answer: Result<Value, Trouble>) -> Result<(), Trouble> {
    match answer {
        Ok(_) | Err(Trouble::Refused { .. }) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

impl Account {
    pub fn json(&self) -> Value {
        json!({
            "address": self.address,
            "tenant": self.tenant,
            "role": self.role,
            "aliases": self.aliases,
            "password": self.password,
            "app_password": self.app_password,
            "app_password_pop3": self.pop3_password,
            "app_password_smtp": self.smtp_password,
            "totp_secret": null,
        })
    }
}
