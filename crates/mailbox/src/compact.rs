//! Space comes back: the living parts of a mostly dead pack move, the index follows, the pack goes.

use crate::Fault;
use crate::entry::{At, Entry};
use crate::index::Index;
use crate::parts;
use crate::store::Store;
use body::{Key, Owner, Place};

struct Living<'a> {
    index: &'a Index,
    moved: Vec<Entry>,
    fault: Option<Fault>,
}

impl Owner for Living<'_> {
    fn is_live(&mut self, key: Key, place: Place) -> bool {
        match self.index.stored(key.id) {
            Ok(Some(stored)) => {
                let at = if key.part == parts::SUMMARY { stored.summary } else { stored.body };
                at == At::from(place)
            }
            Ok(None) => false,
            Err(fault) => {
                // When in doubt it lives.
                self.fault = Some(fault);
                true
            }
        }
    }

    fn moved(&mut self, key: Key, _from: Place, to: Place) {
        self.moved.push(Entry::Moved { stored: key.id, part: key.part, to: to.into() });
    }
}

impl Store {
    /// Moves about `budget` octets. Whether there is more to do. Nothing may be staged.
    pub fn compact(&mut self, budget: u64) -> Result<bool, Fault> {
        if self.has_staged() {
            return Ok(true);
        }
        // What lives is asked of the index: it must know all.
        self.settle()?;
        let space = self.bodies.space();
        if space.dead * 4 < space.on_disk && !self.is_sweeping() {
            return Ok(false);
        }
        // Only packs that the written index has passed may be emptied.
        self.checkpoint()?;
        let mut living = Living { index: &self.index, moved: Vec::new(), fault: None };
        let more = self.bodies.compact(budget, &mut living);
        let Living { moved, fault, .. } = living;
        let more = match (more, fault) {
            (Ok(more), None) => more,
            (Ok(_), Some(fault)) => {
                self.fail();
                return Err(fault);
            }
            (Err(fault), _) => {
                self.fail();
                return Err(fault.into());
            }
        };
        if !more {
            return Ok(false);
        }
        // Even if nothing lived: the log must pass this place before the pack may go.
        let mut entries = moved;
        entries.push(Entry::Forwarded { before: self.position.forwarded });
        self.stage(entries)?;
        self.commit()?;
        self.checkpoint()?;
        Ok(true)
    }
}
