//! Who stood behind an address when the vault last signed for it, kept across starts.
//!
//! A directory that was taken over, or set back to an older day, could have one person's mail
//! sealed to another. Who is named for an address for the first time is believed. Others than
//! before are signed for only against a recorded `rule.change` of these very words, newer than the
//! last one: the change is in the evidence before a single message goes another way.
//!
//! Kept are keyed hashes: the file names nobody.

use crate::Fault;
use crate::journal::Journal;
use evidence::{Body, Frame};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use terms::{Cursor, TenantId, UserId};
use unseal::SecretsKey;
use wire::directory::{self, Statement};
use zeroize::Zeroizing;

/// Addresses of one tenant: more than its largest customers have people and aliases. A further
/// one is not signed for, since it could not be watched.
const OF_TENANT: u32 = 200_000;
/// Addresses in all, about 80 octets each.
const ADDRESSES: usize = 2_000_000;
const TOKEN_BYTES: usize = 16;
const FLUSH: Duration = Duration::from_secs(1);

type Token = [u8; TOKEN_BYTES];

/// What a statement says of its address, next to what was said before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Same,
    New,
    /// Others stood there; the change has to be recorded as a `rule.change` of this word.
    Changed {
        what: String,
    },
    Full,
}

struct Known {
    tenant: TenantId,
    standing: Token,
    /// The entry of the last change; none yet is 0, which is the warden's own.
    entry: u64,
}

pub(crate) struct Stood {
    key: SecretsKey,
    journal: Journal,
    people: HashMap<Token, Known>,
    count: HashMap<TenantId, u32>,
    /// First words, which a power loss may take: they are believed again.
    unwritten: Vec<Vec<u8>>,
    flushed: Instant,
}

impl Stood {
    pub fn open(folder: &Path, key: SecretsKey) -> Result<Self, Fault> {
        let (journal, records) = Journal::open(&folder.join("stood"))?;
        let (people, count, flushed) = (HashMap::new(), HashMap::new(), Instant::now());
        let mut stood = Self { key, journal, people, count, unwritten: Vec::new(), flushed };
        for (number, record) in records.iter().enumerate() {
            let (token, known) = read(record).ok_or(Fault::Torn { at: number as u64 })?;
            stood.enter(token, known);
        }
        Ok(stood)
    }

    pub fn weigh(&self, statement: &Statement) -> Result<Standing, Fault> {
        let (address, standing) = self.tokens(statement)?;
        let of_tenant = self.count.get(&statement.tenant).copied().unwrap_or_default();
        Ok(match self.people.get(&address) {
            Some(known) if known.standing == standing => Standing::Same,
            Some(_) => Standing::Changed { what: word(&standing) },
            // An address that nobody ever had is the catch-all's: it needs no place of its own, or
            // whoever writes to made-up addresses would fill them all.
            None if self.is_caught(statement)? => Standing::Same,
            None if of_tenant >= OF_TENANT || self.people.len() >= ADDRESSES => Standing::Full,
            None => Standing::New,
        })
    }

    /// Whether others than this person stand behind an address. First words are believed.
    pub fn is_another_s(
        &self,
        address: &str,
        tenant: TenantId,
        user: UserId,
    ) -> Result<bool, Fault> {
        let (address, standing) = self.tokens_of(address, tenant, &mut [user])?;
        Ok(self.people.get(&address).is_some_and(|known| known.standing != standing))
    }

    /// Whether it says of its address what was said of the domain's catch-all.
    pub fn is_caught(&self, statement: &Statement) -> Result<bool, Fault> {
        let domain = statement.address.rsplit_once('@').map(|(_, domain)| domain);
        let Some(caught) = domain.map(directory::catch_all) else { return Ok(false) };
        let mut people = people(statement);
        let (caught, standing) = self.tokens_of(&caught, statement.tenant, &mut people)?;
        Ok(self.people.get(&caught).is_some_and(|known| known.standing == standing))
    }

    /// Believes a first word.
    pub fn learn(&mut self, statement: &Statement) -> Result<(), Fault> {
        let (address, standing) = self.tokens(statement)?;
        let known = Known { tenant: statement.tenant, standing, entry: 0 };
        self.unwritten.push(write(&address, &known));
        self.enter(address, known);
        Ok(())
    }

    /// Whether `entry`, which is proven to stand at `place`, is the change that this statement
    /// needs; if so it has served.
    pub fn change(
        &mut self,
        statement: &Statement,
        entry: &[u8],
        place: u64,
    ) -> Result<bool, Fault> {
        let (address, standing) = self.tokens(statement)?;
        let wanted = word(&standing);
        let is_wanted = Frame::parse(entry).is_some_and(|frame| match &frame.entry.body {
            Body::RuleChange { what, tenant, .. } => {
                what.as_str() == wanted && *tenant == Some(statement.tenant)
            }
            _ => false,
        });
        let is_newer = self.people.get(&address).is_none_or(|known| place > known.entry);
        if !is_wanted || !is_newer {
            return Ok(false);
        }
        let known = Known { tenant: statement.tenant, standing, entry: place };
        self.flush()?;
        self.journal.append(&[write(&address, &known)])?;
        self.enter(address, known);
        Ok(true)
    }

