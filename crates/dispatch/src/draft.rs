//! A message as it leaves: new fields on top, a few places changed, every other octet as it came.

/// A place of the text that is written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: Vec<u8>,
}

/// What is done to a text.
#[derive(Default)]
pub(crate) struct Draft {
    /// Fields put before everything else.
    pub top: Vec<u8>,
    /// Sorted and apart.
    edits: Vec<Edit>,
}

impl Draft {
    /// One more change. Whatever overlaps an earlier one is left out: that is never meant.
    pub(crate) fn change(&mut self, edit: Edit) {
        let at = self.edits.partition_point(|known| known.start < edit.start);
        let before = at.checked_sub(1).and_then(|before| self.edits.get(before));
        let fits = edit.start <= edit.end
            && before.is_none_or(|before| before.end <= edit.start)
            && self.edits.get(at).is_none_or(|behind| edit.end <= behind.start);
        if fits {
            self.edits.insert(at, edit);
        }
    }

    pub(crate) fn cut(&mut self, start: usize, end: usize) {
        self.change(Edit { start, end, with: Vec::new() });
    }

    /// Gives what becomes of `octets` between two places that no change straddles; the fields on
    /// top are not among it.
    pub(crate) fn each_piece<E>(
        &self,
        octets: &[u8],
        (start, end): (usize, usize),
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = start;
        let here = |edit: &&Edit| edit.start >= start && edit.end <= end;
        // An insertion at the seam belongs to what begins there, and at the very end to the end.
        let here = |edit: &&Edit| here(edit) && (edit.start < end || end == octets.len());
        for edit in self.edits.iter().filter(here) {
            take(octets.get(at..edit.start).unwrap_or_default())?;
            take(&edit.with)?;
            at = edit.end;
        }
        take(octets.get(at..end).unwrap_or_default())
    }

    /// Octets of the whole.
    pub(crate) fn len(&self, octets: u64) -> u64 {
        let added: u64 = self.edits.iter().map(|edit| edit.with.len() as u64).sum();
        let gone: u64 = self.edits.iter().map(|edit| (edit.end - edit.start) as u64).sum();
        (self.top.len() as u64 + octets + added).saturating_sub(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Edit};

    fn written(draft: &Draft, text: &str, from: usize, to: usize) -> String {
        let mut all = Vec::new();
        let mut take = |piece: &[u8]| {
            all.extend_from_slice(piece);
            Ok::<_, ()>(())
        };
        draft.each_piece(text.as_bytes(), (from, to), &mut take).unwrap();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn changes_stand_in_order_and_apart() {
        let text = "0123456789";
        let mut draft = Draft::default();
        draft.cut(6, 8);
        draft.change(Edit { start: 10, end: 10, with: b"end".to_vec() });
        draft.change(Edit { start: 2, end: 3, with: b"two".to_vec() });
        draft.cut(7, 9);
        draft.cut(1, 7);
        assert_eq!(written(&draft, text, 0, 10), "01two34589end");
        assert_eq!(draft.len(10), 13);
        assert_eq!(written(&draft, text, 0, 5) + &written(&draft, text, 5, 10), "01two34589end");
    }
}
