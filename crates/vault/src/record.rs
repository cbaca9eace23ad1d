//! What the vault is about to do, said to the ledger first: signed, numbered, proven, then done.
//!
//! Deeds that come while an append is under way go together in the next one, so that many
//! releases share one commit. A frame once signed is sent until the ledger has it; the deed
//! behind it is given up after six seconds and then only its record remains: more is recorded
//! than was released, never less.

use crate::keys::Keys;
use crate::older::Past;
use crate::sighted::Sighted;
use crate::vault::Then;
use compartment::now_ms;
use evidence::{Author, Body, Frame, Released};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, TenantId, UserId};
use tlog::{Trust, Trusted};
use wire::control;
use wire::ledger::{FromLedger, Proof, ToLedger};
use wire::{Hub, Peer};

/// How long a deed waits for its evidence: a client must have its answer within ten seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);
/// The ledger answers within two seconds in any case; then it has died or hangs.
const SILENCE: Duration = Duration::from_secs(3);
/// Between two attempts while evidence is away: a return is used at once, a loss costs little.
const RETRY: Duration = Duration::from_millis(200);
/// How long no release is asked for after a ledger that lost entries proved none.
const SHUT: Duration = Duration::from_secs(10);
/// Keys of mail that leaves are asked for by several carriers within moments: what goes on its way
/// with the first costs the others neither an append nor its wait.
const COMPANY: Duration = Duration::from_millis(4);
/// So many need no more company.
const ENOUGH: usize = 64;
/// The same for the keys on which arrival rests, which are handed out without evidence: whoever
/// asks for one waits three seconds.
const OWED_AFTER: Duration = Duration::from_secs(2);
/// So many of those may be owed to the ledger before none is handed out any more.
const OWED: usize = 256;
/// Deeds that may wait in all: beyond it the evidence is as good as away.
const WAITING: usize = 20_000;
/// Frames and octets of one append, so that the vault starves no other author.
const APPEND_FRAMES: usize = 512;
const APPEND_BYTES: usize = 256 * 1024;
/// Frames that are remembered when a ledger took them, and their octets.
const REMEMBERED: usize = 1_024;
const REMEMBERED_BYTES: usize = 1024 * 1024;

/// What is to be recorded. A release gets its number when it is signed, so that none is lost.
pub(crate) enum Deed {
    Plain(Body),
    Release {
        instance: InstanceId,
        grant: GrantId,
        tenant: TenantId,
        user: UserId,
        released: Released,
    },
}

/// A deed and what follows it.
pub(crate) struct Asked {
    pub deed: Deed,
    pub then: Then,
    /// Whether it may follow only under a cosigned proof.
    pub proof: bool,
    /// Once signed it is never given up: what is recorded will be done, however late.
    pub lasting: bool,
}

/// What became of a deed.
pub(crate) enum Outcome {
    /// Where the entry stands; proven, where proof was asked for.
    Recorded {
        entry: u64,
    },
    Away,
    /// Away, and it will be recorded all the same.
    Owed,
}

/// What is recorded with or without what follows.
struct Owed {
    body: Body,
    then: Option<Then>,
    until: Instant,
}

struct Pending {
    asked: Asked,
    until: Instant,
}

struct Signed {
    frame: Vec<u8>,
    then: Option<Then>,
    proof: bool,
    /// `None`: waits for ever.
    until: Option<Instant>,
    is_release: bool,
    may_be_owed: bool,
}

impl Signed {
    fn without(&self) -> Outcome {
        if self.may_be_owed { Outcome::Owed } else { Outcome::Away }
    }
}

enum Call {
    Append {
        count: usize,
        prove: bool,
    },
    /// What another ledger took.
    Again,
    /// The newest entry that was taken, once more, for its proof: nobody waits for it.
    Probe,
    Releases,
    /// What these rows may have forgotten.
    Past,
}

impl Call {
    fn proves(&self) -> bool {
        matches!(self, Self::Append { prove: true, .. } | Self::Probe)
    }
}

struct Flight {
    call: u32,
    sent: Instant,
    what: Call,
}

/// The last hour's releases as the ledger tells them at the start.
pub(crate) struct Told {
    pub at_ms: u64,
    pub tenant: TenantId,
    pub user: UserId,
    pub bodies: u64,
}

