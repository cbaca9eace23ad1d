//! Reports of others about our mail: as the scanner makes them of a message, as the edge tells the
//! directory of them, and as they are kept and shown.
//!
//! Whatever a stranger wrote is cut to a few words in one line: see [`Report::bounded`].

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use terms::{MessageId, UserId};

/// Letters of a stranger's words, and octets of a host's or domain's name.
const WORDS: usize = 100;
const NAME: usize = 255;
/// Letters of a message id (RFC 5322 §2.1.1), and of a word of a standard.
const ID: usize = 250;
const WORD: usize = 40;
/// Policies of one TLS report, ways to fail of all of them together, and recipients of one notice
/// that are told apart.
const POLICIES: usize = 16;
const FAILURES: usize = 40;
const VICTIMS: usize = 16;

/// One report, understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// How TLS fared with us (RFC 8460).
    Tls(TlsReport),
    /// Somebody complained about mail (RFC 5965).
    Feedback(Feedback),
    /// Mail came back after it had been taken (RFC 3464, and what others write).
    Returned(Returned),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsReport {
    pub organisation: String,
    /// Its own name, by which it is known when it comes again.
    pub id: String,
    /// Seconds since 1970.
    pub begin_s: u64,
    pub end_s: u64,
    pub policies: Vec<TlsPolicy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsPolicy {
    pub kind: TlsPolicyKind,
    pub domain: String,
    /// Sessions.
    pub successful: u64,
    pub failed: u64,
    pub failures: Vec<TlsFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsPolicyKind {
    Tlsa,
    Sts,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    /// A word of RFC 8460 §4.3.
    pub what: String,
    /// The host of ours; empty: not said.
    pub mx: String,
    pub sessions: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// A word of RFC 5965 §7.3: `abuse`, `fraud`, `virus`, `not-spam`, `other`.
    pub kind: String,
    /// The program that wrote it.
    pub agent: String,
    /// The Message-ID of the mail, without its brackets; empty: not said.
    pub about: String,
    /// The domain of whoever got the mail; who it was is nobody's to keep.
    pub reader: String,
    pub source_ip: Option<IpAddr>,
    /// Seconds since 1970.
    pub arrived_s: Option<u64>,
    /// Complaints that this one stands for.
    pub incidents: u32,
}

impl Feedback {
    /// Whether it speaks against the sender.
    pub fn is_complaint(&self) -> bool {
        matches!(self.kind.as_str(), "abuse" | "fraud" | "virus" | "other" | "")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// It is only late.
    pub is_late: bool,
    pub about: String,
    pub victims: Vec<Victim>,
}

/// Somebody whom it did not reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    pub domain: String,
    pub status: Option<(u8, u16, u16)>,
    /// One of `notice`'s words for reasons.
    pub reason: String,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Tls,
    Feedback,
    Returned,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Tls, Self::Feedback, Self::Returned];

    pub fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Feedback => "feedback",
            Self::Returned => "returned",
        }
    }
}

impl Report {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Tls(_) => Kind::Tls,
            Self::Feedback(_) => Kind::Feedback,
            Self::Returned(_) => Kind::Returned,
        }
    }

    /// The mail that it is about, if it is about one.
    pub fn about(&self) -> Option<&str> {
        let about = match self {
            Self::Tls(_) => return None,
            Self::Feedback(feedback) => &feedback.about,
            Self::Returned(returned) => &returned.about,
        };
        (!about.is_empty()).then_some(about.as_str())
    }

    /// The same, with no more of it than is kept: whoever hands it on may have been taken over.
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Tls(report) => report.bound(),
            Self::Feedback(feedback) => feedback.bound(),
            Self::Returned(returned) => returned.bound(),
        }
        self
    }
}

impl TlsReport {
    fn bound(&mut self) {
        (self.organisation, self.id) = (cut(&self.organisation, WORDS), cut(&self.id, ID));
        self.policies.truncate(POLICIES);
        let mut left = FAILURES;
        for policy in &mut self.policies {
            policy.domain = name(&policy.domain);
            policy.failures.truncate(left);
            left -= policy.failures.len();
            for failure in &mut policy.failures {
                (failure.what, failure.mx) = (cut(&failure.what, WORD), name(&failure.mx));
            }
        }
    }
}

impl Feedback {
    fn bound(&mut self) {
        self.kind = cut(&self.kind, WORD).to_lowercase();
        (self.agent, self.about) = (cut(&self.agent, WORDS), cut(&self.about, ID));
        self.reader = name(&self.reader);
    }
}

impl Returned {
    fn bound(&mut self) {
        self.about = cut(&self.about, ID);
        self.victims.truncate(VICTIMS);
        for victim in &mut self.victims {
            (victim.domain, victim.reason) = (name(&victim.domain), cut(&victim.reason, WORD));
        }
    }
}

/// One line, without letters that are not seen or turn others around.
fn cut(text: &str, letters: usize) -> String {
    text.trim().chars().filter(|one| !terms::plain::is_hidden(*one)).take(letters).collect()
}

