//! Where the kernel tells of processes: opened by the warden, which alone has the right to.
//!
//! The sources: the process connector (fork, exec, exit, trace), fanotify (files opened to be
//! executed, files written in some folders), the audit's multicast group. None of them is switched
//! on for others: the audit is listened to if it runs, and never enabled, so that no auditd is
//! disturbed.

use crate::plain::{adopt, checked};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `connector.h`, `cn_proc.h`: the process connector's group and its order to begin.
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
/// Headers before an event: `nlmsghdr` and `cn_msg`.
const NETLINK_HEAD: usize = 16;
const CONNECTOR_HEAD: usize = 20;
/// `audit.h`: the group that may be read beside an auditd.
const AUDIT_NLGRP_READLOG: u32 = 1;
/// A burst of forks on a busy host waits here.
const RECEIVE_BYTES: i32 = 4 << 20;
/// The kernel answers the order to begin at once; in another process namespace it never does.
const ANSWER: Duration = Duration::from_millis(300);
/// Events read in one go.
const BATCH_BYTES: usize = 64 * 1024;

/// What the process connector tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    Forked { parent: u32, child: u32 },
    Executed { pid: u32 },
    Exited { pid: u32 },
    Traced { pid: u32, by: u32 },
}

fn netlink(protocol: i32, groups: u32) -> io::Result<OwnedFd> {
    let form = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: plain numbers; the descriptor is new and ours alone. The address is a valid
    // structure of its own size, the option a valid int; both outlive their calls.
    unsafe {
        let fd = checked(libc::socket(libc::AF_NETLINK, form, protocol).into())?;
        let fd = adopt(fd as i32);
        let mut address: libc::sockaddr_nl = std::mem::zeroed();
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        let size = size_of::<libc::sockaddr_nl>() as u32;
        checked(libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size).into())?;
        let size = size_of::<i32>() as u32;
        for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
            let wanted = RECEIVE_BYTES;
            let value = (&raw const wanted).cast();
            let set = libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, value, size);
            if set == 0 {
                break;
            }
        }
        Ok(fd)
    }
}

/// Process events of the whole host.
///
/// # Errors
/// The kernel's refusal, or that it does not answer.
pub fn process_connector() -> io::Result<OwnedFd> {
    let socket = netlink(libc::NETLINK_CONNECTOR, CN_IDX_PROC)?;
    let mut order = Vec::new();
    let length = (NETLINK_HEAD + CONNECTOR_HEAD + 4) as u32;
    order.extend_from_slice(&length.to_ne_bytes());
    order.extend_from_slice(&(libc::NLMSG_DONE as u16).to_ne_bytes());
    order.extend_from_slice(&[0; 10]);
    for word in [CN_IDX_PROC, CN_VAL_PROC, 0, 0] {
        order.extend_from_slice(&word.to_ne_bytes());
    }
    order.extend_from_slice(&4u16.to_ne_bytes());
    order.extend_from_slice(&0u16.to_ne_bytes());
    order.extend_from_slice(&PROC_CN_MCAST_LISTEN.to_ne_bytes());
    rustix::net::send(&socket, &order, rustix::net::SendFlags::empty())?;
    match is_readable(&socket, ANSWER) {
        true => Ok(socket),
        false => Err(io::Error::new(io::ErrorKind::TimedOut, "the process connector is silent")),
    }
}

/// Audit records as they come, if the audit runs: Landlock's and seccomp's denials among them.
///
/// # Errors
/// The kernel's refusal.
pub fn audit_records() -> io::Result<OwnedFd> {
    netlink(libc::NETLINK_AUDIT, AUDIT_NLGRP_READLOG)
}

/// Whether the audit runs: if not, there is nothing to hear, and that is to be said. `None`: it
/// cannot be asked.
pub fn audit_is_on() -> Option<bool> {
    const AUDIT_GET: u16 = 1000;
    const NLM_F_REQUEST: u16 = 1;
    let socket = netlink(libc::NETLINK_AUDIT, 0).ok()?;
    let mut question = (NETLINK_HEAD as u32).to_ne_bytes().to_vec();
    question.extend_from_slice(&AUDIT_GET.to_ne_bytes());
    question.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    question.extend_from_slice(&[0; 8]);
    rustix::net::send(&socket, &question, rustix::net::SendFlags::empty()).ok()?;
    let mut answer = [0u8; 1_024];
    if !is_readable(&socket, ANSWER) {
        return None;
    }
    let flags = rustix::net::RecvFlags::DONTWAIT;
    let (_, count) = rustix::net::recv(&socket, &mut answer[..], flags).ok()?;
    let answer = answer.get(..count)?;
    // audit_status: mask, enabled, …
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk::<2>()?);
    let enabled = u32::from_ne_bytes(*answer.get(NETLINK_HEAD + 4..)?.first_chunk::<4>()?);
    (kind == AUDIT_GET).then_some(enabled != 0)
}

/// Files opened to be executed, on the file systems that these paths lie on.
///
/// # Errors
/// The kernel's refusal, for the first path.
pub fn program_starts(paths: &[&Path]) -> io::Result<OwnedFd> {
    let group = fanotify()?;
    for (number, path) in paths.iter().enumerate() {
        let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
        let marked = mark(&group, path, flags, libc::FAN_OPEN_EXEC);
        // A file system of its own that takes no mark is done without; the first must.
        if number == 0 {
            marked?;
        }
    }
    Ok(group)
}

