//! Selecting a folder, leaving it, and telling what changes in it.

use super::Imap;
use crate::fault::Trouble;
use crate::folders::{Named, open_keywords};
use crate::view::View;
use imap::{Code, Condition, FetchLine, Flags, SequenceSet};
use wire::mailbox::{Row, flag};

/// All system flags that a client may set.
const SETTABLE: Flags = Flags(31);

/// A row's flags as IMAP says them: bits to system flags, \Recent added.
pub(super) fn system_flags(row: &Row, view: &View) -> Flags {
    let set = Flags(u8::try_from(row.flags & 31).unwrap_or(0));
    if view.is_recent(row.uid) { set.with(Flags::RECENT) } else { set }
}

/// The keywords of a row.
pub(super) fn keywords_of<'k>(row: &Row, names: &'k [String]) -> impl Iterator<Item = &'k str> {
    let bits = row.flags >> flag::FIRST_KEYWORD;
    names
        .iter()
        .enumerate()
        .filter(move |(bit, name)| *bit < 56 && bits >> bit & 1 == 1 && !name.is_empty())
        .map(|(_, name)| name.as_str())
}

pub(super) fn write_flags(line: &mut FetchLine, row: &Row, view: &View) {
    let system = system_flags(row, view);
    line.flags(system, keywords_of(row, &view.keywords));
}

