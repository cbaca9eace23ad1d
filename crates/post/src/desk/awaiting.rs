//! A post that comes after another: who carried for the one before says first what is in its hands
//! and what has come to its end there, and nothing of its tenant is handed to anybody before that.
//! Who is dead, by the warden's word, is not waited for, and nobody for ever.

use super::Desk;
use super::carrying::Carried;
use crate::schedule::BATCH;
use crate::table::{Table, is_over, seconds};
use compartment::now_ms;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId};
use wire::Peer;
use wire::control::{Carrier, Report};
use wire::post::{Errand, InHand, State};

/// No carrier is silent for longer, whatever keeps it: it answers between two waits. One that comes
/// later asks anew before it ends a text, and hears no.
const PATIENCE: Duration = Duration::from_secs(60);
/// Legs of two batches, and as many again: nobody has more in its hands.
const LEGS: usize = 4 * BATCH;

/// Who is still to be heard, and whose mail it carries, where that is known.
pub(super) struct Awaited {
    carriers: HashMap<InstanceId, Option<TenantId>>,
    until: Instant,
}

impl Awaited {
    pub fn of(carriers: &[Carrier]) -> Self {
        let carriers = carriers.iter().map(|one| (one.instance, one.tenant)).collect();
        Self { carriers, until: Instant::now() + PATIENCE }
    }

    /// When nobody is waited for any more.
    pub fn patience(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (!self.carriers.is_empty()).then_some(left)
    }
}

impl Desk {
    /// It has said its first word, or will say none.
    pub(super) fn has_heard(&mut self, carrier: InstanceId) {
        if self.awaited.carriers.remove(&carrier).is_some() {
            self.withhold();
        }
    }

    /// Of those that lived at our birth, whoever is not joined by now is dead.
    pub(super) fn all_are_joined(&mut self) {
        let joined: HashSet<InstanceId> = self
            .hub
            .peers()
            .filter(|(_, label)| label.kind == Kind::Depart)
            .map(|(_, label)| label.instance)
            .collect();
        self.awaited.carriers.retain(|carrier, _| joined.contains(carrier));
        self.withhold();
    }

    pub(super) fn tend_awaited(&mut self) {
        if self.awaited.patience() != Some(Duration::ZERO) {
            return;
        }
        let silent = self.awaited.carriers.len();
        self.awaited.carriers.clear();
        self.withhold();
        let text = format!("post: {silent} that carried mail before do not answer: it goes on");
        let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
    }

    /// Whose mail waits. One that is not known to carry for anybody may have anybody's.
    pub(super) fn withhold(&mut self) {
        let carriers = &self.awaited.carriers;
        let table = &mut self.store.table;
        table.withholds_all = carriers.values().any(Option::is_none);
        table.withheld = carriers.values().copied().flatten().collect();
    }

    /// What a carrier of before has in its hands is under way with it again.
    pub(super) fn take_up(&mut self, peer: Peer, legs: &[InHand]) -> Result<(), wire::Fault> {
        let Some(label) = self.hub.label(peer) else { return Ok(()) };
        let is_awaited = self.awaited.carriers.contains_key(&label.instance);
        let tenant = label.person.map(|(tenant, _)| tenant);
        if legs.len() > LEGS || self.carried.contains_key(&peer) {
            return Err(wire::Fault::Malformed);
        }
        self.resumed.insert(peer);
        let table = &mut self.store.table;
        let tenant = tenant.filter(|_| is_awaited).and_then(|tenant| table.tenants.find(&tenant));
        let Some(tenant) = tenant else { return Ok(()) };
        let mut taken = HashMap::new();
        for hand in legs {
            if let Some(slot) = table.take_up(hand, tenant, seconds(now_ms())) {
                taken.insert((hand.message, hand.leg), (slot, hand.errand));
            }
        }
        if !taken.is_empty() {
            self.carried.insert(peer, Carried::new(tenant, None, taken));
        }
        Ok(())
    }
}

impl Table {
    /// The leg's slot, if it can be in that hand: what is over, or waits for its time since it was
    /// told, was written down before.
    pub(crate) fn take_up(&mut self, hand: &InHand, tenant: u32, now: u32) -> Option<u32> {
        let message = self.slot(hand.message)?;
        self.message(message).filter(|row| row.tenant == tenant)?;
        let legs = self.legs_of(message);
        let is_it = |slot: &u32| self.leg(*slot).is_some_and(|leg| leg.number == hand.leg);
        let slot = legs.into_iter().find(is_it)?;
        let leg = self.leg_mut(slot)?;
        let is_carried = hand.errand == Errand::Carry;
        let waits = is_carried && leg.state == State::Delayed && leg.until_s > now;
        if is_over(leg.state) || leg.leaving || waits {
            return None;
        }
        (leg.leaving, leg.begun) = (true, is_carried);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::{Awaited, Carrier};
    use crate::Store;
    use crate::desk::Desk;
    use crate::tests::Folder;
    use compartment::now_ms;
    use journal::Rounds;
    use std::time::{Duration, Instant};
    use terms::{InstanceId, Kind, TenantId};
    use wire::{Channel, Hub, Label};

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let folder = Folder::new("awaited-for-ever");
        let store = Store::open(&folder.0, now_ms()).unwrap();
        let mut hub = Hub::new().unwrap();
        let (control, theirs) = Channel::pair().unwrap();
        let instance = InstanceId([8; 6]);
        let warden =
            hub.seat(theirs, Label { instance, kind: Kind::Warden, person: None }).unwrap();
        let forward = Rounds::new(Kind::Post, &wire::control::Start::default());
        let (one, two) = (TenantId([1; 8]), TenantId([2; 8]));
        let carriers = [(1, one), (2, two)].map(|(number, tenant)| Carrier {
            instance: InstanceId([number; 6]),
            tenant: Some(tenant),
        });
        assert!(Awaited::of(&[]).patience().is_none());
        let mut desk = Desk::new(hub, store, forward, warden).after(&carriers);
        desk.has_heard(InstanceId([1; 6]));
        desk.tend_awaited();
        assert_eq!(desk.store.table.withheld.iter().collect::<Vec<_>>(), [&two]);
        desk.awaited.until = Instant::now() - Duration::from_millis(1);
        desk.tend_awaited();
        assert!(desk.store.table.withheld.is_empty() && desk.awaited.patience().is_none());
        assert!(control.take().unwrap().is_some(), "an operator reads that it goes on");
    }
}
