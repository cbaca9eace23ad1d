//! A message key on its way from the vault to one session, under that grant's own key.

use crate::wrapped::WRAPPED_KEY_BYTES;
use crate::{Fault, WrapContext};
use terms::{Cursor, GrantId, TenantId, UserId};

/// AES-256-GCM under the key that HPKE exported for the grant.
const RELEASE_SUITE: u8 = 1;
/// suite, number, sealed key.
pub const RELEASED_BYTES: usize = 1 + 8 + WRAPPED_KEY_BYTES;

const GRANT_DOMAIN: &[u8] = b"sekisho grant v1";
const RELEASE_DOMAIN: &[u8] = b"sekisho release v1";
/// A secret that is no key, under the same grant's key.
const LEND_SUITE: u8 = 2;
const LEND_DOMAIN: &[u8] = b"sekisho lent v1";
/// A user name and a password, with the host that they are for.
const LENT_BYTES: usize = 4_096;

/// Whose grant it is: bound into the HPKE agreement between vault and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantContext {
    pub grant: GrantId,
    pub tenant: TenantId,
    pub user: UserId,
}

/// No person has this id: a grant of it is for mail on its way.
const NOBODY: UserId = UserId([0; 8]);

impl GrantContext {
    /// For mail on its way, whoever of the tenant sent it. It opens nobody's stored mail: those
    /// keys are wrapped to other pairs.
    pub fn transit(grant: GrantId, tenant: TenantId) -> Self {
        Self { grant, tenant, user: NOBODY }
    }

    /// Whether the key of this copy may go under the grant.
    pub fn covers(&self, copy: &WrapContext) -> bool {
        copy.tenant == self.tenant && (copy.user == self.user || self.user == NOBODY)
    }

    /// HPKE's `info`: domain, grant, tenant, user.
    pub fn info(&self) -> Vec<u8> {
        let mut info = Vec::with_capacity(GRANT_DOMAIN.len() + 32);
        info.extend_from_slice(GRANT_DOMAIN);
        info.extend_from_slice(&self.grant.0);
        info.extend_from_slice(&self.tenant.0);
        info.extend_from_slice(&self.user.0);
        info
    }

    /// HPKE's exporter context for the grant's symmetric key.
    pub fn exporter(&self) -> &'static [u8] {
        b"sekisho release key v1"
    }
}

/// A released key. `number` counts up within the grant and is the nonce: it never repeats under
/// one grant key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    pub number: u64,
    pub sealed: [u8; WRAPPED_KEY_BYTES],
}

impl Released {
    pub fn nonce(number: u64) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
        [0, 0, 0, 0, a, b, c, d, e, f, g, h]
    }

    /// Domain, tenant, user, message, class.
    pub fn associated(context: &WrapContext) -> Vec<u8> {
        let mut associated = Vec::with_capacity(RELEASE_DOMAIN.len() + 33);
        associated.extend_from_slice(RELEASE_DOMAIN);
        associated.extend_from_slice(&context.tenant.0);
        associated.extend_from_slice(&context.user.0);
        associated.extend_from_slice(&context.associated());
        associated
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RELEASED_BYTES);
        bytes.push(RELEASE_SUITE);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes);
        let released = Self::read(&mut cursor).filter(|_| cursor.is_at_end());
        released.ok_or(Fault::Shape { shape: "released key" })
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if !cursor.eat(RELEASE_SUITE) {
            return None;
        }
        let number = u64::from_be_bytes(cursor.take(8)?.try_into().ok()?);
        let sealed = cursor.take(WRAPPED_KEY_BYTES)?.try_into().ok()?;
        Some(Self { number, sealed })
    }
}

/// A credential lent to one session: of any length, and numbered with the grant's released keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    pub number: u64,
    pub sealed: Vec<u8>,
}

impl Lent {
    /// Domain, tenant, and for what it was asked.
    pub fn associated(tenant: TenantId, purpose: &str) -> Vec<u8> {
        let mut associated = Vec::with_capacity(LEND_DOMAIN.len() + 8 + purpose.len());
        associated.extend_from_slice(LEND_DOMAIN);
        associated.extend_from_slice(&tenant.0);
        associated.extend_from_slice(purpose.as_bytes());
        associated
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(9 + self.sealed.len());
        bytes.push(LEND_SUITE);
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let shape = || Fault::Shape { shape: "lent credential" };
        let mut cursor = Cursor::new(bytes);
        if bytes.len() > LENT_BYTES || !cursor.eat(LEND_SUITE) {
            return Err(shape());
        }
        let number = cursor.take(8).and_then(|bytes| bytes.try_into().ok());
        let number = u64::from_be_bytes(number.ok_or_else(shape)?);
        Ok(Self { number, sealed: cursor.rest().to_vec() })
    }
}
