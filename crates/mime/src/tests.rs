//! Cases and seeded mini-fuzzers for the whole crate.

use crate::{
    ContentType, Encoding, Entry, addresses, content_type, decode_charset, decode_transfer,
    decode_words, epoch_seconds, field_values, parse, section, summarise,
};
use std::time::{Duration, Instant};

const NESTED: &[u8] = b"From: a@b.example\r\nSubject: outer\r\n\
Content-Type: multipart/mixed; boundary=\"abc\"\r\n\r\n\
pre\r\n--abc\r\nContent-Type: text/plain\r\n\r\none\r\n--abc\r\nContent-Type: message/rfc822\r\n\
\r\n\
Subject: inner\r\nContent-Type: multipart/alternative; boundary=abcd\r\n\r\n--abcd\r\n\r\nplain\r\n\
--abcd\r\nContent-Type: text/html\r\n\r\n<b>rich</b>\r\n--abcd--\r\nepi\r\n--abc\r\n\
Content-Type: message/rfc822\r\n\r\nSubject: second\r\n\r\nflat\r\n--abc--\r\nend\r\n";

fn check_section(spec: &str, expected: Option<&str>) {
    let (message, _) = parse(NESTED);
    let found = section(&message, spec);
    let found = found.as_deref().map(|octets| String::from_utf8_lossy(octets).into_owned());
    assert_eq!(found.as_deref(), expected, "section {spec}");
}

#[test]
fn sections_are_exact_slices() {
    check_section("", Some(std::str::from_utf8(NESTED).unwrap()));
    check_section("1", Some("one"));
    check_section("1.MIME", Some("Content-Type: text/plain\r\n\r\n"));
    check_section("1.HEADER", None);
    check_section("2.HEADER.FIELDS (subject)", Some("Subject: inner\r\n\r\n"));
    check_section("2.1", Some("plain"));
    check_section("2.1.MIME", Some("\r\n"));
    check_section("2.2", Some("<b>rich</b>"));
    check_section("2.2.MIME", Some("Content-Type: text/html\r\n\r\n"));
    check_section("2.3", None);
    check_section("3.HEADER", Some("Subject: second\r\n\r\n"));
    check_section("3.TEXT", Some("flat"));
    check_section("3.1", Some("flat"));
    check_section("3.1.MIME", Some("Subject: second\r\n\r\n"));
    check_section("4", None);
    check_section("MIME", None);
    check_section("0", None);
    check_section("1.1", None);
    check_section("HEADER.FIELDS (SUBJECT X)", Some("Subject: outer\r\n\r\n"));
    check_section(
        "HEADER.FIELDS.NOT (\"Subject\" Content-Type)",
        Some("From: a@b.example\r\n\r\n"),
    );
    check_section("NONSENSE", None);
    let (message, findings) = parse(NESTED);
    assert!(findings.iter().any(|found| found.id == "mime.boundary.prefix"));
    assert_eq!(message.parts().len(), 8);
}

fn check_findings(source: &[u8], expected: &[&str]) {
    let (_, findings) = parse(source);
    let mut found: Vec<&str> = findings.iter().map(|found| found.id.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(source));
}

#[test]
fn abuses_of_structure_are_findings() {
    check_findings(b"Subject: x\r\n\r\nbody", &[]);
    check_findings(b"", &[]);
    check_findings(b"Content-Type: multipart/mixed\n\nx", &["mime.boundary.absent"]);
    check_findings(b"Content-Type: multipart/mixed; boundary=\"\"\n\nx", &["mime.boundary.empty"]);
    check_findings(
        b"Content-Type: multipart/mixed; boundary=a\n\nx\n--a\n\ny",
        &["mime.boundary.unclosed"],
    );
    check_findings(b"Content-Type: multipart/mixed; boundary=a\n\nx", &["mime.boundary.unseen"]);
    check_findings(
        b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\n--a--",
        &["mime.parameter.duplicate"],
    );
    check_findings(
        b"Content-Type: text/plain\nContent-Type: text/html\n\nx",
        &["mime.type.conflict"],
    );
    check_findings(
        b"Content-Type: text/plain\nContent-Type: text/plain\n\nx",
        &["mime.type.duplicate"],
    );
    check_findings(
        b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nx",
        &["mime.encoding.conflict"],
    );
    check_findings(b"Content-Transfer-Encoding: rot13\n\nx", &["mime.encoding.unknown"]);
    check_findings(b"nonsense\nSubject: x\n\nx", &["mime.header.malformed"]);
    check_findings(
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nSubject: x\n--a--\n",
        &["mime.header.unended"],
    );
    check_findings(
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\n--ax\n--a--\n",
        &["mime.boundary.near"],
    );
}

