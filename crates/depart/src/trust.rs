//! Whom a connection must lead to, and how a certificate shows it.

use crate::tally::Why;
use route::Tlsa;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tls::{Anybody, Authorities, client_config, verify_handshake, verify_schemes};
use wire::tls_report::Flaw;

/// What a host must show before mail is given to it.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    /// TLS if it can, whoever it is (RFC 7435).
    Nothing,
    /// The same, and it is noted whether it would have been [`Demand::Named`]: what a policy in
    /// its testing mode asks for (RFC 8461 §5).
    Watched(String),
    /// TLS, whoever it is: its signed records cannot be used (RFC 7672 §2.2).
    AnyTls,
    /// TLS with a certificate of this name, by the authorities (RFC 8461 §4.2).
    Named(String),
    /// TLS with a key that signed records name (RFC 7672). The names count for usage 2.
    Keys { records: Vec<Tlsa>, names: Vec<String> },
}

impl Demand {
    pub(crate) fn is_strict(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Watched(_))
    }

    /// What is amiss with what is shown is noted in `watch`. `None`: nobody can be believed, for
    /// there is no authority.
    pub(crate) fn config(
        &self,
        authorities: &Authorities,
        watch: &Arc<Watch>,
    ) -> Option<Arc<ClientConfig>> {
        let watch = watch.clone();
        let by_name = |name: &String| {
            let name = ServerName::try_from(name.clone()).ok()?;
            Some(ByName { inner: authorities.verifier()?, name, watch: watch.clone() })
        };
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::Nothing | Self::AnyTls => Arc::new(Anybody),
            Self::Watched(name) => match by_name(name) {
                Some(by_name) => Arc::new(Watched(by_name)),
                None => Arc::new(Anybody),
            },
            Self::Named(name) => Arc::new(by_name(name)?),
            Self::Keys { records, names } => {
                let (records, names) = (records.clone(), names.clone());
                Arc::new(ByKeys { records, names, watch })
            }
        };
        client_config(verifier, &[]).ok()
    }
}

/// What is seen of one connection's handshake.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    amiss: Mutex<Option<Why>>,
    is_secure: AtomicBool,
}

impl Watch {
    /// The first thing that is amiss counts.
    fn note(&self, flaw: Flaw, reason: &str) {
        if let Ok(mut amiss) = self.amiss.lock() {
            amiss.get_or_insert_with(|| (flaw, reason.to_owned()));
        }
    }

    fn note_fault(&self, fault: &Error) {
        self.note(flaw_of(fault), &words_of(fault));
    }

    pub(crate) fn amiss(&self) -> Option<Why> {
        self.amiss.lock().ok().and_then(|amiss| amiss.clone())
    }

    /// TLS stands.
    pub(crate) fn secured(&self) {
        self.is_secure.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure.load(Ordering::Relaxed)
    }
}

/// RFC 8460 §4.3.1.
fn flaw_of(fault: &Error) -> Flaw {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext,
    };
    match fault {
        Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            Flaw::CertificateHostMismatch
        }
        Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => Flaw::CertificateExpired,
        Error::InvalidCertificate(_) => Flaw::CertificateNotTrusted,
        _ => Flaw::ValidationFailure,
    }
}

/// What a report tells strangers: words, and not what a library prints for whoever mends it.
fn words_of(fault: &Error) -> String {
    use CertificateError::{
        Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext, NotValidForName,
        NotValidForNameContext, NotValidYet, NotValidYetContext, Other, Revoked, UnknownIssuer,
    };
    let Error::InvalidCertificate(found) = fault else {
        let printed = fault.to_string();
        return printed.split(':').next().unwrap_or_default().to_owned();
    };
    let words = match found {
        NotValidForName | NotValidForNameContext { .. } => "the certificate is for another name",
        Expired | ExpiredContext { .. } => "the certificate has expired",
        NotValidYet | NotValidYetContext { .. } => "the certificate is not valid yet",
        UnknownIssuer => "nobody known has issued the certificate",
        Revoked => "the certificate is revoked",
        InvalidPurpose | InvalidPurposeContext { .. } => "the certificate is for another purpose",
        Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is an authority's and no host's"
        }
        _ => "the certificate is not sound",
    };
    words.to_owned()
}

/// By authorities, under the name that was looked for, whatever was said in the handshake.
#[derive(Debug)]
struct ByName {
    inner: Arc<dyn ServerCertVerifier>,
    name: ServerName<'static>,
    watch: Arc<Watch>,
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
        let verified = self.inner.verify_server_cert(leaf, others, &self.name, ocsp, now);
        verified.inspect_err(|fault| self.watch.note_fault(fault))
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

/// Whoever it is; what [`ByName`] would say is noted.
#[derive(Debug)]
struct Watched(ByName);

impl ServerCertVerifier for Watched {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let _ = self.0.verify_server_cert(leaf, others, name, ocsp, now);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.0.verify_tls12_signature(message, certificate, signed);
        let _ = verified.inspect_err(|fault| self.0.watch.note_fault(fault));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.0.verify_tls13_signature(message, certificate, signed);
        let _ = verified.inspect_err(|fault| self.0.watch.note_fault(fault));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Anybody.supported_verify_schemes()
    }
}

/// By TLSA records.
#[derive(Debug)]
struct ByKeys {
    records: Vec<Tlsa>,
    names: Vec<String>,
    watch: Arc<Watch>,
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
        // A chain to a trusted certificate that is not the host's, or is over.
        let mut why = None;
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
                let verified = verifier.verify_server_cert(leaf, others, &name, ocsp, now);
                verified.inspect_err(|fault| why = Some(flaw_of(fault))).is_ok()
            };
            // §3.1.2: the chain leads there, under the host's name or the domain's.
            if self.names.iter().any(is_whole) {
                return Ok(ServerCertVerified::assertion());
            }
        }
        let flaw = why.unwrap_or(Flaw::TlsaInvalid);
        self.watch.note(flaw, "no TLSA record is met by the certificate");
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

#[cfg(test)]
mod tests {
    use super::{CertificateError, Error, words_of};
    use std::sync::Arc;

    #[test]
    fn a_report_has_words_and_no_debug_text() {
        let check = |fault: Error, expected: &str| assert_eq!(words_of(&fault), expected);
        #[derive(Debug, thiserror::Error)]
        #[error("x")]
        struct CaUsedAsEndEntity;
        let other = rustls::OtherError(Arc::new(CaUsedAsEndEntity));
        let of = |found| Error::InvalidCertificate(found);
        let authority = "the certificate is an authority's and no host's";
        check(of(CertificateError::Other(other)), authority);
        check(of(CertificateError::Expired), "the certificate has expired");
        check(of(CertificateError::BadEncoding), "the certificate is not sound");
        check(Error::DecryptError, "cannot decrypt peer's message");
        let incompatible = rustls::PeerIncompatible::NoCipherSuitesInCommon;
        check(Error::PeerIncompatible(incompatible), "peer is incompatible");
    }
}
