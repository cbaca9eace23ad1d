//! Every code point of JIS X 0208 and 0212, Shift_JIS and ISO-2022-JP, as `encoding_rs` 0.8.35
//! tests them: each line of its files through our reading of charsets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mime::decode_charset;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    std::env::var_os("SEKISHO_SUITES")
        .map_or(beside, PathBuf::from)
        .join("encoding_rs/src/test_data")
}

/// Reads `NAME_in.txt` line by line under `label` (and, if asked, without one) and compares with
/// the reference. Lines with octets that mean nothing are left out: there we guess better.
fn check(name: &str, label: &str, at_least: usize) {
    let read = |ending: &str| std::fs::read(folder().join(format!("{name}{ending}.txt")));
    let (Ok(octets), Ok(reference)) = (read("_in"), read("_in_ref")) else {
        println!("absent: {name}_in.txt of encoding_rs");
        return;
    };
    let (mut right, mut wrong) = (0, Vec::new());
    let reference = String::from_utf8(reference).unwrap();
    for (line, expected) in octets.split(|byte| *byte == b'\n').zip(reference.split('\n')) {
        if expected.contains('\u{FFFD}') || line.is_ascii() && !line.contains(&0x1B) {
            continue;
        }
        let found = decode_charset(Some(label), line);
        match found.text == expected {
            true => right += 1,
            false => wrong.push(format!("{line:02x?} {expected:?} {:?}", found.text)),
        }
    }
    println!("{label} of {name}: {right} code points right, {} not", wrong.len());
    wrong.iter().take(10).for_each(|line| println!("  {line}"));
    assert!(wrong.is_empty());
    assert!(right >= at_least, "{right}");
}

#[test]
fn euc_jp_jis_x_0208() {
    check("jis0208", "EUC-JP", 6_800);
}

#[test]
fn euc_jp_jis_x_0212() {
    check("jis0212", "EUC-JP", 6_000);
}

#[test]
fn shift_jis() {
    check("shift_jis", "Shift_JIS", 6_800);
}

#[test]
fn iso_2022_jp() {
    check("iso_2022_jp", "ISO-2022-JP", 6_800);
}

/// The other way: what `encoding_rs` writes is read back as it was.
#[test]
fn written_text_comes_back() {
    for (name, label) in [
        ("jis0208_out", "EUC-JP"),
        ("shift_jis_out", "Shift_JIS"),
        ("iso_2022_jp_out", "ISO-2022-JP"),
    ] {
        let Ok(text) = std::fs::read_to_string(folder().join(format!("{name}.txt"))) else {
            println!("absent: {name}.txt of encoding_rs");
            continue;
        };
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let (mut right, mut wrong) = (0, Vec::new());
        for line in text.lines().filter(|line| !line.is_ascii()) {
            let (octets, _, is_lossy) = encoding.encode(line);
            // Signs that fold into their wide forms do not come back as themselves.
            let direct = encoding.decode_without_bom_handling(&octets).0;
            if is_lossy || direct != line {
                continue;
            }
            match decode_charset(Some(label), &octets).text == line {
                true => right += 1,
                false => wrong.push(line.to_owned()),
            }
        }
        println!("{label}: {right} written code points come back, {} do not", wrong.len());
        assert!(wrong.is_empty() && right > 6_000, "{wrong:?}");
    }
}
