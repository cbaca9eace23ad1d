//! The start-up file: one TOML, each setting documented where it is declared.
//!
//! The doc comment is the manual; `docs/generated/config.md` is made from it. Unknown keys are
//! errors. Secrets are references, never values. Tenants, people and rules are not here: they live
//! in the store and change through recorded commands.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod manual;

pub use manual::manual;

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Pauses between attempts that may differ.
const MOST_PAUSES: usize = 7;

/// The largest start-up file read.
const FILE_BYTES: u64 = 1024 * 1024;
/// Below are the system's own users, and root.
const LOWEST_UID: u32 = 1_000;
/// A share of the queue that takes the largest letter four times, and some.
const LEAST_QUEUE_MIB: u64 = 256;
/// Two pulses and the ledger's patience.
const LEAST_SILENCE_SECONDS: u32 = 5;
/// Who is told by mail.
const OPERATORS: usize = 20;
const GATHER_SECONDS: u32 = 3_600;
/// Room for every compartment's number above it.
const HIGHEST_UID: u32 = 2_000_000_000;

/// Why a start-up file does not do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not read the settings in {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the settings are {found} octets, expected at most {FILE_BYTES}")]
    TooLong { found: u64 },
    /// The parser's words: expected, found, line and column.
    #[error("the settings do not parse: {0}")]
    Parse(String),
    #[error("{setting}: expected {expected}, found {found}\nhint: {hint}")]
    Wanting { setting: &'static str, expected: &'static str, found: String, hint: &'static str },
}

macro_rules! settings {
    ($(#[doc = $about:literal])* $name:ident, $section:literal {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:literal,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl $name {
            const MANUAL: (&'static str, &'static str, &'static [Entry]) = (
                $section,
                concat!($($about,)* ""),
                &[$(Entry {
                    name: stringify!($field),
                    shape: stringify!($type),
                    default: $default,
                    doc: concat!($($doc,)+),
                },)*],
            );
        }

        impl Default for $name {
            fn default() -> Self {
                #[derive(Deserialize)]
                struct Defaults { $($field: $type,)* }
                const TEXT: &str = concat!($(stringify!($field), " = ", $default, "\n",)*);
                // A default that does not parse is found by the test below, for every section.
                match toml::from_str::<Defaults>(TEXT) {
                    Ok(found) => Self { $($field: found.$field,)* },
                    Err(_) => std::process::abort(),
                }
            }
        }
    };
}

/// Levels of Sigma rules, the least first.
pub const RULE_LEVELS: &[&str] = &["informational", "low", "medium", "high", "critical"];

struct Entry {
    name: &'static str,
    shape: &'static str,
    default: &'static str,
    doc: &'static str,
}

settings! {
    /// The house itself.
    House, "house" {
        /// Where everything is kept. Must exist (see `sekisho init`).
        data: PathBuf = "\"/var/lib/sekisho\"",
        /// Our name in banners, `Received` and `Authentication-Results`.
        host_name: String = "\"localhost\"",
        /// The name of the public pages, where mailing lists are left; empty: `pages.` before
        /// `host_name`. It has a certificate of its own.
        pages_name: String = "\"\"",
        /// First of the user ids that compartments run under when started as root.
        uid_base: u32 = "61000",
        /// Who decides on privileged acts: `single-operator` (whoever may use the command line,
        /// recorded as weakened) or `two-persons`. Once two persons decide, this line alone does
        /// not lead back: `approval mode single-operator` asks two persons for it.
        approvals: String = "\"single-operator\"",
    }
}

settings! {
    /// Where connections are accepted. An empty list means: not listening.
    Listen, "listen" {
        /// SMTP (port 25).
        smtp: Vec<SocketAddr> = "[\"0.0.0.0:25\", \"[::]:25\"]",
        /// IMAP over implicit TLS (port 993).
        imaps: Vec<SocketAddr> = "[\"0.0.0.0:993\", \"[::]:993\"]",
        /// POP3 over implicit TLS (port 995).
        pop3s: Vec<SocketAddr> = "[\"0.0.0.0:995\", \"[::]:995\"]",
        /// Submission over implicit TLS (port 465).
        submissions: Vec<SocketAddr> = "[\"0.0.0.0:465\", \"[::]:465\"]",
        /// Submission with STARTTLS (port 587).
        submission: Vec<SocketAddr> = "[\"0.0.0.0:587\", \"[::]:587\"]",
        /// HTTPS (port 443): the public pages, for mail programs, MTA-STS and mailing lists.
        https: Vec<SocketAddr> = "[]",
        /// Numbers for Prometheus at `/metrics`, in the clear and without a password: on loopback,
        /// such as `127.0.0.1:9090`, or in a network of one's own.
        metrics: Vec<SocketAddr> = "[]",
    }
}

