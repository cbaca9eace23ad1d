//! Cases of judgement, and proof that nothing is said without words.

use crate::{
    Authentication, AuthorForm, Claim, DmarcPolicy, Facts, HouseRules, Judged, Language, Outcome,
    Reply, Sealer, ids, judge, together, why,
};
use terms::{Finding, Verdict};

fn judged(findings: &[(&str, f32)], results: Option<&Authentication>, allowed: bool) -> Judged {
    let findings: Vec<Finding> =
        findings.iter().map(|(id, weight)| Finding::new(id, *weight, "x")).collect();
    let house = HouseRules::default();
    let authentication = results;
    judge(&Facts { findings: &findings, authentication, house: &house, allowed, waited: false })
}

#[track_caller]
fn check(findings: &[(&str, f32)], expected: Verdict) {
    assert_eq!(judged(findings, None, false).verdict, expected, "{findings:?}");
}

#[test]
fn scores_decide() {
    check(&[], Verdict::Deliver);
    check(&[("a", 3.9)], Verdict::Deliver);
    check(&[("a", 4.0)], Verdict::Tag);
    check(&[("a", 3.0), ("b", 3.0)], Verdict::Junk);
    check(&[("a", 10.0)], Verdict::Quarantine);
    check(&[("a", 20.0)], Verdict::Refuse);
    check(&[("a", 5.0), ("b", -5.0)], Verdict::Deliver);
    // Each id counts once, and a lie about weights makes no sum that is no number.
    check(&[("a", 3.0), ("a", 3.0), ("a", 3.0)], Verdict::Deliver);
    check(&[("a", f32::NAN), ("b", f32::INFINITY)], Verdict::Deliver);
    check(&[("a", f32::MAX), ("b", f32::MIN)], Verdict::Deliver);
}

/// Whoever says to be one of us proves it; a forwarder that the tenant trusts may vouch for people,
/// and nobody for the house itself.
#[test]
fn a_claim_to_be_ours_is_weighed() {
    let claims = |claim| Authentication { claim, ..facts(Outcome::None, DmarcPolicy::None) };
    check_authentication(&claims(Claim::Tenant), Verdict::Junk);
    check_authentication(&claims(Claim::House), Verdict::Refuse);
    let house = HouseRules {
        trusted_sealers: vec!["list.example".to_owned()],
        refuse_from: 1_000.0,
        ..HouseRules::default()
    };
    let check = |claim, expected| {
        let sealer = Sealer { domain: "list.example".to_owned(), found_pass: true };
        let results = Authentication { arc: Outcome::Pass, sealers: vec![sealer], ..claims(claim) };
        let authentication = Some(&results);
        let facts =
            Facts { findings: &[], authentication, house: &house, allowed: true, waited: false };
        assert_eq!(judge(&facts).verdict, expected, "{claim:?}");
    };
    check(Claim::Tenant, Verdict::Deliver);
    check(Claim::House, Verdict::Refuse);
}

#[test]
fn some_findings_decide_alone() {
    check(&[("content.eicar", 0.0)], Verdict::Refuse);
    check(&[("content.malware", 0.0)], Verdict::Refuse);
    check(&[("content.gtube", 0.0)], Verdict::Junk);
    check(&[("content.bomb.size", 0.0)], Verdict::Quarantine);
    check(&[("scanner.killed", 0.0)], Verdict::Quarantine);
    for id in ["mime.parts.many", "mime.depth.great", "mime.unwalked", "mime.partial"] {
        assert_eq!(judged(&[(id, 0.0)], None, true).verdict, Verdict::Quarantine, "{id}");
    }
    // What nobody could look into is marked, whoever sent it.
    let passed = facts(Outcome::Pass, DmarcPolicy::Reject);
    for id in [
        "content.archive.encrypted",
        "content.archive.opaque",
        "content.archive.method",
        "content.office.encrypted",
        "content.pdf.encrypted",
        "content.unexamined",
    ] {
        assert!(ids().any(|known| known == id), "{id}");
        assert_eq!(judged(&[(id, 2.5)], Some(&passed), true).verdict, Verdict::Tag, "{id}");
    }
}

#[test]
fn an_allow_list_excuses_points_but_no_malware() {
    assert_eq!(judged(&[("a", 10.0)], None, true).verdict, Verdict::Deliver);
    assert_eq!(judged(&[("content.eicar", 100.0)], None, true).verdict, Verdict::Refuse);
    assert_eq!(judged(&[("content.eicar", -99.0)], None, true).verdict, Verdict::Refuse);
    assert_eq!(judged(&[("content.bomb.depth", 1.0)], None, true).verdict, Verdict::Quarantine);
}

