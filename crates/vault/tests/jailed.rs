//! The real vault in its real walls: a normal load, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../src/tests/ledger.rs"]
mod ledger;

use compartment::House;
use ledger::Ledger;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use wire::control::{Report, Start};
use wire::vault::*;
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);
const PERSON: (TenantId, UserId) = (TenantId([1; 8]), UserId([2; 8]));

fn main() -> ExitCode {
    walled::main(
        || vault::run(House::begin().unwrap()),
        || {
            let folder = walled::folder(Kind::Vault);
            let ledger = Ledger::new();
            for round in 1..=2 {
                live_once(folder.to_str().unwrap(), &ledger, round);
            }
            assert_eq!(ledger.releases(), [0, 1, 2, 3]);
            std::fs::remove_dir_all(&folder).unwrap();
        },
    )
}

fn credential() -> OwnedFd {
    let file = rustix::fs::memfd_create("credential", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(file);
    file.write_all(&[5; 32]).unwrap();
    file.into()
}

fn join(control: &Channel, kind: Kind, person: Option<(TenantId, UserId)>) -> Channel {
    walled::join(control, Label { instance: InstanceId([kind.number() as u8; 6]), kind, person })
}

fn ask<Q: serde::Serialize, A: serde::de::DeserializeOwned>(channel: &mut Channel, q: Q) -> A {
    channel.ask(&q, &[], LIMIT).unwrap().0
}

fn live_once(folder: &str, ledger: &Ledger, round: u8) {
    let (signer, mirror) = Ledger::keys();
    let start = Start {
        instance: InstanceId([round; 6]),
        folder: Some(folder.to_owned()),
        ledger_key: Some(signer.verifier().key_bytes()),
        mirror_key: Some(mirror.public().key_bytes()),
        has_credential: true,
        ..Start::default()
    };
    let vault = walled::born_with(Kind::Vault, start, &[credential()]);
    assert!(matches!(vault.ready, Report::Ready { author: Some(_), public: Some(_) }));
    ledger.clone().serve(join(&vault.control, Kind::Ledger, None));
    load(&vault.control, ledger);
    vault.stop();
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
