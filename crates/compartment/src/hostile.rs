//! Drills only: what an intruder tries first, as raw system calls. Nothing here is reached but by
//! a `Begin` with `drill`; every act is harmless where the walls hold, and nearly so where not.

use crate::plain::checked;
use std::ffi::CString;
use std::io;

/// Octets read from a file that opened.
const READ_BYTES: usize = 256 * 1024;
/// Descriptors looked at.
const DESCRIPTORS: i32 = 1_024;
const HERE: usize = libc::AT_FDCWD as usize;

/// One thing to try.
pub struct Act {
    /// In words.
    pub name: &'static str,
    /// The call as the warden names it.
    pub call: &'static str,
    /// What it is after: an asset's word.
    pub asset: &'static str,
    run: fn(pid: usize) -> io::Result<libc::c_long>,
}

impl Act {
    /// Tries it; `pid` is a process to attack, where one is needed.
    ///
    /// # Errors
    /// The kernel's refusal: what a drill hopes for.
    pub fn attempt(&self, pid: u32) -> io::Result<()> {
        (self.run)(pid as usize).map(drop)
    }
}

fn call(number: libc::c_long, a: [usize; 6]) -> io::Result<libc::c_long> {
    let [a, b, c, d, e, f] = a;
    // SAFETY: every pointer that the acts below pass is null or points at a value that outlives
    // the call; none of the calls writes through a pointer that is not its caller's own.
    checked(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

fn exec(number: libc::c_long, at: &[usize]) -> io::Result<libc::c_long> {
    run(number, at, c"/bin/sh")
}

/// Tools of the host, as people use them who bring none of their own.
fn tool(path: &std::ffi::CStr) -> io::Result<libc::c_long> {
    run(libc::SYS_execve, &[], path)
}

fn run(number: libc::c_long, at: &[usize], shell: &std::ffi::CStr) -> io::Result<libc::c_long> {
    let nobody: [*const libc::c_char; 2] = [shell.as_ptr(), std::ptr::null()];
    let list = nobody.as_ptr() as usize;
    match at {
        [] => call(number, [shell.as_ptr() as usize, list, 0, 0, 0, 0]),
        [at, ..] => call(number, [*at, shell.as_ptr() as usize, list, 0, 0, 0]),
    }
}

fn exec_memory() -> io::Result<libc::c_long> {
    let program = call(libc::SYS_memfd_create, [c"x".as_ptr() as usize, 0, 0, 0, 0, 0])? as usize;
    let text = b"#!/bin/sh\n";
    call(libc::SYS_write, [program, text.as_ptr() as usize, text.len(), 0, 0, 0])?;
    let nobody = [std::ptr::null::<libc::c_char>()];
    let (empty, list) = (c"".as_ptr() as usize, nobody.as_ptr() as usize);
    let done =
        call(libc::SYS_execveat, [program, empty, list, list, libc::AT_EMPTY_PATH as usize, 0]);
    let _ = call(libc::SYS_close, [program, 0, 0, 0, 0, 0]);
    done
}

/// A child, if there is one, leaves at once.
fn multiply(flags: i32) -> io::Result<libc::c_long> {
    let child = call(libc::SYS_clone, [(flags | libc::SIGCHLD) as usize, 0, 0, 0, 0, 0])?;
    if child == 0 {
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(0) }
    }
    Ok(child)
}

fn socket(family: i32, kind: i32) -> io::Result<libc::c_long> {
    call(libc::SYS_socket, [family as usize, kind as usize, 0, 0, 0, 0])
}

fn peek(pid: usize) -> io::Result<libc::c_long> {
    let mut octets = [0u8; 64];
    let ours = libc::iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: octets.len() };
    let theirs = libc::iovec { iov_base: 0x40_0000 as *mut libc::c_void, iov_len: octets.len() };
    let (ours, theirs) = (&raw const ours as usize, &raw const theirs as usize);
    call(libc::SYS_process_vm_readv, [pid, ours, 1, theirs, 1, 0])
}

/// A file without a name in that folder, which is gone when it is closed: could it write there?
fn plant(folder: &std::ffi::CStr) -> io::Result<libc::c_long> {
    let flags = (libc::O_TMPFILE | libc::O_WRONLY | libc::O_CLOEXEC) as usize;
    let fd = call(libc::SYS_openat, [HERE, folder.as_ptr() as usize, flags, 0o600, 0, 0])?;
    call(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0])
}

/// An abstract name in the network namespace, which no file permission guards.
fn abstract_name() -> (libc::sockaddr_un, usize) {
    // SAFETY: plain data, all zeroes is a value of it.
    let mut name: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    name.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in name.sun_path.iter_mut().skip(1).zip(b"sekisho-drill") {
        *to = *from as libc::c_char;
    }
    (name, 2 + 1 + b"sekisho-drill".len())
}

fn with_name(number: libc::c_long) -> io::Result<libc::c_long> {
    let (name, length) = abstract_name();
    call(number, [3, &raw const name as usize, length, 0, 0, 0])
}

fn plain(number: libc::c_long) -> io::Result<libc::c_long> {
    call(number, [0; 6])
}

