//! What needs two persons: asked for with a reason, agreed to by two, done once.
//!
//! In an installation of one operator an act is permitted at once and marked. Else a request is
//! kept, and the act is done only under that request, after two persons other than the one who
//! asked proved who they are and agreed. What they agreed to is kept whole and compared whole.

use crate::Fault;
use crate::people::{People, WEAKENED, refused};
use crate::requests::Tries;
use crate::voices::is_approving;
use compartment::{now_ms, random};
use evidence::{Body, Digest, Word};
use sha2::{Digest as _, Sha256};
use terms::RequestId;
use terms::plain::is_plain;
use wire::approval::{Act, NEEDED, Permission, Proof, Request, State, Voice};
use wire::directory::Who;
use wire::identity::ToAdmin;
use wire::redirection::Redirection;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// How long a request waits unless it says otherwise.
const LASTS_MS: u64 = 24 * HOUR_MS;
/// The longest: who approves should remember why.
const LONGEST_MS: u64 = 7 * 24 * HOUR_MS;
/// A reason in octets: a few sentences.
const REASON_BYTES: usize = 2_000;
/// Whoever decides reads it, on a terminal.
const PLAIN: &str = "a reason without control characters or marks of writing direction";
/// Requests that wait at one time. More is a flood, and nobody reads it.
const OPEN: usize = 200;
/// Requests kept for those who look back; the ledger keeps their digests for good.
const KEPT_MS: u64 = 400 * 24 * HOUR_MS;
/// Wrong passwords of one person before they must wait.
const TRIES: u32 = 5;
const WAIT_MS: u64 = 15 * 60 * 1000;
/// How an act is marked that somebody did by a password that another person made and saw.
pub const FIRST: &str = "first-password";
const ADD_OPERATOR: &str = "approvers of other tenants do not count. First: user add ADDRESS \
    --tenant T --role operator; then one more of T with that role or --role approver";
const ADD_SECOND: &str = "still missing: user add ADDRESS --tenant T --role approver (or \
    operator), T being the operator's own tenant";
/// Separates a request's digest from everything else that is ever hashed.
const DOMAIN: &[u8] = b"sekisho approval v1\0";

/// An act may be done now.
pub struct Permit {
    /// The safeguard that it went without.
    pub weakened: Option<&'static str>,
    /// The request that was used up.
    pub request: Option<RequestId>,
}

/// Permitted, or what is answered instead.
type Permitted = Result<Permit, Box<ToAdmin>>;

fn no(answer: ToAdmin) -> Permitted {
    Err(Box::new(answer))
}

