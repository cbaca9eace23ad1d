//! Commands and literals of IMAP, in pieces of every size.
#![no_main]

use imap::{Command, Reader, Step, Verb};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((piece, octets)) = data.split_first() else { return };
    let mut reader = Reader::new();
    for piece in octets.chunks(usize::from(*piece) + 1) {
        reader.feed(piece);
        loop {
            match reader.step() {
                Step::NeedMore => break,
                Step::Append(append) if append.fits() => reader.accept(),
                Step::Append(_) => reader.refuse(),
                Step::Command(Command { verb: Verb::Idle, .. }) => reader.expect_line(),
                Step::Close(_) => return,
                _ => {}
            }
        }
    }
});
