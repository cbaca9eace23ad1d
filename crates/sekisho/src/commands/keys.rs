//! `sekisho keys`: keys listed, rotated, sealed, held; epochs of backups; another credential.

use super::keeping::lock;
use super::unsealing::{Given, Keeping, unseal};
use super::{epochs, grounds, install};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on, value};
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::{Value, json};
use settings::Settings;
use std::path::{Path, PathBuf};
use wire::admin::Request;

const ACTS: &str = "list, rotate, seal, unseal, hold, freeze, epochs or reseal";
const LEVELS: &str = "--level root, tenant, user or pairs";

pub fn run(mut arguments: Arguments) -> Answer {
    let act = arguments.word(ACTS)?;
    match act.as_str() {
        "epochs" => of_epochs(arguments),
        "reseal" => reseal(arguments),
        "list" => {
            let data = arguments.data()?;
            let tenant = arguments.option("--tenant")?;
            arguments.finish()?;
            ask(&data, &Request::KeysList { tenant })
        }
        _ => upon(&act, arguments),
    }
}

fn upon(act: &str, mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let tenant = arguments.option("--tenant")?;
    let user = arguments.option("--user")?;
    let level = arguments.option("--level")?;
    let is_off = arguments.switch("--off");
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    let act = match (act, level.as_deref(), is_off) {
        ("rotate", Some(level @ ("root" | "tenant" | "user" | "pairs")), false) => {
            format!("rotate-{level}")
        }
        ("rotate", other, _) => {
            let found = other.unwrap_or("nothing").to_owned();
            return Err(Trouble::wrong_use(LEVELS, found, "sekisho help"));
        }
        ("hold", None, true) => "release-hold".to_owned(),
        ("freeze", None, true) => "thaw".to_owned(),
        ("seal" | "unseal" | "hold" | "freeze", None, false) => act.to_owned(),
        _ => return Err(Trouble::wrong_use(ACTS, act, "sekisho help")),
    };
    needs_target(&act, tenant.as_ref(), user.as_ref())?;
    ask_on(&data, &Request::KeysAct { act, tenant, user, epoch: None }, &grounds)
}

/// Only the root is nobody's; a person's key needs the person, every other act a contract.
fn needs_target(act: &str, tenant: Option<&String>, user: Option<&String>) -> Result<(), Trouble> {
    let (expected, is_there) = match act {
        "rotate-root" => return Ok(()),
        "rotate-user" | "rotate-pairs" => ("--user ADDRESS", user.is_some()),
        "rotate-tenant" | "seal" | "unseal" => ("--tenant NAME", tenant.is_some()),
        _ => ("--tenant NAME or --user ADDRESS", tenant.or(user).is_some()),
    };
    match is_there {
        true => Ok(()),
        false => Err(Trouble::wrong_use(expected, "nothing", "`keys list` shows every tenant")),
    }
}

/// `keys epochs`, `keys epochs start`, `keys epochs end`.
fn of_epochs(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let folder = arguments.option("--epoch-keys")?.map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| epochs::beside(&data));
    let act = arguments.word("list, start or end")?;
    arguments.finish()?;
    match act.as_str() {
        "list" => {
            let mut told = value(&data, &Request::KeysEpochs)?;
            if let Some(told) = told.as_object_mut() {
                told.insert("keys_here".to_owned(), json!(epochs::present(&folder)));
            }
            Ok(Outcome::Done(told))
        }
        "start" => ask(&data, &act_upon("epoch-start", None)),
        "end" => {
            let mut told = end_epochs(&data, &folder)?;
            if told.get("ended").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                let nothing = say(
                    "終わったエポックはなく、破棄する鍵もありません。",
                    "no epoch has ended that is not destroyed yet: nothing was to be done",
                );
                super::insert(&mut told, "about", json!(nothing));
                return Ok(Outcome::Wanting(told));
            }
            Ok(Outcome::Done(told))
        }
        other => Err(Trouble::wrong_use("list, start or end", other, "sekisho help")),
    }
}

/// Destroys the keys of every epoch that has ended, and has that recorded. What is told last says
/// from when on no key backup of before opens.
pub fn end_epochs(data: &Path, folder: &Path) -> Result<Value, Trouble> {
    let told = value(data, &Request::KeysEpochs)?;
    let items = told.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_due = |item: &&Value| {
        let is_null = |name| item.get(name).is_none_or(Value::is_null);
        !is_null("ended") && is_null("destroyed")
    };
    let mut ended = Vec::new();
    for item in items.iter().filter(is_due) {
        let number = item.get("epoch").and_then(Value::as_u64).unwrap_or_default();
        let epoch = u32::try_from(number).unwrap_or_default();
        let was_here = epochs::destroy(folder, epoch)?;
        let recorded = value(data, &act_upon("epoch-destroyed", Some(epoch)))?;
        ended.push(json!({ "epoch": epoch, "key_was_here": was_here, "recorded": recorded }));
    }
    Ok(json!({ "ended": ended }))
}

fn act_upon(act: &str, epoch: Option<u32>) -> Request {
    Request::KeysAct { act: act.to_owned(), tenant: None, user: None, epoch }
}

/// Another credential, kept another way if wished: the service stands still meanwhile.
fn reseal(mut arguments: Arguments) -> Answer {
    let path = PathBuf::from(arguments.required("--config")?);
    let settings = Settings::read(&path).map_err(install::unfit)?;
    let data = settings.house.data.clone();
    // Shares and the descriptor open what is; everything else says how the new one is kept.
    let given = Given::read(&mut arguments)?;
    let keeping = Keeping::read(&mut arguments, &data)?;
    arguments.finish()?;
    let _lock = lock(&data)?;
    let old = unseal(&settings.unseal, given)?;
    let fault = |what: String| Trouble::fault(what, "the old credential still opens; try again");
    let new = root::make().map_err(|error| fault(error.to_string()))?;
    // Kept before it is needed: a failure between leaves two, of which the old one opens.
    let mut shown = keeping.keep(&new)?;
    vault::reseal(&data.join("vault"), old.as_slice(), new.as_slice())
        .map_err(|error| fault(error.to_string()))?;
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("data".to_owned(), json!(data));
        let next = "put the new credential where the settings say, start, take new backups";
        shown.insert("next".to_owned(), json!(next));
    }
    Ok(Outcome::Done(shown))
}
