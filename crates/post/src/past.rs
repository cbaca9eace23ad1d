//! What became of mail that has left the queue: one short line each, and one for each of its legs,
//! for those who ask later.
//!
//! The lines follow from the log and are flushed before it forgets what they follow from, so that
//! a start after a crash writes again what it lost, and invents none. One file a month; files
//! older than four hundred days go. Where a leg went is not in its line: what is left of a
//! contract that ended must not say whom it wrote to.

use crate::leg::is_over;
use crate::months::Months;
use std::path::Path;
use terms::MessageId;
use wire::post::{Decided, Decider, LegEnd, State, TlsFlaw, WayIn, Why};

/// Id, second, legs sent, legs not sent.
const LINE_BYTES: usize = 16 + 4 + 2 + 2;
/// A message has a thousand legs at most, so the highest bits of both counts are free: who decided
/// about it, and in the second count how. A line of an older version has none of them.
const BY_SENDER: u16 = 1 << 15;
const BY_OPERATOR: u16 = 1 << 14;
const RELEASED: u16 = 1 << 15;
const COUNT: u16 = BY_OPERATOR - 1;
/// Id, leg, state, obstacle (its sort, class, subject, detail), recipients sent to, and not; the
/// rest is zero.
const LEG_BYTES: usize = 32;

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    pub message: MessageId,
    pub at_s: u32,
    pub legs_sent: u16,
    pub legs_not_sent: u16,
    pub decided: Option<Decided>,
}

impl Past {
    fn octets(self) -> [u8; LINE_BYTES] {
        let mut line = [0; LINE_BYTES];
        let (id, rest) = line.split_at_mut(16);
        id.copy_from_slice(&self.message.0);
        let (at, rest) = rest.split_at_mut(4);
        at.copy_from_slice(&self.at_s.to_le_bytes());
        let (sent, not) = rest.split_at_mut(2);
        let by = match self.decided.map(|decided| decided.by) {
            Some(Decider::Sender) => BY_SENDER,
            Some(Decider::Operator) => BY_OPERATOR,
            None => 0,
        };
        let how = if self.decided.is_some_and(|decided| decided.released) { RELEASED } else { 0 };
        sent.copy_from_slice(&(self.legs_sent.min(COUNT) | by).to_le_bytes());
        not.copy_from_slice(&(self.legs_not_sent.min(COUNT) | how).to_le_bytes());
        line
    }

    fn read(line: &[u8]) -> Option<Past> {
        let mut cursor = terms::Cursor::new(line);
        let message = MessageId::from_slice(cursor.take(16)?)?;
        // Nothing ended in 1970: of this line a crash has left the id.
        let at_s = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
        let at_s = Some(at_s).filter(|at_s| *at_s > 0)?;
        let sent = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
        let not = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
        let by = match (sent & BY_SENDER != 0, sent & BY_OPERATOR != 0) {
            (true, _) => Some(Decider::Sender),
            (false, true) => Some(Decider::Operator),
            (false, false) => None,
        };
        let decided = by.map(|by| Decided { by, released: not & RELEASED != 0 });
        let (legs_sent, legs_not_sent) = (sent & COUNT, not & COUNT);
        Some(Past { message, at_s, legs_sent, legs_not_sent, decided })
    }
}

