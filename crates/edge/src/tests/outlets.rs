//! Customers' own servers bring mail to be sent on.

use super::neighbourhood::{Authority, Customer, Shown, through_tls_as};
use super::{Neighbourhood, Plan, settle};
use terms::TenantId;

const NAME: &str = "mail.kaede.example";
const ONE: TenantId = TenantId([1; 8]);
const OTHER: TenantId = TenantId([2; 8]);

/// Two tenants behind one provider's certificate.
fn provider() -> (Neighbourhood, Authority) {
    let authority = Authority::new();
    let customer = |tenant, secret| {
        let authority = authority.der.clone();
        Customer { tenant, name: NAME, authority, secret }
    };
    let customers = vec![customer(ONE, "sko-one"), customer(OTHER, "sko-other")];
    (settle(Plan { customers, ..Plan::default() }), authority)
}

/// What the edge says over TLS, after EHLO.
fn say(around: &Neighbourhood, shown: Option<Shown>, lines: &[&str]) -> String {
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    assert!(client.ask("STARTTLS").starts_with("220 2.0.0"));
    let lines = [&["EHLO mail.kaede.example"], lines, &["QUIT"]].concat();
    through_tls_as(client.stream, shown, &lines)
}

fn letter<'a>(from: &'a str, to: &'a str, text: &'a str) -> [&'a str; 4] {
    [from, to, "DATA", text]
}

const FROM: &str = "MAIL FROM:<kaede@example.jp>";
const TO: &str = "RCPT TO:<Friend@outside.example> NOTIFY=NEVER";

#[test]
fn a_dispatch_of_its_tenant_s_takes_it_whole() {
    let (around, authority) = provider();
    let one = letter(FROM, TO, "X-Sekisho-Outlet: sko-one\r\nSubject: a\r\n\r\nhi\r\n.");
    let other = letter(FROM, TO, "x-sekisho-outlet: sko-other\r\n\r\nhi\r\n.");
    let both = "RCPT TO:<aoi@example.jp>";
    let lines = [&one[..2], &[both], &one[2..], &one, &other, &one].concat();
    let said = say(&around, Some(authority.shows(NAME)), &lines);
    let queued = |tenant: TenantId| said.matches(&format!("250 2.0.0 of {tenant}\r\n")).count();
    assert_eq!((queued(ONE), queued(OTHER)), (3, 1), "{said}");
    let seen = around.seen.lock().unwrap();
    let tenants: Vec<TenantId> = seen.submitted.iter().map(|(tenant, _)| *tenant).collect();
    assert_eq!(tenants, [ONE, ONE, OTHER, ONE]);
    let (_, first) = &seen.submitted[0];
    let to: Vec<&str> = first.recipients.iter().map(|to| to.address.as_str()).collect();
    assert_eq!(to, ["Friend@outside.example", "aoi@example.jp"]);
    assert_eq!(first.recipients[0].notify, Some((false, false, false)));
    assert_eq!(
        (first.from.as_str(), first.helo.as_str()),
        ("kaede@example.jp", "mail.kaede.example")
    );
    assert!(first.tls.is_some() && first.client_ip.to_string() == "203.0.113.9");
    // Nothing of it was examined or kept here.
    assert!(seen.copies.is_empty() && seen.scanned.is_empty() && seen.letters.is_empty());
}

#[test]
fn what_is_missing_is_said_to_who_may_know() {
    let (around, authority) = provider();
    let check = |shown: Option<Shown>, from: &str, text: &str, expected: &str| {
        let said = say(&around, shown, &letter(from, TO, text));
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains("250 2.0.0 of"), "{said}");
    };
    let good = "X-Sekisho-Outlet: sko-one\r\n\r\nhi\r\n.";
    let shows = || Some(authority.shows(NAME));
    check(None, FROM, good, "550 5.7.1 no mail is relayed without a client certificate");
    let evil = "550 5.7.1 no mail is relayed with this client certificate";
    check(Some(authority.shows("mail.evil.example")), FROM, good, evil);
    check(Some(Authority::new().shows(NAME)), FROM, good, evil);
    let missing = "550 5.7.1 no mail is relayed without the field X-Sekisho-Outlet";
    check(shows(), FROM, "Subject: a\r\n\r\nX-Sekisho-Outlet: sko-one\r\n.", missing);
    let wrong = "550 5.7.1 no mail is relayed with this value of X-Sekisho-Outlet";
    check(shows(), FROM, "X-Sekisho-Outlet: sko-two\r\n\r\nhi\r\n.", wrong);
    let refused = "MAIL FROM:<refused@example.jp>";
    check(shows(), refused, good, "550 5.7.1 not your address");
    // In clear, and where no customer's server is, everybody is a stranger.
    let said = around.mail("<kaede@example.jp>", &["<friend@outside.example>"], b"hi\r\n");
    assert!(said.contains("550 5.7.1 no mail is relayed here\r\n"), "{said}");
    let strangers = settle(Plan::default());
    let said = say(&strangers, shows(), &letter(FROM, TO, good));
    assert!(said.contains("550 5.7.1 no mail is relayed here\r\n"), "{said}");
}

/// Its mail for people here is a stranger's, unless it shows whose it is.
#[test]
fn mail_without_the_secret_arrives_as_any_other() {
    let (around, authority) = provider();
    let to = "RCPT TO:<aoi@example.jp>";
    let plain = letter(FROM, to, "Subject: a\r\n\r\nhi\r\n.");
    let shown = letter(FROM, to, "X-Sekisho-Outlet: sko-one\r\n\r\nhi\r\n.");
    let said = say(&around, Some(authority.shows(NAME)), &[&plain[..], &shown].concat());
    assert!(said.contains(" kept\r\n"), "{said}");
    let seen = around.seen.lock().unwrap();
    assert_eq!((seen.copies.len(), seen.submitted.len()), (1, 1));
}

/// A certificate with the names of two tenants' servers speaks for whichever the secret says.
#[test]
fn one_certificate_may_have_the_names_of_two() {
    let authority = Authority::new();
    let names = ["mail.kaede.example", "mail.ume.example"];
    let customer = |tenant, name, secret| {
        let authority = authority.der.clone();
        Customer { tenant, name, authority, secret }
    };
    let customers =
        vec![customer(ONE, names[0], "sko-one"), customer(OTHER, names[1], "sko-other")];
    let around = settle(Plan { customers, ..Plan::default() });
    let one = letter(FROM, TO, "X-Sekisho-Outlet: sko-one\r\n\r\nhi\r\n.");
    let other = letter(FROM, TO, "X-Sekisho-Outlet: sko-other\r\n\r\nhi\r\n.");
    let shown = authority.shows_all(&names);
    let said = say(&around, Some(shown), &[&one[..], &other].concat());
    let queued = |tenant: TenantId| said.matches(&format!("250 2.0.0 of {tenant}\r\n")).count();
    assert_eq!((queued(ONE), queued(OTHER)), (1, 1), "{said}");
}
