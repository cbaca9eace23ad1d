//! What an intruder in any keeper does: reads the keeper's whole store, listens to everything that
//! it is asked, lies in its own name and others', and looks for channels that nobody gave it.

use crate::channels::{ask, word};
use crate::intruder::Intruder;
use crate::ledgers;
use crate::report::{Asset, Facts, Told};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::charter;
use wire::control::Report;

const PULSE: Duration = Duration::from_millis(20);
/// Of one file of a store.
const FILE_BYTES: u64 = 8 * 1024 * 1024;
/// Files of a store.
const FILES: usize = 200;

pub fn nothing(_: &mut Intruder, _: &Facts) {}

pub fn abuse(intruder: &mut Intruder, _: &Facts) {
    read_store(intruder);
    look_for_channels(intruder);
    own_key(intruder);
    ledgers::write_for_others(intruder);
}

/// Every octet of the keeper's own folder.
pub fn read_store(intruder: &Intruder) {
    let Some(folder) = intruder.house.start.folder.clone() else { return };
    let inside = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    for path in inside.map(|entry| entry.path()).filter(|path| path.is_file()).take(FILES) {
        let is_small = path.metadata().is_ok_and(|found| found.len() <= FILE_BYTES);
        if let (true, Ok(octets)) = (is_small, std::fs::read(&path)) {
            intruder.obtained("its own store", octets);
        }
    }
}

/// Every row of a table that opens under a key in hand.
pub fn open_rows(intruder: &Intruder, file: &str, key: &[u8], sql: &str, table: &str) {
    let Some(folder) = intruder.house.start.folder.clone() else { return };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(db) = Connection::open_with_flags(Path::new(&folder).join(file), flags) else { return };
    let key = rows::RowKey::new(key);
    let Ok(mut query) = db.prepare(sql) else { return };
    let row = |row: &rusqlite::Row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
    let Ok(found) = query.query_map([], row) else { return };
    for (id, sealed) in found.flatten() {
        if let Some(plain) = key.open(table, &id, &sealed) {
            intruder.obtained("rows of its own store, opened", plain);
        }
    }
}

/// Channels to peers that the charter does not name would be somebody's mistake.
pub fn look_for_channels(intruder: &mut Intruder) {
    intruder.gather();
    let own = intruder.kind;
    let asks = charter(own).map(|charter| charter.asks).unwrap_or_default();
    for (kind, asset) in [
        (Kind::Vault, Asset::AccountSecrets),
        (Kind::Mailbox, Asset::StoredHeaders),
        (Kind::Directory, Asset::OtherTenants),
        (Kind::Mirror, Asset::Evidence),
    ] {
        let is_client = charter(kind).is_some_and(|charter| charter.asks.contains(&own));
        if kind != own && !asks.contains(&kind) && !is_client {
            let none = !intruder.held.iter().any(|(label, _)| label.kind == kind);
            word(intruder, asset, &format!("a channel to {}", kind.word()), none, "none");
        }
    }
}

/// The key that the vault hands to this keeper at its start; what it opens is the keeper's own.
fn own_key(intruder: &mut Intruder) {
    if intruder.kind == Kind::Signer {
        let question = wire::vault::FromSigner::StorageKey;
        let _ = ask(intruder, Kind::Vault, &question, "the storage key of TLS keys");
    }
    // Whoever is no directory asks as one.
    let question = wire::vault::FromDirectory::PolicyKey;
    if intruder.channel(Kind::Vault, Duration::ZERO).is_some() {
        let act = "ask the vault as the directory does";
        crate::channels::forbidden(intruder, Asset::OtherTenants, Kind::Vault, &question, act);
    }
}

/// Takes down whatever is asked of it, and answers nothing: silence is the worst that it can do.
pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        overhear(intruder);
        std::thread::sleep(PULSE);
    }
    overhear(intruder);
}

/// Says that it lives where the warden asked; whether it did. Waits a little.
pub fn answer_pulse(intruder: &mut Intruder) -> bool {
    intruder.gather();
    let was_pulsed = std::mem::take(&mut intruder.was_pulsed);
    if was_pulsed {
        let _ = intruder.house.report(&Report::Alive, &[]);
    }
    std::thread::sleep(PULSE);
    was_pulsed
}

/// Answers the warden as an honest keeper does; then nothing, to anybody.
pub fn fall_silent(intruder: &mut Intruder, lively: Duration, silent: Duration) {
    let until = Instant::now() + lively;
    while !answer_pulse(intruder) || Instant::now() < until {}
    intruder.tell(&Told::Lies);
    let until = Instant::now() + silent;
    while Instant::now() < until && !intruder.is_called() {
        std::thread::sleep(PULSE);
    }
}

fn overhear(intruder: &mut Intruder) {
    intruder.gather();
    let mut heard = Vec::new();
    intruder.held.retain(|(_, channel)| {
        loop {
            match channel.take() {
                Ok(Some(frame)) => heard.push(frame.payload),
                Ok(None) => break true,
                Err(_) => break false,
            }
        }
    });
    heard.into_iter().for_each(|payload| intruder.obtained("what it was asked", payload));
}
