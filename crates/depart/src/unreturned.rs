//! What was passed on, came to nothing, and cannot be returned, because nothing proves who sent it
//! or nobody did: a notice to whoever stands in its envelope could go to anybody (backscatter). It
//! is not lost for that. Whoever passes their mail on finds the letter in their own mailbox; where
//! that is nobody, as behind a gateway, whoever answers for the tenant hears of it.
//!
//! Strangers cause it at will, so each kind of notice is bounded.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::{Leg, Obstacle};
use crate::neighbours::{Kept, Neighbours, Who};
use crate::told;
use copies::{Message, Person};
use flight::date;
use notice::Reason;
use notice::unreturned::{Left, Letter, write};
use policy::Facts;
use terms::{Finding, MessageId, TenantId, UserId};
use wire::control::Report;
use wire::directory::{FromDepart as Ask, Recipient, Stated, Statement, ToDepart, own_mailbox};
use wire::post::{Finish, Found, Hop};

/// Octets of a letter that are read for who wrote it, and of what.
const HEAD_BYTES: u64 = 64 * 1024;
/// Notices to who answers for a tenant, in an hour; the words of the notice say so.
const AN_HOUR: u32 = 10;
const HOUR_MS: u64 = 60 * 60 * 1000;
/// Alarms about a tenant of which nobody is told: one in six hours at most.
const ALARM_MS: u64 = 6 * HOUR_MS;
const NOBODY: UserId = UserId([0; 8]);

/// One recipient who did not get it, and why.
type Lost<'a> = (usize, &'a Obstacle);

