//! What somebody decides about a message that waits: it is held, let go, or cancelled.

use super::over;
use crate::entry::Entry;
use crate::table::{Leg, Message, is_over, seconds};
use crate::{Fault, Store};
use terms::{MessageId, TenantId, UserId};
use wire::post::{AtEnd, Awaited, Decided, Decider, Hold, State, Why};

impl Store {
    /// Holds it, or holds it anew: then it ends at another second than before, for a person's word
    /// counts for the hold that they were asked about, and not for this one.
    pub fn hold(&mut self, message: MessageId, hold: Hold) -> Result<bool, Fault> {
        if self.is_called_off(message) {
            return Ok(false);
        }
        self.about(message, |slot, row| {
            let is_same = row.hold.is_some_and(|(until_s, _)| until_s == seconds(hold.until_ms));
            let more = if is_same { 1_000 } else { 0 };
            let hold = Hold { until_ms: hold.until_ms.saturating_add(more), ..hold };
            vec![Entry::Held { message: slot, hold }]
        })
    }

    /// Lets a held message go, and hurries one that is delayed.
    pub fn release(&mut self, message: MessageId, by: Decider, now_ms: u64) -> Result<bool, Fault> {
        if self.is_called_off(message) {
            return Ok(false);
        }
        let decided = Decided { by, released: true };
        let mut whose = None;
        let found = self.about(message, |slot, row| match row.hold {
            Some(_) => {
                whose = Some(row.user);
                let let_go = Entry::LetGo { message: slot, at_s: seconds(now_ms) };
                vec![Entry::Decided { message: slot, decided }, let_go]
            }
            None => vec![Entry::Hurried { message: slot }],
        })?;
        whose.into_iter().for_each(|user| self.pressing.answered(user));
        Ok(found)
    }

    /// Whether a message waits for its person's word, under this very hold.
    pub fn is_awaited(&self, awaited: &Awaited, now_ms: u64) -> bool {
        let table = &self.table;
        let Some(slot) = table.slot(awaited.message) else { return false };
        let Some(row) = table.message(slot) else { return false };
        let is_theirs =
            (row.user, table.tenants.of(row.tenant)) == (awaited.user, Some(awaited.tenant));
        let is_it = row.hold == Some((awaited.until_s, false)) && seconds(now_ms) < awaited.until_s;
        let is_held = |leg: &u32| table.leg(*leg).is_some_and(|leg| leg.state == State::Held);
        is_theirs && is_it && table.legs_of(slot).iter().any(is_held)
    }

    /// How many messages of this person's wait for somebody's word. (What its tenant's delay holds
    /// leaves by itself, and what an operator cancelled is decided.)
    pub fn still_held(&self, (tenant, user): (TenantId, UserId)) -> u32 {
        let table = &self.table;
        let is_held = |slot: u32| {
            let is = |leg: &u32| table.leg(*leg).is_some_and(|leg| leg.state == State::Held);
            table.legs_of(slot).iter().any(is)
        };
        let waits = |slot: u32, row: &Message| {
            let is_theirs = row.user == user && table.tenants.of(row.tenant) == Some(tenant);
            let for_a_word = matches!(row.hold, Some((_, false))) && !row.is_called_off();
            is_theirs && for_a_word && is_held(slot)
        };
        let rows =
            (0u32..).zip(&table.messages).filter_map(|(slot, row)| Some((slot, row.as_ref()?)));
        u32::try_from(rows.filter(|(slot, row)| waits(*slot, row)).count()).unwrap_or(u32::MAX)
    }

    /// What an operator cancelled does not leave and is given back, so that its sender hears of
    /// it; what its sender cancelled is over. (A sender who says "not mine" is not told: the next
    /// to read it would be whoever wrote it.)
    pub fn cancel(&mut self, message: MessageId, by: Decider, now_ms: u64) -> Result<bool, Fault> {
        let decided = Decided { by, released: false };
        if by == Decider::Operator {
            let hold = Hold { until_ms: now_ms, then: AtEnd::Return };
            // In this order: who is held anew was not decided about.
            return self.about(message, |message, _| {
                vec![Entry::Held { message, hold }, Entry::Decided { message, decided }]
            });
        }
        let legs = self.table.slot(message).map(|slot| self.table.legs_of(slot));
        let legs = legs.unwrap_or_default();
        let open = |slot: &u32| self.table.leg(*slot).is_some_and(|leg| !is_over(leg.state));
        let legs: Vec<u32> = legs.into_iter().filter(open).collect();
        let now = seconds(now_ms);
        self.about(message, |slot, _| {
            let said = Entry::Decided { message: slot, decided };
            let ends = legs.iter().map(|leg| over(*leg, State::Cancelled, now, None));
            std::iter::once(said).chain(ends).collect()
        })
    }

    /// Whoever had a leg is gone, and said nothing of its end. If it was held or cancelled after
    /// the word that it may be handed over, the remote may have it (RFC 1047).
    pub fn may_have_gone(&mut self, leg: u32) -> Result<(), Fault> {
        let is_open = |row: &&mut Leg| row.begun && row.state == State::Held;
        let Some(row) = self.table.leg_mut(leg).filter(is_open) else { return Ok(()) };
        row.why = Some(Why::MaybeTaken);
        let ((sent, not_sent), why) = (row.settled, row.why);
        self.stage(vec![Entry::Settled { leg, sent, not_sent, why }])
    }

    fn is_called_off(&self, message: MessageId) -> bool {
        let row = self.table.slot(message).and_then(|slot| self.table.message(slot));
        row.is_some_and(Message::is_called_off)
    }

    fn about(
        &mut self,
        message: MessageId,
        entries: impl FnOnce(u32, &Message) -> Vec<Entry>,
    ) -> Result<bool, Fault> {
        let Some(slot) = self.table.slot(message) else { return Ok(false) };
        let Some(row) = self.table.message(slot) else { return Ok(false) };
        let entries = entries(slot, row);
        self.stage(entries)?;
        Ok(true)
    }
}
