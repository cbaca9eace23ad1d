//! Conditions: `selection and not 1 of filter_* or (all of them)`.

use crate::Wrong;
use crate::pattern::Pattern;
use crate::selection::{Selection, worth};
use crate::set::Prepared;

const TEXT_BYTES: usize = 4_096;
const DEPTH: usize = 32;

/// A condition over the selections of its rule, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Selection(usize),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    pub fn read(text: &str, names: &[&str]) -> Result<Condition, Wrong> {
        if text.len() > TEXT_BYTES {
            return Err(Wrong::Beyond("4 KiB of condition"));
        }
        let words = words(text);
        let mut reader = Reader { words: &words, at: 0, names };
        let condition = reader.either(0)?;
        match reader.peek() {
            None => Ok(condition),
            Some(word) => Err(strange("the end of the condition", word)),
        }
    }

    pub fn holds(&self, selections: &[Selection], event: &Prepared<'_>) -> bool {
        match self {
            Condition::Selection(at) => {
                selections.get(*at).is_some_and(|selection| selection.holds(event))
            }
            Condition::Not(inner) => !inner.holds(selections, event),
            Condition::All(parts) => parts.iter().all(|part| part.holds(selections, event)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(selections, event)),
        }
    }

    /// Whether some event could have it, if fields that `is_seen` denies are never there.
    pub fn can_hold(
        &self,
        selections: &[Selection],
        is_seen: &dyn Fn(&str, &[Pattern]) -> bool,
    ) -> bool {
        let can = |part: &Condition| part.can_hold(selections, is_seen);
        match self {
            Condition::Selection(at) => {
                selections.get(*at).is_some_and(|selection| selection.can_hold(is_seen))
            }
            Condition::Not(_) => true,
            Condition::All(parts) => parts.iter().all(can),
            Condition::Any(parts) => parts.iter().any(can),
        }
    }

    /// Whether the selection at this place is wanted, rather than ruled out.
    pub fn asks_for(&self, place: usize) -> bool {
        match self {
            Condition::Selection(at) => *at == place,
            Condition::Not(_) => false,
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().any(|part| part.asks_for(place))
            }
        }
    }

    /// As [`Selection::required`].
    pub fn required(&self, selections: &[Selection]) -> Option<Vec<String>> {
        match self {
            Condition::Selection(at) => selections.get(*at)?.required(),
            Condition::Not(_) => None,
            Condition::All(parts) => parts
                .iter()
                .filter_map(|part| part.required(selections))
                .max_by_key(|texts| worth(texts)),
            Condition::Any(parts) => {
                let all: Option<Vec<_>> =
                    parts.iter().map(|part| part.required(selections)).collect();
                all.map(|all| all.concat())
            }
        }
    }
}

fn strange(expected: &'static str, found: &str) -> Wrong {
    Wrong::Strange { expected, found: found.to_owned() }
}

fn words(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Reader<'a> {
    words: &'a [String],
    at: usize,
    names: &'a [&'a str],
}

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|found| found.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn either(&mut self, depth: usize) -> Result<Condition, Wrong> {
        let mut parts = vec![self.both(depth)?];
        while self.takes("or") {
            parts.push(self.both(depth)?);
        }
        Ok(single(parts, Condition::Any))
    }

    fn both(&mut self, depth: usize) -> Result<Condition, Wrong> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Ok(single(parts, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, Wrong> {
        if depth > DEPTH {
            return Err(Wrong::Beyond("32 levels of condition"));
        }
        if self.takes("not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.takes("(") {
            let inner = self.either(depth + 1)?;
            let next = self.peek().unwrap_or("the end").to_owned();
            return if self.takes(")") { Ok(inner) } else { Err(strange("`)`", &next)) };
        }
        let Some(word) = self.peek().map(str::to_owned) else {
            return Err(strange("a selection", "the end"));
        };
        self.at += 1;
        let is_all = word.eq_ignore_ascii_case("all");
        if (is_all || word == "1" || word.eq_ignore_ascii_case("any")) && self.takes("of") {
            let pattern = self.peek().unwrap_or_default().to_owned();
            self.at += 1;
            let parts = self.named(&pattern)?;
            return Ok(if is_all { Condition::All(parts) } else { Condition::Any(parts) });
        }
        let place = self.names.iter().position(|name| *name == word);
        place.map(Condition::Selection).ok_or_else(|| strange("the name of a selection", &word))
    }

    /// `them`: all but those that begin with `_`; else names with `*`.
    fn named(&self, pattern: &str) -> Result<Vec<Condition>, Wrong> {
        let is_named = |name: &str| match pattern.split_once('*') {
            _ if pattern == "them" => !name.starts_with('_'),
            Some((start, end)) => {
                name.len() >= start.len() + end.len()
                    && name.starts_with(start)
                    && name.ends_with(end)
            }
            None => name == pattern,
        };
        let places = (0..).zip(self.names).filter(|(_, name)| is_named(name));
        let found: Vec<_> = places.map(|(at, _)| Condition::Selection(at)).collect();
        if found.is_empty() { Err(strange("selections of that name", pattern)) } else { Ok(found) }
    }
}

fn single(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}
