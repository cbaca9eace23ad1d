//! The power goes at every step of a queue's life: every message that was answered for is there,
//! with its octets, its state and its hold; what was over stays over and leaves no second time;
//! what the ledger and `trace` are told follows, and steps that fail keep nothing.
//!
//! `SEKISHO_POINTS` sets how many points are tried, `SEKISHO_SEED` repeats a run.

use crate::Store;
use crate::entry::Way;
use crate::senders::Senders;
use crate::table::{Hand, Telling, is_over, seconds};
use body::Packs;
use durable::{Dice, How, Tape};
use logged::{LOGGED, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use terms::{InstanceId, Kind, MessageId, TenantId, UserId};
use wire::Parcel;
use wire::ledger::Deed;
use wire::mailbox::SealedPart;
use wire::post::*;

/// Short packs, so that they are begun, emptied and removed all the time.
const PACK_BYTES: u64 = 16_000;
const POINTS: usize = 600;
const ACTS: usize = 45;
const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600 * 1_000;
const DEPART: InstanceId = InstanceId([9; 6]);
const DISPATCH: InstanceId = InstanceId([8; 6]);
const TENANTS: u8 = 3;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = durable::scratch().join(format!("post-{name}-{}", std::process::id()));
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

fn open(folder: &Path, now_ms: u64) -> Result<Store, crate::Fault> {
    let packs = Packs::open_with(&folder.join("packs"), PACK_BYTES)?;
    let bounds = Bounds { free_bytes: 0, ..Bounds::default() };
    Store::with(Box::new(packs), folder, bounds, now_ms)
}

fn id(number: u64) -> MessageId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    MessageId(id)
}

fn user(number: u64) -> UserId {
    UserId([(number % 5) as u8; 8])
}

fn tenant(number: u64) -> TenantId {
    TenantId([(number % u64::from(TENANTS)) as u8; 8])
}

fn sealed(text: String) -> SealedPart {
    SealedPart { epoch: 3, wrapped: vec![7; 40], content: Parcel::Inline(text.into_bytes()) }
}

fn words(part: &SealedPart) -> String {
    let Parcel::Inline(content) = &part.content else { panic!("inline") };
    String::from_utf8(content.clone()).unwrap()
}

/// Of different lengths: packs end in the middle of some.
fn body(message: MessageId) -> String {
    let number = message.0[15];
    format!("body {message} ").repeat(1 + usize::from(number % 13) * 2)
}

fn letter(number: u64, dice: &mut Dice, at_ms: u64) -> Outgoing {
    let leg = |place: usize| Leg {
        number: place as u16,
        route: Route([dice.below(9) as u8; 16]),
        recipients: 1 + dice.below(3) as u16,
        envelope: sealed(format!("envelope {number} {place}")),
    };
    let legs = (0..=number as usize % 3).map(leg).collect();
    let until_ms = at_ms + HOUR;
    let hold = match dice.below(5) {
        0 => Some(Hold { until_ms, then: AtEnd::Return }),
        1 => Some(Hold { until_ms, then: AtEnd::Send }),
        _ => None,
    };
    Outgoing {
        tenant: tenant(number),
        user: user(number),
        message: id(number),
        size: 1_000,
        at_ms,
        expires_ms: at_ms + 120 * HOUR,
        hold,
        body: sealed(body(id(number))),
        legs,
    }
}

/// A leg: its number, state, clock, recipients, attempts, what was settled, and its envelope.
type LegRow = (u16, State, u32, u16, u8, (u16, u16), bool, String);

/// All that anybody can see of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    legs: Vec<LegRow>,
    hold: Option<(u32, bool)>,
    decided: Option<Decided>,
    is_own: bool,
    /// What the ledger is still to be told.
    told: Vec<(u64, Way, u32)>,
    /// How it ended.
    past: Option<(u16, u16, Option<Decided>, Vec<(u16, State, u16, u16)>)>,
}

#[derive(Clone, Default)]
struct View {
    now_ms: u64,
    rows: BTreeMap<MessageId, Row>,
    counts: [Senders; 2],
    next_seq: u64,
}

