//! What changes a mailbox: arrivals, and what a session does. Each act stages its entries.

use crate::entry::{Arrived, Entry, Held, Line, Stored};
use crate::parts;
use crate::person::{self, FOLDERS, INBOX, JUNK, number};
use crate::shelf::row;
use crate::store::{Store, Whose, uid_validity};
use crate::{Fault, person::special};
use body::Key;
use journal::Runs;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use terms::{FolderId, InstanceId, MessageId, Received, UserId, Verdict};
use wire::mailbox::{Copy, Journey, Place, SealedPart, State, ToAccess, ToEdge, flag};

/// Quarantine lets go after this, whatever an arrival asked for.
pub const QUARANTINE_MS: u64 = 14 * 24 * 3_600 * 1_000;
/// Flags that mean something: the system's and the keywords of a folder.
const FLAGS: u64 = flag::SEEN
    | flag::ANSWERED
    | flag::FLAGGED
    | flag::DELETED
    | flag::DRAFT
    | !((1 << flag::FIRST_KEYWORD) - 1);
/// Finding ids of one journey, and the length of one.
const REASONS: usize = 64;
const REASON_BYTES: usize = 64;
/// A sealed body is as long as the message, a tag of 16 octets for each 64 KiB, and its front.
const SEALING_BYTES: u64 = 1_024;
/// A summary is the header and an outline of the parts: no longer than this beside a small message,
/// and a few times a large one.
const SUMMARY_BYTES: u64 = 256 * 1024;
/// A folder's name, or the names of its keywords, sealed: they lie in the index, not in the bodies.
const NAME_BYTES: u64 = 64 * 1024;
const NAME_WRAPPED_BYTES: usize = 8 * 1024;
/// Expired copies let go in one round.
const EXPIRED_AT_ONCE: u32 = 500;

/// One frame of an arrival: its copies and the descriptors that came beside them.
pub struct Batch {
    pub copies: Vec<Copy>,
    pub descriptors: Vec<OwnedFd>,
}

/// One `Store` of a session.
pub struct FlagChange {
    pub uids: Vec<u32>,
    pub add: u64,
    pub remove: u64,
    pub replace: bool,
    pub unchanged_since: Option<u64>,
}

impl Store {
    /// Stages an arrival, whole or not at all. `OverQuota` keeps nothing.
    pub fn keep(
        &mut self,
        instance: InstanceId,
        batches: &[Batch],
        journeys: &[Journey],
        now_ms: u64,
    ) -> Result<ToEdge, Fault> {
        self.keep_with(instance, batches, (journeys, Vec::new()), now_ms)
    }

    /// `also`: entries that stand and fall with the arrival.
    pub(crate) fn keep_with(
        &mut self,
        instance: InstanceId,
        batches: &[Batch],
        (journeys, also): (&[Journey], Vec<Entry>),
        now_ms: u64,
    ) -> Result<ToEdge, Fault> {
        let over = self.over_quota(batches, now_ms)?;
        if !over.is_empty() {
            return Ok(ToEdge::OverQuota(over));
        }
        let mut entries = also;
        for batch in batches {
            for copy in &batch.copies {
                let held = reasons_of(journeys, copy);
                self.arrive(instance, copy, held, &batch.descriptors, now_ms, &mut entries)?;
            }
        }
        for journey in journeys.iter().map(bounded) {
            if self.is_of_its_people(&journey)? {
                entries.push(Entry::Journey(journey));
            }
        }
        if !entries.is_empty() {
            self.stage(entries)?;
        }
        Ok(ToEdge::Kept)
    }

    /// Whether a journey names people of its tenant, and nobody else. Their ids stand in
    /// statements only, as a tenant's does, so an edge has no journeys for tenants that it does not
    /// serve.
    fn is_of_its_people(&mut self, journey: &Journey) -> Result<bool, Fault> {
        for user in &journey.recipients {
            match self.find_person(*user)?.map(|person| person.tenant) {
                Some(tenant) if tenant == journey.tenant => {}
                Some(_) => return Err(Fault::Parcel(wire::Fault::Malformed)),
                None => return Ok(false),
            }
        }
        // What is only passed on (a gateway's mail) is for nobody of ours.
        let is_kept = matches!(journey.state, State::Kept | State::Quarantined);
        let is_over = self.ended.contains(&journey.tenant);
        Ok(!journey.recipients.is_empty() || !(is_kept || is_over))
    }

