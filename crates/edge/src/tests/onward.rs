//! What the queue gets of mail that is passed on, and what the sender hears meanwhile.

use super::{Neighbourhood, Plan, Scanner, settle};
use policy::Authentication;
use terms::{Finding, TenantId, UserId, Verdict};
use wire::mailbox::{Place, State, ToEdge};
use wire::post::{Envelope, Finish, ToSender};
use wire::scanner::Header;

const TEXT: &[u8] = b"From: a@sender.example\r\nSubject: hi\r\n\r\nhello\r\n";
const FROM: &str = "<a@sender.example>";

fn read(header: Header, weight: f32) -> Neighbourhood {
    let found = vec![Finding::new("test.odd", weight, "")];
    settle(Plan { scanners: vec![Scanner::Reads(header, found)], ..Plan::default() })
}

fn letters(around: &Neighbourhood) -> Vec<super::neighbourhood::Letter> {
    around.seen.lock().unwrap().letters.clone()
}

fn shown(envelope: &Envelope) -> String {
    let to: Vec<&str> = envelope.recipients.iter().map(|to| to.address.as_str()).collect();
    let finish = match &envelope.finish {
        Finish::AsItIs => "as it is".to_owned(),
        Finish::Sign { domain } => format!("signed {domain}"),
        Finish::Seal { domain } => format!("sealed {domain}"),
        Finish::Spread { permit } => format!("spread {}", permit[0]),
        Finish::Copy { domain, .. } => format!("copy {domain}"),
        Finish::Report { domain } => format!("report {domain}"),
        Finish::AsItStood { .. } => "as it stood".to_owned(),
        Finish::PassedOn { .. } => "passed on".to_owned(),
    };
    format!("<{}> {} -> {} {finish}", envelope.from, to.join(" "), envelope.hop.word())
}

#[test]
fn by_which_way_and_with_which_return_path() {
    let check = |from: &str, to: &str, expected: &str| {
        let around = read(Header::default(), 0.0);
        let reply = around.mail(from, &[&format!("<{to}>")], TEXT);
        assert!(reply.starts_with("250 2.0.0 "), "{to} {reply}");
        let letters = letters(&around);
        assert_eq!(letters.len(), 1, "{to}");
        let found: Vec<String> = letters[0].envelopes.iter().map(shown).collect();
        assert_eq!(found.join("\n"), expected, "{to}");
    };
    let srs = "SRS0=hash=tt=sender.example=a@example.jp";
    let on = "-> domain elsewhere.example sealed example.jp";
    check(FROM, "kept.on@example.jp", &format!("<{srs}> aoi@elsewhere.example {on}"));
    check("<>", "kept.on@example.jp", &format!("<> aoi@elsewhere.example {on}"));
    check(FROM, "only.on+tag@example.jp", &format!("<{srs}> only@elsewhere.example {on}"));
    check(
        FROM,
        "x@gateway.example",
        "<a@sender.example> x@gateway.example -> host inner.gateway.example 25 \
         sealed gateway.example",
    );
    check(
        "<>",
        "x@gateway.example",
        "<> x@gateway.example -> host inner.gateway.example 25 sealed gateway.example",
    );
    check("<>", "srs@example.jp", "<> carol@shop.example -> domain shop.example as it is");
    check(
        FROM,
        "group@example.jp",
        &format!(
            "<{srs}> one@elsewhere.example two@elsewhere.example {on}\n\
             <{srs}> three@third.example -> domain third.example sealed example.jp"
        ),
    );
}

/// RFC 8689 §5: whoever passes it on asks no more of TLS than its author.
#[test]
fn what_its_author_lets_go_without_tls_goes_on_so() {
    for is_heedless in [true, false] {
        let around = read(Header { is_heedless, ..Header::default() }, 0.0);
        let reply = around.mail(FROM, &["<kept.on@example.jp>"], TEXT);
        assert!(reply.starts_with("250 2.0.0 "), "{reply}");
        let letters = letters(&around);
        let said = letters[0].envelopes.iter().map(|envelope| envelope.heedless);
        assert_eq!(said.collect::<Vec<_>>(), [is_heedless]);
    }
}

