//! Keys rotated, sealed, held, frozen and destroyed, through the vault's own channels.

mod older;
mod sums;

use super::*;
use crate::journal::Records;
use crate::life::without;
use crate::rows::{Row, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

const SECOND: TenantId = TenantId([41; 8]);
const THIRD: UserId = UserId([42; 8]);
const GRANT: GrantId = GrantId([1; 16]);

/// A settled vault, somebody who may act on keys, and a message of the first tenant's user.
struct Scene {
    folder: std::path::PathBuf,
    ledger: Ledger,
    running: Running,
    desk: Desk,
    admin: Channel,
    item: Item,
}

impl Scene {
    fn open(name: &str, start: u8) -> Self {
        let (ledger, folder) = (Ledger::new(), folder(name));
        let running = Running::start(&folder, &ledger, start);
        let mut desk = running.settle();
        made(&mut desk.directory, FromDirectory::MakeTenant(SECOND));
        made(&mut desk.directory, FromDirectory::MakeUser { tenant: SECOND, user: THIRD });
        opened(&mut desk, GRANT);
        let (item, _) = sealed(&mut desk.access, 1, seal::Class::Body);
        let admin = running.join(Kind::Admin, InstanceId([60; 6]), None);
        Self { folder, ledger, running, desk, admin, item }
    }

    /// By whoever may bring it.
    fn act(&mut self, act: KeyAct) -> ToAdmin {
        match act {
            KeyAct::ShredTenant { .. } | KeyAct::ShredUser { .. } => {
                ask(&mut self.desk.directory, &FromDirectory::End(act))
            }
            act if act.needs_two() => ask(&mut self.desk.identity, &FromIdentity::Act(act)),
            act => ask(&mut self.admin, &FromAdmin::Act(act)),
        }
    }

    fn acted(&mut self, act: KeyAct) -> Acted {
        match self.act(act) {
            ToAdmin::Acted(acted) => acted,
            ToAdmin::Refused { expected, found, .. } => panic!("refused: {expected}: {found}"),
            _ => panic!("another answer"),
        }
    }

    fn refused(&mut self, act: KeyAct, why: &str) {
        let ToAdmin::Refused { expected, found, .. } = self.act(act) else { panic!("{why}") };
        assert!(format!("{expected}: {found}").contains(why), "{expected}: {found}");
    }

    fn read(&mut self) -> String {
        words(&release(&mut self.desk.access, Class::Body, vec![self.item.clone()]))
    }

    /// A new start on the same folder; the session comes again.
    fn restart(self, start: u8) -> Self {
        self.restart_after(start, |_| {})
    }

    /// The same, with something done to the folder while no vault runs on it.
    fn restart_after(self, start: u8, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { folder, ledger, running, desk, item, .. } = self;
        running.stop();
        drop(desk);
        meanwhile(&folder);
        let running = Running::start(&folder, &ledger, start);
        let mut identity = running.join(Kind::Identity, InstanceId([11; 6]), None);
        let directory = running.join(Kind::Directory, InstanceId([10; 6]), None);
        let access = running.join(Kind::Access, SESSION, Some((TENANT, USER)));
        let (public, session) = open::Session::new(seal::Suite::P256).unwrap();
        enter(&ledger, &mut identity, grant(GRANT, USER, SESSION, public.encode()));
        let mut desk = Desk { directory, identity, access, session, public: public.encode() };
        let _ = ask::<_, ToAccess>(&mut desk.access, &FromAccess::Open(GRANT));
        let admin = running.join(Kind::Admin, InstanceId([61; 6]), None);
        Self { folder, ledger, running, desk, admin, item }
    }

    /// The wrapped forms of every key of a tenant, as they stand in the store.
    fn stored(&self, of: TenantId) -> Vec<Vec<u8>> {
        let (_, records) = rows_in(&copied(&self.folder).join("keys"));
        let stored = |row| match row {
            rows::Row::Tenant { tenant, stored, .. }
            | rows::Row::User { tenant, stored, .. }
            | rows::Row::Pair { tenant, stored, .. } => (tenant == of).then_some(stored),
            _ => None,
        };
        records.iter().filter_map(|record| rows::Row::read(record).and_then(stored)).collect()
    }

    /// Whether these octets stand anywhere in the folder.
    fn finds(&self, octets: &[u8]) -> bool {
        std::fs::read_dir(&self.folder).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(octets.len()).any(|window| window == octets)
        })
    }
}

