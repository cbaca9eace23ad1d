//! Whom the ledger believes: every start of an author has one key and one series without a gap.
//! The warden is the root: it enters the keys of all others.

use evidence::{AuthorKey, Body, Entry, Frame, PublicKey};
use std::collections::{HashMap, VecDeque};
use terms::{InstanceId, Kind};
use tlog::Hash;

/// Entries of one author that a resend is recognised among; more than an outbox holds.
const RECENT: usize = 8_192;
/// What is left of them when an author has stopped.
const STOPPED: usize = 64;

struct Author {
    kind: Kind,
    /// `None`: the key it was named with is none, and nothing is believed.
    key: Option<AuthorKey>,
    next_seq: u64,
    /// Index and leaf of the newest entries; the last of them has number `next_seq - 1`.
    recent: VecDeque<(u64, Hash)>,
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
    /// Judges an entry that came on a channel labelled `kind` and `instance`.
    pub fn judge(&self, kind: Kind, instance: InstanceId, frame: &Frame, leaf: &Hash) -> Standing {
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
        match known.key.as_ref().is_some_and(|key| frame.is_signed_with(key)) {
            true => Standing::Next,
            false => Standing::Refused("expected the author's signature, found another".to_owned()),
        }
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
            key: AuthorKey::new(&key),
            next_seq: 0,
            recent: VecDeque::new(),
            before_batch: None,
        });
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

/// The key in a warden's first entry, by which it names itself.
pub(crate) fn root_key(entry: &Entry) -> Option<PublicKey> {
    match &entry.body {
        Body::ProcessStart { instance, kind: Kind::Warden, key, .. }
            if *instance == entry.start && entry.author == Kind::Warden && entry.seq == 0 =>
        {
            *key
        }
        _ => None,
    }
}
