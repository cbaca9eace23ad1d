//! People and their secrets. A new secret is shown once, here, and kept nowhere in clear.

use crate::approvals;
use crate::peers::{Answer, Peers, Refusal};
use crate::places::directory;
use argon2::{Algorithm, Argon2, Params, Version};
use compartment::random;
use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use evidence::rfc3339;
use serde_json::{Value, json};
use terms::{Kind, UserId};
use wire::approval::{Act, Permission};
use wire::directory::{Part, Tenant, ToAdmin, User};
use wire::identity::{AppPassword, Protocol};
use wire::redirection::Redirection;

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

pub fn user_json(user: &User) -> Value {
    json!({
        "user": user.user.to_string(),
        "address": user.address,
        "tenant": user.tenant,
        "role": user.role,
        "aliases": user.aliases,
        "disabled": user.disabled,
        "writes_as": user.writes_as,
    })
}

pub fn add(peers: &mut Peers<'_>, new: New) -> Answer {
    let password = choose_password(peers, new.password)?;
    let role = new.role.unwrap_or_else(|| "user".to_owned());
    if wire::directory::APPROVING.contains(&role.as_str()) {
        // Who may approve is added with identity's leave: it may be an act for two.
        let tenant = one_tenant(peers, &new.tenant)?.tenant;
        let (address, aliases) = (new.address, new.aliases);
        let act = Act::AddPerson { tenant, address, role, aliases };
        let permission = approvals::permission(peers)?;
        return add_approver(peers, act, permission, &password);
    }
    let (address, tenant, aliases) = (new.address, new.tenant, new.aliases);
    let change = Redirection::Person { address, tenant, role, aliases };
    match peers.ask(Kind::Directory, &change.clone().question())? {
        ToAdmin::User(user) => settle(peers, user, &password),
        // A gateway's server has that address until now: mail for it would come here.
        ToAdmin::ForTwo(part) => {
            let permission = approvals::permission(peers)?;
            let (tenant, user) = (part.tenant, part.user);
            let act = Act::Redirect { tenant, user, change: Box::new(change) };
            add_approver(peers, act, permission, &password)
        }
        answer => crate::passing::done(answer),
    }
}

