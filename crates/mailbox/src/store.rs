//! The store: acts are staged, one commit makes them durable, the index follows.
//!
//! Every act is decided against memory, written to the log as entries, and followed by memory at
//! once; the answer may leave only after `commit`. If a commit fails, memory is thrown away and
//! comes back from the index and the entries that it has not been told yet.

use crate::Fault;
use crate::entry::{Arrived, Entry, Stored};
use crate::erasure::Sweep;
use crate::index::{Index, Position};
use crate::person::{Front, Person, QUOTA_BYTES, SPECIAL};
use crate::refused::Refused;
use crate::shelf::Shelf;
use body::{Bodies, Mark, Packs};
use journal::Runs;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use terms::{LocalTime, MessageId, TenantId, UserId};

/// Lines held in memory over all folders: 160 MiB of the keeper's 4 GiB.
const LINES: usize = 4_000_000;
/// People held in memory; one with ten folders takes about 2 KiB.
const PEOPLE: usize = 100_000;
/// Entries that may wait for the index. Reads look through them, so they stay few.
const PENDING: usize = 50_000;
/// Entries told to the index in one transaction while a log is told again.
const TOLD_AT_ONCE: usize = 4_000;
/// Octets of log after which the index is written down, so that a start has less to tell again
/// than a second of reading; and index changes after which it is, so that writing takes some
/// tens of milliseconds. Half of either will do when nobody waits.
const CHECKPOINT_BYTES: u64 = 512 * 1024 * 1024;
const CHECKPOINT_ENTRIES: usize = 20_000;

/// Whose mailbox: always a channel's label or a verified copy, never a frame's claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    pub tenant: TenantId,
    pub user: UserId,
}

/// What a commit changed, for those who watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub user: UserId,
    pub folder: u32,
    pub expunged: Vec<u32>,
    /// Who did it already knows it from the answer.
    pub known_to: Option<u64>,
}

pub struct Store {
    pub(crate) bodies: Box<dyn Bodies + Send>,
    pub(crate) index: Index,
    people: HashMap<UserId, Person>,
    shelves: HashMap<(UserId, u32), Shelf>,
    staged: Vec<(Entry, Option<u64>)>,
    pending: Vec<Entry>,
    /// Messages that the index has not been told of.
    fresh: HashMap<u64, Stored>,
    /// Who has had what, as far as the index has not been told.
    had: HashSet<(UserId, MessageId)>,
    pub(crate) position: Position,
    pub(crate) arrived: VecDeque<Arrived>,
    /// By which the day of an arrival is reckoned.
    pub local_time: LocalTime,
    /// Who acts now, as the desk counts peers.
    pub origin: Option<u64>,
    clock: u64,
    written_down: Mark,
    told: usize,
    pub(crate) sweep: Sweep,
    /// Whose mailboxes ended in this life: a session or an edge that has not heard of it yet must
    /// not make them anew.
    erased: HashSet<UserId>,
    /// Tenants that ended in this life, likewise.
    pub(crate) ended: HashSet<TenantId>,
    pub(crate) refused: Refused,
    /// What the tables know of the entries that tell of them, as it was kept last.
    pub(crate) runs: Option<Runs>,
    /// Mail went by what is staged.
    lets_go: bool,
}

