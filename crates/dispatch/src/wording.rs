//! A header in seven bits: text beyond ASCII is written as encoded words (RFC 2047), so that it
//! goes to servers that do not take SMTPUTF8, and leaves as it is signed.
//!
//! Addresses cannot be encoded: a field that has one beyond ASCII stays as it is, whole.

use crate::parameters;
use std::ops::Range;

/// Fields of addresses: only names and comments are text there (RFC 2047 §5).
const OF_ADDRESSES: &[&str] = &[
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "resent-from",
    "resent-sender",
    "resent-reply-to",
    "resent-to",
    "resent-cc",
    "disposition-notification-to",
    "mail-followup-to",
    "mail-reply-to",
];

/// Fields for machines, in which a word would be taken for what it is not.
const OF_MACHINES: &[&str] = &[
    "date",
    "resent-date",
    "message-id",
    "resent-message-id",
    "in-reply-to",
    "references",
    "received",
    "return-path",
    "mime-version",
    "dkim-signature",
    "authentication-results",
];

/// Beginnings of names of such fields.
const FOR_MACHINES: &[&str] = &["content-", "arc-", "list-", "autocrypt"];

/// The value of a field, from behind its colon with its last line end, in ASCII. `None`: it is
/// already, or it cannot be, or nobody can say what its octets mean.
pub(crate) fn in_ascii(name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.is_ascii())?;
    let text = mime::unfold(text.as_bytes());
    let text = std::str::from_utf8(&text).ok()?.trim();
    let name = std::str::from_utf8(name).ok()?.trim_end().to_ascii_lowercase();
    if matches!(name.as_str(), "content-type" | "content-disposition") {
        return parameters::in_ascii(text).map(|text| format!(" {text}\r\n").into_bytes());
    }
    let is_text = name == "content-description";
    let is_for_machines = !is_text
        && (OF_MACHINES.contains(&name.as_str())
            || FOR_MACHINES.iter().any(|begin| name.starts_with(begin)));
    if is_for_machines {
        return None;
    }
    let written = match OF_ADDRESSES.contains(&name.as_str()) {
        true => in_addresses(text)?,
        false if text.contains("=?") => in_text(&mime::decode_words(text.as_bytes())),
        false => in_text(&text.replace('\t', " ")),
    };
    written.is_ascii().then(|| format!(" {written}\r\n").into_bytes())
}

/// A text in which everything between the first word beyond ASCII and the last one is encoded:
/// blanks between two encoded words are not shown (RFC 2047 §6.2), so they go into them.
fn in_text(text: &str) -> String {
    let Range { start, end } = beyond_ascii(text);
    let [front, middle, behind] =
        [0..start, start..end, end..text.len()].map(|at| text.get(at).unwrap_or_default());
    format!("{front}{}{behind}", mime::encode_words(middle))
}

/// From the first word that is not ASCII to the end of the last.
fn beyond_ascii(text: &str) -> Range<usize> {
    let mut found: Option<Range<usize>> = None;
    let mut begin = 0;
    for word in text.split_inclusive([' ', '\t']) {
        let end = begin + word.trim_end_matches([' ', '\t']).len();
        if !word.is_ascii() {
            found = Some(found.map_or(begin, |known| known.start)..end);
        }
        begin += word.len();
    }
    found.unwrap_or(0..0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    /// Letters of a name, or of an address that stands bare.
    Atom,
    Quoted,
    Comment,
    Angle,
    /// What parts addresses, or opens and ends a group.
    Mark,
}

/// Names and comments encoded, each run of them as one text.
fn in_addresses(text: &str) -> Option<String> {
    let pieces = pieces(text)?;
    let mut written = String::new();
    let mut rest = pieces.as_slice();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let (kind, piece) = *first;
        if !is_of_a_run(*first) {
            written.push_str(piece);
            if piece == "," && matches!(rest.first(), Some((Kind::Blank, _))) {
                written.push_str("\r\n");
            }
            continue;
        }
        let encoded = match kind {
            Kind::Comment => format!("({})", mime::encode_words(&inside(piece, ('(', ')'))?)),
            Kind::Atom | Kind::Quoted => {
                let (name, behind) = name(&mut rest, *first)?;
                if written.ends_with(|last: char| !matches!(last, ' ' | '\t')) {
                    written.push(' ');
                }
                let encoded = match name.is_ascii() {
                    true => name.replace(' ', "\r\n "),
                    false => mime::encode_words(&mime::decode_words(name.as_bytes())),
                };
                encoded + behind
            }
            Kind::Blank | Kind::Angle | Kind::Mark => return None,
        };
        written.push_str(&encoded);
    }
    Some(written)
}

