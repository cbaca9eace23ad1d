//! People and their secrets. A new secret is shown once, here, and kept nowhere in clear.

use crate::peers::{Answer, Peers, Refusal};
use crate::places::directory;
use argon2::{Algorithm, Argon2, Params, Version};
use compartment::random;
use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};
use terms::{Kind, UserId};
use wire::directory::{ToAdmin, User};
use wire::identity::Protocol;

/// Argon2id as RFC 9106 and OWASP advise for interactive sign-in: 19 MiB, two passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const QUOTA_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// A password that a caller may choose in the demo.
const PASSWORD_CHARACTERS: std::ops::RangeInclusive<usize> = 12..=200;

/// A person to be added.
pub struct New {
    pub address: String,
    pub tenant: String,
    pub role: Option<String>,
    pub aliases: Vec<String>,
    pub password: Option<String>,
}

fn user_json(user: &User) -> Value {
    json!({
        "user": user.user.to_string(),
        "address": user.address,
        "tenant": user.tenant,
        "role": user.role,
        "aliases": user.aliases,
        "disabled": user.disabled,
    })
}

pub fn add(peers: &mut Peers<'_>, new: New) -> Answer {
    let password = choose_password(peers, new.password)?;
    let question = wire::directory::FromAdmin::UserAdd {
        address: new.address,
        tenant: new.tenant,
        role: new.role.unwrap_or_else(|| "user".to_owned()),
        aliases: new.aliases,
    };
    let user = one_user(peers, &question)?;
    make_mailbox(peers, &user)?;
    let (salt, digest) = derive(&password)?;
    let question = wire::identity::FromAdmin::PersonAdd {
        tenant: user.tenant_id,
        user: user.user,
        address: user.address.clone(),
        salt,
        digest,
    };
    identity(peers, &question)?;
    let mut shown = user_json(&user);
    set(&mut shown, "password", json!(password));
    Ok(shown)
}

