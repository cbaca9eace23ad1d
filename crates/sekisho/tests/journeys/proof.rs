//! No reading without evidence, and evidence says exactly what was read. Architecture §5 and §7.

use super::house::{Demo, command, signal, within};
use super::letters::{assert_whole, letter};
use super::post::{Sender, deliver};
use super::reader::Reader;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Architecture §7: never silence.
const ANSWER: Duration = Duration::from_secs(10);
/// Everything heals by itself: a back-off of 2 s at most, and some patience for a busy machine.
const HEALING: Duration = Duration::from_secs(30);

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// Reads one message it has not read before: `true` when it came, `false` for the clear answer.
/// Silence beyond ten seconds fails the journey.
fn try_read(demo: &Demo, number: usize) -> bool {
    let started = Instant::now();
    let read = || -> std::io::Result<bool> {
        let mut reader = Reader::try_sign_in(demo, &demo.account("aoi@example.jp"))?;
        reader.ask("SELECT INBOX")?;
        let answer = reader.ask(&format!("FETCH {number} BODY.PEEK[]"))?;
        let is_clear = answer.end.starts_with("NO [UNAVAILABLE]") || answer.is_ok();
        assert!(is_clear, "{}", answer.text());
        Ok(answer.is_ok() && !answer.literals().is_empty())
    };
    let is_read = read().unwrap_or(false);
    let took = started.elapsed();
    // Sign-in and reading are two commands, and each has its ten seconds.
    assert!(took < ANSWER * 2, "answered after {took:?}");
    is_read
}

/// The same in a session that stood before, with each answer measured.
fn check_unavailable(reader: &mut Reader, number: usize) {
    let started = Instant::now();
    let said = match reader.ask(&format!("FETCH {number} BODY.PEEK[]")) {
        Ok(answer) => {
            assert!(answer.literals().is_empty(), "read without evidence: {}", answer.text());
            answer.text()
        }
        Err(_) => "BYE".to_owned(),
    };
    let took = started.elapsed();
    assert!(took < ANSWER, "answered after {took:?}");
    assert!(said.contains("NO [UNAVAILABLE]") || said.contains("BYE"), "{said}");
}

/// Letters with these numbers in aoi's mailbox.
fn send(demo: &Demo, numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let letters = numbers.map(|number| letter(&format!("number {number}"), "to be read once"));
    let all: Vec<_> = letters.collect();
    for sent in &all {
        let reply = sender.letter("carol@sender.example", &["aoi@example.jp"], sent).unwrap();
        assert_eq!(reply.code, 250, "{reply:?}");
    }
    all
}

#[test]
fn a_silent_mirror_stops_reading_only() {
    let demo = Demo::fresh("mirror");
    send(&demo, 0..3);
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    reader.must("FETCH 1 BODY.PEEK[]");
    let mirror = demo.pid_of("mirror");
    signal(mirror, Signal::STOP);
    check_unavailable(&mut reader, 2);
    let sent = letter("while it is silent", "arrival goes on");
    let reply = deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent);
    assert_eq!(reply.code, 250, "{reply:?}");
    assert!(!try_read(&demo, 3), "read without evidence");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(demo.pid_of("mirror"), mirror, "a silent mirror is never restarted");
    signal(mirror, Signal::CONT);
    within(HEALING, "reading goes on after SIGCONT", || try_read(&demo, 2));
    let mut reader = Reader::sign_in(&demo, "aoi@example.jp");
    assert_whole(reader.whole("INBOX").last().unwrap(), &sent);
    assert_eq!(demo.ask(&["ledger", "verify"]).1, 0);
}

/// Killed, this one comes back by itself; nothing that was answered 250 meanwhile is lost.
fn check_killed(kind: &str) {
    let demo = Demo::fresh(kind);
    let mut all = send(&demo, 0..2);
    let before = demo.pid_of(kind);
    signal(before, Signal::KILL);
    let sent = letter("during the restart", kind);
    // A mailbox that dies with the letter in hand may have kept it (RFC 1047).
    let mut in_doubt = 0;
    within(HEALING, "arrival goes on", || {
        let reply = deliver(&demo.port("smtp"), &["aoi@example.jp"], &sent);
        assert!(reply.code == 250 || reply.code / 100 == 4, "{kind}: {reply:?}");
        in_doubt += usize::from(reply.lines.iter().any(|line| line.contains("not known now")));
        reply.code == 250
    });
    all.push(sent);
    within(HEALING, "reading goes on", || try_read(&demo, 1));
    assert_ne!(demo.pid_of(kind), before);
    let mut reader = Reader::sign_in(&demo, "aoi@example.jp");
    let kept = reader.whole("INBOX");
    let most = all.len() + in_doubt;
    assert!((all.len()..=most).contains(&kept.len()), "{kind}: {} of {most}", kept.len());
    kept.iter().zip(&all).for_each(|(kept, sent)| assert_whole(kept, sent));
    within(HEALING, "the ledger verifies", || demo.ask(&["ledger", "verify"]).1 == 0);
}

