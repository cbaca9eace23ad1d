//! Who hands in letter after letter asks once whether they may.

use crate::Store;
use crate::desk::Desk;
use crate::tests::{Folder, outgoing};
use journal::Rounds;
use std::collections::HashSet;
use std::sync::mpsc::Sender;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use terms::{InstanceId, Kind, MessageId, TenantId, UserId};
use wire::control::{Order, Report};
use wire::directory::guest_of;
use wire::ledger::{FromLedger, LastDeeds, ToLedger};
use wire::post::{
    AtEnd, FromAdmin, FromDepart, FromSender, Hold, LegNumber, Limits, Load, Outcome, Outgoing,
    TlsFlaw, ToAdmin, ToDepart, ToSender, WayIn, Why,
};
use wire::vault::ToPost;
use wire::{Channel, Frame, Hub, Label};

const LIMIT: Duration = Duration::from_secs(20);
const ANN: (TenantId, UserId) = (TenantId([1; 8]), UserId([4; 8]));

/// A post, one dispatch of Ann's, and an operator.
fn start(folder: &Folder) -> (Channel, Channel, Channel) {
    let store = Store::open(&folder.0, compartment::now_ms()).unwrap();
    let (control, dispatch, _, admin) = start_with(store);
    (control, dispatch, admin)
}

/// And a depart.
fn start_with(store: Store) -> (Channel, Channel, Channel, Channel) {
    let started = start_without_ledger(store);
    join_ledger(&started.0);
    started
}

fn start_without_ledger(store: Store) -> (Channel, Channel, Channel, Channel) {
    let mut hub = Hub::new().unwrap();
    let label = |kind, person| Label { instance: InstanceId([8; 6]), kind, person };
    let (control, theirs) = Channel::pair().unwrap();
    let warden = hub.seat(theirs, label(Kind::Warden, None)).unwrap();
    let (dispatch, theirs) = Channel::pair().unwrap();
    hub.seat(theirs, label(Kind::Dispatch, Some(ANN))).unwrap();
    let (depart, theirs) = Channel::pair().unwrap();
    hub.seat(theirs, label(Kind::Depart, None)).unwrap();
    let (admin, theirs) = Channel::pair().unwrap();
    hub.seat(theirs, label(Kind::Admin, None)).unwrap();
    let forward = Rounds::new(Kind::Post, &wire::control::Start::default());
    std::thread::spawn(move || Desk::new(hub, store, forward, warden).serve());
    (control, dispatch, depart, admin)
}

/// One that knows of nothing, and takes nothing: mail leaves once it has said so.
pub(crate) fn join_ledger(control: &Channel) {
    let (ledger, theirs) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([3; 6]), kind: Kind::Ledger, person: None };
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    std::thread::spawn(move || {
        while let Ok(frame) = ledger.receive(None) {
            let answer = match frame.read() {
                Ok(ToLedger::LastDeeds) => FromLedger::LastDeeds(LastDeeds::default()),
                _ => FromLedger::Away,
            };
            let _ = ledger.send(frame.call, &answer, &[]);
        }
    });
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

/// It may have left long ago: that is asked first, and mail is taken meanwhile.
#[test]
fn nothing_leaves_before_the_queue_was_held_against_the_ledger() {
    let folder = Folder::new("asked-first");
    let store = Store::open(&folder.0, compartment::now_ms()).unwrap();
    let (control, mut dispatch, depart, _admin) = start_without_ledger(store);
    let (vault, theirs) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([2; 6]), kind: Kind::Vault, person: None };
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
    assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
    assert!(vault.receive(Some(Duration::from_millis(300))).is_err(), "nobody knows yet");
    join_ledger(&control);
    vault.receive(Some(LIMIT)).unwrap();
}

