//! The story: who asks, what is weighed, what is recorded, and only then done.

use crate::Fault;
use crate::budget::{Budget, WINDOW_MS};
use crate::credentials::{Change, Lend};
use crate::depart::Carry;
use crate::grants::{Grants, Moment};
use crate::hands::Hands;
use crate::keys::{Keys, Made};
use crate::older::Early;
use crate::record::{Asked, Deed, Outcome, Recorder};
use crate::sighted::Sighted;
use crate::stood::Stood;
use crate::transit::{Expiry, day};
use crate::workers::{Done, OPENED_AT_ONCE, Opening, Task, Workers};
use evidence::{Author, Body, Word, month_of};
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use terms::{GrantId, InstanceId, Kind, TenantId, UserId};
use tlog::Trust;
use unseal::{Agreed, Class, Wrapped};
use wire::control::{Order, Report};
use wire::vault::{
    FromAdmin, FromSigner, Item, ToAccess, ToAdmin, ToDepart, ToDirectory, ToSigner,
};
use wire::{Event, Frame, Hub, Label, Peer};

/// Times that one start of a keeper is handed its key: an answer may get lost, each is recorded.
const HAND_OUTS: u8 = 8;
/// How often grants that ran out and empty budgets are forgotten.
const SWEEP: Duration = Duration::from_secs(30);

/// To whom an answer goes.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    pub peer: Peer,
    pub call: u32,
}

/// A release that was asked for and granted, waiting for its proof.
pub(crate) struct Release {
    pub asker: Asker,
    pub agreed: Arc<Agreed>,
    pub tenant: TenantId,
    pub user: UserId,
    pub class: Class,
    pub items: Vec<Item>,
}

/// A compartment's own key: released once per start, recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OwnKey {
    Policy,
    Table,
    Storage,
}

/// What follows once a deed is recorded.
pub(crate) enum Then {
    Open(Release),
    /// One sender's part of a release of mail that leaves.
    Carry(Carry),
    Hand(Asker, InstanceId, OwnKey),
    /// A tenant's sign-in to a smart host goes to whoever carries its mail there.
    Lend(Lend),
    /// A tenant's sign-ins are changed.
    Credentials(Asker, Change),
    Made(Asker),
    /// An act upon keys, by the number of its intent.
    Act {
        asker: Option<Asker>,
        number: u64,
    },
    /// Transit pairs of days before this one are destroyed.
    Expire(u32),
    /// It is remembered that the records have sums.
    Summed,
    Nothing,
}

/// For whom keys are released.
#[derive(Clone, Copy)]
pub(crate) enum For {
    Access,
    Depart,
}

/// A release whose keys are being opened.
pub(crate) struct Job {
    asker: Asker,
    whom: For,
    released: Vec<Option<Vec<u8>>>,
    left: usize,
    /// Not all of it could be recorded: none of it is answered.
    is_lost: bool,
}

impl Job {
    pub fn new(asker: Asker, whom: For, count: usize) -> Self {
        let released = std::iter::repeat_with(|| None).take(count).collect();
        Self { asker, whom, released, left: count, is_lost: false }
    }
}

pub(crate) struct Vault {
    hub: Hub,
    control: Peer,
    wake: Peer,
    workers: Workers,
    jobs: HashMap<u64, Job>,
    next_job: u64,
    openers: HashMap<GrantId, Vec<Asker>>,
    batches: HashMap<GrantId, (Asker, InstanceId)>,
    handed: HashMap<(InstanceId, OwnKey), u8>,
    pub keys: Keys,
    pub grants: Grants,
    pub hands: Hands,
    pub budget: Budget,
    pub stood: Stood,
    pub recorder: Recorder,
    pub folder: PathBuf,
    clocks: Clocks,
    demo: bool,
    swept: Instant,
    expiry: Expiry,
    /// Acts of an earlier start wait for the ledger.
    pub unfinished: bool,
    pub early: Early,
}

/// Milliseconds since 1970, as the vault counts them.
pub(crate) type Clock = Box<dyn Fn() -> u64 + Send>;

/// What people call the time, and a clock that nobody sets.
pub(crate) struct Clocks {
    pub wall: Clock,
    pub steady: Clock,
}

impl Clocks {
    pub fn of_this_machine() -> Self {
        Self { wall: Box::new(compartment::now_ms), steady: Box::new(compartment::steady_ms) }
    }
}

