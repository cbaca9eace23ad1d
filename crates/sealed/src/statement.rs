//! What the vault says of an address: whose it is and to which keys its mail is sealed.

use crate::{Fault, PublicKey};
use terms::{Cursor, TenantId, UserId};

const VERSION: u8 = 1;
/// People behind one address: a group larger than this is a mailing list, which is another thing.
pub const KEEPERS: usize = 100;
/// RFC 5321 §4.5.3.1: a path has at most 256 octets, its angle brackets included.
const ADDRESS_BYTES: usize = 254;
/// Version, address, tenant, epoch, until, count, then per keeper an id and two P-256 keys.
pub const STATEMENT_BYTES: usize = 1 + 2 + ADDRESS_BYTES + 8 + 4 + 8 + 1 + KEEPERS * (8 + 2 * 70);

const DOMAIN: &[u8] = b"sekisho statement v1";

/// One person, or shared mailbox, that gets a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    pub user: UserId,
    pub summary: PublicKey,
    pub body: PublicKey,
}

/// "Mail for this address goes to these people, under these keys, until then." `address` is
/// written as the directory writes it (lower case, A-labels); `valid_until` is seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub address: String,
    pub tenant: TenantId,
    /// The tenant's key epoch.
    pub epoch: u32,
    pub valid_until: u64,
    pub keepers: Vec<Keeper>,
}

impl Statement {
    /// What the signature covers: a domain tag and the statement's bytes.
    pub fn signed(bytes: &[u8]) -> Vec<u8> {
        let mut signed = Vec::with_capacity(DOMAIN.len() + bytes.len());
        signed.extend_from_slice(DOMAIN);
        signed.extend_from_slice(bytes);
        signed
    }

    /// Refuses what `parse` would refuse: an address too long, nobody or too many behind it.
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        let shape = Fault::Shape { shape: "statement" };
        let (Ok(address), Ok(keepers)) = (
            u16::try_from(self.address.len()),
            u8::try_from(self.keepers.len()),
        ) else {
            return Err(shape);
        };
        if self.address.is_empty()
            || self.address.len() > ADDRESS_BYTES
            || keepers == 0
            || self.keepers.len() > KEEPERS
        {
            return Err(shape);
        }
        let mut bytes = Vec::with_capacity(256 + self.keepers.len() * 148);
        bytes.push(VERSION);
        bytes.extend_from_slice(&address.to_be_bytes());
        bytes.extend_from_slice(self.address.as_bytes());
        bytes.extend_from_slice(&self.tenant.0);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.valid_until.to_be_bytes());
        bytes.push(keepers);
        for keeper in &self.keepers {
            bytes.extend_from_slice(&keeper.user.0);
            keeper.summary.write(&mut bytes);
            keeper.body.write(&mut bytes);
        }
        Ok(bytes)
    }

    /// Strict. Whether it is signed and still valid is `seal::verify_statement`'s to say.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes);
        let statement = Self::read(&mut cursor).filter(|_| cursor.is_at_end());
        statement.ok_or(Fault::Shape { shape: "statement" })
    }

    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if !cursor.eat(VERSION) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes(cursor.take(2)?.try_into().ok()?));
        if length == 0 || length > ADDRESS_BYTES {
            return None;
        }
        let address = std::str::from_utf8(cursor.take(length)?).ok()?.to_owned();
        let tenant = TenantId::from_slice(cursor.take(8)?)?;
        let epoch = u32::from_be_bytes(cursor.take(4)?.try_into().ok()?);
        let valid_until = u64::from_be_bytes(cursor.take(8)?.try_into().ok()?);
        let count = usize::from(cursor.next()?);
        if count == 0 || count > KEEPERS {
            return None;
        }
        let keepers = (0..count)
            .map(|_| read_keeper(cursor))
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            address,
            tenant,
            epoch,
            valid_until,
            keepers,
        })
    }
}

fn read_keeper(cursor: &mut Cursor<'_>) -> Option<Keeper> {
    let user = UserId::from_slice(cursor.take(8)?)?;
    let summary = PublicKey::read(cursor)?;
    let body = PublicKey::read(cursor)?;
    Some(Keeper {
        user,
        summary,
        body,
    })
}
