//! When it was noticed, when it ended, and whether it is over: each condition with the entry
//! that shows it, or with what is missing.

use crate::fact::{Deed, Fact, Item};
use crate::made::{Live, PASS_MS, Sort, Standing};
use crate::measure::Question;
use crate::quick::Map;
use crate::shown::Which;
use evidence::rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;
use terms::{InstanceId, Kind, TenantId};

/// Detections that are listed; more are counted.
const DETECTIONS: usize = 1_000;
/// How the call of a decoy's alarm begins.
const DECOY: &[u8] = b"decoy";
/// Secrets that are still good are listed one by one; more are counted.
const SECRETS: usize = 100;
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
    /// Sorts of credentials that are still the same, and what renews each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_do: Vec<ToDo>,
    /// What leads on where something else than a credential is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Step>,
}

/// A step, with its commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub ja: String,
    pub en: String,
}

/// A credential that was used and is still the same: what is left to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToDo {
    pub credential: String,
    pub tenant: Option<String>,
    pub ja: String,
    pub en: String,
}

/// Detection, end of exposure, containment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Containment {
    /// The first alarm about these instances.
    pub detected: Option<String>,
    pub detections: Vec<Detection>,
    pub detections_in_all: u64,
    /// When the last of these instances was gone, the last grant had run out, and the last secret
    /// that they made, or that was shown to them, was no good any more.
    pub exposure_ended: Option<String>,
    pub contained: bool,
    pub conditions: Vec<Condition>,
}

