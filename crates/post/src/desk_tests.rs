//! Who hands in letter after letter asks once whether they may.

use crate::Store;
use crate::desk::Desk;
use crate::tests::{Folder, outgoing};
use journal::Rounds;
use std::time::Duration;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::post::{AtEnd, FromAdmin, FromSender, Hold, Limits, Outgoing, ToAdmin, ToSender};
use wire::{Channel, Hub, Label};

const LIMIT: Duration = Duration::from_secs(20);
const ANN: (TenantId, UserId) = (TenantId([1; 8]), UserId([4; 8]));

/// A post, one dispatch of Ann's, and an operator.
fn start(folder: &Folder) -> (Channel, Channel, Channel) {
    let now = compartment::now_ms();
    let store = Store::open(&folder.0, now).unwrap();
    let mut hub = Hub::new().unwrap();
    let label = |kind, person| Label { instance: InstanceId([8; 6]), kind, person };
    let (control, theirs) = Channel::pair().unwrap();
    let warden = hub.seat(theirs, label(Kind::Warden, None)).unwrap();
    let (dispatch, theirs) = Channel::pair().unwrap();
    hub.seat(theirs, label(Kind::Dispatch, Some(ANN))).unwrap();
    let (admin, theirs) = Channel::pair().unwrap();
    hub.seat(theirs, label(Kind::Admin, None)).unwrap();
    let forward = Rounds::new(Kind::Post, &wire::control::Start::default());
    std::thread::spawn(move || Desk::new(hub, store, forward, warden).serve());
    (control, dispatch, admin)
}

fn ask(dispatch: &mut Channel, question: &FromSender) -> ToSender {
    dispatch.ask(question, &[], LIMIT).unwrap().0
}

fn may(dispatch: &mut Channel, recipients: u32, in_a_day: u32) -> ToSender {
    let limits = Limits { in_ten_minutes: 1_000, in_a_day };
    ask(dispatch, &FromSender::May { user: ANN.1, recipients, limits })
}

fn queue(dispatch: &mut Channel, number: u64) -> ToSender {
    let written =
        Outgoing { tenant: ANN.0, user: ANN.1, ..outgoing(number, &[1], compartment::now_ms()) };
    ask(dispatch, &FromSender::Queue(Box::new(written)))
}

#[test]
fn who_may_send_again_is_told_so_with_the_answer() {
    let folder = Folder::new("ahead");
    let (_control, mut dispatch, _admin) = start(&folder);
    // Nobody asked, nobody is told.
    assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
    // Each letter goes to two.
    assert_eq!(may(&mut dispatch, 2, 8), ToSender::May(None));
    assert_eq!(queue(&mut dispatch, 2), ToSender::QueuedAndMay);
    assert_eq!(queue(&mut dispatch, 3), ToSender::QueuedAndMay);
    // Eight have had theirs: nobody else today.
    assert_eq!(queue(&mut dispatch, 4), ToSender::Queued);
    assert!(matches!(may(&mut dispatch, 2, 8), ToSender::May(Some(_))));
    // What was asked last counts, and it was yes.
    assert_eq!(may(&mut dispatch, 2, 100), ToSender::May(None));
    assert_eq!(queue(&mut dispatch, 5), ToSender::QueuedAndMay);
}

/// Who is turned away again and again has one message taken, to be asked about, and none beside it
/// until somebody has answered, within their limits or not.
#[test]
fn who_presses_on_at_a_limit_is_asked_once_and_waits_for_the_answer() {
    let folder = Folder::new("pressed");
    let (_control, mut dispatch, mut admin) = start(&folder);
    let is_no = |answer: ToSender| matches!(answer, ToSender::May(Some(_)));
    assert_eq!(may(&mut dispatch, 2, 3), ToSender::May(None));
    assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
    (0..3).for_each(|_| assert!(is_no(may(&mut dispatch, 2, 3))));
    assert_eq!(may(&mut dispatch, 2, 3), ToSender::Pressed);
    // Nothing was held yet: the text did not come.
    assert_eq!(may(&mut dispatch, 2, 3), ToSender::Pressed);
    let now = compartment::now_ms();
    let hold = Some(Hold { until_ms: now + 86_400_000, then: AtEnd::Return });
    let held = Outgoing { tenant: ANN.0, user: ANN.1, hold, ..outgoing(2, &[1], now) };
    let id = held.message;
    assert_eq!(ask(&mut dispatch, &FromSender::Queue(Box::new(held))), ToSender::Queued);
    (0..9).for_each(|_| assert!(is_no(may(&mut dispatch, 2, 3))));
    let ToSender::May(Some(seconds)) = may(&mut dispatch, 2, 100) else { panic!("taken") };
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    let (answer, _): (ToAdmin, _) = admin.ask(&FromAdmin::Release(id), &[], LIMIT).unwrap();
    assert!(matches!(answer, ToAdmin::Done));
    assert_eq!(may(&mut dispatch, 2, 100), ToSender::May(None));
    (0..9).for_each(|_| assert!(is_no(may(&mut dispatch, 2, 3)), "asked once"));
}
