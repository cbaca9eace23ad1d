//! Whose messages they were, by contract: people, and what kinds of things of theirs.

use crate::fact::Person;
use crate::quick::Map;
use std::collections::BTreeMap;
use terms::TenantId;

pub(crate) struct Share {
    pub number: u32,
    /// Distinct people.
    pub accounts: u64,
    pub classes: Classes,
}

/// A set of classes, one bit each.
pub(crate) type Classes = u8;

/// What is known of somebody who was met: the number of the contract, and the classes that were
/// noted of them already.
#[derive(Clone, Copy)]
struct Known {
    number: u32,
    classes: Classes,
}

/// In the order of what they tell.
#[derive(Clone, Copy)]
pub(crate) enum Class {
    Addresses,
    Headers,
    Bodies,
    Verifiers,
    Credentials,
}

impl Class {
    const ALL: [Self; 5] =
        [Self::Addresses, Self::Headers, Self::Bodies, Self::Verifiers, Self::Credentials];

    pub const fn bit(self) -> Classes {
        1 << self as u8
    }

    pub fn words(of: Classes) -> Vec<&'static str> {
        let noted = Self::ALL.into_iter().filter(|class| of & class.bit() != 0);
        noted.map(Self::word).collect()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Verifiers => "verifiers",
            Self::Credentials => "credentials",
        }
    }
}

pub(crate) const IN_TRANSIT: Classes =
    Class::Addresses.bit() | Class::Headers.bit() | Class::Bodies.bit();

/// All that there is of somebody.
pub(crate) const EVERYTHING: Classes =
    IN_TRANSIT | Class::Verifiers.bit() | Class::Credentials.bit();

/// Every contract's share.
#[derive(Default)]
pub(crate) struct Shares {
    pub contracts: BTreeMap<TenantId, Share>,
    people: Map<Person, Known>,
    /// Rows of one process are often of one person.
    last: Option<(Person, Known)>,
}

impl Shares {
    /// Notes whose it was, and gives the number of the contract.
    pub fn note(&mut self, person: Person, classes: Classes) -> u32 {
        if let Some((known, of)) = self.last
            && known == person
            && of.classes & classes == classes
        {
            return of.number;
        }
        let known = self.people.get(&person).copied();
        if let Some(known) = known.filter(|known| known.classes & classes == classes) {
            self.last = Some((person, known));
            return known.number;
        }
        let number = u32::try_from(self.contracts.len()).unwrap_or(u32::MAX);
        let first = Share { number, accounts: 0, classes: 0 };
        let share = self.contracts.entry(person.tenant).or_insert(first);
        share.classes |= classes;
        share.accounts += u64::from(known.is_none() && person.user.is_some());
        let classes = classes | known.map_or(0, |known| known.classes);
        let known = Known { number: share.number, classes };
        self.people.insert(person, known);
        self.last = Some((person, known));
        known.number
    }
}
