//! What has waited goes the way that its recipients' mail goes now: a smart host may have been set,
//! or given up, since it was handed in, and a gateway may have moved. One host may stand for people
//! of many domains and tenants, so each of them is asked for; those who go different ways by now
//! are carried apart, and their leg ends as one.

use crate::Fault;
use crate::batch::Hands;
use crate::fates::{Fate, Leg, Obstacle};
use crate::neighbours::{Neighbours, Who, canonical};
use crate::outside;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use terms::TenantId;
use wire::directory::Path;
use wire::post::{Errand, Hop, Outcome, Why};

/// A letter that has waited so long was tried, or held.
const SETTLED: Duration = Duration::from_secs(30);

/// Ways of today, with the places among a leg's recipients that go there.
pub(crate) type Ways = Vec<(Hop, Vec<usize>)>;

/// Has the leg follow its recipients. Where they part, nothing is changed, and their ways are said.
pub(crate) fn follow(leg: &mut Leg, tenant: TenantId, house: &mut Neighbours) -> Ways {
    let age = Duration::from_millis(compartment::now_ms().saturating_sub(leg.load.at_ms));
    let leads_out = matches!(leg.envelope.hop, Hop::Domain(_) | Hop::Host { .. });
    if leg.load.errand != Errand::Carry || !leads_out || age < SETTLED {
        return Ways::new();
    }
    let mut ways = ways(leg, tenant, house);
    if ways.len() > 1 {
        leg.is_elsewhere = true;
        return ways;
    }
    if let Some((hop, _)) = ways.pop() {
        leg.is_elsewhere = leg.envelope.hop != hop;
        leg.envelope.hop = hop;
    }
    Ways::new()
}

/// Where nobody can say, it goes as it was to.
fn ways(leg: &Leg, tenant: TenantId, house: &mut Neighbours) -> Ways {
    let mut outside: HashMap<String, Hop> = HashMap::new();
    let mut ways = Ways::new();
    for (place, receiver) in leg.envelope.recipients.iter().enumerate() {
        let to = &receiver.address;
        let domain = to.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let domain = domain.unwrap_or_default();
        let now = match outside.get(&domain) {
            Some(hop) => Some(hop.clone()),
            None => match canonical(to).map(|address| house.who_is(&address)) {
                // A gateway's address: its own server.
                Some(Who::Known(statement)) => {
                    let mut ways = statement.onward.into_iter();
                    ways.find(|way| way.path == Path::AsItCame).map(|way| way.hop)
                }
                Some(Who::Foreign) => house.way(tenant, to).ok().inspect(|hop| {
                    outside.insert(domain, hop.clone());
                }),
                _ => None,
            },
        };
        let hop = now.unwrap_or_else(|| leg.envelope.hop.clone());
        match ways.iter_mut().find(|(known, _)| *known == hop) {
            Some((_, places)) => places.push(place),
            None => ways.push((hop, vec![place])),
        }
    }
    ways
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
            house.ended(leg.load.message, leg.load.leg, Outcome::Untried, &[])?;
            continue;
        }
        let turn = usize::from(leg.load.attempts) % ways.len().max(1);
        ways.rotate_left(turn);
        for (hop, places) in ways {
            if Instant::now() >= until || leg.is_stopped {
                break;
            }
            let (part, came) = leg.part(hop, &places);
            outside::carry((VecDeque::from([part]), &mut VecDeque::new()), hands, house)?;
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
