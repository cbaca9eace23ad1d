//! The notice that we write: a text in two languages, fields for machines, and what it is about.

use crate::{Reason, say};
use data_encoding::BASE64;
use mime::encode_words;
use terms::plain;

/// Octets of a returned message that are given back whole; of a longer one only its header.
const RETURN_BYTES: usize = 64 * 1024;
/// RFC 2045 §6.8.
const BASE64_LINE: usize = 76;

/// RFC 3464 §2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Failed,
    Delayed,
    Delivered,
    Relayed,
    Expanded,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Failed => "メールを届けられませんでした / Mail could not be delivered",
            Self::Delayed => "メールの配送が遅れています / Mail is late",
            Self::Delivered | Self::Relayed | Self::Expanded => {
                "メールが届きました / Mail was delivered"
            }
        }
    }

    fn opening(self) -> (&'static str, &'static str) {
        match self {
            Self::Failed => (
                "次の宛先にメールを届けられませんでした。もう試みません。",
                "Your mail could not be delivered to the following. It is not tried again.",
            ),
            Self::Delayed => (
                "次の宛先への配送が遅れています。引き続き試みますので、何もする必要はありません。",
                "Your mail to the following is late. It is tried further; nothing need be done.",
            ),
            Self::Delivered => {
                ("次の宛先に届きました。", "Your mail was delivered to the following.")
            }
            Self::Relayed | Self::Expanded => (
                "次の宛先へ渡しました。この先の通知は届かないことがあります。",
                "Your mail was passed on to the following; from there no notice may come.",
            ),
        }
    }
}

/// How it fared for one recipient.
#[derive(Clone, Debug)]
pub struct Fate<'a> {
    pub recipient: &'a str,
    /// ORCPT as it came: `type;address`.
    pub original: Option<&'a str>,
    pub status: (u8, u16, u16),
    pub reason: Reason,
    /// What stood in the way last, where the reason is that its time is over.
    pub last: Option<Reason>,
    /// Who said it.
    pub remote: Option<&'a str>,
    /// What was said.
    pub answer: Option<&'a str>,
    /// RFC 5322 date until which it is tried.
    pub until: Option<&'a str>,
}

/// The mail that the notice is about.
#[derive(Clone, Copy, Debug)]
pub enum Original<'a> {
    /// All of it, if it is short enough.
    Full(&'a [u8]),
    /// Its header.
    Header(&'a [u8]),
}

/// Everything that a notice says.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    pub action: Action,
    /// Our name, as in banners.
    pub host: &'a str,
    pub to: &'a str,
    /// RFC 5322 dates: of the notice, and of the mail's arrival here.
    pub date: &'a str,
    pub arrival: Option<&'a str>,
    /// Unique, without brackets.
    pub message_id: &'a str,
    pub boundary: &'a str,
    /// ENVID, decoded.
    pub envelope_id: Option<&'a str>,
    pub fates: Vec<Fate<'a>>,
    pub original: Original<'a>,
}

impl Notice<'_> {
    /// Whether anybody may be told: RFC 3461 §4.1 and RFC 3834 §2. Nobody is told about a notice,
    /// about mail from nobody, or about what they did not want to hear of.
    pub fn is_due(
        action: Action,
        sender: Option<&str>,
        notify: Option<(bool, bool, bool)>,
    ) -> bool {
        let (success, failure, delay) = notify.unwrap_or((false, true, true));
        let is_wanted = match action {
            Action::Failed => failure,
            Action::Delayed => delay,
            Action::Delivered | Action::Relayed | Action::Expanded => success,
        };
        is_wanted && sender.is_some_and(|sender| !sender.is_empty())
    }

    /// RFC 6533 §3: whether it goes only where UTF-8 is taken, so that its fields may have it.
    fn is_global(&self) -> bool {
        !self.to.is_ascii() || self.fates.iter().any(|fate| !fate.recipient.is_ascii())
    }
}

/// Writes the notice as a whole message, CRLF throughout.
pub fn write(notice: &Notice<'_>) -> Vec<u8> {
    let is_global = notice.is_global();
    let mut out = String::new();
    let boundary = washed(notice.boundary);
    let lines = [
        format!("From: {} <postmaster@{}>", encode_words("メール配送係"), washed(notice.host)),
        format!("To: <{}>", washed(notice.to)),
        format!("Subject: {}", encode_words(notice.action.subject())),
        format!("Date: {}", washed(notice.date)),
        format!("Message-ID: <{}>", washed(notice.message_id)),
        "Auto-Submitted: auto-replied".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: multipart/report; report-type=delivery-status;".to_owned(),
        format!("\tboundary=\"{boundary}\""),
        String::new(),
        format!("--{boundary}"),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        String::new(),
    ];
    push_lines(&mut out, &lines);
    push_base64(&mut out, told(notice).as_bytes());
    push_status(&mut out, notice, &boundary, is_global);
    let mut octets = out.into_bytes();
    push_original(&mut octets, notice, &boundary, is_global);
    octets.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    octets
}