/// Whether it is text beyond ASCII, or an encoded word: blanks between such a word and one that
/// will be encoded are not shown, so they become one text.
fn is_of_a_run((kind, piece): (Kind, &str)) -> bool {
    !piece.is_ascii() || (kind == Kind::Atom && piece.starts_with("=?"))
}

/// A name from its first part that is such to its last, without quotes, and the blank that must
/// stand behind it. `None`: it belongs to an address.
fn name<'t>(
    rest: &mut &[(Kind, &'t str)],
    first: (Kind, &'t str),
) -> Option<(String, &'static str)> {
    let mut name = shown(first)?;
    while let [(Kind::Blank, _), next @ (Kind::Atom | Kind::Quoted, _), more @ ..] = *rest
        && is_of_a_run(*next)
    {
        name = format!("{name} {}", shown(*next)?);
        *rest = more;
    }
    match rest.first() {
        Some((Kind::Atom, part)) if part.starts_with('@') => None,
        None | Some((Kind::Blank, _)) => Some((name, "")),
        Some(_) => Some((name, " ")),
    }
}

/// A part of a name as people read it; an encoded word as it stands.
fn shown((kind, piece): (Kind, &str)) -> Option<String> {
    match kind {
        Kind::Atom => (!piece.contains('@')).then(|| piece.to_owned()),
        _ => inside(piece, ('"', '"')),
    }
}

/// What quotes or brackets hold. `None`: a word in it is encoded already, which one reader decodes
/// and another does not.
fn inside(piece: &str, (opens, closes): (char, char)) -> Option<String> {
    let mut inside = String::new();
    let mut letters = piece.strip_prefix(opens)?.strip_suffix(closes)?.chars();
    while let Some(letter) = letters.next() {
        inside.push(if letter == '\\' { letters.next()? } else { letter });
    }
    (!inside.contains("=?")).then_some(inside)
}

/// The parts of a field of addresses. `None`: one of them does not end.
fn pieces(text: &str) -> Option<Vec<(Kind, &str)>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            ' ' | '\t' => (Kind::Blank, run(rest, |letter| matches!(letter, ' ' | '\t'))),
            '"' => (Kind::Quoted, closed(rest, ('"', '"'))?),
            '(' => (Kind::Comment, closed(rest, ('(', ')'))?),
            '<' => (Kind::Angle, closed(rest, ('<', '>'))?),
            ',' | ';' | ':' => (Kind::Mark, 1),
            _ => (Kind::Atom, run(rest, |letter| !" \t\"(<,;:".contains(letter))),
        };
        let (piece, more) = rest.split_at_checked(length)?;
        pieces.push((kind, piece));
        rest = more;
    }
    Some(pieces)
}

/// Octets of the letters in front that are such.
fn run(text: &str, is_such: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !is_such(letter)).unwrap_or(text.len())
}

