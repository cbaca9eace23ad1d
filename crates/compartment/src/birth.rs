//! Birth, on the warden's side: one clone with its namespaces, then exec of our own program.
//!
//! Between clone and exec the child of a process with threads may make system calls and nothing
//! else (no allocation, no lock): all that it needs is laid out before.

use crate::Fault;
use crate::plain::{adopt, checked};
use crate::title::NO_ID;
use crate::walls::{NAMESPACES, Wall, is_root, walls};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Where the control channel stands in every compartment.
pub const CONTROL: RawFd = 3;
/// Descriptors are parked from here on while they are put in order.
const PARKING: RawFd = 200;
/// Descriptors that one newborn is given at most.
const PLACES: usize = 16;
/// The kernel's `CLOSE_RANGE_*` upper end: all of them.
const EVERY_DESCRIPTOR: u32 = u32::MAX;
/// `exit` code of a child that could not be born; the pipe says why.
const STILLBORN: i32 = 111;

/// A compartment to be born.
pub struct Birth<'a> {
    /// Its word: second argument, command name, policy.
    pub kind: &'a str,
    /// Its instance id (12 characters), third argument; `None` for a zygote.
    pub instance: Option<&'a str>,
    /// The user that it becomes when we are root.
    pub user: Option<u32>,
    /// It keeps the host's network (`names`).
    pub host_network: bool,
    /// Becomes descriptor 3.
    pub control: OwnedFd,
    /// Become descriptors 4, 5, …
    pub more: Vec<OwnedFd>,
    /// `NAME=value`; nothing else is inherited.
    pub environment: Vec<String>,
}

/// A compartment that was born.
pub struct Spawned {
    /// Its id as we see it.
    pub pid: i32,
    /// Readable when it ends.
    pub pidfd: OwnedFd,
    /// Namespaces and user id that it did not get.
    pub missing: Vec<Wall>,
}

/// What the child carries over the clone.
struct Luggage {
    words: Vec<CString>,
    environment: Vec<CString>,
    descriptors: Vec<OwnedFd>,
    nothing: OwnedFd,
    /// Becomes its standard error.
    voice: OwnedFd,
    identity: Option<[CString; 2]>,
    user: Option<u32>,
}

/// What the child was doing when it failed, by number.
const STEPS: &[&str] = &[
    "map its user",
    "lead a session of its own",
    "become its own user",
    "die with its warden",
    "put its descriptors in order",
    "execute our own program",
];

/// Brings a compartment to life. Call it from one thread that lives as long as the warden: the
/// parent-death signal follows the thread, not the process.
///
/// # Errors
/// `Fault` when no process could be made, or when it failed before its first instruction.
pub fn spawn(birth: Birth<'_>) -> Result<Spawned, Fault> {
    let refused = |step| move |source| Fault::Refused { step, source };
    let mut namespaces = granted_namespaces(birth.host_network);
    let (hear, tell) = pipe().map_err(refused("make a pipe"))?;
    let luggage = pack(birth).map_err(refused("prepare a birth"))?;
    let (pid, pidfd) = loop {
        let mapped = namespaces.iter().any(|(wall, _)| *wall == Wall::UserNamespace);
        let flags = namespaces.iter().fold(0, |flags, (_, flag)| flags | flag);
        match clone_child(flags, || newborn(&luggage, mapped, &tell)) {
            Ok(born) => break born,
            // Step by step: the last asked for is given up first.
            Err(_) if namespaces.pop().is_some() => {}
            Err(source) => return Err(refused("make a process")(source)),
        }
    };
    drop(tell);
    if let Some(fault) = last_words(&hear) {
        reap(pid);
        return Err(fault);
    }
    Ok(Spawned { pid, pidfd, missing: missing_walls(&namespaces, &luggage) })
}

/// The namespaces that this machine grants, the least dear last.
fn granted_namespaces(host_network: bool) -> Vec<(Wall, i32)> {
    let mut wanted = Vec::new();
    if !is_root() {
        wanted.push((Wall::UserNamespace, libc::CLONE_NEWUSER));
    }
    wanted.extend_from_slice(NAMESPACES);
    wanted.retain(|(wall, _)| {
        walls().granted.contains(wall) && !(host_network && *wall == Wall::NetworkNamespace)
    });
    wanted
}

