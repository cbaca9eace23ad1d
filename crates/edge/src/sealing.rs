//! Sealing: from here on nobody in the house can read the message but through the vault.
//!
//! People of one tenant with one verdict get the same octets, so those are sealed once; the key of
//! each content is wrapped to each person. The parts:
//! - summary: length of the added fields (u32, little endian), the added fields, and the scanner's
//!   summary as it came;
//! - body: the added fields, and the message without the forged fields.

use crate::Fault;
use crate::fields;
use crate::judgement::{Judged, Person};
use crate::neighbours::Neighbours;
use seal::{Class, MessageKey, Sealer, WrapContext};
use std::fs::File;
use std::os::fd::OwnedFd;
use terms::{TenantId, Verdict};
use wire::directory::PublicKey;
use wire::mailbox::{Copy, FromEdge, Journey, Place, SealedPart, State};
use wire::{INLINE_BYTES, Parcel};

/// How long quarantined mail waits for somebody to look at it.
const QUARANTINE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Copies in one frame; more follow in further frames of the same arrival.
const COPIES: usize = 40;
/// Digests of one message: the directory takes so many in one question.
const DIGESTS: usize = 64;
/// Reasons recorded for `trace`, the heaviest first.
const REASONS: usize = 16;

/// A message that only its recipients can open.
pub(crate) struct Sealed {
    groups: Vec<Group>,
    journeys: Vec<Journey>,
}

/// The same octets for several people.
struct Group {
    summary: Content,
    body: Content,
    /// Complete but for their contents.
    copies: Vec<Copy>,
}

/// Sealed octets, with the key that opens them as long as there is somebody to wrap it to.
enum Content {
    Memory(Vec<u8>),
    File { file: File, octets: u64 },
}

pub(crate) fn seal(judged: Judged, house: &mut Neighbours) -> Result<Sealed, Fault> {
    let asked = ask_for_tokens(&judged, house);
    let mut groups = Vec::new();
    for (tenant, verdict) in kinds_of(&judged) {
        let people = judged.people.iter().filter(|person| is_of(person, tenant, verdict));
        let people: Vec<&Person> = people.collect();
        let Some(first) = people.first() else { continue };
        let added = fields::on_top(&judged, first, house.host_name());
        groups.push(seal_group(&judged, tenant, &people, added.as_bytes())?);
    }
    let journeys = journeys(&judged, State::Kept, asked, house);
    Ok(Sealed { groups, journeys })
}

