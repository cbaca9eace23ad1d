//! Somebody without the root writes to the keys' file while no vault runs.

use super::*;
use crate::sums::{Contents, Form};
use crate::tip::TIP;

const CREDENTIAL: [u8; 32] = [5; 32];

fn root() -> RootKey {
    RootKey::from_credential(&CREDENTIAL).unwrap()
}

/// A store with two persons, a seal that was set and lifted, and a hold. It was stopped well.
fn store(name: &str) -> std::path::PathBuf {
    let folder = folder(&format!("sums-{name}"));
    let mut keys = Keys::open(&folder, root(), 1).unwrap();
    keys.make_tenant(TENANT).unwrap();
    keys.make_user(TENANT, USER, 202_611).unwrap();
    keys.make_user(TENANT, OTHER, 202_611).unwrap();
    let hold = KeyAct::Hold { tenant: TENANT, user: None, on: true };
    let acts =
        [KeyAct::SealTenant { tenant: TENANT }, KeyAct::UnsealTenant { tenant: TENANT }, hold];
    for act in acts {
        let number = keys.intend(&act).unwrap();
        keys.carry_out(number, &act, 7, 202_611).unwrap();
    }
    stopped(keys, &folder);
    folder
}

fn stopped(mut keys: Keys, folder: &Path) {
    let mut stood = keys.open_stood(folder).unwrap();
    stood.flush().unwrap();
    keys.keep_tip(Some(&stood), Some(7)).unwrap();
    std::fs::write(folder.join("sighted"), "sekisho\n7\n").unwrap();
}

/// What a start on it comes to: its fault, or what it tells.
fn started(folder: &Path) -> Result<Vec<String>, String> {
    let fault = |fault: Fault| fault.to_string();
    let mut keys = Keys::open(folder, root(), 1).map_err(fault)?;
    keys.open_stood(folder).map_err(fault)?;
    Ok(std::mem::take(&mut keys.amiss))
}

fn contents(folder: &Path) -> Contents {
    Contents::read(&std::fs::read(folder.join("keys")).unwrap()).unwrap()
}

/// Changes the file as somebody does who knows how it is made, and has not the root.
fn forge(folder: &Path, change: impl FnOnce(&mut Contents)) {
    let mut found = contents(folder);
    change(&mut found);
    std::fs::write(folder.join("keys"), &*found.write().unwrap()).unwrap();
}

/// The store of `name` after `change`: no start believes it, and it is said why.
fn is_refused(name: &str, change: impl FnOnce(&mut Contents)) {
    let folder = store(name);
    assert_eq!(started(&folder), Ok(Vec::new()));
    forge(&folder, change);
    let told = started(&folder).unwrap_err();
    assert!(told.starts_with("somebody without the root changed `vault/keys`"), "{told}");
    assert!(told.len() < 200 && told.contains("restore --data NEW"), "the warden cuts it: {told}");
    assert_eq!(opens(&folder, &CREDENTIAL).unwrap(), Some(true), "the house starts, its vault not");
    assert!(started(&folder).is_err(), "and so it stays");
}

fn place_of(found: &Contents, is_it: impl Fn(&Row) -> bool) -> usize {
    let is_it = |octets: &[u8]| Row::read(octets).is_some_and(|row| is_it(&row));
    found.records.iter().position(|record| is_it(&record.octets)).unwrap()
}

fn added(found: &mut Contents, form: Form, row: &Row) {
    let mut record = found.records.last().unwrap().clone();
    record.form = form;
    record.octets = Zeroizing::new(row.write().unwrap());
    if form == Form::Unsigned {
        record.sum = Default::default();
    }
    found.records.push(record);
}

#[test]
fn what_somebody_adds_lifts_nothing() {
    let marks = [
        Row::Held { tenant: TENANT, user: None, on: false },
        Row::Sealed { tenant: TENANT, on: false },
        Row::Summed { entry: None },
    ];
    for (number, row) in marks.iter().enumerate() {
        is_refused(&format!("whole-{number}"), |found| added(found, Form::Whole, row));
        is_refused(&format!("unsigned-{number}"), |found| added(found, Form::Unsigned, row));
    }
    // Nor does it say that keys were destroyed that are there.
    let shredded = Row::Shredded { tenant: TENANT, user: Some(USER), at_ms: 3 };
    is_refused("shredded", |found| added(found, Form::Unsigned, &shredded));
}

