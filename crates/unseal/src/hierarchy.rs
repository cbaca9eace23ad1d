//! Root → tenant → user → pairs. Each key is random and stored wrapped by the one above it, so
//! that destroying one row destroys everything under it, and nothing else.

use crate::cipher::{self, NONCE_BYTES, random};
use crate::pair::Pair;
use hkdf::Hkdf;
use sealed::{Class, Fault, KEY_BYTES, PublicKey, Secret, Suite, TAG_BYTES};
use sha2::Sha256;
use terms::{Cursor, TenantId, UserId};
use zeroize::Zeroizing;

/// AES-256-GCM key wrap: suite, nonce, key, tag.
const WRAP_SUITE: u8 = 1;
pub const STORED_KEY_BYTES: usize = 1 + NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const DOMAIN: &[u8] = b"sekisho key v1";
/// A credential shorter than this was not made by us.
const CREDENTIAL_BYTES: usize = 32;

/// The root, in memory of the vault only, for as long as it runs.
///
/// The credential gives one key. Until something is rotated that key both wraps the tenants' keys
/// and is derived from. A rotated root is a random key, stored wrapped under the credential's; a
/// new credential keeps what was derived, stored wrapped under it too.
pub struct RootKey {
    credential: Secret,
    wrapping: Option<Secret>,
    derived: Option<Secret>,
    /// What tenants' keys are named by when they are wrapped.
    tenants: &'static [u8],
}

/// In a store whose records have no sums, and in one whose records have: what was wrapped for the
/// one opens in no copy of the other.
const TENANTS: &[u8] = b"tenant";
const TENANTS_WITH_SUMS: &[u8] = b"tenant with sums";

impl RootKey {
    /// From the unseal credential: at least 32 octets with the strength of a key.
    pub fn from_credential(credential: &[u8]) -> Result<Self, Fault> {
        if credential.len() < CREDENTIAL_BYTES {
            return Err(Fault::Shape { shape: "unseal credential" });
        }
        let credential = derive(credential, b"root", &[])?;
        Ok(Self { credential, wrapping: None, derived: None, tenants: TENANTS })
    }

    /// The same root, for a store whose records have sums.
    pub fn with_sums(&self) -> Self {
        Self {
            credential: copy(&self.credential),
            wrapping: self.wrapping.as_ref().map(copy),
            derived: self.derived.as_ref().map(copy),
            tenants: TENANTS_WITH_SUMS,
        }
    }

    /// Takes up a rotated root, as it is stored.
    pub fn take_rotated(&mut self, epoch: u32, stored: &[u8]) -> Result<(), Fault> {
        self.wrapping = Some(unwrap(&self.credential, &root_name(b"root", epoch), stored)?);
        Ok(())
    }

    /// Takes up what an earlier credential gave to derive from, as it is stored.
    pub fn take_derived(&mut self, stored: &[u8]) -> Result<(), Fault> {
        self.derived = Some(unwrap(&self.credential, &root_name(b"derived", 0), stored)?);
        Ok(())
    }

    /// The next root: a random key, and how it is stored. What is derived stays.
    pub fn rotate(&self, epoch: u32) -> Result<(Self, Vec<u8>), Fault> {
        let wrapping = cipher::random_secret()?;
        let stored = wrap(&self.credential, &root_name(b"root", epoch), &wrapping)?;
        let next = Self {
            credential: copy(&self.credential),
            wrapping: Some(wrapping),
            derived: self.derived.as_ref().map(copy),
            tenants: self.tenants,
        };
        Ok((next, stored))
    }

