//! Mutated input never panics and never takes long. Fixed seed: what fails once fails always.

use super::{Zone, envelope, judge, vector, vector_keys};
use crate::{check, dmarc, key, spf, tags::Tags, without_forged};
use std::time::{Duration, Instant};

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap()
    }

    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.next() % 4 {
            let at = self.next() % (bytes.len() + 1);
            let special = b"%{}();=:/.\\\"<>@\r\n\t \0\xff,+-~?";
            let byte = special[self.next() % special.len()];
            match self.next() % 5 {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                _ => {
                    let from = self.next() % (bytes.len() + 1);
                    let piece = bytes[from.min(at)..from.max(at)].to_vec();
                    bytes.splice(at..at, piece.into_iter().take(64));
                }
            }
        }
        bytes
    }
}

/// Feeds `rounds` mutations of the seeds to `target`.
fn feed(seeds: &[&[u8]], rounds: usize, mut target: impl FnMut(&[u8])) {
    let mut chance = Chance(0x05ec_1540);
    let start = Instant::now();
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    let factor = factor.and_then(|factor| factor.parse().ok()).unwrap_or(1);
    for round in 0..rounds * factor {
        target(&chance.mutate(seeds[round % seeds.len()]));
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

const ROUNDS: usize = 20_000;

#[test]
fn spf_records() {
    let seeds: [&[u8]; 4] = [
        b"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a:%{d}/24//64 mx -all",
        b"v=spf1 include:_spf.%{d2} redirect=%{l1r+-}._at.%{o,=_/}.example",
        b"v=spf1 exists:%{ir}.%{v}._spf.%{d} ptr:example.com exp=explain._spf.%{d} ?all",
        b"v=spf1 a mx/8 a:foo//7 unknown=%{s}%%%_%- ~all",
    ];
    feed(&seeds, ROUNDS, |record| {
        let text = String::from_utf8_lossy(record).into_owned();
        let _ = spf::parse(record);
        let zone = Zone::default()
            .text("sender.example", &text)
            .text("explain._spf.sender.example", &text.replace("v=spf1", "%{c} %{i}"));
        judge(b"From: a@b.example\r\n\r\n", &zone);
    });
}

#[test]
fn tag_lists_keys_and_policies() {
    let seeds: [&[u8]; 3] = [
        b"v=DKIM1; h=sha256; t=y:s; p=MEgCQQC8B3mZ0pV8+5E2kbgHVvyDWKkHEUTWkD/i5ulPU8G/AgMBAAE=",
        b"v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; rua=mailto:a@b.example; psd=n; t=y",
        b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    ];
    feed(&seeds, ROUNDS, |text| {
        let _ = (Tags::parse(text), Tags::parse_leniently(text));
        if let Ok(record) = key::parse(text) {
            assert!(!record.key.verifies(b"x", b"y"));
        }
        if let Some(record) = dmarc::parse(text) {
            let _ = record.enforceable();
        }
    });
}

#[test]
fn signed_messages() {
    let (one, two) = (vector("dkim-relaxed-relaxed.eml"), vector("dkim-simple-simple.eml"));
    let keys = vector_keys();
    let mut whole = 0;
    feed(&[&one, &two], 4_000, |message| {
        let told = judge(message, &keys);
        whole += usize::from(told.header.ends_with("\r\n") && told.header.is_ascii());
    });
    assert!(whole > 3_000);
}

#[test]
fn chains() {
    let (one, three) = (vector("arc-1.eml"), vector("arc-3.eml"));
    let keys = vector_keys();
    feed(&[&one, &three], 4_000, |message| drop(judge(message, &keys)));
}

#[test]
fn results_fields_and_senders() {
    let seeds: [&[u8]; 3] = [
        b"Authentication-Results: (a (b)) \"mx.example.jp\" 1; spf=pass\r\nFrom: a@b.example\r\n",
        b"authentication-results: mx.example.jp; none\r\n fold\r\nFrom: \"q\" <a@b.example>\r\n",
        b"From: g: \"x\\\"\" (c) <a@b.example>, d@e.example;\r\n\r\nbody",
    ];
    feed(&seeds, ROUNDS, |message| {
        let kept = without_forged(message, "mx.example.jp");
        assert!(kept.len() <= message.len());
        check(&envelope(), message, &mut Zone::default());
    });
}

#[test]
fn hostile_shapes_take_linear_time() {
    let start = Instant::now();
    let keys = vector_keys();
    let deep = format!(
        "From: {}\r\nAuthentication-Results: {}\r\n\r\n",
        "(".repeat(500_000),
        "(".repeat(500_000)
    );
    let fields = "From: a@b.example\r\n".repeat(100_000);
    let blanks = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=k2048; \
         h=from; bh=AAAA; b=AAAA\r\nFrom: a@b.example\r\n\r\n{}x",
        " \r\n".repeat(1_000_000)
    );
    let tags = format!("DKIM-Signature: {}\r\n\r\n", "a=b;".repeat(500_000));
    for message in [&deep, &fields, &blanks, &tags] {
        judge(message.as_bytes(), &keys);
        without_forged(message.as_bytes(), "mx.example.jp");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}
