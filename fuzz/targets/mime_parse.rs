//! The tree of a message, its sections and its summary; prepared IMAP values are one list.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let (message, _) = mime::parse(octets);
    for part in message.parts() {
        assert!(part.header.end <= part.body.start && part.body.end <= octets.len());
    }
    for spec in ["1", "2.1.MIME", "2.TEXT", "HEADER.FIELDS.NOT (A)"] {
        mime::section(&message, spec);
    }
    let summary = mime::summarise(octets);
    for prepared in [&summary.envelope, &summary.body, &summary.bodystructure] {
        assert!(imap::is_one_list(prepared));
    }
});