settings! {
    /// Names of other hosts.
    Dns, "dns" {
        /// Resolvers to ask; empty: those of the system.
        servers: Vec<IpAddr> = "[]",
        /// The port they answer on.
        port: u16 = "53",
    }
}

settings! {
    /// Where the unseal credential comes from. It is read once, and never kept with the data.
    Unseal, "unseal" {
        /// Name of a systemd credential (`LoadCredential=`), looked up in `$CREDENTIALS_DIRECTORY`.
        systemd_credential: String = "\"sekisho-unseal\"",
        /// A file outside the data folder, readable by its owner only; empty: none. It holds the
        /// credential, or the root sealed under a passphrase, which is then asked for.
        file: PathBuf = "\"\"",
        /// Files that hold shares of the root, outside the data folder too. Further ones are given
        /// by `--share` and `--share-fd`, or asked for on the terminal.
        shares: Vec<PathBuf> = "[]",
        /// The program that speaks to a PKCS#11 token (`token/` in the sources); empty: none. It is
        /// started for one question, and loads the module in a process of its own.
        token_helper: PathBuf = "\"\"",
        /// The token's module, such as `/usr/lib/softhsm/libsofthsm2.so`.
        token_module: PathBuf = "\"\"",
        /// The token's label.
        token: String = "\"\"",
        /// The label of the key in the token that seals the root.
        token_key: String = "\"sekisho-root\"",
    }
}

settings! {
    /// How mail leaves.
    Relay, "relay" {
        /// The port that MX hosts answer on. Another one is for tests.
        port: u16 = "25",
        /// The port that HTTPS is fetched from. Another one is for tests.
        https_port: u16 = "443",
        /// Ports that a tenant's smart host may be at.
        smart_host_ports: Vec<u16> = "[25, 465, 587]",
        /// Mail may be given to hosts at loopback and private addresses: inside one's own network.
        private: bool = "false",
        /// Certificates (PEM) of the authorities that are believed; empty: the system's.
        authorities: PathBuf = "\"\"",
    }
}

settings! {
    /// What may wait in the queue. What is over it is not taken for a while (452), and its sender's
    /// server tries again; `queue status` and the metrics say how full the fullest share is, and
    /// an alarm says that mail is not taken.
    Queue, "queue" {
        /// MiB of one tenant's mail: what its people wrote and what is passed on for them.
        tenant_mib: u64 = "20480",
        /// Messages of one tenant.
        tenant_messages: u64 = "1000000",
        /// Of these MiB, what waits to be passed on: forwards, gateways and lists, answers of
        /// people who are away. Strangers decide how much comes; when it is full, the tenant's own
        /// people's mail goes on.
        passed_on_tenant_mib: u64 = "4096",
        /// Messages that wait to be passed on, for one tenant.
        passed_on_tenant_messages: u64 = "100000",
        /// MiB that wait to be passed on for one person. One letter takes at most a quarter of
        /// what is left of this, so that a few large ones leave room for small ones.
        passed_on_person_mib: u64 = "512",
        /// Messages that wait to be passed on for one person.
        passed_on_person_messages: u64 = "10000",
        /// MiB of the disk below the queue that stay free: less, and no mail is taken that leaves.
        /// On a small disk it is a fiftieth of it, if that is less.
        free_mib: u64 = "1024",
        /// Seconds until what a destination did not take is tried again: after the first attempt,
        /// the second and so on, at most seven; the last one counts from there on. A destination
        /// that nobody could reach is asked after 60 seconds, then after twice as long each time,
        /// up to an hour, by one attempt for all of its mail.
        retry_seconds: Vec<u32> = "[300, 600, 1200, 2400, 4800, 7200, 14400]",
        /// After so many seconds without success its sender is told, once, that it is late.
        late_seconds: u32 = "14400",
        /// After so many seconds it goes back to its sender with a notice; 432000 (five days) at
        /// most. RFC 5321 §4.5.4.1 asks for four or five days.
        expire_seconds: u32 = "432000",
    }
}

