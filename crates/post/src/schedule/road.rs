//! A destination: how wide it is, who waits there, and to whom it is closed.
//!
//! What one tenant could not reach is closed to that tenant: its own address may be refused there,
//! or whoever carries for it may lie. To the others it is closed once one of them could not reach
//! it either; and if one of them reaches it, it stays closed to the first alone until its time.
//!
//! What stands between one tenant and a host that it named (its sign-in, the TLS that it demands)
//! closes it to that tenant, and says nothing to the others, however many it is so with.

use super::{Line, Schedule, Side, Trip};
use crate::state::closed_seconds;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use terms::UserId;
use wire::post::Why;

/// Batches of one destination at once: most receivers count connections of one client.
const WIDEST: u16 = 16;
/// A destination that was not seen yet: if it is dead, so many are kept by it.
pub(super) const FIRST_WIDTH: u16 = 2;
/// Beyond its width, for tenants of which nothing is under way there: a carrier that keeps what it
/// has keeps others' mail from no place.
const SPARE: u16 = 2;
/// Batches of one line at once to a destination that is not known to be quick: wide as it was, it
/// may be dead by now, and takes little of anybody's share of such batches.
const OF_ONE_LINE: usize = 2;
/// Tenants that are remembered of those that could not reach it, in the order of their last try.
const TRIED: usize = 64;

/// What stands between a destination and one tenant.
struct Refused {
    why: Why,
    /// In a row.
    failures: u8,
    /// 0: one of its batches may try.
    until: u32,
}

pub(super) struct Road {
    /// Batches under way; of those that may be kept there, whose they are.
    under_way: Vec<(Side, Vec<UserId>)>,
    width: u16,
    /// It took mail at once when it was last tried, as far as was last seen.
    pub is_quick: bool,
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
    /// Tenants that it does not serve: at most those that named it.
    refused: HashMap<u32, Refused>,
    pub parked: VecDeque<Line>,
}

impl Default for Road {
    fn default() -> Self {
        Self {
            under_way: Vec::new(),
            width: FIRST_WIDTH,
            is_quick: false,
            failures: 0,
            closed_until: 0,
            tried: VecDeque::new(),
            is_confirmed: false,
            before: FIRST_WIDTH,
            left_out: None,
            refused: HashMap::new(),
            parked: VecDeque::new(),
        }
    }
}

/// Whose places a batch takes if its destination keeps it.
fn kept_of(trip: &Trip) -> &[UserId] {
    if trip.is_strange { &trip.users } else { &[] }
}

impl Road {
    pub fn set_out(&mut self, trip: &Trip) {
        self.under_way.push((trip.side, kept_of(trip).to_vec()));
    }

    pub fn returned(&mut self, trip: &Trip) {
        let is_it =
            |(side, users): &(Side, Vec<UserId>)| *side == trip.side && *users == kept_of(trip);
        if let Some(at) = self.under_way.iter().position(is_it) {
            self.under_way.remove(at);
        }
    }

    fn leaving(&self) -> u16 {
        u16::try_from(self.under_way.len()).unwrap_or(u16::MAX)
    }

    /// Whether one more of a tenant's batches may not set out for it now.
    pub fn is_full_to(&self, tenant: u32) -> bool {
        let is_there = || self.under_way.iter().any(|(side, _)| side.tenant == tenant);
        match self.leaving().checked_sub(self.width) {
            None => false,
            // One that broke is tried by one.
            Some(beyond) => beyond >= SPARE || self.failures > 0 || is_there(),
        }
    }

    /// Whether it may keep as much of this line's as it may of any.
    pub fn has_enough_of(&self, (side, user): &Line) -> bool {
        let is_theirs = |(of, users): &&(Side, Vec<UserId>)| of == side && users.contains(user);
        !self.is_quick && self.under_way.iter().filter(is_theirs).count() >= OF_ONE_LINE
    }

    /// How many that wait there may be called.
    pub fn room(&self) -> u16 {
        self.width.saturating_sub(self.leaving()).max(1)
    }

    pub fn is_closed(&self, now: u32) -> bool {
        self.closed_until > now
    }

