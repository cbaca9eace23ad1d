//! TLS with the key elsewhere: `edge` and `access` ask, `signer` signs whole messages.

use serde::{Deserialize, Serialize};
use terms::TenantId;

/// Signatures of one question: a pair of keys, and a second one while keys change.
pub const SIGNATURES: usize = 4;
/// Names of one question about certificates.
pub const NAMES: usize = 500;
/// Names of files in one answer.
pub const FILES: usize = 4_000;
/// How a file of a domain's keys is called in the signer's folder.
pub fn key_file(token: &[u8; 16]) -> String {
    let digits: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{KEY_FILE_FRONT}{digits}")
}

pub const KEY_FILE_FRONT: &str = "dkim-";
/// The longest canonical header that is signed: real ones have a few kilobytes.
pub const CANONICAL_BYTES: usize = 128 * 1024;

#[derive(Serialize, Deserialize)]
pub enum ToSigner {
    /// The chain for a server name (or for clients that send none).
    Chain { server_name: Option<String> },
    /// Sign what TLS wants signed; `scheme` as in RFC 8446 §4.2.3, `key` as the chain came with it:
    /// what serves there may be another since.
    Sign { server_name: Option<String>, scheme: u16, message: Vec<u8>, key: [u8; 16] },
    /// From `admin`: the certificate of the demo's own authority, PEM.
    Authority,
    /// From `admin`: a certificate from elsewhere, leaf first, and its key: for our own host name,
    /// or for names of public pages. Answered by `Installed` or `NotInstalled`; none: our own
    /// authority's serves the mail servers again.
    Install { chain: Vec<Vec<u8>>, pkcs8: Vec<u8> },
    /// From `dispatch` and `depart`: the keys that sign this domain's mail; answered by `MailKeys`,
    /// empty if it has none. `Refused`: they are another tenant's, or cannot be had now.
    MailKeys { domain: String },
    /// From `dispatch` and `depart`: sign the canonical header fields of RFC 6376 §3.7, the last of
    /// which is a DKIM-Signature with an empty `b=`, with `d=`, `s=` and `a=` of that very key; or
    /// those of RFC 8617, which end in an ARC-Message-Signature or an ARC-Seal.
    SignMail { domain: String, selector: String, canonical: Vec<u8> },
    /// From `admin`: keys for a domain (RSA and Ed25519); those that it has stay. Answered by
    /// `MailRecords`.
    MakeMailKeys { tenant: TenantId, domain: String },
    /// From `admin`: a next pair of keys, listed behind the one that signs; asked again, it signs
    /// from now on, and the old one stays published, listed before it. `retire`: those that no
    /// longer sign are forgotten. Answered by `MailRecords`.
    RotateMailKeys { domain: String, retire: bool },
    /// `SignMail` for several keys of one domain, each a selector with its canonical header, at
    /// most [`SIGNATURES`]: all are signed, answered by `Signatures` in their order, or none.
    SignMailByAll { domain: String, asked: Vec<(String, Vec<u8>)> },
    /// From `admin`: new keys for every certificate of our own authority's that serves. Answered by
    /// `Renewed`.
    Renew,
    /// From `admin`: which of these names, at most [`NAMES`], are served by our own authority's
    /// certificates, which nobody outside trusts. Answered by `Unproven`.
    Unproven { names: Vec<String> },
    /// From `directory`: the keys of these domains, at most [`NAMES`], as far as they are this
    /// tenant's, and what was brought for names of their pages, are destroyed. Answered by
    /// `Forgotten` when no disk holds them any more, also where there are none.
    ForgetKeys { tenant: TenantId, domains: Vec<String> },
    /// From `directory`: what the files of these domains' keys are called, at most [`NAMES`], of
    /// each that there is for that tenant. Answered by `KeyFiles`.
    KeyFilesOf { domains: Vec<(TenantId, String)> },
    /// From `directory`: what every file of a domain's keys is called, in their order, from behind
    /// `after` on, at most [`FILES`]. Answered by `KeyFiles`.
    KeyFiles { after: Option<[u8; 16]> },
}

#[derive(Serialize, Deserialize)]
pub enum FromSigner {
    /// DER certificates, leaf first, the schemes that the key can do, and its name.
    Chain {
        certificates: Vec<Vec<u8>>,
        schemes: Vec<u16>,
        key: [u8; 16],
    },
    Signature(Vec<u8>),
    Authority(String),
    /// Until when, and for which names.
    Installed {
        not_after_ms: u64,
        names: Vec<String>,
    },
    NotInstalled {
        expected: String,
        found: String,
        hint: String,
    },
    MailKeys(Vec<MailKey>),
    /// The oldest pair first, and of each pair RSA first.
    MailRecords(Vec<MailRecord>),
    Refused,
    Signatures(Vec<Vec<u8>>),
    Renewed {
        /// Names that have new keys.
        names: Vec<String>,
        /// Names whose certificate is from elsewhere: theirs are as they were.
        others: Vec<String>,
    },
    Unproven(Vec<String>),
    /// Pairs and certificates that are gone.
    Forgotten {
        keys: u64,
    },
    KeyFiles(Vec<[u8; 16]>),
}

/// A key that signs mail now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailKey {
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`, as `a=` has it.
    pub algorithm: String,
}

/// What stands in the DNS for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRecord {
    /// `selector._domainkey.domain`.
    pub name: String,
    /// `v=DKIM1; …`.
    pub text: String,
    pub signs: bool,
}
