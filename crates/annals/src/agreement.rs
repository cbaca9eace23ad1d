//! What chapters say of a house in disorder agrees with what its entries say, one by one: births
//! and deeds that are written down late, lives of weeks and of moments, alarms, new keys, months.

use crate::plan::{Plan, Way};
use crate::{Binder, Chapter, Folder, Index, Naming, Segments, Shelf, Told, chapter_name, names};
use crate::{check, find_keys, take_up};
use evidence::{Body, Delivery, Entry, Queued, Released, Word, month_of};
use scope::{Containment, Part, Proven, Question, Scope, Tally, Theirs, measure};
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use terms::{ConnectionId, GrantId, InstanceId, Kind, MessageId, TenantId, UserId, Verdict};
use tlog::{LOG_ORIGIN, Note, NoteSigner, SignedCheckpoint, Store, leaf_hash};

/// 2026-01-31T12:00:00Z: a month ends within the first chapters.
const BEGIN_MS: u64 = 1_769_860_800_000;
const ENTRIES: usize = 215_000;

/// Deeds that come at random, of processes that live long or not at all.
struct Disorder {
    random: u64,
    now_ms: u64,
    step_ms: u64,
    next: u64,
    /// Alive: what it is, whom it serves, and when it will end.
    alive: Vec<(InstanceId, Kind, usize)>,
    ended: Vec<(InstanceId, Kind)>,
    /// Born, and not written down yet.
    unborn: Vec<(usize, Entry)>,
    messages: Vec<(TenantId, MessageId)>,
    met: Vec<(InstanceId, ConnectionId)>,
    grants: Vec<GrantId>,
    /// Ids of app passwords, and whose they are.
    secrets: Vec<(Word, TenantId, UserId)>,
    /// Who signed in last, by process.
    people: HashMap<InstanceId, (TenantId, UserId)>,
    /// Those who write, and those who wrote.
    writers: Vec<(Kind, InstanceId)>,
    former: Vec<(Kind, InstanceId)>,
    entries: Vec<Entry>,
}

const KINDS: [Kind; 6] =
    [Kind::Edge, Kind::Scanner, Kind::Access, Kind::Dispatch, Kind::Depart, Kind::Pages];
/// Who write what others do: two of each at a time.
const WRITERS: [Kind; 6] =
    [Kind::Gate, Kind::Mailbox, Kind::Identity, Kind::Vault, Kind::Post, Kind::Signer];