impl Vault {
    pub fn new(
        mut hub: Hub,
        control: Peer,
        keys: Keys,
        stood: Stood,
        (author, trust, sighted): (Author, Option<Trust>, Sighted),
        (folder, clocks, demo): (PathBuf, Clocks, bool),
    ) -> Result<Self, Fault> {
        let (workers, wake) = Workers::start()?;
        let wake = hub.watch(wake).map_err(Fault::Channel)?;
        Ok(Self {
            hub,
            control,
            wake,
            workers,
            jobs: HashMap::new(),
            next_job: 0,
            openers: HashMap::new(),
            batches: HashMap::new(),
            handed: HashMap::new(),
            keys,
            grants: Grants::default(),
            hands: Hands::default(),
            budget: Budget::default(),
            stood,
            recorder: Recorder::new(author, trust, sighted),
            folder,
            clocks,
            demo,
            swept: Instant::now(),
            expiry: Expiry::default(),
            // Taken up once these rows are compared with the ledger.
            unfinished: true,
            early: Early::default(),
        })
    }

    /// Until the warden says stop, or is gone.
    pub fn serve(mut self) -> Result<(), Fault> {
        let served = self.serve_until_stopped();
        self.recorder.sighted.get_mut().keep();
        // A clean end forgets no first word of an address.
        served.and(self.stood.flush())?;
        let sighted = self.recorder.sighted.get_mut().kept;
        self.keys.keep_tip(Some(&self.stood), sighted)
    }

    fn serve_until_stopped(&mut self) -> Result<(), Fault> {
        for what in std::mem::take(&mut self.keys.amiss) {
            self.alarm(what);
        }
        loop {
            let rest = self.recorder.rest();
            for event in self.hub.wait(Some(rest)).map_err(Fault::Channel)? {
                match event {
                    Event::Gone(peer, _) if peer == self.control => return Ok(()),
                    Event::Frame(peer, frame) if peer == self.control => {
                        if self.ordered(frame)? {
                            return Ok(());
                        }
                    }
                    Event::Frame(peer, frame) => self.asked(peer, &frame),
                    Event::Ready(_) => self.finish_work(),
                    Event::Gone(peer, label) => self.left(peer, &label),
                }
            }
            self.keep_evidence();
            self.recorder.sighted.get_mut().keep_if_due();
            let sighted = self.recorder.sighted.get_mut().kept;
            self.keys.keep_tip_if_due(&self.stood, sighted);
            self.sweep();
        }
    }

    /// Whether to leave.
    fn ordered(&mut self, mut frame: Frame) -> Result<bool, Fault> {
        match frame.read::<Order>().map_err(Fault::Channel)? {
            Order::Stop => return Ok(true),
            Order::Pulse => drop(self.hub.send(self.control, 0, &Report::Alive, Vec::new())),
            Order::Keys(keys) => self.recorder.learn(keys),
            Order::Join(label) => {
                if let Some(fd) = frame.descriptors.pop() {
                    let kind = label.kind;
                    let peer = self.hub.seat(fd.into(), label).map_err(Fault::Channel)?;
                    if kind == Kind::Ledger {
                        self.recorder.joined(peer);
                    }
                }
            }
            _ => {}
        }
        Ok(false)
    }

    /// Each kind of peer has its own questions; whoever else speaks is cut.
    fn asked(&mut self, peer: Peer, frame: &Frame) {
        let Some(label) = self.hub.label(peer).cloned() else { return };
        let asker = Asker { peer, call: frame.call };
        let read = match label.kind {
            Kind::Ledger => {
                frame.read().map(|answer| self.recorder.answered(peer, frame.call, answer))
            }
            Kind::Directory => frame.read().map(|question| self.directory(asker, &label, question)),
            Kind::Identity => frame.read().map(|question| self.identity(asker, &label, question)),
            Kind::Access => frame.read().map(|question| self.access(asker, &label, question)),
            Kind::Signer => frame.read().map(|FromSigner::StorageKey| {
                self.hand_own_key(asker, &label, OwnKey::Storage);
            }),
            Kind::Post => frame.read().map(|question| self.post(asker, &label, question)),
            Kind::Depart => frame.read().map(|question| self.depart(asker, &label, question)),
            Kind::Admin => frame.read().map(|question: FromAdmin| self.admin(asker, question)),
            _ => Err(wire::Fault::Malformed),
        };
        if read.is_err() {
            self.alarm(format!(
                "{} {} spoke what is no question",
                label.kind.word(),
                label.instance
            ));
            self.hub.dismiss(peer);
            self.left(peer, &label);
        }
    }

