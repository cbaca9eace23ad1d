//! Questions that nobody of this kind may ask, over channels that it has.

use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Told};
use serde::Serialize;
use std::time::Duration;
use terms::Kind;

/// Peers answer in milliseconds, or drop the channel.
const ANSWER_LIMIT: Duration = Duration::from_millis(700);

/// How a peer took a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    NoChannel,
    /// It dropped the channel.
    Dropped,
    /// It said nothing.
    Silent,
    Answered,
}

/// Asks, and hands on whatever comes back.
pub fn ask<Q: Serialize>(
    intruder: &mut Intruder,
    peer: Kind,
    question: &Q,
    how: &str,
) -> (Taken, Vec<u8>) {
    let Some(channel) = intruder.channel(peer, JOIN_LIMIT) else {
        return (Taken::NoChannel, Vec::new());
    };
    let call = channel.next_call();
    if channel.send(call, question, &[]).is_err() {
        intruder.lost(peer);
        return (Taken::Dropped, Vec::new());
    }
    let answer = loop {
        match channel.receive(Some(ANSWER_LIMIT)) {
            Ok(frame) if frame.call == call => break Ok(frame),
            Ok(_) => {}
            Err(fault) => break Err(fault),
        }
    };
    match answer {
        Ok(frame) => {
            intruder.obtained(how, frame.payload.clone());
            (Taken::Answered, frame.payload)
        }
        Err(wire::Fault::Silent) => (Taken::Silent, Vec::new()),
        Err(_) => {
            intruder.lost(peer);
            (Taken::Dropped, Vec::new())
        }
    }
}

/// A question outside the peer's enum for us: anything but data is a denial, and data is looked
/// through for markers anyway.
pub fn forbidden<Q: Serialize>(
    intruder: &mut Intruder,
    asset: Asset,
    peer: Kind,
    question: &Q,
    act: &str,
) {
    let (taken, _) = ask(intruder, peer, question, act);
    // The answer's octets were handed on: whether they hold anything is for the drill to say.
    word(intruder, asset, act, true, &format!("{taken:?}"));
}

pub fn word(intruder: &Intruder, asset: Asset, act: &str, held: bool, answer: &str) {
    let (act, answer) = (act.to_owned(), answer.to_owned());
    intruder.tell(&Told::Word { asset, act, held, answer });
}
