//! How TLS fares, session by session, until the directory is told: one line for each domain and
//! policy (RFC 8460). Of a domain that wants no reports nothing is told, and nothing stays here.
//!
//! No letter waits for any of it: who wants reports is asked, and the directory told, when there
//! is nothing to carry.

use crate::conversation::Conversation;
use crate::neighbours::Neighbours;
use crate::trust::Watch;
use courier::Broken;
use route::{ReportAddress, Sts, Tlsa, report_addresses, report_resource};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::accepted::{self, Accepted};
use wire::directory::{FromDepart, ToDepart};
use wire::tls_report::{
    FAILURES, FINDINGS, FINDINGS_BYTES, Failure, Finding, Flaw, Policy, PolicyKind, RECEIVERS,
    STRINGS, plain,
};

/// Lines at once: far more destinations than an instance meets between two pauses. What is beyond
/// is not counted.
const LINES: usize = 128;
/// From so many on they are told although there is something to carry, or after so long.
const MANY: usize = LINES / 2;
/// Lines about who took what that wait at once: some seconds' of them.
const ACCEPTED: usize = 8 * accepted::LINES;
const OVERDUE: Duration = Duration::from_secs(60);
/// How long it is remembered where a domain wants its reports, and of how many.
const WANTED_TIME: Duration = Duration::from_secs(10 * 60);
const WANTED: usize = 512;
/// The directory commits what it is told.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(6);
/// Until the next attempt, when it took nothing.
const PAUSE: Duration = Duration::from_secs(2);
/// Before an instance leaves it may still ask and tell for so long.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a session failed, and what more there is to say of it.
pub(crate) type Why = (Flaw, String);

/// The policy under which sessions with a host are counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Applied {
    domain: String,
    policy: Policy,
    /// What was wrong before there was a connection: every session fails by it.
    pub flaw: Option<Why>,
}

impl Applied {
    pub(crate) fn with(&self, flaw: Option<Why>) -> Self {
        Self { flaw, ..self.clone() }
    }

    /// `sts`: a policy that says more than "none".
    pub(crate) fn of_domain(domain: &str, sts: Option<&Sts>, flaw: Option<Why>) -> Self {
        let kind = match (sts, &flaw) {
            (None, None) => PolicyKind::None,
            _ => PolicyKind::Sts,
        };
        let texts = |texts: Vec<String>| -> Vec<String> {
            texts.iter().take(STRINGS).map(|text| plain(text)).collect()
        };
        let strings = texts(sts.map(Sts::lines).unwrap_or_default());
        let hosts = texts(sts.map(|sts| sts.patterns.clone()).unwrap_or_default());
        Self { domain: domain.to_owned(), policy: Policy { kind, strings, hosts }, flaw }
    }

    /// DANE, before any other policy (RFC 8461 §2).
    pub(crate) fn by_records(&self, records: &[Tlsa], flaw: Option<Why>) -> Self {
        let strings = records.iter().take(STRINGS).map(|record| plain(&record.written())).collect();
        let policy = Policy { kind: PolicyKind::Tlsa, strings, hosts: Vec::new() };
        Self { domain: self.domain.clone(), policy, flaw }
    }
}

/// Between whom a session was.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub host: &'a str,
    pub at: Option<IpAddr>,
    pub from: Option<IpAddr>,
}

#[derive(Default)]
pub(crate) struct Tally {
    lines: Vec<Finding>,
    /// When the oldest of them was begun.
    since: Option<Instant>,
    not_before: Option<Instant>,
    /// Where domains want their reports; nowhere: they want none.
    wanted: HashMap<String, (Instant, Vec<String>)>,
    /// Who took what, to be told beside it.
    accepted: Vec<Accepted>,
}

impl Tally {
    /// Who took a leg. Beyond what an instance may hold it is not told.
    pub(crate) fn accept(&mut self, lines: Vec<Accepted>) {
        if !lines.is_empty() && self.accepted.len() < ACCEPTED {
            self.since.get_or_insert_with(Instant::now);
            self.accepted.extend(lines);
        }
    }

    /// One session. `why`: what was wrong with it beside what was wrong before.
    pub(crate) fn count(&mut self, applied: &Applied, session: Session<'_>, why: Option<Why>) {
        if self.wanted_by(&applied.domain).is_some_and(<[String]>::is_empty) {
            return;
        }
        let Some(line) = self.line(applied) else { return };
        match applied.flaw.clone().or(why) {
            None => line.good = line.good.saturating_add(1),
            Some(why) => add(line, session, why),
        }
    }

