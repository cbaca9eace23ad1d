//! A destination: how wide it is, who waits there, and to whom it is closed.
//!
//! What one tenant could not reach is closed to that tenant: its own address may be refused there,
//! or whoever carries for it may lie. To the others it is closed once one of them could not reach
//! it either; and if one of them reaches it, it stays closed to the first alone until its time.

use super::Line;
use crate::state::closed_seconds;
use std::collections::VecDeque;

/// Batches of one destination at once: most receivers count connections of one client.
const WIDEST: u16 = 16;
/// A destination that was not seen yet.
pub(super) const FIRST_WIDTH: u16 = 4;
/// Tenants that are remembered of those that could not reach it, in the order of their last try.
const TRIED: usize = 64;

pub(super) struct Road {
    pub leaving: u16,
    pub width: u16,
    /// In a row, of all.
    pub failures: u8,
    closed_until: u32,
    /// Who could not reach it since it was reached last; the last to try stands last.
    tried: VecDeque<u32>,
    /// It is closed to all, and not only to the one that tried last.
    is_confirmed: bool,
    /// As wide it was before it was closed.
    before: u16,
    /// The tenant that was contradicted: to it alone it is closed until then.
    left_out: Option<(u32, u32)>,
    pub parked: VecDeque<Line>,
}

impl Default for Road {
    fn default() -> Self {
        Self {
            leaving: 0,
            width: FIRST_WIDTH,
            failures: 0,
            closed_until: 0,
            tried: VecDeque::new(),
            is_confirmed: false,
            before: FIRST_WIDTH,
            left_out: None,
            parked: VecDeque::new(),
        }
    }
}

impl Road {
    pub fn is_closed(&self, now: u32) -> bool {
        self.closed_until > now
    }

    pub fn is_closed_to(&self, tenant: u32, now: u32) -> bool {
        let is_shut = |until: u32| until > now;
        match self.shuts_out(tenant) {
            true => is_shut(self.closed_until),
            false => self.left_out.is_some_and(|(of, until)| of == tenant && is_shut(until)),
        }
    }

    /// Whether a closing holds for this tenant.
    fn shuts_out(&self, tenant: u32) -> bool {
        self.closed_until > 0 && (self.is_confirmed || self.tried.back() == Some(&tenant))
    }

    pub fn failures(&self, tenant: u32) -> Option<(u8, u32)> {
        match self.left_out.filter(|(of, _)| *of == tenant) {
            Some((_, until)) => Some((self.failures.max(1), until)),
            None if self.is_confirmed || self.tried.back() == Some(&tenant) => {
                Some((self.failures, self.closed_until)).filter(|(failures, _)| *failures > 0)
            }
            None => None,
        }
    }

    /// One of this tenant's batches could not reach it. Until when it is closed, if that is new.
    pub fn unreachable(&mut self, tenant: u32, now: u32) -> Option<u32> {
        let is_anothers = self.tried.back().is_some_and(|last| *last != tenant);
        if self.closed_until > now && self.failures > 0 {
            if is_anothers {
                self.is_confirmed = true;
                self.note(tenant);
            }
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        self.is_confirmed = is_anothers;
        self.note(tenant);
        self.closed_until = now.saturating_add(closed_seconds(self.failures));
        if self.width > 1 {
            self.before = self.width;
        }
        self.width = 1;
        Some(self.closed_until)
    }

    fn note(&mut self, tenant: u32) {
        self.tried.retain(|tried| *tried != tenant);
        if self.tried.len() >= TRIED {
            self.tried.pop_front();
        }
        self.tried.push_back(tenant);
    }

    /// One of this tenant's batches reached it. Until when it stays closed to another, whose word
    /// alone it was that nobody can.
    pub fn reached(&mut self, tenant: u32) -> Option<u32> {
        let contradicted = self.tried.back().copied().filter(|of| *of != tenant);
        let contradicted = contradicted.filter(|_| self.closed_until > 0 && !self.is_confirmed);
        if let Some(of) = contradicted {
            self.left_out = Some((of, self.closed_until));
            self.width = self.before;
        } else if self.left_out.is_some_and(|(of, _)| of == tenant) {
            self.left_out = None;
        }
        self.lift();
        self.width = (self.width + 1).min(WIDEST);
        contradicted.and(self.left_out).map(|(_, until)| until)
    }

    fn lift(&mut self) {
        (self.failures, self.closed_until, self.is_confirmed) = (0, 0, false);
        self.tried.clear();
    }

    /// Opens now what is closed. Whether anything was.
    pub fn hurry(&mut self, now: u32) -> bool {
        let is_closed = self.closed_until > now || self.left_out.is_some();
        if self.closed_until > now {
            self.closed_until = now;
        }
        self.left_out = None;
        is_closed
    }

    /// Its time has come. Whether anything opened.
    pub fn open(&mut self, now: u32) -> bool {
        if self.left_out.is_some_and(|(_, until)| until <= now) {
            self.left_out = None;
        }
        if self.closed_until > now {
            return false;
        }
        self.closed_until = 0;
        true
    }

    /// Of those that wait, the first to which it is not closed.
    pub fn call(&mut self) -> Option<Line> {
        let is_called = |(side, _): &Line| {
            let is_left_out = self.left_out.is_some_and(|(of, _)| of == side.tenant);
            !is_left_out && !self.shuts_out(side.tenant)
        };
        let at = self.parked.iter().position(is_called)?;
        self.parked.remove(at)
    }

    /// The same as it opens: first those that have not tried it, then who tried longest ago.
    pub fn call_anew(&mut self) -> Option<Line> {
        let is_left_out = |of: u32| self.left_out.is_some_and(|(tenant, _)| tenant == of);
        let turn = |(side, _): &Line| {
            let tried = self.tried.iter().position(|tried| *tried == side.tenant);
            tried.map_or(0, |place| place + 1)
        };
        let waiting = self.parked.iter().enumerate();
        let waiting = waiting.filter(|(_, (side, _))| !is_left_out(side.tenant));
        let (at, _) = waiting.min_by_key(|(_, line)| turn(line))?;
        self.parked.remove(at)
    }

    /// Nobody has mail for it now: who waits there is called.
    pub fn forget(&mut self) -> VecDeque<Line> {
        self.lift();
        self.left_out = None;
        std::mem::take(&mut self.parked)
    }

    /// Whether nothing of it need be remembered.
    pub fn is_idle(&self) -> bool {
        let is_quiet = self.leaving == 0 && self.parked.is_empty();
        is_quiet && self.failures == 0 && self.left_out.is_none()
    }
}
