//! One compartment after the other: taken over, let loose, ended, replaced.

use super::markers::{Marker, Side};
use super::stage::{self, House};
use super::watch::{Alarm, Watch};
use crate::demo::reading::Reader;
use crate::outcome::Trouble;
use drill::{Ask, Asset, Facts, Told};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, MessageId};
use warden::Drill;
use wire::Channel;
use wire::vault::Item;

/// A birth, its walls and its first word.
const BIRTH_LIMIT: Duration = Duration::from_secs(15);
/// The slowest part of an intruder's work.
const WORK_LIMIT: Duration = Duration::from_secs(40);
/// An alarm must come within a second; we listen a little longer to see that it did not.
const ALARM_LIMIT: Duration = Duration::from_secs(2);
const SERVE_SECONDS: u32 = 20;
/// How long a foreign program is left to work.
const PROGRAM_LIMIT: Duration = Duration::from_secs(6);
const PULSE: Duration = Duration::from_millis(20);
/// A delivery is recorded within a second.
const RECORD_LAG: Duration = Duration::from_millis(1_500);

/// One hostile instance and what it said.
pub struct Intruder {
    pub instance: InstanceId,
    talk: Channel,
    pub told: Vec<Told>,
    /// Whose work it does: what it gets of that side has passed through it.
    pub side: Side,
    finished: usize,
    gone: bool,
}

/// What happened in one compartment's turn.
pub struct Phase {
    pub kind: Kind,
    pub from_ms: u64,
    pub to_ms: u64,
    pub intruders: Vec<Intruder>,
    /// Numbers of messages that were in hand.
    pub passed: BTreeSet<MessageId>,
    pub passed_unkept: u64,
    /// The second run: its first call off charter ended it, and a successor was born.
    pub replaced: Option<bool>,
    pub is_program: bool,
}

pub struct Played {
    pub phases: Vec<Phase>,
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
    let mut phases = Vec::new();
    for kind in kinds {
        eprintln!("sekisho drill: {} …", kind.word());
        phases.push(turn(house, *kind, program)?);
    }
    // The last alarms are durable within a second.
    house.watch.until(ALARM_LIMIT, |watch: &Watch| {
        watch.alarms.iter().filter_map(|alarm| alarm.number).all(|n| watch.leaf(n).is_some())
    });
    std::thread::sleep(RECORD_LAG);
    house.watch.pump();
    let leaf = |alarm: &Alarm| alarm.number.and_then(|number| house.watch.leaf(number));
    let with_leaf = |alarm: &Alarm| (alarm.clone(), leaf(alarm));
    let alarms = house.watch.alarms.iter().map(with_leaf).collect();
    let (markers, missing) = (house.markers.clone(), house.watch.missing.clone());
    Ok(Played { phases, alarms, markers, missing })
}

fn turn(house: &mut House, kind: Kind, program: Option<&[u8]>) -> Result<Phase, Trouble> {
    let (give, talks) = channel();
    // What was kept before is recorded by then, and counted to nobody of this turn.
    std::thread::sleep(RECORD_LAG);
    let from_ms = compartment::now_ms();
    let memfd = program.map(crate::commands::sealed).transpose()?;
    let drill = Drill { kind, program: memfd, lives_on: true, talks: give };
    house.drills.arm(drill);
    house.watch.end_all(kind);
    let mut phase = Phase {
        kind,
        from_ms,
        to_ms: 0,
        intruders: Vec::new(),
        passed: BTreeSet::new(),
        passed_unkept: 0,
        replaced: None,
        is_program: program.is_some(),
    };
    let mut cast = Cast { talks, facts: facts(house, kind) };
    match (kind, program) {
        (_, Some(_)) => foreign(house, &mut cast, &mut phase),
        (Kind::Scanner, None) => scanner(house, &mut cast, &mut phase),
        (Kind::Edge, None) => edge(house, &mut cast, &mut phase),
        (Kind::Access, None) => access(house, &mut cast, &mut phase),
        (Kind::Gate, None) => gate(house, &mut cast, &mut phase),
        (_, None) => keeper(&mut cast, &mut phase),
    }
    await_alarms(house, &phase);
    phase.to_ms = compartment::now_ms() + 1;
    house.drills.disarm();
    house.watch.end_all(kind);
    settle(house, kind);
    if program.is_none() && wire::charter(kind).is_some_and(|charter| charter.has_zygote) {
        phase.replaced = Some(replacement(house, kind));
    }
    collect_passed(&mut phase);
    Ok(phase)
}

/// The house is whole again: mail passes.
fn settle(house: &mut House, kind: Kind) {
    let is_back = |watch: &Watch| {
        let has_zygote = wire::charter(kind).is_some_and(|charter| charter.has_zygote);
        watch.alive.iter().any(|alive| alive.kind == kind && (!has_zygote || !alive.is_instance))
    };
    house.watch.until(BIRTH_LIMIT, is_back);
    std::thread::sleep(RECORD_LAG);
}

