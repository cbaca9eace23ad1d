//! A hostile directory: opens its own tables, and has the vault sign what is not so.

use crate::channels::{ask, word};
use crate::intruder::Intruder;
use crate::keeper;
use crate::report::{Asset, Facts, Told};
use evidence::Body;
use terms::{Kind, TenantId, UserId};
use wire::control::Report;
use wire::directory::{Recipient, SmartHost, Statement, TenantSettings};
use wire::fetch::{Inquiry, Verdict};
use wire::ledger::{FromLedger, ToLedger};
use wire::post::HopTls;
use wire::vault::{FromDirectory, Proven, ToDirectory};

const FILE: &str = "directory.db";
/// Whose address it is tried to be made: a drill's house has fewer.
const PEOPLE: usize = 64;
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
    intruder.tell(&Told::Lies);
    redirect(intruder, &facts.person, &people);
    reach_out(intruder, facts);
    keeper::abuse(intruder, facts);
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

/// The address of one person, stated to be everybody's in turn, of whatever organisation; then a
/// change that nobody made, recorded in its own name; then a policy that nobody changed.
fn redirect(intruder: &mut Intruder, address: &str, people: &[(TenantId, UserId)]) {
    let (mut owners, mut others) = (Vec::new(), Vec::new());
    for person in people.iter().take(PEOPLE) {
        match state(intruder, address, *person, TenantSettings::default(), None) {
            Stated::Signed => owners.push(*person),
            Stated::NeedsChange(what) => others.push((*person, what)),
            Stated::Refused => {}
        }
    }
    // Ids are drawn anew in each house: one of those whom we tried has had it all along, and to
    // state that is no lie.
    let act = "have a person's address signed to another's keys";
    told(intruder, Asset::MailInFlight, act, owners.len() > 1);
    if let Some((thief, what)) = others.into_iter().next() {
        let change = record(intruder, thief, &what);
        let stated = change
            .map(|change| state(intruder, address, thief, TenantSettings::default(), Some(change)));
        let act = "record a change of a person's address, and have it signed to another's keys";
        told(intruder, Asset::MailInFlight, act, stated == Some(Stated::Signed));
    }
    let Some(owner) = owners.first() else { return };
    let lenient = TenantSettings {
        tag_from: 1e9,
        junk_from: 1e9,
        quarantine_from: 1e9,
        refuse_from: 1e9,
        obey_dmarc: false,
        ..TenantSettings::default()
    };
    let stated = state(intruder, address, *owner, lenient, None);
    let act = "have judgement weakened without a recorded change";
    told(intruder, Asset::OtherTenants, act, stated == Stated::Signed);
}

/// A change in its own name, with the ledger's proof.
fn record(intruder: &mut Intruder, of: (TenantId, UserId), what: &str) -> Option<Proven> {
    let mut author = intruder.author.take()?;
    let (tenant, user) = (Some(of.0), Some(of.1));
    let body = Body::RuleChange {
        tenant,
        user,
        what: what.into(),
        weakened: None,
        by: None,
        credential: None,
    };
    let entry = author.sign(compartment::now_ms(), body);
    intruder.author = Some(author);
    let entry = entry?;
    let append = ToLedger::Append { entries: vec![entry.clone()], prove: true };
    let (_, answer) = ask(intruder, Kind::Ledger, &append, "a change that nobody made");
    match postcard::from_bytes(&answer) {
        Ok(FromLedger::Proved { mut proofs, checkpoint }) => {
            Some(Proven { entry, proof: proofs.pop()?, checkpoint })
        }
        _ => None,
    }
}

/// `fetch` asks a server for it: at ports of mail, and nowhere else.
fn reach_out(intruder: &mut Intruder, facts: &Facts) {
    for (what, port) in [("this host's shell", 22), ("another service", facts.outside.port())] {
        let _ = intruder.house.report(&Report::Inquiry { port }, &[]);
        let host = SmartHost { name: "127.0.0.1".to_owned(), port, tls: HopTls::IfOffered };
        let inquiry = Inquiry { address: "a@b.example".to_owned(), host, from: None };
        let act = format!("have fetch speak to {what}");
        let (_, answer) = ask(intruder, Kind::Fetch, &inquiry, &act);
        let verdict: Option<Verdict> = postcard::from_bytes(&answer).ok();
        let is_held = !matches!(verdict, Some(Verdict::Has | Verdict::HasNot | Verdict::NotNow));
        word(intruder, Asset::Host, &act, is_held, &format!("{verdict:?}"));
    }
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

/// What the vault said to a statement.
#[derive(PartialEq, Eq)]
enum Stated {
    Signed,
    /// Only if a change of this word is recorded.
    NeedsChange(String),
    Refused,
}

fn state(
    intruder: &mut Intruder,
    address: &str,
    (tenant, user): (TenantId, UserId),
    settings: TenantSettings,
    change: Option<Proven>,
) -> Stated {
    let current = FromDirectory::Current { tenant, user };
    let (_, answer) = ask(intruder, Kind::Vault, &current, "public keys");
    let Ok(ToDirectory::Keys { body, summary }) = postcard::from_bytes(&answer) else {
        return Stated::Refused;
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
    let Ok(statement) = postcard::to_allocvec(&statement) else { return Stated::Refused };
    let question = match change {
        Some(change) => FromDirectory::SignChanged { statement, change },
        None => FromDirectory::Sign(statement),
    };
    let (_, answer) = ask(intruder, Kind::Vault, &question, "a signature");
    match postcard::from_bytes(&answer) {
        Ok(ToDirectory::Signature(_)) => Stated::Signed,
        Ok(ToDirectory::NeedsChange { what }) => Stated::NeedsChange(what),
        _ => Stated::Refused,
    }
}
