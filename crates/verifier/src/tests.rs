//! A certificate as the house writes one, and altered in every place.

use crate::answer;
use data_encoding::{BASE64, HEXLOWER};
use evidence::{Author, Body, Digest, Entry, Frame, Word, rfc3339};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use terms::{HoldId, InstanceId, Kind, TenantId};
use tlog::{Checkpoint, CompactRange, Cosigner, Note, NoteSigner, SignedCheckpoint};
use tlog::{Hash, leaf_hash};
use witness::LatticeCosigner;

const T: TenantId = TenantId([5; 8]);
const SALT: [u8; 16] = [6; 16];

/// Every node of a small tree, by height and number.
struct Nodes(Vec<(u8, u64, Hash)>);

impl tlog::NodeSource for Nodes {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        let is_it = |one: &&(u8, u64, Hash)| (one.0, one.1) == (height, index);
        self.0.iter().find(is_it).map(|one| one.2)
    }
}

struct House {
    frames: Vec<Vec<u8>>,
    warden: Author,
    vault: Author,
    directory: Author,
}

impl House {
    fn new() -> Self {
        let author = |kind, number: u8| Author::new(kind, InstanceId([number; 6]), &[number; 32]);
        let mut house = Self {
            frames: Vec::new(),
            warden: author(Kind::Warden, 1),
            vault: author(Kind::Vault, 2),
            directory: author(Kind::Directory, 3),
        };
        let keys = [
            (house.warden.start(), Kind::Warden, house.warden.public_key()),
            (house.vault.start(), Kind::Vault, house.vault.public_key()),
            (house.directory.start(), Kind::Directory, house.directory.public_key()),
        ];
        for (instance, kind, key) in keys {
            house.say(
                Kind::Warden,
                Body::ProcessStart {
                    instance,
                    kind,
                    pid: 1,
                    version: Word::new("1"),
                    zygote: None,
                    key: Some(key),
                    serves: None,
                },
            );
        }
        house
    }

    fn say(&mut self, kind: Kind, body: Body) {
        let author = match kind {
            Kind::Warden => &mut self.warden,
            Kind::Vault => &mut self.vault,
            _ => &mut self.directory,
        };
        let time_ms = 1_796_000_000_000 + self.frames.len() as u64;
        self.frames.push(author.sign(time_ms, body).unwrap());
    }
}

/// The log of an ended contract.
fn lived() -> House {
    let mut house = House::new();
    let tenant = Some(T);
    let key = |what: &str| (Word::new(what), tenant);
    let hold = |placed| Body::Hold { hold: HoldId([4; 8]), placed, tenant: T, user: None };
    house.say(Kind::Directory, hold(true));
    let what = Word::new("tenant.outlet");
    house.say(
        Kind::Directory,
        Body::RuleChange { what, tenant, user: None, weakened: None, by: None, credential: None },
    );
    let (what, tenant) = key("smart-host");
    house.say(Kind::Vault, Body::KeyCreate { what, epoch: 0, tenant, user: None });
    house.say(Kind::Vault, Body::Heartbeat {});
    house.say(Kind::Directory, hold(false));
    let state = Word::new("destroying");
    house.say(Kind::Directory, Body::Ending { tenant: T, state, until_ms: None, user: None });
    let (what, tenant) = key("tenant");
    house.say(Kind::Vault, Body::KeyShred { what, epoch: 0, tenant, user: None });
    house.say(
        Kind::Directory,
        Body::Destroyed {
            tenant: T,
            users: 3,
            messages: 40,
            bytes: 50_000,
            rows: 60,
            last_open_ms: 1_796_000_000_000,
            user: None,
            name: Some(Digest::of_name(&SALT, "Example Net")),
        },
    );
    house.say(Kind::Vault, Body::Heartbeat {});
    house
}

