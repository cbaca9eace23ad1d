//! The channels of one instance: whom it may ask, what it may ask them, and how long it waits.
//!
//! Every neighbour may die and come back: a new channel arrives over the control channel, and the
//! question is put once more where asking twice does no harm.

use crate::Fault;
use crate::addressee::Addressee;
pub(crate) use crate::heard::{Handed, Kept, Queued, Room, Who};
use crate::judgement::Judged;
use crate::patience;
use compartment::{House, Lender, Slab};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smtp::Address;
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use terms::{ConnectionId, Kind, TenantId, UserId};
use tls::SignerLink;
use wire::control::{Order, Report};
use wire::directory::{self, STATED_FOR, Stated, ToEdge};
use wire::gate::{FromGate, ToGate};
use wire::names::{Answer, Outcome, Question, Security};
use wire::{Channel, Frame};

mod customers;
mod keeping;

/// A neighbour that died is back within two seconds (the warden's back-off), or it is away.
const REJOIN_LIMIT: Duration = Duration::from_secs(4);
/// The directory answers from memory, or asks the vault once.
pub(crate) const DIRECTORY_LIMIT: Duration = Duration::from_secs(6);
/// A customer's server answers within its four seconds; RFC 5321 §4.5.3.2.3 lets the sender wait
/// five minutes.
const CHECKING: Duration = Duration::from_secs(5);
/// Between two looks whether it has answered: a server nearby does within one.
const CHECK_PAUSE: Duration = Duration::from_millis(150);
/// `names` gives up by itself before this.
const NAMES_LIMIT: Duration = Duration::from_secs(8);
/// A durable commit on a busy disk. RFC 5321 §4.5.3.2.6 lets the sender wait ten minutes.
pub(crate) const KEEP_LIMIT: Duration = Duration::from_secs(30);
/// Keyed hashes are computed in memory; mail does not wait for them as for a statement.
const TOKENS_LIMIT: Duration = Duration::from_secs(2);
/// The gate only counts.
const GATE_LIMIT: Duration = Duration::from_secs(4);
/// Memory that a connection is handed over with and keeps between its messages.
const KEPT_BYTES: u64 = terms::DOOR_BYTES as u64;
/// Whoever needs more asks for so much at least.
const STEP_BYTES: u64 = 1024 * 1024;
/// A burst for one recipient asks the directory and the mailbox once. A person who is disabled
/// meanwhile gets mail for this much longer.
const REMEMBERED: Duration = STATED_FOR;
/// Answers of the DNS are remembered this long at most, and so many of them; `names` has the rest.
const ANSWER_TIME: Duration = Duration::from_secs(30);
const ANSWERS: usize = 128;
/// Recipients remembered for so long.
const REMEMBERED_RECIPIENTS: usize = 64;

/// How long one waits for the next connection with memory in hand.
const REST: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Scanners that one instance wears out before it retires: the warden takes an instance that asks
/// for more than 256 for one that was taken over.
const RENEWALS: u32 = 200;

pub(crate) struct Neighbours {
    house: House,
    channels: HashMap<Kind, Channel>,
    signer: Option<SignerLink>,
    waiting: Vec<Handed>,
    closing: bool,
    /// The gate is gone, or a channel is of no use any more. Whoever comes has instances of its
    /// own: finish and leave.
    orphaned: bool,
    granted: u64,
    renewals: u32,
    statements: HashMap<String, (Instant, directory::Statement)>,
    rooms: HashMap<UserId, Instant>,
    /// When the mailbox last left a question without an answer.
    mute: Option<Instant>,
    answers: HashMap<Question, (Instant, Answer)>,
    /// Whose server the dispatch is for that was born for us last.
    outlet: Option<TenantId>,
    lender: Lender,
}

