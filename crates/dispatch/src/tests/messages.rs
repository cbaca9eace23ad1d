//! What becomes of a message that a person hands in.

use super::neighbourhood::{Post, TENANT, USER};
use super::{Neighbourhood, Plan, settle};
use terms::{Finding, UserId, Verdict};
use wire::directory::SendingSettings;
use wire::dispatch::{FromAccess, ToAccess};
use wire::mailbox::State;
use wire::post::{AtEnd, Finish, Hop};

const HEAD: &str = "From: Aoi <aoi@example.jp>\r\nTo: x@far.example\r\nSubject: hi\r\n\
    Date: Sun, 29 Nov 2026 12:00:00 +0900\r\nMessage-ID: <1@example.jp>\r\n";

pub(super) fn whole(more: &str) -> String {
    format!("{HEAD}{more}\r\nhello\r\n")
}

fn said(answer: &ToAccess) -> String {
    match answer {
        ToAccess::Yes => "yes".to_owned(),
        ToAccess::YesElsewhere => "yes, elsewhere".to_owned(),
        ToAccess::No { code, enhanced: (subject, detail), text } => {
            format!("{code} {}.{subject}.{detail} {text}", code / 100)
        }
        ToAccess::Room(room) => format!("room {room}"),
        ToAccess::Queued { text, .. } => format!("queued: {text}"),
    }
}

