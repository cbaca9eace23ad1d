//! Ways past a scanner that were found by somebody who looked for them.

use super::{HEAD, Zip, base64, check, eicar, ids, with_file};
use crate::detect::{Budget, examine};
use crate::tests::{factor, mutated};
use miniz_oxide::deflate::compress_to_vec;
use std::time::{Duration, Instant};

#[track_caller]
fn has(message: &[u8], expected: &[&str]) {
    let ids = ids(message);
    for id in expected {
        assert!(ids.contains(&(*id).to_owned()), "{id} in {ids:?}");
    }
}

#[track_caller]
fn lacks(message: &[u8], unexpected: &str) {
    assert!(!ids(message).contains(&unexpected.to_owned()), "{unexpected}");
}

fn attached(name: &str, contents: &[u8]) -> Vec<u8> {
    let head = format!(
        "Content-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    [head.as_bytes(), &base64(contents)].concat()
}

/// `head` says what multipart it is; `b` is its boundary.
fn multipart(head: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut message = format!("{HEAD}{head}\r\n\r\n").into_bytes();
    for part in parts {
        message.extend_from_slice(&[b"--b\r\n", part.as_slice(), b"\r\n"].concat());
    }
    message.extend_from_slice(b"--b--\r\n");
    message
}

const MIXED: &str = "Content-Type: multipart/mixed; boundary=b";

#[test]
fn a_zip_is_one_whatever_stands_before_it() {
    let zip = Zip::new().file("setup.exe", b"x").file("a.txt", &eicar()).done();
    let long = vec![0; 70_000];
    let prefixes: [&[u8]; 7] =
        [&[0; 10], b"MZAAAAAA", b"MZ\0\0AAAA", b"%PDF-1.4\n", b"x", &long, b"GIF89a"];
    let expected = ["content.eicar", "content.name.program", "content.zip.behind"];
    for prefix in prefixes {
        for name in ["a.zip", "a.pdf", "a.bin"] {
            has(&with_file(name, &[prefix, &zip].concat()), &expected);
        }
        // Whoever writes something behind it says no more than its contents do.
        let between = [prefix, &zip, b"\r\n%%EOF"].concat();
        has(&with_file("a.pdf", &between), &expected[..2]);
        has(&with_file("a.zip", &between), &expected);
        // Readers that repair need no directory.
        let directory = zip.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        has(&with_file("a.zip", &[prefix, &zip[..directory]].concat()), &expected);
    }
    // Places that count what stands before.
    let padded = Zip::new().padded(100).file("a.txt", &eicar()).done();
    has(&with_file("a.zip", &padded), &["content.eicar", "content.zip.behind"]);
    // An end record without a directory hides none that has one.
    let feigned = [&[0; 10], zip.as_slice(), b"PK\x05\x06", &[0; 18]].concat();
    has(&with_file("a.zip", &feigned), &expected);
}

#[test]
fn an_archive_inside_a_document_is_no_disguise() {
    let zip = Zip::new().file("a.txt", b"hello").done();
    let pdf = [b"%PDF-1.7\nstream\n", zip.as_slice(), b"\nendstream\n%%EOF"].concat();
    check(&with_file("a.pdf", &pdf), &[]);
    let mut ole = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
    ole.extend_from_slice(&zip);
    ole.resize(4_096, 0);
    check(&with_file("a.doc", &ole), &[]);
    // A word of text is no archive.
    check(&with_file("a.txt", b"the mark PK\x05\x06 ends an archive, PK\x01\x02 begins"), &[]);
}

#[test]
fn an_archive_of_two_directories_is_looked_at_by_both() {
    let hidden = Zip::new().file("b.txt", b"b").file("a.txt", &eicar()).done();
    let end = hidden.len() - 22;
    let at = u32::from_le_bytes(hidden[end + 16..end + 20].try_into().unwrap()) as usize;
    // The directory names its first file only; the second stands behind it.
    let first = 46 + "b.txt".len();
    let mut cut = hidden[..at + first].to_vec();
    cut.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    cut.extend_from_slice(&(first as u32).to_le_bytes());
    cut.extend_from_slice(&(at as u32).to_le_bytes());
    cut.extend_from_slice(&[0, 0]);
    has(&with_file("a.zip", &cut), &["content.eicar", "content.zip.hidden"]);
}

#[test]
fn what_is_not_unpacked_says_so() {
    let newc = [b"070701".as_slice(), &[b'0'; 104], b"a.txt\0"].concat();
    let packed: [(&str, &[u8]); 10] = [
        ("a.bz2", b"BZh91AY&SY0000"),
        ("a.xz", b"\xFD7zXZ\x00aaa"),
        ("a.zst", b"\x28\xB5\x2F\xFD000"),
        ("a.Z", b"\x1F\x9D\x90000"),
        ("a.alz", b"ALZ\x01\x0A\0\0\0BLZ\x01"),
        ("a.egg", b"EGGA\0\x01000"),
        ("a.cpio", &newc),
        ("a.xar", b"xar!\0\x1C\0\x01"),
        ("a.zpaq", b"zPQ\x02\x01000"),
        ("a.gpg", b"\x8C\x0D\x04\x09\x03\x08000"),
    ];
    for (name, octets) in packed {
        check(&with_file(name, octets), &["content.archive.opaque"]);
    }
    // Text that begins like a mark.
    for text in [&b"070701 is a number of ours"[..], b"zPQ is none"] {
        check(&with_file("a.txt", text), &[]);
    }
    let mut zip = Zip::new().file("a.txt", b"x").done();
    for mark in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
        let at = zip.windows(4).position(|four| four == mark).unwrap();
        zip[at + if mark[2] == 3 { 8 } else { 10 }] = 12;
    }
    check(&with_file("a.zip", &zip), &["content.archive.method"]);
}

