//! `sekisho reports`: what others report about our mail, in words.

use super::people::{folder, unknown};
use crate::arguments::Arguments;
use crate::client::ask;
use crate::demo::screen::say;
use crate::outcome::{Answer, Trouble};
use wire::admin::Request;

const ACTS: &str = "list or show";

pub fn reports(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let language = arguments.choice("--lang", &["ja", "en"])?;
    let request = match arguments.word(ACTS)?.as_str() {
        "list" => {
            let tenant = arguments.option("--tenant")?;
            let domain = arguments.option("--domain")?;
            if tenant.is_some() && domain.is_some() {
                let hint = "a domain belongs to one tenant";
                return Err(Trouble::wrong_use("--tenant or --domain", "both", hint));
            }
            let kind = arguments.choice("--kind", &["tls", "feedback", "returned"])?;
            Request::ReportsList { tenant, domain, kind, after: arguments.option("--after")? }
        }
        "show" => Request::ReportsShow { id: arguments.word("the id of a report")? },
        other => return Err(unknown(ACTS, other.to_owned())),
    };
    arguments.finish()?;
    let answer = ask(&folder(data)?, &request)?;
    // Programs get both languages unless they ask for one.
    Ok(match (language, as_json) {
        (None, true) => answer,
        (language, _) => {
            let language = language.as_deref().unwrap_or(say("ja", "en"));
            answer.in_one_language(language == "ja")
        }
    })
}