pub(crate) struct Recorder {
    author: Author,
    /// `None`: the mirror has not served in this house yet, and nothing is proven.
    trust: Option<Trust>,
    /// The newest checkpoint that was believed, whoever came with it.
    pub sighted: RefCell<Sighted>,
    ledger: Option<Peer>,
    pending: VecDeque<Pending>,
    owed: VecDeque<Owed>,
    signed: VecDeque<Signed>,
    /// The newest that were taken: whoever comes after a ledger is handed them again, in case it
    /// kept nothing.
    taken: VecDeque<Vec<u8>>,
    taken_bytes: usize,
    is_anew: bool,
    flight: Option<Flight>,
    last_call: u32,
    not_before: Instant,
    away_since: Option<Instant>,
    /// A proof was asked for and did not come. Until one does nothing opens, whatever is taken.
    is_unproven: bool,
    /// The ledger proves no release, for it has lost entries: it is not asked again before.
    shut_until: Option<Instant>,
    /// The next release's number; unknown until the ledger has told the last one.
    next_release: Option<u64>,
    last_seen: Option<u64>,
    told_from: u64,
    seen_size: u64,
    pub past: Past,
    done: Vec<(Then, Outcome)>,
    told: Vec<Told>,
    /// Lies of the ledger, for the warden's ear.
    pub alarms: Vec<String>,
}

impl Recorder {
    pub fn new(author: Author, trust: Option<Trust>, sighted: Sighted) -> Self {
        let now = Instant::now();
        Self {
            author,
            trust,
            sighted: RefCell::new(sighted),
            ledger: None,
            pending: VecDeque::new(),
            owed: VecDeque::new(),
            signed: VecDeque::new(),
            taken: VecDeque::new(),
            taken_bytes: 0,
            is_anew: false,
            flight: None,
            last_call: 0,
            not_before: now,
            away_since: Some(now),
            is_unproven: false,
            shut_until: None,
            next_release: None,
            last_seen: None,
            told_from: 0,
            seen_size: 0,
            past: Past::Unknown,
            done: Vec::new(),
            told: Vec::new(),
            alarms: Vec::new(),
        }
    }

    /// Believes keys that were not known at the start, and none in the place of known ones.
    pub fn learn(&mut self, keys: control::Keys) {
        if let (None, Some(ledger), Some(mirror)) = (&self.trust, keys.ledger, keys.mirror) {
            self.trust = Trust::new(&ledger, &mirror);
        }
    }

    /// Whether ledger and mirror stand behind what is told them, as far as is known.
    pub fn is_here(&self) -> bool {
        let is_known = matches!(self.past, Past::Known(_));
        is_known && self.ledger.is_some() && self.away_since.is_none() && !self.is_unproven
    }

    /// Whether an entry of somebody else's stands in the ledger, cosigned by the mirror.
    pub fn is_proven(&self, entry: &[u8], proof: &Proof, checkpoint: &[u8]) -> bool {
        let trusted = self.trust.as_ref().and_then(|trust| trust.read(checkpoint));
        let Some(trusted) = trusted else { return false };
        self.sighted.borrow_mut().note(trusted.checkpoint.size, checkpoint);
        trusted.proves(entry, proof.index, &proof.hashes)
    }

    pub fn next_release(&self) -> u64 {
        self.next_release.unwrap_or_default()
    }

    pub fn joined(&mut self, ledger: Peer) {
        self.ledger = Some(ledger);
        self.flight = None;
        self.is_anew = !self.taken.is_empty();
        self.not_before = Instant::now();
    }

    pub fn gone(&mut self, peer: Peer) {
        if self.ledger == Some(peer) {
            self.ledger = None;
            self.flight = None;
            self.mark_away();
        }
    }

    /// Takes a deed that is done without evidence, if that is away, and recorded when it is back.
    pub fn ask_owing(&mut self, body: Body, then: Then) {
        match self.owed.len() < OWED {
            true => {
                let until = Instant::now() + OWED_AFTER;
                self.owed.push_back(Owed { body, then: Some(then), until });
            }
            false => self.done.push((then, Outcome::Away)),
        }
    }

    /// Takes a deed. It is answered at once with `Away` if evidence has been away for long.
    pub fn ask(&mut self, asked: Asked) {
        let now = Instant::now();
        let long_away = self.away_since.is_some_and(|since| now - since > PATIENCE);
        let is_shut = self.shut_until.is_some_and(|until| now < until)
            && matches!(asked.deed, Deed::Release { .. });
        if is_shut || self.pending.len() >= WAITING || (long_away && asked.proof) {
            self.done.push((asked.then, Outcome::Away));
        } else {
            self.pending.push_back(Pending { asked, until: now + PATIENCE });
        }
    }