fn gzip(contents: &[u8]) -> Vec<u8> {
    let packed = compress_to_vec(contents, 6);
    [b"\x1F\x8B\x08\0\0\0\0\0\0\xFF", packed.as_slice(), &[0; 8]].concat()
}

#[test]
fn all_members_of_a_gzip_file_are_one_file() {
    let eicar = eicar();
    check(&with_file("a.gz", &[gzip(b""), gzip(&eicar)].concat()), &["content.eicar"]);
    let (one, other) = eicar.split_at(20);
    check(&with_file("a.gz", &[gzip(one), gzip(other)].concat()), &["content.eicar"]);
    let large: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    check(&with_file("a.gz", &[gzip(&large), gzip(&eicar)].concat()), &["content.eicar"]);
    check(&with_file("a.gz", &[gzip(b"a"), gzip(b"b")].concat()), &[]);
    let many = gzip(b"").repeat(5_000);
    check(&with_file("a.gz", &many), &["content.bomb.entries", "content.unexamined"]);
    let zeros = gzip(&vec![0; 8 * 1024 * 1024]).repeat(8);
    check(&with_file("a.gz", &zeros), &["content.bomb.size"]);
}

/// Some readers take the first line that looks like a boundary for one.
#[test]
fn a_boundary_that_is_not_named_is_guessed() {
    let part = |head: &str| [head.as_bytes(), b"\r\n\r\n", &base64(&eicar())].concat();
    let encoded = part("Content-Transfer-Encoding: base64");
    let types =
        ["multipart/mixed", "multipart/mixed; boundary=\"\"", "multipart/related; boundary="];
    for kind in types {
        let head = format!("Content-Type: {kind}");
        has(&multipart(&head, &[encoded.clone()]), &["content.eicar", "mime.readings"]);
        // Two of them, one inside the other.
        let inner = multipart("Content-Type: multipart/mixed; boundary=b", &[encoded.clone()]);
        let inner = [b"Content-Type: message/rfc822\r\n\r\n".as_slice(), &inner].concat();
        has(&multipart(&head, &[inner]), &["content.eicar", "mime.readings"]);
        let zip = Zip::new().file("a.txt", &eicar()).done();
        has(&multipart(&head, &[attached("a.zip", &zip)]), &["content.eicar"]);
        let odd = multipart(&head, &[encoded.clone()]);
        let odd = String::from_utf8(odd).unwrap().replace("--b", "--q\"\\ x");
        has(odd.as_bytes(), &["content.eicar", "mime.readings"]);
        // A line of nothing but dashes: the empty boundary itself.
        let bare = multipart(&head, &[attached("a.zip", &zip)]);
        let bare = String::from_utf8(bare).unwrap().replace("--b", "--");
        has(bare.as_bytes(), &["content.eicar", "mime.part.outside"]);
        lacks(&multipart(&head, &[b"\r\nhello\r\n-- \r\nContent: x".to_vec()]), "mime.readings");
    }
}