    fn over_quota(&mut self, batches: &[Batch], now_ms: u64) -> Result<Vec<UserId>, Fault> {
        let mut wanted: HashMap<UserId, (Whose, u64, u64)> = HashMap::new();
        for copy in batches.iter().flat_map(|batch| &batch.copies) {
            let whose = Whose { tenant: copy.tenant, user: copy.user };
            let sum = wanted.entry(copy.user).or_insert((whose, 0, 0));
            sum.1 = sum.1.saturating_add(charged(copy));
            sum.2 += 1;
        }
        let (all, mut over) = (wanted.len(), Vec::new());
        for (user, (whose, bytes, messages)) in wanted {
            let person = self.person(whose, now_ms)?;
            if person.tenant != whose.tenant {
                // No honest edge: the statement it verified names one tenant.
                return Err(Fault::Parcel(wire::Fault::Malformed));
            }
            if !person.has_room(bytes, messages) {
                over.push((user, bytes));
            }
        }
        // Alone, nobody else misses anything by it.
        if over.len() < all {
            over.iter().for_each(|(user, bytes)| self.refused.note(*user, *bytes, now_ms));
        }
        let mut over: Vec<UserId> = over.into_iter().map(|(user, _)| user).collect();
        over.sort_unstable();
        Ok(over)
    }

    /// Whether a message of so many octets, as its sender says, would fit; 0: they do not say.
    pub fn has_room(&mut self, user: UserId, said: u64, now_ms: u64) -> Result<bool, Fault> {
        let bytes = self.refused.likely(user, said, now_ms);
        Ok(self.find_person(user)?.is_none_or(|person| person.has_room(bytes, 1)))
    }

