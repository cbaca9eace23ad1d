//! A foreign program's cells. What it was handed is what was seen on the house's own channels. A
//! planted word in what it wrote is a proof that it had it, for nobody guesses one; that it wrote
//! none proves nothing. What rests on its own words alone is told as that.

use super::handed::Handed;
use super::markers::{Marker, Side, found_in};
use super::play::{Phase, Played};
use super::stage::House;
use super::verdict::{allowed, counts};
use super::watch::Alarm;
use crate::client;
use drill::{Asset, Got};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use terms::{Kind, MessageId, UserId};
use wire::admin::Request;

/// The promise: noticed within a second.
const ALARM_MS: u64 = 1_000;
/// What a program wrote last may still lie in its channel, which holds a few hundred packets.
const LAST_ROUNDS: usize = 8;
/// Those through whose hands messages pass in the clear, for each of which a scope is asked.
const CARRIERS: &[Kind] = &[Kind::Scanner, Kind::Edge, Kind::Access, Kind::Dispatch, Kind::Depart];
/// Those who have sockets of their own, which lead by no channel.
const OWN_SOCKETS: &[Kind] = &[Kind::Gate, Kind::Names, Kind::Zone];

/// What was observed of one instance.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Planted words in what it was handed.
    pub handed: BTreeSet<String>,
    /// Planted words in what it wrote itself, and in what reached the outside.
    pub said: BTreeSet<String>,
    /// Of the one person whom it serves; whoever serves nobody in particular serves both sides.
    pub side: Option<Side>,
    pub connections: usize,
    /// Frames that it wrote to its neighbours.
    pub asked: usize,
}

/// Looks through what every instance of a turn was handed and wrote.
pub fn observe(house: &House, phase: &mut Phase) {
    let Some(observed) = phase.observed.clone() else { return };
    let sides = sides(house);
    let outside = house.outside.take_octets();
    let mut keys: Vec<BTreeSet<MessageId>> = Vec::new();
    for (place, one) in phase.intruders.iter_mut().enumerate() {
        (0..LAST_ROUNDS).for_each(|_| one.hear_foreign());
        let mut own = BTreeSet::new();
        one.seen = observed.with(one.instance, |handed| {
            own.clone_from(&handed.keys);
            looked_through(handed, &sides, &house.markers)
        });
        keys.push(own);
        let mut said: Vec<Vec<u8>> = one.packets().map(<[u8]>::to_vec).collect();
        said.push(one.loot());
        said.extend((place == 0).then(|| outside.clone()));
        for octets in &said {
            one.seen.said.extend(words(found_in(octets, &house.markers)));
        }
    }
    for letter in &house.written {
        let is_keyed = keys.iter().any(|own| !own.is_empty());
        let kept = if is_keyed { house.kept_as(&letter.who) } else { Vec::new() };
        for (one, own) in phase.intruders.iter_mut().zip(&keys) {
            if kept.iter().any(|message| own.contains(message)) {
                one.seen.handed.extend(letter.words.iter().cloned());
            }
        }
        let has = |word: &String| phase.intruders.iter().any(|one| one.seen.handed.contains(word));
        if CARRIERS.contains(&phase.kind) && letter.words.iter().any(has) {
            let kept = house.kept_as(&letter.who);
            phase.passed_unkept += u64::from(kept.is_empty());
            phase.passed.extend(kept);
        }
    }
}

fn looked_through(handed: &Handed, sides: &BTreeMap<UserId, Side>, markers: &[Marker]) -> Seen {
    let mut seen = Seen {
        side: handed.person.and_then(|person| sides.get(&person).copied()),
        connections: handed.connections,
        asked: handed.asked,
        ..Seen::default()
    };
    for piece in &handed.pieces {
        seen.handed.extend(words(found_in(piece, markers)));
    }
    seen
}

fn words(found: Vec<&Marker>) -> impl Iterator<Item = String> {
    found.into_iter().map(|marker| marker.text.clone())
}

/// Whose side each person is on.
fn sides(house: &House) -> BTreeMap<UserId, Side> {
    let told = client::value(&house.data, &Request::UserList { tenant: None }).unwrap_or_default();
    let items = told.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let side = |item: &Value| {
        let is_a = item.get("address")?.as_str()?.ends_with(".jp");
        let user = UserId::parse(item.get("user")?.as_str()?)?;
        Some((user, if is_a { Side::A } else { Side::B }))
    };
    items.iter().filter_map(side).collect()
}

/// The planted words of one asset, by how the program came by them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub all: usize,
    /// Seen handed to it, and those of them that are in its own words as well.
    pub handed: usize,
    pub kept: usize,
    /// Of what it was handed, what does not concern it.
    pub stray: usize,
    /// In its own words, and typed on a connection that nobody can read but it.
    pub typed: usize,
    /// In its own words, and never seen handed to it.
    pub unseen: usize,
    /// All of one sort is in its own words.
    pub is_whole: bool,
}