#[test]
fn what_lies_beyond_one_walk_is_walked_too() {
    let empty = b"Content-Type: text/plain\r\n\r\nhello".to_vec();
    let virus = attached("e.com", &eicar());
    for count in [100, 999, 1_000, 1_500] {
        let parts = [vec![empty.clone(); count], vec![virus.clone()]].concat();
        has(&multipart(MIXED, &parts), &["content.eicar"]);
    }
    let parts = [vec![empty; 20_000], vec![virus.clone()]].concat();
    has(&multipart(MIXED, &parts), &["mime.parts.many"]);
    for depth in [20, 49, 50, 60, 120, 1_000] {
        let mut inner = virus.clone();
        for level in 0..depth {
            let head = format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n");
            let (open, close) = (format!("--b{level}\r\n"), format!("\r\n--b{level}--\r\n"));
            inner = [head.as_bytes(), open.as_bytes(), inner.as_slice(), close.as_bytes()].concat();
        }
        let id = if depth <= 120 { "content.eicar" } else { "mime.depth.great" };
        has(&[HEAD.as_bytes(), &inner].concat(), &[id]);
    }
    let long = "b".repeat(2_000);
    let head = format!("Content-Type: multipart/mixed; boundary={long}");
    has(&multipart(&head, &[]), &["mime.unwalked"]);
}

#[test]
fn every_reading_of_a_header_is_walked() {
    let virus = [attached("setup.exe", &eicar())];
    let expected = ["content.eicar", "content.name.program", "mime.readings"];
    let plain = "Content-Type: text/plain";
    for head in [
        format!("{plain}\r\n{MIXED}"),
        format!("{plain}\r\nContent-Type: text/html\r\n{MIXED}"),
        "Content-Type: multipart/mixed; boundary=c; boundary=b".to_owned(),
        "Content-Type: multipart/mixed; boundary=b; boundary*=us-ascii''c".to_owned(),
        "Content-Type: multipart/mixed; boundary*=us-ascii''c; boundary=b".to_owned(),
        "Content-Type: multipart/mixed; boundary=c\r\n\
         Content-Type: multipart/mixed; boundary=d; boundary=b"
            .to_owned(),
    ] {
        has(&multipart(&head, &virus), &expected);
    }
    // By the first reading its parts are known; by the other it is one text.
    for head in [
        format!("{MIXED}\r\n{plain}"),
        "Content-Type: multipart/mixed; boundary=b; boundary=c".to_owned(),
    ] {
        has(&multipart(&head, &virus), &expected);
    }
    let zip = base64(&Zip::new().file("setup.exe", b"x").done());
    let head = "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let message = [HEAD.as_bytes(), head.as_bytes(), &zip].concat();
    has(&message, &["content.name.program", "mime.encoding.conflict"]);
    // Broken writers say twice what text it is; every reader shows the same one part.
    let twice = format!("{HEAD}{plain}\r\nContent-Type: text/html\r\n\r\nhello\r\n");
    check(twice.as_bytes(), &["mime.type.conflict"]);
    let same = multipart(&format!("{MIXED}\r\n{MIXED}"), &[b"\r\nhello".to_vec()]);
    check(&same, &["mime.type.duplicate"]);
}

#[test]
fn a_message_of_many_readings_costs_little() {
    let types: String = (0..10).map(|n| format!("\r\nContent-Type: a/b{n}")).collect();
    let boundaries: String = (0..50).map(|n| format!("; boundary=c{n}")).collect();
    let head = format!("Content-Type: multipart/mixed; boundary=b{boundaries}{types}");
    let parts = vec![attached("a.txt", &[b'x'; 20_000]); 500];
    let start = Instant::now();
    has(&multipart(&head, &parts), &["mime.unwalked"]);
    assert!(start.elapsed() < Duration::from_secs(3 * factor() as u64), "{:?}", start.elapsed());
}