#[track_caller]
pub(super) fn check(answer: &ToAccess, expected: &str) {
    let said = said(answer);
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn a_message_is_examined_signed_sealed_and_queued() {
    let around = settle(Plan::default());
    check(&around.ask(&FromAccess::From("Aoi+x@Example.JP".to_owned()), &[]), "yes");
    check(&around.ask(&FromAccess::To("x@far.example".to_owned()), &[]), "yes");
    check(&around.ask(&FromAccess::Many(1), &[]), "yes");
    let text = whole("Bcc: ben@example.jp\r\nX-Sekisho-Outlet: sko-one\r\n");
    let answer = around.hand_in("aoi@example.jp", &["x@far.example", "ben@example.jp"], &text);
    check(&answer, "queued: ");
    let left = &around.left()[0];
    assert!(said(&answer).contains(&format!("{} queued", left.outgoing.message)));
    assert_eq!((left.outgoing.tenant, left.outgoing.user), (TENANT, USER));
    assert!(left.outgoing.hold.is_none() && left.outgoing.body.epoch == 20_787);
    let hops: Vec<&Hop> = left.envelopes.iter().map(|envelope| &envelope.hop).collect();
    assert_eq!(hops, [&Hop::Domain("far.example".to_owned()), &Hop::Here]);
    assert!(left.envelopes.iter().all(|envelope| envelope.from == "aoi@example.jp"));
    assert_eq!(left.envelopes[1].recipients[0].address, "ben@example.jp");
    assert!(left.text.ends_with(&whole("")), "{}", left.text);
    assert!(left.text.starts_with("Received: by mx.example.jp with ESMTPSA id "), "{}", left.text);
    assert!(left.text.contains("\r\nDKIM-Signature: v=1; a=ed25519-sha256; "), "{}", left.text);
    for private in ["private-laptop", "203.0.113", "Bcc", "ben@", "sko-", "Outlet"] {
        assert!(!left.text.contains(private), "{private} in {}", left.text);
    }
    let seen = around.seen.lock().unwrap();
    assert_eq!(seen.scanned, [text.as_bytes()], "the scanner sees what was handed in");
    assert_eq!(seen.routed, ["domain far.example", "here"]);
    drop(seen);
    let journey = &around.journeys(1)[0];
    assert_eq!((journey.state, journey.verdict), (State::Queued, Verdict::Deliver));
    assert_eq!((journey.tenant, journey.message), (TENANT, left.outgoing.message));
    assert_eq!(journey.recipients, [USER]);
    // The scanner's, what it is called here, its sender, two domains and two recipients; some are
    // alike.
    assert_eq!(journey.tokens.len(), 8);
}

#[test]
fn senders_and_recipients_are_weighed_before_the_text() {
    let around = settle(Plan::default());
    let from = |address: &str| around.ask(&FromAccess::From(address.to_owned()), &[]);
    check(&from(""), "yes");
    check(&from("sales@example.jp"), "yes");
    check(&from("ben@example.jp"), "550 5.7.1 you may not write as this sender");
    check(&from("ceo@bank.example"), "550 5.7.1");
    check(&from("later@example.jp"), "451 4.3.0");
    check(&from("no address"), "550 5.7.1");
    check(&from("\"aoi+\\\" <ceo@bank.example>\"@example.jp"), "550 5.7.1");
    let to = |address: &str| around.ask(&FromAccess::To(address.to_owned()), &[]);
    check(&to("x@far.example"), "yes");
    check(&to("x@例え.jp"), "yes");
    check(&to("x@[192.0.2.1]"), "yes");
    check(&to("Ben+tag@example.jp"), "yes");
    check(&to("nobody@example.jp"), "550 5.1.1");
    check(&to("later@example.jp"), "451 4.3.0");
    check(&to("x"), "501 5.1.3");
    check(&to("\"john doe\"@far.example"), "yes");
    check(&to("\"ben\"@example.jp"), "yes");
    check(&to("\"john doe\"@example.jp"), "550 5.1.1");
    let answer = around.hand_in("aoi@example.jp", &["\"john doe\"@far.example"], &whole(""));
    check(&answer, "queued: ");
    let envelope = around.left()[0].envelopes[0].clone();
    assert_eq!(envelope.hop, Hop::Domain("far.example".to_owned()));
    assert_eq!(envelope.recipients[0].address, "\"john doe\"@far.example");
}

#[test]
fn a_statement_that_is_unsigned_or_about_another_is_worth_nothing() {
    let around = settle(Plan { wrong_signature: true, ..Plan::default() });
    let answer = around.ask(&FromAccess::From("aoi@example.jp".to_owned()), &[]);
    check(&answer, "451 4.3.0");
    let around = settle(Plan::default());
    check(&around.ask(&FromAccess::From("lie@example.jp".to_owned()), &[]), "451 4.3.0");
    // Reports and answers go different ways: the alarm may be on its way still.
    hears(&around, "about somebody else");
}

fn hears(around: &Neighbourhood, words: &str) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::time::Instant::now() < until {
        if around.seen.lock().unwrap().reports.iter().any(|report| report.contains(words)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("the warden never heard: {words}");
}

#[test]
fn the_header_speaks_for_this_person_and_nobody_else() {
    let around = settle(Plan::default());
    let send = |header: &str| {
        let text = format!("{header}\r\nhello\r\n");
        around.hand_in("aoi@example.jp", &["x@far.example"], &text)
    };
    check(&send("From: aoi@example.jp\r\n"), "queued");
    check(&send("From: =?utf-8?B?44GC44GK44GE?= <AOI+x@example.jp>\r\n"), "queued");
    check(&send("From: \"Aoi, A.\" <aoi@example.jp>, sales@example.jp\r\n"), "queued");
    let of_two = &around.left()[2].text;
    assert!(of_two.contains("\r\nSender: <aoi@example.jp>\r\n"), "{of_two}");
    assert!(!around.left()[0].text.contains("Sender:"));
    check(&send("From: aoi@example.jp\r\nSender: sales@example.jp\r\n"), "queued");
    check(&send("From: \"aoi@example.jp\" <aoi@example.jp>\r\n"), "queued");
    check(&send("From: 田中 葵 <aoi@example.jp>\r\n"), "queued");
    for odd in [
        "Subject: x\r\n",
        "From: ben@example.jp\r\n",
        "From: ceo@bank.example\r\n",
        "From: aoi@example.jp, ceo@bank.example\r\n",
        "From: aoi@example.jp\r\nFrom: ceo@bank.example\r\n",
        "From: aoi@example.jp\r\nFROM : ceo@bank.example\r\n",
        "From: aoi@example.jp\r\nSender: ceo@bank.example\r\n",
        "From: aoi@example.jp\r\nSender: aoi@example.jp\r\nSender: aoi@example.jp\r\n",
        "From: aoi@example.jp\r\nResent-From: ceo@bank.example\r\n",
        "From: <ceo@bank.example> <aoi@example.jp>\r\n",
        "From: <ceo@bank.example>\r\n <aoi@example.jp>\r\n",
        "From: aoi@example.jp, <ceo@bank.example> <aoi@example.jp>\r\n",
        "From: ceo@bank.example <aoi@example.jp>\r\n",
        "From: ceo@bank.example\r\n\t<aoi@example.jp>\r\n",
        "From: <aoi@example.jp> ceo@bank.example\r\n",
        "From: <aoi+,ceo@bank.example,@example.jp>\r\n",
        "From: \"aoi+\\\" <ceo@bank.example>\"@example.jp\r\n",
        "From: aoi+ceo@bank.example@example.jp\r\n",
        "From: aoi@example.jp\r\nSender: ceo@bank.example <aoi@example.jp>\r\n",
        "From: aoi@example.jp\r\nSender: aoi@example.jp, sales@example.jp\r\n",
        "From: aoi@example.jp\r\nResent-From: ceo@bank.example <aoi@example.jp>\r\n",
        "From: aoi@example.jp\r\nResent-Sender: <aoi@example.jp> ceo@bank.example\r\n",
        "From: us: aoi@example.jp;\r\n",
        "From: =?utf-8?q?ceo=40bank=2Eexample?=\r\n",
        "From: <@bank.example:aoi@example.jp>\r\n",
        "From: Foo, Inc. <aoi@example.jp>\r\n",
        "From: \r\n",
    ] {
        let answer = send(odd);
        check(&answer, "550 5.7.1");
    }
    for odd in [
        " From: aoi@example.jp\r\nFrom: aoi@example.jp\r\n",
        "From: aoi@example.jp\r\nno field\r\n",
        "From: aoi@example.jp\r\n: x\r\n",
        "From: aoi@example.jp\r\nB cc: x@y\r\n",
    ] {
        check(&send(odd), "554 5.6.0");
    }
    for odd in ["hello\nBcc: x\r\n", "hello\r", "hello\0\r\n", "a\r\rb\r\n"] {
        let text = format!("From: aoi@example.jp\r\n\r\n{odd}");
        check(&around.hand_in("aoi@example.jp", &["x@far.example"], &text), "554 5.6.0 a line");
    }
    let odd = said(&send("From: <aoi@example.jp> ceo@bank.example\r\n"));
    let told = "550 5.7.1 From: expected nothing behind an address, found: ceo@bank.example";
    assert_eq!(odd, told);
    let long = format!("From: aoi@example.jp\r\nX: {}\r\n", "x\r\n ".repeat(100_000));
    check(&send(&long), "554 5.6.0 this message's header is too long");
}

/// Whoever stands behind the bound is looked at, or the message does not leave.
#[test]
fn no_spokesman_is_passed_over() {
    let around = settle(Plan::default());
    let send = |many: usize, last: &str| {
        let own = "Resent-From: aoi@example.jp\r\n".repeat(many);
        let text = format!("From: aoi@example.jp\r\n{own}Resent-From: {last}\r\n\r\nhello\r\n");
        around.hand_in("aoi@example.jp", &["x@far.example"], &text)
    };
    check(&send(39, "sales@example.jp"), "queued");
    check(&send(39, "ceo@bank.example"), "550 5.7.1 you may not write as this sender");
    check(&send(40, "sales@example.jp"), "550 5.7.1 Resent-From: expected 40 addresses at most");
    check(&send(40, "ceo@bank.example"), "550 5.7.1");
    check(&send(0, &"aoi@example.jp,".repeat(11)), "550 5.7.1 Resent-From: expected");
}

#[test]
fn what_stands_once_stands_once() {
    let around = settle(Plan::default());
    let send = |header: &str| {
        let text = format!("From: aoi@example.jp\r\n{header}\r\nhello\r\n");
        around.hand_in("aoi@example.jp", &["x@far.example"], &text)
    };
    for name in [
        "Date",
        "Reply-To",
        "To",
        "Cc",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Subject",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ] {
        let lower = name.to_lowercase();
        let twice = format!("{name}: a\r\nX-Other: b\r\n{} : b\r\n", name.to_uppercase());
        check(&send(&twice), &format!("554 5.6.0 {lower}: expected once, found 2 times"));
        check(&send(&format!("{name}: a\r\n")), "queued");
    }
    check(&send("Received: a\r\nReceived: b\r\nComments: a\r\nComments: b\r\n"), "queued");
    // RFC 5321 §6.3: a customer's server hands back what a gateway brought it, and so on.
    check(&send(&"Received: a\r\n".repeat(50)), "queued");
    check(&send(&"Received: a\r\n".repeat(51)), "554 5.4.6 this message comes through too many");
    check(&send("Bcc: a@b.example\r\nBcc: c@d.example\r\n"), "queued");
    for blank in
        ["Subject: a\r\n \r\n\tb\r\n", "Subject: a\r\n\t \t\r\n", "Subject:\r\n \r\n b\r\n"]
    {
        check(&send(blank), "554 5.6.0 a line of this message's header has nothing but blanks");
    }
}

#[test]
fn the_empty_sender_is_for_notices() {
    let around = settle(Plan::default());
    let send = |more: &str| {
        let text = format!("From: aoi@example.jp\r\n{more}\r\n--b\r\n\r\nx\r\n--b--\r\n");
        around.hand_in("", &["x@far.example"], &text)
    };
    check(&send(""), "550 5.7.1 only notices");
    check(&send("Content-Type: multipart/mixed; boundary=b\r\n"), "550 5.7.1 only notices");
    let report = "Content-Type: Multipart/Report;\r\n report-type=disposition-notification; \
        boundary=b\r\n";
    check(&send(report), "queued");
    assert_eq!(around.left()[0].envelopes[0].from, "");
    let foreign = "From: ceo@bank.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n";
    check(&around.hand_in("", &["x@far.example"], foreign), "550 5.7.1");
}

#[test]
fn what_a_client_left_out_is_added_and_nothing_else_changed() {
    let around = settle(Plan { has_keys: false, ..Plan::default() });
    let text = "Return-Path: <old@x>\r\nSubject:  odd\t spacing \r\nFrom: aoi@example.jp\r\n\
        resent-BCC:\r\n a@b,\r\n\tc@d\r\nX-Last: 1\r\n\r\nBcc: in the body\r\n";
    check(&around.hand_in("sales@example.jp", &["x@far.example"], text), "queued");
    let left = &around.left()[0];
    let id = left.outgoing.message;
    let behind = "Subject:  odd\t spacing \r\nFrom: aoi@example.jp\r\nX-Last: 1\r\n\r\n\
        Bcc: in the body\r\n";
    assert!(left.text.ends_with(behind), "{}", left.text);
    let added = left.text.strip_suffix(behind).unwrap();
    let lines: Vec<&str> = added.split("\r\n").collect();
    assert!(lines[0].ends_with(&id.to_string()) && lines[1].contains("(TLSv1_3"), "{added}");
    assert!(lines[3].starts_with("Date: ") && lines[3].ends_with(" +0000"), "{added}");
    assert_eq!(lines[4], format!("Message-ID: <{id}@example.jp>"));
    assert_eq!(lines.len(), 6, "{added}");
    assert!(around.seen.lock().unwrap().signed.is_empty(), "no keys, no signature");
}

#[test]
fn a_text_of_any_size_and_alphabet() {
    let around = settle(Plan::default());
    let large = format!("{HEAD}\r\n{}", "日本語の文 0123456789\r\n".repeat(200_000));
    check(
        &around.hand_in("aoi@example.jp", &["あ@far.example", "y@far.example"], &large),
        "queued",
    );
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &whole("")), "queued");
    let utf8 = whole("X-Note: 葵から\r\nReply-To: 葵@例え.jp\r\n");
    let said = around.hand_in_with("aoi@example.jp", &["x@例え.jp"], &utf8, |submission| {
        submission.smtputf8 = true;
        submission.require_tls = true;
        submission.returns_all = Some(true);
        submission.envelope_id = Some("q+2B".to_owned());
    });
    check(&said, "queued");
    // Text is written in words of ASCII, announced or not, before it is signed.
    let named = whole("X-Note: 葵から\r\nReply-To: 林 <x@far.example>\r\n");
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &named), "queued");
    let unannounced = whole("Reply-To: 葵@例え.jp\r\n");
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &unannounced), "queued");
    let left = around.left();
    // In seven bits, for the remotes that take no others: as it is signed, it leaves.
    let (message, _) = mime::parse(left[0].text.as_bytes());
    let root = message.part(0).unwrap();
    let sent = large.split_once("\r\n\r\n").unwrap().1;
    assert!(message.content(root).as_ref() == sent.as_bytes() && left[0].text.is_ascii());
    let first = &left[0].envelopes[0];
    assert!(!first.has_eight_bits && first.needs_utf8 && left[0].envelopes.len() == 1);
    let second = &left[1].envelopes[0];
    assert!(!second.has_eight_bits && !second.needs_utf8);
    let third = &left[2].envelopes[0];
    assert!(third.has_eight_bits && third.needs_utf8 && third.require_tls);
    assert_eq!(third.recipients[0].address, "x@xn--r8jz45g.jp");
    assert!(left[2].text.contains("X-Note: =?UTF-8?B?"), "{}", left[2].text);
    let fourth = &left[3].envelopes[0];
    assert!(left[3].text.is_ascii() && !fourth.has_eight_bits && !fourth.needs_utf8);
    assert!(left[3].text.contains(" <x@far.example>\r\n"), "{}", left[3].text);
    assert!(left[4].envelopes[0].needs_utf8);
    assert_eq!((third.returns_all, third.envelope_id.as_deref()), (Some(true), Some("q+2B")));
}

