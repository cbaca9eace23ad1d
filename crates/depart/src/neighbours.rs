//! The channels of one instance: whom it may ask, what, and how long it waits.
//!
//! Every neighbour may die and come back: a new channel arrives over the control channel, and the
//! question is put once more where asking twice does no harm.

use crate::account::Account;
use crate::parked::Lot;
use crate::policies::Policies;
use crate::tally::Tally;
use crate::trust::{Demand, Watch};
use crate::{Fault, Limits};
use compartment::House;
use rustls::ClientConfig;
use smtp::Address;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use terms::{Kind, TenantId};
use wire::Channel;
use wire::control::{DIALS_BUSY, Order, Report};
use wire::directory::{self, Stated, Statement};
use wire::mailbox;
use wire::names::{Answer, Outcome, Question, Record, RecordKind, Security};
use wire::post::{FromDepart, Load, ToDepart};
use wire::vault;

/// A neighbour that died is back within two seconds (the warden's back-off), or it is away.
const REJOIN_LIMIT: Duration = Duration::from_secs(4);
/// The directory answers from memory, or asks the vault once.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(6);
/// A release waits for ledger and mirror.
const VAULT_LIMIT: Duration = Duration::from_secs(20);
/// An RSA signature takes milliseconds; others may stand before us.
pub(crate) const SIGNER_LIMIT: Duration = Duration::from_secs(10);
/// `names` gives up by itself before this.
const NAMES_LIMIT: Duration = Duration::from_secs(8);
/// `fetch` serves each asker within thirty seconds.
const FETCH_LIMIT: Duration = Duration::from_secs(32);
/// A durable commit on a busy disk.
const KEEP_LIMIT: Duration = Duration::from_secs(30);
/// The warden makes a socket and does not wait for it.
const DIAL_LIMIT: Duration = Duration::from_secs(10);
/// When the house dials too often: how often it is asked again, and after how long.
const DIAL_TRIES: usize = 20;
const DIAL_PAUSE: Duration = Duration::from_millis(300);
/// Who waits looks at the warden's orders so often. (A little more than a channel's own spell, so
/// that a quick answer costs one call.)
const WORDLESS: Duration = Duration::from_millis(550);
/// Answers of the DNS are remembered this long at most, and so many of them; `names` has the rest.
const ANSWER_TIME: Duration = Duration::from_secs(60);
const ANSWERS: usize = 256;

/// What post handed over.
pub(crate) struct Batch {
    pub tenant: TenantId,
    pub loads: Vec<Load>,
    pub held: Vec<OwnedFd>,
}

/// Who an address is.
pub(crate) enum Who {
    Known(Statement),
    Unknown,
    Foreign,
    Later,
}

/// What the mailbox made of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    OverQuota(Vec<terms::UserId>),
    Full,
    /// It did not, or nobody knows. It keeps a message for a person once, so asking again is safe.
    No,
}

pub(crate) struct Neighbours {
    house: House,
    pub(crate) channels: HashMap<Kind, Channel>,
    pub limits: Limits,
    pub(crate) closing: bool,
    /// Posts that were joined to us so far, and the one that counts what we carry: its successor
    /// knows nothing of it.
    pub(crate) posts: u32,
    pub(crate) counted_by: u32,
    /// What it counts, or its successor is told.
    pub(crate) account: Account,
    dialled: HashMap<u32, Result<OwnedFd, String>>,
    last_dial: u32,
    answers: HashMap<Question, (Instant, Answer)>,
    pub policies: Policies,
    authorities: Option<tls::Authorities>,
    for_anybody: Option<Arc<ClientConfig>>,
    /// What the vault agreed with us, between two batches.
    pub hand: Option<crate::opening::Hand>,
    /// Connections between two batches.
    pub lot: Lot,
    /// How TLS fared, until the directory is told.
    pub tally: Tally,
}

