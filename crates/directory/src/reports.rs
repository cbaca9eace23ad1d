//! Reports of others about a tenant's mail: kept in sealed rows, few and not for ever, and counted
//! against whoever sent what readers complain about.
//!
//! Whoever tells of one is an edge, which may have been taken over, or was told lies by a stranger.
//! So rates are bounded by tenant and by who reports; a report that nobody has proven moves nothing
//! and pushes no proven one out; a complaint counts only for a message that left in that person's
//! own name, to where it is complained of, once, and one domain's complaints alone have nobody's
//! mail wait.

use crate::changes::{Changes, no_tenant, refused};
use crate::tables::{Tables, seal, unseal};
use crate::{Desk, Fault, canonical, trace_token};
use compartment::now_ms;
use rows::RowKey;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use terms::{TenantId, UserId};
use wire::control::Report::Attention;
use wire::directory::ToAdmin;
use wire::reports::{Kept, Kind, Noted, Page, Query, Report, Sent, Told, is_for_reports};

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS report (
  place BLOB PRIMARY KEY, tenant BLOB NOT NULL, class INTEGER NOT NULL, kind INTEGER NOT NULL,
  reporter BLOB NOT NULL, user BLOB, about BLOB, weighs INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS report_tenant ON report (tenant, at_ms);
CREATE INDEX IF NOT EXISTS report_user ON report (user);
CREATE INDEX IF NOT EXISTS report_about ON report (about);
";

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// What is older says nothing of today.
const KEPT_MS: u64 = 400 * DAY_MS;
/// Complaints are shown by what there were in these.
const LATELY_MS: u64 = 30 * DAY_MS;
/// In one hour: of one tenant, of those whom nobody proves, and of one domain that reports to it.
const OF_TENANT: u32 = 400;
const UNPROVEN: u32 = 20;
const OF_REPORTER: u32 = 150;
/// Complaints of one domain about one person that count in an hour: fewer than have mail wait
/// (`post::returns`), so that no single domain can, whoever owns it.
const COMPLAINTS: u32 = 4;
/// Reports in one answer, and their octets: it fits into one frame.
const SHOWN: usize = 100;
const SHOWN_BYTES: usize = 64 * 1024;

type Token = [u8; 16];

/// What a report is worth: each class has room and rates of its own, so that none pushes another
/// out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Proven = 0,
    Unproven = 1,
    Returned = 2,
}

impl Class {
    fn of(told: &Told) -> Self {
        match (&told.report, told.is_proven) {
            (Report::Returned(_), _) => Self::Returned,
            (_, true) => Self::Proven,
            (_, false) => Self::Unproven,
        }
    }

    /// Rows: 2,000 of a tenant in all.
    fn limit(self) -> u32 {
        match self {
            Self::Proven => 1_000,
            Self::Unproven => 200,
            Self::Returned => 800,
        }
    }

    fn in_an_hour(self) -> u32 {
        if self == Self::Unproven { UNPROVEN } else { OF_TENANT }
    }
}

/// One that is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReportRow {
    pub to: String,
    pub by: String,
    pub is_proven: bool,
    pub report: Report,
    pub sent: Option<Sent>,
}

/// How many came in this hour, in memory; after a restart it begins anew.
#[derive(Default)]
pub struct Rates {
    hour: u64,
    tenants: HashMap<(TenantId, Class), u32>,
    reporters: HashMap<(TenantId, Class, Token), u32>,
    complaints: HashMap<(UserId, Token), u32>,
    /// Of which tenants an hour's limit turned complaints away, and who was not told of it yet.
    full: BTreeSet<TenantId>,
    untold: Vec<TenantId>,
}

impl Rates {
    fn turn(&mut self, now: u64) {
        if self.hour != now / HOUR_MS {
            *self = Self { hour: now / HOUR_MS, ..Self::default() };
        }
    }

    /// Counts one more, if there may be one. Whoever proves nothing has no name to count by.
    fn may(&mut self, (tenant, class): (TenantId, Class), reporter: Token) -> bool {
        let of_reporter = class == Class::Unproven
            || one_more(&mut self.reporters, (tenant, class, reporter), OF_REPORTER);
        of_reporter && one_more(&mut self.tenants, (tenant, class), class.in_an_hour())
    }

