//! Mail that leaves: handed in by a real session, carried to a sink, traced to its end.

use super::house::{Account, Demo, Wishes, within};
use super::post::{Reply, Sender};
use super::reader::Reader;
use super::sink::Sink;
use data_encoding::BASE64;
use mailauth::{Answer, Envelope, Record, RecordKind, Resolver};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(60);

/// One demo and its outside world, for every case that changes neither.
fn house() -> &'static (Demo, Sink) {
    static SHARED: OnceLock<(Demo, Sink)> = OnceLock::new();
    SHARED.get_or_init(|| with_sink("leaving"))
}

pub fn with_sink(name: &str) -> (Demo, Sink) {
    let sink = Sink::open();
    let mut wishes = Wishes::new(name);
    wishes.outside = Some(sink.port);
    (Demo::start(wishes), sink)
}

/// A session on 465, greeted.
pub fn submissions(demo: &Demo) -> Sender {
    let mut sender = Sender::over_tls(&demo.port("submissions"), &demo.authority()).unwrap();
    assert_eq!(sender.say("EHLO client.example").code, 250);
    sender
}

pub fn plain(account: &Account) -> String {
    let words = format!("\0{}\0{}", account.address, account.smtp);
    format!("AUTH PLAIN {}", BASE64.encode(words.as_bytes()))
}

/// A session on 465, signed in.
pub fn signed_in(demo: &Demo, address: &str) -> Sender {
    let mut sender = submissions(demo);
    let reply = sender.say(&plain(&demo.account(address)));
    assert_eq!(reply.code, 235, "{reply:?}");
    sender
}

pub fn letter(from: &str, to: &str, subject: &str, more: &str) -> Vec<u8> {
    format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\n{more}\r\nHello,\r\n.dots\r\n")
        .into_bytes()
}

fn taken(reply: &Reply) {
    assert_eq!(reply.code, 250, "{reply:?}");
}

/// The only trace of a subject, once it has this state.
fn traced(demo: &Demo, subject: &str, state: &str) -> serde_json::Value {
    let mut last = serde_json::Value::Null;
    within(PATIENCE, &format!("{subject} is {state}"), || {
        let (found, _) = demo.ask(&["trace", subject]);
        let items = found["items"].as_array().cloned().unwrap_or_default();
        last = items.iter().find(|item| item["direction"] == "out").cloned().unwrap_or_default();
        last["state"] == state
    });
    last
}

/// The records that an operator is told to publish for example.jp, published.
struct Published(Vec<(String, String)>);

impl Resolver for Published {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        let found = self.0.iter().filter(|(known, _)| known == name && kind == RecordKind::Text);
        let texts = found.map(|(_, text)| Record::Text(text.clone().into_bytes())).collect();
        Answer::Records(texts)
    }
}

