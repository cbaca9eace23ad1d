//! One loop over all peers: acts are staged as they come, one commit answers them together.

mod arrivals;
mod older;

use crate::Fault;
use crate::acts::{Adornment, FlagChange};
use crate::gather::Gather;
use crate::judged::Judged;
use crate::person::{folder_id, number};
use crate::store::{Change, Store, Whose};
use compartment::now_ms;
use journal::Rounds;
use older::Standing;
use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, UserId};
use wire::control::{Order, Report};
use wire::mailbox::{
    FromAccess, FromAdmin, FromDirectory, Journey, ToAccess, ToAdmin, ToDirectory, ToEdge,
};
use wire::{Event, Frame, Hub, Label, Peer};

/// Entries that wait for the index before it is told in the middle of a rush.
const SETTLE: usize = 400;
/// Quiet time after which the index is told.
const QUIET: Duration = Duration::from_millis(5);
/// Between two looks at dead space and the index on disk.
const CHORES: Duration = Duration::from_secs(1);
/// Between two looks for quarantined copies whose time is over: they wait days.
const EXPIRY: Duration = Duration::from_secs(60);
/// Octets moved by compaction in one go: some milliseconds.
const MOVE_BYTES: u64 = 2 * 1024 * 1024;
/// The same while an ended contract leaves the disk: a terabyte a day.
const SWEEP_BYTES: u64 = 16 * 1024 * 1024;
/// After a stop, the ledger has this long to take the last entries.
const FAREWELL: Duration = Duration::from_millis(1_500);
/// Journeys that are told of and not yet written.
const TOLD: usize = 256;
/// One note to the operator in this time.
const NOTES: Duration = Duration::from_secs(10);
/// Uids of one question: a whole large folder, twice.
const UIDS: usize = 4_000_000;

/// An answer that waits for the commit.
enum Owed {
    Edge(ToEdge),
    Access(ToAccess),
    Admin(ToAdmin),
    Directory(ToDirectory),
}

/// Who hears of changes of a folder.
struct Watcher {
    whose: Whose,
    folder: u32,
}

pub struct Desk {
    hub: Hub,
    store: Store,
    forward: Rounds,
    gather: Gather,
    warden: Peer,
    owed: Vec<(Peer, u32, Owed)>,
    /// Journeys of mail that leaves, until they are staged.
    told: Vec<(InstanceId, Journey)>,
    told_since: Option<Instant>,
    /// Readers of a mailbox whose last acts are not durable yet.
    later: Vec<(Peer, Label, Frame)>,
    watchers: HashMap<Peer, Watcher>,
    /// The POP3 session that each person has, if any.
    maildrops: HashMap<UserId, Peer>,
    /// Who may look and change nothing.
    readers: HashSet<Peer>,
    next_chores: Instant,
    next_expiry: Instant,
    last_note: Option<Instant>,
    leaving: Option<Instant>,
    /// The ledger has taken all arrivals before this; noted with the next commit.
    taken_before: Option<u64>,
    judged: Judged,
    standing: Standing,
    /// The tables were set back: no folder's numbers are what its readers knew.
    renumbers: bool,
}

impl Desk {
    pub fn new(hub: Hub, store: Store, mut forward: Rounds, warden: Peer) -> Self {
        forward.remember(store.runs.clone(), store.next_record());
        Self {
            hub,
            store,
            forward,
            gather: Gather::default(),
            warden,
            owed: Vec::new(),
            told: Vec::new(),
            told_since: None,
            later: Vec::new(),
            watchers: HashMap::new(),
            maildrops: HashMap::new(),
            readers: HashSet::new(),
            next_chores: Instant::now() + CHORES,
            next_expiry: Instant::now(),
            last_note: None,
            leaving: None,
            taken_before: None,
            judged: Judged::default(),
            standing: Standing::default(),
            renumbers: false,
        }
    }

