//! A sealed part as it lies in the bodies: epoch, wrapped key, ciphertext.

use crate::Fault;
use body::{Bodies, Content, Key, Place};
use compartment::View;
use std::os::fd::OwnedFd;
use wire::Parcel;
use wire::mailbox::SealedPart;

/// Epoch and length of the wrapped key.
const FRONT_BYTES: usize = 6;
/// A wrapped key: a few shares of some hundred octets at most.
const WRAPPED_BYTES: usize = 8 * 1024;
/// Read at first: most summaries and many bodies whole, of the others the front.
const FIRST_READ: u32 = 64 * 1024;

pub const SUMMARY: u8 = 1;
pub const BODY: u8 = 2;

/// Stages one part and says where it will lie.
pub fn put(
    bodies: &mut dyn Bodies,
    key: Key,
    part: &SealedPart,
    descriptors: &[OwnedFd],
) -> Result<Place, Fault> {
    let wrapped = u16::try_from(part.wrapped.len()).ok();
    let wrapped = wrapped.filter(|_| part.wrapped.len() <= WRAPPED_BYTES);
    let wrapped = wrapped.ok_or(Fault::Parcel(wire::Fault::Malformed))?;
    let mut front = Vec::with_capacity(FRONT_BYTES + part.wrapped.len());
    front.extend_from_slice(&part.epoch.to_le_bytes());
    front.extend_from_slice(&wrapped.to_le_bytes());
    front.extend_from_slice(&part.wrapped);
    let place = match &part.content {
        Parcel::Inline(content) => bodies.put(key, Content::Pieces(&[&front, content]))?,
        held => {
            let length = u32::try_from(held.len()).unwrap_or(u32::MAX);
            if let Some(file) = held.lent(descriptors).map_err(Fault::Parcel)? {
                return Ok(bodies.put(key, Content::File { front: &front, file: &file, length })?);
            }
            let file = held.file(descriptors).map_err(Fault::Parcel)?;
            let file = file.ok_or(Fault::Parcel(wire::Fault::Malformed))?;
            match View::of(&file) {
                Ok(view) => bodies.put(key, Content::Pieces(&[&front, &view]))?,
                // No room to see it whole: it is taken in piece by piece.
                Err(_) => bodies.put(key, Content::File { front: &front, file: &file, length })?,
            }
        }
    };
    Ok(place)
}

/// Reads one part back; a large one becomes a memfd on `descriptors`.
pub fn read(
    bodies: &mut dyn Bodies,
    place: Place,
    inline_limit: usize,
    descriptors: &mut Vec<OwnedFd>,
) -> Result<SealedPart, Fault> {
    let torn = || {
        let (expected, found) = (FRONT_BYTES as u64, u64::from(place.length));
        Fault::Bodies(body::Fault::Torn { at: place.at, expected, found })
    };
    let mut bytes = Vec::with_capacity(place.length.min(FIRST_READ) as usize);
    bodies.read(place, 0..FIRST_READ, &mut bytes)?;
    let (epoch, wrapped, front) = parse_front(&bytes).ok_or_else(torn)?;
    if place.length > FIRST_READ {
        // The ciphertext of a large part is read straight into its own memory.
        bytes = Vec::with_capacity(place.length as usize - front);
        bodies.read(place, front as u32..place.length, &mut bytes)?;
    } else {
        bytes.drain(..front);
    }
    let content = Parcel::pack(bytes, inline_limit, descriptors).map_err(Fault::Parcel)?;
    Ok(SealedPart { epoch, wrapped, content })
}

fn parse_front(bytes: &[u8]) -> Option<(u32, Vec<u8>, usize)> {
    let mut cursor = terms::Cursor::new(bytes);
    let epoch = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
    let length = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
    let wrapped = cursor.take(usize::from(length))?.to_vec();
    Some((epoch, wrapped, cursor.position()))
}