fn view(store: &mut Store, up_to: u64, now_ms: u64) -> View {
    let mut rows = BTreeMap::new();
    for message in (0..=up_to).map(id) {
        let mut row = Row::default();
        let of_it = store.table.passed.iter().filter(|one| one.message == message);
        row.told = of_it.map(|one| (one.seq, one.way, one.recipients)).collect();
        match store.table.slot(message) {
            Some(slot) => shown(store, slot, &mut row),
            None => {
                row.past = store.find_past(message).map(|past| {
                    let legs = store.find_ended_legs(&past);
                    let legs = legs.iter().map(|end| (end.leg, end.state, end.sent, end.not_sent));
                    (past.legs_sent, past.legs_not_sent, past.decided, legs.collect())
                });
            }
        }
        if row != Row::default() {
            rows.insert(message, row);
        }
    }
    let table = &store.table;
    assert!(table.by_id.keys().all(|message| rows.contains_key(message)), "a stranger's message");
    let counts = [table.senders.clone(), table.relayed.clone()];
    View { now_ms, rows, counts, next_seq: table.next_seq }
}

fn shown(store: &mut Store, slot: u32, row: &mut Row) {
    let message = store.table.message(slot).unwrap().clone();
    (row.hold, row.decided) = (message.hold, message.decided);
    row.is_own = message.hand == Hand::Own;
    for slot in store.table.legs_of(slot) {
        let leg = store.table.leg(slot).unwrap().clone();
        let envelope = if is_over(leg.state) {
            String::new()
        } else {
            let (envelope, text) = store.load(slot, 10_000, &mut Vec::new()).unwrap().unwrap();
            assert_eq!(words(&text), body(message.message));
            words(&envelope)
        };
        let (recipients, settled) = (leg.recipients, leg.counts());
        let clock = (leg.state, leg.until_s);
        let told = leg.told_late;
        let attempts = leg.attempts;
        row.legs
            .push((leg.number, clock.0, clock.1, recipients, attempts, settled, told, envelope));
    }
}

/// A pause that is over and a leg that is ready are the same.
fn by_the_clock(row: &Row, now_ms: u64) -> Row {
    let mut row = row.clone();
    for leg in &mut row.legs {
        if leg.1 == State::Delayed && leg.2 <= seconds(now_ms) {
            leg.1 = State::Ready;
        }
        if leg.1 != State::Delayed {
            leg.2 = 0;
        }
    }
    row
}

struct Life {
    store: Store,
    told: Told,
    next: u64,
    now: u64,
    /// What could be seen after each act.
    history: Vec<View>,
    /// Messages that what is staged is about: one note each in one commit.
    touched: BTreeSet<MessageId>,
    /// What carriers told of ends since the last commit, and before each entry of the history.
    telling: Vec<(InHand, Outcome)>,
    spoken: Vec<Vec<(InHand, Outcome)>>,
}

impl Life {
    fn begin(folder: &Path) -> Self {
        let mut store = open(folder, NOW).unwrap();
        let mut told = Told::new(Kind::Post, store.table.runs.clone(), store.table.next_seq);
        while !told.rounds.has_begun() {
            told.tell(&store.table.passed);
            if let Some(runs) = told.rounds.begin(&store.table.passed, store.table.next_seq) {
                store.begin(runs, None, NOW).unwrap();
                told.rounds.begun();
            }
        }
        durable::said(0);
        let history = vec![View { now_ms: NOW, ..View::default() }];
        let (touched, telling, spoken) = (BTreeSet::new(), Vec::new(), vec![Vec::new()]);
        Self { store, told, next: 1, now: NOW, history, touched, telling, spoken }
    }

    /// A carrier says how a leg ended.
    fn tell(&mut self, slot: u32, errand: Errand, outcome: Outcome) {
        let leg = self.store.table.leg(slot).unwrap();
        let number = leg.number;
        let message = self.store.table.message(leg.message).unwrap().message;
        self.store.ended((slot, DEPART), &outcome, &[], self.now).unwrap();
        self.telling.push((InHand { message, leg: number, errand }, outcome));
    }

    fn commit(&mut self) {
        self.touched.clear();
        self.spoken.push(std::mem::take(&mut self.telling));
        self.store.commit(self.now).unwrap();
        durable::said(self.history.len() as u64);
        let now = view(&mut self.store, self.next, self.now);
        self.history.push(now);
    }

    fn touch(&mut self, message: MessageId) {
        if !self.touched.insert(message) {
            self.commit();
            self.touched.insert(message);
        }
    }

    fn queue(&mut self, dice: &mut Dice) {
        for _ in 0..=dice.below(3) {
            let outgoing = letter(self.next, dice, self.now);
            self.next += 1;
            let hand = if dice.once_in(4) { Hand::Others } else { Hand::Own };
            let queued = self.store.queue((&outgoing, DISPATCH, hand), &[]).unwrap();
            assert_eq!(queued, ToSender::Queued);
        }
    }

