//! A disk without room, and one that may suddenly only be read.

use crate::house::{Demo, Wishes, folder};
use crate::ledger_of_letters::{Letters, inbox, is_root};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A disk of its own in memory.
struct Disk(PathBuf);

impl Disk {
    fn new(name: &str, mebibytes: u32) -> Option<Self> {
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
