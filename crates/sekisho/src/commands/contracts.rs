//! Contracts as they change and end: settings, termination, holds, certificates.

use super::grounds::{self, duration_ms};
use super::people::{folder, unknown};
use super::watch::be_sure;
use super::{certificate, outgoing, remains};
use crate::arguments::Arguments;
use crate::client::{self, ask, ask_on};
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::Value;
use std::path::Path;
use wire::admin::Request;

/// A month: long enough to change one's mind, and to fetch one's mail.
const GRACE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Less than this is no time to change one's mind in.
const A_DAY_MS: u64 = 24 * 60 * 60 * 1000;
const HOLD_ACTS: &str = "add, list or lift";
/// As the directory takes them.
const MARKS: std::ops::RangeInclusive<f32> = 0.0..=1_000.0;
/// What `tenant set` says about judgement.
const JUDGEMENT: &[&str] = &[
    "--tag-from",
    "--junk-from",
    "--quarantine-from",
    "--refuse-from",
    "--obey-dmarc",
    "--greylist",
    "--trust-sealer",
    "--distrust-sealer",
];

pub fn tenant(act: &str, mut arguments: Arguments, data: Option<String>, as_json: bool) -> Answer {
    let request = match act {
        "set" => match outgoing::change(&mut arguments)? {
            Some(_) if arguments.holds(JUDGEMENT) => return Err(two_groups()),
            Some(request) => request,
            None => settings(&mut arguments)?,
        },
        "terminate" => {
            let is_sure = arguments.switch("--yes") || as_json;
            let grace_ms = grace(&mut arguments)?;
            let name = arguments.word("the tenant's name")?;
            be_sure_of_an_end(is_sure, grace_ms, "tenant", &name)?;
            Request::TenantTerminate { grace_ms, name }
        }
        "cancel" => Request::TerminationCancel { name: arguments.word("the tenant's name")? },
        "certificate" => return certificate::run(arguments, data, as_json),
        "search-remains" => return remains::run(arguments, data),
        _ => {
            arguments.finish()?;
            return endings(&folder(data)?);
        }
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    let answer = ask_on(&folder(data)?, &request, &grounds);
    if act == "terminate" { with_limits(answer) } else { answer }
}

/// What a destruction does not reach is said before it is done, not after.
fn with_limits(answer: Answer) -> Answer {
    let what = say(
        "手作業で写したデータフォルダ（スナップショットやディスクの複製）は、当時の開封用の資格情報が\
         あれば開きます。その写しか資格情報を破棄してください（`keys reseal`、またはトークン）",
        "a copy of the data folder that somebody made by hand (a snapshot, a disk image) opens \
         with the unseal credential of its time: destroy that copy or that credential (`keys \
         reseal`, or a token)",
    );
    answer.map(|outcome| match outcome {
        Outcome::Done(mut value) => {
            super::insert(&mut value, "not_covered", serde_json::json!(what));
            Outcome::Done(value)
        }
        other => other,
    })
}

/// A change that changes nothing.
pub(super) fn nothing_to_set(hint: &str) -> Trouble {
    Trouble::wrong_use("something to set", "nothing", hint)
}

/// What binds a name is for its certificate.
fn endings(data: &Path) -> Answer {
    let mut shown = client::value(data, &Request::Endings)?;
    let items = shown.get_mut("items").and_then(Value::as_array_mut);
    for fields in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        fields.remove("name_salt");
    }
    Ok(Outcome::Done(shown))
}

