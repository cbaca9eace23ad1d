//! DMARC: one line per case, policy discovery and alignment (RFC 9989).

use super::{Zone, envelope};
use crate::{DmarcResult, Envelope, check};

/// `result policy policy-domain spf/dkim alignment` for a From and records, with SPF passing for
/// `mail_from`.
fn check_case(from: &str, mail_from: &str, records: &[(&str, &str)], expected: &str) {
    let spf_domain = mail_from.rsplit_once('@').unwrap().1;
    let mut zone =
        Zone::default().text(spf_domain, "v=spf1 +all").host("real.example.com", "192.0.2.9");
    for (name, text) in records {
        zone = zone.text(&format!("_dmarc.{name}"), text);
    }
    let message = format!("From: {from}\r\n\r\nhello\r\n");
    let facts = Envelope { mail_from, ..envelope() };
    let told = check(&facts, message.as_bytes(), &mut zone).dmarc;
    let aligned = if told.alignment.spf { "aligned" } else { "unaligned" };
    let found = format!(
        "{} {} {} {aligned}",
        told.result.word(),
        told.policy.word(),
        if told.policy_domain.is_empty() { "-" } else { &told.policy_domain },
    );
    assert_eq!(found, expected, "From {from}, MAIL FROM {mail_from}, {records:?}");
}

const REJECT: &str = "v=DMARC1; p=reject";

#[test]
fn policies_are_found() {
    let bad = "x@elsewhere.test";
    let check = |from: &str, records: &[(&str, &str)], expected: &str| {
        check_case(from, bad, records, expected);
    };
    check("a@example.com", &[], "none none - unaligned");
    check("a@example.com", &[("example.com", REJECT)], "fail reject example.com unaligned");
    check("a@sub.example.com", &[("example.com", REJECT)], "fail reject example.com unaligned");
    check(
        "a@sub.example.com",
        &[("example.com", "v=DMARC1; p=reject; sp=none")],
        "fail none example.com unaligned",
    );
    check(
        "a@real.example.com",
        &[("example.com", "v=DMARC1; p=none; sp=quarantine; np=reject")],
        "fail quarantine example.com unaligned",
    );
    check(
        "a@unreal.example.com",
        &[("example.com", "v=DMARC1; p=none; sp=quarantine; np=reject")],
        "fail reject example.com unaligned",
    );
    check(
        "a@sub.example.com",
        &[("sub.example.com", "v=DMARC1; p=none"), ("example.com", REJECT)],
        "fail none sub.example.com unaligned",
    );
    // Softened while testing.
    check(
        "a@example.com",
        &[("example.com", "v=DMARC1; p=reject; t=y")],
        "fail quarantine example.com unaligned",
    );
    check(
        "a@example.com",
        &[("example.com", "v=DMARC1; p=quarantine; t=y")],
        "fail none example.com unaligned",
    );
    // Gone tags are ignored.
    check(
        "a@example.com",
        &[("example.com", "v=DMARC1; p=reject; pct=0; rf=afrf; ri=1")],
        "fail reject example.com unaligned",
    );
    // Two records are as bad as none; a stranger's TXT record is no record.
    check(
        "a@example.com",
        &[("example.com", REJECT), ("example.com", REJECT)],
        "none none - unaligned",
    );
    check(
        "a@example.com",
        &[("example.com", REJECT), ("example.com", "v=other")],
        "fail reject example.com unaligned",
    );
    check("a@example.com", &[("example.com", "FAIL")], "temperror none - unaligned");
}

#[test]
fn incomplete_records_ask_for_nothing() {
    let bad = "x@elsewhere.test";
    for (record, expected) in [
        ("v=DMARC1", "none none - unaligned"),
        ("v=DMARC1; rua=mailto:a@example.com", "fail none example.com unaligned"),
        ("v=DMARC1; rua=nonsense", "none none - unaligned"),
        ("v=DMARC1; p=perhaps; rua=mailto:a@example.com", "fail none example.com unaligned"),
        ("v=DMARC1; p=reject; sp=perhaps", "none none - unaligned"),
        ("v=DMARC1; p=reject; np=no; rua=mailto:a@x.example", "fail none example.com unaligned"),
        ("v=dmarc1; p=reject", "none none - unaligned"),
        ("p=reject; v=DMARC1", "none none - unaligned"),
        ("v=DMARC1;;; junk ; p = reject ;", "fail reject example.com unaligned"),
        ("v=DMARC1; p=reject; p=none", "fail reject example.com unaligned"),
    ] {
        check_case("a@example.com", bad, &[("example.com", record)], expected);
    }
}

