//! Frames of every length arrive whole, each with its own octets, whatever came before it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use rustix::net::{SendFlags, send};
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::{Channel, Event, FRAME_BYTES, Fault, Hub, Label};

const LIMIT: Option<Duration> = Some(Duration::from_secs(20));

fn raw(from: &Channel, octets: &[u8]) {
    send(from, octets, SendFlags::empty()).unwrap();
}

#[test]
fn a_frame_arrives_whole_at_any_length() {
    let (one, other) = Channel::pair().unwrap();
    let short = 8 * 1024;
    let longest = FRAME_BYTES - 5;
    let lengths = [0, 1, short - 1, short, short + 1, 40_000, 3, longest - 1, longest, 0, short];
    for (call, length) in (1u32..).zip(lengths) {
        let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8 ^ call as u8).collect();
        let mut packet = call.to_le_bytes().to_vec();
        packet.push(0);
        packet.extend_from_slice(&payload);
        raw(&one, &packet);
        let frame = other.receive(LIMIT).unwrap();
        assert_eq!((frame.call, frame.payload.len()), (call, length));
        assert!(frame.payload == payload, "{length}");
    }
    assert!(other.take().unwrap().is_none());
}

#[test]
fn what_is_no_frame_is_told_from_one() {
    let (one, other) = Channel::pair().unwrap();
    raw(&one, &[1, 0, 0, 0]);
    assert!(matches!(other.receive(LIMIT), Err(Fault::Malformed)));
    raw(&one, &vec![0; FRAME_BYTES + 1]);
    let Err(Fault::TooLarge { found, limit }) = other.receive(LIMIT) else { panic!() };
    assert_eq!((found, limit), (FRAME_BYTES + 1, FRAME_BYTES));
    // The next one is not to blame.
    one.send(7, &"next", &[]).unwrap();
    assert_eq!(other.receive(LIMIT).unwrap().read::<String>().unwrap(), "next");
    drop(one);
    assert!(matches!(other.receive(LIMIT), Err(Fault::Gone)));
}

/// Whoever ends with something unread has said what it had said.
#[test]
fn last_words_are_heard_whatever_was_left_unread() {
    let spoken = |words: &[&str]| {
        let (one, other) = Channel::pair().unwrap();
        other.send(1, &"unread", &[]).unwrap();
        for word in words {
            one.send(7, word, &[]).unwrap();
        }
        other
    };
    let last = spoken(&["first", "last"]);
    for word in ["first", "last"] {
        assert_eq!(last.receive(LIMIT).unwrap().read::<String>().unwrap(), word);
    }
    assert!(matches!(last.take(), Err(Fault::Gone)));
    assert!(matches!(spoken(&[]).receive(LIMIT), Err(Fault::Unread)));

    let mut hub = Hub::new().unwrap();
    let label = Label { instance: InstanceId([1; 6]), kind: Kind::Edge, person: None };
    let peer = hub.seat(spoken(&["last"]), label).unwrap();
    let mut events = Vec::new();
    while !events.iter().any(|event| matches!(event, Event::Gone(..))) {
        events.extend(hub.wait(LIMIT).unwrap());
    }
    let is_word = |event: &Event| matches!(event, Event::Frame(from, _) if *from == peer);
    assert_eq!(events.iter().filter(|event| is_word(event)).count(), 1);
}
