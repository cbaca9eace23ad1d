//! The answer of somebody who is away, as RFC 3834 has it: who gets one, and what it says.

use crate::write::{push_base64, push_lines, washed};
use mime::encode_words;

/// A subject this short stands on one line as it is.
const PLAIN_SUBJECT: usize = 60;
/// Letters of another's subject that an answer repeats.
const SUBJECT_LETTERS: usize = 200;
/// Where neither the person nor whoever wrote to them has named it.
const NAMELESS: &str = "Auto: 不在のお知らせ / Away";
/// RFC 2045 §6.7: lines that pass every relay.
const PLAIN_LINE: usize = 76;

/// Senders that nobody reads: RFC 3834 §2, and what programs call themselves.
const NOBODY: &[&str] = &[
    "mailer-daemon",
    "mailer_daemon",
    "maildaemon",
    "postmaster",
    "noreply",
    "no-reply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "listserv",
    "majordomo",
    "mailman",
    "bounce",
    "bounces",
    "root",
    "daemon",
];
const BEGINNINGS: &[&str] = &["owner-", "bounce-", "bounce+", "bounces-", "bounces+", "noreply-"];
const ENDINGS: &[&str] = &["-request", "-owner", "-bounce", "-bounces", "-noreply", "-no-reply"];
/// Of return paths that carry the recipient (VERP): the list's own name stands before it.
const MIDDLES: &[&str] = &["-bounces+", "-bounce+", "-return-", "+bounce", "-owner+"];

/// Whether a field says that nobody waits for an answer: RFC 3834 §2, and what machines say that
/// never read it. Its name is in lower case.
pub fn is_automatic(name: &str, value: &[u8]) -> bool {
    let value = String::from_utf8_lossy(value).to_ascii_lowercase();
    let first = value.split([';', ' ', '\t', '(']).next().unwrap_or_default();
    match name {
        "auto-submitted" => first != "no",
        "precedence" => matches!(first, "bulk" | "list" | "junk"),
        "content-type" => first == "multipart/report",
        "x-auto-response-suppress" => {
            let mut words = value.split(',').map(str::trim);
            words.any(|word| matches!(word, "all" | "oof" | "autoreply"))
        }
        "x-autoreply" | "x-autorespond" | "x-loop" | "feedback-id" => true,
        // RFC 2369, RFC 2919.
        name => name.starts_with("list-"),
    }
}

/// What came, as far as an answer depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// The return path. Empty: the null sender.
    pub sender: &'a str,
    /// Its header says that a machine wrote it, or that it went to many.
    pub is_automatic: bool,
    /// The person's address, as the envelope had it, stands in To or Cc.
    pub is_named: bool,
    /// Nothing at all speaks against it.
    pub is_clean: bool,
    /// The address that it was for.
    pub address: &'a str,
}

impl Came<'_> {
    /// Whether an answer is due. That each sender gets one a week is for others to see to.
    pub fn is_due(&self) -> bool {
        let Some((local, domain)) = self.sender.rsplit_once('@') else { return false };
        let is_own = self.sender.eq_ignore_ascii_case(self.address);
        let is_person = !domain.is_empty() && !is_nobody(&local.to_lowercase());
        self.is_clean && self.is_named && !self.is_automatic && !is_own && is_person
    }
}

fn is_nobody(local: &str) -> bool {
    let plain = local.split_once('+').map_or(local, |(plain, _)| plain);
    NOBODY.contains(&plain)
        || local.is_empty()
        || BEGINNINGS.iter().any(|begin| local.starts_with(begin))
        || ENDINGS.iter().any(|end| plain.ends_with(end))
        || MIDDLES.iter().any(|middle| local.contains(middle))
}

/// Everything that an answer says.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub from: &'a str,
    pub to: &'a str,
    /// Empty: that of what is answered, behind "Auto: " (RFC 3834 §3.1.5).
    pub subject: &'a str,
    /// Decoded; empty if it has none.
    pub answers: &'a str,
    pub text: &'a str,
    /// RFC 5322.
    pub date: &'a str,
    /// Unique, without brackets.
    pub message_id: &'a str,
    /// The Message-ID that is answered, with its brackets; empty if it had none.
    pub in_reply_to: &'a str,
    /// The ids of its own thread before it, with single spaces between.
    pub references: &'a str,
}

