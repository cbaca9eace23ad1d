//! Cases: a made-up DNS, a domain, and what is found wanting.

use super::asking::Dns;
use super::check::{Report, check};
use super::spf::allowable;
use super::wanted::{Ours, Topic, Wanted, sts_policy, wanted};
use std::collections::HashMap;
use std::net::IpAddr;
use wire::names::{Answer, Outcome, Record, RecordKind, Security};
use wire::pages::{TransportMode, TransportPolicy};
use wire::signer::MailRecord;

const DOMAIN: &str = "kaede.example";
const HOST: &str = "mx.sekisho.example";
const PAGES: &str = "pages.sekisho.example";

fn ours() -> Ours {
    let transport = TransportPolicy::default();
    Ours { host: HOST.to_owned(), pages: PAGES.to_owned(), transport, onward: None, source: None }
}

/// Records by name and kind; names that were never heard of do not exist.
#[derive(Clone, Default)]
struct Zone {
    records: HashMap<(String, RecordKind), Vec<Record>>,
    failing: Vec<String>,
    asked: usize,
}

impl Zone {
    /// `NAME KIND VALUE` a line, values as people write them.
    fn of(lines: &str) -> Self {
        let mut zone = Self::default();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            zone.put(line);
        }
        zone
    }

    fn put(&mut self, line: &str) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (kind, value) = rest.split_once(' ').unwrap();
        let words: Vec<&str> = value.split(' ').collect();
        let host = |text: &str| text.trim_end_matches('.').to_owned();
        let (kind, record) = match kind {
            "A" => (RecordKind::A, Record::A(value.parse().unwrap())),
            "PTR" => (RecordKind::Ptr, Record::Ptr(value.to_owned())),
            "AAAA" => (RecordKind::Aaaa, Record::Aaaa(value.parse().unwrap())),
            "TXT" => (RecordKind::Txt, Record::Txt(value.as_bytes().to_vec())),
            "MX" => {
                let preference = words[0].parse().unwrap();
                (RecordKind::Mx, Record::Mx { preference, host: host(words[1]) })
            }
            "SRV" => {
                let number = |at: usize| words[at].parse().unwrap();
                let (priority, weight, port) = (number(0), number(1), number(2));
                (RecordKind::Srv, Record::Srv { priority, weight, port, host: host(words[3]) })
            }
            other => panic!("{other}"),
        };
        self.records.entry((name.to_owned(), kind)).or_default().push(record);
    }

    fn with(mut self, line: &str) -> Self {
        self.put(line);
        self
    }

    fn without(mut self, name: &str, kind: RecordKind) -> Self {
        self.records.remove(&(name.to_owned(), kind)).unwrap();
        self
    }

    fn instead(self, name: &str, kind: RecordKind, line: &str) -> Self {
        self.without(name, kind).with(&format!("{name} {line}"))
    }

    fn failing(mut self, name: &str) -> Self {
        self.failing.push(name.to_owned());
        self
    }
}

impl Dns for Zone {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        self.asked += 1;
        let name = name.to_ascii_lowercase();
        let found = self.records.get(&(name.clone(), kind)).cloned();
        let outcome = match found {
            _ if self.failing.contains(&name) => Outcome::Failed,
            Some(records) => Outcome::Records(records),
            None => Outcome::NoSuchName,
        };
        Answer { outcome, security: Security::Insecure, ttl_seconds: 60 }
    }
}

fn keys() -> Vec<MailRecord> {
    let key = |selector: &str, text: &str, signs: bool| MailRecord {
        name: format!("{selector}._domainkey.{DOMAIN}"),
        text: text.to_owned(),
        signs,
    };
    vec![
        key("sk1r", "v=DKIM1; k=rsa; p=OLD", false),
        key("sk2r", &format!("v=DKIM1; k=rsa; h=sha256; s=email; p={}", "A".repeat(392)), true),
        key("sk2e", "v=DKIM1; k=ed25519; h=sha256; s=email; p=BBBB", true),
        key("sk3r", "v=DKIM1; k=rsa; p=NEXT", false),
    ]
}

/// Everything as `domain add` has said.
fn as_told() -> Zone {
    let mut zone = Zone::of(&format!("{HOST} A 192.0.2.7\n{HOST} AAAA 2001:db8::7"));
    zone.put(&format!("{PAGES} A 192.0.2.8"));
    for one in wanted(DOMAIN, &ours(), &keys()) {
        zone.put(&match one.topic {
            // The DNS follows the name.
            Topic::Page => format!("{} A 192.0.2.8", one.name),
            _ => format!("{} {} {}", one.name, one.word(), one.value),
        });
    }
    zone
}

