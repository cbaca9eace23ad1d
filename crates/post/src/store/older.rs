//! A queue that is older than what was recorded of it: somebody put an older copy in its place, or
//! took it away, while no post ran.
//!
//! What left does not leave again. Of what else waits nobody can tell whether it was cancelled
//! or given back since, for the evidence does not say: it is held for somebody's word. What was
//! taken since is gone.

use super::over;
use crate::entry::{Entry, Passage, Way};
use crate::past::Past;
use crate::table::{Message, Table, is_over, seconds};
use crate::{Fault, Store};
use evidence::{Body, Queued};
use journal::Runs;
use std::collections::HashMap;
use terms::{InstanceId, MessageId, TenantId, UserId};
use wire::post::{AtEnd, Hold, State, Why};

/// Long enough that somebody sees the alarm after a weekend; then it is given back.
const HELD_MS: u64 = 4 * 24 * 3_600 * 1_000;
/// Letters that are not in the queue and are told apart.
const OTHERS: usize = 200_000;
/// Of those that are gone so many are named in alarms, and so many in one; `trace` knows all.
const NAMED: usize = 12;
const ONE_ALARM: usize = 3;
/// Entries of one note.
const TOGETHER: usize = 10_000;

/// What was recorded that the queue does not know of.
#[derive(Default)]
pub struct SetBack {
    /// Recipients sent to, of letters that wait in it.
    sent: HashMap<MessageId, u32>,
    /// Of others: recipients that came, and that were sent to.
    others: HashMap<MessageId, (u32, u32)>,
}

impl SetBack {
    pub fn learn(&mut self, entry: &evidence::Entry, table: &Table) {
        match &entry.body {
            Body::Queue { messages, .. } => {
                messages.iter().for_each(|one| self.add(one, true, table));
            }
            Body::Sent { messages, .. } => {
                messages.iter().for_each(|one| self.add(one, false, table));
            }
            Body::Send { message, user, recipients, bytes, .. } => {
                let (message, user) = (*message, *user);
                let one = Queued { message, user, recipients: *recipients, bytes: *bytes };
                self.add(&one, false, table);
            }
            _ => {}
        }
    }

    fn add(&mut self, one: &Queued, came: bool, table: &Table) {
        if table.slot(one.message).is_some() {
            let sent = self.sent.entry(one.message).or_default();
            *sent = sent.saturating_add(if came { 0 } else { one.recipients });
            return;
        }
        if self.others.len() >= OTHERS && !self.others.contains_key(&one.message) {
            return;
        }
        let (all, sent) = self.others.entry(one.message).or_default();
        let sum = if came { all } else { sent };
        *sum = sum.saturating_add(one.recipients);
    }

    fn has_all_left(&self, message: MessageId, waiting: u32) -> bool {
        self.sent.get(&message).is_some_and(|sent| *sent >= waiting && *sent > 0)
    }
}

/// What became of it.
#[derive(Default)]
pub struct Settled {
    pub left: usize,
    pub held: usize,
    pub gone: Vec<MessageId>,
}

impl Settled {
    /// For alarms, which have 160 characters.
    pub fn what(&self, is_blank: bool) -> Vec<String> {
        let how = if is_blank { "was emptied" } else { "is older than the evidence" };
        let Self { left, held, gone } = self;
        let many = gone.len();
        let all = format!(
            "DIR/post {how}: {left} letters had left and do not leave again, {held} are held for a \
             word (queue release, queue cancel), {many} are gone"
        );
        let named = gone.get(..NAMED).unwrap_or(gone).chunks(ONE_ALARM).map(|some| {
            let some: Vec<String> = some.iter().map(ToString::to_string).collect();
            format!("letters that DIR/post lacks: {}", some.join(", "))
        });
        std::iter::once(all).chain(named).collect()
    }
}

