//! What a sender hears and what the mailbox gets.

use super::{Neighbourhood, Plan, Scanner, neighbourhood, settle};
use crate::neighbours::{KEEP_LIMIT, canonical};
use std::time::Duration;
use terms::{Finding, Verdict};
use wire::gate::FromGate;
use wire::mailbox::{Place, State, ToEdge};

const TEXT: &str = "Subject: hi\r\n\r\n..dotted\r\n";

fn scanned(scanners: Vec<Scanner>) -> Neighbourhood {
    settle(Plan { scanners, ..Plan::default() })
}

fn found(id: &str, weight: f32) -> Scanner {
    Scanner::Finds(vec![Finding::new(id, weight, "")])
}

#[test]
fn a_message_is_examined_sealed_and_kept() {
    let around = settle(Plan::default());
    let said = around.deliver(&["Aoi+news@Example.JP"], TEXT);
    assert!(said.starts_with("220 mx.example.jp ESMTP\r\n") && said.contains("STARTTLS"), "{said}");
    assert!(said.contains(" kept\r\n221 "), "{said}");
    let seen = around.seen.lock().unwrap();
    assert_eq!(seen.scanned, [b"Subject: hi\r\n\r\n.dotted\r\n"]);
    assert_eq!(seen.copies.len(), 1);
    let copy = &seen.copies[0];
    assert_eq!((copy.place, copy.verdict), (Place::Inbox, Verdict::Deliver));
    assert_eq!((copy.summary.epoch, copy.body.epoch), (24_323, 2026));
    assert_eq!(seal::plain_length(seen.bodies[0].len() as u64).unwrap(), copy.size);
    assert!(!seen.bodies[0].windows(6).any(|six| six == b"dotted"));
    let journey = &seen.journeys[0];
    assert_eq!((journey.state, journey.verdict), (State::Kept, Verdict::Deliver));
    assert_eq!((journey.tokens.len(), journey.tokens[0]), (4, [4; 16]));
    assert_eq!(journey.recipients, [copy.user]);
}

#[test]
fn recipients_are_refused_by_their_reason() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("MAIL FROM:<a@b.example>");
    for (to, code) in [
        ("<nobody@example.jp>", "550 5.1.1"),
        ("<x@elsewhere.example>", "550 5.7.1"),
        ("<later@example.jp>", "451 4.3.0"),
        ("<aoi@example.jp>", "250 2.1.5"),
        ("<AOI+tag@example.jp>", "250 2.1.5 recipient noted already"),
        ("<postmaster>", "250 2.1.5"),
        ("<aoi@[127.0.0.1]>", "550 5.7.1"),
    ] {
        let reply = client.ask(&format!("RCPT TO:{to}"));
        assert!(reply.starts_with(code), "{to} {reply}");
    }
    for _ in 0..8 {
        client.ask("RCPT TO:<nobody@example.jp>");
    }
    client.hear_all();
    assert!(client.said.ends_with("421 4.7.0 too many unknown recipients\r\n"), "{}", client.said);
    drop(client);
    around.deliver(&["aoi@example.jp"], TEXT);
    around.sees("eleven unknown recipients", |seen| seen.unknown == 11);
}

/// A domain is the same however it is written: wide letters, full stops of Japanese keyboards,
/// U-labels. Only whoever says SMTPUTF8 writes it so.
#[test]
fn a_domain_is_found_in_all_its_spellings() {
    let around = settle(Plan::default());
    let reply = |mail: &str, to: &str| {
        let mut client = around.connect();
        client.hear();
        client.ask("EHLO c");
        client.ask(&format!("MAIL FROM:<a@b.example>{mail}"));
        client.ask(&format!("RCPT TO:<{to}>"))
    };
    for to in ["aoi@ｅｘａｍｐｌｅ．ｊｐ", "Aoi@ＥＸＡＭＰＬＥ。jp", "aoi+x@example｡jp"]
    {
        assert!(reply(" SMTPUTF8", to).starts_with("250 2.1.5"), "{to}");
        assert!(reply("", to).starts_with("553 5.6.7"), "{to}");
    }
    assert!(reply(" SMTPUTF8", "aoi@ｅｌｓｅｗｈｅｒｅ．example").starts_with("550 5.7.1"));
    let canonical = |text: &str| canonical(&smtp::Address::parse(text).unwrap());
    let expected = Some("aoi@xn--r8jz45g.xn--zckzah".to_owned());
    assert_eq!(canonical("aoi@例え.テスト"), expected);
    assert_eq!(canonical("Aoi+x@例え。ﾃｽﾄ"), expected);
}