#[test]
fn a_way_back_is_for_bounces_alone_and_unlike_fares_come_apart() {
    let around = read(Header::default(), 0.0);
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("MAIL FROM:<a@sender.example>");
    for (to, code) in [
        ("srs@example.jp", "550 5.7.1"),
        ("x@gateway.example", "250 2.1.5"),
        ("y@gateway.example", "250 2.1.5"),
        ("aoi@example.jp", "452 4.5.3"),
        ("only.on@example.jp", "452 4.5.3"),
    ] {
        let reply = client.ask(&format!("RCPT TO:<{to}>"));
        assert!(reply.starts_with(code), "{to} {reply}");
    }
}

#[test]
fn nothing_bad_is_passed_on() {
    // What came of it: the reply's code, letters, copies, and where the copies are.
    let check = |to: &str, from: &str, weight: f32, expected: (&str, usize, &str)| {
        let around = read(Header::default(), weight);
        let reply = around.mail(from, &[&format!("<{to}>")], TEXT);
        let seen = around.seen.lock().unwrap();
        let place = seen.copies.first().map(|copy| match copy.place {
            Place::Inbox => "inbox",
            Place::Junk => "junk",
            Place::Quarantine { .. } => "quarantine",
            Place::Folder(_) => "folder",
        });
        let found = (&reply[..3], seen.letters.len(), place.unwrap_or("nowhere"));
        assert_eq!(found, expected, "{to} {weight} {reply}");
        let told = seen.journeys.iter().any(|journey| journey.state == State::Refused);
        assert_eq!(told, expected.0 == "550", "{to} {weight}");
    };
    check("kept.on@example.jp", FROM, 0.0, ("250", 1, "inbox"));
    check("kept.on@example.jp", FROM, 5.0, ("250", 1, "inbox"));
    check("kept.on@example.jp", FROM, 7.0, ("250", 0, "junk"));
    check("kept.on@example.jp", FROM, 12.0, ("250", 0, "quarantine"));
    check("kept.on@example.jp", FROM, 25.0, ("550", 0, "nowhere"));
    check("group@example.jp", FROM, 7.0, ("250", 0, "junk"));
    check("only.on@example.jp", FROM, 0.0, ("250", 1, "nowhere"));
    check("only.on@example.jp", FROM, 5.0, ("250", 1, "nowhere"));
    check("only.on@example.jp", FROM, 7.0, ("550", 0, "nowhere"));
    check("only.on@example.jp", FROM, 12.0, ("550", 0, "nowhere"));
    check("only.on@example.jp", FROM, 25.0, ("550", 0, "nowhere"));
    check("srs@example.jp", "<>", 0.0, ("250", 1, "nowhere"));
    check("srs@example.jp", "<>", 7.0, ("550", 0, "nowhere"));
    check("x@gateway.example", FROM, 0.0, ("250", 1, "nowhere"));
    check("x@gateway.example", FROM, 5.0, ("250", 1, "nowhere"));
    check("x@gateway.example", FROM, 7.0, ("250", 1, "nowhere"));
    check("x@gateway.example", FROM, 12.0, ("550", 0, "nowhere"));
    check("x@gateway.example", FROM, 25.0, ("550", 0, "nowhere"));
}

#[test]
fn what_killed_its_scanners_goes_nowhere() {
    for (to, code) in [("kept.on@example.jp", "250"), ("x@gateway.example", "550")] {
        let scanners = vec![Scanner::Dies, Scanner::Dies];
        let around = settle(Plan { scanners, ..Plan::default() });
        let reply = around.mail(FROM, &[&format!("<{to}>")], TEXT);
        assert!(reply.starts_with(code), "{to} {reply}");
        assert!(letters(&around).is_empty(), "{to}");
    }
}