    /// A complaint was turned away: said once an hour for each tenant.
    fn turned_away(&mut self, tenant: TenantId) {
        if self.full.insert(tenant) {
            self.untold.push(tenant);
        }
    }

    /// For whoever looks after the house: what nobody reads in `report list`.
    pub fn take_untold(&mut self) -> Vec<String> {
        let told = |tenant| {
            format!(
                "complaints about mail of tenant {tenant} come above the hour's limit and are not \
                 kept"
            )
        };
        std::mem::take(&mut self.untold).into_iter().map(told).collect()
    }

    fn may_complain(&mut self, user: UserId, reporter: Token) -> bool {
        one_more(&mut self.complaints, (user, reporter), COMPLAINTS)
    }
}

fn one_more<K: Eq + Hash>(counts: &mut HashMap<K, u32>, of: K, limit: u32) -> bool {
    let count = counts.entry(of).or_default();
    *count = count.saturating_add(1);
    *count <= limit
}

impl Desk {
    /// What an edge tells of.
    pub(crate) fn note_report(&mut self, told: Told) -> Noted {
        let mut rates = std::mem::take(&mut self.rates);
        let noted = match self.changes() {
            Some(mut change) => change.note_report(told, &mut rates, now_ms()),
            None => Ok(Noted::Later),
        };
        for what in rates.take_untold() {
            let _ = self.hub.send(self.warden, 0, &Attention { what }, Vec::new());
        }
        self.rates = rates;
        noted.unwrap_or_else(|fault| {
            compartment::tell(format_args!("sekisho: directory: {}", fault.story()));
            Noted::Later
        })
    }
}

