//! A scope from sums: whole chapters of the window are told in one breath, its edges row by row,
//! and who outlives a chapter is followed from one to the next.

use crate::chapter::CHAPTER_ENTRIES;
use crate::columns::{Instances, Messages};
use crate::fault::{Fault, file};
use crate::gates::Connections;
use crate::index::{ALARM, CREATE, Index, LATE_MS, ROTATE, SHRED, chapter_name, kept};
use crate::opened::{Chapter, Process};
use crate::overspill::overspill;
use crate::place::{Place, USER_BYTES};
use crate::plan::{Plan, Way, asked, cells, fits};
use crate::rows::{NOBODY, ROW_BYTES, Row};
use crate::sums::Kept;
use crate::telling::{Telling, number_of};
use crate::waiting::Waiting;
use evidence::{Frame, Word};
use scope::{Cell, Deed, Fact, Finished, Half, Person, Proven, Tally, Tie, facts, unattributed};
use std::collections::HashMap;
use std::io;
use std::thread;
use terms::{InstanceId, Kind, TenantId, UserId};

/// By its number in the log's format: what somebody reported, which may be an alarm, too.
const INCIDENT: u8 = 18;
/// So many chapters before it is read, the disk is asked for one.
const AHEAD: u64 = 8;

impl Index<'_> {
    /// Two processors count one half each, and then messages, each its own slices of them.
    pub(crate) fn measure_by_sums(
        &self,
        tally: &(dyn Fn() -> Tally + Sync),
        proven: &Proven,
    ) -> Result<Finished, Fault> {
        let plan = Plan::of(self, &tally())?;
        if plan.is_mixed() {
            return Ok(self.run_halves(&plan, tally)?.finish(proven.clone()));
        }
        let (reader, shared) = (self.reader, &plan);
        let (people, processes) = thread::scope(|scope| {
            let processes = scope.spawn(move || {
                let (index, tally) = (Index::of(reader), tally().half(Half::Processes));
                Walk::new(&index, shared, tally).walk()
            });
            let tally = tally().half(Half::People).spilling(overspill);
            let people = Walk::new(self, shared, tally).walk();
            (people, processes.join().map_err(|_| ended()))
        });
        let (mut tally, mut messages) = people?;
        self.follow_made(&mut tally)?;
        self.end_shown(&mut tally)?;
        if plan.instances > 0 {
            tally.has_more();
        }
        if tally.needs_more() {
            messages.take_released(self, &mut tally)?;
        }
        tally = tally.with(processes??.0);
        messages.name_contracts(&tally);
        let question = tally.question().clone();
        let instances = Instances::new(reader, &plan, &question);
        let finished = tally.finish_with(proven.clone(), Some(&messages), Some(&instances));
        match messages.fault().or(instances.fault()) {
            Some(fault) => Err(file("the index")(fault)),
            None => Ok(finished),
        }
    }
}

pub(crate) fn ended() -> Fault {
    file("the index")(io::Error::other("half of the counting ended without an answer"))
}

/// One half of the counting, chapter by chapter.
pub(crate) struct Walk<'i, 'a> {
    index: &'i Index<'a>,
    plan: &'a Plan,
    tally: Tally,
    messages: Messages<'a>,
    /// Processes that outlived a chapter, and the last chapter that spoke of them.
    followed: HashMap<InstanceId, u64>,
    waiting: Waiting,
    /// Of a gate.
    connections: Option<Connections>,
}

impl<'i, 'a> Walk<'i, 'a> {
    pub fn new(index: &'i Index<'a>, plan: &'a Plan, tally: Tally) -> Self {
        let messages = Messages::new(index.reader, plan, tally.question());
        let is_gate = tally.question().component == Kind::Gate;
        let counts = is_gate && tally.counts() == Half::Processes;
        let (followed, waiting) = (HashMap::new(), Waiting::default());
        let connections = counts.then(Connections::default);
        let tally = if is_gate { tally.without_meetings() } else { tally };
        Self { index, plan, tally, messages, followed, waiting, connections }
    }

