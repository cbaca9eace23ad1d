//! The store: acts are staged, one commit makes them durable, the table follows.
//!
//! Nothing is followed before it is durable, so a commit that fails leaves the table as it was.

mod chores;
mod deciding;
mod notices;
mod older;
mod turns;

pub use older::SetBack;
pub use turns::Taken;

use crate::Fault;
use crate::entry::{At, Entry, NewLeg, NewMessage, Passage, Way};
use crate::erasure::Sweep;
use crate::parts;
use crate::past::{Past, Pasts};
use crate::pressing::Pressing;
use crate::returns::Returns;
use crate::room::{Disk, Offer, Owner, Staged};
use crate::snapshot;
use crate::state::{OURS_SECONDS, pause_seconds};
use crate::table::{Hand, Leg, Message, Table, seconds};
use body::{Bodies, Key, Mark, Packs, Place};
use journal::Runs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use terms::{InstanceId, MessageId, TenantId};
use wire::post::{AtEnd, Bounds, Leg as Offered, Outcome, Outgoing, State, ToSender, Why};

/// Legs of one message: one a destination at most.
const LEGS: usize = terms::RECIPIENTS;
/// Octets of log after which the queue is written down whole, and at least so many times the
/// octets that writing it took: writing stays a small share of all writing.
const WRITE_BYTES: u64 = 64 * 1024 * 1024;
const WRITE_TIMES: u64 = 4;
/// Octets moved by compaction in one go.
const MOVE_BYTES: u64 = 16 * 1024 * 1024;
/// A notice is tried for so long: whoever does not take it within a day will hardly miss it.
const NOTICE_SECONDS: u32 = 24 * 3600;

pub struct Store {
    pub(crate) bodies: Box<dyn Bodies + Send>,
    folder: PathBuf,
    pub table: Table,
    pub returns: Returns,
    pub pressing: Pressing,
    pub bounds: Bounds,
    pub disk: Disk,
    /// Messages that a bound kept out since the start.
    pub refused: u64,
    staged: Vec<Entry>,
    mark: Mark,
    written: Mark,
    written_bytes: u64,
    logged: u64,
    next_seq: u64,
    pasts: Pasts,
    pub(crate) sweep: Sweep,
    /// Letters ended otherwise than by leaving, by what is staged.
    gives_up: bool,
}

impl Store {
    /// Opens the queue in `folder`: the log in `packs/`, the table in `queue.written`.
    pub fn open(folder: &Path, now_ms: u64) -> Result<Self, Fault> {
        Self::open_within(folder, Bounds::default(), now_ms)
    }

    /// The same with bounds of one's own.
    pub fn open_within(folder: &Path, bounds: Bounds, now_ms: u64) -> Result<Self, Fault> {
        std::fs::create_dir_all(folder).map_err(Fault::Folder)?;
        let bodies = Box::new(Packs::open(&folder.join("packs"))?);
        Self::with(bodies, folder, bounds, now_ms)
    }

    pub fn with(
        mut bodies: Box<dyn Bodies + Send>,
        folder: &Path,
        bounds: Bounds,
        now_ms: u64,
    ) -> Result<Self, Fault> {
        let (mut table, written) = snapshot::read(folder, bounds.late_seconds)?;
        let from = Mark(written);
        let mut logged = 0;
        let mut outcome = Ok(());
        let mark = bodies.replay(from, &mut |mark, note| {
            if outcome.is_err() || mark <= from {
                return;
            }
            logged += note.len() as u64;
            match postcard::from_bytes::<Vec<Entry>>(note) {
                Ok(entries) => entries.iter().for_each(|entry| table.apply(entry)),
                Err(_) => outcome = Err(Fault::Note { octets: note.len() }),
            }
        })?;
        outcome?;
        table.find_free();
        table.begin();
        let pasts = Pasts::open(&folder.join("past")).map_err(Fault::Folder)?;
        let next_seq = table.next_seq;
        let mut this = Self {
            bodies,
            folder: folder.to_owned(),
            table,
            returns: Returns::default(),
            pressing: Pressing::default(),
            bounds,
            disk: Disk::of(folder),
            refused: 0,
            staged: Vec::new(),
            mark: mark.max(from),
            written: from,
            written_bytes: 0,
            logged,
            next_seq,
            pasts,
            sweep: Sweep::default(),
            gives_up: false,
        };
        this.settle(now_ms)?;
        Ok(this)
    }

    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    pub fn flushes(&self) -> u64 {
        self.bodies.flushes()
    }

