//! Journeys: whoever reads evidence that is not whole is told so, whichever file was changed and
//! however little was read; and keys, a mirror, memories that are not what they were are named.

use super::losses::{alarms, live_on, stopped};
use super::*;
use ledger::Memory;

/// Copies of a stopped house's folders, changed one way at a time.
struct Kept {
    house: House,
    copy: PathBuf,
}

impl Kept {
    fn new(name: &str) -> Self {
        let house = stopped(name);
        let copy = house.folder.with_extension("kept");
        let _ = fs::remove_dir_all(&copy);
        copy_folder(&house.folder, &copy);
        assert_eq!(doubts(&house), Vec::<String>::new());
        assert!(house.verify().ok, "{:?}", house.verify().problems);
        Self { house, copy }
    }

    fn put_back(&self) {
        fs::remove_dir_all(&self.house.folder).unwrap();
        copy_folder(&self.copy, &self.house.folder);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.copy);
        let _ = fs::remove_dir_all(&self.house.folder);
    }
}

fn memories(house: &House) -> Vec<Memory> {
    Memory::of(&house.folder.join(ledger::SEEN)).into_iter().collect()
}

fn doubts(house: &House) -> Vec<String> {
    ledger::doubts(&house.ledger(), Some(&house.mirror()), || memories(house)).unwrap()
}

fn flip(path: PathBuf, at: usize) {
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn readers_are_told_of_every_flipped_octet_and_every_rollback() {
    let kept = Kept::new("ledger-doubts");
    let house = &kept.house;
    let log = fs::read(house.ledger().join("log")).unwrap();
    let check = |what: &str, word: &str, change: &dyn Fn()| {
        change();
        let found = doubts(house);
        assert!(found.iter().any(|one| one.contains(word)), "{what}: {found:?}");
        kept.put_back();
        assert_eq!(doubts(house), Vec::<String>::new(), "{what}: not put back");
    };
    for at in (11..log.len()).step_by(211) {
        let word = "the ledger's log";
        flip(house.ledger().join("log"), at);
        let found = doubts(house);
        let named = found.iter().any(|one| one.contains(word) || one.contains("expected"));
        assert!(named, "octet {at}: {found:?}");
        kept.put_back();
    }
    let cut = |folder: &Path, left: usize| {
        let bytes = fs::read(folder.join("log")).unwrap();
        let mut end = 0;
        // Behind a checkpoint: the rest is a whole log, as an older copy is.
        let mut at = 0;
        for (sort, record) in records(&bytes) {
            at += record.len();
            if sort == tlog::Sort::Note && at <= left {
                end = at;
            }
        }
        fs::write(folder.join("log"), &bytes[..end]).unwrap();
    };
    let half = log.len() / 2;
    let without = |folder: &Path, name: &str| drop(fs::remove_file(folder.join(name)));
    let seen = house.folder.join(ledger::SEEN);
    // Whatever alone still knows how far the ledger had come is asked.
    check("the ledger's own saved one", "ledger/checkpoint`", &|| {
        cut(&house.ledger(), half);
        fs::remove_dir_all(house.mirror()).unwrap();
        fs::remove_file(&seen).unwrap();
    });
    check("the mirror's saved one", "mirror/checkpoint`", &|| {
        cut(&house.ledger(), half);
        cut(&house.mirror(), half);
        without(&house.ledger(), "checkpoint");
        fs::remove_file(&seen).unwrap();
    });
    check("the mirror's log", "mirror/log`", &|| {
        cut(&house.ledger(), half);
        without(&house.ledger(), "checkpoint");
        without(&house.mirror(), "checkpoint");
        fs::remove_file(&seen).unwrap();
    });
    check("the house's memory", "/seen`", &|| {
        for folder in [house.ledger(), house.mirror()] {
            cut(&folder, half);
            without(&folder, "checkpoint");
        }
    });
    check("junk in the memory", "holds no checkpoint", &|| fs::write(&seen, b"junk").unwrap());
    check("nothing in the memory", "holds no checkpoint", &|| fs::write(&seen, b"").unwrap());
    check("a folder as the memory", "holds no checkpoint", &|| {
        fs::remove_file(&seen).unwrap();
        fs::create_dir(&seen).unwrap();
    });
    // It parses, and the ledger never signed it: nothing is known to be lost by it.
    let altered = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut root: Vec<u8> = lines[2].bytes().collect();
        root[3] = if root[3] == b'a' { b'b' } else { b'a' };
        let root = String::from_utf8(root).unwrap();
        fs::write(path, text.replace(lines[2], &root)).unwrap();
    };
    for path in [&seen, &house.ledger().join("checkpoint"), &house.mirror().join("checkpoint")] {
        check("an altered memory", "no checkpoint that the ledger signed", &|| altered(path));
    }
    altered(&house.ledger().join("checkpoint"));
    let found = house.verify();
    assert!(found.missing.is_empty() && !found.ok, "{found:?}");
    kept.put_back();
    // A check says of what the mirror saved whatever a look says.
    let saved = house.mirror().join("checkpoint");
    for at in 0..fs::read(&saved).unwrap().len() {
        flip(saved.clone(), at);
        let found = house.verify();
        assert!(!found.ok, "octet {at}: {:?}", doubts(house));
        kept.put_back();
    }
    check("a loss made up", "no statement of a loss", &|| {
        fs::write(house.ledger().join("lost-999-abcd"), b"hello").unwrap();
    });
    check("a log that the mirror holds", "takes them back from there", &|| {
        cut(&house.ledger(), half);
    });
    check("another history", "put the ledger back", &|| {
        fs::write(house.ledger().join("log"), forked(&house.ledger())).unwrap();
    });
}