/// Files that were written and closed right in one of these folders; those that are not there are
/// done without.
///
/// # Errors
/// The kernel's refusal, if it is for every folder.
pub fn written_files(folders: &[PathBuf]) -> io::Result<OwnedFd> {
    let group = fanotify()?;
    let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_ONLYDIR;
    let mask = libc::FAN_CLOSE_WRITE | libc::FAN_EVENT_ON_CHILD;
    let mut refusal = None;
    let mut is_marked = false;
    for folder in folders {
        match mark(&group, folder, flags, mask) {
            Ok(()) => is_marked = true,
            Err(why) => refusal = Some(why),
        }
    }
    match refusal {
        Some(why) if !is_marked => Err(why),
        _ => Ok(group),
    }
}

fn fanotify() -> io::Result<OwnedFd> {
    let flags = libc::FAN_CLASS_NOTIF | libc::FAN_CLOEXEC | libc::FAN_NONBLOCK;
    let open = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_LARGEFILE) as u32;
    // SAFETY: plain numbers; the descriptor is new and ours alone.
    Ok(unsafe { adopt(checked(libc::fanotify_init(flags, open).into())? as i32) })
}

fn mark(group: &OwnedFd, path: &Path, flags: u32, mask: u64) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: plain numbers, and a string that ends in zero and outlives the call.
    checked(unsafe {
        let path = path.as_ptr();
        libc::fanotify_mark(group.as_raw_fd(), flags, mask, libc::AT_FDCWD, path).into()
    })?;
    Ok(())
}

/// What waits on a [`process_connector`]; `false`: some were lost, for the host was faster.
pub fn take_processes(socket: &OwnedFd, into: &mut Vec<ProcessEvent>) -> bool {
    let mut buffer = [0u8; 4_096];
    loop {
        let flags = rustix::net::RecvFlags::DONTWAIT;
        match rustix::net::recv(socket, &mut buffer[..], flags) {
            Ok((_, 0)) => return true,
            Ok((_, count)) => {
                into.extend(buffer.get(..count).and_then(process_event));
            }
            Err(rustix::io::Errno::NOBUFS) => return false,
            Err(_) => return true,
        }
    }
}

/// One event of `cn_proc.h`; thread events and what nobody asked for are none.
pub fn process_event(message: &[u8]) -> Option<ProcessEvent> {
    let word = |at: usize| {
        let bytes = message.get(NETLINK_HEAD + CONNECTOR_HEAD + at..)?.first_chunk::<4>()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    const FORK: u32 = 1;
    const EXEC: u32 = 2;
    const PTRACE: u32 = 0x100;
    const EXIT: u32 = 0x8000_0000;
    // what, cpu, time (8), then the event's own words
    let (first, second, third, fourth) = (word(16), word(20), word(24), word(28));
    match word(0)? {
        FORK if third? == fourth? => Some(ProcessEvent::Forked { parent: second?, child: fourth? }),
        EXEC => Some(ProcessEvent::Executed { pid: second? }),
        PTRACE if third? != 0 => Some(ProcessEvent::Traced { pid: second?, by: fourth? }),
        EXIT if first? == second? => Some(ProcessEvent::Exited { pid: second? }),
        _ => None,
    }
}

/// What waits on [`program_starts`] or [`written_files`]: who did it, and the file.
pub fn take_files(group: &OwnedFd) -> Vec<(u32, OwnedFd)> {
    let mut found = Vec::new();
    let mut buffer = vec![0u8; BATCH_BYTES];
    let Ok(count) = rustix::io::read(group, &mut buffer) else { return found };
    let mut rest = buffer.get(..count).unwrap_or_default();
    // struct fanotify_event_metadata: length (4), version, reserved, head (2), mask (8), fd, pid
    while let Some(length) = rest.first_chunk::<4>().map(|length| u32::from_ne_bytes(*length)) {
        let word = |at: usize| {
            let bytes = rest.get(at..)?.first_chunk::<4>()?;
            Some(i32::from_ne_bytes(*bytes))
        };
        let (Some(fd), Some(pid)) = (word(16), word(20)) else { break };
        if fd >= 0 {
            // SAFETY: the kernel has made this descriptor for this event and for us alone.
            found.push((pid as u32, unsafe { adopt(fd) }));
        }
        rest = match usize::try_from(length) {
            Ok(length) if length >= 24 => rest.get(length..).unwrap_or_default(),
            _ => break,
        };
    }
    found
}

fn is_readable(fd: impl AsFd, patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let nanos = i64::from(patience.subsec_nanos());
    let limit = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: nanos };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&limit)), Ok(ready) if ready > 0)
}

#[cfg(test)]
mod tests {
    use super::{ProcessEvent, process_event};

    fn message(words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0u8; 36];
        let [what, own @ ..] = words else { return bytes };
        bytes.extend_from_slice(&what.to_ne_bytes());
        bytes.extend_from_slice(&[0; 12]);
        own.iter().for_each(|word| bytes.extend_from_slice(&word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn events_of_the_kernel() {
        let check = |words: &[u32], expected| assert_eq!(process_event(&message(words)), expected);
        check(&[1, 5, 5, 9, 9], Some(ProcessEvent::Forked { parent: 5, child: 9 }));
        check(&[1, 5, 5, 10, 9], None); // a thread
        check(&[2, 9, 9], Some(ProcessEvent::Executed { pid: 9 }));
        check(&[0x100, 9, 9, 7, 7], Some(ProcessEvent::Traced { pid: 9, by: 7 }));
        check(&[0x100, 9, 9, 0, 0], None); // let go
        check(&[0x8000_0000, 9, 9, 0, 17], Some(ProcessEvent::Exited { pid: 9 }));
        check(&[0x8000_0000, 10, 9, 0, 17], None);
        check(&[0x200, 9, 9], None);
        for cut in 0..56 {
            let whole = message(&[1, 5, 5, 9, 9]);
            let _ = process_event(&whole[..cut.min(whole.len())]);
        }
    }
}
