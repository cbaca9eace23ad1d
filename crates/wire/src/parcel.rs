//! A body on its way between compartments: small ones inside the frame, large ones behind it in
//! packets of their own, or as a memfd beside it. Nobody can change what a peer has already looked
//! at: what is behind a frame is a copy, a memfd is closed against writing, or [lent](Parcel::lent)
//! and then copied and never looked at where it lies.

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
/// through [`Parcel::open`] with the descriptors that came with the frame. `Behind` comes after
/// the frame ([`Channel::receive_behind`](crate::Channel::receive_behind)).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Parcel {
    Inline(#[serde(with = "bytes")] Vec<u8>),
    Held { bytes: u64, place: u8 },
    Behind { bytes: u64 },
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
            Self::Held { bytes, .. } | Self::Behind { bytes } => *bytes,
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
            // For those who expect it, and they take it another way.
            Self::Behind { .. } => Err(Fault::Malformed),
        }
    }

    /// The descriptor of a held parcel, checked: sealed against change and of the size it says.
    pub fn file(&self, descriptors: &[OwnedFd]) -> Result<Option<File>, Fault> {
        let Self::Held { bytes, place } = self else { return Ok(None) };
        let held = descriptors.get(usize::from(*place)).ok_or(Fault::Malformed)?;
        check_held(held, *bytes)?;
        file_of(held).map(Some)
    }

    /// A memfd that may be lent: of one length for ever, and never closed against writing.
    pub fn lendable() -> Result<File, Fault> {
        let doing = "making a lent parcel";
        let file = Self::create()?;
        rustix::fs::ftruncate(&file, LENT_BYTES).map_err(Fault::io(doing))?;
        fcntl_add_seals(&file, LENT_SEALS | SealFlags::SEAL).map_err(Fault::io(doing))?;
        Ok(file)
    }

    /// The descriptor of a parcel that is lent: its owner writes it again once we have answered,
    /// or earlier if it lies. To be copied once, and not to be looked at where it lies. `None`:
    /// it is another parcel.
    pub fn lent(&self, descriptors: &[OwnedFd]) -> Result<Option<File>, Fault> {
        let Self::Held { bytes, place } = self else { return Ok(None) };
        let held = descriptors.get(usize::from(*place)).ok_or(Fault::Malformed)?;
        // Only a memfd has seals: whatever else somebody may pass us, we do not wait for it.
        let seals = rustix::fs::fcntl_get_seals(held.as_fd()).map_err(|_| Fault::Malformed)?;
        if seals.contains(SealFlags::WRITE) || !seals.contains(LENT_SEALS) {
            return Ok(None);
        }
        let found = fstat(held).map_err(Fault::io("measuring a parcel"))?.st_size;
        if found != LENT_BYTES as i64 || *bytes > LENT_BYTES {
            return Err(Fault::Malformed);
        }
        file_of(held).map(Some)
    }
}

fn file_of(held: &OwnedFd) -> Result<File, Fault> {
    let copy = held.try_clone();
    copy.map(File::from).map_err(|source| Fault::Io { doing: "opening a parcel", source })
}

/// What may be lent at most.
pub const LENT_BYTES: u64 = 2 * 1024 * 1024;
/// Of one length for ever.
const LENT_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

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

#[cfg(test)]
mod tests {
    use super::{LENT_BYTES, Parcel};
    use crate::{Channel, Fault};
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn what_is_lent_is_no_sealed_parcel_and_the_other_way_round() {
        let file = Parcel::lendable().unwrap();
        file.write_all_at(b"hello", 0).unwrap();
        let (held, parcel) = ([file.into()], Parcel::Held { bytes: 5, place: 0 });
        assert!(matches!(parcel.file(&held), Err(Fault::Malformed)));
        let mut read = [0; 5];
        parcel.lent(&held).unwrap().unwrap().read_exact_at(&mut read, 0).unwrap();
        assert_eq!(&read, b"hello");
        let mut held = Vec::new();
        let sealed = Parcel::pack(vec![7; 10], 0, &mut held).unwrap();
        assert!(sealed.lent(&held).unwrap().is_none());
        assert!(Parcel::Inline(vec![7]).lent(&held).unwrap().is_none());
    }

    #[test]
    fn what_only_looks_lent_is_refused() {
        let says = |bytes: u64, held: File| {
            Parcel::Held { bytes, place: 0 }.lent(&[held.into()]).map(|file| file.is_some())
        };
        let lent = || Parcel::lendable().unwrap();
        assert!(matches!(says(LENT_BYTES, lent()), Ok(true)));
        assert!(matches!(says(LENT_BYTES + 1, lent()), Err(Fault::Malformed)));
        // Of any length, of any kind: nobody waits for what a pipe or a disk may give.
        assert!(matches!(says(1, Parcel::create().unwrap()), Ok(false)));
        assert!(matches!(says(1, File::open("/proc/self/exe").unwrap()), Err(Fault::Malformed)));
    }

    #[test]
    fn a_body_behind_its_frame_comes_whole_and_no_octet_more() {
        let body: Vec<u8> = (0..300_000u32).map(|number| number as u8).collect();
        let (one, other) = Channel::pair().unwrap();
        let sent = body.clone();
        let sender = std::thread::spawn(move || {
            one.send(1, &Parcel::Behind { bytes: sent.len() as u64 }, &[]).unwrap();
            one.send_behind(&sent).unwrap();
            one.send(2, &(), &[]).unwrap();
            one
        });
        let parcel: Parcel = other.receive(Some(SOON)).unwrap().read().unwrap();
        assert_eq!(parcel.len(), 300_000);
        assert!(parcel.clone().open(&[]).is_err() && parcel.file(&[]).unwrap().is_none());
        let mut read = vec![0; 300_000];
        let mut at = 0;
        while at < read.len() {
            at += other.receive_behind(&mut read[at..], SOON).unwrap();
        }
        assert_eq!(read, body);
        assert_eq!(other.receive(Some(SOON)).unwrap().call, 2);
        let one = sender.join().unwrap();
        one.send_behind(&[7; 100]).unwrap();
        assert!(matches!(other.receive_behind(&mut [0; 99], SOON), Err(Fault::Malformed)));
        drop(one);
        assert!(matches!(other.receive_behind(&mut [0; 99], SOON), Err(Fault::Gone)));
    }

    #[test]
    fn a_sealed_parcel_is_closed() {
        let mut file = Parcel::create().unwrap();
        file.write_all(b"octets").unwrap();
        let mut copy = file.try_clone().unwrap();
        Parcel::held(file, 6, &mut Vec::new()).unwrap();
        assert!(copy.write_all(b"more").is_err());
    }
}
