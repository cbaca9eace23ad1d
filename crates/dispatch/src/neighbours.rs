//! The channels of one instance: whom it may ask, what it may ask them, and how long it waits.
//!
//! Every neighbour may die and come back: a new channel arrives over the control channel, and the
//! question is put once more where asking twice does no harm.

mod asking;
mod queueing;
mod telling;

pub(crate) use queueing::May;

use crate::Fault;
use crate::stop::{Step, Stop};
use compartment::{House, View};
use countries::Country;
use flight::Scanners;
use queueing::Agreed;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seal::Wrapper;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telling::Untold;
use terms::{Kind, TenantId, UserId};
use wire::control::{Order, Report};
use wire::directory::{
    FromDispatch, Onward, STATED_FOR, Sending, Stated, Statement, ToDispatch, server_of,
};
use wire::lists::{Answer as Listed, May as MayPost, Question as Posting};
use wire::names::{Answer, Outcome, Question, Security};
use wire::post::{Limits, Route};
use wire::signer::{FromSigner, MailKey, ToSigner};
use wire::{Channel, Frame};

/// A neighbour that died is back within two seconds (the warden's back-off), or it is away.
const REJOIN_LIMIT: Duration = Duration::from_secs(4);
/// The directory answers from memory, or asks the vault once.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(6);
/// Two signatures are milliseconds.
const SIGNER_LIMIT: Duration = Duration::from_secs(6);
/// What recipients are is remembered so long; whoever carries the mail asks again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Recipients remembered for so long: those of one message.
const REMEMBERED_RECIPIENTS: usize = terms::RECIPIENTS;
/// Which keys sign, and next hops' tokens, are remembered so long: keys that sign no more finish
/// what was begun with them, and a token is always the same.
const REMEMBERED_WORDS: Duration = Duration::from_secs(30);
/// Next hops remembered.
const REMEMBERED_ROUTES: usize = 1_024;
/// Domains of others remembered.
const REMEMBERED_FOREIGN: usize = 1_024;
/// Scanners that one instance wears out before it leaves: the warden takes an instance that asks
/// for more than 256 for one that was taken over.
const RENEWALS: u32 = 200;

/// Whose an address is, for somebody who wants to write as it.
pub(crate) enum Whose {
    /// This person's own.
    Theirs(Box<Sending>),
    NotTheirs,
    Later,
}

/// Who a recipient is.
#[derive(Clone)]
pub(crate) enum Who {
    /// Of this house: kept here for somebody, passed on, or both.
    Here {
        users: Vec<UserId>,
        onward: Vec<Onward>,
    },
    Unknown,
    Elsewhere,
    Later,
}

pub(crate) struct Neighbours {
    house: House,
    channels: HashMap<Kind, Channel>,
    /// Whom the warden bound this instance to.
    person: Option<(TenantId, UserId)>,
    has_served: bool,
    is_closing: bool,
    renewals: u32,
    statements: HashMap<String, (Instant, Sending)>,
    recipients: HashMap<String, (Instant, Who)>,
    wrapper: Option<Arc<Wrapper>>,
    mail_keys: Option<(Instant, String, Vec<MailKey>)>,
    routes: HashMap<String, (Instant, Route)>,
    /// Domains that nobody has here.
    foreign: HashMap<String, Instant>,
    agreed: Option<Agreed>,
    /// What post was asked last, and would be asked again.
    asked: Option<(u32, Limits)>,
    untold: Untold,
    /// In which country addresses are registered: everybody's pages, mapped when they are needed.
    countries: Option<File>,
}

impl Neighbours {
    /// Everybody is joined to us by the warden, now or when they are back.
    pub(crate) fn settle_in(mut house: House) -> Result<Self, Fault> {
        house.ready(None, None).map_err(Fault::Settle)?;
        let has_countries = house.start.has_countries && !house.descriptors.is_empty();
        let countries = has_countries.then(|| File::from(house.descriptors.remove(0)));
        Ok(Self {
            house,
            channels: HashMap::new(),
            person: None,
            has_served: false,
            is_closing: false,
            renewals: 0,
            statements: HashMap::new(),
            recipients: HashMap::new(),
            wrapper: None,
            mail_keys: None,
            routes: HashMap::new(),
            foreign: HashMap::new(),
            agreed: None,
            asked: None,
            untold: Untold::default(),
            countries,
        })
    }

