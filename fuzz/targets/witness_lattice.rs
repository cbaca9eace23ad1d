//! Keys and cosignatures with ML-DSA-44: one spelling, and no signature but our own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tlog::{Checkpoint, Hash, NoteSignature};
use witness::{LatticeCosigner, LatticeKey};

const NAME: &str = "witness.example/fuzz";

fuzz_target!(|octets: &[u8]| {
    static COSIGNERS: OnceLock<Option<(LatticeCosigner, LatticeKey)>> = OnceLock::new();
    if let Ok(text) = std::str::from_utf8(octets)
        && let Some(key) = LatticeKey::parse(text)
    {
        assert_eq!(key.to_text(), text);
        assert_eq!(LatticeKey::new(&key.name, &key.key_bytes()), Some(key));
    }
    let cosigner = COSIGNERS.get_or_init(|| {
        let cosigner = LatticeCosigner::new(NAME, &[1; 32])?;
        let key = cosigner.public();
        Some((cosigner, key))
    });
    let Some((cosigner, key)) = cosigner else { return };
    let checkpoint = Checkpoint::new("log.example/fuzz", 9, Hash([7; 32]));
    let line =
        NoteSignature { name: NAME.to_owned(), key_id: key.key_id(), bytes: octets.to_vec() };
    if let Some(seconds) = key.time_of(&checkpoint, &line) {
        assert_eq!(cosigner.cosign(seconds, &checkpoint), Some(line));
    }
});