#[test]
fn a_killed_ledger_returns() {
    check_killed("ledger");
}

#[test]
fn a_killed_mirror_returns() {
    check_killed("mirror");
}

#[test]
fn a_killed_vault_returns() {
    check_killed("vault");
}

#[test]
fn a_killed_mailbox_returns() {
    check_killed("mailbox");
}

#[test]
fn a_killed_directory_returns() {
    check_killed("directory");
}

#[test]
fn a_killed_identity_returns() {
    check_killed("identity");
}

fn stands(entry: &Value, what: &str) -> bool {
    entry["entry"] == what
}

/// Messages of one class that release entries name, with the index of the first entry of each.
fn released(entries: &[Value], class: &str, from_ms: u64) -> BTreeMap<String, u64> {
    let mut first = BTreeMap::new();
    let releases = entries.iter().filter(|entry| stands(entry, "release"));
    for entry in releases.filter(|entry| entry["time_ms"].as_u64().unwrap() >= from_ms) {
        if entry["released"]["class"] != class {
            continue;
        }
        let index = entry["index"].as_u64().unwrap();
        for message in entry["released"]["items"].as_array().unwrap() {
            first.entry(message.as_str().unwrap().to_owned()).or_insert(index);
        }
    }
    first
}

#[test]
fn scope_is_what_was_read_and_nothing_else() {
    let demo = Demo::fresh("scope");
    send(&demo, 0..9);
    let reply = deliver(&demo.port("smtp"), &["bob@example.net"], &letter("for bob", "unread"));
    assert_eq!(reply.code, 250);
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    reader.must("FETCH 1 BODY.PEEK[]");
    // It ends before the window: what it was given is gone with it.
    drop(reader);
    std::thread::sleep(Duration::from_millis(1500));
    let from = now_ms();
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    for number in [2, 4, 6] {
        assert_eq!(reader.must(&format!("FETCH {number} BODY.PEEK[]")).literals().len(), 1);
        // The entry stands before the answer does.
        let seen = released(&demo.entries(), "body", from).len();
        assert!(seen >= number / 2, "{seen} entries after {number}");
    }
    drop(reader);
    std::thread::sleep(Duration::from_millis(1500));
    let to = now_ms();
    let entries = demo.entries();
    assert_eq!(released(&entries, "body", from).len(), 3);
    let window = ["--from", &from.to_string(), "--to", &to.to_string()];
    let words = [&["scope", "--component", "access", "--recheck"][..], &window].concat();
    let (scope, code) = demo.ask(&words);
    assert_eq!(code, 0, "{scope}");
    assert_eq!(scope["verified"], true, "{scope}");
    let contracts = scope["contracts"].as_array().unwrap();
    assert_eq!(contracts.len(), 1, "{scope}");
    assert_eq!(contracts[0]["accounts"], 1, "{scope}");
    assert_eq!(contracts[0]["messages"], 3, "{scope}");
    assert!(contracts[0]["classes"].to_string().contains("bodies"), "{scope}");
    assert_eq!((&scope["lower"], &scope["upper"]), (&3.into(), &3.into()), "{scope}");
    check_gapless(&entries);
}

