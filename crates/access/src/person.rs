//! The one person whom this process serves after sign-in, and what it may open of theirs.
//!
//! A key comes only from the vault, under a grant that identity minted for this session's key
//! pair, and only after the release was recorded and proved. Opened summaries stay in memory for
//! a while, within bounds.

use crate::ends::Ends;
use crate::fault::Trouble;
use crate::keeper;
use compartment::{now_ms, random};
use open::{Class as SealedClass, GrantContext, MessageKey, Place, WrapContext};
use seal::Suite;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use terms::{Cursor, FolderId, GrantId, Kind, MessageId, TenantId, UserId};
use wire::Parcel;
use wire::identity::{FromAccess as ToIdentity, Protocol, ToAccess as FromIdentity};
use wire::mailbox::SealedPart;
use wire::vault::{Class, FromAccess as ToVault, Item, Refusal, ToAccess as FromVault};
use zeroize::{Zeroize, Zeroizing};

/// Keys asked of the vault at once: one release, one proof.
pub const RELEASE_ITEMS: usize = 100;
/// Plaintext of summaries kept while a client is busy: some hundred of them.
const SUMMARIES_BYTES: usize = 2 * 1024 * 1024;
/// What an app password begins with. Anything else is an account password typed into a mail
/// client: it is not passed on.
const APP_PASSWORD: &[u8] = b"sk-";
/// Longer names and secrets are none of ours.
const CREDENTIAL_BYTES: usize = 320;
/// How often a grant is renewed for one release before we give up.
const RENEWALS: u32 = 3;

/// A message's UID and one opened part of it.
type Plain = (u32, Zeroizing<Vec<u8>>);

/// An opened summary: what the edge put on top, and what the scanner wrote down.
pub struct Opened {
    pub added: Vec<u8>,
    pub summary: mime::Summary,
    bytes: usize,
}

impl Opened {
    /// Whether the summary holds all of the header, which is cut to `mime::summary::HEADER_BYTES`.
    pub fn is_whole(&self) -> bool {
        self.summary.header.len() as u64 == self.summary.header_bytes
    }

    /// The header block as it is read, if the summary holds all of it.
    pub fn header(&self) -> Option<Vec<u8>> {
        self.is_whole().then(|| [self.added.as_slice(), self.summary.header.as_slice()].concat())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.summary.header.zeroize();
        self.summary.subject.zeroize();
        self.summary.snippet.zeroize();
        self.summary.envelope.zeroize();
    }
}

/// How a sign-in ended.
pub enum Entry {
    Welcome(Box<Person>),
    /// Not an app password at all: the person is told.
    NotAppPassword,
    Refused,
}

/// What identity says to a name and a secret.
pub enum Knocked {
    Welcome { tenant: TenantId, user: UserId, grant: GrantId, ends_ms: u64, reads_only: bool },
    NotAppPassword,
    Refused,
}

/// Asks identity to let somebody in. `session`: the public key for grants; empty if none is wanted.
pub fn knock(
    ends: &mut Ends,
    protocol: Protocol,
    (name, secret): (&[u8], &[u8]),
    session: Vec<u8>,
) -> Result<Knocked, Trouble> {
    let is_ours = secret.starts_with(APP_PASSWORD);
    let no = if is_ours { Knocked::Refused } else { Knocked::NotAppPassword };
    // What may be anybody's own password stays here. The name goes on, for it may be a decoy's.
    let secret = if is_ours { secret } else { &[] };
    let (Ok(name), Ok(text)) = (std::str::from_utf8(name), std::str::from_utf8(secret)) else {
        return Ok(no);
    };
    if name.len() > CREDENTIAL_BYTES || text.len() > CREDENTIAL_BYTES {
        return Ok(no);
    }
    let (name, secret) = (name.to_owned(), text.to_owned());
    let mut question = ToIdentity::SignIn { protocol, name, secret, session };
    let answer = ends.ask(Kind::Identity, &question, &[], false);
    if let ToIdentity::SignIn { secret, .. } = &mut question {
        secret.zeroize();
    }
    if !is_ours {
        return Ok(no);
    }
    match answer?.0 {
        FromIdentity::Welcome { tenant, user, grant, ends_ms, reads_only } => {
            Ok(Knocked::Welcome { tenant, user, grant, ends_ms, reads_only })
        }
        FromIdentity::Later => Err(Trouble::Away(Kind::Identity)),
        _ => Ok(no),
    }
}

