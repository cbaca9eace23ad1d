//! A queue of a million messages: how long it takes to open, and what each costs in memory.
//! `cargo run --release -p post --example million -- [MESSAGES] [FOLDER]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use post::{Hand, Store};
use std::collections::VecDeque;
use std::time::Instant;
use terms::{InstanceId, MessageId, TenantId, UserId};
use wire::Parcel;
use wire::mailbox::SealedPart;
use wire::post::{Leg, Outgoing, Route};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count: u64 = words.first().map_or(1_000_000, |count| count.parse().unwrap());
    let folder = match words.get(1) {
        Some(folder) => folder.into(),
        None => std::env::temp_dir().join(format!("post-million-{}", std::process::id())),
    };
    let begin = Instant::now();
    fill(&folder, count);
    println!("filled with {count} messages in {:.1} s", begin.elapsed().as_secs_f64());
    let before = resident();
    let begin = Instant::now();
    let mut store = Store::open(&folder, 1_800_000_000_000).unwrap();
    let took = begin.elapsed();
    let bytes = resident().saturating_sub(before);
    println!("opened in {:.2} s", took.as_secs_f64());
    println!("{:.0} bytes of memory a message", bytes as f64 / count as f64);
    lone(&mut store, count);
    drop(store);
    std::fs::remove_dir_all(folder).unwrap();
}

/// One message of a tenant that has no other, while every hand is busy with the rest: after how
/// many batches of theirs it is handed out, and what the queue itself takes for that.
fn lone(store: &mut Store, count: u64) {
    let now_s = 1_800_000_000;
    let mut under_way: VecDeque<_> = std::iter::from_fn(|| store.take_turn(now_s)).collect();
    let hands = under_way.len();
    let mut only = outgoing(count);
    (only.tenant, only.user) = (TenantId([200; 8]), UserId([200; 8]));
    let wanted = only.message;
    let begin = Instant::now();
    store.queue((&only, InstanceId([7; 6]), Hand::Own), &[]).unwrap();
    store.commit(1_800_000_000_000).unwrap();
    let mut batches = 0;
    while let Some((_, over)) = under_way.pop_front() {
        store.turn_is_over(&over);
        batches += 1;
        while let Some((messages, taken)) = store.take_turn(now_s) {
            if messages.contains(&wanted) {
                let took = begin.elapsed().as_secs_f64() * 1e3;
                println!(
                    "a lone message of another tenant, kept while all {hands} batches are under \
                     way, is handed out when {batches} of them came back; {took:.1} ms of the \
                     queue's own work"
                );
                return;
            }
            under_way.push_back((messages, taken));
        }
    }
    panic!("it was never its turn");
}

/// In a process of its own, so that its memory is not ours.
fn fill(folder: &std::path::Path, count: u64) {
    if std::env::var_os("FILL").is_none() {
        let own = std::env::current_exe().unwrap();
        let words = [count.to_string(), folder.display().to_string()];
        let status = std::process::Command::new(own).args(words).env("FILL", "1").status();
        assert!(status.unwrap().success());
        return;
    }
    let mut store = Store::open(folder, 1_800_000_000_000).unwrap();
    for number in 0..count {
        store.queue((&outgoing(number), InstanceId([7; 6]), Hand::Own), &[]).unwrap();
        if number % 500 == 499 {
            store.commit(1_800_000_000_000).unwrap();
        }
        if store.wants_writing() && !store.has_staged() {
            store.write_down().unwrap();
        }
    }
    store.commit(1_800_000_000_000).unwrap();
    std::process::exit(0);
}

fn outgoing(number: u64) -> Outgoing {
    let sealed = |bytes: usize| SealedPart {
        epoch: 1,
        wrapped: vec![7; 120],
        content: Parcel::Inline(vec![number as u8; bytes]),
    };
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let route = Route([(number % 1_000) as u8; 16]);
    let leg = Leg { number: 0, route, recipients: 1, envelope: sealed(200) };
    Outgoing {
        tenant: TenantId([(number % 50) as u8; 8]),
        user: UserId([(number % 250) as u8; 8]),
        message: MessageId(id),
        size: 4_096,
        at_ms: 1_800_000_000_000,
        expires_ms: 1_800_432_000_000,
        hold: None,
        body: sealed(1_000),
        legs: vec![leg],
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}
