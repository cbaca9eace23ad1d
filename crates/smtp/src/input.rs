//! What has come and has not been read.

use std::ops::{Deref, DerefMut};

/// Octets that came. The room behind them is kept for those that come next: it is zeroed once.
#[derive(Default)]
pub(crate) struct Input {
    room: Vec<u8>,
    filled: usize,
}

impl Input {
    /// Forgets the first octets, at most all.
    pub fn forget(&mut self, octets: usize) {
        let octets = octets.min(self.filled);
        self.room.copy_within(octets..self.filled, 0);
        self.filled -= octets;
    }

    pub fn push(&mut self, octets: &[u8]) {
        self.room.truncate(self.filled);
        self.room.extend_from_slice(octets);
        self.filled = self.room.len();
    }

    /// Lets `fill` write up to `most` octets behind the others; it says how many it wrote.
    pub fn fill<E>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let end = self.filled + most;
        if self.room.len() < end {
            self.room.resize(end, 0);
        }
        let came = fill(self.room.get_mut(self.filled..end).unwrap_or_default())?;
        self.filled += came.min(most);
        Ok(came)
    }
}

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.room.get(..self.filled).unwrap_or_default()
    }
}

impl DerefMut for Input {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.room.get_mut(..self.filled).unwrap_or_default()
    }
}
