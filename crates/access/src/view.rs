//! The selected folder as this client knows it: message numbers never change under its feet.

use crate::ends::Ends;
use crate::fault::Trouble;
use crate::folded::Folded;
use crate::keeper;
use imap::SequenceSet;
use terms::FolderId;
use wire::mailbox::{Folder, Row};

pub struct View {
    pub folder: FolderId,
    pub name: String,
    pub read_only: bool,
    pub uid_validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    /// By UID; a message's number is its place, counted from 1. None while it rests.
    pub rows: Vec<Row>,
    folded: Option<Folded>,
    /// The messages that are recent for this client, by UID: this session was the first to hear of
    /// them (RFC 3501 §2.3.2).
    pub recents: Vec<u32>,
    /// Keyword names by bit.
    pub keywords: Vec<String>,
}

/// What a client has to be told.
#[derive(Default)]
pub struct Changes {
    /// Message numbers, highest first, so that each is true when it is said.
    pub expunged: Vec<u32>,
    /// The new number of messages, if there are more.
    pub exists: Option<u32>,
    pub recent: u32,
    /// Places of rows whose flags changed.
    pub flags: Vec<usize>,
}

impl View {
    /// Opens a folder: watches first, so that nothing falls between.
    pub fn open(
        ends: &mut Ends,
        front: &Folder,
        name: String,
        read_only: bool,
    ) -> Result<Self, Trouble> {
        let heard = keeper::watch(ends, front.folder, read_only)?;
        let found = keeper::rows(ends, front.folder, None)?;
        let mut view = Self {
            folder: front.folder,
            name,
            read_only,
            uid_validity: found.uid_validity,
            uid_next: found.uid_next,
            modseq: found.highest_modseq,
            rows: found.rows,
            folded: None,
            recents: Vec::new(),
            keywords: Vec::new(),
        };
        view.note_recent(&heard, 0);
        Ok(view)
    }

    /// Nothing is asked for a while: until `wake` nobody looks at the rows.
    pub fn rest(&mut self) {
        self.folded.get_or_insert_with(|| Folded::of(&std::mem::take(&mut self.rows)));
        self.recents.shrink_to_fit();
    }

    pub fn wake(&mut self) {
        if let Some(folded) = self.folded.take() {
            self.rows = folded.rows();
        }
    }

    /// What the mailbox told nobody before: the last messages of those that were there then.
    /// `known`: the last UID that was in view before.
    fn note_recent(&mut self, heard: &Folder, known: u32) {
        let end = self.rows.partition_point(|row| row.uid < heard.uid_next);
        let start = end.saturating_sub(usize::try_from(heard.recent).unwrap_or(0));
        let rows = self.rows.get(start..end).unwrap_or_default().iter();
        self.recents.extend(rows.map(|row| row.uid).filter(|uid| *uid > known));
    }