/// Writes the answer as a whole message, CRLF throughout.
pub fn write(answer: &Answer<'_>) -> Vec<u8> {
    let mut lines = vec![
        format!("From: <{}>", washed(answer.from)),
        format!("To: <{}>", washed(answer.to)),
        format!("Subject: {}", subject(&titled(answer))),
        format!("Date: {}", washed(answer.date)),
        format!("Message-ID: <{}>", washed(answer.message_id)),
        "Auto-Submitted: auto-replied (vacation)".to_owned(),
    ];
    if !answer.in_reply_to.is_empty() {
        lines.push(format!("In-Reply-To: {}", washed(answer.in_reply_to)));
        // One id on each line, however long the thread is.
        let thread = answer.references.split(' ').chain([answer.in_reply_to]);
        let thread: Vec<String> = thread.filter(|id| !id.is_empty()).map(washed).collect();
        lines.push(format!("References: {}", thread.join("\r\n ")));
    }
    with_text(lines, answer.text)
}

fn titled(answer: &Answer<'_>) -> String {
    match (answer.subject.trim(), answer.answers.trim()) {
        ("", "") => NAMELESS.to_owned(),
        ("", answers) => {
            let answers: String = answers.chars().take(SUBJECT_LETTERS).collect();
            format!("Auto: {answers}")
        }
        (own, _) => own.to_owned(),
    }
}

/// A message of these fields and this text.
pub(crate) fn with_text(mut lines: Vec<String>, text: &str) -> Vec<u8> {
    let text = with_crlf(text);
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= PLAIN_LINE);
    lines.push("MIME-Version: 1.0".to_owned());
    lines.push("Content-Type: text/plain; charset=utf-8".to_owned());
    let encoding = if is_plain { "7bit" } else { "base64" };
    lines.push(format!("Content-Transfer-Encoding: {encoding}"));
    lines.push(String::new());
    let mut out = String::new();
    push_lines(&mut out, &lines);
    match is_plain {
        true => out.push_str(&text),
        false => push_base64(&mut out, text.as_bytes()),
    }
    out.into_bytes()
}

pub(crate) fn subject(text: &str) -> String {
    let text = washed(text);
    let is_plain = text.is_ascii() && text.len() <= PLAIN_SUBJECT && !text.contains("=?");
    if is_plain { text } else { encode_words(&text) }
}

