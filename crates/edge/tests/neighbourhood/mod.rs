//! Everybody around an edge, played: warden, gate, directory, names, scanner, mailbox, signer,
//! post.

// Two tests play it, neither needs all of it.
#![allow(dead_code, unused_imports)]

mod customers;
mod passing;

pub use customers::{Authority, Customer, Shown};
pub use passing::Letter;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use passing::{Transit, beyond, play_post, route};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{ConnectionId, Finding, InstanceId, Kind, TenantId, UserId};
use wire::control::{Order, Report, Service, Start};
use wire::directory::{self, PublicKey, STATEMENT_DOMAIN, Stated, Statement, TenantSettings};
use wire::gate::{FromGate, ToGate};
use wire::mailbox::{self, Copy, Journey};
use wire::names::{Answer, Outcome, Question, Record, RecordKind, Security};
use wire::post::ToSender;
use wire::scanner::{Examined, FromScanner, Header, ToScanner};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);

/// How the played scanners behave, one after the other; the last one's way goes on.
#[derive(Clone)]
pub enum Scanner {
    Finds(Vec<Finding>),
    Dies,
    /// Serves one message and leaves.
    Retires,
    /// Asks the DNS first and finds what it was told.
    Asks,
    /// Claims to cut these ranges out and to add this field.
    Lies(Vec<(u64, u64)>, String),
    /// Reads this header and finds this.
    Reads(Header, Vec<Finding>),
    /// Reads this header and has proven this.
    Proves(Header, policy::Authentication),
    /// The same, of a report.
    Reports(policy::Authentication, wire::reports::Report),
}

#[derive(Default)]
pub struct Seen {
    /// The mailbox hears all and answers nothing.
    pub mailbox_is_mute: bool,
    pub copies: Vec<Copy>,
    pub journeys: Vec<Journey>,
    pub letters: Vec<Letter>,
    /// What dispatches were handed: whose, and what.
    pub submitted: Vec<(TenantId, wire::dispatch::Submission)>,
    pub frames: usize,
    pub bodies: Vec<Vec<u8>>,
    pub scanned: Vec<Vec<u8>>,
    pub reports: Vec<String>,
    pub renewed: usize,
    pub unknown: u32,
    pub allowed: i64,
    pub done: Vec<bool>,
    /// Calls off charter.
    pub heard: walled::Heard,
    /// What the directory was asked about lists.
    pub lists: Vec<wire::lists::Question>,
    /// What it was told that others report.
    pub told: Vec<wire::reports::Told>,
}

pub struct Neighbourhood<T> {
    pub seen: Arc<Mutex<Seen>>,
    pub gate: Arc<Channel>,
    pub control: Arc<Channel>,
    /// What holds the edge itself.
    pub life: T,
}

pub struct Plan {
    pub scanners: Vec<Scanner>,
    pub kept: fn(usize) -> mailbox::ToEdge,
    pub queued: fn(usize) -> ToSender,
    pub memory: u64,
    pub room: bool,
    pub wrong_signature: bool,
    pub demo: bool,
    pub mailbox_dies_first: bool,
    /// Mailboxes that die with a whole message in hand, before they answer: whether each one's
    /// successor says that it was kept.
    pub mailbox_deaths: &'static [bool],
    /// Whose own servers are at the address of every client here.
    pub customers: Vec<Customer>,
    /// What hears the calls that the jail refuses.
    pub ear: fn(OwnedFd, Arc<Mutex<Seen>>),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            scanners: vec![Scanner::Finds(Vec::new())],
            kept: |_| mailbox::ToEdge::Kept,
            queued: |_| ToSender::Queued,
            memory: 64 << 20,
            room: true,
            wrong_signature: false,
            demo: false,
            mailbox_dies_first: false,
            mailbox_deaths: &[],
            customers: Vec::new(),
            ear: |_, _| {},
        }
    }
}

fn label(kind: Kind) -> Label {
    Label { instance: InstanceId([9; 6]), kind, person: None }
}

/// Joins the edge to a played neighbour.
fn join(control: &Channel, kind: Kind) -> Channel {
    let (near, far) = Channel::pair().unwrap();
    control.send(0, &Order::Join(label(kind)), &[far.into()]).unwrap();
    near
}

