//! An owned `identity` that signs a stranger in as somebody, properly recorded; then as a decoy,
//! after it has told the sentinel that there are none.

use super::{Attack, Row, await_notice, close, counted, noticed, yes_no};
use crate::client;
use crate::outcome::Trouble;
use crate::trial::cast::WORK_LIMIT;
use crate::trial::clients;
use crate::trial::facts::NEIGHBOUR;
use crate::trial::markers::{Marker, Side, found_in};
use crate::trial::play::{self, Phase, RECORD_LAG};
use crate::trial::stage::House;
use crate::trial::verdict::read_entries;
use drill::{Ask, Asset, Count, Got};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::admin::Request;

const SERVE_SECONDS: u32 = 30;
const ALARM_LIMIT: Duration = Duration::from_secs(5);
/// It asks every thirty seconds.
const DECOYS_LIMIT: Duration = Duration::from_secs(45);
/// What a tenant's decoy is called.
const DECOY: &str = "records-";

pub fn play(house: &mut House) -> Result<Attack, Trouble> {
    let decoy = decoy(house)?;
    await_decoys(house);
    let person = house.account(Side::B).map_or("", |account| account.address).to_owned();
    let (mut cast, mut phase) = play::raise(house, Kind::Identity, None)?;
    cast.gather(&mut phase, 1);
    let mut rows = vec![persuaded(house, &mut phase, &person)];
    let first = asserted(house, &mut phase, &person);
    rows.push(stranger(house, &mut phase, first, &person));
    rows.push(touched(house, &mut phase, &decoy));
    if let Some(one) = phase.intruders.first_mut() {
        one.ask(&Ask::Leave);
        one.drain();
    }
    close(house, cast, &mut phase);
    Ok(Attack { phase, rows })
}

