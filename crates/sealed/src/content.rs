//! Sealed content: a header, then chunks of 64 KiB, each with its own tag.
//!
//! The nonce of a chunk is prefix (7, random) ‖ number (4) ‖ last flag (1): no chunk can be moved,
//! left out, or made the last one. The key is fresh for every content, so a nonce never repeats.

use crate::{Class, Fault};
use terms::{Cursor, MESSAGE_BYTES, MessageId, TenantId};

/// AES-256-GCM in chunks of 64 KiB. Other ciphers get other numbers.
const CONTENT_SUITE: u8 = 1;
/// log2 of `CHUNK_BYTES`.
const CHUNK_POWER: u8 = 16;
/// Small enough to live in a cache, large enough that tags are 0.02 % of a large message.
pub const CHUNK_BYTES: usize = 1 << CHUNK_POWER;
pub const TAG_BYTES: usize = 16;
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
pub const HEADER_PREFIX_BYTES: usize = 7;
/// suite, class, chunk power, nonce prefix.
pub const HEADER_BYTES: usize = 3 + HEADER_PREFIX_BYTES;
/// Chunks of one content: the largest message, and as much again for what we add on top.
pub const CHUNKS: u32 = (2 * MESSAGE_BYTES / CHUNK_BYTES) as u32;

const DOMAIN: &[u8] = b"sekisho content v1";

/// Whose content this is. The user is not named here: a copy's key is wrapped to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub tenant: TenantId,
    pub message: MessageId,
    pub class: Class,
}

/// A content's header with its place: gives the nonce and the associated data of each chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    header: [u8; HEADER_BYTES],
    prefix: [u8; HEADER_PREFIX_BYTES],
    associated: Vec<u8>,
}

impl Content {
    /// `prefix` is random.
    pub fn new(place: &Place, prefix: [u8; HEADER_PREFIX_BYTES]) -> Self {
        let [a, b, c, d, e, f, g] = prefix;
        let header = [CONTENT_SUITE, place.class.byte(), CHUNK_POWER, a, b, c, d, e, f, g];
        let mut associated = Vec::with_capacity(DOMAIN.len() + 24 + HEADER_BYTES);
        associated.extend_from_slice(DOMAIN);
        associated.extend_from_slice(&place.tenant.0);
        associated.extend_from_slice(&place.message.0);
        associated.extend_from_slice(&header);
        Self { header, prefix, associated }
    }

    /// Reads the first `HEADER_BYTES` of a sealed content; a header of another class is refused.
    pub fn parse(place: &Place, header: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(header);
        let known =
            cursor.eat(CONTENT_SUITE) && cursor.eat(place.class.byte()) && cursor.eat(CHUNK_POWER);
        let prefix = cursor.take(HEADER_PREFIX_BYTES).and_then(|bytes| bytes.try_into().ok());
        match prefix {
            Some(prefix) if known && cursor.is_at_end() => Ok(Self::new(place, prefix)),
            _ => Err(Fault::Shape { shape: "sealed content" }),
        }
    }

    pub fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Domain, tenant, message, header (with the class).
    pub fn associated(&self) -> &[u8] {
        &self.associated
    }

    pub fn nonce(&self, number: u32, last: bool) -> [u8; 12] {
        let [a, b, c, d, e, f, g] = self.prefix;
        let [w, x, y, z] = number.to_be_bytes();
        [a, b, c, d, e, f, g, w, x, y, z, u8::from(last)]
    }
}

/// How long `plain` octets are when sealed. An empty content has one empty chunk.
pub fn sealed_length(plain: u64) -> u64 {
    let chunks = plain.div_ceil(CHUNK_BYTES as u64).max(1);
    plain + chunks * TAG_BYTES as u64 + HEADER_BYTES as u64
}

/// How long a sealed content of `sealed` octets is when opened; `None` if no content has that
/// length.
pub fn plain_length(sealed: u64) -> Option<u64> {
    let chunks_bytes = sealed.checked_sub(HEADER_BYTES as u64)?;
    let chunks = chunks_bytes.div_ceil(SEALED_CHUNK_BYTES as u64);
    let plain = chunks_bytes.checked_sub(chunks.checked_mul(TAG_BYTES as u64)?)?;
    (sealed_length(plain) == sealed).then_some(plain)
}
