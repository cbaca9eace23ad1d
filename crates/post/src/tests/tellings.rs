//! Who is told, and who is not: what was due for one leg is not told of another.

use super::*;
use crate::table::Message;

fn late() -> u64 {
    u64::from(Bounds::default().late_seconds) * 1_000
}

#[test]
fn what_was_due_for_a_leg_that_left_is_not_told_of_who_comes_after_it() {
    let folder = Folder::new("tellings");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    queue(&mut store, &outgoing(1, &[1], NOW));
    store.commit(NOW).unwrap();
    let slot = turn(&mut store, NOW)[0];
    // Under way when it is late, and when its time is over: whoever carries it says what became
    // of it first.
    for at_ms in [NOW + late(), NOW + 5 * DAY] {
        store.tick(at_ms).unwrap();
        assert_eq!(errands(&mut store, at_ms), None);
    }
    let now_ms = NOW + 5 * DAY;
    end(&mut store, slot, &Outcome::Sent { recipients: 2 }, now_ms);
    queue(&mut store, &outgoing(2, &[1], now_ms));
    store.commit(now_ms).unwrap();
    let fresh = store.table.legs_of(store.table.slot(id(2)).unwrap());
    assert_eq!(fresh, [slot], "it has the place of the other");
    assert_eq!(errands(&mut store, now_ms), None);
    assert_eq!(turn(&mut store, now_ms), [slot]);
}

#[test]
fn the_time_of_what_was_held_counts_from_when_it_is_let_go() {
    let day_after = NOW + 6 * DAY;
    for (number, is_written_down) in [(1, false), (2, true)] {
        let folder = Folder::new(&format!("let-go-{number}"));
        let mut store = Store::open(&folder.0, NOW).unwrap();
        let hold = Some(Hold { until_ms: NOW + 9 * DAY, then: AtEnd::Return });
        queue(&mut store, &Outgoing { hold, ..outgoing(1, &[1], NOW) });
        store.commit(NOW).unwrap();
        store.tick(day_after).unwrap();
        assert_eq!(errands(&mut store, day_after), None, "what is held is not late");
        store.release(id(1), Decider::Operator, day_after).unwrap();
        store.commit(day_after).unwrap();
        if is_written_down {
            store.write_down().unwrap();
        }
        let mut store = reopened(store, &folder.0);
        store.tick(day_after + 1_000).unwrap();
        assert_eq!(errands(&mut store, day_after + 1_000), None, "{is_written_down}");
        let slot = turn(&mut store, day_after)[0];
        end(&mut store, slot, &later(Why::Unreachable), day_after);
        let mut told = |at_ms: u64| {
            store.tick(at_ms).unwrap();
            let told = errands(&mut store, at_ms);
            store.table.come_back(slot);
            told.map(|told| told[0].1)
        };
        assert_eq!(told(day_after + late()), Some(Errand::TellLate), "{is_written_down}");
        assert_eq!(told(day_after + 5 * DAY), Some(Errand::GiveBack), "{is_written_down}");
    }
}

#[test]
fn a_hold_that_is_over_gives_nothing_back_that_was_let_go_meanwhile() {
    let folder = Folder::new("let-go-late");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    let hold = Some(Hold { until_ms: NOW + DAY, then: AtEnd::Return });
    queue(&mut store, &Outgoing { hold, ..outgoing(1, &[1], NOW) });
    store.commit(NOW).unwrap();
    store.tick(NOW + DAY).unwrap();
    store.release(id(1), Decider::Operator, NOW + DAY).unwrap();
    store.commit(NOW + DAY).unwrap();
    assert_eq!(errands(&mut store, NOW + DAY), None);
    assert!(!turn(&mut store, NOW + DAY).is_empty());
}

#[test]
fn letters_that_have_left_leave_nothing_on_the_clock() {
    let folder = Folder::new("stale");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    queue(&mut store, &outgoing(1, &[1], NOW));
    store.commit(NOW).unwrap();
    let slot = store.table.slot(id(1)).unwrap();
    let row = store.table.message(slot).unwrap().clone();
    for second in 0..100_000 {
        store.table.settle_message(slot, Message { from_s: row.from_s + second, ..row.clone() });
    }
    store.table.settle_message(slot, row);
    store.tick(NOW).unwrap();
    assert!(store.table.dues() < 10, "{}", store.table.dues());
    store.tick(NOW + late()).unwrap();
    assert_eq!(errands(&mut store, NOW + late()).map(|told| told[0].1), Some(Errand::TellLate));
}