    /// What was settled since the last time.
    pub fn settled(&mut self) -> Vec<(Then, Outcome)> {
        std::mem::take(&mut self.done)
    }

    pub fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Gives up what has waited too long, and sends what can be sent.
    pub fn pump(&mut self, hub: &mut Hub, keys: &mut Keys, window_ms: u64) {
        let now = Instant::now();
        if self.flight.as_ref().is_some_and(|flight| now - flight.sent > SILENCE) {
            self.is_unproven |= self.flight.take().is_some_and(|flight| flight.what.proves());
            self.mark_away();
        }
        self.give_up(now);
        let Some(ledger) = self.ledger else { return };
        if self.flight.is_some() || now < self.not_before {
            return;
        }
        if self.next_release.is_none() {
            let since_ms = now_ms().saturating_sub(window_ms);
            let question = ToLedger::Releases { since_ms, from_index: self.told_from };
            self.send(hub, ledger, &question, Call::Releases);
            return;
        }
        if let Some(question) = self.past.question() {
            return self.send(hub, ledger, &question, Call::Past);
        }
        let Past::Known(_) = self.past else { return };
        if self.is_anew {
            let entries = self.taken.iter().cloned().collect();
            let append = ToLedger::Append { entries, prove: false };
            return self.send(hub, ledger, &append, Call::Again);
        }
        if !self.company_left(now).is_zero() {
            return;
        }
        self.sign(keys);
        if self.signed.is_empty() {
            if let Some(last) = self.taken.back().filter(|_| self.is_unproven) {
                let probe = ToLedger::Append { entries: vec![last.clone()], prove: true };
                self.send(hub, ledger, &probe, Call::Probe);
            }
            return;
        }
        let entries = self.frames();
        let count = entries.len();
        let prove = self.signed.iter().take(count).any(|one| one.proof && one.then.is_some());
        self.send(hub, ledger, &ToLedger::Append { entries, prove }, Call::Append { count, prove });
    }

    /// How long what waits may gather, if nobody reads by it.
    fn company_left(&self, now: Instant) -> Duration {
        let is_patient = |one: &Pending| {
            matches!(one.asked.deed, Deed::Release { released: Released::Transit(_), .. })
        };
        let may_gather = self.signed.is_empty()
            && self.owed.is_empty()
            && self.pending.len() < ENOUGH
            && self.pending.iter().all(is_patient);
        match self.pending.front().filter(|_| may_gather) {
            Some(first) => (first.until + COMPANY).saturating_duration_since(now + PATIENCE),
            None => Duration::ZERO,
        }
    }

    /// How long the loop may sleep.
    pub fn rest(&self) -> Duration {
        if self.flight.is_none() {
            let company = self.company_left(Instant::now());
            if !company.is_zero() {
                return company;
            }
        }
        let busy = self.flight.is_some()
            || !self.signed.is_empty()
            || !self.pending.is_empty()
            || !self.owed.is_empty()
            || self.is_unproven
            || self.next_release.is_none()
            || !matches!(self.past, Past::Known(_));
        if busy { RETRY / 4 } else { Duration::from_secs(1) }
    }

    fn send(&mut self, hub: &mut Hub, ledger: Peer, question: &ToLedger, what: Call) {
        self.last_call = self.last_call.wrapping_add(1).max(1);
        let call = self.last_call;
        if hub.send(ledger, call, question, Vec::new()).is_ok() {
            self.flight = Some(Flight { call, sent: Instant::now(), what });
        } else {
            self.mark_away();
        }
    }

    pub fn mark_away(&mut self) {
        let now = Instant::now();
        self.not_before = now + RETRY;
        self.away_since.get_or_insert(now);
    }

    fn give_up(&mut self, now: Instant) {
        while self.pending.front().is_some_and(|one| one.until <= now) {
            if let Some(one) = self.pending.pop_front() {
                self.done.push((one.asked.then, Outcome::Away));
            }
        }
        for one in self.owed.iter_mut().filter(|one| one.until <= now) {
            self.done.extend(one.then.take().map(|then| (then, Outcome::Owed)));
        }
        let late = |one: &&mut Signed| one.until.is_some_and(|until| until <= now);
        for one in self.signed.iter_mut().filter(late) {
            let outcome = one.without();
            self.done.extend(one.then.take().map(|then| (then, outcome)));
        }
    }