/// As `sekisho tenant certificate` writes it, without the places in `left_out`.
fn certificate(house: &House, left_out: &[u64]) -> Value {
    let mut nodes = Nodes(Vec::new());
    let mut range = CompactRange::new();
    for frame in &house.frames {
        let mut note = |height, index, node| nodes.0.push((height, index, node));
        range.append(leaf_hash(frame), &mut note);
    }
    let size = range.size();
    let checkpoint = Checkpoint::new("ledger.example", size, range.root());
    let text = checkpoint.to_text();
    let signer = NoteSigner::new("ledger.example", &[7; 32]).unwrap();
    let mirror = Cosigner::new("mirror.example", &[8; 32]).unwrap();
    let witness = Cosigner::new("witness.example", &[9; 32]).unwrap();
    let lattice = LatticeCosigner::new("lattice.example", &[9; 32]).unwrap();
    let signatures = vec![
        signer.sign(&text),
        mirror.cosign(1_796_000_001, &text),
        witness.cosign(1_796_000_002, &text),
        lattice.cosign(1_796_000_003, &checkpoint).unwrap(),
    ];
    let note = Note { text, signatures }.to_text();
    assert!(SignedCheckpoint::parse(note.as_bytes()).is_some());
    let item = |index: u64| {
        let leaf = &house.frames[index as usize];
        let entry = Frame::parse(leaf).unwrap().entry;
        let hashes = tlog::inclusion_proof(&nodes, index, size).unwrap();
        let hashes: Vec<String> = hashes.into_iter().map(Hash::to_base64).collect();
        json!({
            "entry": serde_json::from_str::<Value>(&entry.to_json(index)).unwrap(),
            "index": index,
            "tree_size": size,
            "leaf": BASE64.encode(leaf),
            "leaf_hash": HEXLOWER.encode(&leaf_hash(leaf).0),
            "inclusion": hashes,
        })
    };
    let entry =
        |index: u64| -> Entry { Frame::parse(&house.frames[index as usize]).unwrap().entry };
    let some = |places: &[u64]| -> Vec<Value> {
        places.iter().filter(|place| !left_out.contains(place)).map(|place| item(*place)).collect()
    };
    json!({
        "certificate": "destruction",
        "contract": "Example Net",
        "name_salt": HEXLOWER.encode(&SALT),
        "tenant_id": T.to_string(),
        "user_id": null,
        "destroyed": rfc3339(entry(10).time_ms),
        "last_moment_any_copy_could_open": rfc3339(1_796_000_000_000),
        "users": 3,
        "messages": 40,
        "bytes": 50_000,
        "rows": 60,
        "sign_ins_revoked": 1,
        "outlets_revoked": 1,
        "holds_at_the_end": 0,
        "entry": item(10),
        "history": some(&[3, 4, 5, 7, 8, 9, 10]),
        "authors": some(&[0, 1, 2]),
        "checkpoint": note,
        "cosigned": true,
        "size": size,
        "root": range.root().to_base64(),
        "ledger_key": signer.verifier().to_text(),
        "mirror_key": mirror.public().to_text(),
    })
}

/// What the program says of a certificate; `name` keeps tests apart.
fn said(name: &str, paper: &Value, more: &[&str]) -> (u8, Value) {
    let file: PathBuf =
        std::env::temp_dir().join(format!("sekisho-verify-{}-{name}.json", std::process::id()));
    std::fs::write(&file, paper.to_string()).unwrap();
    let mut words = vec!["certificate".to_owned(), file.display().to_string(), "--json".to_owned()];
    words.extend(more.iter().map(|word| (*word).to_owned()));
    let found = answer(words);
    std::fs::remove_file(&file).unwrap();
    let value = serde_json::from_str(&found.text).unwrap_or(Value::Null);
    (found.code, value)
}

#[test]
fn a_certificate_is_right_with_the_keys_that_were_given() {
    let paper = certificate(&lived(), &[]);
    let (code, found) = said("right", &paper, &[]);
    assert_eq!(code, 0, "{found}");
    assert_eq!(found["entries"], 10);
    assert_eq!(found["cosigned_at"], 1_796_000_001);
    let key = |name: &str| paper[name].as_str().unwrap().to_owned();
    let (ledger, mirror) = (key("ledger_key"), key("mirror_key"));
    let given = ["--ledger-key", &ledger, "--mirror-key", &mirror];
    let (code, found) = said("given", &paper, &given);
    assert_eq!(code, 0, "{found}");
    assert!(!found["notes"].to_string().contains("believed"), "{found}");
    let other = NoteSigner::new("ledger.example", &[1; 32]).unwrap().verifier().to_text();
    assert_eq!(said("other", &paper, &["--ledger-key", &other]).0, 1);
    // A witness has signed, or it has not.
    let witness = Cosigner::new("witness.example", &[9; 32]).unwrap().public().to_text();
    let (code, found) = said("witness", &paper, &["--witness-key", &witness]);
    assert_eq!((code, found["witnessed_at"].as_u64()), (0, Some(1_796_000_002)), "{found}");
    let lattice = LatticeCosigner::new("lattice.example", &[9; 32]).unwrap().public().to_text();
    let (code, found) = said("lattice", &paper, &["--witness-key", &lattice]);
    assert_eq!((code, found["witnessed_at"].as_u64()), (0, Some(1_796_000_003)), "{found}");
    let stranger = Cosigner::new("witness.example", &[1; 32]).unwrap().public().to_text();
    assert_eq!(said("stranger", &paper, &["--witness-key", &stranger]).0, 1);
}