    pub(crate) fn host_name(&self) -> &str {
        &self.house.start.host_name
    }

    /// In the demo everybody is at home on loopback.
    pub(crate) fn is_demo(&self) -> bool {
        self.house.start.demo
    }

    /// Where an address is registered, as far as the registries' lists say.
    pub(crate) fn country(&self, address: IpAddr) -> Option<Country> {
        let table = View::of(self.countries.as_ref()?).ok()?;
        countries::find(&table, address)
    }

    pub(crate) fn report(&self, report: &Report) {
        // A warden that is gone takes us with it: nothing is lost by not telling it.
        let _ = self.house.report(report, &[]);
    }

    /// Whoever it serves broke the rules: told, and served no more.
    pub(crate) fn has_heard_nonsense(&self) {
        self.report(&Report::Alarm { what: "dispatch: malformed frame from access".to_owned() });
    }

    /// Whether this instance has worn out as many scanners as one instance may.
    pub(crate) fn is_worn(&self) -> bool {
        self.renewals >= RENEWALS
    }

    /// Whether the mail is of a tenant's own server, which is many people and no person.
    pub(crate) fn is_of_a_server(&self) -> bool {
        self.person.is_some_and(|(tenant, user)| user == server_of(tenant))
    }

    // ---- access, or an edge --------------------------------------------------------------------

    /// The next question of the access that this instance was born for; `None`: leave.
    pub(crate) fn next_question(&mut self) -> Option<Frame> {
        let question = self.await_question();
        if question.is_none() {
            self.tell_journeys();
        }
        question
    }

    fn await_question(&mut self) -> Option<Frame> {
        loop {
            if self.untold.is_due() {
                self.tell_journeys();
            }
            if self.house.has_kept() {
                self.settle();
            }
            let (is_called, is_asked) = self.wait()?;
            if is_called {
                self.settle();
            }
            match self.channels.get(&Kind::Access).filter(|_| is_asked).map(Channel::take) {
                Some(Ok(Some(frame))) => return Some(frame),
                Some(Err(wire::Fault::Malformed | wire::Fault::TooLarge { .. })) => {
                    self.has_heard_nonsense();
                    return None;
                }
                // It has ended, and with it what we are for.
                Some(Err(_)) => return None,
                Some(Ok(None)) | None => {}
            }
            let is_alone = !self.channels.contains_key(&Kind::Access);
            if is_alone && (self.has_served || self.is_closing) {
                return None;
            }
        }
    }

    /// Waits for the warden or the access, or until there is something to tell. Which of them has
    /// something to say; `None`: nobody can be waited for.
    fn wait(&self) -> Option<(bool, bool)> {
        let mut fds = vec![PollFd::new(&self.house.control, PollFlags::IN)];
        let access = self.channels.get(&Kind::Access);
        fds.extend(access.map(|access| PollFd::new(access, PollFlags::IN)));
        let patience = self.untold.patience().map(|patience| Timespec {
            tv_sec: patience.as_secs().cast_signed(),
            tv_nsec: i64::from(patience.subsec_nanos()),
        });
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Some((is_ready(0), is_ready(1)))
    }

    pub(crate) fn answer(&mut self, call: u32, answer: &impl Serialize) {
        if let Some(access) = self.channels.get(&Kind::Access) {
            // One that is gone has nobody left to tell.
            let _ = access.send(call, answer, &[]);
        }
    }

    // ---- directory -----------------------------------------------------------------------------

    /// Whether this person may write as `address` (in the directory's spelling), by the vault's
    /// signature and nobody else's word.
    pub(crate) fn whose(&mut self, address: &str) -> Whose {
        if let Some((since, sending)) = self.statements.get(address)
            && since.elapsed() < STATED_FOR
        {
            return Whose::Theirs(Box::new(sending.clone()));
        }
        let question = FromDispatch::Sending(address.to_owned());
        match self.ask(Kind::Directory, &question, &[], DIRECTORY_LIMIT) {
            Ok(ToDispatch::Sending { statement, signature }) => {
                let Some(sending) = self.believe(address, &statement, &signature) else {
                    return Whose::Later;
                };
                let remembered = (Instant::now(), sending.clone());
                self.statements.insert(address.to_owned(), remembered);
                Whose::Theirs(Box::new(sending))
            }
            Ok(ToDispatch::NotTheirs) => Whose::NotTheirs,
            _ => Whose::Later,
        }
    }

