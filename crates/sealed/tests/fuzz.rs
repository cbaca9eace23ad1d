//! Broken wrappings, released keys and public keys are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sealed::{PublicKey, RELEASED_BYTES, Released, WRAPPED_BYTES, Wrapped};

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

#[test]
fn fuzz_sealed_shapes_are_read_or_refused() {
    let mut seeds = Vec::new();
    for first in 0..4u8 {
        for size in [WRAPPED_BYTES, RELEASED_BYTES, 37, 70] {
            let mut seed = vec![first; size];
            seed[0] = 1;
            seeds.push(seed);
        }
    }
    mutated(&seeds, |octets| {
        // What is read is written again as it came: there is one spelling.
        if let Ok(wrapped) = Wrapped::parse(octets) {
            assert_eq!(wrapped.encode(), octets);
        }
        if let Ok(released) = Released::parse(octets) {
            assert_eq!(released.encode(), octets);
        }
        let _ = PublicKey::parse(octets);
    });
}
