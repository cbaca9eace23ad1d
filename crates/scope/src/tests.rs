//! Cases: one small history, many questions.

use super::*;
use evidence::{Body, Delivery, Entry, Released, Word, parse_rfc3339};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::IpAddr;
use terms::{ConnectionId, GrantId, InstanceId, Kind, MessageId, TenantId, UserId, Verdict};

const EDGE: u8 = 1;
const OTHER_EDGE: u8 = 2;
const SCANNER: u8 = 3;
const ACCESS: u8 = 4;
const IDENTITY: u8 = 5;

fn instance(number: u8) -> InstanceId {
    InstanceId([number; 6])
}

fn message(number: u8) -> MessageId {
    MessageId([number; 16])
}

fn tenant(number: u8) -> TenantId {
    TenantId([number; 8])
}

fn user(number: u8) -> UserId {
    UserId([number; 8])
}

fn at(text: &str) -> u64 {
    parse_rfc3339(text).unwrap()
}

fn entry((author, start): (Kind, u8), time: &str, body: Body) -> Entry {
    Entry { author, start: instance(start), seq: 0, time_ms: at(time), body }
}

fn start(number: u8, kind: Kind, serves: Option<u8>) -> Body {
    Body::ProcessStart {
        instance: instance(number),
        kind,
        pid: 1,
        version: Word::new(if number == OTHER_EDGE { "2" } else { "1" }),
        zygote: None,
        key: None,
        serves: serves.map(instance),
    }
}

fn deliver(edge: u8, number: u8, to: u8, connection: Option<u8>) -> Body {
    let verdict = Verdict::Deliver;
    let one = Delivery { message: message(number), user: user(to), bytes: 9, verdict };
    Body::Deliver {
        instance: instance(edge),
        tenant: tenant(1),
        messages: vec![one],
        connection: connection.map(|number| ConnectionId([number; 8])),
    }
}

fn release(released: Released) -> Body {
    Body::Release {
        vault_seq: 0,
        instance: instance(ACCESS),
        grant: GrantId([7; 16]),
        tenant: tenant(1),
        user: user(1),
        released,
    }
}

fn connection(number: u8, to: u8) -> Body {
    Body::Connection {
        connection: ConnectionId([number; 8]),
        instance: instance(to),
        peer: IpAddr::from([127, 0, 0, 1]),
        service: Word::new("smtp"),
    }
}

fn history() -> Vec<Entry> {
    let stop = |number| Body::ProcessStop {
        instance: instance(number),
        clean: true,
        cause: Word::new("exit 0"),
        last_seq: None,
    };
    let sign_in = |ok: bool| Body::SignIn {
        instance: instance(ACCESS),
        protocol: Word::new("imap"),
        ok,
        tenant: ok.then(|| tenant(1)),
        user: ok.then(|| user(1)),
        credential: None,
    };
    let grant = Body::Grant {
        grant: GrantId([7; 16]),
        instance: instance(ACCESS),
        tenant: tenant(1),
        user: user(1),
        until_ms: 0,
    };
    let tls = Body::CredentialUse {
        credential: Word::new("tls"),
        instance: instance(EDGE),
        name: Word::new("k1"),
        tenant: None,
    };
    let w = (Kind::Warden, 0);
    let m = (Kind::Mailbox, 20);
    let told: Vec<(&str, (Kind, u8), Body)> = vec![
        ("2026-10-31T09:00:00Z", w, start(IDENTITY, Kind::Identity, None)),
        ("2026-10-31T10:00:00Z", w, start(EDGE, Kind::Edge, None)),
        ("2026-10-31T10:00:01Z", w, start(SCANNER, Kind::Scanner, Some(EDGE))),
        ("2026-10-31T10:00:02Z", (Kind::Gate, 21), connection(1, EDGE)),
        ("2026-10-31T10:00:03Z", (Kind::Gate, 21), connection(2, EDGE)),
        ("2026-10-31T10:00:03Z", (Kind::Vault, 22), tls),
        ("2026-10-31T10:00:04Z", m, deliver(EDGE, 1, 1, Some(1))),
        ("2026-10-31T10:00:05Z", w, stop(SCANNER)),
        ("2026-11-01T10:00:00Z", w, start(OTHER_EDGE, Kind::Edge, None)),
        ("2026-11-01T10:00:01Z", (Kind::Gate, 21), connection(3, OTHER_EDGE)),
        ("2026-11-01T10:00:02Z", m, deliver(OTHER_EDGE, 2, 1, None)),
        ("2026-11-01T10:00:03Z", m, deliver(OTHER_EDGE, 3, 2, None)),
        ("2026-11-01T10:00:04Z", m, deliver(EDGE, 4, 2, None)),
        ("2026-11-02T10:00:00Z", w, start(ACCESS, Kind::Access, None)),
        ("2026-11-02T10:00:01Z", (Kind::Identity, IDENTITY), sign_in(false)),
        ("2026-11-02T10:00:02Z", (Kind::Identity, IDENTITY), sign_in(true)),
        ("2026-11-02T10:00:03Z", (Kind::Identity, IDENTITY), grant),
        ("2026-11-02T10:00:04Z", (Kind::Vault, 22), release(Released::Months(vec![202_611]))),
        ("2026-11-02T10:00:05Z", (Kind::Vault, 22), release(Released::Bodies(vec![message(1)]))),
    ];
    let entry = |(time, (author, start), body): (&str, (Kind, u8), Body)| Entry {
        author,
        start: instance(start),
        seq: 0,
        time_ms: at(time),
        body,
    };
    told.into_iter().map(entry).collect()
}

