//! The power goes at every step: what was committed is there octet for octet, what was abandoned
//! is not, and notes come back as a prefix of what was staged.
//!
//! `SEKISHO_POINTS` sets how many points are tried, `SEKISHO_SEED` repeats a run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod cases;

use body::{Bodies, Content, Key, Mark, Owner, Packs, Place};
use cases::{Folder, bytes, whole};
use durable::{Dice, How, Tape};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Short packs, so that they are begun, emptied and removed all the time.
const PACK_BYTES: u64 = 24_000;
const POINTS: usize = 1_200;
/// Acts of one load.
const ACTS: usize = 60;

type Index = BTreeMap<u64, Place>;

/// What the keeper knows, as a note tells it: id, and where it lies (or that it is gone).
fn note(changes: &[(u64, Option<Place>)]) -> Vec<u8> {
    let mut note = Vec::new();
    for (id, place) in changes {
        let Place { at, length } = place.unwrap_or(Place { at: 0, length: 0 });
        note.extend([id.to_le_bytes(), at.to_le_bytes(), u64::from(length).to_le_bytes()].concat());
    }
    note
}

fn follow(index: &mut Index, note: &[u8]) {
    for change in note.chunks_exact(24) {
        let number =
            |place: usize| u64::from_le_bytes(change[place..place + 8].try_into().unwrap());
        let place = Place { at: number(8), length: u32::try_from(number(16)).unwrap() };
        match place.at {
            0 => index.remove(&number(0)),
            _ => index.insert(number(0), place),
        };
    }
}

fn content(id: u64) -> Vec<u8> {
    bytes(id, 40 + usize::try_from(id * 7_919 % 3_000).unwrap())
}

/// The keeper of one load, and everything that it ever promised.
struct Keeper {
    store: Packs,
    next: u64,
    /// The index after each note that was staged; the first `durable` are promised.
    history: Vec<Index>,
    durable: usize,
    /// Index and mark at each `forget`.
    settled: Vec<(usize, Mark)>,
    /// What each batch told that was abandoned: it may stand until that is done.
    abandoned: Vec<Vec<Index>>,
    mark: Mark,
}

struct Living<'a>(&'a Index, Vec<(u64, Option<Place>)>);

impl Owner for Living<'_> {
    fn is_live(&mut self, key: Key, place: Place) -> bool {
        self.0.get(&key.id) == Some(&place)
    }

    fn moved(&mut self, key: Key, _from: Place, to: Place) {
        self.1.push((key.id, Some(to)));
    }
}

impl Keeper {
    fn open(folder: &Path) -> Self {
        let mut store = Packs::open_with(folder, PACK_BYTES).unwrap();
        let mark = store.replay(Mark(0), &mut |_, _| panic!("an empty folder")).unwrap();
        let history = vec![Index::new()];
        Self {
            store,
            next: 1,
            history,
            durable: 1,
            settled: vec![(0, mark)],
            abandoned: Vec::new(),
            mark,
        }
    }

    fn now(&self) -> &Index {
        self.history.last().unwrap()
    }

    fn stage(&mut self, changes: &[(u64, Option<Place>)]) {
        let note = note(changes);
        self.store.note(&note).unwrap();
        let mut index = self.now().clone();
        follow(&mut index, &note);
        self.history.push(index);
    }

    fn commit(&mut self) {
        self.mark = self.store.commit().unwrap();
        self.durable = self.history.len();
        durable::said(self.durable as u64);
    }

    fn put(&mut self, dice: &mut Dice, folder: &Path) {
        let id = self.next;
        self.next += 1;
        let octets = content(id);
        let key = Key { id, part: 1 };
        let place = if dice.once_in(3) {
            let path = folder.join("parcel");
            std::fs::write(&path, &octets[10..]).unwrap();
            let length = u32::try_from(octets.len() - 10).unwrap();
            let file = File::open(path).unwrap();
            self.store.put(key, Content::File { front: &octets[..10], file: &file, length })
        } else {
            self.store.put(key, Content::Pieces(&[&octets[..20], &octets[20..]]))
        };
        self.stage(&[(id, Some(place.unwrap()))]);
    }

    fn delete(&mut self, dice: &mut Dice) {
        let count = self.now().len();
        let Some((id, place)) = self.now().iter().nth(dice.below(count)).map(|(a, b)| (*a, *b))
        else {
            return;
        };
        self.stage(&[(id, None)]);
        self.commit();
        self.store.delete(place).unwrap();
    }

