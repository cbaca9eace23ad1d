//! The real vault in its real walls: a normal load, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../src/tests/ledger.rs"]
mod ledger;

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, spawn};
use ledger::Ledger;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use wire::control::{Order, Report, Start};
use wire::vault::*;
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);
const PERSON: (TenantId, UserId) = (TenantId([1; 8]), UserId([2; 8]));

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return vault::run(House::begin().unwrap());
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let folder = std::env::temp_dir().join(format!("vault-jailed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if walls().granted.contains(&Wall::OwnUser) {
        let user = Some(64_000 + Kind::Vault.number());
        std::os::unix::fs::chown(&folder, user, user).unwrap();
    }
    let ledger = Ledger::new();
    for round in 1..=2 {
        live_once(folder.to_str().unwrap(), &ledger, round);
    }
    assert_eq!(ledger.releases(), [0, 1, 2, 3]);
    std::fs::remove_dir_all(&folder).unwrap();
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn credential() -> OwnedFd {
    let file = rustix::fs::memfd_create("credential", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(file);
    file.write_all(&[5; 32]).unwrap();
    file.into()
}

/// Calls that the vault was not meant to make.
fn listen(notices: Notices, heard: Arc<Mutex<Vec<String>>>) {
    let policy = Policy::of("vault").unwrap();
    thread::spawn(move || {
        loop {
            let mut fds = [PollFd::new(&notices, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            if !fds[0].revents().contains(PollFlags::IN) {
                return;
            }
            let Ok(Some(notice)) = notices.receive() else { continue };
            if policy.judge(notice.number) == Verdict::Witness {
                notices.continue_(&notice).unwrap();
            } else {
                heard.lock().unwrap().push(format!("{} {:x?}", notice.call, notice.args));
                notices.deny(&notice, 1).unwrap();
            }
        }
    });
}

fn join(control: &Channel, kind: Kind, person: Option<(TenantId, UserId)>) -> Channel {
    let (one, other) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([kind.number() as u8; 6]), kind, person };
    control.send(0, &Order::Join(label), &[other.into()]).unwrap();
    one
}

fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(channel: &mut Channel, q: Q) -> A {
    channel.ask(&q, &[], LIMIT).unwrap().0
}

fn live_once(folder: &str, ledger: &Ledger, round: u8) {
    let (signer, mirror) = Ledger::keys();
    let start = Start {
        instance: InstanceId([round; 6]),
        kind_word: "vault".to_owned(),
        folder: Some(folder.to_owned()),
        ledger_key: Some(signer.verifier().key_bytes()),
        mirror_key: Some(mirror.public().key_bytes()),
        has_credential: true,
        ..Start::default()
    };
    let (control, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Begin(start), &[credential()]).unwrap();
    let spawned = spawn(Birth {
        kind: "vault",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Vault.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let mut frame = control.receive(Some(LIMIT)).unwrap();
    let Report::Jailed { missing_walls } = frame.read().unwrap() else { panic!() };
    println!("missing walls: {missing_walls:?}");
    let heard = Arc::new(Mutex::new(Vec::new()));
    listen(Notices::new(frame.descriptors.pop().unwrap()), heard.clone());
    let ready = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(ready.read().unwrap(), Report::Ready { author: Some(_), public: Some(_) }));
    ledger.clone().serve(join(&control, Kind::Ledger, None));
    load(&control, ledger);
    control.send(0, &Order::Stop, &[]).unwrap();
    let mut ended = [PollFd::new(&spawned.pidfd, PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
    assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1, "the vault did not stop");
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "calls off charter");
}

/// A tenant, a person, mail sealed and released, with files, threads and randomness in use.
fn load(control: &Channel, ledger: &Ledger) {
    let mut directory = join(control, Kind::Directory, None);
    let mut identity = join(control, Kind::Identity, None);
    let mut access = join(control, Kind::Access, Some(PERSON));
    let (tenant, user) = PERSON;
    for question in [FromDirectory::MakeTenant(tenant), FromDirectory::MakeUser { tenant, user }] {
        assert!(matches!(ask(&mut directory, question), ToDirectory::Done));
    }
    let ToIdentity::Key(_) = ask(&mut identity, FromIdentity::TableKey) else { panic!() };
    let (public, session) = open::Session::new(seal::Suite::P256).unwrap();
    let id = GrantId([3; 16]);
    let grant = Grant {
        grant: id,
        tenant,
        user,
        instance: InstanceId([Kind::Access.number() as u8; 6]),
        bodies: true,
        summaries: true,
        expires_ms: compartment::now_ms() + 60_000,
        session: public.encode(),
    };
    let by = InstanceId([Kind::Identity.number() as u8; 6]);
    let recorded = ledger.record(by, &grant);
    let question = FromIdentity::Grant { grant, recorded };
    assert!(matches!(ask(&mut identity, question), ToIdentity::Done));
    let ToAccess::Keys { body, .. } = ask(&mut access, FromAccess::Current) else { panic!() };
    let (message, class) = (MessageId([7; 16]), seal::Class::Body);
    let place = seal::Place { tenant, message, class };
    let (content, key) = seal::seal_content(&place, b"good evening").unwrap();
    let context = seal::WrapContext { tenant, user, message, class };
    let public = seal::public_key(&body).unwrap();
    let wrapped = seal::wrap(&public, &key, &context).unwrap().encode();
    let item = Item { message, epoch: body.epoch, wrapped };
    let ToAccess::Opened { enc } = ask(&mut access, FromAccess::Open(id)) else { panic!() };
    let items = vec![item; 100];
    let question = FromAccess::Release { grant: id, class: Class::Body, items };
    let ToAccess::Released(keys) = ask(&mut access, question) else { panic!() };
    let accepted = session.accept(&open::GrantContext { grant: id, tenant, user }, &enc).unwrap();
    for released in keys {
        let key = accepted.unwrap(&released.unwrap(), &context).unwrap();
        assert_eq!(open::open_content(&key, &place, &content).unwrap(), b"good evening");
    }
    let ToDirectory::Transit(transit) = ask(&mut directory, FromDirectory::Transit(tenant)) else {
        panic!()
    };
    leave(control, &transit);
}

/// A message that leaves, from the queue to its carrier.
fn leave(control: &Channel, transit: &wire::directory::PublicKey) {
    let mut post = join(control, Kind::Post, None);
    let mut depart = join(control, Kind::Depart, None);
    let (tenant, user) = PERSON;
    let (message, class) = (MessageId([8; 16]), seal::Class::Body);
    let context = seal::WrapContext { tenant, user, message, class };
    let place = seal::Place { tenant, message, class };
    let (content, key) = seal::seal_content(&place, b"good night").unwrap();
    let public = seal::public_key(transit).unwrap();
    let wrapped = seal::wrap(&public, &key, &context).unwrap().encode();
    let instance = InstanceId([Kind::Depart.number() as u8; 6]);
    let messages = vec![(user, message)];
    let handed = FromPost::Handed { instance, tenant, messages };
    assert_eq!(ask::<_, ToPost>(&mut post, handed), ToPost::Noted);
    let (public, session) = open::Session::new(seal::Suite::P256).unwrap();
    let question = FromDepart::Open { tenant, session: public.encode() };
    let ToDepart::Opened { grant, enc, .. } = ask(&mut depart, question) else { panic!() };
    let item = TransitItem { user, message, class: Class::Body, epoch: transit.epoch, wrapped };
    let question = FromDepart::Release { grant, items: vec![item] };
    let ToDepart::Released(keys) = ask(&mut depart, question) else { panic!() };
    let accepted = session.accept(&open::GrantContext::transit(grant, tenant), &enc).unwrap();
    let released = keys.into_iter().next().flatten().unwrap();
    let key = accepted.unwrap(&released, &context).unwrap();
    assert_eq!(open::open_content(&key, &place, &content).unwrap(), b"good night");
}