fn leg_octets(message: MessageId, end: &LegEnd) -> [u8; LEG_BYTES] {
    let state = match end.state {
        State::Sent => 1,
        State::Failed => 2,
        _ => 3,
    };
    let (sort, (class, subject, detail)) = match end.why {
        None => (0, (0, 0, 0)),
        Some(Why::Answered { class, subject, detail }) => (1, (class, subject, detail)),
        Some(Why::Unreachable) => (2, (0, 0, 0)),
        Some(Why::Ours) => (3, (0, 0, 0)),
        Some(Why::Unsafe) => (4, (0, 0, 0)),
        Some(Why::NotSignedIn) => (5, (0, 0, 0)),
        Some(Why::TurnedAway { class, subject, detail }) => (6, (class, subject, detail)),
        Some(Why::NoResolver) => (7, (0, 0, 0)),
        Some(Why::MaybeTaken) => (8, (0, 0, 0)),
        Some(Why::Insecure { flaw, is_named }) => {
            (9, (place_in(&TlsFlaw::ALL, flaw), u16::from(is_named), 0))
        }
        Some(Why::Unproven) => (11, (0, 0, 0)),
        Some(Why::NoWayIn(way)) => (10, (place_in(&WayIn::ALL, way), 0, 0)),
    };
    let mut octets = Vec::with_capacity(LEG_BYTES);
    octets.extend_from_slice(&message.0);
    octets.extend_from_slice(&end.leg.to_le_bytes());
    octets.extend_from_slice(&[state, sort, class]);
    for number in [subject, detail, end.sent, end.not_sent] {
        octets.extend_from_slice(&number.to_le_bytes());
    }
    let mut line = [0; LEG_BYTES];
    for (to, from) in line.iter_mut().zip(octets) {
        *to = from;
    }
    line
}

fn place_in<T: PartialEq>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|known| *known == one);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn read_leg(line: &[u8]) -> Option<LegEnd> {
    let mut cursor = terms::Cursor::new(line);
    cursor.take(16)?;
    let leg = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
    let [state, sort, class]: [u8; 3] = cursor.take(3)?.try_into().ok()?;
    let mut number = || Some(u16::from_le_bytes(cursor.take(2)?.try_into().ok()?));
    let (subject, detail, sent, not_sent) = (number()?, number()?, number()?, number()?);
    let state = match state {
        1 => State::Sent,
        2 => State::Failed,
        3 => State::Cancelled,
        _ => return None,
    };
    let why = match sort {
        1 => Some(Why::Answered { class, subject, detail }),
        2 => Some(Why::Unreachable),
        3 => Some(Why::Ours),
        4 => Some(Why::Unsafe),
        6 => Some(Why::TurnedAway { class, subject, detail }),
        5 => Some(Why::NotSignedIn),
        7 => Some(Why::NoResolver),
        8 => Some(Why::MaybeTaken),
        9 => TlsFlaw::ALL
            .get(usize::from(class))
            .map(|flaw| Why::Insecure { flaw: *flaw, is_named: subject != 0 }),
        11 => Some(Why::Unproven),
        10 => WayIn::ALL.get(usize::from(class)).map(|way| Why::NoWayIn(*way)),
        _ => None,
    };
    Some(LegEnd { leg, state, sent, not_sent, why })
}

/// The files of both sorts.
pub struct Pasts {
    messages: Months,
    legs: Months,
}

