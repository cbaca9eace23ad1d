//! A letter arrives, or is refused at the right word. RFC 5321 and architecture §7.

use super::house::{is_there, post_office};
use super::letters::{assert_whole, letter};
use super::post::{Reply, Sender, deliver};
use super::reader::Reader;
use std::process::Command;

const FROM: &str = "carol@sender.example";

/// The letters of a folder whose subject has this word, whole.
fn found(address: &str, folder: &str, word: &str) -> Vec<Vec<u8>> {
    let mut reader = Reader::sign_in(post_office(), address);
    reader.must(&format!("EXAMINE {folder}"));
    let answer = reader.must(&format!("SEARCH SUBJECT \"{word}\""));
    let text = answer.text();
    let line = text.lines().find(|line| line.starts_with("* SEARCH")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(2).collect();
    match numbers.is_empty() {
        true => Vec::new(),
        false => reader.must(&format!("FETCH {} BODY.PEEK[]", numbers.join(","))).literals(),
    }
}

fn smtp() -> String {
    post_office().port("smtp")
}

/// Arrived once, whole.
fn check_kept(address: &str, word: &str, sent: &[u8]) {
    let kept = found(address, "INBOX", word);
    assert_eq!(kept.len(), 1, "{address} has {} of {word}", kept.len());
    assert_whole(&kept[0], sent);
}

#[test]
fn ehlo_names_what_we_can() {
    let mut sender = Sender::connect(&smtp()).unwrap();
    let reply = sender.say("EHLO sender.example");
    assert_eq!(reply.code, 250);
    for word in [
        "PIPELINING",
        "SIZE",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "STARTTLS",
        "ENHANCEDSTATUSCODES",
    ] {
        assert!(reply.has(word), "no {word} in {reply:?}");
    }
    let size = reply.lines.iter().find_map(|line| line.strip_prefix("SIZE ")).unwrap();
    assert!(size.parse::<u64>().unwrap() >= 50_000_000, "{size}");
    assert_eq!(sender.say("HELO sender.example").code, 250);
    assert_eq!(sender.say("NOOP").code, 250);
    assert_eq!(sender.say("VRFY aoi@example.jp").code, 252);
    assert_eq!(sender.say("RSET").code, 250);
    assert_eq!(sender.say("HOWDY").code, 500);
    assert_eq!(sender.say("QUIT").code, 221);
}

#[test]
fn starttls_then_a_letter() {
    let mut sender = Sender::greeted(&smtp());
    assert_eq!(sender.say("STARTTLS").code, 220);
    let mut sender = sender.secured(&post_office().authority()).unwrap();
    let reply = sender.say("EHLO sender.example");
    assert!(!reply.has("STARTTLS"), "{reply:?}");
    let sent = letter("over-tls", "in confidence");
    assert_eq!(sender.letter(FROM, &["aoi@example.jp"], &sent).unwrap().code, 250);
    check_kept("aoi@example.jp", "over-tls", &sent);
}

/// CVE-2011-0411 and its kin: what was pipelined before the handshake is never obeyed after it.
#[test]
fn nothing_pipelined_survives_starttls() {
    let mut sender = Sender::greeted(&smtp());
    let early = b"STARTTLS\r\nMAIL FROM:<carol@sender.example>\r\n";
    sender.send(early).unwrap();
    let reply = sender.reply().unwrap();
    if reply.code != 220 {
        assert!(reply.code >= 500, "{reply:?}");
        return;
    }
    // The plain octets either break the handshake or are forgotten.
    let Ok(mut sender) = sender.secured(&post_office().authority()) else { return };
    let Ok(reply) = sender.ask("EHLO sender.example") else { return };
    assert!(reply.has("PIPELINING"), "an answer to something else: {reply:?}");
    assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 503);
}

#[test]
fn a_pipelined_envelope() {
    let mut sender = Sender::greeted(&smtp());
    let all = "MAIL FROM:<carol@sender.example>\r\nRCPT TO:<aoi@example.jp>\r\n\
         RCPT TO:<nobody-here@example.jp>\r\nRCPT TO:<haru@example.jp>\r\nDATA\r\n";
    sender.send(all.as_bytes()).unwrap();
    let codes: Vec<u16> = (0..5).map(|_| sender.reply().unwrap().code).collect();
    assert_eq!(codes, [250, 250, 550, 250, 354]);
    let sent = letter("pipelined-one", "all at once");
    sender.send(&sent).unwrap();
    sender.send(b".\r\nNOOP\r\nQUIT\r\n").unwrap();
    let codes: Vec<u16> = (0..3).map(|_| sender.reply().unwrap().code).collect();
    assert_eq!(codes, [250, 250, 221]);
    check_kept("aoi@example.jp", "pipelined-one", &sent);
    check_kept("haru@example.jp", "pipelined-one", &sent);
}

