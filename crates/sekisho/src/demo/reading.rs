//! A mail client in sixty lines: enough to read one mailbox before your eyes.

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// The longest message that our own service keeps, and some air; a longer literal is not read.
const LITERAL_BYTES: usize = 128 * 1024 * 1024;

/// One letter as the client sees it.
pub struct Seen {
    pub from: String,
    pub subject: String,
}

/// A connection over TLS.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Connects over implicit TLS and trusts only this authority.
pub fn tls(to: SocketAddr, name: &str, authority: &str) -> Result<Tls, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned())?;
    let client = ClientConnection::new(Arc::new(config), name)?;
    let socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(client, socket))
}

pub struct Reader {
    stream: BufReader<Tls>,
    tag: u32,
}

impl Reader {
    /// Connects over implicit TLS and trusts only the demo's own authority.
    pub fn connect(to: SocketAddr, authority: &str) -> Result<Self, Box<dyn std::error::Error>> {
        Self::connect_to(to, "mail.localhost", authority)
    }

    /// The same to a service of another name.
    pub fn connect_to(
        to: SocketAddr,
        name: &str,
        authority: &str,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut reader = Self { stream: BufReader::new(tls(to, name, authority)?), tag: 0 };
        reader.line()?;
        Ok(reader)
    }

    /// Every untagged response with its literals, and the tagged end.
    pub fn say(&mut self, command: &str) -> std::io::Result<(Vec<Vec<u8>>, String)> {
        self.tag += 1;
        let tag = format!("d{}", self.tag);
        self.stream.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes())?;
        let mut untagged = Vec::new();
        loop {
            let line = self.line()?;
            if line.starts_with(tag.as_bytes()) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                return Ok((untagged, text));
            }
            untagged.push(line);
        }
    }

    /// From and subject of everything in the selected folder.
    pub fn list(&mut self) -> std::io::Result<Vec<Seen>> {
        let (responses, _) = self.say("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)])")?;
        let seen = responses.iter().filter_map(|response| {
            let start = response.windows(3).position(|window| window == b"}\r\n")? + 3;
            let summary = mime::summarise(response.get(start..)?);
            Some(Seen { from: summary.from, subject: summary.subject })
        });
        Ok(seen.collect())
    }

    fn line(&mut self) -> std::io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            if self.stream.read_until(b'\n', &mut whole)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some(size) = literal(whole.get(start..).unwrap_or_default()) else {
                return Ok(whole);
            };
            let mut literal = vec![0; size.min(LITERAL_BYTES)];
            self.stream.read_exact(&mut literal)?;
            whole.extend_from_slice(&literal);
        }
    }
}

/// The size of the literal that a line announces.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let start = line.iter().rposition(|byte| *byte == b'{')? + 1;
    std::str::from_utf8(line.get(start..)?).ok()?.parse().ok()
}
