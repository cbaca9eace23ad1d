//! What the ledger's entries add up to since our start, for whoever watches the house.

use evidence::{Body, Released};
use std::collections::BTreeMap;
use wire::metrics::{Count, Measure};

#[derive(Default)]
pub struct Tally(BTreeMap<(Measure, u8), u64>);

impl Tally {
    pub fn take(&mut self, body: &Body) {
        match body {
            Body::Connection { service, .. } => self.add(Measure::Connections, service.as_str(), 1),
            Body::Deliver { messages, .. } => self.add(Measure::Kept, "", messages.len()),
            Body::Send { .. } => self.add(Measure::Sent, "", 1),
            Body::Sent { messages, .. } => self.add(Measure::Sent, "", messages.len()),
            Body::Release { released, .. } => {
                let class = match released {
                    Released::Months(_) | Released::Summaries(_) => "summaries",
                    Released::Bodies(_) => "bodies",
                    Released::Transit(_) => "transit",
                };
                self.add(Measure::Releases, class, 1);
            }
            Body::SignIn { ok, .. } => {
                self.add(Measure::SignIns, if *ok { "ok" } else { "refused" }, 1);
            }
            Body::ProcessStart { kind, .. } => self.add(Measure::Starts, kind.word(), 1),
            Body::ProcessStop { clean, .. } => {
                self.add(Measure::Stops, if *clean { "clean" } else { "other" }, 1);
            }
            Body::Alarm { .. } => self.add(Measure::Alarms, "", 1),
            Body::RuleChange { .. } => self.add(Measure::Changes, "", 1),
            _ => {}
        }
    }

    fn add(&mut self, measure: Measure, label: &str, more: usize) {
        if let Some(Count { label, .. }) = measure.count(label, 0) {
            *self.0.entry((measure, label)).or_default() += more as u64;
        }
    }

    /// Every number of ours, those that are nothing as well.
    pub fn counts(&self) -> Vec<Count> {
        let own = Measure::ALL.iter().filter(|measure| measure.about().by == terms::Kind::Sentinel);
        let each = own.flat_map(|measure| {
            (0..measure.values().len().max(1))
                .filter_map(|place| Some((*measure, u8::try_from(place).ok()?)))
        });
        each.map(|(measure, label)| {
            let value = self.0.get(&(measure, label)).copied().unwrap_or(0);
            Count { measure, label, value }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use evidence::{Body, Released, Word};
    use terms::{ConnectionId, GrantId, InstanceId, MessageId, TenantId, UserId};
    use wire::metrics::Measure;

    #[test]
    fn entries_are_added_up_and_nothing_else_of_them_is_kept() {
        let mut tally = Tally::default();
        let instance = InstanceId([1; 6]);
        let (tenant, user) = (TenantId([2; 8]), UserId([3; 8]));
        let connection = |service: &str| Body::Connection {
            connection: ConnectionId([1; 8]),
            instance,
            peer: "192.0.2.1".parse().unwrap(),
            service: Word::new(service),
        };
        for service in ["smtp", "imaps", "smtp", "something else"] {
            tally.take(&connection(service));
        }
        let released = Released::Bodies(vec![MessageId([4; 16]); 3]);
        let grant = GrantId([5; 16]);
        tally.take(&Body::Release { vault_seq: 1, instance, grant, tenant, user, released });
        let sign_in = Body::SignIn {
            instance,
            protocol: Word::new("imap"),
            ok: false,
            tenant: None,
            user: None,
            credential: None,
        };
        tally.take(&sign_in);
        let counts = tally.counts();
        for (measure, label, value) in [
            (Measure::Connections, "smtp", 2),
            (Measure::Connections, "imaps", 1),
            (Measure::Connections, "https", 0),
            (Measure::Releases, "bodies", 1),
            (Measure::SignIns, "refused", 1),
            (Measure::SignIns, "ok", 0),
            (Measure::Alarms, "", 0),
        ] {
            assert!(counts.contains(&measure.count(label, value).unwrap()), "{measure:?} {label}");
        }
    }
}