/// Lines end in CRLF, the last one too, and nothing else of them controls anything.
fn with_crlf(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 2);
    for line in text.replace("\r\n", "\n").replace('\r', "\n").trim_end().split('\n') {
        lines.extend(line.chars().filter(|letter| !letter.is_control() || *letter == '\t'));
        lines.push_str("\r\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Answer, Came, write};

    const CLEAN: Came<'_> = Came {
        sender: "carol@shop.example",
        is_automatic: false,
        is_named: true,
        is_clean: true,
        address: "aoi@example.jp",
    };

    #[test]
    fn whoever_wrote_gets_an_answer_and_no_machine() {
        let check = |sender: &str, due: bool| {
            assert_eq!(Came { sender, ..CLEAN }.is_due(), due, "{sender}");
        };
        check("carol@shop.example", true);
        check("carol+news@shop.example", true);
        check("owner@shop.example", true);
        check("requests@shop.example", true);
        check("prvs=1234abcdef=carol@shop.example", true);
        check("\"carol smith\"@shop.example", true);
        check("結@例え.example", true);
        check("", false);
        check("carol", false);
        check("@shop.example", false);
        check("MAILER-DAEMON@shop.example", false);
        check("Postmaster@shop.example", false);
        check("noreply@shop.example", false);
        check("no-reply+17@shop.example", false);
        check("DoNotReply@shop.example", false);
        check("orders-noreply@shop.example", false);
        check("owner-list@shop.example", false);
        check("list-request@shop.example", false);
        check("list-owner@shop.example", false);
        check("list-bounces@shop.example", false);
        check("list-bounces+aoi=example.jp@shop.example", false);
        check("list-return-17-aoi=example.jp@shop.example", false);
        check("bounce+17.abc@shop.example", false);
        check("majordomo@shop.example", false);
        check("AOI@example.jp", false);
    }

    #[test]
    fn only_mail_that_nothing_speaks_against_and_that_names_them() {
        assert!(!Came { is_automatic: true, ..CLEAN }.is_due());
        assert!(!Came { is_named: false, ..CLEAN }.is_due());
        assert!(!Came { is_clean: false, ..CLEAN }.is_due());
    }

    const ANSWER: Answer<'_> = Answer {
        from: "aoi@example.jp",
        to: "carol@shop.example",
        subject: "Away",
        answers: "Lunch?",
        text: "Back on Monday.\nAoi",
        date: "Sun, 29 Nov 2026 13:00:00 +0000",
        message_id: "0102@mx.example.jp",
        in_reply_to: "<2@shop>",
        references: "<0@shop> <1@shop>",
    };

    #[test]
    fn a_plain_answer() {
        let expected = "From: <aoi@example.jp>\r\nTo: <carol@shop.example>\r\nSubject: Away\r\n\
            Date: Sun, 29 Nov 2026 13:00:00 +0000\r\nMessage-ID: <0102@mx.example.jp>\r\n\
            Auto-Submitted: auto-replied (vacation)\r\nIn-Reply-To: <2@shop>\r\n\
            References: <0@shop>\r\n <1@shop>\r\n <2@shop>\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
            Back on Monday.\r\nAoi\r\n";
        assert_eq!(String::from_utf8(write(&ANSWER)).unwrap(), expected);
    }

    #[test]
    fn japanese_reads_as_it_was_written() {
        let text = "ただいま不在にしております。\r\n月曜日に戻ります。";
        let subject = "不在のお知らせ（十一月三十日まで戻りません・急ぎは代表へ）";
        let octets = write(&Answer { text, subject, in_reply_to: "", ..ANSWER });
        let (message, findings) = mime::parse(&octets);
        assert!(findings.is_empty());
        let root = message.part(0).unwrap();
        let found = mime::decode_words(&message.value(root, "subject").unwrap());
        assert_eq!(found, subject);
        assert_eq!(message.content(root), format!("{text}\r\n").as_bytes());
        assert!(message.value(root, "references").is_none());
        assert!(octets.is_ascii() && octets.split(|o| *o == b'\n').all(|line| line.len() <= 78));
    }

    /// RFC 3834 §3.1.5.
    #[test]
    fn without_a_subject_of_its_own_it_names_what_it_answers() {
        let check = |subject: &str, answers: &str, expected: &str| {
            let octets = write(&Answer { subject, answers, ..ANSWER });
            let (message, _) = mime::parse(&octets);
            let found = message.value(message.part(0).unwrap(), "subject").unwrap();
            assert_eq!(mime::decode_words(&found), expected);
            assert!(octets.is_ascii() && octets.split(|o| *o == b'\n').all(|line| line.len() < 80));
        };
        check("Away", "Lunch?", "Away");
        check("", "Lunch?", "Auto: Lunch?");
        check(
            " ",
            "明日の会議の件\r\nBcc: all@x.example",
            "Auto: 明日の会議の件  Bcc: all@x.example",
        );
        check("", "", "Auto: 不在のお知らせ / Away");
        check("", &"あ".repeat(3_000), &format!("Auto: {}", "あ".repeat(200)));
    }

    #[test]
    fn nothing_that_is_said_makes_a_field() {
        let evil = Answer {
            subject: "x\r\nBcc: all@shop.example\r\n\r\nbody",
            in_reply_to: "<a\r\nBcc: b@c>",
            text: "a\rb\u{0}\r\n.\r\nQUIT\u{b}",
            ..ANSWER
        };
        let octets = String::from_utf8(write(&evil)).unwrap();
        let (header, body) = octets.split_once("\r\n\r\n").unwrap();
        assert!(!header.lines().any(|line| line.starts_with("Bcc")), "{header}");
        assert_eq!(body, "a\r\nb\r\n.\r\nQUIT\r\n");
    }
}
