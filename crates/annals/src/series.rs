//! Whether every entry is its author's: named by the warden, numbered without a gap, signed.

use evidence::{AuthorKey, Body, Entry, Frame, PublicKey};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use terms::{InstanceId, Kind};

/// Problems that are told one by one; more are counted.
const PROBLEMS: usize = 100;
/// Signatures checked together: enough work for every processor, little memory.
const TOGETHER: usize = 16_384;
/// Signatures of one author in one equation.
const EQUATION: usize = 1_024;

/// Follows every author through a log, or through a part that begins with their names.
#[derive(Default)]
pub struct Series {
    pub checked: u64,
    authors: HashMap<InstanceId, Known>,
    /// Entries whose signatures are still to be checked, by author.
    unchecked: HashMap<InstanceId, Unchecked>,
    waiting: usize,
    next_release: Option<u64>,
    /// Only a part is here: numbers rise, but not by one.
    has_gaps: bool,
    count: u64,
    problems: Vec<String>,
}

struct Known {
    kind: Kind,
    key: Option<Arc<AuthorKey>>,
    next: u64,
}

struct Unchecked {
    key: Arc<AuthorKey>,
    frames: Vec<(u64, Vec<u8>)>,
}

impl Series {
    /// For a part of a log: some numbers are with others.
    pub fn with_gaps() -> Self {
        Self { has_gaps: true, ..Self::default() }
    }

    pub fn problem(&mut self, what: String) {
        self.count += 1;
        if self.problems.len() < PROBLEMS {
            self.problems.push(what);
        }
    }

    /// Everything that was found, and how much it was.
    pub fn finish(mut self) -> (u64, Vec<String>) {
        self.check_signatures();
        if self.count > self.problems.len() as u64 {
            self.problems.push(format!("{} problems in all", self.count));
        }
        (self.count, self.problems)
    }

    /// Takes the next entry; `None` if it cannot be read.
    pub fn check(&mut self, index: u64, bytes: &[u8]) -> Option<Entry> {
        self.checked += 1;
        let Some(frame) = Frame::parse(bytes) else {
            self.problem(format!("entry {index} cannot be read"));
            return None;
        };
        let entry = frame.entry;
        if let Some(key) = root_key(&entry) {
            self.learn(entry.start, Kind::Warden, &key);
        }
        self.follow(index, &entry, bytes);
        match &entry.body {
            Body::ProcessStart { instance, kind, key: Some(key), .. }
                if entry.author == Kind::Warden && *instance != entry.start =>
            {
                self.learn(*instance, *kind, key);
            }
            Body::Release { vault_seq, .. } => {
                let expected = self.next_release.unwrap_or(*vault_seq);
                let follows = expected == *vault_seq || self.has_gaps && expected < *vault_seq;
                if !follows {
                    self.problem(format!(
                        "entry {index}: expected release {expected}, found {vault_seq}"
                    ));
                }
                self.next_release = Some(vault_seq + 1);
            }
            _ => {}
        }
        Some(entry)
    }

    fn learn(&mut self, start: InstanceId, kind: Kind, key: &PublicKey) {
        self.authors.entry(start).or_insert_with(|| Known {
            kind,
            key: AuthorKey::new(key).map(Arc::new),
            next: 0,
        });
    }

    fn follow(&mut self, index: u64, entry: &Entry, bytes: &[u8]) {
        let Some(known) = self.authors.get_mut(&entry.start) else {
            return self.problem(format!("entry {index} is of an author whom nobody named"));
        };
        let (expected, found) = (known.next, entry.seq);
        known.next = entry.seq + 1;
        let key = known.key.clone().filter(|_| known.kind == entry.author);
        if !(expected == found || self.has_gaps && expected < found) {
            let who = entry.start;
            self.problem(format!(
                "entry {index}: expected number {expected} of {who}, found {found}"
            ));
        }
        match key {
            Some(key) => {
                let unchecked = self.unchecked.entry(entry.start);
                let unchecked = unchecked.or_insert_with(|| Unchecked { key, frames: Vec::new() });
                unchecked.frames.push((index, bytes.to_vec()));
                self.waiting += 1;
            }
            None => self.problem(format!("entry {index} is not of its author's kind")),
        }
        if self.waiting >= TOGETHER {
            self.check_signatures();
        }
    }

    /// Signatures are most of the work, so all processors share it.
    fn check_signatures(&mut self) {
        let unchecked = std::mem::take(&mut self.unchecked);
        self.waiting = 0;
        let parts: Vec<_> = unchecked
            .values()
            .flat_map(|one| one.frames.chunks(EQUATION).map(|part| (&*one.key, part)))
            .collect();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = parts.len().div_ceil(threads).max(1);
        let mut wrong: Vec<u64> = thread::scope(|scope| {
            let mut begun = Vec::new();
            for parts in parts.chunks(share) {
                let work = move || {
                    parts.iter().flat_map(|(key, part)| wrongly_signed(key, part)).collect()
                };
                begun.push((parts, scope.spawn(work)));
            }
            let mut wrong = Vec::new();
            for (parts, thread) in begun {
                match thread.join() {
                    Ok(found) => wrong.extend::<Vec<u64>>(found),
                    // What was not checked to its end was not found right.
                    Err(_) => wrong.extend(parts.iter().flat_map(|(_, part)| indices(part))),
                }
            }
            wrong
        });
        wrong.sort_unstable();
        for index in wrong {
            self.problem(format!("entry {index} is not signed by its author"));
        }
    }
}

fn indices(part: &[(u64, Vec<u8>)]) -> impl Iterator<Item = u64> {
    part.iter().map(|(index, _)| *index)
}

fn wrongly_signed(key: &AuthorKey, part: &[(u64, Vec<u8>)]) -> Vec<u64> {
    let frames: Vec<Frame> = part.iter().filter_map(|(_, bytes)| Frame::parse(bytes)).collect();
    if frames.len() == part.len() && key.signed_all(&frames) {
        return Vec::new();
    }
    let is_right =
        |bytes: &[u8]| Frame::parse(bytes).is_some_and(|frame| frame.is_signed_with(key));
    part.iter().filter(|(_, bytes)| !is_right(bytes)).map(|(index, _)| *index).collect()
}

/// The key in a warden's first entry, by which it names itself.
pub fn root_key(entry: &Entry) -> Option<PublicKey> {
    match &entry.body {
        Body::ProcessStart { instance, kind: Kind::Warden, key, .. }
            if *instance == entry.start && entry.author == Kind::Warden && entry.seq == 0 =>
        {
            *key
        }
        _ => None,
    }
}
