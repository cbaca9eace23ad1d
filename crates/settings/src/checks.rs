//! What the settings must be beyond their shapes: each fault names one setting, what was expected,
//! what was found and what to do.

use crate::{Fault, RULE_LEVELS, Settings};
use std::net::SocketAddr;

/// Below are the system's own users, and root.
const LOWEST_UID: u32 = 1_000;
/// Room for every compartment's number above it.
const HIGHEST_UID: u32 = 2_000_000_000;
/// Pauses between attempts that may differ.
const MOST_PAUSES: usize = 7;
const DAY_SECONDS: u32 = 86_400;
/// RFC 5321 §4.5.4.1 speaks of four or five days.
const MOST_EXPIRE_SECONDS: u32 = 5 * DAY_SECONDS;
/// A share of the queue that takes the largest letter four times, and some.
const LEAST_QUEUE_MIB: u64 = 256;
/// A pebibyte: more than any disk below one house. What is larger is a slip of the finger.
const MOST_MIB: u64 = 1 << 30;
const MOST_MESSAGES: u64 = 1_000_000_000;
/// Two pulses and the ledger's patience.
const LEAST_SILENCE_SECONDS: u32 = 5;
/// Who is told by mail.
const OPERATORS: usize = 20;
const GATHER_SECONDS: u32 = 3_600;

/// A setting that is not as it should be.
fn wanting(setting: &str, expected: &str, found: impl ToString, hint: &'static str) -> Fault {
    let found = Some(found.to_string()).filter(|found| !found.is_empty());
    Fault::Wanting {
        line: None,
        setting: Some(setting.to_owned()),
        expected: expected.to_owned(),
        found: found.unwrap_or_else(|| "nothing".to_owned()),
        hint,
    }
}

