//! What is said of mail that was passed on, came to nothing, and is not returned, because nothing
//! proves who sent it, or it is in the mailbox that it was for: to whoever passes it on, or to who
//! answers for their organisation.

use crate::absence::{subject, with_text};
use crate::write::washed;
use crate::{Reason, say};

/// Where the letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// In the reader's own mailbox, where it was put since.
    Kept,
    /// There, where a copy stays of all that goes on.
    Copied,
    /// Nowhere. The reader is who answers for the organisation.
    Nowhere,
}

#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    pub left: Left,
    /// The address that was written to.
    pub address: &'a str,
    /// Where it went.
    pub onward: &'a str,
    pub reason: Reason,
    /// What stood in the way last, where the reason is that its time is over.
    pub last: Option<Reason>,
    /// What the remote said.
    pub answer: Option<&'a str>,
    /// Who wrote, as the mail says; its subject, where the reader may read it.
    pub from: &'a str,
    pub subject: Option<&'a str>,
    /// By which `trace` finds it.
    pub id: &'a str,
    pub host_name: &'a str,
    /// RFC 5322.
    pub date: &'a str,
    /// Unique, without brackets.
    pub message_id: &'a str,
}

/// The whole letter, CRLF throughout, in both languages: a person's own is not known.
pub fn write(letter: &Letter<'_>) -> Vec<u8> {
    let about = "転送したメールが届きませんでした / Mail that was passed on did not arrive";
    let to = match letter.left {
        Left::Nowhere => format!("postmaster@{}", letter.host_name),
        Left::Kept | Left::Copied => letter.address.to_owned(),
    };
    let lines = vec![
        format!("From: Sekisho <postmaster@{}>", washed(letter.host_name)),
        format!("To: <{}>", washed(&to)),
        format!("Subject: {}", subject(about)),
        format!("Date: {}", washed(letter.date)),
        format!("Message-ID: <{}>", washed(letter.message_id)),
        // RFC 3834 §5: nobody answers it.
        "Auto-Submitted: auto-generated".to_owned(),
    ];
    let (japanese, english) = (said(letter, true), said(letter, false));
    with_text(lines, &format!("{japanese}\n----\n\n{english}"))
}

fn said(letter: &Letter<'_>, is_japanese: bool) -> String {
    let of = |(japanese, english): (&str, &str)| match is_japanese {
        true => japanese.to_owned(),
        false => english.to_owned(),
    };
    let Letter { address, onward, .. } = letter;
    let untold = of(match letter.left {
        // Whether its sender is proven is another question there.
        Left::Copied => (
            "メールボックスに控えがあるため、差出人には知らせていません。",
            "A copy of it is in the mailbox, so its sender was not told.",
        ),
        Left::Kept | Left::Nowhere => (
            "差出人が本物かどうか確かめられないため、差出人には知らせていません。",
            "Nothing proves who sent it, so its sender was not told.",
        ),
    });
    let opening = match is_japanese {
        true => format!("{address} 宛のメールを、下の転送先に届けられませんでした。\n{untold}"),
        false => format!(
            "Mail for {address} could not be delivered to where it is passed on, below.\n{untold}"
        ),
    };
    let fact = |name: (&str, &str), value: &str| format!("  {}: {}\n", of(name), washed(value));
    let mut facts = fact(("転送先", "Passed on to"), onward);
    facts.push_str(&fact(("理由", "Why"), &of(say(letter.reason))));
    if let Some(last) = letter.last {
        facts.push_str(&fact(("最後の状況", "At last"), &of(say(last))));
    }
    if let Some(answer) = letter.answer {
        facts.push_str(&fact(("相手の応答", "The answer"), answer));
    }
    let from = match letter.left {
        Left::Copied => ("差出人", "From"),
        Left::Kept | Left::Nowhere => ("差出人（確認できません）", "From (not proven)"),
    };
    facts.push_str(&fact(from, letter.from));
    if let Some(subject) = letter.subject {
        facts.push_str(&fact(("件名", "Subject"), subject));
    }
    facts.push_str(&fact(("番号", "Number"), letter.id));
    let end = match letter.left {
        Left::Kept => (
            "そのメールは、このメールボックスに入れました。ほかに届けられないメールがあっても、\
             すべてここに入ります。\nこの知らせは、同じ転送先について1週間に1通だけ届きます。\
             転送先が正しいか確かめてください。",
            "The mail itself is in this mailbox, and so will be all that cannot be passed on.\n\
             You are told once a week for each such address. See whether it is still right.",
        ),
        Left::Copied => (
            "そのメールの控えは、このメールボックスにあります。\n\
             この知らせは、同じ転送先について1週間に1通だけ届きます。\
             転送先が正しいか確かめてください。",
            "A copy of the mail is in this mailbox.\n\
             You are told once a week for each such address. See whether it is still right.",
        ),
        Left::Nowhere => (
            "そのメールは残っていません。必要なら、差出人に送り直してもらってください。\
             経過は sekisho trace 番号 で見られます。\nこの知らせは1時間に10通までです。\
             それを超えた分は知らせません。",
            "The mail is not kept: whoever needs it has to ask its sender for it. \
             sekisho trace NUMBER shows how far it came.\nNo more than ten such notices are \
             written in an hour; of further mail you are not told.",
        ),
    };
    format!("{opening}\n\n{facts}\n{}\n", of(end))
}

#[cfg(test)]
mod tests {
    use super::{Left, Letter, write};
    use crate::Reason;

    #[test]
    fn it_says_what_went_where_and_why_in_both_languages() {
        let check = |left: Left, subject: Option<&str>, to: &str, parts: &[&str]| {
            let octets = write(&Letter {
                left,
                address: "mina@kaede.example",
                onward: "nobody@there.example",
                reason: Reason::Expired,
                last: Some(Reason::UserUnknown),
                answer: Some("550 no such user\r\nBcc: x"),
                from: "eve@x.example",
                subject,
                id: "17",
                host_name: "mx.kaede.example",
                date: "Mon, 30 Nov 2026 12:00:00 +0000",
                message_id: "1@mx.kaede.example",
            });
            let (message, _) = mime::parse(&octets);
            let root = message.part(0).unwrap();
            assert_eq!(message.value(root, "to").unwrap(), to.as_bytes());
            let body = String::from_utf8(message.content(root).into_owned()).unwrap();
            let facts = ["転送先: nobody@there.example", "Why: It was tried", "Number: 17"];
            let last = ["最後の状況: そのアドレスの", "The answer: 550 no such user  Bcc: x\r\n"];
            for part in facts.iter().chain(&last).chain(parts) {
                assert!(body.contains(part), "{part} in {body}");
            }
            assert_eq!(body.contains("Subject: "), subject.is_some());
            assert!(octets.is_ascii());
        };
        let own = "<mina@kaede.example>";
        check(Left::Kept, Some("hi"), own, &["入れました", "is in this mailbox", "(not proven)"]);
        let copied = ["控え", "A copy of the mail is in", "差出人: eve@x.example", "From: eve"];
        check(Left::Copied, Some("hi"), own, &copied);
        let theirs = "<postmaster@mx.kaede.example>";
        check(Left::Nowhere, None, theirs, &["残っていません", "not kept", "10通"]);
    }
}