impl<T> Neighbourhood<T> {
    /// `live` is given the edge's end of its control channel.
    pub fn around(plan: Plan, live: impl FnOnce(Channel) -> T) -> Self {
        let (control, edge) = Channel::pair().unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let mut key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        if plan.wrong_signature {
            key = Ed25519KeyPair::from_seed_unchecked(&[8; 32])
                .unwrap()
                .public_key()
                .as_ref()
                .try_into()
                .unwrap();
        }
        let start = Start {
            kind_word: "edge".to_owned(),
            host_name: "mx.example.jp".to_owned(),
            statement_key: Some(key),
            demo: plan.demo,
            ..Start::default()
        };
        control.send(0, &Order::Begin(start), &[]).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let gate = Arc::new(join(&control, Kind::Gate));
        let control = Arc::new(control);
        play_gate(gate.clone(), seen.clone(), plan.memory);
        play_signer(join(&control, Kind::Signer));
        play_names(join(&control, Kind::Names));
        let transit = Transit::new();
        let customers = customers::Customers::new(plan.customers, control.clone(), seen.clone());
        let directory = join(&control, Kind::Directory);
        play_directory(directory, pair, transit.clone(), (seen.clone(), customers));
        play_post(join(&control, Kind::Post), seen.clone(), transit, plan.queued);
        if plan.mailbox_dies_first {
            drop(join(&control, Kind::Mailbox));
        }
        let mailbox = (plan.kept, plan.room, plan.mailbox_deaths);
        play_mailbox(control.clone(), seen.clone(), mailbox);
        let mut scanners = plan.scanners.clone();
        play_scanner(join(&control, Kind::Scanner), seen.clone(), next(&mut scanners));
        play_warden(control.clone(), seen.clone(), scanners, plan.ear);
        let life = live(edge);
        Self { seen, gate, control, life }
    }

    pub fn connect(&self) -> Client {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let local = listener.local_addr().unwrap();
        let client = TcpStream::connect(local).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let peer: SocketAddr = "203.0.113.9:4000".parse().unwrap();
        let connection = ConnectionId([1; 8]);
        let handed = FromGate::Handed { connection, peer, local, service: Service::Smtp };
        self.gate.send(0, &handed, &[OwnedFd::from(socket)]).unwrap();
        Client { stream: client, said: String::new() }
    }

    /// Waits until the warden was told something with these words.
    pub fn hears(&self, words: &str) {
        let has_heard = |seen: &Seen| seen.reports.iter().any(|report| report.contains(words));
        self.sees(words, has_heard);
    }

