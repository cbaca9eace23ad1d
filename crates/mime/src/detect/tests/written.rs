//! Files written into a text without MIME.

use super::{HEAD, Zip, check, eicar, ids, uuencode, with_file};
use crate::detect::{Budget, examine};
use crate::inline;
use crate::tests::mutated;

fn yenc(octets: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in octets.chunks(40) {
        for octet in line {
            match octet.wrapping_add(42) {
                odd @ (0 | b'\r' | b'\n' | b'=') => text.extend([b'=', odd.wrapping_add(64)]),
                plain => text.push(plain),
            }
        }
        text.extend(b"\r\n");
    }
    text
}

fn yenc_file(name: &str, octets: &[u8]) -> Vec<u8> {
    let head = format!("=ybegin line=40 size={} name={name}\r\n", octets.len());
    [head.as_bytes(), &yenc(octets), b"=yend size=1\r\n"].concat()
}

/// As RFC 1741 appendix A says, without runs but for what would be taken for one; sums are zero.
fn binhex_file(name: &str, data: &[u8], resources: &[u8]) -> Vec<u8> {
    let mut file = vec![name.len() as u8];
    file.extend(name.as_bytes());
    file.extend(b"\0TEXTttxt\0\0");
    file.extend((data.len() as u32).to_be_bytes());
    file.extend((resources.len() as u32).to_be_bytes());
    file.extend([&[0, 0], data, &[0, 0], resources, &[0, 0]].concat());
    let file: Vec<u8> = file
        .into_iter()
        .flat_map(|octet| if octet == 0x90 { vec![0x90, 0] } else { vec![octet] })
        .collect();
    binhex_text(&file)
}

fn binhex_text(octets: &[u8]) -> Vec<u8> {
    let alphabet = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
    let mut letters = Vec::new();
    for three in octets.chunks(3) {
        let get = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = get(0) << 16 | get(1) << 8 | get(2);
        let six = |place: u32| alphabet[(bits >> (18 - 6 * place) & 63) as usize];
        letters.extend((0..=three.len() as u32).map(six));
    }
    let lines = [b":", letters.as_slice(), b":"].concat();
    let lines = lines.chunks(64).collect::<Vec<_>>().join(&b"\r\n"[..]);
    [b"(This file must be converted with BinHex 4.0)\r\n\r\n", lines.as_slice(), b"\r\n"].concat()
}

fn uu_file(name: &str, octets: &[u8]) -> Vec<u8> {
    let head = format!("begin 644 {name}\r\n");
    [head.as_bytes(), &uuencode(octets), b"`\r\nend\r\n"].concat()
}

fn uu_base64_file(name: &str, octets: &[u8]) -> Vec<u8> {
    let head = format!("begin-base64 644 {name}\r\n");
    [head.as_bytes(), &super::base64(octets), b"\r\n====\r\n"].concat()
}

fn text(written: &[u8]) -> Vec<u8> {
    [HEAD.as_bytes(), b"\r\nHello,\r\n\r\n", written, b"\r\nbye\r\n"].concat()
}

type Writer = fn(&str, &[u8]) -> Vec<u8>;

const WRITERS: [(Writer, &str); 4] = [
    (uu_file, "content.inline.uuencode"),
    (uu_base64_file, "content.inline.uuencode"),
    (yenc_file, "content.inline.yenc"),
    (|name, octets| binhex_file(name, octets, b""), "content.inline.binhex"),
];

