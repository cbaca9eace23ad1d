//! Whoever ends is swept out of what others wrote down, and an owned component is contained by the
//! steps that the report itself names.

use super::house::{Demo, within};
use super::post::{Sender, deliver};
use super::reader::Reader;
use serde_json::Value;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

fn done(demo: &Demo, words: &[&str]) -> Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

fn letter(subject: &str) -> Vec<u8> {
    format!(
        "From: a@sender.example\r\nTo: x@example.jp\r\nSubject: {subject}\r\n\
         Message-ID: <{subject}@sender.example>\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\n\r\n\
         hi\r\n"
    )
    .into_bytes()
}

fn is_destroyed(demo: &Demo, field: &str, id: &str) -> bool {
    let endings = done(demo, &["tenant", "endings"]);
    let all = endings["items"].as_array().unwrap();
    all.iter().any(|one| one[field] == id && one["state"] == "destroyed")
}

fn id_of(demo: &Demo, tenant: &str, address: &str) -> String {
    let people = done(demo, &["user", "list", "--tenant", tenant]);
    let people = people["items"].as_array().unwrap();
    let found = people.iter().find(|one| one["address"] == address).unwrap();
    found["user"].as_str().unwrap().to_owned()
}

/// A person: out of every group, list, forward and catch-all of their contract.
#[test]
fn a_person_who_ends_is_swept_out_of_what_others_wrote() {
    let demo = Demo::fresh("swept");
    let haru = "haru@example.jp";
    let user = id_of(&demo, "Example Japan", haru);
    let group = ["group", "add", "team@example.jp", "--tenant", "Example Japan"];
    done(&demo, &[&group[..], &["--member", "aoi@example.jp", "--member", haru]].concat());
    let list = ["list", "add", "club@example.jp", "--tenant", "Example Japan", "--owner", haru];
    done(&demo, &list);
    done(&demo, &["list", "member", "add", "club@example.jp", haru, "aoi@example.jp"]);
    done(&demo, &["user", "forward", "aoi@example.jp", "--to", haru, "--keep"]);
    done(&demo, &["domain", "set", "example.jp", "--catch-all", haru]);
    let named = || {
        let shown = [
            done(&demo, &["group", "show", "team@example.jp"]),
            done(&demo, &["list", "show", "club@example.jp"]),
            done(&demo, &["user", "forward", "aoi@example.jp"]),
            done(&demo, &["domain", "list"]),
        ];
        shown.iter().filter(|one| one.to_string().contains(haru)).count()
    };
    assert_eq!(named(), 4);
    done(&demo, &["user", "terminate", haru, "--grace", "0"]);
    within(PATIENCE, "destroyed", || is_destroyed(&demo, "user_id", &user));
    assert_eq!(named(), 0);
    let remains = done(&demo, &["tenant", "search-remains"]);
    assert_eq!(remains["found"], 0, "{remains}");
    // Mail goes on to those who are left, and nowhere else.
    let smtp = demo.port("smtp");
    assert_eq!(deliver(&smtp, &["team@example.jp"], &letter("team")).code, 250);
    assert_eq!(deliver(&smtp, &["made-up@example.jp"], &letter("caught")).code, 550);
    assert_eq!(deliver(&smtp, &[haru], &letter("gone")).code, 550);
    within(PATIENCE, "the group's letter", || {
        !Reader::inbox(&demo, "aoi@example.jp").whole("INBOX").is_empty()
    });
}

