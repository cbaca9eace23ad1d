//! When it was noticed, when it ended, and whether it is over: each condition with the entry
//! that shows it, or with what is missing.

use crate::fact::{Deed, Fact, Item};
use crate::measure::Question;
use crate::quick::Map;
use evidence::rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;
use terms::{InstanceId, TenantId};

/// Detections that are listed; more are counted.
const DETECTIONS: usize = 1_000;
/// How the call of a decoy's alarm begins.
const DECOY: &[u8] = b"decoy";
/// The call of an alarm that is about mail or a person: whoever raises it did what it is for.
const ATTENTION: &[u8] = b"attention";

/// An alarm about an instance that is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detection {
    pub entry: u64,
    pub at: String,
    pub instance: String,
    pub call: String,
}

/// One thing that must hold before anybody says "contained".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    pub condition: &'static str,
    pub met: bool,
    /// The entry that shows it: the deed itself, or the last one read where a deed is absent.
    pub entry: Option<u64>,
    /// What is missing.
    pub missing: Option<String>,
}

/// Detection, end of exposure, containment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Containment {
    /// The first alarm about these instances.
    pub detected: Option<String>,
    pub detections: Vec<Detection>,
    pub detections_in_all: u64,
    /// When the last of these instances was gone and the last grant had run out.
    pub exposure_ended: Option<String>,
    pub contained: bool,
    pub conditions: Vec<Condition>,
}

/// A time and the entry that tells it.
type Told = (u64, u64);

#[derive(Default)]
pub(crate) struct Traces {
    /// When each instance asked about ended.
    lives: Map<InstanceId, Option<u64>>,
    /// How many they are, where they were not all met one by one.
    in_all: Option<u64>,
    /// When the last was gone of those that were not.
    gone: Option<u64>,
    last_stop: Option<Told>,
    /// The last moment at which a grant of theirs is valid.
    last_grant: Option<Told>,
    granting: Option<u64>,
    alarms: Vec<(Told, InstanceId, Item)>,
    alarms_in_all: u64,
    last_alarm: Option<Told>,
    last_decoy: Option<Told>,
    /// Credentials used: when last; and when their keys were last changed.
    used: BTreeMap<(Item, Option<TenantId>), u64>,
    rotated: BTreeMap<(Item, Option<TenantId>), Told>,
    /// The newest entry read.
    newest: Option<Told>,
}

fn later(known: &mut Option<Told>, told: Told) {
    *known = (*known).max(Some(told));
}

impl Traces {
    pub fn lives(&mut self, instance: InstanceId, to_ms: Option<u64>) {
        self.lives.insert(instance, to_ms);
    }

    pub fn ended_before(&self, instance: InstanceId, at_ms: u64) -> bool {
        self.lives.get(&instance).is_some_and(|to_ms| to_ms.is_some_and(|to_ms| to_ms < at_ms))
    }

    pub fn gone(&mut self, ended_ms: u64) {
        self.gone = self.gone.max(Some(ended_ms));
    }

    pub fn are_in_all(&mut self, instances: u64) {
        self.in_all = Some(instances);
    }

    pub fn stopped_at(&mut self, told: Told) {
        later(&mut self.last_stop, told);
    }

    pub fn granted_until(&mut self, told: Told) {
        later(&mut self.last_grant, told);
    }

    pub fn used_at(&mut self, item: Item, tenant: Option<TenantId>, at_ms: u64) {
        let at = self.used.entry((item, tenant)).or_default();
        *at = (*at).max(at_ms);
    }

    pub fn looked_at(&mut self, at_ms: u64, index: u64) {
        later(&mut self.newest, (at_ms, index));
    }

    /// Looks at every fact, also after the window: an alarm or a new key may come late.
    pub fn note(&mut self, fact: &Fact, asked: &Question, is_asked: impl Fn(InstanceId) -> bool) {
        let told = (fact.at_ms, fact.index);
        self.looked_at(fact.at_ms, fact.index);
        let ours = |one: &InstanceId| is_asked(*one);
        let is_ours = || ours(&fact.instance) || ours(&fact.start);
        let tenant = fact.person.map(|person| person.tenant);
        match fact.deed {
            Deed::Stop if ours(&fact.instance) => {
                self.lives.insert(fact.instance, Some(fact.at_ms));
                later(&mut self.last_stop, told);
            }
            Deed::Grant => self.granting = is_ours().then_some(fact.index),
            Deed::GrantEnd if self.granting == Some(fact.index) => {
                later(&mut self.last_grant, (fact.item.number(), fact.index));
            }
            Deed::Alarm if fact.item.0.starts_with(ATTENTION) => {}
            Deed::Alarm if fact.at_ms >= asked.from_ms => {
                if fact.item.0.starts_with(DECOY) {
                    later(&mut self.last_decoy, told);
                }
                if ours(&fact.instance) {
                    self.alarms_in_all += 1;
                    later(&mut self.last_alarm, told);
                    if self.alarms.len() < DETECTIONS {
                        self.alarms.push((told, fact.instance, fact.item));
                    }
                }
            }
            Deed::Credential if is_ours() && (asked.from_ms..asked.to_ms).contains(&fact.at_ms) => {
                self.used_at(fact.item, tenant, fact.at_ms);
            }
            Deed::Rotate => {
                let known = self.rotated.entry((fact.item, tenant)).or_default();
                *known = (*known).max(told);
            }
            _ => {}
        }
    }

