//! The command line over evidence that is not whole: no command answers as if it were, in either
//! language, and none answers 0.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folders of a ledger and its mirror, as an earlier version wrote them: no house, no service.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let data =
            std::env::temp_dir().join(format!("sekisho-whole-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&data);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/tests/before");
        for folder in ["ledger", "mirror"] {
            fs::create_dir_all(data.join(folder)).unwrap();
            for entry in fs::read_dir(from.join(folder)).unwrap().flatten() {
                fs::copy(entry.path(), data.join(folder).join(entry.file_name())).unwrap();
            }
        }
        Self(data)
    }

    fn seen(&self) -> PathBuf {
        self.0.with_extension("seen")
    }

    fn run(&self, words: &[&str], more: &[&str]) -> (String, String, i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.args(words).arg("--data").arg(&self.0).args(more).stdin(Stdio::null());
        let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }

    /// The last line of what programs read.
    fn ask(&self, words: &[&str]) -> (Value, i32) {
        let (said, _, code) = self.run(words, &["--json"]);
        (serde_json::from_str(said.lines().last().unwrap()).unwrap(), code)
    }

    fn flip(&self, file: &str, at: usize) {
        let path = self.0.join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_file(self.seen());
    }
}

const SCOPE: &[&str] = &["scope", "--component", "access", "--from", "0", "--to", "99999999999999"];

/// Every command that reads the ledger's files and needs no service.
fn readers(to: &str) -> Vec<Vec<&str>> {
    vec![
        SCOPE.to_vec(),
        [SCOPE, &["--statement"]].concat(),
        vec!["ledger", "head"],
        vec!["ledger", "export"],
        vec!["ledger", "proof", "--index", "9"],
        vec!["ledger", "publish", "--to", to],
        vec!["ledger", "witness-request"],
        vec!["alarms", "list"],
        vec!["isolate", "list"],
    ]
}

fn every_reader_says(data: &Data, what: &str) {
    let to = data.0.join("out").display().to_string();
    for words in readers(&to) {
        let (said, told, code) = data.run(&words, &["--lang", "en"]);
        assert_eq!(code, 3, "{what}: {words:?}: {said} {told}");
        assert!(told.contains("the evidence is not whole"), "{what}: {words:?}: {told}");
        assert!(told.contains("hint: sekisho ledger verify"), "{what}: {words:?}: {told}");
        let is_figure = said.contains("at most") || said.contains("checkpoint");
        // Lists show what there is, behind what speaks against it.
        let is_list = matches!(words[0], "isolate" | "alarms");
        assert!(!is_figure || is_list, "{what}: {words:?}: {said}");
        let (_, told, _) = data.run(&words, &["--lang", "ja"]);
        assert!(told.contains("証拠がそろっていません"), "{what}: {words:?}: {told}");
        let latin = told.split("ヒント").next().unwrap_or_default().contains(" the ");
        assert!(!latin, "{what}: {words:?} is half English: {told}");
        let (value, code) = data.ask(&words);
        assert_eq!(code, 3, "{what}: {words:?}");
        assert!(value["error"].as_str().unwrap().contains("not whole"), "{what}: {value}");
    }
    assert!(!Path::new(&to).exists(), "{what}: something was published");
    let lists = data.ask(&["alarms", "list"]).0;
    assert!(lists["items"].is_array() && !lists["incomplete"][0].is_null(), "{what}: {lists}");
    the_doctor_says(data, what);
}

/// The state of a house is told with what speaks against its evidence.
fn the_doctor_says(data: &Data, what: &str) {
    let (told, code) = data.ask(&["doctor"]);
    assert_eq!(code, 3, "{what}: {told}");
    assert!(told["walls"].is_array() && !told["incomplete"][0].is_null(), "{what}: {told}");
    assert!(told["hint"].as_str().unwrap().starts_with("sekisho ledger verify"), "{what}: {told}");
    for (language, words) in [("C.UTF-8", "not whole"), ("ja_JP.UTF-8", "証拠がそろっていません")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command.arg("doctor").arg("--data").arg(&data.0).env("LC_ALL", language);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(words), "{what}: {told}");
    }
}

/// `--recheck` tells its figures with what is wrong, and as found wanting.
fn a_recheck_is_wanting(data: &Data, what: &str, word: &str) {
    for statement in [&[][..], &["--statement"]] {
        let words = [SCOPE, &["--recheck"], statement].concat();
        let (said, told, code) = data.run(&words, &["--lang", "en"]);
        assert_eq!(code, 1, "{what}: {said} {told}");
        assert!(said.contains("checked and found wanting"), "{what}: {said}");
        assert!(!said.contains("not checked"), "{what}: {said}");
        assert!(said.contains("problem: ") && said.contains(word), "{what}: {said}");
        let (said, _, code) = data.run(&words, &["--lang", "ja"]);
        assert!(code == 1 && said.contains("検査の結果、問題あり"), "{what}: {said}");
        let (value, code) = data.ask(&words);
        assert_eq!((code, &value["verified"]), (1, &Value::Bool(false)), "{what}: {value}");
        assert_eq!(value["checked"], "wanting", "{what}: {value}");
        assert!(!value["problems"][0].is_null(), "{what}: {value}");
    }
}

