//! Folders: listing, counting, making, renaming, deleting; and how much room there is.

use super::Imap;
use crate::fault::Trouble;
use crate::folders::{
    Named, SEPARATOR, is_good_name, left_name, position, seal_name, special_attribute,
};
use crate::keeper;
use imap::{List, StatusItem, matches};
use std::collections::BTreeMap;
use wire::mailbox::{FromAccess, SpecialUse, ToAccess};

/// One name to be listed: a folder, or a level above folders that is none itself.
#[derive(Default)]
struct Entry {
    front: Option<wire::mailbox::Folder>,
    has_children: bool,
    /// There is no such folder any more, and the name is subscribed.
    is_left: bool,
    /// A name below it is subscribed.
    below_subscribed: bool,
}

impl Entry {
    fn special(&self) -> Option<&'static str> {
        self.front.as_ref().and_then(|front| front.special).and_then(special_attribute)
    }

    fn is_subscribed(&self) -> bool {
        self.is_left || self.front.as_ref().is_some_and(|front| front.subscribed)
    }
}

/// Names with the levels above them, INBOX first.
fn entries(folders: Vec<Named>) -> BTreeMap<(bool, String), Entry> {
    let mut entries: BTreeMap<(bool, String), Entry> = BTreeMap::new();
    for named in folders {
        let subscribed = named.front.subscribed;
        for (at, _) in named.name.match_indices('/') {
            let above = named.name.get(..at).unwrap_or_default();
            let entry = entries.entry((above != "INBOX", above.to_owned())).or_default();
            entry.has_children = true;
            entry.below_subscribed |= subscribed;
        }
        let key = (named.name != "INBOX", named.name);
        entries.entry(key).or_default().front = Some(named.front);
    }
    entries
}

/// Adds names that are subscribed without a folder.
fn add_left(entries: &mut BTreeMap<(bool, String), Entry>, left: Vec<Named>) {
    for named in left {
        for (at, _) in named.name.match_indices('/') {
            let above = named.name.get(..at).unwrap_or_default().to_owned();
            entries.entry((above != "INBOX", above)).or_default().below_subscribed = true;
        }
        let entry = entries.entry((true, named.name)).or_default();
        entry.is_left = entry.front.is_none();
    }
}

