//! Cases: known roots, every proof of small trees, other people's proofs, odd texts.

use super::*;
use data_encoding::HEXLOWER;

/// The eight entries that RFC 6962 implementations test with, and the roots of their trees.
const ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// How much longer than usual the fuzzers run.
fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

struct Leaves(Vec<Hash>);

impl TileSource for Leaves {
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Hash>> {
        let span = 1usize << (8 * level);
        let whole: Vec<&[Hash]> = self.0.chunks_exact(span).collect();
        let start = index as usize * 256;
        let end = whole.len().min(start + 256);
        let roots = whole.get(start..end)?.iter().map(|part| {
            let mut range = CompactRange::new();
            part.iter().for_each(|leaf| range.append(*leaf, |_, _, _| {}));
            range.root()
        });
        Some(roots.collect())
    }
}

fn grow(count: u64) -> (Vec<Hash>, Vec<Hash>, RecentNodes) {
    let (mut leaves, mut roots) = (Vec::new(), vec![empty_root()]);
    let mut range = CompactRange::new();
    let mut recent = RecentNodes::new(4_096);
    for index in 0..count {
        let leaf = leaf_hash(&index.to_be_bytes());
        leaves.push(leaf);
        range.append(leaf, |height, index, node| recent.note(height, index, node));
        roots.push(range.root());
    }
    (leaves, roots, recent)
}

#[test]
fn known_roots() {
    let mut range = CompactRange::new();
    assert_eq!(range.root().to_string(), ROOTS[0]);
    for (entry, root) in ENTRIES.iter().zip(&ROOTS[1..]) {
        let entry = HEXLOWER.decode(entry.as_bytes()).unwrap();
        range.append(leaf_hash(&entry), |_, _, _| {});
        assert_eq!(range.root().to_string(), *root);
    }
    let again = CompactRange::resume(8, range.peaks().to_vec()).unwrap();
    assert_eq!(again.root().to_string(), ROOTS[8]);
    assert!(CompactRange::resume(7, range.peaks().to_vec()).is_none());
}

#[test]
fn every_inclusion_proof_up_to_300() {
    let (leaves, roots, recent) = grow(300);
    let tiled = TiledNodes(Leaves(leaves.clone()));
    for size in 0..=300u64 {
        let root = &roots[size as usize];
        assert!(inclusion_proof(&recent, size, size).is_none());
        for index in 0..size {
            let proof = inclusion_proof(&recent, index, size).unwrap();
            let leaf = &leaves[index as usize];
            assert!(verify_inclusion(leaf, index, size, &proof, root));
            assert!(!verify_inclusion(&empty_root(), index, size, &proof, root));
            assert!(!verify_inclusion(leaf, index + 1, size, &proof, root));
            let mut longer = proof.clone();
            longer.push(*root);
            assert!(!verify_inclusion(leaf, index, size, &longer, root));
            if !proof.is_empty() {
                assert!(!verify_inclusion(leaf, index, size, &proof[1..], root));
            }
            if size % 37 == 0 && index % 11 == 0 {
                assert_eq!(inclusion_proof(&tiled, index, size), Some(proof));
            }
        }
    }
}

#[test]
fn every_consistency_proof_up_to_300() {
    let (leaves, roots, recent) = grow(300);
    let tiled = TiledNodes(Leaves(leaves));
    for size in 0..=300u64 {
        for old in 0..=size {
            let proof = consistency_proof(&recent, old, size).unwrap();
            let (old_root, root) = (&roots[old as usize], &roots[size as usize]);
            if old == 0 && size != 0 {
                assert!(proof.is_empty());
                assert!(!verify_consistency(old, size, old_root, root, &proof));
                continue;
            }
            assert!(verify_consistency(old, size, old_root, root, &proof));
            let other = leaf_hash(b"other");
            assert!(!verify_consistency(old, size, &other, root, &proof));
            assert!(!verify_consistency(old, size, old_root, &other, &proof));
            let mut longer = proof.clone();
            longer.push(other);
            assert!(!verify_consistency(old, size, old_root, root, &longer));
            if !proof.is_empty() {
                assert!(!verify_consistency(old, size, old_root, root, &proof[1..]));
            }
            if size % 29 == 0 && old % 7 == 0 {
                assert_eq!(consistency_proof(&tiled, old, size), Some(proof));
            }
        }
        assert!(consistency_proof(&recent, size + 1, size).is_none());
    }
}