pub struct Person {
    pub tenant: TenantId,
    pub user: UserId,
    pub ends_ms: u64,
    /// Somebody else reads: the mailbox takes no change, and every folder opens read-only.
    pub reads_only: bool,
    session: open::Session,
    public: Vec<u8>,
    grant: GrantId,
    agreed: Option<open::Grant>,
    /// The start of the vault that agreed.
    agreed_with: u32,
    summaries: BTreeMap<(FolderId, u32), Opened>,
    summaries_bytes: usize,
    body: Option<(FolderId, u32, Zeroizing<Vec<u8>>)>,
}

impl Person {
    /// Signs in; after `Welcome` the channels to vault and mailbox are on their way.
    pub fn sign_in(
        ends: &mut Ends,
        protocol: Protocol,
        name: &[u8],
        secret: &[u8],
    ) -> Result<Entry, Trouble> {
        let made = open::Session::new(Suite::P256);
        let (public, session) = made.map_err(|_| Trouble::Unavailable)?;
        let public = public.encode();
        match knock(ends, protocol, (name, secret), public.clone())? {
            Knocked::NotAppPassword => Ok(Entry::NotAppPassword),
            Knocked::Refused => Ok(Entry::Refused),
            Knocked::Welcome { tenant, user, grant, ends_ms, reads_only } => {
                let person = Self {
                    tenant,
                    user,
                    ends_ms,
                    reads_only,
                    session,
                    public,
                    grant,
                    agreed: None,
                    agreed_with: 0,
                    summaries: BTreeMap::new(),
                    summaries_bytes: 0,
                    body: None,
                };
                Ok(Entry::Welcome(Box::new(person)))
            }
        }
    }

    /// The session's absolute end has come.
    pub fn is_over(&self) -> bool {
        now_ms() >= self.ends_ms
    }

    /// Gives back what an idle client does not need.
    pub fn rest(&mut self) {
        self.body = None;
        self.summaries = BTreeMap::new();
        self.summaries_bytes = 0;
    }

    /// Opens the summaries of these messages that are not open yet. All of them are open after it,
    /// but those that are gone: who asks reads them next, and asks for `RELEASE_ITEMS` at a time.
    pub fn open_summaries(
        &mut self,
        ends: &mut Ends,
        folder: FolderId,
        uids: &[u32],
    ) -> Result<(), Trouble> {
        let missing = |uid: &&u32| !self.summaries.contains_key(&(folder, **uid));
        let missing: Vec<u32> = uids.iter().filter(missing).copied().collect();
        if !missing.is_empty() {
            self.make_room(folder, uids);
        }
        for uids in missing.chunks(RELEASE_ITEMS) {
            for (uid, plain) in self.open_parts(ends, folder, uids, Class::Summary)? {
                let Some(opened) = read_summary(&plain) else { continue };
                self.summaries_bytes += opened.bytes;
                self.summaries.insert((folder, uid), opened);
            }
        }
        Ok(())
    }

    /// Forgets, once there is much, all but what is asked for.
    fn make_room(&mut self, folder: FolderId, wanted: &[u32]) {
        if self.summaries_bytes <= SUMMARIES_BYTES {
            return;
        }
        let wanted: BTreeSet<u32> = wanted.iter().copied().collect();
        self.summaries.retain(|(kept, uid), _| *kept == folder && wanted.contains(uid));
        self.summaries_bytes = self.summaries.values().map(|opened| opened.bytes).sum();
    }

    pub fn summary(&self, folder: FolderId, uid: u32) -> Option<&Opened> {
        self.summaries.get(&(folder, uid))
    }

