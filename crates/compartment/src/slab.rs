//! Memory for one large body: private, filled once, in huge pages where the kernel grants them.
//!
//! A new small page costs several times what its octets cost to write; a megabyte in 256 of them
//! costs more than all else that is done to it. One huge page costs a fifth.

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;

/// x86-64's and arm64's (4 KiB granule) huge page. Where it is another the advice has no effect.
const HUGE_BYTES: usize = 2 * 1024 * 1024;
/// What is not known to become large begins in small pages: this many octets of them.
const SMALL_BYTES: usize = 128 * 1024;
/// From this size on a huge page costs less than the small ones in its place.
const WORTH_BYTES: usize = 256 * 1024;

/// Octets that only this process has.
#[derive(Debug)]
pub struct Slab {
    mapping: NonNull<c_void>,
    mapped: usize,
    /// Where the octets begin inside the mapping.
    start: usize,
    bytes: usize,
}

// SAFETY: the mapping belongs to the value alone, as a vector's octets do.
unsafe impl Send for Slab {}

impl Slab {
    /// The most that one holds.
    pub const BYTES: usize = HUGE_BYTES;

    /// An empty one; `expected` octets are likely to come.
    ///
    /// # Errors
    /// What the kernel says: there is no room in the address space.
    pub fn new(expected: usize) -> io::Result<Self> {
        let mapped = 2 * HUGE_BYTES;
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let mapping = unsafe { mmap_anonymous(std::ptr::null_mut(), mapped, access, flags)? };
        let mapping = NonNull::new(mapping).ok_or(io::ErrorKind::OutOfMemory)?;
        let before = mapping.as_ptr().cast::<u8>().align_offset(HUGE_BYTES).min(HUGE_BYTES);
        // SAFETY: a whole huge page lies behind `before` inside the mapping of two.
        let huge = unsafe { mapping.as_ptr().byte_add(before) };
        // SAFETY: our own mapping; the advice changes no octet. Kernels without huge pages refuse.
        let _ = unsafe { madvise(huge, HUGE_BYTES, Advice::LinuxHugepage) };
        let small = if expected >= WORTH_BYTES { 0 } else { SMALL_BYTES.min(before) };
        Ok(Self { mapping, mapped, start: before - small, bytes: 0 })
    }

    /// Puts `octets` behind the others; `false` if there is no room for all of them.
    pub fn push(&mut self, octets: &[u8]) -> bool {
        let Some(room) = self.room(octets.len()) else { return false };
        room.copy_from_slice(octets);
        self.bytes += octets.len();
        true
    }

    /// Lets `fill` write up to `most` octets behind the others; it says how many it wrote.
    ///
    /// # Errors
    /// What `fill` says; `OutOfMemory` if there is no room for so many.
    pub fn fill<E: From<io::Error>>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let room = self.room(most);
        let written = fill(room.ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?)?;
        self.bytes += written.min(most);
        Ok(written)
    }

    fn room(&mut self, octets: usize) -> Option<&mut [u8]> {
        let end = self.bytes.checked_add(octets).filter(|end| *end <= Self::BYTES)?;
        if self.start + end > self.mapped {
            return None; // not reached: behind the start there is room for `BYTES`
        }
        // SAFETY: inside our own mapping, which is readable, writable and zeroed by the kernel;
        // the borrow of `self` keeps every other reference away.
        Some(unsafe {
            let free = self.mapping.as_ptr().cast::<u8>().add(self.start + self.bytes);
            std::slice::from_raw_parts_mut(free, octets)
        })
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: inside our own mapping, mapped for as long as `self` lives, written before.
        unsafe {
            let first = self.mapping.as_ptr().cast::<u8>().add(self.start);
            std::slice::from_raw_parts(first, self.bytes)
        }
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: our own mapping, of which no reference outlives `self`.
        let _ = unsafe { munmap(self.mapping.as_ptr(), self.mapped) };
    }
}

#[cfg(test)]
mod tests {
    use super::{SMALL_BYTES, Slab, WORTH_BYTES};
    use std::io;

    #[test]
    fn what_is_put_in_comes_out() {
        for expected in [0, SMALL_BYTES, WORTH_BYTES, Slab::BYTES] {
            let mut slab = Slab::new(expected).unwrap();
            let mut all = Vec::new();
            for piece in (0..).map(|number: usize| vec![number as u8; 1 + number * 977]) {
                let fits = all.len() + piece.len() <= Slab::BYTES;
                assert_eq!(slab.push(&piece), fits, "{expected}, {}", all.len());
                if !fits {
                    break;
                }
                all.extend_from_slice(&piece);
            }
            assert_eq!(*slab, all);
        }
    }

    #[test]
    fn it_is_full_to_the_last_octet_and_not_beyond() {
        let mut slab = Slab::new(0).unwrap();
        assert!(slab.push(&vec![7; Slab::BYTES]));
        assert!(!slab.push(&[7]));
        assert_eq!(slab.len(), Slab::BYTES);
        assert!(slab.fill(1, |_| Ok::<_, io::Error>(1)).is_err());
    }

    #[test]
    fn a_filler_that_stops_early_leaves_no_gap() {
        let mut slab = Slab::new(0).unwrap();
        for word in ["first", "second"] {
            let fill = |room: &mut [u8]| {
                room[..word.len()].copy_from_slice(word.as_bytes());
                Ok::<_, io::Error>(word.len())
            };
            slab.fill(100, fill).unwrap();
        }
        assert_eq!(*slab, *b"firstsecond");
    }
}