/// A copy to look into: the journal mends what it opens.
fn copied(folder: &Path) -> std::path::PathBuf {
    let to = folder.with_extension("copy");
    let _ = std::fs::remove_dir_all(&to);
    std::fs::create_dir_all(&to).unwrap();
    std::fs::copy(folder.join("keys"), to.join("keys")).unwrap();
    to
}

#[test]
fn a_shredded_tenant_is_nowhere_and_the_others_read_on() {
    let mut scene = Scene::open("shred", 70);
    let (first, second) = (scene.stored(TENANT), scene.stored(SECOND));
    assert_eq!((first.len(), second.len()), (7, 4));
    assert!(second.iter().all(|stored| scene.finds(stored)));
    let hold = |on| KeyAct::Hold { tenant: SECOND, user: Some(THIRD), on };
    scene.acted(hold(true));
    scene.refused(KeyAct::ShredTenant { tenant: SECOND }, "a hold on user");
    scene.refused(KeyAct::ShredUser { tenant: SECOND, user: THIRD }, "a hold on user");
    scene.acted(hold(false));
    let shredded = scene.acted(KeyAct::ShredTenant { tenant: SECOND });
    assert_eq!((shredded.last_openable_ms, shredded.epochs_to_destroy), (None, vec![1]));
    assert!(second.iter().all(|stored| !scene.finds(stored)));
    assert!(first.iter().all(|stored| scene.finds(stored)));
    let deeds = scene.ledger.deeds();
    let Body::KeyShred { what, tenant, user, .. } = &deeds[shredded.entry as usize] else {
        panic!()
    };
    assert_eq!((what.as_str(), *tenant, *user), ("tenant", Some(SECOND), None));
    assert_eq!(scene.read(), "released [1]");
    // It does not come back, and the last epoch's key is destroyed by whoever holds it.
    let again = FromDirectory::MakeTenant(SECOND);
    assert!(matches!(ask(&mut scene.desk.directory, &again), ToDirectory::Refused(_)));
    scene.refused(KeyAct::ShredTenant { tenant: SECOND }, "none for tenant");
    scene.refused(KeyAct::EpochDestroyed { epoch: 2 }, "backup epoch that has ended");
    let destroyed = scene.acted(KeyAct::EpochDestroyed { epoch: 1 });
    assert!(destroyed.last_openable_ms.is_some());
    let mut scene = scene.restart(71);
    assert_eq!(scene.read(), "released [1]");
    let user = KeyAct::ShredUser { tenant: TENANT, user: USER };
    scene.acted(user);
    let again = FromDirectory::MakeUser { tenant: TENANT, user: USER };
    assert!(matches!(ask(&mut scene.desk.directory, &again), ToDirectory::Refused(_)));
    let other = FromDirectory::Current { tenant: TENANT, user: OTHER };
    assert!(matches!(ask(&mut scene.desk.directory, &other), ToDirectory::Keys { .. }));
    let question = FromAdmin::Keys { tenant: None };
    let ToAdmin::Keys(listed) = ask(&mut scene.admin, &question) else { panic!() };
    let counts: Vec<_> = listed.iter().map(|row| (row.users, row.shredded_ms.is_some())).collect();
    assert_eq!(counts, [(1, false), (0, true)]);
    scene.running.stop();
}

#[test]
fn every_level_is_rotated_and_old_mail_opens() {
    let mut scene = Scene::open("rotate", 72);
    let before = scene.stored(TENANT);
    let (tenant, user) = (TENANT, USER);
    let rotations = [
        (Rotation::Pairs { tenant, user }, 2),
        (Rotation::User { tenant, user }, 5),
        (Rotation::Tenant { tenant }, 3),
        (Rotation::Root, 2),
    ];
    let mut epochs = Vec::new();
    for (number, (rotation, keys)) in rotations.into_iter().enumerate() {
        let acted = scene.acted(KeyAct::Rotate(rotation));
        assert_eq!(acted.keys, keys, "{rotation:?}");
        assert!(matches!(scene.ledger.deeds()[acted.entry as usize], Body::KeyRotate { .. }));
        assert_eq!(scene.read(), "released [1]", "{rotation:?}");
        scene = scene.restart(73 + number as u8);
        assert_eq!(scene.read(), "released [1]", "{rotation:?}");
        // New mail uses the last pair, and opens as well.
        let (new, _) = sealed(&mut scene.desk.access, 9, seal::Class::Body);
        epochs.push(new.epoch);
        let answer = release(&mut scene.desk.access, Class::Body, vec![new]);
        assert_eq!(words(&answer), "released [1]");
    }
    assert_eq!(epochs[0], scene.item.epoch + (1 << 20));
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]));
    // Of the first user, of the tenant and of the root nothing is wrapped as it was: the other
    // user's pairs, which no rotation was about, are.
    let kept = before.iter().filter(|stored| scene.finds(stored)).count();
    assert_eq!(kept, 2);
    scene.running.stop();
}

