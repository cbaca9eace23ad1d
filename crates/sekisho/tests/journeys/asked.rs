//! Mail that is held, and the person whose name it bears: they are asked by a letter in their own
//! INBOX, and answer by its links.

use super::house::{Demo, is_there, within};
use super::leaving::{letter, plain, signed_in, submissions, with_sink};
use super::reader::Reader;
use super::sink::Sink;
use data_encoding::BASE64;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Something that is looked at before it leaves: a program, by its name.
fn suspicious(from: &str, subject: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: friend@outside.example\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
         please install this\r\n--b\r\nContent-Type: application/octet-stream; \
         name=\"setup.exe\"\r\nContent-Disposition: attachment; \
         filename=\"setup.exe\"\r\n\r\nx\r\n\
         --b--\r\n"
    )
    .into_bytes()
}

/// Handed in, held, and its number.
fn held(demo: &Demo, address: &str, subject: &str) -> String {
    let mut sender = signed_in(demo, address);
    let octets = suspicious(address, subject);
    let reply = sender.letter(address, &["friend@outside.example"], &octets).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    assert!(reply.lines.concat().contains("waits until somebody has looked"), "{reply:?}");
    let mut id = String::new();
    within(PATIENCE, "held", || {
        let (found, _) = demo.ask(&["trace", subject]);
        let items = found["items"].as_array().cloned().unwrap_or_default();
        let item = items.iter().find(|item| item["direction"] == "out").cloned();
        let item = item.unwrap_or_default();
        id = item["id"].as_str().unwrap_or_default().to_owned();
        item["state"] == "held"
    });
    id
}

/// The links of the letter about it: yes, and no.
fn links(demo: &Demo, address: &str, id: &str) -> (String, String) {
    let mut found = None;
    within(PATIENCE, "the letter", || {
        let mut reader = Reader::sign_in(demo, address);
        reader.must("SELECT INBOX");
        let texts = reader.ask("FETCH 1:* (BODY.PEEK[TEXT])").unwrap().literals();
        found = texts.iter().find_map(|text| {
            let text: Vec<u8> =
                text.iter().filter(|one| !one.is_ascii_whitespace()).copied().collect();
            let letter = String::from_utf8(BASE64.decode(&text).ok()?).ok()?;
            let line = |word: &str| {
                let mut lines = letter.lines();
                lines.find(|line| line.contains(word)).map(str::to_owned)
            };
            letter.contains(id).then_some(())?;
            Some((line("/mine/")?, line("/not-mine/")?))
        });
        found.is_some()
    });
    found.unwrap()
}

/// The status and the page.
fn page(demo: &Demo, link: &str, more: &[&str]) -> (String, String) {
    let host = link.strip_prefix("https://").unwrap().split('/').next().unwrap();
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "30", "-w", "%{http_code}", "--cacert"])
        .arg(demo.authority())
        .args(["--resolve", &format!("{host}:127.0.0.1")])
        .args(more)
        .arg(link)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (page, status) = text.split_at(text.len().saturating_sub(3));
    (status.to_owned(), page.to_owned())
}

fn decided(demo: &Demo, id: &str) -> (String, String, String) {
    let (shown, _) = demo.ask(&["queue", "show", id]);
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (word(&shown["state"]), word(&shown["decided"]["what"]), word(&shown["decided"]["by"]))
}

fn came(sink: &Sink, subject: &str) -> bool {
    sink.came().iter().any(|came| came.field("Subject").as_deref() == Some(subject))
}

