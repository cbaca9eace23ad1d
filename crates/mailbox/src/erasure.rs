//! What the directory asks: the end of mailboxes (rows at once, dead bytes as soon as their packs
//! are emptied), and in whose name a message left.

use crate::Fault;
use crate::entry::Entry;
use crate::store::Store;
use terms::{TenantId, UserId};
use wire::mailbox::{FromDirectory, Journey, State, ToDirectory};
use wire::reports::Sent;

/// Journeys under one token that are looked at for the one that left.
const JOURNEYS: u32 = 50;
/// People of one question: their folders are read and deleted in one transaction.
const PEOPLE: usize = 100;

/// A sweep under way: arrivals before `seq` must have reached the ledger, too.
#[derive(Clone, Copy, Default)]
pub struct Sweep {
    seq: Option<u64>,
}

fn people(mut users: Vec<UserId>) -> Vec<UserId> {
    users.truncate(PEOPLE);
    users
}

impl Store {
    pub fn end(&mut self, question: FromDirectory) -> Result<ToDirectory, Fault> {
        match question {
            FromDirectory::Erase { tenant, users, whole } => self.erase(tenant, users, whole),
            FromDirectory::Count { tenant, users } => {
                let (messages, bytes, rows) = self.count(tenant, &people(users))?;
                Ok(ToDirectory::Counted { messages, bytes, rows })
            }
            FromDirectory::Sweep => self.sweep(),
            FromDirectory::Sent { tenant, token } => self.sent(tenant, token),
            FromDirectory::WentTo { tenant, token, places } => self.went_to(tenant, token, &places),
        }
    }

    /// The newest of a tenant's messages that left under this token: a message's own before one
    /// that only went on.
    fn sent(&mut self, tenant: TenantId, token: [u8; 16]) -> Result<ToDirectory, Fault> {
        self.settle()?;
        let found = self.index.journeys(&[token], JOURNEYS)?;
        let journeys = found.iter().filter_map(|bytes| postcard::from_bytes::<Journey>(bytes).ok());
        let mut passed_on = None;
        for journey in journeys {
            // The index knows half of each token.
            let is_meant = journey.tenant == tenant && journey.tokens.contains(&token);
            let [user] = journey.recipients.as_slice() else { continue };
            let (message, user) = (journey.message, *user);
            let sent = |is_passed_on| Some(Sent { message, user, is_passed_on });
            match journey.state {
                State::Queued if is_meant => return Ok(ToDirectory::Sent(sent(false))),
                State::PassedOn if is_meant => passed_on = passed_on.or(sent(true)),
                _ => {}
            }
        }
        Ok(ToDirectory::Sent(passed_on))
    }

    fn went_to(
        &mut self,
        tenant: TenantId,
        token: [u8; 16],
        places: &[[u8; 16]],
    ) -> Result<ToDirectory, Fault> {
        self.settle()?;
        let found = self.index.journeys(&[token], JOURNEYS)?;
        let mut journeys =
            found.iter().filter_map(|bytes| postcard::from_bytes::<Journey>(bytes).ok());
        let went = journeys.any(|journey| {
            journey.tenant == tenant
                && journey.state == State::Queued
                && journey.tokens.contains(&token)
                && journey.tokens.iter().any(|one| places.contains(one))
        });
        Ok(ToDirectory::WentTo(went))
    }

    /// Stages the end of these mailboxes. Asked again, it finds nothing and does no harm.
    fn erase(
        &mut self,
        tenant: TenantId,
        users: Vec<UserId>,
        whole: bool,
    ) -> Result<ToDirectory, Fault> {
        let users = people(users);
        let (messages, bytes, rows) = self.count(tenant, &users)?;
        self.stage(vec![Entry::Erased { tenant, users, whole }])?;
        Ok(ToDirectory::Erased { messages, bytes, rows })
    }

    /// What these people have: messages, octets, rows.
    fn count(&mut self, tenant: TenantId, users: &[UserId]) -> Result<(u64, u64, u64), Fault> {
        // What they had is counted by the index: it must know all.
        self.settle()?;
        let (mut messages, mut bytes, mut rows) = (0, 0, 0);
        for user in users {
            if let Some(person) = self.find_person(*user)? {
                if person.tenant != tenant {
                    return Err(Fault::Parcel(wire::Fault::Malformed));
                }
                messages += person.used_messages();
                bytes += person.used_bytes();
                rows += person.folders.len() as u64 + 1;
            }
        }
        for held in self.index.held(Some(tenant), u32::MAX)? {
            if users.contains(&held.user) {
                let stored = self.stored(held.stored)?;
                messages += 1;
                bytes += stored.map_or(0, |stored| stored.size);
            }
        }
        Ok((messages, bytes, rows + messages))
    }

    /// Whether bytes that were dead when this was first asked still lie on the disk.
    fn sweep(&mut self) -> Result<ToDirectory, Fault> {
        if self.has_staged() {
            return Ok(ToDirectory::Swept { left: true });
        }
        let seq = *self.sweep.seq.get_or_insert(self.position.next_seq);
        self.checkpoint()?;
        let left = self.bodies.sweep()? || self.position.forwarded < seq;
        match left {
            // A pack may be emptied once the log has passed it, in a quiet house, too.
            true => self.stage(vec![Entry::Forwarded { before: self.position.forwarded }])?,
            false => self.sweep.seq = None,
        }
        Ok(ToDirectory::Swept { left })
    }

    /// Whether packs are to be emptied however much lives in them.
    pub fn is_sweeping(&self) -> bool {
        self.sweep.seq.is_some()
    }
}
