//! The end of a contract, or of a person, in the queue: what waits is over without a word to
//! anybody, and every octet of it leaves the disk.

use crate::Fault;
use crate::entry::Entry;
use crate::store::{Store, over};
use crate::table::{Message, is_over, seconds};
use terms::{TenantId, UserId};
use wire::post::{State, ToDirectory};

/// Entries of one note: a queue may hold a million letters of one tenant.
const TOGETHER: usize = 10_000;

/// A sweep under way: what passed before this number must have reached the ledger, too.
#[derive(Clone, Copy, Default)]
pub struct Sweep {
    seq: Option<u64>,
}

fn sum(some: &[(u32, u64)]) -> (u64, u64) {
    (some.len() as u64, some.iter().map(|(_, bytes)| *bytes).sum())
}

impl Store {
    /// Stages the end of what these people have in the queue, or of all that a tenant has. Asked
    /// again, it finds nothing and does no harm.
    pub fn erase(
        &mut self,
        tenant: TenantId,
        users: Vec<UserId>,
        whole: bool,
        now_ms: u64,
    ) -> Result<ToDirectory, Fault> {
        let theirs = self.theirs(tenant, &users, whole);
        let open = |slot: &u32| self.table.leg(*slot).is_some_and(|leg| !is_over(leg.state));
        let legs = theirs.iter().flat_map(|(slot, _)| self.table.legs_of(*slot)).filter(open);
        let now = seconds(now_ms);
        let mut entries: Vec<Entry> =
            legs.map(|leg| over(leg, State::Cancelled, now, None)).collect();
        let mut users = users;
        if whole {
            // Its own servers hand in by the contract's id.
            users.push(UserId(tenant.0));
        }
        for user in &users {
            self.returns.forget(*user);
            self.pressing.forget(*user);
        }
        entries.push(Entry::Erased { users });
        for some in entries.chunks(TOGETHER) {
            self.stage(some.to_vec())?;
        }
        let (messages, bytes) = sum(&theirs);
        Ok(ToDirectory::Erased { messages, bytes })
    }

    /// What an erasure would erase.
    pub fn count(&self, tenant: TenantId, users: &[UserId], whole: bool) -> ToDirectory {
        let (messages, bytes) = sum(&self.theirs(tenant, users, whole));
        ToDirectory::Counted { messages, bytes }
    }

    /// Slot and octets of each.
    fn theirs(&self, tenant: TenantId, users: &[UserId], whole: bool) -> Vec<(u32, u64)> {
        let place = self.table.tenants.find(&tenant);
        let is_theirs =
            |row: &Message| Some(row.tenant) == place && (whole || users.contains(&row.user));
        let rows = (0u32..).zip(&self.table.messages);
        let theirs = rows.filter_map(|(slot, row)| Some((slot, row.as_ref()?)));
        theirs
            .filter(|(_, row)| is_theirs(row))
            .map(|(slot, row)| (slot, u64::from(row.size)))
            .collect()
    }

    /// Whether octets that were dead when this was first asked still lie on the disk.
    pub fn sweep(&mut self) -> Result<ToDirectory, Fault> {
        if self.has_staged() {
            return Ok(ToDirectory::Swept { left: true });
        }
        let seq = *self.sweep.seq.get_or_insert(self.table.next_seq);
        self.write_down()?;
        let is_told = self.table.passed.front().is_none_or(|passage| passage.seq >= seq);
        let left = self.bodies.sweep()? || !is_told;
        match left {
            // A pack may be emptied once the log has passed it, in a quiet queue, too.
            true => self.stage(vec![Entry::Recorded { before: 0 }])?,
            false => self.sweep.seq = None,
        }
        Ok(ToDirectory::Swept { left })
    }

    /// Whether packs are to be emptied however much lives in them.
    pub fn is_sweeping(&self) -> bool {
        self.sweep.seq.is_some()
    }
}
