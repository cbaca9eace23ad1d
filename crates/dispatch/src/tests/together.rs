//! What is said already is not asked again, and what nobody waits for is told together.

use super::messages::{check, whole};
use super::neighbourhood::Post;
use super::{Plan, settle};
use wire::dispatch::{FromAccess, ToAccess};

#[test]
fn what_is_said_already_is_not_asked_again() {
    let around = settle(Plan { post: Post::LooksAhead, ..Plan::default() });
    let send = |to: &[&str]| around.hand_in("aoi@example.jp", to, &whole(""));
    let asked = || std::mem::take(&mut around.seen.lock().unwrap().asked);
    let ahead = |answer: ToAccess| match answer {
        ToAccess::Queued { ahead, .. } => ahead,
        other => panic!("{other:?}"),
    };
    assert_eq!(ahead(send(&["one@far.example"])), 1);
    // Of a domain that nobody has here, one address says all.
    assert_eq!(asked(), ["one@far.example", "may 1"]);
    assert_eq!(ahead(send(&["two@far.example"])), 1);
    check(&around.ask(&FromAccess::Many(1), &[]), "yes");
    assert_eq!(ahead(send(&["three@far.example"])), 1);
    assert!(asked().is_empty());
    // To more than was said it is asked anew, and so is who is another.
    check(&around.ask(&FromAccess::Many(3), &[]), "yes");
    assert_eq!(ahead(send(&["x@far.example", "y@far.example", "z@near.example"])), 3);
    assert_eq!(asked(), ["may 3", "z@near.example"]);
    check(&around.ask(&FromAccess::Many(2), &[]), "yes");
    assert!(asked().is_empty());
    // Each of our own is asked about, and of our own name's: some of its addresses are the house's.
    for address in ["ben@example.jp", "ann@mx.example.jp", "bob@mx.example.jp"] {
        assert_eq!(around.ask(&FromAccess::To(address.to_owned()), &[]), ToAccess::Yes);
        assert_eq!(asked(), [address]);
    }
    // Whoever asks is told so.
    let elsewhere = FromAccess::To("anybody@FAR.example".to_owned());
    assert_eq!(around.ask(&elsewhere, &[]), ToAccess::YesElsewhere);
    assert!(asked().is_empty());
}

#[test]
fn a_post_that_does_not_look_ahead_is_asked_for_each_text() {
    for post in [Post::Takes, Post::Doubts] {
        let around = settle(Plan { post, ..Plan::default() });
        for _ in 0..3 {
            let answer = around.hand_in("aoi@example.jp", &["x@far.example"], &whole(""));
            assert!(matches!(answer, ToAccess::Queued { ahead: 0, .. }), "{answer:?}");
        }
        let seen = around.seen.lock().unwrap();
        assert_eq!(seen.asked.iter().filter(|asked| *asked == "may 1").count(), 3);
    }
}

#[test]
fn journeys_are_told_together_each_with_its_own_tokens() {
    let around = settle(Plan::default());
    let to = |number: usize| format!("friend{number}@far.example");
    for number in 0..40 {
        check(&around.hand_in("aoi@example.jp", &[&to(number)], &whole("")), "queued");
    }
    let journeys = around.journeys(40);
    for (number, journey) in journeys.iter().enumerate() {
        let own = trace::digest(&to(number))[0];
        assert!(journey.tokens.contains(&[own; 16]), "{number}");
        // What it is called here tells it from all others.
        let id = trace::digest(&journey.message.to_string())[0];
        assert!(journey.tokens.contains(&[id; 16]), "{number}");
    }
    let seen = around.seen.lock().unwrap();
    assert!(seen.told.iter().all(|told| (1..=16).contains(told)), "{:?}", seen.told);
}

#[test]
fn whoever_hangs_up_leaves_no_journey_untold() {
    let around = settle(Plan::default());
    for _ in 0..3 {
        check(&around.hand_in("aoi@example.jp", &["x@far.example"], &whole("")), "queued");
    }
    let (seen, _control, life) = around.leave();
    life.join().unwrap();
    assert_eq!(seen.lock().unwrap().journeys.len(), 3);
}
