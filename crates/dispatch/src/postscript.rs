//! The organisation's notice, put under what leaves the house: only where it can be read as it is
//! meant, and never into what is signed or encrypted. Otherwise the message leaves without it.

use crate::draft::Edit;
use data_encoding::BASE64;
use encoding_rs::Encoding as Charset;
use mime::{Encoding, Holds, Message, Part};

/// Multiparts within multiparts that are looked into.
const DEPTH: usize = 4;
/// A text in base64 is written anew as a whole: up to this much.
const BASE64_BYTES: usize = 4 * 1024 * 1024;
/// Octets of a line of quoted-printable, its soft end included (RFC 2045 §6.7 allows 76).
const LINE_BYTES: usize = 72;
/// What begins a message that is signed or encrypted inside its text (RFC 9580 §6.2).
const ARMOUR: &[u8] = b"-----BEGIN PGP";

/// The changes that put `notice` under the readable texts of a message; `None`: not safely.
pub(crate) fn put_under(octets: &[u8], notice: &str) -> Option<Vec<Edit>> {
    let (message, _) = mime::parse(octets);
    let mut leaves = Vec::new();
    gather(&message, 0, 0, &mut leaves)?;
    leaves.into_iter().map(|part| put_under_part(&message, part, notice)).collect()
}

/// The texts that a reader sees first: the only one, the first of several, or each of those that
/// stand for one another.
fn gather<'m>(
    message: &'m Message<'_>,
    index: usize,
    depth: usize,
    leaves: &mut Vec<&'m Part>,
) -> Option<()> {
    let part = message.part(index).filter(|_| depth <= DEPTH)?;
    let kind = &part.content_type;
    match part.holds {
        Holds::Octets if kind.is("text", "plain") || kind.is("text", "html") => {
            let attached = message.disposition(part).is_some_and(|how| how.kind == "attachment");
            leaves.push(part);
            (!attached && memchr::memmem::find(message.slice(&part.body), ARMOUR).is_none())
                .then_some(())
        }
        Holds::Parts if kind.is("multipart", "mixed") || kind.is("multipart", "related") => {
            gather(message, *part.children.first()?, depth + 1, leaves)
        }
        Holds::Parts if kind.is("multipart", "alternative") => {
            for child in &part.children {
                // Beside the texts may stand a calendar's entry, which is for programs.
                let child_part = message.part(*child)?;
                let is_other = child_part.holds == Holds::Octets
                    && !child_part.content_type.is("text", "plain")
                    && !child_part.content_type.is("text", "html");
                if !is_other {
                    gather(message, *child, depth + 1, leaves)?;
                }
            }
            (!leaves.is_empty()).then_some(())
        }
        _ => None,
    }
}

fn put_under_part(message: &Message<'_>, part: &Part, notice: &str) -> Option<Edit> {
    let is_page = part.content_type.is("text", "html");
    let added = if is_page { page(notice) } else { plain(notice, part) }?;
    let body = message.slice(&part.body);
    // Within a multipart the last line end belongs to the boundary.
    let end: &[u8] = if part.parent.is_none() { b"\r\n" } else { b"" };
    match part.encoding {
        Encoding::Identity => {
            let says_eight =
                message.value(part, "content-transfer-encoding").is_some_and(|value| {
                    let value = value.to_ascii_lowercase();
                    value.starts_with(b"8bit") || value.starts_with(b"binary")
                });
            if !added.is_ascii() && !says_eight {
                return None;
            }
            let at = place(body, is_page);
            let end = if at < body.len() { b"" } else { end };
            Some(insert(part.body.start + at, &[before(body, at, is_page), &added, end]))
        }
        Encoding::QuotedPrintable => {
            // A soft end with nothing behind it: what it was to join is not there.
            if body.trim_ascii_end().ends_with(b"=") {
                return None;
            }
            let at = place(body, is_page);
            let written = quoted_printable(&added);
            let joined: &[u8] = if at < body.len() { b"=\r\n" } else { b"" };
            let end = if at < body.len() { joined } else { end };
            let before = before(body, at, is_page);
            Some(insert(part.body.start + at, &[joined, before, &written, end]))
        }
        Encoding::Base64 if body.len() <= BASE64_BYTES => {
            let mut content = message.content(part).into_owned();
            let at = place(&content, is_page);
            let piece = [before(&content, at, is_page), &added].concat();
            content.splice(at..at, piece);
            let with = [lines_of_base64(&content).as_slice(), end].concat();
            Some(Edit { start: part.body.start, end: part.body.end, with })
        }
        _ => None,
    }
}

