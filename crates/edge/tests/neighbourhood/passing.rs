//! Addresses whose mail goes on, their tenants' transit pairs, and a queue that opens what it gets.

use super::{Seen, public_key};
use open::{Place, open_content};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use terms::{TenantId, UserId};
use unseal::{Class, Pair, RootKey, Suite, WrapContext, Wrapped};
use wire::Channel;
use wire::directory::{self, Absence, Onward, Path, Recipient};
use wire::mailbox::SealedPart;
use wire::post::{Envelope, FromSender, Hop, HopTls, Outgoing, ToSender};

/// A message as the queue got it, opened.
#[derive(Clone)]
pub struct Letter {
    pub outgoing: Outgoing,
    pub envelopes: Vec<Envelope>,
    pub text: Vec<u8>,
}

/// One pair for each tenant.
#[derive(Clone)]
pub struct Transit(Arc<HashMap<TenantId, Pair>>);

impl Transit {
    pub fn new() -> Self {
        let pair = |number: u8| {
            let tenant = TenantId([number; 8]);
            let root = RootKey::from_credential(&[7; 32]).unwrap();
            let (key, _) = root.make_tenant(tenant, 1).unwrap();
            let (public, stored) = key.make_transit(Suite::P256, 20_786).unwrap();
            (tenant, key.open_transit(&public, &stored).unwrap())
        };
        Self(Arc::new((1..=4).map(pair).collect()))
    }

    pub fn public(&self, tenant: TenantId) -> directory::PublicKey {
        let key = self.0[&tenant].public();
        directory::PublicKey {
            suite: key.suite().byte(),
            epoch: key.epoch(),
            bytes: key.point().to_vec(),
        }
    }

    fn open(
        &self,
        outgoing: &Outgoing,
        class: Class,
        part: &SealedPart,
        held: &[std::os::fd::OwnedFd],
    ) -> Vec<u8> {
        let (tenant, user, message) = (outgoing.tenant, outgoing.user, outgoing.message);
        let context = WrapContext { tenant, user, message, class };
        let wrapped = Wrapped::parse(&part.wrapped).unwrap();
        let key = self.0[&tenant].open(&wrapped, &context).unwrap();
        let sealed = part.content.clone().open(held).unwrap();
        open_content(&key, &Place { tenant, message, class }, &sealed).unwrap()
    }
}

/// Where mail for an address goes, and who is away there.
pub struct Beyond {
    pub tenant: u8,
    pub people: Vec<Recipient>,
    pub onward: Vec<Onward>,
    pub absence: Option<Absence>,
}

fn on(user: u8, to: &str, path: Path) -> Onward {
    let domain = to.rsplit_once('@').unwrap().1.to_owned();
    let hop = match path {
        Path::AsItCame => {
            Hop::Host { name: "inner.gateway.example".to_owned(), port: 25, tls: HopTls::IfOffered }
        }
        Path::List | Path::Word => Hop::List,
        Path::Rewritten | Path::Null => Hop::Domain(domain),
        Path::Report => Hop::Here,
    };
    Onward { user: UserId([user; 8]), to: to.to_owned(), hop, path }
}

fn person(number: u8) -> Recipient {
    Recipient { user: UserId([number; 8]), body: public_key(2026), summary: public_key(24_323) }
}

/// What the played directory knows of addresses whose mail goes on or is answered.
pub fn beyond(address: &str) -> Option<Beyond> {
    use Path::{AsItCame, List, Null, Report, Rewritten, Word};
    let elsewhere = "elsewhere.example";
    let (tenant, people, onward) = match address {
        "kept.on@example.jp" => (1, vec![1], vec![on(1, "aoi@elsewhere.example", Rewritten)]),
        "only.on@example.jp" => (1, vec![], vec![on(6, "only@elsewhere.example", Rewritten)]),
        "group@example.jp" => {
            let to = ["one@elsewhere.example", "two@elsewhere.example", "three@third.example"];
            (1, vec![1, 2], to.iter().map(|to| on(7, to, Rewritten)).collect())
        }
        "crowd@example.jp" => {
            let to = (0..250).map(|n| on(7, &format!("p{n}@{elsewhere}"), Rewritten));
            (1, vec![1], to.collect())
        }
        "srs@example.jp" => (1, vec![], vec![on(1, "carol@shop.example", Null)]),
        "far@other.example" => (2, vec![3], vec![on(3, "far@elsewhere.example", Rewritten)]),
        "away@away.example" | "gone@away.example" => (4, vec![8], vec![]),
        "list@example.jp" => (1, vec![], vec![on(0, address, List)]),
        "tls-reports@example.jp" => (1, vec![], vec![on(0, address, Report)]),
        address if wire::lists::word(address).is_some() => (1, vec![], vec![on(0, address, Word)]),
        address if address.ends_with("@gateway.example") => {
            (3, vec![], vec![on(0, address, AsItCame)])
        }
        _ => return None,
    };
    let absence = (tenant == 4).then(|| Absence {
        user: UserId([8; 8]),
        subject: "不在です".to_owned(),
        text: "月曜日に戻ります。\nBack on Monday.".to_owned(),
    });
    Some(Beyond { tenant, people: people.into_iter().map(person).collect(), onward, absence })
}

pub fn play_post(
    channel: Channel,
    seen: Arc<Mutex<Seen>>,
    transit: Transit,
    queued: fn(usize) -> ToSender,
) {
    thread::spawn(move || {
        let mut count = 0;
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<FromSender>().unwrap() {
                FromSender::May { .. } => ToSender::May(None),
                FromSender::Room { .. } => ToSender::Room(u32::MAX),
                FromSender::Queue(outgoing) => {
                    count += 1;
                    let open = |class, part: &SealedPart| {
                        transit.open(&outgoing, class, part, &frame.descriptors)
                    };
                    let envelope = |leg: &wire::post::Leg| {
                        let plain = open(Class::Summary, &leg.envelope);
                        let envelope: Envelope = postcard::from_bytes(&plain).unwrap();
                        assert_eq!(envelope.recipients.len(), usize::from(leg.recipients));
                        assert_eq!(leg.route.0, route(&envelope.hop.word()));
                        envelope
                    };
                    let envelopes = outgoing.legs.iter().map(envelope).collect();
                    let text = open(Class::Body, &outgoing.body);
                    assert_eq!(text.len() as u64, outgoing.size);
                    let answer = queued(count);
                    if answer == ToSender::Queued {
                        let outgoing = *outgoing;
                        let letter = Letter { outgoing, envelopes, text };
                        seen.lock().unwrap().letters.push(letter);
                    }
                    answer
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

/// The played directory's route token.
pub fn route(word: &str) -> [u8; 16] {
    let mut token = [0; 16];
    word.bytes().enumerate().for_each(|(at, octet)| token[at % 16] ^= octet.rotate_left(at as u32));
    token
}

/// The way outside that the directory says: by a smart host, or by MX.
pub fn way(to: &str) -> Hop {
    let (_, domain) = to.rsplit_once('@').unwrap();
    if domain.starts_with("smart") {
        let name = "relay.away.example".to_owned();
        return Hop::Host { name, port: 587, tls: HopTls::StartTls };
    }
    Hop::Domain(domain.to_owned())
}