/// A time and the entry that tells it.
pub(crate) type Told = (u64, u64);

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
    /// Contracts whose keys are destroyed, and all that they opened with them.
    shredded: BTreeMap<TenantId, Told>,
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
    /// `is_before`: it was brought into the window.
    pub fn note(
        &mut self,
        fact: &Fact,
        asked: &Question,
        is_before: bool,
        is_asked: impl Fn(InstanceId) -> bool,
    ) {
        let told = (fact.at_ms, fact.index);
        self.looked_at(fact.at_ms, fact.index);
        let ours = |one: &InstanceId| is_asked(*one);
        let is_ours = || ours(&fact.instance) || ours(&fact.start);
        let tenant = fact.person.map(|person| person.tenant);
        let counts = is_before || (asked.from_ms..asked.to_ms).contains(&fact.at_ms);
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
            Deed::Credential if counts && (asked.component == Kind::Warden || is_ours()) => {
                self.used_at(fact.item, tenant, fact.at_ms);
            }
            // Brought by a command, or shown by one: it went through an admin's hands, and nobody
            // wrote down through which.
            Deed::Create if counts && is_carried_by(asked.component, fact.item) => {
                self.used_at(fact.item, tenant, fact.at_ms);
            }
            Deed::Rotate => {
                if counts && is_carried_by(asked.component, fact.item) {
                    self.used_at(fact.item, tenant, fact.at_ms);
                }
                if let Some(item) = renewed(fact.item, asked.component) {
                    // Some of them may be older than the entry that speaks of all.
                    let told = (fact.item.pages_keys_since().unwrap_or(told.0), told.1);
                    let known = self.rotated.entry((item, tenant)).or_default();
                    *known = (*known).max(told);
                }
            }
            Deed::Shred => self.destroyed(fact, told),
            _ => {}
        }
    }

    /// What is destroyed for good is as good as renewed. Old keys that sign no more say nothing of
    /// the one that does.
    fn destroyed(&mut self, fact: &Fact, told: Told) {
        let Some(person) = fact.person else { return };
        match word(&fact.item).as_str() {
            "tenant" if person.user.is_none() => {
                let known = self.shredded.entry(person.tenant).or_default();
                *known = (*known).max(told);
            }
            "outlet" | "smart-host" => {
                let known = self.rotated.entry((fact.item, Some(person.tenant))).or_default();
                *known = (*known).max(told);
            }
            _ => {}
        }
    }

    /// The newest entry read.
    pub fn now(&self) -> Told {
        self.newest.unwrap_or_default()
    }

    /// By which entry everything of a contract was destroyed with its keys.
    pub fn is_shredded(&self, tenant: TenantId) -> Option<Told> {
        self.shredded.get(&tenant).copied()
    }

    /// `made`: how the secrets stand that these instances made.
    pub fn judge(&self, component: Kind, made: &Standing) -> Containment {
        let alive = self.lives.values().filter(|to_ms| to_ms.is_none()).count();
        let ended = self.lives.values().filter_map(|to_ms| *to_ms).chain(self.gone).max();
        let now_ms = self.newest.map_or(0, |newest| newest.0);
        let grants_end = self.last_grant.map(|grant| grant.0);
        let is_over = alive == 0
            && grants_end.is_none_or(|until| until <= now_ms)
            && made.live.is_empty()
            && made.shown.live == 0;
        let secrets_end = made.last_end.max(made.shown.last_end).map(|told| told.0);
        let over_ms = ended.max(grants_end).max(secrets_end).filter(|_| is_over);
        // Where nothing lived, nothing was exposed, and nothing has to end.
        let nobody = is_over && over_ms.is_none() && self.in_all.unwrap_or_default() == 0;
        let is_silent = |condition, last: Option<Told>| match nobody && last.is_none() {
            true => self.never(condition),
            false => self.silent(condition, last, over_ms),
        };
        let mut conditions = vec![
            self.stopped(alive, component),
            self.no_grant(now_ms),
            is_silent("no alarm since", self.last_alarm),
            is_silent("decoys silent", self.last_decoy.filter(|_| !nobody)),
            self.keys_changed(),
        ];
        conditions.extend((made.shown.in_all > 0).then(|| shown_ended(made)));
        conditions.extend((made.in_all > 0).then(|| secrets_ended(made)));
        conditions.extend(held(component));
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

    fn stopped(&self, alive: usize, component: Kind) -> Condition {
        let in_all = self.in_all.unwrap_or(self.lives.len() as u64);
        Condition {
            condition: "instances ended",
            met: alive == 0,
            entry: self.last_stop.map(|stop| stop.1),
            missing: (alive > 0).then(|| format!("{alive} of {in_all} live")),
            to_do: Vec::new(),
            next: (alive > 0).then(|| ending(component)),
        }
    }

    fn no_grant(&self, now_ms: u64) -> Condition {
        let live = self.last_grant.filter(|grant| grant.0 > now_ms);
        Condition {
            condition: "no live grant",
            met: live.is_none(),
            entry: self.last_grant.map(|grant| grant.1).or(self.newest_entry()),
            missing: live.map(|(until_ms, _)| format!("a grant lives until {}", rfc3339(until_ms))),
            to_do: Vec::new(),
            next: live.map(|(until_ms, _)| waiting(until_ms)),
        }
    }

    /// Nobody was there of whom it could be said.
    fn never(&self, condition: &'static str) -> Condition {
        let (entry, missing, to_do, next) = (self.newest_entry(), None, Vec::new(), None);
        Condition { condition, met: true, entry, missing, to_do, next }
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
        let (met, to_do) = (missing.is_none(), Vec::new());
        // What has not ended is spoken of above.
        let next = over_ms.filter(|_| !met).map(|_| looking());
        Condition { condition, met, entry: self.newest_entry(), missing, to_do, next }
    }

    /// Every sort of credential that was used has had new keys since, or is no more.
    fn keys_changed(&self) -> Condition {
        let mut to_do = Vec::new();
        let mut shown = None;
        for ((item, tenant), used_ms) in &self.used {
            match self.changed_by(*item, *tenant, *used_ms) {
                Some(entry) => shown = shown.max(Some(entry)),
                None => to_do.push(left_to_do(&word(item), *tenant, *used_ms)),
            }
        }
        let of = |one: &ToDo| match &one.tenant {
            Some(tenant) => format!("{} of {tenant}", one.credential),
            None => one.credential.clone(),
        };
        let old: Vec<String> = to_do.iter().map(of).collect();
        Condition {
            condition: "credentials rotated",
            met: old.is_empty(),
            entry: shown.or(self.newest_entry().filter(|_| self.used.is_empty())),
            missing: (!old.is_empty()).then(|| old.join(", ")),
            to_do,
            next: None,
        }
    }

    /// The entry by which a credential is another since it was used, or is worth nothing.
    fn changed_by(&self, item: Item, tenant: Option<TenantId>, used_ms: u64) -> Option<u64> {
        let rotated = self.rotated.get(&(item, tenant));
        let shredded = tenant.and_then(|tenant| self.shredded.get(&tenant));
        let later = |told: &&Told| told.0 > used_ms;
        let by = [rotated, shredded].into_iter().flatten().filter(later).map(|told| told.1);
        // Nothing is to be done about a pass whose time is over.
        let is_over = |newest: &Told| is_pass(&word(&item)) && newest.0 > used_ms + PASS_MS;
        by.max().or(self.newest.filter(is_over).map(|newest| newest.1))
    }
}

