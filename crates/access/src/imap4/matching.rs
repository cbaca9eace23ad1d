//! Whether a message fits a SEARCH, with as little of it opened as possible.
//!
//! Answers are `None` while something that is not open yet would decide.

use super::selected::{keywords_of, system_flags};
use crate::person::Opened;
use crate::view::View;
use imap::{Day, Flags, Key, Moment};
use mime::{Holds, Message};
use wire::mailbox::Row;

/// A key whose strings are decoded and folded, and whose sets are resolved by need.
pub struct Question(Key);

/// What is known of a message.
pub struct Facts<'a> {
    pub view: Option<&'a View>,
    pub row: Option<&'a Row>,
    pub place: usize,
    pub summary: Option<&'a Opened>,
    pub body: Option<&'a [u8]>,
    /// Nothing more will be opened: what is missing does not match.
    pub last: bool,
}

/// Decodes strings from the charset of the search and folds them.
pub fn prepare(key: Key, charset: Option<&str>) -> Question {
    Question(folded_key(key, charset))
}

/// Depth is bounded by the parser.
fn folded_key(key: Key, charset: Option<&str>) -> Key {
    let text = |octets: Vec<u8>| {
        fold(&mime::decode_charset(charset.or(Some("utf-8")), &octets).text).into_bytes()
    };
    match key {
        Key::And(keys) => Key::And(keys.into_iter().map(|key| folded_key(key, charset)).collect()),
        Key::Or(one, other) => {
            let (one, other) = (folded_key(*one, charset), folded_key(*other, charset));
            Key::Or(Box::new(one), Box::new(other))
        }
        Key::Not(key) => Key::Not(Box::new(folded_key(*key, charset))),
        Key::Bcc(value) => Key::Bcc(text(value)),
        Key::Cc(value) => Key::Cc(text(value)),
        Key::From(value) => Key::From(text(value)),
        Key::To(value) => Key::To(text(value)),
        Key::Subject(value) => Key::Header { name: b"subject".to_vec(), value: text(value) },
        Key::Header { name, value } => Key::Header { name, value: text(value) },
        Key::Body(value) => Key::Body(text(value)),
        Key::Text(value) => Key::Text(text(value)),
        key => key,
    }
}

pub fn decide(question: &Question, facts: &Facts) -> Option<bool> {
    fits(&question.0, facts)
}

fn fits(key: &Key, facts: &Facts) -> Option<bool> {
    let (Some(row), Some(view)) = (facts.row, facts.view) else { return Some(false) };
    let system = system_flags(row, view);
    Some(match key {
        Key::All => true,
        Key::And(keys) => return all(keys, facts),
        Key::Or(one, other) => {
            return match fits(one, facts) {
                Some(true) => Some(true),
                one => match (one, fits(other, facts)) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            };
        }
        Key::Not(key) => return fits(key, facts).map(|fit| !fit),
        Key::Flag(flag) => system.has(*flag),
        Key::New => system.has(Flags::RECENT) && !system.has(Flags::SEEN),
        Key::Keyword(name) => {
            keywords_of(row, &view.keywords).any(|known| known.eq_ignore_ascii_case(name))
        }
        Key::Sequence(set) => {
            let number = u32::try_from(facts.place + 1).unwrap_or(0);
            set.contains(number, view.count())
        }
        Key::Uid(set) => set.contains(row.uid, view.rows.last().map_or(0, |row| row.uid)),
        Key::Before(day) => received(row) < *day,
        Key::On(day) => received(row) == *day,
        Key::Since(day) => received(row) >= *day,
        Key::Larger(size) => u64::from(row.size) > *size,
        Key::Smaller(size) => u64::from(row.size) < *size,
        Key::ModSeq(value) => row.modseq >= *value,
        key => return by_content(key, facts),
    })
}

fn all(keys: &[Key], facts: &Facts) -> Option<bool> {
    let mut decided = Some(true);
    for key in keys {
        match fits(key, facts) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => decided = None,
        }
    }
    decided
}

