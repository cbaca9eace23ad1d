//! DKIM signatures made, for mail that leaves and for the demo's sample senders. RFC 6376 §5.
//!
//! The key lies elsewhere: [`dkim`] makes the field and the canonical header that its signature
//! covers, whoever holds the key signs that, and [`Unsigned::finish`] writes the signature down.
//! The same header, body, key and second give the same octets.

use crate::canon::{Canon, body_hash};
use crate::dkim::{named_fields, signed_fields, with_own_field};
use crate::fields::{Field, take_apart};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use data_encoding::BASE64;
use terms::ascii_name;

pub use crate::digest::BodyDigest;

/// Characters of base64 on one line of a signature.
const LINE_OCTETS: usize = 72;
/// Fields of one name that are signed: more than one is against RFC 5322 §3.6 already, and all
/// names together stay below what verifiers read.
const FIELDS_OF_A_NAME: usize = 6;

/// Header fields that are signed once more than they occur, be it not at all: nobody adds one that
/// the reader would see (RFC 6376 §5.4.2, §8.15).
pub const SEALED: &[&str] = &[
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
];

/// Header fields that are signed, once more than they occur, if they occur: whoever passes a
/// message on (a list, §5.4.1) may add them where there were none.
pub const SIGNED: &[&str] = &[
    "Sender",
    "Content-Disposition",
    "Auto-Submitted",
    "Resent-Date",
    "Resent-From",
    "Resent-To",
    "Resent-Cc",
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
];

/// As whom is signed, and when.
#[derive(Clone, Copy, Debug)]
pub struct SigningAs<'k> {
    pub domain: &'k str,
    pub selector: &'k str,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: &'k str,
    /// Seconds since 1970, for `t=`.
    pub now: u64,
}

/// A field that lacks its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// Folded, up to and with `b=`.
    field: String,
    canonical: Vec<u8>,
}

impl Unsigned {
    pub(crate) fn new(field: String, canonical: Vec<u8>) -> Self {
        Self { field, canonical }
    }

    /// What is to be signed, whole: never its digest.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The finished field, folded, with its CRLF, to be put on top of the message.
    pub fn finish(&self, signature: &[u8]) -> String {
        format!("{}{}\r\n", self.field, folded(&BASE64.encode(signature)))
    }
}

/// The DKIM-Signature (relaxed/relaxed) for a message with this header (raw fields; whatever is
/// behind the first empty line is not looked at) and a body of this digest.
pub fn dkim(header: &[u8], body: &[u8; 32], by: &SigningAs<'_>) -> Unsigned {
    Covered::of(header).dkim(body, by)
}

/// What of a header is signed, whoever signs it: made once for all keys of a domain.
pub struct Covered {
    names: Vec<&'static str>,
    /// The named fields, each with its line end.
    canonical: Vec<u8>,
}

impl Covered {
    /// Of raw fields; whatever is behind the first empty line is not looked at.
    pub fn of(header: &[u8]) -> Self {
        let parts = take_apart(header);
        let names = names(&parts.fields);
        let canonical = named_fields(Canon::Relaxed, &names, &parts.fields);
        Self { names, canonical }
    }

    /// The DKIM-Signature by one key, over this and a body of this digest.
    pub fn dkim(&self, body: &[u8; 32], by: &SigningAs<'_>) -> Unsigned {
        let field = format!("DKIM-Signature: v=1; {}", signature_tags(&self.names, body, by));
        let canonical = with_own_field(Canon::Relaxed, self.canonical.clone(), field.as_bytes());
        Unsigned { field, canonical }
    }
}

/// The tags that DKIM-Signature and ARC-Message-Signature share, up to and with `b=`.
pub(crate) fn signature_tags(names: &[&str], body: &[u8; 32], by: &SigningAs<'_>) -> String {
    format!(
        "a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={};\r\n\th={};\r\n\tbh={};\r\n\tb=",
        by.algorithm,
        ascii_name(by.domain),
        by.selector,
        by.now,
        folded_names(names),
        BASE64.encode(body),
    )
}

/// The field with what it signs: the named fields, then itself.
pub(crate) fn signed(names: &[&str], fields: &[Field<'_>], field: String) -> Unsigned {
    let canonical = signed_fields(Canon::Relaxed, names, fields, field.as_bytes());
    Unsigned { field, canonical }
}

/// The names of `h=`.
pub(crate) fn names(fields: &[Field<'_>]) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut add = |name: &'static str, is_sealed: bool| {
        let count = fields.iter().filter(|field| field.is(name)).count().min(FIELDS_OF_A_NAME);
        let more = usize::from(is_sealed || count > 0);
        names.extend(std::iter::repeat_n(name, count + more));
    };
    SEALED.iter().for_each(|name| add(name, true));
    SIGNED.iter().for_each(|name| add(name, false));
    names
}

/// `a:b:c`, on lines of a fit length: white space may stand around a colon (RFC 6376 §3.5).
fn folded_names(names: &[&str]) -> String {
    let mut folded = String::new();
    let mut line = 0;
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            folded.push(':');
        }
        if line + name.len() > LINE_OCTETS {
            folded.push_str("\r\n\t");
            line = 0;
        }
        folded.push_str(name);
        line += name.len() + 1;
    }
    folded
}

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
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// A signature over a whole canonical header.
    pub fn sign(&self, signed: &[u8]) -> Option<Vec<u8>> {
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

/// Who signs with a key at hand.
#[derive(Clone, Copy)]
pub struct Signer<'k> {
    pub domain: &'k str,
    pub selector: &'k str,
    pub key: SigningKey<'k>,
    /// Seconds since 1970, for `t=`.
    pub now: u64,
}

impl Signer<'_> {
    /// The DKIM-Signature field for this message with its CRLF, to be put on top.
    pub fn sign(&self, message: &[u8]) -> Result<String, Fault> {
        let Signer { domain, selector, key, now } = *self;
        let algorithm = key.algorithm();
        let body = body_hash(Canon::Relaxed, None, take_apart(message).body);
        let unsigned = dkim(message, &body.sha256, &SigningAs { domain, selector, algorithm, now });
        let refused = || Fault::Sign { domain: domain.to_owned() };
        let signature = key.sign(unsigned.canonical()).ok_or_else(refused)?;
        Ok(unsigned.finish(&signature))
    }
}

fn folded(base64: &str) -> String {
    let mut folded = String::with_capacity(base64.len() + base64.len() / 16);
    let mut rest = base64;
    while let Some((line, behind)) =
        rest.split_at_checked(LINE_OCTETS).filter(|(_, b)| !b.is_empty())
    {
        folded.push_str(line);
        folded.push_str("\r\n\t");
        rest = behind;
    }
    folded.push_str(rest);
    folded
}