/// A number within its bounds.
fn within(
    setting: &str,
    found: impl Into<u64>,
    (least, most): (u64, u64),
    hint: &'static str,
) -> Result<(), Fault> {
    let found = found.into();
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => {
            Err(wanting(setting, &format!("a whole number from {least} to {most}"), found, hint))
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.check_house()?;
        self.check_ports()?;
        self.check_sentinel()?;
        self.check_alarms()?;
        self.check_queue()?;
        self.check_names()
    }

    fn check_house(&self) -> Result<(), Fault> {
        let data = &self.house.data;
        if !data.is_absolute() {
            let found = data.display();
            return Err(wanting("house.data", "an absolute path", found, "write it from / on"));
        }
        let file = std::iter::once((&self.unseal.file, "unseal.file"));
        let unseal = file.chain(self.unseal.shares.iter().map(|share| (share, "unseal.shares")));
        if let Some((inside, setting)) = unseal.into_iter().find(|(file, _)| file.starts_with(data))
        {
            let hint = "a copy of the data must open nothing: keep the credential elsewhere";
            let expected = "places outside the data folder";
            return Err(wanting(setting, expected, inside.display(), hint));
        }
        let hint = "below are the system's own users; 61000 is free on most machines";
        let bounds = (LOWEST_UID.into(), HIGHEST_UID.into());
        within("house.uid_base", self.house.uid_base, bounds, hint)?;
        match self.house.approvals.as_str() {
            "single-operator" | "two-persons" => Ok(()),
            other => {
                let hint =
                    "two persons decide on what is dangerous; one operator is recorded as weaker";
                Err(wanting("house.approvals", "single-operator or two-persons", other, hint))
            }
        }
    }

    /// Port 0 is any free one: nobody could say where the service is, or ask there.
    fn check_ports(&self) -> Result<(), Fault> {
        let listen = &self.listen;
        let lists = [
            ("listen.smtp", &listen.smtp),
            ("listen.imaps", &listen.imaps),
            ("listen.pop3s", &listen.pop3s),
            ("listen.submissions", &listen.submissions),
            ("listen.submission", &listen.submission),
            ("listen.https", &listen.https),
            ("listen.metrics", &listen.metrics),
        ];
        for (setting, addresses) in &lists {
            if let Some(none) = addresses.iter().find(|address| address.port() == 0) {
                let hint = "port 0 means any free one; name the port, or leave the list empty";
                return Err(wanting(setting, "a port from 1 to 65535", none, hint));
            }
        }
        check_once(&lists)?;
        let relay = &self.relay;
        let hosts = relay.smart_host_ports.iter().map(|port| ("relay.smart_host_ports", *port));
        let ports = [
            ("dns.port", self.dns.port),
            ("relay.port", relay.port),
            ("relay.https_port", relay.https_port),
        ];
        for (setting, port) in ports.into_iter().chain(hosts) {
            if port == 0 {
                let hint = "nothing answers at port 0";
                return Err(wanting(setting, "a port from 1 to 65535", port, hint));
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Fault> {
        if !is_host_name(&self.house.host_name) {
            let expected = "a host name of letters, digits, hyphens and dots, at most 253 octets";
            let hint = "the name in your MX record, in A-label form: mail.example.jp or xn--….jp";
            return Err(wanting("house.host_name", expected, &self.house.host_name, hint));
        }
        let pages = self.pages_name();
        if !is_host_name(&pages) || pages.eq_ignore_ascii_case(&self.house.host_name) {
            let expected = "a host name of its own, in A-label form";
            let hint = "such as pages.example.jp: no certificate serves mail and pages";
            return Err(wanting("house.pages_name", expected, pages, hint));
        }
        Ok(())
    }

    /// A letter of the largest kind has to fit, or mail of that size never leaves.
    fn check_queue(&self) -> Result<(), Fault> {
        let queue = &self.queue;
        let pauses = &queue.retry_seconds;
        let is_pause = |pause: &u32| (1..=DAY_SECONDS).contains(pause);
        if !(1..=MOST_PAUSES).contains(&pauses.len()) || !pauses.iter().all(is_pause) {
            let expected = "1 to 7 pauses of 1 to 86400 seconds";
            let found: Vec<String> = pauses.iter().map(u32::to_string).collect();
            let hint = "RFC 5321 §4.5.4.1: minutes at first, then hours, for four or five days";
            let found = format!("[{}]", found.join(", "));
            return Err(wanting("queue.retry_seconds", expected, found, hint));
        }
        let hint = "RFC 5321 §4.5.4.1 asks for four or five days; 432000 is five";
        let bounds = (1, MOST_EXPIRE_SECONDS.into());
        within("queue.expire_seconds", queue.expire_seconds, bounds, hint)?;
        let hint = "the sender is told that mail is late before it comes back: at most \
                    `queue.expire_seconds`";
        let bounds = (1, queue.expire_seconds.into());
        within("queue.late_seconds", queue.late_seconds, bounds, hint)?;
        let hint = "a letter may have 50 MiB, and takes at most a quarter of a share";
        for (setting, mib) in [
            ("queue.tenant_mib", queue.tenant_mib),
            ("queue.passed_on_tenant_mib", queue.passed_on_tenant_mib),
            ("queue.passed_on_person_mib", queue.passed_on_person_mib),
        ] {
            within(setting, mib, (LEAST_QUEUE_MIB, MOST_MIB), hint)?;
        }
        let hint = "no disk is larger; 1024 does for most";
        within("queue.free_mib", queue.free_mib, (0, MOST_MIB), hint)?;
        let hint = "how many messages may wait";
        for (setting, messages) in [
            ("queue.tenant_messages", queue.tenant_messages),
            ("queue.passed_on_tenant_messages", queue.passed_on_tenant_messages),
            ("queue.passed_on_person_messages", queue.passed_on_person_messages),
        ] {
            within(setting, messages, (1, MOST_MESSAGES), hint)?;
        }
        Ok(())
    }

    fn check_sentinel(&self) -> Result<(), Fault> {
        let sentinel = &self.sentinel;
        let hint = "keepers are asked every 2 seconds and may wait 4 for the ledger";
        let bounds = (LEAST_SILENCE_SECONDS.into(), DAY_SECONDS.into());
        within("sentinel.silence_seconds", sentinel.silence_seconds, bounds, hint)?;
        let hint = "60 does for most";
        let bounds = (1, DAY_SECONDS.into());
        within("sentinel.fold_seconds", sentinel.fold_seconds, bounds, hint)?;
        let syslog = sentinel.syslog.as_str();
        let address = syslog.strip_prefix("tcp://").or(syslog.strip_prefix("udp://"));
        let is_place =
            syslog.is_empty() || syslog.starts_with('/') || is_address(address.unwrap_or(syslog));
        if !is_place {
            let hint = "such as /dev/log, 192.0.2.1:514 or tcp://192.0.2.1:601";
            return Err(wanting("sentinel.syslog", "a path, IP:PORT, or nothing", syslog, hint));
        }
        let from = sentinel.rules_from.as_str();
        match RULE_LEVELS.contains(&from) {
            true => Ok(()),
            false => {
                let expected = "informational, low, medium, high or critical";
                Err(wanting("sentinel.rules_from", expected, from, "such as medium"))
            }
        }
    }

    /// What is half said about alarms would be found out when there is one.
    fn check_alarms(&self) -> Result<(), Fault> {
        let alarms = &self.alarms;
        let secret = alarms.webhook_secret.as_path();
        if !alarms.webhook.is_empty() {
            if alarms.webhook().is_none_or(|(_, port, _)| port == 0) {
                let hint = "such as https://hooks.example/alarms";
                let expected = "https://HOST[:PORT]/PATH";
                return Err(wanting("alarms.webhook", expected, &alarms.webhook, hint));
            }
            if secret.as_os_str().is_empty() || secret.starts_with(&self.house.data) {
                let expected = "a file outside the data folder";
                let hint = "the receiver has the same secret, and believes nobody without it";
                return Err(wanting("alarms.webhook_secret", expected, secret.display(), hint));
            }
        }
        for (setting, at) in [
            ("alarms.webhook_at", &alarms.webhook_at),
            ("alarms.mail_relay_at", &alarms.mail_relay_at),
        ] {
            if !at.is_empty() && !is_address(at) {
                return Err(wanting(setting, "IP:PORT, or nothing", at, "such as 192.0.2.1:8443"));
            }
        }
        if !alarms.mail_relay.is_empty() {
            self.check_relay()?;
        }
        let bounds = (1, GATHER_SECONDS.into());
        within("alarms.gather_seconds", alarms.gather_seconds, bounds, "30 does for most")
    }

    fn check_relay(&self) -> Result<(), Fault> {
        let alarms = &self.alarms;
        if alarms.mail_relay().is_none_or(|(_, port, _)| port == 0) {
            let expected = "HOST:PORT[:implicit|starttls|if-offered]";
            let hint = "such as relay.example:587:starttls";
            return Err(wanting("alarms.mail_relay", expected, &alarms.mail_relay, hint));
        }
        let is_address = |text: &String| text.contains('@') && text.is_ascii();
        let hint = "addresses in ASCII, such as sekisho@example.jp";
        if !is_address(&alarms.mail_from) {
            return Err(wanting("alarms.mail_from", "an address", &alarms.mail_from, hint));
        }
        if let Some(other) = alarms.mail_to.iter().find(|text| !is_address(text)) {
            return Err(wanting("alarms.mail_to", "an address", other, hint));
        }
        match alarms.mail_to.len() {
            1..=OPERATORS => Ok(()),
            found => Err(wanting("alarms.mail_to", "1 to 20 addresses", found, "who is to know?")),
        }
    }
}

/// One socket serves one thing: the second to listen at an address would be refused by the system.
fn check_once(lists: &[(&str, &Vec<SocketAddr>)]) -> Result<(), Fault> {
    let mut known: Vec<(&str, SocketAddr)> = Vec::new();
    for (setting, addresses) in lists {
        for address in addresses.iter() {
            let takes = |other: &&(&str, SocketAddr)| is_taken(other.1, *address);
            if let Some((other, _)) = known.iter().find(takes) {
                let found = format!("{address}, which stands in `{other}` already");
                let hint = "name each address and port once: one service listens at each";
                return Err(wanting(
                    setting,
                    "addresses that nothing else listens at",
                    found,
                    hint,
                ));
            }
            known.push((setting, *address));
        }
    }
    Ok(())
}

/// Whether whoever listens at the first leaves no room for the second.
fn is_taken(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (is_any || one.ip() == other.ip())
}

/// `IP:PORT`, of a port that something can answer at.
fn is_address(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0)
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