impl Store {
    /// Stands in the queue with this start, and settles what an older queue does not know.
    pub fn begin(
        &mut self,
        runs: Runs,
        recorded: Option<&SetBack>,
        now_ms: u64,
    ) -> Result<Settled, Fault> {
        let mut settled = Settled::default();
        let mut entries = Vec::new();
        if let Some(recorded) = recorded {
            self.settle_older(recorded, now_ms, &mut settled, &mut entries);
            settled.gone = self.write_others(recorded, now_ms);
        }
        for some in entries.chunks(TOGETHER) {
            self.stage(some.to_vec())?;
        }
        self.stage(vec![Entry::Noted(runs)])?;
        self.commit(now_ms)?;
        Ok(settled)
    }

    fn settle_older(
        &self,
        recorded: &SetBack,
        now_ms: u64,
        settled: &mut Settled,
        entries: &mut Vec<Entry>,
    ) {
        let now = seconds(now_ms);
        let hold = Hold { until_ms: now_ms.saturating_add(HELD_MS), then: AtEnd::Return };
        let rows = (0u32..).zip(&self.table.messages);
        for (slot, row) in rows.filter_map(|(slot, row)| Some((slot, row.as_ref()?))) {
            let open = |leg: &u32| self.table.leg(*leg).is_some_and(|leg| !is_over(leg.state));
            let legs: Vec<u32> = self.table.legs_of(slot).into_iter().filter(open).collect();
            let waiting = legs.iter().filter_map(|leg| self.table.leg(*leg));
            let waiting = waiting.map(|leg| u32::from(leg.recipients)).sum();
            if recorded.has_all_left(row.message, waiting) {
                settled.left += 1;
                entries.extend(legs.iter().map(|leg| over(*leg, State::Sent, now, None)));
                continue;
            }
            if recorded.sent.get(&row.message).is_some_and(|sent| *sent > 0) {
                entries.extend(legs.iter().filter_map(|leg| self.maybe_taken(*leg)));
            }
            settled.held += 1;
            if !waits_for_a_word(row) {
                entries.push(Entry::Held { message: slot, hold });
            }
        }
    }

    /// Some of its recipients have it, and nobody knows which.
    fn maybe_taken(&self, leg: u32) -> Option<Entry> {
        let (sent, not_sent) = self.table.leg(leg)?.settled;
        Some(Entry::Settled { leg, sent, not_sent, why: Some(Why::MaybeTaken) })
    }

    /// How letters ended that this queue never saw, for `trace`. Returns those of which nothing
    /// says that all of them left.
    fn write_others(&mut self, recorded: &SetBack, now_ms: u64) -> Vec<MessageId> {
        let now = seconds(now_ms);
        let past = |(message, (came, sent)): (&MessageId, &(u32, u32))| Past {
            message: *message,
            at_s: now,
            legs_sent: u16::from(*sent > 0),
            legs_not_sent: u16::from(came > sent),
            decided: None,
        };
        let pasts: Vec<Past> = recorded.others.iter().map(past).collect();
        let _ = self.pasts.add(&pasts, now);
        let gone = pasts.iter().filter(|past| past.legs_not_sent > 0).map(|past| past.message);
        let mut gone: Vec<MessageId> = gone.collect();
        gone.sort_unstable();
        gone
    }

    /// What the queue knows of the entries that tell of it.
    pub fn note(&mut self, runs: Runs) -> Result<(), Fault> {
        self.stage(vec![Entry::Noted(runs)])
    }

    /// Whether letters ended otherwise than by leaving since this was last asked.
    pub fn gave_up(&mut self) -> bool {
        std::mem::take(&mut self.gives_up)
    }

    pub fn mark(&mut self, now_ms: u64) -> Result<(), Fault> {
        let passage = Passage {
            seq: self.next_seq,
            way: Way::Mark,
            instance: InstanceId([0; 6]),
            tenant: TenantId([0; 8]),
            user: UserId([0; 8]),
            message: MessageId([0; 16]),
            recipients: 0,
            bytes: 0,
            at_ms: now_ms,
        };
        self.next_seq += 1;
        self.stage(vec![Entry::Passed(passage)])
    }
}

/// It does not leave by itself.
fn waits_for_a_word(row: &Message) -> bool {
    matches!(row.hold, Some((_, false)))
}