#[test]
fn alignment_follows_the_organisation() {
    let pass = |policy_domain: &str| format!("pass reject {policy_domain} aligned");
    let fail = |policy_domain: &str| format!("fail reject {policy_domain} unaligned");
    let at_org: &[(&str, &str)] = &[("example.com", REJECT)];
    check_case("a@example.com", "b@example.com", at_org, &pass("example.com"));
    check_case("a@Example.COM", "b@example.com", at_org, &pass("example.com"));
    check_case("a@example.com", "b@bounce.example.com", at_org, &pass("example.com"));
    check_case("a@mail.example.com", "b@bounce.example.com", at_org, &pass("example.com"));
    check_case("a@example.com", "b@badexample.com", at_org, &fail("example.com"));
    let strict: &[(&str, &str)] = &[("example.com", "v=DMARC1; p=reject; aspf=s")];
    check_case("a@example.com", "b@bounce.example.com", strict, &fail("example.com"));
    check_case("a@example.com", "b@example.com", strict, &pass("example.com"));
    // A subdomain that is an organisation of its own.
    let own: &[(&str, &str)] =
        &[("example.com", REJECT), ("uni.example.com", "v=DMARC1; p=reject; psd=n")];
    check_case("a@uni.example.com", "b@example.com", own, &fail("uni.example.com"));
    check_case("a@uni.example.com", "b@x.uni.example.com", own, &pass("uni.example.com"));
    check_case("a@example.com", "b@uni.example.com", own, &fail("example.com"));
    // A public suffix: the organisation is one label below, with or without a record.
    let suffix: &[(&str, &str)] = &[("co.example", "v=DMARC1; p=reject; psd=y")];
    check_case("a@one.co.example", "b@two.co.example", suffix, &fail("co.example"));
    check_case("a@one.co.example", "b@x.one.co.example", suffix, &pass("co.example"));
    // The shortest name with a record is the organisation, though the nearest has the policy.
    let nested: &[(&str, &str)] = &[("a.example.com", REJECT), ("example.com", "v=DMARC1; p=none")];
    check_case("x@a.example.com", "b@b.example.com", nested, &pass("a.example.com"));
}

#[test]
fn long_names_are_walked_in_eight_questions() {
    let from = "a@a.b.c.d.e.f.g.h.i.j.mail.example.com";
    check_case(
        from,
        "b@elsewhere.test",
        &[("example.com", REJECT)],
        "fail reject example.com unaligned",
    );
    // Skipped: eight labels lie between the first question and the second.
    let skipped = &[("b.c.d.e.f.g.h.i.j.mail.example.com", REJECT)];
    check_case(from, "b@elsewhere.test", skipped, "none none - unaligned");
    let seven = &[("g.h.i.j.mail.example.com", REJECT)];
    check_case(from, "b@elsewhere.test", seven, "fail reject g.h.i.j.mail.example.com unaligned");
}

#[test]
fn from_is_read_as_people_see_it() {
    let records: &[(&str, &str)] = &[("example.com", REJECT)];
    let fail = "fail reject example.com unaligned";
    for from in [
        "\"x@other.test\" <a@example.com>",
        "x@other.test <a@example.com>",
        "(x@other.test) a@example.com (y@other.test)",
        "Ken <a@example.com>, Bo <b@other.test>",
        "b@other.test, a@example.com",
        "group: a@example.com;",
        "<\"odd@local\"@example.com>",
        "a@example.com\r\nFrom: b@other.test",
        "b@other.test\r\nFrom: a@example.com",
        "a@example.com.",
    ] {
        check_case(from, "x@other.test", records, fail);
    }
    let own_script: &[(&str, &str)] = &[("xn--wgv71a119e.jp", REJECT)];
    let passed = "pass reject xn--wgv71a119e.jp aligned";
    check_case("a@日本語.jp", "x@xn--wgv71a119e.jp", own_script, passed);
    let told = |from: &str| {
        let message = format!("{from}\r\n\r\n");
        check(&envelope(), message.as_bytes(), &mut Zone::default()).dmarc.result
    };
    assert_eq!(told("Subject: no From"), DmarcResult::PermError);
    assert_eq!(told("From: nobody"), DmarcResult::PermError);
}
