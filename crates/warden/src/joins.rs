//! Channels: who gets one to whom, by the charters, labelled for good.

use crate::household::Household;
use crate::roster::{Member, Role, is_author, takes_connections};
use terms::{InstanceId, Kind};
use wire::control::{Carrier, Label, Order};
use wire::{Channel, charter};

impl Household {
    /// Joins a newborn to every server that its charter names and that serves now. An author
    /// comes to the ledger only when the entry that names its key is durable.
    pub fn introduce_to_servers(&mut self, instance: InstanceId) {
        let Some(member) = self.members.get(&instance) else {
            return;
        };
        let servers: Vec<Kind> = asks(member)
            .into_iter()
            .filter(|server| !(*server == Kind::Ledger && is_author(member.kind)))
            .collect();
        for server in servers {
            self.join_to(instance, server);
        }
    }

    /// Joins everybody who may ask it to a server that began (again) to serve.
    pub fn introduce_server(&mut self, server: Kind) {
        let is_client = |member: &&Member| {
            // A zygote asks nobody: its instances do. An author that has not named its key yet
            // is joined to the ledger when it has.
            member.role != Role::Zygote
                && asks(member).contains(&server)
                && !(server == Kind::Ledger && is_author(member.kind) && !member.introduced)
        };
        let clients: Vec<InstanceId> =
            self.members.values().filter(is_client).map(|member| member.instance).collect();
        for client in clients {
            self.join_to(client, server);
        }
        match server {
            Kind::Ledger => self.join_recorder(),
            Kind::Post => self.say_all_joined(),
            _ => {}
        }
    }

    /// Every carrier that lives has its channel to the new post by now: who of its list is not
    /// there is dead.
    fn say_all_joined(&mut self) {
        if let Some(post) = self.holder(Kind::Post).map(|holder| holder.control) {
            let _ = self.hub.send(post, 0, &Order::AllJoined, Vec::new());
        }
    }

    /// Who carries mail now, for a post that is born: the one before may have died with an answer
    /// of theirs unheard.
    pub fn carriers(&self) -> Vec<Carrier> {
        let carries = |member: &&Member| {
            member.kind == Kind::Depart && matches!(member.role, Role::Instance(_))
        };
        let carrier = |member: &Member| Carrier {
            instance: member.instance,
            tenant: member.person.map(|(tenant, _)| tenant),
        };
        self.members.values().filter(carries).map(carrier).collect()
    }

    /// One channel between a client and the holder of a part, if it serves now.
    pub fn join_to(&mut self, client: InstanceId, server: Kind) {
        let holder = self.holder(server).filter(|holder| holder.ready);
        if let Some(server) = holder.map(|holder| holder.instance) {
            self.join_pair(client, server);
        }
    }

    /// One channel between two members; each learns who the other is, and whose it serves.
    pub fn join_pair(&mut self, one: InstanceId, other: InstanceId) {
        let (Some(one), Some(other)) = (self.members.get(&one), self.members.get(&other)) else {
            return;
        };
        let Ok(ends) = Channel::pair() else {
            return;
        };
        let person = one.person.or(other.person);
        let label = |of: &Member| Label { instance: of.instance, kind: of.kind, person };
        let (left, right) = self.plan.drills.lead((&label(one), &label(other)), ends);
        let order = |to: &Member, of: &Member| match of.reads_only && to.kind == Kind::Mailbox {
            true => Order::JoinReader(label(of)),
            false => Order::Join(label(of)),
        };
        let (to_one, to_other) = (order(one, other), order(other, one));
        let (one, other) = (one.control, other.control);
        // A side that is gone is noticed by its pidfd; the other then sees its channel end.
        let _ = self.hub.send(other, 0, &to_other, vec![right.into()]);
        let _ = self.hub.send(one, 0, &to_one, vec![left.into()]);
    }

    /// Our own channel to the ledger, as root author.
    fn join_recorder(&mut self) {
        let Some(ledger) = self.holder(Kind::Ledger).map(|holder| holder.control) else {
            return;
        };
        let Ok((ours, theirs)) = Channel::pair() else {
            return;
        };
        let label = Label { instance: self.own, kind: Kind::Warden, person: None };
        let _ = self.hub.send(ledger, 0, &Order::Join(label), vec![theirs.into()]);
        let label = Label { instance: self.own, kind: Kind::Ledger, person: None };
        if let Ok(peer) = self.hub.seat(ours, label) {
            self.recorder.joined(peer);
        }
    }
}

/// Whom a member may ask now. An `access` that nobody has signed in to reaches only what signing
/// in needs; a scanner belongs to its edge or dispatch, and a dispatch to its access:
/// they are joined at birth.
fn asks(member: &Member) -> Vec<Kind> {
    let Some(charter) = charter(member.kind) else {
        return Vec::new();
    };
    let reads = member.person.is_some() && !member.sends;
    let may = |kind: &Kind| match (member.kind, kind) {
        (_, Kind::Scanner | Kind::Dispatch) => false,
        (Kind::Access, Kind::Vault | Kind::Mailbox) => reads,
        (Kind::Depart, Kind::Signer) => member.person.is_some(),
        _ => true,
    };
    charter.asks.iter().copied().filter(may).collect()
}

/// Whether a member is handed connections.
pub fn is_served_by_gate(member: &Member) -> bool {
    takes_connections(member.kind) && matches!(member.role, Role::Instance(_))
}