    pub fn is_recent(&self, uid: u32) -> bool {
        self.recents.binary_search(&uid).is_ok()
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    pub fn recent(&self) -> u32 {
        let recent = self.recents.iter().filter(|uid| self.place(**uid).is_some()).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    }

    /// A message's place by its UID.
    pub fn place(&self, uid: u32) -> Option<usize> {
        self.rows.binary_search_by_key(&uid, |row| row.uid).ok()
    }

    /// The places that a set means.
    pub fn targets(&self, set: &SequenceSet, by_uid: bool) -> Vec<usize> {
        let mut places = Vec::new();
        if by_uid {
            let last = self.rows.last().map_or(0, |row| row.uid);
            for range in set.resolve(last) {
                let from = self.rows.partition_point(|row| row.uid < *range.start());
                let to = self.rows.partition_point(|row| row.uid <= *range.end());
                places.extend(from..to);
            }
        } else {
            for range in set.resolve(self.count()) {
                places.extend(*range.start() as usize - 1..*range.end() as usize);
            }
        }
        places
    }

    pub fn uids(&self, places: &[usize]) -> Vec<u32> {
        places.iter().filter_map(|place| self.rows.get(*place)).map(|row| row.uid).collect()
    }

    /// Takes rows over that the mailbox gave back; says which places differ now.
    pub fn take_rows(&mut self, rows: &[Row]) -> Vec<usize> {
        let mut changed = Vec::new();
        for row in rows {
            let Some(place) = self.place(row.uid) else { continue };
            if let Some(known) = self.rows.get_mut(place)
                && *known != *row
            {
                if known.flags != row.flags {
                    changed.push(place);
                }
                *known = *row;
            }
        }
        changed
    }

    /// Takes messages out; their numbers, highest first.
    pub fn expunge(&mut self, uids: &[u32]) -> Vec<u32> {
        let mut places: Vec<usize> = uids.iter().filter_map(|uid| self.place(*uid)).collect();
        places.sort_unstable();
        places.dedup();
        let mut gone = places.iter().copied().peekable();
        let mut place = 0;
        self.rows.retain(|_| {
            let leaves = gone.next_if_eq(&place).is_some();
            place += 1;
            !leaves
        });
        places.iter().rev().filter_map(|place| u32::try_from(place + 1).ok()).collect()
    }

    /// Catches up with what others did. Expunged messages keep their numbers until `expunges`.
    pub fn catch_up(&mut self, ends: &mut Ends, expunges: bool) -> Result<Changes, Trouble> {
        ends.take_pushes();
        let mut changes = Changes::default();
        let told = self.rows.last().map_or(0, |row| row.uid);
        if ends.news.lost {
            if expunges {
                self.read_anew(ends, &mut changes)?;
            }
            return Ok(changes);
        }
        if std::mem::take(&mut ends.news.changed) {
            let found = keeper::rows(ends, self.folder, Some(self.modseq));
            let found = found.inspect_err(|_| ends.news.changed = true)?;
            self.modseq = self.modseq.max(found.highest_modseq);
            self.uid_next = self.uid_next.max(found.uid_next);
            self.take_news(found.rows, &mut changes);
            if changes.exists.is_some() {
                self.hear_of_news(ends, told, &mut changes)?;
            }
        }
        if expunges && !ends.news.expunged.is_empty() {
            let uids = std::mem::take(&mut ends.news.expunged);
            self.take_out(&uids, told, &mut changes);
        }
        Ok(changes)
    }

    /// What the client was told of (up to the UID `told`) leaves by its number; what came and went
    /// since it has never heard of.
    fn take_out(&mut self, uids: &[u32], told: u32, changes: &mut Changes) {
        let before = self.rows.len();
        self.rows.retain(|row| row.uid <= told || !uids.contains(&row.uid));
        let left = self.rows.len();
        changes.flags.retain(|place| *place < left);
        changes.expunged = self.expunge(uids);
        self.move_places(before, changes);
    }

    /// Something is new: asks whether it is for this session first, and for what came meanwhile.
    fn hear_of_news(
        &mut self,
        ends: &mut Ends,
        known: u32,
        changes: &mut Changes,
    ) -> Result<(), Trouble> {
        let heard = keeper::hear(ends)?;
        let found = keeper::rows(ends, self.folder, Some(self.modseq))?;
        self.modseq = self.modseq.max(found.highest_modseq);
        self.uid_next = self.uid_next.max(found.uid_next);
        let mut later = Changes::default();
        self.take_news(found.rows, &mut later);
        changes.flags.extend(later.flags);
        changes.flags.sort_unstable();
        changes.flags.dedup();
        self.note_recent(&heard, known);
        changes.exists = Some(self.count());
        changes.recent = self.recent();
        Ok(())
    }

    fn take_news(&mut self, rows: Vec<Row>, changes: &mut Changes) {
        let last = self.rows.last().map_or(0, |row| row.uid);
        let (new, old): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.uid > last);
        changes.flags = self.take_rows(&old);
        if !new.is_empty() {
            self.rows.extend(new);
            changes.exists = Some(self.count());
            changes.recent = self.recent();
        }
    }

    /// After a restart of the mailbox: compares everything.
    fn read_anew(&mut self, ends: &mut Ends, changes: &mut Changes) -> Result<(), Trouble> {
        let found = keeper::rows(ends, self.folder, None)?;
        if found.uid_validity != self.uid_validity {
            return Err(Trouble::Ended); // the client must open the folder again
        }
        ends.news = crate::ends::News::default();
        let kept = |uid: u32| found.rows.binary_search_by_key(&uid, |row| row.uid).is_ok();
        let gone: Vec<u32> =
            self.rows.iter().map(|row| row.uid).filter(|uid| !kept(*uid)).collect();
        changes.expunged = self.expunge(&gone);
        self.modseq = found.highest_modseq;
        self.uid_next = self.uid_next.max(found.uid_next);
        self.take_news(found.rows, changes);
        Ok(())
    }

