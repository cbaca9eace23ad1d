//! Mail for people of this house, and what a sender is told.

use super::neighbourhood::remote::Remote;
use super::neighbourhood::{Copied, Letter, OTHER, Plan, SENDER, SERVER};
use super::{Neighbourhood, settle};
use terms::{Finding, UserId, Verdict};
use wire::mailbox::{State, ToEdge};
use wire::names::{Outcome as Found, RecordKind};
use wire::post::{Errand, Finish, Hop};
use wire::vault::Class;

fn copies(house: &Neighbourhood) -> Vec<Copied> {
    house.seen.lock().unwrap().copies.clone()
}

#[test]
fn people_of_the_house_get_their_own_copies() {
    let house = settle(Plan::default());
    let letter = Letter::to(Hop::Here, &["ben@here.example", "Cy+tag@here.example"]);
    assert_eq!(house.carry(&[letter]), ["1.0 sent 2"]);
    let copies = copies(&house);
    assert_eq!(copies.len(), 2);
    for copy in &copies {
        assert!(copy.text.starts_with("Return-Path: <aoi@here.example>\r\nReceived: by mx.here"));
        assert!(copy.text.ends_with("\r\nSubject: hi\r\n\r\n.hello\r\n"), "{}", copy.text);
        let added = u32::from_le_bytes(copy.summary[..4].try_into().unwrap()) as usize;
        let summary: mime::Summary = postcard::from_bytes(&copy.summary[4 + added..]).unwrap();
        assert_eq!(summary.subject, "hi");
        assert!(copy.text.as_bytes().starts_with(&copy.summary[4..4 + added]));
    }
    // The sender's tenant has its journey already; the other one gets its own.
    let journeys = &house.seen.lock().unwrap().journeys;
    assert_eq!(journeys.len(), 1);
    assert_eq!((journeys[0].tenant, journeys[0].state), (OTHER, State::Kept));
    assert_eq!(journeys[0].recipients, [UserId([3; 8])]);
    assert_eq!(journeys[0].tokens.len(), 5, "id, sender, Message-ID, subject, recipient");
}

/// As if it had come from outside; a colleague's letter was weighed when it was handed in.
#[test]
fn another_tenant_s_mail_is_judged_by_its_reader_s_rules() {
    let found = |weight: f32| wire::post::Found::of(&[Finding::new("content.odd", weight, "x")]);
    let check = |weight: f32, verdict: Verdict, state: State| {
        let house = settle(Plan::default());
        let mut letter = Letter::to(Hop::Here, &["ben@here.example", "cy@here.example"]);
        letter.envelope.found = found(weight);
        assert_eq!(house.carry(&[letter]), ["1.0 sent 2"]);
        let journey = house.seen.lock().unwrap().journeys[0].clone();
        assert_eq!((journey.verdict, journey.state), (verdict, state), "{weight}");
        assert_eq!(journey.reasons, ["content.odd"]);
        let field = format!("X-Sekisho-Verdict: {}; score={weight:.1}", verdict.word());
        for copy in copies(&house) {
            assert_eq!(copy.text.contains(&field), copy.tenant == OTHER, "{}", copy.text);
        }
    };
    let rules = wire::directory::TenantSettings::default();
    check(rules.junk_from + 0.5, Verdict::Junk, State::Kept);
    check(rules.quarantine_from + 0.5, Verdict::Quarantine, State::Quarantined);
    // Nobody can refuse it any more.
    check(rules.refuse_from + 0.5, Verdict::Refuse, State::Quarantined);
}

/// What waits in an older queue asks nothing of TLS, or has heard nothing either, or has no
/// findings.
#[test]
fn an_older_envelope_is_read() {
    let envelope = Letter::to(Hop::Here, &["ben@here.example"]).envelope;
    let octets = postcard::to_stdvec(&envelope).unwrap();
    let read = wire::post::Envelope::read;
    assert_eq!(read(&octets), Some(envelope.clone()));
    assert_eq!(read(&octets[..octets.len() - 1]), Some(envelope.clone()));
    assert_eq!(read(&octets[..octets.len() - 2]), Some(envelope.clone()));
    assert_eq!(read(&octets[..octets.len() - 3]), Some(envelope));
    assert_eq!(read(&octets[..octets.len() - 4]), None);
    assert_eq!(read(&[&octets[..], &[0]].concat()), None);
}

