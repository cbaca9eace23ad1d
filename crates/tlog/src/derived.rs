//! What can be made again from the log: hashes of leaves, of tiles, places of entries. It is
//! appended beside the log, flushed only when an anchor is set, and mended when a log is opened.

use crate::volume::Volume;
use std::io;

/// Octets compared or kept back at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// What a disk that takes nothing may keep waiting here; then the volume waits for a new start.
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// A volume that follows the log.
pub(crate) struct Derived<V> {
    volume: V,
    /// Octets that stand in the volume.
    length: u64,
    /// Octets behind them that it has not taken yet.
    waiting: Vec<u8>,
    /// Too much waited: nothing more is taken before the next start.
    behind: bool,
    mending: Option<Mending>,
}

/// While a log is opened: what should stand there is compared with what does.
struct Mending {
    repaired: bool,
}

impl<V: Volume> Derived<V> {
    /// Takes up a volume whose first `sure` octets are known to be right.
    pub fn open(volume: V, sure: u64) -> Self {
        let mending = Some(Mending { repaired: false });
        Self { volume, length: sure, waiting: Vec::new(), behind: false, mending }
    }

    #[cfg(test)]
    pub fn volume(&self) -> &V {
        &self.volume
    }

    /// Adds what follows.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.behind {
            return Ok(());
        }
        self.waiting.extend_from_slice(bytes);
        match self.mending.is_some() && self.waiting.len() >= CHUNK_BYTES {
            true => self.compare(),
            false => Ok(()),
        }
    }

    fn compare(&mut self) -> io::Result<()> {
        let mut found = vec![0; self.waiting.len()];
        let count = self.volume.read_at(self.length, &mut found)?;
        found.truncate(count);
        if found != self.waiting {
            if let Some(mending) = &mut self.mending {
                mending.repaired |= !self.waiting.starts_with(&found);
            }
            self.volume.cut(self.length)?;
            self.volume.append(&self.waiting)?;
        }
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// The log was read to its end. Says whether something else stood here than should.
    pub fn mended(&mut self) -> io::Result<bool> {
        self.compare()?;
        let longer = self.volume.length()? > self.length;
        if longer {
            self.volume.cut(self.length)?;
        }
        Ok(self.mending.take().is_some_and(|mending| mending.repaired) || longer)
    }

    /// Writes what waits. What the disk does not take waits on: it can be made again.
    pub fn write(&mut self) {
        if self.waiting.is_empty() || self.behind {
            return;
        }
        match self.volume.append(&self.waiting) {
            Ok(()) => {
                self.length += self.waiting.len() as u64;
                self.waiting.clear();
            }
            Err(_) => {
                let cut = self.volume.cut(self.length);
                self.behind = cut.is_err() || self.waiting.len() > WAITING_BYTES;
            }
        }
    }

    /// Whether everything given stands on the disk, durably.
    pub fn sync(&mut self) -> io::Result<bool> {
        self.write();
        if self.behind || !self.waiting.is_empty() {
            return Ok(false);
        }
        self.volume.sync().map(|()| true)
    }

    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let from_volume = self.length.saturating_sub(offset);
        let split = usize::try_from(from_volume).unwrap_or(usize::MAX).min(into.len());
        let (first, second) = into.split_at_mut(split);
        let count = self.volume.read_at(offset, first)?;
        if count < first.len() {
            return Ok(count);
        }
        let skip = offset.saturating_sub(self.length);
        let rest = self.waiting.get(usize::try_from(skip).unwrap_or(usize::MAX)..);
        let rest = rest.unwrap_or_default();
        let more = rest.len().min(second.len());
        second.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        Ok(count + more)
    }
}
