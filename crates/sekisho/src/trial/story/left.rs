//! An organisation whose contract ends before the intruder comes: what is left of it on the disk,
//! in the keys and at the doors; what the intruder then gets of it; and what a thief can still
//! open who had copied its ciphertext before, and owns the vault afterwards.

use crate::arguments::Arguments;
use crate::client;
use crate::commands;
use crate::outcome::{Outcome, Trouble};
use crate::trial::cast::{Intruder, WORK_LIMIT};
use crate::trial::markers::{Marker, Side};
use crate::trial::play;
use crate::trial::stage::House;
use crate::trial::{clients, doorstep};
use drill::{Ask, Sealed, Told};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use terms::{Kind, MessageId};
use wire::admin::Request;

const NAME: &str = "Example Past";
const DOMAIN: &str = "past.example";
const DANA: &str = "dana@past.example";
/// A destruction takes seconds, and the service's own look after the keys of backups comes every
/// twenty; on a machine that does much else, more.
const END_LIMIT: Duration = Duration::from_secs(180);
/// The mirror signs within a second.
const COSIGNED_LIMIT: Duration = Duration::from_secs(30);
const PULSE: Duration = Duration::from_millis(200);
/// Letters of this organisation.
const LETTERS: usize = 3;
/// Of a ciphertext, what is looked for on the disk: it stands nowhere else in the world.
const TRACE_BYTES: usize = 32;
/// Files of a drill's house are small; the log of its evidence holds ids only.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// What was measured of it before the intruder came.
pub struct Left {
    /// Its planted words, among those of the house.
    pub markers: Vec<Marker>,
    secret: String,
    stolen: Vec<Sealed>,
    told: Value,
}

/// Makes it, lets a person of it read, has a thief copy what that person may read, ends the
/// contract, and looks for what is left.
pub fn end_a_contract(house: &mut House) -> Result<Left, Trouble> {
    // As whoever runs a house does: without it the keys of ended backups are destroyed by nobody,
    // and no contract is over.
    commands::search_daily(house.data.clone());
    let before = house.markers.len();
    let secret = move_in(house)?;
    let read = reads(house, &secret);
    let stolen = steal(house, &secret)?;
    let markers: Vec<Marker> = house.markers.iter().skip(before).cloned().collect();
    let traces = traces(&stolen);
    let traces_before = standing(&house.data, &traces);
    let keys_before = shredded(house);
    let begun = Instant::now();
    let end = Request::TenantTerminate { name: NAME.to_owned(), grace_ms: 0 };
    client::value(&house.data, &end)?;
    await_destruction(house)?;
    let ended_ms = begun.elapsed().as_millis() as u64;
    let searched = search(house, &markers, &traces)?;
    let told = json!({
        "letters_before": read.then_some(LETTERS),
        "ended_ms": ended_ms,
        "ciphertexts": traces.len(),
        "ciphertexts_on_disk_before": traces_before,
        "ciphertexts_on_disk_after": standing(&house.data, &traces),
        "found": searched.get("found"),
        "unread": searched.get("unread").and_then(Value::as_array).map(Vec::len),
        "files": searched.get("files"),
        "keys_destroyed": shredded(house).saturating_sub(keys_before),
        "certificate": certificate(house),
    });
    Ok(Left { markers, secret, stolen, told })
}

impl Left {
    /// With what came to light afterwards: its own door, and what the thief opens who owns the
    /// vault now. `living`: ciphertext of somebody whose contract goes on, so that "nothing" is
    /// not the thief's want of skill.
    pub fn told(&self, house: &mut House, living: &[Sealed]) -> Value {
        let mut told = self.told.clone();
        let door_opened = reads(house, &self.secret);
        let all: Vec<Sealed> = self.stolen.iter().chain(living).cloned().collect();
        let opened = open_with_an_owned_vault(house, all);
        let of = |parts: &[Sealed]| {
            let messages: BTreeSet<MessageId> = parts.iter().map(|part| part.message).collect();
            (messages.len(), messages.intersection(&opened).count())
        };
        let ((theirs, opened_theirs), (others, opened_others)) = (of(&self.stolen), of(living));
        if let Some(fields) = told.as_object_mut() {
            fields.insert("door_opened".to_owned(), json!(door_opened));
            fields.insert(
                "owned_vault".to_owned(),
                json!({ "stolen": theirs, "opened": opened_theirs,
                    "stolen_of_the_living": others, "opened_of_the_living": opened_others }),
            );
        }
        told
    }
}

/// A contract with one person and letters full of markers; the person's secret.
fn move_in(house: &mut House) -> Result<String, Trouble> {
    let tenant = NAME.to_owned();
    client::value(&house.data, &Request::TenantAdd { name: tenant.clone() })?;
    let domain = Request::DomainAdd { domain: DOMAIN.to_owned(), tenant: tenant.clone() };
    client::value(&house.data, &domain)?;
    let secret = house.settle_in(DANA, &tenant, Side::B)?;
    for _ in 0..LETTERS {
        house.plant_at(DANA, Side::B)?;
    }
    Ok(secret)
}

