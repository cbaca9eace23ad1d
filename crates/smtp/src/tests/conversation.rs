//! The order of commands, and everything a session answers by itself.

use super::{Client, ENVELOPE, HELLO, check, check_absent, said, small};
use crate::{Event, Limits, Patience, Reply, Session};

#[test]
fn the_greeting_and_what_is_offered() {
    let mut session = Session::new(Limits::default(), "mx.example.jp", false, true);
    session.greet();
    session.feed(b"EHLO c.example\r\n");
    assert!(matches!(session.next_event(), Event::Hello(_)));
    let expected = "220 mx.example.jp ESMTP\r\n250-mx.example.jp\r\n250-PIPELINING\r\n\
        250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-STARTTLS\r\n\
        250 ENHANCEDSTATUSCODES\r\n";
    assert_eq!(String::from_utf8(session.take_output()).unwrap(), expected);
    check("HELO c.example\r\n", &["250 mx.example.jp\r\n[hello c.example]"]);
}

#[test]
fn a_whole_message() {
    let text = "Subject: hi\r\n\r\n..dotted\r\n...\r\nlast\r\n.\r\nQUIT\r\n";
    check(
        &format!("{ENVELOPE}{text}"),
        &[
            "[mail a@sender.example None]",
            "250 2.0.0 OK",
            "[rcpt b@example.jp]",
            "[data]",
            "354 ",
            "[end \"Subject: hi\\r\\n\\r\\n.dotted\\r\\n..\\r\\nlast\\r\\n\"]",
            "250 2.0.0 kept",
            "221 2.0.0 bye\r\n[closed Quit]",
        ],
    );
    check(&format!("{ENVELOPE}.\r\n"), &["[end \"\"]", "250 2.0.0 kept"]);
    check(&format!("{ENVELOPE}\r\n.\r\n"), &["[end \"\\r\\n\"]"]);
    check(&format!("{ENVELOPE}.x\r\n..\r\n.\r\n"), &["[end \"x\\r\\n.\\r\\n\"]"]);
}

#[test]
fn the_order_of_commands() {
    check("MAIL FROM:<a@b>\r\n", &["503 5.5.1"]);
    check("RCPT TO:<a@b>\r\n", &["503 5.5.1"]);
    check(&format!("{HELLO}RCPT TO:<a@b>\r\n"), &["503 5.5.1"]);
    check("DATA\r\n", &["503 5.5.1"]);
    check(&format!("{HELLO}MAIL FROM:<>\r\nMAIL FROM:<>\r\n"), &["250 2.0.0", "503 5.5.1"]);
    check(&format!("{HELLO}MAIL FROM:<>\r\nDATA\r\n"), &["503 5.5.1 no recipient"]);
    let refused = "MAIL FROM:<>\r\nRCPT TO:<nobody@example.jp>\r\nDATA\r\n";
    check(&format!("{HELLO}{refused}"), &["550 5.1.1", "503 5.5.1 no recipient"]);
    check(
        &format!("{HELLO}MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n"),
        &["[mail", "[forget Reset]", "[mail", "250 2.0.0"],
    );
    check(&format!("{HELLO}MAIL FROM:<>\r\n{HELLO}RCPT TO:<a@b>\r\n"), &["[mail", "503 5.5.1"]);
    check(&format!("{ENVELOPE}x\r\n.\r\nRCPT TO:<a@b>\r\n"), &["kept", "503 5.5.1"]);
}

#[test]
fn small_verbs() {
    check("NOOP\r\nNOOP what ever\r\nnoop  \t\r\n", &["250", "250", "250"]);
    check("VRFY aoi\r\n", &["252 2.0.0"]);
    check("EXPN list\r\n", &["502 5.5.1"]);
    check("HELP\r\n", &["214 2.0.0"]);
    check("AUTH PLAIN AGEAYgBj\r\n", &["502 5.5.1"]);
    check("RSET now\r\n", &["501 5.5.4"]);
    check("QUIT now\r\n", &["501 5.5.4"]);
    check("DATA now\r\n", &["501 5.5.4"]);
    check("WHAT\r\n\r\n", &["500 5.5.1", "500 5.5.1"]);
    check("EHLO\r\n", &["501"]);
    check("EHLO \r\n", &["501"]);
    check("EHLO a b\r\n", &["501"]);
    check("EHLO <script>\r\n", &["501"]);
    check("EHLO [192.0.2.1]\r\nEHLO under_score\r\n", &["[hello [192", "[hello under_score]"]);
    check("EHLO [IPv6:2001:db8::1]\r\nEHLO [::1]\r\n", &["[hello [IPv6", "[hello [::1]]"]);
    for none in ["[999.1.1.1]", "[192.0.2.1", "a[1]", "[]", "[IPv6:192.0.2.1]", "[tag:x]"] {
        check(&format!("EHLO {none}\r\n"), &["501"]);
        check(&format!("HELO {none}\r\n"), &["501"]);
    }
    check("GET / HTTP/1.1\r\nNOOP\r\n", &["554 5.5.1", "[closed Web]"]);
}

