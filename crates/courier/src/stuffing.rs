//! A message as it goes over the line after DATA: dots doubled, the end marked.

/// The message has a CR or LF that is not part of a CRLF: it would not arrive as it is, and could
/// be made to end where its writer likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bare {
    /// Where.
    pub at: u64,
}

/// Doubles dots at line starts, piece by piece.
#[derive(Debug, Default)]
pub struct Stuffing {
    state: State,
    at: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    LineStart,
    InLine,
    AfterCr,
}

impl Stuffing {
    /// Appends `piece` to `out` as it is sent.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Bare> {
        out.reserve(piece.len() + piece.len() / 64);
        let mut rest = piece;
        while let Some(first) = rest.first() {
            let run = match self.state {
                State::AfterCr if *first != b'\n' => return Err(Bare { at: self.at - 1 }),
                State::AfterCr => {
                    self.state = State::LineStart;
                    1
                }
                State::LineStart if *first == b'.' => {
                    out.push(b'.');
                    self.state = State::InLine;
                    1
                }
                State::LineStart | State::InLine => {
                    let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n'));
                    match end {
                        Some(end) if rest.get(end) == Some(&b'\r') => {
                            self.state = State::AfterCr;
                            end + 1
                        }
                        Some(end) => return Err(Bare { at: self.at + end as u64 }),
                        None => {
                            self.state = State::InLine;
                            rest.len()
                        }
                    }
                }
            };
            out.extend_from_slice(rest.get(..run).unwrap_or(&[]));
            rest = rest.get(run..).unwrap_or(&[]);
            self.at += run as u64;
        }
        Ok(())
    }

    /// The end: a last line that was not ended is.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Bare> {
        match self.state {
            State::LineStart => {}
            State::InLine => out.extend_from_slice(b"\r\n"),
            State::AfterCr => return Err(Bare { at: self.at - 1 }),
        }
        out.extend_from_slice(b".\r\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bare, Stuffing};

    fn stuffed(text: &str, piece: usize) -> Result<String, Bare> {
        let mut out = Vec::new();
        let mut stuffing = Stuffing::default();
        for piece in text.as_bytes().chunks(piece) {
            stuffing.push(piece, &mut out)?;
        }
        stuffing.finish(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn dots_are_doubled_wherever_the_pieces_end() {
        let check = |text: &str, expected: &str| {
            for piece in 1..=text.len().max(1) {
                assert_eq!(stuffed(text, piece).as_deref(), Ok(expected), "{text:?} by {piece}");
            }
        };
        check("", ".\r\n");
        check("a\r\n", "a\r\n.\r\n");
        check("a", "a\r\n.\r\n");
        check(".", "..\r\n.\r\n");
        check("a\r\n.\r\nb\r\n..c", "a\r\n..\r\nb\r\n...c\r\n.\r\n");
        check("\r\n\r\n.x.\r\n", "\r\n\r\n..x.\r\n.\r\n");
    }

    #[test]
    fn nothing_bare_is_ever_sent() {
        let check = |text: &str, at: u64| {
            for piece in 1..=text.len() {
                assert_eq!(stuffed(text, piece), Err(Bare { at }), "{text:?} by {piece}");
            }
        };
        check("a\nb", 1);
        check("a\rb", 1);
        check("a\r", 1);
        check("a\r\r\nb", 1);
        check("\n", 0);
        check("a\r\n\n.\r\n", 3);
    }

    /// What a strict receiver of ours takes out of it is what went in.
    #[test]
    fn a_receiver_gets_what_was_sent() {
        for seed in 1..500u64 {
            let mut state = seed;
            let mut random = move |below: u64| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) % below
            };
            let mut text = String::new();
            for _ in 0..random(40) {
                text.push_str(["a", ".", "..", "\r\n", "\r\n.", "x\r\n", "é"][random(7) as usize]);
            }
            text.push_str("\r\n");
            let sent = stuffed(&text, 1 + random(9) as usize).unwrap();
            let body = sent.strip_suffix(".\r\n").unwrap();
            let got: String = body
                .split_inclusive("\r\n")
                .map(|line| line.strip_prefix('.').unwrap_or(line))
                .collect();
            assert_eq!(got, text, "seed {seed}");
        }
    }
}
