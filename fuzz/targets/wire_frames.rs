//! Frames of every pair of peers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Frame;

fuzz_target!(|payload: &[u8]| {
    let frame = Frame { call: 1, payload: payload.to_vec(), descriptors: Vec::new() };
    let _ = frame.read::<wire::control::Order>();
    let _ = frame.read::<wire::control::Report>();
    let _ = frame.read::<wire::gate::ToGate>();
    let _ = frame.read::<wire::gate::FromGate>();
    let _ = frame.read::<wire::directory::FromEdge>();
    let _ = frame.read::<wire::directory::FromAdmin>();
    let _ = frame.read::<wire::directory::Statement>();
    let _ = frame.read::<wire::identity::FromAccess>();
    let _ = frame.read::<wire::mailbox::FromAccess>();
    let _ = frame.read::<wire::mailbox::FromEdge>();
    let _ = frame.read::<wire::mailbox::ToAccess>();
    let _ = frame.read::<wire::mailbox::FromAdmin>();
    let _ = frame.read::<wire::ledger::ToLedger>();
    let _ = frame.read::<wire::names::Question>();
    let _ = frame.read::<wire::scanner::ToScanner>();
    let _ = frame.read::<wire::scanner::FromScanner>();
    let _ = frame.read::<wire::vault::FromAccess>();
    let _ = serde_json::from_slice::<wire::admin::Request>(payload);
});
