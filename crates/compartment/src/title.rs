//! The process's words on the `ps` screen: `sekisho edge k3v9…`, rewritten in place after a fork.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Characters of an instance id. The space for it is made at exec, so it never grows.
pub const ID_LENGTH: usize = 12;

/// What stands in the id's place before an instance has one.
pub const NO_ID: &str = "------------";

static ID_PLACE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static ID_ROOM: AtomicUsize = AtomicUsize::new(0);

/// The C library calls this with the real argument vector before `main`, as it does for std.
#[unsafe(link_section = ".init_array")]
#[used]
static REMEMBER: extern "C" fn(i32, *const *mut u8, *const *const u8) = remember;

extern "C" fn remember(count: i32, words: *const *mut u8, _environment: *const *const u8) {
    if count < 3 || words.is_null() {
        return;
    }
    // SAFETY: glibc passes `count` valid pointers; the third is a zero-ended string of ours that
    // stays mapped and writable for the life of the process.
    unsafe {
        let id = *words.add(2);
        ID_ROOM.store(libc::strlen(id.cast()), Ordering::Relaxed);
        ID_PLACE.store(id, Ordering::Relaxed);
    }
}

/// Writes the instance id over the third argument; whether there was room for it.
pub fn set_instance_id(id: &str) -> bool {
    let place = ID_PLACE.load(Ordering::Relaxed);
    if place.is_null() || id.len() != ID_LENGTH || ID_ROOM.load(Ordering::Relaxed) != ID_LENGTH {
        return false;
    }
    // SAFETY: `place` holds ID_LENGTH writable bytes, and the callers have one thread.
    unsafe { std::ptr::copy_nonoverlapping(id.as_ptr(), place, ID_LENGTH) };
    true
}