impl Neighbours {
    /// Everybody else is joined to us by the warden, now or when they are back.
    pub(crate) fn settle_in(house: House, limits: Limits) -> Result<Self, Fault> {
        house.ready(None, None).map_err(Fault::Settle)?;
        Ok(Self {
            house,
            channels: HashMap::new(),
            limits,
            closing: false,
            posts: 0,
            counted_by: 0,
            account: Account::default(),
            dialled: HashMap::new(),
            last_dial: 0,
            answers: HashMap::new(),
            policies: Policies::default(),
            authorities: None,
            for_anybody: None,
            hand: None,
            lot: Lot::default(),
            tally: Tally::default(),
        })
    }

    pub(crate) fn host_name(&self) -> &str {
        &self.house.start.host_name
    }

    /// Where the public pages are; empty: there are none.
    pub(crate) fn pages_url(&self) -> &str {
        &self.house.start.pages_url
    }

    pub(crate) fn smtp_port(&self) -> u16 {
        self.house.start.relay.port
    }

    /// What TLS with a host that must show this is made with; what it shows amiss is noted in
    /// `watch`. `None`: nobody can be believed.
    pub(crate) fn tls_config(
        &mut self,
        demand: &Demand,
        watch: &Arc<Watch>,
    ) -> Option<Arc<ClientConfig>> {
        match demand {
            // Most mail goes to whoever answers: that is made once.
            Demand::Nothing | Demand::AnyTls => {
                if self.for_anybody.is_none() {
                    self.for_anybody = demand.config(&tls::Authorities::read(""), watch);
                }
                self.for_anybody.clone()
            }
            Demand::Watched(_) | Demand::Named(_) | Demand::Keys { .. } => {
                let pem = &self.house.start.relay.authorities;
                let authorities =
                    self.authorities.get_or_insert_with(|| tls::Authorities::read(pem));
                demand.config(authorities, watch)
            }
        }
    }

    pub(crate) fn report(&self, report: &Report) {
        // A warden that is gone takes us with it: nothing is lost by not telling it.
        let _ = self.house.report(report, &[]);
    }

    // ---- post ----------------------------------------------------------------------------------

    /// Offers itself and waits for a batch; `None`: leave. Without a tenant an instance waits as
    /// long as it takes, for the first.
    pub(crate) fn next_batch(&mut self, tenant: Option<TenantId>) -> Option<Batch> {
        let until = tenant.map(|_| Instant::now() + self.limits.idle);
        let mut said_to = 0;
        loop {
            self.settle();
            if self.closing {
                return None;
            }
            if self.tally.is_overdue(Instant::now()) && self.tend_tally() {
                continue;
            }
            if let Some(post) = self.channels.get(&Kind::Post) {
                if said_to != self.posts {
                    post.send(0, &FromDepart::Idle { tenant }, &[]).ok()?;
                    said_to = self.posts;
                }
                // Post is gone: it knows nothing of us any more, and has others born.
                if let Some(frame) = post.take().ok()? {
                    match frame.read().ok()? {
                        ToDepart::Batch { tenant, legs } => {
                            self.counted_by = self.posts;
                            return Some(Batch { tenant, loads: legs, held: frame.descriptors });
                        }
                        ToDepart::Kept(legs) => self.account.are_kept(&legs),
                        ToDepart::Begun(_) => {}
                    }
                    continue;
                }
            }
            let closing = self.lot.next_end();
            let telling = self.tally.due(self.limits.gather);
            let first = until.into_iter().chain(closing).chain(telling).min();
            if !self.wait_for_orders(first) {
                let now = Instant::now();
                let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
                if is_due(until) || !(is_due(closing) || is_due(telling)) {
                    return None;
                }
                self.lot.close_old(now);
                if is_due(telling) {
                    self.tend_tally();
                }
            }
        }
    }

    /// Whether anything was said before `until`.
    pub(crate) fn wait_for_orders(&self, until: Option<Instant>) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        let mut fds = vec![PollFd::new(&self.house.control, PollFlags::IN)];
        let post = self.channels.get(&Kind::Post);
        fds.extend(post.map(|post| PollFd::new(post, PollFlags::IN)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => ready > 0,
            Err(rustix::io::Errno::INTR) => true,
            Err(_) => false,
        }
    }

    // ---- vault, directory, mailbox -------------------------------------------------------------

    pub(crate) fn ask_vault(
        &mut self,
        question: &vault::FromDepart,
    ) -> Result<vault::ToDepart, Fault> {
        self.ask(Kind::Vault, question, VAULT_LIMIT)
    }

