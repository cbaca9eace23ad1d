//! Sealing to the tenant's transit key: the text once, an envelope for each leg.

use crate::Fault;
use crate::draft::Draft;
use flight::Text;
use seal::{Class, MessageKey, Sealer, WrapContext, Wrapper};
use std::os::fd::OwnedFd;
use terms::MessageId;
use wire::directory::Sending;
use wire::mailbox::SealedPart;
use wire::post::{Envelope, Leg, Route};
use wire::{INLINE_BYTES, Parcel};

/// A sealed text up to this goes inside its frame; beside it stand the envelopes.
const INLINE_TEXT_BYTES: usize = INLINE_BYTES / 2;

/// What the queue may see of a message.
pub(crate) struct Sealed {
    pub body: SealedPart,
    pub legs: Vec<Leg>,
    pub held: Vec<OwnedFd>,
}

/// For whom, and under which id.
pub(crate) struct Under<'a> {
    pub sending: &'a Sending,
    pub message: MessageId,
    /// What this person hands in is wrapped in company.
    pub wrapper: &'a Wrapper,
}

pub(crate) fn seal(
    under: &Under<'_>,
    (text, draft): (&Text, &Draft),
    legs: &[(Envelope, Route)],
) -> Result<Sealed, Fault> {
    let mut held = Vec::new();
    let body = seal_text(under, text, draft, &mut held)?;
    let mut sealed = Vec::with_capacity(legs.len());
    for (number, (envelope, route)) in legs.iter().enumerate() {
        let plain = postcard::to_stdvec(envelope).map_err(|_| Fault::Envelope)?;
        let (content, key) =
            seal::seal_content(&under.place(Class::Summary), &plain).map_err(Fault::Seal)?;
        sealed.push(Leg {
            number: u16::try_from(number).map_err(|_| Fault::Envelope)?,
            route: *route,
            recipients: u16::try_from(envelope.recipients.len()).map_err(|_| Fault::Envelope)?,
            envelope: under.part(Class::Summary, &key, Parcel::Inline(content))?,
        });
    }
    Ok(Sealed { body, legs: sealed, held })
}

/// A small text is sealed in memory, a large one from memfd to memfd, a chunk at a time.
fn seal_text(
    under: &Under<'_>,
    text: &Text,
    draft: &Draft,
    held: &mut Vec<OwnedFd>,
) -> Result<SealedPart, Fault> {
    let octets = seal::sealed_length(draft.len(text.len()));
    let place = under.place(Class::Body);
    if octets <= INLINE_TEXT_BYTES as u64 {
        let mut sealer = Sealer::new(Vec::new(), &place).map_err(Fault::Seal)?;
        push(text, draft, &mut |piece| sealer.push(piece).map_err(Fault::Seal))?;
        let (key, sealed) = sealer.finish().map_err(Fault::Seal)?;
        return under.part(Class::Body, &key, Parcel::Inline(sealed));
    }
    let file = Parcel::create().map_err(Fault::Hold)?;
    let mut sealer = Sealer::new(file, &place).map_err(Fault::Seal)?;
    push(text, draft, &mut |piece| sealer.push(piece).map_err(Fault::Seal))?;
    let (key, file) = sealer.finish().map_err(Fault::Seal)?;
    let parcel = Parcel::held(file, octets, held).map_err(Fault::Hold)?;
    under.part(Class::Body, &key, parcel)
}

fn push(
    text: &Text,
    draft: &Draft,
    take: &mut impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    take(&draft.top)?;
    text.look(|octets| draft.each_piece(octets, (0, octets.len()), take))?
}

impl Under<'_> {
    fn place(&self, class: Class) -> seal::Place {
        seal::Place { tenant: self.sending.tenant, message: self.message, class }
    }

    fn part(&self, class: Class, key: &MessageKey, content: Parcel) -> Result<SealedPart, Fault> {
        let (tenant, user, message) = (self.sending.tenant, self.sending.user, self.message);
        let context = WrapContext { tenant, user, message, class };
        let wrapped = self.wrapper.wrap(key, &context).map_err(Fault::Seal)?.encode();
        Ok(SealedPart { epoch: self.sending.transit.epoch, wrapped, content })
    }
}
