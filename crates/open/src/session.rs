//! The session's key pair, and the grants agreed with it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519};
use sealed::{
    Fault, GrantContext, Lent, MessageKey, PublicKey, Released, Secret, Suite, WrapContext,
    schedule,
};
use zeroize::{Zeroize, Zeroizing};

/// One signed-in session's private key. It is made here and never leaves.
pub struct Session {
    private: PrivateKey,
    public: PublicKey,
}

impl Session {
    /// Makes a session's pair. The public half goes to `identity`, which binds grants to it.
    pub fn new(suite: Suite) -> Result<(PublicKey, Self), Fault> {
        let private = PrivateKey::generate(algorithm(suite)).map_err(|_| Fault::NoRandomness)?;
        let point = private.compute_public_key().map_err(|_| Fault::NoRandomness)?;
        let public = PublicKey::new(suite, 0, point.as_ref())?;
        Ok((public.clone(), Self { private, public }))
    }

    /// Agrees one grant's key with the vault: RFC 9180 §5.3, receiver's export. Nothing proves
    /// here that `enc` is the vault's; a wrong one opens nothing.
    pub fn accept(&self, context: &GrantContext, enc: &[u8]) -> Result<Grant, Fault> {
        let suite = self.public.suite();
        let peer = UnparsedPublicKey::new(algorithm(suite), enc);
        if enc.len() != suite.public_bytes() {
            return Err(Fault::PublicKey);
        }
        let dh = agreement::agree(&self.private, peer, Fault::PublicKey, |shared| {
            let zero = shared.iter().fold(0, |all, byte| all | byte) == 0;
            Secret::from_slice(shared).filter(|_| !zero).ok_or(Fault::PublicKey)
        })?;
        let agreed = schedule(suite, &dh, enc, self.public.point(), &context.info());
        let key = agreed.export(context.exporter());
        UnboundKey::new(&AES_256_GCM, key.dangerous_expose().as_slice())
            .map(|unbound| Grant { cipher: LessSafeKey::new(unbound), context: *context })
            .map_err(|_| Fault::Refused)
    }
}

/// One accepted grant: opens what the vault released under it.
pub struct Grant {
    cipher: LessSafeKey,
    context: GrantContext,
}

impl Grant {
    /// Opens a released message key; refused unless it was released for exactly this context,
    /// whose tenant and user are the grant's (of a transit grant: whose tenant is).
    pub fn unwrap(&self, released: &[u8], context: &WrapContext) -> Result<MessageKey, Fault> {
        if !self.context.covers(context) {
            return Err(Fault::Refused);
        }
        let released = Released::parse(released)?;
        let nonce = Nonce::assume_unique_for_key(Released::nonce(released.number));
        let associated = Aad::from(Released::associated(context));
        let mut key = released.sealed;
        let opened = self.cipher.open_in_place(nonce, associated, &mut key);
        let secret = opened.ok().and_then(|plain| Secret::from_slice(plain));
        key.zeroize();
        secret.map(MessageKey::new).ok_or(Fault::Refused)
    }

    /// Opens a credential lent for exactly this purpose, to this grant's tenant.
    pub fn take_lent(&self, lent: &[u8], purpose: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let lent = Lent::parse(lent)?;
        let nonce = Nonce::assume_unique_for_key(Released::nonce(lent.number));
        let associated = Aad::from(Lent::associated(self.context.tenant, purpose));
        let mut octets = Zeroizing::new(lent.sealed);
        let opened = self.cipher.open_in_place(nonce, associated, &mut octets);
        opened.map(|plain| Zeroizing::new(plain.to_vec())).map_err(|_| Fault::Refused)
    }
}

fn algorithm(suite: Suite) -> &'static agreement::Algorithm {
    match suite {
        Suite::P256 => &ECDH_P256,
        Suite::X25519 => &X25519,
    }
}