#[test]
fn recent_nodes_forget() {
    let mut range = CompactRange::new();
    let mut recent = RecentNodes::new(16);
    for index in 0..1_000u64 {
        let leaf = leaf_hash(&index.to_be_bytes());
        range.append(leaf, |height, index, node| recent.note(height, index, node));
        let proof = inclusion_proof(&recent, index, index + 1).unwrap();
        assert!(verify_inclusion(&leaf, index, index + 1, &proof, &range.root()));
    }
    assert!(inclusion_proof(&recent, 3, 1_000).is_none());
}

/// Proofs made by others: `$SEKISHO_SHARED/suites/merkle`, or beside the checkout.
#[test]
fn proofs_of_others() {
    let shared = std::env::var("SEKISHO_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let folder = std::path::Path::new(&shared).join("suites/merkle");
    if !folder.is_dir() {
        println!("absent: {}", folder.display());
        return;
    }
    let (mut right, mut wrong) = (0, 0);
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|end| end == "json") {
                let expected = foreign_case(&path);
                *(if expected { &mut right } else { &mut wrong }) += 1;
            }
        }
    }
    println!("merkle suite: {right} right accepted, {wrong} wrong refused");
    assert!(right > 10 && wrong > 400);
}

/// Checks one file and says whether it was a right one.
fn foreign_case(path: &std::path::Path) -> bool {
    let case: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let number = |key: &str| case[key].as_u64().unwrap();
    // Words such as "don't care" stand for some hash.
    let hash = |value: &serde_json::Value| {
        let bytes = data_encoding::BASE64.decode(value.as_str()?.as_bytes()).ok()?;
        let word = (!bytes.is_empty()).then(|| leaf_hash(&bytes));
        Hash::from_slice(&bytes).or(word)
    };
    let none = Vec::new();
    let proof = case["proof"].as_array().unwrap_or(&none).iter().map(hash);
    let proof: Option<Vec<Hash>> = proof.collect();
    let accepted = (|| {
        let proof = proof?;
        let part = case.get("start").is_some();
        Some(match (case.get("leafIdx").is_some(), part) {
            (true, false) => verify_inclusion(
                &hash(&case["leafHash"])?,
                number("leafIdx"),
                number("treeSize"),
                &proof,
                &hash(&case["root"])?,
            ),
            (true, true) => verify_subtree_inclusion(
                &hash(&case["leafHash"])?,
                number("leafIdx"),
                number("start"),
                number("end"),
                &proof,
                &hash(&case["root"])?,
            ),
            (false, false) => verify_consistency(
                number("size1"),
                number("size2"),
                &hash(&case["root1"])?,
                &hash(&case["root2"])?,
                &proof,
            ),
            (false, true) => verify_subtree_consistency(
                number("start"),
                number("end"),
                number("size"),
                &hash(&case["root1"])?,
                &hash(&case["root2"])?,
                &proof,
            ),
        })
    })();
    let right = !case["wantErr"].as_bool().unwrap();
    assert_eq!(accepted.unwrap_or(false), right, "{}", path.display());
    right
}

