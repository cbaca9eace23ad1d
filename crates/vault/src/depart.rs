//! What `post` tells and `depart` asks: mail that leaves is opened by whoever carries it, for as
//! long as it is in that process's hand.

use crate::Fault;
use crate::directory::stated;
use crate::hands::Denial;
use crate::record::Deed;
use crate::transit::day;
use crate::vault::{Asker, For, Job, Then, Vault};
use crate::workers::{Opening, Task};
use evidence::Released;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use terms::{GrantId, InstanceId, TenantId, UserId};
use unseal::{Agreed, Class, GrantContext, PublicKey, WrapContext, Wrapped};
use wire::vault::{self, FromDepart, FromPost, Refusal, ToDepart, ToPost, TransitItem};
use wire::{Label, directory};

/// Items of one release: an envelope and a text for each message of the fullest hand.
const ITEMS: usize = 1_024;

/// One sender's part of a release, waiting for its proof.
pub(crate) struct Carry {
    pub job: u64,
    agreed: Arc<Agreed>,
    tenant: TenantId,
    user: UserId,
    /// Each with its place in the answer.
    items: Vec<(usize, TransitItem)>,
}

impl Carry {
    pub fn count(&self) -> usize {
        self.items.len()
    }
}

impl Vault {
    pub(crate) fn post(&mut self, asker: Asker, label: &Label, question: FromPost) {
        let FromPost::Handed { instance, tenant, messages } = question;
        let now = self.steady_ms();
        if let Err(why) = self.hands.fill((label.instance, instance), tenant, messages, now) {
            self.alarm(why.to_owned());
        }
        self.answer(asker, &ToPost::Noted);
    }

    pub(crate) fn depart(&mut self, asker: Asker, label: &Label, question: FromDepart) {
        let refused = match question {
            FromDepart::Open { tenant, session } => {
                self.open_batch(asker, label.instance, tenant, &session)
            }
            FromDepart::Release { grant, items } => {
                self.release_batch(asker, label.instance, grant, items)
            }
            FromDepart::Credential { grant, host, port } => {
                self.lend_credential(asker, label.instance, grant, (&host, port))
            }
        };
        match refused {
            Ok(()) => {}
            Err(Denial::Plain(refusal)) => self.answer(asker, &ToDepart::Refused(refusal)),
            Err(Denial::NotInHand) => {
                let instance = label.instance;
                self.alarm(format!("depart {instance} asks for mail that is not in its hand"));
                self.answer(asker, &ToDepart::Refused(Refusal::NotYours));
            }
        }
    }

    fn open_batch(
        &mut self,
        asker: Asker,
        instance: InstanceId,
        tenant: TenantId,
        session: &[u8],
    ) -> Result<(), Denial> {
        let session = PublicKey::parse(session).map_err(|_| Denial::Plain(Refusal::NoGrant))?;
        let grant = GrantId(compartment::random());
        self.hands.begin(instance, tenant, grant, self.steady_ms())?;
        if self.keys.state.is_closed(tenant) {
            self.answer(asker, &ToDepart::EvidenceAway);
            return Ok(());
        }
        let context = GrantContext::transit(grant, tenant);
        self.agree_batch(asker, instance, Task::Agree { grant, session, context }, grant);
        Ok(())
    }

    /// The agreed key is there: the grant may be used, if it is still the hand's.
    pub(crate) fn batch_agreed(
        &mut self,
        (asker, instance): (Asker, InstanceId),
        grant: GrantId,
        result: Option<(Vec<u8>, Arc<Agreed>)>,
    ) {
        let opened = result.and_then(|(enc, agreed)| {
            let tenant = self.hands.agree(instance, grant, agreed)?;
            Some((enc, tenant))
        });
        let Some((enc, tenant)) = opened else {
            return self.answer(asker, &ToDepart::Refused(Refusal::NoGrant));
        };
        let answer = match self.transit_key(tenant) {
            Ok(Some(transit)) => ToDepart::Opened { grant, enc, transit },
            Ok(None) => ToDepart::EvidenceAway,
            Err(fault) => {
                self.alarm(fault.to_string());
                ToDepart::EvidenceAway
            }
        };
        self.answer(asker, &answer);
    }

