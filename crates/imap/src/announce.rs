//! Whether a line ends by announcing a literal: `{12}` or `{12+}` outside of quotes.

/// A literal follows the line.
#[derive(Clone, Copy)]
pub(crate) struct Announced {
    /// Where its `{` stands in the line.
    pub at: usize,
    pub size: u64,
    /// The client waits for `+ `.
    pub waits: bool,
}

/// How far `{12+}` CRLF has been seen.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    None,
    Size,
    Plus,
    Closed,
    Return,
    Announced,
}

/// Looks at a line octet by octet, so that it works on lines that are not kept.
pub(crate) struct Watch {
    seen: usize,
    quoted: bool,
    escaped: bool,
    stage: Stage,
    at: usize,
    digits: u32,
    size: u64,
    waits: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            seen: 0,
            quoted: false,
            escaped: false,
            stage: Stage::None,
            at: 0,
            digits: 0,
            size: 0,
            waits: true,
        }
    }
}

impl Watch {
    pub fn see(&mut self, octet: u8) {
        let place = self.seen;
        self.seen += 1;
        if self.quoted {
            match octet {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.quoted = false,
                _ => {}
            }
            return;
        }
        self.stage = match (self.stage, octet) {
            (_, b'{') => {
                (self.at, self.digits, self.size, self.waits) = (place, 0, 0, true);
                Stage::Size
            }
            (Stage::Size, b'0'..=b'9') => {
                // A number too long to read is larger than anything we take.
                let digit = u64::from(octet - b'0');
                self.size = self.size.saturating_mul(10).saturating_add(digit);
                self.digits = 1;
                Stage::Size
            }
            (Stage::Size, b'+') if self.digits > 0 => {
                self.waits = false;
                Stage::Plus
            }
            (Stage::Size, b'}') if self.digits > 0 => Stage::Closed,
            (Stage::Plus, b'}') => Stage::Closed,
            (Stage::Closed, b'\r') => Stage::Return,
            (Stage::Return, b'\n') => Stage::Announced,
            _ => {
                self.quoted = octet == b'"';
                Stage::None
            }
        };
    }

    /// What the line, seen up to its LF, announces.
    pub fn announced(&self) -> Option<Announced> {
        let Self { at, size, waits, .. } = *self;
        (self.stage == Stage::Announced).then_some(Announced { at, size, waits })
    }
}

/// What a whole line with its end announces.
pub(crate) fn announced(line: &[u8]) -> Option<Announced> {
    let mut watch = Watch::default();
    line.iter().for_each(|octet| watch.see(*octet));
    watch.announced()
}
