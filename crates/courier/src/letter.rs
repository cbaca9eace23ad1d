//! An envelope as a remote is told of it, and whether that remote can take it.

use crate::Extensions;
use smtp::{Address, Return};

/// RFC 3461 §4.1, as it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    pub address: Address,
    pub notify: Option<Notify>,
    /// `type;xtext`, as it came.
    pub original: Option<String>,
}

/// One transaction: what MAIL and RCPT say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// `None`: the null sender.
    pub from: Option<Address>,
    pub receivers: Vec<Receiver>,
    pub size: u64,
    /// The text has octets beyond ASCII.
    pub has_eight_bits: bool,
    /// A header field has, or an address.
    pub needs_utf8: bool,
    pub require_tls: bool,
    pub returned: Option<Return>,
    /// ENVID as it came, xtext.
    pub envelope_id: Option<String>,
}

/// Why this remote cannot take this letter as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Larger than it takes (5.3.4).
    TooLarge,
    /// An address of its envelope needs SMTPUTF8 (RFC 6531 §3.5: 5.6.7).
    NeedsUtf8,
    /// Its addresses are ASCII, and its header needs SMTPUTF8 (RFC 6531 §3.5: 5.6.9).
    NeedsUtf8Header,
    /// It needs 8BITMIME (RFC 6152 §3: 5.6.3).
    NeedsEightBits,
    /// It asks for REQUIRETLS (RFC 8689 §4.2: 5.7.30).
    NeedsRequireTls,
}

impl Unfit {
    /// What stands in the way, for the notice that says so.
    pub fn words(self) -> &'static str {
        match self {
            Self::TooLarge => "the message is larger than the remote takes",
            Self::NeedsUtf8 => "an address is not in ASCII, and the remote has no SMTPUTF8",
            Self::NeedsUtf8Header => "the header is not in ASCII, and the remote has no SMTPUTF8",
            Self::NeedsEightBits => "the text is not in ASCII, and the remote has no 8BITMIME",
            Self::NeedsRequireTls => "the remote does not promise TLS for the rest of the way",
        }
    }

    /// RFC 3463 and its registry.
    pub fn status(self) -> (u8, u16, u16) {
        match self {
            Self::TooLarge => (5, 3, 4),
            Self::NeedsUtf8 => (5, 6, 7),
            Self::NeedsUtf8Header => (5, 6, 9),
            Self::NeedsEightBits => (5, 6, 3),
            Self::NeedsRequireTls => (5, 7, 30),
        }
    }
}

impl Letter {
    /// Whether a remote with these extensions can take it.
    pub fn fits(&self, remote: &Extensions) -> Result<(), Unfit> {
        if remote.size.is_some_and(|limit| self.size > limit) {
            return Err(Unfit::TooLarge);
        }
        if self.needs_utf8 && !remote.smtputf8 {
            let addresses = self.receivers.iter().map(|receiver| &receiver.address);
            let is_ascii = addresses.chain(&self.from).all(Address::is_ascii);
            return Err(if is_ascii { Unfit::NeedsUtf8Header } else { Unfit::NeedsUtf8 });
        }
        if self.has_eight_bits && !remote.eight_bit_mime {
            return Err(Unfit::NeedsEightBits);
        }
        // RFC 8689 §5: from the null sender it goes all the same, and says what it can.
        if self.require_tls && !remote.require_tls && self.from.is_some() {
            return Err(Unfit::NeedsRequireTls);
        }
        Ok(())
    }

    pub(crate) fn mail(&self, remote: &Extensions) -> Vec<u8> {
        let from = self.from.as_ref().map(Address::written).unwrap_or_default();
        let mut line = format!("MAIL FROM:<{from}>");
        if remote.size.is_some() {
            line.push_str(&format!(" SIZE={}", self.size));
        }
        if self.has_eight_bits && remote.eight_bit_mime {
            line.push_str(" BODY=8BITMIME");
        }
        if self.needs_utf8 {
            line.push_str(" SMTPUTF8");
        }
        if self.require_tls && remote.require_tls {
            line.push_str(" REQUIRETLS");
        }
        if remote.notices {
            match self.returned {
                Some(Return::Full) => line.push_str(" RET=FULL"),
                Some(Return::Headers) => line.push_str(" RET=HDRS"),
                None => {}
            }
            if let Some(id) = self.envelope_id.as_deref().filter(|id| is_xtext(id)) {
                line.push_str(&format!(" ENVID={id}"));
            }
        }
        ended(line)
    }

    pub(crate) fn rcpt(receiver: &Receiver, remote: &Extensions) -> Vec<u8> {
        let mut line = format!("RCPT TO:<{}>", receiver.address.written());
        if remote.notices {
            if let Some(notify) = receiver.notify {
                line.push_str(&format!(" NOTIFY={}", notify.words()));
            }
            let is_sound = |original: &&str| {
                original.split_once(';').is_some_and(|(kind, address)| {
                    kind.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
                        && is_xtext(address)
                })
            };
            if let Some(original) = receiver.original.as_deref().filter(is_sound) {
                line.push_str(&format!(" ORCPT={original}"));
            }
        }
        ended(line)
    }
}

impl Notify {
    fn words(self) -> String {
        let all = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let words: Vec<&str> = all.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }
    }
}

/// RFC 3461 §4: printable ASCII but space and `=`; a plus begins two hexadecimal digits.
fn is_xtext(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| matches!(octet, 33..=126) && octet != b'=')
}

/// A command line. An address obeys the grammar and cannot hold a line end; this is the last look.
fn ended(line: String) -> Vec<u8> {
    let mut line: Vec<u8> =
        line.bytes().filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)).collect();
    line.extend_from_slice(b"\r\n");
    line
}
