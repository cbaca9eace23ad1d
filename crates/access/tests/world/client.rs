//! A client that speaks lines over TLS.

use super::{SECRET, World};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use wire::control::Service;

fn tls(world: &World) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(world.authority.clone())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mail.localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

pub struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    number: u32,
}

impl Client {
    /// Connects and reads the greeting.
    pub fn new(world: &World) -> Self {
        let tls = tls(world);
        let socket = TcpStream::connect(world.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let stream = BufReader::new(StreamOwned::new(tls, socket));
        let mut client = Self { stream, number: 0 };
        client.line();
        client
    }

    /// One that is signed in over IMAP.
    pub fn signed_in(world: &World) -> Self {
        let mut client = Self::new(world);
        let answer = client.ask(&format!("LOGIN aoi@example.jp {SECRET}"));
        assert!(answer.contains("OK [CAPABILITY"), "{answer}");
        client
    }

    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).into_owned()
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Sends a command; everything up to its tagged answer, the tag written as `x`.
    pub fn ask(&mut self, command: &str) -> String {
        self.number += 1;
        let tag = format!("t{}", self.number);
        self.send(format!("{tag} {command}\r\n").as_bytes());
        self.answer(&tag)
    }

    pub fn answer(&mut self, tag: &str) -> String {
        let mut answer = String::new();
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "closed after {answer}");
            if let Some(rest) = line.strip_prefix(tag) {
                return answer + "x" + rest;
            }
            answer += &line;
        }
    }

    pub fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        rest
    }
}

/// A client that hands in mail: in clear, or under TLS as its service has it.
pub struct Sender {
    stream: BufReader<Wire>,
}

enum Wire {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Sender {
    /// Up to the greeting, or behind STARTTLS.
    pub fn new(world: &World, service: Service) -> Self {
        if service == Service::Submissions {
            let socket = TcpStream::connect(world.address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let stream = StreamOwned::new(tls(world), socket);
            let mut sender = Self { stream: BufReader::new(Wire::Tls(Box::new(stream))) };
            assert!(sender.line().starts_with("220 "));
            return sender;
        }
        let mut sender = Self::in_clear(world);
        sender.asks("EHLO c", "250");
        sender.asks("STARTTLS", "220");
        let Wire::Clear(socket) = sender.stream.into_inner() else { panic!() };
        let stream = StreamOwned::new(tls(world), socket);
        Self { stream: BufReader::new(Wire::Tls(Box::new(stream))) }
    }

    pub fn in_clear(world: &World) -> Self {
        let socket = TcpStream::connect(world.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut sender = Self { stream: BufReader::new(Wire::Clear(socket)) };
        assert!(sender.line().starts_with("220 "));
        sender
    }

    pub fn say(&mut self, text: &str) {
        match self.stream.get_mut() {
            Wire::Clear(stream) => stream.write_all(text.as_bytes()).unwrap(),
            Wire::Tls(stream) => {
                stream.write_all(text.as_bytes()).unwrap();
                stream.flush().unwrap();
            }
        }
    }

    /// Says a line; the whole answer, which begins with `expected`.
    pub fn asks(&mut self, line: &str, expected: &str) -> String {
        self.say(&format!("{line}\r\n"));
        let mut answer = String::new();
        loop {
            let line = self.line();
            answer += &line;
            if line.is_empty() || line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        assert!(answer.starts_with(expected), "{line}: {answer}");
        answer
    }

    /// One line; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.stream.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }
}