#[test]
fn what_the_scanner_finds_decides() {
    let send = |findings: Vec<Finding>, dies: usize| {
        let around = settle(Plan { findings, scanner_dies: dies, ..Plan::default() });
        let answer = around.hand_in("aoi@example.jp", &["x@far.example"], &whole(""));
        (answer, around)
    };
    let (answer, around) = send(vec![Finding::new("content.eicar", 100.0, "")], 0);
    check(&answer, "550 5.7.1 refused: ");
    assert!(around.left().is_empty() && around.seen.lock().unwrap().journeys.is_empty());
    let (answer, around) = send(Vec::new(), 1);
    check(&answer, "queued");
    assert!(around.left()[0].outgoing.hold.is_none());
    let (answer, around) = send(Vec::new(), 2);
    assert!(said(&answer).contains("waits until somebody has looked at it"));
    let left = &around.left()[0];
    assert_eq!(left.outgoing.hold.unwrap().then, AtEnd::Return);
    let journey = &around.journeys(1)[0];
    assert_eq!(journey.reasons[0], "outgoing.held");
    assert_eq!(journey.verdict, Verdict::Quarantine);
}

/// What is more than a limit can never pass: whoever is told to try again would try for ever.
#[test]
fn more_recipients_than_a_limit_are_refused_for_good() {
    let settings = SendingSettings { in_ten_minutes: 2, in_a_day: 5, ..Plan::default().settings };
    let around = settle(Plan { settings, post: Post::Waits(60), ..Plan::default() });
    let text = whole("");
    let many = ["x@far.example", "y@far.example", "z@far.example"];
    let words = "552 5.5.3 3 recipients in one message: you may send to 2 in ten minutes";
    check(&around.hand_in("aoi@example.jp", &many, &text), words);
    check(&around.ask(&FromAccess::From("aoi@example.jp".to_owned()), &[]), "yes");
    check(&around.ask(&FromAccess::Many(3), &[]), words);
    check(&around.hand_in("aoi@example.jp", &many[..2], &text), "450 4.7.1");
    let settings = SendingSettings { in_ten_minutes: 9, in_a_day: 2, ..Plan::default().settings };
    let around = settle(Plan { settings, ..Plan::default() });
    let words = "552 5.5.3 3 recipients in one message: you may send to 2 in a day";
    check(&around.hand_in("aoi@example.jp", &many, &text), words);
}

