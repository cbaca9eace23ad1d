//! Notices written and read again, and notices of others.

use crate::*;

fn fate<'a>(recipient: &'a str, answer: &'a str) -> Fate<'a> {
    Fate {
        recipient,
        original: Some("rfc822;bob@there.example"),
        status: (5, 1, 1),
        reason: Reason::UserUnknown,
        last: None,
        remote: Some("mx.there.example"),
        answer: Some(answer),
        until: None,
    }
}

fn notice<'a>(action: Action, fates: Vec<Fate<'a>>, original: &'a [u8]) -> Vec<u8> {
    write(&about(action, fates, original))
}

fn about<'a>(action: Action, fates: Vec<Fate<'a>>, original: &'a [u8]) -> Notice<'a> {
    Notice {
        action,
        host: "mx.here.example",
        to: "aoi@here.example",
        date: "Sun, 29 Nov 2026 12:00:00 +0900",
        arrival: Some("Sun, 29 Nov 2026 11:00:00 +0900"),
        message_id: "n1@mx.here.example",
        boundary: "=_n1",
        envelope_id: None,
        fates,
        original: Original::Full(original),
    }
}

const MAIL: &[u8] = b"Message-ID: <m1@here.example>\r\nTo: bob@there.example\r\n\r\nhello\r\n";

#[test]
fn what_we_write_we_read() {
    let check = |action: Action, kind: Kind, reason: Reason| {
        let fates = vec![fate("bob@there.example", "550 5.1.1 no such user")];
        let octets = notice(action, fates, MAIL);
        let bounce = read(&octets).unwrap();
        assert_eq!((bounce.kind, bounce.about.as_deref()), (kind, Some("m1@here.example")));
        assert_eq!(bounce.victims.len(), 1);
        assert_eq!(bounce.victims[0].address, "bob@there.example");
        assert_eq!(bounce.victims[0].reason, reason, "{action:?}");
    };
    check(Action::Failed, Kind::Failed, Reason::UserUnknown);
    check(Action::Delayed, Kind::Delayed, Reason::UserUnknown);
    check(Action::Delivered, Kind::Delivered, Reason::Delivered);
}

/// Others' words stand in ours: none of them hides, turns or ends what stands around it.
#[test]
fn a_remote_s_words_show_what_is_hidden_in_them() {
    let said = "550 5.1.1 gone\u{202e}elpmaxe\r\nX: y\u{1b}[2J";
    let octets = notice(Action::Failed, vec![fate("bob@there.example", said)], MAIL);
    let (message, _) = mime::parse(&octets);
    let parts = message.parts().iter().map(|part| message.content(part).into_owned());
    let text = String::from_utf8(parts.flatten().collect()).unwrap();
    assert!(text.contains("gone<U+202E>elpmaxe  X: y [2J"), "{text}");
    assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text}");
    let victims = read(&octets).unwrap().victims;
    assert!(victims.iter().all(|victim| terms::plain::is_plain(&victim.said)), "{victims:?}");
}

/// Its time is over: that, and what stood in the way until then.
#[test]
fn an_end_for_want_of_time_says_what_was_in_the_way() {
    let over = Fate {
        status: (5, 4, 7),
        reason: Reason::Expired,
        last: Some(Reason::MailboxFull),
        ..fate("bob@there.example", "452 4.2.2 full")
    };
    let octets = notice(Action::Failed, vec![over], MAIL);
    assert_eq!(read(&octets).unwrap().victims[0].reason, Reason::MailboxFull);
    let text = String::from_utf8(octets).unwrap();
    for field in ["Status: 5.4.7", "Remote-MTA: dns; mx.there.example"] {
        assert!(text.contains(&format!("\r\n{field}\r\n")), "{text}");
    }
    assert!(text.contains("Diagnostic-Code: smtp; 452 4.2.2 full\r\n"), "{text}");
    let part = text.split("base64\r\n\r\n").nth(1).unwrap().split("--=_n1").next().unwrap();
    let words = data_encoding::BASE64.decode(part.replace("\r\n", "").as_bytes()).unwrap();
    let words = String::from_utf8(words).unwrap();
    for (said, reason) in [(0, Reason::Expired), (1, Reason::MailboxFull)] {
        let (japanese, english) = say(reason);
        let lead = [("", ""), ("最後の状況: ", "At last: ")][said];
        assert!(words.contains(&format!("    {}{japanese}\r\n", lead.0)), "{words}");
        assert!(words.contains(&format!("    {}{english}\r\n", lead.1)), "{words}");
    }
    let answer = "The answer (mx.there.example): 452 4.2.2 full";
    assert!(words.contains("相手の応答 (mx.there.example): ") && words.contains(answer), "{words}");
}

