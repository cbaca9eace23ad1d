//! Identity says who a person is, and mints what they may open.
//!
//! # Holds          verifiers (useless without the vault), app passwords' look-up keys, sessions
//! # May ask        vault (HMACs, grants), directory (one address), ledger (its own entries)
//! # Network        none
//! # If taken over  the intruder can assert a sign-in and read at budget rate, every item recorded
//! # Never          sees a stored secret; opens mail; binds an instance twice

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod approvals;
mod ended;
mod fault;
mod friends;
mod marks;
mod older;
mod people;
mod requests;
mod robbed;
mod sessions;
mod tables;
mod voices;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod older_tests;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use people::DEVICE_BYTES;

use compartment::House;
use friends::Friends;
use journal::{Age, Behind, Notes};
use marks::Marks;
use rows::RowKey;
use sessions::Sessions;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tables::Tables;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report};
use wire::identity::{FromSentinel, ToAccess, ToAdmin, ToSentinel, Whose};
use wire::{Channel, Event, Frame, Hub, Label, Peer};

/// How often identity asks again for the key of its tables while the vault is away.
const KEY_PATIENCE: Duration = Duration::from_millis(200);
/// Between two looks at what runs out or is to be destroyed.
const TENDING: Duration = Duration::from_secs(2);
/// Every so many of them, requests whose time is over are looked for: once a minute.
const TENDINGS_OF_REQUESTS: u32 = 30;

/// Runs until it is told to stop or the warden is gone.
pub fn run(house: House) -> ExitCode {
    match serve(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("sekisho: identity ends: {}", fault.story()));
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
    let friends = Friends::new(house.start.instance);
    house.ready(Some(friends.journal.public()), None).map_err(Fault::jail)?;
    let (warden, start) = house.seat_control(&mut hub).map_err(Fault::jail)?;
    let single_operator = start.single_operator;
    let sessions = Sessions::default();
    let next_tending = Instant::now();
    let mut desk = Desk {
        hub,
        warden,
        tables,
        friends,
        sessions,
        marks: Marks::default(),
        key: None,
        waking: Some(Waking::Locked(notes)),
        single_operator,
        next_tending,
        tendings: 0,
    };
    loop {
        let patience = if desk.key.is_none() { KEY_PATIENCE } else { TENDING };
        for event in desk.hub.wait(Some(patience)).map_err(Fault::channel)? {
            match event {
                Event::Frame(peer, frame) if peer == warden => {
                    if !desk.obey(frame) {
                        return Ok(());
                    }
                }
                Event::Frame(peer, frame) => desk.answer(peer, frame),
                Event::Gone(peer, _) if peer == warden => return Ok(()),
                Event::Gone(peer, _) => desk.sessions.gone(peer, &mut desk.friends),
                Event::Ready(_) => {}
            }
        }
        desk.fetch_key();
        desk.tend();
    }
}

struct Desk {
    hub: Hub,
    warden: Peer,
    tables: Tables,
    friends: Friends,
    sessions: Sessions,
    marks: Marks,
    key: Option<Rc<RowKey>>,
    /// `None`: it is done.
    waking: Option<Waking>,
    single_operator: bool,
    next_tending: Instant,
    tendings: u32,
}

/// What must be known before anybody comes in by these tables.
enum Waking {
    /// The vault has not given their key. The second way to the tables is for the notes.
    Locked(Tables),
    /// The ledger has not said whether they are as new as what it knows of them.
    Unsure(Rc<RowKey>, Box<dyn Notes>),
    /// They are not, and what they have forgotten is done again.
    Behind(Rc<RowKey>, Behind),
    /// They are.
    Sure(Rc<RowKey>),
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

    fn join(&mut self, label: Label, channel: Channel) {
        match label.kind {
            Kind::Vault => {
                self.friends.vault = Some(channel);
                self.sessions.restore(&mut self.friends);
            }
            Kind::Directory => self.friends.directory = Some(channel),
            Kind::Ledger => self.friends.journal.join(channel),
            _ => {
                let _ = self.hub.seat(channel, label);
            }
        }
        self.fetch_key();
    }