#[test]
fn what_somebody_takes_out_or_exchanges_is_found() {
    let is_hold = |row: &Row| matches!(row, Row::Held { on: true, .. });
    let is_pair = |row: &Row| matches!(row, Row::Pair { .. });
    is_refused("taken", |found| {
        let place = place_of(found, |row| matches!(row, Row::Sealed { on: true, .. }));
        found.records.remove(place);
    });
    is_refused("twice", |found| {
        let place = place_of(found, is_hold);
        found.records.push(found.records[place].clone());
    });
    is_refused("swapped", |found| {
        let place = place_of(found, |row| matches!(row, Row::Sealed { on: true, .. }));
        found.records.swap(place, place + 2);
    });
    // A key row may be emptied where its key was destroyed, and no other row ever.
    is_refused("emptied", |found| {
        let place = place_of(found, is_pair);
        assert!(found.records[place].empty());
    });
    let folder = store("mark");
    let mut found = contents(&folder);
    let place = place_of(&found, is_hold);
    assert!(!found.records[place].empty());
    is_refused("hollow", |found| {
        let place = place_of(found, is_hold);
        found.records[place].form = Form::Emptied;
        found.records[place].octets = Zeroizing::new(vec![1; 49]);
    });
}

/// Mail would be sealed to it, and open for nobody.
#[test]
fn a_public_key_that_somebody_put_there_is_found() {
    is_refused("public", |found| {
        let (first, second) = {
            let is_of = |row: &Row, of| matches!(row, Row::Pair { user, .. } if *user == of);
            (place_of(found, |row| is_of(row, USER)), place_of(found, |row| is_of(row, OTHER)))
        };
        let public_of = |place: usize| match Row::read(&found.records[place].octets) {
            Some(Row::Pair { public, .. }) => public,
            _ => panic!("a pair"),
        };
        let other = public_of(second);
        let Some(Row::Pair { tenant, user, class, stored, .. }) =
            Row::read(&found.records[first].octets)
        else {
            panic!("a pair")
        };
        let row = Row::Pair { tenant, user, class, public: other, stored };
        found.records[first].octets = Zeroizing::new(row.write().unwrap());
    });
}

/// Records of the file that this one took the place of: each was the vault's own once.
#[test]
fn older_records_are_not_spliced_in() {
    let folder = store("older");
    let older = contents(&folder);
    let mut keys = Keys::open(&folder, root(), 1).unwrap();
    let rotate = KeyAct::Rotate(Rotation::Root);
    let number = keys.intend(&rotate).unwrap();
    keys.carry_out(number, &rotate, 8, 202_611).unwrap();
    stopped(keys, &folder);
    let is_seal = |row: &Row| matches!(row, Row::Sealed { on: false, .. });
    forge(&folder, |found| found.records.push(older.records[place_of(&older, is_seal)].clone()));
    assert!(started(&folder).is_err());
    // With its head the file is whole, and another one than was there last.
    std::fs::write(folder.join("keys"), &*older.write().unwrap()).unwrap();
    let told = started(&folder).unwrap();
    assert!(told.len() == 1 && told[0].contains("is not the file that was there last"), "{told:?}");
}

#[test]
fn a_tail_that_is_cut_off_is_told() {
    let folder = store("cut");
    // The newest row, and with what act the one before says that it is settled.
    forge(&folder, |found| found.records.truncate(found.records.len() - 2));
    let told = started(&folder).unwrap();
    assert!(told.len() == 1 && told[0].contains("ends before its end"), "{told:?}");
    // Acts that were meant are there before they are done: the start does this one again.
    let keys = Keys::open(&folder, root(), 1).unwrap();
    assert_eq!(keys.state.intents.len(), 1);
    // Without what tells it, that is told.
    let folder = store("tip");
    std::fs::remove_file(folder.join(TIP)).unwrap();
    let told = started(&folder).unwrap();
    assert!(told.len() == 1 && told[0].starts_with("`vault/tip` is gone"), "{told:?}");
    let folder = store("tip-made");
    let mut tip = std::fs::read(folder.join(TIP)).unwrap();
    tip[20] ^= 1;
    std::fs::write(folder.join(TIP), tip).unwrap();
    let told = started(&folder).unwrap();
    assert!(told.len() == 1 && told[0].starts_with("`vault/tip` is not what"), "{told:?}");
}

