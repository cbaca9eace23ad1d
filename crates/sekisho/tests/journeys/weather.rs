//! Bad weather: a silent DNS, clients that dawdle, full hands. Clear answers, nothing lost.

use super::house::{Demo, plainly, signal, within};
use super::letters::{assert_whole, letter};
use super::post::{Sender, deliver};
use super::reader::Reader;
use rustix::process::Signal;
use std::time::{Duration, Instant};

const FROM: &str = "carol@sender.example";

#[test]
fn a_silent_dns_loses_nothing() {
    let demo = Demo::fresh("dns");
    for kind in ["zone", "names"] {
        let pid = demo.pid_of(kind);
        signal(pid, Signal::STOP);
        let started = Instant::now();
        let sent = letter(&format!("without {kind}"), "who are you?");
        // From a domain that nobody has asked for yet.
        let mut sender = Sender::greeted(&demo.port("smtp"));
        let from = format!("news@{kind}.letters.example");
        let reply = sender.letter(&from, &["aoi@example.jp"], &sent).unwrap();
        assert!(reply.code == 250 || reply.code / 100 == 4, "{kind}: {reply:?}");
        assert!(started.elapsed() < Duration::from_secs(60), "{kind}: {:?}", started.elapsed());
        signal(pid, Signal::CONT);
        within(Duration::from_secs(40), "arrival as before", || {
            let again = letter(&format!("with {kind}"), "welcome");
            deliver(&demo.port("smtp"), &["aoi@example.jp"], &again).code == 250
        });
    }
}

/// Everybody hears that it cannot be taken now, before the text, and whoever gave up asks the same
/// mailbox again.
#[test]
fn a_mailbox_that_was_silent_is_used_again() {
    let demo = Demo::fresh("silent");
    let batch = |word: &str, size: u32| -> Vec<u16> {
        std::thread::scope(|scope| {
            let one = |number| {
                let sent = letter(&format!("{word} {number}"), "is anybody there?");
                let mut sender = Sender::greeted(&demo.port("smtp"));
                sender.letter(FROM, &["aoi@example.jp"], &sent).unwrap().code
            };
            let senders: Vec<_> =
                (0..size).map(|number| scope.spawn(move || one(number))).collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).collect()
        })
    };
    let mailbox = demo.pid_of("mailbox");
    signal(mailbox, Signal::STOP);
    let during = batch("meanwhile", 6);
    assert_eq!(during, [451; 6]);
    signal(mailbox, Signal::CONT);
    within(Duration::from_secs(40), "it is heard", || batch("again", 1) == [250]);
    for number in 0..3 {
        let after = batch(&format!("round {number}"), 8);
        assert!(after.iter().all(|code| *code == 250), "{after:?}");
    }
}

/// Whoever hangs is named within moments, with nobody reading or writing, and not any more when it
/// answers again.
#[test]
fn who_hangs_is_named_until_it_answers() {
    let demo = Demo::fresh("hanging");
    let status = |language: &str| {
        let started = Instant::now();
        let (shown, _, code) =
            plainly(&["status", "--data", demo.data().to_str().unwrap()], language);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        (shown, code)
    };
    within(Duration::from_secs(30), "a house that is well", || status("C").1 == 0);
    for kinds in [&["mirror"][..], &["ledger"], &["signer"], &["vault"], &["mailbox", "signer"]] {
        let pids: Vec<u32> = kinds.iter().map(|kind| demo.pid_of(kind)).collect();
        pids.iter().for_each(|pid| signal(*pid, Signal::STOP));
        // At once, and to whoever asks first: also a mirror that was heard a moment before.
        let asked = Instant::now();
        let told = demo.ask(&["doctor"]).0["weakened"].to_string();
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(6), "{took:?}");
        let is_told = |kind: &&str| told.contains(&format!("{kind} does not answer: "));
        assert!(kinds.iter().all(is_told), "{kinds:?}: {told}");
        for (language, word) in [("C", "does not answer: "), ("ja_JP.UTF-8", "が応答しません: ")]
        {
            let (shown, code) = status(language);
            let is_named = |kind: &&str| shown.contains(&format!("{kind} {word}"));
            assert!(code == 1 && kinds.iter().all(is_named), "{kinds:?}: {code} {shown}");
            let named = shown.matches(word).count();
            assert_eq!(named, kinds.len(), "{kinds:?}: {shown}");
        }
        pids.iter().for_each(|pid| signal(*pid, Signal::CONT));
        within(Duration::from_secs(20), "a house that is well again", || status("C").1 == 0);
    }
}

