//! A sender on a plain socket: it says exactly what a case wants it to say.

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Plain or over TLS.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A client's own certificate, its chain up, and its key.
pub struct Shown {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: Vec<u8>,
}

/// Over TLS, trusting the demo's own authority only.
pub fn tls(socket: TcpStream, authority: &Path) -> std::io::Result<Tls> {
    tls_as(socket, authority, None)
}

fn tls_as(socket: TcpStream, authority: &Path, shown: Option<&Shown>) -> std::io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match shown {
        Some(shown) => {
            let key = PrivatePkcs8KeyDer::from(shown.key.clone());
            builder.with_client_auth_cert(shown.chain.clone(), key.into()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("mail.localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(client, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

pub fn socket(to: &str) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A reply with its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub lines: Vec<String>,
}

impl Reply {
    pub fn has(&self, what: &str) -> bool {
        self.lines.iter().any(|line| line == what || line.starts_with(&format!("{what} ")))
    }
}

pub struct Sender {
    stream: BufReader<Box<dyn Stream>>,
    plain: Option<TcpStream>,
}

impl Sender {
    /// After the greeting.
    pub fn connect(to: &str) -> std::io::Result<Self> {
        let socket = socket(to)?;
        let plain = Some(socket.try_clone()?);
        let mut sender = Self { stream: BufReader::new(Box::new(socket)), plain };
        match sender.reply()? {
            Reply { code: 220, .. } => Ok(sender),
            other => Err(std::io::Error::other(format!("greeted with {other:?}"))),
        }
    }

    /// After the greeting, over TLS from the first octet.
    pub fn over_tls(to: &str, authority: &Path) -> std::io::Result<Self> {
        let stream = tls(socket(to)?, authority)?;
        let mut sender = Self { stream: BufReader::new(Box::new(stream)), plain: None };
        match sender.reply()? {
            Reply { code: 220, .. } => Ok(sender),
            other => Err(std::io::Error::other(format!("greeted with {other:?}"))),
        }
    }

    /// After the greeting and EHLO.
    pub fn greeted(to: &str) -> Self {
        let mut sender = Self::connect(to).unwrap();
        assert_eq!(sender.say("EHLO sender.example").code, 250);
        sender
    }

    /// Everything from here on over TLS; STARTTLS was answered 220.
    pub fn secured(mut self, authority: &Path) -> std::io::Result<Self> {
        let stream = tls(self.plain.take().unwrap(), authority)?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), plain: None })
    }

    /// The same, showing a certificate to whoever asks for one.
    pub fn secured_as(mut self, authority: &Path, shown: &Shown) -> std::io::Result<Self> {
        let stream = tls_as(self.plain.take().unwrap(), authority, Some(shown))?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), plain: None })
    }

    pub fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(octets)?;
        self.stream.get_mut().flush()
    }

    pub fn ask(&mut self, command: &str) -> std::io::Result<Reply> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    pub fn say(&mut self, command: &str) -> Reply {
        self.ask(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub fn reply(&mut self) -> std::io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end_matches("\r\n");
            let (code, rest) = line.split_at_checked(3).unwrap_or(("0", ""));
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            if !rest.starts_with('-') {
                return Ok(Reply { code: code.parse().unwrap_or(0), lines });
            }
        }
    }

    /// MAIL, RCPT for each, DATA: until 354.
    pub fn offer(&mut self, from: &str, to: &[&str]) -> std::io::Result<Reply> {
        let mut reply = self.ask(&format!("MAIL FROM:<{from}>"))?;
        for address in to {
            if reply.code == 250 {
                reply = self.ask(&format!("RCPT TO:<{address}>"))?;
            }
        }
        match reply.code {
            250 => self.ask("DATA"),
            _ => Ok(reply),
        }
    }

    /// One letter in this session; the last reply.
    pub fn letter(&mut self, from: &str, to: &[&str], octets: &[u8]) -> std::io::Result<Reply> {
        let reply = self.offer(from, to)?;
        if reply.code != 354 {
            return Ok(reply);
        }
        self.send(&stuffed(octets))?;
        self.send(b".\r\n")?;
        self.reply()
    }
}

/// One letter in one session from `sender.example`, which passes SPF.
pub fn deliver(to: &str, recipients: &[&str], octets: &[u8]) -> Reply {
    let mut sender = Sender::greeted(to);
    let reply = sender.letter("carol@sender.example", recipients, octets).unwrap();
    let _ = sender.ask("QUIT");
    reply
}

/// RFC 5321 §4.5.2.
pub fn stuffed(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 16);
    let mut is_line_start = true;
    for byte in octets {
        if is_line_start && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        is_line_start = *byte == b'\n';
    }
    out
}
