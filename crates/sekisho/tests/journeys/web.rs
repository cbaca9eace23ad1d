//! A place outside that takes what is handed up by HTTPS, one request a connection.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// What somebody handed up.
pub struct Posted {
    /// Method and path.
    pub what: String,
    pub fields: HashMap<String, String>,
    pub body: Vec<u8>,
}

pub struct Web {
    pub port: u16,
    /// Its certificate, which is its own authority.
    pub pem: String,
}

impl Web {
    /// `answer` gives the status, with its word.
    pub fn open(
        (name, port): (&str, u16),
        answer: impl Fn(Posted) -> &'static str + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let config = shown(certificate.der().clone(), &key);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, socket));
                let Some(posted) = posted(&mut stream) else { continue };
                let status = answer(posted);
                let stream = stream.get_mut();
                let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                let _ = stream.write_all(text.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { port, pem: certificate.pem() }
    }
}

/// What a server that shows this certificate speaks TLS with.
pub fn shown(certificate: CertificateDer<'static>, key: &rcgen::KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

fn posted(stream: &mut impl BufRead) -> Option<Posted> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let what = lines.first()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let field = |line: &String| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_owned(), value.to_owned()))
    };
    let fields: HashMap<String, String> = lines.iter().skip(1).filter_map(field).collect();
    let length = fields.get("Content-Length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Posted { what, fields, body })
}
