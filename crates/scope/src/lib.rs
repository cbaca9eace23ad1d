//! The scope of a breach: what passed through, or was released to, the instances of a component
//! in a window of time, by contract. Facts in, figures out; nothing is guessed.
//!
//! # Never  opens a file; knows a name; says less than the entries say

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod likeness;
mod measure;

#[cfg(test)]
mod tests;

pub use likeness::{Likeness, compare};
pub use measure::{Contract, Proven, Question, Scope, measure};
