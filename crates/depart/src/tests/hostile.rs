//! Remotes that misbehave, as a table: for each, what post is told, and that nothing goes twice.

use super::neighbourhood::remote::{Remote, Way};
use super::neighbourhood::{Letter, Plan};
use super::{Limits, settle, settle_with};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn after(line: &str, start: &str, said: &str) -> Option<String> {
    line.starts_with(start).then(|| said.to_owned())
}

/// One letter for three; what becomes of it, and how many texts the remote took.
fn check(name: &str, way: Way, expected: &str, taken: usize) {
    let remote = Remote::that(way);
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let people = ["a@there.example", "b@there.example", "c@there.example"];
    assert_eq!(house.carry(&[Letter::out(&people)]), [format!("1.0 {expected}")], "{name}");
    assert_eq!(remote.texts().len(), taken, "{name}");
    remote.heard_only_whole_lines();
}

const UNREACHABLE: &str = "later sent 0: Unreachable";
const TURNED_AWAY: &str = "later sent 0: TurnedAway { class: 4, subject: 3, detail: 2 }";
const BROKE: &str = "later sent 0: 4.4.2";
/// All of the text was written, and no answer came.
const MAYBE: &str = "later sent 0: MaybeTaken";
/// The same before any letter: no other fares better.
const NO_SMTP: &str = "later sent 0: TurnedAway { class: 4, subject: 5, detail: 0 }";
/// What it says is not SMTP.
const ODD: &str = "later sent 0: 4.5.0";

#[test]
fn who_closes() {
    check("at once", |_, line| after(line, "greet", "(close)"), UNREACHABLE, 0);
    check("after EHLO", |_, line| after(line, "EHLO", "(close)"), UNREACHABLE, 0);
    check("after MAIL", |_, line| after(line, "MAIL", "(close)"), BROKE, 0);
    check("after RCPT", |_, line| after(line, "RCPT", "(close)"), BROKE, 0);
    check("after DATA", |_, line| after(line, "DATA", "(close)"), BROKE, 0);
    // It may have it: not tried again at once.
    check("after the text", |_, line| after(line, ".", "(close)"), MAYBE, 0);
    check("after QUIT", |_, line| after(line, "QUIT", "(close)"), "sent 3", 1);
    check("at first", |n, line| after(line, "MAIL", "(close)").filter(|_| n == 0), "sent 3", 1);
}

#[test]
fn who_may_have_taken_it_is_not_asked_again_at_once() {
    let remote = Remote::that(|_, line| after(line, ".", "(close)"));
    let second = Remote::polite();
    let mut plan = Plan::default().with("there.example", "mx.there.example", &remote);
    plan.mx("there.example", &[(10, "mx.there.example"), (20, "second.example")]);
    plan.at("second.example", &second);
    let house = settle(plan);
    assert_eq!(house.carry(&[Letter::out(&["a@there.example"])]), [format!("1.0 {MAYBE}")]);
    assert_eq!(remote.heard.lock().unwrap().connections.len(), 1);
    assert!(second.texts().is_empty());
}

#[test]
fn who_is_silent() {
    check("from the start", |_, line| after(line, "greet", "(silence)"), UNREACHABLE, 0);
    check("after EHLO", |_, line| after(line, "EHLO", "(silence)"), UNREACHABLE, 0);
    let but_one = "later sent 2 left 1: 4.4.2";
    check("after RCPT", |_, line| after(line, "RCPT", "(silence)"), BROKE, 0);
    check("after one RCPT", |_, line| after(line, "RCPT TO:<b", "(silence)"), but_one, 2);
    check("after DATA", |_, line| after(line, "DATA", "(silence)"), BROKE, 0);
    check("after the text", |_, line| after(line, ".", "(silence)"), MAYBE, 0);
    check("after QUIT", |_, line| after(line, "QUIT", "(silence)"), "sent 3", 1);
}