/// What nobody can read any more is not written over by the house: it would never be known.
#[test]
fn an_altered_memory_stays_a_problem() {
    let kept = Kept::new("ledger-junk");
    let house = &kept.house;
    let seen = house.folder.join(ledger::SEEN);
    fs::write(&seen, b"junk").unwrap();
    ledger::remember(&house.folder).unwrap();
    assert_eq!(fs::read(&seen).unwrap(), b"junk");
    let found =
        ledger::verify_remembering(&house.ledger(), Some(&house.mirror()), &memories(house));
    let found = found.unwrap();
    assert!(!found.ok && found.problems[0].contains("holds no checkpoint"), "{found:?}");
    // A reader's own, beside the data.
    let beside = house.folder.with_extension("seen");
    fs::write(&beside, b"junk").unwrap();
    let sight = annals::Seen::at(&beside).look(&ledger::reader(&house.ledger()).unwrap());
    assert_eq!(sight.unwrap(), annals::Sight::Unreadable);
    assert_eq!(fs::read(&beside).unwrap(), b"junk");
    fs::remove_file(beside).unwrap();
}

#[test]
fn a_mirror_that_is_gone_is_missed() {
    let kept = Kept::new("ledger-mirrorless");
    let house = &kept.house;
    let check = |what: &str, is_missed: bool, change: &dyn Fn()| {
        change();
        let (own, mirror) = (house.ledger(), house.mirror());
        let found = ledger::verify_remembering(&own, Some(&mirror), &memories(house)).unwrap();
        assert_eq!(found.mirror_agrees, None, "{what}");
        let word = "the mirror's copy is gone";
        let named = found.problems.iter().any(|one| one.contains(word));
        assert_eq!((named, found.ok), (is_missed, !is_missed), "{what}: {:?}", found.problems);
        let told = doubts(house).iter().any(|one| one.contains(word));
        assert_eq!(told, is_missed, "{what}: {:?}", doubts(house));
        kept.put_back();
    };
    let gone = || fs::remove_dir_all(house.mirror()).unwrap();
    check("removed", true, &gone);
    check("emptied", true, &|| {
        gone();
        fs::create_dir(house.mirror()).unwrap();
    });
    check("only the house remembers it", true, &|| {
        gone();
        fs::remove_file(house.ledger().join("checkpoint")).unwrap();
    });
    check("there never was one", false, &|| {
        gone();
        fs::remove_file(house.ledger().join("checkpoint")).unwrap();
        fs::remove_file(house.folder.join(ledger::SEEN)).unwrap();
    });
}