fn ask(component: Kind, version: Option<&str>, from: &str, to: &str) -> Scope {
    let question = Question {
        component,
        version: version.map(str::to_owned),
        from_ms: at(from),
        to_ms: at(to),
    };
    let history = history();
    let scope = measure(&question, Proven::default(), |seen| {
        (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
        Ok::<(), Infallible>(())
    });
    scope.unwrap()
}

/// messages; accounts and classes of the one contract; unattributed, upper, lower.
fn check(scope: &Scope, messages: &[u8], contract: Option<(u64, &str)>, figures: [u64; 3]) {
    let expected: BTreeSet<_> = messages.iter().copied().map(message).collect();
    assert_eq!(scope.messages, expected);
    let found = scope.contracts.first().map(|one| (one.accounts, one.classes.join(" ")));
    let contract = contract.map(|(accounts, classes)| (accounts, classes.to_owned()));
    assert_eq!(found, contract);
    assert_eq!([scope.unattributed_connections, scope.upper, scope.lower], figures);
}

const ALL: (&str, &str) = ("2026-10-01", "2026-12-01");

#[test]
fn what_passed_through_edges() {
    let scope = ask(Kind::Edge, None, ALL.0, ALL.1);
    // Message 4 names no connection and comes after connection 2; connection 3 brought two.
    check(&scope, &[1, 2, 3, 4], Some((2, "addresses headers bodies")), [0, 4, 0]);
    assert_eq!((scope.instances, scope.shared_credentials), (2, 1));
    assert_eq!(scope.first_use.as_deref(), Some("2026-10-31T10:00:02.000Z"));
    assert_eq!(scope.last_use.as_deref(), Some("2026-11-01T10:00:04.000Z"));
}

#[test]
fn a_connection_that_brought_nothing_is_counted() {
    let scope = ask(Kind::Edge, None, "2026-10-31", "2026-11-01");
    check(&scope, &[1], Some((1, "addresses headers bodies")), [1, 2, 0]);
}

#[test]
fn version_and_window_narrow() {
    let scope = ask(Kind::Edge, Some("2"), ALL.0, ALL.1);
    check(&scope, &[2, 3], Some((2, "addresses headers bodies")), [0, 2, 0]);
    let scope = ask(Kind::Edge, None, "2026-11-01", "2026-11-01T10:00:03Z");
    // The other edge lives into the window, with message 1 and a connection that is not known.
    check(&scope, &[1, 2], Some((1, "addresses headers bodies")), [1, 3, 0]);
    let scope = ask(Kind::Edge, Some("2"), "2026-11-01", "2026-11-01T10:00:03Z");
    check(&scope, &[2], Some((1, "addresses headers bodies")), [0, 1, 0]);
    let scope = ask(Kind::Edge, Some("3"), ALL.0, ALL.1);
    check(&scope, &[], None, [0, 0, 0]);
    assert_eq!((scope.first_use, scope.instances), (None, 0));
}

#[test]
fn a_scanner_saw_what_its_edge_brought_while_it_lived() {
    let scope = ask(Kind::Scanner, None, ALL.0, ALL.1);
    check(&scope, &[1], Some((1, "addresses headers bodies")), [0, 1, 0]);
}

#[test]
fn releases_count_whole_months() {
    let scope = ask(Kind::Access, None, ALL.0, ALL.1);
    // Message 2 is of November and of that person; message 1 was opened itself.
    check(&scope, &[1, 2], Some((1, "headers bodies verifiers")), [0, 2, 2]);
    let scope = ask(Kind::Access, None, ALL.0, "2026-11-02T10:00:03Z");
    check(&scope, &[], Some((1, "verifiers")), [0, 0, 0]);
}

#[test]
fn an_identity_answers_for_the_grants_it_minted() {
    let scope = ask(Kind::Identity, None, ALL.0, ALL.1);
    // Released are two; with its grants it could have had all four.
    check(&scope, &[1, 2], Some((1, "headers bodies verifiers")), [0, 4, 2]);
    assert_eq!(scope.contracts[0].could_open, 4);
}

/// Whose mail passed through the one that carries it: as released to it, and no more.
#[test]
fn what_was_released_to_be_sent_is_exact() {
    const DEPART: u8 = 40;
    let released = Body::Release {
        vault_seq: 2,
        instance: instance(DEPART),
        grant: GrantId([8; 16]),
        tenant: tenant(1),
        user: user(2),
        released: Released::Transit(vec![message(8), message(9)]),
    };
    let sent = |number| Body::Send {
        instance: instance(DEPART),
        tenant: tenant(1),
        user: user(2),
        message: message(number),
        recipients: 1,
        bytes: 9,
    };
    let together = |numbers: &[u8]| {
        let one = |number: &u8| evidence::Queued {
            message: message(*number),
            user: user(2),
            recipients: 1,
            bytes: 9,
        };
        let messages = numbers.iter().map(one).collect();
        Body::Sent { instance: instance(DEPART), tenant: tenant(1), messages }
    };
    let history = [
        entry((Kind::Warden, 0), "2026-11-02T10:00:00Z", start(23, Kind::Vault, None)),
        entry((Kind::Warden, 0), "2026-11-02T10:00:00Z", start(DEPART, Kind::Depart, None)),
        entry((Kind::Vault, 23), "2026-11-02T10:00:01Z", released),
        entry((Kind::Post, 24), "2026-11-02T10:00:02Z", sent(8)),
        entry((Kind::Post, 24), "2026-11-02T10:00:03Z", together(&[7])),
    ];
    let ask = |component| {
        let (from_ms, to_ms) = (at(ALL.0), at(ALL.1));
        let question = Question { component, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let all = "addresses headers bodies";
    check(&ask(Kind::Depart), &[7, 8, 9], Some((1, all)), [0, 3, 2]);
    // The vault handed out two, and holds what opens every other that left.
    let scope = ask(Kind::Vault);
    check(&scope, &[8, 9], Some((1, all)), [0, 2, 2]);
    assert_eq!(scope.contracts[0].could_open, 2);
    check(&ask(Kind::Access), &[], None, [0, 0, 0]);
}

/// Whose letters passed through the one that took them in, and through whoever stood beside it.
#[test]
fn what_was_handed_in_is_named_by_the_queue() {
    const WRITES: u8 = 50;
    const SILENT: u8 = 51;
    const READS: u8 = 52;
    const CLIENT: u8 = 53;
    let queue = |by: u8, of: u8, numbers: &[u8]| {
        let one = |number: &u8| evidence::Queued {
            message: message(*number),
            user: user(of),
            recipients: 3,
            bytes: 9,
        };
        let messages = numbers.iter().map(one).collect();
        Body::Queue { instance: instance(by), tenant: tenant(of), messages }
    };
    let (w, p) = ((Kind::Warden, 0), (Kind::Post, 24));
    let history = [
        entry(w, "2026-11-02T09:00:00Z", start(24, Kind::Post, None)),
        entry(w, "2026-11-02T09:00:00Z", start(EDGE, Kind::Edge, None)),
        entry(w, "2026-11-02T09:00:00Z", start(CLIENT, Kind::Access, None)),
        // Its birth is written down when it has queued already.
        entry(p, "2026-11-02T10:00:00Z", queue(WRITES, 1, &[11, 12])),
        entry(w, "2026-11-02T10:00:01Z", start(WRITES, Kind::Dispatch, Some(CLIENT))),
        entry(w, "2026-11-02T09:59:59Z", start(READS, Kind::Scanner, Some(WRITES))),
        entry(w, "2026-11-02T10:00:02Z", start(SILENT, Kind::Dispatch, Some(54))),
        entry(p, "2026-11-02T10:00:03Z", queue(EDGE, 2, &[13])),
    ];
    let ask = |component| {
        let (from_ms, to_ms) = (at(ALL.0), at(ALL.1));
        let question = Question { component, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let all = "addresses headers bodies";
    // Whoever queued nothing had one person's connection, and what came over it is not known.
    check(&ask(Kind::Dispatch), &[11, 12], Some((1, all)), [1, 3, 0]);
    check(&ask(Kind::Access), &[11, 12], Some((1, all)), [0, 2, 0]);
    check(&ask(Kind::Scanner), &[11, 12], Some((1, all)), [0, 2, 0]);
    check(&ask(Kind::Edge), &[13], Some((1, all)), [0, 1, 0]);
    let post = ask(Kind::Post);
    let contracts: Vec<_> = post.contracts.iter().map(|one| (one.accounts, one.messages)).collect();
    assert_eq!(contracts, [(1, 2), (1, 1)]);
    check(&ask(Kind::Depart), &[], None, [0, 0, 0]);
}

#[test]
fn keepers_of_ciphertext_lose_nothing() {
    for kind in [Kind::Names, Kind::Zone, Kind::Ledger, Kind::Mirror] {
        check(&ask(kind, None, ALL.0, ALL.1), &[], None, [0, 0, 0]);
    }
}

#[test]
fn the_answer_has_its_agreed_shape() {
    let json = serde_json::to_value(ask(Kind::Edge, None, ALL.0, ALL.1)).unwrap();
    for key in [
        "component",
        "from",
        "to",
        "first_use",
        "last_use",
        "contracts",
        "unattributed_connections",
        "upper",
        "lower",
        "entries",
        "root",
        "verified",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(json["from"], "2026-10-01T00:00:00.000Z");
    assert_eq!(json["contracts"][0]["tenant"], "0101010101010101");
    assert!(json.get("messages").is_none());
}

/// Words say what was checked, and no more; what was found wanting is never told as not checked.
#[test]
fn words_say_only_what_was_checked() {
    let told = |checked: Checked| {
        let proven = Proven { entries: 9, checked, ..Proven::default() };
        let question =
            Question { component: Kind::Edge, version: None, from_ms: 0, to_ms: u64::MAX };
        let scope = measure(&question, proven.clone(), |_| Ok::<(), Infallible>(())).unwrap();
        let statement = StatementMaker::new(question).finish(proven);
        assert_eq!(scope.verified, statement.verified);
        let english = tell(&scope, Language::English, |_| None);
        let of_statement = tell_statement(&statement, Language::English, |_| None);
        (scope.verified, scope.checked, english, of_statement)
    };
    let check = |checked: Checked, verified: bool, word: &str, said: &str| {
        let found = told(checked);
        assert_eq!((found.0, found.1), (verified, word));
        assert!(found.2.contains(said) && found.3.contains(said), "{found:?}");
        let both = found.2.contains("the whole ledger and its mirror were checked");
        assert_eq!(both, word == "ledger and mirror", "{found:?}");
    };
    check(Checked::Nothing, false, "nothing", "not checked against");
    check(Checked::Both, true, "ledger and mirror", "its mirror were checked");
    check(Checked::Ledger, true, "ledger", "there was no mirror to compare it with");
    check(Checked::Mirror, true, "mirror", "the mirror's whole copy was checked, without");
    let wanting = Checked::Wanting(vec!["somebody cut it".to_owned()]);
    check(wanting.clone(), false, "wanting", "checked and found wanting");
    let (.., english, statement) = told(wanting);
    assert!(english.starts_with("attention: "), "{english}");
    assert!(english.contains("problem: somebody cut it\n"), "{english}");
    assert!(statement.contains("problem: somebody cut it\n"), "{statement}");
}

#[test]
fn likeness() {
    let set = |numbers: &[u8]| numbers.iter().copied().map(message).collect::<BTreeSet<_>>();
    let check = |named: &[u8], passed: &[u8], precision: f64, recall: f64| {
        assert_eq!(compare(&set(named), &set(passed)), Likeness { precision, recall });
    };
    check(&[], &[], 1.0, 1.0);
    check(&[1, 2], &[1, 2], 1.0, 1.0);
    check(&[1, 2, 3, 4], &[1, 2], 0.5, 1.0);
    check(&[1], &[1, 2], 1.0, 0.5);
    check(&[3], &[1], 0.0, 0.0);
}

/// Containment is a state with evidence, or it is not there.
#[test]
fn contained_only_with_evidence() {
    let of = |number: u8| instance(number);
    let stop = |number| Body::ProcessStop {
        instance: of(number),
        clean: false,
        cause: Word::new("replaced"),
        last_seq: None,
    };
    let alarm = |number, call: &str| Body::Alarm {
        instance: of(number),
        kind: Kind::Edge,
        pid: 1,
        call: Word::new(call),
        what: Word::new("off charter"),
    };
    let rotate =
        |what: &str| Body::KeyRotate { what: Word::new(what), epoch: 2, tenant: None, user: None };
    let check = |more: Vec<(Kind, Body)>, met: &[&str]| {
        let mut history = history();
        for (number, (author, body)) in (0..).zip(more) {
            let time_ms = at("2026-11-03") + number * 1_000;
            history.push(Entry { author, start: of(30), seq: 0, time_ms, body });
        }
        let question = Question {
            component: Kind::Edge,
            version: None,
            from_ms: at(ALL.0),
            to_ms: at("2026-11-03"),
        };
        let read = |seen: &mut dyn FnMut(u64, &Entry)| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        };
        let found = measure(&question, Proven::default(), read).unwrap().containment;
        let names = found.conditions.iter().filter(|one| one.met).map(|one| one.condition);
        assert_eq!(names.collect::<Vec<_>>(), met);
        assert_eq!(found.contained, met.len() == 5);
        for one in &found.conditions {
            assert!(one.met == one.missing.is_none() && (!one.met || one.entry.is_some()));
            // Whoever reads that something is missing reads what to do about it.
            let is_above = one.missing.as_deref() == Some("the exposure has not ended");
            assert!(one.met || is_above || one.next.is_some() || !one.to_do.is_empty(), "{one:?}");
        }
        found
    };
    let (warden, vault) = (Kind::Warden, Kind::Vault);
    let found = check(vec![], &["no live grant"]);
    assert_eq!((found.exposure_ended, found.detected), (None, None));
    check(vec![(warden, stop(EDGE))], &["no live grant"]);
    let gone = || vec![(warden, stop(EDGE)), (warden, stop(OTHER_EDGE))];
    let four = ["instances ended", "no live grant", "no alarm since", "decoys silent"];
    let found = check(gone(), &four);
    assert_eq!(found.exposure_ended.as_deref(), Some("2026-11-03T00:00:01.000Z"));
    assert_eq!(found.conditions[4].missing.as_deref(), Some("tls"));
    let all = [
        "instances ended",
        "no live grant",
        "no alarm since",
        "decoys silent",
        "credentials rotated",
    ];
    let changed = || [gone(), vec![(vault, rotate("tls"))]].concat();
    check(changed(), &all);
    check([vec![(warden, alarm(EDGE, "execve"))], changed()].concat(), &all);
    // What it found in somebody's mail says nothing against it.
    let found = check([changed(), vec![(warden, alarm(EDGE, "attention"))]].concat(), &all);
    assert_eq!((found.detected, found.detections_in_all), (None, 0));
    let late = [changed(), vec![(warden, alarm(EDGE, "execve"))]].concat();
    let found = check(late, &[all[0], all[1], all[3], all[4]]);
    assert_eq!(found.detected.as_deref(), Some("2026-11-03T00:00:03.000Z"));
    assert_eq!((found.detections[0].entry, &*found.detections[0].call), (22, "execve"));
    check(
        [changed(), vec![(warden, alarm(9, "decoy"))]].concat(),
        &[all[0], all[1], all[2], all[4]],
    );
    // New keys before the last use are no help.
    check([vec![(vault, rotate("dkim"))], gone()].concat(), &four);
}

/// A depart has its batch within milliseconds of its birth, which the warden writes down when it
/// comes to it.
#[test]
fn who_acts_before_its_birth_is_written_down_counts() {
    let (depart, now) = (instance(90), at("2026-11-02T10:00:00Z"));
    let entry = |author, body| Entry { author, start: instance(91), seq: 0, time_ms: now, body };
    let released = Body::Release {
        vault_seq: 0,
        instance: depart,
        grant: GrantId([7; 16]),
        tenant: tenant(1),
        user: user(1),
        released: Released::Transit(vec![message(1)]),
    };
    let history = [
        entry(Kind::Vault, released),
        entry(Kind::Warden, start(90, Kind::Depart, None)),
        entry(Kind::Mailbox, deliver(90, 2, 1, None)),
    ];
    let question =
        Question { component: Kind::Depart, version: None, from_ms: now, to_ms: now + 1 };
    let scope = measure(&question, Proven::default(), |seen| {
        (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
        Ok::<(), Infallible>(())
    });
    check(&scope.unwrap(), &[1, 2], Some((1, "addresses headers bodies")), [0, 2, 1]);
}

/// A session that waits has in hand, in a later window, what it was given before it, and may use it
/// then. Once it has ended, nothing of it is left.
#[test]
fn what_a_session_was_given_before_the_window_counts_while_it_lives() {
    const GONE: u8 = 61;
    let release = |vault_seq, to: u8, number: u8| Body::Release {
        vault_seq,
        instance: instance(to),
        grant: GrantId([7; 16]),
        tenant: tenant(1),
        user: user(number),
        released: Released::Bodies(vec![message(number)]),
    };
    let stop = |number| Body::ProcessStop {
        instance: instance(number),
        clean: true,
        cause: Word::new("exit 0"),
        last_seq: None,
    };
    let (w, v) = ((Kind::Warden, 0), (Kind::Vault, 22));
    let history = [
        entry(w, "2026-11-02T10:00:00Z", start(GONE, Kind::Access, None)),
        entry(v, "2026-11-02T10:00:01Z", release(1, GONE, 1)),
        entry(w, "2026-11-02T10:00:02Z", stop(GONE)),
        // Its birth is written down behind what it did.
        entry(v, "2026-11-02T10:00:04Z", release(2, ACCESS, 2)),
        entry(w, "2026-11-02T10:00:03Z", start(ACCESS, Kind::Access, None)),
        entry((Kind::Mailbox, 20), "2026-11-02T10:00:05Z", deliver(ACCESS, 3, 2, None)),
        entry(v, "2026-11-02T10:00:20Z", release(3, ACCESS, 4)),
        entry(w, "2026-11-02T10:00:30Z", stop(ACCESS)),
        entry(v, "2026-11-02T10:00:40Z", release(4, 90, 5)),
    ];
    let measured = |component, from: &str, to: &str| {
        let (from_ms, to_ms) = (at(from), at(to));
        let question = Question { component, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        let mut maker = StatementMaker::new(question);
        (0..).zip(&history).for_each(|(index, entry)| maker.note(index, entry));
        (
            scope.unwrap(),
            maker.finish(Proven { entries: 9, checked: Checked::Both, ..Proven::default() }),
        )
    };
    let all = "addresses headers bodies";
    let idle = ("2026-11-02T10:00:10Z", "2026-11-02T10:00:15Z");
    let (scope, statement) = measured(Kind::Access, idle.0, idle.1);
    check(&scope, &[2, 3], Some((1, all)), [0, 2, 1]);
    assert_eq!(scope.first_use.as_deref(), Some("2026-11-02T10:00:04.000Z"));
    let given = scope.given_before.as_ref().unwrap();
    assert_eq!(
        (&*given.first, &*given.last),
        ("2026-11-02T10:00:04.000Z", "2026-11-02T10:00:05.000Z",)
    );
    assert_eq!((statement.releases_to_component, statement.releases_before_to_living), (0, 1));
    assert!(!statement.holds);
    for (language, word) in
        [(Language::English, "before the window"), (Language::Japanese, "期間前")]
    {
        assert!(tell(&scope, language, |_| None).contains(word));
        assert!(tell_statement(&statement, language, |_| None).contains(word));
    }
    // With what it was given within.
    let (scope, statement) = measured(Kind::Access, idle.0, "2026-11-02T10:00:25Z");
    check(&scope, &[2, 3, 4], Some((2, all)), [0, 3, 2]);
    assert_eq!((statement.releases_to_component, statement.releases_before_to_living), (1, 1));
    // After its end, and of others.
    let (scope, statement) = measured(Kind::Access, "2026-11-02T10:00:31Z", "2026-11-02T10:00:39Z");
    check(&scope, &[], None, [0, 0, 0]);
    assert!(scope.given_before.is_none() && statement.holds);
    let (scope, statement) = measured(Kind::Edge, idle.0, idle.1);
    check(&scope, &[], None, [0, 0, 0]);
    assert!(statement.holds);
    // Of somebody who is not known it cannot be said that no key was given.
    let (_, statement) = measured(Kind::Edge, "2026-11-02T10:00:41Z", "2026-11-02T10:00:50Z");
    assert!(!statement.holds);
}

/// An owned admin makes an app password for somebody, and a stranger reads with it: for as long as
/// it is good, and nothing of what its person reads.
#[test]
fn what_is_opened_with_a_credential_that_was_made_counts_until_it_is_revoked() {
    const ADMIN: u8 = 60;
    const THEIRS: u8 = 61;
    const OWN: u8 = 62;
    let change = |what: &str, by: u8, id: Option<&str>| Body::RuleChange {
        what: Word::new(what),
        tenant: Some(tenant(1)),
        user: Some(user(1)),
        weakened: None,
        by: Some(instance(by)),
        credential: id.map(Word::new),
    };
    let sign_in = |by: u8, id: &str| Body::SignIn {
        instance: instance(by),
        protocol: Word::new("imap"),
        ok: true,
        tenant: Some(tenant(1)),
        user: Some(user(1)),
        credential: Some(Word::new(id)),
    };
    let release = |to: u8, released: Released| Body::Release {
        vault_seq: 0,
        instance: instance(to),
        grant: GrantId([to; 16]),
        tenant: tenant(1),
        user: user(1),
        released,
    };
    let stop = Body::ProcessStop {
        instance: instance(ADMIN),
        clean: true,
        cause: Word::new("exit 0"),
        last_seq: None,
    };
    let (w, i, v) = ((Kind::Warden, 0), (Kind::Identity, IDENTITY), (Kind::Vault, 22));
    let (bodies, summaries) = (Released::Bodies, Released::Summaries);
    let names = vec![message(4), MessageId::FOLDER_NAMES];
    let history = [
        entry(w, "2026-11-02T09:00:00Z", start(IDENTITY, Kind::Identity, None)),
        entry(i, "2026-11-02T09:00:01Z", change("app-password.add", 70, Some("own"))),
        entry(w, "2026-11-02T10:00:00Z", start(ADMIN, Kind::Admin, None)),
        entry(i, "2026-11-02T10:00:01Z", change("app-password.add", ADMIN, Some("new"))),
        entry(w, "2026-11-02T10:00:02Z", stop),
        entry(i, "2026-11-02T10:01:00Z", sign_in(THEIRS, "new")),
        entry(v, "2026-11-02T10:01:01Z", release(THEIRS, bodies(vec![message(1)]))),
        entry(i, "2026-11-02T10:01:02Z", sign_in(OWN, "own")),
        entry(v, "2026-11-02T10:01:03Z", release(OWN, bodies(vec![message(2)]))),
        entry(v, "2026-11-05T10:00:00Z", release(THEIRS, summaries(names))),
        entry(i, "2026-11-05T11:00:00Z", change("app-password.revoke", 70, Some("new"))),
        entry(w, "2026-11-05T12:00:00Z", Body::Heartbeat {}),
    ];
    let ask = |component, (from, to): (&str, &str), count: usize| {
        let question = Question { component, version: None, from_ms: at(from), to_ms: at(to) };
        let mut maker = StatementMaker::new(question.clone());
        (0..).zip(&history[..count]).for_each(|(index, entry)| maker.note(index, entry));
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history[..count]).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        (scope.unwrap(), maker.finish(Proven::default()).releases_by_credentials)
    };
    let window = ("2026-11-02T10:00:00Z", "2026-11-02T10:00:30Z");
    let (scope, by) = ask(Kind::Admin, window, history.len());
    check(&scope, &[1, 4], Some((1, "headers bodies")), [0, 2, 2]);
    let made = scope.by_credentials.as_ref().unwrap();
    assert_eq!((made.app_passwords, made.live, made.sign_ins, made.releases), (1, 0, 1, 2));
    assert_eq!((made.messages, made.months, made.after_window, by), (2, 0, true, 2));
    assert_eq!(made.last_use.as_deref(), Some("2026-11-05T10:00:00.000Z"));
    assert_eq!(scope.contracts[0].by_credential, 2);
    let told = &scope.containment;
    assert_eq!(told.exposure_ended.as_deref(), Some("2026-11-05T11:00:00.000Z"));
    assert!(told.contained, "{:?}", told.conditions);
    // Before it was revoked.
    let (scope, _) = ask(Kind::Admin, window, history.len() - 2);
    let last = scope.containment.conditions.last().unwrap();
    assert_eq!(last.missing.as_deref(), Some("still good: 1 of 1"));
    assert!(last.to_do[0].en.contains("`app-password revoke new`"), "{:?}", last.to_do);
    assert!(scope.containment.exposure_ended.is_none() && !scope.containment.contained);
    for (language, word) in [
        (Language::English, "it went on after the window"),
        (Language::Japanese, "期間後も続いた"),
        (Language::English, "missing: still good: 1 of 1"),
        (Language::Japanese, "1 のうち 1 が今も有効"),
    ] {
        let text = tell(&scope, language, |_| None);
        assert!(text.contains(word), "{word}: {text}");
    }
    // Of another time, and of others: an identity answers for what it wrote down.
    let (scope, by) = ask(Kind::Admin, ("2026-11-02T10:00:30Z", ALL.1), history.len());
    check(&scope, &[], None, [0, 0, 0]);
    assert_eq!((scope.by_credentials, by), (None, 0));
    let (scope, _) = ask(Kind::Identity, window, history.len());
    check(&scope, &[1, 4], Some((1, "headers bodies")), [0, 2, 2]);
    let (scope, by) = ask(Kind::Access, window, history.len());
    assert_eq!((scope.by_credentials, by), (None, 0));
}

/// Mail came by the gate that lived then, whoever took it from it; and what it kept to itself is in
/// no ledger, which is said.
#[test]
fn a_gate_had_all_that_came_while_it_lived() {
    const GATE: u8 = 21;
    let w = (Kind::Warden, 0);
    let m = (Kind::Mailbox, 20);
    let stop = Body::ProcessStop {
        instance: instance(GATE),
        clean: true,
        cause: Word::new("exit 0"),
        last_seq: None,
    };
    let history = [
        entry(w, "2026-11-02T09:00:00Z", start(GATE, Kind::Gate, None)),
        entry(w, "2026-11-02T09:00:00Z", start(EDGE, Kind::Edge, None)),
        entry((Kind::Gate, GATE), "2026-11-02T09:00:01Z", connection(1, EDGE)),
        entry(m, "2026-11-02T09:00:02Z", deliver(EDGE, 1, 1, Some(1))),
        entry((Kind::Gate, GATE), "2026-11-02T10:00:01Z", connection(2, EDGE)),
        entry(m, "2026-11-02T10:00:02Z", deliver(EDGE, 2, 1, Some(2))),
        entry((Kind::Gate, GATE), "2026-11-02T10:00:03Z", connection(3, EDGE)),
        entry(w, "2026-11-02T11:00:00Z", stop),
        entry(m, "2026-11-02T11:01:00Z", deliver(EDGE, 3, 1, None)),
    ];
    let measured = |from: &str, to: &str| {
        let (component, version) = (Kind::Gate, None);
        let question = Question { component, version, from_ms: at(from), to_ms: at(to) };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let all = Some((1, "addresses headers bodies"));
    let scope = measured("2026-11-02T10:00:00Z", ALL.1);
    // It lived into the window with what had come before; of the third connection nothing is known.
    check(&scope, &[1, 2], all, [1, 3, 0]);
    let given = scope.given_before.as_ref().unwrap();
    assert_eq!((given.first.as_str(), scope.instances), ("2026-11-02T09:00:02.000Z", 1));
    // An idle window, too, and with what it never gave on.
    let idle = measured("2026-11-02T10:30:00Z", "2026-11-02T10:31:00Z");
    check(&idle, &[1, 2], all, [1, 3, 0]);
    // Once it is gone, nobody has it.
    let after = measured("2026-11-02T11:00:01Z", ALL.1);
    check(&after, &[], None, [0, 0, 0]);
    assert_eq!((after.instances, after.given_before), (0, None));
    assert!(scope.bound.ends_with("stands in no ledger"));
    assert!(tell(&scope, Language::Japanese, |_| None).contains("どの台帳にも現れない"));
}

/// Connections one after the other, each with its message at its own moment: of none is anything
/// unknown, and a window that ends right behind a message has it. One that brought nothing counts.
#[test]
fn each_message_stands_for_its_own_connection() {
    let (w, m, g) = ((Kind::Warden, 0), (Kind::Mailbox, 20), (Kind::Gate, 21));
    let time = |ms: u64| evidence::rfc3339(at("2026-11-02T09:00:00Z") + ms);
    let mut history = vec![entry(w, &time(0), start(EDGE, Kind::Edge, None))];
    for number in 1..=9u8 {
        let ms = u64::from(number) * 100;
        history.push(entry(g, &time(ms), connection(number, EDGE)));
        let message = entry(m, &time(ms + 40), deliver(EDGE, number, 1, None));
        history.extend((number != 7).then_some(message));
    }
    // Told together, behind what the gate told.
    history.sort_by_key(|entry| entry.author == Kind::Mailbox);
    let ask = |to_ms: u64| {
        let (from_ms, to_ms) = (at(&time(0)), at(&time(to_ms)));
        let question = Question { component: Kind::Edge, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let all = Some((1, "addresses headers bodies"));
    check(&ask(1_000), &[1, 2, 3, 4, 5, 6, 8, 9], all, [1, 9, 0]);
    check(&ask(341), &[1, 2, 3], all, [0, 3, 0]);
}

/// Whoever was gone before the window is not counted among those that lived in it.
#[test]
fn only_who_lived_in_the_window_is_counted() {
    let edges = |from, to| ask(Kind::Edge, None, from, to).instances;
    assert_eq!(edges(ALL.0, ALL.1), 2);
    let scanners = |from, to| ask(Kind::Scanner, None, from, to).instances;
    assert_eq!(scanners(ALL.0, "2026-11-01"), 1);
    // It ended the day before; the next day nobody is spoken of.
    assert_eq!(scanners("2026-11-01", ALL.1), 0);
}

/// Whoever was owned when an app password was typed knows it: contained is said when it is revoked.
#[test]
fn what_was_shown_at_a_sign_in_must_be_revoked_before_it_is_contained() {
    const OTHER: u8 = 63;
    let sign_in = |to: u8, ok: bool, protocol: &str, id: Option<&str>| Body::SignIn {
        instance: instance(to),
        protocol: Word::new(protocol),
        ok,
        tenant: Some(tenant(1)),
        user: Some(user(1)),
        credential: id.map(Word::new),
    };
    let change = |what: &str, id: Option<&str>| Body::RuleChange {
        what: Word::new(what),
        tenant: Some(tenant(1)),
        user: Some(user(1)),
        weakened: None,
        by: Some(instance(70)),
        credential: id.map(Word::new),
    };
    let stop = |number: u8| Body::ProcessStop {
        instance: instance(number),
        clean: true,
        cause: Word::new("exit 0"),
        last_seq: None,
    };
    let (w, i) = ((Kind::Warden, 0), (Kind::Identity, IDENTITY));
    let told = |component, more: &[Body]| {
        let mut history = vec![
            entry(w, "2026-11-02T09:00:00Z", start(IDENTITY, Kind::Identity, None)),
            entry(w, "2026-11-02T10:00:00Z", start(ACCESS, Kind::Access, None)),
            entry(w, "2026-11-02T10:00:00Z", start(OTHER, Kind::Admin, None)),
            entry(i, "2026-11-02T10:00:01Z", sign_in(ACCESS, true, "imap", Some("phone"))),
            // Right, and not let in: whoever took it in knows it all the same.
            entry(i, "2026-11-02T10:00:02Z", sign_in(ACCESS, false, "imap", Some("letters"))),
            entry(i, "2026-11-02T10:00:03Z", sign_in(OTHER, true, "approval", None)),
            entry(i, "2026-11-02T10:00:04Z", sign_in(OTHER, false, "approval", None)),
            entry(w, "2026-11-02T10:00:05Z", stop(ACCESS)),
            entry(w, "2026-11-02T10:00:05Z", stop(OTHER)),
        ];
        history.extend(more.iter().map(|body| entry(i, "2026-11-02T11:00:00Z", body.clone())));
        let (from_ms, to_ms) = (at("2026-11-02T10:00:00Z"), at("2026-11-02T10:00:30Z"));
        let question = Question { component, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let check = |component, more: &[Body], left: &[&str]| {
        let scope = told(component, more);
        let conditions = &scope.containment.conditions;
        let one = conditions.iter().find(|one| one.condition == "credentials it saw ended");
        let one = one.unwrap();
        let found: Vec<&str> = one.to_do.iter().map(|one| one.credential.as_str()).collect();
        assert_eq!(found, left);
        assert_eq!(one.met, left.is_empty());
        assert_eq!(scope.containment.contained, left.is_empty(), "{conditions:?}");
        assert_eq!(scope.containment.exposure_ended.is_some(), left.is_empty());
        for language in [Language::English, Language::Japanese] {
            let text = tell(&scope, language, |_| None);
            assert!(left.iter().all(|one| text.contains(one)), "{text}");
        }
        scope
    };
    let revoke = |id: &str| change("app-password.revoke", Some(id));
    let scope = check(Kind::Access, &[], &["app-password letters", "app-password phone"]);
    let text = tell(&scope, Language::English, |_| None);
    assert!(text.contains("`app-password revoke phone`"), "{text}");
    check(Kind::Access, &[revoke("phone")], &["app-password letters"]);
    let scope = check(Kind::Access, &[revoke("phone"), revoke("letters")], &[]);
    let end = scope.containment.exposure_ended.as_deref();
    assert_eq!(end, Some("2026-11-02T11:00:00.000Z"));
    // A password went through an admin's hands.
    check(Kind::Admin, &[revoke("phone")], &["password"]);
    check(Kind::Admin, &[change("password.change", None)], &[]);
    let everybody = told(Kind::Identity, &[]).containment;
    assert_eq!(everybody.conditions.last().unwrap().missing.as_deref(), Some("still good: 3 of 3"));
}

/// What came behind a closed window was not in it: its figures stay what they are.
#[test]
fn a_closed_window_does_not_grow_by_later_mail() {
    let question = Question {
        component: Kind::Access,
        version: None,
        from_ms: at("2026-11-01"),
        to_ms: at("2026-11-03"),
    };
    let scope = |more: &[(&str, u8)]| {
        let mut history = history();
        let m = (Kind::Mailbox, 20);
        let later = more.iter().map(|(time, one)| entry(m, time, deliver(EDGE, *one, 1, None)));
        history.extend(later);
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let expected = scope(&[]);
    assert_eq!(expected.upper, 2);
    let found = scope(&[("2026-11-03T00:00:00Z", 40), ("2026-11-20T10:00:00Z", 41)]);
    assert_eq!(
        (&found.messages, found.upper, &found.contracts),
        (&expected.messages, expected.upper, &expected.contracts)
    );
    assert_eq!(scope(&[("2026-11-02T23:59:59Z", 40)]).upper, 3, "but by what came within it");
}

/// A warden holds every charter: its scope is everything, and never nothing.
#[test]
fn a_warden_had_everything_while_it_lived() {
    let born = |number: u8, time: &str| {
        entry((Kind::Warden, number), time, start(number, Kind::Warden, None))
    };
    let told: Vec<Entry> = [born(200, "2026-10-31T08:00:00Z")]
        .into_iter()
        .chain(history())
        .chain([born(201, "2026-11-05T08:00:00Z")])
        .collect();
    let ask = |from: &str, to: &str| {
        let (from_ms, to_ms) = (at(from), at(to));
        let question = Question { component: Kind::Warden, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(&told).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap()
    };
    let scope = ask("2026-11-01", "2026-11-03");
    let all = "addresses headers bodies verifiers credentials";
    check(&scope, &[], Some((2, all)), [0, 4, 0]);
    assert_eq!((scope.instances, scope.contracts[0].could_open), (1, 4));
    assert_eq!(scope.could, (1..=4).map(message).collect());
    assert!(!scope.containment.contained && scope.bound.contains("at most"));
    let lines = tell(&scope, Language::Japanese, |_| None);
    assert!(lines.contains("家のすべてに手が届き"), "{lines}");
    // What came later was not there yet, and the first of them is gone when the second is born.
    assert_eq!(ask("2026-10-31", "2026-11-01").upper, 1);
    assert_eq!(ask("2026-11-06", "2026-11-07").instances, 1);
    let first = &scope.containment.conditions[0];
    assert!(first.met, "the first has ended: {first:?}");
}

/// Whose, and which, as many as the scope counts; of each the time, the entry and what of it.
#[test]
fn everybody_and_every_message_is_named() {
    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<std::sync::Mutex<Vec<Listed>>>);
    impl List for Kept {
        fn take(&mut self, one: &Listed) {
            self.0.lock().unwrap().push(*one);
        }
    }
    let kept = Kept::default();
    let question =
        Question { component: Kind::Access, version: None, from_ms: at(ALL.0), to_ms: at(ALL.1) };
    let history = history();
    list(&question, Box::new(kept.clone()), |seen| {
        (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
        Ok::<(), Infallible>(())
    })
    .unwrap();
    let kept = kept.0.lock().unwrap();
    let mut lines: Vec<(String, String, &str)> = kept
        .iter()
        .filter_map(Listed::line)
        .map(|line| (line.id[..2].to_owned(), line.what.join(" "), line.how))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            ("01".to_owned(), "headers bodies".to_owned(), "opened"),
            ("02".to_owned(), "headers".to_owned(), "opened"),
        ]
    );
    let mut theirs = Theirs::of(&kept[0]);
    kept.iter().for_each(|one| theirs.add(one));
    let line = theirs.line();
    assert_eq!(
        (line.messages, line.opened, line.what.join(" ")),
        (2, 2, "headers bodies verifiers".to_owned())
    );
    let told = tell_person(&theirs, Language::Japanese, "Kaede", "aoi@kaede.example");
    assert!(told.starts_with("Kaede · aoi@kaede.example: メール 2 通"), "{told}");
    let told = tell_message(&kept[kept.len() - 1], Language::English);
    assert!(told.contains("headers: opened  [entry "), "{told}");
}

/// What was destroyed before the window could not leave in it; what was destroyed since opens for
/// nobody. Neither is told as if it were there.
#[test]
fn destroyed_ciphertext_is_told_apart() {
    let destroyed = |of: Option<u8>| Body::Destroyed {
        tenant: tenant(1),
        users: 1,
        messages: 1,
        bytes: 9,
        rows: 1,
        last_open_ms: 1,
        user: of.map(user),
        name: None,
    };
    let (m, d) = ((Kind::Mailbox, 20), (Kind::Directory, 30));
    let history = [
        entry(m, "2026-11-01T10:00:00Z", deliver(EDGE, 1, 1, None)),
        entry(m, "2026-11-01T10:00:01Z", deliver(EDGE, 2, 2, None)),
        entry(d, "2026-11-02T10:00:00Z", destroyed(Some(1))),
        entry(m, "2026-11-03T10:00:00Z", deliver(EDGE, 3, 3, None)),
        entry(d, "2026-11-09T10:00:00Z", destroyed(None)),
    ];
    let told = |from: &str, to: &str, count: usize| {
        let (from_ms, to_ms) = (at(from), at(to));
        let question = Question { component: Kind::Mailbox, version: None, from_ms, to_ms };
        let mut maker = StatementMaker::new(question);
        (0..).zip(&history[..count]).for_each(|(index, entry)| maker.note(index, entry));
        maker.finish(Proven::default())
    };
    let check = |told: &Statement, expected: [u64; 3], entries: [Option<u64>; 2]| {
        let one = &told.ciphertexts[0];
        let (since, gone) = (&one.destroyed_since, &one.no_longer_there);
        assert_eq!([one.copies, since.copies, gone.copies], expected);
        assert_eq!([since.entry, gone.entry], entries);
        assert_eq!(one.bytes, one.copies * 9);
    };
    check(&told("2026-11-01", "2026-11-05", 2), [2, 0, 0], [None, None]);
    check(&told("2026-11-01", "2026-11-05", 4), [3, 1, 0], [Some(2), None]);
    check(&told("2026-11-03", "2026-11-05", 4), [2, 0, 1], [None, Some(2)]);
    let whole = told("2026-11-03", "2026-11-05", 5);
    check(&whole, [2, 2, 1], [Some(4), Some(2)]);
    check(&told("2026-11-10", "2026-11-12", 5), [0, 0, 3], [None, Some(4)]);
    for (language, words) in [
        (Language::English, ["destroyed with their keys since", "destroyed before the window"]),
        (Language::Japanese, ["その後鍵とともに消去", "期間の前に消去済み"]),
    ] {
        let text = tell_statement(&whole, language, |_| None);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

/// Entries of 2026-11-02 from 9:00 to 11:00 are lost, and somebody said that they know.
fn one_loss() -> Loss {
    Loss {
        whose: "both".to_owned(),
        from_entry: 13,
        entries: Some(40),
        size: 53,
        root: "abc=".to_owned(),
        from: Some("2026-11-02T09:00:00.000Z".to_owned()),
        to: "2026-11-02T11:00:00.000Z".to_owned(),
        acknowledged_at: "2026-11-02T11:05:00.000Z".to_owned(),
        acknowledged_by_entry: 20,
        from_ms: at("2026-11-02T09:00:00Z"),
        to_ms: at("2026-11-02T11:00:00Z"),
        ..Loss::default()
    }
}

fn proven_with(losses: Vec<Loss>) -> Proven {
    Proven { checked: Checked::Both, losses, ..Proven::default() }
}

fn ask_over(losses: Vec<Loss>, component: Kind, from: &str, to: &str) -> Scope {
    let (from_ms, to_ms) = (at(from), at(to));
    let question = Question { component, version: None, from_ms, to_ms };
    let history = history();
    let scope = measure(&question, proven_with(losses), |seen| {
        (0..).zip(&history).for_each(|(index, entry)| seen(index, entry));
        Ok::<(), Infallible>(())
    });
    scope.unwrap()
}

#[test]
fn over_a_loss_nothing_is_exact_or_contained() {
    let over = ("2026-11-02T10:00:00Z", "2026-11-03");
    let whole = ask_over(Vec::new(), Kind::Access, over.0, over.1);
    assert!(whole.verified && !whole.lower_bound && whole.bound.starts_with("exact"));
    let torn = ask_over(vec![one_loss()], Kind::Access, over.0, over.1);
    assert!(!torn.verified && torn.lower_bound && torn.bound.starts_with("a lower bound"));
    assert!(!torn.containment.contained);
    for (language, words) in [
        (
            Language::English,
            ["a lower bound", "entries lost (acknowledged): up to 40 entries", "stands in neither"],
        ),
        (
            Language::Japanese,
            ["下限", "失われた証跡（承知ずみ）: 根 abc= の 53 件のうち", "そのどれにもない"],
        ),
    ] {
        let told = tell(&torn, language, |_| None);
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
        assert!(!told.contains("exact") && !told.contains("開示は正確"), "{told}");
        assert!(!told.contains("at most") && !told.contains("（上限）"), "{told}");
    }
    let value = serde_json::to_value(&torn).unwrap();
    assert_eq!((&value["lower_bound"], &value["losses"][0]["entries"]), (&true.into(), &40.into()));
}

#[test]
fn what_was_lost_after_a_window_leaves_its_figures_and_shows_no_silence() {
    let scope = ask_over(vec![one_loss()], Kind::Edge, "2026-10-31", "2026-11-01");
    assert!(scope.verified && !scope.lower_bound && scope.bound.starts_with("exact"));
    let last = scope.containment.conditions.last().unwrap();
    assert_eq!((last.condition, last.met), ("no evidence lost since", false));
    assert!(!scope.containment.contained && scope.losses.len() == 1);
    // And what was lost before it: only where what was kept counts as a whole, or for whoever lived
    // through it.
    let later = ("2026-11-02T12:00:00Z", "2026-11-03");
    let check = |component, is_lower| {
        let scope = ask_over(vec![one_loss()], component, later.0, later.1);
        assert_eq!(scope.lower_bound, is_lower, "{component:?}");
        assert!(scope.containment.conditions.iter().all(|one| !one.condition.contains("lost")));
    };
    check(Kind::Vault, false);
    check(Kind::Identity, true);
    check(Kind::Edge, true);
    check(Kind::Depart, false);
}

#[test]
fn no_statement_holds_over_a_loss() {
    let state = |losses: Vec<Loss>, from: &str, to: &str| {
        let (from_ms, to_ms) = (at(from), at(to));
        let question = Question { component: Kind::Depart, version: None, from_ms, to_ms };
        let mut maker = StatementMaker::new(question);
        (0..).zip(&history()).for_each(|(index, entry)| maker.note(index, entry));
        maker.finish(proven_with(losses))
    };
    let over = ("2026-11-02T09:30:00Z", "2026-11-02T09:40:00Z");
    assert!(state(Vec::new(), over.0, over.1).holds);
    let torn = state(vec![one_loss()], over.0, over.1);
    assert!(!torn.holds && !torn.verified && torn.lower_bound);
    let told = tell_statement(&torn, Language::English, |_| None);
    assert!(told.contains("not known over a loss") && told.contains("up to 40 entries"), "{told}");
    let told = tell_statement(&torn, Language::Japanese, |_| None);
    assert!(told.contains("欠損の間は不明") && told.contains("最大 40 件"), "{told}");
    // Behind it, releases are all there; what was kept in it is not.
    let behind = state(vec![one_loss()], "2026-11-03", "2026-11-04");
    assert!(behind.holds && behind.lower_bound);
    let before = state(vec![one_loss()], "2026-10-01", "2026-10-02");
    assert!(before.holds && !before.lower_bound && before.verified);
}

/// The next warden's birth is the end of all that the one before had borne: nobody else was left
/// to write it down.
#[test]
fn a_wardens_birth_ends_every_life_before_it() {
    let w = (Kind::Warden, 0);
    let mut roll = Roll::default();
    roll.note(&entry(w, "2026-11-02T10:00:00Z", start(0, Kind::Warden, None)));
    roll.note(&entry(w, "2026-11-02T10:00:01Z", start(ACCESS, Kind::Access, None)));
    roll.note(&entry(w, "2026-11-02T10:00:01Z", start(9, Kind::Ledger, None)));
    assert!(roll.0.values().all(|life| life.to_ms.is_none()));
    let next = (Kind::Warden, 30);
    roll.note(&entry(next, "2026-11-02T11:00:00Z", start(30, Kind::Warden, None)));
    let ended = Some(at("2026-11-02T11:00:00Z"));
    for one in [0, ACCESS, 9] {
        assert_eq!(roll.0[&instance(one)].to_ms, ended, "{one}");
    }
    assert_eq!(roll.0[&instance(30)].to_ms, None);
}

/// What was never there needs no end.
#[test]
fn a_window_in_which_nothing_lived_is_contained() {
    let empty = ask(Kind::Access, None, "1970-01-01", "1970-01-02");
    assert_eq!((empty.instances, empty.upper), (0, 0));
    assert!(empty.containment.contained, "{:?}", empty.containment.conditions);
    assert_eq!(empty.containment.exposure_ended, None);
    let lived = ask(Kind::Access, None, "2026-11-02", "2026-11-03");
    assert!(!lived.containment.contained && lived.instances > 0);
}

/// Nobody is told as "0 people" of whom much could have been opened.
#[test]
fn who_could_have_been_read_is_not_told_as_nobody() {
    let scope = ask(Kind::Identity, None, "2026-10-31T09:00:00Z", "2026-11-02");
    let told = tell(&scope, Language::English, |_| None);
    assert!(told.contains("could have opened 4 messages"), "{told}");
    assert!(!told.contains("0 people") && !told.contains(":  ("), "{told}");
    let told = tell(&scope, Language::Japanese, |_| None);
    assert!(told.contains("開示し得たメール 4 通") && !told.contains("0 名"), "{told}");
}

/// A ledger cannot write that it ended: the start after it does.
#[test]
fn a_ledger_ended_with_the_start_after_it() {
    let w = (Kind::Warden, 40);
    let mut history = vec![
        entry(w, "2026-11-02T10:00:00Z", start(40, Kind::Warden, None)),
        entry(w, "2026-11-02T10:00:01Z", start(41, Kind::Ledger, None)),
    ];
    let ask = |history: &[Entry]| {
        let (from_ms, to_ms) = (at("2026-11-02T10:00:00Z"), at("2026-11-02T11:00:00Z"));
        let question = Question { component: Kind::Ledger, version: None, from_ms, to_ms };
        let scope = measure(&question, Proven::default(), |seen| {
            (0..).zip(history).for_each(|(index, entry)| seen(index, entry));
            Ok::<(), Infallible>(())
        });
        scope.unwrap().containment
    };
    let before = ask(&history);
    assert!(before.exposure_ended.is_none() && !before.conditions[0].met);
    let next = (Kind::Warden, 50);
    history.push(entry(next, "2026-11-02T12:00:00Z", start(50, Kind::Warden, None)));
    history.push(entry(next, "2026-11-02T12:00:01Z", start(51, Kind::Ledger, None)));
    let after = ask(&history);
    assert!(after.conditions[0].met, "{:?}", after.conditions);
    assert_eq!(after.exposure_ended.as_deref(), Some("2026-11-02T12:00:00.000Z"));
}
