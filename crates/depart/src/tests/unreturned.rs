//! What was passed on, failed, and can be returned to nobody, is not lost.

use super::neighbourhood::remote::Remote;
use super::neighbourhood::{Copied, Letter, Plan, SENDER};
use super::{Neighbourhood, settle};
use terms::{Finding, UserId, Verdict};
use wire::mailbox::ToEdge;
use wire::post::{Errand, Finish, Found};

const BEN: UserId = UserId([2; 8]);
const NOBODY: UserId = UserId([0; 8]);

fn plan() -> Plan {
    let remote = Remote::that(|_, line| {
        line.starts_with("RCPT").then(|| "550 5.1.1 no such user\r\n".to_owned())
    });
    Plan::default().with("there.example", "mx.there.example", &remote)
}

/// Mail for ben that went on, whose sender nothing proved: the edge wrote NOTIFY=NEVER.
fn unproven(user: UserId) -> Letter {
    let mut letter = Letter { user, ..Letter::out(&["gone@there.example"]) };
    letter.envelope.from = "victim@shop.example".to_owned();
    letter.envelope.recipients[0].original = Some("rfc822;ben@here.example".to_owned());
    letter.envelope.recipients[0].notify = Some((false, false, false));
    letter.envelope.finish = Finish::Seal { domain: "keyless.example".to_owned() };
    letter
}

/// The letters, and the notices, that somebody has in their mailbox.
fn mailbox(house: &Neighbourhood, user: UserId) -> (Vec<Copied>, Vec<String>) {
    let seen = house.seen.lock().unwrap();
    assert!(seen.queued.is_empty(), "nobody outside is told");
    assert!(seen.copies.iter().all(|copy| copy.user == user));
    let (letters, notices): (Vec<Copied>, Vec<Copied>) =
        seen.copies.iter().cloned().partition(|copy| copy.text.contains(".hello"));
    let body = |copy: &Copied| {
        let (message, _) = mime::parse(copy.text.as_bytes());
        String::from_utf8(message.content(message.part(0).unwrap()).into_owned()).unwrap()
    };
    (letters, notices.iter().map(body).collect())
}

#[test]
fn it_is_kept_for_whoever_passes_it_on_who_is_told_once() {
    let house = settle(plan());
    assert_eq!(house.carry(&[unproven(BEN)]), ["1.0 failed sent 0: 5.1.1"]);
    let (letters, notices) = mailbox(&house, BEN);
    let [letter] = letters.as_slice() else { panic!("one letter: {}", letters.len()) };
    assert!(letter.text.starts_with("Return-Path: <victim@shop.example>\r\n"), "{}", letter.text);
    assert!(letter.text.ends_with("\r\nSubject: hi\r\n\r\n.hello\r\n"), "{}", letter.text);
    let [notice] = notices.as_slice() else { panic!("one notice: {notices:?}") };
    for words in [
        "Mail for ben@here.example could not",
        "Passed on to: gone@there.example",
        "Why: Nobody has this address.",
        "The answer: 550 5.1.1 no such user",
        "Subject: hi",
        "このメールボックスに入れました",
    ] {
        assert!(notice.contains(words), "{words}: {notice}");
    }
    // The next is kept as well, and its reader knows already.
    house.carry(&[unproven(BEN).numbered(2)]);
    let (letters, notices) = mailbox(&house, BEN);
    assert_eq!((letters.len(), notices.len()), (2, 1));
    // From nobody at all, or with its time over, it is the same.
    let mut bounce = unproven(BEN).numbered(3);
    bounce.envelope.from = String::new();
    house.carry(&[bounce, Letter { errand: Errand::GiveBack, ..unproven(BEN).numbered(4) }]);
    assert_eq!(mailbox(&house, BEN).0.len(), 4);
}