/// What it would write beyond that is mail like any other, and others' share is full here.
#[test]
fn a_depart_writes_one_notice_for_each_letter_in_hand() {
    let folder = Folder::new("one-each");
    let now = compartment::now_ms();
    let mut store = Store::open(&folder.0, now).unwrap();
    store.bounds.relayed_tenant_messages = 0;
    let (control, mut dispatch, mut depart, _admin) = start_with(store);
    let (vault, theirs) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([2; 6]), kind: Kind::Vault, person: None };
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    for number in [1, 2] {
        assert_eq!(queue(&mut dispatch, number), ToSender::Queued);
    }
    let of = |number, routes: &[u8]| Outgoing {
        tenant: ANN.0,
        user: ANN.1,
        ..outgoing(number, routes, now)
    };
    depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
    let told = vault.receive(Some(LIMIT)).unwrap();
    vault.send(told.call, &ToPost::Noted, &[]).unwrap();
    let frame = depart.receive(Some(LIMIT)).unwrap();
    let ToDepart::Batch { legs, .. } = frame.read().unwrap() else { panic!() };
    assert_eq!(legs.len(), 2);
    let mut tell = |number, recipients: u16, routes: &[u8]| {
        let mut one = of(number, routes);
        one.legs.iter_mut().for_each(|leg| leg.recipients = recipients);
        depart.ask::<_, ToSender>(&FromDepart::Queue(Box::new(one)), &[], LIMIT).unwrap().0
    };
    assert_eq!(tell(10, 2, &[1]), ToSender::Crowded, "to two");
    assert_eq!(tell(11, 1, &[1, 2]), ToSender::Crowded, "to two places");
    assert_eq!(tell(12, 1, &[1]), ToSender::Queued);
    assert_eq!(tell(13, 1, &[1]), ToSender::Queued);
    assert_eq!(tell(14, 1, &[1]), ToSender::Crowded, "a third");
}

/// Everybody around a post that carries: a dispatch of Ann's, the vault, one depart.
fn start_carrying(folder: &Folder) -> (Channel, Channel, Channel) {
    let (control, dispatch, _) = start(folder);
    let join = |kind| {
        let (near, theirs) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([kind as u8; 6]), kind, person: None };
        control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
        near
    };
    let vault = join(Kind::Vault);
    std::thread::spawn(move || {
        while let Ok(frame) = vault.receive(None) {
            let _ = vault.send(frame.call, &ToPost::Noted, &[]);
        }
    });
    let depart = join(Kind::Depart);
    (control, dispatch, depart)
}

/// Each carries what it is given, but for one letter, whose destination never says a word. `gate`:
/// nothing comes to its end before it is open.
fn carry_all(depart: Channel, dead: MessageId, gate: Arc<RwLock<()>>, told: Sender<MessageId>) {
    std::thread::spawn(move || {
        let mut tenant = None;
        while depart.send(0, &FromDepart::Idle { tenant }, &[]).is_ok() {
            let batch = loop {
                let Ok(frame) = depart.receive(None) else { return };
                if let ToDepart::Batch { tenant, legs } = frame.read().unwrap() {
                    break (tenant, legs);
                }
            };
            let (of, legs) = batch;
            tenant = Some(of);
            legs.iter().for_each(|leg| told.send(leg.message).unwrap_or(()));
            if legs.iter().any(|leg| leg.message == dead) {
                return drop(depart.receive(None));
            }
            drop(gate.read());
            for leg in legs {
                let outcome = Outcome::Sent { recipients: 2 };
                let ended = FromDepart::Ended { message: leg.message, leg: leg.leg, outcome };
                depart.send(0, &ended, &[]).unwrap();
            }
        }
    });
}