#[test]
fn limits_are_told() {
    let rcpt = "RCPT TO:<a@b>\r\n";
    check(&format!("{HELLO}MAIL FROM:<>\r\n{}", rcpt.repeat(4)), &["452 4.5.3"]);
    let wrong = "WRONG\r\n".repeat(6);
    check(&format!("{wrong}NOOP\r\n"), &["500", "421 4.7.0", "[closed TooManyErrors]"]);
    check_absent(&format!("{wrong}NOOP\r\n"), "250");
    check(&"NOOP\r\n".repeat(41), &["421 4.7.0", "[closed TooManyCommands]"]);
    let long = "x".repeat(509);
    check(&format!("NOOP {}\r\nNOOP\r\n", "x".repeat(505)), &["250", "250"]);
    check(&format!("NOOP {long}\r\nHELP\r\n"), &["500 5.5.2", "214"]);
    check(&format!("NOOP {}\r\nHELP\r\n", "x".repeat(5_000)), &["500 5.5.2", "214"]);
    check(&format!("NOOP {}", "x".repeat(40_000)), &["500 5.5.2", "[closed TooLarge]"]);
}

#[test]
fn too_large_texts_are_drained_and_refused() {
    let line = format!("{}\r\n", "x".repeat(62));
    let fits = line.repeat(64);
    check(&format!("{ENVELOPE}{fits}.\r\nNOOP\r\n"), &["kept", "250 2.0.0 OK"]);
    check(
        &format!("{ENVELOPE}{fits}x\r\n.\r\nNOOP\r\n"),
        &["[forget TooLarge]", "552 5.3.4", "250 2.0.0 OK"],
    );
    let mut client = Client::new(small(), false);
    client.send(ENVELOPE.as_bytes());
    for _ in 0..40_000 {
        if !client.closed {
            client.send(line.as_bytes());
        }
    }
    assert!(
        client.said.ends_with(
            "552 5.3.4 this message is larger than 4096 octets\r\n\
        [closed TooLarge]\n"
        ),
        "{}",
        client.said
    );
    let long = "x".repeat(999);
    check(&format!("{ENVELOPE}{long}\r\n.\r\nNOOP\r\n"), &["500 5.6.0", "250 2.0.0 OK"]);
    check(&format!("{ENVELOPE}{}\r\n.\r\n", "x".repeat(998)), &["kept"]);
}

/// What is written above a message ends where the message begins.
#[test]
fn no_text_begins_in_the_middle_of_a_field() {
    let odd = ["[forget Odd(Continues)]", "554 5.6.0 a continuation of no field", "250 2.0.0 OK"];
    for text in ["\tauth.fake=9\r\nFrom: a@b\r\n", " From: a@b\r\n", " \r\n", ".. x\r\n"] {
        let text = text.replace("..", ".");
        check(&format!("{ENVELOPE}{text}\r\nbody\r\n.\r\nNOOP\r\n"), &odd);
    }
    check(&format!("{ENVELOPE}A: b\r\n c\r\n\r\n d\r\n.\r\n"), &["kept"]);
    check(&format!("{ENVELOPE}\r\n d\r\n.\r\n"), &["kept"]);
    let begin = format!("{HELLO}MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");
    check(&format!("{begin}BDAT 6 LAST\r\n a: b\r\nNOOP\r\n"), &odd[..1]);
    check(&format!("{begin}BDAT 0\r\nBDAT 7 LAST\r\n\ta: b\r\nNOOP\r\n"), &odd);
    check(&format!("{begin}BDAT 2\r\na:BDAT 4 LAST\r\n b\r\nNOOP\r\n"), &["kept"]);
}

