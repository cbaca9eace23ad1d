//! Cases: every deed there and back, other spellings refused, signatures, times.

use super::*;
use std::net::IpAddr;
use terms::{
    ConnectionId, GrantId, HoldId, InstanceId, Kind, MessageId, RequestId, TenantId, UserId,
    Verdict,
};

const I: InstanceId = InstanceId([1; 6]);
const T: TenantId = TenantId([2; 8]);
const U: UserId = UserId([3; 8]);
const M: MessageId = MessageId([4; 16]);
const G: GrantId = GrantId([5; 16]);
const R: RequestId = RequestId([9; 8]);
const C: ConnectionId = ConnectionId([6; 8]);

/// How much longer than usual the fuzzers run.
fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

fn every_deed() -> Vec<Body> {
    let word = Word::new;
    let key = (word("body"), 7, Some(T), Some(U));
    let queued = Queued { message: M, user: U, recipients: 300, bytes: 70_000 };
    let delivery = Delivery { message: M, user: U, bytes: 70_000, verdict: Verdict::Junk };
    let release = |released| Body::Release {
        vault_seq: u64::MAX,
        instance: I,
        grant: G,
        tenant: T,
        user: U,
        released,
    };
    let start = |zygote, key| Body::ProcessStart {
        instance: I,
        kind: Kind::Vault,
        pid: 23,
        version: word("0.1.0"),
        zygote,
        key,
        serves: zygote,
    };
    vec![
        start(None, Some(PublicKey([9; 32]))),
        start(Some(I), None),
        Body::ProcessStop {
            instance: I,
            clean: false,
            cause: word("signal 9"),
            last_seq: Some(24),
        },
        Body::Connection {
            connection: C,
            instance: I,
            peer: IpAddr::from([127, 0, 0, 1]),
            service: word("smtp"),
        },
        Body::Connection {
            connection: C,
            instance: I,
            peer: IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1u16]),
            service: word("imaps"),
        },
        Body::Deliver { instance: I, tenant: T, messages: vec![delivery; 30], connection: Some(C) },
        release(Released::Months(vec![202_611, 202_612])),
        release(Released::Bodies(vec![M; 3])),
        release(Released::Transit(vec![M; 2])),
        release(Released::Summaries(vec![M; 2])),
        Body::Send { instance: I, tenant: T, user: U, message: M, recipients: 256, bytes: 65_536 },
        Body::SignIn {
            instance: I,
            protocol: word("imap"),
            ok: true,
            tenant: Some(T),
            user: Some(U),
            credential: Some(word("abcdefgh")),
        },
        Body::SignIn {
            instance: I,
            protocol: word("pop3"),
            ok: false,
            tenant: None,
            user: None,
            credential: None,
        },
        Body::Grant { grant: G, instance: I, tenant: T, user: U, until_ms: 1 << 33 },
        Body::CredentialUse {
            credential: word("tls"),
            instance: I,
            name: word("k\"1\\"),
            tenant: None,
        },
        Body::KeyCreate { what: key.0.clone(), epoch: key.1, tenant: key.2, user: key.3 },
        Body::KeyRotate { what: key.0.clone(), epoch: key.1, tenant: key.2, user: None },
        Body::KeyShred { what: key.0, epoch: 0, tenant: None, user: None },
        Body::RuleChange {
            what: word("user.add"),
            tenant: Some(T),
            user: None,
            weakened: Some(word("single-operator")),
            by: Some(I),
            credential: Some(word("abcdefgh")),
        },
        Body::Approve { request: R, tenant: T, approver: U },
        Body::Request {
            request: R,
            what: word("tenant.terminate"),
            digest: Digest([8; 32]),
            until_ms: 1 << 41,
            tenant: Some(T),
            user: None,
            requester: Some(U),
        },
        Body::Deny { request: R, tenant: T, approver: U },
        Body::Expire { request: R },
        Body::CarryOut {
            request: R,
            what: word("read.case"),
            digest: Digest([8; 32]),
            tenant: Some(T),
            user: Some(U),
        },
        Body::Ending { tenant: T, state: word("grace"), until_ms: Some(1 << 41), user: None },
        Body::Destroyed {
            tenant: T,
            users: 3,
            messages: 300,
            bytes: 1 << 33,
            rows: 70_000,
            last_open_ms: 1 << 41,
            user: None,
            name: Some(Digest::of_name(&[7; 16], "Example Net")),
        },
        Body::Hold { hold: HoldId([7; 8]), placed: true, tenant: T, user: Some(U) },
        Body::LossAcknowledged {
            whose: word("both"),
            size: 32,
            root: Digest([8; 32]),
            request: Some(R),
            weakened: None,
        },
        Body::Searched { contracts: 1, files: 40, bytes: 1 << 30, found: 0 },
        Body::Export { what: word("backup"), count: 3, tenant: None, user: None },
        Body::Alarm {
            instance: I,
            kind: Kind::Scanner,
            pid: 4_242,
            call: word("execve"),
            what: word("refused"),
        },
        Body::Heartbeat {},
        Body::KeySeal { sealed: true, tenant: T },
        Body::KeyHold { on: true, tenant: T, user: Some(U) },
        Body::KeyBackup { what: word("start"), epoch: 2 },
        Body::KeyFreeze { on: true, tenant: Some(T), user: None, instance: Some(I) },
        Body::NotKept { instance: I, connection: C, messages: 3, bytes: 9 },
        Body::Queue { instance: I, tenant: T, messages: vec![queued; 30] },
        Body::Sent { instance: I, tenant: T, messages: vec![queued; 2] },
    ]
}