/// Who wrote to a destination that never says a word has their other mail carried, however much
/// was under way of their colleagues' when it came.
#[test]
fn a_dead_destination_keeps_no_other_mail_of_who_wrote_there() {
    let folder = Folder::new("dead");
    let (control, mut ann, depart) = start_carrying(&folder);
    let join = |kind, person| {
        let (near, theirs) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([77; 6]), kind, person };
        control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
        near
    };
    let now = compartment::now_ms();
    let hand_in = |dispatch: &mut Channel, user: UserId, number: u64| {
        let letter = outgoing(number, &[number as u8], now);
        let letter = Outgoing { tenant: ANN.0, user, ..letter };
        let message = letter.message;
        assert_eq!(ask(dispatch, &FromSender::Queue(Box::new(letter))), ToSender::Queued);
        message
    };
    let gate = Arc::new(RwLock::new(()));
    let shut = gate.write().unwrap();
    let (told, carried) = std::sync::mpsc::channel();
    let next = || carried.recv_timeout(LIMIT).unwrap();
    let dead = hand_in(&mut ann, ANN.1, 1);
    carry_all(depart, dead, gate.clone(), told.clone());
    assert_eq!(next(), dead);
    (0..18).for_each(|_| carry_all(join(Kind::Depart, None), dead, gate.clone(), told.clone()));
    let colleague = |number: u64| {
        let user = UserId([100 + number as u8; 8]);
        hand_in(&mut join(Kind::Dispatch, Some((ANN.0, user))), user, number)
    };
    for number in 10..25 {
        let letter = colleague(number);
        assert_eq!(next(), letter);
    }
    // Hers are looked at and wait; the last of the colleagues' letters does not.
    let hers: HashSet<MessageId> =
        (50..70).map(|number| hand_in(&mut ann, ANN.1, number)).collect();
    let letter = colleague(25);
    assert_eq!(next(), letter);
    drop(shut);
    let left: HashSet<MessageId> = hers.iter().map(|_| next()).collect();
    assert_eq!(left, hers);
}

/// Into another tenant's queue goes what its people's lists and forwards are for, from whoever has
/// mail in hand, in nobody's name, and as far as there is room.
#[test]
fn what_is_handed_over_is_a_guest_s() {
    const THEIRS: TenantId = TenantId([2; 8]);
    let now = compartment::now_ms();
    let over = |user| {
        FromDepart::HandOver(Box::new(Outgoing { tenant: THEIRS, user, ..outgoing(9, &[1], now) }))
    };
    let check = |is_carrying: bool, question: &FromDepart, expected: Option<ToSender>| {
        let folder = Folder::new("handed-over");
        let (_control, mut dispatch, mut depart) = start_carrying(&folder);
        if is_carrying {
            assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
            depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
            let frame = depart.receive(Some(LIMIT)).unwrap();
            let ToDepart::Batch { tenant, .. } = frame.read().unwrap() else { panic!() };
            assert_eq!(tenant, ANN.0);
        }
        let answer = depart.ask::<_, ToSender>(question, &[], LIMIT).ok().map(|(answer, _)| answer);
        assert_eq!(answer, expected);
    };
    check(true, &over(guest_of(THEIRS)), Some(ToSender::Queued));
    check(false, &over(guest_of(THEIRS)), None);
    check(true, &over(UserId([4; 8])), None);
    check(true, &over(UserId([0; 8])), None);
    // The old word still speaks for the tenant of its batch alone.
    let other = outgoing(9, &[1], now);
    let other = Outgoing { tenant: THEIRS, user: guest_of(THEIRS), ..other };
    check(true, &FromDepart::Queue(Box::new(other)), None);
}

/// What there is room for is told without a count or a promise: a session that is given up has
/// taken nothing from another.
#[test]
fn room_is_told_and_not_taken() {
    let folder = Folder::new("room");
    let (control, mut first, _admin) = start(&folder);
    let (mut second, theirs) = Channel::pair().unwrap();
    let (kind, person) = (Kind::Dispatch, Some(ANN));
    let label = Label { instance: InstanceId([9; 6]), kind, person };
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    let limits = Limits { in_ten_minutes: 5, in_a_day: 50 };
    let room = |dispatch: &mut Channel| ask(dispatch, &FromSender::Room { user: ANN.1, limits });
    for _ in 0..9 {
        assert_eq!((room(&mut first), room(&mut second)), (ToSender::Room(5), ToSender::Room(5)));
    }
    // A promise is another's to keep, and its own holder's to use.
    assert_eq!(may(&mut first, 3, 5), ToSender::May(None));
    assert_eq!((room(&mut first), room(&mut second)), (ToSender::Room(5), ToSender::Room(2)));
    drop(first);
    let until = std::time::Instant::now() + LIMIT;
    while room(&mut second) != ToSender::Room(5) {
        assert!(std::time::Instant::now() < until, "what was promised to one who left is held");
    }
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
    assert!(matches!(answer, ToAdmin::Done { .. }));
    assert_eq!(may(&mut dispatch, 2, 100), ToSender::May(None));
    (0..9).for_each(|_| assert!(is_no(may(&mut dispatch, 2, 3)), "asked once"));
}

