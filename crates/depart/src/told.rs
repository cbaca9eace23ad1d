//! Telling the sender: a notice (RFC 3461 to 3464) that only they can open, in their own INBOX; for
//! those who have none that is theirs, and for mail of others that is passed on, see `back`. Nobody
//! is told about mail from nobody.

use crate::Fault;
use crate::back;
use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle};
use crate::neighbours::{Kept, Neighbours, Who, canonical};
use crate::unreturned;
use copies::{Message, Person};
use flight::date;
use notice::{Action, Notice, Original, Reason};
use std::borrow::Cow;
use terms::{MessageId, TenantId, Verdict};
use wire::control::Report;
use wire::directory::{Recipient, Statement, server_of};
use wire::mailbox::Place;
use wire::post::{Finish, Hop};

/// Octets of the mail that a notice gives back whole.
const RETURN_BYTES: u64 = 64 * 1024;

/// Everything that the sender of a leg is to hear of it now.
pub(crate) fn tell_all(leg: &mut Leg, hands: &Hands, house: &mut Neighbours) -> Result<(), Fault> {
    let is_failed = |(place, fate): (usize, &Fate)| match fate {
        Fate::Failed(obstacle) => Some((place, obstacle.clone())),
        _ => None,
    };
    let failed: Vec<(usize, Obstacle)> =
        leg.fates.iter().enumerate().filter_map(is_failed).collect();
    let failed: Vec<(usize, &Obstacle)> = failed.iter().map(|(at, what)| (*at, what)).collect();
    let told = tell(Action::Failed, leg, &failed, hands, house)?;
    let is_untold = |(place, _): &&(usize, &Obstacle)| !told.contains(place);
    let untold: Vec<(usize, &Obstacle)> = failed.iter().filter(is_untold).copied().collect();
    unreturned::keep(leg, &untold, hands, house)?;
    // Whoever was reached, was reached: a success that cannot be told changes nothing.
    for action in [Action::Delivered, Action::Relayed] {
        let taken: Vec<(usize, Obstacle)> = leg
            .fates
            .iter()
            .enumerate()
            .filter_map(|(place, fate)| taken(fate, action).map(|taken| (place, taken)))
            .collect();
        let taken: Vec<(usize, &Obstacle)> = taken.iter().map(|(at, what)| (*at, what)).collect();
        let _ = tell(action, leg, &taken, hands, house);
    }
    Ok(())
}

/// RFC 3461 §5.2.2: into a mailbox it is delivered; to a remote that does not tell, relayed.
fn taken(fate: &Fate, action: Action) -> Option<Obstacle> {
    let Fate::Sent(taken) = fate else { return None };
    let (reason, status) = match (&taken.remote, action) {
        (None, Action::Delivered) => (Reason::Delivered, (2, 1, 5)),
        (Some(_), Action::Relayed) if !taken.tells_itself => (Reason::Relayed, (2, 1, 9)),
        _ => return None,
    };
    let (remote, answer) = (taken.remote.clone(), taken.answer.clone());
    let why = wire::post::Why::Ours;
    Some(Obstacle {
        why,
        status,
        remote,
        answer,
        is_theirs: true,
        reason: Some(reason),
        last: None,
    })
}

