//! Judgement: facts in, a verdict and its reasons out. Never fails, asks nobody, knows no clock.
//!
//! Read first: `judge` (one recipient), `together` (the one reply for many), `why` (the words).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod judge;

mod authentication;
mod together;

mod catalogue;
mod words;

#[cfg(test)]
mod tests;

pub use authentication::{Authentication, AuthorForm, Claim, DmarcPolicy, Outcome, Sealer};
pub use catalogue::{Language, ids, why};
pub use judge::{Facts, HouseRules, Judged, judge};
pub use together::{Reply, together};