impl Imap<'_> {
    /// The folders, and the names that are subscribed without one.
    fn folders_and_left(&mut self) -> Result<(Vec<Named>, Vec<Named>), Trouble> {
        let person = self.person.as_deref_mut().ok_or(Trouble::Ended)?;
        self.names.all_and_left(self.ends, person)
    }

    pub(super) fn list(&mut self, tag: &str, list: &List) -> Result<(), Trouble> {
        // RFC 3501 §6.3.8: an empty pattern asks for the separator.
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            self.writer().list(&["\\Noselect"], Some(SEPARATOR), "");
            return self.done(tag, None, "listed");
        }
        let (folders, left) = self.folders_and_left()?;
        let mut entries = entries(folders);
        if list.only_subscribed {
            add_left(&mut entries, left);
        }
        let chosen = chosen(list, &entries);
        for ((_, name), entry) in &entries {
            if let Some(below) = chosen.get(name.as_str()) {
                self.list_one(list, name, entry, *below);
            }
        }
        self.done(tag, None, "listed")
    }

    /// RFC 5258 §3: what is selected, and with which attributes it is shown.
    ///
    /// `below`: as in [`chosen`].
    fn list_one(&mut self, list: &List, name: &str, entry: &Entry, below: bool) {
        let asks = list.only_subscribed || list.only_special_use;
        if asks && !selects(list, entry) && !below {
            return;
        }
        let mut attributes = Vec::new();
        if entry.front.is_none() {
            attributes.push(if list.extended { "\\NonExistent" } else { "\\Noselect" });
        }
        attributes.push(if entry.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
        if list.show_subscribed && entry.is_subscribed() {
            attributes.push("\\Subscribed");
        }
        attributes.extend(entry.special());
        self.writer().list(&attributes, Some(SEPARATOR), name);
        if asks && below {
            // RFC 5258 §3.5: the reason is below.
            let at = self.out.len().saturating_sub(2);
            self.out.truncate(at);
            let why = if list.only_subscribed { "SUBSCRIBED" } else { "SPECIAL-USE" };
            let info = format!(" (\"CHILDINFO\" (\"{why}\"))\r\n");
            self.out.extend_from_slice(info.as_bytes());
        }
        if let (Some(front), false) = (&entry.front, list.status.is_empty()) {
            let items = status_of(front, &list.status);
            self.writer().status(name, &items);
        }
    }

    pub(super) fn lsub(
        &mut self,
        tag: &str,
        reference: &str,
        pattern: &str,
    ) -> Result<(), Trouble> {
        let pattern = format!("{reference}{pattern}");
        let (folders, left) = self.folders_and_left()?;
        let mut entries = entries(folders);
        add_left(&mut entries, left);
        for ((_, name), entry) in &entries {
            if !is_like(&pattern, name) {
                continue;
            }
            if entry.is_subscribed() {
                let attributes: &[&str] = if entry.is_left { &["\\Noselect"] } else { &[] };
                self.writer().lsub(attributes, Some(SEPARATOR), name);
            } else if entry.below_subscribed && pattern.ends_with('%') {
                // RFC 3501 §6.3.9: a level above subscribed ones.
                self.writer().lsub(&["\\Noselect"], Some(SEPARATOR), name);
            }
        }
        self.done(tag, None, "listed")
    }

    pub(super) fn status(
        &mut self,
        tag: &str,
        name: &str,
        items: &[StatusItem],
    ) -> Result<(), Trouble> {
        self.speak_condstore(items.contains(&StatusItem::HighestModSeq));
        let named = self.find(name)?;
        let items = status_of(&named.front, items);
        self.writer().status(name, &items);
        self.done(tag, None, "counted")
    }

    pub(super) fn namespace(&mut self, tag: &str) -> Result<(), Trouble> {
        self.writer().namespace(SEPARATOR);
        self.done(tag, None, "done")
    }

    pub(super) fn create(&mut self, tag: &str, name: &str) -> Result<(), Trouble> {
        // RFC 3501 §6.3.3: a trailing separator only announces children.
        let name = &*terms::composed(name.strip_suffix('/').unwrap_or(name));
        if !is_good_name(name) {
            return Err(Trouble::No("CANNOT", "a folder cannot have this name"));
        }
        let (folders, left) = self.folders_and_left()?;
        if position(&folders, name).is_some() {
            return Err(Trouble::No("ALREADYEXISTS", "there is such a folder"));
        }
        self.make_above(name, &folders)?;
        let folder = self.make(name)?;
        self.take_up(&left, name, folder)?;
        self.done(tag, None, "made")
    }

    /// RFC 3501 §6.3.3, §6.3.5: levels above a new name are made too.
    fn make_above(&mut self, name: &str, folders: &[Named]) -> Result<(), Trouble> {
        for level in name.match_indices('/').filter_map(|(end, _)| name.get(..end)) {
            if position(folders, level).is_none() {
                self.make(level)?;
            }
        }
        Ok(())
    }

    fn make(&mut self, name: &str) -> Result<terms::FolderId, Trouble> {
        let person = self.person.as_deref().ok_or(Trouble::Ended)?;
        let name = seal_name(self.ends, person, name)?;
        match keeper::ask(self.ends, &FromAccess::Create { name }, true)? {
            ToAccess::Made(folder) => Ok(folder),
            _ => Err(Trouble::Broken),
        }
    }

    pub(super) fn delete(&mut self, tag: &str, name: &str) -> Result<(), Trouble> {
        let named = self.find(name)?;
        if named.front.special.is_some() {
            return Err(Trouble::No("CANNOT", "this folder always exists"));
        }
        let folder = named.front.folder;
        if self.view.as_ref().is_some_and(|view| view.folder == folder) {
            self.view = None;
            keeper::watch_none(self.ends)?;
        }
        // Kept before the folder goes, if there is room for one more: nothing is lost between.
        let is_subscribed = named.front.subscribed;
        let is_kept = is_subscribed && self.make(&left_name(name)).is_ok();
        keeper::change(self.ends, &FromAccess::Delete { folder })?;
        if is_subscribed && !is_kept {
            self.make(&left_name(name))?;
        }
        self.done(tag, None, "deleted")
    }

    pub(super) fn rename(&mut self, tag: &str, from: &str, to: &str) -> Result<(), Trouble> {
        let to = &*terms::composed(to.strip_suffix('/').unwrap_or(to));
        let (folders, left) = self.folders_and_left()?;
        let found = position(&folders, from).and_then(|at| folders.get(at));
        let from = found.map_or(from, |named| named.name.as_str());
        let is_below = to.starts_with(&format!("{}/", terms::composed(from)));
        if !is_good_name(to) || is_below {
            return Err(Trouble::No("CANNOT", "a folder cannot have this name"));
        }
        // A folder of an older version may get the other form of its own name.
        let same = position(&folders, to).and_then(|at| folders.get(at));
        if same.is_some_and(|same| same.name == to || same.name != from) {
            return Err(Trouble::No("ALREADYEXISTS", "there is such a folder"));
        }
        let special = found.and_then(|named| named.front.special);
        if special == Some(SpecialUse::Inbox) {
            return self.move_inbox(tag, to);
        }
        if special.is_some() {
            return Err(Trouble::No("CANNOT", "this folder keeps its name"));
        }
        let below = format!("{from}/");
        let moved: Vec<&Named> = folders
            .iter()
            .filter(|named| named.name == from || named.name.starts_with(&below))
            .collect();
        if moved.is_empty() {
            return Err(Trouble::NoSuchFolder);
        }
        self.make_above(to, &folders)?;
        for named in moved {
            let rest = named.name.strip_prefix(from).unwrap_or_default();
            let person = self.person.as_deref().ok_or(Trouble::Ended)?;
            let (folder, to) = (named.front.folder, format!("{to}{rest}"));
            let name = seal_name(self.ends, person, &to)?;
            keeper::change(self.ends, &FromAccess::Rename { folder, name })?;
            self.take_up(&left, &to, folder)?;
        }
        self.done(tag, None, "renamed")
    }

    /// RFC 3501 §6.3.5: renaming INBOX moves its messages and leaves it empty.
    fn move_inbox(&mut self, tag: &str, to: &str) -> Result<(), Trouble> {
        let inbox = self.find("INBOX")?.front.folder;
        let to = self.make(to)?;
        let rows = keeper::rows(self.ends, inbox, None)?.rows;
        let uids: Vec<u32> = rows.iter().map(|row| row.uid).collect();
        if !uids.is_empty() {
            let bits = rows.iter().fold(0, |bits, row| bits | row.flags);
            let keywords = self.keywords_between(inbox, to, bits)?;
            let copy = FromAccess::CopyTo { folder: inbox, uids, to, remove: true, keywords };
            keeper::ask(self.ends, &copy, true)?;
        }
        self.done(tag, None, "renamed")
    }

    pub(super) fn subscribe(
        &mut self,
        tag: &str,
        name: &str,
        subscribed: bool,
    ) -> Result<(), Trouble> {
        let found = match self.find(name) {
            Ok(named) => Some(named.front),
            Err(Trouble::NoSuchFolder) => None,
            Err(trouble) => return Err(trouble),
        };
        if let Some(front) = &found {
            let folder = front.folder;
            keeper::change(self.ends, &FromAccess::Subscribe { folder, subscribed })?;
        }
        // Standing folders always exist: nothing is left of them.
        let is_found = found.is_some();
        if found.is_none_or(|front| front.special.is_none() && !subscribed) {
            self.subscribe_left(name, subscribed, is_found)?;
        }
        self.done(tag, None, "noted")
    }

    /// What keeps a name subscribed without a folder goes when the person says so.
    fn subscribe_left(
        &mut self,
        name: &str,
        subscribed: bool,
        exists: bool,
    ) -> Result<(), Trouble> {
        let (_, mut left) = self.folders_and_left()?;
        left.retain(|named| is_same(&named.name, name));
        if left.is_empty() && !exists {
            return Err(Trouble::NoSuchFolder);
        }
        for folder in left.iter().filter(|_| !subscribed).map(|named| named.front.folder) {
            keeper::change(self.ends, &FromAccess::Delete { folder })?;
        }
        Ok(())
    }

    /// A folder of a name that was left subscribed is subscribed.
    fn take_up(
        &mut self,
        left: &[Named],
        name: &str,
        folder: terms::FolderId,
    ) -> Result<(), Trouble> {
        for kept in left.iter().filter(|named| is_same(&named.name, name)) {
            let (subscribed, kept) = (true, kept.front.folder);
            keeper::change(self.ends, &FromAccess::Subscribe { folder, subscribed })?;
            keeper::change(self.ends, &FromAccess::Delete { folder: kept })?;
        }
        Ok(())
    }

    pub(super) fn quota(&mut self, tag: &str, root: &[u8]) -> Result<(), Trouble> {
        if !root.is_empty() {
            return Err(Trouble::No("NONEXISTENT", "there is no such quota root"));
        }
        self.show_quota()?;
        self.done(tag, None, "measured")
    }

    pub(super) fn quota_root(&mut self, tag: &str, name: &str) -> Result<(), Trouble> {
        self.find(name)?;
        self.writer().quota_root(name, "");
        self.show_quota()?;
        self.done(tag, None, "measured")
    }

    fn show_quota(&mut self) -> Result<(), Trouble> {
        let quota = keeper::quota(self.ends)?;
        let (used, limit) = (quota.used_bytes.div_ceil(1024), quota.limit_bytes / 1024);
        self.writer().quota("", used, limit);
        Ok(())
    }

    /// A folder that is copied or appended to; `TRYCREATE` if it does not exist.
    pub(super) fn target(&mut self, name: &str) -> Result<Named, Trouble> {
        self.find(name).map_err(|trouble| match trouble {
            Trouble::NoSuchFolder => Trouble::No("TRYCREATE", "there is no such folder"),
            trouble => trouble,
        })
    }
}

