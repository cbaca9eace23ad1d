//! Single releases through a real vault, ledger and mirror, each on a thread, with every flush:
//! `cargo run --release -p sekisho --example releases [FOLDER]`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use evidence::{Author, Body, Word};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use wire::control::Order;
use wire::ledger::{FromLedger, ToLedger};
use wire::vault::*;
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(30);
const TENANT: TenantId = TenantId([1; 8]);
const USER: UserId = UserId([2; 8]);
const CLIENTS: u8 = 64;
const EACH: usize = 300;

fn main() {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let folder = given.unwrap_or_else(|| std::env::temp_dir().join("sekisho-releases"));
    for (name, suite) in [("P-256", seal::Suite::P256), ("X25519", seal::Suite::X25519)] {
        let _ = std::fs::remove_dir_all(&folder);
        let house = House::start(&folder, suite);
        house.measure(name);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

struct House {
    vault: Channel,
    /// Identity's pen: a grant counts once the ledger has it.
    pen: (Author, Channel),
    _others: [Channel; 2],
}

fn label(kind: Kind, instance: InstanceId) -> Label {
    Label { kind, instance, person: None }
}

fn join(control: &Channel, label: Label) -> Channel {
    let (own, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    own
}

fn named(kind: Kind, author: &Author) -> Body {
    Body::ProcessStart {
        instance: author.start(),
        kind,
        pid: 1,
        version: Word::new("releases"),
        zygote: None,
        key: Some(author.public_key()),
        serves: None,
    }
}

impl House {
    fn start(folder: &Path, suite: seal::Suite) -> Self {
        for kind in ["ledger", "mirror", "vault"] {
            std::fs::create_dir_all(folder.join(kind)).unwrap();
        }
        let (ledger, theirs) = Channel::pair().unwrap();
        let (key, told) = mpsc::channel();
        let own = folder.join("ledger");
        thread::spawn(move || {
            ledger::serve_unjailed(theirs, &own, |public| key.send(public).unwrap()).unwrap();
        });
        let ledger_key = told.recv().unwrap();
        let (copy, notes) = mirror::open(&folder.join("mirror"), Some(ledger_key)).unwrap();
        let mirror_key = copy.public_key();
        let (mirror, theirs) = Channel::pair().unwrap();
        thread::spawn(move || mirror::serve(theirs, copy, notes).unwrap());
        let (one, other) = Channel::pair().unwrap();
        let instance = InstanceId([9; 6]);
        ledger.send(0, &Order::Join(label(Kind::Mirror, instance)), &[one.into()]).unwrap();
        mirror.send(0, &Order::Join(label(Kind::Ledger, instance)), &[other.into()]).unwrap();

        let mut warden = Author::new(Kind::Warden, InstanceId([1; 6]), &[1; 32]);
        let mut channel = join(&ledger, label(Kind::Warden, warden.start()));
        let author = Author::new(Kind::Vault, InstanceId([2; 6]), &[2; 32]);
        let identity = Author::new(Kind::Identity, InstanceId([4; 6]), &[4; 32]);
        let told = [
            named(Kind::Warden, &warden),
            named(Kind::Vault, &author),
            named(Kind::Identity, &identity),
        ];
        let entries = told.into_iter().map(|body| warden.sign(1, body).unwrap()).collect();
        let question = ToLedger::Append { entries, prove: false };
        let (answer, _) = channel.ask::<_, FromLedger>(&question, &[], LIMIT).unwrap();
        assert!(matches!(answer, FromLedger::Taken { .. }));

        let trust = tlog::Trust::new(&ledger_key, &mirror_key).unwrap();
        let (vault, theirs) = Channel::pair().unwrap();
        let own = folder.join("vault");
        let (one, other) = Channel::pair().unwrap();
        let about = label(Kind::Vault, author.start());
        ledger.send(0, &Order::Join(about), &[one.into()]).unwrap();
        thread::spawn(move || {
            let evidence = (author, trust);
            vault::serve_unjailed(theirs, &own, &[5; 32], evidence, suite).unwrap();
        });
        vault.send(0, &Order::Join(label(Kind::Ledger, instance)), &[other.into()]).unwrap();
        let pen = join(&ledger, label(Kind::Identity, identity.start()));
        Self { vault, pen: (identity, pen), _others: [ledger, mirror] }
    }

    fn measure(mut self, name: &str) {
        let mut directory = join(&self.vault, label(Kind::Directory, InstanceId([3; 6])));
        let mut identity = join(&self.vault, label(Kind::Identity, InstanceId([4; 6])));
        for question in [
            FromDirectory::MakeTenant(TENANT),
            FromDirectory::MakeUser { tenant: TENANT, user: USER },
        ] {
            let answer: ToDirectory = ask(&mut directory, &question);
            assert!(matches!(answer, ToDirectory::Done));
        }
        let mut clients: Vec<_> =
            (0..=CLIENTS).map(|number| self.client(&mut identity, number)).collect();
        let (mut first, question) = clients.remove(0);
        let mut times: Vec<u128> = (0..1_000).map(|_| timed(&mut first, &question)).collect();
        tell(name, "one client", &mut times);
        let begun = Instant::now();
        let threads: Vec<_> = clients
            .into_iter()
            .map(|(mut channel, question)| {
                thread::spawn(move || -> Vec<u128> {
                    (0..EACH).map(|_| timed(&mut channel, &question)).collect()
                })
            })
            .collect();
        let mut times: Vec<u128> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        tell(name, &format!("{CLIENTS} clients, {rate:.0} releases/s"), &mut times);
        self.vault.send(0, &Order::Stop, &[]).unwrap();
    }

    fn record(&mut self, minted: &Grant) -> Proven {
        let Grant { grant, tenant, user, instance, expires_ms: until_ms, .. } = *minted;
        let (author, ledger) = &mut self.pen;
        let body = Body::Grant { grant, instance, tenant, user, until_ms };
        let entry = author.sign(compartment::now_ms(), body).unwrap();
        let question = ToLedger::Append { entries: vec![entry.clone()], prove: true };
        let FromLedger::Proved { mut proofs, checkpoint } = ask(ledger, &question) else {
            panic!()
        };
        Proven { entry, proof: proofs.remove(0), checkpoint }
    }

    /// A session with a grant, and what it asks for: one body.
    fn client(&mut self, identity: &mut Channel, number: u8) -> (Channel, FromAccess) {
        let instance = InstanceId([100 + number; 6]);
        let person = Some((TENANT, USER));
        let mut channel = join(&self.vault, Label { kind: Kind::Access, instance, person });
        let (public, _) = open::Session::new(seal::Suite::X25519).unwrap();
        let grant = GrantId([100 + number; 16]);
        let minted = Grant {
            grant,
            tenant: TENANT,
            user: USER,
            instance,
            bodies: true,
            summaries: true,
            expires_ms: compartment::now_ms() + 600_000,
            session: public.encode(),
        };
        let recorded = self.record(&minted);
        let answer: ToIdentity = ask(identity, &FromIdentity::Grant { grant: minted, recorded });
        assert!(matches!(answer, ToIdentity::Done));
        let answer: ToAccess = ask(&mut channel, &FromAccess::Open(grant));
        assert!(matches!(answer, ToAccess::Opened { .. }));
        let answer: ToAccess = ask(&mut channel, &FromAccess::Current);
        let ToAccess::Keys { body, .. } = answer else { panic!() };
        let message = MessageId([number; 16]);
        let context =
            seal::WrapContext { tenant: TENANT, user: USER, message, class: seal::Class::Body };
        let place = seal::Place { tenant: TENANT, message, class: seal::Class::Body };
        let (_, key) = seal::seal_content(&place, b"good evening").unwrap();
        let wrapped = seal::wrap(&seal::public_key(&body).unwrap(), &key, &context).unwrap();
        let items = vec![Item { message, epoch: body.epoch, wrapped: wrapped.encode() }];
        (channel, FromAccess::Release { grant, class: Class::Body, items })
    }
}

fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(channel: &mut Channel, q: &Q) -> A {
    channel.ask(q, &[], LIMIT).unwrap().0
}

fn timed(channel: &mut Channel, question: &FromAccess) -> u128 {
    let begun = Instant::now();
    let answer: ToAccess = ask(channel, question);
    let ToAccess::Released(keys) = answer else { panic!() };
    assert!(keys.iter().all(Option::is_some));
    begun.elapsed().as_micros()
}

fn tell(name: &str, what: &str, times: &mut [u128]) {
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100];
    println!("{name}: {what}: p50 {} µs, p99 {} µs", at(50), at(99));
}
