//! Where mail goes, by the DNS, and how safe its way must be.

use super::house::words_of;
use super::neighbourhood::remote::{Authority, Remote};
use super::neighbourhood::{Letter, Plan};
use super::settle;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::Duration;
use terms::{Finding, Verdict};
use wire::names::{Outcome as Found, Record, RecordKind, Security};
use wire::post::{Errand, Hop, HopTls};
use wire::sts::Known;

fn outcome(plan: Plan, letter: Letter) -> String {
    settle(plan).carry(&[letter]).remove(0)
}

fn bob() -> Letter {
    Letter::out(&["bob@there.example"])
}

#[test]
fn hosts_are_tried_in_their_order() {
    let (first, second) = (Remote::polite(), Remote::polite());
    let mut plan = Plan::default();
    plan.mx("there.example", &[(20, "b.example"), (10, "a.example"), (5, "away.example")]);
    plan.at("a.example", &first);
    plan.at("b.example", &second);
    plan.record(
        "away.example",
        RecordKind::A,
        Found::Records(vec![Record::A([192, 0, 2, 99].into())]),
    );
    assert_eq!(outcome(plan, bob()), "1.0 sent 1");
    assert_eq!((first.texts().len(), second.texts().len()), (1, 0));
}

#[test]
fn roads_that_lead_nowhere() {
    let check = |change: &dyn Fn(&mut Plan), expected: &str| {
        let mut plan = Plan::default();
        change(&mut plan);
        assert_eq!(outcome(plan, bob()), expected);
    };
    let domain = "there.example";
    check(&|_| {}, "1.0 failed sent 0: 5.1.2");
    check(&|plan| plan.mx(domain, &[(0, ".")]), "1.0 failed sent 0: 5.1.10");
    check(&|plan| plan.mx(domain, &[(5, "mx.here.example")]), "1.0 failed sent 0: 5.4.6");
    check(&|plan| plan.mx(domain, &[(5, "nowhere.example")]), "1.0 failed sent 0: 5.4.4");
    check(&|plan| plan.record(domain, RecordKind::Mx, Found::Failed), "1.0 later sent 0: 4.4.3");
    check(&|plan| plan.record(domain, RecordKind::Txt, Found::Failed), "1.0 failed sent 0: 5.4.4");
    let away = Found::Records(vec![Record::A([192, 0, 2, 99].into())]);
    check(
        &|plan| plan.record(domain, RecordKind::A, away.clone()),
        "1.0 later sent 0: Unreachable",
    );
    check(&|plan| plan.record(domain, RecordKind::A, Found::Failed), "1.0 later sent 0: 4.4.3");
    check(
        &|plan| {
            plan.mx(domain, &[(5, "a.example")]);
            let signed = (Found::Records(Vec::new()), Security::Bogus);
            plan.records.insert((domain.to_owned(), RecordKind::Mx), signed);
        },
        "1.0 later sent 0: 4.4.3",
    );
}

/// A host, or a domain, that is an alias of its own alias has no answer: its mail waits, and a host
/// beside it takes what there is.
#[test]
fn names_that_lead_to_each_other() {
    let round = |plan: &mut Plan, name: &str| {
        for kind in [RecordKind::Mx, RecordKind::A, RecordKind::Aaaa] {
            plan.record(name, kind, Found::Failed);
        }
    };
    let mut plan = Plan::default();
    round(&mut plan, "there.example");
    let house = settle(plan);
    assert_eq!(house.carry(&[bob()]), ["1.0 later sent 0: 4.4.3"]);
    assert!(house.seen.lock().unwrap().dialled.is_empty());
    let mut plan = Plan::default();
    plan.mx("there.example", &[(5, "to.example"), (10, "fro.example")]);
    round(&mut plan, "to.example");
    round(&mut plan, "fro.example");
    let house = settle(plan);
    assert_eq!(house.carry(&[bob()]), ["1.0 later sent 0: 4.4.3"]);
    let rest = house.seen.lock().unwrap().rests[0].clone();
    assert_eq!(rest.heard[0].status, (4, 4, 3), "the DNS, and its sender reads so");
    let polite = Remote::polite();
    let mut plan = Plan::default();
    plan.mx("there.example", &[(5, "to.example"), (10, "good.example")]);
    round(&mut plan, "to.example");
    plan.at("good.example", &polite);
    assert_eq!(outcome(plan, bob()), "1.0 sent 1");
    assert_eq!(polite.texts().len(), 1);
}

/// Whoever sent it reads whose fault it is.
#[test]
fn mail_that_leads_back_to_us_says_so() {
    let mut plan = Plan::default();
    plan.mx("there.example", &[(5, "mx.here.example")]);
    let house = settle(plan);
    assert_eq!(house.carry(&[bob()]), ["1.0 failed sent 0: 5.4.6"]);
    let text = house.seen.lock().unwrap().copies[0].text.clone();
    let (japanese, english) = notice::say(notice::Reason::LeadsBack);
    let words = words_of(&text);
    assert!(words.contains(japanese) && words.contains(english), "{words}");
}

