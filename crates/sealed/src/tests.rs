//! Cases for every shape, the RFC 9180 key schedule, and a seeded fuzzer over every parser.

use super::*;
use terms::{MessageId, TenantId};

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn key(suite: Suite, epoch: u32) -> PublicKey {
    PublicKey::new(suite, epoch, &vec![4; suite.public_bytes()]).unwrap()
}

fn place() -> Place {
    Place { tenant: TenantId([1; 8]), message: MessageId([2; 16]), class: Class::Body }
}

fn wrapped(suite: Suite) -> Wrapped {
    let enc = vec![4; suite.public_bytes()];
    Wrapped { share: Share { company: None, suite, epoch: 7, enc, sealed: [9; WRAPPED_KEY_BYTES] } }
}

#[test]
fn what_is_written_is_read() {
    for suite in [Suite::P256, Suite::X25519] {
        assert_eq!(PublicKey::parse(&key(suite, 5).encode()).unwrap(), key(suite, 5));
        assert_eq!(Wrapped::parse(&wrapped(suite).encode()).unwrap(), wrapped(suite));
        assert!(wrapped(suite).encode().len() <= WRAPPED_BYTES);
    }
    let released = Released { number: u64::MAX, sealed: [3; WRAPPED_KEY_BYTES] };
    assert_eq!(released.encode().len(), RELEASED_BYTES);
    assert_eq!(Released::parse(&released.encode()).unwrap(), released);
    let content = Content::new(&place(), [5; HEADER_PREFIX_BYTES]);
    assert_eq!(Content::parse(&place(), content.header()).unwrap(), content);
    let other = Place { class: Class::Summary, ..place() };
    assert!(Content::parse(&other, content.header()).is_err());
}

#[test]
fn one_octet_more_or_less_is_refused() {
    fn check<T>(bytes: &[u8], parse: impl Fn(&[u8]) -> Result<T, Fault>) {
        assert!(parse(bytes).is_ok());
        let longer = [bytes, &[0]].concat();
        assert!(parse(&longer).is_err());
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "{end} octets of {}", bytes.len());
        }
    }
    check(&key(Suite::P256, 1).encode(), PublicKey::parse);
    check(&key(Suite::X25519, 1).encode(), PublicKey::parse);
    check(&wrapped(Suite::P256).encode(), Wrapped::parse);
    check(&wrapped(Suite::X25519).encode(), Wrapped::parse);
    check(&Released { number: 1, sealed: [3; WRAPPED_KEY_BYTES] }.encode(), Released::parse);
    let content = Content::new(&place(), [5; HEADER_PREFIX_BYTES]);
    check(content.header(), |bytes| Content::parse(&place(), bytes));
}

#[test]
fn lengths_are_foretold() {
    let chunk = CHUNK_BYTES as u64;
    for plain in [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 50 << 20] {
        assert_eq!(plain_length(sealed_length(plain)), Some(plain));
    }
    for sealed in [0, 10, 25, 10 + chunk + 16 + 1, 10 + chunk + 16 + 16] {
        assert_eq!(plain_length(sealed), None, "{sealed}");
    }
}

/// One vector of RFC 9180's published set: KEM 0x0020 or 0x0010, KDF 1, AEAD 2, mode base.
struct Vector {
    suite: Suite,
    enc: &'static str,
    recipient: &'static str,
    dh: &'static str,
    shared: &'static str,
    key: &'static str,
    nonce: &'static str,
    exported: &'static str,
}

const VECTORS: [Vector; 2] = [
    Vector {
        suite: Suite::X25519,
        enc: "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
        recipient: "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
        dh: "98fdfbcb860bc6c218a3fd783062ae1f37af6e3581619eea9591818d746aa50b",
        shared: "3101c54c3a4f87439eaac080699ed9bbcc726ffe44e860c0424ccb7e3e2ead7b",
        key: "f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f",
        nonce: "151d9929e2449747889bc923",
        exported: "ded6cffafaea6b812cbf3e241e88332adbc077aca81512914213810ee291770a",
    },
    Vector {
        suite: Suite::P256,
        enc: concat!(
            "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e",
            "0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0"
        ),
        recipient: concat!(
            "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f",
            "853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c"
        ),
        dh: "e0412b4a8469693867019d05593cb1bf2e71aa663790b00457f31a21d3beddd6",
        shared: "48893fecd82f7c3456af6a42d8f56325d21e08c10fa81299986aaff54cde7b49",
        key: "ee16802a936d5f544771131900ee6973d0551de9e852ece2ef34bf0d5f9e1d1d",
        nonce: "9bc50980832a7b4b58c40161",
        exported: "7a4c2b89e1909fb0e3ca42d5040f4c2d8346dc0643d787b8474e804f8f72798e",
    },
];

#[test]
fn the_key_schedule_is_the_rfc_s() {
    let info = hex("4f6465206f6e2061204772656369616e2055726e");
    for vector in &VECTORS {
        let (enc, recipient) = (hex(vector.enc), hex(vector.recipient));
        let dh = Secret::from_slice(&hex(vector.dh)).unwrap();
        let shared = hpke::shared_secret(vector.suite, &dh, &enc, &recipient);
        assert_eq!(shared.dangerous_expose().to_vec(), hex(vector.shared));
        let context = schedule(vector.suite, &dh, &enc, &recipient, &info);
        assert_eq!(context.key.dangerous_expose().to_vec(), hex(vector.key));
        assert_eq!(context.nonce.to_vec(), hex(vector.nonce));
        assert_eq!(context.export(b"").dangerous_expose().to_vec(), hex(vector.exported));
    }
}

#[test]
fn no_bytes_make_a_parser_fall() {
    let seeds = [
        key(Suite::P256, 1).encode(),
        wrapped(Suite::P256).encode(),
        wrapped(Suite::X25519).encode(),
        Released { number: 1, sealed: [3; WRAPPED_KEY_BYTES] }.encode(),
        Content::new(&place(), [5; HEADER_PREFIX_BYTES]).header().to_vec(),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=next() % 4 {
            let at = next() % bytes.len().max(1);
            match next() % 4 {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), 0xff),
                _ => {
                    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = byte.wrapping_add(1))
                }
            }
        }
        // What is accepted is written again exactly as it was read.
        if let Ok(read) = PublicKey::parse(&bytes) {
            assert_eq!(read.encode(), bytes);
        }
        if let Ok(read) = Wrapped::parse(&bytes) {
            assert_eq!(read.encode(), bytes);
        }
        if let Ok(read) = Released::parse(&bytes) {
            assert_eq!(read.encode(), bytes);
        }
        if let Ok(read) = Content::parse(&place(), &bytes) {
            assert_eq!(read.header().to_vec(), bytes);
        }
    }
}
