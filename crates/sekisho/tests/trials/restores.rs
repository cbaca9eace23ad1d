//! A restore that fails, or is killed, leaves nothing that could be taken for a house.

use crate::disks::Disk;
use crate::giant::giant;
use crate::house::{Demo, binary, command, folder};
use crate::ledger_of_letters::{TO, is_root};
use crate::post::Sender;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// More than the full disk has.
const LETTER_BYTES: usize = 3 * 1024 * 1024;

/// A backup of a house with a few letters, one of them large: the data, and the keys.
struct Backup {
    home: PathBuf,
}

impl Backup {
    fn new(name: &str) -> Self {
        let mut demo = Demo::with_sample(name);
        let mut sender = Sender::greeted(&demo.port("smtp"));
        let octets = giant(LETTER_BYTES);
        assert_eq!(sender.letter("carol@sender.example", &[TO], &octets).unwrap().code, 250);
        demo.stop();
        let backup = Self { home: folder(&format!("{name}-backup")) };
        let data = demo.data().display().to_string();
        let [to, keys] = [backup.at("to"), backup.at("keys")];
        let kept = command(&["backup", "--data", &data, "--to", &to, "--keys-to", &keys]);
        assert_eq!(kept.1, 0, "{}", kept.0);
        // The epoch's key lies beside the data.
        demo.keep_folder();
        backup
    }

    fn at(&self, name: &str) -> String {
        self.home.join(name).display().to_string()
    }

    fn words(&self, data: &Path) -> Vec<String> {
        let data = data.display().to_string();
        let words =
            ["restore", "--data", &data, "--from", &self.at("to"), "--keys-from", &self.at("keys")];
        words.map(str::to_owned).to_vec()
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn is_empty(data: &Path) -> bool {
    fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether a house starts on it is never tried by luck: what refuses says why.
fn refused_start(data: &Path) -> Option<String> {
    let mut start = Command::new(binary());
    start.args(["demo", "--json", "--no-sample", "--port-base", "31200", "--data"]).arg(data);
    let output = start.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (!output.status.success()).then_some(said)
}

#[test]
fn a_restore_that_is_killed_is_no_house_and_is_begun_anew() {
    let backup = Backup::new("killed");
    let data = backup.home.join("data");
    let mut cut_off = 0;
    for pause_ms in 1..400 {
        let mut restore = Command::new(binary());
        restore.args(backup.words(&data)).stdout(Stdio::null()).stderr(Stdio::null());
        let mut restore = restore.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause_ms));
        let has_ended = restore.try_wait().unwrap().is_some();
        let _ = restore.kill();
        restore.wait().unwrap();
        let is_there = data.join("ledger").exists();
        if has_ended {
            break;
        }
        // Anywhere between, what is there is marked, and what is marked does not start.
        if is_there && data.join("restore-not-ended").exists() {
            cut_off += 1;
            if cut_off % 8 == 1 {
                let said = refused_start(&data).expect("a house started on half a restore");
                assert!(said.contains("was cut off"), "{said}");
            }
        } else {
            assert!(!is_there || fs::metadata(data.join("ledger/log")).is_ok(), "unmarked");
        }
    }
    assert!(cut_off > 3, "killed {cut_off} times in the middle");
    // The last one may have ended.
    let _ = fs::remove_dir_all(&data);
    let mut words = backup.words(&data);
    words.push("--json".to_owned());
    let mut half = Command::new(binary());
    let mut half = half.args(&words).stdout(Stdio::null()).spawn().unwrap();
    while !data.join("ledger").exists() {
        std::thread::yield_now();
    }
    half.kill().unwrap();
    half.wait().unwrap();
    let words = backup.words(&data);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (back, code) = command(&words);
    assert!(code == 0 && back["ledger_ok"] == true, "{back}");
    assert!(!data.join("restore-not-ended").exists());
}

#[test]
fn a_restore_onto_a_full_disk_leaves_nothing() {
    if !is_root() {
        return;
    }
    let backup = Backup::new("narrow");
    let Some(disk) = Disk::new("narrow-disk", 1) else { return };
    // The whole disk, and a folder that was not there.
    for data in [disk.0.clone(), disk.0.join("data")] {
        let words = backup.words(&data);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (told, code) = command(&words);
        assert!(code != 0 && told["error"].to_string().contains("space"), "{code} {told}");
        assert!(is_empty(&disk.0), "{:?}", fs::read_dir(&disk.0).unwrap().collect::<Vec<_>>());
    }
}
