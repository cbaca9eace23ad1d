//! Remotes that answer by chance: whatever they say, each leg ends once, nothing is taken twice,
//! and no line is broken.

use super::neighbourhood::remote::Remote;
use super::neighbourhood::{Letter, Plan};
use super::{Limits, settle_with};
use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

const LETTERS: u8 = 6;

thread_local! {
    /// Each connection of a remote has a thread of its own.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

fn chance(below: u64) -> u64 {
    STATE.with(|state| {
        let next = state.get().wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state.set(next);
        (next >> 33) % below
    })
}

/// Mostly polite. What it does follows from the seed, which is the first thing that it is asked
/// by: the name of its host in `greet` is not there, so the number of the connection is.
fn way(number: usize, line: &str) -> Option<String> {
    if line == "greet" {
        STATE.with(|state| state.set((number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    }
    let odd = chance(5) == 0;
    let said = match chance(16) {
        _ if !odd => return None,
        0 | 1 => "(close)",
        2 => "(silence)",
        3 => "421 4.3.2 going\r\n",
        4 => "450 4.2.1 later\r\n",
        5 => "550 5.1.1 no\r\n",
        6 => "250 2.0.0 ok\r\n",
        7 => "354 go\r\n",
        8 => "250-half\r\n",
        9 => "\r\n",
        10 => "250 one\r\n250 two\r\n",
        11 => "(slow)250 2.0.0 ok\r\n",
        12 => "452 4.5.3 too many\r\n",
        13 => "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1 MAILMAX=2\r\n",
        14 => "999 what\r\n",
        _ => "554 5.7.1 spam\r\n",
    };
    Some(said.to_owned())
}

#[test]
fn fuzz_remotes() {
    let factor: usize = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
    let remotes = [Remote::that(way), Remote::that(way)];
    let mut plan = Plan::default();
    plan.mx("there.example", &[(10, "a.example"), (20, "b.example")]);
    plan.at("a.example", &remotes[0]);
    plan.at("b.example", &remotes[1]);
    let limits = Limits {
        answer: Duration::from_millis(100),
        piece: Duration::from_secs(5),
        ..super::impatient()
    };
    let house = settle_with(plan, limits);
    for _ in 0..20 * factor {
        let letters: Vec<Letter> = (1..=LETTERS)
            .map(|number| {
                let text = format!("Subject: letter {number}\r\n\r\n.\r\n..\r\nx\r\n").into_bytes();
                let people = ["a@there.example", "b@there.example"];
                Letter { text, ..Letter::out(&people).numbered(number) }
            })
            .collect();
        for remote in &remotes {
            remote.heard.lock().unwrap().texts.clear();
        }
        let outcomes = house.carry(&letters);
        let mut ended: Vec<&str> = outcomes.iter().map(|one| &one[..1]).collect();
        ended.sort_unstable();
        assert_eq!(ended, ["1", "2", "3", "4", "5", "6"], "{outcomes:?}");
        let mut taken: HashMap<String, usize> = HashMap::new();
        for text in remotes.iter().flat_map(Remote::texts) {
            assert!(text.ends_with("\r\n\r\n.\r\n..\r\nx\r\n"), "{text:?}");
            *taken.entry(text).or_default() += 1;
        }
        // Twice at most, for two recipients that a remote wants in letters of their own.
        assert!(taken.values().all(|count| *count <= 2), "{taken:?}");
    }
    remotes.iter().for_each(Remote::heard_only_whole_lines);
}
