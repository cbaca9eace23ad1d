//! What the server knows: names, and their records as people write them.

use crate::Fault;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TLSA, TXT};
use hickory_proto::rr::{Name, RData};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Octets of one character-string in a TXT record (RFC 1035 §3.3).
const STRING_OCTETS: usize = 255;

/// The kinds of record that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordWord {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Soa,
    Srv,
    Tlsa,
    Txt,
}

/// The table. In TOML:
///
/// ```toml
/// ttl_seconds = 60
/// signed = ["sender.example"]
/// [names."sender.example"]
/// A = ["127.0.0.1"]
/// MX = ["10 mx.sender.example"]
/// TXT = ["v=spf1 ip4:127.0.0.1 -all"]
/// [names."_25._tcp.mx.sender.example"]
/// TLSA = ["3 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3"]
/// [names."_imaps._tcp.sender.example"]
/// SRV = ["0 1 993 mx.sender.example"]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zones {
    #[serde(default = "one_minute")]
    pub ttl_seconds: u32,
    /// Domains whose names are answered as a validating resolver answers for a signed zone: with
    /// the AD bit, if the asker understands it (RFC 6840 §5.7, §5.8).
    #[serde(default)]
    pub signed: BTreeSet<String>,
    /// Domains whose signatures do not hold: a validating resolver answers SERVFAIL (RFC 4035
    /// §5.5).
    #[serde(default)]
    pub bogus: BTreeSet<String>,
    /// Names in lower case without the last dot.
    #[serde(default)]
    pub names: BTreeMap<String, BTreeMap<RecordWord, Vec<String>>>,
}

fn one_minute() -> u32 {
    60
}

impl Default for Zones {
    fn default() -> Self {
        let (signed, bogus) = (BTreeSet::new(), BTreeSet::new());
        Self { ttl_seconds: one_minute(), signed, bogus, names: BTreeMap::new() }
    }
}

impl Zones {
    /// Reads a table and checks every record in it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let read: Self =
            toml::from_str(text).map_err(|fault| Fault::Table { why: fault.to_string() })?;
        let mut zones = Self { ttl_seconds: read.ttl_seconds, ..Self::default() };
        zones.signed.extend(read.signed.iter().map(|name| plain(name)));
        zones.bogus.extend(read.bogus.iter().map(|name| plain(name)));
        for (name, records) in read.names {
            for (kind, texts) in records {
                for text in texts {
                    zones.add(&name, kind, &text)?;
                }
            }
        }
        Ok(zones)
    }

    /// Adds one record, as a zone file would write it.
    pub fn add(&mut self, name: &str, kind: RecordWord, text: &str) -> Result<(), Fault> {
        let wrong = || Fault::Record { name: name.to_owned(), kind, text: text.to_owned() };
        data(kind, text).ok_or_else(wrong)?;
        name_of(name).ok_or_else(wrong)?;
        let records = self.names.entry(plain(name)).or_default();
        records.entry(kind).or_default().push(text.to_owned());
        Ok(())
    }

    /// As [`Zones::add`], for tables written in Rust.
    pub fn with(mut self, name: &str, kind: RecordWord, text: &str) -> Result<Self, Fault> {
        self.add(name, kind, text)?;
        Ok(self)
    }

    /// Says that a domain and all below it are signed.
    pub fn sign(&mut self, domain: &str) {
        self.signed.insert(plain(domain));
    }

    pub(crate) fn is_signed(&self, name: &str) -> bool {
        self.signed.iter().any(|domain| is_at_or_below(name, domain))
    }

    pub(crate) fn is_bogus(&self, name: &str) -> bool {
        self.bogus.iter().any(|domain| is_at_or_below(name, domain))
    }

    /// The table as TOML, which [`Zones::parse`] reads back.
    pub fn to_toml(&self) -> String {
        let mut toml = format!("ttl_seconds = {}\n", self.ttl_seconds);
        for (word, domains) in [("signed", &self.signed), ("bogus", &self.bogus)] {
            let domains: Vec<String> = domains.iter().map(|domain| quoted(domain)).collect();
            toml.push_str(&format!("{word} = [{}]\n", domains.join(", ")));
        }
        for (name, records) in &self.names {
            toml.push_str(&format!("\n[names.{}]\n", quoted(name)));
            for (kind, texts) in records {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                toml.push_str(&format!("{} = [{}]\n", kind.word(), texts.join(", ")));
            }
        }
        toml
    }

    /// The records of a name and kind.
    pub(crate) fn records(&self, name: &str, kind: RecordWord) -> Vec<RData> {
        let texts = self.names.get(name).and_then(|records| records.get(&kind));
        texts.into_iter().flatten().filter_map(|text| data(kind, text)).collect()
    }

    /// Whether the name has records or stands above one that has (RFC 8020 §2).
    pub(crate) fn exists(&self, name: &str) -> bool {
        let is_above =
            |known: &String| known.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        self.names.contains_key(name) || self.names.keys().any(is_above)
    }
}