    pub fn is_closed_to(&self, tenant: u32, now: u32) -> bool {
        let is_shut = |until: u32| until > now;
        if self.refusal(tenant).is_some_and(|refused| is_shut(refused.until)) {
            return true;
        }
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
        if let Some(refused) = self.refusal(tenant) {
            return Some((refused.failures, refused.until));
        }
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

    fn refusal(&self, tenant: u32) -> Option<&Refused> {
        self.refused.get(&tenant)
    }

    /// What stands between it and this tenant.
    pub fn refused_for(&self, tenant: u32) -> Option<Why> {
        self.refusal(tenant).map(|refused| refused.why)
    }

    /// It does not serve one of this tenant's batches. Until when it is closed to it, if that is
    /// new.
    pub fn refuses(&mut self, tenant: u32, now: u32, why: Why) -> Option<u32> {
        let new = Refused { why, failures: 0, until: 0 };
        let known = self.refused.entry(tenant).or_insert(new);
        known.why = why;
        if known.until > now {
            return None;
        }
        known.failures = known.failures.saturating_add(1);
        known.until = now.saturating_add(closed_seconds(known.failures));
        Some(known.until)
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
        self.refused.remove(&tenant);
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
        let is_refused = self.refused.values().any(|refused| refused.until > now);
        let is_closed = self.closed_until > now || self.left_out.is_some() || is_refused;
        self.refused.values_mut().for_each(|refused| refused.until = refused.until.min(now));
        if self.closed_until > now {
            self.closed_until = now;
        }
        self.left_out = None;
        is_closed
    }

    /// Its time has come. Whether anything opened.
    pub fn open(&mut self, now: u32) -> bool {
        let over = self.refused.values_mut().filter(|refused| refused.until <= now);
        over.for_each(|refused| refused.until = 0);
        if self.left_out.is_some_and(|(_, until)| until <= now) {
            self.left_out = None;
        }
        if self.closed_until > now {
            return false;
        }
        self.closed_until = 0;
        true
    }

    /// Of those that wait, the place of the first that may set out.
    pub fn first(&self) -> Option<usize> {
        let may_set_out = |line: &Line| {
            let tenant = line.0.tenant;
            let is_open = !self.is_left_out(tenant) && !self.shuts_out(tenant);
            is_open && !self.is_full_to(tenant) && !self.has_enough_of(line)
        };
        self.parked.iter().position(may_set_out)
    }

    /// It is closed to this tenant alone.
    fn is_left_out(&self, tenant: u32) -> bool {
        let is_refused = self.refusal(tenant).is_some_and(|refused| refused.until > 0);
        is_refused || self.left_out.is_some_and(|(of, _)| of == tenant)
    }

    pub fn call(&mut self) -> Option<Line> {
        self.parked.remove(self.first()?)
    }

    /// The same as it opens: first those that have not tried it, then who tried longest ago.
    pub fn call_anew(&mut self) -> Option<Line> {
        let turn = |(side, _): &Line| {
            let tried = self.tried.iter().position(|tried| *tried == side.tenant);
            tried.map_or(0, |place| place + 1)
        };
        let waiting = self.parked.iter().enumerate();
        let waiting = waiting.filter(|(_, (side, _))| !self.is_left_out(side.tenant));
        let (at, _) = waiting.min_by_key(|(_, line)| turn(line))?;
        self.parked.remove(at)
    }

    /// Nobody has mail for it now: who waits there is called.
    pub fn forget(&mut self) -> VecDeque<Line> {
        self.lift();
        self.left_out = None;
        self.refused.clear();
        std::mem::take(&mut self.parked)
    }

    /// Whether nothing of it need be remembered.
    pub fn is_idle(&self) -> bool {
        let is_quiet = self.under_way.is_empty() && self.parked.is_empty();
        let is_open = self.failures == 0 && self.left_out.is_none();
        is_quiet && is_open && self.refused.is_empty()
    }
}

impl Schedule {
    /// It does not serve this tenant, whatever it does for others: closed to that one for a while.
    pub fn refuses(&mut self, road: u32, tenant: u32, now: u32, why: Why) {
        let closed = self.roads.entry(road).or_default().refuses(tenant, now, why);
        self.openings.extend(closed.map(|until| Reverse((until, road))));
    }

    /// What stands between a destination and this tenant.
    pub fn refused_for(&self, road: u32, tenant: u32) -> Option<Why> {
        self.roads.get(&road)?.refused_for(tenant)
    }
}
