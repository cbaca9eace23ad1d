//! Reports about TLS (RFC 8460): counted as they are told, and written to whoever wants them some
//! time after the day's end. What `depart` says counts for the tenant that its channel's label
//! names.

use crate::Fault;
use crate::address::is_sound_domain;
use crate::changes::Changes;
use crate::lists::{LetterRow, Telling};
use crate::tables::TenantRow;
use crate::tls_rows::{DAY_MS, PolicyRow, ReportRow, Token, due_ms};
use compartment::now_ms;
use evidence::rfc3339;
use notice::tls::packed;
use route::{DateRange, Failure, Policy, PolicyKind, PolicyOutcome, Report, Summary};
use terms::TenantId;
use wire::directory::ToAdmin;
use wire::lists::Language;
use wire::tls_report::{self, Finding, Kept};

/// Reports written at once: others wait for an answer meanwhile.
const AT_ONCE: usize = 16;
/// While so many letters wait, no more are written.
const LETTERS: u64 = 1_000;
/// Octets of a packed report: its letter must be a small one for the queue.
const PACKED_BYTES: usize = 8 * 1024;
/// Rows that are shown.
const SHOWN: usize = 1_000;

impl Changes<'_> {
    /// Counts what was told; `false`: it is nothing that could be told.
    pub fn note_tls(&mut self, tenant: TenantId, findings: &[Finding]) -> Result<bool, Fault> {
        let is_fit = |finding: &Finding| finding.is_sound() && is_sound_domain(&finding.domain);
        if findings.len() > tls_report::FINDINGS || !findings.iter().all(is_fit) {
            return Ok(false);
        }
        // Of a contract that is over nothing is kept.
        if self.tables.tenant(self.key, tenant)?.is_some() {
            self.tables.add_tls(self.key, tenant, (findings, now_ms() / DAY_MS))?;
        }
        Ok(true)
    }

    /// Writes some of the reports that are due by then; how many rows are done with.
    pub fn write_tls_reports(&mut self, by_ms: u64) -> Result<usize, Fault> {
        if self.tables.count_letters()? >= LETTERS {
            return Ok(0);
        }
        let due = self.tables.due_tls(by_ms, AT_ONCE)?;
        for (token, tenant) in &due {
            let row = self.tables.tls_row(self.key, token)?;
            let letters = match row {
                Some(row) => self.letters_of(*tenant, token, &row, now_ms())?,
                // A row that does not open is none.
                None => Vec::new(),
            };
            self.tables.report_tls(self.key, (token, *tenant), &letters)?;
        }
        Ok(due.len())
    }

    /// One letter for each address. A tenant without a domain of its own tells nobody.
    fn letters_of(
        &self,
        tenant: TenantId,
        token: &Token,
        row: &ReportRow,
        now: u64,
    ) -> Result<Vec<LetterRow>, Fault> {
        let (Some(TenantRow { name, .. }), Some(domain)) = (
            self.tables.tenant(self.key, tenant)?,
            self.tables.domains(self.key, Some(tenant))?.into_iter().next(),
        ) else {
            return Ok(Vec::new());
        };
        if row.domain.is_empty() || row.policies.is_empty() {
            return Ok(Vec::new());
        }
        let begin = row.day * DAY_MS;
        let end = (begin + DAY_MS - 1_000).min(now);
        let drawn = self.key.token("tls-report-id", &[&token[..], &now.to_be_bytes()].concat());
        let drawn: String = drawn.iter().take(8).map(|octet| format!("{octet:02x}")).collect();
        let id = format!("{}.{drawn}@{domain}", second(begin).get(..10).unwrap_or_default());
        let from = format!("postmaster@{domain}");
        let report = Report {
            organization_name: name.clone(),
            date_range: DateRange { start_datetime: second(begin), end_datetime: second(end) },
            contact_info: from.clone(),
            report_id: id.clone(),
            policies: row.policies.iter().map(|one| outcome(&row.domain, one)).collect(),
        };
        let report = fitted(report);
        let letter = |to: &String| LetterRow {
            what: Telling::TlsReport {
                about: row.domain.clone(),
                id: id.clone(),
                time: (begin / 1_000, end / 1_000),
                packed: report.clone(),
            },
            to: to.clone(),
            list: from.clone(),
            name: name.clone(),
            language: Language::English,
            at_ms: now,
        };
        Ok(row.to.iter().map(letter).collect())
    }

    /// What is kept; with `send` all of it is written now, today's too.
    pub fn tls_reports(&mut self, send: bool) -> Result<ToAdmin, Fault> {
        let mut kept = Vec::new();
        for (token, tenant) in self.tables.due_tls(u64::MAX, SHOWN)? {
            let Some(row) = self.tables.tls_row(self.key, &token)? else { continue };
            let tenant = self.tables.tenant(self.key, tenant)?.map(|row| row.name);
            let good = row.policies.iter().map(|one| one.good).sum::<u64>();
            let failed = row.policies.iter().map(PolicyRow::failed).sum::<u64>();
            kept.push(Kept {
                tenant: tenant.unwrap_or_default(),
                day_ms: row.day * DAY_MS,
                due_ms: due_ms(&token, row.day),
                good,
                failed,
                others: row.others,
                domain: row.domain,
                to: row.to,
            });
        }
        while send && self.write_tls_reports(u64::MAX)? > 0 {}
        Ok(ToAdmin::TlsReports(kept))
    }
}

/// RFC 3339, to the second.
fn second(ms: u64) -> String {
    rfc3339(ms).get(..19).unwrap_or_default().to_owned() + "Z"
}

fn outcome(domain: &str, row: &PolicyRow) -> PolicyOutcome {
    let tls_report::Policy { kind, strings, hosts } = row.policy.clone();
    let kind = match kind {
        tls_report::PolicyKind::None => PolicyKind::None,
        tls_report::PolicyKind::Sts => PolicyKind::Sts,
        tls_report::PolicyKind::Tlsa => PolicyKind::Tlsa,
    };
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let failure = |one: &tls_report::Failure| Failure {
        result_type: one.flaw.word().to_owned(),
        sending_mta_ip: one.from.map(|from| from.to_string()),
        receiving_mx_hostname: some(&one.host),
        receiving_ip: one.at.map(|at| at.to_string()),
        failed_session_count: one.sessions.into(),
        failure_reason_code: some(&one.reason),
    };
    let mut failures: Vec<Failure> = row.failures.iter().map(failure).collect();
    failures.sort_by_key(|one| std::cmp::Reverse(one.failed_session_count));
    PolicyOutcome {
        policy: Policy {
            policy_type: kind,
            policy_string: strings,
            policy_domain: domain.to_owned(),
            mx_host: hosts,
        },
        summary: Summary {
            total_successful_session_count: row.good,
            total_failure_session_count: row.failed(),
        },
        failure_details: failures,
    }
}

/// Packed, and small enough: the rarest failures are left out, then what policies say. The counts
/// of all sessions stay.
fn fitted(mut report: Report) -> Vec<u8> {
    loop {
        let octets = packed(&report.write());
        let most = report.policies.iter().map(|one| one.failure_details.len()).max().unwrap_or(0);
        let has_texts = report.policies.iter().any(|one| !one.policy.policy_string.is_empty());
        if octets.len() <= PACKED_BYTES || (most == 0 && !has_texts) {
            return octets;
        }
        for one in &mut report.policies {
            match most {
                0 => {
                    one.policy.policy_string.clear();
                    one.policy.mx_host.clear();
                }
                _ => one.failure_details.truncate(most / 2),
            }
        }
    }
}
