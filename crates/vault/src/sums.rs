//! How records stand in a file: each with a sum that follows from the root and from the record
//! before it. Whoever has the file and not the root adds none, takes none out of the middle, and
//! exchanges none.
//!
//! File: mark (12) · salt (16) · salt of the file that this one took the place of (16) · sum (16) ·
//! first 4 octets of SHA-256 over these; then records: length (4) · first 8 octets of SHA-256 over
//! the payload, and over them both halves of the sum (exclusive or) · sum (16) · payload. A plain
//! file, of versions before decision 0026, has no head, no sums, and those 8 octets as they are.
//!
//! The short sums need no key: whoever has none (`doctor`, `backup`) knows a damaged disk by them.
//!
//! What is done to a store while no vault runs is done without the root. A key is taken out of it
//! so that its sum still fits: what is left of the row says whose it was. What is added has no sum
//! and says so; the next start weighs it, and writes all of it anew (`settle`).

use sha2::{Digest, Sha256};
use terms::Cursor;
use unseal::{RecordKey, SecretsKey};
use zeroize::Zeroizing;

pub(crate) const LENGTH_BYTES: usize = 4;
const SHORT_BYTES: usize = 8;
const SUM_BYTES: usize = 16;
const OWNER_BYTES: usize = 17;
const DIGEST_BYTES: usize = 32;
const MARK_BYTES: usize = 12;
const HEAD_BYTES: usize = MARK_BYTES + 3 * SUM_BYTES + HEAD_SHORT;
const HEAD_SHORT: usize = 4;
/// Rows are keys and ids: a few hundred octets.
const RECORD_BYTES: usize = 4_096;
/// Most of them.
const RECORD_ABOUT: usize = 160;
/// One append: the keys of a person are three records. More behind the end is no torn append.
pub(crate) const APPEND_BYTES: usize = 16 * 1024;
/// Disks write sectors whole.
const SECTOR: u64 = 512;

/// To an earlier version a record of 32 octets with a wrong sum, and more behind it: it refuses the
/// file, and cuts nothing off.
const MARK: [u8; MARK_BYTES] = *b"\0\0\0\x20sekisho2";
/// In the length: a key row without its key, and a row without a sum.
const EMPTIED: u32 = 1 << 31;
const UNSIGNED: u32 = 1 << 30;
/// Purpose of a head's sum, which is shorter than any record's.
const OF_HEAD: &str = "head";
/// What an emptied row may have been.
const KEYS: u8 = 1;
const SIGN_IN: u8 = 2;

pub(crate) type Sum = [u8; SUM_BYTES];
pub(crate) type Owner = [u8; OWNER_BYTES];
type Digest32 = [u8; DIGEST_BYTES];

/// Records as they stand in the file: wrapped keys among them, so they are wiped after use.
pub(crate) type Records = Vec<Zeroizing<Vec<u8>>>;

/// What does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// A damaged disk leaves this.
    Damaged { at: u64 },
    /// Somebody who has not the root.
    Forged { at: u64 },
    /// The head's sum: another root, as a rule.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A plain one, or one with a sum.
    Whole,
    Emptied,
    Unsigned,
}

/// One record.
#[derive(Clone)]
pub(crate) struct Stored {
    pub form: Form,
    pub sum: Sum,
    pub owner: Owner,
    digest: Digest32,
    /// Of an emptied one, its owner and its digest.
    pub octets: Zeroizing<Vec<u8>>,
    /// Where it begins.
    pub at: u64,
}

/// The head of a file with sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub salt: Sum,
    /// Of the file before; zeroes: none that had sums.
    pub before: Sum,
    pub sum: Sum,
}

/// A file, read and not believed yet.
pub(crate) struct Contents {
    pub head: Option<Head>,
    pub records: Vec<Stored>,
    /// Where the whole records end.
    pub end: u64,
}

/// The chain of a file: its key, and where it stands.
pub(crate) struct Chain {
    key: SecretsKey,
    records: RecordKey,
    pub head: Head,
    /// The newest record's sum; the head's, where there is none.
    pub last: Sum,
    pub count: u64,
}

