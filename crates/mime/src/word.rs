//! Encoded words in headers (RFC 2047), as they are really written: characters split between
//! words, names of charsets missing, raw octets between them.

use crate::charset::decode_charset;
use crate::transfer;
use data_encoding::BASE64;
use memchr::memmem;
use terms::Cursor;

/// A charset's name in an encoded word; the longest registered one has 45 characters.
const CHARSET_BYTES: usize = 64;

/// Decodes a header value to text. Control characters that would move a screen are dropped.
pub fn decode_words(value: &[u8]) -> String {
    let mut text = String::new();
    let mut run: Option<Run> = None;
    let mut plain_start = 0;
    let mut cursor = Cursor::new(value);
    let mut no_more_ends = false;
    while let Some(found) = memmem::find(cursor.rest(), b"=?") {
        let start = cursor.position() + found;
        cursor.stand_at(start + 2);
        if no_more_ends {
            break;
        }
        let mut ahead = cursor;
        match encoded_word(&mut ahead) {
            Word::Found { charset, octets } => {
                let between = cursor.slice(plain_start, start);
                // RFC 2047 §6.2: white space between two encoded words is not shown.
                let adjacent = run.is_some() && between.trim_ascii().is_empty();
                if !adjacent {
                    flush(&mut run, &mut text);
                    text.push_str(&decode_charset(None, between).text);
                }
                match &mut run {
                    // Characters are split between words, so equal neighbours are one text.
                    Some(run) if run.charset.eq_ignore_ascii_case(&charset) => {
                        run.octets.extend_from_slice(&octets);
                    }
                    _ => {
                        flush(&mut run, &mut text);
                        run = Some(Run { charset, octets });
                    }
                }
                cursor = ahead;
                plain_start = cursor.position();
            }
            Word::NoEnd => no_more_ends = true,
            Word::Other => {}
        }
    }
    flush(&mut run, &mut text);
    let rest = cursor.slice(plain_start, value.len());
    text.push_str(&decode_charset(None, rest).text);
    text.retain(|letter| !letter.is_control() || letter == '\t');
    text
}

/// Octets of text in one word, so that it has at most 75 (RFC 2047 §2).
const WORD_BYTES: usize = 42;

/// Text as encoded words of UTF-8 in base64, each on a line of its own: whole characters in each,
/// and nothing that could end a field.
pub fn encode_words(text: &str) -> String {
    let mut pieces = vec![String::new()];
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        match pieces.last_mut() {
            Some(piece) if piece.len() + letter.len_utf8() <= WORD_BYTES => piece.push(letter),
            _ => pieces.push(letter.to_string()),
        }
    }
    let word = |piece: &String| format!("=?UTF-8?B?{}?=", BASE64.encode(piece.as_bytes()));
    pieces.iter().map(word).collect::<Vec<_>>().join("\r\n ")
}

struct Run {
    charset: String,
    octets: Vec<u8>,
}

fn flush(run: &mut Option<Run>, text: &mut String) {
    if let Some(run) = run.take() {
        let charset = (!run.charset.is_empty()).then_some(run.charset.as_str());
        text.push_str(&decode_charset(charset, &run.octets).text);
    }
}

enum Word {
    Found {
        charset: String,
        octets: Vec<u8>,
    },
    /// No `?=` stands anywhere behind: nobody need look again.
    NoEnd,
    Other,
}

/// Reads `charset*language?B?text?=` from behind its `=?`.
fn encoded_word(cursor: &mut Cursor<'_>) -> Word {
    let mut length = 0;
    let name = cursor.take_while(|byte| {
        length += 1;
        length <= CHARSET_BYTES && byte != b'?' && !byte.is_ascii_whitespace()
    });
    let mut pieces = name.splitn(2, |byte| *byte == b'*');
    let charset = String::from_utf8_lossy(pieces.next().unwrap_or_default())
        .trim_matches(|letter| matches!(letter, '"' | '\''))
        .to_owned();
    if !cursor.eat(b'?') {
        return Word::Other;
    }
    let is_base64 = match cursor.next() {
        Some(b'B' | b'b') => true,
        Some(b'Q' | b'q') => false,
        _ => return Word::Other,
    };
    if !cursor.eat(b'?') {
        return Word::Other;
    }
    let Some(end) = memmem::find(cursor.rest(), b"?=") else {
        return Word::NoEnd;
    };
    let encoded = cursor.take(end).unwrap_or_default();
    cursor.take(2);
    let octets = if is_base64 { transfer::base64(encoded) } else { q_text(encoded) };
    Word::Found { charset, octets }
}

/// RFC 2047 §4.2: quoted-printable with `_` for a space.
fn q_text(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> =
        encoded.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
    transfer::quoted_printable(&spaced)
}