    pub fn walk(mut self) -> Result<(Tally, Messages<'a>), Fault> {
        let (plan, full) = (self.plan, self.index.full());
        plan.met().for_each(|(one, life)| self.tally.meet(*one, life));
        plan.gates.lives.iter().for_each(|(one, life)| self.tally.meet(*one, life));
        plan.carried.met_by(&mut self.tally);
        plan.carried.tell(self.index, plan.first, &mut self.tally)?;
        if let Some(before) = plan.first.checked_sub(1) {
            let lives = match plan.first < full {
                true => self.index.chapter(before)?.heard().map_err(file(chapter_name(before)))?,
                false => Vec::new(),
            };
            lives.iter().for_each(|(one, life)| self.tally.meet(*one, life));
        }
        for number in plan.first..full {
            self.ask_ahead(number + AHEAD);
            let chapter = self.index.chapter(number)?;
            self.chapter(&chapter).map_err(file(chapter_name(number)))?;
            if let Some(connections) = &mut self.connections {
                let told = connections.chapter(&chapter, plan.way(number), plan, &self.tally);
                told.map_err(file(chapter_name(number)))?;
            }
            if plan.mints {
                self.waiting.settle(self.index, plan, &mut self.tally, Some(number))?;
            }
            if self.tally.counts() == Half::Processes {
                self.keys_and_alarms(&chapter)?;
                self.forget(&chapter).map_err(file(chapter_name(number)))?;
            }
        }
        self.tail()?;
        if let Some(mut connections) = self.connections.take() {
            connections.tail(plan.tail.open_facts(), &self.tally);
            let left = connections.settle(self.index, plan, &self.tally)?;
            self.tally.take_lives(left, 0);
        }
        Ok((self.tally, self.messages))
    }

    /// Each half asks the disk for every other chapter: both read them all, at the same time.
    fn ask_ahead(&self, number: u64) {
        let is_other = number.is_multiple_of(2) == (self.tally.counts() == Half::Processes);
        if !is_other && self.plan.way(number) == Way::Sums {
            kept(self.index.reader, number).iter().for_each(Chapter::will_need);
        }
    }

    /// Whoever has ended and is not known to the next chapter will not be spoken of again, but for
    /// those of whom it is known.
    fn forget(&mut self, chapter: &Chapter) -> io::Result<()> {
        let (followed, strangers) = (&self.followed, &self.plan.strangers);
        let known = chapter.remembered()?;
        self.tally.forget_ended(chapter.times.0.saturating_sub(LATE_MS), |one| {
            let is_heard = followed.get(one) == Some(&chapter.number);
            is_heard || known.contains(one) || strangers.contains_key(one)
        });
        Ok(())
    }

    fn chapter(&mut self, chapter: &Chapter) -> io::Result<()> {
        let way = self.plan.way(chapter.number);
        if self.tally.counts() == Half::Processes {
            self.follow(chapter, way)?;
        }
        match way {
            Way::Before => {}
            Way::Sums if self.tally.counts() == Half::People => {
                self.sum_people(chapter)?;
                self.meet_crossing(chapter)?;
            }
            Way::Sums => self.sum_processes(chapter)?,
            Way::Rows => {
                let told = Telling::near(chapter, &self.tally)?;
                if self.plan.mints {
                    told.tell_grants(&mut self.tally)?;
                }
                told.tell_quiet(&mut self.tally)?;
            }
            Way::After if self.tally.asks_authors() => self.later_grants(chapter)?,
            Way::After => {}
        }
        if self.plan.mints && matches!(way, Way::Sums | Way::Rows) {
            self.waiting.gather(chapter, &self.tally)?;
        }
        if way != Way::Rows {
            let strangers = self.plan.strangers_in(chapter)?;
            if !strangers.is_empty() {
                Telling::some(chapter, &strangers)?.tell_quiet(&mut self.tally)?;
            }
        }
        Ok(())
    }

    /// Grants that authors who are asked about gave behind the window.
    fn later_grants(&mut self, chapter: &Chapter) -> io::Result<()> {
        let first = chapter.number * CHAPTER_ENTRIES;
        for one in chapter.writers()? {
            if one.until.0 > 0 && self.tally.is_asked(one.start) {
                self.tally.granted_until((one.until.0, first + one.until.1));
            }
        }
        Ok(())
    }