impl Store {
    /// Opens the store in `folder`: the log in `packs/`, the index in `index.db`.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(folder).map_err(Fault::Folder)?;
        let bodies = Box::new(Packs::open(&folder.join("packs"))?);
        Self::with(bodies, Index::open(&folder.join("index.db"))?)
    }

    pub(crate) fn with(
        mut bodies: Box<dyn Bodies + Send>,
        mut index: Index,
    ) -> Result<Self, Fault> {
        let mut again =
            Again { position: index.position()?, waiting: Vec::new(), freed: Vec::new() };
        let from = again.position.mark;
        let mut outcome = Ok(());
        bodies.replay(from, &mut |mark, note| {
            if outcome.is_ok() && mark > from {
                outcome = again.tell(&mut index, mark, note);
            }
        })?;
        outcome?;
        again.write(&mut index)?;
        for place in again.freed {
            bodies.delete(place)?;
        }
        let mut arrived = VecDeque::new();
        for bytes in index.arrived()? {
            arrived.extend(postcard::from_bytes::<Arrived>(&bytes).ok());
        }
        let runs = index.runs()?;
        index.checkpoint()?;
        bodies.forget(again.position.mark)?;
        Ok(Self {
            bodies,
            index,
            people: HashMap::new(),
            shelves: HashMap::new(),
            staged: Vec::new(),
            pending: Vec::new(),
            fresh: HashMap::new(),
            had: HashSet::new(),
            position: again.position,
            arrived,
            local_time: LocalTime::default(),
            origin: None,
            clock: 0,
            written_down: again.position.mark,
            told: 0,
            sweep: Sweep::default(),
            erased: HashSet::new(),
            ended: HashSet::new(),
            refused: Refused::default(),
            runs,
            lets_go: false,
        })
    }

    /// Makes everything staged durable and says what changed. On a fault nothing of it was kept.
    pub fn commit(&mut self) -> Result<Vec<Change>, Fault> {
        if self.staged.is_empty() {
            return Ok(Vec::new());
        }
        match self.bodies.commit() {
            Ok(mark) => self.position.mark = mark,
            Err(fault) => {
                self.fail();
                return Err(fault.into());
            }
        }
        let mut changes: Vec<Change> = Vec::new();
        for (entry, origin) in self.staged.drain(..) {
            if let Entry::Arrived(arrived) = &entry {
                self.arrived.push_back(*arrived);
            }
            note_change(&mut changes, &entry, origin);
            self.pending.push(entry);
        }
        Ok(changes)
    }

    /// Tells the index what is durable. Called when nobody waits, or when much has gathered.
    pub fn settle(&mut self) -> Result<(), Fault> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let freed = self.index.tell(&self.pending, self.position)?;
        self.told += self.pending.len();
        self.pending.clear();
        self.fresh.clear();
        self.had.clear();
        for (entry, _) in &self.staged {
            remember(&mut self.fresh, &mut self.had, entry);
        }
        for place in freed {
            self.bodies.delete(place)?;
        }
        Ok(())
    }

    /// Whether mail went since this was last asked.
    pub fn has_let_go(&mut self) -> bool {
        std::mem::take(&mut self.lets_go)
    }

    /// The number of the next arrival.
    pub fn next_record(&self) -> u64 {
        self.position.next_seq
    }

    /// Entries that wait for the index.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether the index should be written down so that the log may forget: a few flushes in
    /// thousands of messages.
    pub fn wants_checkpoint(&self, quiet: bool) -> bool {
        let written = self.position.mark.0.saturating_sub(self.written_down.0);
        let share = if quiet { 2 } else { 1 };
        // A mark in another pack is further away than any pack is long.
        written * share >= CHECKPOINT_BYTES || self.told * share as usize >= CHECKPOINT_ENTRIES
    }

    pub fn checkpoint(&mut self) -> Result<(), Fault> {
        self.settle()?;
        self.index.checkpoint()?;
        self.written_down = self.position.mark;
        self.told = 0;
        self.bodies.forget(self.position.mark)?;
        Ok(())
    }

    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Whether this person's mailbox has acts that are not durable yet.
    pub fn has_staged_for(&self, user: UserId) -> bool {
        let concerns = |entry: &Entry| entry.concerns().is_some_and(|(who, _)| who == user);
        self.staged.iter().any(|(entry, _)| concerns(entry))
    }

    pub fn flushes(&self) -> u64 {
        self.bodies.flushes()
    }

    /// Forgets what was staged, and all that memory made of it.
    pub(crate) fn fail(&mut self) {
        self.bodies.abandon();
        self.staged.clear();
        self.lets_go = false;
        self.people.clear();
        self.shelves.clear();
        self.fresh.clear();
        self.had.clear();
        for entry in &self.pending {
            remember(&mut self.fresh, &mut self.had, entry);
        }
    }

    /// Writes one act's entries to the log and follows them.
    pub(crate) fn stage(&mut self, entries: Vec<Entry>) -> Result<(), Fault> {
        if self.pending.len() + self.staged.len() > PENDING {
            self.fail();
            return Err(Fault::Behind { count: self.pending.len(), limit: PENDING });
        }
        let note = postcard::to_stdvec(&entries).map_err(|_| Fault::Note { octets: 0 })?;
        if let Err(fault) = self.bodies.note(&note) {
            self.fail();
            return Err(fault.into());
        }
        for entry in entries {
            self.follow(&entry);
            self.lets_go |= entry.lets_go();
            self.staged.push((entry, self.origin));
        }
        Ok(())
    }

    fn follow(&mut self, entry: &Entry) {
        if let Entry::Erased { tenant, users, whole } = entry {
            self.ended.extend(whole.then_some(*tenant));
            users.iter().for_each(|user| drop(self.people.remove(user)));
            self.shelves.retain(|(user, _), _| !users.contains(user));
            self.erased.extend(users);
        }
        if let Entry::Noted(runs) = entry {
            self.runs = Some(runs.clone());
        }
        if let Entry::Renumbered { above } = entry {
            self.people.values_mut().for_each(|person| person.renumber(*above));
        }
        remember(&mut self.fresh, &mut self.had, entry);
        let Some((user, folder)) = entry.concerns() else { return };
        if let Some(person) = self.people.get_mut(&user) {
            person.apply(entry);
        }
        if let Some(shelf) = folder.and_then(|folder| self.shelves.get_mut(&(user, folder))) {
            shelf.apply(entry);
        }
    }

    /// What the index has not been told, oldest first.
    fn untold(&self) -> impl Iterator<Item = &Entry> {
        self.pending.iter().chain(self.staged.iter().map(|(entry, _)| entry))
    }

    /// The person, if the mailbox exists.
    pub fn find_person(&mut self, user: UserId) -> Result<Option<&mut Person>, Fault> {
        if !self.people.contains_key(&user) {
            let mut person = self.index.person(user)?;
            for entry in self.untold() {
                if matches!(entry, Entry::Erased { users, .. } if users.contains(&user)) {
                    person = None;
                }
                if let (Some(person), Entry::Renumbered { above }) = (&mut person, entry) {
                    person.renumber(*above);
                }
                if entry.concerns().is_none_or(|(who, _)| who != user) {
                    continue;
                }
                match (&mut person, entry) {
                    (Some(person), entry) => person.apply(entry),
                    (None, Entry::Person { tenant, user, quota_bytes, uid_validity }) => {
                        person = Some(Person::new(*tenant, *user, *quota_bytes, *uid_validity));
                    }
                    (None, _) => {}
                }
            }
            if self.people.len() >= PEOPLE {
                self.people.clear();
            }
            if let Some(person) = person {
                self.people.insert(user, person);
            }
        }
        Ok(self.people.get_mut(&user))
    }

    /// The person; a mailbox that is asked for the first time is made.
    pub fn person(&mut self, whose: Whose, now_ms: u64) -> Result<&mut Person, Fault> {
        if self.find_person(whose.user)?.is_none() {
            self.make(whose, QUOTA_BYTES, now_ms)?;
        }
        let Whose { tenant, user } = whose;
        Ok(self.people.entry(user).or_insert_with(|| Person::new(tenant, user, QUOTA_BYTES, 1)))
    }

    /// Stages a new mailbox, or another quota for one that exists.
    pub fn make(&mut self, whose: Whose, quota_bytes: u64, now_ms: u64) -> Result<(), Fault> {
        let Whose { tenant, user } = whose;
        if self.erased.contains(&user) {
            return Err(Fault::Parcel(wire::Fault::Malformed));
        }
        let is_new = self.find_person(user)?.is_none();
        let uid_validity = uid_validity(now_ms);
        self.stage(vec![Entry::Person { tenant, user, quota_bytes, uid_validity }])?;
        if is_new {
            self.people.insert(user, Person::new(tenant, user, quota_bytes, uid_validity));
            debug_assert_eq!(SPECIAL.len(), 6);
        }
        Ok(())
    }

    /// The front of a folder, if it exists.
    pub fn front(&mut self, user: UserId, folder: u32) -> Result<Option<&mut Front>, Fault> {
        Ok(self.find_person(user)?.and_then(|person| person.folders.get_mut(&folder)))
    }

    /// The lines of a folder, or `None` if there is no such folder.
    pub fn shelf(&mut self, user: UserId, folder: u32) -> Result<Option<&Shelf>, Fault> {
        let Some(front) = self.front(user, folder)? else { return Ok(None) };
        let count = usize::try_from(front.messages).unwrap_or(0);
        if !self.shelves.contains_key(&(user, folder)) {
            self.make_room(count);
            let lines = self.index.lines(user, folder, count.min(LINES))?;
            let mut shelf = Shelf { lines, used: 0 };
            for entry in self.untold() {
                if entry.concerns() == Some((user, Some(folder))) {
                    shelf.apply(entry);
                }
            }
            self.shelves.insert((user, folder), shelf);
        }
        self.clock += 1;
        let clock = self.clock;
        Ok(self.shelves.get_mut(&(user, folder)).map(|shelf| {
            shelf.used = clock;
            &*shelf
        }))
    }

    /// Puts away the folders that were not asked for longest.
    fn make_room(&mut self, wanted: usize) {
        let mut held: usize = self.shelves.values().map(|shelf| shelf.lines.len()).sum();
        while held.saturating_add(wanted) > LINES {
            let oldest = self.shelves.iter().min_by_key(|(_, shelf)| shelf.used);
            let Some(key) = oldest.map(|(key, _)| *key) else { return };
            held -= self.shelves.remove(&key).map_or(0, |shelf| shelf.lines.len());
        }
    }

    pub fn stored(&self, id: u64) -> Result<Option<Stored>, Fault> {
        match self.fresh.get(&id) {
            Some(stored) => Ok(Some(stored.clone())),
            None => self.index.stored(id),
        }
    }

    /// Whether this person got this message from a `depart` lately.
    pub(crate) fn has_had(&self, (user, message): (UserId, MessageId)) -> Result<bool, Fault> {
        Ok(self.had.contains(&(user, message)) || self.index.has_had(user, message)?)
    }

    /// Whether one of the messages that came last is this one for this person, for good.
    pub fn has_kept(&self, user: UserId, message: MessageId) -> Result<bool, Fault> {
        let is_it = |stored: &Stored| (stored.user, stored.message) == (user, message);
        let is_it = |entry: &Entry| matches!(entry, Entry::Stored(stored) if is_it(stored));
        Ok(self.pending.iter().any(is_it) || self.index.has_kept(user, message)?)
    }

    pub(crate) fn next_stored(&mut self) -> u64 {
        let id = self.position.next_stored;
        self.position.next_stored += 1;
        id
    }

    pub(crate) fn next_seq(&mut self) -> u64 {
        let seq = self.position.next_seq;
        self.position.next_seq += 1;
        seq
    }
}

