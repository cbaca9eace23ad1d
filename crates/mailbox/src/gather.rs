//! Arrivals that come in several frames, and how long a commit may wait for company.

use crate::acts::Batch;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::Peer;
use wire::mailbox::{Copy, Journey};

/// Frames of one arrival: 1,000 recipients in groups of 40, and air.
const FRAMES: usize = 64;
/// Copies of one arrival.
const COPIES: usize = terms::RECIPIENTS;
/// Journeys of one arrival: one a tenant.
const JOURNEYS: usize = terms::RECIPIENTS;
/// A committer may wait this long for company, and only while so many are at it (architecture §8).
/// Below that, whoever comes during one flush shares the next.
const COMPANY: Duration = Duration::from_millis(15);
const SOME: usize = 8;
/// Fewer than this, and one part of them is company enough: while it is flushed, the others are at
/// work. Ten that all stood here would leave the processors idle, and ten that wait for nobody pay
/// a flush for nearly every message.
const BUSY: usize = 16;
const PARTS: usize = 3;
/// Large messages come further apart. Fewer than this are no company yet, and while others come in
/// their rhythm a commit of mail alone waits so long: a tenth of a flush for each message is what
/// is aimed at. With so many at it there is other work meanwhile. People's own acts wait as above.
const FEW: usize = 24;
const FEW_COMPANY: Duration = Duration::from_millis(120);
/// When nobody has come for this long, or for some times as long as arrivals are apart lately,
/// those who are at it wait for us.
const LULL: Duration = Duration::from_millis(3);
const LONGEST_LULL: Duration = Duration::from_millis(60);
const GAPS: u32 = 16;
/// A peer that has kept within this time is at it.
const AT_IT: Duration = Duration::from_millis(200);

/// One whole arrival.
#[derive(Default)]
pub struct Arrival {
    pub batches: Vec<Batch>,
    pub journeys: Vec<Journey>,
    copies: usize,
}

/// What a frame completed.
pub enum Gathered {
    More,
    Whole(Arrival),
    TooMuch,
}

#[derive(Default)]
pub struct Gather {
    parts: HashMap<Peer, Arrival>,
    last_kept: HashMap<Peer, Instant>,
    since: Option<Instant>,
    last: Option<Instant>,
    /// How far arrivals are apart lately: the next counts an eighth.
    gap: Duration,
    waiting: usize,
    /// Something that is no mail is staged too.
    has_others: bool,
}

impl Gather {
    pub fn add(
        &mut self,
        peer: Peer,
        (copies, journeys): (Vec<Copy>, Vec<Journey>),
        descriptors: Vec<OwnedFd>,
        more: bool,
    ) -> Gathered {
        // A summary and a body for each copy: descriptors beyond would be held for nothing, and
        // everybody's are counted together.
        let is_overloaded = descriptors.len() > 2 * copies.len();
        let arrival = self.parts.entry(peer).or_default();
        arrival.copies += copies.len();
        arrival.journeys.extend(journeys);
        arrival.batches.push(Batch { copies, descriptors });
        if is_overloaded
            || arrival.copies > COPIES
            || arrival.batches.len() > FRAMES
            || arrival.journeys.len() > JOURNEYS
        {
            self.parts.remove(&peer);
            return Gathered::TooMuch;
        }
        if more {
            return Gathered::More;
        }
        self.parts.remove(&peer).map_or(Gathered::More, Gathered::Whole)
    }

    pub fn gone(&mut self, peer: Peer) {
        self.parts.remove(&peer);
        self.last_kept.remove(&peer);
    }

    /// An arrival of this peer is staged.
    pub fn staged(&mut self, peer: Peer, now: Instant) {
        self.last_kept.insert(peer, now);
        self.since.get_or_insert(now);
        if let Some(last) = self.last.replace(now) {
            let apart = now.saturating_duration_since(last).min(LONGEST_LULL);
            self.gap = (self.gap * 7 + apart) / 8;
        }
        self.waiting += 1;
    }

    /// Something else is staged: it waits with the others, or for nobody.
    pub fn staged_beside(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.has_others = true;
    }

    pub fn committed(&mut self) {
        self.since = None;
        self.has_others = false;
        self.waiting = 0;
    }

    /// How long the commit should still wait. Zero: now.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let Some(since) = self.since else { return Duration::ZERO };
        self.last_kept.retain(|_, kept| now.saturating_duration_since(*kept) < AT_IT);
        let at_it = self.last_kept.len();
        let is_busy = at_it >= BUSY;
        // When all who are at it stand here, nobody else is to be waited for.
        let enough = if is_busy { at_it } else { at_it / PARTS };
        if at_it < SOME || self.waiting >= enough {
            return Duration::ZERO;
        }
        let lull = self.last.map_or(LULL, |last| now.saturating_duration_since(last));
        let (company, longest) = match is_busy && self.waiting < FEW && !self.has_others {
            true => (FEW_COMPANY, (self.gap * GAPS).clamp(LULL, LONGEST_LULL)),
            false => (COMPANY, LULL),
        };
        let company = company.saturating_sub(now.saturating_duration_since(since));
        company.min(longest.saturating_sub(lull))
    }
}
