//! What compartments say to the warden. Believed about themselves only, and bounded.

use crate::ears::Ear;
use crate::earshot::Hearing;
use crate::household::{Household, Want};
use crate::isolations::is_for;
use crate::plan::Happening;
use crate::recorder;
use crate::roster::{Role, is_author, takes_connections};
use compartment::Notices;
use evidence::PublicKey;
use std::time::Instant;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::control::{Order, Purpose, Report};
use wire::{Frame, Peer};

/// Scanners that one edge may wear out: two for each message of its sixty-four connections.
const MAX_RENEWALS: u32 = 256;
/// Instances that the gate may ask for at once.
const MAX_NEED: u16 = 256;
/// Characters of a note or an alarm's words.
const TEXT: usize = 200;

/// Dispatches of one edge: it serves so many connections, each of which may change tenants.
const MAX_OUTLETS: u32 = 256;

impl Household {
    /// One report from the member whose control channel it came on.
    pub fn hear_report(&mut self, peer: Peer, mut frame: Frame) {
        let Some((instance, kind)) = self.seats.get(&peer).copied() else { return };
        // Ended for what it said or did: what else it said before that is not its word any more.
        if self.members.get(&instance).is_some_and(|member| member.off_charter) {
            return;
        }
        let Ok(report) = frame.read::<Report>() else {
            self.end_liar(instance, kind, "a report that cannot be read");
            return;
        };
        let is_said = matches!(
            report,
            Report::Alarm { .. }
                | Report::Attention { .. }
                | Report::Note { .. }
                | Report::Incident(_)
                | Report::Counted(_)
                | Report::Ready { .. }
        );
        if is_said && !self.is_heard(instance, kind) {
            return;
        }
        match report {
            Report::Jailed { missing_walls } => {
                let listener = frame.descriptors.pop().map(Notices::new);
                self.hear_jailed(instance, kind, missing_walls, listener);
            }
            Report::Ready { author, public } => self.hear_ready(instance, kind, author, public),
            Report::Born(newborn) => {
                let own = self.is_child_of(newborn, instance);
                if let Some(pidfd) = frame.descriptors.pop().filter(|_| own) {
                    let _ = self.meet(newborn, pidfd);
                }
            }
            Report::Ended { instance: ended, status } => {
                if self.is_child_of(ended, instance) {
                    self.hear_end(ended, compartment::zygote::end_of(status));
                }
            }
            Report::Alarm { what } => self.hear_alarm(instance, kind, "report", &what),
            Report::Attention { what } => self.hear_alarm(instance, kind, "attention", &what),
            Report::Note { text } => {
                let text = printable(&text);
                (self.plan.tell)(&Happening::Note { instance, kind, text });
            }
            Report::Crowded => self.hear_crowded((instance, kind), Instant::now()),
            Report::Alive => self.hear_answer(instance, kind),
            Report::Counted(counts) => self.hear_counted(kind, counts),
            wish => self.hear_wish(peer, (instance, kind), wish),
        }
    }

    /// That somebody lives, from whom it was asked. Each such word goes on to the sentinel: what
    /// nobody asked for is counted like any, and an instance, which is never asked, has no such.
    fn hear_answer(&mut self, instance: InstanceId, kind: Kind) {
        let Some(member) = self.members.get_mut(&instance) else { return };
        if matches!(member.role, Role::Instance(_)) {
            return self.end_liar(instance, kind, "a report that is not its own to make");
        }
        match member.pulses.checked_sub(1) {
            Some(left) => {
                member.pulses = left;
                self.hear_alive(instance, kind);
            }
            None => drop(self.is_heard(instance, kind)),
        }
    }

    fn hear_alarm(&mut self, instance: InstanceId, kind: Kind, call: &str, what: &str) {
        let pid = self.members.get(&instance).map_or(0, |member| member.pid);
        self.raise_alarm(instance, kind, pid, call, &printable(what), None);
    }