#[test]
fn limits_hold_and_time_is_linear() {
    let start = Instant::now();
    let mut deep = Vec::new();
    for _ in 0..500 {
        deep.extend_from_slice(b"Content-Type: message/rfc822\n\n");
    }
    check_findings(&deep, &["mime.depth.great"]);
    let mut wide = b"Content-Type: multipart/mixed; boundary=a\n\n".to_vec();
    for _ in 0..200_000 {
        wide.extend_from_slice(b"--a\n\nx\n");
    }
    check_findings(&wide, &["mime.boundary.unclosed", "mime.parts.many"]);
    assert_eq!(parse(&wide).0.parts().len(), crate::PARTS);
    let many = b"A: b\n".repeat(500_000);
    check_findings(&many, &["mime.header.many"]);
    let long = [b"A: ".to_vec(), b"x".repeat(1 << 20), b"\n\n".to_vec()].concat();
    check_findings(&long, &["mime.header.long"]);
    let words = b"=?a?q?".repeat(100_000);
    decode_words(&words);
    let stars = b"; a*0=".repeat(100_000);
    content_type(&stars);
    addresses(&b"(".repeat(1_000_000));
    summarise(&b"Content-Type: text/html\n\n<!-- <a b='c <".repeat(10_000));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

fn check_type(value: &str, essence: &str, name: &str, parameter: Option<&str>) {
    let found: ContentType = content_type(value.as_bytes());
    assert_eq!(found.essence(), essence, "{value}");
    assert_eq!(found.parameter(name).as_deref(), parameter, "{value}");
}

#[test]
fn types_and_parameters() {
    check_type("text/HTML; Charset=\"utf-8\"", "text/html", "charset", Some("utf-8"));
    check_type(
        "text / plain (a (b) c) ; (x) charset = us-ascii (y)",
        "text/plain",
        "charset",
        Some("us-ascii"),
    );
    check_type("", "text/plain", "charset", None);
    check_type("text", "text/plain", "charset", None);
    check_type("what", "application/octet-stream", "charset", None);
    check_type("/", "text/plain", "charset", None);
    check_type("a/b; name=two words.pdf; x=y", "a/b", "name", Some("two words.pdf"));
    check_type("a/b; name=\"a\\\"b\"", "a/b", "name", Some("a\"b"));
    check_type(
        "a/b; name=\"=?ISO-2022-JP?B?GyRCRnxLXBsoQi50eHQ=?=\"",
        "a/b",
        "name",
        Some("日本.txt"),
    );
    check_type("a/b; name*=utf-8'ja'%E6%97%A5.txt", "a/b", "name", Some("日.txt"));
    check_type(
        "a/b; name*0*=utf-8''%E6; name*1*=%97%A5; name*2=.txt",
        "a/b",
        "name",
        Some("日.txt"),
    );
    check_type("a/b; name*1=b; name*0=a", "a/b", "name", Some("ab"));
    check_type("a/b; name*0=a; name*2=c", "a/b", "name", Some("a"));
    check_type("a/b; name*=shift_jis''%93%FA%96%7B", "a/b", "name", Some("日本"));
    check_type("a/b; name=\"unended", "a/b", "name", Some("unended"));
}

fn check_words(value: &[u8], expected: &str) {
    assert_eq!(decode_words(value), expected, "{}", String::from_utf8_lossy(value));
}

#[test]
fn encoded_words() {
    check_words(b"plain", "plain");
    check_words(b"=?UTF-8?B?5pel5pys?=", "日本");
    check_words(b"=?utf-8?q?caf=C3=A9_x?= y", "café x y");
    check_words(b"a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d");
    // One character split between two words.
    check_words(b"=?UTF-8?B?5pel5g==?= =?UTF-8?B?nKw=?=", "日本");
    check_words(b"=?UTF-8?Q?=E6=97?=\r\n =?UTF-8?Q?=A5?=", "日");
    check_words(b"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本");
    check_words(b"=?ISO-2022-JP?B?GyRCRnw=?= =?ISO-2022-JP?B?S1wbKEI=?=", "日本");
    check_words(b"=??B?GyRCRnxLXBsoQg==?=", "日本");
    check_words(b"=?utf-8*ja?B?5pel?=", "日");
    check_words(b"=?utf-8?B?GyRCRnxLXBsoQg==?=", "日本");
    check_words(b"\x1b$BF|K\\\x1b(B", "日本");
    check_words("日本".as_bytes(), "日本");
    check_words(b"=?utf-8?x?abc?=", "=?utf-8?x?abc?=");
    check_words(b"=?utf-8?q?abc", "=?utf-8?q?abc");
    check_words(b"=?", "=?");
    check_words(b"=?utf-8?q?a b?=", "a b");
    check_words(b"a\0b\x07", "ab");
}

fn check_charset(label: Option<&str>, octets: &[u8], expected: &str, lying: bool) {
    let found = decode_charset(label, octets);
    assert_eq!((found.text.as_str(), found.lying), (expected, lying), "{label:?} {octets:02x?}");
}

#[test]
fn japanese_charsets_of_every_kind() {
    let jis = b"\x1b$BF|K\\\x1b(B";
    for label in ["iso-2022-jp", "ISO-2022-JP-MS", "cp50220", "CP50221", "cp50222", "x-iso2022jp"] {
        check_charset(Some(label), jis, "日本", false);
    }
    check_charset(None, jis, "日本", false);
    check_charset(Some("utf-8"), jis, "日本", true);
    check_charset(Some("us-ascii"), jis, "日本", true);
    check_charset(Some("iso-2022-jp"), b"\x1b(I164E\x1b(B", "ｱｶｴﾅ", false);
    check_charset(Some("iso-2022-jp"), b"\x0e1\x0fA\x1b(I2\x1b(B", "ｱAｲ", false);
    check_charset(Some("iso-2022-jp"), b"\x1b$B-!\x1b(B", "①", false);
    check_charset(Some("iso-2022-jp"), b"\x1b$B$\"\nab", "あ\nab", false);
    check_charset(Some("iso-2022-jp"), b"\x1b$(D0!\x1b(B", "丂", false);
    let sjis = b"\x93\xfa\x96\x7b\x82\xcc\x83\x65";
    for label in ["shift_jis", "Shift-JIS", "x-sjis", "MS_Kanji", "cp932", "Windows-31J"] {
        check_charset(Some(label), sjis, "日本のテ", false);
    }
    check_charset(Some("cp932"), b"\x87\x40\xfa\xb1", "①﨑", false);
    check_charset(None, sjis, "日本のテ", false);
    check_charset(Some("utf-8"), sjis, "日本のテ", true);
    check_charset(Some("iso-2022-jp"), sjis, "日本のテ", true);
    let euc = b"\xc6\xfc\xcb\xdc\xa4\xce\xa5\xc6";
    for label in ["euc-jp", "eucJP-ms", "cp51932", "x-euc-jp"] {
        check_charset(Some(label), euc, "日本のテ", false);
    }
    check_charset(None, euc, "日本のテ", false);
    check_charset(Some("shift_jis"), "日本のテスト".as_bytes(), "日本のテスト", true);
    check_charset(Some("iso-2022-jp"), "日本の".as_bytes(), "日本の", true);
    check_charset(None, "日本".as_bytes(), "日本", false);
    check_charset(None, b"caf\xe9 au lait", "café au lait", false);
    check_charset(Some("iso-8859-1"), b"caf\xe9", "café", false);
    check_charset(Some("utf-8"), b"\xef\xbb\xbfab\xc3\xa9", "abé", false);
    check_charset(Some("utf-7"), b"a+ZeVnLIqe-b", "a日本語b", false);
    check_charset(Some("x-what"), b"abc", "abc", false);
    check_charset(Some("ks_c_5601-1987"), b"\xb0\xa1", "가", false);
}

/// Programs write Latin-1 above anything; what is Latin must stay so.
#[test]
fn latin_1_above_japanese_is_found_out() {
    for text in [
        "試験",
        "資料",
        "試験のお知らせ",
        "会議の件",
        "テスト",
        "明日の会議は中止です。試験の結果をお送りします。",
        "ｶﾅと漢字のまじった文です",
        "御見積書の件 (No. 12)",
    ] {
        let (octets, _, _) = encoding_rs::SHIFT_JIS.encode(text);
        check_charset(Some("iso-8859-1"), &octets, text, true);
        check_charset(Some("windows-1252"), &octets, text, true);
    }
    for text in [
        "café",
        "l’été d’été",
        "L’État d’Été",
        "L’Éclat d’Éole",
        "It’s Tom’s – don’t",
        "“Hello” … ‘x’",
        "„Ärger“ und „Öl“",
        "Grüße aus München",
        "Žižek Šašek",
        "Œuvre cœur",
        "naïve façade",
        "Ünïcödé ÀÁÂÃÄÅÆÇÈÉÊË",
        "señor ¿qué? ¡sí!",
        "Preis: 20 € – 30 €",
        "smörgåsbord Åäö",
        "À bientôt, l’œuvre d’Émile",
        "ƒ‚„…†‡ˆ‰Š‹ŒŽ",
        "‚Ärger‘ ‚Ähre‘",
        "não há informações",
    ] {
        let (octets, _, unfit) = encoding_rs::WINDOWS_1252.encode(text);
        assert!(!unfit, "{text}");
        check_charset(Some("iso-8859-1"), &octets, text, false);
    }
    check_charset(Some("iso-8859-1"), "試験のお知らせ".as_bytes(), "試験のお知らせ", true);
}

#[test]
fn every_jis_x_0208_character_survives_its_three_forms() {
    let mut tried = 0;
    for row in 0x21..=0x7Eu8 {
        for cell in 0x21..=0x7Eu8 {
            let euc = [row | 0x80, cell | 0x80];
            let (text, wrong) = encoding_rs::EUC_JP.decode_without_bom_handling(&euc);
            if wrong {
                continue;
            }
            let jis = [0x1B, b'$', b'B', row, cell, 0x1B, b'(', b'B'];
            assert_eq!(decode_charset(Some("iso-2022-jp"), &jis).text, text);
            assert_eq!(decode_charset(None, &jis).text, text);
            assert_eq!(decode_charset(Some("euc-jp"), &euc).text, text);
            let pad = if row % 2 == 1 { if cell < 0x60 { 0x1F } else { 0x20 } } else { 0x7E };
            let lead = if row < 0x5F { row.div_ceil(2) + 0x70 } else { row.div_ceil(2) + 0xB0 };
            assert_eq!(decode_charset(Some("shift_jis"), &[lead, cell + pad]).text, text);
            tried += 1;
        }
    }
    assert!(tried > 6_879, "{tried}");
}

fn check_addresses(value: &str, expected: &[&str]) {
    let shown: Vec<String> = addresses(value.as_bytes())
        .into_iter()
        .map(|entry| match entry {
            Entry::Mailbox(address) => format!("{}|{}", address.display(), address.address()),
            Entry::GroupStart(name) => format!("{}:", String::from_utf8_lossy(&name)),
            Entry::GroupEnd => ";".to_owned(),
        })
        .collect();
    assert_eq!(shown, expected, "{value}");
}

#[test]
fn address_lists() {
    check_addresses("a@b.example", &["|a@b.example"]);
    check_addresses("Ann <a@B.example>, b@c", &["Ann|a@b.example", "|b@c"]);
    check_addresses("\"Ann, the (first)\" <a@b>", &["Ann, the (first)|a@b"]);
    check_addresses("a@b (Ann (the) First)", &["Ann (the) First|a@b"]);
    check_addresses("F <u (c) @ (d (e)) b.example (f)>", &["F|u@b.example"]);
    check_addresses("F <u(c@b>, g@h", &["F|u(c@b", "|g@h"]);
    check_addresses("F <u((c)@b>, g@h", &["F|u(@b", "|g@h"]);
    check_addresses("F <u(\\)@b>, g@h", &["F|u(\\)@b", "|g@h"]);
    check_addresses("G: a@b, C <c@d>; e@f", &["G:", "|a@b", "C|c@d", ";", "|e@f"]);
    check_addresses("undisclosed-recipients:;", &["undisclosed-recipients:", ";"]);
    check_addresses("<@x,@y:a@b>", &["|a@b"]);
    check_addresses("=?utf-8?B?5pel5pys?= <a@b>", &["日本|a@b"]);
    check_addresses("\"=?utf-8?B?5pel5pys?=\" <a@b>", &["日本|a@b"]);
    check_addresses("\u{1b}$B\"<F|\u{1b}(B <a@b>", &[jis_name().as_str()]);
    check_addresses("\"a b\"@c.example", &["|a b@c.example"]);
    check_addresses("a @ b . example", &["|a@b.example"]);
    check_addresses("", &[]);
    check_addresses(",,;", &[]);
    check_addresses("nobody", &["|nobody"]);
    check_addresses("\"unended <a@b>", &["|unended <a@b>"]);
}

fn jis_name() -> String {
    format!("{}|a@b", decode_words(b"\x1b$B\"<F|\x1b(B"))
}

fn check_date(value: &str, expected: Option<i64>) {
    assert_eq!(epoch_seconds(value.as_bytes()), expected, "{value}");
}

#[test]
fn dates() {
    check_date("Thu, 01 Jan 1970 00:00:00 +0000", Some(0));
    check_date("Sun, 22 Nov 2026 12:34:56 +0900", Some(1_795_318_496));
    check_date("22 Nov 26 03:34:56 GMT", Some(1_795_318_496));
    check_date("Sun, 22 Nov 2026 12:34:56 +0900 (JST)", Some(1_795_318_496));
    check_date("Sun,22 Nov 2026 12:34:56 JST", Some(1_795_318_496));
    check_date("22-Nov-2026 03:34:56", Some(1_795_318_496));
    check_date("Sun Nov 22 03:34:56 2026", Some(1_795_318_496));
    check_date("29 Feb 2000 00:00 -0000", Some(951_782_400));
    check_date("1 Jan 98 00:00:00 +0000", Some(883_612_800));
    check_date("nonsense", None);
    check_date("99 Xxx 2026", None);
    check_date("", None);
}

fn check_transfer(encoding: Encoding, source: &[u8], expected: &[u8]) {
    let found = decode_transfer(encoding, source);
    assert_eq!(found.as_ref(), expected, "{}", String::from_utf8_lossy(source));
}

#[test]
fn transfer_encodings_with_rubbish() {
    check_transfer(Encoding::Base64, b"aGVsbG8=", b"hello");
    check_transfer(Encoding::Base64, b"aGVs\r\nbG8", b"hello");
    check_transfer(Encoding::Base64, b"a!G*V s\tbG8=", b"hello");
    check_transfer(Encoding::Base64, b"aGVsbG8=aGVsbG8=", b"hellohello");
    check_transfer(Encoding::Base64, b"=", b"");
    check_transfer(Encoding::QuotedPrintable, b"a=3Db=\r\nc=  \nd=ZZ=", b"a=bcd=ZZ");
    check_transfer(Encoding::QuotedPrintable, b"=e3=81=82", "あ".as_bytes());
    check_transfer(Encoding::Uuencode, b"begin 644 x\r\n%:&5L;&\\\r\n`\r\nend\r\n", b"hello");
    check_transfer(Encoding::Uuencode, b"no such thing", b"no such thing");
}

fn check_envelope(source: &[u8], expected: &str) {
    let summary = summarise(source);
    assert_eq!(String::from_utf8_lossy(&summary.envelope), expected);
}

#[test]
fn envelopes_and_structures() {
    check_envelope(
        b"Date: d\r\nSubject: a \"b\" \\\r\nFrom: Ann <a@b>\r\nTo: G: c@d;\r\n\
Message-ID: <1@x>\r\n\r\n",
        "(\"d\" \"a \\\"b\\\" \\\\\" ((\"Ann\" NIL \"a\" \"b\")) ((\"Ann\" NIL \"a\" \"b\")) \
         ((\"Ann\" NIL \"a\" \"b\")) ((NIL NIL \"G\" NIL)(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) \
         NIL NIL NIL \"<1@x>\")",
    );
    check_imap_text(&crate::Summary::default().bodystructure);
    check_envelope(b"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(
        "Subject: 日\r\n\r\n".as_bytes(),
        "(NIL {3}\r\n日 NIL NIL NIL NIL NIL NIL NIL NIL)",
    );
    let summary = summarise(NESTED);
    assert_eq!(
        String::from_utf8_lossy(&summary.body),
        "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 0)(\"message\" \"rfc822\" NIL NIL NIL \
\"7bit\" 148 \
         (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) ((\"text\" \"plain\" (\"charset\" \
\"us-ascii\") \
         NIL NIL \"7bit\" 5 0)(\"text\" \"html\" NIL NIL NIL \"7bit\" 11 0) \"alternative\") 11)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 23 (NIL \"second\" NIL NIL NIL NIL NIL NIL \
NIL NIL) \
         (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 0) 2) \"mixed\")"
    );
    assert!(summary.bodystructure.ends_with(b"\"mixed\" (\"boundary\" \"abc\") NIL NIL NIL)"));
    assert_eq!(summary.snippet, "one");
}

#[test]
fn languages_of_a_part_are_a_list() {
    let many = "a,".repeat(1_000);
    let told = format!("({})", ["\"a\""; 100].join(" "));
    for (value, expected) in [
        ("ja, en", "(\"ja\" \"en\")"),
        ("ja,\r\n en-GB , zh", "(\"ja\" \"en-GB\" \"zh\")"),
        ("ja", "\"ja\""),
        ("ja,", "\"ja\""),
        (" , ", "NIL"),
        (many.as_str(), told.as_str()),
    ] {
        let source = format!("Content-Type: text/plain\r\nContent-Language: {value}\r\n\r\nx");
        let structure = summarise(source.as_bytes()).bodystructure;
        let structure = String::from_utf8(structure).unwrap();
        assert!(structure.ends_with(&format!(" NIL NIL {expected} NIL)")), "{structure}");
    }
}

#[test]
fn what_stands_behind_the_end_is_in_no_structure() {
    let (message, findings) =
        parse(b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\ny\n--a--\n--a\n\nz\n--a--\n");
    assert_eq!(message.parts().len(), 2);
    assert_eq!(message.slice(&message.parts()[0].body), b"--a\n\ny\n--a--\n--a\n\nz\n--a--\n");
    let ids: Vec<&str> = findings.iter().map(|found| found.id.as_str()).collect();
    assert_eq!(ids, ["mime.boundary.reopened"]);
}

#[test]
fn summaries_are_readable() {
    let source = b"From: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?= <Aoi@Example.JP>\r\n\
Subject: =?utf-8?B?5pel5pys?=\r\nDate: Sun, 22 Nov 2026 12:34:56 +0900\r\n\
Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; \
charset=iso-2022-jp\r\n\r\n\
<style>x{}</style><p>\x1b$BF|K\\\x1b(B &amp; more</p>\r\n--b\r\n\
Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
aGVsbG8=\r\n--b--\r\n";
    let summary = summarise(source);
    assert_eq!(summary.subject, "日本");
    assert_eq!(summary.from, "日本 <Aoi@example.jp>");
    assert_eq!(summary.snippet, "日本 & more");
    assert_eq!(summary.sent, Some(1_795_318_496));
    assert_eq!(summary.attachments.len(), 1);
    assert_eq!(summary.attachments[0].name, "a.pdf");
    let packed = postcard::to_allocvec(&summary).unwrap();
    assert!(postcard::from_bytes::<crate::Summary>(&packed).unwrap() == summary);
    assert_eq!(field_values(&summary.header, "SUBJECT"), [b"=?utf-8?B?5pel5pys?=".to_vec()]);
}

/// How much longer than usual to fuzz (`cargo xtask fuzz`).
pub(crate) fn factor() -> usize {
    let factor = std::env::var("SEKISHO_FUZZ_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

/// Seeds, mutated: octets changed, cut out, doubled, joined.
pub(crate) fn mutated(seeds: &[&[u8]], rounds: usize, mut visit: impl FnMut(&[u8])) {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (below.max(1) as u64)).unwrap()
    };
    for _ in 0..rounds * factor() {
        let mut octets = seeds[draw(seeds.len())].to_vec();
        for _ in 0..=draw(8) {
            let at = draw(octets.len() + 1);
            match draw(5) {
                0 if at < octets.len() => octets[at] = draw(256) as u8,
                1 => octets.truncate(at),
                2 => {
                    let end = (at + draw(40)).min(octets.len());
                    octets.drain(at..end);
                }
                3 => {
                    let end = (at + draw(60)).min(octets.len());
                    let piece = octets[at..end].to_vec();
                    let to = draw(octets.len() + 1);
                    octets.splice(to..to, piece);
                }
                _ => {
                    let special = b"\r\n-=?\"(<>;:,*%\\\0\x1b \t";
                    octets.insert(at, special[draw(special.len())]);
                }
            }
        }
        visit(&octets);
    }
}

#[test]
fn fuzzed_messages_never_break_the_parser() {
    let seeds: &[&[u8]] = &[
        NESTED,
        b"From: \"a\" <b@c>, G: d@e;\r\nSubject: =?utf-8?q?=E6=97?= =?iso-2022-jp?b?GyRC?=\r\n\
Date: 1 Jan 2020 1:2:3 +0100\r\n\
Content-Type: text/html; charset*0*=utf-8''a; charset*1=b\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\r\n\
<a href=\"x\">=E6=97=A5</a><!-- x --><style>a</style>",
    ];
    let start = Instant::now();
    mutated(seeds, 20_000, |octets| {
        let (message, _) = parse(octets);
        for part in message.parts() {
            assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
            assert!(part.body.start <= part.body.end && part.body.end <= octets.len());
        }
        for spec in ["1", "2.1.MIME", "2.TEXT", "HEADER.FIELDS.NOT (A)"] {
            section(&message, spec);
        }
        let summary = summarise(octets);
        for text in [&summary.envelope, &summary.body, &summary.bodystructure] {
            check_imap_text(text);
        }
    });
    assert!(start.elapsed() < Duration::from_secs(20 * factor() as u64));
}

/// What IMAP would read: balanced brackets, quoted strings of printable ASCII, whole literals.
fn check_imap_text(text: &[u8]) {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let mut cursor = terms::Cursor::new(text);
    let mut depth = 0usize;
    while let Some(byte) = cursor.next() {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1).unwrap_or_else(|| panic!("{}", shown()));
                assert!(depth > 0 || cursor.is_at_end(), "{}", shown());
            }
            b'"' => loop {
                match cursor.next() {
                    Some(b'"') => break,
                    Some(b'\\') => assert!(matches!(cursor.next(), Some(b'"' | b'\\'))),
                    Some(0x20..=0x7E) => {}
                    other => panic!("{other:?} in {}", shown()),
                }
            },
            b'{' => {
                let digits = cursor.take_while(|byte| byte.is_ascii_digit());
                let count: usize = std::str::from_utf8(digits).unwrap().parse().unwrap();
                assert!(cursor.eat(b'}') && cursor.eat(b'\r') && cursor.eat(b'\n'));
                let literal = cursor.take(count).unwrap_or_else(|| panic!("{}", shown()));
                assert!(!literal.contains(&0));
            }
            b' ' | b'0'..=b'9' | b'N' | b'I' | b'L' => {}
            other => panic!("{other:?} in {}", shown()),
        }
    }
    assert_eq!(depth, 0, "{}", shown());
}

