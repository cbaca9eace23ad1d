//! One leg over one connection, and what the outcomes mean for each of its recipients.
//!
//! Where a connection is lost at somebody's name, that one is set aside until the next attempt: the
//! others go without them over the next connection, those first who were not refused before it.

use crate::Fault;
use crate::conversation::{Carried, Conversation, Others};
use crate::fates::{Fate, Leg, Obstacle, Taken};
use crate::opening::Text;
use crate::road::Host;
use courier::{Answer, Broken, Letter, Notify, Outcome, Receiver, Unfit};
use notice::Reason;
use wire::post::{TlsFlaw, WayIn, Why};
use wire::tls_report::Flaw;

/// A letter during which connections broke is not carried over a third one in the same attempt.
const BREAKS: u8 = 2;

/// One leg over one connection, in as many letters as the remote wants and takes. `Some`: the
/// connection broke.
pub(crate) fn pass(
    (conversation, host): (&mut Conversation, &Host),
    leg: &mut Leg,
    text: &Text,
    (letters, others): (&mut usize, &mut dyn Others),
) -> Result<Option<Broken>, Fault> {
    loop {
        let mut places = leg.next_places();
        places.truncate(conversation.courier().recipients().max(1));
        if places.is_empty() || *letters == 0 {
            return Ok(None);
        }
        *letters -= 1;
        let Some(letter) = letter_of(leg, &places, text.len()) else {
            let words = "the address cannot be written on the wire";
            let odd = Obstacle::answered((5, 1, 3), words).because(Reason::UserUnknown);
            leg.settle(|| Fate::Failed(odd.clone()));
            return Ok(None);
        };
        let tells_itself = conversation.courier().extensions().notices;
        let carried = conversation.carry(letter, text, others)?;
        leg.breaks += u8::from(carried.broken.is_some());
        leg.welcome.clear();
        weigh(leg, &places, &carried, (host, tells_itself), conversation);
        set_aside(leg, &places, &carried, &host.name);
        if carried.broken.is_some() {
            return Ok(carried.broken);
        }
    }
}

/// RFC 5321 §4.5.3.1.10: too many at once. Old servers say 552, which may mean a full mailbox.
fn is_too_many(answer: &Answer) -> bool {
    let is_named = answer.enhanced.is_none_or(|(_, subject, detail)| (subject, detail) == (5, 3));
    answer.code == 452 || (answer.code == 552 && is_named)
}

/// What the outcomes mean for the recipients at `places`.
fn weigh(
    leg: &mut Leg,
    places: &[usize],
    carried: &Carried,
    (host, tells): (&Host, bool),
    conversation: &Conversation,
) {
    let remote = host.name.as_str();
    let is_taken = |outcome: &Outcome| matches!(outcome, Outcome::Taken(_));
    let any_taken = carried.outcomes.iter().any(is_taken);
    let many = |answer: &Answer| any_taken && is_too_many(answer);
    for (number, place) in places.iter().enumerate() {
        let fate = match carried.outcomes.get(number) {
            Some(Outcome::Taken(answer)) => Some(Fate::Sent(Taken {
                remote: Some(remote.to_owned()),
                answer: Some(answer.quoted()),
                tells_itself: tells,
                met: conversation.met(),
            })),
            Some(Outcome::Later(answer) | Outcome::Refused(answer)) if many(answer) => None,
            // It was said at another's name.
            Some(Outcome::Later(answer)) if carried.has_companion(number, answer) => {
                let said = Obstacle::said(4, answer).at(remote);
                leg.broke = Some(said.clone());
                (leg.breaks >= BREAKS).then_some(Fate::Left(Some(said)))
            }
            Some(Outcome::Later(answer)) => {
                Some(Fate::Left(Some(Obstacle::said(4, answer).at(remote))))
            }
            // RFC 4954 §6: not the letter is refused, but us, until an operator mends the sign-in.
            Some(Outcome::Refused(answer))
                if host.is_named && matches!(answer.code, 530 | 534 | 535 | 538) =>
            {
                let refused = Obstacle::not_signed_in(&answer.quoted());
                Some(Fate::Left(Some(refused.at(remote))))
            }
            Some(Outcome::Refused(answer)) => {
                Some(Fate::Failed(Obstacle::said(5, answer).at(remote)))
            }
            Some(Outcome::Unfit(unfit)) => {
                let obstacle = Obstacle::answered(unfit.status(), unfit.words());
                let obstacle = match unfit {
                    Unfit::NeedsRequireTls => obstacle.because(Reason::RequireTls),
                    // Nobody refused it: it was not offered.
                    Unfit::NeedsEightBits => obstacle.because(Reason::NeedsEightBits),
                    _ => obstacle,
                };
                Some(Fate::Failed(obstacle.at(remote)))
            }
            Some(Outcome::Unknown(broken)) => {
                if is_nonsense(broken) {
                    leg.broke = Some(nonsense(broken, remote));
                }
                unknown(broken, leg.breaks, carried, remote)
            }
            None => unknown(&Broken::Closed, leg.breaks, carried, remote),
        };
        if let Some(fate) = fate {
            leg.set(*place, fate);
        }
    }
}

impl Carried {
    /// Whether this word ended the connection at the name of another receiver than this one.
    fn has_companion(&self, number: usize, answer: &Answer) -> bool {
        answer.code == 421 && self.stopped_at.is_some_and(|at| at != number)
    }
}

