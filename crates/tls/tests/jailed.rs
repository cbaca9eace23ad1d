//! An instance's first handshake and first sealing inside its real walls: no call off charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use std::process::ExitCode;
use std::sync::Arc;
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
    walled::main(|| compartment::zygote_main(serve), || KINDS.into_iter().for_each(hear))
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
                    FromSigner::Chain { certificates, schemes: vec![0x0403], key: [0; 16] }
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

fn hear(kind: Kind) {
    let zygote = walled::born(kind, Start::default());
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: kind.word().to_owned(), ..Start::default() };
    control.send(0, &Order::Begin(start), &[]).unwrap();
    zygote.fork(theirs);
    let mut frame = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(frame.read().unwrap(), Report::Jailed { .. }));
    zygote.heard.listen(kind, frame.descriptors.pop().unwrap());
    let label = Label { instance: InstanceId([6; 6]), kind: Kind::Signer, person: None };
    sign(walled::join(&control, label));
    let note = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(note.read().unwrap(), Report::Note { text } if text == "done"));
    zygote.control.send(0, &Order::Stop, &[]).unwrap();
    zygote.heard.assert_nothing_off_charter();
}
