//! Messages and keys of dkimpy and authheaders, where the test command has fetched them. The files
//! are theirs; what must come out is said here, and where we differ, why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mailauth::{Answer, AuthResults, Envelope, Record, RecordKind, Resolver, check};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Zone {
    texts: HashMap<String, Vec<u8>>,
    hosts: Vec<String>,
}

impl Zone {
    fn of(texts: &[(&str, &str)], hosts: &[&str]) -> Self {
        let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        Self {
            texts: texts.collect(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        }
    }

    fn file(mut self, name: &str, path: &Path) -> Self {
        if let Ok(text) = std::fs::read(path) {
            self.texts.insert(name.to_owned(), text.trim_ascii().to_vec());
        }
        self
    }
}

impl Resolver for Zone {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        match (kind, self.texts.get(name)) {
            (RecordKind::Text, Some(text)) => Answer::Records(vec![Record::Text(text.clone())]),
            (RecordKind::Address4, _) if self.hosts.iter().any(|host| host == name) => {
                Answer::Records(vec![Record::Address([192, 0, 2, 7].into())])
            }
            (_, Some(_)) => Answer::NoRecords,
            _ => Answer::NoSuchName,
        }
    }
}

fn folder(suite: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let root = std::env::var_os("SEKISHO_SUITES").map_or(beside, PathBuf::from);
    let folder = root.join(suite);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("absent: {suite} in the folder of suites");
    None
}

/// Messages have CRLF on the way; files of Python may have lost it.
fn message(path: &Path) -> Vec<u8> {
    let octets = std::fs::read(path).unwrap();
    with_crlf(&octets)
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let plain: Vec<u8> = octets.iter().copied().filter(|octet| *octet != b'\r').collect();
    let lines: Vec<&[u8]> = plain.split(|octet| *octet == b'\n').collect();
    lines.join(b"\r\n".as_slice())
}

fn judged(message: &[u8], zone: &mut Zone) -> AuthResults {
    let envelope = Envelope {
        client_ip: [192, 0, 2, 1].into(),
        helo: "relay.test",
        mail_from: "",
        our_name: "mx.test",
        now: 1_528_000_000,
    };
    check(&envelope, message, zone)
}

fn dkim(message: &[u8], zone: &mut Zone) -> String {
    let told = judged(message, zone).dkim;
    let words: Vec<&str> = told.iter().map(|one| one.result.word()).collect();
    words.join(" ")
}

#[test]
fn messages_of_authheaders() {
    let Some(folder) = folder("authheaders/authheaders/test") else { return };
    let biz: &[(&str, &str)] =
        &[("_dmarc.example.biz", "v=DMARC1; p=none; sp=quarantine; np=reject")];
    let com: &[(&str, &str)] = &[("_dmarc.example.com", "v=DMARC1; p=reject")];
    let two: &[(&str, &str)] =
        &[("_dmarc.example.com", "v=DMARC1; p=reject"), ("_dmarc.example.org", "v=DMARC1; p=none")];
    // RFC 9989 §4.7: odd tags behind good ones are ignored; authheaders calls the record an error.
    let bad: &[(&str, &str)] = &[("_dmarc.bad.example.com", "v=DMARC1; p=none; reject")];
    let no_p: &[(&str, &str)] = &[("_dmarc.nop.example.org", "v=DMARC1; sp=quarantine; np=reject")];
    let gov: &[(&str, &str)] = &[("_dmarc.gov", "v=DMARC1; p=reject; sp=none; np=reject; psd=y")];
    let net: &[(&str, &str)] = &[("_dmarc.example.net", "v=DMARC1; p=none; sp=reject")];
    let mut count = 0;
    for (file, records, hosts, expected) in [
        ("test.message_signed", com, &[] as &[&str], "dkim=pass dmarc=pass reject"),
        ("testcomma.message", com, &[], "dkim=pass dmarc=pass reject"),
        ("test.message_multi", two, &[], "dmarc=fail reject"),
        ("test.message_multi2", two, &[], "dmarc=fail reject"),
        ("test.message_sub", net, &[], "dmarc=fail reject"),
        ("test.message_np1", biz, &[], "dmarc=fail reject"),
        ("test.message_np2", biz, &["sub2.example.biz"], "dmarc=fail quarantine"),
        ("test.gov.message", gov, &[], "dmarc=fail reject"),
        ("test.nofrom.message", com, &[], "dmarc=permerror none"),
        ("test_nop.message", no_p, &[], "dmarc=none none"),
        ("test.bad.message", bad, &[], "dmarc=fail none"),
    ] {
        let mut zone =
            Zone::of(records, hosts).file("test._domainkey.example.com", &folder.join("test.txt"));
        let told = judged(&message(&folder.join(file)), &mut zone);
        let (dmarc, policy) = (told.dmarc.result.word(), told.dmarc.policy.word());
        let mut found = format!("dmarc={dmarc} {policy}");
        if let Some(signature) = told.dkim.first().filter(|_| expected.starts_with("dkim")) {
            found = format!("dkim={} {found}", signature.result.word());
        }
        assert_eq!(found, expected, "{file}");
        count += 1;
    }
    println!("authheaders: {count} messages judged, 1 of them otherwise, for a reason");
    chains_of_authheaders(&folder);
}

