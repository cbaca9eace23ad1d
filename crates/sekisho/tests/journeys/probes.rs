//! Probes of the receiver with raw octets: what RFC 5321 asks for, and what those try who make one
//! letter into two.

use super::house::post_office;
use super::letters::letter;
use super::post::{Reply, Sender};

const FROM: &str = "carol@sender.example";

fn greeted() -> Sender {
    Sender::greeted(&post_office().port("smtp"))
}

/// Each word and the reply's code, in one session.
fn check(words: &[(&str, u16)]) {
    let mut sender = Sender::connect(&post_office().port("smtp")).unwrap();
    for (word, code) in words {
        let reply = sender.say(word);
        assert_eq!(reply.code, *code, "{word}: {reply:?}");
    }
}

#[test]
fn every_verb_answers_as_the_standard_asks() {
    check(&[
        ("NOOP", 250),
        ("NOOP with words", 250),
        ("RSET", 250),
        ("MAIL FROM:<a@sender.example>", 503),
        ("EHLO", 501),
        ("EHLO [192.0.2.1]", 250),
        ("EHLO [IPv6:2001:db8::1]", 250),
        ("HELO c", 250),
        ("ehlo c", 250),
        ("VRFY postmaster", 252),
        // RFC 5321 §3.5.3: nothing is verified, so nothing need be named.
        ("VRFY", 252),
        ("EXPN list", 502),
        ("HELP", 214),
        ("RCPT TO:<aoi@example.jp>", 503),
        ("DATA", 503),
        ("BDAT 0 LAST", 503),
        ("QUIT now", 501),
        ("RSET now", 501),
        ("DATA now", 501),
        ("mail from:<>", 250),
        ("MAIL FROM:<>", 503),
        ("rcpt to:<postmaster>", 250),
        ("RCPT TO:<Postmaster>", 250),
        ("RCPT TO:<>", 501),
        ("EHLO again", 250),
        ("RCPT TO:<aoi@example.jp>", 503),
        ("QUIT", 221),
    ]);
    check(&[
        ("EHLO c", 250),
        ("MAIL FROM:<a@sender.example> SIZE=99999999999", 552),
        ("MAIL FROM:<a@sender.example> SIZE=x", 501),
        ("MAIL FROM:<a@sender.example> UNHEARD=1", 555),
        ("MAIL FROM: <a@sender.example>", 501),
        ("MAIL FROM:a@sender.example", 501),
        ("MAIL FROM:<a@sender.example", 501),
        ("MAIL FROM:<a b@sender.example>", 501),
        ("QUIT", 221),
    ]);
}

/// Octets that are no part of a command: 5xx, and nothing behind them is obeyed as a command.
#[test]
fn odd_octets_in_commands() {
    for odd in [
        b"MAIL FROM:<a\0@sender.example>\r\n".as_slice(),
        b"MAIL FROM:<a@sender.example>\0\r\n",
        b"MAIL FROM:<a@sender.example>\n",
        b"MAIL FROM:<a@sender.example>\rRSET\r\n",
        b"MAIL FROM:<a\xff@sender.example>\r\n",
        b"MAIL FROM:<\xe3\x81\x82@sender.example>\r\n",
        b"NOOP \xff\xfe\r\n",
        b"\0\r\n",
        b"\r\n",
        b"MA\tIL FROM:<a@sender.example>\r\n",
    ] {
        let mut sender = greeted();
        sender.send(odd).unwrap();
        sender.send(b"\r\n").unwrap();
        let reply = sender.reply().unwrap();
        let is_plain_noop = odd.starts_with(b"NOOP") && reply.code == 250;
        assert!((500..600).contains(&reply.code) || is_plain_noop, "{odd:?}: {reply:?}");
        if let Ok(next) = sender.ask("RCPT TO:<aoi@example.jp>") {
            assert!(next.code >= 500, "{odd:?} began an envelope: {next:?}");
        }
    }
}