    fn sum_people(&mut self, chapter: &Chapter) -> io::Result<()> {
        let words = chapter.words()?;
        let mut cells = cells(chapter, &self.tally, &words)?;
        if self.plan.is_covered(chapter.number) {
            let passed = |kept: &Kept| is_passed(&kept.cell);
            cells.extend(chapter.cells()?.into_iter().filter(passed));
        }
        let people = usize::try_from(chapter.count(Place::Users)).unwrap_or_default();
        let mut classes = vec![0; people];
        let (mut months, mut pairs) = (Vec::new(), 0);
        for kept in &cells {
            self.tally.take(&kept.cell);
            if kept.cell.messages().is_some() {
                pairs += u64::from(kept.count);
            }
            let Some(map) = chapter.people_map(kept)? else { continue };
            each_bit(&map, |place| {
                if let Some(of) = classes.get_mut(place) {
                    *of |= kept.cell.classes();
                }
            });
            if kept.cell.deed == Deed::Month {
                months.push((kept.cell.month, map));
            }
        }
        self.messages.expect(chapter, pairs);
        self.sum_shown(chapter, &words)?;
        if classes.iter().all(|of| *of == 0) {
            return Ok(());
        }
        each_person(chapter, |place, person| {
            let of = classes.get(place).copied().unwrap_or_default();
            if of != 0 {
                self.tally.take_person(person, of);
                for (month, _) in months.iter().filter(|(_, map)| has_bit(map, place)) {
                    self.tally.release_month(person, *month);
                }
            }
        })
    }

    /// Secrets that were shown to those who are asked about.
    fn sum_shown(&mut self, chapter: &Chapter, words: &[Word]) -> io::Result<()> {
        let (own, version) = {
            let question = self.tally.question();
            (number_of(question.component), question.version.clone())
        };
        let has_everything = self.tally.has_everything();
        let mut shown = chapter.shown()?;
        shown.retain(|one| {
            let is_own = one.kind == own && fits(version.as_deref(), one.word, words);
            is_own || has_everything
        });
        if shown.is_empty() {
            return Ok(());
        }
        let people = chapter.people()?;
        for one in shown {
            self.tally.take_shown(&Fact {
                at_ms: one.last_ms,
                index: chapter.number * CHAPTER_ENTRIES + u64::from(one.entry),
                deed: Deed::Secret,
                instance: InstanceId::default(),
                start: InstanceId::default(),
                person: people.get(one.person as usize).copied(),
                item: one.item,
            });
        }
        Ok(())
    }

    /// Scanners that were told row by row before this chapter may end in it: nothing passes through
    /// them in the rows behind it.
    fn meet_crossing(&mut self, chapter: &Chapter) -> io::Result<()> {
        let question = self.tally.question().clone();
        if question.component != Kind::Scanner {
            return Ok(());
        }
        let words = chapter.words()?;
        for section in asked(chapter, &question, &words) {
            for Process { instance, life, .. } in chapter.crossing(section, &words)? {
                let life = life.filter(|life| self.tally.asks_about(life));
                life.iter().for_each(|life| self.tally.meet(instance, life));
            }
        }
        Ok(())
    }

    fn sum_processes(&mut self, chapter: &Chapter) -> io::Result<()> {
        let words = chapter.words()?;
        for kept in cells(chapter, &self.tally, &words)? {
            self.tally.take(&kept.cell);
        }
        if self.plan.is_covered(chapter.number) {
            let came = |kept: &Kept| is_passed(&kept.cell) || is_arrival(&kept.cell);
            let came = chapter.cells()?.into_iter().filter(came);
            came.for_each(|kept| self.tally.take(&kept.cell));
        }
        let question = self.tally.question().clone();
        for section in asked(chapter, &question, &words) {
            if section.ended_ms > 0 {
                self.tally.take_lives(section.unattributed.into(), section.ended_ms);
            }
        }
        let (own, version) = (number_of(question.component), question.version.as_deref());
        for used in chapter.credentials()? {
            let is_own = used.kind == own && fits(version, used.word, &words);
            if is_own || self.tally.has_everything() {
                self.tally.take_credential(used.item, used.tenant, used.last_ms);
            }
        }
        Ok(())
    }

