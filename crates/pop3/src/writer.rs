//! Responses as octets. RFC 1939 §3: one line, or lines up to a lone dot.

use memchr::memchr;

/// Appends responses to a buffer of the caller.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    pub fn ok(&mut self, text: &str) {
        self.out.extend_from_slice(b"+OK ");
        self.line(text);
    }

    /// `code` is a response code such as `AUTH` or `SYS/TEMP`, without brackets.
    pub fn err(&mut self, code: Option<&str>, text: &str) {
        self.out.extend_from_slice(b"-ERR ");
        if let Some(code) = code {
            self.out.push(b'[');
            self.out.extend_from_slice(code.as_bytes());
            self.out.extend_from_slice(b"] ");
        }
        self.line(text);
    }

    pub fn stat(&mut self, count: u64, octets: u64) {
        self.ok(&format!("{count} {octets}"));
    }

    /// A line of a listing: number and value.
    pub fn entry(&mut self, number: u32, value: &str) {
        self.line(&format!("{number} {value}"));
    }

    /// One capability of a CAPA listing.
    pub fn capability(&mut self, name: &str) {
        self.line(name);
    }

    /// The lone dot that ends a listing.
    pub fn end(&mut self) {
        self.line(".");
    }

    fn line(&mut self, text: &str) {
        self.out.extend(
            text.bytes().map(|octet| if (b' '..=b'~').contains(&octet) { octet } else { b'?' }),
        );
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Writes a message in pieces: a dot at a line's beginning is doubled, a bare LF becomes CRLF, and
/// the end is CRLF dot CRLF.
pub struct Stuffer {
    last: u8,
}

impl Default for Stuffer {
    fn default() -> Self {
        Self { last: b'\n' }
    }
}

impl Stuffer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn write(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while let Some(first) = rest.first() {
            if self.last == b'\n' && *first == b'.' {
                out.push(b'.');
            }
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            out.extend_from_slice(line);
            self.last = line.last().copied().unwrap_or(self.last);
            rest = rest.get(end..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"\n") {
                out.extend_from_slice(if self.last == b'\r' { b"\n" } else { b"\r\n" });
                self.last = b'\n';
                rest = after;
            }
        }
    }

    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.last == b'\n' { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

/// The header, the empty line and the first `lines` lines behind it.
pub fn top(message: &[u8], lines: u32) -> &[u8] {
    let mut at = 0;
    let mut left: Option<u32> = None; // counts once the header has ended
    while left != Some(0) {
        let rest = message.get(at..).unwrap_or_default();
        let Some(end) = memchr(b'\n', rest) else {
            return message;
        };
        let line = rest.get(..end).unwrap_or_default();
        at += end + 1;
        left = match left {
            Some(left) => Some(left - 1),
            None if line.is_empty() || line == b"\r" => Some(lines),
            None => None,
        };
    }
    message.get(..at).unwrap_or(message)
}