/// A name of a host or a domain, or nothing.
fn name(text: &str) -> String {
    let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_of_name = |one: char| one.is_alphanumeric() || ".-_*:[]".contains(one);
    let is_name = text.len() <= NAME && text.chars().all(is_of_name);
    if is_name { text } else { String::new() }
}

/// From `edge`: a report came to an address of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub to: String,
    /// The domain in From.
    pub by: String,
    /// It is proven to be that domain's: a TLS report by its signature (RFC 8460 §3), others as
    /// DMARC has it.
    pub is_proven: bool,
    /// `trace::digest` of its own Message-ID; zeros: it has none.
    pub own: [u8; 32],
    pub report: Report,
}

/// What the directory made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noted {
    /// Now, or when it came before.
    Kept,
    /// It is about nothing of this tenant's.
    Foreign,
    /// Enough for this hour.
    Full,
    Later,
}

/// A message of ours, and in whose name it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub message: MessageId,
    pub user: UserId,
    /// Somebody else wrote it; it went on by this person's forward.
    pub is_passed_on: bool,
}

/// One that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub id: [u8; 16],
    pub tenant: String,
    pub at_ms: u64,
    pub to: String,
    pub by: String,
    pub is_proven: bool,
    pub report: Report,
    /// The mail of ours that it is about.
    pub sent: Option<Sent>,
    /// Complaints about this sender in the thirty days before now.
    pub complaints: u32,
}

/// From `admin`: which reports, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    List {
        tenant: Option<String>,
        domain: Option<String>,
        kind: Option<Kind>,
        after: Option<[u8; 16]>,
    },
    Show([u8; 16]),
    /// About messages that `trace` finds by one of these tokens.
    About(Vec<[u8; 16]>),
}

/// A page of them, and where the next begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub items: Vec<Kept>,
    pub next: Option<[u8; 16]>,
}

/// Local parts at which reports are taken of every domain, whether or not somebody has the
/// address. `tls-reports` stands in the record that `domain check` proposes; `abuse` is where RFC
/// 2142 §4 has complaints sent, and `fbl` is what feedback loops are given.
pub const REPORTS_TO: &str = "tls-reports";
const REPORT_ADDRESSES: [&str; 3] = [REPORTS_TO, "abuse", "fbl"];

/// Whether nobody need have this address (as the directory spells it) for reports to be taken
/// there.
pub fn takes_reports(address: &str) -> bool {
    let local = address.rsplit_once('@').map(|(local, _)| local);
    local.is_some_and(|local| REPORT_ADDRESSES.contains(&local))
}

/// Whether reports that come to this address are the tenant's, and not only whose it is.
pub fn is_for_reports(address: &str) -> bool {
    takes_reports(address) || address.starts_with("postmaster@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_words_are_few_and_in_one_line() {
        let long = "x\u{202e}\r\n".repeat(10_000);
        let failure = TlsFailure { what: long.clone(), mx: "MX1.A.example.".into(), sessions: 1 };
        let policy = TlsPolicy {
            kind: TlsPolicyKind::Sts,
            domain: "a b.example".into(),
            successful: u64::MAX,
            failed: 3,
            failures: vec![failure; 30],
        };
        let report = Report::Tls(TlsReport {
            organisation: long.clone(),
            id: long.clone(),
            begin_s: 0,
            end_s: u64::MAX,
            policies: vec![policy; 100],
        });
        let bounded = report.bounded();
        let Report::Tls(tls) = &bounded else { panic!("another kind") };
        assert_eq!((tls.organisation.len(), tls.id.len(), tls.policies.len()), (100, 250, 16));
        let failures = tls.policies.iter().map(|policy| policy.failures.len());
        assert_eq!(failures.collect::<Vec<_>>()[..3], [30, 10, 0]);
        assert_eq!(tls.policies[0].domain, "");
        assert_eq!(tls.policies[0].failures[0].mx, "mx1.a.example");
        assert_eq!(bounded.clone().bounded(), bounded);
        assert!(postcard::to_stdvec(&bounded).unwrap().len() < 20_000);
        let feedback = Feedback {
            kind: "Abuse".into(),
            agent: long.clone(),
            about: long,
            reader: "There.example".into(),
            source_ip: None,
            arrived_s: None,
            incidents: 1,
        };
        let Report::Feedback(feedback) = Report::Feedback(feedback).bounded() else { panic!() };
        assert_eq!((feedback.kind.as_str(), feedback.reader.as_str()), ("abuse", "there.example"));
        assert_eq!((feedback.agent.len(), feedback.about.len()), (100, 250));
    }

    #[test]
    fn addresses_of_reports() {
        let check = |address: &str, takes: bool, is_for: bool| {
            assert_eq!((takes_reports(address), is_for_reports(address)), (takes, is_for));
        };
        check("tls-reports@a.example", true, true);
        check("abuse@a.example", true, true);
        check("fbl@a.example", true, true);
        check("postmaster@a.example", false, true);
        check("aoi@a.example", false, false);
        check("abuse", false, false);
    }
}