    pub(crate) fn stage(&mut self, entries: Vec<Entry>) -> Result<(), Fault> {
        let note = postcard::to_stdvec(&entries).map_err(|_| Fault::Note { octets: 0 })?;
        self.logged += note.len() as u64;
        if let Err(fault) = self.bodies.note(&note) {
            self.abandon();
            return Err(fault.into());
        }
        self.gives_up |= entries.iter().any(Entry::gives_up);
        self.staged.extend(entries);
        Ok(())
    }

    /// Drops what was staged: nothing of it is kept.
    pub fn abandon(&mut self) {
        self.bodies.abandon();
        self.gives_up = false;
        self.next_seq = self.table.next_seq;
        for entry in std::mem::take(&mut self.staged) {
            if let Some(new) = entry.new_message() {
                self.table.give_back(new.slot, new.legs.iter().map(|leg| leg.slot));
            }
        }
    }

    /// Makes everything staged durable and follows it. On a fault nothing of it was kept.
    pub fn commit(&mut self, now_ms: u64) -> Result<(), Fault> {
        if self.staged.is_empty() {
            return Ok(());
        }
        match self.bodies.commit() {
            Ok(mark) => self.mark = mark,
            Err(fault) => {
                self.abandon();
                return Err(fault.into());
            }
        }
        for entry in std::mem::take(&mut self.staged) {
            self.table.apply(&entry);
        }
        self.settle(now_ms)
    }

    /// Frees what nobody refers to, and writes down how messages ended.
    fn settle(&mut self, now_ms: u64) -> Result<(), Fault> {
        for at in std::mem::take(&mut self.table.freed) {
            self.bodies.delete(at.into())?;
        }
        let now = seconds(now_ms);
        let pasts: Vec<Past> = std::mem::take(&mut self.table.finished)
            .into_iter()
            .map(|(message, legs_sent)| Past {
                message: message.message,
                at_s: now,
                legs_sent,
                legs_not_sent: message.legs.saturating_sub(legs_sent),
                decided: message.decided,
            })
            .collect();
        // Lost lines are lost answers to `trace`, not lost mail.
        let ended = std::mem::take(&mut self.table.ended);
        let _ = self.pasts.add(&pasts, now).and_then(|()| self.pasts.add_legs(&ended, now));
        Ok(())
    }

    // ---- acts ----------------------------------------------------------------------------------

    /// Stages one outgoing message if there is room for it, and with it who handed it in. `Queued`
    /// counts after the commit.
    pub fn queue(
        &mut self,
        (outgoing, instance, hand): (&Outgoing, InstanceId, Hand),
        held: &[OwnedFd],
    ) -> Result<ToSender, Fault> {
        let is_known =
            self.table.slot(outgoing.message).is_some() || self.is_staged(outgoing.message);
        match self.refusal(outgoing, hand).filter(|_| !is_known) {
            Some(no) => {
                self.refused += 1;
                Ok(no)
            }
            None => self.admit((outgoing, instance, (hand, false)), held),
        }
    }

