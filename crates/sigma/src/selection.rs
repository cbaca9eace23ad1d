//! A selection of a rule: fields and what stands in them, or words that stand anywhere.

use crate::Wrong;
use crate::pattern::{Order, Pattern, Where};
use crate::set::Prepared;
use crate::yaml::Node;

/// Values in one list; the longest of a public Linux rule has 120.
const VALUES: usize = 2_000;

#[derive(Clone, Debug)]
pub enum Selection {
    /// Every one must hold.
    All(Vec<Selection>),
    /// One must hold.
    Any(Vec<Selection>),
    Field {
        name: String,
        patterns: Vec<Pattern>,
        is_all: bool,
    },
    /// Anywhere in the event.
    Keywords {
        patterns: Vec<Pattern>,
        is_all: bool,
    },
}

impl Selection {
    pub fn read(node: &Node) -> Result<Selection, Wrong> {
        match node {
            Node::Map(pairs) => {
                let fields: Result<Vec<_>, _> = pairs.iter().map(|(k, v)| field(k, v)).collect();
                Ok(Selection::All(fields?))
            }
            Node::List(items) if items.iter().any(|item| matches!(item, Node::Map(_))) => {
                let any: Result<Vec<_>, _> = items.iter().map(Selection::read).collect();
                Ok(Selection::Any(any?))
            }
            node => {
                let patterns = patterns(node, &[])?.into_iter().map(Pattern::anywhere).collect();
                Ok(Selection::Keywords { patterns, is_all: false })
            }
        }
    }

    pub fn holds(&self, event: &Prepared<'_>) -> bool {
        match self {
            Selection::All(parts) => parts.iter().all(|part| part.holds(event)),
            Selection::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Selection::Field { name, patterns, is_all } => {
                let holds = |pattern: &Pattern| event.has_in(name, pattern);
                if *is_all { patterns.iter().all(holds) } else { patterns.iter().any(holds) }
            }
            Selection::Keywords { patterns, is_all } => {
                let holds =
                    |pattern: &Pattern| event.values().any(|value| pattern.is_in(Some(value)));
                if *is_all { patterns.iter().all(holds) } else { patterns.iter().any(holds) }
            }
        }
    }

    /// As [`crate::condition::Condition::can_hold`].
    pub fn can_hold(&self, is_seen: &dyn Fn(&str, &[Pattern]) -> bool) -> bool {
        match self {
            Selection::All(parts) => parts.iter().all(|part| part.can_hold(is_seen)),
            Selection::Any(parts) => parts.iter().any(|part| part.can_hold(is_seen)),
            Selection::Field { name, patterns, .. } => {
                is_seen(name, patterns) || patterns.iter().any(Pattern::is_in_nothing)
            }
            Selection::Keywords { .. } => true,
        }
    }

    /// The fields that are wanted here and never seen.
    pub fn unseen(&self, is_seen: &dyn Fn(&str, &[Pattern]) -> bool, into: &mut Vec<String>) {
        match self {
            Selection::All(parts) | Selection::Any(parts) => {
                parts.iter().for_each(|part| part.unseen(is_seen, into));
            }
            Selection::Field { name, .. } if !self.can_hold(is_seen) => into.push(name.clone()),
            Selection::Field { .. } | Selection::Keywords { .. } => {}
        }
    }

    /// Texts of which one stands in every event for which this holds; `None`: no such texts.
    pub fn required(&self) -> Option<Vec<String>> {
        match self {
            Selection::All(parts) => {
                parts.iter().filter_map(Selection::required).max_by_key(|texts| worth(texts))
            }
            Selection::Any(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(Selection::required).collect();
                all.map(|all| all.concat())
            }
            Selection::Field { patterns, is_all: false, .. }
            | Selection::Keywords { patterns, is_all: false } => {
                let all: Option<Vec<_>> = patterns.iter().map(useful).collect();
                all.map(|all| all.concat())
            }
            Selection::Field { patterns, is_all: true, .. }
            | Selection::Keywords { patterns, is_all: true } => {
                patterns.iter().filter_map(useful).max_by_key(|texts| worth(texts))
            }
        }
    }
}

/// Texts shorter than this stand in every event.
const USEFUL_BYTES: usize = 2;

