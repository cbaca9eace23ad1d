//! Who stood behind an address when the vault last signed for it, kept across starts.
//!
//! A directory that was taken over, or set back to an older day, could have one person's mail
//! sealed to another. Who is named for an address for the first time is believed. Others than
//! before are signed for only against a recorded `rule.change` of these very words, newer than the
//! last one: the change is in the evidence before a single message goes another way.
//!
//! So it is with ways on (forwards, groups, gateways) and with answers of people who are away: each
//! is a word of its own beside the people's. A way that ends needs no record, but to come back it
//! does.
//!
//! Kept are keyed hashes: the file names nobody.

use crate::Fault;
use crate::journal::{Journal, Records};
use crate::sums::{Chain, Contents};
use evidence::{Body, Frame};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use terms::{Cursor, TenantId, UserId};
use unseal::SecretsKey;
use wire::directory::{self, Onward, Path as Way, Statement};
use wire::post::Hop;
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
    /// The same people, but their mail would go on, or be answered, as it was not before; the
    /// change has to be recorded likewise.
    Onward {
        what: String,
    },
    Full,
}

/// What stands where an address has nothing of its kind any more.
const NOTHING: Token = [0; TOKEN_BYTES];
const NOBODY: UserId = UserId([0; 8]);
/// Who has an address, and who may write as one that several have: where it is kept, and its word.
const PEOPLE: (&str, &str) = ("address", "standing");
const SPEAKERS: (&str, &str) = ("speakers", "speak");

/// One word about an address.
struct Said {
    place: Token,
    standing: Token,
}

/// All of them.
struct Words {
    people: Said,
    beside: Vec<Said>,
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
    /// Of a file that was weighed.
    pub fn of(key: SecretsKey, journal: Journal, contents: &Contents) -> Result<Self, Fault> {
        let (people, count, flushed) = (HashMap::new(), HashMap::new(), Instant::now());
        let mut stood = Self { key, journal, people, count, unwritten: Vec::new(), flushed };
        for (number, record) in contents.rows().enumerate() {
            let (token, known) = read(record).ok_or(Fault::Torn { at: number as u64 })?;
            stood.enter(token, known);
        }
        Ok(stood)
    }

    /// Every record has a sum from now on.
    pub fn take_sums(&mut self, key: SecretsKey) -> Result<(), Fault> {
        self.unwritten.clear();
        self.journal.take_sums(&self.rows(), key)
    }

    pub fn chain(&self) -> Option<&Chain> {
        self.journal.chain()
    }

    fn rows(&self) -> Records {
        let rows = self.people.iter().map(|(address, known)| write(address, known));
        rows.map(Zeroizing::new).collect()
    }

    pub fn weigh(&self, statement: &Statement) -> Result<Standing, Fault> {
        // It leads where its own words say, and holds no place.
        let says_all = is_way_back(statement) || is_word(statement) || is_report(statement);
        if says_all || is_own(statement) {
            return Ok(Standing::Same);
        }
        let words = self.words(statement, &statement.address)?;
        let of_tenant = self.count.get(&statement.tenant).copied().unwrap_or_default();
        Ok(match self.people.get(&words.people.place) {
            Some(known) if known.standing != words.people.standing => {
                Standing::Changed { what: word(&words.people.standing) }
            }
            Some(_) => match words.beside.iter().find(|said| !self.stands(said)) {
                Some(said) => Standing::Onward { what: word(&said.standing) },
                None => Standing::Same,
            },
            // An address that nobody ever had is the catch-all's: it needs no place of its own, or
            // whoever writes to made-up addresses would fill them all.
            None if self.is_caught(statement)? => Standing::Same,
            None if of_tenant >= OF_TENANT || self.people.len() >= ADDRESSES => Standing::Full,
            None => Standing::New,
        })
    }

    fn stands(&self, said: &Said) -> bool {
        self.people.get(&said.place).is_some_and(|known| known.standing == said.standing)
    }

    /// Whether others than this person stand behind an address. First words are believed.
    pub fn is_another_s(
        &self,
        address: &str,
        tenant: TenantId,
        user: UserId,
    ) -> Result<bool, Fault> {
        let people = self.people_of(PEOPLE, (address, tenant), &mut [user])?;
        Ok(self.people.contains_key(&people.place) && !self.stands(&people))
    }