/// Two chains of ARC, and a message without one, stand in the test's own source; they and their key
/// are read from there.
fn chains_of_authheaders(folder: &Path) {
    let source = std::fs::read_to_string(folder.join("test_authentication.py")).unwrap();
    let key = source.split("\"dummy._domainkey.example.org.\": \"").nth(1).unwrap();
    let key = key.split('"').next().unwrap();
    let mut found = Vec::new();
    for block in source.split("msg = b\"\"\"").skip(1) {
        let text = block.split("\"\"\"").next().unwrap();
        let mut zone = Zone::of(&[("dummy._domainkey.example.org", key)], &[]);
        found.push(judged(&with_crlf(text.as_bytes()), &mut zone).arc.result.word());
    }
    println!("authheaders: chains {found:?}");
    assert_eq!(found, ["pass", "fail", "none"]);
}

#[test]
fn messages_of_dkimpy() {
    let Some(folder) = folder("dkimpy/dkim/tests/data") else { return };
    // RFC 8463 Appendix A.2.
    let brisbane = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let mut count = 0;
    for (file, expected) in [
        ("rfc6376.signed.rsa.msg", "pass"),
        ("rfc6376.signed.msg", "pass pass"),
        // Changed after it was signed: dkimpy refuses it too.
        ("rfc6376.signed.no_t.msg", "fail"),
        // A name with a bracket in it is a name of its own, and no key stands there for ours.
        ("test.message.baddomain", "permerror"),
    ] {
        let mut zone = Zone::of(&[("brisbane._domainkey.football.example.com", brisbane)], &[])
            .file("test._domainkey.football.example.com", &folder.join("test.txt"));
        assert_eq!(dkim(&message(&folder.join(file)), &mut zone), expected, "{file}");
        count += 1;
    }
    for (key, expected) in [
        ("test.txt", "pass"),
        ("test_bad.txt", "refused"),
        ("badversion.txt", "refused"),
        ("badk.txt", "refused"),
        ("test_tlsrpt.txt", "refused"),
    ] {
        let mut zone =
            Zone::default().file("test._domainkey.football.example.com", &folder.join(key));
        let told = dkim(&message(&folder.join("rfc6376.signed.rsa.msg")), &mut zone);
        let is_refused = ["fail", "permerror"].contains(&told.as_str());
        let found = if is_refused { "refused" } else { told.as_str() };
        assert_eq!(found, expected, "{key}");
        count += 1;
    }
    println!("dkimpy: {count} messages and keys judged");
}
