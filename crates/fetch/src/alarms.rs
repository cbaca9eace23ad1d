//! An alarm on its way out: to the operator's webhook, or to a relay as a letter. Both were named
//! at the start; the sentinel says only what.

use crate::desk::Desk;
use crate::exchange::{Place, exchange, reach};
use crate::letters::{self, Letter};
use crate::{Fault, request};
use std::time::Instant;
use wire::fetch::{Answer, FromSentinel, ToSentinel, Webhook};

/// A remote's words, as an operator is shown them.
const WORDS: usize = 160;

/// Carries it, or says why not. A fault is the end of this process.
pub(crate) fn carry(
    alarm: &FromSentinel,
    desk: &mut Desk,
    until: Instant,
) -> Result<ToSentinel, Fault> {
    let outward = desk.outward.clone();
    match (alarm, outward.webhook, outward.mail) {
        (FromSentinel::Webhook { timestamp, signature, body }, Some(to), _) => {
            post(&to, (*timestamp, signature, body), desk, until)
        }
        (FromSentinel::Mail { id, subject, text }, _, Some(route)) => {
            letters::send(&route, &Letter { id, subject, text }, desk, until)
        }
        _ => Ok(not_taken("no such route is configured")),
    }
}

fn post(
    to: &Webhook,
    (timestamp, signature, body): (u64, &[u8; 32], &[u8]),
    desk: &mut Desk,
    until: Instant,
) -> Result<ToSentinel, Fault> {
    let Some(request) = request::alarm(to, timestamp, signature, body) else {
        return Ok(not_taken("the webhook's address cannot be written down"));
    };
    let place = Place { port: to.port, at: to.at, from: None, is_anybodys: false };
    let reached = match reach(&to.host, place, desk, until)? {
        Ok(reached) => reached,
        Err(why) => return Ok(not_taken(&why)),
    };
    Ok(match exchange(reached, &request, desk, until) {
        Answer::Got { status, .. } => {
            ToSentinel { is_taken: (200..300).contains(&status), said: format!("HTTP {status}") }
        }
        Answer::Failed(why) => not_taken(&why),
    })
}

pub(crate) fn not_taken(why: &str) -> ToSentinel {
    ToSentinel { is_taken: false, said: plain(why) }
}

/// Nothing that could begin a line, and not too much of it.
pub(crate) fn plain(words: &str) -> String {
    terms::plain::in_a_line(words, WORDS)
}
