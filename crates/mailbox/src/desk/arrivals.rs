//! What comes in: mail from `edge` and `depart`, and what `dispatch` tells of its way.

use super::{CHORES, Desk, Owed, TOLD};
use crate::Fault;
use crate::gather::Gathered;
use crate::store::Whose;
use compartment::now_ms;
use std::time::Instant;
use terms::{InstanceId, Kind, Verdict};
use wire::directory::server_of;
use wire::mailbox::{FromEdge, JOURNEYS, Journey, State, ToEdge};
use wire::{Frame, Label, Peer};

impl Desk {
    /// Who hands in mail tells of its way, and keeps nothing.
    pub(super) fn answer_dispatch(
        &mut self,
        peer: Peer,
        whose: Whose,
        instance: InstanceId,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        let FromEdge::Keep { copies, journeys, more: false } = frame.read()? else {
            return Err(wire::Fault::Malformed);
        };
        let is_server = whose.user == server_of(whose.tenant);
        let is_own = |journey: &Journey| {
            let is_theirs = match is_server {
                true => journey.recipients.is_empty(),
                false => journey.recipients == [whose.user],
            };
            journey.tenant == whose.tenant && is_theirs && journey.state == State::Queued
        };
        let are_some = (1..=JOURNEYS).contains(&journeys.len());
        if !copies.is_empty() || !are_some || !journeys.iter().all(is_own) {
            return Err(wire::Fault::Malformed);
        }
        self.told_since.get_or_insert_with(Instant::now);
        self.told.extend(journeys.into_iter().map(|journey| (instance, journey)));
        let _ = self.hub.send(peer, frame.call, &ToEdge::Kept, Vec::new());
        Ok(())
    }

    /// What was told of journeys goes with the next commit, or with one of its own before long:
    /// the queue keeps the mail itself, and a journey that a crash takes is a line of `trace`.
    pub(super) fn write_told(&mut self) {
        let Some(since) = self.told_since else { return };
        let is_due = self.told.len() >= TOLD || since.elapsed() >= CHORES;
        if !is_due && !self.store.has_staged() {
            return;
        }
        self.told_since = None;
        for (instance, journey) in std::mem::take(&mut self.told) {
            if let Err(fault) = self.store.keep(instance, &[], &[journey], now_ms()) {
                self.failed(&fault);
                return;
            }
        }
    }

    pub(super) fn answer_edge(
        &mut self,
        peer: Peer,
        label: &Label,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        let call = frame.call;
        match frame.read()? {
            FromEdge::Keep { copies, journeys, more } => {
                // Its opening would be taken for that of a folder's name.
                if copies.iter().any(|copy| copy.message.is_no_mail()) {
                    return Err(wire::Fault::Malformed);
                }
                let gathered = self.gather.add(peer, (copies, journeys), frame.descriptors, more);
                let arrival = match gathered {
                    Gathered::More => return Ok(()),
                    Gathered::TooMuch => return Err(wire::Fault::Malformed),
                    Gathered::Whole(arrival) => arrival,
                };
                let (instance, now) = (label.instance, now_ms());
                let (batches, journeys) = (arrival.batches, arrival.journeys);
                // What a depart brings was judged when it was handed in.
                let judged = journeys.iter().filter(|_| label.kind == Kind::Edge);
                let verdicts: Vec<Verdict> = judged.map(|one| one.verdict).collect();
                let kept = match label.kind {
                    Kind::Depart => self.store.keep_once(instance, batches, journeys, now),
                    _ => self.store.keep(instance, &batches, &journeys, now),
                };
                match kept {
                    Ok(answer) => {
                        if matches!(answer, ToEdge::Kept) {
                            self.judged.add(&verdicts);
                            self.gather.staged(peer, Instant::now());
                        }
                        self.owe(peer, call, Owed::Edge(answer));
                    }
                    Err(Fault::Parcel(fault)) => return Err(fault),
                    Err(fault) => {
                        self.owed.push((peer, call, Owed::Edge(ToEdge::Fault)));
                        self.failed(&fault);
                    }
                }
            }
            FromEdge::Room { user, bytes } => {
                let room = self.store.has_room(user, bytes, now_ms());
                let answer = room.map_or(ToEdge::Fault, ToEdge::Room);
                let _ = self.hub.send(peer, call, &answer, Vec::new());
            }
            FromEdge::HasKept { user, message } => {
                let kept = self.store.has_kept(user, message);
                let answer = kept.map_or(ToEdge::Fault, ToEdge::HasKept);
                let _ = self.hub.send(peer, call, &answer, Vec::new());
            }
        }
        Ok(())
    }
}
