//! What is signed and what is not; a start, a restart; whole handshakes through the `tls` crate.

use super::*;
use crate::handshake::is_handshake;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use terms::{InstanceId, TenantId, UserId};
use wire::control::{Order, Report, Start};
use wire::ledger::{FromLedger, ToLedger};
use wire::signer::{FromSigner, ToSigner};
use wire::{Channel, Label, vault};

mod mail_cases;

const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn handshakes_are_told_from_everything_else() {
    let check = |message: &[u8], expected: bool| assert_eq!(is_handshake(message), expected);
    let tls13 = |hash: usize| {
        let text = b"TLS 1.3, server CertificateVerify\0";
        [&[b' '; 64][..], text, &vec![7; hash]].concat()
    };
    let tls12 = |curve: [u8; 2], point: Vec<u8>| {
        [&[9; 64][..], &[3], &curve, &[u8::try_from(point.len()).unwrap()], &point].concat()
    };
    check(&tls13(32), true);
    check(&tls13(48), true);
    check(&tls13(31), false);
    check(&tls13(64), false);
    check(&tls12([0, 0x1d], vec![1; 32]), true);
    check(&tls12([0, 0x17], [&[4][..], &[1; 64]].concat()), true);
    check(&tls12([0, 0x18], [&[4][..], &[1; 96]].concat()), true);
    check(&tls12([0, 0x17], vec![1; 65]), false);
    check(&tls12([0, 0x17], vec![1; 32]), false);
    check(&tls12([0, 0x19], vec![4; 65]), false);
    check(&[&tls12([0, 0x1d], vec![1; 32])[..], &[0]].concat(), false);
    let client = b"TLS 1.3, client CertificateVerify\0";
    check(&[&[b' '; 64][..], client, &[7; 32]].concat(), false);
    for length in 0..200 {
        check(&vec![b' '; length], false);
        check(&vec![3; length], false);
    }
}

#[test]
fn no_message_makes_the_reader_fall() {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let seed = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[7; 32]].concat();
    for _ in 0..20_000 {
        let mut bytes = seed.clone();
        let at = next() % bytes.len();
        match next() % 3 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, 3),
            // The transcript's hash may be any.
            _ => bytes[at] ^= 1,
        }
        let touched_hash = bytes.len() == seed.len() && bytes[..98] == seed[..98];
        assert_eq!(is_handshake(&bytes), touched_hash);
    }
}

struct Running {
    warden: Channel,
    thread: Option<JoinHandle<()>>,
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("signer-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Running {
    fn start(folder: &Path, demo: bool) -> Self {
        let (warden, own) = Channel::pair().unwrap();
        let store = Store::open(folder).unwrap();
        let thread = thread::spawn(move || {
            let mut hub = Hub::new().unwrap();
            let label = Label { instance: InstanceId::default(), kind: Kind::Warden, person: None };
            let control = hub.seat(own, label).unwrap();
            let host_name = "mx.example.jp".to_owned();
            let pages_url = "https://pages.example.jp:2543".to_owned();
            let start = Start { host_name, pages_url, demo, ..Start::default() };
            let author = Author::new(Kind::Signer, InstanceId([1; 6]), &[1; 32]);
            Signer::new(hub, control, store, author, start).serve().unwrap();
        });
        Self { warden, thread: Some(thread) }
    }

    fn join(&self, kind: Kind, number: u8) -> Channel {
        self.join_for(kind, number, None)
    }

    fn join_for(&self, kind: Kind, number: u8, person: Option<(TenantId, UserId)>) -> Channel {
        let (one, other) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([number; 6]), kind, person };
        self.warden.send(0, &Order::Join(label), &[other.into()]).unwrap();
        one
    }

