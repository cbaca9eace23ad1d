//! Whoever is written to in secret stays secret: a property over generated messages.

use super::neighbourhood::Left;
use super::{Plan, settle};
use data_encoding::BASE64;
use terms::Finding;
use wire::dispatch::ToAccess;
use wire::post::Hop;

/// Stands in every Bcc field, and nowhere else.
const MARK: &str = "hushmark";

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// The word with letters of either case.
    fn cased(&mut self, word: &str) -> String {
        let letter = |letter: char| match self.below(2) {
            0 => letter.to_ascii_uppercase(),
            _ => letter.to_ascii_lowercase(),
        };
        word.chars().map(letter).collect()
    }
}

/// One value that names whom nobody is to know, in one of the ways that mail programs write it.
fn value(random: &mut Random) -> String {
    let fold = random.one_of(&[" ", "\r\n ", "\r\n\t", " \r\n \t ", " \r\n   "]).to_owned();
    let address = format!("{MARK}{}@hidden.example", random.below(1_000));
    match random.below(9) {
        0 => format!("{fold}{address}"),
        1 => format!(" \"{MARK}, H.\" <{address}>,{fold}x@y.example"),
        2 => format!(
            " =?utf-8?q?{MARK}?=,{fold}=?UTF-8?B?{}?= <{address}>",
            BASE64.encode(MARK.as_bytes())
        ),
        3 => format!(" ({MARK}){fold}({MARK}) {address}"),
        4 => format!(" us:{fold}{address},{fold}{address};"),
        5 => format!(" {address},{fold}").repeat(1 + random.below(300)) + "x@y.example",
        6 => format!("{address}{fold}Subject: {MARK}"),
        7 => format!(" {address}\r\n From: {MARK}\r\n\tBcc: {MARK}"),
        _ => format!(" 葵 {MARK}{fold}<{address}>"),
    }
}

/// A message, and what of it may leave.
fn message(random: &mut Random) -> (String, String) {
    let mut fields: Vec<(bool, String)> = vec![
        (true, "From: Aoi <aoi@example.jp>\r\n".to_owned()),
        (true, "To: x@far.example,\r\n\tben@example.jp\r\n".to_owned()),
        (true, "Subject: about Bcc: and\r\n bcc: x\r\n".to_owned()),
        (true, "X-Bcc: shown\r\n".to_owned()),
        (
            true,
            "Date: Sun, 29 Nov 2026 12:00:00 +0900\r\nMessage-ID: <1@example.jp>\r\n".to_owned(),
        ),
    ];
    for _ in 0..1 + random.below(4) {
        let name = random.one_of(&["bcc", "resent-bcc"]);
        let name = random.cased(name) + random.one_of(&["", "", " ", "\t", " \t "]);
        let field = (false, format!("{name}:{}\r\n", value(random)));
        let at = random.below(fields.len() + 1);
        fields.insert(at, field);
    }
    let body =
        random.one_of(&["hi\r\n", "", "Bcc: quoted in the body\r\n", "--\r\nBcc:\r\n x\r\n"]);
    let whole: String = fields.iter().map(|(_, field)| field.as_str()).collect();
    let shown: String =
        fields.iter().filter(|(shown, _)| *shown).map(|(_, field)| field.as_str()).collect();
    (format!("{whole}\r\n{body}"), format!("{shown}\r\n{body}"))
}

fn is_quiet(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets).to_lowercase();
    // Base64 has three places for a word; any of them would show.
    let coded = ["hushmark", "xhushmark", "xxhushmark"].map(|word| {
        let coded = BASE64.encode(word.as_bytes()).to_lowercase();
        coded[4..8].to_owned()
    });
    !text.contains(MARK) && (text.len() > 20_000 || !coded.iter().any(|coded| text.contains(coded)))
}

