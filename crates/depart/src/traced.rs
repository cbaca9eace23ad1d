//! What `trace` finds of mail that comes into being here.

use crate::neighbours::Neighbours;
use terms::TenantId;
use wire::mailbox::TOKENS;

/// A tenant's tokens for these words, as many as a journey has and the directory takes in one
/// question; those that say nothing are left out.
pub(crate) fn tokens<'a>(
    words: impl Iterator<Item = &'a str>,
    tenant: TenantId,
    house: &mut Neighbours,
) -> Vec<[u8; 16]> {
    let mut digests: Vec<[u8; 32]> = Vec::new();
    for word in words.filter(|word| !word.trim().is_empty()) {
        let digest = trace::digest(word);
        if digests.len() < TOKENS && !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    house.tokens(tenant, digests)
}
