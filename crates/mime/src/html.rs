//! A small tokenizer for HTML in mail: enough to see text, links and tricks. It never builds a
//! tree and looks at each letter a bounded number of times.

use memchr::memmem;
use terms::Cursor;

/// Attributes of one tag that are read.
const ATTRIBUTES: usize = 40;
/// Letters of one attribute's value that are read (data: links are longer; their start is enough).
const VALUE_BYTES: usize = 4_096;

/// A piece of HTML.
pub(crate) enum Token<'a> {
    Text(&'a str),
    /// The name as it stands, and what stands between it and the tag's end.
    Open {
        name: &'a str,
        inside: &'a str,
    },
    Close(&'a str),
}

/// The tokens of `text`. Comments are left out; script and style contents are left out too.
pub(crate) struct Tokens<'a> {
    cursor: Cursor<'a>,
    text: &'a str,
    skip_to: Option<&'static [u8]>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text.as_bytes()), text, skip_to: None }
    }

    fn skip_past(&mut self, end: &[u8]) {
        let step = memmem::find(self.cursor.rest(), end).map(|found| found + end.len());
        self.cursor.take(step.unwrap_or(self.cursor.rest().len()));
    }

    fn text_token(&mut self) -> Option<Token<'a>> {
        let start = self.cursor.position();
        let rest = self.cursor.rest();
        // A `<` that starts no tag is text; at least one octet is taken.
        let next = rest.get(1..).and_then(|tail| memchr::memchr(b'<', tail));
        let length = next.map_or(rest.len(), |found| found + 1);
        self.cursor.take(length);
        self.text.get(start..start + length).map(Token::Text)
    }

    fn tag(&mut self) -> Option<Token<'a>> {
        self.cursor.next();
        let closing = self.cursor.eat(b'/');
        let start = self.cursor.position();
        self.cursor.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':'));
        let name_end = self.cursor.position();
        skip_tag(&mut self.cursor);
        let end = self.cursor.position();
        self.cursor.eat(b'>');
        let name = self.text.get(start..name_end)?;
        if closing {
            return Some(Token::Close(name));
        }
        let raw: [(&str, &[u8]); 3] =
            [("script", b"</script"), ("style", b"</style"), ("title", b"</title")];
        let skip = raw.iter().find(|(raw, _)| name.eq_ignore_ascii_case(raw));
        self.skip_to = skip.map(|(_, end)| *end);
        Some(Token::Open { name, inside: self.text.get(name_end..end)? })
    }
}

/// Steps to the `>` that ends a tag: one in quotes does not.
fn skip_tag(cursor: &mut Cursor<'_>) {
    loop {
        let ends = |byte| matches!(byte, b'>' | b'=');
        cursor.take_while(|byte| !ends(byte));
        if !cursor.eat(b'=') {
            return;
        }
        cursor.take_while(|byte| byte.is_ascii_whitespace());
        if let Some(quote @ (b'"' | b'\'')) = cursor.peek() {
            cursor.next();
            let length = memchr::memchr(quote, cursor.rest());
            cursor.take(length.map_or(cursor.rest().len(), |length| length + 1));
        }
    }
}

/// The attributes of a tag: names in lower case, values with their references resolved.
pub(crate) fn attributes(inside: &str) -> Vec<(String, String)> {
    let mut cursor = Cursor::new(inside.as_bytes());
    let mut found = Vec::new();
    while found.len() < ATTRIBUTES && attribute(&mut cursor, &mut found) {}
    found
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(end) = self.skip_to.take() {
            let found = find_word(self.cursor.rest(), end);
            self.cursor.take(found.unwrap_or(self.cursor.rest().len()));
        }
        loop {
            let rest = self.cursor.rest();
            if rest.is_empty() {
                return None;
            }
            if rest.starts_with(b"<!--") {
                self.cursor.take(4);
                self.skip_past(b"-->");
            } else if rest.starts_with(b"<!") || rest.starts_with(b"<?") {
                self.skip_past(b">");
            } else if rest.starts_with(b"<")
                && rest.get(1).is_some_and(|next| next.is_ascii_alphabetic() || *next == b'/')
            {
                return self.tag();
            } else {
                return self.text_token();
            }
        }
    }
}

