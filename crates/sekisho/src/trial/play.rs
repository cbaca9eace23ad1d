//! One compartment after the other: taken over, let loose, ended, replaced.

use super::attacks::Attack;
use super::cast::{BIRTH_LIMIT, Cast, Intruder, PULSE, WORK_LIMIT};
use super::clients::{self, Reading};
use super::control::{self, Control};
use super::handed::Observed;
use super::markers::{Marker, Side};
use super::stage::{self, House};
use super::watch::{Alarm, Watch};
use super::wiretap::Wiretap;
use super::{doorstep, facts, foreign, leaving, visitors};
use crate::client;
use crate::outcome::Trouble;
use drill::{Ask, Sealed, Told};
use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, MessageId};
use warden::{Drill, Program};
use wire::admin::Request;
use wire::vault::Item;

/// An alarm must come within a second; we listen a little longer to see that it did not.
pub const ALARM_LIMIT: Duration = Duration::from_secs(2);
pub const SERVE_SECONDS: u32 = 20;
/// A reading is answered within ten seconds, whatever is silent; a letter may wait longer.
const SERVE_LIMIT: Duration = Duration::from_secs(12);
/// How long a foreign program is left to work.
const PROGRAM_LIMIT: Duration = Duration::from_secs(6);
/// Alarms of one foreign program after which it is ended: the rest would be the same.
const STORM: usize = 2_000;
/// A delivery is recorded within a second.
pub const RECORD_LAG: Duration = Duration::from_millis(1_500);
/// A ledger is asked to show what it took a second later, by whoever has said something.
const SHOWN_WITHIN: Duration = Duration::from_secs(6);
/// Mail passes again after a keeper came back: many times what it takes.
const WHOLE_LIMIT: Duration = Duration::from_secs(60);

/// A letter leaves in a second; one that met an instance just ended waits for another.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// What happened in one compartment's turn.
pub struct Phase {
    pub kind: Kind,
    /// The same traffic before, with nobody hostile; the story has none.
    pub control: Option<Control>,
    pub from_ms: u64,
    pub to_ms: u64,
    /// Until when its scope is asked for: a program that never answers holds a letter to its end,
    /// and what becomes of the letter is written down after that.
    pub scope_to_ms: u64,
    pub intruders: Vec<Intruder>,
    /// Numbers of messages that were in hand.
    pub passed: BTreeSet<MessageId>,
    pub passed_unkept: u64,
    /// Numbers of messages that it made itself and had kept.
    pub forged: BTreeSet<MessageId>,
    /// The second run: its first call off charter ended it, and a successor was born.
    pub replaced: Option<bool>,
    pub is_program: bool,
    /// What such a program was handed.
    pub observed: Option<Observed>,
    /// What arrived where nothing should: datagrams, connections.
    pub got_out: u64,
    /// What strangers read whom the intruder let in or gave a secret.
    pub by_strangers: Vec<Vec<u8>>,
    /// A person's reading meanwhile: how long it took, what was said in the end.
    pub reading: Option<Reading>,
    /// Mail passed again afterwards.
    pub is_whole: bool,
    pub seconds: f64,
}

pub struct Played {
    pub phases: Vec<Phase>,
    pub attacks: Vec<Attack>,
    pub alarms: Vec<(Alarm, Option<u64>)>,
    pub markers: Vec<Marker>,
    /// Kinds that could not be given a listener by this kernel.
    pub missing: Vec<(Kind, String)>,
}

pub fn everything(
    house: &mut House,
    kinds: &[Kind],
    program: Option<&[u8]>,
) -> Result<Played, Trouble> {
    house.furnish()?;
    let play = |kind: &Kind| turn(house, *kind, program);
    let phases = kinds.iter().map(play).collect::<Result<Vec<Phase>, Trouble>>()?;
    Ok(ended(house, phases))
}

/// The last alarms are durable within a second.
pub fn ended(house: &mut House, phases: Vec<Phase>) -> Played {
    house.watch.until(ALARM_LIMIT, |watch: &Watch| {
        watch.alarms.iter().filter_map(|alarm| alarm.number).all(|n| watch.leaf(n).is_some())
    });
    std::thread::sleep(RECORD_LAG);
    house.watch.pump();
    let leaf = |alarm: &Alarm| alarm.number.and_then(|number| house.watch.leaf(number));
    let with_leaf = |alarm: &Alarm| (alarm.clone(), leaf(alarm));
    let alarms = house.watch.alarms.iter().map(with_leaf).collect();
    let (markers, missing) = (house.markers.clone(), house.watch.missing.clone());
    Played { phases, attacks: Vec::new(), alarms, markers, missing }
}

