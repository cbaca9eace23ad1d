//! Into mailboxes of this house: sealed to each person's keys, kept once.

use crate::Fault;
use crate::absent::{self, Away};
use crate::accepted;
use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle, Taken};
use crate::neighbours::{Kept, Neighbours, Who, canonical};
use crate::traced;
use copies::{Group, Message, Person};
use flight::date;
use mime::Summary;
use notice::Reason;
use policy::{Facts, Judged};
use std::collections::{HashMap, HashSet};
use terms::{Finding, TenantId, UserId, Verdict};
use wire::control::Report;
use wire::directory::{Recipient, Statement};
use wire::mailbox::{Journey, State};
use wire::post::{Finish, Found, Hop};

/// Reasons that a journey keeps, the heaviest first.
const REASONS: usize = 8;
/// Addresses that are followed to see whether they lead back: as many as one may lead to.
const CIRCLE: usize = 100;

/// A person who gets it, and for which of the leg's recipients.
struct Receiving {
    tenant: TenantId,
    keys: Recipient,
    places: Vec<usize>,
    /// By the rules of their own tenant.
    judged: Judged,
}

/// What is sealed for everybody.
struct Letter {
    added: String,
    text: Vec<u8>,
    summary: Summary,
}

/// Gives everybody of the leg a fate.
pub(crate) fn deliver(leg: &mut Leg, hands: &Hands, house: &mut Neighbours) {
    let (mut people, away) = receiving(leg, hands.hand.tenant(), house);
    let letter = match letter(leg, hands, house) {
        Ok(letter) => letter,
        Err(fault) => return put_off(leg, &fault, house),
    };
    // Twice: the second time without those whose mailbox is full.
    for _ in 0..2 {
        if people.is_empty() {
            break;
        }
        match keep(leg, &letter, &people, hands, house) {
            Ok(Kept::Yes) => {
                let has_it = |away: &&Away| {
                    people.iter().any(|person| person.keys.user == away.absence.user)
                };
                let away: Vec<Away> = away.iter().filter(has_it).cloned().collect();
                note_colleagues(leg, &letter, &people, (hands, house));
                for place in people.drain(..).flat_map(|person| person.places) {
                    let taken =
                        Taken { remote: None, answer: None, tells_itself: false, met: None };
                    leg.set(place, Fate::Sent(taken));
                }
                absent::answer(leg, &letter.summary, &away, (hands, house));
            }
            Ok(Kept::OverQuota(full)) => {
                let is_full = |person: &Receiving| full.contains(&person.keys.user);
                for person in people.iter().filter(|person| is_full(person)) {
                    let words = "the mailbox is full";
                    let obstacle = Obstacle::answered((4, 2, 2), words);
                    let fate = Fate::Left(Some(obstacle.because(Reason::MailboxFull)));
                    person.places.iter().for_each(|place| leg.set(*place, fate.clone()));
                }
                people.retain(|person| !is_full(person));
            }
            Ok(Kept::Full) => break,
            Ok(Kept::No) => break,
            Err(fault) => return put_off(leg, &fault, house),
        }
    }
    leg.settle(|| Fate::Left(Some(Obstacle::ours("the mailbox could not keep it"))));
}

/// For those who trace it: who of the sender's own tenant has it. Others' have journeys of theirs.
fn note_colleagues(
    leg: &Leg,
    letter: &Letter,
    people: &[Receiving],
    (hands, house): (&Hands, &mut Neighbours),
) {
    let of = hands.hand.tenant();
    let own = people.iter().filter(|person| !is_from_elsewhere(leg, person.tenant, of));
    let written = |person: &Receiving| {
        let receivers = person.places.iter().filter_map(|place| leg.receiver(*place));
        (person.keys.user, receivers.map(|to| to.address.clone()).collect())
    };
    accepted::note_kept(leg, &letter.summary.header, own.map(written), house);
}

fn put_off(leg: &mut Leg, fault: &Fault, house: &Neighbours) {
    house.report(&Report::Note { text: format!("depart: {fault}") });
    leg.settle(|| Fate::Left(Some(Obstacle::ours("it could not be opened or sealed"))));
}