#[test]
fn what_was_seen_of_the_ledger_is_not_taken_away_unseen() {
    let folder = store("sighted");
    let check = |text: Option<&str>, expected: &str| {
        let path = folder.join("sighted");
        match text {
            Some(text) => std::fs::write(path, text).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let told = started(&folder).unwrap();
        assert!(told.iter().any(|one| one.contains(expected)), "{expected}: {told:?}");
    };
    check(Some("sekisho\n6\n"), "7 entries of the ledger were seen, it says 6");
    check(None, "`vault/sighted` is gone");
    std::fs::write(folder.join("sighted"), "sekisho\n8\n").unwrap();
    assert_eq!(started(&folder), Ok(Vec::new()));
}

#[test]
fn who_stood_behind_an_address_is_the_vault_s_word() {
    let folder = store("stood");
    let path = folder.join("stood");
    let bytes = std::fs::read(&path).unwrap();
    // A plain one, with a record of somebody's making.
    let mut plain = Vec::new();
    crate::sums::put_unsigned(&mut plain, &[1; 40], false).unwrap();
    crate::sums::put_unsigned(&mut plain, &[2; 40], false).unwrap();
    std::fs::write(&path, &plain).unwrap();
    let told = started(&folder).unwrap_err();
    assert!(told.starts_with("somebody without the root changed `vault/stood`"), "{told}");
    let mut added = bytes.clone();
    crate::sums::put_unsigned(&mut added, &[1; 40], true).unwrap();
    std::fs::write(&path, &added).unwrap();
    assert!(started(&folder).is_err());
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(started(&folder), Ok(Vec::new()));
    std::fs::remove_file(&path).unwrap();
    let told = started(&folder).unwrap();
    assert!(told.len() == 1 && told[0].starts_with("`vault/stood` is gone"), "{told:?}");
}

/// A damaged disk: no octet of it passes unseen, and the house itself starts.
#[test]
fn a_flipped_octet_is_found_wherever_it_is() {
    let folder = store("flipped");
    let (path, tip) = (folder.join("keys"), std::fs::read(folder.join(TIP)).unwrap());
    let whole = std::fs::read(&path).unwrap();
    let mut passed = 0;
    for at in 0..whole.len() {
        for bit in [1, 0x20, 0x80].into_iter().take(if at < 128 { 3 } else { 1 }) {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            std::fs::write(&path, &bytes).unwrap();
            std::fs::write(folder.join(TIP), &tip).unwrap();
            let says = opens(&folder, &CREDENTIAL).unwrap();
            assert_ne!(says, Some(false), "octet {at}: another credential");
            match started(&folder) {
                Err(told) => assert!(told.contains("`vault/keys`"), "octet {at}: {told}"),
                // As an append that was never finished; what is gone with it is told.
                Ok(told) => {
                    passed += 1;
                    assert!(!told.is_empty(), "octet {at}, bit {bit}");
                }
            }
        }
    }
    println!("taken for an unfinished append: {passed} of {}", whole.len());
    let mut bytes = whole.clone();
    let middle = whole.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let told = started(&folder).unwrap_err();
    assert!(told.starts_with("`vault/keys` is damaged: expected a record with its sum"), "{told}");
    assert!(told.len() < 200 && look(&folder).is_err(), "{told}");
}

#[test]
fn an_append_that_was_never_finished_is_no_attack() {
    let folder = store("torn");
    let path = folder.join("keys");
    let whole = std::fs::read(&path).unwrap();
    let last = contents(&folder).records.last().unwrap().at as usize;
    for count in [4, 12, 27, whole.len() - last] {
        let mut bytes = whole.clone();
        let torn: Vec<u8> = whole[last..][..count].to_vec();
        bytes.extend(torn);
        bytes[whole.len()..][..4].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(started(&folder), Ok(Vec::new()), "{count} octets");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}

/// `backup` and `restore` have no root: what they do is weighed, and has sums then.
#[test]
fn what_is_done_without_the_root_is_signed_by_the_next_start() {
    let folder = store("loose");
    let key = BackupKey { print: [3; 32], place: "/elsewhere".to_owned() };
    note_epoch_key(&folder, 1, &key).unwrap();
    let shred = |what, at_ms| Shred { tenant: TENANT, what, at_ms };
    let shreds = [shred(Destroyed::Keys(Some(OTHER)), 9), shred(Destroyed::SignIns, 9)];
    assert_eq!(apply_shreds(&folder, &shreds).unwrap(), 3);
    assert_eq!(apply_shreds(&folder, &shreds).unwrap(), 0);
    let told = look(&folder).unwrap();
    assert_eq!((told.shredded, told.backup_keys.get(&1)), (1, Some(&key)));
    let told = started(&folder).unwrap();
    assert!(told.len() == 1 && told[0].starts_with("3 keys were taken out"), "{told:?}");
    let found = contents(&folder);
    assert!(found.records.iter().all(|record| record.form == Form::Whole));
    let keys = Keys::open(&folder, root(), 1).unwrap();
    assert!(keys.state.is_shredded(TENANT, OTHER) && keys.user_key(TENANT, USER).is_some());
    drop(keys);
    // Another key for an epoch that has one is nobody's to name.
    let row = Row::BackupKey { epoch: 1, print: [4; 32], place: "/mine".to_owned() };
    forge(&folder, |found| added(found, Form::Unsigned, &row));
    assert!(started(&folder).is_err());
}

const RECORDED: &str = "sums";

fn sums_recorded(scene: &Scene) -> usize {
    let is_it =
        |deed: &Body| matches!(deed, Body::KeyRotate { what, .. } if what.as_str() == RECORDED);
    scene.ledger.deeds().iter().filter(|deed| is_it(deed)).count()
}

/// The rows of a store as an earlier version would have kept them.
fn made_plain(folder: &Path) {
    let mut bytes = Vec::new();
    for row in contents(folder).into_rows() {
        crate::sums::put_unsigned(&mut bytes, &row, false).unwrap();
    }
    std::fs::write(folder.join("keys"), bytes).unwrap();
}

#[test]
fn rows_with_sums_open_in_no_plain_file() {
    let folder = store("stripped");
    made_plain(&folder);
    assert!(started(&folder).is_err(), "the vault");
    assert_eq!(opens(&folder, &CREDENTIAL).unwrap(), Some(false), "the house");
}

/// A plain store, made by an earlier version, with one tenant and its person.
fn plain_scene(name: &str, start: u8) -> (Scene, std::path::PathBuf) {
    let scene = Scene::open(name, start);
    let scene = scene.restart_after(start + 1, |folder| {
        for name in ["keys", "stood", TIP] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        std::fs::write(folder.join("keys"), include_bytes!("../keys_of_2026_11")).unwrap();
    });
    let old = folder(&format!("{name}-old"));
    std::fs::write(old.join("keys"), include_bytes!("../keys_of_2026_11")).unwrap();
    (scene, old)
}

#[test]
fn a_plain_file_is_given_sums_once_it_is_compared() {
    let (mut scene, old) = plain_scene("plain", 130);
    scene.alarms();
    let waited = Instant::now();
    while sums_recorded(&scene) == 0 || contents(&scene.folder).head.is_none() {
        assert!(waited.elapsed() < LIMIT);
        thread::sleep(Duration::from_millis(20));
    }
    scene.acted(KeyAct::SealTenant { tenant: TENANT });
    let mut scene = scene.restart(132);
    assert_eq!((scene.alarms(), sums_recorded(&scene)), (Vec::new(), 1));
    assert!(scene.state().sealed.contains(&TENANT) && !scene.state().sums_unrecorded);
    // The older copy is whole, and whoever has it adds to it what they like.
    let mut scene = scene.restart_after(133, |folder| {
        std::fs::copy(old.join("keys"), folder.join("keys")).unwrap();
    });
    assert_eq!(scene.read(), "evidence away");
    let waited = Instant::now();
    let mut told = Vec::new();
    while told.is_empty() {
        assert!(waited.elapsed() < LIMIT);
        while let Ok(frame) = scene.running.warden.receive(Some(Duration::from_millis(50))) {
            if let Ok(Report::Alarm { what }) = frame.read() {
                told.push(what);
            }
        }
    }
    assert!(told.len() == 1 && told[0].starts_with("`vault/keys` has no sums"), "{told:?}");
    let current = FromDirectory::Current { tenant: TENANT, user: USER };
    assert!(matches!(ask(&mut scene.desk.directory, &current), ToDirectory::EvidenceAway));
    assert!(contents(&scene.folder).head.is_none(), "nothing is signed of it");
    scene.running.stop();
}

/// `cargo test --release -p vault start_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn start_speed() {
    let public = {
        let folder = store("speed-pair");
        let keys = Keys::open(&folder, root(), 1).unwrap();
        keys.state.newest(TENANT, USER, unseal::Class::Body).unwrap().public.encode()
    };
    let made = |has_sums: bool| {
        let folder = folder(&format!("sums-speed-{has_sums}"));
        let root = if has_sums { root().with_sums() } else { root() };
        let (_, stored) = root.make_tenant(TENANT, 1).unwrap();
        let mut rows = vec![Row::Tenant { tenant: TENANT, epoch: 1, stored: stored.clone() }];
        for number in 0..33_333_u64 {
            let (tenant, user, stored) = (TENANT, UserId(number.to_be_bytes()), stored.clone());
            rows.push(Row::User { tenant, user, stored: stored.clone() });
            for class in [0, 1] {
                let class = [unseal::Class::Summary, unseal::Class::Body][class].byte();
                let (public, stored) = (public.clone(), stored.clone());
                rows.push(Row::Pair { tenant, user, class, public, stored });
            }
        }
        let epoch = BackupEpoch { epoch: 1, started_ms: 1, ended_ms: None, destroyed_ms: None };
        rows.push(Row::BackupEpoch(epoch));
        let rows: Records = rows.iter().map(|row| Zeroizing::new(row.write().unwrap())).collect();
        let (mut journal, _) = journal::Journal::open(&folder.join("keys")).unwrap();
        let key = unseal::SecretsKey::of(&root, "records of the vault").unwrap();
        match has_sums {
            true => journal.take_sums(&rows, key).unwrap(),
            false => journal.rewrite(&rows).unwrap(),
        }
        folder
    };
    let folders = [made(false), made(true)];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..9 {
        for (folder, times) in folders.iter().zip(&mut times) {
            let start = Instant::now();
            drop(Keys::open(folder, root(), 1).unwrap());
            times.push(start.elapsed().as_micros());
        }
    }
    for (name, times) in ["plain", "with sums"].iter().zip(&mut times) {
        times.sort_unstable();
        println!("100,000 rows, {name}: {} µs ({} to {})", times[4], times[0], times[8]);
    }
}

/// The file tells rows apart by their first octet, without reading them whole.
#[test]
fn kinds_of_rows_are_their_places() {
    let (tenant, user, stored) = (TENANT, USER, vec![9; 61]);
    let rows = [
        Row::Tenant { tenant, epoch: 1, stored: stored.clone() },
        Row::User { tenant, user, stored: stored.clone() },
        Row::Transit { tenant, public: vec![1; 70], stored: stored.clone() },
        Row::Credential { tenant, id: [1; 8], at_ms: 2, stored: stored.clone() },
        Row::Root { epoch: 2, stored: stored.clone() },
        Row::Derived { stored },
    ];
    let owner = |row: &Row| crate::sums::owner(&row.write().unwrap());
    let expected = |kind: u8, user: [u8; 8]| [&[kind][..], &TENANT.0, &user].concat();
    assert_eq!(owner(&rows[0])[..], expected(1, [0; 8]));
    assert_eq!(owner(&rows[1])[..], expected(1, USER.0));
    assert_eq!(owner(&rows[2])[..], expected(1, [0; 8]));
    assert_eq!(owner(&rows[3])[..], expected(2, [0; 8]));
    assert!(rows[4..].iter().all(|row| owner(row) == [0; 17]));
    assert!(rows[4..].iter().all(|row| Row::is_of_root(&row.write().unwrap())));
    assert!(!rows[..4].iter().any(|row| Row::is_of_root(&row.write().unwrap())));
}
