//! The organisation's notice, put under what leaves the house: where it can be read as it is meant,
//! in the text's own letters or else in UTF-8, and never into what is signed or encrypted. There
//! the message leaves without it.

use crate::draft::Edit;
use crate::recoding::{lines_of_base64, quoted_printable};
use encoding_rs::Encoding as Charset;
use mime::{Encoding, Holds, Message, Part};

/// Multiparts within multiparts that are looked into.
const DEPTH: usize = 4;
/// A text is written anew as a whole: up to this much.
const WHOLE_BYTES: usize = 4 * 1024 * 1024;
/// RFC 5322 §2.1.1.
const LINE_BYTES: usize = 998;
/// What begins a message that is signed or encrypted inside its text (RFC 9580 §6.2).
const ARMOUR: &[u8] = b"-----BEGIN PGP";

/// What becomes of a text that gets the notice.
pub(crate) enum Put {
    /// All of it stays, and this goes in.
    Insert(Edit),
    /// It is written anew.
    Anew(Content),
}

/// What a part is to contain, without a transfer encoding.
pub(crate) struct Content {
    pub octets: Vec<u8>,
    /// It is in UTF-8 now, whatever it was in before.
    pub is_utf8: bool,
}

/// The texts that get the notice; `None`: it cannot be put under them safely.
pub(crate) fn leaves<'m>(message: &'m Message<'_>) -> Option<Vec<&'m Part>> {
    let mut leaves = Vec::new();
    gather(message, 0, 0, &mut leaves)?;
    Some(leaves)
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

/// One text with the notice: as it was and something added, or written anew, where its letters or
/// its lines would not do for both.
pub(crate) fn put_under_part(message: &Message<'_>, part: &Part, notice: &str) -> Option<Put> {
    let is_page = part.content_type.is("text", "html");
    let added = if is_page { page(notice) } else { plain(notice, part) };
    let body = message.slice(&part.body);
    // A soft end with nothing behind it: what it was to join is not there.
    let is_cut = body.trim_ascii_end().ends_with(b"=");
    match (part.encoding, added) {
        (Encoding::Unknown | Encoding::Uuencode, _) => None,
        (Encoding::QuotedPrintable, _) if is_cut => None,
        (Encoding::Identity, Some(added)) if is_plain(body) && is_plain(&added) => {
            Some(Put::Insert(inserted(part, body, &added)))
        }
        (Encoding::QuotedPrintable, Some(added)) => {
            Some(Put::Insert(inserted_printable(part, body, &added)))
        }
        (Encoding::Base64, Some(added)) if body.len() <= WHOLE_BYTES => {
            let octets = spliced(&message.content(part), &added, is_page);
            let with = [lines_of_base64(&octets).as_slice(), last_end(part)].concat();
            Some(Put::Insert(Edit { start: part.body.start, end: part.body.end, with }))
        }
        (_, added) => Some(Put::Anew(whole(message, part, (notice, added))?)),
    }
}

/// All of a text with the notice; in UTF-8, if its own letters lack some of the notice's.
fn whole(
    message: &Message<'_>,
    part: &Part,
    (notice, added): (&str, Option<Vec<u8>>),
) -> Option<Content> {
    if part.body.len() > WHOLE_BYTES {
        return None;
    }
    let content = message.content(part);
    let is_page = part.content_type.is("text", "html");
    if let Some(added) = added {
        return Some(Content { octets: spliced(&content, &added, is_page), is_utf8: false });
    }
    let label = part.content_type.charset();
    let is_known =
        label.as_deref().is_none_or(|label| Charset::for_label(label.trim().as_bytes()).is_some());
    let text = mime::decode_charset(label.as_deref(), &content).text;
    let is_read = is_known && !text.contains(char::REPLACEMENT_CHARACTER);
    let added = lines(notice).join("\r\n").into_bytes();
    is_read.then(|| Content { octets: spliced(text.as_bytes(), &added, false), is_utf8: true })
}

/// Whether it can stand in a text without a transfer encoding.
fn is_plain(octets: &[u8]) -> bool {
    octets.is_ascii() && octets.split(|octet| *octet == b'\n').all(|line| line.len() < LINE_BYTES)
}

fn spliced(content: &[u8], added: &[u8], is_page: bool) -> Vec<u8> {
    let at = place(content, is_page);
    let (front, behind) = content.split_at_checked(at).unwrap_or((content, b""));
    let end: &[u8] = if behind.is_empty() && front.ends_with(b"\r\n") { b"\r\n" } else { b"" };
    [front, before(content, at, is_page), added, end, behind].concat()
}

/// Within a multipart the last line end belongs to the boundary.
fn last_end(part: &Part) -> &'static [u8] {
    if part.parent.is_none() { b"\r\n" } else { b"" }
}

