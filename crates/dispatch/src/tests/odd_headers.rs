//! A seeded mini-fuzzer over the header that people hand in.

use crate::header::Header;
use crate::mailboxes::mailboxes;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit.max(1)
    }
}

const WORDS: [&str; 18] = [
    "\r\n",
    "\r\n ",
    "\r\n\t",
    ":",
    "Bcc:",
    "bCC \t:",
    "Resent-Bcc:",
    "From:",
    "Sender: ",
    "<",
    ">",
    "\"",
    "(",
    ")",
    "\\",
    "=?utf-8?q?Bcc=3A?=",
    "\r\n\r\n",
    "あ",
];

/// How much longer than usual to fuzz (`cargo xtask fuzz`).
fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

#[test]
fn fuzz_odd_headers_keep_no_bcc() {
    let seed = "From: Aoi <aoi@example.jp>\r\nBcc: a@b,\r\n c@d\r\nSubject: x\r\n\r\nbody\r\n";
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut read = 0;
    for _ in 0..20_000 * factor() {
        let mut text = seed.to_owned();
        for _ in 0..1 + random.below(5) {
            let at = (0..=random.below(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at));
            let at = at.unwrap();
            match random.below(3) {
                0 => text.insert_str(at, WORDS[random.below(WORDS.len())]),
                1 => text.truncate(at),
                _ => drop(text.drain(at..).next()),
            }
        }
        let Ok(header) = Header::read(text.as_bytes()) else { continue };
        read += 1;
        let _ = (header.authors(), header.spokesmen(), header.is_report());
        let mut left = text.clone().into_bytes();
        let mut places = header.withheld();
        places.sort_unstable();
        for (start, end) in places.into_iter().rev() {
            assert!(start < end && end <= header.end, "{text:?}");
            left.drain(start..end);
        }
        let again = Header::read(&left);
        let Ok(again) = again else { panic!("{text:?}") };
        assert!(again.withheld().is_empty(), "{text:?}");
        let head = String::from_utf8_lossy(&left[..again.end]).to_lowercase();
        assert!(!head.lines().any(|line| line.starts_with("bcc:")), "{text:?}");
    }
    assert!(read > 5_000);
}

#[test]
fn fields_behind_those_that_are_read_do_not_leave() {
    let read = |fields: usize| Header::read("X: y\r\n".repeat(fields).as_bytes()).is_ok();
    assert!(read(1_000) && !read(1_001));
}

const PIECES: [&str; 24] = [
    "aoi@example.jp",
    "<aoi@example.jp>",
    "ceo@bank.example",
    "<",
    ">",
    "@",
    ",",
    ";",
    ":",
    "\"",
    "\\",
    "(",
    ")",
    "[",
    "]",
    " ",
    "\t",
    ".",
    "+",
    "Aoi",
    "葵",
    "＠",
    "=?utf-8?q?ceo=40bank.example?=",
    "=?utf-8?q?Aoi?=",
];

/// What the strict reader takes, the tolerant one reads in the same way; and nobody else's address
/// stands anywhere in it.
#[test]
fn fuzz_authors_have_one_reading() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut read = 0;
    for _ in 0..200_000 * factor() {
        let pieces = (0..1 + random.below(7)).map(|_| PIECES[random.below(PIECES.len())]);
        let value: String = pieces.collect();
        let Ok(strict) = mailboxes(value.as_bytes(), 10) else { continue };
        read += 1;
        let tolerant = mime::addresses(value.as_bytes()).into_iter().map(|entry| match entry {
            mime::Entry::Mailbox(one) if one.route.is_empty() => one.address(),
            other => panic!("{value}: {other:?}"),
        });
        assert_eq!(strict, tolerant.collect::<Vec<_>>(), "{value}");
        let shown = mime::decode_words(value.as_bytes());
        let other = shown.contains("ceo@bank.example") || shown.contains("ceo＠bank.example");
        assert!(!other || strict.iter().any(|one| one.contains("bank")), "{value}");
    }
    assert!(read > 1_000, "{read}");
}