    /// The message octet for octet; `None` if it is gone or does not open.
    pub fn body(
        &mut self,
        ends: &mut Ends,
        folder: FolderId,
        uid: u32,
    ) -> Result<Option<&[u8]>, Trouble> {
        let here = self.body.as_ref().is_some_and(|(f, u, _)| (*f, *u) == (folder, uid));
        if !here {
            self.body = None;
            let mut opened = self.open_parts(ends, folder, &[uid], Class::Body)?;
            self.body = opened.pop().map(|(uid, plain)| (folder, uid, plain));
        }
        Ok(self.opened_body(folder, uid))
    }

    pub fn forget_body(&mut self) {
        self.body = None;
    }

    /// The body that `body` opened last, if it is this one.
    pub fn opened_body(&self, folder: FolderId, uid: u32) -> Option<&[u8]> {
        let here = self.body.as_ref().filter(|(f, u, _)| (*f, *u) == (folder, uid));
        here.map(|(_, _, plain)| plain.as_slice())
    }

    fn open_parts(
        &mut self,
        ends: &mut Ends,
        folder: FolderId,
        uids: &[u32],
        class: Class,
    ) -> Result<Vec<Plain>, Trouble> {
        let mut opened = Vec::with_capacity(uids.len());
        let mut wanted = uids.to_vec();
        // One answer may hold only some of what was asked for; nothing at all means: gone.
        while !wanted.is_empty() {
            let (parts, held) = keeper::parts(ends, folder, wanted.clone(), class)?;
            if parts.is_empty() {
                break;
            }
            wanted.retain(|uid| !parts.iter().any(|(found, _, _)| found == uid));
            let items = parts.iter().map(|(_, message, part)| item(*message, part)).collect();
            let keys = self.release(ends, class, items)?;
            for ((uid, message, part), key) in parts.into_iter().zip(keys) {
                let Some(key) = key else { continue };
                let place = Place { tenant: self.tenant, message, class: sealed_class(class) };
                if let Some(plain) = open_parcel(&key, &place, part.content, &held) {
                    opened.push((uid, plain));
                }
            }
        }
        Ok(opened)
    }

    /// Opens small things of the session's own making: folder names and keyword lists.
    pub fn open_own(
        &mut self,
        ends: &mut Ends,
        message: MessageId,
        parts: &[&SealedPart],
    ) -> Result<Vec<Option<Vec<u8>>>, Trouble> {
        let mut opened = Vec::with_capacity(parts.len());
        for parts in parts.chunks(RELEASE_ITEMS) {
            let items = parts.iter().map(|part| item(message, part)).collect();
            let keys = self.release(ends, Class::Summary, items)?;
            let place = Place { tenant: self.tenant, message, class: SealedClass::Summary };
            opened.extend(parts.iter().zip(keys).map(|(part, key)| {
                let plain = open_parcel(&key?, &place, part.content.clone(), &[])?;
                Some(plain.to_vec())
            }));
        }
        Ok(opened)
    }

    /// Seals such a thing.
    pub fn seal_own(
        &self,
        ends: &mut Ends,
        message: MessageId,
        plain: &[u8],
    ) -> Result<SealedPart, Trouble> {
        let (_, summary) = self.current_keys(ends)?;
        self.seal_part(&summary, message, SealedClass::Summary, plain)
    }

    /// The public keys to seal to, body and summary.
    pub fn current_keys(
        &self,
        ends: &mut Ends,
    ) -> Result<(seal::PublicKey, seal::PublicKey), Trouble> {
        match ends.ask(Kind::Vault, &ToVault::Current, &[], false)?.0 {
            FromVault::Keys { body, summary } => {
                let body = seal::public_key(&body).map_err(|_| Trouble::Broken)?;
                let summary = seal::public_key(&summary).map_err(|_| Trouble::Broken)?;
                Ok((body, summary))
            }
            FromVault::EvidenceAway => Err(Trouble::Unavailable),
            _ => Err(Trouble::Broken),
        }
    }

