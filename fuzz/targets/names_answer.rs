//! Packets that claim to answer a question of ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use names::{Sent, read_answer, servers_in};
use wire::names::{Question, RecordKind};

fuzz_target!(|packet: &[u8]| {
    let question = Question { name: "www.a.example".to_owned(), kind: RecordKind::Txt };
    let id = packet.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    let Some(sent) = Sent::new(&question, id, None) else { return };
    let _ = read_answer(packet, &sent, false);
    let _ = servers_in(packet);
});