    /// A vault that is away once, then gives the keys.
    fn with_vault(self, seed: Option<u8>) -> Self {
        let vault = self.join(Kind::Vault, 2);
        thread::spawn(move || {
            for away in [true, false] {
                let Ok(frame) = vault.receive(None) else { return };
                let _: vault::FromSigner = frame.read().unwrap();
                let answer = match away {
                    true => vault::ToSigner::EvidenceAway,
                    false => vault::ToSigner::Key {
                        storage: vec![5; 32],
                        demo_seed: seed.map(|seed| vec![seed; 32]),
                    },
                };
                vault.send(frame.call, &answer, &[]).unwrap();
            }
            let _ = vault.receive(None);
        });
        self
    }

    fn stop(mut self) {
        self.warden.send(0, &Order::Stop, &[]).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }

    fn alarms(&self) -> usize {
        let mut alarms = 0;
        while let Ok(frame) = self.warden.receive(Some(Duration::from_millis(50))) {
            alarms += usize::from(matches!(frame.read(), Ok(Report::Alarm { .. })));
        }
        alarms
    }
}

fn ask(channel: &mut Channel, question: ToSigner) -> FromSigner {
    channel.ask(&question, &[], LIMIT).unwrap().0
}

fn chain(channel: &mut Channel, name: Option<&str>) -> Option<Vec<Vec<u8>>> {
    match ask(channel, ToSigner::Chain { server_name: name.map(str::to_owned) }) {
        FromSigner::Chain { certificates, .. } => Some(certificates),
        _ => None,
    }
}

fn key_of(channel: &mut Channel, name: Option<&str>) -> [u8; 16] {
    match ask(channel, ToSigner::Chain { server_name: name.map(str::to_owned) }) {
        FromSigner::Chain { key, .. } => key,
        _ => [0; 16],
    }
}

fn authority(running: &Running) -> String {
    let mut admin = running.join(Kind::Admin, 3);
    match ask(&mut admin, ToSigner::Authority) {
        FromSigner::Authority(pem) => pem,
        _ => panic!(),
    }
}

fn shake(link: &tls::SignerLink, root: &[u8], name: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(tls::server_config(link, &[]).unwrap()).unwrap();
    for _ in 0..6 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets().map_err(|fault| fault.to_string())?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().map_err(|fault| fault.to_string())?;
        }
    }
    if client.is_handshaking() { Err("unfinished".to_owned()) } else { Ok(()) }
}

#[test]
fn clients_trust_the_house_s_own_authority() {
    let running = Running::start(&folder("trust"), true).with_vault(Some(9));
    let mut edge = running.join(Kind::Edge, 4);
    // Asked before the vault has answered: it waits, and is answered.
    let certificates = chain(&mut edge, None).unwrap();
    let root = certificates.last().unwrap().clone();
    let link = tls::SignerLink::new(edge);
    for name in ["mail.localhost", "localhost", "127.0.0.1", "mx.example.jp"] {
        shake(&link, &root, name).unwrap();
    }
    assert!(shake(&link, &root, "other.example.jp").is_err());
    assert!(authority(&running).starts_with("-----BEGIN CERTIFICATE-----\nMII"));
    assert_eq!(running.alarms(), 0);
    running.stop();
}

#[test]
fn a_restart_changes_nothing_and_a_new_folder_keeps_the_authority_s_key() {
    let folder_one = folder("again");
    let run = |folder: &Path, demo, seed| {
        let running = Running::start(folder, demo).with_vault(seed);
        let mut access = running.join(Kind::Access, 4);
        let found = (chain(&mut access, Some("mx.example.jp")).unwrap(), authority(&running));
        running.stop();
        found
    };
    let first = run(&folder_one, true, Some(9));
    assert!(run(&folder_one, true, Some(9)) == first);
    let (elsewhere, _) = run(&folder("elsewhere"), true, Some(9));
    let key = |certificate: &[u8]| {
        let at = certificate.windows(3).position(|window| window == [0, 4, 65]);
        at.map(|at| certificate[at..].to_vec())
    };
    assert_eq!(key(&elsewhere[1]), key(&first.0[1]));
    // Other names: another certificate of the same authority.
    let (other_names, pem) = run(&folder_one, false, Some(9));
    assert_ne!(other_names[0], first.0[0]);
    assert_eq!(pem, first.1);
    // Nothing on the disk is a key in clear.
    for file in ["mail", "authority"] {
        let bytes = std::fs::read(folder_one.join(file)).unwrap();
        let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let clear = bytes.windows(oid.len()).any(|window| window == oid);
        assert_eq!(clear, file == "authority");
    }
}

