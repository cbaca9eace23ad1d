//! Whose, one by one: every message of everybody as it is counted, for whoever must say it to them.

use crate::counted::Mark;
use crate::shares::Class;
use crate::words::{Language, class};
use evidence::rfc3339;
use serde::Serialize;
use terms::{MessageId, TenantId, UserId};

/// Something of somebody's that counts. The same message comes once for each reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub tenant: TenantId,
    pub user: UserId,
    /// `None`: something that is no message, such as the secret of a sign-in.
    pub message: Option<MessageId>,
    /// When it passed, was released, or, of what could be opened, was kept.
    pub at_ms: u64,
    /// The entry that says it.
    pub entry: u64,
    /// One bit for each of `addresses`, `headers`, `bodies`, `verifiers`, `credentials`.
    pub classes: u8,
    pub mark: Mark,
}

/// Is told of everything that counts, in no order.
pub trait List {
    fn take(&mut self, one: &Listed);
}

impl Listed {
    /// How a message counts: `opened` where its key was certainly handed out, `passed` where it
    /// came through their hands, `could` where keys that they held open it.
    pub fn how(&self) -> &'static str {
        match self.mark {
            mark if mark.is_certain() => "opened",
            mark if mark.has_counted() => "passed",
            _ => "could",
        }
    }

    /// For programs.
    pub fn line(&self) -> Option<MessageLine> {
        Some(MessageLine {
            row: "message",
            tenant: self.tenant.to_string(),
            user: self.user.to_string(),
            id: self.message?.to_string(),
            at: rfc3339(self.at_ms),
            entry: self.entry,
            what: Class::words(self.classes),
            how: self.how(),
        })
    }
}

/// A message of somebody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageLine {
    pub row: &'static str,
    pub tenant: String,
    pub user: String,
    pub id: String,
    /// The first time at which it counted, and the entry that says it.
    pub at: String,
    pub entry: u64,
    /// Of `addresses`, `headers`, `bodies`.
    pub what: Vec<&'static str>,
    pub how: &'static str,
}

/// What counts of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theirs {
    pub tenant: TenantId,
    pub user: UserId,
    pub opened: u64,
    pub passed: u64,
    pub could: u64,
    pub classes: u8,
    pub first_ms: u64,
    pub last_ms: u64,
}

impl Theirs {
    pub fn of(one: &Listed) -> Self {
        let (tenant, user) = (one.tenant, one.user);
        let (opened, passed, could, classes) = (0, 0, 0, 0);
        let (first_ms, last_ms) = (one.at_ms, one.at_ms);
        Self { tenant, user, opened, passed, could, classes, first_ms, last_ms }
    }

    /// Adds a message, once, or something else of theirs.
    pub fn add(&mut self, one: &Listed) {
        self.classes |= one.classes;
        self.first_ms = self.first_ms.min(one.at_ms);
        self.last_ms = self.last_ms.max(one.at_ms);
        if one.message.is_some() {
            let count = match one.how() {
                "opened" => &mut self.opened,
                "passed" => &mut self.passed,
                _ => &mut self.could,
            };
            *count += 1;
        }
    }

    pub fn messages(&self) -> u64 {
        self.opened + self.passed + self.could
    }

    /// For programs.
    pub fn line(&self) -> PersonLine {
        PersonLine {
            row: "person",
            tenant: self.tenant.to_string(),
            user: self.user.to_string(),
            messages: self.messages(),
            opened: self.opened,
            passed: self.passed,
            could: self.could,
            what: Class::words(self.classes),
            first: rfc3339(self.first_ms),
            last: rfc3339(self.last_ms),
        }
    }
}

/// Somebody, and how much of theirs counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonLine {
    pub row: &'static str,
    pub tenant: String,
    pub user: String,
    /// Distinct messages: those opened, those that only passed, those that only could be opened.
    pub messages: u64,
    pub opened: u64,
    pub passed: u64,
    pub could: u64,
    /// Of `addresses`, `headers`, `bodies`, `verifiers`, `credentials`.
    pub what: Vec<&'static str>,
    pub first: String,
    pub last: String,
}

/// Somebody in a sentence.
pub fn tell_person(one: &Theirs, language: Language, tenant: &str, person: &str) -> String {
    let words: Vec<&str> =
        Class::words(one.classes).into_iter().map(|word| class(language, word)).collect();
    let Theirs { opened, passed, could, .. } = one;
    let (first, last) = (rfc3339(one.first_ms), rfc3339(one.last_ms));
    match language {
        Language::Japanese => format!(
            "{tenant} · {person}: メール {} 通（開示 {opened}、通過のみ {passed}、開示し得た \
             {could}）、{} · {first} – {last}",
            one.messages(),
            words.join("・"),
        ),
        Language::English => format!(
            "{tenant} · {person}: {} messages ({opened} opened, {passed} only passed, {could} \
             could have been opened): {} · {first} – {last}",
            one.messages(),
            words.join(", "),
        ),
    }
}

/// A message in a sentence.
pub fn tell_message(one: &Listed, language: Language) -> String {
    let what: Vec<&str> =
        Class::words(one.classes).into_iter().map(|word| class(language, word)).collect();
    let (how, entry) = match (one.how(), language) {
        ("opened", Language::Japanese) => ("開示", "証跡"),
        ("passed", Language::Japanese) => ("通過", "証跡"),
        (_, Language::Japanese) => ("開示し得た", "証跡"),
        ("opened", Language::English) => ("opened", "entry"),
        ("passed", Language::English) => ("passed", "entry"),
        (_, Language::English) => ("could have been opened", "entry"),
    };
    let id = one.message.map(|message| message.to_string()).unwrap_or_default();
    let what = what.join(language.say("・", ", "));
    format!("  {}  {id}  {what}: {how}  [{entry} {}]", rfc3339(one.at_ms), one.entry)
}
