//! A whole house of stand-ins under the real warden: births, joins, evidence, replacement,
//! restarts, the command socket, and a clean stop. This program is its own compartment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::walls::{Wall, walls};
use compartment::{House, events, zygote_main};
use std::cell::Cell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId, UserId};
use warden::{Happening, Plan, Workshop};
use wire::control::{Order, Report, Start};
use wire::ledger::{FromLedger, ToLedger};
use wire::sentinel::{Feed, Seen};
use wire::{Event, Hub};

const LIMIT: Duration = Duration::from_secs(10);
const FLOOD: usize = 3_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return match Kind::parse(&words[1]).unwrap() {
            Kind::Edge => zygote_main(edge),
            Kind::Scanner => zygote_main(scanner),
            Kind::Access => zygote_main(access),
            Kind::Pages => zygote_main(pages),
            Kind::Admin => zygote_main(admin),
            kind => keeper(kind),
        };
    }
    if words.iter().any(|word| word == "--list") {
        println!("house: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: no listener for refused calls here");
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("ORPHANS").is_some() {
        return run_until_killed();
    }
    let data = std::env::temp_dir().join(format!("sekisho-house-{}", std::process::id()));
    let (tell, happenings) = channel();
    let mut plan = Plan::new(data.clone());
    plan.kinds = wire::CHARTERS.iter().map(|charter| charter.kind).collect();
    plan.listeners = vec![(wire::control::Service::Smtp, "127.0.0.1:0".parse().unwrap())];
    plan.pool = 2;
    let mut waiting = Some((happenings, data.clone()));
    let (done, is_done) = channel();
    plan.tell = Box::new(move |happening| {
        let _ = Sender::send(&tell, happening.clone());
        if std::env::var_os("LOUD").is_some() {
            println!("    {happening:?}");
        }
        if matches!(happening, Happening::Ready)
            && let Some((happenings, data)) = waiting.take()
        {
            let done = done.clone();
            std::thread::spawn(move || {
                let outcome = std::panic::catch_unwind(|| drive(&happenings, &data));
                let _ = done.send((outcome.is_ok(), happenings, Instant::now()));
                rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::TERM,
                )
                .unwrap();
            });
        }
    });
    let code = warden::run(plan);
    let (well, happenings, told) = is_done.recv().unwrap();
    println!("ok  stopped in {:?}", told.elapsed());
    assert!(well && told.elapsed() < Duration::from_secs(10));
    assert_eq!(code, ExitCode::SUCCESS);
    check_the_end(&happenings);
    // After the house: its threads would take the signal that stops it.
    a_workshop_gives_jailed_workers();
    nobody_outlives_a_killed_warden();
    std::fs::remove_dir_all(&data).unwrap();
    println!("test result: ok. 1 passed; 0 failed");
    code
}

// ---- stand-ins ----------------------------------------------------------------------------

