//! The real ledger and the real mirror in their real walls: a normal load, a silent mirror, a
//! killed mirror, a killed ledger; and not one call off their charters.
//! This program is its own compartments: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use evidence::{Author, Body, Outbox, Released, Word};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use tlog::Trust;
use walled::Born;
use wire::control::{Order, Report, Start};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    walled::main(
        || {
            let house = House::begin().unwrap();
            match std::env::args().nth(1).as_deref() {
                Some("mirror") => mirror::run(house),
                _ => ledger::run(house),
            }
        },
        || {
            let folders = [Kind::Ledger, Kind::Mirror].map(walled::folder);
            journey(&folders);
            folders.iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
        },
    )
}

/// The ledger or the mirror, and its public key.
struct Keeper {
    born: Born,
    public: [u8; 32],
}

fn bear(kind: Kind, folders: &[PathBuf; 2], ledger_key: Option<[u8; 32]>) -> Keeper {
    let folder = &folders[usize::from(kind == Kind::Mirror)];
    let start = Start {
        instance: InstanceId([kind.number() as u8; 6]),
        folder: Some(folder.to_str().unwrap().to_owned()),
        ledger_key,
        ..Start::default()
    };
    let born = walled::born(kind, start);
    let Report::Ready { public: Some(public), .. } = born.ready else { panic!("no key") };
    Keeper { born, public }
}

impl Keeper {
    fn signal(&self, name: &str) {
        let pid = self.born.process.pid.to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn join(&self, kind: Kind, start: u8) -> Channel {
        self.born.join(Label { kind, instance: InstanceId([start; 6]), person: None })
    }

    /// Nothing off charter, and no file opened, since its jail.
    fn was_good(&self) {
        self.born.heard.assert_nothing_off_charter();
        assert_eq!(self.born.heard.witnessed(), 0);
    }
}

fn time_of_a_flush(folder: &Path) -> Duration {
    let file = std::fs::File::create(folder.join("flushed")).unwrap();
    let begun = Instant::now();
    (&file).write_all(b"one").and_then(|()| file.sync_all()).unwrap();
    begun.elapsed()
}

fn join_both(ledger: &Keeper, mirror: &Keeper) {
    let (own, theirs) = Channel::pair().unwrap();
    let label = |kind| Label { kind, instance: InstanceId([9; 6]), person: None };
    ledger.born.control.send(0, &Order::Join(label(Kind::Mirror)), &[own.into()]).unwrap();
    mirror.born.control.send(0, &Order::Join(label(Kind::Ledger)), &[theirs.into()]).unwrap();
}

struct Vault {
    outbox: Outbox,
    next: u64,
    trust: Trust,
}

impl Vault {
    fn record(&mut self, count: usize, items: usize) {
        for _ in 0..count {
            let body = Body::Release {
                vault_seq: self.next,
                instance: InstanceId([5; 6]),
                grant: GrantId([1; 16]),
                tenant: TenantId([2; 8]),
                user: UserId([3; 8]),
                released: Released::Bodies(vec![MessageId([4; 16]); items]),
            };
            assert!(self.outbox.record(compartment::now_ms(), body));
            self.next += 1;
        }
    }

    /// In a word, what the ledger answered; `None` when it is gone.
    fn append(&mut self, channel: &mut Channel, prove: bool) -> Option<&'static str> {
        let frames = self.outbox.frames();
        let question = ToLedger::Append { entries: frames.clone(), prove };
        let word = match channel.ask::<_, FromLedger>(&question, &[], LIMIT).ok()?.0 {
            FromLedger::Taken { .. } => "taken",
            FromLedger::Proved { proofs, checkpoint } => {
                let trusted = self.trust.read(&checkpoint).unwrap();
                assert_eq!(proofs.len(), frames.len());
                for (proof, frame) in proofs.iter().zip(&frames) {
                    assert!(trusted.proves(frame, proof.index, &proof.hashes));
                }
                "proved"
            }
            FromLedger::Refused { why } => panic!("{why}"),
            _ => return Some("away"),
        };
        self.outbox.taken(frames.len());
        Some(word)
    }