/// At RCPT: who goes over is refused for now, and nothing is asked of the queue that it counts.
#[test]
fn the_recipient_that_goes_over_a_limit_is_told() {
    let settings = SendingSettings { in_ten_minutes: 9, in_a_day: 4, ..Plan::default().settings };
    let room = |post: Post, many: u32| {
        let around = settle(Plan { settings: settings.clone(), post, ..Plan::default() });
        check(&around.ask(&FromAccess::From("aoi@example.jp".to_owned()), &[]), "yes");
        let answer = around.ask(&FromAccess::Room(many), &[]);
        let seen = around.seen.lock().unwrap();
        let asked = seen.asked.iter().filter(|asked| asked.starts_with("may")).count();
        drop(seen);
        (answer, asked)
    };
    assert_eq!(room(Post::Takes, 1), (ToAccess::Room(4), 0));
    assert_eq!(room(Post::Waits(601), 2), (ToAccess::Room(2), 0));
    let (answer, asked) = room(Post::Waits(601), 3);
    check(&answer, "450 4.7.1 too many recipients lately; try again in 11 minutes");
    assert_eq!(asked, 1);
    // More than ever: the rest goes with another message.
    let (answer, asked) = room(Post::Takes, 5);
    check(&answer, "452 4.5.3 4 recipients in a day: no more in one message");
    assert_eq!(asked, 0);
    // Who presses on is asked about it: all of their message is taken.
    assert_eq!(room(Post::Presses, 3), (ToAccess::Room(4), 1));
    let (answer, _) = room(Post::IsAway, 1);
    check(&answer, "451 4.3.0");
}

