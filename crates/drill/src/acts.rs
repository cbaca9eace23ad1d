//! Calls off charter, other people's files, descriptors that should not be there.

use crate::intruder::Intruder;
use crate::report::{Asset, Facts, Told};
use compartment::hostile::{ACTS, Act, descriptors, read_file};
use std::io;

/// The talk, the control channel and what was joined; more than this is unexplained at birth.
const FIRST_DESCRIPTOR: i32 = 3;

pub fn try_everything(intruder: &mut Intruder, facts: &Facts) {
    intruder.gather();
    look_around(intruder);
    for act in ACTS {
        try_one(intruder, act, facts.victim);
    }
    for (asset, path) in &facts.files {
        let found = read_file(path);
        told(intruder, *asset, &format!("open {path}"), "openat", &found);
        if let Ok(octets) = found {
            intruder.obtained(path, octets);
        }
    }
}

/// The first thing that most intruders try.
pub fn one(intruder: &mut Intruder) {
    if let Some(act) = ACTS.first() {
        try_one(intruder, act, 0);
    }
}

fn try_one(intruder: &Intruder, act: &Act, victim: u32) {
    let asset = Asset::parse(act.asset).unwrap_or(Asset::Host);
    told(intruder, asset, act.name, act.call, &act.attempt(victim));
}

fn told<T>(intruder: &Intruder, asset: Asset, act: &str, call: &str, done: &io::Result<T>) {
    let errno = done.as_ref().err().map(|error| error.raw_os_error().unwrap_or(-1));
    intruder.tell(&Told::Act { asset, act: act.to_owned(), call: call.to_owned(), errno });
}

/// A descriptor nobody named, or one out of the way of the low numbers, would be somebody else's.
fn look_around(intruder: &Intruder) {
    let found = descriptors();
    // Control and talk, what was joined or handed over.
    let given = intruder.held.len() + intruder.listeners.len() + intruder.resolvers.len();
    // The vault's keys lie in a file that it holds open.
    let own = intruder.house.descriptors.len() + usize::from(intruder.opener.is_some());
    let explained = 2 + given + own;
    let is_dense = found.iter().all(|fd| *fd >= FIRST_DESCRIPTOR);
    let held = is_dense && found.len() <= explained;
    let (asset, act) = (Asset::Host, "descriptors beyond the named ones".to_owned());
    intruder.tell(&Told::Word { asset, act, held, answer: format!("{found:?}") });
}
