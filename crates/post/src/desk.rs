//! One loop over all peers: acts are staged as they come, one commit answers them together, and
//! whoever can carry is given what is due.

mod awaited;
mod awaiting;
mod carrying;
mod handing;
mod older;
mod operator;

use crate::Fault;
use crate::promises::Promises;
use crate::refusals::Refusals;
use crate::store::Store;
use crate::table::{Hand, seconds};
use awaiting::Awaited;
use carrying::{Carried, Idle};
use compartment::now_ms;
use handing::{Batch, Letters};
use journal::Rounds;
use older::Standing;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use terms::{Kind, MessageId, TenantId, UserId};
use wire::control::{Carrier, Order, Report};
use wire::directory::server_of;
use wire::post::*;
use wire::vault::ToPost;
use wire::{Event, Frame, Hub, Peer};

/// A commit may wait this long for company, and longer while many senders are at it
/// (architecture §8).
const COMPANY: Duration = Duration::from_millis(5);
const MANY_COMPANY: Duration = Duration::from_millis(15);
const MANY: usize = 8;
/// Who was told that they may send is awaited with a text for so long.
const SOON: Duration = Duration::from_millis(200);
/// Outcomes gather longer: nobody waits for them, and one that is lost means that a letter stands
/// twice only if the power goes within this time.
const OUTCOMES: Duration = Duration::from_millis(50);
/// Staged acts that are committed without waiting.
const ENOUGH: usize = 256;
/// Between two looks at the clock's work, space and the length of the log.
const CHORES: Duration = Duration::from_secs(1);
/// After a stop, the ledger has this long to take the last entries.
const FAREWELL: Duration = Duration::from_millis(1_500);
/// One note to the operator in this time.
const NOTES: Duration = Duration::from_secs(10);
/// A `depart` that waits this long for more of its tenant's mail is sent home.
const IDLE: Duration = Duration::from_secs(20);
/// One page of `queue list`.
const PAGE: u32 = 1_000;

/// An answer that waits for the commit.
enum Owed {
    Sender(ToSender),
    Admin(ToAdmin),
    Directory(ToDirectory),
    /// What an operator decided about it is done.
    Decided(MessageId),
}

/// Who asked to send, to how many, within which limits.
#[derive(Clone, Copy)]
struct Asked {
    user: UserId,
    hand: Hand,
    recipients: u32,
    limits: Limits,
}

pub struct Desk {
    hub: Hub,
    store: Store,
    forward: Rounds,
    warden: Peer,
    owed: Vec<(Peer, u32, Owed)>,
    promises: Promises,
    refusals: Refusals,
    /// What each sender was last told yes to.
    asked: HashMap<Peer, Asked>,
    staged_since: Option<Instant>,
    somebody_waits: bool,
    staged: usize,
    idle: Vec<Idle>,
    carried: HashMap<Peer, Carried>,
    /// Who carried for the post before us and is still to be heard, and who was.
    awaited: Awaited,
    resumed: HashSet<Peer>,
    /// What carriers told of ends since the last commit.
    told: HashMap<Peer, Vec<(MessageId, LegNumber)>>,
    letters: Letters,
    /// When something was handed out last.
    handed_out: Option<Instant>,
    vault: Option<Peer>,
    /// Batches that the vault is told of, by the call, until it has noted them.
    announced: HashMap<u32, (Peer, Batch)>,
    last_call: u32,
    asked_for: Option<Instant>,
    next_chores: Instant,
    last_note: Option<Instant>,
    /// When somebody was told that mail is not taken.
    refused_at: Option<Instant>,
    leaving: Option<Instant>,
    taken_before: Option<u64>,
    standing: Standing,
}

