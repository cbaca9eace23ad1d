//! A message's octets while it is in flight: in memory always, above a size in a memfd, so that
//! they can be handed to the scanner without a copy.

use crate::Fault;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use wire::{INLINE_BYTES, Parcel};

/// Read and sealed in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// One message, growing or whole.
pub(crate) struct Text {
    octets: u64,
    held: Held,
}

enum Held {
    Memory(Vec<u8>),
    Growing(File),
    /// A sealed memfd: nobody can change it any more.
    Whole(File),
}

impl Text {
    pub(crate) fn new() -> Self {
        Self { octets: 0, held: Held::Memory(Vec::new()) }
    }

    pub(crate) fn len(&self) -> u64 {
        self.octets
    }

    pub(crate) fn push(&mut self, octets: &[u8]) -> Result<(), Fault> {
        self.octets += octets.len() as u64;
        match &mut self.held {
            Held::Memory(memory) if memory.len() + octets.len() <= INLINE_BYTES => {
                memory.extend_from_slice(octets);
                Ok(())
            }
            Held::Memory(memory) => {
                let mut file = Parcel::create().map_err(Fault::Hold)?;
                file.write_all(memory)
                    .and_then(|()| file.write_all(octets))
                    .map_err(Fault::Memory)?;
                self.held = Held::Growing(file);
                Ok(())
            }
            Held::Growing(file) | Held::Whole(file) => {
                file.write_all(octets).map_err(Fault::Memory)
            }
        }
    }

    /// No more comes. A large text is sealed against change before anybody sees it.
    pub(crate) fn finish(self) -> Result<Self, Fault> {
        let Held::Growing(file) = self.held else { return Ok(self) };
        let mut sealed = Vec::new();
        Parcel::held(file, self.octets, &mut sealed).map_err(Fault::Hold)?;
        let file = sealed.pop().ok_or(Fault::Strange { peer: "a parcel" })?;
        Ok(Self { octets: self.octets, held: Held::Whole(File::from(file)) })
    }

    /// The text as a parcel of one frame.
    pub(crate) fn parcel(&self) -> Result<(Parcel, Vec<OwnedFd>), Fault> {
        match &self.held {
            Held::Memory(memory) => Ok((Parcel::Inline(memory.clone()), Vec::new())),
            Held::Growing(file) | Held::Whole(file) => {
                let copy = file.try_clone().map_err(Fault::Memory)?;
                Ok((Parcel::Held { bytes: self.octets, place: 0 }, vec![copy.into()]))
            }
        }
    }

    /// The first octets, at most so many.
    pub(crate) fn head(&self, most: u64) -> Vec<u8> {
        let mut head = Vec::new();
        let _ = self.stretch(0, self.octets.min(most), &mut |piece| {
            head.extend_from_slice(piece);
            Ok(())
        });
        head
    }

    /// Gives all octets but those of `without` (sorted, apart, inside) to `take`, piece by piece.
    pub(crate) fn each_piece(
        &self,
        without: &[(u64, u64)],
        mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut at = 0;
        for (start, end) in without.iter().copied().chain([(self.octets, self.octets)]) {
            self.stretch(at, start, &mut take)?;
            at = end;
        }
        Ok(())
    }

    fn stretch(
        &self,
        start: u64,
        end: u64,
        take: &mut impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match &self.held {
            Held::Memory(memory) => {
                let from = usize::try_from(start).unwrap_or(usize::MAX);
                let to = usize::try_from(end).unwrap_or(usize::MAX);
                take(memory.get(from..to).unwrap_or_default())
            }
            Held::Growing(file) | Held::Whole(file) => {
                let mut piece = vec![0; PIECE_BYTES];
                let mut at = start;
                while at < end {
                    let count = usize::try_from(end - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
                    let piece = piece.get_mut(..count).unwrap_or_default();
                    file.read_exact_at(piece, at).map_err(Fault::Memory)?;
                    take(piece)?;
                    at += count as u64;
                }
                Ok(())
            }
        }
    }
}
