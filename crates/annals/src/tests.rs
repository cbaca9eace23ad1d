//! Cases: a log in segments, an index that says what the entries say, and every change seen.

use super::*;
use crate::extent::Walk;
use crate::plan::Plan;
use evidence::{Author, Body, Entry, Word};
use scope::{Columns, Half, Part, Proven, Question, Scope, Slice, Tally, measure};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use terms::{InstanceId, Kind};
use tlog::{
    Checkpoint, Cosigner, Hash, LOG_ORIGIN, MIRROR_NAME, Note, NoteSigner, SignedCheckpoint, Store,
    Volume, leaf_hash, verify_inclusion,
};

#[allow(dead_code)]
#[path = "../examples/growth/story.rs"]
mod story;

use story::{AUTHORS, BEGIN_MS, Story, tenant, user};

struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("annals-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn signer() -> NoteSigner {
    NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::new(MIRROR_NAME, &[2; 32]).unwrap()
}

/// Signed entries: the authors are named, then the story is told.
fn told(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let author =
        |(kind, start): &(Kind, InstanceId)| (*kind, Author::new(*kind, *start, &[start.0[0]; 32]));
    let mut authors: HashMap<Kind, Author> = AUTHORS.iter().map(author).collect();
    let mut frames = Vec::with_capacity(count);
    let named: Vec<Body> = AUTHORS
        .iter()
        .map(|(kind, start)| Body::ProcessStart {
            instance: *start,
            kind: *kind,
            pid: 1,
            version: Word::new("0.2.0"),
            zygote: None,
            key: Some(authors[kind].public_key()),
            serves: None,
        })
        .collect();
    let warden = authors.get_mut(&Kind::Warden).unwrap();
    frames.extend(named.into_iter().map(|body| warden.sign(BEGIN_MS, body).unwrap()));
    let mut story = Story::new(seed, 20_000);
    while frames.len() < count {
        let (kind, body) = story.next();
        let author = authors.get_mut(&kind).unwrap();
        frames.push(author.sign(story.now_ms, body).unwrap());
    }
    frames
}

/// Writes entries into a ledger's or (with the cosigner) a mirror's folder, as they would.
fn write(folder: &Path, frames: &[Vec<u8>], is_mirror: bool) {
    fs::create_dir_all(folder).unwrap();
    let key = signer().verifier();
    match is_mirror {
        false => fs::write(folder.join(names::PUBLIC), key.to_text()).unwrap(),
        true => {
            fs::write(folder.join(names::PUBLIC), cosigner().public().to_text()).unwrap();
            fs::write(folder.join(names::LEDGER), key.to_text()).unwrap();
        }
    }
    let shelf = Folder(folder.to_owned());
    let believed = |signed: &SignedCheckpoint| signed.note.is_signed_by(&key);
    let volumes = Segments::volumes(folder).unwrap();
    let (mut store, _) = Store::open(volumes, None, believed, |_, _| {}).unwrap();
    let mut binder = Binder::new(0, Vec::new());
    for batch in frames.chunks(1_000) {
        let mut closed = false;
        for frame in batch {
            store.stage(frame).unwrap();
            let parsed = evidence::Frame::parse(frame).unwrap();
            if let Some((number, index)) = binder.take(leaf_hash(frame), Some(&parsed.entry)) {
                if !is_mirror {
                    shelf.put(&chapter_name(number), &index).unwrap();
                }
                closed = true;
            }
        }
        let checkpoint = store.checkpoint(LOG_ORIGIN);
        let text = checkpoint.to_text();
        let mut signatures = vec![signer().sign(&text)];
        if is_mirror {
            signatures.push(cosigner().cosign(7, &text));
        }
        store.write(SignedCheckpoint { note: Note { text, signatures }, checkpoint }).unwrap();
        store.flush().unwrap();
        if closed {
            let anchor = store.anchor(Vec::new()).unwrap().unwrap();
            shelf.put(names::ANCHOR, &anchor.encode()).unwrap();
        }
    }
}

