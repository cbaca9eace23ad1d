//! People and their app passwords: tokens and ciphertext on the disk.

use crate::Fault;
use rows::RowKey;
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use terms::{TenantId, UserId};
use wire::identity::Protocol;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS person (
  user BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS app_password (
  token BLOB PRIMARY KEY, user BLOB NOT NULL, sealed BLOB NOT NULL,
  revoked INTEGER NOT NULL DEFAULT 0, last_used_ms INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decoy (token BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frozen (token BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS app_password_user ON app_password (user);
CREATE TABLE IF NOT EXISTS request (
  request BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
  token BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
";

/// One person: who they are and how a password of theirs would be checked.
#[derive(Serialize, Deserialize)]
pub struct PersonRow {
    pub tenant: TenantId,
    pub address: String,
    pub salt: Vec<u8>,
    /// The vault's HMAC over the Argon2id digest: useless without the vault.
    pub verifier: Vec<u8>,
    pub disabled: bool,
}

/// One device's app password.
#[derive(Serialize, Deserialize)]
pub struct AppPasswordRow {
    pub key: String,
    pub protocol: Protocol,
    pub device: String,
    pub verifier: Vec<u8>,
    pub made_ms: u64,
}

/// An app password with its changing parts.
pub struct Found {
    pub user: UserId,
    pub row: AppPasswordRow,
    pub revoked: bool,
    pub last_used_ms: Option<u64>,
}

/// Tables that only mark.
#[derive(Clone, Copy)]
pub enum Marks {
    Decoy,
    Frozen,
}

impl Marks {
    fn word(self) -> &'static str {
        match self {
            Self::Decoy => "decoy",
            Self::Frozen => "frozen",
        }
    }
}

pub struct Tables {
    pub(crate) db: Connection,
}

impl Tables {
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let db = Connection::open(folder.join("identity.db")).map_err(Fault::store("opening"))?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;
             PRAGMA busy_timeout=5000; PRAGMA secure_delete=ON;",
        )
        .map_err(Fault::store("preparing"))?;
        db.execute_batch(SCHEMA).map_err(Fault::store("laying out"))?;
        Ok(Self { db })
    }

    pub fn person(&self, key: &RowKey, user: UserId) -> Result<Option<PersonRow>, Fault> {
        let sealed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT sealed FROM person WHERE user = ?1")
            .and_then(|mut query| {
                query.query_row(params![&user.0[..]], |row| row.get(0)).optional()
            })
            .map_err(Fault::store("looking up a person"))?;
        Ok(sealed.and_then(|sealed| unseal(key, "person", &user.0, &sealed)))
    }

    pub fn keep_person(&self, key: &RowKey, user: UserId, row: &PersonRow) -> Result<(), Fault> {
        let sealed = seal(key, "person", &user.0, row)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO person (user, sealed) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![&user.0[..], sealed]))
            .map_err(Fault::store("keeping a person"))?;
        Ok(())
    }

    pub fn add_app_password(
        &self,
        key: &RowKey,
        user: UserId,
        row: &AppPasswordRow,
    ) -> Result<(), Fault> {
        let token = key.token("app-password", row.key.as_bytes());
        let sealed = seal(key, "app-password", &token, row)?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO app_password (token, user, sealed) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut insert| insert.execute(params![&token[..], &user.0[..], sealed]))
            .map_err(Fault::store("adding an app password"))?;
        Ok(())
    }

    pub fn app_password(&self, key: &RowKey, look_up: &str) -> Result<Option<Found>, Fault> {
        let token = key.token("app-password", look_up.as_bytes());
        let sql = "SELECT token, user, sealed, revoked, last_used_ms FROM app_password
                   WHERE token = ?1";
        Ok(self.found(key, sql, &token)?.pop())
    }

    pub fn app_passwords(&self, key: &RowKey, of: UserId) -> Result<Vec<Found>, Fault> {
        let sql = "SELECT token, user, sealed, revoked, last_used_ms FROM app_password
                   WHERE user = ?1";
        self.found(key, sql, &of.0)
    }

    fn found(&self, key: &RowKey, sql: &str, by: &[u8]) -> Result<Vec<Found>, Fault> {
        let fault = Fault::store("looking up app passwords");
        let mut query = self.db.prepare_cached(sql).map_err(&fault)?;
        let rows = query
            .query_map(params![by], |row| {
                let token: Vec<u8> = row.get(0)?;
                let user: Vec<u8> = row.get(1)?;
                let sealed: Vec<u8> = row.get(2)?;
                let last: Option<i64> = row.get(4)?;
                Ok((token, user, sealed, row.get::<_, bool>(3)?, last))
            })
            .map_err(&fault)?;
        let mut all = Vec::new();
        for row in rows {
            let (token, user, sealed, revoked, last) = row.map_err(&fault)?;
            let user = UserId::from_slice(&user);
            let row = unseal(key, "app-password", &token, &sealed);
            if let (Some(user), Some(row)) = (user, row) {
                let last_used_ms = last.and_then(|last| u64::try_from(last).ok());
                all.push(Found { user, row, revoked, last_used_ms });
            }
        }
        Ok(all)
    }

    /// `false`: it was revoked already, or is none.
    pub fn revoke(&self, key: &RowKey, look_up: &str) -> Result<bool, Fault> {
        let token = key.token("app-password", look_up.as_bytes());
        let sql = "UPDATE app_password SET revoked = 1 WHERE token = ?1 AND revoked = 0";
        let changed = self
            .db
            .prepare_cached(sql)
            .and_then(|mut change| change.execute(params![&token[..]]))
            .map_err(Fault::store("revoking an app password"))?;
        Ok(changed > 0)
    }

    /// A row of `decoy` or `frozen`: what it names stands in its token and, sealed, in itself.
    pub fn keep_mark<T: Serialize>(
        &self,
        key: &RowKey,
        table: Marks,
        name: &[u8],
        value: &T,
    ) -> Result<(), Fault> {
        let token = key.token(table.word(), name);
        let sealed = seal(key, table.word(), &token, value)?;
        let sql = match table {
            Marks::Decoy => "INSERT OR REPLACE INTO decoy (token, sealed) VALUES (?1, ?2)",
            Marks::Frozen => "INSERT OR REPLACE INTO frozen (token, sealed) VALUES (?1, ?2)",
        };
        self.db
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params![&token[..], sealed]))
            .map_err(Fault::store("keeping a mark"))?;
        Ok(())
    }

    pub fn lift_mark(&self, key: &RowKey, table: Marks, name: &[u8]) -> Result<(), Fault> {
        let token = key.token(table.word(), name);
        let sql = match table {
            Marks::Decoy => "DELETE FROM decoy WHERE token = ?1",
            Marks::Frozen => "DELETE FROM frozen WHERE token = ?1",
        };
        self.db
            .prepare_cached(sql)
            .and_then(|mut lift| lift.execute(params![&token[..]]))
            .map_err(Fault::store("lifting a mark"))?;
        Ok(())
    }

    pub fn marks<T: DeserializeOwned>(&self, key: &RowKey, table: Marks) -> Result<Vec<T>, Fault> {
        let fault = Fault::store("reading marks");
        let sql = match table {
            Marks::Decoy => "SELECT token, sealed FROM decoy",
            Marks::Frozen => "SELECT token, sealed FROM frozen",
        };
        let mut query = self.db.prepare_cached(sql).map_err(&fault)?;
        let rows = query
            .query_map(params![], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(&fault)?;
        let mut all = Vec::new();
        for row in rows {
            let (token, sealed) = row.map_err(&fault)?;
            all.extend(unseal(key, table.word(), &token, &sealed));
        }
        Ok(all)
    }

    /// When it was used last, written at most once an hour: sign-in waits for no disk.
    pub fn mark_used(&self, key: &RowKey, look_up: &str, now_ms: u64) -> Result<(), Fault> {
        let token = key.token("app-password", look_up.as_bytes());
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.db
            .prepare_cached("UPDATE app_password SET last_used_ms = ?2 WHERE token = ?1")
            .and_then(|mut change| change.execute(params![&token[..], now]))
            .map_err(Fault::store("marking an app password"))?;
        Ok(())
    }
}

pub(crate) fn seal<T: Serialize>(
    key: &RowKey,
    table: &str,
    row: &[u8],
    value: &T,
) -> Result<Vec<u8>, Fault> {
    let plain = postcard::to_stdvec(value).map_err(|_| Fault::Encode)?;
    key.seal(table, row, &plain).ok_or(Fault::Encode)
}

pub(crate) fn unseal<T: DeserializeOwned>(
    key: &RowKey,
    table: &str,
    row: &[u8],
    sealed: &[u8],
) -> Option<T> {
    postcard::from_bytes(&key.open(table, row, sealed)?).ok()
}