/// Who the recipients are now, and who of them is away. Those who are nobody any more fail.
fn receiving(leg: &mut Leg, of: TenantId, house: &mut Neighbours) -> (Vec<Receiving>, Vec<Away>) {
    let (mut people, mut away): (Vec<Receiving>, Vec<Away>) = Default::default();
    for place in leg.open() {
        let address = leg.receiver(place).map(|receiver| receiver.address.clone());
        let who =
            address.as_deref().and_then(canonical).map(|address| match &leg.envelope.finish {
                Finish::AsItStood { statement, signature } => {
                    house.who_it_was(&address, statement, signature)
                }
                _ => house.who_is(&address),
            });
        match who {
            // All of it is passed on since: that was to be done when it was handed in.
            Some(Who::Known(statement)) if statement.recipients.is_empty() => {
                leg.set(place, Fate::Failed(kept_by_nobody(&statement, house)));
            }
            Some(Who::Known(statement)) => {
                let tenant = statement.tenant;
                away.extend(
                    statement.absence.clone().zip(address).map(|(absence, address)| Away {
                        tenant,
                        absence,
                        address,
                    }),
                );
                let judged = judged(leg, &statement, of);
                add(&mut people, statement, place, &judged);
            }
            Some(Who::Later) => {
                let obstacle = Obstacle::ours("the directory does not answer");
                leg.set(place, Fate::Left(Some(obstacle)));
            }
            Some(Who::Unknown | Who::Foreign) | None => {
                let nobody = Obstacle::answered((5, 1, 1), "nobody has this address any more");
                leg.set(place, Fate::Failed(nobody.because(Reason::UserUnknown)));
            }
        }
    }
    (people, away)
}

/// All of its mail goes on, since it was handed in or in a circle (RFC 3463: X.4.6).
fn kept_by_nobody(statement: &Statement, house: &mut Neighbours) -> Obstacle {
    if goes_round(statement, house) {
        let words = "the forwards behind this address lead back to it";
        return Obstacle::answered((5, 4, 6), words).because(Reason::Loop);
    }
    let words = "nobody of the house has this address";
    Obstacle::answered((5, 1, 6), words).because(Reason::HasMoved)
}

/// Whether its mail comes back by others in the house who keep none of it.
fn goes_round(statement: &Statement, house: &mut Neighbours) -> bool {
    let next = |statement: &Statement| -> Vec<String> {
        let here = statement.onward.iter().filter(|way| way.hop == Hop::Here);
        here.map(|way| way.to.clone()).collect()
    };
    let (mut left, mut passed) = (next(statement), HashSet::new());
    while let Some(address) = left.pop().filter(|_| passed.len() < CIRCLE) {
        if address == statement.address {
            return true;
        }
        if passed.insert(address.clone())
            && let Who::Known(other) = house.who_is(&address)
            && other.recipients.is_empty()
        {
            left.extend(next(&other));
        }
    }
    false
}

/// What a colleague writes was weighed when it was handed in, by what the tenant lets out; what
/// comes from another tenant, or did come from outside, is judged by what a scanner found.
fn judged(leg: &Leg, statement: &Statement, of: TenantId) -> Judged {
    let found = match is_stranger_s(leg) || is_from_elsewhere(leg, statement.tenant, of) {
        false => &[],
        true => leg.envelope.found.as_slice(),
    };
    let findings: Vec<Finding> = found.iter().map(Found::finding).collect();
    policy::judge(&Facts {
        findings: &findings,
        authentication: None,
        house: &copies::rules(&statement.settings),
        allowed: false,
        waited: false,
    })
}

/// Whether it came from outside, to be passed on to somebody who is in the house by now.
fn is_stranger_s(leg: &Leg) -> bool {
    matches!(leg.envelope.finish, Finish::Seal { .. })
}

/// Whether another tenant's person wrote it: theirs whose batch it is, or whose it was before.
fn is_from_elsewhere(leg: &Leg, tenant: TenantId, of: TenantId) -> bool {
    tenant != of || leg.envelope.finish == Finish::PassedOn { from_guest: true }
}