/// One notice about those of `who` whose sender wants it. Kept once, however often it is written.
/// Gives the places of those of whom it tells.
pub(crate) fn tell(
    action: Action,
    leg: &mut Leg,
    who: &[(usize, &Obstacle)],
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Vec<usize>, Fault> {
    // A list's bounces are counted, and written to nobody.
    if matches!(leg.envelope.finish, Finish::Copy { .. }) {
        return Ok(Vec::new());
    }
    let sender = Some(leg.envelope.from.as_str()).filter(|sender| !sender.is_empty());
    let is_due = |(place, _): &&(usize, &Obstacle)| {
        let notify = leg.receiver(*place).and_then(|receiver| receiver.notify);
        Notice::is_due(action, sender, notify)
    };
    let due: Vec<(usize, &Obstacle)> = who.iter().filter(is_due).copied().collect();
    let Some(sender) = sender.filter(|_| !due.is_empty()) else { return Ok(Vec::new()) };
    let whom = match sender_of(sender, leg, hands, house)? {
        Some((statement, keys)) => Whom::Person(statement, keys),
        None => match elsewhere(sender, action, (leg, hands.hand.tenant()), house)? {
            Some(whom) => whom,
            // Nobody has the address, or they have left the house since: there is nobody to tell.
            None => return Ok(Vec::new()),
        },
    };
    let text = leg.text(hands, house)?;
    let original = text.head(RETURN_BYTES)?;
    // RFC 8689 §5: of mail that asks for TLS only the header goes back.
    let returns_all = action == Action::Failed
        && !leg.envelope.require_tls
        && leg.envelope.returns_all == Some(true)
        && text.len() <= RETURN_BYTES;
    let original = match returns_all {
        true => Original::Full(&original),
        false => Original::Header(&original),
    };
    let id = notice_id(action, leg, &due);
    let to = match &whom {
        Whom::Person(..) | Whom::Own(_) => leg.envelope.from.as_str(),
        Whom::Outside(way) => way.to.as_str(),
    };
    let is_outside = matches!(whom, Whom::Outside(_));
    let known = |(place, _): &(usize, &Obstacle)| known(leg, *place, is_outside, to);
    let known: Vec<Option<Known<'_>>> = due.iter().map(known).collect();
    if known.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let told = due.iter().zip(&known).filter(|(_, known)| known.is_some());
    let told: Vec<usize> = told.map(|((place, _), _)| *place).collect();
    let due = (due.as_slice(), known.as_slice());
    let whom_to = (&*leg, to, is_outside);
    let octets = written(action, whom_to, due, (id, original), house.host_name());
    match whom {
        Whom::Person(statement, keys) => keep(&octets, id, (&statement, &keys), house)?,
        Whom::Own(way) | Whom::Outside(way) => back::send(&octets, id, way, (leg, hands), house)?,
    }
    Ok(told)
}

/// Somebody who has no mailbox here that is theirs alone.
fn elsewhere(
    sender: &str,
    action: Action,
    (leg, tenant): (&Leg, TenantId),
    house: &mut Neighbours,
) -> Result<Option<Whom>, Fault> {
    if let Some(way) = back::own(sender, (leg, tenant), house)? {
        return Ok(Some(Whom::Own(way)));
    }
    if let Some(way) = back::way(sender, action, (leg, tenant), house)? {
        return Ok(Some(Whom::Outside(way)));
    }
    if action == Action::Failed && !leg.load.is_passed_on {
        let message = leg.load.message;
        let text = format!(
            "depart: nobody could be told that message {message} failed: its sender's address is \
             nobody's of that name"
        );
        house.report(&Report::Note { text });
    }
    Ok(None)
}

/// Who is told.
enum Whom {
    Person(Statement, Recipient),
    /// Their mail goes on.
    Own(back::Way),
    Outside(back::Way),
}

/// A recipient as the sender knows them.
struct Known<'a> {
    address: Cow<'a, str>,
    original: Option<&'a str>,
    /// The recipient that is written to as well: what a remote says of it may be told.
    is_whole: bool,
}

/// `None`: nobody outside knows of this recipient, who stands behind an address of ours.
fn known<'a>(leg: &'a Leg, place: usize, is_outside: bool, to: &str) -> Option<Known<'a>> {
    let receiver = leg.receiver(place)?;
    let (address, original) = (receiver.address.as_str(), receiver.original.as_deref());
    let written = original.and_then(|original| original.split_once(';'));
    let written = written.map(|(_, address)| from_xtext(address));
    // To a list its mail comes under its own address; so it does until it goes on.
    let is_its_own =
        matches!(leg.envelope.finish, Finish::Spread { .. }) || leg.envelope.hop == Hop::On;
    // An ORCPT is the sender's own word: one that guesses where it goes learns nothing more.
    let is_rewritten = !leg.envelope.from.eq_ignore_ascii_case(to)
        || matches!(leg.envelope.finish, Finish::PassedOn { .. });
    match written.filter(|written| is_outside && !written.is_empty()) {
        Some(written) if is_rewritten || !written.eq_ignore_ascii_case(address) => {
            Some(Known { address: Cow::Owned(written), original, is_whole: false })
        }
        None if is_outside && !is_its_own => None,
        _ => Some(Known { address: Cow::Borrowed(address), original, is_whole: true }),
    }
}