impl Changes<'_> {
    pub fn note_report(
        &mut self,
        mut told: Told,
        rates: &mut Rates,
        now: u64,
    ) -> Result<Noted, Fault> {
        told.to = canonical(&told.to, self.host_name);
        told.by.truncate(told.by.floor_char_boundary(255));
        told.report = told.report.bounded();
        let domain = told.to.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        let Some(tenant) = self.tables.domain(self.key, domain)? else { return Ok(Noted::Foreign) };
        if !self.is_about(&mut told, tenant)? {
            return Ok(Noted::Foreign);
        }
        rates.turn(now);
        let reporter = self.key.token("reporter", told.by.as_bytes());
        let class = Class::of(&told);
        if !rates.may((tenant, class), reporter) {
            if told.report.kind() == Kind::Feedback {
                rates.turned_away(tenant);
            }
            return Ok(Noted::Full);
        }
        let digest = told.report.about().map(trace::digest);
        let about = digest.map(|digest| trace_token(self.key, tenant, &digest));
        let sent = match about {
            Some(token) => match self.friends.who_sent(tenant, token) {
                Ok(sent) => sent,
                // A complaint is shown all the same; of mail that came back nothing would be.
                Err(_) if told.report.kind() == Kind::Feedback => None,
                Err(_) => return Ok(Noted::Later),
            },
            None => None,
        };
        if told.report.kind() == Kind::Returned && sent.is_none() {
            return Ok(Noted::Foreign);
        }
        let place = self.place_of(tenant, &told)?;
        // Another complaint about the same message is kept, and weighs no more.
        let is_first = match about {
            Some(about) => !self.tables.has_complaint(tenant, about)?,
            None => false,
        };
        let is_complaint =
            matches!(&told.report, Report::Feedback(feedback) if feedback.is_complaint());
        let is_own = sent.is_some_and(|sent| !sent.is_passed_on);
        let weighs = is_complaint
            && is_own
            && is_first
            && class == Class::Proven
            && self.has_gone_there(tenant, about, &told.by);
        let whose = Whose { tenant, reporter, about, user: sent.map(|sent| sent.user), weighs };
        let Told { to, by, is_proven, report, .. } = told;
        let row = ReportRow { to, by, is_proven, report, sent };
        let is_new = self.tables.keep_report(self.key, (&place, class), &whose, &row, now)?;
        if let Some(sent) = sent.filter(|_| weighs && is_new)
            && rates.may_complain(sent.user, reporter)
        {
            // The brake is a convenience: without an answer it holds nobody.
            let _ = self.friends.complained(sent.user);
        }
        Ok(Noted::Kept)
    }

    /// Whether the message went to whoever complains of it. Others may have seen it, and so may the
    /// owner of any domain that was bought for this: what they say is shown, and weighs nothing.
    fn has_gone_there(&mut self, tenant: TenantId, about: Option<Token>, by: &str) -> bool {
        let Some(token) = about else { return false };
        let domain = by.trim_end_matches('.').to_lowercase();
        let place = |place: &String| trace_token(self.key, tenant, &trace::digest(place));
        let places = trace::reached(&domain).iter().map(place).collect();
        self.friends.went_to(tenant, token, places).unwrap_or(false)
    }

    /// Whether it is this tenant's business. Of a TLS report only what is about its own domains is
    /// left.
    fn is_about(&self, told: &mut Told, tenant: TenantId) -> Result<bool, Fault> {
        let Report::Tls(report) = &mut told.report else {
            let is_returned = told.report.kind() == Kind::Returned;
            return Ok(is_returned || is_for_reports(&told.to));
        };
        let mut own = Vec::with_capacity(report.policies.len());
        for policy in std::mem::take(&mut report.policies) {
            if self.tables.domain(self.key, &policy.domain)? == Some(tenant) {
                own.push(policy);
            }
        }
        report.policies = own;
        Ok(!report.policies.is_empty() && is_for_reports(&told.to))
    }

    /// The same report has the same place, however often it comes.
    fn place_of(&self, tenant: TenantId, told: &Told) -> Result<Token, Fault> {
        let name = match (&told.report, told.own) {
            (Report::Tls(report), _) if !report.id.is_empty() => {
                format!("tls {} {} {}", told.is_proven, told.by, report.id).into_bytes()
            }
            (report, own) if own == [0; 32] => {
                postcard::to_stdvec(&(&told.by, told.is_proven, report))
                    .map_err(|_| Fault::Encode)?
            }
            (report, own) => {
                let head = format!("{} {} {} ", report.kind().word(), told.is_proven, told.by);
                [head.as_bytes(), &own].concat()
            }
        };
        Ok(self.key.token("report", &[&tenant.0[..], &name].concat()))
    }

    /// What the command line asks for.
    ///
    /// A reader may be faster with their word than the mailbox with its own of the same letter:
    /// whose it was is asked again then.
    pub fn show_reports(&mut self, query: Query) -> Result<ToAdmin, Fault> {
        let now = now_ms();
        let places = match query {
            Query::List { tenant, domain, kind, after } => {
                let tenant = match self.tenant_of(tenant.as_deref(), domain.as_deref())? {
                    Ok(tenant) => tenant,
                    Err(refusal) => return Ok(refusal),
                };
                let of_domain = domain.as_deref().map(terms::dns_name);
                let all = self.tables.report_places(tenant, kind, now)?;
                return self.page(all, after, of_domain.as_deref(), now).map(ToAdmin::Reports);
            }
            Query::Show(place) => vec![place],
            Query::About(tokens) => self.tables.reports_about(&tokens, now)?,
        };
        self.page(places, None, None, now).map(ToAdmin::Reports)
    }

    fn tenant_of(
        &self,
        tenant: Option<&str>,
        domain: Option<&str>,
    ) -> Result<Result<Option<TenantId>, ToAdmin>, Fault> {
        if let Some(domain) = domain {
            let domain = terms::dns_name(domain);
            return Ok(match self.tables.domain(self.key, &domain)? {
                Some(tenant) => Ok(Some(tenant)),
                None => Err(refused("a domain of this house", &domain, "see `domain list`")),
            });
        }
        let Some(name) = tenant else { return Ok(Ok(None)) };
        Ok(match self.tables.tenant_by_name(self.key, name)? {
            Some((tenant, _)) => Ok(Some(tenant)),
            None => Err(no_tenant(name)),
        })
    }

    /// Those behind `after`, as many as one answer holds.
    fn page(
        &mut self,
        places: Vec<Token>,
        after: Option<Token>,
        domain: Option<&str>,
        now: u64,
    ) -> Result<Page, Fault> {
        let at = after.and_then(|after| places.iter().position(|place| *place == after));
        let mut left = places.into_iter().skip(at.map_or(0, |at| at + 1)).peekable();
        let (mut items, mut bytes) = (Vec::new(), 0);
        while let Some(place) = left.next() {
            let Some((tenant, at_ms, mut row)) = self.tables.report(self.key, &place)? else {
                continue;
            };
            self.complete(&place, tenant, &mut row)?;
            if domain.is_some_and(|domain| !is_of(&row, domain)) {
                continue;
            }
            let ReportRow { to, by, is_proven, report, sent } = row;
            bytes += postcard::to_stdvec(&report).map_or(0, |octets| octets.len()) + 1_000;
            let complaints = match sent {
                Some(sent) => self.tables.complaints_about(sent.user, now)?,
                None => 0,
            };
            let (id, tenant) = (place, self.tenant_name(tenant)?);
            items.push(Kept { id, tenant, at_ms, to, by, is_proven, report, sent, complaints });
            let is_full = items.len() >= SHOWN || bytes >= SHOWN_BYTES;
            if is_full && left.peek().is_some() {
                return Ok(Page { items, next: Some(id) });
            }
        }
        Ok(Page { items, next: None })
    }
}

