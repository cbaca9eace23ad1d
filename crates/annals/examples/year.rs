//! A contract's year: 50 people, 250 days, 40 releases a day each, and as many deliveries.
//! Written, cut out as a view, and checked as a customer does:
//! `cargo run --release -p annals --example year -- FOLDER [ENTRIES]`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use annals::{
    Binder, Folder, Index, Keys, Reader, Segments, Shelf, View, chapter_name, check, check_view,
    names, write_view,
};
use evidence::{Author, Body, Delivery, Frame, Released, Word};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use terms::{GrantId, InstanceId, Kind, MessageId, TenantId, UserId, Verdict};
use tlog::{LOG_ORIGIN, Note, NoteSigner, SignedCheckpoint, Store, leaf_hash};

const YEAR: u64 = 2 * 50 * 250 * 40;
const TENANT: TenantId = TenantId([7; 8]);

fn message(number: u64) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    MessageId(id)
}

/// Mail of a year, and who read it, signed.
fn frames(count: u64) -> Vec<Vec<u8>> {
    let author = |kind, number: u8| Author::new(kind, InstanceId([number; 6]), &[number; 32]);
    let (mut warden, mut mailbox, mut vault) =
        (author(Kind::Warden, 1), author(Kind::Mailbox, 2), author(Kind::Vault, 3));
    let named = [
        (Kind::Warden, warden.public_key(), warden.start()),
        (Kind::Mailbox, mailbox.public_key(), mailbox.start()),
        (Kind::Vault, vault.public_key(), vault.start()),
    ];
    let mut frames: Vec<Vec<u8>> = named
        .into_iter()
        .map(|(kind, key, instance)| {
            let (version, key) = (Word::new("0.2.0"), Some(key));
            let (pid, zygote, serves) = (1, None, None);
            warden
                .sign(1, Body::ProcessStart { instance, kind, pid, version, zygote, key, serves })
                .unwrap()
        })
        .collect();
    let tenant = TENANT;
    for number in 0..count / 2 {
        let user = UserId((number % 50 + 1).to_be_bytes());
        let at_ms = 1_767_225_600_000 + number * 60_000;
        let verdict = Verdict::Deliver;
        let one = Delivery { message: message(number), user, bytes: 21_000, verdict };
        let (instance, connection) = (InstanceId([8; 6]), None);
        let deliver = Body::Deliver { instance, tenant, messages: vec![one], connection };
        frames.push(mailbox.sign(at_ms, deliver).unwrap());
        let (instance, grant) = (InstanceId([9; 6]), GrantId([9; 16]));
        let released = Released::Bodies(vec![message(number)]);
        let vault_seq = number;
        let release = Body::Release { vault_seq, instance, grant, tenant, user, released };
        frames.push(vault.sign(at_ms, release).unwrap());
    }
    frames
}

/// As the ledger writes it, with its index.
fn write(folder: &Path, signer: &NoteSigner, frames: &[Vec<u8>]) {
    let shelf = Folder(folder.to_owned());
    let volumes = Segments::volumes(folder).unwrap();
    let (mut store, _) = Store::open(volumes, None, |_| true, |_, _| {}).unwrap();
    let mut binder = Binder::new(0, Vec::new());
    for batch in frames.chunks(8_192) {
        for frame in batch {
            store.stage(frame).unwrap();
            let entry = Frame::parse(frame).unwrap().entry;
            if let Some((number, index)) = binder.take(leaf_hash(frame), Some(&entry)) {
                shelf.put(&chapter_name(number), &index).unwrap();
            }
        }
        let checkpoint = store.checkpoint(LOG_ORIGIN);
        let text = checkpoint.to_text();
        let signatures = vec![signer.sign(&text)];
        store.write(SignedCheckpoint { note: Note { text, signatures }, checkpoint }).unwrap();
        store.flush().unwrap();
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let count: u64 = arguments.next().map_or(YEAR, |count| count.parse().unwrap());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let signer = NoteSigner::new(LOG_ORIGIN, &[1; 32]).unwrap();
    let key = signer.verifier();
    fs::write(folder.join(names::PUBLIC), key.to_text()).unwrap();
    write(&folder, &signer, &frames(count));
    let keys = Keys { ledger: key, mirror: None };
    let reader = Reader::open(&folder, keys.clone()).unwrap();
    let view = View { tenant: TENANT, user: None, from_ms: 0, to_ms: u64::MAX };
    let to = folder.join("view");
    let begun = Instant::now();
    let signed = reader.newest().unwrap();
    let shown = write_view(&Index::of(&reader), &reader, signed, None, &view, &to).unwrap();
    println!("view: {shown} entries written in {:?}", begun.elapsed());
    let begun = Instant::now();
    let (found, _) = check_view(&to, None, |_, _| {}).unwrap();
    println!(
        "view: {} entries checked in {:?}, {:?}",
        found.entries,
        begun.elapsed(),
        found.problems
    );
    let begun = Instant::now();
    let found = check(&folder, &keys, 0, |_, _, _| {}).unwrap();
    println!(
        "ledger verify: {} entries, {} chapters in {:?}, {:?}",
        found.entries_checked,
        found.chapters_checked,
        begun.elapsed(),
        found.problems
    );
    let _ = fs::remove_dir_all(&folder);
}