fn keeper(kind: Kind) -> ExitCode {
    let mut house = House::begin().unwrap();
    if kind == Kind::Zone {
        // A program that nobody ordered, before any wall: the warden's eyes must see it.
        let _ = std::process::Command::new("/bin/true").status();
        // And a file where an intruder would leave one.
        let left = format!("/tmp/left-behind-{}", std::process::id());
        let _ = std::fs::write(&left, "x").and_then(|()| std::fs::remove_file(&left));
    }
    house.jail().unwrap();
    let key = [kind.number() as u8; 32];
    house.ready(Some(key), Some(key)).unwrap();
    let told = house.start.clone();
    let say = |hub: &mut Hub, control, text: String| {
        hub.send(control, 0, &Report::Note { text }, Vec::new()).unwrap();
    };
    let mut hub = Hub::new().unwrap();
    let (control, _) = house.seat_control(&mut hub).unwrap();
    if kind == Kind::Vault {
        assert_eq!((told.ledger_key, told.mirror_key), (Some([11; 32]), Some([12; 32])));
    }
    let (mut entries, mut edges) = (0u64, 0);
    loop {
        for event in hub.wait(None).unwrap() {
            match event {
                Event::Frame(peer, mut frame) if peer == control => match frame.read().unwrap() {
                    Order::Join(label) => {
                        let fd = frame.descriptors.pop().unwrap();
                        let peer = hub.seat(fd.into(), label.clone()).unwrap();
                        if kind == Kind::Gate && label.kind == Kind::Edge {
                            edges += 1;
                            let order = ["open", "abort", "wait"][(edges - 1).min(2)];
                            // Whoever is killed meanwhile is gone: so would a gate take it.
                            let _ = hub.send(peer, 0, &order, Vec::new());
                        }
                        if kind == Kind::Gate && label.kind == Kind::Access {
                            let _ = hub.send(peer, 0, &"sign in", Vec::new());
                        }
                        if label.person.is_some() {
                            say(&mut hub, control, format!("{} serves a person", kind.word()));
                        }
                    }
                    Order::SignedIn(instance) => {
                        assert_eq!(kind, Kind::Gate);
                        // More than once, like a gate for which nobody came.
                        let need = Report::Need { kind: Kind::Pages, instances: 8 };
                        hub.send(control, 0, &need, Vec::new()).unwrap();
                        say(&mut hub, control, format!("signed in {instance}"));
                    }
                    Order::Pulse => {
                        let _ = hub.send(control, 0, &Report::Alive, Vec::new());
                    }
                    Order::Feed(Feed::Seen(seen)) if kind == Kind::Sentinel => {
                        let Seen { what, image, is_ours, file, .. } = seen;
                        let name = if file.is_empty() { image } else { file };
                        say(&mut hub, control, format!("seen {what:?} {is_ours} {name}"));
                    }
                    Order::Stop => {
                        say(&mut hub, control, format!("{} entries {entries}", kind.word()));
                        return ExitCode::SUCCESS;
                    }
                    _ => {}
                },
                // What nobody asked for, more often than anyone has cause to.
                Event::Frame(_, frame) if kind == Kind::Directory => {
                    assert_eq!(frame.read::<String>().unwrap(), "flood");
                    for _ in 0..FLOOD {
                        let _ = hub.send(control, 0, &Report::Alive, Vec::new());
                    }
                }
                Event::Frame(peer, frame) if kind == Kind::Ledger => {
                    let Ok(ToLedger::Append { entries: new, .. }) = frame.read() else { continue };
                    for entry in &new {
                        evidence::Frame::parse(entry).unwrap();
                    }
                    let taken = FromLedger::Taken { first_index: entries };
                    entries += new.len() as u64;
                    hub.send(peer, frame.call, &taken, Vec::new()).unwrap();
                }
                Event::Frame(peer, _) if kind == Kind::Identity => {
                    let instance = hub.label(peer).unwrap().instance;
                    let (tenant, user) = (TenantId([1; 8]), UserId([2; 8]));
                    let bind = Report::Bind {
                        instance,
                        tenant,
                        user,
                        purpose: wire::control::Purpose::Read,
                    };
                    hub.send(control, 0, &bind, Vec::new()).unwrap();
                }
                Event::Gone(peer, _) if peer == control => return ExitCode::SUCCESS,
                Event::Gone(_, label) if kind == Kind::Gate => {
                    let need = Report::Need { kind: label.kind, instances: 1 };
                    hub.send(control, 0, &need, Vec::new()).unwrap();
                }
                _ => {}
            }
        }
    }
}

