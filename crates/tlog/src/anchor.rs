//! A place in the log from which it can be opened without reading what stands before.

use crate::hash::Hash;
use crate::range::CompactRange;
use sha2::{Digest, Sha256};
use terms::Cursor;

const MAGIC: &[u8] = b"sekisho anchor 1\n";
/// What its owner keeps in it; more is not read.
const EXTRA_BYTES: usize = 256 * 1024 * 1024;

/// Where a batch ended, the tree up to it, and what the log's owner knew then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub range: CompactRange,
    /// The record of the checkpoint that commits this tree begins at the first and ends at the
    /// second octet.
    pub note_at: u64,
    pub log_bytes: u64,
    pub extra: Vec<u8>,
}

impl Anchor {
    pub fn encode(&self) -> Vec<u8> {
        let mut to = MAGIC.to_vec();
        for number in [self.range.size(), self.note_at, self.log_bytes, self.extra.len() as u64] {
            to.extend_from_slice(&number.to_be_bytes());
        }
        self.range.peaks().iter().for_each(|peak| to.extend_from_slice(&peak.0));
        to.extend_from_slice(&self.extra);
        let sum = Sha256::digest(&to);
        to.extend_from_slice(&sum);
        to
    }

    /// Reads what `encode` wrote, whole.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<32>()?;
        if <[u8; 32]>::from(Sha256::digest(body)) != *sum {
            return None;
        }
        let mut cursor = Cursor::new(body);
        if cursor.take(MAGIC.len())? != MAGIC {
            return None;
        }
        let mut number =
            || cursor.take(8).and_then(|eight| eight.try_into().ok()).map(u64::from_be_bytes);
        let (size, note_at, log_bytes, extra) = (number()?, number()?, number()?, number()?);
        let extra = usize::try_from(extra).ok().filter(|extra| *extra <= EXTRA_BYTES)?;
        let peaks: Option<Vec<Hash>> =
            (0..size.count_ones()).map(|_| Hash::from_slice(cursor.take(32)?)).collect();
        let range = CompactRange::resume(size, peaks?)?;
        let extra = cursor.take(extra)?.to_vec();
        cursor.is_at_end().then_some(Self { range, note_at, log_bytes, extra })
    }
}
