//! Somebody puts an older copy of one keeper's tables in their place while the house stands still.
//! The evidence knows better.

use super::house::{Account, Demo, within};
use super::kills::kill_all;
use super::leaving::{letter as letter_of, signed_in, with_sink};
use super::post::{Sender, deliver};
use super::reader::Reader;
use super::sink::Sink;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const ALARM: [&str; 2] = ["alarms", "list"];
const OF_IDENTITY: &str = "identity's tables are older";
const OF_REVOKED: &str = "a revoked app password opened the door";
const OF_DIRECTORY: &str = "the directory's tables are older";
const OF_VAULT: &str = "the vault's keys are older";
const OF_MAILBOX: &str = "DIR/mailbox is older than the evidence";
const OF_POST: &str = "DIR/post is older than the evidence";
const OF_LOG: &str = "the evidence is older than what mailbox knows of it";
const OF_FORGED: &str = "somebody without the root changed `vault/keys`";
/// Whole houses that are killed under load.
const KILLS: usize = 12;

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Takes a copy of a keeper's folder of a house that stands still.
fn keep(demo: &Demo, keeper: &str) {
    copy(&demo.data().join(keeper), &demo.data().with_file_name("older"));
}

fn put_back(demo: &Demo, keeper: &str) {
    copy(&demo.data().with_file_name("older"), &demo.data().join(keeper));
}

fn alarms(demo: &Demo, of: &str) -> usize {
    demo.ask(&ALARM).0.to_string().matches(of).count()
}

fn must(demo: &Demo, words: &[&str]) -> serde_json::Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

fn reads(demo: &Demo, secret: &str) -> bool {
    let mut account = demo.account("aoi@example.jp");
    account.imap = secret.to_owned();
    Reader::try_sign_in(demo, &account).is_ok()
}

/// Whether the first letter of a person's opens.
fn opens(demo: &Demo) -> bool {
    let mut reader = Reader::sign_in(demo, "aoi@example.jp");
    reader.ask("SELECT INBOX").is_ok_and(|answer| answer.is_ok())
        && reader.ask("FETCH 1 (BODY.PEEK[])").is_ok_and(|answer| !answer.literals().is_empty())
}

fn letter(to: &str) -> Vec<u8> {
    format!("From: a@sender.example\r\nTo: {to}\r\nSubject: hi\r\n\r\nhi\r\n").into_bytes()
}

#[test]
fn what_was_revoked_stays_revoked_with_older_tables() {
    let mut demo = Demo::fresh("older-identity");
    let words = ["app-password", "add", "aoi@example.jp", "--protocol", "imap", "--device", "lost"];
    let made = must(&demo, &words);
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(reads(&demo, secret));
    demo.stop();
    keep(&demo, "identity");
    let mut demo = demo.again();
    assert!(reads(&demo, secret));
    must(&demo, &["app-password", "revoke", id]);
    must(&demo, &["freeze", "haru@example.jp"]);
    assert!(!reads(&demo, secret));
    demo.stop();
    put_back(&demo, "identity");
    let mut demo = demo.again();
    within(PATIENCE, "the alarm", || alarms(&demo, OF_IDENTITY) > 0);
    assert!(!reads(&demo, secret), "a revoked secret read again");
    let haru: Account = demo.account("haru@example.jp");
    assert!(Reader::try_sign_in(&demo, &haru).is_err(), "a freeze was undone");
    // What it caught up with it knows: the next start is quiet.
    let before = alarms(&demo, OF_IDENTITY);
    demo.stop();
    let demo = demo.again();
    assert!(!reads(&demo, secret));
    assert!(reads(&demo, &demo.account("aoi@example.jp").imap));
    assert_eq!(alarms(&demo, OF_IDENTITY), before);
}

