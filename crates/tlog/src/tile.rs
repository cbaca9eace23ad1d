//! Tiles of 256 hashes and bundles of 256 entries, as C2SP tlog-tiles keeps them.

use crate::hash::{Hash, node_hash};
use crate::nodes::NodeSource;
use terms::Cursor;

/// Levels of the tree in one tile.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// The largest entry: a bundle writes its length in 16 bits.
pub const ENTRY_BYTES: usize = 65_535;
/// Tile level 7 spans 2^64 leaves.
const HIGHEST_LEVEL: u8 = 7;

/// Which tile: of hashes at a level, or of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileAddress {
    /// `None` for a bundle of entries.
    pub level: Option<u8>,
    pub index: u64,
    /// 1..=256; 256 is a full tile.
    pub width: u16,
}

impl TileAddress {
    /// `tile/0/x001/x234/067` and, for a partial tile, `….p/10`.
    pub fn path(&self) -> String {
        let level = self.level.map_or("entries".to_owned(), |level| level.to_string());
        let mut number = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1_000);
            rest /= 1_000;
        }
        let part = match self.width {
            TILE_WIDTH => String::new(),
            width => format!(".p/{width}"),
        };
        format!("tile/{level}/{number}{part}")
    }

    /// Reads what `path` writes, and nothing else.
    pub fn parse(path: &str) -> Option<Self> {
        let mut cursor = Cursor::new(path.as_bytes());
        if !cursor.eat_word(b"tile/") {
            return None;
        }
        let level = cursor.take_while(|byte| byte != b'/');
        let level = match level {
            b"entries" => None,
            digits => Some(std::str::from_utf8(digits).ok()?.parse::<u8>().ok()?),
        };
        let mut index = 0u64;
        loop {
            if !cursor.eat(b'/') {
                return None;
            }
            let more = cursor.eat(b'x');
            let digits = cursor.take(3).filter(|three| three.iter().all(u8::is_ascii_digit))?;
            let digits = std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?;
            index = index.checked_mul(1_000)?.checked_add(digits)?;
            if !more {
                break;
            }
        }
        let width = match cursor.rest() {
            b"" => TILE_WIDTH,
            rest => {
                let width = std::str::from_utf8(rest.strip_prefix(b".p/")?).ok()?;
                width.parse::<u16>().ok().filter(|width| (1..TILE_WIDTH).contains(width))?
            }
        };
        let address = Self { level, index, width };
        // One spelling for each tile: no leading zeros, no sign, no other case.
        let fits = level.is_none_or(|level| level <= HIGHEST_LEVEL);
        (fits && address.path() == path).then_some(address)
    }
}

/// Gives tiles of hashes, from files or memory.
pub trait TileSource {
    /// The hashes of tile `index` at `level` as far as they exist: up to 256.
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Hash>>;
}

impl<T: TileSource + ?Sized> TileSource for &T {
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Hash>> {
        (**self).tile(level, index)
    }
}

/// Finds nodes in tiles: those between two levels are computed.
pub struct TiledNodes<T>(pub T);

impl<T: TileSource> NodeSource for TiledNodes<T> {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        let within = height % TILE_HEIGHT;
        let level = height / TILE_HEIGHT;
        // 2^within hashes of this level make the node; they stand side by side in one tile.
        let first = index.checked_mul(1 << within)?;
        let tile = self.0.tile(level, first / u64::from(TILE_WIDTH))?;
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).ok()?;
        let mut row = tile.get(start..start + (1usize << within))?.to_vec();
        for _ in 0..within {
            row = row
                .chunks_exact(2)
                .filter_map(|pair| Some(node_hash(pair.first()?, pair.get(1)?)))
                .collect();
        }
        row.first().copied()
    }
}

/// Writes entries as a bundle. `None` if there are more than 256 or one is too long.
pub fn encode_bundle(entries: &[&[u8]]) -> Option<Vec<u8>> {
    if entries.len() > usize::from(TILE_WIDTH) {
        return None;
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 2).sum());
    for entry in entries {
        bundle.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Some(bundle)
}

/// Reads a bundle whole. `None` if it is torn or holds more than 256 entries.
pub fn decode_bundle(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut cursor = Cursor::new(bundle);
    let mut entries = Vec::new();
    while !cursor.is_at_end() {
        if entries.len() == usize::from(TILE_WIDTH) {
            return None;
        }
        let length = u16::from_be_bytes(cursor.take(2)?.try_into().ok()?);
        entries.push(cursor.take(usize::from(length))?);
    }
    Some(entries)
}
