//! Births: keepers and zygotes by exec, instances by asking a zygote to fork.

use crate::household::{Household, Want};
use crate::plan::{Drafted, Happening};
use crate::reports::printable;
use crate::roster::{Member, Part, Role, has_evidence_shown, has_zygote, needs, takes_connections};
use crate::troubles::lacks;
use crate::{Fault, feeds, ports, recorder};
use compartment::{Birth, spawn};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::Channel;
use wire::control::{Label, Order, Start};
use wire::directory::server_of;

/// Instances of one kind alive at once.
const MAX_ALIVE: usize = 4_000;
/// Births of one kind in one round, so that reports are heard in between.
const BIRTHS_ROUND: usize = 16;
/// That nobody more is born is said so often at most.
const FULL_SAID: Duration = Duration::from_secs(60);

impl Household {
    /// Starts every part that has no holder, whose pause is over, and whose needs are met.
    pub fn start_parts(&mut self, now: Instant) {
        let due = |part: &&Part| {
            let met = |need: &Kind| self.has_served(*need, now);
            part.holder.is_none()
                && part.isolation.is_none()
                && part.next_try <= now
                && needs(part.kind).iter().all(met)
        };
        let due: Vec<Kind> = self.parts.iter().filter(due).map(|part| part.kind).collect();
        for kind in due {
            if let Some(part) = self.part_mut(kind) {
                part.begun(now);
            }
            if let Err(fault) = self.start_part(kind) {
                compartment::tell(format_args!(
                    "sekisho: {} could not be started: {}",
                    kind.word(),
                    fault.in_full()
                ));
                if let Some(part) = self.part_mut(kind) {
                    part.lost(Duration::ZERO, now);
                    part.failed();
                    part.trouble_is(&printable(&fault.in_full()), false);
                }
            }
        }
    }

    /// Whether a kind has served once, is not part of this plan, or is not waited for: it is
    /// isolated, or cannot start.
    fn has_served(&self, kind: Kind, now: Instant) -> bool {
        let mut own = self.parts.iter().filter(|part| part.kind == kind);
        own.next()
            .is_none_or(|part| part.served || part.isolation.is_some() || part.is_given_up(now))
    }

