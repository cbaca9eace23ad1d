//! Signals: for the warden as a descriptor to poll, for a zygote as what ends a wait. Nothing runs
//! inside a signal handler.

use crate::Fault;
use crate::plain::{adopt, checked};
use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What a terminal, an operator or a service manager stops a program with.
const STOPPING: &[i32] = &[libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
/// What says that a child has ended.
const ENDS: &[i32] = &[libc::SIGCHLD];

/// Blocks the stopping signals for this thread and all that it will start, and gives a descriptor
/// that is readable when one has come. Call it before any thread is started. Children are born
/// with nothing blocked.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses.
pub fn stopping_signals() -> Result<OwnedFd, Fault> {
    let signals = set_of(STOPPING);
    mask(libc::SIG_BLOCK, &signals)?;
    // SAFETY: the set is whole and outlives the call; the descriptor is new and ours.
    unsafe {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = checked(libc::signalfd(-1, &signals, flags).into()).map_err(unheard)?;
        Ok(adopt(fd as i32))
    }
}

/// Ends of children interrupt `wait_with_ends` from now on, and nothing else.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses.
pub(crate) fn hear_ends() -> Result<(), Fault> {
    extern "C" fn heard(_: libc::c_int) {}
    mask(libc::SIG_BLOCK, &set_of(ENDS))?;
    // SAFETY: all zero is a valid action; the handler does nothing at all.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = heard as *const () as usize;
        checked(libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut()).into())
            .map_err(unheard)?;
    }
    Ok(())
}

/// A forked child has no children of whose end it would hear.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses.
pub(crate) fn hear_no_ends() -> Result<(), Fault> {
    mask(libc::SIG_UNBLOCK, &set_of(ENDS))
}

/// Waits until this descriptor says something or a child has ended; whether it was the descriptor.
/// What it costs does not grow with the number of children.
///
/// # Errors
/// `Fault::Refused` when the kernel refuses.
pub(crate) fn wait_with_ends(fd: &impl AsFd) -> Result<bool, Fault> {
    let mut watched = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor's record and a whole set, both ours and outliving the call. A signal
    // that came before it is still pending, and interrupts it at once.
    let ready = unsafe { libc::ppoll(&mut watched, 1, std::ptr::null(), &set_of(&[])) };
    match ready {
        0.. => Ok(watched.revents != 0),
        _ => match std::io::Error::last_os_error() {
            fault if fault.raw_os_error() == Some(libc::EINTR) => Ok(false),
            source => Err(Fault::Refused { step: "wait for orders", source }),
        },
    }
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` makes the set whole before it is used.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn mask(how: i32, signals: &libc::sigset_t) -> Result<(), Fault> {
    // SAFETY: the set is whole and outlives the call.
    match unsafe { libc::pthread_sigmask(how, signals, std::ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(unheard(std::io::Error::from_raw_os_error(errno))),
    }
}

fn unheard(source: std::io::Error) -> Fault {
    Fault::Refused { step: "hear signals", source }
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
    let mut file = File::open(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    // Each birth asks: all that stands there fits, and comes in one call.
    let mut room = [0u8; 512];
    let came = file.read(&mut room).ok()?;
    let text = std::str::from_utf8(room.get(..came)?).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok()
}
