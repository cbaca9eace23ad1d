//! Everybody around a depart, played: warden, post, vault, directory, mailbox, names,
//! fetch, signer.

// Two tests play it, neither needs all of it.
#![allow(dead_code)]

pub mod lists;
pub mod remote;
pub mod signing;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use remote::Remote;
use signing::{MailKeys, play_signer};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId};
use unseal::{GrantContext, Pair, RootKey, Suite, WrapContext, Wrapped, agree};
use wire::control::{Order, Relay, Report, Start};
use wire::directory::{self, PublicKey, STATEMENT_DOMAIN, Stated, Statement, TenantSettings};
use wire::mailbox::{self, Journey, SealedPart};
use wire::names::{Answer, Outcome as Found, Question, Record, RecordKind, Security};
use wire::post::{
    Envelope, Errand, Finish, FromDepart, Hop, InHand, Load, Outcome, Receiver as To, ToDepart,
};
use wire::vault::{self, TransitItem};
use wire::{Channel, INLINE_BYTES, Label, Parcel};

pub const LIMIT: Duration = Duration::from_secs(20);
pub const TENANT: TenantId = TenantId([11; 8]);
pub const OTHER: TenantId = TenantId([2; 8]);
pub const SENDER: UserId = UserId([1; 8]);
/// In whose name the tenant's own server sends.
pub const SERVER: UserId = UserId([11; 8]);
pub const PORT: u16 = 25;

/// One copy as the mailbox got it, opened as its person would.
#[derive(Clone)]
pub struct Copied {
    pub user: UserId,
    pub tenant: TenantId,
    pub message: MessageId,
    pub text: String,
    pub summary: Vec<u8>,
    pub verdict: terms::Verdict,
}

#[derive(Default)]
pub struct Seen {
    /// A statement and its signature, of before.
    pub stood: Option<(Vec<u8>, Vec<u8>)>,
    pub copies: Vec<Copied>,
    pub journeys: Vec<Journey>,
    pub released: Vec<(MessageId, vault::Class)>,
    /// Sign-ins that were asked for: host and port.
    pub lent: Vec<(String, u16)>,
    pub dialled: Vec<SocketAddr>,
    pub sources: Vec<IpAddr>,
    pub fetched: Vec<String>,
    /// Path, type and body of what was handed up.
    pub handed_up: Vec<(String, String, Vec<u8>)>,
    pub asked: Vec<Question>,
    pub reports: Vec<String>,
    pub rests: Vec<Envelope>,
    pub queued: Vec<(MessageId, Envelope, String)>,
    /// What was handed over to another tenant.
    pub handed: Vec<(TenantId, MessageId, Envelope, String)>,
    /// Policies (MTA-STS) that the directory keeps.
    pub kept_policies: HashMap<String, wire::sts::Known>,
    /// What the directory was asked about lists.
    pub lists: Vec<wire::lists::Question>,
    /// How TLS fared, as the directory was told.
    pub told: Vec<wire::tls_report::Finding>,
    /// Who took what, as the directory was told.
    pub accepted: Vec<wire::accepted::Accepted>,
    pub heard: walled::Heard,
    /// Who is away, by address, and what was answered in their name.
    pub absent: Vec<String>,
    pub answered: HashSet<[u8; 32]>,
    /// Post dies before it has kept what it is told.
    pub forgets: bool,
    /// What was held or cancelled while it was in hand.
    pub stopped: HashSet<MessageId>,
    /// Whose mail is kept although it goes on.
    pub keeps: HashSet<UserId>,
    /// The tenant has nobody who answers for it.
    pub is_deserted: bool,
}

/// What the house and the world are like.
pub struct Plan {
    pub records: HashMap<(String, RecordKind), (Found, Security)>,
    pub remotes: HashMap<IpAddr, SocketAddr>,
    pub policies: HashMap<String, String>,
    pub authorities: String,
    /// What the mailbox answers to its nth arrival.
    pub kept: fn(usize) -> mailbox::ToEdge,
    pub evidence: bool,
    /// The tenant's sign-in to a smart host.
    pub credential: Option<vault::Credential>,
    pub signer: bool,
    /// What post answers to a notice.
    pub queued: fn() -> wire::post::ToSender,
    pub keys: Arc<MailKeys>,
    /// The tenant's own address.
    pub source: Option<IpAddr>,
    pub ear: fn(OwnedFd, Arc<Mutex<Seen>>),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            remotes: HashMap::new(),
            policies: HashMap::new(),
            authorities: String::new(),
            kept: |_| mailbox::ToEdge::Kept,
            evidence: true,
            credential: None,
            signer: true,
            queued: || wire::post::ToSender::Queued,
            keys: MailKeys::new(),
            source: None,
            ear: |_, _| {},
        }
    }
}