/// Our fields, and what stands below them.
fn apart(text: &[u8], came: &[u8]) -> String {
    assert!(text.ends_with(came), "octet for octet");
    let top = String::from_utf8(text[..text.len() - came.len()].to_vec()).unwrap();
    for line in top.split_inclusive("\r\n") {
        let ours = ["Received: from client.example (", "Authentication-Results: mx.example.jp;"];
        let ours = ours.into_iter().chain(["\t", "X-Sekisho-Passed: ", "X-Sekisho-Verdict: "]);
        assert!(ours.into_iter().any(|begin| line.starts_with(begin)), "{line}");
        assert!(line.ends_with("\r\n"));
    }
    top
}

#[test]
fn a_gateway_s_server_hears_the_verdict_and_others_do_not() {
    for (to, weight, verdict) in [
        ("x@gateway.example", 0.0, Some("deliver; score=0.0")),
        ("x@gateway.example", 5.0, Some("tag; score=5.0")),
        ("x@gateway.example", 7.0, Some("junk; score=7.0")),
        ("kept.on@example.jp", 5.0, None),
    ] {
        let around = read(Header::default(), weight);
        around.mail(FROM, &[&format!("<{to}>")], TEXT);
        let top = apart(&letters(&around)[0].text, TEXT);
        assert_eq!(top.matches("X-Sekisho-Passed: ").count(), 1);
        let line = top.lines().find_map(|line| line.strip_prefix("X-Sekisho-Verdict: "));
        assert_eq!(line.is_some(), verdict.is_some(), "{top}");
        assert!(line.unwrap_or_default().starts_with(verdict.unwrap_or_default()), "{top}");
    }
}

/// A seeded source of numbers below a bound.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// Lines of whatever octets, now and then a dot in front.
    fn text(&mut self, lines: u64) -> Vec<u8> {
        let mut text = b"Subject: hi\r\n\r\n".to_vec();
        for _ in 0..lines {
            if self.roll(4) == 0 {
                text.push(b'.');
            }
            for _ in 0..self.roll(200) {
                let octet = u8::try_from(self.roll(256)).unwrap();
                text.push(if matches!(octet, 0 | b'\r' | b'\n') { b' ' } else { octet });
            }
            text.extend_from_slice(b"\r\n");
        }
        text
    }
}

fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::new();
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed
}

#[test]
fn what_is_passed_on_is_what_came() {
    let around = read(Header::default(), 0.0);
    let mut dice = Dice(17);
    for round in 0..60 {
        let lines = [0, 3, 40, 1_500][round % 4];
        let text = dice.text(lines);
        let to = ["kept.on@example.jp", "x@gateway.example", "only.on@example.jp"][round % 3];
        let reply = around.mail(FROM, &[&format!("<{to}>")], &stuffed(&text));
        assert!(reply.starts_with("250"), "{round} {reply}");
        let letter = letters(&around).pop().unwrap();
        apart(&letter.text, &text);
        let envelope = &letter.envelopes[0];
        assert_eq!((envelope.has_eight_bits, envelope.needs_utf8), (!text.is_ascii(), false));
    }
    assert_eq!(letters(&around).len(), 60);
}

#[test]
fn forged_fields_are_not_passed_on() {
    let forged = "Authentication-Results: mx.example.jp; dmarc=pass\r\n";
    let came = [forged.as_bytes(), TEXT].concat();
    let field = "Authentication-Results: mx.example.jp; spf=fail\r\n".to_owned();
    let lies = Scanner::Lies(vec![(0, forged.len() as u64)], field);
    let around = settle(Plan { scanners: vec![lies], ..Plan::default() });
    around.mail(FROM, &["<x@gateway.example>"], &came);
    let top = apart(&letters(&around)[0].text, TEXT);
    assert!(!top.contains("dmarc=pass"), "{top}");
}

