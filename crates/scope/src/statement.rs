//! What left was ciphertext, and here is why it stays that: which, under what, and that no key
//! for it was handed to whoever took it.

use crate::counted::Part;
use crate::lost::Loss;
use crate::made::Secrets;
use crate::measure::{Proven, Question};
use crate::roll::Roll;
use evidence::{Body, Entry, rfc3339};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use terms::{InstanceId, Kind, TenantId, UserId};

/// Keys that are listed; more are counted.
const KEYS: usize = 10_000;
/// How mail is sealed (`docs/sealing.md`). Which suite a ciphertext has, its first octet says.
const SUITES: [&str; 2] = [
    "HPKE (RFC 9180) DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; content AES-256-GCM",
    "HPKE (RFC 9180) DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; content AES-256-GCM",
];

/// One contract's ciphertexts: copies that were kept before the window's end, and were still there
/// in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ciphertexts {
    pub tenant: String,
    /// Could have left in the window. What its people deleted themselves is among them: no entry
    /// says when.
    pub copies: u64,
    pub bytes: u64,
    /// Of these, what was destroyed with its keys since: whatever left before opens for nobody.
    pub destroyed_since: Destroyed,
    /// Beside these: destroyed before the window began, so that it could not leave.
    pub no_longer_there: Destroyed,
}

/// Ciphertexts whose keys were destroyed and that were taken off the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Destroyed {
    pub copies: u64,
    pub bytes: u64,
    /// When the last of them was, and the entry that says it.
    pub at: Option<String>,
    pub entry: Option<u64>,
}

/// Copies and octets.
type Amount = (u64, u64);

/// What is known of one contract's ciphertexts, or of one person's.
#[derive(Default)]
struct Kept {
    there: Amount,
    destroyed_since: (Amount, Option<(u64, u64)>),
    no_longer_there: (Amount, Option<(u64, u64)>),
}

impl Kept {
    /// What was there was destroyed.
    fn destroy(&mut self, told: (u64, u64), from_ms: u64) {
        let amount = std::mem::take(&mut self.there);
        let to = match told.0 < from_ms {
            true => &mut self.no_longer_there,
            false => &mut self.destroyed_since,
        };
        if amount.0 > 0 {
            (to.0, to.1) = (sum(to.0, amount), to.1.max(Some(told)));
        }
    }

    fn with(mut self, other: &Self) -> Self {
        self.there = sum(self.there, other.there);
        for (to, more) in [
            (&mut self.destroyed_since, &other.destroyed_since),
            (&mut self.no_longer_there, &other.no_longer_there),
        ] {
            (to.0, to.1) = (sum(to.0, more.0), to.1.max(more.1));
        }
        self
    }
}

fn sum(one: Amount, other: Amount) -> Amount {
    (one.0 + other.0, one.1 + other.1)
}