/// A customer's own server is asked for as long as a sender can be made to wait, and whoever brings
/// many such names is sent away as one who brings unknown ones.
#[test]
fn recipients_whose_server_does_not_say_are_put_off() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("MAIL FROM:<a@b.example>");
    let began = std::time::Instant::now();
    assert!(client.ask("RCPT TO:<asked@example.jp>").starts_with("451 4.4.1"));
    assert!((5..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for number in 0..9 {
        let reply = client.ask(&format!("RCPT TO:<unsaid{number}@example.jp>"));
        assert!(reply.starts_with("451 4.4.1"), "{reply}");
    }
    client.ask("RCPT TO:<unsaid@example.jp>");
    client.hear_all();
    assert!(client.said.ends_with("421 4.7.0 too many unknown recipients\r\n"), "{}", client.said);
    assert_eq!(around.seen.lock().unwrap().unknown, 0, "it is no list for all that");
}

#[test]
fn a_statement_that_the_vault_did_not_sign_is_worth_nothing() {
    let around = settle(Plan { wrong_signature: true, ..Plan::default() });
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("MAIL FROM:<>");
    assert!(client.ask("RCPT TO:<aoi@example.jp>").starts_with("451 4.3.0"));
    client.ask("QUIT");
    around.hears("not believed");
}

#[test]
fn one_reply_for_many_recipients() {
    let three = ["aoi@example.jp", "strict@other.example", "aoi.alias@example.jp"];
    let around = scanned(vec![found("test.odd", 3.0)]);
    let said = around.deliver(&three, TEXT);
    assert!(said.contains(" kept\r\n"), "{said}");
    let seen = around.seen.lock().unwrap();
    let mut verdicts: Vec<_> = seen.copies.iter().map(|copy| copy.verdict).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, [Verdict::Deliver, Verdict::Refuse]);
    let refused = seen.copies.iter().find(|copy| copy.verdict == Verdict::Refuse).unwrap();
    assert!(matches!(refused.place, Place::Quarantine { .. }));
    assert_eq!(seen.journeys.len(), 2);
    drop(seen);

    let around = scanned(vec![found("content.eicar", 1.0)]);
    let said = around.deliver(&three, TEXT);
    assert!(said.contains("550 5.7.1 refused (content.eicar)"), "{said}");
    let seen = around.seen.lock().unwrap();
    assert!(seen.copies.is_empty());
    assert!(seen.journeys.iter().all(|journey| journey.state == State::Refused));
}

#[test]
fn places_by_verdict() {
    for (weight, place) in [(4.5, "Inbox"), (7.0, "Junk"), (12.0, "Quarantine")] {
        let around = scanned(vec![found("test.odd", weight)]);
        around.deliver(&["aoi@example.jp"], TEXT);
        let seen = around.seen.lock().unwrap();
        let found = format!("{:?}", seen.copies[0].place);
        assert!(found.starts_with(place), "{weight} {found}");
    }
}

#[test]
fn a_scanner_that_dies_is_replaced_and_a_second_one_sets_the_message_aside() {
    let around = scanned(vec![Scanner::Dies, found("test.fine", 0.0)]);
    let said = around.deliver(&["aoi@example.jp"], TEXT);
    assert!(said.contains(" kept\r\n"), "{said}");
    assert_eq!(around.seen.lock().unwrap().copies[0].verdict, Verdict::Deliver);

    let around = scanned(vec![Scanner::Dies, Scanner::Dies, found("test.fine", 0.0)]);
    let said = around.deliver(&["aoi@example.jp"], TEXT);
    assert!(said.contains(" kept\r\n"), "{said}");
    let seen = around.seen.lock().unwrap();
    assert!(matches!(seen.copies[0].place, Place::Quarantine { .. }));
    assert_eq!(seen.journeys[0].reasons[0], "scanner.killed");
    assert_eq!(seen.journeys[0].state, State::Quarantined);
    drop(seen);
    around.hears("killed two scanners");
}

