//! The breach that we answer, played again in a real house: what was done there is done here, by
//! hostile code in real jails, and measured. Reading order: this file (the play), `left` (a
//! contract that has ended), `months` (what budgets make of eight months), `then` (what is known of
//! that time), `page` (both side by side).

mod left;
mod months;
mod page;
mod then;

use super::alike::{likeness, scope_of};
use super::cast::{Cast, Intruder};
use super::clients;
use super::doorstep;
use super::markers::{Side, found_in};
use super::play::{self, Phase};
use super::stage::{self, House, Set};
use super::verdict::{off_charter, read_entries};
use crate::client;
use crate::outcome::Trouble;
use drill::{Ask, Asset, Told};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;
use terms::{InstanceId, Kind};
use wire::admin::Request;

pub use page::show;

/// Letters that lie in each mailbox beside the planted ones, so that there is something to read.
const MORE_LETTERS: usize = 7;

/// What the play leaves for the telling.
struct Acted {
    access: Phase,
    edge: Phase,
    doors: Vec<(String, bool)>,
    left: Value,
    left_markers: Vec<super::markers::Marker>,
    replaced: bool,
    tenants: Value,
    markers: Vec<super::markers::Marker>,
    alarms: Vec<super::watch::Alarm>,
}

/// Plays it, and gives both histories as data.
pub fn play() -> Result<Value, Trouble> {
    let set = Set::open(None)?;
    let told = stage::perform(&set, act).and_then(|acted| tell(&set, &acted));
    set.clear();
    told
}

/// Everything that happens, in the order in which it happened then.
fn act(house: &mut House) -> Result<Acted, Trouble> {
    house.furnish()?;
    third_organisation(house)?;
    let left = left::end_a_contract(house)?;
    for _ in 0..MORE_LETTERS {
        house.plant(Side::A, Asset::StoredHeaders, Asset::StoredBodies)?;
        house.plant(Side::B, Asset::StoredHeaders, Asset::StoredBodies)?;
    }
    let (mut cast, mut access) = play::raise(house, Kind::Access, None)?;
    cast.gather(&mut access, 2);
    if let Some(first) = access.intruders.first_mut() {
        // Tools of the host, credential files; then the neighbours.
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
        first.ask(&Ask::Leave);
        first.drain();
    }
    // A person signs in to the other: everything that one session may read is read.
    doorstep::sign_in(house, &mut cast, &mut access, Side::A);
    close(house, cast, &mut access);
    let (mut cast, mut edge) = play::raise(house, Kind::Edge, None)?;
    cast.gather(&mut edge, 1);
    if let Some(first) = edge.intruders.first_mut() {
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
    }
    close(house, cast, &mut edge);
    let doors = try_elsewhere(house, &access);
    let living: Vec<drill::Sealed> = access.intruders.iter().flat_map(Intruder::sealed).collect();
    let (left, left_markers) = (left.told(house, &living), left.markers);
    let replaced = play::replacement(house, Kind::Access);
    let tenants = client::value(&house.data, &Request::TenantList).unwrap_or_default();
    let phases = play::ended(house, Vec::new());
    let alarms = phases.alarms.into_iter().map(|(alarm, _)| alarm).collect();
    let markers = phases.markers;
    Ok(Acted { access, edge, doors, left, left_markers, replaced, tenants, markers, alarms })
}

fn close(house: &mut House, cast: Cast, phase: &mut Phase) {
    play::await_alarms(house, phase);
    phase.to_ms = compartment::now_ms() + 1;
    // As in a turn: the letters that show whether mail passes again are none of this.
    std::thread::sleep(play::RECORD_LAG);
    phase.is_whole = play::dismiss(house, cast, phase);
    play::collect_passed(house, phase);
}

/// A third contract in the same house, with mail of its own.
fn third_organisation(house: &House) -> Result<(), Trouble> {
    let tenant = "Example Org".to_owned();
    client::value(&house.data, &Request::TenantAdd { name: tenant.clone() })?;
    let domain = Request::DomainAdd { domain: "example.org".to_owned(), tenant: tenant.clone() };
    client::value(&house.data, &domain)?;
    let user = Request::UserAdd {
        address: "carol@example.org".to_owned(),
        tenant,
        role: None,
        aliases: Vec::new(),
        password: None,
    };
    client::value(&house.data, &user).map(drop)
}