    /// Until the warden says stop, or is gone.
    pub fn serve(mut self) -> Result<(), Fault> {
        loop {
            let patience = self.patience();
            let events = self.hub.wait(Some(patience)).map_err(Fault::Channels)?;
            let quiet = events.is_empty();
            for event in events {
                match event {
                    Event::Frame(peer, frame) if peer == self.warden => self.obey(frame),
                    Event::Frame(peer, frame) => self.answer(peer, frame),
                    Event::Gone(peer, _) if peer == self.warden => return self.leave(),
                    Event::Gone(peer, _) => self.gone(peer),
                    Event::Ready(_) => {}
                }
            }
            self.write_told();
            if self.store.has_staged() && self.gather.wait(Instant::now()).is_zero() {
                self.commit();
            }
            self.tend(quiet);
            if self.leaving.is_some_and(|until| {
                Instant::now() >= until || self.forward.is_done(&self.store.arrived)
            }) {
                return self.leave();
            }
        }
    }

    /// How long nothing need be done.
    fn patience(&mut self) -> Duration {
        if self.store.has_staged() {
            return self.gather.wait(Instant::now());
        }
        let chores = self.next_chores.saturating_duration_since(Instant::now());
        let quiet = if self.store.pending() > 0 { QUIET } else { chores };
        let evidence = self.forward.patience(&self.store.arrived).unwrap_or(chores);
        let leaving =
            self.leaving.map_or(chores, |until| until.saturating_duration_since(Instant::now()));
        let readers = self.keeps_readers().unwrap_or(chores);
        chores.min(quiet).min(evidence).min(leaving).min(readers)
    }

    fn obey(&mut self, frame: Frame) {
        match frame.read::<Order>() {
            Ok(Order::Count) => {
                let counted = Report::Counted(self.judged.counts());
                let _ = self.hub.send(self.warden, 0, &counted, Vec::new());
            }
            Ok(Order::Pulse) => {
                let _ = self.hub.send(self.warden, 0, &Report::Alive, Vec::new());
            }
            Ok(Order::Keys(keys)) => self.forward.learn(keys),
            Ok(Order::Stop) => {
                self.leaving = Some(Instant::now() + FAREWELL);
                if self.has_to_mark() {
                    self.commit();
                }
            }
            Ok(Order::Join(label)) => {
                let kind = label.kind;
                if let Some(peer) = self.seat(label, frame.descriptors)
                    && kind == Kind::Ledger
                {
                    self.forward.join(peer);
                }
            }
            Ok(Order::JoinReader(label)) => {
                let seated = self.seat(label, frame.descriptors);
                self.readers.extend(seated);
            }
            _ => {}
        }
    }

    fn seat(&mut self, label: Label, descriptors: Vec<OwnedFd>) -> Option<Peer> {
        self.hub.seat(descriptors.into_iter().next()?.into(), label).ok()
    }

    fn gone(&mut self, peer: Peer) {
        self.readers.remove(&peer);
        self.forward.gone(peer);
        self.gather.gone(peer);
        self.watchers.remove(&peer);
        self.maildrops.retain(|_, holder| *holder != peer);
        self.later.retain(|(waiting, ..)| *waiting != peer);
    }

    /// The label says who asks; the frame only says what.
    fn answer(&mut self, peer: Peer, frame: Frame) {
        let Some(label) = self.hub.label(peer).cloned() else { return };
        self.store.origin = Some(peer);
        let call = frame.call;
        let understood = match (label.kind, label.person) {
            (Kind::Edge | Kind::Depart, _) => self.answer_edge(peer, &label, frame),
            (Kind::Dispatch, Some((tenant, user))) => {
                self.answer_dispatch(peer, Whose { tenant, user }, label.instance, frame)
            }
            (Kind::Access, Some((tenant, user))) => {
                self.answer_access(peer, Whose { tenant, user }, label, frame)
            }
            (Kind::Admin, _) => {
                frame.read().map(|question| self.answer_admin(peer, call, question))
            }
            (Kind::Directory, _) => {
                frame.read().and_then(|question| self.answer_directory(peer, call, question))
            }
            (Kind::Ledger, _) => {
                self.hear_ledger(peer, &frame);
                Ok(())
            }
            _ => Err(wire::Fault::Malformed),
        };
        if understood.is_err() {
            self.dismiss(peer);
        }
    }

    /// A peer that does not keep to the words is cut, and the warden told.
    fn dismiss(&mut self, peer: Peer) {
        if let Some(label) = self.hub.dismiss(peer) {
            let what = format!("mailbox: malformed frame from {}", label.kind.word());
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
        }
        self.gone(peer);
    }

