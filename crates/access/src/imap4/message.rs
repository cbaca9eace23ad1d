//! Messages of the selected folder: flags, copies, moves, and taking them out.

use super::Imap;
use crate::fault::Trouble;
use crate::folders::seal_keywords;
use crate::keeper;
use imap::{Code, Condition, FlagSet, SequenceSet, Store, StoreAct};
use terms::FolderId;
use wire::mailbox::{FromAccess, Row, ToAccess, flag};

/// Numbers for a COPYUID answer; longer ones are left out rather than flood the client's line.
const COPYUID_PAIRS: usize = 100_000;
/// How often other sessions may be faster in naming keywords.
const NAMINGS: u32 = 5;

impl Imap<'_> {
    pub(super) fn store(&mut self, tag: &str, store: &Store) -> Result<(), Trouble> {
        let folder = self.writable()?.folder;
        let places = self.targets(&store.set, store.uid)?;
        self.speak_condstore(store.unchanged_since.is_some());
        let uids = self.view()?.uids(&places);
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
        // What a client that is told nothing takes the flags to be now.
        let guessed = |row: &Row| if replace { add } else { row.flags & !remove | add };
        let surprises: Vec<usize> = changed
            .iter()
            .filter_map(|row| Some((view.place(row.uid)?, row)))
            .filter(|(place, row)| view.rows.get(*place).is_some_and(|r| guessed(r) != row.flags))
            .map(|(place, _)| place)
            .collect();
        let differ = view.take_rows(&changed);
        let told: Vec<usize> = match store.silent {
            // RFC 7162 §3.1.3: the new mod-sequence is told even so.
            true if self.condstore => differ,
            // RFC 3501 §6.4.6: what others did is told even so.
            true => surprises,
            false => changed.iter().filter_map(|row| view.place(row.uid)).collect(),
        };
        let is_whole = changed.len() + skipped.len() >= places.len();
        let modified: Vec<u32> = match store.uid {
            true => skipped,
            false => skipped.iter().filter_map(|uid| view.place(*uid)).filter_map(number).collect(),
        };
        self.show_flags(&told, store.uid);
        // RFC 2180 §4.2.1: a silent one succeeds for those that are left.
        self.stored(tag, store.uid, &modified, is_whole || store.silent)
    }

    fn stored(
        &mut self,
        tag: &str,
        by_uid: bool,
        modified: &[u32],
        is_whole: bool,
    ) -> Result<(), Trouble> {
        let code = (!modified.is_empty()).then_some(Code::Modified(modified));
        match (code, is_whole || by_uid) {
            (None, true) => self.done_with(tag, None, "stored", by_uid),
            (code @ Some(_), true) => {
                self.done_with(tag, code, "some were changed meanwhile", by_uid)
            }
            (_, false) => {
                let _ = self.tell_changes(false);
                Err(Trouble::No("EXPUNGEISSUED", "some messages have been deleted"))
            }
        }
    }

    /// Flags as the mailbox keeps them. New keywords get a bit, if one is left.
    pub(super) fn flag_bits(
        &mut self,
        folder: FolderId,
        flags: &FlagSet,
        names_new: bool,
    ) -> Result<u64, Trouble> {
        let numbers = self.keyword_numbers(folder, &flags.keywords, names_new)?;
        if names_new && numbers.contains(&None) {
            return Err(Trouble::No("LIMIT", "the folder has too many keywords"));
        }
        let keywords = numbers.iter().flatten().fold(0, |bits, number| bits | 1u64 << number);
        Ok(u64::from(flags.system.0) | keywords)
    }

    /// The bits of these keywords in a folder. `None`: it has no such keyword, and gets none.
    fn keyword_numbers(
        &mut self,
        folder: FolderId,
        wanted: &[String],
        names_new: bool,
    ) -> Result<Vec<Option<u8>>, Trouble> {
        let selected = self.view.as_ref().filter(|view| view.folder == folder);
        let known = selected.map(|view| numbers_in(&view.keywords, wanted));
        if let Some(known) = known.filter(|known| !known.contains(&None)) {
            return Ok(known);
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        for _ in 0..NAMINGS {
            let (mut names, before) = self.keywords_of(folder)?;
            let count = names.len();
            let unknown = |name: &&String| !names.iter().any(|n| n.eq_ignore_ascii_case(name));
            let room = (flag::KEYWORDS as usize).saturating_sub(count);
            let new: Vec<String> = wanted.iter().filter(unknown).take(room).cloned().collect();
            if names_new {
                names.extend(new);
            }
            if names.len() == count || self.name_keywords(folder, &names, before)? {
                let numbers = numbers_in(&names, wanted);
                if self.view.as_ref().is_some_and(|view| view.folder == folder) {
                    self.know_keywords(names);
                }
                return Ok(numbers);
            }
        }
        Err(Trouble::Unavailable)
    }

    /// A folder's keywords as they are now, and what a new list of them continues.
    fn keywords_of(&mut self, folder: FolderId) -> Result<(Vec<String>, Option<Vec<u8>>), Trouble> {
        let fronts = keeper::folders(self.ends)?;
        let front = fronts.iter().find(|front| front.folder == folder);
        let front = front.ok_or(Trouble::NoSuchFolder)?;
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        let names = crate::folders::open_keywords(self.ends, person, front)?;
        Ok((names, front.keywords.as_ref().map(|part| part.wrapped.clone())))
    }

    /// `false`: another session named some meanwhile.
    fn name_keywords(
        &mut self,
        folder: FolderId,
        names: &[String],
        before: Option<Vec<u8>>,
    ) -> Result<bool, Trouble> {
        let person = self.person.as_deref().ok_or(Trouble::Ended)?;
        let names = seal_keywords(self.ends, person, names)?;
        match keeper::ask(self.ends, &FromAccess::Keywords { folder, names, before }, true)? {
            ToAccess::Done => Ok(true),
            ToAccess::Outdated => Ok(false),
            _ => Err(Trouble::Broken),
        }
    }

    /// Keywords are numbered per folder: the numbers of the source, and what they are in `to`.
    pub(super) fn keywords_between(
        &mut self,
        from: FolderId,
        to: FolderId,
        bits: u64,
    ) -> Result<Vec<(u8, u8)>, Trouble> {
        if from == to || bits >> flag::FIRST_KEYWORD == 0 {
            return Ok(Vec::new());
        }
        let (names, _) = self.keywords_of(from)?;
        let used: Vec<(u8, String)> = (0u8..)
            .zip(names)
            .map(|(at, name)| (at + flag::FIRST_KEYWORD as u8, name))
            .filter(|(number, _)| *number < 64 && bits >> number & 1 == 1)
            .collect();
        let wanted: Vec<String> = used.iter().map(|(_, name)| name.clone()).collect();
        let numbers = self.keyword_numbers(to, &wanted, true)?;
        let pairs = used.iter().zip(numbers);
        Ok(pairs.filter_map(|((from, _), to)| Some((*from, to?))).collect())
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
        let folder = if moves { self.writable()?.folder } else { self.view()?.folder };
        let places = self.targets(set, by_uid)?;
        let view = self.view()?;
        let uids = view.uids(&places);
        let rows = places.iter().filter_map(|place| view.rows.get(*place));
        let bits = rows.fold(0, |bits, row| bits | row.flags);
        let to = self.target(name)?.front.folder;
        if uids.is_empty() {
            return self.done(tag, None, "no such message");
        }
        let keywords = self.keywords_between(folder, to, bits)?;
        let question = FromAccess::CopyTo { folder, uids, to, remove: moves, keywords };
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

/// The bits of keywords in a list of names.
fn numbers_in(names: &[String], wanted: &[String]) -> Vec<Option<u8>> {
    let number = |keyword: &String| {
        let at = names.iter().position(|name| name.eq_ignore_ascii_case(keyword))?;
        u8::try_from(at + flag::FIRST_KEYWORD as usize).ok().filter(|number| *number < 64)
    };
    wanted.iter().map(number).collect()
}

fn number(place: usize) -> Option<u32> {
    u32::try_from(place + 1).ok()
}