/// What the sentinel knows of decoys it has from an identity that was still honest.
fn await_decoys(house: &House) {
    let until = Instant::now() + DECOYS_LIMIT;
    while Instant::now() < until {
        let status = client::value(&house.data, &Request::Status).unwrap_or_default();
        if status.pointer("/sentinel/decoys").and_then(Value::as_u64) > Some(0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn decoy(house: &House) -> Result<String, Trouble> {
    let told = client::value(&house.data, &Request::UserList { tenant: None })?;
    let items = told.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let address = |item: &Value| item.get("address")?.as_str().map(str::to_owned);
    let found = items.iter().filter_map(address).find(|address| address.starts_with(DECOY));
    found.ok_or_else(|| Trouble::fault("no decoy in the drill's house", "report this"))
}

/// Lies to the directory: what it did upon them, who said so, and whether it stands in the ledger.
fn persuaded(house: &mut House, phase: &mut Phase, whom: &str) -> Row {
    let before = changes(house);
    let (address, mut began) = (whom.to_owned(), None);
    if let Some(one) = phase.intruders.first_mut() {
        one.does(&Ask::Persuade { address });
        began = one.lied_at;
    }
    // The ledger's files are read here as they lie.
    std::thread::sleep(RECORD_LAG);
    let carried = counted(phase, Count::Carried);
    let recorded = changes(house).saturating_sub(before);
    let is_there = client::value(&house.data, &Request::UserList { tenant: None })
        .is_ok_and(|told| told.to_string().contains(whom));
    let is_it = |said: &super::Said<'_>| matches!(said.by, Kind::Directory | Kind::Vault);
    let noticed = noticed(house, phase, began, is_it);
    let checks = [
        (began.is_none(), "it tried nothing".to_owned()),
        ((recorded as u64) < carried, format!("{carried} acts carried, {recorded} recorded")),
        (!is_there, "people whose contract goes on are gone".to_owned()),
    ];
    let broken = checks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect();
    let what = format!(
        "{carried} change of a contract's judgement carried as if two had agreed, {recorded} \
         recorded as the directory's; a living contract said to be erased is there: {}",
        yes_no(is_there)
    );
    let got = if carried > 0 { Got::Bounded } else { Got::Nothing };
    let (name, is_scoped) = ("lies to the directory", false);
    Row { name, got, what, noticed, is_scoped, broken }
}

/// Changes of rules in the ledger, by the directory.
fn changes(house: &House) -> usize {
    let entries = read_entries(&house.data).unwrap_or_default();
    let is_change = |entry: &&evidence::Entry| {
        entry.author == Kind::Directory && matches!(entry.body, evidence::Body::RuleChange { .. })
    };
    entries.iter().filter(is_change).count()
}

/// A stranger with no secret comes while it asserts; what the stranger read, and since when.
fn asserted(house: &mut House, phase: &mut Phase, whom: &str) -> (Vec<u8>, Option<Instant>) {
    let Some(one) = phase.intruders.first_mut() else { return (Vec::new(), None) };
    one.lied_at = None;
    one.does(&Ask::Assert { address: whom.to_owned() });
    one.ask(&Ask::Serve { seconds: SERVE_SECONDS });
    let stranger = clients::reading(house, "stranger@attacker.example", "sk-i-nothing");
    let until = Instant::now() + WORK_LIMIT;
    while !stranger.is_finished() && Instant::now() < until {
        one.hear(Duration::from_millis(5));
    }
    let read = match stranger.is_finished() {
        true => stranger.join().map(|reading| reading.octets).unwrap_or_default(),
        false => Vec::new(),
    };
    (read, one.lied_at)
}

fn stranger(
    house: &mut House,
    phase: &mut Phase,
    (read, began): (Vec<u8>, Option<Instant>),
    whom: &str,
) -> Row {
    let is_mail =
        |marker: &&Marker| matches!(marker.asset, Asset::StoredBodies | Asset::StoredHeaders);
    let held: Vec<&Marker> = found_in(&read, &house.markers);
    let theirs = held.iter().filter(|marker| is_mail(marker) && marker.side == Side::B);
    let theirs: BTreeSet<&str> = theirs.map(|marker| marker.text.as_str()).collect();
    let others = held.iter().filter(|marker| is_mail(marker) && marker.side == Side::A).count();
    let (count, mut broken) = (theirs.len(), Vec::new());
    if others > 0 {
        broken.push(format!("{others} words of people that it did not sign in as"));
    }
    let is_of_it = |said: &super::Said<'_>| {
        matches!(said.how, "no-sign-in" | "burst" | "decoy") || said.what.contains("a grant that")
    };
    phase.by_strangers.push(read);
    let noticed = noticed(house, phase, began, is_of_it);
    let got = if count > 0 { Got::Bounded } else { Got::Nothing };
    let what = format!(
        "a stranger read {count} planted words of {}'s mail, {others} of anybody else's; sign-in, \
         grant and each release are recorded",
        whom.split('@').next().unwrap_or_default()
    );
    let (name, is_scoped) = ("asserts a sign-in", true);
    Row { name, got, what, noticed, is_scoped, broken }
}

fn touched(house: &mut House, phase: &mut Phase, decoy: &str) -> Row {
    // It serves still: what is asked next ends that.
    if let Some(one) = phase.intruders.first_mut() {
        one.finished = 0;
        one.ask(&Ask::Assert { address: NEIGHBOUR.to_owned() });
        one.finish(WORK_LIMIT);
        one.finish(WORK_LIMIT);
    }
    let (read, began) = asserted(house, phase, decoy);
    let noticed = await_notice(house, phase, began, ALARM_LIMIT, |said| said.how == "decoy");
    let mut broken = Vec::new();
    if noticed.is_none() {
        broken.push("a decoy was signed in, and nobody noticed".to_owned());
    }
    let what = format!(
        "the decoy's empty mailbox (opened: {}), after it had told the sentinel that there are no \
         decoys; whoever owns identity knows who is one, and may keep away",
        yes_no(!read.is_empty())
    );
    let (name, got, is_scoped) = ("asserts a decoy's sign-in", Got::Nothing, false);
    Row { name, got, what, noticed, is_scoped, broken }
}