#[test]
fn keys_that_are_not_the_logs_are_named() {
    let kept = Kept::new("ledger-keys");
    let house = &kept.house;
    let vault = house.folder.join("vault/keys");
    let check = |what: &str, word: &str, change: &dyn Fn()| {
        fs::create_dir_all(&vault).unwrap();
        assert_eq!(ledger::key_problems(&house.ledger(), Some(&house.mirror())).len(), 0);
        change();
        let found = house.verify();
        let named = found.problems.iter().any(|one| one.contains(word));
        assert!(!found.ok && named, "{what}: {:?}", found.problems);
        assert!(doubts(house).iter().any(|one| one.contains(word)), "{what}: {:?}", doubts(house));
        let before = ledger::key_problems(&house.ledger(), Some(&house.mirror()));
        assert!(before.iter().any(|one| one.contains(word)), "{what}: {before:?}");
        // Without a key its keeper alone does not start; with another one the house does not.
        let foreign = ledger::foreign_keys(&house.ledger(), Some(&house.mirror()));
        assert_eq!(foreign.is_empty(), what == "removed", "{what}: {foreign:?}");
        kept.put_back();
    };
    for (folder, whose) in [(house.ledger(), "the ledger has"), (house.mirror(), "the mirror has")]
    {
        let key = folder.join("key");
        let other = format!("{whose} another signing key");
        check("another", &other, &|| fs::write(&key, [9; 32]).unwrap());
        check("cut", &other, &|| fs::write(&key, [9; 31]).unwrap());
        let none = format!("{whose} no signing key");
        check("removed", &none, &|| fs::remove_file(&key).unwrap());
        // A copy without keys, such as a backup, has nothing that would start.
        fs::remove_file(&key).unwrap();
        let found = house.verify();
        assert!(found.ok && found.notes.iter().any(|one| one.contains(&none)), "{found:?}");
        kept.put_back();
    }
    // Nobody makes another key for a house that has run: its mirror would refuse it for ever.
    fs::create_dir_all(&vault).unwrap();
    let key = fs::read(house.ledger().join("key")).unwrap();
    fs::remove_dir_all(house.ledger()).unwrap();
    let start = || ledger::key_problems(&house.ledger(), Some(&house.mirror()));
    assert!(
        start().iter().any(|one| one.contains("the ledger has no signing key")),
        "{:?}",
        start()
    );
    fs::create_dir(house.ledger()).unwrap();
    fs::write(house.ledger().join("key"), key).unwrap();
    assert_eq!(start(), Vec::<String>::new(), "the key alone is enough");
    kept.put_back();
    check("swapped", "not what their names say", &|| {
        let (own, mirror) = (house.ledger(), house.mirror());
        let aside = house.folder.join("aside");
        fs::rename(&own, &aside).unwrap();
        fs::rename(&mirror, &own).unwrap();
        fs::rename(&aside, &mirror).unwrap();
    });
}

/// A pipe in a file's place would be waited for to no end, a link leads to somebody else's file.
#[test]
fn nothing_but_files_is_read() {
    let kept = Kept::new("ledger-pipes");
    let house = &kept.house;
    for (folder, name) in [
        (house.ledger(), "log"),
        (house.ledger(), "tiles"),
        (house.ledger(), "key.pub"),
        (house.mirror(), "log"),
        (house.mirror(), "checkpoint"),
    ] {
        let path = folder.join(name);
        let links: [&dyn Fn(); 2] = [
            &|| {
                let made = Command::new("mkfifo").arg(&path).status().unwrap();
                assert!(made.success());
            },
            &|| std::os::unix::fs::symlink(kept.copy.join("ledger/log"), &path).unwrap(),
        ];
        for put in links {
            fs::remove_file(&path).unwrap();
            put();
            let found = ledger::verify(&house.ledger(), Some(&house.mirror()));
            let found = found.map_err(|fault| format!("{fault}: {:?}", fault));
            assert!(found.is_err_and(|what| what.contains("not a file")), "{}", path.display());
            kept.put_back();
        }
    }
}

/// What both say of their logs when they are asked whether they live.
fn pulse(house: &House, running: &Running) -> Vec<String> {
    let mut found = Vec::new();
    for control in [&running.control, house.mirror.as_ref().unwrap()] {
        control.send(0, &Order::Pulse, &[]).unwrap();
        let until = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < until, "no answer to a pulse");
            let Ok(frame) = control.receive(Some(LIMIT)) else { break };
            match frame.read() {
                Ok(wire::control::Report::Alarm { what }) => found.push(what),
                Ok(wire::control::Report::Alive) => break,
                _ => {}
            }
        }
    }
    found.retain(|what| what.contains("while the house runs"));
    found
}

/// Changes one octet in place.
fn write_at(path: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut one = [0];
    file.read_exact_at(&mut one, at).unwrap();
    file.write_all_at(&[one[0] ^ 1], at).unwrap();
}