fn facts(dmarc: Outcome, dmarc_policy: DmarcPolicy) -> Authentication {
    let from_domain = "sender.example".to_owned();
    Authentication { dmarc, dmarc_policy, from_domain, ..Authentication::default() }
}

#[track_caller]
fn check_authentication(results: &Authentication, expected: Verdict) {
    assert_eq!(judged(&[], Some(results), false).verdict, expected, "{results:?}");
}

#[test]
fn the_owner_of_the_domain_is_obeyed() {
    use DmarcPolicy::{None, Quarantine, Reject};
    use Outcome::{Fail, Pass};
    check_authentication(&facts(Pass, Reject), Verdict::Deliver);
    check_authentication(&facts(Fail, Reject), Verdict::Refuse);
    check_authentication(&facts(Fail, Quarantine), Verdict::Quarantine);
    check_authentication(&facts(Fail, None), Verdict::Deliver);
    check_authentication(&Authentication::default(), Verdict::Deliver);
    let spoofed = Authentication { spf: Fail, ..facts(Outcome::None, None) };
    check_authentication(&spoofed, Verdict::Tag);
    check_authentication(&Authentication { dkim: Pass, ..spoofed }, Verdict::Deliver);
    check_authentication(&Authentication { spf: Fail, ..facts(Fail, None) }, Verdict::Junk);
    assert_eq!(judged(&[], Some(&facts(Fail, Reject)), true).verdict, Verdict::Refuse);
    let house = HouseRules { obey_dmarc: false, ..HouseRules::default() };
    let results = facts(Fail, Reject);
    let authentication = Some(&results);
    let (findings, house, allowed, waited) = (&[], &house, false, false);
    let judged = judge(&Facts { findings, authentication, house, allowed, waited });
    assert_eq!(judged.verdict, Verdict::Junk);
}

/// RFC 6376 §8.2: who signed the beginning did not write what stands behind it.
/// A domain of one's own with SPF and DMARC costs little: it buys nobody another's name.
#[test]
fn a_pass_excuses_no_deceit() {
    let passed = facts(Outcome::Pass, DmarcPolicy::Reject);
    for id in ["content.sender.display", "content.lookalike.worn", "content.sender.house"] {
        let judged = judged(&[(id, 4.0)], Some(&passed), false);
        assert_eq!((judged.verdict, judged.score), (Verdict::Tag, 4.0), "{id}");
    }
    assert_eq!(judged(&[("content.other", 4.0)], Some(&passed), false).verdict, Verdict::Deliver);
}

#[test]
fn a_signature_of_a_part_speaks_for_nobody() {
    let of = |dmarc, dmarc_policy| {
        let partly_signed = "old.example".to_owned();
        let facts = Authentication { partly_signed, ..facts(dmarc, dmarc_policy) };
        let facts = Authentication { dkim: Outcome::Neutral, spf: Outcome::SoftFail, ..facts };
        let judged = judged(&[], Some(&facts), false);
        let ids: Vec<String> = judged.reasons.iter().map(|finding| finding.id.clone()).collect();
        (judged.verdict, ids.contains(&"auth.dkim.partial".to_owned()))
    };
    assert_eq!(of(Outcome::Fail, DmarcPolicy::Reject), (Verdict::Refuse, true));
    assert_eq!(of(Outcome::Fail, DmarcPolicy::None), (Verdict::Tag, true));
    assert_eq!(of(Outcome::None, DmarcPolicy::None), (Verdict::Deliver, true));
    assert_eq!(of(Outcome::Pass, DmarcPolicy::Reject), (Verdict::Deliver, false));
}

#[test]
fn a_dns_that_fails_is_waited_for() {
    use DmarcPolicy::{None, Quarantine, Reject, Unknown};
    let of = |policy, findings: &[Finding], obey_dmarc, waited| {
        let results = facts(Outcome::TempError, policy);
        let house = HouseRules { obey_dmarc, ..HouseRules::default() };
        let authentication = Some(&results);
        judge(&Facts { findings, authentication, house: &house, allowed: false, waited }).verdict
    };
    for policy in [Quarantine, Reject, Unknown] {
        assert_eq!(of(policy, &[], true, false), Verdict::Defer, "{policy:?}");
        assert_eq!(of(policy, &[], true, true), Verdict::Deliver, "not for ever");
        assert_eq!(of(policy, &[], false, false), Verdict::Deliver, "nobody asks for it");
        let junk = [Finding::new("a", 7.0, "")];
        assert_eq!(of(policy, &junk, true, false), Verdict::Defer, "a pass might excuse it");
        let malware = [Finding::new("content.malware", 0.0, "")];
        assert_eq!(of(policy, &malware, true, false), Verdict::Refuse, "it need not come again");
    }
    assert_eq!(of(None, &[], true, false), Verdict::Deliver, "no answer would decide");
}