#[test]
fn tile_paths() {
    let check = |level, index, width, path: &str| {
        let address = TileAddress { level, index, width };
        assert_eq!(address.path(), path);
        assert_eq!(TileAddress::parse(path), Some(address));
    };
    check(Some(0), 0, 256, "tile/0/000");
    check(Some(3), 1_234_067, 256, "tile/3/x001/x234/067");
    check(Some(1), 255, 10, "tile/1/255.p/10");
    check(None, 999_999, 1, "tile/entries/x999/999.p/1");
    for wrong in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/00",
        "tile/0/0000",
        "tile/8/000",
        "tile/00/000",
        "tile/+1/000",
        "tile/0/x000/000",
        "tile/0/x001/",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/007",
        "tile/0/001.p/",
        "TILE/0/000",
        "tile/0/000/",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(TileAddress::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn bundles() {
    let entries: [&[u8]; 3] = [b"one", b"", &[7; 65_535]];
    let bundle = encode_bundle(&entries).unwrap();
    assert_eq!(decode_bundle(&bundle).unwrap(), entries);
    assert!(decode_bundle(&bundle[..bundle.len() - 1]).is_none());
    assert!(decode_bundle(&[0]).is_none());
    assert!(encode_bundle(&[&[0; 65_536]]).is_none());
    assert!(encode_bundle(&[&b""[..]; 257]).is_none());
    assert!(decode_bundle(&[0; 514]).is_none());
}

fn signed() -> (NoteSigner, Cosigner, Note) {
    let signer = NoteSigner::new("example.com/log", &[1; 32]).unwrap();
    let cosigner = Cosigner::new("example.com/mirror", &[2; 32]).unwrap();
    let text = Checkpoint::new("example.com/log", 20_852_163, empty_root()).to_text();
    let signatures = vec![signer.sign(&text), cosigner.cosign(1_679_315_147, &text)];
    (signer, cosigner, Note { text, signatures })
}

#[test]
fn notes_are_signed_and_cosigned() {
    let (signer, cosigner, note) = signed();
    let read = Note::parse(note.to_text().as_bytes()).unwrap();
    assert_eq!(read, note);
    assert!(read.is_signed_by(&signer.verifier()));
    assert_eq!(cosigner.public().cosigned(&read), Some(1_679_315_147));
    assert_eq!(Checkpoint::parse(&read.text).unwrap().size, 20_852_163);

    let stranger = NoteSigner::new("example.com/log", &[3; 32]).unwrap();
    assert!(!read.is_signed_by(&stranger.verifier()));
    assert!(
        Cosigner::new("example.com/mirror", &[3; 32]).unwrap().public().cosigned(&read).is_none()
    );

    let mut changed = read.clone();
    changed.text = changed.text.replace("20852163", "20852164");
    assert!(!changed.is_signed_by(&signer.verifier()));
    assert!(cosigner.public().cosigned(&changed).is_none());

    // A false signature beside the true one spoils it.
    let mut doubled = read.clone();
    let mut forged = doubled.signatures[0].clone();
    forged.bytes[5] ^= 1;
    doubled.signatures.push(forged);
    assert!(!doubled.is_signed_by(&signer.verifier()));

    // The time is part of what is signed.
    let mut later = read;
    later.signatures[1].bytes[7] ^= 1;
    assert!(cosigner.public().cosigned(&later).is_none());
}

#[test]
fn only_both_signatures_prove() {
    let signer = NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap();
    let cosigner = Cosigner::new(MIRROR_NAME, &[2; 32]).unwrap();
    let keys = (signer.verifier().key_bytes(), cosigner.public().key_bytes());
    let trust = Trust::new(&keys.0, &keys.1).unwrap();
    let mut range = CompactRange::new();
    let mut recent = RecentNodes::new(64);
    for entry in [b"a", b"b", b"c"] {
        range.append(leaf_hash(entry), |height, index, node| recent.note(height, index, node));
    }
    let text = Checkpoint::new(LOG_ORIGIN, 3, range.root()).to_text();
    let proof: Vec<[u8; 32]> =
        inclusion_proof(&recent, 1, 3).unwrap().into_iter().map(|hash| hash.0).collect();
    let note = |signatures| Note { text: text.clone(), signatures }.to_text().into_bytes();
    let (one, two) = (signer.sign(&text), cosigner.cosign(9, &text));
    let trusted = trust.read(&note(vec![one.clone(), two.clone()])).unwrap();
    assert_eq!(trusted.cosigned_at, 9);
    assert!(trusted.proves(b"b", 1, &proof));
    assert!(!trusted.proves(b"a", 1, &proof) && !trusted.proves(b"b", 0, &proof));
    assert!(trust.read(&note(vec![one])).is_none());
    assert!(trust.read(&note(vec![two])).is_none());
    assert!(Trust::new(&keys.1, &keys.0).unwrap().read(&note(vec![])).is_none());
}

#[test]
fn keys_are_printed_and_read() {
    let (signer, cosigner, _) = signed();
    let printed = signer.verifier().to_text();
    assert_eq!(NoteVerifier::parse(&printed), Some(signer.verifier()));
    assert_eq!(CosignerKey::parse(&cosigner.public().to_text()), Some(cosigner.public()));
    assert!(CosignerKey::parse(&printed).is_none());
    assert!(NoteVerifier::parse(&printed.replace("example.com", "example.org")).is_none());
    assert!(NoteSigner::new("two words", &[0; 32]).is_none());
    assert!(NoteSigner::new("a+b", &[0; 32]).is_none());
    assert!(Cosigner::new("", &[0; 32]).is_none());
}

/// The key that the Go checksum database prints: a foreign vector for key ids.
#[test]
fn a_foreign_key_has_the_right_id() {
    let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(NoteVerifier::parse(text).unwrap().to_text(), text);
}

#[test]
fn odd_checkpoints_are_refused() {
    let root = empty_root().to_base64();
    let check = |text: String, expected: bool| {
        assert_eq!(Checkpoint::parse(&text).is_some(), expected, "{text:?}");
    };
    check(format!("o\n0\n{root}\n"), true);
    check(format!("o\n18446744073709551615\n{root}\nmore\n"), true);
    check(format!("o\n18446744073709551616\n{root}\n"), false);
    check(format!("o\n01\n{root}\n"), false);
    check(format!("o\n+1\n{root}\n"), false);
    check(format!("o\n-1\n{root}\n"), false);
    check(format!("o\n\n{root}\n"), false);
    check(format!("\n0\n{root}\n"), false);
    check(format!("o\n0\n{root}"), false);
    check(format!("o\n0\n{root}\n\n"), false);
    check(format!("o\r\n0\r\n{root}\r\n"), false);
    check(format!("o\n0\n{}\n", &root[1..]), false);
    check("o\n0\n".to_owned(), false);
    check(String::new(), false);
}

#[test]
fn odd_notes_are_refused() {
    let check = |text: &str| assert!(Note::parse(text.as_bytes()).is_none(), "{text:?}");
    check("");
    check("text\n");
    check("text\n\n");
    check("text\n\n\u{2014} name AAAA\n");
    check("text\n\n\u{2014} name AAAAAAAA");
    check("text\n\n- name AAAAAAAAAAAA\n");
    check("text\n\n\u{2014} na+me AAAAAAAAAAAA\n");
    check("te\txt\n\n\u{2014} name AAAAAAAAAAAA\n");
    check("text\n\n\u{2014} name AAAAAAAAAAAA\n\n");
    assert!(Note::parse("text\n\n\u{2014} name AAAAAAAAAAAA\n".as_bytes()).is_some());
    assert!(Note::parse(b"text\n\n\xe2\x80\x94 name\xff AAAAAAAAAAAA\n").is_none());
    let line = "\u{2014} name AAAAAAAAAAAA\n";
    assert!(Note::parse(format!("t\n\n{}", line.repeat(32)).as_bytes()).is_some());
    assert!(Note::parse(format!("t\n\n{}", line.repeat(33)).as_bytes()).is_none());
    assert!(Note::parse(&vec![b'a'; NOTE_BYTES + 1]).is_none());
}

#[test]
fn fuzz_input_is_read_or_refused() {
    let (signer, cosigner, note) = signed();
    let seeds = [
        note.to_text().into_bytes(),
        note.text.clone().into_bytes(),
        signer.verifier().to_text().into_bytes(),
        cosigner.public().to_text().into_bytes(),
        b"tile/3/x001/x234/067.p/10".to_vec(),
        encode_bundle(&[b"one", b"two", b""]).unwrap(),
    ];
    let mut random = Xorshift(0x5eed_0001);
    for round in 0..24_000 * factor() {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=random.next() % 4 {
            let at = random.next() as usize % bytes.len().max(1);
            match random.next() % 4 {
                0 if at < bytes.len() => bytes[at] = random.next() as u8,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at.min(bytes.len()), b"\n +/=x\xe2"[random.next() as usize % 7]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Some(read) = Note::parse(&bytes) {
            assert_eq!(Note::parse(read.to_text().as_bytes()).as_ref(), Some(&read));
            let _ = (read.is_signed_by(&signer.verifier()), cosigner.public().cosigned(&read));
        }
        if let Some(entries) = decode_bundle(&bytes) {
            assert_eq!(encode_bundle(&entries).as_deref(), Some(&bytes[..]));
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        if let Some(read) = Checkpoint::parse(text) {
            assert_eq!(read.to_text(), text);
        }
        if let Some(read) = TileAddress::parse(text) {
            assert_eq!(read.path(), text);
        }
        if let Some(read) = NoteVerifier::parse(text) {
            assert_eq!(read.to_text(), text);
        }
        let _ = (NoteSignature::parse(text), CosignerKey::parse(text));
    }
}

mod stores {
    //! Cases: a log grows, is cut anywhere, is changed anywhere.

    use super::*;

    type Log = Store<Vec<u8>>;

    fn signer() -> NoteSigner {
        NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap()
    }

    fn commit(store: &mut Log, entries: &[Vec<u8>]) {
        for entry in entries {
            store.stage(entry).unwrap();
        }
        let checkpoint = store.checkpoint(LOG_ORIGIN);
        let text = checkpoint.to_text();
        let signatures = vec![signer().sign(&text)];
        store.write(SignedCheckpoint { note: Note { text, signatures }, checkpoint }).unwrap();
        store.flush().unwrap();
    }

    fn open_at(volumes: Volumes<Vec<u8>>, anchor: Option<&Anchor>) -> (Log, Opened, Vec<Vec<u8>>) {
        let key = signer().verifier();
        let mut seen = Vec::new();
        let believed = |signed: &SignedCheckpoint| signed.note.is_signed_by(&key);
        let (store, opened) = Store::open(volumes, anchor, believed, |index, entry| {
            assert!(index >= seen.len() as u64);
            seen.push(entry.to_vec());
        })
        .unwrap();
        (store, opened, seen)
    }

    fn open(log: Vec<u8>, tiles: Vec<u8>) -> (Log, Opened, Vec<Vec<u8>>) {
        let mut volumes = Volumes { log, ..Volumes::default() };
        volumes.tiles[0] = tiles;
        open_at(volumes, None)
    }

    fn entry(number: u64) -> Vec<u8> {
        vec![number as u8; (number * 7 % 90) as usize]
    }

    /// A log of `count` entries in batches, and where each batch ends: (octets, entries).
    fn grown(count: u64, batch: u64) -> (Vec<u8>, Vec<u8>, Vec<(usize, u64)>) {
        let (mut store, _, _) = open(Vec::new(), Vec::new());
        let mut ends = vec![(0, 0)];
        for first in (0..count).step_by(batch as usize) {
            let batch: Vec<_> = (first..count.min(first + batch)).map(entry).collect();
            commit(&mut store, &batch);
            ends.push((store.log().len(), store.size()));
        }
        let Volumes { log, tiles: [tiles, ..], .. } = store.volumes();
        (log, tiles, ends)
    }

    #[test]
    fn a_log_is_read_back() {
        let (log, tiles, _) = grown(1_000, 17);
        let (store, opened, seen) = open(log.clone(), tiles.clone());
        assert_eq!(opened, Opened::default());
        assert_eq!(seen, (0..1_000).map(entry).collect::<Vec<_>>());
        let root = store.committed().root();
        for index in [0, 1, 255, 256, 511, 998, 999] {
            let proof = store.inclusion(index, 1_000).unwrap();
            assert!(verify_inclusion(&leaf_hash(&entry(index)), index, 1_000, &proof, &root));
            let found = store.entries(index, 3, usize::MAX).unwrap();
            let expected: Vec<_> = (index..1_000.min(index + 3)).map(entry).collect();
            assert_eq!(found, expected);
        }
        assert!(store.entries(1_000, 3, usize::MAX).unwrap().is_empty());
        assert_eq!(store.entries(10, 500, 50).unwrap().len(), 1);
        assert_eq!(store.entries(10, 500, 71).unwrap().len(), 2);

        for wrong in [Vec::new(), tiles[..77].to_vec(), [&tiles[..], &[0; 32]].concat()] {
            let (store, _, _) = open(log.clone(), wrong);
            assert_eq!(store.volumes().tiles[0], tiles);
        }
        let mut changed = tiles.clone();
        changed[40] ^= 1;
        let (store, opened, _) = open(log, changed);
        assert!(opened.tiles_repaired && store.volumes().tiles[0] == tiles);
    }

    #[test]
    fn a_log_cut_anywhere_keeps_every_committed_batch() {
        let (log, tiles, ends) = grown(60, 7);
        for length in 0..=log.len() {
            let (mut store, opened, seen) = open(log[..length].to_vec(), tiles.clone());
            let (bytes, size) = *ends.iter().rev().find(|end| end.0 <= length).unwrap();
            assert_eq!((store.size(), seen.len() as u64), (size, size));
            assert_eq!((opened.torn_bytes, opened.damage), ((length - bytes) as u64, None));
            commit(&mut store, &[entry(size)]);
            assert_eq!(open_at(store.volumes(), None).2.len() as u64, size + 1);
        }
    }

    #[test]
    fn a_changed_octet_before_the_last_batch_is_damage() {
        let (log, tiles, ends) = grown(60, 7);
        let (sure, last) = (ends[ends.len() - 3].0, ends[ends.len() - 2].0);
        for at in 0..log.len() {
            let mut changed = log.clone();
            changed[at] ^= 0x10;
            let (store, opened, _) = open(changed, tiles.clone());
            assert!(store.size() < 60 && opened.torn_bytes > 0);
            // A changed checkpoint of the last batch but one looks like one long torn batch.
            assert!(at >= sure || opened.damage.is_some(), "octet {at}");
            assert!(at < last || opened.damage.is_none(), "octet {at}");
            assert!(at >= last || opened.claimed_size == 60);
        }
    }

    #[test]
    fn an_abandoned_batch_leaves_nothing() {
        let (log, tiles, _) = grown(100, 10);
        let (mut store, _, _) = open(log.clone(), tiles);
        let root = store.committed().root();
        for number in 0..300 {
            store.stage(&entry(number)).unwrap();
        }
        store.abandon().unwrap();
        assert_eq!(store.checkpoint(LOG_ORIGIN).root, root);
        assert_eq!(*store.log(), log);
        commit(&mut store, &[entry(100), entry(101)]);
        let (whole, _, _) = grown(100, 10);
        let (mut other, _, _) = open(whole, Vec::new());
        commit(&mut other, &[entry(100), entry(101)]);
        assert_eq!(store.committed(), other.committed());
        assert!(store.inclusion(101, 102).is_some() && store.inclusion(3, 102).is_some());
    }

    #[test]
    fn fuzz_logs_are_read_without_end_or_panic() {
        let (log, tiles, _) = grown(40, 5);
        let mut random = Xorshift(0x5eed_0003);
        for _ in 0..3_000 * factor() {
            let mut bytes = log.clone();
            for _ in 0..=random.next() % 4 {
                let at = random.next() as usize % bytes.len().max(1);
                match random.next() % 3 {
                    0 => bytes[at] = random.next() as u8,
                    1 => drop(bytes.drain(at..(at + 40).min(log.len()).min(bytes.len()))),
                    _ => bytes.insert(at, random.next() as u8),
                }
            }
            let (store, _, seen) = open(bytes, tiles.clone());
            assert_eq!(seen, (0..store.size()).map(entry).collect::<Vec<_>>());
        }
    }

    /// A log of 1,000 entries, an anchor at the 700th, and a few entries more.
    fn anchored() -> (Volumes<Vec<u8>>, Anchor) {
        let (mut store, _, _) = open(Vec::new(), Vec::new());
        let mut anchor = None;
        for first in (0..1_000).step_by(10) {
            let batch: Vec<_> = (first..first + 10).map(entry).collect();
            commit(&mut store, &batch);
            if store.size() == 700 {
                anchor = store.anchor(b"known".to_vec()).unwrap();
            }
        }
        (store.volumes(), anchor.unwrap())
    }

    #[test]
    fn a_log_is_opened_from_an_anchor() {
        let (volumes, anchor) = anchored();
        assert_eq!(Anchor::decode(&anchor.encode()).as_ref(), Some(&anchor));
        let (mut store, opened, seen) = open_at(volumes.clone(), Some(&anchor));
        assert_eq!((opened.anchored, opened.tiles_repaired, seen.len()), (700, false, 300));
        let root = store.committed().root();
        for index in [0, 255, 256, 699, 700, 999] {
            let proof = store.inclusion(index, 1_000).unwrap();
            assert!(verify_inclusion(&leaf_hash(&entry(index)), index, 1_000, &proof, &root));
            assert_eq!(store.entries(index, 1, 1).unwrap(), [entry(index)]);
        }
        commit(&mut store, &[entry(1_000)]);
        let grown = store.volumes();
        let (whole, opened, _) = open_at(grown.clone(), None);
        assert_eq!((whole.committed(), opened), (store.committed(), Opened::default()));
        assert_eq!(open_at(grown, Some(&anchor)).0.committed(), store.committed());
    }

    #[test]
    fn what_is_derived_is_mended_behind_an_anchor() {
        let (volumes, anchor) = anchored();
        let check = |change: &dyn Fn(&mut Volumes<Vec<u8>>), anchored: u64| {
            let mut changed = volumes.clone();
            change(&mut changed);
            let (store, opened, _) = open_at(changed, Some(&anchor));
            assert_eq!((opened.anchored, opened.anchor_refused), (anchored, anchored == 0));
            let found = store.volumes();
            assert_eq!((found.log, found.marks), (volumes.log.clone(), volumes.marks.clone()));
            assert_eq!(found.tiles, volumes.tiles);
        };
        check(&|_| (), 700);
        check(&|volumes| volumes.tiles[0].truncate(701 * 32), 700);
        check(&|volumes| volumes.tiles[0][705 * 32] ^= 1, 700);
        check(&|volumes| volumes.tiles[1].push(1), 700);
        check(&|volumes| volumes.marks.truncate(90), 700);
        // The edge of the tree stands on these: then everything is read.
        check(&|volumes| volumes.tiles[0].truncate(699 * 32), 0);
        check(&|volumes| volumes.tiles[0][690 * 32] ^= 1, 0);
        check(&|volumes| volumes.tiles[1][3] ^= 1, 0);
        check(&|volumes| volumes.marks.clear(), 0);
    }

    #[test]
    fn a_false_anchor_is_refused() {
        let (volumes, anchor) = anchored();
        let check = |change: &dyn Fn(&mut Anchor)| {
            let mut changed = anchor.clone();
            change(&mut changed);
            let (store, opened, seen) = open_at(volumes.clone(), Some(&changed));
            assert!(opened.anchor_refused && opened.anchored == 0 && seen.len() == 1_000);
            assert_eq!(store.size(), 1_000);
        };
        check(&|anchor| anchor.note_at += 1);
        check(&|anchor| anchor.log_bytes -= 1);
        check(&|anchor| anchor.range = CompactRange::new());
        check(&|anchor| anchor.range.append(leaf_hash(b"x"), |_, _, _| {}));
        let bytes = anchor.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(Anchor::decode(&changed).is_none());
            assert!(Anchor::decode(&bytes[..at]).is_none());
        }
        // Damage behind an anchor is still damage; torn is still torn.
        let mut changed = volumes.clone();
        let at = usize::try_from(anchor.log_bytes).unwrap() + 50;
        changed.log[at] ^= 1;
        let (store, opened, _) = open_at(changed, Some(&anchor));
        assert!(opened.damage.is_some() && store.size() == 700 && opened.claimed_size == 1_000);
        let mut torn = volumes.clone();
        torn.log.truncate(volumes.log.len() - 3);
        let (store, opened, _) = open_at(torn, Some(&anchor));
        assert!(opened.damage.is_none() && store.size() == 990 && opened.torn_bytes > 0);
    }

    #[test]
    fn subtrees_are_added_whole() {
        let mut leaves = CompactRange::new();
        let mut nodes = RecentNodes::new(4_096);
        for number in 0..1_000 {
            leaves.append(leaf_hash(&entry(number)), |h, index, node| nodes.note(h, index, node));
        }
        let mut parts = CompactRange::new();
        for (height, index) in [(8, 0), (7, 2), (0, 384), (0, 385), (1, 193), (2, 97), (3, 49)] {
            assert!(parts.append_subtree(height, nodes.node(height, index).unwrap()));
        }
        assert!(!parts.append_subtree(5, nodes.node(5, 13).unwrap()));
        assert_eq!(parts.size(), 400);
        assert_eq!(Some(parts.root()), subtree_root(&nodes, 0, 400));
    }
}
