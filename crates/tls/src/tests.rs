//! Handshakes against a signer on a thread: it signs, refuses, or is away.

use super::*;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use std::sync::Arc;
use std::thread;
use wire::Channel;
use wire::signer::{FromSigner, ToSigner};

fn certificate() -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["mail.localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().der().clone(), key)
}

/// A signer that answers as told until its channel closes; tells how often it signed.
fn signer(
    channel: Channel,
    leaf: CertificateDer<'static>,
    key: KeyPair,
    refuses: bool,
) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut signed = 0;
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<ToSigner>().unwrap() {
                ToSigner::Chain { .. } => {
                    let certificates = vec![leaf.to_vec()];
                    FromSigner::Chain { certificates, schemes: vec![0x0403], key: [7; 16] }
                }
                ToSigner::Sign { scheme, message, key: named, .. } if !refuses => {
                    assert_eq!((scheme, named), (0x0403, [7; 16]));
                    signed += 1;
                    FromSigner::Signature(key.sign(&message).unwrap())
                }
                _ => FromSigner::Refused,
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
        signed
    })
}

fn client(root: &CertificateDer<'static>, v12: bool) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let version = if v12 { &rustls::version::TLS12 } else { &rustls::version::TLS13 };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mail.localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

fn shake(server: &mut ServerConnection, client: &mut ClientConnection) -> Result<(), String> {
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut unread = wire.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets().map_err(|fault| fault.to_string())?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut unread = wire.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().map_err(|fault| fault.to_string())?;
        }
    }
    if client.is_handshaking() || server.is_handshaking() {
        return Err("not finished".to_owned());
    }
    Ok(())
}

#[test]
fn handshakes_are_signed_elsewhere() {
    let (leaf, key) = certificate();
    let (near, far) = Channel::pair().unwrap();
    let thread = signer(far, leaf.clone(), key, false);
    let config = server_config(&SignerLink::new(near), &[b"imap"]).unwrap();
    for v12 in [false, true, false] {
        let mut server = ServerConnection::new(config.clone()).unwrap();
        shake(&mut server, &mut client(&leaf, v12)).unwrap();
    }
    drop(config);
    assert_eq!(thread.join().unwrap(), 3);
}

#[test]
fn a_refusing_or_absent_signer_ends_the_handshake_and_a_new_one_mends_it() {
    let (leaf, key) = certificate();
    let (near, far) = Channel::pair().unwrap();
    let thread = signer(far, leaf.clone(), key, true);
    let link = SignerLink::new(near);
    let config = server_config(&link, &[]).unwrap();
    let mut server = ServerConnection::new(config.clone()).unwrap();
    assert!(shake(&mut server, &mut client(&leaf, false)).is_err());
    let (near, far) = Channel::pair().unwrap();
    drop(far);
    link.replace(near);
    thread.join().unwrap();
    let mut server = ServerConnection::new(config).unwrap();
    assert!(shake(&mut server, &mut client(&leaf, false)).is_err());
    let (leaf, key) = certificate();
    let (near, far) = Channel::pair().unwrap();
    let thread = signer(far, leaf.clone(), key, false);
    link.replace(near);
    let fresh = server_config(&link, &[]).unwrap();
    let mut server = ServerConnection::new(fresh.clone()).unwrap();
    shake(&mut server, &mut client(&leaf, false)).unwrap();
    drop((fresh, link, server));
    assert_eq!(thread.join().unwrap(), 1);
}

/// One process serves many connections: those after a change see it.
#[test]
fn a_renewed_certificate_serves_from_the_next_handshake_on() {
    let (near, far) = Channel::pair().unwrap();
    let config = server_config(&SignerLink::new(near), &[]).unwrap();
    let both = [certificate(), certificate()];
    let leaves = [both[0].0.clone(), both[1].0.clone()];
    let thread = thread::spawn(move || {
        let mut chains = 0;
        while let Ok(frame) = far.receive(None) {
            let answer = match frame.read::<ToSigner>().unwrap() {
                ToSigner::Chain { .. } => {
                    let number = chains;
                    chains += 1;
                    FromSigner::Chain {
                        certificates: vec![both[number].0.to_vec()],
                        schemes: vec![0x0403],
                        key: [number as u8; 16],
                    }
                }
                ToSigner::Sign { message, key, .. } => {
                    FromSigner::Signature(both[usize::from(key[0])].1.sign(&message).unwrap())
                }
                _ => FromSigner::Refused,
            };
            far.send(frame.call, &answer, &[]).unwrap();
        }
    });
    for leaf in &leaves {
        let mut server = ServerConnection::new(config.clone()).unwrap();
        shake(&mut server, &mut client(leaf, false)).unwrap();
    }
    drop(config);
    thread.join().unwrap();
}

/// What is no certificate is left out; without any nobody is believed.
#[test]
fn authorities_are_read_from_pem() {
    let (certificate, _) = certificate();
    let pem = |octets: &[u8]| {
        let text = data_encoding::BASE64.encode(octets);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    let good = pem(&certificate);
    let check = |text: &str, count: usize| {
        let authorities = Authorities::read(text);
        assert_eq!(authorities.len(), count, "{text}");
        assert_eq!(authorities.verifier().is_some(), count > 0);
    };
    check("", 0);
    check("no certificate at all", 0);
    check(&good, 1);
    check(&format!("# a word\n{}\n{good}", pem(b"nonsense")), 1);
    assert!(Authorities::only(b"nonsense").is_none());
    assert_eq!(Authorities::only(&certificate).unwrap().len(), 1);
}
