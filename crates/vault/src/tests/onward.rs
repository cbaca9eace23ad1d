//! Ways on and answers: which of them the vault signs at all.

use super::*;
use wire::directory::{Absence, Onward, Path as Way};
use wire::post::{Hop, HopTls};

const NOBODY: UserId = UserId([0; 8]);

fn way(user: UserId, to: &str, hop: Hop, path: Way) -> Onward {
    Onward { user, to: to.to_owned(), hop, path }
}

#[test]
fn the_vault_signs_only_ways_that_there_are() {
    let now = compartment::now_ms();
    let (ledger, clock) = (Ledger::new(), Box::new(move || now));
    let running = Running::start_at(&folder("ways"), &ledger, 47, clock);
    let mut desk = running.settle();
    let current = FromDirectory::Current { tenant: TENANT, user: USER };
    let ToDirectory::Keys { body, summary } = ask(&mut desk.directory, &current) else { panic!() };
    let own = Recipient { user: USER, body, summary };
    let question = FromDirectory::Transit(TENANT);
    let ToDirectory::Transit(transit) = ask(&mut desk.directory, &question) else { panic!() };
    let said = |address: &str, recipients: &[Recipient], onward: Vec<Onward>| Statement {
        transit: Some(transit.clone()),
        onward,
        absence: None,
        address: address.to_owned(),
        tenant: TENANT,
        recipients: recipients.to_vec(),
        settings: TenantSettings::default(),
        issued_ms: now,
        valid_until_ms: now + 3_600_000,
    };
    let mut check = |statement: &Statement, expected: &str| {
        let bytes = postcard::to_stdvec(statement).unwrap();
        let found = match ask(&mut desk.directory, &FromDirectory::Sign(bytes)) {
            ToDirectory::Signature(_) => "signed",
            ToDirectory::NeedsChange { .. } => "change",
            ToDirectory::Refused(_) => "refused",
            _ => "other",
        };
        assert_eq!(found, expected, "{}", statement.address);
    };
    let home = || Hop::Domain("home.example".to_owned());
    let host = || Hop::Host { name: "own.example".to_owned(), port: 25, tls: HopTls::StartTls };
    let forward = |user, hop| vec![way(user, "aoi@home.example", hop, Way::Rewritten)];
    let one = std::slice::from_ref(&own);
    // New addresses are believed, with their ways.
    check(&said("a1@example.jp", one, forward(USER, home())), "signed");
    check(&said("a2@example.jp", &[], forward(USER, home())), "signed");
    check(&said("a3@example.jp", &[], forward(NOBODY, Hop::Here)), "signed");
    check(&said("a4@example.jp", one, forward(USER, host())), "signed");
    // Known ones only with a record.
    check(&said("a1@example.jp", &[], forward(USER, home())), "change");
    // Not to another domain's server, in a stranger's name, nor to nobody.
    let elsewhere = Hop::Domain("evil.example".to_owned());
    check(&said("b1@example.jp", one, forward(USER, elsewhere)), "refused");
    check(&said("b2@example.jp", one, forward(UserId([77; 8]), home())), "refused");
    check(&said("b3@example.jp", &[], Vec::new()), "refused");
    let many = vec![forward(USER, home()); 101].concat();
    check(&said("b4@example.jp", one, many), "refused");
    // Under today's key, and no key where nothing leaves.
    let keyless =
        |key| Statement { transit: key, ..said("b5@example.jp", one, forward(USER, home())) };
    check(&keyless(None), "refused");
    let mut stale = transit.clone();
    stale.epoch -= 1;
    check(&keyless(Some(stale)), "refused");
    check(&said("b6@example.jp", one, Vec::new()), "refused");
    // A gateway gets its own addresses, all of them, and nobody else reads along.
    let as_it_came = |user, to: &str, hop| vec![way(user, to, hop, Way::AsItCame)];
    check(&said("*@own.example", &[], as_it_came(NOBODY, "*@own.example", host())), "signed");
    check(&said("x@own.example", &[], as_it_came(NOBODY, "x@own.example", host())), "signed");
    check(&said("y@own.example", &[], as_it_came(NOBODY, "x@own.example", host())), "refused");
    check(&said("y@own.example", one, as_it_came(NOBODY, "y@own.example", host())), "refused");
    check(&said("y@own.example", &[], as_it_came(USER, "y@own.example", host())), "refused");
    check(&said("y@own.example", &[], as_it_came(NOBODY, "y@own.example", home())), "refused");
    // A way back is an address of its own kind, and for nothing else.
    let back = |user| vec![way(user, "bob@home.example", home(), Way::Null)];
    check(&said("srs0=a=b=c=d@example.jp", &[], back(NOBODY)), "signed");
    check(&said("srs0=a=b=c=d@example.jp", &[], back(USER)), "refused");
    check(&said("srs0=a=b=c=d@example.jp", one, back(NOBODY)), "refused");
    check(&said("srs0=a=b=c=d@example.jp", one, forward(USER, home())), "refused");
    check(&said("c1@example.jp", &[], back(NOBODY)), "refused");
    // A list's mail goes to its own members, and no forward to a list.
    let list = |to: &str, hop| vec![way(NOBODY, to, hop, Way::List)];
    check(&said("l1@example.jp", &[], list("l1@example.jp", Hop::List)), "signed");
    check(&said("l2@example.jp", one, list("l2@example.jp", Hop::List)), "refused");
    check(&said("l2@example.jp", &[], list("l1@example.jp", Hop::List)), "refused");
    check(&said("l2@example.jp", &[], list("l2@example.jp", home())), "refused");
    check(&said("l2@example.jp", one, forward(USER, Hop::List)), "refused");
    // A word about a subscription leads nowhere, and is nobody's address.
    let word = format!("unsubscribe-{}@example.jp", "a".repeat(39));
    let words = |to: &str| vec![way(NOBODY, to, Hop::List, Way::Word)];
    check(&said(&word, &[], words(&word)), "signed");
    check(&said(&word, one, words(&word)), "refused");
    check(&said(&word, one, forward(USER, home())), "refused");
    check(&said(&word, &[], list(&word, Hop::List)), "refused");
    check(&said("l3@example.jp", &[], words("l3@example.jp")), "refused");
    // Reports are taken at their own addresses, and nobody keeps or gets that mail.
    let report = |to: &str, hop| vec![way(NOBODY, to, hop, Way::Report)];
    check(&said("abuse@example.jp", &[], report("abuse@example.jp", Hop::Here)), "signed");
    check(&said("fbl@example.jp", one, report("fbl@example.jp", Hop::Here)), "refused");
    check(&said("fbl@example.jp", &[], report("abuse@example.jp", Hop::Here)), "refused");
    check(&said("fbl@example.jp", &[], report("fbl@example.jp", home())), "refused");
    check(&said("r1@example.jp", &[], report("r1@example.jp", Hop::Here)), "refused");
    // Whoever comes to have one is believed, as of any address; from then on it is theirs.
    check(&said("abuse@example.jp", one, forward(USER, home())), "signed");
    check(&said("abuse@example.jp", &[], forward(USER, home())), "change");
    // An answer is its own person's.
    let away = |user| Statement {
        absence: Some(Absence { user, subject: String::new(), text: "away".to_owned() }),
        ..said("d1@example.jp", one, Vec::new())
    };
    check(&away(OTHER), "refused");
    check(&away(USER), "signed");
    running.stop();
}
