//! The power goes at every step of a mailbox's life: what was answered stands as it stood, once,
//! octet for octet, with its number, its flags and its folder; and steps that fail keep nothing.
//!
//! `SEKISHO_POINTS` sets how many points are tried, `SEKISHO_SEED` repeats a run.

use crate::acts::{Batch, FlagChange};
use crate::index::Index;
use crate::person::folder_id;
use crate::store::Store;
use crate::tests::{AOI, NOW, copy};
use body::Packs;
use durable::{Dice, How, Tape};
use logged::{LOGGED, Told};
use std::path::{Path, PathBuf};
use terms::{FolderId, InstanceId, Kind, LocalTime, Received};
use wire::Parcel;
use wire::ledger::Deed;
use wire::mailbox::{Copy, Place, ToAccess, ToEdge, flag};
use wire::vault::Class;

/// Short packs, so that they are begun, emptied and removed all the time.
const PACK_BYTES: u64 = 16_000;
const POINTS: usize = 700;
const ACTS: usize = 45;
/// Minutes east of UTC.
const TOKYO: i16 = 9 * 60;
const WATCHED: [&str; 2] = ["index.db", "index.db-wal"];

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = durable::scratch().join(format!("mailbox-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(folder: &Path) -> Result<Store, crate::Fault> {
    let packs = Packs::open_with(&folder.join("packs"), PACK_BYTES)?;
    let mut store = Store::with(Box::new(packs), Index::open(&folder.join("index.db"))?)?;
    store.local_time = LocalTime { turns: vec![(0, TOKYO)] };
    Ok(store)
}

fn octets(number: u32) -> Vec<u8> {
    let mut dice = Dice::new(u64::from(number));
    (0..100 + number % 17 * 90).map(|_| dice.below(256) as u8).collect()
}

fn letter(number: u32) -> Copy {
    let mut copy = copy(AOI, number, Place::Inbox);
    copy.body.content = Parcel::Inline(octets(number));
    copy
}

/// A line of a folder: uid, flags, modseq, and which letter it is.
type Line = (u32, u64, u64, u32);

/// All that a person or the ledger could see; bodies are checked on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    folders: Vec<(u32, Vec<Line>)>,
    arrived: Vec<u64>,
    forwarded: u64,
}

fn view(store: &mut Store, which: &str) -> View {
    let arrived = store.arrived.iter().map(|arrived| arrived.seq).collect();
    let mut view = View { folders: Vec::new(), arrived, forwarded: store.position.forwarded };
    for folder in 1..=6 {
        let folder = folder_id(folder);
        let Ok(ToAccess::Rows { rows, uid_next, .. }) = store.rows(AOI.user, folder, None) else {
            continue;
        };
        let uids: Vec<u32> = rows.iter().map(|row| row.uid).collect();
        let answer =
            store.fetch(AOI.user, folder, &uids, Class::Body, &mut Vec::new()).expect(which);
        let ToAccess::Parts(parts) = answer else { panic!("{which}: no parts") };
        assert_eq!(parts.len(), rows.len(), "{which}: a line without a body");
        let mut lines = Vec::new();
        for (row, (uid, message, part)) in rows.iter().zip(parts) {
            let number = u32::from_be_bytes(message.0[..4].try_into().unwrap());
            assert_eq!(part.content.open(&[]).unwrap(), octets(number), "{which}: {number}");
            assert_eq!(uid, row.uid);
            let received = Received::new(NOW + u64::from(number), TOKYO);
            assert_eq!(row.received, received, "{which}: {number}");
            lines.push((row.uid, row.flags, row.modseq, number));
        }
        view.folders.push((uid_next, lines));
    }
    view
}

struct Life {
    store: Store,
    told: Told,
    next: u32,
    /// What could be seen after each commit.
    history: Vec<View>,
}

