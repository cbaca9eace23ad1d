//! Saying it: our own series in the ledger, and the line for a log.

use compartment::now_ms;
use evidence::{Author, Body, Word};
use journal::{Carrier, Heard};
use std::time::Instant;
use terms::Kind;
use vigil::Incident;
use wire::control::{Keys, Start};
use wire::{Frame, Hub, Peer};

/// Incidents that may wait for the ledger.
const WAITING: usize = 8_192;
/// RFC 5424 §6.1: every receiver takes so much.
const SYSLOG_BYTES: usize = 480;
/// RFC 5424 §6.2.1: facility 10 (security), severity 1 (act at once).
const PRIORITY: u8 = 10 * 8 + 1;

/// Our own series in the ledger.
pub struct Pen {
    carrier: Carrier,
    recorded: u64,
    acknowledged: u64,
}

impl Pen {
    pub fn new(start: &Start) -> Self {
        let author = Author::new(Kind::Sentinel, start.instance, &compartment::random());
        let carrier = Carrier::new(author, WAITING).with_keys_of(start);
        Self { carrier, recorded: 0, acknowledged: 0 }
    }

    pub fn public(&self) -> [u8; 32] {
        self.carrier.public()
    }

    /// Takes an incident down; `false`: too many wait.
    pub fn record(&mut self, incident: &Incident, after_ms: u64) -> bool {
        let body = Body::Incident {
            cause: Word::new(incident.cause.word()),
            kind: incident.kind,
            instance: incident.instance,
            tenant: incident.tenant,
            user: incident.user,
            count: incident.count,
            what: Word::new(&incident.what),
            rule: incident.rule.as_deref().map(Word::new),
            after_ms,
        };
        let is_taken = self.carrier.record(now_ms(), body);
        self.recorded += u64::from(is_taken);
        is_taken
    }

    /// Entries of ours so far, and how many of them the ledger has taken.
    pub fn counts(&self) -> (u64, u64) {
        (self.recorded, self.acknowledged)
    }

    /// Keys that were not known at the start.
    pub fn learn(&mut self, keys: Keys) {
        self.carrier.learn(keys);
    }

    pub fn join(&mut self, ledger: Peer) {
        self.carrier.join(ledger);
    }

    pub fn lost(&mut self) {
        self.carrier.lost();
    }

    pub fn is_idle(&self) -> bool {
        self.carrier.waiting() == 0
    }

    /// Sends what waits; what the warden is told of the ledger.
    pub fn tend(&mut self, hub: &mut Hub) -> Option<String> {
        self.carrier.tend(hub, Instant::now(), true);
        self.carrier.take_lie()
    }

    /// The ledger's answer to what was sent.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) {
        if let Heard::Taken(count) = self.carrier.hear(peer, frame) {
            self.acknowledged += count as u64;
        }
    }
}

/// One line for a log (RFC 5424): ids and words of ours, nothing else.
pub fn syslog_line(
    incident: &Incident,
    rule: Option<(&str, &str)>,
    (house, at): (&str, &str),
) -> String {
    let id = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
    let kind = incident.kind.map_or("-", Kind::word);
    let mut line = format!(
        "<{PRIORITY}>1 {at} {house} sekisho - {} - {kind} {} tenant {} person {} times {}: {}",
        incident.cause.word(),
        id(incident.instance.map(|instance| instance.to_string())),
        id(incident.tenant.map(|tenant| tenant.to_string())),
        id(incident.user.map(|user| user.to_string())),
        incident.count,
        incident.what,
    );
    if let Some((title, author)) = rule {
        line.push_str(&format!(" (Sigma: {title}, by {author})"));
    }
    let mut line = terms::plain::in_a_line(&line, SYSLOG_BYTES);
    line.truncate(line.floor_char_boundary(SYSLOG_BYTES));
    line
}

#[cfg(test)]
mod tests {
    use super::syslog_line;
    use terms::{InstanceId, Kind};
    use vigil::{Cause, Incident};

    #[test]
    fn a_line_is_rfc_5424_and_short() {
        let incident = Incident::new(Cause::OffCharter, "execve: refused\nx\u{202e}");
        let incident = incident.of(InstanceId([1; 6]), Kind::Edge);
        let line = syslog_line(&incident, None, ("mx.example", "2026-11-29T09:00:00.000Z"));
        let head = "<81>1 2026-11-29T09:00:00.000Z mx.example sekisho - off-charter - edge ";
        assert!(line.starts_with(head), "{line}");
        assert!(line.ends_with("times 1: execve: refused x<U+202E>"), "{line}");
        let long = Incident::new(Cause::Rule, "あ".repeat(900));
        let line = syslog_line(&long, Some(("Title", "Author")), ("-", "-"));
        assert!(line.len() <= 480);
    }
}
