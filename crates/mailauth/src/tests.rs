//! Cases.

use crate::{
    Answer, ArcResult, AuthResults, DkimResult, DmarcResult, Envelope, Policy, Record, RecordKind,
    Resolver, Signer, SigningKey, SpfResult, check, without_forged,
};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

mod dmarc_cases;
mod fuzz;
mod sign_cases;
mod spoof_cases;

/// A DNS of TXT and A records; names not in it do not exist, `FAIL` is a server in trouble.
#[derive(Clone, Default)]
struct Zone {
    texts: BTreeMap<String, Vec<Vec<u8>>>,
    hosts: BTreeMap<String, IpAddr>,
    asked: usize,
}

impl Zone {
    fn text(mut self, name: &str, text: &str) -> Self {
        self.texts.entry(name.to_owned()).or_default().push(text.as_bytes().to_vec());
        self
    }

    fn host(mut self, name: &str, ip: &str) -> Self {
        self.hosts.insert(name.to_owned(), ip.parse().unwrap());
        self
    }
}

impl Resolver for Zone {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        self.asked += 1;
        match (kind, self.texts.get(name), self.hosts.get(name)) {
            (RecordKind::Text, Some(texts), _) if texts.iter().any(|t| t == b"FAIL") => {
                Answer::Failed
            }
            (RecordKind::Text, Some(texts), _) => {
                Answer::Records(texts.iter().cloned().map(Record::Text).collect())
            }
            (RecordKind::Address4, _, Some(ip)) => Answer::Records(vec![Record::Address(*ip)]),
            (_, None, None) => Answer::NoSuchName,
            _ => Answer::NoRecords,
        }
    }
}

fn envelope() -> Envelope<'static> {
    Envelope {
        client_ip: "192.0.2.1".parse().unwrap(),
        helo: "mx.sender.example",
        mail_from: "ken@sender.example",
        our_name: "mx.example.jp",
        now: 1_800_000_000,
    }
}

fn vector(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read(folder.join(name)).unwrap()
}

fn vector_keys() -> Zone {
    let keys = String::from_utf8(vector("keys.txt")).unwrap();
    keys.lines().fold(Zone::default(), |zone, line| {
        let (name, text) = line.split_once(' ').unwrap();
        zone.text(name, text)
    })
}

fn judge(message: &[u8], zone: &Zone) -> AuthResults {
    check(&envelope(), message, &mut zone.clone())
}

/// `result reason` of each signature.
fn dkim(message: &[u8], zone: &Zone) -> String {
    let told = judge(message, zone).dkim;
    let words: Vec<String> =
        told.iter().map(|one| format!("{} {}", one.result.word(), one.reason)).collect();
    words.join(", ").trim_end().to_owned()
}

/// The first occurrence of `from` replaced.
fn changed(message: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = memchr::memmem::find(message, from.as_bytes()).expect("text to change");
    let mut changed = message[..at].to_vec();
    changed.extend_from_slice(to.as_bytes());
    changed.extend_from_slice(&message[at + from.len()..]);
    changed
}

#[test]
fn signatures_of_another_implementation_hold() {
    let keys = vector_keys();
    for (name, expected) in [
        ("dkim-simple-simple", "pass"),
        ("dkim-simple-relaxed", "pass"),
        ("dkim-relaxed-simple", "pass"),
        ("dkim-relaxed-relaxed", "pass"),
        ("dkim-empty-simple", "pass"),
        ("dkim-empty-relaxed", "pass"),
        ("dkim-k1024", "pass"),
        ("dkim-k4096", "pass"),
        ("dkim-pkcs1", "pass"),
        ("dkim-length", "pass"),
        ("dkim-weak", "policy key size does not count"),
        ("dkim-sha1", "policy SHA-1 does not count"),
    ] {
        let message = vector(&format!("{name}.eml"));
        assert_eq!(dkim(&message, &keys), expected, "{name}");
        if expected == "pass" && name != "dkim-length" {
            let longer = [&message[..], b"x"].concat();
            assert_eq!(dkim(&longer, &keys), "fail body hash does not match", "{name}");
            let other = changed(&message, "Figures", "Fugures");
            assert_eq!(dkim(&other, &keys), "fail signature does not match", "{name}");
            let absent = changed(&message, "From:", "X-Absent: now here\r\nFrom:");
            assert_eq!(dkim(&absent, &keys), "fail signature does not match", "{name}");
        }
    }
    let told = judge(&vector("dkim-length.eml"), &keys);
    // Three empty lines, which were at the end when it was signed, and the ten octets behind them.
    assert_eq!(told.dkim[0].unsigned_octets, 16);
    assert!(told.header.contains("(16 octets of body not signed)"));
}

