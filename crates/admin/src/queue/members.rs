//! What became of a list's post: the queue is done with it when its copies stand there by
//! themselves, which is not what somebody means who asks whether it was sent. Of the members only
//! their number is known here.

use super::{post, words};
use crate::peers::Peers;
use crate::people::set;
use serde_json::{Value, json};
use terms::MessageId;
use wire::post::{FromAdmin, LegNumber, State, ToAdmin};

/// Messages of copies, of one list's post: more than its members make.
const MESSAGES: usize = 16;
/// Destinations of one message that are asked about. A person writes to fewer lists.
const DESTINATIONS: usize = 64;

/// So many members have it, wait for it, and will not get it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub sent: u64,
    pub waiting: u64,
    pub not_sent: u64,
}

impl Members {
    /// Counts a message of copies, of which each is one member's.
    fn count(&mut self, copies: &ToAdmin) {
        match copies {
            ToAdmin::Message { legs, .. } => {
                for leg in legs {
                    match leg.state {
                        State::Sent => self.sent += 1,
                        State::Failed | State::Cancelled => self.not_sent += 1,
                        _ => self.waiting += 1,
                    }
                }
            }
            ToAdmin::Past { sent, not_sent, .. } => {
                self.sent += u64::from(*sent);
                self.not_sent += u64::from(*not_sent);
            }
            _ => {}
        }
    }

    fn state(self) -> &'static str {
        match self {
            Self { waiting: 1.., .. } => "leaving",
            Self { not_sent: 0, .. } => "sent",
            Self { sent: 0, .. } => "not-sent",
            _ => "partly-sent",
        }
    }
}

/// Has the outcomes of a message's lists say what became of their members' copies. `None`: none of
/// its destinations is a list.
pub fn follow(
    peers: &mut Peers<'_>,
    message: MessageId,
    outcomes: &mut [Value],
) -> Option<Members> {
    follow_with(outcomes, |leg| {
        let mut members = None;
        for number in 0..MESSAGES {
            let id = MessageId(trace::copies(&message.to_string(), leg, number));
            match post(peers, &FromAdmin::Show(id)).ok()? {
                ToAdmin::NoSuch => break,
                copies => members.get_or_insert_with(Members::default).count(&copies),
            }
        }
        members
    })
}

fn follow_with(
    outcomes: &mut [Value],
    mut members_of: impl FnMut(LegNumber) -> Option<Members>,
) -> Option<Members> {
    let mut is_of_a_list = false;
    for outcome in outcomes.iter_mut().filter(|one| one["state"] == "sent").take(DESTINATIONS) {
        let number = outcome["destination"].as_u64().and_then(|place| place.checked_sub(1));
        let leg = number.and_then(|number| LegNumber::try_from(number).ok());
        let Some(members) = leg.and_then(&mut members_of) else { continue };
        is_of_a_list = true;
        let Members { sent, waiting, not_sent } = members;
        let [ja, en] = words::members(members);
        set(outcome, "state", json!(members.state()));
        set(outcome, "sent", json!(sent));
        set(outcome, "not_sent", json!(not_sent));
        set(outcome, "waiting", json!(waiting));
        set(outcome, "why", json!({ "ja": ja, "en": en }));
    }
    let sum = |name: &str| outcomes.iter().filter_map(|one| one[name].as_u64()).sum();
    is_of_a_list.then(|| Members {
        sent: sum("sent"),
        waiting: sum("waiting"),
        not_sent: sum("not_sent"),
    })
}

/// The state of a whole message, as the queue has it, once its lists are followed.
pub fn state(of_queue: &'static str, followed: Option<Members>) -> &'static str {
    match (of_queue, followed) {
        ("sent" | "partly-sent" | "not-sent", Some(members)) => members.state(),
        _ => of_queue,
    }
}

#[cfg(test)]
mod tests {
    use super::{Members, follow_with, state};
    use serde_json::{Value, json};
    use terms::{MessageId, TenantId, UserId};
    use wire::post::{LegState, Queued, Route, State, ToAdmin};

    fn copies(states: &[State]) -> ToAdmin {
        let leg = |state: &State| LegState {
            leg: 0,
            route: Route([0; 16]),
            state: *state,
            recipients: 1,
            attempts: 1,
            next_try_ms: None,
            why: None,
            sent: 0,
            not_sent: 0,
        };
        let message = Queued {
            message: MessageId([1; 16]),
            tenant: TenantId([1; 8]),
            user: UserId([0; 8]),
            state: State::Delayed,
            size: 1,
            at_ms: 0,
            next_try_ms: None,
            legs: 0,
            decided: None,
            hold: None,
        };
        ToAdmin::Message { message, legs: states.iter().map(leg).collect() }
    }

    #[test]
    fn a_list_s_post_is_sent_when_its_members_have_it() {
        let past = |sent, not_sent| ToAdmin::Past {
            message: MessageId([1; 16]),
            at_ms: 0,
            sent,
            not_sent,
            decided: None,
            legs: Vec::new(),
        };
        let living = copies(&[State::Sent, State::Sent, State::Delayed, State::Failed]);
        let check = |copies: &[ToAdmin], expected: &str, numbers: [u64; 3]| {
            let outcome = |place: u16, state: &str| {
                json!({ "destination": place, "state": state, "sent": 1, "not_sent": 0,
                    "waiting": 0, "why": { "ja": "", "en": "" } })
            };
            let mut outcomes: Vec<Value> = vec![outcome(1, "sent"), outcome(2, "sent")];
            let followed = follow_with(&mut outcomes, |leg| {
                let mut members = Members::default();
                copies.iter().for_each(|copies| members.count(copies));
                (leg == 1).then_some(members)
            });
            assert_eq!(state("sent", followed), expected);
            assert_eq!(outcomes[0], outcome(1, "sent"));
            let of = |name: &str| outcomes[1][name].as_u64().unwrap();
            assert_eq!([of("sent"), of("waiting"), of("not_sent")], numbers);
            let said = outcomes[1]["why"]["en"].as_str().unwrap();
            assert!(numbers.iter().all(|many| said.contains(&many.to_string())), "{said}");
        };
        check(&[past(3, 0)], "sent", [3, 0, 0]);
        check(&[past(2, 1)], "partly-sent", [2, 0, 1]);
        check(&[past(1000, 0), living], "leaving", [1002, 1, 1]);
        // What has not been spread, and what no list is in it, stays as the queue has it.
        assert_eq!(state("delayed", Some(Members { sent: 1, waiting: 0, not_sent: 0 })), "delayed");
        assert_eq!(state("sent", follow_with(&mut [], |_| None)), "sent");
        let nobody = Members { sent: 0, waiting: 0, not_sent: 4 };
        assert_eq!(state("sent", Some(nobody)), "not-sent");
    }
}