impl People<'_> {
    /// Whether `act` may be done now, under an approved request or without one. Without either, a
    /// request is made of it. What is permitted under a request is used up before it is done.
    pub fn permit(&mut self, act: &Act, permission: Permission) -> Result<Permitted, Fault> {
        let is_alone = !self.needs_two()?;
        if !is_alone && let Some(answer) = self.unless_two_are_left(act)? {
            return Ok(no(answer));
        }
        if let Some(request) = permission.request {
            return self.use_up(request, act);
        }
        if is_alone {
            return Ok(Ok(Permit { weakened: Some(WEAKENED), request: None }));
        }
        let by = match &permission.by {
            None => None,
            Some(proof) => match self.prove(proof)? {
                Ok(who) => Some(who),
                Err(answer) => return Ok(Err(answer)),
            },
        };
        if let Some(who) = by.as_ref().filter(|who| is_ones_own(act, who)) {
            let is_own = self.tables.is_own_password(self.key, who.user)?;
            return Ok(Ok(Permit { weakened: (!is_own).then_some(FIRST), request: None }));
        }
        if self.is_free(act)? {
            return Ok(Ok(Permit { weakened: None, request: None }));
        }
        self.ask(act, by.as_ref(), permission.reason, permission.lasts_ms)
    }

    pub fn needs_two(&self) -> Result<bool, Fault> {
        Ok(!self.single_operator || self.tables.is_two_persons(self.key)?)
    }

    /// What nobody else need agree to: somebody without a voice is added; and as long as there are
    /// not two who could agree, voices are added, or let in that were shut out. Those who are shut
    /// out are known all the same: whoever shuts them out makes no room for others.
    fn is_free(&mut self, act: &Act) -> Result<bool, Fault> {
        if matches!(act, Act::AddPerson { role, .. } if !is_approving(role)) {
            return Ok(true);
        }
        let is_missing = |count: u32| (count as usize) < NEEDED;
        match act {
            Act::AddPerson { .. } => {
                let concerned = self.concerned(act)?;
                Ok(is_missing(self.friends.able(concerned)?.1))
            }
            Act::Disable { disabled: false, .. } => {
                let concerned = self.concerned(act)?;
                Ok(is_missing(self.friends.able(concerned)?.0))
            }
            _ => Ok(false),
        }
    }

    fn ask(
        &mut self,
        act: &Act,
        by: Option<&Who>,
        reason: Option<String>,
        lasts_ms: u64,
    ) -> Result<Permitted, Fault> {
        let now = now_ms();
        let open = self.open_requests(now)?;
        if let Some(same) = open.iter().find(|one| one.act == *act) {
            // Said again: what was approved meanwhile is done, else it still waits. What it says
            // besides binds as it was asked: other words would be dropped, so they are refused.
            let lasts_ms = (lasts_ms != 0).then(|| lasts_ms.min(LONGEST_MS));
            if let Some(other) = says_otherwise(same, by, reason.as_deref(), lasts_ms) {
                let hint = "leave it away, or have it denied (approval deny ID) and ask anew";
                return Ok(no(refused("the words of the request that waits", other, hint)));
            }
            return match same.state {
                State::Approved => self.use_up(same.request, act),
                _ => self.pending(same.clone(), by),
            };
        }
        let reason = reason.unwrap_or_default().trim().to_owned();
        if reason.is_empty() || reason.len() > REASON_BYTES {
            let found = format!("a reason of {} octets", reason.len());
            let hint = "say why: --reason TEXT (and who asks: --as ADDRESS); two persons decide";
            return Ok(no(refused("a reason of 1 to 2000 octets", &found, hint)));
        }
        if !is_plain(&reason) {
            let hint = "one line; --reason TEXT";
            return Ok(no(refused(PLAIN, "a letter that is not seen", hint)));
        }
        if open.len() >= OPEN {
            let hint = "answer or deny some: approval list";
            return Ok(no(refused("at most 200 open requests", &open.len().to_string(), hint)));
        }
        let lasts_ms = if lasts_ms == 0 { LASTS_MS } else { lasts_ms.min(LONGEST_MS) };
        let mut request = Request {
            request: RequestId(random()),
            act: act.clone(),
            reason,
            requester: by.map(|who| who.user),
            made_ms: now,
            expires_ms: now + lasts_ms,
            digest: [0; 32],
            approvals: Vec::new(),
            denied_by: None,
            state: State::Open,
            done_ms: None,
        };
        request.digest = digest(&request)?;
        self.write(Body::Request {
            request: request.request,
            what: Word::new(act.word()),
            digest: Digest(request.digest),
            until_ms: request.expires_ms,
            tenant: act.tenant(),
            user: act.user(),
            requester: request.requester,
        })?;
        self.tables.keep_request(self.key, &request)?;
        self.pending(request, by)
    }

    /// A request that waits. Who asks for it does not answer it: where fewer than two others may,
    /// it would wait in vain, and whoever asks hears it now.
    fn pending(&mut self, request: Request, by: Option<&Who>) -> Result<Permitted, Fault> {
        let request = Box::new(request);
        let concerned = self.concerned(&request.act)?;
        let Ok((able, _)) = self.friends.able(concerned) else {
            return Ok(no(ToAdmin::Pending(request)));
        };
        let asks_too = by.is_some_and(|who| who.may_approve(concerned));
        let others = able.saturating_sub(u32::from(asks_too));
        Ok(no(match (others as usize) < NEEDED {
            true => ToAdmin::PendingShort { request, others },
            false => ToAdmin::Pending(request),
        }))
    }

    /// The one use of an approved request: marked as used on the disk first, so that no crash
    /// gives it a second one; then recorded; then the caller acts.
    fn use_up(&mut self, id: RequestId, act: &Act) -> Result<Permitted, Fault> {
        let Some(mut request) = self.current(id)? else { return Ok(no(no_request(id))) };
        if request.state != State::Approved {
            let found = format!("a request that is {}", request.state.word());
            return Ok(no(refused("an approved request", &found, "approval show ID")));
        }
        if request.act != *act {
            let found = "another act than the one that was approved";
            let hint = "approval carry-out ID does what was approved";
            return Ok(no(refused("the act of this request", found, hint)));
        }
        let untouched = digest(&request)? == request.digest;
        if !untouched {
            let hint = "its row was changed; ask anew";
            return Ok(no(refused("a request as it was recorded", "another", hint)));
        }
        let voices = self.voices(&request)?;
        if voices < NEEDED {
            let found = format!("{voices} who still may");
            return Ok(no(refused(
                "two who agreed",
                &found,
                "another person: approval approve ID",
            )));
        }
        request.state = State::CarriedOut;
        request.done_ms = Some(now_ms());
        self.tables.keep_request(self.key, &request)?;
        self.write(Body::CarryOut {
            request: id,
            what: Word::new(act.word()),
            digest: Digest(request.digest),
            tenant: act.tenant(),
            user: act.user(),
        })?;
        Ok(Ok(Permit { weakened: None, request: Some(id) }))
    }

    pub fn agree(&mut self, id: RequestId, proof: &Proof) -> Result<ToAdmin, Fault> {
        let (who, mut request) = match self.called_upon(id, proof)? {
            Ok(found) => found,
            Err(answer) => return Ok(*answer),
        };
        if request.requester == Some(who.user) {
            let hint = "who asks does not agree; to take it back: approval deny ID";
            return Ok(refused("another than the requester", &proof.address, hint));
        }
        if request.approvals.iter().any(|voice| voice.user == who.user) {
            let hint = "the second approval is another person's";
            return Ok(refused("a person who has not approved yet", &proof.address, hint));
        }
        let approver = who.user;
        self.write(Body::Approve { request: id, tenant: who.tenant, approver })?;
        request.approvals.push(Voice { tenant: who.tenant, user: who.user, at_ms: now_ms() });
        if request.approvals.len() >= NEEDED {
            request.state = State::Approved;
        }
        self.tables.keep_request(self.key, &request)?;
        Ok(ToAdmin::Pending(Box::new(request)))
    }

    /// Also by whoever asked for it: so a request is taken back.
    pub fn deny(&mut self, id: RequestId, proof: &Proof) -> Result<ToAdmin, Fault> {
        let (who, mut request) = match self.called_upon(id, proof)? {
            Ok(found) => found,
            Err(answer) => return Ok(*answer),
        };
        let approver = who.user;
        self.write(Body::Deny { request: id, tenant: who.tenant, approver })?;
        request.state = State::Denied;
        request.denied_by = Some(Voice { tenant: who.tenant, user: who.user, at_ms: now_ms() });
        self.tables.keep_request(self.key, &request)?;
        Ok(ToAdmin::Pending(Box::new(request)))
    }

    /// A person who proved themselves and may answer this request, or asked for it; and the
    /// request.
    #[allow(clippy::type_complexity)]
    fn called_upon(
        &mut self,
        id: RequestId,
        proof: &Proof,
    ) -> Result<Result<(Who, Request), Box<ToAdmin>>, Fault> {
        let who = match self.prove(proof)? {
            Ok(who) => who,
            Err(answer) => return Ok(Err(answer)),
        };
        let Some(request) = self.current(id)? else { return Ok(Err(Box::new(no_request(id)))) };
        if !matches!(request.state, State::Open | State::Approved) {
            let found = format!("a request that is {}", request.state.word());
            return Ok(Err(Box::new(refused("an open request", &found, "approval list"))));
        }
        if request.requester == Some(who.user) {
            return Ok(Ok((who, request)));
        }
        let concerned = self.concerned(&request.act)?;
        if !who.may_approve(concerned) {
            let expected = match concerned {
                Some(_) => "an approver or tenant-admin of this tenant, or an operator's approver",
                None => "an operator, or an approver of an operator's tenant: it is for the house",
            };
            let found = format!("{}, {}", proof.address, who.role);
            return Ok(Err(Box::new(refused(expected, &found, "see `user list`"))));
        }
        Ok(Ok((who, request)))
    }

    /// Whoever this is, with the right password. Wrong ones are counted on the disk.
    pub fn prove(&mut self, proof: &Proof) -> Result<Result<Who, Box<ToAdmin>>, Fault> {
        let wrong = || Box::new(refused("the right password", "another", "ask the person"));
        let Some(who) = self.friends.who(&proof.address)? else { return Ok(Err(wrong())) };
        let Some(person) = self.tables.person(self.key, who.user)? else { return Ok(Err(wrong())) };
        let now = now_ms();
        let mut tries = self.tables.tries(self.key, who.user)?;
        if tries.wrong >= TRIES && now < tries.last_ms + WAIT_MS {
            let hint = "after five wrong ones, a quarter of an hour";
            return Ok(Err(Box::new(refused("a person who need not wait", &proof.address, hint))));
        }
        let is_right = self.friends.compare("password", &proof.digest, &person.verifier)?;
        let is_own = self.tables.is_own_password(self.key, who.user)?;
        self.write(Body::SignIn {
            instance: self.asker,
            protocol: if is_own { "approval" } else { FIRST }.into(),
            ok: is_right && !person.disabled,
            tenant: Some(who.tenant),
            user: Some(who.user),
            credential: None,
        })?;
        if !is_right || person.disabled || person.tenant != who.tenant {
            let wrong_now = if now > tries.last_ms + WAIT_MS { 1 } else { tries.wrong + 1 };
            tries = Tries { wrong: wrong_now, last_ms: now };
            self.tables.keep_tries(self.key, who.user, tries)?;
            return Ok(Err(wrong()));
        }
        if tries.wrong > 0 {
            self.tables.keep_tries(self.key, who.user, Tries::default())?;
        }
        Ok(Ok(who))
    }

    pub fn salt(&mut self, address: &str) -> Result<ToAdmin, Fault> {
        let person = match self.friends.who(address)? {
            Some(who) => self.tables.person(self.key, who.user)?,
            None => None,
        };
        let salt = person.map(|person| person.salt);
        // In whatever spelling one asks, one hears the same, as of somebody who is there.
        let address = plain(address);
        let none = || self.key.token("false-salt", address.as_bytes()).to_vec();
        Ok(ToAdmin::Salt(salt.unwrap_or_else(none)))
    }

    pub fn list_requests(&mut self) -> Result<ToAdmin, Fault> {
        self.expire()?;
        Ok(ToAdmin::Requests(self.tables.requests(self.key)?))
    }

    pub fn show_request(&mut self, id: RequestId) -> Result<ToAdmin, Fault> {
        let found = self.current(id)?;
        Ok(found.map_or_else(|| no_request(id), |found| ToAdmin::Pending(Box::new(found))))
    }

    pub fn mode(&mut self) -> Result<ToAdmin, Fault> {
        let two_persons = self.needs_two()?;
        let (able, _) = self.friends.able(None)?;
        let open = self.open_requests(now_ms())?.len() as u32;
        Ok(ToAdmin::Mode { two_persons, able, open })
    }

    /// From now on two persons decide, if there are two.
    pub fn two_persons(&mut self) -> Result<ToAdmin, Fault> {
        let (able, _) = self.friends.able(None)?;
        if (able as usize) < NEEDED {
            // An operator makes a tenant the house's own; only there do approvers count for all.
            let (found, hint) = match able {
                0 => ("nobody: there is no operator", ADD_OPERATOR),
                _ => ("one of them", ADD_SECOND),
            };
            let expected = "two persons who may approve for the whole house: an operator, and \
                            another operator or an approver of the operator's own tenant";
            return Ok(refused(expected, found, hint));
        }
        self.write(Body::RuleChange {
            what: "approvals.two-persons".into(),
            tenant: None,
            user: None,
            weakened: None,
            by: None,
            credential: None,
        })?;
        self.tables.keep_two_persons(self.key, true)?;
        self.mode()
    }

    /// Back to one operator, once that was permitted. The start-up file must say it as well.
    pub fn single_operator(&mut self, weakened: Option<&str>) -> Result<ToAdmin, Fault> {
        self.write(Body::RuleChange {
            what: "approvals.single-operator".into(),
            tenant: None,
            user: None,
            weakened: weakened.or(Some(WEAKENED)).map(Into::into),
            by: None,
            credential: None,
        })?;
        self.tables.keep_two_persons(self.key, false)?;
        self.mode()
    }

    fn current(&mut self, id: RequestId) -> Result<Option<Request>, Fault> {
        self.expire()?;
        self.tables.request(self.key, id)
    }

    fn open_requests(&mut self, now: u64) -> Result<Vec<Request>, Fault> {
        let all = self.tables.requests(self.key)?;
        let is_open = |one: &Request| {
            matches!(one.state, State::Open | State::Approved) && now < one.expires_ms
        };
        Ok(all.into_iter().filter(is_open).collect())
    }

    /// Requests whose time is over: recorded once. Very old ones are forgotten.
    pub fn expire(&mut self) -> Result<(), Fault> {
        let now = now_ms();
        for mut request in self.tables.requests(self.key)? {
            let is_open = matches!(request.state, State::Open | State::Approved);
            if is_open && now >= request.expires_ms {
                self.write(Body::Expire { request: request.request })?;
                request.state = State::Expired;
                self.tables.keep_request(self.key, &request)?;
            }
            if now > request.expires_ms + KEPT_MS {
                self.tables.forget_request(request.request)?;
            }
        }
        Ok(())
    }
}

