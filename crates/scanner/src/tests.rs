//! Cases over a real channel, with a resolver that knows one zone.

use crate::{Given, MESSAGES, MESSAGES_OF_ONE, NoDns, examine, most, serve_edge};
use policy::{Authentication, DmarcPolicy, Outcome};
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::Duration;
use terms::Verdict;
use wire::names::{Answer, Outcome as Found, Question, Record, RecordKind, Security};
use wire::scanner::{Examined, FromScanner, Sender, Task, ToScanner};
use wire::{Channel, Parcel};

const MESSAGE: &[u8] = b"Authentication-Results: mx.house.example; spf=pass\r\n\
From: Ann <ann@sender.example>\r\nTo: bo@house.example\r\nSubject: hello\r\n\
Message-ID: <1@sender.example>\r\n\r\nhello\r\n";

fn zone(question: &Question) -> Answer {
    let text = |text: &str| Found::Records(vec![Record::Txt(text.as_bytes().to_vec())]);
    let outcome = match (question.name.as_str(), question.kind) {
        ("sender.example", RecordKind::Txt) => text("v=spf1 ip4:192.0.2.1 -all"),
        ("_dmarc.sender.example" | "_dmarc.example.jp", RecordKind::Txt) => {
            text("v=DMARC1; p=reject")
        }
        _ => Found::NoSuchName,
    };
    Answer { outcome, security: Security::Insecure, ttl_seconds: 60 }
}

fn sender(last: u8) -> Sender {
    Sender {
        client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        helo: "mail.sender.example".to_owned(),
        mail_from: "ann@sender.example".to_owned(),
    }
}

/// Plays `edge` for one message.
fn ask(edge: &mut Channel, sender: Option<Sender>, message: &[u8], inline: usize) -> Examined {
    let mut held = Vec::new();
    let message = Parcel::pack(message.to_vec(), inline, &mut held).unwrap();
    let host_name = "mx.house.example".to_owned();
    let call = edge.next_call();
    edge.send(call, &ToScanner::Examine(Task { sender, host_name, message }), &held).unwrap();
    examined(edge, call)
}

