//! The real access in its real walls: a normal day of mail, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod world;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use terms::Kind;
use walled::Born;
use wire::Channel;
use wire::control::{Order, Service, Start};
use world::client::{Client, Sender};
use world::{SECRET, World};

fn main() -> ExitCode {
    walled::main(|| compartment::zygote_main(access::serve), live)
}

fn live() {
    let zygote = walled::born(Kind::Access, Start::default());
    imap_day(&World::with_instances(Service::Imaps, vec![fork(&zygote)]));
    zygote.ended_well();
    pop_day(&World::with_instances(Service::Pop3s, vec![fork(&zygote)]));
    zygote.ended_well();
    for service in [Service::Submissions, Service::Submission] {
        submission_day(&World::with_instances(service, vec![fork(&zygote)]), service);
        zygote.ended_well();
    }
    zygote.control.send(0, &Order::Stop, &[]).unwrap();
    zygote.heard.assert_nothing_off_charter();
    zygote.heard.assert_listeners(4);
}

/// An instance; gives the warden's end of its control channel.
fn fork(zygote: &Born) -> Channel {
    let (own, warden) = Channel::pair().unwrap();
    zygote.fork(own);
    zygote.heard.follow(Kind::Access, &warden);
    warden
}

fn imap_day(world: &World) {
    world.deliver("From: a@b\r\nSubject: one\r\n\r\nfirst\r\n");
    world.deliver(&format!("Subject: two\r\n\r\n{}", "0123456789abcdef\r\n".repeat(100_000)));
    let mut client = Client::new(world);
    client.ask("LOGIN aoi@example.jp hunter2");
    client.ask(&format!("LOGIN aoi@example.jp {SECRET}"));
    for command in [
        "LIST \"\" *",
        "CREATE Work",
        "SELECT INBOX",
        "FETCH 1:* (FLAGS ENVELOPE)",
        "FETCH 1:* BODY[]",
        "SEARCH FROM a BODY first",
        "STORE 1 +FLAGS ($x \\Deleted)",
        "COPY 1:2 Work",
        "MOVE 2 Trash",
        "EXPUNGE",
        "GETQUOTAROOT INBOX",
    ] {
        let answer = client.ask(command);
        assert!(answer.contains("x OK"), "{command}: {answer}");
    }
    let large = format!("Subject: own\r\n\r\n{}", "0123456789abcdef\r\n".repeat(20_000));
    client.send(format!("a APPEND INBOX {{{}+}}\r\n{large}\r\n", large.len()).as_bytes());
    assert!(client.answer("a").contains("APPENDUID"));
    client.send(b"i IDLE\r\n");
    assert!(client.line().starts_with("+ "));
    thread::sleep(Duration::from_secs(3)); // memory is given back meanwhile
    world.deliver("Subject: three\r\n\r\nthird\r\n");
    assert!(client.line().contains("EXISTS"));
    client.send(b"DONE\r\n");
    client.answer("i");
    assert!(client.ask("LOGOUT").contains("BYE"));
    client.end();
}

fn pop_day(world: &World) {
    world.deliver("From: a@b\r\nSubject: one\r\n\r\nfirst\r\n");
    let mut client = Client::new(world);
    let pass = format!("PASS {SECRET}");
    for command in ["USER aoi@example.jp", &pass, "STAT", "DELE 1", "QUIT"] {
        client.send(format!("{command}\r\n").as_bytes());
        let answer = client.line();
        assert!(answer.starts_with("+OK"), "{command}: {answer}");
    }
    client.end();
}

fn submission_day(world: &World, service: Service) {
    let mut client = Sender::new(world, service);
    client.asks("EHLO c", "250");
    client.asks("AUTH PLAIN AGFvaUBleGFtcGxlLmpwAGh1bnRlcjI=", "535");
    let plain = format!("\0aoi@example.jp\0{SECRET}");
    client.asks(&format!("AUTH PLAIN {}", data_encoding::BASE64.encode(plain.as_bytes())), "235");
    let large = "0123456789abcdef\r\n".repeat(300_000);
    for text in ["hi\r\n", &large] {
        client.asks("MAIL FROM:<aoi@example.jp>", "250");
        client.asks("RCPT TO:<cy@other.example>", "250");
        client.asks("DATA", "354");
        client.asks(&format!("{text}."), "250");
    }
    client.asks("QUIT", "221");
    assert_eq!(client.line(), "");
}