impl Head {
    fn new(key: &SecretsKey, before: Sum) -> Option<Self> {
        let mut head = Self { salt: compartment::random(), before, sum: Sum::default() };
        head.sum = head.sum_of(key)?;
        Some(head)
    }

    fn sum_of(&self, key: &SecretsKey) -> Option<Sum> {
        cut(key.verifier(OF_HEAD, &[self.salt, self.before].concat()).ok()?)
    }

    fn octets(&self) -> Vec<u8> {
        let mut octets = [&MARK[..], &self.salt, &self.before, &self.sum].concat();
        let short = Sha256::digest(&octets);
        octets.extend(short.iter().take(HEAD_SHORT));
        octets
    }

    /// `None`: a plain file.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Misfit> {
        let damaged = Misfit::Damaged { at: 0 };
        let mut cursor = Cursor::new(bytes);
        let (length, name) = MARK.split_at(LENGTH_BYTES);
        let is_whole = cursor.take(LENGTH_BYTES) == Some(length);
        // Whichever half of the mark stands: it is no plain file, whose first row would be cut.
        match (is_whole, cursor.take(name.len()) == Some(name)) {
            (true, true) => {}
            (false, true) => return Err(damaged),
            (_, false) => return Ok(None),
        }
        let mut next = || cursor.take(SUM_BYTES).and_then(|octets| octets.try_into().ok());
        let head = next().zip(next()).zip(next());
        let Some(((salt, before), sum)) = head else { return Err(damaged) };
        let head = Self { salt, before, sum };
        let is_whole = bytes.starts_with(&head.octets());
        if is_whole { Ok(Some(head)) } else { Err(damaged) }
    }
}

impl Stored {
    fn whole(octets: &[u8], at: u64) -> Self {
        let digest = Sha256::digest(octets).into();
        let (octets, owner) = (Zeroizing::new(octets.to_vec()), owner(octets));
        Self { form: Form::Whole, sum: Sum::default(), owner, digest, octets, at }
    }

    /// `None`: it does not fit its short sum.
    fn read(
        form: Form,
        (short, sum, octets): (&[u8], Option<&[u8]>, &[u8]),
        at: u64,
    ) -> Option<Self> {
        let mut stored = Self::whole(octets, at);
        stored.form = form;
        if let Some(sum) = sum {
            stored.sum = sum.try_into().ok()?;
        }
        if short_of(&stored.digest, &stored.sum) != short {
            return None;
        }
        if form == Form::Emptied {
            let (owner, digest) = octets.split_at_checked(OWNER_BYTES)?;
            (stored.owner, stored.digest) = (owner.try_into().ok()?, digest.try_into().ok()?);
        }
        Some(stored)
    }

    /// Takes the key out of a row; what is left fits its sum. `false`: there is none in it.
    pub fn empty(&mut self) -> bool {
        let has_key = self.form == Form::Whole && self.owner != Owner::default();
        if has_key {
            self.form = Form::Emptied;
            self.octets = Zeroizing::new([&self.owner[..], &self.digest].concat());
        }
        has_key
    }

    /// Whether this was a key of somebody's (a tenant's, or a person's of it), by what is left.
    pub fn whose_key(&self) -> Option<([u8; 8], [u8; 8])> {
        let (kind, ids) = self.owner.split_first()?;
        let (tenant, user) = ids.split_first_chunk::<8>()?;
        (*kind == KEYS).then_some((*tenant, user.try_into().ok()?))
    }

    pub fn was_sign_in(&self) -> bool {
        self.owner.first() == Some(&SIGN_IN)
    }
}

/// What a damaged disk does not keep; it needs no key. Every octet of the sum changes it.
fn short_of(digest: &Digest32, sum: &Sum) -> [u8; SHORT_BYTES] {
    let mut short = digest.first_chunk().copied().unwrap_or_default();
    for octets in sum.chunks_exact(SHORT_BYTES) {
        short.iter_mut().zip(octets).for_each(|(one, other): (&mut u8, _)| *one ^= *other);
    }
    short
}

