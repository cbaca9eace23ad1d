//! The control to a turn: the same compartment is ended, the same mail comes, the same people read
//! and a stranger tries, and nobody hostile is there. What is lost or alarmed about here is not
//! an intruder's doing; only where nothing is does a cell of the turn speak of the intruder.

use super::clients;
use super::markers::Side;
use super::play::{RECORD_LAG, settle};
use super::stage::House;
use crate::client;
use serde_json::{Value, json};
use terms::Kind;
use wire::admin::Request;

const LETTERS: usize = 2;

/// What became of the same traffic without an intruder.
#[derive(Default)]
pub struct Control {
    letters: usize,
    /// Found by their sender, once each.
    kept: usize,
    /// People who read, and those of them who got what had come for them.
    readings: usize,
    read: usize,
    /// Octets that a stranger with no secret read.
    by_stranger: usize,
    alarms: Vec<String>,
    got_out: u64,
    is_whole: bool,
}

/// Plays it. An honest instance of the kind is ended first, as an intruder's coming ends one.
pub fn play(house: &mut House, kind: Kind) -> Control {
    house.watch.pump();
    house.outside.arrived();
    let before = house.watch.alarms.len();
    house.watch.end_all(kind);
    let is_whole = settle(house, kind, &[]);
    let mut control = Control { letters: LETTERS, is_whole, ..Control::default() };
    let sent: Vec<String> = (0..LETTERS).filter_map(|_| house.post_in_flight().ok()).collect();
    control.kept = sent.iter().filter(|sender| house.kept_as(sender).len() == 1).count();
    for side in [Side::A, Side::B] {
        let Some(reading) = clients::person_reading(house, side) else { continue };
        control.readings += 1;
        let Ok(reading) = reading.join() else { continue };
        // The letters were for the one side; the other reads what it has.
        let has = |sender: &String| {
            reading.octets.windows(sender.len()).any(|window| window == sender.as_bytes())
        };
        let is_due = side != Side::A || sent.iter().all(has);
        control.read += usize::from(reading.let_in && !reading.octets.is_empty() && is_due);
    }
    let stranger = clients::reading(house, "stranger@attacker.example", "sk-i-nothing");
    control.by_stranger = stranger.join().map_or(0, |reading| reading.octets.len());
    let _ = client::value(&house.data, &Request::Status);
    // An alarm may come a moment after its cause.
    std::thread::sleep(RECORD_LAG);
    house.watch.pump();
    let alarms = house.watch.alarms.iter().skip(before);
    control.alarms = alarms.map(|alarm| format!("{} {}", alarm.kind.word(), alarm.call)).collect();
    control.got_out = house.outside.arrived();
    control
}

impl Control {
    /// What went wrong with nobody hostile there, in words.
    pub fn failed(&self) -> Option<String> {
        let Self { letters, kept, readings, read, by_stranger, alarms, got_out, is_whole } = self;
        let is_well = kept == letters
            && read == readings
            && *by_stranger == 0
            && alarms.is_empty()
            && *got_out == 0
            && *is_whole;
        (!is_well).then(|| {
            format!(
                "without an intruder {kept} of {letters} letters were kept, {read} of {readings} \
                 people read theirs, a stranger read {by_stranger} octets, {got_out} packets got \
                 out, mail passed again: {is_whole}, alarms: {}",
                alarms.join(", ")
            )
        })
    }

    pub fn json(&self) -> Value {
        json!({
            "letters": self.letters,
            "kept": self.kept,
            "readings": self.readings,
            "read": self.read,
            "by_stranger": self.by_stranger,
            "alarms": self.alarms.len(),
            "got_out": self.got_out,
            "held": self.failed().is_none(),
        })
    }
}