fn make_mailbox(peers: &mut Peers<'_>, user: &User) -> Result<(), Refusal> {
    let question = wire::mailbox::FromAdmin::MakeUser {
        tenant: user.tenant_id,
        user: user.user,
        quota_bytes: QUOTA_BYTES,
    };
    match peers.ask(Kind::Mailbox, &question)? {
        wire::mailbox::ToAdmin::Done => Ok(()),
        wire::mailbox::ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

pub fn list(peers: &mut Peers<'_>, tenant: Option<String>) -> Answer {
    let question = wire::directory::FromAdmin::UserList { tenant };
    directory(peers, &question, |answer| match answer {
        ToAdmin::Users(users) => {
            let items: Vec<Value> = users.iter().map(user_json).collect();
            Some(json!({ "items": items, "next": null }))
        }
        _ => None,
    })
}

pub fn disable(peers: &mut Peers<'_>, address: String, disabled: bool) -> Answer {
    let question = wire::directory::FromAdmin::UserDisable { address, disabled };
    let user = one_user(peers, &question)?;
    let question = wire::identity::FromAdmin::PersonDisable { user: user.user, disabled };
    identity(peers, &question)?;
    Ok(user_json(&user))
}

pub fn reset(peers: &mut Peers<'_>, address: String) -> Answer {
    let user = one_user(peers, &wire::directory::FromAdmin::UserFind { address })?;
    let password = made_password();
    let (salt, digest) = derive(&password)?;
    let question = wire::identity::FromAdmin::PersonReset { user: user.user, salt, digest };
    let weakened = identity(peers, &question)?;
    let mut shown = user_json(&user);
    set(&mut shown, "password", json!(password));
    set(&mut shown, "weakened", json!(weakened));
    Ok(shown)
}

pub fn add_app_password(
    peers: &mut Peers<'_>,
    address: String,
    protocol: &str,
    device: Option<String>,
    seed: Option<String>,
) -> Answer {
    let Some((protocol, letter)) = known_protocol(protocol) else {
        return Err(Refusal::new("imap, pop3 or smtp", protocol, "--protocol imap|pop3|smtp"));
    };
    let user = one_user(peers, &wire::directory::FromAdmin::UserFind { address })?;
    let (key, secret) = match seed {
        Some(seed) => seeded(peers, &seed)?,
        None => (random(), random()),
    };
    let (text, made) = secret::make(letter, key, secret);
    let question = wire::identity::FromAdmin::AppPasswordAdd {
        user: user.user,
        protocol,
        device: device.unwrap_or_default(),
        key: made.key.clone(),
        digest: made.digest.to_vec(),
    };
    let weakened = identity(peers, &question)?;
    Ok(json!({ "id": made.key, "secret": text, "weakened": weakened }))
}

pub fn revoke_app_password(peers: &mut Peers<'_>, id: String) -> Answer {
    identity(peers, &wire::identity::FromAdmin::AppPasswordRevoke { key: id.clone() })?;
    Ok(json!({ "id": id, "revoked": true }))
}

fn known_protocol(word: &str) -> Option<(Protocol, char)> {
    match word {
        "imap" => Some((Protocol::Imap, 'i')),
        "pop3" => Some((Protocol::Pop3, 'p')),
        "smtp" => Some((Protocol::Smtp, 's')),
        _ => None,
    }
}

pub fn one_user(
    peers: &mut Peers<'_>,
    question: &wire::directory::FromAdmin,
) -> Result<User, Refusal> {
    match peers.ask(Kind::Directory, question)? {
        ToAdmin::User(user) => Ok(user),
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

pub fn identity(
    peers: &mut Peers<'_>,
    question: &wire::identity::FromAdmin,
) -> Result<Option<String>, Refusal> {
    match peers.ask(Kind::Identity, question)? {
        wire::identity::ToAdmin::Done { weakened } => Ok(weakened),
        wire::identity::ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        wire::identity::ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        wire::identity::ToAdmin::AppPasswords(_) | wire::identity::ToAdmin::Frozen(_) => {
            Err(Refusal::unexpected(Kind::Identity))
        }
    }
}

fn choose_password(peers: &Peers<'_>, wanted: Option<String>) -> Result<String, Refusal> {
    match wanted {
        None => Ok(made_password()),
        Some(wanted) if peers.is_demo() && PASSWORD_CHARACTERS.contains(&wanted.len()) => {
            Ok(wanted)
        }
        Some(_) => Err(Refusal::new(
            "no password: it is made here and shown once",
            "a password chosen by the caller",
            "leave --password away",
        )),
    }
}

/// 128 random bits that can be read aloud.
fn made_password() -> String {
    BASE32_NOPAD.encode(&random::<16>()).to_ascii_lowercase()
}

fn derive(password: &str) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
    let fault = |_| Refusal::Fault("Argon2id failed: not enough memory?".to_owned());
    let salt: [u8; 16] = random();
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(fault)?;
    let mut digest = vec![0u8; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(password.as_bytes(), &salt, &mut digest)
        .map_err(fault)?;
    Ok((salt.to_vec(), digest))
}

/// The demo derives its secrets from its unseal credential, so that a restart shows the same ones.
fn seeded(peers: &Peers<'_>, seed: &str) -> Result<([u8; 10], [u8; 16]), Refusal> {
    let refuse = || Refusal::new("no seed: the secret is made here", "a seed", "leave it away");
    if !peers.is_demo() {
        return Err(refuse());
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(seed.as_bytes()).map_err(|_| refuse())?;
    let (key, rest) = bytes.split_first_chunk::<10>().ok_or_else(refuse)?;
    let secret = rest.first_chunk::<16>().ok_or_else(refuse)?;
    Ok((*key, *secret))
}

fn set(value: &mut Value, name: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), to);
    }
}

/// The addresses of people by id, for lists that carry ids only.
pub fn names(peers: &mut Peers<'_>, users: Vec<UserId>) -> Result<Vec<Option<String>>, Refusal> {
    match peers.ask(Kind::Directory, &wire::directory::FromAdmin::Names { users })? {
        ToAdmin::Names(names) => Ok(names),
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}
