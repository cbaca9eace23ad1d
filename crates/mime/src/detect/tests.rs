//! Cases of detection, a corpus run, and a seeded mini-fuzzer.

mod evasions;
mod written;

use super::{Budget, Examined, examine};
use crate::tests::{factor, mutated};
use miniz_oxide::deflate::compress_to_vec;
use std::time::{Duration, Instant};

/// The mark, assembled: this file must not be taken for what it tests.
fn eicar() -> Vec<u8> {
    [&b"X5O!P%@AP[4\\PZX54(P^)7CC)7}"[..], b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

fn base64(octets: &[u8]) -> Vec<u8> {
    let text = data_encoding::BASE64.encode(octets);
    text.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..])
}

/// A zip of deflated files; `spoil` changes a local header's name.
struct Zip {
    octets: Vec<u8>,
    central: Vec<u8>,
    files: u16,
}

impl Zip {
    fn new() -> Self {
        Self { octets: Vec::new(), central: Vec::new(), files: 0 }
    }

    fn file(self, name: &str, contents: &[u8]) -> Self {
        self.entry(name, name, contents, 0)
    }

    fn entry(mut self, name: &str, local_name: &str, contents: &[u8], flags: u16) -> Self {
        let packed = compress_to_vec(contents, 6);
        let at = self.octets.len() as u32;
        let mut both = flags.to_le_bytes().to_vec();
        both.extend_from_slice(&8u16.to_le_bytes());
        both.extend_from_slice(&[0; 8]);
        both.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        both.extend_from_slice(&(contents.len() as u32).to_le_bytes());
        let name_bytes = |name: &str| (name.len() as u16).to_le_bytes();
        self.octets.extend_from_slice(b"PK\x03\x04\x14\0");
        self.octets.extend_from_slice(&both);
        self.octets.extend_from_slice(&name_bytes(local_name));
        self.octets.extend_from_slice(&[0, 0]);
        self.octets.extend_from_slice(local_name.as_bytes());
        self.octets.extend_from_slice(&packed);
        self.central.extend_from_slice(b"PK\x01\x02\x14\0\x14\0");
        self.central.extend_from_slice(&both);
        self.central.extend_from_slice(&name_bytes(name));
        self.central.extend_from_slice(&[0; 12]);
        self.central.extend_from_slice(&at.to_le_bytes());
        self.central.extend_from_slice(name.as_bytes());
        self.files += 1;
        self
    }

    /// The contents of a file that is packed already.
    fn copied(mut self, one: &Self, name: &str) -> Self {
        let at = self.octets.len() as u32;
        let head = |octets: &[u8], length_at: usize| {
            let mut head = octets[..length_at].to_vec();
            head.extend_from_slice(&(name.len() as u16).to_le_bytes());
            head
        };
        self.octets.extend_from_slice(&head(&one.octets, 26));
        self.octets.extend_from_slice(&[0, 0]);
        self.octets.extend_from_slice(name.as_bytes());
        self.octets.extend_from_slice(&one.octets[30 + "f.txt".len()..]);
        self.central.extend_from_slice(&head(&one.central, 28));
        self.central.extend_from_slice(&[0; 12]);
        self.central.extend_from_slice(&at.to_le_bytes());
        self.central.extend_from_slice(name.as_bytes());
        self.files += 1;
        self
    }

    /// Names a file in the directory again: two entries, one place.
    fn doubled(mut self) -> Self {
        self.central = self.central.repeat(2);
        self
    }

    /// Octets before the archive that its places count.
    fn padded(mut self, octets: usize) -> Self {
        self.octets.resize(octets, 0);
        self
    }

    fn forgotten(mut self) -> Self {
        self.central.clear();
        self.files = 0;
        self
    }

    fn done(self) -> Vec<u8> {
        let mut octets = self.octets;
        let start = octets.len() as u32;
        octets.extend_from_slice(&self.central);
        octets.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        octets.extend_from_slice(&self.files.to_le_bytes());
        octets.extend_from_slice(&self.files.to_le_bytes());
        octets.extend_from_slice(&(self.central.len() as u32).to_le_bytes());
        octets.extend_from_slice(&start.to_le_bytes());
        octets.extend_from_slice(&[0, 0]);
        octets
    }
}

const HEAD: &str = "From: Ann <ann@sender.example>\r\nTo: bo@receiver.example\r\nSubject: x\r\n";

