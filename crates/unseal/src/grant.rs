//! One HPKE context per grant; under its exported key message keys go to the session.

use crate::{cipher, pair};
use sealed::{
    Fault, GrantContext, Lent, MessageKey, PublicKey, Released, Secret, WrapContext, schedule,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// The key agreed with one session for one grant. Releases may be sealed by several threads.
pub struct Agreed {
    key: Secret,
    context: GrantContext,
    next: AtomicU64,
}

/// Agrees a key with the session's public key: RFC 9180 §5.3, sender's export. Gives the
/// encapsulated key, which the session needs.
pub fn agree(session: &PublicKey, context: &GrantContext) -> Result<(Vec<u8>, Agreed), Fault> {
    let (enc, dh) = pair::encapsulate(session)?;
    let agreed = schedule(session.suite(), &dh, &enc, session.point(), &context.info());
    let key = agreed.export(context.exporter());
    Ok((enc, Agreed { key, context: *context, next: AtomicU64::new(0) }))
}

impl Agreed {
    /// Wraps a message key for the session. Refused for another tenant or user than the grant's.
    pub fn release(&self, context: &WrapContext, key: &MessageKey) -> Result<Vec<u8>, Fault> {
        if !self.context.covers(context) {
            return Err(Fault::Refused);
        }
        // Each number serves once: it is the nonce.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let nonce = Released::nonce(number);
        let plain = key.secret().dangerous_expose();
        let sealed = cipher::seal(&self.key, &nonce, &Released::associated(context), plain)?;
        let sealed = sealed.try_into().map_err(|_| Fault::Refused)?;
        Ok(Released { number, sealed }.encode())
    }

    /// Wraps a credential of the grant's tenant for the session: for what was asked, and nothing
    /// else.
    pub fn lend(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let associated = Lent::associated(self.context.tenant, purpose);
        let sealed = cipher::seal(&self.key, &Released::nonce(number), &associated, plain)?;
        Ok(Lent { number, sealed }.encode())
    }
}

#[cfg(test)]
impl Agreed {
    pub(crate) fn secret(&self) -> &Secret {
        &self.key
    }
}
