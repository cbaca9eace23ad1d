//! What is read of a mailbox: folders, lines, sealed parts, quarantine, journeys.

use crate::Fault;
use crate::entry::Stored;
use crate::parts;
use crate::person::{MESSAGES, number};
use crate::store::{Store, Whose};
use std::os::fd::OwnedFd;
use terms::{FolderId, MessageId, TenantId, UserId};
use wire::mailbox::{FromAdmin, Journey, Quarantined, SealedPart, ToAccess, ToAdmin};
use wire::vault::Class;

/// Octets of parts in one answer; what does not fit is left out and asked for again.
const ANSWER_BYTES: u64 = 48 * 1024 * 1024;
/// Descriptors beside one answer, below the channel's limit.
const ANSWER_DESCRIPTORS: usize = 100;
/// Lines of one administrative list.
const LIST: u32 = 1_000;

impl Store {
    pub fn folders(&mut self, whose: Whose, now_ms: u64) -> Result<ToAccess, Fault> {
        let person = self.person(whose, now_ms)?;
        let show = person.folders.iter().map(|(number, front)| front.show(*number));
        Ok(ToAccess::Folders(show.collect()))
    }

    pub fn quota(&mut self, whose: Whose, now_ms: u64) -> Result<ToAccess, Fault> {
        let person = self.person(whose, now_ms)?;
        Ok(ToAccess::Quota {
            used_bytes: person.used_bytes(),
            limit_bytes: person.quota_bytes,
            used_messages: person.used_messages(),
            limit_messages: MESSAGES,
        })
    }

    pub fn rows(
        &mut self,
        user: UserId,
        folder: FolderId,
        since: Option<u64>,
    ) -> Result<ToAccess, Fault> {
        let folder = number(folder);
        let Some(front) = self.front(user, folder)?.cloned() else {
            return Ok(ToAccess::NoSuchFolder);
        };
        let rows = self.shelf(user, folder)?.map(|shelf| shelf.rows(since)).unwrap_or_default();
        Ok(ToAccess::Rows {
            uid_validity: front.uid_validity,
            uid_next: front.uid_next,
            highest_modseq: front.modseq,
            rows,
        })
    }

    /// Sealed parts in the order asked for. Stops before the answer grows too large; the first
    /// one always fits.
    pub fn fetch(
        &mut self,
        user: UserId,
        folder: FolderId,
        uids: &[u32],
        class: Class,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<ToAccess, Fault> {
        let Some(shelf) = self.shelf(user, number(folder))? else {
            return Ok(ToAccess::NoSuchFolder);
        };
        let wanted: Vec<(u32, u64)> =
            uids.iter().filter_map(|uid| Some((*uid, shelf.find(*uid)?.stored))).collect();
        let mut found = Vec::with_capacity(wanted.len());
        let mut sum = 0;
        for (uid, id) in wanted {
            let Some(stored) = self.stored(id)? else { continue };
            sum += part_bytes(&stored, class);
            let is_full = sum > ANSWER_BYTES || descriptors.len() >= ANSWER_DESCRIPTORS;
            if is_full && !found.is_empty() {
                break;
            }
            found.push((uid, stored.message, self.part(&stored, class, descriptors)?));
        }
        Ok(ToAccess::Parts(found))
    }

    fn part(
        &mut self,
        stored: &Stored,
        class: Class,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<SealedPart, Fault> {
        let place = match class {
            Class::Summary => stored.summary,
            Class::Body => stored.body,
        };
        parts::read(&mut *self.bodies, place.into(), wire::INLINE_BYTES, descriptors)
    }

    /// Answers `admin`'s questions; what changes something is staged.
    pub fn administer(&mut self, question: FromAdmin, now_ms: u64) -> Result<ToAdmin, Fault> {
        match question {
            FromAdmin::MakeUser { tenant, user, quota_bytes } => {
                let quota = if quota_bytes == 0 { crate::person::QUOTA_BYTES } else { quota_bytes };
                self.make(Whose { tenant, user }, quota, now_ms)?;
                Ok(ToAdmin::Done)
            }
            FromAdmin::Quota { tenant, user } => {
                let person = self.person(Whose { tenant, user }, now_ms)?;
                let (used_bytes, limit_bytes) = (person.used_bytes(), person.quota_bytes);
                Ok(ToAdmin::Quota { used_bytes, limit_bytes })
            }
            FromAdmin::Trace { tokens, limit } => self.trace(&tokens, limit.min(LIST)),
            FromAdmin::QuarantineList { tenant } => self.quarantine(tenant),
            FromAdmin::QuarantineShow(message, user) => {
                self.settle()?;
                match self.index.held_one(user, message)? {
                    Some(held) => Ok(ToAdmin::Quarantine(vec![self.show(held)?])),
                    None => Ok(ToAdmin::NoSuch),
                }
            }
            FromAdmin::QuarantineRelease { message, user } => self.let_go(message, user),
            // Its desk knows.
            FromAdmin::Standing | FromAdmin::Acknowledge => Ok(ToAdmin::NoSuch),
            FromAdmin::Status => {
                self.settle()?;
                let (users, messages, bytes) = self.index.counts()?;
                let pending_evidence = self.arrived.len() as u64;
                Ok(ToAdmin::Status { users, messages, bytes, pending_evidence })
            }
        }
    }

    fn let_go(&mut self, message: MessageId, user: UserId) -> Result<ToAdmin, Fault> {
        Ok(if self.release(user, message)? { ToAdmin::Done } else { ToAdmin::NoSuch })
    }

    fn trace(&mut self, tokens: &[[u8; 16]], limit: u32) -> Result<ToAdmin, Fault> {
        self.settle()?;
        let found = self.index.journeys(tokens, limit)?;
        let journeys = found.iter().filter_map(|bytes| postcard::from_bytes(bytes).ok());
        // The index knows half of each token: the journey itself decides.
        let meant = |journey: &Journey| {
            tokens.is_empty() || journey.tokens.iter().any(|token| tokens.contains(token))
        };
        Ok(ToAdmin::Journeys(journeys.filter(meant).collect()))
    }

    fn quarantine(&mut self, tenant: Option<TenantId>) -> Result<ToAdmin, Fault> {
        self.settle()?;
        let held = self.index.held(tenant, LIST)?;
        let shown: Result<Vec<Quarantined>, Fault> =
            held.into_iter().map(|held| self.show(held)).collect();
        Ok(ToAdmin::Quarantine(shown?))
    }

    fn show(&self, held: crate::entry::Held) -> Result<Quarantined, Fault> {
        let stored = self.stored(held.stored)?;
        Ok(Quarantined {
            message: held.message,
            tenant: held.tenant,
            user: held.user,
            at_ms: held.at_ms,
            expires_ms: held.expires_ms,
            reasons: held.reasons,
            size: stored.as_ref().map_or(0, |stored| stored.size),
            verdict: stored.map(|stored| stored.verdict),
        })
    }
}

fn part_bytes(stored: &Stored, class: Class) -> u64 {
    match class {
        Class::Summary => u64::from(stored.summary.length),
        Class::Body => u64::from(stored.body.length),
    }
}