fn entry(body: Body) -> Entry {
    Entry { author: Kind::Warden, start: I, seq: 300, time_ms: 1_795_000_000_123, body }
}

#[test]
fn every_deed_returns_as_it_went() {
    for body in every_deed() {
        let entry = entry(body);
        let bytes = entry.encode().unwrap();
        assert_eq!(Entry::decode(&bytes), Some(entry.clone()));
        for end in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..end]), None);
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Entry::decode(&longer), None);
        let json: serde_json::Value = serde_json::from_str(&entry.to_json(5)).unwrap();
        assert_eq!(json["index"], 5);
        assert_eq!(json["entry"], entry.body.word());
        assert_eq!(json["at"], "2026-11-18T11:06:40.123Z");
    }
}

#[test]
fn exports_read_well() {
    let check = |body: Body, expected: &str| {
        let json = entry(body).to_json(0);
        let start = json.find("\"seq\":300").unwrap() + 9;
        assert_eq!(&json[start..], expected);
    };
    check(Body::Heartbeat {}, "}");
    check(
        every_deed()[6].clone(),
        ",\"vault_seq\":18446744073709551615,\"instance\":\"010101010101\",\
         \"grant\":\"05050505050505050505050505050505\",\"tenant\":\"0202020202020202\",\
         \"user\":\"0303030303030303\",\
         \"released\":{\"class\":\"summary\",\"items\":[202611,202612]}}",
    );
}

#[test]
fn known_octets() {
    let entry =
        Entry { author: Kind::Gate, start: I, seq: 24, time_ms: 256, body: Body::Heartbeat {} };
    let expected =
        b"\xa6\x00\x01\x01\x46\x01\x01\x01\x01\x01\x01\x02\x18\x18\x03\x19\x01\x00\x04\x11\x05\xa0";
    assert_eq!(entry.encode().unwrap(), expected);
}

#[test]
fn other_spellings_are_refused() {
    let check = |bytes: &[u8], expected: bool| {
        assert_eq!(Entry::decode(bytes).is_some(), expected, "{bytes:02x?}");
    };
    let start = b"\xa6\x00\x01\x01\x46\x01\x01\x01\x01\x01\x01";
    let with = |rest: &[u8]| [&start[..], rest].concat();
    check(&with(b"\x02\x17\x03\x01\x04\x11\x05\xa0"), true);
    // A longer head than needed.
    check(&with(b"\x02\x18\x17\x03\x01\x04\x11\x05\xa0"), false);
    check(&with(b"\x02\x19\x00\x18\x03\x01\x04\x11\x05\xa0"), false);
    check(&with(b"\x18\x02\x17\x03\x01\x04\x11\x05\xa0"), false);
    // Indefinite length, keys out of order, unknown deed, unknown field, tags, negative numbers.
    check(&with(b"\x02\x17\x03\x01\x04\x11\x05\xbf\xff"), false);
    check(&with(b"\x03\x01\x02\x17\x04\x11\x05\xa0"), false);
    check(&with(b"\x02\x17\x03\x01\x04\x12\x05\xa0"), false);
    check(&with(b"\x02\x17\x03\x01\x04\x00\x05\xa0"), false);
    check(&with(b"\x02\x17\x03\x01\x04\x11\x05\xa1\x00\x00"), false);
    check(&with(b"\x02\x17\x03\xc1\x01\x04\x11\x05\xa0"), false);
    check(&with(b"\x02\x20\x03\x01\x04\x11\x05\xa0"), false);
    check(b"", false);
    check(&[0xbb, 255, 255, 255, 255, 255, 255, 255, 255], false);
}