/// What a receiver somewhere finds of a message of example.jp, from an address that SPF knows not.
pub fn verdict(demo: &Demo, message: &[u8]) -> String {
    let (told, _) = demo.ask(&["domain", "check", "example.jp"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let records = told["records"].as_array().unwrap().iter();
    let texts = records.filter(|one| one["type"] == "TXT");
    let mut dns =
        Published(texts.map(|one| (text(&one["name"]), text(&one["expected"]))).collect());
    let envelope = Envelope {
        client_ip: "192.0.2.1".parse().unwrap(),
        helo: "mx.example.jp",
        mail_from: "aoi@example.jp",
        our_name: "mx.outside.example",
        now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
    };
    let found = mailauth::check(&envelope, message, &mut dns);
    let mut words: Vec<String> =
        found.dkim.iter().map(|one| format!("{} {}", one.algorithm, one.result.word())).collect();
    words.push(format!("dmarc {}", found.dmarc.result.word()));
    words.join(", ")
}

#[test]
fn a_letter_leaves_signed_and_complete() {
    let (demo, sink) = house();
    let mut sender = signed_in(demo, "aoi@example.jp");
    let octets = letter("Aoi <aoi@example.jp>", "friend@outside.example", "leaves whole", "");
    taken(&sender.letter("aoi@example.jp", &["friend@outside.example"], &octets).unwrap());
    let came = sink.wait_for_subject("leaves whole");
    assert_eq!(
        (came.from.as_str(), came.to),
        ("aoi@example.jp", vec!["friend@outside.example".to_owned()])
    );
    let text = String::from_utf8(came.text.clone()).unwrap();
    assert!(text.ends_with("\r\nHello,\r\n.dots\r\n"), "{text}");
    let came = sink.wait_for_subject("leaves whole");
    assert!(came.field("Message-ID").is_some() && came.field("Date").is_some(), "{text}");
    assert!(!text.contains("127.0.0.1"), "where somebody sits is nobody's business: {text}");
    let signatures = came.fields("DKIM-Signature");
    assert!(signatures.len() == 2, "{text}");
    assert!(signatures.iter().all(|field| field.contains("d=example.jp")), "{signatures:?}");
    assert_eq!(verdict(demo, &came.text), "rsa-sha256 pass, ed25519-sha256 pass, dmarc pass");
    let changed = text.replace("Hello", "Hallo").into_bytes();
    assert_eq!(verdict(demo, &changed), "rsa-sha256 fail, ed25519-sha256 fail, dmarc fail");
    let trace = traced(demo, "leaves whole", "sent");
    assert_eq!(trace["sender"], "aoi@example.jp");
    // Who took it, and with which words, is told a little later.
    let accepted = || traced(demo, "leaves whole", "sent")["accepted"][0].clone();
    within(PATIENCE, "who took it", || accepted().is_object());
    let (by, word) = (accepted(), |name: &str| accepted()[name].as_str().map(str::to_owned));
    assert_eq!(word("host").as_deref(), Some("mx.outside.example"), "{by}");
    assert_eq!(word("address").as_deref(), Some("127.0.0.1"), "{by}");
    assert_eq!(word("words").as_deref(), Some("250 taken"), "{by}");
    assert_eq!(
        (&by["recipients"], word("tls"), word("proven_by")),
        (&1.into(), None, Some("any".into())),
        "{by}"
    );
    // Alone or with others of the same person.
    let is_sent =
        |entry: &serde_json::Value| matches!(entry["entry"].as_str(), Some("send" | "sent"));
    within(PATIENCE, "an entry", || demo.entries().iter().any(is_sent));
}

#[test]
fn nobody_writes_without_signing_in() {
    let (demo, _) = house();
    let mut sender = submissions(demo);
    assert_eq!(sender.say("MAIL FROM:<aoi@example.jp>").code, 530);
    let wrong = Account { smtp: "sk-wrong".into(), ..demo.account("aoi@example.jp") };
    assert_eq!(sender.say(&plain(&wrong)).code, 535);
    // An app password of another protocol is another secret.
    let account = demo.account("aoi@example.jp");
    let imap = Account { smtp: account.imap.clone(), ..account };
    assert_eq!(sender.say(&plain(&imap)).code, 535);
}

#[test]
fn starttls_comes_before_a_password() {
    let (demo, sink) = house();
    let mut sender = Sender::connect(&demo.port("submission")).unwrap();
    let hello = sender.say("EHLO client.example");
    assert!(hello.has("STARTTLS") && !hello.has("AUTH"), "{hello:?}");
    let account = demo.account("haru@example.jp");
    assert!(matches!(sender.say(&plain(&account)).code, 502 | 503 | 530 | 538));
    assert_eq!(sender.say("STARTTLS").code, 220);
    let mut sender = sender.secured(&demo.authority()).unwrap();
    let hello = sender.say("EHLO client.example");
    assert!(hello.has("AUTH"), "{hello:?}");
    assert_eq!(sender.say(&plain(&account)).code, 235);
    let octets = letter("haru@example.jp", "friend@outside.example", "by starttls", "");
    taken(&sender.letter("haru@example.jp", &["friend@outside.example"], &octets).unwrap());
    sink.wait_for_subject("by starttls");
}

#[test]
fn people_write_as_themselves() {
    let (demo, _) = house();
    let mut sender = signed_in(demo, "haru@example.jp");
    let refused = |reply: &Reply| matches!(reply.code, 550 | 553);
    let reply = sender.say("MAIL FROM:<aoi@example.jp>");
    assert!(refused(&reply), "{reply:?}");
    // An alias is theirs.
    assert_eq!(sender.say("MAIL FROM:<info@example.jp>").code, 250);
    assert_eq!(sender.say("RSET").code, 250);
    let forged = letter("aoi@example.jp", "friend@outside.example", "forged", "");
    let reply = sender.letter("haru@example.jp", &["friend@outside.example"], &forged).unwrap();
    assert!(refused(&reply), "{reply:?}");
}

#[test]
fn bcc_is_seen_by_nobody() {
    let (demo, sink) = house();
    let mut sender = signed_in(demo, "aoi@example.jp");
    let more = "Bcc: hidden@outside.example,\r\n secret@second.outside.example\r\n";
    let octets = letter("aoi@example.jp", "seen@outside.example", "a blind copy", more);
    let to = ["seen@outside.example", "hidden@outside.example", "secret@second.outside.example"];
    taken(&sender.letter("aoi@example.jp", &to, &octets).unwrap());
    let second = |came: &super::sink::Came| came.to == ["secret@second.outside.example"];
    let copies = [sink.wait_for_subject("a blind copy"), sink.wait("the second copy", second)];
    for copy in copies {
        let text = String::from_utf8(copy.text).unwrap();
        assert!(!text.contains("hidden") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn neighbours_get_it_at_home() {
    let (demo, _) = house();
    let mut sender = signed_in(demo, "aoi@example.jp");
    let octets = letter("aoi@example.jp", "bob@example.net", "to a neighbour", "");
    taken(&sender.letter("aoi@example.jp", &["bob@example.net"], &octets).unwrap());
    // A colleague's copy is among the recipients, at once and afterwards.
    let octets = letter("aoi@example.jp", "mina@example.jp", "to a colleague", "");
    let to = ["mina@example.jp", "friend@outside.example"];
    taken(&sender.letter("aoi@example.jp", &to, &octets).unwrap());
    let recipients = || traced(demo, "to a colleague", "sent")["recipients"].clone();
    within(PATIENCE, "a colleague", || recipients() == serde_json::json!(["mina@example.jp"]));
    let mut reader = Reader::sign_in(demo, "bob@example.net");
    within(PATIENCE, "the letter", || {
        reader.ask("SELECT INBOX").unwrap();
        reader.ask("SEARCH SUBJECT \"to a neighbour\"").unwrap().text().contains("SEARCH 1")
            || reader.ask("SEARCH SUBJECT \"to a neighbour\"").unwrap().text().contains("SEARCH ")
    });
}

/// RFC 5321 §4.1.2: quotes are a way of writing, and stay where the grammar needs them.
#[test]
fn an_address_in_quotes_is_understood() {
    let (demo, sink) = house();
    let mut sender = signed_in(demo, "aoi@example.jp");
    let to = ["\"john doe\"@outside.example", "\"plain\"@outside.example"];
    let octets = letter("aoi@example.jp", to[0], "to one in quotes", "");
    taken(&sender.letter("aoi@example.jp", &to, &octets).unwrap());
    let came = sink.wait_for_subject("to one in quotes");
    assert_eq!(came.to, [to[0], "plain@outside.example"]);
    // Of ours only by what it means; a stranger's quotes keep nothing out.
    let mut stranger = Sender::greeted(&demo.port("smtp"));
    assert_eq!(stranger.say("MAIL FROM:<\"carol c\"@sender.example>").code, 250);
    assert_eq!(stranger.say("RCPT TO:<\"aoi\"@example.jp>").code, 250);
    assert_eq!(stranger.say("RCPT TO:<\"john doe\"@example.jp>").code, 550);
}

#[test]
fn who_does_not_exist_is_told_to_the_sender() {
    let (demo, sink) = house();
    sink.answer("nobody", "550 5.1.1 no such person");
    let mut sender = signed_in(demo, "mina@example.jp");
    let octets = letter("mina@example.jp", "nobody@outside.example", "will come back", "");
    taken(&sender.letter("mina@example.jp", &["nobody@outside.example"], &octets).unwrap());
    let mut reader = Reader::sign_in(demo, "mina@example.jp");
    let mut text = String::new();
    within(PATIENCE, "the notice", || {
        reader.ask("SELECT INBOX").unwrap();
        text = reader.ask("FETCH 1:* (BODY.PEEK[])").unwrap().text();
        text.contains("will come back") && text.contains("5.1.1")
    });
    assert!(text.contains("multipart/report"), "{text}");
    let trace = traced(demo, "will come back", "not-sent");
    let outcome = &trace["outcomes"][0];
    assert_eq!((&outcome["state"], &outcome["not_sent"]), (&"failed".into(), &1.into()), "{trace}");
    assert!(outcome["status"].as_str().unwrap().starts_with("5."), "{trace}");
    assert!(outcome["why"]["ja"].as_str().unwrap().contains("届けられませんでした"), "{trace}");
    assert_eq!(trace["sender"], "mina@example.jp");
}

#[test]
fn what_waits_is_seen_and_taken_back() {
    let (demo, sink) = house();
    sink.answer("busy", "451 4.3.2 come again");
    let mut sender = signed_in(demo, "bob@example.net");
    for subject in ["waits one", "waits two"] {
        let octets = letter("bob@example.net", "busy@outside.example", subject, "");
        taken(&sender.letter("bob@example.net", &["busy@outside.example"], &octets).unwrap());
    }
    let one = traced(demo, "waits one", "delayed")["id"].as_str().unwrap().to_owned();
    let two = traced(demo, "waits two", "delayed")["id"].as_str().unwrap().to_owned();
    let (list, code) = demo.ask(&["queue", "list"]);
    assert_eq!(code, 0);
    let find =
        |id: &str| list["items"].as_array().unwrap().iter().find(|item| item["id"] == id).cloned();
    assert_eq!(find(&one).unwrap()["tenant"], "Example Net");
    assert_eq!(demo.ask(&["queue", "cancel", &one]).1, 0);
    // Once: whoever cancels it again hears that it is.
    assert_eq!(demo.ask(&["queue", "cancel", &one]).1, 1);
    // Whoever wrote it hears of that.
    let mut reader = Reader::sign_in(demo, "bob@example.net");
    within(PATIENCE, "the notice", || {
        reader.ask("SELECT INBOX").unwrap();
        let text = reader.ask("FETCH 1:* (BODY.PEEK[])").unwrap().text();
        text.contains("Subject: waits one") && text.contains("Status: 5.7.1")
    });
    assert_eq!(traced(demo, "waits one", "not-sent")["decided"]["what"], "cancelled");
    sink.welcome("busy");
    assert_eq!(demo.ask(&["queue", "release", &two]).1, 0);
    sink.wait_for_subject("waits two");
    traced(demo, "waits two", "sent");
    assert!(sink.came().iter().all(|came| came.field("Subject").as_deref() != Some("waits one")));
    assert_eq!(demo.ask(&["queue", "show", "zz"]).1, 1);
}

#[test]
fn each_of_many_recipients_is_found() {
    let (demo, _) = house();
    let to: Vec<String> = (0..90).map(|number| format!("of90-{number}@outside.example")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let octets = letter("aoi@example.jp", "of90-0@outside.example", "to ninety", "");
    let mut sender = signed_in(demo, "aoi@example.jp");
    taken(&sender.letter("aoi@example.jp", &to, &octets).unwrap());
    within(PATIENCE, "traced", || {
        let (found, _) = demo.ask(&["trace", "of90-89@outside.example"]);
        let last = &found["items"][0];
        last["state"] == "sent" && last["ended"].is_string()
    });
}