fn insert(at: usize, pieces: &[&[u8]]) -> Edit {
    Edit { start: at, end: at, with: pieces.concat() }
}

/// Where it goes: at the end, or before the end of a page's body.
fn place(text: &[u8], is_page: bool) -> usize {
    let lower = if is_page { text.to_ascii_lowercase() } else { Vec::new() };
    memchr::memmem::rfind(&lower, b"</body").unwrap_or(text.len())
}

/// What parts it from the text: an empty line; a page has its own rule.
fn before(text: &[u8], at: usize, is_page: bool) -> &'static [u8] {
    match () {
        () if is_page || at == 0 => b"",
        () if text.ends_with(b"\r\n") => b"\r\n",
        () => b"\r\n\r\n",
    }
}

/// The notice as octets of the text's own charset.
fn plain(notice: &str, part: &Part) -> Option<Vec<u8>> {
    let text = lines(notice).join("\r\n");
    let label = part.content_type.charset().unwrap_or_else(|| "us-ascii".to_owned());
    let label = label.trim().to_ascii_lowercase();
    if matches!(label.as_str(), "us-ascii" | "ascii") {
        return text.is_ascii().then(|| text.into_bytes());
    }
    let charset = Charset::for_label(label.as_bytes())?;
    let (octets, really, has_unwritable) = charset.encode(&text);
    (really == charset && !has_unwritable).then(|| octets.into_owned())
}

/// Numbers instead of letters beyond ASCII: the same in every charset that a page can have.
fn page(notice: &str) -> Option<Vec<u8>> {
    let mut page = String::from("<hr><p>");
    for (number, line) in lines(notice).into_iter().enumerate() {
        page.push_str(if number > 0 { "<br>\r\n" } else { "" });
        for letter in line.chars() {
            match letter {
                '&' => page.push_str("&amp;"),
                '<' => page.push_str("&lt;"),
                '>' => page.push_str("&gt;"),
                letter if letter.is_ascii() => page.push(letter),
                letter => page.push_str(&format!("&#{};", u32::from(letter))),
            }
        }
    }
    page.push_str("</p>");
    Some(page.into_bytes())
}

/// Lines without control characters: one of them could end ours.
fn lines(notice: &str) -> Vec<String> {
    let clean = |line: &str| line.chars().filter(|letter| !letter.is_control()).collect();
    notice.trim_end().lines().map(clean).collect()
}

/// RFC 2045 §6.7; line ends stay line ends.
fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(octets.len() * 2);
    let mut line = 0;
    let mut rest = octets.iter().peekable();
    while let Some(octet) = rest.next() {
        if *octet == b'\r' && rest.peek() == Some(&&b'\n') {
            rest.next();
            written.extend_from_slice(b"\r\n");
            line = 0;
            continue;
        }
        if line + 3 >= LINE_BYTES {
            written.extend_from_slice(b"=\r\n");
            line = 0;
        }
        let is_last = matches!(rest.peek(), None | Some(&&b'\r'));
        match octet {
            b'=' | ..=31 | 127.. => written.extend_from_slice(format!("={octet:02X}").as_bytes()),
            b' ' if is_last => written.extend_from_slice(b"=20"),
            plain => written.push(*plain),
        }
        line += if matches!(octet, b'=' | ..=31 | 127..) { 3 } else { 1 };
    }
    written
}

