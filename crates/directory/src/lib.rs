//! The directory knows the tenants, their domains and addresses, and what each tenant wishes.
//!
//! # Holds          addresses and settings of all tenants, which domains outside they wrote to
//! #                that publish policies, for a month which hosts took their mail, and since when
//! #                which networks are known of a person (keyed hashes), sealed under a key from
//! #                the vault
//! # May ask        vault (keys, signed statements), mailbox (to erase; who sent a message), post
//! #                (letters about lists and TLS, complaints, a person's word about what is held),
//! #                ledger (its own entries), fetch (whether a gateway's server has an address)
//! # Network        none
//! # If taken over  the intruder learns addresses and can weaken judgement; a change without a
//! #                recorded `rule.change` is an alarm, and so is a redirected mailbox; no mail; it
//! #                can write some short letters in the house's name; have people's mail wait by
//! #                complaints that nobody made; have `fetch` ask a public
//! #                server for an address (five times a second in the whole house, at ports of
//! #                mail), a narrow way out for what it knows; have mail released or dropped that
//! #                it was told is held for its sender's word (post tells the operator); and have
//! #                people's app passwords for sending revoked
//! # Never          holds a private key; makes a statement that the vault has not signed

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod accepted;
mod address;
mod asked;
mod changes;
mod ending;
mod endings;
mod fault;
mod friends;
mod gateways;
mod guesses;
mod held;
mod inquiries;
mod keys;
mod letters;
mod list_changes;
mod list_mail;
mod lists;
mod named;
mod newcomers;
mod older;
mod outgoing;
mod outlets;
mod passing;
mod places;
mod public;
mod reports;
mod resolve;
mod seen;
mod sending;
mod shared;
mod spellings;
mod srs;
mod statements;
mod sts;
mod tables;
mod tls_reports;
mod tls_rows;
mod undelivered;
mod voices;
mod ways;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod ending_tests;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod inquiry_tests;
#[cfg(test)]
mod leaving_tests;
#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod passing_tests;
#[cfg(test)]
mod redirection_tests;
#[cfg(test)]
mod report_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod spelling_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod voices_tests;

pub use address::{canonical, domain_to_be, folded as folded_address, is_address};
pub use changes::is_tenant_name;
pub use fault::Fault;
pub use spellings::odd_address;

use address::ADDRESS_BYTES;
use compartment::{House, now_ms};
use friends::Friends;
use guesses::Guesses;
use inquiries::Inquiries;
use list_mail::Asker;
use older::Known;
use rows::RowKey;
use seen::Memories;
use sending::Sendings;
use statements::Statements;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tables::Tables;
use terms::{Kind, TenantId, UserId};
use wire::control::{Order, Report};
use wire::directory::{
    Admitted, FromAdmin, FromDepart, FromDispatch, FromEdge, FromIdentity, Stated, ToAdmin,
    ToDepart, ToDispatch, ToEdge, ToIdentity,
};
use wire::lists::{Answer, Question};
use wire::post::Hop;
use wire::{Event, Frame, Hub, Label, Peer};

/// How often the directory asks again for the key of its tables while the vault is away.
const KEY_PATIENCE: Duration = Duration::from_millis(200);
/// Between two looks at contracts that end.
const TENDING: Duration = Duration::from_secs(2);
/// The same after one that waits for somebody: it is said each time.
const TENDING_AFTER_FAULT: Duration = Duration::from_secs(10);
/// Between two handfuls of letters: others are answered meanwhile.
const BETWEEN_LETTERS: Duration = Duration::from_millis(20);
/// Between two looks for letters, beyond those after each change.
const LETTERS: Duration = Duration::from_secs(60);
/// Digests in one `Tokens` question: a message has a handful, or one for each recipient.
const TOKENS: usize = wire::mailbox::TOKENS;
/// Next hops in one `Routes` question: each recipient of one message may have another.
const ROUTES: usize = terms::RECIPIENTS + 24;

/// Runs until it is told to stop or the warden is gone.
pub fn run(house: House) -> ExitCode {
    match serve(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("sekisho: directory ends: {}", fault.story()));
            compartment::failure(fault.is_full())
        }
    }
}

