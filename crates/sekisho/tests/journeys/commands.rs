//! The command line as scripts rely on it: one JSON value, its fields, the exit code, the hint.

use super::house::{Demo, command, folder, plainly, shared};
use super::post::Sender;
use super::reader::Reader;
use serde_json::Value;

fn check_fields(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no {field} in {value}");
    }
}

/// A list has `items` and `next`, and each item these fields.
fn check_list(demo: &Demo, words: &[&str], fields: &[&str]) -> Vec<Value> {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    assert!(value["next"].is_null(), "{value}");
    let items = value["items"].as_array().unwrap().clone();
    items.iter().for_each(|item| check_fields(item, fields));
    items
}

/// It failed with this code and says what was expected, what was found, and what to do.
fn check_trouble(words: &[&str], expected_code: i32) {
    let (value, code) = command(words);
    assert_eq!(code, expected_code, "{words:?}: {value}");
    let error = value["error"].as_str().unwrap();
    assert!(!value["hint"].as_str().unwrap().is_empty(), "{value}");
    if expected_code < 3 {
        assert!(error.contains("expected") && error.contains("found"), "{words:?}: {error}");
    }
}

#[test]
fn the_ready_line() {
    let demo = shared();
    let ready = &demo.ready;
    assert_eq!(ready["ready"], true);
    check_fields(
        ready,
        &["submissions", "submission", "metrics", "https", "login", "console", "ca", "accounts"],
    );
    let port = |offset: u16| format!("127.0.0.1:{}", demo.wishes.port_base + offset);
    assert_eq!(ready["smtp"], port(25));
    assert_eq!(ready["imaps"], port(93));
    assert_eq!(ready["pop3s"], port(95));
    assert_eq!(ready["dns"], port(53));
    let pem = std::fs::read_to_string(demo.authority()).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    let accounts = ready["accounts"].as_array().unwrap();
    for account in accounts {
        let fields = ["address", "tenant", "role", "password", "app_password", "totp_secret"];
        check_fields(account, &fields);
        Reader::sign_in(demo, account["address"].as_str().unwrap());
    }
    assert_eq!(accounts[0]["role"], "user");
    let mut tenants: Vec<&str> = accounts.iter().filter_map(|a| a["tenant"].as_str()).collect();
    tenants.dedup();
    assert_eq!(tenants.len(), 2);
    assert!(demo.more_lines().is_empty());
}