    pub fn judge(&self) -> Containment {
        let alive = self.lives.values().filter(|to_ms| to_ms.is_none()).count();
        let ended = self.lives.values().filter_map(|to_ms| *to_ms).chain(self.gone).max();
        let now_ms = self.newest.map_or(0, |newest| newest.0);
        let grants_end = self.last_grant.map(|grant| grant.0);
        let is_over = alive == 0 && grants_end.is_none_or(|until| until <= now_ms);
        let over_ms = ended.max(grants_end).filter(|_| is_over);
        let conditions = vec![
            self.stopped(alive),
            self.no_grant(now_ms),
            self.silent("no alarm since", self.last_alarm, over_ms),
            self.silent("decoys silent", self.last_decoy, over_ms),
            self.keys_changed(),
        ];
        let detections: Vec<Detection> = self.alarms.iter().map(detection).collect();
        Containment {
            detected: self.alarms.first().map(|((at_ms, _), ..)| rfc3339(*at_ms)),
            detections,
            detections_in_all: self.alarms_in_all,
            exposure_ended: over_ms.map(rfc3339),
            contained: conditions.iter().all(|condition| condition.met),
            conditions,
        }
    }

    fn newest_entry(&self) -> Option<u64> {
        self.newest.map(|newest| newest.1)
    }

    fn stopped(&self, alive: usize) -> Condition {
        let in_all = self.in_all.unwrap_or(self.lives.len() as u64);
        Condition {
            condition: "instances ended",
            met: alive == 0,
            entry: self.last_stop.map(|stop| stop.1),
            missing: (alive > 0).then(|| format!("{alive} of {in_all} live")),
        }
    }

    fn no_grant(&self, now_ms: u64) -> Condition {
        let live = self.last_grant.filter(|grant| grant.0 > now_ms);
        Condition {
            condition: "no live grant",
            met: live.is_none(),
            entry: self.last_grant.map(|grant| grant.1).or(self.newest_entry()),
            missing: live.map(|(until_ms, _)| format!("a grant lives until {}", rfc3339(until_ms))),
        }
    }

    fn silent(
        &self,
        condition: &'static str,
        last: Option<Told>,
        over_ms: Option<u64>,
    ) -> Condition {
        let missing = match (last, over_ms) {
            (_, None) => Some("the exposure has not ended".to_owned()),
            (Some((at_ms, entry)), Some(over_ms)) if at_ms > over_ms => {
                Some(format!("entry {entry} at {}", rfc3339(at_ms)))
            }
            _ => None,
        };
        Condition { condition, met: missing.is_none(), entry: self.newest_entry(), missing }
    }

    /// Every sort of credential that was used has had new keys since.
    fn keys_changed(&self) -> Condition {
        let mut old = Vec::new();
        let mut shown = None;
        for ((item, tenant), used_ms) in &self.used {
            match self.rotated.get(&(*item, *tenant)).filter(|rotated| rotated.0 > *used_ms) {
                Some(rotated) => shown = shown.max(Some(rotated.1)),
                None => {
                    let whose = tenant.map(|tenant| format!(" of {tenant}")).unwrap_or_default();
                    old.push(format!("{}{whose}", word(item)));
                }
            }
        }
        Condition {
            condition: "credentials rotated",
            met: old.is_empty(),
            entry: shown.or(self.newest_entry().filter(|_| self.used.is_empty())),
            missing: (!old.is_empty()).then(|| old.join(", ")),
        }
    }
}

fn word(item: &Item) -> String {
    item.0.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}

fn detection(((at_ms, entry), instance, item): &(Told, InstanceId, Item)) -> Detection {
    Detection {
        entry: *entry,
        at: rfc3339(*at_ms),
        instance: instance.to_string(),
        call: word(item),
    }
}