    fn left(&mut self, peer: Peer, label: &Label) {
        match label.kind {
            Kind::Ledger => self.recorder.gone(peer),
            Kind::Access => self.grants.drop_instance(label.instance),
            Kind::Post | Kind::Depart => self.hands.drop_instance(label.instance),
            _ => self.handed.retain(|(instance, _), _| *instance != label.instance),
        }
    }

    pub fn answer<M: Serialize>(&mut self, asker: Asker, message: &M) {
        // A peer that is gone is told so by the next wait.
        let _ = self.hub.send(asker.peer, asker.call, message, Vec::new());
    }

    pub fn alarm(&mut self, what: String) {
        let _ = self.hub.send(self.control, 0, &Report::Alarm { what }, Vec::new());
    }

    pub fn now_ms(&self) -> u64 {
        (self.clocks.wall)()
    }

    /// For what lasts a stretch of time: nobody lengthens it by setting the date back.
    pub fn steady_ms(&self) -> u64 {
        (self.clocks.steady)()
    }

    pub fn moment(&self) -> Moment {
        Moment { wall_ms: self.now_ms(), steady_ms: self.steady_ms() }
    }

    /// This month, as year × 100 + month.
    pub fn month(&self) -> u32 {
        month_of(self.now_ms())
    }

    pub fn record(&mut self, deed: Deed, then: Then, proof: bool) {
        self.recorder.ask(Asked { deed, then, proof, lasting: false });
    }

    /// With proof, and done however late that comes.
    pub fn record_lasting(&mut self, deed: Deed, then: Then) {
        self.recorder.ask(Asked { deed, then, proof: true, lasting: true });
    }

    /// One `key.create` for each key made; `then` follows the last of them.
    pub fn record_made(
        &mut self,
        made: Vec<Made>,
        tenant: TenantId,
        user: Option<UserId>,
        then: Then,
    ) {
        let last = made.len().saturating_sub(1);
        let mut then = Some(then);
        for (number, Made { what, epoch }) in made.into_iter().enumerate() {
            let then = then.take_if(|_| number == last).unwrap_or(Then::Nothing);
            let what = Word::new(what);
            let body = Body::KeyCreate { what, epoch, tenant: Some(tenant), user };
            self.record(Deed::Plain(body), then, false);
        }
        if let Some(then) = then {
            self.follow(then, Outcome::Recorded { entry: 0 });
        }
    }

    /// A keeper's own key: recorded as used before it is handed out, once per start. Those on which
    /// arrival rests (whose mail it is; TLS) open no mail, and are not evidence's to withhold:
    /// while it is away they are handed out, and recorded when it is back (decision 0023).
    pub fn hand_own_key(&mut self, asker: Asker, label: &Label, key: OwnKey) {
        let times = self.handed.get(&(label.instance, key)).copied().unwrap_or_default();
        if times >= HAND_OUTS {
            self.alarm(format!("{} asks for its key again and again", label.kind.word()));
            return self.refuse_own_key(asker, key);
        }
        let body = Body::CredentialUse {
            credential: Word::new(key.word()),
            instance: label.instance,
            name: Word::new(label.kind.word()),
            tenant: None,
        };
        let then = Then::Hand(asker, label.instance, key);
        match key {
            OwnKey::Policy | OwnKey::Storage => self.recorder.ask_owing(body, then),
            OwnKey::Table => self.record(Deed::Plain(body), then, true),
        }
    }

    fn keep_evidence(&mut self) {
        self.compare();
        self.recorder.pump(&mut self.hub, &mut self.keys, WINDOW_MS);
        for told in self.recorder.told() {
            self.budget.rebuild(told.at_ms, told.tenant, told.user, told.bodies);
        }
        for what in std::mem::take(&mut self.recorder.alarms) {
            self.alarm(what);
        }
        for (then, outcome) in self.recorder.settled() {
            self.follow(then, outcome);
        }
    }

