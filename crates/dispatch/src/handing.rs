//! The story of one message, from the person's hand to the queue.
//!
//! Its types are the stages; what was not examined, weighed and written cannot be sealed, because
//! it does not compile.

use crate::Fault;
use crate::brake::Brake;
use crate::desk::{Addressed, Place, may, own};
use crate::draft::{Draft, Edit};
use crate::header::{Header, is_clean};
use crate::legs::{Common, split};
use crate::letter;
use crate::neighbours::{Neighbours, Who};
use crate::recoding;
use crate::rules::{Weighed, weigh};
use crate::sealing::{Sealed, Under, seal};
use crate::signing::{Canon, sign};
use crate::stop::{Step, Stop};
use flight::{Text, date};
use std::collections::BTreeSet;
use terms::MessageId;
use wire::control::Report;
use wire::directory::{Onward, Path, Sending, server_of};
use wire::dispatch::{Submission, ToAccess};
use wire::mailbox::{Journey, State, TOKENS};
use wire::pages::held_urls;
use wire::post::{Envelope, Hold, Hop, Outgoing, Receiver, ToSender};
use wire::scanner::{Examined as Seen, PASSED};

/// RFC 5321 §4.5.4.1: four or five days, then it goes back.
const LIFE_MS: u64 = 5 * 24 * 60 * 60 * 1000;
/// Of what a message is found by, such as names the domains that it goes to.
const PLACES: usize = 24;

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
    /// Why somebody has to look at what this person sends now, whatever it is.
    doubt: Option<&'static str>,
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

/// A message in the queue, and what is still to be told of it.
pub(crate) struct Queued {
    author: Sending,
    /// The envelope's sender, in the directory's spelling.
    from: Option<String>,
    journey: Journey,
    digests: Vec<[u8; 32]>,
    /// Of one that is held.
    subject: String,
    /// It waits for somebody, until then.
    held_until_ms: Option<u64>,
}

/// From the end of the text to the queue.
pub(crate) fn hand_in(offered: Offered, brake: &mut Brake, house: &mut Neighbours) -> Step<Queued> {
    let received = receive(offered, house)?;
    let examined = examine(received, house)?;
    let allowed = allow(examined, brake, house)?;
    let written = write(allowed, house)?;
    queue(written, house)
}

impl Queued {
    /// What the client is told.
    pub(crate) fn answer(&self, ahead: u32) -> ToAccess {
        let id = self.journey.message;
        let text = match self.held_until_ms {
            None => format!("{id} queued"),
            Some(_) => format!("{id} waits until somebody has looked at it"),
        };
        ToAccess::Queued { text, ahead }
    }

    /// What others are told, when the client has its answer: no mail hangs on it.
    pub(crate) fn tell(self, house: &mut Neighbours) {
        if let Some(until_ms) = self.held_until_ms {
            tell_person(&self, until_ms, house);
        }
        house.tell_journey(self.journey, self.digests);
    }
}