    fn admit(
        &mut self,
        (outgoing, instance, (hand, is_notice)): (&Outgoing, InstanceId, (Hand, bool)),
        held: &[OwnedFd],
    ) -> Result<ToSender, Fault> {
        let malformed = || Fault::Parcel(wire::Fault::Malformed);
        let is_sound = (1..=LEGS).contains(&outgoing.legs.len())
            && outgoing.legs.iter().all(|leg| leg.recipients > 0);
        if !is_sound {
            return Err(malformed());
        }
        // A message that is offered again after an answer that never came stands once.
        if self.table.slot(outgoing.message).is_some() || self.is_staged(outgoing.message) {
            return Ok(ToSender::Queued);
        }
        self.disk.wrote(outgoing.body.content.len());
        let (slot, slots) = self.table.slots(outgoing.legs.len());
        match self.write_message((outgoing, is_notice), (slot, &slots), held) {
            Ok(new) => {
                let came = self.handed_in(outgoing, instance);
                let queued = match hand {
                    Hand::Own => {
                        if outgoing.hold.is_some_and(|hold| hold.then == AtEnd::Return) {
                            self.pressing.holds(outgoing.user, seconds(outgoing.at_ms));
                        }
                        Entry::Queued(new)
                    }
                    Hand::Others if is_notice => Entry::QueuedNotice(new),
                    Hand::Others => Entry::QueuedFor(new),
                };
                self.stage(vec![queued, came])?;
            }
            Err(fault) => {
                self.table.give_back(slot, slots.iter().copied());
                self.abandon();
                return Err(fault);
            }
        }
        Ok(ToSender::Queued)
    }

    fn handed_in(&mut self, outgoing: &Outgoing, instance: InstanceId) -> Entry {
        let recipients = outgoing.legs.iter().map(|leg| u32::from(leg.recipients)).sum();
        let passage = Passage {
            seq: self.next_seq,
            way: Way::In,
            instance,
            tenant: outgoing.tenant,
            user: outgoing.user,
            message: outgoing.message,
            recipients,
            bytes: u32::try_from(outgoing.size).unwrap_or(u32::MAX),
            at_ms: compartment::now_ms(),
        };
        self.next_seq += 1;
        Entry::Passed(passage)
    }

    /// Whether there is no room for it, by the bounds that are set.
    fn refusal(&self, outgoing: &Outgoing, hand: Hand) -> Option<ToSender> {
        let bytes = outgoing.body.content.len();
        let owner = Owner::of(outgoing.user, outgoing.legs.first().map(|leg| leg.route));
        if !self.disk.has_room(bytes, self.bounds.free_bytes) {
            return Some(ToSender::Full);
        }
        let tenant = self.table.tenants.find(&outgoing.tenant);
        let offer = Offer { tenant, owner, hand, bytes };
        let staged = self.staged_beside(outgoing.tenant, owner);
        let fits = self.table.room.fits(&offer, staged, &self.bounds);
        (!fits).then_some(ToSender::Crowded)
    }

    fn staged_beside(&self, tenant: TenantId, owner: Owner) -> Staged {
        let mut beside = Staged::default();
        for entry in &self.staged {
            let (new, is_relayed) = match entry {
                Entry::Queued(new) => (new, false),
                Entry::QueuedFor(new) => (new, true),
                _ => continue,
            };
            if new.tenant != tenant {
                continue;
            }
            let bytes = u64::from(new.body.length);
            beside.all.add(bytes);
            if is_relayed {
                beside.relayed.add(bytes);
                if Owner::of(new.user, new.legs.first().map(|leg| leg.route)) == owner {
                    beside.person.add(bytes);
                }
            }
        }
        beside
    }

    fn is_staged(&self, message: MessageId) -> bool {
        let is_it = |new: &NewMessage| new.message == message;
        self.staged.iter().filter_map(Entry::new_message).any(is_it)
    }

    fn write_message(
        &mut self,
        (outgoing, is_notice): (&Outgoing, bool),
        (slot, slots): (u32, &[u32]),
        held: &[OwnedFd],
    ) -> Result<NewMessage, Fault> {
        let bodies = self.bodies.as_mut();
        let key = Key { id: slot.into(), part: parts::BODY };
        let body = parts::put(bodies, key, &outgoing.body, held)?.into();
        let mut legs = Vec::with_capacity(slots.len());
        for (leg, slot) in outgoing.legs.iter().zip(slots) {
            let Offered { number, route, recipients, envelope } = leg;
            let key = Key { id: (*slot).into(), part: parts::ENVELOPE };
            let envelope = parts::put(bodies, key, envelope, held)?.into();
            let (number, route, recipients) = (*number, *route, *recipients);
            legs.push(NewLeg { slot: *slot, number, route, recipients, envelope });
        }
        let most = self.bounds.expire_seconds;
        let most = if is_notice { most.min(NOTICE_SECONDS) } else { most };
        let most_ms = u64::from(most).saturating_mul(1_000);
        let expires_ms = outgoing.expires_ms.min(outgoing.at_ms.saturating_add(most_ms));
        Ok(NewMessage { expires_ms, ..new_message(outgoing, slot, body, legs) })
    }

