//! Frames of strangers: malformed ones are refused, none allocates more than it carries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use wire::Frame;

/// Seeds, mutated with a fixed beginning; longer with `cargo xtask fuzz`.
fn mutated(seeds: &[Vec<u8>], mut visit: impl FnMut(&[u8])) {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    let factor: usize = factor.and_then(|factor| factor.parse().ok()).unwrap_or(1);
    let mut state = 0x5eed_0007_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below.max(1)
    };
    for round in 0..20_000 * factor {
        let mut octets = seeds[round % seeds.len()].clone();
        for _ in 0..=draw(5) {
            let at = draw(octets.len() + 1);
            match draw(4) {
                0 if at < octets.len() => octets[at] = draw(256) as u8,
                1 => octets.truncate(at),
                2 if at < octets.len() => drop(octets.remove(at)),
                _ => octets.insert(at, [0, 0xFF, b'"', b'[', b'-', 0x80][draw(6)]),
            }
        }
        visit(&octets);
    }
}

fn read(payload: &[u8]) {
    let frame = Frame { call: 1, payload: payload.to_vec(), descriptors: Vec::new() };
    let _ = frame.read::<wire::control::Order>();
    let _ = frame.read::<wire::control::Report>();
    let _ = frame.read::<wire::gate::ToGate>();
    let _ = frame.read::<wire::gate::FromGate>();
    let _ = frame.read::<wire::scanner::ToScanner>();
    let _ = frame.read::<wire::scanner::FromScanner>();
    let _ = frame.read::<wire::mailbox::ToAccess>();
    let _ = frame.read::<wire::mailbox::FromAdmin>();
    let _ = frame.read::<wire::ledger::ToLedger>();
    let _ = frame.read::<wire::vault::FromAccess>();
}

#[test]
fn fuzz_frames_are_read_or_refused() {
    let started = std::time::Instant::now();
    // Every variant of every message begins with its number; lengths that lie follow.
    let seeds: Vec<Vec<u8>> = (0..24u8)
        .map(|first| [&[first], [3u8; 40].as_slice(), &[0xFF, 0xFF, 0xFF, 0x7F]].concat())
        .collect();
    mutated(&seeds, read);
    let huge: Vec<Vec<u8>> =
        (0..24u8).map(|first| vec![first, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]).collect();
    mutated(&huge, read);
    assert!(started.elapsed().as_secs() < 600);
}
