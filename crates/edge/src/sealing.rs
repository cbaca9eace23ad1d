//! Sealing: from here on nobody in the house can read the message but through the vault.
//!
//! People of one tenant with one verdict get the same octets: the message without the forged
//! fields. `copies` seals them.

use crate::Fault;
use crate::fields;
use crate::judgement::{Judged, Passing, Person};
use crate::neighbours::Neighbours;
use crate::onward::Parting;
use compartment::{Lender, Loan};
use std::os::fd::OwnedFd;
use terms::{TenantId, UserId, Verdict};
use wire::directory::Path;
use wire::mailbox::{FromEdge, Journey, State, TOKENS};

/// Reasons recorded for `trace`, the heaviest first.
const REASONS: usize = 16;

/// A message that only its recipients can open.
pub(crate) struct Sealed {
    groups: Vec<copies::Group>,
    journeys: Vec<Journey>,
    lent: Vec<Loan>,
}

impl Sealed {
    /// Memory that is ours again once the mailbox has answered.
    pub(crate) fn lent(&mut self) -> Vec<Loan> {
        std::mem::take(&mut self.lent)
    }
}

pub(crate) fn seal(
    judged: &Judged,
    partings: &[Parting],
    house: &mut Neighbours,
) -> Result<Sealed, Fault> {
    let asked = ask_for_tokens(judged, house);
    let mut groups = Vec::new();
    for (tenant, verdict) in kinds_of(judged) {
        let people = judged.people.iter().filter(|person| is_of(person, tenant, verdict));
        let people: Vec<&Person> = people.collect();
        let Some(first) = people.first() else { continue };
        let added = fields::on_top(judged, first, house.host_name());
        let lender = house.lender();
        groups.push(seal_group(judged, tenant, &people, added.as_bytes(), lender)?);
    }
    let lent = groups.iter_mut().filter_map(copies::Group::lent).collect();
    let tokens = await_tokens(asked, house);
    let mut journeys = journeys(judged, State::Kept, &tokens);
    journeys.extend(partings.iter().map(|parting| way_of(judged, parting, &tokens)));
    Ok(Sealed { groups, journeys, lent })
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
    lender: &mut Lender,
) -> Result<copies::Group, Fault> {
    let (text, forged) = (&judged.received.text, &judged.seen.forged);
    let received_ms = judged.received.at_ms;
    let message = copies::Message {
        tenant,
        message: judged.id(),
        received_ms,
        added,
        summary: &judged.seen.summary,
        bytes: judged.kept_bytes(),
    };
    let mut for_whom = Vec::with_capacity(people.len());
    for Person { keys, judged, .. } in people {
        let place = copies::place_of(judged.verdict, received_ms);
        for_whom.push(copies::Person { keys, place, verdict: judged.verdict });
    }
    copies::seal(&message, &for_whom, Some(lender), |push| {
        text.each_piece(forged, |piece| push(piece).map_err(Fault::Copies))
    })
}

/// A question to the directory that is on its way: for which tenant, and its call.
type Asked = (TenantId, Option<u32>);

/// Asks for each tenant's tokens; there are several tenants only where a message is for several.
pub(crate) fn ask_for_tokens(judged: &Judged, house: &mut Neighbours) -> Vec<Asked> {
    let passing = judged.passing.iter().filter_map(|passing| judged.tenant_of(passing));
    let people = judged.people.iter().map(|person| person.tenant);
    let mut tenants: Vec<TenantId> = people.chain(passing).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let ask = |tenant| (tenant, house.ask_trace_tokens(tenant, digests(judged, tenant)));
    tenants.into_iter().map(ask).collect()
}

/// Tokens of one tenant, in the order of its digests.
type Tokens = (TenantId, Vec<[u8; 16]>);

pub(crate) fn await_tokens(asked: Vec<Asked>, house: &mut Neighbours) -> Vec<Tokens> {
    let answer = |(tenant, call)| (tenant, house.await_trace_tokens(call));
    asked.into_iter().map(answer).collect()
}

/// What `trace` will find: one journey for each tenant with people whom it is for, or of whom it
/// is refused, under that tenant's tokens.
pub(crate) fn journeys(judged: &Judged, state: State, tokens: &[Tokens]) -> Vec<Journey> {
    let journey = |(tenant, tokens): &Tokens| {
        let people = judged.people.iter().filter(|person| person.tenant == *tenant);
        let people: Vec<&Person> = people.collect();
        if people.is_empty() && state == State::Kept {
            return None;
        }
        let is_readable = |person: &&Person| person.judged.verdict < Verdict::Quarantine;
        let state = match state {
            State::Kept if !people.iter().any(is_readable) => State::Quarantined,
            state => state,
        };
        let (verdict, reasons) = weight(judged, *tenant);
        Some(Journey {
            tenant: *tenant,
            message: judged.id(),
            tokens: tokens.clone(),
            at_ms: judged.received.at_ms,
            state,
            verdict,
            reasons,
            recipients: people.iter().map(|person| person.keys.user).collect(),
        })
    };
    tokens.iter().filter_map(journey).collect()
}

