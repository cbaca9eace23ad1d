//! Wall time of a birth from a warm zygote, asked for to jailed, with every wall that this machine
//! grants: `cargo run --release -p warden --example births [NUMBER]`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::{House, walls, zygote_main};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::Kind;
use warden::Workshop;
use wire::control::Start;

const LIMIT: Duration = Duration::from_secs(10);
const BIRTHS: usize = 2_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return zygote_main(scanner);
    }
    let births = words.get(1).map_or(BIRTHS, |number| number.parse().unwrap());
    let mut workshop = Workshop::open(Kind::Scanner, Start::default()).unwrap();
    drop(workshop.worker(Kind::Edge).unwrap());
    let mut taken: Vec<Duration> = Vec::with_capacity(births);
    for _ in 0..births {
        let begun = Instant::now();
        let worker = workshop.worker(Kind::Edge).unwrap();
        taken.push(begun.elapsed());
        drop(worker);
    }
    taken.sort_unstable();
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let (middle, late, last) = (at(0.5), at(0.99), at(1.0));
    println!("{births} births: p50 {middle:.2} ms, p99 {late:.2} ms, slowest {last:.2} ms");
    println!("walls missing here: {}", walls::walls().missing.len());
    ExitCode::SUCCESS
}

/// Leaves when its owner does.
fn scanner(mut house: House) -> ExitCode {
    let owner = house.next_join(Kind::Edge, LIMIT);
    let _ = owner.map(|(edge, _)| edge.receive(None).map(drop));
    ExitCode::SUCCESS
}
