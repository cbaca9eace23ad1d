//! What the log lost and the house's deciders know of: a stretch of entries that nobody has. What
//! is read around it is a lower bound, and nothing is contained over it.

use crate::contained::{Condition, Containment, Step};
use crate::measure::Question;
use crate::words::Language;
use evidence::rfc3339;
use serde::Serialize;
use std::fmt::Write;

/// A stretch of entries that were cosigned and are gone. It is told wide where it is not known
/// narrowly: never narrower than it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// `ledger`, `mirror` or `both`: whose loss was acknowledged.
    pub whose: String,
    /// The first entry that can be another's place now.
    pub from_entry: u64,
    /// How many they can be; `None`: nobody knows how far the log had come.
    pub entries: Option<u64>,
    /// Of the checkpoint that was cosigned and is not held any more; 0: of none.
    pub size: u64,
    pub root: String,
    /// Between these two they were written; `None`: from the beginning on.
    pub from: Option<String>,
    pub to: String,
    /// When it was acknowledged, by which entry, by whom.
    pub acknowledged_at: String,
    pub acknowledged_by_entry: u64,
    /// Nobody: one operator alone.
    pub by: Vec<String>,
    pub request: Option<String>,
    #[serde(skip)]
    pub from_ms: u64,
    #[serde(skip)]
    pub to_ms: u64,
}

impl Loss {
    /// Whether some of what is lost can be of the window.
    pub fn touches(&self, asked: &Question) -> bool {
        self.from_ms < asked.to_ms && self.to_ms >= asked.from_ms
    }

    /// Whether all of it was written before the window.
    pub(crate) fn is_before(&self, asked: &Question) -> bool {
        self.to_ms < asked.from_ms
    }

    /// In a sentence.
    pub fn tell(&self, language: Language) -> String {
        let since = self.from.as_deref().unwrap_or("–");
        let (to, at, entry) = (&self.to, &self.acknowledged_at, self.acknowledged_by_entry);
        let (first, size, root) = (self.from_entry, self.size, &self.root);
        let by = self.who(language);
        match (language, self.entries) {
            (Language::English, Some(entries)) => format!(
                "up to {entries} entries, from entry {first} on, of {size} that were cosigned with \
                 the root {root}, written in {since} – {to}; acknowledged at {at} by {by} (entry \
                 {entry})"
            ),
            (Language::English, None) => format!(
                "nobody knows how many entries, written until {to}; acknowledged at {at} by {by} \
                 (entry {entry})"
            ),
            (Language::Japanese, Some(entries)) => format!(
                "根 {root} の {size} 件のうち、証跡 {first} から最大 {entries} 件（{since} – {to} \
                 に記録されたもの）。{at} に承知: {by}（証跡 {entry}）"
            ),
            (Language::Japanese, None) => {
                format!("件数不明（{to} までに記録されたもの）。{at} に承知: {by}（証跡 {entry}）")
            }
        }
    }

    fn who(&self, language: Language) -> String {
        match &self.request {
            None => language.say("オペレーター 1 名", "one operator alone").to_owned(),
            Some(request) => {
                let request = match language {
                    Language::English => format!(" (request {request})"),
                    Language::Japanese => format!("（申請 {request}）"),
                };
                format!("{}{request}", self.by.join(language.say("、", ", ")))
            }
        }
    }
}

/// What these losses leave of "all of it was checked".
pub(crate) const NOT_THERE: [&str; 2] = [
    "失われたと承知された証跡は、そのどれにもない",
    "what is acknowledged as lost stands in neither",
];

/// Label and sentence of each.
pub fn tell_losses(losses: &[Loss], language: Language) -> String {
    let label = language.say("失われた証跡（承知ずみ）", "entries lost (acknowledged)");
    let mut to = String::new();
    for one in losses {
        let _ = writeln!(to, "{label}: {}", one.tell(language));
    }
    to
}

/// Above or below what was read over such a stretch.
pub fn lower_bound(language: Language) -> &'static str {
    language.say(
        "ここで数えるべき証跡の一部が失われている。件数は残っている記録による下限で、実際はこれより多い可能性がある",
        "part of the evidence that would be counted here is lost: the figures are a lower bound, \
         of what is left of it; there may have been more",
    )
}

/// That nothing happened since the window began is not shown by entries that are gone.
pub(crate) fn uncontained(containment: &mut Containment, losses: &[Loss], asked: &Question) {
    let since: Vec<&Loss> = losses.iter().filter(|one| !one.is_before(asked)).collect();
    let Some(last) = since.last() else { return };
    let from = since.iter().filter_map(|one| one.from.clone()).min();
    let from = from.filter(|_| since.iter().all(|one| one.from.is_some()));
    let from = from.unwrap_or_else(|| rfc3339(0));
    containment.conditions.push(Condition {
        condition: "no evidence lost since",
        met: false,
        entry: Some(last.acknowledged_by_entry),
        missing: Some(format!("entries are lost of {from} – {}", last.to)),
        to_do: Vec::new(),
        next: Some(Step {
            ja: "失われた証跡を含む写しのバックアップがあれば、`sekisho-verify scope` で読んで確かめる"
                .to_owned(),
            en: "if a backup of the mirror holds what is lost, read it: `sekisho-verify scope`"
                .to_owned(),
        }),
    });
    containment.contained = false;
}
