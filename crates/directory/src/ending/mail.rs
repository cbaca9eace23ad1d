//! The mail of an ending goes in pieces. What a piece holds is counted and kept before anything of
//! it is erased: whoever erases may be gone before they have said how much it was, and asked again
//! they find nothing.

use crate::Fault;
use crate::changes::Changes;
use crate::endings::{Counted, EndingRow};
use crate::friends::Friends;
use std::time::{Duration, Instant};
use terms::{TenantId, UserId};
use wire::{mailbox, post};

/// People whose mail is erased in one question.
const PEOPLE_AT_ONCE: usize = 20;
/// How long the directory erases before it answers others again.
const AT_A_TIME: Duration = Duration::from_secs(1);

impl Changes<'_> {
    /// Piece by piece, each noted: a restart goes on with the next one.
    pub(super) fn erase_mail(&mut self, row: &mut EndingRow) -> Result<(), Fault> {
        let part = row.ending.part;
        let until = Instant::now() + AT_A_TIME;
        while !row.mail_erased && Instant::now() < until {
            let left = row.people.get(row.erased..).unwrap_or_default();
            let some: Vec<UserId> = left.iter().take(PEOPLE_AT_ONCE).copied().collect();
            let is_last = some.len() == left.len();
            let whole = is_last && part.user.is_none();
            let people = some.len();
            let counted = match row.counted {
                Some(counted) => counted,
                None => self.friends.count(part.tenant, &some, whole)?,
            };
            if row.counted.is_none() {
                row.counted = Some(counted);
                self.tables.keep_ending(self.key, row)?;
            }
            let waiting = self.friends.erase_queue(part.tenant, some.clone(), whole)?;
            let (messages, bytes, rows) = self.friends.erase_mail(part.tenant, some, whole)?;
            // Whichever is more: less was erased by an answer that was lost, as nothing that has no
            // key leaves in another way; more came in between.
            row.ending.messages += messages.max(counted.messages) + waiting.0.max(counted.waiting);
            row.ending.bytes += bytes.max(counted.bytes) + waiting.1.max(counted.waiting_bytes);
            row.ending.rows += rows.max(counted.rows);
            row.counted = None;
            row.erased += people;
            row.mail_erased = is_last;
            self.tables.keep_ending(self.key, row)?;
        }
        Ok(())
    }
}

impl Friends {
    /// What erasing these people's mail would erase.
    fn count(&mut self, tenant: TenantId, some: &[UserId], whole: bool) -> Result<Counted, Fault> {
        let (waiting, waiting_bytes) = self.count_queue(tenant, some.to_vec(), whole)?;
        let question = mailbox::FromDirectory::Count { tenant, users: some.to_vec() };
        match self.ask_mailbox(&question)? {
            mailbox::ToDirectory::Counted { messages, bytes, rows } => {
                Ok(Counted { messages, bytes, rows, waiting, waiting_bytes })
            }
            _ => Err(Fault::MailboxAway),
        }
    }

    /// Messages, octets.
    fn count_queue(
        &mut self,
        tenant: TenantId,
        users: Vec<UserId>,
        whole: bool,
    ) -> Result<(u64, u64), Fault> {
        match self.ask_post(&post::FromDirectory::Count { tenant, users, whole })? {
            post::ToDirectory::Counted { messages, bytes } => Ok((messages, bytes)),
            _ => Err(Fault::PostAway),
        }
    }
}