fn edge(mut house: House) -> ExitCode {
    let (gate, _) = house.next_join(Kind::Gate, LIMIT).unwrap();
    for server in [Kind::Names, Kind::Directory, Kind::Signer, Kind::Mailbox, Kind::Scanner] {
        house.next_join(server, LIMIT).unwrap();
    }
    let order: String = gate.receive(Some(LIMIT)).unwrap().read().unwrap();
    match order.as_str() {
        "open" => {
            let _ = std::fs::read("/etc/passwd");
            std::thread::sleep(LIMIT);
        }
        "abort" => std::process::abort(),
        _ => {}
    }
    // It stands idle until the mailbox is killed, or the test is over.
    while house.next_join(Kind::Mailbox, LIMIT).is_ok() {
        let text = "mailbox again".to_owned();
        house.report(&Report::Note { text }, &[]).unwrap();
    }
    ExitCode::SUCCESS
}

fn scanner(mut house: House) -> ExitCode {
    let (edge, _) = house.next_join(Kind::Edge, LIMIT).unwrap();
    match edge.receive(None).map(|frame| frame.read::<String>()) {
        Ok(Ok(order)) if order == "open" => {
            let _ = std::fs::read("/etc/passwd");
            std::thread::sleep(LIMIT);
        }
        _ => {}
    }
    ExitCode::SUCCESS
}

fn access(mut house: House) -> ExitCode {
    let (gate, _) = house.next_join(Kind::Gate, LIMIT).unwrap();
    let order: String = gate.receive(Some(LIMIT)).unwrap().read().unwrap();
    assert_eq!(order, "sign in");
    let (identity, _) = house.next_join(Kind::Identity, LIMIT).unwrap();
    let early = house.next_join(Kind::Vault, Duration::from_millis(50)).is_ok();
    identity.send(1, &"me", &[]).unwrap();
    let (_vault, label) = house.next_join(Kind::Vault, LIMIT).unwrap();
    house.next_join(Kind::Mailbox, LIMIT).unwrap();
    let person = label.person == Some((TenantId([1; 8]), UserId([2; 8])));
    let text = format!("bound {person} early {early}");
    house.report(&Report::Note { text }, &[]).unwrap();
    wait_for_stop(&mut house)
}

/// The one program that nobody ordered, and none of the warden's own births.
fn a_strange_program_is_seen(happenings: &Receiver<Happening>, mut seen: Vec<String>) {
    if events::process_connector().is_err() {
        return println!("absent: no process connector here; programs are not seen");
    }
    // It may be gone before `/proc` is asked; what it opened to be executed names it all the same.
    let is_true = |text: &String| text.starts_with("seen ") && text.ends_with("/true");
    let tells_of_files = events::written_files(&[PathBuf::from("/tmp")]).is_ok();
    let is_left =
        |text: &String| text.starts_with("seen Written true /tmp/left-behind-") || !tells_of_files;
    let end = Instant::now() + LIMIT;
    while !(seen.iter().any(is_true) && seen.iter().any(is_left)) {
        let left = end.saturating_duration_since(Instant::now());
        match happenings.recv_timeout(left).unwrap_or_else(|_| panic!("{seen:?}")) {
            Happening::Note { text, kind: Kind::Sentinel, .. } => seen.push(text),
            _ => {}
        }
    }
    let own = |text: &&String| text.contains("/house-");
    assert_eq!(seen.iter().find(own), None, "a birth was taken for a stranger");
    println!("ok  a program that nobody ordered is seen, and no birth is");
    match tells_of_files {
        true => println!("ok  so is a file that was left in a folder that is watched"),
        false => println!("absent: no fanotify here; files are not seen"),
    }
}

/// Nobody connects. The gate's channel is held: it would ask for another one.
fn pages(mut house: House) -> ExitCode {
    let _gate = house.next_join(Kind::Gate, LIMIT);
    wait_for_stop(&mut house)
}

