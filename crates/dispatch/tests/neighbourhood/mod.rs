//! Everybody around a dispatch, played: warden, access, directory, scanner, signer, post, mailbox.

// Two tests play it, neither needs all of it.
#![allow(dead_code)]

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealed::{Class, MessageKey, Place, Secret, WrapContext, Wrapped, schedule};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use terms::{Finding, InstanceId, Kind, TenantId, UserId};
use wire::control::{Order, Report, Start};
use wire::directory::{
    self, FromDispatch, PublicKey, SENDING_DOMAIN, STATEMENT_DOMAIN, Sending, SendingSettings,
    Stated, Statement, TenantSettings, ToDispatch,
};
use wire::dispatch::{FromAccess, Submission, ToAccess};
use wire::mailbox::{self, Journey, SealedPart};
use wire::post::{Envelope, FromSender, Outgoing, Receiver, ToSender};
use wire::scanner::{Examined, FromScanner, ToScanner};
use wire::signer::{FromSigner, MailKey, ToSigner};
use wire::{Channel, INLINE_BYTES, Label, Parcel};

pub const LIMIT: Duration = Duration::from_secs(20);
pub const TENANT: TenantId = TenantId([3; 8]);
pub const USER: UserId = UserId([4; 8]);

/// What the played post says to `May` and `Queue`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Post {
    Takes,
    /// Says with each answer that as much again may come.
    LooksAhead,
    Waits(u32),
    Doubts,
    /// A limit was reached, and this person presses on.
    Presses,
    IsFull,
    IsCrowded,
    /// Leaves with the first message before it has answered; its successor takes it.
    DiesOnce,
    IsAway,
}

pub struct Plan {
    pub findings: Vec<Finding>,
    pub scanner_dies: usize,
    pub settings: SendingSettings,
    pub post: Post,
    pub has_keys: bool,
    pub wrong_signature: bool,
    pub mailbox: bool,
    /// Who sends.
    pub user: UserId,
    /// How long the person, and the client's network, have been seen; milliseconds.
    pub seen_for: (u64, u64),
    /// The same of countries: how long any, and this client's; with a registry's list.
    pub country_seen_for: (u64, u64),
    pub countries: &'static str,
    /// What hears the calls that the jail refuses.
    pub ear: fn(OwnedFd, Arc<Mutex<Seen>>),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            scanner_dies: 0,
            settings: SendingSettings::default(),
            post: Post::Takes,
            has_keys: true,
            wrong_signature: false,
            mailbox: true,
            user: USER,
            seen_for: (u64::MAX, u64::MAX),
            country_seen_for: (u64::MAX, u64::MAX),
            countries: "",
            ear: |_, _| {},
        }
    }
}

#[derive(Default)]
pub struct Seen {
    pub scanned: Vec<Vec<u8>>,
    pub queued: Vec<(Outgoing, Vec<u8>)>,
    pub journeys: Vec<Journey>,
    /// How many journeys stood in each frame.
    pub told: Vec<usize>,
    /// Questions about an address, and whether so many may be sent to.
    pub asked: Vec<String>,
    pub signed: Vec<Vec<u8>>,
    pub routed: Vec<String>,
    pub reports: Vec<String>,
    pub renewed: usize,
    /// Calls off charter.
    pub heard: walled::Heard,
}

pub struct Neighbourhood<T> {
    pub seen: Arc<Mutex<Seen>>,
    pub control: Arc<Channel>,
    access: Mutex<Channel>,
    transit: PrivateKey,
    /// What holds the dispatch itself.
    pub life: T,
}

/// One message as it left, opened.
pub struct Left {
    pub outgoing: Outgoing,
    pub envelopes: Vec<Envelope>,
    pub text: String,
}

fn label(kind: Kind, user: UserId) -> Label {
    Label { instance: InstanceId([9; 6]), kind, person: Some((TENANT, user)) }
}

fn join(control: &Channel, kind: Kind) -> Channel {
    join_for(control, kind, USER)
}

