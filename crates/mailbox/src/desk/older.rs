//! Whether these tables have all that was recorded of them, and what is said where they have not.
//!
//! Nobody can make mail again: what is here is read, what comes is kept, and it is an alarm at each
//! start until the right folder is back, or those who decide say that they know.

use super::{CHORES, Desk};
use crate::Fault;
use crate::entry::{Arrived, Entry as Told};
use crate::store::uid_validity;
use compartment::now_ms;
use evidence::{Body, Entry, rfc3339};
use journal::{Found, Lacks, Runs};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use terms::{Kind, UserId};
use wire::control::Report;
use wire::{Frame, Peer};

/// That mail went is recorded so often: it shows later which copy of the tables is older.
const MARKS: Duration = Duration::from_secs(60);
/// Mailboxes that cannot be read and are named.
const DAMAGED: usize = 1_000;

/// What the ledger tells of that these tables do not know.
#[derive(Default)]
pub(super) struct Missing {
    entries: u64,
    messages: u64,
    since_ms: Option<u64>,
}

impl Missing {
    fn learn(&mut self, entry: &Entry) {
        self.entries += 1;
        if let Body::Deliver { messages, .. } = &entry.body {
            self.messages += messages.len() as u64;
        }
        self.since_ms.get_or_insert(entry.time_ms);
    }
}

/// What these tables tell of themselves beside their mail.
#[derive(Default)]
pub(super) struct Standing {
    missing: Missing,
    /// Mail went, and the ledger was not told.
    has_gone: bool,
    next_mark: Option<Instant>,
    damaged: BTreeSet<UserId>,
}

impl Desk {
    pub(super) fn hear_ledger(&mut self, peer: Peer, frame: &Frame) {
        let missing = &mut self.standing.missing;
        if let Some(found) = self.forward.compare(peer, frame, &mut |entry| missing.learn(entry)) {
            self.found(found);
        }
        let before = self.forward.hear(peer, frame);
        self.taken_before = before.or(self.taken_before);
    }

    fn found(&mut self, found: Found) {
        let is_older = matches!(found, Found::Older(_));
        match found {
            Found::Current => {}
            Found::Ahead { known, stands } => {
                self.alarm(journal::ahead(Kind::Mailbox, known, stands));
            }
            Found::Intruded => self.alarm(journal::intruded(Kind::Mailbox)),
            Found::Older(behind) => {
                let Missing { entries, messages, since_ms } =
                    std::mem::take(&mut self.standing.missing);
                let since_ms = since_ms.unwrap_or_else(now_ms);
                let is_blank = behind.is_blank;
                self.forward.lack(Lacks { entries, messages, since_ms, is_blank });
            }
        }
        if let Some(lacks) = self.forward.lacks() {
            self.alarm(what(&lacks));
        }
        self.renumbers |= is_older;
        self.begin();
        self.answer_later();
    }

    /// This start stands in the tables before it signs anything: one flush for each.
    pub(super) fn begin(&mut self) {
        // What is staged is a record before this start's first, or none.
        if self.forward.has_begun() || self.forward.is_asking() {
            return;
        }
        if self.store.has_staged() {
            self.commit();
        }
        let Some(runs) = self.forward.begin(&self.store.arrived, self.store.next_record()) else {
            return;
        };
        match self.keep_runs(runs, self.renumbers) {
            Ok(()) => {
                self.renumbers = false;
                self.forward.begun();
            }
            Err(fault) => self.failed(&fault),
        }
    }

    fn keep_runs(&mut self, runs: Runs, renumbers: bool) -> Result<(), Fault> {
        match renumbers {
            true => self.store.renumber(runs, now_ms())?,
            false => self.store.note(runs)?,
        }
        self.store.commit().map(drop)
    }

    /// Those who decide say that they know what is lacking.
    pub(super) fn acknowledge(&mut self) -> Result<bool, Fault> {
        if self.forward.lacks().is_none() {
            return Ok(false);
        }
        self.forward.acknowledge();
        let runs = self.forward.runs();
        runs.map_or(Ok(()), |runs| self.store.note(runs))?;
        Ok(true)
    }

    pub(super) fn lacks(&self) -> Option<String> {
        self.forward.lacks().map(|lacks| what(&lacks))
    }

    /// Mailboxes of which something could not be read since this start.
    pub(super) fn damaged(&self) -> Vec<UserId> {
        self.standing.damaged.iter().copied().collect()
    }

    /// Whose mailbox could not be read is said once a start. It is no weather: the disk answers,
    /// and says something else than was written.
    pub(super) fn note_damage(&mut self, user: UserId, fault: &Fault) {
        let is_new = fault.is_damage()
            && self.standing.damaged.len() < DAMAGED
            && self.standing.damaged.insert(user);
        if is_new {
            self.alarm(format!(
                "mailbox of user {user} is damaged: stop the house and put the newest copy of \
                 DIR/mailbox back: {}",
                fault.story()
            ));
        }
    }

    /// Mail went: told beside what is committed now, or within a minute.
    pub(super) fn mark(&mut self) -> Result<(), Fault> {
        self.standing.has_gone |= self.store.has_let_go();
        if self.has_to_mark() && self.forward.has_begun() {
            self.store.mark(now_ms())?;
            self.standing.has_gone = false;
            self.standing.next_mark = Some(Instant::now() + MARKS);
        }
        Ok(())
    }

    pub(super) fn has_to_mark(&self) -> bool {
        let is_due = self.standing.next_mark.is_none_or(|at| at <= Instant::now());
        self.standing.has_gone && (is_due || self.leaving.is_some())
    }

    /// Readers wait for a moment where the numbers of their folders may change.
    pub(super) fn keeps_readers(&self) -> Option<Duration> {
        let waits = !self.later.is_empty() && self.forward.is_in_doubt();
        waits.then_some(CHORES / 5)
    }

    pub(super) fn alarm(&mut self, what: String) {
        let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
    }
}

impl crate::Store {
    /// What the tables know of the entries that tell of them.
    pub(crate) fn note(&mut self, runs: Runs) -> Result<(), Fault> {
        self.stage(vec![Told::Noted(runs)])
    }

    /// And nobody's copy of a folder counts any more: mail that is gone had numbers that come
    /// again. Both or none of it is kept.
    pub(crate) fn renumber(&mut self, runs: Runs, now_ms: u64) -> Result<(), Fault> {
        let above = uid_validity(now_ms).max(self.index.uid_validity()?).saturating_add(1);
        self.stage(vec![Told::Noted(runs), Told::Renumbered { above }])
    }

    pub(crate) fn mark(&mut self, now_ms: u64) -> Result<(), Fault> {
        let mark = Arrived::mark(self.next_seq(), now_ms);
        self.stage(vec![Told::Arrived(mark)])
    }
}

/// An alarm has 160 characters.
fn what(lacks: &Lacks) -> String {
    let Lacks { entries, messages, since_ms, is_blank } = lacks;
    let since = rfc3339(*since_ms);
    match is_blank {
        true => format!(
            "DIR/mailbox was emptied: {entries} entries ({messages} messages) since {since} are \
             gone: put the newest copy back, or ledger acknowledge-loss"
        ),
        false => format!(
            "DIR/mailbox is older than the evidence: {entries} entries ({messages} messages) since \
             {since} gone, deleted mail back: restore it, or acknowledge-loss"
        ),
    }
}
