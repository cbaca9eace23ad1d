//! Reports about TLS: what is counted for whom, what becomes a letter, and when.

use crate::lists::Telling;
use crate::tests::World;
use crate::tls_rows::{DAY_MS, DOMAINS, due_ms, place};
use compartment::now_ms;
use terms::TenantId;
use wire::directory::{FromAdmin, ToAdmin};
use wire::tls_report::{FINDINGS, Failure, Finding, Flaw, Kept, Policy, PolicyKind};

const THERE: &str = "there.example";

fn settled(name: &str) -> (World, TenantId) {
    let mut world = World::new(name);
    world.settle();
    let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
    (world, tenant)
}

pub fn finding(domain: &str, good: u32, failures: &[(Flaw, &str, u32)]) -> Finding {
    let policy = Policy {
        kind: PolicyKind::Sts,
        strings: vec!["version: STSv1".into()],
        hosts: vec!["*.there.example".into()],
    };
    let failure = |(flaw, host, sessions): &(Flaw, &str, u32)| Failure {
        flaw: *flaw,
        host: (*host).to_owned(),
        at: Some([192, 0, 2, 1].into()),
        from: None,
        reason: "why".into(),
        sessions: *sessions,
    };
    Finding {
        domain: domain.to_owned(),
        to: vec!["tls@there.example".into(), "more@reports.example".into()],
        policy,
        good,
        failures: failures.iter().map(failure).collect(),
        others: 0,
    }
}

fn note(world: &mut World, tenant: TenantId, findings: &[Finding]) -> bool {
    world.changes_now().note_tls(tenant, findings).unwrap()
}

fn kept(world: &mut World) -> Vec<Kept> {
    match world.change(FromAdmin::TlsReports { send: false }) {
        ToAdmin::TlsReports(kept) => kept,
        _ => panic!("no list"),
    }
}

