//! The real pages in its real walls: visitors honest and not, and no call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use terms::{ConnectionId, InstanceId, Kind};
use walled::Born;
use wire::control::{Order, Service, Start};
use wire::gate::{FromGate, ToGate};
use wire::pages::{FromPages, Hosted, ToPages, TransportPolicy};
use wire::signer::{FromSigner, ToSigner};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(30);
const HOST: &str = "mta-sts.kaede.example";
const GET: &str = "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.kaede.example\r\n\r\n";

fn main() -> ExitCode {
    walled::main(|| compartment::zygote_main(pages::serve), live)
}

fn live() {
    let house = House::stand();
    for (what, visit) in [
        ("an honest visitor", honest as fn(&House)),
        ("many requests", many_requests),
        ("a directory that comes back", another_directory),
        ("pipelined requests", pipelined),
        ("smuggled requests", smuggled),
        ("a client without TLS", in_clear),
        ("a client that says nothing after its handshake", idle),
        ("one octet a second", slow),
        ("a house that closes", closing),
    ] {
        println!("{what}");
        visit(&house);
    }
    house.zygote.control.send(0, &Order::Stop, &[]).unwrap();
    house.zygote.heard.assert_nothing_off_charter();
    house.zygote.heard.assert_listeners(10);
}

struct House {
    zygote: Born,
    key: Arc<KeyPair>,
    leaf: Vec<u8>,
}

/// One instance with its connection: the gate's and the warden's ends.
struct Served {
    warden: Channel,
    gate: Channel,
    socket: TcpStream,
}

impl House {
    fn stand() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        let leaf = params.self_signed(&key).unwrap().der().to_vec();
        let zygote = walled::born(Kind::Pages, Start::default());
        Self { zygote, key: Arc::new(key), leaf }
    }

    /// An instance that has been handed a connection; its signer is played.
    fn visit(&self) -> Served {
        let (own, warden) = Channel::pair().unwrap();
        let start = Start {
            kind_word: "pages".to_owned(),
            host_name: "mx.house.example".to_owned(),
            pages_url: "https://pages.house.example".to_owned(),
            ports: vec![(Service::Imaps, 993)],
            ..Start::default()
        };
        warden.send(0, &Order::Begin(start), &[]).unwrap();
        self.zygote.fork(own);
        self.zygote.heard.follow(Kind::Pages, &warden);
        let gate = join(&warden, Kind::Gate);
        let signer = join(&warden, Kind::Signer);
        let (leaf, key) = (self.leaf.clone(), self.key.clone());
        thread::spawn(move || sign(&signer, &leaf, &key));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let (theirs, peer) = listener.accept().unwrap();
        let local = theirs.local_addr().unwrap();
        let (connection, service) = (ConnectionId([1; 8]), Service::Https);
        let handed = FromGate::Handed { connection, peer, local, service };
        gate.send(0, &handed, &[theirs.into()]).unwrap();
        let begun: ToGate = gate.receive(Some(LIMIT)).unwrap().read().unwrap();
        assert!(matches!(begun, ToGate::Begun { .. }));
        Served { warden, gate, socket }
    }

    fn with_directory(&self) -> Served {
        let served = self.visit();
        answer_as_directory(join(&served.warden, Kind::Directory));
        served
    }

    fn tls(&self, served: &Served) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.leaf.clone())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(client, served.socket.try_clone().unwrap())
    }

    /// The instance has told the gate that it is done, and has ended well.
    fn ended(&self, served: &Served) {
        let done: ToGate = served.gate.receive(Some(LIMIT)).unwrap().read().unwrap();
        assert!(matches!(done, ToGate::Done { last: true, .. }));
        self.zygote.ended_well();
    }
}

fn join(warden: &Channel, kind: Kind) -> Channel {
    walled::join(warden, Label { instance: InstanceId([9; 6]), kind, person: None })
}

fn sign(signer: &Channel, leaf: &[u8], key: &KeyPair) {
    while let Ok(frame) = signer.receive(None) {
        let answer = match frame.read().unwrap() {
            ToSigner::Chain { .. } => FromSigner::Chain {
                certificates: vec![leaf.to_vec()],
                schemes: vec![0x0403],
                key: [0; 16],
            },
            ToSigner::Sign { message, .. } => FromSigner::Signature(key.sign(&message).unwrap()),
            _ => FromSigner::Refused,
        };
        signer.send(frame.call, &answer, &[]).unwrap();
    }
}