#[test]
fn lists() {
    let demo = shared();
    check_list(demo, &["tenant", "list"], &["tenant"]);
    check_list(demo, &["domain", "list"], &["domain", "tenant"]);
    let people = check_list(demo, &["user", "list"], &["user", "address"]);
    assert!(people.len() >= 7);
    let held =
        check_list(demo, &["quarantine", "list"], &["id", "recipient", "at", "expires", "reasons"]);
    assert!(!held.is_empty(), "the sample brings some");
    for item in &held {
        assert!(item["size"].as_u64().unwrap() > 100 && item["tenant"].is_string(), "{item}");
        let why = item["why"].as_array().unwrap();
        assert_eq!(why.len(), item["reasons"].as_array().unwrap().len(), "{item}");
        assert!(why.iter().all(|one| one["ja"].is_string() && one["en"].is_string()), "{item}");
    }
    let fields = ["id", "at", "direction", "state", "verdict", "reasons", "recipients"];
    let found = check_list(demo, &["trace", "aoi@example.jp"], &fields);
    assert!(found.len() > 3, "{found:?}");
    let (nothing, code) = demo.ask(&["trace", "no-such-thing"]);
    assert_eq!((code, nothing["items"].as_array().map(Vec::len)), (1, Some(0)), "{nothing}");
    assert!(nothing["not_found"]["en"].as_str().unwrap().starts_with("nothing is found"));
    let (nothing, code) = demo.ask(&["trace", "member@outside.example"]);
    assert_eq!((code, nothing["items"].as_array().map(Vec::len)), (1, Some(0)), "{nothing}");
    assert!(nothing["not_found"]["en"].as_str().unwrap().contains("Members of mailing lists"));
    assert!(nothing["not_found"]["ja"].as_str().unwrap().contains("参加者"));
    let (value, code) = demo.ask(&["quarantine", "show", held[0]["id"].as_str().unwrap()]);
    assert_eq!(code, 0, "{value}");
    let (value, code) = demo.ask(&["tenant", "show", "Example Japan"]);
    assert_eq!(code, 0, "{value}");
    // The demo's own DNS has all that a domain needs, its keys as well.
    let (value, code) = demo.ask(&["domain", "check", "example.jp"]);
    assert_eq!((code, value["ok"].as_bool()), (0, Some(true)), "{value}");
    check_fields(&value, &["domain", "tenant", "ours", "host", "bypass", "records"]);
    let records = value["records"].as_array().unwrap();
    let state = |kind: &str| {
        let of_kind = records.iter().filter(|one| one["type"] == kind);
        of_kind.map(|one| one["state"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(state("MX"), ["good"]);
    assert_eq!(state("TXT"), ["good"; 6]);
    assert_eq!(state("SRV"), ["good"; 6]);
    assert!(value["bypass"].as_array().unwrap().is_empty(), "{value}");
    let (value, code) = demo.ask(&["domain", "check", "aoba-bank.example"]);
    assert_eq!(code, 1, "{value}");
    let gaps = value["bypass"].as_array().unwrap();
    let codes: Vec<&str> = gaps.iter().map(|gap| gap["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["domain.not-ours", "spf.lets-in"]);
}

#[test]
fn evidence() {
    let demo = shared();
    let (value, code) = demo.ask(&["ledger", "head"]);
    assert_eq!(code, 0);
    check_fields(&value, &["size", "root", "checkpoint", "cosigned"]);
    let (value, code) = demo.ask(&["ledger", "verify"]);
    assert_eq!(code, 0, "{value}");
    check_fields(&value, &["size", "root", "entries_checked", "mirror_agrees", "ok"]);
    assert_eq!(value["ok"], true);
    let window = ["--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];
    for recheck in [&[][..], &["--recheck"]] {
        let words = [&["scope", "--component", "edge"][..], &window, recheck].concat();
        let (value, code) = demo.ask(&words);
        assert_eq!(code, 0, "{value}");
        let fields = [
            "component",
            "from",
            "to",
            "first_use",
            "last_use",
            "contracts",
            "unattributed_connections",
            "upper",
            "lower",
            "entries",
            "root",
            "verified",
        ];
        check_fields(&value, &fields);
        assert_eq!(value["verified"], !recheck.is_empty(), "{value}");
        for contract in value["contracts"].as_array().unwrap() {
            check_fields(contract, &["tenant", "accounts", "messages", "classes"]);
        }
    }
}

#[test]
fn doctor_tells_what_is_weakened() {
    let (value, code) = shared().ask(&["doctor"]);
    let chosen = &value["weaker_by_choice"];
    for list in [chosen, &value["weakened"]] {
        assert!(list.to_string().contains("single-operator"), "{value}");
    }
    // What somebody chose is no fault; what makes the exit code 1 is named.
    let wanting = value["wanting"].as_array().unwrap();
    assert!(!wanting.iter().any(|one| one.to_string().contains("single-operator")), "{value}");
    assert_eq!(code, i32::from(!wanting.is_empty()), "{value}");
    let data = shared().data().to_str().unwrap();
    let (shown, _, plain) = plainly(&["doctor", "--data", data], "ja_JP.UTF-8");
    let last = shown.lines().last().unwrap_or_default();
    let is_last = last.starts_with("weaker_by_choice ") && last.contains("single-operator: 二人で");
    assert!(is_last, "{shown}");
    assert!(plain == code && shown.contains("名前空間") && !shown.contains("namespace"), "{shown}");
}

#[test]
fn troubles() {
    let data = shared().data().to_str().unwrap().to_owned();
    let with = |words: &[&'static str]| {
        let mut all: Vec<&str> = words.to_vec();
        all.extend(["--data", &data]);
        all.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>()
    };
    let refused: &[&[&str]] = &[
        &["tenant", "add", "Example Japan"],
        &["tenant", "show", "No Such"],
        &["domain", "add", "example.jp", "--tenant", "Example Net"],
        &["domain", "keys", "elsewhere.example"],
        &["domain", "check", "example.jp", "--allow", "garbage"],
        &["domain", "check", "example.jp", "--allow", ""],
        &["domain", "rotate-keys", "elsewhere.example"],
        &["user", "add", "x@elsewhere.example", "--tenant", "Example Net"],
        &["user", "add", "aoi@example.jp", "--tenant", "Example Japan"],
        &["user", "disable", "nobody@example.jp"],
        &["app-password", "add", "nobody@example.jp", "--protocol", "imap"],
        &["app-password", "revoke", "no-such-id"],
        &["quarantine", "release", "no-such-id"],
        &["tenant", "set", "Example Japan", "--junk-from", "99"],
        &["tenant", "search-remains", "No Such"],
        &["tenant", "search-remains", "Example Japan"],
        &["tenant", "add", "EXAMPLE japan"],
        &["tenant", "set", "Example Japan", "--smart-host", "127.0.0.1:8226"],
        &["tenant", "certificate", "No Such"],
        &["keys", "unseal", "--tenant", "Example Japan"],
        &["init"],
    ];
    for words in refused {
        let words = with(words);
        check_trouble(&words.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    }
    let wrong: &[&[&str]] = &[
        &["tenant", "dance"],
        &["tenant", "list", "--colour"],
        &["ledger", "burn"],
        &["user", "add", "x@example.net"],
        &["app-password", "add", "aoi@example.jp", "--protocol"],
        &["scope", "--component", "kitchen", "--from", "0", "--to", "1"],
        &["scope", "--component", "edge", "--from", "noon", "--to", "1"],
        &["trace"],
        &["app-password", "add", "aoi@example.jp", "--protocol", "ftp"],
        &["user", "add", "x@example.net", "--tenant", "Example Net", "--role", "king"],
        &["approval", "mode", "frob"],
        &["keys", "seal"],
        &["keys", "hold"],
        &["keys", "rotate", "--level", "pairs", "--tenant", "Example Net"],
        &["init", "--shares", "abc"],
        &["tenant", "set", "Example Japan", "--junk-from", "NaN"],
        &["tenant", "set", "Example Japan", "--junk-from", "1e308"],
        &["tenant", "set", "Example Japan", "--refuse-kind", "bogus"],
        &["tenant", "set", "Example Japan", "--send-in-a-day", "9", "--junk-from", "6.0"],
        &["domain", "check", ""],
        &["domain", "check", " "],
        &["domain", "check", "aoi@example.jp"],
        &["domain", "check", "https://example.jp/"],
        &["domain", "check", "example..jp"],
        &["domain", "set", "example.jp"],
        &["domain", "set", "example.jp", "--mta-sts", "bogus"],
        &["domain", "set", "example.jp", "--catch-all", "xx"],
        &["domain", "gateway", "example.jp", "--host", "foo"],
        &["group", "add", "all@example.jp", "--tenant", "Example Japan"],
        &["user", "away", "aoi@example.jp", "--text", ""],
        &["user", "add", "x@example.net", "--tenant", "Example Net", "--roel", "user"],
        &["domain", "add", "nonsense", "--tenant", "Example Net"],
        &["approval", "approve", "no-such-id"],
        &["trace", ""],
        &["tenant", "set", "Example Japan", "--send-delay", "999999999"],
        &["tenant", "set", "Example Japan", "--send-in-ten-minutes", "0"],
        &["tenant", "set", "Example Japan", "--send-bytes", "1"],
        &["decoy", "list"],
        &["ledger", "export", "--from", "10", "--to", "5"],
    ];
    for words in wrong {
        let words = with(words);
        check_trouble(&words.iter().map(String::as_str).collect::<Vec<_>>(), 2);
    }
    check_trouble(&[], 2);
    check_trouble(&["tenant", "list"], 2);
    // What is wrong by itself is told before anybody is asked: no house is there.
    let (long, nowhere) = ("x".repeat(101), ["--data", "/nowhere/at/all"]);
    for words in [
        &["tenant", "add", ""][..],
        &["tenant", "add", &long],
        &["user", "add", "bad", "--tenant", "acme"],
        &["user", "add", "a@b.example", "--alias", "b+c@b.example", "--tenant", "acme"],
        &["domain", "add", "localhost", "--tenant", "acme"],
        &["group", "add", "bad", "--member", "a@b.example", "--tenant", "acme"],
        &["list", "add", "bad", "--tenant", "acme"],
        &["app-password", "add", "a@b.example", "--protocol", "imap", "--device", &long],
    ] {
        check_trouble(&[words, &nowhere].concat(), 2);
    }
    check_trouble(&["demo", "--port-base", "high"], 2);
    check_trouble(&["demo", "--port-base", "65500"], 2);
    check_trouble(&["soak", "--minutes", "0"], 2);
    check_trouble(&["help", "dance"], 2);
    for words in [&["scan"][..], &["sigma"], &["run", "--config"], &["keys", "reseal", "--config"]]
    {
        check_trouble(&[words, &["/nowhere/at/all"]].concat(), 3);
    }
    let files = ["certificate", "install", "--chain", "/nowhere/at/all", "--key", "/nowhere"];
    check_trouble(&files, 3);
    let list = ["domain", "gateway", "example.net", "--recipients", "/nowhere/at/all"];
    check_trouble(&[&list[..], &["--data", &data]].concat(), 3);
    check_trouble(&["tenant", "list", "--data", "/nowhere/at/all"], 3);
    check_trouble(&["ledger", "verify", "--data", "/nowhere/at/all"], 3);
}

/// `sekisho help | true`: who has read enough is no fault.
#[test]
fn a_reader_who_goes_away_is_no_fault() {
    for words in [&["help"][..], &["help", "tenant"], &["version"], &["tenant", "dance"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(super::house::binary());
        let run = command.args(words).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!said.contains("panicked"), "{words:?}: {said}");
        let code = if words == ["tenant", "dance"] { 2 } else { 0 };
        assert_eq!(run.status.code(), Some(code), "{words:?}: {said}");
    }
}

#[test]
fn what_was_refused_leaves_nothing_behind() {
    let home = folder("leaves-nothing");
    let data = home.join("data");
    let unseal = home.join("unseal");
    std::fs::write(&unseal, "").unwrap();
    let words = ["init", "--data", data.to_str().unwrap(), "--unseal", unseal.to_str().unwrap()];
    assert_eq!(command(&words).1, 1);
    assert!(!data.exists());
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base = (taken.local_addr().unwrap().port() - 25).to_string();
    let words = ["demo", "--port-base", &base, "--data", data.to_str().unwrap()];
    assert_eq!(command(&words).1, 3);
    let wrong = ["--outside", "1", "--outside-authority", "/nowhere/at/all"];
    assert_eq!(command(&[&words[..1], &words[3..], &wrong].concat()).1, 3);
    assert!(!data.exists() && !home.join("data.unseal").exists());
}

#[test]
fn a_folder_is_initialised_once() {
    let home = folder("init-twice");
    let data = home.join("data");
    let data = data.to_str().unwrap();
    let unseal = |name: &str| home.join(name).to_str().unwrap().to_owned();
    assert_eq!(command(&["init", "--data", data, "--unseal", &unseal("first")]).1, 0);
    let (value, code) = command(&["init", "--data", data, "--unseal", &unseal("second")]);
    assert_eq!(code, 1, "{value}");
    assert!(value["error"].as_str().unwrap().contains("initialised already"), "{value}");
    assert!(!home.join("second").exists());
}

#[test]
fn people_read_in_their_language() {
    let demo = shared();
    let data = demo.data().to_str().unwrap();
    let scope =
        ["scope", "--component", "edge", "--from", "0", "--to", "4102444800000", "--data", data];
    for (language, word) in [("ja_JP.UTF-8", "封じ込め"), ("en_GB.UTF-8", "contained")] {
        let (said, _, code) = plainly(&scope, language);
        assert_eq!(code, 0);
        assert!(said.contains(word), "{said}");
    }
    // Names stand where the ledger has ids; programs get both.
    let all = ["scope", "--component", "edge", "--from", "0", "--to", "4102444800000"];
    for more in [&[][..], &["--statement"]] {
        let words = [&all[..], more].concat();
        let (said, _, _) = plainly(&[&words[..], &["--data", data]].concat(), "C");
        assert!(said.contains("  Example Japan: "), "{said}");
        let (value, _) = demo.ask(&words);
        assert!(value.to_string().contains(r#""tenant_name":"Example Japan""#), "{value}");
    }
    // Errors and help too, by the environment or by a word.
    let (_, said, code) = plainly(&["tenant", "dance"], "ja_JP.UTF-8");
    assert!(code == 2 && said.contains("必要なもの: add、list"), "{said}");
    let (_, said, _) = plainly(&["tenant", "show", "No One", "--data", data, "--lang", "ja"], "C");
    assert!(said.contains("ヒント: ") && said.contains("tenant list"), "{said}");
    let (_, said, _) = plainly(&["tenant", "dance", "--lang=en"], "ja_JP.UTF-8");
    assert!(said.starts_with("sekisho: expected add, list"), "{said}");
    let (said, _, _) = plainly(&["help", "quarantine"], "ja_JP.UTF-8");
    assert!(said.starts_with("# 隔離したメール"), "{said}");
    // A name will do where an id had to be looked up.
    let to = folder("view-by-name");
    let words = ["ledger", "view", "--tenant", "Example Japan", "--user", "aoi@example.jp"];
    let (value, code) = demo.ask(&[&words[..], &["--to", to.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{value}");
    let (shown, _) = demo.ask(&["tenant", "show", "Example Japan"]);
    assert_eq!(value["tenant"], shown["id"]);
}

#[test]
fn an_organisation_is_set_up() {
    let demo = Demo::fresh("setup");
    let (value, code) = demo.ask(&["tenant", "add", "New House"]);
    assert_eq!((code, value["tenant"].as_str()), (0, Some("New House")), "{value}");
    let (value, code) = demo.ask(&["domain", "add", "new.example", "--tenant", "New House"]);
    assert_eq!(code, 0, "{value}");
    check_fields(&value, &["domain", "tenant", "records", "mta_sts_policy", "decoy"]);
    let keys = |value: &Value| {
        let records = value["records"].as_array().unwrap().iter();
        let keys = records.filter(|one| one["name"].as_str().unwrap().contains("._domainkey."));
        keys.map(|one| one["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let made = keys(&value);
    assert!(made[0].starts_with("v=DKIM1; k=rsa;") && made[1].starts_with("v=DKIM1; k=ed25519;"));
    let (value, code) = demo.ask(&["domain", "keys", "New.Example."]);
    assert_eq!((code, keys(&value)), (0, made.clone()), "{value}");
    // A next pair; it does not sign before it stands in the DNS, but for who says so.
    let (value, code) = demo.ask(&["domain", "rotate-keys", "new.example"]);
    assert_eq!((code, keys(&value).len(), &keys(&value)[..2]), (0, 4, &made[..]), "{value}");
    let (value, code) = demo.ask(&["domain", "rotate-keys", "new.example"]);
    assert_eq!(code, 1, "{value}");
    let words = ["domain", "rotate-keys", "new.example", "--dangerous-unchecked"];
    let (value, code) = demo.ask(&words);
    let states: Vec<&str> = value["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!((code, states), (0, vec!["rests", "rests", "signs", "signs"]), "{value}");
    let (value, code) = demo.ask(&["domain", "rotate-keys", "new.example", "--retire"]);
    assert_eq!((code, keys(&value).len()), (0, 2), "{value}");
    let words =
        ["user", "add", "kei@new.example", "--tenant", "New House", "--alias", "k@new.example"];
    let (value, code) = demo.ask(&words);
    assert_eq!(code, 0, "{value}");
    check_fields(&value, &["user", "address", "password"]);
    let words =
        ["app-password", "add", "kei@new.example", "--protocol", "imap", "--device", "desk"];
    let (value, code) = demo.ask(&words);
    assert_eq!(code, 0, "{value}");
    check_fields(&value, &["id", "secret"]);
    let (id, secret) = (value["id"].as_str().unwrap(), value["secret"].as_str().unwrap());
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let sent = super::letters::letter("welcome", "a first letter");
    let reply = sender.letter("carol@sender.example", &["k@new.example"], &sent).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    let mut reader = Reader::connect(&demo.port("imaps"), &demo.authority()).unwrap();
    reader.must(&format!("LOGIN kei@new.example {secret}"));
    assert_eq!(reader.exists("INBOX"), 1);
    // Beyond the quota nothing is kept, and the sender is told to come back.
    let (value, code) = demo.ask(&["user", "quota", "kei@new.example", "--mib", "1"]);
    assert_eq!((code, &value["limit_bytes"]), (0, &Value::from(1024 * 1024)), "{value}");
    let long = super::letters::letter("long", &"a line that is not short\r\n".repeat(50_000));
    let reply = sender.letter("carol@sender.example", &["kei@new.example"], &long).unwrap();
    assert_eq!(reply.code, 452, "{reply:?}");
    let (value, code) = demo.ask(&["user", "quota", "kei@new.example", "--mib", "5"]);
    assert_eq!(code, 0, "{value}");
    let reply = sender.letter("carol@sender.example", &["kei@new.example"], &long).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    let (value, _) = demo.ask(&["user", "quota", "kei@new.example"]);
    assert!(value["used_bytes"].as_u64().unwrap() > 1024 * 1024, "{value}");
    let (value, code) = demo.ask(&["user", "quota", "kei@new.example", "--mib", "0"]);
    assert_eq!(code, 2, "{value}");
    let (value, code) = demo.ask(&["app-password", "revoke", id]);
    assert_eq!(code, 0, "{value}");
    let mut late = Reader::connect(&demo.port("imaps"), &demo.authority()).unwrap();
    assert!(!late.say(&format!("LOGIN kei@new.example {secret}")).is_ok());
    let (value, code) = demo.ask(&["user", "reset", "kei@new.example"]);
    assert_eq!(code, 0, "{value}");
    assert!(value["password"].is_string(), "{value}");
    let (value, code) = demo.ask(&["user", "disable", "kei@new.example"]);
    assert_eq!(code, 0, "{value}");
    let mut sender = Sender::greeted(&demo.port("smtp"));
    let reply = sender.letter("carol@sender.example", &["kei@new.example"], &sent).unwrap();
    assert_eq!(reply.code, 550, "{reply:?}");
    // What one operator does alone is recorded as such.
    let entries = demo.entries();
    let is_weakened = |entry: &&Value| entry.to_string().contains("single-operator");
    assert!(entries.iter().filter(is_weakened).count() >= 2, "no entry says single-operator");
}

#[test]
fn quarantine_is_read_after_release() {
    let demo = Demo::with_sample("quarantine");
    let (value, _) = demo.ask(&["quarantine", "list"]);
    let item = value["items"][0].clone();
    let (id, recipient) = (item["id"].as_str().unwrap(), item["recipient"].as_str().unwrap());
    // Whether it is what somebody names: by an address of it, and not by another.
    let (found, _) = demo.ask(&["quarantine", "show", id, "--about", recipient]);
    assert_eq!(found["is_it"], true, "{found}");
    let (found, _) = demo.ask(&["quarantine", "show", id, "--about", "no-one@nowhere.example"]);
    assert_eq!(found["is_it"], false, "{found}");
    let (found, _) = demo.ask(&["quarantine", "list", "--about", recipient]);
    let items = found["items"].as_array().unwrap();
    assert!(items.iter().any(|one| one["id"] == id) && found["not_shown"]["ja"].is_string());
    let (found, _) = demo.ask(&["quarantine", "list", "--about", "no-one@nowhere.example"]);
    assert!(found["items"].as_array().unwrap().is_empty(), "{found}");
    let mut reader = Reader::sign_in(&demo, recipient);
    let before = reader.exists("INBOX");
    let (value, code) = demo.ask(&["quarantine", "release", id]);
    assert_eq!(code, 0, "{value}");
    assert_eq!(reader.exists("INBOX"), before + 1);
    let newest = reader.must(&format!("FETCH {} BODY.PEEK[]", before + 1)).literals();
    assert!(newest[0].len() > 300);
    let (value, _) = demo.ask(&["quarantine", "list"]);
    let items = value["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["id"] != id), "{value}");
    check_trouble(&["quarantine", "release", id, "--data", demo.data().to_str().unwrap()], 1);
}

/// Who is shut out is out at once: no word of theirs changes or deletes anything any more.
#[test]
fn a_disabled_person_s_connections_end_at_once() {
    let demo = Demo::fresh("shut-out");
    let mut other = Reader::inbox(&demo, "aoi@example.jp");
    let mut reader = Reader::inbox(&demo, "haru@example.jp");
    reader.must("NOOP");
    reader.patience(std::time::Duration::from_secs(20));
    assert_eq!(demo.ask(&["user", "disable", "haru@example.jp"]).1, 0);
    // The process that serves them is ended: the line is dead without another word.
    assert!(reader.line().is_err());
    other.must("NOOP");
    assert!(Reader::try_sign_in(&demo, &demo.account("haru@example.jp")).is_err());
    assert_eq!(demo.ask(&["user", "enable", "haru@example.jp"]).1, 0);
    Reader::sign_in(&demo, "haru@example.jp").must("SELECT INBOX");
}

/// A start-up file that does not fit is wrong use, whatever is wrong with it; a folder of it that
/// is not there is told before anybody starts the house.
#[test]
fn a_start_up_file_is_looked_at_before_the_start() {
    let home = folder("start-up-file");
    let file = home.join("sekisho.toml");
    let path = file.to_str().unwrap();
    let texts: [&[u8]; 4] =
        [b"# \x8a\xd6", b"[queue]\nlate_seconds = 0", b"[house", b"[dns]\nport = 0"];
    for octets in texts {
        std::fs::write(&file, octets).unwrap();
        for word in ["run", "doctor"] {
            check_trouble(&[word, "--config", path], 2);
            let (value, _) = command(&[word, "--config", path]);
            let error = value["error"].as_str().unwrap();
            assert!(error.contains(&format!("({path}, line ")), "{error}");
            assert!(!error.contains(['{', '\n', '␊']), "{error}");
        }
    }
    std::fs::write(&file, format!("[house]\ndata = {:?}", home.join("not/here"))).unwrap();
    let (told, code) = command(&["doctor", "--config", path]);
    assert_eq!((code, &told["data_folder"]["is_there"]), (1, &serde_json::json!(false)), "{told}");
    assert!(told["weakened"].to_string().contains("not/here is not there: `run` does"), "{told}");
    std::fs::remove_dir_all(&home).unwrap();
}
