//! The clock of the whole house is set, forward and back, while it works.
//!
//! Nothing in the product can be told another time. So the kernel's own piece of code in every
//! process, which is asked what time it is, is written over from outside, as a debugger would:
//! it asks the kernel and adds so many seconds to the wall clock. Steady clocks run on as they are.

use crate::house::{Demo, signal, within};
use crate::ledger_of_letters::{Letters, is_root};
use crate::reader::Reader;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Where the kernel's piece of code lies in a process.
fn kernels_code(pid: u32) -> Option<(u64, u64)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

fn number(bytes: &[u8], at: usize, octets: usize) -> Option<usize> {
    let mut all = [0; 8];
    all[..octets].copy_from_slice(bytes.get(at..at + octets)?);
    usize::try_from(u64::from_le_bytes(all)).ok()
}

/// Where in it the time is asked for: the symbol, by the tables of an ELF file of 64 bits.
fn place_of(image: &[u8], name: &str) -> Option<u64> {
    let (sections, size) = (number(image, 0x28, 8)?, number(image, 0x3a, 2)?);
    let section = |index: usize| sections + index * size;
    let count = number(image, 0x3c, 2)?;
    let table = (0..count).map(section).find(|at| number(image, at + 4, 4) == Some(11))?;
    let names = number(image, section(number(image, table + 0x28, 4)?) + 0x18, 8)?;
    let (first, length) = (number(image, table + 0x18, 8)?, number(image, table + 0x20, 8)?);
    (first..first + length).step_by(24).find_map(|symbol| {
        let named = image.get(names + number(image, symbol, 4)?..)?;
        let is_it = named.starts_with(name.as_bytes()) && named.get(name.len()) == Some(&0);
        is_it.then(|| number(image, symbol + 8, 8))?.map(|at| at as u64)
    })
}

/// x86-64: ask the kernel; if it was the wall clock that was asked for, add.
fn adding(seconds: i64) -> Vec<u8> {
    let ask: &[u8] = &[0xb8, 228, 0, 0, 0, 0x0f, 0x05];
    let unless_wall: &[u8] = &[0x85, 0xff, 0x75, 13];
    let (load, add, back): (&[u8], &[u8], &[u8]) = (&[0x48, 0xb9], &[0x48, 0x01, 0x0e], &[0xc3]);
    [ask, unless_wall, load, &seconds.to_le_bytes(), add, back].concat()
}

/// Every process of the house, held still: the first one first, so that no further one is born.
fn hold(demo: &Demo) -> BTreeSet<u32> {
    let mut held = BTreeSet::new();
    loop {
        let all: Vec<u32> =
            [demo.pid()].into_iter().chain(demo.processes().iter().map(|one| one.pid)).collect();
        let new: Vec<u32> = all.into_iter().filter(|pid| held.insert(*pid)).collect();
        if new.is_empty() {
            return held;
        }
        new.iter().for_each(|pid| signal(*pid, Signal::STOP));
        for pid in new {
            within(Duration::from_secs(20), "it stands still", || {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z']))
            });
        }
    }
}

/// Whether a thread of it stands within that code right now.
fn is_within(pid: u32, (start, end): (u64, u64)) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.into_iter().any(|thread| {
        let told = fs::read_to_string(thread.path().join("syscall")).unwrap_or_default();
        let at = told.split_whitespace().last().and_then(|word| word.strip_prefix("0x"));
        let at = at.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        at.is_none_or(|at| (start..end).contains(&at))
    })
}

/// Sets the wall clock of the house apart from ours. `false`: it cannot be done here.
fn set(demo: &Demo, seconds: i64) -> bool {
    if !cfg!(target_arch = "x86_64") {
        return false;
    }
    let Some((start, end)) = kernels_code(std::process::id()) else { return false };
    let mut image = vec![0; (end - start) as usize];
    let own = File::open("/proc/self/mem").and_then(|own| own.read_exact_at(&mut image, start));
    let Some(place) = own.ok().and_then(|()| place_of(&image, "__vdso_clock_gettime")) else {
        return false;
    };
    let held = hold(demo);
    let done = held.iter().all(|pid| {
        let Some(code) = kernels_code(*pid) else { return true }; // gone, not yet waited for
        within(Duration::from_secs(20), "nobody asks for the time just now", || {
            let is_free = !is_within(*pid, code);
            if !is_free {
                signal(*pid, Signal::CONT);
                std::thread::sleep(Duration::from_millis(1));
                signal(*pid, Signal::STOP);
            }
            is_free
        });
        let memory = File::options().write(true).open(format!("/proc/{pid}/mem"));
        memory.and_then(|to| to.write_all_at(&adding(seconds), code.0 + place)).is_ok()
    });
    held.iter().for_each(|pid| signal(*pid, Signal::CONT));
    done
}

/// What was said at most once for a whole house: each cause with its component.
fn incidents(demo: &Demo) -> Vec<String> {
    let (value, _) = demo.ask(&["alarms", "list"]);
    let items = value["items"].as_array().unwrap();
    items
        .iter()
        .map(|one| format!("{} {} {}", one["cause"], one["component"], one["what"]))
        .collect()
}

fn check(name: &str, steps: &[i64]) {
    if !is_root() {
        return;
    }
    let demo = Demo::fresh(name);
    let mut letters = Letters::default();
    (0..3).for_each(|_| assert_eq!(letters.send(&demo, 5_000), 250));
    let mut reader = Reader::inbox(&demo, "aoi@example.jp");
    reader.must("FETCH 1 BODY.PEEK[]");
    let before = incidents(&demo);
    for seconds in steps {
        if !set(&demo, *seconds) {
            println!("absent: another clock");
            return;
        }
        let after = letters.recover(&demo);
        let slowest = letters.slowest;
        letters.all_there(&demo);
        // An open session goes on or is told to sign in anew; it is never answered wrongly.
        let said = reader.ask("FETCH 2 BODY.PEEK[]");
        let said = said.map_or_else(|fault| fault.to_string(), |answer| answer.end.clone());
        println!(
            "clock {seconds:+} s: taken after {after:?}, slowest {slowest:?}; session: {said}"
        );
        println!("put off: {:?}", letters.why);
        reader = Reader::inbox(&demo, "aoi@example.jp");
    }
    let shown = demo.entries().last().map(|entry| entry["at"].to_string());
    println!("the newest entry says {shown:?}");
    // Nobody was silent and nobody opened mail without leave because a clock was set.
    std::thread::sleep(Duration::from_secs(3));
    let after: Vec<String> =
        incidents(&demo).into_iter().filter(|one| !before.contains(one)).collect();
    assert!(after.is_empty(), "{after:?}");
}

#[test]
fn a_clock_set_forward_and_back_again() {
    check("clock-forward", &[HOUR, 0]);
}

#[test]
fn a_clock_set_back_and_forward_again() {
    check("clock-back", &[-HOUR, 0]);
}

#[test]
fn a_clock_a_day_ahead_and_a_day_behind() {
    check("clock-day", &[DAY, -DAY]);
}