#[test]
fn canonical_forms_forgive_what_they_should_and_no_more() {
    let keys = vector_keys();
    let fail_body = "fail body hash does not match";
    let fail_header = "fail signature does not match";
    for (name, from, to, expected) in [
        ("dkim-relaxed-relaxed", "Subject:  Figures   for", "subject : Figures for", "pass"),
        ("dkim-simple-simple", "Subject:  Figures   for", "subject : Figures for", fail_header),
        ("dkim-relaxed-relaxed", "Dear  Aoi,\t ", "Dear Aoi,", "pass"),
        ("dkim-relaxed-simple", "Dear  Aoi,\t ", "Dear Aoi,", fail_body),
        ("dkim-relaxed-relaxed", "Dear  Aoi,", "DearAoi,", fail_body),
        ("dkim-relaxed-relaxed", "\r\n  the", "\r\nthe", fail_body),
        ("dkim-relaxed-relaxed", "\r\n \t \r\n\r\nYours", "\r\n\r\n\r\nYours", "pass"),
        ("dkim-relaxed-relaxed", "Ken\r\n\r\n\r\n  \r\n", "Ken\r\n", "pass"),
        ("dkim-relaxed-relaxed", "Ken\r\n\r\n\r\n  \r\n", "Ken", "pass"),
        ("dkim-simple-simple", "Ken\r\n\r\n\r\n  \r\n", "Ken\r\n", fail_body),
        ("dkim-simple-simple", "  \r\n", "  \r\n\r\n\r\n", "pass"),
    ] {
        let message = vector(&format!("{name}.eml"));
        let at = if to.ends_with("\r\n\r\n\r\n") {
            // Empty lines at the very end.
            [&message[..], b"\r\n\r\n"].concat()
        } else {
            changed(&message, from, to)
        };
        assert_eq!(dkim(&at, &keys), expected, "{name}: {from:?} to {to:?}");
    }
    // Kept with bare line feeds, as files often are.
    let unix: Vec<u8> =
        vector("dkim-relaxed-relaxed.eml").into_iter().filter(|byte| *byte != b'\r').collect();
    assert_eq!(dkim(&unix, &keys), "pass");
}

#[test]
fn broken_signatures_are_told_apart() {
    let keys = vector_keys();
    let message = vector("dkim-relaxed-relaxed.eml");
    let good = "v=1; a=rsa-sha256;";
    for (from, to, expected) in [
        ("v=1;", "v=2;", "permerror version is not 1"),
        ("v=1;", "v=1; v=1;", "permerror tag list is malformed"),
        ("v=1;", "v=1; no equals;", "permerror tag list is malformed"),
        ("a=rsa-sha256", "a=rsa-md5", "permerror algorithm is unknown"),
        ("a=rsa-sha256", "a=ed25519-sha256", "permerror key is of another kind"),
        ("c=relaxed/relaxed", "c=strict", "permerror canonicalisation is unknown"),
        ("s=k2048", "s=nokey", "permerror no key at this selector"),
        ("q=dns/txt", "q=http", "permerror query method is unknown"),
        (good, "v=1; a=rsa-sha256; x=1799999999;", "fail signature has expired"),
        (good, "v=1; a=rsa-sha256; x=soon;", "permerror time is malformed"),
        (good, "v=1; a=rsa-sha256; l=99999;", "permerror signed length exceeds the body"),
        ("i=@sender.example", "i=@other.example", "permerror identity lies outside the domain"),
        ("i=@sender.example", "i=x@sub.sender.example", "fail signature does not match"),
        ("h=from", "h=form", "permerror From is not signed"),
    ] {
        assert_eq!(dkim(&changed(&message, from, to), &keys), expected, "{from} to {to}");
    }
}

