//! The start-up file: one TOML, each setting documented where it is declared.
//!
//! The doc comment is the manual; `docs/generated/config.md` is made from it. Unknown keys are
//! errors. Secrets are references, never values. Tenants, people and rules are not here: they live
//! in the store and change through recorded commands.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod checks;
mod manual;
mod place;

pub use manual::manual;

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The largest start-up file read.
const FILE_BYTES: u64 = 1024 * 1024;

/// Why a start-up file does not do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not read the settings in {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// `line`: in which line it stands; none where the file does not set it.
    #[error("{}expected {expected}, found {found}\nhint: {hint}", place(*line, setting.as_deref()))]
    Wanting {
        line: Option<usize>,
        setting: Option<String>,
        expected: String,
        found: String,
        hint: &'static str,
    },
}

fn place(line: Option<usize>, setting: Option<&str>) -> String {
    let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{line}{}", setting.map(|setting| format!("`{setting}`: ")).unwrap_or_default())
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
        let bytes = std::fs::metadata(path).map_err(fault)?.len();
        if bytes > FILE_BYTES {
            return Err(Fault::Wanting {
                line: None,
                setting: None,
                expected: format!("a file of at most {FILE_BYTES} octets"),
                found: format!("{bytes} octets"),
                hint: "tenants, people and rules are not here: they are made by commands",
            });
        }
        Self::from_octets(std::fs::read(path).map_err(fault)?)
    }

    fn from_octets(octets: Vec<u8>) -> Result<Self, Fault> {
        match String::from_utf8(octets) {
            Ok(text) => Self::parse(&text),
            Err(error) => {
                let (at, octets) = (error.utf8_error().valid_up_to(), error.as_bytes());
                Err(Fault::Wanting {
                    line: Some(place::line_at(octets, at)),
                    setting: None,
                    expected: "UTF-8".to_owned(),
                    found: format!("the octet 0x{:02x}", octets.get(at).copied().unwrap_or(0)),
                    hint: "save the file as UTF-8: no Shift_JIS, EUC-JP or UTF-16",
                })
            }
        }
    }

    pub fn parse(text: &str) -> Result<Self, Fault> {
        let settings: Self = toml::from_str(text).map_err(|error| place::unread(text, &error))?;
        settings.check().map_err(|mut fault| {
            if let Fault::Wanting { line, setting: Some(setting), .. } = &mut fault {
                *line = place::line_of(text, setting);
            }
            fault
        })?;
        Ok(settings)
    }

    /// What a file that a setting names must be, as a fault of that setting.
    pub fn wanting(
        path: &Path,
        setting: &str,
        (expected, found): (&str, String),
        hint: &'static str,
    ) -> Fault {
        let (setting, expected) = (setting.to_owned(), expected.to_owned());
        let line = Self::line_of(path, &setting);
        Fault::Wanting { line, setting: Some(setting), expected, found, hint }
    }

    /// The line of a file that sets `section.name`, if one does.
    pub fn line_of(path: &Path, setting: &str) -> Option<usize> {
        place::line_of(&std::fs::read_to_string(path).ok()?, setting)
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
        let twice = "line 2: `listen.smtp`: expected addresses that nothing else listens at, found \
                     127.0.0.1:2525, which stands in `listen.smtp` already";
        check("[listen]\nsmtp = [\"127.0.0.1:2525\", \"127.0.0.1:2525\"]", twice);
        let other = "line 3: `listen.imaps`: expected addresses that nothing else listens at, \
                     found 127.0.0.1:2525, which stands in `listen.smtp` already";
        let both = "[listen]\nsmtp = [\"127.0.0.1:2525\"]\nimaps = [\"127.0.0.1:2525\"]";
        check(both, other);
        check(
            "[listen]\nsmtp = [\"0.0.0.0:2525\", \"127.0.0.1:2525\"]",
            "in `listen.smtp` already",
        );
        check("[listen]\nsmtp = [\"127.0.0.2:2525\", \"127.0.0.1:2525\", \"[::1]:2525\"]", "ok");
        let known =
            "line 2: expected a setting of [house]: data, host_name, pages_name, uid_base, ";
        check("[house]\ncolour = 1", known);
        check("[house]\napprovals = \"two-persons\"", "ok");
        check("[house]\napprovals = \"nobody\"", "single-operator or two-persons");
        check("[rooms]", "line 1: expected a section: house, listen, dns, ");
        check("[house]\nuid_base = 0", "1000");
        check("[house]\nuid_base = 4294967290", "1000");
        check("[house]\ndata = \"/a\"\n[unseal]\nfile = \"/a/key\"", "outside the data folder");
        check(
            "[house]\ndata = \"/a\"\n[unseal]\nshares = [\"/b/1\", \"/a/2\"]",
            "outside the data folder",
        );
        check("[listen]\nsmtp = [\"nowhere\"]", "line 2: `listen.smtp`: expected IP:PORT, such as");
        check("[sentinel]\nsyslog = \"192.0.2.1:514\"\nwatch_host = true", "ok");
        check("[sentinel]\nrules_from = \"medium\"", "ok");
        check("[sentinel]\nrules_from = \"some\"", "sentinel.rules_from");
        check("[sentinel]\nsyslog = \"loghost\"", "a path, IP:PORT");
        check("[sentinel]\nsyslog = \"tcp://192.0.2.1:601\"", "ok");
        check("[sentinel]\nsyslog = \"tls://192.0.2.1:601\"", "a path, IP:PORT");
        check("[sentinel]\nsilence_seconds = 1", "a whole number from 5 to 86400, found 1");
        check("[queue]\npassed_on_person_mib = 256", "ok");
        let expected = "line 2: `queue.passed_on_person_mib`: expected a whole number from 256 to ";
        check("[queue]\npassed_on_person_mib = 255", expected);
        let expected =
            "`queue.tenant_messages`: expected a whole number from 1 to 1000000000, found 0";
        check("[queue]\ntenant_messages = 0", expected);
        check("[queue]\nfree_mib = 0", "ok");
        check("[queue]\nfree_mib = 1073741824", "ok");
        let expected = "`queue.free_mib`: expected a whole number from 0 to 1073741824, found 99";
        check("[queue]\nfree_mib = 999999999999", expected);
        let times = "[queue]\nretry_seconds = [2, 5]\nlate_seconds = 4\nexpire_seconds = 20";
        check(times, "ok");
        check("[queue]\nretry_seconds = []", "`queue.retry_seconds`: expected 1 to 7 pauses");
        check("[queue]\nretry_seconds = [0, 5]", "found [0, 5]\n");
        check(
            "[queue]\nexpire_seconds = 432001",
            "`queue.expire_seconds`: expected a whole number",
        );
        check("[queue]\nlate_seconds = 500000", "`queue.late_seconds`: expected a whole number");
        check("[queue]\nexpire_seconds = 60", "`queue.late_seconds`: expected");
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

    /// Whoever wrote the file reads what was expected, what was found and where; nothing of Rust.
    #[test]
    fn what_does_not_parse_is_said_in_sentences() {
        check("# 関所\n[house", "line 2: expected NAME = VALUE, or [SECTION], found [house\n");
        check(
            "[dns]\nport = 53\nport = 54",
            "line 3: `dns.port`: expected each setting once, found",
        );
        let whole = "line 3: `dns.port`: expected a whole number from 0 to 65535, found 70000\n";
        check("[dns]\n\nport = 70000", whole);
        check("[queue]\nfree_mib = -1", "`queue.free_mib`: expected a whole number, 0 or more");
        let far = "[queue]\nfree_mib = 99999999999999999999999";
        check(far, "line 2: ");
        check(
            "\u{feff}[house]\ndata = \"here\"",
            "line 2: `house.data`: expected an absolute path",
        );
        check("[house]\ndata = 5", "line 2: `house.data`: expected a text in quotes, found 5\n");
        check("[sentinel]\nfreeze = \"on\"", "`sentinel.freeze`: expected true or false");
        check("[listen]\nsmtp = 25", "`listen.smtp`: expected a list in brackets, found 25\n");
        let list = "[listen]\nsmtp = [\n  \"127.0.0.1:25\",\n  \"localhost:26\",\n]";
        check(list, "line 4: `listen.smtp`: expected IP:PORT, such as 192.0.2.1:25");
        check("house = 5", "line 1: `house`: expected a section, with its settings below");
        check("[dns]\nservers = [\"one\"]", "`dns.servers`: expected an IP address");
        let octets = b"[house]\n# \x8a\xd6\x8f\x8a\n".to_vec();
        let said = Settings::from_octets(octets).unwrap_err().to_string();
        assert!(said.starts_with("line 2: expected UTF-8, found the octet 0x8a\n"), "{said}");
    }

    #[test]
    fn ports_are_ports() {
        for text in [
            "[listen]\nsmtp = [\"127.0.0.1:2525\", \"[::1]:0\"]",
            "[listen]\nmetrics = [\"127.0.0.1:0\"]",
            "[dns]\nport = 0",
            "[relay]\nport = 0",
            "[relay]\nhttps_port = 0",
            "[relay]\nsmart_host_ports = [25, 0]",
        ] {
            check(text, "line 2: `");
            check(text, "expected a port from 1 to 65535, found ");
        }
        check("[sentinel]\nsyslog = \"192.0.2.1:0\"", "a path, IP:PORT");
        check("[alarms]\nwebhook_at = \"192.0.2.1:0\"", "IP:PORT");
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
        check("mail_relay = \"relay.example:25\"", "`alarms.mail_from`: expected an address");
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