#[test]
fn the_queue_has_the_last_word() {
    let send = |post: Post| {
        let around = settle(Plan { post, ..Plan::default() });
        let many = around.ask(&FromAccess::Many(3), &[]);
        (many, around.hand_in("aoi@example.jp", &["x@far.example"], &whole("")), around)
    };
    let (many, answer, around) = send(Post::Waits(601));
    check(&many, "450 4.7.1 too many recipients lately; try again in 11 minutes");
    check(&answer, "450 4.7.1");
    assert!(around.left().is_empty());
    let (many, answer, _) = send(Post::IsFull);
    check(&many, "yes");
    check(&answer, "452 4.3.1");
    let (_, answer, _) = send(Post::IsCrowded);
    check(&answer, "452 4.3.1 too much mail of your organisation waits");
    let (_, answer, around) = send(Post::DiesOnce);
    check(&answer, "queued");
    assert_eq!(around.left().len(), 1);
}

#[test]
fn without_a_mailbox_mail_leaves_all_the_same_and_without_a_queue_not() {
    let around = settle(Plan { mailbox: false, ..Plan::default() });
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &whole("")), "queued");
    let around = settle(Plan { post: Post::IsAway, ..Plan::default() });
    check(&around.ask(&FromAccess::Many(1), &[]), "451 4.3.0");
    hears(&around, "deferred: post is away");
}

#[test]
fn it_ends_with_its_access() {
    let Neighbourhood { life, control, .. } = settle(Plan::default());
    assert_eq!(life.join().unwrap(), std::process::ExitCode::SUCCESS);
    drop(control);
}

#[test]
fn the_notice_of_the_organisation_goes_under_what_leaves_the_house() {
    let notice = || {
        let mut settings = wire::directory::SendingSettings::default();
        settings.notice = "社外秘".to_owned();
        settle(Plan { settings, ..Plan::default() })
    };
    let plain = whole(
        "Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: base64\r\n",
    )
    .replace("hello", "aGVsbG8=");
    let around = notice();
    check(
        &around.hand_in("aoi@example.jp", &["x@far.example", "ben@example.jp"], &plain),
        "queued",
    );
    check(&around.hand_in("aoi@example.jp", &["ben@example.jp"], &plain), "queued");
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &whole("")), "queued");
    let signed = whole("Content-Type: multipart/signed; boundary=s\r\n")
        .replace("hello", "--s\r\n\r\nhello\r\n--s--");
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &signed), "queued");
    let left = around.left();
    assert!(left[0].text.ends_with("\r\n\r\naGVsbG8NCg0K56S+5aSW56eY\r\n"), "{}", left[0].text);
    assert!(!left[0].envelopes[0].has_eight_bits);
    assert!(left[1].text.ends_with(&plain) && left[3].text.ends_with(&signed));
    // A text in ASCII alone is one in UTF-8 from then on.
    let (message, _) = mime::parse(left[2].text.as_bytes());
    let root = message.part(0).unwrap();
    assert_eq!(message.content(root).as_ref(), "hello\r\n\r\n社外秘\r\n".as_bytes());
    assert_eq!(root.content_type.charset().as_deref(), Some("utf-8"));
    let journeys = around.journeys(4);
    let reasons = |at: usize| journeys[at].reasons.join(" ");
    assert_eq!((0..3).map(reasons).collect::<String>(), "");
    assert_eq!(reasons(3), "outgoing.notice.left-out");
}

/// RFC 8689 §5: of the mail that leaves the house by the DNS, and recorded.
#[test]
fn what_its_author_lets_go_without_tls_is_marked() {
    let finish = |fields: &str, require_tls: bool| {
        let around = settle(Plan::default());
        let to = ["x@far.example", "ben@example.jp"];
        let asks = |submission: &mut wire::dispatch::Submission| {
            submission.require_tls = require_tls;
        };
        check(&around.hand_in_with("aoi@example.jp", &to, &whole(fields), asks), "queued");
        let left = around.left().remove(0);
        let reasons = around.journeys(1)[0].reasons.join(" ");
        // Those in this house may have it go on, too.
        let is_heedless = left.envelopes.iter().all(|envelope| envelope.heedless);
        assert_eq!(reasons == "outgoing.tls.not-required", is_heedless, "{reasons}");
        // The next servers read it, too.
        assert!(left.text.contains(fields));
        is_heedless
    };
    assert!(finish("TLS-Required: No\r\n", false));
    assert!(finish("tls-required:\r\n no \r\n", false));
    // Who asks for both in one breath is protected.
    assert!(!finish("TLS-Required: No\r\n", true));
    assert!(!finish("TLS-Required: Yes\r\n", false));
    assert!(!finish("TLS-Required: No\r\nTLS-Required: No\r\n", false));
    assert!(!finish("", false));
}

