//! Cases: what a mirror takes, and every lie that it refuses.

use super::*;
use tlog::{
    Checkpoint, CompactRange, Cosigner, CosignerKey, LOG_ORIGIN, MIRROR_NAME, Note, NoteSignature,
    NoteSigner, NoteVerifier, Volumes, empty_root, leaf_hash,
};

fn leaf(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

fn leaves(first: u64, end: u64) -> Vec<Vec<u8>> {
    (first..end).map(leaf).collect()
}

fn signer() -> NoteSigner {
    NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap()
}

fn note(signer: &NoteSigner, leaves: &[Vec<u8>]) -> Vec<u8> {
    let mut range = CompactRange::new();
    leaves.iter().for_each(|leaf| range.append(leaf_hash(leaf), |_, _, _| {}));
    let text = Checkpoint::new(LOG_ORIGIN, range.size(), range.root()).to_text();
    let signatures = vec![signer.sign(&text)];
    Note { text, signatures }.to_text().into_bytes()
}

fn fresh() -> Copy<Vec<u8>> {
    let cosigner = Cosigner::new(MIRROR_NAME, &[2; 32]).unwrap();
    let ledger = Some(signer().verifier());
    Copy::open(Volumes::default(), None, cosigner, ledger).unwrap().0
}

fn mirror_key() -> CosignerKey {
    Cosigner::new(MIRROR_NAME, &[2; 32]).unwrap().public()
}

fn time_of(note: &[u8], line: &NoteSignature) -> Option<u64> {
    mirror_key().time_of(&Note::parse(note).unwrap().text, line)
}

#[test]
fn what_is_durable_is_cosigned_once_a_round() {
    let mut copy = fresh();
    assert!(copy.commit(1).unwrap().is_none());
    copy.add(0, &leaves(0, 5), &note(&signer(), &leaves(0, 5))).unwrap();
    assert_eq!(copy.size(), 0);
    let whole = note(&signer(), &leaves(0, 9));
    copy.add(5, &leaves(5, 9), &whole).unwrap();
    let (size, line) = copy.commit(77).unwrap().unwrap();
    assert_eq!((size, copy.size(), time_of(&whole, &line)), (9, 9, Some(77)));
    assert!(copy.commit(78).unwrap().is_none());
    // The same again, or only its end again, is the same history.
    copy.add(3, &leaves(3, 9), &whole).unwrap();
    assert_eq!(time_of(&whole, &copy.commit(79).unwrap().unwrap().1), Some(79));
    copy.add(9, &[], &whole).unwrap();
    assert_eq!(time_of(&whole, &copy.commit(80).unwrap().unwrap().1), Some(80));
    assert_eq!(copy.leaves(2, 2, 9_999).unwrap(), leaves(2, 4));
    let held = Note::parse(&copy.checkpoint()).unwrap();
    assert_eq!(mirror_key().cosigned(&held), Some(77));
}

#[test]
fn lies_are_refused() {
    let mut copy = fresh();
    copy.add(0, &leaves(0, 8), &note(&signer(), &leaves(0, 8))).unwrap();
    copy.commit(1).unwrap();
    let stranger = NoteSigner::new(LOG_ORIGIN, &[9; 32]).unwrap();
    let mut check = |first, leaves: &[Vec<u8>], note: Vec<u8>, expected: Refusal| {
        assert_eq!(copy.add(first, leaves, &note), Err(expected));
        assert!(copy.commit(2).unwrap().is_none());
        assert_eq!(copy.size(), 8);
    };
    let ten = leaves(0, 10);
    check(8, &leaves(8, 10), note(&stranger, &ten), Refusal::NotTheLedgers);
    check(8, &leaves(8, 10), Vec::new(), Refusal::NotTheLedgers);
    let text = Checkpoint::new("other/log", 10, empty_root()).to_text();
    let other = Note { signatures: vec![signer().sign(&text)], text };
    check(8, &leaves(8, 10), other.to_text().into_bytes(), Refusal::NotTheLedgers);
    let found = Refusal::Miscounted { expected: 10, found: 9 };
    check(8, &leaves(8, 9), note(&signer(), &ten), found);
    check(9, &leaves(9, 10), note(&signer(), &ten), Refusal::Gap { expected: 8, found: 9 });
    // A shorter history, signed well.
    let six = note(&signer(), &leaves(0, 6));
    check(0, &leaves(0, 6), six, Refusal::Gap { expected: 8, found: 0 });
    // Another eighth leaf; another third leaf; the same leaves under another past.
    let mut forked = ten.clone();
    forked[3] = b"never happened".to_vec();
    check(3, &forked[3..], note(&signer(), &forked), Refusal::Fork { index: 3 });
    check(8, &forked[8..], note(&signer(), &forked), Refusal::Fork { index: 8 });
    let bad = vec![leaf(8), leaf(8)];
    check(8, &bad, note(&signer(), &ten), Refusal::Fork { index: 8 });
    check(
        8,
        &[vec![0; 70_000]],
        {
            let mut nine = leaves(0, 8);
            nine.push(vec![0; 70_000]);
            note(&signer(), &nine)
        },
        Refusal::TooMuch,
    );
    copy.add(8, &leaves(8, 10), &note(&signer(), &ten)).unwrap();
    assert_eq!(copy.commit(3).unwrap().unwrap().0, 10);
}

#[test]
fn a_mirror_without_the_ledgers_key_takes_nothing() {
    let cosigner = Cosigner::new(MIRROR_NAME, &[2; 32]).unwrap();
    let volumes = Volumes::<Vec<u8>>::default();
    let mut copy = Copy::open(volumes, None, cosigner, None).unwrap().0;
    let refused = copy.add(0, &leaves(0, 1), &note(&signer(), &leaves(0, 1)));
    assert_eq!(refused, Err(Refusal::NotTheLedgers));
}

/// A file is made longer than any disk in a moment: what nobody wrote is neither read nor copied.
#[test]
fn a_log_made_endless_is_damage_and_fills_no_disk() {
    use std::os::unix::fs::MetadataExt;
    let folder = std::env::temp_dir().join(format!("mirror-endless-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let key = signer().verifier().key_bytes();
    {
        let (mut copy, _) = open(&folder, Some(key)).unwrap();
        copy.add(0, &leaves(0, 700), &note(&signer(), &leaves(0, 700))).unwrap();
        copy.commit(5).unwrap();
    }
    let log = std::fs::OpenOptions::new().write(true).open(folder.join("log")).unwrap();
    let length = 1 << 40;
    if log.set_len(length).is_err() {
        println!("absent: a file system with files of a tebibyte");
        return;
    }
    let (mut copy, _) = open(&folder, None).unwrap();
    assert_eq!(copy.size(), 700);
    let alarms = copy.take_alarms().join("; ");
    assert!(alarms.contains("more than a batch"), "{alarms}");
    let kept = std::fs::read_dir(&folder).unwrap().flatten().find(|one| {
        let name = one.file_name();
        name.to_string_lossy().starts_with("log.changed-")
    });
    let about = kept.unwrap().metadata().unwrap();
    assert_eq!(about.len(), length);
    assert!(about.blocks() * 512 < 1 << 24, "{} blocks", about.blocks());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn files_are_kept_and_keys_pinned() {
    let folder = std::env::temp_dir().join(format!("mirror-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let key = signer().verifier().key_bytes();
    let public = {
        let (mut copy, notes) = open(&folder, Some(key)).unwrap();
        assert!(notes.is_empty());
        copy.add(0, &leaves(0, 700), &note(&signer(), &leaves(0, 700))).unwrap();
        copy.commit(5).unwrap();
        copy.public_key()
    };
    // A restart without being told the key, a torn end, and a strange key.
    use std::io::Write;
    let log = folder.join("log");
    std::fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(&[1, 2, 3]).unwrap();
    let (mut copy, notes) = open(&folder, None).unwrap();
    assert_eq!((copy.size(), copy.public_key(), notes.len()), (700, public, 1));
    copy.add(700, &leaves(700, 701), &note(&signer(), &leaves(0, 701))).unwrap();
    copy.commit(6).unwrap();
    let stranger = NoteVerifier::new(LOG_ORIGIN, &public).unwrap().key_bytes();
    assert!(matches!(open(&folder, Some(stranger)), Err(Fault::Changed { .. })));
    // Behind a changed octet nothing is believed; what comes again is the same history, or is not.
    copy.add(701, &leaves(701, 702), &note(&signer(), &leaves(0, 702))).unwrap();
    copy.commit(7).unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    copy.save_checkpoint(u64::MAX, 7);
    let (mut copy, _) = open(&folder, None).unwrap();
    assert_eq!(copy.size(), 0);
    let alarms = copy.take_alarms().join("; ");
    assert!(alarms.contains("the mirror's log was changed: "), "{alarms}");
    assert!(alarms.contains("lost entries: 702 were cosigned"), "{alarms}");
    let kept = std::fs::read_dir(&folder).unwrap().flatten();
    assert!(
        kept.map(|one| one.file_name())
            .any(|name| { name.to_string_lossy().starts_with("log.changed-") })
    );
    copy.add(0, &leaves(0, 702), &note(&signer(), &leaves(0, 702))).unwrap();
    assert_eq!(copy.commit(8).unwrap().unwrap().0, 702);
    drop(copy);
    let (mut copy, notes) = open(&folder, None).unwrap();
    assert_eq!((copy.size(), copy.take_alarms(), notes), (702, vec![], vec![]));
    std::fs::remove_dir_all(&folder).unwrap();
}
