//! The directory's own tables: tokens and ciphertext on the disk, words only in memory.

use crate::Fault;
use crate::spellings::Older;
use crate::ways::WaysBack;
use rows::RowKey;
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::Path;
use terms::{TenantId, UserId};
use wire::directory::{SendingSettings, TenantSettings};
use wire::pages::TransportPolicy;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS tenant (
  tenant BLOB PRIMARY KEY, token BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS domain (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS person (
  user BLOB PRIMARY KEY, tenant BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS person_tenant ON person (tenant);
CREATE TABLE IF NOT EXISTS address (
  token BLOB PRIMARY KEY, user BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS address_user ON address (user);
CREATE TABLE IF NOT EXISTS statement (
  token BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ending (
  token BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold (
  hold BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
";

/// One organisation.
#[derive(Clone, Serialize, Deserialize)]
pub struct TenantRow {
    pub name: String,
    pub settings: TenantSettings,
    pub sending: SendingSettings,
}

/// One domain.
#[derive(Clone, Serialize, Deserialize)]
pub struct DomainRow {
    pub name: String,
    /// The address that gets mail for unknown ones.
    pub catch_all: Option<String>,
    pub transport: TransportPolicy,
}

/// One person.
#[derive(Clone, Serialize, Deserialize)]
pub struct PersonRow {
    pub address: String,
    pub role: String,
    pub aliases: Vec<String>,
    pub disabled: bool,
    pub made_ms: u64,
}

/// A statement with the vault's signature, as it is handed to `edge`.
#[derive(Clone, Serialize, Deserialize)]
pub struct StatementRow {
    pub statement: Vec<u8>,
    pub signature: Vec<u8>,
    pub issued_ms: u64,
    pub valid_until_ms: u64,
}

/// What a query gives: two columns, the last one sealed as a rule.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// The open tables. Without a key (the vault has not given it yet) nothing can be read.
pub struct Tables {
    pub(crate) db: Connection,
    /// Counted when it is needed first.
    pub(crate) ways_back: RefCell<Option<WaysBack>>,
    /// Spellings of an older version; looked for when they are needed first.
    pub(crate) older: RefCell<Option<Older>>,
}

impl Tables {
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let db = Connection::open(folder.join("directory.db")).map_err(Fault::store("opening"))?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;
             PRAGMA busy_timeout=5000; PRAGMA secure_delete=ON;",
        )
        .map_err(Fault::store("preparing"))?;
        let others = [
            crate::ways::SCHEMA,
            crate::asked::SCHEMA,
            crate::lists::SCHEMA,
            crate::held::SCHEMA,
            crate::tls_rows::SCHEMA,
            crate::sts::SCHEMA,
            crate::reports::SCHEMA,
            crate::accepted::SCHEMA,
            crate::places::SCHEMA,
            crate::undelivered::SCHEMA,
            crate::older::SCHEMA,
        ];
        for schema in std::iter::once(SCHEMA).chain(others) {
            db.execute_batch(schema).map_err(Fault::store("laying out"))?;
        }
        for (table, column, kind) in crate::ways::LATER {
            let known = "SELECT COUNT(*) FROM pragma_table_info(?1) WHERE name = ?2";
            let known: i64 = db
                .query_row(known, [table, column], |row| row.get(0))
                .map_err(Fault::store("looking at the layout"))?;
            if known == 0 {
                let add = format!("ALTER TABLE {table} ADD COLUMN {column} {kind}");
                db.execute_batch(&add).map_err(Fault::store("laying out"))?;
            }
        }
        Ok(Self { db, ways_back: RefCell::new(None), older: RefCell::new(None) })
    }

    pub fn tenant_by_name(
        &self,
        key: &RowKey,
        name: &str,
    ) -> Result<Option<(TenantId, TenantRow)>, Fault> {
        let token = key.token("tenant", name.as_bytes());
        let sql = "SELECT tenant, sealed FROM tenant WHERE token = ?1";
        let found = self.one(sql, &token)?;
        Ok(found.and_then(|(id, sealed)| {
            Some((TenantId::from_slice(&id)?, unseal_tenant(key, &id, &sealed)?))
        }))
    }

    pub fn tenant(&self, key: &RowKey, tenant: TenantId) -> Result<Option<TenantRow>, Fault> {
        let sql = "SELECT tenant, sealed FROM tenant WHERE tenant = ?1";
        let found = self.one(sql, &tenant.0)?;
        Ok(found.and_then(|(id, sealed)| unseal_tenant(key, &id, &sealed)))
    }

    pub fn tenants(&self, key: &RowKey) -> Result<Vec<(TenantId, TenantRow)>, Fault> {
        let rows = self.many("SELECT tenant, sealed FROM tenant ORDER BY tenant", &[])?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, sealed)| {
                Some((TenantId::from_slice(&id)?, unseal_tenant(key, &id, &sealed)?))
            })
            .collect())
    }

    pub fn add_tenant(&self, key: &RowKey, id: TenantId, row: &TenantRow) -> Result<(), Fault> {
        let token = key.token("tenant", row.name.as_bytes());
        let sealed = seal(key, "tenant", &id.0, row)?;
        self.db
            .prepare_cached("INSERT INTO tenant (tenant, token, sealed) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![&id.0[..], &token[..], sealed]))
            .map_err(Fault::store("adding a tenant"))?;
        Ok(())
    }

    /// Writes a tenant's settings anew and forgets every statement made under the old ones.
    pub fn change_settings(
        &mut self,
        key: &RowKey,
        id: TenantId,
        row: &TenantRow,
    ) -> Result<(), Fault> {
        let sealed = seal(key, "tenant", &id.0, row)?;
        let fault = Fault::store("changing a tenant");
        let change = self.db.transaction().map_err(&fault)?;
        change
            .execute("UPDATE tenant SET sealed = ?2 WHERE tenant = ?1", params![&id.0[..], sealed])
            .and_then(|_| change.execute("DELETE FROM statement", ()))
            .map_err(&fault)?;
        change.commit().map_err(&fault)
    }

    /// Writes anew what leaves; what was said of who receives stays true.
    pub fn change_sending(&self, key: &RowKey, id: TenantId, row: &TenantRow) -> Result<(), Fault> {
        let sealed = seal(key, "tenant", &id.0, row)?;
        self.db
            .prepare_cached("UPDATE tenant SET sealed = ?2 WHERE tenant = ?1")
            .and_then(|mut update| update.execute(params![&id.0[..], sealed]))
            .map_err(Fault::store("changing a tenant"))?;
        Ok(())
    }

    /// The tenant of a domain.
    pub fn domain(&self, key: &RowKey, domain: &str) -> Result<Option<TenantId>, Fault> {
        let token = key.token("domain", domain.as_bytes());
        let found = self.one("SELECT tenant, sealed FROM domain WHERE token = ?1", &token)?;
        Ok(found.and_then(|(tenant, _)| TenantId::from_slice(&tenant)))
    }

    pub fn domains(&self, key: &RowKey, of: Option<TenantId>) -> Result<Vec<String>, Fault> {
        let rows = self.domain_rows(key, of)?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    pub fn domain_rows(&self, key: &RowKey, of: Option<TenantId>) -> Result<Vec<DomainRow>, Fault> {
        let all = "SELECT token, sealed FROM domain";
        let one = "SELECT token, sealed FROM domain WHERE tenant = ?1";
        let rows = match of {
            Some(tenant) => self.many(one, &[&tenant.0])?,
            None => self.many(all, &[])?,
        };
        let mut found: Vec<DomainRow> = rows
            .into_iter()
            .filter_map(|(token, sealed)| unseal_domain(key, &token, &sealed))
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    pub fn domain_row(&self, key: &RowKey, domain: &str) -> Result<Option<DomainRow>, Fault> {
        let token = key.token("domain", domain.as_bytes());
        let found = self.one("SELECT token, sealed FROM domain WHERE token = ?1", &token)?;
        Ok(found.and_then(|(token, sealed)| unseal_domain(key, &token, &sealed)))
    }

    /// The address that gets a domain's mail for unknown ones.
    pub fn catch_all(&self, key: &RowKey, domain: &str) -> Result<Option<String>, Fault> {
        Ok(self.domain_row(key, domain)?.and_then(|row| row.catch_all))
    }

    pub fn change_domain(&self, key: &RowKey, row: &DomainRow) -> Result<(), Fault> {
        let token = key.token("domain", row.name.as_bytes());
        let sealed = seal(key, "domain", &token, row)?;
        self.db
            .prepare_cached("UPDATE domain SET sealed = ?2 WHERE token = ?1")
            .and_then(|mut update| update.execute(params![&token[..], sealed]))
            .map_err(Fault::store("changing a domain"))?;
        Ok(())
    }

    pub fn add_domain(&self, key: &RowKey, domain: &str, of: TenantId) -> Result<(), Fault> {
        let token = key.token("domain", domain.as_bytes());
        let (name, transport) = (domain.to_owned(), TransportPolicy::default());
        let row = DomainRow { name, catch_all: None, transport };
        let sealed = seal(key, "domain", &token, &row)?;
        self.db
            .prepare_cached("INSERT INTO domain (token, tenant, sealed) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![&token[..], &of.0[..], sealed]))
            .map_err(Fault::store("adding a domain"))?;
        Ok(())
    }

    pub fn person_by_address(&self, key: &RowKey, address: &str) -> Result<Option<UserId>, Fault> {
        let token = key.token("address", address.as_bytes());
        let found = self.one("SELECT user, user FROM address WHERE token = ?1", &token)?;
        Ok(found.and_then(|(user, _)| UserId::from_slice(&user)))
    }

    pub fn person(
        &self,
        key: &RowKey,
        user: UserId,
    ) -> Result<Option<(TenantId, PersonRow)>, Fault> {
        let found = self.one("SELECT tenant, sealed FROM person WHERE user = ?1", &user.0)?;
        Ok(found.and_then(|(tenant, sealed)| {
            Some((TenantId::from_slice(&tenant)?, unseal(key, "person", &user.0, &sealed)?))
        }))
    }

    /// Everybody of one tenant, oldest first.
    pub fn people(&self, key: &RowKey, of: TenantId) -> Result<Vec<(UserId, PersonRow)>, Fault> {
        let rows = self.many("SELECT user, sealed FROM person WHERE tenant = ?1", &[&of.0])?;
        let mut people: Vec<(UserId, PersonRow)> = rows
            .into_iter()
            .filter_map(|(user, sealed)| {
                Some((UserId::from_slice(&user)?, unseal(key, "person", &user, &sealed)?))
            })
            .collect();
        people.sort_by_key(|(user, person)| (person.made_ms, *user));
        Ok(people)
    }

    /// A new person with all their addresses, in one commit.
    pub fn add_person(
        &mut self,
        key: &RowKey,
        user: UserId,
        of: TenantId,
        row: &PersonRow,
    ) -> Result<(), Fault> {
        let sealed = seal(key, "person", &user.0, row)?;
        let fault = Fault::store("adding a person");
        let change = self.db.transaction().map_err(&fault)?;
        change
            .execute(
                "INSERT INTO person (user, tenant, sealed) VALUES (?1, ?2, ?3)",
                params![&user.0[..], &of.0[..], sealed],
            )
            .map_err(&fault)?;
        for address in std::iter::once(&row.address).chain(&row.aliases) {
            let token = key.token("address", address.as_bytes());
            change
                .execute(
                    "INSERT INTO address (token, user) VALUES (?1, ?2)",
                    params![&token[..], &user.0[..]],
                )
                .map_err(&fault)?;
        }
        change.commit().map_err(&fault)
    }

    /// Writes a person anew (disabled, role) and forgets the statements of their addresses.
    pub fn change_person(
        &mut self,
        key: &RowKey,
        user: UserId,
        row: &PersonRow,
    ) -> Result<(), Fault> {
        let sealed = seal(key, "person", &user.0, row)?;
        let fault = Fault::store("changing a person");
        let change = self.db.transaction().map_err(&fault)?;
        change
            .execute("UPDATE person SET sealed = ?2 WHERE user = ?1", params![&user.0[..], sealed])
            .map_err(&fault)?;
        for address in std::iter::once(&row.address).chain(&row.aliases) {
            let token = key.token("statement", address.as_bytes());
            change
                .execute("DELETE FROM statement WHERE token = ?1", params![&token[..]])
                .map_err(&fault)?;
        }
        change.commit().map_err(&fault)
    }

    pub fn statement(&self, key: &RowKey, address: &str) -> Result<Option<StatementRow>, Fault> {
        let token = key.token("statement", address.as_bytes());
        let found = self.one("SELECT token, sealed FROM statement WHERE token = ?1", &token)?;
        Ok(found.and_then(|(token, sealed)| unseal(key, "statement", &token, &sealed)))
    }

    pub fn keep_statement(
        &self,
        key: &RowKey,
        address: &str,
        row: &StatementRow,
    ) -> Result<(), Fault> {
        let token = key.token("statement", address.as_bytes());
        let sealed = seal(key, "statement", &token, row)?;
        self.db
            .prepare_cached("INSERT OR REPLACE INTO statement (token, sealed) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![&token[..], sealed]))
            .map_err(Fault::store("keeping a statement"))?;
        Ok(())
    }

    pub(crate) fn one(&self, sql: &str, by: &[u8]) -> Result<Option<Row>, Fault> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| {
                query.query_row(params![by], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(Fault::store("looking up a row"))
    }

    pub(crate) fn many(&self, sql: &str, by: &[&[u8]]) -> Result<Vec<Row>, Fault> {
        let fault = Fault::store("listing rows");
        let mut query = self.db.prepare_cached(sql).map_err(&fault)?;
        let rows = query
            .query_map(rusqlite::params_from_iter(by), |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(&fault)?;
        rows.collect::<Result<_, _>>().map_err(&fault)
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

/// A row that does not open was changed on the disk: it counts as absent, and mail for it waits.
pub(crate) fn unseal<T: DeserializeOwned>(
    key: &RowKey,
    table: &str,
    row: &[u8],
    sealed: &[u8],
) -> Option<T> {
    postcard::from_bytes(&key.open(table, row, sealed)?).ok()
}

/// Settings grow from version to version; what an older one wrote means the defaults of the rest.
fn unseal_tenant(key: &RowKey, row: &[u8], sealed: &[u8]) -> Option<TenantRow> {
    let plain = key.open("tenant", row, sealed)?;
    let whole = postcard::from_bytes(&plain).ok();
    let whole = whole.or_else(|| {
        let (name, settings) = postcard::from_bytes(&plain).ok()?;
        Some(TenantRow { name, settings, sending: SendingSettings::default() })
    });
    whole.or_else(|| {
        let (name, first): (String, FirstSettings) = postcard::from_bytes(&plain).ok()?;
        let settings = TenantSettings {
            tag_from: first.tag_from,
            junk_from: first.junk_from,
            quarantine_from: first.quarantine_from,
            refuse_from: first.refuse_from,
            obey_dmarc: first.obey_dmarc,
            ..TenantSettings::default()
        };
        Some(TenantRow { name, settings, sending: SendingSettings::default() })
    })
}

/// A domain's row was its name alone, then it had a catch-all, then an MTA-STS policy.
fn unseal_domain(key: &RowKey, row: &[u8], sealed: &[u8]) -> Option<DomainRow> {
    let plain = key.open("domain", row, sealed)?;
    postcard::from_bytes(&plain).ok().or_else(|| {
        let transport = TransportPolicy::default();
        if let Ok((name, catch_all)) = postcard::from_bytes(&plain) {
            return Some(DomainRow { name, catch_all, transport });
        }
        let name = postcard::from_bytes(&plain).ok()?;
        Some(DomainRow { name, catch_all: None, transport })
    })
}

/// The settings of version 0.1, before greylisting and trusted sealers.
#[derive(Serialize, Deserialize)]
pub struct FirstSettings {
    pub tag_from: f32,
    pub junk_from: f32,
    pub quarantine_from: f32,
    pub refuse_from: f32,
    pub obey_dmarc: bool,
}

#[cfg(test)]
mod tests {
    use super::{FirstSettings, seal, unseal_domain, unseal_tenant};
    use rows::RowKey;
    use wire::directory::{SendingSettings, TenantSettings};
    use wire::pages::{TransportMode, TransportPolicy};

    #[test]
    fn a_tenant_of_an_older_version_keeps_what_it_had() {
        let key = RowKey::new(&[7; 32]);
        let first = FirstSettings {
            tag_from: 1.0,
            junk_from: 2.0,
            quarantine_from: 3.0,
            refuse_from: 4.0,
            obey_dmarc: false,
        };
        let sealed = seal(&key, "tenant", &[1; 16], &("Kaede", first)).unwrap();
        let row = unseal_tenant(&key, &[1; 16], &sealed).unwrap();
        assert_eq!((row.name.as_str(), row.settings.junk_from), ("Kaede", 2.0));
        assert!(!row.settings.obey_dmarc && !row.settings.greylist);
        assert!(row.settings.trusted_sealers.is_empty());
        assert_eq!(row.sending, SendingSettings::default());
        let second = ("Kaede", TenantSettings { greylist: true, ..row.settings.clone() });
        let sealed = seal(&key, "tenant", &[1; 16], &second).unwrap();
        let mut row = unseal_tenant(&key, &[1; 16], &sealed).unwrap();
        assert!(row.settings.greylist);
        assert_eq!(row.sending, SendingSettings::default());
        row.sending.in_a_day = 5;
        let sealed = seal(&key, "tenant", &[1; 16], &row).unwrap();
        let read = unseal_tenant(&key, &[1; 16], &sealed).unwrap();
        assert_eq!((read.settings, read.sending), (row.settings, row.sending));
    }

    #[test]
    fn a_domain_of_an_older_version_has_no_catch_all() {
        let key = RowKey::new(&[7; 32]);
        let sealed = seal(&key, "domain", &[1; 16], &"kaede.example").unwrap();
        let row = unseal_domain(&key, &[1; 16], &sealed).unwrap();
        assert_eq!((row.name.as_str(), row.catch_all), ("kaede.example", None));
        let second = ("kaede.example", Some("aoi@kaede.example"));
        let sealed = seal(&key, "domain", &[1; 16], &second).unwrap();
        let mut row = unseal_domain(&key, &[1; 16], &sealed).unwrap();
        assert_eq!(row.catch_all.as_deref(), Some("aoi@kaede.example"));
        assert_eq!(row.transport, TransportPolicy::default());
        row.transport.mode = TransportMode::Enforce;
        let sealed = seal(&key, "domain", &[1; 16], &row).unwrap();
        let read = unseal_domain(&key, &[1; 16], &sealed).unwrap();
        assert_eq!((read.catch_all, read.transport), (row.catch_all, row.transport));
    }
}