/// What nobody can read as one is ours to write (RFC 6409 §8.2, §8.3); what stood there is kept.
#[test]
fn a_date_and_an_id_that_are_none_are_replaced() {
    let left = |date: &str, id: &str| {
        let around = settle(Plan::default());
        let text = format!(
            "From: aoi@example.jp\r\nDate: {date}\r\nMessage-ID: {id}\r\nSubject: x\r\n\r\nhi\r\n"
        );
        check(&around.hand_in("aoi@example.jp", &["x@far.example"], &text), "queued");
        let left = around.left().remove(0);
        (left.text.clone(), left.outgoing.message)
    };
    let (text, id) = left("yesterday", "junk");
    let fields = "From: aoi@example.jp\r\nX-Original-Date: yesterday\r\nX-Original-Message-ID: \
                  junk\r\nSubject: x\r\n\r\n";
    assert!(text.contains(fields), "{text}");
    assert!(text.contains(&format!("\r\nMessage-ID: <{id}@example.jp>\r\n")), "{text}");
    assert_eq!(text.matches("\r\nDate: ").count(), 1);
    for odd in ["<a@b> <c@d>", "<>", "<@b>", "<a@>", "a@b", "<a b@c>"] {
        assert!(left("Tue, 1 Dec 2026 00:00:00 +0000", odd).0.contains("X-Original-Message-ID"));
    }
    let (text, _) = left("Tue, 1 Dec 2026 00:00:00 +0000", "<a$b@c.example>");
    assert!(!text.contains("X-Original") && text.contains("<a$b@c.example>"), "{text}");
}

#[test]
fn lines_that_no_server_must_take_do_not_leave() {
    let around = settle(Plan::default());
    let long = "a".repeat(3_000);
    let text = whole("").replace("hello", &long);
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], &text), "queued");
    let left = around.left().remove(0);
    assert!(left.text.lines().all(|line| line.len() <= 998), "{}", left.text);
    let subject = whole("").replace("Subject: hi", &format!("Subject: {long}"));
    let answer = around.hand_in("aoi@example.jp", &["x@far.example"], &subject);
    check(&answer, "554 5.6.0 a field of this message's header has a line of more than 998");
}

#[test]
fn signatures_hold_for_what_leaves() {
    use mailauth::sign::{BodyDigest, SigningAs, dkim};
    let around = settle(Plan::default());
    let text =
        "From: aoi@example.jp\r\nBcc: a@b\r\nSubject: =?utf-8?q?x?=\r\n folded\r\n\r\nhi \r\n";
    check(&around.hand_in("aoi@example.jp", &["x@far.example"], text), "queued");
    let left = &around.left()[0];
    let (header, body) = left.text.split_once("\r\n\r\n").unwrap();
    let (_, behind) = header.split_once("DKIM-Signature:").unwrap();
    let signed = behind.split("\r\n").skip_while(|line| !line.contains("b=")).collect::<Vec<_>>();
    assert!(!signed.is_empty());
    // What a verifier computes of the message as it left is what the signer was given.
    let from = header.find("Date: ").unwrap();
    let seconds = behind.split("t=").nth(1).unwrap().split(';').next().unwrap();
    let by = SigningAs {
        domain: "example.jp",
        selector: "s1",
        algorithm: "ed25519-sha256",
        now: seconds.parse().unwrap(),
    };
    let again =
        dkim(format!("{}\r\n", &header[from..]).as_bytes(), &BodyDigest::of(body.as_bytes()), &by);
    assert_eq!(again.canonical(), around.seen.lock().unwrap().signed[0]);
    assert!(!String::from_utf8_lossy(again.canonical()).contains("a@b"));
}

#[test]
fn what_is_held_is_told_to_its_sender() {
    let findings = vec![Finding::new("test.odd", 12.0, "")];
    let around = settle(Plan { findings, ..Plan::default() });
    let answer = around.hand_in("sales@example.jp", &["x@far.example"], &whole(""));
    assert!(said(&answer).contains("waits until"), "{answer:?}");
    let left = around.left();
    assert_eq!(left.len(), 2);
    let letter = &left[1];
    assert!(letter.outgoing.hold.is_none() && letter.outgoing.message != left[0].outgoing.message);
    let envelope = &letter.envelopes[0];
    assert_eq!((&envelope.hop, envelope.from.as_str()), (&Hop::Here, ""));
    assert_eq!(envelope.recipients[0].address, "aoi@example.jp");
    assert!(letter.text.contains("Auto-Submitted: auto-generated\r\n"), "{}", letter.text);
    // They are asked about this very hold.
    let (_, body) = letter.text.split_once("\r\n\r\n").unwrap();
    let body = data_encoding::BASE64.decode(body.replace("\r\n", "").as_bytes()).unwrap();
    let until_s = left[0].outgoing.hold.unwrap().until_ms / 1_000;
    let token = [&left[0].outgoing.message.0[..], &until_s.to_be_bytes()].concat();
    let (mine, not_mine) = wire::pages::held_urls("https://pages.example.jp", &token);
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains(&format!("{mine}\r\n")) && body.contains(&not_mine), "{body}");
    // A shared address would tell others, sales is not this person alone: they hear at their own.
    let text = whole("").replace("aoi@example.jp", "sales@example.jp");
    around.hand_in("sales@example.jp", &["x@far.example"], &text);
    let left_too = around.left();
    assert_eq!(left_too.len(), 4);
    assert_eq!(left_too[3].envelopes[0].recipients[0].address, "aoi@example.jp");
    // Whose it is stands in the alarm, where the sentinel looks for it.
    let wire::post::Outgoing { message, tenant, user, .. } = &left[0].outgoing;
    let told =
        format!("outgoing message {message} of user {user} of tenant {tenant} is held: test.odd");
    hears(&around, &told);
    assert!(told.len() < 160, "an entry keeps so much");
}