impl Life {
    fn begin(folder: &Path) -> Self {
        let mut store = open(folder).unwrap();
        store.folders(AOI, NOW).unwrap();
        store.commit().unwrap();
        let mut told = Told::new(Kind::Mailbox, store.runs.clone(), store.next_record());
        while !told.rounds.has_begun() {
            told.tell(&store.arrived);
            if let Some(runs) = told.rounds.begin(&store.arrived, store.next_record()) {
                store.note(runs).unwrap();
                store.commit().unwrap();
                told.rounds.begun();
            }
        }
        let history = vec![view(&mut store, "at first")];
        durable::said(0);
        Self { store, told, next: 1, history }
    }

    fn commit(&mut self) {
        if self.store.has_staged() {
            self.store.commit().unwrap();
            durable::said(self.history.len() as u64);
            self.history.push(view(&mut self.store, "while it lives"));
        }
    }

    fn arrive(&mut self, dice: &mut Dice) {
        let batches = (0..=dice.below(2)).map(|_| {
            let copies = (0..=dice.below(2)).map(|_| {
                self.next += 1;
                letter(self.next)
            });
            Batch { copies: copies.collect(), descriptors: Vec::new() }
        });
        let batches: Vec<Batch> = batches.collect();
        let kept = self.store.keep(InstanceId([5; 6]), &batches, &[], NOW).unwrap();
        assert!(matches!(kept, ToEdge::Kept));
    }

    fn some_uids(&mut self, folder: FolderId, dice: &mut Dice) -> Vec<u32> {
        let Ok(ToAccess::Rows { rows, .. }) = self.store.rows(AOI.user, folder, None) else {
            return Vec::new();
        };
        rows.iter().map(|row| row.uid).filter(|_| dice.once_in(3)).collect()
    }

    fn act(&mut self, dice: &mut Dice) {
        let user = AOI.user;
        let folder = folder_id(1 + dice.below(3) as u32);
        let uids = self.some_uids(folder, dice);
        match dice.below(14) {
            0..4 => self.arrive(dice),
            4 => {
                // Refused by its keeper when some of it was staged.
                self.arrive(dice);
                self.store.fail();
            }
            5 | 6 => {
                let add = [flag::SEEN, flag::FLAGGED, flag::DELETED][dice.below(3)];
                let (remove, replace, unchanged_since) = (0, false, None);
                let change = FlagChange { uids, add, remove, replace, unchanged_since };
                self.store.store_flags(user, folder, &change).unwrap();
            }
            7 => {
                let (add, remove, replace, unchanged_since) = (flag::DELETED, 0, false, None);
                let change = FlagChange { uids, add, remove, replace, unchanged_since };
                self.store.store_flags(user, folder, &change).unwrap();
                self.commit();
                self.store.expunge(user, folder, None).unwrap();
            }
            8 | 9 => {
                let to = folder_id(1 + dice.below(3) as u32);
                self.store.copy_to(user, (folder, to), &uids, dice.once_in(2), &[]).unwrap();
            }
            10 => {
                if let Some(before) = self.told.tell(&self.store.arrived) {
                    self.store.forwarded(before, self.told.rounds.runs()).unwrap();
                }
                self.commit();
                if dice.once_in(2) {
                    self.store.mark(NOW).unwrap();
                }
            }
            11 => self.store.settle().unwrap(),
            12 => self.store.checkpoint().unwrap(),
            _ => drop(self.store.compact(6_000).unwrap()),
        }
        self.commit();
    }
}