/// Keys that need the summary or the body.
fn by_content(key: &Key, facts: &Facts) -> Option<bool> {
    let missing = facts.last.then_some(false);
    let Some(opened) = facts.summary else { return missing };
    match key {
        Key::SentBefore(day) => Some(sent(opened).is_some_and(|sent| sent < *day)),
        Key::SentOn(day) => Some(sent(opened).is_some_and(|sent| sent == *day)),
        Key::SentSince(day) => Some(sent(opened).is_some_and(|sent| sent >= *day)),
        Key::Header { name, value } => match std::str::from_utf8(name) {
            Ok(name) => has_field(opened, facts, name, |found| value_has(found, value)),
            Err(_) => Some(false),
        },
        Key::Bcc(value) => has_field(opened, facts, "bcc", |one| address_has(one, value)),
        Key::Cc(value) => has_field(opened, facts, "cc", |one| address_has(one, value)),
        Key::From(value) => has_field(opened, facts, "from", |one| address_has(one, value)),
        Key::To(value) => has_field(opened, facts, "to", |one| address_has(one, value)),
        Key::Text(wanted) if text_has(&opened.summary.header, wanted) => Some(true),
        Key::Text(wanted) if names_have(opened, wanted) => Some(true),
        Key::Text(wanted) => facts.body.map_or(missing, |body| {
            let is_cut = !opened.is_whole();
            let by_header = is_cut && text_has(mime::header_of(body), wanted);
            Some(by_header || body_has(body, wanted) || parts_have(body, wanted))
        }),
        Key::Body(wanted) => facts.body.map_or(missing, |body| Some(body_has(body, wanted))),
        _ => Some(false),
    }
}

fn received(row: &Row) -> Day {
    super::fetch::moment(row).day()
}

/// RFC 3501 §6.4.4: the day as written in the Date field, whatever its zone.
fn sent(opened: &Opened) -> Option<Day> {
    let seconds = opened.summary.sent?;
    let zone = opened.summary.date_text.split_whitespace().rev().find_map(zone_minutes);
    Some(Moment { seconds, zone_minutes: zone.unwrap_or(0) }.day())
}

/// `+0900` in minutes.
fn zone_minutes(word: &str) -> Option<i16> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+')?),
    };
    let value: i16 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (value / 100 * 60 + value % 100))
}

/// RFC 3501 §6.4.4: an empty string matches whenever the field exists. Behind a field of thousands
/// of addresses the summary's header ends too early: then the message itself is looked into.
fn has_field(
    opened: &Opened,
    facts: &Facts,
    name: &str,
    fits: impl Fn(&[u8]) -> bool,
) -> Option<bool> {
    if fields(opened, name).any(|value| fits(&value)) {
        return Some(true);
    }
    match facts.body {
        _ if opened.is_whole() => Some(false),
        Some(body) => Some(mime::whole_values(body, name).iter().any(|value| fits(value))),
        None => facts.last.then_some(false),
    }
}

fn fields<'o>(opened: &'o Opened, name: &'o str) -> impl Iterator<Item = Vec<u8>> + 'o {
    let headers = [&opened.added, &opened.summary.header];
    headers.into_iter().flat_map(move |header| mime::field_values(header, name))
}

fn value_has(value: &[u8], wanted: &[u8]) -> bool {
    contains(&fold(&mime::decode_words(value)), wanted)
}

/// The field as people see it, or one of its addresses as the envelope has them: without comments
/// and the spaces around the at sign (RFC 3501 §6.4.4 speaks of the envelope).
fn address_has(value: &[u8], wanted: &[u8]) -> bool {
    value_has(value, wanted)
        || mime::addresses(value).iter().any(|entry| match entry {
            mime::Entry::Mailbox(one) => contains(&fold(&one.address()), wanted),
            _ => false,
        })
}

fn text_has(header: &[u8], wanted: &[u8]) -> bool {
    contains(&fold(&mime::decode_words(&mime::unfold(header))), wanted)
}

/// The names of attachments, as people see them: nothing more need be opened for these.
fn names_have(opened: &Opened, wanted: &[u8]) -> bool {
    opened.summary.attachments.iter().any(|one| contains(&fold(&one.name), wanted))
}

/// RFC 3501 §6.4.4: TEXT looks into headers, too, and those of the parts are headers.
fn parts_have(octets: &[u8], wanted: &[u8]) -> bool {
    let (message, _) = mime::parse(octets);
    message.parts().iter().skip(1).any(|part| text_has(message.slice(&part.header), wanted))
}

