//! The domains in From: whom the reader will believe the message to be from.

use crate::fields::{Parts, take_apart};
use crate::resolver::{is_askable, is_at_or_below};
use crate::shown::{Shown, kanji_run, shown, shown_addresses};
use serde::{Deserialize, Serialize};
use terms::Cursor;

/// Author domains that DMARC is judged for; a From with more does not pass.
pub const AUTHOR_DOMAINS: usize = 4;
/// Author domains that are remembered, for those who look for their own among them. Nobody honest
/// comes near it.
const DOMAINS_KEPT: usize = 32;
/// Who signs notices without a domain, as old servers do.
const DAEMONS: [&[u8]; 3] = [b"mailer-daemon", b"postmaster", b"mailer_daemon"];

/// What From says, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authors {
    /// Distinct, in ASCII and lower case, as they come.
    pub domains: Vec<String>,
    /// There are more than are remembered.
    pub is_crowd: bool,
    /// No From, or none that names anybody.
    pub is_nobody: bool,
    /// The domains that Sender names, where From names nobody: readers show it in its place.
    pub spokesmen: Vec<String>,
    /// A domain that is written otherwise than it is shown; empty if none is.
    pub disguised: String,
    /// The domain of an address that stands where readers may take it for the author's, and by
    /// the grammar it is not; empty if there is none.
    pub hidden: String,
}

/// Reads every From field (RFC 5322 wants exactly one; RFC 9989 §5.3.1 says what else may come).
pub fn authors(parts: &Parts<'_>) -> Authors {
    let mut reading = Reading::default();
    for field in parts.fields.iter().filter(|field| field.is("From")) {
        // Raw Shift_JIS, GBK and Big5 have letters that end in a backslash; others see it escape.
        reading.has_pairs = std::str::from_utf8(field.value).is_err();
        if reading.has_pairs {
            reading.list(field.value);
            reading.has_pairs = false;
        }
        reading.list(field.value);
    }
    if reading.authors.domains.is_empty() {
        // Without an address readers show what looks like one.
        for field in parts.fields.iter().filter(|field| field.is("From")) {
            reading.hide(field.value);
        }
    }
    let mut authors = reading.authors;
    if authors.domains.is_empty() {
        authors.is_nobody = !reading.is_daemon;
        authors.spokesmen = spokesmen(parts);
    }
    authors
}

/// The domains in whose name a message comes, as readers may see it: those of all its authors, and
/// of Sender where there is none.
pub fn author_domains(message: &[u8]) -> Vec<String> {
    let Authors { mut domains, spokesmen, .. } = authors(&take_apart(message));
    domains.extend(spokesmen);
    domains
}

fn spokesmen(parts: &Parts<'_>) -> Vec<String> {
    let mut reading = Reading::default();
    for field in parts.fields.iter().filter(|field| field.is("Sender")) {
        reading.list(field.value);
        reading.hide(field.value);
    }
    reading.authors.domains
}

#[derive(Default)]
struct Reading {
    authors: Authors,
    is_daemon: bool,
    /// Two octets may be one letter.
    has_pairs: bool,
}