#[test]
fn a_remote_writes_no_line_of_ours() {
    let fates = vec![fate("b\r\nBcc: x@y.example", "550 no\r\n\r\n--=_n1--\r\nX: y\n.\r\n")];
    let octets = notice(Action::Failed, fates, MAIL);
    let text = String::from_utf8(octets).unwrap();
    assert!(!text.contains("\r\nBcc:") && !text.contains("\r\nX: y"));
    assert_eq!(text.matches("\r\n--=_n1").count(), 4);
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
}

#[test]
fn long_mail_comes_back_as_its_header_and_international_mail_as_itself() {
    let long = [MAIL, &b"x".repeat(100_000)].concat();
    let octets = notice(Action::Failed, vec![fate("bob@there.example", "550 no")], &long);
    assert!(octets.len() < 5_000);
    let text = String::from_utf8(octets).unwrap();
    assert!(text.contains("text/rfc822-headers") && text.contains("Message-ID: <m1@"));
    let octets = notice(Action::Failed, vec![fate("葵@there.example", "550 いません")], MAIL);
    let text = String::from_utf8(octets).unwrap();
    assert!(text.contains("message/global-delivery-status"));
    assert!(text.contains("Final-Recipient: utf-8; 葵@there.example"));
    assert!(text.contains("Diagnostic-Code: smtp; 550 いません"));
}

/// RFC 6533: the words of a remote stay what they are on their way to somebody who takes UTF-8,
/// whoever they are about; elsewhere the field is ASCII and nothing of it is lost.
#[test]
fn words_beyond_ascii_are_not_lost() {
    let fate = || Fate {
        original: Some("utf-8;葵@there.example"),
        ..fate("bob@there.example", "550 いません")
    };
    let written = |to| {
        let mut about = about(Action::Failed, vec![fate()], MAIL);
        about.to = to;
        String::from_utf8(write(&about)).unwrap()
    };
    let global = written("葵@here.example");
    assert!(global.contains("message/global-delivery-status"), "{global}");
    assert!(global.contains("Diagnostic-Code: smtp; 550 いません\r\n"), "{global}");
    assert!(global.contains("Original-Recipient: utf-8;葵@there.example\r\n"), "{global}");
    let plain = written("aoi@here.example");
    assert!(plain.is_ascii() && plain.contains("message/delivery-status"), "{plain}");
    let spelled = "Diagnostic-Code: smtp; 550 \\x{3044}\\x{307E}\\x{305B}\\x{3093}\r\n";
    assert!(plain.contains(spelled), "{plain}");
    assert!(plain.contains("Original-Recipient: utf-8;\\x{8475}@there.example\r\n"), "{plain}");
}

#[test]
fn nobody_is_told_who_must_not_be() {
    let check = |action, sender, notify, due| {
        assert_eq!(Notice::is_due(action, sender, notify), due, "{action:?} {sender:?} {notify:?}");
    };
    check(Action::Failed, Some("a@b"), None, true);
    check(Action::Failed, None, None, false);
    check(Action::Failed, Some(""), None, false);
    check(Action::Failed, Some("a@b"), Some((true, false, true)), false);
    check(Action::Delivered, Some("a@b"), None, false);
    check(Action::Delivered, Some("a@b"), Some((true, false, false)), true);
    check(Action::Delayed, Some("a@b"), None, true);
    check(Action::Delayed, Some("a@b"), Some((false, true, false)), false);
}

#[test]
fn notices_of_others() {
    let check = |mail: &str, kind: Kind, address: &str, reason: Reason| {
        let bounce = read(mail.replace('\n', "\r\n").as_bytes()).expect(mail);
        assert_eq!(bounce.kind, kind, "{mail}");
        assert_eq!(bounce.victims[0].address, address, "{mail}");
        assert_eq!(bounce.victims[0].reason, reason, "{mail}");
    };
    check(
        "From: MAILER-DAEMON@a.example\nTo: me@a.example\nSubject: failure notice\n\n\
         Hi. I wasn't able to deliver your message to the following addresses.\n\n\
         <bob@b.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
         --- Below this line is a copy of the message.\n\nTo: x@c.example\n",
        Kind::Failed,
        "bob@b.example",
        Reason::UserUnknown,
    );
    check(
        "From: me@a.example\nAuto-Submitted: auto-replied\nSubject: Re: hi\n\nI am away.\n",
        Kind::AutoReply,
        "me@a.example",
        Reason::Away,
    );
    let none = |mail: &str| assert_eq!(read(mail.as_bytes()), None, "{mail}");
    none("From: bob@b.example\r\nSubject: lunch\r\n\r\nwrite to ann@a.example\r\n");
    none("");
}

