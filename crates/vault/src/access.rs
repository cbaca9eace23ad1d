//! What a session may ask: to open a grant, to have keys released, to know where to seal to.

use crate::Fault;
use crate::budget::Weighed;
use crate::directory::stated;
use crate::grants::covers;
use crate::record::Deed;
use crate::rows::month_of_epoch;
use crate::vault::{Asker, Release, Then, Vault};
use crate::workers::Task;
use evidence::Released;
use std::collections::BTreeSet;
use terms::{GrantId, TenantId, UserId};
use unseal::Class;
use wire::Label;
use wire::vault::{self, FromAccess, Item, Refusal, ToAccess};

/// Items of one release: their ids must fit one entry of the ledger.
const ITEMS: usize = 3_000;
/// Releases under one grant, which lives a quarter of an hour: a taken session cannot fill the
/// ledger with records of nothing.
const RELEASES: u32 = 20_000;
/// Months that one release of summaries may open: a mailbox of fifty years.
const MONTHS: usize = 600;
/// Summaries under one grant that are named one by one. Of more only the months are told: the
/// overview of a large mailbox, shown again and again, would outgrow all other evidence.
const NAMED_SUMMARIES: usize = 1_000;

impl Vault {
    pub(crate) fn access(&mut self, asker: Asker, label: &Label, question: FromAccess) {
        let Some(person) = label.person else {
            return self.answer(asker, &ToAccess::Refused(Refusal::NotYours));
        };
        let is_reading = !matches!(question, FromAccess::Current);
        if is_reading && self.keys.state.is_stopped(person.0, person.1) {
            // No reason to end the session.
            return self.answer(asker, &ToAccess::Refused(Refusal::Stopped));
        }
        match question {
            FromAccess::Open(grant) => self.open_grant(asker, label, person, grant),
            FromAccess::Release { grant, class, items } => {
                if let Err(refusal) = self.release(asker, label, person, grant, class, items) {
                    self.answer(asker, &ToAccess::Refused(refusal));
                }
            }
            FromAccess::Current => match self.current_keys(person.0, person.1) {
                Ok(Some((body, summary))) => {
                    self.answer(asker, &ToAccess::Keys { body, summary });
                }
                Ok(None) => self.answer(asker, &ToAccess::Refused(Refusal::NotYours)),
                Err(fault) => {
                    self.alarm(fault.to_string());
                    self.answer(asker, &ToAccess::EvidenceAway);
                }
            },
        }
    }

    fn open_grant(
        &mut self,
        asker: Asker,
        label: &Label,
        person: (TenantId, UserId),
        grant: GrantId,
    ) {
        match self.grants.find(grant, label.instance, person, self.moment()) {
            Err(refusal) => self.answer(asker, &ToAccess::Refused(refusal)),
            Ok(live) => match &live.agreed {
                Some((enc, _)) => {
                    let enc = enc.clone();
                    self.answer(asker, &ToAccess::Opened { enc });
                }
                None => {
                    let (session, context) = (live.session.clone(), live.context());
                    self.agree(asker, Task::Agree { grant, session, context }, grant);
                }
            },
        }
    }

    /// Weighs a release; if it may be, it is recorded, and follows its proof.
    fn release(
        &mut self,
        asker: Asker,
        label: &Label,
        person: (TenantId, UserId),
        grant: GrantId,
        class: vault::Class,
        items: Vec<Item>,
    ) -> Result<(), Refusal> {
        let moment = self.moment();
        let class = match class {
            vault::Class::Summary => Class::Summary,
            vault::Class::Body => Class::Body,
        };
        let live = self.grants.find(grant, label.instance, person, moment)?;
        if !covers(&live.grant, class) {
            return Err(Refusal::NotYours);
        }
        let (_, agreed) = live.agreed.clone().ok_or(Refusal::NoGrant)?;
        live.releases += 1;
        if live.releases > RELEASES {
            return Err(Refusal::Budget);
        }
        let left = NAMED_SUMMARIES.saturating_sub(live.summaries);
        let released = named(class, &items, left).ok_or(Refusal::Budget)?;
        if let Released::Summaries(messages) = &released {
            live.summaries += messages.len();
        }
        let (tenant, user) = person;
        if let Released::Bodies(messages) = &released {
            self.weigh(moment.wall_ms, tenant, user, messages.len() as u64)?;
        }
        let instance = label.instance;
        let deed = Deed::Release { instance, grant, tenant, user, released };
        let release = Release { asker, agreed, tenant, user, class, items };
        self.record(deed, Then::Open(release), true);
        Ok(())
    }

    fn weigh(
        &mut self,
        now: u64,
        tenant: TenantId,
        user: UserId,
        bodies: u64,
    ) -> Result<(), Refusal> {
        match self.budget.weigh(now, tenant, user, bodies) {
            Weighed::Within => Ok(()),
            Weighed::Alarm(what) => {
                self.alarm(what);
                Ok(())
            }
            Weighed::Stop => {
                self.alarm(format!("budget: user {user} of tenant {tenant} is stopped"));
                Err(Refusal::Budget)
            }
        }
    }

    /// The keys that mail for this person is sealed to now, made if due.
    pub(crate) fn current_keys(
        &mut self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<(wire::directory::PublicKey, wire::directory::PublicKey)>, Fault> {
        let mut keys = Vec::with_capacity(2);
        let month = self.month();
        for class in [Class::Body, Class::Summary] {
            let current = self.keys.current(tenant, user, class, month)?;
            let Some((public, made)) = current else {
                return Ok(None);
            };
            // A due pair must not stop mail from arriving: recorded, but not waited for.
            if let Some(made) = made {
                self.record_made(vec![made], tenant, Some(user), Then::Nothing);
            }
            keys.push(stated(&public));
        }
        let summary = keys.pop();
        Ok(keys.pop().zip(summary))
    }
}

/// What the entry names: each body, and each summary as long as they are few (`left`), else whole
/// months of them. `None`: too much at once.
fn named(class: Class, items: &[Item], left: usize) -> Option<Released> {
    if items.len() > ITEMS {
        return None;
    }
    let messages: BTreeSet<_> = items.iter().map(|item| item.message).collect();
    match class {
        Class::Body => Some(Released::Bodies(messages.into_iter().collect())),
        Class::Summary if messages.len() <= left => {
            Some(Released::Summaries(messages.into_iter().collect()))
        }
        Class::Summary => {
            let months: BTreeSet<_> = items.iter().map(|item| month_of_epoch(item.epoch)).collect();
            (months.len() <= MONTHS).then(|| Released::Months(months.into_iter().collect()))
        }
    }
}
