//! Bodies written anew so that every server takes them as they are signed: no line longer than 998
//! octets (RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1), and texts in seven bits, for not every server
//! takes eight (RFC 6152 §3). Long header fields are folded. With it goes the organisation's
//! notice, which may be in letters that the text was not in.
//!
//! What is signed or encrypted stays as it is, and so does mail that is attached, unless a line of
//! it is too long for anybody.

use crate::draft::{Draft, Edit};
use crate::header::Header;
use crate::postscript::{self, Content};
use crate::stop::{Step, Stop};
use crate::wording;
use data_encoding::BASE64;
use mime::{ContentType, Encoding, Field, Holds, Message, Part};
use std::collections::HashSet;
use std::convert::Infallible;

/// Octets of a line, without its end.
const LINE_BYTES: usize = 998;
/// Octets of a line of quoted-printable, its soft end included (RFC 2045 §6.7 allows 76).
const PRINTABLE_BYTES: usize = 72;
/// Of so many octets one may be beyond ASCII, or base64 is shorter than quoted-printable.
const MOSTLY_ASCII: usize = 6;

/// Puts `notice` under the texts of a message (empty: none is wanted), and makes its lines and
/// octets such as every server takes. Whether the notice stands there.
pub(crate) fn fit(
    draft: &mut Draft,
    octets: &[u8],
    header: &Header<'_>,
    notice: &str,
) -> Step<bool> {
    let notice = Some(notice).filter(|notice| !notice.trim().is_empty());
    if notice.is_none() && is_plain(octets) {
        return Ok(true);
    }
    let (message, _) = mime::parse(octets);
    // Where both readers see another end of the header, and where nothing follows, nothing is
    // changed.
    let root = message.part(0).filter(|root| root.header.end == header.end);
    let root = root.filter(|_| header.end < octets.len());
    let mut is_whole = notice.is_none();
    if let Some(root) = root {
        let under = notice.and_then(|notice| noted(&message, notice));
        is_whole |= under.is_some();
        let edits = rewritten(&message, root, under.unwrap_or_default());
        edits.into_iter().for_each(|edit| draft.change(edit));
    }
    let (is_ascii, longest) = measured(draft, octets);
    if longest > LINE_BYTES {
        return Err(too_long(draft, octets, header.end));
    }
    if is_ascii {
        let parts = message.parts().iter().filter(|part| part.holds != Holds::Octets);
        parts.filter_map(|part| seven_bits(&message, part)).for_each(|edit| draft.change(edit));
    }
    Ok(is_whole)
}

/// Whether there is nothing to do.
fn is_plain(octets: &[u8]) -> bool {
    octets.is_ascii() && !has_long_line(octets)
}

fn has_long_line(octets: &[u8]) -> bool {
    let mut begin = 0;
    let mut ends = memchr::memchr_iter(b'\n', octets).chain([octets.len() + 1]);
    ends.any(|end| {
        let length = end.saturating_sub(begin);
        begin = end + 1;
        length > LINE_BYTES + 1
    })
}

/// A part as it is to be, with the notice.
type Under<'m> = (&'m Part, postscript::Put);

fn noted<'m>(message: &'m Message<'_>, notice: &str) -> Option<Vec<Under<'m>>> {
    let leaves = postscript::leaves(message)?;
    // Where a field could not be changed, another one would stand beside it.
    leaves
        .into_iter()
        .map(|part| {
            let put = postscript::put_under_part(message, part, notice)?;
            let is_possible =
                matches!(put, postscript::Put::Insert(_)) || field_place(message, part).is_some();
            is_possible.then_some((part, put))
        })
        .collect()
}