#[test]
fn a_sender_s_wishes_go_along() {
    let around = read(Header::default(), 0.0);
    let to = "<x@gateway.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y+40z.example";
    let from = "<a@sender.example> RET=HDRS ENVID=x+2By";
    let reply = around.mail(from, &[to, "<y@gateway.example> NOTIFY=NEVER"], TEXT);
    assert!(reply.starts_with("250"), "{reply}");
    let letters = letters(&around);
    let envelope = &letters[0].envelopes[0];
    assert_eq!(envelope.returns_all, Some(false));
    assert_eq!(envelope.envelope_id.as_deref(), Some("x+2By"));
    let wishes: Vec<_> =
        envelope.recipients.iter().map(|to| (to.notify, to.original.as_deref())).collect();
    let first = (Some((true, false, true)), Some("rfc822;y@z.example"));
    let second = (Some((false, false, false)), Some("rfc822;y@gateway.example"));
    assert_eq!(wishes, [first, second]);
}

/// What nobody proved to have sent brings no letter to anybody, and a notice names what was written
/// to.
#[test]
fn only_a_proven_sender_is_told_and_of_the_address_they_know() {
    let check = |from: &str, facts: Authentication, expected: Option<(bool, bool, bool)>| {
        let scanner = Scanner::Proves(Header::default(), facts);
        let around = settle(Plan { scanners: vec![scanner], ..Plan::default() });
        let reply = around.mail(from, &["<only.on+tag@example.jp>"], TEXT);
        assert!(reply.starts_with("250"), "{reply}");
        let to = &letters(&around)[0].envelopes[0].recipients[0];
        assert_eq!(to.address, "only@elsewhere.example");
        let original = (to.notify, to.original.as_deref());
        assert_eq!(original, (expected, Some("rfc822;only.on+2Btag@example.jp")), "{from}");
    };
    let nobody = Some((false, false, false));
    let signed = |domain: &str| Authentication {
        author_signed: true,
        from_domain: domain.to_owned(),
        ..Authentication::default()
    };
    let by_server = Authentication { spf: policy::Outcome::Pass, ..Authentication::default() };
    check(FROM, Authentication::default(), nobody);
    check(FROM, by_server, None);
    check(FROM, signed("sender.example"), None);
    check("<a@lists.sender.example>", signed("sender.example"), None);
    check("<a@notsender.example>", signed("sender.example"), nobody);
    check(FROM, signed("other.example"), nobody);
    check(FROM, signed(""), nobody);
}

/// Mail that is in the mailbox it was for is returned to nobody: its owner hears of the rest.
#[test]
fn whose_mail_was_kept_as_well_is_told_of_no_failure() {
    let check = |to: &str, wish: &str, expected: Option<(bool, bool, bool)>| {
        let facts = Authentication { spf: policy::Outcome::Pass, ..Authentication::default() };
        let scanner = Scanner::Proves(Header::default(), facts);
        let around = settle(Plan { scanners: vec![scanner], ..Plan::default() });
        let reply = around.mail(FROM, &[&format!("<{to}>{wish}")], TEXT);
        assert!(reply.starts_with("250"), "{reply}");
        assert_eq!(letters(&around)[0].envelopes[0].recipients[0].notify, expected, "{to}");
    };
    let never = Some((false, false, false));
    check("kept.on@example.jp", "", never);
    check("kept.on@example.jp", " NOTIFY=FAILURE", never);
    check("far@other.example", "", never);
    // A group's member elsewhere is nobody's of those who keep it here.
    check("group@example.jp", "", None);
    check("only.on@example.jp", "", None);
}