    /// Follows whom the sums of one chapter do not tell whole.
    fn follow(&mut self, chapter: &Chapter, way: Way) -> io::Result<()> {
        let words = chapter.words()?;
        let question = self.tally.question().clone();
        for section in asked(chapter, &question, &words) {
            for process in chapter.crossing(section, &words)? {
                if process.life.as_ref().is_some_and(|life| self.tally.asks_about(life)) {
                    self.follow_one(chapter, &process, way)?;
                }
            }
        }
        for number in self.plan.theirs.get(&chapter.number).into_iter().flatten() {
            let process = chapter.process(*number, &words)?;
            let is_new = self.followed.insert(process.instance, chapter.number);
            if is_new != Some(chapter.number) && way == Way::Sums {
                self.take_apart(chapter, &process)?;
            }
        }
        Ok(())
    }

    fn follow_one(&mut self, chapter: &Chapter, process: &Process, way: Way) -> io::Result<()> {
        let Process { instance, life: Some(life), .. } = process else { return Ok(()) };
        self.tally.meet(*instance, life);
        let facts = rows_of(chapter, process)?;
        let did = |deed| facts.iter().any(|fact| fact.deed == deed);
        let is_known = self.followed.insert(*instance, chapter.number).is_some();
        if !is_known && life.to_ms.is_some() && !did(Deed::Start) && !did(Deed::Stop) {
            self.look_back(*instance, chapter.number).map_err(io::Error::other)?;
        }
        match way {
            Way::Sums => facts.iter().for_each(|fact| self.tally.follow(fact)),
            Way::After => {
                let facts = facts.iter().filter(|fact| fact.deed != Deed::Alarm);
                facts.for_each(|fact| self.tally.note(fact));
            }
            Way::Rows | Way::Before => {}
        }
        Ok(())
    }

    /// Somebody who is spoken of after its end was counted with those who had ended: its
    /// connections are judged by all that was said.
    fn look_back(&mut self, instance: InstanceId, number: u64) -> Result<(), Fault> {
        let question = self.tally.question().clone();
        for earlier in (self.plan.first..number).rev() {
            let chapter = self.index.chapter(earlier)?;
            let found = self.plan.ended_in(&chapter, &question, instance);
            let Some(process) = found.map_err(file(chapter_name(earlier)))? else { continue };
            if self.plan.way(earlier) == Way::Sums {
                self.take_apart(&chapter, &process).map_err(file(chapter_name(earlier)))?;
            }
            break;
        }
        Ok(())
    }

    /// Takes one process out of a chapter's sum, if it is in it, and follows it by itself.
    fn take_apart(&mut self, chapter: &Chapter, process: &Process) -> io::Result<()> {
        let facts = rows_of(chapter, process)?;
        let did = |deed| facts.iter().any(|fact| fact.deed == deed);
        let is_over = process.life.as_ref().is_some_and(|life| life.to_ms.is_some());
        if is_over && did(Deed::Start) && did(Deed::Stop) {
            let component = self.tally.question().component;
            self.tally.take_back(unattributed(component, facts.iter()));
        }
        facts.iter().for_each(|fact| self.tally.follow(fact));
        Ok(())
    }

    /// They are few, and are read entry by entry, whosever they are.
    fn keys_and_alarms(&mut self, chapter: &Chapter) -> Result<(), Fault> {
        let mut places = Vec::new();
        let created = (self.tally.question().component == Kind::Admin).then_some(CREATE);
        for deed in [ALARM, ROTATE, SHRED, INCIDENT].into_iter().chain(created) {
            places.extend(chapter.entries_by(deed).map_err(file(chapter_name(chapter.number)))?);
        }
        places.sort_unstable();
        let first = chapter.number * CHAPTER_ENTRIES;
        let indices = places.iter().map(|place| first + u64::from(*place));
        let mut told = Vec::new();
        self.index.visit(indices, &mut |index, bytes| {
            if let Some(frame) = Frame::parse(bytes) {
                facts(index, &frame.entry, |fact| told.push(fact));
            }
            true
        })?;
        let question = self.tally.question().clone();
        for fact in told {
            if fact.deed == Deed::Alarm {
                let found = self.plan.ended_in(chapter, &question, fact.instance);
                let found = found.map_err(file(chapter_name(chapter.number)))?;
                let life = found.and_then(|found| found.life);
                life.iter().for_each(|life| self.tally.meet(fact.instance, life));
            }
            self.tally.note(&fact);
        }
        Ok(())
    }

