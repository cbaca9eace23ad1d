//! Addresses that a gateway's list lacks, asked for at the customer's own server (decision 0018).
//!
//! `fetch` asks, while everybody else is answered here. What the server said is remembered, so that
//! it is asked once; how often it is asked at all is bounded, so that whoever tries a dictionary
//! of names on us does not try it on our customer.

use crate::Desk;
use crate::address::is_sound;
use crate::resolve::NOBODY;
use crate::statements::is_ended;
use crate::ways::GatewayRow;
use compartment::now_ms;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use terms::TenantId;
use wire::control::Report;
use wire::directory::{SmartHost, Stated, Taken, WAY_BACK};
use wire::fetch::{Inquiry, Verdict};
use wire::{Frame, Peer, lists};

/// Nobody of that name: not asked again for so long. Whoever was hired meanwhile stands on the
/// next list, or writes a little later.
const NOBODY_KNOWN: Duration = Duration::from_secs(60 * 60);
/// What is not known is asked again soon: the sender comes again, and so does the server.
const UNSAID: Duration = Duration::from_secs(60);
/// A question that `fetch` did not answer: it waits there for its turn at most this long.
const LOST: Duration = Duration::from_secs(30);
/// Questions on their way; `fetch` holds as many of one asker.
const AT_ONCE: usize = 4;
/// Of one tenant: its sleeping server leaves room for the others.
const OF_ONE: usize = 2;
/// Questions of one tenant at once, and the time in which one more may be asked: thirty a minute.
/// A mail server of any size hears that many strangers; a dictionary takes years.
const BURST: u32 = 20;
const ONE_MORE: Duration = Duration::from_secs(2);
/// The same of all tenants: four a second, a little less than the warden lets pass.
const ONE_MORE_OF_ALL: Duration = Duration::from_millis(250);
/// Answers, tired servers and tenants that are remembered; about 2 MB.
const REMEMBERED: usize = 10_000;

/// What is known about inquiries, in memory alone.
#[derive(Default)]
pub struct Inquiries {
    fetch: Option<Peer>,
    last_call: u32,
    on_their_way: HashMap<u32, Asked>,
    /// By address; each until its time.
    answers: HashMap<String, (Said, Instant)>,
    /// Servers that could not be asked, and when they are tried again.
    tired: HashMap<(String, u16), Instant>,
    asked: HashMap<TenantId, Allowance>,
    asked_of_all: Allowance,
}

/// A question on its way.
struct Asked {
    address: String,
    domain: String,
    tenant: TenantId,
    host: SmartHost,
    since: Instant,
}

#[derive(Clone, Copy, PartialEq)]
enum Said {
    Nobody,
    Nothing,
}

/// Questions: `used` of [`BURST`] as of `since`.
#[derive(Default)]
struct Allowance {
    used: u32,
    since: Option<Instant>,
}

impl Allowance {
    fn is_left(&mut self, one_more: Duration, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let more = now.duration_since(since).as_millis() / one_more.as_millis();
        if more > 0 {
            self.used = self.used.saturating_sub(u32::try_from(more).unwrap_or(u32::MAX));
            self.since = Some(now);
        }
        self.used < BURST
    }
}

