//! The power goes at every step of the ledger's and the mirror's files, here, there or in both
//! houses: whatever was answered stands in both logs octet for octet, releases are numbered
//! without a gap, both tell one history, and nothing was released without an entry.
//!
//! `SEKISHO_POINTS` sets how many points are tried, `SEKISHO_SEED` repeats a run.

use crate::book::{Book, Out};
use crate::memory::Memory;
use crate::tests::{NOW, VAULT, WARDEN, label, release, signer, start_of, trust};
use annals::Segments;
use durable::{Dice, How, Tape};
use evidence::{Author, Body, Frame, Word};
use mirror::Copy;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use terms::{InstanceId, Kind};
use tlog::{Cosigner, MIRROR_NAME, Store, leaf_hash};
use wire::Label;
use wire::ledger::{FromLedger, FromMirror, ToLedger, ToMirror};

const POINTS: usize = 900;
const ACTS: usize = 24;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = durable::scratch().join(format!("ledger-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("ledger")).unwrap();
        std::fs::create_dir_all(path.join("mirror")).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open_book(folder: &Path, now_ms: u64) -> Result<Book<Segments>, String> {
    let volumes = Segments::volumes(&folder.join("ledger")).map_err(|fault| fault.to_string())?;
    let own = signer().verifier();
    let mut memory = Memory::default();
    let (store, opened) = Store::open(
        volumes,
        None,
        |signed| signed.note.is_signed_by(&own),
        |index, bytes| {
            memory.learn(&Frame::parse(bytes).unwrap().entry, index, leaf_hash(bytes));
        },
    )
    .map_err(|fault| fault.to_string())?;
    match opened.damage {
        Some(what) => Err(format!("the ledger counts a torn tail as damage: {what}")),
        None => Ok(Book::new(store, signer(), memory, 0, now_ms)),
    }
}

fn open_copy(folder: &Path) -> Result<Copy<Segments>, String> {
    let volumes = Segments::volumes(&folder.join("mirror")).map_err(|fault| fault.to_string())?;
    let cosigner = Cosigner::new(MIRROR_NAME, &[8; 32]).unwrap();
    let (copy, opened) = Copy::open(volumes, None, cosigner, Some(signer().verifier()))
        .map_err(|fault| fault.to_string())?;
    match opened.damage {
        Some(what) => Err(format!("the mirror counts a torn tail as damage: {what}")),
        None => Ok(copy),
    }
}

/// What was said by the house, in the order of saying.
#[derive(Default)]
struct Said {
    /// Frames that stand at this index, as their author was told.
    taken: Vec<(u64, Vec<u8>)>,
    /// Numbers of releases after whose proof a plaintext left the vault.
    released: Vec<u64>,
}

const TAKEN: u64 = 1 << 40;

struct Evidence {
    book: Book<Segments>,
    copy: Copy<Segments>,
    is_silent: bool,
    now_ms: u64,
    calls: u32,
    answers: Vec<(u32, FromLedger)>,
    alarms: Vec<String>,
    said: Said,
}

impl Evidence {
    fn open(folder: &Path, now_ms: u64) -> Result<Self, String> {
        let mut this = Self {
            book: open_book(folder, now_ms)?,
            copy: open_copy(folder)?,
            is_silent: false,
            now_ms,
            calls: 0,
            answers: Vec::new(),
            alarms: Vec::new(),
            said: Said::default(),
        };
        this.book.mirror_joined(now_ms);
        this.settle();
        Ok(this)
    }

    /// Lets time pass, and everybody act until nothing moves.
    fn settle(&mut self) {
        for _ in 0..30 {
            self.now_ms += 100;
            self.book.tick(self.now_ms).unwrap();
            if self.book.is_due(self.now_ms) {
                self.book.write(self.now_ms).unwrap();
                self.carry();
                self.book.flush(self.now_ms).unwrap();
            }
            self.book.settle(self.now_ms).unwrap();
            self.carry();
        }
    }

    fn carry(&mut self) {
        for out in self.book.take_out() {
            match out {
                Out::Answer(_, call, answer) => self.answers.push((call, answer)),
                Out::Alarm(what) => self.alarms.push(what),
                Out::Note(_) => {}
                Out::Mirror(message) if !self.is_silent => self.tell_mirror(message),
                Out::Mirror(_) => {}
            }
        }
    }

    fn tell_mirror(&mut self, message: ToMirror) {
        let size = self.copy.size();
        let said = match message {
            ToMirror::Standing => FromMirror::Standing { size, lost: Vec::new() },
            ToMirror::Fetch { from_index } => FromMirror::Leaves {
                first_index: from_index,
                leaves: self.copy.leaves(from_index, 3, 4_096).unwrap(),
                checkpoint: self.copy.checkpoint(),
            },
            ToMirror::Add { first_index, leaves, checkpoint } => {
                match self.copy.add(first_index, &leaves, &checkpoint) {
                    Err(why) => FromMirror::Refused { size, why: why.to_string() },
                    Ok(()) => {
                        let (size, line) = self.copy.commit(NOW / 1_000).unwrap().unwrap();
                        FromMirror::Cosigned { size, cosignature: line.to_line().into_bytes() }
                    }
                }
            }
        };
        self.book.mirror_says(said, self.now_ms).unwrap();
        self.carry();
    }

    /// Hands frames in; their indices when they were taken, or proved under both signatures.
    fn say(&mut self, label: &Label, entries: &[Vec<u8>], prove: bool) -> Option<Vec<u64>> {
        self.calls += 1;
        let (call, peer) = (self.calls, u64::from(label.instance.0[0]));
        let question = ToLedger::Append { entries: entries.to_vec(), prove };
        self.book.asked(peer, call, label, question, self.now_ms);
        self.settle();
        let place = self.answers.iter().position(|answer| answer.0 == call)?;
        match self.answers.remove(place).1 {
            FromLedger::Taken { first_index } => {
                Some((first_index..).take(entries.len()).collect())
            }
            FromLedger::Proved { proofs, checkpoint } => {
                let trusted = trust().read(&checkpoint).unwrap();
                for (proof, frame) in proofs.iter().zip(entries) {
                    assert!(trusted.proves(frame, proof.index, &proof.hashes));
                }
                Some(proofs.iter().map(|proof| proof.index).collect())
            }
            _ => None,
        }
    }

    fn promise(&mut self, indices: &[u64], frames: &[Vec<u8>]) {
        for (index, frame) in indices.iter().zip(frames) {
            durable::said(TAKEN | self.said.taken.len() as u64);
            self.said.taken.push((*index, frame.clone()));
        }
    }

    /// The number that the next release takes, as a vault learns it at its start.
    fn next_release(&mut self) -> u64 {
        let (mut from_index, mut last) = (0, None);
        loop {
            self.calls += 1;
            let question = ToLedger::Releases { since_ms: 0, from_index };
            let vault = label(Kind::Vault, VAULT);
            self.book.asked(2, self.calls, &vault, question, self.now_ms);
            self.carry();
            let (_, answer) = self.answers.pop().unwrap();
            let FromLedger::Releases { entries, next } = answer else { panic!("no releases") };
            for entry in &entries {
                let Body::Release { vault_seq, .. } = Frame::parse(entry).unwrap().entry.body
                else {
                    panic!("no release")
                };
                last = last.max(Some(vault_seq));
            }
            match next {
                Some(next) => from_index = next,
                None => return last.map_or(0, |last| last + 1),
            }
        }
    }
}

/// The authors of one start of the house.
struct Authors {
    warden: (Author, Label),
    vault: (Author, Label),
}

impl Authors {
    /// Named by the warden, which names itself.
    fn begin(evidence: &mut Evidence, start: u8) -> Self {
        let one = |kind, base: InstanceId| {
            let mut instance = base;
            instance.0[5] = start;
            let seed = [base.0[0].wrapping_add(start.wrapping_mul(16)); 32];
            (Author::new(kind, instance, &seed), label(kind, instance))
        };
        let (mut warden, vault) = (one(Kind::Warden, WARDEN), one(Kind::Vault, VAULT));
        let root = start_of(&warden.0, Kind::Warden);
        let other = start_of(&vault.0, Kind::Vault);
        let frames = [root, other].map(|body| warden.0.sign(NOW, body).unwrap());
        // A start that found no mirror says so; the next one names itself again.
        if let Some(indices) = evidence.say(&warden.1, &frames, false) {
            evidence.promise(&indices, &frames);
        }
        Self { warden, vault }
    }

    /// Releases as the vault does them: numbered, recorded, proved, and only then done.
    fn release(&mut self, evidence: &mut Evidence, next: &mut u64, count: usize) {
        let numbers: Vec<u64> = (*next..).take(count).collect();
        let sign = |number: &u64| self.vault.0.sign(NOW, release(*number)).unwrap();
        let frames: Vec<Vec<u8>> = numbers.iter().map(sign).collect();
        *next += count as u64;
        // A frame once signed is sent until the ledger has it; the deed may be given up.
        for _ in 0..8 {
            if let Some(indices) = evidence.say(&self.vault.1, &frames, true) {
                for number in numbers {
                    durable::said(number);
                    evidence.said.released.push(number);
                }
                return evidence.promise(&indices, &frames);
            }
            evidence.is_silent = false;
            evidence.book.mirror_joined(evidence.now_ms);
            evidence.settle();
        }
        panic!("evidence never came back");
    }

    fn note(&mut self, evidence: &mut Evidence) {
        let (call, what) = (Word::new("ptrace"), Word::new("denied"));
        let body = Body::Alarm { instance: WARDEN, kind: Kind::Edge, pid: 1, call, what };
        let frames = vec![self.warden.0.sign(NOW, body).unwrap()];
        if let Some(indices) = evidence.say(&self.warden.1, &frames, false) {
            evidence.promise(&indices, &frames);
        }
    }
}

fn live(folder: &Path, dice: &mut Dice) -> Said {
    let mut evidence = Evidence::open(folder, NOW).unwrap();
    let mut authors = Authors::begin(&mut evidence, 0);
    let mut next = 0;
    for _ in 0..ACTS {
        match dice.below(8) {
            0..5 => authors.release(&mut evidence, &mut next, 1 + dice.below(4)),
            5 | 6 => authors.note(&mut evidence),
            _ => {
                evidence.is_silent = !evidence.is_silent;
                evidence.book.mirror_joined(evidence.now_ms);
                evidence.settle();
            }
        }
    }
    assert!(evidence.alarms.is_empty(), "{:?}", evidence.alarms);
    evidence.said
}

fn leaves(evidence: &Evidence) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let most = 1 << 20;
    let ledger = evidence.book.store.entries(0, most, usize::MAX).unwrap();
    (ledger, evidence.copy.leaves(0, most, usize::MAX).unwrap())
}

/// How often each number stands among the leaves.
fn numbers(leaves: &[Vec<u8>]) -> BTreeMap<u64, usize> {
    let mut times = BTreeMap::new();
    for leaf in leaves {
        if let Body::Release { vault_seq, .. } = Frame::parse(leaf).unwrap().entry.body {
            *times.entry(vault_seq).or_default() += 1;
        }
    }
    times
}

fn check(folder: &Path, told: &[u64], said: &Said, which: &str) {
    let mut evidence = Evidence::open(folder, NOW + 3_600_000).expect(which);
    // The house goes on with new authors; what it says now must be provable.
    let mut authors = Authors::begin(&mut evidence, 1);
    let mut next = evidence.next_release();
    authors.release(&mut evidence, &mut next, 2);
    evidence.settle();
    let forks = |alarm: &&String| !alarm.contains("came back");
    assert_eq!(evidence.alarms.iter().find(forks), None, "{which}");
    let (ledger, mirror) = leaves(&evidence);
    assert_eq!(ledger, mirror, "{which}: two histories");
    for one in told.iter().filter(|one| **one & TAKEN != 0) {
        let (index, frame) = &said.taken[(one & !TAKEN) as usize];
        assert_eq!(ledger.get(*index as usize), Some(frame), "{which}: {index} was taken");
    }
    let times = numbers(&ledger);
    for number in told.iter().filter(|one| **one & TAKEN == 0) {
        assert!(times.contains_key(number), "{which}: {number} was released without an entry");
    }
    let expected: BTreeMap<u64, usize> = (0..next).map(|number| (number, 1)).collect();
    assert_eq!(times, expected, "{which}: a gap, or a number twice");
}

/// Lays out what is left when the ledger's machine, the mirror's, or both lose their power.
fn lay(tape: &Tape, point: usize, dice: &mut Dice, into: &Path) -> &'static str {
    let (who, which) =
        [("ledger", "the ledger's"), ("mirror", "the mirror's"), ("", "both")][dice.below(3)];
    tape.survive(point, How::Killed, &mut dice.clone(), into).unwrap();
    let cut = Folder::new("crash-cut");
    tape.survive(point, How::PowerCut, dice, &cut.0).unwrap();
    for house in ["ledger", "mirror"] {
        if who == house || who.is_empty() {
            let place = into.join(house);
            std::fs::remove_dir_all(&place).unwrap();
            std::fs::rename(cut.0.join(house), place).unwrap();
        }
    }
    which
}

#[test]
fn every_point_of_a_crash_keeps_one_history_and_every_release() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let wanted = number("SEKISHO_POINTS").unwrap_or(POINTS);
    let mut seed = number("SEKISHO_SEED").unwrap_or(1) as u64;
    let (mut points, mut releases) = (0, 0);
    while points < wanted {
        let mut dice = Dice::new(seed);
        let folder = Folder::new("crash-life");
        let (tape, said) = Tape::record(&folder.0, &[], || live(&folder.0, &mut dice));
        for point in 0..=tape.points() {
            let left = Folder::new("crash-left");
            let whose = lay(&tape, point, &mut dice, &left.0);
            let which = format!("SEKISHO_SEED={seed}, step {point}, {whose} power");
            let told = tape.said(point);
            releases += told.iter().filter(|one| **one & TAKEN == 0).count();
            check(&left.0, &told, &said, &which);
            points += 1;
        }
        seed += 1;
    }
    println!("crash points: ledger and mirror {points}");
    println!("{releases} releases looked for after a crash, each has its entry");
}