#[test]
fn a_scanner_that_retires_is_renewed_and_one_that_asks_is_answered() {
    let around = scanned(vec![Scanner::Retires, Scanner::Retires, Scanner::Asks]);
    for _ in 0..3 {
        let said = around.deliver(&["aoi@example.jp"], TEXT);
        assert!(said.contains(" kept\r\n"), "{said}");
    }
    let seen = around.seen.lock().unwrap();
    assert_eq!((seen.copies.len(), seen.renewed), (3, 2));
    assert!(seen.copies.iter().all(|copy| copy.verdict == Verdict::Deliver));
}

#[test]
fn forged_fields_are_cut_and_lies_are_bounded() {
    let field = "Authentication-Results: mx.example.jp; none\r\n";
    let around = scanned(vec![
        Scanner::Retires,
        Scanner::Lies(vec![(0, 13)], field.to_owned()),
        Scanner::Lies(vec![(0, 9_999)], "X: y\r\n\r\nbody".to_owned()),
    ]);
    for _ in 0..2 {
        around.deliver(&["aoi@example.jp"], TEXT);
    }
    let seen = around.seen.lock().unwrap();
    let (plain, cut) = (seen.copies[0].size, seen.copies[1].size);
    assert_eq!(plain - cut, 13 + "spf=pass".len() as u64 - "none".len() as u64);
}

#[test]
fn large_messages_and_many_recipients_share_what_they_can() {
    let around = settle(Plan::default());
    let text = format!("Subject: big\r\n\r\n{}", "0123456789abcdef\r\n".repeat(40_000));
    let said = around.deliver(&["aoi@example.jp", "ben@example.jp", "cy@other.example"], &text);
    assert!(said.contains(" kept\r\n"), "{said}");
    let seen = around.seen.lock().unwrap();
    assert_eq!((seen.copies.len(), seen.frames), (3, 1));
    assert_eq!(seen.scanned[0].len(), text.len());
    assert!(seen.bodies[0] == seen.bodies[1] && seen.bodies[0] != seen.bodies[2]);
    for (copy, body) in seen.copies.iter().zip(&seen.bodies) {
        assert_eq!(seal::plain_length(body.len() as u64).unwrap(), copy.size);
    }
}

#[test]
fn a_thousand_recipients_fit_what_the_mailbox_takes() {
    let around = settle(Plan { demo: true, ..Plan::default() });
    let names: Vec<String> = (0..1_000).map(|number| format!("many{number}@example.jp")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for text in [TEXT.to_owned(), "0123456789abcdef\r\n".repeat(1_000)] {
        let said = around.deliver(&names, &text);
        assert!(said.contains(" kept\r\n"), "{said}");
        let mut seen = around.seen.lock().unwrap();
        assert_eq!((seen.copies.len(), seen.frames, seen.journeys.len()), (1_000, 25, 1));
        (seen.frames, seen.copies, seen.journeys) = (0, Vec::new(), Vec::new());
    }
}

#[test]
fn memory_quota_and_disk_answer_452_and_keep_nothing() {
    let around = settle(Plan { memory: 1000, ..Plan::default() });
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("MAIL FROM:<> SIZE=9000000");
    client.ask("RCPT TO:<aoi@example.jp>");
    assert!(client.ask("DATA").starts_with("452 4.3.1 too much mail"), "{}", client.said);
    client.ask("QUIT");

    let around = settle(Plan { memory: 3 << 20, ..Plan::default() });
    let said = around.deliver(&["aoi@example.jp"], &"0123456789abcdef\r\n".repeat(300_000));
    assert!(said.contains("452 4.3.1 too much mail"), "{said}");
    assert!(around.seen.lock().unwrap().copies.is_empty());

    let around = settle(Plan { room: false, ..Plan::default() });
    let said = around.deliver(&["aoi@example.jp"], "");
    assert!(said.contains("452 4.2.2 this mailbox is full"), "{said}");

    let answers: [(fn(usize) -> ToEdge, &str); 3] = [
        (|_| ToEdge::OverQuota(Vec::new()), "452 4.2.2"),
        (|_| ToEdge::Full, "452 4.3.1"),
        (|_| ToEdge::Fault, "451 4.3.0"),
    ];
    for (kept, code) in answers {
        let around = settle(Plan { kept, ..Plan::default() });
        let said = around.deliver(&["aoi@example.jp"], TEXT);
        assert!(said.contains(code), "{code} {said}");
    }
}

/// Whose contract ends while their letter comes is not told that it was kept.
#[test]
fn whoever_is_gone_when_the_letter_ends_gets_none() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.begin(&["aoi@example.jp", "ending@example.jp"]);
    client.say("Subject: slow\r\n");
    std::thread::sleep(wire::directory::STATED_FOR);
    client.say("\r\n.\r\n");
    let reply = client.hear();
    assert!(reply.starts_with("451 4.3.0"), "{}", client.said);
    assert!(around.seen.lock().unwrap().copies.is_empty());
    drop(client);
    // Whoever is still here is looked up again, and gets theirs.
    let mut client = around.connect();
    client.begin(&["aoi@example.jp"]);
    std::thread::sleep(wire::directory::STATED_FOR);
    client.say(&format!("{TEXT}.\r\n"));
    assert!(client.hear().contains(" kept\r\n"), "{}", client.said);
}