    /// Seals one part of this person's own mail.
    pub fn seal_part(
        &self,
        public: &seal::PublicKey,
        message: MessageId,
        class: SealedClass,
        plain: &[u8],
    ) -> Result<SealedPart, Trouble> {
        let place = Place { tenant: self.tenant, message, class };
        let (content, key) = seal::seal_content(&place, plain).map_err(|_| Trouble::Unavailable)?;
        let wrapped = self.wrap(public, &key, message, class)?;
        Ok(SealedPart { epoch: public.epoch(), wrapped, content: Parcel::Inline(content) })
    }

    pub fn wrap(
        &self,
        public: &seal::PublicKey,
        key: &MessageKey,
        message: MessageId,
        class: SealedClass,
    ) -> Result<Vec<u8>, Trouble> {
        let wrapped = seal::wrap(public, key, &self.context(message, class));
        wrapped.map(|wrapped| wrapped.encode()).map_err(|_| Trouble::Unavailable)
    }

    fn context(&self, message: MessageId, class: SealedClass) -> WrapContext {
        WrapContext { tenant: self.tenant, user: self.user, message, class }
    }

    /// Keys in the order asked, after the release was recorded; `None` for one that does not open.
    fn release(
        &mut self,
        ends: &mut Ends,
        class: Class,
        items: Vec<Item>,
    ) -> Result<Vec<Option<MessageKey>>, Trouble> {
        let messages: Vec<MessageId> = items.iter().map(|item| item.message).collect();
        for _ in 0..RENEWALS {
            self.agree(ends)?;
            let question = ToVault::Release { grant: self.grant, class, items: items.clone() };
            match ends.ask(Kind::Vault, &question, &[], false)?.0 {
                FromVault::Released(keys) => {
                    let unwrap = |(key, message): (Option<Vec<u8>>, &MessageId)| {
                        let context = self.context(*message, sealed_class(class));
                        self.agreed.as_ref()?.unwrap(&key?, &context).ok()
                    };
                    return Ok(keys.into_iter().zip(&messages).map(unwrap).collect());
                }
                FromVault::EvidenceAway => return Err(Trouble::Unavailable),
                FromVault::Refused(Refusal::Budget) => {
                    return Err(Trouble::No("LIMIT", "too much was opened in too short a time"));
                }
                FromVault::Refused(Refusal::Stopped) => return Err(Trouble::Stopped),
                FromVault::Refused(Refusal::NoGrant | Refusal::Expired) => self.renew(ends)?,
                _ => return Err(Trouble::Broken),
            }
        }
        Err(Trouble::Unavailable)
    }

    /// Agrees the grant's key with the vault, once per grant and start of the vault.
    fn agree(&mut self, ends: &mut Ends) -> Result<(), Trouble> {
        for _ in 0..RENEWALS {
            if self.agreed.is_some() && self.agreed_with == ends.vault_starts {
                return Ok(());
            }
            self.agreed = None;
            match ends.ask(Kind::Vault, &ToVault::Open(self.grant), &[], false)?.0 {
                FromVault::Opened { enc } => {
                    let (tenant, user) = (self.tenant, self.user);
                    let context = GrantContext { grant: self.grant, tenant, user };
                    let agreed = self.session.accept(&context, &enc);
                    self.agreed = Some(agreed.map_err(|_| Trouble::Broken)?);
                    self.agreed_with = ends.vault_starts;
                }
                FromVault::EvidenceAway => return Err(Trouble::Unavailable),
                FromVault::Refused(Refusal::Stopped) => return Err(Trouble::Stopped),
                FromVault::Refused(Refusal::NoGrant | Refusal::Expired) => self.renew(ends)?,
                _ => return Err(Trouble::Broken),
            }
        }
        Err(Trouble::Unavailable)
    }

    fn renew(&mut self, ends: &mut Ends) -> Result<(), Trouble> {
        self.agreed = None;
        let question = ToIdentity::Renew { session: self.public.clone() };
        match ends.ask(Kind::Identity, &question, &[], false)?.0 {
            FromIdentity::Granted(grant) => {
                self.grant = grant;
                Ok(())
            }
            FromIdentity::Later => Err(Trouble::Away(Kind::Identity)),
            _ => Err(Trouble::Ended),
        }
    }
}