#[test]
fn without_mx_the_domain_is_its_host_and_a_literal_is_an_address() {
    let remote = Remote::polite();
    let mut plan = Plan::default();
    plan.at("there.example", &remote);
    assert_eq!(outcome(plan, bob()), "1.0 sent 1");
    let mut plan = Plan::default();
    plan.at("unused.example", &remote);
    let letter = Letter::out(&["bob@[192.0.2.1]"]);
    assert_eq!(outcome(plan, letter), "1.0 sent 1");
    assert_eq!(remote.texts().len(), 2);
}

#[test]
fn tls_is_made_with_whoever_offers_it() {
    let (tls, _) = Authority::new().server("another.example");
    let remote = Remote::with(|_, _| None, Some(tls));
    let plan = Plan::default().with("there.example", "mx.there.example", &remote);
    assert_eq!(outcome(plan, bob()), "1.0 sent 1");
    assert_eq!((remote.secured(), remote.texts().len()), (1, 1));
    remote.heard_only_whole_lines();
}

/// A handshake that fails is tried once more in clear, and only where nobody asked for more.
#[test]
fn tls_that_fails_is_left_out_where_it_may_be() {
    let broken = |_: usize, line: &str| match line {
        "EHLO mx.here.example" => Some("250-x\r\n250 STARTTLS\r\n".to_owned()),
        "STARTTLS" => Some("220 go\r\nthis is no TLS at all".to_owned()),
        _ => None,
    };
    let remote = Remote::that(broken);
    let plan = Plan::default().with("there.example", "mx.there.example", &remote);
    // Octets behind the answer are an injection: nothing is said to this host in clear either.
    assert_eq!(outcome(plan, bob()), "1.0 later sent 0: TLS NotMade");
    assert_eq!(remote.texts().len(), 0);

    // Nothing comes behind the answer: tried once more, in clear.
    let hangs = |number: usize, line: &str| match line {
        "EHLO mx.here.example" => Some("250-x\r\n250 STARTTLS\r\n".to_owned()),
        "STARTTLS" if number == 0 => Some("220 go\r\n".to_owned()),
        _ => None,
    };
    let remote = Remote::that(hangs);
    let plan = Plan::default().with("there.example", "mx.there.example", &remote);
    assert_eq!(outcome(plan, bob()), "1.0 sent 1");
    assert_eq!((remote.secured(), remote.texts().len()), (0, 1));

    let closes = |_: usize, line: &str| match line {
        "EHLO mx.here.example" => Some("250-x\r\n250 STARTTLS\r\n".to_owned()),
        _ => None,
    };
    let remote = Remote::that(closes);
    let plan = Plan::default().with("there.example", "mx.there.example", &remote);
    assert_eq!(outcome(plan, bob()), "1.0 sent 1");
    assert_eq!((remote.secured(), remote.texts().len()), (0, 1));
    let mut letter = bob();
    let (name, port, tls) = ("mx.there.example".to_owned(), 25, HopTls::StartTls);
    letter.envelope.hop = Hop::Host { name, port, tls };
    let plan = Plan { authorities: Authority::new().pem(), ..Plan::default() };
    let plan = plan.with("there.example", "mx.there.example", &remote);
    assert_eq!(outcome(plan, letter), "1.0 later sent 0: its TLS NotMade, for all");
    assert_eq!(remote.texts().len(), 1);
}

/// MTA-STS: the policy's hosts alone, with a certificate of their name.
#[test]
fn a_policy_is_obeyed() {
    let authority = Authority::new();
    let check = |host: &str, policy: &str, with_tls: Option<&str>, expected: &str| {
        let tls = with_tls.map(|name| authority.server(name).0);
        let remote = Remote::with(|_, _| None, tls);
        let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
        plan = plan.with("there.example", host, &remote);
        let id = Found::Records(vec![Record::Txt(b"v=STSv1; id=1;".to_vec())]);
        plan.record("_mta-sts.there.example", RecordKind::Txt, id);
        plan.policies.insert("mta-sts.there.example".to_owned(), policy.to_owned());
        assert_eq!(outcome(plan, bob()), expected, "{host} {policy} {with_tls:?}");
        let is_sent = expected.contains("sent 1");
        assert_eq!(remote.texts().len(), usize::from(is_sent));
    };
    let enforce = "version: STSv1\nmode: enforce\nmx: *.there.example\nmax_age: 100\n";
    let testing = enforce.replace("enforce", "testing");
    let none = "version: STSv1\nmode: none\nmax_age: 100\n";
    let (good, sent) = ("mx.there.example", "1.0 sent 1");
    check(good, enforce, Some(good), sent);
    let evil = "mx.evil.example";
    check(good, enforce, Some(evil), "1.0 later sent 0: TLS OtherName");
    check(good, enforce, None, "1.0 later sent 0: TLS NotOffered");
    check(evil, enforce, Some(evil), "1.0 later sent 0: TLS NotInPolicy");
    check("mx.evil.example", &testing, None, sent);
    check(good, &testing, Some("mx.evil.example"), sent);
    check(good, none, None, sent);
    check(good, "nonsense", None, sent);
}

