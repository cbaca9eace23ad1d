//! Audit records as the kernel's multicast group gives them: netlink headers, then
//! `audit(1700000000.123:45): key=value …`; and what they are in the words of Sigma's rules.
//!
//! Records of one call come one after the other under one number, the call itself first: only it
//! says whose it was. The rules are written for what auditd makes of the records, so a call has
//! its name beside its number here, and a program's arguments stand together once more.

use compartment::numbers::name_of;
use sigma::{Event, LogSource};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vigil::Fact;

/// A record's text; the kernel cuts at 8 KiB.
const TEXT_BYTES: usize = 16 * 1024;
/// Fields of one record.
const FIELDS: usize = 64;
/// Landlock domains whose process is remembered.
const DOMAINS: usize = 4_096;
/// Calls remembered for the records that follow them: those of all processors at once.
const CALLS: usize = 256;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub kind: u16,
    /// One for all records of a call.
    pub number: u64,
    pub fields: Vec<(String, String)>,
}

impl Record {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn pid(&self) -> Option<u32> {
        self.get("pid").and_then(|pid| pid.parse().ok())
    }
}

const SYSCALL: u16 = 1300;
const SOCKADDR: u16 = 1306;
const EXECVE: u16 = 1309;
const SECCOMP: u16 = 1326;
const LANDLOCK_ACCESS: u16 = 1423;
const LANDLOCK_DOMAIN: u16 = 1424;

/// The words by which Sigma's auditd rules call record types.
pub const TYPES: &[(u16, &str)] = &[
    (1100, "USER_AUTH"),
    (1101, "USER_ACCT"),
    (1102, "USER_MGMT"),
    (1103, "CRED_ACQ"),
    (1104, "CRED_DISP"),
    (1105, "USER_START"),
    (1106, "USER_END"),
    (1107, "USER_AVC"),
    (1108, "USER_CHAUTHTOK"),
    (1109, "USER_ERR"),
    (1112, "USER_LOGIN"),
    (1113, "USER_LOGOUT"),
    (1114, "ADD_USER"),
    (1115, "DEL_USER"),
    (1116, "ADD_GROUP"),
    (1117, "DEL_GROUP"),
    (1123, "USER_CMD"),
    (1124, "USER_TTY"),
    (1130, "SERVICE_START"),
    (1131, "SERVICE_STOP"),
    (SYSCALL, "SYSCALL"),
    (1302, "PATH"),
    (1305, "CONFIG_CHANGE"),
    (SOCKADDR, "SOCKADDR"),
    (1307, "CWD"),
    (EXECVE, "EXECVE"),
    (1319, "TTY"),
    (1321, "BPRM_FCAPS"),
    (1325, "NETFILTER_CFG"),
    (1327, "PROCTITLE"),
    (1330, "KERN_MODULE"),
    (1334, "BPF"),
    (1400, "AVC"),
    (1700, "ANOM_PROMISCUOUS"),
    (1701, "ANOM_ABEND"),
];

/// The kernel's word for this machine's own calls; another's have other numbers.
#[cfg(target_arch = "x86_64")]
const ARCH: &str = "c000003e";
#[cfg(target_arch = "aarch64")]
const ARCH: &str = "c00000b7";

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
        let text = String::from_utf8_lossy(text);
        found.push(Record { kind, number: number(&text), fields: fields(kind, &text) });
        let next = end.saturating_add(3) & !3;
        bytes = bytes.get(next.max(16)..).unwrap_or_default();
    }
    found
}

/// `audit(1700000000.123:45): …`: 45.
fn number(text: &str) -> u64 {
    let stamp = text.split_once("): ").map_or("", |(stamp, _)| stamp);
    stamp.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn fields(kind: u16, text: &str) -> Vec<(String, String)> {
    let after = text.split_once("): ").map_or(text, |(_, after)| after);
    let mut rest = after.trim_end_matches(['\0', '\n']);
    let mut found: Vec<(String, String)> = Vec::new();
    while found.len() < FIELDS {
        let Some((key, after)) = rest.split_once('=') else { break };
        let key = key.rsplit(' ').next().unwrap_or(key);
        // A daemon's record: `msg='unit=ssh res=success'`, fields within one.
        if let Some(inner) = after.strip_prefix('\'') {
            rest = inner;
            continue;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                (value.to_owned(), after)
            }
            None => {
                let (value, after) = after.split_once(' ').unwrap_or((after, ""));
                let value = value.trim_end_matches('\'');
                let is_text = is_text_field(kind, key);
                (if is_text { unhexed(value) } else { value.to_owned() }, after)
            }
        };
        // An argument of more than 7,500 octets comes in pieces: `a1[0]=… a1[1]=…`.
        let key = key.split('[').next().unwrap_or(key);
        match found.last_mut().filter(|(last, _)| last == key) {
            Some((_, whole)) => whole.push_str(&value),
            None => found.push((key.to_owned(), value)),
        }
        rest = after.trim_start();
    }
    found
}

