//! A signer with keys for one domain, and whoever reads what it signed.

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::Ed25519KeyPair;
use mailauth::arc::seal::Set;
use mailauth::sign::{BodyDigest, SigningAs, Unsigned};
use mailauth::{
    Answer, ArcResult, AuthResults, Envelope, Record, RecordKind, Resolver, SigningKey, check,
};
use std::sync::{Arc, OnceLock};
use std::thread;
use wire::Channel;
use wire::signer::{FromSigner, MailKey, ToSigner};

/// The domain that has keys.
pub const SIGNING: &str = "here.example";

pub struct MailKeys {
    rsa: RsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl MailKeys {
    /// The same ones every time: making them takes a while.
    pub fn new() -> Arc<Self> {
        static MADE: OnceLock<Arc<MailKeys>> = OnceLock::new();
        let make = || {
            let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
            Arc::new(Self { rsa, ed25519 })
        };
        MADE.get_or_init(make).clone()
    }

    fn key(&self, selector: &str) -> SigningKey<'_> {
        match selector {
            "one" => SigningKey::Rsa(&self.rsa),
            "two" => SigningKey::Ed25519(&self.ed25519),
            _ => panic!("no such key"),
        }
    }

    /// Somebody else's set on this message's chain, with the same keys.
    pub fn set_of(&self, domain: &str, state: ArcResult, results: &str, message: &str) -> String {
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        let header = format!("{header}\r\n");
        let by = SigningAs { domain, selector: "one", algorithm: "rsa-sha256", now: NOW };
        let finish = |unsigned: Unsigned| {
            unsigned.finish(&self.key("one").sign(unsigned.canonical()).unwrap())
        };
        let set = Set::begin(header.as_bytes(), state, results).unwrap();
        let digest = BodyDigest::of(body.as_bytes());
        let signature = finish(set.message_signature(header.as_bytes(), &digest, &by));
        let seal = finish(set.seal(header.as_bytes(), &signature, &by));
        set.fields(&signature, &seal)
    }

    /// What the next server finds.
    pub fn read(&self, message: &str) -> AuthResults {
        let envelope = Envelope {
            client_ip: "192.0.2.1".parse().unwrap(),
            helo: "mx.here.example",
            mail_from: "",
            our_name: "mx.there.example",
            now: compartment::now_ms() / 1000,
        };
        check(&envelope, message.as_bytes(), &mut Zone(self))
    }
}

const NOW: u64 = 1_790_000_000;

/// The keys in the DNS, of every domain that is asked for.
struct Zone<'k>(&'k MailKeys);

impl Resolver for Zone<'_> {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        match name.split_once("._domainkey.") {
            Some((selector, _)) if kind == RecordKind::Text => {
                let text = self.0.key(selector).record().unwrap();
                Answer::Records(vec![Record::Text(text.into_bytes())])
            }
            _ => Answer::NoSuchName,
        }
    }
}

pub fn play_signer(channel: Channel, keys: Arc<MailKeys>) {
    let named = |selector: &str, algorithm: &str| MailKey {
        selector: selector.to_owned(),
        algorithm: algorithm.to_owned(),
    };
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<ToSigner>().unwrap() {
                ToSigner::MailKeys { domain } if domain == SIGNING => FromSigner::MailKeys(vec![
                    named("one", "rsa-sha256"),
                    named("two", "ed25519-sha256"),
                ]),
                ToSigner::MailKeys { domain } if domain != "away.example" => {
                    FromSigner::MailKeys(Vec::new())
                }
                ToSigner::SignMail { domain, selector, canonical } if domain == SIGNING => {
                    FromSigner::Signature(keys.key(&selector).sign(&canonical).unwrap())
                }
                _ => FromSigner::Refused,
            };
            if channel.send(frame.call, &answer, &[]).is_err() {
                return;
            }
        }
    });
}