    /// Who `address` is, by the vault's signature and nobody else's word.
    pub(crate) fn who_is(&mut self, address: &str) -> Who {
        let question = directory::FromDepart::Address(address.to_owned());
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT) {
            Ok(directory::ToDepart::Stated(Stated::Known { statement, signature })) => {
                self.believe(address, &statement, &signature)
            }
            Ok(directory::ToDepart::Stated(Stated::Unknown)) => Who::Unknown,
            Ok(directory::ToDepart::Stated(Stated::Foreign)) => Who::Foreign,
            _ => Who::Later,
        }
    }

    /// Who it was by a statement that came along. One that has run out says nothing any more.
    pub(crate) fn who_it_was(&mut self, address: &str, statement: &[u8], signature: &[u8]) -> Who {
        let Some(vault) = self.house.start.statement_key else { return Who::Later };
        let now = compartment::now_ms();
        match seal::verify_statement(&vault, statement, signature, now, address) {
            Ok(statement) => Who::Known(statement),
            Err(_) => self.who_is(address),
        }
    }

    pub(crate) fn believe(&self, address: &str, statement: &[u8], signature: &[u8]) -> Who {
        let Some(vault) = self.house.start.statement_key else { return Who::Later };
        let now = compartment::now_ms();
        match seal::verify_statement(&vault, statement, signature, now, address) {
            Ok(statement) => Who::Known(statement),
            Err(refused) => {
                let what = format!("a statement was not believed: {refused:?}");
                self.report(&Report::Alarm { what });
                Who::Later
            }
        }
    }

    /// Keyed hashes that `trace` finds a message by; without them it is found by nobody's search.
    pub(crate) fn tokens(&mut self, tenant: TenantId, digests: Vec<[u8; 32]>) -> Vec<[u8; 16]> {
        let question = directory::FromDepart::Tokens { tenant, digests };
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT) {
            Ok(directory::ToDepart::Tokens(tokens)) => tokens,
            _ => Vec::new(),
        }
    }

    /// Whether an absence is told to this sender for the first time this week; nobody knows: not.
    pub(crate) fn is_first_answer(&mut self, tenant: TenantId, digest: [u8; 32]) -> bool {
        let question = directory::FromDepart::Answered { tenant, digest };
        matches!(
            self.ask(Kind::Directory, &question, DIRECTORY_LIMIT),
            Ok(directory::ToDepart::FirstAnswer(Some(true)))
        )
    }

    /// Hands sealed copies to the mailbox; `Yes` means durable. It keeps one copy of a message for
    /// each person, however often it is told, so a lost answer is asked for again.
    pub(crate) fn keep(&mut self, frames: &[(mailbox::FromEdge, Vec<OwnedFd>)]) -> Kept {
        for _ in 0..2 {
            let Ok(mailbox) = self.channel(Kind::Mailbox, REJOIN_LIMIT) else { return Kept::No };
            let mut call = 0;
            let sent = frames.iter().try_for_each(|(keep, held)| {
                call = mailbox.next_call();
                mailbox.send(call, keep, held)
            });
            match sent.ok().and_then(|()| await_kept(mailbox, call)) {
                Some(kept) => return kept,
                None => drop(self.channels.remove(&Kind::Mailbox)),
            }
        }
        Kept::No
    }

    // ---- names, fetch --------------------------------------------------------------------------

    /// The TXT records of a name; none if nobody can say.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<Vec<u8>> {
        let Outcome::Records(records) = self.resolve(name, RecordKind::Txt).outcome else {
            return Vec::new();
        };
        let text = |record| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        };
        records.into_iter().filter_map(text).collect()
    }

    /// One answer of the DNS; one that is bogus is none.
    pub(crate) fn resolve(&mut self, name: &str, kind: RecordKind) -> Answer {
        let question = Question { name: name.to_owned(), kind };
        if let Some((until, answer)) = self.answers.get(&question)
            && Instant::now() < *until
        {
            return answer.clone();
        }
        let failed =
            Answer { outcome: Outcome::Failed, security: Security::Insecure, ttl_seconds: 0 };
        let answer = match self.ask::<_, Answer>(Kind::Names, &question, NAMES_LIMIT) {
            Ok(answer) if answer.security != Security::Bogus => answer,
            _ => failed,
        };
        let ttl = Duration::from_secs(answer.ttl_seconds.into()).min(ANSWER_TIME);
        if !answer.outcome.is_failure() && !ttl.is_zero() {
            if self.answers.len() >= ANSWERS {
                self.answers.clear();
            }
            self.answers.insert(question, (Instant::now() + ttl, answer.clone()));
        }
        answer
    }

    pub(crate) fn fetch(&mut self, host: &str, path: &str, limit: u32) -> wire::fetch::Answer {
        let get = wire::fetch::Ask::Get { host: host.to_owned(), path: path.to_owned(), limit };
        let answer = self.ask(Kind::Fetch, &get, FETCH_LIMIT);
        answer.unwrap_or_else(|fault: Fault| wire::fetch::Answer::Failed(fault.to_string()))
    }

    /// Hands something up to an HTTPS resource of somebody else's.
    pub(crate) fn hand_up(
        &mut self,
        (host, path): (&str, &str),
        content_type: &str,
        body: Vec<u8>,
    ) -> wire::fetch::Answer {
        let (host, path) = (host.to_owned(), path.to_owned());
        let post =
            wire::fetch::Ask::Post { host, path, content_type: content_type.to_owned(), body };
        let answer = self.ask(Kind::Fetch, &post, FETCH_LIMIT);
        answer.unwrap_or_else(|fault: Fault| wire::fetch::Answer::Failed(fault.to_string()))
    }

    // ---- the warden ----------------------------------------------------------------------------

    /// A socket that is on its way to `to`, or why there is none.
    pub(crate) fn dial(&mut self, to: SocketAddr, from: Option<IpAddr>) -> Result<OwnedFd, String> {
        for _ in 0..DIAL_TRIES {
            match self.dial_once(to, from) {
                Err(why) if why == DIALS_BUSY => std::thread::sleep(DIAL_PAUSE),
                dialled => return dialled,
            }
        }
        Err(DIALS_BUSY.to_owned())
    }

    fn dial_once(&mut self, to: SocketAddr, from: Option<IpAddr>) -> Result<OwnedFd, String> {
        self.last_dial = self.last_dial.wrapping_add(1);
        let call = self.last_dial;
        let dial = Report::Dial { call, to, from };
        self.house.report(&dial, &[]).map_err(|fault| fault.to_string())?;
        let until = Instant::now() + DIAL_LIMIT;
        loop {
            self.settle();
            if let Some(dialled) = self.dialled.remove(&call) {
                return dialled;
            }
            let left = until.saturating_duration_since(Instant::now());
            if self.closing || !matches!(self.house.control.wait(left), Ok(true)) {
                return Err("the warden gave no socket".to_owned());
            }
        }
    }

    // ---- channels ------------------------------------------------------------------------------

    /// Asks a keeper and waits for its answer. If it died meanwhile its successor is asked, once.
    pub(crate) fn ask<Q, A>(
        &mut self,
        kind: Kind,
        question: &Q,
        limit: Duration,
    ) -> Result<A, Fault>
    where
        Q: serde::Serialize,
        A: serde::de::DeserializeOwned,
    {
        for _ in 0..2 {
            self.channel(kind, REJOIN_LIMIT)?;
            let Some(mut channel) = self.channels.remove(&kind) else { break };
            let asked = self.ask_on(&mut channel, question, limit);
            let is_lost = matches!(
                &asked,
                Err(fault) if !matches!(
                    fault,
                    wire::Fault::Silent | wire::Fault::Crowded | wire::Fault::Malformed
                )
            );
            // One that came meanwhile takes its place.
            if !is_lost {
                self.channels.entry(kind).or_insert(channel);
            }
            match asked {
                Ok(answer) => return Ok(answer),
                Err(wire::Fault::Malformed) => return Err(Fault::Strange { peer: kind.word() }),
                Err(_) if is_lost => {}
                Err(_) => break,
            }
        }
        Err(Fault::Away(kind.word()))
    }

    /// Waits for the answer to this very question. A post that comes meanwhile waits for our word.
    fn ask_on<Q, A>(
        &mut self,
        channel: &mut Channel,
        question: &Q,
        limit: Duration,
    ) -> Result<A, wire::Fault>
    where
        Q: serde::Serialize,
        A: serde::de::DeserializeOwned,
    {
        let call = channel.next_call();
        channel.send(call, question, &[])?;
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match channel.receive(Some(left.min(WORDLESS))) {
                Ok(frame) if frame.call == call => return frame.read(),
                Ok(_) => {}
                Err(wire::Fault::Silent) if left > WORDLESS => self.settle(),
                Err(fault) => return Err(fault),
            }
        }
    }

    fn channel(&mut self, kind: Kind, limit: Duration) -> Result<&mut Channel, Fault> {
        let until = Instant::now() + limit;
        while !self.channels.contains_key(&kind) {
            let left = until.saturating_duration_since(Instant::now());
            let heard = self.house.control.wait(left);
            self.settle();
            let over = self.closing || !matches!(heard, Ok(true));
            if over && !self.channels.contains_key(&kind) {
                return Err(Fault::Away(kind.word()));
            }
        }
        self.channels.get_mut(&kind).ok_or(Fault::Away(kind.word()))
    }

    /// Whether this instance is to end.
    pub(crate) fn is_closing(&mut self) -> bool {
        self.settle();
        self.closing
    }

    /// Until the warden says something, or so long.
    pub(crate) fn wait_for_warden(&self, limit: Duration) {
        let _ = self.house.control.wait(limit);
    }

    /// Nothing more is handed over to us: what was on its way is somebody else's.
    pub(crate) fn let_go_of_post(&mut self) {
        self.account.has_left = true;
        self.channels.remove(&Kind::Post);
    }

    /// Hears whatever the warden has said meanwhile.
    pub(crate) fn settle(&mut self) {
        loop {
            match self.house.next_order() {
                Ok(None) => break,
                Ok(Some((Order::Join(label), held))) => {
                    if let Some(held) = held.into_iter().next() {
                        match label.kind {
                            Kind::Post => self.meet_post(held.into()),
                            kind => drop(self.channels.insert(kind, held.into())),
                        }
                    }
                }
                Ok(Some((Order::Dialled { call, refused }, held))) => {
                    let socket = held.into_iter().next();
                    let why = refused.unwrap_or_else(|| "the warden gave no socket".to_owned());
                    // An answer that came too late is closed here.
                    if call == self.last_dial {
                        self.dialled.insert(call, socket.ok_or(why));
                    }
                }
                Ok(Some((Order::Keys(keys), _))) => self.house.start.learn(keys),
                Ok(Some((Order::Stop, _))) => self.closing = true,
                Ok(Some(_)) => {}
                Err(compartment::Fault::Channel(wire::Fault::Malformed)) => {}
                // EOF of the control channel is the end of our life.
                Err(_) => {
                    self.closing = true;
                    break;
                }
            }
        }
    }
}

fn await_kept(mailbox: &Channel, call: u32) -> Option<Kept> {
    let until = Instant::now() + KEEP_LIMIT;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let frame = mailbox.receive(Some(left)).ok()?;
        if frame.call == call {
            return Some(match frame.read() {
                Ok(mailbox::ToEdge::Kept) => Kept::Yes,
                Ok(mailbox::ToEdge::OverQuota(users)) => Kept::OverQuota(users),
                Ok(mailbox::ToEdge::Full) => Kept::Full,
                _ => Kept::No,
            });
        }
    }
}

/// The one spelling that the directory looks up: lower case, the domain in A-labels (RFC 5890),
/// without what stands behind a plus, in quotes only where the grammar needs them
/// (RFC 5321 §4.1.2). `None`: no domain of ours can look like this.
pub(crate) fn canonical(address: &str) -> Option<String> {
    let address = Address::parse(address)?;
    // A return path that was rewritten names somebody else, detail and all.
    let is_rewritten = address.in_small_letters().local().starts_with("srs0=");
    let plain = if is_rewritten { address } else { address.split_tag().0 };
    plain.in_the_dns().map(|plain| plain.in_small_letters().written())
}