/// Fields that are written in hexadecimal when they hold a blank or worse. A call's `a0` to `a3`
/// are numbers.
fn is_text_field(kind: u16, key: &str) -> bool {
    matches!(key, "name" | "exe" | "comm" | "cwd" | "proctitle" | "cmd" | "path" | "key" | "data")
        || (kind == EXECVE && is_argument(key))
}

fn is_argument(key: &str) -> bool {
    let key = key.split('[').next().unwrap_or(key);
    let number = key.strip_prefix('a').unwrap_or_default();
    !number.is_empty() && number.bytes().all(|one| one.is_ascii_digit())
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
        let pid = record.pid();
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

/// A call, for the records that follow it.
struct Call {
    number: u64,
    pid: u32,
    exe: String,
    uid: String,
    name: &'static str,
}

/// The latest calls.
#[derive(Default)]
pub struct Trail(VecDeque<Call>);

impl Trail {
    /// What a record says in the words of the rules, and whose process it is about.
    pub fn sightings(&mut self, record: &Record) -> (u32, Vec<Event>) {
        if record.kind == SYSCALL {
            self.remember(record);
        }
        let call = self.0.iter().rev().find(|call| call.number == record.number);
        let pid = record.pid().or(call.map(|call| call.pid)).unwrap_or(0);
        let connection = call.and_then(|call| connection(call, record));
        (pid, event(record).into_iter().chain(connection).collect())
    }

    fn remember(&mut self, record: &Record) {
        if self.0.len() >= CALLS {
            self.0.pop_front();
        }
        let text = |name: &str| record.get(name).unwrap_or_default().to_owned();
        self.0.push_back(Call {
            number: record.number,
            pid: record.pid().unwrap_or(0),
            exe: text("exe"),
            uid: text("uid"),
            name: call_name(record).unwrap_or_default(),
        });
    }
}

fn call_name(record: &Record) -> Option<&'static str> {
    let call = record.get("syscall")?.parse().ok()?;
    (record.get("arch") == Some(ARCH)).then(|| name_of(call))
}

/// The record as Sigma's auditd rules see it.
pub fn event(record: &Record) -> Option<Event> {
    let (_, word) = TYPES.iter().find(|(kind, _)| *kind == record.kind)?;
    let mut event = Event::new(LogSource::new(None, Some("auditd"))).with("type", word);
    if let Some(name) = call_name(record).filter(|_| record.kind == SYSCALL) {
        // Rules ask for either, as auditd's two ways of writing have it.
        event = event.with("SYSCALL", name).with("syscall", name);
    }
    if record.kind == EXECVE {
        // Words of a rule may span arguments, as they did when somebody typed them.
        let arguments = record.fields.iter().filter(|(name, _)| is_argument(name));
        let words: Vec<&str> = arguments.map(|(_, value)| value.as_str()).collect();
        event = event.with("CommandLine", &words.join(" "));
    }
    Some(record.fields.iter().fold(event, |event, (name, value)| event.with(name, value)))
}

/// Where a program connects to, as Sigma's rules for the network see it. Its name is in no record.
fn connection(call: &Call, record: &Record) -> Option<Event> {
    if record.kind != SOCKADDR || call.name != "connect" {
        return None;
    }
    let (address, port) = peer(record.get("saddr")?)?;
    let event = Event::new(LogSource::new(Some("network_connection"), None))
        .with("Image", &call.exe)
        .with("Initiated", "true")
        .with("DestinationIp", &address.to_string())
        .with("DestinationPort", &port.to_string());
    Some(if call.uid == "0" { event.with("User", "root") } else { event })
}