fn facts(house: &mut House, kind: Kind) -> Facts {
    house.watch.pump();
    let victim = if kind == Kind::Vault { Kind::Mailbox } else { Kind::Vault };
    let victim = house.watch.alive.iter().find(|alive| alive.kind == victim);
    let mut files = vec![
        (Asset::Host, "/etc/passwd".to_owned()),
        (Asset::Host, "/proc/self/mem".to_owned()),
        (Asset::Host, "/proc/1/environ".to_owned()),
        (Asset::CloudCredentials, "/root/.aws/credentials".to_owned()),
        (Asset::AccountSecrets, house.unseal.display().to_string()),
        (Asset::MailInFlight, "/proc/1/fd/4".to_owned()),
    ];
    for (asset, owner) in [
        (Asset::AccountSecrets, Kind::Vault),
        (Asset::AccountSecrets, Kind::Identity),
        (Asset::StoredBodies, Kind::Mailbox),
        (Asset::StoredHeaders, Kind::Mailbox),
        (Asset::OtherTenants, Kind::Directory),
        (Asset::Evidence, Kind::Ledger),
        (Asset::Evidence, Kind::Mirror),
    ] {
        if owner == kind {
            continue;
        }
        let folder = house.data.join(owner.word());
        let inside = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let first = inside.map(|entry| entry.path()).find(|path| path.is_file());
        files.push((asset, first.unwrap_or(folder).display().to_string()));
    }
    Facts {
        files,
        victim: victim.map_or(1, |alive| alive.pid),
        other: house.hidden.clone(),
        domain: "example.net".to_owned(),
        outside: house.ports.smtp(),
    }
}

/// Who has come on stage, and what they may know.
struct Cast {
    talks: Receiver<(InstanceId, Channel)>,
    facts: Facts,
}

impl Cast {
    /// Takes in who was born meanwhile; whether there is anybody.
    fn gather(&mut self, phase: &mut Phase, at_least: usize) -> bool {
        let until = Instant::now() + BIRTH_LIMIT;
        while phase.intruders.len() < at_least && Instant::now() < until {
            self.gather_now(phase);
            std::thread::sleep(PULSE);
        }
        phase.intruders.len() >= at_least
    }

    fn gather_now(&mut self, phase: &mut Phase) -> usize {
        let before = phase.intruders.len();
        while let Ok((instance, talk)) = self.talks.try_recv() {
            let (told, finished, gone, side) = (Vec::new(), 0, false, Side::A);
            phase.intruders.push(Intruder { instance, talk, told, side, finished, gone });
        }
        before
    }
}

impl Intruder {
    pub fn ask(&self, ask: &Ask) {
        let _ = self.talk.send(0, ask, &[]);
    }

    /// Takes what it says until it has finished once more.
    fn finish(&mut self, limit: Duration) {
        let (until, before) = (Instant::now() + limit, self.finished);
        while self.finished == before && !self.gone && Instant::now() < until {
            self.hear(PULSE);
        }
    }

    /// Whether a person signed in to it.
    fn has_typed(&self) -> bool {
        let typed =
            |told: &Told| matches!(told, Told::Obtained { how, .. } if how == "what was typed");
        self.told.iter().any(typed)
    }

    /// Hears it to its end.
    fn drain(&mut self) {
        let until = Instant::now() + ALARM_LIMIT;
        while !self.gone && Instant::now() < until {
            self.hear(PULSE);
        }
    }

    fn hear(&mut self, limit: Duration) {
        match self.talk.receive(Some(limit)).map(|frame| frame.read()) {
            Ok(Ok(Told::Finished)) => self.finished += 1,
            Ok(Ok(told)) => self.told.push(told),
            Ok(Err(_)) | Err(wire::Fault::Silent) => {}
            Err(_) => self.gone = true,
        }
    }
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
        first.ask(&Ask::Acts(cast.facts.clone()));
        first.finish(WORK_LIMIT);
        first.ask(&Ask::Abuse(cast.facts.clone()));
        first.finish(WORK_LIMIT);
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
        first.ask(&Ask::Acts(cast.facts.clone()));
        first.finish(WORK_LIMIT);
        first.ask(&Ask::Abuse(cast.facts.clone()));
        first.finish(WORK_LIMIT);
        // Its channels are worn out by now: the sign-ins are for the others.
        first.ask(&Ask::Leave);
        first.drain();
    }
    let mut loot: Vec<Item> = Vec::new();
    for side in [Side::B, Side::A] {
        let Some(taken) = sign_in(house, cast, phase, side) else { continue };
        let Some(intruder) = phase.intruders.get_mut(taken) else { continue };
        match side {
            Side::B => loot = wrapped(intruder),
            Side::A => {
                intruder.ask(&Ask::Replay(loot.clone()));
                intruder.finish(WORK_LIMIT);
            }
        }
    }
}

