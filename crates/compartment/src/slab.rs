//! Memory for one large body: private, filled once, in huge pages where the kernel grants them.
//!
//! A new small page costs several times what its octets cost to write; a megabyte in 256 of them
//! costs more than all else that is done to it. One huge page costs a fifth, and one that is there
//! already nothing: a process that is asked to keeps one for its next body, with the octets of the
//! last one wiped.

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// x86-64's and arm64's (4 KiB granule) huge page. Where it is another the advice has no effect.
const HUGE_BYTES: usize = 2 * 1024 * 1024;
/// What is not known to become large begins in small pages: this many octets of them.
const SMALL_BYTES: usize = 128 * 1024;
/// From this size on a huge page costs less than the small ones in its place.
const WORTH_BYTES: usize = 256 * 1024;

/// What this process keeps for its next body.
static KEPT: Mutex<Keeping> = Mutex::new(Keeping::Nothing);

enum Keeping {
    /// Every body gets memory of its own, and gives it back.
    Nothing,
    /// The next that is let go.
    Next,
    One(Mapping),
}

/// Whoever panicked with it in hand has only moved a whole value in or out.
fn kept() -> MutexGuard<'static, Keeping> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Address space for one body, wherever in it a huge page begins.
#[derive(Debug)]
struct Mapping {
    first: NonNull<c_void>,
    /// Octets before the huge page.
    before: usize,
    /// What has ever been written: up to here the pages are there.
    reached: usize,
}

// SAFETY: the mapping belongs to the value alone, as a vector's octets do.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Room for a huge page behind small ones.
    const BYTES: usize = 2 * HUGE_BYTES;

    fn new() -> io::Result<Self> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let first = unsafe { mmap_anonymous(std::ptr::null_mut(), Self::BYTES, access, flags)? };
        let first = NonNull::new(first).ok_or(io::ErrorKind::OutOfMemory)?;
        let before = first.as_ptr().cast::<u8>().align_offset(HUGE_BYTES).min(HUGE_BYTES);
        // SAFETY: a whole huge page lies behind `before` inside the mapping of two.
        let huge = unsafe { first.as_ptr().byte_add(before) };
        // SAFETY: our own mapping; the advice changes no octet. Kernels without huge pages refuse.
        let _ = unsafe { madvise(huge, HUGE_BYTES, Advice::LinuxHugepage) };
        Ok(Self { first, before, reached: 0 })
    }

    /// Where a body begins of which so many octets are expected.
    fn start(&self, expected: usize) -> usize {
        // A huge page that is there costs nothing more.
        let is_there = self.reached > self.before;
        match expected >= WORTH_BYTES || is_there {
            true => self.before,
            false => self.before - SMALL_BYTES.min(self.before),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, of which no reference outlives `self`.
        let _ = unsafe { munmap(self.first.as_ptr(), Self::BYTES) };
    }
}

/// Octets that only this process has.
#[derive(Debug)]
pub struct Slab {
    /// `None`: it is being let go.
    mapping: Option<Mapping>,
    /// Where the octets begin inside the mapping.
    start: usize,
    bytes: usize,
    /// So many octets were in the hands of who fills it: they are wiped.
    lent: usize,
}

impl Slab {
    /// The most that one holds.
    pub const BYTES: usize = HUGE_BYTES;

    /// From now on this process keeps the memory of one body for the next.
    pub fn keep_one() {
        let mut kept = kept();
        if matches!(*kept, Keeping::Nothing) {
            *kept = Keeping::Next;
        }
    }

    /// Whether memory is kept that nobody uses.
    pub fn is_kept() -> bool {
        matches!(*kept(), Keeping::One(_))
    }

    /// Gives back what is kept, until the next body.
    pub fn rest() {
        let mut kept = kept();
        if matches!(*kept, Keeping::One(_)) {
            *kept = Keeping::Next;
        }
    }

