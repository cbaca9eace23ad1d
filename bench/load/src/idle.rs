//! Sessions that wait for mail: what one costs to open, and what it holds while nothing happens.

use crate::figures::ms;
use crate::imap::Place;
use crate::{Outcome, Wishes};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// After the last session has gone idle, memory is given back within so long.
const SETTLE: Duration = Duration::from_secs(3);

pub fn hold(wishes: &Wishes) -> Outcome<Value> {
    let place = Place::read(wishes.text("ready")?)?;
    let sessions = wishes.number_or("sessions", 200)?;
    let pattern = wishes.text_or("processes", "sekisho access");
    let root = wishes.number_or("root", 0)?;
    // The accounts that the sessions are shared out to: so many from this one on.
    let first = wishes.number_or("first", 0)?;
    let others = place.accounts.len().saturating_sub(first);
    let accounts = wishes.number_or("accounts", others)?.max(1);
    // What counts the house's processor time, read before the first session and while all wait:
    // neither their end nor this program's own looking at memory is theirs.
    let used = || match wishes.text("used") {
        Ok(file) => std::fs::read_to_string(file),
        Err(_) => Ok(String::new()),
    };
    let before = memory(pattern, root)?;
    let kernel_before = kernel_kib();
    let used_before = used()?;
    let mut open = Vec::with_capacity(sessions);
    let begin = Instant::now();
    for number in 0..sessions {
        let mut imap = place.sign_in(first + number % accounts)?;
        imap.ask("SELECT INBOX")?;
        open.push(imap);
    }
    let opened = begin.elapsed();
    for imap in &mut open {
        imap.ask("IDLE")?;
    }
    std::thread::sleep(SETTLE);
    let used_after = used()?;
    let after = memory(pattern, root)?;
    let kernel_after = kernel_kib();
    let each = |after: f64, before: f64| ((after - before) / sessions as f64).round();
    Ok(json!({
        "sessions": sessions,
        "processes": after.sessions,
        "used_before": used_before,
        "used_after": used_after,
        "opened_ms_each": ms(opened / u32::try_from(sessions)?),
        "pss_kib_each": each(after.kib, before.kib),
        "pss_kib_each_of_sessions_alone": each(after.session_kib, before.session_kib),
        "pss_kib_of_all_processes": after.kib,
        "kernel_kib_each": each(kernel_after, kernel_before),
    }))
}

/// Proportional memory in KiB.
#[derive(Default)]
struct Memory {
    /// Of all processes of the house (of all below `root`, if it was named): pages that sessions share are divided among all who map them.
    kib: f64,
    /// Of the processes that match the pattern, and how many they are.
    session_kib: f64,
    sessions: usize,
}

fn memory(pattern: &str, root: usize) -> Outcome<Memory> {
    let mut memory = Memory::default();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(command) = std::fs::read(path.join("cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let ours = root != 0 || command.starts_with("sekisho ");
        if !ours || !descends(&path, root) {
            continue;
        }
        let is_session = command.starts_with(pattern);
        memory.sessions += usize::from(is_session);
        let Ok(rollup) = std::fs::read_to_string(path.join("smaps_rollup")) else { continue };
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        memory.kib += number.unwrap_or(0.0);
        memory.session_kib += number.filter(|_| is_session).unwrap_or(0.0);
    }
    Ok(memory)
}

/// Whether the process stands below `root`; zero: every process does.
fn descends(path: &std::path::Path, root: usize) -> bool {
    let mut path = path.to_owned();
    while root != 0 {
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { return false };
        // Behind the name in brackets, which may hold anything: state, parent, …
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let parent = behind.split_whitespace().nth(1).unwrap_or("0");
        match parent.parse::<usize>() {
            Ok(parent) if parent == root => return true,
            Ok(parent) if parent > 1 => path = format!("/proc/{parent}").into(),
            _ => return false,
        }
    }
    true
}

/// What the kernel holds for processes and sockets on the whole machine.
fn kernel_kib() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let counted = ["Slab:", "KernelStack:", "PageTables:"];
    let kib = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        counted.contains(&name).then(|| words.next()?.parse::<f64>().ok())?
    });
    kib.sum()
}
