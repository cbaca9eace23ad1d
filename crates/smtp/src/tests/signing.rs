//! AUTH, and what people who sign in may do.

use super::{Client, check, small};
use crate::{Event, Limits, Reply, Session, xtext};

const PLAIN: &str = "AUTH PLAIN AGFvaQBzZWNyZXQ=\r\n";

/// As `check`, on a submission under TLS that has heard EHLO.
fn handed(input: &str, expected: &[&str]) {
    let mut client = Client::submission(small(), true);
    client.send(b"EHLO c.example\r\n");
    client.send(input.as_bytes());
    holds(input, &client.said, expected);
}

fn holds(input: &str, all: &str, expected: &[&str]) {
    let mut rest = all;
    for part in expected {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => panic!("no {part:?} after {input:?} in\n{all}"),
        }
    }
}

#[test]
fn auth_is_offered_under_tls_and_nowhere_else() {
    let offered = |is_tls: bool| {
        let mut client = Client::submission(Limits::default(), is_tls);
        client.send(b"EHLO c\r\n");
        client.said
    };
    let clear = offered(false);
    assert!(clear.contains("STARTTLS") && clear.contains("DSN"), "{clear}");
    assert!(!clear.contains("AUTH") && !clear.contains("REQUIRETLS"), "{clear}");
    let secured = offered(true);
    assert!(secured.contains("250-AUTH PLAIN LOGIN\r\n") && secured.contains("250-REQUIRETLS"));
    assert!(!secured.contains("STARTTLS"), "{secured}");
    check("EHLO c\r\nAUTH PLAIN AGFvaQBzZWNyZXQ=\r\n", &["502 5.5.1 nobody signs in"]);
    let mut client = Client::submission(small(), false);
    client.send(b"EHLO c\r\nAUTH PLAIN AGFvaQBzZWNyZXQ=\r\nMAIL FROM:<a@b>\r\n");
    holds("clear", &client.said, &["538 5.7.11", "530 5.7.0 say STARTTLS"]);
    assert!(!client.said.contains("[sign in"));
}

#[test]
fn both_mechanisms_with_and_without_an_initial_response() {
    handed(PLAIN, &["[sign in aoi]", "235 2.7.0"]);
    handed("auth plain\r\nAGFvaQBzZWNyZXQ=\r\n", &["334 \r\n[sign in aoi]", "235 2.7.0"]);
    handed("AUTH PLAIN YW9pAGFvaQBzZWNyZXQ=\r\n", &["[sign in aoi]", "235"]);
    handed(
        "AUTH LOGIN\r\nYW9p\r\nc2VjcmV0\r\n",
        &["334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n[sign in aoi]", "235"],
    );
    handed("AUTH LOGIN YW9p\r\nc2VjcmV0\r\n", &["334 UGFzc3dvcmQ6\r\n[sign in aoi]", "235"]);
}

#[test]
fn what_is_refused() {
    handed("AUTH PLAIN AGFvaQB3cm9uZw==\r\n", &["[sign in aoi]", "535 5.7.8"]);
    handed("AUTH PLAIN AGFvaQBhd2F5\r\nMAIL FROM:<a@b>\r\n", &["454 4.7.0", "530 5.7.0"]);
    handed("AUTH PLAIN\r\n*\r\nNOOP\r\n", &["334 \r\n501 5.7.0 given up", "250 2.0.0"]);
    handed("AUTH LOGIN\r\nYW9p\r\n*\r\n", &["334", "334", "501 5.7.0"]);
    for odd in ["AGFvaQBzZWNyZXQ", "AGFvaQBzZWNyZXR=", " AGFvaQBzZWNyZXQ=", "AGFv aQ==", "A==="] {
        handed(&format!("AUTH PLAIN\r\n{odd}\r\n"), &["334", "501 5.5.2 this is not base64"]);
    }
    // Nobody named, another acting, a fourth part, an empty response.
    for odd in ["AABzZWNyZXQ=", "YmVuAGFvaQBzZWNyZXQ=", "AGFvaQBzZWNyZXQAeA==", "="] {
        handed(&format!("AUTH PLAIN {odd}\r\n"), &["535 5.7.8"]);
    }
    handed("AUTH\r\nAUTH CRAM-MD5\r\nAUTH XOAUTH2 =\r\n", &["501 5.5.4", "504 5.5.4", "504 5.5.4"]);
    handed(&format!("{PLAIN}{PLAIN}"), &["235", "503 5.5.1 you are signed in"]);
    handed(&format!("{PLAIN}MAIL FROM:<a@b>\r\n{PLAIN}"), &["235", "250", "503 5.5.1"]);
    let mut stranger = Client::submission(small(), true);
    stranger.send(format!("{PLAIN}HELO c\r\n{PLAIN}").as_bytes());
    holds("no EHLO", &stranger.said, &["503 5.5.1 say EHLO", "250", "503 5.5.1 say EHLO"]);
}

