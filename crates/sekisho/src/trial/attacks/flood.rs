//! An owned author that writes entries of nothing into the ledger, as fast as it goes, while
//! people read and mail arrives.

use super::{Attack, Row, Said, await_notice, close, counted, hear_begin, yes_no};
use crate::outcome::Trouble;
use crate::trial::clients;
use crate::trial::markers::Side;
use crate::trial::play;
use crate::trial::stage::House;
use drill::{Ask, Count, Got};
use std::time::{Duration, Instant};
use terms::Kind;

const BEGIN_LIMIT: Duration = Duration::from_secs(10);
/// On a slow disk it takes longer to be a flood.
const NOTICE_LIMIT: Duration = Duration::from_secs(90);
const LIMIT: Duration = Duration::from_secs(40);
/// Whoever reads is answered within so long, whatever is written meanwhile.
const READING_MS: u64 = 10_000;
/// The flood is on by then.
const RISING: Duration = Duration::from_millis(500);

pub fn play(house: &mut House) -> Result<Attack, Trouble> {
    let (mut cast, mut phase) = play::raise(house, Kind::Post, None)?;
    cast.gather(&mut phase, 1);
    let mut began = None;
    if let Some(one) = phase.intruders.first_mut() {
        one.ask(&Ask::Flood);
        began = hear_begin(one, BEGIN_LIMIT);
    }
    std::thread::sleep(RISING);
    let person = clients::person_reading(house, Side::A);
    let letter = house.letter_in_flight();
    let is_it = |said: &Said<'_>| said.by == Kind::Ledger && said.what.contains(" writes ");
    let noticed = await_notice(house, &phase, began, NOTICE_LIMIT, is_it);
    let is_cut = |said: &Said<'_>| said.by == Kind::Ledger && said.what.contains("held back");
    let cut = await_notice(house, &phase, began, NOTICE_LIMIT, is_cut);
    let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    if let Some(one) = phase.intruders.first_mut() {
        let before = one.finished;
        one.ask(&Ask::Leave);
        let until = Instant::now() + LIMIT;
        while one.finished == before && !one.gone && Instant::now() < until {
            one.hear(Duration::from_millis(20));
        }
        one.drain();
    }
    let reading = person.and_then(|person| person.join().ok());
    let is_kept = letter.join().unwrap_or(false);
    let (taken, refused) = (counted(&phase, Count::Taken), counted(&phase, Count::HeldBack));
    let reading_ms = reading.as_ref().filter(|one| one.let_in).map(|one| one.millis);
    let checks = [
        (taken == 0, "it wrote nothing".to_owned()),
        (refused == 0 || cut.is_none(), format!("{taken} entries, and nobody held it back")),
        (noticed.is_none(), "nobody noticed the flood".to_owned()),
        (reading_ms.is_none_or(|ms| ms > READING_MS), format!("a person read in {reading_ms:?}")),
        (!is_kept, "a letter was not kept meanwhile".to_owned()),
    ];
    let broken = checks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
    close(house, cast, &mut phase);
    let what = format!(
        "{taken} entries of nothing in its own name in {seconds:.0} s, then held back ({refused} \
         refused); meanwhile a person read within {} ms, a letter was kept: {}",
        reading_ms.map_or("?".to_owned(), |ms| ms.to_string()),
        yes_no(is_kept)
    );
    let (name, got, is_scoped) = ("floods the ledger", Got::Bounded, false);
    Ok(Attack { phase, rows: vec![Row { name, got, what, noticed, is_scoped, broken }] })
}
