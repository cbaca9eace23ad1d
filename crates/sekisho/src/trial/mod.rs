//! A drill: a house of its own, markers in it, hostile code inside, and what came of it.
//!
//! Reading order: `troupe` (a process for each house, so that the drill itself outlives the
//! worst), `stage` (the house, its mail and its markers), `play` (one compartment after the
//! other), `leaving` (the turns of those who let mail leave), `attacks` (what no call off charter
//! is: too much, too loud, too quiet, powers turned round), `control` (the same without an
//! intruder), `facts` (what an intruder is told), `cast` (the intruders and what they said),
//! `doorstep` (people who sign in to them), `clients` (people who read and write meanwhile),
//! `wiretap` (frames of real traffic for foreign programs), `handed` (what such a program was
//! handed), `foreign` (what is said of it for that), `watch` (what the warden tells),
//! `markers` (what is looked for in what was obtained), `verdict` (the cells, computed),
//! `alike` (the ledger's scope against what was in hand), `table` (how they are shown), `story`
//! (the breach that we answer, played again).

mod alike;
mod attacks;
mod cast;
mod clients;
mod control;
mod doorstep;
mod elf;
mod facts;
mod foreign;
mod handed;
mod leaving;
mod markers;
mod play;
pub mod stage;
mod start_up;
mod table;
mod troupe;
mod verdict;
mod visitors;
mod watch;
mod wiretap;

pub mod story;

use crate::outcome::Trouble;
pub use alike::scope_of;
use serde_json::Value;
use std::path::PathBuf;
pub use table::show;
use terms::Kind;
pub use troupe::run;
pub use watch::Watch;

/// The compartments that are drilled when none is named: every one that there is.
pub fn drilled() -> Vec<Kind> {
    wire::CHARTERS.iter().map(|charter| charter.kind).collect()
}

/// Bulk reading, floods, silence and the like: not with single compartments unless wished for, and
/// never with a foreign program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attacks {
    None,
    Too,
    Alone,
}

/// What was asked for.
pub struct Wishes {
    pub kinds: Vec<Kind>,
    /// A foreign program instead of what is built in.
    pub program: Option<PathBuf>,
    /// We are one house of a larger drill: its folder.
    pub stage: Option<PathBuf>,
    /// The attacks that are no calls off charter: beside the turns, or alone.
    pub attacks: Attacks,
}

/// One house: builds it, plays, reads the evidence, takes it down.
fn perform(wishes: &Wishes, program: Option<Vec<u8>>) -> Result<Value, Trouble> {
    let mut set = stage::Set::open(wishes.stage.as_deref())?;
    set.has_route = wishes.attacks == Attacks::Alone;
    let (kinds, attacks) = (wishes.kinds.clone(), wishes.attacks);
    let played = stage::perform(&set, move |house| match attacks {
        Attacks::Alone => attacks::everything(house, &kinds),
        _ => play::everything(house, &kinds, program.as_deref()),
    });
    let findings = played.and_then(|played| verdict::reach(&set, played));
    set.clear();
    Ok(findings?.json())
}