    /// What a compartment wants done, as far as it is its own to want.
    fn hear_wish(&mut self, peer: Peer, (instance, kind): (InstanceId, Kind), wish: Report) {
        match wish {
            Report::Need { kind: wanted, instances } if kind == Kind::Gate => {
                let instances = if takes_connections(wanted) { instances.min(MAX_NEED) } else { 0 };
                (0..instances).for_each(|_| self.want(Want::Idle(wanted)));
            }
            Report::Resolvers { server, over_tcp, sockets } if kind == Kind::Names => {
                self.hand_resolvers(peer, server, over_tcp, sockets);
            }
            Report::Need { kind: Kind::Depart, instances } if kind == Kind::Post => {
                (0..instances.min(MAX_NEED)).for_each(|_| self.want(Want::Depart));
            }
            Report::Dial { call, to, from } if matches!(kind, Kind::Depart | Kind::Fetch) => {
                self.dial((peer, kind), call, to, from);
            }
            Report::Renew(Kind::Scanner) if matches!(kind, Kind::Edge | Kind::Dispatch) => {
                self.renew_scanner(instance, kind);
            }
            Report::Bind { instance: access, tenant, user, purpose } if kind == Kind::Identity => {
                self.bind(access, (tenant, user), purpose);
            }
            Report::Outlet { instance: edge, tenant } if kind == Kind::Directory => {
                self.lead_out(edge, tenant);
            }
            Report::Inquiry { port } if kind == Kind::Directory => {
                self.inquiries.allow(port, Instant::now());
            }
            Report::Carries { instance: depart, tenant } if kind == Kind::Post => {
                self.carries(depart, tenant);
            }
            Report::SignedOut { instance: access } if kind == Kind::Identity => {
                self.sign_out(access);
            }
            Report::Incident(incident) if kind == Kind::Sentinel => self.hear_incident(incident),
            Report::Reopen(source) if kind == Kind::Sentinel => self.offer(source),
            Report::Replace(other) if kind == Kind::Sentinel => self.replace(other),
            Report::Isolate { kind: other, isolated } if is_for(kind, other, isolated) => {
                self.isolate(other, isolated, kind);
                // An admin waits for this word before it leaves: nobody reads a dead one's.
                let _ = self.hub.send(peer, 0, &Order::Pulse, Vec::new());
            }
            Report::Isolated if kind == Kind::Admin => {
                let isolated = Order::Isolated(self.isolations());
                let _ = self.hub.send(peer, 0, &isolated, Vec::new());
            }
            Report::Unable if kind == Kind::Admin => {
                let _ = self.hub.send(peer, 0, &Order::Unable(self.unable()), Vec::new());
            }
            Report::Full(full) if kind == Kind::Gate => self.full = Some((instance, full)),
            Report::Places if kind == Kind::Admin => {
                let _ = self.hub.send(peer, 0, &Order::Full(self.full()), Vec::new());
            }
            _ => self.end_liar(instance, kind, "a report that is not its own to make"),
        }
    }

    /// Whether one more word of a compartment is taken down. An instance that says too much is
    /// ended, a keeper is not listened to for a while.
    fn is_heard(&mut self, instance: InstanceId, kind: Kind) -> bool {
        let hearing = self.recorder.earshot.hear(instance, Instant::now());
        if hearing == Hearing::TooMuch {
            let what = "says more than anyone has cause to; the rest is not written down";
            let role = self.members.get(&instance).map(|member| member.role);
            if matches!(role, Some(Role::Instance(_))) {
                self.end_liar(instance, kind, what);
            } else {
                let pid = self.members.get(&instance).map_or(0, |member| member.pid);
                self.raise_alarm(instance, kind, pid, "report", what, None);
            }
        }
        hearing == Hearing::Heard
    }

    fn is_child_of(&self, child: InstanceId, zygote: InstanceId) -> bool {
        self.members.get(&child).is_some_and(|child| child.role == Role::Instance(zygote))
    }

    fn hear_jailed(
        &mut self,
        instance: InstanceId,
        kind: Kind,
        missing: Vec<String>,
        listener: Option<Notices>,
    ) {
        let Some(member) = self.members.get_mut(&instance) else {
            return;
        };
        if member.jailed {
            return self.end_liar(instance, kind, "a second jail");
        }
        member.jailed = true;
        let mut without = member.without.clone();
        without.extend(missing);
        match listener {
            // Its zygote's word with the pidfd may still be on its way.
            Some(notices) if member.pidfd.is_none() => member.early = Some(notices),
            Some(notices) => self.open_ear(instance, notices),
            None => {}
        }
        (self.plan.tell)(&Happening::Jailed { instance, kind, missing: without });
    }

    /// From now on this member's calls off charter are heard.
    pub fn open_ear(&mut self, instance: InstanceId, notices: Notices) {
        let replaceable = self.is_replaceable(instance);
        let Some(member) = self.members.get(&instance) else {
            return;
        };
        let kind = member.kind;
        let pidfd = member.pidfd.as_ref().and_then(|pidfd| pidfd.try_clone().ok());
        let drill = member.becomes_program;
        let replace = pidfd.filter(|_| replaceable);
        let is_keeper = member.role == Role::Single;
        let has_folder = is_keeper && wire::charter(kind).is_some_and(|charter| charter.has_folder);
        let folder = has_folder.then(|| self.plan.data.join(kind.word()));
        self.ears.add(Ear { instance, kind, notices, replace, drill, folder });
    }

    fn hear_ready(
        &mut self,
        instance: InstanceId,
        kind: Kind,
        author: Option<[u8; 32]>,
        public: Option<[u8; 32]>,
    ) {
        let Some(member) = self.members.get_mut(&instance) else {
            return;
        };
        if member.ready {
            return;
        }
        member.ready = true;
        let (pid, role) = (member.pid, member.role);
        if matches!(role, Role::Instance(_)) {
            return;
        }
        match kind {
            Kind::Ledger => self.keys.ledger = public,
            Kind::Mirror => self.keys.mirror = public,
            Kind::Vault => self.keys.statement = public,
            _ => {}
        }
        self.recorder.trust(self.keys.ledger, self.keys.mirror);
        self.note_service(kind);
        self.tell_late_keys();
        if role == Role::Single {
            // Its first word: from now on its silence counts.
            self.hear_alive(instance, kind);
        }
        if is_author(kind) {
            let key = author.map(PublicKey);
            let number =
                self.recorder.record(recorder::start(instance, kind, pid, key, (None, None)));
            if let Some(number) = number {
                self.recorder.introduce(instance, number);
            }
        }
        self.introduce_server(kind);
        match kind {
            Kind::Gate => self.fill_pools(),
            Kind::Sentinel => self.brief_sentinel(),
            _ => {}
        }
    }

