//! A person's word about what is held in their name.

use crate::leaving_tests::House;
use crate::tests::answering;
use compartment::now_ms;
use std::sync::{Arc, Mutex};
use terms::{Kind, MessageId, TenantId, UserId};
use wire::Channel;
use wire::control::Report;
use wire::directory::*;
use wire::pages::{FromPages, ToPages};
use wire::post::{Awaited, FromDirectory as ToPost, ToDirectory as FromPost};

const MESSAGE: MessageId = MessageId([7; 16]);
const HOUR_MS: u64 = 60 * 60 * 1000;

/// A queue that holds these messages, and what was done with them.
#[derive(Clone, Default)]
struct Queue {
    held: Arc<Mutex<Vec<Awaited>>>,
    done: Arc<Mutex<Vec<String>>>,
}

impl Queue {
    fn channel(&self) -> Channel {
        let queue = self.clone();
        answering(move |question: ToPost| {
            let (awaited, word) = match question {
                ToPost::StillHeld { tenant, user } => {
                    let held = queue.held.lock().unwrap();
                    let theirs = held.iter().filter(|one| (one.tenant, one.user) == (tenant, user));
                    return FromPost::StillHeld(u32::try_from(theirs.count()).unwrap());
                }
                ToPost::Waits(awaited) => (awaited, None),
                ToPost::Release(awaited) => (awaited, Some("released")),
                ToPost::Cancel(awaited) => (awaited, Some("cancelled")),
                ToPost::Queue(_) => panic!("a letter"),
                ToPost::Erase { .. } | ToPost::Count { .. } | ToPost::Sweep => panic!("an ending"),
                ToPost::Complained { .. } => panic!("a complaint"),
            };
            let mut held = queue.held.lock().unwrap();
            if !held.contains(&awaited) {
                return FromPost::No;
            }
            if let Some(word) = word {
                held.retain(|one| *one != awaited);
                queue.done.lock().unwrap().push(word.to_owned());
            }
            FromPost::Yes
        })
    }
}

struct Case {
    house: House,
    queue: Queue,
    pages: Channel,
    identity: Channel,
    person: (TenantId, UserId),
    until_ms: u64,
}

impl Case {
    fn new(name: &str) -> Self {
        let mut house = House::open(name);
        let queue = Queue::default();
        house.desk.friends.post = Some(queue.channel());
        let address = "aoi@kaede.example".to_owned();
        let found = house.desk.changes().unwrap().look_up(&address).unwrap();
        let person = found.map(|(user, tenant, _)| (tenant, user)).unwrap();
        let pages = house.join(Kind::Pages, None);
        let identity = house.join(Kind::Identity, None);
        let until_ms = now_ms() + HOUR_MS;
        Self { house, queue, pages, identity, person, until_ms }
    }

    /// Held, and the token that its dispatch was given.
    fn held(&mut self, message: MessageId) -> Vec<u8> {
        let (tenant, user) = self.person;
        let until_s = u32::try_from(self.until_ms / 1_000).unwrap();
        self.queue.held.lock().unwrap().push(Awaited { tenant, user, message, until_s });
        let dispatch = self.house.join(Kind::Dispatch, Some(self.person));
        let question = FromDispatch::Awaited(message, self.until_ms);
        match self.house.ask(&dispatch, &question) {
            Some(ToDispatch::Awaited(token)) => token,
            _ => panic!("no token"),
        }
    }

    fn says(&mut self, token: &[u8], is_theirs: bool) -> ToPages {
        let question = FromPages::Held { token: token.to_vec(), is_theirs };
        self.house.ask(&self.pages, &question).unwrap()
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.queue.done.lock().unwrap())
    }

    fn robbed(&mut self) -> Vec<Part> {
        match self.house.ask(&self.identity, &FromIdentity::Robbed) {
            Some(ToIdentity::Robbed(parts)) => parts,
            _ => panic!("another answer"),
        }
    }

    fn alarms(&self) -> usize {
        let mut alarms = 0;
        while let Ok(Some(frame)) = self.house.warden.take() {
            alarms += usize::from(matches!(frame.read(), Ok(Report::Attention { .. })));
        }
        alarms
    }
}

#[test]
fn who_says_that_it_is_theirs_has_it_sent() {
    let mut case = Case::new("held-mine");
    let token = case.held(MESSAGE);
    assert_eq!(case.says(&token, true), ToPages::Done);
    assert_eq!(case.done(), ["released"]);
    // Pressed twice: it counts once, and says the same.
    assert_eq!(case.says(&token, true), ToPages::Done);
    assert!(case.done().is_empty() && case.robbed().is_empty());
    assert_eq!(case.alarms(), 0);
}

