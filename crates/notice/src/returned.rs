//! A notice that came back, taken apart: whom it is about, and why.
//!
//! Standards first (RFC 3464, 5965), then what older and stranger systems write: addresses in the
//! text with the words that follow them. What no reader can make out is said to be no bounce.

use crate::reason::{Reason, reason, reason_at_last};
use crate::status;
use crate::told::Told;
use mime::{Message, Part};
use terms::plain;

/// Recipients of one notice.
const VICTIMS: usize = 1_000;
/// Octets that are looked at of all texts together: notices say it early.
const TEXT_BYTES: usize = 64 * 1024;
/// Octets of a To that are looked at.
const ADDRESSED_BYTES: usize = 16 * 1024;
/// Letters kept of what a remote said.
pub(crate) const SAID: usize = 600;

/// What sort of notice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Failed,
    Delayed,
    Delivered,
    Complaint,
    AutoReply,
}

/// Somebody whom it did not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    pub address: String,
    pub status: Option<(u8, u16, u16)>,
    pub reason: Reason,
    /// What the system said, one line.
    pub said: String,
}

/// A notice, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    pub kind: Kind,
    pub victims: Vec<Victim>,
    /// The Message-ID of the mail that it is about, without its brackets.
    pub about: Option<String>,
}

/// Reads a message as a notice. `None`: it is none.
pub fn read(bytes: &[u8]) -> Option<Bounce> {
    // Files of old systems end lines with CR alone.
    let is_cr_only = bytes.contains(&b'\r') && !bytes.contains(&b'\n');
    if is_cr_only {
        let bytes: Vec<u8> =
            bytes.iter().map(|octet| if *octet == b'\r' { b'\n' } else { *octet }).collect();
        return read_lines(&bytes);
    }
    read_lines(bytes)
}

fn read_lines(bytes: &[u8]) -> Option<Bounce> {
    let (message, _) = mime::parse(bytes);
    let root = message.part(0)?;
    let texts = texts(&message);
    let about = about(&message, &texts);
    let find = |kind: &dyn Fn(&Part) -> bool| message.parts().iter().find(|part| kind(part));
    if let Some(part) = find(&|part| part.content_type.is("message", "feedback-report")) {
        return Some(complaint(&message, part, about));
    }
    let is_status = |part: &Part| {
        part.content_type.is("message", "delivery-status")
            || part.content_type.is("message", "global-delivery-status")
    };
    let words = texts.join("\n");
    if let Some(part) = find(&is_status)
        && let Some(bounce) = by_status_part(&text_of(&message, part), &words, about.clone())
    {
        return Some(bounce);
    }
    let subject = message.value(root, "subject").unwrap_or_default();
    if mime::decode_words(&subject).to_lowercase().starts_with("complaint about message") {
        return Some(complaint(&message, root, about));
    }
    if is_away(&message, root) {
        return Some(away(&message, root, about));
    }
    if !looks_returned(&message, root, &words) {
        return None;
    }
    by_words(&message, root, &words, about)
}

// ---- the standard ------------------------------------------------------------------------------

/// RFC 3464 §2: a group of fields for the message, then one for each recipient.
fn by_status_part(text: &str, words: &str, about: Option<String>) -> Option<Bounce> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut victims = Vec::new();
    let mut kind = Kind::Failed;
    let mut told = Told::new(words, before_copy(words));
    for group in text.split("\n\n") {
        if victims.len() >= VICTIMS {
            break;
        }
        let fields = fields(group);
        let get = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let named = get("final-recipient").or_else(|| get("original-recipient"));
        let Some(address) = named.and_then(|value| address_of(value)) else { continue };
        let action = get("action").map(|action| action.trim().to_lowercase()).unwrap_or_default();
        kind = match action.split([' ', ';', '(']).next().unwrap_or_default() {
            "delayed" => Kind::Delayed,
            "delivered" | "relayed" | "expanded" => Kind::Delivered,
            _ => Kind::Failed,
        };
        let said = get("diagnostic-code").map(|said| diagnosis(said)).unwrap_or_default();
        let code = get("status").and_then(|status| status::in_words(status));
        let better = status::in_words(&said).filter(|(_, subject, _)| *subject > 0);
        let status = better.or(code);
        let why = why(kind, status, &said, &mut told, &address);
        victims.push(Victim { address, status, reason: why, said: short(&said) });
    }
    (!victims.is_empty()).then_some(Bounce { kind, victims, about })
}

/// The nearest words that say something decide; those further away are looked at only then.
fn why(
    kind: Kind,
    code: Option<(u8, u16, u16)>,
    said: &str,
    told: &mut Told<'_>,
    who: &str,
) -> Reason {
    if kind == Kind::Delivered {
        return Reason::Delivered;
    }
    let read = match kind {
        Kind::Failed => reason_at_last,
        _ => reason,
    };
    match read(code, said) {
        Reason::Unknown => {}
        known => return known,
    }
    let around = told.around(who);
    told.clue_in(&around).or_else(|| told.clue()).unwrap_or(Reason::Unknown)
}

