//! A post that comes after another, and whoever carried for that one.

use crate::Store;
use crate::desk::Desk;
use crate::desk_tests::join_ledger;
use crate::tests::{Folder, outgoing};
use journal::Rounds;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, MessageId, TenantId, UserId};
use wire::control::{Carrier, Order};
use wire::post::*;
use wire::vault::ToPost;
use wire::{Channel, Hub, Label};

const LIMIT: Duration = Duration::from_secs(20);
const ANN: (TenantId, UserId) = (TenantId([1; 8]), UserId([4; 8]));
const BEN: (TenantId, UserId) = (TenantId([2; 8]), UserId([5; 8]));
/// Who carried for the post before.
const OLD: InstanceId = InstanceId([40; 6]);

struct Around {
    control: Channel,
    admin: Channel,
}

impl Around {
    /// A post that was born while these lived.
    fn after(folder: &Folder, carriers: &[Carrier]) -> Self {
        let store = Store::open(&folder.0, compartment::now_ms()).unwrap();
        let mut hub = Hub::new().unwrap();
        let (control, theirs) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([8; 6]), kind: Kind::Warden, person: None };
        let warden = hub.seat(theirs, label).unwrap();
        let forward = Rounds::new(Kind::Post, &wire::control::Start::default());
        let desk = Desk::new(hub, store, forward, warden).after(carriers);
        std::thread::spawn(move || desk.serve());
        join_ledger(&control);
        let admin = join(&control, (Kind::Admin, InstanceId([9; 6])), None);
        let vault = join(&control, (Kind::Vault, InstanceId([7; 6])), None);
        std::thread::spawn(move || {
            while let Ok(frame) = vault.receive(None) {
                let _ = vault.send(frame.call, &ToPost::Noted, &[]);
            }
        });
        Self { control, admin }
    }

    fn queue(&self, (tenant, user): (TenantId, UserId), number: u64) -> MessageId {
        let mut dispatch =
            join(&self.control, (Kind::Dispatch, InstanceId([6; 6])), Some((tenant, user)));
        let letter = Outgoing { tenant, user, ..outgoing(number, &[1], compartment::now_ms()) };
        let message = letter.message;
        let question = FromSender::Queue(Box::new(letter));
        let (answer, _): (ToSender, _) = dispatch.ask(&question, &[], LIMIT).unwrap();
        assert_eq!(answer, ToSender::Queued);
        message
    }

    /// Who carried for Ann's tenant.
    fn old(&self) -> Channel {
        join(&self.control, (Kind::Depart, OLD), Some((ANN.0, UserId([0; 8]))))
    }

    /// One that was born since.
    fn fresh(&self, number: u8) -> Channel {
        let depart = join(&self.control, (Kind::Depart, InstanceId([number; 6])), None);
        depart.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
        depart
    }

    fn all_joined(&self) {
        self.control.send(0, &Order::AllJoined, &[]).unwrap();
    }

    fn status(&mut self) -> Status {
        let (answer, _): (ToAdmin, _) = self.admin.ask(&FromAdmin::Status, &[], LIMIT).unwrap();
        let ToAdmin::Status(status) = answer else { panic!("no status") };
        status
    }

    /// It had every occasion, and was given nothing.
    fn has_nothing(&mut self, depart: &Channel) {
        for _ in 0..3 {
            self.status();
            assert!(!depart.wait(Duration::from_millis(60)).unwrap(), "it was given something");
        }
    }

    fn ends_as(&mut self, message: MessageId, state: State) {
        let until = Instant::now() + LIMIT;
        loop {
            let question = FromAdmin::Show(message);
            let (answer, _): (ToAdmin, _) = self.admin.ask(&question, &[], LIMIT).unwrap();
            if matches!(&answer, ToAdmin::Past { legs, .. } if legs[0].state == state) {
                return;
            }
            assert!(Instant::now() < until, "it has no end");
        }
    }
}

fn join(
    control: &Channel,
    (kind, instance): (Kind, InstanceId),
    person: Option<(TenantId, UserId)>,
) -> Channel {
    let (near, theirs) = Channel::pair().unwrap();
    let label = Label { instance, kind, person };
    control.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    near
}

fn next_batch(depart: &Channel) -> Vec<MessageId> {
    match depart.receive(Some(LIMIT)).unwrap().read().unwrap() {
        ToDepart::Batch { legs, .. } => legs.iter().map(|leg| leg.message).collect(),
        _ => panic!("no batch"),
    }
}

fn hand(message: MessageId) -> InHand {
    InHand { message, leg: 0, errand: Errand::Carry }
}

fn sent(message: MessageId) -> FromDepart {
    FromDepart::Ended { message, leg: 0, outcome: Outcome::Sent { recipients: 2 } }
}

fn is_kept(depart: &Channel, expected: &[MessageId]) {
    let ToDepart::Kept(legs) = depart.receive(Some(LIMIT)).unwrap().read().unwrap() else {
        panic!("something else")
    };
    assert_eq!(legs, expected.iter().map(|message| (*message, 0)).collect::<Vec<_>>());
}

const ANNS: [Carrier; 1] = [Carrier { instance: OLD, tenant: Some(ANN.0) }];

