//! Mail of people of this house to addresses from which it goes on: forwards, groups, and lists of
//! other tenants.
//!
//! An address's own tenant carries it from there: with its source address, smart host, keys and
//! limits, and in the name of whoever set the way up. So what becomes of it there is told of the
//! address that was written to, never of where it goes, and counts as nobody's returns.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle, Taken};
use crate::neighbours::{Kept, Neighbours, Who, canonical};
use crate::opening::Text;
use crate::traced;
use copies::Leaving;
use mime::Summary;
use notice::Reason;
use std::collections::HashSet;
use terms::{MessageId, UserId, Verdict};
use wire::control::Report;
use wire::directory::{FromDepart as Ask, Onward, Path, Statement, ToDepart, guest_of};
use wire::mailbox::{FromEdge, Journey, State};
use wire::post::{Envelope, Finish, FromDepart, Hop, Outgoing, Receiver, ToSender};
use wire::scanner::PASSED;

/// As much of a header as an overview keeps.
const HEADER_BYTES: u64 = 64 * 1024;
/// RFC 3461 §4.2.
const ORIGINAL_BYTES: usize = 500;
const NOBODY: UserId = UserId([0; 8]);

/// Gives everybody of the leg a fate: theirs is done when it is in the queue again.
pub(crate) fn pass_on(leg: &mut Leg, hands: &Hands, house: &mut Neighbours) {
    let mut reached = HashSet::new();
    for place in leg.open() {
        let fate = pass_on_one(leg, place, &mut reached, hands, house).unwrap_or_else(|fault| {
            house.report(&Report::Note { text: format!("depart: {fault}") });
            Fate::Left(Some(Obstacle::ours("it could not be passed on")))
        });
        leg.set(place, fate);
    }
}

/// What a guest's letter may ask of us: to go on from one of our addresses, and nothing else. It
/// comes from another tenant's carrier, who may be taken over.
pub(crate) fn may_be_asked(leg: &Leg, hands: &Hands) -> bool {
    let (hop, finish) = (&leg.envelope.hop, &leg.envelope.finish);
    !is_guest_s(leg, hands)
        || matches!((hop, finish), (Hop::On, Finish::AsItIs) | (Hop::List, Finish::Spread { .. }))
}

/// Whether it was handed over by another tenant's carrier.
pub(crate) fn is_guest_s(leg: &Leg, hands: &Hands) -> bool {
    leg.load.user == guest_of(hands.hand.tenant())
}

