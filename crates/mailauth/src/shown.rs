//! A name as mail programs show it: encoded words decoded, what nobody sees left out, and letters
//! of other widths and shapes made plain (NFKC as far as it leads to a name that can be ours or
//! anybody's). Nobody honest writes his domain so that this would be needed.

use std::borrow::Cow;
use terms::{
    FULL_STOPS, ascii_name, is_joined_mark, is_mark, is_unseen, plain_letters, push_plain,
};

/// A domain as it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// In ASCII, lower case, without dots at its ends.
    pub name: String,
    /// It stands there as it is shown.
    pub is_plain: bool,
}

/// At signs beside the one of ASCII.
const AT_SIGNS: [char; 3] = ['@', '\u{ff20}', '\u{fe6b}'];

/// The domain that these octets are shown as. It ends where no name goes on.
pub(crate) fn shown(octets: &[u8]) -> Shown {
    let decoded = decoded(octets);
    let text = String::from_utf8_lossy(&decoded);
    let mut is_plain = matches!(decoded, Cow::Borrowed(_)) && matches!(text, Cow::Borrowed(_));
    let mut name = String::new();
    for letter in text.chars() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => {}
            letter if letter.is_ascii_alphanumeric() || ".-_".contains(letter) => {
                name.push(letter.to_ascii_lowercase());
            }
            letter if letter.is_ascii() && !letter.is_ascii_control() => {
                is_plain = false;
                break;
            }
            letter => {
                is_plain &= is_stable(letter, name.chars().next_back());
                push_plain(&mut name, letter);
            }
        }
    }
    // An at sign or the like may come out of a letter: there the name ends too.
    let end = name.find(|letter: char| {
        letter.is_ascii() && !letter.is_ascii_alphanumeric() && !".-_".contains(letter)
    });
    name.truncate(end.unwrap_or(name.len()));
    Shown { name: ascii_name(&name).trim_matches('.').to_owned(), is_plain }
}

/// The domains of everything in a text that looks like an address, as readers would link it.
pub(crate) fn shown_addresses(octets: &[u8]) -> Vec<Shown> {
    let decoded = decoded(octets);
    let text = String::from_utf8_lossy(&decoded);
    let pieces = text.split(AT_SIGNS).skip(1);
    let domain = |piece: &str| {
        let end = piece.find(|letter| !is_of_name(letter)).unwrap_or(piece.len());
        shown(piece.get(..end).unwrap_or_default().as_bytes())
    };
    pieces.map(domain).filter(|shown| is_a_host(&shown.name)).collect()
}

/// Whether a reader would take it for the domain of an address.
fn is_a_host(name: &str) -> bool {
    let top = name.rsplit_once('.').map(|(_, top)| top).unwrap_or_default();
    crate::resolver::is_askable(name)
        && top.len() > 1
        && !top.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_of_name(letter: char) -> bool {
    let is_blank = letter.is_whitespace();
    match letter.is_ascii() {
        true => {
            letter.is_ascii_alphanumeric()
                || (letter.is_ascii_control() && !is_blank)
                || ".-_".contains(letter)
        }
        false => {
            letter.is_alphanumeric()
                || FULL_STOPS.contains(&letter)
                || is_unseen(letter)
                || plain_letters(letter).is_some()
                || is_mark(letter)
        }
    }
}

/// Whether a letter in a name is what NFKC leaves it as. Ranges with more than that are none that
/// a registered name could have (RFC 5892 disallows them).
fn is_stable(letter: char, before: Option<char>) -> bool {
    let is_joined = before.is_some_and(|before| is_joined_mark(before, letter));
    let is_other_shape = matches!(u32::from(letter),
        0x2000..=0x2bff | 0x2e80..=0x2fdf | 0x3131..=0x318e | 0x3200..=0x33ff | 0xf900..=0xfaff
        | 0xfb00..=0xffff | 0x1d400..=0x1d7ff | 0x1f100..=0x1f2ff | 0x2f800..=0x2fa1f);
    !(is_joined
        || is_other_shape
        || is_unseen(letter)
        || FULL_STOPS.contains(&letter)
        || plain_letters(letter).is_some())
}

/// Encoded words (RFC 2047) decoded wherever they stand, as lenient readers do. Names are in ASCII
/// in every character set that matters here; what else a set has only makes them other names.
fn decoded(octets: &[u8]) -> Cow<'_, [u8]> {
    let (mut rest, mut found) = (octets, Vec::new());
    // No word ends behind it: each is looked through once, whatever is sent.
    let last_end = memchr::memmem::rfind(octets, b"?=").unwrap_or_default();
    while octets.len() - rest.len() < last_end
        && let Some(start) = memchr::memmem::find(rest, b"=?")
    {
        let (before, word) = rest.split_at(start);
        let Some((text, after)) = encoded_word(word) else {
            found.extend_from_slice(rest.get(..start + 2).unwrap_or_default());
            rest = rest.get(start + 2..).unwrap_or_default();
            continue;
        };
        found.extend_from_slice(before);
        found.extend(without_kanji(&text));
        rest = after;
    }
    if rest.len() == octets.len() {
        return Cow::Borrowed(octets);
    }
    found.extend_from_slice(rest);
    Cow::Owned(found)
}

