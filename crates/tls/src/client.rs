//! The client's side: which certificates are believed, and a configuration that asks nobody else.

use crate::Fault;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, version};
use std::sync::Arc;

/// Authorities at most: the public ones are some 150.
const AUTHORITIES: usize = 2_000;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whoever may say whose certificate it is.
#[derive(Clone, Debug)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
}

impl Authorities {
    /// Reads certificates in PEM; what is none, or cannot serve, is left out.
    pub fn read(pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let found = CertificateDer::pem_slice_iter(pem.as_bytes()).take(AUTHORITIES);
        roots.add_parsable_certificates(found.flatten());
        Self { roots: Arc::new(roots) }
    }

    /// One certificate that everything hangs on.
    pub fn only(certificate: &[u8]) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate.to_vec())).ok()?;
        Some(Self { roots: Arc::new(roots) })
    }

    /// A few certificates (DER) and nobody else; `None`: one of them is none.
    pub fn these(certificates: &[Vec<u8>]) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(CertificateDer::from(certificate.clone())).ok()?;
        }
        Some(Self { roots: Arc::new(roots) })
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.roots.clone()
    }

    pub fn len(&self) -> usize {
        self.roots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Verifies chains, names and dates. `None`: there is no authority, so nobody is believed.
    pub fn verifier(&self) -> Option<Arc<WebPkiServerVerifier>> {
        WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider()).build().ok()
    }
}

/// TLS 1.2 and 1.3, no resumption, no client certificate.
pub fn client_config(
    verifier: Arc<dyn ServerCertVerifier>,
    alpn: &[&[u8]],
) -> Result<Arc<ClientConfig>, Fault> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(Fault::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Whoever answers is believed (RFC 7435): better than clear text, and nothing more.
#[derive(Debug)]
pub struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// A certificate that anybody can make says nothing, and neither does its signature: hosts
    /// with an old or odd one get their mail under TLS all the same.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The signature of a handshake with the certificate's key, for verifiers that look at the
/// certificate in another way than by authorities.
pub fn verify_handshake(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    is_thirteen: bool,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let algorithms = provider().signature_verification_algorithms;
    match is_thirteen {
        true => rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms),
        false => rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms),
    }
}

/// What a verifier may offer.
pub fn verify_schemes() -> Vec<SignatureScheme> {
    provider().signature_verification_algorithms.supported_schemes()
}