/// What is passed on is found too, and the queue knows how far it has come.
fn way_of(judged: &Judged, parting: &Parting, tokens: &[Tokens]) -> Journey {
    let outgoing = &parting.outgoing;
    let own = tokens.iter().find(|(tenant, _)| *tenant == outgoing.tenant);
    let (verdict, reasons) = weight(judged, outgoing.tenant);
    // Found by what the message says and by whom this one goes to. Others whose mail goes on have
    // theirs: a thousand of them would make a million rows.
    let theirs: Vec<[u8; 32]> = parting.whom.iter().map(|whom| trace::digest(whom)).collect();
    let common = common(judged);
    let is_its = |digest: &[u8; 32]| common.contains(digest) || theirs.contains(digest);
    let tokens = own.map(|(tenant, tokens)| (digests(judged, *tenant), tokens));
    let tokens = tokens.into_iter().flat_map(|(digests, tokens)| digests.into_iter().zip(tokens));
    let tokens = tokens.filter(|(digest, _)| is_its(digest)).map(|(_, token)| *token);
    Journey {
        tenant: outgoing.tenant,
        message: outgoing.message,
        tokens: tokens.collect(),
        at_ms: judged.received.at_ms,
        state: State::PassedOn,
        verdict,
        reasons,
        // A gateway's mail is in nobody's name.
        recipients: Some(outgoing.user).filter(|user| *user != NOBODY).into_iter().collect(),
    }
}

/// In whose name a gateway's mail is passed on.
const NOBODY: UserId = UserId([0; 8]);

/// The heaviest verdict of a tenant, and the reasons for its first.
fn weight(judged: &Judged, tenant: TenantId) -> (Verdict, Vec<String>) {
    let people = judged.people.iter().filter(|person| person.tenant == tenant);
    let passing = |passing: &&Passing| judged.tenant_of(passing) == Some(tenant);
    let passing = judged.passing.iter().filter(passing).map(|passing| &passing.judged);
    let all: Vec<&policy::Judged> = people.map(|person| &person.judged).chain(passing).collect();
    let verdict = all.iter().map(|judged| judged.verdict).max().unwrap_or(Verdict::Deliver);
    let reasons = all.first().map(|judged| judged.reasons.iter());
    let reasons = reasons.into_iter().flatten().map(|reason| reason.id.clone());
    let back = judged.is_back.then(|| "onward.back".to_owned());
    (verdict, back.into_iter().chain(reasons).take(REASONS).collect())
}

/// What somebody of this tenant may look for: what stands in the message, and the envelope as far
/// as it is theirs.
fn digests(judged: &Judged, tenant: TenantId) -> Vec<[u8; 32]> {
    let offered = &judged.received.offered;
    let to = offered.addressees.iter().filter(|addressee| addressee.tenant == tenant);
    let to = to.map(|addressee| trace::digest(&addressee.address));
    // Whom it is passed on to. Members of a list are not among them: nobody here knows any.
    let passing = judged.passing.iter().filter(|passing| judged.goes_on(passing));
    let passing = passing.filter_map(|passing| judged.addressee(passing));
    let onward = passing.filter(|addressee| addressee.tenant == tenant);
    let onward = onward.flat_map(|addressee| &addressee.onward);
    let onward = onward.filter(|way| way.path == Path::Rewritten);
    let onward = onward.map(|way| trace::digest(&way.to));
    let mut digests = common(judged);
    for digest in to.chain(onward) {
        if digests.len() < TOKENS && !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests
}

/// Of these, what does not say to whom.
fn common(judged: &Judged) -> Vec<[u8; 32]> {
    let from = judged.received.offered.from.iter().map(|from| trace::digest(&from.written()));
    let mut digests = judged.seen.trace_digests.clone();
    for digest in std::iter::once(trace::digest(&judged.id().to_string())).chain(from) {
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests
}

/// The frames in which a sealed message goes to the mailbox.
pub(crate) fn frames(sealed: Sealed) -> Result<Vec<(FromEdge, Vec<OwnedFd>)>, Fault> {
    let Sealed { groups, journeys, .. } = sealed;
    if groups.is_empty() {
        // Nobody here keeps it; that it was here is told all the same.
        let told = FromEdge::Keep { copies: Vec::new(), journeys, more: false };
        return Ok(vec![(told, Vec::new())]);
    }
    copies::frames(groups, journeys).map_err(Fault::Copies)
}
