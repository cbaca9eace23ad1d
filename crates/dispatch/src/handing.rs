//! The story of one message, from the person's hand to the queue.
//!
//! Its types are the stages; what was not examined, weighed and written cannot be sealed, because
//! it does not compile.

use crate::Fault;
use crate::desk::{Addressed, may, own};
use crate::draft::Draft;
use crate::header::Header;
use crate::legs::{Common, split};
use crate::neighbours::Neighbours;
use crate::rules::{Weighed, weigh};
use crate::sealing::{Sealed, Under, seal};
use crate::signing::{Canon, sign};
use crate::stop::{Step, Stop};
use flight::{Text, date};
use terms::MessageId;
use wire::directory::Sending;
use wire::dispatch::{Submission, ToAccess};
use wire::mailbox::{Journey, State};
use wire::post::{Envelope, Outgoing, Route, ToSender};
use wire::scanner::Examined as Seen;

/// RFC 5321 §4.5.4.1: four or five days, then it goes back.
const LIFE_MS: u64 = 5 * 24 * 60 * 60 * 1000;
/// Digests of one message: the directory takes so many in one question.
const DIGESTS: usize = 64;

/// An envelope that dispatch agreed to, and a text.
pub(crate) struct Offered {
    pub submission: Submission,
    /// `None`: the null sender.
    pub from: Option<Sending>,
    pub addressed: Vec<Addressed>,
    pub text: Text,
}

/// A whole message, in our hands: it has an id and a time of ours, and an author of ours.
struct Received {
    offered: Offered,
    author: Sending,
    id: MessageId,
    at_ms: u64,
}

/// A message and what the scanner said of it.
struct Examined {
    received: Received,
    seen: Seen,
}

/// A message that may leave.
struct Allowed {
    received: Received,
    seen: Seen,
    weighed: Weighed,
}

/// A message as it leaves, signed.
struct Written {
    allowed: Allowed,
    draft: Draft,
    common: Common,
}

/// From the end of the text to its answer.
pub(crate) fn hand_in(offered: Offered, house: &mut Neighbours) -> Step<ToAccess> {
    let received = receive(offered, house)?;
    let examined = examine(received, house)?;
    let allowed = allow(examined, house)?;
    let written = write(allowed, house)?;
    let Written { allowed, draft, common } = written;
    let Allowed { received, seen, weighed } = allowed;
    let journey = journey(&received, &seen, &weighed);
    let digests = digests(&received, &seen);
    let id = received.id;
    queue(received, &weighed, (draft, &common), house)?;
    let tokens = house.trace_tokens(digests);
    house.tell_journey(Journey { tokens, ..journey });
    let text = match weighed.is_held() {
        true => format!("{id} waits until somebody has looked at it"),
        false => format!("{id} queued"),
    };
    Ok(ToAccess::Queued { text })
}

/// The author is a person of ours, and this one: by the header, where the readers look.
fn receive(offered: Offered, house: &mut Neighbours) -> Step<Received> {
    let read = offered.text.look(|octets| {
        let header = Header::read(octets)?;
        Ok::<_, Stop>((header.authors()?, header.spokesmen()?, header.is_report()))
    });
    let (authors, spokesmen, is_report) = read??;
    let mut author = None;
    for address in &authors {
        let theirs = own(house, address)?;
        author.get_or_insert(theirs);
    }
    for address in &spokesmen {
        own(house, address)?;
    }
    if offered.from.is_none() && !is_report {
        let text = "only notices of programs go out with an empty sender";
        return Err(Stop::no(550, (7, 1), text));
    }
    let author = author.ok_or(Fault::Strange { peer: "a header" })?;
    let many = u32::try_from(offered.addressed.len()).unwrap_or(u32::MAX);
    may(house, many, &author.settings)?;
    let id = MessageId(compartment::random());
    Ok(Received { offered, author, id, at_ms: compartment::now_ms() })
}

/// No sender: our own people's mail is not authenticated, they are.
fn examine(received: Received, house: &mut Neighbours) -> Step<Examined> {
    let host_name = house.host_name().to_owned();
    let seen = flight::examine(&received.offered.text, None, &host_name, house)?;
    Ok(Examined { received, seen })
}

fn allow(examined: Examined, _house: &mut Neighbours) -> Step<Allowed> {
    let Examined { received, seen } = examined;
    let settings = &received.author.settings;
    let weighed = weigh(&seen, received.offered.text.len(), settings, received.at_ms)?;
    Ok(Allowed { received, seen, weighed })
}