/// The log is changed under the running house: the next pulse finds it, whoever asks or not.
#[test]
fn a_running_house_sees_its_log_changed() {
    let check = |name: &str, word: &str, change: &dyn Fn(&Path)| {
        let mut house = written(name, 12);
        let mut running = house.start();
        // The mirror follows: nothing of what is changed now is still to be read for it.
        assert!(house.vault.record(12, release(12)) && house.append(&mut running, true));
        let _ = alarms(&running.control);
        assert_eq!(pulse(&house, &running), Vec::<String>::new(), "{name}");
        change(&house.folder);
        let found = pulse(&house, &running);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].contains(word), "{name}: {found:?}");
        // Said once.
        assert_eq!(pulse(&house, &running), Vec::<String>::new(), "{name}");
        // Whoever doubts its own file releases nothing.
        assert!(house.vault.record(13, release(13)));
        assert!(!house.append(&mut running, true), "{name}");
        // What is found next is said, too.
        for log in ["ledger/log", "mirror/log"] {
            let log = house.folder.join(log);
            fs::rename(&log, log.with_extension("aside")).unwrap();
        }
        let found = pulse(&house, &running);
        let is_known = word == "was taken away";
        assert_eq!(found.len(), if is_known { 1 } else { 2 }, "{name}: {found:?}");
        assert!(found.iter().all(|what| what.contains("was taken away")), "{name}: {found:?}");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    };
    check("ledger-live-octet", "the ledger's log", &|data| {
        write_at(&data.join("ledger/log"), 60);
    });
    check("ledger-live-mirror", "the mirror's log", &|data| {
        write_at(&data.join("mirror/log"), 60);
    });
    check("ledger-live-cut", "has another length", &|data| {
        let log = fs::File::options().write(true).open(data.join("ledger/log")).unwrap();
        log.set_len(2_000).unwrap();
    });
    check("ledger-live-replaced", "was taken away", &|data| {
        let bytes = fs::read(data.join("ledger/log")).unwrap();
        fs::write(data.join("ledger/log.new"), bytes).unwrap();
        fs::rename(data.join("ledger/log.new"), data.join("ledger/log")).unwrap();
    });
}

/// What was written and given its old time again shows by the time that nobody can put back; so
/// do rights. Nothing stops for that: a backup may have linked it.
#[test]
fn a_running_house_sees_its_log_touched() {
    let unseen = |path: &Path| {
        let modified = path.metadata().unwrap().modified().unwrap();
        // Twice: what is wrong in a tile that is not full yet would end whoever hashes it anew.
        write_at(path, 60);
        write_at(path, 60);
        fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
        assert_eq!(path.metadata().unwrap().modified().unwrap(), modified);
    };
    let rights = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    };
    let changes: [(&str, &dyn Fn(&Path)); 2] = [("times", &unseen), ("rights", &rights)];
    for (what, touch) in changes {
        let mut house = written(&format!("ledger-live-{what}"), 12);
        let mut running = house.start();
        assert!(house.vault.record(12, release(12)) && house.append(&mut running, true));
        let _ = alarms(&running.control);
        assert_eq!(pulse(&house, &running), Vec::<String>::new(), "{what}");
        for log in ["ledger/log", "mirror/log"] {
            touch(&house.folder.join(log));
        }
        // It is written to before anybody asks.
        assert!(house.vault.record(13, release(13)));
        let is_proved = house.append(&mut running, true);
        let found = pulse(&house, &running);
        assert!(is_proved, "{what}: {found:?} {:?}", alarms(&running.control));
        let said = alarms(&running.control);
        let all: Vec<&String> = said.iter().chain(&found).collect();
        for whose in ["the ledger's log was touched", "the mirror's log was touched"] {
            assert_eq!(all.iter().filter(|one| one.contains(whose)).count(), 1, "{what}: {all:?}");
        }
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
}

/// Of a log that was cut or lengthened no write comes back: it is looked at before.
#[test]
fn a_log_of_another_length_is_told_before_it_is_written_to() {
    let check = |name: &str, length: &dyn Fn(u64) -> u64| {
        let mut house = written(name, 12);
        let mut running = house.start();
        assert!(house.vault.record(12, release(12)) && house.append(&mut running, true));
        let _ = alarms(&running.control);
        let log = fs::File::options().write(true).open(house.folder.join("ledger/log")).unwrap();
        log.set_len(length(log.metadata().unwrap().len())).unwrap();
        assert!(house.vault.record(13, release(13)));
        assert!(!house.append(&mut running, true), "{name}");
        let said = pulse(&house, &running);
        assert!(said.iter().any(|what| what.contains("has another length")), "{name}: {said:?}");
        assert!(running.child.try_wait().unwrap().is_none(), "{name}: it goes on to say so");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    };
    check("ledger-cut-before", &|_| 2_000);
    check("ledger-grown-before", &|length| length + 50);
}

/// Nothing depends on an anchor but how long a start reads: what is none is told, and made anew.
#[test]
fn garbage_in_the_anchor_is_told_and_healed() {
    let mut kept = Kept::new("ledger-anchor");
    let mut first = 20;
    for whose in ["ledger", "mirror"] {
        for garbage in [&b"garbage"[..], b""] {
            let anchor = kept.house.folder.join(whose).join("anchor");
            fs::write(&anchor, garbage).unwrap();
            let found = kept.house.verify();
            let told = format!("the {whose}'s anchor does not fit its log");
            assert!(found.problems.contains(&told), "{found:?}");
            live_on(&mut kept.house, first);
            first += 2;
            let found = kept.house.verify();
            assert!(found.ok, "{}: {:?}", anchor.display(), found.problems);
        }
    }
}
