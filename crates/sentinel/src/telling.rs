//! Saying it: our own series in the ledger, and the line for a log.

use compartment::now_ms;
use evidence::{Author, Body, Outbox, Word};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use vigil::Incident;
use wire::ledger::{FromLedger, ToLedger};
use wire::{Frame, Hub, Peer};

/// Incidents that may wait for the ledger.
const WAITING: usize = 8_192;
/// An append without an answer is sent again after this.
const PATIENCE: Duration = Duration::from_secs(3);
/// RFC 5424 §6.1: every receiver takes so much.
const SYSLOG_BYTES: usize = 480;
/// RFC 5424 §6.2.1: facility 10 (security), severity 1 (act at once).
const PRIORITY: u8 = 10 * 8 + 1;
/// Appends have odd numbers, so that the stream's questions cannot be taken for them.
const STEP: u32 = 2;

/// Our own series in the ledger.
pub struct Pen {
    outbox: Outbox,
    flight: Option<(usize, Instant)>,
    next_call: u32,
    recorded: u64,
    acknowledged: u64,
}

impl Pen {
    pub fn new(instance: InstanceId) -> Self {
        let author = Author::new(Kind::Sentinel, instance, &compartment::random());
        let outbox = Outbox::new(author, WAITING);
        Self { outbox, flight: None, next_call: 1, recorded: 0, acknowledged: 0 }
    }

    pub fn public(&self) -> [u8; 32] {
        self.outbox.author().public_key().0
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
        let is_taken = self.outbox.record(now_ms(), body);
        self.recorded += u64::from(is_taken);
        is_taken
    }

    /// Entries of ours so far, and how many of them the ledger has taken.
    pub fn counts(&self) -> (u64, u64) {
        (self.recorded, self.acknowledged)
    }

    pub fn lost(&mut self) {
        self.flight = None;
    }

    pub fn is_idle(&self) -> bool {
        self.outbox.waiting() == 0
    }

    /// Sends what waits, one frame at a time.
    pub fn tend(&mut self, hub: &mut Hub, ledger: Option<Peer>) {
        if self.flight.is_some_and(|(_, since)| since.elapsed() >= PATIENCE) {
            self.flight = None;
        }
        let Some(ledger) = ledger.filter(|_| self.flight.is_none() && !self.is_idle()) else {
            return;
        };
        let entries = self.outbox.frames();
        let count = entries.len();
        self.next_call = self.next_call.wrapping_add(STEP) | 1;
        let append = ToLedger::Append { entries, prove: false };
        if hub.send(ledger, self.next_call, &append, Vec::new()).is_ok() {
            self.flight = Some((count, Instant::now()));
        }
    }

    /// The ledger's answer to an append.
    pub fn answered(&mut self, frame: &Frame) {
        if frame.call != self.next_call {
            return;
        }
        if let (Some((count, _)), Ok(FromLedger::Taken { .. } | FromLedger::Proved { .. })) =
            (self.flight, frame.read())
        {
            self.flight = None;
            self.outbox.acknowledged(count);
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
    let plain = |one: char| if one.is_control() { ' ' } else { one };
    let mut line: String = line.chars().map(plain).collect();
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
        let incident = Incident::new(Cause::OffCharter, "execve: refused\nx");
        let incident = incident.of(InstanceId([1; 6]), Kind::Edge);
        let line = syslog_line(&incident, None, ("mx.example", "2026-11-29T09:00:00.000Z"));
        let head = "<81>1 2026-11-29T09:00:00.000Z mx.example sekisho - off-charter - edge ";
        assert!(line.starts_with(head), "{line}");
        assert!(line.ends_with("times 1: execve: refused x"), "{line}");
        let long = Incident::new(Cause::Rule, "あ".repeat(900));
        let line = syslog_line(&long, Some(("Title", "Author")), ("-", "-"));
        assert!(line.len() <= 480);
    }
}
