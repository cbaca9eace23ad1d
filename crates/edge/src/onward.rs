//! What is passed on: which of it, in whose name and by which way, sealed for the queue.
//!
//! Octet for octet what came, below our fields: the signatures of its authors hold at the next
//! server, too. Only fields that pretend to be ours are missing.

use crate::Fault;
use crate::addressee::{Addressee, Fare};
use crate::fields;
use crate::judgement::{Judged, Passing};
use crate::neighbours::Neighbours;
use copies::Leaving;
use std::collections::HashMap;
use std::fmt::Write;
use std::os::fd::OwnedFd;
use terms::{MessageId, TenantId, UserId};
use wire::directory::{Onward, Path, PublicKey};
use wire::post::{Envelope, Finish, Found, Hop, Outgoing, Receiver, Route};

/// Recipients of one leg. RFC 5321 §4.5.3.1.8: every host takes so many.
const RECIPIENTS: usize = 100;
/// RFC 3461 §4.2.
const ORIGINAL_BYTES: usize = 500;
/// Digests of one question to the directory.
const DIGESTS: usize = 64;
/// Routes of one question to the directory.
const ROUTES: usize = 1_000;

/// A message for the queue, and what lies beside it.
pub(crate) struct Parting {
    pub outgoing: Outgoing,
    pub held: Vec<OwnedFd>,
    /// Addresses of ours that it came for, and those it goes to, as far as they are for `trace`.
    pub whom: Vec<String>,
}

/// An address whose mail goes on, with its mark: a token of the tenant's, so that what comes back
/// is known here and says nothing elsewhere.
struct Marked<'a> {
    addressee: &'a Addressee,
    judged: &'a policy::Judged,
    mark: String,
}

/// What is passed on in one person's name.
struct Party<'a> {
    tenant: TenantId,
    user: UserId,
    transit: &'a PublicKey,
    /// What a gateway's server is told of our judgement.
    verdict: Option<&'a policy::Judged>,
    marks: Vec<String>,
    envelopes: Vec<Envelope>,
    whom: Vec<String>,
}

/// Everything that leaves of a message. Nothing of it, although something should: it has been here
/// before.
pub(crate) fn pass_on(judged: &Judged, house: &mut Neighbours) -> Result<Vec<Parting>, Fault> {
    let passing = judged.passing.iter().filter(|passing| judged.goes_on(passing));
    let passing: Vec<&Passing> = passing.collect();
    if passing.is_empty() {
        return Ok(Vec::new());
    }
    let marked = mark(judged, &passing, house)?;
    let mut parties = parties(judged, &marked, house)?;
    let has_utf8_header = see_octets(judged, &mut parties)?;
    let routes = routes(&parties, house)?;
    let mut partings = Vec::with_capacity(parties.len());
    for party in parties {
        // What is kept here has its own id; what is only passed on has the one that the sender
        // hears.
        let is_first = partings.is_empty() && judged.people.is_empty();
        let id = if is_first { judged.id() } else { MessageId(compartment::random()) };
        partings.push(seal(judged, (party, id), &routes, has_utf8_header, house)?);
    }
    Ok(partings)
}