fn join_for(control: &Channel, kind: Kind, user: UserId) -> Channel {
    let (near, far) = Channel::pair().unwrap();
    control.send(0, &Order::Join(label(kind, user)), &[far.into()]).unwrap();
    near
}

impl<T> Neighbourhood<T> {
    /// `live` is given the dispatch's end of its control channel.
    pub fn around(plan: Plan, live: impl FnOnce(Channel) -> T) -> Self {
        let (control, theirs) = Channel::pair().unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let seed = if plan.wrong_signature { [8; 32] } else { [7; 32] };
        let known = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let start = Start {
            kind_word: "dispatch".to_owned(),
            host_name: "mx.example.jp".to_owned(),
            pages_url: "https://pages.example.jp".to_owned(),
            statement_key: Some(known.public_key().as_ref().try_into().unwrap()),
            has_countries: !plan.countries.is_empty(),
            ..Start::default()
        };
        let mut gifts = Vec::new();
        if start.has_countries {
            let mut table = countries::Table::default();
            table.read(plan.countries).unwrap();
            Parcel::pack(table.packed(), 0, &mut gifts).unwrap();
        }
        control.send(0, &Order::Begin(start), &gifts).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let transit = PrivateKey::generate(&ECDH_P256).unwrap();
        let public = transit.compute_public_key().unwrap().as_ref().to_vec();
        let public = PublicKey { suite: 1, epoch: 20_787, bytes: public };
        let access = Mutex::new(join_for(&control, Kind::Access, plan.user));
        play_directory(
            join(&control, Kind::Directory),
            seen.clone(),
            pair,
            public,
            (plan.user, plan.settings, plan.seen_for, plan.country_seen_for),
        );
        play_signer(join(&control, Kind::Signer), seen.clone(), plan.has_keys);
        let control = Arc::new(control);
        if plan.post != Post::IsAway {
            play_post(control.clone(), seen.clone(), plan.post);
        }
        if plan.mailbox {
            play_mailbox(join(&control, Kind::Mailbox), seen.clone());
        }
        let (findings, dies) = (plan.findings, plan.scanner_dies);
        let scanner = join(&control, Kind::Scanner);
        play_scanner(scanner, seen.clone(), findings.clone(), dies > 0);
        play_warden(control.clone(), seen.clone(), (findings, dies), plan.ear);
        let life = live(theirs);
        Self { seen, control, access, transit, life }
    }

    /// The access ends, and with it the dispatch.
    pub fn leave(self) -> (Arc<Mutex<Seen>>, Arc<Channel>, T) {
        (self.seen, self.control, self.life)
    }

    pub fn ask(&self, question: &FromAccess, held: &[OwnedFd]) -> ToAccess {
        self.access.lock().unwrap().ask(question, held, LIMIT).unwrap().0
    }

    /// The three questions before a text, then the text.
    pub fn hand_in(&self, from: &str, to: &[&str], text: &str) -> ToAccess {
        self.hand_in_with(from, to, text, |_| {})
    }

    pub fn hand_in_with(
        &self,
        from: &str,
        to: &[&str],
        text: &str,
        more: impl FnOnce(&mut Submission),
    ) -> ToAccess {
        let mut held = Vec::new();
        let octets = text.as_bytes().to_vec();
        let receiver =
            |to: &&str| Receiver { address: (*to).to_owned(), notify: None, original: None };
        let mut submission = Submission {
            client_ip: "203.0.113.77".parse().unwrap(),
            helo: "private-laptop.example".to_owned(),
            protocol: "ESMTPSA".to_owned(),
            tls: Some("TLSv1_3 TLS13_AES_256_GCM_SHA384".to_owned()),
            from: from.to_owned(),
            recipients: to.iter().map(receiver).collect(),
            returns_all: None,
            envelope_id: None,
            require_tls: false,
            smtputf8: false,
            text: Parcel::pack(octets, INLINE_BYTES, &mut held).unwrap(),
        };
        more(&mut submission);
        let answer = self.ask(&FromAccess::Submit(Box::new(submission)), &held);
        // One question after the other: what is done behind an answer has been done by now.
        self.ask(&FromAccess::To("x@far.example".to_owned()), &[]);
        answer
    }

