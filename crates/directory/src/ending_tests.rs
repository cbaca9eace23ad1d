//! Ends of contracts: to the end from every point at which something may break, and never twice.

use crate::changes::Changes;
use crate::endings::Swept;
use crate::friends::Friends;
use crate::statements::Statements;
use crate::tables::Tables;
use rows::RowKey;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use terms::{InstanceId, TenantId, UserId};
use wire::Channel;
use wire::approval::Act;
use wire::directory::{EndingState, EndingWait, FromAdmin, Part, PublicKey, Stated, ToAdmin};
use wire::ledger::{FromLedger, ToLedger};
use wire::mailbox::{FromDirectory as ToMailbox, ToDirectory as FromMailbox};
use wire::post::{FromDirectory as ToPost, QueueAct, ToDirectory as FromPost};
use wire::signer::{FromSigner, ToSigner};
use wire::vault::{Acted, BackupEpoch, FromDirectory, KeyAct, TenantKeys, ToDirectory};

/// Keepers that answer as often as they are allowed to, and are gone then.
#[derive(Clone)]
struct Keepers {
    allowed: Arc<AtomicI64>,
    shreds: Arc<AtomicU64>,
    is_epoch_destroyed: Arc<AtomicI64>,
    deeds: Arc<Mutex<Vec<String>>>,
    /// Whose keys the vault was told to hold.
    held: Arc<Mutex<Vec<Option<UserId>>>>,
    /// How often the mailbox and the queue were asked for dead bytes: every second time there are
    /// none. `None`: there never are.
    sweeps: Arc<Mutex<Option<(u32, u32)>>>,
    /// Domains for whose mail the signer has keys: the number of each is its file's.
    signing: Arc<Mutex<Vec<(String, u8)>>>,
    /// They do what is asked before they are gone, and nobody hears it.
    is_done_unheard: Arc<AtomicBool>,
    /// Who has no mail any more, and nothing in the queue. Everybody had one message in each.
    erased: Arc<Mutex<[Vec<UserId>; 2]>>,
}

impl Keepers {
    fn new(allowed: i64) -> Self {
        Self {
            allowed: Arc::new(AtomicI64::new(allowed)),
            shreds: Arc::default(),
            is_epoch_destroyed: Arc::new(AtomicI64::new(1)),
            deeds: Arc::default(),
            held: Arc::default(),
            sweeps: Arc::default(),
            signing: Arc::default(),
            is_done_unheard: Arc::default(),
            erased: Arc::default(),
        }
    }

    fn serve<Q: serde::de::DeserializeOwned>(
        &self,
        answer: impl Fn(&Self, Q, &dyn Fn(Answer)) + Send + 'static,
    ) -> Channel {
        let (asker, peer) = Channel::pair().unwrap();
        let keepers = self.clone();
        std::thread::spawn(move || {
            while let Ok(frame) = peer.receive(None) {
                if keepers.allowed.fetch_sub(1, Ordering::SeqCst) <= 0 {
                    if keepers.is_done_unheard.load(Ordering::SeqCst) {
                        answer(&keepers, frame.read().unwrap(), &|_| ());
                    }
                    return; // gone, in the middle of it
                }
                let call = frame.call;
                let send = |answer: Answer| {
                    let _ = match answer {
                        Answer::Vault(answer) => peer.send(call, &answer, &[]),
                        Answer::Keys(answer) => peer.send(call, &answer, &[]),
                        Answer::Mailbox(answer) => peer.send(call, &answer, &[]),
                        Answer::Post(answer) => peer.send(call, &answer, &[]),
                        Answer::Signer(answer) => peer.send(call, &answer, &[]),
                        Answer::Ledger(answer) => peer.send(call, &answer, &[]),
                    };
                };
                answer(&keepers, frame.read().unwrap(), &send);
            }
        });
        asker
    }

