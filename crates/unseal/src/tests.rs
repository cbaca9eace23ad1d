//! What `seal` wrapped opens here, for its own context only; RFC 9180's vectors; the whole way.

use super::*;
use crate::pair::open_vector;
use terms::{GrantId, MessageId, TenantId, UserId};

const SUITES: [Suite; 2] = [Suite::P256, Suite::X25519];

fn context() -> WrapContext {
    WrapContext {
        tenant: TenantId([1; 8]),
        user: UserId([2; 8]),
        message: MessageId([3; 16]),
        class: Class::Body,
    }
}

fn root() -> RootKey {
    RootKey::from_credential(&[5; 32]).unwrap()
}

fn user() -> UserKey {
    let (tenant, _) = root().make_tenant(TenantId([1; 8]), 1).unwrap();
    tenant.make_user(UserId([2; 8])).unwrap().0
}

fn place() -> seal::Place {
    seal::Place { tenant: TenantId([1; 8]), message: MessageId([3; 16]), class: Class::Body }
}

/// Wraps a fresh key to a fresh pair; the sealed content shows whether the key came back.
struct Sealed {
    pair: Pair,
    wrapped: Wrapped,
    content: Vec<u8>,
}

fn sealed(suite: Suite) -> Sealed {
    let user = user();
    let (public, stored) = user.make_pair(Class::Body, suite, 2026).unwrap();
    let (content, key) = seal::seal_content(&place(), b"hello").unwrap();
    let wrapped = seal::wrap(&public, &key, &context()).unwrap();
    Sealed { pair: user.open_pair(Class::Body, &public, &stored).unwrap(), wrapped, content }
}

#[test]
fn the_whole_way_from_sealing_to_a_session() {
    for suite in SUITES {
        for session_suite in SUITES {
            let sealed = sealed(suite);
            let (session_public, session) = open::Session::new(session_suite).unwrap();
            let grant = GrantContext {
                grant: GrantId([9; 16]),
                tenant: TenantId([1; 8]),
                user: UserId([2; 8]),
            };
            let (enc, agreed) = agree(&session_public, &grant).unwrap();
            let wrapped = Wrapped::parse(&sealed.wrapped.encode()).unwrap();
            let key = sealed.pair.open(&wrapped, &context()).unwrap();
            let released = agreed.release(&context(), &key).unwrap();
            let accepted = session.accept(&grant, &enc).unwrap();
            let key = accepted.unwrap(&released, &context()).unwrap();
            let plain = open::open_content(&key, &place(), &sealed.content).unwrap();
            assert_eq!(plain, b"hello");
            // Two releases of one key differ, and both open.
            let again = agreed.release(&context(), &key).unwrap();
            assert_ne!(again, released);
            assert!(accepted.unwrap(&again, &context()).is_ok());
            refused_elsewhere(&session, &grant, &enc, &released);
        }
    }
}

fn refused_elsewhere(session: &open::Session, grant: &GrantContext, enc: &[u8], released: &[u8]) {
    let accepted = session.accept(grant, enc).unwrap();
    let other_message = WrapContext { message: MessageId([8; 16]), ..context() };
    let other_user = WrapContext { user: UserId([8; 8]), ..context() };
    let other_class = WrapContext { class: Class::Summary, ..context() };
    for wrong in [other_message, other_user, other_class] {
        assert!(accepted.unwrap(released, &wrong).is_err());
    }
    for at in 0..released.len() {
        let mut touched = released.to_vec();
        touched[at] ^= 1;
        assert!(accepted.unwrap(&touched, &context()).is_err(), "octet {at}");
        assert!(accepted.unwrap(&released[..at], &context()).is_err());
    }
    let elsewhere = GrantContext { grant: GrantId([7; 16]), ..*grant };
    let wrong = session.accept(&elsewhere, enc).unwrap();
    assert!(wrong.unwrap(released, &context()).is_err());
    let (_, other) = open::Session::new(SUITES[0]).unwrap();
    let opened = other.accept(grant, enc).and_then(|grant| grant.unwrap(released, &context()));
    assert!(opened.is_err());
}

#[test]
fn another_context_is_refused() {
    for suite in SUITES {
        let sealed = sealed(suite);
        let wrong = [
            WrapContext { tenant: TenantId([9; 8]), ..context() },
            WrapContext { user: UserId([9; 8]), ..context() },
            WrapContext { message: MessageId([9; 16]), ..context() },
            WrapContext { class: Class::Summary, ..context() },
        ];
        for wrong in wrong {
            assert!(sealed.pair.open(&sealed.wrapped, &wrong).is_err());
        }
        assert!(sealed.pair.open(&sealed.wrapped, &context()).is_ok());
    }
}

