//! What all facts of one sort in a stretch of the log say together, so that a long window is read
//! by sums instead of fact by fact: how often is not asked, but when, whose, and which messages.

use crate::fact::{Deed, Fact};
use crate::shares::{Class, IN_TRANSIT};
use terms::Kind;

/// How facts concern the processes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tie {
    /// Their own deeds.
    Own = 0,
    /// Deeds of those beside which they stood: whose messages passed through a scanner, or came
    /// to a dispatch by an access.
    Beside = 1,
    /// They wrote down what processes of other components did.
    Author = 2,
    /// They wrote down what processes of their own component, but of another version, did.
    Kin = 3,
    /// Released under a grant that they minted.
    Grant = 4,
}

impl Tie {
    const ALL: [Self; 5] = [Self::Own, Self::Beside, Self::Author, Self::Kin, Self::Grant];

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    fn is_author(self) -> bool {
        matches!(self, Self::Author | Self::Kin)
    }
}

/// Facts of one deed, of processes of one component and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub deed: Deed,
    /// Of `Deed::Month`: which month was released. Else 0.
    pub month: u32,
    pub tie: Tie,
    pub first_ms: u64,
    pub last_ms: u64,
    /// The greatest time that is told, and the entry that tells it: of `Deed::GrantEnd` the end
    /// that was promised, of all others their own.
    pub told: (u64, u64),
    /// Of `Deed::Passed`: messages. Of `Deed::Credential`: uses of what is no one contract's. Of
    /// `Deed::Connection`, of its author: connections, each once.
    pub sum: u64,
}

impl Cell {
    /// Begins with a fact, unless it says nothing to whoever asks about these processes.
    pub fn of(fact: &Fact, tie: Tie) -> Option<Self> {
        let is_told = matches!(tie, Tie::Own | Tie::Author | Tie::Kin);
        let says = match fact.deed {
            Deed::Deliver | Deed::Queue | Deed::Arrival => tie != Tie::Grant,
            Deed::SignIn => is_told && fact.person.is_some(),
            Deed::Start | Deed::Stop | Deed::Connection | Deed::Passed | Deed::Send => is_told,
            Deed::Release | Deed::Body | Deed::Summary => tie != Tie::Beside,
            Deed::Transit | Deed::Month => tie != Tie::Beside,
            Deed::Credential | Deed::GrantEnd => is_told,
            // Whoever mints one uses what it holds; to whom it is given has done nothing yet.
            Deed::Grant => tie == Tie::Author,
            // Alarms and new keys are few and are read themselves; the rest concerns others.
            Deed::Alarm | Deed::Rotate | Deed::Create | Deed::Shred => false,
            // Which secrets were shown stands in a table of its own.
            Deed::Secret | Deed::Other => false,
        };
        let month = match fact.deed {
            Deed::Month => u32::try_from(fact.item.number()).unwrap_or_default(),
            _ => 0,
        };
        let (first_ms, last_ms) = (u64::MAX, 0);
        let (deed, told, sum) = (fact.deed, (0, 0), 0);
        says.then_some(Self { deed, month, tie, first_ms, last_ms, told, sum })
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
            Deed::Connection => u64::from(self.tie.is_author()),
            _ => 0,
        };
    }

    /// Whether an instance was in use then; of a dispatch its birth is a use.
    pub(crate) fn is_use(&self, component: Kind) -> bool {
        match self.deed {
            Deed::Connection | Deed::Arrival | Deed::Passed | Deed::Send | Deed::Release => true,
            Deed::SignIn | Deed::Credential | Deed::Grant => true,
            Deed::Start => matches!(component, Kind::Dispatch | Kind::Warden),
            _ => false,
        }
    }

    /// Whether it tells of connections whose instances are others'.
    pub fn is_met(&self) -> bool {
        self.tie.is_author() && self.deed == Deed::Connection
    }

    /// Whether it tells of others what could account for their connections.
    pub fn accounts(&self, component: Kind) -> bool {
        let is_others = self.tie.is_author() || self.tie == Tie::Grant;
        is_others && self.deed != Deed::Connection && self.is_use(component)
    }

    /// What is known of people through it, one bit for each class; 0: it is not asked whose it is.
    pub fn classes(&self) -> u8 {
        match self.deed {
            Deed::Deliver | Deed::Queue | Deed::Send | Deed::Transit => IN_TRANSIT,
            Deed::Body => Class::Headers.bit() | Class::Bodies.bit(),
            Deed::Summary | Deed::Month => Class::Headers.bit(),
            Deed::SignIn => Class::Verifiers.bit(),
            Deed::Credential => Class::Credentials.bit(),
            _ => 0,
        }
    }

    /// Whether its messages count, and whether their keys were certainly handed out.
    pub fn messages(&self) -> Option<bool> {
        match self.deed {
            Deed::Deliver | Deed::Queue | Deed::Send => Some(false),
            Deed::Body | Deed::Summary | Deed::Transit => Some(true),
            _ => None,
        }
    }
}
