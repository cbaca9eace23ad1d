//! Whoever is written to in secret stays secret in the whole house: odd letters go out by every way
//! that there is, and all that leaves, is kept or is said is searched for the hidden addresses.
//!
//! A Bcc inside an attached message (`message/rfc822`) is what its author attached, like any other
//! text of it: to cut it would break what others signed, and hide from nobody what they were sent.
//! It goes along octet for octet; of the message itself, no Bcc does.

use super::house::{Demo, within};
use super::leaks::Secret;
use super::leaving::{signed_in, with_sink};
use super::post::Reply;
use super::reader::Reader;
use super::sink::{Came, Sink};
use data_encoding::BASE64;
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const AOI: &str = "aoi@example.jp";
const HARU: &str = "haru@example.jp";
const SATO: &str = "sato@example.jp";
const TEAM: &str = "team@example.jp";
const NEWS: &str = "bccnews@example.jp";
const FRIEND: &str = "friend@outside.example";
const NESTED: &str = "Bcc: inner@nested.example\r\n";

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[(self.next() >> 33) as usize % words.len()]
    }

    fn secret(&mut self, domain: &str) -> Secret {
        Secret::new(&format!("hush{:08x}", self.next() >> 32), domain)
    }
}

/// Bcc fields as odd programs write them, each form once before any comes again.
fn fields(random: &mut Random, number: usize, secret: &Secret) -> String {
    let fold = random.one_of(&[" ", "\r\n ", "\r\n\t", " \r\n \t "]);
    let (address, mark) = (&secret.address, &secret.mark);
    match number % 9 {
        0 => format!("Bcc:{fold}{address}\r\n"),
        1 => format!("bCC: \"{mark}, H.\" <{address}>,{fold}x@y.example\r\n"),
        2 => {
            let coded = BASE64.encode(mark.as_bytes());
            format!("BCC: =?utf-8?q?{mark}?=,{fold}=?UTF-8?B?{coded}?= <{address}>\r\n")
        }
        3 => format!("Bcc : ({mark}){fold}({mark}) {address}\r\n"),
        4 => format!("Bcc: us:{fold}{address},{fold}{address};\r\n"),
        5 => format!("Bcc: {address}\r\nBcc:{fold}{address}\r\nbcc: {mark}\r\n"),
        6 => format!("Resent-Bcc: {address}\r\nResent-bcc:{fold}{address}\r\n"),
        7 => format!("Bcc:\r\nBcc: {address}\r\n From: {mark}\r\n\tBcc: {mark}\r\n"),
        _ => format!("Bcc: 葵 {mark}{fold}<{address}>\r\n"),
    }
}

/// A letter with a message in it, which has a Bcc of its own.
fn octets(random: &mut Random, number: usize, to: &str, secret: &Secret) -> Vec<u8> {
    let mut all = vec![
        format!("From: Aoi <{AOI}>\r\n"),
        format!("To: {to}\r\n"),
        format!("Subject: in secret {number}\r\n"),
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n".to_owned(),
    ];
    let at = random.next() as usize % (all.len() + 1);
    all.insert(at, fields(random, number, secret));
    let inner =
        format!("From: x@nested.example\r\n{NESTED}Subject: inner\r\n\r\nBcc: in a text\r\n");
    format!(
        "{}\r\n--x\r\n\r\nHello.\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n{inner}--x--\r\n",
        all.concat()
    )
    .into_bytes()
}

fn done(demo: &Demo, words: &[&str]) -> Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

/// A group with somebody outside, a list, a forward, somebody who is away, and somebody hidden.
fn ways(demo: &Demo, hidden: &Secret) -> String {
    let tenant = "Example Japan";
    done(
        demo,
        &[
            "group",
            "add",
            TEAM,
            "--tenant",
            tenant,
            "--member",
            "mina@example.jp",
            "--member",
            "far@outside.example",
        ],
    );
    done(demo, &["list", "add", NEWS, "--tenant", tenant, "--owner", "mina@example.jp"]);
    done(demo, &["list", "member", "add", NEWS, AOI, "bob@example.net", "reader@outside.example"]);
    done(demo, &["user", "forward", HARU, "--to", "harus@outside.example", "--keep"]);
    done(demo, &["user", "away", SATO, "--text", "I am away."]);
    done(demo, &["user", "add", &hidden.address, "--tenant", tenant]);
    let password = ["app-password", "add", &hidden.address, "--protocol", "imap"];
    done(demo, &password)["secret"].as_str().unwrap().to_owned()
}

/// Where each letter goes in the open.
const SHOWN: [&[&str]; 6] = [
    &["seen@outside.example"],
    &[HARU, FRIEND],
    &[TEAM],
    &[NEWS],
    &[SATO],
    &["nobody@outside.example", FRIEND],
];
const LETTERS: usize = 18;

fn send(demo: &Demo, random: &mut Random, at_home: &Secret) -> Vec<Secret> {
    let mut hidden = Vec::new();
    let mut sender = signed_in(demo, AOI);
    for number in 0..LETTERS {
        let secret = random.secret("hidden.outside.example");
        let shown = SHOWN[number % SHOWN.len()];
        let octets = octets(random, number, shown[0], &secret);
        let mut to: Vec<String> =
            shown.iter().map(|to| format!("{to}> NOTIFY=SUCCESS,FAILURE,DELAY")).collect();
        // As far as the client says, everybody was written to under their own name.
        let original = format!("ORCPT=rfc822;{}", secret.address);
        to.push(format!("{}> {original}", secret.address));
        to.push(format!("{}>", at_home.address));
        let reply = hand_in(&mut sender, &to, &octets);
        assert_eq!(reply.code, 250, "{number}: {reply:?}");
        hidden.push(secret);
    }
    hidden
}

