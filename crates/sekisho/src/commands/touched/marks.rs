//! What became of each act: asked for, agreed to, refused, run out, begun, done.
//!
//! Who orders an act writes that down before somebody else does it, and may be refused. So an
//! order counts as done when the entry stands that only the deed itself writes.

use evidence::{Body, Entry};
use std::collections::{HashMap, HashSet};
use terms::{Kind, RequestId, TenantId, UserId};

/// Voices that a request needs (`identity` has the rule).
const NEEDED: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Asked,
    Approved,
    Refused,
    Expired,
    /// Ordered; no entry says that it was done.
    Begun,
    Done,
}

impl Mark {
    /// For programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Begun => "begun",
            Self::Done => "done",
        }
    }

    pub fn words(self) -> [&'static str; 2] {
        match self {
            Self::Asked => ["申請", "asked"],
            Self::Approved => ["承認", "approved"],
            Self::Refused => ["拒否", "refused"],
            Self::Expired => ["期限切れ", "expired"],
            Self::Begun => ["着手", "begun"],
            Self::Done => ["完了", "done"],
        }
    }
}

/// An act that was ordered.
struct Order {
    index: u64,
    request: Option<RequestId>,
    what: String,
    tenant: Option<TenantId>,
    user: Option<UserId>,
}

/// Orders and their deeds, requests and their ends, in the order of the entries.
#[derive(Default)]
pub struct Marks {
    open: Vec<Order>,
    done: HashSet<u64>,
    requests: HashMap<RequestId, Mark>,
    voices: HashMap<RequestId, u32>,
}

impl Marks {
    /// Follows one entry; `is_theirs`: it tells of the subject.
    pub fn follow(&mut self, index: u64, entry: &Entry, is_theirs: bool) {
        self.confirm(entry);
        match &entry.body {
            Body::Request { request, .. } if is_theirs => {
                self.requests.insert(*request, Mark::Asked);
            }
            Body::Approve { request, .. } => {
                let voices = self.voices.entry(*request).or_default();
                *voices += 1;
                if *voices >= NEEDED {
                    self.come(*request, Mark::Approved);
                }
            }
            Body::Deny { request, .. } => self.come(*request, Mark::Refused),
            Body::Expire { request } => self.come(*request, Mark::Expired),
            Body::CarryOut { request, what, tenant, user, .. } => {
                self.come(*request, Mark::Begun);
                if is_theirs {
                    self.order(index, Some(*request), what.as_str(), (*tenant, *user));
                }
            }
            Body::RuleChange { what, tenant, user, .. } if is_theirs && is_order(entry) => {
                self.order(index, None, what.as_str(), (*tenant, *user));
            }
            _ => {}
        }
    }

    fn come(&mut self, request: RequestId, mark: Mark) {
        if let Some(known) = self.requests.get_mut(&request) {
            *known = mark;
        }
    }

    fn order(
        &mut self,
        index: u64,
        request: Option<RequestId>,
        what: &str,
        (tenant, user): (Option<TenantId>, Option<UserId>),
    ) {
        self.open.push(Order { index, request, what: what.to_owned(), tenant, user });
    }

    /// The deed of every order that waits for it: an act may stand under a request and, in
    /// identity's own word, once more.
    fn confirm(&mut self, entry: &Entry) {
        let (tenant, user) = whose(&entry.body);
        let is_of = |order: &Order| {
            let is_theirs = order.tenant == tenant && (order.user.is_none() || order.user == user);
            is_theirs && is_deed(&order.what, entry)
        };
        let (over, open) = std::mem::take(&mut self.open).into_iter().partition(is_of);
        self.open = open;
        let over: Vec<Order> = over;
        for order in over {
            self.done.insert(order.index);
            if let Some(request) = order.request {
                self.come(request, Mark::Done);
            }
        }
    }

    /// How a request ended so far.
    pub fn end(&self, request: &RequestId) -> Mark {
        self.requests.get(request).copied().unwrap_or(Mark::Asked)
    }

    pub fn of(&self, index: u64, entry: &Entry) -> Mark {
        match &entry.body {
            Body::Request { .. } => Mark::Asked,
            Body::Approve { .. } => Mark::Approved,
            Body::Deny { .. } | Body::SignIn { ok: false, .. } => Mark::Refused,
            Body::Expire { .. } => Mark::Expired,
            Body::CarryOut { .. } if !self.done.contains(&index) => Mark::Begun,
            Body::RuleChange { .. } if is_order(entry) && !self.done.contains(&index) => {
                Mark::Begun
            }
            _ => Mark::Done,
        }
    }
}

/// Whether identity wrote it for somebody else to do. What is its own (sign-ins, passwords,
/// passes, how decisions are made) it does itself.
pub fn is_order(entry: &Entry) -> bool {
    let Body::RuleChange { what, .. } = &entry.body else { return false };
    entry.author == Kind::Identity && !is_its_own(what.as_str())
}

fn is_its_own(what: &str) -> bool {
    let (of, _) = what.split_once('.').unwrap_or((what, ""));
    matches!(of, "app-password" | "password" | "person" | "read" | "approvals")
}

