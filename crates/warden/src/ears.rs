//! The thread that hears calls off charter and never waits for a compartment.
//!
//! It answers at once (deny, or let Landlock decide) and puts what it heard into a bounded queue;
//! the main loop records it. When the queue is full the calls are still denied, and counted.

use compartment::{Notice, Notices, Policy, Verdict};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::process::Signal;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Instant;
use terms::{InstanceId, Kind};

/// Refused calls that may wait to be recorded.
const HEARD: usize = 1_024;
/// Listeners answered in one round.
const EVENTS: usize = 64;
/// Calls answered for one listener in one round, so that a loud one does not starve the others.
const ROUND: usize = 8;
/// Of a path so much is looked at.
const PATH_OCTETS: usize = 512;
/// The ear's own wake-up among the listeners.
const BELL: u64 = 0;

/// One refused call.
pub struct Heard {
    pub instance: InstanceId,
    pub kind: Kind,
    pub pid: u32,
    pub call: &'static str,
    pub args: [u64; 6],
    /// What a keeper tried to open outside its folder: not refused here, Landlock decides.
    pub path: Option<String>,
    pub at: Instant,
}

/// A new listener.
pub struct Ear {
    pub instance: InstanceId,
    pub kind: Kind,
    pub notices: Notices,
    /// Killed at its first call off charter, when given.
    pub replace: Option<OwnedFd>,
    /// A drill: its first program is let in.
    pub drill: bool,
    /// Where a keeper's own files are.
    pub folder: Option<PathBuf>,
}

/// The main loop's side.
pub struct Ears {
    fresh: Sender<Ear>,
    heard: Receiver<Heard>,
    bell: Arc<OwnedFd>,
    /// Readable when something was heard.
    pub wake: OwnedFd,
    missed: Arc<AtomicU64>,
    seen: u64,
}