fn useful(pattern: &Pattern) -> Option<Vec<String>> {
    pattern.required().filter(|texts| texts.iter().all(|text| text.len() >= USEFUL_BYTES))
}

/// The shortest text decides how often the rule is looked at in vain.
pub fn worth(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

fn field(key: &str, node: &Node) -> Result<Selection, Wrong> {
    let mut words = key.split('|');
    let name = words.next().unwrap_or_default().to_owned();
    let modifiers: Vec<&str> = words.collect();
    let is_all = modifiers.contains(&"all");
    let patterns = patterns(node, &modifiers)?;
    Ok(match name.is_empty() {
        true => {
            let patterns = patterns.into_iter().map(Pattern::anywhere).collect();
            Selection::Keywords { patterns, is_all }
        }
        false => Selection::Field { name, patterns, is_all },
    })
}

fn patterns(node: &Node, modifiers: &[&str]) -> Result<Vec<Pattern>, Wrong> {
    let read = |node: &Node| pattern(node, modifiers);
    match node {
        Node::List(items) if items.len() > VALUES => Err(Wrong::Beyond("2,000 values")),
        Node::List(items) => items.iter().map(read).collect(),
        node => Ok(vec![read(node)?]),
    }
}

fn pattern(node: &Node, modifiers: &[&str]) -> Result<Pattern, Wrong> {
    let text = match node {
        Node::Null => return Ok(Pattern::Null),
        Node::Text(text, _) => text,
        _ => return Err(Wrong::Strange { expected: "a value", found: "a map or list".into() }),
    };
    let mut at = Where::Whole;
    let mut cased = false;
    let mut dashes = false;
    let mut special = None;
    for modifier in modifiers {
        match *modifier {
            "all" | "i" | "m" | "s" => {}
            "windash" => dashes = true,
            "contains" => at = Where::Within,
            "startswith" => at = Where::AtStart,
            "endswith" => at = Where::AtEnd,
            "cased" => cased = true,
            "re" | "cidr" | "exists" | "lt" | "lte" | "gt" | "gte" => special = Some(*modifier),
            other => {
                let expected = "a modifier that is read here";
                return Err(Wrong::Strange { expected, found: other.to_owned() });
            }
        }
    }
    match special {
        None if dashes => {
            let ways = with_any_dash(text)?;
            Ok(Pattern::OneOf(ways.iter().map(|way| Pattern::text(way, at, cased)).collect()))
        }
        None => Ok(Pattern::text(text, at, cased)),
        Some("re") => Pattern::expression(text, modifiers),
        Some("cidr") => Pattern::network(text),
        Some("exists") => Ok(Pattern::Exists(text.eq_ignore_ascii_case("true"))),
        Some(order) => compare(order, text),
    }
}

/// What may begin an option, for programs that take more than the hyphen.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
/// Options of one value; each multiplies its ways by five.
const OPTIONS: usize = 3;

/// The modifier `windash`: each `-` or `/` that begins a word may be any of [`DASHES`].
fn with_any_dash(text: &str) -> Result<Vec<String>, Wrong> {
    let mut ways = vec![String::new()];
    let mut options = 0;
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let begins = matches!(letter, '-' | '/')
            && !before.is_alphanumeric()
            && letters.peek().is_some_and(|next| next.is_alphanumeric());
        if begins {
            options += 1;
            if options > OPTIONS {
                return Err(Wrong::Beyond("3 options of one value with `windash`"));
            }
            let more = |way: &String| DASHES.map(|dash| format!("{way}{dash}"));
            ways = ways.iter().flat_map(more).collect();
        } else {
            ways.iter_mut().for_each(|way| way.push(letter));
        }
        before = letter;
    }
    Ok(ways)
}

fn compare(order: &str, text: &str) -> Result<Pattern, Wrong> {
    let strange = |_| Wrong::Strange { expected: "a number", found: text.to_owned() };
    let to: f64 = text.parse().map_err(strange)?;
    let order = match order {
        "lt" => Order::Less,
        "lte" => Order::LessOrEqual,
        "gt" => Order::More,
        _ => Order::MoreOrEqual,
    };
    Ok(Pattern::Compare { order, to })
}
