//! The queue's keeper: whether so many may be sent to, and what is queued.

use super::Neighbours;
use crate::Fault;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::dispatch::AHEAD;
use wire::post::{FromSender, Limits, Outgoing, ToSender};

/// The queue's durable commit on a busy disk.
const QUEUE_LIMIT: Duration = Duration::from_secs(30);
/// A count in memory.
const MAY_LIMIT: Duration = Duration::from_secs(6);
/// Whether so many may be sent to is asked at DATA, or said with the answer to the last message:
/// the text that follows within this time has its answer.
const AGREED: Duration = Duration::from_secs(10);

/// What the queue's keeper says to so many recipients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    Yes,
    NotBefore {
        seconds: u32,
    },
    /// Much of what they sent lately came back.
    Doubtful,
    /// A limit turned them away again and again: this one is held, and they are asked about it.
    Pressed,
}

/// What post said last, to how many within which limits; it holds for one text.
#[derive(Clone, Copy)]
pub(super) struct Agreed {
    since: Instant,
    recipients: u32,
    limits: Limits,
    answer: May,
}

impl Agreed {
    /// A yes to many is one to fewer.
    fn covers(&self, recipients: u32, limits: Limits) -> bool {
        let is_enough = match self.answer {
            May::Yes => recipients <= self.recipients,
            _ => recipients == self.recipients,
        };
        is_enough && limits == self.limits
    }
}

impl Neighbours {
    /// Whether this person may send to so many now, asked before the text comes: a yes holds for
    /// that one.
    pub(crate) fn agree(&mut self, recipients: u32, limits: Limits) -> Result<May, Fault> {
        // The text has as long again to come.
        let is_said = |agreed: &Agreed| {
            agreed.covers(recipients, limits) && agreed.since.elapsed() < AGREED - AHEAD
        };
        if let Some(agreed) = self.agreed.filter(is_said) {
            return Ok(agreed.answer);
        }
        let answer = self.ask_may(recipients, limits)?;
        let since = Instant::now();
        let is_yes = !matches!(answer, May::NotBefore { .. });
        self.agreed = is_yes.then_some(Agreed { since, recipients, limits, answer });
        Ok(answer)
    }

    /// To how many this person may send now, as it stands; nothing is promised.
    pub(crate) fn room(&mut self, limits: Limits) -> Result<u32, Fault> {
        let Some((_, user)) = self.person else { return Err(Fault::Away("access")) };
        match self.ask(Kind::Post, &FromSender::Room { user, limits }, &[], MAY_LIMIT)? {
            ToSender::Room(room) => Ok(room),
            _ => Err(Fault::Strange { peer: "post" }),
        }
    }

    /// The same as `agree` for a text that has come.
    pub(crate) fn may_send(&mut self, recipients: u32, limits: Limits) -> Result<May, Fault> {
        match self.agreed.take() {
            Some(agreed)
                if agreed.covers(recipients, limits) && agreed.since.elapsed() < AGREED =>
            {
                // Post will say with its answer whether it holds for another.
                self.asked = Some((agreed.recipients, limits));
                Ok(agreed.answer)
            }
            _ => self.ask_may(recipients, limits),
        }
    }

    /// To how many the next message may go, as far as is known.
    pub(crate) fn ahead(&self) -> u32 {
        let yes = self.agreed.filter(|agreed| agreed.answer == May::Yes);
        yes.map_or(0, |agreed| agreed.recipients)
    }

    fn ask_may(&mut self, recipients: u32, limits: Limits) -> Result<May, Fault> {
        let Some((_, user)) = self.person else { return Err(Fault::Away("access")) };
        let question = FromSender::May { user, recipients, limits };
        self.asked = Some((recipients, limits));
        match self.ask(Kind::Post, &question, &[], MAY_LIMIT)? {
            ToSender::May(None) => Ok(May::Yes),
            ToSender::May(Some(seconds)) => Ok(May::NotBefore { seconds }),
            ToSender::Doubtful => Ok(May::Doubtful),
            ToSender::Pressed => Ok(May::Pressed),
            _ => Err(Fault::Strange { peer: "post" }),
        }
    }

    /// Durable when it is `Queued`. The queue knows a message by its id, so that one whose answer
    /// was lost may be offered again.
    pub(crate) fn queue(
        &mut self,
        outgoing: Outgoing,
        held: &[OwnedFd],
    ) -> Result<ToSender, Fault> {
        let question = FromSender::Queue(Box::new(outgoing));
        let answer = self.ask(Kind::Post, &question, held, QUEUE_LIMIT)?;
        if answer != ToSender::QueuedAndMay {
            return Ok(answer);
        }
        let since = Instant::now();
        let again = self.asked.map(|(recipients, limits)| {
            let answer = May::Yes;
            Agreed { since, recipients, limits, answer }
        });
        self.agreed = again;
        Ok(ToSender::Queued)
    }
}
