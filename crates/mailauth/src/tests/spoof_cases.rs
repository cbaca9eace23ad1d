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
        // Without an address, what looks like one is shown.
        "From: =?utf-8?b?PGFkbWluQGxlZ2l0LmV4YW1wbGU+?=",
        "From: \"admin@legit.example\"",
        "From: (admin@legit.example)",
    ] {
        let (result, domain) = judged(header);
        assert_eq!(result, DmarcResult::Fail, "{header:?}");
        assert!(domain.ends_with("legit.example"), "{header:?} judged {domain}");
    }
}

/// `disguised` or `hidden`, which the finding is, and the domain of it.
fn odd(header: &str) -> String {
    let facts = Envelope { mail_from: "x@attack.test", ..envelope() };
    let message = format!("{header}\r\nSubject: x\r\n\r\nhello\r\n");
    let told = check(&facts, message.as_bytes(), &mut zone()).authors;
    let one = |name: &str, domain: &str| match domain {
        "" => String::new(),
        domain => format!("{name} {domain} "),
    };
    let (disguised, hidden) = (one("disguised", &told.disguised), one("hidden", &told.hidden));
    format!("{disguised}{hidden}{}", if told.is_nobody { "nobody" } else { "" }).trim().to_owned()
}

/// A domain is judged as readers show it, and one that needs that is told of.
#[test]
fn a_domain_in_disguise_is_judged_as_it_is_shown() {
    for domain in [
        "ｌｅｇｉｔ．ｅｘａｍｐｌｅ",
        "legit。example",
        "legit｡example",
        "leg\u{200b}it.example",
        "leg\u{ad}it.example",
        "leg\u{2060}it.example",
        "legit.example\x01",
        "legit.example\x0b",
        "=?utf-8?q?legit=2Eexample?=",
        "=?utf-8?b?bGVnaXQuZXhhbXBsZQ==?=",
        "𝐥𝐞𝐠𝐢𝐭.example",
        "legit.example|",
        "legit.example\u{fffd}",
    ] {
        for header in [format!("From: <admin@{domain}>"), format!("From: admin@{domain}")] {
            assert_eq!(
                judged(&header),
                (DmarcResult::Fail, "legit.example".to_owned()),
                "{header}"
            );
            assert_eq!(odd(&header), "disguised legit.example", "{header:?}");
        }
    }
}

/// An address where the grammar has none is shown by some.
#[test]
fn an_address_that_hides_is_judged() {
    for from in [
        "admin@legit.example: <x@attack.test>;",
        "\"admin@legit.example\": x@attack.test;",
        "<@legit.example,@y:x@attack.test>",
        "<\"admin@legit.example\"@attack.test>",
        "\"admin@legit.example\"@attack.test",
        "<admin@legit.example@attack.test>",
        "<admin@legit.example;x@attack.test>",
        "<admin＠legit.example@attack.test>",
        "\" <admin@legit.example>",
        "<x@attack.test>, \" <admin@legit.example>",
        "<x@attack.test> ( <admin@legit.example>",
        "\x1b$B<admin@legit.example>\x1b(B <x@attack.test>",
        "=?utf-8?q?admin=40legit.example?=",
        "admin＠legit.example",
    ] {
        let header = format!("From: {from}");
        assert_eq!(judged(&header), (DmarcResult::Fail, "legit.example".to_owned()), "{header}");
        let odd = odd(&header);
        assert!(odd.contains("hidden legit.example"), "{header:?} {odd}");
    }
}

/// What real mail writes is nothing to speak of.
#[test]
fn an_honest_from_is_not_odd() {
    for from in [
        "x@attack.test",
        "X <x@attack.test>",
        "\"Doe, Jane\" <x@attack.test>, Ken <ken@attack.test>",
        "Foo, Inc. <x@attack.test>",
        "'admin@legit.example' via List <list@attack.test>",
        "\"admin@legit.example\" <x@attack.test>",
        "x@attack.test (admin@legit.example)",
        "\"x@attack.test\" <x@attack.test>",
        "=?UTF-8?B?5bGx55SwIOiKseWtkA==?= <x@attack.test>",
        "=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= <x@attack.test>",
        "山田 花子 <x@attack.test>",
        "\x1b$B$\"$$@1.AB\x1b(B <x@attack.test>",
        "\"\x1b$B$\"$$\x1b(B\" <x@attack.test>",
        "x@日本語.jp",
        "x@MÜNCHEN.example",
        "undisclosed: x@attack.test;",
        "<SRS0=a=b=legit.example=x@attack.test>",
        "x+admin=legit.example@attack.test",
        "\"x..y\"@attack.test",
        "MAILER-DAEMON",
        "Mail Delivery <MAILER-DAEMON>",
        "x@attack.test\r\nSender: admin@legit.example",
    ] {
        assert_eq!(odd(&format!("From: {from}")), "", "{from:?}");
    }
}

/// Raw Shift_JIS: a letter that ends in a backslash is no escape, and may be none to some.
#[test]
fn a_letter_of_two_octets_is_read_both_ways() {
    let told = |from: &[u8]| {
        let facts = Envelope { mail_from: "x@attack.test", ..envelope() };
        check(&facts, &[b"From: ", from, b"\r\n\r\n"].concat(), &mut zone())
    };
    let honest = told(b"\"\x95\\\" <x@attack.test>");
    assert_eq!((honest.dmarc.result, honest.authors.hidden.as_str()), (DmarcResult::Pass, ""));
    for from in [
        &b"\"\x95\\\" <admin@legit.example>, \"x\" <x@attack.test>"[..],
        b"\"\x95\\\"\" <admin@legit.example>, \"\" <x@attack.test>",
    ] {
        assert_eq!(told(from).dmarc.result, DmarcResult::Fail, "{from:?}");
    }
}

