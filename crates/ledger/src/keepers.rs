//! What the keepers recorded last of their tables, and which of those who did were found off
//! charter: what an intruder recorded in a keeper's name the true keeper's tables do not know of,
//! and need not.

use crate::authors::{number, read_number};
use evidence::Entry;
use std::collections::{BTreeMap, VecDeque};
use terms::{Cursor, InstanceId, Kind};
use wire::ledger::{Deed, LastDeeds};

/// Keepers whose tables follow from what they recorded.
pub(crate) const KEEPERS: [Kind; 5] =
    [Kind::Identity, Kind::Directory, Kind::Vault, Kind::Mailbox, Kind::Post];
/// Deeds of one keeper that are told apart until a batch is written: more than an append holds.
const DEEDS: usize = 20_000;
/// Starts of one keeper of which the newest deed is kept. An intruder has one.
const STARTS: usize = 64;

/// Intruders in keepers' places that are remembered.
const INTRUDERS: usize = 1_024;

/// The keepers' newest deeds.
#[derive(Default)]
pub(crate) struct Keepers {
    /// By kind: the newest written one of each start, and all of the batch in hand; oldest first.
    deeds: BTreeMap<u32, VecDeque<Deed>>,
    /// Starts of keepers that were refused a call, and where that stands first; oldest first.
    off_charter: VecDeque<(InstanceId, u64)>,
}

impl Keepers {
    /// Learns from an entry that is (or becomes) part of the log.
    pub fn learn(&mut self, entry: &Entry, index: u64) {
        if entry.author == Kind::Warden
            && let Some((kind, start)) = entry.body.off_charter()
            && KEEPERS.contains(&kind)
            && !self.is_off_charter(start)
        {
            self.off_charter.push_back((start, index));
            self.off_charter.drain(..self.off_charter.len().saturating_sub(INTRUDERS));
        }
        if entry.body.changes_tables() && KEEPERS.contains(&entry.author) {
            let deeds = self.deeds.entry(entry.author.number()).or_default();
            deeds.push_back(Deed { start: entry.start, seq: entry.seq, index });
            deeds.drain(..deeds.len().saturating_sub(DEEDS));
        }
    }

    /// The newest deeds of this kind.
    pub fn last(&self, kind: Kind) -> LastDeeds {
        let deeds = || self.deeds.get(&kind.number()).into_iter().flatten().rev().copied();
        LastDeeds {
            own: deeds().find(|deed| !self.is_off_charter(deed.start)),
            foreign: deeds().find(|deed| self.is_off_charter(deed.start)),
        }
    }

    /// The batch in hand is written.
    pub fn batch_written(&mut self) {
        for deeds in self.deeds.values_mut() {
            let mut newest: VecDeque<Deed> = VecDeque::new();
            for deed in deeds.drain(..).rev() {
                if newest.len() < STARTS && !newest.iter().any(|one| one.start == deed.start) {
                    newest.push_front(deed);
                }
            }
            *deeds = newest;
        }
    }

    /// The batch in hand begins at `before` and is lost.
    pub fn forget(&mut self, before: u64) {
        self.off_charter.retain(|(_, index)| *index < before);
        for deeds in self.deeds.values_mut() {
            deeds.retain(|deed| deed.index < before);
        }
        self.deeds.retain(|_, deeds| !deeds.is_empty());
    }

    /// Everything known, for an anchor.
    pub fn save(&self, to: &mut Vec<u8>) {
        // Here stood, until 2026-12-03, the newest deed of each kind, and nothing behind it.
        number(to, 0);
        number(to, self.deeds.values().map(|deeds| deeds.len() as u64).sum());
        for (kind, deeds) in &self.deeds {
            for Deed { start, seq, index } in deeds {
                number(to, (*kind).into());
                to.extend_from_slice(&start.0);
                number(to, *seq);
                number(to, *index);
            }
        }
        number(to, self.off_charter.len() as u64);
        for (start, index) in &self.off_charter {
            to.extend_from_slice(&start.0);
            number(to, *index);
        }
    }

    /// Reads what `save` wrote, or an older version.
    pub fn load(from: &mut Cursor) -> Option<Self> {
        let mut all = Self::default();
        // Until 2026-12-02 an anchor ended before this.
        if from.is_at_end() {
            return Some(all);
        }
        all.load_deeds(from)?;
        if from.is_at_end() {
            return Some(all);
        }
        all.load_deeds(from)?;
        for _ in 0..read_number(from)? {
            all.off_charter.push_back((read_start(from)?, read_number(from)?));
        }
        Some(all)
    }

    fn load_deeds(&mut self, from: &mut Cursor) -> Option<()> {
        for _ in 0..read_number(from)? {
            let kind = u32::try_from(read_number(from)?).ok()?;
            let start = read_start(from)?;
            let deed = Deed { start, seq: read_number(from)?, index: read_number(from)? };
            self.deeds.entry(kind).or_default().push_back(deed);
        }
        Some(())
    }

