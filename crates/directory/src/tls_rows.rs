//! How TLS fared with a domain outside, as sealed rows: one for each tenant, day and domain.

use crate::Fault;
use crate::lists::LetterRow;
use crate::tables::{Tables, seal, unseal};
use rows::RowKey;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use terms::TenantId;
use wire::tls_report::{Failure, Finding, Policy};

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS tls_report (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, day INTEGER NOT NULL, due_ms INTEGER NOT NULL,
  sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tls_report_tenant ON tls_report (tenant, day);
CREATE INDEX IF NOT EXISTS tls_report_due ON tls_report (due_ms);
";

pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Domains of one tenant and day: some 2 MB. Sessions with others are counted without a name.
pub const DOMAINS: u64 = 2_000;
/// Policies of one domain in a day: its owner changes them seldom.
const POLICIES: usize = 4;
/// Kinds of failures under one policy: each host and address has its own.
const FAILURES: usize = 32;
/// After the day's end, and spread over so long, so that nobody gets all reports at midnight.
const AFTER_MS: u64 = 10 * 60 * 1000;
const SPREAD_MS: u64 = 4 * 60 * 60 * 1000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReportRow {
    /// Empty: of all domains for which there was no room.
    pub domain: String,
    pub day: u64,
    /// Where its owner wanted reports when we heard of it last.
    pub to: Vec<String>,
    pub policies: Vec<PolicyRow>,
    /// Sessions under policies for which there was no room.
    pub others: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRow {
    pub policy: Policy,
    pub good: u64,
    pub failures: Vec<Failure>,
    /// Sessions that failed in more ways than there is room for.
    pub others: u64,
}

impl PolicyRow {
    pub fn failed(&self) -> u64 {
        let known = self.failures.iter().map(|failure| u64::from(failure.sessions));
        known.sum::<u64>().saturating_add(self.others)
    }

    fn add(&mut self, finding: &Finding) {
        self.good = self.good.saturating_add(finding.good.into());
        self.others = self.others.saturating_add(finding.others.into());
        for new in &finding.failures {
            let is_it = |one: &&mut Failure| {
                (one.flaw, one.at, one.from) == (new.flaw, new.at, new.from) && one.host == new.host
            };
            let is_full = self.failures.len() >= FAILURES;
            match self.failures.iter_mut().find(is_it) {
                Some(known) => known.sessions = known.sessions.saturating_add(new.sessions),
                None if is_full => {
                    self.others = self.others.saturating_add(new.sessions.into());
                }
                None => self.failures.push(new.clone()),
            }
        }
    }
}

impl ReportRow {
    fn add(&mut self, finding: &Finding) {
        let all = finding.failures.iter().map(|failure| u64::from(failure.sessions)).sum::<u64>();
        let all = all.saturating_add(finding.good.into()).saturating_add(finding.others.into());
        if self.domain.is_empty() {
            self.others = self.others.saturating_add(all);
            return;
        }
        self.to.clone_from(&finding.to);
        let is_full = self.policies.len() >= POLICIES;
        let known = self.policies.iter_mut().find(|one| one.policy == finding.policy);
        match known {
            Some(known) => known.add(finding),
            None if is_full => {
                self.others = self.others.saturating_add(all);
            }
            None => {
                let (policy, failures) = (finding.policy.clone(), Vec::new());
                let mut fresh = PolicyRow { policy, good: 0, failures, others: 0 };
                fresh.add(finding);
                self.policies.push(fresh);
            }
        }
    }
}

pub type Token = [u8; 16];

/// A row's name.
pub fn place(key: &RowKey, tenant: TenantId, day: u64, domain: &str) -> Token {
    let whole = [&tenant.0[..], &day.to_be_bytes(), domain.as_bytes()].concat();
    key.token("tls-report", &whole)
}

/// When a report is due: drawn by the row's name, so that a restart draws no other time.
pub fn due_ms(place: &Token, day: u64) -> u64 {
    let drawn = place.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    (day + 1) * DAY_MS + AFTER_MS + drawn % SPREAD_MS
}

impl Tables {
    /// Adds what was told; all of it or, with a fault, nothing.
    pub fn add_tls(
        &self,
        key: &RowKey,
        tenant: TenantId,
        (findings, day): (&[Finding], u64),
    ) -> Result<(), Fault> {
        self.try_out()?;
        let added = findings.iter().try_for_each(|finding| self.add_one(key, tenant, finding, day));
        self.decide(added.is_ok())?;
        added
    }

    fn add_one(
        &self,
        key: &RowKey,
        tenant: TenantId,
        finding: &Finding,
        day: u64,
    ) -> Result<(), Fault> {
        let mut token = place(key, tenant, day, &finding.domain);
        let mut known = self.tls_row(key, &token)?;
        let mut domain = finding.domain.clone();
        if known.is_none() && self.count_tls(tenant, day)? >= DOMAINS {
            domain.clear();
            token = place(key, tenant, day, "");
            known = self.tls_row(key, &token)?;
        }
        let fresh = || ReportRow { domain, day, ..ReportRow::default() };
        let mut row = known.unwrap_or_else(fresh);
        row.add(finding);
        let sealed = seal(key, "tls_report", &token, &row)?;
        let (day, due) = (signed(day), signed(due_ms(&token, row.day)));
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO tls_report (token, tenant, day, due_ms, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut insert| {
                insert.execute(params![&token[..], &tenant.0[..], day, due, sealed])
            })
            .map_err(Fault::store("counting TLS"))?;
        Ok(())
    }

    pub fn tls_row(&self, key: &RowKey, token: &Token) -> Result<Option<ReportRow>, Fault> {
        let found = self.one("SELECT tenant, sealed FROM tls_report WHERE token = ?1", token)?;
        Ok(found.and_then(|(_, sealed)| unseal(key, "tls_report", token, &sealed)))
    }

    fn count_tls(&self, tenant: TenantId, day: u64) -> Result<u64, Fault> {
        let sql = "SELECT COUNT(*) FROM tls_report WHERE tenant = ?1 AND day = ?2";
        self.count_rows(sql, params![&tenant.0[..], signed(day)])
    }

    /// Rows that are due by then, so many at most, with their tenants.
    pub fn due_tls(&self, by_ms: u64, most: usize) -> Result<Vec<(Token, TenantId)>, Fault> {
        let fault = Fault::store("looking for reports");
        let sql =
            "SELECT token, tenant FROM tls_report WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2";
        let mut query = self.db.prepare_cached(sql).map_err(&fault)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = query
            .query_map(params![signed(by_ms), most], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .map_err(&fault)?;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = rows.collect::<Result<_, _>>().map_err(&fault)?;
        let named = |(token, tenant): (Vec<u8>, Vec<u8>)| {
            Some((token.try_into().ok()?, TenantId::from_slice(&tenant)?))
        };
        Ok(rows.into_iter().filter_map(named).collect())
    }

    /// The letters are kept and the row goes, or neither.
    pub fn report_tls(
        &self,
        key: &RowKey,
        (token, tenant): (&Token, TenantId),
        letters: &[LetterRow],
    ) -> Result<(), Fault> {
        self.try_out()?;
        let kept = letters.iter().try_for_each(|letter| self.keep_letter(key, tenant, letter));
        let done = kept.and_then(|()| self.drop_tls(token));
        self.decide(done.is_ok())?;
        done
    }

    fn drop_tls(&self, token: &Token) -> Result<(), Fault> {
        self.db
            .prepare_cached("DELETE FROM tls_report WHERE token = ?1")
            .and_then(|mut delete| delete.execute(params![&token[..]]))
            .map_err(Fault::store("dropping a report"))?;
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
