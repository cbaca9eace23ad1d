//! What a remote mail server answers, and a whole conversation with it: one outcome each.
#![no_main]

use courier::{Answers, Courier, Letter, Receiver, Tls, Want};
use libfuzzer_sys::fuzz_target;
use smtp::Address;

fuzz_target!(|octets: &[u8]| {
    let mut answers = Answers::default();
    answers.feed(octets);
    while let Ok(Some(answer)) = answers.next() {
        assert!(!answer.quoted().contains(['\r', '\n']));
    }
    converse(octets);
});

fn converse(octets: &[u8]) {
    let mut courier = Courier::new("here.example", Tls::IfOffered);
    courier.feed(octets);
    let (mut begun, mut ended) = (0, 0);
    for _ in 0..1_000 {
        match courier.next() {
            Want::Read(_) => courier.closed(),
            Want::Secure => courier.secured(),
            Want::Letter if begun < 3 => {
                begun += 1;
                courier.begin(letter());
            }
            Want::Letter => courier.quit(),
            Want::Text => {
                courier.text(b".\r\n");
                courier.end_text();
            }
            Want::Outcomes(outcomes) => ended += outcomes.len(),
            Want::Broken(_) => {}
            Want::Close => {
                assert_eq!(begun, ended);
                return;
            }
        }
        let said = courier.take_output();
        assert!(!said.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
    }
    panic!("it does not end");
}

fn letter() -> Letter {
    let address = Address::parse("bob@there.example").expect("an address");
    Letter {
        from: None,
        receivers: vec![Receiver { address, notify: None, original: None }],
        size: 3,
        has_eight_bits: false,
        needs_utf8: false,
        require_tls: false,
        returned: None,
        envelope_id: None,
    }
}