/// A socket's address in hexadecimal, as the kernel keeps it: family in its own order, the rest
/// in the network's.
fn peer(hexadecimal: &str) -> Option<(IpAddr, u16)> {
    let pairs = hexadecimal.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Option<Vec<u8>> =
        pairs.take(28).map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    let bytes = bytes?;
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let address = match family {
        2 => IpAddr::from(Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?)),
        10 => IpAddr::from(Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::{Domains, Trail, records};
    use sigma::{Rule, RuleSet, shipped};
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
            let event = Trail::default().sightings(&record).1.pop().unwrap();
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

    /// Rules of ours in the shapes of public ones, each with records that it finds and that it
    /// does not.
    #[test]
    fn records_are_read_as_auditd_reads_them() {
        let mut trail = Trail::default();
        let mut finds = |source: &str, selection: &str, kind: u16, text: &str| {
            let text = format!("audit(1700000000.123:45): {text}");
            let rule = format!(
                "title: t\nlogsource:\n  {source}\ndetection:\n  s:\n    {selection}\n  \
                 condition: s\n"
            );
            let set = RuleSet::new(vec![Rule::parse(&rule).unwrap()]);
            let record = records(&message(kind, &text)).pop().unwrap();
            let (pid, events) = trail.sightings(&record);
            (pid, events.iter().any(|event| !set.weigh(event).is_empty()))
        };
        let audit = "service: auditd";
        // The first field within a daemon's message, and the last.
        let stopped = "pid=1 uid=0 msg='unit=ufw comm=\"systemd\" exe=\"/x\" res=success'";
        assert_eq!(finds(audit, "unit: ufw", 1131, stopped), (1, true));
        assert_eq!(finds(audit, "res: success", 1131, stopped), (1, true));
        assert_eq!(finds(audit, "unit: nft", 1131, stopped), (1, false));
        // A call by number and by name; its arguments are numbers, whatever they look like.
        let call = if cfg!(target_arch = "x86_64") {
            "arch=c000003e syscall=41 a0=26 a1=4141 pid=77 uid=33 exe=\"/srv/x\""
        } else {
            "arch=c00000b7 syscall=198 a0=26 a1=4141 pid=77 uid=33 exe=\"/srv/x\""
        };
        assert_eq!(finds(audit, "SYSCALL: socket", 1300, call), (77, true));
        assert_eq!(finds(audit, "syscall: 'socket'", 1300, call), (77, true));
        assert_eq!(finds(audit, "syscall: 9999", 1300, call), (77, false));
        assert_eq!(finds(audit, "a0: 26", 1300, call), (77, true));
        assert_eq!(finds(audit, "a1: 4141", 1300, call), (77, true));
        let elsewhere = call.replace("arch=c", "arch=4");
        assert_eq!(finds(audit, "SYSCALL: socket", 1300, &elsewhere), (77, false));
        // Arguments in hexadecimal, in pieces, and together; the process is the call's.
        let words = "argc=4 a0=\"iptables\" a1=\"--to-ports\" a2=\"42391\" a3[0]=6120 a3[1]=6262";
        assert_eq!(finds(audit, "a0: iptables", 1309, words), (77, true));
        assert_eq!(finds(audit, "'|all': ['--to-ports 42']", 1309, words), (77, true));
        assert_eq!(finds(audit, "a3: 'a bb'", 1309, words), (77, true));
        assert_eq!(finds(audit, "a2: 42392", 1309, words), (77, false));
        // A name with a blank in it; one that quotes the name of a field.
        let path = "item=0 name=2F746D702F6120622E736F nametype=CREATE";
        assert_eq!(finds(audit, "name: '/tmp/a b.so'", 1302, path), (77, true));
        let sly = "a0=\"x\" a1=613D62 a2=\"y\"";
        assert_eq!(finds(audit, "a1: 'a=b'", 1309, sly), (77, true));
    }

    #[test]
    fn a_connection_is_told_by_its_call_and_its_address() {
        let connect = if cfg!(target_arch = "x86_64") {
            "arch=c000003e syscall=42"
        } else {
            "arch=c00000b7 syscall=203"
        };
        let seen = |number: u32, address: &str| {
            let mut trail = Trail::default();
            let call = format!("audit(1.2:{number}): {connect} pid=9 uid=0 exe=\"/usr/bin/nc\"");
            trail.sightings(&records(&message(1300, &call)).pop().unwrap());
            let text = format!("audit(1.2:45): saddr={address}");
            let (pid, mut events) = trail.sightings(&records(&message(1306, &text)).pop().unwrap());
            let is_connection =
                |category: &Option<String>| category.as_deref() == Some("network_connection");
            events.retain(|event| is_connection(&event.source.category));
            let fields = events.pop().map(|event| event.fields).unwrap_or_default();
            let words: Vec<String> = fields.iter().map(|(_, value)| value.clone()).collect();
            format!("{pid} {}", words.join(" "))
        };
        assert_eq!(seen(45, "0200115CC00002070000"), "9 /usr/bin/nc true 192.0.2.7 4444 root");
        let six = "0A0001BB0000000020010DB800000000000000000000000100000000";
        assert_eq!(seen(45, six), "9 /usr/bin/nc true 2001:db8::1 443 root");
        assert_eq!(seen(44, "0200115CC00002070000"), "0 ", "of another call");
        assert_eq!(seen(45, "01002F746D70"), "9 ", "a local socket");
        assert_eq!(seen(45, "0200"), "9 ", "cut");
        assert_eq!(seen(45, "zz"), "9 ", "no address");
    }

    #[test]
    fn fuzz_records() {
        let seed = [
            message(1423, "audit(1.2:3): a=\"b c\" pid=4"),
            message(1309, "a0=41 x="),
            message(1300, "audit(1.2:3): arch=c000003e syscall=42 pid=4 exe=2F62"),
            message(1306, "audit(1.2:3): saddr=02001F90C0000201"),
            message(1131, "audit(1.2:3): pid=1 msg='unit=ufw res=success'"),
        ];
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
            let (mut domains, mut trail) = (Domains::default(), Trail::default());
            for record in records(&bytes) {
                let _ = (domains.fact(&record), trail.sightings(&record));
            }
        }
    }
}