impl Pasts {
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        Ok(Self {
            messages: Months::open(folder, "past", LINE_BYTES)?,
            legs: Months::open(folder, "legs", LEG_BYTES)?,
        })
    }

    /// Writes lines down. What cannot be written is lost, which `trace` shows as "not known".
    pub fn add(&mut self, pasts: &[Past], now_s: u32) -> std::io::Result<()> {
        let lines: Vec<u8> = pasts.iter().flat_map(|past| past.octets()).collect();
        self.messages.add(&lines, now_s)
    }

    pub fn add_legs(&mut self, ended: &[(MessageId, LegEnd)], now_s: u32) -> std::io::Result<()> {
        let over = ended.iter().filter(|(_, end)| is_over(end.state));
        let lines: Vec<u8> = over.flat_map(|(message, end)| leg_octets(*message, end)).collect();
        self.legs.add(&lines, now_s)
    }

    /// Returns when every line is durable.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.messages.flush()?;
        self.legs.flush()
    }

    /// How a message ended, if it did within four hundred days. Newest files first.
    pub fn find(&self, message: MessageId) -> std::io::Result<Option<Past>> {
        for month in self.messages.newest_first(u32::MAX)? {
            let lines = self.messages.lines_of(month, &message.0)?;
            if let Some(past) = lines.iter().rev().find_map(|line| Past::read(line)) {
                return Ok(Some(past));
            }
        }
        Ok(None)
    }

    /// How the legs of a message ended, in the order of their numbers. No letter waits longer than
    /// a month, so they lie in the month of its end and the one before.
    pub fn find_legs(&self, past: &Past) -> std::io::Result<Vec<LegEnd>> {
        let mut ends = std::collections::BTreeMap::new();
        let mut months = self.legs.newest_first(past.at_s)?;
        months.truncate(2);
        for month in months.into_iter().rev() {
            let lines = self.legs.lines_of(month, &past.message.0)?;
            // A start tells the newest again, without counts: the first word stands.
            for end in lines.iter().filter_map(|line| read_leg(line)) {
                ends.entry(end.leg).or_insert(end);
            }
        }
        Ok(ends.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES, Past, Pasts};
    use crate::months::MONTH_SECONDS;
    use terms::MessageId;
    use wire::post::{Decided, Decider, LegEnd, State, TlsFlaw, WayIn, Why};

    fn past(id: u8, at_s: u32) -> Past {
        let by = if id.is_multiple_of(2) { Decider::Sender } else { Decider::Operator };
        let decided = Some(Decided { by, released: id.is_multiple_of(3) });
        let decided = decided.filter(|_| !id.is_multiple_of(5));
        Past { message: MessageId([id; 16]), at_s, legs_sent: 2, legs_not_sent: 1, decided }
    }

    #[test]
    fn what_ended_is_found_for_four_hundred_days() {
        let folder = std::env::temp_dir().join(format!("post-past-{}", std::process::id()));
        let mut pasts = Pasts::open(&folder).unwrap();
        for month in 0..20u8 {
            let at = u32::from(month) * MONTH_SECONDS;
            pasts.add(&[past(month, at)], at).unwrap();
        }
        let find = |id: u8| pasts.find(MessageId([id; 16])).unwrap();
        assert_eq!(find(19), Some(past(19, 19 * MONTH_SECONDS)));
        assert_eq!(find(6), Some(past(6, 6 * MONTH_SECONDS)));
        assert_eq!(find(2), None);
        assert_eq!(find(99), None);
        assert_eq!(past(1, 1).octets().len(), LINE_BYTES);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn legs_are_found_with_what_stood_in_their_way() {
        let folder = std::env::temp_dir().join(format!("post-legs-{}", std::process::id()));
        let mut pasts = Pasts::open(&folder).unwrap();
        let whys = [
            None,
            Some(Why::Answered { class: 5, subject: 1, detail: 999 }),
            Some(Why::Unreachable),
            Some(Why::Ours),
            Some(Why::Unsafe),
            Some(Why::NotSignedIn),
            Some(Why::NoResolver),
            Some(Why::MaybeTaken),
            Some(Why::Insecure { flaw: TlsFlaw::NotOffered, is_named: true }),
            Some(Why::Insecure { flaw: TlsFlaw::NoAuthority, is_named: false }),
            Some(Why::NoWayIn(WayIn::NotNow)),
            Some(Why::Unproven),
        ];
        let end = |(leg, why): (u16, &Option<Why>)| {
            let state = if why.is_none() { State::Sent } else { State::Failed };
            LegEnd { leg, state, sent: 1, not_sent: leg, why: *why }
        };
        let ends: Vec<LegEnd> = (0u16..).zip(&whys).map(end).collect();
        let of = |message: u8, ends: &[LegEnd]| -> Vec<(MessageId, LegEnd)> {
            ends.iter().map(|end| (MessageId([message; 16]), *end)).collect()
        };
        // One leg was over in the month before its message was.
        pasts.add_legs(&of(7, &ends[..1]), 5 * MONTH_SECONDS - 1).unwrap();
        pasts.add_legs(&of(7, &ends[1..]), 5 * MONTH_SECONDS).unwrap();
        pasts.add_legs(&of(8, &ends), 5 * MONTH_SECONDS).unwrap();
        let told_again = LegEnd { sent: 9, ..ends[1] };
        pasts.add_legs(&of(7, &[told_again]), 5 * MONTH_SECONDS).unwrap();
        assert_eq!(pasts.find_legs(&past(7, 5 * MONTH_SECONDS)).unwrap(), ends);
        assert_eq!(pasts.find_legs(&past(9, 5 * MONTH_SECONDS)).unwrap(), []);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