#[test]
fn who_is_nobody_any_more_comes_back_to_the_sender() {
    let house = settle(Plan::default());
    let letter =
        Letter::to(Hop::Here, &["ben@here.example", "gone@here.example", "later@here.example"]);
    assert_eq!(house.carry(&[letter]), ["1.0 later sent 1 left 1: Ours"]);
    let rest = house.seen.lock().unwrap().rests[0].clone();
    assert_eq!(rest.recipients.len(), 1);
    assert_eq!(rest.recipients[0].address, "later@here.example");
    let copies = copies(&house);
    let notice = copies.iter().find(|copy| copy.user == SENDER).unwrap();
    let read = notice::read(notice.text.as_bytes()).unwrap();
    assert_eq!(read.kind, notice::Kind::Failed);
    assert_eq!(read.victims.len(), 1);
    assert_eq!(read.victims[0].address, "gone@here.example");
    assert_eq!(read.about.as_deref(), Some("m1@here.example"));
    assert!(notice.text.starts_with("Return-Path: <>\r\n"));
}

/// Of a circle nobody says that the address has moved.
#[test]
fn a_circle_of_forwards_is_called_so() {
    for (to, expected) in [("round", "5.4.6"), ("elsewhere", "5.1.6")] {
        let house = settle(Plan::default());
        let letter = Letter::to(Hop::Here, &[&format!("{to}@here.example")]);
        assert_eq!(house.carry(&[letter]), [format!("1.0 failed sent 0: {expected}")], "{to}");
        let told = copies(&house).pop().unwrap().text;
        let words = words_of(&told);
        assert_eq!(words.contains(notice::say(notice::Reason::Loop).1), to == "round", "{words}");
    }
}

/// Who is told that their mail goes elsewhere hears it where they were.
#[test]
fn a_letter_of_the_house_reaches_whom_it_is_about() {
    let house = settle(Plan::default());
    let (statement, signature) = house.seen.lock().unwrap().stood.clone().unwrap();
    let stood = |signature: Vec<u8>| {
        let mut letter = Letter::to(Hop::Here, &["moved@here.example"]);
        letter.envelope.from = String::new();
        let statement = statement.clone();
        letter.envelope.finish = Finish::AsItStood { statement, signature };
        letter
    };
    assert_eq!(house.carry(&[stood(signature.clone())]), ["1.0 sent 1"]);
    assert_eq!(copies(&house).len(), 1);
    // What the vault did not sign says nothing.
    let house = settle(Plan::default());
    let failed = house.carry(&[stood(vec![0; 64])]);
    assert!(failed[0].starts_with("1.0 failed"), "{failed:?}");
    assert!(copies(&house).is_empty());
}

#[test]
fn a_full_mailbox_keeps_nobody_else_from_theirs() {
    let kept = |arrival| match arrival {
        1 => ToEdge::OverQuota(vec![UserId([4; 8])]),
        _ => ToEdge::Kept,
    };
    let house = settle(Plan { kept, ..Plan::default() });
    let letter = Letter::to(Hop::Here, &["full@here.example", "ben@here.example"]);
    assert_eq!(house.carry(&[letter]), ["1.0 later sent 1 left 1: 4.2.2"]);
    assert_eq!(copies(&house).len(), 1);
    let house = settle(Plan { kept: |_| ToEdge::Full, ..Plan::default() });
    let letter = Letter::to(Hop::Here, &["ben@here.example"]);
    assert_eq!(house.carry(&[letter]), ["1.0 later sent 0: Ours"]);
}

