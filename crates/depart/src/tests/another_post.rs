//! Post dies while a letter is in our hands: the next one hears of it first.

use super::neighbourhood::remote::{Remote, Way};
use super::neighbourhood::{LIMIT, Letter, Plan};
use super::{impatient, settle, settle_with};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use terms::MessageId;
use wire::post::{Errand, InHand};

/// A place that a remote does not pass before it is let.
struct Gate {
    reached: AtomicBool,
    open: AtomicBool,
}

impl Gate {
    const fn shut() -> Self {
        Self { reached: AtomicBool::new(false), open: AtomicBool::new(false) }
    }

    fn pass(&self) {
        self.reached.store(true, Ordering::SeqCst);
        until(|| self.open.load(Ordering::SeqCst));
    }

    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    fn is_reached(&self) {
        until(|| self.reached.load(Ordering::SeqCst));
    }
}

fn until(is: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < end, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn plan(way: Way) -> (Plan, Remote) {
    let remote = Remote::that(way);
    let plan = Plan::default().with("there.example", "mx.there.example", &remote);
    (plan, remote)
}

fn hand(number: u8) -> InHand {
    InHand { message: MessageId([number; 16]), leg: 0, errand: Errand::Carry }
}

/// The remote has the text and has said nothing yet.
#[test]
fn what_is_under_way_ends_with_the_next_post() {
    static GATE: Gate = Gate::shut();
    let (plan, remote) = plan(|_, line| {
        if line == "." {
            GATE.pass();
        }
        None
    });
    let mut house = settle(plan);
    house.hand_over(&[Letter::out(&["bob@there.example"])]);
    GATE.is_reached();
    house.post_dies();
    house.next_post();
    assert_eq!(house.held.recv_timeout(LIMIT).unwrap(), [hand(1)]);
    assert!(house.ended.try_recv().is_err());
    GATE.open();
    assert_eq!(house.outcomes(1), ["1.0 sent 1"]);
    assert_eq!(remote.texts().len(), 1);
    // Its batch was the other post's: it leaves, and nothing is tried again by it.
    assert_eq!(house.life.join().unwrap(), std::process::ExitCode::SUCCESS);
}

/// Whoever had the word of it died before it was written down.
#[test]
fn what_nobody_kept_is_told_again() {
    for forgets in [true, false] {
        let (plan, remote) = plan(|_, _| None);
        let limits = crate::Limits { idle: Duration::from_millis(500), ..impatient() };
        let mut house = settle_with(plan, limits);
        house.seen.lock().unwrap().forgets = forgets;
        let letters = [
            Letter::out(&["bob@there.example"]),
            Letter::out(&["bob@nowhere.example"]).numbered(2),
        ];
        let mut told = house.carry(&letters);
        told.sort();
        assert_eq!(told, ["1.0 sent 1", "2.0 failed sent 0: 5.1.2"]);
        house.idle.recv_timeout(LIMIT).unwrap();
        house.seen.lock().unwrap().forgets = false;
        house.post_dies();
        // Else it leaves: there is nothing to tell.
        if forgets {
            house.next_post();
            let mut held = house.held.recv_timeout(LIMIT).unwrap();
            held.sort_by_key(|hand| hand.message);
            assert_eq!(held, [hand(1), hand(2)]);
            let mut again = house.outcomes(2);
            again.sort();
            assert_eq!(again, told);
        }
        assert_eq!(house.life.join().unwrap(), std::process::ExitCode::SUCCESS);
        assert!(house.ended.try_recv().is_err(), "told once more");
        assert_eq!(remote.texts().len(), 1);
        // Its sender was told once.
        assert_eq!(house.seen.lock().unwrap().copies.len(), 1);
    }
}

/// The next post has it given to somebody else by now: the text gets no end here.
#[test]
fn what_another_post_has_given_away_is_not_ended() {
    static GATE: Gate = Gate::shut();
    let (plan, remote) = plan(|_, line| {
        if line.starts_with("DATA") {
            GATE.pass();
        }
        None
    });
    let mut house = settle(plan);
    house.hand_over(&[Letter::out(&["bob@there.example"])]);
    GATE.is_reached();
    house.seen.lock().unwrap().stopped.insert(MessageId([1; 16]));
    house.post_dies();
    house.next_post();
    assert_eq!(house.held.recv_timeout(LIMIT).unwrap(), [hand(1)]);
    GATE.open();
    assert_eq!(house.outcomes(1), ["1.0 later sent 0: Ours"]);
    assert!(remote.texts().is_empty());
}