#[test]
fn memory_is_given_back() {
    let around = settle(Plan::default());
    let text = "0123456789abcdef\r\n".repeat(400_000);
    around.deliver(&["aoi@example.jp"], &text);
    around.deliver(&["aoi@example.jp"], TEXT);
    around.control.send(0, &wire::control::Order::Stop, &[]).unwrap();
    let is_back = |seen: &neighbourhood::Seen| (seen.allowed, seen.done.len()) == (0, 2);
    around.sees("both done, and all memory given back", is_back);
}

#[test]
fn a_mailbox_that_died_before_the_message_is_no_loss() {
    let around = settle(Plan { mailbox_dies_first: true, ..Plan::default() });
    let said = around.deliver(&["aoi@example.jp"], TEXT);
    assert!(said.contains(" kept\r\n"), "{said}");
}

/// A mailbox that dies with a message may have kept it: its successor knows, and the sender hears
/// a certain word in every case, in a session that goes on.
#[test]
fn a_mailbox_that_died_with_a_message_leaves_nobody_without_a_reply() {
    let check = |mailbox_deaths: &'static [bool], code: &str, offers: usize| {
        let around = settle(Plan { mailbox_deaths, ..Plan::default() });
        let mut client = around.connect();
        client.begin(&["aoi@example.jp"]);
        client.say(&format!("{TEXT}.\r\n"));
        let reply = client.hear();
        assert!(reply.starts_with(code), "{mailbox_deaths:?} {reply}");
        assert_eq!(around.seen.lock().unwrap().copies.len(), offers);
        client.ask("MAIL FROM:<a@sender.example>");
        client.ask("RCPT TO:<aoi@example.jp>");
        client.ask("DATA");
        client.say(&format!("{TEXT}.\r\n"));
        assert!(client.hear().contains(" kept\r\n"), "{}", client.said);
    };
    check(&[true], "250 2.0.0", 1);
    check(&[false], "250 2.0.0", 2);
    check(&[false, true], "250 2.0.0", 2);
    check(&[false, false, false], "451 4.3.0 try again later", 3);
}

