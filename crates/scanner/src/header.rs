//! What a header says of a message's way and kind, for whoever passes it on or answers it.

use mime::{Entry, addresses, decode_words, fields};
use notice::absence::is_automatic;
use wire::scanner::{Header, NAMED, PASSED, PASSED_MARKS};

/// A mark is a token in hexadecimal.
const MARK_BYTES: usize = 64;
/// Message ids have no limit of their own but the line's (RFC 5322 §2.1.1).
const ID_BYTES: usize = 250;
/// Ids of a thread that an answer names: the first, and the newest.
const REFERENCES: usize = 20;
/// Letters of a subject that an answer names.
const SUBJECT_LETTERS: usize = 200;
/// Octets of it that are read for them.
const SUBJECT_BYTES: usize = 4_000;

/// `header`: a message's own, as it came.
pub(crate) fn read(header: &[u8]) -> Header {
    let mut read = Header::default();
    let (mut references, mut in_reply_to) = (Vec::new(), Vec::new());
    let (mut authors, mut of_tls) = (0, 0);
    for (name, value) in fields(header) {
        read.is_automatic |= is_automatic(&name, &value);
        match name.as_str() {
            "received" => read.received += 1,
            // Said twice, or with another word, it is not said.
            "tls-required" => {
                of_tls += 1;
                let says_no = value.trim_ascii().eq_ignore_ascii_case(b"no");
                read.is_heedless = says_no && of_tls == 1;
            }
            "from" => read.author = author(&value, &mut authors),
            "subject" if read.subject.is_empty() => {
                let value = decode_words(value.get(..SUBJECT_BYTES).unwrap_or(&value));
                read.subject = value.trim().chars().take(SUBJECT_LETTERS).collect();
            }
            "to" | "cc" | "resent-to" | "resent-cc" => name_all(&value, &mut read.named),
            "message-id" if read.message_id.is_empty() => {
                read.message_id = ids(&value).into_iter().next().unwrap_or_default();
            }
            "references" if references.is_empty() => references = ids(&value),
            "in-reply-to" if in_reply_to.is_empty() => in_reply_to = ids(&value),
            mark if mark.eq_ignore_ascii_case(PASSED) => {
                let fits = value.len() <= MARK_BYTES && read.passed.len() < PASSED_MARKS;
                read.passed.extend(fits.then(|| String::from_utf8_lossy(&value).into_owned()));
            }
            _ => {}
        }
    }
    // RFC 5322 §3.6.4: several parents say nothing of a thread.
    if references.is_empty() && in_reply_to.len() == 1 {
        references = in_reply_to;
    }
    let last = references.len().saturating_sub(REFERENCES - 1).max(1);
    let kept = references.iter().take(1).chain(references.iter().skip(last));
    read.references = kept.map(String::as_str).collect::<Vec<_>>().join(" ");
    read
}

/// RFC 5322 §3.6.2 allows several; who of them it is then, nobody can say.
fn author(value: &[u8], known: &mut usize) -> String {
    let mut author = String::new();
    for entry in addresses(value) {
        if let Entry::Mailbox(address) = entry {
            // What only some read as that person is nobody.
            let is_coded = address.local.windows(2).any(|two| two == b"=?");
            author = if is_coded { String::new() } else { address.address() };
            *known += 1;
        }
    }
    if *known == 1 { author } else { String::new() }
}

fn name_all(value: &[u8], named: &mut Vec<[u8; 32]>) {
    for entry in addresses(value) {
        if let Entry::Mailbox(address) = entry
            && named.len() < NAMED
        {
            named.push(trace::digest(&address.address()));
        }
    }
}