/// Completes the header, takes out what is not for others, signs.
fn write(allowed: Allowed, house: &mut Neighbours) -> Step<Written> {
    let received = &allowed.received;
    let text = &received.offered.text;
    let host_name = house.host_name().to_owned();
    let looked = text.look(|octets| {
        let header = Header::read(octets)?;
        let mut draft = Draft::default();
        for (start, end) in header.withheld() {
            draft.cut(start, end);
        }
        draft.top = lacking(&header, received).into_bytes();
        let canon = Canon::of(&draft, octets, header.end);
        Ok::<_, Stop>((draft, canon, header.is_ascii(), octets.is_ascii()))
    });
    let (mut draft, canon, header_is_ascii, is_ascii) = looked??;
    let signatures = sign(&canon, &received.author.domain, received.at_ms, house)?;
    let mut top = trace_field(received, &host_name).into_bytes();
    top.extend_from_slice(signatures.as_bytes());
    top.append(&mut draft.top);
    draft.top = top;
    let submission = &received.offered.submission;
    let common = Common {
        from: submission.from.clone(),
        returns_all: submission.returns_all,
        envelope_id: submission.envelope_id.clone(),
        require_tls: submission.require_tls,
        has_eight_bits: !is_ascii,
        // Raw octets in a header that nobody announced are old mail's way, and pass as such.
        needs_utf8: !submission.from.is_ascii() || (submission.smtputf8 && !header_is_ascii),
    };
    Ok(Written { allowed, draft, common })
}

/// RFC 6409 §8.2 and §8.3: what a client has left out.
fn lacking(header: &Header<'_>, received: &Received) -> String {
    let mut fields = String::new();
    if !header.has("date") {
        fields.push_str(&format!("Date: {}\r\n", date(received.at_ms)));
    }
    if !header.has("message-id") {
        let domain = &received.author.domain;
        fields.push_str(&format!("Message-ID: <{}@{domain}>\r\n", received.id));
    }
    fields
}

/// RFC 5321 §4.4, without `from` and `for`: where a person sits when they write is theirs to
/// know, and whom else they write to.
fn trace_field(received: &Received, host_name: &str) -> String {
    let Submission { protocol, tls, .. } = &received.offered.submission;
    let word = |text: &str| text.chars().filter(|l| l.is_ascii_graphic() || *l == ' ').collect();
    let (protocol, tls): (String, Option<String>) = (word(protocol), tls.as_deref().map(word));
    let tls = tls.map(|words| format!("\r\n\t({words})")).unwrap_or_default();
    let (id, date) = (received.id, date(received.at_ms));
    format!("Received: by {host_name} with {protocol} id {id}{tls};\r\n\t{date}\r\n")
}

/// Seals and queues. Recipients of our own house go the same way: one commit, one hold.
fn queue(
    received: Received,
    weighed: &Weighed,
    (draft, common): (Draft, &Common),
    house: &mut Neighbours,
) -> Step<()> {
    let Received { offered, author, id, at_ms } = received;
    let envelopes = split(offered.addressed, common, author.settings.smart_host.as_ref());
    let legs = routed(envelopes, house)?;
    let wrapper = house.wrapper(&author)?;
    let under = Under { sending: &author, message: id, wrapper: &wrapper };
    let Sealed { body, legs, held } = seal(&under, (&offered.text, &draft), &legs)?;
    let outgoing = Outgoing {
        tenant: author.tenant,
        user: author.user,
        message: id,
        size: draft.len(offered.text.len()),
        at_ms,
        expires_ms: at_ms.saturating_add(LIFE_MS),
        hold: weighed.hold,
        body,
        legs,
    };
    match house.queue(outgoing, &held)? {
        ToSender::Queued => Ok(()),
        // RFC 3463: 4.3.1 system full.
        ToSender::Full => Err(Stop::no(452, (3, 1), "no room for mail; try again later")),
        _ => Err(Fault::Away("the queue").into()),
    }
}

fn routed(
    envelopes: Vec<Envelope>,
    house: &mut Neighbours,
) -> Result<Vec<(Envelope, Route)>, Fault> {
    let words = envelopes.iter().map(|envelope| envelope.hop.word()).collect();
    let routes = house.routes(words)?;
    Ok(envelopes.into_iter().zip(routes).collect())
}

/// What `trace` will find, but for its tokens.
fn journey(received: &Received, _seen: &Seen, weighed: &Weighed) -> Journey {
    let tenant = received.author.tenant;
    Journey {
        tenant,
        message: received.id,
        tokens: Vec::new(),
        at_ms: received.at_ms,
        state: State::Queued,
        verdict: weighed.verdict,
        reasons: weighed.reasons.clone(),
        // Whose journey it is: the queue knows how far it has come for whom.
        recipients: vec![received.author.user],
    }
}

/// What somebody may look for: what stands in the message, and the envelope.
fn digests(received: &Received, seen: &Seen) -> Vec<[u8; 32]> {
    let offered = &received.offered;
    let from = std::iter::once(offered.submission.from.as_str()).filter(|from| !from.is_empty());
    let to = offered.addressed.iter().map(|addressed| addressed.receiver.address.as_str());
    let mut digests = seen.trace_digests.clone();
    for digest in from.chain(to).map(trace::digest) {
        if digests.len() < DIGESTS && !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests
}
