//! Notices to senders outside: strangers have them made, and servers of theirs need not take them.

use super::over;
use crate::entry::Entry;
use crate::room::Amount;
use crate::table::{Hand, Leg, is_over, seconds};
use crate::{Fault, Store};
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use terms::InstanceId;
use wire::post::{Outgoing, State, ToSender};

impl Store {
    /// Stages a notice to a sender outside: what is given back empties the queue, so that it finds
    /// no bound but the disk's and its own, where the oldest make room.
    pub fn queue_notice(
        &mut self,
        (outgoing, instance): (&Outgoing, InstanceId),
        held: &[OwnedFd],
    ) -> Result<ToSender, Fault> {
        let bytes = outgoing.body.content.len();
        if !self.disk.has_room_for_notice(bytes, self.bounds.free_bytes) {
            self.refused += 1;
            return Ok(ToSender::Full);
        }
        let gone = self.notices_in_the_way(outgoing);
        if !gone.is_empty() {
            self.stage(gone)?;
        }
        self.admit((outgoing, instance, (Hand::Others, true)), held)
    }

    /// The ends of the oldest notices, so that there is room for one more. One under way stays.
    fn notices_in_the_way(&self, outgoing: &Outgoing) -> Vec<Entry> {
        let Some(tenant) = self.table.tenants.find(&outgoing.tenant) else { return Vec::new() };
        let mut staged = Amount::default();
        let mut ended = HashSet::new();
        for entry in &self.staged {
            match entry {
                Entry::QueuedNotice(new) if new.tenant == outgoing.tenant => {
                    staged.add(new.body.length.into());
                }
                Entry::Over { leg, .. } => drop(ended.insert(*leg)),
                _ => {}
            }
        }
        let oldest = self.table.room.oldest_notices(tenant, staged, outgoing.body.content.len());
        let slots = oldest.iter().filter_map(|message| self.table.slot(*message));
        let waits = |leg: &u32| {
            let is_open = |leg: &Leg| !is_over(leg.state) && !leg.leaving;
            !ended.contains(leg) && self.table.leg(*leg).is_some_and(is_open)
        };
        let legs = slots.flat_map(|slot| self.table.legs_of(slot)).filter(waits);
        legs.map(|leg| over(leg, State::Failed, seconds(outgoing.at_ms), None)).collect()
    }
}
