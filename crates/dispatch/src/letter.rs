//! A letter from the house to the person whose message waits: what is held, why, until when, and
//! what they can do. It goes to their own INBOX and nowhere else.

use crate::brake::PRESSED;
use data_encoding::BASE64;
use flight::date;
use mime::encode_words;
use policy::{Language, why};
use terms::MessageId;

/// Characters of a subject that are quoted.
const SUBJECT_LETTERS: usize = 200;
/// Reasons that are told.
const REASONS: usize = 5;

/// Where more than this one message waits for the answer.
const PAUSED: [&str; 2] = [
    "お答えがあるまで（最長1時間）、あなたの名前でほかのメールを送ることはできません。\r\n",
    "Until you answer, for an hour at most, nothing else is taken in your name.\r\n",
];

/// What the letter is about.
pub(crate) struct Held<'a> {
    pub message: MessageId,
    pub subject: &'a str,
    /// Ids of findings.
    pub reasons: &'a [String],
    pub until_ms: u64,
    /// Where they say that it is theirs, and that it is not. `None`: only an administrator can.
    pub links: Option<(String, String)>,
}

/// The whole letter.
pub(crate) fn write(
    held: &Held<'_>,
    (host_name, to): (&str, &str),
    (id, at_ms): (MessageId, u64),
) -> String {
    let subject = encode_words("送信を保留しました / Your message is held");
    let body = BASE64.encode(words(held).as_bytes());
    let mut text = format!(
        "Received: by {host_name} id {id};\r\n\t{date}\r\n\
         From: Sekisho <postmaster@{host_name}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\
         Date: {date}\r\nMessage-ID: <{id}@{host_name}>\r\nAuto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n",
        date = date(at_ms),
    );
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(76));
        text.push_str(line);
        text.push_str("\r\n");
        rest = behind;
    }
    text
}

fn words(held: &Held<'_>) -> String {
    let subject: String =
        held.subject.chars().filter(|letter| !letter.is_control()).take(SUBJECT_LETTERS).collect();
    let reasons = |language, mark: &str| {
        let told = held.reasons.iter().filter(|id| *id != "outgoing.held").take(REASONS);
        let line = |id: &String| format!("{mark} {}\r\n", why(id, language, ""));
        told.map(line).collect::<String>()
    };
    let is_paused = held.reasons.iter().any(|id| id == PRESSED);
    let [paused_ja, paused_en] = if is_paused { PAUSED } else { [""; 2] };
    let (message, until) = (held.message, date(held.until_ms));
    let [japanese, english] = what_to_do(held.links.as_ref());
    // Below our own links: whoever wrote the message wrote its subject, and may have put one there.
    format!(
        "あなたの名前で送られたメールを、送信せずに保留しています。\r\n\r\n\
         番号: {message}\r\n期限: {until}\r\n理由:\r\n{}\r\n\
         {paused_ja}{japanese}\r\n----\r\n\r\n\
         A message in your name is held and has not been sent.\r\n\r\n\
         Number: {message}\r\nUntil: {until}\r\nBecause it:\r\n{}\r\n\
         {paused_en}{english}\r\n----\r\n\r\n\
         保留しているメールの件名 / Subject of the held message:\r\n{subject}\r\n",
        reasons(Language::Japanese, "・"),
        reasons(Language::English, "-"),
    )
}

