//! The thread that sees what programs are started, and what is written where an intruder would
//! write: it reads the kernel's own records of fixed size, knows which processes descend from us,
//! and looks the rest up in `/proc` at once, before it is gone. It judges nothing; the main loop
//! knows what it ordered itself.

use compartment::events::{self, ProcessEvent};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::collections::HashSet;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use wire::sentinel::{Seen, Sight};

/// Sights that may wait for the main loop.
const SEEN: usize = 1_024;
/// Of a path, or of a parent's command line.
const TEXT_BYTES: u64 = 2_048;
/// Of a command line: whoever pads it must not push the telling part out of sight.
const WORDS_BYTES: u64 = 8 * 1_024;
/// Processes of ours remembered: more than the host can give us.
const TREE: usize = 100_000;
/// Of the list of users.
const USERS_BYTES: u64 = 1 << 20;

/// Where whoever broke in leaves what shall run later, or again; files right in these folders.
const FOLDERS: &[&str] = &[
    "/etc",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.monthly",
    "/etc/cron.weekly",
    "/etc/pam.d",
    "/etc/profile.d",
    "/etc/sudoers.d",
    "/etc/systemd/system",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
    "/usr/lib/systemd/system",
    "/usr/local/bin",
    "/root",
    "/root/.ssh",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
];
/// People's own folders whose keys are watched too.
const HOMES: usize = 256;

/// The main loop's side.
pub struct Eyes {
    seen: Receiver<Seen>,
    /// Readable when something was seen.
    pub wake: OwnedFd,
    missed: Arc<AtomicU64>,
    told: u64,
    /// Why a source is not to be had.
    pub processes: Option<String>,
    pub programs: Option<String>,
    pub files: Option<String>,
}

impl Eyes {
    /// Opens what this machine grants, and starts the thread if that is anything.
    pub fn open(data: &Path, watch_host: bool) -> std::io::Result<Eyes> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (tell, seen) = sync_channel(SEEN);
        let missed = Arc::new(AtomicU64::new(0));
        let why = |error: &std::io::Error| error.to_string();
        let connector = events::process_connector();
        let paths = [Path::new("/"), data, Path::new("/tmp"), Path::new("/dev/shm")];
        let programs = events::program_starts(&paths);
        let files = events::written_files(&folders());
        let (no_processes, no_programs, mut no_files) = (
            connector.as_ref().err().map(why),
            programs.as_ref().err().map(why),
            files.as_ref().err().map(why),
        );
        if no_processes.is_some() {
            // Whose child a writer is, only the connector knows.
            no_files = no_files.or(no_processes.clone());
        }
        if let Ok(connector) = connector {
            let watcher = Watcher {
                connector,
                programs: programs.ok(),
                files: files.ok(),
                tree: HashSet::from([std::process::id()]),
                tell,
                wake: wake.try_clone()?,
                missed: Arc::clone(&missed),
                watch_host,
            };
            std::thread::Builder::new().name("eyes".to_owned()).spawn(move || watcher.watch())?;
        }
        let (processes, programs, files) = (no_processes, no_programs, no_files);
        Ok(Eyes { seen, wake, missed, told: 0, processes, programs, files })
    }

    pub fn next(&self) -> Option<Seen> {
        let mut count = [0u8; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
        self.seen.try_recv().ok()
    }

    /// Sights that found no place, or that the kernel dropped, since the last question.
    pub fn newly_missed(&mut self) -> u64 {
        let all = self.missed.load(Ordering::Relaxed);
        let new = all - self.told;
        self.told = all;
        new
    }
}

struct Watcher {
    connector: OwnedFd,
    programs: Option<OwnedFd>,
    files: Option<OwnedFd>,
    tree: HashSet<u32>,
    tell: SyncSender<Seen>,
    wake: OwnedFd,
    missed: Arc<AtomicU64>,
    watch_host: bool,
}

