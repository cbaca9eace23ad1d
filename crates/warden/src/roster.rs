//! Who is alive, in which part, and when a part that lost its holder is tried again.

use compartment::zygote::End;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::control::Isolation;
use wire::{Peer, charter};

/// The longest pause before a dead compartment is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The first pause; each failure in a row doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// A compartment that lived this long did not fail in a row.
pub const LIVED_WELL: Duration = Duration::from_secs(10);
/// Ends before it served after which a part is not waited for: one may be anything.
const IN_VAIN: u32 = 2;
/// And how long one is waited for that neither serves nor ends.
const WAITED_FOR: Duration = Duration::from_secs(10);

/// What a process is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The only one of its kind, our child.
    Single,
    /// A parent of instances, our child.
    Zygote,
    /// Forked from this zygote.
    Instance(InstanceId),
}

/// One living process.
pub struct Member {
    pub instance: InstanceId,
    pub kind: Kind,
    pub role: Role,
    /// 0 until it is known.
    pub pid: u32,
    pub pidfd: Option<OwnedFd>,
    /// Its seat and its pidfd's in the hub.
    pub control: Peer,
    pub watch: Option<Peer>,
    /// Walls that its birth did not get.
    pub without: Vec<String>,
    pub jailed: bool,
    pub ready: bool,
    /// Pulses that it has not answered yet, if it is a keeper.
    pub pulses: u8,
    pub born_at: Instant,
    /// Set once, for good, by `identity`.
    pub person: Option<(TenantId, UserId)>,
    /// It serves somebody else's reading of that person's mail. Set with it.
    pub reads_only: bool,
    /// It hands in mail in that person's name, by a dispatch of its own. Set with it.
    pub sends: bool,
    /// We ended it ourselves: no cause for alarm.
    pub dismissed: bool,
    pub off_charter: bool,
    /// We sent it SIGKILL, for whatever reason.
    pub killed: bool,
    /// We ended it because it lived on without its control channel.
    pub was_adrift: bool,
    /// Hostile code, in a drill; whether a call off charter leaves it alive; whether its first
    /// exec is let through.
    pub drilled: bool,
    pub lives_on: bool,
    pub becomes_program: bool,
    /// The scanner of an edge or a dispatch, and how many it has had.
    pub scanner: Option<InstanceId>,
    pub renewals: u32,
    /// Dispatches that an edge has had.
    pub outlets: u32,
    /// It began without a key that it needs.
    pub lacks_keys: bool,
    /// The edge or dispatch that a scanner was born for; the access or edge that a dispatch was.
    pub serves: Option<InstanceId>,
    /// An author whose key stands in a durable entry.
    pub introduced: bool,
    /// Its listener, while its pidfd is on its way.
    pub early: Option<compartment::Notices>,
    /// It gave up its control channel: it ends until then, or is ended.
    pub adrift_until: Option<Instant>,
    /// Seen dead by its pidfd; its last words, or its zygote's on how it ended, are awaited until
    /// then.
    pub mourned_until: Option<Instant>,
    /// How it ended, for our own children.
    pub end: Option<End>,
}

impl Member {
    /// Whether something about it is due before long.
    pub fn needs_attention(&self) -> bool {
        self.mourned_until.is_some() || self.adrift_until.is_some()
    }
}

/// The part of a kind: a keeper, or the zygote in use.
pub struct Part {
    pub kind: Kind,
    pub holder: Option<InstanceId>,
    /// Served at least once: those who need its keys need not wait for it again.
    pub served: bool,
    /// Taken out of the house until somebody lets it in again.
    pub isolation: Option<Isolation>,
    failures: u32,
    pub next_try: Instant,
    /// Ends in a row before it served, whatever it lived.
    in_vain: u32,
    /// Since when it is waited for.
    wanted_since: Option<Instant>,
    /// Why it does not serve, or does not go on; kept until it does.
    pub trouble: Option<Trouble>,
}

/// What keeps a part from its work.
pub struct Trouble {
    pub since_ms: u64,
    pub why: String,
    pub is_full: bool,
    /// When the operator was last told.
    pub told: Option<Instant>,
}

impl Part {
    pub fn new(kind: Kind) -> Self {
        Part {
            kind,
            holder: None,
            served: false,
            isolation: None,
            failures: 0,
            next_try: Instant::now(),
            in_vain: 0,
            wanted_since: None,
            trouble: None,
        }
    }

    /// It is started, or would be.
    pub fn begun(&mut self, now: Instant) {
        self.wanted_since.get_or_insert(now);
    }

    /// It serves. Whoever ended for want of room may do so again with its next write: that is
    /// forgotten by `Household::forget_troubles`.
    pub fn serves(&mut self) {
        (self.served, self.in_vain, self.wanted_since) = (true, 0, None);
        self.trouble.take_if(|trouble| !trouble.is_full);
    }

    /// Its holder ended before it served.
    pub fn failed(&mut self) {
        self.in_vain = self.in_vain.saturating_add(1);
    }

    /// Whether those who wait for it go on without: it ended twice before it served, or lets
    /// everybody wait.
    pub fn is_given_up(&self, now: Instant) -> bool {
        let waited = self.wanted_since.map(|since| now.saturating_duration_since(since));
        self.in_vain >= IN_VAIN || waited.is_some_and(|waited| waited >= WAITED_FOR)
    }

    /// Its holder ended after `lived`: when to try again. Never gives up.
    pub fn lost(&mut self, lived: Duration, now: Instant) {
        self.holder = None;
        self.failures = if lived >= LIVED_WELL { 0 } else { self.failures.saturating_add(1) };
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        self.next_try = now + if self.failures == 0 { FIRST_PAUSE } else { pause };
    }
}

/// Whether this kind's instances are forked from a zygote.
pub fn has_zygote(kind: Kind) -> bool {
    charter(kind).is_some_and(|charter| charter.has_zygote)
}

pub fn is_author(kind: Kind) -> bool {
    charter(kind).is_some_and(|charter| charter.is_author)
}

/// Whether it checks what the ledger shows, and must know whom to believe.
pub fn has_evidence_shown(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, Vault | Gate | Mailbox | Post | Sentinel | Signer)
}

/// Whether `gate` hands connections to instances of this kind.
pub fn takes_connections(kind: Kind) -> bool {
    matches!(kind, Kind::Edge | Kind::Access | Kind::Pages)
}

/// Who must have served once before a kind is started the first time: its keys come from them. Who
/// cannot start is not waited for long, and its keys are told later (`Order::Keys`).
pub fn needs(kind: Kind) -> &'static [Kind] {
    use Kind::*;
    match kind {
        Mirror => &[Ledger],
        Vault | Sentinel => &[Ledger, Mirror],
        Directory | Identity | Mailbox | Signer | Post => &[Vault],
        Gate => &[
            Directory, Identity, Mailbox, Signer, Names, Edge, Scanner, Access, Pages, Dispatch,
            Post, Zone,
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::{LIVED_WELL, Part};
    use std::time::{Duration, Instant};
    use terms::Kind;

    #[test]
    fn pauses_double_up_to_two_seconds_and_start_anew_after_a_good_life() {
        let mut part = Part::new(Kind::Names);
        let now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            part.lost(Duration::ZERO, now);
            pauses.push((part.next_try - now).as_millis());
        }
        assert_eq!(pauses[..4], [20, 40, 80, 160]);
        assert_eq!(pauses[11], 2000);
        part.lost(LIVED_WELL, now);
        assert_eq!((part.next_try - now).as_millis(), 20);
    }
}
