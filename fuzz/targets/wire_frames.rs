//! Frames of every pair of peers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Frame, control, directory, gate, identity, ledger, mailbox, names, scanner};
use wire::{sentinel, signer, vault};

macro_rules! read {
    ($frame:ident: $($message:ty)*) => {
        $(let _ = $frame.read::<$message>();)*
    };
}

fuzz_target!(|payload: &[u8]| {
    let frame = Frame { call: 1, payload: payload.to_vec(), descriptors: Vec::new() };
    read!(frame: control::Order control::Report gate::ToGate gate::FromGate);
    read!(frame: directory::FromEdge directory::FromIdentity directory::FromAdmin);
    read!(frame: directory::Statement directory::ToEdge directory::ToIdentity);
    read!(frame: identity::FromAccess identity::FromSentinel identity::FromAdmin);
    read!(frame: mailbox::FromEdge mailbox::FromAccess mailbox::FromDirectory);
    read!(frame: mailbox::FromAdmin mailbox::ToAccess);
    read!(frame: ledger::ToLedger ledger::FromLedger ledger::ToMirror ledger::FromMirror);
    read!(frame: names::Question names::Answer scanner::ToScanner scanner::FromScanner);
    read!(frame: sentinel::Feed sentinel::FromAdmin sentinel::ToAdmin);
    read!(frame: signer::ToSigner signer::FromSigner);
    read!(frame: vault::FromDirectory vault::FromIdentity vault::FromAccess);
    read!(frame: vault::FromSigner vault::FromAdmin vault::ToAccess);
    let _ = serde_json::from_slice::<wire::admin::Request>(payload);
});