impl Plan {
    /// A domain with one MX host that is this remote.
    pub fn with(mut self, domain: &str, host: &str, remote: &Remote) -> Self {
        self.mx(domain, &[(10, host)]);
        self.at(host, remote);
        self
    }

    pub fn mx(&mut self, domain: &str, hosts: &[(u16, &str)]) {
        let mx = |(preference, host): &(u16, &str)| Record::Mx {
            preference: *preference,
            host: (*host).to_owned(),
        };
        let records = Found::Records(hosts.iter().map(mx).collect());
        self.record(domain, RecordKind::Mx, records);
    }

    pub fn at(&mut self, host: &str, remote: &Remote) {
        let number = u8::try_from(self.remotes.len() + 1).unwrap();
        let ip = std::net::Ipv4Addr::new(192, 0, 2, number);
        self.remotes.insert(ip.into(), remote.at);
        self.record(host, RecordKind::A, Found::Records(vec![Record::A(ip)]));
        self.record(host, RecordKind::Aaaa, Found::NoRecords);
    }

    pub fn record(&mut self, name: &str, kind: RecordKind, found: Found) {
        self.records.insert((name.to_owned(), kind), (found, Security::Insecure));
    }

    /// Everything said so far is signed.
    pub fn signed(&mut self) {
        self.records.values_mut().for_each(|(_, security)| *security = Security::Secure);
    }
}

/// A person's pairs.
struct Keys {
    body: Pair,
    summary: Pair,
}

fn pair(tenant: TenantId, user: UserId, class: seal::Class, epoch: u32) -> Pair {
    let root = RootKey::from_credential(&[7; 32]).unwrap();
    let (tenant, _) = root.make_tenant(tenant, 1).unwrap();
    let (user, _) = tenant.make_user(user).unwrap();
    let (public, stored) = user.make_pair(class, Suite::P256, epoch).unwrap();
    user.open_pair(class, &public, &stored).unwrap()
}

fn public(pair: &Pair) -> PublicKey {
    let key = pair.public();
    PublicKey { suite: key.suite().byte(), epoch: key.epoch(), bytes: key.point().to_vec() }
}

pub struct Neighbourhood<T> {
    pub seen: Arc<Mutex<Seen>>,
    pub control: Arc<Channel>,
    pub post: Arc<Channel>,
    pub ended: Receiver<(MessageId, u16, Outcome)>,
    pub idle: Receiver<Option<TenantId>>,
    /// What a depart says that it has in its hands.
    pub held: Receiver<Vec<InHand>>,
    tells: Tells,
    queued: fn() -> wire::post::ToSender,
    transit: Arc<Pair>,
    pub keys: Arc<MailKeys>,
    pub life: T,
}

fn join(control: &Channel, kind: Kind) -> Channel {
    let (near, far) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([9; 6]), kind, person: None };
    control.send(0, &Order::Join(label), &[far.into()]).unwrap();
    near
}

impl<T> Neighbourhood<T> {
    /// `live` is given the depart's end of its control channel.
    pub fn around(plan: Plan, live: impl FnOnce(Channel) -> T) -> Self {
        let (control, depart) = Channel::pair().unwrap();
        let signing = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let relay = Relay { authorities: plan.authorities.clone(), ..Relay::default() };
        let start = Start {
            kind_word: "depart".to_owned(),
            host_name: "mx.here.example".to_owned(),
            statement_key: Some(signing.public_key().as_ref().try_into().unwrap()),
            relay,
            ..Start::default()
        };
        control.send(0, &Order::Begin(start), &[]).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let transit = Arc::new(pair(TENANT, SENDER, seal::Class::Body, 20_786));
        let people: Arc<Vec<(String, TenantId, UserId, Keys)>> = Arc::new(
            [("aoi", TENANT, 1), ("ben", TENANT, 2), ("cy", OTHER, 3), ("full", TENANT, 4)]
                .into_iter()
                .map(|(name, tenant, number)| {
                    let user = UserId([number; 8]);
                    let body = pair(tenant, user, seal::Class::Body, 2026);
                    let summary = pair(tenant, user, seal::Class::Summary, 24_323);
                    (format!("{name}@here.example"), tenant, user, Keys { body, summary })
                })
                .collect(),
        );
        let (tell_end, ended) = channel();
        let (tell_idle, idle) = channel();
        let (tell_held, held) = channel();
        let tells = Tells { end: tell_end, idle: tell_idle, held: tell_held };
        let queued = plan.queued;
        let post = Arc::new(join(&control, Kind::Post));
        play_post(post.clone(), transit.clone(), seen.clone(), tells.clone(), queued);
        let kept = (plan.evidence, plan.credential);
        play_vault(join(&control, Kind::Vault), transit.clone(), seen.clone(), kept);
        play_directory(
            join(&control, Kind::Directory),
            people.clone(),
            signing,
            (plan.source, transit.clone()),
            seen.clone(),
        );
        play_mailbox(join(&control, Kind::Mailbox), people, seen.clone(), plan.kept);
        play_names(join(&control, Kind::Names), plan.records, seen.clone());
        play_fetch(join(&control, Kind::Fetch), plan.policies, seen.clone());
        if plan.signer {
            play_signer(join(&control, Kind::Signer), plan.keys.clone());
        }
        let keys = plan.keys;
        let control = Arc::new(control);
        play_warden(control.clone(), plan.remotes, seen.clone(), plan.ear);
        let life = live(depart);
        Self { seen, control, post, ended, idle, held, tells, queued, transit, keys, life }
    }

