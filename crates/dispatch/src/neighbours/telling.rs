//! What is told behind an answer: journeys for `trace`, several together. No mail hangs on it: the
//! queue has it, and a journey that is lost with its instance is a line of `trace`.

use super::Neighbours;
use crate::Fault;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::directory::{FromDispatch, ToDispatch};
use wire::mailbox::{FromEdge, JOURNEYS, Journey, TOKENS, ToEdge};

/// The messages are queued already: their trace is not worth a client's patience.
const JOURNEY_LIMIT: Duration = Duration::from_secs(1);
/// How long a journey waits for others: nobody asks for one sooner than that.
const COMPANY: Duration = Duration::from_millis(200);

/// Journeys that nobody was told of yet, each with the digests that its tokens are made from.
#[derive(Default)]
pub(super) struct Untold {
    since: Option<Instant>,
    journeys: Vec<(Journey, Vec<[u8; 32]>)>,
}

impl Untold {
    pub(super) fn is_due(&self) -> bool {
        self.journeys.len() >= JOURNEYS || self.patience().is_some_and(|left| left.is_zero())
    }

    /// How long they still wait; `None`: there are none.
    pub(super) fn patience(&self) -> Option<Duration> {
        Some(COMPANY.saturating_sub(self.since?.elapsed()))
    }

    fn digests(&self) -> usize {
        self.journeys.iter().map(|(_, digests)| digests.len()).sum()
    }
}

impl Neighbours {
    /// Has this journey told before long.
    pub(crate) fn tell_journey(&mut self, journey: Journey, digests: Vec<[u8; 32]>) {
        if self.untold.digests() + digests.len() > TOKENS {
            self.tell_journeys();
        }
        self.untold.since.get_or_insert_with(Instant::now);
        self.untold.journeys.push((journey, digests));
    }

    /// Its loss is no loss of mail.
    pub(super) fn tell_journeys(&mut self) {
        let untold = std::mem::take(&mut self.untold).journeys;
        if untold.is_empty() || !self.channels.contains_key(&Kind::Mailbox) {
            return;
        }
        let (mut journeys, digests): (Vec<Journey>, Vec<Vec<[u8; 32]>>) =
            untold.into_iter().unzip();
        let mut tokens = self.trace_tokens(digests.concat()).into_iter();
        for (journey, digests) in journeys.iter_mut().zip(&digests) {
            journey.tokens = tokens.by_ref().take(digests.len()).collect();
        }
        let keep = FromEdge::Keep { copies: Vec::new(), journeys, more: false };
        let _: Result<ToEdge, Fault> = self.ask(Kind::Mailbox, &keep, &[], JOURNEY_LIMIT);
    }

    /// Keyed hashes that `trace` finds a message by. Without them it is found by nobody's search.
    fn trace_tokens(&mut self, digests: Vec<[u8; 32]>) -> Vec<[u8; 16]> {
        let many = digests.len();
        match self.ask(Kind::Directory, &FromDispatch::Tokens(digests), &[], JOURNEY_LIMIT) {
            // Fewer, and nobody knows whose they are.
            Ok(ToDispatch::Tokens(tokens)) if tokens.len() == many => tokens,
            _ => Vec::new(),
        }
    }
}