    /// The public key that a tenant's mail is sealed to today, made if due.
    pub(crate) fn transit_key(
        &mut self,
        tenant: TenantId,
    ) -> Result<Option<directory::PublicKey>, Fault> {
        let current = self.keys.transit(tenant, day(self.now_ms()))?;
        let Some((public, made)) = current else { return Ok(None) };
        // A due pair must not stop mail from leaving: recorded, but not waited for.
        if let Some(made) = made {
            self.record_made(vec![made], tenant, None, Then::Nothing);
        }
        Ok(Some(stated(&public)))
    }

    /// Weighs a release; each sender's part is recorded for itself, and follows its own proof.
    fn release_batch(
        &mut self,
        asker: Asker,
        instance: InstanceId,
        grant: GrantId,
        items: Vec<TransitItem>,
    ) -> Result<(), Denial> {
        if items.len() > ITEMS {
            return Err(Denial::Plain(Refusal::Budget));
        }
        let (tenant, agreed) = self.hands.weigh(instance, grant, &items, self.steady_ms())?;
        let count = items.len();
        let mut parts: BTreeMap<UserId, Vec<(usize, TransitItem)>> = BTreeMap::new();
        for (place, item) in items.into_iter().enumerate() {
            parts.entry(item.user).or_default().push((place, item));
        }
        let is_stopped = |user: &UserId| self.keys.state.is_stopped(tenant, *user);
        if self.keys.state.is_closed(tenant) || parts.keys().any(is_stopped) {
            self.answer(asker, &ToDepart::EvidenceAway);
            return Ok(());
        }
        if count == 0 {
            self.answer(asker, &ToDepart::Released(Vec::new()));
            return Ok(());
        }
        let job = self.begin_job(Job::new(asker, For::Depart, count));
        for (user, items) in parts {
            let messages: BTreeSet<_> = items.iter().map(|(_, item)| item.message).collect();
            let released = Released::Transit(messages.into_iter().collect());
            let deed = Deed::Release { instance, grant, tenant, user, released };
            let carry = Carry { job, agreed: agreed.clone(), tenant, user, items };
            self.record(deed, Then::Carry(carry), true);
        }
        Ok(())
    }

    /// Recorded and proven: one sender's keys are opened.
    pub(crate) fn carry_mail(&mut self, carry: Carry) {
        let Carry { job, agreed, tenant, user, items } = carry;
        if self.keys.state.is_stopped(tenant, user) {
            // Sealed or frozen while it was recorded.
            return self.lose_part(job, items.len());
        }
        // Whoever is erased has no mail any more, on its way or elsewhere. What goes to a gateway's
        // server or comes from it, or goes to a group's members elsewhere, is the tenant's.
        // So is what people of other tenants write to its lists.
        let is_nobody_s = user == UserId([0; 8])
            || user == directory::server_of(tenant)
            || user == directory::guest_of(tenant);
        let is_here = is_nobody_s || self.keys.state.users.contains_key(&(tenant, user));
        let mut pairs = HashMap::new();
        let mut openings = Vec::with_capacity(items.len());
        for (place, item) in items {
            let TransitItem { message, class, epoch, wrapped, .. } = item;
            let pair = pairs.entry(epoch).or_insert_with(|| {
                is_here.then(|| self.keys.transit_pair(tenant, epoch)).flatten()
            });
            let wrapped = Wrapped::parse(&wrapped).ok().filter(|one| one.share.epoch == epoch);
            let class = match class {
                vault::Class::Summary => Class::Summary,
                vault::Class::Body => Class::Body,
            };
            let context = WrapContext { tenant, user, message, class };
            let opening = pair.clone().zip(wrapped);
            let opening = opening.map(|(pair, wrapped)| Opening { pair, wrapped, context });
            openings.push((place, opening));
        }
        self.open_all(job, &agreed, openings);
    }
}
