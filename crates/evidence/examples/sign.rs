//! What signing and checking an entry cost: `cargo run --release -p evidence --example sign`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use evidence::{Author, AuthorKey, Body, Frame};
use std::time::Instant;
use terms::{InstanceId, Kind};

fn main() {
    let mut author = Author::new(Kind::Gate, InstanceId([1; 6]), &[2; 32]);
    let begun = Instant::now();
    let frames: Vec<_> = (0..4_000).map(|_| author.sign(1, Body::Heartbeat {}).unwrap()).collect();
    println!("sign: {:?}", begun.elapsed() / 4_000);
    let key = AuthorKey::new(&author.public_key()).unwrap();
    let begun = Instant::now();
    let right = frames.iter().filter(|frame| Frame::parse(frame).unwrap().is_signed_with(&key));
    println!("{} checked: {:?}", right.count(), begun.elapsed() / 4_000);
}