/// What is asked of the place behind an address of ours comes back in that place's words.
#[test]
fn where_it_goes_on_tells_of_failures_alone() {
    let check = |to: &str, wish: &str, expected: Option<(bool, bool, bool)>| {
        let facts = Authentication { spf: policy::Outcome::Pass, ..Authentication::default() };
        let scanner = Scanner::Proves(Header::default(), facts);
        let around = settle(Plan { scanners: vec![scanner], ..Plan::default() });
        let reply = around.mail(FROM, &[&format!("<{to}>{wish}")], TEXT);
        assert!(reply.starts_with("250"), "{reply}");
        let notify = letters(&around)[0].envelopes[0].recipients[0].notify;
        assert_eq!(notify, expected, "{to} {wish}");
    };
    let behind = "only.on@example.jp";
    check(behind, "", None);
    check(behind, " NOTIFY=SUCCESS,FAILURE,DELAY", Some((false, true, false)));
    check(behind, " NOTIFY=SUCCESS", Some((false, false, false)));
    check("x@gateway.example", " NOTIFY=SUCCESS", Some((true, false, false)));
}

#[test]
fn utf8_is_asked_for_where_it_is_needed() {
    let check = |from: &str, to: &str, header: &str, expected: bool| {
        let around = read(Header::default(), 0.0);
        let text = format!("Subject: {header}\r\n\r\nhi\r\n");
        let reply = around.mail(from, &[&format!("<{to}>")], text.as_bytes());
        assert!(reply.starts_with("250"), "{reply}");
        assert_eq!(letters(&around)[0].envelopes[0].needs_utf8, expected, "{from} {to} {header}");
    };
    check(FROM, "x@gateway.example", "hi", false);
    check("<a@sender.example> SMTPUTF8", "x@gateway.example", "hi", false);
    check("<a@sender.example> SMTPUTF8", "x@gateway.example", "あ", true);
    check("<あ@sender.example> SMTPUTF8", "x@gateway.example", "hi", true);
    check("<a@sender.example> SMTPUTF8", "あ@gateway.example", "hi", true);
}

/// The scanner cuts whatever is called like a field of ours; marks of other ways go along.
#[test]
fn marks_of_the_way_so_far_go_along() {
    let other = "0123456789abcdef0123456789ABCDEF".to_owned();
    let passed = vec!["00".into(), other.clone(), "<b>".into()];
    let around = read(Header { passed, ..Header::default() }, 0.0);
    around.mail(FROM, &["<kept.on@example.jp>"], TEXT);
    let top = apart(&letters(&around)[0].text, TEXT);
    let marks = top.lines().filter_map(|line| line.strip_prefix("X-Sekisho-Passed: "));
    let marks: Vec<&str> = marks.collect();
    assert_eq!((marks.len(), marks[0]), (2, other.as_str()));
}

#[test]
fn what_comes_back_is_kept_and_goes_no_further() {
    let around = read(Header::default(), 0.0);
    around.mail(FROM, &["<kept.on@example.jp>"], TEXT);
    let top = apart(&letters(&around)[0].text, TEXT);
    let mark = top.split_once("X-Sekisho-Passed: ").unwrap().1.split_once("\r\n").unwrap().0;
    for (to, code, copies) in
        [("kept.on@example.jp", "250", 1), ("only.on@example.jp", "554 5.4.6", 0)]
    {
        let around = read(Header::default(), 0.0);
        around.mail(FROM, &[&format!("<{to}>")], TEXT);
        let letter = &letters(&around)[0];
        let top = apart(&letter.text, TEXT);
        let own = top.split_once("X-Sekisho-Passed: ").unwrap().1.split_once("\r\n").unwrap().0;
        assert_eq!(own == mark, to.starts_with("kept"), "each address has its own");
        let header = Header { passed: vec!["00".into(), own.into()], ..Header::default() };
        let around = read(header, 0.0);
        let reply = around.mail(FROM, &[&format!("<{to}>")], TEXT);
        assert!(reply.starts_with(code), "{to} {reply}");
        let seen = around.seen.lock().unwrap();
        assert_eq!((seen.letters.len(), seen.copies.len()), (0, copies), "{to}");
        // Whoever traces it reads that it would have gone round.
        let journey = seen.journeys.last().unwrap();
        assert_eq!(journey.reasons.first().map(String::as_str), Some("onward.back"), "{to}");
    }
}