#[test]
fn too_long_is_not_signed() {
    let mut author = Author::new(Kind::Vault, I, &[8; 32]);
    let release = |count| Body::Release {
        vault_seq: 0,
        instance: I,
        grant: G,
        tenant: T,
        user: U,
        released: Released::Bodies(vec![M; count]),
    };
    assert!(author.sign(0, release(3_800)).is_some());
    assert!(author.sign(0, release(3_900)).is_none());
    assert_eq!(author.next_seq(), 1);
}

#[test]
fn frames_are_signed() {
    let mut author = Author::new(Kind::Vault, I, &[8; 32]);
    let stranger = Author::new(Kind::Vault, I, &[9; 32]);
    for (seq, body) in every_deed().into_iter().enumerate() {
        let bytes = author.sign(12, body).unwrap();
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!(frame.entry.seq, seq as u64);
        assert!(frame.is_signed_by(&author.public_key()));
        assert!(!frame.is_signed_by(&stranger.public_key()));
        assert!(!frame.is_signed_by(&PublicKey([0; 32])));
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let passed = Frame::parse(&changed)
                .is_some_and(|frame| frame.is_signed_by(&author.public_key()));
            assert!(!passed);
        }
    }
    assert!(Frame::parse(&[0; 64]).is_none());
    assert!(Frame::parse(&[0; 10]).is_none());
}

#[test]
fn an_outbox_resends_until_taken_and_remembers_until_shown() {
    let mut outbox = Outbox::new(Author::new(Kind::Gate, I, &[8; 32]), 3);
    for _ in 0..3 {
        assert!(outbox.record(1, Body::Heartbeat {}));
    }
    assert!(!outbox.record(1, Body::Heartbeat {}));
    let frames = outbox.frames();
    assert_eq!((frames.len(), outbox.frames() == frames), (3, true));
    assert_eq!(outbox.taken(2), 2);
    assert_eq!(outbox.frames(), frames[2..]);
    assert!(outbox.record(1, Body::Heartbeat {}));
    assert_eq!(Frame::parse(&outbox.frames()[1]).unwrap().entry.seq, 3);
    assert_eq!(outbox.unshown_frames(1), frames[..1]);
    outbox.shown(1);
    assert_eq!((outbox.unshown(), outbox.waiting()), (1, 2));
    // Whoever comes after a ledger that showed nothing is handed everything once more.
    outbox.begin_again();
    assert_eq!((outbox.unshown(), outbox.waiting()), (0, 3));
    assert_eq!(outbox.frames()[..2], frames[1..]);
    assert_eq!(outbox.taken(9), 2);
    assert_eq!((outbox.unshown(), outbox.waiting()), (3, 0));
}

#[test]
fn an_outbox_forgets_the_oldest_that_were_taken_when_nothing_is_shown() {
    let mut outbox = Outbox::new(Author::new(Kind::Gate, I, &[8; 32]), 5_000);
    (0..5_000).for_each(|_| assert!(outbox.record(1, Body::Heartbeat {})));
    assert_eq!((outbox.taken(4_000), outbox.first_number()), (4_000, 0));
    assert_eq!((outbox.taken(1_000), outbox.unshown()), (1_000, 4_096));
    assert_eq!(outbox.first_number(), 904);
    assert_eq!(Frame::parse(&outbox.unshown_frames(9)[0]).unwrap().entry.seq, 904);
}

#[test]
fn words_are_tame() {
    let check = |text: &str, expected: &str| assert_eq!(Word::new(text).as_str(), expected);
    check("plain", "plain");
    check("two\nlines", "two?lines");
    check("\u{95a2}", "?");
    check(&"a".repeat(200), &"a".repeat(160));
}