#[test]
fn whatever_is_altered_is_named() {
    let right = certificate(&lived(), &[]);
    let mut places = Vec::new();
    leaves_of(&right, String::new(), &mut places);
    assert!(places.len() > 100, "{places:?}");
    for place in places {
        let mut paper = right.clone();
        let value = paper.pointer_mut(&place).unwrap();
        *value = match &*value {
            Value::Null => json!("x"),
            Value::Bool(one) => json!(!*one),
            Value::Number(one) => json!(one.as_u64().unwrap() + 1),
            // Within its alphabet, so that it is read as what it was.
            Value::String(text) => match text.strip_prefix('A') {
                Some(rest) => json!(format!("B{rest}")),
                None => json!(format!("A{}", text.get(1..).unwrap_or_default())),
            },
            Value::Array(_) => json!(["x"]),
            Value::Object(_) => continue,
        };
        let (code, found) = said("altered", &paper, &[]);
        assert_eq!(code, 1, "{place}: {found}");
        // The field is named; of keys and checkpoint, what does not fit any more.
        let field = place.split('/').nth(1).unwrap();
        let told = found["problems"].to_string();
        let of_keys = matches!(field, "ledger_key" | "mirror_key" | "checkpoint");
        let of_name = field == "name_salt" && told.contains("`contract`");
        assert!(told.contains(&format!("`{field}")) || of_keys || of_name, "{place}: {told}");
    }
}

fn leaves_of(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves_of(value, format!("{at}/{name}"), places);
            }
        }
        Value::Array(items) => {
            places.push(at.clone());
            for (number, value) in items.iter().enumerate() {
                leaves_of(value, format!("{at}/{number}"), places);
            }
        }
        _ => places.push(at),
    }
}

#[test]
fn what_is_lacking_or_too_much_is_named() {
    let house = lived();
    let check = |paper: &Value, expected: &str| {
        let (code, found) = said("lacking", paper, &[]);
        assert_eq!(code, 1, "{expected}: {found}");
        assert!(found["problems"].to_string().contains(expected), "{expected}: {found}");
    };
    let right = certificate(&house, &[]);
    for field in right.as_object().unwrap().keys() {
        let mut paper = right.clone();
        paper.as_object_mut().unwrap().remove(field);
        let (code, found) = said("removed", &paper, &[]);
        assert_eq!(code, 1, "{field}: {found}");
    }
    let mut paper = right.clone();
    paper["thanks"] = json!("everything was handed over");
    check(&paper, "`thanks` is no field");
    let mut paper = right.clone();
    paper["entry"]["comment"] = json!("x");
    check(&paper, "`entry.comment` is no field");
    // Who signed must have been named, and the keys must have gone.
    check(&certificate(&house, &[2]), "an author whom nobody named");
    check(&certificate(&house, &[9]), "no entry of the history says that the keys were destroyed");
    // The sign-in is not counted any more, and the certificate says that there was one.
    check(&certificate(&house, &[5]), "`sign_ins_revoked`: the certificate says 1, the evidence 0");
    check(&certificate(&house, &[10]), "`entry` does not stand in the history");
    let mut paper = right.clone();
    let stranger = paper["authors"][0].clone();
    paper["history"].as_array_mut().unwrap().insert(0, stranger);
    check(&paper, "entry 0 of the history is not about this contract");
}

#[test]
fn an_entry_that_its_author_did_not_sign_is_found() {
    // Whoever holds the keys of ledger and mirror can write a tree, and no author's signature.
    let mut house = lived();
    let last = house.frames[10].len() - 1;
    house.frames[10][last] ^= 1;
    let (code, found) = said("unsigned", &certificate(&house, &[]), &[]);
    assert_eq!(code, 1);
    assert!(found["problems"].to_string().contains("entry 10 is not signed by its author"));
}