fn serve(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let tables = Tables::open(Path::new(&folder))?;
    let notes = Tables::open(Path::new(&folder))?;
    house.jail().map_err(Fault::jail)?;
    let mut hub = Hub::new().map_err(Fault::channel)?;
    let mut friends = Friends::new(house.start.instance);
    friends.journal.await_notes();
    house.ready(Some(friends.journal.public()), None).map_err(Fault::jail)?;
    let (warden, start) = house.seat_control(&mut hub).map_err(Fault::jail)?;
    let host_name = start.host_name;
    let statements = Statements::default();
    let guesses = Guesses::default();
    let next_tending = Instant::now();
    let mut desk = Desk {
        hub,
        warden,
        tables,
        friends,
        statements,
        guesses,
        inquiries: Inquiries::default(),
        memories: Memories::default(),
        sendings: Sendings::default(),
        rates: reports::Rates::default(),
        outlets: None,
        authorities: start.relay.authorities,
        key: None,
        known: Known::Locked(notes),
        host_name,
        next_tending,
        next_letters: next_tending,
    };
    loop {
        let now = Instant::now();
        let patience = match desk.key {
            None => KEY_PATIENCE,
            Some(_) if desk.known.is_open() => KEY_PATIENCE,
            // Letters wait with everything else: that their time has come is no reason to hurry.
            Some(_) if desk.known.is_older() => TENDING,
            Some(_) => desk.next_letters.saturating_duration_since(now).min(TENDING),
        };
        for event in desk.hub.wait(Some(patience)).map_err(Fault::channel)? {
            match event {
                Event::Frame(peer, frame) if peer == warden => {
                    if !desk.obey(frame) {
                        return Ok(());
                    }
                }
                Event::Frame(peer, frame) if desk.inquiries.is_fetch(peer) => {
                    desk.hear_fetch(&frame);
                }
                Event::Frame(peer, frame) => desk.answer(peer, frame),
                Event::Gone(peer, _) if peer == warden => return Ok(()),
                Event::Gone(peer, _) if desk.inquiries.is_fetch(peer) => desk.inquiries.gone(),
                Event::Gone(peer, _) => desk.guesses.forget(peer),
                Event::Ready(_) => {}
            }
        }
        desk.fetch_key();
        desk.send_letters();
        desk.tend();
    }
}

struct Desk {
    hub: Hub,
    warden: Peer,
    tables: Tables,
    friends: Friends,
    statements: Statements,
    guesses: Guesses,
    inquiries: Inquiries,
    memories: Memories,
    sendings: Sendings,
    rates: reports::Rates,
    /// As they stand; forgotten with each change.
    outlets: Option<Vec<outlets::OutletRow>>,
    /// The well-known authorities (PEM), for edges that need them. Not read here.
    authorities: String,
    key: Option<Rc<RowKey>>,
    /// Whether these tables know of all that was recorded of them.
    known: Known,
    host_name: String,
    next_tending: Instant,
    next_letters: Instant,
}

impl Desk {
    /// An order of the warden; `false` means stop.
    fn obey(&mut self, frame: Frame) -> bool {
        match frame.read::<Order>() {
            Ok(Order::Stop) => return false,
            Ok(Order::Pulse) => drop(self.hub.send(self.warden, 0, &Report::Alive, Vec::new())),
            Ok(Order::Join(label)) => {
                let Some(fd) = frame.descriptors.into_iter().next() else { return true };
                self.join(label, fd.into());
            }
            _ => {}
        }
        true
    }

    fn join(&mut self, label: Label, channel: wire::Channel) {
        match label.kind {
            Kind::Vault => self.friends.vault = Some(channel),
            Kind::Ledger => self.friends.journal.join(channel),
            Kind::Mailbox => self.friends.mailbox = Some(channel),
            Kind::Post => self.friends.post = Some(channel),
            Kind::Signer => self.friends.signer = Some(channel),
            Kind::Fetch => {
                if let Ok(fetch) = self.hub.seat(channel, label) {
                    self.inquiries.join(fetch);
                }
            }
            _ => {
                let _ = self.hub.seat(channel, label);
            }
        }
        self.fetch_key();
    }

    /// The key of the tables, once per start; the vault records that it was given.
    fn fetch_key(&mut self) {
        if self.key.is_none() {
            self.key = self.friends.policy_key().map(|key| Rc::new(RowKey::new(&key)));
        }
        self.compare_at_times();
        let Some(key) = &self.key else { return };
        let found = self.statements.confirm_keys(&self.tables, key, &mut self.friends);
        if let Ok(Some(count @ 1..)) = found {
            let what = format!(
                "the key store has no keys for {count} people: mail for them waits; restore with \
                 a key backup that is as new as the data"
            );
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
        }
    }

