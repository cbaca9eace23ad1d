//! Memory that is lent to a peer and written again and again: pages that are used again cost a
//! fifth of new ones, and one huge page a fraction of the small ones in its place.

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Write};
use std::ptr::NonNull;
use wire::{LENT_BYTES, Parcel};

/// All that is lent is one huge page (x86-64's, and arm64's of 4 KiB granules).
const BYTES: usize = LENT_BYTES as usize;
/// From this size on a huge page costs less than the small ones in its place.
const WORTH_BYTES: u64 = 256 * 1024;

/// Lent only where the borrower may see, and change, all that will ever stand in it: ciphertext,
/// to the keeper of just that.
#[derive(Debug, Default)]
pub struct Lender {
    spare: Option<Loan>,
}

impl Lender {
    /// Memory for a body of so many octets, if so many can be lent. It is forgotten until
    /// [`Lender::take_back`]: who never answered may still be reading.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn lend(&mut self, bytes: u64) -> io::Result<Option<Loan>> {
        if bytes > LENT_BYTES {
            return Ok(None);
        }
        let is_huge = bytes >= WORTH_BYTES;
        match self.spare.take().filter(|spare| spare.is_huge || !is_huge) {
            Some(spare) => Ok(Some(spare)),
            None => Loan::new(is_huge).map(Some),
        }
    }

    /// The borrower has answered.
    pub fn take_back(&mut self, loan: Loan) {
        self.spare = Some(Loan { written: 0, ..loan });
    }

    /// Gives its memory back.
    pub fn rest(&mut self) {
        self.spare = None;
    }

    pub fn is_at_rest(&self) -> bool {
        self.spare.is_none()
    }
}

/// A memfd of one length for ever, and its place in our memory, written from its beginning. The
/// borrower may write to it too: nothing here ever reads it or hands out a reference into it.
#[derive(Debug)]
pub struct Loan {
    file: File,
    place: Place,
    is_huge: bool,
    written: usize,
}

/// Address space of twice the size, so that a huge page begins in it.
#[derive(Debug)]
struct Place {
    first: NonNull<c_void>,
    before: usize,
}

// SAFETY: the mapping belongs to the value alone, as a vector's octets do.
unsafe impl Send for Place {}

impl Loan {
    fn new(is_huge: bool) -> io::Result<Self> {
        let file = Parcel::lendable().map_err(io::Error::other)?;
        let place = Place::of(&file, is_huge)?;
        Ok(Self { file, place, is_huge, written: 0 })
    }

    /// What is sent to the borrower.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Write for Loan {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let count = octets.len().min(BYTES - self.written);
        // SAFETY: from an octet inside our own mapping on, which is writable and has room for
        // `count` more; the file cannot shrink under it. No reference into it exists: a borrower
        // that writes here too spoils octets, and nothing else.
        unsafe {
            let to = self.place.start().add(self.written);
            std::ptr::copy_nonoverlapping(octets.as_ptr(), to, count);
        }
        self.written += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place {
    fn of(file: &File, is_huge: bool) -> io::Result<Self> {
        let (none, private) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let first = unsafe { mmap_anonymous(std::ptr::null_mut(), 2 * BYTES, none, private)? };
        let first = NonNull::new(first).ok_or(io::ErrorKind::OutOfMemory)?;
        let before = first.as_ptr().cast::<u8>().align_offset(BYTES).min(BYTES);
        let place = Self { first, before };
        let (access, fixed) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: inside the mapping that was made just now for this, and of its length.
        let start =
            unsafe { mmap(place.start().cast(), BYTES, access, fixed | MapFlags::FIXED, file, 0)? };
        if is_huge {
            // SAFETY: our own mapping; the advice changes no octet. Kernels without huge pages
            // for shared memory refuse, or do nothing.
            let _ = unsafe { madvise(start, BYTES, Advice::LinuxHugepage) };
        }
        Ok(place)
    }

    fn start(&self) -> *mut u8 {
        // SAFETY: `before` lies inside the mapping.
        unsafe { self.first.as_ptr().cast::<u8>().add(self.before) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // SAFETY: our own mapping, into which no reference was ever handed out.
        let _ = unsafe { munmap(self.first.as_ptr(), 2 * BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, Lender, Loan, WORTH_BYTES};
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use wire::LENT_BYTES;

    fn read(loan: &Loan, octets: usize) -> Vec<u8> {
        let mut read = vec![0; octets];
        loan.file().read_exact_at(&mut read, 0).unwrap();
        read
    }

    #[test]
    fn what_was_lent_is_used_again_once_it_is_back() {
        let mut lender = Lender::default();
        assert!(lender.lend(LENT_BYTES + 1).unwrap().is_none());
        let mut first = lender.lend(3).unwrap().unwrap();
        first.write_all(b"old").unwrap();
        let second = lender.lend(3).unwrap().unwrap();
        assert_eq!((read(&first, 3), read(&second, 3)), (b"old".to_vec(), vec![0; 3]));
        assert!(lender.is_at_rest());
        lender.take_back(first);
        let mut again = lender.lend(3).unwrap().unwrap();
        assert_eq!(read(&again, 3), b"old");
        again.write_all(b"new").unwrap();
        assert_eq!(read(&again, 3), b"new", "from its beginning");
        lender.take_back(again);
        assert!(!lender.is_at_rest());
        lender.rest();
        assert!(lender.is_at_rest());
    }

    #[test]
    fn it_is_full_to_the_last_octet_and_not_beyond() {
        for bytes in [1, WORTH_BYTES] {
            let mut loan = Lender::default().lend(bytes).unwrap().unwrap();
            let octets: Vec<u8> = (0..BYTES).map(|number| (number % 251) as u8).collect();
            for piece in octets.chunks(65_552) {
                loan.write_all(piece).unwrap();
            }
            assert!(loan.write_all(&[7]).is_err());
            assert!(read(&loan, BYTES) == octets);
        }
    }

    #[test]
    fn small_memory_is_not_used_for_a_large_body() {
        let mut lender = Lender::default();
        let small = lender.lend(1).unwrap().unwrap();
        lender.take_back(small);
        let large = lender.lend(WORTH_BYTES).unwrap().unwrap();
        assert!(large.is_huge);
        lender.take_back(large);
        assert!(lender.lend(1).unwrap().unwrap().is_huge, "what is there costs nothing");
    }

    /// A borrower that writes spoils octets, and nothing else.
    #[test]
    fn the_borrower_may_write() {
        let mut loan = Lender::default().lend(WORTH_BYTES).unwrap().unwrap();
        loan.write_all(&[1; 100]).unwrap();
        loan.file().write_all_at(&[2; 200], 50).unwrap();
        assert!(loan.file().set_len(1).is_err() && loan.file().set_len(1 << 30).is_err());
        loan.write_all(&[3; 100]).unwrap();
        let all = read(&loan, 250);
        assert_eq!((all[49], all[50], all[100], all[199], all[200]), (1, 2, 3, 3, 2));
    }
}