/// All changes of a message.
fn rewritten(message: &Message<'_>, root: &Part, under: Vec<Under<'_>>) -> Vec<Edit> {
    let (mut edits, mut done, mut is_mime) = (Vec::new(), HashSet::new(), false);
    for (part, put) in under {
        done.insert(part.body.start);
        match put {
            postscript::Put::Insert(edit) => edits.push(edit),
            postscript::Put::Anew(content) => {
                edits.extend(anew(message, part, &content));
                is_mime = true;
            }
        }
    }
    for part in message.parts() {
        if is_sealed(message, part) {
            continue;
        }
        let is_due = part.holds == Holds::Octets
            && part.encoding == Encoding::Identity
            && !done.contains(&part.body.start)
            && needs_it(message, part);
        if is_due && field_place(message, part).is_some() {
            let content = message.slice(&part.body).to_vec();
            edits.extend(anew(message, part, &Content { octets: content, is_utf8: false }));
            is_mime = true;
        }
        // A field that says something else by now is left as it was set.
        let is_set = |field: &&Field| edits.iter().any(|edit| edit.start == field.start);
        // Of mail that is attached, the header is its author's.
        if part.parent.is_none() || !is_attached_mail(message, part) {
            let fields = message.fields(part).iter().filter(|field| !is_set(field));
            let worded: Vec<Edit> = fields.filter_map(|field| worded(message, field)).collect();
            edits.extend(worded);
        }
        let is_set = |field: &&Field| edits.iter().any(|edit| edit.start == field.start);
        let long = message.fields(part).iter().filter(|field| !is_set(field));
        let long: Vec<Edit> = long.filter_map(|field| folded(message, field)).collect();
        edits.extend(long);
    }
    if is_mime && message.value(root, "mime-version").is_none() {
        add_field(&mut edits, field_place(message, root), "MIME-Version: 1.0\r\n");
    }
    edits
}

/// A further field where others may be added already: in one place there is one change.
fn add_field(edits: &mut Vec<Edit>, place: Option<usize>, field: &str) {
    let Some(place) = place else { return };
    let known = edits.iter_mut().find(|edit| edit.start == place && edit.end == place);
    match known {
        Some(edit) => edit.with.extend_from_slice(field.as_bytes()),
        None => edits.push(Edit { start: place, end: place, with: field.as_bytes().to_vec() }),
    }
}

fn needs_it(message: &Message<'_>, part: &Part) -> bool {
    let body = message.slice(&part.body);
    let kind = &part.content_type;
    // RFC 2046 §5.2, RFC 2045 §6.4: these are in seven bits, or their own kind of mail.
    if matches!(kind.main.as_str(), "multipart" | "message") {
        return false;
    }
    has_long_line(body) || (!body.is_ascii() && !is_attached_mail(message, part))
}

/// Within mail that is attached.
fn is_attached_mail(message: &Message<'_>, part: &Part) -> bool {
    above(message, part).any(|part| part.holds == Holds::Message)
}

/// Within what is signed or encrypted, octet for octet (RFC 1847).
fn is_sealed(message: &Message<'_>, part: &Part) -> bool {
    above(message, part).any(|part| {
        let kind = &part.content_type;
        kind.is("multipart", "signed") || kind.is("multipart", "encrypted")
    })
}

fn above<'m>(message: &'m Message<'_>, part: &'m Part) -> impl Iterator<Item = &'m Part> {
    let parent = |part: &&Part| part.parent.and_then(|parent| message.part(parent));
    std::iter::successors(parent(&part), move |part| parent(part))
}

/// A part with other contents, in seven bits and short lines, and fields that say so.
fn anew(message: &Message<'_>, part: &Part, content: &Content) -> Vec<Edit> {
    let Content { octets, is_utf8 } = content;
    let beyond = octets.iter().filter(|octet| !octet.is_ascii()).count();
    let is_text = part.content_type.main == "text";
    let is_printable = is_text && beyond.saturating_mul(MOSTLY_ASCII) <= octets.len();
    // Within a multipart the last line end belongs to the boundary.
    let end: &[u8] = if part.parent.is_none() { b"\r\n" } else { b"" };
    let (word, with) = match is_printable {
        true => ("quoted-printable", quoted_printable(octets)),
        false => ("base64", [lines_of_base64(octets).as_slice(), end].concat()),
    };
    let mut edits = vec![Edit { start: part.body.start, end: part.body.end, with }];
    let encoding = format!("Content-Transfer-Encoding: {word}\r\n");
    set_field(message, part, ("content-transfer-encoding", &encoding), &mut edits);
    let has_type = message.value(part, "content-type").is_some();
    if *is_utf8 {
        let kind = in_utf8(&part.content_type);
        set_field(message, part, ("content-type", &kind), &mut edits);
    } else if !has_type && beyond > 0 {
        // RFC 1428 §3: a name for letters that nobody named.
        let is_utf8 = std::str::from_utf8(octets).is_ok();
        let charset = if is_utf8 { "utf-8" } else { "unknown-8bit" };
        let kind = format!("Content-Type: text/plain; charset={charset}\r\n");
        set_field(message, part, ("content-type", &kind), &mut edits);
    }
    edits
}