/// Whoever writes it chooses groups and texts: what is read must not be their product.
#[test]
fn many_victims_in_long_texts_are_little_work() {
    let text = |begin: &str| {
        format!("--q\r\nContent-Type: text/plain\r\n\r\n{begin}{}", "x".repeat(70) + "\r\n")
            + &("x".repeat(70) + "\r\n").repeat(900)
    };
    let read_of = |mail: &str, most: usize| {
        crate::READ.set(0);
        let bounce = read(mail.as_bytes()).unwrap();
        assert!(bounce.victims.len() <= 1_000);
        let count = crate::READ.get();
        assert!(count <= most, "{count} octets were read for clues");
        bounce
    };
    let report = format!(
        "From: MAILER-DAEMON@a.example\r\nSubject: dsn\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=q\r\n\r\n{}\
         --q\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n{}\
         --q--\r\n",
        text("").repeat(16),
        "Final-Recipient:a%Zz\r\n\r\n".repeat(2_500),
    );
    assert_eq!(read_of(&report, 1024 * 1024).victims.len(), 1_000);
    let failed: Vec<String> = (0..1_000).map(|at| format!("u{at}@b.example")).collect();
    let words = format!(
        "From: MAILER-DAEMON@a.example\r\nSubject: failure notice\r\nMIME-Version: 1.0\r\n\
         X-Failed-Recipients: {}\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n{}--q--\r\n",
        failed.join(",\r\n "),
        text(&(failed.join(" ") + "\r\n")).repeat(2),
    );
    read_of(&words, 1024 * 1024);
}

#[test]
fn each_of_a_thousand_victims_has_the_reason_beside_it() {
    let lines: String =
        (0..1_000).map(|at| format!("<u{at}@b.example>: mailbox full\r\n\r\n")).collect();
    let mail = format!("From: MAILER-DAEMON@a.example\r\nSubject: failure notice\r\n\r\n{lines}");
    let bounce = read(mail.as_bytes()).unwrap();
    assert!(bounce.victims.len() >= 200);
    assert!(bounce.victims.iter().all(|victim| victim.reason == Reason::MailboxFull));
}

/// Whatever comes: no panic, and nothing beyond its bounds.
#[test]
fn fuzz_returned() {
    let factor: u64 = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
    let seeds = [
        notice(Action::Failed, vec![fate("bob@there.example", "550 5.1.1 no")], MAIL),
        b"From: MAILER-DAEMON\r\nSubject: failure notice\r\n\r\n<a@b.example>:\r\nunknown\r\n"
            .to_vec(),
    ];
    for seed in 1..3_000 * factor {
        let mut state = seed;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut octets = seeds[random(2)].clone();
        for _ in 0..random(30) {
            let at = random(octets.len());
            match random(3) {
                0 => octets[at] = random(256) as u8,
                1 => drop(octets.drain(at..(at + random(20)).min(octets.len()))),
                _ => {
                    let piece: Vec<u8> = octets[at..(at + random(40)).min(octets.len())].to_vec();
                    octets.splice(at..at, piece);
                }
            }
            if octets.is_empty() {
                break;
            }
        }
        if let Some(bounce) = read(&octets) {
            assert!(bounce.victims.iter().all(|victim| victim.said.chars().count() <= 600));
        }
    }
}

#[test]
fn letters_beyond_ascii_that_a_server_does_not_take_are_named() {
    let check = |status: (u8, u16, u16), words: &str| {
        assert_eq!(crate::reason(Some(status), words), crate::Reason::NeedsUtf8, "{words}");
    };
    check((5, 6, 7), "");
    check((5, 6, 9), "the header is not in ASCII, and the remote has no SMTPUTF8");
    check((5, 6, 7), "non-ASCII addresses not permitted for that sender/recipient");
    check((5, 5, 4), "SMTPUTF8 is required, but was not offered by host");
    let (japanese, english) = crate::say(crate::Reason::NeedsUtf8);
    assert!(japanese.contains("SMTPUTF8") && english.contains("SMTPUTF8"));
    // 8BITMIME is another thing, and has words of its own.
    let words = "the text is not in ASCII, and the remote has no 8BITMIME";
    assert_eq!(crate::reason(Some((5, 6, 3)), words), crate::Reason::NeedsEightBits);
    assert_eq!(crate::reason(Some((5, 6, 3)), ""), crate::Reason::Content);
    assert_eq!(crate::reason(Some((5, 4, 6)), ""), crate::Reason::Loop);
}
