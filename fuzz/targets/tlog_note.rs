//! Notes, checkpoints, keys and bundles of a transparency log: one spelling for each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{Checkpoint, CosignerKey, Note, NoteVerifier, decode_bundle, encode_bundle};

fuzz_target!(|octets: &[u8]| {
    if let Some(note) = Note::parse(octets) {
        assert_eq!(Note::parse(note.to_text().as_bytes()).as_ref(), Some(&note));
    }
    if let Some(entries) = decode_bundle(octets) {
        assert_eq!(encode_bundle(&entries).as_deref(), Some(octets));
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = (Checkpoint::parse(text), CosignerKey::parse(text), NoteVerifier::parse(text));
    }
});