/// By a hostile access that the person signed in to: ciphertext and wrapped keys, as they lie on
/// the disk.
fn steal(house: &mut House, secret: &str) -> Result<Vec<Sealed>, Trouble> {
    let (mut cast, mut phase) = play::raise(house, Kind::Access, None)?;
    cast.gather(&mut phase, 2);
    let whose = (DANA.to_owned(), secret.to_owned(), Side::B);
    doorstep::sign_in_as(house, &mut cast, &mut phase, &whose);
    let stolen = phase.intruders.iter().flat_map(Intruder::sealed).collect();
    play::dismiss(house, cast, &mut phase);
    Ok(stolen)
}

fn open_with_an_owned_vault(house: &mut House, stolen: Vec<Sealed>) -> BTreeSet<MessageId> {
    let Ok((mut cast, mut phase)) = play::raise(house, Kind::Vault, None) else {
        return BTreeSet::new();
    };
    cast.gather(&mut phase, 1);
    if let Some(first) = phase.intruders.first_mut() {
        first.ask(&Ask::Open(stolen));
        first.finish(WORK_LIMIT);
        first.ask(&Ask::Leave);
        first.drain();
    }
    let told = phase.intruders.iter().flat_map(|one| &one.told);
    let opened = told.filter_map(|told| match told {
        Told::Passed(message) => Some(*message),
        _ => None,
    });
    let opened = opened.collect();
    play::dismiss(house, cast, &mut phase);
    opened
}

fn reads(house: &House, secret: &str) -> bool {
    clients::reading(house, DANA, secret).join().is_ok_and(|reading| reading.let_in)
}

/// Beginnings of ciphertexts, and wrapped keys.
fn traces(stolen: &[Sealed]) -> BTreeSet<Vec<u8>> {
    let contents = stolen.iter().filter_map(|part| part.content.get(..TRACE_BYTES));
    let keys = stolen.iter().map(|part| part.wrapped.as_slice());
    contents.chain(keys).filter(|trace| trace.len() >= TRACE_BYTES).map(<[u8]>::to_vec).collect()
}

/// How many of these stand in some file below a folder: our own eyes beside the product's search.
fn standing(folder: &Path, traces: &BTreeSet<Vec<u8>>) -> usize {
    let mut found: BTreeSet<&[u8]> = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(path),
                Ok(about) if about.is_file() && about.len() <= FILE_BYTES => {
                    let octets = std::fs::read(path).unwrap_or_default();
                    let stands = |trace: &&Vec<u8>| {
                        octets.windows(trace.len()).any(|window| window == trace.as_slice())
                    };
                    found.extend(traces.iter().filter(stands).map(Vec::as_slice));
                }
                _ => {}
            }
        }
    }
    found.len()
}

/// Keys that the vault has destroyed.
fn shredded(house: &House) -> usize {
    vault::look(&house.data.join("vault")).map_or(0, |told| told.shredded)
}

/// The product's own search, with every planted word and every trace.
fn search(house: &House, markers: &[Marker], traces: &BTreeSet<Vec<u8>>) -> Result<Value, Trouble> {
    let mut words = vec!["search-remains".to_owned()];
    let texts = markers.iter().map(|marker| marker.text.clone());
    let hex = traces.iter().map(|trace| format!("hex:{}", data_encoding::HEXLOWER.encode(trace)));
    for wanted in texts.chain(hex) {
        words.extend(["--marker".to_owned(), wanted]);
    }
    typed(house, words)
}

/// As an operator types it.
fn typed(house: &House, mut words: Vec<String>) -> Result<Value, Trouble> {
    words.extend(["--data".to_owned(), house.data.display().to_string()]);
    match commands::act("tenant", Arguments::new(words), true)? {
        Outcome::Done(value) | Outcome::Wanting(value) => Ok(value),
        Outcome::Told(_) => Ok(Value::Null),
        Outcome::Part(_, trouble) => Err(trouble),
    }
}

fn await_destruction(house: &House) -> Result<(), Trouble> {
    let until = Instant::now() + END_LIMIT;
    loop {
        let endings = client::value(&house.data, &Request::Endings)?;
        let items = endings.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let state = items.first().and_then(|item| item.get("state")?.as_str().map(str::to_owned));
        if state.as_deref() == Some("destroyed") {
            return Ok(());
        }
        if Instant::now() >= until {
            let what = format!("a contract did not end in time: {endings}");
            return Err(Trouble::fault(what, "see `tenant endings`"));
        }
        std::thread::sleep(PULSE);
    }
}

/// Whether there is one that the mirror signed, too: it waits for the last entry's cosignature.
fn certificate(house: &House) -> bool {
    let until = Instant::now() + COSIGNED_LIMIT;
    loop {
        let words = ["certificate", NAME].map(str::to_owned).to_vec();
        let told = typed(house, words).unwrap_or_default();
        let is_cosigned = told.get("cosigned").and_then(Value::as_bool).unwrap_or(false);
        if is_cosigned || Instant::now() >= until {
            return is_cosigned;
        }
        std::thread::sleep(PULSE);
    }
}
