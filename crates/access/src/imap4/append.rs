//! APPEND: a message of the person's own, sealed here and kept in their folder.

use super::{Imap, Next};
use crate::fault::{Fault, Trouble};
use crate::keeper;
use crate::person::{new_message, write_summary};
use compartment::now_ms;
use imap::{Append, Code};
use open::Class;
use std::io::Write;
use terms::Verdict;
use wire::Parcel;
use wire::mailbox::{Copy, FromAccess, Place, SealedPart, ToAccess};
use zeroize::{Zeroize, Zeroizing};

/// Ciphertext up to this size travels inside its frame.
const INLINE_BYTES: usize = 32 * 1024;

/// A message under way.
pub(super) struct Coming {
    append: Append,
    octets: Zeroizing<Vec<u8>>,
}

impl Imap<'_> {
    /// Looks at the head before the message comes.
    pub(super) fn offered(&mut self, append: Append) -> Next {
        match self.admit(&append) {
            Ok(()) => {
                self.reader.accept();
                if append.waits {
                    self.writer().go_on("send it");
                }
                self.coming = Some(Coming { append, octets: Zeroizing::new(Vec::new()) });
                Next::Goes
            }
            Err(trouble) => {
                self.reader.refuse();
                self.refuse(&append.tag, trouble).unwrap_or(Next::Ends)
            }
        }
    }

    fn admit(&mut self, append: &Append) -> Result<(), Trouble> {
        self.person()?;
        if !append.fits() {
            return Err(Trouble::No("TOOBIG", "the message is too large"));
        }
        self.target(&append.folder)?;
        let quota = keeper::quota(self.ends)?;
        if quota.used_bytes.saturating_add(append.size) > quota.limit_bytes {
            return Err(Trouble::OverQuota);
        }
        if !self.ends.allow(append.size) {
            return Err(Trouble::No("LIMIT", "too much mail is under way, try again later"));
        }
        Ok(())
    }

    pub(super) fn octets(&mut self, octets: &[u8]) -> Next {
        if let Some(coming) = &mut self.coming {
            grow(&mut coming.octets, octets, coming.append.size);
        }
        Next::Goes
    }

    pub(super) fn append_end(&mut self, bad: Option<&'static str>) -> Result<Next, Fault> {
        let Some(coming) = self.coming.take() else { return Ok(Next::Goes) };
        let tag = coming.append.tag.clone();
        let kept = match bad {
            Some(why) => Err(Trouble::Misplaced(why)),
            None => self.keep(&coming),
        };
        self.ends.release(coming.append.size);
        match kept {
            Ok(()) => Ok(Next::Goes),
            Err(trouble) => self.refuse(&tag, trouble),
        }
    }

    fn keep(&mut self, coming: &Coming) -> Result<(), Trouble> {
        let Append { tag, folder, flags, date, .. } = &coming.append;
        let target = self.target(folder)?.front.folder;
        let flags = self.flag_bits(target, flags, true)?;
        let received_ms = date.map_or_else(now_ms, |date| {
            u64::try_from(date.seconds).unwrap_or(0).saturating_mul(1_000)
        });
        let mut held = Vec::new();
        let copy = Box::new(self.seal_copy(&coming.octets, target, received_ms, &mut held)?);
        let zone_minutes = date.map(|date| date.zone_minutes);
        let question = FromAccess::Append { folder: target, flags, copy, zone_minutes };
        let answer = keeper::ask_with(self.ends, &question, &held, true)?.0;
        let ToAccess::Appended { uid_validity: validity, uid } = answer else {
            return Err(Trouble::Broken);
        };
        if self.view.as_ref().is_some_and(|view| view.folder == target) {
            self.ends.news.changed = true; // do not wait for the push
        }
        let tag = tag.clone();
        self.done(&tag, Some(Code::AppendUid { validity, uid }), "kept")
    }

    fn seal_copy(
        &mut self,
        octets: &[u8],
        folder: terms::FolderId,
        received_ms: u64,
        held: &mut Vec<std::os::fd::OwnedFd>,
    ) -> Result<Copy, Trouble> {
        let person = self.person.as_deref().ok_or(Trouble::Ended)?;
        let (body_key, summary_key) = person.current_keys(self.ends)?;
        let message = new_message();
        let mut plain = write_summary(&mime::summarise(octets)).ok_or(Trouble::Broken)?;
        let summary = person.seal_part(&summary_key, message, Class::Summary, &plain);
        plain.zeroize();
        let place = open::Place { tenant: person.tenant, message, class: Class::Body };
        let (content, key) = seal_body(&place, octets, held)?;
        let wrapped = person.wrap(&body_key, &key, message, Class::Body)?;
        Ok(Copy {
            tenant: person.tenant,
            user: person.user,
            message,
            place: Place::Folder(folder),
            size: octets.len() as u64,
            received_ms,
            verdict: Verdict::Deliver,
            summary: summary?,
            body: SealedPart { epoch: body_key.epoch(), wrapped, content },
        })
    }
}

/// A small body stays in its frame; a large one is sealed chunk by chunk into a descriptor.
fn seal_body(
    place: &open::Place,
    octets: &[u8],
    held: &mut Vec<std::os::fd::OwnedFd>,
) -> Result<(Parcel, open::MessageKey), Trouble> {
    let unavailable = |_| Trouble::Unavailable;
    if octets.len() <= INLINE_BYTES {
        let (content, key) = seal::seal_content(place, octets).map_err(unavailable)?;
        return Ok((Parcel::Inline(content), key));
    }
    let mut file = Parcel::create().map_err(|_| Trouble::Full)?;
    let mut from = octets;
    let key = seal::seal_stream(place, &mut from, &mut file).map_err(unavailable)?;
    file.flush().map_err(|_| Trouble::Full)?;
    let bytes = seal::sealed_length(octets.len() as u64);
    let parcel = Parcel::held(file, bytes, held).map_err(|_| Trouble::Full)?;
    Ok((parcel, key))
}

/// Grows by doubling up to the announced size, wiping what is left behind.
fn grow(into: &mut Zeroizing<Vec<u8>>, octets: &[u8], size: u64) {
    let needed = into.len() + octets.len();
    if needed > into.capacity() {
        let most = usize::try_from(size).unwrap_or(needed).max(needed);
        let mut larger = Vec::with_capacity((needed * 2).min(most));
        larger.extend_from_slice(into);
        *into = Zeroizing::new(larger);
    }
    into.extend_from_slice(octets);
}
