//! Cases: the texts of the specifications, every answer, and proofs over every small tree.

use super::*;
use terms::Cursor;
use tlog::{
    Checkpoint, CompactRange, Hash, LOG_ORIGIN, Note, NoteSignature, NoteSigner, RecentNodes,
    SignedCheckpoint, consistency_proof, leaf_hash, subtree_root, verify_subtree_consistency,
};

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

fn nodes(size: u64) -> RecentNodes {
    let (mut nodes, mut range) = (RecentNodes::new(1 << 20), CompactRange::new());
    for number in 0..size {
        range.append(leaf_hash(&entry(number)), |h, index, node| nodes.note(h, index, node));
    }
    nodes
}

fn root(size: u64) -> Hash {
    subtree_root(&nodes(size), 0, size).unwrap()
}

fn signer() -> NoteSigner {
    NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap()
}

fn signed(size: u64, root: Hash) -> SignedCheckpoint {
    let checkpoint = Checkpoint::new(LOG_ORIGIN, size, root);
    let text = checkpoint.to_text();
    let signatures = vec![signer().sign(&text)];
    SignedCheckpoint { note: Note { text, signatures }, checkpoint }
}

fn request(old: u64, size: u64) -> AddCheckpoint {
    let proof = consistency_proof(&nodes(size), old, size).unwrap_or_default();
    AddCheckpoint { old, proof, signed: signed(size, root(size)) }
}

#[test]
fn a_witness_answers_as_the_protocol_says() {
    let key = signer().verifier();
    let check = |body: &[u8], known: Option<(u64, Hash)>, expected: Result<u64, Answer>| {
        let known = known.map(|(size, root)| Known { size, root });
        let find = |origin: &str| (origin == LOG_ORIGIN).then_some(&key);
        let found = judge_checkpoint(body, find, |_| known);
        assert_eq!(found.map(|signed| signed.checkpoint.size), expected);
    };
    let text = |request: &AddCheckpoint| request.to_text().into_bytes();
    let grown = request(70, 200);
    assert_eq!(AddCheckpoint::parse(&text(&grown)).as_ref(), Some(&grown));
    check(&text(&request(0, 200)), None, Ok(200));
    check(&text(&grown), Some((70, root(70))), Ok(200));
    check(&text(&grown), None, Err(Answer::Conflict(0)));
    check(&text(&grown), Some((71, root(71))), Err(Answer::Conflict(71)));
    check(&text(&grown), Some((70, root(71))), Err(Answer::Unproved));
    check(&text(&request(200, 200)), Some((200, root(200))), Ok(200));
    check(&text(&request(200, 200)), Some((200, root(100))), Err(Answer::Conflict(200)));
    let mut wrong = grown.clone();
    wrong.proof.pop();
    check(&text(&wrong), Some((70, root(70))), Err(Answer::Unproved));
    wrong.proof = vec![root(1)];
    wrong.old = 0;
    check(&text(&wrong), None, Err(Answer::Unproved));
    wrong.old = 201;
    check(&text(&wrong), Some((201, root(1))), Err(Answer::Bad));
    let mut forged = grown.clone();
    forged.signed.note.signatures[0].bytes[9] ^= 1;
    check(&text(&forged), Some((70, root(70))), Err(Answer::Forbidden));
    let mut other = grown.clone();
    other.signed.note.text = Checkpoint::new("other/log", 200, root(200)).to_text();
    check(&text(&other), Some((70, root(70))), Err(Answer::Unknown));
    let whole = grown.to_text();
    for body in ["", "old 1\n", "old 01\n\n", &whole[4..], &whole.replacen("old 70", "old +70", 1)]
    {
        check(body.as_bytes(), None, Err(Answer::Bad));
    }
    let line = format!("{}\n", root(1).to_base64());
    let long = whole.replacen("old 70\n", &format!("old 70\n{}", line.repeat(63)), 1);
    check(long.as_bytes(), Some((70, root(70))), Err(Answer::Bad));
}

