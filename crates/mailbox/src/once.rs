//! What comes again from a `depart` that lost our answer, and is kept once.

use crate::Fault;
use crate::acts::Batch;
use crate::entry::Entry;
use crate::store::Store;
use std::collections::HashSet;
use terms::{InstanceId, MessageId, UserId};
use wire::mailbox::{Journey, State, ToEdge};

impl Store {
    /// As `keep`, from whoever comes again with what may have been kept already (`depart`, which
    /// lost our answer): what a person has had of a message lately is passed over.
    pub fn keep_once(
        &mut self,
        instance: InstanceId,
        mut batches: Vec<Batch>,
        journeys: Vec<Journey>,
        now_ms: u64,
    ) -> Result<ToEdge, Fault> {
        let mut once = Vec::new();
        let mut new = HashSet::new();
        for batch in &mut batches {
            for copy in std::mem::take(&mut batch.copies) {
                let key = (copy.user, copy.message);
                if !self.has_had(key)? && new.insert(key) {
                    let (user, message) = key;
                    once.push(Entry::Once { user, message, at_ms: now_ms });
                    batch.copies.push(copy);
                }
            }
        }
        let mut kept = Vec::with_capacity(journeys.len());
        for journey in journeys {
            let is_new = match went_on(&journey) {
                Some(key) => {
                    let is_new = !self.has_had(key)? && new.insert(key);
                    let (user, message) = key;
                    once.extend(is_new.then_some(Entry::Once { user, message, at_ms: now_ms }));
                    is_new
                }
                None => {
                    let mut copies = batches.iter().flat_map(|batch| &batch.copies);
                    copies.any(|copy| copy.tenant == journey.tenant)
                }
            };
            kept.extend(Some(journey).filter(|_| is_new));
        }
        let journeys = kept;
        self.keep_with(instance, &batches, (&journeys, once), now_ms)
    }
}

/// What goes on has no copy here by which it is known when it comes again: it is known by whose it
/// is, and by an id that no message has, for one that has this id may still come to a mailbox.
fn went_on(journey: &Journey) -> Option<(UserId, MessageId)> {
    let user = journey.recipients.first().copied().unwrap_or(UserId([0; 8]));
    let is_it = journey.state == State::PassedOn;
    is_it.then(|| (user, MessageId(journey.message.0.map(|octet| !octet))))
}