#[test]
fn an_encoded_multipart_is_walked_by_both_kinds_of_readers() {
    let inside = multipart("X: y", &[attached("setup.exe", &eicar())]);
    let inside = &inside[inside.windows(3).position(|three| three == b"--b").unwrap()..];
    let head = format!("{HEAD}{MIXED}\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    let message = [head.as_bytes(), &base64(inside)].concat();
    let expected = ["content.eicar", "content.name.program", "mime.readings"];
    has(&message, &expected);
    let quoted = format!("{MIXED}\r\nContent-Transfer-Encoding: quoted-printable");
    let message = multipart(&quoted, &[b"\r\nhello".to_vec()]);
    check(&message, &["mime.encoding.composite"]);
}

#[test]
fn one_piece_of_a_message_says_so() {
    let head = "Content-Type: message/partial; id=\"x\"; number=1; total=2";
    check(format!("{HEAD}{head}\r\n\r\nSubject: y\r\n\r\nx").as_bytes(), &["mime.partial"]);
    let part = format!("{head}\r\n\r\nSubject: y\r\n\r\nx").into_bytes();
    check(&multipart(MIXED, &[part]), &["mime.partial"]);
    // What a notice returns, of a writer that knew no better word.
    check(format!("{HEAD}Content-Type: message/partial\r\n\r\nx").as_bytes(), &[]);
}

#[test]
fn contents_that_lie_elsewhere_are_told_with_the_way_to_them() {
    let head = "Content-Type: Message/External-Body; access-type=";
    let phantom = "\r\n\r\nContent-Type: application/pdf\r\nContent-ID: <1@x>\r\n\r\n";
    let detail = |message: &[u8]| {
        let found = examine(message, &Budget::default()).findings;
        let found = found.into_iter().find(|finding| finding.id == "mime.external");
        found.map(|finding| (finding.weight, finding.detail))
    };
    for (how, expected) in [
        ("URL; URL=\"http://att.example/a.pdf\"", "url"),
        ("anon-ftp; site=\"att.example\"; name=\"a\"", "anon-ftp"),
        ("\"local-file\"; name=\"\\\\\\\\att.example\\\\a\"", "local-file"),
        ("", "?"),
    ] {
        let part = format!("{head}{how}{phantom}");
        let expected = Some((2.5, expected.to_owned()));
        assert_eq!(detail(format!("{HEAD}{part}").as_bytes()), expected, "{how}");
        assert_eq!(detail(&multipart(MIXED, &[part.into_bytes()])), expected, "{how}");
    }
    assert_eq!(detail(format!("{HEAD}Content-Type: message/rfc822{phantom}").as_bytes()), None);
}

#[test]
fn an_attached_message_is_opened_whatever_its_first_octets_are() {
    let mut inside = b"BM\0: x\r\nX: ".to_vec();
    inside.resize(257, b'x');
    inside.extend_from_slice(b"ustar\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    inside.extend_from_slice(&base64(&eicar()));
    has(&with_file("a.eml", &inside), &["content.eicar"]);
}

#[test]
fn every_octet_is_rubbish_in_base64_or_is_not() {
    let usual = |octet: u8| octet.is_ascii_alphanumeric() || b"+/=\r\n ".contains(&octet);
    for octet in 0..=255 {
        assert_eq!(crate::detect::is_usual_in_base64(octet), usual(octet), "{octet}");
    }
}

#[test]
fn base64_is_read_as_those_do_who_skip_padding() {
    let head = format!("{HEAD}Content-Transfer-Encoding: base64\r\n\r\n");
    let zip = Zip::new().file("setup.exe", &eicar()).done();
    for (letters, pad) in [(9, "="), (9, "!*="), (10, "="), (12, "="), (11, "==")] {
        for (octets, id) in [(eicar(), "content.eicar"), (zip.clone(), "content.name.program")] {
            let text = base64(&octets);
            let (one, other) = text.split_at(letters);
            has(&[head.as_bytes(), one, pad.as_bytes(), other].concat(), &[id, "mime.base64.junk"]);
        }
    }
    // Pieces one behind the other are honest.
    let pieces = [head.as_bytes(), b"aGVsbG8=\r\naGVsbG8=\r\naA==\r\naGVsbG8="].concat();
    check(&pieces, &[]);
    let quoted = format!("{HEAD}Content-Transfer-Encoding: \"base64\"\r\n\r\n");
    has(&[quoted.as_bytes(), &base64(&eicar())].concat(), &["content.eicar"]);
}

#[test]
fn an_archive_is_unpacked_as_either_of_its_headers_says() {
    let of = |change: &dyn Fn(&mut [u8], usize)| {
        let mut zip = Zip::new().file("a.txt", &eicar()).done();
        let at = zip.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        change(&mut zip, at);
        has(&with_file("a.zip", &zip), &["content.eicar", "content.zip.differs"]);
    };
    of(&|zip, at| zip[at + 8] |= 1);
    of(&|zip, _| zip[6] |= 1);
    of(&|zip, at| zip[at + 10] = 99);
    of(&|zip, _| zip[8] = 99);
    of(&|zip, at| zip[at + 20..at + 28].fill(0));
}

#[test]
fn every_name_of_a_part_is_looked_at() {
    for head in [
        "Content-Disposition: attachment; filename=a.txt; filename*=utf-8''a.exe",
        "Content-Disposition: attachment; filename*=utf-8''a.txt; filename=a.exe",
        "Content-Disposition: attachment; filename=a.txt\r\n\
         Content-Disposition: attachment; filename=a.exe",
        "Content-Disposition: attachment; filename=\"a.exe\\\"",
        "Content-Type: a/b; name=a.exe\r\nContent-Disposition: attachment; filename=a.txt",
    ] {
        has(format!("{HEAD}{head}\r\n\r\nx").as_bytes(), &["content.name.program"]);
    }
    let many = (0..3_000).fold(Zip::new(), |zip, number| zip.file(&format!("{number}"), b""));
    let zip = with_file("a.zip", &many.file("a.exe", b"x").done());
    has(&zip, &["content.name.program"]);
    lacks(&zip, "content.zip.hidden");
}

#[test]
fn nests_of_every_kind_end_soon() {
    let plain = "Content-Type: text/plain";
    let head = format!("{plain}\r\n{MIXED}; boundary=c");
    let mut inner = multipart(&head, &[vec![b'x'; 100_000]]);
    for _ in 0..8 {
        let head = format!("{head}\r\nContent-Transfer-Encoding: base64");
        inner = multipart(&head, &[attached("a.eml", &inner), attached("a.eml", &inner)]);
        if inner.len() > 4_000_000 {
            break;
        }
    }
    let start = Instant::now();
    let _ = examine(&inner, &Budget::default());
    assert!(start.elapsed() < Duration::from_secs(10 * factor() as u64), "{:?}", start.elapsed());
}

fn plain(text: &str) -> Vec<u8> {
    format!("\r\n{text}").into_bytes()
}

/// A message of one honest part, with something before its first boundary and behind its last.
fn around(preamble: &[u8], epilogue: &[u8]) -> Vec<u8> {
    let head = format!("{HEAD}{MIXED}\r\n\r\n");
    let part = b"--b\r\n\r\nhello\r\n--b--\r\n";
    [head.as_bytes(), preamble, part, epilogue].concat()
}

#[test]
fn a_boundary_that_opens_again_is_followed() {
    let virus = attached("setup.exe", &eicar());
    let behind = [b"--b\r\n", virus.as_slice(), b"\r\n--b--\r\n"].concat();
    let expected = ["content.eicar", "content.name.program", "mime.boundary.reopened"];
    check(&around(b"", &behind), &expected);
    let page = [&b"--b\r\nContent-Type: text/html\r\n\r\n"[..], b"<form><input type=password>"];
    let expected = ["content.page.password", "mime.boundary.reopened", "mime.boundary.unclosed"];
    check(&around(b"", &page.concat()), &expected);
    // Inside another multipart, where the outer boundary ends what the inner one opened again.
    let head = "Content-Type: multipart/mixed; boundary=c\r\n\r\n";
    let nested = |more: &[u8], behind: &[u8]| {
        let inner = [head.as_bytes(), b"--c\r\n\r\nhello\r\n--c--\r\n", more].concat();
        [multipart(MIXED, &[inner, plain("last")]), behind.to_vec()].concat()
    };
    let again = [b"--c\r\n", virus.as_slice()].concat();
    has(&nested(&again, b""), &["content.eicar", "mime.boundary.reopened"]);
    lacks(&nested(&again, b""), "mime.readings");
    // Behind the outer end an inner boundary is one no more; the outer one is.
    check(&nested(b"", b""), &[]);
    has(&nested(b"", &behind), &["content.eicar", "mime.boundary.reopened"]);
    // In a message that is attached, and in one that is written in base64.
    let message = around(b"", &behind);
    let part = [b"Content-Type: message/rfc822\r\n\r\n", message.as_slice()].concat();
    let outer = multipart("Content-Type: multipart/mixed; boundary=outer", &[]);
    let outer = String::from_utf8(outer).unwrap().replace("--b--", "--outer").into_bytes();
    has(&[outer, part, b"\r\n--outer--".to_vec()].concat(), &["content.eicar"]);
    has(&with_file("a.eml", &message), &["content.eicar", "mime.boundary.reopened"]);
    // Closed twice and footers of lists: nothing is hidden there.
    check(&around(b"", b"--b--\r\n"), &[]);
    let footer = b"--bb\r\n_____\r\nThis list: https://list.example/\r\n-- \r\nb\r\n";
    check(&around(b"This is a message of several parts in MIME format.\r\n", footer), &[]);
}

#[test]
fn what_stands_outside_all_parts_is_looked_at() {
    let virus = [attached("setup.exe", &eicar()), b"\r\n".to_vec()].concat();
    let expected = ["content.eicar", "content.name.program", "mime.part.outside"];
    check(&around(b"", &virus), &expected);
    check(&around(&virus, b""), &expected);
    check(&around(b"", &[b"--c\r\n", virus.as_slice(), b"--c--\r\n"].concat()), &expected);
    // One behind the other, and behind an innocent one.
    let text = b"Content-Type: text/plain\r\n\r\nhello\r\n\r\n";
    check(&around(b"", &[text, virus.as_slice()].concat()), &expected);
    // Without a header: in any of its encodings, and behind any word.
    for before in ["", "a\r\n", "ab\r\n", "Hello\r\n", "Hello there\r\n"] {
        let bare = [before.as_bytes(), &base64(&eicar()), b"\r\n"].concat();
        check(&around(&bare, b""), &["content.eicar"]);
        check(&around(b"", &bare), &["content.eicar"]);
    }
    let quoted: String = eicar().iter().map(|byte| format!("={byte:02X}")).collect();
    check(&around(b"", quoted.as_bytes()), &["content.eicar"]);
    let zip = Zip::new().file("a.txt", &eicar()).done();
    check(&around(b"", &attached("a.zip", &zip)), &["content.eicar", "mime.part.outside"]);
    // A header that announces nothing is no part, nor is a multipart whose boundary never comes.
    check(&around(b"Content-Type: text/plain\r\n\r\n", b""), &[]);
    let never = format!("{HEAD}{MIXED}\r\n\r\n");
    let expected = ["content.eicar", "content.name.program", "mime.boundary.unseen"];
    check(&[never.as_bytes(), &virus].concat(), &expected);
    let many = virus.repeat(50);
    has(&around(b"", &many), &["content.eicar", "content.unexamined"]);
}

#[test]
fn a_long_epilogue_costs_little() {
    let lines = [b"--b\r\nContent-Type: a/b\r\n\r\n".repeat(100_000), b"--x\r\n".repeat(500_000)];
    let start = Instant::now();
    let found = ids(&around(b"", &lines.concat()));
    assert!(found.contains(&"mime.boundary.reopened".to_owned()), "{found:?}");
    has(&around(b"", &b"Content-Type: a/b\r\n\r\nx\r\n".repeat(100_000)), &["mime.part.outside"]);
    let marks = b"begin 644 a\r\n=ybegin name=a\r\n(This file must be converted with BinHex\r\n";
    let _ = ids(&around(b"", &marks.repeat(30_000)));
    let _ = ids(&[HEAD.as_bytes(), b"\r\n", &marks.repeat(100_000)].concat());
    assert!(start.elapsed() < Duration::from_secs(10 * factor() as u64), "{:?}", start.elapsed());
}

#[test]
fn what_opens_again_survives_a_fuzzer() {
    let part = [attached("a.txt", b"hello"), b"\r\n".to_vec()].concat();
    let again = [b"--b\r\n", part.as_slice(), b"--b--\r\n", &part].concat();
    let inner =
        [MIXED.as_bytes(), b"c\r\n\r\n--bc\r\n\r\nx\r\n--bc--\r\n--bc\r\n\r\ny\r\n"].concat();
    let nested = multipart(MIXED, &[inner, part.clone()]);
    let outer = around(&part, &again);
    mutated(&[&outer, &nested], 10_000, |octets| {
        examine(octets, &Budget::default());
    });
}
