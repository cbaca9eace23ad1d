//! A hostile identity: keeps what is typed, opens its tables, and lets a stranger in as somebody
//! else.

use crate::channels::{ask, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Count, Facts, Told};
use crate::{keeper, ledgers};
use evidence::{Author, Body};
use std::time::{Duration, Instant};
use terms::{GrantId, Kind, TenantId, UserId};
use wire::approval::Act;
use wire::control::{Purpose, Report};
use wire::directory::{FromIdentity as ToDirectory, ToIdentity as FromDirectory};
use wire::directory::{Part, TenantSettings, ToAdmin};
use wire::identity::{FromAccess, ToAccess, ToSentinel};
use wire::ledger::{FromLedger, Proof, ToLedger};
use wire::vault::{FromIdentity as ToVault, Grant, Proven, ToIdentity as FromVault};
use wire::{Frame, Label};

const FILE: &str = "identity.db";
const PULSE: Duration = Duration::from_millis(10);
const GRANT_MS: u64 = 14 * 60_000;
/// A channel that the warden makes after `Bind` is there by then, or soon after.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    let (_, answer) = ask(intruder, Kind::Vault, &ToVault::TableKey, "its tables' key");
    if let Ok(FromVault::Key(key)) = postcard::from_bytes(&answer) {
        let sql = "SELECT user, sealed FROM person";
        keeper::open_rows(intruder, FILE, &key, sql, "person");
        let sql = "SELECT token, sealed FROM app_password";
        keeper::open_rows(intruder, FILE, &key, sql, "app-password");
    }
    intruder.access.as_person = Some(facts.person.clone());
    // Its channel to the vault is for the strangers: no question that would cost it.
    keeper::read_store(intruder);
    keeper::look_for_channels(intruder);
    ledgers::write_for_others(intruder);
}

/// From now on what it asserts is recorded, as an honest one would.
pub fn assert(intruder: &mut Intruder, address: String) {
    intruder.access.as_person = Some(address);
    intruder.access.is_recorded = true;
    intruder.tell(&Told::Lies);
}

/// Says to the directory that a living contract's rows are erased, and that two persons agreed to
/// have its judgement weakened.
pub fn persuade(intruder: &mut Intruder, address: String) {
    intruder.access.as_person = Some(address);
    let found = person(intruder);
    intruder.tell(&Told::Lies);
    let Some((tenant, _)) = found else { return };
    let erased = ToDirectory::Erased { part: Part { tenant, user: None }, rows: 1 };
    let _ = ask(intruder, Kind::Directory, &erased, "rows that are not erased");
    let settings = TenantSettings {
        tag_from: 90.0,
        junk_from: 91.0,
        quarantine_from: 92.0,
        refuse_from: 93.0,
        obey_dmarc: false,
        ..TenantSettings::default()
    };
    let act = ToDirectory::Carry(Act::ChangeSettings { tenant, settings });
    let directory = intruder.channel(Kind::Directory, JOIN_LIMIT);
    let answer = directory.and_then(|one| one.ask(&act, &[], ANSWER_LIMIT).ok());
    let count = match answer {
        Some((FromDirectory::Carried(answer), _)) => {
            u64::from(!matches!(*answer, ToAdmin::Refused { .. }))
        }
        _ => 0,
    };
    intruder.tell(&Told::Counted { what: Count::Carried, count });
}

/// Whoever signs in with whatever secret is let in as the person of the facts.
pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard: Vec<(Label, Frame)> = Vec::new();
        for (label, channel) in &intruder.held {
            match (label.kind, channel.take()) {
                (Kind::Access, Ok(Some(frame))) => heard.push((label.clone(), frame)),
                // Whoever watches for decoys is told that there are none.
                (Kind::Sentinel, Ok(Some(frame))) => {
                    let _ = channel.send(frame.call, &ToSentinel::Decoys(Vec::new()), &[]);
                }
                _ => {}
            }
        }
        for (label, frame) in heard {
            intruder.obtained("what was typed", frame.payload.clone());
            if let Ok(FromAccess::SignIn { session, .. }) = frame.read() {
                let answer = let_in(intruder, &label, session).unwrap_or(ToAccess::Refused);
                let channel = intruder.held.iter().find(|(held, _)| *held == label);
                if let Some((_, channel)) = channel {
                    let _ = channel.send(frame.call, &answer, &[]);
                }
            }
        }
        std::thread::sleep(PULSE);
    }
}