pub fn turn(house: &mut House, kind: Kind, program: Option<&[u8]>) -> Result<Phase, Trouble> {
    eprintln!("sekisho drill: {} …", kind.word());
    let begun = Instant::now();
    let control = Some(control::play(house, kind));
    let stolen = match (kind, program) {
        (Kind::Vault, None) => harvest(house),
        _ => Vec::new(),
    };
    let before_ms = compartment::now_ms();
    if kind == Kind::Post {
        leaving::fill_queue(house);
    }
    let (mut cast, mut phase) = raise(house, kind, program)?;
    phase.control = control;
    if kind == Kind::Post {
        // What lies in its queue is what it is found with.
        phase.from_ms = before_ms;
    }
    match (kind, program) {
        (_, Some(_)) => let_loose(house, &mut cast, &mut phase),
        (Kind::Scanner, None) => scanner(house, &mut cast, &mut phase),
        (Kind::Edge, None) => edge(house, &mut cast, &mut phase),
        (Kind::Access, None) => access(house, &mut cast, &mut phase),
        (Kind::Pages, None) => visitors::pages(house, &mut cast, &mut phase),
        (Kind::Dispatch, None) => leaving::dispatch(house, &mut cast, &mut phase),
        (Kind::Depart, None) => leaving::depart(house, &mut cast, &mut phase),
        (Kind::Gate, None) => gate(house, &mut cast, &mut phase),
        (Kind::Admin, None) => admin(house, &mut cast, &mut phase),
        (_, None) => keeper(house, &mut cast, &mut phase, &stolen),
    }
    await_alarms(house, &phase);
    phase.to_ms = compartment::now_ms() + 1;
    // What was done until now is recorded within a second, under times of its own. The letters
    // that show whether mail passes again come after that: gate offers such a connection to one
    // edge after the other, those that were taken over and are gone among them, and none of it is
    // of this turn.
    std::thread::sleep(RECORD_LAG);
    phase.got_out = house.outside.arrived();
    phase.is_whole = dismiss(house, cast, &mut phase);
    if program.is_none() && can_be_replaced(kind) {
        phase.replaced = Some(replacement(house, kind));
    }
    collect_passed(house, &mut phase);
    foreign::observe(house, &mut phase);
    phase.seconds = begun.elapsed().as_secs_f64();
    Ok(phase)
}

/// Ends the drill and everybody in it, those too who are being born just now; whether mail passes
/// again.
pub fn dismiss(house: &mut House, mut cast: Cast, phase: &mut Phase) -> bool {
    house.drills.disarm();
    house.drills.tap(None);
    house.watch.end_all(phase.kind);
    if phase.is_program {
        std::thread::sleep(RECORD_LAG);
        phase.scope_to_ms = compartment::now_ms();
    }
    // Whoever was drafted last is on the list; nobody is drafted any more.
    cast.gather_now(phase);
    let drafted: Vec<InstanceId> = phase.intruders.iter().map(|one| one.instance).collect();
    settle(house, phase.kind, &drafted)
}

/// Arms the drill, and ends who is honest.
pub fn raise(
    house: &mut House,
    kind: Kind,
    program: Option<&[u8]>,
) -> Result<(Cast, Phase), Trouble> {
    let (give, talks) = channel();
    let program = program.map(|code| with_frames(house, kind, code)).transpose()?;
    let is_program = program.is_some();
    // What was kept before is recorded by then, and counted to nobody of this turn.
    std::thread::sleep(RECORD_LAG);
    let from_ms = compartment::now_ms();
    house.outside.arrived();
    let facts = facts::facts(house, kind);
    let observed = is_program.then(Observed::default);
    house.drills.arm(Drill { kind, program, lives_on: true, talks: give });
    if let Some(observed) = &observed {
        let (give, tapped) = channel();
        Wiretap::observing(observed.clone()).listen(kind, tapped);
        house.drills.tap(Some((kind, give)));
    }
    house.watch.end_all(kind);
    let phase = Phase {
        kind,
        control: None,
        from_ms,
        to_ms: u64::MAX,
        scope_to_ms: 0,
        intruders: Vec::new(),
        passed: BTreeSet::new(),
        passed_unkept: 0,
        forged: BTreeSet::new(),
        replaced: None,
        is_program,
        observed,
        got_out: 0,
        by_strangers: Vec::new(),
        reading: None,
        is_whole: true,
        seconds: 0.0,
    };
    Ok((Cast { talks, facts }, phase))
}