    /// Until everything is proved. What is late says how it stood: one run of many once was.
    fn append_all(&mut self, channel: &mut Channel, paths: &[PathBuf; 2]) {
        let begun = Instant::now();
        let mut away = 0;
        while self.outbox.waiting() > 0 {
            if begun.elapsed() >= LIMIT {
                let found = ledger::verify(&paths[0], Some(&paths[1])).unwrap();
                let sizes = (found.size, found.mirror_size);
                let flush = time_of_a_flush(&paths[0]);
                panic!(
                    "{} of the vault's, {away} times away, {sizes:?}, a flush {flush:?}",
                    self.next
                );
            }
            away += usize::from(self.append(channel, true).unwrap() == "away");
        }
    }
}

fn journey(folders: &[PathBuf; 2]) {
    let ledger = bear(Kind::Ledger, folders, None);
    let mirror = bear(Kind::Mirror, folders, Some(ledger.public));
    join_both(&ledger, &mirror);
    let mut warden = Author::new(Kind::Warden, InstanceId([1; 6]), &[1; 32]);
    let vault = Author::new(Kind::Vault, InstanceId([2; 6]), &[2; 32]);
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
    let entries: Vec<_> = bodies.map(|body| warden.sign(1, body).unwrap()).into();
    let mut channel = ledger.join(Kind::Warden, 1);
    let question = ToLedger::Append { entries, prove: false };
    let answer = channel.ask::<_, FromLedger>(&question, &[], LIMIT).unwrap().0;
    assert!(matches!(answer, FromLedger::Taken { first_index: 0 }));
    let trust = Trust::new(&ledger.public, &mirror.public).unwrap();
    let mut vault = Vault { outbox: Outbox::new(vault, 9_000), next: 0, trust };
    let mut channel = ledger.join(Kind::Vault, 2);

    // Small ones, large ones, many; frames that travel beside their channel.
    for round in 0..30 {
        vault.record(1 + round, if round % 5 == 4 { 3_000 } else { 1 });
        vault.append_all(&mut channel, folders);
    }
    let question = ToLedger::Releases { since_ms: 0, from_index: 0 };
    let answer = channel.ask::<_, FromLedger>(&question, &[], LIMIT).unwrap().0;
    assert!(matches!(answer, FromLedger::Releases { next: Some(_), .. }));

    // A mirror that stands still: told within 3 s, and resumed by itself.
    mirror.signal("-STOP");
    let begun = Instant::now();
    vault.record(1, 1);
    assert_eq!(vault.append(&mut channel, true), Some("away"));
    assert!(begun.elapsed() < Duration::from_secs(4));
    for _ in 0..50 {
        vault.record(20, 100);
        assert_eq!(vault.append(&mut channel, false), Some("taken"));
    }
    mirror.signal("-CONT");
    vault.record(1, 1);
    let begun = Instant::now();
    vault.append_all(&mut channel, folders);
    println!("a mirror that stood still proves again after {:?}", begun.elapsed());

    // A mirror that is killed: the next one catches up.
    mirror.was_good();
    mirror.signal("-KILL");
    mirror.born.await_end();
    vault.record(5, 1_000);
    assert_eq!(vault.append(&mut channel, true), Some("away"));
    let mirror = bear(Kind::Mirror, folders, None);
    join_both(&ledger, &mirror);
    vault.append_all(&mut channel, folders);

    // A ledger that is killed: the next one knows everybody.
    ledger.was_good();
    ledger.signal("-KILL");
    ledger.born.await_end();
    vault.record(5, 10);
    assert_eq!(vault.append(&mut channel, true), None);
    let ledger = bear(Kind::Ledger, folders, None);
    join_both(&ledger, &mirror);
    let mut channel = ledger.join(Kind::Vault, 2);
    vault.append_all(&mut channel, folders);
    finish(folders, ledger, mirror, vault.next + 2);
}

/// While it runs, and after it has stopped, the files say the same.
fn finish(paths: &[PathBuf; 2], ledger: Keeper, mirror: Keeper, expected: u64) {
    for running in [true, false] {
        if !running {
            for keeper in [&ledger, &mirror] {
                keeper.born.stop();
                keeper.was_good();
            }
        }
        let found = ledger::verify(&paths[0], Some(&paths[1])).unwrap();
        assert_eq!(found.problems, Vec::<String>::new());
        assert_eq!((found.ok, found.size, found.mirror_size), (true, expected, expected));
        assert!(ledger::head(&paths[0], Some(&paths[1])).unwrap().cosigned);
    }
}