impl Ears {
    /// Starts the thread.
    pub fn open() -> std::io::Result<Ears> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = Arc::new(eventfd(0, flags)?);
        let wake = eventfd(0, flags)?;
        let (fresh, new) = channel();
        let (tell, heard) = sync_channel(HEARD);
        let missed = Arc::new(AtomicU64::new(0));
        let listener = Listener {
            new,
            tell,
            wake: wake.try_clone()?,
            missed: Arc::clone(&missed),
            bell: Arc::clone(&bell),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            seats: HashMap::new(),
            policies: HashMap::new(),
            next: BELL + 1,
        };
        std::thread::Builder::new().name("ears".to_owned()).spawn(move || listener.listen())?;
        Ok(Ears { fresh, heard, bell, wake, missed, seen: 0 })
    }

    /// Hands a listener to the thread.
    pub fn add(&self, ear: Ear) {
        let _ = self.fresh.send(ear);
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    /// The next refused call, if one was heard.
    pub fn next(&self) -> Option<Heard> {
        let mut count = [0u8; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        self.heard.try_recv().ok()
    }

    /// How many more calls were denied without a place in the queue since the last question.
    pub fn newly_missed(&mut self) -> u64 {
        let all = self.missed.load(Ordering::Relaxed);
        let new = all - self.seen;
        self.seen = all;
        new
    }
}

struct Listener {
    new: Receiver<Ear>,
    tell: SyncSender<Heard>,
    wake: OwnedFd,
    missed: Arc<AtomicU64>,
    bell: Arc<OwnedFd>,
    epoll: OwnedFd,
    seats: HashMap<u64, Ear>,
    policies: HashMap<Kind, Policy>,
    next: u64,
}

impl Listener {
    fn listen(mut self) {
        let bell = epoll::EventData::new_u64(BELL);
        if epoll::add(&self.epoll, &*self.bell, bell, epoll::EventFlags::IN).is_err() {
            return;
        }
        let mut buffer = Vec::with_capacity(EVENTS);
        loop {
            buffer.clear();
            let into = rustix::buffer::spare_capacity(&mut buffer);
            match epoll::wait(&self.epoll, into, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            for event in &buffer {
                match event.data.u64() {
                    BELL => self.take_new(),
                    seat => self.attend(seat, event.flags),
                }
            }
        }
    }

    fn take_new(&mut self) {
        let mut count = [0u8; 8];
        let _ = rustix::io::read(&*self.bell, &mut count);
        while let Ok(ear) = self.new.try_recv() {
            let seat = self.next;
            self.next += 1;
            let data = epoll::EventData::new_u64(seat);
            let fd = ear.notices.as_fd();
            if epoll::add(&self.epoll, fd, data, epoll::EventFlags::IN).is_ok() {
                self.seats.insert(seat, ear);
            }
        }
    }

    fn attend(&mut self, seat: u64, flags: epoll::EventFlags) {
        for _ in 0..ROUND {
            let Some(ear) = self.seats.get_mut(&seat) else {
                return;
            };
            if !is_waiting(&ear.notices) {
                break;
            }
            match ear.notices.receive() {
                Ok(Some(notice)) => self.answer(seat, &notice),
                Ok(None) => break,
                Err(_) => {
                    self.seats.remove(&seat);
                    return;
                }
            }
        }
        // Nobody is left behind this filter.
        if flags.contains(epoll::EventFlags::HUP) {
            self.seats.remove(&seat);
        }
    }

    fn answer(&mut self, seat: u64, notice: &Notice) {
        let Some(ear) = self.seats.get_mut(&seat) else {
            return;
        };
        let policy = self
            .policies
            .entry(ear.kind)
            .or_insert_with(|| Policy::of(ear.kind.word()).unwrap_or_default());
        if policy.judge(notice.number) == Verdict::Witness {
            let strange = ear.folder.as_deref().and_then(|own| strange_path(notice, own));
            let heard = strange.map(|path| Heard {
                path: Some(path),
                ..Heard::of((ear.instance, ear.kind), notice)
            });
            let _ = ear.notices.continue_(notice);
            heard.into_iter().for_each(|heard| self.put(heard));
            return;
        }
        if ear.drill && notice.call == "execveat" {
            ear.drill = false;
            let _ = ear.notices.continue_(notice);
            return;
        }
        let _ = ear.notices.deny(notice, Errno::PERM.raw_os_error());
        let replace = ear.replace.as_ref().and_then(|pidfd| pidfd.try_clone().ok());
        let heard = Heard::of((ear.instance, ear.kind), notice);
        self.put(heard);
        // Told first, ended second: the main loop must know why before it sees the end.
        if let Some(pidfd) = replace {
            let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
        }
    }
}

impl Listener {
    fn put(&self, heard: Heard) {
        if self.tell.try_send(heard).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Heard {
    fn of((instance, kind): (InstanceId, Kind), notice: &Notice) -> Self {
        let (pid, call, args, path) = (notice.pid, notice.call, notice.args, None);
        Self { instance, kind, pid, call, args, path, at: Instant::now() }
    }
}

/// The path that `openat` is given, if it leads out of a keeper's own folder. Nothing is decided on
/// it, for it may have been another when the kernel looks: whoever has two threads can hide a try
/// that Landlock refuses all the same. Unreadable where we may not look into its memory.
fn strange_path(notice: &Notice, own: &Path) -> Option<String> {
    let [_, at, ..] = notice.args;
    strange(&octets_at(notice.pid, at)?, own)
}

/// What stands in a process's memory; less where a page behind cannot be read.
fn octets_at(pid: u32, at: u64) -> Option<Vec<u8>> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut octets = vec![0; PATH_OCTETS];
    let count = memory.read_at(&mut octets, at).ok()?;
    octets.truncate(count);
    Some(octets)
}

/// What of these octets is a path that leads out. One that is not read to its end, and may be a
/// keeper's own so far, is none.
fn strange(octets: &[u8], own: &Path) -> Option<String> {
    let end = octets.iter().position(|octet| *octet == 0);
    let read = octets.get(..end.unwrap_or(octets.len()))?;
    if end.is_none() && own.as_os_str().as_bytes().starts_with(read) {
        return None;
    }
    let path = Path::new(OsStr::from_bytes(read));
    leads_out(path, own).then(|| path.display().to_string())
}

/// A name alone is one in a folder that was opened before.
fn leads_out(path: &Path, own: &Path) -> bool {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    climbs || (path.is_absolute() && !path.starts_with(own))
}

/// Whether a call waits on this listener now: `receive` would wait for one otherwise.
fn is_waiting(notices: &Notices) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::from_borrowed_fd(notices.as_fd(), PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut fds, Some(&at_once)).unwrap_or(0);
    ready > 0 && fds.iter().any(|fd| fd.revents().contains(PollFlags::IN))
}

#[cfg(test)]
mod tests {
    use super::{leads_out, octets_at, strange};
    use std::path::Path;

    /// Of paths of eighty octets one in fifty does.
    #[test]
    fn a_path_in_two_pages_is_read_whole() {
        const PAGE: usize = 4_096;
        let path = b"/data/vault/keys\0";
        let mut memory = vec![1u8; 3 * PAGE];
        let first = memory.as_ptr() as usize;
        let start = first.next_multiple_of(PAGE) + PAGE - 5 - first;
        memory[start..start + path.len()].copy_from_slice(path);
        let found = octets_at(std::process::id(), (first + start) as u64).unwrap();
        assert!(found.starts_with(path), "{found:?}");
        assert_eq!(strange(&found, Path::new("/data/vault")), None);
    }

    #[test]
    fn a_path_that_was_not_read_to_its_end_is_no_other_one() {
        let check = |octets: &[u8], expected: Option<&str>| {
            let found = strange(octets, Path::new("/data/vault"));
            assert_eq!(found.as_deref(), expected, "{}", String::from_utf8_lossy(octets));
        };
        check(b"/data/vault/keys\0/etc", None);
        check(b"/data/vault/ke", None);
        check(b"/data/va", None);
        check(b"/data/va\0", Some("/data/va"));
        check(b"/data/mail", Some("/data/mail"));
        check(b"/etc/shadow\0", Some("/etc/shadow"));
        check(b"", None);
    }

    #[test]
    fn only_what_leads_out_of_its_folder_is_told() {
        let check = |path: &str, expected: bool| {
            assert_eq!(leads_out(Path::new(path), Path::new("/data/vault")), expected, "{path}");
        };
        check("/data/vault/keys", false);
        check("keys", false);
        check("/data/vault/../mailbox/log", true);
        check("../mailbox/log", true);
        check("/data/vault-old/keys", true);
        check("/etc/shadow", true);
        check("", false);
    }
}