/// Whoever was owned may know every secret that it made: none of them is good any more.
fn secrets_ended(made: &Standing) -> Condition {
    let live = made.live.len() as u64;
    Condition {
        condition: "credentials it made ended",
        met: live == 0,
        entry: made.last_end.map(|told| told.1),
        missing: (live > 0).then(|| format!("still good: {live} of {}", made.in_all)),
        to_do: made.live.iter().take(SECRETS).map(ending_secret).collect(),
        next: None,
    }
}

/// Whoever took in a secret at a sign-in knows it: none of them is good any more.
fn shown_ended(made: &Standing) -> Condition {
    let shown = &made.shown;
    Condition {
        condition: "credentials it saw ended",
        met: shown.live == 0,
        entry: shown.last_end.map(|told| told.1),
        missing: (shown.live > 0)
            .then(|| format!("still good: {} of {}", shown.live, shown.in_all)),
        to_do: shown.first.iter().map(ending_shown).collect(),
        next: None,
    }
}

fn ending_shown((which, (_, entry)): &(Which, Told)) -> ToDo {
    let user = which.user;
    let id = word(&which.id);
    let (credential, ja, en) = if which.is_password() {
        (
            Sort::Password.word().to_owned(),
            format!(
                "`user reset ADDRESS` で作り直すか、本人が変更する（利用者 {user}、入力の証跡 \
                 {entry}）"
            ),
            format!(
                "make another: `user reset ADDRESS`; or its person changes it (user {user}, shown \
                 by entry {entry})"
            ),
        )
    } else if which.is_unnamed() {
        (
            Sort::AppPassword.word().to_owned(),
            format!(
                "どれかは古い版の記録にない。`app-password list ADDRESS` の \
                 すべてを失効させる（利用者 {user}、入力の証跡 {entry}）"
            ),
            format!(
                "an earlier version did not record which: revoke each of `app-password list \
                 ADDRESS` (of user {user}, shown by entry {entry})"
            ),
        )
    } else {
        (
            format!("{} {id}", Sort::AppPassword.word()),
            format!("`app-password revoke {id}` で失効させる（利用者 {user}、入力の証跡 {entry}）"),
            format!(
                "revoke it: `app-password revoke {id}` (of user {user}, shown by entry {entry})"
            ),
        )
    };
    ToDo { credential, tenant: Some(which.tenant.to_string()), ja, en }
}

/// Whoever held private keys may have copied them, and no entry could show that nobody did.
fn held(component: Kind) -> Option<Condition> {
    let (missing, ja, en) = match component {
        Kind::Vault | Kind::Warden => (
            "every private key was within its reach: what was sealed until now opens for whoever \
             copied them",
            "これから届くメールのために鍵を更新する: `keys rotate --level root`、契約ごとに \
             `keys rotate --level tenant --tenant T`、利用者ごとに \
             `keys rotate --level pairs --user ADDRESS`。すでに封じたものは取り戻せない",
            "for what comes from now on, new keys: `keys rotate --level root`, and for each \
             contract `keys rotate --level tenant --tenant T`, for each person `keys rotate \
             --level pairs --user ADDRESS`; what was sealed before cannot be called back",
        ),
        Kind::Ledger | Kind::Mirror => (
            "the key that it signs with was within its reach: no command renews it yet",
            "`ledger verify` で確かめ、外部の witness の副署と照合する",
            "see `ledger verify`, and compare with what foreign witnesses cosigned",
        ),
        _ => return None,
    };
    Some(Condition {
        condition: "keys it held changed",
        met: false,
        entry: None,
        missing: Some(missing.to_owned()),
        to_do: Vec::new(),
        next: Some(Step { ja: ja.to_owned(), en: en.to_owned() }),
    })
}

/// Whether a credential of this sort passes through the command line's side of the house when it is
/// set.
fn is_carried_by(component: Kind, item: Item) -> bool {
    component == Kind::Admin && matches!(word(&item).as_str(), "smart-host" | "outlet")
}

fn ending_secret(live: &Live) -> ToDo {
    let (user, entry) = (live.making.user, live.made.1);
    let sort = live.sort.word();
    let (credential, ja, en) = match &live.secret.id {
        Some(id) => {
            let revoke = format!("`app-password revoke {}`", id.as_str());
            let until = rfc3339(live.made.0.saturating_add(PASS_MS));
            let (ja, en) = match live.sort {
                Sort::Pass => {
                    (format!("、遅くとも {until} に失効"), format!("; it ends by {until}"))
                }
                Sort::AppPassword | Sort::Password => Default::default(),
            };
            (
                format!("{sort} {}", id.as_str()),
                format!("{revoke} で失効させる（利用者 {user}、発行の証跡 {entry}{ja}）"),
                format!("revoke it: {revoke} (of user {user}, made by entry {entry}{en})"),
            )
        }
        None => (
            sort.to_owned(),
            format!(
                "`user reset ADDRESS` で作り直すか、本人が変更する（利用者 {user}、発行の証跡 \
                 {entry}）"
            ),
            format!(
                "make another: `user reset ADDRESS`; or its person changes it (user {user}, made \
                 by entry {entry})"
            ),
        ),
    };
    ToDo { credential, tenant: Some(live.making.tenant.to_string()), ja, en }
}

