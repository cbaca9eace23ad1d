//! Which character set a text is really in, and its decoding. Tables come from `encoding_rs`;
//! the decision is ours, because Japanese mail names its charset wrongly or not at all.

use crate::iso2022jp;
use encoding_rs::{EUC_JP, Encoding, SHIFT_JIS, UTF_8, WINDOWS_1252};
use std::borrow::Cow;
use terms::Cursor;

/// Octets that are weighed to tell Shift_JIS from EUC-JP: more would not change the answer.
const SAMPLE_BYTES: usize = 64 * 1024;

/// Text out of octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub text: String,
    /// The charset that was used, by its usual name.
    pub charset: &'static str,
    /// The declared charset was another, and the octets contradicted it.
    pub lying: bool,
}

/// A charset as declared, vendor names folded.
#[derive(Clone, Copy, PartialEq)]
enum Declared {
    Absent,
    Ascii,
    Utf8,
    Utf7,
    Iso2022Jp,
    Table(&'static Encoding),
}

/// Decodes `octets`, declared as `label`. Never fails; what has no meaning becomes U+FFFD.
pub fn decode_charset(label: Option<&str>, octets: &[u8]) -> Decoded {
    let declared = label.map_or(Declared::Absent, declared);
    let has_high = !octets.is_ascii();
    if !has_high && iso2022jp::has_escapes(octets) {
        // Escapes are conclusive: no other charset of mail uses ESC.
        let lying = !matches!(declared, Declared::Iso2022Jp | Declared::Absent);
        return decoded(iso2022jp::decode(octets), "ISO-2022-JP", lying);
    }
    match declared {
        Declared::Utf7 => decoded(utf7(octets), "UTF-7", false),
        Declared::Table(encoding) => with_table(encoding, octets),
        Declared::Iso2022Jp if !has_high || iso2022jp::has_escapes(octets) => {
            decoded(iso2022jp::decode(octets), "ISO-2022-JP", false)
        }
        _ if !has_high => decoded(ascii(octets), "US-ASCII", false),
        Declared::Utf8 if simdutf8::basic::from_utf8(octets).is_ok() => utf8(octets, false),
        other => sniffed(octets, other),
    }
}

/// Whether decoding would give these very octets, and find nothing to say about their charset.
pub(crate) fn is_as_it_stands(label: Option<&str>, octets: &[u8]) -> bool {
    match label.map_or(Declared::Absent, declared) {
        Declared::Absent | Declared::Ascii if octets.is_ascii() => !iso2022jp::has_escapes(octets),
        Declared::Utf8 if octets.is_ascii() => !iso2022jp::has_escapes(octets),
        Declared::Utf8 => {
            !octets.starts_with(BYTE_ORDER_MARK) && simdutf8::basic::from_utf8(octets).is_ok()
        }
        _ => false,
    }
}

/// U+FEFF in UTF-8: decoding takes it off.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

fn decoded(text: impl Into<String>, charset: &'static str, lying: bool) -> Decoded {
    Decoded { text: text.into(), charset, lying }
}

fn ascii(octets: &[u8]) -> Cow<'_, str> {
    // The checked way is several times faster than the lossy one, and nearly always right.
    simdutf8::basic::from_utf8(octets)
        .map_or_else(|_| String::from_utf8_lossy(octets), Cow::Borrowed)
}

fn utf8(octets: &[u8], lying: bool) -> Decoded {
    decoded(UTF_8.decode_with_bom_removal(octets).0, "UTF-8", lying)
}

/// A declared table is believed unless the octets are wrong in it and right in UTF-8, or wrong in
/// one Japanese table and right in the other.
fn with_table(encoding: &'static Encoding, octets: &[u8]) -> Decoded {
    let (text, wrong) = encoding.decode_with_bom_removal(octets);
    let japanese = encoding == SHIFT_JIS || encoding == EUC_JP;
    let high = !octets.is_ascii();
    if high && (wrong || japanese) && simdutf8::basic::from_utf8(octets).is_ok() {
        let fits = japanese && !wrong && !looks_like_utf8(octets);
        if !fits {
            return utf8(octets, true);
        }
    }
    if encoding == WINDOWS_1252 && high {
        // Nothing is wrong in this table: what is said must be absurd, and the other likely.
        if looks_like_utf8(octets) {
            return utf8(octets, true);
        }
        if is_shift_jis_at_heart(octets) {
            let text = SHIFT_JIS.decode_without_bom_handling(octets).0;
            return decoded(text, SHIFT_JIS.name(), true);
        }
    }
    if wrong && japanese {
        let other = if encoding == SHIFT_JIS { EUC_JP } else { SHIFT_JIS };
        let (other_text, other_wrong) = other.decode_without_bom_handling(octets);
        if !other_wrong {
            return decoded(other_text, other.name(), true);
        }
    }
    decoded(text, encoding.name(), false)
}

