//! Connections that took letters at once and may take more: kept for a moment, for what the next
//! batch has for the same hop.

use crate::conversation::Conversation;
use crate::road::{Care, Host};
use std::time::Instant;
use wire::post::Hop;

/// Connections kept at once.
const PLACES: usize = 32;

/// What a connection was made for: a hop, and how much was asked of the way.
pub(crate) type Way = (Hop, Care);

pub(crate) struct Parked {
    pub way: Way,
    pub host: Host,
    pub conversation: Conversation,
    /// Letters that it may still carry.
    pub letters: usize,
    pub until: Instant,
}

#[derive(Default)]
pub(crate) struct Lot(Vec<Parked>);

impl Lot {
    pub(crate) fn park(&mut self, parked: Parked) {
        if self.0.len() >= PLACES {
            self.0.remove(0).conversation.leave();
        }
        self.0.push(parked);
    }

    /// One that leads there, if it is young enough.
    pub(crate) fn take(&mut self, way: &Way) -> Option<Parked> {
        self.close_old(Instant::now());
        let place = self.0.iter().position(|parked| parked.way == *way)?;
        Some(self.0.remove(place))
    }

    /// When the next one is to be closed.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.0.iter().map(|parked| parked.until).min()
    }

    pub(crate) fn close_old(&mut self, now: Instant) {
        let old = self.0.extract_if(.., |parked| parked.until <= now);
        old.for_each(|parked| parked.conversation.leave());
    }

    pub(crate) fn close_all(&mut self) {
        self.0.drain(..).for_each(|parked| parked.conversation.leave());
    }
}