#[test]
fn nothing_of_a_tenant_is_handed_out_before_its_carrier_has_spoken() {
    let folder = Folder::new("await-spoken");
    let mut around = Around::after(&folder, &ANNS);
    let (first, second) = (around.queue(ANN, 1), around.queue(ANN, 4));
    let fresh = around.fresh(50);
    around.has_nothing(&fresh);
    // Nobody else waits for it.
    let other = around.queue(BEN, 2);
    assert_eq!(next_batch(&fresh), [other]);
    let fresh = around.fresh(51);
    let mut old = around.old();
    around.all_joined();
    around.has_nothing(&fresh);
    // What waits for its word may be gone any moment.
    let (answer, _): (ToAdmin, _) = around.admin.ask(&FromAdmin::Hold(first), &[], LIMIT).unwrap();
    assert!(matches!(answer, ToAdmin::Done { under_way: 1 }));
    old.send(0, &FromDepart::Holds(vec![hand(first)]), &[]).unwrap();
    assert_eq!(next_batch(&fresh), [second]);
    let asked = FromDepart::Begin(vec![(first, 0)]);
    let (answer, _): (ToDepart, _) = old.ask(&asked, &[], LIMIT).unwrap();
    assert!(matches!(answer, ToDepart::Begun(may_go) if may_go == [false]), "it is held");
    old.send(0, &sent(first), &[]).unwrap();
    is_kept(&old, &[first]);
    around.ends_as(first, State::Sent);
}

#[test]
fn what_was_over_before_is_heard_again_and_counts_once() {
    let folder = Folder::new("await-again");
    let mut around = Around::after(&folder, &ANNS);
    let message = around.queue(ANN, 1);
    let old = around.old();
    let unknown = MessageId([77; 16]);
    old.send(0, &FromDepart::Holds(vec![hand(message), hand(unknown)]), &[]).unwrap();
    for message in [unknown, message, message] {
        old.send(0, &sent(message), &[]).unwrap();
    }
    let mut kept = Vec::new();
    while kept.len() < 3 {
        let ToDepart::Kept(legs) = old.receive(Some(LIMIT)).unwrap().read().unwrap() else {
            panic!("something else")
        };
        kept.extend(legs);
    }
    around.ends_as(message, State::Sent);
    assert_eq!(around.status().messages, 0);
}

#[test]
fn who_is_dead_is_not_waited_for() {
    // Known to be so when all are joined, or seen to go.
    for is_joined in [false, true] {
        let folder = Folder::new("await-dead");
        let mut around = Around::after(&folder, &ANNS);
        let message = around.queue(ANN, 1);
        let fresh = around.fresh(50);
        let old = is_joined.then(|| around.old());
        around.has_nothing(&fresh);
        around.all_joined();
        if is_joined {
            around.has_nothing(&fresh);
        }
        drop(old);
        assert_eq!(next_batch(&fresh), [message]);
    }
}

#[test]
fn one_of_whom_nobody_knows_for_whom_it_carries_keeps_all_waiting() {
    let folder = Folder::new("await-anybody");
    let mut around = Around::after(&folder, &[Carrier { instance: OLD, tenant: None }]);
    let message = around.queue(BEN, 2);
    let fresh = around.fresh(50);
    around.has_nothing(&fresh);
    let old = join(&around.control, (Kind::Depart, OLD), None);
    old.send(0, &FromDepart::Idle { tenant: None }, &[]).unwrap();
    let given = |depart: &Channel| depart.wait(Duration::from_millis(50)).unwrap();
    let until = Instant::now() + LIMIT;
    while !given(&fresh) && !given(&old) {
        assert!(Instant::now() < until, "nobody has it");
    }
    let who = if given(&fresh) { &fresh } else { &old };
    assert_eq!(next_batch(who), [message]);
}

/// Who is born since had nothing: what it claims is somebody else's.
#[test]
fn nobody_else_takes_up_anything() {
    let folder = Folder::new("await-claims");
    let mut around = Around::after(&folder, &[]);
    let message = around.queue(ANN, 1);
    let mut late = around.old();
    late.send(0, &FromDepart::Holds(vec![hand(message)]), &[]).unwrap();
    late.send(0, &sent(message), &[]).unwrap();
    is_kept(&late, &[message]);
    let asked = FromDepart::Begin(vec![(message, 0)]);
    let (answer, _): (ToDepart, _) = late.ask(&asked, &[], LIMIT).unwrap();
    assert!(matches!(answer, ToDepart::Begun(may_go) if may_go == [false]));
    assert_eq!(around.status().messages, 1);
    assert_eq!(next_batch(&around.fresh(50)), [message]);
}

/// Of another tenant than it carries for, it has nothing either.
#[test]
fn a_carrier_takes_up_mail_of_its_tenant_alone() {
    let folder = Folder::new("await-tenant");
    let mut around = Around::after(&folder, &ANNS);
    let (anns, bens) = (around.queue(ANN, 1), around.queue(BEN, 2));
    let old = around.old();
    old.send(0, &FromDepart::Holds(vec![hand(bens)]), &[]).unwrap();
    old.send(0, &sent(bens), &[]).unwrap();
    is_kept(&old, &[bens]);
    let mut given: Vec<MessageId> =
        [50, 51].iter().flat_map(|number| next_batch(&around.fresh(*number))).collect();
    given.sort();
    let mut all = [anns, bens];
    all.sort();
    assert_eq!(given, all);
    assert_eq!(around.status().messages, 2);
}