    fn believe(&self, address: &str, statement: &[u8], signature: &[u8]) -> Option<Sending> {
        let vault = self.house.start.statement_key?;
        let now = compartment::now_ms();
        let what = match seal::verify_sending(&vault, statement, signature, now, address) {
            Ok(sending) if self.person == Some((sending.tenant, sending.user)) => {
                return Some(sending);
            }
            Ok(_) => "a sending statement is about somebody else".to_owned(),
            Err(refused) => format!("a sending statement was not believed: {refused:?}"),
        };
        self.report(&Report::Alarm { what });
        None
    }

    /// What wraps this person's mail to the tenant's transit pair: made once a day, or for an
    /// instance, whichever is less.
    pub(crate) fn wrapper(&mut self, author: &Sending) -> Result<Arc<Wrapper>, Fault> {
        let public = seal::public_key(&author.transit).map_err(Fault::Seal)?;
        if let Some(wrapper) = self.wrapper.as_ref().filter(|wrapper| wrapper.is_for(&public)) {
            return Ok(wrapper.clone());
        }
        let wrapper = Wrapper::new(&public, author.tenant, author.user).map_err(Fault::Seal)?;
        Ok(self.wrapper.insert(Arc::new(wrapper)).clone())
    }

    /// Who a recipient is, as far as it is ours to know.
    pub(crate) fn who_is(&mut self, address: &str) -> Who {
        if let Some((since, who)) = self.recipients.get(address)
            && since.elapsed() < REMEMBERED
        {
            return who.clone();
        }
        if self.is_foreign(address) {
            return Who::Elsewhere;
        }
        let who = match self.stated(address) {
            Ok(ToDispatch::Stated(Stated::Known { statement, signature })) => {
                match self.believe_recipient(address, &statement, &signature) {
                    Some(known) => {
                        let users = known.recipients.iter().map(|person| person.user).collect();
                        Who::Here { users, onward: known.onward }
                    }
                    None => Who::Later,
                }
            }
            Ok(ToDispatch::Stated(Stated::Unknown)) => Who::Unknown,
            Ok(ToDispatch::Stated(Stated::Foreign)) => {
                self.remember_foreign(address);
                Who::Elsewhere
            }
            _ => Who::Later,
        };
        if !matches!(who, Who::Later) {
            if self.recipients.len() >= REMEMBERED_RECIPIENTS {
                self.recipients.clear();
            }
            self.recipients.insert(address.to_owned(), (Instant::now(), who.clone()));
        }
        who
    }

    /// Whether an address is in a domain of which nobody here has any. Our own name is none: some
    /// of its addresses are the house's.
    fn is_foreign(&self, address: &str) -> bool {
        domain_of(address).is_some_and(|domain| self.is_foreign_domain(domain))
    }

