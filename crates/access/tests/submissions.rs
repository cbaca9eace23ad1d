//! Journeys of a mail client that hands in mail, over real sockets and real TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod world;

use data_encoding::BASE64;
use std::sync::atomic::Ordering;
use wire::control::Service;
use wire::gate::FromGate;
use world::client::Sender;
use world::{SECRET, World};

fn plain(name: &str, secret: &str) -> String {
    format!("AUTH PLAIN {}", BASE64.encode(format!("\0{name}\0{secret}").as_bytes()))
}

/// A client that is signed in.
fn signed_in(world: &World, service: Service) -> Sender {
    let mut client = Sender::new(world, service);
    client.asks("EHLO laptop.example", "250");
    client.asks(&plain("aoi@example.jp", SECRET), "235 2.7.0");
    client
}

#[test]
fn a_message_is_handed_in() {
    for service in [Service::Submissions, Service::Submission] {
        let world = World::new(service);
        let mut client = signed_in(&world, service);
        client.asks("MAIL FROM:<aoi@example.jp> RET=HDRS ENVID=a+2Bb REQUIRETLS", "250 2.1.0");
        client.asks("RCPT TO:<cy@other.example> NOTIFY=DELAY ORCPT=rfc822;c+2By@x", "250 2.1.5");
        client.asks("RCPT TO:<cy@other.example>", "250 2.1.5 recipient noted already");
        client.asks("RCPT TO:<nobody@example.jp>", "550 5.1.1 nobody");
        client.asks("DATA", "354");
        client.asks("Subject: hi\r\n\r\n..dotted\r\n.", "250 2.0.0 0123 queued");
        client.asks("QUIT", "221");
        let taken = world.desk.taken.lock().unwrap();
        let (submission, text) = &taken[0];
        assert_eq!(text, b"Subject: hi\r\n\r\n.dotted\r\n");
        assert_eq!(submission.from, "aoi@example.jp");
        assert_eq!(
            (submission.helo.as_str(), submission.protocol.as_str()),
            ("laptop.example", "ESMTPSA")
        );
        assert!(submission.tls.as_ref().unwrap().starts_with("TLSv1"), "{:?}", submission.tls);
        assert_eq!(submission.returns_all, Some(false));
        assert_eq!(submission.envelope_id.as_deref(), Some("a+2Bb"));
        assert!(submission.require_tls && !submission.smtputf8);
        let to = &submission.recipients[0];
        assert_eq!(
            (to.address.as_str(), to.notify),
            ("cy@other.example", Some((false, false, true)))
        );
        assert_eq!(to.original.as_deref(), Some("rfc822;c+2By@x"));
        let asked = world.desk.asked.lock().unwrap();
        let expected = [
            "from aoi@example.jp",
            "to cy@other.example",
            "room 1",
            "to nobody@example.jp",
            "many 1",
        ];
        assert_eq!(*asked, expected);
    }
}

#[test]
fn what_the_dispatch_said_ahead_is_not_asked_again() {
    let world = World::new(Service::Submissions);
    world.desk.ahead.store(1, Ordering::SeqCst);
    let mut client = signed_in(&world, Service::Submissions);
    let mut send = |from: &str, to: &[&str]| {
        client.asks(&format!("MAIL FROM:<{from}>"), "250");
        to.iter().for_each(|to| drop(client.asks(&format!("RCPT TO:<{to}>"), "250")));
        client.asks("DATA", "354");
        client.asks("Subject: hi\r\n\r\nhi\r\n.", "250 2.0.0");
        std::mem::take(&mut *world.desk.asked.lock().unwrap())
    };
    let all = ["from aoi@example.jp", "to a@x.example", "room 1", "many 1"];
    assert_eq!(send("aoi@example.jp", &["a@x.example"]), all);
    assert_eq!(send("aoi@example.jp", &["a@x.example"]), ["to a@x.example"]);
    // As another, or to more, it is asked for.
    let more = ["to a@x.example", "to b@x.example", "room 2", "many 2"];
    assert_eq!(send("aoi@example.jp", &["a@x.example", "b@x.example"]), more);
    let other = ["from sales@example.jp", "to a@x.example"];
    assert_eq!(send("sales@example.jp", &["a@x.example"]), other);
    assert_eq!(send("aoi@example.jp", &["a@x.example"])[0], "from aoi@example.jp");
    // Of a domain that is nobody's here, one address says all.
    assert_eq!(send("aoi@example.jp", &["a@far.example"]), ["to a@far.example"]);
    assert!(send("aoi@example.jp", &["b@FAR.example"]).is_empty());
    assert_eq!(send("aoi@example.jp", &["b@far.example.jp"]), ["to b@far.example.jp"]);
    assert_eq!(world.desk.taken.lock().unwrap().len(), 8);
}

