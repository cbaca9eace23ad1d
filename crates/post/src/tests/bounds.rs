//! What may wait, and what becomes of what an operator cancels.

use super::*;
use crate::room::NOTICES;
use crate::table::Message;

/// One octet of a sealed body is one octet of the share.
fn large(number: u64, user: u8, bytes: usize) -> Outgoing {
    let content = Parcel::Inline(vec![7; bytes]);
    let body = SealedPart { epoch: 3, wrapped: vec![7; 40], content };
    let (tenant, user) = (TenantId([1; 8]), UserId([user; 8]));
    Outgoing { tenant, user, body, ..outgoing(number, &[1], NOW) }
}

fn offer(store: &mut Store, outgoing: &Outgoing, hand: Hand) -> ToSender {
    store.queue((outgoing, DISPATCH, hand), &[]).unwrap()
}

#[test]
fn strangers_fill_their_share_and_peoples_own_mail_goes_on() {
    let folder = Folder::new("bounds");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    store.bounds = Bounds {
        relayed_person_messages: 3,
        relayed_tenant_messages: 5,
        tenant_messages: 7,
        ..Bounds::default()
    };
    // What is staged together counts together.
    for number in 0..3 {
        assert_eq!(offer(&mut store, &large(number, 4, 9), Hand::Others), ToSender::Queued);
    }
    assert_eq!(offer(&mut store, &large(3, 4, 9), Hand::Others), ToSender::Crowded);
    assert_eq!(offer(&mut store, &large(0, 4, 9), Hand::Others), ToSender::Queued, "it has it");
    store.commit(NOW).unwrap();
    assert_eq!(offer(&mut store, &large(3, 4, 9), Hand::Others), ToSender::Crowded);
    for number in [10, 11] {
        assert_eq!(offer(&mut store, &large(number, 5, 9), Hand::Others), ToSender::Queued);
    }
    assert_eq!(offer(&mut store, &large(12, 6, 9), Hand::Others), ToSender::Crowded);
    assert_eq!(offer(&mut store, &large(13, 4, 9), Hand::Own), ToSender::Queued);
    store.commit(NOW).unwrap();
    // Another tenant's share is its own; a notice finds no bound, and is none to others.
    let elsewhere = Outgoing { tenant: TenantId([2; 8]), ..large(14, 7, 9) };
    assert_eq!(offer(&mut store, &elsewhere, Hand::Others), ToSender::Queued);
    let notice = store.queue_notice((&large(15, 4, 9), DEPART), &[]).unwrap();
    assert_eq!(notice, ToSender::Queued);
    store.commit(NOW).unwrap();
    assert_eq!(offer(&mut store, &large(16, 4, 9), Hand::Own), ToSender::Queued);
    assert_eq!(offer(&mut store, &large(17, 4, 9), Hand::Own), ToSender::Crowded, "seven of seven");
    store.commit(NOW).unwrap();
    assert_eq!(store.refused, 4);
    assert_eq!(store.table.room.fullest_percent(&store.bounds), 100);
    // After a restart as before; and what has left makes room.
    let mut store = reopened(store, &folder.0);
    store.bounds.relayed_person_messages = 3;
    assert_eq!(offer(&mut store, &large(20, 4, 9), Hand::Others), ToSender::Crowded);
    while let Some(slot) = turn(&mut store, NOW).first().copied() {
        end(&mut store, slot, &Outcome::Sent { recipients: 2 }, NOW);
    }
    assert_eq!(offer(&mut store, &large(20, 4, 9), Hand::Others), ToSender::Queued);
}

/// A gateway's mail and a list's are nobody's, and nobody is somebody else in each tenant.
#[test]
fn a_dead_gateway_shuts_no_other_tenants_and_no_list() {
    let folder = Folder::new("nobody");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    store.bounds =
        Bounds { relayed_person_messages: 2, relayed_tenant_messages: 8, ..Bounds::default() };
    let nobodys = |number, tenant: u8, route: u8| {
        let written = outgoing(number, &[route], NOW);
        Outgoing { tenant: TenantId([tenant; 8]), user: UserId([0; 8]), ..written }
    };
    for number in 0..4 {
        let queued = offer(&mut store, &nobodys(number, 1, 1), Hand::Others);
        assert_eq!(queued, ToSender::Queued, "{number}");
    }
    let full = |store: &mut Store| {
        assert_eq!(offer(store, &nobodys(10, 1, 1), Hand::Others), ToSender::Crowded);
    };
    full(&mut store);
    store.commit(NOW).unwrap();
    full(&mut store);
    store.write_down().unwrap();
    let bounds = store.bounds;
    let mut store = reopened(store, &folder.0);
    store.bounds = bounds;
    full(&mut store);
    assert_eq!(offer(&mut store, &nobodys(11, 1, 2), Hand::Others), ToSender::Queued, "a list");
    assert_eq!(offer(&mut store, &nobodys(12, 2, 1), Hand::Others), ToSender::Queued, "theirs");
    let own = Outgoing { tenant: TenantId([1; 8]), ..outgoing(13, &[1], NOW) };
    assert_eq!(offer(&mut store, &own, Hand::Others), ToSender::Queued, "somebody's forward");
    store.commit(NOW).unwrap();
    for _ in 0..4 {
        for slot in turn(&mut store, NOW) {
            end(&mut store, slot, &Outcome::Sent { recipients: 2 }, NOW);
        }
    }
    assert_eq!(store.table.room.fullest_percent(&store.bounds), 0, "all of it was given back");
}

