//! What is counted for whoever watches the house: numbers, with names and words that stand in this
//! table. No label is anybody's text, so that none can be a tenant's, a person's or an address.

use serde::{Deserialize, Serialize};
use terms::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Only rises; begins at nothing with each start of who counts it.
    Counter,
    Gauge,
}

/// One measure, as the page and the endpoint tell it.
#[derive(Debug)]
pub struct About {
    pub name: &'static str,
    pub shape: Shape,
    /// Who counts it; nobody else's word for it is taken.
    pub by: Kind,
    /// The label's name and its values; none: it is one number.
    pub label: Option<(&'static str, &'static [&'static str])>,
    pub help: &'static str,
}

macro_rules! measures {
    ($($variant:ident $shape:ident $by:ident $name:literal $label:expr, $help:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Measure { $($variant,)* }

        impl Measure {
            pub const ALL: &'static [Measure] = &[$(Measure::$variant,)*];

            pub fn about(self) -> &'static About {
                match self {
                    $(Measure::$variant => {
                        const ABOUT: About = About {
                            name: $name,
                            shape: Shape::$shape,
                            by: Kind::$by,
                            label: $label,
                            help: $help,
                        };
                        &ABOUT
                    })*
                }
            }
        }
    };
}

const VERDICTS: &[&str] = &["deliver", "tag", "junk", "quarantine", "refuse"];
const SERVICES: &[&str] = &["smtp", "imaps", "pop3s", "submissions", "submission", "https", "zone"];
const KINDS: &[&str] = &[
    "warden",
    "gate",
    "names",
    "signer",
    "edge",
    "scanner",
    "access",
    "mailbox",
    "directory",
    "identity",
    "vault",
    "ledger",
    "mirror",
    "admin",
    "zone",
    "sentinel",
    "dispatch",
    "post",
    "depart",
    "fetch",
    "pages",
    "metrics",
];

#[rustfmt::skip]
measures! {
    Messages Counter Mailbox "sekisho_messages_total" Some(("verdict", VERDICTS)), "Messages that were judged at their arrival, once for each organisation, by verdict.";
    Kept Counter Sentinel "sekisho_messages_kept_total" None, "Messages that the mailbox has recorded as kept.";
    Sent Counter Sentinel "sekisho_messages_sent_total" None, "Messages that left, once for each destination.";
    QueueLegs Gauge Post "sekisho_queue_destinations" Some(("state", &["ready", "held", "delayed", "leaving"])), "Destinations of messages in the queue, by state.";
    QueueMessages Gauge Post "sekisho_queue_messages" None, "Messages in the queue.";
    QueueBytes Gauge Post "sekisho_queue_bytes" None, "Octets of the messages in the queue.";
    Unreachable Gauge Post "sekisho_queue_unreachable_destinations" None, "Destinations that nobody could reach lately.";
    Releases Counter Sentinel "sekisho_releases_total" Some(("class", &["summaries", "bodies", "transit"])), "Releases of keys by the vault: each opens what one entry of the ledger names.";
    SignIns Counter Sentinel "sekisho_sign_ins_total" Some(("result", &["ok", "refused"])), "Attempts to sign in.";
    Connections Counter Sentinel "sekisho_connections_total" Some(("service", SERVICES)), "Connections that were handed to an instance.";
    Starts Counter Sentinel "sekisho_process_starts_total" Some(("kind", KINDS)), "Processes that were born.";
    Stops Counter Sentinel "sekisho_process_stops_total" Some(("end", &["clean", "other"])), "Processes that ended.";
    Alarms Counter Sentinel "sekisho_alarms_total" None, "Entries of the ledger that are alarms.";
    Changes Counter Sentinel "sekisho_rule_changes_total" None, "Recorded changes of rules, people and domains.";
    Processes Gauge Warden "sekisho_processes" Some(("kind", KINDS)), "Processes alive.";
    InFlight Gauge Gate "sekisho_memory_in_flight_bytes" None, "Memory granted to messages in flight.";
    Entries Gauge Ledger "sekisho_ledger_entries" None, "Entries of the ledger.";
    Mirrored Gauge Mirror "sekisho_mirror_entries" None, "Entries that the mirror holds; the ledger's less these is the mirror's lag.";
    QueueFullest Gauge Post "sekisho_queue_fullest_percent" None, "How much of its bound the fullest share of the queue has taken: of a tenant, or of what is passed on for a tenant or a person.";
    QueueRefused Counter Post "sekisho_queue_refused_total" None, "Messages that the queue did not take since its start, for a bound or for the disk's floor.";
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub measure: Measure,
    /// The place of the label's value in the table.
    pub label: u8,
    pub value: u64,
}

/// Numbers in one report: every value of every measure.
pub const COUNTS: usize = 256;

impl Measure {
    /// The values of its label.
    pub fn values(self) -> &'static [&'static str] {
        self.about().label.map_or(&[], |(_, values)| values)
    }

    /// `None`: the table knows no such value.
    pub fn count(self, label: &str, value: u64) -> Option<Count> {
        let place = match self.about().label {
            None => Some(0),
            Some((_, values)) => values.iter().position(|known| *known == label),
        };
        let label = u8::try_from(place?).ok()?;
        Some(Count { measure: self, label, value })
    }
}

impl Count {
    /// Whether this is one of the table's, said by whom it belongs to.
    pub fn is_said_by(self, kind: Kind) -> bool {
        let values = self.measure.values();
        self.measure.about().by == kind && usize::from(self.label) < values.len().max(1)
    }
}

/// The text that Prometheus reads (exposition format 0.0.4).
pub fn exposition(counts: &[Count]) -> String {
    let mut text = String::new();
    for measure in Measure::ALL {
        let About { name, shape, label, help, .. } = measure.about();
        let shape = if *shape == Shape::Counter { "counter" } else { "gauge" };
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {shape}\n"));
        for count in counts.iter().filter(|count| count.measure == *measure) {
            let value = count.value;
            match label {
                None => text.push_str(&format!("{name} {value}\n")),
                Some((label, values)) => {
                    let Some(word) = values.get(usize::from(count.label)) else { continue };
                    text.push_str(&format!("{name}{{{label}=\"{word}\"}} {value}\n"));
                }
            }
        }
    }
    text
}

/// The page `docs/generated/metrics.md`.
pub fn page() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from `crates/wire/src/metrics.rs` by `cargo xtask generate`; served \
         at `/metrics` where `listen.metrics` says, as text for Prometheus. A counter begins at \
         nothing with each start of the compartment that counts it. No label is anybody's text.\n\n\
         | name | type | label | counted by | meaning |\n|---|---|---|---|---|\n",
    );
    for measure in Measure::ALL {
        let About { name, shape, by, label, help } = measure.about();
        let shape = if *shape == Shape::Counter { "counter" } else { "gauge" };
        let label = label.map_or("–".to_owned(), |(label, values)| {
            let values =
                if label == "kind" { "each compartment".into() } else { values.join(", ") };
            format!("`{label}`: {values}")
        });
        text.push_str(&format!("| `{name}` | {shape} | {label} | {} | {help} |\n", by.word()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{COUNTS, Count, Measure, Shape, exposition};
    use terms::Kind;

    #[test]
    fn names_are_as_prometheus_wants_them_and_fit_one_report() {
        let mut all = 0;
        for measure in Measure::ALL {
            let about = measure.about();
            let fits = |octet: u8| octet.is_ascii_lowercase() || octet == b'_';
            assert!(about.name.starts_with("sekisho_") && about.name.bytes().all(fits));
            assert_eq!(about.name.ends_with("_total"), about.shape == Shape::Counter);
            assert!(about.help.ends_with('.') && !about.help.contains(['\n', '\\']));
            all += measure.values().len().max(1);
        }
        assert!(all <= COUNTS);
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(Measure::Processes.values(), kinds);
    }

    #[test]
    fn nobody_s_word_is_taken_for_another_s_numbers_or_for_no_number() {
        let count = Measure::SignIns.count("refused", 3).unwrap();
        assert!(count.is_said_by(Kind::Sentinel) && !count.is_said_by(Kind::Gate));
        assert!(!Count { label: 2, ..count }.is_said_by(Kind::Sentinel));
        assert_eq!(Measure::SignIns.count("aoi@example.jp", 1), None);
        let text = exposition(&[count, Measure::Entries.count("", 7).unwrap()]);
        assert!(text.contains("# TYPE sekisho_sign_ins_total counter\n"), "{text}");
        assert!(text.contains("\nsekisho_sign_ins_total{result=\"refused\"} 3\n"), "{text}");
        assert!(text.contains("\nsekisho_ledger_entries 7\n"), "{text}");
    }
}