/// What an instance has fetched holds for those after it: its host may be away by then, and its
/// STARTTLS taken out by whoever sits on the way (RFC 8461 §10.2).
#[test]
fn a_policy_holds_although_its_host_is_away() {
    let authority = Authority::new();
    let name = "mx.there.example";
    let enforce = "version: STSv1\nmode: enforce\nmx: *.there.example\nmax_age: 86400\n";
    let plan = |id: &str, policy: Option<&str>, remote: &Remote| {
        let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
        plan = plan.with("there.example", name, remote);
        let id = Found::Records(vec![Record::Txt(format!("v=STSv1; id={id};").into_bytes())]);
        plan.record("_mta-sts.there.example", RecordKind::Txt, id);
        let host = "mta-sts.there.example".to_owned();
        plan.policies.extend(policy.map(|policy| (host, policy.to_owned())));
        plan
    };
    let with_tls = || Remote::with(|_, _| None, Some(authority.server(name).0));
    let first = settle(plan("1", Some(enforce), &with_tls()));
    assert_eq!(first.carry(&[bob()]), ["1.0 sent 1"]);
    let kept = first.seen.lock().unwrap().kept_policies.clone();
    assert_eq!(kept["there.example"].policy.id, "1");
    let next = |plan: Plan, kept: &HashMap<String, Known>, expected: &str, fetched: usize| {
        let house = settle(plan);
        house.seen.lock().unwrap().kept_policies.clone_from(kept);
        assert_eq!(house.carry(&[bob()]), [expected]);
        assert_eq!(house.seen.lock().unwrap().fetched.len(), fetched);
        house
    };
    let (sent, unsafe_) = ("1.0 sent 1", "1.0 later sent 0: TLS NotOffered");
    let stripped = Remote::polite();
    // The same id: nothing is fetched. Another one: it cannot be. No record at all: neither.
    next(plan("1", None, &stripped), &kept, unsafe_, 0);
    next(plan("2", None, &stripped), &kept, unsafe_, 1);
    let mut without = plan("1", None, &stripped);
    without.record("_mta-sts.there.example", RecordKind::Txt, Found::Failed);
    next(without, &kept, unsafe_, 0);
    assert!(stripped.texts().is_empty());
    next(plan("2", None, &with_tls()), &kept, sent, 1);
    // Its owner has taken it back: that is fetched, obeyed, and told.
    let none = "version: STSv1\nmode: none\nmax_age: 86400\n";
    let house = next(plan("2", Some(none), &stripped), &kept, sent, 1);
    let now = house.seen.lock().unwrap().kept_policies["there.example"].policy.clone();
    assert_eq!((now.id.as_str(), now.mode), ("2", wire::sts::Mode::None));
    // Without a policy of before it goes as it can (§3.3).
    next(plan("2", None, &stripped), &HashMap::new(), sent, 1);
}

/// A policy that is old is fetched anew when nobody waits for it.
#[test]
fn an_old_policy_is_looked_at_again() {
    let authority = Authority::new();
    let name = "mx.there.example";
    let remote = Remote::with(|_, _| None, Some(authority.server(name).0));
    let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
    plan = plan.with("there.example", name, &remote);
    let id = Found::Records(vec![Record::Txt(b"v=STSv1; id=1;".to_vec())]);
    plan.record("_mta-sts.there.example", RecordKind::Txt, id);
    let enforce = "version: STSv1\nmode: enforce\nmx: mx.there.example\nmax_age: 86400\n";
    plan.policies.insert("mta-sts.there.example".to_owned(), enforce.to_owned());
    let policy = wire::sts::Policy {
        domain: "there.example".to_owned(),
        id: "1".to_owned(),
        mode: wire::sts::Mode::Enforce,
        patterns: vec!["*.there.example".to_owned()],
        age_seconds: 86_400,
    };
    let known = Known { policy, left_seconds: 5_000, is_due: true };
    let limits = crate::Limits { idle: Duration::from_millis(100), ..super::impatient() };
    let house = super::settle_with(plan, limits);
    house.seen.lock().unwrap().kept_policies.insert("there.example".to_owned(), known);
    assert_eq!(house.carry(&[bob()]), ["1.0 sent 1"]);
    house.life.join().unwrap();
    let seen = house.seen.lock().unwrap();
    let known = &seen.kept_policies["there.example"];
    assert_eq!((known.left_seconds, known.is_due), (86_400, false));
    assert_eq!(known.policy.patterns, ["mx.there.example"]);
    assert_eq!(seen.fetched.len(), 1);
}

