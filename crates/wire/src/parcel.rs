//! A body on its way between compartments: small ones inside the frame, large ones as a sealed
//! memfd beside it, so that nobody can change what a peer has already looked at.

use crate::Fault;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// The largest body a parcel may hold: one message at its limit, sealed, with room for chunk tags.
pub const PARCEL_BYTES: usize = 64 * 1024 * 1024;

/// A body. `Held` names the place of its descriptor among those of the frame; it becomes usable
/// through [`Parcel::open`] with the descriptors that came with the frame.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Parcel {
    Inline(#[serde(with = "bytes")] Vec<u8>),
    Held { bytes: u64, place: u8 },
}

impl Parcel {
    /// Packs `body`: inline if it is at most `inline_limit`, else as a sealed memfd pushed on
    /// `descriptors`.
    pub fn pack(
        body: Vec<u8>,
        inline_limit: usize,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<Self, Fault> {
        if body.len() <= inline_limit {
            return Ok(Self::Inline(body));
        }
        let mut file = Self::create()?;
        let written = file.write_all(&body);
        written.map_err(|source| Fault::Io { doing: "writing a parcel", source })?;
        Self::held(file, body.len() as u64, descriptors)
    }

    /// An empty memfd to write a body into piece by piece; give it to [`Parcel::held`] when done.
    pub fn create() -> Result<File, Fault> {
        memfd_create("parcel", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map(File::from)
            .map_err(Fault::io("creating a parcel"))
    }

    /// Seals `file` and makes it a parcel.
    pub fn held(file: File, bytes: u64, descriptors: &mut Vec<OwnedFd>) -> Result<Self, Fault> {
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(Fault::io("sealing a parcel"))?;
        let place = u8::try_from(descriptors.len()).map_err(|_| Fault::Malformed)?;
        descriptors.push(file.into());
        Ok(Self::Held { bytes, place })
    }

    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(body) => body.len() as u64,
            Self::Held { bytes, .. } => *bytes,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole body. `descriptors` are those of the frame this parcel came in.
    pub fn open(self, descriptors: &[OwnedFd]) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Inline(body) => Ok(body),
            Self::Held { bytes, place } => {
                let held = descriptors.get(usize::from(place)).ok_or(Fault::Malformed)?;
                read_held(held, bytes)
            }
        }
    }

    /// The descriptor of a held parcel, checked: sealed against change and of the size it says.
    pub fn file(&self, descriptors: &[OwnedFd]) -> Result<Option<File>, Fault> {
        let Self::Held { bytes, place } = self else { return Ok(None) };
        let held = descriptors.get(usize::from(*place)).ok_or(Fault::Malformed)?;
        check_held(held, *bytes)?;
        let copy = held.try_clone();
        copy.map(|fd| Some(File::from(fd)))
            .map_err(|source| Fault::Io { doing: "opening a parcel", source })
    }
}

pub(crate) fn read_held(held: &OwnedFd, bytes: u64) -> Result<Vec<u8>, Fault> {
    check_held(held, bytes)?;
    let mut body = vec![0; usize::try_from(bytes).map_err(|_| Fault::Malformed)?];
    let copy = held.try_clone();
    let file = File::from(copy.map_err(|source| Fault::Io { doing: "opening a parcel", source })?);
    file.read_exact_at(&mut body, 0)
        .map_err(|source| Fault::Io { doing: "reading a parcel", source })?;
    Ok(body)
}

fn check_held(held: &OwnedFd, bytes: u64) -> Result<(), Fault> {
    let limit = PARCEL_BYTES;
    if bytes > limit as u64 {
        return Err(Fault::TooLarge { found: bytes as usize, limit });
    }
    let seals = rustix::fs::fcntl_get_seals(held.as_fd()).map_err(|_| Fault::Malformed)?;
    let wanted = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW;
    let found = fstat(held).map_err(Fault::io("measuring a parcel"))?.st_size;
    if !seals.contains(wanted) || found as u64 != bytes {
        return Err(Fault::Malformed);
    }
    Ok(())
}

/// Serde writes `Vec<u8>` element by element; this writes it in one piece.
pub mod bytes {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