    /// Whether somebody of this tenant's was named for an address, or it was a mailing list's: now,
    /// or before.
    pub fn is_known(&self, address: &str, tenant: TenantId) -> Result<bool, Fault> {
        let nobody = self.people_of(PEOPLE, (address, tenant), &mut [])?;
        let known = self.people.get(&nobody.place).filter(|known| known.tenant == tenant);
        let was_somebody_s = known.is_some_and(|known| known.standing != nobody.standing);
        Ok(was_somebody_s || self.stands(&self.ways((address, tenant), &[], vec![list_word()])?))
    }

    /// Whether it was said of an address that its tenant has nobody behind it, and passes it on.
    pub fn is_nobody_s(&self, address: &str, tenant: TenantId) -> Result<bool, Fault> {
        Ok(self.stands(&self.people_of(PEOPLE, (address, tenant), &mut [])?))
    }

    /// Whether it says of its address what was said of the domain's catch-all.
    pub fn is_caught(&self, statement: &Statement) -> Result<bool, Fault> {
        let domain = statement.address.rsplit_once('@').map(|(_, domain)| domain);
        let Some(caught) = domain.map(directory::catch_all) else { return Ok(false) };
        let words = self.words(statement, &caught)?;
        Ok(self.stands(&words.people) && words.beside.iter().all(|said| self.stands(said)))
    }

    /// Believes a first word.
    pub fn learn(&mut self, statement: &Statement) -> Result<(), Fault> {
        let words = self.words(statement, &statement.address)?;
        for Said { place, standing } in std::iter::once(words.people).chain(words.beside) {
            let known = Known { tenant: statement.tenant, standing, entry: 0 };
            self.unwritten.push(write(&place, &known));
            self.enter(place, known);
        }
        Ok(())
    }

    /// What an address that stands no longer says counts no more: said again, it is a change.
    pub fn settle(&mut self, statement: &Statement) -> Result<(), Fault> {
        let ended =
            [("onward", statement.onward.is_empty()), ("absence", statement.absence.is_none())];
        for (purpose, _) in ended.iter().filter(|(_, is_ended)| *is_ended) {
            let place = self.token(purpose, statement.address.as_bytes())?;
            let Some(known) = self.people.get(&place) else { continue };
            if known.standing == NOTHING {
                continue;
            }
            let known = Known { tenant: known.tenant, standing: NOTHING, entry: known.entry };
            self.unwritten.push(write(&place, &known));
            self.enter(place, known);
        }
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
        let what = changed(entry).filter(|(tenant, _)| *tenant == statement.tenant);
        let what = what.map(|(_, what)| what);
        let words = self.words(statement, &statement.address)?;
        let mut all = std::iter::once(words.people).chain(words.beside);
        let wanted = all.find(|said| what.as_deref() == Some(word(&said.standing).as_str()));
        match wanted {
            Some(said) => self.stand_by(said, statement.tenant, place),
            None => Ok(false),
        }
    }

    /// What is recorded at `place` stands from now on, unless it is older than what stands.
    fn stand_by(&mut self, said: Said, tenant: TenantId, place: u64) -> Result<bool, Fault> {
        let Said { place: address, standing } = said;
        let is_newer = self.people.get(&address).is_none_or(|known| place > known.entry);
        if !is_newer {
            return Ok(false);
        }
        self.keep(address, Known { tenant, standing, entry: place })?;
        Ok(true)
    }

    fn keep(&mut self, address: Token, known: Known) -> Result<(), Fault> {
        self.flush()?;
        self.journal.append(&[write(&address, &known)])?;
        self.enter(address, known);
        Ok(())
    }

    /// These people, and nobody else, may write as an address that several have. `entry`: what is
    /// proven to stand in the ledger, and where. That nobody may any more needs no record; to come
    /// back it does.
    pub fn speak(
        &mut self,
        (address, tenant): (&str, TenantId),
        speakers: &mut [UserId],
        entry: Option<(&[u8], u64)>,
    ) -> Result<Standing, Fault> {
        let said = self.people_of(SPEAKERS, (address, tenant), speakers)?;
        let known = self.people.get(&said.place);
        if speakers.is_empty() {
            if let Some(entry) = known.filter(|one| one.standing != NOTHING).map(|one| one.entry) {
                self.keep(said.place, Known { tenant, standing: NOTHING, entry })?;
            }
            return Ok(Standing::Same);
        }
        if self.stands(&said) {
            return Ok(Standing::Same);
        }
        let of_tenant = self.count.get(&tenant).copied().unwrap_or_default();
        if known.is_none() && (of_tenant >= OF_TENANT || self.people.len() >= ADDRESSES) {
            return Ok(Standing::Full);
        }
        let what = word(&said.standing);
        let recorded = entry.filter(|(entry, _)| {
            changed(entry).is_some_and(|(of, word)| of == tenant && word == what)
        });
        if let Some((_, place)) = recorded
            && self.stand_by(said, tenant, place)?
        {
            return Ok(Standing::Same);
        }
        Ok(Standing::Changed { what })
    }