#[test]
fn chunks_make_a_letter() {
    let mut sender = Sender::greeted(&smtp());
    let sent = letter("chunked-one", "first half\r\n.\r\nthis dot is text\r\nsecond half");
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}> BODY=8BITMIME")).code, 250);
    assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 250);
    let (first, second) = sent.split_at(sent.len() / 2);
    sender.send(format!("BDAT {}\r\n", first.len()).as_bytes()).unwrap();
    sender.send(first).unwrap();
    assert_eq!(sender.reply().unwrap().code, 250);
    sender.send(format!("BDAT {} LAST\r\n", second.len()).as_bytes()).unwrap();
    sender.send(second).unwrap();
    assert_eq!(sender.reply().unwrap().code, 250);
    check_kept("aoi@example.jp", "chunked-one", &sent);
}

/// One end of data that is none, or one bare octet: 5xx, and nothing of it is delivered.
fn check_smuggled(name: &str, end: &[u8]) {
    let word = format!("smuggled-{name}");
    let mut octets = letter(&word, "the outer letter");
    octets.extend_from_slice(end);
    octets.extend_from_slice(b"MAIL FROM:<eve@sender.example>\r\nRCPT TO:<aoi@example.jp>\r\n");
    octets.extend_from_slice(b"DATA\r\n");
    octets.extend_from_slice(&letter(&word, "the inner letter"));
    octets.extend_from_slice(b".\r\n");
    let mut sender = Sender::greeted(&smtp());
    assert_eq!(sender.offer(FROM, &["aoi@example.jp"]).unwrap().code, 354);
    sender.send(&octets).unwrap();
    let reply = sender.reply().unwrap();
    assert!((500..600).contains(&reply.code), "{name}: {reply:?}");
    // Nothing of the inner letter is taken for commands: the next answer is that of our NOOP.
    if let Ok(next) = sender.ask("NOOP") {
        assert_eq!(next.code, 250, "{name}: {next:?}");
    }
    for folder in ["INBOX", "Junk"] {
        assert!(found("aoi@example.jp", folder, &word).is_empty(), "{name} was delivered");
    }
}

#[test]
fn no_other_end_of_data() {
    check_smuggled("lf-dot-lf", b"\n.\n");
    check_smuggled("lf-dot-crlf", b"\n.\r\n");
    check_smuggled("crlf-dot-lf", b"\r\n.\n");
    check_smuggled("cr-dot-cr", b"\r.\r");
    check_smuggled("cr-dot-crlf", b"\r.\r\n");
    check_smuggled("crlf-dot-cr", b"\r\n.\r");
    check_smuggled("crlf-nul-dot-crlf", b"\r\n\0.\r\n");
    check_smuggled("crlf-dot-nul-crlf", b"\r\n.\0\r\n");
    check_smuggled("crlf-dot-cr-cr-lf", b"\r\n.\r\r\n");
}

#[test]
fn no_bare_octets() {
    check_smuggled("bare-lf", b"one line\nanother\r\n");
    check_smuggled("bare-cr", b"one line\ranother\r\n");
    check_smuggled("nul", b"one\0two\r\n");
    let mut sender = Sender::greeted(&smtp());
    sender.send(b"MAIL FROM:<carol@sender.example>\nRCPT TO:<aoi@example.jp>\r\n").unwrap();
    let reply = sender.reply().unwrap();
    assert!((500..600).contains(&reply.code), "{reply:?}");
}

#[test]
fn bare_octets_in_chunks() {
    let octets = letter("smuggled-chunk", "one line\nanother");
    let mut sender = Sender::greeted(&smtp());
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 250);
    sender.send(format!("BDAT {} LAST\r\n", octets.len()).as_bytes()).unwrap();
    sender.send(&octets).unwrap();
    let reply = sender.reply().unwrap();
    assert!((500..600).contains(&reply.code), "{reply:?}");
    assert!(found("aoi@example.jp", "INBOX", "smuggled-chunk").is_empty());
}

fn rcpt(address: &str) -> Reply {
    let mut sender = Sender::greeted(&smtp());
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    sender.say(&format!("RCPT TO:<{address}>"))
}