impl Reading {
    /// The addresses in a list of mailboxes, leniently: an angle-addr counts, or bare text with
    /// an at sign; display names and comments do not (RFC 5322 §3.4).
    fn list(&mut self, value: &[u8]) {
        let mut cursor = Cursor::new(value);
        let (mut bare, mut angle): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            match cursor.next() {
                Some(b'"') => self.quoted(&mut cursor, &mut bare),
                Some(b'(') => self.comment(&mut cursor),
                Some(0x1b) => self.kanji(&mut cursor),
                // One address has one pair of brackets; of two, either may be shown.
                Some(b'<') => {
                    let before = angle.replace(self.angle(&mut cursor));
                    before.iter().for_each(|before| self.address(before));
                }
                Some(b',' | b';') | None => {
                    let address = angle.take().unwrap_or_else(|| std::mem::take(&mut bare));
                    self.address(&address);
                    bare.clear();
                    if cursor.is_at_end() {
                        return;
                    }
                }
                // A group's name (RFC 5322 §3.4), which some take for its author.
                Some(b':') => {
                    self.hide(&bare);
                    bare.clear();
                }
                Some(byte) => bare.push(byte),
            }
        }
    }

    fn angle(&mut self, cursor: &mut Cursor<'_>) -> Vec<u8> {
        let mut address = Vec::new();
        while let Some(byte) = cursor.next() {
            match byte {
                b'"' => self.quoted(cursor, &mut address),
                b'(' => self.comment(cursor),
                b'>' => break,
                _ => address.push(byte),
            }
        }
        address
    }

    /// What stands in quotes is taken along; where they do not end, readers do not see them.
    fn quoted(&mut self, cursor: &mut Cursor<'_>, into: &mut Vec<u8>) {
        let begin = cursor.position();
        // A quoted name without anything in it is a local part all the same.
        into.push(b' ');
        let mut is_lead = false;
        while let Some(byte) = cursor.next() {
            let is_second = self.has_pairs && is_lead;
            is_lead = byte > 0x80 && !is_lead;
            match byte {
                b'\\' if !is_second => into.extend(cursor.next()),
                b'"' => return,
                0x1b => self.kanji(cursor),
                byte => into.push(byte),
            }
        }
        self.hide(cursor.slice(begin, cursor.position()));
    }

    fn comment(&mut self, cursor: &mut Cursor<'_>) {
        let begin = cursor.position();
        if !skip_comment(cursor) {
            self.hide(cursor.slice(begin, cursor.position()));
        }
    }

    /// Raw ISO-2022-JP uses the octets of quotes and brackets. Readers who do not know it see an
    /// address in brackets, if there is one.
    fn kanji(&mut self, cursor: &mut Cursor<'_>) {
        let run = kanji_run(cursor);
        if memchr::memchr(b'<', run).is_some() {
            self.hide(run);
        }
    }

    fn address(&mut self, text: &[u8]) {
        let Some(at) = memchr::memrchr(b'@', text) else {
            self.is_daemon |= DAEMONS.contains(&text.trim_ascii().to_ascii_lowercase().as_slice());
            return;
        };
        let found = shown(text.get(at + 1..).unwrap_or_default());
        let is_plain = found.is_plain;
        self.add(found);
        // A route, or a local part that looks like an address.
        self.hide(if is_plain { text.get(..at).unwrap_or_default() } else { text });
    }

    /// Whatever looks like an address where none belongs: it is shown by some, so it is judged.
    fn hide(&mut self, text: &[u8]) {
        for found in shown_addresses(text) {
            // Within the house of an author nobody is deceived.
            let known = &self.authors.domains;
            if known.iter().any(|known| is_at_or_below(known, &found.name)) {
                continue;
            }
            if self.authors.hidden.is_empty() {
                self.authors.hidden.clone_from(&found.name);
            }
            self.add(found);
        }
    }

    fn add(&mut self, found: Shown) {
        let authors = &mut self.authors;
        if !is_askable(&found.name) || authors.domains.contains(&found.name) {
            return;
        }
        if !found.is_plain && authors.disguised.is_empty() {
            authors.disguised.clone_from(&found.name);
        }
        match authors.domains.len() < DOMAINS_KEPT {
            true => authors.domains.push(found.name),
            false => authors.is_crowd = true,
        }
    }
}

/// Steps over a comment and those inside it, counting instead of recursing. Says whether it ended.
pub(crate) fn skip_comment(cursor: &mut Cursor<'_>) -> bool {
    let mut depth = 1usize;
    while let Some(byte) = cursor.next() {
        match byte {
            b'\\' => drop(cursor.next()),
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return true;
        }
    }
    false
}
