//! What a mailing list writes by itself, in its own language: to somebody who has left, and to its
//! owners about an address that is not there any more, or did not get a message.

use crate::Reason;
use crate::absence::{subject, with_text};
use crate::write::washed;
use mime::encode_words;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    Left,
    Suspended {
        member: &'a str,
    },
    /// The address is there, and its server did not take the message.
    Undelivered {
        member: &'a str,
        why: Reason,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    pub told: Told<'a>,
    pub to: &'a str,
    /// The list's address and name, and its owners' address.
    pub list: &'a str,
    pub name: &'a str,
    pub owner: &'a str,
    pub is_japanese: bool,
    /// RFC 5322.
    pub date: &'a str,
    /// Unique, without brackets.
    pub message_id: &'a str,
}

/// The whole letter, CRLF throughout.
pub fn write(letter: &Letter<'_>) -> Vec<u8> {
    let (about, text) = words(letter);
    let name = washed(letter.name);
    let lines = vec![
        format!("From: {} <{}>", phrase(&name), washed(letter.owner)),
        format!("To: <{}>", washed(letter.to)),
        format!("Subject: {}", subject(&about)),
        format!("Date: {}", washed(letter.date)),
        format!("Message-ID: <{}>", washed(letter.message_id)),
        // RFC 3834 §5: nobody answers it.
        "Auto-Submitted: auto-generated".to_owned(),
    ];
    with_text(lines, &text)
}

/// A name in front of an address or an id (RFC 5322 §3.2.5), whatever it is.
pub fn phrase(name: &str) -> String {
    let name = washed(name);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " -_'".contains(letter);
    match name.chars().all(is_plain) {
        true => name,
        false => encode_words(&name),
    }
}

fn words(letter: &Letter<'_>) -> (String, String) {
    let Letter { list, name, owner, .. } = letter;
    match (letter.told, letter.is_japanese) {
        (Told::Left, true) => (
            format!("{name}: 退会しました"),
            format!(
                "メーリングリスト「{name}」<{list}> から退会しました。\n\
                 このリストからのメールは、今後届きません。\n\n\
                 心当たりがないときや、もう一度参加するときは、<{owner}> に連絡してください。\n"
            ),
        ),
        (Told::Left, false) => (
            format!("{name}: you have left the list"),
            format!(
                "You are no longer a member of the mailing list \"{name}\" <{list}>.\n\
                 No more of its mail will be sent to you.\n\n\
                 If this was not you, or to join again, write to <{owner}>.\n"
            ),
        ),
        (Told::Suspended { member }, true) => (
            format!("{name}: 配信を止めました"),
            format!(
                "メーリングリスト「{name}」<{list}> の会員 <{member}> へのメールが、\
                 宛先がないという理由で続けて戻ってきたため、この会員への配信を止めました。\n\n\
                 アドレスが正しければ、一度外してから加え直すと、配信が再開します。\n"
            ),
        ),
        (Told::Undelivered { member, why }, true) => (
            format!("{name}: 届かなかった会員がいます"),
            format!(
                "メーリングリスト「{name}」<{list}> のメールが、会員 <{member}> に届きませんでした。\n\n\
                 {}\n\n\
                 ほかにも届かなかった会員がいるかもしれません。会員ごとの件数と理由は\
                 `list show {list}` で確認できます。このお知らせは、リストごとに一日一通までです。\n",
                crate::say(why).0
            ),
        ),
        (Told::Undelivered { member, why }, false) => (
            format!("{name}: a member did not get a message"),
            format!(
                "A message of the mailing list \"{name}\" <{list}> did not reach <{member}>, a \
                 member.\n\n{}\n\n\
                 There may be others: `list show {list}` tells how many messages each member \
                 did not get, and why.\nOf this you hear once a day for each list.\n",
                crate::say(why).1
            ),
        ),
        (Told::Suspended { member }, false) => (
            format!("{name}: a member is suspended"),
            format!(
                "Mail to <{member}>, a member of the mailing list \"{name}\" <{list}>, came back \
                 again and again because there is no such address.\n\
                 Nothing more is sent there.\n\n\
                 If the address is right, remove the member and add it again.\n"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Letter, Reason, Told, phrase, write};

    fn letter<'a>(told: Told<'a>, is_japanese: bool) -> Letter<'a> {
        Letter {
            told,
            to: "bob@sender.example",
            list: "news@kaede.example",
            name: "かえで通信",
            owner: "news-owner@kaede.example",
            is_japanese,
            date: "Sun, 29 Nov 2026 18:00:00 +0000",
            message_id: "1@mx.kaede.example",
        }
    }

    #[test]
    fn a_letter_in_the_list_s_language() {
        let check = |told: Told<'_>, is_japanese: bool, subject: &str, part: &str| {
            let octets = write(&letter(told, is_japanese));
            let (message, _) = mime::parse(&octets);
            let root = message.part(0).unwrap();
            let value = message.value(root, "subject").unwrap();
            assert_eq!(mime::decode_words(&value), subject);
            assert_eq!(&*message.value(root, "auto-submitted").unwrap(), b"auto-generated");
            let summary = mime::summarise(&octets);
            assert!(summary.snippet.contains(part), "{}", summary.snippet);
            assert!(octets.is_ascii());
        };
        check(Told::Left, true, "かえで通信: 退会しました", "から退会しました");
        check(Told::Left, false, "かえで通信: you have left the list", "no longer a member");
        let member = "gone@sender.example";
        check(Told::Suspended { member }, true, "かえで通信: 配信を止めました", member);
        check(Told::Suspended { member }, false, "かえで通信: a member is suspended", member);
        let missed = Told::Undelivered { member, why: Reason::RequireTls };
        check(missed, true, "かえで通信: 届かなかった会員がいます", "REQUIRETLS");
        check(missed, false, "かえで通信: a member did not get a message", "REQUIRETLS");
    }

    #[test]
    fn a_name_is_no_field_of_its_own() {
        let check = |name: &str, expected: &str| assert!(phrase(name).starts_with(expected));
        check("Kaede News", "Kaede News");
        check("a\r\nBcc: x@y.example", "=?UTF-8?B?");
        check("x <y>", "=?UTF-8?B?");
    }
}