fn check(
    folder: &Path,
    told: &[u64],
    (history, log): &(Vec<View>, Vec<Deed>),
    which: &str,
    dice: &mut Dice,
) {
    let mut store = open(folder).expect(which);
    let found = view(&mut store, which);
    // Numbers of arrivals that failed are used up.
    let next = store.next_record();
    let standing = (next, (next - store.position.forwarded) as usize);
    logged::compare(store.runs.as_ref(), standing, told, (log, which));
    let Some(promised) = told.iter().filter(|said| **said < LOGGED).max() else { return };
    let mut allowed = history.iter().skip(*promised as usize).take(2);
    assert!(
        allowed.any(|one| *one == found),
        "{which}: promised {promised}\n{:?}\nthen\n{:?}\nfound\n{found:?}",
        history[*promised as usize],
        history.get(*promised as usize + 1),
    );
    if dice.once_in(4) {
        // It goes on, and what it keeps now is there after one more start.
        let batch = Batch { copies: vec![letter(9_999)], descriptors: Vec::new() };
        store.keep(InstanceId([5; 6]), &[batch], &[], NOW).expect(which);
        store.commit().expect(which);
        let now = view(&mut store, which);
        drop(store);
        assert_eq!(view(&mut open(folder).expect(which), which), now, "{which}: once more");
    }
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn every_point_of_a_crash_keeps_what_was_answered() {
    let wanted = number("SEKISHO_POINTS", POINTS);
    let mut seed = number("SEKISHO_SEED", 1) as u64;
    let mut points = 0;
    while points < wanted {
        let mut dice = Dice::new(seed);
        let folder = Folder::new("crash-life");
        let (tape, life) = Tape::record(&folder.0, &WATCHED, || {
            let mut life = Life::begin(&folder.0);
            (0..ACTS).for_each(|_| life.act(&mut dice));
            (life.history, life.told.log)
        });
        for point in 0..=tape.points() {
            let how = if dice.once_in(3) { How::Killed } else { How::PowerCut };
            let left = Folder::new("crash-left");
            tape.survive(point, how, &mut dice, &left.0).unwrap();
            let which = format!("SEKISHO_SEED={seed}, step {point}, {how:?}");
            check(&left.0, &tape.said(point), &life, &which, &mut dice);
            points += 1;
        }
        seed += 1;
    }
    println!("crash points: mailbox {points}");
}

/// A disk that is full from any step on, for a while: what was refused was not kept, reading goes
/// on, and when there is room again everything is as if nothing had been.
#[test]
fn every_step_may_find_a_full_disk() {
    let mut refused = 0;
    for seed in 0..number("SEKISHO_POINTS", POINTS) as u64 / 10 {
        let mut dice = Dice::new(seed);
        let folder = Folder::new("full-life");
        let mut life = Life::begin(&folder.0);
        for _ in 0..12 {
            life.act(&mut dice);
        }
        durable::failing(dice.below(6), 1 + dice.below(5));
        for _ in 0..8 {
            let before = view(&mut life.store, "before");
            life.arrive_or_not(&mut dice, &before, &mut refused);
        }
        durable::failing(0, 0);
        for _ in 0..4 {
            life.arrive(&mut dice);
            life.commit();
        }
        let now = view(&mut life.store, "there is room again");
        drop(life);
        assert_eq!(view(&mut open(&folder.0).unwrap(), "again"), now, "seed {seed}");
    }
    println!("full disk: {refused} arrivals refused");
    assert!(refused > 0);
}

impl Life {
    fn arrive_or_not(&mut self, dice: &mut Dice, before: &View, refused: &mut usize) {
        self.next += 1;
        let batch = Batch { copies: vec![letter(self.next)], descriptors: Vec::new() };
        let kept = self.store.keep(InstanceId([5; 6]), &[batch], &[], NOW);
        let kept = kept.and_then(|_| self.store.commit());
        match kept {
            Ok(_) => assert_ne!(view(&mut self.store, "kept"), *before),
            Err(fault) => {
                self.store.fail();
                assert!(fault.is_full(), "{}", fault.story());
                *refused += 1;
                assert_eq!(view(&mut self.store, "refused"), *before);
            }
        }
        if dice.once_in(3) {
            // The index has a disk of its own here; what the log cannot give back waits.
            let _ = self.store.settle();
            let _ = self.store.checkpoint();
        }
    }
}