/// Whether two names are one, be their letters in other forms.
fn is_same(one: &str, other: &str) -> bool {
    one == other || terms::composed(one) == terms::composed(other)
}

/// Whether a name matches as it is kept, or its letters do in the form of the pattern's.
fn is_like(pattern: &str, name: &str) -> bool {
    matches(pattern, name, SEPARATOR)
        || (!(pattern.is_ascii() && name.is_ascii())
            && matches(&terms::composed(pattern), &terms::composed(name), SEPARATOR))
}

/// The names that match; and of each whether, by RFC 5258 §3.5, something below it is selected and
/// not listed itself. Each name is held against the patterns once.
fn chosen<'a>(
    list: &List,
    entries: &'a BTreeMap<(bool, String), Entry>,
) -> BTreeMap<&'a str, bool> {
    let patterns: Vec<String> =
        list.patterns.iter().map(|pattern| format!("{}{pattern}", list.reference)).collect();
    let is_wanted = |name: &&str| patterns.iter().any(|p| is_like(p, name));
    let names = entries.keys().map(|(_, name)| name.as_str());
    let mut chosen: BTreeMap<&str, bool> =
        names.filter(is_wanted).map(|name| (name, false)).collect();
    for ((_, name), entry) in entries.iter().filter(|_| list.recursive_match) {
        if selects(list, entry) && !chosen.contains_key(name.as_str()) {
            for (at, _) in name.match_indices('/') {
                let above = name.get(..at).and_then(|above| chosen.get_mut(above));
                above.into_iter().for_each(|below| *below = true);
            }
        }
    }
    chosen
}