#[test]
fn fuzzed_values_never_break_their_readers() {
    let seeds: &[&[u8]] = &[
        b"a/b; name*0*=utf-8'ja'%E6; name*1=\"x\\\"\"; c=d (e)",
        b"\"a\" <@x:b@c>, G: (d) e@f;, \x1b$B\"<\x1b(B <g@h>",
        b"=?utf-8?q?=E6=97?= =?iso-2022-jp?b?GyRCRnxLXBsoQg==?= x",
        b"Sun, 22 Nov 2026 12:34:56 +0900 (JST)",
        b"begin 644 x\n%:&5L;&\\\n`\nend\n",
        b"\x1b$BF|K\\\x1b(I1\x0e2\x0f\x1b(B \x93\xfa\xc6\xfc+ZeU-",
    ];
    mutated(seeds, 20_000, |octets| {
        content_type(octets).parameter("name");
        crate::disposition(octets);
        addresses(octets);
        epoch_seconds(octets);
        decode_words(octets);
        for label in [None, Some("utf-8"), Some("iso-2022-jp"), Some("cp932"), Some("utf-7")] {
            decode_charset(label, octets);
        }
        for encoding in [Encoding::Base64, Encoding::QuotedPrintable, Encoding::Uuencode] {
            assert!(decode_transfer(encoding, octets).len() <= octets.len() * 3 + 64);
        }
    });
}