#[test]
fn a_touched_wrapped_key_is_refused() {
    for suite in SUITES {
        let sealed = sealed(suite);
        let bytes = sealed.wrapped.encode();
        for at in 0..bytes.len() {
            let mut touched = bytes.clone();
            touched[at] ^= 1;
            let opened =
                Wrapped::parse(&touched).and_then(|wrapped| sealed.pair.open(&wrapped, &context()));
            assert!(opened.is_err(), "{suite:?} octet {at}");
        }
    }
}

#[test]
fn stored_keys_open_under_their_own_name_only() {
    let (tenant, user_id) = (TenantId([1; 8]), UserId([2; 8]));
    let root = root();
    let (tenant_key, stored) = root.make_tenant(tenant, 1).unwrap();
    assert_eq!(stored.len(), STORED_KEY_BYTES);
    assert!(root.open_tenant(tenant, 1, &stored).is_ok());
    assert!(root.open_tenant(tenant, 2, &stored).is_err());
    assert!(root.open_tenant(TenantId([2; 8]), 1, &stored).is_err());
    let other_root = RootKey::from_credential(&[6; 32]).unwrap();
    assert!(other_root.open_tenant(tenant, 1, &stored).is_err());
    assert!(RootKey::from_credential(&[6; 31]).is_err());
    let (user, stored) = tenant_key.make_user(user_id).unwrap();
    assert!(tenant_key.open_user(user_id, &stored).is_ok());
    assert!(tenant_key.open_user(UserId([3; 8]), &stored).is_err());
    let (public, stored) = user.make_pair(Class::Body, Suite::P256, 1).unwrap();
    let (other, _) = user.make_pair(Class::Body, Suite::P256, 1).unwrap();
    assert!(user.open_pair(Class::Body, &public, &stored).is_ok());
    assert!(user.open_pair(Class::Summary, &public, &stored).is_err());
    assert!(user.open_pair(Class::Body, &other, &stored).is_err());
    for at in 0..stored.len() {
        let mut touched = stored.clone();
        touched[at] ^= 1;
        assert!(user.open_pair(Class::Body, &public, &touched).is_err(), "octet {at}");
        assert!(user.open_pair(Class::Body, &public, &stored[..at]).is_err());
    }
}

#[test]
fn a_transit_pair_opens_under_its_tenant_s_key_alone() {
    let (tenant, root) = (TenantId([1; 8]), root());
    let (key, _) = root.make_tenant(tenant, 1).unwrap();
    let (next, _) = root.make_tenant(tenant, 2).unwrap();
    let (other, _) = root.make_tenant(TenantId([2; 8]), 1).unwrap();
    let (public, stored) = key.make_transit(Suite::P256, 20_786).unwrap();
    let (second, _) = key.make_transit(Suite::P256, 20_786).unwrap();
    assert!(key.open_transit(&public, &stored).is_ok());
    assert!(key.open_transit(&second, &stored).is_err());
    assert!(next.open_transit(&public, &stored).is_err());
    assert!(other.open_transit(&public, &stored).is_err());
    let rewrapped = key.rewrap_transit(&next, &public, &stored).unwrap();
    assert!(next.open_transit(&public, &rewrapped).is_ok());
    assert!(key.open_transit(&public, &rewrapped).is_err());
    // It is no person's pair.
    let (user, _) = key.make_user(UserId([0; 8])).unwrap();
    assert!(user.open_pair(Class::Body, &public, &stored).is_err());
}

#[test]
fn a_transit_grant_serves_every_sender_of_its_tenant() {
    let (tenant, grant) =
        (TenantId([1; 8]), GrantContext::transit(GrantId([9; 16]), TenantId([1; 8])));
    let (key, _) = root().make_tenant(tenant, 1).unwrap();
    let (public, stored) = key.make_transit(Suite::P256, 20_786).unwrap();
    let pair = key.open_transit(&public, &stored).unwrap();
    let (session_public, session) = open::Session::new(Suite::P256).unwrap();
    let (enc, agreed) = agree(&session_public, &grant).unwrap();
    let accepted = session.accept(&grant, &enc).unwrap();
    for user in [2, 3] {
        let context = WrapContext { user: UserId([user; 8]), ..context() };
        let (content, key) = seal::seal_content(&place(), b"hello").unwrap();
        let wrapped = seal::wrap(&public, &key, &context).unwrap();
        let released = agreed.release(&context, &pair.open(&wrapped, &context).unwrap()).unwrap();
        let key = accepted.unwrap(&released, &context).unwrap();
        assert_eq!(open::open_content(&key, &place(), &content).unwrap(), b"hello");
        let swapped = WrapContext { user: UserId([5; 8]), ..context };
        assert!(accepted.unwrap(&released, &swapped).is_err());
    }
    let (_, key) = seal::seal_content(&place(), b"hello").unwrap();
    let elsewhere = WrapContext { tenant: TenantId([7; 8]), ..context() };
    assert!(agreed.release(&elsewhere, &key).is_err());
    // A person's grant still serves that person alone.
    let own = GrantContext { user: UserId([2; 8]), ..grant };
    let (_, agreed) = agree(&session_public, &own).unwrap();
    assert!(agreed.release(&WrapContext { user: UserId([3; 8]), ..context() }, &key).is_err());
}