#[test]
fn it_is_judged_as_what_comes_to_its_reader() {
    let house = settle(plan());
    let mut letter = unproven(BEN);
    let rules = wire::directory::TenantSettings::default();
    letter.envelope.found = Found::of(&[Finding::new("content.odd", rules.junk_from + 0.5, "x")]);
    house.carry(&[letter]);
    let (letters, _) = mailbox(&house, BEN);
    let field = format!("X-Sekisho-Verdict: {};", Verdict::Junk.word());
    assert!(letters[0].text.contains(&field), "{}", letters[0].text);
}

#[test]
fn of_what_is_kept_there_only_word_comes() {
    let house = settle(plan());
    house.seen.lock().unwrap().keeps.insert(BEN);
    house.carry(&[unproven(BEN)]);
    let (letters, notices) = mailbox(&house, BEN);
    assert!(letters.is_empty());
    assert!(notices[0].contains("A copy of the mail is in this mailbox"), "{notices:?}");
}

/// Behind a gateway is nobody of ours; and a stranger floods nobody.
#[test]
fn who_answers_for_the_tenant_hears_of_a_gateway_s_so_often_in_an_hour() {
    let house = settle(plan());
    let letters: Vec<Letter> = (1..=25).map(|number| unproven(NOBODY).numbered(number)).collect();
    house.carry(&letters);
    let (letters, notices) = mailbox(&house, SENDER);
    assert!(letters.is_empty(), "they read nobody's mail");
    // The hour may end meanwhile.
    assert!(matches!(notices.len(), 10 | 20), "{}", notices.len());
    let notice = &notices[0];
    assert!(notice.contains("From (not proven): victim@shop.example"), "{notice}");
    assert!(notice.contains("The mail is not kept") && !notice.contains("Subject: "), "{notice}");
}

/// Where a tenant has nobody who answers for it, whoever runs the house hears: of the first.
#[test]
fn of_a_tenant_that_has_nobody_the_operator_hears() {
    let house = settle(plan());
    house.seen.lock().unwrap().is_deserted = true;
    let letters: Vec<Letter> = (1..=5).map(|number| unproven(NOBODY).numbered(number)).collect();
    house.carry(&letters);
    assert!(mailbox(&house, SENDER).1.is_empty());
    let count = |house: &Neighbourhood, words: &str| {
        let seen = house.seen.lock().unwrap();
        seen.reports.iter().filter(|report| report.contains(words)).count()
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while count(&house, "was passed on and failed") < 5 {
        assert!(std::time::Instant::now() < until, "no word in the log");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // The six hours may end meanwhile.
    assert!(matches!(count(&house, "--role tenant-admin"), 1 | 2));
    let seen = house.seen.lock().unwrap();
    let alarm = seen.reports.iter().find(|report| report.contains("tenant-admin")).unwrap();
    assert!(alarm.len() <= 160, "an entry would cut it: {alarm}");
}

#[test]
fn what_does_not_fit_is_told_to_who_answers_for_the_tenant() {
    let kept = |arrival| match arrival {
        1 => ToEdge::OverQuota(vec![BEN]),
        _ => ToEdge::Kept,
    };
    let house = settle(Plan { kept, ..plan() });
    assert_eq!(house.carry(&[unproven(BEN)]), ["1.0 failed sent 0: 5.1.1"]);
    assert_eq!(mailbox(&house, SENDER).1.len(), 1);
    // What can be neither kept nor told now is tried again.
    let house = settle(Plan { kept: |_| ToEdge::Full, ..plan() });
    assert_eq!(house.carry(&[unproven(BEN)]), ["1.0 later sent 0: Ours"]);
}

#[test]
fn what_is_told_to_its_sender_cancelled_or_a_person_s_own_is_kept_nowhere() {
    let house = settle(plan());
    let mut own = unproven(BEN).numbered(2);
    own.envelope.finish = Finish::AsItIs;
    house.carry(&[Letter { errand: Errand::Cancelled, ..unproven(BEN) }, own]);
    assert!(house.seen.lock().unwrap().copies.is_empty());
    let mut proven = unproven(BEN).numbered(3);
    proven.envelope.recipients[0].notify = None;
    house.carry(&[proven]);
    let seen = house.seen.lock().unwrap();
    assert!(seen.copies.is_empty() && seen.queued.len() == 1);
}
