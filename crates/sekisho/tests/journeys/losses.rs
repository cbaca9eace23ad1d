//! What somebody took from both logs while the house stood still: a failure, until those who
//! decide say that they know. Then the house counts as whole, and the loss stays told.

use super::contracts::approved;
use super::house::{Demo, plainly, within};
use super::post::deliver;
use super::reader::{Answer, Reader};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const VERIFY: [&str; 2] = ["ledger", "verify"];
const KNOW: [&str; 2] = ["ledger", "acknowledge-loss"];

/// Whoever holds the disk cuts both logs below what was cosigned, with all that was opened lately.
fn cut(demo: &mut Demo) {
    let mut reader = Reader::inbox(demo, "aoi@example.jp");
    reader.must("NOOP");
    drop(reader);
    within(PATIENCE, "the end of the session", || demo.ask(&VERIFY).1 == 0 || is_missing(demo));
    demo.stop();
    for log in ["ledger/log", "mirror/log"] {
        let log = std::fs::File::options().write(true).open(demo.data().join(log)).unwrap();
        log.set_len(log.metadata().unwrap().len() - 6_000).unwrap();
    }
    assert_eq!(demo.ask(&VERIFY).1, 1, "noticed while it stands still");
}

fn is_missing(demo: &Demo) -> bool {
    !demo.ask(&VERIFY).0["missing"].as_array().unwrap().is_empty()
}

fn notes(value: &Value) -> String {
    value["notes"].to_string()
}

/// Whether stored mail opens for its reader.
fn opens(demo: &Demo) -> bool {
    let mut reader = Reader::sign_in(demo, "aoi@example.jp");
    let is_ok = |answer: std::io::Result<Answer>| answer.ok().filter(Answer::is_ok);
    let selected = is_ok(reader.ask("SELECT INBOX"));
    let read = selected.and_then(|_| is_ok(reader.ask("UID FETCH 1:* (BODY.PEEK[])")));
    read.is_some_and(|answer| !answer.literals().is_empty())
}

fn losses(demo: &Demo) -> Vec<Value> {
    let (status, _) = demo.ask(&["status"]);
    status["losses"].as_array().cloned().unwrap_or_default()
}

/// What `doctor` holds against this house, in which much else is weakened.
fn is_held_against(demo: &Demo) -> bool {
    demo.ask(&["doctor"]).0["weakened"].to_string().contains("were cosigned with the root")
}

/// Whoever may speak to the house by hand asks that a loss that never was be acknowledged.
fn make_one_up(demo: &Demo) -> String {
    let request = json!({
        "command": "acknowledge-loss",
        "whose": "both",
        "size": 99_999_999,
        "root": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "asking": { "reason": "none there" },
    });
    let mut line = UnixStream::connect(demo.data().join("admin.sock")).unwrap();
    writeln!(line, "{request}").unwrap();
    let mut answer = String::new();
    BufReader::new(line).read_line(&mut answer).unwrap();
    answer
}

/// Whoever asks what was seen, or who touched what, hears that a part of the evidence is gone.
fn every_scope_tells(demo: &Demo) {
    let data = demo.data().display().to_string();
    let wide = ["--component", "access", "--from", "0", "--to", "9999999999999"];
    for more in [&[][..], &["--people"], &["--messages"], &["--statement"], &["--recheck"]] {
        let mut words = [&["scope"][..], &wide, &["--data", &data]].concat();
        words.extend(more);
        for (locale, lost, bound) in [
            ("en_US.UTF-8", "entries lost (acknowledged): up to ", "lower bound"),
            ("ja_JP.UTF-8", "失われた証跡（承知ずみ）: ", "下限"),
        ] {
            let (told, _, code) = plainly(&words, locale);
            assert_eq!(code, 0, "{told}");
            assert!(told.contains(lost) && told.contains(bound), "{words:?}: {told}");
            assert!(!told.contains("exact") && !told.contains("contained: yes"), "{told}");
            assert!(!told.contains("開示は正確") && !told.contains("封じ込め: はい"), "{told}");
        }
        let mut words = [&["scope"][..], &wide].concat();
        words.extend(more);
        if !more.iter().any(|word| matches!(*word, "--people" | "--messages")) {
            let (value, code) = demo.ask(&words);
            assert_eq!((code, &value["lower_bound"]), (0, &json!(true)), "{value}");
            assert_eq!(value["verified"], false, "{value}");
            let loss = &value["losses"][0];
            assert!(loss["entries"].as_u64() > Some(0) && loss["to"].is_string(), "{value}");
        }
    }
    let (value, _) = demo.ask(&["touched", "--person", "aoi@example.jp"]);
    assert_eq!(value["lower_bound"], true, "{value}");
    assert!(value["losses"][0]["acknowledged_at"].is_string(), "{value}");
    let words = ["touched", "--person", "aoi@example.jp", "--lang", "en", "--data", &data];
    let (told, _, _) = plainly(&words, "en_US.UTF-8");
    assert!(told.contains("entries lost (acknowledged)") && told.contains("lower bound"), "{told}");
    // From the mirror alone, by whoever trusts nobody here.
    let mirror = demo.data().join("mirror").display().to_string();
    let words = [&["scope", &*mirror][..], &wide, &["--lang", "en"]].concat();
    let told = verifier::answer(words.into_iter().map(str::to_owned).collect()).text;
    assert!(told.contains("entries lost (acknowledged)") && told.contains("lower bound"), "{told}");
    assert!(!told.contains("exact"), "{told}");
}

