//! A client that speaks lines over TLS.

use super::{SECRET, World};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

pub struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    number: u32,
}

impl Client {
    /// Connects and reads the greeting.
    pub fn new(world: &World) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(world.authority.clone())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("mail.localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
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
