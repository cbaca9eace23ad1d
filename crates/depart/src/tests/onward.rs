//! Mail of people of the house that goes on from an address: whose it is from there, and what its
//! writer hears of it.

use super::neighbourhood::lists::{PERMIT, THEIR_LIST};
use super::neighbourhood::remote::Remote;
use super::neighbourhood::{LIMIT, Letter, OTHER, Plan, SENDER, TENANT};
use super::{Neighbourhood, settle};
use std::time::{Duration, Instant};
use wire::directory::guest_of;
use wire::post::{Errand, Finish, Found, Hop, ToSender};

fn on(to: &[&str]) -> Letter {
    Letter::to(Hop::On, to)
}

/// Another tenant's letter, handed over to ours.
fn guest(mut letter: Letter) -> Letter {
    letter.envelope.from = "cy@here.example".to_owned();
    letter.envelope.found = vec![Found { id: "content.odd".to_owned(), thousandths: 1_000 }];
    Letter { user: guest_of(TENANT), ..letter }
}

fn queued(house: &Neighbourhood) -> Vec<String> {
    let seen = house.seen.lock().unwrap();
    let shown = seen.queued.iter().map(|(_, envelope, text)| {
        assert!(text.starts_with("X-Sekisho-Passed: "), "{text}");
        let [to] = envelope.recipients.as_slice() else { panic!("one recipient each") };
        let (original, hop) = (to.original.as_deref().unwrap(), envelope.hop.word());
        format!("{} {} {original} {hop}", envelope.from, to.address)
    });
    shown.collect()
}

#[test]
fn a_forward_s_and_a_group_s_mail_is_queued_for_where_it_goes() {
    let house = settle(Plan::default());
    assert_eq!(
        house.carry(&[on(&["Forward+x@here.example", "group@here.example"])]),
        ["1.0 sent 2"]
    );
    let back = "SRS0=back=tt=here.example=aoi@here.example";
    let expected = [
        format!(
            "{back} private@there.example rfc822;Forward+2Bx@here.example domain there.example"
        ),
        format!("{back} gone@there.example rfc822;group@here.example domain there.example"),
        "aoi@here.example cy@here.example rfc822;group@here.example here".to_owned(),
    ];
    assert_eq!(queued(&house), expected, "private@ once");
    let seen = house.seen.lock().unwrap();
    for (_, envelope, text) in &seen.queued {
        assert_eq!(envelope.finish, Finish::PassedOn { from_guest: false });
        assert!(envelope.found.is_empty() && text.ends_with("\r\n\r\n.hello\r\n"));
    }
    // And who traces it finds it by the letter's own words, and by the address it went to.
    let by = |word: &str| [trace::digest(word)[0]; 16];
    let traced = [&seen.journeys[0], &seen.journeys[1]];
    for (journey, (address, to)) in traced.into_iter().zip([
        ("forward@here.example", "private@there.example"),
        ("group@here.example", "gone@there.example"),
    ]) {
        assert_eq!((journey.tenant, journey.state), (TENANT, wire::mailbox::State::PassedOn));
        assert!(seen.queued.iter().any(|(message, ..)| *message == journey.message));
        for word in [&journey.message.to_string(), "<m1@here.example>", "hi", address, to] {
            assert!(journey.tokens.contains(&by(word)), "{word}");
        }
    }
    drop(seen);
    // Told again it stands there under the same ids.
    house.carry(&[on(&["forward+x@here.example"])]);
    let seen = house.seen.lock().unwrap();
    assert_eq!(seen.queued[0].0, seen.queued[3].0);
}