#[test]
fn key_records_say_what_they_are_for() {
    let message = vector("dkim-relaxed-relaxed.eml");
    let name = "k2048._domainkey.sender.example";
    let keys = vector_keys();
    let text = String::from_utf8(keys.texts[name][0].clone()).unwrap();
    let p = text.split_once("p=").unwrap().1;
    for (record, expected) in [
        (format!("p={p}"), "pass"),
        (format!("v=DKIM1; h=sha1:sha256; s=email; t=y; n=note; p={p}"), "pass"),
        (format!("v=DKIM1; t=s; p={p}"), "pass"),
        ("v=DKIM1; p=".to_owned(), "permerror key was revoked"),
        (format!("p={p}; v=DKIM1"), "permerror key record is malformed"),
        (format!("v=DKIM2; p={p}"), "permerror key record is malformed"),
        (format!("v=DKIM1; h=sha1; p={p}"), "permerror key is not for this use"),
        (format!("v=DKIM1; s=tlsrpt; p={p}"), "permerror key is not for this use"),
        (format!("v=DKIM1; s=tlsrpt:email; p={p}"), "pass"),
        (format!("v=DKIM1; s=other; p={p}"), "permerror key is not for this use"),
        (format!("v=DKIM1; k=dsa; p={p}"), "permerror key is not for this use"),
        ("v=DKIM1; p=AAAA".to_owned(), "permerror key record is malformed"),
        ("FAIL".to_owned(), "temperror key could not be asked for"),
    ] {
        let zone = Zone::default().text(name, &record);
        assert_eq!(dkim(&message, &zone), expected, "{record}");
    }
}

/// RFC 8460 §3: such a key says nothing of other mail, and of a report that it is its domain's.
#[test]
fn a_key_for_reports_holds_of_reports_alone() {
    let message = vector("dkim-relaxed-relaxed.eml");
    let name = "k2048._domainkey.sender.example";
    let keys = vector_keys();
    let text = String::from_utf8(keys.texts[name][0].clone()).unwrap();
    let p = text.split_once("p=").unwrap().1;
    let check = |message: &[u8], record: &str, expected: bool| {
        let told = judge(message, &Zone::default().text(name, record)).dkim;
        assert_eq!(told[0].holds_of_report, expected, "{record}");
        assert_eq!(told[0].result.word() == "pass", record.contains("email"), "{record}");
    };
    check(&message, &format!("v=DKIM1; s=tlsrpt; p={p}"), true);
    check(&message, &format!("v=DKIM1; s=email; p={p}"), false);
    check(&message, &format!("v=DKIM1; s=other; p={p}"), false);
    let end = message.len();
    let longer = [&message[..end], b"one more line\r\n"].concat();
    check(&longer, &format!("v=DKIM1; s=tlsrpt; p={p}"), false);
}

/// RFC 8463 Appendix A: one message, signed with Ed25519 and with RSA.
#[test]
fn the_example_of_rfc_8463_holds() {
    let message = concat!(
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n",
        " d=football.example.com; i=@football.example.com;\r\n",
        " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n",
        " subject : date : message-id : from : subject : date;\r\n",
        " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n",
        " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n",
        " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n",
        " d=football.example.com; i=@football.example.com;\r\n",
        " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n",
        " date : message-id : from : subject : date;\r\n",
        " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n",
        " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n",
        " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n",
        " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n",
        "From: Joe SixPack <joe@football.example.com>\r\n",
        "To: Suzie Q <suzie@shopping.example.net>\r\n",
        "Subject: Is dinner ready?\r\n",
        "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n",
        "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n",
        "\r\n",
        "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n",
    );
    let zone = Zone::default()
        .text(
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        )
        .text(
            "test._domainkey.football.example.com",
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk0\
             8a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\
             KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
        );
    let told = judge(message.as_bytes(), &zone);
    let results: Vec<DkimResult> = told.dkim.iter().map(|one| one.result).collect();
    assert_eq!(results, [DkimResult::Pass, DkimResult::Pass]);
    assert_eq!(told.dkim[0].signature_start, "/gCrinpc");
}

#[test]
fn chains_of_another_implementation_hold() {
    let keys = vector_keys();
    for (count, name) in ["arc-1.eml", "arc-2.eml", "arc-3.eml"].iter().enumerate() {
        let message = vector(name);
        let arc = judge(&message, &keys).arc;
        assert_eq!((arc.result, arc.reason.as_str()), (ArcResult::Pass, ""), "{name}");
        assert_eq!(arc.sealers, vec!["sender.example"; count + 1]);
        assert!(arc.last_results.starts_with("hop.example;"), "{}", arc.last_results);
    }
    let message = vector("arc-3.eml");
    for (from, to, reason) in [
        ("Figures", "Fugures", "the message signature does not match"),
        ("Dear", "Beer", "the body hash does not match"),
        ("ARC-Seal: i=3", "X-Seal: i=3", "a set is not complete"),
        ("ARC-Seal: i=3", "ARC-Seal: i=51", "an instance is malformed"),
        ("ARC-Seal: i=3", "ARC-Seal: i=2", "a field of a set stands twice"),
        ("i=3; cv=pass", "i=3; cv=none", "a seal states an impossible chain"),
        ("i=3; cv=pass", "i=3; cv=fail", "a sealer found the chain broken"),
        ("i=3; cv=pass", "i=3; h=from; cv=pass", "a seal covers more than it may"),
        ("i=1; hop.example", "i=1; hip.example", "a seal does not match"),
    ] {
        let arc = judge(&changed(&message, from, to), &keys).arc;
        assert_eq!((arc.result, arc.reason.as_str()), (ArcResult::Fail, reason), "{from} to {to}");
    }
    // A message signature that leaves out the end of the body vouches for none of it.
    let empty = "Signature: i=3; l=0; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;";
    let part = changed(&changed(&message, " bh=lUP7", " x=lUP7"), "Signature: i=3;", empty);
    let reason = judge(&part, &keys).arc.reason;
    assert_eq!(reason, "the message signature leaves out the end of the body");
    assert_eq!(judge(b"From: a@b.example\r\n\r\n", &keys).arc.result, ArcResult::None);
}