/// A new message's id.
pub fn new_message() -> MessageId {
    MessageId(random())
}

fn item(message: MessageId, part: &SealedPart) -> Item {
    Item { message, epoch: part.epoch, wrapped: part.wrapped.clone() }
}

fn sealed_class(class: Class) -> SealedClass {
    match class {
        Class::Summary => SealedClass::Summary,
        Class::Body => SealedClass::Body,
    }
}

/// A large content is opened from its descriptor, so that only its plaintext is in memory.
fn open_parcel(
    key: &MessageKey,
    place: &Place,
    content: Parcel,
    held: &[OwnedFd],
) -> Option<Zeroizing<Vec<u8>>> {
    let plain_bytes = open::plain_length(content.len())?;
    if let Parcel::Inline(sealed) = &content {
        return open::open_content(key, place, sealed).ok().map(Zeroizing::new);
    }
    let file = content.file(held).ok()??;
    let mut plain = Vec::with_capacity(usize::try_from(plain_bytes).ok()?);
    let mut from = Rewound { file, at: 0 };
    open::open_stream(key, place, &mut from, &mut plain).ok()?;
    Some(Zeroizing::new(plain))
}

/// A shared descriptor read from its beginning, wherever its offset stands.
struct Rewound {
    file: std::fs::File,
    at: u64,
}

impl std::io::Read for Rewound {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(&self.file, into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Length of the added fields (4, little-endian), the added fields, the summary.
pub fn read_summary(plain: &[u8]) -> Option<Opened> {
    let mut cursor = Cursor::new(plain);
    let length = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
    let added = cursor.take(usize::try_from(length).ok()?)?.to_vec();
    let summary = match cursor.rest() {
        // A message that no scanner survived has no overview. It is not taken apart here either:
        // it is listed without one, and read as it came.
        [] => mime::Summary::default(),
        written => framed(postcard::from_bytes(written).ok()?),
    };
    Some(Opened { added, summary, bytes: plain.len() })
}

/// What a scanner prepared goes into a response as it is. One that was taken over may lie about its
/// message, but not end the response and speak of others.
fn framed(summary: mime::Summary) -> mime::Summary {
    let prepared = [&summary.envelope, &summary.bodystructure, &summary.body];
    if prepared.into_iter().all(|octets| imap::is_one_list(octets)) {
        return summary;
    }
    let mime::Summary { envelope, bodystructure, body, .. } = mime::Summary::default();
    mime::Summary { envelope, bodystructure, body, ..summary }
}

/// The same shape for a message of the person's own: nothing is put on top of it.
pub fn write_summary(summary: &mime::Summary) -> Option<Vec<u8>> {
    postcard::to_extend(summary, vec![0, 0, 0, 0]).ok()
}

#[cfg(test)]
mod tests {
    use super::{framed, read_summary, write_summary};

    #[test]
    fn a_lying_scanner_ends_no_response() {
        let honest =
            mime::summarise(b"Subject: =?utf-8?q?=E6=97=A5?= (x) \"y\"\r\nFrom: a@b\r\n\r\nhi");
        assert!(framed(honest.clone()) == honest);
        let lie = b"(NIL)\r\n* 1 FETCH (FLAGS (\\Deleted))\r\n* 2 FETCH (ENVELOPE (NIL)".to_vec();
        let empty = mime::Summary::default();
        for place in 0..3 {
            let mut lying = honest.clone();
            match place {
                0 => lying.envelope = lie.clone(),
                1 => lying.bodystructure = lie.clone(),
                _ => lying.body = lie.clone(),
            }
            let opened = read_summary(&write_summary(&lying).unwrap()).unwrap();
            let opened = &opened.summary;
            assert!(opened.envelope == empty.envelope && opened.body == empty.body);
            assert!(opened.bodystructure == empty.bodystructure);
            assert!(opened.header == honest.header);
        }
    }
}
