//! The vault's word about an address is believed only with its signature and before its end.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use sealed::{Fault, PublicKey, Suite};
use serde::de::DeserializeOwned;
use terms::RECIPIENTS;
use wire::directory::{self, SENDING_DOMAIN, STATEMENT_DOMAIN, Sending, Statement};

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
    let statement: Statement = read(vault, STATEMENT_DOMAIN, bytes, signature)?;
    if statement.valid_until_ms <= now_ms {
        return Err(StatementRefused::Expired);
    }
    if !is_same(&statement.address, address) {
        return Err(StatementRefused::AnotherAddress);
    }
    Ok(statement)
}

/// Verifies and reads what the vault says of a sender. `address` is the exact one, in the spelling
/// of the directory (`directory::canonical`), or another spelling of it.
pub fn verify_sending(
    vault: &[u8; 32],
    bytes: &[u8],
    signature: &[u8],
    now_ms: u64,
    address: &str,
) -> Result<Sending, StatementRefused> {
    let sending: Sending = read(vault, SENDING_DOMAIN, bytes, signature)?;
    if sending.valid_until_ms <= now_ms {
        return Err(StatementRefused::Expired);
    }
    if !is_same(&sending.address, address) {
        return Err(StatementRefused::AnotherAddress);
    }
    Ok(sending)
}

/// Whether what is said of one address is said of the other: the same letters, or another spelling
/// of them, and of a tag behind a wide plus.
fn is_same(said: &str, asked: &str) -> bool {
    if said == asked || (said.is_ascii() && asked.is_ascii()) {
        return said == asked;
    }
    let (Some((said, at)), Some((asked, host))) = (said.rsplit_once('@'), asked.rsplit_once('@'))
    else {
        return false;
    };
    at == host && terms::plain_local(said) == terms::plain_local(asked)
}

fn read<T: DeserializeOwned>(
    vault: &[u8; 32],
    domain: &[u8],
    bytes: &[u8],
    signature: &[u8],
) -> Result<T, StatementRefused> {
    if bytes.len() > STATEMENT_BYTES {
        return Err(StatementRefused::Malformed);
    }
    if !verify_signature(vault, &[domain, bytes].concat(), signature) {
        return Err(StatementRefused::Unsigned);
    }
    match postcard::take_from_bytes(bytes) {
        Ok((said, [])) => Ok(said),
        _ => Err(StatementRefused::Malformed),
    }
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
    use terms::UserId;
    use wire::directory::{PublicKey, SendingSettings, TenantSettings};

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

    #[test]
    fn another_spelling_is_the_same_address() {
        let check = |said, asked, same| assert_eq!(super::is_same(said, asked), same, "{asked}");
        check("だ@example.jp", "た\u{3099}@example.jp", true);
        check("taro@example.jp", "ｔａｒｏ@example.jp", true);
        check("taro@example.jp", "ｔａｒｏ＋ｘ@example.jp", true);
        check("ｔａｒｏ@example.jp", "taro@example.jp", true);
        check("taro@example.jp", "ｔａｒｏ@example.com", false);
        check("taro@example.jp", "taro+x@example.jp", false);
        check("taro@example.jp", "tаro@example.jp", false);
        check("taro@example.jp", "taro\u{200b}@example.jp", false);
        check("+x@example.jp", "＋ｙ@example.jp", false);
        // What is no address is nobody's in any spelling.
        check("葵", "だ", false);
        check("だ", "た\u{3099}", false);
    }

    #[test]
    fn a_word_about_a_sender_is_no_word_about_a_recipient() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let vault: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let sending = Sending {
            address: "aoi@example.jp".to_owned(),
            tenant: TenantId([1; 8]),
            user: UserId([2; 8]),
            transit: PublicKey { suite: 1, epoch: 20_786, bytes: vec![4; 65] },
            home: "aoi@example.jp".to_owned(),
            domain: "example.jp".to_owned(),
            settings: SendingSettings::default(),
            issued_ms: 1_000,
            valid_until_ms: 2_000,
        };
        let bytes = postcard::to_stdvec(&sending).unwrap();
        let signed = |domain: &[u8]| pair.sign(&[domain, &bytes].concat());
        let check = |domain, now, address, expected: Option<StatementRefused>| {
            let found = verify_sending(&vault, &bytes, signed(domain).as_ref(), now, address);
            assert_eq!(found.err(), expected);
        };
        check(SENDING_DOMAIN, 1_999, "aoi@example.jp", None);
        check(SENDING_DOMAIN, 2_000, "aoi@example.jp", Some(StatementRefused::Expired));
        check(SENDING_DOMAIN, 1_500, "eve@example.jp", Some(StatementRefused::AnotherAddress));
        check(STATEMENT_DOMAIN, 1_500, "aoi@example.jp", Some(StatementRefused::Unsigned));
        check(b"", 1_500, "aoi@example.jp", Some(StatementRefused::Unsigned));
    }
}