/// Who is at the place where the connection was lost is not tried again in this attempt, and last
/// in the next. Whoever is alone keeps nobody else from theirs.
fn set_aside(leg: &mut Leg, places: &[usize], carried: &Carried, remote: &str) {
    let (Some(at), Some(broken)) = (carried.stopped_at, &carried.broken) else { return };
    let Some(place) = places.get(at).copied() else { return };
    leg.stops.push(place);
    if places.len() == 1 {
        return;
    }
    let open = leg.open();
    leg.welcome = places.iter().take(at).copied().filter(|one| open.contains(one)).collect();
    if open.contains(&place) {
        let obstacle = match is_nonsense(broken) {
            true => nonsense(broken, remote),
            false => Obstacle::broken(&broken.words()).at(remote),
        };
        leg.set(place, Fate::Left(Some(obstacle)));
    }
}

/// No answer. Once the end of the text was written the remote may have taken it, and trying at
/// once elsewhere could mean twice (RFC 1047).
fn unknown(broken: &Broken, breaks: u8, carried: &Carried, remote: &str) -> Option<Fate> {
    match broken {
        Broken::Bare(_) => {
            let words = "the text has a line end that cannot be sent";
            let content = Obstacle::answered((5, 6, 0), words).because(Reason::Content);
            Some(Fate::Failed(content))
        }
        _ if is_nonsense(broken) && (carried.is_ended || breaks >= BREAKS) => {
            Some(Fate::Left(Some(nonsense(broken, remote))))
        }
        _ if carried.is_ended => {
            let taken = Obstacle::maybe_taken(&broken.words()).at(remote);
            Some(Fate::Left(Some(taken)))
        }
        _ if breaks >= BREAKS => {
            Some(Fate::Left(Some(Obstacle::broken(&broken.words()).at(remote))))
        }
        _ => None,
    }
}

/// RFC 3463: X.5.0, something of the protocol.
fn nonsense(broken: &Broken, remote: &str) -> Obstacle {
    Obstacle::answered((4, 5, 0), &broken.words()).because(Reason::Nonsense).at(remote)
}

/// An answer that the protocol does not have there, or nowhere: 999, or 250 to DATA.
fn is_nonsense(broken: &Broken) -> bool {
    match broken {
        Broken::Malformed(_) => true,
        Broken::Shut(answer) => !matches!(answer.code, 400..=599),
        _ => false,
    }
}

/// `None`: an address that is none.
fn letter_of(leg: &Leg, places: &[usize], size: u64) -> Option<Letter> {
    let envelope = &leg.envelope;
    let from = match envelope.from.as_str() {
        "" => None,
        from => Some(smtp::Address::parse(from)?),
    };
    let mut receivers = Vec::with_capacity(places.len());
    for place in places {
        let receiver = leg.receiver(*place)?;
        let notify =
            receiver.notify.map(|(success, failure, delay)| Notify { success, failure, delay });
        receivers.push(Receiver {
            address: smtp::Address::parse_with_any_dots(&receiver.address)?,
            notify,
            original: receiver.original.clone(),
        });
    }
    let returned = envelope.returns_all.map(|all| match all {
        true => smtp::Return::Full,
        false => smtp::Return::Headers,
    });
    Some(Letter {
        from,
        receivers,
        size,
        has_eight_bits: envelope.has_eight_bits,
        needs_utf8: envelope.needs_utf8,
        require_tls: envelope.require_tls,
        returned,
        envelope_id: envelope.envelope_id.clone(),
    })
}

/// What a connection that broke, or was never fit for a letter, says of `host`. `amiss`: what its
/// certificate lacks, where it was looked at.
pub(crate) fn obstacle_of(broken: &Broken, host: &Host, amiss: Option<Flaw>) -> Obstacle {
    let words = broken.words();
    let obstacle = match broken {
        // An answer that was not asked for is as good as none.
        Broken::Unwilling(answer) | Broken::Shut(answer) if !answer.is_positive() => {
            // It is us, or everybody, whom it does not want now: no other letter need try.
            let (class, subject, detail) = answer.status();
            let why = Why::TurnedAway { class, subject, detail };
            Obstacle { why, ..Obstacle::said(4, answer) }
        }
        Broken::NotSignedIn(Some(answer)) if !answer.is_lasting() => {
            Obstacle::no_way_in(WayIn::NotNow, &words)
        }
        Broken::NotSignedIn(Some(_)) => Obstacle::not_signed_in(&words),
        Broken::NotSignedIn(None) => Obstacle::no_way_in(WayIn::NoneOfOurs, &words),
        Broken::NoTls(_) => Obstacle::insecure(TlsFlaw::NotOffered, host.must_prove_itself, &words),
        Broken::TlsFailed(_) | Broken::Injected => {
            let flaw = amiss.map_or(TlsFlaw::NotMade, flaw_of);
            Obstacle::insecure(flaw, host.must_prove_itself, &words)
        }
        // It was reached, and no other letter fares better: a greeting or EHLO that is no answer.
        Broken::Malformed(_) => {
            let why = Why::TurnedAway { class: 4, subject: 5, detail: 0 };
            let said = Obstacle::answered((4, 5, 0), &words).because(Reason::Nonsense);
            Obstacle { why, ..said }
        }
        _ => Obstacle::of(Why::Unreachable, (4, 4, 2), &words),
    };
    obstacle.at(&host.name)
}

/// What reports tell of it (RFC 8460), as those who wait hear it.
fn flaw_of(flaw: Flaw) -> TlsFlaw {
    match flaw {
        Flaw::StartTlsNotSupported => TlsFlaw::NotOffered,
        Flaw::CertificateHostMismatch => TlsFlaw::OtherName,
        Flaw::CertificateExpired => TlsFlaw::Expired,
        Flaw::CertificateNotTrusted => TlsFlaw::NotTrusted,
        Flaw::TlsaInvalid => TlsFlaw::NoRecordMet,
        _ => TlsFlaw::NotMade,
    }
}
