//! A drill: a house of its own, markers in it, hostile code inside, and what came of it.
//!
//! Reading order: `stage` (the house, its mail and its markers), `play` (one compartment after the
//! other), `watch` (what the warden tells), `markers` (what is looked for in what was obtained),
//! `verdict` (the cells, computed), `table` (how they are shown).

mod markers;
mod play;
pub mod stage;
mod table;
mod verdict;
mod watch;

use crate::outcome::Trouble;
use terms::Kind;
pub use verdict::{Findings, scope_of};
pub use watch::Watch;

/// The compartments that are drilled when none is named.
pub const DRILLED: &[Kind] = &[Kind::Scanner, Kind::Edge, Kind::Access, Kind::Gate];

/// What was asked for.
pub struct Wishes {
    pub kinds: Vec<Kind>,
    /// A foreign program instead of what is built in.
    pub program: Option<Vec<u8>>,
}

/// Builds the house, plays, reads the evidence, takes the house down.
pub fn run(wishes: &Wishes) -> Result<Findings, Trouble> {
    let set = stage::Set::open()?;
    let played = stage::perform(&set, wishes);
    let findings = played.and_then(|played| verdict::reach(&set, played));
    set.clear();
    findings
}
