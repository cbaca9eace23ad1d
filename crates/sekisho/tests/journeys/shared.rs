//! An address of several people, as whom some of them write: by the person's own sign-in, recorded
//! as theirs, and by nobody else.

use super::house::{Demo, within};
use super::leaving::{letter, signed_in, verdict, with_sink};
use super::post::{Reply, Sender};
use super::reader::Reader;
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const DESK: &str = "desk@example.jp";
const AOI: &str = "aoi@example.jp";
const HARU: &str = "haru@example.jp";
const FRIEND: &str = "friend@outside.example";

fn done(demo: &Demo, words: &[&str]) -> Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

fn refused(demo: &Demo, words: &[&str]) {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 1, "{words:?}: {value}");
}

fn write(sender: &mut Sender, from: &str, author: &str, to: &str, subject: &str) -> Reply {
    sender.letter(from, &[to], &letter(author, to, subject, "")).unwrap()
}

/// Whether somebody may write as the desk now: as the envelope's sender, and as the author of a
/// letter in their own envelope.
fn may(demo: &Demo, address: &str) -> bool {
    let mut sender = signed_in(demo, address);
    let reply = sender.say(&format!("MAIL FROM:<{DESK}>"));
    assert_eq!(sender.say("RSET").code, 250);
    let header = write(&mut sender, address, DESK, FRIEND, "may I");
    assert_eq!(reply.code == 250, header.code == 250, "{reply:?} {header:?}");
    assert!(matches!(reply.code, 250 | 550) && matches!(header.code, 250 | 550), "{header:?}");
    reply.code == 250
}

/// What was said a minute ago is remembered by sessions that are open, not by new ones.
fn who_may(demo: &Demo) -> Vec<&'static str> {
    [AOI, HARU, "mina@example.jp", "bob@example.net"]
        .into_iter()
        .filter(|one| may(demo, one))
        .collect()
}

fn inbox(demo: &Demo, address: &str) -> String {
    let mut reader = Reader::inbox(demo, address);
    String::from_utf8_lossy(&reader.whole("INBOX").concat()).into_owned()
}

#[test]
fn a_desk_s_people_write_as_it() {
    let (demo, sink) = with_sink("shared");
    sink.answer("gone", "550 5.1.1 no such person");
    let tenant = ["--tenant", "Example Japan"];
    let add = ["group", "add", DESK, "--member", AOI, "--member", HARU];
    done(&demo, &[&add[..], &tenant].concat());
    assert!(who_may(&demo).is_empty(), "whom its mail reaches does not speak for it");
    for other in ["mina@example.jp", "bob@example.net", FRIEND] {
        refused(&demo, &["group", "share", DESK, "--with", other]);
    }
    let shared = done(&demo, &["group", "share", DESK, "--with", AOI]);
    assert_eq!(shared["writers"], serde_json::json!([AOI]), "{shared}");
    assert_eq!(who_may(&demo), [AOI]);
    // Signed in the desk's name, and nobody can tell who of its people it was.
    let mut sender = signed_in(&demo, AOI);
    let reply = write(&mut sender, DESK, &format!("Desk <{DESK}>"), FRIEND, "from the desk");
    assert_eq!(reply.code, 250, "{reply:?}");
    let came = sink.wait_for_subject("from the desk");
    assert_eq!(came.from, DESK);
    assert!(!String::from_utf8_lossy(&came.text).contains("aoi"), "{came:?}");
    assert_eq!(verdict(&demo, &came.text), "rsa-sha256 pass, ed25519-sha256 pass, dmarc pass");
    // The house knows, and counts it for the person.
    let of = |subject: &str| {
        let (found, _) = demo.ask(&["trace", subject]);
        let items = found["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|one| one["direction"] == "out").unwrap_or_default()
    };
    within(PATIENCE, "its journey", || of("from the desk")["sender"] == AOI);
    let people = done(&demo, &["user", "list"]);
    let people = people["items"].as_array().unwrap();
    let aoi = people.iter().find(|one| one["address"] == AOI).unwrap();
    assert_eq!(aoi["writes_as"], serde_json::json!([DESK]));
    assert!(
        people.iter().all(|one| one["address"] == AOI || one["writes_as"] == serde_json::json!([]))
    );
    within(PATIENCE, "an entry in her name", || {
        demo.entries().iter().any(|one| {
            matches!(one["entry"].as_str(), Some("send" | "sent"))
                && one.to_string().contains(aoi["user"].as_str().unwrap())
        })
    });
    assert!(demo.entries().iter().any(|one| one.to_string().contains("group.share")));
    // A stranger's answer reaches all of them; a notice of what failed whoever wrote it.
    let mut stranger = Sender::greeted(&demo.port("smtp"));
    let reply = stranger.letter(
        "carol@sender.example",
        &[DESK],
        &letter("carol@sender.example", DESK, "an answer", ""),
    );
    assert_eq!(reply.unwrap().code, 250);
    for address in [AOI, HARU] {
        within(PATIENCE, address, || inbox(&demo, address).contains("Subject: an answer"));
    }
    let reply = write(&mut sender, DESK, DESK, "gone@outside.example", "will fail");
    assert_eq!(reply.code, 250, "{reply:?}");
    within(PATIENCE, "the notice", || inbox(&demo, AOI).contains("Action: failed"));
    assert!(!inbox(&demo, HARU).contains("Action: failed"));
    // What is held asks the person, at their own address.
    let program = format!(
        "From: {DESK}\r\nTo: {FRIEND}\r\nSubject: a program\r\nMIME-Version: 1.0\r\nContent-Type: \
         application/octet-stream; name=\"setup.exe\"\r\n\r\nx\r\n"
    );
    let reply = sender.letter(DESK, &[FRIEND], program.as_bytes()).unwrap();
    assert!(reply.lines.concat().contains("waits until somebody has looked"), "{reply:?}");
    let held = "Your message is held";
    let is_told = |address| {
        let mut reader = Reader::inbox(&demo, address);
        let found = reader.must("SEARCH SUBJECT \"Your message is held\"").text();
        found.lines().any(|line| line.starts_with("* SEARCH ") && line.len() > 9)
    };
    within(PATIENCE, held, || is_told(AOI));
    assert!(!is_told(HARU));
    // Others may come, and all of them lose it.
    done(&demo, &["group", "share", DESK, "--with", HARU]);
    assert_eq!(who_may(&demo), [AOI, HARU]);
    done(&demo, &["user", "disable", HARU]);
    done(&demo, &["user", "enable", HARU]);
    done(&demo, &["group", "set", DESK, "--without", AOI]);
    assert_eq!(who_may(&demo), [HARU]);
    let none = done(&demo, &["group", "share", DESK, "--none"]);
    assert_eq!(none["writers"], serde_json::json!([]));
    assert!(who_may(&demo).is_empty());
}