fn destroyed(((copies, bytes), told): (Amount, Option<(u64, u64)>)) -> Destroyed {
    let (at, entry) = (told.map(|told| rfc3339(told.0)), told.map(|told| told.1));
    Destroyed { copies, bytes, at, entry }
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyEvent {
    pub entry: u64,
    pub at: String,
    pub event: &'static str,
    pub what: String,
    pub epoch: u64,
    pub tenant: Option<String>,
}

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    pub statement: &'static str,
    pub component: &'static str,
    pub from: String,
    pub to: String,
    pub ciphertexts: Vec<Ciphertexts>,
    pub suites: Vec<&'static str>,
    pub keys: Vec<KeyEvent>,
    pub keys_in_all: u64,
    pub releases_in_window: u64,
    /// By component of the process that received them.
    pub released_to: BTreeMap<&'static str, u64>,
    pub releases_to_component: u64,
    /// Releases before the window to processes of this component that lived into it: they still had
    /// those keys then.
    pub releases_before_to_living: u64,
    /// Releases to whoever signed in with a credential that this component made in the window.
    pub releases_by_credentials: u64,
    /// The vault's own numbers of the first and last release in the window.
    pub first_release: Option<u64>,
    pub last_release: Option<u64>,
    /// Numbers that are missing between them: none may be. Over a loss that says nothing: a log
    /// that was put back counts on from an older number.
    pub gaps: u64,
    /// What is known to be lost of the log, whenever.
    pub losses: Vec<Loss>,
    /// Something lost can be of what is counted here: the figures are of what is left.
    pub lower_bound: bool,
    /// No key was released to this component, nor before to a process of it that lived into the
    /// window, nor with a credential that it made; none is missing from the count, and the log was
    /// checked, and nothing is known to be lost of that time.
    pub holds: bool,
    pub entries: u64,
    pub root: String,
    pub verified: bool,
    /// What was checked, as a scope has it.
    pub checked: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Reads entries in order and makes the statement.
pub struct StatementMaker {
    question: Question,
    roll: Roll,
    kept: BTreeMap<(TenantId, UserId), Kept>,
    keys: Vec<KeyEvent>,
    keys_in_all: u64,
    released: BTreeMap<&'static str, u64>,
    to_component: u64,
    /// Releases before the window, by whom they were made to, but for those that ended before it.
    before: HashMap<InstanceId, u64>,
    numbers: Option<(u64, u64)>,
    gaps: u64,
    holds_keys: bool,
    /// Every secret that was made in the window, and what it opened.
    made: Secrets,
}

impl StatementMaker {
    pub fn new(question: Question) -> Self {
        // Who holds or mints what opens mail cannot be spoken for.
        let holds_keys = matches!(question.component, Kind::Vault | Kind::Identity | Kind::Warden);
        Self {
            question,
            roll: Roll::default(),
            kept: BTreeMap::new(),
            keys: Vec::new(),
            keys_in_all: 0,
            released: BTreeMap::new(),
            to_component: 0,
            before: HashMap::new(),
            numbers: None,
            gaps: 0,
            holds_keys,
            made: Secrets::new(Part::WHOLE),
        }
    }

    pub fn note(&mut self, index: u64, entry: &Entry) {
        self.roll.note(entry);
        let is_within = (self.question.from_ms..self.question.to_ms).contains(&entry.time_ms);
        self.made.hear(index, entry, is_within, |_| true);
        if let Body::Destroyed { tenant, user, .. } = &entry.body {
            // Also behind the window: what left before opens for nobody from then on.
            self.destroy((*tenant, *user), (entry.time_ms, index));
        }
        if entry.time_ms >= self.question.to_ms {
            return;
        }
        let mut key = |event, what: &str, epoch, tenant: Option<TenantId>| {
            self.keys_in_all += 1;
            if self.keys.len() < KEYS {
                self.keys.push(KeyEvent {
                    entry: index,
                    at: rfc3339(entry.time_ms),
                    event,
                    what: what.to_owned(),
                    epoch,
                    tenant: tenant.map(|tenant| tenant.to_string()),
                });
            }
        };
        match &entry.body {
            Body::Deliver { tenant, messages, .. } => {
                for one in messages {
                    let kept = self.kept.entry((*tenant, one.user)).or_default();
                    kept.there = sum(kept.there, (1, one.bytes));
                }
            }
            Body::KeyCreate { what, epoch, tenant, .. } => {
                key("created", what.as_str(), *epoch, *tenant);
            }
            Body::KeyRotate { what, epoch, tenant, .. } => {
                key("rotated", what.as_str(), *epoch, *tenant);
            }
            Body::KeyShred { what, epoch, tenant, .. } => {
                key("destroyed", what.as_str(), *epoch, *tenant);
            }
            Body::Release { vault_seq, instance, .. } if entry.time_ms >= self.question.from_ms => {
                self.release(*vault_seq, instance);
            }
            Body::Release { instance, .. } => {
                if self.may_be_of_component(instance) {
                    *self.before.entry(*instance).or_default() += 1;
                }
            }
            Body::ProcessStop { instance, .. } if self.ended_before(instance) => {
                self.before.remove(instance);
            }
            _ => {}
        }
    }

    fn destroy(&mut self, (tenant, user): (TenantId, Option<UserId>), told: (u64, u64)) {
        let first = (tenant, user.unwrap_or(UserId([0; 8])));
        let last = (tenant, user.unwrap_or(UserId([0xff; 8])));
        let theirs = self.kept.range_mut(first..=last);
        theirs.for_each(|(_, kept)| kept.destroy(told, self.question.from_ms));
    }

    fn release(&mut self, number: u64, to: &InstanceId) {
        let life = self.roll.0.get(to);
        let kind = life.map_or("unknown", |life| life.kind.word());
        *self.released.entry(kind).or_default() += 1;
        self.to_component += u64::from(self.may_be_of_component(to));
        let (first, last) = self.numbers.unwrap_or((number, number.wrapping_sub(1)));
        self.gaps += number.saturating_sub(last.wrapping_add(1));
        self.numbers = Some((first, number));
    }

    /// Also somebody of whom nothing is known.
    fn may_be_of_component(&self, one: &InstanceId) -> bool {
        let wanted = self.question.version.as_deref();
        self.roll.0.get(one).is_none_or(|life| {
            life.kind == self.question.component
                && wanted.is_none_or(|wanted| wanted == life.version.as_str())
        })
    }

    fn ended_before(&self, one: &InstanceId) -> bool {
        let to_ms = self.roll.0.get(one).and_then(|life| life.to_ms);
        to_ms.is_some_and(|to_ms| to_ms < self.question.from_ms)
    }

    /// Births and ends may stand in the log behind what was released: all of them are known now.
    fn before_to_living(&self) -> u64 {
        let lived = |one: &InstanceId| self.may_be_of_component(one) && !self.ended_before(one);
        self.before.iter().filter(|(one, _)| lived(one)).map(|(_, count)| count).sum()
    }

    /// Whether a loss can have taken a release that would be told here: one of the window, or to a
    /// process that lived through the loss into the window.
    fn is_wanting_by(&self, loss: &Loss) -> bool {
        let lived = || {
            let lives = self
                .roll
                .0
                .iter()
                .filter(|(one, life)| life.from_ms <= loss.to_ms && !self.ended_before(one));
            lives.into_iter().any(|(one, _)| self.may_be_of_component(one))
        };
        loss.touches(&self.question) || loss.is_before(&self.question) && lived()
    }

    pub fn finish(self, proven: Proven) -> Statement {
        let Proven { entries, root, checked, losses } = proven;
        // Ciphertexts that were kept before the window are told, too.
        let lower_bound = losses.iter().any(|loss| loss.from_ms < self.question.to_ms);
        let is_wanting = losses.iter().any(|loss| self.is_wanting_by(loss));
        let verified = checked.is_right() && !lower_bound;
        let mut contracts: BTreeMap<TenantId, Kept> = BTreeMap::new();
        for ((tenant, _), kept) in &self.kept {
            let of = contracts.remove(tenant).unwrap_or_default();
            contracts.insert(*tenant, of.with(kept));
        }
        let of = |(tenant, kept): (TenantId, Kept)| {
            let (copies, bytes) = sum(kept.there, kept.destroyed_since.0);
            Ciphertexts {
                tenant: tenant.to_string(),
                copies,
                bytes,
                destroyed_since: destroyed(kept.destroyed_since),
                no_longer_there: destroyed(kept.no_longer_there),
            }
        };
        let before = self.before_to_living();
        let by_credentials = self.made.releases_of(|one| self.may_be_of_component(&one));
        let given = self.to_component + before + by_credentials;
        let silent = given == 0 && self.gaps == 0 && !self.holds_keys;
        Statement {
            statement: "advanced-encryption",
            component: self.question.component.word(),
            from: rfc3339(self.question.from_ms),
            to: rfc3339(self.question.to_ms),
            ciphertexts: contracts.into_iter().map(of).collect(),
            suites: SUITES.to_vec(),
            keys: self.keys,
            keys_in_all: self.keys_in_all,
            releases_in_window: self.released.values().sum(),
            released_to: self.released,
            releases_to_component: self.to_component,
            releases_before_to_living: before,
            releases_by_credentials: by_credentials,
            first_release: self.numbers.map(|numbers| numbers.0),
            last_release: self.numbers.map(|numbers| numbers.1),
            gaps: self.gaps,
            losses,
            lower_bound,
            holds: silent && checked.is_right() && !is_wanting,
            entries,
            root,
            verified,
            checked: checked.word(),
            problems: checked.problems().to_vec(),
        }
    }
}
