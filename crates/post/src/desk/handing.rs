//! What is handed to a `depart` is told to the vault first: it opens that, for that instance, and
//! nothing else.

use super::carrying::Carried;
use super::{Desk, Idle, Owed};
use crate::Fault;
use crate::room::NOBODY;
use crate::table::Hand;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{MessageId, TenantId, UserId};
use wire::Peer;
use wire::control::Report;
use wire::directory::guest_of;
use wire::mailbox::SealedPart;
use wire::post::{Load, Outgoing, ToDepart, ToSender};
use wire::vault::FromPost;

/// The largest letter of the house's own, and how many leave in ten minutes: more than the largest
/// list has members who leave it at once, and too few to write to strangers with.
const LETTER_BYTES: u64 = 16 * 1024;
const LETTERS: u32 = 1_000;
/// Between two alarms that mail is not taken.
const REFUSED: Duration = Duration::from_secs(3_600);
const LETTERS_TIME: Duration = Duration::from_secs(10 * 60);
/// The largest notice that a `depart` writes: what it gives back whole has half of this.
const NOTICE_BYTES: u64 = 128 * 1024;

/// Letters of the directory's since then.
#[derive(Default)]
pub(super) struct Letters {
    since: Option<Instant>,
    many: u32,
}

impl Letters {
    /// Counts one more, if there may be one.
    fn may(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) > LETTERS_TIME) {
            *self = Self { since: Some(now), many: 0 };
        }
        self.many = self.many.saturating_add(1);
        self.many <= LETTERS
    }
}

/// A batch on its way to whoever carries it.
pub(super) struct Batch {
    pub tenant: TenantId,
    pub loads: Vec<Load>,
    pub descriptors: Vec<OwnedFd>,
}

impl Desk {
    /// `tenant`: the only one that this peer may speak for.
    pub(super) fn queue(
        &mut self,
        peer: Peer,
        call: u32,
        (outgoing, held, hand): (&Outgoing, &[OwnedFd], Hand),
        person: Option<(TenantId, UserId)>,
    ) -> Result<(), wire::Fault> {
        // A dispatch speaks for its own person, and for nobody beside them.
        if person.is_some_and(|person| person != (outgoing.tenant, outgoing.user)) {
            return Err(wire::Fault::Malformed);
        }
        let Some(instance) = self.hub.label(peer).map(|label| label.instance) else {
            return Ok(());
        };
        let is_guest_s = outgoing.user == guest_of(outgoing.tenant);
        let queued = match is_notice(outgoing) && !is_guest_s && self.may_tell(peer) {
            true => self.store.queue_notice((outgoing, instance), held),
            false => self.store.queue((outgoing, instance, hand), held),
        };
        self.tell_refused(&queued, outgoing.tenant);
        match queued {
            Ok(answer) => self.owe(peer, call, Owed::Sender(answer)),
            Err(Fault::Parcel(fault)) => {
                self.failed(&Fault::Parcel(wire::Fault::Malformed));
                return Err(fault);
            }
            Err(fault) => {
                self.owed.push((peer, call, Owed::Sender(ToSender::Fault)));
                self.failed(&fault);
            }
        }
        Ok(())
    }

    /// Whoever carries tells one sender of each leg that it was handed; what it would tell beyond
    /// that is mail like any other.
    fn may_tell(&mut self, peer: Peer) -> bool {
        let Some(carried) = self.carried.get_mut(&peer) else { return false };
        let left = carried.notices.checked_sub(1);
        carried.notices = left.unwrap_or(0);
        left.is_some()
    }

    /// Somebody has to look, once an hour, at a share that is full.
    fn tell_refused(&mut self, queued: &Result<ToSender, Fault>, tenant: TenantId) {
        let what = match queued {
            Ok(ToSender::Crowded) => {
                format!("post: mail of tenant {tenant} is not taken: its share is full")
            }
            Ok(ToSender::Full) => "post: no mail is taken: the disk is near its floor".to_owned(),
            _ => return,
        };
        if self.refused_at.is_none_or(|last| last.elapsed() >= REFUSED) {
            self.refused_at = Some(Instant::now());
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
        }
    }