fn reader(folder: &Path) -> Reader {
    Reader::open(folder, find_keys(folder).unwrap()).unwrap()
}

fn problems(folder: &Path) -> Vec<String> {
    check(folder, &find_keys(folder).unwrap(), 0, |_, _, _| {}).unwrap().problems
}

#[test]
fn segments_are_one_volume() {
    let folder = Temporary::new("segments");
    let first = folder.0.join("log");
    let mut segments = Segments::open_with(&first, 100, true).unwrap();
    let mut whole = Vec::new();
    for number in 0..40u8 {
        let bytes = vec![number; 30];
        segments.append(&bytes).unwrap();
        whole.extend(bytes);
    }
    segments.sync().unwrap();
    assert_eq!(segments.lengths().len(), 10);
    let check = |segments: &Segments, whole: &[u8]| {
        assert_eq!(segments.length().unwrap(), whole.len() as u64);
        for at in (0..whole.len() + 9).step_by(7) {
            let mut found = vec![0; 250];
            let count = segments.read_at(at as u64, &mut found).unwrap();
            let end = (at + 250).min(whole.len());
            assert_eq!(&found[..count], whole.get(at..end).unwrap_or_default());
        }
    };
    check(&segments, &whole);
    check(&Segments::open_with(&first, 100, false).unwrap(), &whole);
    for length in [1_200, 1_199, 1_080, 1_000, 480, 5, 0] {
        segments.cut(length).unwrap();
        whole.truncate(length as usize);
        check(&segments, &whole);
        check(&Segments::open_with(&first, 100, true).unwrap(), &whole);
    }
    segments.append(b"anew").unwrap();
    check(&segments, b"anew");
}

/// What the entries themselves say.
fn by_entries(frames: &[Vec<u8>], question: &Question) -> Scope {
    let scope = measure(question, Proven::default(), |seen| {
        for (index, frame) in (0..).zip(frames) {
            seen(index, &evidence::Frame::parse(frame).unwrap().entry);
        }
        Ok::<(), Infallible>(())
    });
    scope.unwrap()
}

#[test]
fn a_large_house_is_indexed_checked_and_shown() {
    let folder = Temporary::new("large");
    let frames = told(140_000, 7);
    let (own, mirror) = (folder.0.join("ledger"), folder.0.join("mirror"));
    write(&own, &frames, false);
    write(&mirror, &frames, true);
    assert_eq!(problems(&own), Vec::<String>::new());
    let copy = check_copy(&mirror, 0, |_, _| {}).unwrap();
    assert_eq!((copy.size, copy.problems), (140_000, Vec::new()));
    proofs_hold(&own, &frames);
    the_index_says_what_the_entries_say(&own, &frames);
    no_more_is_counted_than_was_expected(&own);
    a_scope_reads_little_of_a_chapter(&own);
    a_view_proves_what_it_shows(&folder.0, &frames);
    other_hands_agree(&folder.0);
    every_change_of_what_is_derived_is_named(&own);
}

