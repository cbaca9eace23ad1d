//! What we answer: a code, an enhanced code (RFC 3463) and words.

use std::borrow::Cow;
use std::io::Write;

/// One reply. Its class is the first digit of the code; the enhanced code follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// Subject and detail of RFC 3463; the class comes from `code`. `None`: EHLO, 220, 221, 354.
    pub enhanced: Option<(u16, u16)>,
    /// At least one; each is cut to what a reply line may hold.
    pub lines: Vec<Cow<'static, str>>,
}

/// RFC 5321 §4.5.3.1.5: 512 octets with code and CRLF; the rest of the line is its codes.
const REPLY_TEXT_BYTES: usize = 490;

impl Reply {
    pub fn new(code: u16, enhanced: (u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A reply of a kind that carries no enhanced code (RFC 2034 §3: 220, 354 and EHLO).
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, lines: vec![text.into()] }
    }

    pub fn ok() -> Self {
        Self::new(250, (0, 0), "OK")
    }

    /// 354, the positive answer to DATA.
    pub fn go_ahead() -> Self {
        Self::plain(354, "Go ahead; end with CRLF.CRLF")
    }

    /// 235, the positive answer to AUTH (RFC 4954 §6).
    pub fn welcome() -> Self {
        Self::new(235, (7, 0), "welcome")
    }

    /// 220, the positive answer to STARTTLS.
    pub fn ready_for_tls() -> Self {
        Self::new(220, (0, 0), "Ready to start TLS")
    }

    /// 2xx and 3xx.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Writes the reply as it goes over the line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (number, line) in self.lines.iter().enumerate() {
            let between = if number == last { ' ' } else { '-' };
            // Writing to memory does not fail.
            let _ = write!(out, "{:03}{between}", self.code);
            if let Some((subject, detail)) = self.enhanced {
                let _ = write!(out, "{}.{subject}.{detail} ", self.code / 100);
            }
            // Words may quote a peer: whatever is not printable ASCII could end our line.
            let text = line.bytes().take(REPLY_TEXT_BYTES);
            out.extend(text.map(|byte| if matches!(byte, 32..=126) { byte } else { b'?' }));
            out.extend_from_slice(b"\r\n");
        }
    }
}