/// `rfc822; bob@example.jp`, in all the spellings that are seen.
pub(crate) fn address_of(value: &str) -> Option<String> {
    let value = value.rsplit_once(';').map_or(value, |(_, address)| address);
    let value = value.trim().trim_matches(['<', '>', '"', ' ']);
    let value = value.split_whitespace().next().unwrap_or_default().trim_matches(['<', '>']);
    (!value.is_empty() && value.len() <= 320).then(|| value.to_owned())
}

/// `smtp; 550 …`.
fn diagnosis(value: &str) -> String {
    let rest = value.split_once(';').filter(|(kind, _)| !kind.trim().contains(' '));
    rest.map_or(value, |(_, said)| said).trim().to_owned()
}

/// Fields of a block, unfolded, names in lower case.
pub(crate) fn fields(block: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        let is_folded = line.starts_with([' ', '\t']);
        match (is_folded, fields.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    fields.push((name.trim().to_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
    fields
}

/// RFC 5965.
fn complaint(message: &Message<'_>, part: &Part, about: Option<String>) -> Bounce {
    let text = text_of(message, part);
    let fields = fields(&text);
    let get = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let named = get("original-rcpt-to").or_else(|| get("removal-recipient"));
    let address = named.and_then(|value| address_of(value));
    let address = address.or_else(|| returned_to(message)).unwrap_or_default();
    let said = get("feedback-type").cloned().unwrap_or_default();
    let victims = vec![Victim { address, status: None, reason: Reason::Complaint, said }];
    Bounce { kind: Kind::Complaint, victims, about }
}

// ---- what others write -------------------------------------------------------------------------

const SENDERS: &[&str] = &[
    "mailer-daemon",
    "postmaster",
    "mail delivery",
    "maildeliverysystem",
    "mail administrator",
    "mdaemon",
    "system administrator",
    "delivery subsystem",
    "mailer daemon",
    "post_master",
    "@sns.amazonaws.com",
];
const SUBJECTS: &[&str] = &[
    "undeliver",
    "delivery status",
    "delivery failure",
    "returned mail",
    "failure notice",
    "delivery fail",
    "delivery has",
    "not delivered",
    "could not be delivered",
    "delivery report",
    "mail system error",
    "non delivery",
    "non-delivery",
    "nondeliverable",
    "returning message",
    "delivery notification",
    "warning: message",
    "mail could not",
    "mail failure",
    "message rejected",
    "mail delivery",
    "delivery problem",
    "error mail",
    "undelivered",
    "bounce",
    "returned to sender",
    "unable to deliver",
    "message delivery",
    "delivery error",
    "dsn:",
    "配信不能",
    "配信できません",
    "送信できません",
    "エラー",
    "returning to sender",
    "aws notification message",
];
const PHRASES: &[&str] = &[
    "following address",
    "following recipient",
    "could not be delivered",
    "wasn't able to deliver",
    "couldn't be delivered",
    "was not delivered",
    "undeliverable",
    "rejected",
    "delivery to the following",
    "permanent fatal errors",
    "permanent error",
    "user unknown",
    "not be delivered",
    "unable to deliver",
    "cannot be sent",
    "unknown user",
    "delivery failed",
    "returned",
    "could not deliver",
    "not delivered",
    "failed to deliver",
    "reached the following",
    "届けられ",
    "送信できません",
    "配信でき",
    "error message below",
    "notificationtype",
    "expired",
];

fn looks_returned(message: &Message<'_>, root: &Part, words: &str) -> bool {
    let value = |name: &str| {
        let value = message.value(root, name).unwrap_or_default();
        mime::decode_words(&value).to_lowercase()
    };
    let from = format!("{} {}", value("from"), value("return-path"));
    let words = words.to_lowercase();
    let has = |clues: &[&str], text: &str| clues.iter().any(|clue| text.contains(clue));
    let failed = !value("x-failed-recipients").is_empty();
    let by_system = has(SENDERS, &from) || matches!(value("return-path").as_str(), "<>" | "");
    let says_so = has(SUBJECTS, &value("subject"));
    let is_report = root.content_type.is("multipart", "report");
    failed || (by_system && (says_so || is_report || has(PHRASES, &words)))
}

fn by_words(
    message: &Message<'_>,
    root: &Part,
    words: &str,
    about: Option<String>,
) -> Option<Bounce> {
    let told = before_copy(words);
    let mut addresses: Vec<String> = Vec::new();
    let failed = message.value(root, "x-failed-recipients").unwrap_or_default();
    let failed = String::from_utf8_lossy(&failed).into_owned();
    addresses.extend(failed.split(',').take(VICTIMS).filter_map(address_of));
    let to = message.value(root, "to").unwrap_or_default();
    let to = to.get(..ADDRESSED_BYTES).unwrap_or(&to);
    let to = String::from_utf8_lossy(to).to_lowercase();
    if addresses.is_empty() {
        // The sender, to whom the notice is addressed, is named in many of them.
        let all = addresses_in(told);
        let others = all.iter().filter(|address| !to.contains(&address.to_lowercase()));
        addresses.extend(others.cloned());
        if addresses.is_empty() {
            addresses.extend(all);
        }
    }
    if addresses.is_empty() {
        addresses.extend(returned_to(message));
    }
    if addresses.is_empty() {
        addresses.extend(addressed_in(words));
    }
    let mut victims: Vec<Victim> = Vec::new();
    let mut told = Told::new(told, told);
    for address in addresses {
        let known = |victim: &Victim| victim.address.eq_ignore_ascii_case(&address);
        if victims.len() >= VICTIMS || victims.iter().any(known) {
            continue;
        }
        let said = told.around(&address);
        let status = status::in_words(&said).or_else(|| told.status());
        let coded = status.map_or(Reason::Unknown, status::by_status);
        let why = match told.clue_in(&said).unwrap_or(coded) {
            near @ (Reason::Unknown | Reason::Policy | Reason::System) => {
                let far = told.clue().unwrap_or(coded);
                if far == Reason::Unknown { near } else { far }
            }
            known => known,
        };
        victims.push(Victim { address, status, reason: why, said: short(&said) });
    }
    // Of a long list only those with words of their own, or the first, are victims.
    let is_told = |victim: &Victim| victim.reason != Reason::Unknown;
    if victims.iter().any(is_told) {
        victims.retain(is_told);
    }
    let late =
        ["delayed", "will be retried", "still trying", "has not yet been", "warning: message"];
    let subject = message.value(root, "subject").unwrap_or_default();
    let subject = mime::decode_words(&subject).to_lowercase();
    let is_late = late.iter().any(|clue| subject.contains(clue));
    let kind = if is_late { Kind::Delayed } else { Kind::Failed };
    (!victims.is_empty()).then_some(Bounce { kind, victims, about })
}

/// RFC 3834 and what came before it.
fn is_away(message: &Message<'_>, root: &Part) -> bool {
    let value = |name: &str| {
        let value = message.value(root, name).unwrap_or_default();
        mime::decode_words(&value).to_lowercase()
    };
    let auto = value("auto-submitted");
    let subject = value("subject");
    let marks = [
        "auto-reply",
        "autoreply",
        "auto reply",
        "automatic reply",
        "out of office",
        "out-of-office",
        "vacation",
        "away from",
        "不在",
        "自動応答",
        "自動返信",
        "auto:",
    ];
    let replies = auto.starts_with("auto-replied")
        || !value("x-autoreply").is_empty()
        || !value("x-auto-response-suppress").is_empty()
        || value("precedence") == "auto_reply";
    let says = marks.iter().any(|mark| subject.starts_with(mark) || subject.contains(mark));
    let from = value("from");
    let is_system = SENDERS.iter().any(|sender| from.contains(sender));
    (replies || says) && !is_system && !SUBJECTS.iter().any(|clue| subject.contains(clue))
}

fn away(message: &Message<'_>, root: &Part, about: Option<String>) -> Bounce {
    let from = message.value(root, "from").unwrap_or_default();
    let address = mime::addresses(&from).into_iter().find_map(|entry| match entry {
        mime::Entry::Mailbox(address) => Some(address.address()),
        _ => None,
    });
    let victims = vec![Victim {
        address: address.unwrap_or_default(),
        status: None,
        reason: Reason::Away,
        said: String::new(),
    }];
    Bounce { kind: Kind::AutoReply, victims, about }
}

// ---- texts -------------------------------------------------------------------------------------

/// The texts that speak, not those of the mail that came back.
pub(crate) fn texts(message: &Message<'_>) -> Vec<String> {
    let is_returned = |part: &Part| {
        let mut parent = part.parent;
        while let Some(index) = parent {
            let Some(above) = message.part(index) else { return true };
            if above.content_type.is("message", "rfc822") {
                return true;
            }
            parent = above.parent;
        }
        false
    };
    let speaks = |part: &&Part| {
        let of = &part.content_type;
        (of.is("text", "plain") || of.is("text", "html")) && !is_returned(part)
    };
    let mut texts: Vec<String> = Vec::new();
    let mut left = TEXT_BYTES;
    for part in message.parts().iter().filter(speaks) {
        if left == 0 {
            break;
        }
        let mut text = text_of(message, part);
        text.truncate(text.floor_char_boundary(left));
        left = left.saturating_sub(text.len().max(1));
        texts.push(text);
    }
    if texts.iter().all(|text| text.trim().is_empty())
        && let Some(root) = message.part(0)
    {
        texts.push(text_of(message, root));
    }
    texts
}

pub(crate) fn text_of(message: &Message<'_>, part: &Part) -> String {
    let content = message.content(part);
    let octets = content.get(..TEXT_BYTES).unwrap_or(&content);
    let text = mime::decode_charset(part.content_type.charset().as_deref(), octets).text;
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if part.content_type.is("text", "html") { plain(&text) } else { text }
}

/// HTML as lines of words: tags become line ends.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                text.push('\n');
            }
            _ if is_tag => {}
            letter => text.push(letter),
        }
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ");
    text.replace("&#64;", "@").replace("&amp;", "&")
}

