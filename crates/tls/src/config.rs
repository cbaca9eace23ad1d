//! A rustls server configuration whose signing key is the `signer` compartment.

use crate::{Fault, SignerLink};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme, version};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wire::signer::{FromSigner, ToSigner};

/// Chains kept by name in one process. It serves few connections, mostly for one name.
const CHAINS: usize = 8;
/// So long a chain is believed to be the one that serves: `signer` keeps the key of the one before
/// for a minute.
const FRESH: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(10) };
/// RFC 6066 §3: a DNS name; longer ones are none of ours.
const NAME_BYTES: usize = 253;
/// Certificates of one chain, and octets of one: more is not an answer of our signer.
const CHAIN_CERTIFICATES: usize = 8;
const CERTIFICATE_BYTES: usize = 16 * 1024;

/// TLS 1.2 and 1.3, no resumption, no tickets, no early data. Build it in the instance, after its
/// fork, never in the zygote: it must draw no randomness that siblings would share.
pub fn server_config(link: &SignerLink, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, Fault> {
    config(link, alpn, None)
}

/// `asks`: what is made of a client's certificate; without it none is asked for.
pub(crate) fn config(
    link: &SignerLink,
    alpn: &[&[u8]],
    asks: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, Fault> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let chains = Arc::new(Chains { link: link.clone(), known: Mutex::new(Vec::new()) });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(Fault::Setup)?
        .with_client_cert_verifier(asks.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
        .with_cert_resolver(chains);
    // A resumed session would outlive its process, and tickets would need a key shared by all.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

type Name = Option<String>;

/// Certificate chains as `signer` gave them.
#[derive(Debug)]
struct Chains {
    link: SignerLink,
    known: Mutex<Vec<(Name, Arc<CertifiedKey>, Instant)>>,
}

impl ResolvesServerCert for Chains {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES) {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.iter().find(|(known, ..)| *known == name);
        let before = before.map(|(_, certified, since)| (certified.clone(), since.elapsed()));
        if let Some((certified, _)) = before.as_ref().filter(|(_, age)| *age < FRESH) {
            return Some(certified.clone());
        }
        let Some(certified) = self.fetch(&name) else {
            // It may be back until the signature is due.
            return before.map(|(certified, _)| certified);
        };
        known.retain(|(known, ..)| *known != name);
        if known.len() >= CHAINS {
            known.remove(0);
        }
        known.push((name, certified.clone(), Instant::now()));
        Some(certified)
    }
}

impl Chains {
    fn fetch(&self, name: &Name) -> Option<Arc<CertifiedKey>> {
        let question = ToSigner::Chain { server_name: name.clone() };
        let FromSigner::Chain { certificates, schemes, key } = self.link.ask(&question)? else {
            return None;
        };
        let fits = certificates.len() <= CHAIN_CERTIFICATES
            && certificates.iter().all(|certificate| certificate.len() <= CERTIFICATE_BYTES);
        if certificates.is_empty() || !fits {
            return None;
        }
        let chain = certificates.into_iter().map(CertificateDer::from).collect();
        let remote = RemoteKey { link: self.link.clone(), name: name.clone(), schemes, key };
        Some(Arc::new(CertifiedKey::new(chain, Arc::new(remote))))
    }
}

/// A key of which only the name is here.
#[derive(Debug)]
struct RemoteKey {
    link: SignerLink,
    name: Name,
    schemes: Vec<u16>,
    key: [u8; 16],
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self
            .schemes
            .iter()
            .map(|scheme| SignatureScheme::from(*scheme))
            .find(|scheme| offered.contains(scheme))?;
        let (link, name, key) = (self.link.clone(), self.name.clone(), self.key);
        Some(Box::new(RemoteSigner { link, name, scheme, key }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

/// One signature to be asked for.
#[derive(Debug)]
struct RemoteSigner {
    link: SignerLink,
    name: Name,
    scheme: SignatureScheme,
    key: [u8; 16],
}

impl Signer for RemoteSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let question = ToSigner::Sign {
            server_name: self.name.clone(),
            scheme: u16::from(self.scheme),
            message: message.to_vec(),
            key: self.key,
        };
        match self.link.ask(&question) {
            Some(FromSigner::Signature(signature)) => Ok(signature),
            _ => Err(rustls::Error::General("the signer did not sign".to_owned())),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
