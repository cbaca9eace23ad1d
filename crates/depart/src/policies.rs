//! What domains outside demand of TLS by their policies (MTA-STS, RFC 8461): asked of the
//! directory, which keeps what instances before this one have fetched; fetched where that does not
//! do, and told to the directory. What is kept is the defence against somebody who takes both the
//! policy's host and STARTTLS away (§10.2): it holds until it has run out, or a newer one is in
//! hand.

use crate::Fault;
use crate::fates::Obstacle;
use crate::neighbours::Neighbours;
use crate::tally::Why;
use route::{Mode, Sts};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use terms::{Kind, TenantId};
use wire::directory::{FromDepart, ToDepart};
use wire::fetch;
use wire::sts;
use wire::tls_report::Flaw;

/// RFC 8461 §3.2: a policy is some hundred octets.
const POLICY_BYTES: u32 = 64 * 1024;
/// Domains of which it is remembered what the directory said.
const REMEMBERED: usize = 256;
/// Policies that the directory has not taken yet, and that are to be looked at again.
const WAITING: usize = 64;
/// The directory answers from a table, and commits what it is told.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(6);
/// The warden has told the directory whose mail it is by then.
const BOUND_LIMIT: Duration = Duration::from_secs(4);
const BOUND_PAUSE: Duration = Duration::from_millis(50);
/// Before an instance leaves it may look at policies again for so long: nobody waits for it.
const LAST_LOOKS: Duration = Duration::from_secs(60);
/// An instance has one tenant; what that changes counts after this.
const SOURCE_TIME: Duration = Duration::from_secs(60);

/// The policy that holds for a domain, and what is wrong with the one that it publishes.
pub(crate) struct Found {
    pub policy: Option<Sts>,
    pub flaw: Option<Why>,
}

#[derive(Clone)]
struct Known {
    id: String,
    until: Instant,
    policy: Sts,
    is_due: bool,
}

/// What this instance knows, of its tenant.
#[derive(Default)]
pub(crate) struct Policies {
    /// `None`: the directory knows of none.
    known: HashMap<String, Option<Known>>,
    untold: Vec<sts::Policy>,
    /// Domains whose policies are to be looked at again.
    due: BTreeSet<String>,
    source: Option<(Instant, Option<IpAddr>)>,
}

impl Policies {
    fn learn(&mut self, domain: &str, known: Option<Known>) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(domain.to_owned(), known);
    }

    fn hear(&mut self, (domains, answered): (&[String], usize), policies: Vec<sts::Known>) {
        for domain in domains.iter().take(answered) {
            let known = policies.iter().find(|one| one.policy.domain == *domain);
            self.learn(domain, known.map(Known::of));
        }
    }
}

impl Known {
    fn of(told: &sts::Known) -> Self {
        let sts::Known { policy, left_seconds, is_due } = told;
        let mode = match policy.mode {
            sts::Mode::Enforce => Mode::Enforce,
            sts::Mode::Testing => Mode::Testing,
            sts::Mode::None => Mode::None,
        };
        let (patterns, age_seconds) = (policy.patterns.clone(), policy.age_seconds);
        Self {
            id: policy.id.clone(),
            until: Instant::now() + Duration::from_secs((*left_seconds).into()),
            policy: Sts { mode, patterns, age_seconds },
            is_due: *is_due,
        }
    }
}

fn to_tell(domain: &str, id: &str, policy: &Sts) -> sts::Policy {
    let mode = match policy.mode {
        Mode::Enforce => sts::Mode::Enforce,
        Mode::Testing => sts::Mode::Testing,
        Mode::None => sts::Mode::None,
    };
    sts::Policy {
        domain: domain.to_owned(),
        id: id.to_owned(),
        mode,
        patterns: policy.patterns.clone(),
        age_seconds: policy.age_seconds,
    }
}

/// The domain's policy, from memory, the directory's too, while its id and age allow. One that
/// cannot be fetched is none, unless an older one still holds (§3.3); one that we had no time to
/// fetch, or of which nobody says whether an older one holds, is not known: then mail waits, so
/// that nobody who keeps us busy makes it less safe.
pub(crate) fn policy_of(
    domain: &str,
    tenant: TenantId,
    house: &mut Neighbours,
) -> Result<Found, Obstacle> {
    let domain = domain.to_lowercase();
    let texts = house.texts(&format!("_mta-sts.{domain}"));
    let Ok(known) = house.known_policy(tenant, &domain) else {
        return Err(Obstacle::ours("nobody says what the domain's policy (MTA-STS) was"));
    };
    let old = known.clone().map(|known| known.policy);
    let Some(id) = route::policy_id(&texts) else {
        return Ok(Found { policy: old, flaw: None });
    };
    if let Some(known) = known.filter(|known| known.id == id) {
        if known.is_due && house.policies.due.len() < WAITING {
            house.policies.due.insert(domain);
        }
        return Ok(Found { policy: old, flaw: None });
    }
    match fetched(&domain, house) {
        Fetched::Policy(policy) => {
            house.keep_policy(&domain, id, &policy);
            Ok(Found { policy: Some(policy), flaw: None })
        }
        Fetched::Busy if old.is_none() => {
            Err(Obstacle::ours("the domain's policy (MTA-STS) could not be asked for"))
        }
        Fetched::Busy => Ok(Found { policy: old, flaw: None }),
        Fetched::Flawed(why) => Ok(Found { policy: old, flaw: Some(why) }),
    }
}

enum Fetched {
    Policy(Sts),
    /// We had no time for it.
    Busy,
    Flawed(Why),
}