/// RFC 2045 §6.8 an octet at a time, as it reads.
fn base64_plainly(octets: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits: Vec<bool> = Vec::new();
    let mut decoded = Vec::new();
    let mut end_piece = |bits: &mut Vec<bool>| {
        for eight in bits.chunks_exact(8) {
            decoded.push(eight.iter().fold(0, |octet, bit| octet << 1 | u8::from(*bit)));
        }
        bits.clear();
    };
    for octet in octets {
        if let Some(value) = ALPHABET.iter().position(|letter| letter == octet) {
            bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
        } else if *octet == b'=' {
            end_piece(&mut bits);
        }
    }
    end_piece(&mut bits);
    decoded
}

#[test]
fn base64_is_the_same_by_lines_by_runs_and_by_letters() {
    let mut state = 0x5EED_u64;
    let mut below = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let rubbish = [b'=', b' ', b'-', b'_', b'@', b'[', b'`', b'{', b':', b',', 0, 0x80, 0xFF];
    for round in 0..2_000 {
        let length = [76, 76, 76, 64, 72, 32, 1, 77, 1_000, 4, 8, 36][below(12) as usize];
        let rarely = 1 + below(2_000);
        let usual_end = ["\r\n", "\r\n", "\n"][below(3) as usize];
        let mut text = Vec::new();
        for at in 1..=below(1_200) {
            text.push(letters[below(64) as usize]);
            if at % length == 0 {
                let odd_end = ["\n", "\r\n", "\r", "=\r\n", "==\r\n", "\r\n\r\n", "\r\r\n", ""];
                let end = if below(rarely) < 20 { odd_end[below(8) as usize] } else { usual_end };
                text.extend_from_slice(end.as_bytes());
            }
            if below(rarely) == 0 {
                text.push(rubbish[below(rubbish.len() as u64) as usize]);
            }
        }
        let decoded = crate::decode_transfer(crate::Encoding::Base64, &text);
        assert!(*decoded == base64_plainly(&text), "round {round}");
    }
    // Each octet at each place of a line.
    for octet in 0..=255 {
        for place in [0, 1, 15, 16, 63, 64, 75] {
            let mut line = [b'Q'; 78];
            line[76..].copy_from_slice(b"\r\n");
            line[place] = octet;
            let text = [line, line].concat();
            let decoded = crate::decode_transfer(crate::Encoding::Base64, &text);
            assert!(*decoded == base64_plainly(&text), "{octet} at {place}");
        }
    }
}

