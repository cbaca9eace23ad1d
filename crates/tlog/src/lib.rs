//! The transparency log's formats: tree hashing and proofs (RFC 6962, RFC 9162), tiles,
//! checkpoints, signed notes and cosignatures (C2SP). Bytes in, values out.
//!
//! # Never  opens a file or a socket; reads a clock; draws randomness

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod anchor;
mod checkpoint;
mod cosignature;
mod derived;
mod hash;
mod nodes;
mod note;
mod proof;
mod range;
mod record;
mod replay;
mod several;
mod store;
mod tile;
mod trust;
mod volume;

#[cfg(test)]
mod tests;

pub use anchor::Anchor;
pub use checkpoint::Checkpoint;
pub use cosignature::{Cosigner, CosignerKey};
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use nodes::{NodeSource, RecentNodes, subtree_root};
pub use note::{NOTE_BYTES, Note, NoteSignature, NoteSigner, NoteVerifier};
pub use proof::{
    PROOF_HASHES, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion,
    verify_subtree_consistency, verify_subtree_inclusion,
};
pub use range::CompactRange;
pub use record::{Found, RECORD_BYTES, RECORD_HEAD, Sort, read_record, write_record};
pub use replay::{BATCH_BYTES, Replayed, SignedCheckpoint, replay};
pub use several::{prove_several, verify_several};
pub use store::{MARK_EVERY, Opened, Store, TILE_LEVELS, Tiles, Volumes, look, read_entries};
pub use tile::{
    ENTRY_BYTES, TILE_HEIGHT, TILE_WIDTH, TileAddress, TileSource, TiledNodes, decode_bundle,
    encode_bundle,
};
pub use trust::{LOG_ORIGIN, MIRROR_NAME, Trust, Trusted};
pub use volume::Volume;