    /// Post is gone.
    pub fn post_dies(&self) {
        rustix::net::shutdown(&*self.post, rustix::net::Shutdown::Both).unwrap();
    }

    /// And another one is there.
    pub fn next_post(&mut self) {
        self.post = Arc::new(join(&self.control, Kind::Post));
        let (transit, seen) = (self.transit.clone(), self.seen.clone());
        play_post(self.post.clone(), transit, seen, self.tells.clone(), self.queued);
    }

    /// A batch for whoever is idle.
    pub fn hand_over(&self, letters: &[Letter]) {
        self.idle.recv_timeout(LIMIT).unwrap();
        let mut held = Vec::new();
        let legs = letters.iter().map(|letter| letter.load(&self.transit, &mut held)).collect();
        self.post.send(0, &ToDepart::Batch { tenant: TENANT, legs }, &held).unwrap();
    }

    /// How each leg ended, in words, in the order in which they were told.
    pub fn outcomes(&self, count: usize) -> Vec<String> {
        let word = |_| {
            let (message, leg, outcome) = self.ended.recv_timeout(LIMIT).unwrap();
            format!("{}.{leg} {}", message.0[0], short(&outcome))
        };
        (0..count).map(word).collect()
    }

    /// One batch, and how it ended.
    pub fn carry(&self, letters: &[Letter]) -> Vec<String> {
        self.hand_over(letters);
        self.outcomes(letters.len())
    }
}

pub fn short(outcome: &Outcome) -> String {
    let why = |why: &wire::post::Why| match why {
        wire::post::Why::Answered { class, subject, detail } => {
            format!("{class}.{subject}.{detail}")
        }
        wire::post::Why::Insecure { flaw, is_named: false } => format!("TLS {flaw:?}"),
        wire::post::Why::Insecure { flaw, is_named: true } => format!("its TLS {flaw:?}"),
        other => format!("{other:?}"),
    };
    match outcome {
        Outcome::Sent { recipients } => format!("sent {recipients}"),
        Outcome::Later { sent, rest, why: because, for_all } => {
            let all = if *for_all { ", for all" } else { "" };
            // The same people, of whom something was heard, are left as they were.
            let rest = rest.as_ref().filter(|_| *sent > 0);
            let rest = rest.map(|(_, left)| format!(" left {left}")).unwrap_or_default();
            format!("later sent {sent}{rest}: {}{all}", why(because))
        }
        Outcome::Failed { sent, why: because } => format!("failed sent {sent}: {}", why(because)),
        Outcome::ToldLate => "told late".to_owned(),
        Outcome::Untried => "untried".to_owned(),
        Outcome::Stopped => "stopped".to_owned(),
    }
}

/// One leg to be carried.
#[derive(Clone)]
pub struct Letter {
    pub number: u8,
    pub leg: u16,
    pub errand: Errand,
    pub why: Option<wire::post::Why>,
    pub envelope: Envelope,
    pub text: Vec<u8>,
    /// Who handed it in.
    pub user: UserId,
    /// It was handed in on another day.
    pub has_waited: bool,
}