/// Whose mail goes on hears of it where it goes; whoever has the links can answer, so that they
/// stay in a mailbox of the person's own.
#[test]
fn what_is_held_is_told_where_its_sender_s_mail_goes() {
    let check = |user: UserId, sender: &str, expected: &str| {
        let findings = vec![Finding::new("test.odd", 12.0, "")];
        let around = settle(Plan { findings, user, ..Plan::default() });
        let text = whole("").replace("aoi@example.jp", sender);
        let answer = around.hand_in(sender, &["x@far.example"], &text);
        assert!(said(&answer).contains("waits until"), "{answer:?}");
        let left = around.left();
        assert_eq!(left.len(), 2, "{sender}");
        let [envelope] = left[1].envelopes.as_slice() else { panic!("one letter") };
        let to = &envelope.recipients[0].address;
        let way = format!("<{}> {to} {}", envelope.from, envelope.hop.word());
        assert_eq!(way, expected);
        let (header, body) = left[1].text.split_once("\r\n\r\n").unwrap();
        assert!(header.contains(&format!("To: <{sender}>")), "{header}");
        let body = data_encoding::BASE64.decode(body.replace("\r\n", "").as_bytes()).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains(&left[0].outgoing.message.to_string()), "{body}");
        assert!(!body.contains("https://"), "{body}");
    };
    check(USER, "away@example.jp", "<> me@home.example domain home.example");
    let server = wire::directory::server_of(TENANT);
    let host = "<> boss@gateway.example host mail.kaede.example 25";
    check(server, "boss@gateway.example", host);
}

/// A scanner has every field cut out that is called like ours: what a tenant's own server passes on
/// keeps the marks by which a circle is seen, and people's mail keeps none.
#[test]
fn marks_go_along_with_what_a_server_passes_on() {
    let (mark, odd) = ("0a".repeat(16), "0a\u{3042}");
    let fields = format!("X-Sekisho-Passed: {mark}\r\nX-Sekisho-Passed: {odd}\r\n");
    let check = |user: UserId, sender: &str, expected: bool| {
        let around = settle(Plan { user, ..Plan::default() });
        let text = whole(&fields).replace("aoi@example.jp", sender);
        around.hand_in(sender, &["x@far.example"], &text);
        let text = &around.left()[0].text;
        // This scanner cuts nothing: what was there before stands behind Date.
        let (added, _) = text.split_once("\r\nDate: ").unwrap();
        assert_eq!(added.contains(&format!("X-Sekisho-Passed: {mark}")), expected, "{text}");
        assert!(!added.contains(&odd), "{text}");
    };
    check(wire::directory::server_of(TENANT), "boss@gateway.example", true);
    check(USER, "aoi@example.jp", false);
}