/// One row of the older copy among the newer ones: every note of a deed is as new as it was.
#[test]
fn a_revoked_row_put_back_by_itself_is_an_incident() {
    let mut demo = Demo::fresh("older-row");
    let words = ["app-password", "add", "aoi@example.jp", "--protocol", "imap", "--device", "lost"];
    let made = must(&demo, &words);
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    demo.stop();
    keep(&demo, "identity");
    let mut demo = demo.again();
    must(&demo, &["app-password", "revoke", id]);
    assert!(!reads(&demo, secret));
    demo.stop();
    let older = demo.data().with_file_name("older").join("identity.db");
    let newer = rusqlite::Connection::open(demo.data().join("identity/identity.db")).unwrap();
    newer.execute("ATTACH ?1 AS older", [older.to_str().unwrap()]).unwrap();
    let put_back = "REPLACE INTO main.app_password SELECT was.* FROM older.app_password was
                    JOIN main.app_password now USING (token) WHERE now.revoked AND NOT was.revoked";
    assert_eq!(newer.execute(put_back, []).unwrap(), 1);
    drop(newer);
    let demo = demo.again();
    assert!(reads(&demo, &demo.account("aoi@example.jp").imap));
    assert_eq!(alarms(&demo, OF_REVOKED), 0, "another secret of the same person");
    // The row is as good as any other, but who comes in by it may be thrown out before they read.
    let _ = reads(&demo, secret);
    within(PATIENCE, "the alarm", || alarms(&demo, OF_REVOKED) > 0);
    within(PATIENCE, "the freeze", || !reads(&demo, secret));
    assert_eq!(alarms(&demo, OF_IDENTITY), 0);
}

#[test]
fn mail_waits_where_the_directory_is_older() {
    let mut demo = Demo::fresh("older-directory");
    demo.stop();
    keep(&demo, "directory");
    let mut demo = demo.again();
    let new = "newer@example.jp";
    must(&demo, &["user", "add", new, "--tenant", "Example Japan"]);
    assert_eq!(deliver(&demo.port("smtp"), &[new], &letter(new)).code, 250);
    demo.stop();
    put_back(&demo, "directory");
    let mut demo = demo.again();
    within(PATIENCE, "the alarm", || alarms(&demo, OF_DIRECTORY) > 0);
    for to in [new, "aoi@example.jp", "somebody@new.example"] {
        let code = deliver(&demo.port("smtp"), &[to], &letter(to)).code;
        assert!((400..500).contains(&code), "{to}: {code}");
    }
    let (value, code) = demo.ask(&["user", "add", "late@example.jp", "--tenant", "Example Japan"]);
    assert_eq!(code, 1, "{value}");
    assert!(value.to_string().contains("acknowledge-loss"), "{value}");
    let done = must(&demo, &["ledger", "acknowledge-loss"]);
    assert_eq!(done["items"][0]["whose"], "directory", "{done}");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &letter("aoi")).code, 250);
    assert_eq!(deliver(&demo.port("smtp"), &[new], &letter(new)).code, 550);
    must(&demo, &["user", "add", "late@example.jp", "--tenant", "Example Japan"]);
    assert_eq!(demo.ask(&["ledger", "acknowledge-loss"]).1, 1, "once");
    let before = alarms(&demo, OF_DIRECTORY);
    demo.stop();
    let demo = demo.again();
    assert_eq!(deliver(&demo.port("smtp"), &["late@example.jp"], &letter("late")).code, 250);
    assert_eq!(alarms(&demo, OF_DIRECTORY), before);
    assert!(must(&demo, &["ledger", "verify"])["losses"].is_null());
}

/// The vault's folder, or the one file that holds its keys: what was closed stays closed.
#[test]
fn a_sealed_tenant_stays_sealed_with_an_older_vault() {
    let mut demo = Demo::fresh("older-vault");
    let body = letter("aoi@example.jp");
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &body).code, 250);
    for act in ["seal", "unseal"] {
        must(&demo, &["keys", act, "--tenant", "Example Japan"]);
    }
    demo.stop();
    keep(&demo, "vault");
    let mut demo = demo.again();
    must(&demo, &["keys", "seal", "--tenant", "Example Japan"]);
    demo.stop();
    put_back(&demo, "vault");
    let mut demo = demo.again();
    within(PATIENCE, "the alarm", || alarms(&demo, OF_VAULT) > 0);
    let is_sealed =
        |demo: &Demo| must(demo, &["tenant", "show", "Example Japan"])["sealed"] == true;
    assert!(is_sealed(&demo));
    assert!(!opens(&demo), "a sealed tenant's mail opened");
    // Mail arrives all the same, and the next start is quiet.
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], &body).code, 250);
    let before = alarms(&demo, OF_VAULT);
    demo.stop();
    let demo = demo.again();
    assert!(is_sealed(&demo) && !opens(&demo));
    must(&demo, &["keys", "unseal", "--tenant", "Example Japan"]);
    assert!(opens(&demo));
    assert_eq!(alarms(&demo, OF_VAULT), before);
}

