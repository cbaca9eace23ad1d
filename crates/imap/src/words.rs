//! The small words of the grammar (RFC 3501 §9): atoms, strings, numbers, parentheses.

use crate::command::{Folder, Secret};
use crate::limit::FOLDER_BYTES;
use crate::utf7::decode_utf7;
use terms::Cursor;

/// Why a command cannot be read: public words for the BAD answer.
pub(crate) type Why = &'static str;

/// ATOM-CHAR: no control, no space, none of `( ) { % * " \ ]`.
pub(crate) fn is_atom(byte: u8) -> bool {
    is_astring(byte) && byte != b']'
}

/// ASTRING-CHAR: ATOM-CHAR and `]`.
pub(crate) fn is_astring(byte: u8) -> bool {
    byte > 0x20 && byte < 0x7f && !b"(){%*\"\\".contains(&byte)
}

/// list-char: ASTRING-CHAR and the wildcards.
fn is_pattern(byte: u8) -> bool {
    is_astring(byte) || byte == b'%' || byte == b'*'
}

#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Words<'a> {
    /// `bytes` is a command without its last CRLF; literals stand in it as they came.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(bytes) }
    }

    pub fn peek(&self) -> Option<u8> {
        self.cursor.peek()
    }

    pub fn is_at_end(&self) -> bool {
        self.cursor.is_at_end()
    }

    pub fn end(&self) -> Result<(), Why> {
        if self.is_at_end() { Ok(()) } else { Err("something follows the end of the command") }
    }

    pub fn eat(&mut self, byte: u8) -> bool {
        self.cursor.eat(byte)
    }

    pub fn space(&mut self) -> Result<(), Why> {
        self.cursor.eat(b' ').then_some(()).ok_or("expected a space")
    }

    pub fn open(&mut self) -> Result<(), Why> {
        self.cursor.eat(b'(').then_some(()).ok_or("expected an opening parenthesis")
    }

    pub fn close(&mut self) -> Result<(), Why> {
        self.cursor.eat(b')').then_some(()).ok_or("expected a closing parenthesis")
    }

    /// Steps over `word` if it stands here and is not the beginning of a longer one.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let before = self.cursor;
        if self.cursor.eat_word(word.as_bytes())
            && !self.peek().is_some_and(|next| is_atom(next) && next != b'[')
        {
            return true;
        }
        self.cursor = before;
        false
    }

    pub fn take_while(&mut self, wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        self.cursor.take_while(wanted)
    }

    pub fn atom(&mut self) -> Result<&'a [u8], Why> {
        let atom = self.cursor.take_while(is_atom);
        if atom.is_empty() { Err("expected an atom") } else { Ok(atom) }
    }

    /// An atom in capitals, for comparison with the words of the standard.
    pub fn capitals(&mut self) -> Result<String, Why> {
        let atom = self.atom()?.to_ascii_uppercase();
        String::from_utf8(atom).map_err(|_| "expected an atom")
    }

    pub fn number(&mut self) -> Result<u64, Why> {
        let digits = self.cursor.take_while(|byte| byte.is_ascii_digit());
        decimal(digits).ok_or("expected a number")
    }

    pub fn number_u32(&mut self) -> Result<u32, Why> {
        u32::try_from(self.number()?).map_err(|_| "number is beyond 32 bits")
    }

    pub fn string(&mut self) -> Result<Vec<u8>, Why> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(<[u8]>::to_vec),
            _ => Err("expected a string"),
        }
    }

    pub fn astring(&mut self) -> Result<Vec<u8>, Why> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let atom = self.cursor.take_while(is_astring);
                if atom.is_empty() { Err("expected a string") } else { Ok(atom.to_vec()) }
            }
        }
    }

    pub fn secret(&mut self) -> Result<Secret, Why> {
        self.astring().map(Secret)
    }

    /// NIL or a string.
    pub fn nstring(&mut self) -> Result<Option<Vec<u8>>, Why> {
        if self.eat_word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    pub fn folder(&mut self) -> Result<Folder, Why> {
        let name = self.astring()?;
        folder_name(&name)
    }

    /// list-mailbox: a pattern with `*` and `%`.
    pub fn pattern(&mut self) -> Result<Folder, Why> {
        let pattern = match self.peek() {
            Some(b'"' | b'{') => self.string()?,
            _ => self.cursor.take_while(is_pattern).to_vec(),
        };
        folder_name(&pattern)
    }

    /// One or more of `item` separated by single spaces inside parentheses; at most `most`.
    pub fn listed<T>(
        &mut self,
        most: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, Why>,
    ) -> Result<Vec<T>, Why> {
        self.open()?;
        let mut found = Vec::new();
        while !self.eat(b')') {
            if !found.is_empty() {
                self.space()?;
            }
            if found.len() >= most {
                return Err("the list is too long");
            }
            found.push(item(self)?);
        }
        Ok(found)
    }

    fn quoted(&mut self) -> Result<Vec<u8>, Why> {
        self.cursor.eat(b'"');
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(
                self.cursor.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)),
            );
            match self.cursor.next() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => match self.cursor.next() {
                    Some(escaped @ (b'"' | b'\\')) => text.push(escaped),
                    _ => return Err("a backslash escapes only a quote or a backslash"),
                },
                _ => return Err("the quoted string is not closed"),
            }
        }
    }

    fn literal(&mut self) -> Result<&'a [u8], Why> {
        self.cursor.eat(b'{');
        let size = self.number()?;
        self.cursor.eat(b'+');
        let framed = self.cursor.eat(b'}') && self.cursor.eat(b'\r') && self.cursor.eat(b'\n');
        let size = usize::try_from(size).map_err(|_| "the literal is too large")?;
        let octets = if framed { self.cursor.take(size) } else { None };
        let octets = octets.ok_or("expected a literal")?;
        // RFC 3501 §9: CHAR8 is any octet but NUL.
        if octets.contains(&0) { Err("a literal contains NUL") } else { Ok(octets) }
    }
}

/// Digits to a number; `None` when empty or beyond 63 bits (RFC 7162's mod-sequence range).
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    (value <= i64::MAX as u64).then_some(value)
}

const INBOX: &str = "INBOX";

fn folder_name(octets: &[u8]) -> Result<Folder, Why> {
    if octets.len() > FOLDER_BYTES {
        return Err("the folder name is too long");
    }
    let name = decode_utf7(octets).ok_or("the folder name is not modified UTF-7")?;
    if name.chars().any(char::is_control) {
        return Err("the folder name contains a control character");
    }
    Ok(inbox_in_capitals(name))
}

/// RFC 3501 §5.1: INBOX is read without regard to case, also where folders stand below it. No
/// second tree bears its name.
pub fn inbox_in_capitals(name: String) -> String {
    let first = name.split('/').next().unwrap_or_default().len();
    let is_inbox = name.get(..first).is_some_and(|first| first.eq_ignore_ascii_case(INBOX));
    if is_inbox { INBOX.to_owned() + name.get(first..).unwrap_or_default() } else { name }
}