/// Of more domains than are asked about nobody knows; the house looks for its own in all of them.
#[test]
fn more_authors_than_are_judged_do_not_pass() {
    let told = |from: &str| {
        let facts = Envelope { mail_from: "x@attack.test", ..envelope() };
        check(&facts, format!("From: {from}\r\n\r\n").as_bytes(), &mut zone())
    };
    let list = |count: usize| -> String {
        (0..count).map(|number| format!("<x@a{number}.attack.test>, ")).collect()
    };
    let four = told(list(4).trim_end_matches(", "));
    assert_eq!(four.dmarc.result, DmarcResult::Pass);
    let found = told(&format!("{}<admin@legit.example>", list(4)));
    assert_eq!(found.dmarc.result, DmarcResult::Fail);
    assert_eq!(found.authors.domains.len(), 5);
    assert!(found.authors.domains.contains(&"legit.example".to_owned()));
    let found = told(&format!("{}<admin@legit.example>", list(50)));
    assert!(found.authors.is_crowd && found.dmarc.result == DmarcResult::Fail);
    let pad = "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\r\n ".repeat(500);
    let found = told(&format!("<x@attack.test>, {pad}<admin@legit.example>"));
    assert_eq!(found.dmarc.domain, "legit.example");
    assert_eq!(found.dmarc.result, DmarcResult::Fail);
}

/// Sender is shown where From names nobody; it is not judged, but remembered.
#[test]
fn who_speaks_for_nobody_is_remembered() {
    for header in ["Sender: <admin@legit.example>", "From: \r\nSender: \"admin@legit.example\""] {
        assert_eq!(judged(header).0, DmarcResult::PermError);
        assert_eq!(odd(header), "nobody", "{header:?}");
        let message = format!("{header}\r\n\r\n");
        let told = check(&envelope(), message.as_bytes(), &mut zone()).authors;
        assert_eq!(told.spokesmen, ["legit.example"], "{header:?}");
    }
}

/// However it is nested or repeated, a From is read in a time that grows with its length alone.
#[test]
fn a_long_from_costs_little() {
    for piece in ["=?a?q?x", "=?a?z?x", "\"@a.bb", "(", "<a@b.cc", "\x1b$B<", "@a.bb:", "\u{200b}"]
    {
        let from = piece.repeat(250_000 / piece.len());
        for end in ["", "?=", "\x1b(B"] {
            let start = std::time::Instant::now();
            odd(&format!("From: {from}{end}"));
            assert!(start.elapsed().as_secs() < 2, "{piece:?} {end:?} {:?}", start.elapsed());
        }
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
        "From: (admin at legit.example)",
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

/// RFC 6376 §8.2 and §3.6.1: a part of a letter, or a key on trial, speaks for no domain.
#[test]
fn only_a_whole_signature_by_a_key_in_use_makes_dmarc_pass() {
    let keys = vector_keys().text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let none = Envelope { mail_from: "", helo: "x.test", ..envelope() };
    let told = |message: &[u8], facts: &Envelope<'_>, zone: &Zone| {
        let told = check(facts, message, &mut zone.clone());
        (told.dkim[0].result.word(), told.dmarc.result.word(), told.dmarc.alignment.dkim)
    };
    let whole = vector("dkim-relaxed-relaxed.eml");
    assert_eq!(told(&whole, &none, &keys), ("pass", "pass", true));
    let part = vector("dkim-length.eml");
    assert_eq!(told(&part, &none, &keys), ("pass", "fail", false));
    // The type of the whole is not signed either: the stranger's page is all that is shown.
    let head = b"Content-Type: multipart/mixed; boundary=X\r\n".as_slice();
    let page = b"--X\r\nContent-Type: text/html\r\n\r\n<h1>Pay</h1>\r\n--X--\r\n".as_slice();
    assert_eq!(told(&[head, &part, page].concat(), &none, &keys), ("pass", "fail", false));
    // SPF proves it all the same.
    let signed = Zone::default().text("sender.example", "v=spf1 +all");
    let signed = signed.text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let by_spf = Envelope { mail_from: "ken@sender.example", ..envelope() };
    let found = check(&by_spf, &part, &mut signed.clone()).dmarc;
    assert_eq!((found.result, found.alignment.spf), (DmarcResult::Pass, true));
    let record = String::from_utf8(keys.texts["k2048._domainkey.sender.example"][0].clone());
    let (_, p) = record.as_deref().unwrap().split_once("p=").unwrap();
    for (flags, expected) in [("y", "fail"), ("y:s", "fail"), ("s", "pass")] {
        let key = format!("v=DKIM1; t={flags}; p={p}");
        let zone = Zone::default().text("k2048._domainkey.sender.example", &key);
        let zone = zone.text("_dmarc.sender.example", "v=DMARC1; p=reject");
        assert_eq!(told(&whole, &none, &zone), ("pass", expected, expected == "pass"), "{flags}");
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