fn missing_walls(stand: &[(Wall, i32)], luggage: &Luggage) -> Vec<Wall> {
    let mut missing: Vec<Wall> = walls()
        .missing
        .iter()
        .copied()
        .filter(|wall| NAMESPACES.iter().any(|(known, _)| known == wall))
        .collect();
    for (wall, _) in NAMESPACES {
        let stands = stand.iter().any(|(known, _)| known == wall);
        if !stands && walls().granted.contains(wall) && *wall != Wall::NetworkNamespace {
            missing.push(*wall);
        }
    }
    if luggage.user.is_none() {
        missing.push(Wall::OwnUser);
    }
    missing
}

fn pack(birth: Birth<'_>) -> io::Result<Luggage> {
    let word = |text: &str| CString::new(text).map_err(|_| io::ErrorKind::InvalidInput.into());
    let words: io::Result<Vec<CString>> =
        ["sekisho", birth.kind, birth.instance.unwrap_or(NO_ID)].into_iter().map(word).collect();
    let environment: io::Result<Vec<CString>> =
        birth.environment.iter().map(|pair| word(pair)).collect();
    // SAFETY: these take nothing and cannot fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let identity = match is_root() {
        true => None,
        false => Some([word(&format!("{user} {user} 1"))?, word(&format!("{group} {group} 1"))?]),
    };
    let mut descriptors = vec![birth.control];
    descriptors.extend(birth.more);
    let user = birth.user.filter(|_| is_root() && walls().granted.contains(&Wall::OwnUser));
    let nothing = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    let voice = crate::voice::voice_of(birth.kind)?;
    let (words, environment) = (words?, environment?);
    Ok(Luggage { words, environment, descriptors, nothing: nothing.into(), voice, identity, user })
}

/// A raw clone: a fork with namespaces and a descriptor for the child.
fn clone_child(flags: i32, child: impl FnOnce() -> i32) -> io::Result<(i32, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    let flags = flags | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without a new stack this is a fork; `pidfd` is a valid place for one descriptor;
    // the child runs `child` alone, which keeps to system calls on what was laid out before.
    let pid = checked(unsafe {
        libc::syscall(libc::SYS_clone, flags as libc::c_ulong, 0usize, &mut pidfd, 0usize, 0usize)
    })?;
    if pid == 0 {
        let code = child();
        // SAFETY: ends the child at once, running nothing of its parent's.
        unsafe { libc::_exit(code) }
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok((pid as i32, unsafe { adopt(pidfd) }))
}

/// The child, up to its exec. Returns only when a step failed.
fn newborn(luggage: &Luggage, mapped: bool, tell: &OwnedFd) -> i32 {
    let failed = match live(luggage, mapped) {
        Ok(never) => match never {},
        Err(step) => step,
    };
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let words = [failed as i32, errno];
    // SAFETY: `words` is eight readable bytes; the pipe takes them at once.
    unsafe { libc::write(tell.as_raw_fd(), words.as_ptr().cast(), 8) };
    STILLBORN
}

/// The steps of [`STEPS`], in order; the number of the one that failed.
///
/// Root's `setgroups`, `setresgid`, `setresuid` are raw calls here: libc's wrappers would look for
/// the threads of the parent.
fn live(luggage: &Luggage, mapped: bool) -> Result<std::convert::Infallible, usize> {
    let or = |answer: libc::c_long, step: usize| if answer < 0 { Err(step) } else { Ok(()) };
    if let (true, Some([user, group])) = (mapped, &luggage.identity) {
        or(write_file(c"/proc/self/setgroups", c"deny"), 0)?;
        or(write_file(c"/proc/self/uid_map", user), 0)?;
        or(write_file(c"/proc/self/gid_map", group), 0)?;
    }
    // SAFETY: plain numbers, and pointers into `luggage` and to locals, all valid for each call;
    // the lists for exec end in null.
    unsafe {
        or(libc::setsid().into(), 1)?;
        if let Some(user) = luggage.user {
            or(libc::syscall(libc::SYS_setgroups, 0usize, 0usize), 2)?;
            or(libc::syscall(libc::SYS_setresgid, user, user, user), 2)?;
            or(libc::syscall(libc::SYS_setresuid, user, user, user), 2)?;
        }
        or(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).into(), 3)?;
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        or(libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()).into(), 3)?;
        libc::umask(0o077);
        arrange(luggage).map_err(|()| 4usize)?;
        let mut words = [std::ptr::null(); 4];
        for (to, from) in words.iter_mut().zip(luggage.words.iter().take(3)) {
            *to = from.as_ptr();
        }
        let mut environment = [std::ptr::null(); 33];
        for (to, from) in environment.iter_mut().zip(luggage.environment.iter().take(32)) {
            *to = from.as_ptr();
        }
        let own = c"/proc/self/exe";
        libc::execve(own.as_ptr(), words.as_ptr(), environment.as_ptr());
    }
    Err(5)
}