impl Changes<'_> {
    /// Whose message a complaint is about that came before its journey was told. The brake is not:
    /// its rates are of the hour in which it came.
    fn complete(
        &mut self,
        place: &Token,
        tenant: TenantId,
        row: &mut ReportRow,
    ) -> Result<(), Fault> {
        let Report::Feedback(feedback) = &row.report else { return Ok(()) };
        let Some(about) = row.report.about().filter(|_| row.sent.is_none()) else { return Ok(()) };
        let about = trace_token(self.key, tenant, &trace::digest(about));
        // Without the mailbox it is shown as it was kept.
        let Ok(Some(sent)) = self.friends.who_sent(tenant, about) else { return Ok(()) };
        let weighs = feedback.is_complaint()
            && row.is_proven
            && !sent.is_passed_on
            && self.has_gone_there(tenant, Some(about), &row.by);
        row.sent = Some(sent);
        self.tables.complete_report(self.key, place, row, (sent.user, weighs))
    }
}

/// Whether a report is about this domain, or came to it.
fn is_of(row: &ReportRow, domain: &str) -> bool {
    match &row.report {
        Report::Tls(report) => report.policies.iter().any(|policy| policy.domain == domain),
        _ => row.to.rsplit_once('@').is_some_and(|(_, of)| of == domain),
    }
}

/// Whom a row is about.
struct Whose {
    tenant: TenantId,
    reporter: Token,
    about: Option<Token>,
    user: Option<UserId>,
    /// It is a complaint about what that person wrote.
    weighs: bool,
}

