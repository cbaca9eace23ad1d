//! Mail that goes on: a forward and its bounce, a gateway's domain, a group, an answer of somebody
//! who is away.

use super::house::{Demo, within};
use super::leaving::{letter, signed_in, with_sink};
use super::post::Sender;
use super::reader::Reader;
use super::sink::{ASLEEP, Came, Sink};
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const CAROL: &str = "carol@sender.example";

/// Each case has people of its own.
fn house() -> &'static (Demo, Sink) {
    static SHARED: OnceLock<(Demo, Sink)> = OnceLock::new();
    SHARED.get_or_init(|| with_sink("onward"))
}

fn done(demo: &Demo, words: &[&str]) -> serde_json::Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

/// A letter from outside, by a session of its own.
fn deliver(demo: &Demo, from: &str, to: &str, octets: &[u8]) {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let reply = sender.letter(from, &[to], octets).unwrap();
    assert_eq!(reply.code, 250, "{to}: {reply:?}");
}

/// How RCPT is answered.
fn addressed(demo: &Demo, from: &str, to: &str) -> u16 {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say(&format!("MAIL FROM:<{from}>")).code, 250);
    sender.say(&format!("RCPT TO:<{to}>")).code
}

/// What was said of an address is remembered at the door for some seconds.
fn is_nobody_soon(demo: &Demo, to: &str) {
    within(PATIENCE, to, || addressed(demo, CAROL, to) == 550);
}

fn mail(to: &str, subject: &str) -> Vec<u8> {
    letter(&format!("Carol <{CAROL}>"), to, subject, "Message-ID: <onward@sender.example>\r\n")
}

fn is_below(came: &Came, octets: &[u8]) {
    let text = String::from_utf8_lossy(&came.text).into_owned();
    assert!(came.text.ends_with(octets), "not octet for octet: {text}");
}

fn subjects(demo: &Demo, address: &str) -> String {
    let mut reader = Reader::sign_in(demo, address);
    reader.must("SELECT INBOX");
    reader.ask("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").unwrap().text()
}