fn is_pass(credential: &str) -> bool {
    matches!(credential, "export" | "case")
}

/// The credential that a new key renews, for this component: of TLS keys those that it uses.
fn renewed(item: Item, component: Kind) -> Option<Item> {
    let whole = match item.pages_keys_since() {
        Some(_) => "tls-key pages".to_owned(),
        None => word(&item),
    };
    let Some(group) = whole.strip_prefix("tls-key ") else { return Some(item) };
    let is_its_own = (group == "pages") == (component == Kind::Pages);
    is_its_own.then(|| Item::word(&evidence::Word::new("tls-key")))
}

/// How processes that were owned are ended.
fn ending(component: Kind) -> Step {
    let name = component.word();
    // Nobody could let these in again.
    let is_for_good = matches!(
        component,
        Kind::Warden | Kind::Admin | Kind::Ledger | Kind::Mirror | Kind::Sentinel
    );
    match is_for_good {
        true => Step {
            ja: "サービスを止めて、もう一度起動する".to_owned(),
            en: "stop the service and start it again".to_owned(),
        },
        false => Step {
            ja: format!("`isolate {name}` で終わらせ、`release {name}` で新しいものを入れる"),
            en: format!("end them: `isolate {name}`; then let fresh ones in: `release {name}`"),
        },
    }
}

fn waiting(until_ms: u64) -> Step {
    let until = rfc3339(until_ms);
    Step {
        ja: format!("{until} に自動で失効する。その後にもう一度確かめる"),
        en: format!("it ends by itself at {until}: ask again after that"),
    }
}

fn looking() -> Step {
    Step {
        ja: "`alarms list` で確かめる。警報が続くあいだは、まだ終わっていない".to_owned(),
        en: "see `alarms list`: as long as there are alarms, it is not over".to_owned(),
    }
}