fn examined(edge: &mut Channel, call: u32) -> Examined {
    loop {
        let frame = edge.receive(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(frame.call, call);
        match frame.read().unwrap() {
            FromScanner::Question(question) => {
                edge.send(call, &ToScanner::Answer(zone(&question)), &[]).unwrap();
            }
            FromScanner::Examined(examined) => return *examined,
        }
    }
}

fn with_scanner(visit: impl FnOnce(&mut Channel)) {
    let (mut edge, mut scanner) = Channel::pair().unwrap();
    let serving = thread::spawn(move || serve_edge(&mut scanner, MESSAGES, "mx.house.example"));
    visit(&mut edge);
    drop(edge);
    let ended = serving.join().unwrap();
    assert!(matches!(
        ended,
        Ok(()) | Err(crate::Fault::Channel(wire::Fault::Gone | wire::Fault::Unread))
    ));
}

/// The same where the message comes behind its task.
fn ask_behind(edge: &mut Channel, message: &[u8]) -> Examined {
    let host_name = "mx.house.example".to_owned();
    let call = edge.next_call();
    let announced = Parcel::Behind { bytes: message.len() as u64 };
    let task = Task { sender: None, host_name, message: announced };
    edge.send(call, &ToScanner::Examine(task), &[]).unwrap();
    edge.send_behind(message).unwrap();
    examined(edge, call)
}

#[test]
fn it_makes_no_difference_how_a_message_comes() {
    let long = [MESSAGE, &b"a line of text, and many more like it\r\n".repeat(20_000)].concat();
    for message in [MESSAGE, &long] {
        with_scanner(|edge| {
            let mut seen = [
                ask(edge, None, message, 50_000_000),
                ask(edge, None, message, 0),
                ask_behind(edge, message),
            ];
            seen.iter_mut().for_each(|one| one.micros = 0);
            let [inline, held, behind] = seen.map(|one| postcard::to_stdvec(&one).unwrap());
            assert!(inline == held && held == behind);
        });
    }
}

#[test]
fn who_sends_more_than_was_announced_is_heard_no_longer() {
    let (mut edge, mut scanner) = Channel::pair().unwrap();
    let serving = thread::spawn(move || serve_edge(&mut scanner, MESSAGES, "mx.house.example"));
    let message = Parcel::Behind { bytes: 10 };
    let task = Task { sender: None, host_name: String::new(), message };
    let call = edge.next_call();
    edge.send(call, &ToScanner::Examine(task), &[]).unwrap();
    edge.send_behind(&[b'x'; 11]).unwrap();
    assert!(matches!(serving.join().unwrap(), Err(crate::Fault::Channel(wire::Fault::Malformed))));
    let (mut edge, mut scanner) = Channel::pair().unwrap();
    let serving = thread::spawn(move || serve_edge(&mut scanner, MESSAGES, "mx.house.example"));
    let message = Parcel::Behind { bytes: u64::MAX };
    let task = Task { sender: None, host_name: String::new(), message };
    let call = edge.next_call();
    edge.send(call, &ToScanner::Examine(task), &[]).unwrap();
    assert!(serving.join().unwrap().is_err(), "more than there is room for");
}

#[test]
fn a_message_is_examined_over_the_channel() {
    with_scanner(|edge| {
        let examined = ask(edge, Some(sender(1)), MESSAGE, 1_000);
        let facts: Authentication = postcard::from_bytes(&examined.authentication).unwrap();
        assert_eq!((facts.spf, facts.dmarc), (Outcome::Pass, Outcome::Pass));
        assert!(examined.authentication_results.starts_with("Authentication-Results: mx.house"));
        assert_eq!(examined.forged, [(0, 52)]);
        assert_eq!(examined.parts, 1);
        let ids: Vec<&str> = examined.findings.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(ids, ["auth.forged"]);
        assert_eq!(examined.trace_digests.len(), 4);
        let summary: mime::Summary = postcard::from_bytes(&examined.summary).unwrap();
        assert_eq!(summary.subject, "hello");
        // The forged field is not shown.
        assert!(summary.header.starts_with(b"From: Ann"));
        assert_eq!(summary.header.len() as u64, summary.header_bytes);
    });
}

/// A stranger whose own domain passes is shown as another, whose owner asks for refusal.
#[test]
fn who_is_shown_as_another_is_not_let_in() {
    let verdict = |fields: &str| {
        let message =
            format!("{fields}\r\nTo: bo@house.example\r\nSubject: hello\r\n\r\nhello\r\n");
        let mut found = None;
        with_scanner(|edge| found = Some(ask(edge, Some(sender(1)), message.as_bytes(), 1024)));
        crate::judged(&found.unwrap(), &policy::HouseRules::default()).verdict
    };
    let mine = "<ann@sender.example>";
    for from in [
        "<haru@ｅｘａｍｐｌｅ．ｊｐ>",
        "<haru@exam\u{200b}ple.jp>",
        "<haru@exam\u{ad}ple.jp>",
        "<haru@example.jp\x01>",
        "<haru@=?utf-8?q?example=2Ejp?=>",
        "=?utf-8?q?haru=40example=2Ejp?=",
        "haru@example.jp: ann@sender.example;",
        "<@example.jp,@x:ann@sender.example>",
        "\"haru@example.jp\"@sender.example",
        "haru@example.jp@sender.example",
        "\" <haru@example.jp>",
    ] {
        assert_eq!(verdict(&format!("From: {from}")), Verdict::Refuse, "{from:?}");
    }
    let others: String = (0..5).map(|number| format!("<a@x{number}.sender.example>, ")).collect();
    for fields in [
        "Sender: <haru@example.jp>".to_owned(),
        "From: \r\nSender: <haru@example.jp>".to_owned(),
        "From: <>".to_owned(),
        format!("From: {others}<haru@example.jp>"),
    ] {
        assert!(verdict(&fields) >= Verdict::Junk, "{fields:?}");
    }
    for from in [
        mine.to_owned(),
        format!("山田 花子 {mine}"),
        format!("\"Ann, of Sender\" {mine}, <bo@sender.example>"),
        format!("\"haru@example.jp\" {mine}"),
    ] {
        assert!(verdict(&format!("From: {from}")) <= Verdict::Tag, "{from:?}");
    }
}

#[test]
fn several_messages_and_large_ones_pass_through_one_instance() {
    with_scanner(|edge| {
        for inline in [0, 10_000, 0] {
            let examined = ask(edge, Some(sender(9)), MESSAGE, inline);
            let facts: Authentication = postcard::from_bytes(&examined.authentication).unwrap();
            assert_eq!((facts.spf, facts.dmarc), (Outcome::Fail, Outcome::Fail));
            assert_eq!(facts.dmarc_policy, DmarcPolicy::Reject);
        }
        let examined = ask(edge, None, MESSAGE, 10_000);
        assert!(examined.authentication.is_empty());
        assert!(examined.authentication_results.is_empty());
        assert_eq!(examined.forged, [(0, 52)]);
    });
}

#[test]
fn an_instance_leaves_after_enough_messages() {
    with_scanner(|edge| {
        for _ in 0..MESSAGES {
            ask(edge, None, b"Subject: x\r\n\r\nx", 1_000);
        }
        assert!(edge.receive(Some(Duration::from_secs(10))).is_err());
    });
}

#[test]
fn a_person_s_own_mail_wears_an_instance_out_later() {
    use terms::{InstanceId, Kind, TenantId, UserId};
    let tenant = TenantId([3; 8]);
    let check = |kind, person, expected| {
        let label = wire::Label { instance: InstanceId([1; 6]), kind, person };
        assert_eq!(most(&label), expected, "{} {person:?}", kind.word());
    };
    let (ann, server) = (UserId([4; 8]), wire::directory::server_of(tenant));
    check(Kind::Dispatch, Some((tenant, ann)), MESSAGES_OF_ONE);
    // Of many, or of anybody.
    check(Kind::Dispatch, Some((tenant, server)), MESSAGES);
    check(Kind::Dispatch, None, MESSAGES);
    check(Kind::Edge, None, MESSAGES);
    check(Kind::Edge, Some((tenant, ann)), MESSAGES);
}

#[test]
fn no_dns_is_no_answer() {
    let sender = sender(1);
    let given = Given {
        message: MESSAGE,
        sender: Some(&sender),
        host_name: "mx.house.example",
        now_seconds: 1_795_318_496,
    };
    let examined = examine(&given, &mut NoDns);
    let facts: Authentication = postcard::from_bytes(&examined.authentication).unwrap();
    assert_eq!(facts.spf, Outcome::TempError);
}

fn seen(message: &[u8]) -> Examined {
    let (host_name, now_seconds) = ("mx.house.example", 1_795_318_496);
    examine(&Given { message, sender: None, host_name, now_seconds }, &mut NoDns)
}

fn without_cuts(message: &[u8], examined: &Examined) -> String {
    let mut left = message.to_vec();
    for (start, end) in examined.forged.iter().rev() {
        left.drain(usize::try_from(*start).unwrap()..usize::try_from(*end).unwrap());
    }
    String::from_utf8(left).unwrap()
}

#[test]
fn a_server_s_secret_stays_with_us() {
    let message = b"X-Sekisho-Outlet: sko-1\r\nTo: a@b.example\r\nAuthentication-Results: \
        mx.house.example; spf=pass\r\nx-sekisho-outlet :\r\n sko-2\r\nSubject: x\r\n\r\nX-Sekisho-\
        Outlet: body\r\n";
    let examined = seen(message);
    let expected = "To: a@b.example\r\nSubject: x\r\n\r\nX-Sekisho-Outlet: body\r\n";
    assert_eq!(without_cuts(message, &examined), expected);
    let summary: mime::Summary = postcard::from_bytes(&examined.summary).unwrap();
    assert!(!String::from_utf8(summary.header).unwrap().contains("sko-"));
    let forged = |examined: &Examined| examined.findings.iter().any(|one| one.id == "auth.forged");
    assert!(forged(&examined) && !forged(&seen(b"X-Sekisho-Outlet: sko-1\r\n\r\n")));
}

/// Whoever reads our verdict in a message reads ours.
#[test]
fn a_strangers_verdict_is_cut() {
    let message = b"X-Sekisho-Verdict: deliver; score=-9\r\nTo: a@b.example\r\n\
        x-sekisho-verdict :\r\n deliver\r\nSubject: x\r\n\r\nX-Sekisho-Verdict: body\r\n";
    let examined = seen(message);
    let expected = "To: a@b.example\r\nSubject: x\r\n\r\nX-Sekisho-Verdict: body\r\n";
    assert_eq!(without_cuts(message, &examined), expected);
    let summary: mime::Summary = postcard::from_bytes(&examined.summary).unwrap();
    assert!(!String::from_utf8(summary.header).unwrap().to_lowercase().contains("verdict"));
}

/// A return path is written by whoever delivers at last, and our own fields by us.
#[test]
fn a_strangers_return_path_and_fields_called_like_ours_are_cut() {
    let message = b"Return-Path: <boss@house.example>\r\nX-Sekisho-Score: 0\r\nReturn-Path :\r\n\
        \t<x@y.example>\r\nX-SEKISHO-passed: 00\r\nX-Sekishou: a\r\nTo: a@b.example\r\n\
        X-Return-Path: b\r\n\r\nReturn-Path: body\r\n";
    let examined = seen(message);
    let expected = "X-Sekishou: a\r\nTo: a@b.example\r\nX-Return-Path: b\r\n\r\n\
        Return-Path: body\r\n";
    assert_eq!(without_cuts(message, &examined), expected);
    let summary: mime::Summary = postcard::from_bytes(&examined.summary).unwrap();
    let header = String::from_utf8(summary.header).unwrap();
    assert!(!header.contains("boss@") && !header.to_lowercase().contains("x-sekisho-"), "{header}");
    // What was read of it before is still known: a circle is found by its marks.
    assert_eq!(examined.header.unwrap().passed, ["00"]);
}

/// Nothing of a chain that does not hold is ours; a foreign chain stays as it is.
#[test]
fn our_name_in_a_broken_chain_is_cut() {
    let sender = Sender {
        client_ip: "192.0.2.1".parse().unwrap(),
        helo: "mx.stranger.example".to_owned(),
        mail_from: "a@stranger.example".to_owned(),
    };
    let check = |field: &str, is_cut: bool| {
        let message = format!("{field}\r\nSubject: x\r\n\r\nhi\r\n");
        let examined = examine(
            &Given {
                message: message.as_bytes(),
                sender: Some(&sender),
                host_name: "mx.house.example",
                now_seconds: 1_795_318_496,
            },
            &mut NoDns,
        );
        let left = without_cuts(message.as_bytes(), &examined);
        assert_eq!(!left.contains("dmarc=pass"), is_cut, "{left}");
    };
    check("ARC-Authentication-Results: i=1; mx.house.example; dmarc=pass", true);
    check("arc-authentication-results: i=1;\r\n (x) MX.House.Example. ; dmarc=pass", true);
    check("ARC-Authentication-Results: mx.house.example; dmarc=pass", true);
    check("ARC-Authentication-Results: i=1; mx.other.example; dmarc=pass", false);
    check("ARC-Seal: i=1; cv=none; x=dmarc=pass", false);
}

/// What stands behind many fields is seen, or the header is said to be overlong.
#[test]
fn no_field_hides_behind_others() {
    let forged = "Authentication-Results: mx.house.example; dmarc=pass\r\n";
    let check = |filler: &str, is_overlong: bool| {
        let message = format!("{filler}{forged}Auto-Submitted: auto-replied\r\n\r\nhi");
        let examined = seen(message.as_bytes());
        let header = examined.header.as_ref().unwrap();
        assert_eq!(header.is_overlong, is_overlong, "{}", filler.len());
        if !is_overlong {
            assert!(header.is_automatic);
            assert!(!without_cuts(message.as_bytes(), &examined).contains("dmarc=pass"));
        }
    };
    check("", false);
    check(&"X: y\r\n".repeat(998), false);
    check(&"X: y\r\n".repeat(999), true);
    check(&"X: y\r\n".repeat(2_005), true);
    check(&"no field\r\n".repeat(2_005), false);
    check(&"X: 0123456789012345678901234567890123456789\r\n y\r\n".repeat(900), false);
    check(&format!("X: {}\r\n", "y\r\n ".repeat(70_000)), true);
}

/// Where the header ends, and which fields it has, is one answer for all who read it.
#[test]
fn fuzz_readers_of_headers_agree() {
    let words: [&str; 12] = [
        "From: a@b.example",
        "Authentication-Results: mx.house.example; x",
        "X-Sekisho-Outlet: y",
        "\r\n",
        "\n",
        "\r",
        "\r\n ",
        "\t",
        ":",
        "--b",
        " ",
        "Name",
    ];
    let mut state = 23u64;
    let mut roll = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..5_000 {
        let message: String = (0..roll(60)).map(|_| words[roll(words.len())]).collect();
        let header = mime::summarise(message.as_bytes()).header;
        assert_eq!(header.len(), mailauth::header_bytes(message.as_bytes()), "{message:?}");
        for name in ["From", "Authentication-Results", "X-Sekisho-Outlet"] {
            let (few, all) = (
                mime::field_values(message.as_bytes(), name).len(),
                mailauth::fields_named(message.as_bytes(), name).len(),
            );
            // A name with white space in it is a field for some readers: we cut it out too.
            assert!(few <= all, "{name} {message:?}");
        }
    }
}

/// What nobody looked at whole, or what readers show differently, does not reach an inbox.
#[test]
fn what_is_built_to_pass_a_scanner_is_set_aside() {
    let head = "From: ann@sender.example\r\nTo: bo@house.example\r\nSubject: x\r\n";
    let verdict = |rest: &str| {
        let message = format!("{head}{rest}");
        let (message, host_name) = (message.as_bytes(), "mx.house.example");
        let given = Given { message, sender: None, host_name, now_seconds: 0 };
        crate::judged(&examine(&given, &mut NoDns), &policy::HouseRules::default()).verdict
    };
    let mixed = "Content-Type: multipart/mixed; boundary=b";
    let body = "--b\r\n\r\nhello\r\n--b--\r\n";
    let plain = "Content-Type: text/plain";
    let typed = format!("--b\r\n{plain}\r\n\r\nhello\r\n--b--\r\n");
    assert_eq!(verdict(&format!("{mixed}\r\n\r\n{body}")), Verdict::Deliver);
    let parts = format!("{mixed}\r\n\r\n{}{body}", "--b\r\n\r\n".repeat(20_000));
    let deep: String = (0..2_000)
        .map(|level| {
            format!("Content-Type: multipart/mixed; boundary=b{level}e\r\n\r\n--b{level}e\r\n")
        })
        .collect();
    let encoded = data_encoding::BASE64.encode(body.as_bytes());
    for rest in [
        parts,
        deep,
        format!("{plain}\r\n{mixed}\r\n\r\n{body}"),
        format!("{mixed}\r\n{plain}\r\n\r\n{body}"),
        format!("{mixed}; boundary=c\r\n\r\n{body}"),
        format!("{mixed}{}\r\n\r\n{body}", "b".repeat(2_000)),
        format!("{mixed}\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n"),
        format!("Content-Type: multipart/mixed\r\n\r\n{typed}"),
        format!("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n{typed}"),
        "Content-Type: message/partial; id=x; number=1; total=2\r\n\r\nx".to_owned(),
    ] {
        assert_eq!(verdict(&rest), Verdict::Quarantine, "{}", rest.get(..300).unwrap_or(&rest));
    }
}
