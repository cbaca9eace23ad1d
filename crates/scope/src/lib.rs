//! The scope of a breach: what passed through, or was released to, the instances of a component
//! in a window of time, by contract. Facts in, figures out; nothing is guessed.
//!
//! # Never  opens a file; knows a name; says less than the entries say

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod asked;
mod belongings;
mod carried;
mod cell;
mod checked;
mod contained;
mod counted;
mod fact;
mod finish;
mod kept;
mod likeness;
mod listed;
mod lost;
mod made;
mod measure;
mod meetings;
mod months;
mod passing;
mod quick;
mod roll;
mod shares;
mod shown;
mod statement;
mod whole;
mod words;

#[cfg(test)]
mod tests;

pub use asked::Half;
pub use belongings::Belongings;
pub use carried::GivenBefore;
pub use cell::{Cell, Tie};
pub use checked::Checked;
pub use contained::{Condition, Containment, Detection, Step, ToDo};
pub use counted::{Columns, Mark, Pair, Part, Slice, Spill, order};
pub use fact::{Deed, Fact, Item, Person, facts};
pub use finish::{Finished, as_message};
pub use likeness::{Likeness, compare};
pub use listed::{List, Listed, MessageLine, PersonLine, Theirs, tell_message, tell_person};
pub use lost::{Loss, lower_bound, tell_losses};
pub use made::{ByCredentials, Making};
pub use measure::{Contract, Proven, Question, Reach, Scope, Tally, list, measure};
pub use months::Months;
pub use roll::{LAG_MS, Life, Roll};
pub use statement::{Ciphertexts, Destroyed, KeyEvent, Statement, StatementMaker};
pub use whole::{Beside, unattributed};
pub use words::{Language, class, tell, tell_statement};