fn add(people: &mut Vec<Receiving>, statement: Statement, place: usize, judged: &Judged) {
    let tenant = statement.tenant;
    for keys in statement.recipients {
        match people.iter_mut().find(|person| person.keys.user == keys.user) {
            Some(person) => person.places.push(place),
            None => {
                let (places, judged) = (vec![place], judged.clone());
                people.push(Receiving { tenant, keys, places, judged });
            }
        }
    }
}

/// The text, its overview, and what stands on top. It is mail that a person of this very tenant
/// wrote: what taking it apart could do to us, it does to its own tenant's batch.
fn letter(leg: &mut Leg, hands: &Hands, house: &mut Neighbours) -> Result<Letter, Fault> {
    let text = leg.text(hands, house)?.whole()?;
    let summary = mime::summarise(&text);
    // RFC 5321 §4.4. Who handed it in, and when, its own Received says.
    let added = format!(
        "Return-Path: <{}>\r\nReceived: by {} id {};\r\n\t{}\r\n",
        leg.envelope.from,
        house.host_name(),
        leg.load.message,
        date(compartment::now_ms()),
    );
    Ok(Letter { added, text, summary })
}

fn keep(
    leg: &Leg,
    letter: &Letter,
    people: &[Receiving],
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Kept, Fault> {
    let mut by_tenant: HashMap<TenantId, Vec<&Receiving>> = HashMap::new();
    for person in people {
        by_tenant.entry(person.tenant).or_default().push(person);
    }
    let now = compartment::now_ms();
    let summary = postcard::to_stdvec(&letter.summary).unwrap_or_default();
    let (mut groups, mut journeys): (Vec<Group>, Vec<Journey>) = Default::default();
    for (tenant, people) in by_tenant {
        // One tenant has one set of rules.
        let from_elsewhere = is_from_elsewhere(leg, tenant, hands.hand.tenant());
        let field = people.first().filter(|_| from_elsewhere);
        let field = field.map(|person| copies::verdict_field(&person.judged));
        let added = letter.added.clone() + &field.unwrap_or_default();
        let message = Message {
            tenant,
            message: leg.load.message,
            received_ms: now,
            added: added.as_bytes(),
            summary: &summary,
            bytes: letter.text.len() as u64,
        };
        let mut for_whom = Vec::with_capacity(people.len());
        for Receiving { keys, judged, .. } in &people {
            let (place, verdict) = (copies::place_of(judged.verdict, now), judged.verdict);
            for_whom.push(Person { keys, place, verdict });
        }
        groups.push(copies::seal(&message, &for_whom, None, |push| {
            push(&letter.text).map_err(Fault::Copies)
        })?);
        // The sender's own tenant has the journey that began when it was handed in.
        if from_elsewhere {
            journeys.push(journey(leg, letter, (tenant, &people), house));
        }
    }
    let frames = copies::frames(groups, journeys)?;
    Ok(house.keep(&frames))
}

fn journey(
    leg: &Leg,
    letter: &Letter,
    (tenant, people): (TenantId, &[&Receiving]),
    house: &mut Neighbours,
) -> Journey {
    let recipients: Vec<UserId> = people.iter().map(|person| person.keys.user).collect();
    let places = people.iter().flat_map(|person| &person.places);
    let to = places.filter_map(|place| leg.receiver(*place)).map(|to| &to.address);
    let summary = &letter.summary;
    let id = leg.load.message.to_string();
    let words =
        [&id, &leg.envelope.from, &summary.message_id, &summary.from_address, &summary.subject];
    let words = words.into_iter().chain(to).map(String::as_str);
    let judged = people.first().map(|person| &person.judged);
    let verdict = judged.map_or(Verdict::Deliver, |judged| judged.verdict);
    let reasons = judged.map_or(&[][..], |judged| &judged.reasons);
    let reasons = reasons.iter().take(REASONS).map(|reason| reason.id.clone()).collect();
    Journey {
        tenant,
        message: leg.load.message,
        tokens: traced::tokens(words, tenant, house),
        at_ms: compartment::now_ms(),
        state: if verdict < Verdict::Quarantine { State::Kept } else { State::Quarantined },
        verdict,
        reasons,
        recipients,
    }
}