fn admin(mut house: House) -> ExitCode {
    let (caller, _) = house.next_join(Kind::Admin, LIMIT).unwrap();
    let (directory, _) = house.next_join(Kind::Directory, LIMIT).unwrap();
    house.next_join(Kind::Ledger, LIMIT).unwrap();
    let mut caller = UnixStream::from(std::os::fd::OwnedFd::from(caller));
    let mut line = String::new();
    BufReader::new(caller.try_clone().unwrap()).read_line(&mut line).unwrap();
    if let Some(isolated) = ["release pages\n", "isolate pages\n"].iter().position(|it| *it == line)
    {
        let isolate = Report::Isolate { kind: Kind::Pages, isolated: isolated == 1 };
        house.report(&isolate, &[]).unwrap();
        // As the true one does: of who is gone nothing more is read.
        wait_for_word(&mut house);
    }
    if line == "flood\n" {
        directory.send(0, &"flood", &[]).unwrap();
    }
    caller.write_all(format!("heard {line}").as_bytes()).unwrap();
    ExitCode::SUCCESS
}

fn wait_for_word(house: &mut House) {
    let end = Instant::now() + LIMIT;
    loop {
        match house.next_order().unwrap() {
            Some((Order::Pulse, _)) => return,
            Some(_) => {}
            None => drop(house.control.wait(end.saturating_duration_since(Instant::now()))),
        }
        assert!(Instant::now() < end, "no word from the warden");
    }
}

fn wait_for_stop(house: &mut House) -> ExitCode {
    loop {
        match house.next_order() {
            Ok(Some((Order::Stop, _))) | Err(_) => return ExitCode::SUCCESS,
            Ok(Some(_)) => {}
            Ok(None) => drop(house.control.wait(LIMIT)),
        }
    }
}

/// Workers of a workshop: their owner is joined to them, and a hostile one is ended and heard.
fn a_workshop_gives_jailed_workers() {
    let mut workshop = Workshop::open(Kind::Scanner, Start::default()).unwrap();
    let well = workshop.worker(Kind::Edge).unwrap();
    well.channel.send(0, &"be well", &[]).unwrap();
    assert!(well.channel.receive(Some(LIMIT)).is_err(), "it leaves");
    let hostile = workshop.worker(Kind::Edge).unwrap();
    hostile.channel.send(0, &"open", &[]).unwrap();
    assert!(hostile.channel.receive(Some(LIMIT)).is_err(), "it is ended");
    let refused = workshop.refused();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].instance, refused[0].call), (hostile.instance, "openat"));
    assert!(workshop.worker(Kind::Edge).is_ok());
    println!("ok  a workshop gives jailed workers, and hears a hostile one");
}

/// A warden that tells whom it bore, until somebody kills it.
fn run_until_killed() -> ExitCode {
    let mut plan = Plan::new(std::env::temp_dir().join(format!("sekisho-o{}", std::process::id())));
    plan.kinds = wire::CHARTERS.iter().map(|charter| charter.kind).collect();
    plan.tell = Box::new(|happening| match happening {
        Happening::Born { pid, .. } => println!("born {pid}"),
        Happening::Ready => println!("ready"),
        _ => {}
    });
    warden::run(plan)
}

fn nobody_outlives_a_killed_warden() {
    use std::process::{Command, Stdio};
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own);
    let mut warden =
        command.env("ORPHANS", "1").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let data = std::env::temp_dir().join(format!("sekisho-o{}", warden.id()));
    let said = BufReader::new(warden.stdout.take().unwrap());
    let mut pids: Vec<String> = Vec::new();
    for line in said.lines().map_while(Result::ok).take_while(|line| line != "ready") {
        pids.extend(line.strip_prefix("born ").map(str::to_owned));
    }
    assert!(pids.len() >= 14);
    warden.kill().unwrap();
    warden.wait().unwrap();
    let lives = |pid: &String| {
        let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.starts_with("sekisho\0")
    };
    let until = Instant::now() + Duration::from_secs(2);
    while pids.iter().any(lives) {
        assert!(Instant::now() < until, "somebody outlived the warden");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_dir_all(data).unwrap();
    println!("ok  nobody outlives a killed warden");
}

// ---- the tester ---------------------------------------------------------------------------