#[test]
fn a_person_is_asked_whether_held_mail_is_theirs() {
    if !is_there("curl") {
        return;
    }
    let (demo, sink) = with_sink("asked");
    // "It was me": it leaves.
    let id = held(&demo, "aoi@example.jp", "really mine");
    let (mine, not_mine) = links(&demo, "aoi@example.jp", &id);
    for link in [&mine, &not_mine] {
        let (status, html) = page(&demo, link, &[]);
        assert_eq!(status, "200", "{html}");
        assert!(html.contains(&id) && html.contains("<button"), "{html}");
    }
    std::thread::sleep(Duration::from_secs(1));
    assert!(!came(&sink, "really mine"), "who looks decides nothing");
    let (status, html) = page(&demo, &mine, &["--data", "answer=mine&lang=en"]);
    assert!(status == "200" && html.contains("on its way"), "{status} {html}");
    sink.wait_for_subject("really mine");
    within(PATIENCE, "sent", || decided(&demo, &id).0 == "sent");
    let (_, what, who) = decided(&demo, &id);
    assert_eq!((what.as_str(), who.as_str()), ("released", "sender, by link"));
    let (traced, _) = demo.ask(&["trace", "really mine"]);
    assert!(traced.to_string().contains("sender, by link"), "{traced}");
    let entries = format!("{:?}", demo.entries());
    assert!(entries.contains(&format!("outgoing.release-by-link {id}")));
    // "It was not me": it does not, and whoever has the password sends no more.
    let id = held(&demo, "mina@example.jp", "never mine");
    let second = held(&demo, "mina@example.jp", "never mine either");
    let (mine, not_mine) = links(&demo, "mina@example.jp", &id);
    let (status, html) = page(&demo, &not_mine, &["--data", "answer=not-mine&lang=ja"]);
    assert!(status == "200" && html.contains("メールを破棄しました"), "{status} {html}");
    // The other one has its own question, and it is said that it is open.
    assert!(html.contains("ほかに 1 通") && html.contains("1 more message is still"), "{html}");
    let (done, _) = demo.ask(&["queue", "hold", &second]);
    assert_eq!(done["still_held"], 1, "{done}");
    let (done, _) = demo.ask(&["queue", "cancel", &second]);
    assert_eq!(done["still_held"], 0, "{done}");
    let (state, what, who) = decided(&demo, &id);
    let expected = ("not-sent", "cancelled", "sender, by link");
    assert_eq!((state.as_str(), what.as_str(), who.as_str()), expected);
    let (status, _) = page(&demo, &mine, &["--data", "answer=mine"]);
    assert_eq!(status, "404", "what is discarded is not sent");
    within(PATIENCE, "the password is revoked", || {
        let mut sender = submissions(&demo);
        sender.say(&plain(&demo.account("mina@example.jp"))).code == 535
    });
    // The alarms about both say whose mail it is.
    let (people, _) = demo.ask(&["user", "list", "--tenant", "Example Japan"]);
    let people = people["items"].as_array().unwrap();
    let mina = people.iter().find(|one| one["address"] == "mina@example.jp").unwrap();
    for words in ["is held", "is not theirs"] {
        within(PATIENCE, words, || {
            let (alarms, _) = demo.ask(&["alarms", "list"]);
            let is_it = |one: &serde_json::Value| {
                let what = one["what"].as_str().unwrap_or_default();
                what.contains(words) && what.contains(&id) && one["user"] == mina["user"]
            };
            let found = alarms["items"].as_array().unwrap().iter().find(|one| is_it(one)).cloned();
            found.is_some_and(|one| one["tenant"].is_string() && one["cause"] == "attention")
        });
    }
    let mut reader = Reader::sign_in(&demo, "mina@example.jp");
    reader.must("SELECT INBOX");
    assert!(!came(&sink, "never mine"));
    let entries = format!("{:?}", demo.entries());
    assert!(entries.contains(&format!("outgoing.cancel-by-link {id}")));
    assert!(entries.contains("app-password.lock-by-link"));
    // An administrator decided first: the link is of no more use, and a forged one never was.
    let id = held(&demo, "haru@example.jp", "an operator's");
    let (mine, _) = links(&demo, "haru@example.jp", &id);
    let last = if mine.ends_with('0') { '1' } else { '0' };
    let forged = format!("{}{last}", &mine[..mine.len() - 1]);
    assert_eq!(page(&demo, &forged, &["--data", "answer=mine"]).0, "404");
    assert_eq!(demo.ask(&["queue", "hold", &id]).1, 0);
    assert_eq!(page(&demo, &mine, &["--data", "answer=mine"]).0, "404");
    assert!(!came(&sink, "an operator's"));
    assert_eq!(demo.ask(&["queue", "release", &id]).1, 0);
    sink.wait_for_subject("an operator's");
    within(PATIENCE, "sent", || decided(&demo, &id).0 == "sent");
    assert_eq!(decided(&demo, &id).2, "operator");
    // Another one is cancelled. All three acts are in the ledger, and the tenant sees them.
    let other = held(&demo, "haru@example.jp", "an operator's no");
    assert_eq!(demo.ask(&["queue", "cancel", &other]).1, 0);
    within(PATIENCE, "not sent", || decided(&demo, &other).0 == "not-sent");
    assert!(!came(&sink, "an operator's no"));
    let acts =
        [("hold", &id, "held"), ("release", &id, "released"), ("cancel", &other, "cancelled")];
    let entries = demo.entries();
    let tenant = ["touched", "--tenant", "Example Japan", "--lang", "en"];
    let person = ["touched", "--person", "haru@example.jp", "--lang", "ja"];
    let (seen, _) = demo.ask(&tenant);
    let (theirs, _) = demo.ask(&person);
    for (act, message, word) in acts {
        let what = format!("outgoing.{act}-by-operator {message}");
        let is_it = |one: &serde_json::Value| one["what"] == what.as_str();
        assert!(entries.iter().any(|one| is_it(one) && one["author"] == "directory"), "{what}");
        for told in [&seen, &theirs] {
            let items = told["items"].as_array().unwrap();
            assert!(items.iter().any(|one| is_it(&one["entry"])), "{what}: {told}");
        }
        let english = format!("a letter {word} by an operator {message}");
        assert!(seen.to_string().contains(&english), "{english}: {seen}");
    }
    assert!(theirs.to_string().contains("管理者による"), "{theirs}");
}