/// Those whose mail has not been passed on before: what comes back is kept here, and goes no
/// further.
fn mark<'a>(
    judged: &'a Judged,
    passing: &[&'a Passing],
    house: &mut Neighbours,
) -> Result<Vec<Marked<'a>>, Fault> {
    let known = judged.seen.header.as_ref().map(|header| header.passed.as_slice());
    let known = known.unwrap_or_default();
    let mut marked = Vec::with_capacity(passing.len());
    // Of one tenant, nearly always, and then in one question.
    for alike in passing.chunk_by(|one, other| judged.tenant_of(one) == judged.tenant_of(other)) {
        for alike in alike.chunks(DIGESTS) {
            let addressees: Vec<_> =
                alike.iter().filter_map(|passing| judged.addressee(passing)).collect();
            let Some(tenant) = addressees.first().map(|first| first.tenant) else { continue };
            let digest = |of: &&Addressee| trace::digest(&format!("passed {}", of.address));
            let call = house.ask_trace_tokens(tenant, addressees.iter().map(digest).collect());
            let tokens = house.await_trace_tokens(call);
            // Without a mark a loop would turn fifty times.
            if tokens.len() != addressees.len() {
                return Err(Fault::Away("directory"));
            }
            for ((addressee, passing), token) in addressees.iter().zip(alike).zip(tokens) {
                let mark = hexadecimal(&token);
                if !known.iter().any(|known| known.eq_ignore_ascii_case(&mark)) {
                    marked.push(Marked { addressee, judged: &passing.judged, mark });
                }
            }
        }
    }
    Ok(marked)
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn parties<'a>(
    judged: &'a Judged,
    marked: &[Marked<'a>],
    house: &mut Neighbours,
) -> Result<Vec<Party<'a>>, Fault> {
    let mut parties: Vec<Party<'a>> = Vec::new();
    let mut paths = ReturnPaths { from: judged.received.from(), rewritten: HashMap::new() };
    for Marked { addressee, judged: verdict, mark } in marked {
        for way in &addressee.onward {
            let transit = addressee.transit.as_ref().ok_or(Fault::Away("vault"))?;
            let from = paths.for_way(way, addressee.domain(), house)?;
            let whose = (addressee.tenant, way.user);
            let is_theirs = |party: &Party<'_>| (party.tenant, party.user) == whose;
            let at = match parties.iter().position(is_theirs) {
                Some(at) => at,
                None => {
                    let verdict = (addressee.fare() == Fare::Gateway).then_some(*verdict);
                    let (tenant, user) = whose;
                    let (marks, envelopes, whom) = (Vec::new(), Vec::new(), Vec::new());
                    parties.push(Party { tenant, user, transit, verdict, marks, envelopes, whom });
                    parties.len() - 1
                }
            };
            if let Some(party) = parties.get_mut(at) {
                if !party.marks.contains(mark) {
                    party.marks.push(mark.clone());
                }
                party.whom.push(addressee.address.clone());
                // Members of a list are not found: nobody here knows any.
                if way.path == Path::Rewritten {
                    party.whom.push(way.to.clone());
                }
                let permit = judged.permit.unwrap_or_default();
                party.add(judged, (addressee, way), from, permit);
            }
        }
    }
    Ok(parties)
}

impl Party<'_> {
    fn add(
        &mut self,
        judged: &Judged,
        (addressee, way): (&Addressee, &Onward),
        from: String,
        permit: [u8; 16],
    ) {
        let finish = match way.path {
            Path::Null | Path::Word | Path::Report => Finish::AsItIs,
            Path::List => Finish::Spread { permit },
            Path::AsItCame | Path::Rewritten => {
                Finish::Seal { domain: addressee.domain().to_owned() }
            }
        };
        // A gateway's own server knows its addresses' case and details.
        let address = match way.path {
            Path::AsItCame => addressee.written.clone(),
            Path::Rewritten | Path::Null | Path::List | Path::Word | Path::Report => way.to.clone(),
        };
        // RFC 3461 §4.1: nobody on the way writes to a sender who may be anybody; nor to one whose
        // mail is in the mailbox that it was for. What fails then, its owner hears of.
        let never = Some((false, false, false));
        let is_kept = addressee.people.iter().any(|person| person.user == way.user);
        let notify = match judged.proves_sender() && !is_kept {
            // Word of success or delay would come from where it goes, and name that place.
            true if way.path == Path::Rewritten => {
                addressee.wishes.notify.map(|(_, on_failure, _)| (false, on_failure, false))
            }
            true => addressee.wishes.notify,
            false => never,
        };
        let original = addressee.wishes.original.clone().or_else(|| as_written(addressee));
        let receiver = Receiver { address, notify, original };
        let is_same_way = |envelope: &&mut Envelope| {
            envelope.hop == way.hop && envelope.from == from && envelope.finish == finish
        };
        let mut alike: Vec<&mut Envelope> = self.envelopes.iter_mut().filter(is_same_way).collect();
        let is_known = |envelope: &&mut Envelope| {
            envelope.recipients.iter().any(|known| known.address == receiver.address)
        };
        // Two of our addresses may lead to the same one elsewhere.
        if alike.iter().any(is_known) {
            return;
        }
        if let Some(last) = alike.pop().filter(|last| last.recipients.len() < RECIPIENTS) {
            last.recipients.push(receiver);
            return;
        }
        let terms = &judged.received.offered.terms;
        self.envelopes.push(Envelope {
            from,
            hop: way.hop.clone(),
            recipients: vec![receiver],
            returns_all: terms.returns_all,
            envelope_id: terms.envelope_id.clone(),
            require_tls: terms.require_tls,
            has_eight_bits: false,
            needs_utf8: false,
            finish,
            found: Found::of(&judged.seen.findings),
            heard: Vec::new(),
            heedless: judged.seen.header.as_ref().is_some_and(|header| header.is_heedless),
        });
    }
}

