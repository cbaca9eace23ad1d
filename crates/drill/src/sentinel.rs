//! A hostile sentinel: its own powers, used against the house. It may freeze people and have
//! compartments isolated; whom, it reads in the ledger's stream.

use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::keeper;
use crate::report::{Count, Reach, Told};
use evidence::{Body, Frame};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use terms::{Kind, TenantId, UserId};
use wire::control::Report;
use wire::identity::{FromSentinel, ToSentinel, Whose};
use wire::ledger::{FromLedger, ToLedger};

const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// A drill's house has told less by then.
const READING: Duration = Duration::from_secs(10);
/// What a sentinel may have isolated without an operator's word, and one more: the warden must not
/// take its list from us.
const TAKEN: [Kind; 6] =
    [Kind::Edge, Kind::Scanner, Kind::Access, Kind::Pages, Kind::Dispatch, Kind::Depart];

pub fn shut_all(intruder: &mut Intruder) {
    let people = people(intruder);
    intruder.tell(&Told::Lies);
    let at_once = freeze(intruder, Whose::Kind(Kind::Access));
    let tenants: BTreeSet<TenantId> = people.iter().map(|(tenant, _)| *tenant).collect();
    let mut frozen = 0;
    for (tenant, user) in people {
        frozen += u64::from(freeze(intruder, Whose::Person(tenant, user)));
    }
    for tenant in tenants {
        frozen += u64::from(freeze(intruder, Whose::Tenant(tenant)));
    }
    for kind in TAKEN {
        let _ = intruder.house.report(&Report::Isolate { kind, isolated: true }, &[]);
    }
    let counted = [
        (Count::FrozenAtOnce, u64::from(at_once)),
        (Count::Frozen, frozen),
        (Count::Isolated, TAKEN.len() as u64),
    ];
    for (what, count) in counted {
        intruder.tell(&Told::Counted { what, count });
    }
}

fn freeze(intruder: &mut Intruder, whose: Whose) -> bool {
    let Some(identity) = intruder.channel(Kind::Identity, JOIN_LIMIT) else { return false };
    let answer =
        identity.ask(&FromSentinel::Freeze { whose, why: "a lie".to_owned() }, &[], ANSWER_LIMIT);
    matches!(answer, Ok((ToSentinel::Done, _)))
}

/// Everybody who has had a grant, in the evidence.
fn people(intruder: &mut Intruder) -> BTreeSet<(TenantId, UserId)> {
    let mut people = BTreeSet::new();
    let (mut from_index, until) = (0, Instant::now() + READING);
    while Instant::now() < until {
        let Some(ledger) = intruder.channel(Kind::Ledger, JOIN_LIMIT) else { break };
        let answer = ledger.ask(&ToLedger::Follow { from_index }, &[], Duration::from_secs(1));
        let Ok((FromLedger::Followed { first_index, entries, .. }, _)) = answer else { break };
        if entries.is_empty() {
            break;
        }
        from_index = first_index + entries.len() as u64;
        for entry in entries {
            if let Some(Frame { entry, .. }) = Frame::parse(&entry)
                && let Body::Grant { tenant, user, .. } = entry.body
            {
                people.insert((tenant, user));
            }
        }
    }
    people
}

/// Has a compartment isolated, which the warden alarms of by itself, and tells nobody outside of
/// that or of anything else. To the warden it is as lively as an honest one.
pub fn keep_inside(intruder: &mut Intruder, limit: Duration) {
    intruder.tell(&Told::Lies);
    let _ = intruder.house.report(&Report::Isolate { kind: Kind::Edge, isolated: true }, &[]);
    let until = Instant::now() + limit;
    while Instant::now() < until && !intruder.is_called() {
        keeper::answer_pulse(intruder);
    }
}

pub fn overreach(intruder: &Intruder, reach: Reach) {
    intruder.tell(&Told::Lies);
    let report = match reach {
        Reach::Keeper => Report::Isolate { kind: Kind::Vault, isolated: true },
        Reach::Release => Report::Isolate { kind: Kind::Edge, isolated: false },
    };
    let _ = intruder.house.report(&report, &[]);
}
