//! How well the ledger's scope fits what was really in hand: the drill knows both.

use super::play::Phase;
use super::verdict::read_entries;
use evidence::{Body, Entry};
use std::collections::BTreeSet;
use std::path::Path;
use terms::{InstanceId, Kind, MessageId};

/// How a scope says that there is something which it cannot know.
const NO_LEDGER: &str = "stands in no ledger";

/// How well a scope fits what was in hand, and of which figure of it that is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alike {
    pub likeness: scope::Likeness,
    pub of: Figure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// What passed, or was released.
    Seen,
    /// What keys that are held could open: whoever holds them needs no release.
    Could,
    /// What the ledger cannot show, and of which the scope says so.
    Unseen,
}

impl Figure {
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Could => "could",
            Self::Unseen => "unseen",
        }
    }
}

/// The ledger's scope of exactly these instances, against what really was in hand.
///
/// A message that was never kept has no number: it stands for one unattributed connection on
/// either side.
pub fn likeness(phase: &Phase, entries: &[Entry]) -> Option<Alike> {
    let ours: BTreeSet<InstanceId> = phase.intruders.iter().map(|one| one.instance).collect();
    // A delivery is recorded up to a second after it.
    let to_ms = phase.to_ms.max(phase.scope_to_ms) + 1_200;
    let scope = scope_in(entries, phase.kind, &ours, phase.from_ms, to_ms)?;
    let says_unseen = scope.bound.ends_with(NO_LEDGER);
    let mut named = scope.messages;
    // Whoever holds every key took what it took without asking: what it could open is its bound.
    if phase.kind == Kind::Vault {
        named.extend(scope.could);
    }
    named.extend((0..scope.unattributed_connections).map(unkept));
    let mut passed = phase.passed.clone();
    passed.extend(&phase.forged);
    passed.extend((0..phase.passed_unkept).map(unkept));
    let of = match phase.kind {
        Kind::Vault => Figure::Could,
        Kind::Gate if phase.passed_unkept > 0 && says_unseen => Figure::Unseen,
        _ => Figure::Seen,
    };
    Some(Alike { likeness: scope::compare(&named, &passed), of })
}

/// As `sekisho scope` measures it, narrowed to some instances of a kind; from the log's files.
pub fn scope_of(
    data: &Path,
    kind: Kind,
    ours: &BTreeSet<InstanceId>,
    from_ms: u64,
    to_ms: u64,
) -> Option<scope::Scope> {
    scope_in(&read_entries(data).ok()?, kind, ours, from_ms, to_ms)
}

fn scope_in(
    entries: &[Entry],
    kind: Kind,
    ours: &BTreeSet<InstanceId>,
    from_ms: u64,
    to_ms: u64,
) -> Option<scope::Scope> {
    let is_other = |entry: &Entry| match &entry.body {
        Body::ProcessStart { instance, kind: started, .. } => {
            *started == kind && !ours.contains(instance)
        }
        _ => false,
    };
    let question = scope::Question { component: kind, version: None, from_ms, to_ms };
    let read = |take: &mut dyn FnMut(u64, &Entry)| {
        let theirs = (0..).zip(entries).filter(|(_, entry)| !is_other(entry));
        theirs.for_each(|(index, entry)| take(index, entry));
        Ok::<(), std::convert::Infallible>(())
    };
    scope::measure(&question, scope::Proven::default(), read).ok()
}

fn unkept(number: u64) -> MessageId {
    let mut id = MessageId::default();
    for (to, from) in id.0.iter_mut().zip(number.to_be_bytes()) {
        *to = from ^ 0xff;
    }
    id
}