/// Octets up to the end of what opens here; comments stand in one another.
fn closed(text: &str, (opens, closes): (char, char)) -> Option<usize> {
    let mut depth = 0usize;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()?),
            _ if letter == closes && depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + letter.len_utf8());
                }
            }
            _ if letter == opens => depth += 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::in_ascii;

    fn check(field: &str, expected: &str) {
        let (name, value) = field.split_once(':').unwrap();
        let found = in_ascii(name.as_bytes(), format!("{value}\r\n").as_bytes());
        let found = found.map(|octets| String::from_utf8(octets).unwrap());
        let shown = found.as_deref().map(|octets| {
            assert!(octets.is_ascii() && octets.lines().all(|line| line.len() <= 78), "{octets}");
            mime::decode_words(&mime::unfold(octets.as_bytes())).trim().to_owned()
        });
        assert_eq!(shown.as_deref().unwrap_or("as it is"), expected, "{found:?}");
    }

    #[test]
    fn text_is_encoded_and_reads_as_before() {
        check("Subject: 日本", "日本");
        check("Subject: Re:  見積 の件 (3)", "Re:  見積 の件 (3)");
        let long = "長い件名".repeat(40);
        check(&format!("Subject: {long}"), &long);
        check("X-Note: caf\u{e9}\r\n  au lait", "caf\u{e9}  au lait");
        check("Subject: ascii", "as it is");
        check("Subject: =?UTF-8?Q?caf=C3=A9?= \u{e9}t\u{e9} ok", "caf\u{e9} \u{e9}t\u{e9} ok");
        check("Subject: \u{e9}t\u{e9}\r\n\tcaf\u{e9}", "\u{e9}t\u{e9} caf\u{e9}");
        check("Message-ID: <日本@example.jp>", "as it is");
        check("Content-Description: 説明 (1)", "説明 (1)");
        let field = "Content-Disposition: attachment; filename=\"日本.pdf\"";
        check(field, "attachment; filename*=UTF-8''%E6%97%A5%E6%9C%AC.pdf");
        check("List-Id: 日本 <a.example.jp>", "as it is");
    }

    #[test]
    fn names_and_comments_are_encoded_and_addresses_never() {
        check("From: 青井 葵 <aoi@example.jp>", "青井 葵 <aoi@example.jp>");
        check("From: \"青井, 葵\" <aoi@example.jp>", "青井, 葵 <aoi@example.jp>");
        check("From: \"青\\\"井\"<aoi@example.jp>", "青\"井 <aoi@example.jp>");
        check(
            "To: Aoi 葵 of Ume <a@b.jp>, 林 (営業) <c@d.jp>",
            "Aoi 葵 of Ume <a@b.jp>, 林 (営業) <c@d.jp>",
        );
        check("Cc: 営業: a@b.jp, 林 <c@d.jp>;", "営業 : a@b.jp, 林 <c@d.jp>;");
        check("Cc: c@d.jp (林)", "c@d.jp (林)");
        check("To: aoi@example.jp (葵 (林))", "aoi@example.jp (葵 (林))");
        check("To: =?UTF-8?B?6JG1?= 林 <a@b.jp>", "葵 林 <a@b.jp>");
        check("To: =?UTF-8?B?6JG1?= =?UTF-8?B?6JG1?=\r\n 林<a@b.jp>", "葵葵 林 <a@b.jp>");
        check("To: =?UTF-8?B?6JG1?= A <a@b.jp>, 林 <c@d.jp>", "葵 A <a@b.jp>, 林 <c@d.jp>");
        for field in [
            "From: 葵 <葵@example.jp>",
            "From: 葵@example.jp",
            "From: \"葵\"@example.jp",
            "From: aoi@例え.jp",
            "To: 葵 <aoi@example.jp",
            "To: \"葵 <aoi@example.jp>",
            "To: \"=?UTF-8?B?6JG1?= 林\" <aoi@example.jp>",
            "To: =?UTF-8?B?6JG1?=@example.jp, 林 <aoi@example.jp>",
        ] {
            check(field, "as it is");
        }
    }

    #[test]
    fn what_nobody_can_name_stays() {
        assert_eq!(in_ascii(b"Subject", b" \x93\xfa\x96{\r\n"), None);
    }
}