/// An instance that mail needs is ended at its first call off charter; an admin has its one caller.
fn can_be_replaced(kind: Kind) -> bool {
    has_zygote(kind) && kind != Kind::Admin
}

fn has_zygote(kind: Kind) -> bool {
    wire::charter(kind).is_some_and(|charter| charter.has_zygote)
}

/// The program, with frames recorded while our own code does a little of everything.
fn with_frames(house: &mut House, kind: Kind, code: &[u8]) -> Result<Program, Trouble> {
    let (give, tapped) = channel();
    let tap = Wiretap::default();
    tap.listen(kind, tapped);
    house.drills.tap(Some((kind, give)));
    house.watch.end_all(kind);
    settle(house, kind, &[]);
    for side in [Side::A, Side::B] {
        if let Some(reading) = clients::person_reading(house, side) {
            let _ = reading.join();
        }
    }
    if leaving::is_asked(kind) || leaving::is_on_the_way(kind) || kind == Kind::Access {
        leaving::rehearse(house, facts::NEIGHBOUR, LEAVE_LIMIT);
    }
    if kind == Kind::Pages {
        visitors::rehearse(house);
    }
    let _ = client::value(&house.data, &Request::UserList { tenant: None });
    let _ = client::value(&house.data, &Request::Status);
    house.drills.tap(None);
    let code = crate::commands::sealed(code)?;
    let frames = crate::commands::sealed(tap.told().as_bytes())?;
    Ok(Program { code, frames })
}

/// The house is whole again: mail is kept, and can be read.
pub fn settle(house: &mut House, kind: Kind, drafted: &[InstanceId]) -> bool {
    let is_back = |watch: &Watch| {
        let has_zygote = has_zygote(kind);
        watch.alive.iter().any(|alive| alive.kind == kind && (!has_zygote || !alive.is_instance))
    };
    house.watch.until(BIRTH_LIMIT, is_back);
    let until = Instant::now() + WHOLE_LIMIT;
    while Instant::now() < until {
        house.watch.end_these(drafted);
        let is_kept = house.post_in_flight().is_ok();
        let reading = clients::person_reading(house, Side::A).and_then(|one| one.join().ok());
        let is_read = reading.is_some_and(|one| one.let_in && !one.octets.is_empty());
        let is_visited = kind != Kind::Pages || visitors::are_answered(house);
        let mut leaves =
            || !leaving::is_on_the_way(kind) || clients::mail_leaves(house, LEAVE_LIMIT);
        if is_kept && is_read && is_visited && leaves() {
            return true;
        }
        std::thread::sleep(PULSE * 5);
    }
    false
}

fn scanner(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    // Idle edges find their scanners dead at the next message, and get a hostile one. The first
    // letter waits for it; whoever is born is told to serve at once.
    let senders = with_mail(house, cast, phase, 2);
    phase.passed.extend(senders.iter().flat_map(|sender| house.kept_as(sender)));
    for intruder in &mut phase.intruders {
        intruder.ask(&Ask::Acts(cast.facts.clone()));
        // `Serve` ends when it is called away, and says so.
        intruder.finish(WORK_LIMIT);
        intruder.finish(WORK_LIMIT);
    }
}

/// Sends letters while hostile instances of the kind serve; the senders of those kept.
fn with_mail(house: &mut House, cast: &mut Cast, phase: &mut Phase, letters: usize) -> Vec<String> {
    let mut serving = 0;
    let mut senders = Vec::new();
    for _ in 0..letters {
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| house.post_in_flight());
            while !sent.is_finished() {
                cast.gather_now(phase);
                for intruder in phase.intruders.iter_mut().skip(serving) {
                    intruder.ask(&Ask::Serve { seconds: SERVE_SECONDS });
                }
                serving = phase.intruders.len();
                phase.intruders.iter_mut().for_each(|one| one.hear(Duration::ZERO));
                std::thread::sleep(PULSE);
            }
            senders.extend(sent.join().ok().and_then(Result::ok));
        });
        phase.intruders.iter_mut().for_each(|one| one.hear(PULSE));
    }
    senders
}

fn edge(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    if !cast.gather(phase, 4) && phase.intruders.is_empty() {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
    }
    with_mail(house, cast, phase, 2);
    call_back(phase);
}