    /// Whether it is recorded of an address that these, and nobody else, may write as it.
    pub fn may_speak(
        &self,
        (address, tenant): (&str, TenantId),
        speakers: &mut [UserId],
    ) -> Result<bool, Fault> {
        Ok(!speakers.is_empty()
            && self.stands(&self.people_of(SPEAKERS, (address, tenant), speakers)?))
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
        self.journal.rewrite(&self.rows())
    }

    fn enter(&mut self, address: Token, known: Known) {
        let tenant = known.tenant;
        let before = self.people.insert(address, known).map(|known| known.tenant);
        if let Some(count) = before.and_then(|before| self.count.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        *self.count.entry(tenant).or_default() += 1;
    }

    /// What a statement says, as if it were said of `address`.
    fn words(&self, statement: &Statement, address: &str) -> Result<Words, Fault> {
        let tenant = statement.tenant;
        let mut all = people(statement);
        let people = self.people_of(PEOPLE, (address, tenant), &mut all)?;
        let mut beside = Vec::new();
        if !statement.onward.is_empty() {
            let mut kept: Vec<UserId> = statement.recipients.iter().map(|one| one.user).collect();
            kept.sort_unstable();
            let ways = statement.onward.iter().map(|way| way_word(way, &statement.address));
            beside.push(self.ways((address, tenant), &kept, ways.collect())?);
        }
        if let Some(absence) = &statement.absence {
            let (subject, text) = (absence.subject.as_bytes(), absence.text.as_bytes());
            let front = [address.as_bytes(), b"\0", &tenant.0, &absence.user.0].concat();
            let whole = [&front, subject, b"\0", text].concat();
            beside.push(self.said(("absence", "answer"), address, &whole)?);
        }
        Ok(Words { people, beside })
    }

    /// Ways on of an address, in one order, beside those who keep its mail.
    fn ways(
        &self,
        (address, tenant): (&str, TenantId),
        kept: &[UserId],
        mut ways: Vec<String>,
    ) -> Result<Said, Fault> {
        let mut whole = [address.as_bytes(), b"\0", &tenant.0].concat();
        kept.iter().for_each(|user| whole.extend_from_slice(&user.0));
        ways.sort_unstable();
        ways.iter().for_each(|way| whole.extend_from_slice(format!("\0{way}").as_bytes()));
        self.said(("onward", "ways"), address, &whole)
    }

    /// People of an address, in one order whoever named them.
    fn people_of(
        &self,
        place: (&str, &str),
        (address, tenant): (&str, TenantId),
        people: &mut [UserId],
    ) -> Result<Said, Fault> {
        people.sort_unstable();
        let mut whole = [address.as_bytes(), b"\0", &tenant.0].concat();
        people.iter().for_each(|user| whole.extend_from_slice(&user.0));
        self.said(place, address, &whole)
    }

    fn said(
        &self,
        (place, what): (&str, &str),
        address: &str,
        whole: &[u8],
    ) -> Result<Said, Fault> {
        let place = self.token(place, address.as_bytes())?;
        Ok(Said { place, standing: self.token(what, whole)? })
    }

    fn token(&self, purpose: &str, of: &[u8]) -> Result<Token, Fault> {
        let whole = self.key.verifier(purpose, of).map_err(Fault::Key)?;
        let (token, _) = whole.split_first_chunk().ok_or(Fault::Torn { at: 0 })?;
        Ok(*token)
    }
}

/// Of which tenant a recorded change is, and its word.
fn changed(entry: &[u8]) -> Option<(TenantId, String)> {
    let frame = Frame::parse(entry)?;
    match &frame.entry.body {
        Body::RuleChange { what, tenant: Some(tenant), .. } => {
            Some((*tenant, what.as_str().to_owned()))
        }
        _ => None,
    }
}

/// Everybody whose address it is: those who keep its mail, and those in whose name it goes on.
fn people(statement: &Statement) -> Vec<UserId> {
    let kept = statement.recipients.iter().map(|one| one.user);
    let onward = statement.onward.iter().map(|way| way.user).filter(|user| *user != NOBODY);
    let mut people: Vec<UserId> = kept.chain(onward).collect();
    people.sort_unstable();
    people.dedup();
    people
}

/// A way without the hop that follows from its address or its tenant's settings. A gateway's is
/// the same for each address of its domain.
fn way_word(way: &Onward, address: &str) -> String {
    let to = if way.to == address { "" } else { &way.to };
    let host = match (&way.hop, way.path) {
        (Hop::Host { tls, .. }, Way::AsItCame) => format!("{} {tls:?}", way.hop.word()),
        _ => String::new(),
    };
    format!("{} {:?} {to} {host}", way.user, way.path)
}

/// The way of every list's address.
fn list_word() -> String {
    let way = Onward { user: NOBODY, to: String::new(), hop: Hop::List, path: Way::List };
    way_word(&way, &way.to)
}

/// A bounce on its way back to a sender whose mail was passed on.
pub(crate) fn is_way_back(statement: &Statement) -> bool {
    statement.onward.iter().any(|way| way.path == Way::Null)
}

/// A word about a list's subscription, which leads nowhere.
pub(crate) fn is_word(statement: &Statement) -> bool {
    statement.onward.iter().any(|way| way.path == Way::Word)
}

/// One person's own mailbox, by the name that says whose it is, and nothing else.
pub(crate) fn is_own(statement: &Statement) -> bool {
    let [only] = statement.recipients.as_slice() else { return false };
    let name = directory::own_mailbox(statement.tenant, only.user);
    statement.address == name && statement.onward.is_empty() && statement.absence.is_none()
}

/// Where reports of others are taken while nobody has the address: mail goes nowhere from there.
fn is_report(statement: &Statement) -> bool {
    statement.onward.iter().any(|way| way.path == Way::Report)
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
    use super::{Onward, Standing, Stood, Way};
    use evidence::{Author, Body, Word};
    use terms::{InstanceId, Kind, TenantId, UserId};
    use unseal::{RootKey, SecretsKey};
    use wire::directory::{Absence, PublicKey, Recipient, Statement, TenantSettings};
    use wire::post::{Hop, HopTls};

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
        let (journal, contents) = crate::journal::Journal::open(&folder.join("stood")).unwrap();
        let key = SecretsKey::of(&root, "standing").unwrap();
        Stood::of(key, journal, &contents).unwrap()
    }

