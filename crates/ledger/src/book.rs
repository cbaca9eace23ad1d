//! The book of evidence: judges what authors append, commits it in batches, follows the mirror,
//! answers who waits. It knows no socket and no clock; what it wants sent, it returns.

mod deeds;
mod healing;
pub(crate) mod losses;
mod mirroring;
mod showing;

use crate::authors::Standing;
use crate::fault::Unwritten;
use crate::link::{Link, SILENT_MS, Sent};
use crate::memory::Memory;
use crate::pace::{Paces, Step, is_awaited, is_patient};
use annals::names::ANCHOR;
use annals::{Binder, Shelf, chapter_name};
use evidence::{Entry, Frame};
use losses::Remembered;
use std::collections::VecDeque;
use std::io;
use terms::Kind;
use tlog::{
    Checkpoint, Hash, LOG_ORIGIN, Note, NoteSignature, NoteSigner, SignedCheckpoint, Store, Volume,
    leaf_hash, subtree_root,
};
use wire::ledger::{FromLedger, FromMirror, ToLedger, ToMirror};
use wire::{Label, Peer};

/// Entries in one Append, and their octets: a fraction of a batch.
const APPEND_ENTRIES: usize = 16_384;
const APPEND_BYTES: usize = 4 * 1024 * 1024;
/// Octets staged at which a batch is committed whatever else waits: some 4,500 entries, more than a
/// full load of mail gathers in its linger, and few enough that an author who sends as fast as it
/// may is answered before it has nothing more on the way.
const BATCH_BYTES: usize = 1024 * 1024;
/// How long a batch of entries that nobody waits for may gather.
const LINGER_MS: u64 = 400;
/// How long those may gather whose author waits for them and nobody else does (keys of mail that
/// leaves, batch by batch: architecture §8), or for which nobody waits and a moment is soon enough.
const COMPANY_MS: u64 = 15;
/// How long an asker waits before it is told that nothing can be proved.
const PATIENCE_MS: u64 = 2_000;
/// How long after the start the mirror is waited for before anything is appended: after a power
/// loss it may hold entries that we lost.
const GRACE_MS: u64 = 5_000;
/// Appends put aside at once (for an author not yet named, or a mirror not yet heard).
const ASIDE: usize = 4_096;
/// Asked again after a refusal.
const RETRY_MS: u64 = 1_000;
/// Leaves in one `Add` or `Releases`.
const SEND_LEAVES: usize = 8_192;
const SEND_BYTES: usize = 2 * 1024 * 1024;
const RELEASES: usize = 512;

/// Something to be sent.
pub(crate) enum Out {
    Answer(Peer, u32, FromLedger),
    Mirror(ToMirror),
    /// For the warden: something is wrong.
    Alarm(String),
    /// For the operator.
    Note(String),
}

struct Aside {
    peer: Peer,
    call: u32,
    label: Label,
    entries: Vec<Vec<u8>>,
    prove: bool,
    since_ms: u64,
}

/// Somebody who waits until entries are durable here, or also at the mirror.
struct Waiter {
    peer: Peer,
    call: u32,
    indices: Vec<u64>,
    last: u64,
    since_ms: u64,
}

pub(crate) struct Book<V> {
    pub store: Store<V>,
    signer: NoteSigner,
    pub memory: Memory,
    paces: Paces,
    taking: Vec<Waiter>,
    proving: Vec<Waiter>,
    aside: VecDeque<Aside>,
    /// Keepers who asked what they did before the mirror was heard.
    early: Vec<deeds::Asked>,
    link: Link,
    cosigned: Option<SignedCheckpoint>,
    askers: mirroring::Askers,
    batch_since_ms: Option<u64>,
    is_urgent: bool,
    /// Somebody waits who can wait for company.
    company_since_ms: Option<u64>,
    started_ms: u64,
    has_met_mirror: bool,
    /// After damage: nothing is appended before the mirror has given back this many.
    must_reach: u64,
    remembered: Remembered,
    is_shut_said: bool,
    /// Somebody else changed the log while it was open.
    is_closed: bool,
    unwritten: Unwritten,
    out: Vec<Out>,
    /// Leaves and entries that are staged: they are bound when they are durable.
    unbound: Vec<(Hash, Entry)>,
    index: Option<Indexing>,
}

/// The index beside the log, and where it is put.
struct Indexing {
    binder: Binder,
    shelf: Box<dyn Shelf + Send>,
    /// A chapter was closed since the last anchor, or that is of no use.
    is_anchor_due: bool,
}

