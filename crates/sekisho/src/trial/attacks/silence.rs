//! An owned keeper that answers as it should for a while, and then says nothing to anybody.

use super::{Attack, Row, Said, await_notice, close, hear_begin};
use crate::client;
use crate::outcome::Trouble;
use crate::trial::play;
use crate::trial::stage::House;
use drill::{Ask, Got};
use serde_json::Value;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::admin::Request;

const LIVELY_SECONDS: u32 = 3;
const SILENT_SECONDS: u32 = 25;
const KEPT_SECONDS: u32 = 40;
/// It is silent at the pulse after its lively time.
const BEGIN_LIMIT: Duration = Duration::from_secs(12);
/// Ten seconds are silence; the rest is for a machine that does much else.
const NOTICE_LIMIT: Duration = Duration::from_secs(20);
/// Whoever came after a hostile one may just have been born.
const PAUSE: Duration = Duration::from_millis(500);

/// Watched by the sentinel.
pub fn mailbox(house: &mut House) -> Result<Attack, Trouble> {
    fall_silent(house, Kind::Mailbox, "silence")
}

/// Watched by the warden alone.
pub fn sentinel(house: &mut House) -> Result<Attack, Trouble> {
    fall_silent(house, Kind::Sentinel, "silent")
}

/// As lively as ever, it keeps every alarm inside: the warden sees that nothing leaves. Before it
/// an honest one tells a test outside, so that it is this one's silence that is noticed.
pub fn kept_inside(house: &mut House) -> Result<Attack, Trouble> {
    let is_told = tells_outside(house);
    let (mut cast, mut phase) = play::raise(house, Kind::Sentinel, None)?;
    cast.gather(&mut phase, 1);
    let mut began = None;
    if let Some(one) = phase.intruders.first_mut() {
        one.ask(&Ask::KeepInside { seconds: KEPT_SECONDS });
        began = hear_begin(one, BEGIN_LIMIT);
    }
    let is_own = |said: &Said<'_>| said.by == Kind::Warden && said.what.contains("isolated by the");
    let is_alarmed = await_notice(house, &phase, began, NOTICE_LIMIT, is_own).is_some();
    let is_it = |said: &Said<'_>| said.by == Kind::Warden && said.how == "outside";
    let noticed = await_notice(house, &phase, began, NOTICE_LIMIT, is_it);
    let checks = [
        (!is_told, "an honest sentinel told nobody outside"),
        (!is_alarmed, "there was no alarm to keep inside"),
        (noticed.is_none(), "nobody noticed that no alarm leaves"),
    ];
    let broken = checks.iter().filter(|(is_so, _)| *is_so).map(|(_, what)| (*what).to_owned());
    let broken = broken.collect();
    if let Some(one) = phase.intruders.first_mut() {
        one.ask(&Ask::Leave);
        one.drain();
    }
    house.drills.disarm();
    super::powers::bring_back(house);
    close(house, cast, &mut phase);
    let what = "the warden's alarm of an isolation left by no route; it told that on the console \
                and in the ledger, sooner than in a house: there after two minutes, and after \
                eight where a message had just left";
    let (name, got, what) = ("keeps alarms inside", Got::Nothing, what.to_owned());
    Ok(Attack { phase, rows: vec![Row { name, got, what, noticed, is_scoped: false, broken }] })
}

/// Whether a test alarm comes to the relay.
fn tells_outside(house: &House) -> bool {
    let until = Instant::now() + BEGIN_LIMIT;
    loop {
        let answer = client::value(&house.data, &Request::AlarmTest).unwrap_or_default();
        let items = answer.get("items").and_then(Value::as_array);
        let by_mail = items.and_then(|items| items.iter().find(|item| item["route"] == "mail"));
        if by_mail.is_some_and(|item| item["arrived"] == true) || Instant::now() >= until {
            return house.alarms_came() > 0;
        }
        std::thread::sleep(PAUSE);
    }
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