    /// Signs what waits. Nothing new is signed while older frames have found no taker.
    fn sign(&mut self, keys: &mut Keys) {
        if self.away_since.is_some() && !self.signed.is_empty() {
            return;
        }
        let at_ms = now_ms();
        self.sign_owed(at_ms);
        while self.signed.len() < APPEND_FRAMES {
            let Some(Pending { asked, until }) = self.pending.pop_front() else {
                return;
            };
            let number = self.next_release.unwrap_or_default();
            let (body, is_release) = match asked.deed {
                Deed::Plain(body) => (body, false),
                Deed::Release { instance, grant, tenant, user, released } => {
                    let vault_seq = number;
                    (Body::Release { vault_seq, instance, grant, tenant, user, released }, true)
                }
            };
            let is_noted = self.past.note(keys, (&self.author, &body));
            match is_noted.then(|| self.author.sign(at_ms, body)).flatten() {
                Some(frame) => {
                    let (then, proof) = (Some(asked.then), asked.proof);
                    let until = (!asked.lasting).then_some(until);
                    let may_be_owed = false;
                    let signed = Signed { frame, then, proof, until, is_release, may_be_owed };
                    self.signed.push_back(signed);
                    self.next_release = Some(number + u64::from(is_release));
                }
                None => self.done.push((asked.then, Outcome::Away)),
            }
        }
    }

    /// What is owed, first: it was done before all else.
    fn sign_owed(&mut self, at_ms: u64) {
        while let Some(Owed { body, then, until }) = self.owed.pop_front() {
            match self.author.sign(at_ms, body) {
                Some(frame) => self.signed.push_back(Signed {
                    frame,
                    then,
                    proof: true,
                    until: Some(until),
                    is_release: false,
                    may_be_owed: true,
                }),
                None => self.done.extend(then.map(|then| (then, Outcome::Away))),
            }
        }
    }

    fn frames(&self) -> Vec<Vec<u8>> {
        let mut bytes = 0;
        let fits = |one: &&Signed| {
            bytes += one.frame.len();
            bytes <= APPEND_BYTES || bytes == one.frame.len()
        };
        // What nobody waits for any more asks for no proof, and is sent by itself.
        let is_given_up = |one: &Signed| one.then.is_none();
        let first = self.signed.front().is_some_and(is_given_up);
        let alike = self.signed.iter().take_while(|one| is_given_up(one) == first);
        let some = alike.take(APPEND_FRAMES).take_while(fits);
        some.map(|one| one.frame.clone()).collect()
    }

    /// The ledger's answer.
    pub fn answered(&mut self, peer: Peer, call: u32, answer: FromLedger) {
        let current = self.flight.as_ref().is_some_and(|flight| flight.call == call);
        if self.ledger != Some(peer) || !current {
            return;
        }
        let Some(Flight { what, .. }) = self.flight.take() else {
            return;
        };
        // Until the proof has been checked.
        self.is_unproven |= what.proves();
        match (what, answer) {
            (Call::Append { count, .. }, FromLedger::Proved { proofs, checkpoint }) => {
                self.proved(count, &proofs, &checkpoint);
            }
            (Call::Probe, FromLedger::Proved { proofs, checkpoint }) => {
                let newest = self.taken.back().zip(proofs.first());
                let holds =
                    newest.is_some_and(|(frame, proof)| self.is_proven(frame, proof, &checkpoint));
                match holds {
                    true => (self.is_unproven, self.away_since) = (false, None),
                    false => self.mark_away(),
                }
            }
            (Call::Append { count, .. }, FromLedger::Taken { first_index }) => {
                self.taken(count, first_index);
            }
            (Call::Again, FromLedger::Taken { .. }) => {
                self.is_anew = false;
                self.away_since = None;
            }
            (Call::Past, answer) => match self.past.answered(answer) {
                true => self.away_since = None,
                false => self.mark_away(),
            },
            (Call::Releases, FromLedger::Releases { entries, next }) => self.tell(&entries, next),
            (Call::Append { count, .. }, FromLedger::Shut) => self.shut(count),
            (_, FromLedger::Refused { why }) => {
                if self.away_since.is_none() {
                    self.alarms.push(format!("the ledger refused an entry: {why}"));
                }
                self.mark_away();
            }
            _ => self.mark_away(),
        }
    }