/// Whatever a line is like, it is looked at a few times, not once for each octet before it.
#[test]
fn base64_of_odd_lines_is_read_in_one_pass() {
    let line = "QUJD".repeat(19);
    for odd in ["A", "=", "A=", "QUJD!\r\n", "\n", "A\n", "=\r\n", &format!("{line}!\r\n"), &line] {
        let text = odd.repeat(8_000_000 / odd.len());
        let decoded = crate::decode_transfer(crate::Encoding::Base64, text.as_bytes());
        assert!(decoded.len() <= text.len() / 4 * 3, "{odd:?}");
    }
}

#[test]
fn what_stands_as_it_is_need_not_be_decoded() {
    let texts: [&[u8]; 9] = [
        b"plain words",
        "\u{9375} in UTF-8".as_bytes(),
        "\u{FEFF}marked".as_bytes(),
        b"\x1B$B80\x1B(B",
        "\u{9375} \x1B$B80\x1B(B".as_bytes(),
        b"caf\xE9",
        b"\x8C\xAE",
        b"+2ZU-",
        b"",
    ];
    let labels =
        [None, Some("utf-8"), Some("us-ascii"), Some("iso-2022-jp"), Some("utf-7"), Some("sjis")];
    let mut as_they_stand = 0;
    for text in texts {
        for label in labels {
            let decoded = crate::decode_charset(label, text);
            if crate::charset::is_as_it_stands(label, text) {
                assert!(decoded.text.as_bytes() == text && !decoded.lying, "{label:?} {text:?}");
                as_they_stand += 1;
            }
        }
    }
    // Words, "+2ZU-" and nothing under three labels, and UTF-8 under its own, with escapes or not.
    assert_eq!(as_they_stand, 11);
}