#[test]
fn a_flipped_octet_is_told_by_every_reader() {
    let data = Data::new("flipped");
    let length = fs::read(data.0.join("ledger/log")).unwrap().len();
    for words in readers(&data.0.join("out").display().to_string()) {
        let (said, told, code) = data.run(&words, &[]);
        assert_eq!(code, 0, "{words:?}: {said} {told}");
    }
    let (told, code) = data.ask(&["doctor"]);
    assert!(code == 1 && told["incomplete"].is_null(), "no service, and whole evidence: {told}");
    let (said, _, code) = data.run(&[SCOPE, &["--recheck"]].concat(), &["--lang", "en"]);
    assert!(code == 0 && said.contains("the whole ledger and its mirror were checked"), "{said}");
    fs::remove_dir_all(data.0.join("out")).unwrap();
    for at in [60, length / 2, length - 2_000, length - 300] {
        data.flip("ledger/log", at);
        let _ = fs::remove_file(data.seen());
        let what = format!("octet {at}");
        every_reader_says(&data, &what);
        a_recheck_is_wanting(&data, &what, "ledger");
        data.flip("ledger/log", at);
    }
    assert_eq!(data.ask(SCOPE).1, 0, "put back");
}

#[test]
fn an_altered_memory_is_told_by_every_reader() {
    let data = Data::new("memory");
    for place in [data.seen(), data.0.join("seen")] {
        fs::write(&place, "junk").unwrap();
        every_reader_says(&data, "junk");
        a_recheck_is_wanting(&data, "junk", "holds no checkpoint");
        let (value, code) = data.ask(&["ledger", "verify"]);
        assert!(code == 1 && value["problems"].to_string().contains("holds no checkpoint"));
        assert_eq!(fs::read_to_string(&place).unwrap(), "junk", "it was written over");
        fs::remove_file(place).unwrap();
    }
    assert_eq!(data.ask(SCOPE).1, 0, "put back");
}

#[test]
fn a_mirror_that_is_gone_is_not_said_to_be_checked() {
    let data = Data::new("mirrorless");
    fs::remove_dir_all(data.0.join("mirror")).unwrap();
    let (value, code) = data.ask(&["ledger", "verify"]);
    assert!(code == 1 && value["problems"].to_string().contains("copy is gone"), "{value}");
    a_recheck_is_wanting(&data, "no mirror", "copy is gone");
    every_reader_says(&data, "no mirror");
    // A house that never had one.
    let checkpoint = data.0.join("ledger/checkpoint");
    fs::remove_file(checkpoint).unwrap();
    let _ = fs::remove_file(data.seen());
    let (said, told, code) = data.run(&[SCOPE, &["--recheck"]].concat(), &["--lang", "en"]);
    assert_eq!(code, 0, "{said} {told}");
    assert!(said.contains("there was no mirror to compare it with"), "{said}");
    assert!(!said.contains("its mirror were checked"), "{said}");
}

/// What a check of everything finds, the doctor finds; what is not published is said.
#[test]
fn the_doctor_finds_what_a_check_finds() {
    let data = Data::new("examined");
    let check = |place: &str, at: usize, word: &str| {
        data.flip(place, at);
        let (value, code) = data.ask(&["ledger", "verify"]);
        assert!(code == 1 && value["problems"].to_string().contains(word), "{place}: {value}");
        the_doctor_says(&data, place);
        data.flip(place, at);
        assert_eq!(data.ask(&["ledger", "verify"]).1, 0, "{place}: put back");
    };
    check("mirror/log", 60, "mirror");
    // A second cosignature that does not hold.
    let second = data.0.join("mirror/checkpoint.ml-dsa-44");
    fs::write(&second, "junk").unwrap();
    let (value, code) = data.ask(&["ledger", "verify"]);
    assert!(code == 1 && value["problems"].to_string().contains("ML-DSA-44"), "{value}");
    the_doctor_says(&data, "junk for a cosignature");
    let to = data.0.join("out").display().to_string();
    let (value, code) = data.ask(&["ledger", "publish", "--to", &to]);
    assert!(code == 3 && value["cosigned_ml_dsa_44"] == false, "{value}");
    assert!(value["incomplete"].to_string().contains("ML-DSA-44"), "{value}");
    fs::remove_file(&second).unwrap();
    let (value, code) = data.ask(&["ledger", "publish", "--to", &to]);
    assert_eq!(code, 0, "{value}");
    // Its folder gone, the ledger is not taken for one that never was.
    fs::remove_dir_all(data.0.join("ledger")).unwrap();
    let (value, _) = data.ask(&["ledger", "verify"]);
    assert!(value["error"].as_str().unwrap().contains("the ledger is gone"), "{value}");
    the_doctor_says(&data, "no ledger");
}

/// A house with other keys than its logs' is not started, and says why.
#[test]
fn another_key_is_said_before_the_start() {
    let data = Data::new("key");
    fs::write(data.0.join("ledger/key"), [9; 32]).unwrap();
    let (value, code) = data.ask(&["ledger", "verify"]);
    assert!(code == 1 && value["problems"].to_string().contains("another signing key"), "{value}");
}