/// Octets of Shift_JIS that no Western text is made of, though each of them is a letter there too.
/// Every high octet must be of a pair (a lone accent before a space is not), and the pairs must be
/// such as Japanese has many of: kana, whose first octets in Latin-1 are a low quotation mark and a
/// florin sign; or, in a short text, common kanji of two high octets whose first is not one that
/// Windows writes for quotation marks and dashes. A few words stay unread for want of proof.
fn is_shift_jis_at_heart(octets: &[u8]) -> bool {
    let sample = Cursor::new(octets).slice(0, SAMPLE_BYTES);
    if shift_jis_score(sample).is_none() {
        return false;
    }
    let (mut pairs, mut kana, mut lone, mut foreign, mut rare) = (0usize, 0usize, 0usize, 0, 0);
    let mut cursor = Cursor::new(sample);
    while let Some(lead) = cursor.next() {
        match lead {
            0x00..=0x7F => continue,
            0xA1..=0xDF => {
                lone += 1;
                continue;
            }
            _ => pairs += 1,
        }
        let trail = cursor.next().unwrap_or_default();
        kana += usize::from(matches!((lead, trail), (0x82, 0x9F..=0xF1) | (0x83, 0x40..=0x96)));
        let is_mark = matches!(lead, 0x82 | 0x84 | 0x85 | 0x8B | 0x91..=0x97);
        foreign += usize::from(trail >= 0x80 && lead <= 0x98 && !is_mark);
        rare += usize::from(lead > 0x98);
    }
    let by_kana = kana >= 2 && kana * 5 >= pairs && lone <= pairs;
    let by_kanji = pairs >= 2 && foreign * 2 >= pairs && rare == 0 && lone == 0;
    (by_kana || by_kanji) && !SHIFT_JIS.decode_without_bom_handling(octets).1
}

/// Octets that are UTF-8 *and* of the pattern that kana and kanji have in it.
fn looks_like_utf8(octets: &[u8]) -> bool {
    let Ok(text) = simdutf8::basic::from_utf8(octets) else {
        return false;
    };
    let mut japanese = 0usize;
    let mut other = 0usize;
    for letter in text.chars().filter(|letter| !letter.is_ascii()).take(1_000) {
        match letter {
            '\u{3000}'..='\u{30FF}' | '\u{4E00}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}' => {
                japanese += 1;
            }
            _ => other += 1,
        }
    }
    japanese > other
}

/// Octets with the high bit whose declared charset is absent or impossible.
fn sniffed(octets: &[u8], declared: Declared) -> Decoded {
    let lying = declared != Declared::Absent;
    if simdutf8::basic::from_utf8(octets).is_ok() {
        return utf8(octets, lying);
    }
    if iso2022jp::has_escapes(octets) {
        return decoded(iso2022jp::decode(octets), "ISO-2022-JP", lying);
    }
    let sample = Cursor::new(octets).slice(0, SAMPLE_BYTES);
    let (shift_jis, euc_jp) = (shift_jis_score(sample), euc_jp_score(sample));
    let guess = match (shift_jis, euc_jp) {
        (Some(shift_jis), Some(euc_jp)) if euc_jp >= shift_jis => EUC_JP,
        (None, Some(_)) => EUC_JP,
        (Some(_), _) => SHIFT_JIS,
        (None, None) if declared == Declared::Utf8 => UTF_8,
        (None, None) => WINDOWS_1252,
    };
    let lying = lying && guess != UTF_8;
    decoded(guess.decode_without_bom_handling(octets).0, guess.name(), lying)
}