fn body_has(octets: &[u8], wanted: &[u8]) -> bool {
    let (message, _) = mime::parse(octets);
    message.parts().iter().any(|part| {
        let is_text =
            part.holds == Holds::Octets && part.content_type.essence().starts_with("text/");
        is_text && contains(&part_text(&message, part), wanted)
    })
}

fn part_text(message: &Message<'_>, part: &mime::Part) -> String {
    let charset = part.content_type.charset();
    let text = mime::decode_charset(charset.as_deref(), &message.content(part)).text;
    match part.content_type.essence() == "text/html" {
        true => fold(&mime::page_text(&text)),
        false => fold(&text),
    }
}

/// Neither case matters to people, nor width, nor in how many code points a letter stands (much as
/// RFC 5051), nor that a long subject was folded by a tab, which stays in it (RFC 5322 §2.2.3).
fn fold(text: &str) -> String {
    terms::folded_text(text)
}

fn contains(text: &str, wanted: &[u8]) -> bool {
    // An empty pattern is in every text; an unreadable one in none.
    std::str::from_utf8(wanted).is_ok_and(|wanted| text.contains(wanted))
}

#[cfg(test)]
mod tests {
    use super::{Facts, Opened, address_has, by_content, fields};
    use imap::Key;

    /// Of each: the question, the answer of the summary alone, and that of the whole message.
    fn check_content(opened: &Opened, text: &[u8], cases: &[(Key, Option<bool>, bool)]) {
        for (at, (key, before, fits)) in cases.iter().enumerate() {
            let summary = Some(opened);
            let unopened =
                Facts { view: None, row: None, place: 0, summary, body: None, last: false };
            assert_eq!(by_content(key, &unopened), *before, "case {at}");
            let facts = Facts { body: Some(text), last: true, ..unopened };
            assert_eq!(by_content(key, &facts), Some(*fits), "case {at}");
        }
    }

    /// Ten thousands of octets of addresses stand before what is looked for.
    #[test]
    fn what_stands_behind_a_very_long_field_is_found() {
        let to: Vec<String> = (0..3_000).map(|one| format!("person{one:04}@a.example")).collect();
        let text = format!(
            "From: a@b.example\r\nTo: {}\r\nSubject: =?utf-8?q?=E6=97=A5?= behind\r\n\
             Message-ID: <far@b.example>\r\n\r\nwords\r\n",
            to.join(",\r\n ")
        );
        let plain = crate::person::write_summary(&mime::summarise(text.as_bytes())).unwrap();
        let opened = crate::person::read_summary(&plain).unwrap();
        assert!(!opened.is_whole());
        let header = |name: &str, value: &str| {
            let (name, value) = (name.as_bytes().to_vec(), value.as_bytes().to_vec());
            Key::Header { name, value }
        };
        let octets = |text: &str| text.as_bytes().to_vec();
        let cases = [
            (header("subject", "日 behind"), None, true),
            (header("message-id", "far@b.example"), None, true),
            (header("x-none", ""), None, false),
            (Key::To(octets("person0000@a.example")), Some(true), true),
            (Key::To(octets("person2999@a.example")), None, true),
            (Key::To(octets("person3000@a.example")), None, false),
            (Key::From(octets("b.example")), Some(true), true),
            (Key::Text(octets("日 behind")), None, true),
            (Key::Text(octets("words")), None, true),
            (Key::Body(octets("behind")), None, false),
        ];
        check_content(&opened, text.as_bytes(), &cases);
    }

    #[test]
    fn text_is_found_in_the_headers_of_parts() {
        let text = "From: a@b.example\r\nSubject: a long subject\r\n\tgoes on\r\n\
            MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Description: the =?utf-8?q?=E8=AA=AC=E6=98=8E?=\r\n\r\nwords\tin it\r\n\
            --b\r\nContent-Type: application/octet-stream\r\nContent-ID: <part1@b.example>\r\n\
            Content-Disposition: attachment;\r\n filename*=utf-8''%E8%A6%8B%E7%A9%8D.bin\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n";
        let plain = crate::person::write_summary(&mime::summarise(text.as_bytes())).unwrap();
        let opened = crate::person::read_summary(&plain).unwrap();
        let octets = |text: &str| text.as_bytes().to_vec();
        let subject = |value: &str| Key::Header { name: octets("subject"), value: octets(value) };
        let cases = [
            (Key::Text(octets("見積.bin")), Some(true), true),
            (Key::Text(octets("part1@b.example")), None, true),
            (Key::Text(octets("the 説明")), None, true),
            (Key::Text(octets("words in it")), None, true),
            (Key::Text(octets("nowhere")), None, false),
            (Key::Body(octets("見積.bin")), None, false),
            (Key::Body(octets("part1@b.example")), None, false),
            (subject("subject goes on"), Some(true), true),
        ];
        check_content(&opened, text.as_bytes(), &cases);
    }

