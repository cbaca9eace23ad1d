//! Descriptors that are on their way.
//!
//! The kernel counts them for all processes of one user together, and lets none of these send more
//! while there are more than one process may hold open. Whoever fills sockets with descriptors that
//! nobody takes so keeps its whole kind from lending mail: whoever is refused waits a little, says
//! so, and the warden looks whose sockets are full.

use rustix::event::Timespec;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a sender waits for others' descriptors to arrive: the warden has looked by then.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE_NS: i64 = 10_000_000;
/// It is said so often at most.
const AGAIN_MS: u64 = 500;

static TELL: OnceLock<fn()> = OnceLock::new();
static TOLD_MS: AtomicU64 = AtomicU64::new(0);

/// What this process does when it is refused. The first one given stays.
pub fn on_crowding(tell: fn()) {
    let _ = TELL.set(tell);
}

/// One sender's patience.
#[derive(Default)]
pub(crate) struct Waiting(Option<Instant>);

impl Waiting {
    /// Refused: whether to try again, after a pause. `waits`: the caller has nothing else to do.
    pub fn again(&mut self, waits: bool) -> bool {
        let since = *self.0.get_or_insert_with(Instant::now);
        tell();
        // A call that every charter knows.
        let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE_NS };
        let _ = rustix::event::poll(&mut [], Some(&pause));
        waits && since.elapsed() < PATIENCE
    }
}

fn tell() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(1, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let told = TOLD_MS.load(Ordering::Relaxed);
    if let Some(tell) = TELL.get()
        && now.abs_diff(told) >= AGAIN_MS
    {
        TOLD_MS.store(now, Ordering::Relaxed);
        tell();
    }
}
