//! Many rules and one event: one pass over its text finds the few rules that could match.

use crate::pattern::{Pattern, Value, small};
use crate::rule::{LogSource, Rule};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};

/// An event's values are looked at up to here; a command line may be two megabytes long.
pub const VALUE_BYTES: usize = 16 * 1024;
/// Fields of one event.
const FIELDS: usize = 64;

/// What happened, in the words of the rules: fields and their values.
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub source: LogSource,
    pub fields: Vec<(String, String)>,
}

impl Event {
    pub fn new(source: LogSource) -> Self {
        Self { source, fields: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if self.fields.len() < FIELDS {
            let end = value.floor_char_boundary(VALUE_BYTES);
            let value = value.get(..end).unwrap_or_default();
            self.fields.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// An event beside its small letters.
pub struct Prepared<'a> {
    fields: Vec<(&'a str, &'a str, String)>,
}

impl<'a> Prepared<'a> {
    pub fn new(event: &'a Event) -> Self {
        let small =
            |(name, value): &'a (String, String)| (name.as_str(), value.as_str(), small(value));
        Self { fields: event.fields.iter().map(small).collect() }
    }

    /// Whether a field has it. An event may have a field more than once, as a number and as its
    /// name, say: one of its values is enough.
    pub fn has_in(&self, name: &str, pattern: &Pattern) -> bool {
        let mut is_there = false;
        for (own, plain, small) in &self.fields {
            if *own == name {
                is_there = true;
                if pattern.is_in(Some(Value { plain, small })) {
                    return true;
                }
            }
        }
        !is_there && pattern.is_in(None)
    }

    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        self.fields.iter().map(|(_, plain, small)| Value { plain, small })
    }
}

/// Rules, and the texts without which none of them matches.
pub struct RuleSet {
    rules: Vec<Rule>,
    texts: Option<AhoCorasick>,
    /// For each text the rules that need it.
    needed_by: Vec<Vec<usize>>,
    /// Rules that can match without any text.
    always: Vec<usize>,
}

impl RuleSet {
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut texts: Vec<String> = Vec::new();
        let mut needed_by: Vec<Vec<usize>> = Vec::new();
        let mut always = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            let Some(required) = rule.required() else {
                always.push(at);
                continue;
            };
            for text in required {
                let known = texts.iter().position(|known| *known == text);
                let place = known.unwrap_or(texts.len());
                if known.is_none() {
                    texts.push(text);
                    needed_by.push(Vec::new());
                }
                if let Some(rules) = needed_by.get_mut(place) {
                    rules.push(at);
                }
            }
        }
        let mut builder = AhoCorasickBuilder::new();
        let built = builder.kind(Some(AhoCorasickKind::ContiguousNFA)).build(&texts).ok();
        if built.is_none() {
            always = (0..rules.len()).collect();
        }
        Self { rules, texts: built, needed_by, always }
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Rules that are asked about every event, for no text rules them out.
    pub fn without_text(&self) -> usize {
        self.always.len()
    }

    /// The rules that match, in their own order.
    pub fn weigh(&self, event: &Event) -> Vec<&Rule> {
        let prepared = Prepared::new(event);
        let candidates = self.candidates(&prepared).into_iter().filter_map(|at| self.rules.get(at));
        candidates
            .filter(|rule| rule.source.covers(&event.source) && rule.holds(&prepared))
            .collect()
    }

    fn candidates(&self, event: &Prepared<'_>) -> Vec<usize> {
        let mut found = self.always.clone();
        if let Some(texts) = &self.texts {
            for value in event.values() {
                for hit in texts.find_overlapping_iter(value.small) {
                    let rules = self.needed_by.get(hit.pattern().as_usize());
                    found.extend(rules.into_iter().flatten());
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Every rule asked, without looking for texts first: what `weigh` must equal.
    pub fn weigh_slowly(&self, event: &Event) -> Vec<&Rule> {
        let prepared = Prepared::new(event);
        let covers = |rule: &&Rule| rule.source.covers(&event.source) && rule.holds(&prepared);
        self.rules.iter().filter(covers).collect()
    }
}