impl Letter {
    pub fn to(hop: Hop, recipients: &[&str]) -> Self {
        let recipients = recipients
            .iter()
            .map(|address| To { address: (*address).to_owned(), notify: None, original: None })
            .collect();
        let envelope = Envelope {
            from: "aoi@here.example".to_owned(),
            hop,
            recipients,
            returns_all: None,
            envelope_id: None,
            require_tls: false,
            has_eight_bits: false,
            needs_utf8: false,
            finish: Finish::AsItIs,
            found: Vec::new(),
            heard: Vec::new(),
            heedless: false,
        };
        let text = b"Message-ID: <m1@here.example>\r\nSubject: hi\r\n\r\n.hello\r\n".to_vec();
        let (errand, has_waited) = (Errand::Carry, false);
        Self { user: SENDER, number: 1, leg: 0, errand, why: None, envelope, text, has_waited }
    }

    /// To a domain outside.
    pub fn out(recipients: &[&str]) -> Self {
        let domain = recipients[0].rsplit_once('@').unwrap().1.to_owned();
        Self::to(Hop::Domain(domain), recipients)
    }

    pub fn numbered(self, number: u8) -> Self {
        Self { number, ..self }
    }

    /// Mail of others is sealed, and nothing else is.
    fn is_passed_on(&self) -> bool {
        matches!(self.envelope.finish, Finish::Seal { .. })
    }

    fn load(&self, transit: &Pair, held: &mut Vec<OwnedFd>) -> Load {
        let message = MessageId([self.number; 16]);
        let mut seal = |class, plain: &[u8]| {
            let place = seal::Place { tenant: TENANT, message, class };
            let (sealed, key) = seal::seal_content(&place, plain).unwrap();
            let context = WrapContext { tenant: TENANT, user: self.user, message, class };
            let wrapped = seal::wrap(transit.public(), &key, &context).unwrap().encode();
            let content = Parcel::pack(sealed, INLINE_BYTES / 4, held).unwrap();
            SealedPart { epoch: transit.public().epoch(), wrapped, content }
        };
        Load {
            user: self.user,
            message,
            leg: self.leg,
            size: self.text.len() as u64,
            at_ms: if self.has_waited { 1_795_316_096_000 } else { compartment::now_ms() },
            expires_ms: 1_795_748_096_000,
            attempts: 0,
            errand: self.errand,
            why: self.why,
            is_passed_on: self.is_passed_on(),
            envelope: seal(seal::Class::Summary, &postcard::to_stdvec(&self.envelope).unwrap()),
            body: seal(seal::Class::Body, &self.text),
        }
    }
}