#[test]
fn only_handshakes_of_the_peer_s_own_names_are_signed_and_counted() {
    let running = Running::start(&folder("own"), true).with_vault(None);
    let ledger = running.join(Kind::Ledger, 6);
    let mut edge = running.join(Kind::Edge, 4);
    let message = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[7; 32]].concat();
    let mut check = |name: Option<&str>, scheme, message: &[u8], expected: bool| {
        let key = key_of(&mut edge, name);
        let (server_name, message) = (name.map(str::to_owned), message.to_vec());
        let answer = ask(&mut edge, ToSigner::Sign { server_name, scheme, message, key });
        assert_eq!(matches!(answer, FromSigner::Signature(_)), expected);
    };
    check(None, 0x0403, &message, true);
    check(Some("mx.example.jp"), 0x0403, &message, true);
    check(Some("login.example.jp"), 0x0403, &message, false);
    check(None, 0x0807, &message, false);
    check(None, 0x0403, &[7; 32], false);
    check(None, 0x0403, b"", false);
    assert!(chain(&mut edge, Some("Console.localhost")).is_none());
    assert!(matches!(ask(&mut edge, ToSigner::Authority), FromSigner::Refused));
    let mut admin = running.join(Kind::Admin, 7);
    assert!(chain(&mut admin, None).is_none());
    assert_eq!(running.alarms(), 4);
    // One entry for the instance, sent again until it is taken.
    for taken in [false, true] {
        let frame = ledger.receive(Some(LIMIT)).unwrap();
        let ToLedger::Append { entries, .. } = frame.read().unwrap() else { panic!() };
        assert_eq!(entries.len(), 1);
        let answer = if taken { FromLedger::Taken { first_index: 0 } } else { FromLedger::Away };
        ledger.send(frame.call, &answer, &[]).unwrap();
    }
    assert!(ledger.receive(Some(Duration::from_millis(300))).is_err());
    // Whoever has no business here is cut.
    let mailbox = running.join(Kind::Mailbox, 8);
    mailbox.send(1, &ToSigner::Chain { server_name: None }, &[]).unwrap();
    assert!(matches!(mailbox.receive(Some(LIMIT)), Err(wire::Fault::Gone | wire::Fault::Unread)));
    running.stop();
}

#[test]
fn public_pages_have_names_of_their_own_and_no_other_s() {
    let running = Running::start(&folder("pages"), true).with_vault(Some(9));
    let mut admin = running.join(Kind::Admin, 7);
    let (tenant, domain) = (TenantId([1; 8]), "kaede.example".to_owned());
    let made = ask(&mut admin, ToSigner::MakeMailKeys { tenant, domain });
    assert!(matches!(made, FromSigner::MailRecords(_)));
    let (mut pages, mut edge) = (running.join(Kind::Pages, 4), running.join(Kind::Edge, 5));
    let root = chain(&mut edge, None).unwrap().pop().unwrap();
    let own = chain(&mut pages, None).unwrap();
    assert_ne!(chain(&mut edge, None).unwrap()[0], own[0]);
    // A name of nobody's gets the default; one of another service nothing; nor do mail servers
    // get a page's.
    assert_eq!(chain(&mut pages, Some("mta-sts.ume.example")).unwrap()[0], own[0]);
    assert_eq!(chain(&mut pages, Some("mx.example.jp")).unwrap()[0], own[0]);
    for name in ["login.example.jp", "web.kaede.example"] {
        assert!(chain(&mut pages, Some(name)).is_none());
    }
    for name in ["mta-sts.kaede.example", "autoconfig.kaede.example"] {
        assert!(chain(&mut edge, Some(name)).is_none());
    }
    // No other question than those of a handshake.
    let message = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[7; 32]].concat();
    for (scheme, message, expected) in [(0x0403, message, true), (0x0403, vec![7; 32], false)] {
        let key = key_of(&mut pages, Some("mta-sts.kaede.example"));
        let server_name = Some("mta-sts.kaede.example".to_owned());
        let answer = ask(&mut pages, ToSigner::Sign { server_name, scheme, message, key });
        assert_eq!(matches!(answer, FromSigner::Signature(_)), expected);
    }
    let keys = ToSigner::MailKeys { domain: "kaede.example".to_owned() };
    assert!(matches!(ask(&mut pages, keys), FromSigner::Refused));
    assert!(matches!(ask(&mut pages, ToSigner::Authority), FromSigner::Refused));
    let link = tls::SignerLink::new(pages);
    for name in ["pages.example.jp", "mta-sts.kaede.example", "kaede.example"] {
        shake(&link, &root, name).unwrap();
    }
    for name in ["mx.example.jp", "mta-sts.ume.example", "www.kaede.example"] {
        assert!(shake(&link, &root, name).is_err(), "{name}");
    }
    running.stop();
}