/// DANE: signed records are obeyed, unsigned ones are not.
#[test]
fn signed_keys_are_demanded() {
    let authority = Authority::new();
    let name = "mx.there.example";
    let (tls, leaf) = authority.server(name);
    let (other, _) = authority.server("mx.evil.example");
    let key =
        |certificate: &[u8]| Sha256::digest(route::public_key_info(certificate).unwrap()).to_vec();
    let (leaf, above) = (key(&leaf), key(&authority.der()));
    let record =
        |usage, data: &[u8]| Record::Tlsa { usage, selector: 1, matching: 1, data: data.to_vec() };
    let check = |record: Option<Record>, tls, signed: bool, expected: &str| {
        let remote = Remote::with(|_, _| None, tls);
        let mut plan = Plan::default().with("there.example", name, &remote);
        if let Some(record) = record.clone() {
            let found = Found::Records(vec![record]);
            plan.record(&format!("_25._tcp.{name}"), RecordKind::Tlsa, found);
        }
        if signed {
            plan.signed();
        }
        assert_eq!(outcome(plan, bob()), expected, "{record:?} {signed}");
        let is_sent = expected.contains("sent 1");
        assert_eq!(remote.texts().len(), usize::from(is_sent));
    };
    let (sent, no_tls) = ("1.0 sent 1", "1.0 later sent 0: TLS NotOffered");
    let (other_key, other_name) =
        ("1.0 later sent 0: TLS NoRecordMet", "1.0 later sent 0: TLS OtherName");
    check(Some(record(3, &leaf)), Some(tls.clone()), true, sent);
    check(Some(record(3, &[1; 32])), Some(tls.clone()), true, other_key);
    check(Some(record(3, &[1; 32])), Some(tls.clone()), false, sent);
    check(Some(record(3, &leaf)), None, true, no_tls);
    check(Some(record(2, &above)), Some(tls.clone()), true, sent);
    check(Some(record(2, &above)), Some(other.clone()), true, other_name);
    // Signed and of no use: TLS with anybody, but TLS.
    check(Some(record(1, &leaf)), Some(other), true, sent);
    check(Some(record(1, &leaf)), None, true, no_tls);
    check(None, None, true, sent);
    // Without an answer about them the host is left alone.
    let remote = Remote::polite();
    let mut plan = Plan::default().with("there.example", name, &remote);
    plan.record(&format!("_25._tcp.{name}"), RecordKind::Tlsa, Found::Failed);
    plan.signed();
    assert_eq!(outcome(plan, bob()), "1.0 later sent 0: 4.4.3");
}

/// RFC 8689 §5: what its author lets go without TLS waits for neither a policy nor for records; a
/// host that its tenant named shows what the tenant asks of it.
#[test]
fn a_letter_that_requires_no_tls() {
    let name = "mx.there.example";
    let check = |heedless: bool, require_tls: bool, named: bool, expected: &str| {
        let remote = Remote::polite();
        let mut plan = Plan { authorities: Authority::new().pem(), ..Plan::default() };
        plan = plan.with("there.example", name, &remote);
        let record = Record::Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
        let records = Found::Records(vec![record]);
        plan.record(&format!("_25._tcp.{name}"), RecordKind::Tlsa, records);
        plan.signed();
        let mut letter = bob();
        letter.envelope.heedless = heedless;
        letter.envelope.require_tls = require_tls;
        if named {
            let (name, port, tls) = (name.to_owned(), 25, HopTls::StartTls);
            letter.envelope.hop = Hop::Host { name, port, tls };
        }
        assert_eq!(outcome(plan, letter), expected);
    };
    check(false, false, false, "1.0 later sent 0: TLS NotOffered");
    check(true, false, false, "1.0 sent 1");
    check(true, true, false, "1.0 later sent 0: TLS NotOffered");
    check(true, false, true, "1.0 later sent 0: its TLS NotOffered, for all");
}

/// RFC 8689: a way that is not proven is not taken.
#[test]
fn a_letter_that_requires_tls() {
    let authority = Authority::new();
    let name = "mx.there.example";
    let check = |knows: bool, signed: bool, with: Option<&str>, expected: &str| {
        let way = match knows {
            true => |_: usize, line: &str| {
                (line.starts_with("EHLO"))
                    .then(|| "250-x\r\n250-STARTTLS\r\n250 REQUIRETLS\r\n".to_owned())
            },
            false => |_: usize, _: &str| None,
        };
        let remote = Remote::with(way, with.map(|name| authority.server(name).0));
        let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
        plan = plan.with("there.example", name, &remote);
        if signed {
            plan.signed();
        }
        let mut letter = bob();
        letter.envelope.require_tls = true;
        assert_eq!(outcome(plan, letter), expected);
        assert_eq!(remote.said().contains("REQUIRETLS"), expected.contains("sent 1"));
    };
    check(true, true, Some(name), "1.0 sent 1");
    check(true, true, Some("mx.evil.example"), "1.0 later sent 0: TLS OtherName");
    check(true, true, None, "1.0 later sent 0: TLS NotMade");
    check(false, true, Some(name), "1.0 failed sent 0: 5.7.30");
    check(true, false, Some(name), "1.0 failed sent 0: Unproven");
}

