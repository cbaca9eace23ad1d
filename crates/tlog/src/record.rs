//! How a log stands in its file: records one after another, each with its length and CRC, so
//! that a torn end shows. A checkpoint stands behind the entries that it counts and commits them.

use terms::Cursor;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// One entry, as it was signed.
    Entry,
    /// A signed note over everything before it.
    Note,
}

/// Length (4), CRC (4), sort (1).
pub const RECORD_HEAD: usize = 9;
/// The longest payload: an entry of a bundle; notes are shorter.
pub const RECORD_BYTES: usize = crate::ENTRY_BYTES;

/// What stands at the beginning of some octets.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    Record {
        sort: Sort,
        payload: &'a [u8],
        length: usize,
    },
    /// The octets end before the record does.
    Short,
    /// No record of ours: a wrong length, sort or CRC.
    Broken,
}

/// CRC-32 of IEEE 802.3, reflected, a table for each octet.
const CRC: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut number = 0;
    while number < 256 {
        let mut value = number as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing)] // A constant: out of bounds would not compile.
        {
            table[number] = value;
        }
        number += 1;
    }
    table
};

fn crc(parts: [&[u8]; 3]) -> u32 {
    let step = |value: u32, byte: &u8| {
        let place = usize::from(value as u8 ^ byte);
        (value >> 8) ^ CRC.get(place).copied().unwrap_or_default()
    };
    !parts.into_iter().flatten().fold(!0, step)
}

/// Appends a record. False, and nothing is written, if the payload is too long.
#[must_use]
pub fn write_record(sort: Sort, payload: &[u8], to: &mut Vec<u8>) -> bool {
    let Some(length) = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= RECORD_BYTES)
    else {
        return false;
    };
    let sort = [match sort {
        Sort::Entry => 1u8,
        Sort::Note => 2,
    }];
    let length = length.to_le_bytes();
    to.extend_from_slice(&length);
    to.extend_from_slice(&crc([&length, &sort, payload]).to_le_bytes());
    to.extend_from_slice(&sort);
    to.extend_from_slice(payload);
    true
}

/// Reads the record that stands first.
pub fn read_record(bytes: &[u8]) -> Found<'_> {
    let mut cursor = Cursor::new(bytes);
    let word = |cursor: &mut Cursor| {
        cursor.take(4).and_then(|word| word.try_into().ok()).map(u32::from_le_bytes)
    };
    let (Some(length), Some(expected), Some(number)) =
        (word(&mut cursor), word(&mut cursor), cursor.next())
    else {
        return Found::Short;
    };
    let sort = match number {
        1 => Sort::Entry,
        2 => Sort::Note,
        _ => return Found::Broken,
    };
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if bytes > RECORD_BYTES {
        return Found::Broken;
    }
    let Some(payload) = cursor.take(bytes) else {
        return Found::Short;
    };
    if crc([&length.to_le_bytes(), &[number], payload]) != expected {
        return Found::Broken;
    }
    Found::Record { sort, payload, length: RECORD_HEAD + bytes }
}
