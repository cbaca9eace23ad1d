//! `sekisho drill`.

use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble};
use crate::trial::{self, Attacks, Wishes};
use serde_json::Value;
use std::path::PathBuf;
use terms::Kind;

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    if arguments.switch("--story") {
        return story(arguments, as_json);
    }
    let words = arguments.options("--compartment")?;
    let program = arguments.option("--program")?.map(PathBuf::from);
    // Given by a drill to itself: one house of several.
    let stage = arguments.option("--stage")?.map(PathBuf::from);
    let attacks = match (arguments.switch("--attacks"), words.is_empty(), &program) {
        (true, ..) => Attacks::Alone,
        (false, true, None) => Attacks::Too,
        _ => Attacks::None,
    };
    arguments.finish()?;
    let kinds = match words.is_empty() {
        true => trial::drilled(),
        false => words.iter().map(|word| known(word)).collect::<Result<Vec<Kind>, Trouble>>()?,
    };
    let found = trial::run(&Wishes { kinds, program, stage, attacks })?;
    let held = found.get("broken").and_then(Value::as_array).is_some_and(Vec::is_empty);
    if as_json {
        return Ok(if held { Outcome::Done(found) } else { Outcome::Wanting(found) });
    }
    trial::show(&found);
    Ok(Outcome::Told(u8::from(!held)))
}

fn known(word: &str) -> Result<Kind, Trouble> {
    Kind::parse(word).filter(|kind| wire::charter(*kind).is_some()).ok_or_else(|| {
        let hint = "docs/generated/compartments.md lists them";
        Trouble::wrong_use("a compartment's name", word, hint)
    })
}

fn story(mut arguments: Arguments, as_json: bool) -> Answer {
    let language = arguments.option("--lang")?;
    arguments.finish()?;
    let is_japanese = match language.as_deref() {
        Some("ja") => true,
        Some("en") => false,
        None => crate::demo::screen::is_japanese(),
        Some(other) => return Err(Trouble::wrong_use("--lang ja or en", other, "sekisho help")),
    };
    let told = trial::story::play()?;
    let held = told.get("broken").and_then(Value::as_array).is_some_and(Vec::is_empty);
    if as_json {
        return Ok(if held { Outcome::Done(told) } else { Outcome::Wanting(told) });
    }
    trial::story::show(&told, is_japanese);
    Ok(Outcome::Told(u8::from(!held)))
}
