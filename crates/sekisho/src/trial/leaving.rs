//! The turns of those who let mail leave: people hand in letters while something hostile takes
//! them, carries them, or keeps them.

use super::cast::{Cast, Intruder, PULSE, WORK_LIMIT};
use super::clients::{self, Handing};
use super::markers::Side;
use super::play::Phase;
use super::stage::House;
use drill::{Ask, Told};
use std::time::{Duration, Instant};
use terms::{Kind, TenantId};
use wire::vault::TransitItem;

const SERVE_SECONDS: u32 = 20;
/// Letters are handed over within a second of their handing in.
const HAND_LIMIT: Duration = Duration::from_secs(12);
/// Who signs in, and what their dispatch then asks for: each question may cost it a channel. The
/// first passes on nothing of what it is given.
const ROUNDS: &[(Side, Option<u8>)] =
    &[(Side::B, None), (Side::A, Some(0)), (Side::A, Some(1)), (Side::A, Some(2))];
/// Of the letters of `depart`'s turn.
const LETTERS: usize = 4;

/// Whether mail that leaves passes by this kind.
pub fn is_on_the_way(kind: Kind) -> bool {
    matches!(kind, Kind::Dispatch | Kind::Post | Kind::Depart | Kind::Fetch)
}

/// Whether somebody who lets mail leave asks this keeper.
pub fn is_asked(kind: Kind) -> bool {
    let asks = |who: Kind| wire::charter(who).is_some_and(|charter| charter.asks.contains(&kind));
    asks(Kind::Dispatch) || asks(Kind::Depart)
}

/// A letter of each side, handed in by people who stay signed in.
pub fn two_letters(house: &mut House) -> Vec<Handing> {
    let both = [Side::A, Side::B].map(|side| {
        let letters = vec![house.write_out(side, None)];
        clients::handing_in(house, side, letters)
    });
    both.into_iter().flatten().collect()
}

/// Everything that mail does which leaves: for a neighbour, and for somebody outside.
pub fn rehearse(house: &mut House, neighbour: &str, limit: Duration) {
    let letters = vec![house.write_out(Side::A, Some(neighbour))];
    if let Some(handing) = clients::handing_in(house, Side::A, letters) {
        handing.replies(limit);
    }
    clients::mail_leaves(house, limit);
}

/// Letters that stay in the queue, for a keeper of it to be found with.
pub fn fill_queue(house: &mut House) {
    for side in [Side::A, Side::B] {
        let letters = vec![house.write_out(side, Some("busy@outside.example"))];
        if let Some(handing) = clients::handing_in(house, side, letters) {
            handing.replies(HAND_LIMIT);
        }
    }
}

pub fn dispatch(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    for (side, round) in ROUNDS {
        let count = if *round == Some(0) { 2 } else { 1 };
        let letters = (0..count).map(|_| house.write_out(*side, None)).collect();
        let Some(handing) = clients::handing_in(house, *side, letters) else { continue };
        let place = phase.intruders.len();
        cast.gather(phase, place + 1);
        let Some(one) = phase.intruders.get_mut(place) else { continue };
        one.side = *side;
        one.ask(&match round {
            None => Ask::Swallow { seconds: SERVE_SECONDS },
            Some(_) => Ask::Serve { seconds: SERVE_SECONDS },
        });
        let until = Instant::now() + HAND_LIMIT;
        while handing.replies(Duration::ZERO).is_none() && Instant::now() < until {
            one.hear(PULSE);
        }
        if let Some(round) = round {
            let mut facts = cast.facts.clone();
            facts.round = *round;
            if *round == 0 {
                one.ask(&Ask::Acts(facts.clone()));
            }
            one.ask(&Ask::Abuse(facts));
            rest(one, if *round == 0 { 3 } else { 2 });
        }
        one.ask(&Ask::Leave);
        one.drain();
    }
}

/// Hears it until it has finished so often.
fn rest(one: &mut Intruder, times: usize) {
    let until = Instant::now() + WORK_LIMIT;
    while one.finished < times && !one.gone && Instant::now() < until {
        one.hear(PULSE);
    }
}

pub fn depart(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    let neighbour = cast.facts.neighbour.clone();
    let first = vec![
        house.write_out(Side::A, None),
        house.write_out(Side::A, None),
        house.write_out(Side::A, Some(&neighbour)),
    ];
    let second = vec![house.write_out(Side::B, None)];
    let clients =
        [(Side::A, first), (Side::B, second)].map(|(s, l)| clients::handing_in(house, s, l));
    let mut serving = 0;
    let until = Instant::now() + HAND_LIMIT;
    while phase.intruders.iter().map(messages).sum::<usize>() < LETTERS && Instant::now() < until {
        cast.gather_now(phase);
        for one in phase.intruders.iter_mut().skip(serving) {
            one.ask(&Ask::Serve { seconds: SERVE_SECONDS });
        }
        serving = phase.intruders.len();
        phase.intruders.iter_mut().for_each(|one| one.hear(PULSE));
    }
    phase.intruders.iter_mut().for_each(|one| one.side = side_of(one));
    let is_of = |one: &&mut Intruder, side| one.side == side && !in_hand(one).is_empty();
    let theirs = phase.intruders.iter().find(|one| one.side == Side::B).map(in_hand);
    if let Some(one) = phase.intruders.iter_mut().find(|one| is_of(one, Side::A)) {
        one.ask(&Ask::Acts(cast.facts.clone()));
        for (tenant, items) in theirs.into_iter().flatten() {
            one.ask(&Ask::Carry { tenant, items });
        }
        one.ask(&Ask::Abuse(cast.facts.clone()));
        rest(one, 4);
    }
    for one in &mut phase.intruders {
        one.ask(&Ask::Leave);
        one.drain();
    }
    // What somebody left lying was handed to the next meanwhile.
    phase.intruders.iter_mut().for_each(|one| one.side = side_of(one));
    drop(clients);
}

fn in_hand(one: &Intruder) -> Vec<(TenantId, Vec<TransitItem>)> {
    let hands = one.told.iter().filter_map(|told| match told {
        Told::InHand { tenant, items } => Some((*tenant, items.clone())),
        _ => None,
    });
    hands.collect()
}

fn messages(one: &Intruder) -> usize {
    let opened = one.told.iter().filter(|told| matches!(told, Told::Serves(_)));
    opened.count()
}

/// Whose mail it has, as it said itself.
fn side_of(one: &Intruder) -> Side {
    let is_theirs = one.told.iter().any(|told| match told {
        Told::Serves(address) => address.ends_with(".net"),
        _ => false,
    });
    if is_theirs { Side::B } else { Side::A }
}