/// Its sender reads what was asked for, what was missing, and what to do; and gets the header back
/// alone (RFC 8689 §5).
#[test]
fn who_required_tls_reads_why_it_was_not_sent() {
    use notice::Reason;
    use wire::post::{TlsFlaw, Why};
    let authority = Authority::new();
    let told = |signed: bool, errand: Errand, why: Option<Why>| {
        let name = "mx.there.example";
        let remote = Remote::with(|_, _| None, Some(authority.server(name).0));
        let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
        plan = plan.with("there.example", name, &remote);
        if signed {
            plan.signed();
        }
        let mut letter = Letter { errand, why, ..bob() };
        letter.envelope.require_tls = true;
        letter.envelope.returns_all = Some(true);
        let house = settle(plan);
        house.carry(&[letter]);
        let text = house.seen.lock().unwrap().copies[0].text.clone();
        assert!(text.contains("text/rfc822-headers") && !text.contains(".hello"), "{text}");
        text
    };
    let check = |text: String, status: &str, reason: Reason| {
        assert!(text.contains(&format!("\r\nStatus: {status}\r\n")), "{status}: {text}");
        let (words, (japanese, english)) = (words_of(&text), notice::say(reason));
        assert!(words.contains(japanese) && words.contains(english), "{words}");
    };
    check(told(true, Errand::Carry, None), "5.7.30", Reason::RequireTls);
    check(told(false, Errand::Carry, None), "5.7.30", Reason::Unproven);
    // RFC 8689 §4.2.1: TLS could not be had until its time was over.
    check(told(true, Errand::GiveBack, Some(Why::Unsafe)), "5.7.10", Reason::NeedsTls);
    let insecure = Why::Insecure { flaw: TlsFlaw::OtherName, is_named: false };
    check(told(true, Errand::GiveBack, Some(insecure)), "5.7.10", Reason::TlsName);
    check(told(true, Errand::GiveBack, Some(Why::Unreachable)), "5.4.7", Reason::Unreachable);
}

/// A notice from nobody that goes on is not lost for it.
#[test]
fn a_notice_takes_the_way_that_there_is() {
    let remote = Remote::polite();
    let plan = Plan::default().with("there.example", "mx.there.example", &remote);
    let mut letter = bob();
    (letter.envelope.require_tls, letter.envelope.from) = (true, String::new());
    assert_eq!(outcome(plan, letter), "1.0 sent 1");
}

#[test]
fn smart_hosts() {
    let authority = Authority::new();
    let name = "smart.example";
    let check = |tls: HopTls, with: Option<&str>, expected: &str| {
        let remote = Remote::with(|_, _| None, with.map(|name| authority.server(name).0));
        let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
        plan.at(name, &remote);
        let hop = Hop::Host { name: name.to_owned(), port: 587, tls };
        assert_eq!(outcome(plan, Letter::to(hop, &["bob@there.example"])), expected, "{tls:?}");
    };
    check(HopTls::StartTls, Some(name), "1.0 sent 1");
    let waits = |flaw: &str| format!("1.0 later sent 0: its TLS {flaw}, for all");
    check(HopTls::StartTls, Some("evil.example"), &waits("OtherName"));
    check(HopTls::StartTls, None, &waits("NotOffered"));
    check(HopTls::IfOffered, Some("evil.example"), "1.0 sent 1");
    check(HopTls::IfOffered, None, "1.0 sent 1");
}

/// Its tenant has set a smart host since, or has given one up.
#[test]
fn what_has_waited_goes_by_the_way_of_today() {
    let check = |to: &str, hop: Hop, has_waited: bool, expected: [usize; 3]| {
        let remotes = [(); 3].map(|()| Remote::with(|_, _| None, None));
        let mut plan = Plan::default().with("there.example", "mx.there.example", &remotes[0]);
        plan.at("relay.here.example", &remotes[1]);
        plan.at("old.example", &remotes[2]);
        let letter = Letter { has_waited, ..Letter::to(hop, &[to]) };
        outcome(plan, letter);
        assert_eq!(remotes.each_ref().map(|remote| remote.texts().len()), expected, "{to}");
    };
    let tls = HopTls::IfOffered;
    let old = || Hop::Host { name: "old.example".to_owned(), port: 587, tls };
    check("bob@there.example", old(), false, [0, 0, 1]);
    check("bob@there.example", old(), true, [1, 0, 0]);
    check("bob@there.example", Hop::Domain("there.example".to_owned()), true, [1, 0, 0]);
    check("bob@smart.example", old(), true, [0, 0, 0]);
    // Nobody has this address any more: not to a host that somebody named once.
    check("gone@here.example", old(), true, [0, 0, 0]);
    check("later@here.example", old(), true, [0, 0, 0]);
    // It was young, and tried.
    let remotes = [(); 2].map(|()| Remote::polite());
    let mut plan = Plan::default().with("there.example", "mx.there.example", &remotes[0]);
    plan.at("old.example", &remotes[1]);
    let letter = Letter::to(old(), &["bob@there.example"]);
    outcome(plan, Letter { why: Some(wire::post::Why::Unreachable), ..letter });
    assert_eq!(remotes.each_ref().map(|remote| remote.texts().len()), [1, 0]);
}

