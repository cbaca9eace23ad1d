//! One value of a rule against one value of an event.

use crate::{Wrong, expression};
use regex_lite::{Regex, RegexBuilder};
use std::net::IpAddr;

/// The longest regular expression of a rule.
const EXPRESSION_BYTES: usize = 4_096;

/// What it may become once its repetitions are written out. A value is walked through in time of
/// its length times this, so it is far below what the library would allow; the longest among the
/// public rules for Linux, `(.){200,}`, fits.
const EXPRESSION_READY_BYTES: usize = 32 * 1024;

/// How a value is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    Whole,
    Within,
    AtStart,
    AtEnd,
}

/// Something to be looked for. Texts are in small letters unless the rule says `cased`.
#[derive(Clone, Debug)]
pub enum Pattern {
    Text {
        text: String,
        at: Where,
        cased: bool,
    },
    /// With `*` and `?` in it.
    Wild {
        parts: Vec<Part>,
        cased: bool,
    },
    /// With the texts without which it matches nothing.
    Expression(Regex, Option<Vec<String>>),
    Network {
        address: IpAddr,
        bits: u8,
    },
    Compare {
        order: Order,
        to: f64,
    },
    /// The field is absent or empty.
    Null,
    /// The field is (not) there.
    Exists(bool),
    /// One text in each of the ways in which it may be spelt.
    OneOf(Vec<Pattern>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Literal(String),
    /// `*`
    Any,
    /// `?`
    One,
}

/// A field of an event, as it is and in small letters.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub plain: &'a str,
    pub small: &'a str,
}

impl Pattern {
    /// A text with wildcards and escapes, placed as the modifiers say.
    pub fn text(text: &str, at: Where, cased: bool) -> Pattern {
        let mut parts = parts_of(text);
        let literal = match parts.as_slice() {
            [] => Some(String::new()),
            [Part::Literal(text)] => Some(text.clone()),
            _ => None,
        };
        if let Some(text) = literal {
            let text = if cased { text } else { small(&text) };
            return Pattern::Text { text, at, cased };
        }
        if matches!(at, Where::Within | Where::AtEnd) {
            parts.insert(0, Part::Any);
        }
        if matches!(at, Where::Within | Where::AtStart) {
            parts.push(Part::Any);
        }
        if !cased {
            for part in &mut parts {
                if let Part::Literal(text) = part {
                    *text = small(text);
                }
            }
        }
        Pattern::Wild { parts, cased }
    }

    pub fn expression(text: &str, flags: &[&str]) -> Result<Pattern, Wrong> {
        let strange = || Wrong::Strange {
            expected: "a regular expression in linear time",
            found: text.to_owned(),
        };
        if text.len() > EXPRESSION_BYTES {
            return Err(Wrong::Beyond("4 KiB of regular expression"));
        }
        let needed = expression::needed(text);
        let mut builder = RegexBuilder::new(without_ends(text));
        builder.case_insensitive(flags.contains(&"i"));
        builder.multi_line(flags.contains(&"m"));
        builder.dot_matches_new_line(flags.contains(&"s"));
        builder.size_limit(EXPRESSION_READY_BYTES);
        builder.build().map(|ready| Pattern::Expression(ready, needed)).map_err(|error| match error
            .to_string()
            .contains("size limit")
        {
            true => Wrong::Beyond("32 KiB of regular expression, its repetitions written out"),
            false => strange(),
        })
    }

    pub fn network(text: &str) -> Result<Pattern, Wrong> {
        let strange = || Wrong::Strange { expected: "a network", found: text.to_owned() };
        let (address, bits) = text.split_once('/').ok_or_else(strange)?;
        let address: IpAddr = address.parse().map_err(|_| strange())?;
        let bits: u8 = bits.parse().map_err(|_| strange())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if bits > most { Err(strange()) } else { Ok(Pattern::Network { address, bits }) }
    }

    /// Whether an event without the field has it.
    pub fn is_in_nothing(&self) -> bool {
        matches!(self, Pattern::Null | Pattern::Exists(false))
    }

    /// Whether it is found in a field; `None`: the event has no such field.
    pub fn is_in(&self, value: Option<Value<'_>>) -> bool {
        let Some(value) = value else { return self.is_in_nothing() };
        match self {
            Pattern::Null => value.plain.is_empty(),
            Pattern::Exists(there) => *there,
            Pattern::OneOf(ways) => ways.iter().any(|way| way.is_in(Some(value))),
            Pattern::Text { text, at, cased } => {
                let held = if *cased { value.plain } else { value.small };
                match at {
                    Where::Whole => held == text,
                    Where::Within => held.contains(text.as_str()),
                    Where::AtStart => held.starts_with(text.as_str()),
                    Where::AtEnd => held.ends_with(text.as_str()),
                }
            }
            Pattern::Wild { parts, cased } => {
                is_wild_match(parts, if *cased { value.plain } else { value.small })
            }
            Pattern::Expression(expression, _) => expression.is_match(value.plain),
            Pattern::Network { address, bits } => {
                value.plain.parse().is_ok_and(|found| is_within(found, *address, *bits))
            }
            Pattern::Compare { order, to } => {
                value.plain.parse::<f64>().is_ok_and(|found| match order {
                    Order::Less => found < *to,
                    Order::LessOrEqual => found <= *to,
                    Order::More => found > *to,
                    Order::MoreOrEqual => found >= *to,
                })
            }
        }
    }

