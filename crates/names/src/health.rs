//! Whether the resolvers of this house answer at all. One that is down says nothing of whoever is
//! asked for, and mail that waits for it waits for nobody outside.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wire::control::Report;
use wire::names::{Question, RecordKind};
use wire::{Hub, Peer};

/// Whoever runs the house hears of it once in so long.
const AGAIN: Duration = Duration::from_secs(60 * 60);

pub struct Health {
    warden: Peer,
    servers: Vec<SocketAddr>,
    /// When one last said anything that was an answer to us, SERVFAIL too.
    heard: Option<Instant>,
    told: Option<Instant>,
    is_down: bool,
}

impl Health {
    pub fn new(warden: Peer, servers: Vec<SocketAddr>) -> Self {
        Self { warden, servers, heard: None, told: None, is_down: false }
    }

    pub fn heard(&mut self, now: Instant, hub: &mut Hub) {
        self.heard = Some(now);
        if std::mem::take(&mut self.is_down) {
            let text = "a resolver of this house answers again".to_owned();
            let _ = hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
        }
    }

    pub fn has_heard_since(&self, then: Instant) -> bool {
        self.heard.is_some_and(|heard| heard >= then)
    }

    /// No server has answered a question, nor the probe beside it.
    pub fn is_silent(&mut self, now: Instant, hub: &mut Hub) {
        self.is_down = true;
        if self.told.is_some_and(|told| now - told < AGAIN) {
            return;
        }
        self.told = Some(now);
        let servers: Vec<String> = self.servers.iter().map(SocketAddr::to_string).collect();
        let servers = servers.join(", ");
        let what = format!("no resolver of this house answers: {servers}; mail waits for it");
        let _ = hub.send(self.warden, 0, &Report::Attention { what }, Vec::new());
    }
}

/// Asked beside a question that nobody answers: every resolver that lives knows this name by itself
/// (RFC 6761 §6.3), so that a domain whose own servers sleep is not taken for a resolver that does.
pub fn probe() -> Question {
    Question { name: "localhost".to_owned(), kind: RecordKind::A }
}
