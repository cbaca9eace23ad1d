//! Whom the ledger believes: every start of an author has one key and one series without a gap.
//! The warden is the root: it enters the keys of all others.

use annals::root_key;
use evidence::{AuthorKey, Body, Entry, Frame, PublicKey};
use std::collections::{HashMap, VecDeque};
use terms::{Cursor, InstanceId, Kind};
use tlog::Hash;

/// Entries of one author that a resend is recognised among; more than an outbox holds.
const RECENT: usize = 8_192;
/// What is left of them when an author has stopped.
const STOPPED: usize = 64;

struct Author {
    kind: Kind,
    public: PublicKey,
    /// `None`: the key it was named with is none, and nothing is believed.
    key: Option<AuthorKey>,
    next_seq: u64,
    /// Index and leaf of the newest entries; the last of them has number `next_seq - 1`.
    recent: VecDeque<(u64, Hash)>,
    /// The warden said that it has ended.
    has_stopped: bool,
    /// The number before the batch in hand, to return to if it cannot be written.
    before_batch: Option<u64>,
}

/// Every start that may write.
#[derive(Default)]
pub(crate) struct Authors(HashMap<InstanceId, Author>);

/// What an entry is, by its author's series.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Next,
    /// It is here already, at this index.
    Known(u64),
    /// The warden has not named this author (yet).
    Stranger,
    Refused(String),
}

impl Authors {
    /// Whether all these frames carry the signature of the author `instance`: many at once cost
    /// a fraction of as many alone.
    pub fn vouch(&self, instance: InstanceId, frames: &[Frame]) -> bool {
        let key = self.0.get(&instance).and_then(|author| author.key.as_ref());
        frames.len() > 1 && key.is_some_and(|key| key.signed_all(frames))
    }

    /// Judges an entry that came on a channel labelled `kind` and `instance`. `vouched`: its
    /// signature was found right together with others.
    pub fn judge(
        &self,
        (kind, instance): (Kind, InstanceId),
        frame: &Frame,
        leaf: &Hash,
        vouched: bool,
    ) -> Standing {
        let Entry { author, start, seq, .. } = &frame.entry;
        if (*author, *start) != (kind, instance) {
            return Standing::Refused(format!(
                "expected entries of {} {instance}, found {} {start}",
                kind.word(),
                author.word(),
            ));
        }
        let Some(known) = self.0.get(start) else {
            return match root_key(&frame.entry) {
                Some(key) if kind == Kind::Warden && frame.is_signed_by(&key) => Standing::Next,
                _ => Standing::Stranger,
            };
        };
        if known.kind != kind {
            return Standing::Refused(format!("expected an author of kind {}", known.kind.word()));
        }
        if *seq < known.next_seq {
            return known.find(*seq, leaf);
        }
        if *seq > known.next_seq {
            return Standing::Refused(format!("expected number {}, found {seq}", known.next_seq));
        }
        match vouched || known.key.as_ref().is_some_and(|key| frame.is_signed_with(key)) {
            true => Standing::Next,
            false => Standing::Refused("expected the author's signature, found another".to_owned()),
        }
    }

    /// Where the entries `first` and after of an author stand, as far as they are remembered.
    pub fn places(&self, author: InstanceId, first: u64, count: usize) -> Vec<u64> {
        let Some(author) = self.0.get(&author) else { return Vec::new() };
        let back = author.next_seq.checked_sub(first).and_then(|back| usize::try_from(back).ok());
        let from = back.and_then(|back| author.recent.len().checked_sub(back));
        from.map_or_else(Vec::new, |from| {
            author.recent.range(from..).take(count).map(|(index, _)| *index).collect()
        })
    }

    /// Whether the warden said that it has ended. It may live a moment longer, and ask.
    pub fn has_stopped(&self, author: InstanceId) -> bool {
        self.0.get(&author).is_some_and(|author| author.has_stopped)
    }