/// Strangers whose servers do not take what comes back have it made in any number.
#[test]
fn of_too_many_notices_the_oldest_go_and_each_lives_for_a_day() {
    let folder = Folder::new("notices");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    let notice = |store: &mut Store, number: u64| {
        let one =
            Outgoing { tenant: TenantId([1; 8]), ..outgoing(number, &[1], NOW + number * 1_000) };
        store.queue_notice((&one, DEPART), &[]).unwrap()
    };
    for number in 0..NOTICES {
        assert_eq!(notice(&mut store, number), ToSender::Queued);
        if number % 500 == 0 {
            store.commit(NOW).unwrap();
        }
    }
    store.commit(NOW).unwrap();
    let is_there = |store: &Store, number| store.table.slot(id(number)).is_some();
    let row = store.table.message(store.table.slot(id(0)).unwrap()).unwrap();
    assert_eq!(row.expires_s - row.at_s, 24 * 3_600);
    // Written down and read, they are notices still.
    store.write_down().unwrap();
    let mut store = reopened(store, &folder.0);
    let leaving = turn(&mut store, NOW);
    assert!(is_there(&store, 0) && leaving.len() == 50);
    for number in 0..3 {
        assert_eq!(notice(&mut store, NOTICES + number), ToSender::Queued);
    }
    store.commit(NOW).unwrap();
    notice(&mut store, NOTICES + 3);
    store.commit(NOW).unwrap();
    assert!(is_there(&store, 0), "those under way end as they end");
    leaving.iter().for_each(|leg| store.table.come_back(*leg));
    notice(&mut store, NOTICES + 4);
    store.commit(NOW).unwrap();
    let gone = (0..NOTICES).filter(|number| !is_there(&store, *number));
    assert_eq!(gone.collect::<Vec<_>>(), (0..5).collect::<Vec<_>>());
    assert_eq!(store.table.room.fullest_percent(&store.bounds), 0);
    // Below the disk's floor nothing more is kept.
    store.disk.wrote(store.disk.free().unwrap());
    assert_eq!(notice(&mut store, NOTICES + 5), ToSender::Full);
}

#[test]
fn octets_are_bounded_and_the_disk_keeps_its_floor() {
    let folder = Folder::new("octets");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    store.bounds.relayed_person_bytes = 41_000;
    let mut taken = 0;
    while offer(&mut store, &large(taken, 4, 5_000), Hand::Others) == ToSender::Queued {
        store.commit(NOW).unwrap();
        taken += 1;
        assert!(taken < 10);
    }
    assert_eq!(taken, 5, "a quarter of what is left");
    assert_eq!(offer(&mut store, &large(50, 4, 1_000), Hand::Others), ToSender::Queued);
    assert_eq!(offer(&mut store, &large(51, 4, 50_000), Hand::Own), ToSender::Queued);
    // More than there is: a floor is a fiftieth of the disk at most, so the letter has to be large.
    store.disk.wrote(store.disk.free().unwrap());
    assert_eq!(offer(&mut store, &large(52, 4, 10), Hand::Own), ToSender::Full);
    store.disk.look();
    assert_eq!(offer(&mut store, &large(52, 4, 10), Hand::Own), ToSender::Queued);
}