fn inserted(part: &Part, body: &[u8], added: &[u8]) -> Edit {
    let is_page = part.content_type.is("text", "html");
    let at = place(body, is_page);
    let end = if at < body.len() { b"" } else { last_end(part) };
    insert(part.body.start + at, &[before(body, at, is_page), added, end])
}

fn inserted_printable(part: &Part, body: &[u8], added: &[u8]) -> Edit {
    let is_page = part.content_type.is("text", "html");
    let at = place(body, is_page);
    let written = quoted_printable(added);
    let joined: &[u8] = if at < body.len() { b"=\r\n" } else { b"" };
    let end = if at < body.len() { joined } else { last_end(part) };
    insert(part.body.start + at, &[joined, before(body, at, is_page), &written, end])
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

#[cfg(test)]
mod tests {
    use crate::draft::Draft;
    use crate::header::Header;
    use crate::recoding::fit;

    const NOTICE: &str = "社外秘です。\nConfidential & <private>";

    fn written(text: &str, notice: &str) -> Option<String> {
        let mut draft = Draft::default();
        let header = Header::read(text.as_bytes()).ok().unwrap();
        let is_whole = fit(&mut draft, text.as_bytes(), &header, notice).ok().unwrap();
        let mut all = Vec::new();
        let mut take = |piece: &[u8]| {
            all.extend_from_slice(piece);
            Ok::<_, ()>(())
        };
        draft.each_piece(text.as_bytes(), (0, text.len()), &mut take).unwrap();
        assert_eq!(draft.len(text.len() as u64), all.len() as u64);
        is_whole.then(|| String::from_utf8(all).unwrap())
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
        assert!(written.is_ascii(), "{written}");
    }

    /// Which letters a text is in, and how it is encoded, is changed where it must be, and said.
    #[test]
    fn it_stands_under_plain_texts_in_letters_that_they_lack() {
        let under = "hello\r\n\r\n社外秘です。\r\nConfidential & <private>\r\n";
        let bare = "From: a@b\r\n\r\nhello\r\n";
        check(bare, &[under]);
        let text = written(bare, NOTICE).unwrap();
        for field in [
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Transfer-Encoding: base64\r\n",
        ] {
            assert_eq!(text.matches(field).count(), 1, "{field} {text}");
        }
        check(&one("text/plain", "7bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=us-ascii", "7bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=utf-8", "7bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=iso-8859-1", "8bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=us-ascii", "quoted-printable", "hel=6Co\r\n"), &[under]);
        check(&one("text/plain; charset=us-ascii", "base64", "aGVsbG8NCg==\r\n"), &[under]);
        let flowed = one("text/plain; charset=us-ascii; format=flowed", "7bit", "hello\r\n");
        check(&flowed, &[under]);
        let kind = "Content-Type: text/plain; charset=utf-8;\r\n\tformat=\"flowed\"\r\n";
        assert!(written(&flowed, NOTICE).unwrap().contains(kind));
        let both = "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
            --a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\
            \r\nhello\r\n--a\r\nContent-Type: text/html\r\n\r\n<b>hi</b>\r\n--a--\r\n";
        let page = "<b>hi</b><hr><p>&#31038;&#22806;&#31192;&#12391;&#12377;&#12290;<br>\r\n\
            Confidential &amp; &lt;private&gt;</p>";
        check(both, &[under.trim_end(), page]);
    }

    #[test]
    fn it_stands_under_texts_of_every_kind() {
        let under = "hello\r\n\r\n社外秘です。\r\nConfidential & <private>\r\n";
        check(&one("text/plain; charset=utf-8", "8bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=UTF-8", "quoted-printable", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=iso-2022-jp", "7bit", "hello\r\n"), &[under]);
        check(&one("text/plain; charset=utf-8", "base64", "aGVsbG8NCg==\r\n"), &[under]);
        let under = under.trim_end();
        check(&one("text/plain; charset=shift_jis", "base64", "aGVsbG8=\r\n"), &[under]);
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