/// What is looked up before the index knows it.
fn remember(
    fresh: &mut HashMap<u64, Stored>,
    had: &mut HashSet<(UserId, MessageId)>,
    entry: &Entry,
) {
    match entry {
        Entry::Stored(stored) => drop(fresh.insert(stored.id, stored.clone())),
        Entry::Once { user, message, .. } => drop(had.insert((*user, *message))),
        _ => {}
    }
}

/// RFC 3501 §2.3.1.1: grows whenever a name is used again; seconds do.
pub fn uid_validity(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX).max(1)
}

fn note_change(changes: &mut Vec<Change>, entry: &Entry, origin: Option<u64>) {
    let (user, folder, expunged, known_to) = match entry {
        Entry::Listed { user, folder, .. } => (*user, *folder, Vec::new(), None),
        Entry::Flags { user, folder, .. } => (*user, *folder, Vec::new(), origin),
        Entry::Expunged { user, folder, lines, .. } => {
            (*user, *folder, lines.iter().map(|line| line.uid).collect(), origin)
        }
        _ => return,
    };
    let same = |change: &&mut Change| {
        change.user == user && change.folder == folder && change.known_to == known_to
    };
    match changes.iter_mut().find(same) {
        Some(change) => change.expunged.extend(expunged),
        None => changes.push(Change { user, folder, expunged, known_to }),
    }
}

/// The log told again at a start.
struct Again {
    position: Position,
    waiting: Vec<Entry>,
    freed: Vec<body::Place>,
}

impl Again {
    fn tell(&mut self, index: &mut Index, mark: Mark, note: &[u8]) -> Result<(), Fault> {
        let entries: Vec<Entry> =
            postcard::from_bytes(note).map_err(|_| Fault::Note { octets: note.len() })?;
        for entry in &entries {
            match entry {
                Entry::Stored(stored) => {
                    self.position.next_stored = self.position.next_stored.max(stored.id + 1);
                }
                Entry::Arrived(arrived) => {
                    self.position.next_seq = self.position.next_seq.max(arrived.seq + 1);
                }
                Entry::Forwarded { before } => self.position.forwarded = *before,
                _ => {}
            }
        }
        self.position.mark = mark;
        self.waiting.extend(entries);
        if self.waiting.len() >= TOLD_AT_ONCE { self.write(index) } else { Ok(()) }
    }

    fn write(&mut self, index: &mut Index) -> Result<(), Fault> {
        if !self.waiting.is_empty() {
            self.freed.extend(index.tell(&self.waiting, self.position)?);
            self.waiting.clear();
        }
        Ok(())
    }
}