/// Whether the selection options of a LIST choose this name.
fn selects(list: &List, entry: &Entry) -> bool {
    (!list.only_subscribed || entry.is_subscribed())
        && (!list.only_special_use || entry.special().is_some())
}

fn status_of(front: &wire::mailbox::Folder, items: &[StatusItem]) -> Vec<(StatusItem, u64)> {
    let value = |item: &StatusItem| match item {
        StatusItem::Messages => u64::from(front.messages),
        StatusItem::Recent => u64::from(front.recent),
        StatusItem::UidNext => u64::from(front.uid_next),
        StatusItem::UidValidity => u64::from(front.uid_validity),
        StatusItem::Unseen => u64::from(front.unseen),
        StatusItem::HighestModSeq => front.highest_modseq,
        StatusItem::Size => front.bytes,
    };
    items.iter().map(|item| (*item, value(item))).collect()
}

#[cfg(test)]
mod tests {
    use super::{chosen, entries};
    use crate::folders::{LEVELS, NAME_BYTES, Named};
    use imap::{FOLDER_BYTES, List, PATTERNS_BYTES};
    use std::time::{Duration, Instant};
    use terms::FolderId;
    use wire::mailbox::Folder;

    fn subscribed(name: String) -> Named {
        let front = Folder {
            folder: FolderId::default(),
            special: None,
            name: None,
            keywords: None,
            subscribed: true,
            uid_validity: 1,
            uid_next: 1,
            highest_modseq: 1,
            messages: 0,
            unseen: 0,
            recent: 0,
            bytes: 0,
        };
        Named { front, name }
    }