fn with_file(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "{HEAD}Content-Type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    message.extend_from_slice(&base64(contents));
    message.extend_from_slice(b"\r\n");
    message
}

fn with_page(page: &str) -> Vec<u8> {
    format!("{HEAD}Content-Type: text/html; charset=utf-8\r\n\r\n{page}\r\n").into_bytes()
}

fn from(from: &str) -> Vec<u8> {
    format!("From: {from}\r\nTo: bo@receiver-house.example\r\nSubject: x\r\n\r\nx\r\n").into_bytes()
}

fn ids(message: &[u8]) -> Vec<String> {
    let Examined { findings, .. } = examine(message, &Budget::default());
    let mut ids: Vec<String> = findings.into_iter().map(|finding| finding.id).collect();
    ids.sort();
    ids.dedup();
    ids
}

#[track_caller]
fn check(message: &[u8], expected: &[&str]) {
    assert_eq!(
        ids(message),
        expected,
        "{}",
        String::from_utf8_lossy(&message[..message.len().min(600)])
    );
}

#[test]
fn ordinary_mail_has_no_findings() {
    check(format!("{HEAD}\r\nhello\r\n").as_bytes(), &[]);
    check(
        &with_page("<p>Hello <a href=\"https://www.example.org/x\">www.example.org</a></p>"),
        &[],
    );
    check(&with_file("photo.png", b"\x89PNG\r\n\x1A\n0000"), &[]);
    check(&with_file("report.pdf", b"%PDF-1.7\n1 0 obj << /Type /Catalog >>"), &[]);
    check(&with_file("a.zip", &Zip::new().file("a.txt", b"hello").done()), &[]);
    check(&from("Amazon.co.jp <auto@amazon.co.jp>"), &[]);
    check(&from("カテゴリ一覧 <a@b.example>"), &[]);
}

