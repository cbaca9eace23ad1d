//! Whom a connection must lead to, and how a certificate shows it.

use route::Tlsa;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;
use tls::{Anybody, Authorities, client_config, verify_handshake, verify_schemes};

/// What a host must show before mail is given to it.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    /// TLS if it can, whoever it is (RFC 7435).
    Nothing,
    /// TLS, whoever it is: its signed records cannot be used (RFC 7672 §2.2).
    AnyTls,
    /// TLS with a certificate of this name, by the authorities (RFC 8461 §4.2).
    Named(String),
    /// TLS with a key that signed records name (RFC 7672). The names count for usage 2.
    Keys { records: Vec<Tlsa>, names: Vec<String> },
}

impl Demand {
    pub(crate) fn is_strict(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// `None`: nobody can be believed, for there is no authority.
    pub(crate) fn config(&self, authorities: &Authorities) -> Option<Arc<ClientConfig>> {
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::Nothing | Self::AnyTls => Arc::new(Anybody),
            Self::Named(name) => {
                let name = ServerName::try_from(name.clone()).ok()?;
                Arc::new(ByName { inner: authorities.verifier()?, name })
            }
            Self::Keys { records, names } => {
                Arc::new(ByKeys { records: records.clone(), names: names.clone() })
            }
        };
        client_config(verifier, &[]).ok()
    }
}

/// By authorities, under the name that was looked for, whatever was said in the handshake.
#[derive(Debug)]
struct ByName {
    inner: Arc<dyn ServerCertVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for ByName {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner.verify_server_cert(leaf, others, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// By TLSA records.
#[derive(Debug)]
struct ByKeys {
    records: Vec<Tlsa>,
    names: Vec<String>,
}

impl ServerCertVerifier for ByKeys {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<&[u8]> =
            std::iter::once(leaf).chain(others).map(|one| one.as_ref()).collect();
        for record in &self.records {
            let Some(place) = route::matches(record, &chain) else { continue };
            // RFC 7672 §3.1.1: the leaf is the host's own, whatever name and date it has.
            if record.usage == 3 {
                return Ok(ServerCertVerified::assertion());
            }
            let trusted = chain.get(place).and_then(|one| Authorities::only(one));
            let Some(verifier) = trusted.and_then(|only| only.verifier()) else { continue };
            let is_whole = |name: &String| {
                let Ok(name) = ServerName::try_from(name.clone()) else { return false };
                verifier.verify_server_cert(leaf, others, &name, ocsp, now).is_ok()
            };
            // §3.1.2: the chain leads there, under the host's name or the domain's.
            if self.names.iter().any(is_whole) {
                return Ok(ServerCertVerified::assertion());
            }
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        verify_schemes()
    }
}