/// Whoever keeps the mail and does not answer is known before the text; a sender who brought it
/// already hears that it is not known, tries again in the same session, and nothing is lost.
#[test]
fn a_mailbox_that_does_not_answer_puts_mail_off_before_its_text() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.stream.set_read_timeout(Some(KEEP_LIMIT * 2)).unwrap();
    client.begin(&["aoi@example.jp"]);
    around.seen.lock().unwrap().mailbox_is_mute = true;
    client.say(&format!("{TEXT}.\r\n"));
    let reply = client.hear();
    assert_eq!(reply, "451 4.3.0 whether this was kept is not known now; try again later\r\n");
    around.hears("the mailbox left without an answer");
    client.ask("MAIL FROM:<a@sender.example>");
    for to in ["aoi@example.jp", "ben@example.jp"] {
        let reply = client.ask(&format!("RCPT TO:<{to}>"));
        assert_eq!(reply, "451 4.3.0 no mailbox answers now; try again later\r\n");
    }
    // Mail that nobody here keeps is taken all the same.
    assert!(client.ask("RCPT TO:<gate@gateway.example>").starts_with("250"), "{}", client.said);
    client.ask("RSET");
    around.seen.lock().unwrap().mailbox_is_mute = false;
    client.ask("MAIL FROM:<a@sender.example>");
    while !client.ask("RCPT TO:<aoi@example.jp>").starts_with("250") {
        std::thread::sleep(Duration::from_millis(100));
    }
    client.ask("DATA");
    client.say(&format!("{TEXT}.\r\n"));
    assert!(client.hear().contains(" kept\r\n"), "{}", client.said);
}

#[test]
fn told_to_close_it_says_so() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    around.gate.send(0, &FromGate::Closing, &[]).unwrap();
    client.hear_all();
    assert!(client.said.ends_with("421 4.3.2 going down; try again later\r\n"), "{}", client.said);

    let around = settle(Plan::default());
    let mut client = around.connect();
    client.begin(&["aoi@example.jp"]);
    client.say("half a mess");
    around.gate.send(0, &FromGate::Closing, &[]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    client.say("age\r\n.\r\n");
    client.hear_all();
    assert!(client.said.contains(" kept\r\n421 4.3.2"), "{}", client.said);
}

#[test]
fn smuggling_is_answered_and_ends_the_connection() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.begin(&["aoi@example.jp"]);
    client.say("Subject: x\r\n\r\nbody\n.\nMAIL FROM:<x@y>\r\nRCPT TO:<ben@example.jp>\r\n");
    client.say("DATA\r\nsmuggled\r\n.\r\nQUIT\r\n");
    client.hear_all();
    let end = "554 5.6.0 a bare LF in the message\r\n";
    assert!(client.said.ends_with(end), "{}", client.said);
    // One that waits for an answer to its false end gets it soon.
    let mut client = around.connect();
    client.begin(&["aoi@example.jp"]);
    client.say("body\r\n.\n");
    client.hear_all();
    assert!(client.said.ends_with(end), "{}", client.said);
    assert!(around.seen.lock().unwrap().copies.is_empty());
}

#[test]
fn mail_comes_through_tls_too() {
    let around = settle(Plan::default());
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    assert!(client.ask("STARTTLS").starts_with("220 2.0.0"));
    let said = super::neighbourhood::through_tls(
        client.stream,
        &["EHLO c", "MAIL FROM:<>", "RCPT TO:<aoi@example.jp>", "DATA", "hi\r\n.", "QUIT"],
    );
    assert!(said.contains(" kept\r\n221 ") && !said.contains("STARTTLS"), "{said}");
}

#[test]
fn addresses_have_the_directory_s_spelling() {
    let check = |from: &str, to: Option<&str>| {
        let address = smtp::Address::parse(from).unwrap();
        assert_eq!(canonical(&address).as_deref(), to, "{from}");
    };
    check("Aoi+News@Example.JP", Some("aoi@example.jp"));
    check("+aoi@example.jp", Some("+aoi@example.jp"));
    // A rewritten return path is somebody else's address, detail and all.
    check(
        "SRS0=Ab=1C=Shop.example=carol+x@Example.JP",
        Some("srs0=ab=1c=shop.example=carol+x@example.jp"),
    );
    // RFC 5321 §4.1.2: quotes are a way of writing, and stay where nothing else would do.
    check("\"Aoi\"@example.jp", Some("aoi@example.jp"));
    check("\"A b\"@example.jp", Some("\"a b\"@example.jp"));
    check("\"aoi@other.example\"@example.jp", Some("\"aoi@other.example\"@example.jp"));
    check("aoi@例え.jp", Some("aoi@xn--r8jz45g.jp"));
    check("葵@example.jp", Some("葵@example.jp"));
}

