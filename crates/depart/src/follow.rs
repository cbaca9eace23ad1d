//! What has waited goes the way that its recipients' mail goes now: a smart host may have been set,
//! or given up, since it was handed in, and a gateway may have moved, or be one no more. One host
//! may stand for people of many domains and tenants, so each of them is asked for; those who go
//! different ways by now are carried apart, and their leg ends as one.
//!
//! A host was named by somebody, who may have taken it back: what nobody leads there today does not
//! go there.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle};
use crate::neighbours::{Neighbours, Who, canonical};
use crate::{here, onward, outside};
use notice::Reason;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use terms::TenantId;
use wire::directory::{Path, Statement};
use wire::post::{Errand, Hop, Outcome, Why};

/// A letter that has waited so long was tried, or held.
const SETTLED: Duration = Duration::from_secs(30);

/// Ways of today, with the places among a leg's recipients that go there.
pub(crate) type Ways = Vec<(Hop, Vec<usize>)>;

/// Has the leg follow its recipients. Where they part, nothing is changed, and their ways are said.
/// Those who have none today have their fate by then.
pub(crate) fn follow(leg: &mut Leg, tenant: TenantId, house: &mut Neighbours) -> Ways {
    let age = Duration::from_millis(compartment::now_ms().saturating_sub(leg.load.at_ms));
    let leads_out = matches!(leg.envelope.hop, Hop::Domain(_) | Hop::Host { .. });
    let is_new = age < SETTLED && leg.load.attempts == 0 && leg.load.why.is_none();
    if leg.load.errand != Errand::Carry || !leads_out || is_new {
        return Ways::new();
    }
    let (mut ways, without) = ways(leg, tenant, house);
    // Those without a way keep the leg as it stands, for whoever comes to have one.
    let has_such = !without.is_empty();
    without.into_iter().for_each(|(place, obstacle)| leg.set(place, Fate::Left(Some(obstacle))));
    if ways.len() > 1 || has_such {
        leg.is_elsewhere = true;
        return ways;
    }
    if let Some((hop, _)) = ways.pop() {
        leg.is_elsewhere = leg.envelope.hop != hop;
        leg.envelope.hop = hop;
    }
    Ways::new()
}

/// The ways of today; and who has none, and why.
fn ways(leg: &Leg, tenant: TenantId, house: &mut Neighbours) -> (Ways, Vec<(usize, Obstacle)>) {
    let mut outside: HashMap<String, Hop> = HashMap::new();
    let (mut ways, mut without) = (Ways::new(), Vec::new());
    for (place, receiver) in leg.envelope.recipients.iter().enumerate() {
        let to = &receiver.address;
        let domain = to.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let domain = domain.unwrap_or_default();
        let today = match outside.get(&domain) {
            Some(hop) => Today::By(hop.clone()),
            None => match canonical(to).map(|address| house.who_is(&address)) {
                Some(Who::Known(statement)) => today(statement),
                Some(Who::Foreign) => match house.way(tenant, to) {
                    Ok(hop) => {
                        outside.insert(domain, hop.clone());
                        Today::By(hop)
                    }
                    Err(_) => Today::NotKnown,
                },
                Some(Who::Unknown) => Today::Nobody,
                Some(Who::Later) | None => Today::NotKnown,
            },
        };
        let hop = match (today, &leg.envelope.hop) {
            (Today::By(hop), _) => hop,
            // Where the DNS leads, it leads whoever nobody here can place.
            (_, hop @ Hop::Domain(_)) => hop.clone(),
            (Today::Nobody, _) => {
                without.push((place, nobody_now()));
                continue;
            }
            (Today::NotKnown, _) => {
                without.push((place, Obstacle::ours("the directory does not answer")));
                continue;
            }
        };
        match ways.iter_mut().find(|(known, _)| *known == hop) {
            Some((_, places)) => places.push(place),
            None => ways.push((hop, vec![place])),
        }
    }
    (ways, without)
}

/// Where mail for one recipient goes today.
enum Today {
    By(Hop),
    /// Nobody has the address, or nobody who takes mail this way.
    Nobody,
    /// Whoever knows does not answer.
    NotKnown,
}

fn today(statement: Statement) -> Today {
    let leads = |path: Path| statement.onward.iter().find(|way| way.path == path);
    match leads(Path::AsItCame) {
        // A gateway's address: its own server.
        Some(way) => Today::By(way.hop.clone()),
        // They have come into the house since.
        None if !statement.recipients.is_empty() => Today::By(Hop::Here),
        None if leads(Path::Rewritten).is_some() => Today::By(Hop::On),
        None => Today::Nobody,
    }
}

/// Whoever is moving may have them in the house tomorrow: it comes back when its time is over.
fn nobody_now() -> Obstacle {
    Obstacle::answered((4, 1, 1), "nobody has this address now").because(Reason::UserUnknown)
}

/// Legs whose recipients go different ways, one way after the other. For all of them together there
/// is as much time as one destination has; what is left is tried again, others first.
pub(crate) fn carry(
    legs: Vec<(Leg, Ways)>,
    hands: &Hands,
    house: &mut Neighbours,
) -> Result<(), Fault> {
    let until = Instant::now() + house.limits.attempt;
    for (mut leg, mut ways) in legs {
        if Instant::now() >= until {
            house.ended(leg.load.message, leg.load.leg, Outcome::Untried, Vec::new())?;
            continue;
        }
        let turn = usize::from(leg.load.attempts) % ways.len().max(1);
        ways.rotate_left(turn);
        for (hop, places) in ways {
            if Instant::now() >= until || leg.is_stopped {
                break;
            }
            let (part, came) = leg.part(hop, &places);
            carry_part(part, hands, house)?;
            leg.take_part(&places, &came);
        }
        let untried = Obstacle::of(Why::Unreachable, (4, 4, 1), "no time was left for it");
        if !leg.is_stopped {
            leg.settle(|| Fate::Left(Some(untried.clone())));
        }
        leg.end(hands, house)?;
    }
    Ok(())
}

fn carry_part(mut part: Leg, hands: &Hands, house: &mut Neighbours) -> Result<(), Fault> {
    let brings: fn(&mut Leg, &Hands, &mut Neighbours) = match &part.envelope.hop {
        Hop::Here => here::deliver,
        Hop::On => onward::pass_on,
        _ => return outside::carry((VecDeque::from([part]), &mut VecDeque::new()), hands, house),
    };
    if part.goes(hands, house)? {
        brings(&mut part, hands, house);
        part.end(hands, house)?;
    }
    Ok(())
}