fn fetched(domain: &str, house: &mut Neighbours) -> Fetched {
    let host = format!("mta-sts.{domain}");
    let invalid = |words: &str| Fetched::Flawed((Flaw::StsPolicyInvalid, words.to_owned()));
    match house.fetch(&host, "/.well-known/mta-sts.txt", POLICY_BYTES) {
        fetch::Answer::Got { status: 200, content_type, body } if is_plain(&content_type) => {
            route::parse_sts(&body).map_or_else(|| invalid("it is no policy"), Fetched::Policy)
        }
        fetch::Answer::Got { status: 200, .. } => invalid("it is no plain text"),
        fetch::Answer::Got { status, .. } => {
            Fetched::Flawed((Flaw::StsPolicyFetchError, format!("HTTP status {status}")))
        }
        fetch::Answer::Failed(why) if why == fetch::BUSY => Fetched::Busy,
        fetch::Answer::Failed(why) if why.starts_with(fetch::UNPROVEN) => {
            Fetched::Flawed((Flaw::StsWebpkiInvalid, why))
        }
        fetch::Answer::Failed(why) => Fetched::Flawed((Flaw::StsPolicyFetchError, why)),
    }
}

/// RFC 8461 §3.2: so that nobody who may only upload files makes a policy.
fn is_plain(content_type: &str) -> bool {
    content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"))
}

impl Neighbours {
    /// One question for what the ways of a batch need of the directory. Without an answer each
    /// way asks for itself.
    pub(crate) fn ask_ahead(&mut self, tenant: TenantId, domains: impl Iterator<Item = String>) {
        let mut unknown: Vec<String> = domains.map(|domain| domain.to_lowercase()).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|domain| !self.policies.known.contains_key(domain));
        unknown.truncate(sts::DOMAINS);
        if !unknown.is_empty() {
            let _ = self.ask_source(tenant, unknown);
        }
    }

    fn known_policy(&mut self, tenant: TenantId, domain: &str) -> Result<Option<Known>, Fault> {
        if !self.policies.known.contains_key(domain) {
            self.ask_source(tenant, vec![domain.to_owned()])?;
        }
        let known = self.policies.known.get(domain).cloned().flatten();
        Ok(known.filter(|known| Instant::now() < known.until))
    }

    /// From which of our addresses this tenant's mail leaves.
    pub(crate) fn source(&mut self, tenant: TenantId) -> Result<Option<IpAddr>, Fault> {
        match self.policies.source {
            Some((since, source)) if since.elapsed() < SOURCE_TIME => Ok(source),
            _ => self.ask_source(tenant, Vec::new()),
        }
    }

    fn ask_source(
        &mut self,
        tenant: TenantId,
        domains: Vec<String>,
    ) -> Result<Option<IpAddr>, Fault> {
        let question = FromDepart::Source { tenant, domains: domains.clone() };
        let answer = match domains.is_empty() {
            true => self.ask(Kind::Directory, &question, DIRECTORY_LIMIT)?,
            false => self.ask_in_our_name(&question)?,
        };
        let ToDepart::Source { from, policies, answered } = answer else {
            return Err(Fault::Away("directory"));
        };
        self.policies.hear((&domains, answered), policies);
        self.policies.source = Some((Instant::now(), from));
        Ok(from)
    }

    /// A question that the directory answers for the tenant of our channel's label. With the first
    /// batch the warden makes a channel with that label; it may be on its way still.
    pub(crate) fn ask_in_our_name(&mut self, question: &FromDepart) -> Result<ToDepart, Fault> {
        let until = Instant::now() + BOUND_LIMIT;
        loop {
            if self.is_closing() {
                return Err(Fault::Away("directory"));
            }
            match self.ask(Kind::Directory, question, DIRECTORY_LIMIT)? {
                ToDepart::Later if Instant::now() < until => self.wait_for_warden(BOUND_PAUSE),
                ToDepart::Later => return Err(Fault::Away("directory")),
                answer => return Ok(answer),
            }
        }
    }

    /// A policy that was fetched counts here at once, and for others as soon as the directory has
    /// it.
    fn keep_policy(&mut self, domain: &str, id: String, policy: &Sts) {
        let told = to_tell(domain, &id, policy);
        let until = Instant::now() + Duration::from_secs(policy.age_seconds.into());
        let known = Known { id, until, policy: policy.clone(), is_due: false };
        self.policies.learn(domain, Some(known));
        // What is larger than any policy needs to be is obeyed by whoever fetched it.
        if told.is_sound() && !self.tell_policy(&told) && self.policies.untold.len() < WAITING {
            self.policies.untold.push(told);
        }
    }

    fn tell_policy(&mut self, policy: &sts::Policy) -> bool {
        let question = FromDepart::Policy(policy.clone());
        matches!(self.ask_in_our_name(&question), Ok(ToDepart::Noted))
    }

    /// Before the end: what the directory did not take, and policies that are due. Post has been
    /// let go of, so that nothing is handed over meanwhile.
    pub(crate) fn look_at_policies_again(&mut self) {
        let until = Instant::now() + LAST_LOOKS;
        for policy in std::mem::take(&mut self.policies.untold) {
            if self.is_closing() || !self.tell_policy(&policy) {
                break;
            }
        }
        for domain in std::mem::take(&mut self.policies.due) {
            if self.is_closing() || Instant::now() >= until {
                break;
            }
            let texts = self.texts(&format!("_mta-sts.{domain}"));
            let Some(id) = route::policy_id(&texts) else { continue };
            // One that cannot be had now changes nothing: the old one holds until it has run out.
            if let Fetched::Policy(policy) = fetched(&domain, self) {
                self.keep_policy(&domain, id, &policy);
            }
        }
    }
}
