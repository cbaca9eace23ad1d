//! What all facts of one sort in a stretch of the log say together, so that a long window is read
//! by sums instead of fact by fact: how often is not asked, but when, whose, and which messages.

use crate::fact::{Deed, Fact};
use crate::shares::{Class, IN_TRANSIT};
use terms::Kind;

/// Facts of one deed, of processes of one component and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub deed: Deed,
    /// Of `Deed::Month`: which month was released. Else 0.
    pub month: u32,
    /// Not deeds of these processes, but of those beside which they stood: whose messages passed
    /// through a scanner, or came to a dispatch by an access.
    pub is_beside: bool,
    pub first_ms: u64,
    pub last_ms: u64,
    /// The greatest time that is told, and the entry that tells it: of `Deed::GrantEnd` the end
    /// that was promised, of all others their own.
    pub told: (u64, u64),
    /// Of `Deed::Passed`: messages. Of `Deed::Credential`: uses of what is no one contract's.
    pub sum: u64,
}

impl Cell {
    /// Begins with a fact, unless it says nothing to whoever asks about these processes.
    pub fn of(fact: &Fact, is_beside: bool) -> Option<Self> {
        let says = match fact.deed {
            Deed::Deliver | Deed::Queue | Deed::Arrival => true,
            Deed::SignIn => !is_beside && fact.person.is_some(),
            Deed::Start | Deed::Stop | Deed::Connection | Deed::Passed | Deed::Send => !is_beside,
            Deed::Release | Deed::Body | Deed::Transit | Deed::Month => !is_beside,
            Deed::Credential | Deed::GrantEnd => !is_beside,
            // Alarms and new keys are few and are read themselves; the rest concerns others.
            Deed::Alarm | Deed::Rotate | Deed::Grant | Deed::Create | Deed::Shred => false,
            Deed::Other => false,
        };
        let month = match fact.deed {
            Deed::Month => u32::try_from(fact.item.number()).unwrap_or_default(),
            _ => 0,
        };
        let (first_ms, last_ms) = (u64::MAX, 0);
        let (deed, told, sum) = (fact.deed, (0, 0), 0);
        says.then_some(Self { deed, month, is_beside, first_ms, last_ms, told, sum })
    }

    /// Adds a fact of its sort.
    pub fn add(&mut self, fact: &Fact) {
        self.first_ms = self.first_ms.min(fact.at_ms);
        self.last_ms = self.last_ms.max(fact.at_ms);
        self.told = self.told.max(match fact.deed {
            Deed::GrantEnd => (fact.item.number(), fact.index),
            _ => (fact.at_ms, fact.index),
        });
        self.sum += match fact.deed {
            Deed::Passed => fact.item.passed(),
            Deed::Credential => u64::from(fact.person.is_none()),
            _ => 0,
        };
    }

    /// Whether an instance was in use then; of a dispatch its birth is a use.
    pub(crate) fn is_use(&self, component: Kind) -> bool {
        match self.deed {
            Deed::Connection | Deed::Arrival | Deed::Passed | Deed::Send | Deed::Release => true,
            Deed::SignIn | Deed::Credential => true,
            Deed::Start => component == Kind::Dispatch,
            _ => false,
        }
    }

    /// What is known of people through it, one bit for each class; 0: it is not asked whose it is.
    pub fn classes(&self) -> u8 {
        match self.deed {
            Deed::Deliver | Deed::Queue | Deed::Send | Deed::Transit => IN_TRANSIT,
            Deed::Body => Class::Headers.bit() | Class::Bodies.bit(),
            Deed::Month => Class::Headers.bit(),
            Deed::SignIn => Class::Verifiers.bit(),
            Deed::Credential => Class::Credentials.bit(),
            _ => 0,
        }
    }

    /// Whether its messages count, and whether their keys were certainly handed out.
    pub fn messages(&self) -> Option<bool> {
        match self.deed {
            Deed::Deliver | Deed::Queue | Deed::Send => Some(false),
            Deed::Body | Deed::Transit => Some(true),
            _ => None,
        }
    }
}