/// The text for people.
fn told(notice: &Notice<'_>) -> String {
    let (japanese, english) = notice.action.opening();
    let mut text = String::new();
    for (opening, is_japanese) in [(japanese, true), (english, false)] {
        text.push_str(opening);
        text.push_str("\r\n\r\n");
        for fate in &notice.fates {
            let (ja, en) = say(fate.reason);
            let why = if is_japanese { ja } else { en };
            text.push_str(&format!("  <{}>\r\n    {why}\r\n", washed(fate.recipient)));
            if let Some(last) = fate.last {
                let (ja, en) = say(last);
                let (last, why) =
                    if is_japanese { ("最後の状況", ja) } else { ("At last", en) };
                text.push_str(&format!("    {last}: {why}\r\n"));
            }
            if let Some(answer) = fate.answer {
                let said = if is_japanese { "相手の応答" } else { "The answer" };
                let by = fate.remote.map(|by| format!(" ({})", washed(by))).unwrap_or_default();
                text.push_str(&format!("    {said}{by}: {}\r\n", washed(answer)));
            }
            if let Some(until) = fate.until {
                let tried = if is_japanese { "試みる期限" } else { "Tried until" };
                text.push_str(&format!("    {tried}: {}\r\n", washed(until)));
            }
            text.push_str("\r\n");
        }
    }
    text
}

fn push_status(out: &mut String, notice: &Notice<'_>, boundary: &str, is_global: bool) {
    let kind = if is_global { "global-delivery-status" } else { "delivery-status" };
    let mut lines = vec![format!("--{boundary}"), format!("Content-Type: message/{kind}")];
    if is_global {
        lines.push("Content-Transfer-Encoding: 8bit".to_owned());
    }
    lines.push(String::new());
    lines.push(format!("Reporting-MTA: dns; {}", washed(notice.host)));
    let fit = |text: &str| if is_global { washed(text) } else { spelled(&washed(text)) };
    lines.extend(notice.envelope_id.map(|id| format!("Original-Envelope-Id: {}", fit(id))));
    lines.extend(notice.arrival.map(|date| format!("Arrival-Date: {}", washed(date))));
    for fate in &notice.fates {
        let (class, subject, detail) = fate.status;
        lines.push(String::new());
        lines.extend(fate.original.map(|of| format!("Original-Recipient: {}", fit(of))));
        let kind = if fate.recipient.is_ascii() { "rfc822" } else { "utf-8" };
        lines.push(format!("Final-Recipient: {kind}; {}", washed(fate.recipient)));
        lines.push(format!("Action: {}", notice.action.word()));
        lines.push(format!("Status: {class}.{subject}.{detail}"));
        lines.extend(fate.remote.map(|remote| format!("Remote-MTA: dns; {}", fit(remote))));
        lines.extend(fate.answer.map(|answer| format!("Diagnostic-Code: smtp; {}", fit(answer))));
        lines.extend(fate.until.map(|until| format!("Will-Retry-Until: {}", washed(until))));
    }
    lines.push(String::new());
    push_lines(out, &lines);
}

fn push_original(out: &mut Vec<u8>, notice: &Notice<'_>, boundary: &str, is_global: bool) {
    let (octets, is_full) = match notice.original {
        Original::Full(octets) if octets.len() <= RETURN_BYTES => (octets, true),
        Original::Full(octets) | Original::Header(octets) => (header_of(octets), false),
    };
    let is_eight_bit = !octets.is_ascii();
    let kind = match (is_full, is_global) {
        (true, false) => "message/rfc822",
        (true, true) => "message/global",
        (false, false) => "text/rfc822-headers",
        (false, true) => "message/global-headers",
    };
    out.extend_from_slice(format!("--{boundary}\r\nContent-Type: {kind}\r\n").as_bytes());
    if is_eight_bit {
        out.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(octets);
    if !octets.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
}

/// RFC 6533 §3: what is not ASCII by its number, as in an address of type `utf-8`, where a field
/// has no room for it. Nothing is lost, and the text for people has the words themselves.
fn spelled(text: &str) -> String {
    let spell = |letter: char| match letter.is_ascii() {
        true => letter.to_string(),
        false => format!("\\x{{{:X}}}", u32::from(letter)),
    };
    text.chars().map(spell).collect()
}

/// Up to the empty line.
fn header_of(octets: &[u8]) -> &[u8] {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
    end.and_then(|end| octets.get(..end + 2)).unwrap_or(octets)
}

pub(crate) fn push_lines(out: &mut String, lines: &[String]) {
    for line in lines {
        out.push_str(line);
        out.push_str("\r\n");
    }
}

pub(crate) fn push_base64(out: &mut String, octets: &[u8]) {
    let text = BASE64.encode(octets);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(BASE64_LINE));
        out.push_str(line);
        out.push_str("\r\n");
        rest = more;
    }
}

/// Nothing that could begin a line, and a sign for what would hide or turn the words around it.
pub(crate) fn washed(text: &str) -> String {
    let one_line = |letter: char| if letter.is_control() { ' ' } else { letter };
    plain::shown(&text.chars().map(one_line).collect::<String>())
}
