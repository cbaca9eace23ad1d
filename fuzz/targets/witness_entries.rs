//! `add-entries`: judged as it came; and what it carries, with proofs that hold, is taken whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use terms::Cursor;
use tlog::{Checkpoint, CompactRange, Hash, RecentNodes, leaf_hash, subtree_root};
use witness::{AddEntries, PACKAGE_ENTRIES, Package, judge_entries, subtree_proof};

const NODES: usize = 1 << 17;

fuzz_target!(|octets: &[u8]| {
    let mut from = Cursor::new(octets);
    let Some(head) = AddEntries::read(&mut from) else { return };
    assert!(head.encode().is_some_and(|head| octets.starts_with(&head)));
    let some = Hash([7; 32]);
    let pending = |size| Some(Checkpoint::new(&head.origin, size, some));
    let _ = judge_entries(octets, &head.origin, head.start, 0, pending, |_| Some(some));

    let mut packages = Vec::new();
    for (start, end) in head.packages() {
        let Some(package) = Package::read(&mut from, end - start) else { break };
        packages.push((start, end, package));
    }
    let Some((_, end, _)) = packages.last() else { return };
    let (start, end) =
        (head.start % PACKAGE_ENTRIES, *end - (head.start - head.start % PACKAGE_ENTRIES));
    honest(&AddEntries { start, end, ..head.clone() }, packages);
});

/// The same entries at the beginning of a log, each package with its proof.
fn honest(head: &AddEntries, packages: Vec<(u64, u64, Package)>) {
    let (mut nodes, mut range) = (RecentNodes::new(NODES), CompactRange::new());
    let entries = packages.iter().flat_map(|(_, _, package)| &package.entries);
    let before = (0..head.start).map(|_| Hash([7; 32]));
    for leaf in before.chain(entries.map(|entry| leaf_hash(entry))) {
        range.append(leaf, |height, index, node| nodes.note(height, index, node));
    }
    let mut body = head.encode().unwrap_or_default();
    let mut sent = Vec::new();
    for ((start, end), (_, _, Package { entries, .. })) in head.packages().zip(packages) {
        let first = start - start % PACKAGE_ENTRIES;
        let proof = subtree_proof(&nodes, first, end, head.end);
        let proof = proof.unwrap_or_else(|| panic!("no proof of {first}..{end} in {}", head.end));
        sent.extend(entries.iter().cloned());
        body.extend(Package { entries, proof }.encode().unwrap_or_default());
    }
    let root = subtree_root(&nodes, 0, head.end);
    let pending = |size| Some(Checkpoint::new(&head.origin, size, root?));
    let leaf = |_| Some(Hash([7; 32]));
    let judged = judge_entries(&body, &head.origin, head.start, 0, pending, leaf);
    assert_eq!(judged, Ok((head.clone(), sent, true)));
}
