//! The part of CBOR that entries use, in its one deterministic form (RFC 8949 §4.2.1): shortest
//! heads, definite lengths, keys in order. Anything else is not read, so that what was signed and
//! what was read are the same octets.

use terms::Cursor;

/// Major types of RFC 8949 §3.1.
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;

/// Appends items to a byte string.
#[derive(Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    fn head(&mut self, major: u8, number: u64) {
        let major = major << 5;
        match number {
            0..=23 => self.0.push(major | number as u8),
            24..=0xff => self.0.extend_from_slice(&[major | 24, number as u8]),
            0x100..=0xffff => {
                self.0.push(major | 25);
                self.0.extend_from_slice(&(number as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend_from_slice(&(number as u32).to_be_bytes());
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&number.to_be_bytes());
            }
        }
    }

    pub fn unsigned(&mut self, number: u64) {
        self.head(UNSIGNED, number);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub fn array(&mut self, count: usize) {
        self.head(ARRAY, count as u64);
    }

    pub fn map(&mut self, count: usize) {
        self.head(MAP, count as u64);
    }

    pub fn boolean(&mut self, yes: bool) {
        self.0.push(if yes { TRUE } else { FALSE });
    }
}

/// Takes items from a byte string; `None` as soon as one is not as expected.
pub(crate) struct Reader<'a>(Cursor<'a>);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Cursor::new(bytes))
    }

    pub fn is_at_end(&self) -> bool {
        self.0.is_at_end()
    }

    fn head(&mut self, major: u8) -> Option<u64> {
        let first = self.0.next()?;
        if first >> 5 != major {
            return None;
        }
        let (number, least) = match first & 0x1f {
            small @ 0..=23 => (u64::from(small), 0),
            24 => (u64::from(self.0.next()?), 24),
            25 => (u64::from(u16::from_be_bytes(self.0.take(2)?.try_into().ok()?)), 0x100),
            26 => (u64::from(u32::from_be_bytes(self.0.take(4)?.try_into().ok()?)), 0x1_0000),
            27 => (u64::from_be_bytes(self.0.take(8)?.try_into().ok()?), 0x1_0000_0000),
            _ => return None,
        };
        // A number in a longer form than it needs would be a second spelling.
        (number >= least).then_some(number)
    }

    pub fn unsigned(&mut self) -> Option<u64> {
        self.head(UNSIGNED)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.head(BYTES)?).ok()?;
        self.0.take(length)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.head(TEXT)?).ok()?;
        std::str::from_utf8(self.0.take(length)?).ok()
    }

    /// Items that follow; never more than octets are left, so that a head allocates nothing.
    pub fn array(&mut self) -> Option<usize> {
        let count = usize::try_from(self.head(ARRAY)?).ok()?;
        (count <= self.0.rest().len()).then_some(count)
    }

    pub fn map(&mut self) -> Option<usize> {
        let count = usize::try_from(self.head(MAP)?).ok()?;
        (count <= self.0.rest().len()).then_some(count)
    }

    pub fn boolean(&mut self) -> Option<bool> {
        match self.0.next()? {
            FALSE => Some(false),
            TRUE => Some(true),
            _ => None,
        }
    }

    /// Steps over key `expected` if it stands here.
    pub fn key(&mut self, expected: u64) -> bool {
        let mut ahead = Reader(self.0);
        let here = ahead.unsigned() == Some(expected);
        if here {
            self.0 = ahead.0;
        }
        here
    }
}