/// The reports that wait as letters: to whom, and what they say.
fn reports(world: &mut World) -> Vec<(String, route::Report)> {
    let mut found = Vec::new();
    while let Some((token, _, row)) = world.tables.next_letter(&world.key).unwrap() {
        let Telling::TlsReport { packed, about, .. } = row.what else { panic!("a list's letter") };
        let octets = miniz_oxide::inflate::decompress_to_vec(&packed[10..packed.len() - 8]);
        let report = route::Report::read(&octets.unwrap()).unwrap();
        assert!(report.policies.iter().all(|one| one.policy.policy_domain == about));
        assert_eq!(row.list, "postmaster@kaede.example");
        found.push((row.to, report));
        world.tables.drop_letter(&token).unwrap();
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[test]
fn what_is_told_adds_up_and_is_reported_once() {
    let (mut world, tenant) = settled("tls-adds");
    let (expired, none) = (Flaw::CertificateExpired, Flaw::StartTlsNotSupported);
    assert!(note(&mut world, tenant, &[finding(THERE, 2, &[(expired, "a", 1)])]));
    let more = finding(THERE, 3, &[(expired, "a", 2), (none, "b", 4)]);
    let mut other = finding(THERE, 1, &[]);
    other.policy.kind = PolicyKind::Tlsa;
    assert!(note(&mut world, tenant, &[more, other]));
    let one = kept(&mut world).remove(0);
    assert_eq!((one.good, one.failed, one.others), (6, 7, 0));
    assert_eq!((one.tenant.as_str(), one.domain.as_str()), ("Kaede", THERE));
    // Not before the day's end, and at no set time after it.
    assert_eq!(world.changes_now().write_tls_reports(one.day_ms + DAY_MS).unwrap(), 0);
    assert_eq!(world.changes_now().write_tls_reports(one.due_ms).unwrap(), 1);
    let reports = reports(&mut world);
    let to: Vec<&str> = reports.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["more@reports.example", "tls@there.example"]);
    let report = &reports[0].1;
    assert_eq!(report.organization_name, "Kaede");
    assert_eq!(report.contact_info, "postmaster@kaede.example");
    assert!(report.report_id.ends_with("@kaede.example"));
    let sts = &report.policies[0];
    assert_eq!(sts.policy.mx_host, ["*.there.example"]);
    assert_eq!(sts.summary.total_successful_session_count, 5);
    assert_eq!(sts.summary.total_failure_session_count, 7);
    let words: Vec<(&str, u64)> = sts
        .failure_details
        .iter()
        .map(|one| (one.result_type.as_str(), one.failed_session_count))
        .collect();
    assert_eq!(words, [("starttls-not-supported", 4), ("certificate-expired", 3)]);
    assert_eq!(kept(&mut world), []);
    assert_eq!(world.changes_now().write_tls_reports(u64::MAX).unwrap(), 0);
}

#[test]
fn a_command_sends_what_there_is() {
    let (mut world, tenant) = settled("tls-send");
    for number in 0..FINDINGS {
        let one = finding(&format!("d{number}.example"), 1, &[]);
        assert!(note(&mut world, tenant, &[one]));
    }
    let answer = world.change(FromAdmin::TlsReports { send: true });
    assert!(matches!(answer, ToAdmin::TlsReports(sent) if sent.len() == FINDINGS));
    assert_eq!(reports(&mut world).len(), 2 * FINDINGS);
    assert_eq!(kept(&mut world), []);
}

#[test]
fn times_are_spread_and_stay() {
    let key = rows::RowKey::new(&[9; 32]);
    let day = 20_000;
    let due = |number: u64| {
        let place = place(&key, TenantId([1; 8]), day, &format!("d{number}.example"));
        due_ms(&place, day) - (day + 1) * DAY_MS
    };
    let times: std::collections::BTreeSet<u64> = (0..100).map(due).collect();
    assert!(times.len() > 90, "at once");
    let hour = 60 * 60 * 1_000;
    assert!(times.iter().all(|time| (10 * 60 * 1_000..5 * hour).contains(time)));
    assert!(times.last().unwrap() - times.first().unwrap() > 3 * hour);
    assert_eq!(due(1), due(1));
}

#[test]
fn nobody_is_counted_without_bounds() {
    let (mut world, tenant) = settled("tls-bounds");
    // In one commit: a disk is slow.
    world.tables.try_out().unwrap();
    for number in 0..DOMAINS {
        let domain = format!("d{number}.example");
        let day = now_ms() / DAY_MS;
        let mut one = finding(&domain, 1, &[]);
        one.policy.strings.clear();
        let token = place(&world.key, tenant, day, &domain);
        let row = crate::tls_rows::ReportRow { domain, day, ..Default::default() };
        let sealed = crate::tables::seal(&world.key, "tls_report", &token, &row).unwrap();
        let (day, due) = (day as i64, due_ms(&token, day) as i64);
        let sql = "INSERT INTO tls_report (token, tenant, day, due_ms, sealed)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = rusqlite::params![&token[..], &tenant.0[..], day, due, sealed];
        world.tables.db.execute(sql, values).unwrap();
    }
    world.tables.decide(true).unwrap();
    assert!(note(&mut world, tenant, &[finding(THERE, 2, &[(Flaw::TlsaInvalid, "a", 1)])]));
    assert!(note(&mut world, tenant, &[finding("d1.example", 2, &[])]));
    let day = now_ms() / DAY_MS;
    let row = |world: &World, domain: &str| {
        let token = place(&world.key, tenant, day, domain);
        world.tables.tls_row(&world.key, &token).unwrap()
    };
    assert_eq!(row(&world, THERE), None);
    assert_eq!(row(&world, "").unwrap().others, 3);
    assert_eq!(row(&world, "d1.example").unwrap().policies[0].good, 2);

    let (mut world, tenant) = settled("tls-bounds-within");
    for number in 0..10 {
        let mut one = finding(THERE, 1, &[]);
        one.policy.strings = vec![format!("id {number}")];
        assert!(note(&mut world, tenant, &[one]));
    }
    for number in 0..50 {
        let host = format!("mx{number}.there.example");
        let mut one = finding(THERE, 0, &[(Flaw::TlsaInvalid, &host, 1)]);
        one.policy.strings = vec!["id 0".into()];
        assert!(note(&mut world, tenant, &[one]));
    }
    let one = kept(&mut world).remove(0);
    assert_eq!((one.good, one.failed, one.others), (4, 50, 6));
    // The report is small, whatever it is about, and its counts are whole.
    world.change(FromAdmin::TlsReports { send: true });
    let (_, report) = reports(&mut world).remove(0);
    assert_eq!(report.policies.len(), 4);
    assert_eq!(report.policies[0].summary.total_failure_session_count, 50);
}

#[test]
fn a_report_that_would_be_too_large_loses_what_is_rare() {
    let (mut world, tenant) = settled("tls-large");
    let mut state = 7u64;
    let mut noise = || -> String {
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + (state >> 33) as u8 % 90)
        };
        (0..255).map(|_| letter()).collect()
    };
    for number in 0..16 {
        let mut one = finding(THERE, 1, &[]);
        one.policy.strings = (0..16).map(|_| noise()).collect();
        let host = noise();
        one.failures = finding(THERE, 0, &[(Flaw::TlsaInvalid, &host, number + 1)]).failures;
        assert!(note(&mut world, tenant, &[one]));
    }
    world.change(FromAdmin::TlsReports { send: true });
    let Some((_, _, row)) = world.tables.next_letter(&world.key).unwrap() else { panic!() };
    let Telling::TlsReport { packed, .. } = row.what else { panic!() };
    assert!(packed.len() <= 8 * 1024, "{}", packed.len());
}

#[test]
fn odd_findings_are_none() {
    let (mut world, tenant) = settled("tls-odd");
    let check = |change: &dyn Fn(&mut Finding), world: &mut World| {
        let mut one = finding(THERE, 1, &[(Flaw::TlsaInvalid, "a", 1)]);
        change(&mut one);
        assert!(!note(world, tenant, &[one]));
    };
    check(&|one| one.domain = "there".into(), &mut world);
    check(&|one| one.domain = String::new(), &mut world);
    check(&|one| one.domain = "a b.example".into(), &mut world);
    check(&|one| one.to = vec!["a@b.example\r\nBcc: c@d.example".into()], &mut world);
    check(&|one| one.to = vec!["a@b.example".into(); 9], &mut world);
    check(&|one| one.policy.strings = vec!["あ".into()], &mut world);
    check(&|one| one.policy.hosts = vec!["x".repeat(256)], &mut world);
    check(&|one| one.failures[0].reason = "\u{1b}[2J".into(), &mut world);
    let many = vec![finding(THERE, 1, &[]); FINDINGS + 1];
    assert!(!note(&mut world, tenant, &many));
    assert_eq!(kept(&mut world), []);
    // Of a tenant that is not there (any more) nothing is kept.
    assert!(note(&mut world, TenantId([7; 8]), &[finding(THERE, 1, &[])]));
    assert_eq!(kept(&mut world), []);
}

#[test]
fn a_contract_that_is_over_leaves_no_count() {
    let (mut world, tenant) = settled("tls-ended");
    assert!(note(&mut world, tenant, &[finding(THERE, 1, &[])]));
    let part = wire::directory::Part { tenant, user: None };
    world.tables.erase(&world.key, part).unwrap();
    assert_eq!(world.tables.due_tls(u64::MAX, 9).unwrap(), []);
}
