//! `sekisho drill`.

use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble};
use crate::trial::{self, Wishes};
use terms::Kind;

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let compartment = arguments.option("--compartment")?;
    let program = arguments.option("--program")?;
    arguments.switch("--story");
    arguments.finish()?;
    let kinds = match compartment {
        None => trial::DRILLED.to_vec(),
        Some(word) => match Kind::parse(&word).filter(|kind| *kind != Kind::Warden) {
            Some(kind) => vec![kind],
            None => {
                let hint = "docs/generated/compartments.md lists them";
                return Err(Trouble::wrong_use("a compartment's name", word, hint));
            }
        },
    };
    let read = |path: String| {
        std::fs::read(&path).map_err(|error| {
            let hint = "--program takes a static executable of this machine";
            Trouble::fault(format!("{path}: {error}"), hint)
        })
    };
    let program = program.map(read).transpose()?;
    let found = trial::run(&Wishes { kinds, program })?;
    if as_json {
        let value = found.json();
        return Ok(if found.held() { Outcome::Done(value) } else { Outcome::Wanting(value) });
    }
    found.show();
    Ok(Outcome::Told(u8::from(!found.held())))
}