#[test]
fn a_failure_is_told_once_to_the_sender_alone() {
    let remote = Remote::that(|_, line| {
        line.starts_with("RCPT").then(|| "550 5.1.1 no such user\r\n".to_owned())
    });
    let check = |change: &dyn Fn(&mut Letter), told: usize| -> Option<Copied> {
        let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
        let mut letter = Letter::out(&["bob@there.example"]);
        change(&mut letter);
        assert_eq!(house.carry(&[letter]), ["1.0 failed sent 0: 5.1.1"]);
        let copies = copies(&house);
        assert_eq!(copies.len(), told);
        assert!(copies.iter().all(|copy| copy.user == SENDER));
        copies.first().cloned()
    };
    let told = check(&|_| {}, 1).unwrap();
    assert!(
        told.text.contains("Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"),
        "{}",
        told.text
    );
    assert!(told.text.contains("Remote-MTA: dns; mx.there.example\r\n"));
    assert!(told.text.contains("Content-Type: text/rfc822-headers\r\n"));
    assert!(!told.text.contains(".hello"));
    // What it is called follows from what it says: the mailbox keeps it once.
    assert_eq!(check(&|_| {}, 1).unwrap().message, told.message);
    let full = check(&|letter| letter.envelope.returns_all = Some(true), 1).unwrap();
    assert!(full.text.contains("Content-Type: message/rfc822\r\n") && full.text.contains(".hello"));
    let named = check(&|letter| letter.envelope.envelope_id = Some("a+2Bb".to_owned()), 1).unwrap();
    assert!(named.text.contains("Original-Envelope-Id: a+b\r\n"));
    check(&|letter| letter.envelope.recipients[0].notify = Some((true, false, true)), 0);
    check(&|letter| letter.envelope.recipients[0].notify = Some((false, false, false)), 0);
    check(&|letter| letter.envelope.from = String::new(), 0);
    // An address of ours that is another's now: nobody else hears of it.
    check(&|letter| letter.envelope.from = "ben@here.example".to_owned(), 0);
    check(&|letter| letter.envelope.from = "gone@here.example".to_owned(), 0);
}

/// Whoever has no mailbox of their own here hears of what failed where their mail goes, once and
/// whole; who only has the address by now does not.
#[test]
fn who_keeps_no_mail_here_is_told_where_it_goes() {
    let remote = Remote::that(|_, line| {
        line.starts_with("RCPT").then(|| "550 5.1.1 no such user\r\n".to_owned())
    });
    let check = |from: &str, user: UserId, errand: Errand, expected: &[&str]| {
        let plan = Plan::default().with("there.example", "mx.there.example", &remote);
        let house = settle(plan);
        let mut letter = Letter { user, errand, ..Letter::out(&["bob@there.example"]) };
        letter.envelope.from = from.to_owned();
        house.carry(&[letter]);
        let seen = house.seen.lock().unwrap();
        assert!(seen.copies.is_empty(), "{from}");
        let shown: Vec<String> = seen
            .queued
            .iter()
            .map(|(_, envelope, text)| {
                assert!(text.contains(&format!("\r\nTo: <{from}>\r\n")), "{text}");
                assert!(text.contains("Final-Recipient: rfc822; bob@there.example\r\n"), "{text}");
                let to = &envelope.recipients[0].address;
                format!("<{}> {to} {}", envelope.from, envelope.hop.word())
            })
            .collect();
        assert_eq!(shown, expected, "{from} {errand:?}");
        let ids: std::collections::HashSet<_> = seen.queued.iter().map(|(id, ..)| id).collect();
        assert!(ids.len() <= 1, "one notice");
    };
    let home = ["<> me@home.example domain home.example", "<> ben@here.example here"];
    for errand in [Errand::Carry, Errand::TellLate, Errand::GiveBack, Errand::Cancelled] {
        check("away@here.example", SENDER, errand, &home);
        let gateway = ["<> Boss+x@gateway.example host gateway.host.example 587"];
        check("Boss+x@gateway.example", SERVER, errand, &gateway);
        // A list of whom strangers may write to says nothing of who was let in to write.
        for from in ["New.Hire@listed.example", "checked@listed.example"] {
            let expected = format!("<> {from} host listed.host.example 587");
            check(from, SERVER, errand, &[&expected]);
        }
    }
    check("new@listed.example", SENDER, Errand::Carry, &[]);
    check("away@here.example", SENDER, Errand::Unreleased, &home);
    // Behind the tenant's own server is whoever reads that address.
    check("ben@here.example", SERVER, Errand::Carry, &["<> ben@here.example here"]);
    // Of others, and of nobody, nobody hears.
    check("elsewhere@here.example", SENDER, Errand::Carry, &[]);
    check("boss@gateway.example", SENDER, Errand::Carry, &[]);
    check("cy@here.example", SERVER, Errand::Carry, &[]);
    check("nobody@here.example", SERVER, Errand::Carry, &[]);
}