impl<V: Volume> Book<V> {
    /// `memory` has learned every entry of `store`; `must_reach` is what damage took it below.
    pub fn new(
        store: Store<V>,
        signer: NoteSigner,
        mut memory: Memory,
        must_reach: u64,
        now_ms: u64,
    ) -> Self {
        memory.batch_written();
        Self {
            store,
            signer,
            memory,
            paces: Paces::default(),
            taking: Vec::new(),
            proving: Vec::new(),
            aside: VecDeque::new(),
            early: Vec::new(),
            link: Link::Away,
            cosigned: None,
            askers: mirroring::Askers::default(),
            batch_since_ms: None,
            is_urgent: false,
            company_since_ms: None,
            started_ms: now_ms,
            has_met_mirror: false,
            must_reach,
            remembered: Remembered::default(),
            is_shut_said: false,
            is_closed: false,
            unwritten: Unwritten::default(),
            out: Vec::new(),
            unbound: Vec::new(),
            index: None,
        }
    }

    /// Keeps an index from here on: `binder` stands at the store's end. `due`: the anchor is of no
    /// use, and another one is set.
    pub fn with_index(mut self, binder: Binder, shelf: Box<dyn Shelf + Send>, due: bool) -> Self {
        self.index = Some(Indexing { binder, shelf, is_anchor_due: due });
        self
    }

    /// The newest checkpoint that the mirror cosigned.
    pub fn cosigned(&self) -> Option<&SignedCheckpoint> {
        self.cosigned.as_ref()
    }

    pub fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    fn answer(&mut self, peer: Peer, call: u32, answer: FromLedger) {
        self.out.push(Out::Answer(peer, call, answer));
    }

    /// A question from a peer whose label the warden made.
    pub fn asked(&mut self, peer: Peer, call: u32, label: &Label, question: ToLedger, now_ms: u64) {
        match question {
            ToLedger::Append { entries, prove } => {
                let label = label.clone();
                self.append(Aside { peer, call, label, entries, prove, since_ms: now_ms }, now_ms);
            }
            ToLedger::Show { first, count } => {
                let answer = self.show(label.instance, first, count);
                self.answer(peer, call, answer);
            }
            ToLedger::Head => self.head_asked(peer, call, label, now_ms),
            ToLedger::Follow { .. } => {}
            ToLedger::Lost => {
                let answer = match label.kind {
                    Kind::Identity => self.remembered.lost(),
                    _ => refused("only identity may ask what was lost"),
                };
                self.answer(peer, call, answer);
            }
            ToLedger::LastDeeds => {
                let asked = deeds::Asked { peer, call, kind: label.kind, from_index: None };
                self.deeds_asked(asked, now_ms);
            }
            ToLedger::Deeds { from_index } => {
                let from_index = Some(from_index);
                let asked = deeds::Asked { peer, call, kind: label.kind, from_index };
                self.deeds_asked(asked, now_ms);
            }
            ToLedger::Ended { from_index, to_index } => {
                let answer = match label.kind {
                    Kind::Sentinel => self.ended_of(from_index, to_index),
                    _ => refused("only the sentinel may ask what was ended"),
                };
                self.answer(peer, call, answer);
            }
            ToLedger::Releases { since_ms, from_index } => {
                let answer = match label.kind {
                    Kind::Vault => self.releases_since(since_ms, from_index),
                    _ => refused("only the vault may ask for releases"),
                };
                self.answer(peer, call, answer);
            }
        }
    }

    /// The last release is always among them: its number runs on, however old it is.
    fn releases_since(&self, since_ms: u64, from_index: u64) -> FromLedger {
        let newest = self.memory.releases.back().map(|release| release.0);
        let wanted = self.memory.releases.iter().filter(|(index, at_ms)| {
            *index >= from_index && (*at_ms >= since_ms || Some(*index) == newest)
        });
        let mut entries = Vec::new();
        let mut room = SEND_BYTES;
        for (index, _) in wanted {
            if entries.len() >= RELEASES || room == 0 {
                return FromLedger::Releases { entries, next: Some(*index) };
            }
            let found = match *index < self.store.size() {
                true => self.store.entries(*index, 1, 1),
                false => Ok(Vec::new()),
            };
            match found {
                Ok(found) => {
                    room = room.saturating_sub(found.iter().map(Vec::len).sum());
                    entries.extend(found);
                }
                Err(_) => return FromLedger::Away,
            }
        }
        FromLedger::Releases { entries, next: None }
    }

