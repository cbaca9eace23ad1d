//! Kills and full disks: what was answered is there, what was not may be there once or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mailbox::{Batch, Store, Whose};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use terms::{FolderId, InstanceId, MessageId, TenantId, UserId, Verdict};
use wire::Parcel;
use wire::mailbox::{Copy, Place, SealedPart, ToAccess, ToEdge};
use wire::vault::Class;

const FOLDER: &str = "SEKISHO_MAILBOX_CRASH_FOLDER";
const AOI: Whose = Whose { tenant: TenantId([1; 8]), user: UserId([7; 8]) };
const INBOX: FolderId = FolderId([0, 0, 0, 1]);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hard-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn octets(number: u64) -> Vec<u8> {
    let length = 500 + (number * 7919 % 60_000) as usize;
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn copy(number: u64) -> Copy {
    let mut message = MessageId::default();
    message.0[..8].copy_from_slice(&number.to_be_bytes());
    let part =
        |bytes| SealedPart { epoch: 1, wrapped: vec![3; 90], content: Parcel::Inline(bytes) };
    Copy {
        tenant: AOI.tenant,
        user: AOI.user,
        message,
        place: Place::Inbox,
        size: 1_000,
        received_ms: number,
        verdict: Verdict::Deliver,
        summary: part(number.to_be_bytes().to_vec()),
        body: part(octets(number)),
    }
}

fn keep(store: &mut Store, numbers: std::ops::Range<u64>) -> Result<(), mailbox::Fault> {
    let batch = Batch { copies: numbers.map(copy).collect(), descriptors: Vec::new() };
    let kept = store.keep(InstanceId([1; 6]), &[batch], &[], 1_000)?;
    assert!(matches!(kept, ToEdge::Kept));
    store.commit().map(drop)
}

/// The numbers of all messages in the inbox; each is checked octet for octet.
fn found(store: &mut Store) -> Vec<u64> {
    let answer = store.rows(AOI.user, INBOX, None).unwrap();
    let ToAccess::Rows { rows, .. } = answer else { return Vec::new() };
    let mut numbers = Vec::new();
    for row in rows {
        let uids = [row.uid];
        let answer = store.fetch(AOI.user, INBOX, &uids, Class::Body, &mut Vec::new()).unwrap();
        let ToAccess::Parts(parts) = answer else { panic!() };
        for (_, message, part) in parts {
            let number = u64::from_be_bytes(message.0[..8].try_into().unwrap());
            assert_eq!(part.content.open(&[]).unwrap(), octets(number), "message {number}");
            numbers.push(number);
        }
    }
    numbers
}

/// Not a test: what the killed child does. It says each number after it is durable.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut store = Store::open(Path::new(&folder)).unwrap();
    let mut next = found(&mut store).last().map_or(0, |last| last + 1);
    let mut out = std::io::stdout();
    loop {
        let batch = 1 + next % 7;
        keep(&mut store, next..next + batch).unwrap();
        next += batch;
        writeln!(out, "kept {next}").unwrap();
        match next % 5 {
            0 => store.settle().unwrap(),
            1 => store.checkpoint().unwrap(),
            _ => {}
        }
    }
}

#[test]
fn what_was_answered_survives_every_kill() {
    let folder = Folder::new("kills");
    let kills: u64 = std::env::var("SEKISHO_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let mut kept = 0;
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(FOLDER, &folder.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let numbers = lines.lines().map_while(Result::ok);
            numbers.filter_map(|line| line.rsplit_once("kept ")?.1.parse().ok()).last()
        });
        std::thread::sleep(Duration::from_millis(30 + kill * 7 % 40));
        child.kill().unwrap();
        child.wait().unwrap();
        let said: Option<u64> = reader.join().unwrap();
        kept = kept.max(said.unwrap_or(0));
        let mut store = Store::open(&folder.0).unwrap();
        let found = found(&mut store);
        assert!(found.len() as u64 >= kept, "kill {kill}: {kept} answered, {}", found.len());
        let expected: Vec<u64> = (0..found.len() as u64).collect();
        assert_eq!(found, expected, "kill {kill}: each once, in order");
    }
    assert!(kept > kills, "the child never got to work");
}

/// A small file system of its own, where we may make one.
struct Small(PathBuf);

impl Small {
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_healed_without_hands() {
    let folder = Folder::new("full");
    let Some(_small) = Small::mount(&folder.0, "24m") else {
        println!("absent: may not mount a small file system here");
        return;
    };
    let ballast = folder.0.join("ballast");
    std::fs::write(&ballast, vec![1u8; 8 * 1024 * 1024]).unwrap();
    let mut store = Store::open(&folder.0.join("mailbox")).unwrap();
    let mut kept = 0;
    let fault = loop {
        match keep(&mut store, kept..kept + 5) {
            Ok(()) => kept += 5,
            Err(fault) => break fault,
        }
        let _ = store.settle();
        assert!(kept < 5_000);
    };
    assert!(fault.is_full(), "{}", fault.story());
    for _ in 0..3 {
        assert!(keep(&mut store, kept..kept + 5).unwrap_err().is_full());
    }
    assert_eq!(found(&mut store), (0..kept).collect::<Vec<_>>(), "reading goes on");
    std::fs::remove_file(&ballast).unwrap();
    for _ in 0..10 {
        keep(&mut store, kept..kept + 5).unwrap();
        kept += 5;
    }
    store.settle().unwrap();
    store.checkpoint().unwrap();
    assert_eq!(found(&mut store), (0..kept).collect::<Vec<_>>());
    drop(store);
    let mut store = Store::open(&folder.0.join("mailbox")).unwrap();
    assert_eq!(found(&mut store), (0..kept).collect::<Vec<_>>());
}
