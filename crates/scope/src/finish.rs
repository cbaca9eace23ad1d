//! From what was counted to the answer.

use crate::counted::{Columns, Counted, Mark, Part};
use crate::lost::{Loss, uncontained};
use crate::measure::{Contract, Proven, Scope, Tally};
use crate::shares::{Class, Share};
use evidence::rfc3339;
use terms::{InstanceId, Kind, MessageId};

/// Of who holds the keys: it needs no release.
pub(crate) const OPENS_ALL: &str =
    "could have opened everything kept; lower is what it is recorded to have";
/// Of who takes connections in: it could keep one to itself.
pub(crate) const UNSEEN: &str = "all that came while it lived, at most; what came over connections \
                                 that it answered itself stands in no ledger";

/// Of who starts, joins and can read every process: what it takes leaves no trace of its own.
pub(crate) const EVERYTHING_AT_HAND: &str = "everything in the house was at hand while it lived: \
                                             all that was kept until then, at most; what it took \
                                             of it stands in no ledger";

/// Of whoever it is, where entries are lost that can be of what is counted.
pub(crate) const PART_LOST: &str = "a lower bound: entries are lost that can be of what is counted \
                                    here, and what stood in them nobody can count";

/// An instance as if it were a message: they are counted alike.
pub fn as_message(InstanceId(instance): InstanceId) -> MessageId {
    let mut id = [0; 16];
    id.iter_mut().zip(instance).for_each(|(to, octet)| *to = octet);
    MessageId(id)
}

impl Tally {
    /// What was counted. Of `overflowed` nothing holds: count in smaller parts.
    pub fn finish(self, proven: Proven) -> Finished {
        self.finish_with(proven, None, None)
    }

    /// The same, with messages that stand in columns, and with instances that do.
    pub fn finish_with(
        mut self,
        proven: Proven,
        messages: Option<&dyn Columns>,
        instances: Option<&dyn Columns>,
    ) -> Finished {
        let met = self.living().count() as u64;
        let instances = instances.map_or(met, |columns| self.count_instances(columns));
        self.traces.are_in_all(instances);
        let left: u64 = self.meetings.drain().map(|(_, meetings)| meetings.unattributed()).sum();
        let unattributed_connections = (self.unattributed + left).saturating_sub(self.taken_back);
        let count = self.messages.count(self.shares.contracts.len(), messages);
        let by_made = self.made.count(self.shares.contracts.len());
        let overflowed = self.messages.overflowed;
        let of = |counts: &[u64], share: &Share| {
            counts.get(share.number as usize).copied().unwrap_or_default()
        };
        let contracts = self.shares.contracts.iter().map(|(tenant, share)| Contract {
            tenant: tenant.to_string(),
            accounts: share.accounts,
            messages: of(&count.each, share),
            classes: Class::words(share.classes),
            could_open: of(&count.could_each, share),
            by_credential: of(&by_made.each, share),
        });
        let contracts = contracts.collect();
        let (messages, could) = (self.messages.messages(), self.messages.could_open());
        let lower_bound = proven.losses.iter().any(|loss| self.is_wanting_by(loss));
        let bound = self.bound(lower_bound);
        let traces = &self.traces;
        let standing = self.made.standing(traces.now(), |tenant| traces.is_shredded(tenant));
        let mut containment = traces.judge(self.question.component, &standing);
        uncontained(&mut containment, &proven.losses, &self.question);
        let live = standing.live.len() as u64;
        let by_credentials = self.made.told(live, by_made.all, self.question.to_ms);
        let scope = Scope {
            component: self.question.component.word(),
            version: self.question.version,
            from: rfc3339(self.question.from_ms),
            to: rfc3339(self.question.to_ms),
            first_use: self.first_ms.map(rfc3339),
            last_use: self.last_ms.map(rfc3339),
            given_before: self.carried.told(),
            instances,
            contracts,
            unattributed_connections,
            not_kept: self.not_kept,
            upper: count.all.max(count.could) + unattributed_connections + self.not_kept,
            lower: count.certain,
            bound,
            shared_credentials: self.shared_credentials,
            by_credentials,
            containment,
            entries: proven.entries,
            root: proven.root,
            verified: proven.checked.is_right() && !lower_bound,
            checked: proven.checked.word(),
            problems: proven.checked.problems().to_vec(),
            losses: proven.losses,
            lower_bound,
            messages,
            could,
        };
        Finished { scope, overflowed }
    }

    /// What the figures mean.
    fn bound(&self, lower_bound: bool) -> &'static str {
        match self.question.component {
            _ if lower_bound => PART_LOST,
            Kind::Gate => UNSEEN,
            Kind::Warden => EVERYTHING_AT_HAND,
            _ if self.opens_all() => OPENS_ALL,
            _ => "exact for releases, an upper bound for transit",
        }
    }

    /// Whether a loss can have taken what would be counted here: of the window; or of before it,
    /// where what was kept counts by months or as a whole, or for somebody who lived since.
    fn is_wanting_by(&self, loss: &Loss) -> bool {
        let counts_what_is_kept = self.opens_all() || !self.months.is_empty();
        loss.touches(&self.question)
            || loss.is_before(&self.question)
                && (counts_what_is_kept || self.carried.lived_at(loss.to_ms))
    }

    /// Those that were met one by one, and those in columns, none of them twice.
    fn count_instances(&self, columns: &dyn Columns) -> u64 {
        let mut counted = Counted::new(Part::WHOLE);
        self.living().for_each(|instance| counted.add(0, as_message(instance), Mark::PASSED));
        counted.count(1, Some(columns)).all
    }
}

/// A scope, or a part of one.
pub struct Finished {
    pub scope: Scope,
    pub overflowed: bool,
}

impl Scope {
    /// Adds the distinct messages of another part of the same question.
    pub fn add_part(&mut self, other: &Scope) {
        let extra = other.unattributed_connections + other.not_kept;
        self.upper += other.upper.saturating_sub(extra);
        self.lower += other.lower;
        for (own, more) in self.contracts.iter_mut().zip(&other.contracts) {
            own.messages += more.messages;
            own.could_open += more.could_open;
            own.by_credential += more.by_credential;
        }
        if let Some((own, more)) = self.by_credentials.as_mut().zip(other.by_credentials.as_ref()) {
            own.messages += more.messages;
        }
        self.messages.clear();
        self.could.clear();
    }
}