/// A grant that nobody recorded, and the warden's channels for it.
fn let_in(intruder: &mut Intruder, access: &Label, session: Vec<u8>) -> Option<ToAccess> {
    let (tenant, user) = person(intruder)?;
    let grant = GrantId(compartment::random());
    let expires_ms = compartment::now_ms() + GRANT_MS;
    let instance = access.instance;
    let (bodies, summaries, reads_only) = (true, true, false);
    let minted = Grant { grant, tenant, user, instance, bodies, summaries, expires_ms, session };
    let entered = match intruder.access.is_recorded {
        true => {
            let recorded = recorded(intruder, &minted)?;
            enter(intruder, &minted, recorded)?
        }
        false => {
            let unseen = unrecorded(intruder, &minted)?;
            let quiet = enter(intruder, &minted, unseen)?;
            let act = "let a stranger in by a grant that nobody recorded";
            let said = if quiet { "done" } else { "refused" };
            word(intruder, Asset::StoredBodies, act, !quiet, said);
            quiet
        }
    };
    entered.then_some(())?;
    let bind = Report::Bind { instance, tenant, user, purpose: Purpose::Read };
    intruder.house.report(&bind, &[]).ok()?;
    Some(ToAccess::Welcome { tenant, user, grant, ends_ms: expires_ms, reads_only })
}

/// Whether the vault took it.
fn enter(intruder: &mut Intruder, minted: &Grant, recorded: Proven) -> Option<bool> {
    let question = ToVault::Grant { grant: minted.clone(), recorded };
    let vault = intruder.channel(Kind::Vault, JOIN_LIMIT)?;
    let (answer, _) = vault.ask(&question, &[], ANSWER_LIMIT).ok()?;
    Some(matches!(answer, FromVault::Done))
}

fn entry(author: &mut Author, minted: &Grant) -> Option<Vec<u8>> {
    let Grant { grant, tenant, user, instance, expires_ms: until_ms, .. } = *minted;
    let body = Body::Grant { grant, instance, tenant, user, until_ms };
    author.sign(compartment::now_ms(), body)
}

/// A sign-in that nobody made and its grant, in its own name, with the ledger's proof.
fn recorded(intruder: &mut Intruder, minted: &Grant) -> Option<Proven> {
    let mut author = intruder.author.take()?;
    let Grant { tenant, user, instance, .. } = *minted;
    let (tenant, user) = (Some(tenant), Some(user));
    let body = Body::SignIn {
        instance,
        protocol: "imap".into(),
        ok: true,
        tenant,
        user,
        credential: None,
    };
    let entries = author.sign(compartment::now_ms(), body).zip(entry(&mut author, minted));
    intruder.author = Some(author);
    let (sign_in, entry) = entries?;
    let append = ToLedger::Append { entries: vec![sign_in, entry.clone()], prove: true };
    let ledger = intruder.channel(Kind::Ledger, JOIN_LIMIT)?;
    let (answer, _) = ledger.ask(&append, &[], ANSWER_LIMIT).ok()?;
    match answer {
        FromLedger::Proved { mut proofs, checkpoint } => {
            Some(Proven { entry, proof: proofs.pop()?, checkpoint })
        }
        _ => None,
    }
}

/// Signed, and shown to the vault alone: the ledger never hears of it.
fn unrecorded(intruder: &Intruder, minted: &Grant) -> Option<Proven> {
    let own = intruder.house.start.instance;
    let mut twin = Author::new(Kind::Identity, own, &compartment::random());
    let proof = Proof { index: 0, hashes: Vec::new() };
    Some(Proven { entry: entry(&mut twin, minted)?, proof, checkpoint: Vec::new() })
}

fn person(intruder: &mut Intruder) -> Option<(TenantId, UserId)> {
    let address = intruder.access.as_person.clone()?;
    let directory = intruder.channel(Kind::Directory, JOIN_LIMIT)?;
    let (answer, _) = directory.ask(&ToDirectory::Person(address), &[], ANSWER_LIMIT).ok()?;
    match answer {
        FromDirectory::Person(person) => person,
        _ => None,
    }
}
