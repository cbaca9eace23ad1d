//! Journeys: the real ledger as a process of its own, killed at any moment; the real mirror
//! beside it; and what `verify` says of files that somebody changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use evidence::{Author, Body, Outbox, Released, Word};
use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use tlog::{NoteVerifier, Trust};
use wire::control::Order;
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Label};

#[path = "journeys/doubts.rs"]
mod doubts;
#[path = "journeys/losses.rs"]
mod losses;

const LIMIT: Duration = Duration::from_secs(20);
const FOLDER: &str = "SEKISHO_TEST_LEDGER";

/// Not a test: the process that the tests start.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let control: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    ledger::serve_unjailed(control.into(), Path::new(&folder), |_| {}).unwrap();
}

fn label(kind: Kind, start: u8) -> Label {
    Label { kind, instance: InstanceId([start; 6]), person: None }
}

fn release(vault_seq: u64) -> Body {
    Body::Release {
        vault_seq,
        instance: InstanceId([5; 6]),
        grant: GrantId([1; 16]),
        tenant: TenantId([2; 8]),
        user: UserId([3; 8]),
        released: Released::Bodies(vec![MessageId([4; 16])]),
    }
}

/// The ledger's process and the ends of its channels.
struct Running {
    child: Child,
    control: Channel,
    warden: Channel,
    vault: Channel,
}

/// A data folder, its mirror (in a thread), and the two authors with what they still wait for.
struct House {
    folder: PathBuf,
    /// The warden's process; the vault's is the next.
    first: u8,
    mirror: Option<Channel>,
    warden: Outbox,
    vault: Outbox,
    next_release: u64,
    trust: Option<Trust>,
    acknowledged: Vec<Vec<u8>>,
}

impl House {
    fn new(name: &str) -> Self {
        Self::with_authors(name, 1)
    }

