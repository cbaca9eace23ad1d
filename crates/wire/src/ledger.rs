//! Authors, the ledger, the mirror.

use crate::parcel::bytes;
use serde::{Deserialize, Serialize};
use terms::InstanceId;

/// From an author (any compartment that `evidence` counts among them).
#[derive(Serialize, Deserialize)]
pub enum ToLedger {
    /// Signed entries (`evidence` encoding), in order. `prove`: answer with proofs under a
    /// cosigned checkpoint; else as soon as they are durable.
    Append { entries: Vec<Vec<u8>>, prove: bool },
    /// Entries of the asker's own that were taken: of its series, so many from this number on.
    /// Answered by `Shown`, or by `Away` while no cosigned checkpoint holds the first of them.
    Show { first: u64, count: u32 },
    /// The newest cosigned checkpoint.
    Head,
    /// From the vault at its start: every release entry and budget since, newest last.
    Releases { since_ms: u64, from_index: u64 },
    /// From `sentinel`: what stands at this index and after it, as soon as something does.
    /// Beyond the end: answered at once, with nothing, from the end.
    Follow { from_index: u64 },
    /// From `identity`, before anybody acknowledges a loss: what is known to be lost?
    Lost,
    /// From a keeper at its start: where do the newest entries of its kind stand that changed what
    /// it keeps?
    LastDeeds,
    /// From a keeper whose tables are older than that: all such entries, from this index on.
    Deeds { from_index: u64 },
    /// From `sentinel` at its start: what of this stretch ends something or lets somebody in
    /// (`evidence::Entry::ends_or_lets_in`). Answered by `Deeds`.
    Ended { from_index: u64, to_index: u64 },
}

/// The newest entries of a kind that changed what it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDeeds {
    /// Of those whom nobody found off charter.
    pub own: Option<Deed>,
    /// Of those whom the warden found off charter: they may have done something else, or nothing.
    pub foreign: Option<Deed>,
}

/// Where an entry stands, and which of its author's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    pub start: InstanceId,
    pub seq: u64,
    pub index: u64,
}

#[derive(Serialize, Deserialize)]
pub enum FromLedger {
    /// Durable here.
    Taken {
        first_index: u64,
    },
    /// Durable here and at the mirror.
    Proved {
        proofs: Vec<Proof>,
        checkpoint: Vec<u8>,
    },
    /// The first of them that stand under this cosigned checkpoint: their places (rising), and one
    /// proof for all.
    Shown {
        places: Vec<u64>,
        proof: Vec<[u8; 32]>,
        checkpoint: Vec<u8>,
    },
    /// The mirror is away (or the disk is): nothing can be proved now.
    Away,
    /// An entry was refused: wrong signature, wrong number, unknown author.
    Refused {
        why: String,
    },
    Head {
        checkpoint: Vec<u8>,
        cosigned: bool,
    },
    /// `next`: ask again from there, unless `None`.
    Releases {
        entries: Vec<Vec<u8>>,
        next: Option<u64>,
    },
    /// Durable entries in order, as much as fits.
    Followed {
        first_index: u64,
        entries: Vec<Vec<u8>>,
    },
    /// Of this log, and of the mirror's as it said when it came.
    Lost {
        ledger: Vec<LostAt>,
        mirror: Vec<LostAt>,
    },
    /// Entries that were cosigned are gone, and nobody has acknowledged it: no new release is
    /// proved, and nothing of this append was taken. Without `prove` it is.
    Shut,
    /// `None`: there is none in this log.
    LastDeeds(LastDeeds),
    /// `next`: ask again from there, unless `None`.
    Deeds {
        entries: Vec<Vec<u8>>,
        next: Option<u64>,
    },
}

/// A checkpoint that a log was seen to reach and was found without at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAt {
    /// 0: nobody knows how far it went.
    pub size: u64,
    pub root: [u8; 32],
}

/// That one leaf stands in the tree of the checkpoint beside it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Proof {
    pub index: u64,
    pub hashes: Vec<[u8; 32]>,
}

/// From the ledger to the mirror.
#[derive(Serialize, Deserialize)]
pub enum ToMirror {
    /// Where do you stand? Answered by `Standing`.
    Standing,
    /// After a power loss the ledger heals its tail from here. Answered by `Leaves`.
    Fetch { from_index: u64 },
    /// New leaves from `first_index` on and the checkpoint over all of them (signed note).
    Add {
        first_index: u64,
        leaves: Vec<Vec<u8>>,
        #[serde(with = "bytes")]
        checkpoint: Vec<u8>,
    },
}

#[derive(Serialize, Deserialize)]
pub enum FromMirror {
    Standing {
        size: u64,
        lost: Vec<LostAt>,
    },
    /// Durable at the mirror; its cosignature line.
    Cosigned {
        size: u64,
        #[serde(with = "bytes")]
        cosignature: Vec<u8>,
    },
    /// What `Fetch` asked for, as much as fits; `checkpoint` is the newest the mirror holds.
    Leaves {
        first_index: u64,
        leaves: Vec<Vec<u8>>,
        #[serde(with = "bytes")]
        checkpoint: Vec<u8>,
    },
    /// A fork, a lie, or a gap.
    Refused {
        size: u64,
        why: String,
    },
}

/// From the warden, the root author: whom the ledger believes from now on.
#[derive(Serialize, Deserialize)]
pub struct Author {
    pub instance: InstanceId,
    pub key: [u8; 32],
}