    /// The same as a keyword, which is looked for anywhere in a value.
    #[must_use]
    pub fn anywhere(self) -> Pattern {
        match self {
            Pattern::Text { text, cased, .. } => Pattern::Text { text, at: Where::Within, cased },
            Pattern::Wild { mut parts, cased } => {
                if parts.first() != Some(&Part::Any) {
                    parts.insert(0, Part::Any);
                }
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
                Pattern::Wild { parts, cased }
            }
            Pattern::OneOf(ways) => {
                Pattern::OneOf(ways.into_iter().map(Pattern::anywhere).collect())
            }
            other => other,
        }
    }

    /// Texts in small letters of which one stands in every value in which this is found.
    pub fn required(&self) -> Option<Vec<String>> {
        match self {
            Pattern::Text { text, .. } => Some(vec![small(text)]),
            Pattern::Wild { parts, .. } => {
                let literals = parts.iter().filter_map(|part| match part {
                    Part::Literal(text) => Some(small(text)),
                    _ => None,
                });
                literals.max_by_key(String::len).map(|text| vec![text])
            }
            Pattern::Expression(_, needed) => needed.clone(),
            Pattern::OneOf(ways) => {
                let all: Option<Vec<_>> = ways.iter().map(Pattern::required).collect();
                all.map(|all| all.concat())
            }
            _ => None,
        }
    }
}

/// An expression is looked for anywhere, so `.*` at its ends says nothing and costs a walk.
fn without_ends(text: &str) -> &str {
    let start = match text.strip_prefix(".*") {
        Some(rest) if !rest.starts_with(['?', '+', '*', '{']) => rest,
        _ => text,
    };
    match start.strip_suffix(".*") {
        Some(rest) if !rest.ends_with('\\') => rest,
        _ => start,
    }
}

/// Small letters one by one, so that a part of a text has the same ones as the whole.
pub fn small(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.chars().flat_map(char::to_lowercase).collect(),
    }
}

/// `\*`, `\?` and `\\` are the letters themselves; any other backslash is one.
fn parts_of(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut letters = text.chars().peekable();
    let end = |literal: &mut String, parts: &mut Vec<Part>| {
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(literal)));
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next_if(|next| matches!(next, '*' | '?' | '\\')) {
                Some(escaped) => literal.push(escaped),
                None => literal.push('\\'),
            },
            '*' => {
                end(&mut literal, &mut parts);
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
            }
            '?' => {
                end(&mut literal, &mut parts);
                parts.push(Part::One);
            }
            letter => literal.push(letter),
        }
    }
    end(&mut literal, &mut parts);
    parts
}

/// The last `*` is the only place to return to, so that the time is bounded by the product of
/// both lengths.
fn is_wild_match(parts: &[Part], text: &str) -> bool {
    let (mut part, mut rest) = (0usize, text);
    let mut back: Option<(usize, &str)> = None;
    loop {
        let step = match parts.get(part) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Part::Any) => {
                back = Some((part, rest));
                Some(rest)
            }
            Some(Part::One) => rest.chars().next().and_then(|one| rest.get(one.len_utf8()..)),
            Some(Part::Literal(literal)) => rest.strip_prefix(literal.as_str()),
        };
        match (step, back) {
            (Some(after), _) => (part, rest) = (part + 1, after),
            (None, Some((star, from))) => {
                let Some(one) = from.chars().next() else { return false };
                let from = from.get(one.len_utf8()..).unwrap_or_default();
                // Straight to the next place where what follows could begin.
                let skip = match parts.get(star + 1) {
                    Some(Part::Literal(literal)) => from.find(literal.as_str()),
                    _ => Some(0),
                };
                let Some(from) = skip.and_then(|skip| from.get(skip..)) else { return false };
                back = Some((star, from));
                (part, rest) = (star + 1, from);
            }
            (None, None) => return false,
        }
    }
}

fn is_within(found: IpAddr, network: IpAddr, bits: u8) -> bool {
    let shift = |width: u32| width.saturating_sub(u32::from(bits));
    match (found, network) {
        (IpAddr::V4(found), IpAddr::V4(network)) => {
            let differs = found.to_bits() ^ network.to_bits();
            differs.checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(found), IpAddr::V6(network)) => {
            let differs = found.to_bits() ^ network.to_bits();
            differs.checked_shr(shift(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}
