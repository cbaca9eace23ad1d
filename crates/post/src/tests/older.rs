//! A queue that was set back: what left leaves no second time, and nothing leaves by itself of
//! which nobody knows what was decided since.

use super::{DISPATCH, Folder, NOW, id, outgoing, queue, reopened, turn};
use crate::Store;
use crate::store::SetBack;
use crate::table::Hand;
use evidence::{Author, Body, Frame, Queued};
use journal::Runs;
use terms::{InstanceId, Kind, MessageId, TenantId, UserId};
use wire::post::{AtEnd, Decider, Hold, Outgoing};

fn one(message: MessageId, recipients: u32) -> Queued {
    Queued { message, user: UserId([4; 8]), recipients, bytes: 1_000 }
}

fn learn(recorded: &mut SetBack, store: &Store, body: Body) {
    let mut author = Author::new(Kind::Post, InstanceId([5; 6]), &[1; 32]);
    let frame = author.sign(NOW, body).unwrap();
    recorded.learn(&Frame::parse(&frame).unwrap().entry, &store.table);
}

fn came(messages: Vec<Queued>) -> Body {
    Body::Queue { instance: DISPATCH, tenant: TenantId([1; 8]), messages }
}

fn left(messages: Vec<Queued>) -> Body {
    Body::Sent { instance: DISPATCH, tenant: TenantId([1; 8]), messages }
}

fn left_alone(message: MessageId, recipients: u32) -> Body {
    Body::Send {
        instance: DISPATCH,
        tenant: TenantId([1; 8]),
        user: UserId([4; 8]),
        message,
        recipients,
        bytes: 1_000,
    }
}

#[test]
fn what_left_leaves_no_second_time() {
    let folder = Folder::new("set-back");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    // Each leg has two recipients.
    for number in 1..=3 {
        queue(&mut store, &outgoing(number, &[1, 2], NOW));
    }
    // Its sender may have taken it back since.
    let hold = Some(Hold { until_ms: NOW + 25_000, then: AtEnd::Send });
    queue(&mut store, &Outgoing { hold, ..outgoing(4, &[1], NOW) });
    store.commit(NOW).unwrap();
    let mut recorded = SetBack::default();
    learn(&mut recorded, &store, left(vec![one(id(1), 2), one(id(2), 2)]));
    learn(&mut recorded, &store, left_alone(id(1), 2));
    learn(&mut recorded, &store, came(vec![one(id(7), 3), one(id(8), 2), one(id(9), 2)]));
    learn(&mut recorded, &store, left(vec![one(id(7), 1), one(id(8), 2)]));
    let settled = store.begin(Runs::default(), Some(&recorded), NOW).unwrap();
    assert_eq!((settled.left, settled.held), (1, 3));
    assert_eq!(settled.gone, [id(7), id(9)]);
    let told = settled.what(false);
    let [what, named] = told.as_slice() else { panic!("{told:?}") };
    assert!(what.contains("1 letters had left") && what.contains("3 are held"), "{what}");
    assert!(named.ends_with(&format!("{}, {}", id(7), id(9))), "{named}");
    let mut store = reopened(store, &folder.0);
    for now in [NOW, NOW + 60_000] {
        store.tick(now).unwrap();
        store.commit(now).unwrap();
        assert!(turn(&mut store, now).is_empty(), "something leaves by itself");
    }
    let past = |store: &Store, number| {
        store.find_past(id(number)).map(|past| (past.legs_sent, past.legs_not_sent))
    };
    let ends = [(1, Some((2, 0))), (2, None), (7, Some((1, 1))), (8, Some((1, 0)))];
    ends.iter().for_each(|(number, end)| assert_eq!(past(&store, *number), *end, "{number}"));
    assert_eq!(past(&store, 9), Some((0, 1)));
    // Somebody says that it may leave.
    assert!(store.release(id(3), Decider::Operator, NOW).unwrap());
    store.commit(NOW).unwrap();
    assert_eq!(turn(&mut store, NOW).len() + turn(&mut store, NOW).len(), 2);
}

#[test]
fn of_an_emptied_queue_it_is_said_what_is_gone() {
    let folder = Folder::new("set-back-empty");
    let mut store = Store::open(&folder.0, NOW).unwrap();
    let mut recorded = SetBack::default();
    let many: Vec<Queued> = (1..=30).map(|number| one(id(number), 1)).collect();
    learn(&mut recorded, &store, came(many));
    let settled = store.begin(Runs::default(), Some(&recorded), NOW).unwrap();
    assert_eq!((settled.left, settled.held, settled.gone.len()), (0, 0, 30));
    let told = settled.what(true);
    assert_eq!(told.len(), 5);
    assert!(told[0].contains("was emptied") && told[0].ends_with("30 are gone"), "{told:?}");
    assert!(told.iter().all(|what| what.len() <= 160), "the evidence cuts it");
    // What comes anew is as ever.
    let again = outgoing(31, &[1], NOW);
    store.queue((&again, DISPATCH, Hand::Own), &[]).unwrap();
    store.commit(NOW).unwrap();
    assert_eq!(turn(&mut store, NOW).len(), 1);
}