/// Ends everybody's serving.
fn call_back(phase: &mut Phase) {
    for intruder in &mut phase.intruders {
        intruder.hear(PULSE);
        intruder.ask(&Ask::Leave);
        intruder.drain();
    }
}

fn access(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    if !cast.gather(phase, 4) && phase.intruders.is_empty() {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
        // Its channels are worn out by now: the sign-ins are for the others.
        first.ask(&Ask::Leave);
        first.drain();
    }
    let mut loot: Vec<Item> = Vec::new();
    for side in [Side::B, Side::A] {
        let Some(taken) = doorstep::sign_in(house, cast, phase, side) else { continue };
        let Some(intruder) = phase.intruders.get_mut(taken) else { continue };
        match side {
            Side::B => loot = intruder.wrapped(),
            Side::A => {
                intruder.does(&Ask::Replay(loot.clone()));
            }
        }
    }
}

fn gate(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    if !cast.gather(phase, 1) {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
        first.ask(&Ask::Serve { seconds: SERVE_SECONDS });
    }
    // A client over TLS: its handshake is not answered, so its password never leaves it.
    let client = clients::person_reading(house, Side::A);
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| house.post_in_flight());
        while !sent.is_finished() {
            phase.intruders.iter_mut().for_each(|one| one.hear(PULSE));
        }
    });
    if let Some(first) = phase.intruders.first_mut() {
        first.ask(&Ask::Leave);
        first.finish(WORK_LIMIT);
    }
    drop(client);
}

/// Any other keeper: the calls, the files, its own store and channels; then its own work, done
/// badly, while a person reads and a letter comes.
fn keeper(house: &mut House, cast: &mut Cast, phase: &mut Phase, stolen: &[Sealed]) {
    if !cast.gather(phase, 1) {
        return;
    }
    let client = clients::person_reading(house, Side::A);
    let letter = house.letter_in_flight();
    let handed = if leaving::is_asked(phase.kind) || leaving::is_on_the_way(phase.kind) {
        leaving::two_letters(house)
    } else {
        Vec::new()
    };
    let Some(first) = phase.intruders.first_mut() else { return };
    let facts = cast.facts.clone();
    first.does(&Ask::Abuse(facts.clone()));
    first.does(&Ask::Acts(facts));
    first.ask(&Ask::Serve { seconds: SERVE_SECONDS });
    let until = Instant::now() + SERVE_LIMIT;
    let is_waiting =
        || !letter.is_finished() || client.as_ref().is_some_and(|client| !client.is_finished());
    let mut unanswered: Vec<_> = handed.iter().collect();
    while (is_waiting() || !unanswered.is_empty()) && Instant::now() < until {
        first.hear(PULSE);
        unanswered.retain(|one| one.replies(Duration::ZERO).is_none());
    }
    if phase.kind == Kind::Ledger {
        // What it took it is asked to show a second later.
        let until = Instant::now() + SHOWN_WITHIN;
        while Instant::now() < until {
            first.hear(PULSE);
        }
    }
    phase.reading = client.filter(|client| client.is_finished()).and_then(|one| one.join().ok());
    if phase.kind == Kind::Identity {
        // A stranger with no secret, whom the intruder lets in.
        let stranger = clients::reading(house, "stranger@attacker.example", "sk-i-nothing");
        let until = Instant::now() + WORK_LIMIT;
        while !stranger.is_finished() && Instant::now() < until {
            first.hear(PULSE);
        }
        phase.by_strangers.extend(stranger.join().ok().map(|reading| reading.octets));
    }
    if !stolen.is_empty() {
        first.ask(&Ask::Open(stolen.to_vec()));
        first.finish(WORK_LIMIT);
    }
    first.ask(&Ask::Leave);
    first.drain();
}

/// A caller of the command line waits meanwhile; then what was made for the intruder is tried.
fn admin(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    let data = house.data.clone();
    let caller = std::thread::spawn(move || client::value(&data, &Request::Status).is_ok());
    if !cast.gather(phase, 1) {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
        first.ask(&Ask::Leave);
        first.drain();
    }
    house.drills.disarm();
    drop(caller);
    try_secrets(house, phase);
}

/// Every credential that an intruder came by, at the front door.
fn try_secrets(house: &House, phase: &mut Phase) {
    let secrets = phase.intruders.iter().flat_map(|one| &one.told).filter_map(|told| match told {
        Told::Secret { address, secret } => Some((address.clone(), secret.clone())),
        _ => None,
    });
    for (address, secret) in secrets.collect::<Vec<_>>() {
        let reading = clients::reading(house, &address, &secret).join();
        phase.by_strangers.extend(reading.ok().map(|reading| reading.octets));
    }
}