#[test]
fn trusted_forwarders_speak_for_what_they_broke() {
    use Outcome::{Fail, Pass};
    let chain = |sealers: &[(&str, bool)], arc| Authentication {
        spf: Fail,
        arc,
        sealers: sealers
            .iter()
            .map(|(domain, found_pass)| Sealer {
                domain: (*domain).to_owned(),
                found_pass: *found_pass,
            })
            .collect(),
        ..facts(Fail, DmarcPolicy::Reject)
    };
    let check = |sealers: &[(&str, bool)], arc, expected: Verdict| {
        let results = chain(sealers, arc);
        let trusted_sealers = vec!["list.example".to_owned(), "relay.example".to_owned()];
        let house = HouseRules { trusted_sealers, ..HouseRules::default() };
        let (authentication, findings) = (Some(&results), &[]);
        let judged = judge(&Facts {
            findings,
            authentication,
            house: &house,
            allowed: false,
            waited: false,
        });
        assert_eq!(judged.verdict, expected, "{sealers:?}");
        let vouched = judged.reasons.iter().find(|reason| reason.id == "auth.arc.trusted");
        assert_eq!(vouched.is_some(), expected == Verdict::Deliver);
    };
    check(&[("list.example", true)], Pass, Verdict::Deliver);
    check(&[("list.example", true), ("relay.example", false)], Pass, Verdict::Deliver);
    check(&[("other.example", false), ("list.example", true)], Pass, Verdict::Deliver);
    // It found no pass, is not trusted, or somebody who is not had the message after it.
    check(&[("list.example", false)], Pass, Verdict::Refuse);
    check(&[("other.example", true)], Pass, Verdict::Refuse);
    check(&[("list.example", true), ("other.example", false)], Pass, Verdict::Refuse);
    check(&[("list.example", true), ("other.example", true)], Pass, Verdict::Refuse);
    check(&[("xlist.example", true)], Pass, Verdict::Refuse);
    check(&[("list.example", true)], Fail, Verdict::Refuse);
    check(&[], Pass, Verdict::Refuse);
    // Nobody is trusted unless the tenant says so.
    check_authentication(&chain(&[("list.example", true)], Pass), Verdict::Refuse);
}

#[test]
fn reasons_stand_heaviest_first() {
    let judged = judged(&[("a", 1.0), ("b", 3.0), ("c", 2.0)], None, false);
    let order: Vec<&str> = judged.reasons.iter().map(|reason| reason.id.as_str()).collect();
    assert_eq!(order, ["b", "c", "a"]);
    assert!((judged.score - 6.0).abs() < 0.01);
}

#[test]
fn one_reply_for_many() {
    use Verdict::{Defer, Deliver, Junk, Quarantine, Refuse};
    let check = |verdicts: &[Verdict], expected| assert_eq!(together(verdicts), expected);
    check(&[Deliver], Reply::Keep);
    check(&[Refuse], Reply::Refuse);
    check(&[Refuse, Refuse], Reply::Refuse);
    check(&[Refuse, Junk], Reply::Keep);
    check(&[Quarantine], Reply::Keep);
    check(&[Deliver, Defer], Reply::Defer);
    check(&[], Reply::Defer);
}

#[test]
fn every_finding_has_words_in_both_languages() {
    let known: Vec<&str> = ids().collect();
    for seen in mime::FINDINGS {
        assert!(known.contains(&seen.id), "{} has no words", seen.id);
    }
    for results in every_authentication() {
        for reason in judged(&[], Some(&results), true).reasons {
            assert!(known.contains(&reason.id.as_str()), "{} has no words", reason.id);
        }
    }
    for id in known {
        let japanese = why(id, Language::Japanese, "D");
        let english = why(id, Language::English, "D");
        assert!(!japanese.is_ascii() && japanese.len() > 10, "{id}: {japanese}");
        assert!(english.is_ascii() && english.len() > 10, "{id}: {english}");
        check_reads_well(id, &why(id, Language::Japanese, ""), &japanese);
        check_reads_well(id, &why(id, Language::English, ""), &english);
    }
}

