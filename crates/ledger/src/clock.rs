//! The clock that the ledger waits by. It begins as the wall's clock and goes on at the pace of
//! time, whatever is done to the wall's: by a clock that is set back a year, a mirror that fell
//! silent would be waited for as long.

use std::sync::OnceLock;
use std::time::Instant;

static BEGAN: OnceLock<(u64, Instant)> = OnceLock::new();

pub(crate) fn now_ms() -> u64 {
    let (wall_ms, began) = BEGAN.get_or_init(|| (compartment::now_ms(), Instant::now()));
    let passed = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    wall_ms.saturating_add(passed)
}
