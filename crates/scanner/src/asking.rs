//! Questions to the DNS, asked up the one channel that a scanner has.

use mailauth::{Answer, Record, RecordKind, Resolver};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use wire::Channel;
use wire::names::{self, Outcome, Question};
use wire::scanner::{FromScanner, ToScanner};

/// How long one answer may take: `names` gives up before.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// All answers of one message; RFC 7208 §4.6.4 asks for at least 20 seconds.
const ALL_ANSWERS_LIMIT: Duration = Duration::from_secs(20);

/// Answers are remembered this long at most, within one instance and one `edge`: it asks the same
/// again for each message of a sender, and each question costs four switches between processes.
const REMEMBERED: Duration = Duration::from_secs(30);
const REMEMBERED_ANSWERS: usize = 64;

/// What was answered lately.
#[derive(Default)]
pub(crate) struct Remembered(HashMap<Question, (Instant, names::Answer)>);

impl Remembered {
    fn find(&self, question: &Question) -> Option<names::Answer> {
        let (until, answer) = self.0.get(question)?;
        (Instant::now() < *until).then(|| answer.clone())
    }

    fn note(&mut self, question: Question, answer: &names::Answer) {
        let ttl = Duration::from_secs(answer.ttl_seconds.into()).min(REMEMBERED);
        if answer.outcome.is_failure() || ttl.is_zero() {
            return;
        }
        if self.0.len() >= REMEMBERED_ANSWERS {
            self.0.clear();
        }
        self.0.insert(question, (Instant::now() + ttl, answer.clone()));
    }
}

/// A resolver that asks `edge`, one question at a time.
pub(crate) struct Asking<'c> {
    edge: &'c Channel,
    remembered: &'c mut Remembered,
    /// Of the last frame that came: what we send answers it.
    call: u32,
    left: Duration,
    /// Once `edge` was silent or gone, no further question is asked for this message.
    given_up: bool,
}

impl<'c> Asking<'c> {
    pub(crate) fn new(edge: &'c Channel, call: u32, remembered: &'c mut Remembered) -> Self {
        Self { edge, remembered, call, left: ALL_ANSWERS_LIMIT, given_up: false }
    }

    pub(crate) fn call(&self) -> u32 {
        self.call
    }

    fn put(&mut self, question: Question) -> Option<names::Answer> {
        if let Some(answer) = self.remembered.find(&question) {
            return Some(answer);
        }
        let begin = Instant::now();
        self.edge.send(self.call, &FromScanner::Question(question.clone()), &[]).ok()?;
        let frame = self.edge.receive(Some(ANSWER_LIMIT.min(self.left))).ok()?;
        self.left = self.left.saturating_sub(begin.elapsed());
        self.call = frame.call;
        match frame.read().ok()? {
            ToScanner::Answer(answer) => {
                self.remembered.note(question, &answer);
                Some(answer)
            }
            ToScanner::Examine(_) => None,
        }
    }
}

impl Resolver for Asking<'_> {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        if self.given_up || self.left.is_zero() {
            return Answer::Failed;
        }
        match self.put(question_to_wire(name, kind)) {
            Some(answer) => answer_from_wire(answer),
            None => {
                self.given_up = true;
                Answer::Failed
            }
        }
    }
}

/// Answers nothing: for `scan --auth none`, where nothing is asked.
pub struct NoDns;

impl Resolver for NoDns {
    fn ask(&mut self, _: &str, _: RecordKind) -> Answer {
        Answer::Failed
    }
}

/// A question of sender authentication in the words of `names`.
pub fn question_to_wire(name: &str, kind: RecordKind) -> Question {
    let kind = match kind {
        RecordKind::Text => names::RecordKind::Txt,
        RecordKind::Address4 => names::RecordKind::A,
        RecordKind::Address6 => names::RecordKind::Aaaa,
        RecordKind::Exchange => names::RecordKind::Mx,
        RecordKind::Pointer => names::RecordKind::Ptr,
    };
    Question { name: name.to_owned(), kind }
}

/// An answer of `names` in the words of sender authentication. What a signed zone did not sign
/// is no answer.
pub fn answer_from_wire(answer: names::Answer) -> Answer {
    if answer.security == names::Security::Bogus {
        return Answer::Failed;
    }
    match answer.outcome {
        Outcome::Records(records) => {
            Answer::Records(records.into_iter().filter_map(record).collect())
        }
        Outcome::NoRecords => Answer::NoRecords,
        Outcome::NoSuchName => Answer::NoSuchName,
        Outcome::Failed | Outcome::Unanswered => Answer::Failed,
    }
}

/// What sender authentication never asks for it does not know.
fn record(record: names::Record) -> Option<Record> {
    Some(match record {
        names::Record::A(address) => Record::Address(IpAddr::V4(address)),
        names::Record::Aaaa(address) => Record::Address(IpAddr::V6(address)),
        names::Record::Mx { preference, host } => Record::Exchange { preference, host },
        names::Record::Txt(text) => Record::Text(text),
        names::Record::Ptr(name) => Record::Pointer(name),
        names::Record::Tlsa { .. } | names::Record::Srv { .. } => return None,
    })
}
