//! Reports of others: what their senders hear, and what the directory is told.

use super::{Neighbourhood, Plan, Scanner, settle};
use policy::{Authentication, DmarcPolicy, Outcome};
use wire::mailbox::State;
use wire::reports::{Feedback, Report, Returned, TlsReport, Told};

const TEXT: &[u8] = b"From: a@sender.example\r\nSubject: report\r\n\r\nnumbers\r\n";
const FROM: &str = "<a@sender.example>";

/// Signed by the domain in From.
fn signed(domain: &str) -> Authentication {
    Authentication {
        dkim: Outcome::Pass,
        from_domain: domain.to_owned(),
        author_signed: true,
        ..Authentication::default()
    }
}

fn tls() -> Report {
    Report::Tls(TlsReport {
        organisation: "There".to_owned(),
        id: "r1".to_owned(),
        begin_s: 1,
        end_s: 2,
        policies: Vec::new(),
    })
}

fn feedback() -> Report {
    Report::Feedback(Feedback {
        kind: "abuse".to_owned(),
        agent: String::new(),
        about: "m1@example.jp".to_owned(),
        reader: String::new(),
        source_ip: None,
        arrived_s: None,
        incidents: 1,
    })
}

fn returned() -> Report {
    let (is_late, about, victims) = (false, "m1@example.jp".to_owned(), Vec::new());
    Report::Returned(Returned { is_late, about, victims })
}

fn around(facts: Authentication, report: Report) -> Neighbourhood {
    settle(Plan { scanners: vec![Scanner::Reports(facts, report)], ..Plan::default() })
}

/// What the sender hears, what the directory is told, and copies kept.
fn sent(
    facts: Authentication,
    report: Report,
    from: &str,
    to: &[&str],
) -> (String, Vec<Told>, usize) {
    let around = around(facts, report);
    let reply = around.mail(from, to, TEXT);
    let seen = around.seen.lock().unwrap();
    (reply, seen.told.clone(), seen.copies.len())
}

#[test]
fn an_address_of_nobody_s_takes_reports_alone() {
    let check = |facts: Authentication, report: Report, code: &str, is_told: bool| {
        let (reply, told, copies) = sent(facts, report, FROM, &["<tls-reports@example.jp>"]);
        assert!(reply.starts_with(code), "{code} {reply}");
        assert_eq!((told.len(), copies), (usize::from(is_told), 0), "{reply}");
    };
    check(signed("sender.example"), tls(), "250 2.0.0 report noted", true);
    check(signed("sender.example"), feedback(), "250", true);
    check(signed("sender.example"), returned(), "550 5.7.1", false);
    check(signed("foreign.example"), tls(), "550 5.7.1", true);
    check(signed("many.example"), tls(), "452 4.3.1", true);
    check(signed("later.example"), tls(), "451 4.3.0", true);
    let disowned = Authentication { dmarc: Outcome::Fail, ..signed("sender.example") };
    check(disowned, tls(), "550 5.7.1", false);
    let waits = Authentication {
        dmarc: Outcome::TempError,
        dmarc_policy: DmarcPolicy::Unknown,
        ..signed("sender.example")
    };
    let (reply, told, _) = sent(waits, tls(), FROM, &["<tls-reports@example.jp>"]);
    // Put off as all mail is whose sender's DNS fails.
    assert!(reply.starts_with("451 4.4.3") && told.is_empty(), "{reply}");
    // A person hears where to write, and leaves nothing but a trace.
    let around = settle(Plan::default());
    let reply = around.mail(FROM, &["<tls-reports@example.jp>"], TEXT);
    assert!(reply.starts_with("550 5.7.1") && reply.contains("postmaster@example.jp"), "{reply}");
    let seen = around.seen.lock().unwrap();
    assert!(seen.copies.is_empty() && seen.letters.is_empty() && seen.told.is_empty());
    assert!(seen.journeys.iter().all(|journey| journey.state == State::Refused));
}

#[test]
fn what_is_proven_depends_on_the_report() {
    let check = |facts: Authentication, report: Report, expected: bool| {
        let (_, told, _) = sent(facts, report, FROM, &["<tls-reports@example.jp>"]);
        assert_eq!(told[0].is_proven, expected, "{:?}", told[0]);
        assert_eq!(told[0].own, trace::digest("r1@sender.example"));
    };
    let none =
        || Authentication { author_signed: false, dkim: Outcome::None, ..signed("sender.example") };
    check(signed("sender.example"), tls(), true);
    check(signed("sender.example"), feedback(), true);
    check(none(), tls(), false);
    check(none(), feedback(), false);
    // A key for TLS reports proves those, and nothing else.
    let for_reports = || Authentication { report_signed: true, ..none() };
    check(for_reports(), tls(), true);
    check(for_reports(), feedback(), false);
    // SPF alone proves a complaint, of the very domain, and no TLS report.
    let by_server = || Authentication { spf: Outcome::Pass, ..none() };
    check(by_server(), tls(), false);
    check(by_server(), feedback(), true);
    check(Authentication { from_domain: "b.example".to_owned(), ..by_server() }, feedback(), false);
    check(Authentication { dmarc: Outcome::Pass, ..none() }, feedback(), true);
}

#[test]
fn where_somebody_has_the_address_the_message_is_kept_and_its_report_noted() {
    let check = |report: Report, from: &str, to: &[&str], told_to: Option<&str>| {
        for by in ["sender.example", "foreign.example", "many.example"] {
            let (reply, told, copies) = sent(signed(by), report.clone(), from, to);
            assert!(reply.starts_with("250") && reply.contains(" kept"), "{by}: {reply}");
            assert!(copies > 0);
            assert_eq!(told.first().map(|told| told.to.as_str()), told_to, "{to:?}");
        }
        // What could not be noted is not answered for, and comes again: it would be shown nowhere.
        let (reply, _, copies) = sent(signed("later.example"), report, from, to);
        match told_to {
            Some(_) => assert!(reply.starts_with("451") && copies == 0, "{to:?}: {reply} {copies}"),
            None => assert!(reply.starts_with("250") && copies > 0, "{to:?}: {reply}"),
        }
    };
    check(feedback(), FROM, &["<fbl@other.example>"], Some("fbl@other.example"));
    check(tls(), FROM, &["<aoi@example.jp>", "<fbl@other.example>"], Some("fbl@other.example"));
    check(tls(), FROM, &["<postmaster>"], Some("postmaster@mx.example.jp"));
    check(tls(), FROM, &["<aoi@example.jp>"], None);
    // Mail that came back is whoever's it was; from somebody it would be a claim.
    check(returned(), "<>", &["<aoi@example.jp>"], Some("aoi@example.jp"));
    check(returned(), FROM, &["<aoi@example.jp>"], None);
}
