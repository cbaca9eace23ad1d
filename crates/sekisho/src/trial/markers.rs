//! Random words planted where an intruder should not get at them, and found again in whatever it
//! obtained: as they stand, in base64, or compressed.

use data_encoding::{BASE64, HEXLOWER};
use drill::Asset;

/// Nothing larger is unpacked: an intruder's loot must not hurt the drill.
const UNPACKED_BYTES: usize = 4 * 1024 * 1024;
/// A run of base64 letters that is worth decoding.
const RUN: usize = 16;

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

/// One planted word.
#[derive(Clone, Debug)]
pub struct Marker {
    pub asset: Asset,
    pub side: Side,
    pub text: String,
    /// When it was planted.
    pub at_ms: u64,
}

impl Marker {
    pub fn new(asset: Asset, side: Side, text: impl Into<String>) -> Self {
        Self { asset, side, text: text.into(), at_ms: compartment::now_ms() }
    }
}

/// A word that stands nowhere else in the world.
pub fn word() -> String {
    format!("m{}", HEXLOWER.encode(&compartment::random::<8>()))
}

/// Which of the markers stand in these octets.
pub fn found_in<'a>(octets: &[u8], markers: &'a [Marker]) -> Vec<&'a Marker> {
    let mut forms = vec![octets.to_vec()];
    forms.extend(decoded(octets));
    let limit = UNPACKED_BYTES;
    forms.extend(miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(octets, limit).ok());
    forms.extend(miniz_oxide::inflate::decompress_to_vec_with_limit(octets, limit).ok());
    let stands = |marker: &&Marker| {
        let text = marker.text.as_bytes();
        forms.iter().any(|form| form.windows(text.len()).any(|window| window == text))
    };
    markers.iter().filter(stands).collect()
}

/// Every run of base64 in the octets, line ends left out, decoded.
fn decoded(octets: &[u8]) -> Vec<Vec<u8>> {
    let text: Vec<u8> =
        octets.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.split(|byte| !is_letter(byte))
        .filter(|run| run.len() >= RUN)
        .filter_map(|run| BASE64.decode(run.get(..run.len() / 4 * 4)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Marker, Side, found_in};
    use data_encoding::BASE64;
    use drill::Asset;

    #[test]
    fn a_marker_is_found_as_it_stands_in_base64_and_compressed() {
        let markers = [Marker::new(Asset::StoredBodies, Side::A, "m0123456789abcdef")];
        let check = |octets: &[u8], expected: usize| {
            assert_eq!(found_in(octets, &markers).len(), expected);
        };
        let plain = b"so: m0123456789abcdef.";
        check(plain, 1);
        check(b"so: m0123456789abcdee.", 0);
        check(format!("x {}\r\n", BASE64.encode(plain)).as_bytes(), 1);
        check(&miniz_oxide::deflate::compress_to_vec(plain, 6), 1);
        check(&miniz_oxide::deflate::compress_to_vec_zlib(plain, 6), 1);
    }
}