#[test]
fn too_many_hosts_are_a_circle() {
    for (received, to, code) in [
        (50, "kept.on@example.jp", "250"),
        (51, "kept.on@example.jp", "554 5.4.6"),
        (51, "aoi@example.jp", "554 5.4.6"),
        (51, "x@gateway.example", "554 5.4.6"),
    ] {
        let around = read(Header { received, ..Header::default() }, 0.0);
        let reply = around.mail(FROM, &[&format!("<{to}>")], TEXT);
        assert!(reply.starts_with(code), "{received} {to} {reply}");
    }
}

#[test]
fn a_header_that_nobody_reads_to_its_end_is_refused() {
    for to in ["kept.on@example.jp", "aoi@example.jp", "x@gateway.example"] {
        let around = read(Header { is_overlong: true, ..Header::default() }, 0.0);
        let reply = around.mail(FROM, &[&format!("<{to}>")], TEXT);
        assert!(reply.starts_with("554 5.6.0"), "{to} {reply}");
        let seen = around.seen.lock().unwrap();
        assert_eq!((seen.letters.len(), seen.copies.len()), (0, 0), "{to}");
    }
}

#[test]
fn one_reply_over_queue_and_mailbox() {
    type Answer<A> = fn(usize) -> A;
    let check = |to: &str, queued: Answer<ToSender>, kept: Answer<ToEdge>, expected: &str| {
        let header = Scanner::Reads(Header::default(), Vec::new());
        let around = settle(Plan { scanners: vec![header], queued, kept, ..Plan::default() });
        let reply = around.mail(FROM, &[&format!("<{to}>")], TEXT);
        let seen = around.seen.lock().unwrap();
        let found = format!("{} {} {}", &reply[..9], seen.letters.len(), seen.copies.len());
        assert_eq!(found, expected, "{to} {reply}");
    };
    let (yes, kept): (Answer<ToSender>, Answer<ToEdge>) = (|_| ToSender::Queued, |_| ToEdge::Kept);
    check("kept.on@example.jp", yes, kept, "250 2.0.0 1 1");
    // The mailbox is not asked for what the queue has not.
    check("kept.on@example.jp", |_| ToSender::Full, kept, "452 4.3.1 0 0");
    check("kept.on@example.jp", |_| ToSender::Crowded, kept, "452 4.3.1 0 0");
    check("kept.on@example.jp", |_| ToSender::Fault, kept, "451 4.3.0 0 0");
    // What may stand twice: it was passed on, and comes again.
    check("kept.on@example.jp", yes, |_| ToEdge::Fault, "451 4.3.0 1 1");
    check("kept.on@example.jp", yes, |_| ToEdge::OverQuota(Vec::new()), "452 4.2.2 1 1");
    // Nothing is to be kept: whether its way is told does not matter.
    check("x@gateway.example", yes, |_| ToEdge::Fault, "250 2.0.0 1 0");
    check("x@gateway.example", |_| ToSender::Fault, kept, "451 4.3.0 0 0");
}

