//! Whether this queue has all that was recorded of it. Until that is known nothing is handed out: a
//! letter of an older queue may have left long ago.

use super::Desk;
use crate::store::SetBack;
use compartment::now_ms;
use journal::Found;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Report;
use wire::{Frame, Peer};

/// That letters ended otherwise than by leaving is recorded so often: it shows later which copy of
/// the queue is older.
const MARKS: Duration = Duration::from_secs(60);

/// What a start knows of the past of its queue.
#[derive(Default)]
pub(super) struct Standing {
    recorded: SetBack,
    is_older: Option<bool>,
    has_ended: bool,
    next_mark: Option<Instant>,
}

impl Desk {
    pub(super) fn hear_ledger(&mut self, peer: Peer, frame: &Frame) {
        let (recorded, table) = (&mut self.standing.recorded, &self.store.table);
        let learn = &mut |entry: &evidence::Entry| recorded.learn(entry, table);
        if let Some(found) = self.forward.compare(peer, frame, learn) {
            match found {
                Found::Current => {}
                Found::Ahead { known, stands } => {
                    self.alarm(journal::ahead(Kind::Post, known, stands));
                }
                Found::Intruded => self.alarm(journal::intruded(Kind::Post)),
                Found::Older(behind) => self.standing.is_older = Some(behind.is_blank),
            }
            self.begin();
        }
        let before = self.forward.hear(peer, frame);
        self.taken_before = before.or(self.taken_before);
    }

    /// What left is settled, and this start stands in the queue, before anything leaves or is
    /// signed: one flush for each start.
    pub(super) fn begin(&mut self) {
        if self.forward.has_begun() || self.forward.is_asking() {
            return;
        }
        if self.store.has_staged() {
            self.commit();
        }
        let (passed, next) = (&self.store.table.passed, self.store.table.next_seq);
        let Some(runs) = self.forward.begin(passed, next) else { return };
        let older = self.standing.is_older;
        let recorded = older.map(|_| &self.standing.recorded);
        match self.store.begin(runs, recorded, now_ms()) {
            Ok(settled) => {
                self.forward.begun();
                if let Some(is_blank) = older {
                    settled.what(is_blank).into_iter().for_each(|what| self.alarm(what));
                }
                (self.standing.recorded, self.standing.is_older) = (SetBack::default(), None);
            }
            Err(fault) => self.failed(&fault),
        }
    }

    /// Letters ended otherwise than by leaving: told beside what is committed now, or within a
    /// minute.
    pub(super) fn mark(&mut self) -> Result<(), crate::Fault> {
        self.standing.has_ended |= self.store.gave_up();
        if self.has_to_mark() && self.forward.has_begun() {
            self.store.mark(now_ms())?;
            self.standing.has_ended = false;
            self.standing.next_mark = Some(Instant::now() + MARKS);
        }
        Ok(())
    }

    pub(super) fn has_to_mark(&self) -> bool {
        let is_due = self.standing.next_mark.is_none_or(|at| at <= Instant::now());
        self.standing.has_ended && (is_due || self.leaving.is_some())
    }

    pub(super) fn alarm(&mut self, what: String) {
        let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
    }
}
