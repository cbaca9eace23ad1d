//! Whether prepared octets are one value, so that they cannot end the response they stand in.

use terms::Cursor;

/// Brackets in brackets: parts are nested less deeply than this (`mime` stops before).
const DEPTH: u32 = 1_000;

/// Whether `octets` are exactly one list in brackets, RFC 3501 §9: strings closed, literals whole,
/// brackets in pairs, and no line end but those of literals.
pub fn is_one_list(octets: &[u8]) -> bool {
    let mut cursor = Cursor::new(octets);
    let mut depth = 0;
    while let Some(octet) = cursor.next() {
        match octet {
            b'(' if depth < DEPTH => depth += 1,
            b')' if depth == 1 => return cursor.is_at_end(),
            b')' if depth > 1 => depth -= 1,
            _ if depth == 0 => return false,
            b'"' if quoted(&mut cursor) => {}
            b'{' if literal(&mut cursor) => {}
            b'(' | b')' | b'"' | b'{' => return false,
            b' '..=b'~' => {}
            _ => return false,
        }
    }
    false
}

/// The rest of a quoted string.
fn quoted(cursor: &mut Cursor<'_>) -> bool {
    while let Some(octet) = cursor.next() {
        match octet {
            b'"' => return true,
            b'\\' if !matches!(cursor.next(), Some(b'"' | b'\\')) => return false,
            b'\r' | b'\n' | 0 => return false,
            _ => {}
        }
    }
    false
}

/// The rest of a literal: its size, its line end, its octets.
fn literal(cursor: &mut Cursor<'_>) -> bool {
    let digits = cursor.take_while(|octet| octet.is_ascii_digit());
    let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
    let is_begun = cursor.eat(b'}') && cursor.take(2) == Some(b"\r\n");
    is_begun && size.is_some_and(|size| cursor.take(size).is_some())
}

#[cfg(test)]
mod tests {
    use super::is_one_list;

    #[test]
    fn one_list_is_one_list() {
        let check = |text: &str, is_one: bool| {
            assert_eq!(is_one_list(text.as_bytes()), is_one, "{text:?}");
        };
        check("(NIL NIL)", true);
        check("((\"a\" NIL (\"x\" \"y\"))(\"b\" 1 2) \"mixed\")", true);
        check("(\"a \\\" \\\\ ) ( \u{e4}\" NIL)", true);
        check("({1}\r\n)\r\n* 5)", false);
        check("({6}\r\n)\r\n* 5)", true);
        check("({0}\r\n NIL)", true);
        for wrong in [
            "",
            "NIL",
            "(",
            ")",
            "(NIL))",
            "(NIL) ",
            "(NIL)\r\n* BYE gone\r\n(NIL)",
            "(NIL\r\n* OK [ALERT] call this number\r\n)",
            "(\"a\r\nb\")",
            "(\"a)",
            "(\"a\\n\")",
            "({}\r\n)",
            "({9}\r\nshort)",
            "({99999999999999999999999}\r\n)",
            "({1}x\r\n)",
            "(\0)",
            "(\u{e4})",
            "() NIL",
        ] {
            check(wrong, false);
        }
        check(&"(".repeat(100_000), false);
    }

    #[test]
    fn what_mime_prepares_is_one_list() {
        // The shapes that `mime` writes for an empty message.
        for text in [
            "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
            "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)",
        ] {
            assert!(is_one_list(text.as_bytes()), "{text}");
        }
    }
}
