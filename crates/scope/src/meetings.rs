//! The connections of one instance, and which of them are accounted for.

use crate::fact::{Deed, Fact};
use terms::{ConnectionId, Kind};

/// A list is put in order when it has doubled, and not before it has so many.
const UNSORTED: usize = 1_024;

/// The connections of one instance. Most have one, so nothing is looked up while they are gathered.
#[derive(Default)]
pub(crate) struct Meetings {
    connections: Sorted<(u64, ConnectionId)>,
    delivered: Sorted<ConnectionId>,
    /// Deliveries that name no connection.
    unnamed: Vec<u64>,
    /// A deed that names no connection.
    pub active: bool,
}

impl Meetings {
    /// Hears what an instance of `component` did, or what was done to it.
    pub fn hear(&mut self, component: Kind, fact: &Fact) {
        let is_dispatch = component == Kind::Dispatch;
        match fact.deed {
            Deed::Connection => {
                fact.item.connection().into_iter().for_each(|one| self.met(fact.at_ms, one));
            }
            // It was born for one person's connection: that is how it met somebody.
            Deed::Start if is_dispatch => self.met(fact.at_ms, ConnectionId::default()),
            Deed::Arrival => match fact.item.connection() {
                Some(connection) => self.delivered.push(connection),
                // It has one connection, however late its birth was written down.
                None if is_dispatch => self.active = true,
                None => self.unnamed.push(fact.at_ms),
            },
            Deed::Passed => {
                fact.item.connection().into_iter().for_each(|one| self.delivered.push(one));
            }
            Deed::SignIn => self.active |= fact.person.is_some(),
            Deed::Send | Deed::Release | Deed::Credential => self.active = true,
            _ => {}
        }
    }

    fn met(&mut self, at_ms: u64, connection: ConnectionId) {
        self.connections.push((at_ms, connection));
    }

    /// A connection is accounted for by a delivery that names it, or that follows it before the
    /// instance's next one; or, where an instance served one only, by any deed of that instance.
    /// A delivery has its own moment, so that of connections one after the other each is known;
    /// where two were open at once, rather too many are counted than too few.
    pub fn unattributed(mut self) -> u64 {
        self.connections.settle();
        let connections = &self.connections.all;
        if connections.len() == 1 && self.active {
            return 0;
        }
        for at_ms in &self.unnamed {
            let before = connections.partition_point(|one| one.0 <= *at_ms);
            let last = before.checked_sub(1).and_then(|place| connections.get(place));
            if let Some((_, connection)) = last {
                self.delivered.push(*connection);
            }
        }
        self.delivered.settle();
        let delivered = &self.delivered.all;
        let is_named = |one: &&(u64, ConnectionId)| delivered.binary_search(&one.1).is_ok();
        let named = connections.iter().filter(is_named).count();
        (connections.len() - named) as u64
    }
}

/// A set that sorts itself now and then.
struct Sorted<T> {
    all: Vec<T>,
    sorted: usize,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { all: Vec::new(), sorted: 0 }
    }
}

impl<T: Ord + Copy> Sorted<T> {
    fn push(&mut self, one: T) {
        if self.all.last() == Some(&one) {
            return;
        }
        self.all.push(one);
        if self.all.len() >= (self.sorted * 2).max(UNSORTED) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.sorted = self.all.len();
    }
}