    /// Under another credential: the rotated root of `epoch` and what is derived from, as they
    /// are to be stored.
    pub fn reseal(&self, credential: &[u8], epoch: u32) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let next = Self::from_credential(credential)?;
        let root = wrap(&next.credential, &root_name(b"root", epoch), self.wrapping())?;
        let derived = wrap(&next.credential, &root_name(b"derived", 0), self.derived())?;
        Ok((root, derived))
    }

    /// A key that needs no row of its own: storage keys, table keys, the statement key's seed.
    pub fn derive(&self, purpose: &str, context: &[u8]) -> Result<Secret, Fault> {
        derive(self.derived().dangerous_expose(), purpose.as_bytes(), context)
    }

    pub fn make_tenant(&self, tenant: TenantId, epoch: u32) -> Result<(TenantKey, Vec<u8>), Fault> {
        let secret = cipher::random_secret()?;
        let stored = wrap(self.wrapping(), &self.tenant_name(tenant, epoch), &secret)?;
        Ok((TenantKey { tenant, secret }, stored))
    }

    pub fn open_tenant(
        &self,
        tenant: TenantId,
        epoch: u32,
        stored: &[u8],
    ) -> Result<TenantKey, Fault> {
        let secret = unwrap(self.wrapping(), &self.tenant_name(tenant, epoch), stored)?;
        Ok(TenantKey { tenant, secret })
    }

    /// A tenant's key, stored under this root, as it is stored under `next`.
    pub fn rewrap_tenant(
        &self,
        next: &Self,
        tenant: TenantId,
        epoch: u32,
        stored: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let secret = unwrap(self.wrapping(), &self.tenant_name(tenant, epoch), stored)?;
        wrap(next.wrapping(), &next.tenant_name(tenant, epoch), &secret)
    }

    fn tenant_name(&self, tenant: TenantId, epoch: u32) -> Vec<u8> {
        name(self.tenants, tenant, None, epoch, &[])
    }

    fn wrapping(&self) -> &Secret {
        self.wrapping.as_ref().unwrap_or(&self.credential)
    }

    fn derived(&self) -> &Secret {
        self.derived.as_ref().unwrap_or(&self.credential)
    }
}

/// One tenant's key of one epoch.
pub struct TenantKey {
    tenant: TenantId,
    secret: Secret,
}

impl TenantKey {
    pub fn make_user(&self, user: UserId) -> Result<(UserKey, Vec<u8>), Fault> {
        let secret = cipher::random_secret()?;
        let stored = wrap(&self.secret, &name(b"user", self.tenant, Some(user), 0, &[]), &secret)?;
        Ok((UserKey { tenant: self.tenant, user, secret }, stored))
    }

    pub fn open_user(&self, user: UserId, stored: &[u8]) -> Result<UserKey, Fault> {
        let named = name(b"user", self.tenant, Some(user), 0, &[]);
        let secret = unwrap(&self.secret, &named, stored)?;
        Ok(UserKey { tenant: self.tenant, user, secret })
    }

    /// A user's key, stored under this tenant's key, as it is stored under the next one.
    pub fn rewrap_user(&self, next: &Self, user: UserId, stored: &[u8]) -> Result<Vec<u8>, Fault> {
        let named = name(b"user", self.tenant, Some(user), 0, &[]);
        rewrap(&self.secret, &next.secret, &named, stored)
    }

    /// The pair that this tenant's mail is sealed to on one day, while it is on its way. The epoch
    /// is the day.
    pub fn make_transit(&self, suite: Suite, epoch: u32) -> Result<(PublicKey, Vec<u8>), Fault> {
        let (public, secret) = Pair::make(suite, epoch)?;
        let stored = wrap(&self.secret, &self.transit_name(&public), &secret)?;
        Ok((public, stored))
    }

    /// The public half is part of the name, as of a person's pairs.
    pub fn open_transit(&self, public: &PublicKey, stored: &[u8]) -> Result<Pair, Fault> {
        let secret = unwrap(&self.secret, &self.transit_name(public), stored)?;
        Pair::new(public.clone(), &secret)
    }

    /// Such a pair, stored under this tenant's key, as it is stored under the next one.
    pub fn rewrap_transit(
        &self,
        next: &Self,
        public: &PublicKey,
        stored: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        rewrap(&self.secret, &next.secret, &self.transit_name(public), stored)
    }

    fn transit_name(&self, public: &PublicKey) -> Vec<u8> {
        name(b"transit", self.tenant, None, public.epoch(), &public.encode())
    }

    /// A credential of the tenant's, such as a smart host's, under its connector key.
    pub fn seal_credential(&self, id: &[u8; 8], plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let nonce = random::<NONCE_BYTES>()?;
        let named = name(b"credential", self.tenant, None, 0, id);
        let sealed = cipher::seal(&self.connector()?, &nonce, &named, plain)?;
        Ok([&[WRAP_SUITE][..], &nonce, &sealed].concat())
    }

    pub fn open_credential(
        &self,
        id: &[u8; 8],
        stored: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let shape = || Fault::Shape { shape: "stored credential" };
        let mut cursor = Cursor::new(stored);
        if !cursor.eat(WRAP_SUITE) {
            return Err(shape());
        }
        let nonce = cursor.take(NONCE_BYTES).and_then(|bytes| bytes.try_into().ok());
        let named = name(b"credential", self.tenant, None, 0, id);
        cipher::open_octets(&self.connector()?, &nonce.ok_or_else(shape)?, &named, cursor.rest())
    }

    /// A credential, stored under this tenant's key, as it is stored under the next one.
    pub fn rewrap_credential(
        &self,
        next: &Self,
        id: &[u8; 8],
        stored: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        next.seal_credential(id, &self.open_credential(id, stored)?)
    }