fn look(zone: &Zone, allow: &[&str]) -> Report {
    let allow: Vec<String> = allow.iter().map(|one| (*one).to_owned()).collect();
    check(&mut zone.clone(), DOMAIN, (HOST, None), wanted(DOMAIN, &ours(), &keys()), &allow)
}

/// What is not good: `name kind state`, then the gaps.
fn told(report: &Report) -> String {
    let mut told = Vec::new();
    for (wanted, checked) in &report.records {
        if checked.state.word() != "good" {
            let name = wanted.name.strip_suffix(DOMAIN).unwrap().trim_end_matches('.');
            let kind = wanted.word();
            told.push(format!("{name} {kind} {}", checked.state.word()).trim().to_owned());
        }
    }
    told.extend(report.gaps.iter().map(|(gap, detail)| {
        let gap = gap.code();
        format!("{gap} {detail}").trim().to_owned()
    }));
    told.join(", ")
}

/// `ok` stands for an exit of 0.
fn case(zone: &Zone, expected: &str) {
    let report = look(zone, &[]);
    assert_eq!(told(&report), expected);
    assert_eq!(report.is_wanting(), !expected.is_empty() && !expected.ends_with("advised"));
}

#[test]
fn what_is_told_is_what_is_checked() {
    case(&as_told(), "");
    let wanted = wanted(DOMAIN, &ours(), &keys());
    let line = |topic: &str| {
        let found = wanted.iter().map(Wanted::json).find(|one| one["name"] == topic).unwrap();
        found["zone"].as_str().unwrap().to_owned()
    };
    assert_eq!(line(DOMAIN), "kaede.example. 3600 IN MX 10 mx.sekisho.example.");
    let long = line("sk2r._domainkey.kaede.example");
    let strings: Vec<&str> = long.split('"').skip(1).step_by(2).collect();
    assert_eq!(strings.iter().map(|one| one.len()).collect::<Vec<_>>(), [255, 174]);
    assert_eq!(strings.concat(), keys()[1].text);
    assert!(long.contains(" IN TXT ( \"v=DKIM1;") && long.ends_with("\" )"), "{long}");
    let imaps = "_imaps._tcp.kaede.example. 3600 IN SRV 0 1 993 mx.sekisho.example.";
    assert_eq!(line("_imaps._tcp.kaede.example"), imaps);
    let none = "_pop3._tcp.kaede.example. 3600 IN SRV 0 0 0 .";
    assert_eq!(line("_pop3._tcp.kaede.example"), none);
    assert!(wanted.iter().all(|one| !one.name.starts_with("sk1r")), "what rests is no news");
    let policy = sts_policy(DOMAIN, &ours());
    let text = policy["text"].as_str().unwrap();
    assert!(text.starts_with("version: STSv1\r\nmode: testing\r\nmx: mx.sekisho.example\r\n"));
    assert_eq!(policy["url"], "https://mta-sts.kaede.example/.well-known/mta-sts.txt");
    for one in wanted.iter().map(Wanted::json) {
        assert!(one["for"]["ja"].as_str().unwrap() != one["for"]["en"].as_str().unwrap());
    }
}

#[test]
fn pages_lead_here_and_the_policy_s_id_is_the_one_in_force() {
    let zone = as_told();
    let line = |ours: &Ours, name: &str| {
        let all = wanted(DOMAIN, ours, &keys());
        let found = all.iter().map(Wanted::json).find(|one| one["name"] == name).unwrap();
        found["zone"].as_str().unwrap().to_owned()
    };
    let expected = "mta-sts.kaede.example. 3600 IN CNAME pages.sekisho.example.";
    assert_eq!(line(&ours(), "mta-sts.kaede.example"), expected);
    // Somebody else's settings for mail programs are advice, no fault.
    let elsewhere = zone.clone().instead("autoconfig.kaede.example", RecordKind::A, "A 192.0.2.99");
    let report = look(&elsewhere, &[]);
    assert_eq!(told(&report), "autoconfig CNAME advised");
    assert!(!report.is_wanting());
    // The policy has changed, its record has not: senders go on believing the old one.
    let enforced = Ours {
        transport: TransportPolicy { mode: TransportMode::Enforce, ..TransportPolicy::default() },
        ..ours()
    };
    let sts = "_mta-sts.kaede.example";
    assert_ne!(line(&enforced, sts), line(&ours(), sts));
    let all = wanted(DOMAIN, &enforced, &keys());
    let report = check(&mut zone.clone(), DOMAIN, (HOST, None), all, &[]);
    assert_eq!(told(&report), "_mta-sts TXT wrong");
    // Whoever publishes it elsewhere has an id of their own.
    let theirs = zone.instead("mta-sts.kaede.example", RecordKind::A, "A 192.0.2.99");
    let all = wanted(DOMAIN, &enforced, &keys());
    let report = check(&mut theirs.clone(), DOMAIN, (HOST, None), all, &[]);
    assert_eq!(told(&report), "mta-sts CNAME advised");
    // Without pages there is nothing to lead to.
    let without = Ours { pages: String::new(), ..ours() };
    assert!(wanted(DOMAIN, &without, &keys()).iter().all(|one| one.topic != Topic::Page));
}