/// The type as it was, but in UTF-8.
fn in_utf8(kind: &ContentType) -> String {
    let mut field = format!("Content-Type: {}; charset=utf-8", kind.essence());
    for parameter in kind.parameters.iter().filter(|one| one.name != "charset") {
        let is_plain = |octet: &u8| matches!(octet, b' '..=b'~') && !b"\"\\".contains(octet);
        // RFC 3676 is what stands in a text's type; the rest is for files.
        if parameter.value.iter().all(is_plain) && parameter.value.len() < PRINTABLE_BYTES {
            let value = String::from_utf8_lossy(&parameter.value);
            field.push_str(&format!(";\r\n\t{}=\"{value}\"", parameter.name));
        }
    }
    field + "\r\n"
}

/// Where a further field of a part goes: before its empty line. `None`: it has none.
fn field_place(message: &Message<'_>, part: &Part) -> Option<usize> {
    let header = message.slice(&part.header);
    let has_end = header == b"\r\n" || header.ends_with(b"\r\n\r\n");
    has_end.then_some(part.header.end.saturating_sub(2))
}

fn set_field(
    message: &Message<'_>,
    part: &Part,
    (name, field): (&str, &str),
    edits: &mut Vec<Edit>,
) {
    let named = |one: &&Field| message.name(one).eq_ignore_ascii_case(name.as_bytes());
    let mut known = message.fields(part).iter().filter(named);
    match known.next() {
        Some(Field { start, end, .. }) => {
            edits.push(Edit { start: *start, end: *end, with: field.as_bytes().to_vec() });
        }
        None => add_field(edits, field_place(message, part), field),
    }
    // Of two, one reader takes the first and another the last.
    edits.extend(known.map(|one| Edit { start: one.start, end: one.end, with: Vec::new() }));
}

/// What holds others says of them what is true now.
fn seven_bits(message: &Message<'_>, part: &Part) -> Option<Edit> {
    if is_sealed(message, part) {
        return None;
    }
    let named = |one: &&Field| message.name(one).eq_ignore_ascii_case(b"content-transfer-encoding");
    let field = message.fields(part).iter().find(named)?;
    let value = mime::unfold(message.raw_value(field)).to_ascii_lowercase();
    let is_wide = value.starts_with(b"8bit") || value.starts_with(b"binary");
    let with = b"Content-Transfer-Encoding: 7bit\r\n".to_vec();
    is_wide.then_some(Edit { start: field.start, end: field.end, with })
}

/// A field's text in ASCII, if it has other letters and can be written so.
fn worded(message: &Message<'_>, field: &Field) -> Option<Edit> {
    let start = field.colon + 1;
    let value = message.slice(&(start..field.end));
    let with = wording::in_ascii(message.name(field), value)?;
    Some(Edit { start, end: field.end, with })
}

/// RFC 5322 §2.2.3: a field whose lines are too long, with more of them. Before a blank, where
/// something stands on both sides of the new line end.
fn folded(message: &Message<'_>, field: &Field) -> Option<Edit> {
    let whole = message.slice(&(field.start..field.end));
    if !has_long_line(whole) {
        return None;
    }
    let mut with = Vec::with_capacity(whole.len() + 64);
    for line in whole.split_inclusive(|octet| *octet == b'\n') {
        let mut rest = line;
        while rest.len() > LINE_BYTES + 2 {
            let Some(at) = fold(rest) else { break };
            let (front, behind) = rest.split_at(at);
            with.extend_from_slice(front);
            with.extend_from_slice(b"\r\n");
            rest = behind;
        }
        with.extend_from_slice(rest);
    }
    Some(Edit { start: field.start, end: field.end, with })
}