#[test]
fn dawdlers_hold_up_nobody() {
    let demo = Demo::fresh("slow");
    // More of them than there are free instances at the start.
    let mut half_open: Vec<Sender> =
        (0..40).map(|_| Sender::connect(&demo.port("smtp")).unwrap()).collect();
    for (number, sender) in half_open.iter_mut().enumerate() {
        sender.send(&b"EHLO sender.example"[..number % 19]).unwrap();
    }
    let started = Instant::now();
    let sent = letter("in between", "past forty others");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // And one who dawdles to the end is served all the same.
    let mut slow = Sender::greeted(&demo.port("smtp"));
    assert_eq!(slow.offer(FROM, &["aoi@example.jp"]).unwrap().code, 354);
    let late = letter("one by one", "octets");
    for octet in late.iter().chain(b".\r\n") {
        slow.send(&[*octet]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(slow.reply().unwrap().code, 250);
    let mut reader = Reader::sign_in(&demo, "aoi@example.jp");
    let kept = reader.whole("INBOX");
    assert_whole(&kept[0], &sent);
    assert_whole(&kept[1], &late);
}

#[test]
fn broken_off_is_not_delivered() {
    let demo = Demo::fresh("broken");
    for end in [&b""[..], b"\r\n.", b"\r\n.\r"] {
        let mut sender = Sender::greeted(&demo.port("smtp"));
        assert_eq!(sender.offer(FROM, &["aoi@example.jp"]).unwrap().code, 354);
        sender.send(&letter("half a letter", "and then")).unwrap();
        sender.send(end).unwrap();
    }
    let sent = letter("a whole letter", "to the end");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent).code, 250);
    let mut reader = Reader::sign_in(&demo, "aoi@example.jp");
    assert_eq!(reader.exists("INBOX"), 1);
}

#[test]
fn a_password_opens_its_own_protocol_only() {
    let demo = super::house::post_office();
    let mut account = demo.account("aoi@example.jp");
    account.imap = account.pop3.clone();
    assert!(Reader::try_sign_in(demo, &account).is_err(), "POP3's password opened IMAP");
    let mut account = demo.account("aoi@example.jp");
    account.address = "haru@example.jp".to_owned();
    assert!(Reader::try_sign_in(demo, &account).is_err(), "aoi's password opened haru's mail");
}

#[test]
fn fifty_readers_and_a_thousand_recipients() {
    let demo = Demo::fresh("many");
    let sent = letter("to very many", "the same for all");
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say(&format!("MAIL FROM:<{FROM}>")).code, 250);
    for number in 0..1000 {
        let reply = sender.say(&format!("RCPT TO:<aoi+{number}@example.jp>"));
        assert_eq!(reply.code, 250, "{number}: {reply:?}");
    }
    assert_eq!(sender.say("DATA").code, 354);
    sender.send(&sent).unwrap();
    sender.send(b".\r\n").unwrap();
    assert_eq!(sender.reply().unwrap().code, 250);
    let mut readers: Vec<Reader> =
        (0..50).map(|_| Reader::inbox(&demo, "aoi@example.jp")).collect();
    for reader in &mut readers {
        assert_eq!(reader.must("FETCH 1 BODY.PEEK[]").literals().len(), 1);
    }
}
