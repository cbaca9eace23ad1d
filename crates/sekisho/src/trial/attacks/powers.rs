//! An owned `sentinel`: whom it shuts out and what it takes away, who says so, what an operator
//! brings back; and what the warden does not do at its word.

use super::{Attack, Row, Said, await_notice, close, counted, yes_no};
use crate::client;
use crate::outcome::Trouble;
use crate::trial::cast::{Cast, WORK_LIMIT};
use crate::trial::clients;
use crate::trial::markers::Side;
use crate::trial::play::{self, Phase};
use crate::trial::stage::House;
use drill::{Ask, Count, Got, Reach};
use serde_json::Value;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::admin::Request;

const NOTICE_LIMIT: Duration = Duration::from_secs(3);
/// A command after another: `admin` and `identity` are there, whatever is away.
const BACK_LIMIT: Duration = Duration::from_secs(20);

pub fn play(house: &mut House) -> Result<Attack, Trouble> {
    let (mut cast, mut phase) = play::raise(house, Kind::Sentinel, None)?;
    cast.gather(&mut phase, 1);
    if let Some(one) = phase.intruders.first_mut() {
        one.does(&Ask::ShutAll);
    }
    let mut rows = vec![shut(house, &phase)];
    for (place, reach) in [Reach::Keeper, Reach::Release].into_iter().enumerate() {
        rows.push(overreach(house, &mut cast, &mut phase, (place, reach)));
    }
    house.drills.disarm();
    let is_back = bring_back(house);
    if let (false, Some(row)) = (is_back, rows.first_mut()) {
        row.broken.push("an operator could not bring everybody back".to_owned());
    }
    close(house, cast, &mut phase);
    Ok(Attack { phase, rows })
}

fn listed(house: &House, request: &Request) -> Vec<Value> {
    let told = client::value(&house.data, request).unwrap_or_default();
    told.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn shut(house: &mut House, phase: &Phase) -> Row {
    let began = phase.intruders.first().and_then(|one| one.lied_at);
    let is_frozen =
        |said: &Said<'_>| said.by == Kind::Identity && said.what.starts_with("frozen by");
    let is_isolated =
        |said: &Said<'_>| said.by == Kind::Warden && said.what.starts_with("isolated by");
    let frozen_notice = await_notice(house, phase, began, NOTICE_LIMIT, is_frozen);
    let isolated_notice = await_notice(house, phase, began, NOTICE_LIMIT, is_isolated);
    let (frozen, isolated) =
        (listed(house, &Request::FreezeList).len(), listed(house, &Request::IsolateList).len());
    let at_once = counted(phase, Count::FrozenAtOnce);
    let reading = clients::person_reading(house, Side::A).and_then(|one| one.join().ok());
    let is_read = reading.is_some_and(|one| one.let_in);
    let isolated_ms = isolated_notice.as_ref().map(|notice| notice.after_ms);
    let checks = [
        (counted(phase, Count::Frozen) == 0, "it froze nobody: it tried nothing".to_owned()),
        (isolated == 0, "it isolated nothing: it tried nothing".to_owned()),
        (at_once > 0, "everybody was frozen with one word".to_owned()),
        (frozen_notice.is_none(), "nobody but it said that people are frozen".to_owned()),
        (isolated_notice.is_none(), "nobody but it said what is isolated".to_owned()),
        (is_read, "a person read although everybody is shut out".to_owned()),
    ];
    let broken = checks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
    let what = format!(
        "{frozen} people and contracts frozen one by one, {isolated} kinds isolated, until an \
         operator lifts it: nobody reads; identity told of the first freeze, the warden of the \
         first isolation (after {} ms)",
        isolated_ms.map_or("?".to_owned(), |ms| ms.to_string())
    );
    let (name, got, is_scoped) = ("shuts everybody out", Got::Bounded, false);
    Row { name, got, what, noticed: frozen_notice, is_scoped, broken }
}

/// One word too much: the warden ends it, and says so.
fn overreach(
    house: &mut House,
    cast: &mut Cast,
    phase: &mut Phase,
    (place, reach): (usize, Reach),
) -> Row {
    let name = match reach {
        Reach::Keeper => "asks for a keeper to be isolated",
        Reach::Release => "asks for a release",
    };
    let before = listed(house, &Request::IsolateList).len();
    // The one before was ended for its word; whoever comes after it is owned like it.
    cast.gather(phase, place + 1);
    let mut began = None;
    if let Some(one) = phase.intruders.get_mut(place) {
        // It may be ended, and that be told, before its own word of it is heard.
        began = Some(Instant::now());
        one.ask(&Ask::Overreach(reach));
        one.finish(WORK_LIMIT);
        one.drain();
    }
    let own = phase.intruders.get(place).map(|one| one.instance);
    let is_it = |said: &Said<'_>| said.about == own && said.what.contains("not its own to make");
    let noticed = await_notice(house, phase, began, NOTICE_LIMIT, is_it);
    let ended = own
        .is_some_and(|own| house.watch.until(NOTICE_LIMIT, |watch| watch.ended.contains_key(&own)));
    let after = listed(house, &Request::IsolateList).len();
    let checks = [
        (began.is_none(), "it tried nothing".to_owned()),
        (noticed.is_none(), "nobody noticed".to_owned()),
        (!ended, "it was not ended".to_owned()),
        (before != after, format!("{before} kinds were isolated, and {after} after it")),
    ];
    let broken = checks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
    let what = format!("refused; it was ended for it: {}", yes_no(ended));
    Row { name, got: Got::Nothing, what, noticed, is_scoped: false, broken }
}

/// As an operator does it, thing by thing.
pub fn bring_back(house: &House) -> bool {
    let until = Instant::now() + BACK_LIMIT;
    loop {
        for item in listed(house, &Request::IsolateList) {
            if let Some(component) = item.get("component").and_then(Value::as_str) {
                let component = component.to_owned();
                let _ =
                    client::value(&house.data, &Request::Isolate { component, isolated: false });
            }
        }
        for item in listed(house, &Request::FreezeList) {
            let name = item.get("name").and_then(Value::as_str).map(str::to_owned);
            let is = |what: &str| item.get("what").and_then(Value::as_str) == Some(what);
            let address = name.clone().filter(|_| is("person"));
            let tenant = name.clone().filter(|_| is("tenant"));
            let component = name.filter(|_| is("component"));
            let thaw = Request::Freeze { address, tenant, component, frozen: false };
            let _ = client::value(&house.data, &thaw);
        }
        let is_back = listed(house, &Request::IsolateList).is_empty()
            && listed(house, &Request::FreezeList).is_empty();
        if is_back || Instant::now() >= until {
            return is_back;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
