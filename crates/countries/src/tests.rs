//! Small lists of documentation ranges, against the plainest look-up there is.

use crate::{Counted, Country, Table, counted, find};
use std::net::IpAddr;

const LIST: &str = "\
# a comment
2|apnic|20261130|4|19830613|20261129|+1000
apnic|*|asn|*|1|summary
apnic|*|ipv4|*|4|summary
apnic|*|ipv6|*|1|summary
apnic|JP|asn|64496|1|20020801|allocated|A91
apnic|JP|ipv4|192.0.2.0|128|20110811|assigned|A91
apnic|JP|ipv4|192.0.2.128|128|20110811|allocated|A92
apnic|DE|ipv4|198.51.100.0|256|20110414|allocated|A93
apnic||ipv4|203.0.113.0|128||available
apnic|ZZ|ipv4|203.0.113.128|128||reserved|
apnic|JP|ipv6|2001:db8::|33|20050101|allocated|A91
";

fn packed(texts: &[&str]) -> Vec<u8> {
    let mut table = Table::default();
    for text in texts {
        table.read(text).unwrap();
    }
    table.packed()
}

fn at(octets: &[u8], address: &str) -> String {
    let found = find(octets, address.parse().unwrap());
    found.map_or("nowhere".to_owned(), |Country(two)| String::from_utf8(two.to_vec()).unwrap())
}

#[test]
fn a_list_says_where_networks_are_registered() {
    let octets = packed(&[LIST]);
    let check = |address: &str, country: &str| assert_eq!(at(&octets, address), country);
    check("192.0.2.0", "JP");
    check("192.0.2.127", "JP");
    check("192.0.2.255", "JP");
    check("::ffff:192.0.2.1", "JP");
    check("192.0.3.0", "nowhere");
    check("192.0.1.255", "nowhere");
    check("198.51.100.7", "DE");
    check("203.0.113.1", "nowhere");
    check("203.0.113.200", "nowhere");
    check("0.0.0.0", "nowhere");
    check("255.255.255.255", "nowhere");
    check("2001:db8::1", "JP");
    check("2001:db8:7fff:ffff::1", "JP");
    check("2001:db8:8000::1", "nowhere");
    check("::1", "nowhere");
    // Neighbours of one country are one range.
    assert_eq!(counted(&octets), Some(Counted { four: 2, six: 1, countries: 2 }));
}

#[test]
fn lists_are_taken_together() {
    let other = "2|ripencc|1|1|1|1|0\nripencc|FR|ipv4|192.0.2.64|16|20200101|assigned|x\n";
    let octets = packed(&[LIST, other]);
    assert_eq!(at(&octets, "192.0.2.63"), "JP");
    assert_eq!(at(&octets, "192.0.2.64"), "FR");
    assert_eq!(at(&octets, "192.0.2.79"), "FR");
    assert_eq!(at(&octets, "192.0.2.80"), "JP");
    assert_eq!(counted(&octets).unwrap().countries, 3);
    let empty = Table::default();
    assert!(empty.is_empty());
    assert_eq!(at(&empty.packed(), "192.0.2.1"), "nowhere");
}

#[test]
fn a_broken_line_is_named() {
    let check = |lines: &str, line: usize, expected: &str| {
        let text = format!("2|apnic|20261130|1|1|1|0\n{lines}");
        let wrong = Table::default().read(&text).unwrap_err();
        assert_eq!(wrong.line, line, "{lines}");
        assert!(wrong.expected.contains(expected), "{lines}: {}", wrong.expected);
    };
    let good = "apnic|JP|ipv4|192.0.2.0|256|20110811|assigned";
    check("nonsense", 2, "registry|country");
    check(&format!("{good}\n\n{good}\na|b|c"), 5, "registry|country");
    check(&good.replace("JP", "jp"), 2, "two capital letters");
    check(&good.replace("JP", "JPN"), 2, "two capital letters");
    check(&good.replace("ipv4", "ipv5"), 2, "asn, ipv4 or ipv6");
    check(&good.replace("192.0.2.0", "192.0.2"), 2, "version 4");
    check(&good.replace("256", "many"), 2, "number of addresses");
    check(&good.replace("256", "0"), 2, "number of addresses");
    check(&good.replace("192.0.2.0|256", "255.255.255.0|257"), 2, "that there are");
    check(&good.replace("assigned", "lost"), 2, "a status");
    check("apnic|JP|ipv6|192.0.2.0|32|1|assigned", 2, "version 6");
    check("apnic|JP|ipv6|2001:db8::|0|1|assigned", 2, "prefix length");
    check("apnic|JP|ipv6|2001:db8::|129|1|assigned", 2, "prefix length");
    for text in ["", "# nothing\n", "3|apnic|1|1|1|1|0\n", good] {
        assert!(Table::default().read(text).unwrap_err().expected.contains("2|registry"), "{text}");
    }
    let long = format!("2|apnic|1|1|1|1|0\n{}", "x".repeat(500));
    assert_eq!(Table::default().read(&long).unwrap_err().found.len(), 60);
}