/// The app password that was typed while the intruder watched, at every door of the house: whether
/// it opened. The first is the door that it belongs to.
fn try_elsewhere(house: &House, access: &Phase) -> Vec<(String, bool)> {
    let typed = access.intruders.iter().flat_map(|one| &one.told).find_map(|told| match told {
        Told::Obtained { how, bytes } if how == "what was typed" => {
            let line = String::from_utf8_lossy(bytes).into_owned();
            line.split_whitespace().nth(3).map(str::to_owned)
        }
        _ => None,
    });
    let Some(secret) = typed else { return Vec::new() };
    let others = ["haru@example.jp", "sato@example.jp", "alice@example.net", "carol@example.org"];
    let own = house.account(Side::A).map(|account| account.address);
    let doors = own.into_iter().chain(others).map(|address| {
        let reading = clients::reading(house, address, &secret).join();
        (address.to_owned(), reading.is_ok_and(|reading| reading.let_in))
    });
    doors.collect()
}

/// What was measured, and what is known of then.
fn tell(set: &Set, acted: &Acted) -> Result<Value, Trouble> {
    let entries = read_entries(&set.data)?;
    let (access, edge) = (&acted.access, &acted.edge);
    let ours: BTreeSet<InstanceId> = access.intruders.iter().map(|one| one.instance).collect();
    let begun = Instant::now();
    let scope = scope_of(&set.data, Kind::Access, &ours, access.from_ms, access.to_ms + 1_200);
    let scope_ms = begun.elapsed().as_millis() as u64;
    let alike = likeness(access, &entries).map(|alike| alike.likeness);
    let contracts = scope.iter().flat_map(|scope| &scope.contracts).map(|contract| {
        json!({
            "tenant": name_of(&acted.tenants, &contract.tenant),
            "accounts": contract.accounts,
            "messages": contract.messages,
            "classes": contract.classes,
        })
    });
    let doors = acted.doors.iter().map(|(door, opened)| json!({ "door": door, "opened": opened }));
    let deeds = Deeds::of(acted);
    let recall = alike.as_ref().map(|alike| alike.recall);
    Ok(json!({
        "then": then::known(),
        "here": {
            "owned": [access.kind.word(), edge.kind.word()],
            "stand_in": true,
            "organisations": acted.tenants.get("items").and_then(Value::as_array).map(Vec::len),
            "tools": { "tried": deeds.tools, "worked": deeds.tools_worked,
                "alarms": deeds.alarms.len(), "slowest_alarm_ms": deeds.alarms.iter().max() },
            "files": { "tried": deeds.files, "opened": deeds.files_opened },
            "neighbours": { "asked": deeds.asked, "gave": deeds.gave,
                "others_words_in_hand": deeds.others },
            "reading": { "messages": access.passed.len(), "people": 1,
                "recorded": recall.is_some_and(|recall| recall >= 1.0) },
            "simulated": months::simulated(),
            "elsewhere": doors.collect::<Vec<_>>(),
            "left": { "measured": acted.left, "words_in_hand": deeds.of_who_left },
            "noticed": { "first_alarm_ms": deeds.alarms.first(), "replaced": acted.replaced },
            "extent": { "contracts": contracts.collect::<Vec<_>>(), "scope_ms": scope_ms,
                "messages": scope.as_ref().map(|scope| scope.messages.len()),
                "precision": alike.map(|alike| alike.precision), "recall": recall },
        },
        "broken": deeds.broken(acted, recall),
    }))
}

/// What the intruders did, counted.
struct Deeds {
    tools: usize,
    tools_worked: usize,
    files: usize,
    files_opened: usize,
    asked: usize,
    gave: usize,
    /// Planted words of other organisations in anything that an intruder got.
    others: usize,
    /// Planted words of the organisation whose contract had ended.
    of_who_left: usize,
    off_charter: usize,
    /// Milliseconds by the warden's clock, in the order of the alarms.
    alarms: Vec<u64>,
}

impl Deeds {
    fn of(acted: &Acted) -> Self {
        let all: Vec<&Intruder> =
            acted.access.intruders.iter().chain(&acted.edge.intruders).collect();
        let told: Vec<&Told> = all.iter().flat_map(|one| &one.told).collect();
        let count = |is_it: &dyn Fn(&Told) -> bool| told.iter().filter(|told| is_it(told)).count();
        let is_of = |told: &Told, file: bool, done: bool| match told {
            Told::Act { act, errno, .. } => {
                act.starts_with("open /") == file && (!done || errno.is_none())
            }
            _ => false,
        };
        let instances: BTreeSet<InstanceId> = all.iter().map(|one| one.instance).collect();
        let heard = acted.alarms.iter().filter(|alarm| instances.contains(&alarm.instance));
        let off = [&acted.access, &acted.edge].into_iter().flat_map(|phase| {
            phase.intruders.iter().map(|one| off_charter(phase.kind, one).count())
        });
        Self {
            tools: count(&|told| is_of(told, false, false)),
            tools_worked: count(&|told| is_of(told, false, true)),
            files: count(&|told| is_of(told, true, false)),
            files_opened: count(&|told| is_of(told, true, true)),
            asked: count(&|told| matches!(told, Told::Word { .. })),
            gave: count(&|told| matches!(told, Told::Word { held: false, .. })),
            others: in_hand(&all, &acted.markers),
            of_who_left: in_hand(&all, &acted.left_markers),
            off_charter: off.sum(),
            alarms: heard.map(|alarm| alarm.after_ms).collect(),
        }
    }

