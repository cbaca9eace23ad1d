//! The real keeper in its real walls: arrivals, a session, chores, and not one call off charter;
//! calls that are only witnessed are counted, for each costs 30 µs.
//! This program is its own compartment: birth re-executes it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::{FolderId, InstanceId, Kind, MessageId, TenantId, UserId, Verdict};
use wire::control::{Report, Start};
use wire::mailbox::*;
use wire::vault::Class;
use wire::{Channel, Label, Parcel};

const LIMIT: Duration = Duration::from_secs(10);
const PERSON: (TenantId, UserId) = (TenantId([1; 8]), UserId([2; 8]));
const INBOX: FolderId = FolderId([0, 0, 0, 1]);
const MESSAGES: u32 = 1_000;
/// Witnessed opens that so many messages may need: a new pack, a folder to be flushed.
const OPENS: u32 = 4;

fn main() -> ExitCode {
    walled::main(
        || mailbox::run(House::begin().unwrap()),
        || {
            let folder = walled::folder(Kind::Mailbox);
            for round in 0..2 {
                live_once(folder.to_str().unwrap(), round);
            }
            std::fs::remove_dir_all(&folder).unwrap();
        },
    )
}

fn join(control: &Channel, kind: Kind, person: Option<(TenantId, UserId)>) -> Channel {
    walled::join(control, Label { instance: InstanceId([kind.number() as u8; 6]), kind, person })
}

fn live_once(folder: &str, round: u32) {
    let start = Start {
        instance: InstanceId([round as u8; 6]),
        folder: Some(folder.to_owned()),
        ..Start::default()
    };
    let keeper = walled::born(Kind::Mailbox, start);
    assert!(matches!(keeper.ready, Report::Ready { author: Some(_), public: None }));
    arrivals(&keeper.control, round * MESSAGES);
    session(&keeper.control, (round + 1) * MESSAGES);
    keeper.stop();
    let witnessed = keeper.heard.witnessed();
    println!("witnessed opens: {witnessed} for {MESSAGES} messages");
    assert!(witnessed <= OPENS, "{witnessed} opens");
}

fn copy(number: u32, held: &mut Vec<OwnedFd>) -> Copy {
    let mut message = MessageId::default();
    message.0[..4].copy_from_slice(&number.to_be_bytes());
    let length = if number.is_multiple_of(50) { 400_000 } else { 4_096 };
    let mut part = |length: usize| SealedPart {
        epoch: 1,
        wrapped: vec![1; 140],
        content: Parcel::pack(vec![number as u8; length], wire::INLINE_BYTES, held).unwrap(),
    };
    Copy {
        tenant: PERSON.0,
        user: PERSON.1,
        message,
        place: Place::Inbox,
        size: length as u64,
        received_ms: 1_795_000_000_000,
        verdict: Verdict::Deliver,
        summary: part(1_500),
        body: part(length),
    }
}

fn arrivals(control: &Channel, first: u32) {
    let clock = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..10 {
            let mut edge = join(control, Kind::Edge, None);
            scope.spawn(move || {
                for number in (first..first + MESSAGES).filter(|number| number % 10 == thread) {
                    let mut held = Vec::new();
                    let copies = vec![copy(number, &mut held)];
                    let keep = FromEdge::Keep { copies, journeys: Vec::new(), more: false };
                    let (answer, _): (ToEdge, _) = edge.ask(&keep, &held, LIMIT).unwrap();
                    assert!(matches!(answer, ToEdge::Kept));
                }
            });
        }
    });
    println!("{MESSAGES} messages in {} ms", clock.elapsed().as_millis());
}

fn session(control: &Channel, messages: u32) {
    let mut access = join(control, Kind::Access, Some(PERSON));
    let (answer, _): (ToAccess, _) =
        access.ask(&FromAccess::Rows { folder: INBOX, since: None }, &[], LIMIT).unwrap();
    let ToAccess::Rows { rows, .. } = answer else { panic!() };
    assert_eq!(rows.len() as u32, messages);
    for class in [Class::Summary, Class::Body] {
        let uids = rows.iter().map(|row| row.uid).take(60).collect();
        let fetch = FromAccess::Fetch { folder: INBOX, uids, class };
        let (answer, held): (ToAccess, Vec<OwnedFd>) = access.ask(&fetch, &[], LIMIT).unwrap();
        let ToAccess::Parts(parts) = answer else { panic!() };
        assert_eq!(parts.len(), 60);
        for (_, message, part) in parts {
            let [.., octet] = message.0[..4] else { panic!() };
            assert!(part.content.open(&held).unwrap().iter().all(|found| *found == octet));
        }
    }
    let mut admin = join(control, Kind::Admin, None);
    let (answer, _): (ToAdmin, _) = admin.ask(&FromAdmin::Status, &[], LIMIT).unwrap();
    let ToAdmin::Status { users: 1, messages: found, .. } = answer else { panic!() };
    assert_eq!(found, u64::from(messages));
    // Long enough for the chores of a quiet keeper.
    std::thread::sleep(Duration::from_millis(2_500));
}
