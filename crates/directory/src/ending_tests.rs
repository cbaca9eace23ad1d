//! Ends of contracts: to the end from every point at which something may break, and never twice.

use crate::changes::Changes;
use crate::friends::Friends;
use crate::statements::Statements;
use crate::tables::Tables;
use rows::RowKey;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use terms::{InstanceId, TenantId};
use wire::Channel;
use wire::approval::Act;
use wire::directory::{EndingState, FromAdmin, Part, PublicKey, ToAdmin};
use wire::ledger::{FromLedger, ToLedger};
use wire::mailbox::{FromDirectory as ToMailbox, ToDirectory as FromMailbox};
use wire::post::{FromDirectory as ToPost, ToDirectory as FromPost};
use wire::vault::{Acted, BackupEpoch, FromDirectory, KeyAct, ToDirectory};

/// Keepers that answer as often as they are allowed to, and are gone then.
#[derive(Clone)]
struct Keepers {
    allowed: Arc<AtomicI64>,
    shreds: Arc<AtomicU64>,
    is_epoch_destroyed: Arc<AtomicI64>,
    deeds: Arc<Mutex<Vec<String>>>,
}

impl Keepers {
    fn new(allowed: i64) -> Self {
        Self {
            allowed: Arc::new(AtomicI64::new(allowed)),
            shreds: Arc::default(),
            is_epoch_destroyed: Arc::new(AtomicI64::new(1)),
            deeds: Arc::default(),
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
                    return; // gone, in the middle of it
                }
                let call = frame.call;
                let send = |answer: Answer| {
                    let _ = match answer {
                        Answer::Vault(answer) => peer.send(call, &answer, &[]),
                        Answer::Keys(answer) => peer.send(call, &answer, &[]),
                        Answer::Mailbox(answer) => peer.send(call, &answer, &[]),
                        Answer::Post(answer) => peer.send(call, &answer, &[]),
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
            FromDirectory::EndedKeys(_) => Answer::Keys(wire::vault::ToAdmin::Keys(Vec::new())),
            FromDirectory::Current { .. } => {
                Answer::Vault(ToDirectory::Keys { body: key.clone(), summary: key })
            }
            FromDirectory::Sign(_) => Answer::Vault(ToDirectory::Signature(vec![1])),
            _ => Answer::Vault(ToDirectory::Done),
        });
    }

    fn mailbox(&self, question: ToMailbox, send: &dyn Fn(Answer)) {
        send(Answer::Mailbox(match question {
            ToMailbox::Erase { users, .. } => FromMailbox::Erased {
                messages: users.len() as u64,
                bytes: 10 * users.len() as u64,
                rows: 1,
            },
            ToMailbox::Sweep => FromMailbox::Swept { left: false },
            ToMailbox::Sent { .. } => FromMailbox::Sent(None),
            ToMailbox::WentTo { .. } => FromMailbox::WentTo(false),
        }));
    }

    /// Nothing waits in it.
    fn post(&self, question: ToPost, send: &dyn Fn(Answer)) {
        send(Answer::Post(match question {
            ToPost::Erase { .. } => FromPost::Erased { messages: 0, bytes: 0 },
            ToPost::Sweep => FromPost::Swept { left: false },
            ToPost::Complained { .. } => FromPost::Yes,
            _ => FromPost::Fault,
        }));
    }

    fn ledger(&self, question: ToLedger, send: &dyn Fn(Answer)) {
        if let ToLedger::Append { entries, .. } = &question {
            for bytes in entries {
                let frame = evidence::Frame::parse(bytes).unwrap();
                self.deeds.lock().unwrap().push(frame.entry.body.word().to_owned());
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
    Ledger(FromLedger),
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
            statements: Statements::default(),
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
        self.statements = Statements::default();
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
    for cut in 0..40 {
        let keepers = Keepers::new(i64::MAX);
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
        assert!(row.last_open_ms >= Some(row.asked_ms));
        assert!(keepers.shreds.load(Ordering::SeqCst) >= 1);
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
    keepers.is_epoch_destroyed.store(1, Ordering::SeqCst);
    world.turn();
    assert_eq!(world.state(), Some(EndingState::Destroyed));
}

#[test]
fn one_person_ends_and_the_others_stay() {
    let keepers = Keepers::new(i64::MAX);
    let mut world = World::new("person", &keepers);
    let (user, _) = world.tables.people(&world.key, world.tenant).unwrap().remove(0);
    let tenant = world.tenant;
    world.with(|changes| changes.carry(Act::TerminateUser { tenant, user, grace_ms: 0 }));
    for _ in 0..4 {
        world.turn();
    }
    let part = Part { tenant, user: Some(user) };
    let row = world.tables.ending(&world.key, part).unwrap().unwrap();
    assert_eq!(row.ending.state, EndingState::Destroyed);
    assert_eq!(world.tables.people(&world.key, tenant).unwrap().len(), 2);
    let ToAdmin::Patterns(patterns) = world.ask(FromAdmin::Patterns) else { panic!() };
    assert_eq!(patterns, [[&[1][..], &user.0].concat()]);
}
