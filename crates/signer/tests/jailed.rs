//! The real signer in its real walls: a normal load, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use std::process::ExitCode;
use std::time::Duration;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::control::{Report, Start};
use wire::signer::{FromSigner, ToSigner};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    walled::main(
        || signer::run(House::begin().unwrap()),
        || {
            let folder = walled::folder(Kind::Signer);
            let chains = [1, 2].map(|round| live_once(folder.to_str().unwrap(), round));
            assert!(chains[0] == chains[1]);
            std::fs::remove_dir_all(&folder).unwrap();
        },
    )
}

const TENANT: TenantId = TenantId([1; 8]);

fn join(control: &Channel, kind: Kind) -> Channel {
    let person = (kind == Kind::Dispatch).then_some((TENANT, UserId([2; 8])));
    walled::join(control, Label { instance: InstanceId([kind.number() as u8; 6]), kind, person })
}

fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(channel: &mut Channel, q: Q) -> A {
    channel.ask(&q, &[], LIMIT).unwrap().0
}

fn live_once(folder: &str, round: u8) -> Vec<Vec<u8>> {
    let start = Start {
        instance: InstanceId([round; 6]),
        folder: Some(folder.to_owned()),
        host_name: "mx.example.jp".to_owned(),
        demo: true,
        ..Start::default()
    };
    let signer = walled::born(Kind::Signer, start);
    assert!(matches!(signer.ready, Report::Ready { author: Some(_), .. }));
    let chain = load(&signer.control);
    signer.stop();
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
    let FromSigner::Chain { certificates, key, .. } = ask(&mut edge, question) else { panic!() };
    let message = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[7; 32]].concat();
    for _ in 0..20 {
        let (server_name, message) = (None, message.clone());
        let question = ToSigner::Sign { server_name, scheme: 0x0403, message, key };
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
    // And the end of a contract.
    let mut directory = join(control, Kind::Directory);
    let ended = "ended.example".to_owned();
    let made: FromSigner =
        ask(&mut admin, ToSigner::MakeMailKeys { tenant: TENANT, domain: ended.clone() });
    assert!(matches!(made, FromSigner::MailRecords(_)));
    for question in [
        ToSigner::KeyFilesOf { domains: vec![(TENANT, ended.clone())] },
        ToSigner::ForgetKeys { tenant: TENANT, domains: vec![ended] },
        ToSigner::KeyFiles { after: None },
    ] {
        assert!(!matches!(ask(&mut directory, question), FromSigner::Refused));
    }
}