/// 0 and 1 become nothing, 2 its voice, 3 and on are ours, the rest is closed at exec.
///
/// # Safety
/// Only in the child between clone and exec.
unsafe fn arrange(luggage: &Luggage) -> Result<(), ()> {
    // SAFETY: plain numbers; every descriptor number comes from an owned descriptor.
    unsafe {
        let nothing = luggage.nothing.as_raw_fd();
        // At free places: what already stands there may be what is moved, or what is needed yet.
        let mut parked = [-1; PLACES];
        if luggage.descriptors.len() > PLACES {
            return Err(());
        }
        for (place, fd) in parked.iter_mut().zip(&luggage.descriptors) {
            *place = libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, PARKING);
            if *place < 0 {
                return Err(());
            }
        }
        for (from, standard) in [(nothing, 0), (nothing, 1), (luggage.voice.as_raw_fd(), 2)] {
            if libc::dup2(from, standard) < 0 {
                return Err(());
            }
        }
        // Everything from 3 on closes at exec; then the agreed places are filled, staying open.
        const CLOEXEC: u32 = 1 << 2; // CLOSE_RANGE_CLOEXEC
        let first = CONTROL as u32;
        libc::syscall(libc::SYS_close_range, first, EVERY_DESCRIPTOR, CLOEXEC);
        for (place, agreed) in parked.iter().take(luggage.descriptors.len()).zip(CONTROL..) {
            if libc::dup2(*place, agreed) < 0 {
                return Err(());
            }
        }
        Ok(())
    }
}

fn write_file(path: &std::ffi::CStr, text: &std::ffi::CStr) -> libc::c_long {
    // SAFETY: both strings end in zero and outlive the calls.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return -1;
        }
        let written = libc::write(fd, text.as_ptr().cast(), text.count_bytes());
        libc::close(fd);
        written as libc::c_long
    }
}

pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: `ends` is a valid place for two descriptors, made for us alone.
    unsafe {
        checked(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC).into())?;
        let [read, write] = ends;
        Ok((adopt(read), adopt(write)))
    }
}

/// Waits for the exec, which closes the pipe, or for what the child says of its failure.
fn last_words(hear: &OwnedFd) -> Option<Fault> {
    let mut words = [0i32; 2];
    // SAFETY: `words` is eight writable bytes.
    let count = unsafe { libc::read(hear.as_raw_fd(), words.as_mut_ptr().cast(), 8) };
    let [step, errno] = words;
    (count == 8).then(|| {
        let step = STEPS.get(step as usize).copied().unwrap_or("be born");
        Fault::Stillborn { step, source: io::Error::from_raw_os_error(errno) }
    })
}

/// Collects a child of ours that has ended (or is about to) and says how it ended.
pub fn reap(pid: i32) -> Option<crate::zygote::End> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for one int.
    let found = unsafe { libc::waitpid(pid, &mut status, libc::__WALL) };
    (found == pid).then(|| crate::zygote::end_of(status))
}

/// Whether root may become someone else here (a container may have taken the capability away).
pub(crate) fn can_change_user() -> bool {
    const NOBODY: u32 = 65534;
    // SAFETY: plain numbers; runs in a forked child that leaves right after.
    unsafe {
        libc::syscall(libc::SYS_setgroups, 0usize, 0usize) == 0
            && libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0
            && libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0
    }
}
