//! A mail server at the other end: polite unless told otherwise, and with a memory.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What it says to a line on its nth connection; `None`: what a polite server says. `greet` is
/// asked for before the first line, `.` at the end of a text. `(close)` closes without a word,
/// `(silence)` says nothing more, and octets are sent as they are: the ends of lines too.
pub type Way = fn(usize, &str) -> Option<String>;

/// What a remote heard.
#[derive(Default)]
pub struct Heard {
    /// All octets in order, each connection's its own; under TLS what was inside.
    pub connections: Vec<Vec<u8>>,
    /// Texts that were taken, dots undone.
    pub texts: Vec<String>,
    /// Connections that were secured.
    pub secured: usize,
}

pub struct Remote {
    pub at: SocketAddr,
    pub heard: Arc<Mutex<Heard>>,
}

impl Remote {
    pub fn polite() -> Self {
        Self::that(|_, _| None)
    }

    pub fn that(way: Way) -> Self {
        Self::with(way, None)
    }

    pub fn with(way: Way, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let memory = heard.clone();
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let Ok(socket) = socket else { return };
                memory.lock().unwrap().connections.push(Vec::new());
                let (memory, came) = (memory.clone(), VecDeque::new());
                let talk = Talk { stream: Stream::Clear(socket), number, memory, came };
                let tls = tls.clone();
                thread::spawn(move || talk.serve(way, tls));
            }
        });
        Self { at, heard }
    }

    pub fn texts(&self) -> Vec<String> {
        self.heard.lock().unwrap().texts.clone()
    }

    pub fn secured(&self) -> usize {
        self.heard.lock().unwrap().secured
    }

    /// Everything that was said to it.
    pub fn said(&self) -> String {
        let heard = self.heard.lock().unwrap();
        let all: Vec<String> =
            heard.connections.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect();
        all.join("|")
    }

    /// No CR without its LF, and no LF without its CR.
    pub fn heard_only_whole_lines(&self) {
        for octets in &self.heard.lock().unwrap().connections {
            for (at, octet) in octets.iter().enumerate() {
                match octet {
                    b'\n' => assert_eq!(at.checked_sub(1).map(|at| octets[at]), Some(b'\r')),
                    b'\r' => assert!(matches!(octets.get(at + 1), None | Some(b'\n'))),
                    _ => {}
                }
            }
        }
    }
}

enum Stream {
    Clear(TcpStream),
    Secure(Box<StreamOwned<ServerConnection, TcpStream>>),
    Gone,
}

impl Stream {
    fn read(&mut self, into: &mut [u8]) -> usize {
        match self {
            Self::Clear(stream) => stream.read(into).unwrap_or(0),
            Self::Secure(stream) => stream.read(into).unwrap_or(0),
            Self::Gone => 0,
        }
    }

    fn write(&mut self, octets: &[u8]) {
        let _ = match self {
            Self::Clear(stream) => stream.write_all(octets),
            Self::Secure(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
            Self::Gone => Ok(()),
        };
    }
}

struct Talk {
    stream: Stream,
    number: usize,
    memory: Arc<Mutex<Heard>>,
    /// What was read and not looked at.
    came: VecDeque<u8>,
}

impl Talk {
    fn serve(mut self, way: Way, tls: Option<Arc<ServerConfig>>) {
        if !self.say(way(self.number, "greet"), "220 mx.there.example ESMTP\r\n") {
            return;
        }
        while let Some(line) = self.line() {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let is_clear = matches!(self.stream, Stream::Clear(_));
            let usual = match verb.as_str() {
                "EHLO" if tls.is_some() && is_clear => {
                    "250-mx.there.example\r\n250-STARTTLS\r\n250 SIZE 99000000\r\n"
                }
                "EHLO" => {
                    "250-mx.there.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n\
                     250 SIZE 99000000\r\n"
                }
                "STARTTLS" => "220 go\r\n",
                "DATA" => "354 go\r\n",
                "QUIT" => "221 bye\r\n",
                _ => "250 2.0.0 ok\r\n",
            };
            let said = way(self.number, &line);
            let is_usual = said.is_none();
            let goes_on = said.as_deref().unwrap_or(usual).starts_with("354");
            if !self.say(said, usual) {
                return;
            }
            match verb.as_str() {
                "DATA" if goes_on => {
                    let Some(text) = self.text() else { return };
                    let said = way(self.number, ".");
                    if said.as_deref().is_none_or(|said| said.contains("250")) {
                        self.memory.lock().unwrap().texts.push(text);
                    }
                    if !self.say(said, "250 2.0.0 taken\r\n") {
                        return;
                    }
                }
                "STARTTLS" if is_usual => match tls.clone() {
                    Some(tls) => self.secure(tls),
                    None => return,
                },
                "QUIT" => return,
                _ => {}
            }
        }
    }

    /// Whether the conversation goes on.
    fn say(&mut self, said: Option<String>, usual: &str) -> bool {
        match said.as_deref() {
            Some("(close)") => return false,
            Some("(silence)") => {
                while self.line().is_some() {}
                return false;
            }
            Some(slow) if slow.starts_with("(slow)") => {
                for octet in slow.trim_start_matches("(slow)").bytes() {
                    self.stream.write(&[octet]);
                    thread::sleep(Duration::from_millis(1));
                }
            }
            Some(said) => self.stream.write(said.as_bytes()),
            None => self.stream.write(usual.as_bytes()),
        }
        true
    }

    fn octet(&mut self) -> Option<u8> {
        if self.came.is_empty() {
            let mut octets = [0; 16 * 1024];
            let count = self.stream.read(&mut octets);
            self.came.extend(&octets[..count]);
        }
        let octet = self.came.pop_front()?;
        self.memory.lock().unwrap().connections[self.number].push(octet);
        Some(octet)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(self.octet()?);
        }
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(self.octet()?);
            }
            if line == b".\r\n" {
                return Some(text);
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            text.push_str(&String::from_utf8_lossy(line));
        }
    }

    fn secure(&mut self, config: Arc<ServerConfig>) {
        let Stream::Clear(socket) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return;
        };
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
        while stream.conn.is_handshaking() {
            if stream.conn.complete_io(&mut stream.sock).is_err() {
                return;
            }
        }
        self.memory.lock().unwrap().secured += 1;
        self.stream = Stream::Secure(Box::new(stream));
    }
}

/// An authority and what it says about names.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// A server's configuration for this name, its chain up to here; and its leaf.
    pub fn server(&self, name: &str) -> (Arc<ServerConfig>, Vec<u8>) {
        self.server_until(name, 4_000)
    }

    /// The same, of which the certificate is over with that year's beginning.
    pub fn server_until(&self, name: &str, year: i32) -> (Arc<ServerConfig>, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let chain: Vec<CertificateDer<'static>> =
            vec![leaf.der().clone(), self.certificate.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        (Arc::new(config), leaf.der().to_vec())
    }
}
