//! Random words planted where an intruder should not get at them, and found again in whatever it
//! obtained: as they stand, in base64, in hexadecimal, or compressed.

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use drill::Asset;
use std::collections::HashMap;

/// Nothing larger is unpacked: an intruder's loot must not hurt the drill.
const UNPACKED_BYTES: usize = 4 * 1024 * 1024;
/// A run of base64 or hexadecimal letters that is worth decoding.
const RUN: usize = 16;
/// Where in its own letters an encoded text may begin.
const BASE64_PHASES: usize = 4;
const HEX_PHASES: usize = 2;
/// Octets by which a marker is known at first sight. None is shorter.
const HEAD: usize = 8;

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
    let known = Known::of(markers);
    let mut found = vec![false; markers.len()];
    known.look(octets, &mut found);
    for shift in 0..BASE64_PHASES {
        decoded(octets, shift).iter().for_each(|form| known.look(form, &mut found));
    }
    for shift in 0..HEX_PHASES {
        from_hex(octets, shift).iter().for_each(|form| known.look(form, &mut found));
    }
    let limit = UNPACKED_BYTES;
    let zlib = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(octets, limit).ok();
    let bare = miniz_oxide::inflate::decompress_to_vec_with_limit(octets, limit).ok();
    [zlib, bare].iter().flatten().for_each(|form| known.look(form, &mut found));
    markers.iter().zip(found).filter(|(_, is_found)| *is_found).map(|(marker, _)| marker).collect()
}

/// The markers by their beginnings: loot may be long, and is read once for all of them.
struct Known<'a> {
    by_head: HashMap<[u8; HEAD], Vec<(usize, &'a [u8])>>,
    begins: [bool; 256],
}

impl<'a> Known<'a> {
    fn of(markers: &'a [Marker]) -> Self {
        let mut known = Self { by_head: HashMap::new(), begins: [false; 256] };
        for (place, marker) in markers.iter().enumerate() {
            let text = marker.text.as_bytes();
            let Some(head) = text.first_chunk::<HEAD>() else { continue };
            known.by_head.entry(*head).or_default().push((place, text));
            if let Some(begins) = known.begins.get_mut(usize::from(head[0])) {
                *begins = true;
            }
        }
        known
    }

    fn look(&self, octets: &[u8], found: &mut [bool]) {
        let begins = |byte: &u8| self.begins.get(usize::from(*byte)) == Some(&true);
        for (at, _) in octets.iter().enumerate().filter(|(_, byte)| begins(byte)) {
            let rest = octets.get(at..).unwrap_or_default();
            let Some(head) = rest.first_chunk::<HEAD>() else { return };
            for (place, text) in self.by_head.get(head).into_iter().flatten() {
                if rest.starts_with(text)
                    && let Some(one) = found.get_mut(*place)
                {
                    *one = true;
                }
            }
        }
    }
}

/// Every run of base64 in the octets, line ends left out, decoded. It may begin in the middle of
/// other letters: in one of four phases it is read aright.
fn decoded(octets: &[u8], shift: usize) -> Vec<Vec<u8>> {
    let text: Vec<u8> =
        octets.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.split(|byte| !is_letter(byte))
        .filter(|run| run.len() >= RUN)
        .filter_map(|run| run.get(shift..))
        .filter_map(|run| BASE64.decode(run.get(..run.len() / 4 * 4)?).ok())
        .collect()
}

/// Every run of hexadecimal digits, of either case and however they are set apart, decoded.
fn from_hex(octets: &[u8], shift: usize) -> Vec<Vec<u8>> {
    let is_apart = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | b':');
    let text: Vec<u8> = octets.iter().copied().filter(|byte| !is_apart(byte)).collect();
    text.split(|byte| !byte.is_ascii_hexdigit())
        .filter(|run| run.len() >= RUN)
        .filter_map(|run| run.get(shift..))
        .filter_map(|run| HEXLOWER_PERMISSIVE.decode(run.get(..run.len() / 2 * 2)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Marker, Side, found_in};
    use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
    use drill::Asset;

    #[test]
    fn a_marker_is_found_as_it_stands_in_base64_in_hex_and_compressed() {
        let markers = [Marker::new(Asset::StoredBodies, Side::A, "m0123456789abcdef")];
        let check = |octets: &[u8], expected: usize| {
            assert_eq!(found_in(octets, &markers).len(), expected);
        };
        let plain = b"so: m0123456789abcdef.";
        check(plain, 1);
        check(b"so: m0123456789abcdee.", 0);
        check(format!("x {}\r\n", BASE64.encode(plain)).as_bytes(), 1);
        check(format!("abc{}", BASE64.encode(plain)).as_bytes(), 1);
        check(HEXLOWER.encode(plain).as_bytes(), 1);
        check(format!("f{}", HEXUPPER.encode(plain)).as_bytes(), 1);
        let apart: Vec<String> = plain.iter().map(|byte| format!("{byte:02x}")).collect();
        check(apart.join(" ").as_bytes(), 1);
        check(&miniz_oxide::deflate::compress_to_vec(plain, 6), 1);
        check(&miniz_oxide::deflate::compress_to_vec_zlib(plain, 6), 1);
    }
}