impl Neighbours {
    /// Everybody else is joined to us by the warden, now or when they are back.
    pub(crate) fn settle_in(house: House) -> Result<Self, Fault> {
        house.ready(None, None).map_err(Fault::Settle)?;
        Ok(Self {
            house,
            channels: HashMap::new(),
            signer: None,
            waiting: Vec::new(),
            closing: false,
            orphaned: false,
            granted: 0,
            renewals: 0,
            statements: HashMap::new(),
            rooms: HashMap::new(),
            mute: None,
            answers: HashMap::new(),
            outlet: None,
            lender: Lender::default(),
        })
    }

    pub(crate) fn host_name(&self) -> &str {
        &self.house.start.host_name
    }

    /// In the demo, rates do not count for loopback.
    pub(crate) fn is_demo(&self) -> bool {
        self.house.start.demo
    }

    /// The link to `signer`, if there is one: without it no STARTTLS is offered.
    pub(crate) fn signer(&mut self) -> Option<SignerLink> {
        self.settle();
        self.signer.clone()
    }

    pub(crate) fn report(&self, report: &Report) {
        // A warden that is gone takes us with it: nothing is lost by not telling it.
        let _ = self.house.report(report, &[]);
    }

    // ---- gate ----------------------------------------------------------------------------------

    /// Waits for the next connection; `None`: leave.
    pub(crate) fn next_connection(&mut self) -> Option<Handed> {
        loop {
            self.settle();
            if let Some(handed) = self.waiting.pop() {
                self.granted = KEPT_BYTES;
                self.tell_gate(&ToGate::Begun { connection: handed.connection });
                return Some(handed);
            }
            if self.closing || self.orphaned {
                return None;
            }
            self.wait_for_orders().ok()?;
        }
    }

    /// Who waits for long gives back the memory that the next message would have used again.
    fn wait_for_orders(&mut self) -> Result<(), Fault> {
        let has_memory = !self.lender.is_at_rest() || Slab::is_kept();
        if has_memory && !self.is_ordered(Some(&REST))? {
            self.lender.rest();
            Slab::rest();
        }
        self.is_ordered(None).map(drop)
    }