    fn forget(&mut self) {
        // The index was written down first; that is what `forget` relies on.
        self.settled.push((self.durable - 1, self.mark));
        durable::said(1 << 32 | (self.settled.len() as u64 - 1));
        self.store.forget(self.mark).unwrap();
    }

    fn compact(&mut self) {
        let index = self.now().clone();
        let mut living = Living(&index, Vec::new());
        if self.store.compact(8_000, &mut living).unwrap() {
            let Living(_, moved) = living;
            self.stage(&moved);
            self.commit();
            self.forget();
        }
    }

    /// One act, as chance has it.
    fn act(&mut self, dice: &mut Dice, aside: &Path) {
        match dice.below(12) {
            0..5 => {
                (0..=dice.below(4)).for_each(|_| self.put(dice, aside));
                self.commit();
            }
            5..8 => self.delete(dice),
            8 => {
                (0..=dice.below(3)).for_each(|_| self.put(dice, aside));
                self.store.abandon();
                self.abandoned.push(self.history.split_off(self.durable));
                durable::said(2 << 32);
            }
            9 => self.forget(),
            _ => self.compact(),
        }
    }
}

/// What survived must hold everything that was promised, and tell no other story.
fn check(folder: &Path, told: &[u64], keeper: &Keeper, which: &str) {
    let promised = told.iter().filter(|one| **one >> 32 == 0).max().copied().unwrap_or(1) as usize;
    let written = told.iter().filter(|one| **one >> 32 == 1).max().map_or(0, |one| *one as u32);
    let (known, mark) = keeper.settled[written as usize];
    let mut index = keeper.history[known].clone();
    let mut store = Packs::open_with(folder, PACK_BYTES).expect(which);
    let replayed = store.replay(mark, &mut |at, note| {
        assert!(at > mark, "{which}: a note that was forgotten");
        follow(&mut index, note);
    });
    replayed.expect(which);
    let refused = told.iter().filter(|one| **one >> 32 == 2).count();
    let on_its_way = keeper.abandoned.get(refused).into_iter().flatten();
    let is_known = keeper.history[promised - 1..].iter().chain(on_its_way).any(|one| *one == index);
    assert!(is_known, "{which}: {promised} notes promised, and another story is told: {index:?}");
    for (id, place) in &index {
        assert_eq!(whole(&mut store, *place), content(*id), "{which}: {id}");
    }
    // It goes on.
    let place = store.put(Key { id: 9_999, part: 1 }, Content::Pieces(&[b"on"])).unwrap();
    store.note(&note(&[(9_999, Some(place))])).unwrap();
    store.commit().expect(which);
    drop(store);
    follow(&mut index, &note(&[(9_999, Some(place))]));
    let mut again = keeper.history[known].clone();
    let mut store = Packs::open_with(folder, PACK_BYTES).expect(which);
    store.replay(mark, &mut |_, note| follow(&mut again, note)).expect(which);
    assert_eq!(again, index, "{which}: after one more start");
}

#[test]
fn every_point_of_a_crash_keeps_what_was_committed() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let wanted = number("SEKISHO_POINTS").unwrap_or(POINTS as u64) as usize;
    let first = number("SEKISHO_SEED").unwrap_or(1);
    let place = durable::scratch();
    let (mut points, mut seed) = (0, first);
    while points < wanted {
        let mut dice = Dice::new(seed);
        let folder = Folder::within(&place, "crash-load");
        let aside = Folder::within(&place, "crash-aside");
        let (tape, keeper) = Tape::record(&folder.0, &[], || {
            let mut keeper = Keeper::open(&folder.0);
            (0..ACTS).for_each(|_| keeper.act(&mut dice, &aside.0));
            keeper
        });
        for point in 0..=tape.points() {
            let how = if dice.once_in(3) { How::Killed } else { How::PowerCut };
            let left = Folder::within(&place, "crash-left");
            tape.survive(point, how, &mut dice, &left.0).unwrap();
            let which = format!("SEKISHO_SEED={seed}, step {point}, {how:?}");
            check(&left.0, &tape.said(point), &keeper, &which);
            points += 1;
        }
        seed += 1;
    }
    println!("crash points: body {points}");
}
