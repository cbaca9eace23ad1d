//! A sealed part as keepers lay it down: epoch, wrapped key, ciphertext.

use crate::{Bodies, Fault, Place};
use terms::Cursor;

/// Epoch and length of the wrapped key.
const FRONT_BYTES: usize = 6;
/// A wrapped key: a few shares of some hundred octets at most.
const WRAPPED_BYTES: usize = 8 * 1024;
/// Read at first: most letters and summaries whole, of the others the front.
const FIRST_READ: u32 = 64 * 1024;

pub struct Part {
    pub epoch: u32,
    pub wrapped: Vec<u8>,
    /// The ciphertext.
    pub content: Vec<u8>,
}

/// What stands before the ciphertext; `None`: no wrapped key is so long.
pub fn front(epoch: u32, wrapped: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(wrapped.len()).ok().filter(|_| wrapped.len() <= WRAPPED_BYTES)?;
    Some([epoch.to_le_bytes().as_slice(), &length.to_le_bytes(), wrapped].concat())
}

/// Reads one back.
///
/// # Errors
/// The engine's; and [`Fault::Torn`] if no whole front stands there.
pub fn part(bodies: &mut dyn Bodies, place: Place) -> Result<Part, Fault> {
    let mut bytes = Vec::with_capacity(place.length.min(FIRST_READ) as usize);
    bodies.read(place, 0..FIRST_READ, &mut bytes)?;
    let (epoch, wrapped, front) = parse(&bytes).ok_or(Fault::Torn {
        at: place.at,
        expected: FRONT_BYTES as u64,
        found: u64::from(place.length),
    })?;
    if place.length > FIRST_READ {
        // The ciphertext of a large part is read straight into its own memory.
        bytes = Vec::with_capacity(place.length as usize - front);
        bodies.read(place, front as u32..place.length, &mut bytes)?;
    } else {
        bytes.drain(..front);
    }
    Ok(Part { epoch, wrapped, content: bytes })
}

fn parse(bytes: &[u8]) -> Option<(u32, Vec<u8>, usize)> {
    let mut cursor = Cursor::new(bytes);
    let epoch = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
    let length = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
    let wrapped = cursor.take(usize::from(length))?.to_vec();
    Some((epoch, wrapped, cursor.position()))
}
