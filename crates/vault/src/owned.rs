//! Drills only: what whoever owns the vault's process can do with what the vault holds. Reached
//! from a keeper that was begun with `drill`, and from nowhere else.

use crate::keys::Keys;
use compartment::House;
use terms::{MessageId, TenantId, UserId};
use unseal::{Class, MessageKey, WrapContext, Wrapped};

/// Every key of the house, in a stranger's hands.
pub struct Owned(Keys);

impl Owned {
    /// Takes the keys as the vault does at its start.
    pub fn dangerous_take(house: &mut House) -> Option<Self> {
        let root = crate::unseal_root(house).ok()?;
        let folder = house.start.folder.clone()?;
        Keys::open(folder.as_ref(), root, compartment::now_ms()).ok().map(Self)
    }

    pub fn statement_key(&self) -> [u8; 32] {
        self.0.statement.public()
    }

    /// Opens a wrapped key: no grant, no budget, no entry in the ledger.
    pub fn dangerous_open(
        &self,
        (tenant, user): (TenantId, UserId),
        (message, class): (MessageId, Class),
        epoch: u32,
        wrapped: &[u8],
    ) -> Option<MessageKey> {
        let pair = self.0.pair(tenant, user, class, epoch)?;
        let context = WrapContext { tenant, user, message, class };
        pair.open(&Wrapped::parse(wrapped).ok()?, &context).ok()
    }

    /// Every tenant's sign-ins to smart hosts, as they were set.
    pub fn dangerous_credentials(&self) -> Vec<Vec<u8>> {
        let ids = self.0.state.credentials.keys();
        let plain = ids.filter_map(|(tenant, id)| self.0.credential(*tenant, id));
        plain.map(|octets| octets.to_vec()).collect()
    }
}
