//! Clients' certificates on the server's side: asked for, never demanded, and believed only later
//! by whoever knows which are wanted.
//!
//! What comes is read by rustls and webpki and by nothing else; the client proves in the handshake
//! that it has the key, and who vouches for the certificate is [`vouched_name`]'s to find.

use crate::client::provider;
use crate::{Authorities, Fault, SignerLink};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use std::sync::Arc;

/// Certificates of one client's chain.
const CHAIN_CERTIFICATES: usize = 8;

/// As [`crate::server_config`], and the client is asked for a certificate.
pub fn asking_config(link: &SignerLink) -> Result<Arc<ServerConfig>, Fault> {
    crate::config::config(link, &[], Some(Arc::new(Shown)))
}

/// Takes whatever is shown, if the client has its key.
#[derive(Debug)]
struct Shown;

impl ClientCertVerifier for Shown {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crate::verify_handshake(message, certificate, signed, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crate::verify_handshake(message, certificate, signed, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crate::verify_schemes()
    }
}

/// The one of `names` that an authority vouches for in this chain, leaf first.
pub fn vouched_name(
    chain: &[CertificateDer<'_>],
    authorities: &Authorities,
    names: &[String],
) -> Option<String> {
    let (leaf, above) = chain.split_first()?;
    if chain.len() > CHAIN_CERTIFICATES {
        return None;
    }
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    let has = |name: &&String| {
        let name = ServerName::try_from(name.as_str());
        name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    };
    let name = names.iter().find(has)?;
    let now = UnixTime::now();
    // Public authorities issue for servers alone from now on; a mail server has such a one.
    let is_client = || {
        let roots = authorities.roots();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
        verifier.is_ok_and(|verifier| verifier.verify_client_cert(leaf, above, now).is_ok())
    };
    let is_server = || {
        use rustls::client::danger::ServerCertVerifier;
        let verifier = authorities.verifier();
        let name = ServerName::try_from(name.as_str());
        verifier.zip(name.ok()).is_some_and(|(verifier, name)| {
            verifier.verify_server_cert(leaf, above, &name, &[], now).is_ok()
        })
    };
    (is_server() || is_client()).then(|| name.clone())
}

#[cfg(test)]
mod tests {
    use super::vouched_name;
    use crate::Authorities;
    use rustls::pki_types::CertificateDer;

    struct Authority {
        pem: String,
        issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    }

    fn authority() -> Authority {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    fn leaf(authority: &Authority, name: &str, year: i32) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.signed_by(&key, &authority.issuer).unwrap().der().clone()
    }

    #[test]
    fn a_name_counts_with_who_vouches_for_it() {
        let (ours, theirs) = (authority(), authority());
        let known = Authorities::read(&ours.pem);
        let names = ["mx.kaede.example".to_owned(), "relay.kaede.example".to_owned()];
        let check = |chain: &[CertificateDer<'_>], expected: Option<&str>| {
            assert_eq!(vouched_name(chain, &known, &names).as_deref(), expected);
        };
        let good = leaf(&ours, "relay.kaede.example", 2100);
        check(std::slice::from_ref(&good), Some("relay.kaede.example"));
        check(&[leaf(&ours, "mx.kaede.example", 2100)], Some("mx.kaede.example"));
        check(&[leaf(&ours, "mx.evil.example", 2100)], None);
        check(&[leaf(&theirs, "mx.kaede.example", 2100)], None);
        check(&[leaf(&ours, "mx.kaede.example", 2020)], None);
        check(&[], None);
        check(&[CertificateDer::from(vec![1, 2, 3])], None);
        check(&vec![good.clone(); 9], None);
        let nobody = Authorities::read("");
        assert_eq!(vouched_name(&[good], &nobody, &names), None);
    }
}