    fn follow(&mut self, then: Then, outcome: Outcome) {
        match (then, outcome) {
            (Then::Open(release), Outcome::Recorded { .. }) => self.open(release),
            (Then::Open(release), Outcome::Away) => {
                self.answer(release.asker, &ToAccess::EvidenceAway);
            }
            (Then::Carry(carry), Outcome::Recorded { .. }) => self.carry_mail(carry),
            (Then::Carry(carry), Outcome::Away) => self.lose_part(carry.job, carry.count()),
            (Then::Expire(last), Outcome::Recorded { .. }) => self.expire(last),
            (Then::Hand(asker, instance, key), Outcome::Recorded { .. } | Outcome::Owed) => {
                let times = self.handed.entry((instance, key)).or_default();
                *times = times.saturating_add(1);
                self.give_own_key(asker, key);
            }
            (Then::Lend(lend), Outcome::Recorded { .. }) => self.lend(lend),
            (Then::Lend(lend), Outcome::Away) => self.answer(lend.asker, &ToDepart::EvidenceAway),
            (Then::Credentials(asker, change), Outcome::Recorded { entry }) => {
                self.change_credentials(asker, change, entry);
            }
            (Then::Credentials(asker, _), Outcome::Away) => {
                self.answer(asker, &ToAdmin::EvidenceAway);
            }
            (Then::Hand(asker, _, key), Outcome::Away) => self.say_away(asker, key),
            (Then::Made(asker), Outcome::Recorded { .. }) => {
                self.answer(asker, &ToDirectory::Done);
            }
            (Then::Made(asker), Outcome::Away) => self.answer(asker, &ToDirectory::EvidenceAway),
            (Then::Act { asker, number }, Outcome::Recorded { entry }) => {
                self.recorded_act(asker, number, entry);
            }
            (Then::Act { asker, number }, Outcome::Away) => self.lost_act(asker, number),
            (Then::Summed, Outcome::Recorded { entry }) => self.sums_recorded(entry),
            (Then::Summed, Outcome::Away) => self.unfinished = true,
            // Nothing else is owed.
            (Then::Expire(_), Outcome::Away) | (Then::Nothing, _) | (_, Outcome::Owed) => {}
        }
    }

    /// Recorded and proven: now, and nowhere else, keys are opened.
    fn open(&mut self, release: Release) {
        let Release { asker, agreed, tenant, user, class, items } = release;
        if self.keys.state.is_stopped(tenant, user) {
            // While it was recorded.
            return self.answer(asker, &ToAccess::Refused(wire::vault::Refusal::Stopped));
        }
        let mut pairs = HashMap::new();
        let mut openings = Vec::with_capacity(items.len());
        for (place, item) in items.into_iter().enumerate() {
            let Item { message, epoch, wrapped } = item;
            let pair = pairs
                .entry(epoch)
                .or_insert_with(|| self.keys.pair(tenant, user, class, epoch).map(Arc::new));
            // Only the epoch that was recorded: an item may not name one and open another.
            let wrapped = Wrapped::parse(&wrapped).ok().filter(|one| one.share.epoch == epoch);
            let context = unseal::WrapContext { tenant, user, message, class };
            let opening = pair.clone().zip(wrapped);
            let opening = opening.map(|(pair, wrapped)| Opening { pair, wrapped, context });
            openings.push((place, opening));
        }
        if openings.is_empty() {
            return self.answer(asker, &ToAccess::Released(Vec::new()));
        }
        let job = self.begin_job(Job::new(asker, For::Access, openings.len()));
        self.open_all(job, &agreed, openings);
    }

    pub fn begin_job(&mut self, job: Job) -> u64 {
        let number = self.next_job;
        self.next_job += 1;
        self.jobs.insert(number, job);
        number
    }

    /// Opens keys on threads, a few at a time.
    pub fn open_all(
        &mut self,
        job: u64,
        agreed: &Arc<Agreed>,
        mut openings: Vec<(usize, Option<Opening>)>,
    ) {
        while !openings.is_empty() {
            let later = openings.split_off(OPENED_AT_ONCE.min(openings.len()));
            let now = std::mem::replace(&mut openings, later);
            self.workers.give(Task::Open { job, agreed: agreed.clone(), openings: now });
        }
    }

    /// Agrees a grant's key on a thread; `asker` is told when it is done.
    pub fn agree(&mut self, asker: Asker, task: Task, grant: GrantId) {
        let askers = self.openers.entry(grant).or_default();
        askers.push(asker);
        if askers.len() == 1 {
            self.workers.give(task);
        }
    }