/// By the row's first octets: its kind, and whose it is. Rows without a key are nobody's, and
/// nothing is taken out of them.
pub(crate) fn owner(row: &[u8]) -> Owner {
    let mut owner = Owner::default();
    let (kind, ids) = match row.first() {
        // Row::Tenant, Row::Transit
        Some(0 | 12) => (KEYS, row.get(1..9)),
        // Row::User, Row::Pair
        Some(1 | 2) => (KEYS, row.get(1..17)),
        // Row::Credential
        Some(13) => (SIGN_IN, row.get(1..9)),
        _ => return owner,
    };
    let octets = std::iter::once(&kind).chain(ids.unwrap_or_default());
    owner.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
    owner
}

fn cut(sum: [u8; 32]) -> Option<Sum> {
    sum.first_chunk().copied()
}

impl Contents {
    pub fn read(bytes: &[u8]) -> Result<Self, Misfit> {
        let head = Head::read(bytes)?;
        let mut cursor = Cursor::new(bytes);
        if head.is_some() {
            cursor.take(HEAD_BYTES);
        }
        let records = Vec::with_capacity(bytes.len() / RECORD_ABOUT);
        let mut contents = Self { head, records, end: 0 };
        while !cursor.is_at_end() {
            let start = cursor.position() as u64;
            contents.end = start;
            let word = cursor.take(LENGTH_BYTES).and_then(|octets| octets.try_into().ok());
            let word = word.map_or(0, u32::from_be_bytes);
            let (form, length) = if head.is_some() { form_of(word) } else { (Form::Whole, word) };
            let length = length as usize;
            let short = cursor.take(SHORT_BYTES);
            let sum = if head.is_some() { cursor.take(SUM_BYTES) } else { None };
            let octets = if length > RECORD_BYTES { None } else { cursor.take(length) };
            // Cut short, or broken as the last: versions before wrote their length first.
            let is_last = short.is_none() || octets.is_none() || cursor.is_at_end();
            let read = short.zip(octets).filter(|_| sum.is_some() == head.is_some());
            let stored =
                read.and_then(|(short, octets)| Stored::read(form, (short, sum, octets), start));
            match stored {
                Some(stored) => contents.records.push(stored),
                None if is_unfinished(bytes, start, length) => return Ok(contents),
                None if head.is_none() && length <= RECORD_BYTES && is_last => return Ok(contents),
                None => return Err(Misfit::Damaged { at: start }),
            }
        }
        contents.end = bytes.len() as u64;
        Ok(contents)
    }

    pub fn is_empty(&self) -> bool {
        self.head.is_none() && self.records.is_empty()
    }

    /// Every row of which something is left.
    pub fn rows(&self) -> impl Iterator<Item = &Zeroizing<Vec<u8>>> {
        let kept = self.records.iter().filter(|record| record.form != Form::Emptied);
        kept.map(|record| &record.octets)
    }

    pub fn into_rows(self) -> Records {
        let kept = self.records.into_iter().filter(|record| record.form != Form::Emptied);
        kept.map(|record| record.octets).collect()
    }

    /// Whether something was done to it without the root.
    pub fn is_loose(&self) -> bool {
        self.records.iter().any(|record| record.form != Form::Whole)
    }

    /// With whoever has the key: whether every sum fits. What has none comes last.
    pub fn believed(&self, key: SecretsKey) -> Result<Chain, Misfit> {
        let head = self.head.ok_or(Misfit::Foreign)?;
        if head.sum_of(&key) != Some(head.sum) {
            return Err(Misfit::Foreign);
        }
        let records = RecordKey::new(&key).map_err(|_| Misfit::Foreign)?;
        let mut chain = Chain { key, records, head, last: head.sum, count: 0 };
        let mut is_over = false;
        for record in &self.records {
            is_over |= record.form == Form::Unsigned;
            if !is_over {
                chain.take(record);
            }
            let is_ours = match record.form {
                Form::Unsigned => record.sum == Sum::default(),
                Form::Whole | Form::Emptied => !is_over && chain.last == record.sum,
            };
            if !is_ours {
                return Err(Misfit::Forged { at: record.at });
            }
        }
        Ok(chain)
    }