settings! {
    /// What the sentinel looks at, and what it may do by itself. Whatever leaves its charter is an
    /// incident whatever is set here.
    Sentinel, "sentinel" {
        /// Where incidents are written as lines of RFC 5424: the path of a datagram socket of this
        /// host, `IP:PORT` or `udp://IP:PORT`, `tcp://IP:PORT` (octets counted, RFC 6587), or empty
        /// for nowhere. Lines wait while it is away, 1,024 at most.
        syslog: String = "\"/dev/log\"",
        /// A person whose mail is opened without a sign-in gets no more grants until `unfreeze`.
        freeze: bool = "true",
        /// An instance that opens mail without a sign-in is ended.
        replace: bool = "true",
        /// A kind, no keeper, of which 32 instances go off charter in ten minutes is isolated.
        isolate: bool = "true",
        /// Whoever touches a decoy and has a person's own app password (a stranger who only types a
        /// decoy's name has none), or is let in as the decoy, gets no more grants until `unfreeze`;
        /// the instance is ended.
        decoys: bool = "true",
        /// Programs started anywhere on this host are judged by the Sigma rules, not only those
        /// below the service; so are files that anybody writes in watched folders (`/etc`, cron,
        /// sudoers, systemd, keys, `/tmp`, …) and the audit's records, if this host writes any.
        watch_host: bool = "false",
        /// Items opened in one hour in which a person never read before that are an incident.
        burst: u32 = "50",
        /// A compartment without a word for so long is silent.
        silence_seconds: u32 = "10",
        /// Equal incidents within so long are told once, with their number.
        fold_seconds: u32 = "60",
        /// A folder with further Sigma rules (`.yml`, also in folders below it), read at the start;
        /// empty: only those that are shipped. `sekisho sigma DIR` tells which of them can be read,
        /// and for which the events are seen here.
        rules: PathBuf = "\"\"",
        /// The least level of those further rules: `informational`, `low`, `medium`, `high` or
        /// `critical`. A match is an incident whatever its level, and the low ones of public sets
        /// are about everyday commands such as `ls` and `rm`. A rule without a level stays.
        rules_from: String = "\"informational\"",
    }
}

settings! {
    /// Where incidents are told outside of this host, beside console, host log and ledger. A storm
    /// is one message with numbers. What is not taken is tried again, with pauses from 2 seconds to
    /// 5 minutes, for 3 days, over restarts too. `sekisho alarm test` tries every route.
    Alarms, "alarms" {
        /// `https://HOST[:PORT]/PATH`, to which a message is posted as JSON; empty: none. Its
        /// certificate must be the host's, by an authority that `relay.authorities` (or the system)
        /// believes. A 2xx takes it.
        webhook: String = "\"\"",
        /// A file outside the data folder, readable by its owner only, with the secret (16 octets
        /// or more; white space at its ends is left away) that signs what is posted:
        /// `Sekisho-Signature: v1=` is the HMAC-SHA-256, in hexadecimal, of `Sekisho-Timestamp`, a
        /// dot and the body. A receiver refuses timestamps older than some minutes.
        webhook_secret: PathBuf = "\"\"",
        /// `IP:PORT` of the webhook's host if it is inside one's own network: the DNS is not asked,
        /// and no other address that is not public may be reached.
        webhook_at: String = "\"\"",
        /// `HOST:PORT[:implicit|starttls|if-offered]` of a relay that takes mail from this host
        /// without a password; empty: none. Not our own queue, which may be what is wrong.
        mail_relay: String = "\"\"",
        /// `IP:PORT` of that relay if it is inside one's own network.
        mail_relay_at: String = "\"\"",
        /// Who the letter is from.
        mail_from: String = "\"\"",
        /// Who gets it.
        mail_to: Vec<String> = "[]",
        /// After one message, what follows is gathered so long and told in one.
        gather_seconds: u32 = "30",
    }
}