/// Whoever says twice that it has nothing to do gets one batch, and what it had is not forgotten.
#[test]
fn an_idle_hand_is_there_once() {
    let folder = Folder::new("idle-once");
    let store = Store::open(&folder.0, compartment::now_ms()).unwrap();
    let (control, mut dispatch, depart, mut admin) = start_with(store);
    let (vault, theirs) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([2; 6]), kind: Kind::Vault, person: None };
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    let idle = || depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
    let heard = || vault.receive(Some(LIMIT)).unwrap().call;
    let batch = || {
        let frame = depart.receive(Some(LIMIT)).unwrap();
        let ToDepart::Batch { legs, .. } = frame.read().unwrap() else { panic!() };
        legs.len()
    };
    let mut leaving = || {
        let (answer, _): (ToAdmin, _) = admin.ask(&FromAdmin::Status, &[], LIMIT).unwrap();
        let ToAdmin::Status(status) = answer else { panic!("no status") };
        status.leaving
    };
    (0..3).for_each(|_| idle());
    assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
    vault.send(heard(), &ToPost::Noted, &[]).unwrap();
    assert_eq!(batch(), 1);
    // It is at work, whatever it said before: the next one waits.
    assert_eq!(queue(&mut dispatch, 2), ToSender::Queued);
    assert_eq!(leaving(), 1);
    // What is on its way to it comes back as well, and is not given when the vault has noted it.
    idle();
    let first = heard();
    idle();
    let second = heard();
    vault.send(first, &ToPost::Noted, &[]).unwrap();
    vault.send(second, &ToPost::Noted, &[]).unwrap();
    assert_eq!(batch(), 2, "nothing was forgotten");
    assert_eq!(leaving(), 2);
    assert!(matches!(depart.take(), Ok(None)), "one batch");
}

/// However much waits for a host that refuses a tenant's sign-in, it is one alarm; and when it
/// takes mail again, that is said, and a new refusal is a new alarm.
#[test]
fn a_smart_host_that_refuses_the_sign_in_is_told_once() {
    let folder = Folder::new("signed-out");
    let (control, mut dispatch, depart) = start_carrying(&folder);
    let mut tenant = None;
    let mut carry = |number: u64, outcome: Outcome| {
        assert_eq!(queue(&mut dispatch, number), ToSender::Queued);
        depart.send(0, &FromDepart::Idle { tenant }, &[]).unwrap();
        let (of, legs) = next_batch(&depart);
        tenant = Some(of);
        for leg in legs {
            let (message, leg, outcome) = (leg.message, leg.leg, outcome.clone());
            depart.send(0, &FromDepart::Ended { message, leg, outcome }, &[]).unwrap();
        }
    };
    let later = |why| Outcome::Later { sent: 0, rest: None, why, for_all: false };
    let refused = || later(Why::NotSignedIn);
    let insecure = |is_named| Why::Insecure { flaw: TlsFlaw::OtherName, is_named };
    carry(1, refused());
    carry(2, refused());
    carry(3, later(insecure(false)));
    carry(4, Outcome::Sent { recipients: 2 });
    carry(5, Outcome::Sent { recipients: 2 });
    carry(6, refused());
    let read = |frame: Frame| match frame.read().unwrap() {
        Report::Attention { what } => Some(what),
        Report::Note { text } => Some(text),
        _ => None,
    };
    let told = || loop {
        if let Some(words) = read(control.receive(Some(LIMIT)).unwrap()) {
            return words;
        }
    };
    let place = "01".repeat(16);
    let refuses = format!(
        "a smart host of tenant {} refuses our sign-in: `tenant set NAME --send-user NAME` sets \
         it anew; mail waits for {place}",
        ANN.0
    );
    assert_eq!(told(), refuses);
    assert!(told().contains("takes our sign-in again"));
    assert_eq!(told(), refuses);
    while let Ok(Some(frame)) = control.take() {
        assert_eq!(read(frame), None);
    }
}

