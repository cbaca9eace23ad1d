//! The vault's word about an address is believed only with its signature and before its end.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use sealed::Statement;

/// Why a statement was not believed: the answer to the sender is 451 in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementRefused {
    Unsigned,
    Malformed,
    Expired,
    AnotherAddress,
}

/// Verifies and reads a statement. `vault` is the Ed25519 key fixed at start, `now` seconds since
/// 1970, `address` the exact recipient that the statement must be about.
pub fn verify_statement(
    vault: &[u8; 32],
    bytes: &[u8],
    signature: &[u8],
    now: u64,
    address: &str,
) -> Result<Statement, StatementRefused> {
    if !verify_signature(vault, &Statement::signed(bytes), signature) {
        return Err(StatementRefused::Unsigned);
    }
    let statement = Statement::parse(bytes).map_err(|_| StatementRefused::Malformed)?;
    if statement.valid_until <= now {
        return Err(StatementRefused::Expired);
    }
    if statement.address != address {
        return Err(StatementRefused::AnotherAddress);
    }
    Ok(statement)
}

/// Ed25519 (RFC 8032). The caller's message carries its own domain tag.
pub fn verify_signature(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message, signature)
        .is_ok()
}
