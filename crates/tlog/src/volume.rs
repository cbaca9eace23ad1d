//! Where a log stands: a file that grows at its end. Handed in; never opened here.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Something that keeps octets in order.
pub trait Volume {
    fn length(&self) -> io::Result<u64>;
    /// Reads what stands at `offset`; fewer octets than asked for only at the end.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Where the next octet stands that was ever written, from `offset` on; what lies between reads
    /// as zeros. `None`: nowhere. Whoever cannot say names `offset`.
    fn next_written(&self, offset: u64) -> io::Result<Option<u64>> {
        Ok(Some(offset))
    }
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything appended is durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Drops what stands behind `length`, durably.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// What somebody else did to it since it was opened, where that can be seen at a glance.
    fn disturbed(&self) -> io::Result<Option<&'static str>> {
        Ok(None)
    }
    /// Whether somebody else changed what is known of it (rights, links, times), and nothing that
    /// can be seen of what it holds.
    fn stirred(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// A file opened for reading and appending.
impl Volume for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(done)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_data()
    }
}

/// In memory, for tests and for looking at copies.
impl Volume for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let from = self.get(offset..).unwrap_or_default();
        let count = from.len().min(into.len());
        for (to, byte) in into.iter_mut().zip(from) {
            *to = *byte;
        }
        Ok(count)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }
}