fn answer_as_directory(directory: Channel) {
    thread::spawn(move || {
        while let Ok(frame) = directory.receive(None) {
            let answer = match frame.read().unwrap() {
                FromPages::Domain(name) if name == "kaede.example" => {
                    let transport = TransportPolicy::default();
                    ToPages::Domain(Some(Hosted { transport, reads_elsewhere: false }))
                }
                FromPages::Domain(_) => ToPages::Domain(None),
                FromPages::Unsubscribe { .. }
                | FromPages::Held { .. }
                | FromPages::Subscription { .. } => ToPages::Unknown,
            };
            directory.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

/// One answer: its head, and as many octets of body as it says.
fn answer(line: &mut impl Read) -> String {
    let (mut read, mut octet) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        line.read_exact(&mut octet).unwrap();
        read.push(octet[0]);
    }
    let head = String::from_utf8(read).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    line.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// Whatever comes until the end, with or without TLS's goodbye.
fn rest(line: &mut impl Read) -> String {
    let mut read = Vec::new();
    match line.read_to_end(&mut read) {
        Ok(_) => {}
        Err(fault) => assert_ne!(fault.kind(), ErrorKind::WouldBlock, "it stays"),
    }
    String::from_utf8(read).unwrap()
}

fn honest(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    line.write_all(GET.as_bytes()).unwrap();
    let policy = answer(&mut line);
    assert!(policy.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{policy}");
    assert!(policy.ends_with("mode: testing\r\nmx: mx.house.example\r\nmax_age: 1209600\r\n"));
    let other = "GET / HTTP/1.1\r\nHost: pages.house.example\r\nConnection: close\r\n\r\n";
    line.write_all(other.as_bytes()).unwrap();
    let misdirected = rest(&mut line);
    assert!(misdirected.starts_with("HTTP/1.1 421 "), "{misdirected}");
    house.ended(&served);
}

fn many_requests(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    for round in 1..=100 {
        line.write_all(GET.as_bytes()).unwrap();
        let answer = answer(&mut line);
        assert_eq!(answer.contains("\r\nConnection: close\r\n"), round == 100);
    }
    assert_eq!(rest(&mut line), "");
    house.ended(&served);
}

fn another_directory(house: &House) {
    let served = house.visit();
    // The first one dies with the question in hand.
    let first = join(&served.warden, Kind::Directory);
    let mut line = house.tls(&served);
    line.write_all(GET.as_bytes()).unwrap();
    first.receive(Some(LIMIT)).unwrap();
    drop(first);
    answer_as_directory(join(&served.warden, Kind::Directory));
    assert!(answer(&mut line).starts_with("HTTP/1.1 200 "));
    drop((line, served.socket.shutdown(Shutdown::Both)));
    house.ended(&served);
    // None comes: the visitor is told so in time.
    let served = house.visit();
    let mut line = house.tls(&served);
    line.write_all(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let begun = Instant::now();
    assert!(rest(&mut line).starts_with("HTTP/1.1 503 "));
    assert!(begun.elapsed() < Duration::from_secs(8));
    house.ended(&served);
}

fn pipelined(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    let head = GET.replacen("GET", "HEAD", 1);
    line.write_all(format!("{GET}{GET}{head}GET / HTTP/1.0\r\n\r\n{GET}").as_bytes()).unwrap();
    let all = rest(&mut line);
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 3, "{all}");
    assert_eq!(all.matches("version: STSv1").count(), 2, "{all}");
    assert_eq!(all.matches("HTTP/1.1 505 ").count(), 1, "{all}");
    house.ended(&served);
}

/// What would be a second request to somebody else is none here.
fn smuggled(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    let host = "Host: mta-sts.kaede.example\r\n";
    let request = format!(
        "POST /x HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n{GET}"
    );
    line.write_all(request.as_bytes()).unwrap();
    let all = rest(&mut line);
    assert!(all.starts_with("HTTP/1.1 400 ") && !all.contains("STSv1"), "{all}");
    house.ended(&served);
}

fn in_clear(house: &House) {
    let served = house.with_directory();
    let mut socket = &served.socket;
    socket.write_all(GET.as_bytes()).unwrap();
    let mut came = Vec::new();
    let _ = socket.read_to_end(&mut came);
    assert!(!came.starts_with(b"HTTP"));
    house.ended(&served);
}

fn idle(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    line.conn.complete_io(&mut line.sock).unwrap();
    let begun = Instant::now();
    assert_eq!(rest(&mut line), "");
    assert!((8..14).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    house.ended(&served);
}

fn slow(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    let begun = Instant::now();
    for octet in GET.as_bytes() {
        if begun.elapsed() > Duration::from_secs(15) || line.write_all(&[*octet]).is_err() {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    let told = rest(&mut line);
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    house.ended(&served);
}

fn closing(house: &House) {
    let served = house.with_directory();
    let mut line = house.tls(&served);
    line.write_all(GET.as_bytes()).unwrap();
    answer(&mut line);
    served.gate.send(0, &FromGate::Closing, &[]).unwrap();
    let begun = Instant::now();
    assert_eq!(rest(&mut line), "");
    assert!(begun.elapsed() < Duration::from_secs(4));
    house.ended(&served);
}