#[test]
fn each_name_and_each_tenant_has_a_message_of_its_own() {
    let around = read(Header::default(), 0.0);
    let to = ["<kept.on@example.jp>", "<far@other.example>", "<crowd@example.jp>"];
    let reply = around.mail(FROM, &to, TEXT);
    assert!(reply.starts_with("250"), "{reply}");
    let seen = around.seen.lock().unwrap();
    let whose: Vec<_> =
        seen.letters.iter().map(|it| (it.outgoing.tenant.0[0], it.outgoing.user.0[0])).collect();
    assert_eq!(whose, [(1, 1), (2, 3), (1, 7)]);
    let crowd: Vec<usize> =
        seen.letters[2].envelopes.iter().map(|leg| leg.recipients.len()).collect();
    assert_eq!(crowd, [100, 100, 50]);
    let mut ids: Vec<_> = seen.letters.iter().map(|letter| letter.outgoing.message).collect();
    ids.push(seen.copies[0].message);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let told: Vec<_> =
        seen.journeys.iter().map(|journey| (journey.tenant.0[0], journey.state)).collect();
    let (kept, queued) = (State::Kept, State::PassedOn);
    assert_eq!(told, [(1, kept), (2, kept), (1, queued), (2, queued), (1, queued)]);
    // No token of one tenant, no mark of one person stands in another's text.
    let marks: Vec<Vec<String>> = seen
        .letters
        .iter()
        .map(|letter| {
            let top = apart(&letter.text, TEXT);
            let marks = top.lines().filter_map(|line| line.strip_prefix("X-Sekisho-Passed: "));
            marks.map(str::to_owned).collect()
        })
        .collect();
    assert!(marks.iter().all(|marks| marks.len() == 1));
    assert!(marks[0] != marks[1] && marks[0] != marks[2] && marks[1] != marks[2]);
}

/// However many recipients a gateway's message has, it is found by each; and what goes on for one
/// of several people is not under the others' words.
#[test]
fn mail_that_goes_on_is_found_by_each_of_its_recipients_and_by_no_other_s() {
    let around = read(Header::default(), 0.0);
    let to: Vec<String> = (0..90).map(|number| format!("<x{number}@gateway.example>")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    around.mail(FROM, &to, TEXT);
    let seen = around.seen.lock().unwrap();
    let journeys: Vec<_> =
        seen.journeys.iter().filter(|journey| journey.tokens.len() > 90).collect();
    assert_eq!(journeys.len(), 1, "of {}", seen.journeys.len());
    drop(seen);
    let lengths = |to: &[&str]| {
        let around = read(Header::default(), 0.0);
        around.mail(FROM, to, TEXT);
        let seen = around.seen.lock().unwrap();
        seen.journeys.iter().map(|journey| journey.tokens.len()).max()
    };
    // Neither of the two is for anybody of the house: each is under its own address and target.
    let (one, two) = ("<only.on@example.jp>", "<x@gateway.example>");
    assert_eq!(lengths(&[one, two]), lengths(&[one]));
}

#[test]
fn mail_is_found_by_the_address_that_a_forward_leads_to() {
    let check = |to: &str, weight: f32, by: &str, expected: usize| {
        let around = read(Header::default(), weight);
        around.mail(FROM, &[&format!("<{to}>")], TEXT);
        let seen = around.seen.lock().unwrap();
        let found = seen.journeys.iter().filter(|journey| {
            let token = [trace::digest(by)[0] ^ journey.tenant.0[0]; 16];
            journey.tokens.contains(&token)
        });
        assert_eq!(found.count(), expected, "{to} {weight} {by}");
    };
    check("only.on@example.jp", 0.0, "Only@elsewhere.example", 1);
    check("kept.on@example.jp", 0.0, "aoi@elsewhere.example", 2);
    check("group@example.jp", 0.0, "three@third.example", 2);
    // What did not go on was not for them.
    check("kept.on@example.jp", 7.0, "aoi@elsewhere.example", 0);
    check("kept.on@example.jp", 0.0, "three@third.example", 0);
}

#[test]
fn what_is_only_passed_on_has_the_id_that_the_sender_hears() {
    let around = read(Header::default(), 5.0);
    let reply = around.mail(FROM, &["<x@gateway.example>"], TEXT);
    let seen = around.seen.lock().unwrap();
    let letter = &seen.letters[0];
    assert_eq!(reply, format!("250 2.0.0 {} queued\r\n", letter.outgoing.message));
    assert_eq!((letter.outgoing.tenant, letter.outgoing.user), (TenantId([3; 8]), UserId([0; 8])));
    let journey = &seen.journeys[0];
    assert_eq!((journey.message, journey.state), (letter.outgoing.message, State::PassedOn));
    assert_eq!((journey.verdict, journey.recipients.len()), (Verdict::Tag, 0));
}