/// In both languages, with the command.
fn left_to_do(credential: &str, tenant: Option<TenantId>, used_ms: u64) -> ToDo {
    let until = rfc3339(used_ms.saturating_add(PASS_MS));
    let (ja, en) = match credential {
        "tls-key" => (
            "`certificate renew` で鍵を更新する（外部の証明書は新しい鍵で `certificate install`）"
                .to_owned(),
            "renew the key: `certificate renew`; one from elsewhere, with a new key: `certificate \
             install`"
                .to_owned(),
        ),
        "smart-host" => (
            "相手側でパスワードを変え、`tenant set NAME --send-user NAME` で設定し直す".to_owned(),
            "change the password there, then set it anew: `tenant set NAME --send-user NAME`"
                .to_owned(),
        ),
        "outlet" => (
            "`tenant outlet NAME … --new-header` で更新するか、`--none` で廃止する".to_owned(),
            "renew its secret: `tenant outlet NAME … --new-header`, or end it: `--none`".to_owned(),
        ),
        "mail-key" => (
            "各ドメインで `domain rotate-keys DOMAIN` を実行し、公開後にもう一度実行する"
                .to_owned(),
            "for each domain `domain rotate-keys DOMAIN`, and again once it is published"
                .to_owned(),
        ),
        pass if is_pass(pass) => {
            (format!("{until} までに自動で失効する"), format!("it ends by itself by {until}"))
        }
        _ => ("これを更新するコマンドはまだない".to_owned(), "no command renews it yet".to_owned()),
    };
    let tenant = tenant.map(|tenant| tenant.to_string());
    ToDo { credential: credential.to_owned(), tenant, ja, en }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{PASS_MS, Traces};
    use crate::fact::{Deed, Fact, Item, Person};
    use crate::measure::Question;
    use evidence::Word;
    use terms::{InstanceId, Kind, TenantId};

    const USED_MS: u64 = 1_000;

    /// A credential was used, then this was written down, and an hour later nothing.
    fn left(component: Kind, used: (&str, u8), then: &[(Deed, &str, u8)]) -> Option<String> {
        left_at(component, used, then, USED_MS + 3_600_000)
    }

    fn left_at(
        component: Kind,
        (credential, tenant): (&str, u8),
        then: &[(Deed, &str, u8)],
        now_ms: u64,
    ) -> Option<String> {
        let question = Question { component, version: None, from_ms: 0, to_ms: 9_000 };
        let item = |word: &str| Item::word(&Word::new(word));
        let of = |tenant: u8| (tenant > 0).then_some(TenantId([tenant; 8]));
        let mut traces = Traces::default();
        traces.used_at(item(credential), of(tenant), USED_MS);
        for (index, (deed, word, tenant)) in (1..).zip(then) {
            let fact = Fact {
                at_ms: USED_MS + index,
                index,
                deed: *deed,
                instance: InstanceId([3; 6]),
                start: InstanceId([3; 6]),
                person: of(*tenant).map(|tenant| Person { tenant, user: None }),
                item: item(word),
            };
            traces.note(&fact, &question, false, |_| false);
        }
        traces.looked_at(now_ms, 99);
        let found = traces.keys_changed();
        assert_eq!(found.met, found.to_do.is_empty() && found.entry.is_some());
        assert!(found.to_do.iter().all(|one| !one.ja.is_empty() && !one.en.is_empty()));
        found.missing
    }

    #[test]
    fn a_tls_key_is_renewed_for_whoever_uses_it() {
        let check = |component, group: &str, is_met: bool| {
            let renewed = format!("tls-key {group}");
            let left = left(component, ("tls-key", 0), &[(Deed::Rotate, &renewed, 0)]);
            assert_eq!(left.is_none(), is_met, "{component:?} {group}");
        };
        check(Kind::Edge, "mail", true);
        check(Kind::Access, "mail", true);
        check(Kind::Pages, "pages", true);
        check(Kind::Edge, "pages", false);
        check(Kind::Pages, "mail", false);
        assert_eq!(left(Kind::Edge, ("tls-key", 0), &[]).as_deref(), Some("tls-key"));
    }

    /// A process of the pages may have used any of their keys: the oldest of them decides.
    #[test]
    fn keys_of_pages_are_renewed_when_all_of_them_are() {
        let check = |component, since_ms: u64, is_met: bool| {
            let body = evidence::Body::KeyRotate {
                what: Word::new("tls-key pages"),
                epoch: since_ms,
                tenant: None,
                user: None,
            };
            let (author, start) = (Kind::Signer, InstanceId([9; 6]));
            let entry = evidence::Entry { author, start, seq: 0, time_ms: USED_MS + 5_000, body };
            let question = Question { component, version: None, from_ms: 0, to_ms: 9_000 };
            let mut traces = Traces::default();
            traces.used_at(Item::word(&Word::new("tls-key")), None, USED_MS);
            crate::facts(7, &entry, |fact| traces.note(&fact, &question, false, |_| false));
            let found = traces.keys_changed();
            assert_eq!(found.met, is_met, "{component:?} since {since_ms}");
            assert_eq!(found.entry, is_met.then_some(7));
        };
        check(Kind::Pages, USED_MS + 1, true);
        check(Kind::Pages, USED_MS, false);
        check(Kind::Pages, 1, false);
        check(Kind::Edge, USED_MS + 1, false);
        // Written by an earlier version, which said so only where nobody brought any.
        check(Kind::Pages, 0, true);
    }

    #[test]
    fn what_is_destroyed_is_as_good_as_renewed() {
        let check = |used, then: &[(Deed, &str, u8)], is_met: bool| {
            assert_eq!(left(Kind::Depart, used, then).is_none(), is_met, "{used:?} {then:?}");
        };
        check(("outlet", 1), &[], false);
        check(("outlet", 1), &[(Deed::Rotate, "outlet", 1)], true);
        check(("outlet", 1), &[(Deed::Shred, "outlet", 1)], true);
        check(("outlet", 1), &[(Deed::Shred, "outlet", 2)], false);
        check(("smart-host", 1), &[(Deed::Shred, "smart-host", 1)], true);
        check(("mail-key", 1), &[(Deed::Rotate, "mail-key", 1)], true);
        // An old key that is forgotten says nothing of the one that signs.
        check(("mail-key", 1), &[(Deed::Shred, "mail-key", 1)], false);
        check(("mail-key", 1), &[(Deed::Shred, "tenant", 1)], true);
        check(("mail-key", 1), &[(Deed::Shred, "tenant", 2)], false);
        check(("mail-key", 1), &[(Deed::Shred, "user", 1)], false);
    }

    #[test]
    fn a_pass_ends_by_itself() {
        let after = |ms: u64| left_at(Kind::Access, ("export", 1), &[], USED_MS + ms);
        assert!(after(PASS_MS).is_some_and(|left| left.starts_with("export of ")));
        assert_eq!(after(PASS_MS + 1), None);
    }
}