#[test]
fn a_response_may_be_long_and_not_longer() {
    let long = "A".repeat(12_284);
    handed(&format!("AUTH LOGIN\r\n{long}\r\nNOOP\r\n"), &["334", "334 UGFzc3dvcmQ6"]);
    handed(&format!("AUTH LOGIN\r\n{long}AAAA\r\nNOOP\r\n"), &["334", "500 5.5.6", "250 2.0.0"]);
    handed(&format!("AUTH LOGIN {}\r\n", "A".repeat(12_272)), &["334 UGFzc3dvcmQ6"]);
    handed(&format!("AUTH LOGIN {}\r\nNOOP\r\n", "A".repeat(12_276)), &["500 5.5.2", "250 2.0.0"]);
    handed("AUTH PLAIN\r\nAGFv\naQBz\r\n", &["334", "500 5.5.2 a bare LF", "[closed OddLine"]);
}

#[test]
fn nothing_is_taken_before_and_much_after() {
    let mail = "MAIL FROM:<a@b> AUTH=<> REQUIRETLS RET=HDRS ENVID=x+2B SIZE=3\r\n";
    handed(mail, &["530 5.7.0 sign in first"]);
    let text = "RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+40d\r\nDATA\r\nhi\r\n.\r\n";
    handed(&format!("{PLAIN}{mail}{text}"), &["235", "[mail a@b Some(3)]", "[end \"hi\\r\\n\"]"]);
    handed(&format!("{PLAIN}MAIL FROM:<a@b> AUTH=a+40b\r\n"), &["235", "[mail", "250"]);
    handed(&format!("{PLAIN}MAIL FROM:<a@b> AUTH=a=b\r\n"), &["235", "501 5.5.4"]);
    handed(&format!("{PLAIN}{text}"), &["235", "503 5.5.1"]);
    let carrier = "MAIL FROM:<a@b>\r\nRCPT TO:<na..me.@docomo.example>\r\n";
    handed(&format!("{PLAIN}{carrier}"), &["235", "[rcpt \"na..me.\"@docomo.example]"]);
    check(&format!("EHLO c\r\n{carrier}"), &["501 5.1.3"]);
    check("EHLO c\r\nMAIL FROM:<a@b> REQUIRETLS\r\n", &["555 5.5.4"]);
    check("EHLO c\r\nMAIL FROM:<a@b> AUTH=<>\r\n", &["555 5.5.4"]);
    handed(&format!("{PLAIN}EHLO c\r\nMAIL FROM:<a@b>\r\n"), &["235", "[hello", "[mail", "250"]);
}

#[test]
fn nothing_survives_starttls() {
    let mut session = Session::submission(Limits::default(), "mx", false);
    session.feed(b"EHLO c\r\nSTARTTLS\r\n");
    assert!(matches!(session.next_event(), Event::Hello(_)));
    assert!(session.next_event() == Event::StartTls);
    session.reply(Reply::ready_for_tls());
    let mut session = session.secured();
    session.take_output();
    session.feed(PLAIN.as_bytes());
    assert!(session.next_event() == Event::Read, "EHLO comes first");
    session.feed(format!("EHLO c\r\n{PLAIN}").as_bytes());
    assert!(matches!(session.next_event(), Event::Hello(_)));
    assert!(matches!(session.next_event(), Event::SignIn(_)));
    session.reply(Reply::welcome());
    assert_eq!(session.protocol(), "ESMTPSA");
    let mut pipelined = Client::submission(small(), false);
    pipelined.send(format!("EHLO c\r\nSTARTTLS\r\nEHLO c\r\n{PLAIN}").as_bytes());
    holds("pipelined", &pipelined.said, &["554 5.5.0 input came before", "InputTooEarly"]);
}

#[test]
fn secrets_are_not_printed() {
    let mut session = Session::submission(Limits::default(), "mx", true);
    session.feed(format!("EHLO c\r\n{PLAIN}").as_bytes());
    session.next_event();
    let Event::SignIn(typed) = session.next_event() else { panic!() };
    assert_eq!(format!("{typed:?}"), "Credentials(…)");
}

#[test]
fn xtext_is_written_as_it_is_read() {
    assert_eq!(xtext("a+b=c d\u{3042}~"), "a+2Bb+3Dc+20d+E3+81+82~");
}
