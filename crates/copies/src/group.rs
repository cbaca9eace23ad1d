//! Sealing: contents once, keys for each person.

use crate::Fault;
use compartment::{Lender, Loan};
use seal::{Class, MessageKey, Sealer, WrapContext};
use std::fs::File;
use terms::{MessageId, TenantId, Verdict};
use wire::directory::{PublicKey, Recipient};
use wire::mailbox::{Copy, Place, SealedPart};
use wire::{INLINE_BYTES, Parcel};

/// What all people of a group get.
pub struct Message<'a> {
    pub tenant: TenantId,
    pub message: MessageId,
    pub received_ms: u64,
    /// The fields that stand on top of it.
    pub added: &'a [u8],
    /// Its overview (postcard of `mime::Summary`).
    pub summary: &'a [u8],
    /// Octets of the message without the added fields.
    pub bytes: u64,
}

/// One of them. The keys are from a statement that the vault signed.
pub struct Person<'a> {
    pub keys: &'a Recipient,
    pub place: Place,
    pub verdict: Verdict,
}

/// The same octets for several people.
pub struct Group {
    pub(crate) summary: Content,
    pub(crate) body: Content,
    /// Complete but for their contents.
    pub(crate) copies: Vec<Copy>,
    lent: Option<Loan>,
}

/// Sealed octets.
pub(crate) enum Content {
    Memory(Vec<u8>),
    /// A memfd: closed against change, or lent.
    File {
        file: File,
        octets: u64,
    },
}

/// Seals a message for `people`, all of the message's tenant. `each_piece` gives its octets, in
/// order, to the function it is given. A large body stands in what `lender` lends, if it does; it
/// is taken back ([`Group::lent`]) when the mailbox has answered.
pub fn seal<E: From<Fault>>(
    message: &Message<'_>,
    people: &[Person<'_>],
    lender: Option<&mut Lender>,
    each_piece: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), E>,
) -> Result<Group, E> {
    let place = |class| seal::Place { tenant: message.tenant, message: message.message, class };
    let added = message.added;
    let mut plain = u32::try_from(added.len()).unwrap_or(0).to_le_bytes().to_vec();
    plain.extend_from_slice(added);
    plain.extend_from_slice(message.summary);
    let (summary, summary_key) =
        seal::seal_content(&place(Class::Summary), &plain).map_err(Fault::Seal)?;
    let size = added.len() as u64 + message.bytes;
    let ((body, body_key), lent) =
        seal_lent(&place(Class::Body), (added, size), lender, each_piece)?;
    let mut copies = Vec::with_capacity(people.len());
    for person in people {
        copies.push(wrap_for(message, person, size, (&summary_key, &body_key))?);
    }
    Ok(Group { summary: Content::Memory(summary), body, copies, lent })
}

impl Group {
    /// What was lent for it.
    pub fn lent(&mut self) -> Option<Loan> {
        self.lent.take()
    }
}

/// A body as [`seal_body`] seals it, or in what is lent for it.
fn seal_lent<E: From<Fault>>(
    place: &seal::Place,
    (added, size): (&[u8], u64),
    lender: Option<&mut Lender>,
    each_piece: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), E>,
) -> Result<((Content, MessageKey), Option<Loan>), E> {
    let octets = seal::sealed_length(size);
    let lender = lender.filter(|_| octets > INLINE_BYTES as u64);
    let loan = match lender.filter(|_| octets > INLINE_BYTES as u64) {
        Some(lender) => lender.lend(octets).map_err(Fault::Memory)?,
        None => None,
    };
    let Some(loan) = loan else {
        return Ok((seal_body(place, (added, size), each_piece)?, None));
    };
    let mut sealer = Sealer::new(loan, place).map_err(Fault::Seal)?;
    sealer.push(added).map_err(Fault::Seal)?;
    each_piece(&mut |piece| sealer.push(piece).map_err(Fault::Seal))?;
    let (key, loan) = sealer.finish().map_err(Fault::Seal)?;
    let file = loan.file().try_clone().map_err(Fault::Memory)?;
    Ok(((Content::File { file, octets }, key), Some(loan)))
}

/// A small body is sealed in memory, a large one from memfd to memfd, a chunk at a time.
pub(crate) fn seal_body<E: From<Fault>>(
    place: &seal::Place,
    (added, size): (&[u8], u64),
    each_piece: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), E>,
) -> Result<(Content, MessageKey), E> {
    let octets = seal::sealed_length(size);
    if octets <= INLINE_BYTES as u64 {
        let room = Vec::with_capacity(usize::try_from(octets).unwrap_or(0));
        let mut sealer = Sealer::new(room, place).map_err(Fault::Seal)?;
        sealer.push(added).map_err(Fault::Seal)?;
        each_piece(&mut |piece| sealer.push(piece).map_err(Fault::Seal))?;
        let (key, sealed) = sealer.finish().map_err(Fault::Seal)?;
        return Ok((Content::Memory(sealed), key));
    }
    let file = Parcel::create().map_err(Fault::Hold)?;
    let mut sealer = Sealer::new(file, place).map_err(Fault::Seal)?;
    sealer.push(added).map_err(Fault::Seal)?;
    each_piece(&mut |piece| sealer.push(piece).map_err(Fault::Seal))?;
    let (key, file) = sealer.finish().map_err(Fault::Seal)?;
    Ok((hold(file, octets)?, key))
}

/// Closes a memfd against change.
pub(crate) fn hold(file: File, octets: u64) -> Result<Content, Fault> {
    let mut held = Vec::new();
    Parcel::held(file, octets, &mut held).map_err(Fault::Hold)?;
    let file = held.pop().ok_or(Fault::Full)?;
    Ok(Content::File { file: file.into(), octets })
}

fn wrap_for(
    of: &Message<'_>,
    person: &Person<'_>,
    size: u64,
    (summary_key, body_key): (&MessageKey, &MessageKey),
) -> Result<Copy, Fault> {
    let (tenant, user, message) = (of.tenant, person.keys.user, of.message);
    let wrap = |class, public: &PublicKey, key| {
        let context = WrapContext { tenant, user, message, class };
        let public = seal::public_key(public).map_err(Fault::Seal)?;
        let wrapped = seal::wrap(&public, key, &context).map_err(Fault::Seal)?.encode();
        let content = Parcel::Inline(Vec::new());
        Ok::<_, Fault>(SealedPart { epoch: public.epoch(), wrapped, content })
    };
    Ok(Copy {
        tenant,
        user,
        message,
        place: person.place,
        size,
        received_ms: of.received_ms,
        verdict: person.verdict,
        summary: wrap(Class::Summary, &person.keys.summary, summary_key)?,
        body: wrap(Class::Body, &person.keys.body, body_key)?,
    })
}