/// The message ids of a field, those of good form: `<` visible ASCII `>`.
fn ids(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let mut ids = Vec::new();
    let mut rest = text.as_ref();
    while let Some((_, behind)) = rest.split_once('<') {
        let Some((inner, after)) = behind.split_once('>') else { break };
        let is_sound = |letter: char| letter.is_ascii_graphic() && letter != '<';
        if !inner.is_empty() && inner.len() <= ID_BYTES && inner.chars().all(is_sound) {
            ids.push(format!("<{inner}>"));
        }
        rest = after;
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn one_author_or_none() {
        let check = |fields: &str, expected: &str| {
            let header = format!("{fields}\r\nSubject: x\r\n\r\n");
            assert_eq!(read(header.as_bytes()).author, expected, "{fields}");
        };
        check("From: Aoi <Aoi@Kaede.Example>", "Aoi@kaede.example");
        check("From: =?utf-8?q?aoi?=@kaede.example", "");
        check("From: a@b.example, c@d.example", "");
        check("From: a@b.example\r\nFrom: c@d.example", "");
        check("From: a@b.example\r\nFrom:", "");
        check("From:", "");
        check("To: a@b.example", "");
    }

    #[test]
    fn who_asks_for_no_tls_says_it_once() {
        let check = |fields: &str, expected: bool| {
            let header = format!("From: a@b.example\r\n{fields}\r\nSubject: x\r\n\r\n");
            assert_eq!(read(header.as_bytes()).is_heedless, expected, "{fields}");
        };
        check("TLS-Required: No", true);
        check("tls-required:\r\n no ", true);
        check("TLS-Required: yes", false);
        check("TLS-Required: No\r\nTLS-Required: No", false);
        check("TLS-Required: No\r\nTLS-Required: No\r\nTLS-Required: No", false);
        check("X: no", false);
    }

    #[test]
    fn automatic_or_written_by_somebody() {
        let check = |field: &str, expected: bool| {
            let header = format!("From: a@b.example\r\n{field}\r\nSubject: x\r\n\r\n");
            assert_eq!(read(header.as_bytes()).is_automatic, expected, "{field}");
        };
        check("X: y", false);
        check("Auto-Submitted: no", false);
        check("auto-submitted: NO (a person)", false);
        check("Auto-Submitted: auto-generated", true);
        check("Auto-Submitted:\r\n\tauto-replied (vacation)", true);
        check("Auto-Submitted: auto-notified; owner-email=\"x@y\"", true);
        check("Auto-Submitted:", true);
        check("Precedence: bulk", true);
        check("Precedence: LIST", true);
        check("precedence: junk", true);
        check("Precedence: first-class", false);
        check("List-Id: Some list <list.example>", true);
        check("List-Unsubscribe: <mailto:x@y>", true);
        check("Listing: 4", false);
        check("Content-Type: multipart/report; report-type=delivery-status; boundary=x", true);
        check("Content-Type: multipart/mixed; boundary=report", false);
        check("X-Auto-Response-Suppress: DR, OOF, AutoReply", true);
        check("X-Auto-Response-Suppress: DR", false);
        check("Feedback-ID: 1:2:3", true);
    }

    #[test]
    fn a_way_and_a_thread() {
        let header = b"Received: from a\r\n\tby b;\r\nReceived: from c\r\n\
            X-Sekisho-Passed: 0102\r\nx-sekisho-passed: zz\r\n\
            To: \"A, B\" <A@b.example>, g: c@d.example;\r\nCc: e@f.example\r\n\
            Message-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\
            Subject: =?utf-8?b?5Lya?=\r\n =?utf-8?b?6K2w?=\r\nSubject: other\r\n\
            In-Reply-To: <0@x>\r\n\r\nReceived: body\r\n";
        let read = read(header);
        assert_eq!((read.received, read.passed.len()), (2, 2));
        let named = ["a@b.example", "c@d.example", "e@f.example"].map(trace::digest);
        assert_eq!(read.named, named);
        assert_eq!((read.message_id.as_str(), read.references.as_str()), ("<1@x>", "<0@x>"));
        assert_eq!(read.subject, "会議");
        let long = format!("Subject: {}\r\n\r\n", "あ".repeat(5_000));
        assert_eq!(super::read(long.as_bytes()).subject.chars().count(), 200);
    }

    #[test]
    fn fuzz_no_header_says_more_than_is_read() {
        let words: [&[u8]; 12] = [
            b"Received: x",
            b"X-Sekisho-Passed: ",
            b"To: ",
            b"a@b.example, ",
            b"<1@x>",
            b"\r\n",
            b"References: ",
            b"Auto-Submitted: ",
            b"=?utf-8?B?",
            b"\xff\x00",
            b"\t",
            b":;,\"(",
        ];
        let mut state = 17u64;
        let mut roll = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..3_000 {
            let header: Vec<u8> =
                (0..roll(200)).flat_map(|_| words[roll(words.len())].to_vec()).collect();
            let read = read(&header);
            assert!(read.passed.len() <= super::PASSED_MARKS && read.named.len() <= super::NAMED);
            assert!(read.passed.iter().all(|mark| mark.len() <= 3 * super::MARK_BYTES));
            let thread = [read.message_id.as_str(), read.references.as_str()];
            for id in thread.iter().flat_map(|ids| ids.split(' ')).filter(|id| !id.is_empty()) {
                assert!(id.starts_with('<') && id.ends_with('>') && id.is_ascii(), "{id}");
            }
        }
    }

    #[test]
    fn references_are_of_good_form_and_few() {
        let check = |value: &str, expected: &str| {
            let header = format!("References: {value}\r\n\r\n");
            assert_eq!(read(header.as_bytes()).references, expected, "{value}");
        };
        check("<a@b>\r\n\t<c@d>", "<a@b> <c@d>");
        check("<a b> <c@d> <é@x> <open", "<c@d>");
        let many: String = (0..100).map(|n| format!("<{n}@x> ")).collect();
        let header = format!("References: {many}\r\n\r\n");
        let kept = read(header.as_bytes()).references;
        assert_eq!(kept.split(' ').count(), 20);
        assert!(kept.starts_with("<0@x> <81@x> ") && kept.ends_with(" <99@x>"), "{kept}");
        check("", "");
    }
}