    fn friends(&self) -> Friends {
        let mut friends = Friends::new(InstanceId([1; 6]));
        friends.vault = Some(self.serve(Self::vault));
        friends.mailbox = Some(self.serve(Self::mailbox));
        friends.post = Some(self.serve(Self::post));
        friends.signer = Some(self.serve(Self::signer));
        friends.journal.join(self.serve(Self::ledger));
        friends
    }

    fn vault(&self, question: FromDirectory, send: &dyn Fn(Answer)) {
        let key = PublicKey { suite: 1, epoch: 2026, bytes: vec![1; 65] };
        send(match question {
            FromDirectory::End(KeyAct::ShredTenant { .. } | KeyAct::ShredUser { .. }) => {
                self.shreds.fetch_add(1, Ordering::SeqCst);
                Answer::Keys(acted())
            }
            FromDirectory::End(_) => Answer::Keys(acted()),
            FromDirectory::BackupEpochs => {
                let destroyed = self.is_epoch_destroyed.load(Ordering::SeqCst) == 1;
                Answer::Keys(wire::vault::ToAdmin::BackupEpochs(vec![BackupEpoch {
                    epoch: 1,
                    started_ms: 1,
                    ended_ms: Some(2),
                    destroyed_ms: destroyed.then_some(3),
                }]))
            }
            FromDirectory::EndedKeys(tenant) => {
                let held = self.held.lock().unwrap().clone();
                Answer::Keys(wire::vault::ToAdmin::Keys(vec![TenantKeys {
                    tenant,
                    epoch: 1,
                    users: 0,
                    pairs: 0,
                    credentials: 0,
                    sealed: false,
                    held,
                    shredded_ms: None,
                }]))
            }
            FromDirectory::Current { .. } => {
                Answer::Vault(ToDirectory::Keys { body: key.clone(), summary: key })
            }
            FromDirectory::HasStood { .. } => Answer::Vault(ToDirectory::Done),
            FromDirectory::Sign(_) => Answer::Vault(ToDirectory::Signature(vec![1])),
            _ => Answer::Vault(ToDirectory::Done),
        });
    }

    fn mailbox(&self, question: ToMailbox, send: &dyn Fn(Answer)) {
        send(Answer::Mailbox(match question {
            ToMailbox::Count { users, .. } => {
                let messages = self.having(0, &users, false);
                FromMailbox::Counted { messages, bytes: 10 * messages, rows: messages }
            }
            ToMailbox::Erase { users, .. } => {
                let messages = self.having(0, &users, true);
                FromMailbox::Erased { messages, bytes: 10 * messages, rows: messages }
            }
            ToMailbox::Sweep => FromMailbox::Swept { left: self.is_left(|asked| &mut asked.0) },
            ToMailbox::Sent { .. } => FromMailbox::Sent(None),
            ToMailbox::WentTo { .. } => FromMailbox::WentTo(false),
        }));
    }

    fn signer(&self, question: ToSigner, send: &dyn Fn(Answer)) {
        let mut signing = self.signing.lock().unwrap();
        let files = |some: &mut dyn Iterator<Item = &(String, u8)>| {
            FromSigner::KeyFiles(some.map(|(_, number)| [*number; 16]).collect())
        };
        send(Answer::Signer(match question {
            ToSigner::ForgetKeys { domains, .. } => {
                signing.retain(|(domain, _)| !domains.contains(domain));
                FromSigner::Forgotten { keys: 1 }
            }
            ToSigner::KeyFilesOf { domains } => {
                let is_known = |domain: &String| domains.iter().any(|(_, known)| known == domain);
                files(&mut signing.iter().filter(|(domain, _)| is_known(domain)))
            }
            ToSigner::KeyFiles { after: None } => files(&mut signing.iter()),
            ToSigner::KeyFiles { .. } => FromSigner::KeyFiles(Vec::new()),
            _ => FromSigner::Refused,
        }));
    }

    fn is_left(&self, of: impl Fn(&mut (u32, u32)) -> &mut u32) -> bool {
        let mut sweeps = self.sweeps.lock().unwrap();
        let Some(asked) = sweeps.as_mut().map(of) else { return false };
        *asked += 1;
        *asked % 2 == 1
    }

