//! The real signer in its real walls: a normal load, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, spawn};
use rustix::event::{PollFd, PollFlags, poll};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::control::{Order, Report, Start};
use wire::signer::{FromSigner, ToSigner};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return signer::run(House::begin().unwrap());
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let folder = std::env::temp_dir().join(format!("signer-jailed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if walls().granted.contains(&Wall::OwnUser) {
        let user = Some(64_000 + Kind::Signer.number());
        std::os::unix::fs::chown(&folder, user, user).unwrap();
    }
    let chains = [1, 2].map(|round| live_once(folder.to_str().unwrap(), round));
    assert!(chains[0] == chains[1]);
    std::fs::remove_dir_all(&folder).unwrap();
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

/// Calls that the signer was not meant to make.
fn listen(notices: Notices, heard: Arc<Mutex<Vec<String>>>) {
    let policy = Policy::of("signer").unwrap();
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

const TENANT: TenantId = TenantId([1; 8]);

fn join(control: &Channel, kind: Kind) -> Channel {
    let (one, other) = Channel::pair().unwrap();
    let person = (kind == Kind::Dispatch).then_some((TENANT, UserId([2; 8])));
    let label = Label { instance: InstanceId([kind.number() as u8; 6]), kind, person };
    control.send(0, &Order::Join(label), &[other.into()]).unwrap();
    one
}

fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(channel: &mut Channel, q: Q) -> A {
    channel.ask(&q, &[], LIMIT).unwrap().0
}

fn live_once(folder: &str, round: u8) -> Vec<Vec<u8>> {
    let start = Start {
        instance: InstanceId([round; 6]),
        kind_word: "signer".to_owned(),
        folder: Some(folder.to_owned()),
        host_name: "mx.example.jp".to_owned(),
        demo: true,
        ..Start::default()
    };
    let (control, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "signer",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Signer.number()),
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
    assert!(matches!(ready.read().unwrap(), Report::Ready { author: Some(_), .. }));
    let chain = load(&control);
    control.send(0, &Order::Stop, &[]).unwrap();
    let mut ended = [PollFd::new(&spawned.pidfd, PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 };
    assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1, "the signer did not stop");
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "calls off charter");
    chain
}

/// The storage key given, a certificate made or opened, handshakes signed.
fn load(control: &Channel) -> Vec<Vec<u8>> {
    let vault = join(control, Kind::Vault);
    let frame = vault.receive(Some(LIMIT)).unwrap();
    let wire::vault::FromSigner::StorageKey = frame.read().unwrap();
    let answer = wire::vault::ToSigner::Key { storage: vec![5; 32], demo_seed: Some(vec![6; 32]) };
    vault.send(frame.call, &answer, &[]).unwrap();
    let mut edge = join(control, Kind::Edge);
    let question = ToSigner::Chain { server_name: None };
    let FromSigner::Chain { certificates, .. } = ask(&mut edge, question) else { panic!() };
    let message = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[7; 32]].concat();
    for _ in 0..20 {
        let (server_name, message) = (None, message.clone());
        let question = ToSigner::Sign { server_name, scheme: 0x0403, message };
        assert!(matches!(ask(&mut edge, question), FromSigner::Signature(_)));
    }
    sign_mail(control);
    certificates
}

/// Keys made or found, a next pair, headers signed: short ones and the longest there may be.
fn sign_mail(control: &Channel) {
    let (mut admin, mut dispatch) = (join(control, Kind::Admin), join(control, Kind::Dispatch));
    let domain = || "kaede.example".to_owned();
    for question in [
        ToSigner::MakeMailKeys { tenant: TENANT, domain: domain() },
        ToSigner::RotateMailKeys { domain: domain(), retire: false },
        ToSigner::RotateMailKeys { domain: domain(), retire: false },
        ToSigner::RotateMailKeys { domain: domain(), retire: true },
    ] {
        assert!(matches!(ask(&mut admin, question), FromSigner::MailRecords(_)));
    }
    let question = ToSigner::MailKeys { domain: domain() };
    let FromSigner::MailKeys(keys) = ask(&mut dispatch, question) else { panic!() };
    assert_eq!(keys.len(), 2);
    for (key, octets) in keys.iter().flat_map(|key| [(key, 10), (key, 120_000)]) {
        let (domain, selector, algorithm) = ("kaede.example", &key.selector, &key.algorithm);
        let by = mailauth::sign::SigningAs { domain, selector, algorithm, now: 1_800_000_000 };
        let header = format!("From: a@kaede.example\r\nSubject: {}\r\n\r\n", "x".repeat(octets));
        let canonical = mailauth::sign::dkim(header.as_bytes(), &[0; 32], &by).canonical().to_vec();
        let (domain, selector) = (domain.to_owned(), selector.clone());
        let question = ToSigner::SignMail { domain, selector, canonical };
        assert!(matches!(ask(&mut dispatch, question), FromSigner::Signature(_)));
    }
}