impl Share {
    /// Sorts the words that count of an asset.
    pub fn of<'a>(
        kind: Kind,
        seen: &Seen,
        asset: Asset,
        wanted: impl Iterator<Item = &'a Marker>,
    ) -> Self {
        let mut share = Self::default();
        let mut sorts: BTreeMap<Asset, bool> = BTreeMap::new();
        let has_sockets = seen.connections > 0 || OWN_SOCKETS.contains(&kind);
        for marker in wanted {
            share.all += 1;
            let is_said = seen.said.contains(&marker.text);
            *sorts.entry(marker.asset).or_insert(true) &= is_said;
            let may = allowed(kind, marker.asset);
            let is_type = matches!(marker.asset, Asset::AccountSecrets | Asset::MailInFlight);
            let is_typed = has_sockets && is_type && may > Got::Nothing;
            match (seen.handed.contains(&marker.text), is_said) {
                (true, _) => {
                    share.handed += 1;
                    share.kept += usize::from(is_said);
                    // To whoever serves one person, nothing of the others.
                    let concerns = seen.side.is_none() && may > Got::Nothing;
                    share.stray += usize::from(asset == Asset::OtherTenants && !concerns);
                }
                (false, true) if is_typed => share.typed += 1,
                (false, true) => share.unseen += 1,
                (false, false) => {}
            }
        }
        sorts.remove(&Asset::MailInFlight);
        share.is_whole = share.unseen > 0 && sorts.values().any(|is_whole| *is_whole);
        if allowed(kind, asset) == Got::Everything {
            share.stray = 0;
        }
        share
    }

    pub fn got(&self) -> Got {
        match self.handed + self.typed + self.unseen {
            _ if self.is_whole => Got::Everything,
            0 => Got::Nothing,
            _ => Got::Bounded,
        }
    }

    pub fn words(&self) -> String {
        let Self { all, handed, kept, typed, unseen, .. } = self;
        let mut words = vec![match handed {
            0 => format!("0 of {all} markers handed to it"),
            _ => format!("{handed} of {all} markers handed to it, of what passes through it"),
        }];
        if *kept > 0 {
            words.push(format!("{kept} of them kept, as it says itself"));
        }
        if *typed > 0 {
            let on = "typed on connections that it has";
            words.push(format!("{typed} {on}, as it says itself"));
        }
        if *unseen > 0 {
            words.push(format!(
                "{unseen} that nobody was seen to hand to it stand in its own words"
            ));
        }
        words.join("; ")
    }

    /// A denial that did not hold, beside what the cell's own limit says.
    pub fn broken(&self, kind: Kind, asset: Asset) -> Option<String> {
        let (who, what) = (kind.word(), asset.word());
        if self.unseen > 0 && allowed(kind, asset) < Got::Everything {
            let had = format!("{} markers that nobody was seen to hand to it", self.unseen);
            return Some(format!("{who}: {what}: {had} stand in its own words"));
        }
        let given = format!("{} markers handed to it that do not concern it", self.stray);
        (self.stray > 0).then(|| format!("{who}: {what}: {given}"))
    }
}

/// What one instance got of an asset.
pub fn share(phase: &Phase, seen: &Seen, played: &Played, asset: Asset) -> Share {
    let side = seen.side.unwrap_or(Side::A);
    let wanted = played.markers.iter().filter(|marker| counts(phase, side, asset, marker));
    Share::of(phase.kind, seen, asset, wanted)
}

/// What the other cells' limit does not say: of each instance that had what nobody handed to it.
pub fn broken(phase: &Phase, played: &Played, asset: Asset) -> Vec<String> {
    let of = |seen: &Seen| share(phase, seen, played, asset).broken(phase.kind, asset);
    let all: BTreeSet<String> = phase.intruders.iter().filter_map(|one| of(&one.seen)).collect();
    all.into_iter().collect()
}