/// The author is a person of ours, and this one: by the header, where the readers look.
fn receive(offered: Offered, house: &mut Neighbours) -> Step<Received> {
    let read = offered.text.look(|octets| {
        if !is_clean(octets) {
            return Err(Stop::no(554, (6, 0), "a line of this message does not end with CRLF"));
        }
        let header = Header::read(octets)?;
        header.stands_once()?;
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
    // Answers of people who are away leave their server with an empty sender, too.
    if offered.from.is_none() && !is_report && !house.is_of_a_server() {
        let text = "only notices of programs go out with an empty sender";
        return Err(Stop::no(550, (7, 1), text));
    }
    let author = author.ok_or(Fault::Strange { peer: "a header" })?;
    let many = u32::try_from(offered.addressed.len()).unwrap_or(u32::MAX);
    let doubt = may(house, many, &author.settings)?;
    let id = MessageId(compartment::random());
    Ok(Received { offered, author, doubt, id, at_ms: compartment::now_ms() })
}

/// No sender: our own people's mail is not authenticated, they are.
fn examine(received: Received, house: &mut Neighbours) -> Step<Examined> {
    let host_name = house.host_name().to_owned();
    let seen = flight::examine(&received.offered.text, None, &host_name, house)?;
    Ok(Examined { received, seen })
}

fn allow(examined: Examined, brake: &mut Brake, house: &mut Neighbours) -> Step<Allowed> {
    let Examined { received, seen } = examined;
    // A customer's server may hand back what our gateway brought it.
    if seen.header.as_ref().is_some_and(|header| header.received > terms::HOPS) {
        let text = "this message comes through too many hosts: it goes round in a circle";
        return Err(Stop::no(554, (4, 6), text));
    }
    if !may_be_spread(&received.offered, &seen) {
        let text = "a mailing list takes no mail of programs or of other lists";
        return Err(Stop::no(550, (7, 1), text));
    }
    let Received { offered, author, id, at_ms, .. } = &received;
    let mut weighed = weigh(&seen, offered.text.len(), &author.settings, *at_ms)?;
    let many = u32::try_from(offered.addressed.len()).unwrap_or(u32::MAX);
    let who = (author.user, offered.submission.client_ip);
    // A server's addresses are agreed upon.
    let odd = if house.is_of_a_server() { None } else { brake.grips(many, who, house) };
    if let Some(reason) = odd.filter(|_| !weighed.is_held()) {
        weighed.hold_for(reason, *at_ms);
    }
    if let Some(reason) = received.doubt.filter(|_| !weighed.is_held()) {
        weighed.hold_for(reason, *at_ms);
    }
    if weighed.is_held() {
        let reason = weighed.reasons.get(1).map_or("", String::as_str);
        let what = held(*id, author, reason);
        house.report(&Report::Attention { what });
    }
    Ok(Allowed { received, seen, weighed })
}

/// Whose message waits, in ids: whoever reads the alarm must know whom to ask.
fn held(id: MessageId, author: &Sending, reason: &str) -> String {
    let tenant = author.tenant;
    match author.user {
        _ if is_of_a_server(author) => {
            format!("outgoing message {id} of a server of tenant {tenant} is held: {reason}")
        }
        user => {
            format!("outgoing message {id} of user {user} of tenant {tenant} is held: {reason}")
        }
    }
}

/// Lists are for what people write (RFC 3834 §2, RFC 2919): the rest could turn in a circle.
fn may_be_spread(offered: &Offered, seen: &Seen) -> bool {
    let is_list = |to: &Addressed| matches!(to.place, Place::List { .. });
    let is_by_person = seen.header.as_ref().is_some_and(|header| !header.is_automatic);
    !offered.addressed.iter().any(is_list) || (offered.from.is_some() && is_by_person)
}

/// Completes the header, takes out what is not for others, signs.
fn write(mut allowed: Allowed, house: &mut Neighbours) -> Step<Written> {
    let received = &allowed.received;
    let notice = notice(received).to_owned();
    let text = &received.offered.text;
    let host_name = house.host_name().to_owned();
    let looked = text.look(|octets| {
        let header = Header::read(octets)?;
        let mut draft = Draft::default();
        for (start, end) in header.withheld() {
            draft.cut(start, end);
        }
        // RFC 8601 §5: nobody but us says in our name what we found.
        for (start, end) in &allowed.seen.forged {
            let place = |at: &u64| usize::try_from(*at).unwrap_or(usize::MAX);
            draft.cut(place(start), place(end).min(header.end));
        }
        set_aside(&header, &mut draft);
        draft.top = lacking(&header, received).into_bytes();
        if house.is_of_a_server() {
            draft.top.extend(marks(&allowed.seen).into_bytes());
        }
        // What a tenant's own server hands in may be signed already: it is passed on.
        let is_whole = match house.is_of_a_server() && notice.trim().is_empty() {
            true => true,
            false => recoding::fit(&mut draft, octets, &header, &notice)?,
        };
        let canon = Canon::of(&draft, octets, header.end);
        let has_utf8_header = recoding::has_utf8_header(&draft, octets, header.end);
        Ok::<_, Stop>((draft, canon, is_whole, (has_utf8_header, header.is_heedless())))
    });
    let (mut draft, canon, is_whole, (has_utf8_header, is_heedless)) = looked??;
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
        // RFC 8689 §5: of both, REQUIRETLS is obeyed.
        heedless: is_heedless && !submission.require_tls,
        has_eight_bits: !canon.is_ascii,
        // RFC 6531 §3.2: an address that is not ASCII stands in it. What a server signed is not
        // looked at: raw octets that it did not announce are old mail's way.
        needs_utf8: !submission.from.is_ascii()
            || (has_utf8_header && (submission.smtputf8 || !house.is_of_a_server())),
        found: wire::post::Found::of(&allowed.seen.findings),
    };
    if !is_whole {
        allowed.weighed.reasons.push("outgoing.notice.left-out".to_owned());
    }
    if common.heedless {
        allowed.weighed.reasons.push("outgoing.tls.not-required".to_owned());
    }
    Ok(Written { allowed, draft, common })
}

/// The text that goes under this message; empty: none. What stays in the house needs none.
fn notice(received: &Received) -> &str {
    let leaves = |to: &Addressed| !matches!(to.place, Place::Here);
    match received.offered.addressed.iter().any(leaves) {
        true => &received.author.settings.notice,
        false => "",
    }
}

/// RFC 6409 §8.2 and §8.3: what a client has left out, or written so that nobody can read it.
fn lacking(header: &Header<'_>, received: &Received) -> String {
    let mut fields = String::new();
    let is_read = |name: &str, reads: fn(&[u8]) -> bool| {
        header.value(name).is_some_and(|value| reads(&value))
    };
    if !is_read("date", is_date) {
        fields.push_str(&format!("Date: {}\r\n", date(received.at_ms)));
    }
    if !is_read("message-id", is_message_id) {
        let domain = &received.author.domain;
        fields.push_str(&format!("Message-ID: <{}@{domain}>\r\n", received.id));
    }
    // RFC 5322 §3.6.2: of several authors, one is who sent it.
    let has_several = header.authors().is_ok_and(|authors| authors.len() > 1);
    let from = &received.offered.submission.from;
    if has_several && !from.is_empty() && header.value("sender").is_none() {
        fields.push_str(&format!("Sender: <{from}>\r\n"));
    }
    fields
}

/// What a tenant's own server passes on may have been here: it stays known by the marks it has.
fn marks(seen: &Seen) -> String {
    let marks = seen.header.iter().flat_map(|header| header.marks());
    marks.map(|mark| format!("{PASSED}: {mark}\r\n")).collect()
}

/// Fields that one of ours takes the place of keep their words under another name.
fn set_aside(header: &Header<'_>, draft: &mut Draft) {
    for (name, reads) in [("date", is_date as fn(&[u8]) -> bool), ("message-id", is_message_id)] {
        if header.value(name).is_some_and(|value| !reads(&value)) {
            for start in header.places(name) {
                draft.change(Edit { start, end: start, with: b"X-Original-".to_vec() });
            }
        }
    }
}

/// RFC 5322 §3.3, as tolerant as readers are.
fn is_date(value: &[u8]) -> bool {
    mime::epoch_seconds(value).is_some()
}

/// RFC 5322 §3.6.4: one id, in its brackets.
fn is_message_id(value: &[u8]) -> bool {
    let inner = value.trim_ascii().strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
    inner.is_some_and(|inner| {
        let at = inner.iter().rposition(|octet| *octet == b'@');
        let is_odd = |octet: &u8| octet.is_ascii_whitespace() || b"<>".contains(octet);
        !inner.iter().any(is_odd) && at.is_some_and(|at| at > 0 && at + 1 < inner.len())
    })
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
fn queue(written: Written, house: &mut Neighbours) -> Step<Queued> {
    let Written { allowed: Allowed { received, seen, weighed }, draft, common } = written;
    let held = weighed.hold.filter(|_| weighed.is_held());
    let (journey, digests) = (journey(&received, &weighed), digests(&received, &seen));
    let Received { offered, author, id, at_ms, .. } = received;
    let envelopes = split(offered.addressed, &common, author.settings.smart_host.as_ref());
    let parcel = Parcel { id, at_ms, hold: weighed.hold, text: &offered.text, draft: &draft };
    commit(&parcel, &author, envelopes, house)?;
    let held_until_ms = held.map(|hold| hold.until_ms);
    // Whoever is told of it wants to know which: of all others nobody looks at it.
    let subject = held_until_ms.map(|_| subject(&seen)).unwrap_or_default();
    let from = offered.from.map(|from| from.address);
    Ok(Queued { author, from, journey, digests, subject, held_until_ms })
}

/// One text and what is done with it.
struct Parcel<'a> {
    id: MessageId,
    at_ms: u64,
    hold: Option<Hold>,
    text: &'a Text,
    draft: &'a Draft,
}

/// Yes means durable.
fn commit(
    parcel: &Parcel<'_>,
    sending: &Sending,
    envelopes: Vec<Envelope>,
    house: &mut Neighbours,
) -> Step<()> {
    let Parcel { id, at_ms, hold, text, draft } = *parcel;
    let words = envelopes.iter().map(|envelope| envelope.hop.word()).collect();
    let routes = house.routes(words)?;
    let legs: Vec<_> = envelopes.into_iter().zip(routes).collect();
    let wrapper = house.wrapper(sending)?;
    let under = Under { sending, message: id, wrapper: &wrapper };
    let Sealed { body, legs, held } = seal(&under, (text, draft), &legs)?;
    let outgoing = Outgoing {
        tenant: sending.tenant,
        user: sending.user,
        message: id,
        size: draft.len(text.len()),
        at_ms,
        expires_ms: at_ms.saturating_add(LIFE_MS),
        hold,
        body,
        legs,
    };
    match house.queue(outgoing, &held)? {
        ToSender::Queued => Ok(()),
        // RFC 3463: 4.3.1 system full.
        ToSender::Full => Err(Stop::no(452, (3, 1), "no room for mail; try again later")),
        ToSender::Crowded => {
            let words = "too much mail of your organisation waits to leave; try again later";
            Err(Stop::no(452, (3, 1), words))
        }
        _ => Err(Fault::Away("the queue").into()),
    }
}

/// A letter about what is held, in the person's INBOX or where their mail goes instead, by the way
/// that all mail goes.
fn tell_person(queued: &Queued, until_ms: u64, house: &mut Neighbours) {
    if let Err(stop) = send_letter(queued, until_ms, house) {
        let (_, note) = stop.answer();
        let why = note.unwrap_or_default();
        house.report(&Report::Note { text: format!("a person was not told what is held: {why}") });
    }
}

fn send_letter(queued: &Queued, until_ms: u64, house: &mut Neighbours) -> Step<()> {
    let Queued { author, journey, subject, .. } = queued;
    let (id, at_ms) = (MessageId(compartment::random()), journey.at_ms);
    let Some((own, ends)) = own_ways(queued, house) else {
        return Err(Fault::Away("an address that is this person's alone").into());
    };
    // Whoever has the links can answer: they stay in the person's own mailbox.
    let is_kept = !is_of_a_server(author) && ends == [(own.clone(), Hop::Here)];
    let links = is_kept.then(|| links(journey.message, until_ms, house)).flatten();
    let (message, reasons) = (journey.message, journey.reasons.as_slice());
    let about = letter::Held { message, subject, reasons, until_ms, links };
    let to = (house.host_name(), own.as_str());
    let written = letter::write(&about, to, (id, at_ms));
    let mut text = Text::new();
    text.push(written.as_bytes())?;
    let text = text.finish()?;
    let envelope = |(address, hop): (String, Hop)| Envelope {
        from: String::new(),
        hop,
        needs_utf8: !address.is_ascii() || !own.is_ascii(),
        // Never: nothing is told about what was only told.
        recipients: vec![Receiver { address, notify: Some((false, false, false)), original: None }],
        returns_all: None,
        envelope_id: None,
        require_tls: false,
        has_eight_bits: !own.is_ascii(),
        finish: wire::post::Finish::AsItIs,
        found: Vec::new(),
        heard: Vec::new(),
        heedless: false,
    };
    let draft = Draft::default();
    let parcel = Parcel { id, at_ms, hold: None, text: &text, draft: &draft };
    let envelopes = ends.into_iter().map(envelope).collect();
    commit(&parcel, author, envelopes, house)
}

/// Where the person says whether it is theirs: yes, and no.
fn links(message: MessageId, until_ms: u64, house: &mut Neighbours) -> Option<(String, String)> {
    if house.pages_url().is_empty() {
        return None;
    }
    let token = house.ask_person(message, until_ms)?;
    Some(held_urls(house.pages_url(), &token))
}

/// An address whose mailbox is this person's and nobody else's, for what is held is theirs to know:
/// what is written there goes no further, wherever else that address leads. Where none of it is
/// kept, it goes where the rest of their mail does; and to a server's address, as all mail for it.
fn own_ways(queued: &Queued, house: &mut Neighbours) -> Option<(String, Vec<(String, Hop)>)> {
    let author = &queued.author;
    let ways = |address: &str, who: Who| -> Vec<(String, Hop)> {
        let Who::Here { users, onward } = who else { return Vec::new() };
        let here = (!users.is_empty()).then(|| (address.to_owned(), Hop::Here));
        if users == [author.user] {
            return here.into_iter().collect();
        }
        let is_theirs = |way: &Onward| way.path == Path::Rewritten && way.user == author.user;
        if !is_of_a_server(author) && !(users.is_empty() && onward.iter().all(is_theirs)) {
            return Vec::new();
        }
        let on = onward.into_iter().filter_map(|way| match way.path {
            Path::AsItCame => Some((address.to_owned(), way.hop)),
            Path::Rewritten => Some((way.to, way.hop)),
            _ => None,
        });
        here.into_iter().chain(on).collect()
    };
    // Who writes as an address of several is told at their own.
    let home = Some(&author.home).filter(|home| !home.is_empty());
    let mut candidates = std::iter::once(&author.address).chain(&queued.from).chain(home);
    candidates.find_map(|address| {
        let ends = ways(address, house.who_is(address));
        (!ends.is_empty()).then(|| (address.clone(), ends))
    })
}

/// A tenant's own server is nobody of ours.
fn is_of_a_server(author: &Sending) -> bool {
    author.user == server_of(author.tenant)
}

/// The subject as the scanner read it: shown to its own author, and to nobody else.
fn subject(seen: &Seen) -> String {
    let summary: Option<mime::Summary> = postcard::from_bytes(&seen.summary).ok();
    summary.map(|summary| summary.subject).unwrap_or_default()
}

/// What `trace` will find, but for its tokens.
fn journey(received: &Received, weighed: &Weighed) -> Journey {
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
        recipients: match received.author.user {
            // A tenant's own server is nobody of ours.
            user if user == server_of(tenant) => Vec::new(),
            user => vec![user],
        },
    }
}

/// What somebody may look for: what stands in the message, and the envelope.
fn digests(received: &Received, seen: &Seen) -> Vec<[u8; 32]> {
    let offered = &received.offered;
    let from = std::iter::once(offered.submission.from.as_str()).filter(|from| !from.is_empty());
    let to = offered.addressed.iter().map(|addressed| addressed.receiver.address.as_str());
    let mut digests = seen.trace_digests.clone();
    // What it is called here, and the Message-ID that it gets where its client gave it none.
    let (id, domain) = (received.id, &received.author.domain);
    let own = [id.to_string(), format!("{id}@{domain}")];
    let own = own.iter().map(String::as_str);
    let domains = to.clone().filter_map(|address| address.rsplit_once('@'));
    let domains = domains.map(|(_, domain)| domain.to_lowercase()).collect::<BTreeSet<_>>();
    let places: Vec<String> =
        domains.iter().flat_map(|domain| trace::places(domain)).take(PLACES).collect();
    let places = places.iter().map(String::as_str);
    for digest in own.chain(from).chain(to).chain(places).map(trace::digest) {
        if digests.len() < TOKENS && !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests
}
