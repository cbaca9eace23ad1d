//! A disk without room, and one that may suddenly only be read.

use crate::house::{Demo, Wishes, folder};
use crate::ledger_of_letters::{Letters, inbox, is_root};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A disk of its own in memory.
pub struct Disk(pub PathBuf);

impl Disk {
    pub fn new(name: &str, mebibytes: u32) -> Option<Self> {
        let place = folder(name);
        let options = format!("size={mebibytes}m,mode=0755");
        let is_done = done("mount", &["-t", "tmpfs", "-o", &options, "none"], &place);
        if !is_done {
            println!("absent: mounting");
        }
        is_done.then_some(Self(place))
    }

    /// "ro" or "rw"; whether the kernel does it.
    fn remount(&self, how: &str) -> bool {
        done("mount", &["-o", &format!("remount,{how}")], &self.0)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        done("umount", &["--lazy"], &self.0);
        let _ = fs::remove_dir(&self.0);
    }
}

fn done(program: &str, arguments: &[&str], place: &Path) -> bool {
    let mut command = Command::new(program);
    let command = command.args(arguments).arg(place).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn on(disk: &Disk) -> Demo {
    let mut wishes = Wishes::new("disk");
    wishes.data = disk.0.join("data");
    Demo::start(wishes)
}

/// Takes all room there is, to the last octet.
fn fill(place: &Path) {
    let mut file = fs::File::create(place).unwrap();
    for size in [1 << 20, 4096, 1] {
        let piece = vec![0x20; size];
        while file.write_all(&piece).is_ok() {}
    }
}

#[test]
fn a_full_disk_defers_and_loses_nothing() {
    if !is_root() {
        return;
    }
    let Some(disk) = Disk::new("full", 64) else { return };
    let demo = on(&disk);
    let mut letters = Letters::default();
    (0..5).for_each(|_| assert_eq!(letters.send(&demo, 20_000), 250));
    let filler = disk.0.join("filler");
    fill(&filler);
    for _ in 0..8 {
        letters.send(&demo, 40_000);
    }
    assert!(letters.deferred > 0, "a full disk took everything");
    println!("full disk: {} taken, {} deferred", letters.taken.len(), letters.deferred);
    // Whoever asks how the house is hears it, and a script by the exit code.
    let (status, code) = demo.ask(&["status"]);
    let what = status["disk"]["what"].as_str().unwrap_or_default().to_owned();
    assert!(code != 0 && what.contains("is full"), "{status}");
    let (found, code) = demo.ask(&["doctor"]);
    assert!(code != 0 && found["weakened"].to_string().contains(&what), "{found}");
    fs::remove_file(&filler).unwrap();
    let after = letters.recover(&demo);
    letters.all_there(&demo);
    println!("full disk: taken again after {after:?}; slowest answer {:?}", letters.slowest);
    let demo = demo.again();
    letters.all_there(&demo);
}

/// Where the kernel refuses this remount (files are open for writing: EBUSY, as an operator would
/// find), the trial says so and shows only that asking does no harm.
#[test]
fn a_disk_that_may_only_be_read_defers_and_loses_nothing() {
    if !is_root() {
        return;
    }
    let Some(disk) = Disk::new("readonly", 64) else { return };
    let demo = on(&disk);
    let mut letters = Letters::default();
    (0..5).for_each(|_| assert_eq!(letters.send(&demo, 20_000), 250));
    let is_read_only = disk.remount("ro");
    println!("read-only remount under open files: {}", if is_read_only { "done" } else { "EBUSY" });
    for _ in 0..4 {
        letters.send(&demo, 40_000);
    }
    assert!(!is_read_only || letters.deferred == 4, "nothing can be kept on it");
    disk.remount("rw");
    let after = letters.recover(&demo);
    letters.all_there(&demo);
    println!("read-only disk: taken again after {after:?}; {} deferred", letters.deferred);
    assert!(inbox(&demo).len() >= letters.taken.len());
}

/// A keeper's files under its open hands: no octet more may be written to any of them.
struct Unwritable(PathBuf);

impl Unwritable {
    fn make(place: PathBuf) -> Option<Self> {
        let is_done = done("chattr", &["-R", "+i"], &place);
        let made = Self(place);
        if !is_done {
            println!("absent: files that even root cannot write to");
        }
        is_done.then_some(made)
    }
}

impl Drop for Unwritable {
    fn drop(&mut self) {
        done("chattr", &["-R", "-i"], &self.0);
    }
}

/// What a disk does that the kernel has set to read-only after an error: files are open, and
/// every write fails. Nothing is answered 250 that is not kept, and it mends by itself.
fn check_unwritable(keeper: &str, may_arrive: bool) {
    if !is_root() {
        return;
    }
    let demo = Demo::fresh(keeper);
    let mut letters = Letters::default();
    (0..3).for_each(|_| assert_eq!(letters.send(&demo, 20_000), 250));
    let Some(held) = Unwritable::make(demo.data().join(keeper)) else { return };
    let codes: Vec<u16> = (0..4).map(|_| letters.send(&demo, 40_000)).collect();
    let slowest = letters.slowest;
    assert!(may_arrive || codes.iter().all(|code| code / 100 == 4), "{codes:?}");
    drop(held);
    let after = letters.recover(&demo);
    letters.all_there(&demo);
    println!("{keeper} unwritable: {codes:?}, slowest {slowest:?}; taken again after {after:?}");
    println!("put off: {:?}", letters.why.first());
    let demo = demo.again();
    letters.all_there(&demo);
}

#[test]
fn a_mailbox_that_cannot_be_written_defers() {
    check_unwritable("mailbox", false);
}

/// Mail goes on arriving while the evidence waits; what was promised is kept and told of later.
#[test]
fn a_ledger_that_cannot_be_written_loses_nothing() {
    check_unwritable("ledger", true);
}

#[test]
fn a_mirror_that_cannot_be_written_loses_nothing() {
    check_unwritable("mirror", true);
}

/// The disk may only be read when the service starts, as after a crash: it says so and ends, and
/// what starts it again (systemd) finds everything there once the disk is set right.
#[test]
fn a_start_on_a_read_only_disk_says_so() {
    if !is_root() {
        return;
    }
    let Some(disk) = Disk::new("readonly-start", 64) else { return };
    let mut demo = on(&disk);
    let mut letters = Letters::default();
    (0..3).for_each(|_| assert_eq!(letters.send(&demo, 20_000), 250));
    demo.stop();
    if !disk.remount("ro") {
        println!("absent: a remount with no file open");
        return;
    }
    let output = demo.wishes.command().stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("disk that may only be read"), "{said}");
    assert!(disk.remount("rw"));
    let demo = demo.again();
    letters.recover(&demo);
    letters.all_there(&demo);
}