    fn answer_access(
        &mut self,
        peer: Peer,
        whose: Whose,
        label: Label,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        let question: FromAccess = frame.read()?;
        let is_reading = question.only_looks();
        if !is_reading && self.readers.contains(&peer) {
            let _ = self.hub.send(peer, frame.call, &ToAccess::ReadOnly, Vec::new());
            return Ok(());
        }
        if self.forward.is_in_doubt() || (is_reading && self.store.has_staged_for(whose.user)) {
            // What is not durable is not shown: it could still be taken back. Nor are a folder's
            // numbers, while they may have to change.
            self.later.push((peer, label, frame));
            return Ok(());
        }
        let mut descriptors = Vec::new();
        let call = frame.call;
        let by = (whose, label.instance);
        match self.act(peer, by, question, &frame.descriptors, &mut descriptors) {
            Ok(answer) if is_reading && !self.store.has_staged_for(whose.user) => {
                let _ = self.hub.send(peer, call, &answer, descriptors);
            }
            Ok(answer) => {
                self.gather.staged_beside(Instant::now());
                self.owe(peer, call, Owed::Access(answer));
            }
            Err(Fault::Parcel(fault)) => return Err(fault),
            Err(fault) => {
                self.note_damage(whose.user, &fault);
                self.owed.push((peer, call, Owed::Access(ToAccess::Fault)));
                self.failed(&fault);
            }
        }
        Ok(())
    }

