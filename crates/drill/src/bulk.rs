//! A hostile access that reads beyond every budget: what one person may open, again and again.

use crate::access::{ask_release, release};
use crate::intruder::Intruder;
use crate::report::{Count, Told};
use std::time::{Duration, Instant};
use wire::vault::{Class, Item, ToAccess};

/// Bodies in one question.
const ITEMS: usize = 100;
/// Far beyond the vault's bound; an end for a vault that has none.
const ENOUGH: u64 = 250_000;
const LIMIT: Duration = Duration::from_secs(150);
/// Between two questions to a vault that says "later".
const PAUSE: Duration = Duration::from_millis(50);

/// The first reading opened them. From here on the wrapped keys are left out: the vault counts and
/// records what is asked for all the same, and its processors are not what is tried.
pub fn devour(intruder: &mut Intruder) {
    let bodies: Vec<Item> = intruder.access.bodies.iter().take(ITEMS).cloned().collect();
    let empty = |item: &Item| Item { wrapped: Vec::new(), ..item.clone() };
    let asked: Vec<Item> = bodies.iter().map(empty).collect();
    let until = Instant::now() + LIMIT;
    let mut granted = 0;
    intruder.tell(&Told::Lies);
    while granted < ENOUGH && !asked.is_empty() && Instant::now() < until {
        match ask_release(intruder, Class::Body, asked.clone()) {
            Some(ToAccess::Released(_)) => granted += asked.len() as u64,
            Some(ToAccess::EvidenceAway) => std::thread::sleep(PAUSE),
            Some(_) | None => break,
        }
    }
    intruder.tell(&Told::Counted { what: Count::Granted, count: granted });
    // Whole again, one by one: whatever is left of the budget is less than one body.
    let mut opened = 0;
    for item in bodies {
        let keys = release(intruder, Class::Body, vec![item]).unwrap_or_default();
        opened += keys.iter().flatten().count() as u64;
    }
    intruder.tell(&Told::Counted { what: Count::AfterStop, count: opened });
}