    /// Whether the warden found this start off charter.
    pub fn is_off_charter(&self, start: InstanceId) -> bool {
        self.off_charter.iter().any(|(one, _)| *one == start)
    }
}

fn read_start(from: &mut Cursor) -> Option<InstanceId> {
    InstanceId::from_slice(from.take(6)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use evidence::{Body, REFUSED, Word};

    const TRUE: InstanceId = InstanceId([1; 6]);
    const INTRUDER: InstanceId = InstanceId([2; 6]);
    const LATER: InstanceId = InstanceId([3; 6]);

    fn entry(author: Kind, start: InstanceId, seq: u64, body: Body) -> Entry {
        Entry { author, start, seq, time_ms: 1_000, body }
    }

    fn change() -> Body {
        let what = Word::new("person.disable");
        Body::RuleChange {
            what,
            tenant: None,
            user: None,
            weakened: None,
            by: None,
            credential: None,
        }
    }

    fn refused(kind: Kind, instance: InstanceId, what: &str) -> Body {
        let (call, what) = (Word::new("execve"), Word::new(what));
        Body::Alarm { instance, kind, pid: 7, call, what }
    }

    fn deed(start: InstanceId, seq: u64, index: u64) -> Option<Deed> {
        Some(Deed { start, seq, index })
    }

    fn again(keepers: &Keepers) -> Keepers {
        let mut bytes = Vec::new();
        keepers.save(&mut bytes);
        Keepers::load(&mut Cursor::new(&bytes)).unwrap()
    }

    #[test]
    fn an_intruders_deed_is_told_apart_from_a_keepers() {
        let mut keepers = Keepers::default();
        keepers.learn(&entry(Kind::Directory, TRUE, 4, change()), 10);
        keepers.learn(&entry(Kind::Directory, INTRUDER, 0, change()), 11);
        let both = LastDeeds { own: deed(INTRUDER, 0, 11), foreign: None };
        assert_eq!(keepers.last(Kind::Directory), both, "nobody has found it yet");
        let accused = [
            (Kind::Sentinel, Kind::Directory, REFUSED, "not the warden's word"),
            (Kind::Warden, Kind::Edge, REFUSED, "another's start"),
            (Kind::Warden, Kind::Directory, "its tables are older", "its own word"),
        ];
        for (author, kind, what, why) in accused {
            keepers.learn(&entry(author, LATER, 0, refused(kind, INTRUDER, what)), 12);
            assert_eq!(keepers.last(Kind::Directory), both, "{why}");
        }
        let what = format!("{REFUSED}0x1, 0x2, 0x3)");
        keepers
            .learn(&entry(Kind::Warden, LATER, 1, refused(Kind::Directory, INTRUDER, &what)), 13);
        let told = LastDeeds { own: deed(TRUE, 4, 10), foreign: deed(INTRUDER, 0, 11) };
        assert_eq!(keepers.last(Kind::Directory), told);
        assert_eq!(keepers.last(Kind::Identity), LastDeeds::default());
        assert_eq!(again(&keepers).last(Kind::Directory), told, "an anchor keeps it");
        // Lost with its batch: whoever says it again is heard again.
        keepers.forget(13);
        assert_eq!(keepers.last(Kind::Directory), both);
    }

    #[test]
    fn the_newest_of_each_start_is_kept_and_a_lost_batch_takes_only_its_own() {
        let mut keepers = Keepers::default();
        (0..5).for_each(|seq| keepers.learn(&entry(Kind::Identity, TRUE, seq, change()), seq));
        keepers.batch_written();
        keepers.learn(&entry(Kind::Identity, TRUE, 5, change()), 20);
        keepers.learn(&entry(Kind::Identity, LATER, 0, change()), 21);
        assert_eq!(keepers.last(Kind::Identity).own, deed(LATER, 0, 21));
        keepers.forget(20);
        assert_eq!(keepers.last(Kind::Identity).own, deed(TRUE, 4, 4));
        for (start, index) in (100_u8..=255).zip(100..) {
            let start = InstanceId([start; 6]);
            keepers.learn(&entry(Kind::Identity, start, 0, change()), index);
        }
        keepers.batch_written();
        assert_eq!(keepers.deeds[&Kind::Identity.number()].len(), STARTS);
        assert_eq!(again(&keepers).last(Kind::Identity).own, deed(InstanceId([255; 6]), 0, 255));
    }

    #[test]
    fn anchors_of_older_versions_are_read() {
        let kept = |bytes: &[u8]| Keepers::load(&mut Cursor::new(bytes));
        assert_eq!(kept(&[]).unwrap().last(Kind::Directory), LastDeeds::default());
        let mut old = Vec::new();
        number(&mut old, 1);
        number(&mut old, Kind::Directory.number().into());
        old.extend_from_slice(&TRUE.0);
        number(&mut old, 9);
        number(&mut old, 30);
        assert_eq!(kept(&old).unwrap().last(Kind::Directory).own, deed(TRUE, 9, 30));
        assert!(kept(&old[..old.len() - 1]).is_none());
    }
}
