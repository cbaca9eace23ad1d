//! `sekisho scope … --people | --messages`: whose, one by one, so that each can be told; as a
//! stream of lines, however many they are.

use super::evidence::fault;
use super::losses;
use super::named::Names;
use crate::outcome::{Answer, Outcome};
use crate::printing::{self, on_a_terminal};
use ::scope::{Language, Question, tell_message, tell_person};
use annals::{Index, Naming, Told};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;
use terms::UserId;

/// What is told, and how.
pub struct Wish {
    pub with_messages: bool,
    pub as_json: bool,
    pub language: Language,
}

/// What was counted, for the last line: a list that was cut off has none.
#[derive(Default)]
struct Counts {
    people: u64,
    messages: u64,
}

/// Lists everybody whom a scope counts.
pub fn tell(
    data: &Path,
    index: &Index,
    question: &Question,
    proven: &::scope::Proven,
    wish: &Wish,
) -> Answer {
    let naming = Naming::default();
    index.list(question, &naming).map_err(fault)?;
    let whose = naming.settle(wish.with_messages).map_err(fault)?;
    let mut people: HashSet<UserId> = whose.people().map(|one| one.user).collect();
    people.extend(losses::who_knew(&proven.losses));
    let names = Names::ask(data, &people);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (mut counts, mut broken) = (Counts::default(), None);
    let is_japanese = wish.language == Language::Japanese;
    let is_lower = proven.losses.iter().any(|one| one.from_ms < question.to_ms);
    if is_lower && !wish.as_json {
        let label = wish.language.say("注意", "attention");
        broken = writeln!(out, "{label}: {}", ::scope::lower_bound(wish.language)).err();
    }
    whose
        .each(|told| {
            let line = counts.line(told, &names, wish);
            broken = writeln!(out, "{}", on_a_terminal(&line)).err();
            broken.is_none()
        })
        .map_err(fault)?;
    if broken.is_none() {
        let last = counts.last(proven, wish, is_lower);
        let lost = match wish.as_json {
            true => String::new(),
            false => ::scope::tell_losses(&proven.losses, wish.language),
        };
        let lost = losses::named(lost, &proven.losses, &names, is_japanese);
        broken = writeln!(out, "{}", on_a_terminal(&last)).err();
        broken = broken.or_else(|| write!(out, "{}", on_a_terminal(&lost)).err());
        broken = broken.or(out.flush().err());
    }
    let is_wanting = proven.checked.word() == "wanting";
    match broken {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Told(0)),
        Some(error) => Err(fault(error)),
        None => {
            if let Some(note) = names.note(is_japanese).filter(|_| !wish.as_json) {
                println!("{note}");
            }
            Ok(Outcome::Told(u8::from(is_wanting)))
        }
    }
}

impl Counts {
    fn line(&mut self, told: Told, names: &Names, wish: &Wish) -> String {
        let is_japanese = wish.language == Language::Japanese;
        let value = match told {
            Told::Person(one) => {
                self.people += 1;
                if !wish.as_json {
                    let tenant = one.tenant.to_string();
                    let tenant = names.tenant(&tenant, is_japanese).unwrap_or(tenant);
                    let person = names.person(&one.user.to_string(), is_japanese);
                    return tell_person(one, wish.language, &tenant, &person);
                }
                serde_json::to_value(one.line())
            }
            Told::Message(one) => {
                self.messages += 1;
                if !wish.as_json {
                    return tell_message(one, wish.language);
                }
                serde_json::to_value(one.line())
            }
        };
        let mut value = value.unwrap_or(Value::Null);
        names.beside(&mut value);
        printing::json(&value)
    }

    fn last(&self, proven: &::scope::Proven, wish: &Wish, lower_bound: bool) -> String {
        let Self { people, messages } = self;
        let (entries, root) = (proven.entries, &proven.root);
        if wish.as_json {
            let messages = wish.with_messages.then_some(messages);
            let checked = proven.checked.word();
            let problems = proven.checked.problems();
            let (row, verified) = ("end", proven.checked.is_right() && !lower_bound);
            let line = json!({
                "row": row, "people": people, "messages": messages, "entries": entries,
                "root": root, "verified": verified, "checked": checked, "problems": problems,
                "losses": proven.losses, "lower_bound": lower_bound,
            })
            .to_string();
            return printing::json_line(line);
        }
        match (wish.language, wish.with_messages) {
            (Language::Japanese, true) => {
                format!("計 {people} 名、延べ {messages} 通 · 根拠 {entries} 件 · {root}")
            }
            (Language::Japanese, false) => format!("計 {people} 名 · 根拠 {entries} 件 · {root}"),
            (Language::English, true) => format!(
                "{people} people, {messages} messages (one for each of its people) · basis \
                 {entries} entries · {root}"
            ),
            (Language::English, false) => {
                format!("{people} people · basis {entries} entries · {root}")
            }
        }
    }
}