#[test]
fn who_says_that_it_is_not_has_it_discarded_and_their_sending_ended() {
    let mut case = Case::new("held-not-mine");
    let (tenant, user) = case.person;
    let token = case.held(MESSAGE);
    assert_eq!(case.says(&token, false), ToPages::Discarded { more: 0 });
    assert_eq!(case.done(), ["cancelled"]);
    assert_eq!(case.alarms(), 1);
    let part = Part { tenant, user: Some(user) };
    assert_eq!(case.robbed(), [part]);
    assert_eq!(case.says(&token, false), ToPages::Discarded { more: 0 });
    assert_eq!(case.alarms(), 0, "said once");
    assert_eq!(case.robbed(), [part], "until identity has done it");
    assert!(matches!(
        case.house.ask(&case.identity, &FromIdentity::Locked(part)),
        Some(ToIdentity::Done)
    ));
    assert!(case.robbed().is_empty());
    // And it cannot be sent any more.
    assert_eq!(case.says(&token, true), ToPages::Unknown);
    // Another message is another question.
    let second = case.held(MessageId([8; 16]));
    case.held(MessageId([9; 16]));
    case.held(MessageId([10; 16]));
    assert_eq!(case.says(&second, false), ToPages::Discarded { more: 2 });
    assert_eq!(case.robbed(), [part]);
}

#[test]
fn what_somebody_else_decided_is_decided_and_a_no_is_heard_all_the_same() {
    let mut case = Case::new("held-decided");
    let token = case.held(MESSAGE);
    case.queue.held.lock().unwrap().clear();
    assert_eq!(case.says(&token, true), ToPages::Unknown);
    assert_eq!(case.says(&token, false), ToPages::TooLate { more: 0 });
    assert!(case.done().is_empty());
    assert_eq!((case.robbed().len(), case.alarms()), (1, 1));
}

#[test]
fn a_token_is_one_person_s_for_one_message_and_one_hold() {
    let mut case = Case::new("held-forged");
    let token = case.held(MESSAGE);
    for place in 0..token.len() {
        let mut forged = token.clone();
        forged[place] ^= 1;
        for is_theirs in [true, false] {
            assert_eq!(case.says(&forged, is_theirs), ToPages::Unknown, "{place}");
        }
    }
    for forged in [&token[..0], &token[..20], &token[..43], &[token.as_slice(), &[0]].concat()] {
        assert_eq!(case.says(forged, true), ToPages::Unknown);
    }
    assert_eq!(case.says(&[0; 400], true), ToPages::Unknown);
    // Its time is over.
    case.until_ms = now_ms() - 1_000;
    let late = case.held(MessageId([9; 16]));
    assert_eq!(case.says(&late, true), ToPages::Unknown);
    assert_eq!(case.says(&late, false), ToPages::Unknown);
    // Who is shut out answers nothing.
    let disable =
        |disabled| FromAdmin::UserDisable { address: "aoi@kaede.example".into(), disabled };
    case.house.desk.answer_admin(disable(true));
    assert_eq!(case.says(&token, true), ToPages::Unknown);
    case.house.desk.answer_admin(disable(false));
    assert!(case.done().is_empty() && case.robbed().is_empty());
    // Whatever comes: seeded, so that it comes again.
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..2_000u32 {
        let mut said = token.clone();
        for _ in 0..=round % 4 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let place = usize::try_from(seed >> 32).unwrap() % said.len();
            said[place] = said[place].wrapping_add((seed & 0xff) as u8);
        }
        said.truncate(usize::try_from(seed % 48).unwrap());
        if said != token {
            assert_eq!(case.house.desk.hear_person(&said, round % 2 == 0), ToPages::Unknown);
        }
    }
    assert_eq!(case.says(&token, true), ToPages::Done);
}

#[test]
fn without_the_queue_nothing_is_decided_and_nothing_said() {
    let mut case = Case::new("held-away");
    let token = case.held(MESSAGE);
    case.house.desk.friends.post = None;
    assert_eq!(case.says(&token, true), ToPages::Later);
    assert_eq!(case.says(&token, false), ToPages::Later);
    assert!(case.robbed().is_empty());
    case.house.desk.friends.post = Some(case.queue.channel());
    assert_eq!(case.says(&token, true), ToPages::Done);
}
