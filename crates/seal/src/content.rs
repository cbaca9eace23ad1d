//! Content goes in as it comes and leaves as sealed chunks: memory is one chunk, whatever its size.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use sealed::{
    CHUNK_BYTES, CHUNKS, Content, Fault, HEADER_PREFIX_BYTES, KEY_BYTES, MessageKey, Place, Secret,
    sealed_length,
};
use std::io::{Read, Write};
use zeroize::{Zeroize, Zeroizing};

/// Seals what is pushed, under a key made for this content alone.
pub struct Sealer<W: Write> {
    out: W,
    content: Content,
    cipher: LessSafeKey,
    key: MessageKey,
    number: u32,
    chunk: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Makes the key and writes the header.
    pub fn new(mut out: W, place: &Place) -> Result<Self, Fault> {
        let key = fresh_key()?;
        let mut prefix = [0u8; HEADER_PREFIX_BYTES];
        rand::fill(&mut prefix).map_err(|_| Fault::NoRandomness)?;
        let content = Content::new(place, prefix);
        out.write_all(content.header()).map_err(Fault::Stream)?;
        let unbound = UnboundKey::new(&AES_256_GCM, key.secret().dangerous_expose().as_slice());
        Ok(Self {
            out,
            content,
            cipher: LessSafeKey::new(unbound.map_err(|_| Fault::Refused)?),
            key,
            number: 0,
            chunk: Vec::new(),
        })
    }

    pub fn push(&mut self, mut plain: &[u8]) -> Result<(), Fault> {
        while !plain.is_empty() {
            // A full chunk waits until it is known not to be the last.
            if self.chunk.len() == CHUNK_BYTES {
                self.seal_chunk(false)?;
            }
            let room = CHUNK_BYTES - self.chunk.len();
            let (now, later) = plain.split_at(room.min(plain.len()));
            self.chunk.extend_from_slice(now);
            plain = later;
        }
        Ok(())
    }

    /// Seals the last chunk; gives back the key, to be wrapped, and the writer.
    pub fn finish(mut self) -> Result<(MessageKey, W), Fault> {
        self.seal_chunk(true)?;
        Ok((self.key, self.out))
    }

    fn seal_chunk(&mut self, last: bool) -> Result<(), Fault> {
        if self.number >= CHUNKS {
            return Err(Fault::TooLarge { limit: u64::from(CHUNKS) * CHUNK_BYTES as u64 });
        }
        let nonce = Nonce::assume_unique_for_key(self.content.nonce(self.number, last));
        let associated = Aad::from(self.content.associated());
        let sealed = self.cipher.seal_in_place_append_tag(nonce, associated, &mut self.chunk);
        if sealed.is_err() {
            self.chunk.zeroize();
            return Err(Fault::Refused);
        }
        self.out.write_all(&self.chunk).map_err(Fault::Stream)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

/// A key for something that is sealed apart: pages, names of folders.
pub fn fresh_key() -> Result<MessageKey, Fault> {
    let mut secret = Zeroizing::new([0u8; KEY_BYTES]);
    rand::fill(secret.as_mut_slice()).map_err(|_| Fault::NoRandomness)?;
    Ok(MessageKey::new(Secret::new(*secret)))
}

/// Seals a whole content that is in memory already.
pub fn seal_content(place: &Place, plain: &[u8]) -> Result<(Vec<u8>, MessageKey), Fault> {
    let length = usize::try_from(sealed_length(plain.len() as u64)).unwrap_or(0);
    let mut sealer = Sealer::new(Vec::with_capacity(length), place)?;
    sealer.push(plain)?;
    sealer.finish().map(|(key, sealed)| (sealed, key))
}

/// Seals what `plain` gives, one chunk in memory at a time.
pub fn seal_stream(
    place: &Place,
    plain: &mut impl Read,
    out: &mut impl Write,
) -> Result<MessageKey, Fault> {
    let mut sealer = Sealer::new(out, place)?;
    let mut piece = Zeroizing::new(vec![0u8; CHUNK_BYTES]);
    loop {
        match plain.read(piece.as_mut_slice()) {
            Ok(0) => return sealer.finish().map(|(key, _)| key),
            Ok(count) => sealer.push(piece.get(..count).unwrap_or_default())?,
            Err(fault) if fault.kind() == std::io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(Fault::Stream(fault)),
        }
    }
}