/// Where a customer's own server has the mailboxes, nothing leads their programs here.
#[test]
fn a_gateway_s_people_are_led_to_no_server_of_ours() {
    let gateway = Ours { onward: Some("mx.kaede.example:25".to_owned()), ..ours() };
    let all = wanted(DOMAIN, &gateway, &keys());
    let names: Vec<&str> =
        all.iter().filter(|one| one.topic == Topic::Page).map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["mta-sts.kaede.example"]);
    let is_service = |one: &Wanted| matches!(one.topic, Topic::Service | Topic::NoService);
    assert!(!all.iter().any(is_service));
    assert!(all.iter().any(|one| one.topic == Topic::Mx));
}

/// What leaves from an address of the tenant's own is let in from there, by its own server and by
/// everybody who reads its SPF record.
#[test]
fn a_tenant_s_own_address_is_one_of_ours() {
    let source: IpAddr = "192.0.2.77".parse().unwrap();
    let ours = Ours { source: Some(source), ..ours() };
    let all = || wanted(DOMAIN, &ours, &keys());
    let spf = all().into_iter().find(|one| one.topic == Topic::Spf).unwrap();
    assert_eq!(spf.value, format!("v=spf1 a:{HOST} ip4:192.0.2.77 -all"));
    let look = |zone: Zone, source| check(&mut zone.clone(), DOMAIN, (HOST, source), all(), &[]);
    let report = look(as_told(), Some(source));
    assert_eq!(told(&report), "TXT wrong");
    let with_it = |value: &str| {
        let others = as_told().instead(DOMAIN, RecordKind::Txt, &format!("TXT {value}"));
        told(&look(others, Some(source)))
    };
    assert_eq!(with_it(&spf.value), "");
    assert_eq!(
        with_it("v=spf1 a:mx.sekisho.example ip4:192.0.2.78 ip4:192.0.2.77 -all"),
        "spf.lets-in ip4:192.0.2.78"
    );
    // Of the other family mail leaves as everybody's does.
    let house = look(as_told(), None).let_in(None);
    assert_eq!(house, ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(report.let_in(Some(source)), ["192.0.2.77", "2001:db8::7"]);
    let six = "2001:db8::77".parse().unwrap();
    assert_eq!(report.let_in(Some(six)), ["2001:db8::77", "192.0.2.7"]);
}

#[test]
fn what_is_allowed_is_a_term_and_is_there() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(allowable(text).as_deref(), expected, "{text}");
    };
    check("include:_spf.other.example", Some("include:_spf.other.example"));
    check("+ip4:192.0.2.78", Some("ip4:192.0.2.78"));
    check(" IP4:192.0.2.78/32", Some("ip4:192.0.2.78"));
    check("a:web.kaede.example", Some("a:web.kaede.example"));
    check("%{i}._spf.other.example", Some("%{i}._spf.other.example"));
    for wrong in ["garbage", "", " ", "ip4:", "ip4:300.1.1.1", "all", "-all", "x=y", "redirect=a.b"]
    {
        check(wrong, None);
    }
    check("ip4:192.0.2.1 ip4:192.0.2.2", None);
    let spf = "TXT v=spf1 a:mx.sekisho.example ip4:192.0.2.78 -all";
    let zone = as_told().instead(DOMAIN, RecordKind::Txt, spf);
    let report = look(&zone, &["ip4:192.0.2.78", "include:gone.example"]);
    assert_eq!((told(&report).as_str(), report.is_wanting()), ("", false));
    assert_eq!(report.unused, ["include:gone.example"]);
    let shown = &report.unused_json()[0];
    assert_ne!(shown["what"]["ja"], shown["what"]["en"]);
}