    /// How many of these have a message in the mailbox (0) or in the queue (1).
    fn having(&self, place: usize, users: &[UserId], erases: bool) -> u64 {
        let gone = &mut self.erased.lock().unwrap()[place];
        let having: Vec<UserId> =
            users.iter().filter(|user| !gone.contains(user)).copied().collect();
        let messages = having.len() as u64;
        if erases {
            gone.extend(having);
        }
        messages
    }

    fn post(&self, question: ToPost, send: &dyn Fn(Answer)) {
        send(Answer::Post(match question {
            ToPost::Count { users, .. } => {
                let messages = self.having(1, &users, false);
                FromPost::Counted { messages, bytes: messages }
            }
            ToPost::Erase { users, .. } => {
                let messages = self.having(1, &users, true);
                FromPost::Erased { messages, bytes: messages }
            }
            ToPost::Sweep => FromPost::Swept { left: self.is_left(|asked| &mut asked.1) },
            ToPost::Complained { .. } => FromPost::Yes,
            _ => FromPost::Fault,
        }));
    }

    fn ledger(&self, question: ToLedger, send: &dyn Fn(Answer)) {
        if let ToLedger::Append { entries, .. } = &question {
            for bytes in entries {
                let frame = evidence::Frame::parse(bytes).unwrap();
                self.deeds.lock().unwrap().push(frame.entry.body.word().to_owned());
                if let evidence::Body::RuleChange { what, .. } = &frame.entry.body {
                    self.deeds.lock().unwrap().push(what.as_str().to_owned());
                }
            }
        }
        send(Answer::Ledger(FromLedger::Taken { first_index: 0 }));
    }

    fn count(&self, deed: &str) -> usize {
        self.deeds.lock().unwrap().iter().filter(|word| *word == deed).count()
    }
}

fn acted() -> wire::vault::ToAdmin {
    wire::vault::ToAdmin::Acted(Acted {
        entry: 1,
        at_ms: 2,
        keys: 3,
        last_openable_ms: None,
        epochs_to_destroy: vec![1],
    })
}

enum Answer {
    Vault(ToDirectory),
    Keys(wire::vault::ToAdmin),
    Mailbox(FromMailbox),
    Post(FromPost),
    Signer(FromSigner),
    Ledger(FromLedger),
}

/// Nobody remembers a statement here.
fn at_once() -> Statements {
    let mut statements = Statements::default();
    statements.withdrawal = Some(Duration::ZERO);
    statements
}

struct World {
    folder: PathBuf,
    tables: Tables,
    key: RowKey,
    friends: Friends,
    statements: Statements,
    tenant: TenantId,
}