    fn line(&mut self, applied: &Applied) -> Option<&mut Finding> {
        let is_it = |line: &Finding| line.domain == applied.domain && line.policy == applied.policy;
        let place = match self.lines.iter().position(is_it) {
            Some(place) => place,
            None if self.lines.len() >= LINES => return None,
            None => {
                let (domain, policy) = (applied.domain.clone(), applied.policy.clone());
                let (to, failures) = (Vec::new(), Vec::new());
                self.lines.push(Finding { domain, to, policy, good: 0, failures, others: 0 });
                self.since.get_or_insert_with(Instant::now);
                self.lines.len() - 1
            }
        };
        self.lines.get_mut(place)
    }

    /// Where a domain wants its reports, if that is known.
    fn wanted_by(&self, domain: &str) -> Option<&[String]> {
        let known = self.wanted.get(domain).filter(|(until, _)| Instant::now() < *until);
        known.map(|(_, to)| to.as_slice())
    }

    /// The next domain of which it is not known.
    fn unasked(&self) -> Option<String> {
        let unknown = |line: &&Finding| self.wanted_by(&line.domain).is_none();
        self.lines.iter().find(unknown).map(|line| line.domain.clone())
    }

    fn learn(&mut self, domain: String, to: Vec<String>) {
        if to.is_empty() {
            self.lines.retain(|line| line.domain != domain);
        }
        if self.wanted.len() >= WANTED {
            self.wanted.clear();
        }
        self.wanted.insert(domain, (Instant::now() + WANTED_TIME, to));
        self.settle();
    }

    /// So many lines as go into one frame, each with its receivers.
    fn frame(&self) -> Vec<Finding> {
        let mut octets = 0;
        let with_receivers = self.lines.iter().take(FINDINGS).map(|line| {
            let to = self.wanted_by(&line.domain).unwrap_or_default().to_vec();
            Finding { to, ..line.clone() }
        });
        let fits = |line: &Finding| {
            octets += postcard::to_stdvec(line).map_or(0, |line| line.len());
            octets <= FINDINGS_BYTES
        };
        with_receivers.take_while(fits).collect()
    }

    fn told(&mut self, many: usize) {
        self.lines.drain(..many.min(self.lines.len()));
        self.settle();
    }

    fn settle(&mut self) {
        if self.lines.is_empty() && self.accepted.is_empty() {
            self.since = None;
        }
    }

    /// When there is something to tell, which gathers for so long.
    pub(crate) fn due(&self, gather: Duration) -> Option<Instant> {
        let gathered = self.since? + gather;
        Some(self.not_before.map_or(gathered, |not_before| gathered.max(not_before)))
    }

    /// Whether it does not wait until there is nothing to carry.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        let is_old = self.since.is_some_and(|since| since + OVERDUE <= now);
        let may = self.not_before.is_none_or(|not_before| not_before <= now);
        may && (is_old || self.lines.len() >= MANY || self.accepted.len() >= accepted::LINES)
    }
}

fn add(line: &mut Finding, session: Session<'_>, (flaw, reason): Why) {
    let Session { host, at, from } = session;
    let host = plain(host);
    let is_it =
        |one: &&mut Failure| (one.flaw, one.at, one.from) == (flaw, at, from) && one.host == host;
    let is_full = line.failures.len() >= FAILURES;
    match line.failures.iter_mut().find(is_it) {
        Some(known) => known.sessions = known.sessions.saturating_add(1),
        None if is_full => line.others = line.others.saturating_add(1),
        None => {
            let (reason, sessions) = (plain(&reason), 1);
            line.failures.push(Failure { flaw, host, at, from, reason, sessions });
        }
    }
}

/// How TLS fared in a session, for the tally; `Some(None)`: well. `None`: it did not come to that,
/// or this is the second attempt of one that is counted already.
pub(crate) fn fared(
    tls: courier::Tls,
    watch: &Watch,
    begun: Result<&Conversation, &Broken>,
) -> Option<Option<Why>> {
    if tls == courier::Tls::Never {
        return None;
    }
    let unoffered = |words: &str| Some(Some((Flaw::StartTlsNotSupported, words.to_owned())));
    match begun {
        _ if watch.is_secure() => Some(watch.amiss()),
        Ok(_) => unoffered(""),
        Err(Broken::NoTls(None)) => unoffered(""),
        Err(Broken::NoTls(Some(answer))) => unoffered(&answer.quoted()),
        Err(Broken::TlsFailed(why)) => {
            let other = || (Flaw::ValidationFailure, why.clone());
            Some(Some(watch.amiss().unwrap_or_else(other)))
        }
        Err(broken @ Broken::Injected) => Some(Some((Flaw::ValidationFailure, broken.words()))),
        Err(_) => None,
    }
}

