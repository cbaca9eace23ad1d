//! The slow work, on threads of its own: opening wrapped keys and agreeing grants' keys.

use crate::Fault;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use terms::GrantId;
use unseal::{Agreed, GrantContext, Pair, PublicKey, WrapContext, Wrapped, agree};

/// Two, as on the smallest machine that we serve; they only compute.
const THREADS: usize = 2;
/// Keys opened in one task (0.2 ms each): short enough that a single release overtakes a sync.
pub(crate) const OPENED_AT_ONCE: usize = 16;

/// One key to open and wrap anew.
pub(crate) struct Opening {
    pub pair: Arc<Pair>,
    pub wrapped: Wrapped,
    pub context: WrapContext,
}

pub(crate) enum Task {
    Agree {
        grant: GrantId,
        session: PublicKey,
        context: GrantContext,
    },
    /// Each with its place in the answer. `None` stays `None`.
    Open {
        job: u64,
        agreed: Arc<Agreed>,
        openings: Vec<(usize, Option<Opening>)>,
    },
}

pub(crate) enum Done {
    Agreed { grant: GrantId, result: Option<(Vec<u8>, Arc<Agreed>)> },
    Opened { job: u64, released: Vec<(usize, Option<Vec<u8>>)> },
}

pub(crate) struct Workers {
    tasks: Sender<Task>,
    done: Receiver<Done>,
}

impl Workers {
    /// Starts the threads; the descriptor becomes readable when something is done.
    pub fn start() -> Result<(Self, OwnedFd), Fault> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = wake.map_err(|errno| start(errno.into()))?;
        let (tasks, queue) = channel();
        let (finished, done) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..THREADS {
            let (queue, finished) = (queue.clone(), finished.clone());
            let wake = wake.try_clone().map_err(start)?;
            let named = thread::Builder::new().name(format!("open-{number}"));
            named.spawn(move || work(&queue, &finished, &wake)).map_err(start)?;
        }
        Ok((Self { tasks, done }, wake))
    }

    pub fn give(&self, task: Task) {
        // The threads end with the process; a task without one is answered by nobody's time-out.
        let _ = self.tasks.send(task);
    }

    pub fn take(&self, wake: &OwnedFd) -> Vec<Done> {
        let _ = rustix::io::read(wake, &mut [0u8; 8]);
        self.done.try_iter().collect()
    }
}

fn start(source: std::io::Error) -> Fault {
    Fault::Store { doing: "start the threads of", source }
}

fn work(queue: &Mutex<Receiver<Task>>, finished: &Sender<Done>, wake: &OwnedFd) {
    loop {
        let task = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = task else { return };
        if finished.send(perform(task)).is_err() {
            return;
        }
        let _ = rustix::io::write(wake, &1u64.to_ne_bytes());
    }
}

fn perform(task: Task) -> Done {
    match task {
        Task::Agree { grant, session, context } => {
            let agreed = agree(&session, &context).ok();
            Done::Agreed { grant, result: agreed.map(|(enc, agreed)| (enc, Arc::new(agreed))) }
        }
        Task::Open { job, agreed, openings } => {
            let release = |one: Option<Opening>| open(&agreed, one?);
            let released = openings.into_iter().map(|(place, one)| (place, release(one)));
            Done::Opened { job, released: released.collect() }
        }
    }
}

/// The one place where a message key is in clear: opened, wrapped anew, wiped.
fn open(agreed: &Agreed, opening: Opening) -> Option<Vec<u8>> {
    let Opening { pair, wrapped, context } = opening;
    let key = pair.open(&wrapped, &context).ok()?;
    agreed.release(&context, &key).ok()
}