    /// A new scanner for an edge or a dispatch; one that still lives has overstayed its budget.
    fn renew_scanner(&mut self, edge: InstanceId, kind: Kind) {
        let Some(member) = self.members.get_mut(&edge) else {
            return;
        };
        member.renewals += 1;
        if member.renewals > MAX_RENEWALS {
            return self.end_liar(edge, kind, "more scanners than it has messages");
        }
        if let Some(old) = member.scanner.take() {
            // It leaves by itself after its share of messages; our own kill is no crash of its.
            self.dismiss_member(old, true);
        }
        self.want(Want::Scanner(edge));
    }

    /// Mail that this edge brings is of this tenant's own server: a dispatch takes it. A provider
    /// sends for several tenants over one connection, so there may be another one after it.
    fn lead_out(&mut self, edge: InstanceId, tenant: TenantId) {
        let Some(member) = self.members.get_mut(&edge).filter(|one| one.kind == Kind::Edge) else {
            return;
        };
        member.outlets += 1;
        if member.outlets > MAX_OUTLETS {
            let pid = member.pid;
            let what = "asks for more dispatches than it has messages";
            return self.raise_alarm(edge, Kind::Edge, pid, "outlet", what, None);
        }
        self.want(Want::Outlet(edge, tenant));
    }

    /// From now on, and for good, this access serves this person.
    fn bind(&mut self, access: InstanceId, serves: (TenantId, UserId), purpose: Purpose) {
        let does = (purpose == Purpose::ReadOnly, purpose == Purpose::Send);
        let Some(member) = self.members.get_mut(&access) else {
            return;
        };
        let instance = matches!(member.role, Role::Instance(_)) && member.kind == Kind::Access;
        match member.person {
            None if instance => {
                member.person = Some(serves);
                (member.reads_only, member.sends) = does;
            }
            Some(person) if person == serves && (member.reads_only, member.sends) == does => {
                return;
            }
            _ => {
                let pid = member.pid;
                let what = "bound to a second person";
                return self.raise_alarm(access, Kind::Access, pid, "bind", what, None);
            }
        }
        if let Some(gate) = self.holder(Kind::Gate).map(|gate| gate.control) {
            let _ = self.hub.send(gate, 0, &Order::SignedIn(access), Vec::new());
        }
        if purpose == Purpose::Send {
            return self.want(Want::Dispatch(access));
        }
        self.join_to(access, Kind::Vault);
        self.join_to(access, Kind::Mailbox);
    }

    /// From now on, and for good, this depart carries for this tenant.
    fn carries(&mut self, depart: InstanceId, tenant: TenantId) {
        let serves = (tenant, UserId::default());
        let Some(member) = self.members.get_mut(&depart) else {
            return;
        };
        let is_depart = matches!(member.role, Role::Instance(_)) && member.kind == Kind::Depart;
        match member.person {
            None if is_depart => member.person = Some(serves),
            Some(person) if person == serves => return,
            _ => {
                let pid = member.pid;
                let what = "made to carry for a second tenant";
                return self.raise_alarm(depart, Kind::Depart, pid, "carries", what, None);
            }
        }
        // The directory may believe from now on whose it is: a channel whose label says so takes
        // the place of the one from its birth.
        self.join_to(depart, Kind::Directory);
        self.join_to(depart, Kind::Signer);
        // And fetch serves tenants in turn.
        self.join_to(depart, Kind::Fetch);
    }

    /// A person was shut out, or an app password revoked: who serves them ends at once, because
    /// its channel to the mailbox would still change and delete.
    fn sign_out(&mut self, access: InstanceId) {
        let serves =
            |member: &crate::roster::Member| member.kind == Kind::Access && member.person.is_some();
        if self.members.get(&access).is_some_and(serves) {
            self.dismiss_member(access, true);
        }
    }

    /// A member that says what no honest one says is ended and reported.
    pub fn end_liar(&mut self, instance: InstanceId, kind: Kind, what: &str) {
        let Some(member) = self.members.get_mut(&instance) else {
            return;
        };
        let pid = member.pid;
        member.off_charter = true;
        self.raise_alarm(instance, kind, pid, "report", what, None);
        self.kill(instance);
    }
}

/// A foreign text as one short printable line.
pub fn printable(text: &str) -> String {
    terms::plain::in_a_line(text, TEXT)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn foreign_words_become_one_short_line() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("two\nlines\u{1b}[2J", "two lines [2J");
        check("/srv/\u{202e}gpj.exe\u{200b}", "/srv/<U+202E>gpj.exe<U+200B>");
        assert_eq!(printable(&"あ".repeat(500)).chars().count(), 200);
    }
}
