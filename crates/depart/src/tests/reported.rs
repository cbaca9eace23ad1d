//! How TLS fared, as the directory is told of it: each way in which it fails has its word.

use super::neighbourhood::remote::{Authority, Remote, Way};
use super::neighbourhood::{LIMIT, Letter, Plan};
use super::{Limits, Neighbourhood, impatient, settle, settle_with};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use wire::names::{Outcome as Found, Record, RecordKind};
use wire::post::{Finish, Hop};
use wire::tls_report::{Finding, PolicyKind};

const NAME: &str = "mx.there.example";
const ENFORCE: &str = "version: STSv1\nmode: enforce\nmx: *.there.example\nmax_age: 100\n";
const RECORD: &str = "v=TLSRPTv1; rua=mailto:tls@there.example,https://there.example/x";

fn bob() -> Letter {
    Letter::out(&["bob@there.example"])
}

fn txt(plan: &mut Plan, name: &str, text: &str) {
    let found = Found::Records(vec![Record::Txt(text.as_bytes().to_vec())]);
    plan.record(name, RecordKind::Txt, found);
}

/// A destination that wants reports.
fn wanting(authority: &Authority, remote: &Remote) -> Plan {
    let plan = Plan { authorities: authority.pem(), ..Plan::default() };
    let mut plan = plan.with("there.example", NAME, remote);
    txt(&mut plan, "_smtp._tls.there.example", RECORD);
    plan
}

fn with_policy(mut plan: Plan, policy: &str) -> Plan {
    txt(&mut plan, "_mta-sts.there.example", "v=STSv1; id=1;");
    plan.policies.insert("mta-sts.there.example".to_owned(), policy.to_owned());
    plan
}

