//! What nobody waits for: the queue written down whole, space given back, and what has become of
//! mail that left.

use super::{MOVE_BYTES, WRITE_BYTES, WRITE_TIMES};
use crate::entry::{At, Entry};
use crate::past::Past;
use crate::table::{Leg, Table, is_over};
use crate::{Fault, Store, parts, snapshot};
use body::{Key, Owner, Place};
use terms::MessageId;
use wire::post::LegEnd;

impl Store {
    pub fn find_past(&self, message: MessageId) -> Option<Past> {
        self.pasts.find(message).ok().flatten()
    }

    /// How its legs ended, as far as it was written down.
    pub fn find_ended_legs(&self, past: &Past) -> Vec<LegEnd> {
        self.pasts.find_legs(past).unwrap_or_default()
    }

    /// Whether the log is long enough that the queue should be written down whole.
    pub fn wants_writing(&self) -> bool {
        let distance = self.mark.0.saturating_sub(self.written.0);
        distance.max(self.logged) >= WRITE_BYTES.max(self.written_bytes * WRITE_TIMES)
    }

    pub fn write_down(&mut self) -> Result<(), Fault> {
        // Before the log that a start would write them from again may go. A disk that does not
        // take them loses answers to `trace`, as it does with each of them.
        let _ = self.pasts.flush();
        self.written_bytes = snapshot::write(&self.folder, &self.table, self.mark.0)?;
        self.written = self.mark;
        self.logged = 0;
        self.bodies.forget(self.mark)?;
        Ok(())
    }

    /// Gives space back. Nothing may be staged. Whether there is more to do.
    pub fn compact(&mut self, now_ms: u64) -> Result<bool, Fault> {
        let space = self.bodies.space();
        let is_worth_it = space.dead * 2 >= space.on_disk && space.dead >= WRITE_BYTES;
        if self.has_staged() || !(is_worth_it || self.is_sweeping()) {
            return Ok(false);
        }
        self.write_down()?;
        let mut living = Living { table: &self.table, moved: Vec::new() };
        let more = self.bodies.compact(MOVE_BYTES, &mut living);
        let moved = living.moved;
        let more = match more {
            Ok(more) => more,
            Err(fault) => {
                self.abandon();
                return Err(fault.into());
            }
        };
        if !more {
            return Ok(false);
        }
        // Even if nothing lived: the log must pass this place before the pack may go.
        let mut entries = moved;
        entries.push(Entry::Recorded { before: 0 });
        self.stage(entries)?;
        self.commit(now_ms)?;
        self.write_down()?;
        Ok(true)
    }
}

struct Living<'a> {
    table: &'a Table,
    moved: Vec<Entry>,
}

impl Living<'_> {
    fn slot(key: Key) -> u32 {
        u32::try_from(key.id).unwrap_or(u32::MAX)
    }
}

impl Owner for Living<'_> {
    fn is_live(&mut self, key: Key, place: Place) -> bool {
        let slot = Self::slot(key);
        match key.part {
            parts::BODY => self.table.message(slot).is_some_and(|row| row.body == At::from(place)),
            _ => {
                let lives = |leg: &Leg| !is_over(leg.state) && leg.envelope == At::from(place);
                self.table.leg(slot).is_some_and(lives)
            }
        }
    }

    fn moved(&mut self, key: Key, _from: Place, to: Place) {
        let slot = Self::slot(key);
        let to = to.into();
        self.moved.push(match key.part {
            parts::BODY => Entry::Moved { message: slot, leg: None, to },
            _ => Entry::Moved { message: 0, leg: Some(slot), to },
        });
    }
}
