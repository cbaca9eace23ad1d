//! A rule as its author wrote it, made ready.

use crate::Wrong;
use crate::condition::Condition;
use crate::pattern::Pattern;
use crate::selection::Selection;
use crate::set::Prepared;
use crate::yaml::{Node, read};

/// Which events a rule is for. `None`: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSource {
    pub product: Option<String>,
    pub category: Option<String>,
    pub service: Option<String>,
}

impl LogSource {
    /// Whether a rule for this looks at events of `other`.
    pub fn covers(&self, other: &LogSource) -> bool {
        let fits =
            |mine: &Option<String>, theirs: &Option<String>| mine.is_none() || mine == theirs;
        fits(&self.product, &other.product)
            && fits(&self.category, &other.category)
            && fits(&self.service, &other.service)
    }

    pub fn new(category: Option<&str>, service: Option<&str>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            product: Some("linux".to_owned()),
            category: owned(category),
            service: owned(service),
        }
    }
}

/// One rule. Whoever shows a match shows `title` and `author` with it (DRL 1.1).
#[derive(Clone, Debug)]
pub struct Rule {
    pub title: String,
    pub id: String,
    pub author: String,
    pub status: String,
    pub level: String,
    pub source: LogSource,
    pub(crate) selections: Vec<Selection>,
    pub(crate) condition: Condition,
}

impl Rule {
    pub fn parse(text: &str) -> Result<Rule, Wrong> {
        let node = read(text)?;
        let detection = node.get("detection").ok_or(Wrong::Lacking("detection"))?;
        let Node::Map(pairs) = detection else { return Err(Wrong::Lacking("detection")) };
        // One event is weighed at a time, so what spans several is not read as if it did not.
        if let Some((name, _)) = pairs.iter().find(|(name, _)| is_of_many_events(name)) {
            let expected = "what one event can tell";
            return Err(Wrong::Strange { expected, found: name.clone() });
        }
        let is_part = |(name, _): &&(String, Node)| name != "condition";
        let names: Vec<&str> = pairs.iter().filter(is_part).map(|(n, _)| n.as_str()).collect();
        let selections: Result<Vec<_>, _> =
            pairs.iter().filter(is_part).map(|(_, node)| Selection::read(node)).collect();
        let condition = detection.get("condition").ok_or(Wrong::Lacking("condition"))?;
        let word = |name: &str| node.get(name).and_then(Node::text).unwrap_or_default().to_owned();
        let rule = Rule {
            title: word("title"),
            id: word("id"),
            author: word("author"),
            status: word("status"),
            level: word("level"),
            source: log_source(node.get("logsource").ok_or(Wrong::Lacking("logsource"))?),
            selections: selections?,
            condition: read_condition(condition, &names)?,
        };
        if rule.title.is_empty() { Err(Wrong::Lacking("title")) } else { Ok(rule) }
    }

    pub(crate) fn holds(&self, event: &Prepared<'_>) -> bool {
        self.condition.holds(&self.selections, event)
    }

    /// The fields without which this never matches, of a source that has only those that `is_seen`
    /// says of a field and what the rule looks for in it. None: it can match there.
    pub fn unseen(&self, is_seen: &dyn Fn(&str, &[Pattern]) -> bool) -> Vec<String> {
        if self.condition.can_hold(&self.selections, is_seen) {
            return Vec::new();
        }
        let mut names = Vec::new();
        let needed = self.selections.iter().enumerate();
        for (_, selection) in needed.filter(|(at, _)| self.condition.asks_for(*at)) {
            selection.unseen(is_seen, &mut names);
        }
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn required(&self) -> Option<Vec<String>> {
        self.condition.required(&self.selections)
    }
}

fn is_of_many_events(name: &str) -> bool {
    matches!(name, "timeframe" | "timespan")
}

fn log_source(node: &Node) -> LogSource {
    let word = |name: &str| node.get(name).and_then(Node::text).map(str::to_owned);
    LogSource { product: word("product"), category: word("category"), service: word("service") }
}

/// A list of conditions: one of them.
fn read_condition(node: &Node, names: &[&str]) -> Result<Condition, Wrong> {
    match node {
        Node::Text(text, _) => Condition::read(text, names),
        Node::List(items) => {
            let texts = items.iter().filter_map(Node::text);
            let parts: Result<Vec<_>, _> = texts.map(|text| Condition::read(text, names)).collect();
            Ok(Condition::Any(parts?))
        }
        Node::Map(_) => {
            let expected = "a condition in words";
            Err(Wrong::Strange { expected, found: "a count of events".to_owned() })
        }
        Node::Null => Err(Wrong::Lacking("condition")),
    }
}