    pub(crate) fn is_foreign_domain(&self, domain: &str) -> bool {
        self.foreign.get(domain).is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    fn remember_foreign(&mut self, address: &str) {
        let is_own = |domain: &str| domain.eq_ignore_ascii_case(self.host_name());
        let Some(domain) = domain_of(address).filter(|domain| !is_own(domain)) else { return };
        let domain = domain.to_owned();
        if self.foreign.len() >= REMEMBERED_FOREIGN {
            self.foreign.clear();
        }
        self.foreign.insert(domain, Instant::now());
    }

    fn believe_recipient(
        &self,
        address: &str,
        statement: &[u8],
        signature: &[u8],
    ) -> Option<Statement> {
        let vault = self.house.start.statement_key?;
        let now = compartment::now_ms();
        let read = seal::verify_statement(&vault, statement, signature, now, address);
        let refused = match read {
            Ok(statement) => return Some(statement),
            Err(refused) => refused,
        };
        let what = format!("a statement was not believed: {refused:?}");
        self.report(&Report::Alarm { what });
        None
    }

    /// What a list's members are told with to whoever spreads the message; or why it is not.
    pub(crate) fn may_post(&mut self, list: &str, bytes: u64) -> Step<[u8; 16]> {
        let question = Posting::MayPost { list: list.to_owned(), author: None, bytes };
        let question = FromDispatch::List(question);
        match self.ask(Kind::Directory, &question, &[], DIRECTORY_LIMIT)? {
            ToDispatch::List(Listed::May(MayPost::Yes { permit })) => Ok(permit),
            ToDispatch::List(Listed::May(MayPost::No)) => {
                Err(Stop::no(550, (7, 2), "you may not post to this list"))
            }
            ToDispatch::List(Listed::May(MayPost::TooLarge { limit })) => {
                let text = format!("this list spreads messages of at most {limit} octets");
                Err(Stop::no(552, (3, 4), text))
            }
            ToDispatch::List(Listed::Unknown) => {
                Err(Stop::no(550, (1, 1), "nobody of that name here"))
            }
            _ => Err(Fault::Away("directory").into()),
        }
    }

    /// The destinations' tokens, in the order asked.
    pub(crate) fn routes(&mut self, hops: Vec<String>) -> Result<Vec<Route>, Fault> {
        let is_fresh = |(since, _): &(Instant, Route)| since.elapsed() < REMEMBERED_WORDS;
        let known = |hop: &String| self.routes.get(hop).filter(|known| is_fresh(known));
        if let Some(routes) = hops.iter().map(|hop| Some(known(hop)?.1)).collect() {
            return Ok(routes);
        }
        let question = FromDispatch::Routes(hops.clone());
        match self.ask(Kind::Directory, &question, &[], DIRECTORY_LIMIT)? {
            ToDispatch::Routes(tokens) if tokens.len() == hops.len() => {
                let routes: Vec<Route> = tokens.into_iter().map(Route).collect();
                if self.routes.len() + routes.len() > REMEMBERED_ROUTES {
                    self.routes.clear();
                }
                let now = Instant::now();
                let learned = routes.iter().map(|route| (now, *route));
                self.routes.extend(hops.into_iter().zip(learned));
                Ok(routes)
            }
            ToDispatch::Later => Err(Fault::Away("directory")),
            _ => Err(Fault::Strange { peer: "directory" }),
        }
    }

    /// How long ago this was first seen; `None`: the directory cannot say now.
    pub(crate) fn first_seen(&mut self, digest: [u8; 32]) -> Option<Duration> {
        match self.ask(Kind::Directory, &FromDispatch::FirstSeen(digest), &[], DIRECTORY_LIMIT) {
            Ok(ToDispatch::FirstSeen(since_ms)) => since_ms.map(Duration::from_millis),
            _ => None,
        }
    }

    /// Recipients that this person wrote to from new places in a day, these included.
    pub(crate) fn strange(&mut self, recipients: u32) -> Option<u32> {
        let question = FromDispatch::Strange(recipients);
        match self.ask(Kind::Directory, &question, &[], DIRECTORY_LIMIT) {
            Ok(ToDispatch::Strange(all)) => Some(all),
            _ => None,
        }
    }

    // ---- signer, post, mailbox -----------------------------------------------------------------

    /// The keys that sign for a domain; none if it has none.
    pub(crate) fn mail_keys(&mut self, domain: &str) -> Result<Vec<MailKey>, Fault> {
        if let Some((since, of, keys)) = &self.mail_keys
            && of == domain
            && since.elapsed() < REMEMBERED_WORDS
        {
            return Ok(keys.clone());
        }
        let question = ToSigner::MailKeys { domain: domain.to_owned() };
        match self.ask(Kind::Signer, &question, &[], SIGNER_LIMIT)? {
            FromSigner::MailKeys(keys) => {
                let learned = || (Instant::now(), domain.to_owned(), keys.clone());
                self.mail_keys = (!keys.is_empty()).then(learned);
                Ok(keys)
            }
            // Unsigned, the message would be taken for a forgery: it waits.
            FromSigner::Refused => Err(Fault::Away("signer")),
            _ => Err(Fault::Strange { peer: "signer" }),
        }
    }

    /// Keys may be gone that were remembered. Whether any were.
    pub(crate) fn forget_mail_keys(&mut self) -> bool {
        self.mail_keys.take().is_some()
    }

    /// By each of these keys what is for it.
    pub(crate) fn sign(
        &mut self,
        domain: &str,
        asked: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let (many, domain) = (asked.len(), domain.to_owned());
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let question = ToSigner::SignMailByAll { domain, asked };
        match self.ask(Kind::Signer, &question, &[], SIGNER_LIMIT)? {
            FromSigner::Signatures(signatures) if signatures.len() == many => Ok(signatures),
            _ => Err(Fault::Strange { peer: "signer" }),
        }
    }

    // ---- channels ------------------------------------------------------------------------------

    /// Asks a keeper and waits for its answer. If it died meanwhile its successor is asked, once.
    fn ask<A: DeserializeOwned>(
        &mut self,
        kind: Kind,
        question: &impl Serialize,
        held: &[OwnedFd],
        limit: Duration,
    ) -> Result<A, Fault> {
        for _ in 0..2 {
            let channel = self.channel(kind)?;
            match channel.ask(question, held, limit) {
                Ok((answer, _)) => return Ok(answer),
                Err(wire::Fault::Silent | wire::Fault::Crowded) => {
                    return Err(Fault::Away(kind.word()));
                }
                Err(wire::Fault::Malformed) => return Err(Fault::Strange { peer: kind.word() }),
                Err(_) => drop(self.channels.remove(&kind)),
            }
        }
        Err(Fault::Away(kind.word()))
    }

    fn channel(&mut self, kind: Kind) -> Result<&mut Channel, Fault> {
        // Who is there is asked: whether they still are is found out by asking.
        if !self.channels.contains_key(&kind) {
            self.settle();
        }
        let until = Instant::now() + REJOIN_LIMIT;
        while !self.channels.contains_key(&kind) {
            let left = until.saturating_duration_since(Instant::now());
            let heard = self.house.control.wait(left);
            self.settle();
            if !matches!(heard, Ok(true)) && !self.channels.contains_key(&kind) {
                return Err(Fault::Away(kind.word()));
            }
        }
        self.channels.get_mut(&kind).ok_or(Fault::Away(kind.word()))
    }

    /// Hears whatever the warden has said meanwhile.
    fn settle(&mut self) {
        loop {
            match self.house.next_order() {
                Ok(None) => return,
                Ok(Some((Order::Join(label), held))) => {
                    let Some(held) = held.into_iter().next() else { continue };
                    let mut seat = label.kind;
                    if matches!(label.kind, Kind::Access | Kind::Edge) {
                        // For good: a second client, or one for somebody else, is not heard.
                        if self.has_served || label.person.is_none() {
                            continue;
                        }
                        (self.person, self.has_served) = (label.person, true);
                        seat = Kind::Access;
                    }
                    self.channels.insert(seat, held.into());
                }
                // With its access an instance ends; until then what is in hand is finished.
                Ok(Some((Order::Keys(keys), _))) => self.house.start.learn(keys),
                Ok(Some((Order::Stop, _))) => self.is_closing = true,
                Ok(Some(_)) => {}
                Err(compartment::Fault::Channel(wire::Fault::Malformed)) => {}
                // EOF of the control channel is the end of our life.
                Err(_) => {
                    self.is_closing = true;
                    self.channels.remove(&Kind::Access);
                    self.has_served = true;
                    return;
                }
            }
        }
    }
}

fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

impl Scanners for Neighbours {
    fn ready(&mut self) -> Option<&mut Channel> {
        let is_gone = |channel: &Channel| matches!(channel.wait(Duration::ZERO), Ok(true) | Err(_));
        if self.channels.get(&Kind::Scanner).is_some_and(is_gone) {
            self.gone();
        }
        self.channel(Kind::Scanner).ok()
    }

    fn at_work(&mut self) -> Option<&mut Channel> {
        self.channels.get_mut(&Kind::Scanner)
    }

    fn gone(&mut self) {
        self.channels.remove(&Kind::Scanner);
        self.renewals += 1;
        self.report(&Report::Renew(Kind::Scanner));
    }

    /// Our own people's mail needs no question to the DNS.
    fn answer(&mut self, _question: &Question) -> Answer {
        Answer { outcome: Outcome::Failed, security: Security::Insecure, ttl_seconds: 0 }
    }

    fn killed(&mut self) {
        self.report(&Report::Alarm { what: "an outgoing message killed two scanners".to_owned() });
    }
}