#[test]
fn answers_are_read_back() {
    let line = NoteSignature { name: "w".to_owned(), key_id: [1; 4], bytes: vec![2; 72] };
    let info = MirrorInfo { size: 9, next: 4, ticket: b"t".to_vec() };
    for answer in [
        Answer::Cosigned(vec![line.clone(), line]),
        Answer::Accepted(info.clone()),
        Answer::Accepted(MirrorInfo { ticket: Vec::new(), ..info.clone() }),
        Answer::Bad,
        Answer::Forbidden,
        Answer::Unknown,
        Answer::Conflict(20_852_014),
        Answer::Elsewhere(info),
        Answer::Unproved,
    ] {
        assert_eq!(Answer::parse(answer.status(), answer.body().as_bytes()), Some(answer));
    }
    assert_eq!(Answer::Conflict(7).body(), "7\n");
    for (status, body) in [(200, "x\n"), (409, "07\n"), (409, "7"), (202, "1\n2\n"), (500, "")] {
        assert_eq!(Answer::parse(status, body.as_bytes()), None);
    }
}

#[test]
fn every_part_of_small_trees_is_proved() {
    let all = nodes(70);
    for size in 1..70 {
        let whole = subtree_root(&all, 0, size).unwrap();
        for start in 0..size {
            for end in start + 1..=size {
                let width = (end - start).next_power_of_two();
                if start % width != 0 {
                    continue;
                }
                let proof = subtree_proof(&all, start, end, size).unwrap();
                let part = subtree_root(&all, start, end).unwrap();
                let holds = |proof: &[Hash]| {
                    verify_subtree_consistency(start, end, size, &part, &whole, proof)
                };
                assert!(holds(&proof), "{start}..{end} of {size}");
                assert!(proof.is_empty() || !holds(&proof[1..]));
            }
        }
    }
}

#[test]
fn a_mirror_takes_packages_that_prove_themselves() {
    let size = 700;
    let all = nodes(size);
    let body = |start: u64, packages: usize| {
        let head =
            AddEntries { origin: LOG_ORIGIN.to_owned(), start, end: size, ticket: Vec::new() };
        let mut body = head.encode().unwrap();
        for (first, end) in head.packages().take(packages) {
            let from = first - first % PACKAGE_ENTRIES;
            let proof = subtree_proof(&all, from, end, size).unwrap();
            let entries = (first..end).map(entry).collect();
            body.extend(Package { entries, proof }.encode().unwrap());
        }
        body
    };
    let judge = |body: &[u8], next: u64| {
        let pending =
            |wanted| (wanted == size).then(|| Checkpoint::new(LOG_ORIGIN, size, root(size)));
        let leaf = |index| (index < next).then(|| leaf_hash(&entry(index)));
        judge_entries(body, LOG_ORIGIN, next, size, pending, leaf)
            .map(|(_, kept, whole)| (kept, whole))
    };
    let from = |start: u64, end: u64| (start..end).map(entry).collect::<Vec<_>>();
    assert_eq!(judge(&body(0, 9), 0), Ok((from(0, size), true)));
    assert_eq!(judge(&body(0, 2), 0), Ok((from(0, 512), false)));
    assert_eq!(judge(&body(300, 9), 300), Ok((from(300, size), true)));
    assert_eq!(judge(&body(300, 9), 310), Ok((from(310, size), true)));
    let info = MirrorInfo { size, next: 299, ticket: Vec::new() };
    assert_eq!(judge(&body(300, 9), 299), Err(Answer::Elsewhere(info)));
    assert_eq!(judge(&body(size, 0), size), Ok((Vec::new(), true)));
    assert_eq!(judge(&body(0, 9)[..90], 0), Err(Answer::Bad));
    assert_eq!(judge(b"", 0), Err(Answer::Bad));
    let mut changed = body(0, 9);
    changed[200] ^= 1;
    assert_eq!(judge(&changed, 0), Err(Answer::Unproved));
    let mut strange = body(0, 1);
    strange[3] ^= 1;
    assert_eq!(judge(&strange, 0), Err(Answer::Unknown));
    // Any cut gives a whole number of packages or nothing.
    let whole = body(0, 9);
    for length in (0..whole.len()).step_by(97) {
        if let Ok((kept, _)) = judge(&whole[..length], 0) {
            assert!(kept.len() % 256 == 0 || kept.len() == 700);
        }
    }
}

