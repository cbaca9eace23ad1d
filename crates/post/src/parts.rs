//! A sealed part of a frame, to and from the bodies.

use crate::Fault;
use body::{Bodies, Content, Key, Place};
use std::os::fd::OwnedFd;
use wire::Parcel;
use wire::mailbox::SealedPart;

pub const BODY: u8 = 0;
pub const ENVELOPE: u8 = 1;

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
            let file = held.file(descriptors).map_err(Fault::Parcel)?;
            let file = file.ok_or(Fault::Parcel(wire::Fault::Malformed))?;
            let length = u32::try_from(held.len()).unwrap_or(u32::MAX);
            bodies.put(key, Content::File { front: &front, file: &file, length })?
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
