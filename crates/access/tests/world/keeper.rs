//! A mailbox in memory that answers as the real one does.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use terms::{FolderId, Received};
use wire::mailbox::{Copy, Folder, FromAccess, Row, SealedPart, SpecialUse, ToAccess, flag};
use wire::vault::Class;
use wire::{Channel, Parcel};

#[derive(Default)]
struct Shelf {
    special: Option<SpecialUse>,
    name: Option<SealedPart>,
    keywords: Option<SealedPart>,
    subscribed: bool,
    uid_next: u32,
    modseq: u64,
    recent: u32,
    messages: Vec<(Row, Copy)>,
}

pub struct Shelves {
    shelves: BTreeMap<u32, Shelf>,
    next: u32,
    pub limit_bytes: u64,
    /// Another POP3 session has the maildrop.
    pub is_in_use: bool,
    watchers: Vec<(Arc<Channel>, u32)>,
}

impl Shelves {
    pub fn new() -> Self {
        use SpecialUse::{Archive, Drafts, Inbox, Junk, Sent, Trash};
        let mut shelves = BTreeMap::new();
        for (number, special) in (1..).zip([Inbox, Drafts, Sent, Junk, Trash, Archive]) {
            let (special, subscribed) = (Some(special), true);
            let shelf = Shelf { special, subscribed, uid_next: 1, modseq: 1, ..Shelf::default() };
            shelves.insert(number, shelf);
        }
        Self { shelves, next: 16, limit_bytes: 1 << 30, is_in_use: false, watchers: Vec::new() }
    }

    pub fn append(&mut self, folder: u32, flags: u64, copy: Copy, held: &[OwnedFd]) -> u32 {
        let received = Received::new(copy.received_ms, 0);
        self.append_of(folder, (flags, received), copy, held)
    }

    fn append_of(
        &mut self,
        folder: u32,
        (flags, received): (u64, Received),
        mut copy: Copy,
        held: &[OwnedFd],
    ) -> u32 {
        for part in [&mut copy.summary, &mut copy.body] {
            let content = std::mem::replace(&mut part.content, Parcel::Inline(Vec::new()));
            part.content = Parcel::Inline(content.open(held).unwrap());
        }
        let shelf = self.shelves.get_mut(&folder).unwrap();
        let uid = shelf.uid_next;
        shelf.uid_next += 1;
        shelf.modseq += 1;
        shelf.recent += 1;
        let row = Row { uid, flags, modseq: shelf.modseq, size: copy.size as u32, received };
        shelf.messages.push((row, copy));
        self.push(folder, Vec::new());
        uid
    }

    /// The same message many times.
    pub fn fill(&mut self, copy: Copy, count: u32) {
        for _ in 0..count {
            self.append(1, 0, copy.clone(), &[]);
        }
    }

    /// Another session marks and expunges.
    pub fn expunge(&mut self, folder: u32, uids: Option<&[u32]>) -> Vec<u32> {
        let shelf = self.shelves.get_mut(&folder).unwrap();
        let mut gone = Vec::new();
        shelf.messages.retain(|(row, _)| {
            let goes =
                row.flags & flag::DELETED != 0 && uids.is_none_or(|uids| uids.contains(&row.uid));
            gone.extend(goes.then_some(row.uid));
            !goes
        });
        shelf.modseq += 1;
        self.push(folder, gone.clone());
        gone
    }

    pub fn flag(&mut self, folder: u32, uids: &[u32], flags: u64) {
        let shelf = self.shelves.get_mut(&folder).unwrap();
        shelf.modseq += 1;
        for (row, _) in &mut shelf.messages {
            if uids.contains(&row.uid) {
                (row.flags, row.modseq) = (flags, shelf.modseq);
            }
        }
        self.push(folder, Vec::new());
    }

