//! One leg: the copy of a message for one destination, and how far it has come.

use crate::entry::At;
use serde::{Deserialize, Serialize};
use wire::post::{LegEnd, Outcome, State, Why};

/// One leg, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub message: u32,
    pub road: u32,
    pub envelope: At,
    /// The next leg of its message.
    pub next: u32,
    pub until_s: u32,
    pub number: u16,
    pub recipients: u16,
    pub attempts: u8,
    pub state: State,
    pub told_late: bool,
    /// What stood in its way last: for who asks. It stands behind the rows of a written queue, as
    /// `settled` does, for older ones have neither.
    #[serde(skip)]
    pub why: Option<Why>,
    /// Recipients done with in attempts that left others: sent to, and not.
    #[serde(skip)]
    pub settled: (u16, u16),
    /// Its lane has not let go of its slot.
    #[serde(skip)]
    pub in_lane: bool,
    #[serde(skip)]
    pub leaving: bool,
    /// Whoever has it was told that it may be handed over: the remote may have it any moment.
    #[serde(skip)]
    pub begun: bool,
}

impl Leg {
    /// What an attempt did, for who asks.
    pub fn note(&mut self, outcome: &Outcome) {
        let (sent, not_sent) = match outcome {
            Outcome::Sent { recipients } => (*recipients, 0),
            Outcome::Failed { sent, .. } => (*sent, self.recipients.saturating_sub(*sent)),
            Outcome::Later { sent, rest, .. } => {
                let left = rest.as_ref().map_or(self.recipients, |(_, left)| *left);
                (*sent, self.recipients.saturating_sub(*sent).saturating_sub(left))
            }
            Outcome::ToldLate | Outcome::Untried | Outcome::Stopped => (0, 0),
        };
        if let Outcome::Later { why, .. } = outcome {
            self.why = Some(*why);
        }
        let (before, others) = self.settled;
        self.settled = (before.saturating_add(sent), others.saturating_add(not_sent));
    }

    /// Whether what it has come to does not follow from how it ends.
    pub fn is_worth_noting(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Later { .. } => true,
            Outcome::Sent { .. } => self.settled != (self.recipients, 0),
            Outcome::Failed { .. } => self.settled != (0, self.recipients),
            Outcome::ToldLate | Outcome::Untried | Outcome::Stopped => false,
        }
    }

    /// Recipients sent to and not, as far as a leg has come.
    pub fn counts(&self) -> (u16, u16) {
        let (sent, not_sent) = self.settled;
        match (self.state, self.settled) {
            // One attempt did all of it: the log has no counts.
            (State::Sent, (0, 0)) => (self.recipients, 0),
            (State::Failed, (0, 0)) => (0, self.recipients),
            (State::Cancelled, _) => (sent, not_sent.saturating_add(self.recipients)),
            _ => self.settled,
        }
    }

    pub fn end(&self) -> LegEnd {
        let (sent, not_sent) = self.counts();
        LegEnd { leg: self.number, state: self.state, sent, not_sent, why: self.why }
    }
}

/// Whether a leg in this state is done with for good.
pub fn is_over(state: State) -> bool {
    matches!(state, State::Sent | State::Failed | State::Cancelled)
}
