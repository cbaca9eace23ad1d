//! Which walls this machine grants, found out by trying each in a child that leaves at once.

use crate::plain;
use std::fmt;
use std::sync::OnceLock;

/// One wall of the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wall {
    /// A user namespace of its own (an ordinary user's way to the others).
    UserNamespace,
    /// It sees no process but its own.
    ProcessNamespace,
    /// An empty network.
    NetworkNamespace,
    /// No shared memory or message queues of others.
    IpcNamespace,
    /// Its own host name.
    NameNamespace,
    /// Its own table of mounts.
    MountNamespace,
    /// A user id of its own.
    OwnUser,
    /// Landlock at all.
    Fence,
    /// Landlock with TCP ports and scopes.
    NewestFence,
    /// The filter of calls.
    Calls,
    /// The listener: refused calls are heard.
    Notices,
    /// Resource limits.
    Limits,
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wall::UserNamespace => "user namespace",
            Wall::ProcessNamespace => "process namespace",
            Wall::NetworkNamespace => "network namespace",
            Wall::IpcNamespace => "ipc namespace",
            Wall::NameNamespace => "name namespace",
            Wall::MountNamespace => "mount namespace",
            Wall::OwnUser => "own user id",
            Wall::Fence => "landlock",
            Wall::NewestFence => "landlock ports and scopes",
            Wall::Calls => "call filter",
            Wall::Notices => "notices of refused calls",
            Wall::Limits => "resource limits",
        })
    }
}

/// The namespaces in the order in which they are asked for.
pub(crate) const NAMESPACES: &[(Wall, i32)] = &[
    (Wall::ProcessNamespace, libc::CLONE_NEWPID),
    (Wall::NetworkNamespace, libc::CLONE_NEWNET),
    (Wall::IpcNamespace, libc::CLONE_NEWIPC),
    (Wall::NameNamespace, libc::CLONE_NEWUTS),
    (Wall::MountNamespace, libc::CLONE_NEWNS),
];

/// What the machine grants and what it does not.
#[derive(Clone, Debug, Default)]
pub struct Walls {
    /// Walls that stand when asked for.
    pub granted: Vec<Wall>,
    /// Walls that this machine or this user does not get.
    pub missing: Vec<Wall>,
    /// The Landlock version of this kernel; 0 without it.
    pub landlock: u32,
}

/// Whether this process is the superuser.
pub fn is_root() -> bool {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Tries every wall, once per process; the answer is kept.
pub fn walls() -> &'static Walls {
    static FOUND: OnceLock<Walls> = OnceLock::new();
    FOUND.get_or_init(find)
}

fn find() -> Walls {
    let mut walls = Walls { landlock: landlock_version(), ..Walls::default() };
    let mut note = |wall, stands: bool| match stands {
        true => walls.granted.push(wall),
        false => walls.missing.push(wall),
    };
    let user = if is_root() { 0 } else { libc::CLONE_NEWUSER };
    if !is_root() {
        note(Wall::UserNamespace, try_namespaces(user));
    }
    for (wall, flag) in NAMESPACES {
        note(*wall, try_namespaces(user | flag));
    }
    note(Wall::OwnUser, is_root() && in_child(crate::birth::can_change_user));
    let version = landlock_version();
    note(Wall::Fence, version >= 1);
    note(Wall::NewestFence, version >= 6);
    note(Wall::Calls, in_child(|| try_filter(false)));
    note(Wall::Notices, in_child(|| try_filter(true)));
    walls
}

/// Whether a child can be born into these namespaces.
fn try_namespaces(flags: i32) -> bool {
    // SAFETY: a raw clone without a new stack is a fork; the child calls only `_exit`.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) };
    match pid {
        -1 => false,
        // SAFETY: ends the child at once, running nothing of ours.
        0 => unsafe { libc::_exit(0) },
        pid => left_well(pid as i32),
    }
}

/// Runs `trial` in a forked child; it must only make system calls.
fn in_child(trial: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `trial` (system calls on values made before the fork) and leaves.
    match unsafe { libc::fork() } {
        -1 => false,
        0 => {
            let code = if trial() { 0 } else { 1 };
            // SAFETY: ends the child at once, running nothing of ours.
            unsafe { libc::_exit(code) }
        }
        pid => left_well(pid),
    }
}

fn left_well(pid: i32) -> bool {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a valid place for one int; `pid` is our unreaped child.
        let found = unsafe { libc::waitpid(pid, &mut status, libc::__WALL) };
        if found == pid {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return false;
        }
    }
}

fn try_filter(listener: bool) -> bool {
    // One instruction: allow. What counts is whether the kernel takes it.
    const ALLOW: [crate::filter::Instruction; 1] = [crate::filter::Instruction {
        code: 0x06,
        jump_true: 0,
        jump_false: 0,
        operand: libc::SECCOMP_RET_ALLOW,
    }];
    plain::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).is_ok()
        && crate::filter::install(&ALLOW, listener).is_ok()
}

fn landlock_version() -> u32 {
    const VERSION: u32 = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: with the version flag the kernel reads no attribute.
    let found =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, VERSION) };
    u32::try_from(found).unwrap_or(0)
}