#[test]
fn an_empty_zone_lacks_what_mail_needs() {
    let host = Zone::of(&format!("{HOST} A 192.0.2.7"));
    let report = look(&host, &[]);
    let states: Vec<String> = report
        .records
        .iter()
        .map(|(wanted, checked)| format!("{:?} {}", wanted.topic, checked.state.word()))
        .collect();
    let expected = [
        "Mx missing",
        "Spf missing",
        "Dkim missing",
        "Dkim missing",
        "DkimNext advised",
        "Dmarc missing",
        "Sts advised",
        "Page advised",
        "Page advised",
        "Page advised",
        "TlsReports advised",
        "Service advised",
        "Service advised",
        "Service advised",
        "Service advised",
        "NoService advised",
        "NoService advised",
    ];
    assert_eq!(states, expected);
    assert_eq!(report.gaps_json()[0]["code"], "dmarc.missing");
    assert!(report.is_wanting());
    let told = report.records_json();
    assert_eq!(told[0]["todo"]["en"], "Publish this value.");
    assert_eq!(told[0]["found"].as_array().unwrap().len(), 0);
}

#[test]
fn advice_that_is_not_taken_is_not_wanting() {
    let mut zone = as_told();
    for name in ["_mta-sts", "_smtp._tls"] {
        zone = zone.without(&format!("{name}.{DOMAIN}"), RecordKind::Txt);
    }
    zone = zone.without("_imaps._tcp.kaede.example", RecordKind::Srv);
    zone = zone.without("sk3r._domainkey.kaede.example", RecordKind::Txt);
    let report = look(&zone, &[]);
    let advised = "sk3r._domainkey TXT advised, _mta-sts TXT advised, _smtp._tls TXT advised, \
                   _imaps._tcp SRV advised";
    assert_eq!(told(&report), advised);
    assert!(!report.is_wanting());
}

#[test]
fn mail_that_goes_around_us_is_found() {
    let mx = |line: &str| as_told().instead(DOMAIN, RecordKind::Mx, line);
    case(&mx("MX 10 MX.Sekisho.Example."), "");
    case(&mx("MX 10 old.example."), "MX wrong, mx.elsewhere old.example");
    case(&as_told().with("kaede.example MX 20 old.example."), "mx.elsewhere old.example");
    let backup =
        as_told().with("kaede.example MX 20 old.example.").with("old.example A 192.0.2.99");
    case(&backup, "mx.elsewhere old.example");
    // Another name of ours.
    case(&mx("MX 10 mail.kaede.example.").with("mail.kaede.example A 192.0.2.7"), "");
    let half = mx("MX 10 mail.kaede.example.")
        .with("mail.kaede.example A 192.0.2.7")
        .with("mail.kaede.example A 192.0.2.8");
    case(&half, "MX wrong, mx.elsewhere mail.kaede.example");
    let unknown = as_told().with("kaede.example MX 20 slow.example.").failing("slow.example");
    case(&unknown, "mx.unknown slow.example");
    case(&mx("MX 0 ."), "MX wrong");
    case(&as_told().without(DOMAIN, RecordKind::Mx), "MX missing");
    let homeless = as_told().without(HOST, RecordKind::A).without(HOST, RecordKind::Aaaa);
    case(&homeless, "host.no-address mx.sekisho.example");
}

