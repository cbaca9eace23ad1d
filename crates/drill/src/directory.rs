//! A hostile directory: opens its own tables, and has the vault sign what is not so.

use crate::channels::ask;
use crate::intruder::Intruder;
use crate::keeper;
use crate::report::{Asset, Facts, Told};
use terms::{Kind, TenantId, UserId};
use wire::directory::{Recipient, Statement, TenantSettings};
use wire::vault::{FromDirectory, ToDirectory};

const FILE: &str = "directory.db";
const DAY_MS: u64 = 24 * 3_600_000;

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    // What it may ask comes first: a forbidden question costs the channel.
    let (_, answer) = ask(intruder, Kind::Vault, &FromDirectory::PolicyKey, "its tables' key");
    if let Ok(ToDirectory::Key(key)) = postcard::from_bytes(&answer) {
        for table in ["tenant", "person"] {
            let id = if table == "tenant" { "tenant" } else { "user" };
            let sql = format!("SELECT {id}, sealed FROM {table}");
            keeper::open_rows(intruder, FILE, &key, &sql, table);
        }
    }
    let people = people(intruder);
    let of = |other: bool| people.iter().find(|one| other == (one.0 != own_tenant(&people)));
    intruder.tell(&Told::Lies);
    if let (Some(first), Some(second)) = (of(false).copied(), of(true).copied()) {
        redirect(intruder, &facts.person, first, second);
    }
    keeper::abuse(intruder, facts);
}

fn own_tenant(people: &[(TenantId, UserId)]) -> TenantId {
    people.first().map(|one| one.0).unwrap_or_default()
}

/// Ids stand in the open.
fn people(intruder: &Intruder) -> Vec<(TenantId, UserId)> {
    let folder = intruder.house.start.folder.clone().unwrap_or_default();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let path = std::path::Path::new(&folder).join(FILE);
    let Ok(db) = rusqlite::Connection::open_with_flags(path, flags) else { return Vec::new() };
    let Ok(mut query) = db.prepare("SELECT tenant, user FROM person") else { return Vec::new() };
    let row = |row: &rusqlite::Row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
    let Ok(found) = query.query_map([], row) else { return Vec::new() };
    let ids = |(tenant, user): (Vec<u8>, Vec<u8>)| {
        Some((TenantId::from_slice(&tenant)?, UserId::from_slice(&user)?))
    };
    found.flatten().filter_map(ids).collect()
}

/// The address of one person, stated to be another's of another organisation; then a policy that
/// nobody changed.
fn redirect(
    intruder: &mut Intruder,
    address: &str,
    to: (TenantId, UserId),
    other: (TenantId, UserId),
) {
    let signed = state(intruder, address, to, TenantSettings::default());
    let back = state(intruder, address, other, TenantSettings::default());
    let act = "have a person's address signed to another's keys";
    told(intruder, Asset::MailInFlight, act, signed || back);
    let lenient = TenantSettings {
        tag_from: 1e9,
        junk_from: 1e9,
        quarantine_from: 1e9,
        refuse_from: 1e9,
        obey_dmarc: false,
        ..TenantSettings::default()
    };
    let signed = state(intruder, address, to, lenient);
    told(
        intruder,
        Asset::OtherTenants,
        "have judgement weakened without a recorded change",
        signed,
    );
}

fn told(intruder: &Intruder, asset: Asset, act: &str, signed: bool) {
    let (act, what) = (act.to_owned(), format!("{act}: signed"));
    match signed {
        true => intruder.tell(&Told::Partly { asset, what }),
        false => {
            let answer = "refused".to_owned();
            intruder.tell(&Told::Word { asset, act, held: true, answer });
        }
    }
}

fn state(
    intruder: &mut Intruder,
    address: &str,
    (tenant, user): (TenantId, UserId),
    settings: TenantSettings,
) -> bool {
    let current = FromDirectory::Current { tenant, user };
    let (_, answer) = ask(intruder, Kind::Vault, &current, "public keys");
    let Ok(ToDirectory::Keys { body, summary }) = postcard::from_bytes(&answer) else {
        return false;
    };
    let now = compartment::now_ms();
    let statement = Statement {
        onward: Vec::new(),
        transit: None,
        absence: None,
        address: address.to_owned(),
        tenant,
        recipients: vec![Recipient { user, body, summary }],
        settings,
        issued_ms: now,
        valid_until_ms: now + DAY_MS,
    };
    let Ok(bytes) = postcard::to_allocvec(&statement) else { return false };
    let (_, answer) = ask(intruder, Kind::Vault, &FromDirectory::Sign(bytes), "a signature");
    matches!(postcard::from_bytes(&answer), Ok(ToDirectory::Signature(_)))
}
