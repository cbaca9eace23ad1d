//! An instance's first handshake and first sealing inside its real walls: no call off charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, spawn};
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use rustix::event::{PollFd, PollFlags, poll};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind, MessageId, TenantId};
use tls::{SignerLink, server_config};
use wire::control::{Order, Report, Start};
use wire::signer::{FromSigner, ToSigner};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);
/// One of each sort of instance that shakes hands and seals.
const KINDS: [Kind; 2] = [Kind::Edge, Kind::Access];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return compartment::zygote_main(serve);
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    KINDS.into_iter().for_each(hear);
    println!("test result: ok. {} passed; 0 failed", KINDS.len());
    ExitCode::SUCCESS
}

// ---- inside -------------------------------------------------------------------------------

fn serve(mut house: House) -> ExitCode {
    let (channel, _) = house.next_join(Kind::Signer, LIMIT).unwrap();
    let config = server_config(&SignerLink::new(channel), &[]).unwrap();
    for _ in 0..2 {
        let mut server = ServerConnection::new(config.clone()).unwrap();
        shake(&mut server, &mut client()).unwrap();
    }
    let place = seal::Place {
        tenant: TenantId([1; 8]),
        message: MessageId([2; 16]),
        class: seal::Class::Body,
    };
    let (content, key) = seal::seal_content(&place, &[7; 200_000]).unwrap();
    let (public, _session) = open::Session::new(seal::Suite::P256).unwrap();
    let context = seal::WrapContext {
        tenant: TenantId([1; 8]),
        user: terms::UserId([3; 8]),
        message: MessageId([2; 16]),
        class: seal::Class::Body,
    };
    seal::wrap(&public, &key, &context).unwrap();
    assert_eq!(open::open_content(&key, &place, &content).unwrap().len(), 200_000);
    house.report(&Report::Note { text: "done".to_owned() }, &[]).unwrap();
    ExitCode::SUCCESS
}

/// Trusts nobody in particular: the handshake's calls are what is heard here.
fn client() -> ClientConnection {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("mail.localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// As far as the server's signature, which is what the client then refuses.
fn shake(server: &mut ServerConnection, client: &mut ClientConnection) -> Result<(), String> {
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).map_err(|fault| fault.to_string())?;
    server.read_tls(&mut bytes.as_slice()).map_err(|fault| fault.to_string())?;
    server.process_new_packets().map_err(|fault| fault.to_string())?;
    let mut answer = Vec::new();
    server.write_tls(&mut answer).map_err(|fault| fault.to_string())?;
    if answer.len() < 500 { Err("no certificate was sent".to_owned()) } else { Ok(()) }
}

// ---- outside ------------------------------------------------------------------------------

fn sign(channel: Channel) {
    thread::spawn(move || {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["mail.localhost".to_owned()]).unwrap();
        let leaf: CertificateDer<'static> = params.self_signed(&key).unwrap().der().clone();
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<ToSigner>().unwrap() {
                ToSigner::Chain { .. } => {
                    let certificates = vec![leaf.to_vec()];
                    FromSigner::Chain { certificates, schemes: vec![0x0403] }
                }
                ToSigner::Sign { message, .. } => {
                    FromSigner::Signature(key.sign(&message).unwrap())
                }
                _ => FromSigner::Refused,
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn begin(kind: Kind, instance: InstanceId) -> (Channel, Channel) {
    let (ours, theirs) = Channel::pair().unwrap();
    let start = Start { instance, kind_word: kind.word().to_owned(), ..Start::default() };
    ours.send(0, &Order::Begin(start), &[]).unwrap();
    (ours, theirs)
}

fn hear(kind: Kind) {
    let (zygote, theirs) = begin(kind, InstanceId::default());
    let _spawned = spawn(Birth {
        kind: kind.word(),
        instance: None,
        user: compartment::is_root().then_some(64_000 + kind.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    for _ in 0..2 {
        zygote.receive(Some(LIMIT)).unwrap();
    }
    let instance = InstanceId([5; 6]);
    let (control, theirs) = begin(kind, instance);
    zygote.send(0, &Order::Fork(instance), &[theirs.into()]).unwrap();
    let mut frame = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(frame.read().unwrap(), Report::Jailed { .. }));
    let heard = Arc::new(Mutex::new(Vec::new()));
    listen(kind, Notices::new(frame.descriptors.pop().unwrap()), heard.clone());
    let (ours, other) = Channel::pair().unwrap();
    sign(ours);
    let label = Label { instance: InstanceId([6; 6]), kind: Kind::Signer, person: None };
    control.send(0, &Order::Join(label), &[other.into()]).unwrap();
    let note = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(note.read().unwrap(), Report::Note { text } if text == "done"));
    zygote.send(0, &Order::Stop, &[]).unwrap();
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "{} off charter", kind.word());
}

/// Calls that the instance was not meant to make.
fn listen(kind: Kind, notices: Notices, heard: Arc<Mutex<Vec<String>>>) {
    let policy = Policy::of(kind.word()).unwrap();
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
