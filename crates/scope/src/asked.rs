//! Of whom a tally counts, and which half of the work it does.

use crate::fact::Deed;
use crate::quick::Set;
use std::cell::Cell;
use terms::InstanceId;

/// Which half of the counting one tally does: two processors share a scope, and each reads all of
/// it, and keeps the half that the other does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    Both,
    /// Whose messages, and which.
    People,
    /// Connections, lives, alarms.
    Processes,
}

impl Half {
    pub(crate) fn counts_people(self) -> bool {
        self != Self::Processes
    }

    pub(crate) fn counts_processes(self) -> bool {
        self != Self::People
    }

    /// Whether a fact of this sort says anything to this half.
    pub fn hears(self, deed: Deed) -> bool {
        match deed {
            Deed::Deliver | Deed::Queue => self.counts_people(),
            Deed::Body | Deed::Summary | Deed::Month | Deed::Transit => self.counts_people(),
            Deed::Secret => self.counts_people(),
            Deed::Start | Deed::Stop | Deed::Connection | Deed::Arrival | Deed::Passed => {
                self.counts_processes()
            }
            _ => true,
        }
    }
}

/// The instances asked about.
#[derive(Default)]
pub(crate) struct Asked {
    pub instances: Set<InstanceId>,
    /// Those of whom something was recorded in the window, and the last of them.
    pub spoken: Set<InstanceId>,
    pub last_spoken: Option<InstanceId>,
    /// The process and the author that were looked up last: rows of one stand together.
    last: [Cell<Option<(InstanceId, bool)>>; 2],
}

impl Asked {
    pub fn insert(&mut self, instance: InstanceId) {
        self.instances.insert(instance);
        self.last.iter().for_each(|last| last.set(None));
    }

    /// Looks up once for each run of rows; `place` is 0 for processes, 1 for authors.
    pub fn has(&self, place: usize, instance: InstanceId) -> bool {
        let last = self.last.get(place);
        if let Some((known, is_asked)) = last.and_then(Cell::get)
            && known == instance
        {
            return is_asked;
        }
        let is_asked = self.instances.contains(&instance);
        if let Some(last) = last {
            last.set(Some((instance, is_asked)));
        }
        is_asked
    }
}
