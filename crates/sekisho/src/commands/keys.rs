//! `sekisho keys`: keys listed, rotated, sealed, held; epochs of backups; another credential.

use super::epochs::{self, Ended};
use super::keeping::lock;
use super::unsealing::{Given, Keeping, unseal};
use super::{grounds, install, returned};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on, value};
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::{Value, json};
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
    let request = Request::KeysAct { act, tenant, user, epoch: None, witness: None };
    ask_on(&data, &request, &grounds)
}

/// Only the root is nobody's, and nobody is named with it; a person's key needs the person, every
/// other act a contract.
fn needs_target(act: &str, tenant: Option<&String>, user: Option<&String>) -> Result<(), Trouble> {
    let named = tenant.or(user);
    let (expected, is_there) = match act {
        // Whoever names one means a smaller key, and would be given the greatest.
        "rotate-root" => {
            let hint = "--level tenant --tenant NAME turns that one's key alone";
            let wrong = |found: &String| Trouble::wrong_use("the root's key alone", found, hint);
            return named.map_or(Ok(()), |found| Err(wrong(found)));
        }
        "rotate-user" | "rotate-pairs" => ("--user ADDRESS", user.is_some()),
        "rotate-tenant" | "seal" | "unseal" => ("--tenant NAME", tenant.is_some()),
        _ => ("--tenant NAME or --user ADDRESS", named.is_some()),
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
    let gone = arguments.parsed::<u32>("--gone", "an epoch's number")?;
    // Nobody is asked here: whoever writes it into a script, as beside other ends, may.
    let _ = act == "end" && arguments.switch("--yes");
    // A word without a key is an act for two.
    let grounds = gone.map(|_| grounds::take(&mut arguments)).transpose()?;
    arguments.finish()?;
    if let (Some(grounds), "end") = (grounds, act.as_str()) {
        return ask_on(&data, &act_upon("epoch-gone", gone, None), &grounds);
    }
    match act.as_str() {
        "list" => {
            let mut told = value(&data, &Request::KeysEpochs)?;
            let back = returned::search(&data, std::slice::from_ref(&folder)).found;
            super::insert(&mut told, "keys_here", json!(epochs::present(&folder)));
            super::insert(&mut told, "destroyed_and_here", json!(back));
            Ok(if back.is_empty() { Outcome::Done(told) } else { Outcome::Wanting(told) })
        }
        "start" => ask(&data, &act_upon("epoch-start", None, None)),
        "end" => {
            let mut told = end_epochs(&data, &folder)?;
            let is_none = |name| told.get(name).and_then(Value::as_array).is_none_or(Vec::is_empty);
            if !is_none("waiting") {
                return Ok(Outcome::Wanting(told));
            }
            if is_none("ended") && is_none("also_destroyed") {
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

/// Destroys the keys of every epoch that has ended, also of one that was recorded as destroyed,
/// and has that recorded where it is due. What is told last says from when on no key backup of
/// before opens. An epoch whose own key was not here waits for it.
pub fn end_epochs(data: &Path, folder: &Path) -> Result<Value, Trouble> {
    let told = value(data, &Request::KeysEpochs)?;
    let items = told.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut ended, mut also, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for item in &items {
        let is_null = |name| item.get(name).is_none_or(Value::is_null);
        if is_null("ended") {
            continue;
        }
        let number = item.get("epoch").and_then(Value::as_u64).unwrap_or_default();
        let epoch = u32::try_from(number).unwrap_or_default();
        let Ended { was_here, witness } = epochs::destroy(folder, epoch)?;
        if !is_null("destroyed") {
            also.extend(was_here.then_some(epoch));
            epochs::forget(folder, epoch);
            continue;
        }
        match value(data, &act_upon("epoch-destroyed", Some(epoch), witness)) {
            Ok(recorded) => {
                epochs::forget(folder, epoch);
                ended.push(
                    json!({ "epoch": epoch, "key_was_here": was_here, "recorded": recorded }),
                );
            }
            Err(Trouble::Refused { expected, found, hint }) => waiting.push(json!({
                "epoch": epoch, "key_was_here": was_here,
                "expected": expected, "found": found, "hint": hint,
            })),
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(json!({ "ended": ended, "also_destroyed": also, "waiting": waiting }))
}

fn act_upon(act: &str, epoch: Option<u32>, witness: Option<String>) -> Request {
    Request::KeysAct { act: act.to_owned(), tenant: None, user: None, epoch, witness }
}

/// Another credential, kept another way if wished: the service stands still meanwhile.
fn reseal(mut arguments: Arguments) -> Answer {
    let path = PathBuf::from(arguments.required("--config")?);
    let settings = install::settings_in(&path)?;
    let data = settings.house.data.clone();
    // Shares, and a passphrase if there is one, open what is; everything else says how the new one
    // is kept.
    let mut given = Given::read(&mut arguments)?;
    let new = given.for_the_new(&settings.unseal, &mut arguments)?;
    let keeping = Keeping::read_with(&mut arguments, &data, new)?;
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

#[cfg(test)]
mod tests {
    use super::needs_target;

    #[test]
    fn nobody_is_named_with_the_root() {
        let check = |act: &str, tenant: Option<&str>, user: Option<&str>, is_right: bool| {
            let (tenant, user) = (tenant.map(str::to_owned), user.map(str::to_owned));
            let found = needs_target(act, tenant.as_ref(), user.as_ref());
            assert_eq!(found.is_ok(), is_right, "{act} {tenant:?} {user:?}");
        };
        check("rotate-root", None, None, true);
        check("rotate-root", Some("Acme"), None, false);
        check("rotate-root", None, Some("a@b.example"), false);
        check("rotate-tenant", Some("Acme"), None, true);
        check("rotate-tenant", None, None, false);
        check("rotate-user", None, Some("a@b.example"), true);
    }
}