/// RFC 3461 §5.2.1: the address that the sender knows, which is all that a notice names.
fn as_written(addressee: &Addressee) -> Option<String> {
    let original = format!("rfc822;{}", smtp::xtext(&addressee.written));
    Some(original).filter(|original| original.len() <= ORIGINAL_BYTES)
}

/// The return paths of one message, asked for once for each domain of ours.
struct ReturnPaths {
    /// As it came; empty: the null sender.
    from: String,
    rewritten: HashMap<String, String>,
}

impl ReturnPaths {
    fn for_way(
        &mut self,
        way: &Onward,
        domain: &str,
        house: &mut Neighbours,
    ) -> Result<String, Fault> {
        match way.path {
            Path::Null => return Ok(String::new()),
            // Of a list's mail, whoever spreads it tells the author what failed.
            Path::AsItCame | Path::List | Path::Word | Path::Report => {
                return Ok(self.from.clone());
            }
            // Nothing of nobody's comes back: the null sender is not rewritten.
            Path::Rewritten if self.from.is_empty() => return Ok(String::new()),
            Path::Rewritten => {}
        }
        if let Some(known) = self.rewritten.get(domain) {
            return Ok(known.clone());
        }
        let rewritten = house.return_path(&self.from, domain)?;
        self.rewritten.insert(domain.to_owned(), rewritten.clone());
        Ok(rewritten)
    }
}

/// Whether the text has octets above 127 (said in each envelope), and whether its header has some
/// that the sender meant so (RFC 6532).
fn see_octets(judged: &Judged, parties: &mut [Party<'_>]) -> Result<bool, Fault> {
    let received = &judged.received;
    let (in_header, anywhere) = received.text.look(|octets| {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
        let header = octets.get(..end.unwrap_or(octets.len())).unwrap_or_default();
        (!header.is_ascii(), !octets.is_ascii())
    })?;
    let envelopes = parties.iter_mut().flat_map(|party| party.envelopes.iter_mut());
    envelopes.for_each(|envelope| envelope.has_eight_bits = anywhere);
    Ok(in_header && received.offered.terms.smtputf8)
}

/// The tokens of all next hops.
fn routes(parties: &[Party<'_>], house: &mut Neighbours) -> Result<HashMap<Hop, Route>, Fault> {
    let mut hops: Vec<Hop> = Vec::new();
    for envelope in parties.iter().flat_map(|party| &party.envelopes) {
        if !hops.contains(&envelope.hop) {
            hops.push(envelope.hop.clone());
        }
    }
    let mut routes = HashMap::with_capacity(hops.len());
    for hops in hops.chunks(ROUTES) {
        let tokens = house.routes(hops)?;
        routes.extend(hops.iter().cloned().zip(tokens));
    }
    Ok(routes)
}

fn seal(
    judged: &Judged,
    (party, message): (Party<'_>, MessageId),
    routes: &HashMap<Hop, Route>,
    has_utf8_header: bool,
    house: &Neighbours,
) -> Result<Parting, Fault> {
    let added = fields::on_passed(judged, party.verdict, &party.marks, house.host_name());
    let of_all = has_utf8_header || !added.is_ascii();
    let mut legs = Vec::with_capacity(party.envelopes.len());
    for mut envelope in party.envelopes {
        let is_ascii = |to: &Receiver| to.address.is_ascii();
        envelope.has_eight_bits |= !added.is_ascii();
        envelope.needs_utf8 =
            of_all || !envelope.from.is_ascii() || !envelope.recipients.iter().all(is_ascii);
        let route = routes.get(&envelope.hop).copied().ok_or(Fault::Away("directory"))?;
        legs.push((envelope, route));
    }
    let leaving = Leaving {
        tenant: party.tenant,
        user: party.user,
        message,
        transit: party.transit,
        at_ms: judged.received.at_ms,
        added: added.as_bytes(),
        bytes: judged.kept_bytes(),
    };
    let forged = &judged.seen.forged;
    let (outgoing, held) = copies::leave(&leaving, &legs, |push| {
        judged.received.text.each_piece(forged, |piece| push(piece).map_err(Fault::Copies))
    })?;
    Ok(Parting { outgoing, held, whom: party.whom })
}
