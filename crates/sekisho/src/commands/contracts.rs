//! Contracts as they change and end: settings, termination, holds, certificates.

use super::grounds::{self, duration_ms};
use super::people::{folder, unknown};
use super::watch::be_sure;
use super::{certificate, outgoing, remains};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on};
use crate::demo::screen::say;
use crate::outcome::Answer;
use wire::admin::Request;

/// A month: long enough to change one's mind, and to fetch one's mail.
const GRACE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Less than this is no time to change one's mind in.
const A_DAY_MS: u64 = 24 * 60 * 60 * 1000;
const HOLD_ACTS: &str = "add, list or lift";

pub fn tenant(act: &str, mut arguments: Arguments, data: Option<String>, as_json: bool) -> Answer {
    let request = match act {
        "set" => match outgoing::change(&mut arguments)? {
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
        _ => Request::Endings,
    };
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    ask_on(&folder(data)?, &request, &grounds)
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
    ask_on(&folder(data)?, &request, &grounds)
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
fn be_sure_of_an_end(
    is_sure: bool,
    grace_ms: u64,
    whose: &str,
    name: &str,
) -> Result<(), crate::outcome::Trouble> {
    let what = say(
        "猶予がなく、鍵はまもなく破棄され、何も元に戻せません",
        "without grace, its keys are destroyed soon and nothing of it comes back",
    );
    be_sure(is_sure || grace_ms >= A_DAY_MS, &format!("{whose} terminate"), name, what)
}

fn grace(arguments: &mut Arguments) -> Result<u64, crate::outcome::Trouble> {
    arguments.option("--grace")?.map_or(Ok(GRACE_MS), |text| duration_ms(&text))
}

fn settings(arguments: &mut Arguments) -> Result<Request, crate::outcome::Trouble> {
    let mut mark = |name: &str| arguments.parsed::<f32>(name, "a mark such as 6.0");
    let (tag_from, junk_from) = (mark("--tag-from")?, mark("--junk-from")?);
    let (quarantine_from, refuse_from) = (mark("--quarantine-from")?, mark("--refuse-from")?);
    Ok(Request::TenantSet {
        tag_from,
        junk_from,
        quarantine_from,
        refuse_from,
        obey_dmarc: switch(arguments.option("--obey-dmarc")?)?,
        greylist: switch(arguments.option("--greylist")?)?,
        trust_sealers: arguments.options("--trust-sealer")?,
        distrust_sealers: arguments.options("--distrust-sealer")?,
        name: arguments.word("the tenant's name")?,
    })
}

fn switch(word: Option<String>) -> Result<Option<bool>, crate::outcome::Trouble> {
    match word.as_deref() {
        None => Ok(None),
        Some("on" | "true") => Ok(Some(true)),
        Some("off" | "false") => Ok(Some(false)),
        Some(other) => Err(unknown("on or off", other.to_owned())),
    }
}
