//! Answers of witnesses and mirrors: the first octet chooses the status.
#![no_main]

use libfuzzer_sys::fuzz_target;
use witness::Answer;

const STATUSES: &[u16] = &[200, 202, 409, 422, 400, 403, 404, 500];

fuzz_target!(|octets: &[u8]| {
    let Some((first, body)) = octets.split_first() else { return };
    let Some(status) = STATUSES.get(usize::from(*first) % STATUSES.len()) else { return };
    if let Some(answer) = Answer::parse(*status, body) {
        assert_eq!(answer.status(), *status);
        assert_eq!(Answer::parse(*status, answer.body().as_bytes()), Some(answer));
    }
});
