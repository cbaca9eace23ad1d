//! Answers of people who are away to people of the house who write to them. They are kept in the
//! writer's own INBOX, as notices are; whoever writes from outside is answered by an `edge`.
//! An answer that fails is no answer: the mail is kept all the same.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::Leg;
use crate::neighbours::Neighbours;
use crate::told::{keep, sender_of};
use flight::date;
use mime::{Entry, Summary};
use notice::absence::{Answer, Came, is_automatic, write};
use terms::{MessageId, TenantId};
use wire::control::Report;
use wire::directory::Absence;

/// Each sender hears it once in so long, RFC 3834 §2.
const AGAIN_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// A mail for more people is hardly written to each of them.
const ANSWERS: usize = 16;

/// Somebody who is away, and the address under which they were written to.
#[derive(Clone)]
pub(crate) struct Away {
    pub tenant: TenantId,
    pub absence: Absence,
    pub address: String,
}

/// Answers for those of whom the mail was kept.
pub(crate) fn answer(
    leg: &Leg,
    summary: &Summary,
    away: &[Away],
    (hands, house): (&Hands, &mut Neighbours),
) {
    for away in away.iter().take(ANSWERS).filter(|away| is_due(away, leg, summary)) {
        if let Err(fault) = answer_one(away, leg, summary, (hands, house)) {
            house.report(&Report::Note { text: format!("an answer was not given: {fault}") });
        }
    }
}

fn is_due(away: &Away, leg: &Leg, summary: &Summary) -> bool {
    let fields = mime::fields(&summary.header);
    let names = |(name, value): &(String, Vec<u8>)| {
        let is_it = |entry: &Entry| match entry {
            Entry::Mailbox(one) => one.address().eq_ignore_ascii_case(&away.address),
            _ => false,
        };
        matches!(name.as_str(), "to" | "cc" | "resent-to" | "resent-cc")
            && mime::addresses(value).iter().any(is_it)
    };
    let came = Came {
        sender: &leg.envelope.from,
        is_automatic: fields.iter().any(|(name, value)| is_automatic(name, value)),
        is_named: fields.iter().any(names),
        // It was judged before it was queued.
        is_clean: true,
        address: &away.address,
    };
    came.is_due()
}

fn answer_one(
    away: &Away,
    leg: &Leg,
    summary: &Summary,
    (hands, house): (&Hands, &mut Neighbours),
) -> Result<(), Fault> {
    let sender = leg.envelope.from.as_str();
    let Some((statement, keys)) = sender_of(sender, leg, hands, house)? else { return Ok(()) };
    let now = compartment::now_ms();
    let (user, week) = (away.absence.user, now / AGAIN_MS);
    let digest = trace::digest(&format!("absence {user} <{sender}> {week}"));
    if user == keys.user || !house.is_first_answer(away.tenant, digest) {
        return Ok(());
    }
    // The same however often the letter is carried: it is kept once.
    let id = trace::digest(&format!("absence {user} {}", leg.load.message));
    let id = MessageId(id.first_chunk().copied().unwrap_or_default());
    let octets = write(&Answer {
        from: &away.address,
        to: sender,
        subject: &away.absence.subject,
        answers: &summary.subject,
        text: &away.absence.text,
        date: &date(now),
        message_id: &format!("{id}@{}", house.host_name()),
        in_reply_to: &summary.message_id,
        references: "",
    });
    keep(&octets, id, (&statement, &keys), house)
}