#[test]
fn a_flood_from_a_new_network_is_held() {
    const HOUR: u64 = 3_600_000;
    let to: Vec<String> = (0..30).map(|number| format!("p{number}@far.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let send = |seen_for: (u64, u64)| {
        let around = settle(Plan { seen_for, ..Plan::default() });
        let answers = (0..2).map(|_| around.hand_in("aoi@example.jp", &to, &whole("")));
        let words: Vec<bool> = answers.map(|answer| said(&answer).contains("waits")).collect();
        words
    };
    assert_eq!(send((HOUR, 0)), [false, true]);
    assert_eq!(send((HOUR, 24 * HOUR)), [false, false]);
    // Nobody is known yet, as at a person's first message.
    assert_eq!(send((HOUR - 1, 0)), [false, false]);
    // A place as old as the past is the person's own, and so is one that came soon after.
    assert_eq!(send((2 * HOUR, 2 * HOUR)), [false, false]);
    assert_eq!(send((23 * HOUR, 22 * HOUR + 1)), [false, false]);
    assert_eq!(send((23 * HOUR, 22 * HOUR)), [false, true]);
}

/// A country is less than a network: a few recipients from a new one are enough.
#[test]
fn a_new_country_is_looked_at_sooner() {
    const HOUR: u64 = 3_600_000;
    const LIST: &str = "2|apnic|1|1|1|1|0\napnic|JP|ipv4|203.0.113.0|256|1|assigned\n";
    let to: Vec<String> = (0..3).map(|number| format!("p{number}@far.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let send = |countries: &'static str, seen_for: (u64, u64), country_seen_for: (u64, u64)| {
        let around = settle(Plan { seen_for, country_seen_for, countries, ..Plan::default() });
        let answers = (0..2).map(|_| around.hand_in("aoi@example.jp", &to, &whole("")));
        let words: Vec<bool> = answers.map(|answer| said(&answer).contains("waits")).collect();
        let reasons = around.journeys(2).last().unwrap().reasons.clone();
        (words, reasons.last().cloned().unwrap_or_default())
    };
    let (new, old) = ((HOUR, 0), (HOUR, 24 * HOUR));
    let (words, reason) = send(LIST, new, new);
    assert_eq!((words, reason.as_str()), (vec![false, true], "outgoing.country.new"));
    assert_eq!(send(LIST, old, new).0, [false, true]);
    assert_eq!(send(LIST, new, old).0, [false, false]);
    // The lists are here since a short while: every country is new, and none is odd.
    assert_eq!(send(LIST, new, (HOUR - 1, 0)).0, [false, false]);
    // The only country that somebody ever wrote from is no new one.
    assert_eq!(send(LIST, old, (2 * HOUR, 2 * HOUR)).0, [false, false]);
    // Not registered anywhere, or no list at all: networks alone.
    let elsewhere = "2|apnic|1|1|1|1|0\napnic|JP|ipv4|192.0.2.0|256|1|assigned\n";
    assert_eq!(send(elsewhere, new, new).0, [false, false]);
    assert_eq!(send("", new, new).0, [false, false]);
}

#[test]
fn whose_mail_comes_back_is_looked_at() {
    let around = settle(Plan { post: Post::Doubts, ..Plan::default() });
    check(&around.ask(&FromAccess::Many(1), &[]), "yes");
    let answer = around.hand_in("aoi@example.jp", &["x@far.example"], &whole(""));
    assert!(said(&answer).contains("waits until"), "{answer:?}");
    assert_eq!(around.left()[0].outgoing.hold.unwrap().then, AtEnd::Return);
    assert_eq!(around.journeys(1)[0].reasons, ["outgoing.held", "outgoing.returns.many"]);
}

/// Where an address leads is looked up when it is its turn, in the name of whoever set it up: no
/// envelope of the writer's names it.
#[test]
fn a_group_s_address_stays_in_the_envelope() {
    let around = settle(Plan::default());
    let to = ["Group+x@example.jp", "gateway@example.jp", "one@far.example"];
    check(&around.hand_in("aoi@example.jp", &to, &whole("")), "queued: ");
    let left = &around.left()[0];
    let shown: Vec<String> = left
        .envelopes
        .iter()
        .map(|envelope| format!("{} {}", envelope.hop.word(), envelope.recipients[0].address))
        .collect();
    let expected =
        ["on Group+x@example.jp", "domain far.example gateway@example.jp"].map(str::to_owned);
    assert_eq!(shown, expected);
    assert_eq!(left.envelopes[1].recipients.len(), 2);
}

/// However many there are, `trace` finds each.
#[test]
fn a_message_is_found_by_each_of_a_thousand_recipients() {
    let many = terms::RECIPIENTS;
    let limit = u32::try_from(many).unwrap();
    let settings = SendingSettings { in_ten_minutes: limit, ..Plan::default().settings };
    let around = settle(Plan { settings, ..Plan::default() });
    let to: Vec<String> = (0..many).map(|number| format!("x{number}@far.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    check(&around.hand_in("aoi@example.jp", &to, &whole("")), "queued: ");
    let journey = &around.journeys(1)[0];
    let own = [trace::digest("aoi@example.jp")[0]; 16];
    assert!(journey.tokens.contains(&own));
    let tokens = journey.tokens.len();
    assert!((many + 5..=wire::mailbox::TOKENS).contains(&tokens), "{tokens}");
    // Another one is told with company of its own.
    check(&around.hand_in("aoi@example.jp", &to, &whole("")), "queued: ");
    assert_eq!(around.journeys(2)[1].tokens.len(), tokens);
}

#[test]
fn who_presses_on_at_a_limit_is_asked_about_one_message() {
    let around = settle(Plan { post: Post::Presses, ..Plan::default() });
    check(&around.ask(&FromAccess::Many(1), &[]), "yes");
    let answer = around.hand_in("aoi@example.jp", &["x@far.example"], &whole(""));
    assert!(said(&answer).contains("waits until"), "{answer:?}");
    assert_eq!(around.left()[0].outgoing.hold.unwrap().then, AtEnd::Return);
    assert_eq!(around.journeys(1)[0].reasons, ["outgoing.held", "outgoing.rate.pressed"]);
    let alarms = around.seen.lock().unwrap().reports.clone();
    let words = ["is held: outgoing.rate.pressed", "of user", "of tenant"];
    let is_it = |alarm: &String| words.iter().all(|word| alarm.contains(word));
    assert!(alarms.iter().any(is_it), "{alarms:?}");
}

#[test]
fn a_list_is_posted_to_by_whoever_may() {
    let around = settle(Plan::default());
    let token = "a".repeat(39);
    let asked = |to: &str| around.ask(&FromAccess::To(to.to_owned()), &[]);
    check(&asked("Ours+x@example.jp"), "yes");
    check(&asked("theirs@example.jp"), "550 5.7.2 you may not post to this list");
    check(&asked(&format!("unsubscribe-{token}@example.jp")), "yes");
    check(&asked(&format!("bounce-{token}@example.jp")), "550 5.7.1");
    let hand_in = |to: &[&str], text: &str| around.hand_in("aoi@example.jp", to, text);
    check(&hand_in(&["ours@example.jp", "ben@example.jp"], &whole("")), "queued: ");
    let spread = &around.left()[0].envelopes[0];
    let found = (&spread.hop, &spread.finish, spread.recipients[0].address.as_str());
    assert_eq!(found, (&Hop::List, &Finish::Spread { permit: [9; 16] }, "ours@example.jp"));
    assert_eq!(around.left()[0].envelopes[1].finish, Finish::AsItIs);
    let word = format!("unsubscribe-{token}@example.jp");
    check(&hand_in(&[&word], &whole("")), "queued: ");
    assert_eq!(around.left()[1].envelopes[0].hop, Hop::List);
    // Not by a program, not too large, and not to others' lists.
    let machine = whole("Auto-Submitted: auto-generated\r\n");
    check(&hand_in(&["ours@example.jp"], &machine), "550 5.7.1 a mailing list takes no mail");
    check(&hand_in(&["ben@example.jp"], &machine), "queued: ");
    let large = whole(&format!("X-Long: {}\r\n", "x".repeat(900)));
    check(&hand_in(&["ours@example.jp"], &large), "552 5.3.4 ");
    check(&hand_in(&["ben@example.jp", "theirs@example.jp"], &whole("")), "550 5.7.2");
    assert_eq!(around.left().len(), 3);
}