/// Keeps what was passed on for whoever passed it on, and tells them. What cannot be kept now is
/// tried again.
pub(crate) fn keep(
    leg: &mut Leg,
    untold: &[Lost<'_>],
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<(), Fault> {
    // What an operator cancels is not to come back by another way.
    let is_lost = |(_, obstacle): &&Lost<'_>| obstacle.reason() != Reason::Cancelled;
    let lost: Vec<Lost<'_>> = untold.iter().filter(is_lost).copied().collect();
    let goes_on = matches!(leg.envelope.finish, Finish::Seal { .. } | Finish::PassedOn { .. });
    if lost.is_empty() || !goes_on || leg.envelope.hop == Hop::On {
        return Ok(());
    }
    let (tenant, user) = (hands.hand.tenant(), leg.load.user);
    let own = match user == NOBODY {
        true => None,
        false => house.own_mailbox(tenant, user)?,
    };
    if let Some(own) = own {
        let left = match own.keeps {
            true => Some(Left::Copied),
            false => keep_letter(leg, &own, hands, house)?.then_some(Left::Kept),
        };
        if let Some(left) = left {
            return tell_person(leg, &lost, (&own, left), hands, house);
        }
    }
    tell_administrator(leg, &lost, hands, house)
}

/// The letter as it was passed on, judged by the rules of the reader's tenant. `false`: their
/// mailbox is full.
fn keep_letter(
    leg: &mut Leg,
    own: &Own,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<bool, Fault> {
    let text = leg.text(hands, house)?.whole()?;
    let findings: Vec<Finding> = leg.envelope.found.iter().map(Found::finding).collect();
    let judged = policy::judge(&Facts {
        findings: &findings,
        authentication: None,
        house: &copies::rules(&own.statement.settings),
        allowed: false,
        waited: false,
    });
    let now = compartment::now_ms();
    let summary = postcard::to_stdvec(&mime::summarise(&text)).unwrap_or_default();
    let added = format!(
        "Return-Path: <{}>\r\nReceived: by {} id {};\r\n\t{}\r\n{}",
        leg.envelope.from,
        house.host_name(),
        leg.load.message,
        date(now),
        copies::verdict_field(&judged),
    );
    let message = Message {
        tenant: own.statement.tenant,
        // The mailbox keeps it once, to however many it went on.
        message: leg.load.message,
        received_ms: now,
        added: added.as_bytes(),
        summary: &summary,
        bytes: text.len() as u64,
    };
    let (place, verdict) = (copies::place_of(judged.verdict, now), judged.verdict);
    let person = [Person { keys: &own.keys, place, verdict }];
    let group = copies::seal(&message, &person, None, |push| push(&text).map_err(Fault::Copies))?;
    match house.keep(&copies::frames(vec![group], Vec::new())?) {
        Kept::Yes => Ok(true),
        Kept::OverQuota(_) => Ok(false),
        Kept::Full | Kept::No => Err(Fault::Away("mailbox")),
    }
}

/// Once a week for each address that takes nothing: what is kept speaks for itself.
fn tell_person(
    leg: &mut Leg,
    lost: &[Lost<'_>],
    (own, left): (&Own, Left),
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<(), Fault> {
    for (place, obstacle) in lost {
        let onward = leg.receiver(*place).map(|to| to.address.clone()).unwrap_or_default();
        let about = trace::digest(&format!("unreturned {} {onward}", own.keys.user));
        if house.is_first_answer(hands.hand.tenant(), about) {
            tell(leg, (*place, obstacle), (own, left), hands, house)?;
        }
    }
    Ok(())
}

fn tell_administrator(
    leg: &mut Leg,
    lost: &[Lost<'_>],
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let tenant = hands.hand.tenant();
    let Some(own) = house.own_mailbox(tenant, NOBODY)? else {
        untold(leg.load.message, tenant, house);
        return Ok(());
    };
    let hour = compartment::now_ms() / HOUR_MS;
    for (place, obstacle) in lost {
        let free = |slot: u32| {
            let about = trace::digest(&format!("unreturned of nobody {hour} {slot}"));
            house.is_first_answer(tenant, about)
        };
        if !(0..AN_HOUR).any(free) {
            break;
        }
        tell(leg, (*place, obstacle), (&own, Left::Nowhere), hands, house)?;
    }
    Ok(())
}

/// Whoever runs the house hears that a tenant's mail is lost without a word, at once and then so
/// often: strangers cause it at will.
fn untold(message: MessageId, tenant: TenantId, house: &mut Neighbours) {
    let text = format!(
        "depart: message {message} was passed on and failed; nobody could be told: its tenant has \
         nobody who answers for it"
    );
    house.report(&Report::Note { text });
    let turn = compartment::now_ms() / ALARM_MS;
    if house.is_first_answer(tenant, trace::digest(&format!("unreturned and untold {turn}"))) {
        // An entry of the ledger, which holds 160 octets.
        let what = format!(
            "mail of tenant {tenant} failed and nobody could be told: add somebody who answers \
             for it: user add ADDRESS --tenant T --role tenant-admin"
        );
        house.report(&Report::Attention { what });
    }
}

/// One notice, kept once however often it is written.
fn tell(
    leg: &mut Leg,
    (place, obstacle): Lost<'_>,
    (own, left): (&Own, Left),
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let Some(receiver) = leg.receiver(place).cloned() else { return Ok(()) };
    // Who answers for a tenant reads nobody's mail: they hear of its envelope.
    let summary = match left {
        Left::Nowhere => None,
        Left::Kept | Left::Copied => {
            Some(mime::summarise(&leg.text(hands, house)?.head(HEAD_BYTES)?))
        }
    };
    let from = summary.as_ref().map_or(leg.envelope.from.as_str(), |mail| &mail.from_address);
    let written = receiver.original.as_deref().and_then(|original| original.split_once(';'));
    let address = written.map(|(_, address)| told::from_xtext(address));
    let about = format!("unreturned {} {} {place}", leg.load.message, leg.load.leg);
    let id = MessageId(trace::digest(&about).first_chunk().copied().unwrap_or_default());
    let host_name = house.host_name().to_owned();
    let octets = write(&Letter {
        left,
        address: address.as_deref().unwrap_or(&receiver.address),
        onward: &receiver.address,
        reason: obstacle.reason(),
        last: obstacle.last,
        answer: obstacle.answer.as_deref().filter(|_| obstacle.is_theirs),
        from,
        subject: summary.as_ref().map(|mail| mail.subject.as_str()),
        id: &leg.load.message.to_string(),
        host_name: &host_name,
        date: &date(compartment::now_ms()),
        message_id: &format!("{id}@{host_name}"),
    });
    told::keep(&octets, id, (&own.statement, &own.keys), house)
}

/// Somebody's own mailbox, by the vault's word.
pub(crate) struct Own {
    statement: Statement,
    keys: Recipient,
    /// A copy stays there of what goes on.
    keeps: bool,
}

impl Neighbours {
    /// That of this person; of nobody, of who answers for the tenant. `None`: there is none.
    fn own_mailbox(&mut self, tenant: TenantId, user: UserId) -> Result<Option<Own>, Fault> {
        let (statement, signature, keeps) = match self.ask_in_our_name(&Ask::Own(user))? {
            ToDepart::Own(Stated::Known { statement, signature }, keeps) => {
                (statement, signature, keeps)
            }
            ToDepart::Own(Stated::Unknown, _) => return Ok(None),
            ToDepart::Own(..) => return Err(Fault::Away("vault")),
            _ => return Err(Fault::Strange { peer: "directory" }),
        };
        // Whose it is, its name says; that it is theirs, the vault does.
        let said: Option<Statement> = postcard::from_bytes(&statement).ok();
        let whose = said.and_then(|said| said.recipients.first().map(|keys| keys.user));
        let whose = whose.filter(|whose| user == NOBODY || *whose == user);
        let whose = whose.ok_or(Fault::Strange { peer: "directory" })?;
        match self.believe(&own_mailbox(tenant, whose), &statement, &signature) {
            Who::Known(statement) => {
                let keys = statement.recipients.first().cloned();
                Ok(keys.map(|keys| Own { statement, keys, keeps }))
            }
            _ => Err(Fault::Away("vault")),
        }
    }
}
