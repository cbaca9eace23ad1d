//! Connections that gates handed on, and which of them brought something that was kept: matched
//! within a chapter when it is bound, and across chapters when a gate is asked about.

use crate::place::UNKNOWN;
use crate::rows::{number, put};
use evidence::Word;
use scope::{Deed, Fact, Roll};
use std::collections::{BTreeMap, HashMap, HashSet};
use terms::{ConnectionId, Cursor, InstanceId, Kind};

/// Of a component, and of a version of it.
pub(crate) type Group = (u8, u16);

/// A connection as a chapter keeps it.
pub(crate) const HANDED_BYTES: usize = 8 + 6 + 5 + 1 + 2 + 1;
/// Something kept that came over a connection which the chapter does not know, or perhaps not.
pub(crate) const LATE_BYTES: usize = 6 + 5 + 1 + 8;

/// A connection, to whom it was handed, when, by whom; and whether something came over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handed {
    pub connection: ConnectionId,
    pub instance: InstanceId,
    /// From the chapter's beginning.
    pub after_ms: u64,
    pub by: Group,
    pub brought: bool,
}

/// Something that was kept, whose connection is looked for elsewhere, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Late {
    pub instance: InstanceId,
    pub after_ms: u64,
    /// `None`: it came over the last one before.
    pub connection: Option<ConnectionId>,
}

impl Handed {
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.connection.0);
        to.extend_from_slice(&self.instance.0);
        put(to, self.after_ms.min(0xff_ffff_ffff), 5);
        to.push(self.by.0);
        put(to, self.by.1.into(), 2);
        to.push(self.brought.into());
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Cursor::new(bytes);
        let connection = ConnectionId(*from.take(8)?.first_chunk()?);
        let instance = InstanceId::from_slice(from.take(6)?)?;
        let after_ms = number(&mut from, 5)?;
        let by = (from.next()?, number(&mut from, 2)? as u16);
        Some(Self { connection, instance, after_ms, by, brought: from.next()? == 1 })
    }
}

impl Late {
    pub fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.instance.0);
        put(to, self.after_ms.min(0xff_ffff_ffff), 5);
        to.push(self.connection.is_some().into());
        to.extend_from_slice(&self.connection.unwrap_or_default().0);
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Cursor::new(bytes);
        let instance = InstanceId::from_slice(from.take(6)?)?;
        let (after_ms, is_named) = (number(&mut from, 5)?, from.next()? == 1);
        let connection = ConnectionId(*from.take(8)?.first_chunk()?);
        Some(Self { instance, after_ms, connection: is_named.then_some(connection) })
    }
}

/// What of a stretch of the log is known of connections.
#[derive(Default)]
pub(crate) struct Matched {
    /// By connection.
    pub handed: Vec<Handed>,
    pub late: Vec<Late>,
}

/// One process: what was handed to it, and what came.
#[derive(Default)]
struct One {
    handed: Vec<Handed>,
    arrived: Vec<(u64, Option<ConnectionId>)>,
}

impl Matched {
    /// Of a chapter's facts: of every gate.
    pub fn of(facts: &[Fact], (roll, words): (&Roll, &[Word]), begin_ms: u64) -> Self {
        let group = |one: InstanceId| crate::chapter::group_of(roll.0.get(&one), words);
        // Who is born here was handed nothing before.
        let born = facts.iter().filter(|fact| fact.deed == Deed::Start).map(|fact| fact.instance);
        let born: HashSet<InstanceId> = born.collect();
        let may_be_handed = |one: InstanceId| {
            let kind = roll.0.get(&one).map(|life| life.kind);
            !matches!(kind, Some(Kind::Dispatch | Kind::Depart | Kind::Scanner))
        };
        Self::matching(
            facts,
            begin_ms,
            |one| born.contains(&one),
            |fact| match fact.deed {
                Deed::Connection => Some(group(fact.start)),
                Deed::Arrival if may_be_handed(fact.instance) => Some((UNKNOWN, 0)),
                _ => None,
            },
        )
    }

    /// `counts`: by whom a connection was handed on; of what was kept, anything.
    pub fn matching(
        facts: &[Fact],
        begin_ms: u64,
        is_born: impl Fn(InstanceId) -> bool,
        counts: impl Fn(&Fact) -> Option<Group>,
    ) -> Self {
        let mut all: BTreeMap<InstanceId, One> = BTreeMap::new();
        for fact in facts.iter() {
            let Some(by) = counts(fact) else { continue };
            let (instance, after_ms) = (fact.instance, fact.at_ms.saturating_sub(begin_ms));
            let of = all.entry(instance).or_default();
            match (fact.deed, fact.item.connection()) {
                (Deed::Connection, Some(connection)) => {
                    of.handed.push(Handed { connection, instance, after_ms, by, brought: false });
                }
                (Deed::Arrival, connection) => of.arrived.push((after_ms, connection)),
                _ => {}
            }
        }
        let mut matched = Self::default();
        for (instance, one) in all {
            matched.add(instance, one, is_born(instance));
        }
        matched.handed.sort_unstable();
        matched
    }

    fn add(&mut self, instance: InstanceId, mut one: One, is_born: bool) {
        one.handed.sort_unstable_by_key(|handed| (handed.after_ms, handed.connection, handed.by));
        one.handed.dedup();
        one.arrived.sort_unstable();
        one.arrived.dedup();
        let groups: HashSet<Group> = one.handed.iter().map(|handed| handed.by).collect();
        for (after_ms, connection) in one.arrived {
            let is_found = match connection {
                Some(named) => brought(&mut one.handed, named),
                // Where two gates handed on, either may be asked about alone, or both: nothing is
                // said before that is known.
                None => groups.len() == 1 && last(&mut one.handed, after_ms) && is_born,
            };
            if !is_found {
                self.late.push(Late { instance, after_ms, connection });
            }
        }
        self.handed.append(&mut one.handed);
    }

    /// Over how many connections of each gate's version something came.
    pub fn brought(&self) -> HashMap<Group, u32> {
        let mut brought: HashMap<Group, u32> = HashMap::new();
        let all = self.handed.iter().filter(|handed| handed.brought);
        all.for_each(|handed| *brought.entry(handed.by).or_default() += 1);
        brought
    }
}

fn brought(handed: &mut [Handed], connection: ConnectionId) -> bool {
    let mut is_found = false;
    for one in handed.iter_mut().filter(|one| one.connection == connection) {
        (one.brought, is_found) = (true, true);
    }
    is_found
}

/// The last one before is the one that something came over.
fn last(handed: &mut [Handed], after_ms: u64) -> bool {
    match handed.iter_mut().filter(|one| one.after_ms <= after_ms).last() {
        Some(one) => {
            one.brought = true;
            true
        }
        None => false,
    }
}