    /// Stages how an attempt at a leg ended. Whether it counts: a leg that is not under way any
    /// more (cancelled meanwhile, or another start's) changes nothing.
    pub fn ended(
        &mut self,
        (slot, instance): (u32, InstanceId),
        outcome: &Outcome,
        held: &[OwnedFd],
        now_ms: u64,
    ) -> Result<(), Fault> {
        let Some(leg) = self.table.leg(slot).filter(|leg| leg.leaving).cloned() else {
            return Ok(());
        };
        let now = seconds(now_ms);
        self.note_returned(&leg, outcome, now);
        let mut entries: Vec<Entry> = self.noted(slot, outcome).into_iter().collect();
        match outcome {
            Outcome::Sent { recipients } => {
                entries.extend(self.sent(&leg, instance, *recipients));
                entries.push(over(slot, State::Sent, now, None));
            }
            Outcome::Failed { sent, why } => {
                entries.extend(self.sent(&leg, instance, *sent));
                // What may have arrived is not called unsent for being held or cancelled.
                let may_be_there = leg.state == State::Held && leg.why == Some(Why::MaybeTaken);
                let why = if may_be_there { Why::MaybeTaken } else { *why };
                entries.push(over(slot, self.failed_as(&leg), now, Some(why)));
            }
            Outcome::Untried | Outcome::Stopped => {
                self.table.come_back(slot);
                return Ok(());
            }
            // It stands for the whole destination, which the schedule closes: nothing is written
            // for each of its letters, however many wait.
            Outcome::Later { sent: 0, rest: None, .. } if closes(outcome) => {
                self.table.come_back(slot);
                return Ok(());
            }
            Outcome::Later { sent: 0, rest: Some((envelope, recipients)), .. }
                if closes(outcome) && *recipients == leg.recipients =>
            {
                let envelope = self.put_envelope(slot, envelope, held)?;
                entries.push(Entry::Heard { leg: slot, envelope });
            }
            Outcome::Later { sent, rest, why, .. } => {
                entries.extend(self.sent(&leg, instance, *sent));
                let rest = match rest {
                    Some((envelope, recipients)) => {
                        Some((self.put_envelope(slot, envelope, held)?, *recipients))
                    }
                    None => None,
                };
                let attempts = match why {
                    Why::Ours | Why::NoResolver => leg.attempts,
                    _ => leg.attempts.saturating_add(1),
                };
                let pause = match why {
                    Why::Ours | Why::NoResolver => OURS_SECONDS,
                    _ => pause_seconds(&self.bounds.pauses_seconds, attempts),
                };
                let until_s = now.saturating_add(pause);
                entries.push(Entry::Delayed { leg: slot, until_s, attempts, rest });
            }
            Outcome::ToldLate => entries.push(Entry::ToldLate { leg: slot }),
        }
        self.stage(entries)
    }

    fn put_envelope(
        &mut self,
        slot: u32,
        envelope: &wire::mailbox::SealedPart,
        held: &[OwnedFd],
    ) -> Result<At, Fault> {
        let key = Key { id: slot.into(), part: parts::ENVELOPE };
        Ok(parts::put(self.bodies.as_mut(), key, envelope, held)?.into())
    }

    /// How far a leg has come by this attempt.
    fn noted(&mut self, slot: u32, outcome: &Outcome) -> Option<Entry> {
        let leg = self.table.leg(slot)?;
        let is_called_off = self.failed_as(leg) == State::Cancelled;
        if is_called_off && matches!(outcome, Outcome::Failed { .. }) {
            return None; // whom a cancelled leg has left got nothing
        }
        let leg = self.table.leg_mut(slot)?;
        leg.note(outcome);
        let ((sent, not_sent), why) = (leg.settled, leg.why);
        let is_worth_it = leg.is_worth_noting(outcome);
        is_worth_it.then_some(Entry::Settled { leg: slot, sent, not_sent, why })
    }

