//! Requests for two persons, and short notes (the mode, wrong tries), as sealed rows.

use crate::Fault;
use crate::tables::{Tables, seal, unseal};
use rows::RowKey;
use rusqlite::{OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use terms::{RequestId, UserId};
use wire::approval::Request;

/// The note of the deeds that these tables know of.
pub const NOTED: &[u8] = b"deeds";

/// Wrong passwords of one person, since the last right one.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Tries {
    pub wrong: u32,
    pub last_ms: u64,
}

impl Tables {
    pub fn request(&self, key: &RowKey, request: RequestId) -> Result<Option<Request>, Fault> {
        let sealed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT sealed FROM request WHERE request = ?1")
            .and_then(|mut query| query.query_row((&request.0[..],), |row| row.get(0)).optional())
            .map_err(Fault::store("looking up a request"))?;
        Ok(sealed.and_then(|sealed| unseal(key, "request", &request.0, &sealed)))
    }

    pub fn keep_request(&self, key: &RowKey, request: &Request) -> Result<(), Fault> {
        let id = request.request.0;
        let sealed = seal(key, "request", &id, request)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO request (request, sealed) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![&id[..], sealed]))
            .map_err(Fault::store("keeping a request"))?;
        Ok(())
    }

    /// All of them, newest first.
    pub fn requests(&self, key: &RowKey) -> Result<Vec<Request>, Fault> {
        let fault = Fault::store("listing requests");
        let mut query =
            self.db.prepare_cached("SELECT request, sealed FROM request").map_err(&fault)?;
        let rows = query
            .query_map((), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(&fault)?;
        let mut all = Vec::new();
        for row in rows {
            let (id, sealed) = row.map_err(&fault)?;
            all.extend(unseal::<Request>(key, "request", &id, &sealed));
        }
        all.sort_by_key(|request| std::cmp::Reverse((request.made_ms, request.request)));
        Ok(all)
    }

    pub fn forget_request(&self, request: RequestId) -> Result<(), Fault> {
        self.db
            .prepare_cached("DELETE FROM request WHERE request = ?1")
            .and_then(|mut delete| delete.execute((&request.0[..],)))
            .map_err(Fault::store("forgetting a request"))?;
        Ok(())
    }

    pub fn note<T: DeserializeOwned>(&self, key: &RowKey, name: &[u8]) -> Result<Option<T>, Fault> {
        let token = key.token("note", name);
        let sealed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT sealed FROM note WHERE token = ?1")
            .and_then(|mut query| query.query_row((&token[..],), |row| row.get(0)).optional())
            .map_err(Fault::store("looking up a note"))?;
        Ok(sealed.and_then(|sealed| unseal(key, "note", &token, &sealed)))
    }

    pub fn keep_note<T: Serialize>(
        &self,
        key: &RowKey,
        name: &[u8],
        note: &T,
    ) -> Result<(), Fault> {
        let token = key.token("note", name);
        let sealed = seal(key, "note", &token, note)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO note (token, sealed) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![&token[..], sealed]))
            .map_err(Fault::store("keeping a note"))?;
        Ok(())
    }

    /// Whether two persons decide here, whatever the start-up file says.
    pub fn is_two_persons(&self, key: &RowKey) -> Result<bool, Fault> {
        Ok(self.note(key, b"two-persons")?.unwrap_or(false))
    }

    pub fn keep_two_persons(&self, key: &RowKey, two_persons: bool) -> Result<(), Fault> {
        self.keep_note(key, b"two-persons", &two_persons)
    }

    pub fn tries(&self, key: &RowKey, user: UserId) -> Result<Tries, Fault> {
        Ok(self.note(key, &tries_of(user))?.unwrap_or_default())
    }

    pub fn keep_tries(&self, key: &RowKey, user: UserId, tries: Tries) -> Result<(), Fault> {
        self.keep_note(key, &tries_of(user), &tries)
    }

    /// Whether a person chose their password themselves: nobody else has ever known it.
    pub fn is_own_password(&self, key: &RowKey, user: UserId) -> Result<bool, Fault> {
        Ok(self.note(key, &own_of(user))?.unwrap_or(false))
    }

    pub fn keep_own_password(&self, key: &RowKey, user: UserId, own: bool) -> Result<(), Fault> {
        self.keep_note(key, &own_of(user), &own)
    }

    /// Everything of one person; the rows that went.
    pub fn erase(&mut self, key: &RowKey, user: UserId) -> Result<u64, Fault> {
        let fault = Fault::store("erasing a person");
        let change = self.db.transaction().map_err(&fault)?;
        let mut rows = 0;
        for sql in
            ["DELETE FROM person WHERE user = ?1", "DELETE FROM app_password WHERE user = ?1"]
        {
            rows += change.execute(sql, (&user.0[..],)).map_err(&fault)?;
        }
        for name in [tries_of(user), own_of(user)] {
            let token = key.token("note", &name);
            rows += change
                .execute("DELETE FROM note WHERE token = ?1", (&token[..],))
                .map_err(&fault)?;
        }
        change.commit().map_err(&fault)?;
        Ok(rows as u64)
    }

    /// Everybody's id, with their tenant in the sealed row.
    pub fn everybody(&self, key: &RowKey) -> Result<Vec<(UserId, terms::TenantId)>, Fault> {
        let fault = Fault::store("listing people");
        let mut query =
            self.db.prepare_cached("SELECT user, sealed FROM person").map_err(&fault)?;
        let rows = query
            .query_map((), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(&fault)?;
        let mut all = Vec::new();
        for row in rows {
            let (id, sealed) = row.map_err(&fault)?;
            let person = unseal::<crate::tables::PersonRow>(key, "person", &id, &sealed);
            all.extend(UserId::from_slice(&id).zip(person.map(|person| person.tenant)));
        }
        Ok(all)
    }

    /// Writes the log back into the table, so that no page of what was erased stays in it.
    pub fn wipe(&self) -> Result<(), Fault> {
        self.db
            .execute_batch("VACUUM")
            .and_then(|()| self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())))
            .map_err(Fault::store("wiping"))
    }
}

fn tries_of(user: UserId) -> Vec<u8> {
    [&b"tries"[..], &user.0].concat()
}

fn own_of(user: UserId) -> Vec<u8> {
    [&b"own-password"[..], &user.0].concat()
}
