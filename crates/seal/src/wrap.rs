//! A message key is wrapped to one person: HPKE base mode (RFC 9180 §5.1.1), one message a context.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey, X25519};
use sealed::{
    Class, Fault, MessageKey, PublicKey, Schedule, Secret, Share, Suite, WRAPPED_KEY_BYTES,
    WrapContext, Wrapped, schedule,
};
use terms::{MessageId, TenantId, UserId};

/// Wraps `key` so that only the private half of `public`, in the vault, and only for this tenant,
/// user, message and class, gives it back. A fresh encapsulation each time.
pub fn wrap(public: &PublicKey, key: &MessageKey, context: &WrapContext) -> Result<Wrapped, Fault> {
    let ephemeral = PrivateKey::generate(algorithm(public.suite()));
    wrap_from(&ephemeral.map_err(|_| Fault::NoRandomness)?, public, key, context)
}

fn wrap_from(
    ephemeral: &PrivateKey,
    public: &PublicKey,
    key: &MessageKey,
    context: &WrapContext,
) -> Result<Wrapped, Fault> {
    let info = context.info(public.epoch());
    let plain = key.secret().dangerous_expose();
    let (enc, sealed) =
        seal_one(ephemeral, public, &info, &context.associated(), plain.as_slice())?;
    let sealed: [u8; WRAPPED_KEY_BYTES] =
        sealed.try_into().map_err(|_| Fault::Shape { shape: "wrapped key" })?;
    let (suite, epoch) = (public.suite(), public.epoch());
    Ok(Wrapped { share: Share { company: None, suite, epoch, enc, sealed } })
}

/// What one sender wraps to one pair for one person, under one encapsulation: the two
/// multiplications are paid once. Whoever owns the sender has seen each of these keys anyway.
pub struct Wrapper {
    public: PublicKey,
    tenant: TenantId,
    user: UserId,
    enc: Vec<u8>,
    agreed: Schedule,
}

impl Wrapper {
    pub fn new(public: &PublicKey, tenant: TenantId, user: UserId) -> Result<Self, Fault> {
        let ephemeral = PrivateKey::generate(algorithm(public.suite()));
        let ephemeral = ephemeral.map_err(|_| Fault::NoRandomness)?;
        // The info names tenant, person and epoch; message and class are in each key's export.
        let (message, class) = (MessageId::default(), Class::Body);
        let info = WrapContext { tenant, user, message, class }.info(public.epoch());
        let (enc, agreed) = encapsulate(&ephemeral, public, &info)?;
        Ok(Self { public: public.clone(), tenant, user, enc, agreed })
    }

    /// Whether it wraps to this very pair.
    pub fn is_for(&self, public: &PublicKey) -> bool {
        self.public == *public
    }

    pub fn wrap(&self, key: &MessageKey, context: &WrapContext) -> Result<Wrapped, Fault> {
        if (context.tenant, context.user) != (self.tenant, self.user) {
            return Err(Fault::Refused);
        }
        let own = self.agreed.export(&context.exporter());
        let plain = key.secret().dangerous_expose().as_slice();
        let mut nonce = [0; 12];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Fault::NoRandomness)?;
        let sealed = seal_under(&own, nonce, &context.associated(), plain)?;
        let sealed = sealed.try_into().map_err(|_| Fault::Shape { shape: "wrapped key" })?;
        let (suite, epoch) = (self.public.suite(), self.public.epoch());
        Ok(Wrapped {
            share: Share { company: Some(nonce), suite, epoch, enc: self.enc.clone(), sealed },
        })
    }
}

/// RFC 9180 §6.1: single-shot `SealBase`.
fn seal_one(
    ephemeral: &PrivateKey,
    public: &PublicKey,
    info: &[u8],
    associated: &[u8],
    plain: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let (enc, context) = encapsulate(ephemeral, public, info)?;
    let sealed = seal_under(&context.key, context.nonce, associated, plain)?;
    Ok((enc, sealed))
}

fn encapsulate(
    ephemeral: &PrivateKey,
    public: &PublicKey,
    info: &[u8],
) -> Result<(Vec<u8>, Schedule), Fault> {
    let suite = public.suite();
    let enc = ephemeral.compute_public_key().map_err(|_| Fault::NoRandomness)?;
    let enc = enc.as_ref().to_vec();
    let peer = UnparsedPublicKey::new(algorithm(suite), public.point());
    // RFC 9180 §7.1.4: the point is validated, and an all-zero X25519 value is refused.
    let dh = agreement::agree(ephemeral, peer, Fault::PublicKey, |shared| {
        let zero = shared.iter().fold(0, |all, byte| all | byte) == 0;
        Secret::from_slice(shared).filter(|_| !zero).ok_or(Fault::PublicKey)
    })?;
    let context = schedule(suite, &dh, &enc, public.point(), info);
    Ok((enc, context))
}

fn seal_under(
    key: &Secret,
    nonce: [u8; 12],
    associated: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Fault> {
    let cipher = UnboundKey::new(&AES_256_GCM, key.dangerous_expose().as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| Fault::Refused)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    let mut sealed = plain.to_vec();
    cipher
        .seal_in_place_append_tag(nonce, Aad::from(associated), &mut sealed)
        .map_err(|_| Fault::Refused)?;
    Ok(sealed)
}

fn algorithm(suite: Suite) -> &'static agreement::Algorithm {
    match suite {
        Suite::P256 => &ECDH_P256,
        Suite::X25519 => &X25519,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    /// RFC 9180's published vectors (mode base, KDF 1, AEAD 2), message 0.
    #[test]
    fn the_rfc_s_messages_are_sealed_octet_for_octet() {
        fn check(suite: Suite, private: &str, enc: &str, recipient: &str, sealed: &str) {
            let info = hex("4f6465206f6e2061204772656369616e2055726e");
            let public = PublicKey::new(suite, 0, &hex(recipient)).unwrap();
            let ephemeral = PrivateKey::from_private_key(algorithm(suite), &hex(private)).unwrap();
            let plain = b"Beauty is truth, truth beauty";
            let found = seal_one(&ephemeral, &public, &info, b"Count-0", plain).unwrap();
            assert_eq!(found, (hex(enc), hex(sealed)));
        }
        check(
            Suite::X25519,
            "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
            "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
            "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
            concat!(
                "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be99319",
                "80a41de125a925cdad859d5b7a"
            ),
        );
        check(
            Suite::P256,
            "90345e3a1d116c1dd39ae76d95ab858c142223a63e44f8f85318cfa91a84858e",
            concat!(
                "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e",
                "0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0"
            ),
            concat!(
                "04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f",
                "853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c"
            ),
            concat!(
                "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d2917424",
                "65e902cd216f8908da49f8f96f"
            ),
        );
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut point = vec![7u8; 65];
        point[0] = 4;
        for (suite, point) in [(Suite::P256, point), (Suite::X25519, vec![0; 32])] {
            let public = PublicKey::new(suite, 0, &point).unwrap();
            let ephemeral = PrivateKey::generate(algorithm(suite)).unwrap();
            assert!(seal_one(&ephemeral, &public, b"", b"", b"x").is_err());
        }
    }
}
