//! Calls that were shown to the warden: who made which, and the warden's answer.
//!
//! The listener is the instance's identity: it was made by that instance's own filter, so nobody
//! else's calls can appear on it. Arguments are numbers here and stay numbers: a pointer's target
//! may change after we looked, so nothing is decided on it.

use crate::numbers;
use crate::plain::ioctl;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A call that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The kernel's cookie for the answer.
    pub id: u64,
    /// The caller (a thread's id), in the reader's process namespace; 0 if it is not visible.
    pub pid: u32,
    /// The call's number.
    pub number: u32,
    /// The call's name.
    pub call: &'static str,
    /// Its arguments, as numbers.
    pub args: [u64; 6],
}

/// The warden's end of one instance's filter.
pub struct Notices {
    listener: OwnedFd,
}

impl Notices {
    /// Takes over a listener that came up a control socket.
    pub fn new(listener: OwnedFd) -> Self {
        Notices { listener }
    }

    /// The next call that waits; `None` when the caller died meanwhile or nothing waits. Call it
    /// only after `poll` said that the listener is readable: it may wait otherwise.
    ///
    /// # Errors
    /// The kernel's answer, when the descriptor is not a listener.
    pub fn receive(&self) -> io::Result<Option<Notice>> {
        let mut raw = empty_notice();
        match ioctl(self.listener.as_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &mut raw) {
            Ok(()) => {}
            Err(error) => {
                return match error.raw_os_error() {
                    // ENOENT: the caller is gone; EINTR: a signal for us, the notice stays.
                    Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => Ok(None),
                    _ => Err(error),
                };
            }
        }
        let number = raw.data.nr as u32;
        let call = numbers::name_of(number);
        Ok(Some(Notice { id: raw.id, pid: raw.pid, number, call, args: raw.data.args }))
    }

    /// Refuses the call with `errno`. A caller that died meanwhile is no error.
    ///
    /// # Errors
    /// The kernel's answer, when the descriptor is not a listener.
    pub fn deny(&self, notice: &Notice, errno: i32) -> io::Result<()> {
        self.answer(notice, -errno, 0)
    }

    /// Lets the call go on to the other walls, which decide (Landlock above all).
    ///
    /// # Errors
    /// The kernel's answer, when the descriptor is not a listener.
    pub fn continue_(&self, notice: &Notice) -> io::Result<()> {
        self.answer(notice, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32)
    }

    fn answer(&self, notice: &Notice, error: i32, flags: u32) -> io::Result<()> {
        let mut raw = libc::seccomp_notif_resp { id: notice.id, val: 0, error, flags };
        let sent = ioctl(self.listener.as_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &mut raw);
        match sent {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// The kernel demands a zeroed structure.
fn empty_notice() -> libc::seccomp_notif {
    libc::seccomp_notif {
        id: 0,
        pid: 0,
        flags: 0,
        data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
    }
}
