//! Mail for a list, and words about a subscription: what the sender hears, and what is asked.

use super::{Neighbourhood, Plan, Scanner, settle};
use policy::{Authentication, DmarcPolicy, Outcome};
use wire::lists::Question;
use wire::post::{Finish, Hop};
use wire::scanner::Header;

const TEXT: &[u8] = b"From: a@sender.example\r\nSubject: hi\r\n\r\nhello\r\n";
const LIST: &str = "<list@example.jp>";

fn header() -> Header {
    Header { author: "a@sender.example".to_owned(), ..Header::default() }
}

/// DMARC passes by a signature of the author's.
fn facts() -> Authentication {
    Authentication {
        dmarc: Outcome::Pass,
        dmarc_policy: DmarcPolicy::Reject,
        from_domain: "sender.example".to_owned(),
        author_signed: true,
        ..Authentication::default()
    }
}

fn around(header: Header, facts: Authentication) -> Neighbourhood {
    settle(Plan { scanners: vec![Scanner::Proves(header, facts)], ..Plan::default() })
}

fn post(header: Header, facts: Authentication, text: &[u8]) -> (String, Vec<Question>, usize) {
    let around = around(header, facts);
    let reply = around.mail("<a@sender.example>", &[LIST], text);
    let seen = around.seen.lock().unwrap();
    (reply, seen.lists.clone(), seen.letters.len())
}

#[test]
fn who_may_post_is_queued_once_with_the_permit() {
    let around = around(header(), facts());
    let reply = around.mail("<a@sender.example>", &[LIST], TEXT);
    assert!(reply.starts_with("250"), "{reply}");
    let seen = around.seen.lock().unwrap();
    let [letter] = seen.letters.as_slice() else { panic!("one letter") };
    let [envelope] = letter.envelopes.as_slice() else { panic!("one envelope") };
    assert_eq!((envelope.from.as_str(), &envelope.hop), ("a@sender.example", &Hop::List));
    assert_eq!(envelope.finish, Finish::Spread { permit: [9; 16] });
    assert_eq!(envelope.recipients[0].address, "list@example.jp");
    assert!(letter.text.ends_with(TEXT) && seen.copies.is_empty());
}

#[test]
fn whoever_may_not_hears_why_and_no_more() {
    let check = |header: Header, facts: Authentication, code: &str, asked: Option<Option<&str>>| {
        let (reply, questions, letters) = post(header, facts, TEXT);
        assert!(reply.starts_with(code), "{code} {reply}");
        let authors = questions.iter().map(|question| match question {
            Question::MayPost { author, .. } => author.clone(),
            other => panic!("{other:?}"),
        });
        let asked: Vec<Option<String>> =
            asked.into_iter().map(|author| author.map(str::to_owned)).collect();
        assert_eq!(authors.collect::<Vec<_>>(), asked, "{reply}");
        assert_eq!(letters, usize::from(code == "250"));
        reply
    };
    let own = "a@sender.example";
    let unproven = Authentication { dmarc: Outcome::None, author_signed: false, ..facts() };
    let unproven = Authentication { dmarc_policy: DmarcPolicy::None, ..unproven };
    check(header(), facts(), "250", Some(Some(own)));
    let signed = Authentication { author_signed: true, ..unproven.clone() };
    check(header(), signed, "250", Some(Some(own)));
    let by_server = Authentication { spf: Outcome::Pass, ..unproven.clone() };
    check(header(), by_server, "250", Some(Some(own)));
    // Nobody is proven: nobody is looked up, and the words are a stranger's.
    let not_proven = check(header(), unproven, "550 5.7.2", Some(None));
    let stranger = Header { author: "b@sender.example".to_owned(), ..header() };
    let a_stranger = check(stranger, facts(), "550 5.7.2", Some(Some("b@sender.example")));
    assert_eq!(not_proven, a_stranger);
    let failed =
        Authentication { dmarc: Outcome::Fail, dmarc_policy: DmarcPolicy::None, ..facts() };
    check(header(), failed, "550 5.7.2", Some(None));
    // In another domain's name than the one that is proven, or in several.
    let other = Header { author: "a@other.example".to_owned(), ..header() };
    check(other, facts(), "550 5.7.2", Some(None));
    check(Header { author: String::new(), ..header() }, facts(), "550 5.7.2", Some(None));
    // What members' servers would refuse is not asked about, nor what no person wrote.
    let unsigned = Authentication { author_signed: false, ..facts() };
    check(header(), unsigned, "550 5.7.26", None);
    check(Header { is_automatic: true, ..header() }, facts(), "550 5.7.1", None);
}

#[test]
fn what_is_too_large_is_not_spread() {
    let large = [TEXT, &b"x\r\n".repeat(400)].concat();
    let (reply, _, letters) = post(header(), facts(), &large);
    assert!(reply.starts_with("552 5.3.4 ") && reply.contains("1000"), "{reply}");
    assert_eq!(letters, 0);
}

#[test]
fn a_word_is_heard_and_nothing_of_it_kept() {
    let token = "a".repeat(39);
    let word = |front: &str| format!("<{front}-{token}@example.jp>");
    let check = |from: &str, to: &str, is_lost: bool, code: &str, asked: usize| {
        let around = around(Header { is_lost, ..Header::default() }, Authentication::default());
        let reply = around.mail(from, &[to], TEXT);
        assert!(reply.starts_with(code), "{to} {reply}");
        let seen = around.seen.lock().unwrap();
        assert_eq!(seen.lists.len(), asked, "{to}");
        assert!(seen.letters.is_empty() && seen.copies.is_empty());
    };
    let somebody = "<b@sender.example>";
    check(somebody, &word("unsubscribe"), false, "250", 1);
    check("<>", &word("unsubscribe"), false, "250", 1);
    let over = word("unsubscribe").replace("aaa", "bbb");
    check(somebody, &over, false, "550", 1);
    check("<>", &word("bounce"), true, "250", 1);
    // A full mailbox, an absence: that is nothing lasting.
    check("<>", &word("bounce"), false, "250", 0);
}

#[test]
fn a_list_and_a_word_stand_alone() {
    let around = around(header(), facts());
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    let token = "a".repeat(39);
    for (from, first, code, second) in [
        ("a@sender.example", "list@example.jp", "250", "aoi@example.jp"),
        ("a@sender.example", "aoi@example.jp", "250", "list@example.jp"),
        ("", "list@example.jp", "550", ""),
        ("a@sender.example", &format!("bounce-{token}@example.jp"), "550", ""),
        ("", &format!("bounce-{token}@example.jp"), "250", "list@example.jp"),
    ] {
        client.ask(&format!("MAIL FROM:<{from}>"));
        let reply = client.ask(&format!("RCPT TO:<{first}>"));
        assert!(reply.starts_with(code), "{first} {reply}");
        if !second.is_empty() {
            let reply = client.ask(&format!("RCPT TO:<{second}>"));
            assert!(!reply.starts_with("250"), "{first} {second} {reply}");
        }
        client.ask("RSET");
    }
}