#[test]
fn both_languages_say_it() {
    let mut paper = certificate(&lived(), &[]);
    paper["messages"] = json!(41);
    let file = std::env::temp_dir().join(format!("sekisho-verify-{}.json", std::process::id()));
    std::fs::write(&file, paper.to_string()).unwrap();
    let told = |language: &str| {
        let words = ["certificate", file.to_str().unwrap(), "--lang", language];
        answer(words.iter().map(|word| (*word).to_owned()).collect())
    };
    let (english, japanese) = (told("en"), told("ja"));
    std::fs::remove_file(&file).unwrap();
    assert_eq!((english.code, japanese.code), (1, 1));
    let expected = "problem: `messages`: the certificate says 41, the evidence 40";
    assert!(english.text.contains(expected), "{}", english.text);
    let expected = "問題: `messages`: 証明書には 41、証跡には 40 とある";
    assert!(japanese.text.contains(expected), "{}", japanese.text);
    assert!(japanese.text.contains("契約: Example Net"), "{}", japanese.text);
    let nothing = answer(vec!["certificate".to_owned(), "/nowhere/at/all".to_owned()]);
    assert_eq!(nothing.code, 3);
    assert!(nothing.text.contains("certificate.json"), "{}", nothing.text);
}

/// What the program says, in plain sentences or in JSON, of a file or folder.
fn told(words: &[&str]) -> crate::Answer {
    answer(words.iter().map(|word| (*word).to_owned()).collect())
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sekisho-verify-{}-{name}", std::process::id()))
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let text = certificate(&lived(), &[]).to_string();
    let file = temporary("twice.json");
    let check = |changed: String, name: &str| {
        std::fs::write(&file, &changed).unwrap();
        let found = told(&["certificate", file.to_str().unwrap(), "--json"]);
        assert_eq!(found.code, 3, "{}", found.text);
        assert!(found.text.contains(&format!("`{name}` stands twice")), "{}", found.text);
    };
    check(text.replacen('{', "{\"contract\":\"Other Corp\",", 1), "contract");
    check(text.replacen("\"leaf\":", "\"leaf\":\"\",\"leaf\":", 1), "leaf");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn what_a_judged_file_quotes_cannot_move_on_the_terminal() {
    let mut paper = certificate(&lived(), &[]);
    paper["contract"] = json!("Other\u{1b}[1A\u{1b}[2Kright\n\u{202e}");
    paper["x\u{1b}[2J\nright"] = json!(1);
    let file = temporary("moves.json");
    std::fs::write(&file, paper.to_string()).unwrap();
    let path = file.to_str().unwrap();
    for words in [vec!["certificate", path], vec!["certificate", path, "--json"]] {
        let found = told(&words);
        assert_eq!(found.code, 1);
        assert!(found.text.lines().all(terms::plain::is_plain), "{}", found.text);
        assert!(
            !found.text.lines().skip(1).any(|line| line.starts_with("right")),
            "{}",
            found.text
        );
    }
    let found = told(&["certificate", "/nowhere/\u{1b}[2J\nright"]);
    assert!(found.text.lines().all(terms::plain::is_plain) && found.text.lines().count() == 2);
    std::fs::remove_file(&file).unwrap();
}

/// A view that shows every entry of a house, with what is said of it.
fn view_of(house: &House, name: &str, said: &str) -> PathBuf {
    let (folder, paper) = (temporary(name), certificate(house, &[]));
    std::fs::create_dir_all(&folder).unwrap();
    let mut entries = Vec::new();
    for frame in &house.frames {
        entries.push(1);
        entries.extend_from_slice(&u16::try_from(frame.len()).unwrap().to_be_bytes());
        entries.extend_from_slice(frame);
    }
    entries.push(0);
    std::fs::write(folder.join("entries"), entries).unwrap();
    for (file, field) in
        [("checkpoint", "checkpoint"), ("ledger.pub", "ledger_key"), ("mirror.pub", "mirror_key")]
    {
        std::fs::write(folder.join(file), paper[field].as_str().unwrap()).unwrap();
    }
    std::fs::write(folder.join("view.json"), said).unwrap();
    folder
}

#[test]
fn what_a_view_says_of_itself_is_held_against_its_entries() {
    let house = lived();
    let root = certificate(&house, &[])["root"].clone();
    let right = json!({
        "tenant": T.to_string(),
        "user": null,
        "from_ms": 1_796_000_000_000u64,
        "until_ms": 1_796_000_000_100u64,
        "entries": house.frames.len(),
        "size": house.frames.len(),
        "root": root,
        "to": "/anywhere",
    });
    let check = |said: &str, expected: Option<&str>| {
        let folder = view_of(&house, "view", said);
        let found = told(&["view", folder.to_str().unwrap(), "--lang", "en"]);
        assert_eq!(found.code, u8::from(expected.is_some()), "{said}: {}", found.text);
        assert!(found.text.contains(expected.unwrap_or("nobody signed it")), "{}", found.text);
        let named = format!("entries that name contract {T}: 7");
        assert!(found.text.contains(&named), "{}", found.text);
        std::fs::remove_dir_all(folder).unwrap();
    };
    check(&right.to_string(), None);
    let changed = |field: &str, value: Value, expected: &str| {
        let mut said = right.clone();
        said[field] = value;
        check(&said.to_string(), Some(expected));
    };
    changed("tenant", json!(TenantId([6; 8]).to_string()), "names others than `view.json` says");
    changed("tenant", json!("x"), "`tenant` cannot be read");
    changed("user", json!(terms::UserId([6; 8]).to_string()), "names others than");
    changed("from_ms", json!(1_796_000_000_005u64), "is of another time than `view.json` says");
    changed("until_ms", json!(1_796_000_000_008u64), "is of another time than");
    changed("size", json!(11), "`size` says 11, the entries 12");
    changed("entries", json!(1), "`entries` says 1");
    changed("root", json!("x"), "`root` says \"x\"");
    changed("thanks", json!("x"), "`thanks` is no field");
    let twice = right.to_string().replacen('{', "{\"size\":1,", 1);
    check(&twice, Some("`size` stands twice"));
    check("{", Some("`view.json` cannot be read"));
}

/// A mirror's folder as an earlier version wrote it, in a place of its own.
fn a_mirror(name: &str) -> PathBuf {
    let to = std::env::temp_dir().join(format!("verifier-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&to);
    std::fs::create_dir_all(&to).unwrap();
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ledger/tests/before/mirror");
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to
}

/// On a mirror alone a scope says that, and no more; on one that was changed it says so above the
/// figures, which are of what is left.
#[test]
fn a_scope_says_what_of_it_was_checked() {
    let folder = a_mirror("scope");
    let ask = |language: &str, more: &[&str]| {
        let mut words = vec!["scope", folder.to_str().unwrap(), "--component", "access"];
        words.extend(["--from", "0", "--to", "9999999999999", "--lang", language]);
        words.extend(more);
        answer(words.into_iter().map(str::to_owned).collect())
    };
    let right = ask("en", &[]);
    assert_eq!(right.code, 0, "{}", right.text);
    assert!(right.text.contains("the mirror's whole copy was checked, without the ledger"));
    assert!(!right.text.contains("ledger and its mirror"), "{}", right.text);
    assert!(ask("ja", &[]).text.contains("写し全体を検査済み"));
    lists_what_it_counts(&folder);
    let seen = folder.join("memory");
    std::fs::write(&seen, "junk").unwrap();
    let junk = ask("en", &["--seen", seen.to_str().unwrap()]);
    assert_eq!(junk.code, 1, "{}", junk.text);
    assert!(
        junk.text.contains("problem: what was seen before holds no checkpoint"),
        "{}",
        junk.text
    );
    assert_eq!(std::fs::read(&seen).unwrap(), b"junk");
    let junk = ask("ja", &["--seen", seen.to_str().unwrap()]);
    assert!(junk.text.contains("以前に見たものが読めない"), "{}", junk.text);
    let log = folder.join("log");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let wrong = ask("en", &[]);
    assert_eq!(wrong.code, 1, "{}", wrong.text);
    for word in ["found wanting\n", "attention: ", "problem: ", "checked and found wanting"] {
        assert!(wrong.text.contains(word), "{word}: {}", wrong.text);
    }
    let basis = wrong.text.lines().find(|line| line.starts_with("basis: ")).unwrap();
    assert!(!basis.contains("not checked"), "{basis}");
    // A pipe in the log's place is no log, and is not waited for.
    std::fs::remove_file(&log).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&log).status().unwrap().success());
    assert_eq!(ask("en", &[]).code, 3);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A mirror's folder whose newest checkpoint is cosigned with ML-DSA-44 as well.
fn cosigned_twice(name: &str) -> (PathBuf, LatticeCosigner, SignedCheckpoint) {
    let folder = std::env::temp_dir().join(format!("verifier-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let ledger = NoteSigner::new(tlog::LOG_ORIGIN, &[7; 32]).unwrap();
    let mirror = Cosigner::new("mirror.example", &[8; 32]).unwrap();
    let volumes = annals::Segments::volumes(&folder).unwrap();
    let (mut store, _) = tlog::Store::open(volumes, None, |_| true, |_, _| {}).unwrap();
    lived().frames.iter().for_each(|frame| assert!(store.stage(frame).is_some()));
    let checkpoint = store.checkpoint(tlog::LOG_ORIGIN);
    let text = checkpoint.to_text();
    let signatures = vec![ledger.sign(&text), mirror.cosign(1_796_000_001, &text)];
    let signed = SignedCheckpoint { note: Note { text, signatures }, checkpoint };
    store.write(signed.clone()).unwrap();
    store.flush().unwrap();
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    put(annals::names::PUBLIC, mirror.public().to_text());
    put(annals::names::LEDGER, ledger.verifier().to_text());
    put(annals::names::CHECKPOINT, signed.note.to_text());
    let lattice = LatticeCosigner::beside("mirror.example", &[8; 32]).unwrap();
    put(annals::names::LATTICE_KEY, lattice.public().to_text());
    let mut twice = signed;
    twice.note.signatures.push(lattice.cosign(1_796_000_009, &twice.checkpoint).unwrap());
    put(annals::names::LATTICE, twice.note.to_text());
    (folder, lattice, twice)
}

#[test]
fn a_mirrors_lattice_line_is_checked() {
    let (folder, lattice, signed) = cosigned_twice("lattice");
    let ask = |more: &[&str]| {
        let words = ["mirror", folder.to_str().unwrap()].into_iter().chain(more.iter().copied());
        answer(words.map(str::to_owned).collect())
    };
    let key = lattice.public().to_text();
    let found: Value = serde_json::from_str(&ask(&["--json"]).text).unwrap();
    assert_eq!(found["ok"], true, "{found}");
    assert_eq!(found["cosigned_ml_dsa_44_at"], 1_796_000_009);
    assert_eq!(found["cosigned_ml_dsa_44_size"], found["size"]);
    assert_eq!(found["mirror_ml_dsa_44_key"].as_str(), Some(&*key));
    let check = |more: &[&str], problem: Option<&str>| {
        let found = ask(&[more, &["--lang", "en"]].concat());
        assert_eq!(found.code, u8::from(problem.is_some()), "{problem:?}: {}", found.text);
        let said = problem.map(|problem| format!("problem: {problem}"));
        assert!(said.is_none_or(|said| found.text.contains(&said)), "{problem:?}: {}", found.text);
        let japanese = ask(&[more, &["--lang", "ja"]].concat()).text;
        let told = japanese.lines().filter(|line| line.starts_with("問題: "));
        assert!(told.clone().count() > 0 || problem.is_none(), "{japanese}");
        assert!(told.clone().all(|line| !line.is_ascii() && line.contains("写し")), "{japanese}");
    };
    let given = ["--mirror-ml-dsa-44-key", &key];
    check(&given, None);
    let other = LatticeCosigner::new("mirror.example", &[1; 32]).unwrap().public().to_text();
    let not_given = "the mirror's ML-DSA-44 key is not the one that was given";
    check(&["--mirror-ml-dsa-44-key", &other], Some(not_given));
    let file = folder.join(annals::names::LATTICE);
    let put = |signed: &SignedCheckpoint| std::fs::write(&file, signed.note.to_text()).unwrap();
    // One bit of its line, the line itself, and another tree's line.
    let lacks = "the checkpoint that the mirror cosigned with ML-DSA-44 lacks a signature";
    for at in [0, 8, 1_000, 2_427] {
        let mut tampered = signed.clone();
        tampered.note.signatures[2].bytes[at] ^= 1;
        put(&tampered);
        check(&[], Some(lacks));
    }
    let mut without = signed.clone();
    without.note.signatures.truncate(2);
    put(&without);
    check(&[], Some(lacks));
    let mut without = signed.clone();
    without.note.signatures.remove(0);
    put(&without);
    check(&[], Some(lacks));
    std::fs::write(&file, "junk").unwrap();
    check(&[], Some("the checkpoint that the mirror cosigned with ML-DSA-44 cannot be read"));
    // Signed by all three, and not of this log.
    let checkpoint = Checkpoint { size: 3, ..signed.checkpoint.clone() };
    let text = checkpoint.to_text();
    let ledger = NoteSigner::new(tlog::LOG_ORIGIN, &[7; 32]).unwrap();
    let mirror = Cosigner::new("mirror.example", &[8; 32]).unwrap();
    let signatures = vec![
        ledger.sign(&text),
        mirror.cosign(1_796_000_001, &text),
        lattice.cosign(1_796_000_009, &checkpoint).unwrap(),
    ];
    put(&SignedCheckpoint { note: Note { text, signatures }, checkpoint });
    check(&[], Some("the checkpoint that the mirror cosigned with ML-DSA-44 does not stand"));
    // Of a part of the log: how far it reaches is said.
    let reader = annals::Reader::open(&folder, annals::find_keys(&folder).unwrap()).unwrap();
    let checkpoint =
        Checkpoint { size: 3, root: reader.root_at(3).unwrap(), ..signed.checkpoint.clone() };
    let text = checkpoint.to_text();
    let signatures = vec![
        ledger.sign(&text),
        mirror.cosign(1_796_000_001, &text),
        lattice.cosign(1_796_000_009, &checkpoint).unwrap(),
    ];
    put(&SignedCheckpoint { note: Note { text, signatures }, checkpoint });
    let size = signed.checkpoint.size;
    let told = ask(&["--lang", "en"]).text;
    assert!(told.contains(&format!(", the first 3 of {size} entries")), "{told}");
    // None yet; and a mirror of a version that knew none.
    std::fs::write(&file, "").unwrap();
    check(&[], None);
    let told = ask(&["--lang", "en"]).text;
    assert!(told.contains("note: not checked: no ML-DSA-44 key given"), "{told}");
    check(&given, Some("the mirror has saved no checkpoint with ML-DSA-44 yet"));
    std::fs::remove_file(folder.join(annals::names::LATTICE_KEY)).unwrap();
    check(&[], None);
    check(&given, Some("there is no ML-DSA-44 key of the mirror"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// A list from a mirror alone names as many as its scope counts.
fn lists_what_it_counts(folder: &Path) {
    let ask = |component: &str, more: &[&str]| {
        let mut words = vec!["scope", folder.to_str().unwrap(), "--component", component];
        words.extend(["--from", "0", "--to", "9999999999999", "--lang", "ja"]);
        words.extend(more);
        answer(words.into_iter().map(str::to_owned).collect())
    };
    for component in ["access", "edge", "mailbox"] {
        let told = ask(component, &["--messages", "--json"]);
        let found: Value = serde_json::from_str(&told.text).unwrap();
        let people = found["people"].as_array().unwrap();
        let ids = people.iter().flat_map(|one| one["items"].as_array().unwrap());
        let ids: std::collections::BTreeSet<&str> =
            ids.map(|one| one["id"].as_str().unwrap()).collect();
        let counted = found["scope"]["contracts"].as_array().unwrap().iter();
        let counted: u64 = counted.map(|one| one["messages"].as_u64().unwrap()).sum();
        assert_eq!(ids.len() as u64, counted, "{component}: {found}");
        let text = ask(component, &["--messages"]).text;
        assert!(ids.iter().all(|id| text.contains(id)), "{component}: {text}");
    }
    let both = ask("edge", &["--people", "--messages"]);
    assert_eq!(both.code, 2, "{}", both.text);
}

#[test]
fn a_view_is_compared_with_what_was_seen_before() {
    let memory = temporary("memory");
    let ask = |folder: &Path, language: &str| {
        let (folder, memory) = (folder.to_str().unwrap(), memory.to_str().unwrap());
        told(&["view", folder, "--seen", memory, "--lang", language])
    };
    let bare = |house: &House, name: &str| {
        let folder = view_of(house, name, "{}");
        std::fs::remove_file(folder.join("view.json")).unwrap();
        folder
    };
    let (short, mut longer, mut other) = (lived(), lived(), lived());
    longer.say(Kind::Vault, Body::Heartbeat {});
    other.frames.truncate(8);
    (0..4).for_each(|_| other.say(Kind::Directory, Body::Heartbeat {}));
    let (short, long) = (bare(&short, "short"), bare(&longer, "long"));
    let first = ask(&short, "en");
    assert_eq!(first.code, 0, "{}", first.text);
    assert!(!first.text.contains("without --seen"), "{}", first.text);
    let note = |folder: &Path| std::fs::read(folder.join("checkpoint")).unwrap();
    assert_eq!(std::fs::read(&memory).unwrap(), note(&short));
    assert_eq!(ask(&long, "en").code, 0);
    assert_eq!(std::fs::read(&memory).unwrap(), note(&long));
    let check = |folder: &Path, problem: &str, japanese: &str| {
        let found = ask(folder, "en");
        assert_eq!(found.code, 1, "{problem}: {}", found.text);
        assert!(found.text.contains(&format!("problem: {problem}")), "{problem}: {}", found.text);
        let found = ask(folder, "ja").text;
        assert!(found.contains(japanese), "{japanese}: {found}");
        assert_eq!(std::fs::read(&memory).unwrap(), note(&long), "it stays");
    };
    check(&short, "rolled back: a checkpoint of 13 entries", "巻き戻されている: 以前に 13 件");
    other.say(Kind::Directory, Body::Heartbeat {});
    let forked = bare(&other, "forked");
    check(&forked, "forked: the first 13 entries", "履歴が分かれている: 先頭 13 件");
    // What is hidden cannot be compared, and that is said.
    let mut hidden = longer;
    hidden.say(Kind::Vault, Body::Heartbeat {});
    std::fs::copy(short.join("checkpoint"), &memory).unwrap();
    let grown = bare(&hidden, "grown");
    let entries = grown.join("entries");
    std::fs::write(&entries, with_hash(&hidden)).unwrap();
    assert_eq!(ask(&grown, "en").code, 0, "{}", ask(&grown, "en").text);
    let mut range = CompactRange::new();
    let six = hidden.frames.iter().take(6);
    six.for_each(|frame| range.append(leaf_hash(frame), |_, _, _| {}));
    let text = Checkpoint::new("ledger.example", 6, range.root()).to_text();
    let signatures = vec![NoteSigner::new("ledger.example", &[7; 32]).unwrap().sign(&text)];
    let sixth = Note { text, signatures }.to_text();
    std::fs::write(&memory, &sixth).unwrap();
    let found = ask(&grown, "en");
    assert!(found.code == 0 && found.text.contains("the 6 seen before"), "{}", found.text);
    assert!(ask(&grown, "ja").text.contains("以前に見た 6 件"));
    assert_eq!(std::fs::read(&memory).unwrap(), sixth.as_bytes());
    // Nobody vouches for what stands behind the end.
    let bytes = [with_hash(&hidden), b"junk".to_vec()].concat();
    std::fs::write(&entries, bytes).unwrap();
    let found = ask(&grown, "en");
    assert_eq!(found.code, 1, "{}", found.text);
    assert!(found.text.contains("goes on behind its end"), "{}", found.text);
    assert!(ask(&grown, "ja").text.contains("その終わりの後ろに続いている"));
    for folder in [short, long, forked, grown] {
        std::fs::remove_dir_all(folder).unwrap();
    }
    std::fs::remove_file(memory).unwrap();
}

/// The entries of a view that shows 4 to 7 as one hash.
fn with_hash(house: &House) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, frame) in house.frames.iter().enumerate() {
        match at {
            4 => {
                let mut range = CompactRange::new();
                let four = house.frames.iter().skip(4).take(4);
                four.for_each(|frame| range.append(leaf_hash(frame), |_, _, _| {}));
                bytes.extend([2, 2]);
                bytes.extend(range.root().0);
            }
            5..8 => {}
            _ => {
                bytes.push(1);
                bytes.extend(u16::try_from(frame.len()).unwrap().to_be_bytes());
                bytes.extend(frame);
            }
        }
    }
    bytes.push(0);
    bytes
}

#[test]
fn a_memory_is_kept_where_it_was_asked_for_or_not_at_all() {
    let (view, mirror) = (view_of(&lived(), "kept", "{}"), a_mirror("kept"));
    std::fs::remove_file(view.join("view.json")).unwrap();
    let nowhere = temporary("no-such-folder");
    let below = nowhere.join("memory");
    for (what, folder) in [("view", &view), ("mirror", &mirror)] {
        for path in [&below, &view, &PathBuf::from("/proc/sekisho-memory")] {
            let words = [what, folder.to_str().unwrap(), "--seen", path.to_str().unwrap()];
            let found = told(&words);
            assert_eq!(found.code, 3, "{words:?}: {}", found.text);
        }
    }
    assert!(!nowhere.exists());
    std::fs::remove_dir_all(view).unwrap();
    std::fs::remove_dir_all(mirror).unwrap();
}

#[test]
fn a_scope_ends_behind_its_beginning() {
    let folder = a_mirror("reverse");
    let mut words = vec!["scope", folder.to_str().unwrap(), "--component", "access"];
    words.extend(["--from", "2026-11-23T00:00:00Z", "--to", "2026-11-22T00:00:00Z"]);
    let found = told(&words);
    assert_eq!(found.code, 2, "{}", found.text);
    assert!(found.text.contains("expected --from before --to"), "{}", found.text);
    words.extend(["--lang", "ja"]);
    let found = told(&words).text;
    assert!(found.contains("--from は --to より前"), "{found}");
    // Whatever is refused is said in Japanese.
    for words in [
        &["view", "/nowhere"][..],
        &["certificate", "/nowhere"],
        &["view", "/", "--seen", "/nowhere/x"],
        &["view", "/", "--people"],
        &["view", "/", "--from"],
        &["scope", "/", "--component", "x"],
        &["scope", "/"],
        &["view"],
        &["x"],
    ] {
        let found = told(&[words, &["--lang", "ja"]].concat());
        let (said, hint) = found.text.split_once('\n').unwrap();
        assert!(!said.is_ascii() && !said.contains("expected"), "{words:?}: {}", found.text);
        assert!(found.code == 2 || !hint.is_ascii(), "{words:?}: {hint}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