    /// The same for a batch of mail that leaves.
    pub fn agree_batch(&mut self, asker: Asker, of: InstanceId, task: Task, grant: GrantId) {
        self.batches.insert(grant, (asker, of));
        self.workers.give(task);
    }

    fn finish_work(&mut self) {
        let Some(wake) = self.hub.watched(self.wake) else {
            return;
        };
        for done in self.workers.take(wake) {
            match done {
                Done::Agreed { grant, result } => self.agreed(grant, result),
                Done::Opened { job, released } => self.opened(job, released),
            }
        }
    }

    fn agreed(&mut self, grant: GrantId, result: Option<(Vec<u8>, Arc<Agreed>)>) {
        if let Some(asked) = self.batches.remove(&grant) {
            return self.batch_agreed(asked, grant, result);
        }
        let askers = self.openers.remove(&grant).unwrap_or_default();
        let enc = result
            .and_then(|(enc, agreed)| self.grants.agree(grant, enc, agreed).map(<[u8]>::to_vec));
        for asker in askers {
            match &enc {
                Some(enc) => self.answer(asker, &ToAccess::Opened { enc: enc.clone() }),
                None => {
                    self.answer(asker, &ToAccess::Refused(wire::vault::Refusal::NoGrant));
                }
            }
        }
    }

    fn opened(&mut self, number: u64, released: Vec<(usize, Option<Vec<u8>>)>) {
        let Some(job) = self.jobs.get_mut(&number) else {
            return;
        };
        job.left -= released.len().min(job.left);
        for (place, one) in released {
            if let Some(place) = job.released.get_mut(place) {
                *place = one;
            }
        }
        self.finish_job(number);
    }

    /// A part of a release that could not be recorded, or must not be opened now.
    pub fn lose_part(&mut self, number: u64, count: usize) {
        if let Some(job) = self.jobs.get_mut(&number) {
            job.left -= count.min(job.left);
            job.is_lost = true;
        }
        self.finish_job(number);
    }

    fn finish_job(&mut self, number: u64) {
        if self.jobs.get(&number).is_none_or(|job| job.left > 0) {
            return;
        }
        let Some(job) = self.jobs.remove(&number) else { return };
        match (job.whom, job.is_lost) {
            (For::Access, true) => self.answer(job.asker, &ToAccess::EvidenceAway),
            (For::Access, false) => self.answer(job.asker, &ToAccess::Released(job.released)),
            (For::Depart, true) => self.answer(job.asker, &ToDepart::EvidenceAway),
            (For::Depart, false) => self.answer(job.asker, &ToDepart::Released(job.released)),
        }
    }

    pub fn status(&self) -> ToAdmin {
        ToAdmin::Status {
            releases: self.recorder.next_release(),
            live_grants: self.grants.count() as u64,
            evidence: self.recorder.is_here(),
            statement_key: self.keys.statement.public(),
        }
    }

    fn sweep(&mut self) {
        if let Err(fault) = self.stood.flush_due() {
            self.alarm(fault.to_string());
        }
        if self.unfinished && self.recorder.is_here() {
            self.resume();
        }
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            let now = self.now_ms();
            self.grants.sweep(self.moment());
            self.hands.sweep(self.steady_ms());
            self.budget.sweep(now);
            self.look_for_expired(day(now));
        }
    }

    /// Pairs that no mail waits for any more: recorded and proven, then destroyed.
    fn look_for_expired(&mut self, today: u32) {
        let last = self.expiry.look(Instant::now(), || self.keys.transit_due(today));
        let Some(last) = last else { return };
        let (what, epoch) = (Word::new("transit-expired"), u64::from(last));
        let body = Body::KeyRotate { what, epoch, tenant: None, user: None };
        self.record(Deed::Plain(body), Then::Expire(last), true);
    }

    fn expire(&mut self, last: u32) {
        if let Err(fault) = self.keys.destroy_transits(last) {
            self.alarm(fault.to_string());
        }
    }

    pub fn storage_key(&self) -> Option<ToSigner> {
        let storage = self.keys.derived("signer storage").ok()?;
        let seed = match self.demo {
            true => Some(self.keys.derived("demo authority").ok()?),
            false => None,
        };
        Some(ToSigner::Key {
            storage: storage.dangerous_expose().to_vec(),
            demo_seed: seed.map(|seed| seed.dangerous_expose().to_vec()),
        })
    }
}
