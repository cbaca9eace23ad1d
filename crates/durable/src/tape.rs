//! What a thread's keepers did, step by step: on tape only where a test asked for it.

use crate::dice::Dice;
use crate::disk::{Disk, How};
use crate::pages::{Shot, shoot};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// ENOSPC: what a disk without room says.
const FULL: i32 = 28;

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static RECORDER: RefCell<Recorder> = const { RefCell::new(Recorder::new()) };
}

/// The name that a file has just now.
pub(crate) fn name_of(file: &File) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write {
        file: PathBuf,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        file: PathBuf,
        length: u64,
    },
    Sync {
        file: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    SyncFolder,
    /// No step: what the watched files were just then.
    Seen(Shot),
    /// No step: what the keeper had promised by then.
    Said(u64),
}

impl Step {
    pub fn is_durable_step(&self) -> bool {
        !matches!(self, Self::Seen(_) | Self::Said(_))
    }
}

struct Recorder {
    steps: Vec<Step>,
    is_on_tape: bool,
    watched: Vec<PathBuf>,
    last: Shot,
    /// Steps that still succeed, and how many fail after them.
    failing: Option<(usize, usize)>,
}

impl Recorder {
    const fn new() -> Self {
        Self {
            steps: Vec::new(),
            is_on_tape: false,
            watched: Vec::new(),
            last: Vec::new(),
            failing: None,
        }
    }

    fn fails(&mut self) -> bool {
        match &mut self.failing {
            Some((0, 0)) => {
                self.failing = None;
                false
            }
            Some((0, left)) => {
                *left -= 1;
                true
            }
            Some((before, _)) => {
                *before -= 1;
                false
            }
            None => false,
        }
    }

    fn look(&mut self) {
        if self.watched.is_empty() {
            return;
        }
        let shot = shoot(&self.watched);
        if shot != self.last {
            self.last = shot.clone();
            self.steps.push(Step::Seen(shot));
        }
    }
}

/// Before each step. In a running house nobody watches, and `make` is never called.
pub(crate) fn step(make: impl FnOnce() -> io::Result<Step>) -> io::Result<()> {
    if !IS_WATCHED.get() {
        return Ok(());
    }
    RECORDER.with_borrow_mut(|recorder| {
        if recorder.fails() {
            return Err(io::Error::from_raw_os_error(FULL));
        }
        if recorder.is_on_tape {
            recorder.look();
            recorder.steps.push(make()?);
        }
        Ok(())
    })
}

/// Notes on the tape what was promised to somebody just now.
pub fn said(promise: u64) {
    if IS_WATCHED.get() {
        RECORDER.with_borrow_mut(|recorder| {
            if recorder.is_on_tape {
                recorder.look();
                recorder.steps.push(Step::Said(promise));
            }
        });
    }
}

/// Looks at the watched files between two steps.
pub fn look() {
    if IS_WATCHED.get() {
        RECORDER.with_borrow_mut(Recorder::look);
    }
}

/// After `before` steps of this thread, `count` steps fail as on a full disk.
pub fn failing(before: usize, count: usize) {
    IS_WATCHED.set(true);
    RECORDER.with_borrow_mut(|recorder| recorder.failing = Some((before, count)));
}

/// Where tests lay crashes out: in memory, if the machine has any for it.
pub fn scratch() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let is_ours = File::create_new(memory.join(format!("durable-{}", std::process::id())));
    match is_ours {
        Ok(_) => {
            let _ = std::fs::remove_file(memory.join(format!("durable-{}", std::process::id())));
            memory.to_owned()
        }
        Err(_) => std::env::temp_dir(),
    }
}

/// Everything that was done in one folder, which was empty at first.
#[derive(Debug)]
pub struct Tape {
    root: PathBuf,
    pub(crate) steps: Vec<Step>,
    /// Where the durable steps stand in `steps`.
    points: Vec<usize>,
}

impl Tape {
    /// Records this thread's steps while `play` runs. `watched`: files that others than our steps
    /// write, by their names in `root`.
    pub fn record<T>(root: &Path, watched: &[&str], play: impl FnOnce() -> T) -> (Self, T) {
        RECORDER.with_borrow_mut(|recorder| {
            *recorder = Recorder::new();
            recorder.is_on_tape = true;
            recorder.watched = watched.iter().map(|name| root.join(name)).collect();
        });
        IS_WATCHED.set(true);
        let played = play();
        IS_WATCHED.set(false);
        let steps = RECORDER.replace(Recorder::new()).steps;
        let durable = |(_, step): &(usize, &Step)| step.is_durable_step();
        let points = steps.iter().enumerate().filter(durable).map(|(place, _)| place).collect();
        (Self { root: root.to_owned(), steps, points }, played)
    }

    /// The durable steps: before, in and after each of them the power may go.
    pub fn points(&self) -> usize {
        self.points.len()
    }

    fn place(&self, point: usize) -> usize {
        self.points.get(point).copied().unwrap_or(self.steps.len())
    }

    /// Everything that was promised before step `point`.
    pub fn said(&self, point: usize) -> Vec<u64> {
        let before = self.steps.iter().take(self.place(point));
        before
            .filter_map(|step| if let Step::Said(promise) = step { Some(*promise) } else { None })
            .collect()
    }

    /// Lays into the empty folder `into` what survives when the power goes, or the process dies,
    /// in the middle of step `point`.
    pub fn survive(&self, point: usize, how: How, dice: &mut Dice, into: &Path) -> io::Result<()> {
        let place = self.place(point);
        let mut disk = Disk::default();
        self.steps.iter().take(place).for_each(|step| disk.take(step));
        if let Some(step) = self.steps.get(place) {
            disk.tear(step, dice);
        }
        disk.lay(how, dice, &self.root, into)
    }
}