    /// Every octet that is kept, for a search after words.
    pub fn octets(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for shelf in self.shelves.values() {
            all.extend(postcard::to_stdvec(&(&shelf.name, &shelf.keywords)).unwrap());
            for (_, copy) in &shelf.messages {
                all.extend(postcard::to_stdvec(copy).unwrap());
            }
        }
        all
    }

    fn push(&mut self, folder: u32, expunged: Vec<u32>) {
        let shelf = &self.shelves[&folder];
        let changed = ToAccess::Changed {
            folder: id(folder),
            expunged,
            highest_modseq: shelf.modseq,
            messages: shelf.messages.len() as u32,
        };
        self.watchers.retain(|(channel, watched)| {
            *watched != folder || channel.send(0, &changed, &[]).is_ok()
        });
    }

    fn folders(&self) -> Vec<Folder> {
        let show = |(number, shelf): (&u32, &Shelf)| Folder {
            folder: id(*number),
            special: shelf.special,
            name: shelf.name.clone(),
            keywords: shelf.keywords.clone(),
            subscribed: shelf.subscribed,
            uid_validity: 77,
            uid_next: shelf.uid_next,
            highest_modseq: shelf.modseq,
            messages: shelf.messages.len() as u32,
            unseen: shelf.messages.iter().filter(|(row, _)| row.flags & 1 == 0).count() as u32,
            recent: shelf.recent,
            bytes: shelf.messages.iter().map(|(row, _)| u64::from(row.size)).sum(),
        };
        self.shelves.iter().map(show).collect()
    }

    fn answer(&mut self, question: FromAccess, held: &[OwnedFd]) -> ToAccess {
        match question {
            FromAccess::Folders => ToAccess::Folders(self.folders()),
            FromAccess::Rows { folder, since } => {
                let Some(shelf) = self.shelves.get(&number(folder)) else {
                    return ToAccess::NoSuchFolder;
                };
                let since = since.unwrap_or(0);
                let rows = shelf.messages.iter().map(|(row, _)| *row);
                ToAccess::Rows {
                    uid_validity: 77,
                    uid_next: shelf.uid_next,
                    highest_modseq: shelf.modseq,
                    rows: rows.filter(|row| row.modseq > since).collect(),
                }
            }
            FromAccess::Fetch { folder, uids, class } => {
                let shelf = &self.shelves[&number(folder)];
                let wanted = shelf.messages.iter().filter(|(row, _)| uids.contains(&row.uid));
                ToAccess::Parts(
                    wanted
                        .map(|(row, copy)| match class {
                            Class::Summary => (row.uid, copy.message, copy.summary.clone()),
                            Class::Body => (row.uid, copy.message, copy.body.clone()),
                        })
                        .collect(),
                )
            }
            FromAccess::Append { folder, flags, copy, zone_minutes } => {
                let received = Received::new(copy.received_ms, zone_minutes.unwrap_or(0));
                let uid = self.append_of(number(folder), (flags, received), *copy, held);
                ToAccess::Appended { uid_validity: 77, uid }
            }
            FromAccess::Expunge { folder, uids } => {
                let uids = self.expunge(number(folder), uids.as_deref());
                ToAccess::Expunged { uids, highest_modseq: self.shelves[&number(folder)].modseq }
            }
            FromAccess::Maildrop { .. } if self.is_in_use => ToAccess::InUse,
            FromAccess::Maildrop { .. } => ToAccess::Done,
            FromAccess::Quota => {
                let used_bytes = self.folders().iter().map(|folder| folder.bytes).sum();
                let limit_bytes = self.limit_bytes;
                ToAccess::Quota { used_bytes, limit_bytes, used_messages: 0, limit_messages: 9 }
            }
            FromAccess::Create { name } => {
                self.next += 1;
                let shelf = Shelf { name: Some(name), uid_next: 1, modseq: 1, ..Shelf::default() };
                self.shelves.insert(self.next, shelf);
                ToAccess::Made(id(self.next))
            }
            other => self.change(other),
        }
    }

