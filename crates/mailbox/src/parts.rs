//! A sealed part of a frame, to and from the bodies.

use crate::Fault;
use body::{Bodies, Content, Key, Place};
use compartment::View;
use std::os::fd::OwnedFd;
use wire::Parcel;
use wire::mailbox::SealedPart;

pub const SUMMARY: u8 = 1;
pub const BODY: u8 = 2;

/// Stages one part and says where it will lie.
pub fn put(
    bodies: &mut dyn Bodies,
    key: Key,
    part: &SealedPart,
    descriptors: &[OwnedFd],
) -> Result<Place, Fault> {
    let front = body::front(part.epoch, &part.wrapped);
    let front = front.ok_or(Fault::Parcel(wire::Fault::Malformed))?;
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
    let body::Part { epoch, wrapped, content } = body::part(bodies, place)?;
    let content = Parcel::pack(content, inline_limit, descriptors).map_err(Fault::Parcel)?;
    Ok(SealedPart { epoch, wrapped, content })
}