#[test]
fn bdat() {
    let begin = format!("{HELLO}MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");
    check(&format!("{begin}BDAT 9\r\n.\r\n.\r\nab\rBDAT 2 LAST\r\n\n\nNOOP\r\n"), &["[data]"]);
    check(
        &format!("{begin}BDAT 5\r\nab\r\n.BDAT 4 LAST\r\n\r\nx\nNOOP\r\n"),
        &["250 2.0.0 chunk taken", "554 5.6.0 a bare LF", "250 2.0.0 OK"],
    );
    check(
        &format!("{begin}BDAT 5\r\nab\r\n.BDAT 4 last\r\n\r\nxyNOOP\r\n"),
        &["chunk taken", "[end \"ab\\r\\n.\\r\\nxy\"]", "kept", "250 2.0.0 OK"],
    );
    check(&format!("{begin}BDAT 3\r\nab\rBDAT 1 LAST\r\n\nNOOP\r\n"), &["[end \"ab\\r\\n\"]"]);
    check(&format!("{begin}BDAT 3 LAST\r\nab\rNOOP\r\n"), &["554 5.6.0 a bare CR", "250 2.0.0 OK"]);
    check(
        &format!("{begin}BDAT 3\r\na\0bBDAT 1\r\nxBDAT 1 LAST\r\nyNOOP\r\n"),
        &["[forget Odd(Nul)]", "554", "554", "554", "250 2.0.0 OK"],
    );
    check(&format!("{begin}BDAT 0 LAST\r\n"), &["[end \"\"]"]);
    check("BDAT 5 LAST\r\nNOOP\r\n", &["503"]);
    check("BDAT 6\r\nNOOP\r\nHELP\r\n", &["503", "214"]);
    check_absent("BDAT 6\r\nNOOP\r\n", "250");
    check(&format!("{begin}BDAT 1\r\nxDATA\r\n"), &["503"]);
    check(&format!("{begin}BDAT 1\r\nxRCPT TO:<c@d>\r\n"), &["chunk taken", "503"]);
    check(&format!("{begin}BDAT 1\r\nxRSET\r\nMAIL FROM:<>\r\n"), &["[forget Reset]", "[mail"]);
    check(
        &format!("{begin}BDAT 5500 LAST\r\n{}NOOP\r\n", "x\r\n234567\r\n".repeat(500)),
        &["[forget TooLarge]", "552 5.3.4", "250 2.0.0 OK"],
    );
    check(&format!("{begin}BDAT 99999999999 LAST\r\n"), &["552 5.3.4", "[closed TooLarge]"]);
}

#[test]
fn a_chunk_whose_size_cannot_be_read_ends_the_session() {
    let begin = format!("{HELLO}MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");
    let smuggled = "RSET\r\nMAIL FROM:<eve@sender.example>\r\nNOOP\r\n";
    for bad in ["", " ", " x", " -1", " +1", " 1 FIRST", " 1  LAST", " 1 LAS", " 1 LAST x", "\t1"] {
        for verb in ["BDAT", "bdat"] {
            let input = format!("{begin}{verb}{bad}\r\n{smuggled}");
            check(&input, &["[rcpt a@b]", "250", "5.5.", "[closed OutOfStep]"]);
            check_absent(&input, "[mail eve");
        }
    }
    for bad in ["99999999999999999999".to_owned(), "1 \u{3042}".to_owned(), "9".repeat(600)] {
        let input = format!("{begin}BDAT {bad}\r\n{smuggled}");
        check(&input, &["[rcpt a@b]", "50", "[closed OutOfStep]"]);
        check_absent(&input, "[mail eve");
    }
    let without_end = format!("{begin}BDAT {}", "9".repeat(600));
    check(&without_end, &["500 5.5.2", "[closed OutOfStep]"]);
    let mut not_utf8 = format!("{begin}BDAT 5").into_bytes();
    not_utf8.extend_from_slice(b"\xff\r\nNOOP\r\n");
    assert!(said(&not_utf8).ends_with("[closed OutOfStep]\n"));
    // Another word is no chunk, and nothing follows it.
    check("BDATA 5\r\nNOOP\r\n", &["500 5.5.1", "250 2.0.0 OK"]);
}

#[test]
fn the_octets_of_a_refused_chunk_are_never_commands() {
    let smuggled = "MAIL FROM:<eve@sender.example>\r\n";
    let chunk = format!("BDAT {} LAST\r\n{smuggled}HELP\r\n", smuggled.len());
    for before in [
        "",
        "MAIL FROM: <a@b>\r\n",
        "MAIL FROM:<a@b>\r\n",
        "MAIL FROM:<a@b>\r\nRCPT TO:<nobody@b>\r\n",
        "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\n",
    ] {
        let input = format!("{HELLO}{before}{chunk}");
        check(&input, &["503 5.5.1", "214"]);
        check_absent(&input, "[mail eve");
    }
    // Too large by what was announced, in one chunk or in several; then the next letter.
    let large = "x\r\n".repeat(1_400);
    let begin = format!("{HELLO}MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n");
    let next = "MAIL FROM:<next@b>\r\n";
    check(
        &format!("{begin}BDAT {} LAST\r\n{large}{next}", large.len()),
        &["[data]", "[forget TooLarge]", "552 5.3.4", "[mail next@b"],
    );
    check(
        &format!("{begin}BDAT 3\r\na\r\nBDAT {}\r\n{large}BDAT 0 LAST\r\n{next}", large.len()),
        &["chunk taken", "[forget TooLarge]", "552 5.3.4", "552 5.3.4", "[mail next@b"],
    );
    // RFC 3030 §2: one text is not brought both ways.
    let input = format!("{begin}BDAT 3\r\na\r\nDATA\r\n{smuggled}.\r\n");
    check(&input, &["chunk taken", "503 5.5.1", "[closed InputTooEarly]"]);
    check_absent(&input, "[mail eve");
    let input = format!("{begin}DATA\r\nBDAT 3 LAST\r\na\r\n.\r\n{next}");
    check(&input, &["[end \"BDAT 3 LAST\\r\\na\\r\\n\"]", "kept", "[mail next@b"]);
}