impl Watcher {
    fn watch(mut self) {
        let mut waiting = Vec::new();
        loop {
            let mut fds = vec![PollFd::new(&self.connector, PollFlags::IN)];
            let groups = self.programs.iter().chain(&self.files);
            fds.extend(groups.map(|group| PollFd::new(group, PollFlags::IN)));
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            drop(fds);
            // Opened files first read, then told: by then the connector knows whose child it is.
            let opened = self.programs.as_ref().map(events::take_files);
            let written = self.files.as_ref().map(events::take_files);
            if !events::take_processes(&self.connector, &mut waiting) {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
            // Who has exited meanwhile was ours when it opened what it did.
            let is_exit = |event: &ProcessEvent| matches!(event, ProcessEvent::Exited { .. });
            let (exits, others): (Vec<_>, Vec<_>) = waiting.drain(..).partition(is_exit);
            others.into_iter().for_each(|event| self.see(event));
            for (pid, file) in opened.into_iter().flatten() {
                self.see_opened(pid, &file);
            }
            for (pid, file) in written.into_iter().flatten() {
                self.see_written(pid, &file);
            }
            exits.into_iter().for_each(|event| self.see(event));
        }
    }

    fn see(&mut self, event: ProcessEvent) {
        match event {
            ProcessEvent::Forked { parent, child } => {
                if self.tree.contains(&parent) && self.tree.len() < TREE {
                    self.tree.insert(child);
                }
            }
            ProcessEvent::Exited { pid } => {
                self.tree.remove(&pid);
            }
            ProcessEvent::Executed { pid } => {
                let is_ours = self.tree.contains(&pid);
                if is_ours || self.watch_host {
                    self.say(look(pid, is_ours, Sight::Executed));
                }
            }
            ProcessEvent::Traced { pid, by } => {
                if self.tree.contains(&pid) {
                    let seen = look(pid, true, Sight::Traced);
                    self.say(Seen { parent: by, ..seen });
                }
            }
        }
    }

    fn see_opened(&mut self, pid: u32, file: &OwnedFd) {
        if !self.tree.contains(&pid) {
            return;
        }
        let (at_ms, what) = (compartment::now_ms(), Sight::Opened);
        let image = path_of(file);
        self.say(Seen { at_ms, pid, is_ours: true, what, image, ..Seen::default() });
    }

    /// What the warden writes itself is no news.
    fn see_written(&mut self, pid: u32, file: &OwnedFd) {
        let is_ours = self.tree.contains(&pid);
        if pid != std::process::id() && (is_ours || self.watch_host) {
            self.say(Seen { file: path_of(file), ..look(pid, is_ours, Sight::Written) });
        }
    }

    fn say(&mut self, seen: Seen) {
        if self.tell.try_send(seen).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

/// The folders that are there now, and where people keep the keys by which they sign in.
fn folders() -> Vec<PathBuf> {
    let homes = std::fs::read_dir("/home").into_iter().flatten().flatten().take(HOMES);
    let keys = homes.map(|home| home.path().join(".ssh"));
    let all = FOLDERS.iter().map(PathBuf::from).chain(keys);
    all.filter(|folder| folder.is_dir()).collect()
}

fn path_of(file: &OwnedFd) -> String {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    cut(path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default())
}

/// What `/proc` says of a process now; it may be gone already.
fn look(pid: u32, is_ours: bool, what: Sight) -> Seen {
    let link = |pid: u32, name: &str| {
        let path = std::fs::read_link(format!("/proc/{pid}/{name}"));
        cut(path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default())
    };
    let words = |pid: u32, limit: u64| {
        let words = start_of(&format!("/proc/{pid}/cmdline"), limit);
        words.trim_end_matches('\0').replace('\0', " ")
    };
    // pid (name) state parent …; the name may hold anything, so what follows its last bracket.
    let stat = start_of(&format!("/proc/{pid}/stat"), TEXT_BYTES);
    let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
    let parent = parent.and_then(|parent| parent.parse().ok()).unwrap_or(0);
    let user = user_of(pid);
    let of_parent = |what: &dyn Fn() -> String| if parent == 0 { String::new() } else { what() };
    Seen {
        at_ms: compartment::now_ms(),
        pid,
        parent,
        is_ours,
        what,
        image: link(pid, "exe"),
        command_line: words(pid, WORDS_BYTES),
        parent_image: of_parent(&|| link(parent, "exe")),
        parent_command_line: of_parent(&|| words(parent, TEXT_BYTES)),
        folder: link(pid, "cwd"),
        user,
        user_name: user.map(name_of).unwrap_or_default(),
        file: String::new(),
    }
}

/// `Uid:` real, effective, saved, of the file system: the real one.
fn user_of(pid: u32) -> Option<u32> {
    let status = start_of(&format!("/proc/{pid}/status"), TEXT_BYTES);
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The name of a user of this machine; its number where it has none here.
fn name_of(user: u32) -> String {
    if user == 0 {
        return "root".to_owned();
    }
    let number = user.to_string();
    let users = start_of("/etc/passwd", USERS_BYTES);
    let is_it = |line: &&str| line.split(':').nth(2) == Some(number.as_str());
    let name = users.lines().find(is_it).and_then(|line| line.split(':').next());
    cut(name.unwrap_or(&number).to_owned())
}

fn start_of(path: &str, limit: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(limit).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn cut(text: String) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES as usize);
    text.get(..end).unwrap_or_default().to_owned()
}