settings! {
    /// The takeover brake: mail that may be somebody else's waits until its person is asked.
    Brake, "brake" {
        /// Lists of the registries that say in which country addresses are registered, such as
        /// `delegated-apnic-extended-latest` (`ftp.apnic.net/stats`): with them, mail from a
        /// country that a person has never written from waits for somebody from the sixth
        /// recipient on. Read at the start. Empty: countries are not known.
        countries: Vec<PathBuf> = "[]",
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub house: House,
    pub listen: Listen,
    pub dns: Dns,
    pub unseal: Unseal,
    pub relay: Relay,
    pub queue: Queue,
    pub brake: Brake,
    pub sentinel: Sentinel,
    pub alarms: Alarms,
}

impl Settings {
    /// Reads and checks a start-up file.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let fault = |source| Fault::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(fault)?.len();
        if found > FILE_BYTES {
            return Err(Fault::TooLong { found });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(fault)?)
    }

    pub fn parse(text: &str) -> Result<Self, Fault> {
        let settings: Self = toml::from_str(text).map_err(|e| Fault::Parse(e.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Fault> {
        let data = &self.house.data;
        if !data.is_absolute() {
            return Err(Fault::Wanting {
                setting: "house.data",
                expected: "an absolute path",
                found: data.display().to_string(),
                hint: "write it from / on",
            });
        }
        let unseal = std::iter::once(&self.unseal.file).chain(&self.unseal.shares);
        if let Some(inside) = unseal.into_iter().find(|file| file.starts_with(data)) {
            return Err(Fault::Wanting {
                setting: "unseal",
                expected: "places outside the data folder",
                found: inside.display().to_string(),
                hint: "a copy of the data must open nothing: keep the credential elsewhere",
            });
        }
        if !(LOWEST_UID..=HIGHEST_UID).contains(&self.house.uid_base) {
            return Err(Fault::Wanting {
                setting: "house.uid_base",
                expected: "a number from 1000 to 2000000000",
                found: self.house.uid_base.to_string(),
                hint: "below are the system's own users; 61000 is free on most machines",
            });
        }
        if !matches!(self.house.approvals.as_str(), "single-operator" | "two-persons") {
            return Err(Fault::Wanting {
                setting: "house.approvals",
                expected: "single-operator or two-persons",
                found: self.house.approvals.clone(),
                hint: "two persons decide on what is dangerous; one operator is recorded as weaker",
            });
        }
        let sentinel = &self.sentinel;
        if sentinel.silence_seconds < LEAST_SILENCE_SECONDS || sentinel.fold_seconds == 0 {
            return Err(Fault::Wanting {
                setting: "sentinel.silence_seconds",
                expected: "5 seconds or more, and fold_seconds 1 or more",
                found: format!("{} and {}", sentinel.silence_seconds, sentinel.fold_seconds),
                hint: "keepers are asked every 2 seconds and may wait 4 for the ledger",
            });
        }
        self.check_syslog()?;
        self.check_rules_from()?;
        self.check_alarms()?;
        self.check_queue()?;
        if !is_host_name(&self.house.host_name) {
            return Err(Fault::Wanting {
                setting: "house.host_name",
                expected: "a host name of letters, digits, hyphens and dots, at most 253 octets",
                found: self.house.host_name.clone(),
                hint: "the name in your MX record, in A-label form: mail.example.jp or xn--….jp",
            });
        }
        self.check_pages()
    }

    fn check_pages(&self) -> Result<(), Fault> {
        let pages = self.pages_name();
        if !is_host_name(&pages) || pages.eq_ignore_ascii_case(&self.house.host_name) {
            return Err(Fault::Wanting {
                setting: "house.pages_name",
                expected: "a host name of its own, in A-label form",
                found: pages,
                hint: "such as pages.example.jp: no certificate serves mail and pages",
            });
        }
        Ok(())
    }

    /// The name of the public pages.
    pub fn pages_name(&self) -> String {
        match self.house.pages_name.as_str() {
            "" => format!("pages.{}", self.house.host_name),
            name => name.to_owned(),
        }
    }

    /// Where the public pages are; empty: nothing listens for them.
    pub fn pages_url(&self) -> String {
        let name = self.pages_name();
        match self.listen.https.first().map(SocketAddr::port) {
            None => String::new(),
            Some(443) => format!("https://{name}"),
            Some(port) => format!("https://{name}:{port}"),
        }
    }
}

/// RFC 1123 §2.1: labels of 1 to 63 letters, digits and hyphens; no hyphen at an end.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_of_it = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_of_it)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

impl Settings {
    /// A letter of the largest kind has to fit, or mail of that size never leaves.
    fn check_queue(&self) -> Result<(), Fault> {
        let queue = &self.queue;
        let has_pauses = (1..=MOST_PAUSES).contains(&queue.retry_seconds.len())
            && queue.retry_seconds.iter().all(|pause| (1..=86_400).contains(pause));
        let has_end = queue.late_seconds > 0
            && queue.late_seconds <= queue.expire_seconds
            && queue.expire_seconds <= 5 * 86_400;
        if !(has_pauses && has_end) {
            return Err(Fault::Wanting {
                setting: "queue.retry_seconds, late_seconds, expire_seconds",
                expected: "1 to 7 pauses of 1 to 86400, and 1 <= late <= expire <= 432000",
                found: format!("{queue:?}"),
                hint: "RFC 5321 §4.5.4.1: minutes at first, then hours, for four or five days",
            });
        }
        let is_least = queue.tenant_mib >= LEAST_QUEUE_MIB
            && queue.passed_on_tenant_mib >= LEAST_QUEUE_MIB
            && queue.passed_on_person_mib >= LEAST_QUEUE_MIB;
        let has_messages = queue.tenant_messages > 0
            && queue.passed_on_tenant_messages > 0
            && queue.passed_on_person_messages > 0;
        match is_least && has_messages {
            true => Ok(()),
            false => Err(Fault::Wanting {
                setting: "queue",
                expected: "256 MiB or more in each share, and 1 message or more",
                found: format!("{queue:?}"),
                hint: "a letter may have 50 MiB, and takes at most a quarter of a share",
            }),
        }
    }

    fn check_syslog(&self) -> Result<(), Fault> {
        let syslog = self.sentinel.syslog.as_str();
        let address = syslog.strip_prefix("tcp://").or(syslog.strip_prefix("udp://"));
        let is_place = syslog.is_empty()
            || syslog.starts_with('/')
            || address.unwrap_or(syslog).parse::<SocketAddr>().is_ok();
        match is_place {
            true => Ok(()),
            false => Err(Fault::Wanting {
                setting: "sentinel.syslog",
                expected: "a path, IP:PORT, or nothing",
                found: syslog.to_owned(),
                hint: "such as /dev/log, 192.0.2.1:514 or tcp://192.0.2.1:601",
            }),
        }
    }

    fn check_rules_from(&self) -> Result<(), Fault> {
        let from = self.sentinel.rules_from.as_str();
        match RULE_LEVELS.contains(&from) {
            true => Ok(()),
            false => Err(Fault::Wanting {
                setting: "sentinel.rules_from",
                expected: "informational, low, medium, high or critical",
                found: from.to_owned(),
                hint: "such as medium",
            }),
        }
    }

    /// What is half said about alarms would be found out when there is one.
    fn check_alarms(&self) -> Result<(), Fault> {
        let alarms = &self.alarms;
        let wanting = |setting, expected, found: &str, hint| {
            Err(Fault::Wanting { setting, expected, found: found.to_owned(), hint })
        };
        let secret = alarms.webhook_secret.as_path();
        if !alarms.webhook.is_empty() {
            if alarms.webhook().is_none() {
                let hint = "such as https://hooks.example/alarms";
                let expected = "https://HOST[:PORT]/PATH";
                return wanting("alarms.webhook", expected, &alarms.webhook, hint);
            }
            if secret.as_os_str().is_empty() || secret.starts_with(&self.house.data) {
                let expected = "a file outside the data folder";
                let hint = "the receiver has the same secret, and believes nobody without it";
                let found = secret.display().to_string();
                return wanting("alarms.webhook_secret", expected, &found, hint);
            }
        }
        for (setting, at) in [
            ("alarms.webhook_at", &alarms.webhook_at),
            ("alarms.mail_relay_at", &alarms.mail_relay_at),
        ] {
            if !at.is_empty() && at.parse::<SocketAddr>().is_err() {
                return wanting(setting, "IP:PORT, or nothing", at, "such as 192.0.2.1:8443");
            }
        }
        if !alarms.mail_relay.is_empty() {
            if alarms.mail_relay().is_none() {
                let expected = "HOST:PORT[:implicit|starttls|if-offered]";
                let hint = "such as relay.example:587:starttls";
                return wanting("alarms.mail_relay", expected, &alarms.mail_relay, hint);
            }
            let is_address = |text: &String| text.contains('@') && text.is_ascii();
            if !is_address(&alarms.mail_from) || !alarms.mail_to.iter().all(is_address) {
                let found = format!("{} to {}", alarms.mail_from, alarms.mail_to.join(", "));
                let hint = "addresses in ASCII, such as sekisho@example.jp";
                return wanting("alarms.mail_from, mail_to", "addresses", &found, hint);
            }
            if alarms.mail_to.is_empty() || alarms.mail_to.len() > OPERATORS {
                let found = alarms.mail_to.len().to_string();
                return wanting("alarms.mail_to", "1 to 20 addresses", &found, "who is to know?");
            }
        }
        if !(1..=GATHER_SECONDS).contains(&alarms.gather_seconds) {
            let found = alarms.gather_seconds.to_string();
            return wanting("alarms.gather_seconds", "1 to 3600", &found, "30 does for most");
        }
        Ok(())
    }
}

impl Alarms {
    /// Host, port and path; `None` where it is no address of HTTPS.
    pub fn webhook(&self) -> Option<(&str, u16, &str)> {
        let rest = self.webhook.strip_prefix("https://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, 443),
        };
        let is_host = host.contains('.') && !host.contains(['@', '[', '?', '#']);
        is_host.then_some((host, port, if path.is_empty() { "/" } else { path }))
    }

    /// Host, port and how it is secured; `None` where it is none.
    pub fn mail_relay(&self) -> Option<(&str, u16, &str)> {
        let mut words = self.mail_relay.split(':');
        let (host, port) = (words.next()?, words.next()?.parse().ok()?);
        let security = words.next().unwrap_or("starttls");
        let is_known = matches!(security, "implicit" | "starttls" | "if-offered");
        let is_whole = !host.is_empty() && is_known && words.next().is_none();
        is_whole.then_some((host, port, security))
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, manual};

    fn check(text: &str, expected: &str) {
        match Settings::parse(text) {
            Ok(_) => assert_eq!(expected, "ok", "{text}"),
            Err(fault) => {
                let found = fault.to_string();
                assert!(expected != "ok" && found.contains(expected), "{text}: {found}");
            }
        }
    }

    #[test]
    fn good_and_bad_files() {
        check("", "ok");
        check("[house]\ndata = \"/srv/mail\"\n[listen]\nsmtp = [\"127.0.0.1:2525\"]", "ok");
        check("[house]\ndata = \"here\"", "an absolute path");
        check("[house]\ncolour = 1", "unknown field");
        check("[house]\napprovals = \"two-persons\"", "ok");
        check("[house]\napprovals = \"nobody\"", "single-operator or two-persons");
        check("[rooms]", "unknown field");
        check("[house]\nuid_base = 0", "1000");
        check("[house]\nuid_base = 4294967290", "1000");
        check("[house]\ndata = \"/a\"\n[unseal]\nfile = \"/a/key\"", "outside the data folder");
        check(
            "[house]\ndata = \"/a\"\n[unseal]\nshares = [\"/b/1\", \"/a/2\"]",
            "outside the data folder",
        );
        check("[listen]\nsmtp = [\"nowhere\"]", "invalid socket address");
        check("[sentinel]\nsyslog = \"192.0.2.1:514\"\nwatch_host = true", "ok");
        check("[sentinel]\nrules_from = \"medium\"", "ok");
        check("[sentinel]\nrules_from = \"some\"", "sentinel.rules_from");
        check("[sentinel]\nsyslog = \"loghost\"", "a path, IP:PORT");
        check("[sentinel]\nsyslog = \"tcp://192.0.2.1:601\"", "ok");
        check("[sentinel]\nsyslog = \"tls://192.0.2.1:601\"", "a path, IP:PORT");
        check("[sentinel]\nsilence_seconds = 1", "5 seconds");
        check("[queue]\npassed_on_person_mib = 256", "ok");
        check("[queue]\npassed_on_person_mib = 255", "256 MiB or more");
        check("[queue]\ntenant_messages = 0", "256 MiB or more");
        let times = "[queue]\nretry_seconds = [2, 5]\nlate_seconds = 4\nexpire_seconds = 20";
        check(times, "ok");
        check("[queue]\nretry_seconds = []", "1 to 7 pauses");
        check("[queue]\nexpire_seconds = 432001", "1 to 7 pauses");
        check("[queue]\nlate_seconds = 500000", "1 to 7 pauses");
        check("[house", "do not parse");
        check("[house]\npages_name = \"localhost\"", "a host name of its own");
        check("[house]\npages_name = \"a b\"", "a host name of its own");
        for name in ["mail.example.jp", "MX1.example", "localhost", "xn--59j.example", "a-b.c"] {
            check(&format!("[house]\nhost_name = \"{name}\""), "ok");
        }
        let long = "a".repeat(64);
        for name in ["関所 メール", "関所.jp", "a b", "", ".", "a..b", "a.", "-a", "a_b", &long]
        {
            check(&format!("[house]\nhost_name = \"{name}\""), "letters, digits, hyphens");
        }
    }

    #[test]
    fn pages_are_where_something_listens_for_them() {
        let url = |text: &str| Settings::parse(text).unwrap().pages_url();
        assert_eq!(url(""), "");
        let listens = "[house]\nhost_name = \"mx.a.example\"\n[listen]\nhttps = [\"[::]:443\"]\n";
        assert_eq!(url(listens), "https://pages.mx.a.example");
        let named = "[house]\npages_name = \"go.a.example\"\n[listen]\nhttps = [\"[::]:8443\"]\n";
        assert_eq!(url(named), "https://go.a.example:8443");
    }

    #[test]
    fn alarms_are_told_to_whole_addresses() {
        let check = |text: &str, expected: &str| check(&format!("[alarms]\n{text}"), expected);
        let secret = "webhook_secret = \"/etc/sekisho/hook\"";
        check(&format!("webhook = \"https://hooks.example/a?b=c\"\n{secret}"), "ok");
        check(&format!("webhook = \"https://hooks.example:8443\"\n{secret}"), "ok");
        check(&format!("webhook = \"http://hooks.example/\"\n{secret}"), "https://HOST");
        check(&format!("webhook = \"https://u@hooks.example/\"\n{secret}"), "https://HOST");
        check("webhook = \"https://hooks.example/\"", "outside the data folder");
        check(&format!("webhook_at = \"hooks\"\n{secret}"), "IP:PORT");
        let people = "mail_from = \"a@b.example\"\nmail_to = [\"ops@b.example\"]";
        check(&format!("mail_relay = \"relay.example:587\"\n{people}"), "ok");
        check(&format!("mail_relay = \"relay.example:465:implicit\"\n{people}"), "ok");
        check(&format!("mail_relay = \"relay.example\"\n{people}"), "HOST:PORT");
        check(&format!("mail_relay = \"relay.example:25:maybe\"\n{people}"), "HOST:PORT");
        check("mail_relay = \"relay.example:25\"", "addresses");
        check("mail_relay = \"r.example:25\"\nmail_from = \"a@b.example\"", "1 to 20");
        check("gather_seconds = 0", "1 to 3600");
    }

    #[test]
    fn every_setting_is_explained() {
        assert!(manual().lines().filter(|line| line.starts_with("| `")).count() >= 9);
        assert!(!manual().contains("|  |"));
    }

    #[test]
    fn no_text_makes_it_panic() {
        let seed = "[house]\ndata = \"/srv\"\n[listen]\nsmtp = [\"[::]:25\"]\n";
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..5_000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % bytes.len();
                bytes[at] = (state >> 32) as u8;
            }
            let _ = Settings::parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
