//! In whose name a message says to come: the addresses of From, Sender and their like, by one
//! strict grammar. Readers are tolerant, each in another way; what two of them could read as two
//! addresses, or as another than ours, is not signed by us.
//!
//! An entry is a bare address, or a name and one address in angles with nothing behind it. A name
//! is made of atoms, quoted strings, encoded words and plain comments; raw UTF-8 and dots may stand
//! in it, because Japanese clients write them.

use mime::{decode_charset, decode_words};
use smtp::Address;
use terms::Cursor;

/// What is shown of a header to whoever wrote it.
const SHOWN: usize = 60;

/// Why a field names nobody: what should have stood there, and what did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Odd {
    pub expected: &'static str,
    pub found: String,
}

impl Odd {
    /// A reply is one line of ASCII.
    fn new(expected: &'static str, found: &[u8]) -> Self {
        let text = String::from_utf8_lossy(found);
        let plain = |one: char| if (' '..='~').contains(&one) { one } else { '?' };
        let found = text.trim().chars().take(SHOWN).map(plain).collect();
        Self { expected, found }
    }
}

const ONE_ADDRESS: &str = "an address such as name@example.jp";

/// Up to `most` addresses, as they were written.
pub(crate) fn mailboxes(value: &[u8], most: usize) -> Result<Vec<String>, Odd> {
    let text = std::str::from_utf8(value);
    let text = text.map_err(|_| Odd::new("UTF-8 or encoded words", value))?;
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(Odd::new("no control characters", value));
    }
    let mut cursor = Cursor::new(value);
    let mut found = Vec::new();
    loop {
        found.push(mailbox(&mut cursor)?);
        match cursor.next() {
            None => return Ok(found),
            Some(_) if found.len() < most => {}
            Some(_) => return Err(Odd::new("fewer addresses", cursor.rest())),
        }
    }
}

/// One entry, up to its comma or the end.
fn mailbox(cursor: &mut Cursor<'_>) -> Result<String, Odd> {
    let (mut name, mut is_named) = (Vec::new(), false);
    loop {
        blanks(cursor);
        let start = *cursor;
        let word = match cursor.peek() {
            None | Some(b',') => return Err(Odd::new(ONE_ADDRESS, &name)),
            Some(b'<') => {
                let address = angle(cursor)?;
                is_its_name(&name, &address)?;
                return Ok(address);
            }
            Some(b'(') => comment(cursor)?,
            Some(b'"') => quoted(cursor)?,
            Some(_) => cursor.take_while(is_of_a_word).to_vec(),
        };
        if word.is_empty() && cursor.position() == start.position() {
            return Err(Odd::new("a name in quotes, if it holds such a sign", cursor.rest()));
        }
        if cursor.peek() == Some(b'@') {
            return match is_named {
                false => bare(cursor, start),
                true => Err(Odd::new("nothing beside an address without <>", start.rest())),
            };
        }
        if is_named {
            name.push(b' ');
        }
        name.extend_from_slice(&word);
        is_named = true;
    }
}

/// `<address>`, and nothing behind it.
fn angle(cursor: &mut Cursor<'_>) -> Result<String, Odd> {
    cursor.next();
    let inside = cursor.take_while(|octet| octet != b'>');
    let address = address(inside)?;
    if !cursor.eat(b'>') {
        return Err(Odd::new("a > behind the address", inside));
    }
    blanks(cursor);
    is_over(cursor)?;
    Ok(address)
}

/// An address without angles, with a comment at most: `cron` and its like write one.
fn bare<'a>(cursor: &mut Cursor<'a>, start: Cursor<'a>) -> Result<String, Odd> {
    *cursor = start;
    let whole = cursor.take_while(|octet| is_of_a_word(octet) || matches!(octet, b'@' | b'"'));
    let address = address(whole)?;
    blanks(cursor);
    if cursor.peek() == Some(b'(') {
        let name = comment(cursor)?;
        is_its_name(&name, &address)?;
        blanks(cursor);
    }
    is_over(cursor)?;
    Ok(address)
}

fn is_over(cursor: &Cursor<'_>) -> Result<(), Odd> {
    match cursor.peek() {
        None | Some(b',') => Ok(()),
        Some(_) => Err(Odd::new("nothing behind an address", cursor.rest())),
    }
}

/// A dot-atom and a domain. What needs quotes is no address of a person here: it would be read as
/// more than one by somebody.
fn address(text: &[u8]) -> Result<String, Odd> {
    let odd = || Odd::new(ONE_ADDRESS, text);
    let plain = std::str::from_utf8(text).map_err(|_| odd())?;
    let read = Address::parse(plain).filter(|_| !plain.contains("=?")).ok_or_else(odd)?;
    // Of signs beyond ASCII some are read as one of its own, ＠ among them.
    if !read.local().chars().all(|letter| letter.is_ascii() || letter.is_alphanumeric()) {
        return Err(odd());
    }
    match needs_quotes(&read) {
        true => Err(Odd::new("an address that needs no quotes", text)),
        false => Ok(read.written()),
    }
}