/// Whole sentences with the detail and without: nothing is left of where it would stand.
fn check_reads_well(id: &str, bare: &str, detailed: &str) {
    let is_wide = |letter: Option<char>| letter.is_some_and(|letter| letter >= '\u{3000}');
    for text in [bare, detailed] {
        assert_eq!(text.trim(), text, "{id}");
        for broken in ["  ", " ,", " ;", " .", "()", "( ", " )", "{}", "[", "]", "|"] {
            assert!(!text.contains(broken), "{id}: {text}");
        }
    }
    // A space between Japanese letters is what a removed word leaves.
    let letters: Vec<char> = bare.chars().collect();
    for (at, _) in letters.iter().enumerate().filter(|(_, letter)| **letter == ' ') {
        let (before, after) = (letters.get(at - 1).copied(), letters.get(at + 1).copied());
        assert!(!is_wide(before) || !is_wide(after), "{id}: {bare}");
    }
    let dangling = ["of", "by", "from", "with", "than", "is", "the", "a", "in", "to"];
    let clauses = bare.split([';', ',', '(']);
    let last = clauses.filter_map(|clause| clause.split_whitespace().last());
    let last = last.filter(|_| bare != detailed);
    last.for_each(|word| assert!(!dangling.contains(&word), "{id}: {bare}"));
    // A value needs a word to stand at: where it is shown, it is shown once.
    let has_place = detailed.matches("D").count() > bare.matches("D").count();
    assert!(has_place || detailed == bare, "{id}: {detailed}");
}

#[test]
fn a_reason_reads_well_where_its_detail_is_kept_back() {
    let check = |id, japanese: &str, english: &str| {
        assert_eq!(why(id, Language::Japanese, ""), japanese);
        assert_eq!(why(id, Language::English, ""), english);
    };
    check(
        "auth.from.hidden",
        "差出人の欄に、差出人と見間違える別のアドレスが隠されています",
        "hides another address in From, which may be shown as the author's",
    );
    check(
        "mime.header.duplicate",
        "一つだけのはずのヘッダーが二つ以上あり、表示する側によって違って見えます",
        "has a field twice that may stand only once; readers may show different ones",
    );
    assert_eq!(
        why("mime.header.duplicate", Language::English, "From"),
        "has more than one From field; readers may show different ones"
    );
    assert_eq!(
        why("auth.dmarc.pass", Language::Japanese, "a.example"),
        "差出人のドメイン a.example は本物と確認されました"
    );
}

fn every_authentication() -> Vec<Authentication> {
    use Outcome::{Fail, Neutral, None, Pass, PermError, SoftFail, TempError};
    let outcomes = [None, Pass, Fail, SoftFail, Neutral, TempError, PermError];
    let mut all = Vec::new();
    for outcome in outcomes {
        for policy in [DmarcPolicy::None, DmarcPolicy::Quarantine, DmarcPolicy::Reject] {
            all.push(facts(outcome, policy));
        }
        all.push(Authentication { spf: outcome, dkim: outcome, ..facts(None, DmarcPolicy::None) });
        all.push(Authentication { arc: outcome, ..facts(None, DmarcPolicy::None) });
    }
    all.extend(odd_forms().map(|form| Authentication { form, ..facts(Pass, DmarcPolicy::None) }));
    all.extend(
        [Claim::Tenant, Claim::House]
            .map(|claim| Authentication { claim, ..facts(None, DmarcPolicy::None) }),
    );
    all
}

fn odd_forms() -> [AuthorForm; 5] {
    let plain = AuthorForm::default;
    let name = || "x.example".to_owned();
    [
        AuthorForm { is_nobody: true, ..plain() },
        AuthorForm { is_many: true, ..plain() },
        AuthorForm { is_many: true, is_crowd: true, ..plain() },
        AuthorForm { disguised: name(), ..plain() },
        AuthorForm { hidden: name(), ..plain() },
    ]
}

/// A From that readers may show otherwise than it was judged is junk even where DMARC passes.
#[test]
fn an_odd_from_is_junk_at_least() {
    let [nobody, many, crowd, disguised, hidden] = odd_forms();
    let pass = |form| Authentication { form, ..facts(Outcome::Pass, DmarcPolicy::Reject) };
    for form in [nobody, many, disguised, hidden] {
        check_authentication(&pass(form), Verdict::Junk);
    }
    check_authentication(&pass(crowd), Verdict::Refuse);
    check_authentication(&pass(AuthorForm::default()), Verdict::Deliver);
}

/// Old servers write the notice that somebody's mail came back in nobody's name, and sign nothing.
#[test]
fn a_notice_in_nobodys_name_is_junk_and_no_more() {
    let [form, ..] = odd_forms();
    let facts = Authentication { form, ..facts(Outcome::PermError, DmarcPolicy::Unknown) };
    let malformed = [("sender.malformed", 3.0)];
    assert_eq!(judged(&malformed, Some(&facts), false).verdict, Verdict::Junk);
}

#[test]
fn words_of_unknown_findings_are_the_finding() {
    assert_eq!(why("new.thing", Language::English, ""), "new.thing");
    assert_eq!(why("new.thing", Language::Japanese, "x"), "new.thing (x)");
}
