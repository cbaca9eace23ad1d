//! Who is waited for, one queue a kind: a kind that is out of the house holds nobody else up.

use crate::household::Want;
use std::collections::{BTreeMap, VecDeque};
use terms::Kind;

/// Instances of one kind that may be wanted at once: a burst of connections, bounded.
const WANTS: usize = 4_096;
/// Of those that the gate and the queue ask for by number: as many as one of them asks for at
/// once. What has not come they ask for again, so more would be the same ones twice.
const NUMBERED: usize = 256;

impl Want {
    /// The kind of which one more is wanted.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Idle(kind) => *kind,
            Self::Scanner(_) => Kind::Scanner,
            Self::Dispatch(_) | Self::Outlet(..) => Kind::Dispatch,
            Self::Depart => Kind::Depart,
            Self::Admin(_) => Kind::Admin,
        }
    }

    /// Wanted by number, for nobody's sake: whoever asked asks again.
    pub fn is_numbered(&self) -> bool {
        matches!(self, Self::Idle(_) | Self::Depart)
    }
}

#[derive(Default)]
pub struct Wants {
    queues: BTreeMap<Kind, VecDeque<Want>>,
}

impl Wants {
    /// Notes one, as long as its own kind's queue has room; no other's counts.
    pub fn push(&mut self, want: Want, lives: impl Fn(&Want) -> bool) {
        let queue = self.queues.entry(want.kind()).or_default();
        if want.is_numbered() && queue.len() >= NUMBERED {
            return;
        }
        if queue.len() >= WANTS {
            // Those for whom they were wanted may be gone.
            queue.retain(lives);
        }
        if queue.len() < WANTS {
            queue.push_back(want);
        }
    }

    /// The kinds of which some are wanted.
    pub fn kinds(&self) -> Vec<Kind> {
        let wanted = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        wanted.map(|(kind, _)| *kind).collect()
    }

    pub fn next(&mut self, kind: Kind) -> Option<Want> {
        self.queues.get_mut(&kind)?.pop_front()
    }

    /// It could not be had now; first in line again.
    pub fn put_back(&mut self, want: Want) {
        self.queues.entry(want.kind()).or_default().push_front(want);
    }

    /// A kind leaves the house: whoever asked by number asks again when it is back.
    pub fn forget_numbered(&mut self, kind: Kind) {
        if let Some(queue) = self.queues.get_mut(&kind) {
            queue.retain(|want| !want.is_numbered());
        }
    }

    pub fn clear(&mut self) {
        self.queues.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{NUMBERED, WANTS, Wants};
    use crate::household::Want;
    use std::collections::VecDeque;
    use terms::{InstanceId, Kind};

    impl Wants {
        fn len(&self, kind: Kind) -> usize {
            self.queues.get(&kind).map_or(0, VecDeque::len)
        }
    }

    #[test]
    fn one_kind_crowds_out_no_other_and_is_not_piled_up() {
        let mut wants = Wants::default();
        // Half an hour of an `access` that does not come: asked for twice a second.
        (0..5_000).for_each(|_| wants.push(Want::Idle(Kind::Access), |_| true));
        assert_eq!(wants.len(Kind::Access), NUMBERED);
        wants.push(Want::Depart, |_| true);
        wants.push(Want::Idle(Kind::Edge), |_| true);
        assert_eq!((wants.len(Kind::Depart), wants.len(Kind::Edge)), (1, 1));
        assert!(matches!(wants.next(Kind::Edge), Some(Want::Idle(Kind::Edge))));
        let kinds = wants.kinds();
        assert!(kinds.len() == 2 && kinds.contains(&Kind::Access) && kinds.contains(&Kind::Depart));
        wants.forget_numbered(Kind::Access);
        assert_eq!(wants.kinds(), [Kind::Depart]);
    }

    #[test]
    fn those_whose_client_is_gone_make_room_first() {
        let mut wants = Wants::default();
        let scanner = |number: u8| Want::Scanner(InstanceId([number; 6]));
        (0..=WANTS).for_each(|_| wants.push(scanner(1), |_| true));
        assert_eq!(wants.len(Kind::Scanner), WANTS);
        wants.push(scanner(2), |want| !matches!(want, Want::Scanner(InstanceId([1, ..]))));
        assert_eq!(wants.len(Kind::Scanner), 1);
        // What can wait for its kind is kept while that is away.
        wants.forget_numbered(Kind::Scanner);
        assert_eq!(wants.len(Kind::Scanner), 1);
    }
}
