//! The vault's word about an address is believed only with its signature and before its end.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use sealed::{Fault, PublicKey, Suite};
use terms::RECIPIENTS;
use wire::directory::{self, STATEMENT_DOMAIN, Statement};

/// A statement for so many people as one message may have; beyond it, it is not ours.
const STATEMENT_BYTES: usize = 1024 + RECIPIENTS * 160;

/// Why a statement was not believed: the answer to the sender is 451 in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementRefused {
    Unsigned,
    Malformed,
    Expired,
    AnotherAddress,
}

/// Verifies and reads a statement. `vault` is the Ed25519 key fixed at start, `address` the exact
/// recipient that the statement must be about.
pub fn verify_statement(
    vault: &[u8; 32],
    bytes: &[u8],
    signature: &[u8],
    now_ms: u64,
    address: &str,
) -> Result<Statement, StatementRefused> {
    if bytes.len() > STATEMENT_BYTES {
        return Err(StatementRefused::Malformed);
    }
    let signed = [STATEMENT_DOMAIN, bytes].concat();
    if !verify_signature(vault, &signed, signature) {
        return Err(StatementRefused::Unsigned);
    }
    let (statement, rest) =
        postcard::take_from_bytes::<Statement>(bytes).map_err(|_| StatementRefused::Malformed)?;
    if !rest.is_empty() {
        return Err(StatementRefused::Malformed);
    }
    if statement.valid_until_ms <= now_ms {
        return Err(StatementRefused::Expired);
    }
    if statement.address != address {
        return Err(StatementRefused::AnotherAddress);
    }
    Ok(statement)
}

/// A key as statements and the vault's answers carry it.
pub fn public_key(stated: &directory::PublicKey) -> Result<PublicKey, Fault> {
    let suite = Suite::from_byte(stated.suite).ok_or(Fault::Shape { shape: "public key" })?;
    PublicKey::new(suite, stated.epoch, &stated.bytes)
}

/// Ed25519 (RFC 8032). The caller's message carries its own domain tag.
pub fn verify_signature(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use terms::TenantId;
    use wire::directory::TenantSettings;

    #[test]
    fn only_the_vault_s_word_for_this_address_and_time_is_believed() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let vault: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let statement = Statement {
            onward: Vec::new(),
            transit: None,
            absence: None,
            address: "aoi@example.jp".to_owned(),
            tenant: TenantId([1; 8]),
            recipients: Vec::new(),
            settings: TenantSettings::default(),
            issued_ms: 1_000,
            valid_until_ms: 2_000,
        };
        let bytes = postcard::to_stdvec(&statement).unwrap();
        let signature = pair.sign(&[STATEMENT_DOMAIN, &bytes].concat());
        let check = |bytes: &[u8], now, address, expected: Option<StatementRefused>| {
            let found = verify_statement(&vault, bytes, signature.as_ref(), now, address);
            assert_eq!(found.err(), expected);
        };
        check(&bytes, 1_500, "aoi@example.jp", None);
        check(&bytes, 2_000, "aoi@example.jp", Some(StatementRefused::Expired));
        check(&bytes, 1_500, "eve@example.jp", Some(StatementRefused::AnotherAddress));
        for at in 0..bytes.len() {
            let mut touched = bytes.clone();
            touched[at] ^= 1;
            check(&touched, 1_500, "aoi@example.jp", Some(StatementRefused::Unsigned));
            check(&bytes[..at], 1_500, "aoi@example.jp", Some(StatementRefused::Unsigned));
        }
        let bare = pair.sign(&bytes);
        let found = verify_statement(&vault, &bytes, bare.as_ref(), 1_500, "aoi@example.jp");
        assert_eq!(found.err(), Some(StatementRefused::Unsigned));
    }
}