/// One person signs in over IMAP; which of the intruders took the connection.
fn sign_in(house: &House, cast: &mut Cast, phase: &mut Phase, side: Side) -> Option<usize> {
    let account = house.account(side)?;
    let login = format!("LOGIN {} {}", account.address, account.app_password);
    let authority = house.authority();
    let imaps = house.ports.imaps();
    cast.gather_now(phase);
    for intruder in phase.intruders.iter().filter(|one| !one.gone && !one.has_typed()) {
        intruder.ask(&Ask::Serve { seconds: SERVE_SECONDS });
    }
    let typed: Vec<bool> = phase.intruders.iter().map(Intruder::has_typed).collect();
    std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            let mut reader = Reader::connect(imaps, &authority).ok()?;
            reader.say(&login).ok()
        });
        let until = Instant::now() + WORK_LIMIT;
        while !client.is_finished() && Instant::now() < until {
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
        one.side = side;
        if one.finished == 0 {
            one.finish(WORK_LIMIT);
        }
    }
    taken
}

fn wrapped(intruder: &Intruder) -> Vec<Item> {
    let items = intruder.told.iter().filter_map(|told| match told {
        Told::Wrapped(items) => Some(items.clone()),
        _ => None,
    });
    items.flatten().collect()
}

fn gate(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    if !cast.gather(phase, 1) {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.ask(&Ask::Acts(cast.facts.clone()));
        first.finish(WORK_LIMIT);
        first.ask(&Ask::Abuse(cast.facts.clone()));
        first.finish(WORK_LIMIT);
        first.ask(&Ask::Serve { seconds: SERVE_SECONDS });
    }
    let imaps = house.ports.imaps();
    let (authority, login) = (
        house.authority(),
        house
            .account(Side::A)
            .map(|account| format!("LOGIN {} {}", account.address, account.app_password)),
    );
    // A client over TLS: its handshake is not answered, so its password never leaves it.
    let client = std::thread::spawn(move || {
        let mut reader = Reader::connect(imaps, &authority).ok()?;
        reader.say(&login?).ok()
    });
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

/// Any other keeper: the calls, the files, and its own folder, which it may read.
fn keeper(cast: &mut Cast, phase: &mut Phase) {
    if !cast.gather(phase, 1) {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.ask(&Ask::Acts(cast.facts.clone()));
        first.finish(WORK_LIMIT);
    }
}

/// A foreign program: whatever it writes on its report channel is what it obtained.
fn foreign(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    let mail = matches!(phase.kind, Kind::Scanner | Kind::Edge);
    if !mail {
        cast.gather(phase, 1);
    }
    let ports = house.ports;
    let letter = std::thread::spawn(move || std::net::TcpStream::connect(ports.smtp()));
    if phase.kind == Kind::Scanner {
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| house.post_in_flight());
            let until = Instant::now() + PROGRAM_LIMIT;
            while !sent.is_finished() && Instant::now() < until {
                cast.gather_now(phase);
                std::thread::sleep(PULSE);
            }
        });
    }
    let until = Instant::now() + PROGRAM_LIMIT;
    while Instant::now() < until {
        cast.gather_now(phase);
        for intruder in &mut phase.intruders {
            let mut octets = vec![0u8; 64 * 1024];
            let flags = rustix::net::RecvFlags::DONTWAIT;
            let fd: std::os::fd::BorrowedFd<'_> = std::os::fd::AsFd::as_fd(&intruder.talk);
            if let Ok((_, count)) = rustix::net::recv(fd, &mut octets[..], flags) {
                octets.truncate(count);
                let how = "what the program reported".to_owned();
                intruder.told.push(Told::Obtained { how, bytes: octets });
            }
        }
        std::thread::sleep(PULSE);
    }
    drop(letter);
}

/// Every refusal that must alarm has a second and a little more.
fn await_alarms(house: &mut House, phase: &Phase) {
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
fn replacement(house: &mut House, kind: Kind) -> bool {
    let (give, talks) = channel();
    house.drills.arm(Drill { kind, program: None, lives_on: false, talks: give });
    house.watch.end_all(kind);
    let watch = &mut house.watch;
    let ports = house.ports;
    // A scanner is born when a message needs one.
    let poke = std::thread::spawn(move || stage::poke(ports));
    let Ok((instance, talk)) = talks.recv_timeout(BIRTH_LIMIT) else {
        house.drills.disarm();
        return false;
    };
    let _ = talk.send(0, &Ask::OneAct, &[]);
    let ended = watch.until(ALARM_LIMIT, |watch| watch.ended.contains_key(&instance));
    house.drills.disarm();
    drop(poke);
    let cause = house.watch.ended.get(&instance).cloned().unwrap_or_default();
    house.watch.end_all(kind);
    settle(house, kind);
    let is_back = house.post_in_flight().is_ok();
    ended && cause == "off charter" && is_back
}

fn collect_passed(phase: &mut Phase) {
    for told in phase.intruders.iter().flat_map(|one| &one.told) {
        match told {
            Told::Passed(message) => drop(phase.passed.insert(*message)),
            Told::PassedUnkept => phase.passed_unkept += 1,
            _ => {}
        }
    }
}
