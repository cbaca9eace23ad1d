//! A seeded mini-fuzzer over the public parsers.

use super::{Client, ENVELOPE, small};
use crate::Address;

pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit.max(1)
    }
}

const WORDS: [&[u8]; 19] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b".",
    b"\r\n.\r\n",
    b"MAIL FROM:<",
    b"BDAT 7",
    b" LAST\r\n",
    b"RCPT TO:<@x:",
    b"SIZE=",
    b"\"\\",
    b"\xe3\x81\x82",
    b"\xff",
    b"STARTTLS\r\n",
    b"DATA\r\n",
    b"AUTH PLAIN ",
    b"AUTH LOGIN\r\n",
    b"=\r\n",
];

fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes
                .splice(at..at, WORDS[random.below(WORDS.len())].iter().copied())
                .for_each(drop),
            2 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            _ => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

/// How much longer than usual to fuzz (`cargo xtask fuzz`).
fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

#[test]
fn fuzz_odd_sessions_never_break_the_receiver() {
    let seeds = [
        format!("{ENVELOPE}Subject: x\r\n\r\n..a\r\n.\r\nQUIT\r\n"),
        "EHLO c\r\nMAIL FROM:<a@b> SIZE=5 BODY=8BITMIME\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabcBDAT 2 \
         LAST\r\n\r\nQUIT\r\n"
            .to_owned(),
        "EHLO c\r\nSTARTTLS\r\n".to_owned(),
        "EHLO c\r\nAUTH PLAIN AGFvaQBzZWNyZXQ=\r\nMAIL FROM:<a@b> AUTH=<> REQUIRETLS\r\n\
         RCPT TO:<c@d> NOTIFY=FAILURE ORCPT=rfc822;c+40d\r\nDATA\r\nx\r\n.\r\n"
            .to_owned(),
        "EHLO c\r\nAUTH LOGIN\r\nYW9p\r\nc2VjcmV0\r\nAUTH PLAIN\r\n*\r\nQUIT\r\n".to_owned(),
    ];
    let mut random = Random::new(1);
    for round in 0..20_000 * factor() {
        let input = mutate(seeds[round % seeds.len()].as_bytes(), &mut random);
        let fresh = || match round % seeds.len() {
            0..3 => Client::new(small(), false),
            _ => Client::submission(small(), round % 7 != 0),
        };
        let mut whole = fresh();
        whole.send(&input);
        // Commands that depend on what stands behind them are told apart by timing, on purpose.
        let timed = whole.said.contains("[starttls]") || whole.said.contains("InputTooEarly");
        let mut cut = fresh();
        for piece in input.chunks(1 + random.below(9)) {
            if !cut.closed {
                cut.send(piece);
            }
        }
        let timed = timed || cut.said.contains("[starttls]") || cut.said.contains("503");
        assert!(timed || cut.said == whole.said, "{input:?}\n{}\n{}", whole.said, cut.said);
        assert!(whole.said.lines().all(|line| line.len() < 20_000));
    }
}

#[test]
fn fuzz_odd_addresses_never_break_the_parser() {
    let seeds = [
        "aoi+tag@example.jp",
        "\"a\\\"b\"@[IPv6:2001:db8::1]",
        "あおい@例え.jp",
        "a@ｂか\u{3099}。jp",
    ];
    let mut random = Random::new(2);
    for round in 0..20_000 * factor() {
        let input = mutate(seeds[round % seeds.len()].as_bytes(), &mut random);
        if let Some(address) = Address::parse(&String::from_utf8_lossy(&input)) {
            let again = Address::parse(&address.written());
            assert!(again.as_ref() == Some(&address), "{}", address.written());
        }
    }
}
