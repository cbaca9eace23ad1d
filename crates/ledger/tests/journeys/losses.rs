//! Journeys: what somebody took from both logs while the house stood still is missed at the next
//! start, said, and not forgotten; what can come back does; a torn batch is nobody's loss.

use super::*;
use wire::control::Report;

/// Stops what `written` left running, so that both folders can be changed.
pub fn stopped(name: &str) -> House {
    let mut house = written(name, 30);
    stop_mirror(&mut house);
    ledger::remember(&house.folder).unwrap();
    house
}

fn stop_mirror(house: &mut House) {
    let mirror = house.mirror.take().unwrap();
    mirror.send(0, &Order::Stop, &[]).unwrap();
    while mirror.receive(Some(LIMIT)).is_ok() {}
}

fn beside(house: &House) -> PathBuf {
    house.folder.with_extension("seen")
}

/// Starts the house with new authors, lets it take three releases, and stops it: the alarms of
/// the ledger and of the mirror.
pub fn live_on(house: &mut House, first: u8) -> (Vec<String>, Vec<String>) {
    ledger::before_start(&house.folder, &beside(house)).unwrap();
    house.next_release = 0;
    if house.ledger().join("log").exists() {
        ledger::entries(&house.ledger(), |_, entry| {
            house.next_release += u64::from(matches!(entry.body, Body::Release { .. }));
        })
        .unwrap();
    }
    house.first = first;
    (house.warden, house.vault) = House::authors(first);
    let mut running = house.start();
    house.say_names(&mut running);
    // What came back from the mirror is known when names were taken.
    house.next_release = 0;
    ledger::entries(&house.ledger(), |_, entry| {
        house.next_release += u64::from(matches!(entry.body, Body::Release { .. }));
    })
    .unwrap();
    for _ in 0..3 {
        assert!(house.vault.record(house.next_release, release(house.next_release)));
        house.next_release += 1;
    }
    // Whatever is lost and not given back shuts releases; their numbers run on all the same.
    let is_shut = !house.append(&mut running, true);
    assert!(!is_shut || house.append(&mut running, false));
    let mut own = alarms(&running.control);
    let before = own.len();
    own.retain(|what| !what.contains("no mail is opened"));
    assert_eq!(before - own.len(), usize::from(is_shut), "{own:?}");
    house.stop(running);
    let mirrors = alarms(house.mirror.as_ref().unwrap());
    stop_mirror(house);
    (own, mirrors)
}

pub fn alarms(control: &Channel) -> Vec<String> {
    let mut found = Vec::new();
    while let Ok(Some(frame)) = control.take() {
        if let Ok(Report::Alarm { what }) = frame.read() {
            found.push(what);
        }
    }
    found
}

fn cut(folder: &Path, octets: u64) {
    let log = fs::File::options().write(true).open(folder.join("log")).unwrap();
    log.set_len(log.metadata().unwrap().len() - octets).unwrap();
}

fn root_of(house: &House) -> String {
    ledger::head(&house.ledger(), None).unwrap().root.to_base64()
}

#[test]
fn both_logs_cut_below_what_was_cosigned() {
    let mut house = stopped("ledger-both-cut");
    let root = root_of(&house);
    cut(&house.ledger(), 3_000);
    cut(&house.mirror(), 3_000);
    assert!(!house.verify().ok);
    let (own, mirrors) = live_on(&mut house, 0x21);
    let expected = format!("the ledger lost entries: 32 were cosigned with the root {root}, ");
    assert!(own.iter().any(|what| what.starts_with(&expected)), "{own:?}");
    assert!(own.iter().all(|what| what.len() <= 160), "an entry holds no more: {own:?}");
    let expected = "the mirror lost entries: 32 were cosigned";
    assert!(mirrors.iter().any(|what| what.starts_with(expected)), "{mirrors:?}");
    // The log goes on, beyond what it once was; what was lost stays lost, start after start.
    for first in [0x31, 0x41, 0x51] {
        let (own, _) = live_on(&mut house, first);
        assert!(own.iter().any(|what| what.contains(&root)), "{own:?}");
    }
    let found = house.verify();
    assert!(!found.ok && found.size > 32 && found.mirror_agrees == Some(true));
    assert_eq!(found.missing.len(), 2);
    let missing = &found.missing[0];
    assert_eq!((missing.expected_size, missing.expected_root.to_base64()), (32, root));
    assert!(missing.same_key && missing.found_root.is_some_and(|at| at != missing.expected_root));
    // Whoever knows takes the statements away.
    for folder in [house.ledger(), house.mirror()] {
        for lost in annals::lost_of(&folder).unwrap() {
            fs::remove_file(folder.join(lost.name)).unwrap();
        }
    }
    let (own, mirrors) = live_on(&mut house, 0x61);
    assert_eq!((own, mirrors), (Vec::new(), Vec::new()));
    assert_eq!(house.verify().problems, Vec::<String>::new());
}

