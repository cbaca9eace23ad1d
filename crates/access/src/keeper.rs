//! Questions to the mailbox, with their answers as values.

use crate::ends::Ends;
use crate::fault::Trouble;
use std::os::fd::OwnedFd;
use terms::{FolderId, Kind, MessageId};
use wire::mailbox::{Folder, FromAccess, Row, SealedPart, ToAccess};
use wire::vault::Class;

/// A folder's contents as numbers.
pub struct Rows {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub highest_modseq: u64,
    pub rows: Vec<Row>,
}

/// Room and use of a mailbox.
#[derive(Clone, Copy)]
pub struct Quota {
    pub used_bytes: u64,
    pub limit_bytes: u64,
}

/// Sealed parts, and the descriptors that they refer to.
pub type Parts = (Vec<(u32, MessageId, SealedPart)>, Vec<OwnedFd>);

/// Asks; refusals become troubles.
pub fn ask(ends: &mut Ends, question: &FromAccess, once: bool) -> Result<ToAccess, Trouble> {
    ask_with(ends, question, &[], once).map(|(answer, _)| answer)
}

pub fn ask_with(
    ends: &mut Ends,
    question: &FromAccess,
    descriptors: &[OwnedFd],
    once: bool,
) -> Result<(ToAccess, Vec<OwnedFd>), Trouble> {
    let (answer, held) = ends.ask(Kind::Mailbox, question, descriptors, once)?;
    match answer {
        ToAccess::NoSuchFolder => Err(Trouble::NoSuchFolder),
        ToAccess::OverQuota => Err(Trouble::OverQuota),
        ToAccess::Full => Err(Trouble::Full),
        ToAccess::Fault => Err(Trouble::Away(Kind::Mailbox)),
        ToAccess::InUse => Err(Trouble::No("IN-USE", "another POP3 session has this mailbox")),
        ToAccess::ReadOnly => Err(Trouble::No("READ-ONLY", "this pass is for reading only")),
        answer => Ok((answer, held)),
    }
}

pub fn folders(ends: &mut Ends) -> Result<Vec<Folder>, Trouble> {
    match ask(ends, &FromAccess::Folders, false)? {
        ToAccess::Folders(folders) => Ok(folders),
        _ => Err(Trouble::Broken),
    }
}

/// Watches this folder and no other. Its front says how many of its last messages nobody has heard
/// of before this session.
pub fn watch(ends: &mut Ends, folder: FolderId, peeks: bool) -> Result<Folder, Trouble> {
    ends.watch(Some(folder), peeks);
    hear(ends)
}

/// The watched folder as it stands; what is told by it is recent for no other session.
pub fn hear(ends: &mut Ends) -> Result<Folder, Trouble> {
    let question = ends.watch_question();
    match ask(ends, &question, false)? {
        ToAccess::Folders(mut fronts) => fronts.pop().ok_or(Trouble::Broken),
        _ => Err(Trouble::Broken),
    }
}

pub fn watch_none(ends: &mut Ends) -> Result<(), Trouble> {
    ends.watch(None, false);
    let question = ends.watch_question();
    ask(ends, &question, false).map(drop)
}

pub fn rows(ends: &mut Ends, folder: FolderId, since: Option<u64>) -> Result<Rows, Trouble> {
    match ask(ends, &FromAccess::Rows { folder, since }, false)? {
        ToAccess::Rows { uid_validity, uid_next, highest_modseq, rows } => {
            Ok(Rows { uid_validity, uid_next, highest_modseq, rows })
        }
        _ => Err(Trouble::Broken),
    }
}

pub fn parts(
    ends: &mut Ends,
    folder: FolderId,
    uids: Vec<u32>,
    class: Class,
) -> Result<Parts, Trouble> {
    match ask_with(ends, &FromAccess::Fetch { folder, uids, class }, &[], false)? {
        (ToAccess::Parts(parts), held) => Ok((parts, held)),
        _ => Err(Trouble::Broken),
    }
}

pub fn quota(ends: &mut Ends) -> Result<Quota, Trouble> {
    match ask(ends, &FromAccess::Quota, false)? {
        ToAccess::Quota { used_bytes, limit_bytes, .. } => Ok(Quota { used_bytes, limit_bytes }),
        _ => Err(Trouble::Broken),
    }
}

/// Takes the mailbox as this POP3 session's own, or gives it back. Taken twice it is as if once.
pub fn maildrop(ends: &mut Ends, taken: bool) -> Result<(), Trouble> {
    ask(ends, &FromAccess::Maildrop { taken }, false).map(drop)
}

/// A change that is answered by `Done`.
pub fn change(ends: &mut Ends, question: &FromAccess) -> Result<(), Trouble> {
    match ask(ends, question, true)? {
        ToAccess::Done => Ok(()),
        _ => Err(Trouble::Broken),
    }
}

/// Expunges these (or all deleted) and says which went.
pub fn expunge(
    ends: &mut Ends,
    folder: FolderId,
    uids: Option<Vec<u32>>,
) -> Result<Vec<u32>, Trouble> {
    match ask(ends, &FromAccess::Expunge { folder, uids }, false)? {
        ToAccess::Expunged { uids, .. } => Ok(uids),
        _ => Err(Trouble::Broken),
    }
}