#[test]
fn numbers_are_seconds_or_milliseconds() {
    let check = |text: &str, expected: Option<u64>| assert_eq!(parse_moment(text), expected);
    check("1796202000", Some(1_796_202_000_000));
    check("1796202000123", Some(1_796_202_000_123));
    check("0", Some(0));
    check("2026-12-02T09:00:00Z", parse_rfc3339("2026-12-02T09:00:00Z"));
    check("-1", None);
    check("1796202000.5", None);
    check(&u64::MAX.to_string(), Some(u64::MAX));
}

#[test]
fn times() {
    let check = |text: &str, ms: Option<u64>| assert_eq!(parse_rfc3339(text), ms, "{text}");
    check("1970-01-01", Some(0));
    check("1970-01-01T00:00:00.001Z", Some(1));
    check("2000-02-29T12:00:00Z", Some(951_825_600_000));
    check("2026-11-22T12:04:05.6789+09:00", Some(1_795_316_645_678));
    check("2026-11-22T03:04:05.678Z", Some(1_795_316_645_678));
    check("2026-11-21t22:04:05.678-05:00", Some(1_795_316_645_678));
    for wrong in [
        "",
        "2026",
        "2026-13-01",
        "2026-02-29",
        "1969-12-31",
        "2026-00-10",
        "2026-01-00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00Zz",
        "+026-01-01",
        "1970-01-01T00:00:00+01:00",
    ] {
        check(wrong, None);
    }
    assert_eq!(rfc3339(1_795_316_645_678), "2026-11-22T03:04:05.678Z");
    assert_eq!(month_of(1_795_316_645_678), 202_611);
    assert_eq!(month_of(0), 197_001);
    for day in (0..40_000u64).map(|day| day * 86_400_000) {
        assert_eq!(parse_rfc3339(&rfc3339(day)), Some(day));
    }
}

#[test]
fn fuzz_frames_are_read_or_refused() {
    let mut random = 0x5eed_0002u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    let mut author = Author::new(Kind::Mailbox, I, &[8; 32]);
    let seeds: Vec<Vec<u8>> =
        every_deed().into_iter().map(|body| author.sign(1, body).unwrap()).collect();
    for round in 0..40_000 * factor() {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=next() % 3 {
            let at = next() % bytes.len();
            match next() % 3 {
                0 => bytes[at] = next() as u8,
                1 => bytes.insert(at, next() as u8),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Some(frame) = Frame::parse(&bytes) {
            assert_eq!(frame.entry.encode().as_deref(), Some(frame.cbor));
            let line = frame.entry.to_json(0);
            assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = parse_rfc3339(text);
        }
    }
}

#[test]
fn many_signatures_are_checked_as_one() {
    let mut author = Author::new(Kind::Vault, I, &[7; 32]);
    let key = AuthorKey::new(&author.public_key()).unwrap();
    let frames: Vec<Vec<u8>> =
        (0..40).map(|number| author.sign(number, Body::Heartbeat {}).unwrap()).collect();
    let check = |frames: &[Vec<u8>], expected: bool| {
        let parsed: Vec<Frame> = frames.iter().map(|one| Frame::parse(one).unwrap()).collect();
        assert_eq!(key.signed_all(&parsed), expected);
    };
    for count in [0, 1, 7, 8, 9, 40] {
        check(&frames[..count], true);
    }
    // Any octet of any signature, a changed entry, two signatures changed round, a stranger's.
    for at in 0..64 {
        let mut changed = frames.clone();
        let place = changed[17].len() - 64 + at;
        changed[17][place] ^= 1 << (at % 8);
        check(&changed, false);
        check(&changed[16..18], false);
    }
    let mut changed = frames.clone();
    changed[3] = Author::new(Kind::Vault, I, &[7; 32]).sign(99, Body::Heartbeat {}).unwrap();
    check(&changed, true);
    changed[3] = Author::new(Kind::Vault, I, &[8; 32]).sign(3, Body::Heartbeat {}).unwrap();
    check(&changed, false);
    let (one, other) = (frames[4].clone(), frames[5].clone());
    let mut swapped = frames;
    let length = one.len() - 64;
    swapped[4][length..].copy_from_slice(&other[other.len() - 64..]);
    let length = other.len() - 64;
    swapped[5][length..].copy_from_slice(&one[one.len() - 64..]);
    check(&swapped, false);
}
