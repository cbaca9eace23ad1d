//! Hashing of leaves and nodes as in RFC 6962 §2.1: a prefix keeps the two apart.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 of an entry, a node or a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Standard base64 with padding, as checkpoints carry it.
    pub fn to_base64(self) -> String {
        BASE64.encode(&self.0)
    }

    pub fn from_base64(text: &[u8]) -> Option<Self> {
        // 32 octets are 44 characters; longer texts are not decoded at all.
        if text.len() != 44 {
            return None;
        }
        Self::from_slice(&BASE64.decode(text).ok()?)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// RFC 6962 §2.1: the root of no entries is the hash of nothing.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest(b"").into())
}

pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix([0x00]).chain_update(entry).finalize().into())
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(
        Sha256::new_with_prefix([0x01])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}