#[test]
fn what_was_lost_is_acknowledged_and_stays_told() {
    let mut demo = Demo::fresh("loss");
    assert_eq!(demo.ask(&KNOW).1, 1, "nothing is lost");
    let letter = b"From: a@sender.example\r\nTo: aoi@example.jp\r\nSubject: kept\r\n\r\nhi\r\n";
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], letter).code, 250);
    within(PATIENCE, "a letter that opens", || opens(&demo));
    assert!(losses(&demo).is_empty() && !is_held_against(&demo));
    cut(&mut demo);
    let demo = demo.again();
    let (found, code) = demo.ask(&VERIFY);
    assert_eq!(code, 1, "{found}");
    assert!(!found["missing"].as_array().unwrap().is_empty(), "{found}");
    assert!(losses(&demo).iter().all(|one| one["acknowledged"].is_null()));
    assert!(!losses(&demo).is_empty() && is_held_against(&demo));
    // The house runs, and whoever asks how it is learns that, too.
    for word in ["status", "doctor"] {
        let (told, code) = demo.ask(&[word]);
        assert_eq!(code, 3, "{word}: {told}");
        let error = told["error"].as_str().unwrap();
        assert!(error.contains("not whole") && told["hint"].is_string(), "{word}: {told}");
        assert!(!told["incomplete"][0].is_null(), "{word}: {told}");
    }
    // Nothing opens: what is missing may be the record of what was opened.
    assert!(!opens(&demo), "a letter opened over lost evidence");
    let refused = make_one_up(&demo);
    assert!(refused.contains("a loss of which a statement is kept"), "{refused}");
    assert!(demo.ask(&VERIFY).1 == 1 && is_held_against(&demo), "it excused nothing");
    // One operator, where one decides: at once, and marked.
    let (known, code) = demo.ask(&KNOW);
    assert_eq!(code, 0, "{known}");
    assert_eq!(known["items"][0]["weakened"], "single-operator", "{known}");
    let (found, code) = demo.ask(&VERIFY);
    assert_eq!((code, found["ok"].as_bool()), (0, Some(true)), "{found}");
    assert!(notes(&found).contains("lost entries") && notes(&found).contains("one operator alone"));
    // Each by itself, with its own size and root.
    for one in known["items"].as_array().unwrap() {
        let (size, root) = (&one["size"], one["root"].as_str().unwrap());
        let told = format!("lost entries, of {size} with the root {root}: acknowledged at ");
        assert!(notes(&found).contains(&told), "{one}: {found}");
    }
    within(PATIENCE, "mail opens again", || opens(&demo));
    assert!(losses(&demo).iter().all(|one| one["acknowledged"]["at"].is_string()));
    assert!(!losses(&demo).is_empty() && !is_held_against(&demo));
    let (status, code) = demo.ask(&["status"]);
    assert!(code == 0 && status["incomplete"].is_null(), "{status}");
    assert_eq!(demo.ask(&KNOW).1, 1, "there is no more to say");
    every_scope_tells(&demo);
    let entries = demo.entries();
    let said: Vec<&Value> =
        entries.iter().filter(|one| one["entry"] == "loss.acknowledged").collect();
    assert!(said.iter().all(|one| one["weakened"] == "single-operator"), "{said:?}");
    let alarms = |demo: &Demo| {
        let (list, _) = demo.ask(&["alarms", "list"]);
        let items = list["items"].as_array().unwrap().clone();
        items.iter().filter(|one| one["what"].to_string().contains("were cosigned")).count()
    };
    let before = alarms(&demo);
    assert!(before > 0);
    // It is whole after a start, too, and nobody is alarmed about it again.
    let mut demo = demo.again();
    let (found, code) = demo.ask(&VERIFY);
    assert_eq!(code, 0, "{found}");
    assert!(notes(&found).contains("acknowledged"), "{found}");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(alarms(&demo), before);
    let wide = ["scope", "--component", "edge", "--from", "0", "--to", "9999999999999"];
    assert_eq!(demo.ask(&wide).1, 0, "what readers saw before is no obstacle");
    // Another loss is another failure.
    cut(&mut demo);
    let demo = demo.again();
    let (found, code) = demo.ask(&VERIFY);
    assert_eq!(code, 1, "{found}");
    assert!(is_held_against(&demo));
}