    fn act(
        &mut self,
        peer: Peer,
        by: (Whose, InstanceId),
        question: FromAccess,
        held: &[OwnedFd],
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<ToAccess, Fault> {
        let (whose, store) = (by.0, &mut self.store);
        let user = whose.user;
        match question {
            FromAccess::Folders => store.folders(whose, now_ms()),
            FromAccess::Rows { folder, since } => store.rows(user, folder, since),
            FromAccess::Fetch { folder, uids, class } => {
                store.fetch(user, folder, few(&uids), class, descriptors)
            }
            FromAccess::Store { folder, mut uids, add, remove, replace, unchanged_since } => {
                uids.truncate(UIDS);
                let change = FlagChange { uids, add, remove, replace, unchanged_since };
                store.store_flags(user, folder, &change)
            }
            FromAccess::Expunge { folder, uids } => {
                store.expunge(user, folder, uids.as_deref().map(few))
            }
            FromAccess::Append { folder, flags, copy, zone_minutes } => {
                store.append(by, (folder, flags, zone_minutes), *copy, held, now_ms())
            }
            FromAccess::CopyTo { folder, uids, to, remove, keywords } => {
                store.copy_to(user, (folder, to), few(&uids), remove, &keywords)
            }
            FromAccess::Create { name } => store.create(whose, &name, now_ms()),
            FromAccess::Rename { folder, name } => {
                store.adorn(user, folder, Adornment::Name(&name))
            }
            FromAccess::Delete { folder } => store.delete(user, folder),
            FromAccess::Keywords { folder, names, before } => {
                let before = before.as_deref();
                store.adorn(user, folder, Adornment::Keywords { names: &names, before })
            }
            FromAccess::Subscribe { folder, subscribed } => {
                store.adorn(user, folder, Adornment::Subscribed(subscribed))
            }
            FromAccess::Quota => store.quota(whose, now_ms()),
            FromAccess::Watch(None) => {
                self.watchers.remove(&peer);
                Ok(ToAccess::Done)
            }
            FromAccess::Watch(Some(folder)) => {
                // Whoever only reads leaves what is recent to its owner.
                let takes = !self.readers.contains(&peer);
                self.watch(peer, whose, number(folder), takes)
            }
            FromAccess::Peek(folder) => self.watch(peer, whose, number(folder), false),
            FromAccess::Maildrop { taken } => Ok(self.maildrop(peer, user, taken)),
        }
    }

    /// RFC 1939 §4: one POP3 session has the maildrop to itself. It holds it by its channel, which
    /// ends with its process, however that comes.
    fn maildrop(&mut self, peer: Peer, user: UserId, taken: bool) -> ToAccess {
        // Whoever only reads removes nothing, and keeps its owner out of nothing.
        if self.readers.contains(&peer) {
            return ToAccess::Done;
        }
        if !taken {
            self.maildrops.retain(|_, holder| *holder != peer);
            return ToAccess::Done;
        }
        let holder = *self.maildrops.entry(user).or_insert(peer);
        if holder == peer { ToAccess::Done } else { ToAccess::InUse }
    }

    /// Answers with the folder as it stands, so that what is recent is said to one session only.
    ///
    /// `takes`: what is recent is so for this watcher, and for nobody after it (RFC 3501 §2.3.2).
    fn watch(
        &mut self,
        peer: Peer,
        whose: Whose,
        folder: u32,
        takes: bool,
    ) -> Result<ToAccess, Fault> {
        self.watchers.remove(&peer);
        let Some(front) = self.store.front(whose.user, folder)? else {
            return Ok(ToAccess::NoSuchFolder);
        };
        let shown = front.show(folder);
        if takes {
            front.tell_all();
        }
        self.watchers.insert(peer, Watcher { whose, folder });
        Ok(ToAccess::Folders(vec![shown]))
    }

    fn answer_admin(&mut self, peer: Peer, call: u32, question: FromAdmin) {
        let answer = match question {
            FromAdmin::Standing => {
                Ok(ToAdmin::Standing { lacks: self.lacks(), damaged: self.damaged() })
            }
            FromAdmin::Acknowledge => {
                let found = self.acknowledge();
                found.map(|found| if found { ToAdmin::Done } else { ToAdmin::NoSuch })
            }
            question => self.store.administer(question, now_ms()),
        };
        match answer {
            Ok(answer) => {
                self.gather.staged_beside(Instant::now());
                self.owe(peer, call, Owed::Admin(answer));
            }
            Err(fault) => {
                self.owed.push((peer, call, Owed::Admin(ToAdmin::Fault(String::new()))));
                self.failed(&fault);
            }
        }
    }

    fn answer_directory(
        &mut self,
        peer: Peer,
        call: u32,
        question: FromDirectory,
    ) -> Result<(), wire::Fault> {
        match self.store.end(question) {
            Ok(answer) => {
                self.gather.staged_beside(Instant::now());
                self.owe(peer, call, Owed::Directory(answer));
            }
            Err(Fault::Parcel(fault)) => return Err(fault),
            Err(fault) => {
                let answer = ToDirectory::Fault(fault.to_string());
                self.owed.push((peer, call, Owed::Directory(answer)));
                self.failed(&fault);
            }
        }
        Ok(())
    }

    /// Answers now if nothing waits for the disk, else with the commit.
    fn owe(&mut self, peer: Peer, call: u32, owed: Owed) {
        if self.store.has_staged() {
            self.owed.push((peer, call, owed));
        } else {
            self.gather.committed();
            self.pay(peer, call, owed);
        }
    }

    fn pay(&mut self, peer: Peer, call: u32, owed: Owed) {
        let _ = match owed {
            Owed::Edge(answer) => self.hub.send(peer, call, &answer, Vec::new()),
            Owed::Access(answer) => self.hub.send(peer, call, &answer, Vec::new()),
            Owed::Admin(answer) => self.hub.send(peer, call, &answer, Vec::new()),
            Owed::Directory(answer) => self.hub.send(peer, call, &answer, Vec::new()),
        };
    }

    /// One flush for everything staged; then the answers, and word to those who watch.
    fn commit(&mut self) {
        self.note_taken();
        if let Err(fault) = self.mark() {
            return self.failed(&fault);
        }
        match self.store.commit() {
            Ok(changes) => {
                self.gather.committed();
                // Word first: who hears that a change was made, and tells another session so,
                // finds that this other one knows of it.
                self.tell_watchers(&changes);
                for (peer, call, owed) in std::mem::take(&mut self.owed) {
                    self.pay(peer, call, owed);
                }
                self.answer_later();
            }
            Err(fault) => self.failed(&fault),
        }
    }

    fn note_taken(&mut self) {
        if let Some(before) = self.taken_before.take()
            && let Err(fault) = self.store.forwarded(before, self.forward.runs())
        {
            self.taken_before = Some(before);
            self.failed(&fault);
        }
    }

    /// Nothing that was staged is kept: everybody who waits hears so.
    fn failed(&mut self, fault: &Fault) {
        self.gather.committed();
        let is_full = fault.is_full();
        for (peer, call, owed) in std::mem::take(&mut self.owed) {
            let owed = match owed {
                Owed::Edge(_) => Owed::Edge(if is_full { ToEdge::Full } else { ToEdge::Fault }),
                Owed::Access(_) => {
                    Owed::Access(if is_full { ToAccess::Full } else { ToAccess::Fault })
                }
                Owed::Admin(_) => Owed::Admin(ToAdmin::Fault(fault.to_string())),
                Owed::Directory(_) => Owed::Directory(ToDirectory::Fault(fault.to_string())),
            };
            self.pay(peer, call, owed);
        }
        self.tell_operator(fault);
        self.answer_later();
    }

    fn tell_operator(&mut self, fault: &Fault) {
        let now = Instant::now();
        if self.last_note.is_some_and(|last| now - last < NOTES) {
            return;
        }
        self.last_note = Some(now);
        let text = format!("mailbox: {}", fault.story());
        let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
    }

    fn answer_later(&mut self) {
        for (peer, label, frame) in std::mem::take(&mut self.later) {
            let Some((tenant, user)) = label.person else { continue };
            if self.answer_access(peer, Whose { tenant, user }, label, frame).is_err() {
                self.dismiss(peer);
            }
        }
    }

    fn tell_watchers(&mut self, changes: &[Change]) {
        if changes.is_empty() || self.watchers.is_empty() {
            return;
        }
        let mut told: Vec<(Peer, ToAccess)> = Vec::new();
        for change in changes {
            for (peer, watcher) in &self.watchers {
                let is_watched =
                    watcher.whose.user == change.user && watcher.folder == change.folder;
                if !is_watched {
                    continue;
                }
                let Ok(Some(front)) = self.store.front(change.user, change.folder) else {
                    continue;
                };
                if change.known_to == Some(*peer) {
                    continue;
                }
                told.push((
                    *peer,
                    ToAccess::Changed {
                        folder: folder_id(change.folder),
                        expunged: change.expunged.clone(),
                        highest_modseq: front.modseq,
                        messages: u32::try_from(front.messages).unwrap_or(0),
                    },
                ));
            }
        }
        for (peer, push) in told {
            let _ = self.hub.send(peer, 0, &push, Vec::new());
        }
    }

    /// What nobody waits for: the index, the evidence, and now and then the chores.
    fn tend(&mut self, quiet: bool) {
        let pending = self.store.pending();
        if pending >= SETTLE || (quiet && pending > 0) {
            self.attempt(|store| store.settle());
        }
        if !self.later.is_empty() && !self.store.has_staged() && !self.forward.is_in_doubt() {
            self.answer_later();
        }
        self.forward.hand_in(&self.store.arrived, &mut self.hub, self.leaving.is_some());
        if let Some(what) = self.forward.take_lie() {
            self.alarm(what);
        }
        let now = Instant::now();
        if now < self.next_chores || self.store.has_staged() {
            return;
        }
        self.next_chores = now + CHORES;
        self.begin();
        if self.taken_before.is_some() || self.has_to_mark() {
            self.commit();
        }
        if self.store.wants_checkpoint(quiet) {
            self.attempt(Store::checkpoint);
        }
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRY;
            self.attempt(|store| store.expire(now_ms()).map(drop));
            self.commit();
        }
        let budget = if self.store.is_sweeping() { SWEEP_BYTES } else { MOVE_BYTES };
        if quiet || self.store.is_sweeping() {
            self.attempt(|store| store.compact(budget).map(drop));
        }
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Store) -> Result<(), Fault>) {
        if let Err(fault) = work(&mut self.store) {
            self.tell_operator(&fault);
        }
    }

    fn leave(mut self) -> Result<(), Fault> {
        let runs = self.forward.runs();
        if runs.is_some() && runs != self.store.runs {
            self.attempt(|store| runs.map_or(Ok(()), |runs| store.note(runs)));
        }
        if self.store.has_staged() || self.taken_before.is_some() {
            self.commit();
        }
        self.store.checkpoint()
    }
}

/// The uids that one question may name.
fn few(uids: &[u32]) -> &[u32] {
    uids.get(..UIDS).unwrap_or(uids)
}