    /// First words go to the disk together, once a second.
    pub fn flush_due(&mut self) -> Result<(), Fault> {
        if self.unwritten.is_empty() || self.flushed.elapsed() < FLUSH {
            return Ok(());
        }
        self.flushed = Instant::now();
        self.flush()
    }

    pub fn flush(&mut self) -> Result<(), Fault> {
        if !self.unwritten.is_empty() {
            self.journal.append(&self.unwritten)?;
            self.unwritten.clear();
        }
        Ok(())
    }

    /// A tenant that is gone stands behind nothing: its domain may be another's one day.
    pub fn forget(&mut self, tenant: TenantId) -> Result<(), Fault> {
        self.people.retain(|_, known| known.tenant != tenant);
        self.count.remove(&tenant);
        self.unwritten.clear();
        let rows = self.people.iter().map(|(address, known)| write(address, known));
        self.journal.rewrite(&rows.map(Zeroizing::new).collect())
    }

    fn enter(&mut self, address: Token, known: Known) {
        let tenant = known.tenant;
        let before = self.people.insert(address, known).map(|known| known.tenant);
        if let Some(count) = before.and_then(|before| self.count.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        *self.count.entry(tenant).or_default() += 1;
    }

    /// Of the address, and of who stands behind it.
    fn tokens(&self, statement: &Statement) -> Result<(Token, Token), Fault> {
        self.tokens_of(&statement.address, statement.tenant, &mut people(statement))
    }

    fn tokens_of(
        &self,
        address: &str,
        tenant: TenantId,
        people: &mut [UserId],
    ) -> Result<(Token, Token), Fault> {
        let address = address.as_bytes();
        people.sort_unstable();
        let mut whole = [address, b"\0", &tenant.0].concat();
        people.iter().for_each(|user| whole.extend_from_slice(&user.0));
        Ok((self.token("address", address)?, self.token("standing", &whole)?))
    }

    fn token(&self, purpose: &str, of: &[u8]) -> Result<Token, Fault> {
        let whole = self.key.verifier(purpose, of).map_err(Fault::Key)?;
        let (token, _) = whole.split_first_chunk().ok_or(Fault::Torn { at: 0 })?;
        Ok(*token)
    }
}

fn people(statement: &Statement) -> Vec<UserId> {
    statement.recipients.iter().map(|one| one.user).collect()
}

/// The `what` of the entry: opaque, and of one address and its people alone.
fn word(standing: &Token) -> String {
    standing.iter().fold("stands/".to_owned(), |word, byte| format!("{word}{byte:02x}"))
}

fn write(address: &Token, known: &Known) -> Vec<u8> {
    [&address[..], &known.standing, &known.tenant.0, &known.entry.to_be_bytes()].concat()
}

fn read(record: &[u8]) -> Option<(Token, Known)> {
    let mut cursor = Cursor::new(record);
    let address = cursor.take(TOKEN_BYTES)?.try_into().ok()?;
    let standing = cursor.take(TOKEN_BYTES)?.try_into().ok()?;
    let tenant = TenantId::from_slice(cursor.take(8)?)?;
    let entry = u64::from_be_bytes(cursor.take(8)?.try_into().ok()?);
    cursor.is_at_end().then_some((address, Known { tenant, standing, entry }))
}

#[cfg(test)]
mod tests {
    use super::{Standing, Stood};
    use evidence::{Author, Body, Word};
    use terms::{InstanceId, Kind, TenantId, UserId};
    use unseal::{RootKey, SecretsKey};
    use wire::directory::{PublicKey, Recipient, Statement, TenantSettings};

    fn statement(address: &str, tenant: u8, users: &[u8]) -> Statement {
        let key = || PublicKey { suite: 1, epoch: 0, bytes: Vec::new() };
        let recipient =
            |user: &u8| Recipient { user: UserId([*user; 8]), body: key(), summary: key() };
        Statement {
            onward: Vec::new(),
            transit: None,
            absence: None,
            address: address.to_owned(),
            tenant: TenantId([tenant; 8]),
            recipients: users.iter().map(recipient).collect(),
            settings: TenantSettings::default(),
            issued_ms: 0,
            valid_until_ms: 1,
        }
    }

    fn open(folder: &std::path::Path) -> Stood {
        let root = RootKey::from_credential(&[5; 32]).unwrap();
        Stood::open(folder, SecretsKey::of(&root, "standing").unwrap()).unwrap()
    }

