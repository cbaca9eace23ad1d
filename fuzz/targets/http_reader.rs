//! Requests of HTTP/1.1, whole and in pieces: both ways they are the same.
#![no_main]

use http::{Reader, Step};
use libfuzzer_sys::fuzz_target;

fn read(octets: &[u8], piece: usize) -> Vec<Step> {
    let (mut reader, mut steps) = (Reader::default(), Vec::new());
    for piece in octets.chunks(piece.max(1)) {
        reader.feed(piece);
        loop {
            match reader.next_step() {
                Step::Read | Step::Continue => break,
                Step::Refused(refusal) => {
                    steps.push(Step::Refused(refusal));
                    return steps;
                }
                whole => steps.push(whole),
            }
        }
    }
    steps
}

fuzz_target!(|octets: &[u8]| {
    let whole = read(octets, octets.len());
    assert_eq!(whole, read(octets, 3));
    for step in whole {
        if let Step::Request(request) = step {
            assert!(request.body.len() <= http::BODY_BYTES && !request.host.contains(' '));
        }
    }
});
