//! Addresses guessed, one call each: what is not guessed stays unknown.

use crate::channels::{ask, word};
use crate::intruder::Intruder;
use crate::report::Asset;
use serde::Serialize;
use terms::Kind;

const GUESSES: u32 = 200;

/// `question`: how this kind asks for one address; `is_known`: whether the answer names somebody.
pub fn guess<Q: Serialize>(
    intruder: &mut Intruder,
    domain: &str,
    asset: Asset,
    question: impl Fn(String) -> Q,
    is_known: impl Fn(&[u8]) -> bool,
) {
    let mut known = 0;
    for guess in 0..GUESSES {
        let local = match guess {
            0 => "*".to_owned(),
            1 => "%".to_owned(),
            2 => String::new(),
            guess => format!("m-{guess:08x}"),
        };
        let question = question(format!("{local}@{domain}"));
        let (taken, answer) = ask(intruder, Kind::Directory, &question, "guessed addresses");
        known += u32::from(is_known(&answer));
        if taken == crate::channels::Taken::NoChannel {
            break;
        }
    }
    let act = format!("guess {GUESSES} addresses");
    word(intruder, asset, &act, known == 0, &format!("{known} known"));
}