fn pass_on_one(
    leg: &mut Leg,
    place: usize,
    reached: &mut HashSet<String>,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Fate, Fault> {
    let Some(receiver) = leg.receiver(place).cloned() else { return Ok(nobody()) };
    let statement = match canonical(&receiver.address).map(|address| house.who_is(&address)) {
        Some(Who::Known(statement)) => statement,
        Some(Who::Later) => return Err(Fault::Away("directory")),
        Some(Who::Unknown | Who::Foreign) | None => return Ok(nobody()),
    };
    if statement.tenant != hands.hand.tenant() {
        return hand_over(leg, &receiver, &statement, hands, house);
    }
    let mut ways = ways(&statement);
    if ways.is_empty() {
        return Ok(nobody());
    }
    // Two of our addresses may lead to the same one.
    ways.retain(|way| reached.insert(way.to.clone()));
    let mark = mark(&statement, house)?;
    let envelopes = envelopes(leg, &receiver, (&statement, ways), hands, house)?;
    let text = leg.text(hands, house)?;
    for (user, envelopes) in envelopes {
        let hops: Vec<Hop> = envelopes.iter().map(|envelope| envelope.hop.clone()).collect();
        let routes = house.routes(&hops)?;
        let leaving = Leaving {
            tenant: statement.tenant,
            user,
            message: again(leg, &statement.address, user),
            transit: &hands.hand.transit(),
            at_ms: compartment::now_ms(),
            added: mark.as_bytes(),
            bytes: text.len(),
        };
        let legs: Vec<_> = envelopes.into_iter().zip(routes).collect();
        match queue((&leaving, &legs), &text, FromDepart::Queue, house)? {
            ToSender::Queued => {}
            _ => return Err(Fault::Away("post")),
        }
        let whom = legs.iter().flat_map(|(envelope, _)| &envelope.recipients);
        let whom: Vec<&str> = whom.map(|receiver| receiver.address.as_str()).collect();
        note_journey(leg, (&text, &statement.address, &whom), &leaving, house);
    }
    Ok(taken())
}

/// To the tenant whose address it is, who knows where it leads. Handed over again it stands there
/// once.
pub(crate) fn hand_over(
    leg: &mut Leg,
    receiver: &Receiver,
    statement: &Statement,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Fate, Fault> {
    // An address that is a third tenant's since: nobody hands on what was handed over.
    if is_guest_s(leg, hands) {
        return Ok(nobody());
    }
    let transit = statement.transit.as_ref().ok_or(Fault::Away("vault"))?;
    // Of its success it is told here.
    let notify = receiver.notify.map(|(_, on_failure, late)| (false, on_failure, late));
    let recipients = vec![Receiver { notify, ..receiver.clone() }];
    let envelope = Envelope { recipients, heard: Vec::new(), ..leg.envelope.clone() };
    let routes = house.routes(std::slice::from_ref(&envelope.hop))?;
    let route = routes.first().copied().ok_or(Fault::Strange { peer: "directory" })?;
    let text = leg.text(hands, house)?;
    let user = guest_of(statement.tenant);
    let leaving = Leaving {
        tenant: statement.tenant,
        user,
        message: again(leg, &statement.address, user),
        transit,
        at_ms: compartment::now_ms(),
        added: b"",
        bytes: text.len(),
    };
    match queue((&leaving, &[(envelope, route)]), &text, FromDepart::HandOver, house)? {
        ToSender::Queued => Ok(taken()),
        ToSender::Full | ToSender::Crowded => {
            let full = Obstacle::of(wire::post::Why::Ours, (4, 3, 1), "their queue is full");
            Ok(Fate::Left(Some(full)))
        }
        _ => Err(Fault::Away("post")),
    }
}

fn queue(
    (leaving, legs): (&Leaving<'_>, &[(Envelope, wire::post::Route)]),
    text: &Text,
    question: fn(Box<Outgoing>) -> FromDepart,
    house: &mut Neighbours,
) -> Result<ToSender, Fault> {
    let (outgoing, held) = copies::leave::<Fault>(leaving, legs, |push| {
        text.each_piece(|piece| push(piece).map_err(Fault::Copies))
    })?;
    house.ask_post(&question(Box::new(outgoing)), &held)
}

/// For those who trace it: the queue is done with what was handed in, and knows how far this has
/// come. It is found by its own id and that of the letter which came here, by the letter's words,
/// and by the addresses of its way. No mail waits for it.
fn note_journey(
    leg: &Leg,
    (text, address, whom): (&Text, &str, &[&str]),
    leaving: &Leaving<'_>,
    house: &mut Neighbours,
) {
    let Summary { message_id, from_address, subject, .. } = overview(text);
    let (own, before) = (leaving.message.to_string(), leg.load.message.to_string());
    let words = [&own, &before, &leg.envelope.from, &message_id, &from_address, &subject];
    let words = words.into_iter().map(String::as_str).chain([address]).chain(whom.iter().copied());
    let journey = Journey {
        tenant: leaving.tenant,
        message: leaving.message,
        tokens: traced::tokens(words, leaving.tenant, house),
        at_ms: leaving.at_ms,
        state: State::PassedOn,
        verdict: Verdict::Deliver,
        reasons: Vec::new(),
        recipients: Some(leaving.user).filter(|user| *user != NOBODY).into_iter().collect(),
    };
    let (copies, journeys) = (Vec::new(), vec![journey]);
    let frame = FromEdge::Keep { copies, journeys, more: false };
    if house.keep(&[(frame, Vec::new())]) != Kept::Yes {
        let text = "depart: what is passed on cannot be traced: the mailbox did not note it";
        house.report(&Report::Note { text: text.to_owned() });
    }
}

/// What a letter's header says; of one that cannot be read, nothing.
fn overview(text: &Text) -> Summary {
    let mut header = text.head(HEADER_BYTES).unwrap_or_default();
    if let Some(end) = header.windows(4).position(|four| four == b"\r\n\r\n") {
        header.truncate(end + 4);
    }
    mime::summarise(&header)
}

/// Under the same id it stands in the queue once, however often it is passed on.
fn again(leg: &Leg, address: &str, user: UserId) -> MessageId {
    let about = format!("onward {} {} {user} {address}", leg.load.message, leg.load.leg);
    let digest = trace::digest(&about);
    MessageId(digest.first_chunk().copied().unwrap_or_default())
}

fn taken() -> Fate {
    Fate::Sent(Taken { remote: None, answer: None, tells_itself: false, met: None })
}

fn nobody() -> Fate {
    let nobody = Obstacle::answered((5, 1, 1), "nobody has this address any more");
    Fate::Failed(nobody.because(Reason::UserUnknown))
}

/// Where it leads today. Somebody who forwarded when it was handed in, and does not any more, has
/// it in their own mailbox.
fn ways(statement: &Statement) -> Vec<Onward> {
    let leads_on = |way: &&Onward| matches!(way.path, Path::Rewritten | Path::AsItCame);
    let ways: Vec<Onward> = statement.onward.iter().filter(leads_on).cloned().collect();
    if !ways.is_empty() || statement.recipients.is_empty() {
        return ways;
    }
    let (user, to) = (NOBODY, statement.address.clone());
    vec![Onward { user, to, hop: Hop::Here, path: Path::Rewritten }]
}

/// By which what comes back is known and goes no further, as `edge` writes it.
fn mark(statement: &Statement, house: &mut Neighbours) -> Result<String, Fault> {
    let digest = trace::digest(&format!("passed {}", statement.address));
    let tokens = house.tokens(statement.tenant, vec![digest]);
    // Without a mark a loop would turn fifty times.
    let token = tokens.first().ok_or(Fault::Away("directory"))?;
    let digits = token.iter().fold(String::new(), |digits, octet| digits + &format!("{octet:02x}"));
    Ok(format!("{PASSED}: {digits}\r\n"))
}

type Party = (UserId, Vec<Envelope>);

/// An envelope for each way, by whose name it goes in.
fn envelopes(
    leg: &Leg,
    receiver: &Receiver,
    (statement, ways): (&Statement, Vec<Onward>),
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<Vec<Party>, Fault> {
    let sender = leg.envelope.from.as_str();
    let leaves = |way: &Onward| way.path == Path::Rewritten && way.hop != Hop::Here;
    let rewritten = match ways.iter().any(leaves) && !sender.is_empty() {
        true => house.return_path(sender, &statement.address)?,
        false => sender.to_owned(),
    };
    let from_guest = is_guest_s(leg, hands);
    // A remote's rules are its own; in the house whoever is not the writer's colleague has some.
    let found = leg.envelope.found.clone();
    let original = receiver.original.clone().or_else(|| as_written(&receiver.address));
    // Word of success or delay would come from where it goes, and name that place.
    let notify = receiver.notify.map(|(_, on_failure, _)| (false, on_failure, false));
    let mut parties: Vec<Party> = Vec::new();
    for way in ways {
        // Kept here as well, it has reached them: its owner hears what fails, not who wrote.
        let is_kept = statement.recipients.iter().any(|person| person.user == way.user);
        let notify = if is_kept { Some((false, false, false)) } else { notify };
        let from = if leaves(&way) { rewritten.clone() } else { sender.to_owned() };
        let address = match way.path {
            Path::AsItCame => receiver.address.clone(),
            _ => way.to,
        };
        let is_utf8 = leg.envelope.needs_utf8 || !address.is_ascii() || !from.is_ascii();
        let envelope = Envelope {
            from,
            found: if way.hop == Hop::Here { found.clone() } else { Vec::new() },
            hop: way.hop,
            recipients: vec![Receiver { address, notify, original: original.clone() }],
            needs_utf8: is_utf8,
            finish: Finish::PassedOn { from_guest },
            heard: Vec::new(),
            ..leg.envelope.clone()
        };
        match parties.iter_mut().find(|(user, _)| *user == way.user) {
            Some((_, envelopes)) => envelopes.push(envelope),
            None => parties.push((way.user, vec![envelope])),
        }
    }
    Ok(parties)
}

/// RFC 3461 §5.2.1: the address that the sender knows, which is all that a notice names.
fn as_written(address: &str) -> Option<String> {
    let original = format!("rfc822;{}", smtp::xtext(address));
    Some(original).filter(|original| original.len() <= ORIGINAL_BYTES)
}

impl Neighbours {
    /// The return path for mail of this sender that goes on from an address of our tenant: SPF
    /// holds where it goes, and what comes back finds its way.
    fn return_path(&mut self, from: &str, address: &str) -> Result<String, Fault> {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        // The house's own name is no tenant's domain.
        if domain.eq_ignore_ascii_case(self.host_name()) {
            return Ok(from.to_owned());
        }
        let question = Ask::ReturnPath { from: from.to_owned(), domain: domain.to_owned() };
        match self.ask_in_our_name(&question)? {
            ToDepart::ReturnPath(path) => Ok(path),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }
}