fn kinds_of(judged: &Judged) -> Vec<(TenantId, Verdict)> {
    let mut kinds: Vec<_> =
        judged.people.iter().map(|person| (person.tenant, person.judged.verdict)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn is_of(person: &Person, tenant: TenantId, verdict: Verdict) -> bool {
    person.tenant == tenant && person.judged.verdict == verdict
}

fn seal_group(
    judged: &Judged,
    tenant: TenantId,
    people: &[&Person],
    added: &[u8],
) -> Result<Group, Fault> {
    let message = judged.id();
    let text = &judged.received.text;
    let place = |class| seal::Place { tenant, message, class };

    let mut plain = u32::try_from(added.len()).unwrap_or(0).to_le_bytes().to_vec();
    plain.extend_from_slice(added);
    plain.extend_from_slice(&judged.seen.summary);
    let (summary, summary_key) =
        seal::seal_content(&place(Class::Summary), &plain).map_err(Fault::Seal)?;

    let cut: u64 = judged.seen.forged.iter().map(|(start, end)| end - start).sum();
    let size = added.len() as u64 + text.len() - cut;
    let (body, body_key) = seal_body(judged, &place(Class::Body), added, size)?;

    let mut copies = Vec::with_capacity(people.len());
    for person in people {
        copies.push(wrap_for(judged, person, size, &summary_key, &body_key)?);
    }
    Ok(Group { summary: Content::Memory(summary), body, copies })
}

/// A small body is sealed in memory, a large one from memfd to memfd, a chunk at a time.
fn seal_body(
    judged: &Judged,
    place: &seal::Place,
    added: &[u8],
    size: u64,
) -> Result<(Content, MessageKey), Fault> {
    let (text, forged) = (&judged.received.text, &judged.seen.forged);
    let octets = seal::sealed_length(size);
    if octets <= INLINE_BYTES as u64 {
        let mut sealer = Sealer::new(Vec::new(), place).map_err(Fault::Seal)?;
        sealer.push(added).map_err(Fault::Seal)?;
        text.each_piece(forged, |piece| sealer.push(piece).map_err(Fault::Seal))?;
        let (key, sealed) = sealer.finish().map_err(Fault::Seal)?;
        return Ok((Content::Memory(sealed), key));
    }
    let file = Parcel::create().map_err(Fault::Hold)?;
    let mut sealer = Sealer::new(file, place).map_err(Fault::Seal)?;
    sealer.push(added).map_err(Fault::Seal)?;
    text.each_piece(forged, |piece| sealer.push(piece).map_err(Fault::Seal))?;
    let (key, file) = sealer.finish().map_err(Fault::Seal)?;
    Ok((hold(file, octets)?, key))
}

/// Closes a memfd against change.
fn hold(file: File, octets: u64) -> Result<Content, Fault> {
    let mut held = Vec::new();
    Parcel::held(file, octets, &mut held).map_err(Fault::Hold)?;
    let file = held.pop().ok_or(Fault::Strange { peer: "a parcel" })?;
    Ok(Content::File { file: file.into(), octets })
}

fn wrap_for(
    judged: &Judged,
    person: &Person,
    size: u64,
    summary_key: &MessageKey,
    body_key: &MessageKey,
) -> Result<Copy, Fault> {
    let (tenant, user, message) = (person.tenant, person.keys.user, judged.id());
    let wrap = |class, public: &PublicKey, key| {
        let context = WrapContext { tenant, user, message, class };
        let public = seal::public_key(public).map_err(Fault::Seal)?;
        let wrapped = seal::wrap(&public, key, &context).map_err(Fault::Seal)?.encode();
        let content = Parcel::Inline(Vec::new());
        Ok::<_, Fault>(SealedPart { epoch: public.epoch(), wrapped, content })
    };
    let received_ms = judged.received.at_ms;
    let copy = Copy {
        tenant,
        user,
        message,
        place: place_of(person.judged.verdict, received_ms),
        size,
        received_ms,
        verdict: person.judged.verdict,
        summary: wrap(Class::Summary, &person.keys.summary, summary_key)?,
        body: wrap(Class::Body, &person.keys.body, body_key)?,
    };
    Ok(copy)
}

/// Whose verdict is `refuse` while others keep the message finds it in quarantine (architecture
/// §3): the sender has already been told 250.
fn place_of(verdict: Verdict, received_ms: u64) -> Place {
    match verdict {
        Verdict::Deliver | Verdict::Tag => Place::Inbox,
        Verdict::Junk => Place::Junk,
        Verdict::Quarantine | Verdict::Refuse | Verdict::Defer => {
            Place::Quarantine { expires_ms: received_ms.saturating_add(QUARANTINE_MS) }
        }
    }
}

/// A question to the directory that is on its way: for which tenant, and its call.
type Asked = (TenantId, Option<u32>);

/// Asks for each tenant's tokens; there are several tenants only where a message is for several.
pub(crate) fn ask_for_tokens(judged: &Judged, house: &mut Neighbours) -> Vec<Asked> {
    let mut tenants: Vec<TenantId> = judged.people.iter().map(|person| person.tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let ask = |tenant| (tenant, house.ask_trace_tokens(tenant, digests(judged, tenant)));
    tenants.into_iter().map(ask).collect()
}

/// What `trace` will find: one journey for each tenant, under that tenant's tokens.
pub(crate) fn journeys(
    judged: &Judged,
    state: State,
    asked: Vec<Asked>,
    house: &mut Neighbours,
) -> Vec<Journey> {
    let journey = |(tenant, call): Asked| {
        let people = judged.people.iter().filter(|person| person.tenant == tenant);
        let people: Vec<&Person> = people.collect();
        let verdict = people.iter().map(|person| person.judged.verdict).max();
        let verdict = verdict.unwrap_or(Verdict::Deliver);
        let is_readable = |person: &&Person| person.judged.verdict < Verdict::Quarantine;
        let state = match state {
            State::Kept if !people.iter().any(is_readable) => State::Quarantined,
            state => state,
        };
        let reasons = people.first().map(|person| person.judged.reasons.iter());
        let reasons = reasons.into_iter().flatten().take(REASONS);
        Journey {
            tenant,
            message: judged.id(),
            tokens: house.await_trace_tokens(call),
            at_ms: judged.received.at_ms,
            state,
            verdict,
            reasons: reasons.map(|reason| reason.id.clone()).collect(),
            recipients: people.iter().map(|person| person.keys.user).collect(),
        }
    };
    asked.into_iter().map(journey).collect()
}

/// What somebody of this tenant may look for: what stands in the message, and the envelope as far
/// as it is theirs.
fn digests(judged: &Judged, tenant: TenantId) -> Vec<[u8; 32]> {
    let offered = &judged.received.offered;
    let from = offered.from.iter().map(|from| trace::digest(&from.written()));
    let to = offered.addressees.iter().filter(|addressee| addressee.tenant == tenant);
    let to = to.map(|addressee| trace::digest(&addressee.address));
    let mut digests = judged.seen.trace_digests.clone();
    for digest in from.chain(to) {
        if digests.len() < DIGESTS && !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests
}

/// The frames in which a sealed message goes to the mailbox; all but the last say "more".
pub(crate) fn frames(sealed: Sealed) -> Result<Vec<(FromEdge, Vec<OwnedFd>)>, Fault> {
    let Sealed { groups, journeys } = sealed;
    let total: usize = groups.iter().map(|group| group.copies.len()).sum();
    let inline_limit = INLINE_BYTES / total.clamp(1, COPIES);
    let mut frames: Vec<(Vec<Copy>, Vec<OwnedFd>)> = Vec::new();
    for group in groups {
        let summary = held_if_larger(group.summary, inline_limit / 2)?;
        let body = held_if_larger(group.body, inline_limit)?;
        let mut copies = group.copies.into_iter().peekable();
        while copies.peek().is_some() {
            if frames.last().is_none_or(|(copies, _)| copies.len() >= COPIES) {
                frames.push(Default::default());
            }
            let Some((in_frame, held)) = frames.last_mut() else { continue };
            let (summary, body) = (parcel(&summary, held)?, parcel(&body, held)?);
            for mut copy in copies.by_ref().take(COPIES - in_frame.len()) {
                copy.summary.content = summary.clone();
                copy.body.content = body.clone();
                in_frame.push(copy);
            }
        }
    }
    let last = frames.len().saturating_sub(1);
    let mut journeys = Some(journeys);
    let keep = |(number, (copies, held)): (usize, (Vec<Copy>, Vec<OwnedFd>))| {
        let more = number != last;
        let journeys = journeys.take_if(|_| !more).unwrap_or_default();
        (FromEdge::Keep { copies, journeys, more }, held)
    };
    Ok(frames.into_iter().enumerate().map(keep).collect())
}

/// For many people a content is passed once, beside the frame, instead of once for each.
fn held_if_larger(content: Content, limit: usize) -> Result<Content, Fault> {
    use std::io::Write;
    match content {
        Content::Memory(octets) if octets.len() > limit => {
            let mut file = Parcel::create().map_err(Fault::Hold)?;
            file.write_all(&octets).map_err(Fault::Memory)?;
            hold(file, octets.len() as u64)
        }
        content => Ok(content),
    }
}

/// The content as a parcel of the frame whose descriptors are `held`.
fn parcel(content: &Content, held: &mut Vec<OwnedFd>) -> Result<Parcel, Fault> {
    match content {
        Content::Memory(octets) => Ok(Parcel::Inline(octets.clone())),
        Content::File { file, octets } => {
            let place = u8::try_from(held.len()).map_err(|_| Fault::Strange { peer: "a frame" })?;
            held.push(file.try_clone().map_err(Fault::Memory)?.into());
            Ok(Parcel::Held { bytes: *octets, place })
        }
    }
}