/// What is told before a copy of the mail begins.
fn before_copy(words: &str) -> &str {
    let marks = [
        "below this line is a copy",
        "this is a copy of",
        "copy of the message",
        "original message",
        "original mail",
        "----- unsent message",
        "message header follows",
        "message headers follow",
        "the header of the original",
        "returned message",
        "message text",
        "----- message",
        "\nreceived: ",
        "\nreturn-path: ",
        "body of message generated",
        "原文",
        "元のメール",
        "元のメッセージ",
    ];
    let lower = words.to_lowercase();
    let end = marks.iter().filter_map(|mark| lower.find(mark)).filter(|at| *at > 40).min();
    // Lower case may move places in other scripts: an end inside a letter is not taken.
    end.and_then(|end| words.get(..end)).unwrap_or(words)
}

/// Everything that looks like an address, in order.
fn addresses_in(text: &str) -> Vec<String> {
    let separate = |letter: char| {
        letter.is_whitespace()
            || "<>()[]\",;:'`「」（）、。=".contains(letter)
            || letter.is_control()
    };
    let mut found = Vec::new();
    for word in text.split(separate) {
        let word = word.trim_matches(['.', '-', '*', '!', '?', '/']);
        let Some((local, domain)) = word.split_once('@') else { continue };
        let is_domain = domain.contains('.')
            && domain.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet));
        if !local.is_empty() && is_domain && word.len() <= 320 && found.len() < VICTIMS {
            found.push(word.to_owned());
        }
    }
    found
}

