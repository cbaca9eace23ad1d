//! Turns taken as the desk takes them, for those who measure how long one waits for its own.

use crate::schedule::Trip;
use crate::store::Store;
use terms::MessageId;

/// A batch that is under way.
pub struct Taken(Trip);

impl Store {
    /// The messages whose turn it is; `None`: nobody's, or as many are under way as may be.
    pub fn take_turn(&mut self, now_s: u32) -> Option<(Vec<MessageId>, Taken)> {
        let turn = self.table.next_turn(now_s, None)?;
        let table = &self.table;
        let message = |slot: &u32| Some(table.message(table.leg(*slot)?.message)?.message);
        Some((turn.legs.iter().filter_map(message).collect(), Taken(turn.trip)))
    }

    /// Whoever carried it has come back.
    pub fn turn_is_over(&mut self, taken: &Taken) {
        self.table.schedule.returned(&taken.0);
    }
}
