//! Sealed copies as frames to the mailbox.

use crate::Fault;
use crate::group::{Content, Group, hold};
use std::io::Write;
use std::os::fd::OwnedFd;
use wire::mailbox::{Copy, FromEdge, Journey};
use wire::{INLINE_BYTES, Parcel};

/// Copies in one frame; more follow in further frames of the same arrival.
const COPIES: usize = 40;

/// The frames in which a sealed message goes to the mailbox; all but the last say "more".
pub fn frames(
    groups: Vec<Group>,
    journeys: Vec<Journey>,
) -> Result<Vec<(FromEdge, Vec<OwnedFd>)>, Fault> {
    let total: usize = groups.iter().map(|group| group.copies.len()).sum();
    let inline_limit = INLINE_BYTES / total.clamp(1, COPIES);
    let mut frames: Vec<(Vec<Copy>, Vec<OwnedFd>)> = Vec::new();
    for group in groups {
        let summary = held_if_larger(group.summary, inline_limit / 2)?;
        let body = held_if_larger(group.body, inline_limit)?;
        let mut copies = group.copies.into_iter().peekable();
        while copies.peek().is_some() {
            if frames.last().is_none_or(|(copies, _)| copies.len() >= COPIES) {
                frames.push(Default::default());
            }
            let Some((in_frame, held)) = frames.last_mut() else { continue };
            let (mut summary, mut body) = (parcel(&summary, held)?, parcel(&body, held)?);
            let mut left = (COPIES - in_frame.len()).min(copies.len());
            while let Some(mut copy) = copies.next_if(|_| left > 0) {
                left -= 1;
                // The last one takes what the others got copies of: nearly always it is alone.
                let take = |of: &mut Parcel| match left {
                    0 => std::mem::replace(of, Parcel::Inline(Vec::new())),
                    _ => of.clone(),
                };
                copy.summary.content = take(&mut summary);
                copy.body.content = take(&mut body);
                in_frame.push(copy);
            }
        }
    }
    let last = frames.len().saturating_sub(1);
    let mut journeys = Some(journeys);
    let keep = |(number, (copies, held)): (usize, (Vec<Copy>, Vec<OwnedFd>))| {
        let more = number != last;
        let journeys = journeys.take_if(|_| !more).unwrap_or_default();
        (FromEdge::Keep { copies, journeys, more }, held)
    };
    Ok(frames.into_iter().enumerate().map(keep).collect())
}

/// For many people a content is passed once, beside the frame, instead of once for each.
pub(crate) fn held_if_larger(content: Content, limit: usize) -> Result<Content, Fault> {
    match content {
        Content::Memory(octets) if octets.len() > limit => {
            let mut file = Parcel::create().map_err(Fault::Hold)?;
            file.write_all(&octets).map_err(Fault::Memory)?;
            hold(file, octets.len() as u64)
        }
        content => Ok(content),
    }
}

/// The content as a parcel of the frame whose descriptors are `held`.
pub(crate) fn parcel(content: &Content, held: &mut Vec<OwnedFd>) -> Result<Parcel, Fault> {
    match content {
        Content::Memory(octets) => Ok(Parcel::Inline(octets.clone())),
        Content::File { file, octets } => {
            let place = u8::try_from(held.len()).map_err(|_| Fault::Full)?;
            held.push(file.try_clone().map_err(Fault::Memory)?.into());
            Ok(Parcel::Held { bytes: *octets, place })
        }
    }
}