/// The To of a copied mail inside a text.
fn addressed_in(words: &str) -> Vec<String> {
    let line = words.lines().find(|line| {
        let start = line.get(..3).unwrap_or_default();
        start.eq_ignore_ascii_case("to:")
    });
    line.map(addresses_in).unwrap_or_default()
}

/// The first recipient of the mail that came back.
pub(crate) fn returned_to(message: &Message<'_>) -> Option<String> {
    for part in message.parts().iter().skip(1) {
        let header;
        let value = if part.is_message {
            message.value(part, "to").map(std::borrow::Cow::into_owned)
        } else if part.content_type.is("text", "rfc822-headers") {
            header = message.content(part);
            mime::field_values(&header, "to").into_iter().next()
        } else {
            None
        };
        let mailbox = |entry| match entry {
            mime::Entry::Mailbox(address) => Some(address.address()),
            _ => None,
        };
        if let Some(address) =
            value.and_then(|to| mime::addresses(&to).into_iter().find_map(mailbox))
            && address.contains('@')
        {
            return Some(address);
        }
    }
    None
}

/// The Message-ID of the mail that came back.
pub(crate) fn about(message: &Message<'_>, texts: &[String]) -> Option<String> {
    let trimmed = |value: &[u8]| {
        let text = String::from_utf8_lossy(value);
        let id = text.trim().trim_matches(['<', '>']).to_owned();
        (!id.is_empty() && id.len() <= 998).then_some(id)
    };
    for part in message.parts().iter().skip(1) {
        if part.is_message
            && let Some(id) = message.value(part, "message-id").and_then(|id| trimmed(&id))
        {
            return Some(id);
        }
        if part.content_type.is("text", "rfc822-headers") {
            let header = message.content(part);
            let id = mime::field_values(&header, "message-id").into_iter().next();
            if let Some(id) = id.and_then(|id| trimmed(&id)) {
                return Some(id);
            }
        }
    }
    let in_text = texts.iter().flat_map(|text| text.lines()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("message-id").then(|| trimmed(value.as_bytes()))?
    });
    let root = message.part(0)?;
    in_text.or_else(|| message.value(root, "in-reply-to").and_then(|id| trimmed(&id)))
}

fn short(said: &str) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    let words = words.join(" ");
    let words: String = words.chars().filter(|letter| !letter.is_control()).take(SAID).collect();
    plain::shown(&words)
}