#[test]
fn lattice_cosignatures() {
    let cosigner = LatticeCosigner::new("witness.example/w1", &[7; 32]).unwrap();
    let key = cosigner.public();
    assert_eq!(key.key_bytes().len(), 1_312);
    assert_eq!(LatticeKey::parse(&key.to_text()).as_ref(), Some(&key));
    let signed = signed(200, root(200));
    let line = cosigner.cosign(1_679_315_147, &signed.checkpoint).unwrap();
    assert_eq!(line.bytes.len(), 8 + 2_420);
    // Through a note's text and back.
    let mut note = signed.note.clone();
    note.signatures.push(line.clone());
    let note = Note::parse(note.to_text().as_bytes()).unwrap();
    assert_eq!(key.cosigned(&note), Some(1_679_315_147));
    assert!(note.is_signed_by(&signer().verifier()));
    // Another time, root, origin, name, key; a changed octet.
    let mut other = line.clone();
    other.bytes[7] ^= 1;
    assert_eq!(key.time_of(&signed.checkpoint, &other), None);
    for at in [8, 100, 1_000, 2_427] {
        let mut changed = line.clone();
        changed.bytes[at] ^= 1;
        assert_eq!(key.time_of(&signed.checkpoint, &changed), None);
    }
    let stranger = LatticeCosigner::new("witness.example/w1", &[8; 32]).unwrap();
    assert_eq!(stranger.public().time_of(&signed.checkpoint, &line), None);
    let forked = Checkpoint::new(LOG_ORIGIN, 200, root(199));
    assert_eq!(key.time_of(&forked, &line), None);
    let part = cosigner.cosign_subtree(LOG_ORIGIN, (128, 192), &root(64)).unwrap();
    assert!(key.signed_subtree(LOG_ORIGIN, (128, 192), &root(64), &part));
    assert!(!key.signed_subtree(LOG_ORIGIN, (0, 64), &root(64), &part));
    assert!(LatticeCosigner::new("with space", &[7; 32]).is_none());
    assert!(cosigner.cosign(u64::MAX, &signed.checkpoint).is_none());
}

/// The message and the signature as a foreign implementation makes them: OpenSSL's ML-DSA-44
/// through Python's `cryptography`, over octets laid out by hand from the specification
/// (`tests/lattice.py`).
#[test]
fn a_foreign_lattice_signature_is_believed() {
    let text = include_str!("../tests/lattice.txt");
    let mut lines = text.lines();
    let (vkey, line) = (lines.next().unwrap(), lines.next().unwrap());
    let key = LatticeKey::parse(vkey).unwrap();
    let line = NoteSignature::parse(line).unwrap();
    let checkpoint = Checkpoint::new("example.com/behind-the-sofa", 20_852_163, Hash([0x5a; 32]));
    assert_eq!(key.time_of(&checkpoint, &line), Some(1_679_315_147));
    // The same seed gives the same key here.
    let own = LatticeCosigner::new("witness.example/w1", &[1; 32]).unwrap();
    assert_eq!(own.public(), key);
}

#[test]
fn fuzz_bodies_are_read_or_refused() {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok().and_then(|one| one.parse().ok());
    let mut random = 0x5eed_0006u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    let package = Package { entries: vec![entry(0), entry(1)], proof: vec![root(2)] };
    let head = AddEntries { origin: "o".to_owned(), start: 0, end: 2, ticket: vec![1] };
    let seeds = [
        request(3, 9).to_text().into_bytes(),
        Answer::Conflict(7).body().into_bytes(),
        Answer::Accepted(MirrorInfo { size: 9, next: 4, ticket: vec![1] }).body().into_bytes(),
        [head.encode().unwrap(), package.encode().unwrap()].concat(),
    ];
    for round in 0..8_000 * factor.unwrap_or(1usize) {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=next() % 3 {
            let at = next() % bytes.len().max(1);
            match next() % 3 {
                0 if at < bytes.len() => bytes[at] = next() as u8,
                1 => bytes.insert(at.min(bytes.len()), b"\n0 =/"[next() % 5]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Some(read) = AddCheckpoint::parse(&bytes) {
            assert_eq!(read.to_text().as_bytes(), bytes);
        }
        for status in [200, 202, 409] {
            if let Some(read) = Answer::parse(status, &bytes) {
                assert_eq!((read.status(), read.body().as_bytes()), (status, &bytes[..]));
            }
        }
        let mut from = Cursor::new(&bytes);
        if let Some(read) = AddEntries::read(&mut from) {
            let length = from.position();
            assert_eq!(read.encode().as_deref(), Some(&bytes[..length]));
            let _ = Package::read(&mut from, 2);
        }
        let _ = std::str::from_utf8(&bytes).map(LatticeKey::parse);
    }
}