    /// Releases are given up at once; what was signed is recorded all the same, for its number runs
    /// on. Those that come within moments are not even signed: each would stand as one.
    fn shut(&mut self, count: usize) {
        self.shut_until = Some(Instant::now() + SHUT);
        for one in self.signed.iter_mut().take(count).filter(|one| one.is_release) {
            self.done.extend(one.then.take().map(|then| (then, Outcome::Away)));
        }
        let is_release = |one: &Pending| matches!(one.asked.deed, Deed::Release { .. });
        let (releases, others) = self.pending.drain(..).partition(is_release);
        self.pending = others;
        let releases: VecDeque<Pending> = releases;
        self.done.extend(releases.into_iter().map(|one| (one.asked.then, Outcome::Away)));
    }

    fn taken(&mut self, count: usize, first_index: u64) {
        if self.signed.iter().take(count).any(|one| one.proof && one.then.is_some()) {
            self.alarms.push("the ledger answered without the proof asked for".to_owned());
            return self.mark_away();
        }
        self.away_since = None;
        let taken = self.remember(count).into_iter().zip(first_index..);
        let thens = taken.filter_map(|(then, entry)| then.map(|then| (then, entry)));
        self.done.extend(thens.map(|(then, entry)| (then, Outcome::Recorded { entry })));
    }

    /// Only what the vault itself has verified counts: both signatures, and each inclusion.
    fn proved(&mut self, count: usize, proofs: &[Proof], checkpoint: &[u8]) {
        let Some(trust) = &self.trust else { return self.mark_away() };
        let trusted = trust.read(checkpoint);
        let grown = trusted.filter(|trusted| trusted.checkpoint.size >= self.seen_size);
        let Some(trusted) = grown.filter(|_| proofs.len() == count) else {
            self.alarms.push("the ledger gave a checkpoint that does not hold".to_owned());
            return self.mark_away();
        };
        let proven = self.signed.iter().zip(proofs).all(|(one, proof)| holds(&trusted, one, proof));
        if !proven {
            self.alarms.push("the ledger gave a proof that does not hold".to_owned());
            return self.mark_away();
        }
        self.seen_size = trusted.checkpoint.size;
        self.sighted.get_mut().note(self.seen_size, checkpoint);
        (self.is_unproven, self.away_since) = (false, None);
        let proven = self.remember(count).into_iter().zip(proofs);
        let thens = proven.filter_map(|(then, proof)| then.map(|then| (then, proof.index)));
        self.done.extend(thens.map(|(then, entry)| (then, Outcome::Recorded { entry })));
    }

    /// So many are taken: what follows each.
    fn remember(&mut self, count: usize) -> Vec<Option<Then>> {
        let mut thens = Vec::with_capacity(count);
        for one in self.signed.drain(..count.min(self.signed.len())) {
            self.taken_bytes += one.frame.len();
            self.taken.push_back(one.frame);
            thens.push(one.then);
        }
        while self.taken.len() > REMEMBERED || self.taken_bytes > REMEMBERED_BYTES {
            let forgotten = self.taken.pop_front().map_or(0, |frame| frame.len());
            self.taken_bytes -= forgotten;
        }
        thens
    }

    /// Releases of the last hour, and in any case the last one of all.
    fn tell(&mut self, entries: &[Vec<u8>], next: Option<u64>) {
        for bytes in entries {
            let Some(entry) = Frame::parse(bytes).map(|frame| frame.entry) else {
                continue;
            };
            let Body::Release { vault_seq, tenant, user, released, .. } = entry.body else {
                continue;
            };
            self.last_seen = Some(self.last_seen.unwrap_or_default().max(vault_seq));
            // Mail that leaves has its own bound: what its carrier has in hand.
            if let Released::Bodies(messages) = released {
                let bodies = messages.len() as u64;
                self.told.push(Told { at_ms: entry.time_ms, tenant, user, bodies });
            }
        }
        match next {
            // Forwards only: a ledger that turns in circles is not asked for ever.
            Some(next) if next > self.told_from => self.told_from = next,
            Some(_) => self.mark_away(),
            None => {
                self.next_release = Some(self.last_seen.map_or(0, |last| last + 1));
                self.away_since = None;
            }
        }
    }
}

/// A frame's own proof: its number within its series makes each leaf unlike every other, so that
/// a proof serves this frame alone, once.
fn holds(trusted: &Trusted, signed: &Signed, proof: &Proof) -> bool {
    trusted.proves(&signed.frame, proof.index, &proof.hashes)
}