/// A session that waits has in hand what it was given before, and what its owner put into a folder
/// passed through it: neither is asked of the vault again.
#[test]
fn scope_counts_what_a_waiting_session_has_and_what_was_put_there() {
    let demo = Demo::fresh("scope-waits");
    send(&demo, 0..3);
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    reader.must("FETCH 1:2 BODY.PEEK[]");
    let wait = || std::thread::sleep(Duration::from_millis(1500));
    let ask = |component: &str, (from, to): (u64, u64), more: &str| {
        let window = ["--from", &from.to_string(), "--to", &to.to_string()];
        let words = [&["scope", "--component", component, more][..], &window].concat();
        let (told, code) = demo.ask(&words);
        assert_eq!(code, 0, "{told}");
        told
    };
    let count = |told: &Value| (told["lower"].as_u64().unwrap(), told["upper"].as_u64().unwrap());
    wait();
    let from = now_ms();
    reader.must("NOOP");
    let idle = (from, now_ms());
    wait();
    let told = ask("access", idle, "--recheck");
    assert_eq!(count(&told), (2, 2), "{told}");
    assert!(told["given_before"]["first"].is_string(), "{told}");
    // So has the gate that all of it came by.
    let told = ask("gate", idle, "--recheck");
    assert!(count(&told).1 >= 3 && told["given_before"]["first"].is_string(), "{told}");
    let told = ask("access", idle, "--statement");
    assert_eq!((&told["holds"], &told["releases_to_component"]), (&false.into(), &0.into()));
    assert!(told["releases_before_to_living"].as_u64().unwrap() > 0, "{told}");
    // A draft passes in plain text, and is no mail that came from outside.
    let from = now_ms();
    assert!(reader.append("INBOX", "(\\Draft) ", &letter("a draft", "plain")).end.contains("OK"));
    // Told a moment later, as of its own: a window that ends at once has it. (Without its last
    // millisecond, in which all of this may have been.)
    let added = (from, now_ms() + 1);
    within(HEALING, "the entry of what was put there", || {
        wait();
        count(&ask("access", added, "--recheck")) == (2, 3)
    });
    let told = ask("mailbox", added, "--recheck");
    assert_eq!(told["contracts"][0]["messages"], 1, "{told}");
    let told = ask("edge", added, "--recheck");
    let edges: u64 = told["contracts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["messages"].as_u64().unwrap())
        .sum();
    assert!(edges <= 3, "an edge that lives on brought three: {told}");
    drop(reader);
    wait();
    let told = ask("access", (now_ms(), now_ms() + 1), "--recheck");
    assert_eq!(count(&told), (0, 0), "{told}");
}

/// Whoever owned an access knows the app password that was typed on it, and was given what it read:
/// it is not over before what it saw is good no more, and everybody whose mail it was is named,
/// here as from the mirror alone.
#[test]
fn an_owned_access_is_not_over_before_what_it_saw_is_revoked_and_names_whose_it_was() {
    let demo = Demo::fresh("scope-shown");
    send(&demo, 0..3);
    let from = now_ms();
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    reader.must("FETCH 1:2 BODY.PEEK[]");
    drop(reader);
    std::thread::sleep(Duration::from_millis(1500));
    let (from, to) = (from.to_string(), now_ms().to_string());
    let window = ["--from", &from, "--to", &to];
    let words = [&["scope", "--component", "access"][..], &window].concat();
    let asked = || demo.ask(&words).0;
    let shown = |scope: &Value| {
        let conditions = scope["conditions"].as_array().unwrap();
        let one = conditions.iter().find(|one| one["condition"] == "credentials it saw ended");
        one.unwrap_or_else(|| panic!("{scope}")).clone()
    };
    let scope = asked();
    assert_eq!((&scope["contained"], &scope["exposure_ended"]), (&false.into(), &Value::Null));
    let to_do = shown(&scope)["to_do"].as_array().unwrap().clone();
    assert!(!to_do.is_empty(), "{scope}");
    names_whose_it_was(&demo, &words);
    // What it says is to be done ends it.
    for left in &to_do {
        let command = left["en"].as_str().unwrap().split('`').nth(1).unwrap();
        assert!(command.starts_with("app-password revoke "), "{left:?}");
        assert_eq!(demo.ask(&command.split(' ').collect::<Vec<_>>()).1, 0);
    }
    within(HEALING, "the revocation is read", || shown(&asked())["met"] == true);
    assert!(Reader::try_sign_in(&demo, &demo.account("aoi@example.jp")).is_err());
    // Its grant runs out by itself, in a quarter of an hour: until then it is not over.
    assert_eq!(asked()["contained"], false);
    // A warden had everything, and is never told as contained.
    let warden = demo.ask(&[&["scope", "--component", "warden"][..], &window].concat()).0;
    assert!(warden["upper"].as_u64().unwrap() >= 3, "{warden}");
    assert_eq!(warden["contained"], false, "{warden}");
}

/// One person, two messages, whole: told by the house, and by the mirror alone.
fn names_whose_it_was(demo: &Demo, words: &[&str]) {
    let lines = |more: &str| {
        let mut command = std::process::Command::new(super::house::binary());
        command.args(words).args([more, "--json", "--data"]).arg(demo.data());
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let people = lines("--people");
    let aoi = people.iter().find(|one| one["address"] == "aoi@example.jp");
    assert_eq!(aoi.unwrap_or_else(|| panic!("{people:?}"))["opened"], 2, "{people:?}");
    let told = lines("--messages");
    assert_eq!(told[told.len() - 1]["row"], "end", "{told:?}");
    let messages: Vec<&Value> = told.iter().filter(|one| one["row"] == "message").collect();
    assert_eq!(messages.len(), 2, "{told:?}");
    for one in &messages {
        let is_whole = one["what"].to_string().contains("bodies") && one["how"] == "opened";
        assert!(is_whole && one["address"] == "aoi@example.jp", "{one}");
    }
    let mirror = demo.data().join("mirror");
    let mut verify = vec!["scope", mirror.to_str().unwrap(), "--messages", "--json"];
    verify.extend(&words[1..]);
    let found = verifier::answer(verify.into_iter().map(str::to_owned).collect());
    let found: Value = serde_json::from_str(&found.text).unwrap();
    let ids = |items: &[&Value]| items.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let people = found["people"].as_array().unwrap();
    let items = people.iter().flat_map(|one| one["items"].as_array().unwrap());
    assert_eq!(ids(&items.collect::<Vec<_>>()), ids(&messages), "{found}");
}

/// Numbers of the vault follow each other without a gap, per start.
fn check_gapless(entries: &[Value]) {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        if let Some(number) = entry["vault_seq"].as_u64() {
            let start = entry["start"].as_str().unwrap_or_default();
            numbers.entry(start.to_owned()).or_default().push(number);
        }
    }
    assert!(!numbers.is_empty(), "no vault_seq in the ledger");
    for (start, numbers) in numbers {
        let is_next = |pair: &[u64]| pair[1] == pair[0] + 1;
        assert!(numbers.windows(2).all(is_next), "{start}: {numbers:?}");
    }
}

#[test]
fn every_process_is_entered_and_every_author_counts_on() {
    let demo = Demo::fresh("authors");
    send(&demo, 0..2);
    std::thread::sleep(Duration::from_millis(1500));
    let entries = demo.entries();
    let text: Vec<String> = entries.iter().map(Value::to_string).collect();
    for process in demo.processes() {
        let instance = &process.arguments[2];
        assert!(text.iter().any(|line| line.contains(instance)), "no entry names {process:?}");
    }
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    for entry in &entries {
        let word = |name: &str| entry[name].as_str().unwrap().to_owned();
        let seq = entry["seq"].as_u64().unwrap();
        if let Some(before) = last.insert((word("author"), word("start")), seq) {
            assert_eq!(seq, before + 1, "{entry}");
        }
    }
}

#[test]
fn one_changed_octet_is_found() {
    let mut demo = Demo::fresh("tamper");
    send(&demo, 0..3);
    std::thread::sleep(Duration::from_millis(1500));
    demo.stop();
    let data = demo.data().to_str().unwrap().to_owned();
    let verify = ["ledger", "verify", "--data", &data];
    let (value, code) = command(&verify);
    assert_eq!((code, &value["ok"]), (0, &Value::Bool(true)), "{value}");
    let log = demo.data().join("ledger/log");
    let size = std::fs::metadata(&log).unwrap().len();
    for at in [size / 10, size / 3, size / 2, size * 4 / 5] {
        let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&log).unwrap();
        let mut octet = [0];
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut octet).unwrap();
        let mut put = |value: u8| {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&[value]).unwrap();
        };
        put(octet[0] ^ 1);
        let (value, code) = command(&verify);
        assert_eq!(code, 1, "octet {at} of {size}: {value}");
        assert_eq!(value["ok"], false, "octet {at} of {size}: {value}");
        put(octet[0]);
    }
    assert_eq!(command(&verify).1, 0);
    // An end cut off is found by the mirror.
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(size * 2 / 3).unwrap();
    let (value, code) = command(&verify);
    assert_ne!(code, 0, "{value}");
}

