//! `add-checkpoint`: read, written, read again; then signed by a log that is known, and judged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tlog::{Hash, NoteSigner};
use witness::{AddCheckpoint, Known, judge_checkpoint};

fuzz_target!(|octets: &[u8]| {
    static SIGNERS: OnceLock<Option<NoteSigner>> = OnceLock::new();
    let Some(mut request) = AddCheckpoint::parse(octets) else { return };
    assert_eq!(AddCheckpoint::parse(request.to_text().as_bytes()).as_ref(), Some(&request));
    let origin = request.signed.checkpoint.origin.clone();
    let signer = SIGNERS.get_or_init(|| NoteSigner::new("log.example/fuzz", &[1; 32]));
    let Some(signer) = signer else { return };
    request.signed.note.signatures = vec![signer.sign(&request.signed.note.text)];
    let (key, body) = (signer.verifier(), request.to_text());
    let root = request.proof.first().copied().unwrap_or(Hash([0; 32]));
    for known in [None, Some(Known { size: request.old, root })] {
        let find = |asked: &str| (asked == origin).then_some(&key);
        if let Ok(signed) = judge_checkpoint(body.as_bytes(), find, |_| known) {
            assert!(request.old <= signed.checkpoint.size);
        }
    }
});