fn lines_of_base64(octets: &[u8]) -> Vec<u8> {
    let lines = octets.chunks(57).map(|line| BASE64.encode(line));
    lines.collect::<Vec<String>>().join("\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::put_under;
    use crate::draft::Draft;

    const NOTICE: &str = "社外秘です。\nConfidential & <private>";

    fn written(text: &str, notice: &str) -> Option<String> {
        let mut draft = Draft::default();
        put_under(text.as_bytes(), notice)?.into_iter().for_each(|edit| draft.change(edit));
        let mut all = Vec::new();
        let mut take = |piece: &[u8]| {
            all.extend_from_slice(piece);
            Ok::<_, ()>(())
        };
        draft.each_piece(text.as_bytes(), (0, text.len()), &mut take).unwrap();
        assert_eq!(draft.len(text.len() as u64), all.len() as u64);
        Some(String::from_utf8(all).unwrap())
    }

    /// The readable texts of a message, decoded.
    fn read(text: &str) -> Vec<String> {
        let (message, _) = mime::parse(text.as_bytes());
        let texts = message.parts().iter().filter(|part| part.content_type.main == "text");
        let text = |part: &mime::Part| {
            let octets = message.content(part);
            mime::decode_charset(part.content_type.charset().as_deref(), &octets).text
        };
        texts.map(text).collect()
    }

    fn one(kind: &str, encoding: &str, body: &str) -> String {
        format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}")
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let written = written(text, NOTICE).unwrap();
        let found = read(&written);
        assert_eq!(found, expected, "{written}");
        let head = text.split_once("\r\n\r\n").unwrap().0;
        assert!(written.starts_with(head));
    }

    #[test]
    fn it_stands_under_texts_of_every_kind() {
        let under = "hello\r\n\r\n社外秘です。\r\nConfidential & <private>\r\n";
        check(&one("text/plain; charset=utf-8", "8bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=UTF-8", "quoted-printable", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=iso-2022-jp", "7bit", "hello\r\n"), &[under]);
        let under = under.trim_end();
        check(&one("text/plain; charset=shift_jis", "base64", "aGVsbG8=\r\n"), &[under]);
        check(&one("text/plain; charset=utf-8", "base64", "aGVsbG8NCg==\r\n"), &[under]);
        let page = "<html><body>hi<hr><p>&#31038;&#22806;&#31192;&#12391;&#12377;&#12290;<br>\r\n\
            Confidential &amp; &lt;private&gt;</p></BODY></html>\r\n";
        let html = "<html><body>hi</BODY></html>\r\n";
        check(&one("text/html", "7bit", html), &[page]);
        check(&one("text/html; charset=utf-8", "quoted-printable", html), &[page]);
    }

    #[test]
    fn it_stands_under_the_texts_that_are_read_first() {
        let text = "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: \
            multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\nhello\r\n--a\r\nContent-Type: \
            text/html\r\n\r\n<b>hello</b>\r\n--a\r\nContent-Type: text/calendar\r\n\r\nBEGIN\r\n\
            --a--\r\n--m\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: \
            attachment\r\n\r\nfile\r\n--m--\r\n";
        let written = written(text, "Ours.").unwrap();
        let expected = ["hello\r\n\r\nOurs.", "<b>hello</b><hr><p>Ours.</p>", "BEGIN", "file"];
        assert_eq!(read(&written), expected, "{written}");
    }

    #[test]
    fn it_is_left_out_where_it_could_do_harm() {
        let none = |text: &str| assert_eq!(written(text, NOTICE), None, "{text}");
        let multi = |kind: &str| {
            format!("Content-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b--\r\n")
        };
        none(&multi("signed"));
        none(&multi("encrypted"));
        none(&multi("report"));
        none(&one("application/pkcs7-mime", "base64", "aGVsbG8=\r\n"));
        none(&one("text/plain", "7bit", "hello\r\n"));
        none(&one("text/plain; charset=utf-8", "7bit", "hello\r\n"));
        none(&one("text/plain; charset=iso-8859-1", "8bit", "hello\r\n"));
        none(&one("text/plain; charset=utf-16", "base64", "AGgAaQ==\r\n"));
        none(&one("text/plain; charset=no-such", "8bit", "hello\r\n"));
        none(&one("text/plain; charset=utf-8", "x-uuencode", "begin\r\n"));
        none(&one("text/plain; charset=utf-8", "quoted-printable", "hello=\r\n"));
        none(&one("text/plain; charset=utf-8", "8bit", "-----BEGIN PGP MESSAGE-----\r\n"));
        none(&one("text/calendar; charset=utf-8", "8bit", "BEGIN:VCALENDAR\r\n"));
        let nested = format!(
            "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n{}\r\n--o--\r\n",
            multi("signed")
        );
        none(&nested);
    }

    #[test]
    fn an_ascii_notice_goes_under_plain_ascii() {
        let text = "From: a@b\r\n\r\nhello\r\n";
        assert_eq!(written(text, "Ours.\n").unwrap(), "From: a@b\r\n\r\nhello\r\n\r\nOurs.\r\n");
        let long = "=".repeat(200);
        let text = one("text/plain; charset=utf-8", "quoted-printable", "x\r\n");
        let written = written(&text, &long).unwrap();
        assert!(written.lines().all(|line| line.len() <= 76), "{written}");
        assert_eq!(read(&written), [format!("x\r\n\r\n{long}\r\n")]);
    }
}