#[test]
fn a_forward_leaves_and_its_bounce_comes_back() {
    let (demo, sink) = house();
    let way = ["user", "forward", "aoi@example.jp", "--to", "friend@outside.example", "--keep"];
    let set = done(demo, &way);
    assert_eq!((set["to"][0].as_str(), set["keep"].as_bool()), (way.get(4).copied(), Some(true)));
    let octets = mail("aoi@example.jp", "goes on");
    deliver(demo, CAROL, "aoi@example.jp", &octets);
    let came = sink.wait_for_subject("goes on");
    assert_eq!(came.to, ["friend@outside.example"]);
    assert!(came.from.starts_with("SRS0=") && came.from.ends_with("@example.jp"), "{came:?}");
    is_below(&came, &octets);
    within(PATIENCE, "its journey, by where it went", || {
        let (found, _) = demo.ask(&["trace", "friend@outside.example"]);
        found["items"].as_array().is_some_and(|items| items.iter().any(|it| it["state"] == "sent"))
    });
    within(PATIENCE, "the copy here", || subjects(demo, "aoi@example.jp").contains("goes on"));
    // The next server took it and gives it back: it finds the sender.
    let to = came.from.as_str();
    let bounce = letter("MAILER-DAEMON@sender.example", to, "undeliverable", "");
    deliver(demo, "", to, &bounce);
    let back = sink.wait_for_subject("undeliverable");
    assert_eq!((back.from.as_str(), back.to.as_slice()), ("", &[CAROL.to_owned()][..]));
    is_below(&back, &bounce);
    // It is no way in for anybody else.
    assert_eq!(addressed(demo, CAROL, to), 550);
    let hash = to.split('=').nth(1).unwrap();
    assert_eq!(addressed(demo, "", &to.replace(hash, "aaaaaaaa")), 550);
    // Who forwards still writes as themselves, and a colleague's mail goes on, too.
    let mut sender = signed_in(demo, "aoi@example.jp");
    let own = letter("aoi@example.jp", "friend@outside.example", "still aoi", "");
    let reply = sender.letter("aoi@example.jp", &["friend@outside.example"], &own).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    sink.wait_for_subject("still aoi");
    done(demo, &["user", "forward", "aoi@example.jp", "--none"]);
    let shown = done(demo, &["user", "forward", "aoi@example.jp"]);
    assert_eq!(shown["to"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_gateway_s_mail_reaches_its_server_octet_for_octet() {
    let (demo, sink) = house();
    let host = format!("127.0.0.1:{}:if-offered", sink.port);
    assert_eq!(addressed(demo, CAROL, "Old.Box+1@example.net"), 550);
    done(demo, &["domain", "gateway", "example.net", "--host", &host, "--recipients", "any"]);
    let octets = mail("Old.Box+1@example.net", "to its own server");
    deliver(demo, CAROL, "Old.Box+1@example.net", &octets);
    let came = sink.wait_for_subject("to its own server");
    assert_eq!((came.from.as_str(), came.to), (CAROL, vec!["Old.Box+1@example.net".to_owned()]));
    is_below(&sink.wait_for_subject("to its own server"), &octets);
    // With a list only those on it are taken.
    let list = demo.data().with_file_name("recipients");
    std::fs::write(&list, "# of the server\nold.box@example.net\n\nnew@example.net\n").unwrap();
    let list = list.display().to_string();
    let told =
        done(demo, &["domain", "gateway", "example.net", "--host", &host, "--recipients", &list]);
    assert_eq!(told["recipients"].as_u64(), Some(2), "{told}");
    assert_eq!(addressed(demo, CAROL, "new@example.net"), 250);
    assert_eq!(addressed(demo, CAROL, "nobody@example.net"), 550);
    // Who leaves the list is taken for a while, by name, and a look is no sync.
    std::fs::write(&list, "new@example.net\n").unwrap();
    let told =
        done(demo, &["domain", "gateway", "example.net", "--host", &host, "--recipients", &list]);
    let shown = done(demo, &["domain", "gateway", "example.net"]);
    assert_eq!((told["sync_ms"].as_u64(), &told), (shown["sync_ms"].as_u64(), &shown));
    assert_eq!(shown["in_grace"].as_u64(), Some(1), "{shown}");
    assert_eq!(shown["grace"][0]["address"].as_str(), Some("old.box@example.net"), "{shown}");
    assert!(shown["grace"][0]["until_ms"].as_u64() > shown["sync_ms"].as_u64(), "{shown}");
    assert_eq!(addressed(demo, CAROL, "old.box@example.net"), 250);
    done(demo, &["domain", "gateway", "example.net", "--none"]);
    is_nobody_soon(demo, "new@example.net");
}

/// The list is the customer's of yesterday; its server knows who came today.
#[test]
fn a_gateway_s_new_recipient_is_asked_for_at_its_server() {
    let (demo, sink) = house();
    let host = format!("127.0.0.1:{}:if-offered", sink.port);
    let list = demo.data().with_file_name("recipients-checked");
    std::fs::write(&list, "old@example.org\n").unwrap();
    let list = list.display().to_string();
    done(demo, &["domain", "add", "example.org", "--tenant", "Example Japan"]);
    let mut words = vec!["domain", "gateway", "example.org", "--host", &host];
    words.extend(["--recipients", &list]);
    done(demo, &words);
    assert_eq!(addressed(demo, CAROL, "hired-today@example.org"), 550, "the list's word is last");
    words.push("--check-new");
    let set = done(demo, &words);
    assert_eq!((set["check_new"].as_bool(), set["recipients"].as_u64()), (Some(true), Some(1)));
    sink.answer("never-hired", "550 5.1.1 nobody of that name");
    sink.answer("sleepy", ASLEEP);
    assert_eq!(addressed(demo, CAROL, "old@example.org"), 250);
    assert_eq!(addressed(demo, CAROL, "hired-today@example.org"), 250);
    let octets = mail("hired-today@example.org", "welcome aboard");
    deliver(demo, CAROL, "hired-today@example.org", &octets);
    assert_eq!(sink.wait_for_subject("welcome aboard").to, ["hired-today@example.org"]);
    let shown = done(demo, &["domain", "gateway", "example.org"]);
    assert_eq!(shown["found_by_checks"].as_u64(), Some(1), "{shown}");
    assert_eq!(addressed(demo, CAROL, "never-hired@example.org"), 550);
    // Remembered: the server, which would take them by now, is not asked again.
    sink.welcome("never-hired");
    assert_eq!(addressed(demo, CAROL, "never-hired@example.org"), 550);
    let began = std::time::Instant::now();
    assert_eq!(addressed(demo, CAROL, "sleepy@example.org"), 451);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Nobody waits for it a second time, and who is known is taken all the while.
    let began = std::time::Instant::now();
    assert_eq!(addressed(demo, CAROL, "another@example.org"), 451);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(addressed(demo, CAROL, "hired-today@example.org"), 250);
    // What was asked was asked in nobody's name, and nothing was sent.
    let is_there = |to: &String| to.ends_with("@example.org");
    let came = sink.came().iter().filter(|came| came.to.iter().any(is_there)).count();
    assert_eq!(came, 1, "the letter, and no question");
    done(demo, &["domain", "gateway", "example.org", "--none"]);
}

#[test]
fn a_group_is_everybody_in_it() {
    let (demo, sink) = house();
    let mut words = vec!["group", "add", "team@example.jp", "--tenant", "Example Japan"];
    for member in ["mina@example.jp", "rei@example.jp", "partner@outside.example"] {
        words.extend(["--member", member]);
    }
    done(demo, &words);
    let octets = mail("team@example.jp", "to the team");
    deliver(demo, CAROL, "team@example.jp", &octets);
    let came = sink.wait_for_subject("to the team");
    assert_eq!(came.to, ["partner@outside.example"]);
    assert!(came.from.starts_with("SRS0="), "{came:?}");
    for member in ["mina@example.jp", "rei@example.jp"] {
        within(PATIENCE, member, || subjects(demo, member).contains("to the team"));
    }
    let set = ["group", "set", "team@example.jp", "--without", "partner@outside.example"];
    assert_eq!(done(demo, &set)["members"].as_array().map(Vec::len), Some(2));
    done(demo, &["group", "remove", "team@example.jp"]);
    is_nobody_soon(demo, "team@example.jp");
}

/// Where an address leads is its owner's business: nobody of the house is told, of whichever
/// tenant, and what fails there counts as nobody's.
#[test]
fn people_of_the_house_are_not_told_where_an_address_leads() {
    let (demo, sink) = house();
    sink.answer("private-box", "550 5.1.1 nobody of that name");
    let olga = "olga@example.net";
    done(demo, &["user", "forward", olga, "--to", "private-box@outside.example"]);
    for writer in ["bob@example.net", "mina@example.jp"] {
        let mut sender = signed_in(demo, writer);
        let octets = letter(writer, olga, "are you there, Olga", "");
        assert_eq!(sender.letter(writer, &[olga], &octets).unwrap().code, 250);
        let told = || {
            let mut reader = Reader::sign_in(demo, writer);
            reader.must("SELECT INBOX");
            reader.ask("FETCH 1:* (BODY.PEEK[])").unwrap().text()
        };
        within(PATIENCE, writer, || told().contains("Final-Recipient: rfc822; olga@example.net"));
        let told = told();
        assert!(!told.contains("private-box") && !told.contains("nobody of that name"), "{told}");
    }
    sink.welcome("private-box");
    let mut sender = signed_in(demo, "mina@example.jp");
    let octets = letter("mina@example.jp", olga, "found you, Olga", "");
    assert_eq!(sender.letter("mina@example.jp", &[olga], &octets).unwrap().code, 250);
    let came = sink.wait_for_subject("found you, Olga");
    assert_eq!(came.to, ["private-box@outside.example"]);
    assert!(came.from.starts_with("SRS0=") && came.from.ends_with("@example.net"), "{came:?}");
    assert!(came.field("X-Sekisho-Passed").is_some(), "{came:?}");
    done(demo, &["user", "forward", olga, "--none"]);
}

#[test]
fn who_keeps_nothing_here_hears_of_what_failed_where_their_mail_goes() {
    let (demo, sink) = house();
    let (me, gone) = ("haru@example.jp", "gone-for-haru@outside.example");
    done(demo, &["user", "forward", me, "--to", "haru-home@outside.example"]);
    sink.answer("gone-for-haru", "550 5.1.1 no such user");
    let mut sender = signed_in(demo, me);
    let own = letter(me, gone, "a contract", "");
    assert_eq!(sender.letter(me, &[gone], &own).unwrap().code, 250);
    let is_notice = |came: &Came| came.to == ["haru-home@outside.example"];
    let notice = sink.wait("the notice", is_notice);
    let text = String::from_utf8_lossy(&notice.text).into_owned();
    assert!(notice.from.is_empty() && text.contains("Action: failed"), "{text}");
    assert!(text.contains(gone) && text.contains("no such user"), "{text}");
    done(demo, &["user", "forward", me, "--none"]);
}

/// An answer of absence is asked for as mail that people send is; what is passed on is not.
#[test]
fn who_is_away_still_has_mail_passed_on() {
    let (demo, sink) = house();
    let me = "sato@example.jp";
    done(demo, &["user", "away", me, "--subject", "Away", "--text", "Back soon."]);
    done(demo, &["user", "forward", me, "--to", "sato@outside.example", "--keep"]);
    let mut sender = Sender::greeted(&demo.port("smtp"));
    for one in 0..6 {
        let from = format!("stranger{one}@sender.example");
        let octets = letter(&from, me, &format!("passed on {one}"), "");
        let reply = sender.letter(&from, &[me], &octets).unwrap();
        assert_eq!(reply.code, 250, "letter {one}: {reply:?}");
    }
    for one in 0..6 {
        sink.wait_for_subject(&format!("passed on {one}"));
    }
    done(demo, &["user", "away", me, "--back"]);
}

#[test]
fn who_is_away_answers_once() {
    let (demo, sink) = house();
    let text = "Back on Monday. 月曜に戻ります。";
    done(demo, &["user", "away", "haru@example.jp", "--subject", "Away", "--text", text]);
    for subject in ["are you there", "are you there now"] {
        deliver(demo, CAROL, "haru@example.jp", &mail("haru@example.jp", subject));
    }
    let is_answer = |came: &Came| came.to == [CAROL] && came.field("Auto-Submitted").is_some();
    let answer = sink.wait("the answer", is_answer);
    assert_eq!(answer.from, "", "nobody answers an answer");
    within(PATIENCE, "both letters", || {
        subjects(demo, "haru@example.jp").contains("are you there now")
    });
    let mut colleague = signed_in(demo, "aoi@example.jp");
    let asked = letter("aoi@example.jp", "haru@example.jp", "are you there, too", "");
    let reply = colleague.letter("aoi@example.jp", &["haru@example.jp"], &asked).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    within(PATIENCE, "a colleague's answer", || {
        subjects(demo, "aoi@example.jp").contains("Subject: Away")
    });
    done(demo, &["user", "away", "haru@example.jp", "--back"]);
    // Whatever would come came before this one, which left later.
    let mut sender = signed_in(demo, "haru@example.jp");
    let own = letter("haru@example.jp", "friend@outside.example", "after the answers", "");
    let reply = sender.letter("haru@example.jp", &["friend@outside.example"], &own).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    sink.wait_for_subject("after the answers");
    assert_eq!(sink.came().iter().filter(|came| is_answer(came)).count(), 1);
}

/// How often somebody was told that what they pass on did not arrive.
fn words_of_loss(demo: &Demo, who: &str) -> usize {
    let all = Reader::sign_in(demo, who).whole("INBOX");
    let subject = |octets: &Vec<u8>| {
        let values = mime::field_values(octets, "subject");
        mime::decode_words(values.first().map(Vec::as_slice).unwrap_or_default())
    };
    all.iter().filter(|octets| subject(octets).contains("did not arrive")).count()
}

/// Mail that is in the mailbox it was for is returned to nobody: its owner hears of the copy.
#[test]
fn who_keeps_their_mail_hears_of_the_copy_that_failed() {
    let (demo, sink) = house();
    let (me, writer) = ("bob@example.net", "alice@example.net");
    sink.answer("gone-for-bob", "550 5.1.1 no such user");
    let to = "gone-for-bob@outside.example";
    done(demo, &["user", "forward", me, "--to", to, "--keep"]);
    let mut sender = signed_in(demo, writer);
    let octets = letter(writer, me, "kept all the same", "");
    assert_eq!(sender.letter(writer, &[me], &octets).unwrap().code, 250);
    let all = |who: &str| {
        let mut reader = Reader::sign_in(demo, who);
        reader.must("SELECT INBOX");
        reader.ask("FETCH 1:* (BODY.PEEK[])").unwrap().text()
    };
    within(PATIENCE, "word of it", || words_of_loss(demo, me) == 1);
    let found = all(me);
    assert_eq!(found.matches("Subject: kept all the same\r\n\r\n").count(), 1, "{found}");
    // A failure that is the writer's own comes later than this one would have.
    let octets = letter(writer, to, "not kept", "");
    assert_eq!(sender.letter(writer, &[to], &octets).unwrap().code, 250);
    within(PATIENCE, "the writer's own", || all(writer).contains(&format!("rfc822; {to}")));
    let told = all(writer);
    assert!(!told.contains(&format!("rfc822; {me}")), "{told}");
    done(demo, &["user", "forward", me, "--none"]);
}

/// Behind a gateway is nobody of ours; where its tenant has nobody else, the operator hears.
#[test]
fn of_a_gateway_that_nobody_answers_for_the_operator_hears() {
    let (demo, sink) = house();
    let (tenant, domain) = ("Nobody's", "untold.example");
    done(demo, &["tenant", "add", tenant]);
    done(demo, &["domain", "add", domain, "--tenant", tenant]);
    let host = format!("127.0.0.1:{}:if-offered", sink.port);
    let set = ["domain", "gateway", domain, "--host", &host, "--recipients", "any"];
    let shown = done(demo, &set);
    let is_said = |value: &serde_json::Value| {
        value["warning"].as_str().is_some_and(|it| it.contains("--role tenant-admin"))
    };
    assert!(is_said(&shown), "{shown}");
    let (checked, _) = demo.ask(&["domain", "check", domain]);
    assert!(is_said(&checked["gateway"]), "{checked}");
    let told = demo.ask(&["doctor"]).0["weakened"].to_string();
    assert!(told.contains(&format!("{domain}: nobody hears of mail")), "{told}");
    sink.answer("gone-from-untold", "550 5.1.1 no such user");
    let to = format!("gone-from-untold@{domain}");
    let from = "victim@outside.example";
    deliver(demo, from, &to, &letter(from, &to, "to nobody", ""));
    let is_alarm = |one: &serde_json::Value| {
        one["what"].as_str().is_some_and(|what| what.ends_with("--role tenant-admin"))
    };
    within(PATIENCE, "the alarm, whole", || {
        let (alarms, _) = demo.ask(&["alarms", "list"]);
        alarms["items"].as_array().is_some_and(|all| all.iter().any(is_alarm))
    });
    within(PATIENCE, "what became of it", || {
        let (found, _) = demo.ask(&["trace", &to]);
        let note = found["items"][0]["note"]["en"].as_str().unwrap_or_default();
        note.contains("nobody could be told")
    });
    // With somebody who answers for it, it is said no more.
    let admin = format!("admin@{domain}");
    done(demo, &["user", "add", &admin, "--tenant", tenant, "--role", "tenant-admin"]);
    let shown = done(demo, &["domain", "gateway", domain]);
    assert!(shown["warning"].is_null(), "{shown}");
    done(demo, &["domain", "gateway", domain, "--none"]);
}

/// Nothing proves who wrote it: a notice could go to anybody, and the letter is not lost for that.
#[test]
fn what_can_be_returned_to_nobody_is_kept_for_who_passed_it_on() {
    let (demo, sink) = house();
    let me = "alice@example.net";
    sink.answer("gone-for-alice", "550 5.1.1 no such user");
    done(demo, &["user", "forward", me, "--to", "gone-for-alice@outside.example"]);
    let from = "victim@outside.example";
    for subject in ["lost on the way", "lost as well"] {
        deliver(demo, from, me, &letter(from, me, subject, ""));
    }
    within(PATIENCE, "both letters", || {
        let all = subjects(demo, me);
        all.contains("lost on the way") && all.contains("lost as well")
    });
    within(PATIENCE, "word of it, once", || words_of_loss(demo, me) == 1);
    assert!(!sink.came().iter().any(|came| came.to == [from]), "nobody outside is told");
    done(demo, &["user", "forward", me, "--none"]);
}