    pub fn part_mut(&mut self, kind: Kind) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.kind == kind)
    }

    /// The living holder of a part: its keeper, or its zygote in use.
    pub fn holder(&self, kind: Kind) -> Option<&Member> {
        let part = self.parts.iter().find(|part| part.kind == kind)?;
        self.members.get(&part.holder?)
    }

    /// Whether a part's holder serves now.
    pub fn serves(&self, kind: Kind) -> bool {
        self.holder(kind).is_some_and(|holder| holder.ready)
    }

    fn start_part(&mut self, kind: Kind) -> Result<(), Fault> {
        let instance = InstanceId(compartment::random());
        let (ours, theirs) = Channel::pair()?;
        let mut start = self.start_words(instance, kind);
        start.folder = ports::make_folder(&self.plan, kind)?;
        let mut gifts = Vec::new();
        if kind == Kind::Vault
            && let Some(credential) = &self.plan.credential
        {
            gifts.push(copy(credential)?);
            start.has_credential = true;
        }
        if kind == Kind::Sentinel
            && let Some(rules) = &self.plan.rules
        {
            gifts.push(copy(rules)?);
            start.vigilance.has_rules = true;
        }
        let drafted = match has_zygote(kind) {
            true => None,
            false => self.plan.drills.draft(instance, kind),
        };
        let (lives_on, has_program) = enlist(drafted, &mut start, &mut gifts);
        let spawned = spawn(Birth {
            kind: kind.word(),
            instance: Some(&instance.to_string()),
            user: ports::own_user(&self.plan, kind),
            host_network: false,
            control: theirs.into(),
            more: Vec::new(),
            environment: Vec::new(),
        })?;
        let role = if has_zygote(kind) { Role::Zygote } else { Role::Single };
        self.admit(instance, kind, role, ours, (start, gifts))?;
        self.meet(instance, spawned.pidfd)?;
        if let Some(member) = self.members.get_mut(&instance) {
            member.without = spawned.missing.iter().map(ToString::to_string).collect();
            (member.lives_on, member.becomes_program) = (lives_on, has_program);
        }
        if let Some(part) = self.part_mut(kind) {
            part.holder = Some(instance);
        }
        self.introduce_to_servers(instance);
        self.hand_listeners(instance, kind);
        Ok(())
    }

    /// What every compartment is told; more is filled in by kind.
    fn start_words(&self, instance: InstanceId, kind: Kind) -> Start {
        let mut start = Start {
            instance,
            kind_word: kind.word().to_owned(),
            host_name: self.plan.host_name.clone(),
            demo: self.plan.demo,
            single_operator: self.plan.single_operator,
            pages_url: self.plan.pages_url.clone(),
            ..Start::default()
        };
        match kind {
            Kind::Sentinel => {
                start.vigilance = self.plan.vigilance.clone();
                start.vigilance.has_webhook = self.plan.outward.webhook.is_some();
                start.vigilance.has_mail = self.plan.outward.mail.is_some();
                start.vigilance.log_is_stream = feeds::is_stream(&self.plan.syslog);
                start.alarm_secret = self.plan.alarm_secret.clone();
            }
            Kind::Names => start.dns_servers = self.plan.dns_servers.clone(),
            Kind::Zone => start.zones = self.plan.zones.clone(),
            // Which ports a smart host may be at; it dials nobody.
            Kind::Admin => {
                start.statement_key = self.keys.statement;
                start.relay.port = self.plan.relay.port;
                start.relay.smart_host_ports = self.plan.relay.smart_host_ports.clone();
            }
            Kind::Edge | Kind::Access | Kind::Dispatch => {
                start.statement_key = self.keys.statement;
            }
            // Whom to believe about certificates of customers' servers; it dials nobody.
            Kind::Directory => start.relay.authorities = self.plan.relay.authorities.clone(),
            Kind::Post => {
                start.bounds = self.plan.bounds;
                start.carriers = self.carriers();
            }
            // Asked anew for each: somebody may have set the machine's zone meanwhile.
            Kind::Mailbox => {
                let now_s = (compartment::now_ms() / 1_000).cast_signed();
                start.local_time = compartment::local_time(now_s);
            }
            Kind::Pages => start.ports = self.ports_told(),
            Kind::Depart => {
                start.statement_key = self.keys.statement;
                start.relay = self.plan.relay.clone();
            }
            Kind::Fetch => {
                start.relay = self.plan.relay.clone();
                start.outward = self.plan.outward.clone();
            }
            Kind::Mirror => start.ledger_key = self.keys.ledger,
            _ => {}
        }
        if has_evidence_shown(kind) {
            start.ledger_key = self.keys.ledger;
            start.mirror_key = self.keys.mirror;
        }
        start
    }

    /// The demo's DNS serves what was said since, its next life too.
    pub fn publish(&mut self) {
        let published = self.plan.published.clone();
        published.hand(|zones| {
            let zone = self.holder(Kind::Zone).filter(|zone| zone.ready);
            let Some(control) = zone.map(|zone| zone.control) else { return false };
            let order = Order::Zones(zones.to_owned());
            let is_sent = self.hub.send(control, 0, &order, Vec::new()).is_ok();
            zones.clone_into(&mut self.plan.zones);
            is_sent
        });
    }

    /// What mail programs are told: the first port of each service.
    fn ports_told(&self) -> Vec<(wire::control::Service, u16)> {
        let mut ports: Vec<(wire::control::Service, u16)> = Vec::new();
        for (service, address) in &self.plan.listeners {
            if ports.iter().all(|(told, _)| told != service) {
                ports.push((*service, address.port()));
            }
        }
        ports
    }

    /// Seats a newborn and sends its first frame.
    fn admit(
        &mut self,
        instance: InstanceId,
        kind: Kind,
        role: Role,
        control: Channel,
        (start, gifts): (Start, Vec<OwnedFd>),
    ) -> Result<(), Fault> {
        let label = Label { instance, kind, person: None };
        let (drilled, lacks_keys) = (start.drill, lacks(kind, &start));
        let control = self.hub.seat(control, label)?;
        self.seats.insert(control, (instance, kind));
        self.hub.send(control, 0, &Order::Begin(start), gifts)?;
        let member = Member {
            instance,
            kind,
            role,
            pid: 0,
            pidfd: None,
            control,
            watch: None,
            without: Vec::new(),
            jailed: false,
            pulses: 0,
            ready: false,
            born_at: Instant::now(),
            person: None,
            reads_only: false,
            sends: false,
            dismissed: false,
            off_charter: false,
            killed: false,
            was_adrift: false,
            drilled,
            lives_on: false,
            becomes_program: false,
            scanner: None,
            serves: None,
            renewals: 0,
            outlets: 0,
            lacks_keys,
            introduced: false,
            early: None,
            adrift_until: None,
            mourned_until: None,
            end: None,
        };
        self.members.insert(instance, member);
        Ok(())
    }

    /// Learns a newborn's pidfd: watches it, and records the birth unless its key is awaited.
    pub fn meet(&mut self, instance: InstanceId, pidfd: OwnedFd) -> Result<(), Fault> {
        let watch = self.hub.watch(copy(&pidfd)?)?;
        let pid = compartment::signals::pid_behind(&pidfd).unwrap_or(0);
        let Some(member) = self.members.get_mut(&instance) else {
            return Ok(());
        };
        member.pid = pid;
        member.pidfd = Some(pidfd);
        member.watch = Some(watch);
        let (kind, zygote) = (
            member.kind,
            match member.role {
                Role::Instance(zygote) => Some(zygote),
                _ => None,
            },
        );
        let serves = member.serves;
        self.pidfds.insert(watch, instance);
        if !crate::roster::is_author(kind) {
            self.recorder.record(recorder::start(instance, kind, pid, None, (zygote, serves)));
        }
        (self.plan.tell)(&Happening::Born { instance, kind, pid, zygote });
        self.feed_birth(instance);
        self.catch_up(instance);
        Ok(())
    }

    /// Does what had to wait for a newborn's pidfd.
    fn catch_up(&mut self, instance: InstanceId) {
        let Some(member) = self.members.get_mut(&instance) else { return };
        let dismissed = member.dismissed;
        if let Some(notices) = member.early.take() {
            self.open_ear(instance, notices);
        }
        if dismissed {
            self.kill(instance);
        }
    }

    /// Notes that an instance is needed. Of a kind that is isolated nothing is wanted by number: it
    /// would all be born at once when it is let in again.
    pub fn want(&mut self, want: Want) {
        if want.is_numbered() && self.is_isolated(want.kind()) {
            return;
        }
        let Self { wants, members, .. } = self;
        wants.push(want, |want| match want {
            Want::Scanner(client) | Want::Dispatch(client) | Want::Outlet(client, _) => {
                members.contains_key(client)
            }
            Want::Idle(_) | Want::Depart | Want::Admin(_) => true,
        });
    }

    fn is_isolated(&self, kind: Kind) -> bool {
        self.parts.iter().any(|part| part.kind == kind && part.isolation.is_some())
    }

    /// Whether somebody is wanted who can be had: what waits for an isolated kind is not due.
    pub fn has_wants_due(&self) -> bool {
        self.wants.kinds().into_iter().any(|kind| !self.is_isolated(kind))
    }

    /// Births what is wanted and can be had now, a round of each kind; the rest stays wanted.
    pub fn fulfil_wants(&mut self) {
        if !self.serves(Kind::Gate) {
            // The next gate begins with a pool of its own.
            let kinds = self.wants.kinds().into_iter().filter(|kind| takes_connections(*kind));
            kinds.for_each(|kind| self.wants.forget_numbered(kind));
        }
        for kind in self.wants.kinds() {
            if self.serves(kind) {
                self.fulfil_round(kind);
            }
        }
    }

    fn fulfil_round(&mut self, kind: Kind) {
        for _ in 0..BIRTHS_ROUND {
            let Some(want) = self.wants.next(kind) else { return };
            // A zygote that dies meanwhile is replaced; the gate asks again by itself.
            if self.fulfil(&want).is_err() && !matches!(want, Want::Idle(_)) {
                return self.wants.put_back(want);
            }
        }
    }

    /// Says once a minute why nobody more is served.
    fn say_full(&mut self, kind: Kind) {
        let now = Instant::now();
        if self.said_full.is_some_and(|at| now.saturating_duration_since(at) < FULL_SAID) {
            return;
        }
        self.said_full = Some(now);
        let text = format!(
            "no more instances of {}: {} processes are all that the limit of open descriptors \
             allows (`ulimit -n`, LimitNOFILE=)",
            kind.word(),
            self.room,
        );
        (self.plan.tell)(&Happening::Note { instance: self.own, kind: Kind::Warden, text });
    }

    fn fulfil(&mut self, want: &Want) -> Result<(), Fault> {
        match want {
            // The gate lets its callers wait and asks again.
            Want::Idle(kind) if self.members.len() >= self.room => self.say_full(*kind),
            Want::Idle(kind) => {
                let born = self.birth(*kind)?;
                self.introduce_to_servers(born);
                self.join_to(born, Kind::Gate);
                if *kind == Kind::Edge {
                    self.want(Want::Scanner(born));
                }
            }
            Want::Scanner(edge) => {
                if !self.members.contains_key(edge) {
                    return Ok(());
                }
                let born = self.birth(Kind::Scanner)?;
                if let Some(scanner) = self.members.get_mut(&born) {
                    scanner.serves = Some(*edge);
                }
                if let Some(edge) = self.members.get_mut(edge) {
                    edge.scanner = Some(born);
                }
                self.join_pair(*edge, born);
            }
            Want::Dispatch(access) => {
                let person = self.members.get(access).and_then(|access| access.person);
                let Some(person) = person else { return Ok(()) };
                self.birth_dispatch(*access, person)?;
            }
            Want::Outlet(edge, tenant) => {
                if self.members.contains_key(edge) {
                    self.birth_dispatch(*edge, (*tenant, server_of(*tenant)))?;
                }
            }
            Want::Depart if self.members.len() >= self.room => self.say_full(Kind::Depart),
            Want::Depart => {
                let born = self.birth(Kind::Depart)?;
                self.introduce_to_servers(born);
            }
            Want::Admin(caller) => {
                let caller = copy(caller)?;
                let born = self.birth(Kind::Admin)?;
                self.introduce_to_servers(born);
                let label = Label { instance: born, kind: Kind::Admin, person: None };
                if let Some(member) = self.members.get(&born) {
                    self.hub.send(member.control, 0, &Order::Join(label), vec![caller])?;
                }
            }
        }
        Ok(())
    }

    /// A dispatch for whoever brings mail in somebody's name, with a scanner of its own.
    fn birth_dispatch(
        &mut self,
        client: InstanceId,
        person: (TenantId, UserId),
    ) -> Result<(), Fault> {
        let born = self.birth(Kind::Dispatch)?;
        if let Some(dispatch) = self.members.get_mut(&born) {
            (dispatch.serves, dispatch.person) = (Some(client), Some(person));
        }
        self.introduce_to_servers(born);
        self.join_pair(client, born);
        self.want(Want::Scanner(born));
        Ok(())
    }

    /// Asks the zygote in use for one more instance.
    fn birth(&mut self, kind: Kind) -> Result<InstanceId, Fault> {
        let alive =
            |member: &&Member| member.kind == kind && matches!(member.role, Role::Instance(_));
        let crowded = self.members.values().filter(alive).count() >= MAX_ALIVE;
        let zygote = self.holder(kind).map(|zygote| (zygote.instance, zygote.control));
        let Some((zygote, orders)) = zygote.filter(|_| !crowded) else {
            return Err(Fault::Channel(wire::Fault::Gone));
        };
        let instance = InstanceId(compartment::random());
        let (ours, theirs) = Channel::pair()?;
        let mut start = self.start_words(instance, kind);
        let mut gifts = Vec::new();
        if kind == Kind::Dispatch
            && let Some(countries) = &self.plan.countries
        {
            gifts.push(copy(countries)?);
            start.has_countries = true;
        }
        let drafted = self.plan.drills.draft(instance, kind);
        let (lives_on, has_program) = enlist(drafted, &mut start, &mut gifts);
        self.admit(instance, kind, Role::Instance(zygote), ours, (start, gifts))?;
        if let Some(member) = self.members.get_mut(&instance) {
            (member.lives_on, member.becomes_program) = (lives_on, has_program);
        }
        let asked = self.hub.send(orders, 0, &Order::Fork(instance), vec![theirs.into()]);
        if asked.is_err()
            && let Some(unborn) = self.members.remove(&instance)
        {
            self.hub.dismiss(unborn.control);
            self.seats.remove(&unborn.control);
        }
        Ok(asked.map(|()| instance)?)
    }

    /// A fresh gate gets a fresh pool: instances of the last one finish what they have and leave.
    pub fn fill_pools(&mut self) {
        let kinds: Vec<Kind> = self.parts.iter().map(|part| part.kind).collect();
        kinds.into_iter().for_each(|kind| self.fill_pool(kind));
    }

    /// A usual pool of one kind, if it takes connections.
    pub fn fill_pool(&mut self, kind: Kind) {
        let instances = if takes_connections(kind) { self.plan.pool } else { 0 };
        (0..instances).for_each(|_| self.want(Want::Idle(kind)));
    }

    /// Whether each kind that takes connections has one idle, jailed instance at least.
    pub fn pools_are_full(&self) -> bool {
        if !self.plan.kinds.contains(&Kind::Gate) {
            return true;
        }
        let mut waited_for = self
            .parts
            .iter()
            .filter(|part| takes_connections(part.kind) && part.isolation.is_none());
        waited_for.all(|part| {
            let able = |member: &Member| {
                member.kind == part.kind && member.jailed && member.role != Role::Zygote
            };
            self.members.values().any(able)
        })
    }
}

/// Makes a newborn hostile, if it was drafted: whether it lives on off charter, and whether it
/// becomes a foreign program.
fn enlist(drafted: Option<Drafted>, start: &mut Start, gifts: &mut Vec<OwnedFd>) -> (bool, bool) {
    let Some(drafted) = drafted else { return (false, false) };
    start.drill = true;
    gifts.extend(drafted.gifts);
    (drafted.lives_on, drafted.has_program)
}

/// One more descriptor for the same thing.
pub fn copy(fd: &OwnedFd) -> Result<OwnedFd, Fault> {
    fd.try_clone().map_err(|source| Fault::Unable {
        doing: "copy",
        what: "a descriptor".to_owned(),
        source,
    })
}
