//! A hostile identity: keeps what is typed, opens its tables, and lets a stranger in as somebody
//! else.

use crate::channels::{ask, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts};
use crate::{keeper, ledgers};
use evidence::{Author, Body};
use std::time::{Duration, Instant};
use terms::{GrantId, Kind, TenantId, UserId};
use wire::control::{Purpose, Report};
use wire::directory::{FromIdentity as ToDirectory, ToIdentity as FromDirectory};
use wire::identity::{FromAccess, ToAccess};
use wire::ledger::Proof;
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

/// Whoever signs in with whatever secret is let in as the person of the facts.
pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        intruder.gather();
        let mut heard: Vec<(Label, Frame)> = Vec::new();
        for (label, channel) in &intruder.held {
            if let (Kind::Access, Ok(Some(frame))) = (label.kind, channel.take()) {
                heard.push((label.clone(), frame));
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
    let unseen = unrecorded(intruder, &minted)?;
    let quiet = enter(intruder, &minted, unseen)?;
    let act = "let a stranger in by a grant that nobody recorded";
    word(intruder, Asset::StoredBodies, act, !quiet, if quiet { "done" } else { "refused" });
    quiet.then_some(())?;
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
