//! What the sentinel notices in the real house, and what operators can stop.

use super::house::{Account, Demo, command, plainly, signal, within};
use super::reader::Reader;
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

/// However busy the machine.
const LIMIT: Duration = Duration::from_secs(60);

fn incidents(demo: &Demo) -> Vec<Value> {
    let (value, code) = demo.ask(&["alarms", "list"]);
    assert_eq!(code, 0, "{value}");
    value["items"].as_array().unwrap().clone()
}

/// The first incident of a cause; how late it was told is printed, for the machine is shared.
fn incident(demo: &Demo, cause: &str) -> Value {
    let mut found = Value::Null;
    within(LIMIT, cause, || {
        let all = incidents(demo);
        found = all.into_iter().find(|one| one["cause"] == cause).unwrap_or(Value::Null);
        !found.is_null()
    });
    println!("{cause}: told after {} ms", found["after_ms"]);
    found
}

#[test]
fn the_sentinel_stands_and_says_where_its_facts_come_from() {
    let demo = Demo::fresh("sentinel");
    let mut sentinel = Value::Null;
    within(LIMIT, "decoys known", || {
        sentinel = demo.ask(&["status"]).0["sentinel"].clone();
        sentinel["decoys"].as_u64() == Some(2)
    });
    assert_eq!(sentinel["rules"], 24);
    let sources = sentinel["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 6);
    for source in sources {
        assert_eq!(source["there"].as_bool().unwrap(), source["why_not"].is_null(), "{source}");
    }
    assert_eq!(incidents(&demo), Vec::<Value>::new(), "an ordinary start is no incident");
}

#[test]
fn a_decoy_touched_is_an_alarm_and_gives_nothing() {
    let demo = Demo::fresh("decoy");
    let words = ["decoy", "add", "archive@example.jp", "--tenant", "Example Japan"];
    let (decoy, code) = demo.ask(&words);
    assert_eq!(code, 0, "{decoy}");
    let imap = decoy["secret"].as_str().unwrap().to_owned();
    // With its own secret under another's name: the secret was taken from somewhere.
    let (pop3, smtp) = (String::new(), String::new());
    let thief = Account { address: "aoi@example.jp".into(), imap, pop3, smtp };
    assert!(Reader::try_sign_in(&demo, &thief).is_err(), "a decoy opens nothing");
    let found = incident(&demo, "decoy");
    assert_eq!(found["component"], "identity");
    // Whose name it is: in ids, which the command line resolves.
    let is_id = |name: &str| found[name].as_str().map(str::len) == Some(16);
    assert!(is_id("tenant") && is_id("user"), "{found}");
    let data = demo.wishes.data.display().to_string();
    for (language, words) in [("en_US.UTF-8", "a decoy was touched"), ("ja_JP.UTF-8", "おとり")]
    {
        let (told, _, _) = plainly(&["alarms", "list", "--data", &data], language);
        let named = ["archive@example.jp", "Example Japan", words];
        assert!(named.iter().all(|name| told.contains(name)), "{told}");
    }
    // Everybody else goes on.
    Reader::inbox(&demo, "aoi@example.jp").must("NOOP");
}

#[test]
fn who_touches_a_decoy_with_a_persons_secret_is_frozen_and_a_stranger_freezes_nobody() {
    let demo = Demo::fresh("decoy-freeze");
    let words = ["decoy", "add", "archive@example.jp", "--tenant", "Example Japan"];
    assert_eq!(demo.ask(&words).1, 0);
    let aoi = demo.account("aoi@example.jp");
    let login = |address: &str, secret: &str| format!("LOGIN {address} {secret}");
    let knock = || Reader::connect(&demo.port("imaps"), &demo.authority()).unwrap();
    let frozen = || demo.ask(&["freeze", "list"]).0["items"].as_array().unwrap().clone();
    // A stranger types the decoy's name with some password, and then somebody's without a secret.
    let mut stranger = knock();
    assert!(!stranger.say(&login("archive@example.jp", "whatever")).is_ok());
    assert!(!stranger.say(&login("aoi@example.jp", "sk-whatever")).is_ok());
    drop(stranger);
    let told = incident(&demo, "decoy");
    assert_eq!(told["component"], "identity", "{told}");
    // What the stranger did stands in the ledger before anything that is done from here on.
    Reader::inbox(&demo, "aoi@example.jp").must("NOOP");
    // The same hand brings what is aoi's, and learns nothing by the answer.
    let mut thief = knock();
    let no = thief.say(&login("archive@example.jp", "sk-whatever")).end;
    // It is ended at once: the answer, which is the same, may not come any more.
    let answer = thief.ask(&login("aoi@example.jp", &aoi.imap));
    assert!(answer.as_ref().map_or(true, |answer| answer.end == no), "{answer:?}");
    within(LIMIT, "the freeze", || !frozen().is_empty());
    let all = frozen();
    assert_eq!((all.len(), all[0]["name"].as_str()), (1, Some("aoi@example.jp")), "{all:?}");
    assert!(Reader::try_sign_in(&demo, &aoi).is_err(), "with a stolen secret nobody comes in");
    Reader::inbox(&demo, "haru@example.jp").must("NOOP");
    let data = demo.wishes.data.display().to_string();
    let said =
        [("en_US.UTF-8", "has the secret of a person, too"), ("ja_JP.UTF-8", "利用者の秘密")];
    for (language, words) in said {
        let (told, _, _) = plainly(&["alarms", "list", "--data", &data], language);
        let named = ["aoi@example.jp", "Example Japan", words];
        assert!(named.iter().all(|name| told.contains(name)), "{told}");
    }
    let entries = demo.entries();
    let freezes: Vec<&Value> = entries.iter().filter(|one| one["entry"] == "freeze").collect();
    assert_eq!(freezes.len(), 1, "{freezes:?}");
    assert_eq!(freezes[0]["by"], "sentinel: decoy", "{freezes:?}");
    assert_eq!(demo.ask(&["unfreeze", "aoi@example.jp"]).1, 0);
    // The freeze is over; what the thief knows opens nothing for ever.
    assert!(Reader::try_sign_in(&demo, &aoi).is_err(), "it is revoked");
    let add = ["app-password", "add", "aoi@example.jp", "--protocol", "imap", "--device", "new"];
    let (added, _) = demo.ask(&add);
    let secret = added["secret"].as_str().unwrap();
    assert!(knock().say(&login("aoi@example.jp", secret)).is_ok(), "{added}");
}

#[test]
fn a_silent_keeper_is_noticed() {
    let demo = Demo::fresh("silent");
    let pid = demo.pid_of("signer");
    signal(pid, Signal::STOP);
    let found = incident(&demo, "silence");
    signal(pid, Signal::CONT);
    assert_eq!(found["component"], "signer");
    within(LIMIT, "the console", || demo.said().contains("INCIDENT silence signer"));
}

#[test]
fn a_frozen_person_reads_nothing_until_an_operator_lifts_it() {
    let demo = Demo::fresh("freeze");
    let mut reader = Reader::inbox(&demo, "haru@example.jp");
    let (value, code) = demo.ask(&["freeze", "haru@example.jp"]);
    assert_eq!((code, &value["frozen"]), (0, &Value::Bool(true)), "{value}");
    let haru = demo.account("haru@example.jp");
    assert!(Reader::try_sign_in(&demo, &haru).is_err());
    let _ = reader.ask("NOOP");
    Reader::inbox(&demo, "aoi@example.jp").must("NOOP");
    assert_eq!(demo.ask(&["freeze", "haru@example.jp"]).1, 1, "it is frozen already");
    let mut demo = demo.again();
    assert!(Reader::try_sign_in(&demo, &haru).is_err(), "a restart does not lift it");
    let (list, _) = demo.ask(&["freeze", "list"]);
    assert_eq!(list["items"][0]["name"], "haru@example.jp");
    let (status, _) = demo.ask(&["status"]);
    assert_eq!(status["frozen"][0]["name"], "haru@example.jp", "{status}");
    assert!(status["isolated"].as_array().unwrap().is_empty(), "{status}");
    assert_eq!(demo.ask(&["unfreeze", "haru@example.jp"]).1, 0);
    Reader::inbox(&demo, "haru@example.jp").must("NOOP");
    let entries = demo.entries();
    for deed in ["freeze", "unfreeze"] {
        assert!(entries.iter().any(|entry| entry["entry"] == deed), "{deed}");
    }
    demo.stop();
}

#[test]
fn an_isolated_compartment_is_away_until_it_is_released() {
    let mut demo = Demo::fresh("isolate");
    let (_, code) = demo.ask(&["isolate", "scanner"]);
    // At once, and by the word of who holds it out of the house.
    let scanner = demo.ask(&["isolate", "list"]).0["items"][0].clone();
    assert_eq!((code, scanner["component"].as_str()), (0, Some("scanner")), "{scanner}");
    assert_eq!(scanner["by"], "admin");
    // It outlives the service, and is listed also while that is away.
    demo.stop();
    assert_eq!(demo.ask(&["isolate", "list"]).0["items"][0]["component"], "scanner");
    assert!(!demo.data().join("admin.sock").exists(), "nobody answers there any more");
    let demo = demo.again();
    let (again, _) = demo.ask(&["isolate", "list"]);
    assert_eq!(again["items"], serde_json::json!([scanner]));
    assert!(!demo.processes().iter().any(|process| process.kind == "scanner"));
    assert_eq!(demo.ask(&["release", "scanner"]).1, 0);
    within(LIMIT, "a scanner is back", || {
        demo.processes().iter().any(|process| process.kind == "scanner")
    });
    let is_there = || demo.processes().iter().any(|process| process.kind == "names");
    let data = demo.data().to_str().unwrap();
    let (_, said, code) = plainly(&["isolate", "names", "--data", data], "C");
    assert_eq!(code, 2, "nobody was asked: {said}");
    assert!(said.contains("--yes") && is_there(), "{said}");
    let (_, said, code) = plainly(&["isolate", "names", "--yes", "--data", data], "C");
    assert_eq!(code, 0, "{said}");
    within(LIMIT, "names is gone", || !is_there());
    let listed = || demo.ask(&["isolate", "list"]).0["items"].as_array().unwrap().clone();
    within(LIMIT, "it is listed", || listed().len() == 1);
    assert_eq!(listed()[0]["component"], "names");
    let (status, _) = demo.ask(&["status"]);
    assert_eq!(status["isolated"][0]["component"], "names", "{status}");
    assert_eq!(demo.ask(&["release", "names"]).1, 0);
    within(LIMIT, "names is back", is_there);
    within(LIMIT, "it is listed no more", || listed().is_empty());
    let (refused, code) = demo.ask(&["isolate", "ledger"]);
    assert_eq!(code, 1, "{refused}");
    for deed in ["isolate", "rejoin"] {
        // The warden's own entries may lag by a moment.
        within(LIMIT, deed, || {
            let by_us = |entry: &Value| entry["entry"] == deed && entry["author"] == "warden";
            demo.entries().iter().any(by_us)
        });
    }
}

#[test]
fn rules_of_others_are_listed_with_their_authors() {
    let (value, code) = command(&["sigma"]);
    assert_eq!((code, &value["read"]), (0, &Value::from(24)));
    let all = value["items"].as_array().unwrap();
    assert!(all.iter().all(|rule| !rule["author"].as_str().unwrap().is_empty()));
    // All of them wait for something that is seen here, and say for what.
    assert_eq!(value["watched"], 24);
    assert!(all.iter().all(|rule| !rule["watched"]["ja"].as_str().unwrap().is_empty()));
}

#[test]
fn a_minute_of_an_ordinary_day_raises_no_alarm() {
    let (value, code) = command(&["soak", "--minutes", "1"]);
    println!("{value}");
    assert_eq!((code, &value["false_alarms"]), (0, &Value::from(0)), "{value}");
    assert!(value["delivered"].as_u64().unwrap() > 0 && value["sessions"].as_u64().unwrap() > 0);
}
