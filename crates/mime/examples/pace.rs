//! How long an examination takes, by size and kind of message.

use mime::detect::{Budget, examine};
use std::time::Duration;

fn base64(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut octets = Vec::new();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while octets.len() < count {
        for _ in 0..76 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            octets.extend(letters.get((state >> 58) as usize));
        }
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// Time on a processor, whatever else the machine does.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    Duration::from_nanos(nanos)
}

fn main() {
    let head = "From: Ann <ann@sender.example>\r\nTo: bo@receiver.example\r\nSubject: x\r\n";
    for kib in [4usize, 40, 1_024] {
        let text = "Plain words in a line, as people write them in their mail.\r\n";
        let page =
            "<p>Some <b>words</b> and a <a href=\"https://www.example.org/\">link</a></p>\r\n";
        let kinds: [(&str, &str, Vec<u8>); 4] = [
            ("text", "Content-Type: text/plain\r\n\r\n", text.repeat(kib * 17).into_bytes()),
            ("page", "Content-Type: text/html\r\n\r\n", page.repeat(kib * 13).into_bytes()),
            (
                "japanese",
                "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n",
                b"\x1b$B$\"$$$&$(\x1b(B\r\n".repeat(kib * 60),
            ),
            (
                "file",
                "Content-Type: application/x; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                base64(kib * 1_024),
            ),
        ];
        for (kind, fields, body) in kinds {
            let message = [head.as_bytes(), fields.as_bytes(), &body].concat();
            let rounds = 20_000 / kib.max(20);
            let start = cpu();
            for _ in 0..rounds {
                std::hint::black_box(examine(&message, &Budget::default()));
            }
            let each = (cpu() - start) / u32::try_from(rounds).unwrap_or(1);
            println!("{kib:5} KiB {kind:9} {each:?}");
        }
    }
}
