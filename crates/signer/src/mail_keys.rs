//! The keys of one domain's mail: pairs of an RSA and an Ed25519 key, made for one tenant.
//!
//! A pair waits until its records stand in the DNS, then signs, then rests: published still, for
//! mail that is under way. What rests is forgotten when it is told to.

use crate::Fault;
use crate::certificate::base64;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use serde::{Deserialize, Serialize};
use terms::TenantId;
use wire::signer::{MailKey, MailRecord};
use zeroize::Zeroize;

pub(crate) const RSA: &str = "rsa-sha256";
pub(crate) const ED25519: &str = "ed25519-sha256";

/// As kept (sealed).
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptKeys {
    pub domain: String,
    pub tenant: TenantId,
    /// The number of the last pair: no selector names two keys, ever.
    pub last: u32,
    /// The oldest first: those that rest, the one that signs, the one that waits.
    pub pairs: Vec<KeptPair>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Rests,
    Signs,
    Waits,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KeptPair {
    pub number: u32,
    pub stage: Stage,
    /// PKCS #8.
    pub rsa: Vec<u8>,
    /// The seed.
    pub ed25519: Vec<u8>,
}

impl Drop for KeptPair {
    fn drop(&mut self) {
        self.rsa.zeroize();
        self.ed25519.zeroize();
    }
}

impl KeptKeys {
    pub fn new(domain: &str, tenant: TenantId, last: u32) -> Result<Self, Fault> {
        let (domain, pairs) = (domain.to_owned(), Vec::new());
        let mut kept = Self { domain, tenant, last, pairs };
        kept.add(Stage::Signs)?;
        Ok(kept)
    }

    /// A fresh pair behind the others.
    pub fn add(&mut self, stage: Stage) -> Result<(), Fault> {
        self.last = self.last.checked_add(1).ok_or(Fault::Key)?;
        self.pairs.push(KeptPair::new(self.last, stage)?);
        Ok(())
    }

    pub fn waits(&self) -> bool {
        self.pairs.iter().any(|pair| pair.stage == Stage::Waits)
    }

    /// The pair that waits signs, the one that signed rests.
    pub fn advance(&mut self) {
        for pair in &mut self.pairs {
            pair.stage = match pair.stage {
                Stage::Waits => Stage::Signs,
                Stage::Signs | Stage::Rests => Stage::Rests,
            };
        }
    }

    /// Forgets what rests; its numbers.
    pub fn retire(&mut self) -> Vec<u32> {
        let rests = |pair: &KeptPair| pair.stage == Stage::Rests;
        let gone = self.pairs.iter().filter(|pair| rests(pair)).map(|pair| pair.number).collect();
        self.pairs.retain(|pair| !rests(pair));
        gone
    }
}

impl KeptPair {
    fn new(number: u32, stage: Stage) -> Result<Self, Fault> {
        // RFC 8301 §3.2: 2,048 bits; more do not fit into one answer over UDP. It takes some
        // tenths of a second, in which handshakes wait; domains are not added by the minute.
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Fault::Key)?;
        let rsa = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).map_err(|_| Fault::Key)?;
        let ed25519 = compartment::random::<32>();
        Ok(Self { number, stage, rsa: rsa.as_ref().to_vec(), ed25519: ed25519.to_vec() })
    }

    fn open(&self) -> Result<OpenPair, Fault> {
        let rsa = RsaKeyPair::from_pkcs8(&self.rsa).map_err(|_| Fault::Key)?;
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&self.ed25519).map_err(|_| Fault::Key)?;
        Ok(OpenPair { number: self.number, stage: self.stage, rsa, ed25519 })
    }
}

/// Keys in use.
pub(crate) struct OpenKeys {
    pub tenant: TenantId,
    pairs: Vec<OpenPair>,
}

struct OpenPair {
    number: u32,
    stage: Stage,
    rsa: RsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl OpenKeys {
    pub fn open(kept: &KeptKeys) -> Result<Self, Fault> {
        let pairs = kept.pairs.iter().map(KeptPair::open).collect::<Result<_, _>>()?;
        Ok(Self { tenant: kept.tenant, pairs })
    }

    /// What signs now. RSA first: who knows no Ed25519 stops at the first that holds.
    pub fn keys(&self) -> Vec<MailKey> {
        let signing = self.pairs.iter().filter(|pair| pair.stage == Stage::Signs);
        let key = |selector: String, algorithm: &str| {
            let algorithm = algorithm.to_owned();
            MailKey { selector, algorithm }
        };
        signing
            .flat_map(|pair| [key(pair.selector(RSA), RSA), key(pair.selector(ED25519), ED25519)])
            .collect()
    }

    pub fn records(&self, domain: &str) -> Result<Vec<MailRecord>, Fault> {
        let mut records = Vec::new();
        for pair in &self.pairs {
            for (algorithm, text) in [(RSA, pair.rsa_text()?), (ED25519, pair.ed25519_text())] {
                let name = format!("{}._domainkey.{domain}", pair.selector(algorithm));
                records.push(MailRecord { name, text, signs: pair.stage == Stage::Signs });
            }
        }
        Ok(records)
    }

    /// The algorithm of the key with this selector. One that waits signs nothing; one that rests
    /// finishes what was begun with it.
    pub fn algorithm(&self, selector: &str) -> Option<&'static str> {
        let ready = self.pairs.iter().filter(|pair| pair.stage != Stage::Waits);
        ready
            .flat_map(|pair| [RSA, ED25519].map(|algorithm| (pair.selector(algorithm), algorithm)))
            .find_map(|(known, algorithm)| (known == selector).then_some(algorithm))
    }

    /// Signs a whole canonical header, hashed here.
    pub fn sign(&self, selector: &str, canonical: &[u8]) -> Option<Vec<u8>> {
        let algorithm = self.algorithm(selector)?;
        let pair = self.pairs.iter().find(|pair| pair.selector(algorithm) == selector)?;
        if algorithm == RSA {
            let mut signature = vec![0; pair.rsa.public_modulus_len()];
            let chance = SystemRandom::new();
            pair.rsa.sign(&RSA_PKCS1_SHA256, &chance, canonical, &mut signature).ok()?;
            return Some(signature);
        }
        // RFC 8463 §3: PureEdDSA over the SHA-256 of the canonical header.
        let hash = digest(&SHA256, canonical);
        Some(pair.ed25519.sign(hash.as_ref()).as_ref().to_vec())
    }
}

impl OpenPair {
    fn selector(&self, algorithm: &str) -> String {
        let letter = if algorithm == RSA { 'r' } else { 'e' };
        format!("sk{}{letter}", self.number)
    }

    /// RFC 6376 §3.6.1. `s=email`: it signs nothing but mail.
    fn rsa_text(&self) -> Result<String, Fault> {
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(self.rsa.public_key());
        let der = der.map_err(|_| Fault::Key)?;
        Ok(format!("v=DKIM1; k=rsa; h=sha256; p={}", base64(der.as_ref())))
    }

    /// RFC 8463 §4.
    fn ed25519_text(&self) -> String {
        let key = base64(self.ed25519.public_key().as_ref());
        format!("v=DKIM1; k=ed25519; h=sha256; p={key}")
    }
}