#[test]
fn files_written_into_a_text_are_looked_at() {
    let zip = Zip::new().file("b.zip", &Zip::new().file("a.txt", &eicar()).done()).done();
    for (write, id) in WRITERS {
        check(&text(&write("a.txt", &eicar())), &["content.eicar", id]);
        check(&text(&write("a.zip", &zip)), &["content.eicar", id]);
        check(&text(&write("setup.exe", b"x")), &[id, "content.name.program"]);
        // Behind empty ones, one that has no end, and what is not a text by its first octets.
        let later =
            [write("a.txt", b"").repeat(30), write("a.txt", b"hello"), write("b", &eicar())];
        check(&text(&later.concat()), &["content.eicar", id]);
        let lines = write("a.txt", b"hello");
        let unended = &lines[..lines.iter().rposition(|octet| *octet == b'\n').unwrap() - 8];
        let ids = ids(&text(&[unended, b"\r\n", &write("b", &eicar())].concat()));
        assert!(ids.contains(&id.to_owned()), "{ids:?}");
        let pdf = [
            HEAD.as_bytes(),
            b"
%PDF-1.4
",
            &write("a.txt", &eicar()),
        ]
        .concat();
        check(&pdf, &["content.eicar", id]);
        // As an attached file, in a message in a file, and with an encoding that nobody knows.
        check(&with_file("a.uue", &write("a.txt", &eicar())), &["content.eicar", id]);
        check(&with_file("a.eml", &text(&write("a.txt", &eicar()))), &["content.eicar", id]);
        let head = "Content-Type: application/x\r\nContent-Transfer-Encoding: x-what\r\n\r\n";
        let unknown = [HEAD.as_bytes(), head.as_bytes(), &write("a.txt", &eicar())].concat();
        check(&unknown, &["content.eicar", id, "mime.encoding.unknown"]);
        let many = (0..30).flat_map(|_| write("a.txt", b"hello")).collect::<Vec<u8>>();
        check(&text(&many), &[id, "content.unexamined"]);
    }
}

#[test]
fn a_text_that_speaks_of_them_is_none() {
    for talk in [
        "begin 644 words\r\nbegin with\r\nto begin 644 days later\r\n\r\n",
        "yEnc files start with =ybegin line=128 name=x\r\n",
        "(This file must be converted with BinHex 4.0) is what: it says\r\n",
        "(This file must be converted with BinHex 4.0)\r\nis: what it says\r\n",
    ] {
        // A first line of its own would be the beginning of a file.
        check(&text(format!("> {talk}").as_bytes()), &[]);
    }
    let talk = b"(This file must be converted with BinHex 4.0)\r\nis: what it says\r\n";
    check(&text(talk), &[]);
}

#[test]
fn what_is_decoded() {
    let all: Vec<u8> = (0..=255).collect();
    let file = inline::yencoded(&yenc_file("a b.bin", &all)).unwrap();
    assert_eq!((file.name.as_str(), &file.octets), ("a b.bin", &all));
    let part = b"=ybegin part=1 line=40 size=9 name=x\r\n=ypart begin=1 end=3\r\n=}KL\r\n=yend";
    assert_eq!(inline::yencoded(part).unwrap().octets, [0x13, 0x21, 0x22]);
    let file = inline::binhexed(&binhex_file("a.bin", &all, b""), 1_000).unwrap();
    assert_eq!((file.name.as_str(), &file.octets), ("a.bin", &all));
    // Only the other fork.
    let file = inline::binhexed(&binhex_file("a", b"", b"icon"), 1_000).unwrap();
    assert_eq!(file.octets, b"icon");
    // Runs: five times 0x22; the mark itself three times; nothing to be repeated.
    let runs = [&[1, b'a', 0][..], &[0; 10], &[0, 0, 0, 200, 0, 0, 0, 0, 0, 0], &[0x22, 0x90, 5]];
    let octets = [runs.concat().as_slice(), &[7, 0x90, 0, 0x90, 3, 0x90]].concat();
    let octets = inline::binhexed(&binhex_text(&octets), 1_000).unwrap().octets;
    assert_eq!(octets, [0x22, 0x22, 0x22, 0x22, 0x22, 7, 0x90, 0x90, 0x90]);
}

#[test]
fn a_run_that_bursts_is_paid() {
    let head = [&[1, b'a', 0][..], &[0; 10], &[0, 255, 255, 255], &[0; 6]].concat();
    let runs = [head, [0x90, 255].repeat(50_000)].concat();
    let budget = Budget { inflated_bytes: 1_000_000, ..Budget::default() };
    let found = examine(&text(&binhex_text(&runs)), &budget).findings;
    assert!(found.iter().any(|finding| finding.id == "content.unexamined"), "{found:?}");
}

#[test]
fn the_decoders_survive_a_fuzzer() {
    let seeds = WRITERS.map(|(write, _)| [write("a.txt", &eicar()), write("b", b"x")].concat());
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    mutated(&seeds, 20_000, |octets| {
        for found in [
            inline::uuencoded(octets),
            inline::uuencoded_in_base64(octets),
            inline::yencoded(octets),
            inline::binhexed(octets, 10_000),
        ] {
            let Some(found) = found else { continue };
            assert!(found.length <= octets.len() && found.octets.len() <= 10_000 + 255);
        }
        examine(&text(octets), &Budget::default());
    });
}
