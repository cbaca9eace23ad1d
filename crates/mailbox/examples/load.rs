//! What the keeper costs by itself: arrivals, and the acts of a session on a large folder.
//!
//! `cargo run --release -p mailbox --example load [FOLDER]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use mailbox::{Batch, FlagChange, Store, Whose};
use std::path::PathBuf;
use std::time::Instant;
use terms::{FolderId, InstanceId, MessageId, TenantId, UserId, Verdict};
use wire::Parcel;
use wire::mailbox::{Copy, Journey, Place, SealedPart, State, ToAccess, flag};

const NOW: u64 = 1_795_000_000_000;

fn cpu_us() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
}

fn copy(user: u8, number: u64, size: usize) -> Copy {
    let mut message = MessageId::default();
    message.0[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    let part = |length: usize| SealedPart {
        epoch: 1,
        wrapped: vec![user; 150],
        content: Parcel::Inline(vec![number as u8; length]),
    };
    Copy {
        tenant: TenantId([1; 8]),
        user: UserId([user; 8]),
        message,
        place: Place::Inbox,
        size: size as u64,
        received_ms: NOW + number,
        verdict: Verdict::Deliver,
        summary: part(1_500),
        body: part(size),
    }
}

fn journey(copy: &Copy, number: u64) -> Journey {
    let token = |salt: u64| {
        let value = (number * 8 + salt).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let mut token = [7u8; 16];
        token[..8].copy_from_slice(&value.to_be_bytes());
        token
    };
    Journey {
        tenant: copy.tenant,
        message: copy.message,
        tokens: (0..4).map(token).collect(),
        at_ms: copy.received_ms,
        state: State::Kept,
        verdict: Verdict::Deliver,
        reasons: vec!["auth.spf.pass".to_owned(), "auth.dkim.pass".to_owned()],
        recipients: vec![copy.user],
    }
}

fn arrivals(folder: &std::path::Path, size: usize, batch: u64, total: u64) {
    let _ = std::fs::remove_dir_all(folder);
    let mut store = Store::open(folder).unwrap();
    let (cpu, clock, flushes) = (cpu_us(), Instant::now(), store.flushes());
    let mut settled = 0.0;
    for first in (0..total).step_by(batch as usize) {
        for number in first..first + batch {
            let copy = copy((number % 10) as u8, number, size);
            let journeys = [journey(&copy, number)];
            let batches = [Batch { copies: vec![copy], descriptors: Vec::new() }];
            store.keep(InstanceId([1; 6]), &batches, &journeys, NOW).unwrap();
        }
        store.commit().unwrap();
        if store.pending() > 500 {
            let before = cpu_us();
            store.settle().unwrap();
            settled += cpu_us() - before;
        }
        if store.wants_checkpoint(false) {
            let before = Instant::now();
            store.checkpoint().unwrap();
            println!("  checkpoint {:.1} ms", before.elapsed().as_secs_f64() * 1e3);
        }
    }
    let count = total as f64;
    println!(
        "{size:>8} octets, {batch:>2} a commit: cpu {:.0} us (index {:.0}), \
         wall {:.0} us, flushes {:.3}",
        (cpu_us() - cpu) / count,
        settled / count,
        clock.elapsed().as_secs_f64() * 1e6 / count,
        (store.flushes() - flushes) as f64 / count
    );
}

fn large_folder(folder: &std::path::Path) {
    let _ = std::fs::remove_dir_all(folder);
    let mut store = Store::open(folder).unwrap();
    for first in (0..100_000u64).step_by(1_000) {
        let copies = (first..first + 1_000).map(|number| copy(3, number, 200)).collect();
        let batches = [Batch { copies, descriptors: Vec::new() }];
        store.keep(InstanceId([1; 6]), &batches, &[], NOW).unwrap();
        store.commit().unwrap();
        store.settle().unwrap();
    }
    drop(store);
    let whose = Whose { tenant: TenantId([1; 8]), user: UserId([3; 8]) };
    let inbox = FolderId([0, 0, 0, 1]);
    let ms = |clock: Instant| clock.elapsed().as_secs_f64() * 1e3;
    let clock = Instant::now();
    let mut store = Store::open(folder).unwrap();
    println!("open {:.1} ms", ms(clock));
    for way in ["cold", "warm"] {
        let clock = Instant::now();
        let answer = store.rows(whose.user, inbox, None).unwrap();
        let read = ms(clock);
        let bytes = postcard::to_stdvec(&answer).unwrap();
        let ToAccess::Rows { rows, .. } = answer else { unreachable!() };
        println!(
            "rows {way}: {} in {read:.1} ms, with frame {:.1} ms, {} octets",
            rows.len(),
            ms(clock),
            bytes.len()
        );
    }
    let uids: Vec<u32> = (500..1_500).collect();
    for add in [flag::SEEN, flag::FLAGGED] {
        let uids = uids.clone();
        let change = FlagChange { uids, add, remove: 0, replace: false, unchanged_since: None };
        let clock = Instant::now();
        store.store_flags(whose.user, inbox, &change).unwrap();
        store.commit().unwrap();
        let answered = ms(clock);
        store.settle().unwrap();
        println!("store of 1,000: {answered:.2} ms, index told after {:.2} ms", ms(clock));
    }
    let clock = Instant::now();
    let uids: Vec<u32> = (1..=100).map(|number| number * 900).collect();
    let class = wire::vault::Class::Summary;
    store.fetch(whose.user, inbox, &uids, class, &mut Vec::new()).unwrap();
    println!("100 summaries: {:.2} ms", ms(clock));
    let clock = Instant::now();
    let uids: Vec<u32> = (1..=100_000).collect();
    let to = FolderId([0, 0, 0, 6]);
    store.copy_to(whose.user, (inbox, to), &uids, true, &[]).unwrap();
    store.commit().unwrap();
    let moved = ms(clock);
    store.settle().unwrap();
    println!("move of 100,000: {moved:.1} ms, index told after {:.1} ms", ms(clock));
}

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("mailbox-load-{}", std::process::id()));
    large_folder(&folder);
    for size in [4_096, 40_960] {
        for batch in [1, 10, 25] {
            arrivals(&folder, size, batch, 10_000 / batch * batch);
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}