/// What the directory was told, once it was.
fn told(house: &Neighbourhood) -> Vec<Finding> {
    let until = Instant::now() + LIMIT;
    loop {
        let told = house.seen.lock().unwrap().told.clone();
        if !told.is_empty() {
            return told;
        }
        assert!(Instant::now() < until, "nothing is told");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is told of one letter: the policy, sessions that were good, and the others.
fn shown(plan: Plan, letter: Letter) -> String {
    let house = settle(plan);
    house.carry(&[letter]);
    let told = told(&house);
    let [one] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((one.domain.as_str(), one.others), ("there.example", 0));
    assert_eq!(one.to, ["tls@there.example", "https://there.example/x"]);
    let policy = match one.policy.kind {
        PolicyKind::None => "none",
        PolicyKind::Sts => "sts",
        PolicyKind::Tlsa => "tlsa",
    };
    let failures = one.failures.iter().map(|failure| {
        let at = failure.at.map(|at| format!(" at {at}")).unwrap_or_default();
        assert_eq!(failure.host, NAME);
        assert_eq!(failure.at.is_some(), failure.from.is_some());
        format!(", {}{at}: {}", failure.flaw.word(), failure.sessions)
    });
    format!("{policy}: {} good{}", one.good, failures.collect::<String>())
}

#[test]
fn sessions_without_a_policy() {
    let authority = Authority::new();
    let check = |way: Way, with: Option<&str>, expected: &str| {
        let remote = Remote::with(way, with.map(|name| authority.server(name).0));
        assert_eq!(shown(wanting(&authority, &remote), bob()), expected);
    };
    check(|_, _| None, Some("another.example"), "none: 1 good");
    check(|_, _| None, None, "none: 0 good, starttls-not-supported at 192.0.2.1: 1");
    let refuses: Way = |_, line| (line == "STARTTLS").then(|| "454 not now\r\n".to_owned());
    check(refuses, Some(NAME), "none: 0 good, starttls-not-supported at 192.0.2.1: 1");
    // The handshake fails, and the letter goes in clear: one session.
    let closes: Way = |_, line| match line {
        "EHLO mx.here.example" => Some("250-x\r\n250 STARTTLS\r\n".to_owned()),
        _ => None,
    };
    check(closes, None, "none: 0 good, validation-failure at 192.0.2.1: 1");
    // Who breaks off once TLS stands has done its part.
    let breaks: Way = |_, line| line.starts_with("RCPT").then(|| "(close)".to_owned());
    check(breaks, Some(NAME), "none: 2 good");
}

#[test]
fn sessions_under_mta_sts() {
    let authority = Authority::new();
    let (good, other) = (authority.server(NAME).0, authority.server("mx.evil.example").0);
    let over = authority.server_until(NAME, 2020).0;
    let strange = Authority::new().server(NAME).0;
    let testing = ENFORCE.replace("enforce", "testing");
    let check = |tls, expected: &str| {
        for policy in [ENFORCE, &testing] {
            let remote = Remote::with(|_, _| None, Clone::clone(&tls));
            let plan = with_policy(wanting(&authority, &remote), policy);
            assert_eq!(shown(plan, bob()), expected, "{policy}");
            let is_sent = policy == testing || expected.contains("1 good");
            assert_eq!(remote.texts().len(), usize::from(is_sent), "{policy} {expected}");
        }
    };
    check(Some(good), "sts: 1 good");
    check(Some(other), "sts: 0 good, certificate-host-mismatch at 192.0.2.1: 1");
    check(Some(over), "sts: 0 good, certificate-expired at 192.0.2.1: 1");
    check(Some(strange), "sts: 0 good, certificate-not-trusted at 192.0.2.1: 1");
    check(None, "sts: 0 good, starttls-not-supported at 192.0.2.1: 1");
}

#[test]
fn hosts_that_a_policy_does_not_name() {
    let authority = Authority::new();
    let policy = ENFORCE.replace("*.there.example", "mail.there.example");
    for (policy, expected) in [
        (policy.clone(), "sts: 0 good, validation-failure: 1"),
        (policy.replace("enforce", "testing"), "sts: 0 good, validation-failure at 192.0.2.1: 1"),
    ] {
        let remote = Remote::with(|_, _| None, Some(authority.server(NAME).0));
        let plan = with_policy(wanting(&authority, &remote), &policy);
        assert_eq!(shown(plan, bob()), expected);
    }
}

#[test]
fn policies_that_cannot_be_had() {
    let authority = Authority::new();
    let check = |policy: Option<&str>, expected: &str| {
        let remote = Remote::with(|_, _| None, Some(authority.server(NAME).0));
        let mut plan = with_policy(wanting(&authority, &remote), policy.unwrap_or_default());
        if policy.is_none() {
            plan.policies.clear();
        }
        let expected = format!("sts: 0 good, {expected} at 192.0.2.1: 1");
        assert_eq!(shown(plan, bob()), expected);
        // It goes all the same (RFC 8461 §3.3).
        assert_eq!(remote.texts().len(), 1);
    };
    check(None, "sts-policy-fetch-error");
    check(Some("(404)"), "sts-policy-fetch-error");
    check(Some("(html)"), "sts-policy-invalid");
    check(Some("nonsense"), "sts-policy-invalid");
    check(Some("(unproven)"), "sts-webpki-invalid");
}

#[test]
fn sessions_under_dane() {
    let authority = Authority::new();
    let (tls, leaf) = authority.server(NAME);
    let (other, _) = authority.server("mx.evil.example");
    let key =
        |certificate: &[u8]| Sha256::digest(route::public_key_info(certificate).unwrap()).to_vec();
    let (leaf, above) = (key(&leaf), key(&authority.der()));
    let record = |usage, data: &[u8]| {
        let data = data.to_vec();
        Found::Records(vec![Record::Tlsa { usage, selector: 1, matching: 1, data }])
    };
    let check = |found: Found, tls, expected: &str| {
        let remote = Remote::with(|_, _| None, tls);
        let mut plan = wanting(&authority, &remote);
        plan.record(&format!("_25._tcp.{NAME}"), RecordKind::Tlsa, found);
        plan.signed();
        assert_eq!(shown(plan, bob()), expected);
    };
    let at = "at 192.0.2.1: 1";
    check(record(3, &leaf), Some(tls.clone()), "tlsa: 1 good");
    let invalid = format!("tlsa: 0 good, tlsa-invalid {at}");
    check(record(3, &[1; 32]), Some(tls.clone()), &invalid);
    check(record(1, &leaf), Some(tls.clone()), &invalid);
    let mismatch = format!("tlsa: 0 good, certificate-host-mismatch {at}");
    check(record(2, &above), Some(other), &mismatch);
    check(record(3, &leaf), None, &format!("tlsa: 0 good, starttls-not-supported {at}"));
    check(Found::Failed, Some(tls), "tlsa: 0 good, dnssec-invalid: 1");
}

#[test]
fn a_policy_is_told_as_it_is_written() {
    let authority = Authority::new();
    let remote = Remote::with(|_, _| None, Some(authority.server(NAME).0));
    let house = settle(with_policy(wanting(&authority, &remote), ENFORCE));
    house.carry(&[bob()]);
    let told = told(&house).remove(0).policy;
    assert_eq!(told.hosts, ["*.there.example"]);
    let lines = ["version: STSv1", "mode: enforce", "max_age: 100", "mx: *.there.example"];
    assert_eq!(told.strings, lines);
}

/// Nobody asked for reports, a letter tells of reports itself, or it never came to TLS.
#[test]
fn what_is_not_counted() {
    let authority = Authority::new();
    let check = |change: &dyn Fn(&mut Plan, &mut Letter), way: Way| {
        let remote = Remote::with(way, Some(authority.server("mx.evil.example").0));
        let (mut plan, mut letter) = (wanting(&authority, &remote), bob());
        change(&mut plan, &mut letter);
        let house = settle(plan);
        house.carry(&[letter]);
        // Once it is idle again, and has had the time of another batch.
        house.carry(&[Letter::to(Hop::Here, &["ben@here.example"]).numbered(2)]);
        house.idle.recv_timeout(LIMIT).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(house.seen.lock().unwrap().told, []);
        remote.texts().len()
    };
    let record = "_smtp._tls.there.example";
    let polite: Way = |_, _| None;
    for text in ["v=TLSRPTv1; rua=https://there.example:1/x", "v=spf1 -all", "v=TLSRPTv1"] {
        assert_eq!(check(&|plan, _| txt(plan, record, text), polite), 1);
    }
    let away: Way = |_, line| (line == "greet").then(|| "(close)".to_owned());
    assert_eq!(check(&|_, _| {}, away), 0);
    let unwilling: Way = |_, line| (line == "greet").then(|| "554 5.7.1 no\r\n".to_owned());
    assert_eq!(check(&|_, _| {}, unwilling), 0);
    // A report is not held up by what it reports (RFC 8460 §3).
    let reports = |plan: &mut Plan, letter: &mut Letter| {
        txt(plan, "_mta-sts.there.example", "v=STSv1; id=1;");
        plan.policies.insert("mta-sts.there.example".to_owned(), ENFORCE.to_owned());
        letter.envelope.finish = Finish::Report { domain: "here.example".to_owned() };
    };
    assert_eq!(check(&reports, polite), 1);
    let signed = |plan: &mut Plan, letter: &mut Letter| {
        let data = vec![1; 32];
        let wrong = Record::Tlsa { usage: 3, selector: 1, matching: 1, data };
        let found = Found::Records(vec![wrong]);
        plan.record(&format!("_25._tcp.{NAME}"), RecordKind::Tlsa, found);
        plan.signed();
        letter.envelope.finish = Finish::Report { domain: "here.example".to_owned() };
    };
    assert_eq!(check(&signed, polite), 1);
}

/// The letters of several batches are told together, and who wants reports is asked once.
#[test]
fn many_letters_are_one_frame() {
    let authority = Authority::new();
    let remote = Remote::with(|_, _| None, Some(authority.server(NAME).0));
    let limits = Limits { gather: Duration::from_millis(700), ..impatient() };
    let house = settle_with(wanting(&authority, &remote), limits);
    for number in 1..5 {
        assert_eq!(house.carry(&[bob().numbered(number)]), [format!("{number}.0 sent 1")]);
    }
    assert!(house.seen.lock().unwrap().told.is_empty());
    let told = told(&house);
    assert_eq!((told.len(), told[0].good), (1, 4));
    house.carry(&[bob().numbered(5)]);
    let asked = house.seen.lock().unwrap().asked.clone();
    assert_eq!(asked.iter().filter(|one| one.name.starts_with("_smtp._tls.")).count(), 1);
}

/// As it is, without a field of ours, and again when the resource cannot have it now.
#[test]
fn reports_are_handed_up() {
    let check = |page: &str, outcome: &str| {
        let mut plan = Plan::default();
        plan.policies.insert("there.example".to_owned(), page.to_owned());
        let house = settle(plan);
        let hop = Hop::Web { host: "there.example".to_owned(), path: "/x".to_owned() };
        let mut letter = Letter::to(hop, &["https://there.example/x"]);
        letter.envelope.from = String::new();
        letter.text = b"\x1f\x8bpacked\n\0\r".to_vec();
        assert_eq!(house.carry(&[letter]), [outcome], "{page}");
        let seen = house.seen.lock().unwrap();
        let [(path, kind, body)] = seen.handed_up.as_slice() else { panic!("{page}") };
        assert_eq!((path.as_str(), kind.as_str()), ("/x", "application/tlsrpt+gzip"));
        assert_eq!(body, b"\x1f\x8bpacked\n\0\r");
        assert!(seen.copies.is_empty() && seen.dialled.is_empty());
    };
    check("anything", "1.0 sent 1");
    check("(404)", "1.0 failed sent 0: 5.0.0");
    check("(unproven)", "1.0 later sent 0: Unreachable");
}

/// Who took a letter, how it was known who that is, and with which words: for those who trace it.
#[test]
fn who_took_it_is_told() {
    let authority = Authority::new();
    let (tls, leaf) = authority.server(NAME);
    let check = |plan: Plan, expected: &[&str]| {
        let house = settle(plan);
        let to = ["a@there.example", "b@there.example"];
        assert_eq!(house.carry(&[Letter::out(&to)]), ["1.0 sent 2"]);
        let until = Instant::now() + LIMIT;
        while house.seen.lock().unwrap().accepted.is_empty() {
            assert!(Instant::now() < until, "{expected:?} is not told");
            std::thread::sleep(Duration::from_millis(5));
        }
        let lines = house.seen.lock().unwrap().accepted.clone();
        let shown = lines.iter().map(|one| {
            let (host, word) = (&one.host, one.safety.word());
            let tls = one.tls.as_deref().unwrap_or("clear");
            format!("{} {host} {word} {tls} {}", one.recipients, one.words)
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    };
    let way: Way =
        |_, line| (line == ".").then(|| "250 2.0.0 for <b@there.example>\r\n".to_owned());
    let clear = Remote::that(way);
    let plan = Plan::default().with("there.example", NAME, &clear);
    check(plan, &["2 mx.there.example any clear 250 2.0.0 for …"]);
    let remote = Remote::with(way, Some(tls));
    let plan = Plan::default().with("there.example", NAME, &remote);
    check(plan, &["2 mx.there.example any TLSv1_3 250 2.0.0 for …"]);
    let plan = with_policy(wanting(&authority, &remote), ENFORCE);
    check(plan, &["2 mx.there.example certificate TLSv1_3 250 2.0.0 for …"]);
    let data = Sha256::digest(route::public_key_info(&leaf).unwrap()).to_vec();
    let record = Record::Tlsa { usage: 3, selector: 1, matching: 1, data };
    let mut plan = Plan::default().with("there.example", NAME, &remote);
    plan.record(&format!("_25._tcp.{NAME}"), RecordKind::Tlsa, Found::Records(vec![record]));
    plan.signed();
    check(plan, &["2 mx.there.example dane TLSv1_3 250 2.0.0 for …"]);
}
