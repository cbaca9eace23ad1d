//! A hostile author that writes entries of nothing, as fast as it goes.

use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Count, Told};
use evidence::Body;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::ledger::{FromLedger, ToLedger};

/// Entries of one append.
const TOGETHER: usize = 8_000;
/// So many are signed anew, which takes an intruder's time; then the last are sent again and again:
/// what stands in the log already costs its author its pace as well.
const NEW: u64 = 120_000;
/// It ends by itself at last.
const LIMIT: Duration = Duration::from_secs(120);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Until the drill has seen enough.
pub fn flood(intruder: &mut Intruder) {
    let Some(mut author) = intruder.author.take() else { return };
    let until = Instant::now() + LIMIT;
    let (mut taken, mut held_back) = (0, 0);
    let (mut entries, mut is_taken): (Vec<Vec<u8>>, bool) = (Vec::new(), true);
    intruder.tell(&Told::Lies);
    while Instant::now() < until && !intruder.is_called() {
        // What was refused is sent again: a number left out would never be taken.
        if is_taken && taken < NEW {
            entries.clear();
            let now = compartment::now_ms();
            let more = (0..TOGETHER).filter_map(|_| author.sign(now, Body::Heartbeat {}));
            entries.extend(more);
        }
        let count = entries.len() as u64;
        let append = ToLedger::Append { entries: entries.clone(), prove: false };
        let Some(ledger) = intruder.channel(Kind::Ledger, JOIN_LIMIT) else { break };
        match ledger.ask(&append, &[], ANSWER_LIMIT) {
            Ok((FromLedger::Taken { .. }, _)) => {
                taken += count;
                is_taken = true;
            }
            Ok((FromLedger::Away, _)) => {
                held_back += count;
                is_taken = false;
                std::thread::sleep(PAUSE);
            }
            Ok(_) | Err(_) => break,
        }
    }
    intruder.tell(&Told::Counted { what: Count::Taken, count: taken });
    intruder.tell(&Told::Counted { what: Count::HeldBack, count: held_back });
}