/// Its words are in the log of this house: they are often about this house's address.
#[test]
fn the_words_of_who_turns_us_away_are_noted() {
    let remote = Remote::that(|_, line| after(line, "greet", "554 5.7.1 your IP is listed\r\n"));
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    house.carry(&[Letter::out(&["a@there.example"])]);
    let words = "a destination turned this house away: 554 5.7.1 your IP is listed";
    // A note goes by the warden: it may come after the fate that post is told.
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let reports = house.seen.lock().unwrap().reports.clone();
        if reports.iter().any(|one| one.contains(words)) {
            return;
        }
        assert!(Instant::now() < until, "{reports:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whoever gets mail that is passed on has less time: a stranger chose them.
#[test]
fn what_is_passed_on_waits_less() {
    let (own, others) = (Limits::default(), Limits::default().of_others());
    assert!(others.answer * 5 <= own.answer && others.attempt * 5 <= own.attempt);
    assert!(others.connect < own.connect && others.letter < own.letter);
    let brief = Limits { answer: Duration::from_secs(1), ..own };
    assert_eq!(brief.of_others().answer, brief.answer);
}

/// A few slow hosts do not hold an instance one after the other.
#[test]
fn hosts_that_are_silent_together() {
    let remotes: Vec<Remote> =
        (0..4).map(|_| Remote::that(|_, line| after(line, "greet", "(silence)"))).collect();
    let mut plan = Plan::default();
    let names = ["a.example", "b.example", "c.example", "d.example"];
    plan.mx("there.example", &names.map(|name| (10, name)));
    for (name, remote) in names.iter().zip(&remotes) {
        plan.at(name, remote);
    }
    let answer = Duration::from_millis(300);
    let limits = Limits { answer, attempt: answer, ..super::impatient() };
    let house = settle_with(plan, limits);
    assert_eq!(house.carry(&[Letter::out(&["a@there.example"])]), [format!("1.0 {UNREACHABLE}")]);
    assert_eq!(house.seen.lock().unwrap().dialled.len(), 1);
}

/// Letters to other places in one batch go back untried, long before the silent one is given up;
/// none of them goes twice, and none is kept waiting by who says nothing.
#[test]
fn who_is_silent_keeps_nobody_else_waiting() {
    let ways: [(&str, Way); 5] = [
        ("greet", |_, line| after(line, "greet", "(silence)")),
        ("EHLO", |_, line| after(line, "EHLO", "(silence)")),
        ("RCPT", |_, line| after(line, "RCPT", "(silence)")),
        (".", |_, line| after(line, ".", "(silence)")),
        ("QUIT", |_, line| after(line, "QUIT", "(silence)")),
    ];
    for (silent_after, way) in ways {
        let slow = Remote::that(way);
        let quick = Remote::polite();
        let mut plan = Plan::default().with("slow.example", "mx.slow.example", &slow);
        plan.mx("quick.example", &[(10, "mx.quick.example")]);
        plan.at("mx.quick.example", &quick);
        let limits = Limits {
            answer: Duration::from_secs(4),
            stall: Duration::from_millis(100),
            ..super::impatient()
        };
        let house = settle_with(plan, limits);
        let to = |number, address: &str| Letter::out(&[address]).numbered(number);
        let letters = [to(1, "a@slow.example"), to(2, "b@quick.example"), to(3, "c@slow.example")];
        let begun = Instant::now();
        house.hand_over(&letters);
        let first = match silent_after {
            "QUIT" => house.outcomes(3),
            _ => house.outcomes(1),
        };
        assert!(first.iter().any(|one| one == "2.0 untried"), "{silent_after} {first:?}");
        assert!(begun.elapsed() < limits.answer, "{silent_after}");
        if silent_after != "QUIT" {
            let mut rest = house.outcomes(2);
            rest.sort();
            assert!(rest[0].starts_with("1.0 later") && rest[1].starts_with("3.0 "), "{rest:?}");
        }
        assert!(quick.texts().is_empty(), "{silent_after}");
    }
}

/// Nor does one that takes much, however steadily.
#[test]
fn who_has_many_letters_keeps_nobody_else_waiting() {
    let steady = Remote::that(|_, line| after(line, "MAIL", "(slow)250 2.1.0 sender noted\r\n"));
    let quick = Remote::polite();
    let mut plan = Plan::default().with("steady.example", "mx.steady.example", &steady);
    plan.mx("quick.example", &[(10, "mx.quick.example")]);
    plan.at("mx.quick.example", &quick);
    let stall = Duration::from_millis(150);
    let house = settle_with(plan, Limits { stall, ..super::impatient() });
    let mut letters: Vec<Letter> =
        (1..=20).map(|number| Letter::out(&["a@steady.example"]).numbered(number)).collect();
    letters.insert(1, Letter::out(&["b@quick.example"]).numbered(99));
    house.hand_over(&letters);
    let outcomes = house.outcomes(21);
    let back = outcomes.iter().position(|outcome| outcome == "99.0 untried");
    assert!(back.is_some_and(|back| back < 20), "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| outcome.ends_with("sent 1")).count(), 20);
    assert!(quick.texts().is_empty() && steady.texts().len() == 20);
}

/// A connection that took letters takes those of the next batch; one that was closed meanwhile
/// costs no letter anything.
#[test]
fn who_is_visited_again_soon() {
    let limits = Limits { keep: Duration::from_secs(5), ..super::impatient() };
    let polite = Remote::polite();
    let plan = Plan::default().with("there.example", "mx.there.example", &polite);
    let house = settle_with(plan, limits);
    for number in 1..4 {
        let letter = Letter::out(&["a@there.example"]).numbered(number);
        assert_eq!(house.carry(&[letter]), [format!("{number}.0 sent 1")]);
    }
    assert_eq!(house.seen.lock().unwrap().dialled.len(), 1);
    assert_eq!(polite.texts().len(), 3);
    let closes = Remote::that(|n, line| after(line, "RCPT TO:<b", "(close)").filter(|_| n == 0));
    let plan = Plan::default().with("there.example", "mx.there.example", &closes);
    let house = settle_with(plan, limits);
    for (number, address) in [(1, "a@there.example"), (2, "b@there.example")] {
        let letter = Letter::out(&[address]).numbered(number);
        assert_eq!(house.carry(&[letter]), [format!("{number}.0 sent 1")]);
    }
    assert_eq!(house.seen.lock().unwrap().dialled.len(), 2);
    assert_eq!(closes.texts().len(), 2);
    // When its time is over it hears a goodbye.
    let limits = Limits { keep: Duration::from_millis(100), ..limits };
    let polite = Remote::polite();
    let plan = Plan::default().with("there.example", "mx.there.example", &polite);
    let house = settle_with(plan, limits);
    house.carry(&[Letter::out(&["a@there.example"])]);
    thread::sleep(Duration::from_millis(400));
    assert!(polite.said().ends_with("QUIT\r\n"), "{}", polite.said());
    let again = Letter::out(&["a@there.example"]).numbered(2);
    assert_eq!(house.carry(&[again]), ["2.0 sent 1"]);
    assert_eq!(house.seen.lock().unwrap().dialled.len(), 2);
}

#[test]
fn who_says_421() {
    let later = "later sent 0: 4.3.2";
    check("at once", |_, l| after(l, "greet", "421 4.3.2 down\r\n"), TURNED_AWAY, 0);
    check("to EHLO", |_, l| after(l, "EHLO", "421 4.3.2 down\r\n"), TURNED_AWAY, 0);
    check("to MAIL", |_, l| after(l, "MAIL", "421 4.3.2 down\r\n"), later, 0);
    check("to RCPT", |_, l| after(l, "RCPT", "421 4.3.2 down\r\n"), later, 0);
    check("to DATA", |_, l| after(l, "DATA", "421 4.3.2 down\r\n"), later, 0);
    check("to the text", |_, l| after(l, ".", "421 4.3.2 down\r\n"), later, 0);
    check("to QUIT", |_, l| after(l, "QUIT", "421 4.3.2 down\r\n"), "sent 3", 1);
}

#[test]
fn who_lies() {
    check("no code", |_, l| after(l, "greet", "hello there\r\n"), NO_SMTP, 0);
    check("an endless line", |_, l| (l == "greet").then(|| "2".repeat(100_000)), NO_SMTP, 0);
    check(
        "endless lines",
        |_, l| (l == "EHLO mx.here.example").then(|| "250-x\r\n".repeat(5_000)),
        NO_SMTP,
        0,
    );
    check("two codes in one answer", |_, l| after(l, "MAIL", "250-a\r\n550 b\r\n"), ODD, 0);
    check("zeros", |_, l| after(l, "RCPT", "\0\0\0\r\n"), ODD, 0);
    check("a code that there is not", |_, l| after(l, "RCPT", "999 weird\r\n"), ODD, 0);
    check("250 to DATA", |_, l| after(l, "DATA", "250 taken\r\n"), ODD, 0);
    check("354 to the text", |_, l| after(l, ".", "354 go on\r\n"), "later sent 0: 4.0.0", 0);
    check(
        "too many answers",
        |_, l| after(l, "EHLO", "250 x\r\n250 y\r\n250 z\r\n"),
        UNREACHABLE,
        0,
    );
}

#[test]
fn who_is_slow() {
    check("one octet at a time", |_, l| after(l, "MAIL", "(slow)250 2.1.0 ok\r\n"), "sent 3", 1);
    check("and to the text", |_, l| after(l, ".", "(slow)250 2.0.0 ok\r\n"), "sent 3", 1);
}

#[test]
fn who_refuses_some() {
    let some = |_: usize, line: &str| match line.get(..10) {
        Some("RCPT TO:<a") => Some("550 5.1.1 no\r\n".to_owned()),
        Some("RCPT TO:<b") => Some("450 4.2.1 later\r\n".to_owned()),
        _ => None,
    };
    check("some for good, some for now", some, "later sent 1 left 1: 4.2.1", 1);
    check("all", |_, l| after(l, "RCPT", "554 5.7.1 no\r\n"), "failed sent 0: 5.7.1", 0);
    check("all for now", |_, l| after(l, "RCPT", "450 4.7.1 grey\r\n"), "later sent 0: 4.7.1", 0);
    check("the sender", |_, l| after(l, "MAIL", "550 5.7.1 no\r\n"), "failed sent 0: 5.7.1", 0);
    check("the text", |_, l| after(l, ".", "554 5.7.1 spam\r\n"), "failed sent 0: 5.7.1", 0);
    check("the text for now", |_, l| after(l, ".", "451 4.3.0 no\r\n"), "later sent 0: 4.3.0", 0);
    let away = "later sent 0: TurnedAway { class: 5, subject: 7, detail: 1 }";
    check("everybody", |_, l| after(l, "greet", "554 5.7.1 go away\r\n"), away, 0);
    let too_many = |_: usize, line: &str| match line.get(..10) {
        Some("RCPT TO:<c") => Some("452 4.5.3 too many\r\n".to_owned()),
        _ => None,
    };
    // The second letter has c alone, and c is refused again.
    check("too many at once", too_many, "later sent 2 left 1: 4.5.3", 1);
    // An old server's number for the same; with this reason it is one that is full.
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let once = |_: usize, line: &str| {
        let is_first = line.starts_with("RCPT TO:<c") && ASKED.fetch_add(1, Ordering::Relaxed) == 0;
        is_first.then(|| "552 too many recipients\r\n".to_owned())
    };
    check("too many at once, of old", once, "sent 3", 2);
    let full = |_: usize, line: &str| after(line, "RCPT TO:<c", "552 5.2.2 full\r\n");
    check("one is full", full, "failed sent 2: 5.2.2", 1);
    let few = |_: usize, line: &str| after(line, "EHLO", "250-x\r\n250 LIMITS RCPTMAX=1\r\n");
    check("one at a time", few, "sent 3", 3);
    let small = |_: usize, line: &str| after(line, "EHLO", "250-x\r\n250 SIZE 10\r\n");
    check("too large", small, "failed sent 0: 5.3.4", 0);
}

/// A letter that breaks connections keeps nobody else's from going.
#[test]
fn one_letter_that_breaks_connections() {
    let remote = Remote::that(|_, line| after(line, "RCPT TO:<poison", "(close)"));
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let letters = [
        Letter::out(&["poison@there.example"]),
        Letter::out(&["bob@there.example"]).numbered(2),
        Letter::out(&["cat@there.example"]).numbered(3),
    ];
    let mut outcomes = house.carry(&letters);
    outcomes.sort();
    assert_eq!(outcomes, ["1.0 later sent 0: 4.4.2", "2.0 sent 1", "3.0 sent 1"]);
    assert_eq!(remote.texts().len(), 2);
}

/// Nor does a recipient at whose name it always ends keep the others of their letter from it.
#[test]
fn one_recipient_at_whose_name_the_connection_is_lost() {
    let check = |name: &str, way: Way, status: (u8, u16, u16)| {
        let remote = Remote::that(way);
        let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
        let people = ["poison@there.example", "b@there.example", "c@there.example"];
        let (_, subject, detail) = status;
        for turned in 0..3 {
            let mut people = people;
            people.rotate_left(turned);
            let letter = Letter::out(&people).numbered(1 + turned as u8);
            let expected = format!("{}.0 later sent 2 left 1: 4.{subject}.{detail}", 1 + turned);
            assert_eq!(house.carry(&[letter]), [expected], "{name} {turned}");
            let rest = house.seen.lock().unwrap().rests[turned].clone();
            assert_eq!(rest.recipients[0].address, "poison@there.example", "{name}");
            assert_eq!(rest.heard[0].status, status, "{name}");
        }
        // Where it stands between them: each side for itself.
        assert_eq!(remote.texts().len(), 1 + 1 + 2, "{name}");
    };
    let says = |_: usize, line: &str| after(line, "RCPT TO:<poison", "421 4.3.2 no more\r\n");
    check("421", says, (4, 3, 2));
    check("closed", |_, line| after(line, "RCPT TO:<poison", "(close)"), (4, 4, 2));
    let step = |_: usize, line: &str| match line.starts_with("EHLO") {
        true => Some("250 mx.there.example\r\n".to_owned()),
        false => after(line, "RCPT TO:<poison", "421 4.3.2 no more\r\n"),
    };
    check("421, one command at a time", step, (4, 3, 2));
}

/// Of several such, the others are reached in the second attempt.
#[test]
fn some_recipients_at_whose_names_the_connection_is_lost() {
    let remote = Remote::that(|_, line| after(line, "RCPT TO:<poison", "421 4.3.2 no\r\n"));
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let people = ["poison1", "b", "poison2", "c", "poison3"];
    let people = people.map(|name| format!("{name}@there.example"));
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    assert_eq!(house.carry(&[Letter::out(&people)]), ["1.0 later sent 0: 4.3.2"]);
    let rest = house.seen.lock().unwrap().rests[0].clone();
    let mut letter = Letter::out(&people).numbered(2);
    letter.envelope = rest;
    assert_eq!(house.carry(&[letter]), ["2.0 later sent 2 left 3: 4.3.2"]);
    assert_eq!(remote.texts().len(), 1, "both together");
}

/// A text with a bare line end never leaves, and its sender hears of it.
#[test]
fn a_bare_line_end_never_leaves() {
    let remote = Remote::polite();
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let text = b"Subject: x\r\n\r\nhello\n.\nRCPT TO:<evil@x>\r\n".to_vec();
    let letter = Letter { text, ..Letter::out(&["bob@there.example"]) };
    assert_eq!(house.carry(&[letter]), ["1.0 failed sent 0: 5.6.0"]);
    remote.heard_only_whole_lines();
    assert!(remote.texts().is_empty() && !remote.said().contains("evil"));
    assert_eq!(house.seen.lock().unwrap().copies.len(), 1);
}

/// Post is gone in the middle of a batch: nobody counts what would still be sent.
#[test]
fn without_post_nothing_more_is_sent() {
    let remote = Remote::that(|_, line| {
        // Long enough for post to go while the first letter is under way.
        line.starts_with("DATA").then(|| "(slow)354 go on, but I am a little slow\r\n".to_owned())
    });
    let house = settle(Plan::default().with("there.example", "mx.there.example", &remote));
    let letters: Vec<Letter> =
        (1..=5).map(|number| Letter::out(&["bob@there.example"]).numbered(number)).collect();
    house.hand_over(&letters);
    house.ended.recv().unwrap();
    rustix::net::shutdown(&*house.post, rustix::net::Shutdown::Both).unwrap();
    house.life.join().unwrap();
    assert!(remote.texts().len() < 5, "{}", remote.texts().len());
}
