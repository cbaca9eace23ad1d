//! Mail that leaves: the text once, and an envelope for each leg, under the tenant's transit key.

use crate::Fault;
use crate::frames::{held_if_larger, parcel};
use crate::group::{Content, seal_body};
use seal::{Class, MessageKey, WrapContext};
use std::os::fd::OwnedFd;
use terms::{MessageId, TenantId, UserId};
use wire::INLINE_BYTES;
use wire::directory::PublicKey;
use wire::mailbox::SealedPart;
use wire::post::{Envelope, Leg, Outgoing, Route};

/// RFC 5321 §4.5.4.1: four or five days, then it goes back.
const LIFE_MS: u64 = 5 * 24 * 60 * 60 * 1000;

/// A message as the queue will see it, but for what is sealed.
#[derive(Clone, Copy)]
pub struct Leaving<'a> {
    pub tenant: TenantId,
    /// In whose name.
    pub user: UserId,
    pub message: MessageId,
    /// From a statement that the vault signed.
    pub transit: &'a PublicKey,
    pub at_ms: u64,
    /// The fields that stand on top of it.
    pub added: &'a [u8],
    /// Octets of the message without the added fields.
    pub bytes: u64,
}

/// Seals a message for the queue; the descriptors go beside it. `each_piece` gives its octets, in
/// order, to the function it is given.
pub fn leave<E: From<Fault>>(
    of: &Leaving<'_>,
    legs: &[(Envelope, Route)],
    each_piece: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), E>,
) -> Result<(Outgoing, Vec<OwnedFd>), E> {
    let (tenant, message) = (of.tenant, of.message);
    let place = |class| seal::Place { tenant, message, class };
    let size = of.added.len() as u64 + of.bytes;
    let mut held = Vec::new();
    let (body, key) = seal_body(&place(Class::Body), (of.added, size), each_piece)?;
    // The envelopes want their room in the frame too.
    let body = held_if_larger(body, INLINE_BYTES / 2)?;
    let body = part(of, Class::Body, &key, (&body, &mut held))?;
    let mut sealed = Vec::with_capacity(legs.len());
    for (number, (envelope, route)) in legs.iter().enumerate() {
        let plain = postcard::to_stdvec(envelope).map_err(|_| Fault::Full)?;
        let (content, key) =
            seal::seal_content(&place(Class::Summary), &plain).map_err(Fault::Seal)?;
        let content = Content::Memory(content);
        sealed.push(Leg {
            number: u16::try_from(number).map_err(|_| Fault::Full)?,
            route: *route,
            recipients: u16::try_from(envelope.recipients.len()).map_err(|_| Fault::Full)?,
            envelope: part(of, Class::Summary, &key, (&content, &mut held))?,
        });
    }
    let outgoing = Outgoing {
        tenant,
        user: of.user,
        message,
        size,
        at_ms: of.at_ms,
        expires_ms: of.at_ms.saturating_add(LIFE_MS),
        hold: None,
        body,
        legs: sealed,
    };
    Ok((outgoing, held))
}

fn part(
    of: &Leaving<'_>,
    class: Class,
    key: &MessageKey,
    (content, held): (&Content, &mut Vec<OwnedFd>),
) -> Result<SealedPart, Fault> {
    let context = WrapContext { tenant: of.tenant, user: of.user, message: of.message, class };
    let public = seal::public_key(of.transit).map_err(Fault::Seal)?;
    let wrapped = seal::wrap(&public, key, &context).map_err(Fault::Seal)?.encode();
    Ok(SealedPart { epoch: public.epoch(), wrapped, content: parcel(content, held)? })
}
