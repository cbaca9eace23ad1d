//! How well a measured scope fits what really passed: for drills, where both are known.

use serde::Serialize;
use std::collections::BTreeSet;
use terms::MessageId;

/// Precision: which part of what was named had passed. Recall: which part of what had passed was
/// named. 1 where there is nothing to be wrong about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Likeness {
    pub precision: f64,
    pub recall: f64,
}

pub fn compare(named: &BTreeSet<MessageId>, passed: &BTreeSet<MessageId>) -> Likeness {
    let both = named.intersection(passed).count() as f64;
    let part = |of: usize| if of == 0 { 1.0 } else { both / of as f64 };
    Likeness { precision: part(named.len()), recall: part(passed.len()) }
}
