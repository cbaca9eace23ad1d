//! Lines over a socket, with or without TLS.

use crate::Outcome;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

/// One connection.
pub struct Line {
    reader: BufReader<Stream>,
}

/// Trusts the demo's own authority.
pub fn trusting(authority: &str) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

impl Line {
    pub fn plain(to: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, Stream::Plain(stream)) })
    }

    pub fn tls(to: SocketAddr, config: &Arc<ClientConfig>) -> Outcome<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(config.clone(), name)?;
        let stream = Stream::Tls(Box::new(StreamOwned::new(session, stream)));
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream) })
    }

    pub fn send(&mut self, octets: &[u8]) -> Outcome<()> {
        match self.reader.get_mut() {
            Stream::Plain(stream) => stream.write_all(octets)?,
            Stream::Tls(stream) => {
                stream.write_all(octets)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    /// The next line with its end; empty at the end of the connection.
    pub fn next(&mut self, into: &mut Vec<u8>) -> Outcome<usize> {
        into.clear();
        Ok(self.reader.read_until(b'\n', into)?)
    }

    pub fn skip(&mut self, octets: u64) -> Outcome<()> {
        std::io::copy(&mut (&mut self.reader).take(octets), &mut std::io::sink())?;
        Ok(())
    }
}