/// The recipient that goes over a limit is refused, and those before it stay.
#[test]
fn a_limit_is_said_to_the_recipient_that_goes_over_it() {
    let world = World::new(Service::Submissions);
    *world.desk.room.lock().unwrap() = Some(2);
    let mut client = signed_in(&world, Service::Submissions);
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    client.asks("RCPT TO:<a@x.example>", "250");
    client.asks("RCPT TO:<nobody@example.jp>", "550 5.1.1");
    client.asks("RCPT TO:<b@x.example>", "250");
    client.asks("RCPT TO:<c@x.example>", "450 4.7.1 too many");
    client.asks("RCPT TO:<d@x.example>", "450 4.7.1 too many");
    client.asks("RCPT TO:<b@x.example>", "250 2.1.5 recipient noted already");
    client.asks("DATA", "354");
    client.asks("Subject: hi\r\n\r\nhi\r\n.", "250 2.0.0");
    let asked = std::mem::take(&mut *world.desk.asked.lock().unwrap());
    let about = |one: &&String| one.starts_with("room") || one.starts_with("many");
    let about: Vec<&String> = asked.iter().filter(about).collect();
    // Asked again where the room is used up, and once: each question over a limit counts.
    assert_eq!(about, ["room 1", "room 3", "many 2"]);
    let taken = world.desk.taken.lock().unwrap().len();
    assert_eq!((taken, world.desk.taken.lock().unwrap()[0].0.recipients.len()), (1, 2));
    // An envelope that is given up has used nothing up, and says nothing of the next.
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    client.asks("RCPT TO:<a@x.example>", "250");
    client.asks("RSET", "250");
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    for to in ["a", "b"] {
        client.asks(&format!("RCPT TO:<{to}@x.example>"), "250");
    }
    client.asks("RCPT TO:<c@x.example>", "450 4.7.1");
    client.asks("RSET", "250");
    *world.desk.room.lock().unwrap() = Some(0);
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    client.asks("RCPT TO:<a@x.example>", "450 4.7.1");
    client.asks("DATA", "503 5.5.1 no recipient");
}

#[test]
fn a_large_message_and_a_second_one() {
    let world = World::new(Service::Submissions);
    let mut client = signed_in(&world, Service::Submissions);
    let large = format!("Subject: large\r\n\r\n{}", "0123456789abcdef\r\n".repeat(400_000));
    for text in ["Subject: small\r\n\r\nhi\r\n", &large, "Subject: last\r\n\r\nhi\r\n"] {
        client.asks("MAIL FROM:<aoi@example.jp>", "250");
        client.asks("RCPT TO:<cy@other.example>", "250");
        client.asks("DATA", "354");
        client.asks(&format!("{text}."), "250 2.0.0");
    }
    let taken = world.desk.taken.lock().unwrap();
    assert!(taken.len() == 3 && taken[1].1 == large.as_bytes());
}