#[test]
fn who_else_may_send_is_found() {
    let spf = |text: &str| as_told().instead(DOMAIN, RecordKind::Txt, &format!("TXT {text}"));
    for (text, expected) in [
        ("v=spf1 a:mx.sekisho.example -all", ""),
        ("v=spf1 mx -all", ""),
        ("V=SPF1 mx ~all", ""),
        ("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 -all", ""),
        ("v=spf1 ip4:192.0.2.7 -all", "TXT wrong"),
        ("v=spf1 -all", "TXT wrong"),
        ("v=spf1 mx", "spf.open-end"),
        ("v=spf1 mx ?all", "spf.open-end ?all"),
        ("v=spf1 mx +all", "spf.all kaede.example"),
        ("v=spf1 all", "spf.all kaede.example"),
        ("v=spf1 mx ip4:192.0.2.0/24 -all", "spf.lets-in ip4:192.0.2.0/24"),
        ("v=spf1 mx ip4:192.0.2.9 -all", "spf.lets-in ip4:192.0.2.9"),
        ("v=spf1 mx/24 -all", "spf.lets-in mx/24"),
        ("v=spf1 mx a:web.example -all", "spf.lets-in a:web.example"),
        ("v=spf1 mx -ip4:192.0.2.0/24 -all", ""),
        ("v=spf1 mx ptr -all", "spf.ptr ptr"),
        ("v=spf1 mx exists:%{i}.x.example -all", "spf.lets-in exists:%{i}.x.example"),
        ("v=spf1 mx include:bulk.example -all", "spf.lets-in include:bulk.example"),
        ("v=spf1 include:house.example -all", ""),
        ("v=spf1 redirect=house.example", ""),
        ("v=spf1 mx redirect=bulk.example", "spf.lets-in ip4:198.51.100.0/24"),
        (
            "v=spf1 mx include:world.example -all",
            "spf.all world.example, spf.lets-in include:world.example",
        ),
        (
            "v=spf1 mx include:absent.example -all",
            "spf.void absent.example, spf.lets-in include:absent.example",
        ),
        (
            "v=spf1 mx include:slow.example -all",
            "spf.unknown slow.example, spf.lets-in include:slow.example",
        ),
        ("v=spf1 mx nonsense -all", "TXT wrong"),
        ("v=spf1 mx include:loop.example -all", "spf.lookups 21"),
    ] {
        let zone = spf(text)
            .with("web.example A 192.0.2.80")
            .with("bulk.example TXT v=spf1 ip4:198.51.100.0/24 -all")
            .with("house.example TXT v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ~all")
            .with("world.example TXT v=spf1 +all")
            .with("loop.example TXT v=spf1 include:loop.example -all")
            .failing("slow.example");
        let report = look(&zone, &[]);
        let found = told(&report);
        // Terms of a record that never ends are cut, wherever.
        let fits = found == expected || (expected.contains("lookups") && found.contains(expected));
        assert!(fits, "{text}: {found}");
        assert_eq!(report.is_wanting(), !expected.is_empty(), "{text}");
    }
    let many: String = (0..11).map(|number| format!(" a:{number}.example")).collect();
    let hosts = (0..11).fold(spf(&format!("v=spf1{many} mx -all")), |zone, number| {
        zone.with(&format!("{number}.example A 192.0.2.7"))
    });
    assert!(told(&look(&hosts, &[])).contains("spf.lookups 12"));
    case(&as_told().with("kaede.example TXT v=spf1 -all"), "TXT wrong");
    case(&as_told().with("kaede.example TXT site-verification=1"), "");
    // What is meant is named.
    let bulk = spf("v=spf1 mx include:bulk.example ip4:192.0.2.9 -all")
        .with("bulk.example TXT v=spf1 ip4:198.51.100.0/24 -all");
    assert_eq!(told(&look(&bulk, &["include:bulk.example"])), "spf.lets-in ip4:192.0.2.9");
    assert!(!look(&bulk, &["INCLUDE:bulk.example", "ip4:192.0.2.9"]).is_wanting());
}