#[test]
fn a_sealed_tenant_receives_and_does_not_read() {
    let mut scene = Scene::open("seal", 80);
    let tenant = TENANT;
    scene.acted(KeyAct::SealTenant { tenant });
    scene.refused(KeyAct::SealTenant { tenant }, "sealed already");
    assert_eq!(scene.read(), "Stopped");
    sealed(&mut scene.desk.access, 2, seal::Class::Body);
    scene.refused(KeyAct::Rotate(Rotation::Tenant { tenant }), "is sealed");
    let mut scene = scene.restart(81);
    assert_eq!(scene.read(), "Stopped");
    // Others' keys are written anew around it.
    scene.acted(KeyAct::Rotate(Rotation::Tenant { tenant: SECOND }));
    scene.acted(KeyAct::Rotate(Rotation::Root));
    scene.acted(KeyAct::UnsealTenant { tenant });
    let mut scene = scene.restart(82);
    assert_eq!(scene.read(), "released [1]");
    let freeze = |on| {
        let (tenant, user, instance) = (Some(TENANT), Some(USER), None);
        KeyAct::Freeze(Freeze { on, tenant, user, instance })
    };
    scene.acted(freeze(true));
    assert_eq!(scene.read(), "Stopped");
    let mut scene = scene.restart(83);
    assert_eq!(scene.read(), "Stopped");
    scene.acted(freeze(false));
    scene = scene.restart(84);
    assert_eq!(scene.read(), "released [1]");
    scene.running.stop();
}

#[test]
fn nothing_is_destroyed_unrecorded_and_a_start_finishes_what_was_meant() {
    let scene = Scene::open("intent", 85);
    scene.ledger.mood(AWAY);
    let shred = KeyAct::ShredTenant { tenant: SECOND };
    scene.desk.directory.send(7, &FromDirectory::End(shred), &[]).unwrap();
    // The intent is on disk and the entry on its way; nothing is destroyed.
    let is_meant = || {
        let (_, records) = rows_in(&copied(&scene.folder).join("keys"));
        !rows::State::of(&records).unwrap().intents.is_empty()
    };
    let asked = Instant::now();
    while !is_meant() && asked.elapsed() < LIMIT {
        thread::yield_now();
    }
    let stored = scene.stored(SECOND);
    assert_eq!(stored.len(), 4);
    scene.ledger.mood(TRUE);
    let scene = scene.restart(86);
    let asked = Instant::now();
    while !scene.stored(SECOND).is_empty() && asked.elapsed() < LIMIT {
        thread::yield_now();
    }
    assert!(stored.iter().all(|stored| !scene.finds(stored)));
    let shreds = scene.ledger.deeds();
    assert!(shreds.iter().any(|deed| matches!(deed, Body::KeyShred { .. })));
    scene.running.stop();
}

#[test]
fn an_act_is_taken_only_from_whoever_may_bring_it() {
    let mut scene = Scene::open("turn", 89);
    let (tenant, user, on) = (SECOND, THIRD, false);
    let agreed = [
        KeyAct::SealTenant { tenant },
        KeyAct::UnsealTenant { tenant },
        KeyAct::Hold { tenant, user: Some(user), on },
        KeyAct::Freeze(Freeze { on, tenant: Some(tenant), user: None, instance: None }),
        KeyAct::Rotate(Rotation::Root),
        KeyAct::Rotate(Rotation::Tenant { tenant }),
        KeyAct::Rotate(Rotation::User { tenant, user }),
        KeyAct::Rotate(Rotation::Pairs { tenant, user }),
    ];
    let shreds = [KeyAct::ShredTenant { tenant }, KeyAct::ShredUser { tenant, user }];
    let alone = [KeyAct::Hold { tenant, user: None, on: true }, KeyAct::StartBackupEpoch];
    let (stored, deeds) = (scene.stored(SECOND), scene.ledger.deeds().len());
    let is_refused = |answer: ToAdmin| matches!(answer, ToAdmin::Refused { .. });
    for act in agreed.iter().chain(&shreds) {
        let answer = ask(&mut scene.admin, &FromAdmin::Act(act.clone()));
        assert!(is_refused(answer), "admin {act:?}");
    }
    for act in shreds.iter().chain(&alone) {
        let answer = ask(&mut scene.desk.identity, &FromIdentity::Act(act.clone()));
        assert!(is_refused(answer), "identity {act:?}");
    }
    assert_eq!((scene.stored(SECOND), scene.ledger.deeds().len()), (stored, deeds));
    for act in agreed {
        scene.acted(act);
    }
    scene.running.stop();
}

