//! One file after the other: what it is, what it pretends, what it contains. A list, not a
//! recursion: what an archive contains is put on it with its depth.

use super::{
    Budget, archive, inflate, magic, marks, names, office, packed, page, pdf, readings, tar,
    written, zip,
};
use crate::parse::{Reading, parse_by};
use crate::part::Holds;
use crate::seen::{self, Notes};
use std::borrow::Cow;
use std::collections::VecDeque;

/// Octets of an attached page that are read as one.
const PAGE_BYTES: usize = 1024 * 1024;

/// A file found in a message or an archive.
pub(crate) struct File<'a> {
    pub name: String,
    /// The declared media type; empty for files in archives.
    pub declared: String,
    pub octets: Cow<'a, [u8]>,
    /// Archives around it.
    pub depth: usize,
}

/// The files still to be looked at, and what may be spent on them.
pub(crate) struct Files<'n> {
    pub notes: &'n mut Notes,
    waiting: VecDeque<File<'static>>,
    pub inflate_left: usize,
    entries_left: usize,
    depth: usize,
    look_left: usize,
}

impl<'n> Files<'n> {
    pub(crate) fn new(budget: &Budget, notes: &'n mut Notes) -> Self {
        Self {
            notes,
            waiting: VecDeque::new(),
            inflate_left: budget.inflated_bytes,
            entries_left: budget.entries,
            depth: budget.depth,
            look_left: budget.looked_at_bytes,
        }
    }

    /// Puts a file on the list. False: no more is taken.
    pub(crate) fn add(&mut self, file: File<'static>) -> bool {
        if file.depth > self.depth {
            self.notes.note(seen::ARCHIVE_DEEP, file.name);
            return false;
        }
        if self.entries_left == 0 {
            self.exhausted();
            return false;
        }
        self.entries_left -= 1;
        self.waiting.push_back(file);
        true
    }

    /// More entries than the budget. It is far beyond what people send, and whoever hides a file
    /// puts it behind the last that is looked at: that the rest is harmless, nobody can say.
    pub(crate) fn exhausted(&mut self) {
        self.notes.note(seen::BOMB_ENTRIES, "");
    }

    /// Looks at one file and lists what it contains.
    pub(crate) fn look(&mut self, file: &File<'_>) {
        if !self.pay(file.octets.len()) {
            self.notes.note(seen::UNEXAMINED, file.name.as_str());
            return;
        }
        let octets = file.octets.as_ref();
        if file.depth > 0 {
            marks::look(octets, &file.name, self.notes);
        }
        names::look(&file.name, self.notes);
        let kind = magic::true_kind(octets);
        let behind = zip::behind(file, kind);
        let shown = kind.or(behind.is_some().then_some("zip"));
        magic::compare(shown, &file.name, &file.declared, self.notes);
        match kind {
            Some("zip") => zip::look(file, self),
            Some("gzip") => inflate::look_gzip(file, self),
            Some("tar") => tar::look(file, self),
            Some("7z") => packed::look_7z(file, self.notes),
            Some("rar4" | "rar5") => archive::look_rar(file, self.notes),
            Some("ole") => office::look_ole(octets, &file.name, self.notes),
            Some("rtf") => office::look_rtf(octets, &file.name, self.notes),
            Some("pdf") => pdf::look(file, self),
            Some(kind) if magic::packs(kind) => {
                self.notes.note(seen::ARCHIVE_OPAQUE, format!("{} ({kind})", file.name));
            }
            Some(_) => {}
            None => self.look_at_text(file),
        }
        // Whatever its first octets are like: a reader opens it, and what follows, by its name.
        if written::is_text(&file.name, &file.declared) {
            written::look(octets, file.depth, self);
        }
        if let Some(behind) = behind {
            zip::look_behind(file, behind, shown, self);
        }
        let is_message = matches!(file.declared.as_str(), "message/rfc822" | "message/global");
        let is_message = is_message || names::ending(&file.name) == "eml";
        if is_message && !self.open_message(file) {
            self.notes.note(seen::ARCHIVE_DEEP, file.name.as_str());
        }
    }

    /// Kinds without a mark of their own: known by their name or declared type.
    fn look_at_text(&mut self, file: &File<'_>) {
        let ending = names::ending(&file.name);
        let is_page = matches!(ending.as_str(), "html" | "htm" | "shtml" | "xhtml" | "svg");
        if is_page && !file.declared.starts_with("text/html") {
            let sample = file.octets.get(..PAGE_BYTES).unwrap_or(&file.octets);
            let text = crate::decode_charset(None, sample).text;
            page::look(&text, true, self.notes);
        }
    }

    /// A message that is a file (in an archive, or encoded against RFC 2045 §6.4).
    /// False: it lies too deep.
    pub(crate) fn open_message(&mut self, file: &File<'_>) -> bool {
        let depth = file.depth + 1;
        if depth > self.depth {
            return false;
        }
        let (message, findings, highest) = parse_by(&file.octets, Reading::default());
        findings.into_iter().for_each(|finding| self.notes.add(finding));
        for part in message.parts().iter().filter(|part| part.holds == Holds::Octets) {
            let inside = File {
                name: message.file_name(part).unwrap_or_default(),
                declared: part.content_type.essence(),
                octets: message.content(part).into_owned().into(),
                depth,
            };
            if !self.add(inside) {
                return true;
            }
        }
        readings::look(&message, highest, depth, self);
        true
    }

    /// Pays for octets that are read without becoming a file of their own. False: no more.
    pub(crate) fn pay(&mut self, octets: usize) -> bool {
        match self.look_left.checked_sub(octets) {
            Some(left) => {
                self.look_left = left;
                true
            }
            None => false,
        }
    }

    /// Looks at everything on the list.
    pub(crate) fn finish(&mut self) {
        while let Some(file) = self.waiting.pop_front() {
            self.look(&file);
        }
    }
}