/// What waits for a gateway that was taken away goes to nobody's old server: it is kept for whoever
/// has come into the house, goes on where they lead, and for the others it waits and comes back.
#[test]
fn what_waits_for_a_gateway_that_was_taken_away_does_not_go_there() {
    use wire::post::{Finish, Found};
    let tls = HopTls::IfOffered;
    let old = || Hop::Host { name: "old.example".to_owned(), port: 587, tls };
    let stranger = |to: &[&str]| {
        let mut letter = Letter { has_waited: true, ..Letter::to(old(), to) };
        letter.envelope.from = "carol@shop.example".to_owned();
        letter.envelope.finish = Finish::Seal { domain: "here.example".to_owned() };
        for receiver in &mut letter.envelope.recipients {
            receiver.original = Some(format!("rfc822;{}", receiver.address));
        }
        letter
    };
    let carried = |letter: Letter, expected: &str| {
        let remote = Remote::polite();
        let mut plan = Plan::default();
        plan.at("old.example", &remote);
        let house = settle(plan);
        assert_eq!(house.carry(&[letter]), [expected]);
        assert_eq!(remote.said(), "");
        let seen = house.seen.lock().unwrap();
        let queued: Vec<String> = seen
            .queued
            .iter()
            .map(|(_, envelope, _)| {
                let to = &envelope.recipients[0].address;
                format!("{to} {}", envelope.hop.word())
            })
            .collect();
        (seen.copies.len(), queued, seen.rests.clone())
    };
    let (copies, queued, _) = carried(stranger(&["ben@here.example"]), "1.0 sent 1");
    assert_eq!((copies, queued.len()), (1, 0));
    // A person all of whose mail goes on.
    let (copies, queued, _) = carried(stranger(&["away@here.example"]), "1.0 sent 1");
    assert_eq!((copies, queued.len()), (0, 2), "{queued:?}");
    let to = ["ben@here.example", "gone@here.example", "away@here.example"];
    let (copies, queued, rests) = carried(stranger(&to), "1.0 later sent 2 left 1: 4.1.1");
    assert_eq!((copies, queued.len()), (1, 2), "{queued:?}");
    // It stands as it stood: the gateway may be named anew.
    assert_eq!(rests[0].hop, old());
    assert_eq!(rests[0].recipients[0].address, "gone@here.example");
    assert_eq!(rests[0].heard[0].reason, notice::Reason::UserUnknown.word());
    // Its time is over: who wrote it hears that.
    let back = Letter { errand: Errand::GiveBack, ..stranger(&["gone@here.example"]) };
    let mut envelope = rests[0].clone();
    envelope.heard[0].places = vec![0];
    let (_, queued, _) = carried(Letter { envelope, ..back }, "1.0 failed sent 0: 4.1.1");
    assert_eq!(queued.len(), 1, "{queued:?}");
    // What a scanner found in a stranger's letter counts for whoever keeps it.
    for (weight, verdict) in [(0.0, Verdict::Deliver), (50.0, Verdict::Refuse)] {
        let mut letter = stranger(&["ben@here.example"]);
        letter.envelope.found = Found::of(&[Finding::new("content.odd", weight, "x")]);
        let house = settle(Plan::default());
        assert_eq!(house.carry(&[letter]), ["1.0 sent 1"]);
        assert_eq!(house.seen.lock().unwrap().copies[0].verdict, verdict);
    }
}

/// A smart host is for all domains, and gateways of several customers may share a host: when it is
/// given up, or one of them moves, nobody's mail goes to another's server.
#[test]
fn what_has_waited_for_one_host_goes_where_each_recipient_is() {
    let carried = |to: &[&str], answer: Option<&'static str>, expected: &str| {
        let way: super::neighbourhood::remote::Way = match answer {
            Some(_) => |_, line| line.starts_with("RCPT").then(|| "451 4.7.1 grey\r\n".to_owned()),
            None => |_, _| None,
        };
        let remotes = [
            Remote::polite(),
            Remote::that(way),
            Remote::polite(),
            Remote::polite(),
            Remote::polite(),
        ];
        let mut plan = Plan::default().with("there.example", "mx.there.example", &remotes[0]).with(
            "other.example",
            "mx.other.example",
            &remotes[1],
        );
        plan.at("gateway.host.example", &remotes[2]);
        plan.at("moved.host.example", &remotes[3]);
        plan.at("old.example", &remotes[4]);
        let tls = HopTls::IfOffered;
        let old = Hop::Host { name: "old.example".to_owned(), port: 587, tls };
        let letter = Letter { has_waited: true, ..Letter::to(old.clone(), to) };
        let house = settle(plan);
        assert_eq!(house.carry(&[letter]), [expected], "{to:?}");
        let rests = house.seen.lock().unwrap().rests.clone();
        assert!(rests.iter().all(|rest| rest.hop == old), "{rests:?}");
        let heard = remotes.each_ref().map(|remote| {
            let said = remote.said();
            let names = said.split("RCPT TO:<").skip(1).filter_map(|line| line.split('@').next());
            names.map(str::to_owned).collect::<Vec<_>>().join(" ")
        });
        let rest = rests.first().map(|rest| rest.recipients[0].address.clone());
        (heard, rest.unwrap_or_default())
    };
    let check = |to: &[&str], expected: [&str; 5]| {
        let all = format!("1.0 sent {}", to.len());
        let (heard, rest) = carried(to, None, &all);
        assert_eq!((heard, rest.as_str()), (expected.map(str::to_owned), ""), "{to:?}");
    };
    check(
        &["bob@there.example", "bcc@other.example", "eve@there.example"],
        ["bob eve", "bcc", "", "", ""],
    );
    check(&["spy@moved.example", "ceo@gateway.example"], ["", "", "ceo", "spy", ""]);
    check(&["a@gateway.example", "b@gateway.example"], ["", "", "a b", "", ""]);
    // One whom nobody can place waits.
    let to = ["a@there.example", "later@here.example"];
    let (heard, rest) = carried(&to, None, "1.0 later sent 1 left 1: Ours");
    assert_eq!((heard, rest.as_str()), (["a", "", "", "", ""].map(str::to_owned), to[1]));
    // Who is left is left, with what was heard of them.
    let to = ["bob@there.example", "bcc@other.example"];
    let (_, rest) = carried(&to, Some("451"), "1.0 later sent 1 left 1: 4.7.1");
    assert_eq!(rest, "bcc@other.example");
}