    fn entry(what: &str, tenant: u8) -> Vec<u8> {
        let tenant = Some(TenantId([tenant; 8]));
        let body = Body::RuleChange { what: Word::new(what), tenant, user: None, weakened: None };
        Author::new(Kind::Directory, InstanceId([1; 6]), &[1; 32]).sign(1, body).unwrap()
    }

    #[test]
    fn mail_that_would_go_to_another_is_noticed_across_starts() {
        let folder = std::env::temp_dir().join(format!("vault-stood-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut stood = open(&folder);
        for (address, tenant, users) in [("aoi@a.example", 1, &[1][..]), ("ben@b.example", 2, &[2])]
        {
            let said = statement(address, tenant, users);
            assert_eq!(stood.weigh(&said).unwrap(), Standing::New);
            stood.learn(&said).unwrap();
            assert_eq!(stood.weigh(&said).unwrap(), Standing::Same);
        }
        stood.flush().unwrap();
        drop(stood);
        let mut stood = open(&folder);
        let check = |stood: &Stood, address: &str, tenant: u8, users: &[u8], same: bool| {
            let found = stood.weigh(&statement(address, tenant, users)).unwrap();
            assert_eq!(found == Standing::Same, same, "{address} {tenant} {users:?}");
        };
        check(&stood, "aoi@a.example", 1, &[1], true);
        check(&stood, "aoi@a.example", 1, &[2], false);
        check(&stood, "aoi@a.example", 1, &[1, 2], false);
        check(&stood, "aoi@a.example", 2, &[1], false);
        check(&stood, "ben@b.example", 2, &[2], true);
        // Only by an entry of these very words and this tenant, which serves once.
        let moved = statement("aoi@a.example", 1, &[2, 3]);
        let Standing::Changed { what } = stood.weigh(&moved).unwrap() else { panic!() };
        assert!(!stood.change(&moved, &entry("user.add", 1), 40).unwrap());
        assert!(!stood.change(&moved, &entry(&what, 2), 40).unwrap());
        assert!(!stood.change(&statement("ben@b.example", 2, &[1]), &entry(&what, 2), 40).unwrap());
        assert!(stood.change(&moved, &entry(&what, 1), 40).unwrap());
        drop(stood);
        let mut stood = open(&folder);
        check(&stood, "aoi@a.example", 1, &[3, 2], true);
        check(&stood, "aoi@a.example", 1, &[1], false);
        // A directory that is set back shows the entry of then; it is older than the last.
        let back = statement("aoi@a.example", 1, &[1]);
        let Standing::Changed { what } = stood.weigh(&back).unwrap() else { panic!() };
        assert!(!stood.change(&back, &entry(&what, 1), 39).unwrap());
        assert!(stood.change(&back, &entry(&what, 1), 41).unwrap());
        stood.forget(TenantId([1; 8])).unwrap();
        drop(stood);
        let stood = open(&folder);
        assert_eq!(stood.weigh(&moved).unwrap(), Standing::New);
        check(&stood, "ben@b.example", 2, &[2], true);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn made_up_addresses_are_the_catch_all_s_and_nobody_s_place() {
        let folder = std::env::temp_dir().join(format!("vault-caught-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut stood = open(&folder);
        stood.learn(&statement("ben@a.example", 1, &[2])).unwrap();
        let check = |stood: &Stood, address: &str, tenant: u8, users: &[u8], expected| {
            let found = stood.weigh(&statement(address, tenant, users)).unwrap();
            assert_eq!(found, expected, "{address} {tenant} {users:?}");
        };
        check(&stood, "x@a.example", 1, &[1], Standing::New);
        stood.learn(&statement("*@a.example", 1, &[1])).unwrap();
        check(&stood, "x@a.example", 1, &[1], Standing::Same);
        // Somebody new may come to have it; other domains have none; whose it was, it stays.
        check(&stood, "x@a.example", 1, &[3], Standing::New);
        check(&stood, "x@b.example", 1, &[1], Standing::New);
        check(&stood, "x@a.example", 2, &[1], Standing::New);
        let taken = statement("ben@a.example", 1, &[1]);
        assert!(matches!(stood.weigh(&taken).unwrap(), Standing::Changed { .. }));
        assert!(stood.is_another_s("ben@a.example", TenantId([1; 8]), UserId([1; 8])).unwrap());
        assert!(!stood.is_another_s("ben@a.example", TenantId([1; 8]), UserId([2; 8])).unwrap());
        assert!(!stood.is_another_s("x@a.example", TenantId([1; 8]), UserId([1; 8])).unwrap());
        // Another catch-all is a change like any other.
        let moved = statement("*@a.example", 1, &[3]);
        let Standing::Changed { what } = stood.weigh(&moved).unwrap() else { panic!() };
        assert!(stood.change(&moved, &entry(&what, 1), 40).unwrap());
        check(&stood, "x@a.example", 1, &[1], Standing::New);
        check(&stood, "x@a.example", 1, &[3], Standing::Same);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