    fn some(&self, dice: &mut Dice) -> MessageId {
        id(dice.below(self.next as usize + 1) as u64)
    }

    /// Carries a turn to its end, whatever that is.
    fn carry(&mut self, dice: &mut Dice) {
        let now = seconds(self.now);
        let Some(turn) = self.store.table.next_turn(now, None) else { return };
        let tenant = turn.trip.side.tenant;
        for slot in turn.legs {
            let Some(leg) = self.store.table.leg(slot).cloned() else { continue };
            let message = self.store.table.message(leg.message).unwrap().message;
            if dice.once_in(6) {
                self.store.table.come_back(slot);
                continue;
            }
            self.touch(message);
            let outcome = outcome(&leg, dice);
            if let Outcome::Later { why: Why::Unreachable, .. } = outcome {
                self.store.table.schedule.unreachable(leg.road, tenant, now);
            } else {
                self.store.table.schedule.reached(leg.road, tenant);
            }
            self.tell(slot, Errand::Carry, outcome);
        }
        self.store.table.schedule.returned(&turn.trip);
    }

    fn run_errands(&mut self) {
        let now = seconds(self.now);
        let Some((_, tellings)) = self.store.table.next_errands(None, 10, now) else { return };
        for Telling { slot, errand, .. } in tellings {
            let leg = self.store.table.leg(slot).unwrap().clone();
            self.touch(self.store.table.message(leg.message).unwrap().message);
            let why = Why::Answered { class: 4, subject: 4, detail: 7 };
            let outcome = match errand {
                Errand::TellLate => Outcome::ToldLate,
                _ => Outcome::Failed { sent: 0, why },
            };
            self.tell(slot, errand, outcome);
        }
    }

    fn act(&mut self, dice: &mut Dice) {
        match dice.below(22) {
            0..6 => self.queue(dice),
            6 => {
                // Refused by its keeper when some of it was staged.
                self.queue(dice);
                self.store.abandon();
            }
            7..13 => self.carry(dice),
            13 => self.run_errands(),
            14 => {
                let message = self.some(dice);
                let by = if dice.once_in(2) { Decider::Sender } else { Decider::Operator };
                match dice.below(3) {
                    0 => self.store.release(message, by, self.now).unwrap(),
                    1 => self.store.cancel(message, by, self.now).unwrap(),
                    _ => {
                        let hold = Hold { until_ms: self.now + HOUR, then: AtEnd::Return };
                        self.store.hold(message, hold).unwrap()
                    }
                };
            }
            15 => {
                if let Some(before) = self.told.tell(&self.store.table.passed) {
                    self.store.recorded(before, self.told.rounds.runs()).unwrap();
                }
                if dice.once_in(3) {
                    self.store.mark(self.now).unwrap();
                }
            }
            16 | 17 => self.store.write_down().unwrap(),
            18 => {
                self.store.sweep().unwrap();
                self.commit();
                self.store.compact(self.now).unwrap();
            }
            19 if dice.once_in(6) => {
                let whose = dice.below(5) as u64;
                self.store.erase(tenant(whose), vec![user(whose)], false, self.now).unwrap();
            }
            _ => {
                self.now += (1 + dice.below(40) as u64) * HOUR / 4;
                self.store.tick(self.now).unwrap();
            }
        }
        self.commit();
    }
}

fn outcome(leg: &crate::table::Leg, dice: &mut Dice) -> Outcome {
    const GONE: Why = Why::Answered { class: 5, subject: 1, detail: 1 };
    const BUSY: Why = Why::Answered { class: 4, subject: 2, detail: 2 };
    let said = dice.below(1_000);
    let all = Some((sealed(format!("heard {said}")), leg.recipients));
    match dice.below(8) {
        0..3 => Outcome::Sent { recipients: leg.recipients },
        3 => Outcome::Failed { sent: 0, why: GONE },
        4 if leg.recipients > 1 => {
            let rest = Some((sealed(format!("rest {said}")), leg.recipients - 1));
            Outcome::Later { sent: dice.below(2) as u16, rest, why: BUSY, for_all: false }
        }
        5 => Outcome::Later { sent: 0, rest: all, why: Why::Unreachable, for_all: false },
        6 => Outcome::Later { sent: 0, rest: None, why: Why::Unreachable, for_all: false },
        _ => Outcome::Later { sent: 0, rest: None, why: BUSY, for_all: false },
    }
}