#[test]
fn nobody_is_let_in_without_the_right_secret() {
    let world = World::new(Service::Submissions);
    let mut client = Sender::new(&world, Service::Submissions);
    client.asks("EHLO c", "250");
    client.asks("MAIL FROM:<aoi@example.jp>", "530 5.7.0");
    client.asks(&plain("aoi@example.jp", "hunter2"), "535 5.7.8 this line takes app passwords");
    assert_eq!(world.asked.load(Ordering::SeqCst), 0, "an account password goes no further");
    client.asks(&plain("later@example.jp", SECRET), "454 4.7.0 nobody can be signed in now");
    client.asks(&plain("eve@example.jp", SECRET), "535 5.7.8");
    client.asks(&plain("eve@example.jp", SECRET), "535 5.7.8");
    assert!(client.line().starts_with("421 4.7.0 too many refused"));
    assert_eq!(client.line(), "");
}

#[test]
fn in_clear_nobody_signs_in() {
    let world = World::new(Service::Submission);
    let mut client = Sender::in_clear(&world);
    let greeting = client.asks("EHLO c", "250");
    assert!(greeting.contains("STARTTLS") && !greeting.contains("AUTH"), "{greeting}");
    client.asks(&plain("aoi@example.jp", SECRET), "538 5.7.11");
    client.asks("MAIL FROM:<aoi@example.jp>", "530 5.7.0");
    assert_eq!(world.asked.load(Ordering::SeqCst), 0);
    client.say("STARTTLS\r\nEHLO injected\r\n");
    assert!(client.line().starts_with("554 5.5.0"));
}

#[test]
fn a_refused_sender_and_a_lying_dispatch() {
    let world = World::new(Service::Submissions);
    let mut client = signed_in(&world, Service::Submissions);
    client.asks("MAIL FROM:<ben@example.jp>", "550 5.7.1 not yours");
    client.asks("RCPT TO:<cy@other.example>", "503");
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    client.asks("RCPT TO:<lie@example.jp>", "451 4.3.0");
    client.asks("DATA", "503 5.5.1 no recipient");
}

#[test]
fn without_a_dispatch_the_client_comes_again() {
    let world = World::new(Service::Submissions);
    world.desk.is_away.store(true, Ordering::SeqCst);
    let mut client = signed_in(&world, Service::Submissions);
    client.asks("MAIL FROM:<aoi@example.jp>", "451 4.3.0");
    assert!(client.line().starts_with("421 4.3.0"));
}

#[test]
fn of_a_dispatch_that_dies_with_a_message_it_is_said_that_nobody_knows() {
    let world = World::new(Service::Submissions);
    let mut client = signed_in(&world, Service::Submissions);
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    client.asks("RCPT TO:<cy@other.example>", "250");
    client.asks("DATA", "354");
    client.say("Subject: die\r\n\r\n.\r\n");
    let line = client.line();
    let expected = "451 4.3.0 whether this was queued is not known; try again later";
    assert_eq!(line.trim_end(), expected);
}

#[test]
fn a_house_that_closes_says_so() {
    let world = World::new(Service::Submissions);
    let mut client = signed_in(&world, Service::Submissions);
    world.closing.lock().unwrap()[0].send(0, &FromGate::Closing, &[]).unwrap();
    assert!(client.line().starts_with("421 4.3.2"));
}

#[test]
fn a_smuggler_hands_in_nothing() {
    let world = World::new(Service::Submissions);
    let mut client = signed_in(&world, Service::Submissions);
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    client.asks("RCPT TO:<cy@other.example>", "250");
    client.asks("DATA", "354");
    client.say("body\n.\r\nMAIL FROM:<x@y>\r\n\r\n.\r\n");
    assert!(client.line().starts_with("554 5.6.0"));
    assert!(world.desk.taken.lock().unwrap().is_empty());
}

#[test]
fn whoever_guesses_names_is_sent_away() {
    let world = World::new(Service::Submissions);
    let mut client = signed_in(&world, Service::Submissions);
    client.asks("MAIL FROM:<aoi@example.jp>", "250");
    for _ in 0..101 {
        client.asks("RCPT TO:<nobody@example.jp>", "550 5.1.1");
    }
    assert!(client.line().starts_with("421 4.7.0 too many unknown"));
}
