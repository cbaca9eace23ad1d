//! Sigma: rules for events, written by many, read and weighed here.
//!
//! Formats and meaning: the Sigma rules specification 2. What is read: the part of YAML in which
//! rules are written ([`yaml`]), value modifiers `contains startswith endswith all re cidr exists
//! cased windash lt lte gt gte`, wildcards and their escapes, `null`, keywords, and whole
//! conditions. A rule that uses more, or weighs several events together, is refused by name, never
//! half understood.
//!
//! The rules that are shipped stand in `rules/` as their authors wrote them (Detection Rule
//! License 1.1: who passes a match on names the author).
//!
//! Reading order: [`rule`] (text to rule), [`condition`], [`pattern`] (one value), [`set`] (many
//! rules, one event), `expression` (what spares us regular expressions).
//!
//! # Never  opens a file; runs longer than an event's length times the rules that could match

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod condition;
mod expression;
pub mod pattern;
pub mod rule;
pub mod selection;
pub mod set;
pub mod shipped;
pub mod yaml;

#[cfg(test)]
mod shapes;
#[cfg(test)]
mod tests;

pub use rule::{LogSource, Rule};
pub use set::{Event, RuleSet};
pub use shipped::shipped;

/// Why a text is no rule that can be weighed here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not the YAML that rules are written in.
    #[error("line {line}: {why}")]
    Text { line: usize, why: &'static str },
    /// A part that every rule has, and this one has not.
    #[error("expected `{0}`, found none")]
    Lacking(&'static str),
    /// Something of the specification that is not read here, or nothing of it.
    #[error("expected {expected}, found `{found}`")]
    Strange { expected: &'static str, found: String },
    /// Longer, deeper or more than any rule is.
    #[error("the rule is beyond a limit: {0}")]
    Beyond(&'static str),
}