    /// The key of the tables, once per start; and that they are no older than what is recorded of
    /// them, before anybody comes in by them.
    fn fetch_key(&mut self) {
        while self.key.is_none() && self.wake() {}
    }

    /// One step further; `false`: somebody is away, and it is tried again later.
    fn wake(&mut self) -> bool {
        let Some(waking) = self.waking.take() else { return false };
        let (next, is_further) = match waking {
            Waking::Locked(tables) => match self.friends.table_key() {
                Some(key) => {
                    let key = Rc::new(RowKey::new(&key));
                    let own = older::Own { tables, key: Rc::clone(&key) };
                    (Waking::Unsure(key, Box::new(own)), true)
                }
                None => (Waking::Locked(tables), false),
            },
            Waking::Unsure(key, notes) => match self.friends.journal.remember_in(notes) {
                Ok(Age::Current) => (Waking::Sure(key), true),
                Ok(Age::Ahead { known, stands }) => {
                    self.alarm(journal::ahead(Kind::Identity, known, stands));
                    (Waking::Sure(key), true)
                }
                Ok(Age::Intruded(last)) => {
                    // An intruder's word ends and frees nobody. If it cannot be kept that this was
                    // said, the next start says it again.
                    self.alarm(journal::intruded(Kind::Identity));
                    self.friends.journal.catch_up(last);
                    (Waking::Sure(key), true)
                }
                Ok(Age::Older(behind)) => (Waking::Behind(key, behind), true),
                Err(notes) => (Waking::Unsure(key, notes), false),
            },
            Waking::Behind(key, behind) => match self.catch_up(&key, behind) {
                true => (Waking::Sure(key), true),
                false => (Waking::Behind(key, behind), false),
            },
            Waking::Sure(key) => {
                // Without the marks nobody comes in: a freeze is not forgotten by a restart.
                let Ok(marks) = Marks::read(&self.tables, &key) else {
                    self.waking = Some(Waking::Sure(key));
                    return false;
                };
                (self.marks, self.key) = (marks, Some(key));
                self.keep_mode();
                return true;
            }
        };
        self.waking = Some(next);
        is_further
    }

    fn alarm(&mut self, what: String) {
        let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
    }

    /// What the tables have forgotten is done again, and told.
    fn catch_up(&mut self, key: &RowKey, behind: Behind) -> bool {
        let done = older::do_again((&self.tables, key), &mut self.friends, behind);
        match done {
            Ok(again) => {
                self.alarm(again.what(behind.is_blank));
                true
            }
            Err(fault) => {
                let story = fault.story();
                compartment::tell(format_args!("sekisho: identity catches up later: {story}"));
                false
            }
        }
    }

    /// A start-up file that says two persons is remembered: the file alone leads back no more.
    fn keep_mode(&self) {
        if let (Some(key), false) = (&self.key, self.single_operator)
            && let Err(fault) = self.tables.keep_two_persons(key, true)
        {
            compartment::tell(format_args!("sekisho: identity: {}", fault.story()));
        }
    }

