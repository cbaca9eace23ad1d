//! Mailing lists as sealed rows: one for each list, one for each subscription, and letters that
//! wait for the queue.
//!
//! A subscription's token is its row's name and a keyed hash over what is drawn anew whenever
//! somebody is taken in: an old token is worth nothing once its subscription is over, and each
//! word (leaving, returned mail) has its own.

use crate::Fault;
use crate::tables::{Tables, seal, unseal};
use compartment::now_ms;
use data_encoding::BASE32_NOPAD;
use rows::RowKey;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use terms::TenantId;
use wire::lists::{self, Language, MEMBERS, Posting, Word};

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS list (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscription (
  token BLOB PRIMARY KEY, list BLOB NOT NULL, tenant BLOB NOT NULL,
  sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS subscription_list ON subscription (list);
CREATE TABLE IF NOT EXISTS ended_link (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, day INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ended_link_day ON ended_link (day);
CREATE TABLE IF NOT EXISTS letter (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
";

/// A row's name, then so much of the keyed hash that nobody guesses it.
const NAME_BYTES: usize = 16;
const PROOF_BYTES: usize = 8;
/// Subscriptions that are over are known by their tokens so long: a mail program may put the same
/// question twice, and a reader press the button in an old mail. About 20 MB.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const OVER_DAYS: i64 = 400;
const OVERS: i64 = 200_000;
/// Letters that wait while the queue is away: a day's of a large installation, about 5 MB.
const LETTERS: u64 = 10_000;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ListRow {
    pub address: String,
    pub name: String,
    pub posting: Posting,
    pub language: Language,
    pub bytes: u64,
    pub owners: Vec<String>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRow {
    /// Whose list.
    pub list: String,
    pub address: String,
    pub since_ms: u64,
    /// Drawn when they were taken in.
    pub nonce: [u8; 16],
    /// Mail that came back lately, and when the last did.
    pub returned: u32,
    pub returned_ms: u64,
    pub suspended_ms: Option<u64>,
}

/// What the house writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LetterRow {
    pub what: Telling,
    pub to: String,
    pub list: String,
    pub name: String,
    pub language: Language,
    pub at_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Telling {
    /// To whoever was a member.
    Left,
    /// To an owner: nothing is sent to this member any more.
    Suspended { member: String },
    /// To somebody outside who wants to hear how TLS with their domain fared. It is no list's
    /// letter: `list` is the address that it is from, and `name` the tenant's.
    TlsReport { about: String, id: String, time: (u64, u64), packed: Vec<u8> },
    /// To a person: mail for them goes on to others since, or (where `to` is nobody) is answered
    /// with this text. `stood`: the statement and its signature by which their mailbox is found.
    Redirected { to: Vec<String>, keep: bool, answer: String, stood: (Vec<u8>, Vec<u8>) },
    /// To a list's owners: this member did not get a message, and why (a word of `notice::Reason`).
    Undelivered { member: String, why: String },
}

pub type Token = [u8; NAME_BYTES];

/// The name of a subscription's row, of an address in the spelling that `Tables::member_place`
/// takes: outside, a letter's case may mean something, and is no second person all the same.
pub fn place(key: &RowKey, list: &str, member: &str) -> Token {
    key.token("subscription", format!("{list}\0{member}").as_bytes())
}

/// What stands behind a word in an address, or as a link's token.
pub fn token(key: &RowKey, word: Word, place: &Token, row: &MemberRow) -> Vec<u8> {
    let whole = [word.front().as_bytes(), b"\0", place, &row.nonce].concat();
    let proof = key.token("subscription-word", &whole);
    [&place[..], proof.get(..PROOF_BYTES).unwrap_or_default()].concat()
}

/// What is left of the link by which a subscription is ended, once it is over.
fn way_off(key: &RowKey, place: &Token, row: &MemberRow) -> Token {
    key.token("ended-link", &token(key, Word::Unsubscribe, place, row))
}

/// Knows these links as ones that have served, with the change that ends their subscriptions.
fn keep_over(change: &Connection, of: TenantId, links: &[Token]) -> Result<(), Fault> {
    let fault = Fault::store("keeping what is over");
    let today = i64::try_from(now_ms() / DAY_MS).unwrap_or(i64::MAX);
    let old = today.saturating_sub(OVER_DAYS);
    change.execute("DELETE FROM ended_link WHERE day < ?1", params![old]).map_err(&fault)?;
    let known: i64 = change
        .query_row("SELECT COUNT(*) FROM ended_link", (), |row| row.get(0))
        .map_err(&fault)?;
    if known >= OVERS {
        let oldest = "DELETE FROM ended_link WHERE day = (SELECT MIN(day) FROM ended_link)";
        change.execute(oldest, ()).map_err(&fault)?;
    }
    let insert = "INSERT OR REPLACE INTO ended_link (token, tenant, day) VALUES (?1, ?2, ?3)";
    let mut insert = change.prepare_cached(insert).map_err(&fault)?;
    for link in links {
        insert.execute(params![&link[..], &of.0[..], today]).map_err(&fault)?;
    }
    Ok(())
}

/// The address that is this word about this subscription.
pub fn word_address(key: &RowKey, word: Word, place: &Token, row: &MemberRow) -> String {
    let token = BASE32_NOPAD.encode(&token(key, word, place, row)).to_ascii_lowercase();
    let domain = row.list.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    format!("{}{token}@{domain}", word.front())
}

/// With this the members of a list are told, on that day and for as long as mail is carried.
pub fn permit(key: &RowKey, list: &str, day: u64) -> Token {
    key.token("list-permit", format!("{list} {day}").as_bytes())
}

impl Tables {
    pub fn list(&self, key: &RowKey, address: &str) -> Result<Option<(TenantId, ListRow)>, Fault> {
        let token = key.token("list", address.as_bytes());
        let found = self.one("SELECT tenant, sealed FROM list WHERE token = ?1", &token)?;
        Ok(found.and_then(|(tenant, sealed)| {
            Some((TenantId::from_slice(&tenant)?, unseal(key, "list", &token, &sealed)?))
        }))
    }

    /// The list whose owners have this address.
    pub fn owned(&self, key: &RowKey, address: &str) -> Result<Option<(TenantId, ListRow)>, Fault> {
        let named = address.rsplit_once('@').and_then(|(local, domain)| {
            Some(format!("{}@{domain}", local.strip_suffix(lists::OWNER)?))
        });
        named.map_or(Ok(None), |list| self.list(key, &list))
    }

    /// By address.
    pub fn lists(&self, key: &RowKey) -> Result<Vec<(TenantId, ListRow)>, Fault> {
        let rows = self.many("SELECT token, sealed FROM list", &[])?;
        let mut lists = Vec::with_capacity(rows.len());
        for (token, sealed) in rows {
            let found = self.one("SELECT tenant, token FROM list WHERE token = ?1", &token)?;
            let tenant = found.and_then(|(tenant, _)| TenantId::from_slice(&tenant));
            lists.extend(tenant.zip(unseal(key, "list", &token, &sealed)));
        }
        lists.sort_by(|(_, one): &(_, ListRow), (_, other)| one.address.cmp(&other.address));
        Ok(lists)
    }

    pub fn keep_list(&self, key: &RowKey, of: TenantId, row: &ListRow) -> Result<(), Fault> {
        let token = key.token("list", row.address.as_bytes());
        let sealed = seal(key, "list", &token, row)?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO list (token, tenant, sealed) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut insert| insert.execute(params![&token[..], &of.0[..], sealed]))
            .map_err(Fault::store("keeping a list"))?;
        Ok(())
    }

    /// The list and all its subscriptions.
    pub fn drop_list(&mut self, key: &RowKey, address: &str) -> Result<(), Fault> {
        let token = key.token("list", address.as_bytes());
        let of = self.list(key, address)?.map(|(of, _)| of);
        let members = self.members(key, address, (None, MEMBERS))?;
        let links = members.iter().map(|(place, row)| way_off(key, place, row));
        let fault = Fault::store("taking a list away");
        let change = self.db.transaction().map_err(&fault)?;
        if let Some(of) = of {
            keep_over(&change, of, &links.collect::<Vec<_>>())?;
        }
        for sql in [
            "DELETE FROM subscription WHERE list = ?1",
            "DELETE FROM undelivered WHERE list = ?1",
            "DELETE FROM list WHERE token = ?1",
        ] {
            change.execute(sql, (&token[..],)).map_err(&fault)?;
        }
        change.commit().map_err(&fault)
    }

    pub fn member(
        &self,
        key: &RowKey,
        place: &[u8],
    ) -> Result<Option<(TenantId, MemberRow)>, Fault> {
        let sql = "SELECT tenant, sealed FROM subscription WHERE token = ?1";
        let found = self.one(sql, place)?;
        Ok(found.and_then(|(tenant, sealed)| {
            Some((TenantId::from_slice(&tenant)?, unseal(key, "subscription", place, &sealed)?))
        }))
    }

    /// Members in the order of their rows, behind `after`.
    pub fn members(
        &self,
        key: &RowKey,
        list: &str,
        (after, most): (Option<Token>, usize),
    ) -> Result<Vec<(Token, MemberRow)>, Fault> {
        let of = key.token("list", list.as_bytes());
        let after = after.map(|after| after.to_vec()).unwrap_or_default();
        let most = most.to_string();
        let sql = "SELECT token, sealed FROM subscription WHERE list = ?1 AND token > ?2
                   ORDER BY token LIMIT CAST(CAST(?3 AS TEXT) AS INTEGER)";
        let rows = self.many(sql, &[&of, &after, most.as_bytes()])?;
        Ok(rows
            .into_iter()
            .filter_map(|(token, sealed)| {
                let row = unseal(key, "subscription", &token, &sealed)?;
                Some((token.try_into().ok()?, row))
            })
            .collect())
    }

    pub fn count_members(&self, key: &RowKey, list: &str) -> Result<u64, Fault> {
        let of = key.token("list", list.as_bytes());
        self.count_rows("SELECT COUNT(*) FROM subscription WHERE list = ?1", params![&of[..]])
    }

    pub fn keep_member(&self, key: &RowKey, of: TenantId, row: &MemberRow) -> Result<(), Fault> {
        let place = self.member_place(key, &row.list, &row.address)?;
        let list = key.token("list", row.list.as_bytes());
        let sealed = seal(key, "subscription", &place, row)?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO subscription (token, list, tenant, sealed)
                 VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| {
                insert.execute(params![&place[..], &list[..], &of.0[..], sealed])
            })
            .map_err(Fault::store("keeping a subscription"))?;
        Ok(())
    }

    /// Whether there was one. Its link is known as one that has served.
    pub fn drop_member(&mut self, key: &RowKey, place: &Token) -> Result<bool, Fault> {
        let Some((of, row)) = self.member(key, place)? else { return Ok(false) };
        let fault = Fault::store("ending a subscription");
        let change = self.db.transaction().map_err(&fault)?;
        keep_over(&change, of, &[way_off(key, place, &row)])?;
        let gone = change
            .prepare_cached("DELETE FROM subscription WHERE token = ?1")
            .and_then(|mut delete| delete.execute(params![&place[..]]))
            .map_err(&fault)?;
        change
            .execute("DELETE FROM undelivered WHERE token = ?1", params![&place[..]])
            .map_err(&fault)?;
        change.commit().map_err(&fault)?;
        Ok(gone > 0)
    }

    /// Whether a link was the way off a list, and its subscription is over. It is the same whether
    /// they are a member again by now, which is nobody's to learn who has an old link.
    pub fn is_over(&self, key: &RowKey, said: &[u8]) -> Result<bool, Fault> {
        Ok(self
            .one(
                "SELECT token, tenant FROM ended_link WHERE token = ?1",
                &key.token("ended-link", said),
            )?
            .is_some())
    }

    /// The subscription that a token is a word about. `None`: it is forged, or its subscription
    /// over.
    pub fn meant(
        &self,
        key: &RowKey,
        word: Word,
        said: &[u8],
    ) -> Result<Option<(TenantId, Token, MemberRow)>, Fault> {
        let Some((place, _)) = said.split_first_chunk::<NAME_BYTES>() else { return Ok(None) };
        let Some((tenant, row)) = self.member(key, place)? else { return Ok(None) };
        let is_it = token(key, word, place, &row) == said;
        Ok(is_it.then_some((tenant, *place, row)))
    }

    /// The same by an address (canonical).
    pub fn meant_by(
        &self,
        key: &RowKey,
        address: &str,
    ) -> Result<Option<(TenantId, Token, MemberRow)>, Fault> {
        let Some(word) = lists::word(address) else { return Ok(None) };
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        let letters = local.strip_prefix(word.front()).unwrap_or_default();
        let Ok(said) = BASE32_NOPAD.decode(letters.to_ascii_uppercase().as_bytes()) else {
            return Ok(None);
        };
        let found = self.meant(key, word, &said)?;
        let is_of = |row: &MemberRow| row.list.rsplit_once('@').is_some_and(|(_, of)| of == domain);
        Ok(found.filter(|(_, _, row)| is_of(row)))
    }

    // ---- letters -------------------------------------------------------------------------------

    /// Keeps a letter for the queue. Too many wait: nobody is told, and nothing else is lost.
    pub fn keep_letter(&self, key: &RowKey, of: TenantId, row: &LetterRow) -> Result<(), Fault> {
        if self.count_letters()? >= LETTERS {
            return Ok(());
        }
        let token: Token = compartment::random();
        let sealed = seal(key, "letter", &token, row)?;
        self.db
            .prepare_cached("INSERT INTO letter (token, tenant, sealed) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![&token[..], &of.0[..], sealed]))
            .map_err(Fault::store("keeping a letter"))?;
        Ok(())
    }

    pub fn count_letters(&self) -> Result<u64, Fault> {
        self.count_rows("SELECT COUNT(*) FROM letter", ())
    }

    /// The next letter; one that does not open is none, and goes.
    pub fn next_letter(&self, key: &RowKey) -> Result<Option<(Token, TenantId, LetterRow)>, Fault> {
        loop {
            let rows = self.many("SELECT token, sealed FROM letter LIMIT 1", &[])?;
            let Some((token, sealed)) = rows.into_iter().next() else { return Ok(None) };
            let found = self.one("SELECT tenant, token FROM letter WHERE token = ?1", &token)?;
            let tenant = found.and_then(|(tenant, _)| TenantId::from_slice(&tenant));
            let row: Option<LetterRow> = unseal(key, "letter", &token, &sealed);
            let place: Option<Token> = token.as_slice().try_into().ok();
            match (place, tenant, row) {
                (Some(place), Some(tenant), Some(row)) => return Ok(Some((place, tenant, row))),
                _ => self.drop_letter(&token)?,
            }
        }
    }

    pub fn drop_letter(&self, token: &[u8]) -> Result<(), Fault> {
        self.db
            .prepare_cached("DELETE FROM letter WHERE token = ?1")
            .and_then(|mut delete| delete.execute(params![token]))
            .map_err(Fault::store("taking a letter away"))?;
        Ok(())
    }
}