fn count(sink: &Sink, subject: &str) -> usize {
    sink.came().iter().filter(|came| came.field("Subject").as_deref() == Some(subject)).count()
}

/// Its id in the queue, where it waits.
fn handed_in(demo: &Demo, subject: &str) -> String {
    let before = waiting(demo);
    hand_in(demo, subject);
    waiting(demo).into_iter().find(|id| !before.contains(id)).expect("it waits")
}

fn hand_in(demo: &Demo, subject: &str) {
    let (from, to) = ("aoi@example.jp", "friend@outside.example");
    let octets = letter_of(from, to, subject, "");
    let reply = signed_in(demo, from).letter(from, &[to], &octets).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
}

fn waiting(demo: &Demo) -> Vec<String> {
    let list = must(demo, &["queue", "list"]);
    let items = list["items"].as_array().into_iter().flatten();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// What left leaves no second time, what was called back does not leave, and what is gone is named.
#[test]
fn an_older_post_sends_nothing_twice() {
    let (mut demo, sink) = with_sink("older-post");
    let delayed = |demo: &Demo, seconds: &str| {
        must(demo, &["tenant", "set", "Example Japan", "--send-delay", seconds]);
    };
    delayed(&demo, "30");
    handed_in(&demo, "leaves once");
    let called_back = handed_in(&demo, "called back");
    demo.stop();
    keep(&demo, "post");
    let mut demo = demo.again();
    must(&demo, &["queue", "cancel", &called_back]);
    sink.wait_for_subject("leaves once");
    delayed(&demo, "600");
    let is_gone = handed_in(&demo, "is gone");
    within(PATIENCE, "the ledger knows all", || {
        must(&demo, &["status"])["mailbox"]["pending_evidence"] == 0
    });
    demo.stop();
    put_back(&demo, "post");
    let mut demo = demo.again();
    within(PATIENCE, "the alarm", || alarms(&demo, OF_POST) > 0);
    let (told, _) = demo.ask(&ALARM);
    let told = told.to_string();
    assert!(told.contains("1 letters had left") && told.contains("1 are held"), "{told}");
    assert!(told.contains(&is_gone), "{is_gone} is gone: {told}");
    assert_eq!(waiting(&demo), [called_back.clone()]);
    assert_eq!(must(&demo, &["queue", "show", &called_back])["state"], "held");
    let trace = must(&demo, &["queue", "show", &is_gone]);
    assert_eq!(trace["state"], "not-sent", "{trace}");
    // Mail leaves as ever, and the time of both is over.
    delayed(&demo, "0");
    hand_in(&demo, "leaves as ever");
    sink.wait_for_subject("leaves as ever");
    assert_eq!((count(&sink, "leaves once"), count(&sink, "called back")), (1, 0));
    let before = alarms(&demo, OF_POST);
    demo.stop();
    let demo = demo.again();
    hand_in(&demo, "leaves again");
    sink.wait_for_subject("leaves again");
    assert_eq!(alarms(&demo, OF_POST), before, "once");
    assert_eq!((count(&sink, "leaves once"), count(&sink, "called back")), (1, 0));
}

fn uid_validity(demo: &Demo) -> u64 {
    let mut reader = Reader::sign_in(demo, "aoi@example.jp");
    let answer = reader.must("STATUS INBOX (UIDVALIDITY)");
    let text = answer.text();
    let digits = text.split("UIDVALIDITY").nth(1).unwrap();
    let digits: String = digits
        .chars()
        .skip_while(|one| !one.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap()
}

/// Mail is taken and read, and everybody who asks hears what is missing, until somebody knows.
#[test]
fn an_older_mailbox_says_what_it_lacks() {
    let mut demo = Demo::fresh("older-mailbox");
    let (to, smtp) = ("aoi@example.jp", demo.port("smtp"));
    assert_eq!(deliver(&smtp, &[to], &letter(to)).code, 250);
    let before = uid_validity(&demo);
    demo.stop();
    keep(&demo, "mailbox");
    let mut demo = demo.again();
    for _ in 0..2 {
        assert_eq!(deliver(&smtp, &[to], &letter(to)).code, 250);
    }
    demo.stop();
    put_back(&demo, "mailbox");
    let mut demo = demo.again();
    within(PATIENCE, "the alarm", || alarms(&demo, OF_MAILBOX) == 1);
    assert!(uid_validity(&demo) > before, "numbers that were another letter's");
    let (status, code) = demo.ask(&["status"]);
    assert_eq!(code, 1, "{status}");
    let lacks = status["unable"].to_string();
    assert!(lacks.contains("mailbox") && lacks.contains("2 messages"), "{lacks}");
    let (doctor, code) = demo.ask(&["doctor"]);
    assert!(code == 1 && doctor.to_string().contains(OF_MAILBOX), "{doctor}");
    assert_eq!(deliver(&smtp, &[to], &letter(to)).code, 250);
    assert!(opens(&demo));
    demo.stop();
    let mut demo = demo.again();
    within(PATIENCE, "the alarm of the next start", || alarms(&demo, OF_MAILBOX) == 2);
    let done = must(&demo, &["ledger", "acknowledge-loss"]);
    assert_eq!(done["items"][0]["whose"], "mailbox", "{done}");
    assert_eq!(demo.ask(&["ledger", "acknowledge-loss"]).1, 1, "once");
    must(&demo, &["status"]);
    demo.stop();
    let demo = demo.again();
    assert!(opens(&demo));
    assert_eq!(alarms(&demo, OF_MAILBOX), 2);
    assert!(must(&demo, &["ledger", "verify"])["losses"].is_null());
}

/// The logs, and all that remembers them, are older together; the mail is of today.
#[test]
fn an_older_log_is_told_by_the_mailbox() {
    let mut demo = Demo::fresh("older-log");
    let (to, smtp) = ("aoi@example.jp", demo.port("smtp"));
    assert_eq!(deliver(&smtp, &[to], &letter(to)).code, 250);
    demo.stop();
    let mut beside = demo.data().as_os_str().to_owned();
    beside.push(".seen");
    let sighted = demo.data().join("vault/sighted");
    let [own, mirror, seen] = ["ledger", "mirror", "seen"].map(|name| demo.data().join(name));
    let all: [PathBuf; 5] = [own, mirror, seen, sighted, beside.into()];
    let all: Vec<PathBuf> = all.into_iter().filter(|path| path.exists()).collect();
    let kept = |number: usize| demo.data().with_file_name(format!("older-log-kept-{number}"));
    let kept: Vec<PathBuf> = (0..all.len()).map(kept).collect();
    for (from, to) in all.iter().zip(&kept) {
        copy(from, to);
    }
    let mut demo = demo.again();
    assert_eq!(deliver(&smtp, &[to], &letter(to)).code, 250);
    // Shown under a cosigned checkpoint, and noted beside the next letter.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(deliver(&smtp, &[to], &letter(to)).code, 250);
    demo.stop();
    for (to, from) in all.iter().zip(&kept) {
        let _ = std::fs::remove_file(to);
        copy(from, to);
        let _ = std::fs::remove_dir_all(from);
        let _ = std::fs::remove_file(from);
    }
    let demo = demo.again();
    within(PATIENCE, "the alarm", || alarms(&demo, OF_LOG) > 0);
}

/// However the house dies under load, no table looks older than it is.
#[test]
fn kills_make_no_tables_older() {
    let mut demo = Demo::fresh("older-kills");
    let (is_over, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..6)
        .map(|_| {
            let (smtp, is_over, taken) = (demo.port("smtp"), is_over.clone(), taken.clone());
            std::thread::spawn(move || {
                let to = ["aoi@example.jp", "haru@example.jp"];
                while !is_over.load(Ordering::SeqCst) {
                    let sent = Sender::connect(&smtp).and_then(|mut sender| {
                        sender.ask("EHLO sender.example")?;
                        sender.letter("a@sender.example", &to, &letter(to[0]))
                    });
                    match sent {
                        Ok(reply) if reply.code == 250 => {
                            let _ = taken.fetch_add(1, Ordering::SeqCst);
                        }
                        _ => std::thread::sleep(Duration::from_millis(50)),
                    }
                }
            })
        })
        .collect();
    for number in 0..KILLS {
        let before = taken.load(Ordering::SeqCst);
        within(Duration::from_secs(60), "letters pass", || {
            taken.load(Ordering::SeqCst) > before + 20 + number * 3
        });
        demo = kill_all(demo);
    }
    is_over.store(true, Ordering::SeqCst);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    demo.stop();
    let demo = demo.again();
    let told = must(&demo, &["alarms", "list"]).to_string();
    assert!(!told.contains("older"), "{told}");
    let (status, _) = demo.ask(&["status"]);
    assert_eq!(status["unable"], serde_json::json!([]), "{status}");
    println!("{} letters", taken.load(Ordering::SeqCst));
}

/// A record as somebody makes it who knows the file and has not the root: the newest seal, lifted.
fn lifting(keys: &[u8]) -> Vec<u8> {
    // Head, then length, short sum, sum, row: kind, tenant, whether it is sealed.
    let (mut rest, mut found) = (&keys[64..], None);
    while rest.len() > 28 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let row = &rest[28..28 + length];
        found = (row.first() == Some(&5) && row.len() == 10).then(|| row.to_vec()).or(found);
        rest = &rest[28 + length..];
    }
    let mut row = found.expect("a seal");
    assert_eq!(row.pop(), Some(1));
    row.push(0);
    // Both halves of this sum are the same.
    let short = Sha256::digest(&row);
    [&(row.len() as u32).to_be_bytes()[..], &short[..8], &[7; 16], &row].concat()
}

#[test]
fn a_record_that_lifts_a_seal_is_nobody_s() {
    let mut demo = Demo::fresh("older-forged");
    let (to, body) = ("aoi@example.jp", letter("aoi@example.jp"));
    assert_eq!(deliver(&demo.port("smtp"), &[to], &body).code, 250);
    must(&demo, &["keys", "seal", "--tenant", "Example Japan"]);
    demo.stop();
    demo.keep_folder();
    let (wishes, ready) = (demo.wishes.clone(), demo.ready.clone());
    drop(demo);
    let keys = wishes.data.join("vault/keys");
    let whole = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, [whole.clone(), lifting(&whole)].concat()).unwrap();
    let mut demo = Demo::spawn(wishes).unwrap();
    demo.ready = ready;
    within(PATIENCE, "the alarm", || alarms(&demo, OF_FORGED) > 0);
    within(PATIENCE, "mail is put off", || deliver(&demo.port("smtp"), &[to], &body).code == 451);
    for words in ["doctor", "status"] {
        let (told, code) = demo.ask(&[words]);
        assert!(code == 1 && told.to_string().contains(OF_FORGED), "{words}: {told}");
    }
    let account = demo.account(to);
    assert!(Reader::try_sign_in(&demo, &account).is_err(), "somebody came in");
    // The right file is put back: the house goes on by itself, and what was sealed is.
    std::fs::write(&keys, whole).unwrap();
    within(PATIENCE, "mail again", || deliver(&demo.port("smtp"), &[to], &body).code == 250);
    within(PATIENCE, "the vault's word", || demo.ask(&["status"]).1 == 0);
    assert!(must(&demo, &["tenant", "show", "Example Japan"])["sealed"] == true);
    assert!(!opens(&demo), "a sealed tenant's mail opened");
    must(&demo, &["keys", "unseal", "--tenant", "Example Japan"]);
    assert!(opens(&demo));
}
