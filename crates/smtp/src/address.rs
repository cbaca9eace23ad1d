//! Addresses: a local part and a domain, as the grammar of RFC 5321 §4.1.2 and RFC 6531 §3.3 has
//! them.

use crate::path::{self, Dots};
use std::fmt;
use terms::Cursor;

/// RFC 5321 §4.5.3.1.1.
pub(crate) const LOCAL_BYTES: usize = 64;
/// RFC 5321 §4.5.3.1.2.
pub(crate) const DOMAIN_BYTES: usize = 255;
/// RFC 5321 §4.5.3.1.3, with its two angle brackets.
pub(crate) const PATH_BYTES: usize = 256;

/// A mailbox. Two are equal when they must be: the local part as it was meant (quotes are only a
/// way of writing), the domain without regard to case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Reads `local@domain`, without angle brackets. UTF-8 is allowed (RFC 6531).
    pub fn parse(text: &str) -> Option<Self> {
        let mut cursor = Cursor::new(text.as_bytes());
        let address = path::mailbox(&mut cursor, Dots::AsInTheGrammar)?;
        cursor.is_at_end().then_some(address)
    }

    /// The same with dots in any place of the local part, as Japanese carriers gave them out:
    /// [`Self::written`] puts such a part in quotes.
    pub fn parse_with_any_dots(text: &str) -> Option<Self> {
        let mut cursor = Cursor::new(text.as_bytes());
        let address = path::mailbox(&mut cursor, Dots::AsTheyCome)?;
        cursor.is_at_end().then_some(address)
    }

    /// Both parts are known to obey the grammar; the domain is put into lower case.
    pub(crate) fn of(local: String, domain: &str) -> Self {
        Self { local, domain: domain.to_lowercase() }
    }

    /// The local part as it is meant, without the quotes it may have been written in.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain in its one spelling (`terms::mapped_name`), or an address literal with its
    /// brackets.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain.is_ascii()
    }

    /// As it was written, in small letters. RFC 5321 §2.4 leaves whether `Aoi` is `aoi` to the host
    /// of the mailbox alone: use it for our own domains only.
    pub fn in_small_letters(&self) -> Self {
        Self { local: self.local.to_lowercase(), domain: self.domain.clone() }
    }

    /// The same mailbox in the one spelling in which a host like us keeps it: marks joined to their
    /// letters (NFC), letters of other widths and shapes made plain, no capitals. Split a tag off
    /// afterwards: a wide plus is one, too. `None`: with signs that the grammar keeps apart (a wide
    /// `@`), or too long, it is nobody's.
    pub fn folded(&self) -> Option<Self> {
        let local = terms::folded_local(&self.local);
        let stands_apart = |sign: &char| sign.is_ascii() && !path::is_dot_or_atom(*sign);
        let is_sound =
            local.chars().filter(stands_apart).eq(self.local.chars().filter(stands_apart))
                && (path::is_dot_string(&local) || !path::is_dot_string(&self.local))
                && local.len() <= LOCAL_BYTES
                && !local.is_empty();
        is_sound.then(|| Self { local, domain: self.domain.clone() })
    }

    /// The same mailbox with its domain as the DNS has it; `None`: no such name can be there.
    pub fn in_the_dns(&self) -> Option<Self> {
        let domain = terms::ascii_name(&self.domain);
        let fits = domain.is_ascii() && domain.len() <= DOMAIN_BYTES;
        fits.then(|| Self { local: self.local.clone(), domain })
    }

    /// Splits `aoi+news@…` into `aoi@…` and `news`. A plus at the very start is part of the name.
    pub fn split_tag(&self) -> (Self, Option<&str>) {
        match self.local.split_once('+') {
            Some((name, tag)) if !name.is_empty() => {
                (Self { local: name.to_owned(), domain: self.domain.clone() }, Some(tag))
            }
            _ => (self.clone(), None),
        }
    }

    /// `postmaster` of whatever domain, RFC 5321 §4.5.1: without regard to case.
    pub fn is_postmaster(&self) -> bool {
        self.local.eq_ignore_ascii_case("postmaster")
    }

    /// The address as it is written on the line, with quotes where the grammar needs them.
    pub fn written(&self) -> String {
        if path::is_dot_string(&self.local) {
            return format!("{}@{}", self.local, self.domain);
        }
        let mut written = String::with_capacity(self.local.len() + self.domain.len() + 4);
        written.push('"');
        for letter in self.local.chars() {
            if matches!(letter, '"' | '\\') {
                written.push('\\');
            }
            written.push(letter);
        }
        written.push_str("\"@");
        written.push_str(&self.domain);
        written
    }
}

/// An address is somebody's; logs and panics do not get to see it.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}
