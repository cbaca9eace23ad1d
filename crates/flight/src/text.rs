//! A message's octets while it is in flight: in memory always, and in a memfd if it is so large
//! that two copies would be too much.

use crate::Fault;
use compartment::{Slab, View};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Duration;
use wire::{INLINE_BYTES, Parcel};

/// One message, growing or whole.
pub struct Text {
    octets: u64,
    /// So many octets were announced to us, who hand them to a scanner and to nobody else.
    expected: Option<u64>,
    held: Held,
}

enum Held {
    Memory(Vec<u8>),
    Slab(Slab),
    Growing(File),
    /// A sealed memfd: nobody can change it any more.
    Whole(File),
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Text {
    pub fn new() -> Self {
        Self { octets: 0, expected: None, held: Held::Memory(Vec::new()) }
    }

    /// One that a scanner gets a copy of, and nobody else. `expected` octets were announced.
    pub fn to_examine(expected: u64) -> Self {
        Self { expected: Some(expected), ..Self::new() }
    }

    /// How long it may have taken to come so far: a piece's time, and on the whole no slower than
    /// 500 octets a second, for it holds memory that others want.
    pub fn time_to_come(&self, piece: Duration) -> Duration {
        piece + Duration::from_secs(self.len() / 500)
    }

    pub fn len(&self) -> u64 {
        self.octets
    }

    pub fn is_empty(&self) -> bool {
        self.octets == 0
    }

    pub fn push(&mut self, octets: &[u8]) -> Result<(), Fault> {
        self.octets += octets.len() as u64;
        match &mut self.held {
            Held::Memory(memory) if memory.len() + octets.len() <= INLINE_BYTES => {
                memory.extend_from_slice(octets);
                Ok(())
            }
            Held::Memory(memory) => {
                self.held = match slab(self.expected, memory, octets)? {
                    Some(slab) => Held::Slab(slab),
                    None => Held::Growing(grown(memory, octets)?),
                };
                Ok(())
            }
            Held::Slab(slab) => {
                if !slab.push(octets) {
                    self.held = Held::Growing(grown(slab, octets)?);
                }
                Ok(())
            }
            Held::Growing(file) | Held::Whole(file) => {
                file.write_all(octets).map_err(Fault::Memory)
            }
        }
    }

    /// No more comes. A memfd is sealed against change before anybody sees it.
    pub fn finish(self) -> Result<Self, Fault> {
        let Held::Growing(file) = self.held else { return Ok(self) };
        let mut sealed = Vec::new();
        Parcel::held(file, self.octets, &mut sealed).map_err(Fault::Hold)?;
        let file = sealed.pop().ok_or(Fault::Lost)?;
        Ok(Self { held: Held::Whole(File::from(file)), ..self })
    }

    /// A text that somebody else held: whole, and closed against change.
    pub fn of(parcel: Parcel, held: &[OwnedFd]) -> Result<Self, Fault> {
        let octets = parcel.len();
        let held = match (parcel.file(held).map_err(Fault::Hold)?, parcel) {
            (Some(file), _) => Held::Whole(file),
            (None, Parcel::Inline(memory)) => Held::Memory(memory),
            (None, _) => return Err(Fault::Lost),
        };
        Ok(Self { octets, expected: None, held })
    }

    /// Lets `look` see all octets at once.
    pub fn look<R>(&self, look: impl FnOnce(&[u8]) -> R) -> Result<R, Fault> {
        match &self.held {
            Held::Memory(memory) => Ok(look(memory)),
            Held::Slab(slab) => Ok(look(slab)),
            Held::Growing(file) | Held::Whole(file) => {
                Ok(look(&View::of(file).map_err(Fault::Memory)?))
            }
        }
    }

    /// The text as a parcel of one frame.
    pub fn parcel(&self) -> Result<(Parcel, Vec<OwnedFd>), Fault> {
        match &self.held {
            Held::Memory(memory) => Ok((Parcel::Inline(memory.clone()), Vec::new())),
            Held::Slab(slab) => {
                let mut held = Vec::new();
                let mut file = Parcel::create().map_err(Fault::Hold)?;
                file.write_all(slab).map_err(Fault::Memory)?;
                let parcel = Parcel::held(file, self.octets, &mut held).map_err(Fault::Hold)?;
                Ok((parcel, held))
            }
            Held::Growing(file) | Held::Whole(file) => {
                let copy = file.try_clone().map_err(Fault::Memory)?;
                Ok((Parcel::Held { bytes: self.octets, place: 0 }, vec![copy.into()]))
            }
        }
    }

    /// The octets that are sent behind a frame to a peer that waits for nothing else.
    pub(crate) fn behind(&self) -> Option<&[u8]> {
        match &self.held {
            Held::Slab(slab) => Some(slab),
            _ => None,
        }
    }

    /// The first octets, at most so many.
    pub fn head(&self, most: u64) -> Vec<u8> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let first = |octets: &[u8]| octets.get(..most).unwrap_or(octets).to_vec();
        match &self.held {
            Held::Memory(memory) => first(memory),
            Held::Slab(slab) => first(slab),
            Held::Growing(file) | Held::Whole(file) => {
                View::of(file).map(|view| first(&view)).unwrap_or_default()
            }
        }
    }

    /// Gives all octets but those of `without` (sorted, apart, inside) to `take`, piece by piece.
    pub fn each_piece<E: From<Fault>>(
        &self,
        without: &[(u64, u64)],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.held {
            Held::Memory(memory) => pieces(memory, without, &mut take),
            Held::Slab(slab) => pieces(slab, without, &mut take),
            Held::Growing(file) | Held::Whole(file) => {
                pieces(&View::of(file).map_err(Fault::Memory)?, without, &mut take)
            }
        }
    }
}

/// Memory of our own, beside the scanner's, where that is what was wished and enough.
fn slab(expected: Option<u64>, before: &[u8], octets: &[u8]) -> Result<Option<Slab>, Fault> {
    let Some(expected) = expected else { return Ok(None) };
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    if expected > Slab::BYTES {
        return Ok(None);
    }
    let mut slab = Slab::new(expected).map_err(Fault::Memory)?;
    Ok((slab.push(before) && slab.push(octets)).then_some(slab))
}

fn grown(before: &[u8], octets: &[u8]) -> Result<File, Fault> {
    let mut file = Parcel::create().map_err(Fault::Hold)?;
    file.write_all(before).and_then(|()| file.write_all(octets)).map_err(Fault::Memory)?;
    Ok(file)
}

fn pieces<E>(
    octets: &[u8],
    without: &[(u64, u64)],
    take: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(octets.len());
    let mut at = 0;
    for (start, end) in without.iter().map(|(start, end)| (place(*start), place(*end))) {
        take(octets.get(at..start).unwrap_or_default())?;
        at = end;
    }
    take(octets.get(at..).unwrap_or_default())
}
