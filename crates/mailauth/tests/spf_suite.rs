//! The published SPF test suite (RFC 7208 edition), if it is at hand: all of it must hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mailauth::spf::{Identity, check_mail_from};
use mailauth::{Answer, Inquiry, Record, RecordKind, Resolver};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the script says when PyYAML is not installed.
const NO_YAML: i32 = 77;

struct Zone<'a>(&'a Value);

impl Zone<'_> {
    fn find(&self, name: &str, kind: &str, follow: bool) -> Answer {
        let Some(entries) = self.0.get(name).and_then(Value::as_array) else {
            return if name.starts_with("error.") { Answer::Failed } else { Answer::NoSuchName };
        };
        let mut records = Vec::new();
        for entry in entries {
            let (has, value) = (entry[0].as_str().unwrap(), &entry[1]);
            match has {
                "*" if records.is_empty() => return Answer::Failed,
                "*" => break,
                "CNAME" if follow && kind != "CNAME" => {
                    let target = value.as_str().unwrap().to_lowercase();
                    return self.find(&target, kind, false);
                }
                _ if has != kind => {}
                _ if value == "TIMEOUT" => return Answer::Failed,
                _ => records.push(record(kind, value)),
            }
        }
        if records.is_empty() { Answer::NoRecords } else { Answer::Records(records) }
    }
}

fn record(kind: &str, value: &Value) -> Record {
    let text = || value.as_str().unwrap().to_owned();
    match kind {
        "TXT" => Record::Text(text().into_bytes()),
        "MX" => Record::Exchange {
            preference: u16::try_from(value[0].as_u64().unwrap()).unwrap(),
            host: value[1].as_str().unwrap().to_owned(),
        },
        "PTR" => Record::Pointer(text()),
        _ => Record::Address(text().parse().unwrap()),
    }
}

impl Resolver for Zone<'_> {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        let kind = match kind {
            RecordKind::Text => "TXT",
            RecordKind::Address4 => "A",
            RecordKind::Address6 => "AAAA",
            RecordKind::Exchange => "MX",
            RecordKind::Pointer => "PTR",
        };
        self.find(name, kind, true)
    }
}

/// What differs from the expectation, if anything.
fn check(case: &Value) -> Option<String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let who = Identity {
        client_ip: text("host").parse().unwrap(),
        helo: text("helo"),
        mail_from: text("mailfrom"),
        our_name: "receiver.example",
        now: 0,
    };
    let mut zone = Zone(&case["zone"]);
    let spf = check_mail_from(&who, &mut Inquiry::new(&mut zone));
    let results = case["results"].as_array().unwrap();
    let explained = match case["explanation"].as_str() {
        None => true,
        Some("DEFAULT") => spf.explanation.is_none(),
        Some(words) => spf.explanation.as_deref() == Some(words),
    };
    let good = explained && results.iter().any(|result| result == spf.result.word());
    (!good).then(|| {
        format!("{}: {:?}, expected {results:?} {:?}", text("name"), spf, case["explanation"])
    })
}

/// Where the suite may lie: as it stands in its source archive, or alone.
fn suite() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let root = std::env::var_os("SEKISHO_SUITES").map_or(root, PathBuf::from);
    let places = ["pyspf/test/rfc7208-tests.yml", "pyspf/rfc7208-tests.yml"];
    places.iter().map(|place| root.join(place)).find(|place| place.exists())
}

#[test]
fn the_published_suite_holds() {
    let Some(suite) = suite() else {
        println!("absent: pyspf/test/rfc7208-tests.yml in the folder of suites");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spf_cases.py");
    let output = match Command::new("python3").arg(script).arg(&suite).output() {
        Ok(output) if output.status.code() != Some(NO_YAML) => output,
        _ => {
            println!("absent: python3 with PyYAML, which reads the suite");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(cases.len(), 203);
    let wrong: Vec<String> = cases.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} of {} cases", cases.len(), cases.len());
}
