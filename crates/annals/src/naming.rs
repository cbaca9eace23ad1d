//! Whose, and which messages: what a scope counts, by person, each message once, in bounded memory.

use crate::extent::Walk;
use crate::fault::{Fault, file};
use crate::index::Index;
use crate::plan::Plan;
use crate::sorted::{Merged, RECORD_BYTES, Record, Sorter};
use scope::{Half, List, Listed, Mark, Part, Question, Tally, Theirs};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use terms::{Cursor, MessageId, TenantId, UserId};

/// Takes down everything that counts.
#[derive(Clone)]
pub struct Naming(Arc<Mutex<Sorter>>);

/// What of one person a message is, or when it was: the order of records.
#[derive(Clone, Copy)]
enum By {
    Message,
    Time,
}

/// Everybody, and what is theirs.
pub struct Whose {
    people: BTreeMap<(TenantId, UserId), Theirs>,
    messages: Option<Merged>,
}

/// What is told, person by person.
pub enum Told<'a> {
    Person(&'a Theirs),
    Message(&'a Listed),
}

fn put(by: By, one: &Listed) -> Record {
    let mut to = Vec::with_capacity(RECORD_BYTES);
    to.extend_from_slice(&one.tenant.0);
    to.extend_from_slice(&one.user.0);
    let (time, message) = (one.at_ms.to_be_bytes(), one.message.unwrap_or_default().0);
    to.push(one.message.is_some().into());
    match by {
        By::Message => to.extend([&message[..], &time].concat()),
        By::Time => to.extend([&time[..], &message].concat()),
    }
    to.extend_from_slice(&one.entry.to_be_bytes());
    to.extend([one.classes, one.mark.bits()]);
    let mut record = [0; RECORD_BYTES];
    record.iter_mut().zip(to).for_each(|(octet, from)| *octet = from);
    record
}

fn take(by: By, record: &Record) -> Option<Listed> {
    let mut from = Cursor::new(record);
    let tenant = TenantId::from_slice(from.take(8)?)?;
    let user = UserId::from_slice(from.take(8)?)?;
    let has_message = from.next()? == 1;
    let eight = |from: &mut Cursor| Some(u64::from_be_bytes(*from.take(8)?.first_chunk()?));
    let (message, at_ms) = match by {
        By::Message => (*from.take(16)?.first_chunk()?, eight(&mut from)?),
        By::Time => {
            let at_ms = eight(&mut from)?;
            (*from.take(16)?.first_chunk()?, at_ms)
        }
    };
    let entry = eight(&mut from)?;
    let (classes, mark) = (from.next()?, Mark::of_bits(from.next()?));
    let message = has_message.then_some(MessageId(message));
    Some(Listed { tenant, user, message, at_ms, entry, classes, mark })
}

impl List for Naming {
    fn take(&mut self, one: &Listed) {
        if let Ok(mut sorter) = self.0.lock() {
            sorter.put(put(By::Message, one));
        }
    }
}

impl Default for Naming {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Sorter::new())))
    }
}

impl Naming {
    /// Each message of everybody once, with all that is known of it. Messages themselves are kept
    /// only `with_messages`.
    ///
    /// # Errors
    /// The disk's.
    pub fn settle(self, with_messages: bool) -> Result<Whose, Fault> {
        let whole = match self.0.lock() {
            Ok(mut sorter) => std::mem::replace(&mut *sorter, Sorter::new()),
            Err(_) => {
                return Err(file("what was counted")(io::Error::other("a count ended early")));
            }
        };
        join(whole, with_messages).map_err(file("what was counted"))
    }
}

fn join(whole: Sorter, with_messages: bool) -> io::Result<Whose> {
    let mut people: BTreeMap<(TenantId, UserId), Theirs> = BTreeMap::new();
    let mut by_time = with_messages.then(Sorter::new);
    let mut done = |one: Listed| {
        let theirs = people.entry((one.tenant, one.user));
        theirs.or_insert_with(|| Theirs::of(&one)).add(&one);
        if let Some(by_time) = by_time.as_mut().filter(|_| one.message.is_some()) {
            by_time.put(put(By::Time, &one));
        }
    };
    let mut merged = whole.merged()?;
    let mut last: Option<Listed> = None;
    while let Some(record) = merged.next()? {
        let one = take(By::Message, &record).ok_or(io::ErrorKind::InvalidData)?;
        let key = |one: &Listed| (one.tenant, one.user, one.message);
        last = match last {
            // Records of one message stand together, the earliest first.
            Some(mut known) if key(&known) == key(&one) => {
                known.classes |= one.classes;
                known.mark = known.mark.and(one.mark);
                Some(known)
            }
            known => {
                known.into_iter().for_each(&mut done);
                Some(one)
            }
        };
    }
    last.into_iter().for_each(&mut done);
    let messages = by_time.map(Sorter::merged).transpose()?;
    Ok(Whose { people, messages })
}

impl Whose {
    pub fn people(&self) -> impl Iterator<Item = &Theirs> {
        self.people.values()
    }

    /// Tells everybody, by contract, each followed by their messages in the order of time, until
    /// `on` says no more.
    ///
    /// # Errors
    /// The disk's.
    pub fn each(mut self, mut on: impl FnMut(Told) -> bool) -> Result<(), Fault> {
        let fault = || file("what was counted");
        let mut next = self.next_message().map_err(fault())?;
        for (key, theirs) in std::mem::take(&mut self.people) {
            if !on(Told::Person(&theirs)) {
                return Ok(());
            }
            while let Some(one) = next.filter(|one| (one.tenant, one.user) == key) {
                if !on(Told::Message(&one)) {
                    return Ok(());
                }
                next = self.next_message().map_err(fault())?;
            }
        }
        Ok(())
    }

    fn next_message(&mut self) -> io::Result<Option<Listed>> {
        let Some(messages) = &mut self.messages else { return Ok(None) };
        let record = messages.next()?;
        record
            .map(|record| take(By::Time, &record).ok_or(io::ErrorKind::InvalidData.into()))
            .transpose()
    }
}

impl Index<'_> {
    /// Tells `to` every message of everybody that a scope counts, from the rows of the chapters.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn list(&self, question: &Question, to: &Naming) -> Result<(), Fault> {
        let tally = Tally::new(question.clone(), Part::WHOLE).half(Half::People);
        let tally = tally.listing(Box::new(to.clone()));
        let mut plan = Plan::of(self, &tally)?;
        plan.read_by_rows();
        let (mut tally, _) = Walk::new(self, &plan, tally).walk()?;
        self.follow_made(&mut tally)?;
        if tally.needs_more() {
            self.read_again(&mut tally)?;
            plan.tail.open_facts().iter().for_each(|fact| tally.note_kept(fact));
        }
        Ok(())
    }
}
