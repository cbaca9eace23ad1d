//! Grants of a chapter: who minted them, and what was released under those that it does not know,
//! so that whoever asks about a minter looks for them in the chapters before.

use crate::chapter::{CHAPTER_ENTRIES, group_of};
use crate::place::GRANT_BYTES;
use crate::rows::{number, put};
use evidence::Word;
use scope::{Deed, Fact, Roll};
use std::collections::{BTreeMap, HashMap};
use terms::{Cursor, GrantId, InstanceId};

/// Of a component, and of a version of it.
type Group = (u8, u16);

/// A grant as it stands in a chapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mint {
    pub grant: GrantId,
    /// From the chapter's first.
    pub entry: u16,
    /// The number of its author.
    pub author: u16,
    /// From the chapter's beginning.
    pub after_ms: u64,
}

impl Mint {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.grant.0);
        put(to, self.entry.into(), 2);
        put(to, self.author.into(), 2);
        put(to, self.after_ms.min(0xff_ffff_ffff), 5);
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Cursor::new(bytes);
        let grant = GrantId(*from.take(16)?.first_chunk()?);
        let (entry, author) = (number(&mut from, 2)? as u16, number(&mut from, 2)? as u16);
        Some(Self { grant, entry, author, after_ms: number(&mut from, 5)? })
    }
}

#[derive(Default)]
pub(crate) struct Minted {
    mints: Vec<Mint>,
    /// Of each fact: of which component and version the minter was whose grant opened it.
    pub under: Vec<Option<Group>>,
    /// Numbers of the rows that were opened under a grant that no earlier entry here tells of.
    open: Vec<u32>,
    /// The latest end that an author promised, and the entry that tells it.
    until: BTreeMap<InstanceId, (u64, u64)>,
}

impl Minted {
    /// `facts` in the order of the rows.
    pub fn of<'a>(
        facts: &[Fact],
        authors: impl Iterator<Item = &'a InstanceId>,
        (roll, words): (&Roll, &[Word]),
        begin_ms: u64,
    ) -> Self {
        let starts: HashMap<InstanceId, u16> =
            authors.zip(0..).map(|(start, place)| (*start, place)).collect();
        let mut minted = Self::default();
        let mut known: HashMap<GrantId, Vec<(u64, Group)>> = HashMap::new();
        for fact in facts.iter() {
            match fact.deed {
                Deed::Grant => {
                    let grant = fact.item.grant();
                    let group = group_of(roll.0.get(&fact.start), words);
                    known.entry(grant).or_default().push((fact.index, group));
                    minted.mints.push(Mint {
                        grant,
                        entry: (fact.index % CHAPTER_ENTRIES) as u16,
                        author: starts.get(&fact.start).copied().unwrap_or_default(),
                        after_ms: fact.at_ms.saturating_sub(begin_ms),
                    });
                }
                Deed::GrantEnd => {
                    let until = minted.until.entry(fact.start).or_default();
                    *until = (*until).max((fact.item.number(), fact.index));
                }
                _ => {}
            }
        }
        minted.mints.sort_unstable();
        minted.find(facts, &known);
        minted
    }

    /// Under whose grants things were released: the last that was minted before speaks.
    fn find(&mut self, facts: &[Fact], known: &HashMap<GrantId, Vec<(u64, Group)>>) {
        let mut releasing = None;
        for (fact, row) in facts.iter().zip(0u32..) {
            let is_opened =
                matches!(fact.deed, Deed::Body | Deed::Summary | Deed::Month | Deed::Transit);
            if fact.deed == Deed::Release {
                let mints = known.get(&fact.item.grant()).into_iter().flatten();
                let before = mints.filter(|mint| mint.0 < fact.index).max();
                releasing = Some((fact.index, before.map(|mint| mint.1)));
            } else if !is_opened || releasing.is_none_or(|one| one.0 != fact.index) {
                releasing = None;
            }
            let under = releasing.map(|one| one.1);
            if under == Some(None) {
                self.open.push(row);
            }
            self.under.push(under.flatten());
        }
    }

    pub fn until(&self, author: InstanceId) -> (u64, u64) {
        self.until.get(&author).copied().unwrap_or_default()
    }

    pub fn counts(&self) -> (usize, usize) {
        (self.mints.len(), self.open.len())
    }

    /// `rows` is what `row_bytes` octets each stand in for a fact.
    pub fn write(&self, to: &mut Vec<u8>, rows: &[u8], row_bytes: usize) {
        to.reserve(self.mints.len() * GRANT_BYTES + self.open.len() * row_bytes);
        self.mints.iter().for_each(|mint| mint.write(to));
        for row in &self.open {
            let row = rows.chunks_exact(row_bytes).nth(*row as usize);
            to.extend_from_slice(row.unwrap_or_default());
        }
    }
}
