//! A list's mail, spread; a member's copy, carried; and what came back for one.

use super::neighbourhood::lists::{LIST, PERMIT};
use super::neighbourhood::remote::Remote;
use super::neighbourhood::{Letter, Plan};
use super::settle;
use mailauth::DkimResult;
use wire::lists::Question;
use wire::post::{Finish, Hop};

const RECEIVED: &str = "Received: from c (c [192.0.2.9])\r\n\tby mx.here.example;\r\n\t\
    Sun, 29 Nov 2026 09:00:00 +0000\r\n\
    Authentication-Results: mx.here.example;\r\n\tdmarc=pass;\r\n\tarc=none\r\n";
const AUTHOR: &str = "From: Carol <carol@shop.example>\r\nTo: news@here.example\r\n\
    Subject: hi\r\n\r\n.hello\r\n";

fn posted(permit: [u8; 16]) -> Letter {
    let mut letter = Letter::to(Hop::List, &[LIST]);
    letter.envelope.from = "carol@shop.example".to_owned();
    letter.envelope.finish = Finish::Spread { permit };
    letter.text = format!("{RECEIVED}{AUTHOR}").into_bytes();
    letter
}

/// A member's copy on its way.
fn copy(to: &str, link: &str) -> Letter {
    let mut letter = Letter::out(&[to]);
    letter.envelope.from = "bounce-1@here.example".to_owned();
    letter.envelope.finish = Finish::Copy {
        domain: "here.example".to_owned(),
        mail: "unsubscribe-1@here.example".to_owned(),
        link: link.to_owned(),
    };
    letter.text = AUTHOR.as_bytes().to_vec();
    letter
}

#[test]
fn everybody_gets_one_envelope_and_all_share_a_text() {
    let house = settle(Plan::default());
    let mut letter = posted(PERMIT);
    letter.envelope.heedless = true;
    assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
    let seen = house.seen.lock().unwrap();
    let shown: Vec<String> = seen
        .queued
        .iter()
        .map(|(_, envelope, _)| {
            let Finish::Copy { domain, mail, link } = &envelope.finish else { panic!("no copy") };
            assert_eq!((domain.as_str(), link.as_str()), ("here.example", ""));
            // What its author asks of TLS, or does not, is asked for each of them.
            assert!(envelope.heedless);
            let [to] = envelope.recipients.as_slice() else { panic!("one recipient each") };
            format!("{} {} {} {mail}", envelope.from, to.address, envelope.hop.word())
        })
        .collect();
    // BOB is bob, and Cy keeps one copy, whatever the number of their addresses.
    assert_eq!(
        shown,
        ["bob domain there.example", "cy here", "dee domain there.example"].map(|one| {
            let (local, hop) = one.split_once(' ').unwrap();
            let domain = hop.split(' ').nth(1).unwrap_or("here.example");
            format!(
                "bounce-{local}@here.example {local}@{domain} {hop} \
                 unsubscribe-{local}@here.example"
            )
        })
    );
    let (id, _, text) = &seen.queued[0];
    // Who traces the post finds them by its id and its destination's number.
    let post = terms::MessageId([1; 16]);
    assert_eq!(id.0, trace::copies(&post.to_string(), 0, 0));
    assert!(seen.queued.iter().all(|(other, _, same)| (other, same) == (id, text)));
    assert!(text.ends_with(&format!("{RECEIVED}{AUTHOR}")), "{text}");
    assert!(text.contains(" <news.here.example>\r\nList-Post: <mailto:news@here.example>\r\n"));
    assert!(text.contains("ARC-Seal: i=1;") && !text.contains("List-Unsubscribe"), "{text}");
    for member in ["bob@", "cy@", "dee@"] {
        assert!(!text.contains(member), "{member}");
    }
    // Once more, after a start: it has the same id, under which it stands there once.
    drop(seen);
    let again = settle(Plan::default());
    again.carry(&[posted(PERMIT)]);
    let again = again.seen.lock().unwrap();
    assert_eq!(again.queued[0].0, house.seen.lock().unwrap().queued[0].0);
}

#[test]
fn without_its_permit_nobody_is_told_and_the_author_hears() {
    let house = settle(Plan::default());
    assert_eq!(house.carry(&[posted([8; 16])]), ["1.0 failed sent 0: 5.1.1"]);
    let seen = house.seen.lock().unwrap();
    let [(_, notice, text)] = seen.queued.as_slice() else { panic!("one notice") };
    assert_eq!(notice.recipients[0].address, "carol@shop.example");
    assert!(text.contains("Status: 5.1.1"), "{text}");
}