impl World {
    fn new(name: &str, keepers: &Keepers) -> Self {
        let folder = std::env::temp_dir().join(format!("ending-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut world = Self {
            tables: Tables::open(&folder).unwrap(),
            folder,
            key: RowKey::new(&[9; 32]),
            friends: keepers.friends(),
            statements: at_once(),
            tenant: TenantId::default(),
        };
        for tenant in ["Kaede", "Sakura"] {
            let domain = format!("{}.example", tenant.to_lowercase());
            let tenant = tenant.to_owned();
            world.ask(FromAdmin::TenantAdd { name: tenant.clone() });
            world.ask(FromAdmin::DomainAdd { domain: domain.clone(), tenant: tenant.clone() });
            for name in ["aoi", "haru", "mina"] {
                let address = format!("{name}@{domain}");
                let (tenant, role) = (tenant.clone(), "user".to_owned());
                world.ask(FromAdmin::UserAdd { address, tenant, role, aliases: Vec::new() });
            }
        }
        let found = world.tables.tenant_by_name(&world.key, "Kaede").unwrap();
        world.tenant = found.unwrap().0;
        world
    }

    fn part(&self) -> Part {
        Part { tenant: self.tenant, user: None }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Changes<'_>) -> T) -> T {
        act(&mut Changes {
            tables: &mut self.tables,
            key: &self.key,
            friends: &mut self.friends,
            statements: &mut self.statements,
            host_name: "mx.house.example",
            agreed: None,
        })
    }

    fn ask(&mut self, question: FromAdmin) -> ToAdmin {
        self.with(|changes| changes.carry_out(question))
    }

    fn state_of(&mut self, address: &str) -> Stated {
        let Self { tables, key, friends, statements, .. } = self;
        let now = compartment::now_ms();
        statements.state(tables, key, friends, address, "mx.house.example", now).unwrap()
    }

    fn terminate(&mut self, grace_ms: u64) -> ToAdmin {
        let tenant = self.tenant;
        self.with(|changes| changes.carry(Act::TerminateTenant { tenant, grace_ms }))
    }

    /// One turn of the directory, and of identity's looking whose rows to erase.
    fn turn(&mut self) {
        let _ = self.with(|changes| changes.tend_endings());
        for part in self.with(|changes| changes.awaiting_identity()).unwrap_or_default() {
            let _ = self.with(|changes| changes.identity_erased(part, 5));
        }
    }

    fn state(&mut self) -> Option<EndingState> {
        let part = self.part();
        self.tables.ending(&self.key, part).unwrap().map(|row| row.ending.state)
    }

    fn restart(&mut self, keepers: &Keepers) {
        self.tables = Tables::open(&self.folder).unwrap();
        self.friends = keepers.friends();
        self.statements = at_once();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn whatever_breaks_it_ends_right_and_once() {
    let mut broken = 0;
    for (cut, is_done_unheard) in (0..40).flat_map(|cut| [(cut, false), (cut, true)]) {
        let keepers = Keepers::new(i64::MAX);
        keepers.is_done_unheard.store(is_done_unheard, Ordering::SeqCst);
        let signing = [("kaede.example", 1), ("sakura.example", 2)];
        *keepers.signing.lock().unwrap() = signing.map(|(name, of)| (name.to_owned(), of)).into();
        let mut world = World::new(&format!("cut-{cut}"), &keepers);
        assert!(matches!(world.terminate(0), ToAdmin::Endings(_)));
        let users: Vec<_> = world.tables.people(&world.key, world.tenant).unwrap();
        keepers.allowed.store(cut, Ordering::SeqCst);
        for _ in 0..4 {
            world.turn();
        }
        broken += u64::from(world.state() != Some(EndingState::Destroyed));
        keepers.allowed.store(i64::MAX, Ordering::SeqCst);
        world.restart(&keepers);
        for _ in 0..4 {
            world.turn();
        }
        let part = world.part();
        let row = world.tables.ending(&world.key, part).unwrap().unwrap().ending;
        assert_eq!(row.state, EndingState::Destroyed, "cut at {cut}");
        assert_eq!((row.users, row.rows >= 12), (3, true), "cut at {cut}: {row:?}");
        // What was erased is told once, whoever was gone before they could say it.
        let told = (row.messages, row.bytes);
        assert_eq!(told, (6, 33), "cut at {cut}, unheard: {is_done_unheard}");
        assert!(row.last_open_ms >= Some(row.asked_ms));
        assert!(keepers.shreds.load(Ordering::SeqCst) >= 1);
        assert_eq!(*keepers.signing.lock().unwrap(), [("sakura.example".to_owned(), 2)], "{cut}");
        assert!(world.tables.tenant_by_name(&world.key, "Kaede").unwrap().is_none());
        let octets = std::fs::read(world.folder.join("directory.db")).unwrap();
        let mut ids: Vec<[u8; 8]> = users.iter().map(|(user, _)| user.0).collect();
        ids.push(world.tenant.0);
        for id in ids {
            assert!(!octets.windows(8).any(|window| window == id), "cut at {cut}");
        }
        // The other contract has noticed nothing.
        let other = world.tables.tenant_by_name(&world.key, "Sakura").unwrap().unwrap().0;
        assert_eq!(world.tables.people(&world.key, other).unwrap().len(), 3);
    }
    assert!(broken >= 6, "the cuts fell into the work: {broken}");
}

#[test]
fn a_hold_stops_it_and_says_so() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("hold", &keepers);
    let part = world.part();
    let reason = "訴訟".to_owned();
    let ToAdmin::Hold(hold) = world.ask(FromAdmin::HoldAdd { part, reason }) else { panic!() };
    world.terminate(0);
    world.turn();
    world.turn();
    assert_eq!(world.state(), Some(EndingState::Held));
    assert_eq!(keepers.shreds.load(Ordering::SeqCst), 0);
    let ToAdmin::Tenant(shown) = world.ask(FromAdmin::TenantShow { name: "Kaede".into() }) else {
        panic!()
    };
    assert_eq!((shown.holds, shown.ending.unwrap().state), (1, EndingState::Held));
    let (tenant, hold) = (world.tenant, hold.hold);
    world.with(|changes| changes.carry(Act::LiftHold { tenant, hold }));
    for _ in 0..4 {
        world.turn();
    }
    assert_eq!(world.state(), Some(EndingState::Destroyed));
    assert_eq!(keepers.count("hold"), 2);
    assert_eq!(keepers.count("contract.destroyed"), 1);
}

#[test]
fn mail_is_refused_before_the_keys_go_and_they_wait_for_what_was_stated() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("withdrawn", &keepers);
    world.statements = Statements::default();
    assert!(matches!(world.state_of("aoi@kaede.example"), Stated::Known { .. }));
    world.terminate(0);
    let address = "aoi@kaede.example";
    let turns = |world: &mut World| (0..3).for_each(|_| world.turn());
    turns(&mut world);
    // Refused, while whoever heard of it until now may go by that.
    assert!(matches!(world.state_of(address), Stated::Unknown));
    assert_eq!(world.state(), Some(EndingState::Grace));
    assert_eq!(keepers.shreds.load(Ordering::SeqCst), 0);
    // After a restart nothing is stated either, and the time begins anew.
    world.restart(&keepers);
    world.statements = Statements::default();
    turns(&mut world);
    assert!(matches!(world.state_of(address), Stated::Unknown));
    assert_eq!(keepers.shreds.load(Ordering::SeqCst), 0);
    // It can still be taken back.
    let part = world.part();
    assert!(matches!(world.ask(FromAdmin::Cancel(part)), ToAdmin::Done));
    assert!(matches!(world.state_of(address), Stated::Known { .. }));
    world.terminate(0);
    turns(&mut world);
    world.statements.withdrawal = Some(Duration::ZERO);
    turns(&mut world);
    assert_eq!(world.state(), Some(EndingState::Destroyed));
}

#[test]
fn in_its_grace_it_can_be_taken_back_and_after_it_not() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("grace", &keepers);
    let part = world.part();
    world.terminate(60_000);
    world.turn();
    assert_eq!(world.state(), Some(EndingState::Grace));
    assert!(matches!(world.terminate(0), ToAdmin::Refused { .. }));
    assert!(matches!(world.ask(FromAdmin::Cancel(part)), ToAdmin::Done));
    assert_eq!(world.state(), None);
    world.terminate(0);
    world.turn();
    assert!(matches!(world.ask(FromAdmin::Cancel(part)), ToAdmin::Refused { .. }));
}

