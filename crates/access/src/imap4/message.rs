//! Messages of the selected folder: flags, copies, moves, and taking them out.

use super::Imap;
use crate::fault::Trouble;
use crate::folders::seal_keywords;
use crate::keeper;
use imap::{Code, Condition, FlagSet, SequenceSet, Store, StoreAct};
use terms::FolderId;
use wire::mailbox::{FromAccess, ToAccess, flag};

/// Numbers for a COPYUID answer; longer ones are left out rather than flood the client's line.
const COPYUID_PAIRS: usize = 100_000;

impl Imap<'_> {
    pub(super) fn store(&mut self, tag: &str, store: &Store) -> Result<(), Trouble> {
        self.condstore |= store.unchanged_since.is_some();
        let view = self.writable()?;
        let folder = view.folder;
        let places = view.targets(&store.set, store.uid);
        let uids = view.uids(&places);
        let names_new = store.act != StoreAct::Remove;
        let bits = self.flag_bits(folder, &store.flags, names_new)?;
        if uids.is_empty() {
            return self.done_with(tag, None, "no such message", store.uid);
        }
        let (add, remove, replace) = match store.act {
            StoreAct::Replace => (bits, 0, true),
            StoreAct::Add => (bits, 0, false),
            StoreAct::Remove => (0, bits, false),
        };
        let unchanged_since = store.unchanged_since;
        let question = FromAccess::Store { folder, uids, add, remove, replace, unchanged_since };
        let (changed, skipped) = match keeper::ask(self.ends, &question, false)? {
            ToAccess::Stored { changed, skipped } => (changed, skipped),
            _ => return Err(Trouble::Broken),
        };
        let Some(view) = &mut self.view else { return Err(Trouble::Ended) };
        let differ = view.take_rows(&changed);
        let is_skipped =
            |place: &usize| view.rows.get(*place).is_some_and(|row| skipped.contains(&row.uid));
        let told: Vec<usize> = match store.silent {
            // RFC 7162 §3.1.3: the new mod-sequence is told even so.
            true if self.condstore => differ,
            true => Vec::new(),
            false => places.iter().copied().filter(|place| !is_skipped(place)).collect(),
        };
        let modified: Vec<u32> = match store.uid {
            true => skipped,
            false => skipped.iter().filter_map(|uid| view.place(*uid)).filter_map(number).collect(),
        };
        self.show_flags(&told, store.uid);
        if modified.is_empty() {
            return self.done_with(tag, None, "stored", store.uid);
        }
        let _ = self.tell_changes(store.uid);
        let code = Some(Code::Modified(&modified));
        self.writer().tagged(tag, Condition::Ok, code, "some were changed meanwhile");
        Ok(())
    }

    /// Flags as the mailbox keeps them. New keywords get a bit, if one is left.
    pub(super) fn flag_bits(
        &mut self,
        folder: FolderId,
        flags: &FlagSet,
        names_new: bool,
    ) -> Result<u64, Trouble> {
        let mut bits = u64::from(flags.system.0);
        if flags.keywords.is_empty() {
            return Ok(bits);
        }
        let selected = self.view.as_ref().filter(|view| view.folder == folder);
        let mut known = match selected {
            Some(view) => view.keywords.clone(),
            None => self.keywords_of(folder)?,
        };
        let before = known.len();
        for keyword in &flags.keywords {
            let place = known.iter().position(|name| name.eq_ignore_ascii_case(keyword));
            let place = match place {
                Some(place) => place,
                None if !names_new => continue,
                None if known.len() >= flag::KEYWORDS as usize => {
                    return Err(Trouble::No("LIMIT", "the folder has too many keywords"));
                }
                None => {
                    known.push(keyword.clone());
                    known.len() - 1
                }
            };
            bits |= 1 << (flag::FIRST_KEYWORD as usize + place);
        }
        if known.len() > before {
            self.name_keywords(folder, known)?;
        }
        Ok(bits)
    }

    fn keywords_of(&mut self, folder: FolderId) -> Result<Vec<String>, Trouble> {
        let fronts = keeper::folders(self.ends)?;
        let front = fronts.iter().find(|front| front.folder == folder);
        let front = front.ok_or(Trouble::NoSuchFolder)?;
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        crate::folders::open_keywords(self.ends, person, front)
    }

    fn name_keywords(&mut self, folder: FolderId, known: Vec<String>) -> Result<(), Trouble> {
        let person = self.person.as_deref().ok_or(Trouble::Ended)?;
        let names = seal_keywords(self.ends, person, &known)?;
        keeper::change(self.ends, &FromAccess::Keywords { folder, names })?;
        let Some(view) = &mut self.view else { return Ok(()) };
        if view.folder == folder {
            view.keywords = known;
            let names: Vec<&str> = view.keywords.iter().map(String::as_str).collect();
            imap::Writer::new(&mut self.out).flags(imap::Flags(31), &names);
        }
        Ok(())
    }

    pub(super) fn expunge(&mut self, tag: &str, set: Option<&SequenceSet>) -> Result<(), Trouble> {
        let view = self.writable()?;
        let folder = view.folder;
        let uids = set.map(|set| {
            // RFC 4315 §2.1: only those that are marked as deleted.
            let mut places = view.targets(set, true);
            places.retain(|place| {
                view.rows.get(*place).is_some_and(|row| row.flags & flag::DELETED != 0)
            });
            view.uids(&places)
        });
        if uids.as_ref().is_none_or(|uids| !uids.is_empty()) {
            let gone = keeper::expunge(self.ends, folder, uids)?;
            self.tell_expunged(&gone);
        }
        self.done(tag, None, "expunged")
    }

    fn tell_expunged(&mut self, uids: &[u32]) {
        let Some(view) = &mut self.view else { return };
        for number in view.expunge(uids) {
            imap::Writer::new(&mut self.out).expunge(number);
        }
    }

    pub(super) fn copy(
        &mut self,
        tag: &str,
        set: &SequenceSet,
        name: &str,
        by_uid: bool,
        moves: bool,
    ) -> Result<(), Trouble> {
        let view = if moves { self.writable()? } else { self.view()? };
        let folder = view.folder;
        let uids = view.uids(&view.targets(set, by_uid));
        let to = self.target(name)?.front.folder;
        if uids.is_empty() {
            return self.done(tag, None, "no such message");
        }
        let question = FromAccess::CopyTo { folder, uids, to, remove: moves };
        let (validity, pairs) = match keeper::ask(self.ends, &question, true)? {
            ToAccess::Copied { uid_validity, pairs } => (uid_validity, pairs),
            _ => return Err(Trouble::Broken),
        };
        if to == folder {
            self.ends.news.changed = true; // do not wait for the push
        }
        let (from, into): (Vec<u32>, Vec<u32>) = pairs.iter().take(COPYUID_PAIRS).copied().unzip();
        let code = Code::CopyUid { validity, from: &from, to: &into };
        let code = (!from.is_empty()).then_some(code);
        if !moves {
            return self.done(tag, code, "copied");
        }
        // RFC 6851 §4.3: COPYUID first, then the EXPUNGEs.
        self.writer().untagged(Condition::Ok, code, "moved");
        self.tell_expunged(&from);
        self.done(tag, None, "moved")
    }
}

fn number(place: usize) -> Option<u32> {
    u32::try_from(place + 1).ok()
}