    fn is_ordered(&self, limit: Option<&Timespec>) -> Result<bool, Fault> {
        let watched = self.watched();
        let mut fds: Vec<PollFd<'_>> =
            watched.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        match poll(&mut fds, limit) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(errno) => Err(Fault::Memory(errno.into())),
        }
    }

    /// What may speak to us unasked: the warden and the gate.
    pub(crate) fn watched(&self) -> Vec<BorrowedFd<'_>> {
        let gate = self.channels.get(&Kind::Gate).map(AsFd::as_fd);
        std::iter::once(self.house.control.as_fd()).chain(gate).collect()
    }

    /// Whether we were told to finish.
    pub(crate) fn is_closing(&mut self) -> bool {
        self.settle();
        self.closing
    }

    pub(crate) fn done(&mut self, connection: ConnectionId, last: bool) {
        // With the connection the gate takes back whatever was granted to it.
        self.granted = 0;
        self.tell_gate(&ToGate::Done { connection, last });
    }

    pub(crate) fn unknown_recipients(&mut self, count: u32) {
        self.tell_gate(&ToGate::Unknown { count });
    }

    /// Makes sure that `bytes` of mail in flight are ours to hold.
    pub(crate) fn allow_memory(&mut self, bytes: u64) -> bool {
        let Some(more) = bytes.checked_sub(self.granted).filter(|more| *more > 0) else {
            return true;
        };
        let more = more.max(STEP_BYTES);
        let answer = self.ask_gate(more);
        self.settle();
        // Without a gate nobody counts; what is left to do is one message, and our own limit holds.
        if answer.unwrap_or(self.orphaned) {
            self.granted += more;
            return true;
        }
        false
    }

    /// Between messages: gives back all but `keep` (and what small messages need).
    pub(crate) fn release_memory(&mut self, keep: u64) {
        if let Some(bytes) = self.granted.checked_sub(keep).filter(|bytes| *bytes > 0) {
            self.granted = keep;
            self.tell_gate(&ToGate::Release { bytes });
        }
    }

    pub(crate) fn after_message(&mut self) {
        self.release_memory(KEPT_BYTES);
    }

    /// The gate may hand over or close while we wait for its answer: nothing of it is dropped.
    fn ask_gate(&mut self, bytes: u64) -> Option<bool> {
        let gate = self.channels.get_mut(&Kind::Gate)?;
        let call = gate.next_call();
        gate.send(call, &ToGate::Allow { bytes }, &[]).ok()?;
        let until = Instant::now() + GATE_LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let frame = self.channels.get(&Kind::Gate)?.receive(Some(left)).ok()?;
            if frame.call == call {
                return frame.read().ok().map(|answer| matches!(answer, FromGate::Allowed(true)));
            }
            self.hear_gate(frame);
        }
    }

    fn tell_gate(&mut self, message: &ToGate) {
        if let Some(gate) = self.channels.get(&Kind::Gate) {
            let _ = gate.send(0, message, &[]);
        }
    }

    fn hear_gate(&mut self, frame: Frame) {
        match frame.read() {
            Ok(FromGate::Handed { connection, peer, .. }) => {
                if let Some(socket) = frame.descriptors.into_iter().next() {
                    self.waiting.push(Handed { connection, peer, socket });
                }
            }
            Ok(FromGate::Closing) => self.closing = true,
            _ => {}
        }
    }

    // ---- directory, names, mailbox -------------------------------------------------------------

    /// Who `address` is, by the vault's signature and nobody else's word.
    pub(crate) fn who_is(&mut self, address: &str) -> Who {
        if let Some((since, statement)) = self.statements.get(address)
            && since.elapsed() < REMEMBERED
        {
            return Who::Known(Box::new(statement.clone()));
        }
        match self.stated(address) {
            Ok(ToEdge::Stated(Stated::Known { statement, signature })) => {
                let who = self.believe(address, &statement, &signature);
                if let Who::Known(statement) = &who {
                    if self.statements.len() >= REMEMBERED_RECIPIENTS {
                        self.statements.clear();
                    }
                    let remembered = (Instant::now(), (**statement).clone());
                    self.statements.insert(address.to_owned(), remembered);
                }
                who
            }
            Ok(ToEdge::Stated(Stated::Unknown)) => Who::Unknown,
            Ok(ToEdge::Stated(Stated::Foreign)) => Who::Foreign,
            Ok(ToEdge::Stated(Stated::Checking | Stated::Unsaid)) => Who::Unsaid,
            _ => Who::Later,
        }
    }

    /// Whether every recipient is still theirs for whom they were noted. Whose contract ends in the
    /// middle of a letter must not be told that it was kept: its keys go.
    pub(crate) fn are_still_stated(&mut self, addressees: &[Addressee]) -> bool {
        addressees.iter().all(|noted| {
            let is_young = noted.at.elapsed() < STATED_FOR;
            is_young
                || match self.who_is(&noted.address) {
                    Who::Known(now) => noted.is_still(&now),
                    _ => false,
                }
        })
    }

    /// The directory's word; while the address's own server is being asked, once more and again.
    fn stated(&mut self, address: &str) -> Result<ToEdge, Fault> {
        let until = Instant::now() + CHECKING;
        loop {
            let question = directory::FromEdge::Address(address.to_owned());
            let answer = self.ask(Kind::Directory, &question, DIRECTORY_LIMIT)?;
            let is_checking = matches!(answer, ToEdge::Stated(Stated::Checking));
            if !is_checking || Instant::now() >= until || self.is_closing() {
                return Ok(answer);
            }
            std::thread::sleep(CHECK_PAUSE);
        }
    }

    fn believe(&self, address: &str, statement: &[u8], signature: &[u8]) -> Who {
        let Some(vault) = self.house.start.statement_key else { return Who::Later };
        let now = compartment::now_ms();
        match seal::verify_statement(&vault, statement, signature, now, address) {
            Ok(statement) => Who::Known(Box::new(statement)),
            Err(refused) => {
                let what = format!("a statement was not believed: {refused:?}");
                self.report(&Report::Alarm { what });
                Who::Later
            }
        }
    }

    /// Whether a domain is a tenant's of this house. Of a directory that is away nobody hears that.
    pub(crate) fn has_domain(&mut self, domain: &str) -> bool {
        let question = directory::FromEdge::HasDomain(domain.to_owned());
        let answer = self.ask(Kind::Directory, &question, DIRECTORY_LIMIT);
        matches!(answer, Ok(ToEdge::HasDomain(true)))
    }

    /// How long ago this was first tried; `None`: the directory cannot say now.
    pub(crate) fn first_tried(&mut self, tenant: TenantId, digest: [u8; 32]) -> Option<Duration> {
        let question = directory::FromEdge::FirstSeen { tenant, digest };
        match self.ask(Kind::Directory, &question, DIRECTORY_LIMIT) {
            Ok(ToEdge::FirstSeen(since_ms)) => since_ms.map(Duration::from_millis),
            _ => None,
        }
    }

    /// Whether somebody who is away answers for the first time. Nobody does who cannot know.
    pub(crate) fn is_first_answer(&mut self, tenant: TenantId, digest: [u8; 32]) -> bool {
        let question = directory::FromEdge::Answered { tenant, digest };
        let answer = self.ask(Kind::Directory, &question, DIRECTORY_LIMIT);
        matches!(answer, Ok(ToEdge::FirstAnswer(Some(true))))
    }

    /// Whether these three came together before, long enough ago. Without an answer nobody is
    /// kept waiting: greylisting is a convenience.
    pub(crate) fn is_familiar(
        &mut self,
        tenant: TenantId,
        client: IpAddr,
        (from, to): (&str, &str),
    ) -> bool {
        let digest = patience::digest("stranger", client, from, to);
        self.first_tried(tenant, digest).is_none_or(|since| since >= patience::STRANGER)
    }

    /// Whether this message was put off for its sender's DNS as long as is bearable.
    pub(crate) fn was_put_off(&mut self, judged: &Judged) -> bool {
        let offered = &judged.received.offered;
        let Some(first) = offered.addressees.first() else { return false };
        let from = judged.received.from();
        let digest = patience::digest("dns", offered.client_ip, &from, &first.address);
        let since = self.first_tried(first.tenant, digest);
        since.is_some_and(|since| since >= patience::FAILING_DNS)
    }

    /// The mails of one sender ask the same questions one after the other.
    pub(crate) fn answer_at_hand(&self, question: &Question) -> Option<Answer> {
        let (until, answer) = self.answers.get(question)?;
        (Instant::now() < *until).then(|| answer.clone())
    }

    /// One answer of the DNS.
    pub(crate) fn resolve(&mut self, question: &Question) -> Answer {
        let answer = self.ask(Kind::Names, question, NAMES_LIMIT).unwrap_or(Answer {
            outcome: Outcome::Failed,
            security: Security::Insecure,
            ttl_seconds: 0,
        });
        let ttl = Duration::from_secs(answer.ttl_seconds.into()).min(ANSWER_TIME);
        if !answer.outcome.is_failure() && !ttl.is_zero() {
            if self.answers.len() >= ANSWERS {
                self.answers.clear();
            }
            self.answers.insert(question.clone(), (Instant::now() + ttl, answer.clone()));
        }
        answer
    }

    /// Asks for the keyed hashes that `trace` finds a message by; the answer is awaited later, so
    /// that the directory works while we seal.
    pub(crate) fn ask_trace_tokens(
        &mut self,
        tenant: TenantId,
        digests: Vec<[u8; 32]>,
    ) -> Option<u32> {
        let question = directory::FromEdge::Tokens { tenant, digests };
        let directory = self.channels.get_mut(&Kind::Directory)?;
        let call = directory.next_call();
        directory.send(call, &question, &[]).ok().map(|()| call)
    }

    /// The answers to those questions, in their order. Without one the message is kept all the
    /// same: it is then found by nobody's search, and by its recipient.
    pub(crate) fn await_trace_tokens(&mut self, call: Option<u32>) -> Vec<[u8; 16]> {
        let until = Instant::now() + TOKENS_LIMIT;
        let (Some(call), Some(directory)) = (call, self.channels.get(&Kind::Directory)) else {
            return Vec::new();
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(frame) = directory.receive(Some(left)) else { return Vec::new() };
            if frame.call == call {
                return match frame.read() {
                    Ok(ToEdge::Tokens(tokens)) => tokens,
                    _ => Vec::new(),
                };
            }
        }
    }

    // ---- channels ------------------------------------------------------------------------------

    /// The scanner's channel, renewed if the last scanner has retired or died.
    pub(crate) fn scanner(&mut self) -> Result<&mut Channel, Fault> {
        let is_gone = |channel: &Channel| matches!(channel.wait(Duration::ZERO), Ok(true) | Err(_));
        if self.channels.get(&Kind::Scanner).is_some_and(is_gone) {
            self.scanner_gone();
        }
        self.channel(Kind::Scanner, REJOIN_LIMIT)
    }

    /// The scanner that is at work now.
    pub(crate) fn scanner_channel(&mut self) -> Result<&mut Channel, Fault> {
        self.channels.get_mut(&Kind::Scanner).ok_or(Fault::Away("scanner"))
    }

    /// Forgets a scanner and asks the warden for another one.
    pub(crate) fn scanner_gone(&mut self) {
        self.channels.remove(&Kind::Scanner);
        self.renewals += 1;
        self.report(&Report::Renew(Kind::Scanner));
    }

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
        self.ask_beside(kind, (question, &[]), limit)
    }

    /// The same, with descriptors beside the question.
    pub(crate) fn ask_beside<Q, A>(
        &mut self,
        kind: Kind,
        (question, held): (&Q, &[OwnedFd]),
        limit: Duration,
    ) -> Result<A, Fault>
    where
        Q: serde::Serialize,
        A: serde::de::DeserializeOwned,
    {
        for _ in 0..2 {
            let channel = self.channel(kind, REJOIN_LIMIT)?;
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

    /// Whether this instance has worn out as many scanners as one instance may.
    pub(crate) fn is_worn(&self) -> bool {
        self.renewals >= RENEWALS
    }

    /// Hears whatever the warden and the gate have said meanwhile.
    fn settle(&mut self) {
        loop {
            match self.house.next_order() {
                Ok(None) => break,
                Ok(Some((Order::Join(label), held))) => {
                    if let Some(held) = held.into_iter().next() {
                        if label.kind == Kind::Dispatch {
                            self.outlet = label.person.map(|(tenant, _)| tenant);
                        }
                        self.join(label.kind, held.into());
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
        while let Some(gate) = self.channels.get(&Kind::Gate) {
            match gate.take() {
                Ok(Some(frame)) => self.hear_gate(frame),
                Ok(None) => break,
                Err(_) => {
                    self.channels.remove(&Kind::Gate);
                    self.orphaned = true;
                }
            }
        }
    }

    /// Finishes this connection and leaves, for want of a channel that nobody joins again.
    fn retire(&mut self) {
        self.orphaned = true;
    }

    fn join(&mut self, kind: Kind, channel: Channel) {
        if kind != Kind::Signer {
            self.channels.insert(kind, channel);
            return;
        }
        match &self.signer {
            Some(link) => link.replace(channel),
            None => self.signer = Some(SignerLink::new(channel)),
        }
    }
}

/// The one spelling that the directory looks up: lower case, the domain in A-labels (RFC 5890),
/// without what stands behind a plus, in quotes only where the grammar needs them
/// (RFC 5321 §4.1.2). `None`: no domain of ours can look like this.
pub(crate) fn canonical(address: &Address) -> Option<String> {
    // A return path that was rewritten names somebody else, detail and all.
    let is_rewritten = address.in_small_letters().local().starts_with("srs0=");
    let plain = if is_rewritten { address.clone() } else { address.split_tag().0 };
    plain.in_the_dns().map(|plain| plain.in_small_letters().written())
}