pub fn add_approver(
    peers: &mut Peers<'_>,
    act: Act,
    permission: Permission,
    password: &str,
) -> Answer {
    match approvals::carried(peers, act, permission)?.0 {
        ToAdmin::User(user) => settle(peers, user, password),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

fn settle(peers: &mut Peers<'_>, user: User, password: &str) -> Answer {
    make_mailbox(peers, &user, QUOTA_BYTES)?;
    let (salt, digest) = derive(password)?;
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

/// How much a person may keep, and keeps.
pub fn quota(peers: &mut Peers<'_>, address: String, bytes: Option<u64>) -> Answer {
    let user = one_user(peers, &wire::directory::FromAdmin::UserFind { address })?;
    if let Some(bytes) = bytes {
        make_mailbox(peers, &user, bytes)?;
    }
    let question = wire::mailbox::FromAdmin::Quota { tenant: user.tenant_id, user: user.user };
    match peers.ask(Kind::Mailbox, &question)? {
        wire::mailbox::ToAdmin::Quota { used_bytes, limit_bytes } => Ok(json!({
            "address": user.address,
            "used_bytes": used_bytes,
            "limit_bytes": limit_bytes,
        })),
        wire::mailbox::ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

/// Makes it, or gives one that exists another quota.
fn make_mailbox(peers: &mut Peers<'_>, user: &User, quota_bytes: u64) -> Result<(), Refusal> {
    let question =
        wire::mailbox::FromAdmin::MakeUser { tenant: user.tenant_id, user: user.user, quota_bytes };
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
    let user = match peers.ask(Kind::Directory, &question)? {
        ToAdmin::User(user) => user,
        // They may approve: one person alone must not see to it that two are never found.
        ToAdmin::ForTwo(Part { tenant, user: Some(user) }) => {
            let permission = approvals::permission(peers)?;
            return disable_under(peers, Act::Disable { tenant, user, disabled }, permission);
        }
        answer => return crate::passing::done(answer),
    };
    let question = wire::identity::FromAdmin::PersonDisable { user: user.user, disabled };
    identity(peers, &question)?;
    Ok(user_json(&user))
}

pub fn disable_under(peers: &mut Peers<'_>, act: Act, permission: Permission) -> Answer {
    match approvals::carried(peers, act, permission)? {
        (ToAdmin::User(user), weakened) => {
            let mut shown = user_json(&user);
            set(&mut shown, "weakened", json!(weakened));
            Ok(shown)
        }
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

pub fn reset(peers: &mut Peers<'_>, address: String) -> Answer {
    let user = one_user(peers, &wire::directory::FromAdmin::UserFind { address })?;
    let permission = approvals::permission(peers)?;
    reset_under(peers, user.user, permission, user_json(&user))
}

pub fn reset_under(
    peers: &mut Peers<'_>,
    user: UserId,
    permission: Permission,
    mut shown: Value,
) -> Answer {
    let password = made_password();
    let (salt, digest) = derive(&password)?;
    let question = wire::identity::FromAdmin::PersonReset { user, salt, digest, permission };
    let weakened = identity(peers, &question)?;
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
    let user = one_user(peers, &wire::directory::FromAdmin::UserFind { address })?.user;
    let parts = match seed {
        Some(seed) => seeded(peers, &seed)?,
        None => (random(), random()),
    };
    let permission = approvals::permission(peers)?;
    let device = device.unwrap_or_default();
    app_password_under(peers, user, (protocol, letter), device, parts, permission)
}

pub fn app_password_under(
    peers: &mut Peers<'_>,
    user: UserId,
    (protocol, letter): (Protocol, char),
    device: String,
    (key, secret): ([u8; 10], [u8; 16]),
    permission: Permission,
) -> Answer {
    let (text, made) = secret::make(letter, key, secret);
    let question = wire::identity::FromAdmin::AppPasswordAdd {
        user,
        protocol,
        device,
        key: made.key.clone(),
        digest: made.digest.to_vec(),
        permission,
    };
    let weakened = identity(peers, &question)?;
    Ok(json!({ "id": made.key, "secret": text, "weakened": weakened }))
}

/// A person's app passwords, newest last: what each is called, and when it was used last.
pub fn list_app_passwords(peers: &mut Peers<'_>, address: String) -> Answer {
    let user = one_user(peers, &wire::directory::FromAdmin::UserFind { address })?.user;
    let question = wire::identity::FromAdmin::AppPasswordList { user };
    let wire::identity::ToAdmin::AppPasswords(mut found) = approvals::ask(peers, &question)? else {
        return Err(Refusal::unexpected(Kind::Identity));
    };
    found.sort_by_key(|one| one.made_ms);
    let item = |one: &AppPassword| {
        json!({
            "id": one.key,
            "protocol": one.protocol.word(),
            "device": one.device,
            "made": rfc3339(one.made_ms),
            "last_used": one.last_used_ms.map(rfc3339),
            "revoked": one.revoked,
        })
    };
    Ok(json!({ "items": found.iter().map(item).collect::<Vec<Value>>(), "next": null }))
}

pub fn revoke_app_password(peers: &mut Peers<'_>, id: String) -> Answer {
    identity(peers, &wire::identity::FromAdmin::AppPasswordRevoke { key: id.clone() })?;
    Ok(json!({ "id": id, "revoked": true }))
}

/// A person's own new password against their old one.
pub fn change_password(peers: &mut Peers<'_>, address: &str, old: &str, new: &str) -> Answer {
    if !PASSWORD_CHARACTERS.contains(&new.chars().count()) {
        let found = format!("{} characters", new.chars().count());
        return Err(Refusal::new("a password of 12 to 200 characters", &found, "a longer one"));
    }
    let proof = approvals::prove(peers, address, old)?;
    let (salt, digest) = derive(new)?;
    identity(peers, &wire::identity::FromAdmin::PasswordChange { proof, salt, digest })?;
    Ok(json!({ "address": address, "changed": true }))
}

pub fn known_protocol(word: &str) -> Option<(Protocol, char)> {
    match word {
        "imap" => Some((Protocol::Imap, 'i')),
        "pop3" => Some((Protocol::Pop3, 'p')),
        "smtp" => Some((Protocol::Smtp, 's')),
        _ => None,
    }
}

/// Who an address is.
pub fn find(peers: &mut Peers<'_>, address: String) -> Result<User, Refusal> {
    one_user(peers, &wire::directory::FromAdmin::UserFind { address })
}

pub fn one_tenant(peers: &mut Peers<'_>, name: &str) -> Result<Tenant, Refusal> {
    let question = wire::directory::FromAdmin::TenantShow { name: name.to_owned() };
    match peers.ask(Kind::Directory, &question)? {
        ToAdmin::Tenant(tenant) => Ok(tenant),
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
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

/// What identity says was done without, if anything.
pub fn identity(
    peers: &mut Peers<'_>,
    question: &wire::identity::FromAdmin,
) -> Result<Option<String>, Refusal> {
    match approvals::ask(peers, question)? {
        wire::identity::ToAdmin::Done { weakened } => Ok(weakened),
        _ => Err(Refusal::unexpected(Kind::Identity)),
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
pub fn made_password() -> String {
    BASE32_NOPAD.encode(&random::<16>()).to_ascii_lowercase()
}

fn derive(password: &str) -> Result<(Vec<u8>, Vec<u8>), Refusal> {
    let salt: [u8; 16] = random();
    Ok((salt.to_vec(), stretch(password, &salt)?))
}

/// What stands for a password from here on: nobody behind us sees it.
pub fn stretch(password: &str, salt: &[u8]) -> Result<Vec<u8>, Refusal> {
    let fault = |_| Refusal::Fault("Argon2id failed: not enough memory?".to_owned());
    let parameters = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(fault)?;
    let mut digest = vec![0u8; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(password.as_bytes(), salt, &mut digest)
        .map_err(fault)?;
    Ok(digest)
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

pub fn set(value: &mut Value, name: &str, to: Value) {
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