/// Each message stands as it was promised or as the next act left it; and so does what is counted.
fn compare(found: &View, before: &View, after: &View, which: &str) {
    let none = Row::default();
    let all = [found, before, after].into_iter().flat_map(|view| view.rows.keys());
    for message in all.collect::<BTreeSet<_>>() {
        let of =
            |view: &View, now_ms| by_the_clock(view.rows.get(message).unwrap_or(&none), now_ms);
        let now_ms = after.now_ms;
        let (is, was, then) = (of(found, now_ms), of(before, now_ms), of(after, now_ms));
        assert!(is == was || is == then, "{which}: {message}\n{was:?}\nthen\n{then:?}\nis {is:?}");
    }
    for (place, counts) in found.counts.iter().enumerate() {
        for user in (0..5).map(user) {
            let of = |counts: &Senders| counts.in_an_hour(user, seconds(after.now_ms));
            let (one, other) = (of(&before.counts[place]), of(&after.counts[place]));
            let range = one.min(other)..=one.max(other);
            assert!(range.contains(&of(counts)), "{which}: what {user} has sent to");
        }
    }
    assert!((before.next_seq..=after.next_seq).contains(&found.next_seq), "{which}: numbers");
}

/// It goes on: every leg that is not over leaves once, and no other does.
fn drain(store: &mut Store, found: &View, which: &str) {
    let mut waiting = BTreeSet::new();
    for (message, row) in &found.rows {
        let open = row.legs.iter().filter(|leg| !is_over(leg.1));
        waiting.extend(open.map(|leg| (*message, leg.0)));
    }
    let mut now = found.now_ms;
    for _ in 0..40 {
        store.tick(now).unwrap();
        store.commit(now).unwrap();
        while let Some(turn) = store.table.next_turn(seconds(now), None) {
            for slot in &turn.legs {
                let leg = store.table.leg(*slot).expect(which).clone();
                let message = store.table.message(leg.message).expect(which).message;
                assert!(waiting.remove(&(message, leg.number)), "{which}: {message} leaves twice");
                let sent = Outcome::Sent { recipients: leg.recipients };
                store.ended((*slot, DEPART), &sent, &[], now).unwrap();
            }
            store.commit(now).unwrap();
            store.table.schedule.returned(&turn.trip);
        }
        while let Some((_, tellings)) = store.table.next_errands(None, 50, seconds(now)) {
            for Telling { slot, errand, .. } in tellings {
                let leg = store.table.leg(slot).expect(which).clone();
                let message = store.table.message(leg.message).expect(which).message;
                let outcome = match errand {
                    Errand::TellLate => Outcome::ToldLate,
                    _ => {
                        let is_its_turn = waiting.remove(&(message, leg.number));
                        assert!(is_its_turn, "{which}: {message} goes back twice");
                        Outcome::Failed { sent: 0, why: Why::Ours }
                    }
                };
                store.ended((slot, DEPART), &outcome, &[], now).unwrap();
            }
            store.commit(now).unwrap();
        }
        now += 6 * HOUR;
    }
    assert!(waiting.is_empty() && store.table.by_id.is_empty(), "{which}: {waiting:?} never leave");
}

