//! Answers for people who are away.

use super::{Neighbourhood, Plan, Scanner, settle};
use terms::{Finding, UserId};
use wire::post::{Finish, Hop};
use wire::scanner::Header;

const TEXT: &[u8] = b"From: carol@shop.example\r\nSubject: hi\r\n\r\nhello\r\n";

fn written_to(address: &str) -> Header {
    Header {
        named: vec![trace::digest("somebody@else.example"), trace::digest(address)],
        message_id: "<2@shop.example>".to_owned(),
        references: "<1@shop.example>".to_owned(),
        ..Header::default()
    }
}

fn away(header: Header, weight: f32) -> Neighbourhood {
    let found = vec![Finding::new("test.odd", weight, "")];
    settle(Plan { scanners: vec![Scanner::Reads(header, found)], ..Plan::default() })
}

fn answers(around: &Neighbourhood) -> usize {
    around.seen.lock().unwrap().letters.len()
}

#[test]
fn an_answer_says_what_the_person_wrote() {
    let around = away(written_to("away@away.example"), 0.0);
    let reply = around.mail("<carol@shop.example>", &["<away@away.example>"], TEXT);
    assert!(reply.contains(" kept"), "{reply}");
    let seen = around.seen.lock().unwrap();
    let letter = &seen.letters[0];
    assert_eq!(letter.outgoing.user, UserId([8; 8]));
    let envelope = &letter.envelopes[0];
    assert_eq!((envelope.from.as_str(), envelope.recipients.len()), ("", 1));
    assert_eq!(envelope.recipients[0].address, "carol@shop.example");
    assert_eq!(envelope.hop, Hop::Domain("shop.example".to_owned()));
    assert_eq!(envelope.finish, Finish::Sign { domain: "away.example".to_owned() });
    let text = String::from_utf8(letter.text.clone()).unwrap();
    for line in [
        "From: <away@away.example>",
        "To: <carol@shop.example>",
        "Auto-Submitted: auto-replied (vacation)",
        "In-Reply-To: <2@shop.example>",
        "References: <1@shop.example>",
        " <2@shop.example>",
        "Content-Transfer-Encoding: base64",
    ] {
        assert!(text.split("\r\n").any(|found| found == line), "{line}\n{text}");
    }
    assert_ne!(letter.outgoing.message, seen.copies[0].message);
}

#[test]
fn once_a_week_for_each_sender() {
    let around = away(written_to("away@away.example"), 0.0);
    for (from, expected) in [
        ("<carol@shop.example>", 1),
        ("<carol@shop.example>", 1),
        ("<Carol@shop.example>", 1),
        ("<dave@shop.example>", 2),
        ("<carol@shop.example>", 2),
    ] {
        around.mail(from, &["<away@away.example>"], TEXT);
        assert_eq!(answers(&around), expected, "{from}");
    }
}

#[test]
fn who_gets_an_answer_and_who_does_not() {
    let check = |from: &str, to: &str, header: Header, weight: f32, expected: usize| {
        let around = away(header, weight);
        around.mail(from, &[to], TEXT);
        assert_eq!(answers(&around), expected, "{from} {to} {weight}");
    };
    let carol = "<carol@shop.example>";
    let own = || written_to("away@away.example");
    check(carol, "<away@away.example>", own(), 0.0, 1);
    check(carol, "<Away@Away.Example>", own(), 0.0, 1);
    // The address as it was written counts, detail and all, and so does the plain one.
    check(carol, "<away+shop@away.example>", written_to("away+shop@away.example"), 0.0, 1);
    check(carol, "<away+shop@away.example>", own(), 0.0, 1);
    check(carol, "<gone@away.example>", written_to("gone@away.example"), 0.0, 1);
    check(carol, "<away@away.example>", written_to("list@else.example"), 0.0, 0);
    check(carol, "<gone@away.example>", own(), 0.0, 0);
    check(carol, "<away@away.example>", Header::default(), 0.0, 0);
    check("<>", "<away@away.example>", own(), 0.0, 0);
    check("<mailer-daemon@shop.example>", "<away@away.example>", own(), 0.0, 0);
    check("<noreply@shop.example>", "<away@away.example>", own(), 0.0, 0);
    check("<owner-list@shop.example>", "<away@away.example>", own(), 0.0, 0);
    check("<list-request@shop.example>", "<away@away.example>", own(), 0.0, 0);
    check("<list-bounces+x=y@shop.example>", "<away@away.example>", own(), 0.0, 0);
    check("<away@away.example>", "<away@away.example>", own(), 0.0, 0);
    check("<carol@[192.0.2.7]>", "<away@away.example>", own(), 0.0, 0);
    let automatic = Header { is_automatic: true, ..own() };
    check(carol, "<away@away.example>", automatic, 0.0, 0);
    check(carol, "<away@away.example>", own(), 3.9, 1);
    check(carol, "<away@away.example>", own(), 4.5, 0);
    check(carol, "<away@away.example>", own(), 7.0, 0);
    check(carol, "<away@away.example>", own(), 12.0, 0);
    check(carol, "<away@away.example>", own(), 25.0, 0);
    // Nobody of that name is at home at the sender's.
    check("<nobody@example.jp>", "<away@away.example>", own(), 0.0, 0);
    check("<later@shop.example>", "<away@away.example>", own(), 0.0, 0);
    // Nobody is away there.
    check(carol, "<aoi@example.jp>", written_to("aoi@example.jp"), 0.0, 0);
}

#[test]
fn somebody_of_ours_is_answered_here() {
    let around = away(written_to("away@away.example"), 0.0);
    around.mail("<aoi@example.jp>", &["<away@away.example>"], TEXT);
    let seen = around.seen.lock().unwrap();
    assert_eq!(seen.letters[0].envelopes[0].hop, Hop::Here);
}

#[test]
fn one_person_answers_once_and_a_full_queue_is_no_loss() {
    let around = away(written_to("away@away.example"), 0.0);
    let both = ["<away@away.example>", "<gone@away.example>"];
    around.mail("<carol@shop.example>", &both, TEXT);
    assert_eq!(answers(&around), 1);

    let header = Scanner::Reads(written_to("away@away.example"), Vec::new());
    let queued = |_| wire::post::ToSender::Full;
    let around = settle(Plan { scanners: vec![header], queued, ..Plan::default() });
    let reply = around.mail("<carol@shop.example>", &["<away@away.example>"], TEXT);
    assert!(reply.contains(" kept"), "{reply}");
    assert_eq!(around.seen.lock().unwrap().copies.len(), 1);
    around.hears("an answer was not given");
}

#[test]
fn whoever_proved_nothing_is_answered_nowhere_but_here() {
    for (from, expected) in [("<carol@shop.example>", 0), ("<aoi@example.jp>", 1)] {
        let facts = policy::Authentication::default();
        let scanner = Scanner::Proves(written_to("away@away.example"), facts);
        let around = settle(Plan { scanners: vec![scanner], ..Plan::default() });
        let reply = around.mail(from, &["<away@away.example>"], TEXT);
        assert!(reply.contains(" kept"), "{reply}");
        assert_eq!(answers(&around), expected, "{from}");
    }
}

#[test]
fn an_answer_goes_by_the_tenant_s_way() {
    let around = away(written_to("away@away.example"), 0.0);
    around.mail("<carol@smart.example>", &["<away@away.example>"], TEXT);
    let hop = around.seen.lock().unwrap().letters[0].envelopes[0].hop.clone();
    assert!(matches!(hop, Hop::Host { name, .. } if name == "relay.away.example"));
}