/// A limit is reached, and somebody presses on: one message is held, the person is asked, and the
/// alarm says whose it is. What is over says so.
#[test]
fn a_person_who_presses_on_at_a_limit_is_asked() {
    if !is_there("curl") {
        return;
    }
    let (demo, sink) = with_sink("pressed");
    let address = "aoi@example.jp";
    let limits = ["tenant", "set", "Example Japan", "--send-in-ten-minutes", "3"];
    assert_eq!(demo.ask(&limits).1, 0);
    let attempt = |subject: &str| {
        let octets = letter(address, "friend@outside.example", subject, "");
        let mut sender = signed_in(&demo, address);
        sender.letter(address, &["friend@outside.example"], &octets).unwrap()
    };
    for number in 0..6 {
        let reply = attempt(&format!("rate {number}"));
        assert_eq!(reply.code, if number < 3 { 250 } else { 450 }, "{number}: {reply:?}");
    }
    let reply = attempt("one too many");
    assert!(reply.lines.concat().contains("waits until somebody has looked"), "{reply:?}");
    assert_eq!(attempt("and more").code, 450);
    let mut id = String::new();
    within(PATIENCE, "held", || {
        let (found, _) = demo.ask(&["trace", "one too many"]);
        id = found["items"][0]["id"].as_str().unwrap_or_default().to_owned();
        found["items"][0]["state"] == "held" && found.to_string().contains("limit of recipients")
    });
    within(PATIENCE, "the alarm", || {
        let (alarms, _) = demo.ask(&["alarms", "list"]);
        let is_it = |one: &serde_json::Value| {
            let what = one["what"].as_str().unwrap_or_default();
            what.contains("outgoing.rate.pressed") && what.contains(&id) && one["user"].is_string()
        };
        let many = alarms["items"].as_array().unwrap().iter().filter(|one| is_it(one)).count();
        assert!(many <= 1, "{alarms}");
        many == 1
    });
    let (mine, _) = links(&demo, address, &id);
    let (status, html) = page(&demo, &mine, &["--data", "answer=mine&lang=en"]);
    assert!(status == "200" && html.contains("on its way"), "{status} {html}");
    sink.wait_for_subject("one too many");
    within(PATIENCE, "sent", || decided(&demo, &id).0 == "sent");
    for act in ["release", "cancel", "hold"] {
        let (refused, code) = demo.ask(&["queue", act, &id]);
        let words = "it is over: sent, released by its sender's link";
        assert!(code != 0 && refused.to_string().contains(words), "{refused}");
    }
}
