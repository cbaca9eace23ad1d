//! Inside a compartment, once, after its own files are open: the walls go up, for good.

use crate::fence::{self, Grounds};
use crate::filter::{self, Otherwise, Prepared};
use crate::plain;
use crate::walls::Wall;
use crate::{Fault, title};
use landlock::RulesetStatus;
use std::os::fd::OwnedFd;

/// Descriptors that a compartment may hold: a keeper has one channel per live instance, and
/// parcels in flight.
pub const DESCRIPTORS: u64 = 65_536;

/// Address space beyond the memory cap: stacks and pools are reserved long before they are used.
const RESERVED_BYTES: u64 = 1 << 30;

/// Memory pools of the C library: two, so that a new thread never asks how many processors exist
/// (glibc opens a file for that, which would be off charter).
const MALLOC_POOLS: i32 = 2;
/// Free memory that [`keep_memory`] keeps at most: some copies of a message of a usual large size.
const KEPT_BYTES: libc::c_int = 8 * 1024 * 1024;

/// What stands after the walls went up.
pub struct Entered {
    /// To be sent up the control socket; `None` when the kernel gave none.
    pub listener: Option<OwnedFd>,
    /// Walls that this kernel did not grant.
    pub missing: Vec<Wall>,
}

/// Jails a compartment of one process (a keeper, `gate`, `signer`, …). Open its files first.
///
/// # Errors
/// `Fault` when a wall that every Linux has could not be raised: do not go on.
pub fn enter(kind: &str, grounds: &Grounds<'_>) -> Result<Entered, Fault> {
    let mut missing = settle(kind, grounds)?;
    note_fence(fence::raise(grounds)?, &mut missing);
    let listener = close_calls(&Prepared::of(kind)?, &mut missing)?;
    Ok(Entered { listener, missing })
}

/// The walls that a filter and a fence stand on: no new privileges, no capabilities, limits.
pub(crate) fn settle(kind: &str, grounds: &Grounds<'_>) -> Result<Vec<Wall>, Fault> {
    let mut missing = Vec::new();
    let step =
        |step, done: std::io::Result<()>| done.map_err(|source| Fault::Refused { step, source });
    step("name itself", plain::name_process(kind))?;
    step("hide its memory", plain::prctl(libc::PR_SET_DUMPABLE, 0))?;
    step("forbid core files", plain::limit(libc::RLIMIT_CORE, 0))?;
    let descriptors = match grounds.descriptors {
        0 => DESCRIPTORS,
        given => given,
    };
    let mut limits = vec![(libc::RLIMIT_NOFILE, descriptors)];
    if grounds.memory_bytes > 0 {
        // What is written, and what is mapped at all (a shared mapping escapes the first).
        limits.push((libc::RLIMIT_DATA, grounds.memory_bytes));
        limits.push((libc::RLIMIT_AS, grounds.memory_bytes.saturating_add(RESERVED_BYTES)));
    }
    if limits.into_iter().any(|(resource, value)| plain::limit(resource, value).is_err()) {
        missing.push(Wall::Limits);
    }
    step("drop its capabilities", plain::drop_capabilities())?;
    step("refuse new privileges", plain::prctl(libc::PR_SET_NO_NEW_PRIVS, 1))?;
    // SAFETY: plain numbers; called while the process has one thread.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, MALLOC_POOLS) };
    Ok(missing)
}

/// For a process through which large messages pass: what one needed is kept for the next, instead
/// of being given back and zeroed by the kernel page by page. A third of what a scanner uses for
/// a message of 1 MiB was spent on that.
pub fn keep_memory() {
    // SAFETY: plain numbers; called while the process has one thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}

/// The last wall: the kind's filter with its listener, or without one where none is granted.
pub(crate) fn close_calls(
    calls: &Prepared,
    missing: &mut Vec<Wall>,
) -> Result<Option<OwnedFd>, Fault> {
    let own_pid = std::process::id();
    let asking = calls.program(own_pid, Otherwise::Notify)?;
    match filter::install(&asking, true) {
        Ok(listener) => return Ok(listener),
        Err(_) => missing.push(Wall::Notices),
    }
    let silent = calls.program(own_pid, Otherwise::Refuse)?;
    if filter::install(&silent, false).is_err() {
        missing.push(Wall::Calls);
    }
    Ok(None)
}

pub(crate) fn note_fence(status: RulesetStatus, missing: &mut Vec<Wall>) {
    match status {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => missing.push(Wall::NewestFence),
        RulesetStatus::NotEnforced => missing.push(Wall::Fence),
    }
}

/// From here on a panic ends the process at once and prints where, never what: a panic's message
/// may hold a value.
pub fn abort_on_panic(kind: &'static str) {
    std::panic::set_hook(Box::new(move |panic| {
        let (file, line) = panic.location().map_or(("unknown", 0), |at| (at.file(), at.line()));
        crate::tell(format_args!("sekisho {kind}: stopped itself at {file}:{line}"));
        std::process::abort();
    }));
}

/// Names the instance on the `ps` screen.
pub(crate) fn name_instance(id: &str) {
    let _ = title::set_instance_id(id);
}
