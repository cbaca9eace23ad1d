//! Sealed content is opened chunk by chunk; no octet leaves before its chunk's tag was checked.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sealed::{
    CHUNK_BYTES, CHUNKS, Content, Fault, HEADER_BYTES, MessageKey, Place, SEALED_CHUNK_BYTES,
    TAG_BYTES, plain_length,
};
use std::io::{self, Read, Write};
use zeroize::{Zeroize, Zeroizing};

/// Opens what is pushed and writes plaintext. What was written is genuine up to there, but the
/// content is whole only if `finish` says so.
pub struct Opener<W: Write> {
    out: W,
    place: Place,
    cipher: LessSafeKey,
    content: Option<Content>,
    number: u32,
    waiting: Zeroizing<Vec<u8>>,
}

impl<W: Write> Opener<W> {
    pub fn new(out: W, key: &MessageKey, place: &Place) -> Result<Self, Fault> {
        Ok(Self {
            out,
            place: *place,
            cipher: cipher(key)?,
            content: None,
            number: 0,
            // It grows with what comes: all that it has is wiped at its end, octet by octet. What
            // moves when it grows is still sealed.
            waiting: Zeroizing::default(),
        })
    }

    pub fn push(&mut self, mut sealed: &[u8]) -> Result<(), Fault> {
        while !sealed.is_empty() {
            let wanted = self.wanted();
            // A full chunk waits until it is known not to be the last.
            if self.waiting.len() == wanted {
                self.open_chunk(false)?;
            }
            let room = self.wanted() - self.waiting.len();
            let (now, later) = sealed.split_at(room.min(sealed.len()));
            self.waiting.extend_from_slice(now);
            sealed = later;
            if self.content.is_none() && self.waiting.len() == HEADER_BYTES {
                self.content = Some(Content::parse(&self.place, &self.waiting)?);
                self.waiting.clear();
            }
        }
        Ok(())
    }

    /// Opens the last chunk; an end that is not the sealed one is refused.
    pub fn finish(mut self) -> Result<W, Fault> {
        self.open_chunk(true)?;
        Ok(self.out)
    }

    fn wanted(&self) -> usize {
        if self.content.is_some() { SEALED_CHUNK_BYTES } else { HEADER_BYTES }
    }

    fn open_chunk(&mut self, last: bool) -> Result<(), Fault> {
        let content = self.content.as_ref().ok_or(Fault::Torn)?;
        let plain = open_in_place(&self.cipher, content, self.number, last, &mut self.waiting)?;
        self.out.write_all(plain).map_err(Fault::Stream)?;
        self.waiting.as_mut_slice().zeroize();
        self.waiting.clear();
        self.number += 1;
        Ok(())
    }
}

/// Opens a whole content into memory. The caller's place is where plaintext is wiped or kept.
pub fn open_content(key: &MessageKey, place: &Place, sealed: &[u8]) -> Result<Vec<u8>, Fault> {
    let length = plain_length(sealed.len() as u64).ok_or(Fault::Torn)?;
    let mut opener =
        Opener::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0)), key, place)?;
    opener.push(sealed)?;
    opener.finish()
}

/// Opens what `sealed` gives, one chunk in memory at a time.
pub fn open_stream(
    key: &MessageKey,
    place: &Place,
    sealed: &mut impl Read,
    out: &mut impl Write,
) -> Result<(), Fault> {
    let mut opener = Opener::new(out, key, place)?;
    let mut piece = vec![0u8; CHUNK_BYTES];
    loop {
        match sealed.read(&mut piece) {
            Ok(0) => return opener.finish().map(|_| ()),
            Ok(count) => opener.push(piece.get(..count).unwrap_or_default())?,
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(Fault::Stream(fault)),
        }
    }
}

/// Opens `count` octets from `start`, reading only the chunks that hold them. `length` is the
/// sealed length; `read_at(offset, buffer)` fills the buffer. Cut to what exists. A chunk's place
/// is proven; that nothing was cut off behind it, only if the last chunk was among them.
pub fn open_range(
    key: &MessageKey,
    place: &Place,
    length: u64,
    mut read_at: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
    start: u64,
    count: u64,
) -> Result<Vec<u8>, Fault> {
    let plain_end = plain_length(length).ok_or(Fault::Torn)?;
    let end = start.saturating_add(count).min(plain_end);
    if start >= end {
        return Ok(Vec::new());
    }
    let cipher = cipher(key)?;
    let mut header = [0u8; HEADER_BYTES];
    read_at(0, &mut header).map_err(Fault::Stream)?;
    let content = Content::parse(place, &header)?;
    let (chunk, sealed_chunk) = (CHUNK_BYTES as u64, SEALED_CHUNK_BYTES as u64);
    let mut opened = Vec::with_capacity(usize::try_from(end - start).unwrap_or(0));
    let room = usize::try_from(sealed_chunk.min(length)).unwrap_or(SEALED_CHUNK_BYTES);
    let mut buffer = Zeroizing::new(vec![0u8; room]);
    for number in start / chunk..=(end - 1) / chunk {
        let offset = HEADER_BYTES as u64 + number * sealed_chunk;
        let last = offset + sealed_chunk >= length;
        let size = usize::try_from(sealed_chunk.min(length - offset)).unwrap_or(0);
        let piece = buffer.get_mut(..size).ok_or(Fault::Torn)?;
        read_at(offset, piece).map_err(Fault::Stream)?;
        let number32 = u32::try_from(number).map_err(|_| Fault::Torn)?;
        let plain = open_in_place(&cipher, &content, number32, last, piece)?;
        let first = usize::try_from(start.saturating_sub(number * chunk)).unwrap_or(0);
        let behind = usize::try_from((end - number * chunk).min(chunk)).unwrap_or(0);
        opened.extend_from_slice(plain.get(first..behind).ok_or(Fault::Torn)?);
    }
    Ok(opened)
}

fn cipher(key: &MessageKey) -> Result<LessSafeKey, Fault> {
    UnboundKey::new(&AES_256_GCM, key.secret().dangerous_expose().as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| Fault::Refused)
}

fn open_in_place<'a>(
    cipher: &LessSafeKey,
    content: &Content,
    number: u32,
    last: bool,
    chunk: &'a mut [u8],
) -> Result<&'a [u8], Fault> {
    if chunk.len() < TAG_BYTES {
        return Err(Fault::Torn);
    }
    if number >= CHUNKS {
        return Err(Fault::TooLarge { limit: u64::from(CHUNKS) * CHUNK_BYTES as u64 });
    }
    let nonce = Nonce::assume_unique_for_key(content.nonce(number, last));
    let opened = cipher.open_in_place(nonce, Aad::from(content.associated()), chunk);
    opened.map(|plain| &*plain).map_err(|_| Fault::Refused)
}
