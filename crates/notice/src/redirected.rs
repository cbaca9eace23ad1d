//! What a person is told in their own mailbox when mail for them begins to go on to others, or to
//! be answered in their name. Whoever did it is not asked whether they hear of it.

use crate::absence::{subject, with_text};
use crate::write::washed;

#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// It goes on to these addresses; `keep`: a copy stays.
    GoesOn { to: &'a [String], keep: bool },
    /// Whoever writes is answered with this text.
    Answered { text: &'a str },
}

#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    pub change: Change<'a>,
    /// Whose mail it is.
    pub to: &'a str,
    pub host_name: &'a str,
    /// RFC 5322.
    pub date: &'a str,
    /// Unique, without brackets.
    pub message_id: &'a str,
}

/// The whole letter, CRLF throughout, in both languages: a person's own is not known.
pub fn write(letter: &Letter<'_>) -> Vec<u8> {
    let (about, text) = words(letter);
    let lines = vec![
        format!("From: Sekisho <postmaster@{}>", washed(letter.host_name)),
        format!("To: <{}>", washed(letter.to)),
        format!("Subject: {}", subject(about)),
        format!("Date: {}", washed(letter.date)),
        format!("Message-ID: <{}>", washed(letter.message_id)),
        // RFC 3834 §5: nobody answers it.
        "Auto-Submitted: auto-generated".to_owned(),
    ];
    with_text(lines, &text)
}

fn words(letter: &Letter<'_>) -> (&'static str, String) {
    let Letter { to: address, date, .. } = letter;
    let japanese_end = "心当たりがないときは、すぐに管理者に知らせてください。\
                        いつ変わったかは記録に残っています。\n";
    let english_end = "If you know nothing of this, tell your administrator at once: when it was \
                       changed is on record.\n";
    match letter.change {
        Change::GoesOn { to, keep } => {
            let to = to.join("\n  ");
            let (stays, left) = match keep {
                true => ("控えはこのメールボックスにも残ります。", "A copy stays in this mailbox."),
                false => (
                    "このメールボックスには、今後届かなくなります。",
                    "Nothing more will arrive in this mailbox.",
                ),
            };
            (
                "メールの転送が設定されました / Your mail is being forwarded",
                format!(
                    "{address} 宛のメールが、次の宛先に転送されるようになりました\
                     （{date}）。\n\n  {to}\n\n\
                     {stays}\n{japanese_end}\n----\n\n\
                     Mail for {address} now goes on to these addresses ({date}):\n\n  {to}\n\n\
                     {left}\n{english_end}"
                ),
            )
        }
        Change::Answered { text } => (
            "不在時の返信が設定されました / Your mail is being answered",
            format!(
                "{address} にメールを送った人に、あなたの名前で次の返信が届くようになりました\
                 （{date}）。\n{japanese_end}\n----\n\n\
                 Whoever writes to {address} is now answered in your name ({date}), as below.\n\
                 {english_end}\n----\n\n{text}\n"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Letter, write};

    #[test]
    fn a_person_hears_where_their_mail_goes() {
        let check = |change: Change<'_>, subject: &str, parts: &[&str]| {
            let octets = write(&Letter {
                change,
                to: "aoi@kaede.example",
                host_name: "mx.kaede.example",
                date: "Mon, 30 Nov 2026 12:00:00 +0000",
                message_id: "1@mx.kaede.example",
            });
            let (message, _) = mime::parse(&octets);
            let root = message.part(0).unwrap();
            let said = mime::decode_words(&message.value(root, "subject").unwrap());
            assert_eq!(said, subject);
            let body = String::from_utf8(message.content(root).into_owned()).unwrap();
            for part in parts {
                assert!(body.contains(part), "{part} in {body}");
            }
            assert!(octets.is_ascii());
        };
        let to = ["x@home.example".to_owned(), "y@home.example".to_owned()];
        let forwarded = "メールの転送が設定されました / Your mail is being forwarded";
        let parts =
            ["  x@home.example\r\n  y@home.example\r\n", "Nothing more", "届かなくなります"];
        check(Change::GoesOn { to: &to, keep: false }, forwarded, &parts);
        check(Change::GoesOn { to: &to, keep: true }, forwarded, &["A copy stays", "控え"]);
        let answered = "不在時の返信が設定されました / Your mail is being answered";
        check(Change::Answered { text: "I am away." }, answered, &["I am away.", "あなたの名前で"]);
    }
}