    /// Waits until it is so: what the neighbours were told they may read later than a client.
    pub fn sees(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let until = std::time::Instant::now() + LIMIT;
        while std::time::Instant::now() < until {
            if is_so(&self.seen.lock().unwrap()) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("never seen: {what}");
    }

    /// One whole message; everything that the edge said.
    pub fn deliver(&self, recipients: &[&str], text: &str) -> String {
        let mut client = self.connect();
        client.begin(recipients);
        client.say(&format!("{text}.\r\n"));
        client.hear();
        client.say("QUIT\r\n");
        client.hear_all();
        client.said
    }

    /// One whole message with what stands behind MAIL FROM: and RCPT TO:, and its last reply.
    pub fn mail(&self, from: &str, recipients: &[&str], text: &[u8]) -> String {
        let mut client = self.connect();
        client.hear();
        client.ask("EHLO client.example");
        client.ask(&format!("MAIL FROM:{from}"));
        for recipient in recipients {
            client.ask(&format!("RCPT TO:{recipient}"));
        }
        let reply = client.ask("DATA");
        if !reply.starts_with("354") {
            return client.said;
        }
        client.stream.write_all(text).unwrap();
        client.say(".\r\n");
        client.hear()
    }
}

fn next(scanners: &mut Vec<Scanner>) -> Scanner {
    if scanners.len() > 1 { scanners.remove(0) } else { scanners[0].clone() }
}

fn play_warden(
    control: Arc<Channel>,
    seen: Arc<Mutex<Seen>>,
    mut scanners: Vec<Scanner>,
    ear: fn(OwnedFd, Arc<Mutex<Seen>>),
) {
    thread::spawn(move || {
        while let Ok(mut frame) = control.receive(None) {
            match frame.read::<Report>().unwrap() {
                Report::Renew(Kind::Scanner) => {
                    seen.lock().unwrap().renewed += 1;
                    let scanner = next(&mut scanners);
                    play_scanner(join(&control, Kind::Scanner), seen.clone(), scanner);
                }
                Report::Jailed { .. } => {
                    if let Some(listener) = frame.descriptors.pop() {
                        ear(listener, seen.clone());
                    }
                }
                Report::Alarm { what } => seen.lock().unwrap().reports.push(what),
                Report::Note { text } => seen.lock().unwrap().reports.push(text),
                _ => {}
            }
        }
    });
}

fn play_gate(gate: Arc<Channel>, seen: Arc<Mutex<Seen>>, memory: u64) {
    thread::spawn(move || {
        while let Ok(frame) = gate.receive(None) {
            let mut seen = seen.lock().unwrap();
            match frame.read::<ToGate>().unwrap() {
                ToGate::Allow { bytes } => {
                    let fits = seen.allowed as u64 + bytes <= memory;
                    seen.allowed += if fits { bytes as i64 } else { 0 };
                    gate.send(frame.call, &FromGate::Allowed(fits), &[]).unwrap();
                }
                ToGate::Release { bytes } => seen.allowed -= bytes as i64,
                ToGate::Done { last, .. } => seen.done.push(last),
                ToGate::Unknown { count } => seen.unknown += count,
                ToGate::Begun { .. } => {}
            }
        }
    });
}

fn play_signer(channel: Channel) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["mx.example.jp".to_owned()]).unwrap();
    let leaf = params.self_signed(&key).unwrap().der().to_vec();
    thread::spawn(move || {
        use rcgen::SigningKey as _;
        use wire::signer::{FromSigner, ToSigner};
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<ToSigner>().unwrap() {
                ToSigner::Sign { message, .. } => {
                    FromSigner::Signature(key.sign(&message).unwrap())
                }
                _ => FromSigner::Chain {
                    certificates: vec![leaf.clone()],
                    schemes: vec![0x0403],
                    key: [0; 16],
                },
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn play_names(channel: Channel) {
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let _: Question = frame.read().unwrap();
            let outcome = Outcome::Records(vec![Record::Txt(b"told".to_vec())]);
            let answer = Answer { outcome, security: Security::Insecure, ttl_seconds: 1 };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn public_key(epoch: u32) -> PublicKey {
    let key = PrivateKey::generate(&ECDH_P256).unwrap();
    let bytes = key.compute_public_key().unwrap().as_ref().to_vec();
    PublicKey { suite: 1, epoch, bytes }
}

fn play_directory(
    channel: Channel,
    pair: Ed25519KeyPair,
    transit: Transit,
    (seen, customers): (Arc<Mutex<Seen>>, customers::Customers),
) {
    let person = |number: u8| directory::Recipient {
        user: UserId([number; 8]),
        body: public_key(2026),
        summary: public_key(24_323),
    };
    let people = [
        ("aoi@example.jp", 1, person(1)),
        ("ben@example.jp", 1, person(2)),
        ("aoi.alias@example.jp", 1, person(1)),
        ("cy@other.example", 2, person(3)),
        ("postmaster@mx.example.jp", 1, person(1)),
        ("strict@other.example", 2, person(4)),
        ("grey@other.example", 2, person(5)),
        ("fbl@other.example", 2, person(3)),
    ];
    thread::spawn(move || {
        let mut ended = false;
        let mut tries = 2;
        let mut met = HashSet::new();
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read::<directory::FromEdge>().unwrap() {
                directory::FromEdge::Tokens { tenant, digests } => {
                    let token = |digest: &[u8; 32]| [digest[0] ^ tenant.0[0]; 16];
                    directory::ToEdge::Tokens(digests.iter().map(token).collect())
                }
                directory::FromEdge::Answered { digest, .. } => {
                    directory::ToEdge::FirstAnswer(Some(met.insert(digest)))
                }
                directory::FromEdge::Outlets(_) => {
                    directory::ToEdge::Outlets(Some(customers.wanted()))
                }
                directory::FromEdge::Admit { shown, secret, has, .. } => {
                    directory::ToEdge::Admitted(customers.admit(&shown, &secret, has))
                }
                directory::FromEdge::Way(_, to) => directory::ToEdge::Way(Some(passing::way(&to))),
                directory::FromEdge::Routes(words) => {
                    let tokens = words.iter().map(|word| route(word)).collect();
                    directory::ToEdge::Routes(Some(tokens))
                }
                directory::FromEdge::HasDomain(domain) => {
                    let ours = ["example.jp", "other.example"];
                    directory::ToEdge::HasDomain(ours.contains(&domain.as_str()))
                }
                directory::FromEdge::FirstSeen { .. } => {
                    tries += 1;
                    directory::ToEdge::FirstSeen(Some([0, 299_999, 300_000][tries % 3]))
                }
                directory::FromEdge::ReturnPath { from, domain } => {
                    let (local, sender) = from.split_once('@').unwrap_or((from.as_str(), ""));
                    let path = format!("SRS0=hash=tt={sender}={local}@{domain}");
                    directory::ToEdge::ReturnPath(Some(path))
                }
                directory::FromEdge::List(question) => {
                    use wire::lists::{Answer, May, Question};
                    let answer = match &question {
                        Question::MayPost { author, bytes, .. } => Answer::May(match author {
                            Some(author) if author == "a@sender.example" && *bytes > 1_000 => {
                                May::TooLarge { limit: 1_000 }
                            }
                            Some(author) if author == "a@sender.example" => {
                                May::Yes { permit: [9; 16] }
                            }
                            _ => May::No,
                        }),
                        Question::Unsubscribe { address } if address.contains("-bbb") => {
                            Answer::Unknown
                        }
                        _ => Answer::Done,
                    };
                    seen.lock().unwrap().lists.push(question);
                    directory::ToEdge::List(answer)
                }
                directory::FromEdge::Report(told) => {
                    use wire::reports::Noted;
                    let noted = match told.by.as_str() {
                        "foreign.example" => Noted::Foreign,
                        "many.example" => Noted::Full,
                        "later.example" => Noted::Later,
                        _ => Noted::Kept,
                    };
                    seen.lock().unwrap().told.push(*told);
                    directory::ToEdge::Report(noted)
                }
                directory::FromEdge::Address(address) => {
                    let many = address.strip_prefix("many").and_then(|rest| rest.split_once('@'));
                    let many = many.map(|(number, _)| directory::Recipient {
                        user: UserId((1_000 + number.parse::<u64>().unwrap()).to_le_bytes()),
                        ..people[0].2.clone()
                    });
                    let many = many.map(|person| ("", 1, person));
                    let known = people.iter().find(|(known, _, _)| *known == address);
                    // Somebody who is here when they are asked for first, and no more.
                    let is_here =
                        address == "ending@example.jp" && !std::mem::replace(&mut ended, true);
                    let known = known.or(many.as_ref()).or(is_here.then_some(&people[0]));
                    let domain = address.rsplit_once('@').unwrap().1;
                    let going_on = beyond(&address);
                    directory::ToEdge::Stated(match known {
                        _ if going_on.is_some() => {
                            state_beyond(&pair, &address, going_on.unwrap(), &transit)
                        }
                        Some((_, tenant, person)) => state(&pair, &address, *tenant, person),
                        None if address.starts_with("later") => Stated::Later,
                        None if address.starts_with("unsaid") => Stated::Unsaid,
                        None if address.starts_with("asked") && domain == "example.jp" => {
                            Stated::Checking
                        }
                        None if domain == "example.jp" => Stated::Unknown,
                        None => Stated::Foreign,
                    })
                }
            };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

fn state(
    pair: &Ed25519KeyPair,
    address: &str,
    tenant: u8,
    person: &directory::Recipient,
) -> Stated {
    let mut settings = TenantSettings::default();
    settings.greylist = address.starts_with("grey");
    if address.starts_with("strict") {
        settings.refuse_from = 1.0;
    }
    let statement = Statement {
        onward: Vec::new(),
        transit: None,
        absence: None,
        address: address.to_owned(),
        tenant: TenantId([tenant; 8]),
        recipients: vec![person.clone()],
        settings,
        issued_ms: 0,
        valid_until_ms: u64::MAX,
    };
    signed(pair, &statement)
}

fn state_beyond(
    pair: &Ed25519KeyPair,
    address: &str,
    beyond: passing::Beyond,
    transit: &Transit,
) -> Stated {
    let tenant = TenantId([beyond.tenant; 8]);
    let statement = Statement {
        address: address.to_owned(),
        tenant,
        recipients: beyond.people,
        onward: beyond.onward,
        transit: Some(transit.public(tenant)),
        absence: beyond.absence,
        settings: TenantSettings::default(),
        issued_ms: 0,
        valid_until_ms: u64::MAX,
    };
    signed(pair, &statement)
}

fn signed(pair: &Ed25519KeyPair, statement: &Statement) -> Stated {
    let statement = postcard::to_stdvec(statement).unwrap();
    let signature = pair.sign(&[STATEMENT_DOMAIN, &statement].concat());
    Stated::Known { statement, signature: signature.as_ref().to_vec() }
}

fn play_mailbox(
    control: Arc<Channel>,
    seen: Arc<Mutex<Seen>>,
    (kept, room, deaths): (fn(usize) -> mailbox::ToEdge, bool, &'static [bool]),
) {
    let mut channel = join(&control, Kind::Mailbox);
    thread::spawn(move || {
        let (mut arrivals, mut deaths, mut was_kept) = (0, deaths.iter(), false);
        while let Ok(frame) = channel.receive(None) {
            match frame.read::<mailbox::FromEdge>().unwrap() {
                mailbox::FromEdge::Room { .. } => {
                    if seen.lock().unwrap().mailbox_is_mute {
                        continue;
                    }
                    channel.send(frame.call, &mailbox::ToEdge::Room(room), &[]).unwrap();
                }
                mailbox::FromEdge::HasKept { user, message } => {
                    let is_of = |copy: &Copy| (copy.user, copy.message) == (user, message);
                    assert!(seen.lock().unwrap().copies.iter().any(is_of));
                    channel.send(frame.call, &mailbox::ToEdge::HasKept(was_kept), &[]).unwrap();
                }
                mailbox::FromEdge::Keep { copies, journeys, more } => {
                    let mut seen = seen.lock().unwrap();
                    seen.frames += 1;
                    for copy in &copies {
                        let body = copy.body.content.clone();
                        seen.bodies.push(lent(&body, &frame));
                    }
                    seen.copies.extend(copies);
                    seen.journeys.extend(journeys);
                    if more || seen.mailbox_is_mute {
                        continue;
                    }
                    if let Some(is_kept) = deaths.next() {
                        was_kept = *is_kept;
                        drop(channel);
                        channel = join(&control, Kind::Mailbox);
                        continue;
                    }
                    arrivals += 1;
                    channel.send(frame.call, &kept(arrivals), &[]).unwrap();
                }
            }
        }
    });
}

/// A large body is lent.
fn lent(body: &wire::Parcel, frame: &wire::Frame) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let Some(file) = body.lent(&frame.descriptors).unwrap() else {
        return body.clone().open(&frame.descriptors).unwrap();
    };
    let mut octets = vec![0; body.len() as usize];
    file.read_exact_at(&mut octets, 0).unwrap();
    octets
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

/// Facts of a sender whose domain proved itself.
fn proven() -> policy::Authentication {
    policy::Authentication { spf: policy::Outcome::Pass, ..policy::Authentication::default() }
}

fn play_scanner(channel: Channel, seen: Arc<Mutex<Seen>>, scanner: Scanner) {
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let ToScanner::Examine(task) = frame.read().unwrap() else { panic!() };
            let message = whole(task.message, &frame, &channel);
            let mut found = Examined {
                findings: Vec::new(),
                parts: 1,
                authentication: postcard::to_stdvec(&proven()).unwrap(),
                authentication_results: "Authentication-Results: mx.example.jp; spf=pass\r\n"
                    .into(),
                forged: Vec::new(),
                summary: b"summary".to_vec(),
                trace_digests: vec![[5; 32]],
                header: Some(Header {
                    named: vec![trace::digest("away@away.example")],
                    ..Header::default()
                }),
                micros: 1,
                report: None,
            };
            match &scanner {
                Scanner::Dies => return,
                Scanner::Finds(findings) => found.findings = findings.clone(),
                Scanner::Lies(forged, field) => {
                    found.forged = forged.clone();
                    found.authentication_results = field.clone();
                }
                Scanner::Asks => {
                    let name = "sender.example".to_owned();
                    let question = Question { name, kind: RecordKind::Txt };
                    channel.send(frame.call, &FromScanner::Question(question), &[]).unwrap();
                    let answer = channel.receive(Some(LIMIT)).unwrap();
                    let ToScanner::Answer(answer) = answer.read().unwrap() else { panic!() };
                    assert_eq!(
                        answer.outcome,
                        Outcome::Records(vec![Record::Txt(b"told".to_vec())])
                    );
                }
                Scanner::Reads(header, findings) => {
                    found.header = Some(header.clone());
                    found.findings = findings.clone();
                }
                Scanner::Proves(header, facts) => {
                    found.header = Some(header.clone());
                    found.authentication = postcard::to_stdvec(facts).unwrap();
                }
                Scanner::Reports(facts, report) => {
                    found.header = Some(Header {
                        message_id: "<r1@sender.example>".to_owned(),
                        ..Header::default()
                    });
                    found.authentication = postcard::to_stdvec(facts).unwrap();
                    found.report = Some(report.clone());
                }
                Scanner::Retires => {}
            }
            seen.lock().unwrap().scanned.push(message);
            let examined = FromScanner::Examined(Box::new(found));
            if channel.send(frame.call, &examined, &[]).is_err() {
                return;
            }
            if matches!(scanner, Scanner::Retires) {
                return;
            }
        }
    });
}

pub struct Client {
    pub stream: TcpStream,
    pub said: String,
}

impl Client {
    pub fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// One whole reply.
    pub fn hear(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = Vec::new();
            let mut octet = [0];
            while !line.ends_with(b"\n") && self.stream.read(&mut octet).unwrap_or(0) == 1 {
                line.push(octet[0]);
            }
            let line = String::from_utf8(line).unwrap();
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                self.said.push_str(&reply);
                return reply;
            }
        }
    }

    pub fn hear_all(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        self.said.push_str(&String::from_utf8_lossy(&rest));
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.say(&format!("{line}\r\n"));
        self.hear()
    }

    pub fn begin(&mut self, recipients: &[&str]) {
        self.hear();
        self.ask("EHLO client.example");
        self.ask("MAIL FROM:<a@sender.example>");
        for recipient in recipients {
            self.ask(&format!("RCPT TO:<{recipient}>"));
        }
        self.ask("DATA");
    }
}

/// Says each line under TLS once the one before was answered; everything heard.
pub fn through_tls(stream: TcpStream, lines: &[&str]) -> String {
    through_tls_as(stream, None, lines)
}

/// The same, showing a certificate to whoever asks for one.
pub fn through_tls_as(mut stream: TcpStream, shown: Option<Shown>, lines: &[&str]) -> String {
    use rustls::client::danger::HandshakeSignatureValid;
    use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

    /// The test's own client trusts whom it talks to; whether that is right is `tls`'s test.
    #[derive(Debug)]
    struct Anybody;
    impl rustls::client::danger::ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &[rustls::pki_types::CertificateDer<'_>],
            _: &rustls::pki_types::ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &rustls::pki_types::CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let config = match shown {
        Some(Shown { chain, key }) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let name = "mx.example.jp".try_into().unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tls = rustls::Stream::new(&mut tls, &mut stream);
    let mut said = String::new();
    for line in lines {
        tls.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let mut piece = [0; 4096];
        let count = tls.read(&mut piece).unwrap();
        said.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
    said
}