    /// Notes an entry that was judged `Next` (or read back), and what it says of other authors.
    pub fn take(&mut self, entry: &Entry, index: u64, leaf: Hash) {
        if let Some(key) = root_key(entry) {
            // A new warden: all that lived under the old one are dead.
            self.0.clear();
            self.learn(entry.start, Kind::Warden, key);
        }
        if entry.author == Kind::Warden {
            match &entry.body {
                Body::ProcessStart { instance, kind, key: Some(key), .. }
                    if *instance != entry.start =>
                {
                    self.learn(*instance, *kind, *key);
                }
                Body::ProcessStop { instance, .. } => {
                    // What it sent before it died may still stand in its channel, so it stays
                    // known; but it will resend nothing.
                    if let Some(author) = self.0.get_mut(instance) {
                        author.has_stopped = true;
                        author.recent.drain(..author.recent.len().saturating_sub(STOPPED));
                    }
                }
                _ => {}
            }
        }
        if let Some(author) = self.0.get_mut(&entry.start) {
            author.before_batch.get_or_insert(author.next_seq);
            author.next_seq = entry.seq + 1;
            author.recent.push_back((index, leaf));
            if author.recent.len() > RECENT {
                author.recent.pop_front();
            }
        }
    }

    fn learn(&mut self, start: InstanceId, kind: Kind, key: PublicKey) {
        self.0.entry(start).or_insert_with(|| Author {
            kind,
            public: key,
            key: AuthorKey::new(&key),
            next_seq: 0,
            recent: VecDeque::new(),
            has_stopped: false,
            before_batch: None,
        });
    }

    /// Everything known, for an anchor. Leaves are left out: the tiles hold them.
    pub fn save(&self, to: &mut Vec<u8>) {
        let mut authors: Vec<_> = self.0.iter().collect();
        authors.sort_by_key(|(start, _)| **start);
        number(to, authors.len() as u64);
        for (start, author) in authors {
            to.extend_from_slice(&start.0);
            number(to, author.kind.number().into());
            to.extend_from_slice(&author.public.0);
            number(to, author.next_seq);
            number(to, author.recent.len() as u64);
            author.recent.iter().for_each(|(index, _)| number(to, *index));
        }
    }

    /// Reads what `save` wrote; `leaf` finds the hashes.
    pub fn load(from: &mut Cursor, leaf: impl Fn(u64) -> Option<Hash>) -> Option<Self> {
        let mut authors = HashMap::new();
        for _ in 0..read_number(from)? {
            let start = InstanceId::from_slice(from.take(6)?)?;
            let kind = read_number(from)?;
            let kind = Kind::ALL.iter().copied().find(|one| u64::from(one.number()) == kind)?;
            let public = PublicKey(from.take(32)?.try_into().ok()?);
            let next_seq = read_number(from)?;
            let recent: Option<VecDeque<(u64, Hash)>> = (0..read_number(from)?)
                .map(|_| read_number(from).and_then(|index| Some((index, leaf(index)?))))
                .collect();
            let key = AuthorKey::new(&public);
            let recent = recent?;
            let (has_stopped, before_batch) = (false, None);
            let author = Author { kind, public, key, next_seq, recent, has_stopped, before_batch };
            authors.insert(start, author);
        }
        Some(Self(authors))
    }

    /// The batch in hand is written: its numbers are used.
    pub fn batch_written(&mut self) {
        self.0.values_mut().for_each(|author| author.before_batch = None);
    }

    /// The batch in hand is lost: its numbers are free again.
    pub fn batch_lost(&mut self) {
        for author in self.0.values_mut() {
            if let Some(before) = author.before_batch.take() {
                let lost = author.next_seq.saturating_sub(before);
                let lost = usize::try_from(lost).unwrap_or(usize::MAX);
                author.recent.truncate(author.recent.len().saturating_sub(lost));
                author.next_seq = before;
            }
        }
    }
}

impl Author {
    fn find(&self, seq: u64, leaf: &Hash) -> Standing {
        let back = usize::try_from(self.next_seq - seq).unwrap_or(usize::MAX);
        let place = self.recent.len().checked_sub(back);
        match place.and_then(|place| self.recent.get(place)) {
            Some((index, known)) if known == leaf => Standing::Known(*index),
            Some(_) => Standing::Refused(format!("number {seq} was used for another entry")),
            None => Standing::Refused(format!(
                "expected number {} or one of the newest, found {seq}",
                self.next_seq
            )),
        }
    }
}

pub(crate) fn number(to: &mut Vec<u8>, number: u64) {
    to.extend_from_slice(&number.to_be_bytes());
}

pub(crate) fn read_number(from: &mut Cursor) -> Option<u64> {
    Some(u64::from_be_bytes(from.take(8)?.try_into().ok()?))
}