/// The last place of a line at which it can be folded and is short enough.
fn fold(line: &[u8]) -> Option<usize> {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let begin = line.iter().position(|octet| !is_blank(octet))?;
    let last = line.len().min(LINE_BYTES);
    let can_be = |at: &usize| {
        let (before, behind) = (at.checked_sub(1), at + 1);
        line.get(*at).is_some_and(is_blank)
            && before.and_then(|before| line.get(before)).is_some_and(|octet| !is_blank(octet))
            && line.get(behind..).is_some_and(|rest| !rest.trim_ascii().is_empty())
    };
    (begin + 1..=last).rev().find(can_be)
}

/// Whether the header that leaves has letters beyond ASCII, in UTF-8. Other octets there are old
/// mail's way: nobody knows what they mean, and they pass as they are.
pub(crate) fn has_utf8_header(draft: &Draft, octets: &[u8], header: usize) -> bool {
    // What is written anew in a header is ASCII: nothing else can bring other letters there.
    if octets.get(..header).unwrap_or_default().is_ascii() {
        return false;
    }
    let head = written(draft, octets, header);
    !head.is_ascii() && std::str::from_utf8(&head).is_ok()
}

fn written(draft: &Draft, octets: &[u8], header: usize) -> Vec<u8> {
    let mut head = Vec::new();
    let mut take = |piece: &[u8]| {
        head.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let Ok(()) = draft.each_piece(octets, (0, header), &mut take);
    head
}

/// Whether all of it is ASCII, and its longest line.
fn measured(draft: &Draft, octets: &[u8]) -> (bool, usize) {
    let (mut is_ascii, mut longest, mut line) = (true, 0, 0);
    let mut take = |piece: &[u8]| {
        is_ascii &= piece.is_ascii();
        let mut pieces = piece.split(|octet| *octet == b'\n');
        line += pieces.next().unwrap_or_default().len();
        for piece in pieces {
            longest = longest.max(line.saturating_sub(1));
            line = piece.len();
        }
        Ok::<_, Infallible>(())
    };
    let Ok(()) = draft.each_piece(octets, (0, octets.len()), &mut take);
    (is_ascii, longest.max(line))
}

/// RFC 3463: 5.6.0 for what stands in a form that cannot leave.
fn too_long(draft: &Draft, octets: &[u8], header: usize) -> Stop {
    let head = written(draft, octets, header);
    let of_field = head.split(|octet| *octet == b'\n').find(|line| line.len() > LINE_BYTES + 1);
    let text = match of_field {
        Some(_) => {
            "a field of this message's header has a line of more than 998 octets and no blank to \
             fold it at (RFC 5322, 2.1.1)"
        }
        None => {
            "a line of this message has more than 998 octets where it cannot be encoded anew: in \
             what is signed or encrypted, or between its parts (RFC 5322, 2.1.1)"
        }
    };
    Stop::no(554, (6, 0), text)
}

/// RFC 2045 §6.7; line ends stay line ends.
pub(crate) fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut written = Vec::with_capacity(octets.len() + octets.len() / 4);
    let mut line = 0;
    let mut rest = octets.iter().peekable();
    while let Some(octet) = rest.next() {
        if *octet == b'\r' && rest.peek() == Some(&&b'\n') {
            rest.next();
            written.extend_from_slice(b"\r\n");
            line = 0;
            continue;
        }
        let is_last = matches!(rest.peek(), None | Some(&&b'\r'));
        let is_plain = matches!(octet, b' '..=b'~') && *octet != b'=';
        let is_plain = is_plain && !(*octet == b' ' && is_last);
        if line + 3 >= PRINTABLE_BYTES {
            written.extend_from_slice(b"=\r\n");
            line = 0;
        }
        match is_plain {
            true => written.push(*octet),
            false => {
                let digit = |at: u8| DIGITS.get(usize::from(at)).copied().unwrap_or(b'0');
                written.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet & 15)]);
            }
        }
        line += if is_plain { 1 } else { 3 };
    }
    written
}

