//! One instance that leaves its charter is replaced, and that is the end of it. Many of one kind
//! within a short time are somebody who comes again and again: the kind is taken out of the house.

use crate::incident::{Action, Cause, Incident};
use std::collections::{HashMap, VecDeque};
use terms::{InstanceId, Kind};

#[derive(Default)]
struct Seen {
    struck: VecDeque<(u64, InstanceId)>,
    /// With whom the last count was full: a call more of it is no new instance.
    told_of: Option<InstanceId>,
}

#[derive(Default)]
pub struct Strikes(HashMap<Kind, Seen>);

impl Strikes {
    /// One instance left its charter at `now_ms`. Told once `many` different ones of its kind did
    /// so within `span_ms`; then it is counted anew.
    pub fn count(
        &mut self,
        now_ms: u64,
        (instance, kind): (InstanceId, Kind),
        (many, span_ms): (u32, u64),
    ) -> Option<Incident> {
        let Seen { struck: seen, told_of } = self.0.entry(kind).or_default();
        while seen.front().is_some_and(|(at_ms, _)| now_ms.saturating_sub(*at_ms) > span_ms) {
            seen.pop_front();
        }
        if *told_of == Some(instance) || seen.iter().any(|(_, other)| *other == instance) {
            return None;
        }
        seen.push_back((now_ms, instance));
        let many = usize::try_from(many).unwrap_or(usize::MAX);
        if many == 0 || seen.len() < many {
            // Never more than what is counted to.
            if seen.len() > MOST {
                seen.pop_front();
            }
            return None;
        }
        seen.clear();
        *told_of = Some(instance);
        let minutes = span_ms / 60_000;
        let what = format!("{many} instances left their charter within {minutes} minutes");
        let incident = Incident::new(Cause::OffCharter, what).of(instance, kind);
        Some(incident.then(Action::Isolate(kind)))
    }
}

/// Instances of one kind that are remembered.
const MOST: usize = 4_096;