/// What is laid out for everybody is cosigned by the mirror with both keys, and never goes back.
#[test]
fn what_is_published_is_cosigned_with_a_lattice_too() {
    let demo = Demo::fresh("published");
    let to = demo.wishes.data.with_extension("published");
    let mut size = 0;
    for _ in 0..3 {
        Reader::inbox(&demo, "aoi@example.jp").must("NOOP");
        let words = ["ledger", "publish", "--to", to.to_str().unwrap()];
        within(HEALING, "a checkpoint cosigned twice", || {
            let (done, code) = demo.ask(&words);
            assert_eq!(code, 0, "{done}");
            let now = done["size"].as_u64().unwrap();
            assert!(now >= size, "{done}");
            let is_more = now > size;
            size = now;
            is_more && done["cosigned_ml_dsa_44"] == true
        });
        let read = |name: &str| std::fs::read(to.join(name)).unwrap();
        let key = String::from_utf8(read("key.ml-dsa-44.pub")).unwrap();
        let key = witness::LatticeKey::parse(&key).unwrap();
        let signed = tlog::SignedCheckpoint::parse(&read("checkpoint")).unwrap();
        assert_eq!((signed.checkpoint.size, signed.note.signatures.len()), (size, 3));
        assert!(key.cosigned(&signed.note).is_some());
        let keys = annals::find_keys(&demo.data().join("mirror")).unwrap();
        assert!(keys.believe(&signed), "by the ledger, and by the mirror's other key");
    }
    std::fs::remove_dir_all(to).unwrap();
}