    /// EXPUNGE is told first, so what is told behind it speaks of the new places.
    fn move_places(&self, before: usize, changes: &mut Changes) {
        let gone: Vec<usize> =
            changes.expunged.iter().rev().map(|number| *number as usize - 1).collect();
        changes.flags.retain_mut(|place| match gone.binary_search(place) {
            Ok(_) => false,
            Err(lower) => {
                *place -= lower;
                true
            }
        });
        if changes.exists.is_some() && before != self.rows.len() {
            changes.exists = Some(self.count());
            changes.recent = self.recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, View};
    use terms::FolderId;
    use wire::mailbox::Row;

    fn row(uid: u32, flags: u64) -> Row {
        Row { uid, flags, modseq: u64::from(uid), size: 1, received: terms::Received::default() }
    }

    fn view(uids: &[u32]) -> View {
        View {
            folder: FolderId([0; 4]),
            name: "INBOX".to_owned(),
            read_only: false,
            uid_validity: 1,
            uid_next: 100,
            modseq: 1,
            rows: uids.iter().map(|uid| row(*uid, 0)).collect(),
            folded: None,
            recents: vec![8, 9, 10],
            keywords: Vec::new(),
        }
    }

    fn left(view: &View) -> Vec<u32> {
        view.rows.iter().map(|row| row.uid).collect()
    }

    #[test]
    fn numbers_are_true_when_they_are_said() {
        for (gone, numbers, expected) in [
            (vec![], vec![], vec![2, 4, 6, 8, 10]),
            (vec![2], vec![1], vec![4, 6, 8, 10]),
            (vec![10, 4], vec![5, 2], vec![2, 6, 8]),
            (vec![4, 4, 5, 99], vec![2], vec![2, 6, 8, 10]),
            (vec![2, 4, 6, 8, 10], vec![5, 4, 3, 2, 1], vec![]),
        ] {
            let mut view = view(&[2, 4, 6, 8, 10]);
            // A client that takes the numbers out one by one ends with the same list.
            let mut client = left(&view);
            let told = view.expunge(&gone);
            assert_eq!(told, numbers);
            for number in told {
                client.remove(number as usize - 1);
            }
            assert_eq!(left(&view), expected);
            assert_eq!(client, expected);
        }
    }

    #[test]
    fn news_speaks_of_the_places_after_the_expunges() {
        let mut view = view(&[2, 4, 6]);
        let mut changes = Changes::default();
        view.take_news(vec![row(4, 1), row(6, 1), row(8, 0), row(9, 0)], &mut changes);
        assert_eq!(
            (changes.flags.clone(), changes.exists, changes.recent),
            (vec![1, 2], Some(5), 2)
        );
        let before = view.rows.len();
        changes.expunged = view.expunge(&[2, 4]);
        view.move_places(before, &mut changes);
        assert_eq!((changes.flags, changes.exists), (vec![0], Some(3)));
        assert_eq!(left(&view), [6, 8, 9]);
    }

    #[test]
    fn recent_is_what_nobody_heard_of_before() {
        for (recent, uid_next, known, expected) in [
            (0, 11, 0, vec![]),
            (2, 11, 0, vec![8, 10]),
            (9, 11, 0, vec![2, 4, 6, 8, 10]),
            (2, 9, 0, vec![6, 8]),   // 10 came later, and is asked for later
            (3, 11, 6, vec![8, 10]), // 6 was known: another one was expunged meanwhile
        ] {
            let mut view = view(&[2, 4, 6, 8, 10]);
            view.recents.clear();
            view.note_recent(&wire::mailbox::Folder { recent, uid_next, ..front() }, known);
            assert_eq!(view.recents, expected);
            assert_eq!(view.recent() as usize, expected.len());
        }
    }

    /// What came and went between two words of ours has no number that the client knows.
    #[test]
    fn what_came_and_went_is_not_told() {
        let mut view = view(&[2, 4, 6, 8, 10]);
        let mut changes =
            Changes { flags: vec![1, 4], exists: Some(5), recent: 3, ..Changes::default() };
        view.take_out(&[4, 10], 6, &mut changes);
        assert_eq!(changes.expunged, [2]);
        assert_eq!((changes.flags, changes.exists), (vec![], Some(3)));
        let left: Vec<u32> = view.rows.iter().map(|row| row.uid).collect();
        assert_eq!(left, [2, 6, 8]);
    }

    fn front() -> wire::mailbox::Folder {
        wire::mailbox::Folder {
            folder: FolderId([0; 4]),
            special: None,
            name: None,
            keywords: None,
            subscribed: false,
            uid_validity: 1,
            uid_next: 1,
            highest_modseq: 1,
            messages: 0,
            unseen: 0,
            recent: 0,
            bytes: 0,
        }
    }

    #[test]
    fn who_rests_twice_forgets_nothing() {
        let mut view = view(&[2, 4]);
        view.rest();
        view.rest();
        assert!(view.rows.is_empty());
        view.wake();
        view.wake();
        assert_eq!(view.rows, [row(2, 0), row(4, 0)]);
    }

    #[test]
    fn rows_that_say_nothing_new_are_not_told() {
        let mut view = view(&[2, 4]);
        assert!(view.take_rows(&[row(2, 0), row(3, 1)]).is_empty());
        assert_eq!(view.take_rows(&[row(4, 8)]), [1]);
        assert!(view.take_rows(&[row(4, 8)]).is_empty());
        assert_eq!((view.place(4), view.place(3)), (Some(1), None));
    }
}
