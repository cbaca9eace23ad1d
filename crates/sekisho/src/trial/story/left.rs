//! An organisation whose contract ends before the intruder comes: what is left of it on the disk,
//! in the keys and at the doors, and what the intruder then gets of it.

use crate::arguments::Arguments;
use crate::client;
use crate::commands;
use crate::outcome::{Outcome, Trouble};
use crate::trial::clients;
use crate::trial::markers::{Marker, Side, word};
use crate::trial::stage::House;
use drill::Asset;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wire::admin::Request;

const NAME: &str = "Example Past";
const DOMAIN: &str = "past.example";
const DANA: &str = "dana@past.example";
/// A destruction takes seconds; on a machine that does much else, some.
const END_LIMIT: Duration = Duration::from_secs(90);
const PULSE: Duration = Duration::from_millis(200);
/// Letters of this organisation.
const LETTERS: usize = 3;

/// What was measured of it before the intruder came.
pub struct Left {
    /// Its planted words, among those of the house.
    pub markers: Vec<Marker>,
    secret: String,
    told: Value,
}

/// Makes it, lets a person of it read, ends the contract, and looks for what is left.
pub fn end_a_contract(house: &mut House) -> Result<Left, Trouble> {
    let before = house.markers.len();
    let secret = move_in(house)?;
    let read = reads(house, &secret);
    let keys_before = shredded(house);
    let begun = Instant::now();
    let end = Request::TenantTerminate { name: NAME.to_owned(), grace_ms: 0 };
    client::value(&house.data, &end)?;
    await_destruction(house)?;
    let ended_ms = begun.elapsed().as_millis() as u64;
    let markers: Vec<Marker> = house.markers.iter().skip(before).cloned().collect();
    let mut words = vec!["search-remains".to_owned()];
    for marker in &markers {
        words.extend(["--marker".to_owned(), marker.text.clone()]);
    }
    let searched = typed(house, words)?;
    let paper = house.data.with_extension("certificate");
    let words = ["certificate", NAME, "--to"].map(str::to_owned).into_iter();
    let certificate =
        await_certificate(house, &words.chain([paper.display().to_string()]).collect::<Vec<_>>());
    let _ = std::fs::remove_dir_all(&paper);
    let told = json!({
        "letters_before": read.then_some(LETTERS),
        "ended_ms": ended_ms,
        "found": searched.get("found"),
        "unread": searched.get("unread").and_then(Value::as_array).map(Vec::len),
        "files": searched.get("files"),
        "keys_destroyed": shredded(house).saturating_sub(keys_before),
        "certificate": certificate,
    });
    Ok(Left { markers, secret, told })
}

impl Left {
    /// With what came to light afterwards: its words in the intruder's hands, and its own door.
    pub fn told(&self, house: &House) -> Value {
        let mut told = self.told.clone();
        if let Some(fields) = told.as_object_mut() {
            fields.insert("door_opened".to_owned(), json!(reads(house, &self.secret)));
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
    let user = Request::UserAdd {
        address: DANA.to_owned(),
        tenant,
        role: None,
        aliases: Vec::new(),
        password: None,
    };
    client::value(&house.data, &user)?;
    let add = Request::AppPasswordAdd {
        address: DANA.to_owned(),
        protocol: "imap".to_owned(),
        device: Some(word()),
        secret_seed: None,
    };
    let made = client::value(&house.data, &add)?;
    let secret = made.get("secret").and_then(Value::as_str).unwrap_or_default().to_owned();
    house.markers.push(Marker::new(Asset::AccountSecrets, Side::B, secret.as_str()));
    for _ in 0..LETTERS {
        house.plant_at(DANA)?;
    }
    Ok(secret)
}

fn reads(house: &House, secret: &str) -> bool {
    clients::reading(house, DANA, secret).join().is_ok_and(|reading| reading.let_in)
}

/// Keys that the vault has destroyed.
fn shredded(house: &House) -> usize {
    vault::look(&house.data.join("vault")).map_or(0, |told| told.shredded)
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
        let mut items = endings.get("items").and_then(Value::as_array).into_iter().flatten();
        if items.any(|item| item.get("state").and_then(Value::as_str) == Some("destroyed")) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Trouble::fault("a contract did not end in time", "see `tenant endings`"));
        }
        std::thread::sleep(PULSE);
    }
}

/// It waits for the mirror's signature over the last entry.
fn await_certificate(house: &House, words: &[String]) -> bool {
    let until = Instant::now() + END_LIMIT;
    loop {
        let paper = typed(house, words.to_vec()).unwrap_or_default();
        let is_cosigned = paper.get("cosigned").and_then(Value::as_bool).unwrap_or(false);
        if is_cosigned || Instant::now() >= until {
            return is_cosigned;
        }
        std::thread::sleep(PULSE);
    }
}