    /// As the file is to stand; nothing but what was emptied is another.
    pub fn write(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(self.head.map(|head| head.octets()).unwrap_or_default());
        for record in &self.records {
            put(&mut bytes, record, self.head.is_some())?;
        }
        Some(bytes)
    }
}

impl Chain {
    /// Of a new file in the place of another.
    pub fn begin(key: SecretsKey, before: Sum) -> Option<Self> {
        let head = Head::new(&key, before)?;
        let records = RecordKey::new(&key).ok()?;
        Some(Self { key, records, head, last: head.sum, count: 0 })
    }

    /// A new file in the place of this one; the key is the same.
    pub fn next(&self) -> Option<Self> {
        Self::begin(self.key.again(), self.head.salt)
    }

    pub fn key(&self) -> &SecretsKey {
        &self.key
    }

    fn take(&mut self, record: &Stored) {
        let sum = self.records.sum([&self.last, &record.owner, &record.digest]);
        self.last = cut(sum).unwrap_or_default();
        self.count += 1;
    }

    /// These records, as they follow; the chain stands behind them.
    pub fn write(&mut self, bytes: &mut Vec<u8>, record: &[u8]) -> Option<()> {
        let mut stored = Stored::whole(record, 0);
        self.take(&stored);
        stored.sum = self.last;
        put(bytes, &stored, true)
    }

    pub fn head(&self) -> Vec<u8> {
        self.head.octets()
    }

    /// Where it stands now, to go back to.
    pub fn place(&self) -> (Sum, u64) {
        (self.last, self.count)
    }

    pub fn go_back(&mut self, (last, count): (Sum, u64)) {
        (self.last, self.count) = (last, count);
    }
}

fn form_of(word: u32) -> (Form, u32) {
    match word & (EMPTIED | UNSIGNED) {
        0 => (Form::Whole, word),
        EMPTIED => (Form::Emptied, word & !EMPTIED),
        UNSIGNED => (Form::Unsigned, word & !UNSIGNED),
        // Neither is written with both: its length is none.
        _ => (Form::Whole, word),
    }
}

/// `None`: it is too long.
fn put(bytes: &mut Vec<u8>, record: &Stored, has_sums: bool) -> Option<()> {
    let length = u32::try_from(record.octets.len()).ok()?;
    if record.octets.len() > RECORD_BYTES {
        return None;
    }
    let word = match record.form {
        Form::Whole => length,
        Form::Emptied => length | EMPTIED,
        Form::Unsigned => length | UNSIGNED,
    };
    bytes.extend_from_slice(&word.to_be_bytes());
    let digest = Sha256::digest(&*record.octets).into();
    bytes.extend_from_slice(&short_of(&digest, &record.sum));
    if has_sums {
        bytes.extend_from_slice(&record.sum);
    }
    bytes.extend_from_slice(&record.octets);
    Some(())
}

/// One record without a sum: a plain file's, or what is added without the root.
pub(crate) fn put_unsigned(bytes: &mut Vec<u8>, record: &[u8], has_sums: bool) -> Option<()> {
    let mut stored = Stored::whole(record, 0);
    if has_sums {
        stored.form = Form::Unsigned;
    }
    put(bytes, &stored, has_sums)
}

/// Whether the append that begins here was never finished: its length is not written, or (where
/// it lies across two sectors) only in part.
fn is_unfinished(bytes: &[u8], from: u64, length: usize) -> bool {
    let is_across = from % SECTOR > SECTOR - LENGTH_BYTES as u64;
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    (length == 0 || is_across) && bytes.len().saturating_sub(from) <= APPEND_BYTES
        || bytes.iter().skip(from).all(|byte| *byte == 0)
}