#[test]
fn no_certificate_before_the_last_backup_is_noise() {
    let keepers = Keepers::new(i64::MAX);
    keepers.is_epoch_destroyed.store(0, Ordering::SeqCst);
    let mut world = World::new("epoch", &keepers);
    world.terminate(0);
    for _ in 0..4 {
        world.turn();
    }
    assert_eq!(world.state(), Some(EndingState::Destroying));
    assert_eq!(keepers.count("contract.destroyed"), 0);
    let waits = |world: &mut World| match world.ask(FromAdmin::EndingWaits) {
        ToAdmin::EndingWaits(waits) => waits,
        _ => panic!(),
    };
    let part = world.part();
    let told = waits(&mut world);
    assert_eq!(told, [(part, EndingWait::BackupEpochs(vec![1]))]);
    let told = told[0].1.told();
    assert!(told.starts_with("waits for the key of backup epoch 1: where no key backup"), "{told}");
    assert!(told.ends_with("`keys epochs end --epoch-keys DIR`"), "{told}");
    keepers.is_epoch_destroyed.store(1, Ordering::SeqCst);
    world.turn();
    assert_eq!(world.state(), Some(EndingState::Destroyed));
    assert_eq!(waits(&mut world), []);
}

#[test]
fn one_person_ends_and_the_others_stay() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("person", &keepers);
    let mut people = world.tables.people(&world.key, world.tenant).unwrap();
    people.retain(|(_, person)| !person.address.starts_with("haru@"));
    let (user, address) = (people[0].0, people[0].1.address.clone());
    let tenant = world.tenant;
    world.with(|changes| changes.carry(Act::TerminateUser { tenant, user, grace_ms: 0 }));
    for _ in 0..4 {
        world.turn();
    }
    let part = Part { tenant, user: Some(user) };
    let row = world.tables.ending(&world.key, part).unwrap().unwrap();
    assert_eq!(row.ending.state, EndingState::Destroyed);
    assert_eq!(world.tables.people(&world.key, tenant).unwrap().len(), 2);
    let ToAdmin::Patterns { ids, named, .. } = world.ask(FromAdmin::Patterns) else { panic!() };
    assert_eq!((ids, named), (vec![[&[1][..], &user.0].concat()], Vec::new()));
    // Whoever knows the address finds whose it was, in whichever spelling.
    let mut of = |address: &str| {
        let address = address.to_owned();
        let ToAdmin::Endings(found) = world.ask(FromAdmin::EndingsOf { address }) else { panic!() };
        found.into_iter().map(|ending| ending.part).collect::<Vec<_>>()
    };
    assert_eq!(of(&address), [part]);
    assert_eq!(of(&address.to_uppercase()), [part]);
    assert_eq!(of("haru@kaede.example"), []);
}

