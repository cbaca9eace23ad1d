//! Audit records as the kernel's multicast group gives them: netlink headers, then
//! `audit(1700000000.123:45): key=value …`.

use sigma::{Event, LogSource};
use std::collections::VecDeque;
use vigil::Fact;

/// A record's text; the kernel cuts at 8 KiB.
const TEXT_BYTES: usize = 16 * 1024;
/// Fields of one record.
const FIELDS: usize = 64;
/// Landlock domains whose process is remembered.
const DOMAINS: usize = 4_096;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub kind: u16,
    pub fields: Vec<(String, String)>,
}

impl Record {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

const SECCOMP: u16 = 1326;
const LANDLOCK_ACCESS: u16 = 1423;
const LANDLOCK_DOMAIN: u16 = 1424;

/// The words by which Sigma's auditd rules call record types.
const TYPES: &[(u16, &str)] = &[
    (1300, "SYSCALL"),
    (1302, "PATH"),
    (1305, "CONFIG_CHANGE"),
    (1306, "SOCKADDR"),
    (1307, "CWD"),
    (1309, "EXECVE"),
    (1325, "NETFILTER_CFG"),
    (1327, "PROCTITLE"),
    (1112, "USER_LOGIN"),
    (1113, "USER_LOGOUT"),
    (1114, "ADD_USER"),
    (1116, "ADD_GROUP"),
    (1123, "USER_CMD"),
    (1130, "SERVICE_START"),
    (1131, "SERVICE_STOP"),
    (1701, "ANOM_ABEND"),
];

/// Every record of one read.
pub fn records(mut bytes: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    // nlmsghdr: length (4), type (2), flags (2), sequence (4), port (4)
    while let (Some(length), Some(kind)) = (
        bytes.first_chunk::<4>().map(|length| u32::from_ne_bytes(*length) as usize),
        bytes.get(4..6).and_then(|kind| kind.first_chunk::<2>()),
    ) {
        let kind = u16::from_ne_bytes(*kind);
        let end = length.clamp(16, bytes.len().max(16)).min(bytes.len());
        // The kernel's length of an audit record leaves its own header out.
        let end = if length + 16 == bytes.len() { bytes.len() } else { end };
        let text = bytes.get(16..end).unwrap_or_default();
        let text = text.get(..TEXT_BYTES).unwrap_or(text);
        found.push(Record { kind, fields: fields(&String::from_utf8_lossy(text)) });
        let next = end.saturating_add(3) & !3;
        bytes = bytes.get(next.max(16)..).unwrap_or_default();
    }
    found
}

fn fields(text: &str) -> Vec<(String, String)> {
    let after = text.split_once("): ").map_or(text, |(_, after)| after);
    let mut rest = after.trim_end_matches(['\0', '\n']);
    let mut found = Vec::new();
    while found.len() < FIELDS {
        let Some((key, after)) = rest.split_once('=') else { break };
        let key = key.rsplit(' ').next().unwrap_or(key);
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        let is_text = is_text_field(key) && !rest.contains(&format!("{key}=\""));
        let value = if is_text { unhexed(value) } else { value.to_owned() };
        found.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    found
}

/// Fields that are written in hexadecimal when they hold a blank or worse.
fn is_text_field(key: &str) -> bool {
    let is_argument =
        key.strip_prefix('a').is_some_and(|number| number.bytes().all(|one| one.is_ascii_digit()));
    is_argument || matches!(key, "name" | "exe" | "comm" | "cwd" | "proctitle" | "cmd" | "path")
}

fn unhexed(value: &str) -> String {
    let is_hex = value.len() >= 4
        && value.len() % 2 == 0
        && value.bytes().all(|one| one.is_ascii_digit() || (b'A'..=b'F').contains(&one));
    if !is_hex {
        return value.to_owned();
    }
    let pairs = value.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Vec<u8> = pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Landlock names a domain at its first denial, and its process with it.
#[derive(Default)]
pub struct Domains(VecDeque<(String, u32)>);

impl Domains {
    /// What a record says of a process: a denial, with words of the kernel's own.
    pub fn fact(&mut self, record: &Record) -> Option<Fact> {
        let pid = record.get("pid").and_then(|pid| pid.parse().ok());
        match record.kind {
            SECCOMP => {
                let call = record.get("syscall").unwrap_or("?");
                Some(Fact::Denied { pid: pid?, what: format!("seccomp stopped call {call}") })
            }
            LANDLOCK_DOMAIN => {
                if self.0.len() >= DOMAINS {
                    self.0.pop_front();
                }
                self.0.push_back((record.get("domain")?.to_owned(), pid?));
                None
            }
            LANDLOCK_ACCESS => {
                let domain = record.get("domain")?;
                let known = self.0.iter().rev().find(|(known, _)| known == domain);
                let pid = known.map(|(_, pid)| *pid).or(pid)?;
                let what = format!("landlock denied {}", record.get("blockers").unwrap_or("?"));
                Some(Fact::Denied { pid, what })
            }
            _ => None,
        }
    }
}

/// The record as Sigma's auditd rules see it.
pub fn event(record: &Record) -> Option<Event> {
    let (_, word) = TYPES.iter().find(|(kind, _)| *kind == record.kind)?;
    let event = Event::new(LogSource::new(None, Some("auditd"))).with("type", word);
    Some(record.fields.iter().fold(event, |event, (name, value)| event.with(name, value)))
}

#[cfg(test)]
mod tests {
    use super::{Domains, event, records};
    use sigma::{RuleSet, shipped};
    use vigil::Fact;

    fn message(kind: u16, text: &str) -> Vec<u8> {
        let mut bytes = (text.len() as u32 + 16).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn denials_of_landlock_and_seccomp() {
        let mut domains = Domains::default();
        let mut say = |kind, text: &str| {
            let text = format!("audit(1700000000.123:45): {text}");
            let record = records(&message(kind, &text)).pop().unwrap();
            match domains.fact(&record) {
                Some(Fact::Denied { pid, what }) => format!("{pid} {what}"),
                _ => "nothing".to_owned(),
            }
        };
        let path = r#"domain=1a blockers=fs.read_file path="/etc/shadow" dev="vda" ino=7"#;
        assert_eq!(say(1424, r#"domain=1a status=allocated pid=77 uid=0 comm="x y""#), "nothing");
        assert_eq!(say(1423, path), "77 landlock denied fs.read_file");
        assert_eq!(say(1423, "domain=ff blockers=net.connect_tcp"), "nothing");
        assert_eq!(say(1326, "auid=1 pid=9 syscall=59 code=0x0"), "9 seccomp stopped call 59");
        assert_eq!(say(1300, "pid=9 syscall=59"), "nothing");
    }

    #[test]
    fn records_as_sigma_sees_them() {
        let set = RuleSet::new(shipped());
        let check = |kind, text: &str, expected: &[&str]| {
            let record = records(&message(kind, text)).pop().unwrap();
            let event = event(&record).unwrap();
            let found: Vec<&str> = set.weigh(&event).iter().map(|rule| rule.id.as_str()).collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            1302,
            r#"item=0 name="/etc/ld.so.preload" inode=1"#,
            &["4b3cb710-5e83-4715-8c45-8b2b5b3e5751"],
        );
        check(
            1309,
            r#"argc=3 a0="setcap" a1="cap_setuid+ep" a2="/tmp/x""#,
            &["596611de-85e7-4135-bffd-3738ae291965"],
        );
        check(
            1309,
            "argc=2 a0=736574636170 a1=6361705F73657475696420",
            &["596611de-85e7-4135-bffd-3738ae291965"],
        );
        check(1309, r#"argc=2 a0="ls" a1="-l""#, &[]);
    }

    #[test]
    fn fuzz_records() {
        let seed = [message(1423, "audit(1.2:3): a=\"b c\" pid=4"), message(1309, "a0=41 x=")];
        let seed = seed.concat();
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            let mut bytes = seed.clone();
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % bytes.len();
                bytes[at] = (state >> 32) as u8;
            }
            bytes.truncate(state as usize % (bytes.len() + 1));
            let mut domains = Domains::default();
            for record in records(&bytes) {
                let _ = (domains.fact(&record), event(&record));
            }
        }
    }
}