fn hand_in(sender: &mut super::post::Sender, to: &[String], octets: &[u8]) -> Reply {
    let mail = sender.say(&format!("MAIL FROM:<{AOI}> RET=FULL"));
    assert_eq!(mail.code, 250, "{mail:?}");
    for to in to {
        let reply = sender.say(&format!("RCPT TO:<{to}"));
        assert_eq!(reply.code, 250, "{to}: {reply:?}");
    }
    assert_eq!(sender.say("DATA").code, 354);
    sender.send(&super::post::stuffed(octets)).unwrap();
    sender.say(".")
}

/// Every copy is there before anything is searched.
fn wait_for_all(demo: &Demo, sink: &Sink, hidden: &[Secret], (at_home, password): (&Secret, &str)) {
    for secret in hidden {
        sink.wait(&secret.address, |came| came.to == [secret.address.clone()]);
    }
    let count = |to: &str| sink.came().iter().filter(|came| came.to == [to]).count();
    let each = LETTERS / SHOWN.len();
    let outside = [("seen@outside.example", each), ("harus@outside.example", each)];
    for (to, many) in
        outside.into_iter().chain([("far@outside.example", each), ("reader@outside.example", each)])
    {
        within(PATIENCE, to, || count(to) >= many);
    }
    let holds = |text: &[u8], many: usize| {
        String::from_utf8_lossy(text).matches("Subject: in secret ").count() >= many
    };
    within(PATIENCE, "the one at home", || {
        holds(&mailbox(demo, &at_home.address, password), LETTERS)
    });
    within(PATIENCE, "a colleague", || holds(&inbox(demo, HARU), each));
    within(PATIENCE, "a list's member", || holds(&inbox(demo, "bob@example.net"), each));
    // One notice for each that failed, one for each that a remote took, and the answers.
    let told = |word: &str| String::from_utf8_lossy(&inbox(demo, AOI)).matches(word).count();
    within(PATIENCE, "notices", || told("Action: failed") >= each && told("Action: delivered") > 0);
    within(PATIENCE, "an answer", || told("auto-replied") > 0);
}

fn inbox(demo: &Demo, address: &str) -> Vec<u8> {
    mailbox(demo, address, &demo.account(address).imap)
}

fn mailbox(demo: &Demo, address: &str, password: &str) -> Vec<u8> {
    let mut reader = Reader::connect(&demo.port("imaps"), &demo.authority()).unwrap();
    reader.must(&format!("LOGIN {address} {password}"));
    let all =
        ["INBOX", "Junk"].into_iter().filter(|name| reader.say(&format!("EXAMINE {name}")).is_ok());
    let all: Vec<&str> = all.collect();
    all.into_iter().flat_map(|name| reader.whole(name)).flatten().collect()
}

/// What reaches somebody outside: the commands that came with it, and the text.
fn check_outside(came: &Came, secrets: &[&Secret]) {
    let text = String::from_utf8_lossy(&came.text).into_owned();
    for secret in secrets {
        secret.is_not_in(&format!("the text for {:?}", came.to), &came.text);
        if !came.to.contains(&secret.address) {
            let commands = came.commands.join("\n");
            secret.is_not_in(&format!("the envelope of {:?}", came.to), commands.as_bytes());
        }
    }
    let is_letter = came.field("Subject").is_some_and(|subject| subject.starts_with("in secret"));
    assert!(!is_letter || text.contains(NESTED), "what was attached is whole: {text}");
    assert!(came.fields("Bcc").is_empty() && came.fields("Resent-Bcc").is_empty(), "{text}");
}

#[test]
fn no_bcc_leaves_the_house_or_is_kept_in_clear() {
    let (mut demo, sink) = with_sink("bcc");
    sink.answer("nobody", "550 5.1.1 no such person");
    let mut random = Random(0x5eca_9e37_79b9);
    let at_home = random.secret("example.jp");
    let password = ways(&demo, &at_home);
    let hidden = send(&demo, &mut random, &at_home);
    wait_for_all(&demo, &sink, &hidden, (&at_home, &password));
    let all: Vec<&Secret> = hidden.iter().chain([&at_home]).collect();
    sink.came().iter().for_each(|came| check_outside(came, &all));
    // Colleagues, a list's member elsewhere, and the sender, who hears of others' fates alone.
    for address in [AOI, HARU, SATO, "mina@example.jp", "rei@example.jp", "bob@example.net"] {
        let text = inbox(&demo, address);
        all.iter().for_each(|secret| secret.is_not_in(address, &text));
    }
    let text = mailbox(&demo, &at_home.address, &password);
    hidden.iter().for_each(|secret| secret.is_not_in("the hidden one's mailbox", &text));
    // What operators see who look for somebody else, or for nobody.
    let subject = "in secret 1";
    let queries: [&[&str]; 8] = [
        &["trace", "seen@outside.example"],
        &["trace", HARU],
        &["trace", AOI],
        &["trace", subject],
        &["queue", "list"],
        &["tls-reports", "list"],
        &["reports", "list"],
        &["status"],
    ];
    for query in queries {
        let said = demo.ask(query).0.to_string();
        all.iter().for_each(|secret| secret.is_not_in(&query.join(" "), said.as_bytes()));
    }
    let entries: String = demo.entries().iter().map(|entry| format!("{entry}\n")).collect();
    let said = demo.said();
    for secret in &all {
        secret.is_not_in("the ledger", entries.as_bytes());
        secret.is_not_in("the log", said.as_bytes());
    }
    // Everything on the disk, in rest.
    demo.stop();
    let said = demo.said();
    all.iter().for_each(|secret| secret.is_not_in("the log", said.as_bytes()));
    super::leaks::search_folder(demo.data(), &all);
}