/// It does not leave, and its sender hears why: the hold that an operator's word makes is over at
/// once, and what is held so goes back.
#[test]
fn what_an_operator_cancels_is_given_back() {
    let folder = Folder::new("called-off");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    queue(&mut store, &outgoing(1, &[1, 2], NOW));
    store.commit(NOW).unwrap();
    let leaving = turn(&mut store, NOW)[0];
    // Released before: what was said last counts.
    store.hold(id(1), Hold { until_ms: NOW + DAY, then: AtEnd::Return }).unwrap();
    store.commit(NOW).unwrap();
    store.release(id(1), Decider::Operator, NOW).unwrap();
    store.commit(NOW).unwrap();
    assert!(store.cancel(id(1), Decider::Operator, NOW).unwrap());
    store.commit(NOW).unwrap();
    let called_off = Some(Decided { by: Decider::Operator, released: false });
    let row = |store: &Store| -> Message {
        store.table.message(store.table.slot(id(1)).unwrap()).unwrap().clone()
    };
    assert!(row(&store).is_called_off());
    assert!(!store.release(id(1), Decider::Operator, NOW).unwrap(), "it is done with");
    assert!(turn(&mut store, NOW + DAY).is_empty());
    store.tick(NOW + 1_000).unwrap();
    let first = errands(&mut store, NOW + 1_000).unwrap();
    assert_eq!(first.len(), 1, "the other is under way");
    let (back, errand) = first[0];
    assert_eq!(errand, Errand::GiveBack);
    // The notice could not be kept: again, also after a crash.
    end(&mut store, back, &later(Why::Ours), NOW);
    store.tick(NOW + 50_000).unwrap();
    assert!(errands(&mut store, NOW + 50_000).is_none());
    store.tick(NOW + 70_000).unwrap();
    assert_eq!(errands(&mut store, NOW + 70_000), Some(vec![(back, Errand::GiveBack)]));
    // What had left at that moment has left.
    end(&mut store, leaving, &Outcome::Sent { recipients: 2 }, NOW);
    assert_eq!(sent(&store), [2]);
    store.write_down().unwrap();
    let mut store = reopened(store, &folder.0);
    assert!(row(&store).is_called_off());
    store.tick(NOW + 80_000).unwrap();
    let last = errands(&mut store, NOW + 80_000).unwrap();
    let gone = Outcome::Failed { sent: 0, why: Why::Answered { class: 5, subject: 7, detail: 1 } };
    end(&mut store, last[0].0, &gone, NOW);
    assert!(store.table.by_id.is_empty());
    let past = store.find_past(id(1)).unwrap();
    assert_eq!((past.legs_sent, past.legs_not_sent, past.decided), (1, 1, called_off));
}

/// For a destination that is left alone nothing is written down, and all the same it is seen that
/// it was tried, and when it is tried next.
#[test]
fn what_waits_for_a_closed_destination_says_so() {
    let folder = Folder::new("closed");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    // Of one tenant: to another it is open.
    for number in [1, 2] {
        let tenant = TenantId([1; 8]);
        queue(&mut store, &Outgoing { tenant, ..outgoing(number, &[1], NOW) });
    }
    store.commit(NOW).unwrap();
    let now = seconds(NOW);
    let tried = store.table.next_turn(now, None).unwrap();
    let slot = tried.legs[0];
    let road = store.table.leg(slot).unwrap().road;
    let tenant = tried.trip.side.tenant;
    store.table.schedule.unreachable(road, tenant, now);
    let refused = later(Why::TurnedAway { class: 5, subject: 7, detail: 1 });
    tried.legs.iter().for_each(|slot| end(&mut store, *slot, &refused, NOW));
    store.table.schedule.returned(&tried.trip);
    for number in [1, 2] {
        let slot = store.table.legs_of(store.table.slot(id(number)).unwrap())[0];
        let leg = store.table.leg(slot).unwrap();
        assert_eq!(store.table.shown(leg, now), State::Delayed, "{number}");
        assert_eq!(store.table.closed(leg), Some((1, now + 60)), "{number}");
        assert_eq!(store.table.shown(leg, now + 60), State::Ready, "{number}");
    }
    assert!(turn(&mut store, NOW).is_empty());
    store.table.schedule.hurry(road, now);
    assert!(!turn(&mut store, NOW).is_empty());
}

/// Its carrier was told that it may go, and is no more: to the end nobody says that it did not.
#[test]
fn what_may_have_gone_is_not_called_unsent() {
    let folder = Folder::new("may-have-gone");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    queue(&mut store, &outgoing(1, &[1], NOW));
    store.commit(NOW).unwrap();
    let leg = turn(&mut store, NOW)[0];
    assert!(store.table.begin_leg(leg));
    store.cancel(id(1), Decider::Operator, NOW).unwrap();
    store.commit(NOW).unwrap();
    store.may_have_gone(leg).unwrap();
    store.table.come_back(leg);
    store.commit(NOW).unwrap();
    store.write_down().unwrap();
    let mut store = reopened(store, &folder.0);
    store.tick(NOW + 1_000).unwrap();
    let back = errands(&mut store, NOW + 1_000).unwrap()[0].0;
    end(&mut store, back, &later(Why::Ours), NOW);
    store.tick(NOW + 90_000).unwrap();
    assert_eq!(errands(&mut store, NOW + 90_000).unwrap()[0].0, back);
    let cancelled = Why::Answered { class: 5, subject: 7, detail: 1 };
    end(&mut store, back, &Outcome::Failed { sent: 0, why: cancelled }, NOW);
    let past = store.find_past(id(1)).unwrap();
    let ends = store.find_ended_legs(&past);
    assert_eq!((ends[0].state, ends[0].why), (State::Cancelled, Some(Why::MaybeTaken)));
}
