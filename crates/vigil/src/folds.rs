//! A storm of equal incidents is told at its first, and once more, with its number, when it is
//! over. What differs in its words or its tenant is told by itself: whoever can bring about one
//! alarm shall not cover another with it.

use crate::incident::{Cause, Incident};
use crate::words::shape;
use std::collections::HashMap;
use terms::{InstanceId, Kind, TenantId, UserId};

/// Different incidents counted apart; what is beyond is counted together.
const FOLDS: usize = 4_096;
/// Sorts of words of one source about one tenant: its own code has fewer, an intruder makes up
/// as many as they like.
const SORTS_OF_TENANT: usize = 8;
/// Sorts of words of one source about whomever.
const SORTS: usize = 64;

/// Equal is: the same cause from the same source, about the same person, in words of one shape.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    cause: Cause,
    kind: Option<Kind>,
    instance: Option<InstanceId>,
    tenant: Option<TenantId>,
    user: Option<UserId>,
    rule: Option<String>,
    words: Option<String>,
}

struct Fold {
    since_ms: u64,
    first: Incident,
    more: u64,
}

pub struct Folds {
    span_ms: u64,
    open: HashMap<Key, Fold>,
}

impl Folds {
    pub fn new(span_ms: u64) -> Self {
        Self { span_ms, open: HashMap::new() }
    }

    /// The incident, if it is the first of its sort.
    pub fn take(&mut self, now_ms: u64, incident: Incident) -> Option<Incident> {
        let key = self.key(&incident);
        if let Some(fold) = self.open.get_mut(&key)
            && now_ms.saturating_sub(fold.since_ms) < self.span_ms
        {
            fold.more += incident.count;
            return None;
        }
        let before =
            self.open.insert(key, Fold { since_ms: now_ms, first: incident.clone(), more: 0 });
        let forgotten = before.map_or(0, |fold| fold.more);
        Some(Incident { count: incident.count + forgotten, ..incident })
    }

    /// With what an incident is counted. An intruder who changes their name or their words with
    /// each act shall neither fill our memory nor be told of each time.
    fn key(&self, incident: &Incident) -> Key {
        let mut key = Key {
            cause: incident.cause,
            kind: incident.kind,
            instance: incident.instance,
            tenant: incident.tenant,
            user: incident.user,
            rule: incident.rule.clone(),
            words: incident.cause.is_in_words().then(|| shape(&incident.what)),
        };
        if self.open.contains_key(&key) {
            return key;
        }
        if self.open.len() >= FOLDS {
            let (instance, tenant, user) = (None, None, None);
            return Key { instance, tenant, user, rule: None, words: None, ..key };
        }
        if key.words.is_some() {
            let (all, of_tenant) = self.sorts_beside(&key);
            if all >= SORTS || of_tenant >= SORTS_OF_TENANT {
                (key.user, key.words) = (None, None);
            }
            if all >= SORTS {
                key.tenant = None;
            }
        }
        key
    }

    /// What is counted of this source, and of it about this tenant.
    fn sorts_beside(&self, key: &Key) -> (usize, usize) {
        let source = |one: &Key| (one.cause, one.kind, one.instance);
        let of_source = self.open.keys().filter(|one| source(one) == source(key));
        of_source.fold((0, 0), |(all, of_tenant), one| {
            (all + 1, of_tenant + usize::from(one.tenant == key.tenant))
        })
    }

    /// Storms that are over, each with what came after its first.
    pub fn over(&mut self, now_ms: u64) -> Vec<Incident> {
        let span_ms = self.span_ms;
        let over = self
            .open
            .extract_if(|_, fold| now_ms.saturating_sub(fold.since_ms) >= span_ms)
            .filter(|(_, fold)| fold.more > 0);
        let told = over.map(|(key, fold)| {
            let sorts = match fold.first.cause.is_in_words() && key.words.is_none() {
                true => "more of many sorts",
                false => "more",
            };
            let what = format!("{} {sorts}: {}", fold.more, fold.first.what);
            // What follows by itself has followed at the first.
            Incident { count: fold.more, what, actions: Vec::new(), ..fold.first }
        });
        told.collect()
    }
}