/// Stores that begin a new sweep when they are asked again, and never end in the same round.
#[test]
fn stores_that_end_in_turns_end() {
    let keepers = Keepers::new(i64::MAX);
    *keepers.sweeps.lock().unwrap() = Some((0, 1));
    let mut world = World::new("turns", &keepers);
    world.terminate(0);
    for _ in 0..6 {
        world.turn();
    }
    assert_eq!(world.state(), Some(EndingState::Destroyed));
    // Neither is asked again after its "nothing left".
    assert_eq!(*keepers.sweeps.lock().unwrap(), Some((2, 2)));
}

#[test]
fn a_row_of_an_older_version_is_read() {
    #[derive(serde::Serialize)]
    struct Older {
        ending: wire::directory::Ending,
        people: Vec<UserId>,
        keys_destroyed: bool,
        shredded_ms: u64,
        erased: usize,
        mail_erased: bool,
        identity_erased: bool,
        rows_erased: bool,
        swept: bool,
    }
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("older", &keepers);
    world.terminate(60_000);
    let part = world.part();
    let row = world.tables.ending(&world.key, part).unwrap().unwrap();
    for (swept, expected) in [(false, Swept::Nothing), (true, Swept::Both)] {
        let older = Older {
            ending: row.ending.clone(),
            people: row.people.clone(),
            keys_destroyed: true,
            shredded_ms: 7,
            erased: 0,
            mail_erased: true,
            identity_erased: true,
            rows_erased: true,
            swept,
        };
        let (token, _) =
            world.tables.many("SELECT token, sealed FROM ending", &[]).unwrap().remove(0);
        let sealed = crate::tables::seal(&world.key, "ending", &token, &older).unwrap();
        let update = "UPDATE ending SET sealed = ?1";
        world.tables.db.execute(update, (sealed,)).unwrap();
        let read = world.tables.ending(&world.key, part).unwrap().unwrap();
        assert_eq!((read.swept, read.shredded_ms), (expected, 7));
    }
}

