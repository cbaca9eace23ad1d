//! Which cryptography, for which part of a message, for whom: one byte each, everywhere.

use crate::Fault;
use terms::Cursor;

/// An HPKE suite (RFC 9180 §7): the KEM differs, HKDF-SHA256 and AES-256-GCM are common to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// DHKEM(P-256, HKDF-SHA256): the default; its parts stand on the CRYPTREC list.
    P256,
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
}

impl Suite {
    pub fn byte(self) -> u8 {
        match self {
            Self::P256 => 1,
            Self::X25519 => 2,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::P256),
            2 => Some(Self::X25519),
            _ => None,
        }
    }

    /// RFC 9180 §7.1.
    pub fn kem_id(self) -> u16 {
        match self {
            Self::P256 => 0x0010,
            Self::X25519 => 0x0020,
        }
    }

    /// Octets of a public key and of an encapsulated one (RFC 9180 §7.1.1: P-256 uncompressed).
    pub fn public_bytes(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::X25519 => 32,
        }
    }
}

/// A part of a message that has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Header fields, snippet, structure: what a list of messages shows.
    Summary,
    /// The message octet for octet.
    Body,
}

impl Class {
    pub fn byte(self) -> u8 {
        match self {
            Self::Summary => 1,
            Self::Body => 2,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Summary),
            2 => Some(Self::Body),
            _ => None,
        }
    }
}

/// A public key of one epoch. Encoded: suite, epoch (4, big-endian), point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    suite: Suite,
    epoch: u32,
    point: Vec<u8>,
}

impl PublicKey {
    /// Only the shape is checked here; whether the point lies on its curve, the engine says.
    pub fn new(suite: Suite, epoch: u32, point: &[u8]) -> Result<Self, Fault> {
        let uncompressed = suite != Suite::P256 || point.first() == Some(&4);
        if point.len() != suite.public_bytes() || !uncompressed {
            return Err(Fault::Shape { shape: "public key" });
        }
        Ok(Self { suite, epoch, point: point.to_vec() })
    }

    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub fn point(&self) -> &[u8] {
        &self.point
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(5 + self.point.len());
        self.write(&mut bytes);
        bytes
    }

    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.suite.byte());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.point);
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes);
        let key = Self::read(&mut cursor).filter(|_| cursor.is_at_end());
        key.ok_or(Fault::Shape { shape: "public key" })
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let suite = Suite::from_byte(cursor.next()?)?;
        let epoch = u32::from_be_bytes(cursor.take(4)?.try_into().ok()?);
        Self::new(suite, epoch, cursor.take(suite.public_bytes())?).ok()
    }
}
