//! Questions to `names`: many at once, each once, and all of them within a time.

use crate::peers::{Peers, Refusal};
use mailauth::{Answer as Told, Record as MailRecord, RecordKind as MailKind, Resolver};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::names::{Answer, Outcome, Question, Record, RecordKind, Security};

/// For all questions of one command: its caller waits.
const PATIENCE: Duration = Duration::from_secs(40);
/// `names` gives up on a question after six seconds.
const ANSWER_PATIENCE: Duration = Duration::from_secs(8);

/// Whoever answers.
pub trait Dns {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer;

    fn records(&mut self, name: &str, kind: RecordKind) -> Found {
        match self.ask(name, kind).outcome {
            Outcome::Records(records) => Found::Records(records),
            Outcome::NoRecords | Outcome::NoSuchName => Found::Records(Vec::new()),
            Outcome::Failed | Outcome::Unanswered => Found::Failed,
        }
    }

    /// The addresses of a host; `None`: nobody could say.
    fn addresses(&mut self, host: &str) -> Option<Vec<IpAddr>> {
        let mut all = Vec::new();
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            let Found::Records(records) = self.records(host, kind) else { return None };
            all.extend(records.iter().filter_map(|record| match record {
                Record::A(address) => Some(IpAddr::from(*address)),
                Record::Aaaa(address) => Some(IpAddr::from(*address)),
                _ => None,
            }));
        }
        Some(all)
    }

    fn texts(&mut self, name: &str) -> Option<Vec<Vec<u8>>> {
        let Found::Records(records) = self.records(name, RecordKind::Txt) else { return None };
        let text = |record| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        };
        Some(records.into_iter().filter_map(text).collect())
    }
}

pub enum Found {
    /// None of that kind is an empty list.
    Records(Vec<Record>),
    Failed,
}

/// The running service's `names`.
pub struct Asking<'p, 'h> {
    peers: &'p mut Peers<'h>,
    known: HashMap<(String, RecordKind), Answer>,
    until: Instant,
}

impl<'p, 'h> Asking<'p, 'h> {
    pub fn new(peers: &'p mut Peers<'h>) -> Self {
        Self { peers, known: HashMap::new(), until: Instant::now() + PATIENCE }
    }

    /// Asks many questions at once: a silent server costs its time once, not for each.
    pub fn ask_all(&mut self, questions: &[(String, RecordKind)]) -> Result<(), Refusal> {
        let channel = self.peers.channel(Kind::Names)?;
        let away = |_| Refusal::Fault("names is away; try again in a moment".to_owned());
        let mut asked = HashMap::new();
        for (name, kind) in questions {
            let call = channel.next_call();
            let question = Question { name: name.clone(), kind: *kind };
            channel.send(call, &question, &[]).map_err(away)?;
            asked.insert(call, (name.to_ascii_lowercase(), *kind));
        }
        let until = Instant::now() + ANSWER_PATIENCE;
        while !asked.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(frame) = channel.receive(Some(left)) else { break };
            let Some(question) = asked.remove(&frame.call) else { continue };
            self.known.insert(question, frame.read().map_err(away)?);
        }
        Ok(())
    }
}

impl Dns for Asking<'_, '_> {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(known) = self.known.get(&(name.clone(), kind)) {
            return known.clone();
        }
        let failed =
            Answer { outcome: Outcome::Failed, security: Security::Insecure, ttl_seconds: 0 };
        if Instant::now() > self.until {
            return failed;
        }
        let question = Question { name: name.clone(), kind };
        let answer = self.peers.ask(Kind::Names, &question).unwrap_or(failed);
        self.known.insert((name, kind), answer.clone());
        answer
    }
}

/// The same, as the reader of SPF asks.
pub struct ForMail<'d>(pub &'d mut dyn Dns);

impl Resolver for ForMail<'_> {
    fn ask(&mut self, name: &str, kind: MailKind) -> Told {
        let kind = match kind {
            MailKind::Text => RecordKind::Txt,
            MailKind::Address4 => RecordKind::A,
            MailKind::Address6 => RecordKind::Aaaa,
            MailKind::Exchange => RecordKind::Mx,
            MailKind::Pointer => RecordKind::Ptr,
        };
        match self.0.ask(name, kind).outcome {
            Outcome::Failed | Outcome::Unanswered => Told::Failed,
            Outcome::NoSuchName => Told::NoSuchName,
            Outcome::NoRecords => Told::NoRecords,
            Outcome::Records(records) => {
                Told::Records(records.into_iter().filter_map(for_mail).collect())
            }
        }
    }
}

fn for_mail(record: Record) -> Option<MailRecord> {
    Some(match record {
        Record::A(address) => MailRecord::Address(address.into()),
        Record::Aaaa(address) => MailRecord::Address(address.into()),
        Record::Mx { preference, host } => MailRecord::Exchange { preference, host },
        Record::Txt(text) => MailRecord::Text(text),
        Record::Ptr(name) => MailRecord::Pointer(name),
        Record::Tlsa { .. } | Record::Srv { .. } => return None,
    })
}