/// The log as tiles, read by Python with hashlib and `cryptography` and nothing of ours.
fn other_hands_agree(folder: &Path) {
    let (own, mirror) = (reader(&folder.join("ledger")), reader(&folder.join("mirror")));
    let signed = mirror.newest().unwrap();
    let to = folder.join("tiles");
    let done = publish(&own, signed, &to).unwrap();
    assert_eq!((done.size, done.tiles, done.bundles), (140_000, 547 + 3 + 1, 547));
    let again = publish(&own, signed, &to).unwrap();
    assert_eq!((again.tiles, again.bundles), (0, 0));
    let has = |code: &str| {
        let asked = std::process::Command::new("python3").args(["-c", code]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    if !has("import cryptography") {
        return println!("not checked by other hands: python3 has no `cryptography`");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.py");
    let check = || {
        let mut python = std::process::Command::new("python3");
        let python = python.arg(&script).arg(&to).arg(own.keys().ledger.to_text());
        python.arg(cosigner().public().to_text()).output().unwrap()
    };
    let found = check();
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    assert!(said.contains("140000 entries, 3 levels of tiles, 2 signatures"), "{said}");
    let tile = to.join("tile/0/005");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[7] ^= 1;
    fs::write(tile, bytes).unwrap();
    assert!(!check().status.success());
    let proof = proof_text(&own, signed, 77).unwrap();
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nindex 77\n"));
    assert_eq!(proof.split("\n\n").next().unwrap().lines().count(), 2 + 18);
}

fn proofs_hold(own: &Path, frames: &[Vec<u8>]) {
    let reader = reader(own);
    let head = reader.head();
    for index in [0, 1, 65_535, 65_536, 131_071, 131_072, 139_999] {
        let proof = reader.inclusion(index, head.size).unwrap();
        let leaf = leaf_hash(&frames[index as usize]);
        assert!(verify_inclusion(&leaf, index, head.size, &proof, &head.root));
        assert_eq!(reader.entry(index).unwrap(), frames[index as usize]);
    }
    assert!(reader.entry(140_000).is_err());
}

fn the_index_says_what_the_entries_say(own: &Path, frames: &[Vec<u8>]) {
    let reader = reader(own);
    let ends = [0usize, 20_000, 66_000, 100_000, 139_999];
    let time = |index: usize| evidence::Frame::parse(&frames[index]).unwrap().entry.time_ms;
    let check = |expected_rebuilt: bool| {
        for component in [
            Kind::Edge,
            Kind::Scanner,
            Kind::Access,
            Kind::Dispatch,
            Kind::Post,
            Kind::Identity,
            Kind::Mailbox,
        ] {
            for (from, to) in [(0, 4), (1, 2), (2, 3), (3, 4), (1, 3)] {
                for version in [None, Some("0.2.1".to_owned())] {
                    let (from_ms, to_ms) = (time(ends[from]), time(ends[to]));
                    let question = Question { component, version, from_ms, to_ms };
                    let index = Index::of(&reader);
                    let found = index.measure(&question, &Proven::default()).unwrap();
                    assert_eq!(found.rebuilt > 0, expected_rebuilt);
                    assert_eq!(found.scope, by_entries(frames, &question), "{question:?}");
                }
            }
        }
    };
    check(false);
    let touched = |whom| {
        let mut touched = Vec::new();
        let seen = |index: u64, _: &[u8]| {
            touched.push(index);
            true
        };
        Index::of(&reader).touching(tenant(3), whom, (0, u64::MAX), seen).unwrap();
        touched
    };
    let expected = |whom| {
        let is_theirs = |(index, frame): (usize, &Vec<u8>)| {
            let entry = evidence::Frame::parse(frame).unwrap().entry;
            let mut theirs = false;
            scope::facts(0, &entry, |fact| {
                theirs |= fact.person.is_some_and(|person| {
                    person.tenant == tenant(3) && (whom == None || person.user == whom)
                });
            });
            theirs.then_some(index as u64)
        };
        frames.iter().enumerate().filter_map(is_theirs).collect::<Vec<_>>()
    };
    assert_eq!(touched(None), expected(None));
    assert_eq!(touched(Some(user(3, 4))), expected(Some(user(3, 4))));
    // Without the index, and with another log's, the entries still speak.
    let chapter = own.join(chapter_name(0));
    let kept = fs::read(&chapter).unwrap();
    fs::remove_file(&chapter).unwrap();
    let question = Question { component: Kind::Edge, version: None, from_ms: 0, to_ms: u64::MAX };
    let found = Index::of(&reader).measure(&question, &Proven::default()).unwrap();
    assert_eq!((found.rebuilt, found.scope), (1, by_entries(frames, &question)));
    fs::copy(own.join(chapter_name(1)), &chapter).unwrap();
    let found = Index::of(&reader).measure(&question, &Proven::default()).unwrap();
    assert_eq!((found.rebuilt, found.scope), (1, by_entries(frames, &question)));
    fs::write(&chapter, kept).unwrap();
}

/// Room is made for what is expected: more of it would have to move while it is counted, which
/// takes twice the memory.
fn no_more_is_counted_than_was_expected(own: &Path) {
    let reader = reader(own);
    let index = Index::of(&reader);
    for component in [Kind::Access, Kind::Edge, Kind::Scanner, Kind::Vault, Kind::Identity] {
        let question = Question { component, version: None, from_ms: 0, to_ms: u64::MAX };
        let tally = Tally::new(question, Part::WHOLE).half(Half::People);
        let plan = Plan::of(&index, &tally).unwrap();
        let (mut tally, mut messages) = Walk::new(&index, &plan, tally).walk().unwrap();
        tally.has_more();
        if tally.needs_more() {
            messages.take_released(&index, &mut tally).unwrap();
        }
        messages.name_contracts(&tally);
        let (mut found, expected) = (0, messages.pairs());
        assert!(messages.each(Slice::ALL, &mut |_| found += 1));
        assert!(found > 1_000 && found <= expected, "{component:?}: {found} of {expected}");
    }
}

/// What is asked of every chapter stands at its front, which is a small part of it.
fn a_scope_reads_little_of_a_chapter(own: &Path) {
    let reader = reader(own);
    for number in [0, 1] {
        let front = index::kept(&reader, number).unwrap().front();
        let whole = fs::metadata(own.join(chapter_name(number))).unwrap().len();
        assert!(front > 0 && front * 10 < whole * 3, "{number}: {front} of {whole}");
    }
}

fn a_view_proves_what_it_shows(folder: &Path, frames: &[Vec<u8>]) {
    let (own, mirror) = (reader(&folder.join("ledger")), reader(&folder.join("mirror")));
    let index = Index::of(&own);
    let signed = mirror.newest().unwrap();
    let to = folder.join("view");
    let view = View { tenant: tenant(3), user: None, from_ms: 0, to_ms: u64::MAX };
    let shown = write_view(&index, &own, signed, Some(&cosigner().public()), &view, &to).unwrap();
    let (mut ours, mut others) = (0, 0);
    let mut entries = Vec::new();
    let (found, _) = check_view(&to, None, |index, entry| {
        entries.push((index, entry.clone()));
        assert_eq!(*entry, evidence::Frame::parse(&frames[index as usize]).unwrap().entry);
        let mut tenants = Vec::new();
        scope::facts(0, entry, |fact| tenants.extend(fact.person.map(|person| person.tenant)));
        match tenants.first() {
            Some(found) if *found == tenant(3) => ours += 1,
            Some(_) => others += 1,
            None => {}
        }
    })
    .unwrap();
    assert_eq!((found.problems.clone(), found.cosigned_at), (Vec::new(), Some(7)));
    assert_eq!((found.size, found.entries, others), (140_000, shown, 0));
    assert!(ours > 100 && found.root == own.head().root);
    // Of a scope, the view tells this contract's share as the whole log does.
    for component in [Kind::Edge, Kind::Scanner, Kind::Access] {
        let question = Question { component, version: None, from_ms: 0, to_ms: u64::MAX };
        let from_view = measure(&question, Proven::default(), |seen| {
            entries.iter().for_each(|(index, entry)| seen(*index, entry));
            Ok::<(), Infallible>(())
        });
        let share = |scope: &Scope| {
            let mut contracts = scope.contracts.iter();
            let share = contracts.find(|share| share.tenant == tenant(3).to_string());
            share.map(|share| (share.accounts, share.messages))
        };
        let expected = share(&by_entries(frames, &question));
        assert_eq!(share(&from_view.unwrap()), expected, "{component:?}");
    }
    // A changed octet anywhere in a view is seen.
    let name = to.join("entries");
    let whole = fs::read(&name).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&name, changed).unwrap();
        assert!(!check_view(&to, None, |_, _| {}).unwrap().0.problems.is_empty(), "octet {at}");
    }
    fs::write(&name, &whole[..whole.len() / 2]).unwrap();
    assert!(!check_view(&to, None, |_, _| {}).unwrap().0.problems.is_empty());
    fs::write(&name, whole).unwrap();
    let note = fs::read_to_string(to.join("checkpoint")).unwrap();
    fs::write(to.join("checkpoint"), note.replacen("140000", "140001", 1)).unwrap();
    assert!(!check_view(&to, None, |_, _| {}).unwrap().0.problems.is_empty());
}

#[test]
fn a_copy_is_judged_beyond_its_entries() {
    let folder = Temporary::new("copy");
    let mirror = folder.0.join("mirror");
    write(&mirror, &told(3_000, 7), true);
    what_lies_behind_the_last_checkpoint_is_told(&mirror);
    what_a_mirror_saved_is_judged(&mirror);
}

fn what_lies_behind_the_last_checkpoint_is_told(mirror: &Path) {
    let log = mirror.join("log");
    let whole = fs::read(&log).unwrap();
    let check = |more: usize, expected: &str| {
        fs::write(&log, [&whole[..], &vec![0xa5; more]].concat()).unwrap();
        let found = check_copy(mirror, 0, |_, _| {}).unwrap();
        assert_eq!(found.problems, Vec::<String>::new());
        let told = format!("the mirror's log: {more} octets behind its last checkpoint");
        let is_told = |note: &String| note.starts_with(&told) && note.contains(expected);
        assert!(found.notes.iter().any(is_told), "{expected}: {:?}", found.notes);
    };
    check(500, "as a write that was cut off leaves them");
    check(1_000_000, "somebody added to the file, or the disk lost power");
    fs::write(&log, whole).unwrap();
}

fn what_a_mirror_saved_is_judged(mirror: &Path) {
    let (saved, copy) = (mirror.join("checkpoint"), reader(mirror));
    let signed = copy.newest().unwrap().clone();
    let note = signed.note.to_text();
    let check = |text: &str, expected: Option<&str>| {
        fs::write(&saved, text).unwrap();
        let found = check_copy(mirror, 0, |_, _| {}).unwrap();
        let told = found.problems.iter().any(|what| what.contains(expected.unwrap_or("saved")));
        assert_eq!(told, expected.is_some(), "{expected:?}: {:?}", found.problems);
    };
    check(&note, None);
    check(&note[..note.len() / 2], Some("cannot be read"));
    let root = signed.checkpoint.root.to_base64();
    let other = Hash([9; 32]).to_base64();
    check(&note.replacen(&root, &other, 1), Some("is not signed by the ledger"));
    let lines: Vec<&str> = note.trim_end().lines().collect();
    let alone = lines[..lines.len() - 1].join("\n") + "\n";
    check(&alone, Some("is not cosigned by the mirror"));
    for (size, root, expected) in [
        (signed.checkpoint.size + 5, Hash([9; 32]), "its log holds"),
        (5, Hash([9; 32]), "has another root than its log"),
    ] {
        let text = Checkpoint::new(LOG_ORIGIN, size, root).to_text();
        let signatures = vec![signer().sign(&text), cosigner().cosign(7, &text)];
        check(&Note { text, signatures }.to_text(), Some(expected));
    }
    fs::write(&saved, "").unwrap();
    let found = check_copy(mirror, 0, |_, _| {}).unwrap();
    assert!(found.notes.iter().any(|note| note.contains("empty or not there")));
    fs::remove_file(&saved).unwrap();
}

fn every_change_of_what_is_derived_is_named(own: &Path) {
    let check = |name: &str, change: &dyn Fn(&mut Vec<u8>), word: &str| {
        let path = own.join(name);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        change(&mut changed);
        fs::write(&path, changed).unwrap();
        let found = problems(own);
        fs::write(&path, whole).unwrap();
        assert!(found.iter().any(|what| what.contains(word)), "{name} {word}: {found:?}");
    };
    check("tiles", &|bytes| bytes[99] ^= 1, "tiles of level 0 differ");
    check("tiles-1", &|bytes| bytes[99] ^= 1, "tiles of level 1 differ");
    check("tiles-2", &|bytes| bytes[33] ^= 1, "tiles of level 2 differ");
    check("tiles", &|bytes| bytes.truncate(4_000_000), "tiles of level 0 differ");
    check("tiles", &|bytes| bytes.push(0), "tiles of level 0: expected");
    check("marks", &|bytes| bytes[70] ^= 1, "places of entries differ");
    check("anchor", &|bytes| bytes[40] ^= 1, "anchor does not fit");
    let one = chapter_name(1);
    check(&one, &|bytes| bytes[5_000] ^= 1, "is damaged");
    check(&one, &|bytes| bytes.truncate(5_000), "is damaged");
    let other = fs::read(own.join(chapter_name(0))).unwrap();
    check(&one, &|bytes| bytes.clone_from(&other), "says something else");
    let path = own.join(&one);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(problems(own).iter().any(|what| what.contains("is missing")));
    fs::write(&path, whole).unwrap();
    assert_eq!(problems(own), Vec::<String>::new());
    // A service that runs goes on while we read: what grows meanwhile is no problem.
    let path = own.join("tiles");
    let whole = fs::read(&path).unwrap();
    let found = check_copy(own, 0, |index, _| {
        if index == 0 {
            fs::write(&path, [&whole[..], &[9; 32]].concat()).unwrap();
        }
    });
    assert_eq!(found.unwrap().problems, Vec::<String>::new());
    fs::write(&path, whole).unwrap();
}

#[test]
fn a_reader_remembers_what_it_saw() {
    let folder = Temporary::new("seen");
    let frames = told(3_000, 7);
    let other = told(3_000, 8);
    let look = |name: &str, frames: &[Vec<u8>]| {
        let own = folder.0.join(name);
        write(&own, frames, false);
        let seen = Seen::at(&folder.0.join("memory"));
        seen.look(&reader(&own)).unwrap()
    };
    assert_eq!(look("one", &frames[..1_000]), Sight::First);
    assert_eq!(look("two", &frames[..2_000]), Sight::Consistent);
    assert_eq!(look("three", &frames[..2_000]), Sight::Consistent);
    assert_eq!(look("four", &frames[..1_000]), Sight::RolledBack { seen: 2_000, found: 1_000 });
    assert!(matches!(look("five", &other), Sight::Forked { seen: 2_000, .. }));
    assert_eq!(look("six", &frames), Sight::Consistent);
}

/// Octets of a chapter that anybody may hand in are read or refused.
#[test]
fn fuzz_chapters_are_read_or_refused() {
    let mut binder = Binder::new(0, Vec::new());
    let mut chapter = Vec::new();
    let mut story = Story::new(7, 20_000);
    while chapter.is_empty() {
        let (author, body) = story.next();
        let entry =
            Entry { author, start: InstanceId([1; 6]), seq: 0, time_ms: story.now_ms, body };
        if let Some((_, bytes)) = binder.take(leaf_hash(b"x"), Some(&entry)) {
            chapter = bytes;
        }
    }
    let whole = Chapter::of(chapter.clone()).unwrap();
    assert!(whole.lives().is_ok() && whole.processes(None).is_ok());
    let mut random = 0x5eed_0007u64;
    for _ in 0..60 {
        let mut changed = chapter.clone();
        for _ in 0..40 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = 400 + random as usize % (changed.len() - 400);
            changed[at] = random as u8;
        }
        changed.truncate(changed.len() - random as usize % 1_000);
        if let Ok(read) = Chapter::of(changed) {
            let _ = (read.lives(), read.processes(None), read.people(), read.entries_by(4));
            let _ = (read.entries_of(tenant(3), None), read.rows(0, read.row_count()));
        }
    }
}