/// A hold upon keys alone, set at the vault.
#[test]
fn a_hold_upon_keys_holds_a_person_s_ending_and_says_so() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("keys-hold", &keepers);
    let mut people = world.tables.people(&world.key, world.tenant).unwrap();
    let ((user, _), (other, _)) = (people.remove(0), people.remove(0));
    let tenant = world.tenant;
    *keepers.held.lock().unwrap() = vec![Some(user)];
    for user in [user, other] {
        world.with(|changes| changes.carry(Act::TerminateUser { tenant, user, grace_ms: 0 }));
    }
    let state = |world: &mut World, user| {
        for _ in 0..4 {
            world.turn();
        }
        let part = Part { tenant, user: Some(user) };
        world.tables.ending(&world.key, part).unwrap().unwrap().ending.state
    };
    assert_eq!(state(&mut world, user), EndingState::Held);
    // It is no hold of anybody else's.
    assert_eq!(state(&mut world, other), EndingState::Destroyed);
    keepers.held.lock().unwrap().clear();
    assert_eq!(state(&mut world, user), EndingState::Destroyed);
}

/// Where aoi's address stands in the house, by the words of a search.
fn address_everywhere(world: &mut World, haru: UserId) {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for (address, members) in [
        ("staff@kaede.example", &["aoi@kaede.example", "haru@kaede.example"][..]),
        ("solo@kaede.example", &["aoi@kaede.example"]),
    ] {
        let (address, tenant) = (address.to_owned(), Some("Kaede".to_owned()));
        let (with, without) = (words(members), Vec::new());
        world.with(|changes| {
            changes.change_group(&address, tenant.as_deref(), (&with, &without)).unwrap()
        });
    }
    let change = wire::lists::Change {
        with_owners: words(&["aoi@kaede.example"]),
        ..wire::lists::Change::default()
    };
    for command in [
        wire::lists::Command::Add {
            address: "tea@kaede.example".to_owned(),
            tenant: "Kaede".to_owned(),
            change,
        },
        wire::lists::Command::Members {
            address: "tea@kaede.example".to_owned(),
            with: words(&["aoi@kaede.example", "mina@kaede.example"]),
            without: Vec::new(),
        },
    ] {
        world.with(|changes| changes.list_command(command).unwrap());
    }
    let way = crate::ways::WayRow { to: words(&["aoi@kaede.example"]), ..Default::default() };
    world.tables.keep_way(&world.key, (world.tenant, haru), &way).unwrap();
    let mut row = world.tables.domain_row(&world.key, "kaede.example").unwrap().unwrap();
    row.catch_all = Some("aoi@kaede.example".to_owned());
    world.tables.change_domain(&world.key, &row).unwrap();
}

