//! Sealing: from here on nobody in the house can read the message but through the vault.
//!
//! People of one tenant with one verdict get the same octets: the message without the forged
//! fields. `copies` seals them.

use crate::Fault;
use crate::fields;
use crate::judgement::{Judged, Person};
use crate::neighbours::Neighbours;
use std::os::fd::OwnedFd;
use terms::{TenantId, Verdict};
use wire::mailbox::{FromEdge, Journey, Place, State};

/// How long quarantined mail waits for somebody to look at it.
const QUARANTINE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Digests of one message: the directory takes so many in one question.
const DIGESTS: usize = 64;
/// Reasons recorded for `trace`, the heaviest first.
const REASONS: usize = 16;

/// A message that only its recipients can open.
pub(crate) struct Sealed {
    groups: Vec<copies::Group>,
    journeys: Vec<Journey>,
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
) -> Result<copies::Group, Fault> {
    let (text, forged) = (&judged.received.text, &judged.seen.forged);
    let received_ms = judged.received.at_ms;
    let cut: u64 = forged.iter().map(|(start, end)| end - start).sum();
    let message = copies::Message {
        tenant,
        message: judged.id(),
        received_ms,
        added,
        summary: &judged.seen.summary,
        bytes: text.len() - cut,
    };
    let mut for_whom = Vec::with_capacity(people.len());
    for Person { keys, judged, .. } in people {
        let place = place_of(judged.verdict, received_ms);
        for_whom.push(copies::Person { keys, place, verdict: judged.verdict });
    }
    copies::seal(&message, &for_whom, |push| {
        text.each_piece(forged, |piece| push(piece).map_err(Fault::Copies))
    })
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

/// The frames in which a sealed message goes to the mailbox.
pub(crate) fn frames(sealed: Sealed) -> Result<Vec<(FromEdge, Vec<OwnedFd>)>, Fault> {
    copies::frames(sealed.groups, sealed.journeys).map_err(Fault::Copies)
}