/// Everybody around a post, and what it puts into the hands of its one depart: a letter of Ann's.
struct InHand {
    _control: Channel,
    vault: Channel,
    depart: Channel,
    admin: Channel,
    message: MessageId,
    leg: LegNumber,
}

impl InHand {
    fn letter(folder: &Folder) -> Self {
        let store = Store::open(&folder.0, compartment::now_ms()).unwrap();
        let (control, mut dispatch, depart, admin) = start_with(store);
        let (vault, theirs) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([2; 6]), kind: Kind::Vault, person: None };
        control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
        depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
        assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
        let call = vault.receive(Some(LIMIT)).unwrap().call;
        vault.send(call, &ToPost::Noted, &[]).unwrap();
        let (_, legs) = next_batch(&depart);
        let (message, leg) = (legs[0].message, legs[0].leg);
        Self { _control: control, vault, depart, admin, message, leg }
    }

    fn decide(&mut self, cancels: bool) -> ToAdmin {
        let message = self.message;
        let question = if cancels { FromAdmin::Cancel(message) } else { FromAdmin::Hold(message) };
        self.admin.ask(&question, &[], LIMIT).unwrap().0
    }
}

/// The next batch; what is kept of ends before it is read on the way.
fn next_batch(depart: &Channel) -> (TenantId, Vec<Load>) {
    loop {
        match depart.receive(Some(LIMIT)).unwrap().read().unwrap() {
            ToDepart::Batch { tenant, legs } => return (tenant, legs),
            ToDepart::Kept(_) => {}
            ToDepart::Begun(_) => panic!("nobody asked"),
        }
    }
}

/// Cancelled or held after its carrier was told that it may go; then that one is no more. Nobody
/// can say that it did not go, and nobody does, to its end.
#[test]
fn what_a_dead_carrier_had_begun_may_be_there() {
    for cancels in [true, false] {
        let folder = Folder::new("dead-carrier");
        let mut house = InHand::letter(&folder);
        let (message, leg) = (house.message, house.leg);
        let asked = FromDepart::Begin(vec![(message, leg)]);
        let (answer, _): (ToDepart, _) = house.depart.ask(&asked, &[], LIMIT).unwrap();
        assert!(matches!(answer, ToDepart::Begun(may_go) if may_go == [true]));
        assert!(matches!(house.decide(cancels), ToAdmin::Done { under_way: 1 }));
        let InHand { mut admin, depart, .. } = house;
        drop(depart);
        let mut shown = || {
            let (answer, _): (ToAdmin, _) =
                admin.ask(&FromAdmin::Show(message), &[], LIMIT).unwrap();
            match answer {
                ToAdmin::Message { legs, .. } => (legs[0].state, legs[0].why),
                ToAdmin::Past { legs, .. } => (legs[0].state, legs[0].why),
                _ => panic!("gone"),
            }
        };
        let decided = if cancels { wire::post::State::Cancelled } else { wire::post::State::Held };
        let until = std::time::Instant::now() + LIMIT;
        while shown() != (decided, Some(Why::MaybeTaken)) {
            assert!(std::time::Instant::now() < until, "{:?}", shown());
        }
    }
}