#[test]
fn a_copy_says_how_to_leave_under_our_signature() {
    let check = |link: &str, expected: &str| {
        let remote = Remote::polite();
        let plan = Plan::default().with("there.example", "mx.there.example", &remote);
        let house = settle(plan);
        assert_eq!(house.carry(&[copy("bob@there.example", link)]), ["1.0 sent 1"]);
        let text = remote.texts().pop().unwrap();
        assert!(text.ends_with(&format!("{expected}{AUTHOR}")), "{text}");
        let found = house.keys.read(&text);
        assert!(found.dkim.len() == 2, "{text}");
        assert!(found.dkim.iter().all(|one| one.result == DkimResult::Pass), "{:?}", found.dkim);
        let other = text.replace("unsubscribe-1", "unsubscribe-2");
        let found = house.keys.read(&other);
        assert!(found.dkim.iter().all(|one| one.result == DkimResult::Fail), "{:?}", found.dkim);
    };
    check("", "List-Unsubscribe: <mailto:unsubscribe-1@here.example>\r\n");
    check(
        "https://pages.here.example/unsubscribe/01",
        "List-Unsubscribe: <https://pages.here.example/unsubscribe/01>,\r\n\t\
         <mailto:unsubscribe-1@here.example>\r\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    );
}

/// Whoever may post is not by that whoever stands in From.
#[test]
fn a_copy_in_the_name_of_the_list_s_domain_is_signed_if_that_is_proven() {
    let check = |results: &str, author: &str, signatures: usize| {
        let remote = Remote::polite();
        let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
        let mut letter = copy("bob@there.example", "");
        let text = AUTHOR.replace("Carol <carol@shop.example>", author);
        letter.text = format!("{results}{text}").into_bytes();
        assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
        let text = remote.texts().pop().unwrap();
        assert!(text.starts_with("DKIM-Signature") == (signatures > 0), "{author}: {text}");
        assert!(text.contains("List-Unsubscribe: <mailto:unsubscribe-1@here.example>"), "{text}");
        assert_eq!(house.keys.read(&text).dkim.len(), signatures, "{results} {author}");
    };
    let failed = RECEIVED.replace("dmarc=pass", "dmarc=fail");
    let none = RECEIVED.replace("dmarc=pass", "dmarc=none");
    for author in ["ceo@here.example", "CEO <ceo@hr.here.example>"] {
        check(RECEIVED, author, 2);
        check(&failed, author, 0);
        check(&none, author, 0);
        // Somebody of ours handed it in.
        check("", author, 2);
    }
    check(&none, "carol@shop.example", 2);
    check(&none, "carol@badhere.example", 2);
}

#[test]
fn what_comes_back_is_counted_and_told_to_nobody() {
    let check = |local: &str, expected: &str, counted: Option<&str>| {
        let remote = Remote::that(|_, line| {
            let word = line.strip_prefix("RCPT TO:<")?.split('@').next()?;
            Some(match word {
                "gone" => "550 5.1.1 no such user\r\n".to_owned(),
                "spam" => "550 5.7.1 spam\r\n".to_owned(),
                _ => "552 5.2.2 mailbox full\r\n".to_owned(),
            })
        });
        let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
        assert_eq!(house.carry(&[copy(&format!("{local}@there.example"), "")]), [expected]);
        let seen = house.seen.lock().unwrap();
        let address = "bounce-1@here.example".to_owned();
        let asked = match counted.map(str::to_owned) {
            None => Question::Returned { address },
            Some(why) => Question::Undelivered { address, why },
        };
        assert_eq!(seen.lists, [asked], "{local}");
        assert!(seen.queued.is_empty() && seen.copies.is_empty(), "{local}");
    };
    check("gone", "1.0 failed sent 0: 5.1.1", None);
    check("spam", "1.0 failed sent 0: 5.7.1", Some("spam"));
    check("full", "1.0 failed sent 0: 5.2.2", Some("mailbox-full"));
}

#[test]
fn a_word_of_one_of_our_own_is_heard() {
    let word = |letters: &str| format!("unsubscribe-{}@here.example", letters.repeat(39));
    let carried = |address: &str| {
        let mut letter = Letter::to(Hop::List, &[address]);
        letter.text = AUTHOR.as_bytes().to_vec();
        settle(Plan::default()).carry(&[letter])
    };
    assert_eq!(carried(&word("a")), ["1.0 sent 1"]);
    assert_eq!(carried(&word("b")), ["1.0 failed sent 0: 5.1.1"]);
}