    /// What people see of a letter decides, not how it is written.
    #[test]
    fn words_are_found_in_every_width_and_form() {
        let text = "From: a@b.example\r\nSubject: ﾃｽﾄ カ\u{3099}ス ＡＢＣ é\r\n\r\nｶﾞｽ　料金\r\n";
        let plain = crate::person::write_summary(&mime::summarise(text.as_bytes())).unwrap();
        let opened = crate::person::read_summary(&plain).unwrap();
        let asked = |key: Key| super::prepare(key, Some("utf-8")).0;
        let octets = |text: &str| text.as_bytes().to_vec();
        let mut cases = Vec::new();
        for (wanted, fits) in [
            ("テスト", true),
            ("ﾃｽﾄ", true),
            ("ガス", true),
            ("カ\u{3099}ス", true),
            ("abc", true),
            ("Ａbc", true),
            ("e\u{301}", true),
            ("テスタ", false),
        ] {
            cases.push((asked(Key::Subject(octets(wanted))), Some(fits), fits));
        }
        cases.push((asked(Key::Body(octets("ガス 料金"))), None, true));
        cases.push((asked(Key::Body(octets("カス"))), None, false));
        check_content(&opened, text.as_bytes(), &cases);
    }

    #[test]
    fn a_page_is_searched_as_people_read_it() {
        let text = "From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/html; charset=utf-8\r\n\r\n\
            <html><style>b { color: red }</style><p class=\"note\">&#20013;&#27490;</p>\r\n\
            <p><b>会議</b>は\r\n明日 A&amp;B</p><td>見積</td><td>書</td></html>\r\n";
        let plain = crate::person::write_summary(&mime::summarise(text.as_bytes())).unwrap();
        let opened = crate::person::read_summary(&plain).unwrap();
        let cases: Vec<_> = [
            ("中止", true),
            ("会議は", true),
            ("a&b", true),
            ("中止 会議", true),
            ("見積書", false),
            ("#20013", false),
            ("color", false),
            ("class", false),
        ]
        .into_iter()
        .map(|(wanted, fits)| (Key::Body(wanted.as_bytes().to_vec()), None, fits))
        .collect();
        check_content(&opened, text.as_bytes(), &cases);
    }

    #[test]
    fn an_address_is_found_as_the_envelope_has_it() {
        let header = b"From: Aoi (of Kyoto) <a.mori (x)@ (y) Example.jp>\r\n\
            To: list: =?iso-2022-jp?B?GyRCJV8lSiEhTVUbKEI=?= <mina@example.jp>,\r\n\
            \x20ken@a.example;\r\n\r\n"
            .to_vec();
        let summary = mime::Summary { header, ..mime::Summary::default() };
        let mut plain = crate::person::write_summary(&summary).unwrap();
        let added = b"Cc: d@e.example\r\n";
        plain.splice(
            ..4,
            u32::try_from(added.len()).unwrap().to_le_bytes().into_iter().chain(*added),
        );
        let opened = crate::person::read_summary(&plain).unwrap();
        for (name, wanted, found) in [
            ("from", "a.mori@example.jp", true),
            ("from", "of kyoto", true), // as people see it
            ("from", "", true),
            ("from", "mina", false),
            ("to", "ken@a.example", true),
            ("to", "ミナ", true),
            ("cc", "d@e.example", true),
            ("bcc", "", false),
        ] {
            let fits = |value: Vec<u8>| address_has(&value, wanted.as_bytes());
            assert_eq!(fields(&opened, name).any(fits), found, "{name} {wanted}");
        }
    }
}
