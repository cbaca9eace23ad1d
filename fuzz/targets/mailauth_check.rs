//! Sender authentication of a whole message; the DNS says what stands behind the first NUL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailauth::{Answer, Envelope, Record, RecordKind, Resolver};

struct Says<'a>(&'a [u8]);

impl Resolver for Says<'_> {
    fn ask(&mut self, _: &str, kind: RecordKind) -> Answer {
        match kind {
            RecordKind::Text => Answer::Records(vec![Record::Text(self.0.to_vec())]),
            RecordKind::Address4 => Answer::NoRecords,
            _ => Answer::NoSuchName,
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let cut = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    let (message, text) = octets.split_at(cut);
    let envelope = Envelope {
        client_ip: std::net::IpAddr::from([192, 0, 2, 1]),
        helo: "c.example",
        mail_from: "a@b.example",
        our_name: "mx.example",
        now: 1_800_000_000,
    };
    let told = mailauth::check(&envelope, message, &mut Says(text.get(1..).unwrap_or_default()));
    assert!(told.header.ends_with("\r\n") && told.header.starts_with("Authentication-Results: "));
    assert!(mailauth::without_forged(message, "mx.example").len() <= message.len());
});
