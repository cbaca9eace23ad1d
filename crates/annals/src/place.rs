//! Where things stand in a chapter: one part behind the other, each of so many records of one size.

use crate::handed::{HANDED_BYTES, LATE_BYTES};
use crate::rows::{ROW_BYTES, number};
use terms::Cursor;
use tlog::Hash;

pub(crate) const MAGIC: &[u8; 16] = b"sekisho index 5\n";
/// How the index of any version begins.
pub(crate) const MAGIC_BYTES: usize = MAGIC.len();
/// The component of a process that no start tells of.
pub(crate) const UNKNOWN: u8 = 0xff;
pub(crate) const ID_BYTES: usize = 6;
/// A life without whose it is.
pub(crate) const LIFE_BYTES: usize = 1 + 2 + 8 + 8 + 7;
pub(crate) const RECORD_BYTES: usize = LIFE_BYTES + 8;
/// A process that crosses: its id, and its record once more.
pub(crate) const CROSSING_BYTES: usize = ID_BYTES + RECORD_BYTES;
/// An author, as what it wrote; of which component and version it was; and until when the last of
/// its grants is good, with the entry that tells it.
pub(crate) const AUTHOR_BYTES: usize = ID_BYTES + 1 + 1 + 2 + 8 + 2;
/// A grant, its entry, the number of its author, and when.
pub(crate) const GRANT_BYTES: usize = 16 + 2 + 2 + 5;
pub(crate) const CONTRACT_BYTES: usize = 8 + 4 + 1;
pub(crate) const USER_BYTES: usize = 8;
pub(crate) const SECTION_BYTES: usize = 1 + 2 + 6 * 4 + 4 + 8;
pub(crate) const DEED_BYTES: usize = 9;
pub(crate) const CELL_BYTES: usize = 1 + 2 + 1 + 1 + 4 + 8 + 8 + 16 + 8 + 2 + 2 + 4;
pub(crate) const CREDENTIAL_BYTES: usize = 1 + 2 + 16 + 1 + 8 + 8;
/// Who was shown it, whose it is, which, when last, and the entry that says so.
pub(crate) const SHOWN_BYTES: usize = 1 + 2 + 3 + 16 + 8 + 2;
/// Where the pairs of each first octet of their order begin, and whose they are.
pub(crate) const FENCE_BYTES: usize = 8;
pub(crate) const FENCES: u64 = 257;
/// Fixed octets of the head before its sections.
pub(crate) const HEAD_BYTES: usize = MAGIC_BYTES + 8 + 32 + 16 + 2 + COUNTS * 4;
const COUNTS: usize = Place::ALL.len() + 1;
/// Components by version, and one unknown; more is no chapter of ours.
const SECTIONS: usize = 4_096;

/// The parts of a chapter behind its head, in their order: first what a scope reads of every
/// chapter, so that it is read in one go, and then what is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Words,
    Ids,
    Crossing,
    Authors,
    Contracts,
    Users,
    DeedTable,
    Lives,
    Late,
    Cells,
    PeopleMaps,
    PairMaps,
    Credentials,
    Shown,
    Fences,
    Pairs,
    ContractOf,
    /// From here on, what no question reads of every chapter.
    Whose,
    Grants,
    Open,
    Handed,
    Records,
    ListOf,
    Rows,
    Lists,
    Deeds,
}

impl Place {
    pub const ALL: [Self; 26] = [
        Self::Words,
        Self::Ids,
        Self::Crossing,
        Self::Authors,
        Self::Contracts,
        Self::Users,
        Self::DeedTable,
        Self::Lives,
        Self::Late,
        Self::Cells,
        Self::PeopleMaps,
        Self::PairMaps,
        Self::Credentials,
        Self::Shown,
        Self::Fences,
        Self::Pairs,
        Self::ContractOf,
        Self::Whose,
        Self::Grants,
        Self::Open,
        Self::Handed,
        Self::Records,
        Self::ListOf,
        Self::Rows,
        Self::Lists,
        Self::Deeds,
    ];
}