impl Disorder {
    fn new(seed: u64, step_ms: u64) -> Self {
        let (now_ms, random) = (BEGIN_MS, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (alive, ended, unborn) = (Vec::new(), Vec::new(), Vec::new());
        let (messages, met, entries) = (Vec::new(), Vec::new(), Vec::new());
        let (grants, writers, former) = (Vec::new(), Vec::new(), Vec::new());
        let (secrets, people) = (Vec::new(), HashMap::new());
        let next = 0;
        let mut new = Self {
            random,
            now_ms,
            step_ms,
            next,
            alive,
            ended,
            unborn,
            messages,
            met,
            grants,
            secrets,
            people,
            writers,
            former,
            entries,
        };
        let instance = InstanceId([0xa0; 6]);
        let (kind, version, serves) = (Kind::Warden, Word::new("1"), None);
        let warden =
            Body::ProcessStart { instance, kind, pid: 7, version, zygote: None, key: None, serves };
        new.say(Kind::Warden, 0xa0, warden);
        WRITERS.iter().chain(&WRITERS).for_each(|kind| new.hire(*kind));
        new
    }

    fn draw(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % below.max(1)
    }

    fn id<const N: usize>(&mut self) -> [u8; N] {
        self.next += 1;
        let mut id = [0; N];
        id[N - 6..].copy_from_slice(&self.next.to_be_bytes()[2..]);
        id[0] ^= self.draw(256) as u8;
        id
    }

    fn say(&mut self, author: Kind, start: u8, body: Body) {
        let (seq, time_ms) = (self.entries.len() as u64, self.now_ms);
        // Seldom one that has ended, or one of whom nothing is known.
        let former = if self.draw(300) == 0 { &self.former } else { &self.writers };
        let known: Vec<InstanceId> =
            former.iter().filter(|one| one.0 == author).map(|one| one.1).collect();
        let at = self.draw(known.len());
        let start = known.get(at).copied().unwrap_or(InstanceId([start; 6]));
        self.entries.push(Entry { author, start, seq, time_ms, body });
    }

    /// A new writer, whose birth is sometimes written down late.
    fn hire(&mut self, kind: Kind) {
        let instance = InstanceId(self.id());
        let version = Word::new(["1", "2"][self.draw(2)]);
        let serves = None;
        let body =
            Body::ProcessStart { instance, kind, pid: 7, version, zygote: None, key: None, serves };
        let (author, start, time_ms) = (Kind::Warden, InstanceId([0xa0; 6]), self.now_ms);
        let entry = Entry { author, start, seq: 0, time_ms, body };
        let late = 1 + self.draw(200);
        match self.draw(3) {
            0 => self.unborn.push((self.entries.len() + late, entry)),
            _ => self.entries.push(entry),
        }
        self.writers.push((kind, instance));
        // It does something itself, too.
        let credential = Word::new("tls");
        let (name, tenant) = (Word::new("n"), None);
        self.say(Kind::Signer, 0xa7, Body::CredentialUse { credential, instance, name, tenant });
    }

    /// A writer ends, and another begins.
    fn replace(&mut self) {
        let at = self.draw(self.writers.len());
        let (kind, instance) = self.writers.swap_remove(at);
        self.former.push((kind, instance));
        let cause = Word::new("exit 0");
        let stop = Body::ProcessStop { instance, clean: true, cause, last_seq: None };
        self.say(Kind::Warden, 0xa0, stop);
        self.hire(kind);
    }

    fn tell(mut self, count: usize) -> Vec<Entry> {
        while self.entries.len() < count {
            self.now_ms += self.draw(self.step_ms as usize * 2) as u64;
            let length = self.entries.len();
            if let Some(at) = self.unborn.iter().position(|one| one.0 <= length) {
                let (_, entry) = self.unborn.swap_remove(at);
                self.entries.push(entry);
                continue;
            }
            if let Some(at) = self.alive.iter().position(|one| one.2 <= length) {
                let (instance, kind, _) = self.alive.swap_remove(at);
                self.ended.push((instance, kind));
                let cause = Word::new("exit 0");
                let stop = Body::ProcessStop { instance, clean: true, cause, last_seq: None };
                self.say(Kind::Warden, 0xa0, stop);
                continue;
            }
            if self.draw(4_000) == 0 {
                self.replace();
            }
            match self.draw(100) {
                0..=7 => self.birth(),
                8..=96 => self.deed(),
                97 => self.decision(),
                _ => self.say(Kind::Warden, 0xa0, Body::Heartbeat {}),
            }
        }
        self.entries.truncate(count);
        self.entries
    }

    fn birth(&mut self) {
        let instance = InstanceId(self.id());
        let kind = KINDS[self.draw(KINDS.len())];
        let beside = |one: &&(InstanceId, Kind, usize)| match kind {
            Kind::Scanner => matches!(one.1, Kind::Edge | Kind::Dispatch),
            Kind::Dispatch => one.1 == Kind::Access,
            _ => false,
        };
        let beside: Vec<InstanceId> = self.alive.iter().filter(beside).map(|one| one.0).collect();
        // A scanner that serves nobody in particular lives a moment, or everything counts.
        let is_unplaced = kind == Kind::Scanner && (beside.is_empty() || self.draw(40) == 0);
        let serves = beside.get(self.draw(beside.len())).copied().filter(|_| !is_unplaced);
        let life = match self.draw(12) {
            _ if is_unplaced => 6,
            0 => 70_000,
            1 => 9_000,
            _ => 60,
        };
        let version = Word::new(["1", "2", "3"][self.draw(8).min(2)]);
        let start =
            Body::ProcessStart { instance, kind, pid: 7, version, zygote: None, key: None, serves };
        let length = self.entries.len();
        let ends = length + 2 + self.draw(life);
        self.alive.push((instance, kind, ends));
        // Some are written down when they have done things already; of scanners, whoever stood
        // beside them could not be told.
        let is_late = self.draw(6) == 0 && matches!(kind, Kind::Edge | Kind::Depart | Kind::Pages);
        let (author, start_id, time_ms) = (Kind::Warden, InstanceId([0xa0; 6]), self.now_ms);
        let entry = Entry { author, start: start_id, seq: 0, time_ms, body: start };
        match is_late {
            true => {
                let at = length + self.draw(ends - length);
                self.unborn.push((at, entry));
            }
            false => self.entries.push(entry),
        }
    }

    /// Somebody, mostly alive, sometimes gone, and seldom long gone.
    fn somebody(&mut self) -> (InstanceId, Kind) {
        let (alive, ended) = (self.alive.len(), self.ended.len());
        match self.draw(30) {
            0 if ended > 0 => {
                let at = ended - 1 - self.draw(ended.min(20));
                self.ended[at]
            }
            1 if ended > 0 && self.draw(4) == 0 => {
                let at = self.draw(ended);
                self.ended[at]
            }
            _ if alive > 0 => {
                let at = self.draw(alive);
                (self.alive[at].0, self.alive[at].1)
            }
            _ => (InstanceId([9; 6]), Kind::Edge),
        }
    }

    fn person(&mut self) -> (TenantId, UserId) {
        let (tenant, user) = (self.draw(6) as u64 + 1, self.draw(30) as u64 + 1);
        (TenantId(tenant.to_be_bytes()), UserId((tenant << 32 | user).to_be_bytes()))
    }

    /// A new message, or one that there was before.
    fn message(&mut self, tenant: TenantId) -> MessageId {
        let known = self.messages.len();
        if known > 0 && self.draw(5) == 0 {
            let back = if self.draw(2) == 0 { known } else { known.min(50) };
            let at = known - 1 - self.draw(back);
            return self.messages[at].1;
        }
        let message = MessageId(self.id());
        self.messages.push((tenant, message));
        message
    }

    fn deed(&mut self) {
        let (instance, kind) = self.somebody();
        match (kind, self.draw(10)) {
            (Kind::Edge, 0..=2) | (Kind::Access | Kind::Pages, 0..=1) => {
                let connection = ConnectionId(self.id());
                self.met.push((instance, connection));
                let peer = std::net::IpAddr::from([203, 0, 113, 7]);
                let service = Word::new("smtp");
                self.say(
                    Kind::Gate,
                    0xa1,
                    Body::Connection { connection, instance, peer, service },
                );
            }
            (Kind::Edge, 3..=7) | (Kind::Pages | Kind::Depart, 2) => self.delivers(instance),
            (Kind::Dispatch, 0..=6) => {
                let (tenant, user) = self.person();
                let count = 1 + self.draw(2);
                let messages = (0..count).map(|_| Queued {
                    message: self.message(tenant),
                    user,
                    recipients: 1,
                    bytes: 9,
                });
                let messages = messages.collect();
                self.say(Kind::Post, 0xa5, Body::Queue { instance, tenant, messages });
            }
            (Kind::Access | Kind::Depart, 3..=6) => self.releases(instance),
            (Kind::Depart, 7..=8) => {
                let (tenant, user) = self.person();
                let message = self.message(tenant);
                let (recipients, bytes) = (1, 9);
                let send = Body::Send { instance, tenant, user, message, recipients, bytes };
                self.say(Kind::Post, 0xa5, send);
            }
            (Kind::Access | Kind::Pages, 7) => {
                self.signs_in(instance);
            }
            (Kind::Access, 8) => {
                let (tenant, user) = self.person();
                let until_ms = self.now_ms + self.draw(900_000) as u64;
                let grant = GrantId(self.id());
                self.grants.push(grant);
                let grant = Body::Grant { grant, instance, tenant, user, until_ms };
                self.say(Kind::Identity, 0xa3, grant);
            }
            (_, 8) => {
                let connection = self.met.iter().rev().take(40).find(|one| one.0 == instance);
                let connection = connection.map_or(ConnectionId([1; 8]), |one| one.1);
                let (messages, bytes) = (1 + self.draw(3) as u32, 9);
                let not_kept = Body::NotKept { instance, connection, messages, bytes };
                self.say(kind, 0xa6, not_kept);
            }
            _ => {
                let credential = Word::new(["tls", "dkim"][self.draw(2)]);
                let tenant = Some(self.person().0).filter(|_| self.draw(2) == 0);
                let name = Word::new("n");
                let used = Body::CredentialUse { credential, instance, name, tenant };
                self.say(Kind::Signer, 0xa7, used);
            }
        }
    }

    fn signs_in(&mut self, instance: InstanceId) {
        let mut person = self.person();
        let is_named = self.draw(4) > 0;
        let known = self.draw(self.secrets.len().max(1));
        let secret = self.secrets.get(known).cloned().filter(|_| is_named);
        let secret = secret.filter(|_| self.draw(2) == 0);
        person = secret.as_ref().map_or(person, |one| (one.1, one.2));
        let (tenant, user) = (Some(person.0), Some(person.1).filter(|_| is_named));
        let tenant = tenant.filter(|_| is_named);
        let protocol = Word::new("imap");
        let credential = secret.map(|one| one.0);
        let sign_in = Body::SignIn { instance, protocol, ok: is_named, tenant, user, credential };
        self.people.insert(instance, person);
        self.say(Kind::Identity, 0xa3, sign_in);
    }

    fn delivers(&mut self, instance: InstanceId) {
        let tenant = self.person().0;
        let message = self.message(tenant);
        let count = 1 + self.draw(3);
        let messages = (0..count).map(|_| {
            let user = self.draw(30) as u64 + 1;
            let user = UserId((u64::from_be_bytes(tenant.0) << 32 | user).to_be_bytes());
            Delivery { message, user, bytes: 9, verdict: Verdict::Deliver }
        });
        let messages = messages.collect();
        let named = self.draw(3) > 0;
        let connection = self.met.iter().rev().take(40).find(|one| one.0 == instance);
        let connection = connection.filter(|_| named).map(|one| one.1);
        self.say(Kind::Mailbox, 0xa2, Body::Deliver { instance, tenant, messages, connection });
    }

    fn releases(&mut self, instance: InstanceId) {
        // Mostly of whoever signed in there.
        let signed_in = self.people.get(&instance).copied().filter(|_| self.draw(4) > 0);
        let (tenant, user) = signed_in.unwrap_or_else(|| self.person());
        let released = match self.draw(12) {
            // Some people never ask for a month.
            0 if u64::from_be_bytes(user.0) % 3 > 0 => {
                Released::Months(vec![month_of(self.now_ms)])
            }
            4 | 5 => Released::Summaries(vec![self.message(tenant), self.message(tenant)]),
            6 if self.draw(4) == 0 => Released::Summaries(vec![MessageId::FOLDER_NAMES]),
            1..=3 => Released::Transit(vec![self.message(tenant), self.message(tenant)]),
            _ => Released::Bodies(vec![self.message(tenant)]),
        };
        let known = self.grants.len();
        let back = [3, 50, known][self.draw(20).saturating_sub(17)].clamp(1, known.max(1));
        let at = known.wrapping_sub(1 + self.draw(back));
        let is_known = self.draw(5) > 0;
        let grant = self.grants.get(at).copied().filter(|_| is_known);
        let (vault_seq, grant) = (self.next, grant.unwrap_or(GrantId([8; 16])));
        let body = Body::Release { vault_seq, instance, grant, tenant, user, released };
        self.say(Kind::Vault, 0xa4, body);
    }

    fn decision(&mut self) {
        let (instance, kind) = self.somebody();
        match self.draw(12) {
            0 => {
                let what = Word::new(["tls", "dkim"][self.draw(2)]);
                let tenant = Some(self.person().0).filter(|_| self.draw(2) == 0);
                let rotate = Body::KeyRotate { what, epoch: 2, tenant, user: None };
                self.say(Kind::Vault, 0xa4, rotate);
            }
            1 => {
                let call = Word::new(["execve", "decoy"][self.draw(2)]);
                let what = Word::new("w");
                self.say(Kind::Warden, 0xa0, Body::Alarm { instance, kind, pid: 1, call, what });
            }
            2..=6 => self.secret(instance),
            _ => self.say(Kind::Warden, 0xa0, Body::Heartbeat {}),
        }
    }

    /// Somebody makes or ends an app password, or a password.
    fn secret(&mut self, by: InstanceId) {
        let what = ["app-password.add", "app-password.add", "app-password.revoke", "person.reset"];
        let what = what[self.draw(what.len())];
        let known = self.draw(self.secrets.len().max(1));
        let known = self.secrets.get(known).cloned();
        let known = known.filter(|_| what != "app-password.add" || self.draw(6) == 0);
        let (id, tenant, user) = known.unwrap_or_else(|| {
            let (tenant, user) = self.person();
            (Word::new(&GrantId(self.id()).to_string()[16..]), tenant, user)
        });
        if what == "app-password.add" {
            self.secrets.push((id.clone(), tenant, user));
        }
        let body = Body::RuleChange {
            what: Word::new(what),
            tenant: Some(tenant),
            user: Some(user),
            weakened: None,
            by: Some(by).filter(|_| self.draw(5) > 0),
            credential: Some(id).filter(|_| what != "person.reset"),
        };
        self.say(Kind::Identity, 0xa3, body);
    }
}

struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn temporary(name: &str) -> Temporary {
    let path = std::env::temp_dir().join(format!("annals-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    Temporary(path)
}

fn signer() -> NoteSigner {
    NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap()
}

fn believed(signed: &SignedCheckpoint) -> bool {
    signed.note.is_signed_by(&signer().verifier())
}

/// A ledger's folder without signatures of authors: scope reads none.
fn write(folder: &Path, entries: &[Entry]) {
    fs::write(folder.join(names::PUBLIC), signer().verifier().to_text()).unwrap();
    let shelf = Folder(folder.to_owned());
    let volumes = Segments::volumes(folder).unwrap();
    let (mut store, _) = Store::open(volumes, None, believed, |_, _| {}).unwrap();
    let mut binder = Binder::new(0, Vec::new());
    for batch in entries.chunks(8_192) {
        for entry in batch {
            let mut frame = entry.encode().unwrap();
            frame.extend_from_slice(&[0; 64]);
            store.stage(&frame).unwrap();
            if let Some((number, index)) = binder.take(leaf_hash(&frame), Some(entry)) {
                shelf.put(&chapter_name(number), &index).unwrap();
            }
        }
        let checkpoint = store.checkpoint(LOG_ORIGIN);
        let text = checkpoint.to_text();
        let signatures = vec![signer().sign(&text)];
        store.write(SignedCheckpoint { note: Note { text, signatures }, checkpoint }).unwrap();
    }
    store.flush().unwrap();
}

fn reader(folder: &Path) -> crate::Reader {
    crate::Reader::open(folder, find_keys(folder).unwrap()).unwrap()
}

fn by_entries(entries: &[Entry], question: &Question) -> Scope {
    let scope = measure(question, Proven::default(), |seen| {
        (0..).zip(entries).for_each(|(index, entry)| seen(index, entry));
        Ok::<(), Infallible>(())
    });
    scope.unwrap()
}

/// Whoever was gone before the window is no concern of it, but the entries are read from the
/// first: when those ended who ended before is known by them, and not by the index.
fn without_the_dead(mut scope: Scope) -> Scope {
    let told = scope.containment;
    scope.containment =
        Containment { detected: told.detected, detections: told.detections, ..Default::default() };
    scope
}

/// A scope, and of its messages only how many and a sum: there are too many to be shown.
fn figures(mut scope: Scope) -> (Scope, usize, u128) {
    let messages = std::mem::take(&mut scope.messages);
    let sum = messages
        .iter()
        .fold(0u128, |sum, one| sum.wrapping_mul(31).wrapping_add(u128::from_be_bytes(one.0)));
    (scope, messages.len(), sum)
}

fn agrees(index: &Index, entries: &[Entry], question: &Question) {
    let found = index.measure(question, &Proven::default()).unwrap();
    let expected = by_entries(entries, question);
    let is_whole = question.from_ms <= BEGIN_MS;
    match is_whole {
        true => assert!(figures(found.scope) == figures(expected), "{question:?}"),
        false => {
            let (found, expected) = (without_the_dead(found.scope), without_the_dead(expected));
            assert!(figures(found) == figures(expected), "{question:?}");
        }
    }
}

fn all_questions_agree(name: &str, seed: u64, step_ms: u64) {
    let folder = temporary(name);
    let entries = Disorder::new(seed, step_ms).tell(ENTRIES);
    write(&folder.0, &entries);
    let reader = reader(&folder.0);
    let index = Index::of(&reader);
    let time = |at: usize| entries[at].time_ms;
    let windows = [
        (BEGIN_MS, time(ENTRIES - 1) + 1),
        (BEGIN_MS, time(131_072)),
        (time(30_000), time(ENTRIES - 100)),
        // Who lived when they began was given things in chapters before.
        (time(140_000), time(160_000)),
        (time(ENTRIES - 9_000), time(ENTRIES - 100)),
    ];
    for component in KINDS.into_iter().chain(WRITERS) {
        for (number, (from_ms, to_ms)) in windows.into_iter().enumerate() {
            let mut question = Question { component, version: None, from_ms, to_ms };
            agrees(&index, &entries, &question);
            if number == 0 {
                question.version = Some("2".to_owned());
                agrees(&index, &entries, &question);
            }
        }
    }
}

#[test]
fn chapters_agree_with_entries_of_a_slow_house() {
    all_questions_agree("slow", 1, 400);
}

/// A gate lives through chapters before the window, in the first of them beside another one that is
/// gone: what came by it is told by sums where it was alone, and row by row where it was not.
#[test]
fn what_a_gate_brought_is_told_by_sums_as_by_entries() {
    let folder = temporary("gate");
    let entries = beside_one_gate(140_000);
    write(&folder.0, &entries);
    let reader = reader(&folder.0);
    let index = Index::of(&reader);
    let time = |at: usize| entries[at].time_ms;
    for (from, to) in [(133_000, 139_000), (131_072, 139_999), (100_000, 120_000)] {
        for version in [None, Some("1".to_owned()), Some("2".to_owned())] {
            let (component, from_ms, to_ms) = (Kind::Gate, time(from), time(to));
            let question = Question { component, version, from_ms, to_ms };
            agrees(&index, &entries, &question);
            let scope = by_entries(&entries, &question);
            let has_lived = question.version.as_deref() != Some("2");
            assert_eq!((scope.instances, scope.upper > 30_000), (has_lived.into(), has_lived));
            if has_lived && from > 131_072 {
                let plan = Plan::of(&index, &Tally::new(question, Part::WHOLE)).unwrap();
                assert_eq!([0, 1].map(|number| plan.way(number)), [Way::Rows, Way::Sums]);
            }
        }
    }
}

/// One edge after the other, each with a connection, and mostly a message, told when it is gone.
fn beside_one_gate(count: usize) -> Vec<Entry> {
    let id = |number: u64| InstanceId(*number.to_be_bytes().last_chunk().unwrap());
    let start = |instance, kind, version: &str| {
        let version = Word::new(version);
        Body::ProcessStart {
            instance,
            kind,
            pid: 7,
            version,
            zygote: None,
            key: None,
            serves: None,
        }
    };
    let stop = |instance| {
        let (clean, cause, last_seq) = (true, Word::new("exit 0"), None);
        Body::ProcessStop { instance, clean, cause, last_seq }
    };
    let (gate, other) = (id(1 << 40), id(2 << 40));
    let mut told = vec![
        (Kind::Warden, gate, start(gate, Kind::Gate, "1")),
        (Kind::Warden, other, start(other, Kind::Gate, "2")),
    ];
    for number in 1..=count as u64 {
        let (instance, before) = (id(number), id(number.saturating_sub(1).max(1)));
        let connection = ConnectionId(number.to_be_bytes());
        let peer = std::net::IpAddr::from([203, 0, 113, 7]);
        let by = if number % 3 == 0 && number < 9_000 { other } else { gate };
        let service = Word::new("smtp");
        told.push((Kind::Warden, instance, start(instance, Kind::Edge, "1")));
        told.push((Kind::Gate, by, Body::Connection { connection, instance, peer, service }));
        if number == 9_000 {
            told.push((Kind::Warden, other, stop(other)));
        }
        let message = MessageId(u128::from(number).to_be_bytes());
        let (tenant, user) = (TenantId([number as u8 % 5; 8]), UserId([number as u8 % 7; 8]));
        let messages = vec![Delivery { message, user, bytes: 9, verdict: Verdict::Deliver }];
        let connection = (number % 2 == 0).then(|| ConnectionId((number - 1).to_be_bytes()));
        let deliver = Body::Deliver { instance: before, tenant, messages, connection };
        if number % 10 > 0 {
            told.push((Kind::Mailbox, id(3 << 40), deliver));
        }
        told.push((Kind::Warden, instance, stop(instance)));
    }
    told.truncate(count);
    let entry = |(at, (author, start, body)): (u64, (Kind, InstanceId, Body))| Entry {
        author,
        start,
        seq: at,
        time_ms: BEGIN_MS + at * 20,
        body,
    };
    (0..).zip(told).map(entry).collect()
}

type Line = (Option<MessageId>, TenantId, UserId, u64, u64, Vec<&'static str>, &'static str);

fn listed(naming: Naming) -> (Vec<Theirs>, Vec<Line>) {
    let (mut people, mut messages) = (Vec::new(), Vec::new());
    let told = |told: Told| {
        match told {
            Told::Person(one) => people.push(*one),
            Told::Message(one) => {
                let line = one.line().unwrap();
                let whose = (one.message, one.tenant, one.user);
                messages
                    .push((whose.0, whose.1, whose.2, one.at_ms, one.entry, line.what, line.how));
            }
        }
        true
    };
    naming.settle(true).unwrap().each(told).unwrap();
    (people, messages)
}

/// Whoever has everything, and whose it all is: by the chapters as by the entries, one by one.
#[test]
fn a_list_and_a_warden_agree() {
    let folder = temporary("listed");
    let entries = Disorder::new(5, 400).tell(140_000);
    write(&folder.0, &entries);
    let reader = reader(&folder.0);
    let index = Index::of(&reader);
    let windows = [
        (BEGIN_MS, entries[entries.len() - 1].time_ms + 1),
        (entries[30_000].time_ms, entries[100_000].time_ms),
    ];
    for (from_ms, to_ms) in windows {
        let question = |component| Question { component, version: None, from_ms, to_ms };
        agrees(&index, &entries, &question(Kind::Warden));
        for component in [Kind::Access, Kind::Scanner, Kind::Gate, Kind::Vault, Kind::Warden] {
            let question = question(component);
            let (found, expected) = (Naming::default(), Naming::default());
            index.list(&question, &found).unwrap();
            let to = Box::new(expected.clone());
            let read = |seen: &mut dyn FnMut(u64, &Entry)| {
                (0..).zip(&entries).for_each(|(index, entry)| seen(index, entry));
                Ok::<(), Infallible>(())
            };
            scope::list(&question, to, read).unwrap();
            let (found, expected) = (listed(found), listed(expected));
            assert!(found == expected, "{question:?}");
            // Whom and what it names are the very figures of the scope.
            let scope = index.measure(&question, &Proven::default()).unwrap().scope;
            let named: BTreeSet<MessageId> = found.1.iter().filter_map(|one| one.0).collect();
            let counted = scope.messages.union(&scope.could).copied().collect();
            assert!(named == counted && !named.is_empty(), "{question:?}");
            let people: u64 = scope.contracts.iter().map(|one| one.accounts).sum();
            if component != Kind::Vault {
                assert_eq!(found.0.len() as u64, people, "{question:?}");
            }
        }
    }
}

/// A chapter is over in seconds, and what is late is later than a chapter.
#[test]
fn chapters_agree_with_entries_of_a_hurried_house() {
    all_questions_agree("hurried", 3, 1);
}

/// An index of the version before is no index: it is made anew from the entries, also after a
/// crash in the middle, and until then the entries speak.
#[test]
fn an_older_index_is_made_anew() {
    let folder = temporary("older");
    let entries = Disorder::new(4, 40).tell(135_000);
    write(&folder.0, &entries);
    let chapters: Vec<PathBuf> = (0..2).map(|one| folder.0.join(chapter_name(one))).collect();
    let whole: Vec<Vec<u8>> = chapters.iter().map(|path| fs::read(path).unwrap()).collect();
    let problems = || {
        let keys = find_keys(&folder.0).unwrap();
        // The authors' signatures are none; only the index is looked at.
        let found = check(&folder.0, &keys, 0, |_, _, _| {}).unwrap().problems;
        found.into_iter().filter(|what| what.contains("index of chapter")).count()
    };
    for first in [0, 1] {
        for path in &chapters[first..] {
            let mut older = fs::read(path).unwrap();
            older[..16].copy_from_slice(b"sekisho index 2\n");
            fs::write(path, older).unwrap();
        }
        assert!(first == 0 || problems() == 1);
        let (reader, question) = (
            reader(&folder.0),
            Question { component: Kind::Edge, version: None, from_ms: 0, to_ms: u64::MAX },
        );
        let found = Index::of(&reader).measure(&question, &Proven::default()).unwrap();
        assert_eq!(found.rebuilt, 2 - first as u64);
        assert_eq!(found.scope, by_entries(&entries, &question));
        let volumes = Segments::volumes(&folder.0).unwrap();
        let (store, _) = Store::open(volumes, None, believed, |_, _| {}).unwrap();
        let (_, made) = take_up(&store, &folder.0).unwrap();
        assert_eq!(made, 2 - first as u64);
        let found: Vec<Vec<u8>> = chapters.iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(found == whole, "made anew, it is the same");
        assert!(Chapter::of(found[first].clone()).is_ok());
    }
    assert_eq!(problems(), 0);
}