/// What an asker hears now, or the question that goes out.
#[derive(Debug, PartialEq)]
pub enum Next {
    Say(Now),
    Ask { call: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Now {
    Nobody,
    Checking,
    Unsaid,
}

impl Inquiries {
    /// What is said of an address, or that it is asked for now.
    pub fn next(
        &mut self,
        (address, domain, tenant): (&str, &str, TenantId),
        host: &SmartHost,
        now: Instant,
    ) -> Next {
        self.on_their_way.retain(|_, asked| now.duration_since(asked.since) < LOST);
        if let Some((said, until)) = self.answers.get(address)
            && now < *until
        {
            return Next::Say(if *said == Said::Nobody { Now::Nobody } else { Now::Unsaid });
        }
        if self.on_their_way.values().any(|asked| asked.address == address) {
            return Next::Say(Now::Checking);
        }
        let is_tired = self.tired.get(&place(host)).is_some_and(|until| now < *until);
        if is_tired || self.fetch.is_none() {
            return Next::Say(Now::Unsaid);
        }
        let of_tenant = self.on_their_way.values().filter(|asked| asked.tenant == tenant).count();
        let is_full = self.on_their_way.len() >= AT_ONCE || of_tenant >= OF_ONE;
        if is_full || !self.asked_of_all.is_left(ONE_MORE_OF_ALL, now) {
            return Next::Say(Now::Checking);
        }
        if !self.may_ask(tenant, now) {
            return Next::Say(Now::Unsaid);
        }
        self.last_call = self.last_call.wrapping_add(1).max(1);
        let (address, domain) = (address.to_owned(), domain.to_owned());
        let asked = Asked { address, domain, tenant, host: host.clone(), since: now };
        self.on_their_way.insert(self.last_call, asked);
        Next::Ask { call: self.last_call }
    }

    fn may_ask(&mut self, tenant: TenantId, now: Instant) -> bool {
        if self.asked.len() >= REMEMBERED {
            self.asked.clear();
        }
        let allowance = self.asked.entry(tenant).or_default();
        if !allowance.is_left(ONE_MORE, now) {
            return false;
        }
        allowance.used += 1;
        self.asked_of_all.used += 1;
        true
    }

    /// What came of a question. `Some`: that address is somebody's.
    fn hear(&mut self, call: u32, verdict: Verdict, now: Instant) -> Option<Asked> {
        let asked = self.on_their_way.remove(&call)?;
        match verdict {
            Verdict::Has => return Some(asked),
            Verdict::HasNot => self.remember(asked.address, Said::Nobody, now + NOBODY_KNOWN),
            Verdict::NotNow => self.remember(asked.address, Said::Nothing, now + UNSAID),
            Verdict::Away => {
                if self.tired.len() >= REMEMBERED {
                    self.tired.clear();
                }
                self.tired.insert(place(&asked.host), now + UNSAID);
            }
            Verdict::Busy => {}
        }
        None
    }

    fn remember(&mut self, address: String, said: Said, until: Instant) {
        if self.answers.len() >= REMEMBERED {
            self.answers.clear();
        }
        self.answers.insert(address, (said, until));
    }

    /// A server was named anew, or a list told: what was said before is asked again.
    pub fn forget_answers(&mut self) {
        self.answers.clear();
        self.tired.clear();
    }

    pub fn join(&mut self, fetch: Peer) {
        self.fetch = Some(fetch);
        self.on_their_way.clear();
    }

    pub fn is_fetch(&self, peer: Peer) -> bool {
        self.fetch == Some(peer)
    }

    /// Nobody is left who would answer.
    pub fn gone(&mut self) {
        self.fetch = None;
        self.on_their_way.clear();
    }
}

fn place(host: &SmartHost) -> (String, u16) {
    (host.name.clone(), host.port)
}

impl Desk {
    /// Who an address is; where its domain's own server is to be asked, what it says.
    pub(crate) fn state_or_ask(&mut self, address: &str) -> Stated {
        let stated = self.state(address);
        if !matches!(stated, Stated::Unknown) {
            return stated;
        }
        let Some(key) = &self.key else { return Stated::Later };
        let Ok(address) = self.tables.kept_spelling(key, address, &self.host_name) else {
            return Stated::Later;
        };
        let Some((tenant, row)) = self.to_be_asked(&address) else { return Stated::Unknown };
        let about = (address.as_str(), row.domain.as_str(), tenant);
        match self.inquiries.next(about, &row.host, Instant::now()) {
            Next::Say(Now::Nobody) => Stated::Unknown,
            Next::Say(Now::Checking) => Stated::Checking,
            Next::Say(Now::Unsaid) => Stated::Unsaid,
            Next::Ask { call } => self.ask_server(call, tenant, address, row.host),
        }
    }

    /// The gateway whose server knows whether this address is somebody's. Never for what is written
    /// by ourselves (return paths, words of lists), for a person of ours who is shut out, or for a
    /// contract that ends.
    fn to_be_asked(&self, address: &str) -> Option<(TenantId, GatewayRow)> {
        let (tables, key) = (&self.tables, self.key.as_ref()?);
        let (_, domain) = address.rsplit_once('@')?;
        let is_ours = address.starts_with(WAY_BACK) || lists::word(address).is_some();
        if is_ours || !is_sound(address) {
            return None;
        }
        let row = tables.gateway(key, domain).ok().flatten()?;
        let tenant = tables.domain(key, domain).ok().flatten()?;
        let is_asked = row.taken == Taken::ListedOrChecked
            && tables.person_by_address(key, address).ok()?.is_none()
            && !is_ended(tables, key, tenant, NOBODY).ok()?;
        is_asked.then_some((tenant, row))
    }

    fn ask_server(
        &mut self,
        call: u32,
        tenant: TenantId,
        address: String,
        host: SmartHost,
    ) -> Stated {
        let Some((fetch, key)) = self.inquiries.fetch.zip(self.key.as_ref()) else {
            return Stated::Unsaid;
        };
        let row = self.tables.tenant(key, tenant).ok().flatten();
        let from = row.and_then(|row| row.sending.source);
        // The warden dials for `fetch` what it was told of before.
        let report = Report::Inquiry { port: host.port };
        let _ = self.hub.send(self.warden, 0, &report, Vec::new());
        let inquiry = Inquiry { address, host, from };
        if self.hub.send(fetch, call, &inquiry, Vec::new()).is_err() {
            self.inquiries.gone();
            return Stated::Unsaid;
        }
        Stated::Checking
    }

    /// What `fetch` brought: an address that is somebody's is one of ours from now on.
    pub(crate) fn hear_fetch(&mut self, frame: &Frame) {
        let Ok(verdict) = frame.read::<Verdict>() else { return };
        let Some(found) = self.inquiries.hear(frame.call, verdict, Instant::now()) else { return };
        let Some(key) = &self.key else { return };
        let Asked { address, domain, tenant, host, .. } = found;
        // What was asked of another server, or before the gateway ended, counts for nothing.
        let row = self.tables.gateway(key, &domain).ok().flatten();
        let is_current = |row: GatewayRow| row.taken == Taken::ListedOrChecked && row.host == host;
        if !row.is_some_and(is_current) {
            return;
        }
        let of = (tenant, domain.as_str());
        match self.tables.keep_checked(key, of, &address, now_ms()) {
            Ok(true) => {}
            // Too many have been found: the sender hears 451, and the operator why.
            Ok(false) => {
                let text = "directory: a gateway's server says yes to more names than are kept";
                let report = Report::Note { text: text.to_owned() };
                let _ = self.hub.send(self.warden, 0, &report, Vec::new());
                self.inquiries.remember(address, Said::Nothing, Instant::now() + UNSAID);
            }
            Err(fault) => compartment::tell(format_args!("sekisho: directory: {}", fault.story())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Inquiries, NOBODY_KNOWN, Next, Now, ONE_MORE, UNSAID};
    use std::time::{Duration, Instant};
    use terms::TenantId;
    use wire::directory::SmartHost;
    use wire::fetch::Verdict;
    use wire::post::HopTls;

    struct Case {
        inquiries: Inquiries,
        now: Instant,
    }

    impl Case {
        fn new() -> Self {
            let mut inquiries = Inquiries::default();
            inquiries.join(7);
            Self { inquiries, now: Instant::now() }
        }

        /// `tenant` is its server's name, too.
        fn next(&mut self, local: &str, tenant: u8) -> Next {
            let domain = format!("d{tenant}.example");
            let host = SmartHost { name: format!("mx.{domain}"), port: 25, tls: HopTls::IfOffered };
            let address = format!("{local}@{domain}");
            self.inquiries.next((&address, &domain, TenantId([tenant; 8])), &host, self.now)
        }

        /// Asked and answered.
        fn hears(&mut self, local: &str, tenant: u8, verdict: Verdict) -> bool {
            let Next::Ask { call } = self.next(local, tenant) else { panic!("not asked") };
            self.inquiries.hear(call, verdict, self.now).is_some()
        }
    }

    #[test]
    fn a_server_is_asked_once_and_its_word_is_remembered() {
        let mut case = Case::new();
        assert!(matches!(case.next("a", 1), Next::Ask { call: 1 }));
        assert_eq!(case.next("a", 1), Next::Say(Now::Checking), "once");
        assert!(case.inquiries.hear(1, Verdict::HasNot, case.now).is_none());
        assert_eq!(case.next("a", 1), Next::Say(Now::Nobody));
        assert!(case.inquiries.hear(1, Verdict::Has, case.now).is_none(), "answered already");
        case.now += NOBODY_KNOWN;
        assert!(case.hears("a", 1, Verdict::Has));
        assert!(!case.hears("b", 1, Verdict::NotNow));
        assert_eq!(case.next("b", 1), Next::Say(Now::Unsaid));
        assert!(matches!(case.next("c", 1), Next::Ask { .. }), "that address alone");
        case.now += UNSAID;
        assert!(matches!(case.next("b", 1), Next::Ask { .. }));
    }

    #[test]
    fn a_server_that_is_away_has_its_rest() {
        let mut case = Case::new();
        assert!(!case.hears("a", 1, Verdict::Away));
        assert_eq!(case.next("b", 1), Next::Say(Now::Unsaid));
        assert!(matches!(case.next("b", 2), Next::Ask { .. }), "another's is asked");
        case.now += UNSAID;
        assert!(matches!(case.next("b", 1), Next::Ask { .. }));
        case.inquiries.gone();
        assert_eq!(case.next("c", 3), Next::Say(Now::Unsaid), "nobody is there to ask it");
    }

    #[test]
    fn a_dictionary_reaches_the_customer_at_a_walk() {
        let mut case = Case::new();
        let asked = |case: &mut Case, names: std::ops::Range<u32>| {
            let ask = |name: u32| match case.next(&format!("n{name}"), 1) {
                Next::Ask { call } => {
                    case.inquiries.hear(call, Verdict::HasNot, case.now);
                    true
                }
                _ => false,
            };
            names.map(ask).filter(|asked| *asked).count()
        };
        assert_eq!(asked(&mut case, 0..1_000), BURST as usize);
        assert_eq!(case.next("n5000", 2), Next::Say(Now::Checking), "so many of the whole house");
        case.now += ONE_MORE;
        assert!(matches!(case.next("n5000", 2), Next::Ask { .. }), "each for itself");
        assert_eq!(asked(&mut case, 1_000..2_000), 1);
        case.now += Duration::from_secs(3_600);
        assert_eq!(asked(&mut case, 2_000..3_000), BURST as usize, "and never more at once");
    }

    #[test]
    fn a_sleeping_server_leaves_room_for_the_others() {
        let mut case = Case::new();
        assert!(matches!(case.next("a", 1), Next::Ask { .. }));
        assert!(matches!(case.next("b", 1), Next::Ask { .. }));
        assert_eq!(case.next("c", 1), Next::Say(Now::Checking));
        assert!(matches!(case.next("a", 2), Next::Ask { .. }));
        assert!(matches!(case.next("a", 3), Next::Ask { .. }));
        assert_eq!(case.next("a", 4), Next::Say(Now::Checking));
        // What `fetch` never answered is no longer waited for.
        case.now += super::LOST;
        assert!(matches!(case.next("a", 4), Next::Ask { .. }));
    }
}
