//! Where mail goes on to, as sealed rows: people's forwards and absences, groups, the servers of
//! gateway domains with their recipients, and return paths too long to be written out.

use crate::Fault;
use crate::tables::{Tables, seal, unseal};
use rows::RowKey;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use terms::{TenantId, UserId};
use wire::directory::{GRACES, Grace, SmartHost, Taken};

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS way (
  user BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gateway (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL,
  synced_ms INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beyond (
  token BLOB PRIMARY KEY, domain BLOB NOT NULL, tenant BLOB NOT NULL, seen_ms INTEGER NOT NULL,
  gone_ms INTEGER, sealed BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS beyond_domain ON beyond (domain);
CREATE TABLE IF NOT EXISTS outlet (
  tenant BLOB PRIMARY KEY, secret BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS way_back (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, day INTEGER NOT NULL,
  sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS way_back_day ON way_back (day);
CREATE INDEX IF NOT EXISTS way_back_age ON way_back (tenant, day);
";

/// Columns that older folders lack.
pub const LATER: [(&str, &str, &str); 2] =
    [("gateway", "synced_ms", "INTEGER"), ("beyond", "sealed", "BLOB")];

/// An address that a synced list lacks is still taken so long: lists are cut short by accident.
const GRACE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Stands for the list's moment where no list named an address, but its server.
const CHECKED: i64 = 0;
/// Addresses of one gateway that were found so and are kept: a server that says yes to every name
/// does not fill our disk.
const CHECKED_KEPT: u64 = 10_000;
/// Senders whose address does not fit a return path, of the last month: about 40 MB. Strangers make
/// them: beyond this the oldest of the tenant go that has most.
const WAYS_BACK: u64 = if cfg!(test) { 100 } else { 200_000 };
/// So many go at once, and are not looked for one by one.
const GO_AT_ONCE: i64 = (WAYS_BACK / 50) as i64;

/// Ways back that are kept.
pub(crate) struct WaysBack {
    /// The day of the last look at their ages.
    day: u32,
    all: u64,
    of: HashMap<TenantId, u64>,
}

/// Where one person's mail goes, and what is answered meanwhile.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WayRow {
    /// Canonical addresses; none: it is kept.
    pub to: Vec<String>,
    pub keep: bool,
    pub absence: Option<AbsenceRow>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AbsenceRow {
    pub subject: String,
    pub text: String,
    pub until_ms: Option<u64>,
}

/// An address of several people.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    pub address: String,
    pub members: Vec<String>,
    /// Those of its people who may write as it.
    pub speakers: Vec<UserId>,
}

/// A domain whose mail goes to its tenant's own server.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayRow {
    pub domain: String,
    pub host: SmartHost,
    pub taken: Taken,
}

/// How an address of a gateway's list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The list names it, or did a short while ago.
    Listed,
    /// The server itself said so, a short while ago.
    Checked,
    Unknown,
}

impl Tables {
    pub fn way(&self, key: &RowKey, user: UserId) -> Result<WayRow, Fault> {
        let found = self.one("SELECT tenant, sealed FROM way WHERE user = ?1", &user.0)?;
        let row = found.and_then(|(_, sealed)| unseal(key, "way", &user.0, &sealed));
        Ok(row.unwrap_or_default())
    }

    pub fn ways(&self, key: &RowKey) -> Result<Vec<(UserId, WayRow)>, Fault> {
        let rows = self.many("SELECT user, sealed FROM way", &[])?;
        Ok(rows
            .into_iter()
            .filter_map(|(user, sealed)| {
                Some((UserId::from_slice(&user)?, unseal(key, "way", &user, &sealed)?))
            })
            .collect())
    }

    pub fn keep_way(
        &self,
        key: &RowKey,
        (tenant, user): (TenantId, UserId),
        row: &WayRow,
    ) -> Result<(), Fault> {
        if *row == WayRow::default() {
            return self.drop_row("DELETE FROM way WHERE user = ?1", &user.0);
        }
        let sealed = seal(key, "way", &user.0, row)?;
        let insert = "INSERT OR REPLACE INTO way (user, tenant, sealed) VALUES (?1, ?2, ?3)";
        self.keep_row(insert, &user.0, tenant, &sealed)
    }

    pub fn group(
        &self,
        key: &RowKey,
        address: &str,
    ) -> Result<Option<(TenantId, GroupRow)>, Fault> {
        let token = key.token("members", address.as_bytes());
        let found = self.one("SELECT tenant, sealed FROM members WHERE token = ?1", &token)?;
        Ok(found.and_then(|(tenant, sealed)| {
            Some((TenantId::from_slice(&tenant)?, unseal_group(key, &token, &sealed)?))
        }))
    }

    /// All groups, by address, with their tenants.
    pub fn groups(&self, key: &RowKey) -> Result<Vec<(TenantId, GroupRow)>, Fault> {
        let rows = self.many("SELECT token, tenant FROM members", &[])?;
        let mut groups = Vec::with_capacity(rows.len());
        for (token, tenant) in rows {
            let found = self.one("SELECT token, sealed FROM members WHERE token = ?1", &token)?;
            let row = found.and_then(|(token, sealed)| unseal_group(key, &token, &sealed));
            groups.extend(TenantId::from_slice(&tenant).zip(row));
        }
        groups.sort_by(|(_, one): &(_, GroupRow), (_, other)| one.address.cmp(&other.address));
        Ok(groups)
    }

    pub fn keep_group(&self, key: &RowKey, tenant: TenantId, row: &GroupRow) -> Result<(), Fault> {
        let token = key.token("members", row.address.as_bytes());
        if row.members.is_empty() {
            return self.drop_row("DELETE FROM members WHERE token = ?1", &token);
        }
        let sealed = seal(key, "members", &token, row)?;
        let insert = "INSERT OR REPLACE INTO members (token, tenant, sealed) VALUES (?1, ?2, ?3)";
        self.keep_row(insert, &token, tenant, &sealed)
    }

    pub fn gateway(&self, key: &RowKey, domain: &str) -> Result<Option<GatewayRow>, Fault> {
        let token = key.token("gateway", domain.as_bytes());
        let found = self.one("SELECT token, sealed FROM gateway WHERE token = ?1", &token)?;
        Ok(found.and_then(|(_, sealed)| unseal(key, "gateway", &token, &sealed)))
    }

    pub fn keep_gateway(
        &self,
        key: &RowKey,
        tenant: TenantId,
        row: &GatewayRow,
    ) -> Result<(), Fault> {
        let token = key.token("gateway", row.domain.as_bytes());
        let sealed = seal(key, "gateway", &token, row)?;
        let insert = "INSERT INTO gateway (token, tenant, sealed) VALUES (?1, ?2, ?3)
             ON CONFLICT (token) DO UPDATE SET tenant = ?2, sealed = ?3";
        self.keep_row(insert, &token, tenant, &sealed)
    }

    pub fn drop_gateway(&self, key: &RowKey, domain: &str) -> Result<(), Fault> {
        let token = key.token("gateway", domain.as_bytes());
        self.drop_beyond(key, domain)?;
        self.drop_row("DELETE FROM gateway WHERE token = ?1", &token)
    }

    /// A gateway without a list: nothing of one stays.
    pub fn drop_beyond(&self, key: &RowKey, domain: &str) -> Result<(), Fault> {
        let token = key.token("gateway", domain.as_bytes());
        self.drop_row("DELETE FROM beyond WHERE domain = ?1", &token)
    }

    /// How a gateway's address stands.
    pub fn beyond(&self, key: &RowKey, address: &str, now: u64) -> Result<Beyond, Fault> {
        let token = key.token("beyond", address.as_bytes());
        let row: Option<(i64, Option<i64>)> = self
            .db
            .prepare_cached("SELECT seen_ms, gone_ms FROM beyond WHERE token = ?1")
            .and_then(|mut query| {
                query
                    .query_row(params![&token[..]], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(Fault::store("looking up a recipient"))?;
        let is_young = |gone: i64| signed(now).saturating_sub(gone) < GRACE_MS;
        Ok(match row {
            Some((_, Some(gone))) if !is_young(gone) => Beyond::Unknown,
            Some((CHECKED, _)) => Beyond::Checked,
            Some(_) => Beyond::Listed,
            None => Beyond::Unknown,
        })
    }

    /// The server has this address, which its list lacks: it is taken as one that stood on the
    /// list until now. `false`: as many were found so as are kept.
    pub fn keep_checked(
        &self,
        key: &RowKey,
        (tenant, domain): (TenantId, &str),
        address: &str,
        now: u64,
    ) -> Result<bool, Fault> {
        let (of, token) =
            (key.token("gateway", domain.as_bytes()), key.token("beyond", address.as_bytes()));
        let fault = Fault::store("keeping a recipient");
        let old = signed(now).saturating_sub(GRACE_MS);
        self.db
            .execute(
                "DELETE FROM beyond WHERE domain = ?1 AND seen_ms = ?2 AND gone_ms < ?3",
                params![&of[..], CHECKED, old],
            )
            .map_err(&fault)?;
        if self.count_checked(key, domain)? >= CHECKED_KEPT {
            return Ok(false);
        }
        let name = seal(key, "beyond", &token, &address)?;
        // What a list names by now stays as it stands there.
        self.db
            .execute(
                "INSERT INTO beyond (token, domain, tenant, seen_ms, gone_ms, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (token) DO UPDATE SET seen_ms = ?4, gone_ms = ?5, sealed = ?6
                 WHERE gone_ms IS NOT NULL",
                params![&token[..], &of[..], &tenant.0[..], CHECKED, signed(now), name],
            )
            .map_err(&fault)?;
        Ok(true)
    }

    /// Recipients of a gateway that its server was asked for and has.
    pub fn count_checked(&self, key: &RowKey, domain: &str) -> Result<u64, Fault> {
        let token = key.token("gateway", domain.as_bytes());
        let count = "SELECT COUNT(*) FROM beyond WHERE domain = ?1 AND seen_ms = ?2";
        self.count_rows(count, params![&token[..], CHECKED])
    }

    /// Recipients of a gateway that are taken now, and those of them that are for a while only.
    pub fn count_beyond(&self, key: &RowKey, domain: &str, now: u64) -> Result<(u64, u64), Fault> {
        let token = key.token("gateway", domain.as_bytes());
        let old = signed(now).saturating_sub(GRACE_MS);
        let (listed, in_grace): (i64, i64) = self
            .db
            .prepare_cached(
                "SELECT COUNT(*) FILTER (WHERE gone_ms IS NULL),
                        COUNT(*) FILTER (WHERE gone_ms > ?2) FROM beyond WHERE domain = ?1",
            )
            .and_then(|mut query| {
                query.query_row(params![&token[..], old], |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .map_err(Fault::store("counting rows"))?;
        let counted = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok((counted(listed) + counted(in_grace), counted(in_grace)))
    }

    /// Those that are taken for a while only: first those whose time is over first.
    pub fn grace(&self, key: &RowKey, domain: &str, now: u64) -> Result<Vec<Grace>, Fault> {
        let of = key.token("gateway", domain.as_bytes());
        let fault = Fault::store("reading who is on the way out");
        let old = signed(now).saturating_sub(GRACE_MS);
        let mut query = self
            .db
            .prepare_cached(
                "SELECT token, sealed, seen_ms, gone_ms FROM beyond
                 WHERE domain = ?1 AND gone_ms > ?2 ORDER BY gone_ms, token LIMIT ?3",
            )
            .map_err(&fault)?;
        let rows = query.query_map(params![&of[..], old, GRACES], |row| {
            let (token, sealed): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
            let (seen, gone): (i64, i64) = (row.get(2)?, row.get(3)?);
            let address = sealed.and_then(|sealed| unseal(key, "beyond", &token, &sealed));
            let until_ms = u64::try_from(gone.saturating_add(GRACE_MS)).unwrap_or_default();
            Ok(Grace { address, until_ms, is_checked: seen == CHECKED })
        });
        rows.and_then(Iterator::collect).map_err(&fault)
    }

    /// When the last list that was told to its end began.
    pub fn synced(&self, key: &RowKey, domain: &str) -> Result<Option<u64>, Fault> {
        let token = key.token("gateway", domain.as_bytes());
        let synced: Option<Option<i64>> = self
            .db
            .prepare_cached("SELECT synced_ms FROM gateway WHERE token = ?1")
            .and_then(|mut query| query.query_row([&token[..]], |row| row.get(0)).optional())
            .map_err(Fault::store("reading when a list was told"))?;
        Ok(synced.flatten().and_then(|ms| u64::try_from(ms).ok()))
    }

    /// A page of a gateway's list; `sync_ms` is the moment at which this list began.
    pub fn list_beyond(
        &self,
        key: &RowKey,
        (tenant, domain): (TenantId, &str),
        addresses: &[String],
        sync_ms: u64,
    ) -> Result<(), Fault> {
        let of = key.token("gateway", domain.as_bytes());
        let fault = Fault::store("listing recipients");
        // Inside of another's trial as well as alone.
        self.db.execute_batch("SAVEPOINT list").map_err(&fault)?;
        let listed = addresses.iter().try_for_each(|address| {
            let token = key.token("beyond", address.as_bytes());
            let name = seal(key, "beyond", &token, address)?;
            self.db
                .prepare_cached(
                    "INSERT OR REPLACE INTO beyond (token, domain, tenant, seen_ms, gone_ms, sealed)
                     VALUES (?1, ?2, ?3, ?4, NULL, ?5)",
                )
                .and_then(|mut insert| {
                    let seen = signed(sync_ms);
                    insert.execute(params![&token[..], &of[..], &tenant.0[..], seen, name])
                })
                .map_err(&fault)
                .map(|_| ())
        });
        let end = match listed.is_ok() {
            true => "RELEASE list",
            false => "ROLLBACK TO list; RELEASE list",
        };
        self.db.execute_batch(end).map_err(&fault)?;
        listed
    }

    /// The list is whole: what it lacks is on its way out, and what has long been goes.
    pub fn end_list(
        &self,
        key: &RowKey,
        domain: &str,
        sync_ms: u64,
        now: u64,
    ) -> Result<(), Fault> {
        let of = key.token("gateway", domain.as_bytes());
        let now = signed(now);
        let fault = Fault::store("ending a list of recipients");
        self.db
            .execute(
                "UPDATE beyond SET gone_ms = ?3
                 WHERE domain = ?1 AND seen_ms <> ?2 AND gone_ms IS NULL",
                params![&of[..], signed(sync_ms), now],
            )
            .and_then(|_| {
                self.db.execute(
                    "DELETE FROM beyond WHERE domain = ?1 AND gone_ms < ?2",
                    params![&of[..], now.saturating_sub(GRACE_MS)],
                )
            })
            .and_then(|_| {
                self.db.execute(
                    "UPDATE gateway SET synced_ms = ?2 WHERE token = ?1",
                    params![&of[..], signed(sync_ms)],
                )
            })
            .map_err(&fault)?;
        Ok(())
    }

    /// The sender behind a return path that does not say it itself.
    pub fn way_back(&self, key: &RowKey, token: &[u8]) -> Result<Option<String>, Fault> {
        let found = self.one("SELECT token, sealed FROM way_back WHERE token = ?1", token)?;
        Ok(found.and_then(|(_, sealed)| unseal(key, "way_back", token, &sealed)))
    }

    /// Keeps one; where there are too many, the oldest of whoever has most make room.
    pub fn keep_way_back(
        &self,
        key: &RowKey,
        (tenant, token): (TenantId, &[u8]),
        from: &str,
        (day, oldest): (u32, u32),
    ) -> Result<(), Fault> {
        if self.way_back(key, token)?.is_some() {
            return Ok(());
        }
        let fault = Fault::store("keeping a way back");
        let mut known = self.ways_back.borrow_mut();
        let mut kept = match known.take().filter(|kept| kept.day == day) {
            Some(kept) => kept,
            None => self.count_ways_back((day, oldest))?,
        };
        if kept.all >= WAYS_BACK
            && let Some((most, count)) = kept.of.iter_mut().max_by_key(|(_, count)| **count)
        {
            let gone = self.drop_ways_back(*most)?;
            *count = count.saturating_sub(gone);
            kept.all = kept.all.saturating_sub(gone);
        }
        let sealed = seal(key, "way_back", token, &from)?;
        self.db
            .prepare_cached(
                "INSERT INTO way_back (token, tenant, day, sealed) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| insert.execute(params![token, &tenant.0[..], day, sealed]))
            .map_err(&fault)?;
        kept.all += 1;
        *kept.of.entry(tenant).or_default() += 1;
        *known = Some(kept);
        Ok(())
    }

    /// Once a day, and after a start: drops those that are too old, and counts the others.
    fn count_ways_back(&self, (day, oldest): (u32, u32)) -> Result<WaysBack, Fault> {
        let fault = Fault::store("counting ways back");
        self.db.execute("DELETE FROM way_back WHERE day < ?1", params![oldest]).map_err(&fault)?;
        let mut query = self
            .db
            .prepare_cached("SELECT tenant, COUNT(*) FROM way_back GROUP BY tenant")
            .map_err(&fault)?;
        let rows = query.query_map((), |row| {
            let (tenant, count): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
            Ok((tenant, u64::try_from(count).unwrap_or_default()))
        });
        let rows: Vec<(Vec<u8>, u64)> = rows.and_then(Iterator::collect).map_err(&fault)?;
        let all = rows.iter().map(|(_, count)| *count).sum();
        let named = |(tenant, count): (Vec<u8>, u64)| Some((TenantId::from_slice(&tenant)?, count));
        Ok(WaysBack { day, all, of: rows.into_iter().filter_map(named).collect() })
    }

    /// The oldest of a tenant; says how many.
    fn drop_ways_back(&self, of: TenantId) -> Result<u64, Fault> {
        let gone = self
            .db
            .prepare_cached(
                "DELETE FROM way_back WHERE token IN
                 (SELECT token FROM way_back WHERE tenant = ?1 ORDER BY day LIMIT ?2)",
            )
            .and_then(|mut delete| delete.execute(params![&of.0[..], GO_AT_ONCE]))
            .map_err(Fault::store("dropping ways back"))?;
        Ok(gone as u64)
    }

    /// What is written now stands only if [`Tables::decide`] says so.
    pub fn try_out(&self) -> Result<(), Fault> {
        self.db.execute_batch("SAVEPOINT trial").map_err(Fault::store("trying a change"))
    }

    pub fn decide(&self, stands: bool) -> Result<(), Fault> {
        let end = match stands {
            true => "RELEASE trial",
            false => "ROLLBACK TO trial; RELEASE trial",
        };
        self.db.execute_batch(end).map_err(Fault::store("deciding on a change"))
    }

    pub fn forget_statement(&self, key: &RowKey, address: &str) -> Result<(), Fault> {
        let token = key.token("statement", address.as_bytes());
        self.drop_row("DELETE FROM statement WHERE token = ?1", &token)
    }

    pub fn forget_statements(&self) -> Result<(), Fault> {
        let forgotten = self.db.execute("DELETE FROM statement", ());
        forgotten.map(|_| ()).map_err(Fault::store("forgetting statements"))
    }

    fn keep_row(&self, sql: &str, by: &[u8], of: TenantId, sealed: &[u8]) -> Result<(), Fault> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params![by, &of.0[..], sealed]))
            .map_err(Fault::store("keeping a way"))?;
        Ok(())
    }

    /// A row as another version left it.
    #[cfg(test)]
    pub(crate) fn replace_group(&self, token: &[u8], tenant: TenantId, sealed: &[u8]) {
        let insert = "INSERT OR REPLACE INTO members (token, tenant, sealed) VALUES (?1, ?2, ?3)";
        self.keep_row(insert, token, tenant, sealed).unwrap();
    }

    pub(crate) fn drop_row(&self, sql: &str, by: &[u8]) -> Result<(), Fault> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut delete| delete.execute(params![by]))
            .map_err(Fault::store("taking a row away"))?;
        Ok(())
    }

    pub(crate) fn count_rows(&self, sql: &str, by: impl rusqlite::Params) -> Result<u64, Fault> {
        let count: i64 = self
            .db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row(by, |row| row.get(0)))
            .map_err(Fault::store("counting rows"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// Of an older version nobody wrote as its address.
fn unseal_group(key: &RowKey, row: &[u8], sealed: &[u8]) -> Option<GroupRow> {
    let plain = key.open("members", row, sealed)?;
    postcard::from_bytes(&plain).ok().or_else(|| {
        let (address, members) = postcard::from_bytes(&plain).ok()?;
        Some(GroupRow { address, members, speakers: Vec::new() })
    })
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