#[test]
fn a_person_s_address_leaves_every_row_of_their_contract() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("address", &keepers);
    let people = world.tables.people(&world.key, world.tenant).unwrap();
    let of = |name: &str| people.iter().find(|one| one.1.address.starts_with(name)).unwrap().0;
    let (aoi, haru) = (of("aoi"), of("haru"));
    address_everywhere(&mut world, haru);
    // What a person of another contract wrote down is theirs.
    let other = world.tables.tenant_by_name(&world.key, "Sakura").unwrap().unwrap().0;
    let (theirs, _) = world.tables.people(&world.key, other).unwrap().remove(0);
    let to = vec!["aoi@kaede.example".to_owned()];
    let way = crate::ways::WayRow { to: to.clone(), ..Default::default() };
    world.tables.keep_way(&world.key, (other, theirs), &way).unwrap();

    let tenant = world.tenant;
    world.with(|changes| changes.carry(Act::TerminateUser { tenant, user: aoi, grace_ms: 0 }));
    for _ in 0..4 {
        world.turn();
    }
    let part = Part { tenant, user: Some(aoi) };
    let row = world.tables.ending(&world.key, part).unwrap().unwrap();
    assert_eq!(row.ending.state, EndingState::Destroyed);
    let groups = world.tables.groups(&world.key).unwrap();
    let groups: Vec<_> = groups.into_iter().map(|(_, row)| (row.address, row.members)).collect();
    assert_eq!(groups, [("staff@kaede.example".to_owned(), vec!["haru@kaede.example".to_owned()])]);
    let (_, list) = world.tables.list(&world.key, "tea@kaede.example").unwrap().unwrap();
    assert_eq!(list.owners, ["postmaster@kaede.example"]);
    let members = world.tables.members(&world.key, "tea@kaede.example", (None, 9)).unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(world.tables.way(&world.key, haru).unwrap().to, Vec::<String>::new());
    assert_eq!(world.tables.catch_all(&world.key, "kaede.example").unwrap(), None);
    assert_eq!(world.tables.way(&world.key, theirs).unwrap().to, to);
    let named = |world: &mut World| world.with(|changes| changes.still_named().unwrap());
    assert_eq!(named(&mut world), []);

    // Whatever is left is found, until somebody has the address again.
    address_everywhere(&mut world, haru);
    let way = crate::ways::WayRow { to, ..Default::default() };
    world.tables.keep_way(&world.key, (tenant, haru), &way).unwrap();
    let found = named(&mut world);
    assert!(found.contains(&(aoi, "forward of haru@kaede.example".to_owned())), "{found:?}");
    assert!(found.contains(&(aoi, "catch-all of kaede.example".to_owned())), "{found:?}");
    world.ask(FromAdmin::UserAdd {
        address: "aoi@kaede.example".to_owned(),
        tenant: "Kaede".to_owned(),
        role: "user".to_owned(),
        aliases: Vec::new(),
    });
    assert_eq!(named(&mut world), []);
}

#[test]
fn what_an_operator_does_to_a_letter_is_recorded() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("queue-act", &keepers);
    let (user, _) = world.tables.people(&world.key, world.tenant).unwrap().remove(0);
    let part = Part { tenant: world.tenant, user: Some(user) };
    let message = terms::MessageId([7; 16]);
    for act in [QueueAct::Hold, QueueAct::Release, QueueAct::Cancel] {
        let told = world.ask(FromAdmin::QueueAct { part, message, act });
        assert!(matches!(told, ToAdmin::Done));
        let what = format!("outgoing.{}-by-operator {message}", act.word());
        assert_eq!(keepers.count(&what), 1, "{what}");
    }
    // Without the ledger it is not done.
    keepers.allowed.store(0, Ordering::SeqCst);
    let told = world.ask(FromAdmin::QueueAct { part, message, act: QueueAct::Hold });
    assert!(matches!(told, ToAdmin::Fault(_)));
}

/// Keys that sign in the name of a domain that is nobody's are a remain, whoever left them.
#[test]
fn keys_of_nobody_s_domain_are_found() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("stray-keys", &keepers);
    *keepers.signing.lock().unwrap() = vec![("sakura.example".to_owned(), 2)];
    world.terminate(0);
    for _ in 0..4 {
        world.turn();
    }
    let keys = |world: &mut World| match world.ask(FromAdmin::Patterns) {
        ToAdmin::Patterns { keys, .. } => keys,
        _ => panic!("no patterns"),
    };
    assert!(keys(&mut world).is_empty());
    keepers.signing.lock().unwrap().push(("kaede.example".to_owned(), 1));
    assert_eq!(keys(&mut world), ["dkim-01010101010101010101010101010101"]);
    // Without an answer nobody says that nothing is left.
    world.friends.signer = None;
    assert!(matches!(world.ask(FromAdmin::Patterns), ToAdmin::Fault(_)));
}