impl Desk {
    pub fn new(hub: Hub, store: Store, mut forward: Rounds, warden: Peer) -> Self {
        forward.remember(store.table.runs.clone(), store.table.next_seq);
        Self {
            hub,
            store,
            forward,
            warden,
            owed: Vec::new(),
            promises: Promises::default(),
            refusals: Refusals::default(),
            asked: HashMap::new(),
            staged_since: None,
            somebody_waits: false,
            staged: 0,
            idle: Vec::new(),
            carried: HashMap::new(),
            awaited: Awaited::of(&[]),
            resumed: HashSet::new(),
            told: HashMap::new(),
            letters: Letters::default(),
            handed_out: None,
            vault: None,
            announced: HashMap::new(),
            last_call: 0,
            asked_for: None,
            next_chores: Instant::now(),
            last_note: None,
            refused_at: None,
            leaving: None,
            taken_before: None,
            standing: Standing::default(),
        }
    }

    /// These live, and carried for the post before us.
    pub fn after(mut self, carriers: &[Carrier]) -> Self {
        self.awaited = Awaited::of(carriers);
        self.withhold();
        self
    }

    /// Until the warden says stop, or is gone.
    pub fn serve(mut self) -> Result<(), Fault> {
        loop {
            let patience = self.patience();
            let events = self.hub.wait(Some(patience)).map_err(Fault::Channels)?;
            for event in events {
                match event {
                    Event::Frame(peer, frame) if peer == self.warden => self.obey(frame),
                    Event::Frame(peer, frame) => self.answer(peer, frame),
                    Event::Gone(peer, _) if peer == self.warden => return self.leave(),
                    Event::Gone(peer, label) => {
                        self.gone(peer);
                        self.has_heard(label.instance);
                    }
                    Event::Ready(_) => {}
                }
            }
            if self.commit_is_due() {
                self.commit();
            }
            if !self.store.has_staged() {
                self.say_kept();
            }
            self.tend_awaited();
            self.tend();
            self.hand_out();
            let is_over = |until: Instant| Instant::now() >= until;
            if self.leaving.is_some_and(|until| {
                is_over(until) || self.forward.is_done(&self.store.table.passed)
            }) {
                return self.leave();
            }
        }
    }

    fn commit_wait(&self) -> Duration {
        let Some(since) = self.staged_since else { return Duration::ZERO };
        let limit = match self.somebody_waits {
            true if self.owed.len() + self.promises.within(SOON) >= MANY => MANY_COMPANY,
            true => COMPANY,
            false => OUTCOMES,
        };
        if self.staged >= ENOUGH { Duration::ZERO } else { limit.saturating_sub(since.elapsed()) }
    }

    fn commit_is_due(&self) -> bool {
        self.store.has_staged() && self.commit_wait().is_zero()
    }

    /// How long nothing need be done.
    fn patience(&self) -> Duration {
        let handing = self.next_handing().unwrap_or(CHORES);
        if self.store.has_staged() {
            return self.commit_wait().min(handing);
        }
        let chores = self.next_chores.saturating_duration_since(Instant::now());
        let evidence = self.forward.patience(&self.store.table.passed).unwrap_or(chores);
        let leaving =
            self.leaving.map_or(chores, |until| until.saturating_duration_since(Instant::now()));
        let awaited = self.awaited.patience().unwrap_or(chores);
        chores.min(evidence).min(leaving).min(handing).min(awaited)
    }