pub fn user(act: &str, mut arguments: Arguments, data: Option<String>, as_json: bool) -> Answer {
    let request = match act {
        "terminate" => {
            let is_sure = arguments.switch("--yes") || as_json;
            let grace_ms = grace(&mut arguments)?;
            let address = arguments.word("the address")?;
            be_sure_of_an_end(is_sure, grace_ms, "user", &address)?;
            Request::UserTerminate { grace_ms, address }
        }
        "certificate" => return certificate::run(arguments, data, as_json),
        _ => Request::TerminationCancel { name: arguments.word("the address")? },
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    let answer = ask_on(&folder(data)?, &request, &grounds);
    if act == "terminate" { with_limits(answer) } else { answer }
}

pub fn hold(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let act = arguments.word(HOLD_ACTS)?;
    let request = match act.as_str() {
        "add" => Request::HoldAdd {
            reason: arguments.required("--reason")?,
            name: arguments.word("a tenant's name or a person's address")?,
        },
        "list" => Request::HoldList,
        "lift" => Request::HoldLift { id: arguments.word("the id of a hold")? },
        other => return Err(unknown(HOLD_ACTS, other.to_owned())),
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    match &request {
        Request::HoldLift { .. } => ask_on(&folder(data)?, &request, &grounds),
        request => ask(&folder(data)?, request),
    }
}

/// An end that can hardly be taken back any more is asked about.
fn be_sure_of_an_end(is_sure: bool, grace_ms: u64, whose: &str, name: &str) -> Result<(), Trouble> {
    let what = say(
        "猶予がなく、鍵はまもなく破棄され、何も元に戻せません",
        "without grace, its keys are destroyed soon and nothing of it comes back",
    );
    be_sure(is_sure || grace_ms >= A_DAY_MS, &format!("{whose} terminate"), name, what)
}

fn grace(arguments: &mut Arguments) -> Result<u64, Trouble> {
    arguments.option("--grace")?.map_or(Ok(GRACE_MS), |text| duration_ms(&text))
}

fn two_groups() -> Trouble {
    let hint = "first what is judged (--junk-from …), then what leaves (--send-in-a-day …)";
    Trouble::wrong_use("settings of one group: two commands set two groups", "both", hint)
}

fn settings(arguments: &mut Arguments) -> Result<Request, Trouble> {
    let mut mark = |name: &str| mark(arguments, name);
    let (tag_from, junk_from) = (mark("--tag-from")?, mark("--junk-from")?);
    let (quarantine_from, refuse_from) = (mark("--quarantine-from")?, mark("--refuse-from")?);
    let is_set = arguments.holds(JUDGEMENT)
        || [tag_from, junk_from].iter().any(Option::is_some)
        || [quarantine_from, refuse_from].iter().any(Option::is_some);
    let request = Request::TenantSet {
        tag_from,
        junk_from,
        quarantine_from,
        refuse_from,
        obey_dmarc: switch(arguments.option("--obey-dmarc")?)?,
        greylist: switch(arguments.option("--greylist")?)?,
        trust_sealers: arguments.options("--trust-sealer")?,
        distrust_sealers: arguments.options("--distrust-sealer")?,
        name: arguments.word("the tenant's name")?,
    };
    match is_set {
        true => Ok(request),
        false => Err(nothing_to_set("--junk-from 6.0, --send-in-a-day 5000, …: `help tenant set`")),
    }
}

fn mark(arguments: &mut Arguments, name: &str) -> Result<Option<f32>, Trouble> {
    const SHAPE: &str = "a mark from 0 to 1000, such as 6.0";
    match arguments.parsed::<f32>(name, SHAPE)? {
        // What is no number, or infinite, is in no range.
        Some(mark) if !MARKS.contains(&mark) => {
            Err(Trouble::wrong_use(SHAPE, mark.to_string(), &format!("{name} 6.0")))
        }
        mark => Ok(mark),
    }
}

fn switch(word: Option<String>) -> Result<Option<bool>, Trouble> {
    match word.as_deref() {
        None => Ok(None),
        Some("on" | "true") => Ok(Some(true)),
        Some("off" | "false") => Ok(Some(false)),
        Some(other) => Err(unknown("on or off", other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{settings, tenant};
    use crate::arguments::Arguments;
    use crate::outcome::Trouble;
    use wire::admin::Request;

    fn typed(text: &str) -> Arguments {
        Arguments::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn a_mark_is_a_number_in_its_range() {
        let check = |mark: &str, expected: Option<f32>| {
            let found = settings(&mut typed(&format!("acme --junk-from {mark}")));
            let found = found.ok().and_then(|request| match request {
                Request::TenantSet { junk_from, .. } => junk_from,
                _ => None,
            });
            assert_eq!(found, expected, "{mark}");
        };
        check("6.0", Some(6.0));
        check("0", Some(0.0));
        check("1000", Some(1_000.0));
        for wrong in ["NaN", "inf", "-inf", "1e308", "1000.1", "-1", "six"] {
            check(wrong, None);
        }
    }

    #[test]
    fn two_groups_are_two_commands() {
        let words = typed("acme --send-in-a-day 1000 --junk-from 6.0");
        let Err(Trouble::WrongUse { expected, .. }) = tenant("set", words, None, false) else {
            panic!("no wrong use");
        };
        assert!(expected.contains("two commands"), "{expected}");
    }
}