    fn with_authors(name: &str, first: u8) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let (warden, vault) = Self::authors(first);
        Self {
            folder,
            first,
            mirror: None,
            warden,
            vault,
            next_release: 0,
            trust: None,
            acknowledged: Vec::new(),
        }
    }

    /// The warden, which names itself and the vault; and the vault.
    fn authors(first: u8) -> (Outbox, Outbox) {
        let warden = Author::new(Kind::Warden, InstanceId([first; 6]), &[first; 32]);
        let next = first + 1;
        let vault = Author::new(Kind::Vault, InstanceId([next; 6]), &[next; 32]);
        let named = |author: &Author, kind| Body::ProcessStart {
            instance: author.start(),
            kind,
            pid: 1,
            version: Word::new("test"),
            zygote: None,
            key: Some(author.public_key()),
            serves: None,
        };
        let bodies = [named(&warden, Kind::Warden), named(&vault, Kind::Vault)];
        let mut warden = Outbox::new(warden, 100);
        bodies.into_iter().for_each(|body| assert!(warden.record(1, body)));
        (warden, Outbox::new(vault, 1_000))
    }

    fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    fn mirror(&self) -> PathBuf {
        self.folder.join("mirror")
    }

    fn start(&mut self) -> Running {
        let (control, theirs) = Channel::pair().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env(FOLDER, self.ledger())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        if self.mirror.is_none() {
            self.start_mirror();
        }
        let (own, theirs) = Channel::pair().unwrap();
        control.send(0, &Order::Join(label(Kind::Mirror, 9)), &[own.into()]).unwrap();
        let mirror = self.mirror.as_ref().unwrap();
        mirror.send(0, &Order::Join(label(Kind::Ledger, 8)), &[theirs.into()]).unwrap();
        let warden = join(&control, label(Kind::Warden, self.first));
        let vault = join(&control, label(Kind::Vault, self.first + 1));
        Running { child, control, warden, vault }
    }

    fn start_mirror(&mut self) {
        let begun = Instant::now();
        let public = loop {
            assert!(begun.elapsed() < LIMIT);
            if let Ok(text) = fs::read_to_string(self.ledger().join("key.pub")) {
                break NoteVerifier::parse(text.trim()).unwrap().key_bytes();
            }
            thread::sleep(Duration::from_millis(5));
        };
        let (copy, notes) = mirror::open(&self.mirror(), Some(public)).unwrap();
        self.trust = Trust::new(&public, &copy.public_key());
        let (control, theirs) = Channel::pair().unwrap();
        thread::spawn(move || mirror::serve(theirs, copy, notes).unwrap());
        self.mirror = Some(control);
    }

    /// One Append of everything that waits; the proofs are checked. False: no answer, or `Away`.
    fn append(&mut self, running: &mut Running, prove: bool) -> bool {
        let frames = self.vault.frames();
        let question = ToLedger::Append { entries: frames.clone(), prove };
        let answer = running.vault.ask::<_, FromLedger>(&question, &[], LIMIT);
        match answer.map(|answer| answer.0) {
            Ok(FromLedger::Taken { .. }) => {}
            Ok(FromLedger::Proved { proofs, checkpoint }) => {
                let trusted = self.trust.as_ref().unwrap().read(&checkpoint).unwrap();
                for (proof, frame) in proofs.iter().zip(&frames) {
                    assert!(trusted.proves(frame, proof.index, &proof.hashes));
                }
                assert_eq!(proofs.len(), frames.len());
            }
            Ok(FromLedger::Refused { why }) => panic!("{why}"),
            Ok(_) | Err(_) => return false,
        }
        self.vault.taken(frames.len());
        self.acknowledged.extend(frames);
        true
    }

    fn say_names(&mut self, running: &mut Running) {
        let frames = self.warden.frames();
        if !frames.is_empty() {
            let question = ToLedger::Append { entries: frames.clone(), prove: false };
            let answer = running.warden.ask::<_, FromLedger>(&question, &[], LIMIT);
            if matches!(answer, Ok((FromLedger::Taken { .. }, _))) {
                self.warden.taken(frames.len());
            }
        }
    }

    fn stop(&self, mut running: Running) {
        running.control.send(0, &Order::Stop, &[]).unwrap();
        assert!(running.child.wait().unwrap().success());
    }

    fn verify(&self) -> ledger::Verified {
        ledger::verify(&self.ledger(), Some(&self.mirror())).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn join(control: &Channel, label: Label) -> Channel {
    let (own, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    own
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let kills =
        std::env::var("SEKISHO_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(25);
    let mut house = House::new("ledger-kills");
    let mut random = 0x5eed_0004u64;
    for _ in 0..kills {
        let mut running = house.start();
        house.say_names(&mut running);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let pid = running.child.id();
        let wait = Duration::from_micros(500 + random % 60_000);
        let killer = thread::spawn(move || {
            thread::sleep(wait);
            // The child is not reaped before this thread is joined: the id is still its own.
            Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        });
        let mut round = 0;
        loop {
            // While the ledger is dead, this loop runs fast.
            let more = if house.vault.waiting() < 200 { round % 7 + 1 } else { 0 };
            for _ in 0..more {
                assert!(house.vault.record(house.next_release, release(house.next_release)));
                house.next_release += 1;
            }
            round += 1;
            if !house.append(&mut running, round % 3 != 0) && killer.is_finished() {
                break;
            }
        }
        killer.join().unwrap();
        running.child.wait().unwrap();
        assert_eq!(losses::alarms(&running.control), Vec::<String>::new());
    }
    let mut running = house.start();
    house.say_names(&mut running);
    assert!(house.append(&mut running, true));
    house.stop(running);
    let found = house.verify();
    assert_eq!(found.problems, Vec::<String>::new());
    assert!(found.ok && found.mirror_agrees == Some(true));
    assert_eq!(found.mirror_size, found.size);
    assert_eq!(found.size, house.next_release + 2);
    let mut kept = HashSet::new();
    ledger::entries(&house.ledger(), |_, entry| {
        kept.insert(entry.encode().unwrap());
    })
    .unwrap();
    assert!(house.acknowledged.len() as u64 == house.next_release);
    for frame in &house.acknowledged {
        assert!(kept.contains(&frame[..frame.len() - 64]));
    }
}

/// A stopped house with `count` releases in batches of three.
fn written(name: &str, count: u64) -> House {
    let mut house = House::new(name);
    let mut running = house.start();
    house.say_names(&mut running);
    for number in 0..count {
        assert!(house.vault.record(number, release(number)));
        if number % 3 == 2 {
            assert!(house.append(&mut running, true));
        }
    }
    house.stop(running);
    house
}

#[test]
fn verify_sees_every_change() {
    let house = written("ledger-changes", 30);
    let found = house.verify();
    assert!(found.ok, "{:?}", found.problems);
    assert_eq!((found.size, found.mirror_size, found.entries_checked), (32, 32, 32));
    let (log, copy) = (house.ledger().join("log"), house.mirror().join("log"));
    let (whole, whole_copy) = (fs::read(&log).unwrap(), fs::read(&copy).unwrap());
    let check = |what: String| {
        let found = house.verify();
        assert!(!found.ok && !found.problems.is_empty(), "{what}");
        fs::write(&log, &whole).unwrap();
        fs::write(&copy, &whole_copy).unwrap();
    };
    for at in (0..whole.len()).step_by(23) {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        fs::write(&log, changed).unwrap();
        check(format!("octet {at} of the ledger"));
    }
    for at in (0..whole_copy.len()).step_by(23) {
        let mut changed = whole_copy.clone();
        changed[at] ^= 4;
        fs::write(&copy, changed).unwrap();
        check(format!("octet {at} of the mirror"));
    }
    for length in (0..whole.len()).step_by(41) {
        fs::write(&log, &whole[..length]).unwrap();
        check(format!("the ledger cut at {length}"));
    }
    // Another house's ledger under the same name.
    let other = written("ledger-others", 30);
    fs::copy(other.ledger().join("log"), &log).unwrap();
    check("a foreign log".to_owned());
    let key = fs::read(house.ledger().join("key.pub")).unwrap();
    fs::copy(other.ledger().join("log"), &log).unwrap();
    fs::copy(other.ledger().join("key.pub"), house.ledger().join("key.pub")).unwrap();
    check("a foreign log with its key".to_owned());
    fs::write(house.ledger().join("key.pub"), key).unwrap();
    assert!(house.verify().ok);
}

#[test]
fn the_command_line_reads_a_stopped_house() {
    let house = written("ledger-reads", 30);
    let head = ledger::head(&house.ledger(), Some(&house.mirror())).unwrap();
    assert!(head.cosigned && head.size == 32);
    let trusted = house.trust.as_ref().unwrap().read(head.checkpoint.as_bytes()).unwrap();
    assert_eq!(trusted.checkpoint.root, head.root);
    assert!(!ledger::head(&house.ledger(), None).unwrap().cosigned);
    let json = head.to_json();
    assert!(json.starts_with("{\"size\":32,\"root\":\"") && json.contains("\\n\u{2014} sekisho/"));
    let json = house.verify().to_json();
    assert!(json.contains("\"entries_checked\":32,\"mirror_agrees\":true,\"ok\":true"));
    let mut lines = Vec::new();
    ledger::export(&house.ledger(), 1, 4, |line| lines.push(line)).unwrap();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("{\"index\":1,\"entry\":\"process.start\""));
    assert!(lines[2].contains("\"entry\":\"release\"") && lines[2].contains("\"vault_seq\":1"));
    assert!(ledger::verify(Path::new("/nowhere"), None).is_err());
}

#[test]
fn a_proof_comes_within_milliseconds() {
    let mut house = House::new("ledger-latency");
    let mut running = house.start();
    house.say_names(&mut running);
    let mut times = Vec::new();
    for number in 0..60 {
        assert!(house.vault.record(number, release(number)));
        let begun = Instant::now();
        assert!(house.append(&mut running, true));
        times.push(begun.elapsed());
    }
    house.stop(running);
    times.sort();
    println!("a proof: p50 {:?}, worst {:?}", times[30], times[59]);
    // Generous: the machine that runs the tests does other things too.
    assert!(times[30] < Duration::from_millis(250));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for one in fs::read_dir(from).unwrap().map(Result::unwrap) {
        match one.file_type().unwrap().is_dir() {
            true => copy_folder(&one.path(), &to.join(one.file_name())),
            false => drop(fs::copy(one.path(), to.join(one.file_name())).unwrap()),
        }
    }
}

/// Reads the records of a log: sort and octets, whole.
fn records(log: &[u8]) -> Vec<(tlog::Sort, Vec<u8>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let tlog::Found::Record { sort, length, .. } = tlog::read_record(&log[at..]) {
        found.push((sort, log[at..at + length].to_vec()));
        at += length;
    }
    assert_eq!(at, log.len());
    found
}

/// The same entries but one, with hashes and signatures made anew under the ledger's own key.
fn forked(folder: &Path) -> Vec<u8> {
    let seed = fs::read(folder.join("key")).unwrap().try_into().unwrap();
    let signer = tlog::NoteSigner::new(tlog::LOG_ORIGIN, &seed).unwrap();
    let volumes = tlog::Volumes::<Vec<u8>>::default();
    let (mut store, _) = tlog::Store::open(volumes, None, |_| false, |_, _| {}).unwrap();
    let log = fs::read(folder.join("log")).unwrap();
    for (number, (sort, mut record)) in records(&log).into_iter().enumerate() {
        if sort == tlog::Sort::Entry {
            *record.last_mut().unwrap() ^= u8::from(number == 9);
            store.stage(&record[tlog::RECORD_HEAD..]).unwrap();
        }
    }
    let checkpoint = store.checkpoint(tlog::LOG_ORIGIN);
    let text = checkpoint.to_text();
    let note = tlog::Note { signatures: vec![signer.sign(&text)], text };
    store.write(tlog::SignedCheckpoint { note, checkpoint }).unwrap();
    store.log().clone()
}

#[test]
fn tampering_is_seen_and_named() {
    let house = written("ledger-tampering", 30);
    let kept = house.folder.with_extension("kept");
    let _ = fs::remove_dir_all(&kept);
    copy_folder(&house.folder, &kept);
    let check = |what: &str, word: &str, change: &dyn Fn(&Path, &Path)| {
        change(&house.ledger(), &house.mirror());
        let found = house.verify();
        assert!(!found.ok, "{what}");
        let named = found.problems.iter().any(|problem| problem.contains(word));
        assert!(named, "{what}: expected {word}, found {:?}", found.problems);
        fs::remove_dir_all(&house.folder).unwrap();
        copy_folder(&kept, &house.folder);
        assert!(house.verify().ok, "{what}: not put back");
    };
    let flip = |path: PathBuf, at: usize| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let log = fs::read(house.ledger().join("log")).unwrap();
    let rearranged = |arrange: &dyn Fn(&mut Vec<(tlog::Sort, Vec<u8>)>)| {
        let mut all = records(&log);
        arrange(&mut all);
        all.into_iter().flat_map(|(_, record)| record).collect::<Vec<u8>>()
    };
    let put =
        |bytes: Vec<u8>| move |own: &Path, _: &Path| fs::write(own.join("log"), &bytes).unwrap();
    check("an entry", "log was changed", &|own, _| flip(own.join("log"), 60));
    check("a checkpoint", "log", &|own, _| {
        let at = log.windows(15).position(|found| found == b"sekisho/ledger\n").unwrap();
        flip(own.join("log"), at + 16);
    });
    check("a signature", "are left", &|own, _| flip(own.join("log"), log.len() - 9));
    check("cut", "the mirror holds", &|own, _| {
        fs::write(own.join("log"), &log[..log.len() - 2_000]).unwrap();
    });
    check("doubled", "log was changed", &put(rearranged(&|all| all.insert(5, all[4].clone()))));
    check("swapped", "log was changed", &put(rearranged(&|all| all.swap(4, 5))));
    check("left out", "log was changed", &put(rearranged(&|all| drop(all.remove(4)))));
    check("forked", "another history", &|own, _| fs::write(own.join("log"), forked(own)).unwrap());
    let longer = |path: PathBuf| {
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 36).unwrap();
    };
    check("endless", "more than a batch", &|own, _| longer(own.join("log")));
    check("the mirror's endless", "more than a batch", &|_, mirror| longer(mirror.join("log")));
    check("tiles without an end", "tiles of level 0: expected", &|own, _| {
        longer(own.join("tiles"))
    });
    check("places without an end", "places of entries: expected", &|own, _| {
        longer(own.join("marks"))
    });
    check("a tile", "tiles of level 0 differ", &|own, _| flip(own.join("tiles"), 99));
    check("tiles cut", "tiles of level 0 differ", &|own, _| {
        let tiles = fs::read(own.join("tiles")).unwrap();
        fs::write(own.join("tiles"), &tiles[..tiles.len() - 32]).unwrap();
    });
    check("places", "places of entries differ", &|own, _| flip(own.join("marks"), 7));
    check("saved checkpoint", "saved checkpoint", &|own, _| flip(own.join("checkpoint"), 16));
    check("the mirror's entry", "the mirror's log", &|_, mirror| flip(mirror.join("log"), 60));
    check("the mirror's tail", "the mirror", &|_, mirror| {
        let copy = fs::read(mirror.join("log")).unwrap();
        let mut end = copy.len();
        for (_, record) in records(&copy).iter().rev().take(8) {
            end -= record.len();
        }
        fs::write(mirror.join("log"), &copy[..end]).unwrap();
    });
    check("the mirror's tile", "the mirror's tiles", &|_, mirror| flip(mirror.join("tiles"), 40));
    check("whose copy", "another key", &|own, mirror| {
        let text = fs::read_to_string(own.join("key.pub")).unwrap();
        let name = text.split('+').next().unwrap();
        let other = NoteVerifier::new(name, &[5; 32]).map_or_else(
            || tlog::NoteSigner::new(name, &[5; 32]).unwrap().verifier().to_text(),
            |key| key.to_text(),
        );
        fs::write(mirror.join("ledger.pub"), other).unwrap();
    });
    fs::remove_dir_all(kept).unwrap();
}

/// A folder that the version before this one wrote, before there were places, levels and an
/// index: it is read as it is, mended at the first start, and grows on.
#[test]
fn a_folder_of_the_version_before_is_taken_over() {
    let mut house = House::with_authors("ledger-before", 0x41);
    let before = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/before");
    copy_folder(&before, &house.folder);
    let found = house.verify();
    assert_eq!((found.ok, found.size, found.mirror_size), (true, 305, 305));
    assert_eq!(found.notes.len(), 3);
    let head = ledger::head(&house.ledger(), Some(&house.mirror())).unwrap();
    assert!(head.cosigned && head.size == 305);
    let mut running = house.start();
    house.say_names(&mut running);
    for number in 150..160 {
        assert!(house.vault.record(number, release(number)));
    }
    assert!(house.append(&mut running, true));
    house.stop(running);
    let found = house.verify();
    assert_eq!((found.problems, found.size, found.notes), (Vec::new(), 317, Vec::new()));
    let mut lines = 0;
    ledger::export(&house.ledger(), 0, u64::MAX, |_| lines += 1).unwrap();
    assert_eq!(lines, 317);
}

/// A ledger that is taken over can write what it likes under its own key; authors' signatures
/// and numbers tell.
#[test]
fn verify_sees_what_no_author_said() {
    let check =
        |name: &str, forge: &dyn Fn(&mut Author, &mut Author) -> Vec<Vec<u8>>, word: &str| {
            let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let signer = tlog::NoteSigner::new(tlog::LOG_ORIGIN, &[6; 32]).unwrap();
            fs::write(folder.join("key.pub"), signer.verifier().to_text()).unwrap();
            let mut warden = Author::new(Kind::Warden, InstanceId([1; 6]), &[1; 32]);
            let mut vault = Author::new(Kind::Vault, InstanceId([2; 6]), &[2; 32]);
            let volumes = tlog::Volumes::<Vec<u8>>::default();
            let (mut store, _) = tlog::Store::open(volumes, None, |_| false, |_, _| {}).unwrap();
            for frame in forge(&mut warden, &mut vault) {
                store.stage(&frame).unwrap();
            }
            let checkpoint = store.checkpoint(tlog::LOG_ORIGIN);
            let text = checkpoint.to_text();
            let note = tlog::Note { signatures: vec![signer.sign(&text)], text };
            store.write(tlog::SignedCheckpoint { note, checkpoint }).unwrap();
            fs::write(folder.join("log"), store.log()).unwrap();
            let found = ledger::verify(&folder, None).unwrap();
            fs::remove_dir_all(&folder).unwrap();
            assert_eq!(found.ok, word.is_empty(), "{:?}", found.problems);
            assert!(found.problems.iter().all(|what| what.contains(word)), "{:?}", found.problems);
        };
    let named = |author: &Author, kind| Body::ProcessStart {
        instance: author.start(),
        kind,
        pid: 1,
        version: Word::new("test"),
        zygote: None,
        key: Some(author.public_key()),
        serves: None,
    };
    let begin = |warden: &mut Author, vault: &Author| {
        let bodies = [named(warden, Kind::Warden), named(vault, Kind::Vault)];
        Vec::from(bodies.map(|body| warden.sign(1, body).unwrap()))
    };
    let told = |vault: &mut Author, numbers: &[u64]| -> Vec<Vec<u8>> {
        numbers.iter().map(|number| vault.sign(2, release(*number)).unwrap()).collect()
    };
    let with = |mut first: Vec<Vec<u8>>, more: Vec<Vec<u8>>| {
        first.extend(more);
        first
    };
    check("honest", &|w, v| with(begin(w, v), told(v, &[0, 1, 2])), "");
    check("unnamed", &|w, v| with(begin(w, v)[..1].to_vec(), told(v, &[0])), "nobody named");
    check("renumbered", &|w, v| with(begin(w, v), told(v, &[0, 2])), "expected release 1");
    let drop_one = |w: &mut Author, v: &mut Author| {
        let mut told = told(v, &[0, 1, 2]);
        told.remove(1);
        with(begin(w, v), told)
    };
    check("dropped", &drop_one, "expected");
    let forged = |w: &mut Author, v: &mut Author| {
        let mut stranger = Author::new(Kind::Vault, InstanceId([2; 6]), &[9; 32]);
        with(begin(w, v), told(&mut stranger, &[0, 1]))
    };
    check("forged", &forged, "not signed by its author");
}