#[test]
fn no_relay() {
    for address in [
        "victim@elsewhere.example",
        "victim%elsewhere.example@example.jp",
        "@example.jp:victim@elsewhere.example",
        "\"victim@elsewhere.example\"@example.jp",
        "victim@sub.example.jp",
        "victim@[192.0.2.1]",
    ] {
        let reply = rcpt(address);
        assert!((500..600).contains(&reply.code), "{address}: {reply:?}");
    }
}

#[test]
fn who_is_known_at_rcpt() {
    assert_eq!(rcpt("nobody-here@example.jp").code, 550);
    assert_eq!(rcpt("aoi@example.jp").code, 250);
    assert_eq!(rcpt("AOI@EXAMPLE.JP").code, 250);
    assert_eq!(rcpt("postmaster@example.jp").code, 250);
    assert_eq!(rcpt("Postmaster@example.net").code, 250);
    assert_eq!(rcpt("postmaster").code, 250, "RFC 5321 §4.5.1");
    assert_eq!(rcpt("info@example.jp").code, 250);
    assert_eq!(rcpt("aoi+lists@example.jp").code, 250);
}

#[test]
fn alias_and_plus_reach_the_person() {
    let sent = letter("to-an-alias", "for haru, by another name");
    assert_eq!(deliver(&smtp(), &["info@example.jp"], &sent).code, 250);
    check_kept("haru@example.jp", "to-an-alias", &sent);
    let sent = letter("to-a-plus", "for aoi, with a word");
    assert_eq!(deliver(&smtp(), &["aoi+garden@example.jp"], &sent).code, 250);
    check_kept("aoi@example.jp", "to-a-plus", &sent);
    // A person who is named twice gets one copy.
    let sent = letter("named-twice", "once is enough");
    let reply = deliver(&smtp(), &["haru@example.jp", "info@example.jp"], &sent);
    assert_eq!(reply.code, 250);
    let kept = found("haru@example.jp", "INBOX", "named-twice");
    assert!((1..=2).contains(&kept.len()), "{} copies", kept.len());
}

#[test]
fn too_large_is_said_at_once_or_at_the_end() {
    let mut sender = Sender::greeted(&smtp());
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}> SIZE=900000000")).code, 552);
    assert_eq!(sender.offer(FROM, &["aoi@example.jp"]).unwrap().code, 354);
    let mut octets = letter("too-large", "what follows is long");
    let line = [b"a".repeat(998), b"\r\n".to_vec()].concat();
    for _ in 0..64 {
        octets.extend(line.repeat(1000));
        if sender.send(&octets).is_err() {
            break; // closed early: then nothing was delivered, which is looked at below
        }
        octets.clear();
    }
    if sender.send(b".\r\n").is_ok()
        && let Ok(reply) = sender.reply()
    {
        assert_eq!(reply.code, 552, "{reply:?}");
    }
    assert!(found("aoi@example.jp", "INBOX", "too-large").is_empty());
}

#[test]
fn forged_results_are_taken_out_and_nothing_else() {
    let forged = "Authentication-Results: mx.sekisho.localhost; spf=pass\r\n\tsmtp.mailfrom=x\r\n";
    let folded = "AUTHENTICATION-RESULTS : MX.Sekisho.Localhost 1; dkim=pass\r\n";
    let others = "Authentication-Results: mx.letters.example; dkim=none\r\n";
    let rest = letter("forged-results", "Authentication-Results: mx.sekisho.localhost; body");
    let sent = [forged.as_bytes(), others.as_bytes(), folded.as_bytes(), &rest].concat();
    assert_eq!(deliver(&smtp(), &["aoi@example.jp"], &sent).code, 250);
    let left = [others.as_bytes(), &rest].concat();
    check_kept("aoi@example.jp", "forged-results", &left);
    let kept = found("aoi@example.jp", "INBOX", "forged-results").remove(0);
    let kept = String::from_utf8_lossy(&kept).into_owned();
    let ours = kept.split("Authentication-Results: mx.letters.example").next().unwrap();
    assert!(ours.contains("Authentication-Results: mx.sekisho.localhost"), "{ours}");
    assert!(ours.contains("spf=pass"), "{ours}");
    assert!(ours.contains("Received:"), "{ours}");
}