#[test]
fn a_certificate_that_is_brought_serves_the_names_that_it_has() {
    let folder = folder("brought");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let names = ["mta-sts.kaede.example", "www.kaede.example", "mta-sts.ume.example"];
    let mut params = rcgen::CertificateParams::new(names.map(str::to_owned)).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let leaf = params.self_signed(&key).unwrap().der().to_vec();
    let install = || ToSigner::Install { chain: vec![leaf.clone()], pkcs8: key.serialize_der() };
    let running = Running::start(&folder, false).with_vault(Some(9));
    let mut admin = running.join(Kind::Admin, 7);
    // Before the domain is ours, the names are not.
    assert!(matches!(ask(&mut admin, install()), FromSigner::NotInstalled { .. }));
    let (tenant, domain) = (TenantId([1; 8]), "kaede.example".to_owned());
    ask(&mut admin, ToSigner::MakeMailKeys { tenant, domain });
    let mut pages = running.join(Kind::Pages, 4);
    let issued = chain(&mut pages, Some("mta-sts.kaede.example")).unwrap();
    assert_ne!(issued[0], leaf);
    let unproven = |admin: &mut _| {
        let asked = ["mx.example.jp", "MTA-STS.kaede.example", "autoconfig.kaede.example"];
        let names = asked.map(str::to_owned).to_vec();
        let FromSigner::Unproven(names) = ask(admin, ToSigner::Unproven { names }) else {
            panic!()
        };
        names.join(" ")
    };
    let all = "mx.example.jp MTA-STS.kaede.example autoconfig.kaede.example";
    assert_eq!(unproven(&mut admin), all);
    let FromSigner::Installed { names, .. } = ask(&mut admin, install()) else { panic!() };
    assert_eq!(names, ["mta-sts.kaede.example"]);
    assert_eq!(unproven(&mut admin), "mx.example.jp autoconfig.kaede.example");
    let of_pages = ToSigner::Unproven { names: Vec::new() };
    assert!(matches!(ask(&mut pages, of_pages), FromSigner::Refused));
    assert_eq!(chain(&mut pages, Some("MTA-STS.kaede.example")).unwrap(), [leaf.clone()]);
    let other = chain(&mut pages, Some("autoconfig.kaede.example")).unwrap();
    assert_ne!(other[0], leaf);
    running.stop();
    let running = Running::start(&folder, false).with_vault(Some(9));
    let mut pages = running.join(Kind::Pages, 4);
    assert_eq!(chain(&mut pages, Some("mta-sts.kaede.example")).unwrap(), [leaf]);
    running.stop();
}