    fn answer(&mut self, peer: Peer, frame: Frame) {
        let label = self.hub.label(peer).cloned();
        let sent = match label.map(|label| (label.kind, label.instance)) {
            Some((Kind::Access, instance)) => {
                let answer = frame.read().map(|question| self.admit(peer, instance, question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some((Kind::Admin, instance)) => {
                let answer = frame.read().map(|question| self.change(instance, question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            Some((Kind::Sentinel, _)) => {
                let answer = frame.read().map(|question| self.heed(question));
                answer.and_then(|answer| self.hub.send(peer, frame.call, &answer, Vec::new()))
            }
            _ => Err(wire::Fault::Malformed),
        };
        if let Err(fault) = sent {
            match fault {
                wire::Fault::Malformed => self.hub.cut_off(peer, "it spoke what is no question"),
                _ => self.hub.dismiss(peer),
            };
            self.sessions.gone(peer, &mut self.friends);
        }
    }

    /// The sentinel's wish. It may freeze; only an operator lifts that.
    fn heed(&mut self, question: FromSentinel) -> ToSentinel {
        let Some(key) = &self.key else {
            return ToSentinel::Fault("the tables cannot be read yet".to_owned());
        };
        match question {
            FromSentinel::Decoys => ToSentinel::Decoys(self.marks.decoys()),
            // Everybody at once is for an operator: whoever owns the sentinel names each of them.
            FromSentinel::Freeze { whose: Whose::Kind(_), .. } => {
                ToSentinel::Fault("a component is frozen by an operator alone".to_owned())
            }
            FromSentinel::Freeze { whose, why } => {
                let by = format!("{}: {why}", Kind::Sentinel.word());
                let with = (&self.tables, &**key, &mut self.friends);
                match self.marks.freeze(with, whose, true, &by) {
                    Ok(is_new) => {
                        self.sessions.end_whose(whose, &mut self.friends);
                        self.tell_shut_out();
                        self.tell_frozen(whose, is_new);
                        ToSentinel::Done
                    }
                    Err(fault) => ToSentinel::Fault(fault.story()),
                }
            }
        }
    }

    fn admit(
        &mut self,
        peer: Peer,
        instance: InstanceId,
        question: wire::identity::FromAccess,
    ) -> ToAccess {
        let Some(key) = &self.key else { return ToAccess::Later };
        let mut door = sessions::Door {
            tables: &self.tables,
            key,
            friends: &mut self.friends,
            sessions: &mut self.sessions,
            marks: &self.marks,
        };
        let (answer, bind) = door.answer(peer, instance, question);
        self.tell_shut_out();
        if let Some(bind) = bind
            && self.hub.send(self.warden, 0, &bind, Vec::new()).is_err()
        {
            return ToAccess::Later;
        }
        answer
    }

    fn change(&mut self, asker: InstanceId, question: wire::identity::FromAdmin) -> ToAdmin {
        let answer = match self.people(asker) {
            Some(mut people) => people.carry_out(question),
            None => ToAdmin::Fault("the vault has not given the key of the tables yet".to_owned()),
        };
        self.tell_shut_out();
        answer
    }

    /// By us and the warden, so that a sentinel in wrong hands shuts nobody out in silence.
    fn tell_frozen(&mut self, whose: Whose, is_new: bool) {
        let what = match whose {
            Whose::Person(tenant, user) => {
                format!("frozen by the sentinel: user {user} of tenant {tenant}")
            }
            Whose::Tenant(tenant) => {
                format!("frozen by the sentinel: everybody of tenant {tenant}")
            }
            Whose::Kind(_) => return,
        };
        if is_new {
            let _ = self.hub.send(self.warden, 0, &Report::Attention { what }, Vec::new());
        }
    }

    fn tell_shut_out(&mut self) {
        for instance in self.sessions.take_shut_out() {
            // A warden that is gone takes the instance with it.
            let _ = self.hub.send(self.warden, 0, &Report::SignedOut { instance }, Vec::new());
        }
    }

    fn people(&mut self, asker: InstanceId) -> Option<people::People<'_>> {
        Some(people::People {
            tables: &mut self.tables,
            key: self.key.as_deref()?,
            friends: &mut self.friends,
            sessions: &mut self.sessions,
            marks: &mut self.marks,
            single_operator: self.single_operator,
            asker,
        })
    }

    /// What nobody asks for: requests run out, and ended contracts leave these tables.
    fn tend(&mut self) {
        if self.next_tending > Instant::now() {
            return;
        }
        self.next_tending = Instant::now() + TENDING;
        let own = self.friends.own;
        self.tendings += 1;
        let is_for_requests = self.tendings.is_multiple_of(TENDINGS_OF_REQUESTS);
        let Some(mut people) = self.people(own) else { return };
        let expired = if is_for_requests { people.expire() } else { Ok(()) };
        let tended = expired.and_then(|()| people.lock_robbed());
        if let Err(fault) = tended.and_then(|()| people.destroy_ended()) {
            compartment::tell(format_args!("sekisho: identity tends later: {}", fault.story()));
        }
        self.tell_shut_out();
    }
}