/// The keys of the person who sent it, and of nobody else who has the same address.
pub(crate) fn sender_of(
    sender: &str,
    leg: &Leg,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Option<(Statement, Recipient)>, Fault> {
    // A tenant's own server has no mailbox: `back` knows the way to it.
    if leg.load.user == server_of(hands.hand.tenant()) {
        return Ok(None);
    }
    let Some(address) = canonical(sender) else { return Ok(None) };
    match house.who_is(&address) {
        Who::Known(statement) if statement.tenant == hands.hand.tenant() => {
            let is_sender = |keys: &&Recipient| keys.user == leg.load.user;
            let keys = statement.recipients.iter().find(is_sender).cloned();
            Ok(keys.map(|keys| (statement, keys)))
        }
        Who::Known(_) | Who::Unknown | Who::Foreign => Ok(None),
        Who::Later => Err(Fault::Away("directory")),
    }
}

/// Made from what it says, so that a notice which was kept and not counted is not kept twice.
fn notice_id(action: Action, leg: &Leg, due: &[(usize, &Obstacle)]) -> MessageId {
    let mut about = format!("notice {action:?} {} {}", leg.load.message, leg.load.leg);
    let addresses = due.iter().filter_map(|(place, _)| leg.receiver(*place));
    let mut addresses: Vec<&str> = addresses.map(|to| to.address.as_str()).collect();
    addresses.sort_unstable();
    let mut id = [0; 16];
    for address in addresses {
        about = format!("{about} {address}");
        // A chain of digests, for one digest reads only so much.
        id = trace::digest(&about).first_chunk().copied().unwrap_or(id);
        about = MessageId(id).to_string();
    }
    MessageId(id)
}

fn written(
    action: Action,
    (leg, to, is_outside): (&Leg, &str, bool),
    (due, known): (&[(usize, &Obstacle)], &[Option<Known<'_>>]),
    (id, original): (MessageId, Original<'_>),
    host: &str,
) -> Vec<u8> {
    let until = date(leg.load.expires_ms);
    // RFC 3461 §6.3: as it was meant, out of its xtext.
    let meant = |known: &Option<Known<'_>>| known.as_ref()?.original.map(from_xtext);
    let originals: Vec<Option<String>> = known.iter().map(meant).collect();
    let fates: Vec<notice::Fate<'_>> = due
        .iter()
        .zip(known.iter().zip(&originals))
        .filter_map(|((_, obstacle), (known, meant))| {
            let known = known.as_ref()?;
            let words = obstacle.answer.as_deref();
            let answer = words.filter(|_| obstacle.is_theirs && known.is_whole);
            let answer = answer.filter(|words| !is_outside || !names_others(words, known));
            Some(notice::Fate {
                recipient: &known.address,
                original: meant.as_deref(),
                status: obstacle.status,
                reason: match obstacle.reason() {
                    // The address that they wrote to is somebody's.
                    lost if lost.is_lost() && !known.is_whole => Reason::Beyond,
                    reason => reason,
                },
                last: obstacle.last,
                remote: obstacle.remote.as_deref().filter(|_| known.is_whole),
                answer,
                until: (action == Action::Delayed).then_some(until.as_str()),
            })
        })
        .collect();
    let envelope_id = leg.envelope.envelope_id.as_deref().map(from_xtext);
    let (now, arrival) = (date(compartment::now_ms()), date(leg.load.at_ms));
    notice::write(&Notice {
        action,
        host,
        to,
        date: &now,
        arrival: Some(&arrival),
        message_id: &format!("{id}@{host}"),
        boundary: &format!("=_{id}"),
        envelope_id: envelope_id.as_deref(),
        fates,
        original,
    })
}

/// Whether a remote's words have an address in them that is not this recipient's: they may have
/// been said of a text that was for several.
fn names_others(words: &str, known: &Known<'_>) -> bool {
    terms::folded_local(words).replace(&terms::folded_local(&known.address), "").contains('@')
}

pub(crate) fn keep(
    octets: &[u8],
    id: MessageId,
    (statement, keys): (&Statement, &Recipient),
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let summary = postcard::to_stdvec(&mime::summarise(octets)).unwrap_or_default();
    let message = Message {
        tenant: statement.tenant,
        message: id,
        received_ms: compartment::now_ms(),
        // RFC 3464 §2: a notice is from nobody.
        added: b"Return-Path: <>\r\n",
        summary: &summary,
        bytes: octets.len() as u64,
    };
    let person = [Person { keys, place: Place::Inbox, verdict: Verdict::Deliver }];
    let group = copies::seal(&message, &person, None, |push| push(octets))?;
    let frames = copies::frames(vec![group], Vec::new())?;
    match house.keep(&frames) {
        Kept::Yes => Ok(()),
        // A full mailbox has no room for notices either; its owner sees that it is full.
        Kept::OverQuota(_) => Ok(()),
        Kept::Full | Kept::No => Err(Fault::Away("mailbox")),
    }
}

/// RFC 3461 §4: `+` and two hexadecimal digits are one octet.
pub(crate) fn from_xtext(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let octet = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, octet) {
            (b'+', Some(octet)) => {
                octets.push(octet);
                rest = more.get(2..).unwrap_or(&[]);
            }
            _ => {
                octets.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::from_xtext;

    #[test]
    fn xtext() {
        let check = |text: &str, expected: &str| assert_eq!(from_xtext(text), expected);
        check("QQ314159", "QQ314159");
        check("a+2Bb+3D", "a+b=");
        check("+", "+");
        check("+G1", "+G1");
        check("+E3+81+82", "あ");
    }
}