/// The place of `word` in `rest` without regard to case.
fn find_word(rest: &[u8], word: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(rest);
    loop {
        let found = memmem::find(cursor.rest(), b"</")?;
        cursor.take(found);
        if cursor.rest().get(..word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word)) {
            return Some(cursor.position());
        }
        cursor.take(2);
    }
}

/// Reads one attribute into `found`; false at the end.
fn attribute(cursor: &mut Cursor<'_>, found: &mut Vec<(String, String)>) -> bool {
    cursor.take_while(|byte| byte.is_ascii_whitespace() || byte == b'/');
    match cursor.peek() {
        None => return false,
        Some(b'>') => {
            cursor.next();
            return false;
        }
        Some(_) => {}
    }
    let name = cursor
        .take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'=' | b'>' | b'/'));
    cursor.take_while(|byte| byte.is_ascii_whitespace());
    let mut value: &[u8] = &[];
    if cursor.eat(b'=') {
        cursor.take_while(|byte| byte.is_ascii_whitespace());
        value = match cursor.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                cursor.next();
                let value = cursor.take_while(|byte| byte != quote);
                cursor.next();
                value
            }
            _ => cursor.take_while(|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        };
    } else if name.is_empty() {
        cursor.next();
    }
    if !name.is_empty() {
        let value = value.get(..VALUE_BYTES).unwrap_or(value);
        let value = unescape(&String::from_utf8_lossy(value));
        found.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value));
    }
    true
}

/// Character references that matter for reading; others stay as they are.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        rest = after;
        let window: String = after.chars().take(10).collect();
        match window.split_once(';').and_then(|(name, _)| Some((name.len(), reference(name)?))) {
            Some((length, letter)) => {
                plain.push(letter);
                rest = after.get(length + 1..).unwrap_or_default();
            }
            None => plain.push('&'),
        }
    }
    plain.push_str(rest);
    plain
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let value = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(value);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{A0}',
        "yen" => '¥',
        "copy" => '©',
        "reg" => '®',
        "colon" => ':',
        "period" => '.',
        "sol" => '/',
        "commat" => '@',
        "zwnj" => '\u{200C}',
        "zwj" => '\u{200D}',
        "shy" => '\u{AD}',
        _ => return None,
    })
}

/// What a person reads of `text`, at most about `most` letters.
pub(crate) fn readable(text: &str, most: usize) -> String {
    let mut words = String::new();
    for token in Tokens::new(text) {
        match token {
            Token::Text(piece) => words.push_str(&unescape(piece)),
            Token::Open { .. } | Token::Close(_) => words.push(' '),
        }
        if words.len() > most * 3 {
            break;
        }
    }
    words.retain(|letter| !matches!(letter, '\u{200B}'..='\u{200F}' | '\u{AD}' | '\u{34F}'));
    words
}

/// Tags between which a word goes on.
const WITHIN_WORDS: [&str; 28] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "em", "font", "i",
    "ins", "kbd", "label", "mark", "q", "rb", "ruby", "s", "small", "span", "strike", "strong",
    "u", "var", "wbr",
];

/// All that a person reads of a page, blanks as one space: for looking in it. Each letter is looked
/// at a bounded number of times, so the size of the message bounds this.
pub fn page_text(text: &str) -> String {
    let mut words = String::with_capacity(text.len() / 2);
    let mut push = |letter: char| match letter.is_whitespace() {
        true if words.is_empty() || words.ends_with(' ') => {}
        true => words.push(' '),
        false => words.push(letter),
    };
    for token in Tokens::new(text) {
        match token {
            Token::Text(piece) => unescape(piece).chars().for_each(&mut push),
            Token::Open { name, .. } | Token::Close(name) => {
                if !WITHIN_WORDS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    push(' ');
                }
            }
        }
    }
    words
}
