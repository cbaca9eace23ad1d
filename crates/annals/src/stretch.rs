//! Which stretch of the log an acknowledged loss took. No entry says where a log was taken up again
//! that somebody cut: the ledger's next birth does, before the alarm that it raised over that
//! checkpoint. Where that is not to be found, the stretch is told wide.

use crate::acknowledged::{Acknowledged, Acknowledgements};
use crate::fault::Fault;
use crate::index::{ALARM, Index};
use crate::reading::Reader;
use evidence::{Body, Entry, Frame, rfc3339};
use scope::{LAG_MS, Loss};
use terms::Kind;
use tlog::Hash;

/// Deeds by their number in the log's format.
const START: u8 = 1;
/// A ledger waits so long for its mirror before it says what is lost, and with time to spare: one
/// that ended sooner may have said nothing.
const SILENT_MS: u64 = 60_000;
/// How far behind the first entries of others a birth may stand.
const LATE: u64 = 4_096;

/// When the ledger was born, and what it was alarmed about.
#[derive(Default)]
struct Traces {
    births: Vec<(u64, u64)>,
    alarms: Vec<(u64, String)>,
}

impl Traces {
    fn read(reader: &Reader) -> Result<Self, Fault> {
        let mut traces = Self::default();
        Index::of(reader).visit_deeds(&[START, ALARM], &mut |index, bytes| {
            if let Some(Frame { entry, .. }) = Frame::parse(bytes) {
                traces.note(index, &entry);
            }
            true
        })?;
        Ok(traces)
    }

    fn note(&mut self, index: u64, entry: &Entry) {
        match &entry.body {
            Body::ProcessStart { kind: Kind::Ledger, .. } if entry.author == Kind::Warden => {
                self.births.push((index, entry.time_ms));
            }
            Body::Alarm { what, .. } => self.alarms.push((index, what.as_str().to_owned())),
            _ => {}
        }
    }

    /// The first and the last birth with which the log can have been taken up again; `None`: nobody
    /// knows.
    fn taken_up(&self, root: Hash) -> Option<[(u64, u64); 2]> {
        let root = root.to_base64();
        let alarm = self.alarms.iter().find(|(_, what)| what.contains(&root))?.0;
        let mut before = self.births.iter().rev().filter(|birth| birth.0 < alarm);
        let last = *before.next()?;
        let mut found = last;
        for earlier in before {
            if found.1.saturating_sub(earlier.1) > SILENT_MS {
                break;
            }
            found = *earlier;
        }
        Some([found, last])
    }
}

impl Acknowledgements {
    /// The stretches of entries that this log lost, as far as anybody knows. What it holds again is
    /// not lost.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn lost(&self, reader: &Reader) -> Result<Vec<Loss>, Fault> {
        let is_gone = |one: &&Acknowledged| {
            // These are no logs: what they forgot stands here.
            !["directory", "mailbox"].contains(&one.whose.as_str())
                && (one.size == 0 || reader.root_at(one.size).is_none_or(|root| root != one.root))
        };
        let gone: Vec<&Acknowledged> = self.0.iter().filter(is_gone).collect();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let traces = Traces::read(reader)?;
        gone.into_iter().map(|one| one.stretch(&traces, reader)).collect()
    }
}

impl Acknowledged {
    fn stretch(&self, traces: &Traces, reader: &Reader) -> Result<Loss, Fault> {
        let birth = match self.size {
            0 => traces.births.first().map(|birth| [*birth; 2]),
            _ => traces.taken_up(self.root),
        };
        let before = match birth.filter(|_| self.size > 0) {
            Some([first, _]) => last_before(reader, first)?,
            None => None,
        };
        let from_entry = before.map_or(0, |(index, _)| index + 1).min(self.size);
        // What waited to be told is of a moment before it was written down.
        let from_ms = before.map_or(0, |(_, at_ms)| at_ms.saturating_sub(LAG_MS));
        let to_ms = birth.map_or(self.at_ms, |[_, (_, at_ms)]| at_ms);
        Ok(Loss {
            whose: self.whose.clone(),
            from_entry,
            entries: (self.size > 0).then(|| self.size - from_entry),
            size: self.size,
            root: self.root.to_base64(),
            from: before.map(|(_, at_ms)| rfc3339(at_ms)),
            to: rfc3339(to_ms),
            acknowledged_at: rfc3339(self.at_ms),
            acknowledged_by_entry: self.index,
            by: self.approvers.iter().map(ToString::to_string).collect(),
            request: self.request.map(|request| request.to_string()),
            from_ms,
            to_ms,
        })
    }
}

/// The last entry that is surely of before a birth: those who were born with it may stand in the
/// log before it. What waited while no ledger was there tells of a moment long before it was
/// written down, and says nothing of that.
fn last_before(reader: &Reader, (birth, at_ms): (u64, u64)) -> Result<Option<(u64, u64)>, Fault> {
    let mut last = None;
    reader.entries(birth.saturating_sub(LATE), |index, bytes| {
        let entry = Frame::parse(bytes).map(|frame| frame.entry);
        let entry = entry.filter(|entry| !matches!(entry.author, Kind::Mailbox | Kind::Post));
        let told = entry.map(|entry| entry.time_ms);
        if let Some(told) = told.filter(|told| told.saturating_add(LAG_MS) < at_ms && index < birth)
        {
            last = Some((index, told));
        }
        index < birth
    })?;
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::Traces;
    use tlog::Hash;

    /// The log was taken up again with the birth before the alarm, or with one before that which
    /// ended too soon to say anything.
    #[test]
    fn the_birth_before_the_alarm_took_the_log_up() {
        let root = Hash([1; 32]);
        let alarm = format!(
            "the ledger lost entries: 710 were cosigned with the root {}, 300 are left",
            root.to_base64()
        );
        let check = |births: &[(u64, u64)], alarm_at: u64, expected: Option<(u64, u64)>| {
            let alarms = vec![(alarm_at, alarm.clone())];
            let traces = Traces { births: births.to_vec(), alarms };
            let last = births.iter().rev().find(|birth| birth.0 < alarm_at).copied();
            let expected = expected.zip(last).map(|(first, last)| [first, last]);
            assert_eq!(traces.taken_up(root), expected, "{births:?}");
            assert_eq!(traces.taken_up(Hash([2; 32])), None, "another loss");
        };
        check(&[(2, 0), (300, 500_000)], 320, Some((300, 500_000)));
        check(&[(2, 0), (300, 500_000), (330, 900_000)], 320, Some((300, 500_000)));
        check(&[(2, 0), (300, 500_000), (310, 520_000)], 320, Some((300, 500_000)));
        check(&[(400, 0)], 320, None);
    }
}