#[test]
fn pairs_change_with_the_calendar() {
    let (ledger, folder) = (Ledger::new(), folder("calendar"));
    let now = Arc::new(AtomicU64::new(evidence::parse_rfc3339("2026-11-29T00:00:00Z").unwrap()));
    let clock = {
        let now = now.clone();
        Box::new(move || now.load(Ordering::SeqCst))
    };
    let running = Running::start_at(&folder, &ledger, 87, clock);
    let mut directory = running.join(Kind::Directory, InstanceId([10; 6]), None);
    made(&mut directory, FromDirectory::MakeTenant(TENANT));
    made(&mut directory, FromDirectory::MakeUser { tenant: TENANT, user: USER });
    let mut check = |day: &str, body: u32, summary: u32| {
        now.store(evidence::parse_rfc3339(day).unwrap(), Ordering::SeqCst);
        let question = FromDirectory::Current { tenant: TENANT, user: USER };
        let ToDirectory::Keys { body: b, summary: s } = ask(&mut directory, &question) else {
            panic!()
        };
        assert_eq!((b.epoch, s.epoch), (body, summary), "{day}");
    };
    check("2026-11-30T00:00:00Z", 2026, 24_323);
    check("2026-12-01T00:00:00Z", 2026, 24_324);
    check("2027-01-01T00:00:00Z", 2027, 24_325);
    // A clock that jumps back makes no older pair.
    check("2026-12-31T00:00:00Z", 2027, 24_325);
    let mut identity = running.join(Kind::Identity, InstanceId([60; 6]), None);
    let rotation = Rotation::Pairs { tenant: TENANT, user: USER };
    let answer = ask(&mut identity, &FromIdentity::Act(KeyAct::Rotate(rotation)));
    assert!(matches!(answer, ToAdmin::Acted(_)));
    check("2027-01-02T00:00:00Z", 1 << 20 | 2027, 1 << 20 | 24_325);
    check("2027-02-01T00:00:00Z", 1 << 20 | 2027, 24_326);
    running.stop();
}

/// Made by the version before keys were rotated, sealed or destroyed: `keys` as it wrote it.
#[test]
fn a_folder_of_the_version_before_opens() {
    let folder = folder("before");
    std::fs::write(folder.join("keys"), include_bytes!("keys_of_2026_11")).unwrap();
    let root = || RootKey::from_credential(&[5; 32]).unwrap();
    let mut keys = Keys::open(&folder, root(), 1).unwrap();
    assert!(Keys::open(&folder, RootKey::from_credential(&[6; 32]).unwrap(), 1).is_err());
    let pair = keys.pair(TENANT, USER, unseal::Class::Body, 2026);
    let public = pair.unwrap().public().clone();
    assert!(keys.knows(TENANT, USER, unseal::Class::Body, &public));
    let number = keys.intend(&KeyAct::Rotate(Rotation::Root)).unwrap();
    keys.carry_out(number, &KeyAct::Rotate(Rotation::Root), 2, 202_611).unwrap();
    drop(keys);
    let keys = Keys::open(&folder, root(), 1).unwrap();
    assert!(keys.pair(TENANT, USER, unseal::Class::Body, 2026).is_some());
}