/// A contract: what people of others wrote down is theirs, and leads to nobody here any more.
#[test]
fn a_contract_that_ends_gets_nothing_by_way_of_others() {
    let demo = Demo::fresh("led-nowhere");
    let alice = "alice@example.net";
    let shown = done(&demo, &["tenant", "show", "Example Net"]);
    let tenant = shown["id"].as_str().unwrap().to_owned();
    let group = ["group", "add", "both@example.jp", "--tenant", "Example Japan"];
    done(&demo, &[&group[..], &["--member", "aoi@example.jp", "--member", alice]].concat());
    done(&demo, &["user", "forward", "haru@example.jp", "--to", alice, "--keep"]);
    done(&demo, &["list", "add", "circle@example.jp", "--tenant", "Example Japan"]);
    done(&demo, &["list", "member", "add", "circle@example.jp", alice, "aoi@example.jp"]);
    let smtp = demo.port("smtp");
    let is_told = |entry: &Value| {
        let of_tenant = entry["tenant"] == tenant.as_str();
        of_tenant && matches!(entry["entry"].as_str(), Some("deliver" | "queue" | "sent" | "send"))
    };
    let delivered = || demo.entries().iter().filter(|one| is_told(one)).count();
    assert_eq!(deliver(&smtp, &["both@example.jp"], &letter("before")).code, 250);
    within(PATIENCE, "alice gets it by the group", || delivered() > 0);
    let keys = || {
        let files = std::fs::read_dir(demo.data().join("signer")).unwrap().flatten();
        files.filter(|file| file.file_name().to_string_lossy().starts_with("dkim-")).count()
    };
    let of_all = keys();
    let ends = done(&demo, &["tenant", "terminate", "Example Net", "--grace", "0"]);
    assert!(ends["not_covered"].is_string(), "{ends}");
    within(PATIENCE, "destroyed", || is_destroyed(&demo, "tenant_id", &tenant));
    assert!(keys() < of_all, "the keys that signed its domain's mail are gone");
    let before = delivered();
    for to in ["both@example.jp", "haru@example.jp"] {
        assert_eq!(deliver(&smtp, &[to], &letter("after")).code, 250, "{to}");
    }
    for who in ["aoi@example.jp", "haru@example.jp"] {
        within(PATIENCE, who, || {
            let inbox = Reader::inbox(&demo, who).whole("INBOX");
            inbox.iter().any(|one| String::from_utf8_lossy(one).contains("Subject: after"))
        });
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(delivered(), before, "nothing is kept or carried for who is gone");
    let remains = done(&demo, &["tenant", "search-remains"]);
    assert_eq!(remains["found"], 0, "{remains}");
}

/// Commands between backticks, whole ones.
fn named(words: &str) -> Vec<String> {
    words.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn an_owned_edge_is_contained_by_the_steps_that_its_scope_names() {
    let demo = Demo::fresh("contained");
    let mut sender = Sender::greeted(&demo.port("smtp"));
    assert_eq!(sender.say("STARTTLS").code, 220);
    let mut sender = sender.secured(&demo.authority()).unwrap();
    assert_eq!(sender.say("EHLO sender.example").code, 250);
    let sent = sender.letter("a@sender.example", &["aoi@example.jp"], &letter("owned")).unwrap();
    assert_eq!(sent.code, 250);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // Those that are born afterwards are not asked about.
    let to = (now.as_millis() as u64 + 1).to_string();
    let words = ["scope", "--component", "edge", "--from", "0", "--to", &to];
    let asked = || done(&demo, &words);
    let mut commands = Vec::new();
    within(PATIENCE, "an edge that lives and has used a key", || {
        let found = asked();
        assert_eq!(found["contained"], false, "{found}");
        commands.clear();
        for one in found["conditions"].as_array().unwrap() {
            commands.extend(named(one["next"]["en"].as_str().unwrap_or_default()));
            for left in one["to_do"].as_array().into_iter().flatten() {
                commands.extend(named(left["en"].as_str().unwrap()));
            }
        }
        commands.len() >= 3
    });
    // One of ours: what is brought from elsewhere needs files, and there is none here.
    commands.retain(|one| one != "certificate install");
    assert_eq!(commands, ["isolate edge", "release edge", "certificate renew"]);
    for command in &commands {
        done(&demo, &command.split(' ').collect::<Vec<_>>());
        if command.starts_with("isolate") {
            within(PATIENCE, "no edge lives", || {
                asked()["conditions"][0]["met"].as_bool().unwrap()
            });
        }
    }
    within(PATIENCE, "contained", || asked()["contained"].as_bool().unwrap());
    let found = asked();
    assert!(found["conditions"].as_array().unwrap().iter().all(|one| one["entry"].is_u64()));
    assert!(found["exposure_ended"].is_string(), "{found}");
    // Fresh ones take mail, with another key.
    within(PATIENCE, "mail is taken", || {
        Sender::connect(&demo.port("smtp")).is_ok_and(|mut sender| {
            sender.ask("EHLO sender.example").is_ok_and(|reply| reply.code == 250)
        })
    });
}
