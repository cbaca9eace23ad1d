//! The scope of a breach: what passed through, or was released to, the instances of a component
//! in a window of time, by contract. Facts in, figures out; nothing is guessed.
//!
//! # Never  opens a file; knows a name; says less than the entries say

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod asked;
mod contained;
mod counted;
mod fact;
mod likeness;
mod measure;
mod meetings;
mod quick;
mod roll;
mod shares;
mod statement;
mod words;

#[cfg(test)]
mod tests;

pub use asked::Half;
pub use contained::{Condition, Containment, Detection};
pub use counted::{Part, Spill};
pub use fact::{Deed, Fact, Item, Person, facts};
pub use likeness::{Likeness, compare};
pub use measure::{Contract, Finished, Proven, Question, Reach, Scope, Tally, measure};
pub use roll::{Life, Roll};
pub use statement::{Ciphertexts, KeyEvent, Statement, StatementMaker};
pub use words::{Language, tell, tell_statement};