    fn append(&mut self, append: Aside, now_ms: u64) {
        let bytes: usize = append.entries.iter().map(Vec::len).sum();
        if append.entries.len() > APPEND_ENTRIES || bytes > APPEND_BYTES {
            let why = "an append holds at most 16,384 entries and 4 MiB";
            return self.answer(append.peer, append.call, refused(why));
        }
        if self.is_closed {
            return self.answer(append.peer, append.call, FromLedger::Away);
        }
        // The frames of one author stay in order.
        let is_behind = self.aside.iter().any(|earlier| earlier.peer == append.peer);
        if is_behind || !self.may_append(now_ms) {
            return self.put_aside(append);
        }
        if self.is_too_fast(&append, now_ms) {
            return self.answer(append.peer, append.call, FromLedger::Away);
        }
        let mut indices = Vec::with_capacity(append.entries.len());
        let Label { kind, instance, .. } = append.label;
        let frames: Vec<Frame> =
            append.entries.iter().map_while(|bytes| Frame::parse(bytes)).collect();
        if self.is_shut_to(&append, &frames) {
            return self.answer(append.peer, append.call, FromLedger::Shut);
        }
        let vouched = self.memory.authors.vouch(instance, &frames);
        let is_cut = frames.len() < append.entries.len();
        for (bytes, frame) in append.entries.iter().zip(frames) {
            let leaf = leaf_hash(bytes);
            match self.memory.authors.judge((kind, instance), &frame, &leaf, vouched) {
                Standing::Known(index) => indices.push(index),
                Standing::Refused(why) => return self.refuse(&append, why),
                Standing::Stranger => return self.put_aside(append),
                Standing::Next => {
                    let Some(index) = self.store.stage(bytes) else {
                        return self.refuse(&append, "an entry is too long".to_owned());
                    };
                    self.memory.learn(&frame.entry, index, leaf);
                    match is_patient(kind, &frame.entry.body) {
                        true => self.company_since_ms = self.company_since_ms.or(Some(now_ms)),
                        false => {
                            self.is_urgent |= append.prove || is_awaited(&frame.entry.body);
                        }
                    }
                    self.batch_since_ms.get_or_insert(now_ms);
                    indices.push(index);
                    self.unbound.push((leaf, frame.entry));
                }
            }
        }
        if is_cut {
            let why = "expected an entry, found something else";
            return self.refuse(&append, why.to_owned());
        }
        let Aside { peer, call, prove, since_ms, .. } = append;
        let last = indices.iter().copied().max().unwrap_or_default();
        let waiter = Waiter { peer, call, indices, last, since_ms };
        match prove {
            true => self.proving.push(waiter),
            false => self.taking.push(waiter),
        }
    }

    /// The warden alone may write as it must: it names the others, and tells of them.
    fn is_too_fast(&mut self, append: &Aside, now_ms: u64) -> bool {
        let Label { kind, instance, .. } = append.label;
        if kind == Kind::Warden {
            return false;
        }
        let step = self.paces.weigh(instance, append.entries.len(), now_ms);
        if let Some(what) = step.told() {
            self.out.push(Out::Alarm(format!("{} {instance} {what}", kind.word())));
        }
        matches!(step, Step::Later { .. })
    }

    fn refuse(&mut self, append: &Aside, why: String) {
        let Label { kind, instance, .. } = append.label;
        self.out.push(Out::Alarm(format!("an entry of {} {instance}: {why}", kind.word())));
        self.answer(append.peer, append.call, FromLedger::Refused { why });
    }

    fn put_aside(&mut self, append: Aside) {
        match self.aside.len() < ASIDE {
            true => self.aside.push_back(append),
            false => self.answer(append.peer, append.call, FromLedger::Away),
        }
    }

    fn may_append(&self, now_ms: u64) -> bool {
        let grace_ms = self.remembered.grace_ms(GRACE_MS);
        let heard = self.has_met_mirror || now_ms.saturating_sub(self.started_ms) >= grace_ms;
        let whole = self.store.size() >= self.must_reach;
        heard && whole && !matches!(self.link, Link::Healing { .. })
    }

    /// Whether a batch should be committed now, and if not, in how many milliseconds to look again.
    pub fn is_due(&self, now_ms: u64) -> bool {
        let passed = |since_ms: u64, limit_ms| now_ms.saturating_sub(since_ms) >= limit_ms;
        self.store.has_staged()
            && !self.is_closed
            && (self.is_urgent
                || self.batch_since_ms.is_some_and(|since| passed(since, LINGER_MS))
                || self.company_since_ms.is_some_and(|since| passed(since, COMPANY_MS))
                || self.store.staged_bytes() >= BATCH_BYTES)
    }

    pub fn is_large(&self) -> bool {
        self.store.staged_bytes() >= BATCH_BYTES
    }