impl RecordWord {
    fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        }
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

pub(crate) fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_lowercase()
}

pub(crate) fn name_of(text: &str) -> Option<Name> {
    let plain = plain(text);
    let labels = plain.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    Name::from_labels(labels).ok()
}

fn data(kind: RecordWord, text: &str) -> Option<RData> {
    Some(match kind {
        RecordWord::A => RData::A(A(text.parse().ok()?)),
        RecordWord::Aaaa => RData::AAAA(AAAA(text.parse().ok()?)),
        RecordWord::Cname => RData::CNAME(CNAME(name_of(text)?)),
        RecordWord::Ns => RData::NS(NS(name_of(text)?)),
        RecordWord::Ptr => RData::PTR(PTR(name_of(text)?)),
        RecordWord::Mx => {
            let (preference, host) = text.split_once(' ')?;
            RData::MX(MX::new(preference.parse().ok()?, name_of(host.trim())?))
        }
        RecordWord::Txt => {
            RData::TXT(TXT::from_bytes(text.as_bytes().chunks(STRING_OCTETS).collect()))
        }
        RecordWord::Soa => soa(text)?,
        RecordWord::Srv => srv(text)?,
        RecordWord::Tlsa => tlsa(text)?,
    })
}

fn is_at_or_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `priority weight port host`; a host of `.` says that there is no such service (RFC 2782).
fn srv(text: &str) -> Option<RData> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [priority, weight, port, host] = words.as_slice() else { return None };
    let (priority, weight, port) =
        (priority.parse().ok()?, weight.parse().ok()?, port.parse().ok()?);
    Some(RData::SRV(SRV::new(priority, weight, port, name_of(host)?)))
}

/// `usage selector matching data`, the data hexadecimal (RFC 6698 §2.2).
fn tlsa(text: &str) -> Option<RData> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [usage, selector, matching, digits] = words.as_slice() else { return None };
    let numbers = [usage, selector, matching].map(|word| word.parse::<u8>().ok());
    let [Some(usage), Some(selector), Some(matching)] = numbers else { return None };
    let octets: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(octet).collect();
    Some(RData::TLSA(TLSA::new(usage.into(), selector.into(), matching.into(), octets?)))
}

fn octet(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |letter: &u8| char::from(*letter).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// `mname rname serial refresh retry expire minimum`.
fn soa(text: &str) -> Option<RData> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [mname, rname, serial, refresh, retry, expire, minimum] = words.as_slice() else {
        return None;
    };
    Some(RData::SOA(SOA::new(
        name_of(mname)?,
        name_of(rname)?,
        serial.parse().ok()?,
        refresh.parse().ok()?,
        retry.parse().ok()?,
        expire.parse().ok()?,
        minimum.parse().ok()?,
    )))
}