#[test]
fn starttls() {
    check("EHLO c\r\nSTARTTLS\r\n", &["[starttls]", "220 2.0.0 Ready"]);
    check("STARTTLS now\r\n", &["501"]);
    check("EHLO c\r\nSTARTTLS\r\nEHLO d\r\n", &["554 5.5.0", "[closed InputTooEarly]"]);
    check_absent("EHLO c\r\nSTARTTLS\r\nEHLO d\r\n", "220");
    let mut client = Client::new(small(), false);
    client.send(b"EHLO c\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n");
    let mut secured = client.session.secured();
    assert_eq!(secured.protocol(), "SMTP");
    secured.feed(b"MAIL FROM:<a@b>\r\nSTARTTLS\r\nEHLO c\r\n");
    assert!(matches!(secured.next_event(), Event::Hello(_)));
    let said = String::from_utf8(secured.take_output()).unwrap();
    assert!(said.starts_with("503 5.5.1") && !said.contains("STARTTLS\r\n"), "{said}");
    assert_eq!(secured.protocol(), "ESMTPS");
}

#[test]
fn a_refused_data_lets_no_text_be_read_as_commands() {
    let smuggled = "MAIL FROM:<>\r\nRCPT TO:<b@example.jp>\r\n.\r\n";
    check(&format!("{HELLO}DATA\r\n{smuggled}"), &["503", "554 5.5.0", "[closed InputTooEarly]"]);
    check_absent(&format!("{HELLO}DATA\r\n{smuggled}"), "[mail");
}

#[test]
fn a_caller_may_refuse_while_text_comes() {
    let mut session = Session::new(small(), "mx", false, false);
    session.feed(ENVELOPE.as_bytes());
    let mut ended = false;
    for _ in 0..20 {
        match session.next_event() {
            Event::Data => {
                session.reply(Reply::go_ahead());
                session.feed(b"some text\r\n");
            }
            Event::Octets(_) => {
                session.refuse_text(Reply::new(452, (3, 1), "full"));
                session.feed(b"more\r\n.\r\nNOOP\r\n");
            }
            Event::End => ended = true,
            Event::Read | Event::Close(_) => break,
            _ => session.reply(Reply::ok()),
        }
    }
    let said = String::from_utf8(session.take_output()).unwrap();
    assert!(!ended && said.ends_with("452 4.3.1 full\r\n250 2.0.0 OK\r\n"), "{said}");
}

#[test]
fn silence_is_answered() {
    let mut client = Client::new(small(), false);
    client.send(HELLO.as_bytes());
    assert_eq!(client.session.patience(), Patience::Command);
    client.session.timed_out();
    client.send(b"");
    assert!(client.said.ends_with("421 4.4.2 you were silent too long\r\n[closed TimedOut]\n"));

    let mut client = Client::new(small(), false);
    client.send(format!("{ENVELOPE}text\r\n").as_bytes());
    assert_eq!(client.session.patience(), Patience::Text);
    client.send(b"\n.\n");
    assert_eq!(client.session.patience(), Patience::FalseEnd);
    client.session.timed_out();
    client.send(b"");
    assert!(client.said.ends_with("554 5.6.0 a bare LF in the message\r\n[closed FalseEnd]\n"));
}

#[test]
fn an_event_left_unanswered_is_answered_for_the_caller() {
    let mut session = Session::new(small(), "mx", false, false);
    session.feed(b"EHLO c\r\nMAIL FROM:<>\r\n");
    while !matches!(session.next_event(), Event::Read) {}
    let said = String::from_utf8(session.take_output()).unwrap();
    assert!(said.ends_with("451 4.3.0 try again later\r\n"), "{said}");
}

#[test]
fn replies_cannot_be_broken_by_what_they_quote() {
    let mut out = Vec::new();
    Reply::new(550, (1, 1), "a\r\n250 é").write(&mut out);
    assert_eq!(out, b"550 5.1.1 a??250 ??\r\n");
    let mut out = Vec::new();
    Reply::new(550, (1, 1), "x".repeat(9_000)).write(&mut out);
    assert!(out.len() <= 512);
}