/// Alarms of a program that came late, or that do not stand in the ledger that it left behind: a
/// storm of them may take longer to be shown than a drill waits.
pub fn late_or_lost(
    kind: Kind,
    own: &[&Alarm],
    is_written: impl Fn(&Alarm) -> bool,
) -> Vec<String> {
    let (who, all) = (kind.word(), own.len());
    let late: Vec<u64> =
        own.iter().map(|alarm| alarm.after_ms).filter(|after_ms| *after_ms > ALARM_MS).collect();
    let lost = own.iter().filter(|alarm| !is_written(alarm)).count();
    let mut words = Vec::new();
    if let Some(last) = late.iter().max() {
        let count = late.len();
        words.push(format!("{who}: {count} of {all} alarms came late, the last after {last} ms"));
    }
    if lost > 0 {
        words.push(format!("{who}: {lost} of {all} alarms are not recorded"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::markers::{Marker, Side};
    use super::super::watch::Alarm;
    use super::{Seen, Share, late_or_lost};
    use drill::{Asset, Got};
    use std::time::Instant;
    use terms::{InstanceId, Kind};

    fn marker(asset: Asset, side: Side, text: &str) -> Marker {
        Marker::new(asset, side, text)
    }

    fn share(kind: Kind, asset: Asset, seen: &Seen, markers: &[Marker]) -> Share {
        Share::of(kind, seen, asset, markers.iter())
    }

    fn seen(handed: &[&str], said: &[&str]) -> Seen {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Seen { handed: all(handed), said: all(said), ..Seen::default() }
    }

    #[test]
    fn what_was_handed_counts_whatever_the_program_says() {
        let letters = [
            marker(Asset::MailInFlight, Side::B, "m0000000000000001"),
            marker(Asset::MailInFlight, Side::B, "m0000000000000002"),
        ];
        let check = |said: &[&str], words: &str| {
            for asset in [Asset::MailInFlight, Asset::OtherTenants] {
                let silent =
                    share(Kind::Scanner, asset, &seen(&["m0000000000000001"], said), &letters);
                assert_eq!((silent.got(), silent.words().as_str()), (Got::Bounded, words));
                // The other side's letter was handed to it by the house: that is its work.
                assert_eq!(silent.broken(Kind::Scanner, asset), None);
            }
        };
        check(&[], "1 of 2 markers handed to it, of what passes through it");
        check(
            &["m0000000000000001"],
            "1 of 2 markers handed to it, of what passes through it; 1 of them kept, as it says \
             itself",
        );
    }

    #[test]
    fn what_it_has_and_was_not_handed_breaks_a_denial() {
        let secrets = [
            marker(Asset::AccountSecrets, Side::A, "sk-i-0001"),
            marker(Asset::AccountSecrets, Side::B, "sk-i-0002"),
        ];
        let check = |kind, seen: &Seen, got, is_broken: bool| {
            let share = share(kind, Asset::AccountSecrets, seen, &secrets);
            assert_eq!(share.got(), got, "{share:?}");
            assert_eq!(share.broken(kind, Asset::AccountSecrets).is_some(), is_broken, "{share:?}");
        };
        check(Kind::Scanner, &seen(&[], &[]), Got::Nothing, false);
        check(Kind::Scanner, &seen(&[], &["sk-i-0001"]), Got::Bounded, true);
        check(Kind::Scanner, &seen(&[], &["sk-i-0001", "sk-i-0002"]), Got::Everything, true);
        // Typed on a connection that it was handed, under a key that is its own.
        let mut typed = seen(&[], &["sk-i-0001"]);
        check(Kind::Access, &typed, Got::Bounded, true);
        typed.connections = 1;
        check(Kind::Access, &typed, Got::Bounded, false);
        check(Kind::Scanner, &typed, Got::Bounded, true);
    }

    #[test]
    fn who_serves_one_person_is_handed_nothing_of_another() {
        let letters = [marker(Asset::MailInFlight, Side::B, "m0000000000000001")];
        let mut seen = seen(&["m0000000000000001"], &[]);
        let is_broken = |seen: &Seen, kind| {
            let share = share(kind, Asset::OtherTenants, seen, &letters);
            share.broken(kind, Asset::OtherTenants).is_some()
        };
        assert!(!is_broken(&seen, Kind::Dispatch));
        seen.side = Some(Side::A);
        assert!(is_broken(&seen, Kind::Dispatch));
        assert!(!is_broken(&seen, Kind::Directory));
    }

    #[test]
    fn a_late_alarm_and_one_that_nobody_wrote_down_are_told() {
        let alarm = |after_ms: u64, number: u64| {
            let (instance, call) = (InstanceId([1; 6]), "socket".to_owned());
            let (kind, what, number) = (Kind::Scanner, String::new(), Some(number));
            let heard_at = Instant::now();
            Alarm { instance, kind, pid: 1, call, what, after_ms, heard_at, number }
        };
        let check = |alarms: &[Alarm], expected: &[&str]| {
            let own: Vec<_> = alarms.iter().collect();
            let is_written = |alarm: &Alarm| alarm.number.is_some_and(|number| number < 3);
            assert_eq!(late_or_lost(Kind::Scanner, &own, is_written), expected);
        };
        check(&[alarm(0, 1), alarm(1_000, 2)], &[]);
        check(
            &[alarm(0, 1), alarm(1_700, 2)],
            &["scanner: 1 of 2 alarms came late, the last after 1700 ms"],
        );
        check(&[alarm(0, 3)], &["scanner: 1 of 1 alarms are not recorded"]);
    }
}
