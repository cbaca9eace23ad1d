//! What a list's members did not get although their addresses are there: it was too large for their
//! server, or asked for what that has not. Counted for each member; the owners hear of the first of
//! a day, and find the others with their counts in `list show`.

use crate::Fault;
use crate::changes::Changes;
use crate::list_mail::letter;
use crate::lists::{Telling, Token};
use crate::tables::{Tables, seal, unseal};
use notice::Reason;
use rows::RowKey;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use terms::TenantId;
use wire::lists::{self, Answer, Word};

/// Tables of this file; see `tables` for the others. One row for each member that missed
/// something, and one for each list, of when its owners were told.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS undelivered (
  token BLOB PRIMARY KEY, list BLOB NOT NULL, tenant BLOB NOT NULL,
  sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS undelivered_list ON undelivered (list);
";

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Counted anew when nothing was missed for so long, as what comes back is.
const FORGIVEN_MS: u64 = 30 * DAY_MS;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    pub many: u32,
    pub at_ms: u64,
    /// A word of [`Reason`].
    pub why: String,
}

impl Tables {
    /// What is known of a member (by the place of the subscription) or of a list.
    pub fn missed(&self, key: &RowKey, place: &Token) -> Result<Option<Missed>, Fault> {
        let found = self.one("SELECT token, sealed FROM undelivered WHERE token = ?1", place)?;
        Ok(found.and_then(|(token, sealed)| unseal(key, "undelivered", &token, &sealed)))
    }

    fn keep_missed(
        &self,
        key: &RowKey,
        (place, list, of): (&Token, &str, TenantId),
        missed: &Missed,
    ) -> Result<(), Fault> {
        let list = key.token("list", list.as_bytes());
        let sealed = seal(key, "undelivered", place, missed)?;
        let keep = "INSERT OR REPLACE INTO undelivered (token, list, tenant, sealed)
             VALUES (?1, ?2, ?3, ?4)";
        self.db
            .prepare_cached(keep)
            .and_then(|mut keep| keep.execute(params![&place[..], &list[..], &of.0[..], sealed]))
            .map_err(Fault::store("counting what a member did not get"))?;
        Ok(())
    }
}

impl Changes<'_> {
    /// A copy was not taken, though its address is there.
    pub fn undelivered(&mut self, address: &str, why: &str, now: u64) -> Result<Answer, Fault> {
        let meant = match lists::word(address) {
            Some(Word::Returned) => self.tables.meant_by(self.key, address)?,
            _ => None,
        };
        let Some((tenant, place, member)) = meant else { return Ok(Answer::Unknown) };
        // One of our own words, whatever was said.
        let why = Reason::of_word(why).word().to_owned();
        let before = self.tables.missed(self.key, &place)?;
        let lately = before.filter(|missed| now.saturating_sub(missed.at_ms) <= FORGIVEN_MS);
        let many = lately.map_or(0, |missed| missed.many).saturating_add(1);
        let missed = Missed { many, at_ms: now, why: why.clone() };
        self.tables.keep_missed(self.key, (&place, &member.list, tenant), &missed)?;
        let Some((_, list)) = self.tables.list(self.key, &member.list)? else {
            return Ok(Answer::Done);
        };
        // A post that nobody's server takes is one letter, and not one for each member.
        let told: Token = self.key.token("list-told", list.address.as_bytes());
        let last = self.tables.missed(self.key, &told)?;
        if last.is_some_and(|last| last.at_ms <= now && now - last.at_ms < DAY_MS) {
            return Ok(Answer::Done);
        }
        let what = Telling::Undelivered { member: member.address, why: why.clone() };
        let row = letter(what, lists::owner(&list.address), &list, now);
        self.tables.keep_letter(self.key, tenant, &row)?;
        let missed = Missed { many: 0, at_ms: now, why };
        self.tables.keep_missed(self.key, (&told, &list.address, tenant), &missed)?;
        Ok(Answer::Done)
    }
}