pub(crate) fn lines_of_base64(octets: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(octets.len() / 57 * 78 + 80);
    for (number, line) in octets.chunks(57).enumerate() {
        written.extend_from_slice(if number > 0 { b"\r\n" } else { b"" });
        written.extend_from_slice(BASE64.encode(line).as_bytes());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::fit;
    use crate::draft::Draft;
    use crate::header::Header;
    use crate::stop::{Step, Stop};

    fn written(octets: &[u8]) -> Step<Vec<u8>> {
        let mut draft = Draft::default();
        let header = Header::read(octets)?;
        fit(&mut draft, octets, &header, "")?;
        let mut all = Vec::new();
        let mut take = |piece: &[u8]| {
            all.extend_from_slice(piece);
            Ok::<_, ()>(())
        };
        draft.each_piece(octets, (0, header.end), &mut take).unwrap();
        draft.each_piece(octets, (header.end, octets.len()), &mut take).unwrap();
        assert_eq!(draft.len(octets.len() as u64), all.len() as u64);
        Ok(all)
    }

    /// Every part reads as before, and all of it is short, in seven bits, and said to be so.
    #[track_caller]
    fn check(text: impl AsRef<[u8]>, words: &[&str]) -> String {
        let before = text.as_ref();
        let Ok(after) = written(before) else { panic!("refused") };
        assert!(after.is_ascii() && after.split(|octet| *octet == b'\n').all(|l| l.len() < 1000));
        let read = |octets: &[u8]| -> Vec<Vec<u8>> {
            let (message, _) = mime::parse(octets);
            let leaves = message.parts().iter().filter(|part| part.children.is_empty());
            leaves.map(|part| message.content(part).into_owned()).collect()
        };
        let text = String::from_utf8(after.clone()).unwrap();
        assert_eq!(read(&after), read(before), "{text}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        text
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        match written(text.as_bytes()) {
            Err(Stop::Refused(554, (6, 0), words)) => assert!(words.contains(expected), "{words}"),
            _ => panic!("not refused"),
        }
    }

    fn long() -> String {
        "a".repeat(3_000)
    }

    #[test]
    fn long_lines_are_encoded() {
        let printable = "Content-Transfer-Encoding: quoted-printable\r\n";
        let mime = "MIME-Version: 1.0\r\n";
        check(format!("Subject: x\r\n\r\nhi\r\n{}\r\nbye \r\n", long()), &[printable, mime]);
        let text = format!("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{}\r\n", long());
        assert_eq!(check(text, &[printable]).matches("MIME-Version").count(), 1);
        let mixed = format!(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\n{0}\
             \r\n--m\r\nContent-Type: image/png\r\n\r\n{0}\r\n--m\r\nContent-Type: text/plain\r\n\
             \r\nshort = x\r\n--m--\r\n",
            long()
        );
        let text = check(&mixed, &[printable, "Content-Transfer-Encoding: base64\r\n"]);
        assert!(text.contains("\r\nshort = x\r\n"), "{text}");
        // Attached mail, too: no server would take it.
        let attached =
            format!("Content-Type: message/rfc822\r\n\r\nSubject: in it\r\n\r\n{}\r\n", long());
        check(attached, &[printable]);
    }

    #[test]
    fn texts_are_in_seven_bits() {
        let base64 = "Content-Transfer-Encoding: base64\r\n";
        let text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: 8bit\r\n\r\nこんにちは、世界。\r\n";
        let text = check(text, &[base64]);
        assert!(!text.contains("8bit"), "{text}");
        let western = "Content-Type: text/plain; charset=utf-8\r\n\r\nRené wrote to all of us\r\n";
        check(western, &["quoted-printable\r\n", "Ren=C3=A9", "MIME-Version: 1.0\r\n"]);
        // Nobody said what they are.
        check("Subject: x\r\n\r\nこんにちは\r\n", &["Content-Type: text/plain; charset=utf-8\r\n"]);
        let unknown = b"Subject: x\r\n\r\n\x82\xb1\x82\xf1\r\n";
        check(unknown, &["Content-Type: text/plain; charset=unknown-8bit\r\n"]);
        let mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\
            Content-Transfer-Encoding: 8bit\r\n\r\n--m\r\nContent-Type: text/plain; \
            charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n日本語\r\n--m\r\n\r\nx\r\n\
            --m--\r\n";
        let text = check(mixed, &[base64, "Content-Transfer-Encoding: 7bit\r\n"]);
        assert!(text.contains("--m\r\n\r\nx\r\n--m--\r\n") && !text.contains("8bit"), "{text}");
        // What nothing is amiss with, and what is signed, is left.
        let same = |text: &str| {
            assert_eq!(written(text.as_bytes()).ok(), Some(text.as_bytes().to_vec()), "{text}");
        };
        same("Subject: x\r\n\r\nhello\r\n");
        same(
            "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain; \
             charset=utf-8\r\n\r\n署名\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n\
             sig\r\n--s--\r\n",
        );
        same("Content-Type: message/rfc822\r\n\r\nSubject: in it\r\n\r\n日本語\r\n");
    }

    #[test]
    fn names_of_files_are_in_ascii() {
        let text = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; \
            boundary=m\r\n\r\n--m\r\nContent-Type: text/csv; name=\"表.csv\"\r\n\
            Content-Disposition: attachment; filename=\"表.csv\"\r\nContent-Description: 表\r\n\
            \r\na,b\r\n--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\
            Content-Type: text/plain; name=a\r\n\r\nb\r\n--m--\r\n";
        let words = ["name*=UTF-8''%E8%A1%A8.csv", "filename*=UTF-8''", "=?UTF-8?B?6KGo?="];
        check(text, &words);
    }

    #[test]
    fn long_fields_are_folded() {
        let many = vec!["someone@there.example,"; 120].join(" ");
        let text = format!("To: {many}\r\n\tlast@there.example\r\nSubject: x\r\n\r\nhi\r\n");
        let folded = check(&text, &["\r\n someone@there.example,"]);
        assert_eq!(folded.replace("\r\n someone", " someone"), text);
        refused(&format!("Subject: {}\r\n\r\nhi\r\n", long()), "no blank to fold it at");
        let blanks = " ".repeat(3_000);
        refused(&format!("Subject: x{blanks}\r\n\r\nhi\r\n"), "no blank to fold it at");
    }

    #[test]
    fn what_cannot_be_encoded_anew_is_refused() {
        let cannot = "cannot be encoded anew";
        let signed = format!(
            "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n{}\r\n--s--\r\n",
            long()
        );
        refused(&signed, cannot);
        let between = format!(
            "Content-Type: multipart/mixed; boundary=s\r\n\r\n{}\r\n--s\r\n\r\nhi\r\n--s--\r\n",
            long()
        );
        refused(&between, cannot);
    }

    #[test]
    fn fuzz_all_of_it_reads_as_before() {
        let pieces = [
            "\r\n",
            "\r\n\r\n",
            "--m\r\n",
            "--m--\r\n",
            "Content-Type: ",
            "text/plain",
            "; ",
            "charset=utf-8",
            "multipart/mixed; boundary=m",
            "message/rfc822",
            "Content-Transfer-Encoding: 8bit\r\n",
            "Content-Transfer-Encoding: base64\r\n",
            "日本",
            "multipart/signed; boundary=m",
            "hello ",
            "=",
            " ",
            "X: y\r\n",
            "long",
        ];
        let mut state = 9u64;
        let mut roll = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut read = 0;
        for _ in 0..20_000 {
            let mut text = "Subject: x\r\n".to_owned();
            for _ in 0..roll(30) {
                match pieces[roll(pieces.len())] {
                    "long" => text.push_str(&"w ".repeat(600)),
                    piece => text.push_str(piece),
                }
            }
            let Ok(after) = written(text.as_bytes()) else { continue };
            read += 1;
            assert!(after.split(|octet| *octet == b'\n').all(|line| line.len() < 1_000));
            let contents = |octets: &[u8]| -> Vec<Vec<u8>> {
                let (message, _) = mime::parse(octets);
                let leaves = message.parts().iter().filter(|part| part.children.is_empty());
                leaves.map(|part| message.content(part).trim_ascii_end().to_vec()).collect()
            };
            assert_eq!(contents(&after), contents(text.as_bytes()), "{text:?}");
        }
        assert!(read > 2_000, "{read}");
    }
}