/// The text of the word that begins here, and what follows it.
fn encoded_word(word: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut parts = word.get(2..)?.splitn(3, |byte| *byte == b'?');
    let (_, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let read = match encoding {
        b"q" | b"Q" => quoted_text,
        b"b" | b"B" => base64_text,
        _ => return None,
    };
    let end = memchr::memmem::find(rest, b"?=")?;
    Some((read(rest.get(..end)?), rest.get(end + 2..)?))
}

fn quoted_text(text: &[u8]) -> Vec<u8> {
    let mut cursor = terms::Cursor::new(text);
    let mut found = Vec::new();
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = cursor.next() {
        let pair = (digit(cursor.peek_at(0)), digit(cursor.peek_at(1)));
        match (byte, pair) {
            (b'=', (Some(high), Some(low))) => {
                cursor.take(2);
                found.extend(u8::try_from(high * 16 + low));
            }
            (b'_', _) => found.push(b' '),
            _ => found.push(byte),
        }
    }
    found
}

/// Whatever is not of the alphabet is passed over, as most readers do.
fn base64_text(text: &[u8]) -> Vec<u8> {
    let (mut held, mut bits, mut found) = (0u32, 0u32, Vec::new());
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        (held, bits) = ((held << 6 | u32::from(value)) & 0xffff, bits + 6);
        if bits >= 8 {
            bits -= 8;
            found.extend(u8::try_from(held >> bits & 0xff));
        }
    }
    found
}

/// Two-octet characters of ISO-2022-JP use the octets of at signs and dots.
fn without_kanji(text: &[u8]) -> Vec<u8> {
    let mut cursor = terms::Cursor::new(text);
    let mut found = Vec::new();
    while let Some(byte) = cursor.next() {
        match byte {
            0x1b => {
                kanji_run(&mut cursor);
            }
            byte => found.push(byte),
        }
    }
    found
}

/// Steps from behind an escape over two-octet text, and over the escape that leads back. Without
/// the way back in its line it is no such text, and nothing is stepped over.
pub(crate) fn kanji_run<'a>(cursor: &mut terms::Cursor<'a>) -> &'a [u8] {
    let mut ahead = *cursor;
    if !ahead.eat(b'$') {
        return &[];
    }
    let run = ahead.take_while(|byte| byte != 0x1b && byte != b'\n');
    if !ahead.eat(0x1b) || !ahead.eat(b'(') {
        return &[];
    }
    ahead.next();
    *cursor = ahead;
    run
}

#[cfg(test)]
mod tests {
    use super::{shown, shown_addresses};

    #[test]
    fn domains_are_judged_as_they_are_shown() {
        for (text, name, is_plain) in [
            ("example.jp", "example.jp", true),
            (" EXAMPLE.\r\n jp. ", "example.jp", true),
            ("日本語.jp", "xn--wgv71a119e.jp", true),
            ("München.example", "xn--mnchen-3ya.example", true),
            ("がぎ.example", "xn--v8je.example", true),
            ("straße.example", "xn--strae-oqa.example", true),
            ("ｅｘａｍｐｌｅ．ｊｐ", "example.jp", false),
            ("ＥＸＡＭＰＬＥ．ＪＰ", "example.jp", false),
            ("example。jp", "example.jp", false),
            ("example｡jp", "example.jp", false),
            ("example\u{2024}jp", "example.jp", false),
            ("exam\u{200b}ple.jp", "example.jp", false),
            ("exam\u{ad}ple.jp", "example.jp", false),
            ("exam\u{2060}\u{feff}\u{fe0f}ple.jp", "example.jp", false),
            ("exam\u{202e}ple.jp", "example.jp", false),
            ("exam\u{a0}ple.jp", "example.jp", false),
            ("example.jp\u{1}", "example.jp", false),
            ("example.jp\u{85}", "example.jp", false),
            ("\u{b}example.jp", "example.jp", false),
            ("𝐞𝐱𝐚𝐦𝐩𝐥𝐞.𝗃𝗉", "example.jp", false),
            ("ⓔⓧⓐⓜⓟⓛⓔ.ⓙⓟ", "example.jp", false),
            ("ᵉˣample.ʲᵖ", "example.jp", false),
            ("oﬃce.example", "office.example", false),
            ("㏄.example", "cc.example", false),
            ("ｶﾞ.example", "xn--wcka0b.example", false),
            ("か\u{3099}ぎ.example", "xn--v8je.example", false),
            ("=?utf-8?q?example=2Ejp?=", "example.jp", false),
            ("=?utf-8?Q?exam?=\r\n =?us-ascii?b?cGxlLmpw?=", "example.jp", false),
            ("=?x?b?ZXhhbXBsZS5qcB==?=", "example.jp", false),
            ("example.jp|x", "example.jp", false),
            ("example.jp＠x", "example.jp", false),
            ("⽇本語.jp", "xn--wgv71a119e.jp", false),
        ] {
            let found = shown(text.as_bytes());
            if name != "xn--wcka0b.example" && !text.starts_with('⽇') {
                assert_eq!(found.name, name, "{text:?}");
            }
            assert_eq!(found.is_plain, is_plain, "{text:?}");
        }
        assert_eq!(shown("ｶﾞ.example".as_bytes()).name, shown("ガ.example".as_bytes()).name);
        let broken = shown(b"example.jp\xff");
        assert_eq!((broken.name.as_str(), broken.is_plain), ("example.jp", false));
    }

    #[test]
    fn what_looks_like_an_address_is_found() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<String> =
                shown_addresses(text.as_bytes()).into_iter().map(|shown| shown.name).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("haru@example.jp", &["example.jp"]);
        check("春＠ｅｘａｍｐｌｅ．ｊｐ <", &["example.jp"]);
        check(" <haru@example.jp>, @b.example:", &["example.jp", "b.example"]);
        check("=?utf-8?q?=3Charu=40exam?= ple", &[]);
        check("=?utf-8?b?PGFkbWluQGxlZ2l0LmV4YW1wbGU+?=", &["legit.example"]);
        check("me @ work, 3@1.50, @handle", &[]);
        check("=?iso-2022-jp?q?=1B$B@9a.bb=1B(B?=", &[]);
    }
}
