//! The sockets that the warden handed out: each is connected to one server, and serves one
//! question.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use wire::control::Report;
use wire::{Hub, Peer};

/// Kept ready for a server over UDP, so that most questions wait for nobody.
const READY: usize = 16;
/// Asked for at once.
const AT_ONCE: u16 = 32;

/// To which server, over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// Its place among the configured ones.
    pub server: u16,
    pub over_tcp: bool,
}

pub struct Sockets {
    warden: Peer,
    idle: HashMap<Way, Vec<OwnedFd>>,
    asked: HashSet<Way>,
}

impl Sockets {
    pub fn new(warden: Peer) -> Self {
        Self { warden, idle: HashMap::new(), asked: HashSet::new() }
    }

    /// A fresh socket, if one is there; else it is on its way.
    pub fn take(&mut self, way: Way, hub: &mut Hub) -> Option<OwnedFd> {
        let idle = self.idle.entry(way).or_default();
        let found = idle.pop();
        let is_low = !way.over_tcp && idle.len() < READY / 2;
        if found.is_none() || is_low {
            self.ask(way, hub);
        }
        found
    }

    /// The warden answers each request once, so that one is enough.
    pub fn ask(&mut self, way: Way, hub: &mut Hub) {
        if self.asked.insert(way) {
            let sockets = if way.over_tcp { 1 } else { AT_ONCE };
            let Way { server, over_tcp } = way;
            let report = Report::Resolvers { server, over_tcp, sockets };
            // A warden that is gone is noticed by the hub.
            let _ = hub.send(self.warden, 0, &report, Vec::new());
        }
    }

    pub fn handed(&mut self, way: Way, sockets: Vec<OwnedFd>) {
        self.asked.remove(&way);
        self.idle.entry(way).or_default().extend(sockets);
    }
}