fn until(
    from: &Receiver<Happening>,
    pids: &mut HashMap<Kind, u32>,
    what: &str,
    found: impl Fn(&Happening) -> bool,
) -> Happening {
    let end = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    while let Ok(next) = from.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if let Happening::Born { kind, pid, zygote: None, .. } = next {
            pids.insert(kind, pid);
        }
        if found(&next) {
            println!("ok  {what}");
            return next;
        }
        seen.push(format!("{next:?}"));
    }
    panic!("not seen: {what}\n{}", seen.join("\n"));
}

fn drive(happenings: &Receiver<Happening>, data: &Path) {
    let mut pids: HashMap<Kind, u32> = HashMap::new();
    let mut zygotes: Vec<InstanceId> = Vec::new();
    let (mut notes, mut bound, mut signed_in) = (Vec::new(), Vec::new(), Vec::new());
    let (mut off_charter, mut crashed) = (false, false);
    let mut seen = Vec::new();
    let end = Instant::now() + LIMIT;
    // One edge opens a file, one aborts, each retires its zygote; two accesses sign in.
    while !(off_charter
        && crashed
        && zygotes.len() >= 2
        && notes.len() >= 2
        && signed_in.len() >= 2)
    {
        let next = happenings.recv_timeout(end.saturating_duration_since(Instant::now()));
        match next.unwrap_or_else(|_| panic!("{off_charter} {crashed} {zygotes:?} {notes:?}")) {
            // Of a kind with a zygote the zygote's: what an instance's end does came before.
            Happening::Born { instance, kind, pid, zygote: None } => {
                pids.insert(kind, pid);
                if kind == Kind::Edge {
                    zygotes.push(instance);
                }
            }
            Happening::Alarm { kind, call, pid, after_ms, entry, .. } => {
                assert_eq!((kind, call.as_str()), (Kind::Edge, "openat"));
                assert!(pid > 0 && after_ms < 1000 && entry.is_some());
            }
            Happening::Ended { kind: Kind::Edge, cause, clean, .. } => {
                off_charter |= cause == "off charter" && !clean;
                crashed |= cause == "signal 6" && !clean;
            }
            Happening::Note { text, kind: Kind::Access, instance } => {
                notes.push(text);
                bound.push(format!("signed in {instance}"));
            }
            Happening::Note { text, kind: Kind::Gate, .. } => signed_in.push(text),
            Happening::Note { text, kind: Kind::Sentinel, .. } => seen.push(text),
            _ => {}
        }
    }
    signed_in.iter().for_each(|one| assert!(bound.contains(one), "{one} {bound:?}"));
    assert!(notes.iter().all(|note| note == "bound true early false"), "{notes:?}");
    println!("ok  off charter and crash noticed, zygotes retired, people bound, the gate told");
    a_strange_program_is_seen(happenings, seen);

    command(data, "hello");
    println!("ok  the command socket is answered by an admin of its own");
    who_says_too_much_is_named(happenings, &mut pids, data);

    for kind in [Kind::Mailbox, Kind::Ledger, Kind::Gate, Kind::Vault, Kind::Edge] {
        let pid = rustix::process::Pid::from_raw(pids[&kind] as i32).unwrap();
        let killed = Instant::now();
        if rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_err() {
            continue;
        }
        // A zygote's successor may be born before its end is told.
        let (ended, born) = (Cell::new(false), Cell::new(false));
        until(happenings, &mut pids, &format!("{} born again", kind.word()), |one| {
            match one {
                Happening::Ended { kind: found, .. } if *found == kind => ended.set(true),
                Happening::Born { kind: found, zygote: None, .. } if *found == kind => {
                    born.set(true);
                }
                _ => {}
            }
            ended.get() && born.get()
        });
        assert!(killed.elapsed() < Duration::from_secs(2));
        if kind == Kind::Mailbox {
            until(
                happenings,
                &mut pids,
                "  joined again",
                |one| matches!(one, Happening::Note { text, .. } if text == "mailbox again"),
            );
        }
    }
    nothing_is_wanted_of_who_is_isolated(happenings, &mut pids, data);
    std::thread::sleep(Duration::from_millis(300));
}