impl Neighbours {
    /// One step: one domain is asked about, or one frame told. `false`: there was nothing to do.
    pub(crate) fn tend_tally(&mut self) -> bool {
        if !self.tally.accepted.is_empty() {
            return self.tell_accepted();
        }
        let Some(domain) = self.tally.unasked() else { return self.tell_tally() };
        let texts = self.texts(&format!("_smtp._tls.{domain}"));
        let usable = |address| match address {
            ReportAddress::Mail(mail) if smtp::Address::parse(&mail).is_some() => Some(mail),
            ReportAddress::Https(uri) if report_resource(&uri).is_some() => Some(uri),
            _ => None,
        };
        let to = report_addresses(&texts).into_iter().filter_map(usable);
        let to = to.filter(|to| plain(to) == *to).take(RECEIVERS).collect();
        self.tally.learn(domain, to);
        true
    }

    fn tell_tally(&mut self) -> bool {
        let findings = self.tally.frame();
        if findings.is_empty() {
            return false;
        }
        let many = findings.len();
        let is_noted = self.tell(&FromDepart::Tls(findings));
        if is_noted {
            self.tally.told(many);
        }
        is_noted
    }

    fn tell_accepted(&mut self) -> bool {
        let lines = self.tally.accepted.iter().take(accepted::LINES).cloned().collect::<Vec<_>>();
        let many = lines.len();
        let is_noted = self.tell(&FromDepart::Accepted(lines));
        if is_noted {
            self.tally.accepted.drain(..many);
            self.tally.settle();
        }
        is_noted
    }

    fn tell(&mut self, what: &FromDepart) -> bool {
        let told = self.ask(Kind::Directory, what, DIRECTORY_LIMIT);
        // Else it does not know yet whose we are, or is away.
        let is_noted = matches!(told, Ok(ToDepart::Noted));
        self.tally.not_before = (!is_noted).then(|| Instant::now() + PAUSE);
        is_noted
    }

    /// Before the end, what was not told yet.
    pub(crate) fn tell_the_rest(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        while Instant::now() < until && self.tend_tally() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(host: &str) -> Session<'_> {
        Session { host, at: Some([192, 0, 2, 1].into()), from: None }
    }

    fn applied(domain: &str) -> Applied {
        Applied::of_domain(domain, None, None)
    }

    #[test]
    fn sessions_become_lines() {
        let mut tally = Tally::default();
        let flaw = |flaw| Some((flaw, "why\r\n".to_owned()));
        for _ in 0..3 {
            tally.count(&applied("a.example"), session("mx"), None);
        }
        tally.count(&applied("a.example"), session("mx"), flaw(Flaw::StartTlsNotSupported));
        tally.count(&applied("a.example"), session("mx"), flaw(Flaw::StartTlsNotSupported));
        let before = Applied { flaw: flaw(Flaw::StsPolicyInvalid), ..applied("a.example") };
        tally.count(&before, session("mx"), None);
        tally.count(&applied("b.example"), session("mx"), None);
        let [a, b] = tally.lines.as_slice() else { panic!("{:?}", tally.lines) };
        assert_eq!((a.good, b.good, a.failures.len(), a.others), (3, 1, 2, 0));
        assert_eq!((a.failures[0].sessions, a.failures[0].reason.as_str()), (2, "why??"));
        assert_eq!(a.failures[1].flaw, Flaw::StsPolicyInvalid);
        assert!(a.is_sound());
    }

    #[test]
    fn a_tally_has_its_limits() {
        let mut tally = Tally::default();
        for number in 0..LINES + 10 {
            tally.count(&applied(&format!("{number}.example")), session("mx"), None);
        }
        for number in 0..FAILURES + 10 {
            let why = Some((Flaw::CertificateExpired, String::new()));
            tally.count(&applied("0.example"), session(&format!("mx{number}")), why);
        }
        assert_eq!(tally.lines.len(), LINES);
        assert_eq!((tally.lines[0].failures.len(), tally.lines[0].others), (FAILURES, 10));
        assert_eq!(tally.frame().len(), FINDINGS);
        assert!(tally.is_overdue(Instant::now()));
        tally.told(FINDINGS);
        assert_eq!(tally.lines.len(), LINES - FINDINGS);
        for number in 0..LINES {
            tally.learn(format!("{number}.example"), Vec::new());
        }
        assert!(tally.lines.is_empty() && tally.due(Duration::ZERO).is_none());
    }

    #[test]
    fn who_wants_nothing_is_not_counted() {
        let mut tally = Tally::default();
        tally.learn("a.example".to_owned(), Vec::new());
        tally.learn("b.example".to_owned(), vec!["tls@b.example".to_owned()]);
        tally.count(&applied("a.example"), session("mx"), None);
        tally.count(&applied("b.example"), session("mx"), None);
        tally.count(&applied("c.example"), session("mx"), None);
        assert_eq!(tally.unasked().as_deref(), Some("c.example"));
        tally.learn("c.example".to_owned(), Vec::new());
        let told = tally.frame();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].to, ["tls@b.example"]);
    }
}
