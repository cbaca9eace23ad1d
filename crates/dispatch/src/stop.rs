//! Why a message goes no further: a refusal, which is the client's to hear, or a fault of ours.

use crate::Fault;
use wire::dispatch::ToAccess;

/// What ends the way of a message before the queue.
pub(crate) enum Stop {
    /// Code, the enhanced code's last two numbers, words.
    Refused(u16, (u16, u16), String),
    Fault(Fault),
}

pub(crate) type Step<T> = Result<T, Stop>;

impl Stop {
    pub(crate) fn no(code: u16, enhanced: (u16, u16), text: impl Into<String>) -> Self {
        Self::Refused(code, enhanced, text.into())
    }

    /// The answer, and what the operator is told.
    pub(crate) fn answer(self) -> (ToAccess, Option<String>) {
        match self {
            Self::Refused(code, enhanced, text) => (ToAccess::No { code, enhanced, text }, None),
            Self::Fault(fault) => {
                let text = "this cannot be taken now; try again later".to_owned();
                let later = ToAccess::No { code: 451, enhanced: (3, 0), text };
                (later, Some(format!("deferred: {fault}")))
            }
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<flight::Fault> for Stop {
    fn from(fault: flight::Fault) -> Self {
        Self::Fault(Fault::Flight(fault))
    }
}
