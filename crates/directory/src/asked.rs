//! The list that a gateway is asked for with: told beforehand, named in the request by its count
//! and a keyed hash of its addresses, and taken when the gateway is. Until then it stands apart,
//! and nobody is let in or kept out by it.

use crate::Fault;
use crate::tables::{Tables, seal, unseal};
use rows::RowKey;
use rusqlite::params;
use terms::TenantId;
use wire::directory::ListAsked;

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS asked_list (
  token BLOB PRIMARY KEY, domain BLOB NOT NULL, tenant BLOB NOT NULL, told_ms INTEGER NOT NULL,
  sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS asked_list_domain ON asked_list (domain);
";

/// A request waits seven days at most; so long, and a day more, what it names is kept.
const KEPT_MS: u64 = 8 * 24 * 60 * 60 * 1000;
/// Recipients of one list: a million addresses are more than any one customer's, and 100 MB.
pub const ASKED: u64 = 1_000_000;

impl Tables {
    /// Another list for this domain begins: what was told for it before is gone, and so is what
    /// outlived every request that may have named it.
    pub fn begin_asked(&self, key: &RowKey, domain: &str, now: u64) -> Result<(), Fault> {
        self.drop_asked(key, domain)?;
        let old = signed(now.saturating_sub(KEPT_MS));
        let drop = self.db.execute("DELETE FROM asked_list WHERE told_ms < ?1", [old]);
        drop.map(|_| ()).map_err(Fault::store("dropping lists that nobody asks with"))
    }

    /// A page of it; `told_ms` is the moment at which it began.
    pub fn add_asked(
        &self,
        key: &RowKey,
        (tenant, domain): (TenantId, &str),
        addresses: &[String],
        told_ms: u64,
    ) -> Result<(), Fault> {
        let of = key.token("gateway", domain.as_bytes());
        let fault = Fault::store("keeping a list that is asked with");
        for address in addresses {
            let token = key.token("asked-list", address.as_bytes());
            let name = seal(key, "asked_list", &token, address)?;
            self.db
                .prepare_cached(
                    "INSERT OR REPLACE INTO asked_list (token, domain, tenant, told_ms, sealed)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )
                .and_then(|mut insert| {
                    let told = signed(told_ms);
                    insert.execute(params![&token[..], &of[..], &tenant.0[..], told, name])
                })
                .map_err(&fault)?;
        }
        Ok(())
    }

    /// Whether the list that began then is the one that is being told for this domain.
    pub fn is_asked_since(&self, key: &RowKey, domain: &str, told_ms: u64) -> Result<bool, Fault> {
        let of = key.token("gateway", domain.as_bytes());
        let count = "SELECT COUNT(*) FROM asked_list WHERE domain = ?1 AND told_ms = ?2";
        Ok(self.count_rows(count, params![&of[..], signed(told_ms)])? > 0)
    }

    pub fn count_asked(&self, key: &RowKey, domain: &str) -> Result<u64, Fault> {
        let of = key.token("gateway", domain.as_bytes());
        self.count_rows("SELECT COUNT(*) FROM asked_list WHERE domain = ?1", params![&of[..]])
    }

    /// What was told for this domain, by its count and hash.
    pub fn asked(&self, key: &RowKey, domain: &str) -> Result<ListAsked, Fault> {
        let mut asked = ListAsked { recipients: 0, digest: [0; 16] };
        for (token, _) in self.asked_rows(key, domain)? {
            asked.recipients += 1;
            asked.digest = key.token("asked-list-digest", &[&asked.digest[..], &token].concat());
        }
        Ok(asked)
    }

    /// Its addresses.
    pub fn asked_addresses(&self, key: &RowKey, domain: &str) -> Result<Vec<String>, Fault> {
        let rows = self.asked_rows(key, domain)?.into_iter();
        Ok(rows.filter_map(|(token, sealed)| unseal(key, "asked_list", &token, &sealed)).collect())
    }

    pub fn drop_asked(&self, key: &RowKey, domain: &str) -> Result<(), Fault> {
        let of = key.token("gateway", domain.as_bytes());
        self.drop_row("DELETE FROM asked_list WHERE domain = ?1", &of)
    }

    /// In the order of their tokens, which is that of nobody's telling.
    fn asked_rows(&self, key: &RowKey, domain: &str) -> Result<Vec<crate::tables::Row>, Fault> {
        let of = key.token("gateway", domain.as_bytes());
        self.many("SELECT token, sealed FROM asked_list WHERE domain = ?1 ORDER BY token", &[&of])
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