impl Imap<'_> {
    pub(super) fn view(&self) -> Result<&View, Trouble> {
        self.view.as_ref().ok_or(Trouble::Misplaced("select a folder first"))
    }

    pub(super) fn writable(&self) -> Result<&View, Trouble> {
        let view = self.view()?;
        if view.read_only {
            return Err(Trouble::No("READ-ONLY", "the folder is open for reading only"));
        }
        Ok(view)
    }

    /// The places that a set means. RFC 3501 §9: a number that no message bears is an error, a
    /// UID that none bears is not.
    pub(super) fn targets(&self, set: &SequenceSet, by_uid: bool) -> Result<Vec<usize>, Trouble> {
        let view = self.view()?;
        if !by_uid && set.highest().is_some_and(|number| number > view.count()) {
            return Err(Trouble::Misplaced("there is no message of that number"));
        }
        Ok(view.targets(set, by_uid))
    }

    /// RFC 7162 §3.1: the first command that speaks of mod-sequences turns them on, and the
    /// highest of the open folder is said then.
    pub(super) fn speak_condstore(&mut self, speaks: bool) {
        if !speaks || std::mem::replace(&mut self.condstore, true) {
            return;
        }
        if let Some(modseq) = self.view.as_ref().map(|view| view.modseq) {
            let code = Some(Code::HighestModSeq(modseq));
            self.writer().untagged(Condition::Ok, code, "the highest so far");
        }
    }

    pub(super) fn find(&mut self, name: &str) -> Result<Named, Trouble> {
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        self.names.find(self.ends, person, name)
    }

    pub(super) fn select(
        &mut self,
        tag: &str,
        name: &str,
        condstore: bool,
        read_only: bool,
    ) -> Result<(), Trouble> {
        // RFC 3501 §6.3.1: even a failed SELECT leaves the folder that was open.
        self.leave()?;
        let named = self.find(name)?;
        self.condstore |= condstore;
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        let read_only = read_only || person.reads_only;
        let keywords = open_keywords(self.ends, person, &named.front)?;
        let mut view = View::open(self.ends, &named.front, named.name, read_only)?;
        view.keywords = keywords;
        self.show_front(&view);
        self.view = Some(view);
        let (code, text) = match read_only {
            true => ("READ-ONLY", "open for reading only"),
            false => ("READ-WRITE", "open"),
        };
        self.writer().tagged(tag, Condition::Ok, Some(Code::Word(code)), text);
        Ok(())
    }

    fn show_front(&mut self, view: &View) {
        let keywords: Vec<&str> = view.keywords.iter().map(String::as_str).collect();
        let unseen = view.rows.iter().position(|row| row.flags & flag::SEEN == 0);
        let room = keywords.len() < flag::KEYWORDS as usize;
        let mut writer = self.writer();
        writer.flags(SETTABLE, &keywords);
        writer.exists(view.count());
        writer.recent(view.recent());
        let ok = Condition::Ok;
        if let Some(number) = unseen.and_then(|place| u32::try_from(place + 1).ok()) {
            writer.untagged(ok, Some(Code::Unseen(number)), "the first unseen message");
        }
        let permanent = match view.read_only {
            true => Code::PermanentFlags { system: Flags(0), keywords: &[], any: false },
            false => Code::PermanentFlags { system: SETTABLE, keywords: &keywords, any: room },
        };
        writer.untagged(ok, Some(permanent), "what may be set");
        writer.untagged(ok, Some(Code::UidValidity(view.uid_validity)), "UIDs are valid");
        writer.untagged(ok, Some(Code::UidNext(view.uid_next)), "the next UID");
        writer.untagged(ok, Some(Code::HighestModSeq(view.modseq)), "the highest so far");
    }

    fn leave(&mut self) -> Result<(), Trouble> {
        if self.view.take().is_some() {
            crate::keeper::watch_none(self.ends)?;
        }
        Ok(())
    }

    pub(super) fn close(&mut self, tag: &str) -> Result<(), Trouble> {
        let view = self.view()?;
        let (folder, read_only) = (view.folder, view.read_only);
        if !read_only && view.rows.iter().any(|row| row.flags & flag::DELETED != 0) {
            crate::keeper::expunge(self.ends, folder, None)?;
        }
        self.leave()?;
        self.done(tag, None, "closed")
    }

    pub(super) fn unselect(&mut self, tag: &str) -> Result<(), Trouble> {
        self.view()?;
        self.leave()?;
        self.done(tag, None, "left")
    }

    /// Tells what others did in the selected folder.
    pub(super) fn tell_changes(&mut self, expunges: bool) -> Result<(), Trouble> {
        let Some(view) = &mut self.view else { return Ok(()) };
        let changes = view.catch_up(self.ends, expunges)?;
        let unknown = changes.flags.iter().chain(changes.exists.map(|_| &0)).next().is_some();
        if unknown {
            let _ = self.learn_keywords(); // without names their flags stay unsaid
        }
        for number in &changes.expunged {
            self.writer().expunge(*number);
        }
        if let Some(exists) = changes.exists {
            self.writer().exists(exists);
            self.writer().recent(changes.recent);
        }
        self.show_flags(&changes.flags, false);
        Ok(())
    }

    /// Another session may have named a keyword that this one has not heard of.
    fn learn_keywords(&mut self) -> Result<(), Trouble> {
        let Some(view) = &self.view else { return Ok(()) };
        let bits = view.rows.iter().fold(0, |bits, row| bits | row.flags) >> flag::FIRST_KEYWORD;
        let used = 64 - bits.leading_zeros() as usize;
        if used <= view.keywords.len() {
            return Ok(());
        }
        let name = view.name.clone();
        let named = self.find(&name)?;
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        let keywords = open_keywords(self.ends, person, &named.front)?;
        self.know_keywords(keywords);
        Ok(())
    }

    /// RFC 3501 §7.2.6: new names are told before a flag bears one.
    pub(super) fn know_keywords(&mut self, keywords: Vec<String>) {
        let Some(view) = &mut self.view else { return };
        if view.keywords != keywords {
            view.keywords = keywords;
            let names: Vec<&str> = view.keywords.iter().map(String::as_str).collect();
            imap::Writer::new(&mut self.out).flags(SETTABLE, &names);
        }
    }

    /// FETCH lines with the flags of these places. `uids`: the command was by UID.
    pub(super) fn show_flags(&mut self, places: &[usize], uids: bool) {
        let Some(view) = &self.view else { return };
        let mut writer = imap::Writer::new(&mut self.out);
        for place in places {
            let Some(row) = view.rows.get(*place) else { continue };
            let mut line = writer.fetch(u32::try_from(place + 1).unwrap_or(0));
            if uids || self.condstore {
                line.uid(row.uid);
            }
            write_flags(&mut line, row, view);
            if self.condstore {
                line.mod_seq(row.modseq);
            }
            line.end();
        }
    }
}