#[test]
fn the_test_virus_is_found_wherever_it_hides() {
    let eicar = eicar();
    let inner = Zip::new().file("x/eicar.com.txt", &eicar).done();
    let nested = Zip::new().file("b.zip", &inner).done();
    let found = |message: &[u8]| {
        let text = String::from_utf8_lossy(message);
        assert!(ids(message).contains(&"content.eicar".to_owned()), "{text}");
    };
    found(&[HEAD.as_bytes(), b"\r\n", &eicar].concat());
    found(&with_file("a", &eicar));
    found(&with_file("a.zip", &inner));
    found(&with_file("a.zip", &nested));
    let quoted: String = eicar.iter().map(|byte| format!("={byte:02X}")).collect();
    found(
        format!("{HEAD}Content-Transfer-Encoding: quoted-printable\r\n\r\n{quoted}\r\n").as_bytes(),
    );
    let mut gzip = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF".to_vec();
    gzip.extend_from_slice(&compress_to_vec(&eicar, 6));
    found(&with_file("a.gz", &gzip));
    let mut tar = vec![0u8; 512];
    tar[..5].copy_from_slice(b"a.com");
    tar[124..135].copy_from_slice(b"00000000104");
    tar[156] = b'0';
    tar[257..262].copy_from_slice(b"ustar");
    tar.extend_from_slice(&eicar);
    tar.resize(2048, 0);
    found(&with_file("a.tar", &tar));
    found(
        &[HEAD.as_bytes(), b"\r\nbegin 644 a.com\r\n", &uuencode(&eicar), b"`\r\nend\r\n"].concat(),
    );
    let conflict = format!(
        "{HEAD}Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    found(&[conflict.as_bytes(), &base64(&eicar)].concat());
    let hidden = Zip::new().file("a.txt", &eicar).forgotten().file("b.txt", b"b").done();
    found(&with_file("a.zip", &hidden));
    let inside = [b"Subject: y\r\n\r\n", &eicar[..]].concat();
    let message =
        format!("{HEAD}Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    found(&[message.as_bytes(), &base64(&inside)].concat());
}

fn uuencode(octets: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for chunk in octets.chunks(45) {
        lines.push(chunk.len() as u8 + 0x20);
        for three in chunk.chunks(3) {
            let get = |place: usize| three.get(place).copied().unwrap_or(0);
            let (a, b, c) = (get(0), get(1), get(2));
            for value in [a >> 2, (a << 4 | b >> 4) & 63, (b << 2 | c >> 6) & 63, c & 63] {
                lines.push(if value == 0 { b'`' } else { value + 0x20 });
            }
        }
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

#[test]
fn messages_and_pages_in_archives_are_opened() {
    let inside = [HEAD.as_bytes(), b"Content-Transfer-Encoding: base64\r\n\r\n"].concat();
    let inside = [inside, base64(&eicar())].concat();
    let zip = Zip::new().file("a.eml", &inside).done();
    check(&with_file("a.zip", &zip), &["content.eicar"]);
    let zip = Zip::new().file("a.html", b"<form><input type='password'></form>").done();
    let expected = ["content.page.attached", "content.page.password"];
    check(&with_file("a.zip", &zip), &expected);
}

#[test]
fn what_is_read_for_nothing_is_paid() {
    // Thousands of entries that share one long run of empty deflate blocks.
    let empty = b"\0\0\0\xFF\xFF".repeat(400_000);
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    zip.extend_from_slice(&(empty.len() as u32).to_le_bytes());
    zip.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0, b'a']);
    zip.extend_from_slice(&empty);
    let start = zip.len() as u32;
    let mut entry = b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    entry.extend_from_slice(&(empty.len() as u32).to_le_bytes());
    entry.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    entry.push(b'a');
    let central = entry.repeat(2_000);
    zip.extend_from_slice(&central);
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0\0\0\0\0");
    zip.extend_from_slice(&(central.len() as u32).to_le_bytes());
    zip.extend_from_slice(&start.to_le_bytes());
    zip.extend_from_slice(&[0, 0]);
    let start = Instant::now();
    let ids = ids(&with_file("a.zip", &zip));
    assert!(ids.contains(&"content.bomb.overlap".to_owned()), "{ids:?}");
    assert!(ids.contains(&"content.unexamined".to_owned()), "{ids:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn names_and_types_that_deceive() {
    check(&with_file("invoice.pdf.exe", b"x"), &["content.name.double", "content.name.program"]);
    check(&with_file("a.js", b"x"), &["content.name.script"]);
    check(&with_file("a.lnk ", b"x"), &["content.name.carrier"]);
    check(&with_file("a.xlsm", b"x"), &["content.name.macro"]);
    check(
        &with_file("a\u{202E}fdp.exe", b"x"),
        &["content.name.direction", "content.name.program"],
    );
    check(&with_file("a.pdf", b"MZ\x90\0\x03\0"), &["content.type.lies", "content.type.program"]);
    check(&with_file("a.pdf", &Zip::new().file("a", b"a").done()), &["content.type.lies"]);
    check(&with_file("a.doc", b"{\\rtf1 \\objdata 00}"), &["content.office.package"]);
    let mut iso = vec![0u8; 0x8001];
    iso.extend_from_slice(b"CD001");
    check(&with_file("a.bin", &iso), &["content.type.carrier"]);
    let inside = Zip::new().file("請求書.pdf.vbs", b"x").done();
    check(&with_file("a.zip", &inside), &["content.name.double", "content.name.script"]);
}

#[test]
fn archives_are_read_as_two_readers_would() {
    let zip = |zip: Zip| with_file("a.zip", &zip.done());
    check(&zip(Zip::new().entry("a.txt", "a.txt", b"x", 1)), &["content.archive.encrypted"]);
    check(&zip(Zip::new().entry("a.txt", "b.txt", b"x", 0)), &["content.zip.differs"]);
    check(&zip(Zip::new().file("a.txt", b"x").doubled()), &["content.bomb.overlap"]);
    check(
        &zip(Zip::new().file("a.txt", b"x").forgotten().file("b.txt", b"b")),
        &["content.zip.hidden"],
    );
    let zeros = vec![0u8; 60 * 1024 * 1024];
    check(&zip(Zip::new().file("a", &zeros)), &["content.bomb.size"]);
    let mut nest = Zip::new().file("a.txt", b"x").done();
    for _ in 0..6 {
        nest = Zip::new().file("n.zip", &nest).done();
    }
    check(&with_file("a.zip", &nest), &["content.bomb.depth"]);
    check(&with_file("a.rar", &rar5(false)), &["content.archive.opaque", "content.name.program"]);
    check(&with_file("a.rar", &rar5(true)), &["content.archive.encrypted"]);
    let mut seven = b"7z\xBC\xAF\x27\x1C\0\x04".to_vec();
    seven.extend_from_slice(&[0; 12]);
    seven.extend_from_slice(&[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    seven.extend_from_slice(b"\x17\x06\xF1\x07\x01aaa");
    check(&with_file("a.7z", &seven), &["content.archive.encrypted"]);
}

/// Files of little, or of nothing, are the cheapest screen to hide one behind.
#[test]
fn an_archive_of_many_files_hides_none() {
    let zip = |count: usize, name: &str, contents: &[u8]| {
        let small = Zip::new().file("f.txt", b"x");
        let mut many = Zip::new();
        for number in 0..count {
            many = many.copied(&small, &format!("f{number}.txt"));
        }
        with_file("a.zip", &many.file(name, contents).done())
    };
    check(&zip(5_000, "last.txt", b"x"), &[]);
    check(&zip(5_000, "last.txt", &eicar()), &["content.eicar"]);
    check(&zip(25_000, "last.txt", b"x"), &["content.bomb.entries"]);
    check(&zip(60_000, "last.exe", b"x"), &["content.bomb.entries", "content.name.program"]);
}

fn rar5(locked: bool) -> Vec<u8> {
    let mut rar = b"Rar!\x1A\x07\x01\x00".to_vec();
    if locked {
        rar.extend_from_slice(&[0, 0, 0, 0, 3, 4, 0, 0]);
    }
    let name = b"setup.exe";
    let head = [2u8, 0, 0, 1, 0, 0, 0, name.len() as u8];
    rar.extend_from_slice(&[0, 0, 0, 0, (head.len() + name.len()) as u8]);
    rar.extend_from_slice(&head);
    rar.extend_from_slice(name);
    rar
}

#[test]
fn documents_that_act() {
    let docm = Zip::new().file("[Content_Types].xml", b"<x/>").file("word/vbaProject.bin", b"x");
    check(&with_file("a.docx", &docm.done()), &["content.office.macro"]);
    let remote = b"<Relationship Id=\"1\" Type=\"http://x/attachedTemplate\" \
        Target=\"https://x/\" TargetMode=\"External\"/>";
    let docx = Zip::new().file("[Content_Types].xml", b"<x/>").file("word/_rels/s.rels", remote);
    check(&with_file("a.docx", &docx.done()), &["content.office.remote"]);
    let mut ole = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
    ole.extend("_VBA_PROJECT".encode_utf16().flat_map(u16::to_le_bytes));
    check(&with_file("a.xls", &ole), &["content.office.macro"]);
    let pdf = |body: &str| with_file("a.pdf", format!("%PDF-1.4\n{body}").as_bytes());
    check(&pdf("/OpenAction << /S /JavaScript >>"), &["content.pdf.opens"]);
    check(&pdf("/S /J#61vaScript"), &["content.pdf.script"]);
    check(&pdf("/Launch"), &["content.pdf.launch"]);
    check(&pdf("/OpenAction [1 0 R /Fit] /JSON"), &[]);
    let stream = miniz_oxide::deflate::compress_to_vec_zlib(b"<< /S /Launch >>", 6);
    let packed =
        [b"%PDF-1.5\n<< /Type /ObjStm >>\nstream\r\n", stream.as_slice(), b"\nendstream"].concat();
    check(&with_file("a.pdf", &packed), &["content.pdf.launch"]);
}

#[test]
fn pages_that_deceive() {
    let page = |page: &str, expected: &[&str]| check(&with_page(page), expected);
    page(
        "<a href='http://evil.example/'>https://www.bank.example.com</a>",
        &["content.link.elsewhere"],
    );
    page("<a href='https://click.bank.com/x'>www.bank.com</a>", &[]);
    page(
        "<a href='https://bank.example.login.test/'>https://www.bank.example/</a>",
        &["content.link.elsewhere", "content.lookalike.worn"],
    );
    page("<a href='https://bank.com@evil.example/'>x</a>", &["content.link.user"]);
    page("<a href='http://192.0.2.1/'>x</a>", &["content.link.number"]);
    page("<a href='java\nscript:alert(1)'>x</a>", &["content.page.script-link"]);
    page("<a href='data:text/html,x'>x</a>", &["content.page.data-link"]);
    page("<form><input type=password></form>", &["content.page.password"]);
    page("<meta http-equiv=refresh content='0; url=http://x.example/'>", &["content.page.refresh"]);
    page("<script>var a = '<a href=x>';</script>", &["content.page.script"]);
    page("<!-- <form> --><p>1 < 2</p>", &[]);
    page(
        "<a href='https://xn--mazon-3ve.com/'>x</a>",
        &["content.lookalike.domain", "content.lookalike.scripts"],
    );
    page("<a href='https://www.amazon.co.jp.login.example/'>x</a>", &["content.lookalike.worn"]);
    let attached = format!(
        "{HEAD}Content-Type: text/html; name=a.html\r\n\r\n<script>var b = new Blob([atob('x')]);\
         a.download='x.zip'; a.click()</script>"
    );
    check(
        attached.as_bytes(),
        &["content.page.attached", "content.page.script", "content.page.smuggling"],
    );
}

#[test]
fn senders_that_pretend() {
    let sender = |text: &str, expected: &[&str]| check(&from(text), expected);
    sender("\"ceo@receiver.example\" <x@evil.example>", &["content.sender.display"]);
    sender("Amazon <x@evil.example>", &["content.sender.house"]);
    sender("Amazonas <x@evil.example>", &[]);
    sender("楽天カード <x@evil.example>", &["content.sender.house"]);
    sender("Ann <ann@rnicrosoft.com>", &["content.lookalike.domain"]);
    sender("Ann <ann@receiver-h0use.example>", &["content.lookalike.domain"]);
    sender("Ann <ann@receiver-houes.example>", &["content.lookalike.domain"]);
    sender("Ann <ann@receiver-house.example>", &[]);
    sender("ア力ウント <x@y.example>", &["content.lookalike.kana"]);
    sender("Pаypal <x@y.example>", &["content.text.scripts"]);
    check(b"Subject: x\r\n\r\nx", &["content.sender.absent"]);
    sender("nobody", &["content.sender.malformed"]);
    sender("Foo, Inc. <a@b.example>", &[]);
    sender("Amazon, _<a@b.example>", &["content.sender.house"]);
    sender("", &["content.sender.malformed"]);
    sender("tanaka@sender.example:;", &["content.sender.display", "content.sender.malformed"]);
    sender("undisclosed:;", &["content.sender.malformed"]);
    sender("a@one.example, b@one.example", &[]);
    sender("a@one.example, b@other.example", &["content.sender.several"]);
    check(b"From : a@b.example\r\n\r\nx", &["mime.header.spaced"]);
    check(
        b"From: a@b.example\r\nFrom: c@d.example\r\nReply-To: x@y.example\r\n\r\nx",
        &["content.sender.reply", "content.sender.twice", "mime.header.duplicate"],
    );
}

#[test]
fn charsets_are_noted() {
    let text = format!("{HEAD}Content-Type: text/plain; charset=utf-7\r\n\r\n+ZeU-");
    check(text.as_bytes(), &["mime.charset.utf7"]);
    let text = format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n\x1b$BF|K\\\x1b(B");
    check(text.as_bytes(), &["mime.charset.lying"]);
}

#[test]
fn fuzzed_messages_never_break_the_examination() {
    let zip = Zip::new().file("a.txt", b"hello").entry("b", "b", b"x", 1).done();
    let nested =
        with_file("a.zip", &Zip::new().file("b.zip", &zip).file("c.pdf", b"%PDF-/#4a").done());
    let rar = [HEAD.as_bytes(), b"\r\n", &rar5(false)].concat();
    let raw_zip = [HEAD.as_bytes(), b"Content-Type: application/zip\r\n\r\n", &zip].concat();
    let page =
        with_page("<a href='https://xn--mazon-3ve.com/x'>www.a.com</a><form><input type=password>");
    let seeds: &[&[u8]] = &[&nested, &rar, &raw_zip, &page];
    let start = Instant::now();
    mutated(seeds, 20_000, |octets| {
        let examined = examine(octets, &Budget::default());
        assert!(examined.findings.len() <= 100);
    });
    assert!(start.elapsed() < Duration::from_secs(60 * factor() as u64), "{:?}", start.elapsed());
}

#[test]
fn every_finding_has_an_id_of_its_own() {
    let mut ids: Vec<&str> = crate::FINDINGS.iter().map(|seen| seen.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(super::KINDS.len() >= 50);
}