#[test]
fn a_credential_opens_under_its_tenant_s_key_and_name_alone() {
    let root = root();
    let (tenant, _) = root.make_tenant(TenantId([1; 8]), 1).unwrap();
    let (next, _) = root.make_tenant(TenantId([1; 8]), 2).unwrap();
    let (other, _) = root.make_tenant(TenantId([2; 8]), 1).unwrap();
    let (id, other_id) = ([4; 8], [5; 8]);
    let stored = tenant.seal_credential(&id, b"kaede secret").unwrap();
    assert!(!stored.windows(6).any(|window| window == b"secret"));
    assert_eq!(tenant.open_credential(&id, &stored).unwrap().as_slice(), b"kaede secret");
    assert!(tenant.open_credential(&other_id, &stored).is_err());
    assert!(next.open_credential(&id, &stored).is_err());
    assert!(other.open_credential(&id, &stored).is_err());
    let rewrapped = tenant.rewrap_credential(&next, &id, &stored).unwrap();
    assert_eq!(next.open_credential(&id, &rewrapped).unwrap().as_slice(), b"kaede secret");
    assert!(tenant.open_credential(&id, &rewrapped).is_err());
}

#[test]
fn what_is_lent_opens_in_that_session_for_that_purpose_alone() {
    let context = GrantContext::transit(GrantId([9; 16]), TenantId([1; 8]));
    let (public, session) = open::Session::new(Suite::X25519).unwrap();
    let (enc, agreed) = agree(&public, &context).unwrap();
    let grant = session.accept(&context, &enc).unwrap();
    let lent = agreed.lend("relay.example:587", b"kaede secret").unwrap();
    assert_eq!(grant.take_lent(&lent, "relay.example:587").unwrap().as_slice(), b"kaede secret");
    assert!(grant.take_lent(&lent, "relay.example:465").is_err());
    let (_, stranger) = open::Session::new(Suite::X25519).unwrap();
    let stranger = stranger.accept(&context, &enc).unwrap();
    assert!(stranger.take_lent(&lent, "relay.example:587").is_err());
    for at in 0..lent.len() {
        let mut touched = lent.clone();
        touched[at] ^= 1;
        assert!(grant.take_lent(&touched, "relay.example:587").is_err(), "{at}");
    }
    assert!(grant.take_lent(&[], "relay.example:587").is_err());
}

#[test]
fn derived_keys_are_stable_and_apart() {
    let derive = |purpose, context: &[u8]| {
        root().derive(purpose, context).unwrap().dangerous_expose().to_vec()
    };
    assert_eq!(derive("storage", b"signer"), derive("storage", b"signer"));
    assert_ne!(derive("storage", b"signer"), derive("storage", b"mailbox"));
    assert_ne!(derive("storages", b"igner"), derive("storage", b"signer"));
}

