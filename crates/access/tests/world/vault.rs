//! A vault with one person's keys in memory.

use super::{TENANT, USER};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use sealed::{Class, GrantContext, PublicKey, Released, Suite, WrapContext, Wrapped, schedule};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use terms::{GrantId, MessageId, Verdict};
use wire::mailbox::{Copy, Place, SealedPart};
use wire::vault::{FromAccess, Refusal, ToAccess};
use wire::{Channel, Parcel};

pub struct Vault {
    private: PrivateKey,
    public: PublicKey,
    away: Arc<AtomicBool>,
    messages: AtomicU32,
    /// Keys released.
    pub released: AtomicU32,
    /// Of these, keys of bodies.
    pub bodies: AtomicU32,
    /// The next release finds its grant run out.
    pub expires: AtomicBool,
}

impl Vault {
    pub fn new(away: Arc<AtomicBool>) -> Self {
        let private = PrivateKey::generate(&ECDH_P256).unwrap();
        let point = private.compute_public_key().unwrap();
        let public = PublicKey::new(Suite::P256, 24_323, point.as_ref()).unwrap();
        let (messages, released) = (AtomicU32::new(0), AtomicU32::new(0));
        let (bodies, expires) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { private, public, away, messages, released, bodies, expires }
    }

    /// What the edge makes of an arrival.
    pub fn seal(&self, added: &str, octets: &[u8]) -> Copy {
        let number = self.messages.fetch_add(1, Ordering::SeqCst);
        let mut message = [1u8; 16];
        message[..4].copy_from_slice(&number.to_le_bytes());
        let message = MessageId(message);
        let mut summary = (added.len() as u32).to_le_bytes().to_vec();
        summary.extend_from_slice(added.as_bytes());
        // The edge knows no overview of a message that no scanner survived.
        let survived = !octets.ends_with(b"deadly\r\n");
        let written = survived.then(|| postcard::to_stdvec(&mime::summarise(octets)).unwrap());
        summary.extend(written.unwrap_or_default());
        let body = [added.as_bytes(), octets].concat();
        Copy {
            tenant: TENANT,
            user: USER,
            message,
            place: Place::Inbox,
            size: body.len() as u64,
            received_ms: 1_790_000_000_000 + u64::from(number) * 1_000,
            verdict: Verdict::Deliver,
            summary: self.part(message, Class::Summary, &summary),
            body: self.part(message, Class::Body, &body),
        }
    }

    fn part(&self, message: MessageId, class: Class, plain: &[u8]) -> SealedPart {
        let place = sealed::Place { tenant: TENANT, message, class };
        let (content, key) = seal::seal_content(&place, plain).unwrap();
        let context = WrapContext { tenant: TENANT, user: USER, message, class };
        let wrapped = seal::wrap(&self.public, &key, &context).unwrap().encode();
        SealedPart { epoch: self.public.epoch(), wrapped, content: Parcel::Inline(content) }
    }

    pub fn attend(&self, channel: &Channel, session: &[u8]) {
        let session = PublicKey::parse(session).unwrap();
        let mut agreed: Option<(GrantId, LessSafeKey)> = None;
        let mut number = 0;
        while let Ok(frame) = channel.receive(None) {
            let answer = match frame.read().unwrap() {
                FromAccess::Current => {
                    let key = wire::directory::PublicKey {
                        suite: self.public.suite().byte(),
                        epoch: self.public.epoch(),
                        bytes: self.public.point().to_vec(),
                    };
                    ToAccess::Keys { body: key.clone(), summary: key }
                }
                FromAccess::Open(grant) => {
                    let (enc, key) = open_grant(grant, &session);
                    agreed = Some((grant, key));
                    ToAccess::Opened { enc }
                }
                _ if self.away.load(Ordering::SeqCst) => ToAccess::EvidenceAway,
                _ if self.expires.swap(false, Ordering::SeqCst) => {
                    ToAccess::Refused(Refusal::Expired)
                }
                FromAccess::Release { grant, class, items } => match &agreed {
                    Some((known, key)) if *known == grant => {
                        self.released.fetch_add(items.len() as u32, Ordering::SeqCst);
                        let class = Class::from_byte(class as u8 + 1).unwrap();
                        if matches!(class, Class::Body) {
                            self.bodies.fetch_add(items.len() as u32, Ordering::SeqCst);
                        }
                        let wrap = |item: &wire::vault::Item| {
                            number += 1;
                            self.rewrap(&item.wrapped, item.message, class, number, key)
                        };
                        ToAccess::Released(items.iter().map(wrap).collect())
                    }
                    _ => ToAccess::Refused(Refusal::NoGrant),
                },
            };
            if channel.send(frame.call, &answer, &[]).is_err() {
                return;
            }
        }
    }

    fn rewrap(
        &self,
        wrapped: &[u8],
        message: MessageId,
        class: Class,
        number: u64,
        key: &LessSafeKey,
    ) -> Option<Vec<u8>> {
        let share = Wrapped::parse(wrapped).ok()?.share;
        let context = WrapContext { tenant: TENANT, user: USER, message, class };
        let dh = secret(&self.private, &share.enc);
        let info = context.info(share.epoch);
        let hpke = schedule(share.suite, &dh, &share.enc, self.public.point(), &info);
        let cipher = cipher(hpke.key.dangerous_expose());
        let nonce = Nonce::assume_unique_for_key(hpke.nonce);
        let mut plain = share.sealed;
        cipher.open_in_place(nonce, Aad::from(context.associated()), &mut plain).ok()?;
        let mut sealed = plain[..32].to_vec();
        let nonce = Nonce::assume_unique_for_key(Released::nonce(number));
        let associated = Aad::from(Released::associated(&context));
        key.seal_in_place_append_tag(nonce, associated, &mut sealed).ok()?;
        Some(Released { number, sealed: sealed.try_into().ok()? }.encode())
    }
}

fn open_grant(grant: GrantId, session: &PublicKey) -> (Vec<u8>, LessSafeKey) {
    let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap();
    let enc = ephemeral.compute_public_key().unwrap().as_ref().to_vec();
    let dh = secret(&ephemeral, session.point());
    let context = GrantContext { grant, tenant: TENANT, user: USER };
    let agreed = schedule(Suite::P256, &dh, &enc, session.point(), &context.info());
    (enc, cipher(agreed.export(context.exporter()).dangerous_expose()))
}

fn secret(private: &PrivateKey, peer: &[u8]) -> sealed::Secret {
    let peer = UnparsedPublicKey::new(&ECDH_P256, peer);
    agree(private, peer, (), |shared| sealed::Secret::from_slice(shared).ok_or(())).unwrap()
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap())
}
