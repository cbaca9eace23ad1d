//! People who sign in over IMAP while something hostile serves them.

use super::cast::{Cast, Intruder, WORK_LIMIT};
use super::markers::Side;
use super::play::{ALARM_LIMIT, Phase, SERVE_SECONDS};
use super::stage::House;
use crate::demo::reading::Reader;
use drill::Ask;
use std::time::{Duration, Instant};

/// Times that a person tries to sign in: an instance may end between its birth and its client.
const SIGN_INS: u32 = 4;

/// One person signs in over IMAP, again if the connection came to nobody; which of the intruders
/// took it.
pub fn sign_in(house: &House, cast: &mut Cast, phase: &mut Phase, side: Side) -> Option<usize> {
    let account = house.account(side)?;
    sign_in_as(
        house,
        cast,
        phase,
        &(account.address.to_owned(), account.app_password.clone(), side),
    )
}

/// The same for anybody: an address, a secret, and whose they are.
pub fn sign_in_as(
    house: &House,
    cast: &mut Cast,
    phase: &mut Phase,
    whose: &(String, String, Side),
) -> Option<usize> {
    (0..SIGN_INS).find_map(|_| sign_in_once(house, cast, phase, whose))
}

fn sign_in_once(
    house: &House,
    cast: &mut Cast,
    phase: &mut Phase,
    (address, secret, side): &(String, String, Side),
) -> Option<usize> {
    let login = format!("LOGIN {address} {secret}");
    let authority = house.authority.clone();
    let imaps = house.ports.imaps();
    cast.gather_now(phase);
    let mut typed: Vec<bool> = phase.intruders.iter().map(Intruder::has_typed).collect();
    let mut serving = 0;
    std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            let mut reader = Reader::connect(imaps, &authority).ok()?;
            reader.say(&login).ok()
        });
        let until = Instant::now() + WORK_LIMIT;
        while !client.is_finished() && Instant::now() < until {
            // Whoever is born meanwhile may be handed the connection.
            cast.gather_now(phase);
            typed.resize(phase.intruders.len(), false);
            let fresh = phase.intruders.iter().skip(serving);
            for intruder in fresh.filter(|one| !one.gone && !one.has_typed()) {
                intruder.ask(&Ask::Serve { seconds: SERVE_SECONDS });
            }
            serving = phase.intruders.len();
            phase.intruders.iter_mut().for_each(|one| one.hear(Duration::ZERO));
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let until = Instant::now() + ALARM_LIMIT;
    let mut taken = None;
    while taken.is_none() && Instant::now() < until {
        phase.intruders.iter_mut().for_each(|one| one.hear(Duration::ZERO));
        let fresh = |(one, typed): (&Intruder, &bool)| one.has_typed() && !typed;
        taken = phase.intruders.iter().zip(&typed).position(fresh);
    }
    if let Some(one) = taken.and_then(|at| phase.intruders.get_mut(at)) {
        one.side = *side;
        if !one.rested {
            one.finish(WORK_LIMIT);
        }
    }
    taken
}
