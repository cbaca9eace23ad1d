//! The digest of a body that comes in pieces: the relaxed form of RFC 6376 §3.4.4, in one pass and
//! with constant memory, however the pieces are cut.

use aws_lc_rs::digest::{Context, SHA256};

/// Canonical octets gathered before they are hashed: few calls, and they stay in the cache.
const GATHERED_OCTETS: usize = 16 * 1024;

/// The digest that `bh=` carries.
pub struct BodyDigest {
    context: Context,
    gathered: Vec<u8>,
    /// Empty lines since the last line that is not: they count if another such line follows.
    blanks: u64,
    /// Whether the line has an octet that stays.
    begun: bool,
    /// White space that counts if something follows it in its line.
    space: bool,
    /// A CR whose LF may follow.
    carriage: bool,
}

impl Default for BodyDigest {
    fn default() -> Self {
        Self::new()
    }
}

impl BodyDigest {
    pub fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            gathered: Vec::with_capacity(GATHERED_OCTETS),
            blanks: 0,
            begun: false,
            space: false,
            carriage: false,
        }
    }

    /// The digest of a whole body.
    pub fn of(body: &[u8]) -> [u8; 32] {
        let mut digest = Self::new();
        digest.update(body);
        digest.finish()
    }

    /// The next piece.
    pub fn update(&mut self, mut piece: &[u8]) {
        while let Some((first, rest)) = piece.split_first() {
            if is_special(*first) {
                self.special(*first);
                piece = rest;
                continue;
            }
            self.before_octets();
            let end = plain_octets(piece);
            let (plain, rest) = piece.split_at_checked(end).unwrap_or((piece, b""));
            self.write(plain);
            piece = rest;
        }
    }

    /// After the last piece.
    pub fn finish(mut self) -> [u8; 32] {
        if self.carriage {
            self.bare_carriage();
        }
        // The last line may lack its end; the form has it.
        if self.begun {
            self.write(b"\r\n");
        }
        self.hash();
        let mut sha256 = [0; 32];
        for (to, from) in sha256.iter_mut().zip(self.context.finish().as_ref()) {
            *to = *from;
        }
        sha256
    }

    fn special(&mut self, byte: u8) {
        if byte == b'\n' {
            return self.line_end();
        }
        if self.carriage {
            self.bare_carriage();
        }
        match byte {
            b'\r' => self.carriage = true,
            _ => self.space = true,
        }
    }

    fn line_end(&mut self) {
        if self.begun {
            self.write(b"\r\n");
        } else {
            self.blanks += 1;
        }
        (self.begun, self.space, self.carriage) = (false, false, false);
    }

    /// A CR without its LF is an octet like any other.
    fn bare_carriage(&mut self) {
        self.carriage = false;
        self.before_octets();
        self.write(b"\r");
    }

    /// What was held back, now that something follows it.
    fn before_octets(&mut self) {
        if self.carriage {
            self.bare_carriage();
        }
        if !self.begun {
            for _ in 0..std::mem::take(&mut self.blanks) {
                self.write(b"\r\n");
            }
            self.begun = true;
        }
        if std::mem::take(&mut self.space) {
            self.write(b" ");
        }
    }

    fn write(&mut self, octets: &[u8]) {
        if self.gathered.len() + octets.len() > GATHERED_OCTETS {
            self.hash();
        }
        if octets.len() > GATHERED_OCTETS {
            return self.context.update(octets);
        }
        self.gathered.extend_from_slice(octets);
    }

    fn hash(&mut self) {
        self.context.update(&self.gathered);
        self.gathered.clear();
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Octets from the start that the form keeps as they are: up to a line end, a tab, or a space that
/// does not stand alone between two words.
fn plain_octets(piece: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = piece.get(at..).unwrap_or_default();
        let Some(found) = rest.iter().position(|byte| is_special(*byte)) else {
            return piece.len();
        };
        at += found;
        let lone = piece.get(at) == Some(&b' ')
            && piece.get(at + 1).is_some_and(|after| !is_special(*after));
        if !lone {
            return at;
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::BodyDigest;
    use crate::canon::{Canon, body_hash};

    /// Every cut of odd bodies, against the form that is made of a whole body.
    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let mut state = 0x5EED_u64;
        let mut below = |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % limit
        };
        let words =
            ["a", " ", "  ", "\t", "\r\n", "\r\n\r\n", "\n", "\r", "鍵", "word", " \r\n", "."];
        for round in 0..3_000 {
            let body: String = (0..below(40)).map(|_| words[below(words.len())]).collect();
            let whole = body_hash(Canon::Relaxed, None, body.as_bytes()).sha256;
            let mut digest = BodyDigest::new();
            let mut rest = body.as_bytes();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(1 + below(rest.len().min(7)));
                digest.update(piece);
                rest = after;
            }
            assert!(digest.finish() == whole, "round {round}: {body:?}");
            assert!(BodyDigest::of(body.as_bytes()) == whole, "round {round}: {body:?}");
        }
    }

    /// Empty lines, spaces and long lines by the million, in one pass.
    #[test]
    fn long_bodies_are_hashed_in_one_pass() {
        for (text, times) in
            [("\r\n", 4_000_000), (" ", 8_000_000), ("x", 8_000_000), ("a b", 1 << 20)]
        {
            let body = text.repeat(times) + "end";
            let whole = body_hash(Canon::Relaxed, None, body.as_bytes()).sha256;
            assert!(BodyDigest::of(body.as_bytes()) == whole, "{text:?}");
        }
    }
}