fn dice(state: &mut u64, sides: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) % sides
}

/// Nested as registries and their transfers are, or in any other way: whatever is found is what a
/// walk through all ranges finds, as long as no range reaches out of another.
#[test]
fn what_is_packed_is_what_was_read() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..300 {
        let mut text = "2|x|1|1|1|1|0\n".to_owned();
        let mut ranges = Vec::new();
        for _ in 0..dice(&mut state, 20) {
            // Blocks of a power of two at their own multiples: they nest or lie apart.
            let size = 1u32 << dice(&mut state, 6);
            let start = u32::try_from(dice(&mut state, 64)).unwrap() / size * size;
            let country = ["JP", "DE", "FR"][dice(&mut state, 3) as usize];
            text.push_str(&format!("x|{country}|ipv4|0.0.0.{start}|{size}|1|assigned\n"));
            ranges.push((start, start + size - 1, country));
        }
        let octets = packed(&[&text]);
        for address in 0..70u32 {
            let around = ranges.iter().filter(|(start, end, _)| (*start..=*end).contains(&address));
            let found = around.min_by_key(|(start, end, _)| end - start);
            let expected = found.map_or("nowhere", |(.., country)| country);
            assert_eq!(at(&octets, &format!("0.0.0.{address}")), expected, "{address} in {text}");
        }
    }
}

#[test]
fn fuzz_lists_are_read_or_refused() {
    let mut state = 0x2545_f491_4f6c_dd1d;
    let words = [
        "2",
        "apnic",
        "JP",
        "ipv4",
        "ipv6",
        "192.0.2.0",
        "2001:db8::",
        "256",
        "32",
        "|",
        "\n",
        "assigned",
        "summary",
        "*",
        "4294967295",
        "255.255.255.255",
        "é",
        "",
    ];
    for _ in 0..3_000 {
        let mut octets = LIST.as_bytes().to_vec();
        for _ in 0..dice(&mut state, 6) {
            let at = dice(&mut state, octets.len() as u64) as usize;
            let word = words[dice(&mut state, words.len() as u64) as usize];
            match dice(&mut state, 3) {
                0 => octets[at] = dice(&mut state, 256) as u8,
                1 => drop(octets.splice(at..at, word.bytes())),
                _ => octets.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&octets).into_owned();
        let mut table = Table::default();
        if let Err(wrong) = table.read(&text) {
            assert!(wrong.line >= 1 && wrong.line <= text.lines().count().max(1), "{wrong:?}");
        }
        // Whatever was taken is packed in order, and found again.
        let packed = table.packed();
        let all = counted(&packed).unwrap();
        assert!(all.four <= 2 * table.four.len() && all.six <= 2 * table.six.len());
        for (start, ..) in &table.four {
            assert!(find(&packed, IpAddr::V4((*start).into())).is_some());
        }
        let mut odd = packed.clone();
        let at = dice(&mut state, odd.len() as u64) as usize;
        odd[at] ^= 1 << dice(&mut state, 8);
        let _ = (find(&odd, [192, 0, 2, 1].into()), counted(&odd));
        let _ = find(&packed[..at], [192, 0, 2, 1].into());
    }
}