#[test]
fn a_directory_that_lies_redirects_nobody() {
    let ledger = Ledger::new();
    let folder = folder("lies");
    let running = Running::start(&folder, &ledger, 88);
    let mut desk = running.settle();
    let said = |directory: &mut Channel, address: &str, user| {
        let question = FromDirectory::Current { tenant: TENANT, user };
        let ToDirectory::Keys { body, summary } = ask(directory, &question) else { panic!() };
        let now = compartment::now_ms();
        let statement = Statement {
            onward: Vec::new(),
            transit: None,
            absence: None,
            address: address.to_owned(),
            tenant: TENANT,
            recipients: vec![Recipient { user, body, summary }],
            settings: TenantSettings::default(),
            issued_ms: now,
            valid_until_ms: now + 3_600_000,
        };
        postcard::to_stdvec(&statement).unwrap()
    };
    let own = said(&mut desk.directory, "aoi@example.jp", USER);
    let answer = ask(&mut desk.directory, &FromDirectory::Sign(own));
    assert!(matches!(answer, ToDirectory::Signature(_)));
    running.stop();
    let running = Running::start(&folder, &ledger, 89);
    let mut directory = running.join(Kind::Directory, InstanceId([10; 6]), None);
    let other = said(&mut directory, "aoi@example.jp", OTHER);
    let answer = ask(&mut directory, &FromDirectory::Sign(other.clone()));
    let ToDirectory::NeedsChange { what } = answer else { panic!() };
    // An entry that nobody recorded, one that says something else, and the one that is asked for.
    let mut author = Author::new(Kind::Directory, InstanceId([10; 6]), &[10; 32]);
    let mut change = |what: &str, is_recorded: bool| {
        let (what, tenant, user) = (what.into(), Some(TENANT), Some(OTHER));
        let body =
            Body::RuleChange { what, tenant, user, weakened: None, by: None, credential: None };
        let entry = author.sign(1, body).unwrap();
        let kept = match is_recorded {
            true => ledger.append(vec![entry.clone()], true),
            false => ledger.append(vec![author.sign(1, Body::Heartbeat {}).unwrap()], true),
        };
        let Some(wire::ledger::FromLedger::Proved { mut proofs, checkpoint }) = kept else {
            panic!()
        };
        Proven { entry, proof: proofs.remove(0), checkpoint }
    };
    let mut check = |change: Proven, expected: bool| {
        let question = FromDirectory::SignChanged { statement: other.clone(), change };
        let answer = ask(&mut directory, &question);
        assert_eq!(matches!(answer, ToDirectory::Signature(_)), expected);
    };
    check(change(&what, false), false);
    check(change("user.add", true), false);
    let true_one = change(&what, true);
    check(Proven { checkpoint: b"no note".to_vec(), ..true_one.clone() }, false);
    check(true_one, true);
    running.stop();
}

#[test]
fn another_credential_opens_and_the_old_one_does_not() {
    let scene = Scene::open("reseal", 90);
    let (folder, ledger) = (scene.folder.clone(), scene.ledger.clone());
    scene.running.stop();
    let with = |credential: u8| RootKey::from_credential(&[credential; 32]).unwrap();
    let derived = |keys: &Keys| *keys.derived("directory policy").unwrap().dangerous_expose();
    let before = Keys::open(&folder, with(5), 1).unwrap();
    let (policy, statement) = (derived(&before), before.statement.public());
    drop(before);
    assert!(reseal(&folder, &[9; 32], &[6; 32]).is_err());
    reseal(&folder, &[5; 32], &[6; 32]).unwrap();
    assert!(Keys::open(&folder, with(5), 1).is_err());
    let keys = Keys::open(&folder, with(6), 1).unwrap();
    assert_eq!((derived(&keys), keys.statement.public()), (policy, statement));
    assert!(keys.pair(TENANT, USER, unseal::Class::Body, scene.item.epoch).is_some());
    assert_eq!(look(&folder).unwrap().unfinished, 1);
    drop((keys, ledger));
}

#[test]
fn an_older_store_forgets_again_what_the_ledger_says_was_destroyed() {
    let mut scene = Scene::open("restored", 91);
    let old = copied(&scene.folder);
    let before = look(&old).unwrap();
    assert_eq!((before.tenants, before.shredded, before.backup_epoch), (2, 0, 1));
    scene.acted(KeyAct::ShredTenant { tenant: SECOND });
    scene.acted(KeyAct::ShredUser { tenant: TENANT, user: OTHER });
    let shreds: Vec<Shred> =
        scene.ledger.deeds().into_iter().filter_map(|deed| Shred::of(&told_at(1, deed))).collect();
    scene.running.stop();
    assert_eq!(apply_shreds(&old, &shreds).unwrap(), 4 + 3);
    assert_eq!(apply_shreds(&old, &shreds).unwrap(), 0);
    let keys = Keys::open(&old, RootKey::from_credential(&[5; 32]).unwrap(), 1).unwrap();
    let body = unseal::Class::Body;
    let opens = |tenant, user| keys.pair(tenant, user, body, scene.item.epoch).is_some();
    assert_eq!(
        [opens(TENANT, USER), opens(TENANT, OTHER), opens(SECOND, THIRD)],
        [true, false, false]
    );
    assert_eq!(look(&old).unwrap().shredded, 2);
}

