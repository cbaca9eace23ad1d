//! A stranger who passes SPF for a name of his own writes as somebody else. Whatever a mail program
//! makes of his From, DMARC must not say that it passed for the name it shows.

use super::{Zone, changed, dkim, envelope, vector, vector_keys};
use crate::{DmarcResult, Envelope, check};

fn zone() -> Zone {
    Zone::default()
        .text("attack.test", "v=spf1 +all")
        .text("_dmarc.attack.test", "v=DMARC1; p=none")
        .text("_dmarc.legit.example", "v=DMARC1; p=reject")
}

fn judged(header: &str) -> (DmarcResult, String) {
    let facts = Envelope { mail_from: "x@attack.test", ..envelope() };
    let message = format!("{header}\r\nSubject: x\r\n\r\nhello\r\n");
    let told = check(&facts, message.as_bytes(), &mut zone()).dmarc;
    (told.result, told.domain)
}

/// Both names may be shown: the worse one counts.
#[test]
fn a_name_that_may_be_shown_is_judged() {
    for header in [
        "From: admin@legit.example\r\nFrom: x@attack.test",
        "From: x@attack.test\r\nFrom: admin@legit.example",
        "from: x@attack.test\r\nFROM: admin@legit.example",
        "From : admin@legit.example\r\nFrom: x@attack.test",
        "From: x@attack.test\r\nFrom : admin@legit.example",
        "From\t: admin@legit.example\r\nFrom: x@attack.test",
        "From: admin@legit.example, x@attack.test",
        "From: x@attack.test, admin@legit.example",
        "From: x@attack.test; admin@legit.example",
        "From: <x@attack.test>, <admin@legit.example>",
        "From: <admin@legit.example><x@attack.test>",
        "From: <admin@legit.example> <x@attack.test>",
        "From: <x@attack.test> <admin@legit.example>",
        "From: <admin@legit.example>\\, <x@attack.test>",
        "From: <@attack.test,@any.test:admin@legit.example>",
        "From: <@attack.test:admin@legit.example>",
        "From: admin@legit.example (<x@attack.test>)",
        "From: (x@attack.test) <admin@legit.example>",
        "From: \"<x@attack.test>\" <admin@legit.example>",
        "From: x@attack.test:admin@legit.example",
        "From: group: x@attack.test, admin@legit.example;",
        "From: group:;, admin@legit.example",
        "From:\r\n admin@legit.example",
        "From: admin@legit\r\n .example",
        "From: admin@LEGIT.Example.",
        "From: \"x@attack.test\"@legit.example",
        "From: admin@sub.legit.example",
        "From: =?utf-8?q?x=40attack.test?= <admin@legit.example>",
    ] {
        let (result, domain) = judged(header);
        assert_eq!(result, DmarcResult::Fail, "{header:?}");
        assert!(domain.ends_with("legit.example"), "{header:?} judged {domain}");
    }
}

/// Without an address nothing passes.
#[test]
fn no_author_is_no_pass() {
    for header in [
        "From:",
        "From: ",
        "From: <>",
        "From: admin",
        "From: undisclosed:;",
        "From: =?utf-8?b?PGFkbWluQGxlZ2l0LmV4YW1wbGU+?=",
        "From: \"admin@legit.example\"",
        "From: (admin@legit.example)",
        "From: admin@[192.0.2.1]",
        "X-From: admin@legit.example",
        "Sender: admin@legit.example",
    ] {
        assert_eq!(judged(header).0, DmarcResult::PermError, "{header:?}");
    }
}

/// The names of the envelope and of signatures do not reach beyond themselves.
#[test]
fn names_with_tricks_are_not_the_name() {
    let legit = "From: admin@legit.example\r\n\r\nhello\r\n";
    for (helo, mail_from) in [
        ("attack.test", "x@legit.example.attack.test"),
        ("attack.test", "x@legit.example(.attack.test"),
        ("attack.test", "x@attack.test,@legit.example"),
        ("legit.example.attack.test", ""),
        ("attack.test", "\"x@legit.example\"@attack.test"),
        ("attack.test", "x@legit.example\0.attack.test"),
        ("attack.test", "x@xlegit.example"),
    ] {
        let mut zone = zone()
            .text("legit.example.attack.test", "v=spf1 +all")
            .text("legit.example(.attack.test", "v=spf1 +all")
            .text("xlegit.example", "v=spf1 +all")
            .text("legit.example\0.attack.test", "v=spf1 +all");
        let facts = Envelope { helo, mail_from, ..envelope() };
        let told = check(&facts, legit.as_bytes(), &mut zone).dmarc;
        assert_eq!(told.result, DmarcResult::Fail, "{helo} {mail_from:?}");
    }
}

/// What a signature does not cover is not signed.
#[test]
fn what_is_added_to_a_signed_message_counts() {
    let keys = vector_keys();
    let message = vector("dkim-relaxed-relaxed.eml");
    assert_eq!(dkim(&message, &keys), "pass");
    // RFC 6376 §5.4.2: of several fields the lowest is signed; what is put on top is not it.
    let added = [b"From: admin@legit.example\r\n".as_slice(), &message].concat();
    let mut zone = keys.clone().text("_dmarc.legit.example", "v=DMARC1; p=reject");
    let facts = Envelope { mail_from: "", helo: "x.test", ..envelope() };
    let told = check(&facts, &added, &mut zone).dmarc;
    assert_eq!((told.result, told.domain.as_str()), (DmarcResult::Fail, "legit.example"));
    let end = String::from_utf8_lossy(&message).find("\r\n\r\n").unwrap();
    let below = [&message[..end], b"\r\nFrom: admin@legit.example", &message[end..]].concat();
    assert_eq!(dkim(&below, &keys), "fail signature does not match");
    // A length that ends early leaves the rest unsigned, and that is said.
    let short = vector("dkim-length.eml");
    let told = super::judge(&[short.as_slice(), b"<h1>added</h1>\r\n"].concat(), &keys);
    assert!(told.header.contains("octets of body not signed"), "{}", told.header);
    assert!(dkim(&changed(&message, "d=sender.example", "d=example"), &keys).starts_with("perm"));
}