#[test]
fn what_we_sign_verifies() {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let message =
        b"From: ken@sender.example\r\nTo: a@b.example\r\nSubject: hi\r\n\r\n two  words \r\n";
    for key in [SigningKey::Rsa(&rsa), SigningKey::Ed25519(&ed25519)] {
        let signer = Signer { domain: "sender.example", selector: "s1", key, now: 1_789_999_000 };
        let zone = Zone::default().text("s1._domainkey.sender.example", &key.record().unwrap());
        let signed = [signer.sign(message).unwrap().as_bytes(), message].concat();
        assert_eq!(dkim(&signed, &zone), "pass");
        let second_from = changed(&signed, "\r\nFrom:", "\r\nFrom: evil@b.example\r\nFrom:");
        assert_eq!(dkim(&second_from, &zone), "fail signature does not match");
        assert_eq!(dkim(&changed(&signed, "two", "six"), &zone), "fail body hash does not match");
    }
}

#[test]
fn results_are_written_as_one_field() {
    let zone = vector_keys()
        .text("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let told = judge(&vector("dkim-relaxed-relaxed.eml"), &zone);
    let start = &told.dkim[0].signature_start;
    let b = if start.contains(['/', '=']) { format!("\"{start}\"") } else { start.clone() };
    let expected = format!(
        "Authentication-Results: mx.example.jp;\r\n\tspf=pass smtp.mailfrom=ken@sender.example;\r\n\
         \tspf=none smtp.helo=mx.sender.example;\r\n\
         \tdkim=pass header.d=sender.example header.i=@sender.example header.s=k2048 \
         header.a=rsa-sha256 header.b={b};\r\n\
         \tdmarc=pass policy.dmarc=reject header.from=sender.example;\r\n\tarc=none\r\n"
    );
    assert_eq!(told.header, expected);
    let packed = postcard::to_stdvec(&told).unwrap();
    assert_eq!(postcard::from_bytes::<AuthResults>(&packed).unwrap(), told);
}

#[test]
fn nothing_from_outside_breaks_out_of_the_field() {
    let hostile = Envelope {
        helo: "x;\r\n\tdmarc=pass",
        mail_from: "a\"b\\c\r\nX-Evil: 1@sender.example",
        ..envelope()
    };
    let message = b"DKIM-Signature: v=1; d=a b(c; s=\"; i=@x y; b=!!\r\nFrom: a@b.example\r\n\r\n";
    let told = check(&hostile, message, &mut Zone::default());
    let lines: Vec<&str> = told.header.split("\r\n").collect();
    assert!(lines[1..lines.len() - 1].iter().all(|line| line.starts_with('\t')), "{lines:?}");
    assert!(
        told.header.contains("smtp.helo=\"x;\tdmarc=pass\"")
            || told.header.contains("smtp.helo=\"x;dmarc=pass\""),
        "{}",
        told.header
    );
    assert!(told.header.contains("\"a\\\"b\\\\cX-Evil: 1@sender.example\""), "{}", told.header);
}

#[test]
fn forged_results_are_taken_out_and_nothing_else() {
    let check = |field: &str, forged: bool| {
        let message = format!("Received: x\r\n{field}\r\nFrom: a@b.example\r\n\r\n{field}\r\n");
        let expected = if forged {
            format!("Received: x\r\nFrom: a@b.example\r\n\r\n{field}\r\n")
        } else {
            message.clone()
        };
        let kept = without_forged(message.as_bytes(), "mx.example.jp");
        assert_eq!(String::from_utf8_lossy(&kept), expected, "{field}");
    };
    check("Authentication-Results: mx.example.jp; spf=pass", true);
    check("authentication-results : MX.Example.JP; spf=pass", true);
    check("Authentication-Results:\r\n mx.example.jp;\r\n spf=pass", true);
    check("Authentication-Results: (hi (there)) \"mx.example.jp\" 1; spf=pass", true);
    check("Authentication-Results: \"mx.exam\\ple.jp\"; spf=pass", true);
    check("Authentication-Results: mx.example.jp. ; spf=pass", true);
    for id in [
        "mx.example.jp/1",
        "mx.example.jp\x0b",
        "\x0c mx.example.jp",
        "mx.example.jp, ",
        "mx.example.jp\u{a0}",
        "mx.example.jp\x01",
        "mx (x) .example.jp",
        "mx.example\r\n .jp",
        "\"mx.example\" \".jp\"",
        "=?us-ascii?q?mx.example.jp?=",
        "ｍｘ.example.jp",
        "i=1; mx.example.jp",
        "; mx.example.jp",
        "mx.example.jp (",
    ] {
        check(&format!("Authentication-Results: {id}; dmarc=pass"), true);
    }
    check("Authentication-Results: a; mx.example.jp; spf=pass", false);
    check("Authentication-Results: (mx.example.jp) a; spf=pass", false);
    check("Authentication-Results: ", false);
    check("Authentication-Results: mx.example.com; spf=pass", false);
    check("Authentication-Results: other.mx.example.jp; spf=pass", false);
    check("ARC-Authentication-Results: i=1; mx.example.jp; spf=pass", false);
    check("X-Authentication-Results: mx.example.jp; spf=pass", false);
}

#[test]
fn helo_and_sender_are_judged_apart() {
    let zone = Zone::default()
        .text("sender.example", "v=spf1 -all")
        .text("mx.sender.example", "v=spf1 a -all")
        .host("mx.sender.example", "192.0.2.1");
    let told = judge(b"From: ken@sender.example\r\n\r\n", &zone);
    assert_eq!((told.spf.result, told.spf_helo.result), (SpfResult::Fail, SpfResult::Pass));
    let bounce = Envelope { mail_from: "", ..envelope() };
    let told = check(&bounce, b"From: ken@sender.example\r\n\r\n", &mut zone.clone());
    assert_eq!(told.spf.result, SpfResult::Pass);
    assert_eq!(told.spf.domain, "mx.sender.example");
}

#[test]
fn questions_are_bounded() {
    // Fifty signatures, ten at most of which may be asked for; a record that includes itself.
    let signature =
        "DKIM-Signature: v=1; a=rsa-sha256; d=dN.example; s=s; h=from; bh=AAAA; b=AAAA\r\n";
    let mut message: String = (0..50).map(|n| signature.replace('N', &n.to_string())).collect();
    message.push_str("From: a@a.b.c.d.e.f.g.h.i.j.k.l.example\r\n\r\n");
    let mut zone = Zone::default()
        .text("sender.example", "v=spf1 include:sender.example exists:%{l}.x.example -all");
    let told = check(&envelope(), message.as_bytes(), &mut zone);
    assert_eq!(told.dkim.len(), 10);
    assert_eq!(told.spf.result, SpfResult::PermError);
    assert!(zone.asked <= 1 + 1 + 10 + 8, "{}", zone.asked);
    assert_eq!(told.dmarc.result, DmarcResult::None);
    assert_eq!(told.dmarc.policy, Policy::None);
}

/// Run with `--nocapture` in release: the numbers of the decision record.
#[test]
fn a_message_costs_little() {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let key = SigningKey::Rsa(&rsa);
    let signer = Signer { domain: "sender.example", selector: "s1", key, now: 1_789_999_000 };
    let zone = Zone::default()
        .text("s1._domainkey.sender.example", &key.record().unwrap())
        .text("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let line = "A line of ordinary words, as long as most lines in letters are.  Yes.\r\n";
    for (octets, budget_us) in [(4 * 1024, 150), (1024 * 1024, 2_000)] {
        let mut message = "From: ken@sender.example\r\nSubject: x\r\n\r\n".to_owned();
        message.push_str(&line.repeat(octets / line.len()));
        let signed =
            [signer.sign(message.as_bytes()).unwrap().as_bytes(), message.as_bytes()].concat();
        let mut zone = zone.clone();
        let mut best = u128::MAX;
        for _ in 0..20 {
            let start = std::time::Instant::now();
            let told = check(&envelope(), &signed, &mut zone);
            best = best.min(start.elapsed().as_micros());
            assert_eq!(told.dmarc.result, DmarcResult::Pass);
        }
        println!("{octets} octets: {best} µs (budget {budget_us} µs)");
        // Ten times the budget: a slow or busy machine must not fail the test.
        assert!(best < budget_us * 10, "{octets} octets took {best} µs");
    }
}