/// Whether its local part is more than a dot-atom; the directory gives out no such address.
pub(crate) fn needs_quotes(address: &Address) -> bool {
    address.written().starts_with('"')
}

fn blanks(cursor: &mut Cursor<'_>) {
    cursor.take_while(|octet| matches!(octet, b' ' | b'\t'));
}

/// An octet of an atom, a dot, or UTF-8: RFC 5322 §3.2.3 without its specials.
fn is_of_a_word(octet: u8) -> bool {
    !matches!(octet, 0..=b' ' | 127) && !b"()<>[]:;@\\,\"".contains(&octet)
}

/// What a quoted string says. Only a quote or a backslash is written with a backslash.
fn quoted(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Odd> {
    let start = *cursor;
    cursor.next();
    let mut said = Vec::new();
    loop {
        match cursor.next() {
            Some(b'"') => return Ok(said),
            Some(b'\\') => match cursor.next() {
                Some(octet @ (b'"' | b'\\')) => said.push(octet),
                _ => return Err(Odd::new("no \\ before other signs than \" and \\", start.rest())),
            },
            Some(octet) => said.push(octet),
            None => return Err(Odd::new("a closing quote", start.rest())),
        }
    }
}

/// A comment in which nothing could be taken for an address, an end, or another comment.
fn comment(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Odd> {
    let start = *cursor;
    cursor.next();
    let said = cursor.take_while(|octet| !b"()<>\\\",;:@".contains(&octet)).to_vec();
    match cursor.eat(b')') {
        true => Ok(said),
        false => Err(Odd::new("no brackets, quotes or addresses within brackets", start.rest())),
    }
}

/// Many readers show the name alone, and some look for an address in it. So the only address in a
/// name is the entry's own (Outlook and telephones write it there): neither reader is deceived.
/// An `@` that is none (`Sales @ Tokyo`) may stand in quotes.
fn is_its_name(name: &[u8], address: &str) -> Result<(), Odd> {
    let raw = String::from_utf8_lossy(name);
    let decoded = decode_words(name);
    if decoded.contains("=?") || !charsets_in(name).iter().all(|one| is_known(one)) {
        return Err(Odd::new("encoded words that can be read", name));
    }
    if [&*raw, &decoded].into_iter().any(|text| text.chars().any(turns_or_hides)) {
        return Err(Odd::new("a name without signs that turn or hide letters", name));
    }
    let own = terms::folded_local(address);
    let other = [&*raw, &decoded].into_iter().flat_map(addresses_in).find(|one| *one != own);
    match other {
        Some(other) => Err(Odd::new("no other address in the name", other.as_bytes())),
        None => Ok(()),
    }
}

/// What encoded words name, as leniently as they are read.
fn charsets_in(name: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(name);
    let charset = |word: &str| {
        let mut pieces = word.splitn(3, '?');
        let (charset, encoding) = (pieces.next()?, pieces.next()?);
        let is_word = matches!(encoding, "b" | "B" | "q" | "Q") && pieces.next().is_some();
        // RFC 2231 §5: a language may stand behind it.
        let charset = charset.split('*').next().filter(|_| is_word)?;
        Some(charset.trim_matches(['"', '\'']).to_owned())
    };
    text.split("=?").skip(1).filter_map(charset).collect()
}

/// Others may know a character set that we do not, and read an address where we see none. Where it
/// is not known it is guessed, and nothing contradicts it.
fn is_known(charset: &str) -> bool {
    let read = |octets: &[u8]| decode_charset(Some(charset), octets);
    read(b"a").charset != "US-ASCII" || read(&[0x82, 0xa0]).lying
}

/// Signs that are not seen: what is shown with them reads as another text. Joiners may stay, for
/// some scripts and pictures are written with them.
fn turns_or_hides(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'
        | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// What a person would take for an address, in one spelling.
fn addresses_in(text: &str) -> Vec<String> {
    let plain = |letter: char| match letter {
        '\u{ff20}' | '\u{fe6b}' => '@',
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}' => '.',
        // Dots of other scripts, and dots that stand higher.
        '\u{b7}' | '\u{6d4}' | '\u{701}' | '\u{702}' | '\u{2027}' | '\u{2219}' | '\u{22c5}'
        | '\u{a4f8}' | '\u{a60e}' | '\u{10a50}' => '.',
        other => other,
    };
    // Joiners, and blanks that are hardly wider than none.
    let is_seen = |letter: &char| {
        !matches!(
            letter,
            '\u{200c}' | '\u{200d}' | '\u{2006}' | '\u{2008}'
                ..='\u{200a}' | '\u{202f}' | '\u{205f}'
        )
    };
    let plain: String = text.chars().filter(is_seen).map(plain).collect();
    let without_blanks = |text: &str, sign: &str| {
        let pieces: Vec<&str> = text.split(sign).map(str::trim).collect();
        pieces.join(sign)
    };
    let joined = without_blanks(&without_blanks(&plain, "@"), ".");
    let is_between = |letter: char| letter.is_whitespace() || "<>()[]\",;:".contains(letter);
    let is_address = |piece: &&str| {
        let sides = piece.split_once('@');
        sides.is_some_and(|(local, rest)| !local.is_empty() && rest.contains('.'))
    };
    let pieces = joined.split(is_between);
    let pieces = pieces.map(|piece| piece.trim_matches(['\'', '.']).trim_start_matches('@'));
    pieces.filter(is_address).map(terms::folded_local).collect()
}

#[cfg(test)]
mod tests {
    use super::mailboxes;

    fn check(value: &str, expected: &[&str]) {
        let found = mailboxes(value.as_bytes(), 3).unwrap_or_default();
        assert_eq!(found, expected, "{value}");
    }

    const AOI: &[&str] = &["aoi@example.jp"];

    #[test]
    fn what_people_write() {
        check("aoi@example.jp", AOI);
        check(" <aoi@example.jp> ", AOI);
        check("Aoi Tanaka <aoi@example.jp>", AOI);
        check("Aoi T. Tanaka\t<aoi@example.jp>", AOI);
        check("田中 葵 <aoi@example.jp>", AOI);
        check("田中 葵(営業部) <aoi@example.jp>", AOI);
        check("\"Tanaka, Aoi\" <aoi@example.jp>, <b@example.jp>", &[AOI[0], "b@example.jp"]);
        check("\"Aoi \\\"A\\\" T\" <aoi@example.jp>", AOI);
        check("=?utf-8?B?55Sw5Lit?= =?utf-8?B?6JG1?= <aoi@example.jp>", AOI);
        check("=?iso-2022-jp?B?GyRCRURDZhsoQg==?= <aoi@example.jp>", AOI);
        check("aoi@example.jp (Cron Daemon)", AOI);
        check("\"aoi@example.jp\" <aoi@example.jp>", AOI);
        check("\"'Aoi@Example.JP'\" <aoi@example.jp>", AOI);
        check("=?utf-8?q?aoi=40example.jp?= <aoi@example.jp>", AOI);
        check("\"Sales @ Tokyo\" <aoi@example.jp>", AOI);
        check("\"Mr. Sato @ Kaede Co. Ltd\" <aoi@example.jp>", AOI);
        check("ジョン・スミス <aoi@example.jp>", AOI);
        check("\"Aoi\u{2009}Tanaka\" <aoi@example.jp>", AOI);
        check("=?cp932?B?k2OShg==?= <aoi@example.jp>", AOI);
        check("=?UTF-8*ja?B?55Sw5Lit?= <aoi@example.jp>", AOI);
        check("=?us-ascii?q?Aoi?= =?iso-8859-1?q?T=E9a?= <aoi@example.jp>", AOI);
        check("佐藤＠営業部 <aoi@example.jp>", AOI);
        check("O'Brien & Sons <o'brien@example.jp>", &["o'brien@example.jp"]);
        check("aoi+news@example.jp", &["aoi+news@example.jp"]);
        check("\"aoi\"@example.jp", AOI);
        check("葵@example.jp", &["葵@example.jp"]);
    }

    /// Each of these was signed once, or is read as another address by somebody.
    #[test]
    fn two_readings() {
        for odd in [
            "aoi@example.jp, <ceo@bank.example> <aoi@example.jp>",
            "<ceo@bank.example> <aoi@example.jp>, aoi@example.jp",
            "aoi@example.jp,\"x\" <ceo@bank.example> y <aoi@example.jp>",
            "ceo@bank.example <aoi@example.jp>",
            "ceo@bank.example<aoi@example.jp>",
            "ceo@bank.example\t<aoi@example.jp>",
            "<aoi@example.jp> ceo@bank.example",
            "aoi@example.jp ceo@bank.example",
            "aoi@example.jp;ceo@bank.example",
            "(ceo@bank.example) aoi@example.jp",
            "aoi@example.jp (ceo@bank.example)",
            "aoi@example.jp (a (b))",
            "() aoi@example.jp",
            "\"\" aoi@example.jp",
            "<aoi@example.jp> (Aoi)",
            "\"ceo@bank.example\" <aoi@example.jp>",
            "\"ceo @ bank.example\" <aoi@example.jp>",
            "\"Boss <ceo@bank.example>\" <aoi@example.jp>",
            "\"a\\\" <ceo@bank.example>, \\\"b\" <aoi@example.jp>",
            "=?utf-8?q?ceo=40bank.example?= <aoi@example.jp>",
            "=?utf-8?q?ceo=40?= =?utf-8?q?bank.example?= <aoi@example.jp>",
            "=?utf-8?q?ceo=40?= bank.example <aoi@example.jp>",
            "=?utf-7?q?ceo+AEA-bank.example?= <aoi@example.jp>",
            "\"=?utf-8?q?ceo=40bank.example?=\" <aoi@example.jp>",
            "aoi@example.jp (=?utf-8?q?ceo=40bank.example?=)",
            "ceo＠bank.example <aoi@example.jp>",
            "=?utf-8?q?ceo=40bank.example=40?= <aoi@example.jp>",
            "\"@ceo@bank.example\" <aoi@example.jp>",
            "\"\u{202e}elpmaxe.knab@oec\u{202c}\" <aoi@example.jp>",
            "=?utf-8?b?4oCuZWxwbWF4ZQ==?= <aoi@example.jp>",
            "\"ceo@\u{200b}bank.example\" <aoi@example.jp>",
            "\"ceo@bank\u{2024}example\" <aoi@example.jp>",
            "\"ceo@ba\u{200d}nk.example\" <aoi@example.jp>",
            "aoi+ceo＠bank.example@example.jp",
            "=?utf-8?q?broken <aoi@example.jp>",
            "<aoi+,ceo@bank.example,@example.jp>",
            "\"aoi+\\\" <ceo@bank.example>\"@example.jp",
            "<\"aoi+ x\"@example.jp>",
            "aoi+ceo@bank.example@example.jp",
            "aoi+<ceo@bank.example>@example.jp",
            "=?utf-8?q?aoi?=@example.jp",
            "<@bank.example:aoi@example.jp>",
            "us: aoi@example.jp;",
            "Foo, Inc. <aoi@example.jp>",
            "[ceo] <aoi@example.jp>",
            "aoi@example.jp,",
            ",aoi@example.jp",
            "aoi@example.jp <>",
            "aoi @ example.jp",
            "aoi@(x)example.jp",
            "< aoi@example.jp >",
            "<<aoi@example.jp>>",
            "<aoi@example.jp",
            "\"a <aoi@example.jp>",
            "\"a\\b\" <aoi@example.jp>",
            "aoi@example.jp\u{b}x",
            "Aoi",
            "",
            "a@example.jp, b@example.jp, c@example.jp, d@example.jp",
        ] {
            check(odd, &[]);
        }
        assert!(mailboxes(b"\x93\x63 <aoi@example.jp>", 3).is_err(), "Shift_JIS hides an @");
        assert!(mailboxes(b"\x1b$B<d\x1b(B <aoi@example.jp>", 3).is_err(), "ISO-2022-JP hides a <");
    }

    /// Blanks that are hardly seen, dots that are others, letters that are read elsewhere.
    #[test]
    fn another_s_address_as_a_name() {
        for odd in [
            "\"ceo@bank\u{200a}.\u{200a}example\" <aoi@example.jp>",
            "\"ceo@bank.\u{2009}example\" <aoi@example.jp>",
            "\"ceo@bank\u{2006}.example\" <aoi@example.jp>",
            "\"ceo\u{a0}@\u{a0}bank\u{a0}.\u{a0}example\" <aoi@example.jp>",
            "\"ceo\u{200a}@ba\u{200a}nk.example\" <aoi@example.jp>",
            "\"ceo @ bank . example\" <aoi@example.jp>",
            "\"ceo@bank\u{b7}example\" <aoi@example.jp>",
            "\"ceo@bank\u{6d4}example\" <aoi@example.jp>",
            "=?utf-8?q?ceo=40bank=C2=B7example?= <aoi@example.jp>",
            "=?cp037?B?g4WWfIKBlZJLhaeBlJeThQ==?= <aoi@example.jp>",
            "=?x-foo?q?Aoi?= <aoi@example.jp>",
            "=?utf-32be?B?AAAAYwAAAGU=?= <aoi@example.jp>",
        ] {
            check(odd, &[]);
        }
    }

    #[test]
    fn it_is_told_what_was_expected_and_found() {
        let odd = mailboxes("<a@example.jp> 葵 <ceo@bank.example>".as_bytes(), 3).unwrap_err();
        assert_eq!(odd.expected, "nothing behind an address");
        assert_eq!(odd.found, "? <ceo@bank.example>");
        let long = format!("\"{}\" <a@example.jp>", "ceo@bank.example ".repeat(90));
        let odd = mailboxes(long.as_bytes(), 3).unwrap_err();
        assert_eq!(odd.found, "ceo@bank.example");
    }
}
