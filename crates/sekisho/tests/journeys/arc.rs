//! Mail that a list has changed the envelope of: DMARC fails, and a sealer whom the tenant trusts
//! vouches for what it was before (RFC 8617). From the connection to the mailbox.

use super::house::{command, folder, free_ports, within};
use super::install::Service;
use super::post::{Reply, Sender};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use data_encoding::BASE64;
use mailauth::SigningKey;
use std::net::UdpSocket;
use std::process::Stdio;
use std::time::Duration;
use zone::{RecordWord, Zones};

const LIMIT: Duration = Duration::from_secs(60);
const TO: &str = "kei@kaede.example";
const ID: &str = "<minutes@author.example>";
const BODY: &str = "The minutes are attached.\r\n";

/// An author's domain that asks for everything else to be refused; a list, and its key.
fn zones(key: &KeyPair) -> Zones {
    let key = SigningKey::Rsa(key).record().unwrap();
    [
        ("author.example", "v=spf1 -all"),
        ("_dmarc.author.example", "v=DMARC1; p=reject"),
        ("lists.example", "v=spf1 ip4:127.0.0.1 -all"),
        ("seal._domainkey.lists.example", &key),
    ]
    .into_iter()
    .fold(Zones::default(), |zones, (name, text)| zones.with(name, RecordWord::Txt, text).unwrap())
}

/// A letter as a list hands it on: sealed by the list, which had found it good (RFC 8617 §5.1).
/// Every field is written as relaxed canonicalisation would write it, but for its name.
fn sealed(key: &KeyPair) -> Vec<u8> {
    let fields = [
        ("From", "Ken <ken@author.example>"),
        ("To", "minutes@lists.example"),
        ("Subject", "[minutes] of today"),
        ("Date", "Sun, 29 Nov 2026 09:00:00 +0900"),
        ("Message-ID", ID),
    ];
    let relaxed = |name: &str, value: &str| format!("{}:{value}", name.to_lowercase());
    let sign = |input: &str| {
        let mut signature = vec![0; key.public_modulus_len()];
        let random = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).unwrap();
        BASE64.encode(&signature)
    };
    let results = "i=1; lists.example; spf=pass smtp.mailfrom=ken@author.example; \
                   dmarc=pass header.from=author.example";
    let body = BASE64.encode(digest(&SHA256, BODY.as_bytes()).as_ref());
    let who = "a=rsa-sha256; d=lists.example; s=seal; t=1795317504";
    let message =
        format!("i=1; {who}; c=relaxed/relaxed; h=from:to:subject:date:message-id; bh={body}; b=");
    let lines: Vec<String> = fields.iter().map(|(name, value)| relaxed(name, value)).collect();
    let own = relaxed("ARC-Message-Signature", &message);
    let message = format!("{message}{}", sign(&format!("{}\r\n{own}", lines.join("\r\n"))));
    let seal = format!("i=1; {who}; cv=none; b=");
    let covered = [
        relaxed("ARC-Authentication-Results", results),
        relaxed("ARC-Message-Signature", &message),
        relaxed("ARC-Seal", &seal),
    ];
    let seal = format!("{seal}{}", sign(&covered.join("\r\n")));
    let of_list = [
        ("ARC-Seal", seal.as_str()),
        ("ARC-Message-Signature", &message),
        ("ARC-Authentication-Results", results),
    ];
    let all = of_list.iter().chain(&fields).map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("{}\r\n{BODY}", all.collect::<String>()).into_bytes()
}

/// A name server with these zones, for the rest of this process's life.
fn serve(port: u16, zones: Zones) {
    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1_500];
        while let Ok((count, from)) = socket.recv_from(&mut packet) {
            if let Some(reply) = zone::answer(&packet[..count], &zones, true) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
}

/// The list hands it on, from its own address.
fn hand_on(service: &Service, message: &[u8]) -> Reply {
    let mut sender = Sender::greeted(&format!("127.0.0.1:{}", service.ports + 25));
    sender.letter("bounces@lists.example", &[TO], message).unwrap()
}

/// An edge remembers what it was told of a recipient for a moment, and counts who comes often.
fn until(service: &Service, message: &[u8], code: u16) {
    within(LIMIT, "the new setting counts", || {
        std::thread::sleep(Duration::from_secs(3));
        hand_on(service, message).code == code
    });
}

#[test]
fn a_trusted_sealer_speaks_for_what_a_list_has_broken() {
    let home = folder("arc");
    let kept = home.join("unseal");
    let data = home.join("data");
    let words = ["init", "--data", data.to_str().unwrap(), "--unseal", kept.to_str().unwrap()];
    assert_eq!(command(&words).1, 0);
    let ports = free_ports();
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let message = sealed(&key);
    serve(ports + 53, zones(&key));
    let unseal = format!("file = {kept:?}");
    let service = Service::start_with(&home, "data", ports, &unseal, &[], Stdio::null());
    service.ask(&["tenant", "add", "Kaede"]);
    service.ask(&["domain", "add", "kaede.example", "--tenant", "Kaede"]);
    service.ask(&["user", "add", TO, "--tenant", "Kaede"]);
    let added = service.ask(&["app-password", "add", TO, "--protocol", "imap"]);
    let secret = added["secret"].as_str().unwrap().to_owned();
    let authority = home.join("ca.pem");
    std::fs::write(&authority, service.ask(&["authority"])["ca"].as_str().unwrap()).unwrap();

    // A chain that passes says only who sealed it: the author's wish stands.
    let reply = hand_on(&service, &message);
    assert_eq!(reply.code, 550, "{reply:?}");
    assert!(service.inbox(&authority, &secret).is_empty());
    // Now its word counts.
    let trust = |how: &str| service.ask(&["tenant", "set", "Kaede", how, "lists.example"]);
    trust("--trust-sealer");
    until(&service, &message, 250);
    let inbox = service.inbox(&authority, &secret);
    let text = String::from_utf8_lossy(&inbox[0]).into_owned();
    assert!(text.contains("dmarc=fail") && text.contains("arc=pass"), "{text}");
    assert!(text.contains("auth.arc.trusted"), "{text}");
    // It speaks for what it sealed, and for not one octet else.
    let changed = String::from_utf8_lossy(&message).replace("minutes are", "minutes were");
    let reply = hand_on(&service, changed.as_bytes());
    assert_eq!(reply.code, 550, "{reply:?}");
    trust("--distrust-sealer");
    until(&service, &message, 550);
    let is_changed = |kept: &Vec<u8>| String::from_utf8_lossy(kept).contains("minutes were");
    assert!(!service.inbox(&authority, &secret).iter().any(is_changed));
}