#[test]
fn whom_nobody_can_tell_stands_in_the_log() {
    let house = settle(Plan::default());
    let errand = Errand::GiveBack;
    let mut letter = Letter { user: SERVER, errand, ..Letter::out(&["bob@there.example"]) };
    letter.envelope.from = "nobody@here.example".to_owned();
    house.carry(&[letter]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let is_it = |report: &String| report.contains("nobody could be told");
    while !house.seen.lock().unwrap().reports.iter().any(is_it) {
        assert!(std::time::Instant::now() < until, "no word in the log");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_failure_that_cannot_be_told_is_not_forgotten() {
    let remote = Remote::that(|_, line| line.starts_with("RCPT").then(|| "550 no\r\n".to_owned()));
    let plan = Plan { kept: |_| ToEdge::Fault, ..Plan::default() };
    let house = settle(plan.with("there.example", "mx.there.example", &remote));
    let outcomes = house.carry(&[Letter::out(&["bob@there.example"])]);
    assert_eq!(outcomes, ["1.0 later sent 0: Ours"]);
}

#[test]
fn success_is_told_where_it_was_asked_for() {
    let house = settle(Plan::default());
    let mut letter = Letter::to(Hop::Here, &["ben@here.example", "cy@here.example"]);
    letter.envelope.recipients[0].notify = Some((true, true, false));
    assert_eq!(house.carry(&[letter]), ["1.0 sent 2"]);
    let told: Vec<Copied> = copies(&house).into_iter().filter(|copy| copy.user == SENDER).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].text.contains("Action: delivered\r\n"));
    assert!(told[0].text.contains("ben@here.example") && !told[0].text.contains("cy@here"));

    let remote = Remote::that(|_, line| {
        line.starts_with("EHLO").then(|| "250-x\r\n250 PIPELINING\r\n".to_owned())
    });
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let mut letter = Letter::out(&["bob@there.example"]);
    letter.envelope.recipients[0].notify = Some((true, true, false));
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    assert!(copies(&house)[0].text.contains("Action: relayed\r\n"));
}

/// The first part of a notice, as it is encoded.
fn base64_of(text: &str) -> String {
    let part = text.split("Content-Transfer-Encoding: base64\r\n").nth(1).unwrap();
    let lines = part.split("\r\n").skip_while(|line| !line.is_empty()).skip(1);
    lines.take_while(|line| !line.is_empty() && !line.starts_with("--")).collect()
}

#[test]
fn errands_try_nothing() {
    let house = settle(Plan::default());
    let errand = |errand| Letter { errand, ..Letter::out(&["bob@there.example"]) };
    let mut silenced = errand(Errand::Cancelled).numbered(4);
    silenced.envelope.recipients[0].notify = Some((false, false, false));
    let errands = [
        errand(Errand::TellLate),
        errand(Errand::GiveBack).numbered(2),
        errand(Errand::Cancelled).numbered(3),
        silenced,
    ];
    let ends = ["1.0 told late", "2.0 failed sent 0: Unreachable", "3.0 failed sent 0: 5.7.1"];
    assert_eq!(house.carry(&errands), [&ends[..], &["4.0 failed sent 0: 5.7.1"]].concat());
    let told = copies(&house);
    assert_eq!(told.len(), 3, "NOTIFY=NEVER");
    assert!(told[2].text.contains("Status: 5.7.1\r\n"), "{}", told[2].text);
    let octets = data_encoding::BASE64.decode(base64_of(&told[2].text).as_bytes()).unwrap();
    let words = String::from_utf8(octets).unwrap();
    let (japanese, english) = notice::say(notice::Reason::Cancelled);
    assert!(words.contains(japanese) && words.contains(english), "{words}");
    assert!(told[0].text.contains("Action: delayed\r\n"), "{}", told[0].text);
    assert!(told[0].text.contains("Will-Retry-Until: Fri, 27 Nov 2026"), "{}", told[0].text);
    let read = notice::read(told[1].text.as_bytes()).unwrap();
    assert_eq!(read.victims[0].reason, notice::Reason::Expired);
    assert!(house.seen.lock().unwrap().dialled.is_empty());
    // The envelope's key, and the text's for the header that goes with the notice.
    let bodies = house.seen.lock().unwrap().released.clone();
    assert_eq!(bodies.iter().filter(|(_, class)| *class == Class::Body).count(), 4);
}

/// What a notice says to people.
pub(super) fn words_of(text: &str) -> String {
    String::from_utf8(data_encoding::BASE64.decode(base64_of(text).as_bytes()).unwrap()).unwrap()
}

/// An attempt leaves the words of whoever did not take it, and notices of late mail and of mail
/// whose time is over give them to its sender, each recipient's for that recipient.
#[test]
fn late_mail_and_mail_that_is_given_up_say_why() {
    let remote = Remote::that(|_, line| match line {
        line if line.starts_with("RCPT TO:<bob") => Some("450 4.7.1 grey, bob\r\n".to_owned()),
        line if line.starts_with("RCPT TO:<eve") => Some("452 4.2.2 full, eve\r\n".to_owned()),
        _ => None,
    });
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let letter = Letter::out(&["bob@there.example", "ann@there.example", "eve@there.example"]);
    assert_eq!(house.carry(&[letter.clone()]), ["1.0 later sent 1 left 2: 4.7.1"]);
    let rest = house.seen.lock().unwrap().rests[0].clone();
    assert_eq!(rest.heard.len(), 2);
    assert_eq!(rest.heard[1].words.as_deref(), Some("452 4.2.2 full, eve"));
    assert_eq!(rest.heard[1].places, [1]);
    let waiting = Letter { envelope: rest, ..letter };
    // The same again is nothing to keep anew.
    assert_eq!(house.carry(&[waiting.clone()]), ["1.0 later sent 0: 4.7.1"]);
    assert_eq!(house.seen.lock().unwrap().rests.len(), 1);
    let errand = |errand, number| Letter { errand, ..waiting.clone().numbered(number) };
    let why = Some(wire::post::Why::Answered { class: 4, subject: 7, detail: 1 });
    let errands = [Letter { why, ..errand(Errand::TellLate, 2) }, errand(Errand::GiveBack, 3)];
    assert_eq!(house.carry(&errands), ["2.0 told late", "3.0 failed sent 0: 4.7.1"]);
    let told = copies(&house);
    for (copy, statuses) in told.iter().zip([["4.7.1", "4.2.2"], ["5.4.7", "5.4.7"]]) {
        let fields: Vec<&str> = copy.text.split("Final-Recipient: ").skip(1).collect();
        let each = fields.iter().zip(["bob", "eve"]).zip(statuses);
        for ((fields, name), status) in each {
            let code = if name == "bob" { "450 4.7.1 grey" } else { "452 4.2.2 full" };
            let lines = [
                format!("rfc822; {name}@there.example\r\n"),
                format!("Status: {status}\r\n"),
                "Remote-MTA: dns; mx.there.example\r\n".to_owned(),
                format!("Diagnostic-Code: smtp; {code}, {name}\r\n"),
            ];
            for line in lines {
                assert!(fields.contains(&line), "{line} {fields}");
            }
            assert_eq!(fields.matches("Diagnostic-Code").count(), 1);
        }
        let words = words_of(&copy.text);
        let (japanese, english) = notice::say(notice::Reason::MailboxFull);
        assert!(words.contains(japanese) && words.contains(english), "{words}");
        assert!(words.contains("相手の応答 (mx.there.example): 450 4.7.1 grey, bob"), "{words}");
    }
    let words = words_of(&told[1].text);
    let (japanese, english) = notice::say(notice::Reason::Expired);
    assert!(words.contains(japanese) && words.contains(english), "{words}");
}

/// Nobody said a word, and the notice says so; nor is a word of an older answer passed off as the
/// last.
#[test]
fn a_notice_says_when_nobody_was_reached() {
    use notice::Reason;
    use wire::post::{TlsFlaw, WayIn, Why};
    let check = |why: Option<Why>, status: &str, reason: Reason| {
        let house = settle(Plan::default());
        let letter = |errand| Letter { errand, why, ..Letter::out(&["bob@there.example"]) };
        house.carry(&[letter(Errand::TellLate), letter(Errand::GiveBack).numbered(2)]);
        let told = copies(&house);
        let status = format!("Status: {status}\r\n");
        assert!(told[0].text.contains(&status), "{}", told[0].text);
        assert!(told[1].text.contains("Status: 5.4.7\r\n"), "{}", told[1].text);
        for copy in &told {
            let (japanese, english) = notice::say(reason);
            let words = words_of(&copy.text);
            assert!(words.contains(japanese) && words.contains(english), "{words}");
            assert!(!copy.text.contains("Remote-MTA") && !copy.text.contains("Diagnostic"));
        }
    };
    check(None, "4.4.1", Reason::NoAnswer);
    check(Some(Why::Unreachable), "4.4.1", Reason::Unreachable);
    check(Some(Why::Ours), "4.3.0", Reason::OwnFault);
    check(Some(Why::NoResolver), "4.4.3", Reason::NoResolver);
    check(Some(Why::NotSignedIn), "4.7.8", Reason::OwnFault);
    check(Some(Why::NoWayIn(WayIn::NotOffered)), "4.7.8", Reason::OwnFault);
    let insecure = Why::Insecure { flaw: TlsFlaw::NotTrusted, is_named: true };
    check(Some(insecure), "4.7.5", Reason::TlsUntrusted);
    let broke = Why::Answered { class: 4, subject: 4, detail: 2 };
    check(Some(broke), "4.4.2", Reason::HungUp);
    check(Some(Why::MaybeTaken), "4.4.2", Reason::MaybeTaken);
    // The DNS: from an attempt on.
    let mut plan = Plan::default();
    plan.record("there.example", RecordKind::Mx, Found::Failed);
    let house = settle(plan);
    assert_eq!(house.carry(&[Letter::out(&["bob@there.example"])]), ["1.0 later sent 0: 4.4.3"]);
    let envelope = house.seen.lock().unwrap().rests[0].clone();
    // Our own resolver is another thing: whether it is the domain, a host, or what it must show.
    for (name, kind) in [("there.example", RecordKind::Mx), ("mx.there.example", RecordKind::A)] {
        let mut plan = Plan::default();
        plan.mx("there.example", &[(10, "mx.there.example")]);
        plan.record(name, kind, Found::Unanswered);
        let house = settle(plan);
        let told = house.carry(&[Letter::out(&["bob@there.example"])]);
        assert_eq!(told, ["1.0 later sent 0: NoResolver"], "{name}");
    }
    let why = Some(Why::Ours);
    let errand = Errand::TellLate;
    let letter = Letter { errand, why, envelope, ..Letter::out(&["bob@there.example"]) };
    house.carry(&[letter.clone()]);
    let text = copies(&house)[0].text.clone();
    let words = words_of(&text);
    assert!(text.contains("Status: 4.4.3\r\n"), "{text}");
    assert!(words.contains(notice::say(Reason::NoNames).0), "{words}");
    // And if since then nobody answers there: that.
    let letter = Letter { why: Some(Why::Unreachable), ..letter.numbered(2) };
    house.carry(&[letter]);
    let words = words_of(&copies(&house)[1].text);
    assert!(words.contains(notice::say(Reason::Unreachable).1), "{words}");
    // Held until its time was over: it was not tried at all.
    let errand = Errand::Unreleased;
    house.carry(&[Letter { errand, ..Letter::out(&["bob@there.example"]).numbered(3) }]);
    let words = words_of(&copies(&house)[2].text);
    assert!(words.contains(notice::say(Reason::Unreleased).0), "{words}");
    assert!(!words.contains(notice::say(Reason::Expired).1), "{words}");
}

#[test]
fn without_evidence_nothing_is_opened() {
    let house = settle(Plan { evidence: false, ..Plan::default() });
    let outcomes = house.carry(&[Letter::to(Hop::Here, &["ben@here.example"])]);
    assert_eq!(outcomes, ["1.0 later sent 0: Ours"]);
    assert!(copies(&house).is_empty());
}

/// Once a week, to the one who wrote, and to no machine's mail.
#[test]
fn who_is_away_answers_colleagues() {
    let house = settle(Plan::default());
    house.seen.lock().unwrap().absent.push("ben@here.example".to_owned());
    let text = |field: &str| {
        let head = "From: aoi@here.example\r\nTo: Ben <ben@here.example>\r\nMessage-ID: <q@x>\r\n";
        format!("{head}{field}Subject: hi\r\n\r\nhello\r\n").into_bytes()
    };
    let letter = |number, field: &str| {
        let to_ben = Letter::to(Hop::Here, &["ben@here.example"]).numbered(number);
        Letter { text: text(field), ..to_ben }
    };
    let answers = || copies(&house).into_iter().filter(|copy| copy.user == SENDER).count();
    assert_eq!(house.carry(&[letter(1, "Auto-Submitted: auto-generated\r\n")]), ["1.0 sent 1"]);
    assert_eq!(answers(), 0);
    assert_eq!(house.carry(&[letter(2, "")]), ["2.0 sent 1"]);
    assert_eq!(house.carry(&[letter(3, "")]), ["3.0 sent 1"]);
    assert_eq!(answers(), 1);
    let copies = copies(&house);
    let answer = copies.iter().find(|copy| copy.user == SENDER).unwrap();
    assert!(answer.text.starts_with("Return-Path: <>\r\n"), "{}", answer.text);
    for part in ["Auto-Submitted: auto-replied", "In-Reply-To: <q@x>", "back on Monday"] {
        assert!(answer.text.contains(part), "{}", answer.text);
    }
}