/// As OpenSSL has written keys for long (SEC 1, RFC 5915), and as it does now.
#[test]
fn a_key_is_brought_in_either_form_and_no_other() {
    use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    let running = Running::start(&folder("sec1"), false).with_vault(Some(9));
    let mut admin = running.join(Kind::Admin, 7);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pkcs8 = key.serialize_der();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
    let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["mx.example.jp".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let leaf = params.self_signed(&key).unwrap().der().to_vec();
    for private in [sec1.as_ref().to_vec(), pkcs8] {
        let install = ToSigner::Install { chain: vec![leaf.clone()], pkcs8: private };
        assert!(matches!(ask(&mut admin, install), FromSigner::Installed { .. }));
    }
    let install = ToSigner::Install { chain: vec![leaf], pkcs8: vec![0x30, 0] };
    let FromSigner::NotInstalled { expected, .. } = ask(&mut admin, install) else { panic!() };
    assert_eq!(expected, "an ECDSA key on P-256");
    running.stop();
}

#[test]
fn certificates_of_both_groups_are_taken_away_one_after_the_other() {
    let running = Running::start(&folder("taken-away"), false).with_vault(Some(9));
    let mut admin = running.join(Kind::Admin, 7);
    let mut pages = running.join(Kind::Pages, 4);
    let own = chain(&mut pages, None).unwrap();
    for name in ["mx.example.jp", "pages.example.jp"] {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        let chain = vec![params.self_signed(&key).unwrap().der().to_vec()];
        let installed = ask(&mut admin, ToSigner::Install { chain, pkcs8: key.serialize_der() });
        assert!(matches!(installed, FromSigner::Installed { .. }));
    }
    assert_ne!(chain(&mut pages, None).unwrap(), own);
    for name in ["mx.example.jp", "pages.example.jp", "mx.example.jp"] {
        let away = ToSigner::Install { chain: Vec::new(), pkcs8: Vec::new() };
        let FromSigner::Installed { names, .. } = ask(&mut admin, away) else { panic!() };
        assert_eq!(names, [name]);
    }
    assert_eq!(chain(&mut pages, None).unwrap(), own);
    running.stop();
}

/// New keys serve at once and after a start; what was brought stays, and is said so.
#[test]
fn keys_of_our_own_are_renewed_and_stay_so() {
    let folder = folder("renewed");
    let running = Running::start(&folder, false).with_vault(Some(9));
    let (mut admin, mut edge) = (running.join(Kind::Admin, 7), running.join(Kind::Edge, 5));
    let first = chain(&mut edge, None).unwrap();
    assert!(matches!(ask(&mut edge, ToSigner::Renew), FromSigner::Refused));
    let FromSigner::Renewed { names, others } = ask(&mut admin, ToSigner::Renew) else { panic!() };
    assert!(names.contains(&"mx.example.jp".to_owned()) && others.is_empty(), "{names:?}");
    let second = chain(&mut edge, None).unwrap();
    assert_ne!(first[0], second[0]);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["mx.example.jp".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let brought = vec![params.self_signed(&key).unwrap().der().to_vec()];
    let install = ToSigner::Install { chain: brought.clone(), pkcs8: key.serialize_der() };
    assert!(matches!(ask(&mut admin, install), FromSigner::Installed { .. }));
    let FromSigner::Renewed { names, others } = ask(&mut admin, ToSigner::Renew) else { panic!() };
    assert!(others.contains(&"mx.example.jp".to_owned()) && !names.contains(&others[0]));
    assert_eq!(chain(&mut edge, None).unwrap(), brought);
    // Without it, the renewed one serves again, and no older one.
    let remove = ToSigner::Install { chain: Vec::new(), pkcs8: Vec::new() };
    assert!(matches!(ask(&mut admin, remove), FromSigner::Installed { .. }));
    assert_eq!(chain(&mut edge, None).unwrap(), second);
    running.stop();
    let running = Running::start(&folder, false).with_vault(Some(9));
    let mut edge = running.join(Kind::Edge, 5);
    assert_eq!(chain(&mut edge, None).unwrap(), second);
    running.stop();
}

/// What an operator brought for names of public pages counts like our own keys: a new one, with
/// another key, is recorded with the time since when all are new.
#[test]
fn keys_that_were_brought_are_renewed_by_others() {
    let running = Running::start(&folder("ages"), false).with_vault(Some(9));
    let ledger = running.join(Kind::Ledger, 3);
    let mut admin = running.join(Kind::Admin, 7);
    let (tenant, domain) = (TenantId([1; 8]), "kaede.example".to_owned());
    ask(&mut admin, ToSigner::MakeMailKeys { tenant, domain });
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        (vec![params.self_signed(&key).unwrap().der().to_vec()], key.serialize_der())
    };
    // Since when all keys of the pages are new, as the entries of one act say it.
    let mut done = |asked: ToSigner| {
        let answer = ask(&mut admin, asked);
        assert!(matches!(answer, FromSigner::Installed { .. } | FromSigner::Renewed { .. }));
        let mut since = None;
        while let Ok(frame) = ledger.receive(Some(Duration::from_millis(300))) {
            let ToLedger::Append { entries, .. } = frame.read().unwrap() else { continue };
            for entry in &entries {
                let entry = evidence::Frame::parse(entry).unwrap().entry;
                if let evidence::Body::KeyRotate { what, epoch, .. } = entry.body
                    && what.as_str() == "tls-key pages"
                {
                    since = Some(epoch);
                }
            }
            ledger.send(frame.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
        }
        since
    };
    let install = |(chain, pkcs8): &(Vec<Vec<u8>>, Vec<u8>)| ToSigner::Install {
        chain: chain.clone(),
        pkcs8: pkcs8.clone(),
    };
    let (first, second) = (made("mta-sts.kaede.example"), made("mta-sts.kaede.example"));
    assert_eq!(done(install(&first)), None, "our own key is as old as ever");
    let renewed = done(ToSigner::Renew).unwrap();
    let now = compartment::now_ms();
    assert!(renewed > 0 && renewed <= now, "the brought one is the older of the two");
    let again = done(ToSigner::Renew).unwrap();
    assert_eq!(again, renewed, "and stays it");
    let replaced = done(install(&second)).unwrap();
    assert!(replaced > renewed, "{replaced} {renewed}");
    // The old one again is no renewal, and what is told is no newer than it.
    assert_eq!(done(install(&first)), Some(renewed));
    running.stop();
}

/// Whoever took the chain before it was replaced gets the signature that fits it.
#[test]
fn a_handshake_is_signed_with_the_key_of_its_own_chain() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
    let running = Running::start(&folder("replaced"), false).with_vault(Some(9));
    let (mut admin, mut edge) = (running.join(Kind::Admin, 7), running.join(Kind::Edge, 5));
    let message = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[7; 32]].concat();
    let mut taken = Vec::new();
    for _ in 0..2 {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["mx.example.jp".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        let chain = vec![params.self_signed(&key).unwrap().der().to_vec()];
        let installed = ask(&mut admin, ToSigner::Install { chain, pkcs8: key.serialize_der() });
        assert!(matches!(installed, FromSigner::Installed { .. }));
        taken.push((key, key_of(&mut edge, None)));
    }
    assert_ne!(taken[0].1, taken[1].1);
    let mut sign = |key: [u8; 16]| {
        let (server_name, message) = (None, message.clone());
        ask(&mut edge, ToSigner::Sign { server_name, scheme: 0x0403, message, key })
    };
    for (key, number) in &taken {
        let FromSigner::Signature(signature) = sign(*number) else { panic!() };
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key_raw());
        public.verify(&message, &signature).unwrap();
    }
    // A key that there is not signs nothing, and it is no attack to have been away for long.
    assert!(matches!(sign([9; 16]), FromSigner::Refused));
    assert_eq!(running.alarms(), 0);
    running.stop();
}

#[test]
fn without_a_vault_handshakes_are_refused_in_time() {
    let running = Running::start(&folder("locked"), true);
    let mut edge = running.join(Kind::Edge, 4);
    let asked = Instant::now();
    assert!(chain(&mut edge, None).is_none());
    assert!(asked.elapsed() < Duration::from_millis(2_500));
    running.stop();
}