#[test]
fn octet_for_octet() {
    let text = [
        &b"trailing blanks   \t\r\n\r\n\r\n.\r\n..\r\n...dots\r\n"[..],
        &[0x80, 0xff, 0xfe, 0x1b, 0x24, 0x42, 0x46, 0x7c, 0x1b, 0x28, 0x42, 0x7f, 0x0b, 0x0c],
        b"\r\nFrom the start of a line\r\n",
        &b"x".repeat(997),
        b"\r\n=3D=\r\n--\r\n\r\n",
    ]
    .concat();
    for (word, head) in [
        ("octets-plain", ""),
        ("octets-8bit", "Content-Type: text/plain; charset=shift_jis\r\n"),
        ("octets-multi", "Content-Type: multipart/mixed; boundary=\"--\"\r\n"),
        ("octets-odd", "no colon here\r\nX-Odd :  \t \r\nX-é: \x01\r\n"),
    ] {
        let mut sent = head.as_bytes().to_vec();
        sent.extend(letter(word, "first"));
        sent.extend_from_slice(&text);
        let reply = deliver(&smtp(), &["alice@example.net"], &sent);
        assert_eq!(reply.code, 250, "{word}: {reply:?}");
        let inbox = found("alice@example.net", "INBOX", word);
        let junk = found("alice@example.net", "Junk", word);
        let kept: Vec<_> = inbox.into_iter().chain(junk).collect();
        assert_eq!(kept.len(), 1, "{word}");
        assert_whole(&kept[0], &sent);
    }
}

#[test]
fn one_unknown_of_several_stops_nobody() {
    let mut sender = Sender::greeted(&smtp());
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    let codes = ["aoi@example.jp", "nobody-here@example.jp", "alice@example.net", "x@y.example"]
        .map(|address| sender.say(&format!("RCPT TO:<{address}>")).code);
    assert_eq!(codes[0], 250);
    assert!((500..600).contains(&codes[1]) && (500..600).contains(&codes[3]), "{codes:?}");
    assert_eq!(codes[2], 250);
    assert_eq!(sender.say("DATA").code, 354);
    let sent = letter("several-people", "for two of four");
    sender.send(&sent).unwrap();
    sender.send(b".\r\n").unwrap();
    assert_eq!(sender.reply().unwrap().code, 250);
    check_kept("aoi@example.jp", "several-people", &sent);
    check_kept("alice@example.net", "several-people", &sent);
    assert!(found("haru@example.jp", "INBOX", "several-people").is_empty());
}

#[test]
fn a_virus_is_refused_and_the_session_goes_on() {
    let eicar = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];
    let mut sender = Sender::greeted(&smtp());
    let bad = letter("the-eicar-test", &eicar.concat());
    let reply = sender.letter(FROM, &["aoi@example.jp"], &bad).unwrap();
    assert!((500..600).contains(&reply.code), "{reply:?}");
    let good = letter("after-a-virus", "all is well");
    assert_eq!(sender.letter(FROM, &["aoi@example.jp"], &good).unwrap().code, 250);
    assert!(found("aoi@example.jp", "INBOX", "the-eicar-test").is_empty());
    check_kept("aoi@example.jp", "after-a-virus", &good);
}

#[test]
fn commands_out_of_order() {
    let mut sender = Sender::connect(&smtp()).unwrap();
    assert_eq!(sender.say("MAIL FROM:<carol@sender.example>").code, 503);
    assert_eq!(sender.say("EHLO sender.example").code, 250);
    assert_eq!(sender.say("RCPT TO:<aoi@example.jp>").code, 503);
    assert_eq!(sender.say("DATA").code, 503);
    assert_eq!(sender.say("MAIL FROM:<>").code, 250, "the null sender");
    assert_eq!(sender.say("MAIL FROM:<carol@sender.example>").code, 503);
    assert!(sender.say("DATA").code >= 503);
    assert_eq!(sender.say("AUTH PLAIN AGEAYg==").code / 100, 5);
}

#[test]
fn swaks_is_content() {
    if !is_there("swaks") {
        return;
    }
    for (word, options) in
        [("swaks-plain", &[][..]), ("swaks-tls", &["--tls"]), ("swaks-pipe", &["--pipeline"])]
    {
        let output = Command::new("swaks")
            .args(["--server", &smtp(), "--helo", "sender.example", "--from", FROM])
            .args(["--to", "bob@example.net", "--header", &format!("Subject: {word}")])
            .args(options)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{word}: {said}");
        assert_eq!(found("bob@example.net", "INBOX", word).len(), 1, "{word}: {said}");
    }
}
