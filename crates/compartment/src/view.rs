//! A sealed parcel as plain memory: a large body is read where it lies, without a copy.

use rustix::fs::{SealFlags, fcntl_get_seals, fstat};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;

/// What nobody can change any more, the one who made it no more than we.
#[derive(Debug)]
pub struct View {
    start: NonNull<c_void>,
    bytes: usize,
}

impl View {
    /// The whole of `file`, which must be a memfd that is closed against writing and shrinking.
    ///
    /// # Errors
    /// `InvalidInput` for any other file; else what the kernel says, above all that there is no
    /// room in the address space.
    pub fn of(file: &File) -> io::Result<Self> {
        let closed = SealFlags::WRITE | SealFlags::SHRINK;
        if !fcntl_get_seals(file).is_ok_and(|seals| seals.contains(closed)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes = usize::try_from(fstat(file)?.st_size).unwrap_or(0);
        if bytes == 0 {
            return Ok(Self { start: NonNull::dangling(), bytes });
        }
        // Private, since kernels before 6.7 refuse shared views of what is closed against writing.
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, ProtFlags::READ, flags, file, 0)? };
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }
}

impl Deref for View {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped for as long as `self` lives, and readable. The seals were looked at, and
        // no seal is ever lifted: nobody writes to these octets, and none of them can go away.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: our own mapping, of which no reference outlives `self`.
            let _ = unsafe { munmap(self.start.as_ptr(), self.bytes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::View;
    use std::io::Write;
    use wire::Parcel;

    #[test]
    fn a_sealed_parcel_is_read_where_it_lies_and_nothing_else_is() {
        let octets: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        let mut file = Parcel::create().unwrap();
        file.write_all(&octets).unwrap();
        assert!(View::of(&file).is_err(), "its maker can still change it");
        let copy = file.try_clone().unwrap();
        Parcel::held(file, octets.len() as u64, &mut Vec::new()).unwrap();
        assert_eq!(*View::of(&copy).unwrap(), octets);
        assert!((&copy).write_all(b"more").is_err());
        assert!(View::of(&std::fs::File::open("/proc/self/exe").unwrap()).is_err());
    }

    #[test]
    fn an_empty_parcel_is_empty() {
        let file = Parcel::create().unwrap();
        let copy = file.try_clone().unwrap();
        Parcel::held(file, 0, &mut Vec::new()).unwrap();
        assert!(View::of(&copy).unwrap().is_empty());
    }
}