/// That one of them cannot be reached says nothing of the host that post knows.
#[test]
fn a_way_of_today_speaks_for_no_other_leg() {
    let tls = HopTls::IfOffered;
    let old = Hop::Host { name: "old.example".to_owned(), port: 587, tls };
    let letter = Letter { has_waited: true, ..Letter::to(old, &["bob@there.example"]) };
    let mut plan = Plan::default();
    plan.mx("there.example", &[(10, "mx.there.example")]);
    let address = Found::Records(vec![Record::A([192, 0, 2, 99].into())]);
    plan.record("mx.there.example", RecordKind::A, address);
    plan.record("mx.there.example", RecordKind::Aaaa, Found::NoRecords);
    assert_eq!(outcome(plan, letter), "1.0 later sent 0: 4.4.1");
}

/// What a remote that lets its customers in says, and what it heard of the password.
fn signing_in(
    way: super::neighbourhood::remote::Way,
    tls: HopTls,
    with: Option<&str>,
) -> (Vec<String>, usize, String, usize) {
    let authority = Authority::new();
    let name = "smart.example";
    let remote = Remote::with(way, with.map(|name| authority.server(name).0));
    let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
    plan.at(name, &remote);
    plan.credential = Some(wire::vault::Credential {
        host: name.to_owned(),
        port: 587,
        user: "kaede".to_owned(),
        password: "open sesame".to_owned(),
    });
    let hop = Hop::Host { name: name.to_owned(), port: 587, tls };
    let letter = Letter::to(hop, &["bob@there.example"]);
    let house = settle(plan);
    let outcomes = house.carry(&[letter.clone(), letter.numbered(2)]);
    let lent = house.seen.lock().unwrap().lent.len();
    (outcomes, lent, remote.said(), remote.texts().len())
}

const PLAIN: &str = "AUTH PLAIN AGthZWRlAG9wZW4gc2VzYW1l";

fn offers(line: &str) -> Option<String> {
    let hello = "250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n";
    line.starts_with("EHLO").then(|| hello.to_owned())
}

#[test]
fn a_sign_in_is_borrowed_once_for_a_session() {
    let way = |_: usize, line: &str| match line {
        PLAIN => Some("235 welcome\r\n".to_owned()),
        _ => offers(line),
    };
    let (outcomes, lent, said, texts) = signing_in(way, HopTls::StartTls, Some("smart.example"));
    assert_eq!(outcomes, ["1.0 sent 1", "2.0 sent 1"]);
    assert_eq!((lent, texts, said.matches("AUTH PLAIN").count()), (1, 2, 1), "{said}");
    let before = said.split(PLAIN).next().unwrap();
    assert!(!before.contains("MAIL FROM"), "{said}");
}

#[test]
fn a_sign_in_is_said_to_that_host_over_proven_tls_alone() {
    let way = |_: usize, line: &str| offers(line);
    for (with, flaw) in [(None, "NotMade"), (Some("evil.example"), "OtherName")] {
        let (outcomes, lent, said, _) = signing_in(way, HopTls::StartTls, with);
        let waits = [1, 2].map(|one| format!("{one}.0 later sent 0: its TLS {flaw}, for all"));
        assert_eq!(outcomes, waits, "{with:?}");
        assert!(lent == 0 && !said.contains("AUTH PLAIN"), "{with:?}: {said}");
    }
    // TLS with whoever it is proves nobody.
    let (outcomes, lent, said, _) = signing_in(way, HopTls::IfOffered, Some("evil.example"));
    assert_eq!(outcomes, ["1.0 sent 1", "2.0 sent 1"]);
    assert!(lent == 0 && !said.contains("AUTH PLAIN"), "{said}");
}

#[test]
fn letters_wait_for_a_sign_in_that_works() {
    let refused = |_: usize, line: &str| match line {
        PLAIN => Some("535 5.7.8 who are you?\r\n".to_owned()),
        _ => offers(line),
    };
    let waits = |why: &str| [1, 2].map(|one| format!("{one}.0 later sent 0: {why}, for all"));
    let (outcomes, _, said, texts) = signing_in(refused, HopTls::StartTls, Some("smart.example"));
    assert_eq!(outcomes, waits("NotSignedIn"));
    // One attempt for the batch: nobody's account is locked by a queue.
    assert_eq!((texts, said.matches("AUTH PLAIN").count()), (0, 1), "{said}");
    let later = |_: usize, line: &str| match line {
        PLAIN => Some("454 4.7.0 our directory is away\r\n".to_owned()),
        _ => offers(line),
    };
    let (outcomes, ..) = signing_in(later, HopTls::StartTls, Some("smart.example"));
    assert_eq!(outcomes, waits("NoWayIn(NotNow)"));
}