#[test]
fn both_folders_removed_or_put_back_older() {
    let mut house = stopped("ledger-both-gone");
    let (root, kept) = (root_of(&house), house.folder.with_extension("kept"));
    let _ = fs::remove_dir_all(&kept);
    copy_folder(&house.folder, &kept);
    live_on(&mut house, 0x21);
    ledger::remember(&house.folder).unwrap();
    // Older copies of both: only the house remembers more.
    for name in ["ledger", "mirror"] {
        fs::remove_dir_all(house.folder.join(name)).unwrap();
        copy_folder(&kept.join(name), &house.folder.join(name));
    }
    assert!(house.verify().ok, "each by itself is whole");
    let (own, _) = live_on(&mut house, 0x31);
    assert!(own.iter().any(|what| what.contains("the ledger lost entries: 37")), "{own:?}");
    assert!(!house.verify().ok);
    // Gone.
    for name in ["ledger", "mirror", ledger::SEEN] {
        let _ = fs::remove_dir_all(house.folder.join(name));
    }
    fs::copy(kept.join(ledger::SEEN), house.folder.join(ledger::SEEN)).unwrap();
    // By itself it makes no key in the place of one that was there: somebody gives it another one.
    let give_key = |house: &House, seed: u8| {
        fs::create_dir_all(house.ledger()).unwrap();
        fs::write(house.ledger().join("key"), [seed; 32]).unwrap();
    };
    give_key(&house, 0x71);
    let (own, mirrors) = live_on(&mut house, 0x41);
    let expected =
        format!("the ledger has another key: 32 entries were cosigned with the root {root}");
    assert_eq!((own, mirrors), (vec![expected], Vec::new()));
    let found = house.verify();
    assert!(!found.ok && !found.missing[0].same_key, "{:?}", found.problems);
    // Gone with every memory of it; but there are keys for mail that it knew of.
    for name in ["ledger", "mirror"] {
        fs::remove_dir_all(house.folder.join(name)).unwrap();
    }
    fs::remove_file(house.folder.join(ledger::SEEN)).unwrap_or_default();
    fs::create_dir_all(house.folder.join("vault")).unwrap();
    fs::write(house.folder.join("vault/keys"), "sealed").unwrap();
    give_key(&house, 0x72);
    let (own, _) = live_on(&mut house, 0x51);
    assert_eq!(own, ["the ledger was gone at a start of a house that had run before"]);
    assert!(!house.verify().ok);
    fs::remove_dir_all(kept).unwrap();
}

#[test]
fn one_log_cut_comes_back_with_an_alarm() {
    let mut house = stopped("ledger-one-cut");
    cut(&house.ledger(), 3_000);
    let (own, mirrors) = live_on(&mut house, 0x21);
    assert!(own.len() == 1 && own[0].ends_with("entries were lost here and came back"), "{own:?}");
    assert_eq!(mirrors, Vec::<String>::new());
    assert_eq!(house.verify().problems, Vec::<String>::new());
    cut(&house.mirror(), 3_000);
    let (own, mirrors) = live_on(&mut house, 0x31);
    assert!(own.len() == 1 && own[0].starts_with("the mirror lost entries"), "{own:?}");
    assert!(mirrors.len() == 1 && mirrors[0].starts_with("the mirror lost entries"));
    assert_eq!(house.verify().problems, Vec::<String>::new());
    // The next start takes away what is held again, and is quiet.
    assert_eq!(live_on(&mut house, 0x41), (Vec::new(), Vec::new()));
    for folder in [house.ledger(), house.mirror()] {
        assert!(annals::lost_of(&folder).unwrap().is_empty());
    }
}

/// Whoever starts the house may be root, and the ledger's folder is another's.
#[test]
fn what_is_laid_in_the_folder_is_not_written_to() {
    let house = stopped("ledger-laid");
    let note = fs::read(house.folder.join(ledger::SEEN)).unwrap();
    let other = house.folder.join("other");
    fs::write(&other, "untouched").unwrap();
    let lost = house.ledger().join(annals::lost_name(&note));
    std::os::unix::fs::symlink(&other, &lost).unwrap();
    cut(&house.ledger(), 3_000);
    ledger::before_start(&house.folder, &beside(&house)).unwrap();
    assert_eq!(fs::read(&other).unwrap(), b"untouched");
    // A checkpoint that is none is not followed, nor waited for.
    fs::remove_file(house.ledger().join("checkpoint")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", house.ledger().join("checkpoint")).unwrap();
    ledger::remember(&house.folder).unwrap();
}

#[test]
fn a_new_house_and_a_torn_batch_are_quiet() {
    let mut house = House::new("ledger-torn");
    let reader = beside(&house);
    // What was seen of another house under this name is set aside.
    fs::write(&reader, "what was").unwrap();
    assert_eq!(live_on(&mut house, 0x21), (Vec::new(), Vec::new()));
    let aside = house.folder.with_extension("seen.before-1");
    assert_eq!(fs::read(&aside).unwrap(), b"what was");
    fs::remove_file(aside).unwrap();
    for folder in [house.ledger(), house.mirror()] {
        let log = fs::read(folder.join("log")).unwrap();
        let (_, record) = &records(&log)[2];
        let torn = &record[..record.len() - 5];
        fs::write(folder.join("log"), [&log[..], torn].concat()).unwrap();
    }
    ledger::remember(&house.folder).unwrap();
    assert!(house.verify().ok);
    assert_eq!(live_on(&mut house, 0x31), (Vec::new(), Vec::new()));
    let found = house.verify();
    assert_eq!((found.problems, found.size), (Vec::new(), 10));
}