macro_rules! acts {
    ($($asset:literal $name:literal $call:literal |$pid:ident| $run:expr;)*) => {
        /// Everything that every compartment is made to try.
        pub const ACTS: &[Act] = &[$(
            Act { name: $name, call: $call, asset: $asset, run: |$pid| $run },
        )*];
    };
}

acts! {
    "host" "run a shell" "execve" |_pid| exec(libc::SYS_execve, &[]);
    "host" "run a shell, by another call" "execveat" |_pid| exec(libc::SYS_execveat, &[HERE]);
    "host" "run a program from memory" "execveat" |_pid| exec_memory();
    "cloud-credentials" "run curl" "execve" |_pid| tool(c"/usr/bin/curl");
    "host" "run an interpreter" "execve" |_pid| tool(c"/usr/bin/python3");
    "host" "run perl" "execve" |_pid| tool(c"/usr/bin/perl");
    "host" "plant a timetable" "openat" |_pid| plant(c"/etc/cron.d");
    "host" "plant a service" "openat" |_pid| plant(c"/etc/systemd/system");
    "cloud-credentials" "plant a key to log in with" "openat" |_pid| plant(c"/root");
    "host" "plant a program" "openat" |_pid| plant(c"/usr/local/bin");
    "host" "speak to an abstract name" "connect" |_pid| with_name(libc::SYS_connect);
    "host" "wait at an abstract name" "bind" |_pid| with_name(libc::SYS_bind);
    "host" "a new kind of mount" "fsopen"
        |_pid| call(libc::SYS_fsopen, [c"tmpfs".as_ptr() as usize, 0, 0, 0, 0, 0]);
    "host" "a copy of a mount" "open_tree"
        |_pid| call(libc::SYS_open_tree, [HERE, c"/".as_ptr() as usize, 1, 0, 0, 0]);
    "cloud-credentials" "ask for a key of the kernel's" "request_key"
        |_pid| plain(libc::SYS_request_key);
    "host" "keep a key in the kernel" "add_key" |_pid| plain(libc::SYS_add_key);
    "host" "write another's memory" "process_vm_writev"
        |pid| call(libc::SYS_process_vm_writev, [pid, 0, 0, 0, 0, 0]);
    "host" "open by a handle" "open_by_handle_at" |_pid| plain(libc::SYS_open_by_handle_at);
    "host" "watch files" "fanotify_init" |_pid| plain(libc::SYS_fanotify_init);
    "host" "change its own filter" "seccomp" |_pid| plain(libc::SYS_seccomp);
    "host" "be traced" "ptrace" |_pid| plain(libc::SYS_ptrace);
    "host" "hidden memory" "memfd_secret" |_pid| plain(libc::SYS_memfd_secret);
    "host" "shared memory" "shmget" |_pid| plain(libc::SYS_shmget);
    "host" "make a device" "mknodat" |_pid| {
        let path = c"/tmp/x".as_ptr() as usize;
        call(libc::SYS_mknodat, [HERE, path, 0o020_600, 0x0101, 0, 0])
    };
    "host" "an echo request" "socket" |_pid| socket(libc::AF_INET, libc::SOCK_RAW);
    "evidence" "signal by descriptor" "pidfd_send_signal"
        |_pid| plain(libc::SYS_pidfd_send_signal);
    "host" "fork" "clone" |_pid| multiply(0);
    "host" "make a user namespace" "unshare"
        |_pid| call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0]);
    "host" "fork into a user namespace" "clone" |_pid| multiply(libc::CLONE_NEWUSER);
    "host" "enter a namespace" "setns" |_pid| plain(libc::SYS_setns);
    "host" "mount" "mount" |_pid| plain(libc::SYS_mount);
    "host" "change the root" "chroot"
        |_pid| call(libc::SYS_chroot, [c"/".as_ptr() as usize, 0, 0, 0, 0, 0]);
    "host" "load a BPF program" "bpf" |_pid| plain(libc::SYS_bpf);
    "host" "load a kernel" "kexec_load" |_pid| plain(libc::SYS_kexec_load);
    "host" "load a module" "init_module" |_pid| plain(libc::SYS_init_module);
    "host" "become root" "setuid" |_pid| plain(libc::SYS_setuid);
    "host" "ring submission" "io_uring_setup"
        |_pid| call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0]);
    "host" "handle page faults" "userfaultfd" |_pid| plain(libc::SYS_userfaultfd);
    "host" "watch performance" "perf_event_open" |_pid| plain(libc::SYS_perf_event_open);
    "host" "search keyrings" "keyctl" |_pid| plain(libc::SYS_keyctl);
    "host" "executable memory" "mmap" |_pid| {
        let shape = (libc::PROT_WRITE | libc::PROT_EXEC) as usize;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        call(libc::SYS_mmap, [0, 4096, shape, flags, usize::MAX, 0])
    };
    "host" "a TCP socket" "socket" |_pid| socket(libc::AF_INET, libc::SOCK_STREAM);
    "host" "a UDP socket" "socket" |_pid| socket(libc::AF_INET6, libc::SOCK_DGRAM);
    "host" "a local socket" "socket" |_pid| socket(libc::AF_UNIX, libc::SOCK_STREAM);
    "host" "a netlink socket" "socket" |_pid| socket(libc::AF_NETLINK, libc::SOCK_RAW);
    "host" "a socket to the hypervisor" "socket" |_pid| socket(libc::AF_VSOCK, libc::SOCK_STREAM);
    "host" "a raw packet socket" "socket" |_pid| socket(libc::AF_PACKET, libc::SOCK_RAW);
    "cloud-credentials" "a socket to the metadata address" "socket"
        |_pid| socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC);
    "account-secrets" "read the vault's memory" "process_vm_readv" |pid| peek(pid);
    "account-secrets" "trace the vault" "ptrace"
        |pid| call(libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, pid, 0, 0, 0, 0]);
    "stored-bodies" "take a keeper's descriptors" "pidfd_open"
        |pid| call(libc::SYS_pidfd_open, [pid, 0, 0, 0, 0, 0]);
    "stored-headers" "copy a keeper's descriptors" "pidfd_getfd"
        |_pid| call(libc::SYS_pidfd_getfd, [3, 4, 0, 0, 0, 0]);
    "mail-in-flight" "trace a sibling" "ptrace"
        |pid| call(libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, pid, 0, 0, 0, 0]);
    "other-tenants" "read a sibling's memory" "process_vm_readv" |pid| peek(pid);
    // Signal 0 asks for permission alone.
    "evidence" "signal the ledger" "kill" |pid| call(libc::SYS_kill, [pid, 0, 0, 0, 0, 0]);
    "host" "signal everybody" "kill" |_pid| call(libc::SYS_kill, [usize::MAX, 0, 0, 0, 0, 0]);
    "host" "signal another's thread" "tgkill"
        |pid| call(libc::SYS_tgkill, [pid, pid, 0, 0, 0, 0]);
}

