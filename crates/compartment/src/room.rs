//! A disk without room: whoever cannot go on because of it leaves with a code of its own, so that
//! the house can say why, and starts again until there is room.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;

/// ENOSPC, as an exit code; no compartment leaves with it for another reason.
pub const NO_ROOM: u8 = 28;
/// SQLITE_FULL.
const FULL: i32 = 13;
/// SQLITE_IOERR_SHMSIZE: all that SQLite says if the file beside its log finds no room to grow.
const SHM_SIZE: i32 = 4_874;

/// Whether an extended code of SQLite says that the disk is full.
pub fn is_full_by_sqlite(extended_code: i32) -> bool {
    matches!(extended_code, FULL | SHM_SIZE)
}

/// Whether the kernel says so: ENOSPC, or EDQUOT.
pub fn is_full_by_kernel(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// A fault in full, with what nobody would understand by its words called by its name.
pub fn story(fault: &dyn Error, is_full: bool) -> String {
    let words = crate::in_full(fault);
    if is_full { format!("the disk is full: {words}") } else { words }
}

/// What a compartment leaves with after a fault.
pub fn failure(is_full: bool) -> ExitCode {
    if is_full { ExitCode::from(NO_ROOM) } else { ExitCode::FAILURE }
}