    /// What this play promises and did not show.
    fn broken(&self, acted: &Acted, recall: Option<f64>) -> Vec<String> {
        let Self { tools_worked, files_opened, gave, others, of_who_left, off_charter, .. } = self;
        let heard = self.alarms.len();
        let other_doors = acted.doors.iter().skip(1).filter(|(_, opened)| *opened).count();
        let checks = [
            (*tools_worked > 0, format!("{tools_worked} tools of the host worked")),
            (*files_opened > 0, format!("{files_opened} files opened")),
            (*gave > 0, format!("{gave} neighbours gave what they must not")),
            (*others > 0, format!("{others} words of other organisations were in hand")),
            (heard < *off_charter, format!("{off_charter} calls off charter, {heard} alarms")),
            (other_doors > 0, format!("{other_doors} other doors opened to a stolen secret")),
            (acted.doors.is_empty(), "no secret was typed".to_owned()),
            (acted.access.passed.is_empty(), "nothing was read".to_owned()),
            (!acted.replaced, "the owned instance was not replaced".to_owned()),
            (recall.is_none_or(|recall| recall < 1.0), "the scope left something out".to_owned()),
            (*of_who_left > 0, format!("{of_who_left} words of who had left were in hand")),
        ];
        let left = left_broken(&acted.left);
        let checks = checks.into_iter().chain(left);
        checks.filter(|(is_broken, _)| *is_broken).map(|(_, what)| what).collect()
    }
}

/// What is promised of who has left, and was not so.
fn left_broken(left: &Value) -> Vec<(bool, String)> {
    let of = |name: &str| left.pointer(name).cloned().unwrap_or_default();
    let count = |name: &str| of(name).as_u64();
    let (before, after) = ("/ciphertexts_on_disk_before", "/ciphertexts_on_disk_after");
    let (stolen, living) = ("/owned_vault/stolen", "/owned_vault/opened_of_the_living");
    let kept = count("/owned_vault/opened");
    vec![
        (of("/letters_before").is_null(), "who left had not read before".to_owned()),
        (count(before) < Some(1), "no ciphertext of who left was on the disk before".to_owned()),
        (count(after) != Some(0), format!("ciphertext of who had left: {}", of(after))),
        (count("/found") != Some(0), format!("remains of who had left: {}", of("/found"))),
        (count("/unread") != Some(0), format!("places not searched: {}", of("/unread"))),
        (count("/keys_destroyed") < Some(1), "no key of who left was destroyed".to_owned()),
        (of("/certificate") != json!(true), "no cosigned certificate".to_owned()),
        (of("/door_opened") != json!(false), "who had left was let in".to_owned()),
        (count(stolen) < Some(1), "nothing was stolen of who left".to_owned()),
        (kept != Some(0), format!("an owned vault opened what had ended: {kept:?}")),
        (count(living) < Some(1), "an owned vault opened nothing of the living".to_owned()),
    ]
}

/// Planted words of other organisations, of these, in anything that an intruder got.
fn in_hand(all: &[&Intruder], markers: &[super::markers::Marker]) -> usize {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let loot = all.iter().flat_map(|one| &one.told).filter_map(|told| match told {
        Told::Obtained { bytes, .. } => Some(bytes),
        _ => None,
    });
    for octets in loot {
        let others = found_in(octets, markers).into_iter().filter(|one| one.side == Side::B);
        found.extend(others.map(|marker| marker.text.as_str()));
    }
    found.len()
}

/// The ledger knows ids only; the house puts the name to it for its operator.
fn name_of(tenants: &Value, id: &str) -> String {
    let items = tenants.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let found = items.iter().find(|item| text(item, "id").as_deref() == Some(id));
    found.and_then(|item| text(item, "tenant")).unwrap_or_else(|| id.to_owned())
}
