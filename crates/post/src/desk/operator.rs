//! What an operator asks of the queue, and what is shown.

use super::{Desk, Owed, PAGE};
use crate::table::{Leg, Table, is_over, seconds};
use compartment::now_ms;
use terms::{MessageId, TenantId};
use wire::Peer;
use wire::control::Report;
use wire::metrics::Measure;
use wire::post::*;

impl Desk {
    pub(super) fn answer_admin(&mut self, peer: Peer, call: u32, question: FromAdmin) {
        // How much is under way is counted when it is answered, after the commit.
        let of = |message: MessageId| {
            move |done: bool| {
                if done { Owed::Decided(message) } else { Owed::Admin(ToAdmin::NoSuch) }
            }
        };
        let day = now_ms() + 24 * 3_600 * 1_000;
        let answer = match question {
            FromAdmin::List { tenant, after, limit } => {
                Ok(Owed::Admin(self.list(tenant, after, limit)))
            }
            FromAdmin::Show(message) => Ok(Owed::Admin(self.show(message))),
            FromAdmin::Hold(message) => self
                .store
                .hold(message, Hold { until_ms: day, then: AtEnd::Return })
                .map(of(message)),
            FromAdmin::Release(message) => {
                self.store.release(message, Decider::Operator, now_ms()).map(|found| {
                    self.hurry(message);
                    of(message)(found)
                })
            }
            FromAdmin::Cancel(message) => {
                self.store.cancel(message, Decider::Operator, now_ms()).map(of(message))
            }
            FromAdmin::StillHeld { tenant, user } => {
                Ok(Owed::Admin(ToAdmin::StillHeld(self.store.still_held((tenant, user)))))
            }
            FromAdmin::Status => Ok(Owed::Admin(ToAdmin::Status(self.status()))),
        };
        match answer {
            Ok(answer) => self.owe(peer, call, answer),
            Err(fault) => {
                self.owed.push((peer, call, Owed::Admin(ToAdmin::Fault(String::new()))));
                self.failed(&fault);
            }
        }
    }

    /// Destinations of a message that is hurried are tried at once.
    pub(super) fn hurry(&mut self, message: MessageId) {
        let now = seconds(now_ms());
        let table = &mut self.store.table;
        let Some(slot) = table.slot(message) else { return };
        for leg in table.legs_of(slot) {
            if let Some(road) = table.leg(leg).map(|leg| leg.road) {
                table.schedule.hurry(road, now);
            }
        }
    }

    fn list(&self, tenant: Option<TenantId>, after: Option<MessageId>, limit: u32) -> ToAdmin {
        let table = &self.store.table;
        let of_tenant = |slot: &u32| {
            let row = table.message(*slot);
            tenant.is_none() || row.and_then(|row| table.tenants.of(row.tenant)) == tenant
        };
        let mut ids: Vec<(MessageId, u32)> = table
            .by_id
            .iter()
            .filter(|(id, slot)| after.is_none_or(|after| **id > after) && of_tenant(slot))
            .map(|(id, slot)| (*id, *slot))
            .collect();
        let limit = limit.min(PAGE) as usize;
        let more = ids.len() > limit;
        if more && limit > 0 {
            ids.select_nth_unstable(limit - 1);
        }
        ids.truncate(limit);
        ids.sort_unstable();
        let next = ids.last().map(|(id, _)| *id).filter(|_| more);
        let items = ids.iter().filter_map(|(_, slot)| queued(table, *slot)).collect();
        ToAdmin::Messages { items, next }
    }

    fn show(&self, message: MessageId) -> ToAdmin {
        let table = &self.store.table;
        let Some(slot) = table.slot(message) else { return self.show_past(message) };
        let Some(queued) = queued(table, slot) else { return ToAdmin::NoSuch };
        let now = seconds(now_ms());
        let leg = |slot: u32| {
            let leg = table.leg(slot)?;
            let state = table.shown(leg, now);
            let closed = table.closed(leg);
            Some(LegState {
                leg: leg.number,
                route: table.roads.of(leg.road).unwrap_or(Route([0; 16])),
                state,
                recipients: leg.recipients,
                attempts: closed.map_or(leg.attempts, |(failures, _)| failures.max(leg.attempts)),
                next_try_ms: next_try(table, leg, now),
                why: table.obstacle(leg),
                sent: leg.counts().0,
                not_sent: leg.counts().1,
            })
        };
        let legs = table.legs_of(slot).into_iter().filter_map(leg).collect();
        ToAdmin::Message { message: queued, legs }
    }