/// Ciphertext and wrapped keys of both sides, as a thief of disks would have them.
pub fn harvest(house: &mut House) -> Vec<Sealed> {
    let mut sealed = Vec::new();
    if let Ok((mut cast, mut phase)) = raise(house, Kind::Access, None) {
        cast.gather(&mut phase, 2);
        for side in [Side::B, Side::A] {
            doorstep::sign_in(house, &mut cast, &mut phase, side);
        }
        sealed.extend(phase.intruders.iter().flat_map(Intruder::sealed));
        dismiss(house, cast, &mut phase);
    }
    sealed
}

/// A foreign program, with people about: what it writes on its report channel is what it says.
fn let_loose(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    let data = house.data.clone();
    let caller = std::thread::spawn(move || client::value(&data, &Request::Status).is_ok());
    let client = clients::person_reading(house, Side::A);
    let letters = house.letter_in_flight();
    let handed = leaving::two_letters(house);
    if phase.kind == Kind::Scanner {
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| house.post_in_flight());
            let until = Instant::now() + PROGRAM_LIMIT;
            while !sent.is_finished() && Instant::now() < until {
                cast.gather_now(phase);
                phase.intruders.iter_mut().for_each(Intruder::hear_foreign);
                std::thread::sleep(PULSE);
            }
        });
    }
    let until = Instant::now() + PROGRAM_LIMIT;
    while Instant::now() < until {
        cast.gather_now(phase);
        phase.intruders.iter_mut().for_each(Intruder::hear_foreign);
        std::thread::sleep(PULSE);
        house.watch.pump();
        let is_storm = |one: &Intruder| house.watch.alarms_of(one.instance) >= STORM;
        if phase.intruders.iter().any(is_storm) {
            break;
        }
    }
    drop((caller, letters, handed));
    phase.reading = client.filter(|client| client.is_finished()).and_then(|one| one.join().ok());
}

/// Every refusal that must alarm has a second and a little more.
pub fn await_alarms(house: &mut House, phase: &Phase) {
    let expected: Vec<(InstanceId, usize)> = phase
        .intruders
        .iter()
        .map(|one| (one.instance, super::verdict::off_charter(phase.kind, one).count()))
        .collect();
    house.watch.until(ALARM_LIMIT, |watch| {
        expected.iter().all(|(instance, count)| watch.alarms_of(*instance) >= *count)
    });
}

/// Once more, with the warden's usual answer: the first call off charter ends it.
pub fn replacement(house: &mut House, kind: Kind) -> bool {
    let (give, talks) = channel();
    house.drills.arm(Drill { kind, program: None, lives_on: false, talks: give });
    house.watch.end_all(kind);
    let ports = house.ports;
    // A scanner is born when a message needs one.
    let poke = std::thread::spawn(move || stage::poke(ports));
    let handed = leaving::is_on_the_way(kind).then(|| leaving::two_letters(house));
    let Ok((instance, talk)) = talks.recv_timeout(BIRTH_LIMIT) else {
        house.drills.disarm();
        return false;
    };
    let _ = talk.send(0, &Ask::OneAct, &[]);
    let ended = house.watch.until(ALARM_LIMIT, |watch| watch.ended.contains_key(&instance));
    house.drills.disarm();
    drop((poke, handed));
    let cause = house.watch.ended.get(&instance).cloned().unwrap_or_default();
    let mut drafted: Vec<InstanceId> = talks.try_iter().map(|(instance, _)| instance).collect();
    drafted.push(instance);
    house.watch.end_all(kind);
    let is_back = settle(house, kind, &drafted);
    ended && cause == "off charter" && is_back
}

/// Which messages were in hand: as the intruder's own numbers say, and as what strangers read.
pub fn collect_passed(house: &House, phase: &mut Phase) {
    for sender in &house.senders {
        let is_in = |octets: &Vec<u8>| {
            octets.windows(sender.len()).any(|window| window == sender.as_bytes())
        };
        if phase.by_strangers.iter().any(is_in) {
            phase.passed.extend(house.kept_as(sender));
        }
    }
    for told in phase.intruders.iter().flat_map(|one| &one.told) {
        match told {
            Told::Passed(message) => drop(phase.passed.insert(*message)),
            Told::Forged(message) => drop(phase.forged.insert(*message)),
            Told::PassedUnkept => phase.passed_unkept += 1,
            _ => {}
        }
    }
}
