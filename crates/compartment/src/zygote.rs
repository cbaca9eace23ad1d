//! A zygote: a jailed process with one thread that has read no outside byte, and forks instances.
//!
//! It carries the fence and the coarse filter, but no listener: a chain of filters can have one
//! only, and that one is each instance's own.

use crate::fence::{self, Grounds};
use crate::filter::Prepared;
use crate::jail::{self, Entered};
use crate::walls::Wall;
use crate::{Fault, filter, plain, signals};
use std::os::fd::OwnedFd;

/// Which side of the fork we are on.
pub enum Forked {
    /// The new instance: call [`become_instance`] before anything else.
    Instance,
    /// The zygote, and its child.
    Zygote {
        /// The child's id in the zygote's own process namespace.
        pid: i32,
        /// For the warden.
        pidfd: OwnedFd,
    },
}

/// Jails a zygote: all walls but the filter of the instances.
///
/// # Errors
/// As [`jail::enter`].
pub fn enter_zygote(kind: &str, grounds: &Grounds<'_>) -> Result<Vec<Wall>, Fault> {
    let mut missing = jail::settle(kind, grounds)?;
    jail::note_fence(fence::raise(grounds)?, &mut missing);
    if filter::install(&filter::coarse(), false).is_err() {
        missing.push(Wall::Calls);
    }
    Ok(missing)
}

/// Forks. The caller must have one thread: the child has only the thread that called.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses a new process.
pub fn fork_instance() -> Result<Forked, Fault> {
    // SAFETY: the process has one thread (the zygote's rule), so no lock can be held by a thread
    // that the child does not have; libc's own fork keeps its allocator and ids in order.
    match unsafe { libc::fork() } {
        -1 => Err(Fault::refused("fork an instance")),
        0 => signals::hear_no_ends().map(|()| Forked::Instance),
        pid => {
            // The child cannot have been reaped: only we reap, and we have not yet.
            let pidfd = plain::pidfd_open(pid)
                .map_err(|source| Fault::Refused { step: "watch its instance", source })?;
            Ok(Forked::Zygote { pid, pidfd })
        }
    }
}

/// Makes the forked child an instance: lifeline, name, own fence layer, filter with listener.
///
/// # Errors
/// As [`jail::enter`].
pub fn become_instance(
    calls: &Prepared,
    id: &str,
    grounds: &Grounds<'_>,
) -> Result<Entered, Fault> {
    let step = "tie its life to its zygote";
    // The signal is not inherited by forks: every child asks again.
    plain::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)
        .map_err(|source| Fault::Refused { step, source })?;
    jail::name_instance(id);
    let mut missing = Vec::new();
    jail::note_fence(fence::raise_own_layer(grounds)?, &mut missing);
    let listener = jail::close_calls(calls, &mut missing)?;
    Ok(Entered { listener, missing })
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It left with this code.
    Left(i32),
    /// This signal ended it.
    Signal(i32),
}

/// Reaps one child that has ended, without waiting: its id and its wait status
/// (for [`end_of`]).
pub fn reap() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for one int.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
    (pid > 0).then_some((pid, status))
}

/// Reads a wait status.
pub fn end_of(status: i32) -> End {
    if libc::WIFSIGNALED(status) {
        End::Signal(libc::WTERMSIG(status))
    } else {
        End::Left(libc::WEXITSTATUS(status))
    }
}

/// Keeps descriptors at their agreed places: moves `fd` to number `place`, closing what was there.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses.
pub fn place(fd: OwnedFd, place: i32) -> Result<OwnedFd, Fault> {
    use std::os::fd::AsRawFd;
    if fd.as_raw_fd() == place {
        return Ok(fd);
    }
    // SAFETY: plain numbers; `dup3` closes `place` itself, whose former owner is gone after the
    // fork (the caller forgets it), and the result is owned by the returned value alone.
    unsafe {
        if libc::dup3(fd.as_raw_fd(), place, libc::O_CLOEXEC) < 0 {
            return Err(Fault::refused("place a descriptor"));
        }
        Ok(plain::adopt(place))
    }
}
