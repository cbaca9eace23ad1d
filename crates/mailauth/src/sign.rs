//! DKIM signatures made, for mail that leaves and for the demo's sample senders. RFC 6376 §5.

use crate::canon::{Canon, body_hash};
use crate::dkim::{Claim, signed_header};
use crate::fields::{Field, take_apart};
use crate::key::KeyKind;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use data_encoding::BASE64;

/// Characters of base64 on one line of a signature.
const LINE_OCTETS: usize = 72;

/// Header fields signed if present, each once more than it occurs where a second one would
/// change what the reader sees (RFC 6376 §5.4.1, §8.15).
pub const SIGNED: &[&str] = &[
    "From",
    "Reply-To",
    "Subject",
    "Date",
    "To",
    "Cc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// Our side's failures.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not sign as {domain}: the key refused")]
    Sign { domain: String },
    #[error("could not write the public half of a signing key")]
    Publish,
}

/// A private key: borrowed, never kept here.
#[derive(Clone, Copy)]
pub enum SigningKey<'k> {
    Rsa(&'k RsaKeyPair),
    Ed25519(&'k Ed25519KeyPair),
}

impl SigningKey<'_> {
    fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa(_) => KeyKind::Rsa,
            Self::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, signed: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0u8; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ed25519(pair) => {
                Some(pair.sign(digest(&SHA256, signed).as_ref()).as_ref().to_vec())
            }
        }
    }

    /// The TXT record that publishes this key's public half.
    pub fn record(&self) -> Result<String, Fault> {
        match self {
            Self::Rsa(pair) => {
                let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key());
                let refused = |_| Fault::Publish;
                Ok(format!("v=DKIM1; k=rsa; p={}", BASE64.encode(der.map_err(refused)?.as_ref())))
            }
            Self::Ed25519(pair) => {
                let key = BASE64.encode(pair.public_key().as_ref());
                Ok(format!("v=DKIM1; k=ed25519; p={key}"))
            }
        }
    }
}

/// Who signs.
#[derive(Clone, Copy)]
pub struct Signer<'k> {
    pub domain: &'k str,
    pub selector: &'k str,
    pub key: SigningKey<'k>,
    /// Seconds since 1970, for `t=`.
    pub now: u64,
}

impl Signer<'_> {
    /// The DKIM-Signature field for this message (relaxed/relaxed) with its CRLF, to be put on
    /// top.
    pub fn sign(&self, message: &[u8]) -> Result<String, Fault> {
        let parts = take_apart(message);
        let names = self.names(&parts.fields);
        let hash = body_hash(Canon::Relaxed, None, parts.body);
        let unsigned = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={}; s={};\r\n\tt={}; h={};\r\n\t\
             bh={};\r\n\tb=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            self.now,
            names.join(":"),
            BASE64.encode(&hash.sha256),
        );
        let claim = Claim {
            kind: self.key.kind(),
            header_canon: Canon::Relaxed,
            body_canon: Canon::Relaxed,
            length: None,
            body_hash: hash.sha256.to_vec(),
            signature: Vec::new(),
            names,
        };
        let raw = unsigned.as_bytes();
        let own = Field { name: b"DKIM-Signature", raw, value: b"", start: 0, end: raw.len() };
        let signed = signed_header(&claim, &parts, &own);
        let refused = || Fault::Sign { domain: self.domain.to_owned() };
        let signature = self.key.sign(&signed).ok_or_else(refused)?;
        Ok(format!("{unsigned}{}\r\n", folded(&BASE64.encode(&signature))))
    }

    fn names(&self, fields: &[Field<'_>]) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in SIGNED {
            let count = fields.iter().filter(|field| field.is(name)).count();
            // One more From, To or Subject than there is, so that none can be added unseen.
            let sealed = usize::from(matches!(*name, "From" | "To" | "Cc" | "Subject" | "Date"));
            names.extend(std::iter::repeat_n(*name, count.min(4) + sealed));
        }
        names
    }
}

fn folded(base64: &str) -> String {
    let mut folded = String::with_capacity(base64.len() + base64.len() / 16);
    for (at, letter) in base64.chars().enumerate() {
        if at > 0 && at % LINE_OCTETS == 0 {
            folded.push_str("\r\n\t");
        }
        folded.push(letter);
    }
    folded
}
