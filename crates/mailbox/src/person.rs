//! One mailbox as numbers, in memory: quota, folders, and what stands on each folder's front.

use crate::entry::{Entry, Line};
use std::collections::BTreeMap;
use terms::{FolderId, TenantId, UserId};
use wire::mailbox::{Folder, SealedPart, SpecialUse};

/// Folders of one person: enough for any archive, few enough to list in one frame.
pub const FOLDERS: usize = 5_000;
/// Messages of one person; beyond it: over quota.
pub const MESSAGES: u64 = 2_000_000;
/// The quota of a mailbox that nobody set one for.
pub const QUOTA_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// Folders that people make are numbered from here on.
const FIRST_OWN_FOLDER: u32 = 16;

/// The folders every mailbox is born with. The numbers never change.
pub const SPECIAL: &[(u32, SpecialUse)] = &[
    (INBOX, SpecialUse::Inbox),
    (2, SpecialUse::Drafts),
    (3, SpecialUse::Sent),
    (JUNK, SpecialUse::Junk),
    (5, SpecialUse::Trash),
    (6, SpecialUse::Archive),
];
pub const INBOX: u32 = 1;
pub const JUNK: u32 = 4;

pub fn number(folder: FolderId) -> u32 {
    u32::from_be_bytes(folder.0)
}

pub fn folder_id(number: u32) -> FolderId {
    FolderId(number.to_be_bytes())
}

pub fn special(number: u32) -> Option<SpecialUse> {
    SPECIAL.iter().find(|(known, _)| *known == number).map(|(_, special)| *special)
}

/// The front of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    pub name: Vec<u8>,
    pub keywords: Vec<u8>,
    pub subscribed: bool,
    pub uid_validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    pub messages: i64,
    pub unseen: i64,
    pub bytes: i64,
    /// Nobody has been told of the messages from this UID on: whoever hears of them first, and may
    /// write, sees them as \Recent (RFC 3501 §2.3.2). Forgotten by a restart.
    pub told_below: u32,
    /// How many those are.
    pub recent: u32,
}

impl Front {
    /// Standing folders are subscribed from the start; one that a person made is when they say so
    /// (RFC 3501 §6.3.6).
    pub fn new(name: Vec<u8>, uid_validity: u32) -> Self {
        let subscribed = name.is_empty();
        Self { name, uid_validity, uid_next: 1, modseq: 1, subscribed, ..Self::default() }
    }

    /// Somebody hears of everything that is there: it is recent for nobody else.
    pub fn tell_all(&mut self) {
        (self.told_below, self.recent) = (self.uid_next, 0);
    }

    fn count(&mut self, line: &Line, sign: i64) {
        self.messages += sign;
        self.bytes += sign * i64::from(line.size);
        self.unseen += sign * i64::from(line.is_unseen());
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Named { name, .. } => self.name.clone_from(name),
            Entry::Keywords { names, .. } => self.keywords.clone_from(names),
            Entry::Subscribed { subscribed, .. } => self.subscribed = *subscribed,
            Entry::Listed { lines, .. } => {
                for line in lines {
                    self.count(line, 1);
                    self.uid_next = self.uid_next.max(line.uid.saturating_add(1));
                    self.modseq = self.modseq.max(line.modseq);
                    self.recent = self.recent.saturating_add(1);
                }
            }
            Entry::Flags { modseq, unseen, .. } => {
                self.unseen += unseen;
                self.modseq = self.modseq.max(*modseq);
            }
            Entry::Expunged { lines, modseq, .. } => {
                lines.iter().for_each(|line| self.count(line, -1));
                let untold = lines.iter().filter(|line| line.uid >= self.told_below).count();
                let untold = u32::try_from(untold).unwrap_or(u32::MAX);
                self.recent = self.recent.saturating_sub(untold);
                self.modseq = self.modseq.max(*modseq);
            }
            _ => {}
        }
    }

    /// The wrapped key of the keyword list: no two lists have the same.
    pub fn keywords_key(&self) -> Option<Vec<u8>> {
        postcard::from_bytes::<SealedPart>(&self.keywords).ok().map(|part| part.wrapped)
    }

    /// As the session sees it.
    pub fn show(&self, number: u32) -> Folder {
        let part = |bytes: &[u8]| -> Option<SealedPart> {
            if bytes.is_empty() { None } else { postcard::from_bytes(bytes).ok() }
        };
        Folder {
            folder: folder_id(number),
            special: special(number),
            name: part(&self.name),
            keywords: part(&self.keywords),
            subscribed: self.subscribed,
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            highest_modseq: self.modseq,
            messages: u32::try_from(self.messages).unwrap_or(0),
            unseen: u32::try_from(self.unseen).unwrap_or(0),
            recent: self.recent.min(u32::try_from(self.messages).unwrap_or(0)),
            bytes: u64::try_from(self.bytes).unwrap_or(0),
        }
    }
}

/// A mailbox.
#[derive(Clone, Debug)]
pub struct Person {
    pub tenant: TenantId,
    pub user: UserId,
    pub quota_bytes: u64,
    pub next_folder: u32,
    pub folders: BTreeMap<u32, Front>,
}

impl Person {
    pub fn new(tenant: TenantId, user: UserId, quota_bytes: u64, uid_validity: u32) -> Self {
        let front =
            |(number, _): &(u32, SpecialUse)| (*number, Front::new(Vec::new(), uid_validity));
        let folders = SPECIAL.iter().map(front).collect();
        Self { tenant, user, quota_bytes, next_folder: FIRST_OWN_FOLDER, folders }
    }

    pub fn used_bytes(&self) -> u64 {
        let sum: i64 = self.folders.values().map(|front| front.bytes).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    pub fn used_messages(&self) -> u64 {
        let sum: i64 = self.folders.values().map(|front| front.messages).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    /// Whether `bytes` in `messages` more would still fit.
    pub fn has_room(&self, bytes: u64, messages: u64) -> bool {
        self.used_bytes().saturating_add(bytes) <= self.quota_bytes
            && self.used_messages().saturating_add(messages) <= MESSAGES
    }

    /// The numbers of all folders count anew.
    pub fn renumber(&mut self, above: u32) {
        for (folder, front) in &mut self.folders {
            front.uid_validity = above.saturating_add(*folder);
        }
    }

    /// Follows an entry that concerns this person.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Person { quota_bytes, .. } => self.quota_bytes = *quota_bytes,
            Entry::Folder { folder, name, uid_validity, .. } => {
                self.folders.insert(*folder, Front::new(name.clone(), *uid_validity));
                self.next_folder = self.next_folder.max(folder.saturating_add(1));
            }
            Entry::Gone { folder, .. } => {
                self.folders.remove(folder);
            }
            _ => {
                let folder = entry.concerns().and_then(|(_, folder)| folder);
                if let Some(front) = folder.and_then(|folder| self.folders.get_mut(&folder)) {
                    front.apply(entry);
                }
            }
        }
    }

    /// The next free modification sequence of a folder.
    pub fn next_modseq(&self, folder: u32) -> u64 {
        self.folders.get(&folder).map_or(1, |front| front.modseq + 1)
    }
}