    fn arrive(
        &mut self,
        instance: InstanceId,
        copy: &Copy,
        reasons: Vec<String>,
        descriptors: &[OwnedFd],
        now_ms: u64,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Fault> {
        let received = self.local_time.received(copy.received_ms);
        let stored = self.put(copy, received, false, descriptors)?;
        let (user, tenant, message) = (copy.user, copy.tenant, copy.message);
        let id = stored.id;
        let arrived = self.arrived(instance, copy, now_ms);
        let place = match copy.place {
            Place::Quarantine { expires_ms } => {
                let expires_ms = expires_ms.min(now_ms + QUARANTINE_MS);
                entries.push(Entry::Stored(stored));
                let at_ms = copy.received_ms;
                let held = Held { tenant, user, message, stored: id, at_ms, expires_ms, reasons };
                entries.push(Entry::Held(held));
                entries.push(Entry::Arrived(arrived));
                return Ok(());
            }
            Place::Junk => JUNK,
            // An arrival has no say in a person's own folders.
            Place::Inbox | Place::Folder(_) => INBOX,
        };
        let earlier = listed_in(entries, user, place);
        let line = self.line(&stored, place, 0, earlier)?;
        entries.push(Entry::Stored(stored));
        entries.push(Entry::Listed { user, folder: place, lines: vec![line], fresh: true });
        entries.push(Entry::Arrived(arrived));
        Ok(())
    }

    /// What the ledger is told of a copy, and who brought it.
    fn arrived(&mut self, instance: InstanceId, copy: &Copy, now_ms: u64) -> Arrived {
        Arrived {
            seq: self.next_seq(),
            instance,
            tenant: copy.tenant,
            user: copy.user,
            message: copy.message,
            bytes: charged(copy),
            verdict: copy.verdict,
            at_ms: now_ms,
        }
    }

    /// Stages the bytes of a copy.
    fn put(
        &mut self,
        copy: &Copy,
        received: Received,
        own: bool,
        held: &[OwnedFd],
    ) -> Result<Stored, Fault> {
        let id = self.next_stored();
        let mut place = |part, sealed: &SealedPart| {
            parts::put(&mut *self.bodies, Key { id, part }, sealed, held)
        };
        let summary = place(parts::SUMMARY, &copy.summary);
        let placed = summary.and_then(|summary| Ok((summary, place(parts::BODY, &copy.body)?)));
        let (summary, body) = match placed {
            Ok(placed) => placed,
            Err(fault @ Fault::Parcel(_)) => return Err(fault),
            Err(fault) => {
                self.fail();
                return Err(fault);
            }
        };
        Ok(Stored {
            id,
            user: copy.user,
            message: copy.message,
            size: charged(copy),
            received,
            verdict: copy.verdict,
            own,
            summary: summary.into(),
            body: body.into(),
        })
    }

    /// The next line of a folder, `earlier` lines of the same act before it.
    fn line(
        &mut self,
        stored: &Stored,
        folder: u32,
        flags: u64,
        earlier: u32,
    ) -> Result<Line, Fault> {
        let front = self.front(stored.user, folder)?;
        let (uid_next, modseq) = front.map_or((1, 1), |front| (front.uid_next, front.modseq));
        Ok(Line {
            uid: uid_next.saturating_add(earlier),
            flags: flags & FLAGS,
            modseq: modseq + 1 + u64::from(earlier),
            stored: stored.id,
            size: u32::try_from(stored.size).unwrap_or(u32::MAX),
            received: stored.received,
        })
    }

    /// What its owner puts there passed through the session that brought it, as what arrives passes
    /// through an edge: the ledger is told of it alike.
    pub fn append(
        &mut self,
        (whose, instance): (Whose, InstanceId),
        (folder, flags, zone_minutes): (FolderId, u64, Option<i16>),
        mut copy: Copy,
        descriptors: &[OwnedFd],
        now_ms: u64,
    ) -> Result<ToAccess, Fault> {
        let folder = number(folder);
        let person = self.person(whose, now_ms)?;
        if !person.folders.contains_key(&folder) {
            return Ok(ToAccess::NoSuchFolder);
        }
        if !person.has_room(charged(&copy), 1) {
            return Ok(ToAccess::OverQuota);
        }
        // The label says whose mail this is.
        (copy.tenant, copy.user, copy.verdict) = (whose.tenant, whose.user, Verdict::Deliver);
        let user = whose.user;
        let received = match zone_minutes {
            Some(minutes) => Received::new(copy.received_ms, minutes),
            None => self.local_time.received(copy.received_ms),
        };
        let stored = self.put(&copy, received, true, descriptors)?;
        let line = self.line(&stored, folder, flags, 0)?;
        let listed = Entry::Listed { user, folder, lines: vec![line], fresh: true };
        let arrived = Entry::Arrived(self.arrived(instance, &copy, now_ms));
        self.stage(vec![Entry::Stored(stored), listed, arrived])?;
        let uid_validity = self.front(user, folder)?.map_or(1, |front| front.uid_validity);
        Ok(ToAccess::Appended { uid_validity, uid: line.uid })
    }

    pub fn store_flags(
        &mut self,
        user: UserId,
        folder: FolderId,
        change: &FlagChange,
    ) -> Result<ToAccess, Fault> {
        let folder = number(folder);
        let Some(shelf) = self.shelf(user, folder)? else { return Ok(ToAccess::NoSuchFolder) };
        let limit = change.unchanged_since.unwrap_or(u64::MAX);
        let picked = shelf.pick(&change.uids);
        let (lines, late): (Vec<Line>, Vec<Line>) =
            picked.into_iter().partition(|line| line.modseq <= limit);
        let modseq = self.find_person(user)?.map_or(1, |person| person.next_modseq(folder));
        let mut flags = Vec::new();
        let mut unseen = 0;
        let mut changed = Vec::with_capacity(lines.len());
        for mut line in lines {
            let kept = if change.replace { 0 } else { line.flags & !change.remove };
            let now = (kept | change.add) & FLAGS;
            if now != line.flags {
                unseen -= i64::from(line.is_unseen());
                (line.flags, line.modseq) = (now, modseq);
                unseen += i64::from(line.is_unseen());
                flags.push((line.uid, now));
            }
            changed.push(row(&line));
        }
        if !flags.is_empty() {
            self.stage(vec![Entry::Flags { user, folder, modseq, flags, unseen }])?;
        }
        let skipped = late.iter().map(|line| line.uid).collect();
        Ok(ToAccess::Stored { changed, skipped })
    }

    /// RFC 3501 §6.4.3, RFC 4315 §2.1: only messages that carry `\Deleted` go.
    pub fn expunge(
        &mut self,
        user: UserId,
        folder: FolderId,
        uids: Option<&[u32]>,
    ) -> Result<ToAccess, Fault> {
        let folder = number(folder);
        let Some(shelf) = self.shelf(user, folder)? else { return Ok(ToAccess::NoSuchFolder) };
        let mut lines = match uids {
            Some(uids) => shelf.pick(uids),
            None => shelf.lines.clone(),
        };
        lines.retain(|line| line.flags & flag::DELETED != 0);
        let uids = lines.iter().map(|line| line.uid).collect();
        let modseq = self.expunge_lines(user, folder, lines)?;
        Ok(ToAccess::Expunged { uids, highest_modseq: modseq })
    }

    fn expunge_lines(&mut self, user: UserId, folder: u32, lines: Vec<Line>) -> Result<u64, Fault> {
        let next = self.find_person(user)?.map_or(1, |person| person.next_modseq(folder));
        if lines.is_empty() {
            return Ok(next.saturating_sub(1));
        }
        self.stage(vec![Entry::Expunged { user, folder, modseq: next, lines }])?;
        Ok(next)
    }

    /// Copies refer to the same bytes; a move leaves the source empty of them (RFC 6851).
    pub fn copy_to(
        &mut self,
        user: UserId,
        (folder, to): (FolderId, FolderId),
        uids: &[u32],
        remove: bool,
        keywords: &[(u8, u8)],
    ) -> Result<ToAccess, Fault> {
        let (folder, to) = (number(folder), number(to));
        let Some(shelf) = self.shelf(user, folder)? else { return Ok(ToAccess::NoSuchFolder) };
        let lines = shelf.pick(uids);
        let Some(person) = self.find_person(user)? else { return Ok(ToAccess::NoSuchFolder) };
        let bytes = lines.iter().map(|line| u64::from(line.size)).sum();
        if !remove && !person.has_room(bytes, lines.len() as u64) {
            return Ok(ToAccess::OverQuota);
        }
        let Some(target) = person.folders.get(&to) else { return Ok(ToAccess::NoSuchFolder) };
        let (mut uid, mut modseq) = (target.uid_next, target.modseq);
        let uid_validity = target.uid_validity;
        let mut copies = Vec::with_capacity(lines.len());
        for line in &lines {
            modseq += 1;
            let flags = if folder == to { line.flags } else { renumbered(line.flags, keywords) };
            copies.push(Line { uid, modseq, flags, ..*line });
            uid = uid.saturating_add(1);
        }
        let pairs = lines.iter().zip(&copies).map(|(from, to)| (from.uid, to.uid)).collect();
        // What comes and what goes is one entry of the log: a crash leaves no message in both
        // places, and none in neither (RFC 6851 §3.3).
        if !copies.is_empty() {
            let source = person.next_modseq(folder);
            let listed = Entry::Listed { user, folder: to, lines: copies, fresh: false };
            let mut entries = vec![listed];
            if remove {
                let modseq = if folder == to { modseq + 1 } else { source };
                entries.push(Entry::Expunged { user, folder, modseq, lines });
            }
            self.stage(entries)?;
        }
        Ok(ToAccess::Copied { uid_validity, pairs })
    }

    pub fn create(
        &mut self,
        whose: Whose,
        name: &SealedPart,
        now_ms: u64,
    ) -> Result<ToAccess, Fault> {
        let person = self.person(whose, now_ms)?;
        if person.folders.len() >= FOLDERS {
            return Ok(ToAccess::OverQuota);
        }
        let folder = person.next_folder;
        let name = adornment(name)?;
        // The number grows too: a name made, deleted and made again within a second.
        let uid_validity = uid_validity(now_ms).saturating_add(folder);
        self.stage(vec![Entry::Folder { user: whose.user, folder, name, uid_validity }])?;
        Ok(ToAccess::Made(person::folder_id(folder)))
    }

    pub fn delete(&mut self, user: UserId, folder: FolderId) -> Result<ToAccess, Fault> {
        let folder = number(folder);
        // The folders that a mailbox is born with stay: arrivals and clients rely on them.
        if special(folder).is_some() || self.front(user, folder)?.is_none() {
            return Ok(ToAccess::NoSuchFolder);
        }
        self.stage(vec![Entry::Gone { user, folder }])?;
        Ok(ToAccess::Done)
    }

    /// Stages a change of a folder's front.
    pub fn adorn(
        &mut self,
        user: UserId,
        folder: FolderId,
        change: Adornment<'_>,
    ) -> Result<ToAccess, Fault> {
        let folder = number(folder);
        if self.front(user, folder)?.is_none() {
            return Ok(ToAccess::NoSuchFolder);
        }
        let entry = match change {
            // RFC 3501 §6.3.5: INBOX keeps its name.
            Adornment::Name(_) if folder == INBOX => return Ok(ToAccess::NoSuchFolder),
            Adornment::Name(name) => Entry::Named { user, folder, name: adornment(name)? },
            Adornment::Keywords { names, before } => {
                let known = self.front(user, folder)?.and_then(|front| front.keywords_key());
                if known.as_deref() != before {
                    return Ok(ToAccess::Outdated);
                }
                Entry::Keywords { user, folder, names: adornment(names)? }
            }
            Adornment::Subscribed(subscribed) => Entry::Subscribed { user, folder, subscribed },
        };
        self.stage(vec![entry])?;
        Ok(ToAccess::Done)
    }

    /// Out of quarantine into the inbox. `false`: there is no such copy.
    pub fn release(&mut self, user: UserId, message: MessageId) -> Result<bool, Fault> {
        self.settle()?;
        let Some(held) = self.index.held_one(user, message)? else { return Ok(false) };
        let Some(stored) = self.stored(held.stored)? else { return Ok(false) };
        let line = self.line(&stored, INBOX, 0, 0)?;
        let freed = Entry::Freed { user, message, stored: held.stored, dropped: false };
        let listed = Entry::Listed { user, folder: INBOX, lines: vec![line], fresh: true };
        self.stage(vec![freed, listed])?;
        Ok(true)
    }

    /// Lets go of quarantined copies whose time is over.
    pub fn expire(&mut self, now_ms: u64) -> Result<usize, Fault> {
        self.settle()?;
        let expired = self.index.expired(now_ms, EXPIRED_AT_ONCE)?;
        let count = expired.len();
        let entries: Vec<Entry> = expired
            .into_iter()
            .map(|held| Entry::Freed {
                user: held.user,
                message: held.message,
                stored: held.stored,
                dropped: true,
            })
            .collect();
        if count > 0 {
            self.stage(entries)?;
        }
        Ok(count)
    }

    /// The ledger has taken every arrival before this number: what the tables know of the entries
    /// that told of them stands beside it.
    pub fn forwarded(&mut self, before: u64, runs: Option<Runs>) -> Result<(), Fault> {
        let mut entries = vec![Entry::Forwarded { before }];
        entries.extend(runs.map(Entry::Noted));
        self.stage(entries)?;
        while self.arrived.front().is_some_and(|arrived| arrived.seq < before) {
            self.arrived.pop_front();
        }
        self.position.forwarded = before;
        Ok(())
    }
}

/// A change of a folder's front.
pub enum Adornment<'a> {
    Name(&'a SealedPart),
    Keywords { names: &'a SealedPart, before: Option<&'a [u8]> },
    Subscribed(bool),
}

/// Keywords are numbered per folder: what is copied takes the numbers of the target.
fn renumbered(flags: u64, keywords: &[(u8, u8)]) -> u64 {
    let is_keyword = |bit: u8| (flag::FIRST_KEYWORD..64).contains(&u32::from(bit));
    let taken = keywords
        .iter()
        .filter(|(from, to)| is_keyword(*from) && is_keyword(*to) && flags >> from & 1 == 1);
    let system = flags & ((1 << flag::FIRST_KEYWORD) - 1);
    taken.fold(system, |flags, (_, to)| flags | 1 << to)
}

/// Octets that a copy counts for. Who says less than it brings is charged for what it brings: a
/// quota is no matter of a peer's word.
pub(crate) fn charged(copy: &Copy) -> u64 {
    let (size, summary, body) = (copy.size, copy.summary.content.len(), copy.body.content.len());
    let largest_body = size.saturating_add(size / 1_024).saturating_add(SEALING_BYTES);
    let largest_summary = size.saturating_mul(4).saturating_add(SUMMARY_BYTES);
    match body <= largest_body && summary <= largest_summary {
        true => size,
        false => size.max(body.saturating_add(summary)),
    }
}

/// A sealed name as it is kept, if it may be one.
fn adornment(part: &SealedPart) -> Result<Vec<u8>, Fault> {
    let is_inline = matches!(part.content, wire::Parcel::Inline(_));
    let is_short = part.content.len() <= NAME_BYTES && part.wrapped.len() <= NAME_WRAPPED_BYTES;
    if !is_inline || !is_short {
        return Err(Fault::Parcel(wire::Fault::Malformed));
    }
    Ok(postcard::to_stdvec(part).unwrap_or_default())
}

/// An edge may lie, but not at length.
fn bounded(journey: &Journey) -> Journey {
    let mut journey = journey.clone();
    journey.tokens.truncate(wire::mailbox::TOKENS);
    journey.recipients.truncate(terms::RECIPIENTS);
    journey.reasons.truncate(REASONS);
    journey.reasons.retain(|reason| reason.len() <= REASON_BYTES);
    journey
}

fn reasons_of(journeys: &[Journey], copy: &Copy) -> Vec<String> {
    if !matches!(copy.place, Place::Quarantine { .. }) {
        return Vec::new();
    }
    let same = |journey: &&Journey| {
        journey.tenant == copy.tenant
            && (journey.message == copy.message || journey.recipients.contains(&copy.user))
    };
    journeys.iter().find(same).map(|journey| bounded(journey).reasons).unwrap_or_default()
}

/// Lines that this very act has already put into a folder.
fn listed_in(entries: &[Entry], user: UserId, folder: u32) -> u32 {
    let count = entries.iter().filter(|entry| {
        matches!(entry, Entry::Listed { .. }) && entry.concerns() == Some((user, Some(folder)))
    });
    u32::try_from(count.count()).unwrap_or(u32::MAX)
}