impl Tables {
    /// Keeps one, and lets go what is too much or too old. `false`: it is there already.
    fn keep_report(
        &self,
        key: &RowKey,
        (place, class): (&Token, Class),
        whose: &Whose,
        row: &ReportRow,
        now: u64,
    ) -> Result<bool, Fault> {
        let sealed = seal(key, "report", place, row)?;
        let fault = Fault::store("keeping a report");
        let insert = "INSERT OR IGNORE INTO report
            (place, tenant, class, kind, reporter, user, about, weighs, at_ms, sealed)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let kept = self
            .db
            .execute(
                insert,
                params![
                    &place[..],
                    &whose.tenant.0[..],
                    class as u8,
                    row.report.kind() as u8,
                    &whose.reporter[..],
                    whose.user.as_ref().map(|user| &user.0[..]),
                    whose.about.as_ref().map(|about| &about[..]),
                    whose.weighs,
                    now.cast_signed(),
                    sealed
                ],
            )
            .map_err(&fault)?;
        if kept == 0 {
            return Ok(false);
        }
        let tenant = &whose.tenant.0[..];
        let oldest = now.saturating_sub(KEPT_MS).cast_signed();
        let old = "DELETE FROM report WHERE tenant = ?1 AND at_ms < ?2";
        // One that reports much lets others' reports stand.
        let of_reporter = "DELETE FROM report WHERE place IN (SELECT place FROM report
            WHERE tenant = ?1 AND class = ?2 AND reporter = ?3
            ORDER BY at_ms DESC LIMIT -1 OFFSET ?4)";
        let of_class = "DELETE FROM report WHERE place IN (SELECT place FROM report
            WHERE tenant = ?1 AND class = ?2 ORDER BY at_ms DESC LIMIT -1 OFFSET ?3)";
        let (limit, class) = (class.limit(), class as u8);
        self.db
            .execute(old, params![tenant, oldest])
            .and_then(|_| {
                let of = params![tenant, class, &whose.reporter[..], limit / 2];
                self.db.execute(of_reporter, of)
            })
            .and_then(|_| self.db.execute(of_class, params![tenant, class, limit]))
            .map_err(&fault)?;
        Ok(true)
    }

    fn complete_report(
        &self,
        key: &RowKey,
        place: &Token,
        row: &ReportRow,
        (user, weighs): (UserId, bool),
    ) -> Result<(), Fault> {
        let sealed = seal(key, "report", place, row)?;
        let sql = "UPDATE report SET user = ?2, weighs = ?3, sealed = ?4 WHERE place = ?1";
        self.db
            .execute(sql, params![&place[..], &user.0[..], weighs, sealed])
            .map_err(Fault::store("completing a report"))?;
        Ok(())
    }

    fn report(
        &self,
        key: &RowKey,
        place: &Token,
    ) -> Result<Option<(TenantId, u64, ReportRow)>, Fault> {
        let sql = "SELECT tenant, at_ms, sealed FROM report WHERE place = ?1";
        let found: Option<(Vec<u8>, i64, Vec<u8>)> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut query| {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                query.query_row(params![&place[..]], row).optional()
            })
            .map_err(Fault::store("reading a report"))?;
        Ok(found.and_then(|(tenant, at_ms, sealed)| {
            let row = unseal(key, "report", place, &sealed)?;
            Some((TenantId::from_slice(&tenant)?, at_ms.cast_unsigned(), row))
        }))
    }

    /// All of a tenant, or of the house, newest first.
    fn report_places(
        &self,
        tenant: Option<TenantId>,
        kind: Option<Kind>,
        now: u64,
    ) -> Result<Vec<Token>, Fault> {
        let sql = "SELECT place FROM report
            WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR kind = ?2) AND at_ms >= ?3
            ORDER BY at_ms DESC, place";
        let tenant = tenant.as_ref().map(|tenant| &tenant.0[..]);
        let oldest = now.saturating_sub(KEPT_MS).cast_signed();
        self.places(sql, params![tenant, kind.map(|kind| kind as u8), oldest])
    }

    fn reports_about(&self, tokens: &[Token], now: u64) -> Result<Vec<Token>, Fault> {
        let sql = "SELECT place FROM report WHERE about = ?1 AND at_ms >= ?2
            ORDER BY at_ms DESC, place";
        let oldest = now.saturating_sub(KEPT_MS).cast_signed();
        let mut all = Vec::new();
        for token in tokens.iter().take(crate::TOKENS) {
            all.extend(self.places(sql, params![&token[..], oldest])?);
        }
        Ok(all)
    }

    fn places(&self, sql: &str, with: impl rusqlite::Params) -> Result<Vec<Token>, Fault> {
        let fault = Fault::store("listing reports");
        let mut query = self.db.prepare_cached(sql).map_err(&fault)?;
        let rows = query.query_map(with, |row| row.get::<_, Vec<u8>>(0)).map_err(&fault)?;
        let places = rows.collect::<Result<Vec<_>, _>>().map_err(&fault)?;
        Ok(places.into_iter().filter_map(|place| place.try_into().ok()).collect())
    }

    /// Whether a complaint about this message is kept already.
    fn has_complaint(&self, tenant: TenantId, about: Token) -> Result<bool, Fault> {
        let sql = "SELECT COUNT(*) FROM report WHERE tenant = ?1 AND about = ?2 AND weighs";
        Ok(self.count_rows(sql, params![&tenant.0[..], &about[..]])? > 0)
    }

    fn complaints_about(&self, user: UserId, now: u64) -> Result<u32, Fault> {
        let sql = "SELECT COUNT(*) FROM report WHERE user = ?1 AND weighs AND at_ms >= ?2";
        let lately = now.saturating_sub(LATELY_MS).cast_signed();
        let count = self.count_rows(sql, params![&user.0[..], lately])?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