#[test]
fn what_leads_nowhere_comes_back() {
    let house = settle(Plan::default());
    let letter = on(&["gone@here.example", "bob@there.example"]);
    assert_eq!(house.carry(&[letter]), ["1.0 failed sent 0: 5.1.1"]);
    assert_eq!(house.seen.lock().unwrap().copies.len(), 1);
    let later = on(&["later@here.example"]).numbered(2);
    assert_eq!(house.carry(&[later]), ["2.0 later sent 0: Ours"]);
    // Who forwards no more has it in their mailbox.
    assert_eq!(house.carry(&[on(&["ben@here.example"]).numbered(3)]), ["3.0 sent 1"]);
    let (_, envelope, _) = house.seen.lock().unwrap().queued[0].clone();
    assert_eq!((envelope.hop, envelope.recipients.len()), (Hop::Here, 1));
}

/// The list's keys, ways out and limits are its own tenant's.
#[test]
fn another_tenant_s_list_and_forward_are_handed_over() {
    let house = settle(Plan::default());
    let mut posted = Letter::to(Hop::List, &[THEIR_LIST]);
    posted.envelope.finish = Finish::Spread { permit: PERMIT };
    posted.envelope.recipients[0].notify = Some((true, true, true));
    let letters = [posted.clone(), on(&["forward@other.example"]).numbered(2)];
    let mut outcomes = house.carry(&letters);
    outcomes.sort();
    assert_eq!(outcomes, ["1.0 sent 1", "2.0 sent 1"]);
    let seen = house.seen.lock().unwrap();
    assert!(seen.queued.is_empty() && seen.lists.is_empty());
    let mut hops: Vec<&Hop> = seen.handed.iter().map(|(_, _, envelope, _)| &envelope.hop).collect();
    hops.sort_by_key(|hop| hop.word());
    assert_eq!(hops, [&Hop::List, &Hop::On]);
    for (tenant, _, envelope, text) in &seen.handed {
        assert_eq!((*tenant, envelope.from.as_str()), (OTHER, "aoi@here.example"));
        assert!(!envelope.recipients[0].notify.is_some_and(|(success, ..)| success));
        assert_eq!(text.as_bytes(), posted.text);
    }
    // Of success their writer hears at once.
    assert_eq!(seen.copies.iter().filter(|copy| copy.user == SENDER).count(), 1);
    drop(seen);
    let full = settle(Plan { queued: || ToSender::Crowded, ..Plan::default() });
    assert_eq!(full.carry(&[posted]), ["1.0 later sent 0: Ours"]);
}

#[test]
fn a_guest_s_letter_goes_on_and_does_nothing_else() {
    let house = settle(Plan::default());
    assert_eq!(house.carry(&[guest(on(&["forward@here.example"]))]), ["1.0 sent 1"]);
    let (_, envelope, _) = house.seen.lock().unwrap().queued[0].clone();
    assert_eq!(envelope.finish, Finish::PassedOn { from_guest: true });
    assert!(envelope.from.starts_with("SRS0="), "{}", envelope.from);
    // To people of the house it goes with what was found in it: they have rules of their own.
    house.carry(&[guest(on(&["group@here.example"])).numbered(2)]);
    let seen = house.seen.lock().unwrap();
    let found = |hop: Hop| {
        let mut all = seen.queued.iter().filter(|(_, envelope, _)| envelope.hop == hop);
        all.next().map(|(_, envelope, _)| envelope.found.len())
    };
    let out = Hop::Domain("there.example".to_owned());
    assert_eq!((found(Hop::Here), found(out)), (Some(1), Some(0)));
    drop(seen);
    // Not on to a third tenant, and nothing that is signed, sent or kept by its word.
    let odd = |mut letter: Letter, finish: Option<Finish>| {
        letter.envelope.finish = finish.unwrap_or_default();
        let house = settle(Plan::default());
        let outcome = house.carry(&[guest(letter)]).remove(0);
        let is_told = || {
            let seen = house.seen.lock().unwrap();
            seen.reports.iter().any(|what| what.contains("was handed over and is none"))
        };
        // It is said on another channel than the outcome.
        let until = Instant::now() + LIMIT;
        while !is_told() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let seen = house.seen.lock().unwrap();
        let is_quiet = seen.queued.is_empty() && seen.copies.is_empty() && seen.dialled.is_empty();
        assert!(is_quiet && seen.handed.is_empty() && outcome.contains("failed"), "{outcome}");
        drop(seen);
        is_told()
    };
    let domain = || "here.example".to_owned();
    assert!(odd(Letter::out(&["bob@there.example"]), None));
    assert!(odd(Letter::out(&["bob@there.example"]), Some(Finish::Sign { domain: domain() })));
    assert!(odd(Letter::to(Hop::Here, &["ben@here.example"]), None));
    assert!(odd(on(&["forward@here.example"]), Some(Finish::Seal { domain: domain() })));
    assert!(odd(Letter::to(Hop::List, &["news@here.example"]), None));
}