/// The played directory says: just now, a moment too short ago, five minutes ago.
#[test]
fn strangers_of_a_tenant_that_greylists_come_again() {
    let around = scanned(vec![found("a", 0.0)]);
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("MAIL FROM:<carol@sender.example>");
    for expected in ["451 4.7.1", "451 4.7.1", "250 2.1.5"] {
        let said = client.ask("RCPT TO:<grey@other.example>");
        assert!(said.starts_with(expected), "{said}");
    }
    assert!(client.ask("RCPT TO:<aoi@example.jp>").starts_with("250 2.1.5"));
}

/// The house's letters and a colleague's address are not for strangers to write with; what proves
/// itself arrives.
#[test]
fn what_says_to_be_ours_proves_it() {
    use policy::{Authentication, Outcome};
    let facts = |domain: &str, spf: Outcome, author_signed: bool| Authentication {
        spf,
        author_signed,
        dkim: if author_signed { Outcome::Pass } else { Outcome::None },
        from_domain: domain.to_owned(),
        ..Authentication::default()
    };
    let check = |facts: Authentication, from: &str, code: &str, place: Option<Place>| {
        let header = wire::scanner::Header::default();
        let around = scanned(vec![Scanner::Proves(header, facts.clone())]);
        let reply = around.mail(from, &["<aoi@example.jp>"], TEXT.as_bytes());
        assert!(reply.starts_with(code), "{facts:?} {reply}");
        let seen = around.seen.lock().unwrap();
        assert_eq!(seen.copies.first().map(|copy| copy.place), place, "{facts:?}");
    };
    let stranger = "<x@att.example>";
    // The house itself (the author of its letters), and a name below it.
    for (host, from) in [("mx.example.jp", stranger), ("MX.example.jp", "<>")] {
        check(facts(host, Outcome::Pass, false), from, "550 5.7.1 refused (auth.house)", None);
    }
    check(facts("a.mx.example.jp", Outcome::Pass, false), stranger, "550", None);
    check(facts("mx.example.jp", Outcome::None, true), stranger, "250", Some(Place::Inbox));
    // A tenant's domain, its own or another's here.
    for domain in ["example.jp", "other.example"] {
        check(facts(domain, Outcome::Pass, false), stranger, "250", Some(Place::Junk));
        check(facts(domain, Outcome::None, true), stranger, "250", Some(Place::Inbox));
    }
    // A name below, whatever is registered there; a name of the house stays the house's.
    for domain in ["hr.example.jp", "a.b.Other.example"] {
        check(facts(domain, Outcome::Pass, false), stranger, "250", Some(Place::Junk));
        check(facts(domain, Outcome::None, true), stranger, "250", Some(Place::Inbox));
    }
    let other = facts("hr.badexample.jp", Outcome::Pass, false);
    check(other, stranger, "250", Some(Place::Inbox));
    // Ours among other authors, or in Sender where there is no author.
    let beside = |domains: &[&str], spokesmen: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let form = policy::AuthorForm {
            domains: owned(domains),
            spokesmen: owned(spokesmen),
            ..policy::AuthorForm::default()
        };
        Authentication { form, ..facts("att.example", Outcome::Pass, true) }
    };
    let many = ["a.example", "b.example", "c.example", "d.example", "example.jp"];
    check(beside(&many, &[]), stranger, "250", Some(Place::Junk));
    check(beside(&many[..4], &[]), stranger, "250", Some(Place::Inbox));
    check(beside(&[], &["example.jp"]), stranger, "250", Some(Place::Junk));
    let house = beside(&["a.example", "mx.example.jp"], &[]);
    check(house, stranger, "550 5.7.1 refused (auth.house)", None);
    let own = "<b@example.jp>";
    check(facts("example.jp", Outcome::Pass, false), own, "250", Some(Place::Inbox));
    check(facts("example.jp", Outcome::SoftFail, false), own, "250", Some(Place::Junk));
    check(facts("elsewhere.example", Outcome::Pass, false), stranger, "250", Some(Place::Inbox));
}
