//! Dovecot's imaptest against us, where one is at hand: its scripted groups, and its stress with
//! state tracking. How to get one, and what came out: `docs/imaptest.md`.

use super::house::{Account, Demo, folder, is_there};
use super::letters::letter;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The ways to stress: all of a mailbox shared by all clients, messages or flags with one owner
/// each, and the commands that are off unless asked for.
const STRESSES: &[&[&str]] =
    &[&[], &["own_msgs"], &["own_flags"], &["copybox=Archive", "SEARCH=30", "UIDFETCH=30"]];

/// `IMAPTEST`, or `imaptest` on the path.
fn program() -> Option<PathBuf> {
    match std::env::var_os("IMAPTEST") {
        Some(named) => Some(PathBuf::from(named)),
        None => is_there("imaptest").then(|| PathBuf::from("imaptest")),
    }
}

/// Whether it was content, and what it said.
fn run(program: &Path, demo: &Demo, who: &Account, words: &[String]) -> (bool, String) {
    let at = demo.port("imaps");
    let (host, port) = at.rsplit_once(':').unwrap();
    let output = Command::new(program)
        .args([&format!("host={host}"), &format!("port={port}"), "ssl=any-cert"])
        .args([&format!("user={}", who.address), &format!("pass={}", who.imap)])
        .args(words)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn imaptest_runs_its_scripts() {
    let Some(program) = program() else { return };
    let Some(tests) = std::env::var_os("IMAPTEST_TESTS") else {
        println!("absent: imaptest's scripts (IMAPTEST_TESTS)");
        return;
    };
    let demo = Demo::fresh("imaptest-scripts");
    let mina = demo.account("mina@example.jp");
    let files = std::fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    // Beside them lie their mail boxes, `NAME.mbox`.
    let mut groups: Vec<PathBuf> = files.filter(|path| path.extension().is_none()).collect();
    groups.sort();
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for group in groups {
        let name = group.file_name().unwrap().to_string_lossy().into_owned();
        let words = [format!("test={}", group.display())];
        let (is_content, said) = run(&program, &demo, &mina, &words);
        if !is_content || said.contains("Error: ") {
            failed.push(format!("{name}\n{said}"));
        } else if said.contains(" 1 skipped") {
            println!("skipped: {name}");
            skipped += 1;
        } else {
            passed += 1;
        }
    }
    println!("imaptest: {passed} groups passed, {skipped} ask for what is not announced");
    assert!(failed.is_empty() && passed > 0, "{}", failed.join("\n"));
}

#[test]
fn imaptest_stresses_with_its_own_memory() {
    let Some(program) = program() else { return };
    let seconds = std::env::var("IMAPTEST_SECONDS").unwrap_or_else(|_| "10".to_owned());
    let demo = Demo::fresh("imaptest-stress");
    let mina = demo.account("mina@example.jp");
    let home = folder("imaptest-mbox");
    let mbox = home.join("mbox");
    let one = |number| {
        let letter = letter(&format!("imaptest {number}"), &"a line\r\n".repeat(number));
        let letter = String::from_utf8(letter).unwrap().replace("\r\n", "\n");
        format!("From x@y  Fri Feb 22 17:06:{:02} 2008\n{letter}\n", number % 60)
    };
    std::fs::write(&mbox, (0..200).map(one).collect::<String>()).unwrap();
    for (seed, stress) in STRESSES.iter().enumerate() {
        let mut words = vec![format!("mbox={}", mbox.display()), format!("secs={seconds}")];
        words.extend(["clients=5".to_owned(), "checkpoint=2".to_owned(), format!("seed={seed}")]);
        words.extend(stress.iter().map(|word| (*word).to_owned()));
        let (is_content, said) = run(&program, &demo, &mina, &words);
        assert!(is_content && !said.contains("Error: "), "{stress:?}\n{said}");
        println!("stood {seconds} s of {stress:?}");
    }
    let _ = std::fs::remove_dir_all(home);
}
