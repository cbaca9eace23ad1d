//! Everybody around a fetch, played: warden, names, and a web server.

#![allow(dead_code)]

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Relay, Report, Start};
use wire::fetch::{Answer, Ask};
use wire::names::{self, Outcome, Question, Record, RecordKind, Security};
use wire::{Channel, Label};

pub const LIMIT: Duration = Duration::from_secs(30);

/// A web server that answers every request with these octets and closes.
pub struct Web {
    pub at: SocketAddr,
    pub requests: Arc<Mutex<Vec<String>>>,
    pub pem: String,
}

impl Web {
    /// `good_bye`: it ends TLS in good order. No answer: it keeps silent.
    pub fn that(name: &str, answer: Option<&str>, good_bye: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (memory, answer) = (requests.clone(), answer.map(str::to_owned));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(connection, socket);
                let (memory, answer) = (memory.clone(), answer.clone());
                thread::spawn(move || {
                    let mut request = Vec::new();
                    let mut octet = [0];
                    while !request.ends_with(b"\r\n\r\n") {
                        match stream.read(&mut octet) {
                            Ok(1) => request.push(octet[0]),
                            _ => return,
                        }
                    }
                    memory.lock().unwrap().push(String::from_utf8(request).unwrap());
                    match answer {
                        Some(answer) => {
                            stream.write_all(answer.as_bytes()).unwrap();
                            if good_bye {
                                stream.conn.send_close_notify();
                            }
                            let _ = stream.flush();
                        }
                        None => while stream.read(&mut octet).is_ok_and(|count| count > 0) {},
                    }
                });
            }
        });
        Self { at, requests, pem: certificate.pem() }
    }
}

impl Web {
    /// It takes connections and says not a word.
    pub fn mute() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        thread::spawn(move || {
            let held: Vec<TcpStream> = listener.incoming().flatten().collect();
            drop(held);
        });
        Self { at, requests: Arc::default(), pem: String::new() }
    }
}

/// What is told to the fetch, and the world around it.
pub fn start(authorities: &str) -> Start {
    Start {
        kind_word: "fetch".to_owned(),
        relay: Relay { authorities: authorities.to_owned(), ..Relay::default() },
        ..Start::default()
    }
}

/// Answers what the fetch wants of its warden: sockets to `web`, whatever the address.
/// Pulses that were answered, by whichever fetch.
pub static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// An address that the warden has no answer for in time.
pub const UNDIALLED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

pub fn play_warden(control: Arc<Channel>, web: SocketAddr) {
    thread::spawn(move || {
        while let Ok(frame) = control.receive(None) {
            let report = frame.read();
            if matches!(report, Ok(Report::Alive)) {
                ALIVE.fetch_add(1, Ordering::SeqCst);
            }
            if let Ok(Report::Dial { call, to, .. }) = report {
                if to == UNDIALLED {
                    continue;
                }
                let is_named = to.ip().is_loopback();
                assert!(matches!(to.port(), 25 | 443) || is_named);
                let (refused, sockets) = match to.ip() {
                    // What was named at the start is dialled as it was named.
                    _ if is_named => (None, vec![OwnedFd::from(TcpStream::connect(to).unwrap())]),
                    IpAddr::V4(four) if four == Ipv4Addr::new(192, 0, 2, 1) => {
                        (None, vec![OwnedFd::from(TcpStream::connect(web).unwrap())])
                    }
                    _ => (Some("the address is not a public one".to_owned()), Vec::new()),
                };
                control.send(0, &Order::Dialled { call, refused }, &sockets).unwrap();
            }
        }
    });
}

pub fn join(control: &Channel, kind: Kind, number: u8) -> Channel {
    let (near, far) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([number; 6]), kind, person: None };
    control.send(0, &Order::Join(label), &[far.into()]).unwrap();
    near
}

/// `web.example` is the web server, behind an address that leads nowhere; `inner.example` is none
/// that may be asked.
pub fn play_names(channel: Channel) {
    thread::spawn(move || {
        while let Ok(frame) = channel.receive(None) {
            let question: Question = frame.read().unwrap();
            let a = |last: &[u8]| {
                let record = |last: &u8| Record::A(Ipv4Addr::new(192, 0, 2, *last));
                Outcome::Records(last.iter().map(record).collect())
            };
            let outcome = match (question.name.as_str(), question.kind) {
                ("web.example", RecordKind::A) => a(&[9, 1]),
                ("also.example", RecordKind::A) => a(&[1]),
                ("inner.example", RecordKind::A) => a(&[9]),
                ("silent.example", _) => continue,
                _ => Outcome::NoSuchName,
            };
            let answer = names::Answer { outcome, security: Security::Insecure, ttl_seconds: 1 };
            channel.send(frame.call, &answer, &[]).unwrap();
        }
    });
}

/// A relay that takes one letter, or answers its end as it is told; and all that it heard.
pub fn play_relay(end: &str) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let (memory, end) = (heard.clone(), end.to_owned());
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap());
        let say = |text: &str| (&socket).write_all(format!("{text}\r\n").as_bytes()).unwrap();
        say("220 relay.example");
        let mut is_text = false;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            memory.lock().unwrap().push_str(&line);
            match line.trim_end() {
                "." if is_text => {
                    is_text = false;
                    say(&end);
                }
                _ if is_text => {}
                "DATA" => {
                    is_text = true;
                    say("354 go on");
                }
                "QUIT" => return say("221 bye"),
                _ => say("250 ok"),
            }
        }
    });
    (at, heard)
}

pub fn get(host: &str) -> Ask {
    Ask::Get { host: host.to_owned(), path: "/x".to_owned(), limit: 100 }
}

pub fn ask(asker: &mut Channel, ask: &Ask) -> Answer {
    asker.ask(ask, &[], LIMIT).unwrap().0
}

/// A mail server that says one of these lines (or pieces of them) to each of ours, the first at
/// once; and all that it heard.
pub fn play_server(says: &[&str]) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let memory = heard.clone();
    let says: Vec<Vec<u8>> = says.iter().map(|one| one.as_bytes().to_vec()).collect();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut lines = BufReader::new(socket.try_clone().unwrap());
            for says in &says {
                if (&socket).write_all(says).is_err() {
                    break;
                }
                let mut line = String::new();
                if lines.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                memory.lock().unwrap().push_str(&line);
            }
            // It holds the connection, and says no more.
            thread::spawn(move || {
                let mut rest = Vec::new();
                let _ = lines.read_to_end(&mut rest);
            });
        }
    });
    (at, heard)
}