/// One attempt stands for all of a tenant's mail: what comes meanwhile waits with it, and tells
/// why; where a leg goes by a way that post does not know, it stands for itself.
#[test]
fn a_host_that_a_tenant_named_is_left_alone_while_it_takes_nothing() {
    let insecure = Why::Insecure { flaw: TlsFlaw::Expired, is_named: true };
    let whys = [Why::NotSignedIn, Why::NoWayIn(WayIn::NotNow), insecure];
    for (why, for_all) in whys.into_iter().flat_map(|why| [(why, true), (why, false)]) {
        let folder = Folder::new("named-host");
        let store = Store::open(&folder.0, compartment::now_ms()).unwrap();
        let (control, mut dispatch, depart, mut admin) = start_with(store);
        let (vault, theirs) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([2; 6]), kind: Kind::Vault, person: None };
        control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
        let note = || {
            let call = vault.receive(Some(LIMIT)).unwrap().call;
            vault.send(call, &ToPost::Noted, &[]).unwrap();
        };
        assert_eq!(queue(&mut dispatch, 1), ToSender::Queued);
        depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
        note();
        let frame = depart.receive(Some(LIMIT)).unwrap();
        let ToDepart::Batch { tenant, legs } = frame.read().unwrap() else { panic!() };
        let (message, leg) = (legs[0].message, legs[0].leg);
        let outcome = Outcome::Later { sent: 0, rest: None, why, for_all };
        depart.send(0, &FromDepart::Ended { message, leg, outcome }, &[]).unwrap();
        assert_eq!(queue(&mut dispatch, 2), ToSender::Queued);
        depart.send(0, &FromDepart::Idle { tenant: Some(tenant) }, &[]).unwrap();
        let (answer, _): (ToAdmin, _) = admin
            .ask(&FromAdmin::List { tenant: None, after: None, limit: 9 }, &[], LIMIT)
            .unwrap();
        let ToAdmin::Messages { items, .. } = answer else { panic!("no list") };
        let mut shown: Vec<_> = items
            .iter()
            .map(|item| {
                let asked = FromAdmin::Show(item.message);
                let (answer, _): (ToAdmin, _) = admin.ask(&asked, &[], LIMIT).unwrap();
                let ToAdmin::Message { legs, .. } = answer else { panic!("gone") };
                (legs[0].state, legs[0].why)
            })
            .collect();
        shown.sort_by_key(|(_, why)| why.is_none());
        let new = match for_all {
            true => (wire::post::State::Delayed, Some(why)),
            false => (shown[1].0, None),
        };
        assert_eq!(shown, [(wire::post::State::Delayed, Some(why)), new], "{why:?} {for_all}");
        assert_eq!(for_all, !vault.wait(std::time::Duration::from_millis(300)).unwrap());
    }
}

/// What is decided before a letter is handed over counts; after that the answer says so.
#[test]
fn what_is_cancelled_in_a_carrier_s_hands_does_not_go_or_is_said_to_be_under_way() {
    for (is_begun, cancels) in [(false, true), (false, false), (true, true), (true, false)] {
        let folder = Folder::new("in-hand");
        let mut house = InHand::letter(&folder);
        let (message, leg) = (house.message, house.leg);
        let may_go = |depart: &mut Channel| {
            let asked = FromDepart::Begin(vec![(message, leg), (message, 99)]);
            let (answer, _): (ToDepart, _) = depart.ask(&asked, &[], LIMIT).unwrap();
            let ToDepart::Begun(may_go) = answer else { panic!() };
            assert!(!may_go[1], "what it was not handed");
            may_go[0]
        };
        if is_begun {
            assert!(may_go(&mut house.depart));
        }
        let ToAdmin::Done { under_way } = house.decide(cancels) else { panic!("not done") };
        assert_eq!(under_way, u16::from(is_begun));
        assert!(!may_go(&mut house.depart), "it was begun anew");
        let InHand { mut admin, depart, vault: _vault, _control, .. } = house;
        let mut shown = || {
            let asked = FromAdmin::Show(message);
            let (answer, _): (ToAdmin, _) = admin.ask(&asked, &[], LIMIT).unwrap();
            let ToAdmin::Message { legs, .. } = answer else { panic!("gone") };
            legs[0].state
        };
        let decided = if cancels { wire::post::State::Cancelled } else { wire::post::State::Held };
        assert_eq!(shown(), if is_begun { wire::post::State::Leaving } else { decided });
        let outcome = Outcome::Stopped;
        depart.send(0, &FromDepart::Ended { message, leg, outcome }, &[]).unwrap();
        let until = std::time::Instant::now() + LIMIT;
        while shown() != decided {
            assert!(std::time::Instant::now() < until, "it did not come back");
        }
    }
}