    fn connector(&self) -> Result<Secret, Fault> {
        self.derive("connector")
    }

    /// Keys of the tenant that destroying it must destroy too: policy, names.
    pub fn derive(&self, purpose: &str) -> Result<Secret, Fault> {
        derive(self.secret.dangerous_expose(), purpose.as_bytes(), &self.tenant.0)
    }
}

/// One person's key; it wraps that person's pairs.
pub struct UserKey {
    tenant: TenantId,
    user: UserId,
    secret: Secret,
}

impl UserKey {
    pub fn make_pair(
        &self,
        class: Class,
        suite: Suite,
        epoch: u32,
    ) -> Result<(PublicKey, Vec<u8>), Fault> {
        let (public, secret) = Pair::make(suite, epoch)?;
        let stored = wrap(&self.secret, &self.pair_name(class, &public), &secret)?;
        Ok((public, stored))
    }

    /// The public half is part of the name: a row with another one beside it does not open.
    pub fn open_pair(
        &self,
        class: Class,
        public: &PublicKey,
        stored: &[u8],
    ) -> Result<Pair, Fault> {
        let secret = unwrap(&self.secret, &self.pair_name(class, public), stored)?;
        Pair::new(public.clone(), &secret)
    }

    /// A pair, stored under this user's key, as it is stored under the next one.
    pub fn rewrap_pair(
        &self,
        next: &Self,
        class: Class,
        public: &PublicKey,
        stored: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        rewrap(&self.secret, &next.secret, &self.pair_name(class, public), stored)
    }

    fn pair_name(&self, class: Class, public: &PublicKey) -> Vec<u8> {
        let mut rest = vec![class.byte()];
        rest.extend_from_slice(&public.encode());
        name(b"pair", self.tenant, Some(self.user), public.epoch(), &rest)
    }
}

/// Associated data of a wrapped key: fixed lengths, so that two names never read alike.
fn name(kind: &[u8], tenant: TenantId, user: Option<UserId>, epoch: u32, rest: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(DOMAIN.len() + 32 + rest.len());
    name.extend_from_slice(DOMAIN);
    name.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
    name.extend_from_slice(kind);
    name.extend_from_slice(&tenant.0);
    name.extend_from_slice(&user.unwrap_or_default().0);
    name.extend_from_slice(&epoch.to_be_bytes());
    name.extend_from_slice(rest);
    name
}

fn root_name(kind: &[u8], epoch: u32) -> Vec<u8> {
    name(kind, TenantId::default(), None, epoch, &[])
}

fn copy(secret: &Secret) -> Secret {
    Secret::new(*secret.dangerous_expose())
}

fn rewrap(above: &Secret, next: &Secret, name: &[u8], stored: &[u8]) -> Result<Vec<u8>, Fault> {
    wrap(next, name, &unwrap(above, name, stored)?)
}

fn wrap(above: &Secret, name: &[u8], secret: &Secret) -> Result<Vec<u8>, Fault> {
    let nonce = random::<NONCE_BYTES>()?;
    let sealed = cipher::seal(above, &nonce, name, secret.dangerous_expose())?;
    let mut stored = Vec::with_capacity(STORED_KEY_BYTES);
    stored.push(WRAP_SUITE);
    stored.extend_from_slice(&nonce);
    stored.extend_from_slice(&sealed);
    Ok(stored)
}

fn unwrap(above: &Secret, name: &[u8], stored: &[u8]) -> Result<Secret, Fault> {
    let shape = || Fault::Shape { shape: "stored key" };
    let mut cursor = Cursor::new(stored);
    if stored.len() != STORED_KEY_BYTES || !cursor.eat(WRAP_SUITE) {
        return Err(shape());
    }
    let nonce = cursor.take(NONCE_BYTES).and_then(|bytes| bytes.try_into().ok());
    cipher::open(above, &nonce.ok_or_else(shape)?, name, cursor.rest())
}

/// HKDF-SHA256 (RFC 5869): salt is our domain, info is purpose, its length and the context.
fn derive(from: &[u8], purpose: &[u8], context: &[u8]) -> Result<Secret, Fault> {
    let mut out = Zeroizing::new([0u8; KEY_BYTES]);
    let length = u8::try_from(purpose.len()).map_err(|_| Fault::Shape { shape: "purpose" })?;
    Hkdf::<Sha256>::new(Some(DOMAIN), from)
        .expand_multi_info(&[&[length], purpose, context], out.as_mut_slice())
        .map_err(|_| Fault::Shape { shape: "derived key" })?;
    Ok(Secret::new(*out))
}