/// Turns a socket towards `to` in every way there is, with a datagram that says so.
pub fn misdirect(
    socket: std::os::fd::BorrowedFd<'_>,
    to: std::net::SocketAddr,
) -> Vec<(&'static str, &'static str, io::Result<()>)> {
    use std::os::fd::AsRawFd;
    let std::net::SocketAddr::V4(to) = to else { return Vec::new() };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
        sin_zero: [0; 8],
    };
    let (fd, name) = (socket.as_raw_fd() as usize, &raw const address as usize);
    let length = size_of::<libc::sockaddr_in>();
    let mut text = *b"got out";
    let mut part = libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() };
    // SAFETY: plain data, all zeroes is a value of it.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = name as *mut libc::c_void;
    message.msg_namelen = length as libc::socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let mut many = libc::mmsghdr { msg_hdr: message, msg_len: 0 };
    let words = text.as_ptr() as usize;
    let flags = (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as usize;
    let sendto = call(libc::SYS_sendto, [fd, words, text.len(), flags, name, length]);
    let sendmsg = call(libc::SYS_sendmsg, [fd, &raw const message as usize, flags, 0, 0, 0]);
    let sendmmsg = call(libc::SYS_sendmmsg, [fd, &raw mut many as usize, 1, flags, 0, 0]);
    let connect = call(libc::SYS_connect, [fd, name, length, 0, 0, 0]);
    vec![
        ("a datagram to somebody else", "sendto", sendto.map(drop)),
        ("a message to somebody else", "sendmsg", sendmsg.map(drop)),
        ("messages to somebody else", "sendmmsg", sendmmsg.map(drop)),
        ("another peer for a socket", "connect", connect.map(drop)),
        ("messages in place of the warden's", "dup3", over_control(fd)),
    ]
}

/// Puts another socket in the place of the control channel, where messages may go.
fn over_control(fd: usize) -> io::Result<()> {
    if fd == 3 {
        return Ok(());
    }
    // The number alone decides: an equal pair changes nothing where it is not refused.
    call(libc::SYS_dup3, [fd, 3, usize::MAX, 0, 0, 0]).map(drop)
}

/// Opens a file and reads its beginning; a folder opens to nothing.
///
/// # Errors
/// The kernel's refusal.
pub fn read_file(path: &str) -> io::Result<Vec<u8>> {
    let path = CString::new(path).map_err(|_| io::ErrorKind::InvalidInput)?;
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let fd = call(libc::SYS_openat, [HERE, path.as_ptr() as usize, flags, 0, 0, 0])? as usize;
    let mut octets = vec![0u8; READ_BYTES];
    let into = octets.as_mut_ptr() as usize;
    let found = call(libc::SYS_read, [fd, into, READ_BYTES, 0, 0, 0]).unwrap_or(0);
    let _ = call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    octets.truncate(found as usize);
    Ok(octets)
}

/// The numbers of the descriptors that this process holds, the standard ones left out.
pub fn descriptors() -> Vec<i32> {
    let is_open = |fd: &i32| {
        // SAFETY: plain numbers.
        unsafe { libc::fcntl(*fd, libc::F_GETFD) >= 0 }
    };
    (3..DESCRIPTORS).filter(is_open).collect()
}