/// Ledger, mirror, and what the house and its readers remember of them.
fn evidence_of(demo: &Demo) -> [std::path::PathBuf; 4] {
    let data = demo.data().to_owned();
    let mut beside = data.clone().into_os_string();
    beside.push(".seen");
    [data.join("ledger"), data.join("mirror"), data.join("seen"), beside.into()]
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// An older copy of all evidence together is whole in itself. What opened mail meanwhile knows that
/// there was more.
#[test]
fn evidence_that_is_put_back_whole_is_older_than_what_was_opened() {
    let mut demo = Demo::fresh("older");
    let letter = b"From: a@sender.example\r\nTo: aoi@example.jp\r\nSubject: kept\r\n\r\nhi\r\n";
    assert_eq!(deliver(&demo.port("smtp"), &["aoi@example.jp"], letter).code, 250);
    within(PATIENCE, "a letter that opens", || opens(&demo));
    demo.stop();
    let copies = super::house::folder("older-copies");
    std::fs::create_dir_all(&copies).unwrap();
    let there = evidence_of(&demo);
    let of = |place: &std::path::PathBuf| copies.join(place.file_name().unwrap());
    for place in there.iter().filter(|place| place.exists()) {
        copy(place, &of(place));
    }
    let mut demo = demo.again();
    within(PATIENCE, "a letter that opens", || opens(&demo));
    demo.stop();
    assert_eq!(demo.ask(&VERIFY).1, 0, "nothing is wrong yet");
    for place in &there {
        let _ = std::fs::remove_dir_all(place);
        let _ = std::fs::remove_file(place);
        if of(place).exists() {
            copy(&of(place), place);
        }
    }
    let (found, code) = demo.ask(&VERIFY);
    assert!(code == 1 && found.to_string().contains("vault/sighted"), "standing still: {found}");
    let demo = demo.again();
    assert_eq!(demo.ask(&VERIFY).1, 1);
    for word in ["status", "doctor"] {
        assert_eq!(demo.ask(&[word]).1, 3, "{word}");
    }
    assert!(!opens(&demo), "a letter opened over lost evidence");
    within(PATIENCE, "the alarm", || {
        demo.ask(&["alarms", "list"]).0.to_string().contains("were cosigned")
    });
    assert_eq!(demo.ask(&KNOW).1, 0);
    within(PATIENCE, "mail opens again", || opens(&demo));
    assert_eq!(demo.ask(&VERIFY).1, 0);
    // And it stays so.
    let demo = demo.again();
    assert_eq!(demo.ask(&VERIFY).1, 0);
    within(PATIENCE, "mail opens", || opens(&demo));
    let _ = std::fs::remove_dir_all(&copies);
}

#[test]
fn two_persons_acknowledge_what_was_lost() {
    let mut demo = Demo::fresh("loss-two");
    assert_eq!(demo.ask(&["approval", "mode", "two-persons"]).1, 0);
    cut(&mut demo);
    let demo = demo.again();
    let (refused, code) = demo.ask(&KNOW);
    assert_eq!(code, 1, "without a reason: {refused}");
    let refused = make_one_up(&demo);
    assert!(refused.contains("a loss of which a statement is kept"), "not even asked: {refused}");
    assert_eq!(demo.ask(&VERIFY).1, 1);
    let mut round = 0;
    while demo.ask(&VERIFY).1 == 1 {
        let done = approved(&demo, &KNOW);
        assert!(done["acknowledged"] == true && done["weakened"].is_null(), "{done}");
        round += 1;
        assert!(round <= 4, "{:?}", demo.ask(&VERIFY));
    }
    let (found, _) = demo.ask(&VERIFY);
    assert!(notes(&found).contains("request"), "{found}");
    // Both who agreed are named where people read.
    let data = demo.data().display().to_string();
    let (told, _, code) = plainly(&["ledger", "verify", "--data", &data], "en_US.UTF-8");
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("mina@example.jp") && told.contains("rei@example.jp"), "{told}");
    let (told, _, _) = plainly(&["ledger", "verify", "--data", &data], "ja_JP.UTF-8");
    assert!(told.contains("承知") && told.contains("mina@example.jp"), "{told}");
}