fn check(
    folder: &Path,
    told: &[u64],
    (history, up_to, log): &(Vec<View>, u64, Vec<Deed>),
    which: &str,
    dice: &mut Dice,
) {
    let promises = told.iter().filter(|said| **said < LOGGED);
    let Some(promised) = promises.max().map(|promised| *promised as usize) else { return };
    let before = &history[promised];
    let after = history.get(promised + 1).unwrap_or(before);
    let mut store = open(folder, after.now_ms).expect(which);
    let found = view(&mut store, *up_to, after.now_ms);
    compare(&found, before, after, which);
    let standing = (store.table.next_seq, store.table.passed.len());
    logged::compare(store.table.runs.as_ref(), standing, told, (log, which));
    if dice.once_in(4) {
        drain(&mut store, &found, which);
        let left = view(&mut store, *up_to, after.now_ms);
        drop(store);
        let again = view(&mut open(folder, after.now_ms).expect(which), *up_to, after.now_ms);
        compare(&again, &left, &left, which);
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
        let (tape, life) = Tape::record(&folder.0, &[], || {
            let mut life = Life::begin(&folder.0);
            (0..ACTS).for_each(|_| life.act(&mut dice));
            (life.history, life.next, life.told.log)
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
    println!("crash points: post {points}");
}

/// Post dies at any step of its own; whoever carries lives, and tells the next one all that this
/// one had not said to have kept. Then each leg stands as it would without that death: what has
/// left does not leave again.
#[test]
fn what_carriers_know_outlives_every_death_of_post() {
    let wanted = number("SEKISHO_POINTS", POINTS);
    let mut seed = number("SEKISHO_SEED", 1) as u64;
    let (mut points, mut again, mut known) = (0, 0, 0);
    while points < wanted {
        let mut dice = Dice::new(seed);
        let folder = Folder::new("carried-life");
        let (tape, life) = Tape::record(&folder.0, &[], || {
            let mut life = Life::begin(&folder.0);
            (0..ACTS).for_each(|_| life.act(&mut dice));
            (life.history, life.spoken, life.next)
        });
        for point in 0..=tape.points() {
            let (history, spoken, up_to) = &life;
            let promises = tape.said(point).into_iter().filter(|said| *said < LOGGED);
            let promised = promises.max().map(|promised| promised as usize);
            points += 1;
            let Some(unkept) = promised.and_then(|promised| spoken.get(promised + 1)) else {
                continue;
            };
            let after = &history[promised.unwrap() + 1];
            let left = Folder::new("carried-left");
            tape.survive(point, How::Killed, &mut dice, &left.0).unwrap();
            let which = format!("SEKISHO_SEED={seed}, step {point}");
            let mut store = open(&left.0, after.now_ms).expect(&which);
            for (hand, outcome) in unkept {
                match tell_again(&mut store, hand, outcome, after.now_ms) {
                    true => again += 1,
                    false => known += 1,
                }
            }
            store.commit(after.now_ms).unwrap();
            let found = view(&mut store, *up_to, after.now_ms);
            for (hand, _) in unkept {
                let of = |view: &View| {
                    let row = by_the_clock(&view.rows[&hand.message], after.now_ms);
                    (row.legs, row.past)
                };
                assert_eq!(of(&found), of(after), "{which}: {hand:?}");
            }
        }
        seed += 1;
    }
    println!("crash points: {points}, told again {again}, known {known}");
    assert!(again > 0 && known > 0);
}

/// As the desk does it. Whether it had to be told.
fn tell_again(store: &mut Store, hand: &InHand, outcome: &Outcome, now_ms: u64) -> bool {
    let message = store.table.slot(hand.message).and_then(|slot| store.table.message(slot));
    let Some(tenant) = message.map(|row| row.tenant) else { return false };
    let Some(slot) = store.table.take_up(hand, tenant, seconds(now_ms)) else { return false };
    store.ended((slot, DEPART), outcome, &[], now_ms).unwrap();
    true
}

/// A disk that is full from any step on, for a while: what was refused is not in the queue, and
/// when there is room again everything goes on as if nothing had been.
#[test]
fn every_step_may_find_a_full_disk() {
    let mut refused = 0;
    for seed in 0..number("SEKISHO_POINTS", POINTS) as u64 / 10 {
        let mut dice = Dice::new(seed);
        let folder = Folder::new("full-life");
        let mut life = Life::begin(&folder.0);
        (0..12).for_each(|_| life.act(&mut dice));
        durable::failing(dice.below(6), 1 + dice.below(5));
        for _ in 0..8 {
            let before = view(&mut life.store, life.next, life.now);
            let outgoing = letter(life.next, &mut dice, life.now);
            life.next += 1;
            let queued = life.store.queue((&outgoing, DISPATCH, Hand::Own), &[]);
            let kept = queued.and_then(|_| life.store.commit(life.now));
            let now = view(&mut life.store, life.next, life.now);
            match kept {
                Ok(()) => assert!(now.rows.contains_key(&outgoing.message)),
                Err(fault) => {
                    assert!(fault.is_full(), "{}", fault.story());
                    assert!(now.rows == before.rows && now.next_seq == before.next_seq);
                    refused += 1;
                }
            }
            if dice.once_in(3) {
                // What cannot be written down now waits.
                let _ = life.store.write_down();
            }
        }
        durable::failing(0, 0);
        life.queue(&mut dice);
        life.commit();
        let now = view(&mut life.store, life.next, life.now);
        drop(life.store);
        let again = view(&mut open(&folder.0, life.now).unwrap(), life.next, life.now);
        compare(&again, &now, &now, &format!("seed {seed}"));
    }
    println!("full disk: {refused} messages refused");
    assert!(refused > 0);
}
