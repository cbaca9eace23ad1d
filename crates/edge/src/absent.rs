//! Answers for people who are away: `notice` says who gets one, this asks whom it takes to know
//! and hands it to the queue. An answer that fails is no answer; the mail is kept all the same.

use crate::Fault;
use crate::addressee::Addressee;
use crate::judgement::Judged;
use crate::neighbours::{Neighbours, Queued, Who, canonical};
use crate::onward::Parting;
use copies::Leaving;
use flight::date;
use notice::absence::{Answer, Came, write};
use smtp::Address;
use terms::{MessageId, UserId, Verdict};
use wire::control::Report;
use wire::directory::{Absence, PublicKey};
use wire::post::{Envelope, Finish, Hop, Limits, Receiver};
use wire::scanner::Header;

/// Each sender hears it once in so long, RFC 3834 §2.
const AGAIN_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// A mail for more people is hardly written to each of them.
const ANSWERS: usize = 16;
/// Whoever makes a person answer more strangers than this uses them to write to others.
const LIMITS: Limits = Limits { in_ten_minutes: 60, in_a_day: 1_000 };

/// Somebody who is away, and the address under which they were written to.
struct Away<'a> {
    addressee: &'a Addressee,
    absence: &'a Absence,
    transit: &'a PublicKey,
}

/// Answers for everybody who is away.
pub(crate) fn answer(judged: &Judged, house: &mut Neighbours) {
    let Some(header) = &judged.seen.header else { return };
    let Some(sender) = &judged.received.offered.from else { return };
    let mut answered: Vec<UserId> = Vec::new();
    for away in judged.received.offered.addressees.iter().filter_map(Away::of).take(ANSWERS) {
        let user = away.absence.user;
        if answered.contains(&user) || !is_due(&away, judged, header, sender) {
            continue;
        }
        answered.push(user);
        if let Err(fault) = answer_one(&away, judged, (header, sender), house) {
            house.report(&Report::Note { text: format!("an answer was not given: {fault}") });
        }
    }
}

impl<'a> Away<'a> {
    fn of(addressee: &'a Addressee) -> Option<Self> {
        let absence = addressee.absence.as_ref()?;
        let transit = addressee.transit.as_ref()?;
        Some(Self { addressee, absence, transit })
    }
}

fn is_due(away: &Away<'_>, judged: &Judged, header: &Header, sender: &Address) -> bool {
    let Addressee { address, written, tenant, .. } = away.addressee;
    let is_person = |person: &&crate::judgement::Person| {
        (person.tenant, person.keys.user) == (*tenant, away.absence.user)
    };
    let person = judged.people.iter().find(is_person);
    let names = |address: &str| header.named.contains(&trace::digest(address));
    let sender = sender.written();
    let came = Came {
        sender: &sender,
        is_automatic: header.is_automatic,
        is_named: names(address) || names(written),
        // One that is marked only because nobody could look into an attachment is a letter, too.
        is_clean: person.is_some_and(|person| {
            let limit = away.addressee.settings.tag_from;
            person.judged.verdict <= Verdict::Tag && person.judged.score < limit
        }),
        address,
    };
    came.is_due()
}

fn answer_one(
    away: &Away<'_>,
    judged: &Judged,
    (header, sender): (&Header, &Address),
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let Some(hop) = hop_to((sender, judged.proves_sender()), away, house)? else { return Ok(()) };
    if !is_first(away, judged, sender, house) || !house.may_send(away.absence.user, LIMITS) {
        return Ok(());
    }
    let parting = compose(away, judged, (header, sender, hop), house)?;
    match house.queue(&parting) {
        Queued::Yes => Ok(()),
        Queued::Full | Queued::Crowded | Queued::No => Err(Fault::Away("post")),
    }
}

/// Where an answer goes. Somebody of ours who writes from outside is here all the same; nobody
/// else is answered whose domain did not prove itself.
fn hop_to(
    (sender, is_proven): (&Address, bool),
    away: &Away<'_>,
    house: &mut Neighbours,
) -> Result<Option<Hop>, Fault> {
    let Some(address) = canonical(sender) else { return Ok(None) };
    match house.who_is(&address) {
        Who::Known(_) => Ok(Some(Hop::Here)),
        // A literal is a machine's address.
        Who::Foreign if !is_proven || sender.domain().starts_with('[') => Ok(None),
        Who::Foreign => house.way(away.addressee.tenant, &sender.written()).map(Some),
        Who::Unknown | Who::Later | Who::Unsaid => Ok(None),
    }
}

/// Whether this sender has not been answered this week.
fn is_first(away: &Away<'_>, judged: &Judged, sender: &Address, house: &mut Neighbours) -> bool {
    let week = judged.received.at_ms / AGAIN_MS;
    let (user, sender) = (away.absence.user, sender.written());
    let digest = trace::digest(&format!("absence {user} <{sender}> {week}"));
    house.is_first_answer(away.addressee.tenant, digest)
}

fn compose(
    away: &Away<'_>,
    judged: &Judged,
    (header, sender, hop): (&Header, &Address, Hop),
    house: &mut Neighbours,
) -> Result<Parting, Fault> {
    let message = MessageId(compartment::random());
    let (from, to) = (&away.addressee.address, sender.written());
    let octets = write(&Answer {
        from,
        to: &to,
        subject: &away.absence.subject,
        answers: &header.subject,
        text: &away.absence.text,
        date: &date(judged.received.at_ms),
        message_id: &format!("{message}@{}", house.host_name()),
        in_reply_to: &header.message_id,
        references: &header.references,
    });
    let routes = house.routes(std::slice::from_ref(&hop))?;
    let route = routes.first().copied().ok_or(Fault::Away("directory"))?;
    let envelope = Envelope {
        // RFC 3834 §3.3: an answer is answered by nobody.
        from: String::new(),
        hop,
        needs_utf8: !to.is_ascii() || !from.is_ascii(),
        recipients: vec![Receiver { address: to, notify: None, original: None }],
        returns_all: None,
        envelope_id: None,
        require_tls: judged.received.offered.terms.require_tls,
        has_eight_bits: !octets.is_ascii(),
        finish: Finish::Sign { domain: away.addressee.domain().to_owned() },
        found: Vec::new(),
        heard: Vec::new(),
        heedless: false,
    };
    let leaving = Leaving {
        tenant: away.addressee.tenant,
        user: away.absence.user,
        message,
        transit: away.transit,
        at_ms: judged.received.at_ms,
        added: b"",
        bytes: octets.len() as u64,
    };
    let (outgoing, held) =
        copies::leave(&leaving, &[(envelope, route)], |push| push(&octets).map_err(Fault::Copies))?;
    Ok(Parting { outgoing, held, whom: Vec::new() })
}