/// Text with a false end: nothing behind it is obeyed, nothing of it is kept.
#[test]
fn more_ends_that_are_none() {
    for (number, end) in [
        b"\n\n.\r\n".as_slice(),
        b"\n.\r\n.\r\n",
        b"\r\n.\r\x0b\n",
        b"\r\n.\x0b\r\n.\n",
        b"\r.\n",
        b"\n.\r",
        b"\r\r\n.\r\r\n",
        b"\r\n\r.\r\n\n",
        b"\r\n.\xc2\x85\n",
        b"\x85.\x85\n.\n",
    ]
    .iter()
    .enumerate()
    {
        let mut sender = greeted();
        assert_eq!(sender.offer(FROM, &["aoi@example.jp"]).unwrap().code, 354);
        let mut octets = letter(&format!("probe-{number}"), "outer");
        octets.extend_from_slice(end);
        octets.extend_from_slice(b"NOOP smuggled\r\nVRFY smuggled\r\n.\r\n");
        sender.send(&octets).unwrap();
        let reply = sender.reply().unwrap();
        assert!((500..600).contains(&reply.code), "{end:?}: {reply:?}");
        // Were the inner words obeyed, their 250 or 252 would come before the 221 of this QUIT.
        if let Ok(next) = sender.ask("QUIT") {
            assert!(next.code == 221 || next.code >= 421, "{end:?}: {next:?}");
        }
    }
}

/// A chunk's octets are text whatever they look like, and its size is all that ends it.
#[test]
fn chunks_are_counted_and_nothing_else() {
    let mut sender = greeted();
    let text = letter("probe-chunk", ".\r\nMAIL FROM:<eve@sender.example>\r\n.");
    let mut all = format!("MAIL FROM:<{FROM}>\r\nRCPT TO:<aoi@example.jp>\r\n").into_bytes();
    all.extend(format!("BDAT {}\r\n", text.len()).into_bytes());
    all.extend(&text);
    all.extend(b"BDAT 0 LAST\r\nNOOP\r\n");
    sender.send(&all).unwrap();
    let codes: Vec<u16> = (0..5).map(|_| sender.reply().unwrap().code).collect();
    assert_eq!(codes, [250; 5]);
    for size in ["-1", "+5", "0x10", "99999999999999999999", "5 FIRST", "", "5 5", "１"] {
        let mut sender = greeted();
        assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
        assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 250);
        sender.send(format!("BDAT {size}\r\nRSET\r\nNOOP\r\n").as_bytes()).unwrap();
        let reply = sender.reply().unwrap();
        assert!((500..600).contains(&reply.code), "BDAT {size}: {reply:?}");
        // Nobody knows how much of what follows is text: none of it is obeyed.
        assert!(sender.reply().is_err(), "BDAT {size}: the session goes on");
    }
    // RFC 3030 §2: DATA and BDAT do not mix.
    let mut sender = greeted();
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 250);
    sender.send(b"BDAT 3\r\nabc").unwrap();
    assert_eq!(sender.reply().unwrap().code, 250);
    assert_eq!(sender.say("DATA").code, 503);
}

/// What was pipelined behind STARTTLS, chunks too, is forgotten with the plain line.
#[test]
fn chunks_behind_starttls_are_forgotten() {
    let mut sender = greeted();
    let early = b"STARTTLS\r\nMAIL FROM:<carol@sender.example>\r\nRCPT TO:<aoi@example.jp>\r\n\
        BDAT 4 LAST\r\nabcd";
    sender.send(early).unwrap();
    let reply = sender.reply().unwrap();
    if reply.code != 220 {
        assert!(reply.code >= 500, "{reply:?}");
        return;
    }
    let Ok(mut sender) = sender.secured(&post_office().authority()) else { return };
    let Ok(Reply { code, .. }) = sender.ask("EHLO sender.example") else { return };
    assert_eq!(code, 250);
    assert_eq!(sender.say("BDAT 0 LAST").code, 503);
}

/// Limits with names: lines, recipients, commands, errors.
#[test]
fn limits_are_answered() {
    let mut sender = greeted();
    let long = format!("MAIL FROM:<{}@sender.example>", "a".repeat(5_000));
    assert_eq!(sender.say(&long).code, 500);
    assert_eq!(sender.say("NOOP").code, 250);
    assert_eq!(sender.offer(FROM, &["aoi@example.jp"]).unwrap().code, 354);
    let text = letter("probe-long-line", &"x".repeat(70_000));
    sender.send(&text).unwrap();
    sender.send(b".\r\n").unwrap();
    let reply = sender.reply().unwrap();
    assert!((500..600).contains(&reply.code), "{reply:?}");
    assert_eq!(sender.say("NOOP").code, 250);
    let mut sender = greeted();
    let mut last = 0;
    for _ in 0..200 {
        match sender.ask("HOWDY") {
            Ok(reply) => last = reply.code,
            Err(_) => break,
        }
        if last == 421 {
            break;
        }
    }
    assert_eq!(last, 421, "errors are bounded");
}
