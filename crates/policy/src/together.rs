//! DATA has one reply and many recipients (architecture §3).

use terms::Verdict;

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 250: somebody keeps it; whose verdict was refuse gets it in quarantine.
    Keep,
    /// 5xx: nobody takes it.
    Refuse,
    /// 4xx: nothing was kept, somebody must be asked again.
    Defer,
}

/// One reply for all verdicts. Without a recipient there is nothing to keep: try later.
pub fn together(verdicts: &[Verdict]) -> Reply {
    if verdicts.is_empty() || verdicts.contains(&Verdict::Defer) {
        return Reply::Defer;
    }
    if verdicts.iter().all(|verdict| *verdict == Verdict::Refuse) {
        return Reply::Refuse;
    }
    Reply::Keep
}
