//! The vectors of the public suffix list, where the test command has fetched them. We walk the DNS
//! instead of reading a list (RFC 9989 §4.10), so each vector becomes a zone: its suffix says
//! `psd=y`, its organisation has a policy, and alignment must end exactly where the list says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mailauth::{Answer, Envelope, Record, RecordKind, Resolver, check};
use std::collections::HashMap;
use std::path::Path;

const SUFFIX: &str = "v=DMARC1; p=reject; psd=y";
const OWN: &str = "v=DMARC1; p=reject";

/// TXT records of the names in a vector; whoever asks gets SPF that lets everybody pass.
struct Zone(HashMap<String, &'static str>);

impl Resolver for Zone {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        let text = |text: &str| Answer::Records(vec![Record::Text(text.as_bytes().to_vec())]);
        match (kind, name.starts_with("_dmarc."), self.0.get(name)) {
            (RecordKind::Text, true, Some(found)) => text(found),
            (RecordKind::Text, false, _) => text("v=spf1 +all"),
            _ => Answer::NoSuchName,
        }
    }
}

/// As the vectors themselves write these labels for the DNS.
const LABELS: &[(&str, &str)] =
    &[("食狮", "xn--85x722f"), ("公司", "xn--55qx5d"), ("中国", "xn--fiqs8s")];

fn ascii(name: &str) -> String {
    LABELS.iter().fold(name.to_owned(), |name, (label, ascii)| name.replace(label, ascii))
}

fn zone(records: &[(&str, &'static str)]) -> Zone {
    let named = |(name, text): &(&str, &'static str)| (format!("_dmarc.{}", ascii(name)), *text);
    Zone(records.iter().map(named).collect())
}

/// Whether mail of `from` that passes SPF for `other` is of one organisation.
fn is_aligned(from: &str, other: &str, mut zone: Zone) -> bool {
    let mail_from = format!("b@{other}");
    let facts = Envelope {
        client_ip: "192.0.2.1".parse().unwrap(),
        helo: "client.test",
        mail_from: &mail_from,
        our_name: "mx.test",
        now: 1_700_000_000,
    };
    let message = format!("From: a@{from}\r\n\r\nhello\r\n");
    check(&facts, message.as_bytes(), &mut zone).dmarc.alignment.spf
}

/// `checkPublicSuffix('a.b', 'b');`: the name, and its organisation unless it is null.
fn vector(line: &str) -> Option<(String, Option<String>)> {
    let inner = line.strip_prefix("checkPublicSuffix(")?.split_once(')')?.0;
    let (name, organisation) = inner.split_once(", ")?;
    let word = |text: &str| Some(text.strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
    Some((word(name).unwrap_or_default(), word(organisation)))
}

#[test]
fn organisations_end_where_the_list_says() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let root = std::env::var_os("SEKISHO_SUITES").map_or(beside, Into::into);
    let file = root.join("publicsuffixlist/publicsuffixlist/test_psl.txt");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("absent: publicsuffixlist/test_psl.txt in the folder of suites");
        return;
    };
    let vectors: Vec<_> = text.lines().filter_map(vector).collect();
    let mut wrong = Vec::new();
    for (name, organisation) in &vectors {
        let right = match organisation {
            Some(organisation) => {
                let suffix = organisation.split_once('.').unwrap().1;
                let records = [(suffix, SUFFIX), (&**organisation, OWN)];
                let within = format!("within.{organisation}");
                let beside = format!("beside.{suffix}");
                is_aligned(name, &within, zone(&records))
                    && is_aligned(name, organisation, zone(&records))
                    && !is_aligned(name, &beside, zone(&records))
            }
            // A suffix is of one organisation with nobody below it; what is no name, with nobody.
            None => {
                let bare = name.to_lowercase();
                let below = format!("below.{bare}");
                !is_aligned(name, &below, zone(&[(&bare, SUFFIX)]))
            }
        };
        if !right {
            wrong.push((name, organisation));
        }
    }
    println!("public suffixes: {} of {} vectors", vectors.len() - wrong.len(), vectors.len());
    assert!(vectors.len() >= 78 && wrong.is_empty(), "{wrong:?}");
}