    /// The directory writes letters about lists and TLS: small ones, to one place each, in nobody's
    /// name, and not many. What else it would send is no letter of its own.
    pub(super) fn queue_letter(
        &mut self,
        peer: Peer,
        call: u32,
        (outgoing, held): (&Outgoing, &[OwnedFd]),
    ) -> Result<(), wire::Fault> {
        let is_to_one = matches!(outgoing.legs.as_slice(), [leg] if leg.recipients == 1);
        if !is_to_one || outgoing.size > LETTER_BYTES || outgoing.user != NOBODY {
            return Err(wire::Fault::Malformed);
        }
        if !self.letters.may(Instant::now()) {
            let _ = self.hub.send(peer, call, &ToSender::Full, Vec::new());
            return Ok(());
        }
        self.queue(peer, call, (outgoing, held, Hand::Others), None)
    }

    /// A vault that was started anew knows nothing of what is in hand: it is told again.
    pub(super) fn meet_vault(&mut self, vault: Peer) {
        self.vault = Some(vault);
        let carriers: Vec<(Peer, &Carried)> =
            self.carried.iter().map(|(peer, carried)| (*peer, carried)).collect();
        let mut told = Vec::new();
        for (peer, carried) in carriers {
            let Some(tenant) = self.store.table.tenants.of(carried.tenant) else { continue };
            let owner = |slot: &u32| {
                let leg = self.store.table.leg(*slot)?;
                let row = self.store.table.message(leg.message)?;
                Some((row.user, row.message))
            };
            let messages = carried.legs.values().filter_map(|(slot, _)| owner(slot)).collect();
            told.push((peer, tenant, messages));
        }
        for (peer, tenant, messages) in told {
            self.tell_vault(0, peer, tenant, messages);
        }
    }

    /// Nothing that was announced is given out; what is in hand already is tried to its end.
    pub(super) fn lose_vault(&mut self) {
        self.vault = None;
        for (peer, batch) in std::mem::take(&mut self.announced).into_values() {
            drop(batch);
            if let Some(carried) = self.carried.remove(&peer) {
                let tenant = self.store.table.tenants.of(carried.tenant);
                self.come_back(carried);
                self.idle.push(Idle { peer, tenant, since: Instant::now() });
            }
        }
    }

    /// Tells the vault, and holds the batch back until it has noted it.
    pub(super) fn announce(&mut self, peer: Peer, batch: Batch) {
        let messages = batch.loads.iter().map(|load| (load.user, load.message)).collect();
        self.last_call = self.last_call.wrapping_add(1).max(1);
        let call = self.last_call;
        let tenant = batch.tenant;
        self.announced.insert(call, (peer, batch));
        self.tell_vault(call, peer, tenant, messages);
    }

    fn tell_vault(
        &mut self,
        call: u32,
        peer: Peer,
        tenant: TenantId,
        messages: Vec<(UserId, MessageId)>,
    ) {
        let (Some(vault), Some(label)) = (self.vault, self.hub.label(peer)) else { return };
        let told = FromPost::Handed { instance: label.instance, tenant, messages };
        if self.hub.send(vault, call, &told, Vec::new()).is_err() {
            self.lose_vault();
        }
    }

    /// The vault has noted it: the batch goes out.
    pub(super) fn give_batch(&mut self, call: u32) {
        let Some((peer, batch)) = self.announced.remove(&call) else { return };
        let Batch { tenant, loads, descriptors } = batch;
        if let Some(label) = self.hub.label(peer) {
            let carries = Report::Carries { instance: label.instance, tenant };
            let _ = self.hub.send(self.warden, 0, &carries, Vec::new());
        }
        let batch = ToDepart::Batch { tenant, legs: loads };
        if self.hub.send(peer, 0, &batch, descriptors).is_err() {
            self.gone(peer);
        }
    }
}

/// Whether it has the shape of a notice: small, and to one recipient.
fn is_notice(outgoing: &Outgoing) -> bool {
    let is_small = |part: &SealedPart| part.content.len() <= NOTICE_BYTES;
    let is_to_one = match outgoing.legs.as_slice() {
        [leg] => leg.recipients == 1 && is_small(&leg.envelope),
        _ => false,
    };
    is_to_one && outgoing.size <= NOTICE_BYTES && is_small(&outgoing.body)
}

#[cfg(test)]
mod tests {
    use super::{LETTERS, LETTERS_TIME, Letters};
    use std::time::{Duration, Instant};

    #[test]
    fn letters_of_the_directory_are_few() {
        let (mut letters, now) = (Letters::default(), Instant::now());
        assert!((0..LETTERS).all(|_| letters.may(now)));
        assert!(!letters.may(now + LETTERS_TIME));
        assert!(letters.may(now + LETTERS_TIME + Duration::from_secs(1)));
    }
}