/// Whether this entry is written by the one who does such an act.
fn is_deed(what: &str, entry: &Entry) -> bool {
    match (&entry.body, what) {
        (Body::KeySeal { sealed, .. }, "keys.seal") => *sealed,
        (Body::KeySeal { sealed, .. }, "keys.unseal") => !*sealed,
        (Body::KeyHold { on, .. }, "keys.hold") => *on,
        (Body::KeyHold { on, .. }, "keys.release-hold") => !*on,
        (Body::KeyFreeze { on, .. }, "keys.freeze") => *on,
        (Body::KeyFreeze { on, .. }, "keys.thaw") => !*on,
        (Body::KeyRotate { .. }, what) => what.starts_with("keys.rotate-"),
        (Body::KeyShred { .. }, what) => what.starts_with("keys.shred-"),
        (Body::Ending { .. }, "tenant.terminate" | "user.terminate") => true,
        (Body::Hold { placed, .. }, "hold.lift") => !*placed,
        (Body::Unfreeze { .. }, "freeze.lift") => true,
        (Body::RuleChange { what: said, .. }, what) => said.as_str() == what && !is_order(entry),
        _ => false,
    }
}

fn whose(body: &Body) -> (Option<TenantId>, Option<UserId>) {
    match body {
        Body::KeySeal { tenant, .. } => (Some(*tenant), None),
        Body::KeyHold { tenant, user, .. }
        | Body::Ending { tenant, user, .. }
        | Body::Hold { tenant, user, .. } => (Some(*tenant), *user),
        Body::KeyFreeze { tenant, user, .. }
        | Body::KeyRotate { tenant, user, .. }
        | Body::KeyShred { tenant, user, .. }
        | Body::Unfreeze { tenant, user, .. }
        | Body::RuleChange { tenant, user, .. } => (*tenant, *user),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Marks};
    use evidence::{Body, Digest, Entry};
    use terms::{InstanceId, Kind, RequestId, TenantId, UserId};

    const TENANT: TenantId = TenantId([1; 8]);
    const AOI: UserId = UserId([2; 8]);
    const REQUEST: RequestId = RequestId([3; 8]);

    fn by(author: Kind, body: Body) -> Entry {
        Entry { time_ms: 1, author, start: InstanceId([4; 6]), seq: 0, body }
    }

    fn change(author: Kind, what: &str) -> Entry {
        let (tenant, user) = (Some(TENANT), Some(AOI));
        by(
            author,
            Body::RuleChange {
                tenant,
                user,
                what: what.into(),
                weakened: None,
                by: None,
                credential: None,
            },
        )
    }

    fn asked() -> Entry {
        by(
            Kind::Identity,
            Body::Request {
                request: REQUEST,
                what: "keys.seal".into(),
                digest: Digest([0; 32]),
                until_ms: 9,
                tenant: Some(TENANT),
                user: None,
                requester: None,
            },
        )
    }

    fn approve() -> Entry {
        by(Kind::Identity, Body::Approve { request: REQUEST, tenant: TENANT, approver: AOI })
    }

    fn carry_out() -> Entry {
        let body = Body::CarryOut {
            request: REQUEST,
            what: "keys.seal".into(),
            digest: Digest([0; 32]),
            tenant: Some(TENANT),
            user: None,
        };
        by(Kind::Identity, body)
    }

    /// The end of the request and each entry's mark, after all of them.
    fn check(entries: &[Entry], end: Mark, expected: &[Mark]) {
        let mut marks = Marks::default();
        (0u64..).zip(entries).for_each(|(index, entry)| marks.follow(index, entry, true));
        assert_eq!(marks.end(&REQUEST), end);
        let found: Vec<Mark> =
            (0u64..).zip(entries).map(|(index, entry)| marks.of(index, entry)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_request_from_the_word_to_the_deed() {
        use Mark::{Approved, Asked, Begun, Done, Expired, Refused};
        let seal = by(Kind::Vault, Body::KeySeal { sealed: true, tenant: TENANT });
        let unseal = by(Kind::Vault, Body::KeySeal { sealed: false, tenant: TENANT });
        check(&[asked()], Asked, &[Asked]);
        check(&[asked(), approve()], Asked, &[Asked, Approved]);
        check(&[asked(), approve(), approve()], Approved, &[Asked, Approved, Approved]);
        let begun = [asked(), approve(), approve(), carry_out()];
        check(&begun, Begun, &[Asked, Approved, Approved, Begun]);
        // Another deed is not this one.
        check(&[asked(), carry_out(), unseal], Begun, &[Asked, Begun, Done]);
        check(&[asked(), carry_out(), seal], Done, &[Asked, Done, Done]);
        let deny =
            by(Kind::Identity, Body::Deny { request: REQUEST, tenant: TENANT, approver: AOI });
        check(&[asked(), deny], Refused, &[Asked, Refused]);
        let expire = by(Kind::Identity, Body::Expire { request: REQUEST });
        check(&[asked(), expire], Expired, &[Asked, Expired]);
    }

    #[test]
    fn an_order_is_done_when_its_deed_stands() {
        use Mark::{Asked, Begun, Done, Refused};
        check(&[change(Kind::Identity, "user.forward")], Asked, &[Begun]);
        let both = [change(Kind::Identity, "user.add"), change(Kind::Directory, "user.add")];
        check(&both, Asked, &[Done, Done]);
        check(&[change(Kind::Identity, "person.reset")], Asked, &[Done]);
        let sign_in = Body::SignIn {
            instance: InstanceId([5; 6]),
            protocol: "imap".into(),
            ok: false,
            tenant: Some(TENANT),
            user: Some(AOI),
            credential: None,
        };
        check(&[by(Kind::Identity, sign_in)], Asked, &[Refused]);
    }
}