    fn show_past(&self, message: MessageId) -> ToAdmin {
        match self.store.find_past(message) {
            Some(past) => ToAdmin::Past {
                message,
                at_ms: u64::from(past.at_s) * 1_000,
                sent: past.legs_sent,
                not_sent: past.legs_not_sent,
                decided: past.decided,
                legs: self.store.find_ended_legs(&past),
            },
            None => ToAdmin::NoSuch,
        }
    }

    /// For whoever watches the house.
    pub(super) fn tell_counts(&mut self) {
        let status = self.status();
        let Status { messages, legs, held, delayed, leaving, unreachable, bytes, .. } = status;
        let ready = legs.saturating_sub(held + delayed + leaving);
        let states = [("ready", ready), ("held", held), ("delayed", delayed), ("leaving", leaving)];
        let single = [
            (Measure::QueueMessages, messages),
            (Measure::QueueBytes, bytes),
            (Measure::Unreachable, unreachable),
            (Measure::QueueFullest, status.fullest_percent),
            (Measure::QueueRefused, status.refused),
        ];
        let states = states.into_iter().map(|(word, value)| Measure::QueueLegs.count(word, value));
        let single = single.into_iter().map(|(measure, value)| measure.count("", value));
        let counted = Report::Counted(states.chain(single).flatten().collect());
        let _ = self.hub.send(self.warden, 0, &counted, Vec::new());
    }

    fn status(&self) -> Status {
        let table = &self.store.table;
        let mut status = Status {
            messages: table.by_id.len() as u64,
            destinations: table.roads.len() as u64,
            unreachable: table.schedule.closed(seconds(now_ms())),
            ..Status::default()
        };
        let now = seconds(now_ms());
        for leg in table.legs.iter().flatten() {
            status.legs += u64::from(!is_over(leg.state));
            match table.shown(leg, now) {
                State::Held => status.held += 1,
                State::Delayed => status.delayed += 1,
                State::Leaving => status.leaving += 1,
                _ => {}
            }
        }
        status.fullest_percent = table.room.fullest_percent(&self.store.bounds);
        (status.refused, status.free_bytes) = (self.store.refused, self.store.disk.free());
        status.bytes = table.messages.iter().flatten().map(|row| u64::from(row.size)).sum();
        status
    }
}

fn next_try(table: &Table, leg: &Leg, now: u32) -> Option<u64> {
    let until = match table.closed(leg) {
        Some((_, until)) => until,
        None => leg.until_s,
    };
    (table.shown(leg, now) == State::Delayed).then(|| u64::from(until) * 1_000)
}

fn hold((until_s, sends): (u32, bool)) -> Hold {
    let then = if sends { AtEnd::Send } else { AtEnd::Return };
    Hold { until_ms: u64::from(until_s) * 1_000, then }
}

/// A message as it is shown: its state is that of the leg that is furthest from done.
fn queued(table: &Table, slot: u32) -> Option<Queued> {
    let row = table.message(slot)?;
    let now = seconds(now_ms());
    let legs: Vec<_> = table.legs_of(slot).into_iter().filter_map(|leg| table.leg(leg)).collect();
    let open = legs.iter().filter(|leg| !is_over(leg.state));
    let rank = |state: State| match state {
        State::Held => 0,
        State::Leaving => 1,
        State::Ready => 2,
        _ => 3,
    };
    let state = open.map(|leg| table.shown(leg, now)).min_by_key(|state| rank(*state));
    Some(Queued {
        message: row.message,
        tenant: table.tenants.of(row.tenant)?,
        user: row.user,
        state: state.unwrap_or(State::Ready),
        size: row.size.into(),
        at_ms: u64::from(row.at_s) * 1_000,
        next_try_ms: legs.iter().filter_map(|leg| next_try(table, leg, now)).min(),
        legs: row.left,
        decided: row.decided,
        hold: row.hold.filter(|_| !row.is_called_off()).map(hold),
    })
}