    /// What was told of so many messages: it comes behind their answers, and late.
    pub fn journeys(&self, many: usize) -> Vec<Journey> {
        let until = Instant::now() + LIMIT;
        loop {
            let journeys = self.seen.lock().unwrap().journeys.clone();
            if journeys.len() >= many {
                assert_eq!(journeys.len(), many);
                return journeys;
            }
            assert!(Instant::now() < until, "{} of {many} journeys", journeys.len());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything that was queued, opened as depart will.
    pub fn left(&self) -> Vec<Left> {
        let seen = self.seen.lock().unwrap();
        seen.queued.iter().map(|(outgoing, body)| self.open(outgoing, body)).collect()
    }

    fn open(&self, outgoing: &Outgoing, body: &[u8]) -> Left {
        let opened = |part: &SealedPart, class, content: &[u8]| {
            let place = Place { tenant: TENANT, message: outgoing.message, class };
            let (user, message) = (outgoing.user, outgoing.message);
            let context = WrapContext { tenant: TENANT, user, message, class };
            open::open_content(&self.unwrap(&part.wrapped, &context), &place, content).unwrap()
        };
        let envelopes = outgoing.legs.iter().map(|leg| {
            let Parcel::Inline(content) = &leg.envelope.content else { panic!() };
            let plain = opened(&leg.envelope, Class::Summary, content);
            postcard::from_bytes(&plain).unwrap()
        });
        let envelopes = envelopes.collect();
        let text = String::from_utf8(opened(&outgoing.body, Class::Body, body)).unwrap();
        assert_eq!(text.len() as u64, outgoing.size);
        Left { outgoing: outgoing.clone(), envelopes, text }
    }

    fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> MessageKey {
        let share = Wrapped::parse(wrapped).unwrap().share;
        let peer = UnparsedPublicKey::new(&ECDH_P256, &share.enc);
        let dh = agree(&self.transit, peer, (), |dh| Secret::from_slice(dh).ok_or(())).unwrap();
        let own = self.transit.compute_public_key().unwrap();
        let info = context.info(share.epoch);
        let hpke = schedule(share.suite, &dh, &share.enc, own.as_ref(), &info);
        let (key, nonce) = match share.company {
            Some(nonce) => (hpke.export(&context.exporter()), nonce),
            None => (hpke.key, hpke.nonce),
        };
        let key = UnboundKey::new(&AES_256_GCM, key.dangerous_expose()).unwrap();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut plain = share.sealed;
        let associated = Aad::from(context.associated());
        LessSafeKey::new(key).open_in_place(nonce, associated, &mut plain).unwrap();
        MessageKey::new(Secret::from_slice(&plain[..32]).unwrap())
    }
}

fn play_warden(
    control: Arc<Channel>,
    seen: Arc<Mutex<Seen>>,
    (findings, mut dies): (Vec<Finding>, usize),
    ear: fn(OwnedFd, Arc<Mutex<Seen>>),
) {
    thread::spawn(move || {
        while let Ok(mut frame) = control.receive(None) {
            match frame.read::<Report>().unwrap() {
                Report::Renew(Kind::Scanner) => {
                    seen.lock().unwrap().renewed += 1;
                    dies = dies.saturating_sub(1);
                    let scanner = join(&control, Kind::Scanner);
                    play_scanner(scanner, seen.clone(), findings.clone(), dies > 0);
                }
                Report::Jailed { .. } => {
                    if let Some(listener) = frame.descriptors.pop() {
                        ear(listener, seen.clone());
                    }
                }
                Report::Alarm { what } | Report::Attention { what } => {
                    seen.lock().unwrap().reports.push(what)
                }
                Report::Note { text } => seen.lock().unwrap().reports.push(text),
                _ => {}
            }
        }
    });
}

fn sending(address: &str, user: UserId, public: &PublicKey, settings: &SendingSettings) -> Sending {
    Sending {
        address: address.to_owned(),
        tenant: TENANT,
        user: if address.starts_with("lie") { UserId([5; 8]) } else { user },
        transit: public.clone(),
        home: "aoi@example.jp".to_owned(),
        domain: address.rsplit_once('@').unwrap().1.to_owned(),
        settings: settings.clone(),
        issued_ms: 0,
        valid_until_ms: u64::MAX,
    }
}

fn play_directory(
    channel: Channel,
    seen: Arc<Mutex<Seen>>,
    pair: Ed25519KeyPair,
    public: PublicKey,
    (user, settings, seen_for, country_seen_for): (UserId, SendingSettings, (u64, u64), (u64, u64)),
) {
    let signed = move |domain: &[u8], statement: Vec<u8>| {
        let signature = pair.sign(&[domain, &statement].concat()).as_ref().to_vec();
        (statement, signature)
    };
    let person = |number: u8| directory::Recipient {
        user: UserId([number; 8]),
        body: public.clone(),
        summary: public.clone(),
    };
    let known = [
        ("aoi@example.jp", TENANT, person(4)),
        ("ben@example.jp", TENANT, person(6)),
        ("cy@other.example", TenantId([7; 8]), person(8)),
    ];
    thread::spawn(move || {
        let (mut asked, mut strange) = (Vec::new(), 0);
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<FromDispatch>().unwrap() {
                FromDispatch::Awaited(message, until_ms) => {
                    let second = (until_ms / 1_000).to_be_bytes();
                    ToDispatch::Awaited([&message.0[..], &second].concat())
                }
                FromDispatch::Sending(address) => match address.as_str() {
                    "aoi@example.jp"
                    | "sales@example.jp"
                    | "lie@example.jp"
                    | "away@example.jp"
                    | "boss@gateway.example" => {
                        let statement = sending(&address, user, &public, &settings);
                        let statement = postcard::to_stdvec(&statement).unwrap();
                        let (statement, signature) = signed(SENDING_DOMAIN, statement);
                        ToDispatch::Sending { statement, signature }
                    }
                    "later@example.jp" => ToDispatch::Later,
                    _ => ToDispatch::NotTheirs,
                },
                FromDispatch::Address(address) => {
                    seen.lock().unwrap().asked.push(address.clone());
                    let found = known.iter().find(|(known, ..)| *known == address);
                    let onward = [lists(&address), goes_on(&address)].concat();
                    ToDispatch::Stated(match found {
                        _ if !onward.is_empty() => {
                            let statement = Statement {
                                onward,
                                transit: Some(public.clone()),
                                absence: None,
                                address: address.clone(),
                                tenant: TENANT,
                                recipients: Vec::new(),
                                settings: TenantSettings::default(),
                                issued_ms: 0,
                                valid_until_ms: u64::MAX,
                            };
                            let statement = postcard::to_stdvec(&statement).unwrap();
                            let (statement, signature) = signed(STATEMENT_DOMAIN, statement);
                            Stated::Known { statement, signature }
                        }
                        Some((_, tenant, person)) => {
                            let statement = Statement {
                                onward: Vec::new(),
                                transit: None,
                                absence: None,
                                address: address.clone(),
                                tenant: *tenant,
                                recipients: vec![person.clone()],
                                settings: TenantSettings::default(),
                                issued_ms: 0,
                                valid_until_ms: u64::MAX,
                            };
                            let statement = postcard::to_stdvec(&statement).unwrap();
                            let (statement, signature) = signed(STATEMENT_DOMAIN, statement);
                            Stated::Known { statement, signature }
                        }
                        None if address.starts_with("later@") => Stated::Later,
                        None if address.ends_with("@example.jp") => Stated::Unknown,
                        None => Stated::Foreign,
                    })
                }
                FromDispatch::Tokens(digests) => {
                    ToDispatch::Tokens(digests.iter().map(|digest| [digest[0]; 16]).collect())
                }
                FromDispatch::FirstSeen(digest) => {
                    asked.push(digest);
                    // A person and their network, and then the same of countries.
                    let since = match asked.len() % 4 {
                        1 => seen_for.0,
                        2 => seen_for.1,
                        3 => country_seen_for.0,
                        _ => country_seen_for.1,
                    };
                    ToDispatch::FirstSeen(Some(since))
                }
                FromDispatch::Strange(many) => {
                    strange += many;
                    ToDispatch::Strange(strange)
                }
                FromDispatch::List(question) => {
                    use wire::lists::{Answer, May, Question};
                    let answer = match question {
                        Question::MayPost { list, author: None, bytes } => match list.as_str() {
                            "ours@example.jp" if bytes > 1_000 => May::TooLarge { limit: 1_000 },
                            "ours@example.jp" => May::Yes { permit: [9; 16] },
                            _ => May::No,
                        },
                        other => panic!("{other:?}"),
                    };
                    ToDispatch::List(Answer::May(answer))
                }
                FromDispatch::Routes(words) => {
                    let tokens = words.iter().map(|word| [word.len() as u8; 16]).collect();
                    seen.lock().unwrap().routed.extend(words);
                    ToDispatch::Routes(tokens)
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

/// Two lists, a group and a gateway's address, and words about a subscription.
fn lists(address: &str) -> Vec<directory::Onward> {
    use directory::Path::{AsItCame, List, Rewritten, Word};
    let out = |to: &str, path| directory::Onward {
        user: UserId([0; 8]),
        to: to.to_owned(),
        hop: wire::post::Hop::Domain("far.example".to_owned()),
        path,
    };
    match address {
        "group@example.jp" => {
            return vec![out("one@far.example", Rewritten), out("two@far.example", Rewritten)];
        }
        "gateway@example.jp" => return vec![out(address, AsItCame)],
        _ => {}
    }
    let path = match address {
        "ours@example.jp" | "theirs@example.jp" => List,
        _ if wire::lists::word(address).is_some() => Word,
        _ => return Vec::new(),
    };
    let (user, to) = (UserId([0; 8]), address.to_owned());
    vec![directory::Onward { user, to, hop: wire::post::Hop::List, path }]
}

/// Whose mail is not kept here.
fn goes_on(address: &str) -> Vec<directory::Onward> {
    use wire::post::Hop;
    let (name, port, tls) = ("mail.kaede.example".to_owned(), 25, wire::post::HopTls::StartTls);
    let (user, to, hop, path) = match address {
        "away@example.jp" => {
            let hop = Hop::Domain("home.example".to_owned());
            (USER, "me@home.example", hop, directory::Path::Rewritten)
        }
        "boss@gateway.example" => {
            let path = directory::Path::AsItCame;
            (UserId([0; 8]), address, Hop::Host { name, port, tls }, path)
        }
        _ => return Vec::new(),
    };
    vec![directory::Onward { user, to: to.to_owned(), hop, path }]
}

/// The public half of the played signer's key, for whoever verifies.
pub fn mail_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

fn play_signer(channel: Channel, seen: Arc<Mutex<Seen>>, has_keys: bool) {
    let pair = mail_key();
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<ToSigner>().unwrap() {
                ToSigner::MailKeys { domain } if has_keys && domain == "example.jp" => {
                    let (selector, algorithm) = ("s1".to_owned(), "ed25519-sha256".to_owned());
                    FromSigner::MailKeys(vec![MailKey { selector, algorithm }])
                }
                ToSigner::MailKeys { .. } => FromSigner::MailKeys(Vec::new()),
                ToSigner::SignMailByAll { domain, asked } => {
                    let sign = |(selector, canonical): (String, Vec<u8>)| {
                        assert_eq!((domain.as_str(), selector.as_str()), ("example.jp", "s1"));
                        // RFC 8463 §3: what Ed25519 signs is the hash.
                        let digest =
                            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical);
                        seen.lock().unwrap().signed.push(canonical);
                        pair.sign(digest.as_ref()).as_ref().to_vec()
                    };
                    FromSigner::Signatures(asked.into_iter().map(sign).collect())
                }
                _ => FromSigner::Refused,
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn play_post(control: Arc<Channel>, seen: Arc<Mutex<Seen>>, post: Post) {
    let channel = join(&control, Kind::Post);
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<FromSender>().unwrap() {
                FromSender::Room { .. } => match post {
                    Post::Waits(_) | Post::Presses => ToSender::Room(2),
                    _ => ToSender::Room(1_000),
                },
                FromSender::May { recipients, .. } if post == Post::Doubts => {
                    seen.lock().unwrap().asked.push(format!("may {recipients}"));
                    ToSender::Doubtful
                }
                FromSender::May { recipients, .. } if post == Post::Presses => {
                    seen.lock().unwrap().asked.push(format!("may {recipients}"));
                    ToSender::Pressed
                }
                FromSender::May { user, recipients, .. } => {
                    assert!(user == USER || user.0 == TENANT.0);
                    seen.lock().unwrap().asked.push(format!("may {recipients}"));
                    let wait = if let Post::Waits(seconds) = post { Some(seconds) } else { None };
                    ToSender::May(wait)
                }
                FromSender::Queue(_) if post == Post::IsFull => ToSender::Full,
                FromSender::Queue(_) if post == Post::IsCrowded => ToSender::Crowded,
                FromSender::Queue(_) if post == Post::DiesOnce => {
                    return play_post(control, seen, Post::Takes);
                }
                FromSender::Queue(outgoing) => {
                    let body = outgoing.body.content.clone().open(&frame.descriptors).unwrap();
                    seen.lock().unwrap().queued.push((*outgoing, body));
                    if post == Post::LooksAhead { ToSender::QueuedAndMay } else { ToSender::Queued }
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn play_mailbox(channel: Channel, seen: Arc<Mutex<Seen>>) {
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let mailbox::FromEdge::Keep { copies, journeys, more } = frame.read().unwrap() else {
                panic!("a dispatch asks for no room")
            };
            assert!(copies.is_empty() && !more);
            let mut seen_now = seen.lock().unwrap();
            seen_now.told.push(journeys.len());
            seen_now.journeys.extend(journeys);
            drop(seen_now);
            channel.send(frame.call, &mailbox::ToEdge::Kept, &[]).unwrap();
        }
    });
}

/// A large message comes behind its task.
fn whole(parcel: wire::Parcel, frame: &wire::Frame, channel: &Channel) -> Vec<u8> {
    let wire::Parcel::Behind { bytes } = parcel else {
        return parcel.open(&frame.descriptors).unwrap();
    };
    let (mut message, mut at) = (vec![0; bytes as usize], 0);
    while at < message.len() {
        at += channel.receive_behind(&mut message[at..], LIMIT).unwrap();
    }
    message
}

fn play_scanner(channel: Channel, seen: Arc<Mutex<Seen>>, findings: Vec<Finding>, dies: bool) {
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let ToScanner::Examine(task) = frame.read().unwrap() else { panic!() };
            if dies {
                return;
            }
            assert!(task.sender.is_none());
            let message = whole(task.message, &frame, &channel);
            let found = Examined {
                findings: findings.clone(),
                parts: 1,
                authentication: Vec::new(),
                authentication_results: String::new(),
                forged: Vec::new(),
                summary: postcard::to_stdvec(&mime::summarise(&message)).unwrap(),
                trace_digests: vec![[5; 32]],
                header: Some(wire::scanner::Header {
                    received: String::from_utf8_lossy(&message).matches("Received:").count() as u32,
                    is_automatic: message.windows(14).any(|part| part == b"Auto-Submitted"),
                    passed: String::from_utf8_lossy(&message)
                        .lines()
                        .filter_map(|line| line.strip_prefix("X-Sekisho-Passed: "))
                        .map(str::to_owned)
                        .collect(),
                    ..Default::default()
                }),
                micros: 1,
                report: None,
            };
            seen.lock().unwrap().scanned.push(message);
            channel.send(frame.call, &FromScanner::Examined(Box::new(found)), &[]).unwrap();
        }
    });
}