/// One's own device, forward or answer while away.
fn is_ones_own(act: &Act, who: &Who) -> bool {
    match act {
        Act::AppPassword { user, .. } => who.user == *user,
        Act::Redirect { user, change, .. } => {
            let is_own = matches!(**change, Redirection::Forward { .. } | Redirection::Away { .. });
            is_own && Some(who.user) == *user
        }
        _ => false,
    }
}

/// What is said of a request that waits, and differs from it. Who carries it out may be another
/// than who asked.
fn says_otherwise(
    same: &Request,
    by: Option<&Who>,
    reason: Option<&str>,
    lasts_ms: Option<u64>,
) -> Option<&'static str> {
    let is_other_person = by.is_some_and(|who| Some(who.user) != same.requester);
    if same.state == State::Open && is_other_person {
        return Some("another requester (--as)");
    }
    if reason.is_some_and(|reason| reason.trim() != same.reason) {
        return Some("another reason (--reason)");
    }
    lasts_ms
        .is_some_and(|lasts_ms| lasts_ms != same.expires_ms - same.made_ms)
        .then_some("another end (--expires)")
}

/// An address in the one spelling that the directory finds, without a tag.
fn plain(address: &str) -> String {
    let (local, domain) = address.trim().rsplit_once('@').unwrap_or((address.trim(), ""));
    let domain = terms::ascii_name(&terms::mapped_name(domain));
    format!("{}@{domain}", terms::plain_local(local))
}

/// What binds an approval to exactly one act.
fn digest(request: &Request) -> Result<[u8; 32], Fault> {
    let Request { request, act, reason, requester, made_ms, expires_ms, .. } = request;
    let words = (request, act, reason, requester, made_ms, expires_ms);
    let plain = postcard::to_stdvec(&words).map_err(|_| Fault::Encode)?;
    Ok(Sha256::new().chain_update(DOMAIN).chain_update(plain).finalize().into())
}

fn no_request(id: RequestId) -> ToAdmin {
    refused("the id of a request", &id.to_string(), "approval list")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn every_spelling_of_nobody_hears_the_same_salt() {
        for typed in
            ["だ@例え.jp", " た\u{3099}@例え。JP", "だ+x@xn--r8jz45g.jp", "だ＋ｘ@例え．ｊｐ"]
        {
            assert_eq!(plain(typed), "だ@xn--r8jz45g.jp", "{typed}");
        }
    }
}