    /// The entries behind the last full chapter.
    fn tail(&mut self) -> Result<(), Fault> {
        let binder = &self.plan.tail;
        let told = binder.open_facts();
        binder.roll().0.iter().for_each(|(one, life)| self.tally.meet(*one, life));
        if self.tally.counts() == Half::Processes {
            // Who says something here and was neither born nor ended here.
            let mut late: HashMap<InstanceId, bool> = HashMap::new();
            for fact in told {
                let is_late = late.entry(fact.instance).or_insert(true);
                *is_late &= !matches!(fact.deed, Deed::Start | Deed::Stop);
            }
            for (instance, _) in late.into_iter().filter(|(_, is_late)| *is_late) {
                let life = binder.roll().0.get(&instance);
                let life = life.filter(|life| self.tally.asks_about(life));
                let is_over = life.is_some_and(|life| life.to_ms.is_some());
                if is_over && !self.followed.contains_key(&instance) {
                    self.look_back(instance, self.index.full())?;
                }
            }
        }
        told.iter().for_each(|fact| self.tally.note(fact));
        if self.plan.mints {
            self.waiting.gather_tail(told, self.index.full(), &self.tally);
            self.waiting.settle(self.index, self.plan, &mut self.tally, None)?;
        }
        for (at_ms, entry) in self.plan.newest.into_iter().chain(binder.newest()) {
            self.tally.looked_at(at_ms, entry);
        }
        Ok(())
    }
}

/// What the rows of a process say, but for whose they are.
fn rows_of(chapter: &Chapter, process: &Process) -> io::Result<Vec<Fact>> {
    let rows = chapter.rows(process.first, process.count)?;
    let fact = |row: &[u8]| {
        let row = Row::read(row)?;
        Some(Fact {
            at_ms: chapter.times.0 + row.at_ms,
            index: chapter.number * CHAPTER_ENTRIES + u64::from(row.entry),
            deed: row.deed,
            instance: process.instance,
            start: InstanceId::default(),
            person: (row.person != NOBODY)
                .then(|| Person { tenant: TenantId::default(), user: None }),
            item: row.item,
        })
    };
    let facts = rows.chunks_exact(ROW_BYTES).map(fact).collect::<Option<_>>();
    facts.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What came while a gate lived came by it, whoever took it in.
pub(crate) fn is_passed(cell: &Cell) -> bool {
    cell.tie == Tie::Own && matches!(cell.deed, Deed::Deliver | Deed::Queue)
}

fn is_arrival(cell: &Cell) -> bool {
    cell.tie == Tie::Own && cell.deed == Deed::Arrival
}

/// Hands on every person of a chapter with its number.
pub(crate) fn each_person(
    chapter: &Chapter,
    mut person: impl FnMut(usize, Person),
) -> io::Result<()> {
    let contracts = chapter.contracts()?;
    let users = chapter.all(Place::Users)?;
    let users: &[[u8; USER_BYTES]] = users.as_chunks().0;
    for (of, next) in contracts.iter().zip(contracts.iter().skip(1).map(Some).chain([None])) {
        let first = of.first as usize;
        let end = next.map_or(users.len(), |next| next.first as usize);
        let theirs = users.get(first..end).ok_or(io::ErrorKind::InvalidData)?;
        for (user, place) in theirs.iter().zip(first..) {
            let user = (!of.has_nobody || place != first).then_some(UserId(*user));
            person(place, Person { tenant: of.tenant, user });
        }
    }
    Ok(())
}

pub(crate) fn each_bit(map: &[u8], mut bit: impl FnMut(usize)) {
    for (octet, place) in map.iter().zip((0..).step_by(8)) {
        let mut left = *octet;
        while left != 0 {
            bit(place + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

pub(crate) fn has_bit(map: &[u8], place: usize) -> bool {
    map.get(place / 8).is_some_and(|octet| octet >> (place % 8) & 1 == 1)
}