fn check(left: &Left, shown: &str) {
    assert!(left.text.ends_with(shown), "{}\nexpected {shown}", left.text);
    assert!(!left.text.contains(MARK), "{}", left.text);
    for envelope in &left.envelopes {
        let written = postcard::to_stdvec(envelope).unwrap();
        let is_theirs = envelope.hop == Hop::Domain("hidden.example".to_owned());
        assert_eq!(!is_quiet(&written), is_theirs, "{envelope:?}");
    }
}

#[test]
fn no_bcc_leaks_from_any_message() {
    let findings = |round: u64| match round % 3 {
        // One that is held, so that its sender gets a letter about it.
        0 => vec![Finding::new("test.odd", 12.0, "x")],
        _ => Vec::new(),
    };
    for round in 0..6 {
        let around = settle(Plan { findings: findings(round), ..Plan::default() });
        let mut random = Random(0x9e37_79b9 + round);
        let mut shown = Vec::new();
        for number in 0..60 {
            let (text, rest) = message(&mut random);
            let hidden = format!("{MARK}{number}@hidden.example");
            let to = ["x@far.example", &hidden, "ben@example.jp"];
            let answer = around.hand_in("aoi@example.jp", &to, &text);
            let ToAccess::Queued { text: said, .. } = &answer else { panic!("{answer:?}\n{text}") };
            assert!(is_quiet(said.as_bytes()));
            shown.push(rest);
        }
        let left = around.left();
        let about = left
            .iter()
            .filter(|left| left.envelopes[0].hop != Hop::Here || left.envelopes.len() > 1);
        let about: Vec<&Left> = about.collect();
        assert_eq!(about.len(), shown.len());
        about.iter().zip(&shown).for_each(|(left, shown)| check(left, shown));
        for left in &left {
            assert!(left.envelopes.len() > 1 || is_quiet(left.text.as_bytes()));
        }
        let journeys = around.journeys(shown.len());
        let seen = around.seen.lock().unwrap();
        assert!(seen.signed.iter().all(|canonical| is_quiet(canonical)));
        for journey in &journeys {
            assert!(is_quiet(&postcard::to_stdvec(journey).unwrap()));
        }
        for report in &seen.reports {
            assert!(is_quiet(report.as_bytes()), "{report}");
        }
    }
}

/// What cannot be read for certain does not leave, so that no Bcc leaves with it.
#[test]
fn a_field_that_is_hidden_from_us_refuses_the_message() {
    let around = settle(Plan::default());
    let odd = [
        format!("From: aoi@example.jp\r\nB\u{200b}cc: {MARK}@hidden.example\r\n\r\nhi\r\n"),
        format!("From: aoi@example.jp\r\nBcc\u{a0}: {MARK}@hidden.example\r\n\r\nhi\r\n"),
        format!("From: aoi@example.jp\r\nx\r\nBcc: {MARK}@hidden.example\r\n\r\nhi\r\n"),
        format!(" \r\nFrom: aoi@example.jp\r\nBcc: {MARK}@hidden.example\r\n\r\nhi\r\n"),
    ];
    for text in odd {
        let answer = around.hand_in("aoi@example.jp", &["x@far.example"], &text);
        assert!(matches!(answer, ToAccess::No { code: 554, .. }), "{answer:?} {text}");
    }
    // Many fields, and more than a parser of messages looks at.
    let hand_in = |fields: usize| {
        let many = "X-Filler: 1\r\n".repeat(fields);
        let text =
            format!("From: aoi@example.jp\r\n{many}Bcc: {MARK}@hidden.example\r\n\r\nhi\r\n");
        around.hand_in("aoi@example.jp", &["x@far.example"], &text)
    };
    let answer = hand_in(900);
    assert!(matches!(answer, ToAccess::Queued { .. }), "{answer:?}");
    assert!(!around.left()[0].text.contains(MARK));
    let answer = hand_in(5_000);
    assert!(matches!(answer, ToAccess::No { code: 554, .. }), "{answer:?}");
}
