//! An owned keeper that answers as it should for a while, and then says nothing to anybody.

use super::{Attack, Row, Said, await_notice, close, hear_begin};
use crate::outcome::Trouble;
use crate::trial::play;
use crate::trial::stage::House;
use drill::{Ask, Got};
use std::time::Duration;
use terms::Kind;

const LIVELY_SECONDS: u32 = 3;
const SILENT_SECONDS: u32 = 25;
/// It is silent at the pulse after its lively time.
const BEGIN_LIMIT: Duration = Duration::from_secs(12);
/// Ten seconds are silence; the rest is for a machine that does much else.
const NOTICE_LIMIT: Duration = Duration::from_secs(20);

/// Watched by the sentinel.
pub fn mailbox(house: &mut House) -> Result<Attack, Trouble> {
    fall_silent(house, Kind::Mailbox, "silence")
}

/// Watched by the warden alone.
pub fn sentinel(house: &mut House) -> Result<Attack, Trouble> {
    fall_silent(house, Kind::Sentinel, "silent")
}

fn fall_silent(house: &mut House, kind: Kind, how: &str) -> Result<Attack, Trouble> {
    let (mut cast, mut phase) = play::raise(house, kind, None)?;
    cast.gather(&mut phase, 1);
    let mut began = None;
    if let Some(one) = phase.intruders.first_mut() {
        let (lively_seconds, silent_seconds) = (LIVELY_SECONDS, SILENT_SECONDS);
        one.ask(&Ask::FallSilent { lively_seconds, silent_seconds });
        began = hear_begin(one, BEGIN_LIMIT);
    }
    let own = phase.intruders.first().map(|one| one.instance);
    let is_it = |said: &Said<'_>| said.how == how && said.about == own;
    let noticed = await_notice(house, &phase, began, NOTICE_LIMIT, is_it);
    let mut broken = Vec::new();
    if noticed.is_none() {
        broken.push("nobody noticed its silence".to_owned());
    }
    if let Some(one) = phase.intruders.first_mut() {
        one.ask(&Ask::Leave);
        one.drain();
    }
    close(house, cast, &mut phase);
    let what = "from its last answer to the alarm".to_owned();
    let (name, got, is_scoped) = ("falls silent", Got::Nothing, false);
    Ok(Attack { phase, rows: vec![Row { name, got, what, noticed, is_scoped, broken }] })
}
