//! What mail asks about lists: who may post, whom a message is spread to, and what came back for a
//! subscription.

use crate::Fault;
use crate::address::folded;
use crate::changes::Changes;
use crate::lists::{LetterRow, ListRow, MemberRow, Telling, Token, permit, token, word_address};
use crate::resolve::{Lookup, NOBODY};
use crate::statements::is_ended;
use compartment::now_ms;
use terms::{TenantId, UserId};
use wire::directory::Onward;
use wire::lists::{self, Answer, Copy, May, PAGE, Page, Posting, Question, Word};
use wire::pages::ToPages;
use wire::post::Hop;

/// Whoever asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    Edge,
    /// Whose channel it is.
    Dispatch(TenantId, UserId),
    Depart,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Mail is tried for five days; a clock may be a day behind.
const PERMIT_DAYS: u64 = 6;
/// Copies that came back in a row because the address is not there any more.
const RETURNED: u32 = 5;
/// One that comes back so long after the last begins anew.
const FORGIVEN_MS: u64 = 30 * DAY_MS;

impl Changes<'_> {
    /// `None`: that is no question of this asker's.
    pub fn list_mail(&mut self, asker: Asker, question: Question) -> Option<Answer> {
        let answer = match (question, asker) {
            (Question::MayPost { list, author: Some(author), bytes }, Asker::Edge) => {
                self.may_author_post(&list, author, bytes)
            }
            (Question::MayPost { list, author: None, bytes }, Asker::Edge) => {
                self.may_post(&list, &[], bytes)
            }
            (Question::MayPost { list, author: None, bytes }, Asker::Dispatch(tenant, user)) => {
                self.may_person_post(&list, (tenant, user), bytes)
            }
            (Question::Unsubscribe { address }, Asker::Edge | Asker::Depart) => {
                self.unsubscribe_by(&address)
            }
            (Question::Returned { address }, Asker::Edge | Asker::Depart) => {
                self.returned(&address, now_ms())
            }
            (Question::Undelivered { address, why }, Asker::Depart) => {
                self.undelivered(&address, &why, now_ms())
            }
            (Question::Copies { list, permit, after }, Asker::Depart) => {
                self.copies(&list, (permit, after), now_ms())
            }
            _ => return None,
        };
        Some(answer.unwrap_or(Answer::Later))
    }

    /// Somebody who is proven to have this address, and whatever others they have here.
    fn may_author_post(&self, list: &str, author: String, bytes: u64) -> Result<Answer, Fault> {
        let own = self.kept(&author)?;
        let mut addresses = vec![author];
        if let Some((_, _, person)) = self.look_up(&own)? {
            addresses.extend(person.aliases);
            addresses.push(person.address);
        }
        self.may_post(list, &addresses, bytes)
    }

    fn may_person_post(
        &self,
        list: &str,
        (tenant, user): (TenantId, UserId),
        bytes: u64,
    ) -> Result<Answer, Fault> {
        let Some((_, person)) = self.tables.person(self.key, user)? else {
            return Ok(Answer::May(May::No));
        };
        if person.disabled || is_ended(self.tables, self.key, tenant, user)? {
            return Ok(Answer::May(May::No));
        }
        let mut own = person.aliases;
        own.push(person.address);
        self.may_post(list, &own, bytes)
    }

    /// `author`: the addresses of somebody who is proven to have them; none: nobody is proven.
    fn may_post(&self, list: &str, author: &[String], bytes: u64) -> Result<Answer, Fault> {
        let Some((_, row)) = self.tables.list(self.key, list)? else { return Ok(Answer::Unknown) };
        let is_member = author.iter().try_fold(false, |is, one| {
            let place = self.tables.member_place(self.key, list, one)?;
            Ok::<_, Fault>(is || self.tables.member(self.key, &place)?.is_some())
        })?;
        let is_owner = author.iter().any(|one| row.owners.iter().any(|of| is_same(of, one)));
        if !may(row.posting, is_member, is_owner) {
            return Ok(Answer::May(May::No));
        }
        if bytes > row.bytes {
            return Ok(Answer::May(May::TooLarge { limit: row.bytes }));
        }
        let permit = permit(self.key, list, now_ms() / DAY_MS);
        Ok(Answer::May(May::Yes { permit }))
    }

    /// A page of a list's members, each with the places where their mail goes today.
    fn copies(
        &self,
        list: &str,
        (said, after): (Token, Option<Token>),
        now: u64,
    ) -> Result<Answer, Fault> {
        let today = now / DAY_MS;
        let is_due = |day: u64| permit(self.key, list, day) == said;
        let mut days = today.saturating_sub(PERMIT_DAYS)..=today + 1;
        let Some((tenant, row)) = self.tables.list(self.key, list)?.filter(|_| days.any(is_due))
        else {
            return Ok(Answer::Unknown);
        };
        let members = self.tables.members(self.key, list, (after, PAGE))?;
        let next = members.last().filter(|_| members.len() == PAGE).map(|(place, _)| *place);
        let mut copies = Vec::with_capacity(members.len());
        for (place, member) in &members {
            if member.suspended_ms.is_none() {
                self.add_copies((tenant, place, member), now, &mut copies)?;
            }
        }
        let ListRow { name, posting, .. } = row;
        Ok(Answer::Copies(Box::new(Page { name, posting, copies, next })))
    }

    fn add_copies(
        &self,
        (tenant, place, member): (TenantId, &Token, &MemberRow),
        now: u64,
        copies: &mut Vec<Copy>,
    ) -> Result<(), Fault> {
        let look = Lookup { tables: self.tables, key: self.key, now };
        let found = look.lead(&member.address, tenant)?;
        let own = Onward {
            user: NOBODY,
            to: member.address.clone(),
            // Nobody: it comes back, and is counted.
            hop: Hop::Here,
            path: wire::directory::Path::Rewritten,
        };
        let stays = !found.people.is_empty() || found.onward.is_empty();
        for (way, is_kept) in stays
            .then_some((own, true))
            .into_iter()
            .chain(found.onward.into_iter().map(|way| (way, false)))
        {
            copies.push(Copy {
                to: way.to,
                hop: way.hop,
                users: if is_kept { found.people.clone() } else { Vec::new() },
                from: word_address(self.key, Word::Returned, place, member),
                unsubscribe: word_address(self.key, Word::Unsubscribe, place, member),
                token: token(self.key, Word::Unsubscribe, place, member),
            });
        }
        Ok(())
    }

    fn unsubscribe_by(&mut self, address: &str) -> Result<Answer, Fault> {
        if lists::word(address) != Some(Word::Unsubscribe) {
            return Ok(Answer::Unknown);
        }
        match self.tables.meant_by(self.key, address)? {
            Some(meant) => self.leave(meant).map(|()| Answer::Done),
            None => Ok(Answer::Unknown),
        }
    }

    /// By a link: done, done before, or no link of ours. To ask twice is to be answered twice (RFC
    /// 8058 wants a POST, and nobody promises that there is one).
    pub fn unsubscribe(&mut self, said: &[u8]) -> Result<ToPages, Fault> {
        match self.tables.meant(self.key, Word::Unsubscribe, said)? {
            Some(meant) => self.leave(meant).map(|()| ToPages::Done),
            None => self.over_or_unknown(said),
        }
    }

    pub fn over_or_unknown(&self, said: &[u8]) -> Result<ToPages, Fault> {
        let is_over = self.tables.is_over(self.key, said)?;
        Ok(if is_over { ToPages::Over } else { ToPages::Unknown })
    }

    /// Somebody leaves by themselves: recorded, then done, and they are told once.
    fn leave(
        &mut self,
        (tenant, place, member): (TenantId, Token, MemberRow),
    ) -> Result<(), Fault> {
        self.friends.record_change(tenant, None, "list.unsubscribe")?;
        self.end_subscription(tenant, &place, member)
    }

    pub fn end_subscription(
        &mut self,
        tenant: TenantId,
        place: &Token,
        member: MemberRow,
    ) -> Result<(), Fault> {
        let Some((_, list)) = self.tables.list(self.key, &member.list)? else { return Ok(()) };
        if self.tables.drop_member(self.key, place)? {
            let letter = letter(Telling::Left, member.address, &list, now_ms());
            self.tables.keep_letter(self.key, tenant, &letter)?;
        }
        Ok(())
    }

    /// A copy came back because its address is not there any more.
    pub fn returned(&mut self, address: &str, now: u64) -> Result<Answer, Fault> {
        let meant = match lists::word(address) {
            Some(Word::Returned) => self.tables.meant_by(self.key, address)?,
            _ => None,
        };
        let Some((tenant, _, mut member)) = meant else { return Ok(Answer::Unknown) };
        if member.suspended_ms.is_some() {
            return Ok(Answer::Done);
        }
        let is_old = now.saturating_sub(member.returned_ms) > FORGIVEN_MS;
        member.returned = if is_old { 1 } else { member.returned.saturating_add(1) };
        member.returned_ms = now;
        if member.returned < RETURNED {
            self.tables.keep_member(self.key, tenant, &member)?;
            return Ok(Answer::Done);
        }
        self.friends.record_change(tenant, None, "list.suspend")?;
        member.suspended_ms = Some(now);
        self.tables.keep_member(self.key, tenant, &member)?;
        if let Some((_, list)) = self.tables.list(self.key, &member.list)? {
            let what = Telling::Suspended { member: member.address };
            let letter = letter(what, lists::owner(&list.address), &list, now);
            self.tables.keep_letter(self.key, tenant, &letter)?;
        }
        Ok(Answer::Done)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

fn may(posting: Posting, is_member: bool, is_owner: bool) -> bool {
    match posting {
        Posting::Anyone => true,
        Posting::Members => is_member || is_owner,
        Posting::Owners => is_owner,
    }
}

pub(crate) fn letter(what: Telling, to: String, list: &ListRow, at_ms: u64) -> LetterRow {
    let ListRow { address, name, language, .. } = list;
    LetterRow { what, to, list: address.clone(), name: name.clone(), language: *language, at_ms }
}