    /// Writes the batch and hands it to the mirror, so that both disks work at once. `flush` must
    /// follow before anybody is answered.
    pub fn write(&mut self, now_ms: u64) -> io::Result<()> {
        if !self.store.has_staged() || self.is_closed {
            return Ok(());
        }
        let signed = self.sign(self.store.checkpoint(LOG_ORIGIN));
        self.batch_since_ms = None;
        self.is_urgent = false;
        self.company_since_ms = None;
        let before = self.store.size();
        if let Err(fault) = self.store.write(signed) {
            // The disk is full or read-only: nothing was taken, the authors ask again.
            self.lose_batch(before);
            self.out.extend(self.unwritten.refused(&fault, now_ms));
            return Ok(());
        }
        self.unwritten.written();
        self.memory.batch_written();
        self.feed_mirror(now_ms)
    }

    /// Makes what was written durable and answers who waits for that alone.
    pub fn flush(&mut self, now_ms: u64) -> io::Result<()> {
        self.store.flush()?;
        self.bind();
        let size = self.store.size();
        let done: Vec<Waiter> = self.taking.extract_if(.., |one| one.last < size).collect();
        for Waiter { peer, call, indices, .. } in done {
            let first_index = indices.first().copied().unwrap_or_default();
            self.answer(peer, call, FromLedger::Taken { first_index });
        }
        self.prove(now_ms);
        Ok(())
    }

    /// Binds what is durable into the index; when a chapter is full, an anchor is set, so that a
    /// start reads no further back. The log does not depend on any of it.
    fn bind(&mut self) {
        let unbound = std::mem::take(&mut self.unbound);
        unbound.iter().for_each(|(_, entry)| self.acknowledged(entry));
        let Some(index) = &mut self.index else { return };
        let mut fault = None;
        for (leaf, entry) in unbound {
            if let Some((number, bytes)) = index.binder.take(leaf, Some(&entry)) {
                fault = index.shelf.put(&chapter_name(number), &bytes).err().or(fault);
                index.is_anchor_due = true;
            }
        }
        if index.is_anchor_due && !self.store.has_staged() {
            index.is_anchor_due = false;
            match self.store.anchor(self.memory.save()) {
                Ok(Some(anchor)) => {
                    fault = index.shelf.put(ANCHOR, &anchor.encode()).err().or(fault);
                }
                Ok(None) => {}
                Err(other) => fault = Some(other),
            }
        }
        if let Some(fault) = fault {
            let what = format!("the index could not be written: {fault}; a start makes it anew");
            self.out.push(Out::Note(what));
        }
    }

    /// Answers for what was resent and needs no new write.
    pub fn settle(&mut self, now_ms: u64) -> io::Result<()> {
        match self.store.has_staged() || (self.taking.is_empty() && self.proving.is_empty()) {
            true => Ok(()),
            false => self.flush_known(now_ms),
        }
    }

    fn flush_known(&mut self, now_ms: u64) -> io::Result<()> {
        let size = self.store.size();
        match self.taking.iter().any(|one| one.last < size) {
            true => self.flush(now_ms),
            false => {
                self.prove(now_ms);
                Ok(())
            }
        }
    }

    fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let text = checkpoint.to_text();
        let signatures = vec![self.signer.sign(&text)];
        SignedCheckpoint { note: Note { text, signatures }, checkpoint }
    }

    /// Proves what the newest cosigned checkpoint covers; tells the others when it is in vain.
    fn prove(&mut self, now_ms: u64) {
        let in_vain = !self.link.is_answering(now_ms);
        let size = self.cosigned.as_ref().map_or(0, |signed| signed.checkpoint.size);
        let written = self.store.size();
        let mut waiting = Vec::new();
        for waiter in std::mem::take(&mut self.proving) {
            let waited = now_ms.saturating_sub(waiter.since_ms) >= PATIENCE_MS;
            let answer = if waiter.last < size {
                self.proofs(&waiter.indices)
            } else if waited || (in_vain && waiter.last < written) {
                FromLedger::Away
            } else {
                waiting.push(waiter);
                continue;
            };
            self.answer(waiter.peer, waiter.call, answer);
        }
        self.proving = waiting;
    }

    /// What time brings: appends put aside, waiters without an answer, a mirror to ask again.
    pub fn tick(&mut self, now_ms: u64) -> io::Result<()> {
        for append in std::mem::take(&mut self.aside) {
            match now_ms.saturating_sub(append.since_ms) >= PATIENCE_MS {
                false => self.append(append, now_ms),
                true if self.may_append(now_ms) => {
                    self.refuse(&append, "expected a known author, found a stranger".to_owned());
                }
                true => self.answer(append.peer, append.call, FromLedger::Away),
            }
        }
        self.tell_early(now_ms);
        let ask_again = match &self.link {
            Link::Apart { retry_ms } => now_ms >= *retry_ms,
            Link::Asked { since_ms } | Link::Healing { since_ms, .. } => {
                now_ms.saturating_sub(*since_ms) >= SILENT_MS
            }
            Link::Away | Link::Following { .. } => false,
        };
        if ask_again {
            self.mirror_joined(now_ms);
        }
        if now_ms.saturating_sub(self.started_ms) >= losses::GRACE_MS {
            self.say_losses();
        }
        self.prove(now_ms);
        self.give_up_on_mirror(now_ms);
        self.out.extend(self.unwritten.over(now_ms));
        self.feed_mirror(now_ms)
    }

    pub fn size(&self) -> u64 {
        self.store.size()
    }

    /// Milliseconds until `tick` has something to do.
    pub fn next_tick_ms(&self, now_ms: u64) -> Option<u64> {
        let linger = self.batch_since_ms.map(|since| since + LINGER_MS);
        let company = self.company_since_ms.map(|since| since + COMPANY_MS);
        let waiter = self.proving.first().map(|one| one.since_ms + PATIENCE_MS);
        let aside = (!self.aside.is_empty()).then_some(now_ms + 20);
        let link = match &self.link {
            Link::Apart { retry_ms } => Some(*retry_ms),
            Link::Asked { since_ms } | Link::Healing { since_ms, .. } => Some(since_ms + SILENT_MS),
            Link::Away | Link::Following { .. } => None,
        };
        let owed = (!self.remembered.owed.is_empty()).then_some(self.started_ms + losses::GRACE_MS);
        let told = [self.askers.due_ms(), self.unwritten.due_ms()].into_iter().flatten().min();
        let next = [linger, company, waiter, aside, link, owed, told];
        let next = next.into_iter().flatten().min()?;
        Some(next.saturating_sub(now_ms).max(1))
    }

    pub fn peer_gone(&mut self, peer: Peer) {
        self.proving.retain(|one| one.peer != peer);
        self.taking.retain(|one| one.peer != peer);
        self.askers.gone(peer);
    }

    /// Sends the mirror what it lacks, one batch at a time.
    fn feed_mirror(&mut self, now_ms: u64) -> io::Result<()> {
        while let Some(first) = self.link.next_to_send(now_ms).filter(|at| *at < self.store.size())
        {
            let leaves = self.store.entries(first, SEND_LEAVES, SEND_BYTES)?;
            let size = first + leaves.len() as u64;
            let newest = self.store.newest().filter(|signed| signed.checkpoint.size == size);
            let signed = match newest {
                Some(newest) => newest.clone(),
                None => {
                    let root = subtree_root(&self.store, 0, size);
                    let root = root.ok_or(io::ErrorKind::InvalidData)?;
                    self.sign(Checkpoint::new(LOG_ORIGIN, size, root))
                }
            };
            let checkpoint = signed.note.to_text().into_bytes();
            self.out.push(Out::Mirror(ToMirror::Add { first_index: first, leaves, checkpoint }));
            if let Link::Following { sent, outstanding } = &mut self.link {
                *sent = size;
                outstanding.push_back(Sent { signed, at_ms: now_ms });
            }
        }
        Ok(())
    }

    pub fn mirror_says(&mut self, said: FromMirror, now_ms: u64) -> io::Result<()> {
        self.askers.heard(now_ms);
        match said {
            FromMirror::Standing { size, lost } => {
                self.remembered.lost_of_mirror = lost;
                self.mirror_stands(size, now_ms);
            }
            FromMirror::Leaves { first_index, leaves, checkpoint } => {
                self.heal(first_index, leaves, &checkpoint, now_ms)?;
            }
            FromMirror::Cosigned { size, cosignature } => {
                let line = std::str::from_utf8(&cosignature).ok();
                let line = line.and_then(|line| NoteSignature::parse(line.trim_end_matches('\n')));
                if let (Some(line), Some(mut signed)) = (line, self.link.cosigned(size)) {
                    self.say_another_mirror(line.key_id);
                    signed.note.signatures.push(line);
                    self.cosigned = Some(signed);
                }
            }
            FromMirror::Refused { size, why } => {
                self.out.push(Out::Alarm(format!("the mirror, at {size}, refuses: {why}")));
                self.link = Link::Apart { retry_ms: now_ms + RETRY_MS };
            }
        }
        self.feed_mirror(now_ms)?;
        self.prove(now_ms);
        Ok(())
    }
}

fn refused(why: &str) -> FromLedger {
    FromLedger::Refused { why: why.to_owned() }
}