    /// What was given back for an operator's word did not fail by itself.
    fn failed_as(&self, leg: &Leg) -> State {
        let message = self.table.message(leg.message);
        let is_called_off = message.is_some_and(Message::is_called_off);
        if is_called_off { State::Cancelled } else { State::Failed }
    }

    /// Those who got nothing and will not: not there, or not wanted there.
    fn note_returned(&mut self, leg: &Leg, outcome: &Outcome, now: u32) {
        let returned = match outcome {
            Outcome::Failed { sent, why: Why::Answered { class: 5, .. } } => {
                leg.recipients.saturating_sub(*sent)
            }
            Outcome::Later { sent, rest: Some((_, left)), .. } => {
                leg.recipients.saturating_sub(*sent).saturating_sub(*left)
            }
            _ => 0,
        };
        // Whoever is passed mail on, or answers while away, did not choose whom it goes to.
        // Nor is whoever wrote to blame for an operator's word.
        let is_own = |row: &&Message| row.hand == Hand::Own && !row.is_called_off();
        let message = self.table.message(leg.message).filter(|_| returned > 0).filter(is_own);
        if let Some(user) = message.map(|message| message.user) {
            self.returns.count(user, returned.into(), now);
        }
    }

    fn sent(&mut self, leg: &Leg, instance: InstanceId, recipients: u16) -> Option<Entry> {
        let message = self.table.message(leg.message).filter(|_| recipients > 0)?;
        let tenant = self.table.tenants.of(message.tenant)?;
        let passage = Passage {
            seq: self.next_seq,
            way: Way::Out,
            instance,
            tenant,
            user: message.user,
            message: message.message,
            recipients: recipients.into(),
            bytes: message.size,
            at_ms: compartment::now_ms(),
        };
        self.next_seq += 1;
        Some(Entry::Passed(passage))
    }

    /// Stages entries that the clock brought.
    pub fn tick(&mut self, now_ms: u64) -> Result<(), Fault> {
        let entries = self.table.tick(seconds(now_ms));
        if entries.is_empty() { Ok(()) } else { self.stage(entries) }
    }

    /// The ledger has everything before this number: what the queue knows of the entries that told
    /// it stands beside it.
    pub fn recorded(&mut self, before: u64, runs: Option<Runs>) -> Result<(), Fault> {
        let mut entries = vec![Entry::Recorded { before }];
        entries.extend(runs.map(Entry::Noted));
        self.stage(entries)
    }

    /// Reads a leg's sealed parts; large ones become descriptors.
    pub fn load(
        &mut self,
        slot: u32,
        inline_limit: usize,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<Option<(wire::mailbox::SealedPart, wire::mailbox::SealedPart)>, Fault> {
        let Some(leg) = self.table.leg(slot) else { return Ok(None) };
        let Some(message) = self.table.message(leg.message) else { return Ok(None) };
        let (envelope, body): (Place, Place) = (leg.envelope.into(), message.body.into());
        let bodies = self.bodies.as_mut();
        let envelope = parts::read(bodies, envelope, inline_limit, descriptors)?;
        let body = parts::read(bodies, body, inline_limit, descriptors)?;
        Ok(Some((envelope, body)))
    }
}

/// Whether the end of a leg says that the destination takes none of its tenant's mail now.
pub(crate) fn closes(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Later { why: Why::Unreachable | Why::TurnedAway { .. }, .. } => true,
        Outcome::Later { why, for_all, .. } => *for_all && why.is_of_named_host(),
        _ => false,
    }
}

pub(crate) fn over(leg: u32, state: State, at_s: u32, why: Option<Why>) -> Entry {
    Entry::Over { leg, state, at_s, why }
}

fn new_message(outgoing: &Outgoing, slot: u32, body: At, legs: Vec<NewLeg>) -> NewMessage {
    NewMessage {
        slot,
        tenant: outgoing.tenant,
        user: outgoing.user,
        message: outgoing.message,
        size: u32::try_from(outgoing.size).unwrap_or(u32::MAX),
        at_ms: outgoing.at_ms,
        expires_ms: outgoing.expires_ms,
        hold: outgoing.hold,
        body,
        legs,
    }
}