#[test]
fn what_is_shredded_leaves_no_name_of_a_person_behind() {
    let freeze =
        |user| Freeze { on: false, tenant: Some(TENANT), user: Some(user), instance: None };
    let rotated = |user| KeyAct::Rotate(Rotation::User { tenant: TENANT, user });
    let rows = [
        Row::User { tenant: TENANT, user: USER, stored: vec![7] },
        Row::Intent { number: 1, act: rotated(USER) },
        Row::Settled { number: 1 },
        Row::Frozen(freeze(USER)),
        Row::Held { tenant: TENANT, user: Some(USER), on: false },
        Row::Intent { number: 2, act: KeyAct::Freeze(freeze(OTHER)) },
    ];
    let records = || rows.iter().map(|row| Zeroizing::new(row.write().unwrap())).collect();
    let names = |records: &Records, user: UserId| {
        records.iter().any(|record| record.windows(8).any(|eight| eight == user.0))
    };
    let (left, gone) = without(records(), TENANT, Some(USER), Vec::new()).unwrap();
    assert!(gone == 1 && !names(&left, USER) && names(&left, OTHER));
    // An act that is not settled stays: a start must finish it.
    let (left, gone) = without(records(), TENANT, None, Vec::new()).unwrap();
    assert!(gone == 1 && !names(&left, USER) && names(&left, OTHER));
    let (left, _) = without(records(), TENANT, None, vec![Row::Settled { number: 2 }]).unwrap();
    assert!(!names(&left, OTHER));
    // Numbers of acts are never given twice, though the acts are forgotten.
    assert_eq!(State::of(&left).unwrap().next_intent, 3);
}

/// One key an epoch: what was sealed under it ends with that key, and with no other.
#[test]
fn an_epoch_with_a_known_key_is_over_with_that_key_alone() {
    let witness = [3; 32];
    let known = |print, place: &str| BackupKey { print, place: place.to_owned() };
    let first = known(epoch_print(&witness), "/somewhere");
    let mut scene = Scene::open("epoch-key", 92).restart_after(93, |folder| {
        note_epoch_key(folder, 1, &first).unwrap();
        // What was noted stays.
        note_epoch_key(folder, 1, &known([0; 32], "/elsewhere")).unwrap();
        note_epoch_key(folder, 2, &known([0; 32], "/elsewhere")).unwrap();
        assert_eq!(look(folder).unwrap().backup_keys[&1], first);
    });
    let ended = |witness| KeyAct::EpochKeyDestroyed { epoch: 1, witness };
    scene.refused(ended(witness), "a backup epoch that has ended");
    scene.acted(KeyAct::StartBackupEpoch);
    scene.refused(KeyAct::EpochDestroyed { epoch: 1 }, "/somewhere");
    scene.refused(ended([4; 32]), "another key than");
    assert!(scene.acted(ended(witness)).last_openable_ms.is_some());
    // A key that nobody can show is gone by the word of two.
    scene.acted(KeyAct::StartBackupEpoch);
    scene.refused(KeyAct::EpochDestroyed { epoch: 2 }, "/elsewhere");
    let gone = KeyAct::EpochGone { epoch: 2 };
    let alone: ToAdmin = ask(&mut scene.admin, &FromAdmin::Act(gone.clone()));
    assert!(matches!(alone, ToAdmin::Refused { .. }));
    let acted = scene.acted(gone);
    let deeds = scene.ledger.deeds();
    let Body::KeyBackup { what, epoch: 2 } = &deeds[acted.entry as usize] else { panic!() };
    assert_eq!(what.as_str(), "gone");
    // Of an epoch without a backup nothing is known, and nothing opens.
    scene.acted(KeyAct::StartBackupEpoch);
    scene.acted(KeyAct::EpochDestroyed { epoch: 3 });
    scene.running.stop();
}