/// Late, and given up: a sign-in that its own house has wrong is no word of whom it is for.
#[test]
fn who_waits_for_a_sign_in_reads_that_it_is_their_own_house_s() {
    use notice::Reason;
    let authority = Authority::new();
    let name = "smart.example";
    for answer in ["535 5.7.8 who are you?", "454 4.7.0 our directory is away"] {
        let way: super::neighbourhood::remote::Way = match answer.starts_with('5') {
            true => |_, line| match line {
                PLAIN => Some("535 5.7.8 who are you?\r\n".to_owned()),
                _ => offers(line),
            },
            false => |_, line| match line {
                PLAIN => Some("454 4.7.0 our directory is away\r\n".to_owned()),
                _ => offers(line),
            },
        };
        let remote = Remote::with(way, Some(authority.server(name).0));
        let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
        plan.at(name, &remote);
        let (host, port) = (name.to_owned(), 587);
        let (user, password) = ("kaede".to_owned(), "open sesame".to_owned());
        plan.credential = Some(wire::vault::Credential { host, port, user, password });
        let hop = Hop::Host { name: name.to_owned(), port, tls: HopTls::StartTls };
        let house = settle(plan);
        let letter = Letter::to(hop, &["bob@there.example"]);
        house.carry(&[letter.clone()]);
        let envelope = house.seen.lock().unwrap().rests[0].clone();
        let waiting = Letter { envelope, ..letter };
        for (number, errand) in [(2, Errand::TellLate), (3, Errand::GiveBack)] {
            house.carry(&[Letter { errand, ..waiting.clone().numbered(number) }]);
        }
        let told = house.seen.lock().unwrap().copies.clone();
        assert_eq!(told.len(), 2);
        for copy in told {
            let (words, (japanese, english)) =
                (words_of(&copy.text), notice::say(Reason::OwnFault));
            assert!(words.contains(japanese) && words.contains(english), "{answer}: {words}");
            let (japanese, _) = notice::say(Reason::Policy);
            assert!(!words.contains(japanese) && !words.contains(answer), "{answer}: {words}");
        }
    }
}

/// Whoever takes mail there from anybody is not whom the tenant chose.
#[test]
fn nothing_leaves_unsigned_by_a_host_that_cannot_be_signed_in_to() {
    let nobody = |_: usize, _: &str| None;
    let others = |_: usize, line: &str| {
        let hello = "250-x\r\n250-STARTTLS\r\n250 AUTH NTLM CRAM-MD5\r\n";
        line.starts_with("EHLO").then(|| hello.to_owned())
    };
    let ways: [(super::neighbourhood::remote::Way, &str); 2] =
        [(nobody, "NotOffered"), (others, "NoneOfOurs")];
    for (way, why) in ways {
        let (outcomes, _, said, texts) = signing_in(way, HopTls::StartTls, Some("smart.example"));
        let waits = [1, 2].map(|one| format!("{one}.0 later sent 0: NoWayIn({why}), for all"));
        assert_eq!((outcomes, texts), (waits.to_vec(), 0), "{said}");
        assert!(!said.contains("MAIL FROM") && !said.contains("\nAUTH "), "{said}");
    }
    // Without a sign-in it wants one all the same: refused at MAIL, it is asked to.
    let authority = Authority::new();
    let wanted = |_: usize, line: &str| {
        line.starts_with("MAIL").then(|| "530 5.7.0 sign in first\r\n".to_owned())
    };
    let name = "smart.example";
    let remote = Remote::with(wanted, Some(authority.server(name).0));
    let mut plan = Plan { authorities: authority.pem(), ..Plan::default() };
    plan.at(name, &remote);
    let hop = Hop::Host { name: name.to_owned(), port: 587, tls: HopTls::StartTls };
    let letter = Letter::to(hop, &["bob@there.example"]);
    assert_eq!(outcome(plan, letter), "1.0 later sent 0: NotSignedIn, for all");
}

/// A tenant's mail leaves from its own address, or waits.
#[test]
fn a_tenant_s_own_address() {
    let check = |source: [u8; 4], expected: &str| {
        let remote = Remote::polite();
        let plan = Plan { source: Some(source.into()), ..Plan::default() };
        let house = settle(plan.with("there.example", "mx.there.example", &remote));
        assert_eq!(house.carry(&[bob()]), [expected]);
        assert_eq!(house.seen.lock().unwrap().sources, [std::net::IpAddr::from(source)]);
    };
    check([192, 0, 2, 200], "1.0 sent 1");
    check([192, 0, 2, 201], "1.0 later sent 0: Ours");
}

/// Held or cancelled since it was handed to us: the others go, and of it the remote hears nothing;
/// nor does a mailbox of this house.
#[test]
fn what_was_stopped_in_our_hands_does_not_go() {
    let remote = Remote::that(|_, _| None);
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let stopped = [2, 4].map(|number| terms::MessageId([number; 16]));
    house.seen.lock().unwrap().stopped.extend(stopped);
    let out = |number| Letter::out(&["bob@there.example"]).numbered(number);
    let here = |number| Letter::to(Hop::Here, &["ben@here.example"]).numbered(number);
    let mut told = house.carry(&[out(1), out(2), out(3), here(4), here(5)]);
    told.sort();
    assert_eq!(told, ["1.0 sent 1", "2.0 stopped", "3.0 sent 1", "4.0 stopped", "5.0 sent 1"]);
    assert_eq!(house.seen.lock().unwrap().copies.len(), 1);
}
