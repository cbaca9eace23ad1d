//! A house one of whose parts cannot start: it opens its doors, says what is wrong, and goes on by
//! itself when that is mended.

use super::house::{Demo, plainly, within};
use super::letters::letter;
use super::post::Sender;
use super::reader::Reader;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const TO: &str = "aoi@example.jp";
const FROM: &str = "carol@sender.example";

/// What a client is answered that was greeted: the last reply's code, and its words.
fn offered(at: &str, number: usize) -> Option<(u16, String)> {
    let mut sender = Sender::connect(at).ok()?;
    sender.ask("EHLO sender.example").ok()?;
    let sent = letter(&format!("letter {number}"), "while something is broken");
    let reply = sender.letter(FROM, &[TO], &sent).ok()?;
    Some((reply.code, format!("{reply:?}")))
}

fn allow(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// Starts a house in which `kind` cannot read its `file`: mail is answered `code`, nobody reads,
/// everybody is told, and all goes on once the file may be read again.
fn check(kind: &str, file: &str, code: u16) {
    check_without(kind, file, code, (&|file| allow(file, 0), &|file| allow(file, 0o600)));
}

/// The same, with what happens to the file, and what mends it.
fn check_without(kind: &str, file: &str, code: u16, acts: (&dyn Fn(&Path), &dyn Fn(&Path))) {
    let (harm, mend) = acts;
    let mut demo = Demo::fresh(&format!("unable-{kind}"));
    within(Duration::from_secs(40), "a letter", || {
        offered(&demo.port("smtp"), 0).is_some_and(|(code, _)| code == 250)
    });
    demo.stop();
    demo.keep_folder();
    let (wishes, ready) = (demo.wishes.clone(), demo.ready.clone());
    drop(demo);
    let file = wishes.data.join(kind).join(file);
    harm(&file);
    let mut demo = Demo::spawn(wishes).unwrap();
    demo.ready = ready;
    let mut last = None;
    within(Duration::from_secs(60), "the expected answer", || {
        last = offered(&demo.port("smtp"), 1);
        last.as_ref().is_some_and(|(found, _)| *found == code)
    });
    println!("{kind} cannot start: {last:?}");
    nobody_reads(&demo);
    everybody_is_told(&demo, kind);
    mend(&file);
    within(Duration::from_secs(40), "reading again", || {
        Reader::try_sign_in(&demo, &demo.account(TO)).is_ok()
    });
    within(Duration::from_secs(40), "a letter again", || {
        offered(&demo.port("smtp"), 2).is_some_and(|(code, _)| code == 250)
    });
    let mut reader = Reader::inbox(&demo, TO);
    let kept = reader.whole("INBOX");
    let has = |number: usize| {
        let subject = format!("letter {number}");
        kept.iter().any(|one| String::from_utf8_lossy(one).contains(&subject))
    };
    assert!(has(0) && has(2) && has(1) == (code == 250), "{}", kept.len());
    within(Duration::from_secs(30), "a house that is well", || demo.ask(&["status"]).1 == 0);
    assert!(demo.said().contains(&format!("{kind} serves again")), "{}", demo.said());
    assert_eq!(demo.ask(&["ledger", "verify"]).1, 0);
}

fn nobody_reads(demo: &Demo) {
    let account = demo.account(TO);
    within(Duration::from_secs(40), "a clear answer to who would read", || {
        let answer = Reader::connect(&demo.port("imaps"), &demo.authority())
            .and_then(|mut reader| reader.ask(&format!("LOGIN {TO} {}", account.imap)));
        match answer {
            Ok(answer) => {
                assert!(answer.end.starts_with("NO [UNAVAILABLE]"), "{answer:?}");
                true
            }
            // Without the vault there is no key for TLS.
            Err(fault) => {
                println!("who would read is told {fault}");
                demo.ask(&["status"]).0["vault"].is_null()
            }
        }
    });
}

fn everybody_is_told(demo: &Demo, kind: &str) {
    let mut told = (serde_json::Value::Null, 0);
    let part = |told: &serde_json::Value| told["service"]["unable"][0].clone();
    within(Duration::from_secs(60), "doctor says it", || {
        told = demo.ask(&["doctor"]);
        part(&told.0)["component"] == kind
    });
    let what = part(&told.0)["what"].as_str().unwrap().to_owned();
    assert!(told.1 != 0 && told.0["weakened"].to_string().contains(&what), "{}", told.0);
    assert!(what.starts_with(&format!("{kind} cannot start: ")), "{what}");
    let is_gone = what.contains("it is not there, and what lies beside it was made with it");
    let is_damaged = what.contains("`vault/keys` is damaged: expected a record with its sum");
    let is_barred = what.contains("could not") && what.contains("Permission denied");
    assert!(is_gone || is_damaged && what.contains("sekisho restore") || is_barred, "{what}");
    assert!(what.contains("nobody can read"), "{what}");
    assert!(demo.said().contains(&what), "{}", demo.said());
    // What was found of the evidence before the start is said there, and by `doctor`.
    let key = demo.data().join("mirror/key");
    let is_wide = fs::metadata(&key).is_ok_and(|about| about.permissions().mode() & 0o077 != 0);
    for told in [demo.said(), told.0["weakened"].to_string()] {
        assert_eq!(told.contains("mirror/key` has the mode 0644"), is_wide, "{told}");
    }
    let data = demo.data().to_str().unwrap();
    let begun = Instant::now();
    let (shown, _, code) = plainly(&["status", "--data", data], "ja_JP.UTF-8");
    // Whoever is silent is named, and not waited for one after the other.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let away = demo.ask(&["status"]).0["away"].clone();
    assert!(away.as_array().is_some_and(|all| all.contains(&kind.into())), "{away}");
    assert!(code != 0 && shown.contains(&format!("{kind} を起動できません: ")), "{shown}");
    let why = match (is_gone, is_damaged) {
        (true, _) => "隣にあるものはこの鍵で作られています",
        (_, true) => "`vault/keys` が壊れています",
        _ => "権限がありません",
    };
    assert!(shown.contains(why) && !shown.contains("cannot start"), "{shown}");
}

#[test]
fn a_mirror_that_cannot_start_stops_reading_alone() {
    check("mirror", "key", 250);
}

#[test]
fn a_ledger_that_cannot_start_stops_reading_alone() {
    check("ledger", "key", 250);
}

/// No other key is made in its place, and another one that is put there is refused.
#[test]
fn a_ledger_without_its_key_stops_reading_alone() {
    let aside = |file: &Path| file.with_file_name("../ledger-key-aside");
    let harm = |file: &Path| {
        fs::rename(file, aside(file)).unwrap();
        let mirrors = file.with_file_name("../mirror/key");
        allow(&mirrors, 0o644);
    };
    let mend = |file: &Path| {
        assert!(!file.exists(), "a new key");
        let known = file.with_file_name("key.pub");
        let before = fs::read(&known).unwrap();
        fs::write(file, [9; 32]).unwrap();
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(fs::read(&known).unwrap(), before);
        fs::remove_file(file).unwrap();
        fs::rename(aside(file), file).unwrap();
    };
    check_without("ledger", "key", 250, (&harm, &mend));
}

#[test]
fn a_vault_that_cannot_start_puts_mail_off() {
    check("vault", "keys", 451);
}

/// One octet of its keys: the house opens its doors, and says which file, where, and what helps.
#[test]
fn a_vault_whose_keys_are_damaged_puts_mail_off() {
    let flip = |file: &Path| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    check_without("vault", "keys", 451, (&flip, &flip));
}
