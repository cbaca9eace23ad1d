//! A message that is a report of others: what it says, in the few words that are kept of it.
//! The formats themselves are read by `notice` and `route`.

use mime::Part;
use mime::detect::gunzip;
use notice::Bounce;
use route::{Failure, PolicyKind, PolicyOutcome, REPORT_BYTES};
use wire::reports::{
    Feedback, Report, Returned, TlsFailure, TlsPolicy, TlsPolicyKind, TlsReport, Victim,
};

/// Octets of a report as it is sent: packed, or written out.
const PACKED_BYTES: usize = 2 * REPORT_BYTES;
/// Ways to fail that are told apart: a house has a few hosts, and the standard eleven words.
const FAILURES: usize = 256;

/// What a message reports. `header`: its own; `bounce`: what was read of mail from nobody.
pub(crate) fn read(message: &[u8], header: &[u8], bounce: Option<&Bounce>) -> Option<Report> {
    let value =
        |name: &str| mime::field_values(header, name).into_iter().next().unwrap_or_default();
    let of = mime::content_type(&value("content-type"));
    // Nothing else is parsed once more.
    let is_tls = of.main == "application" && of.sub.starts_with("tlsrpt+");
    let is_report = of.is("multipart", "report");
    let tls = || (is_report || is_tls).then(|| tls_report(message)).flatten().map(Report::Tls);
    let is_feedback = is_report || notice::is_complaint(&value("subject"));
    let feedback = || is_feedback.then(|| notice::feedback(message)).flatten();
    let feedback = || feedback().map(|read| Report::Feedback(in_words(read)));
    let returned = || bounce.and_then(returned).map(Report::Returned);
    Some(tls().or_else(feedback).or_else(returned)?.bounded())
}

/// RFC 8460 §5.3: a part of its own, packed or not. Some name the part by its packing alone.
fn tls_report(message: &[u8]) -> Option<TlsReport> {
    let (message, _) = mime::parse(message);
    let root = message.part(0)?;
    let kind = root.content_type.parameter("report-type");
    let is_tls = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("tlsrpt"));
    let is_named = |part: &&Part| {
        let of = |subtype: &str| part.content_type.is("application", subtype);
        of("tlsrpt+gzip") || of("tlsrpt+json")
    };
    let is_like = |part: &&Part| {
        let of = |subtype: &str| part.content_type.is("application", subtype);
        is_tls && (of("gzip") || of("x-gzip") || of("json"))
    };
    let parts = message.parts();
    let part = parts.iter().find(is_named).or_else(|| parts.iter().find(is_like))?;
    let content = message.content(part);
    let packed = Some(content.as_ref()).filter(|content| content.len() <= PACKED_BYTES)?;
    summary(route::Report::read(&gunzip(packed, REPORT_BYTES)?)?)
}

fn summary(report: route::Report) -> Option<TlsReport> {
    let (begin_s, end_s) = report.seconds()?;
    let policies = report.policies.into_iter().map(policy).collect();
    let (organisation, id) = (report.organization_name, report.report_id);
    Some(TlsReport { organisation, id, begin_s, end_s, policies })
}

fn policy(outcome: PolicyOutcome) -> TlsPolicy {
    let mut failures: Vec<TlsFailure> = Vec::new();
    for Failure { result_type, receiving_mx_hostname, failed_session_count, .. } in
        outcome.failure_details
    {
        // Each pair of hosts has a line of its own in the report: what counts is which of ours,
        // and why.
        let (what, mx) = (result_type, receiving_mx_hostname.unwrap_or_default());
        let sessions = failed_session_count;
        let is_full = failures.len() >= FAILURES;
        match failures.iter_mut().find(|known| known.what == what && known.mx == mx) {
            Some(known) => known.sessions = known.sessions.saturating_add(sessions),
            None if is_full => {}
            None => failures.push(TlsFailure { what, mx, sessions }),
        }
    }
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.sessions));
    TlsPolicy {
        kind: match outcome.policy.policy_type {
            PolicyKind::Tlsa => TlsPolicyKind::Tlsa,
            PolicyKind::Sts => TlsPolicyKind::Sts,
            PolicyKind::None => TlsPolicyKind::None,
        },
        domain: outcome.policy.policy_domain,
        successful: outcome.summary.total_successful_session_count,
        failed: outcome.summary.total_failure_session_count,
        failures,
    }
}

fn in_words(read: notice::Feedback) -> Feedback {
    Feedback {
        kind: read.kind,
        agent: read.agent,
        about: read.about.unwrap_or_default(),
        reader: read.recipient.map(|address| domain(&address)).unwrap_or_default(),
        source_ip: read.source_ip,
        arrived_s: read.arrived.and_then(|at| u64::try_from(at).ok()),
        incidents: read.incidents,
    }
}

fn returned(bounce: &Bounce) -> Option<Returned> {
    let is_late = match bounce.kind {
        notice::Kind::Failed => false,
        notice::Kind::Delayed => true,
        _ => return None,
    };
    let victim = |victim: &notice::Victim| Victim {
        domain: domain(&victim.address),
        status: victim.status,
        reason: victim.reason.word().to_owned(),
    };
    let about = bounce.about.clone()?;
    Some(Returned { is_late, about, victims: bounce.victims.iter().map(victim).collect() })
}

fn domain(address: &str) -> String {
    address.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default()
}