#[test]
fn the_vault_s_word_is_verified_by_sealers() {
    let key = StatementKey::new(&root()).unwrap();
    let signature = key.sign(b"domain\0", b"words");
    assert!(seal::verify_signature(&key.public(), b"domain\0words", &signature));
    assert!(!seal::verify_signature(&key.public(), b"domain\0word", &signature));
    let secrets = SecretsKey::new(&root()).unwrap();
    let verifier = secrets.verifier("app-password", &[1; 32]).unwrap();
    assert!(secrets.same("app-password", &[1; 32], &verifier));
    assert!(!secrets.same("app-password", &[2; 32], &verifier));
    assert!(!secrets.same("password", &[1; 32], &verifier));
    assert!(!secrets.same("app-password", &[1; 32], &verifier[..31]));
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// Two of RFC 9180's published vectors stand in `seal` and `sealed`; here is the whole file, when
/// the suites are on this machine: each vector of our two KEMs in mode base with KDF 1 and AEAD 2.
#[test]
fn the_published_vectors_open() {
    let folder = std::env::var("SEKISHO_SUITES").unwrap_or("../../../shared/suites".to_owned());
    let Ok(text) = std::fs::read_to_string(format!("{folder}/test-vectors-5f503c5.json")) else {
        println!("absent: test-vectors-5f503c5.json of RFC 9180 under SEKISHO_SUITES");
        return;
    };
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut opened = 0;
    for vector in &vectors {
        let number = |name: &str| vector[name].as_u64().unwrap();
        let bytes = |name: &str| hex(vector[name].as_str().unwrap());
        let suite = match number("kem_id") {
            0x10 => Suite::P256,
            0x20 => Suite::X25519,
            _ => continue,
        };
        if (number("mode"), number("kdf_id"), number("aead_id")) != (0, 1, 2) {
            continue;
        }
        let first = &vector["encryptions"][0];
        let field = |name: &str| hex(first[name].as_str().unwrap());
        let plain = open_vector(
            suite,
            &bytes("skRm"),
            &bytes("enc"),
            &bytes("info"),
            &field("aad"),
            &field("ct"),
        );
        assert_eq!(plain.unwrap(), field("pt"));
        opened += 1;
    }
    assert_eq!(opened, 2);
    println!("RFC 9180: {opened} vectors of our suites opened, of {} published", vectors.len());
}

#[test]
fn the_rfc_s_messages_open() {
    fn check(suite: Suite, private: &str, enc: &str, sealed: &str) {
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let found = open_vector(suite, &hex(private), &hex(enc), &info, b"Count-0", &hex(sealed));
        assert_eq!(found.unwrap(), b"Beauty is truth, truth beauty");
    }
    check(
        Suite::X25519,
        "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
        "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
        concat!(
            "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be99319",
            "80a41de125a925cdad859d5b7a"
        ),
    );
    check(
        Suite::P256,
        "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2",
        concat!(
            "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e",
            "0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0"
        ),
        concat!(
            "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d2917424",
            "65e902cd216f8908da49f8f96f"
        ),
    );
}

/// Another implementation opens what ours agreed: the `hpke` crate as the receiver of a grant.
#[test]
fn another_implementation_agrees() {
    use hpke::{Deserializable, Kem as _, OpModeR, Serializable, setup_receiver};
    type P256Kem = hpke::kem::DhP256HkdfSha256;
    let (private, public) = P256Kem::derive_keypair(&[7; 32]);
    let point = public.to_bytes();
    let session = PublicKey::new(Suite::P256, 0, &point).unwrap();
    let grant =
        GrantContext { grant: GrantId([9; 16]), tenant: TenantId([1; 8]), user: UserId([2; 8]) };
    let (enc, agreed) = agree(&session, &grant).unwrap();
    let enc = <P256Kem as hpke::Kem>::EncappedKey::from_bytes(&enc).unwrap();
    let receiver = setup_receiver::<hpke::aead::AesGcm256, hpke::kdf::HkdfSha256, P256Kem>(
        &OpModeR::Base,
        &private,
        &enc,
        &grant.info(),
    )
    .unwrap();
    let mut exported = [0u8; 32];
    receiver.export(grant.exporter(), &mut exported).unwrap();
    assert_eq!(agreed.exported(), &exported);
}

impl Agreed {
    fn exported(&self) -> &[u8; 32] {
        self.secret().dangerous_expose()
    }
}

#[test]
fn keys_in_company_open_where_they_were_wrapped_and_nowhere_else() {
    use seal::Wrapper;
    for suite in [Suite::P256, Suite::X25519] {
        let (public, secret) = Pair::make(suite, 9).unwrap();
        let pair = Pair::new(public.clone(), &secret).unwrap();
        let (tenant, user) = (TenantId([1; 8]), UserId([2; 8]));
        let wrapper = Wrapper::new(&public, tenant, user).unwrap();
        let context = |message: u8, class| WrapContext {
            tenant,
            user,
            message: MessageId([message; 16]),
            class,
        };
        for message in 0..3 {
            for class in [Class::Body, Class::Summary, Class::Summary] {
                let key = seal::fresh_key().unwrap();
                let place = context(message, class);
                let octets = wrapper.wrap(&key, &place).unwrap().encode();
                let wrapped = Wrapped::parse(&octets).unwrap();
                let opened = pair.open(&wrapped, &place).unwrap();
                let same = opened.secret().dangerous_expose() == key.secret().dangerous_expose();
                assert!(same);
                let elsewhere = context(message + 1, class);
                let others = WrapContext { user: UserId([3; 8]), ..place };
                assert!(pair.open(&wrapped, &elsewhere).is_err());
                assert!(pair.open(&wrapped, &others).is_err());
                assert!(wrapper.wrap(&key, &others).is_err());
            }
        }
        let (_, other) = Pair::make(suite, 9).unwrap();
        let other = Pair::new(public, &other).unwrap();
        let key = seal::fresh_key().unwrap();
        let place = context(1, Class::Body);
        assert!(other.open(&wrapper.wrap(&key, &place).unwrap(), &place).is_err());
    }
}
