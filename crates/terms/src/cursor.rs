//! The one type that reads bytes by position. Parsers go through it and so cannot step outside.

/// A place in a byte string, moving forwards only (and back to a place it has stood at).
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Octets from the start.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Stands at `position`, or at the end if that lies beyond it.
    pub fn stand_at(&mut self, position: usize) {
        self.at = position.min(self.bytes.len());
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The octets of `start..end`, cut to what exists.
    pub fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        let end = end.min(self.bytes.len());
        self.bytes.get(start.min(end)..end).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.checked_add(ahead)?).copied()
    }

    pub fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Takes exactly `count` octets, or none.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let count = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += count;
        rest.get(..count).unwrap_or_default()
    }

    /// Steps over `expected` if it stands here.
    pub fn eat(&mut self, expected: u8) -> bool {
        let here = self.peek() == Some(expected);
        if here {
            self.at += 1;
        }
        here
    }

    /// Steps over `expected` if it stands here, without regard to ASCII case.
    pub fn eat_word(&mut self, expected: &[u8]) -> bool {
        let here = self
            .rest()
            .get(..expected.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(expected));
        if here {
            self.at += expected.len();
        }
        here
    }

    /// The next line without its end, and the cursor behind it. Ends at LF or CRLF; a last line
    /// without an end is a line too. `None` at the end.
    pub fn line(&mut self) -> Option<&'a [u8]> {
        if self.is_at_end() {
            return None;
        }
        let rest = self.rest();
        let (line, step) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (rest.get(..end).unwrap_or_default(), end + 1),
            None => (rest, rest.len()),
        };
        self.at += step;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn lines_of_every_ending_are_read() {
        let mut cursor = Cursor::new(b"one\r\ntwo\nthree");
        assert_eq!(cursor.line(), Some(&b"one"[..]));
        assert_eq!(cursor.line(), Some(&b"two"[..]));
        assert_eq!(cursor.line(), Some(&b"three"[..]));
        assert_eq!(cursor.line(), None);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut cursor = Cursor::new(b"ab");
        assert_eq!(cursor.take(3), None);
        assert_eq!(cursor.take(2), Some(&b"ab"[..]));
        assert_eq!(cursor.next(), None);
        cursor.stand_at(99);
        assert_eq!(cursor.rest(), b"");
        assert_eq!(cursor.slice(5, 1), b"");
    }
}
