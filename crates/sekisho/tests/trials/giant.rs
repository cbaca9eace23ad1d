//! The largest letter that is taken, and what it costs each process.

use crate::house::{Demo, descendants};
use crate::ledger_of_letters::{TO, is_root};
use crate::letters::{is_whole, letter};
use crate::post::Sender;
use crate::reader::Reader;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const LARGEST: usize = 50 * 1024 * 1024;
/// Architecture §4: a message of 50 MB never needs 100 MB.
const PEAK_KIB: u64 = 100_000;

/// The largest peak of each kind.
type Peaks = BTreeMap<String, u64>;

fn look(demo: &Demo, peaks: &mut Peaks) {
    for process in descendants(demo.pid()) {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid));
        let Ok(status) = status else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        let peak = peaks.entry(process.kind).or_default();
        *peak = (*peak).max(number.unwrap_or(0));
    }
}

/// An attachment in base64 lines, up to this size.
pub(super) fn giant(size: usize) -> Vec<u8> {
    let mut octets = letter("giant", "");
    let head = b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=a.bin\r\n\
        Content-Transfer-Encoding: base64\r\n";
    octets.splice(0..0, head.iter().copied());
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    while octets.len() + 78 <= size {
        for _ in 0..76 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            octets.push(alphabet[(state & 63) as usize]);
        }
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

#[test]
fn fifty_megabytes_arrive_and_are_read_in_bounded_memory() {
    let demo = Demo::fresh("giant");
    let mut peaks = Peaks::new();
    // Our own fields and the stuffing come on top of what a sender may offer.
    let octets = giant(LARGEST - 4096);
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let started = Instant::now();
    let reply = sender.letter("carol@sender.example", &[TO], &octets).unwrap();
    let taken = started.elapsed();
    look(&demo, &mut peaks);
    assert_eq!(reply.code, 250, "{reply:?}");
    let mut reader = Reader::inbox(&demo, TO);
    reader.patience(Duration::from_secs(120));
    let started = Instant::now();
    let found = reader.must("FETCH 1 BODY.PEEK[]").literals();
    let read = started.elapsed();
    look(&demo, &mut peaks);
    assert!(found.len() == 1 && is_whole(&found[0], &octets), "{} octets", found[0].len());
    let piece = reader.must("FETCH 1 BODY.PEEK[TEXT]<40000000.1000>").literals();
    assert_eq!(piece[0].len(), 1_000);
    look(&demo, &mut peaks);
    println!("50 MB: taken in {taken:?}, read in {read:?}; peaks in KiB: {peaks:?}");
    if is_root() {
        let over: Vec<_> = peaks.iter().filter(|(_, peak)| **peak > PEAK_KIB).collect();
        assert!(over.is_empty(), "over {PEAK_KIB} KiB: {over:?}");
    }
}

#[test]
fn a_letter_over_the_limit_is_refused_in_words() {
    let demo = Demo::fresh("over");
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let declared = format!("MAIL FROM:<carol@sender.example> SIZE={}", LARGEST + 1);
    assert_eq!(sender.say(&declared).code, 552);
    let octets = giant(LARGEST + 500_000);
    let reply = sender.letter("carol@sender.example", &[TO], &octets).unwrap();
    assert_eq!(reply.code, 552, "{reply:?}");
    assert_eq!(sender.say("NOOP").code, 250);
}