fn command(data: &Path, words: &str) {
    let mut admin = UnixStream::connect(data.join("admin.sock")).unwrap();
    admin.write_all(format!("{words}\n").as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(admin).read_line(&mut line).unwrap();
    assert_eq!(line, format!("heard {words}\n"));
}

/// Each word that somebody lives goes on to the sentinel: whoever says it unasked drowns nobody.
fn who_says_too_much_is_named(
    happenings: &Receiver<Happening>,
    pids: &mut HashMap<Kind, u32>,
    data: &Path,
) {
    command(data, "flood");
    let said = until(happenings, pids, "who says too much is named", |one| {
        matches!(one, Happening::Alarm { .. } | Happening::Ended { kind: Kind::Sentinel, .. })
    });
    let Happening::Alarm { kind, what, .. } = said else { panic!("{said:?}") };
    assert!(kind == Kind::Directory && what.contains("more than anyone"), "{} {what}", kind.word());
    std::thread::sleep(Duration::from_millis(300));
    let fell = |one: &Happening| matches!(one, Happening::Ended { kind: Kind::Sentinel, .. });
    assert!(!happenings.try_iter().any(|one| fell(&one)), "the sentinel paid for it");
}

/// What a gate asks for meanwhile is not born at the release: that starts a usual pool.
fn nothing_is_wanted_of_who_is_isolated(
    happenings: &Receiver<Happening>,
    pids: &mut HashMap<Kind, u32>,
    data: &Path,
) {
    command(data, "isolate pages");
    until(
        happenings,
        pids,
        "pages are isolated",
        |one| matches!(one, Happening::Note { text, .. } if text == "pages is isolated"),
    );
    let gate = rustix::process::Pid::from_raw(pids[&Kind::Gate] as i32).unwrap();
    rustix::process::kill_process(gate, rustix::process::Signal::KILL).unwrap();
    let is_gate =
        |one: &Happening| matches!(one, Happening::Born { kind: Kind::Gate, zygote: None, .. });
    let Happening::Born { instance: another, .. } =
        until(happenings, pids, "another gate", is_gate)
    else {
        panic!("a birth")
    };
    // Its own words: those of the gate before it may come as late.
    for _ in 0..2 {
        until(happenings, pids, "another gate asks for pages", |one| {
            matches!(one, Happening::Note { instance, text, .. }
                if *instance == another && text.starts_with("signed in"))
        });
    }
    command(data, "release pages");
    let born =
        |one: &Happening| matches!(one, Happening::Born { kind: Kind::Pages, zygote: Some(_), .. });
    for _ in 0..2 {
        until(happenings, pids, "pages of a usual pool", born);
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(happenings.try_iter().filter(born).count(), 0);
    println!("ok  a release starts a usual pool");
}

fn check_the_end(happenings: &Receiver<Happening>) {
    let rest: Vec<Happening> = happenings.try_iter().collect();
    let order: Vec<Kind> = rest
        .iter()
        .filter_map(|one| match one {
            Happening::Ended { kind, .. } => Some(*kind),
            _ => None,
        })
        .collect();
    let place = |kind: Kind| order.iter().rposition(|one| *one == kind).expect("it ended");
    assert!(place(Kind::Gate) < place(Kind::Mailbox), "{order:?}");
    assert!(place(Kind::Mailbox) < place(Kind::Vault), "{order:?}");
    assert!(place(Kind::Vault) < place(Kind::Ledger), "{order:?}");
    for one in &rest {
        if let Happening::Ended { kind, clean, cause, .. } = one {
            // A second gate gave its first two edges the same hostile orders.
            assert!(*clean || *kind == Kind::Edge, "{} {cause}", kind.word());
        }
    }
}