/// How many records each part has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts(pub [u64; Place::ALL.len()]);

impl Counts {
    pub fn of(&self, place: Place) -> u64 {
        self.0.get(place as usize).copied().unwrap_or_default()
    }

    /// Octets of a record.
    pub fn width(&self, place: Place) -> u64 {
        let width = match place {
            Place::Words | Place::Whose => 1,
            Place::Ids => ID_BYTES,
            Place::Records => RECORD_BYTES,
            Place::Crossing => CROSSING_BYTES,
            Place::Lists => 4,
            Place::Authors => AUTHOR_BYTES,
            Place::Contracts => CONTRACT_BYTES,
            Place::Users => USER_BYTES,
            Place::ListOf => 8,
            Place::Rows | Place::Open => ROW_BYTES,
            Place::Grants => GRANT_BYTES,
            Place::Handed => HANDED_BYTES,
            Place::Late => LATE_BYTES,
            Place::DeedTable => DEED_BYTES,
            Place::Deeds | Place::ContractOf => 2,
            Place::Lives => ID_BYTES + LIFE_BYTES,
            Place::Cells => CELL_BYTES,
            Place::Credentials => CREDENTIAL_BYTES,
            Place::Shown => SHOWN_BYTES,
            Place::Fences => FENCE_BYTES,
            Place::Pairs => 16,
            Place::PeopleMaps => return self.of(Place::Users).div_ceil(8),
            Place::PairMaps => return self.of(Place::Pairs).div_ceil(8),
        };
        width as u64
    }

    /// Where a part begins, from the end of the head.
    pub fn at(&self, place: Place) -> u64 {
        let before = Place::ALL.iter().take(place as usize);
        before
            .map(|one| self.of(*one).saturating_mul(self.width(*one)))
            .fold(0, u64::saturating_add)
    }
}

/// One component's and version's part of the rows and of the processes, and what those of them
/// say together that began and ended in this chapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub kind: u8,
    pub word: u16,
    pub first_row: u32,
    pub rows: u32,
    pub first_process: u32,
    pub processes: u32,
    /// Those that lived before, or live on.
    pub first_crossing: u32,
    pub crossing: u32,
    pub unattributed: u32,
    pub ended_ms: u64,
}

/// What a chapter's head says.
pub(crate) struct Head {
    pub number: u64,
    pub root: Hash,
    pub times: (u64, u64),
    /// The entry of the latest time, from the chapter's first.
    pub newest: u16,
    pub counts: Counts,
    pub sections: usize,
}

pub(crate) fn parse_head(head: &[u8]) -> Option<Head> {
    let mut from = Cursor::new(head);
    if from.take(MAGIC_BYTES)? != MAGIC {
        return None;
    }
    let chapter = number(&mut from, 8)?;
    let root = Hash::from_slice(from.take(32)?)?;
    let times = (number(&mut from, 8)?, number(&mut from, 8)?);
    let newest = number(&mut from, 2)? as u16;
    let mut counts = Counts::default();
    for count in &mut counts.0 {
        *count = number(&mut from, 4)?;
    }
    let sections = usize::try_from(number(&mut from, 4)?).ok()?;
    let sections = Some(sections).filter(|sections| *sections <= SECTIONS)?;
    Some(Head { number: chapter, root, times, newest, counts, sections })
}

pub(crate) fn parse_sections(bytes: &[u8]) -> Option<Vec<Section>> {
    let section = |bytes: &[u8]| {
        let mut from = Cursor::new(bytes);
        let (kind, word) = (from.next()?, number(&mut from, 2)? as u16);
        let mut four = || number(&mut from, 4).and_then(|number| u32::try_from(number).ok());
        Some(Section {
            kind,
            word,
            first_row: four()?,
            rows: four()?,
            first_process: four()?,
            processes: four()?,
            first_crossing: four()?,
            crossing: four()?,
            unattributed: four()?,
            ended_ms: number(&mut from, 8)?,
        })
    };
    bytes.chunks_exact(SECTION_BYTES).map(section).collect()
}
