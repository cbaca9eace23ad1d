//! System calls without a safe wrapper elsewhere, each as one small safe function.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

/// The kernel's answer as a `Result`: -1 becomes `errno`.
pub fn checked(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Takes ownership of a descriptor that a system call has just made.
///
/// # Safety
/// `fd` must be a descriptor just returned by the kernel and owned by nobody else.
pub unsafe fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: promised by the caller.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// What this processor can do is asked once and remembered, by forks too; each asking leaves a
/// virtual machine some twenty times.
pub fn look_at_processor() {
    #[cfg(target_arch = "x86_64")]
    std::hint::black_box(std::arch::is_x86_feature_detected!("avx2"));
}

/// Ends this process at once. What libraries do at an end is for processes that others go on
/// after: here it would touch pages that the kernel takes back anyway, each copied for it first.
pub fn leave(code: ExitCode) -> ! {
    let number = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code);
    // SAFETY: takes a plain number and does not return.
    unsafe { libc::_exit(number.unwrap_or(u8::MAX).into()) }
}

/// `prctl` with plain numbers.
pub fn prctl(option: i32, value: u64) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: every option used in this crate takes numbers or, for PR_SET_NAME, goes through
    // `name_process`; no pointer is passed here.
    checked(unsafe { libc::prctl(option, value as libc::c_ulong, zero, zero, zero) }.into())
        .map(drop)
}

/// The command name as `ps -o comm` shows it; the kernel keeps 15 bytes.
pub fn name_process(name: &str) -> io::Result<()> {
    let mut bytes = [0u8; 16];
    for (to, from) in bytes.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    // SAFETY: `bytes` is a zero-ended string of at most 16 bytes that outlives the call.
    checked(unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) }.into()).map(drop)
}

/// Sets one resource limit, soft and hard alike; a lower hard limit that stands already stays.
pub fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `limit` is a valid structure that outlives both calls.
    unsafe {
        checked(libc::getrlimit(resource, &mut limit).into())?;
        limit.rlim_max = limit.rlim_max.min(value);
        limit.rlim_cur = limit.rlim_max;
        checked(libc::setrlimit(resource, &limit).into()).map(drop)
    }
}

/// Gives up every capability: effective, permitted, inheritable, ambient, and the bounding set
/// as far as the kernel lets us (a process without CAP_SETPCAP has nothing to lose there).
pub fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    const LAST_CAPABILITY: u64 = 63;
    for capability in 0..=LAST_CAPABILITY {
        let _ = prctl(libc::PR_CAPBSET_DROP, capability);
    }
    let header = Header { version: VERSION_3, pid: 0 };
    let none = [0u32; 6];
    // SAFETY: version 3 reads one header and two triples of u32; both outlive the call.
    checked(unsafe { libc::syscall(libc::SYS_capset, &header, none.as_ptr()) }).map(drop)
}

/// A descriptor for process `pid`.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the kernel returns a new descriptor, which nobody else owns.
    unsafe {
        let fd = checked(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        Ok(adopt(fd as RawFd))
    }
}

/// An `ioctl` whose argument the kernel reads and writes as one `T`.
pub fn ioctl<T>(fd: BorrowedFd<'_>, request: u64, argument: &mut T) -> io::Result<()> {
    let pointer: *mut T = argument;
    // SAFETY: `T` is the structure that `request` is defined for (the callers are all in
    // `notices`), exclusively borrowed for the length of the call.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, pointer) }.into()).map(drop)
}

/// Marks a descriptor so that no program executed later inherits it.
pub fn close_at_exec(fd: BorrowedFd<'_>) {
    // SAFETY: plain numbers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Lets a descriptor through the next exec.
pub fn keep_at_exec(fd: BorrowedFd<'_>) {
    // SAFETY: plain numbers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) };
}

/// Says to the warden that this process cannot send descriptors, from wherever it found out.
pub fn tell_of_crowding() {
    // SAFETY: in a process that began in a house descriptor 3 is its control channel until its
    // end; borrowed for one frame.
    let control = unsafe { BorrowedFd::borrow_raw(crate::birth::CONTROL) };
    let _ = wire::tell_of_crowding(control);
}

/// Gives the allocator's free pages back to the kernel: for a process about to idle.
pub fn give_memory_back() {
    wire::let_go_of_long_frames();
    // SAFETY: takes a plain number; the allocator locks itself.
    unsafe { libc::malloc_trim(0) };
}

/// Columns of the terminal behind standard output, if there is one.
pub fn terminal_columns() -> Option<u16> {
    // SAFETY: plain data, all zeroes is a value of it.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: `size` is a valid place for the answer.
    let answer = unsafe { libc::ioctl(1, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(size.ws_col)
}
