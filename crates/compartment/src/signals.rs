//! Signals for the warden, as a descriptor to poll: nothing runs inside a signal handler.

use crate::Fault;
use crate::plain::{adopt, checked};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

/// What a terminal, an operator or a service manager stops a program with.
const STOPPING: &[i32] = &[libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// Blocks the stopping signals for this thread and all that it will start, and gives a descriptor
/// that is readable when one has come. Call it before any thread is started. Children are born
/// with nothing blocked.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses.
pub fn stopping_signals() -> Result<OwnedFd, Fault> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` makes the set whole before it is used; the descriptor is new and ours.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in STOPPING {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        let refused = |source| Fault::Refused { step: "hear signals", source };
        let none = std::ptr::null_mut();
        match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), none) {
            0 => {}
            errno => return Err(refused(std::io::Error::from_raw_os_error(errno))),
        }
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = checked(libc::signalfd(-1, set.as_ptr(), flags).into()).map_err(refused)?;
        Ok(adopt(fd as i32))
    }
}

/// Takes one signal off the descriptor, if one waits: its number.
pub fn take_signal(signals: &OwnedFd) -> Option<u32> {
    let mut raw = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: `raw` is `size` writable bytes, and all zero is a valid value of it.
    let (count, raw) = unsafe {
        let count = libc::read(signals.as_raw_fd(), raw.as_mut_ptr().cast(), size);
        (count, raw.assume_init())
    };
    (count == size as isize).then_some(raw.ssi_signo)
}

/// Lets this process hold as many descriptors as its hard limit allows: a warden holds four for
/// each instance.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid structure that outlives both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// The process id behind a pidfd, as we see it; `None` when it has ended and was collected.
pub fn pid_behind(pidfd: &OwnedFd) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok()
}
