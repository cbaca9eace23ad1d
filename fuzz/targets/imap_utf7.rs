//! Folder names in modified UTF-7: one spelling for each; patterns; one prepared list.
#![no_main]

use imap::{decode_utf7, encode_utf7, is_one_list, matches, plain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Some(name) = decode_utf7(octets) {
        let mut coded = Vec::new();
        encode_utf7(&name, &mut coded);
        assert_eq!(decode_utf7(&coded).as_deref(), Some(name.as_str()));
        matches(&name, &name, b'/');
    }
    let _ = (plain(octets), is_one_list(octets));
});