    /// An empty one; `expected` octets are likely to come.
    ///
    /// # Errors
    /// What the kernel says: there is no room in the address space.
    pub fn new(expected: usize) -> io::Result<Self> {
        let mapping = take_kept().map_or_else(Mapping::new, Ok)?;
        let start = mapping.start(expected);
        Ok(Self { mapping: Some(mapping), start, bytes: 0, lent: 0 })
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

    /// Gives its memory back, as if nothing were kept for the next.
    pub fn let_go(mut self) {
        self.mapping = None;
    }

    fn room(&mut self, octets: usize) -> Option<&mut [u8]> {
        let end = self.bytes.checked_add(octets).filter(|end| *end <= Self::BYTES)?;
        let mapping = self.mapping.as_mut()?;
        if self.start + end > Mapping::BYTES {
            return None; // not reached: behind the start there is room for `BYTES`
        }
        mapping.reached = mapping.reached.max(self.start + end);
        self.lent = self.lent.max(end);
        // SAFETY: inside our own mapping, which is readable, writable and zeroed by the kernel or
        // by us; the borrow of `self` keeps every other reference away.
        Some(unsafe {
            let free = mapping.first.as_ptr().cast::<u8>().add(self.start + self.bytes);
            std::slice::from_raw_parts_mut(free, octets)
        })
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Some(mapping) = &self.mapping else { return &[] };
        // SAFETY: inside our own mapping, mapped for as long as `self` lives, written before.
        unsafe {
            let first = mapping.first.as_ptr().cast::<u8>().add(self.start);
            std::slice::from_raw_parts(first, self.bytes)
        }
    }
}

impl Drop for Slab {
    /// What is kept for the next body has nothing left of this one.
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else { return };
        let mut kept = kept();
        if !matches!(*kept, Keeping::Next) {
            return;
        }
        // SAFETY: inside our own mapping, of which no other reference is left.
        unsafe { mapping.first.as_ptr().cast::<u8>().add(self.start).write_bytes(0, self.lent) };
        *kept = Keeping::One(mapping);
    }
}

fn take_kept() -> Option<Mapping> {
    let mut kept = kept();
    match std::mem::replace(&mut *kept, Keeping::Next) {
        Keeping::One(mapping) => Some(mapping),
        other => {
            *kept = other;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SMALL_BYTES, Slab, WORTH_BYTES};
    use std::io;
    use std::sync::Mutex;

    /// What is kept is the whole process's.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn what_is_put_in_comes_out() {
        let _alone = ALONE.lock().unwrap();
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
        let _alone = ALONE.lock().unwrap();
        let mut slab = Slab::new(0).unwrap();
        assert!(slab.push(&vec![7; Slab::BYTES]));
        assert!(!slab.push(&[7]));
        assert_eq!(slab.len(), Slab::BYTES);
        assert!(slab.fill(1, |_| Ok::<_, io::Error>(1)).is_err());
    }

    #[test]
    fn a_filler_that_stops_early_leaves_no_gap() {
        let _alone = ALONE.lock().unwrap();
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

    #[test]
    fn what_is_kept_has_nothing_left_of_the_body_before() {
        let _alone = ALONE.lock().unwrap();
        drop(Slab::new(0).unwrap());
        assert!(!Slab::is_kept(), "nobody asked for it");
        Slab::keep_one();
        let secret = vec![7; Slab::BYTES];
        for (expected, octets) in [(0, 100_000), (WORTH_BYTES, Slab::BYTES), (0, 1), (0, 300_000)] {
            let mut slab = Slab::new(expected).unwrap();
            assert!(slab.push(&secret[..octets]));
            // A filler that writes more than it says.
            let more = (Slab::BYTES - octets).min(10);
            let fill = |room: &mut [u8]| {
                room.fill(7);
                Ok::<_, io::Error>(0)
            };
            slab.fill(more, fill).unwrap();
            drop(slab);
            assert!(Slab::is_kept());
            let mut next = Slab::new(0).unwrap();
            assert!(!Slab::is_kept(), "one process has one of them in hand");
            let fill = |room: &mut [u8]| {
                assert!(room.iter().all(|octet| *octet == 0), "{expected}, {octets}");
                Ok::<_, io::Error>(0)
            };
            next.fill(Slab::BYTES, fill).unwrap();
        }
        Slab::new(0).unwrap().let_go();
        assert!(!Slab::is_kept());
        let (one, other) = (Slab::new(0).unwrap(), Slab::new(0).unwrap());
        drop((one, other));
        Slab::rest();
        assert!(!Slab::is_kept());
        drop(Slab::new(0).unwrap());
        assert!(Slab::is_kept(), "it rests until the next body");
    }
}
