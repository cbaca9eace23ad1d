//! A message key wrapped to people: a list of shares, today of one, so that two locks can come.

use crate::{Class, Fault, KEY_BYTES, Suite, TAG_BYTES};
use terms::{Cursor, MessageId, TenantId, UserId};

/// One encapsulation for one message.
const ALONE: u8 = 1;
/// One encapsulation for everything that one sender seals to one pair for one person: each message
/// key under a key that is exported for its message and class.
const IN_COMPANY: u8 = 2;
/// Shares in both versions. A second lock will be a third version.
const SHARES: u8 = 1;
/// A sealed message key: the key and its tag.
pub const WRAPPED_KEY_BYTES: usize = KEY_BYTES + TAG_BYTES;
const NONCE_BYTES: usize = 12;
/// The longest encoding: version, count, suite, epoch, P-256 point, nonce, sealed key.
pub const WRAPPED_BYTES: usize = 2 + 5 + 65 + NONCE_BYTES + WRAPPED_KEY_BYTES;

const DOMAIN: &[u8] = b"sekisho wrap v1";

/// For whom and for what a key was wrapped. A key taken to another place does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrapContext {
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub class: Class,
}

impl WrapContext {
    /// HPKE's `info`: domain, tenant, user, key epoch.
    pub fn info(&self, epoch: u32) -> Vec<u8> {
        let mut info = Vec::with_capacity(DOMAIN.len() + 20);
        info.extend_from_slice(DOMAIN);
        info.extend_from_slice(&self.tenant.0);
        info.extend_from_slice(&self.user.0);
        info.extend_from_slice(&epoch.to_be_bytes());
        info
    }

    /// HPKE's `aad`: message, class.
    pub fn associated(&self) -> [u8; 17] {
        let mut associated = [self.class.byte(); 17];
        associated.iter_mut().zip(self.message.0).for_each(|(to, from)| *to = from);
        associated
    }
}

impl WrapContext {
    /// HPKE's exporter context for keys in company: domain, message, class. Several keys of one
    /// message (an envelope for each destination) are told apart by their random nonces.
    pub fn exporter(&self) -> Vec<u8> {
        let mut exporter = b"sekisho wrap in company v1".to_vec();
        exporter.extend_from_slice(&self.associated());
        exporter
    }
}

/// One share: which pair opens it, the encapsulated key, the sealed message key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The nonce, where the encapsulation serves other keys of its sender too.
    pub company: Option<[u8; NONCE_BYTES]>,
    pub suite: Suite,
    pub epoch: u32,
    pub enc: Vec<u8>,
    pub sealed: [u8; WRAPPED_KEY_BYTES],
}

/// The list of shares. Encoded: version, count, then per share suite, epoch, enc, sealed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    pub share: Share,
}

impl Wrapped {
    pub fn encode(&self) -> Vec<u8> {
        let share = &self.share;
        let mut bytes = Vec::with_capacity(WRAPPED_BYTES);
        let version = if share.company.is_some() { IN_COMPANY } else { ALONE };
        bytes.extend_from_slice(&[version, SHARES, share.suite.byte()]);
        bytes.extend_from_slice(&share.epoch.to_be_bytes());
        bytes.extend_from_slice(&share.enc);
        bytes.extend(share.company.into_iter().flatten());
        bytes.extend_from_slice(&share.sealed);
        bytes
    }

    /// Strict: known version, one share, known suite, exact length.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes);
        let wrapped = Self::read(&mut cursor).filter(|_| cursor.is_at_end());
        wrapped.ok_or(Fault::Shape { shape: "wrapped key" })
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let in_company = match cursor.next()? {
            ALONE => false,
            IN_COMPANY => true,
            _ => return None,
        };
        if !cursor.eat(SHARES) {
            return None;
        }
        let suite = Suite::from_byte(cursor.next()?)?;
        let epoch = u32::from_be_bytes(cursor.take(4)?.try_into().ok()?);
        let enc = cursor.take(suite.public_bytes())?.to_vec();
        let company = match in_company {
            true => Some(cursor.take(NONCE_BYTES)?.try_into().ok()?),
            false => None,
        };
        let sealed = cursor.take(WRAPPED_KEY_BYTES)?.try_into().ok()?;
        Some(Self { share: Share { company, suite, epoch, enc, sealed } })
    }
}