    fn obey(&mut self, frame: Frame) {
        match frame.read::<Order>() {
            Ok(Order::Count) => self.tell_counts(),
            Ok(Order::Pulse) => drop(self.hub.send(self.warden, 0, &Report::Alive, Vec::new())),
            Ok(Order::Keys(keys)) => self.forward.learn(keys),
            Ok(Order::AllJoined) => self.all_are_joined(),
            Ok(Order::Stop) => {
                self.leaving = Some(Instant::now() + FAREWELL);
                if self.has_to_mark() {
                    self.commit();
                }
            }
            Ok(Order::Join(label)) => {
                let Some(fd) = frame.descriptors.into_iter().next() else { return };
                let kind = label.kind;
                let Ok(peer) = self.hub.seat(fd.into(), label) else { return };
                match kind {
                    Kind::Ledger => self.forward.join(peer),
                    Kind::Vault => self.meet_vault(peer),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn gone(&mut self, peer: Peer) {
        self.told.remove(&peer);
        self.resumed.remove(&peer);
        self.promises.gone(peer);
        self.asked.remove(&peer);
        self.forward.gone(peer);
        self.idle.retain(|idle| idle.peer != peer);
        if self.vault == Some(peer) {
            self.lose_vault();
        }
        if let Some(carried) = self.carried.remove(&peer) {
            self.come_back(carried);
        }
    }

    /// The label says who asks; the frame only says what.
    fn answer(&mut self, peer: Peer, frame: Frame) {
        let Some(label) = self.hub.label(peer).cloned() else { return };
        let call = frame.call;
        let understood = match (label.kind, label.person) {
            (Kind::Dispatch, Some(person)) => self.answer_sender(peer, Some(person), frame),
            (Kind::Edge, _) => self.answer_sender(peer, None, frame),
            (Kind::Directory, _) => self.answer_directory(peer, frame),
            (Kind::Depart, _) => {
                let understood = self.answer_depart(peer, label.instance, frame);
                self.has_heard(label.instance);
                understood
            }
            (Kind::Admin, _) => frame.read().map(|asked| self.answer_admin(peer, call, asked)),
            (Kind::Ledger, _) => {
                self.hear_ledger(peer, &frame);
                Ok(())
            }
            (Kind::Vault, _) => frame.read().map(|ToPost::Noted| self.give_batch(call)),
            _ => Err(wire::Fault::Malformed),
        };
        if understood.is_err() {
            self.dismiss(peer);
        }
    }

    /// A peer that does not keep to the words is cut, and the warden told.
    fn dismiss(&mut self, peer: Peer) {
        if let Some(label) = self.hub.dismiss(peer) {
            let what = format!("post: malformed frame from {}", label.kind.word());
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
        }
        self.gone(peer);
    }

    /// `person`: the only one that this peer may speak for; what leaves is counted and recorded
    /// in their name.
    fn answer_sender(
        &mut self,
        peer: Peer,
        person: Option<(TenantId, UserId)>,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        let call = frame.call;
        let hand = if person.is_some() { Hand::Own } else { Hand::Others };
        match frame.read()? {
            FromSender::Queue(outgoing) => {
                self.promises.keep(peer);
                return self.queue(peer, call, (&outgoing, &frame.descriptors, hand), person);
            }
            FromSender::Room { user, limits } => {
                if person.is_some_and(|(_, own)| own != user) {
                    return Err(wire::Fault::Malformed);
                }
                let room = self.room(peer, Asked { user, hand, recipients: 0, limits });
                let _ = self.hub.send(peer, call, &ToSender::Room(room), Vec::new());
            }
            FromSender::May { user, recipients, limits } => {
                if person.is_some_and(|(_, own)| own != user) {
                    return Err(wire::Fault::Malformed);
                }
                let asked = Asked { user, hand, recipients, limits };
                let answer = match self.may_leave(peer, asked) {
                    ToSender::May(Some(_)) if self.is_pressed(person, asked) => ToSender::Pressed,
                    answer => answer,
                };
                if matches!(answer, ToSender::May(None) | ToSender::Doubtful) {
                    self.promises.make(peer, (user, hand), recipients);
                    // An edge asks for one answer of absence, and hands in others' mail besides.
                    if hand == Hand::Own {
                        self.asked.insert(peer, asked);
                    }
                }
                let _ = self.hub.send(peer, call, &answer, Vec::new());
            }
        }
        Ok(())
    }

    /// Whether so many more may leave, with what this person's other connections were promised.
    fn may_leave(&self, peer: Peer, asked: Asked) -> ToSender {
        let Asked { user, hand, recipients, limits } = asked;
        let many = recipients.saturating_add(self.promises.of_others(peer, (user, hand)));
        let (now, table) = (seconds(now_ms()), &self.store.table);
        if hand == Hand::Others {
            return ToSender::May(table.relayed.wait(user, many, limits, now));
        }
        let sent = table.senders.in_an_hour(user, now);
        let wait = table.senders.wait(user, many, limits, now);
        match wait.or_else(|| self.store.pressing.wait(user, now)) {
            None if self.store.returns.are_many(user, sent, now) => ToSender::Doubtful,
            wait => ToSender::May(wait),
        }
    }

    /// To how many more, with what their other connections were promised.
    fn room(&self, peer: Peer, asked: Asked) -> u32 {
        let Asked { user, hand, limits, .. } = asked;
        let (now, table) = (seconds(now_ms()), &self.store.table);
        let room = match hand {
            Hand::Own if self.store.pressing.wait(user, now).is_some() => 0,
            Hand::Own => table.senders.room(user, limits, now),
            Hand::Others => table.relayed.room(user, limits, now),
        };
        room.saturating_sub(self.promises.of_others(peer, (user, hand)))
    }

    /// Whether somebody whom a limit turns away has pressed on so long that one message is taken
    /// to ask them about. Of a server nobody can be asked: the operator is told, once an episode.
    fn is_pressed(&mut self, person: Option<(TenantId, UserId)>, asked: Asked) -> bool {
        let Some((tenant, user)) = person.filter(|_| asked.hand == Hand::Own) else { return false };
        let presses = self.store.pressing.presses(user, seconds(now_ms()));
        if !presses || user != server_of(tenant) {
            return presses;
        }
        self.store.pressing.answered(user);
        let what = format!(
            "a server of tenant {tenant} has reached its limit of recipients, and presses on"
        );
        let _ = self.hub.send(self.warden, 0, &Report::Attention { what }, Vec::new());
        false
    }

    /// Whoever has handed in will hand in again, more often than not: where the answer would be yes
    /// they are told so now, and need not ask.
    fn look_ahead(&mut self, peer: Peer, answer: ToSender) -> ToSender {
        let asked = self.asked.get(&peer).copied().filter(|_| answer == ToSender::Queued);
        let Some(asked) = asked else { return answer };
        if self.may_leave(peer, asked) != ToSender::May(None) {
            return answer;
        }
        self.promises.make(peer, (asked.user, asked.hand), asked.recipients);
        ToSender::QueuedAndMay
    }

    // ---- commits and chores --------------------------------------------------------------------

    fn note_staged(&mut self, waited_for: bool) {
        if self.store.has_staged() {
            self.staged += 1;
            self.staged_since.get_or_insert_with(Instant::now);
            self.somebody_waits |= waited_for;
        }
    }

    /// Answers now if nothing waits for the disk, else with the commit.
    fn owe(&mut self, peer: Peer, call: u32, owed: Owed) {
        self.note_staged(true);
        if self.store.has_staged() {
            self.owed.push((peer, call, owed));
        } else {
            self.pay(peer, call, owed);
        }
    }

    fn pay(&mut self, peer: Peer, call: u32, owed: Owed) {
        let _ = match owed {
            Owed::Sender(answer) => {
                let answer = self.look_ahead(peer, answer);
                self.hub.send(peer, call, &answer, Vec::new())
            }
            Owed::Admin(answer) => self.hub.send(peer, call, &answer, Vec::new()),
            Owed::Decided(message) => {
                let under_way = self.store.table.under_way(message);
                self.hub.send(peer, call, &ToAdmin::Done { under_way }, Vec::new())
            }
            Owed::Directory(answer) => self.hub.send(peer, call, &answer, Vec::new()),
        };
    }

    fn settled(&mut self) {
        (self.staged_since, self.somebody_waits, self.staged) = (None, false, 0);
        self.promises.settle();
    }

    /// One flush for everything staged; then the answers.
    fn commit(&mut self) {
        if let Some(before) = self.taken_before.take()
            && let Err(fault) = self.store.recorded(before, self.forward.runs())
        {
            self.taken_before = Some(before);
            return self.failed(&fault);
        }
        if let Err(fault) = self.mark() {
            return self.failed(&fault);
        }
        match self.store.commit(now_ms()) {
            Ok(()) => {
                self.settled();
                for (peer, call, owed) in std::mem::take(&mut self.owed) {
                    self.pay(peer, call, owed);
                }
            }
            Err(fault) => self.failed(&fault),
        }
    }

    /// Nothing that was staged is kept: everybody who waits hears so, and what was carried is
    /// tried again, for nobody wrote down how it ended.
    fn failed(&mut self, fault: &Fault) {
        self.settled();
        let is_full = fault.is_full();
        for (peer, call, owed) in std::mem::take(&mut self.owed) {
            let owed = match owed {
                Owed::Sender(_) => {
                    Owed::Sender(if is_full { ToSender::Full } else { ToSender::Fault })
                }
                Owed::Admin(_) | Owed::Decided(_) => Owed::Admin(ToAdmin::Fault(fault.to_string())),
                Owed::Directory(_) => Owed::Directory(ToDirectory::Fault),
            };
            self.pay(peer, call, owed);
        }
        self.find_lost();
        self.say_kept();
        self.tell_operator(fault);
    }

    /// What nothing is staged of any more need not be told again. (What could not be written is
    /// tried again by us.)
    fn say_kept(&mut self) {
        for (peer, legs) in std::mem::take(&mut self.told) {
            let _ = self.hub.send(peer, 0, &ToDepart::Kept(legs), Vec::new());
        }
    }

    /// Legs whose outcome was staged and lost: no `depart` has them, so they come back.
    fn find_lost(&mut self) {
        let handed: std::collections::HashSet<u32> = self
            .carried
            .values()
            .flat_map(|carried| carried.legs.values().map(|(slot, _)| *slot))
            .collect();
        let count = u32::try_from(self.store.table.legs.len()).unwrap_or(u32::MAX);
        for slot in 0..count {
            let is_lost = |leg: &crate::table::Leg| leg.leaving && !handed.contains(&slot);
            if self.store.table.leg(slot).is_some_and(is_lost) {
                self.store.table.come_back(slot);
            }
        }
    }

    fn tell_operator(&mut self, fault: &Fault) {
        let now = Instant::now();
        if self.last_note.is_some_and(|last| now - last < NOTES) {
            return;
        }
        self.last_note = Some(now);
        let text = format!("post: {}", fault.story());
        let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
    }

    /// What nobody waits for: the clock, the evidence, and now and then the chores.
    fn tend(&mut self) {
        self.forward.hand_in(&self.store.table.passed, &mut self.hub, self.leaving.is_some());
        if let Some(what) = self.forward.take_lie() {
            self.alarm(what);
        }
        let now = seconds(now_ms());
        if self.store.table.next_tick().is_some_and(|at| at <= now) {
            if let Err(fault) = self.store.tick(now_ms()) {
                self.failed(&fault);
            }
            self.note_staged(false);
        }
        if Instant::now() < self.next_chores || self.store.has_staged() {
            return;
        }
        self.next_chores = Instant::now() + CHORES;
        self.store.disk.look();
        self.begin();
        if self.taken_before.is_some() || self.has_to_mark() {
            self.commit();
        }
        self.store.table.senders.forget_quiet(now);
        self.store.table.relayed.forget_quiet(now);
        self.store.returns.forget_quiet(now);
        self.store.pressing.forget_quiet(now);
        self.refusals.forget_quiet(now);
        self.note_late();
        self.send_home();
        let worked = match self.store.wants_writing() {
            true => self.store.write_down(),
            false => self.store.compact(now_ms()).map(drop),
        };
        if let Err(fault) = worked {
            self.tell_operator(&fault);
        }
    }

    /// Whoever has carried for a tenant, and waited long for more, ends with its channel.
    fn send_home(&mut self) {
        let is_done = |idle: &Idle| idle.tenant.is_some() && idle.since.elapsed() >= IDLE;
        let done = self.idle.iter().filter(|idle| is_done(idle)).map(|idle| idle.peer);
        for peer in done.collect::<Vec<Peer>>() {
            self.hub.dismiss(peer);
            self.gone(peer);
        }
    }

    fn leave(mut self) -> Result<(), Fault> {
        let runs = self.forward.runs();
        if runs.is_some() && runs != self.store.table.runs {
            let noted = runs.map_or(Ok(()), |runs| self.store.note(runs));
            noted.unwrap_or_else(|fault| self.tell_operator(&fault));
        }
        if self.store.has_staged() || self.taken_before.is_some() {
            self.commit();
        }
        self.store.write_down()
    }
}