fn play_warden(
    control: Arc<Channel>,
    remotes: HashMap<IpAddr, SocketAddr>,
    seen: Arc<Mutex<Seen>>,
    ear: fn(OwnedFd, Arc<Mutex<Seen>>),
) {
    thread::spawn(move || {
        while let Ok(mut frame) = control.receive(None) {
            match frame.read::<Report>().unwrap() {
                Report::Dial { call, to, from } => {
                    seen.lock().unwrap().dialled.push(to);
                    seen.lock().unwrap().sources.extend(from);
                    let is_ours = |from: &IpAddr| *from == IpAddr::from([192, 0, 2, 200]);
                    let remote =
                        remotes.get(&to.ip()).filter(|_| from.as_ref().is_none_or(is_ours));
                    let remote = remote.map(TcpStream::connect);
                    let (refused, sockets) = match remote {
                        Some(Ok(socket)) => (None, vec![OwnedFd::from(socket)]),
                        _ => (Some("unreachable".to_owned()), Vec::new()),
                    };
                    control.send(0, &Order::Dialled { call, refused }, &sockets).unwrap();
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

#[derive(Clone)]
struct Tells {
    end: Sender<(MessageId, u16, Outcome)>,
    idle: Sender<Option<TenantId>>,
    held: Sender<Vec<InHand>>,
}

fn play_post(
    post: Arc<Channel>,
    transit: Arc<Pair>,
    seen: Arc<Mutex<Seen>>,
    tells: Tells,
    queued: fn() -> wire::post::ToSender,
) {
    thread::spawn(move || {
        while let Ok(frame) = post.receive(None) {
            match frame.read::<FromDepart>().unwrap() {
                FromDepart::Idle { tenant } => drop(tells.idle.send(tenant)),
                FromDepart::Holds(legs) => drop(tells.held.send(legs)),
                FromDepart::Ended { message, leg, outcome } => {
                    if let Outcome::Later { rest: Some((rest, _)), .. } = &outcome {
                        let class = seal::Class::Summary;
                        let plain = open(&transit, (TENANT, SENDER, message, class), rest, &frame);
                        let rest = postcard::from_bytes(&plain).unwrap();
                        seen.lock().unwrap().rests.push(rest);
                    }
                    let _ = tells.end.send((message, leg, outcome));
                    if !seen.lock().unwrap().forgets {
                        let _ = post.send(0, &ToDepart::Kept(vec![(message, leg)]), &[]);
                    }
                }
                FromDepart::Begin(legs) => {
                    let stopped = seen.lock().unwrap().stopped.clone();
                    let may_go = |(message, _): &(MessageId, u16)| !stopped.contains(message);
                    let answer = ToDepart::Begun(legs.iter().map(may_go).collect());
                    let _ = post.send(frame.call, &answer, &[]);
                }
                FromDepart::HandOver(outgoing) => {
                    assert_eq!(outgoing.user, directory::guest_of(outgoing.tenant));
                    let whose = |class| (outgoing.tenant, outgoing.user, outgoing.message, class);
                    let text = open(&transit, whose(seal::Class::Body), &outgoing.body, &frame);
                    let [leg] = outgoing.legs.as_slice() else { panic!("one leg each") };
                    let class = seal::Class::Summary;
                    let plain = open(&transit, whose(class), &leg.envelope, &frame);
                    let envelope: Envelope = postcard::from_bytes(&plain).unwrap();
                    let answer = queued();
                    if answer == wire::post::ToSender::Queued {
                        let text = String::from_utf8(text).unwrap();
                        let all = &mut seen.lock().unwrap().handed;
                        all.push((outgoing.tenant, outgoing.message, envelope, text));
                    }
                    post.send(frame.call, &answer, &[]).unwrap();
                }
                FromDepart::Queue(outgoing) => {
                    let whose = |class| (TENANT, outgoing.user, outgoing.message, class);
                    let text = open(&transit, whose(seal::Class::Body), &outgoing.body, &frame);
                    assert_eq!(outgoing.tenant, TENANT);
                    // What goes on from here is in its owner's name, or nobody's.
                    assert_ne!(outgoing.user, directory::guest_of(TENANT));
                    let answer = queued();
                    if answer == wire::post::ToSender::Queued {
                        let text = String::from_utf8(text).unwrap();
                        for leg in &outgoing.legs {
                            let plain =
                                open(&transit, whose(seal::Class::Summary), &leg.envelope, &frame);
                            let envelope: Envelope = postcard::from_bytes(&plain).unwrap();
                            assert_eq!(leg.route.0, [envelope.hop.word().len() as u8; 16]);
                            let all = &mut seen.lock().unwrap().queued;
                            all.push((outgoing.message, envelope, text.clone()));
                        }
                    }
                    let answer = post.send(frame.call, &answer, &[]);
                    answer.unwrap();
                }
            }
        }
    });
}

/// Opens with a private half, as only the vault can.
fn open(
    pair: &Pair,
    (tenant, user, message, class): (TenantId, UserId, MessageId, seal::Class),
    part: &SealedPart,
    frame: &wire::Frame,
) -> Vec<u8> {
    let context = WrapContext { tenant, user, message, class };
    let key = pair.open(&Wrapped::parse(&part.wrapped).unwrap(), &context).unwrap();
    let sealed = part.content.clone().open(&frame.descriptors).unwrap();
    open::open_content(&key, &open::Place { tenant, message, class }, &sealed).unwrap()
}

fn play_vault(
    channel: Channel,
    transit: Arc<Pair>,
    seen: Arc<Mutex<Seen>>,
    (evidence, credential): (bool, Option<vault::Credential>),
) {
    thread::spawn(move || {
        let mut grants = HashMap::new();
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<vault::FromDepart>().unwrap() {
                _ if !evidence => vault::ToDepart::EvidenceAway,
                vault::FromDepart::Open { tenant, session } => {
                    let grant = GrantId([grants.len() as u8 + 1; 16]);
                    let session = unseal::PublicKey::parse(&session).unwrap();
                    let context = GrantContext::transit(grant, tenant);
                    let (enc, agreed) = agree(&session, &context).unwrap();
                    grants.insert(grant, agreed);
                    vault::ToDepart::Opened { grant, enc, transit: public(&transit) }
                }
                vault::FromDepart::Release { grant, items } => {
                    let agreed = &grants[&grant];
                    let release = |item: &TransitItem| {
                        let class = match item.class {
                            vault::Class::Summary => seal::Class::Summary,
                            vault::Class::Body => seal::Class::Body,
                        };
                        let (user, message) = (item.user, item.message);
                        let context = WrapContext { tenant: TENANT, user, message, class };
                        let wrapped = Wrapped::parse(&item.wrapped).unwrap();
                        let key = transit.open(&wrapped, &context).unwrap();
                        seen.lock().unwrap().released.push((message, item.class));
                        Some(agreed.release(&context, &key).unwrap())
                    };
                    vault::ToDepart::Released(items.iter().map(release).collect())
                }
                vault::FromDepart::Credential { grant, host, port } => {
                    seen.lock().unwrap().lent.push((host.clone(), port));
                    let is_it = |one: &&vault::Credential| one.host == host && one.port == port;
                    let lent = credential.as_ref().filter(is_it).map(|one| {
                        let plain = postcard::to_stdvec(one).unwrap();
                        grants[&grant].lend(&vault::purpose(&host, port), &plain).unwrap()
                    });
                    vault::ToDepart::Lent(lent)
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

type People = Arc<Vec<(String, TenantId, UserId, Keys)>>;

/// A return path that was rewritten.
pub const SRS: &str = "srs0=hash=tt=shop.example=carol+x@here.example";

fn way_back() -> Statement {
    let (user, path) = (SENDER, directory::Path::Null);
    let (to, hop) = ("Carol+x@shop.example".to_owned(), Hop::Domain("shop.example".to_owned()));
    Statement {
        address: SRS.to_owned(),
        tenant: TENANT,
        recipients: Vec::new(),
        onward: vec![directory::Onward { user, to, hop, path }],
        transit: None,
        absence: None,
        settings: TenantSettings::default(),
        issued_ms: 0,
        valid_until_ms: u64::MAX,
    }
}

/// Addresses whose mail is not kept: a person's who forwards all of it, a colleague's who does, and
/// those of gateways, one of which has moved.
fn goes_on(address: &str) -> Vec<directory::Onward> {
    let on = |user: UserId, to: &str, hop: Hop, path: directory::Path| {
        vec![directory::Onward { user, to: to.to_owned(), hop, path }]
    };
    let host = |name: &str| {
        let (name, tls) = (name.to_owned(), wire::post::HopTls::IfOffered);
        Hop::Host { name, port: 587, tls }
    };
    let home = |of: UserId| {
        let hop = Hop::Domain("home.example".to_owned());
        let mut ways = on(of, "me@home.example", hop, directory::Path::Rewritten);
        ways.extend(on(of, "ben@here.example", Hop::Here, directory::Path::Rewritten));
        ways
    };
    match address.split_once('@') {
        Some(("away", "here.example")) => home(SENDER),
        Some(("elsewhere", "here.example")) => home(UserId([2; 8])),
        // A circle of two.
        Some((one @ ("round" | "about"), "here.example")) => {
            let other = if one == "round" { "about@here.example" } else { "round@here.example" };
            on(UserId([2; 8]), other, Hop::Here, directory::Path::Rewritten)
        }
        Some((_, "gateway.example")) => {
            on(UserId([0; 8]), address, host("gateway.host.example"), directory::Path::AsItCame)
        }
        // Its list names nobody: strangers' mail is for nobody, and mail for all others goes there.
        Some(("*", "listed.example")) => {
            on(UserId([0; 8]), address, host("listed.host.example"), directory::Path::AsItCame)
        }
        Some((_, "moved.example")) => {
            on(UserId([0; 8]), address, host("moved.host.example"), directory::Path::AsItCame)
        }
        _ => Vec::new(),
    }
}

fn signed(signing: &Ed25519KeyPair, statement: &Statement) -> Stated {
    let statement = postcard::to_stdvec(statement).unwrap();
    let signed = [STATEMENT_DOMAIN, &statement].concat();
    let signature = signing.sign(&signed).as_ref().to_vec();
    Stated::Known { statement, signature }
}

/// What was said of `moved@here.example`, which nobody has any more: it was the first one's.
fn stood(people: &People, signing: &Ed25519KeyPair) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, tenant, user, keys) = people.iter().next()?;
    let statement = Statement {
        address: "moved@here.example".to_owned(),
        tenant: *tenant,
        recipients: vec![directory::Recipient {
            user: *user,
            body: public(&keys.body),
            summary: public(&keys.summary),
        }],
        onward: Vec::new(),
        ..way_back()
    };
    match signed(signing, &statement) {
        Stated::Known { statement, signature } => Some((statement, signature)),
        _ => None,
    }
}

fn absence(user: UserId, address: &str, seen: &Seen) -> Option<directory::Absence> {
    let (subject, text) = ("away".to_owned(), "back on Monday".to_owned());
    let is_away = seen.absent.iter().any(|absent| absent == address);
    is_away.then_some(directory::Absence { user, subject, text })
}

fn play_directory(
    channel: Channel,
    people: People,
    signing: Ed25519KeyPair,
    (source, transit): (Option<IpAddr>, Arc<Pair>),
    seen: Arc<Mutex<Seen>>,
) {
    seen.lock().unwrap().stood = stood(&people, &signing);
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<directory::FromDepart>().unwrap() {
                directory::FromDepart::Tokens { digests, .. } => {
                    directory::ToDepart::Tokens(digests.iter().map(|one| [one[0]; 16]).collect())
                }
                directory::FromDepart::Source { tenant, domains } => {
                    assert_eq!(tenant, TENANT);
                    let kept = &mut seen.lock().unwrap().kept_policies;
                    let known = |domain: &String| kept.get(domain).cloned();
                    let policies = domains.iter().filter_map(known).collect();
                    let (from, answered) = (source, domains.len());
                    directory::ToDepart::Source { from, policies, answered }
                }
                directory::FromDepart::Policy(policy) => {
                    assert!(policy.is_sound());
                    let (domain, left_seconds) = (policy.domain.clone(), policy.age_seconds);
                    let known = wire::sts::Known { policy, left_seconds, is_due: false };
                    seen.lock().unwrap().kept_policies.insert(domain, known);
                    directory::ToDepart::Noted
                }
                directory::FromDepart::Address(address) => {
                    let known = people.iter().find(|(known, ..)| *known == address);
                    let stated = match known {
                        None if address == SRS => signed(&signing, &way_back()),
                        None if !goes_on(&address).is_empty() => {
                            let (address, onward) = (address.clone(), goes_on(&address));
                            signed(&signing, &Statement { address, onward, ..way_back() })
                        }
                        None if lists::onward(&address).is_some() => {
                            let (tenant, onward) = lists::onward(&address).unwrap();
                            let (address, transit) = (address.clone(), Some(public(&transit)));
                            let statement =
                                Statement { address, tenant, onward, transit, ..way_back() };
                            signed(&signing, &statement)
                        }
                        Some((_, tenant, user, keys)) => {
                            let statement = Statement {
                                address: address.clone(),
                                tenant: *tenant,
                                recipients: vec![directory::Recipient {
                                    user: *user,
                                    body: public(&keys.body),
                                    summary: public(&keys.summary),
                                }],
                                onward: Vec::new(),
                                transit: None,
                                absence: absence(*user, &address, &seen.lock().unwrap()),
                                settings: TenantSettings::default(),
                                issued_ms: 0,
                                valid_until_ms: u64::MAX,
                            };
                            signed(&signing, &statement)
                        }
                        None if address.starts_with("later") => Stated::Later,
                        None if address.starts_with("checked@listed") => Stated::Checking,
                        None if address.ends_with("@listed.example") => Stated::Unknown,
                        None if address.ends_with("@here.example") => Stated::Unknown,
                        None => Stated::Foreign,
                    };
                    directory::ToDepart::Stated(stated)
                }
                directory::FromDepart::Tls(findings) => {
                    assert!(findings.iter().all(wire::tls_report::Finding::is_sound));
                    seen.lock().unwrap().told.extend(findings);
                    directory::ToDepart::Noted
                }
                directory::FromDepart::Accepted(lines) => {
                    assert!(lines.iter().all(wire::accepted::Accepted::is_sound));
                    seen.lock().unwrap().accepted.extend(lines);
                    directory::ToDepart::Noted
                }
                directory::FromDepart::List(question) => {
                    let answer = lists::answer(&question);
                    seen.lock().unwrap().lists.push(question);
                    directory::ToDepart::List(answer)
                }
                directory::FromDepart::Way(_, to) => {
                    let (_, domain) = to.rsplit_once('@').unwrap();
                    let (name, port) = ("relay.here.example".to_owned(), 587);
                    let hop = match domain.starts_with("smart") {
                        true => Hop::Host { name, port, tls: wire::post::HopTls::StartTls },
                        false => Hop::Domain(domain.to_owned()),
                    };
                    directory::ToDepart::Way(Some(hop))
                }
                directory::FromDepart::ReturnPath { from, domain } => {
                    directory::ToDepart::ReturnPath(lists::return_path(&from, &domain))
                }
                directory::FromDepart::Answered { digest, .. } => {
                    let is_first = seen.lock().unwrap().answered.insert(digest);
                    directory::ToDepart::FirstAnswer(Some(is_first))
                }
                directory::FromDepart::Own(asked) => {
                    // Of what is nobody's, aoi hears.
                    let whose = if asked == UserId::default() { SENDER } else { asked };
                    let found =
                        people.iter().find(|(_, of, user, _)| *of == TENANT && *user == whose);
                    let is_deserted =
                        seen.lock().unwrap().is_deserted && asked == UserId::default();
                    let found = found.filter(|_| !is_deserted);
                    let keeps = seen.lock().unwrap().keeps.contains(&asked);
                    let stated = match found {
                        Some((_, tenant, user, keys)) => {
                            let statement = Statement {
                                address: directory::own_mailbox(*tenant, *user),
                                tenant: *tenant,
                                recipients: vec![directory::Recipient {
                                    user: *user,
                                    body: public(&keys.body),
                                    summary: public(&keys.summary),
                                }],
                                onward: Vec::new(),
                                transit: None,
                                absence: None,
                                settings: TenantSettings::default(),
                                issued_ms: 0,
                                valid_until_ms: u64::MAX,
                            };
                            signed(&signing, &statement)
                        }
                        None => Stated::Unknown,
                    };
                    directory::ToDepart::Own(stated, keeps)
                }
                directory::FromDepart::Routes(words) => {
                    let token = |word: &String| [word.len() as u8; 16];
                    directory::ToDepart::Routes(Some(words.iter().map(token).collect()))
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn play_mailbox(
    channel: Channel,
    people: People,
    seen: Arc<Mutex<Seen>>,
    kept: fn(usize) -> mailbox::ToEdge,
) {
    thread::spawn(move || {
        let mut arrivals = 0;
        let mut waiting = Vec::new();
        while let Ok(frame) = channel.receive(None) {
            let mailbox::FromEdge::Keep { copies, journeys, more } = frame.read().unwrap() else {
                panic!("depart does not ask for room");
            };
            for copy in copies {
                let (tenant, user, message) = (copy.tenant, copy.user, copy.message);
                let (.., keys) = people.iter().find(|(_, _, known, _)| *known == user).unwrap();
                let read =
                    |pair, class, part| open(pair, (tenant, user, message, class), part, &frame);
                let text = read(&keys.body, seal::Class::Body, &copy.body);
                let summary = read(&keys.summary, seal::Class::Summary, &copy.summary);
                assert_eq!(copy.size, text.len() as u64);
                let text = String::from_utf8_lossy(&text).into_owned();
                let verdict = copy.verdict;
                waiting.push(Copied { user, tenant, message, text, summary, verdict });
            }
            if more {
                continue;
            }
            arrivals += 1;
            let answer = kept(arrivals);
            if matches!(answer, mailbox::ToEdge::Kept) {
                let mut seen = seen.lock().unwrap();
                seen.copies.append(&mut waiting);
                seen.journeys.extend(journeys);
            }
            waiting.clear();
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn play_names(
    channel: Channel,
    records: HashMap<(String, RecordKind), (Found, Security)>,
    seen: Arc<Mutex<Seen>>,
) {
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let question: Question = frame.read().unwrap();
            let found = records.get(&(question.name.clone(), question.kind)).cloned();
            let has_name = records.keys().any(|(name, _)| *name == question.name);
            let nothing = if has_name { Found::NoRecords } else { Found::NoSuchName };
            let is_signed = records.values().any(|(_, one)| *one == Security::Secure);
            let security = if is_signed { Security::Secure } else { Security::Insecure };
            let (outcome, security) = found.unwrap_or((nothing, security));
            seen.lock().unwrap().asked.push(question);
            let answer = Answer { outcome, security, ttl_seconds: 60 };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn play_fetch(channel: Channel, policies: HashMap<String, String>, seen: Arc<Mutex<Seen>>) {
    use wire::fetch::{Answer, Ask};
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let (host, posted) = match frame.read().unwrap() {
                Ask::Get { host, path, .. } => {
                    assert_eq!(path, "/.well-known/mta-sts.txt");
                    (host, None)
                }
                Ask::Post { host, path, content_type, body } => {
                    (host, Some((path, content_type, body)))
                }
            };
            let page = |status, content_type: &str| Answer::Got {
                status,
                content_type: content_type.to_owned(),
                body: b"nothing".to_vec(),
            };
            let answer = match policies.get(&host) {
                Some(odd) if odd == "(404)" => page(404, "text/plain"),
                Some(odd) if odd == "(html)" => page(200, "text/html"),
                Some(odd) if odd == "(unproven)" => {
                    Answer::Failed(format!("{}: who knows", wire::fetch::UNPROVEN))
                }
                Some(policy) => Answer::Got {
                    status: 200,
                    content_type: "text/plain; charset=utf-8".to_owned(),
                    body: policy.clone().into_bytes(),
                },
                None => Answer::Failed("no such host".to_owned()),
            };
            let mut seen = seen.lock().unwrap();
            seen.fetched.push(host);
            seen.handed_up.extend(posted);
            drop(seen);
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}
