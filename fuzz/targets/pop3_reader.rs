//! Commands of POP3, in pieces of every size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pop3::{Reader, Step};

fuzz_target!(|data: &[u8]| {
    let Some((piece, octets)) = data.split_first() else { return };
    let mut reader = Reader::new();
    for piece in octets.chunks(usize::from(*piece) + 1) {
        reader.feed(piece);
        loop {
            match reader.step() {
                Step::NeedMore => break,
                Step::Close(_) => return,
                _ => {}
            }
        }
    }
});