/// In Japanese and in English.
fn what_to_do(links: Option<&(String, String)>) -> [String; 2] {
    let Some((mine, not_mine)) = links else {
        let japanese = "あなたが送ったものなら、管理者に番号を伝え、送信 (release) か取り消し \
             (cancel) を頼んでください。期限までに誰も決めなければ、このメールは送られずに\
             あなたに戻ります。\r\n心当たりがないときは、すぐに管理者に知らせ、アプリパスワードを\
             取り消してください。\r\n";
        let english = "If you sent it, tell your administrator its number and ask them to release \
             or cancel it. If nobody decides until then, it comes back to you unsent.\r\n\
             If you did not send it, tell your administrator at once and have your app passwords \
             revoked.\r\n";
        return [japanese.to_owned(), english.to_owned()];
    };
    let japanese = format!(
        "これはあなたが送ったものですか。\r\n\r\n\
         はい、私が送りました（このメールを送信します）:\r\n{mine}\r\n\r\n\
         いいえ、心当たりがありません（このメールを破棄し、送信用のアプリパスワードを\
         無効にします）:\r\n{not_mine}\r\n\r\n\
         リンクを開いただけでは何も変わりません。開いたページでボタンを押すと決まります。\r\n\
         期限までに誰も決めなければ、このメールは送られずにあなたに戻ります。\r\n\
         このメールは転送しないでください。リンクを持つ人は、あなたの代わりに答えられます。\r\n"
    );
    let english = format!(
        "Was it you?\r\n\r\n\
         Yes, it was me (the message is sent):\r\n{mine}\r\n\r\n\
         No, it was not me (the message is discarded, and your app passwords for sending are \
         revoked):\r\n{not_mine}\r\n\r\n\
         Opening a link changes nothing; the button on its page does.\r\n\
         If nobody decides until then, the message comes back to you unsent.\r\n\
         Please do not forward this letter: whoever has its links can answer for you.\r\n"
    );
    [japanese, english]
}

#[cfg(test)]
mod tests {
    use super::{Held, write};
    use terms::MessageId;

    #[test]
    fn it_says_what_is_held_in_both_languages() {
        let reasons = ["outgoing.held".to_owned(), "content.name.program".to_owned()];
        let held = Held {
            message: MessageId([0xab; 16]),
            subject: "見積\r\nBcc: x",
            reasons: &reasons,
            until_ms: 86_400_000,
            links: None,
        };
        let text = write(&held, ("mx.example.jp", "aoi@example.jp"), (MessageId([1; 16]), 0));
        let (message, findings) = mime::parse(text.as_bytes());
        assert!(findings.is_empty(), "{findings:?}");
        let root = message.part(0).unwrap();
        let subject = mime::decode_words(&message.value(root, "subject").unwrap());
        assert_eq!(subject, "送信を保留しました / Your message is held");
        let body = String::from_utf8(message.content(root).into_owned()).unwrap();
        for word in [
            "abababababababab",
            "見積Bcc: x",
            "Fri, 2 Jan 1970 00:00:00 +0000",
            "- ",
            "・",
            "保留",
            "A message in your name is held",
        ] {
            assert!(body.contains(word), "{word} in {body}");
        }
        assert!(!body.contains("outgoing.held") && text.lines().all(|line| line.len() <= 78));
        assert!(body.contains("tell your administrator") && !body.contains("Was it you?"));
    }

    #[test]
    fn it_says_what_else_waits_for_the_answer() {
        let told = |reason: &str| {
            let reasons = ["outgoing.held".to_owned(), reason.to_owned()];
            let message = MessageId([0xab; 16]);
            let (reasons, until_ms) = (&reasons[..], 86_400_000);
            super::words(&Held { message, subject: "s", reasons, until_ms, links: None })
        };
        let pressed = told("outgoing.rate.pressed");
        for words in ["nothing else is taken", "最長1時間", "limit of recipients", "上限"] {
            assert!(pressed.contains(words), "{words}: {pressed}");
        }
        assert!(!told("outgoing.returns.many").contains("nothing else is taken"));
    }

    #[test]
    fn it_asks_whether_it_was_them() {
        let base = "https://pages.example.jp";
        let links = (format!("{base}/mine/0102"), format!("{base}/not-mine/0102"));
        let held = Held {
            message: MessageId([0xab; 16]),
            subject: "Yes, it was me: https://evil.example/mine/1",
            reasons: &[],
            until_ms: 86_400_000,
            links: Some(links),
        };
        let text = write(&held, ("mx.example.jp", "aoi@example.jp"), (MessageId([1; 16]), 0));
        let (message, _) = mime::parse(text.as_bytes());
        let root = message.part(0).unwrap();
        let body = String::from_utf8(message.content(root).into_owned()).unwrap();
        // Each stands on a line of its own, in both languages.
        for link in ["/mine/0102", "/not-mine/0102"] {
            let line = format!("\r\n{base}{link}\r\n");
            assert_eq!(body.matches(&line).count(), 2, "{body}");
        }
        assert!(body.contains("Was it you?") && body.contains("あなたが送ったものですか"));
        // What a thief wrote stands below what the house did.
        assert!(body.find("evil.example") > body.rfind("/not-mine/0102"), "{body}");
    }
}