#[test]
fn keys_and_policies_are_read() {
    let name = "_dmarc.kaede.example";
    let dmarc = |text: &str| as_told().instead(name, RecordKind::Txt, &format!("TXT {text}"));
    case(&dmarc("v=DMARC1; p=reject"), "");
    case(&dmarc("v=DMARC1; p=none"), "_dmarc TXT wrong, dmarc.none kaede.example");
    case(&dmarc("v=DMARC1; p=reject; sp=none"), "dmarc.subdomains kaede.example");
    case(&dmarc("v=DMARC1; p=reject; t=y"), "dmarc.testing kaede.example");
    case(&dmarc("v=DMARC1; p=rejct"), "_dmarc TXT wrong, dmarc.missing kaede.example");
    case(
        &dmarc("v=DMARC1; p=reject").with("_dmarc.kaede.example TXT v=DMARC1; p=none"),
        "_dmarc TXT wrong",
    );
    case(
        &as_told().without(name, RecordKind::Txt),
        "_dmarc TXT missing, dmarc.missing kaede.example",
    );
    case(&as_told().failing(name), "_dmarc TXT unknown");

    let name = "sk2e._domainkey.kaede.example";
    let key = |text: &str| as_told().instead(name, RecordKind::Txt, &format!("TXT {text}"));
    case(&key("k=ed25519; p=BB BB"), "");
    case(&key("v=DKIM1; k=ed25519; p=CCCC"), "sk2e._domainkey TXT wrong");
    case(&key("v=DKIM1; k=ed25519; p="), "sk2e._domainkey TXT wrong");
    case(
        &as_told().with("sk2e._domainkey.kaede.example TXT v=DKIM1; p=X"),
        "sk2e._domainkey TXT wrong",
    );
    case(&as_told().without(name, RecordKind::Txt), "sk2e._domainkey TXT missing");

    let srv = |line: &str| as_told().instead("_imaps._tcp.kaede.example", RecordKind::Srv, line);
    case(&srv("SRV 0 1 1993 mx.sekisho.example."), "");
    case(&srv("SRV 0 1 993 imap.old.example."), "_imaps._tcp SRV wrong");
    let plain =
        as_told().instead("_imap._tcp.kaede.example", RecordKind::Srv, "SRV 0 1 143 x.example.");
    case(&plain, "_imap._tcp SRV wrong");
    let sts = |text: &str| as_told().instead("_mta-sts.kaede.example", RecordKind::Txt, text);
    case(&sts("TXT v=STSv1; id=20260101"), "_mta-sts TXT wrong");
    let own = sts("TXT v=STSv1; id=20260101").without("mta-sts.kaede.example", RecordKind::A);
    case(&own.with("mta-sts.kaede.example A 192.0.2.99"), "mta-sts CNAME advised");
    case(&sts("TXT v=STSv1"), "_mta-sts TXT wrong");
    let silent = as_told().failing(DOMAIN);
    assert!(told(&look(&silent, &[])).starts_with("MX unknown, TXT unknown"));
}

#[test]
fn our_addresses_have_our_name_in_reverse() {
    let six = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    let zone = as_told()
        .with("7.2.0.192.in-addr.arpa PTR MX.sekisho.example")
        .with(&format!("{six} PTR host7.provider.example"));
    let told = look(&zone, &[]).addresses_json(HOST);
    let states: Vec<String> = told
        .iter()
        .map(|one| format!("{} {} {}", one["address"], one["reverse"][0], one["state"]))
        .collect();
    let expected = [
        r#""192.0.2.7" "MX.sekisho.example" "good""#,
        r#""2001:db8::7" "host7.provider.example" "advised""#,
    ];
    assert_eq!(states, expected);
    assert!(told[0]["todo"].is_null() && told[1]["todo"]["ja"].is_string());
}

/// A subdomain without a policy of its own has the one from above, as that one says.
#[test]
fn a_policy_from_above_counts() {
    let check = |above: &str, expected: &str| {
        let domain = "mail.kaede.example";
        let mut zone = Zone::of(&format!("{HOST} A 192.0.2.7\n_dmarc.kaede.example TXT {above}"));
        zone.put(&format!("{domain} MX 10 {HOST}."));
        zone.put(&format!("{domain} TXT v=spf1 mx -all"));
        let report = check(&mut zone, domain, (HOST, None), wanted(domain, &ours(), &[]), &[]);
        let codes: Vec<&str> = report.gaps.iter().map(|(gap, _)| gap.code()).collect();
        assert_eq!(codes.join(" "), expected, "{above}");
    };
    check("v=DMARC1; p=reject", "");
    check("v=DMARC1; p=none; sp=reject", "");
    check("v=DMARC1; p=reject; sp=none", "dmarc.none");
    check("v=spf1 -all", "dmarc.missing");
}

/// However the DNS is made, a check ends, with a bounded number of questions.
#[test]
fn hostile_records_are_looked_at_in_bounds() {
    let includes = |of: usize| {
        (0..40).map(|to| format!(" include:n{}.example", (of * 7 + to) % 200)).collect::<String>()
    };
    let mut zone =
        as_told().instead(DOMAIN, RecordKind::Txt, &format!("TXT v=spf1{} -all", includes(0)));
    for number in 0..200 {
        zone.put(&format!(
            "n{number}.example TXT v=spf1{} mx:kaede.example -all",
            includes(number)
        ));
    }
    for number in 0..100 {
        zone.put(&format!("kaede.example MX 20 h{number}.example."));
    }
    let mut asked = zone.clone();
    let report = check(&mut asked, DOMAIN, (HOST, None), wanted(DOMAIN, &ours(), &keys()), &[]);
    assert!(report.is_wanting());
    assert!(asked.asked < 3_000, "{}", asked.asked);
}