    fn entry(what: &str, tenant: u8) -> Vec<u8> {
        let tenant = Some(TenantId([tenant; 8]));
        let body = Body::RuleChange {
            what: Word::new(what),
            tenant,
            user: None,
            weakened: None,
            by: None,
            credential: None,
        };
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
    fn who_writes_as_an_address_of_several_is_recorded() {
        let folder = scratch("speakers");
        let mut stood = open(&folder);
        let desk = ("desk@a.example", TenantId([1; 8]));
        let users = |users: &[u8]| users.iter().map(|user| UserId([*user; 8])).collect::<Vec<_>>();
        stood.learn(&statement(desk.0, 1, &[1, 2, 3])).unwrap();
        let may = |stood: &Stood, who: &[u8]| stood.may_speak(desk, &mut users(who)).unwrap();
        let speak = |stood: &mut Stood, who: &[u8], entry: Option<(&[u8], u64)>| {
            stood.speak(desk, &mut users(who), entry).unwrap()
        };
        assert!(!may(&stood, &[1]) && !may(&stood, &[]));
        let Standing::Changed { what } = speak(&mut stood, &[1, 2], None) else { panic!() };
        // By an entry of these very words and this tenant, which is newer than the last.
        let wrong = [entry("group.share", 1), entry(&what, 2)];
        for wrong in &wrong {
            let found = speak(&mut stood, &[2, 1], Some((wrong, 40)));
            assert!(matches!(found, Standing::Changed { .. }));
        }
        let right = entry(&what, 1);
        let other = stood.speak(desk, &mut users(&[1, 3]), Some((&right, 40))).unwrap();
        assert!(matches!(other, Standing::Changed { .. }));
        assert_eq!(speak(&mut stood, &[2, 1], Some((&right, 40))), Standing::Same);
        drop(stood);
        let mut stood = open(&folder);
        assert!(may(&stood, &[1, 2]) && !may(&stood, &[1]) && !may(&stood, &[1, 2, 3]));
        // It stays an address of several, which nobody has alone.
        assert!(stood.is_another_s(desk.0, desk.1, UserId([1; 8])).unwrap());
        // What ended comes back by a record of its own.
        assert_eq!(speak(&mut stood, &[], None), Standing::Same);
        drop(stood);
        let mut stood = open(&folder);
        assert!(!may(&stood, &[1, 2]));
        let old = speak(&mut stood, &[1, 2], Some((&right, 40)));
        assert!(matches!(old, Standing::Changed { .. }));
        assert_eq!(speak(&mut stood, &[1, 2], Some((&right, 41))), Standing::Same);
        stood.forget(TenantId([1; 8])).unwrap();
        assert!(!may(&stood, &[1, 2]));
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

    #[test]
    fn an_address_that_was_a_list_s_is_remembered() {
        let folder = scratch("lists");
        let mut stood = open(&folder);
        let way =
            |to: &str, hop, path| Onward { user: UserId([0; 8]), to: to.to_owned(), hop, path };
        let mut list = statement("team@a.example", 1, &[]);
        list.onward.push(way("team@a.example", Hop::List, Way::List));
        let host = Hop::Domain("a.example".to_owned());
        let mut relayed = statement("ben@a.example", 1, &[]);
        relayed.onward.push(way("ben@a.example", host, Way::AsItCame));
        for said in [&list, &relayed] {
            stood.learn(said).unwrap();
        }
        stood.flush().unwrap();
        drop(stood);
        let stood = open(&folder);
        let is_known =
            |address: &str, tenant| stood.is_known(address, TenantId([tenant; 8])).unwrap();
        assert!(is_known("team@a.example", 1));
        assert!(!is_known("team@a.example", 2));
        // Whose server had a domain's mail is asked of the domain.
        assert!(!is_known("ben@a.example", 1));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    fn scratch(name: &str) -> std::path::PathBuf {
        let name = format!("vault-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn way(user: u8, to: &str, hop: Hop, path: Way) -> Onward {
        Onward { user: UserId([user; 8]), to: to.to_owned(), hop, path }
    }

    fn outside(user: u8, to: &str) -> Onward {
        way(user, to, Hop::Domain("x.example".to_owned()), Way::Rewritten)
    }

    /// `-`: nothing to record; else whose mail would go elsewhere, and the word for it.
    fn weighed(stood: &Stood, statement: &Statement) -> (&'static str, String) {
        match stood.weigh(statement).unwrap() {
            Standing::Same => ("same", String::new()),
            Standing::New => ("new", String::new()),
            Standing::Full => ("full", String::new()),
            Standing::Changed { what } => ("others", what),
            Standing::Onward { what } => ("onward", what),
        }
    }

    #[test]
    fn a_way_on_counts_only_against_its_record() {
        let folder = scratch("onward");
        let mut stood = open(&folder);
        let own = statement("aoi@a.example", 1, &[1]);
        stood.learn(&own).unwrap();
        let with = |users: &[u8], onward: Vec<Onward>| Statement {
            onward,
            ..statement("aoi@a.example", 1, users)
        };
        let kept = with(&[1], vec![outside(1, "aoi@x.example")]);
        let (found, what) = weighed(&stood, &kept);
        assert_eq!(found, "onward");
        assert!(!stood.change(&kept, &entry("user.forward", 1), 40).unwrap());
        assert!(!stood.change(&kept, &entry(&what, 2), 40).unwrap());
        assert!(stood.change(&kept, &entry(&what, 1), 40).unwrap());
        drop(stood);
        let mut stood = open(&folder);
        let check = |stood: &Stood, said: &Statement, expected| {
            assert_eq!(weighed(stood, said).0, expected);
        };
        check(&stood, &kept, "same");
        check(&stood, &own, "same");
        // Elsewhere, to more, or without keeping: each is another way.
        check(&stood, &with(&[1], vec![outside(1, "eve@x.example")]), "onward");
        check(&stood, &with(&[], vec![outside(1, "aoi@x.example")]), "onward");
        let two = vec![outside(1, "aoi@x.example"), outside(1, "b@x.example")];
        check(&stood, &with(&[1], two), "onward");
        check(&stood, &with(&[1], vec![outside(2, "aoi@x.example")]), "others");
        // By the tenant's smart host it is the same way.
        let tls = HopTls::StartTls;
        let host = Hop::Host { name: "relay.example".to_owned(), port: 587, tls };
        let by_host = way(1, "aoi@x.example", host, Way::Rewritten);
        check(&stood, &with(&[1], vec![by_host]), "same");
        // They still write as themselves.
        let (tenant, user) = (TenantId([1; 8]), UserId([1; 8]));
        assert!(!stood.is_another_s("aoi@a.example", tenant, user).unwrap());
        assert!(stood.is_another_s("aoi@a.example", tenant, UserId([2; 8])).unwrap());
        // A way that ended comes back by a record of its own, newer than the last.
        stood.settle(&own).unwrap();
        stood.flush().unwrap();
        drop(stood);
        let mut stood = open(&folder);
        check(&stood, &kept, "onward");
        assert!(!stood.change(&kept, &entry(&what, 1), 40).unwrap());
        assert!(stood.change(&kept, &entry(&what, 1), 41).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_answer_counts_only_against_its_record() {
        let folder = scratch("absence");
        let mut stood = open(&folder);
        let own = statement("aoi@a.example", 1, &[1]);
        stood.learn(&own).unwrap();
        let away = |text: &str| Statement {
            absence: Some(Absence {
                user: UserId([1; 8]),
                subject: "Away".to_owned(),
                text: text.to_owned(),
            }),
            ..statement("aoi@a.example", 1, &[1])
        };
        let (found, what) = weighed(&stood, &away("until Monday"));
        assert_eq!(found, "onward");
        assert!(stood.change(&away("until Monday"), &entry(&what, 1), 40).unwrap());
        assert_eq!(weighed(&stood, &away("until Monday")).0, "same");
        assert_eq!(weighed(&stood, &away("send me money")).0, "onward");
        stood.settle(&own).unwrap();
        assert_eq!(weighed(&stood, &own).0, "same");
        assert_eq!(weighed(&stood, &away("until Monday")).0, "onward");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_gateway_s_addresses_go_to_its_server_and_hold_no_place() {
        let folder = scratch("gateway");
        let mut stood = open(&folder);
        let to = |address: &str, host: &str, tls| {
            let hop = Hop::Host { name: host.to_owned(), port: 25, tls };
            let onward = vec![way(0, address, hop, Way::AsItCame)];
            Statement { onward, ..statement(address, 1, &[]) }
        };
        let check = |stood: &Stood, said: &Statement, expected| {
            assert_eq!(weighed(stood, said).0, expected);
        };
        let own = to("*@a.example", "own.example", HopTls::StartTls);
        check(&stood, &to("x@a.example", "own.example", HopTls::StartTls), "new");
        stood.learn(&own).unwrap();
        check(&stood, &to("x@a.example", "own.example", HopTls::StartTls), "same");
        check(&stood, &to("x@b.example", "own.example", HopTls::StartTls), "new");
        check(&stood, &to("x@a.example", "evil.example", HopTls::StartTls), "new");
        check(&stood, &to("*@a.example", "evil.example", HopTls::StartTls), "onward");
        check(&stood, &to("*@a.example", "own.example", HopTls::IfOffered), "onward");
        // A bounce on its way back holds none either.
        let domain = Hop::Domain("x.example".to_owned());
        let back = vec![way(0, "bob@x.example", domain, Way::Null)];
        let back = Statement { onward: back, ..statement("srs0=a=b=c=d@a.example", 1, &[]) };
        check(&stood, &back, "same");
        // A person's own mailbox is theirs by its name, and neither another's nor led on.
        let name = wire::directory::own_mailbox(TenantId([1; 8]), UserId([1; 8]));
        check(&stood, &statement(&name, 1, &[1]), "same");
        assert!(wire::directory::is_own_mailbox(&name));
        for (tenant, users) in [(1, &[2][..]), (2, &[1]), (1, &[1, 2]), (1, &[])] {
            assert!(!super::is_own(&statement(&name, tenant, users)));
        }
        let led = vec![outside(1, "aoi@x.example")];
        assert!(!super::is_own(&Statement { onward: led, ..statement(&name, 1, &[1]) }));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