    fn change(&mut self, question: FromAccess) -> ToAccess {
        match question {
            FromAccess::Rename { folder, name } => {
                self.shelves.get_mut(&number(folder)).unwrap().name = Some(name);
            }
            FromAccess::Delete { folder } => {
                self.shelves.remove(&number(folder));
            }
            FromAccess::Keywords { folder, names, .. } => {
                self.shelves.get_mut(&number(folder)).unwrap().keywords = Some(names);
            }
            FromAccess::Subscribe { folder, subscribed } => {
                self.shelves.get_mut(&number(folder)).unwrap().subscribed = subscribed;
            }
            FromAccess::Store { folder, uids, add, remove, replace, unchanged_since } => {
                let shelf = self.shelves.get_mut(&number(folder)).unwrap();
                shelf.modseq += 1;
                let limit = unchanged_since.unwrap_or(u64::MAX);
                let (mut changed, mut skipped) = (Vec::new(), Vec::new());
                for (row, _) in shelf.messages.iter_mut().filter(|(r, _)| uids.contains(&r.uid)) {
                    if row.modseq > limit {
                        skipped.push(row.uid);
                        continue;
                    }
                    let flags = if replace { add } else { (row.flags & !remove) | add };
                    if flags != row.flags {
                        (row.flags, row.modseq) = (flags, shelf.modseq);
                    }
                    changed.push(*row);
                }
                self.push(number(folder), Vec::new());
                return ToAccess::Stored { changed, skipped };
            }
            FromAccess::CopyTo { folder, uids, to, remove, .. } => {
                return self.copy(number(folder), &uids, number(to), remove);
            }
            _ => {}
        }
        ToAccess::Done
    }

    fn copy(&mut self, from: u32, uids: &[u32], to: u32, remove: bool) -> ToAccess {
        let shelf = &self.shelves[&from];
        let picked: Vec<(Row, Copy)> =
            shelf.messages.iter().filter(|(row, _)| uids.contains(&row.uid)).cloned().collect();
        let mut pairs = Vec::new();
        for (row, copy) in picked {
            pairs.push((row.uid, self.append(to, row.flags, copy, &[])));
        }
        if remove {
            let shelf = self.shelves.get_mut(&from).unwrap();
            shelf.messages.retain(|(row, _)| !uids.contains(&row.uid));
            shelf.modseq += 1;
            self.push(from, uids.to_vec());
        }
        ToAccess::Copied { uid_validity: 77, pairs }
    }
}

pub fn attend(channel: &Channel, shelves: &Mutex<Shelves>) {
    // What this client watches: each is told of the news itself.
    let mut watched = None;
    while let Ok(frame) = channel.receive(None) {
        let question: FromAccess = frame.read().unwrap();
        let mut shelves = shelves.lock().unwrap();
        let answer = match question {
            FromAccess::Watch(None) => {
                shelves.watchers.clear();
                watched = None;
                ToAccess::Done
            }
            FromAccess::Watch(Some(folder)) | FromAccess::Peek(folder) => {
                let mut fronts = shelves.folders();
                fronts.retain(|front| front.folder == folder);
                if matches!(question, FromAccess::Watch(_)) {
                    shelves.shelves.get_mut(&number(folder)).unwrap().recent = 0;
                }
                if watched.replace(folder) != Some(folder) {
                    let copy = Arc::new(Channel::from(rustix::io::dup(channel).unwrap()));
                    shelves.watchers.push((copy, number(folder)));
                }
                ToAccess::Folders(fronts)
            }
            question => shelves.answer(question, &frame.descriptors),
        };
        if channel.send(frame.call, &answer, &[]).is_err() {
            return;
        }
    }
}

fn id(number: u32) -> FolderId {
    FolderId(number.to_be_bytes())
}

fn number(folder: FolderId) -> u32 {
    u32::from_be_bytes(folder.0)
}