fn refusing() -> Plan {
    let remote = Remote::that(|_, line| {
        line.starts_with("RCPT").then(|| "550 5.1.1 no private@there.example\r\n".to_owned())
    });
    Plan::default().with("there.example", "mx.there.example", &remote)
}

/// Where an address of the house leads is its owner's business, in the house too.
#[test]
fn a_colleague_hears_of_the_address_that_they_wrote_to() {
    let check = |from: &str, original: &str, user: u8, is_told_where: bool| {
        let house = settle(refusing());
        let mut letter = Letter::out(&["private@there.example"]);
        letter.user = terms::UserId([user; 8]);
        letter.envelope.from = from.to_owned();
        letter.envelope.recipients[0].original = Some(format!("rfc822;{original}"));
        letter.envelope.finish = Finish::PassedOn { from_guest: false };
        assert_eq!(house.carry(&[letter]), ["1.0 failed sent 0: 5.1.1"]);
        let seen = house.seen.lock().unwrap();
        let kept = seen.copies.iter().map(|copy| copy.text.clone());
        let told: Vec<String> =
            seen.queued.iter().map(|(_, _, text)| text.clone()).chain(kept).collect();
        let [text] = told.as_slice() else { panic!("one notice: {told:?}") };
        assert!(
            text.contains(&format!("Final-Recipient: rfc822; {original}\r\n")) || is_told_where
        );
        assert_eq!(text.contains("no private@there.example"), is_told_where, "{text}");
        assert_eq!(text.contains("mx.there.example"), is_told_where, "{text}");
    };
    let back = "SRS0=back=tt=here.example=aoi@here.example";
    check(back, "forward@here.example", 2, false);
    check(back, "group@here.example", 0, false);
    check("aoi@here.example", "group@here.example", 0, false);
    // A guess is told back, and nothing with it.
    check(back, "private@there.example", 2, false);
    check("aoi@here.example", "private@there.example", 0, false);
    // Who set it up and wrote there themselves knows.
    check("aoi@here.example", "forward@here.example", 1, true);
}

/// What a guest's letter is answered with goes to whoever wrote it, and is no guest's.
#[test]
fn a_guest_hears_what_became_of_their_letter() {
    let house = settle(Plan::default());
    assert_eq!(house.carry(&[guest(on(&["gone@here.example"]))]), ["1.0 failed sent 0: 5.1.1"]);
    let back = Letter { errand: Errand::GiveBack, ..guest(on(&["forward@here.example"])) };
    assert_eq!(house.carry(&[back.numbered(2)]), ["2.0 failed sent 0: Unreachable"]);
    let seen = house.seen.lock().unwrap();
    let told: Vec<_> = seen.queued.iter().map(|(_, envelope, text)| (envelope, text)).collect();
    assert_eq!(told.len(), 2);
    for ((envelope, text), address) in told.iter().zip(["gone@", "forward@"]) {
        assert_eq!(envelope.recipients[0].address, "cy@here.example");
        assert!(
            text.contains(&format!("Final-Recipient: rfc822; {address}here.example")),
            "{text}"
        );
    }
}