/// Kana speak for Shift_JIS; an impossible octet excludes it.
fn shift_jis_score(sample: &[u8]) -> Option<i64> {
    let mut score = 0;
    let mut cursor = Cursor::new(sample);
    while let Some(byte) = cursor.next() {
        match byte {
            0x00..=0x7F => {}
            // A half-width kana alone is rare in mail, and every EUC octet looks like one.
            0xA1..=0xDF => score -= 1,
            // Vendors' own signs stand here; the umlauts and tildes of Latin-1 far more often.
            0xF0..=0xF9 => return None,
            0x81..=0x9F | 0xE0..=0xEF | 0xFA..=0xFC => match cursor.next() {
                Some(trail @ (0x40..=0x7E | 0x80..=0xFC)) => {
                    let kana = matches!((byte, trail), (0x82, 0x9F..=0xF1) | (0x83, 0x40..=0x96));
                    score += if kana { 4 } else { 1 };
                }
                None => {}
                Some(_) => return None,
            },
            _ => return None,
        }
    }
    Some(score)
}

fn euc_jp_score(sample: &[u8]) -> Option<i64> {
    let mut score = 0;
    let mut cursor = Cursor::new(sample);
    while let Some(byte) = cursor.next() {
        let trails = match byte {
            0x00..=0x7F => continue,
            0x8E | 0xA1..=0xFE => 1,
            0x8F => 2,
            _ => return None,
        };
        let Some(trail) = cursor.take(trails) else {
            break;
        };
        if trail.iter().any(|byte| !(0xA1..=0xFE).contains(byte)) {
            return None;
        }
        score += if matches!(byte, 0xA4 | 0xA5) { 4 } else { 1 };
    }
    Some(score)
}

fn declared(label: &str) -> Declared {
    let label: String = label
        .trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\''))
        .to_ascii_lowercase();
    let bare: String = label.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    match bare.as_str() {
        "" | "unknown" | "unknown8bit" | "xunknown" | "default" | "binary" | "8bit" => {
            Declared::Absent
        }
        "usascii" | "ascii" | "ansix341968" | "iso646us" | "us" => Declared::Ascii,
        "utf8" | "xutf8" | "unicode11utf8" | "unicode20utf8" | "utf8mb4" => Declared::Utf8,
        "utf7" | "xutf7" | "unicode11utf7" | "unicode20utf7" | "utf7imap" => Declared::Utf7,
        "jis" | "jis7" | "jis8" | "cp50220" | "cp50221" | "cp50222" | "csiso2022jp"
        | "windows50220" | "windows50221" | "windows50222" | "jisencoding" => Declared::Iso2022Jp,
        other if other.trim_start_matches('x').starts_with("iso2022jp") => Declared::Iso2022Jp,
        "sjis" | "xsjis" | "mskanji" | "cp932" | "ms932" | "windows31j" | "cp943" | "cp943c"
        | "xmscp932" | "shiftjis" | "xshiftjis" | "csshiftjis" | "cswindows31j" | "sjiswin"
        | "shiftjis2004" | "ibm943" => Declared::Table(SHIFT_JIS),
        "eucjp" | "xeucjp" | "eucjpms" | "eucjpwin" | "cp51932" | "ujis" | "xeuc" | "eucj"
        | "eucjis2004" => Declared::Table(EUC_JP),
        // Latin-1 by name is what old programs write above anything.
        "iso88591" | "latin1" | "windows1252" => Declared::Table(WINDOWS_1252),
        _ => match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding == UTF_8 => Declared::Utf8,
            Some(encoding) if encoding == encoding_rs::REPLACEMENT => Declared::Absent,
            Some(encoding) => Declared::Table(encoding),
            None => Declared::Absent,
        },
    }
}

/// True if a label means UTF-7, which mail has no honest use for.
pub(crate) fn is_utf7(label: &str) -> bool {
    declared(label) == Declared::Utf7
}

/// RFC 2152. What does not decode stays as it is.
fn utf7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut cursor = Cursor::new(octets);
    while let Some(byte) = cursor.next() {
        if byte != b'+' {
            text.push(char::from(byte));
            continue;
        }
        let run =
            cursor.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        cursor.eat(b'-');
        if run.is_empty() {
            text.push('+');
            continue;
        }
        let units = crate::transfer::base64(run);
        let (pairs, _) = units.as_chunks::<2>();
        let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
        text.extend(
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
        );
    }
    text
}
