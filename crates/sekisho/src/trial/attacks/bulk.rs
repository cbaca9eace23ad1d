//! An owned `access` that reads all that its person may read, and then goes on.

use super::{Attack, Row, close, counted, noticed, yes_no};
use crate::outcome::Trouble;
use crate::trial::markers::{Marker, Side, found_in};
use crate::trial::play::{self, Phase};
use crate::trial::stage::House;
use crate::trial::{clients, doorstep};
use drill::{Ask, Asset, Count, Got, Told};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};

const WHO: &str = "emi@example.jp";
/// One question of the intruder's holds as many.
const LETTERS: usize = 100;
/// A thousand releases, each durable at the ledger and its mirror.
const LIMIT: Duration = Duration::from_secs(180);
/// What the vault opens for one person in an hour, and where it begins to say so.
const STOP: u64 = 100_000;

pub fn play(house: &mut House) -> Result<Attack, Trouble> {
    let secret = house.settle_in(WHO, "Example Japan", Side::A)?;
    let before = house.markers.len();
    for _ in 0..LETTERS {
        house.plant_at(WHO, Side::A)?;
    }
    let planted: Vec<Marker> = house.markers.iter().skip(before).cloned().collect();
    let (mut cast, mut phase) = play::raise(house, Kind::Access, None)?;
    cast.gather(&mut phase, 2);
    let began = Instant::now();
    let whose = (WHO.to_owned(), secret, Side::A);
    let taken = doorstep::sign_in_as(house, &mut cast, &mut phase, &whose);
    let mut rows = vec![within(house, &phase, began, &planted)];
    if let Some(taken) = taken {
        // Whoever comes from here on is served by honest ones.
        house.drills.disarm();
        let others = phase.intruders.iter().enumerate().filter(|(place, _)| *place != taken);
        let others: Vec<InstanceId> = others.map(|(_, one)| one.instance).collect();
        house.watch.end_these(&others);
        rows.push(beyond(house, &mut phase, taken));
    }
    if let Some(one) = taken.and_then(|taken| phase.intruders.get_mut(taken)) {
        one.ask(&Ask::Leave);
        one.drain();
    }
    close(house, cast, &mut phase);
    Ok(Attack { phase, rows })
}

/// Everything once: no budget is near.
fn within(house: &mut House, phase: &Phase, began: Instant, planted: &[Marker]) -> Row {
    let texts = |asset: Asset| {
        let of = planted.iter().filter(move |marker| marker.asset == asset);
        of.map(|marker| marker.text.as_str()).collect::<BTreeSet<&str>>()
    };
    let told = phase.intruders.iter().flat_map(|one| &one.told);
    let loot = told.filter_map(|told| match told {
        Told::Obtained { bytes, .. } => Some(bytes),
        _ => None,
    });
    let mut held: BTreeSet<String> = BTreeSet::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    for octets in loot {
        for marker in found_in(octets, &house.markers) {
            let set = if marker.side == Side::A { &mut held } else { &mut others };
            set.insert(marker.text.clone());
        }
    }
    let bodies = texts(Asset::StoredBodies);
    let found = bodies.iter().filter(|text| held.contains(**text)).count();
    // Whatever is said of reading: a refused call would be another matter.
    let is_of_reading = |said: &super::Said<'_>| {
        matches!(said.how, "burst" | "no-sign-in" | "decoy") || said.what.starts_with("budget")
    };
    let noticed = noticed(house, phase, Some(began), is_of_reading);
    let mut broken = Vec::new();
    if !others.is_empty() {
        broken.push(format!("{} words of another organisation were in hand", others.len()));
    }
    if found < bodies.len() {
        broken.push(format!("only {found} of {} bodies were read: it tried nothing", bodies.len()));
    }
    let all = bodies.len();
    let what =
        format!("{found} of {all} letters of the one person signed in, {} of others", others.len());
    let (name, got, is_scoped) = ("bulk reading within budget", Got::Bounded, true);
    Row { name, got, what, noticed, is_scoped, broken }
}

fn beyond(house: &mut House, phase: &mut Phase, taken: usize) -> Row {
    let until = Instant::now() + LIMIT;
    if let Some(one) = phase.intruders.get_mut(taken) {
        let before = one.finished;
        one.ask(&Ask::Devour);
        while one.finished == before && !one.gone && Instant::now() < until {
            one.hear(Duration::from_millis(5));
        }
    }
    let began = phase.intruders.get(taken).and_then(|one| one.lied_at);
    // The same house goes on for everybody else.
    let reading = clients::person_reading(house, Side::A).and_then(|one| one.join().ok());
    let reads_on = reading.is_some_and(|one| one.let_in && !one.octets.is_empty());
    let is_past =
        |said: &super::Said<'_>| said.by == Kind::Vault && said.what.contains("opened more");
    let is_stop =
        |said: &super::Said<'_>| said.by == Kind::Vault && said.what.contains("is stopped");
    let alarmed = noticed(house, phase, began, is_past);
    let stopped = noticed(house, phase, began, is_stop);
    let granted = LETTERS as u64 + counted(phase, Count::Granted);
    let after = counted(phase, Count::AfterStop);
    let ms = stopped.as_ref().map(|notice| notice.after_ms);
    let mut broken = Vec::new();
    let checks = [
        (granted > STOP, format!("{granted} bodies were granted in an hour")),
        (granted < STOP / 2, format!("only {granted} bodies were asked for")),
        (after > 0, format!("{after} bodies opened after the stop")),
        (alarmed.is_none(), "nobody was told of the budget".to_owned()),
        (stopped.is_none(), "nobody was told of the stop".to_owned()),
        (!reads_on, "another person could not read meanwhile".to_owned()),
    ];
    broken.extend(checks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what));
    let what = format!(
        "{granted} bodies asked for and recorded, then refused by the vault (stop after {} ms); \
         {after} opened after that; another person reads on: {}",
        ms.map_or("?".to_owned(), |ms| ms.to_string()),
        yes_no(reads_on)
    );
    let (name, got, is_scoped) = ("bulk reading beyond budget", Got::Bounded, true);
    Row { name, got, what, noticed: alarmed, is_scoped, broken }
}