    fn recursive(patterns: Vec<String>) -> List {
        List { patterns, only_subscribed: true, recursive_match: true, ..List::default() }
    }

    #[test]
    fn what_is_listed_itself_is_no_reason_to_list_what_is_above_it() {
        let check = |patterns: &[&str], expected: &[(&str, bool)]| {
            let names = ["a/b/c", "a/b", "d", "INBOX/x"];
            let entries = entries(names.map(|name| subscribed(name.into())).into());
            let list = recursive(patterns.iter().map(ToString::to_string).collect());
            assert_eq!(Vec::from_iter(chosen(&list, &entries)), expected, "{patterns:?}");
        };
        check(&["%"], &[("INBOX", true), ("a", true), ("d", false)]);
        check(&["a/b", "a/b/%", "a"], &[("a", false), ("a/b", false), ("a/b/c", false)]);
        check(&["a/b"], &[("a/b", true)]);
        check(&["*c", "a"], &[("a", true), ("a/b/c", false)]);
    }

    /// The dearest LIST that can be said, in a mailbox as full of folders as one can be.
    #[test]
    fn the_longest_patterns_against_the_most_names_take_seconds_at_most() {
        let level = "a".repeat(NAME_BYTES / LEVELS - 1);
        let deep = [level.as_str(); LEVELS - 1].join("/");
        let name = |number: u32| format!("{number:04}{}/{deep}", &level[4..]);
        let entries = entries((0..5_000).map(|number| subscribed(name(number))).collect());
        assert_eq!(entries.len(), 5_000 * LEVELS);
        let pattern = "*a".repeat(FOLDER_BYTES / 2 - 40) + "%b";
        let start = Instant::now();
        let list = recursive(vec![pattern; PATTERNS_BYTES / FOLDER_BYTES]);
        assert!(chosen(&list, &entries).is_empty());
        assert_eq!(chosen(&recursive(vec!["%".into()]), &entries).len(), 5_000);
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