    fn answer(&mut self, peer: Peer, frame: Frame) {
        let label = self.hub.label(peer).cloned();
        let sent = match label.as_ref().map(|label| label.kind) {
            Some(Kind::Edge) => {
                let answer = frame.read().and_then(|question| self.answer_edge(peer, question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some(Kind::Dispatch) => {
                let person = label.and_then(|label| label.person).ok_or(wire::Fault::Malformed);
                let answer = person.and_then(|person| {
                    frame.read().and_then(|question| self.answer_dispatch(peer, person, question))
                });
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some(Kind::Depart) => {
                let answer = frame.read().and_then(|question| self.answer_depart(peer, question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some(Kind::Pages) => {
                let answer = frame.read().map(|question| self.answer_pages(question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some(Kind::Identity) => {
                let answer = frame.read().map(|question| self.answer_identity(question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some(Kind::Admin) => {
                let answer = frame.read().map(|question| self.answer_admin(question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            _ => Err(wire::Fault::Malformed),
        };
        if let Err(fault) = sent {
            match fault {
                wire::Fault::Malformed => self.hub.cut_off(peer, "it spoke what is no question"),
                _ => self.hub.dismiss(peer),
            };
            self.guesses.forget(peer);
        }
    }

    /// `Err`: this edge guesses addresses, and is answered no more.
    fn answer_edge(&mut self, peer: Peer, question: FromEdge) -> Result<ToEdge, wire::Fault> {
        let address = match question {
            FromEdge::Address(address) => address,
            FromEdge::Tokens { tenant, digests } => {
                return Ok(ToEdge::Tokens(self.tokens(tenant, &digests)));
            }
            FromEdge::ReturnPath { from, domain } => {
                return Ok(ToEdge::ReturnPath(self.return_path(&from, &domain)));
            }
            FromEdge::Routes(hops) => return Ok(ToEdge::Routes(self.routes(&hops))),
            FromEdge::Way(tenant, to) => return Ok(ToEdge::Way(self.way(tenant, &to))),
            FromEdge::Outlets(from) => return Ok(ToEdge::Outlets(self.outlets_at(from))),
            FromEdge::Admit { from, shown, secret, has } => {
                let instance = self.hub.label(peer).map(|label| label.instance);
                let instance = instance.ok_or(wire::Fault::Gone)?;
                let admitted = self.admit(instance, (from, &shown), &secret, has);
                // A secret that nobody has is a guess like an address that nobody has.
                if admitted == Admitted::No {
                    self.count_miss(peer, Kind::Edge, &Stated::Unknown)?;
                }
                return Ok(ToEdge::Admitted(admitted));
            }
            FromEdge::List(question) => {
                return Ok(ToEdge::List(self.list_mail(peer, Asker::Edge, question)?));
            }
            FromEdge::Report(told) => return Ok(ToEdge::Report(self.note_report(*told))),
            FromEdge::FirstSeen { tenant, digest } => {
                let now = now_ms();
                let token = self.key.as_ref().map(|key| keyed(key, "seen", tenant, &digest));
                return Ok(ToEdge::FirstSeen(
                    token.map(|token| self.memories.tries.since(token, now)),
                ));
            }
            FromEdge::Answered { tenant, digest } => {
                return Ok(ToEdge::FirstAnswer(self.is_first_answer(tenant, &digest)));
            }
            FromEdge::HasDomain(domain) => return Ok(ToEdge::HasDomain(self.has_domain(&domain))),
        };
        let stated = self.state_or_ask(&address);
        self.count_miss(peer, Kind::Edge, &stated)?;
        Ok(ToEdge::Stated(stated))
    }

    /// `Err`: whoever asks guesses addresses.
    fn count_miss(&mut self, peer: Peer, kind: Kind, stated: &Stated) -> Result<(), wire::Fault> {
        let is_miss = match stated {
            Stated::Unknown => true,
            // Most mail that leaves is for others.
            Stated::Foreign => kind != Kind::Dispatch,
            Stated::Known { .. } | Stated::Later | Stated::Checking | Stated::Unsaid => false,
        };
        if is_miss && self.guesses.is_too_many(peer) {
            let who = kind.word();
            let what = format!("directory: {who} asks again and again for what nobody has");
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
            return Err(wire::Fault::Gone); // as good as
        }
        Ok(())
    }

    fn answer_dispatch(
        &mut self,
        peer: Peer,
        person: (TenantId, UserId),
        question: FromDispatch,
    ) -> Result<ToDispatch, wire::Fault> {
        Ok(match question {
            FromDispatch::Sending(address) => self.state_sending(person, &address),
            FromDispatch::Address(address) => {
                let stated = self.state_or_ask(&address);
                self.count_miss(peer, Kind::Dispatch, &stated)?;
                ToDispatch::Stated(stated)
            }
            FromDispatch::Tokens(digests) => match &self.key {
                Some(_) => ToDispatch::Tokens(self.tokens(person.0, &digests)),
                None => ToDispatch::Later,
            },
            FromDispatch::Routes(hops) => {
                self.routes(&hops).map_or(ToDispatch::Later, ToDispatch::Routes)
            }
            FromDispatch::List(question) => {
                let asker = Asker::Dispatch(person.0, person.1);
                ToDispatch::List(self.list_mail(peer, asker, question)?)
            }
            FromDispatch::FirstSeen(digest) => {
                ToDispatch::FirstSeen(self.place_since(person, &digest))
            }
            FromDispatch::Strange(recipients) => {
                ToDispatch::Strange(self.memories.strange.add(person.1, recipients, now_ms()))
            }
            FromDispatch::Awaited(message, until_ms) => {
                self.ask_about_held(person, message, until_ms)
            }
        })
    }

    fn has_domain(&self, domain: &str) -> bool {
        let found = self.key.as_ref().map(|key| self.tables.domain(key, domain));
        matches!(found, Some(Ok(Some(_))))
    }

    /// Whether somebody who is away answers this sender for the first time.
    fn is_first_answer(&mut self, tenant: TenantId, digest: &[u8; 32]) -> Option<bool> {
        let token = keyed(self.key.as_ref()?, "answered", tenant, digest);
        Some(self.memories.answers.since(token, now_ms()) == 0)
    }

    /// Tokens of next hops, the same for everybody who asks; `None`: there is no key yet.
    /// Equal next hops have equal tokens, in the whole house.
    fn routes(&self, hops: &[String]) -> Option<Vec<[u8; 16]>> {
        let key = self.key.as_ref()?;
        let route = |hop: &String| key.token("route", hop.as_bytes());
        Some(hops.iter().take(ROUTES).map(route).collect())
    }

    /// The way outside to an address.
    fn way(&self, tenant: TenantId, to: &str) -> Option<Hop> {
        let row = self.tables.tenant(self.key.as_ref()?, tenant).ok()?;
        let to = to.get(..ADDRESS_BYTES).unwrap_or(to);
        Some(resolve::hop(to, row.and_then(|row| row.sending.smart_host).as_ref()))
    }

    fn state_sending(&mut self, person: (TenantId, UserId), address: &str) -> ToDispatch {
        let Some(key) = self.key.as_ref().filter(|_| !self.known.is_older()) else {
            return ToDispatch::Later;
        };
        let now = now_ms();
        let Ok(address) = self.tables.kept_spelling(key, address, &self.host_name) else {
            return ToDispatch::Later;
        };
        let from = (&self.tables, &**key);
        self.sendings
            .state(from, &mut self.friends, person, &address, now)
            .unwrap_or(ToDispatch::Later)
    }

    fn answer_depart(&mut self, peer: Peer, question: FromDepart) -> Result<ToDepart, wire::Fault> {
        match question {
            FromDepart::Address(address) => {
                let stated = self.state_or_ask(&address);
                self.count_miss(peer, Kind::Depart, &stated)?;
                Ok(ToDepart::Stated(stated))
            }
            FromDepart::Tokens { tenant, digests } => {
                Ok(ToDepart::Tokens(self.tokens(tenant, &digests)))
            }
            FromDepart::Routes(hops) => Ok(ToDepart::Routes(self.routes(&hops))),
            FromDepart::Source { tenant, domains } => self.tell_source(peer, tenant, &domains),
            FromDepart::Policy(policy) => self.note_policy(peer, policy),
            FromDepart::Way(tenant, to) => Ok(ToDepart::Way(self.way(tenant, &to))),
            FromDepart::ReturnPath { from, domain } => {
                Ok(self.return_path_for(peer, &from, &domain))
            }
            FromDepart::List(question) => {
                Ok(ToDepart::List(self.list_mail(peer, Asker::Depart, question)?))
            }
            FromDepart::Tls(findings) => {
                self.note_for(peer, |change, tenant| change.note_tls(tenant, &findings))
            }
            FromDepart::Accepted(lines) => {
                self.note_for(peer, |change, tenant| change.note_accepted(tenant, &lines))
            }
            FromDepart::Answered { tenant, digest } => {
                Ok(ToDepart::FirstAnswer(self.is_first_answer(tenant, &digest)))
            }
            FromDepart::Own(user) => Ok(self.own_mailbox(peer, user)),
        }
    }

    /// Without a label the warden has not said yet whose mail it carries.
    fn own_mailbox(&mut self, peer: Peer, user: UserId) -> ToDepart {
        let person = self.hub.label(peer).and_then(|label| label.person);
        let (Some((tenant, _)), Some(key)) = (person, &self.key) else { return ToDepart::Later };
        let look = resolve::Lookup { tables: &self.tables, key, now: now_ms() };
        match statements::own_mailbox(look, &mut self.friends, (tenant, user)) {
            Ok((stated, keeps)) => ToDepart::Own(stated, keeps),
            Err(_) => ToDepart::Later,
        }
    }

    /// Noted for the tenant of the channel's label; without one the warden has not said yet whose
    /// mail it carries.
    fn note_for(
        &mut self,
        peer: Peer,
        note: impl FnOnce(&mut changes::Changes<'_>, TenantId) -> Result<bool, Fault>,
    ) -> Result<ToDepart, wire::Fault> {
        let person = self.hub.label(peer).and_then(|label| label.person);
        let Some(((tenant, _), mut change)) = person.zip(self.changes()) else {
            return Ok(ToDepart::Later);
        };
        match note(&mut change, tenant) {
            Ok(true) => Ok(ToDepart::Noted),
            Ok(false) => Err(wire::Fault::Malformed),
            Err(_) => Ok(ToDepart::Later),
        }
    }

    /// `Err`: it is none of this asker's questions, or one too many that leads to nothing.
    fn list_mail(
        &mut self,
        peer: Peer,
        asker: Asker,
        question: Question,
    ) -> Result<Answer, wire::Fault> {
        if self.known.is_older() {
            return Ok(Answer::Later);
        }
        let Some(mut change) = self.changes() else { return Ok(Answer::Later) };
        let answer = change.list_mail(asker, question).ok_or(wire::Fault::Malformed)?;
        if answer == Answer::Unknown {
            self.count_miss(peer, Kind::Edge, &Stated::Unknown)?;
        }
        self.next_letters = Instant::now();
        Ok(answer)
    }

    /// Who an address is, as a statement that the vault has signed.
    fn state(&mut self, address: &str) -> Stated {
        let Some(key) = &self.key else { return Stated::Later };
        if address.len() > ADDRESS_BYTES {
            return Stated::Unknown;
        }
        let now = now_ms();
        let Ok(address) = self.tables.kept_spelling(key, address, &self.host_name) else {
            return Stated::Later;
        };
        let stated = self.statements.state(
            &self.tables,
            key,
            &mut self.friends,
            &address,
            &self.host_name,
            now,
        );
        self.known.temper(stated.unwrap_or(Stated::Later))
    }

    /// The return path of mail that is passed on for a domain of ours.
    pub(crate) fn return_path(&self, from: &str, domain: &str) -> Option<String> {
        let key = self.key.as_ref()?;
        let tenant = self.tables.domain(key, domain).ok().flatten()?;
        if from.len() > ADDRESS_BYTES {
            return None;
        }
        srs::rewrite(&self.tables, key, (from, domain, tenant), now_ms()).ok().flatten()
    }

    fn tokens(&self, tenant: TenantId, digests: &[[u8; 32]]) -> Vec<[u8; 16]> {
        let Some(key) = &self.key else { return Vec::new() };
        digests.iter().take(TOKENS).map(|digest| trace_token(key, tenant, digest)).collect()
    }

    fn answer_identity(&mut self, question: FromIdentity) -> ToIdentity {
        let Some(mut change) = self.changes() else { return ToIdentity::Person(None) };
        match question {
            FromIdentity::Person(address) => self.person(&address),
            FromIdentity::Who(address) => ToIdentity::Who(change.who(&address).unwrap_or(None)),
            // Where the tables cannot be read, whoever asks takes another answer for none.
            FromIdentity::Able(about) => match change.able(about) {
                Ok((able, known)) => ToIdentity::Able { able, known },
                Err(_) => ToIdentity::Done,
            },
            FromIdentity::Standing(part) => {
                change.standing(part).map_or(ToIdentity::Done, ToIdentity::Standing)
            }
            FromIdentity::Carry(act) => {
                if let Some(answer) = self.unless_older(&act) {
                    return ToIdentity::Carried(Box::new(answer));
                }
                let Some(mut change) = self.changes() else { return ToIdentity::Done };
                let answer = Box::new(change.carry(act));
                self.next_letters = Instant::now();
                ToIdentity::Carried(answer)
            }
            FromIdentity::Ending => {
                ToIdentity::Ending(change.awaiting_identity().unwrap_or_default())
            }
            FromIdentity::Erased { part, rows } => {
                if let Err(fault) = change.identity_erased(part, rows) {
                    compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
                }
                ToIdentity::Done
            }
            FromIdentity::IsOlder => ToIdentity::Older(self.known.forgotten()),
            FromIdentity::Robbed => ToIdentity::Robbed(change.tables.robbed().unwrap_or_default()),
            FromIdentity::Locked(part) => {
                if let Err(fault) = change.tables.note_locked(part) {
                    compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
                }
                ToIdentity::Done
            }
        }
    }

    fn person(&self, address: &str) -> ToIdentity {
        let found = self.key.as_ref().and_then(|key| {
            let address = self.tables.kept_spelling(key, address, &self.host_name).ok()?;
            let user = self.tables.person_by_address(key, &address).ok().flatten()?;
            let (tenant, person) = self.tables.person(key, user).ok().flatten()?;
            (!person.disabled).then_some((tenant, user))
        });
        ToIdentity::Person(found)
    }

    fn answer_admin(&mut self, question: FromAdmin) -> ToAdmin {
        if let FromAdmin::Searched { found, unread, .. } = &question {
            for what in changes::alarms_of_a_search(found, unread) {
                let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
            }
        }
        if matches!(question, FromAdmin::Gateway { .. } | FromAdmin::GatewayList { .. }) {
            self.inquiries.forget_answers();
        }
        self.next_letters = Instant::now();
        if self.known.is_older() && !older::only_tells(&question) {
            return older::answer(&question);
        }
        match self.changes() {
            Some(mut change) => change.carry_out(question),
            None => ToAdmin::Fault("the vault has not given the key of the tables yet".to_owned()),
        }
    }

    fn changes(&mut self) -> Option<changes::Changes<'_>> {
        self.outlets = None;
        self.compare();
        Some(changes::Changes {
            tables: &mut self.tables,
            key: self.key.as_ref()?,
            friends: &mut self.friends,
            statements: &mut self.statements,
            host_name: &self.host_name,
            agreed: None,
        })
    }

    /// Letters that wait for the queue.
    fn send_letters(&mut self) {
        if self.key.is_none() || !self.known.is_sure() || self.next_letters > Instant::now() {
            return;
        }
        let sent = self.changes().map_or(Ok(false), |mut change| change.send_letters());
        self.next_letters = Instant::now()
            + match sent {
                Ok(true) => BETWEEN_LETTERS,
                Ok(false) => LETTERS,
                Err(_) => TENDING,
            };
    }

    /// Reports about TLS whose time has come become letters.
    fn report_tls(&mut self) {
        let written = self.changes().map_or(Ok(0), |mut one| one.write_tls_reports(now_ms()));
        match written {
            Ok(0) => {}
            Ok(_) => self.next_letters = Instant::now(),
            Err(fault) => {
                let text = format!("directory: reports about TLS wait: {}", fault.story());
                let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
            }
        }
    }

    /// Contracts whose grace is over, and what was begun before a restart.
    fn tend(&mut self) {
        if self.next_tending > Instant::now() || self.known.is_older() {
            return;
        }
        self.next_tending = Instant::now() + TENDING;
        self.report_tls();
        let tended = self.changes().map_or(Ok(()), |mut change| change.tend_endings());
        if let Err(fault) = tended {
            self.next_tending = Instant::now() + TENDING_AFTER_FAULT;
            let text = format!("directory: an ending waits: {}", fault.story());
            let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
        }
    }
}

/// The keyed hash that `trace` finds a message by.
fn trace_token(key: &RowKey, tenant: TenantId, digest: &[u8; 32]) -> [u8; 16] {
    keyed(key, "trace", tenant, digest)
}

fn keyed(key: &RowKey, what: &str, tenant: TenantId, digest: &[u8; 32]) -> [u8; 16] {
    let mut bound = tenant.0.to_vec();
    bound.extend_from_slice(digest);
    key.token(what, &bound)
}
