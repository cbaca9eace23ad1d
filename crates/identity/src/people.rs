//! What the command line may change about people. Each change is recorded before it counts.

use crate::Fault;
use crate::approvals::FIRST;
use crate::friends::Friends;
use crate::marks::{DECOY_ADDED, Marks};
use crate::sessions::Sessions;
use crate::tables::{AppPasswordRow, PersonRow, Tables};
use crate::voices::is_approving;
use compartment::now_ms;
use evidence::{Body, Digest};
use rows::RowKey;
use terms::{InstanceId, Kind, RequestId, TenantId, UserId};
use wire::approval::{Act, Permission, Proof, WhoseLog};
use wire::identity::{A_DECOY, AppPassword, FromAdmin, Protocol, ToAdmin, Whose};
use wire::ledger::LostAt;

/// App passwords of one person: a few for each of their devices.
const APP_PASSWORDS: usize = 100;
/// Octets of a device's name.
pub const DEVICE_BYTES: usize = 100;
/// The longest life of a pass.
const PASS_MS: u64 = 72 * 60 * 60 * 1000;
/// How a change is marked where one person decides alone.
pub const WEAKENED: &str = "single-operator";

pub struct People<'a> {
    pub tables: &'a mut Tables,
    pub key: &'a RowKey,
    pub friends: &'a mut Friends,
    pub sessions: &'a mut Sessions,
    pub marks: &'a mut Marks,
    /// What the start-up file says.
    pub single_operator: bool,
    /// The process that speaks for the caller.
    pub asker: InstanceId,
}

pub fn refused(expected: &str, found: &str, hint: &str) -> ToAdmin {
    ToAdmin::Refused {
        expected: expected.to_owned(),
        found: found.to_owned(),
        hint: hint.to_owned(),
    }
}

impl People<'_> {
    pub fn carry_out(&mut self, question: FromAdmin) -> ToAdmin {
        let answer = match question {
            FromAdmin::PersonAdd { tenant, user, address, salt, digest } => {
                self.add(tenant, user, address, salt, &digest)
            }
            FromAdmin::PersonReset { user, salt, digest, permission } => {
                self.reset(user, salt, &digest, permission)
            }
            FromAdmin::PersonDisable { user, disabled } => self.shut_out(user, disabled),
            FromAdmin::AppPasswordAdd { user, protocol, device, key, digest, permission } => {
                self.add_app_password(user, protocol, device, (key, digest), permission)
            }
            FromAdmin::AppPasswordList { user } => self.list_app_passwords(user),
            FromAdmin::AppPasswordRevoke { key } => self.revoke_app_password(&key),
            FromAdmin::Carry { act, permission } => self.carry(act, permission),
            FromAdmin::PassAdd { act, key, digest, permission } => {
                self.add_pass(&act, key, &digest, permission)
            }
            FromAdmin::Salt { address } => self.salt(&address),
            FromAdmin::Requests => self.list_requests(),
            FromAdmin::Request(id) => self.show_request(id),
            FromAdmin::Agree { request, proof } => self.agree(request, &proof),
            FromAdmin::Deny { request, proof } => self.deny(request, &proof),
            FromAdmin::Mode => self.mode(),
            FromAdmin::TwoPersons => self.two_persons(),
            FromAdmin::PasswordChange { proof, salt, digest } => {
                self.change_password(&proof, salt, &digest)
            }
            FromAdmin::Decoy { user } => self.make_decoy(user),
            FromAdmin::Freeze(whose) => self.freeze(whose),
            FromAdmin::Frozen => Ok(ToAdmin::Frozen(self.marks.frozen())),
        };
        answer.unwrap_or_else(|fault| ToAdmin::Fault(fault.story()))
    }

    fn add(
        &mut self,
        tenant: TenantId,
        user: UserId,
        address: String,
        salt: Vec<u8>,
        digest: &[u8],
    ) -> Result<ToAdmin, Fault> {
        if self.tables.person(self.key, user)?.is_some() {
            return Ok(refused("a person without a password", &address, "use `user reset`"));
        }
        let verifier = self.friends.verifier("password", digest)?;
        self.record_secret(tenant, user, "person.add", (None, None))?;
        let row = PersonRow { tenant, address, salt, verifier, disabled: false };
        self.tables.keep_person(self.key, user, &row)?;
        Ok(ToAdmin::Done { weakened: None })
    }

    fn reset(
        &mut self,
        user: UserId,
        salt: Vec<u8>,
        digest: &[u8],
        permission: Permission,
    ) -> Result<ToAdmin, Fault> {
        let Some(mut row) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        let act = Act::ResetPassword { tenant: row.tenant, user };
        let weakened = match self.permit(&act, permission)? {
            Ok(permit) => permit.weakened,
            Err(answer) => return Ok(*answer),
        };
        row.verifier = self.friends.verifier("password", digest)?;
        row.salt = salt;
        self.record_secret(row.tenant, user, "person.reset", (weakened, None))?;
        self.tables.keep_person(self.key, user, &row)?;
        self.tables.keep_own_password(self.key, user, false)?;
        self.sessions.end_of(Some(user), None, self.friends);
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
    }

    /// Whoever may approve is shut out and let in by an act for two.
    fn shut_out(&mut self, user: UserId, disabled: bool) -> Result<ToAdmin, Fault> {
        let Some(row) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        if self.is_approver(row.tenant, user)? {
            let hint = "user disable does, user enable lets in again";
            return Ok(refused("a role that identity permits", &row.address, hint));
        }
        self.disable(user, disabled)
    }

    pub(crate) fn disable(&mut self, user: UserId, disabled: bool) -> Result<ToAdmin, Fault> {
        let Some(mut row) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        let what = if disabled { "person.disable" } else { "person.enable" };
        self.record(row.tenant, user, what, None)?;
        self.take_back_voices(user)?;
        row.disabled = disabled;
        self.tables.keep_person(self.key, user, &row)?;
        if disabled {
            self.sessions.end_of(Some(user), None, self.friends);
        }
        Ok(ToAdmin::Done { weakened: None })
    }

    fn add_app_password(
        &mut self,
        user: UserId,
        protocol: Protocol,
        device: String,
        (key, digest): (String, Vec<u8>),
        permission: Permission,
    ) -> Result<ToAdmin, Fault> {
        if matches!(protocol, Protocol::Pass(_)) {
            return Ok(refused("imap, pop3 or smtp", protocol.word(), "a pass is another request"));
        }
        let Some(person) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        let others = self.tables.app_passwords(self.key, user)?;
        let live = others.iter().filter(|other| !other.revoked && other.row.key != key).count();
        if device.len() > DEVICE_BYTES {
            let found = format!("one of {} octets", device.len());
            let hint = "--device \"Ann's phone\"";
            return Ok(refused("a device's name of 100 octets at most", &found, hint));
        }
        if !terms::plain::is_plain(&device) {
            let found = "one with a line break, an escape or another hidden letter";
            let hint = "--device \"Ann's phone\"";
            return Ok(refused("a device's name on one line", found, hint));
        }
        if live >= APP_PASSWORDS {
            let hint = "see which are used: app-password list ADDRESS; then app-password revoke ID";
            return Ok(refused("at most 100 live app passwords", &format!("{live}"), hint));
        }
        let verifier = self.friends.verifier("app-password", &digest)?;
        if let Some(found) = self.tables.app_password(self.key, &key)?
            && (found.user, found.row.protocol) == (user, protocol)
            && !found.revoked
            && found.row.verifier == verifier
        {
            // The very same secret again, as a restarted demo brings it: nothing new opens.
            return Ok(ToAdmin::Done { weakened: self.weakening()? });
        }
        let act = Act::AppPassword { tenant: person.tenant, user, protocol, device };
        let weakened = match self.permit(&act, permission)? {
            Ok(permit) => permit.weakened,
            Err(answer) => return Ok(*answer),
        };
        let Act::AppPassword { device, .. } = act else { return Ok(nobody(user)) };
        let what = "app-password.add";
        self.record_secret(person.tenant, user, what, (weakened, Some(&*key)))?;
        let row = AppPasswordRow { key, protocol, device, verifier, made_ms: now_ms() };
        self.tables.add_app_password(self.key, user, &row)?;
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
    }

    fn weakening(&self) -> Result<Option<String>, Fault> {
        Ok((!self.needs_two()?).then(|| WEAKENED.to_owned()))
    }

    fn list_app_passwords(&mut self, user: UserId) -> Result<ToAdmin, Fault> {
        let found = self.tables.app_passwords(self.key, user)?;
        let shown = found.into_iter().map(|found| AppPassword {
            key: found.row.key,
            protocol: found.row.protocol,
            device: found.row.device,
            made_ms: found.row.made_ms,
            last_used_ms: found.last_used_ms,
            revoked: found.revoked,
        });
        Ok(ToAdmin::AppPasswords(shown.collect()))
    }

    fn revoke_app_password(&mut self, key: &str) -> Result<ToAdmin, Fault> {
        let Some(found) = self.tables.app_password(self.key, key)? else {
            let hint = "see `app-password list ADDRESS`";
            return Ok(refused("the id of an app password", key, hint));
        };
        let Some(person) = self.tables.person(self.key, found.user)? else {
            return Ok(nobody(found.user));
        };
        let what = "app-password.revoke";
        self.record_secret(person.tenant, found.user, what, (None, Some(key)))?;
        self.tables.revoke(self.key, key)?;
        self.sessions.end_of(None, Some(key), self.friends);
        Ok(ToAdmin::Done { weakened: None })
    }

    /// A person's own new password. Whoever made the first one could have come before them: that
    /// it was the first which changed is recorded.
    fn change_password(
        &mut self,
        proof: &Proof,
        salt: Vec<u8>,
        digest: &[u8],
    ) -> Result<ToAdmin, Fault> {
        let who = match self.prove(proof)? {
            Ok(who) => who,
            Err(answer) => return Ok(*answer),
        };
        let user = who.user;
        let Some(mut row) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        row.verifier = self.friends.verifier("password", digest)?;
        row.salt = salt;
        let is_own = self.tables.is_own_password(self.key, user)?;
        let weakened = (!is_own).then_some(FIRST);
        self.record_secret(row.tenant, user, "password.change", (weakened, None))?;
        self.tables.keep_person(self.key, user, &row)?;
        self.tables.keep_own_password(self.key, user, true)?;
        Ok(ToAdmin::Done { weakened: None })
    }

    /// What the directory does, once it is permitted here.
    fn carry(&mut self, act: Act, permission: Permission) -> Result<ToAdmin, Fault> {
        if act == Act::SingleOperator && !self.single_operator {
            let hint = "set house.approvals to single-operator and start again, then ask";
            return Ok(refused("a start-up file that agrees", "two-persons", hint));
        }
        if let Act::Keys(act) = &act
            && !act.needs_two()
        {
            return Ok(refused("an act for two persons", act.word(), "see `sekisho help`"));
        }
        // At asking and at carrying out: nobody agrees to what never happened.
        if let Act::AcknowledgeLoss { whose, size, root } = &act
            && !self.is_lost(*whose, &LostAt { size: *size, root: *root })?
        {
            let hint = "sekisho ledger verify tells what is missing; what was found missing since \
                        the house started is known after its next start";
            return Ok(refused("a loss of which a statement is kept", "none", hint));
        }
        let (weakened, request) = match self.permit(&act, permission)? {
            Ok(permit) => (permit.weakened, permit.request),
            Err(answer) => return Ok(*answer),
        };
        match act {
            Act::AcknowledgeLoss { whose, size, root } => {
                self.acknowledge(whose, LostAt { size, root }, (request, weakened))
            }
            Act::SingleOperator => self.single_operator(weakened),
            Act::Keys(keys) => {
                self.record_act(&Act::Keys(keys.clone()), weakened)?;
                let answer = Box::new(self.friends.act(keys)?);
                Ok(ToAdmin::Acted { answer, weakened: weakened.map(str::to_owned) })
            }
            Act::Thaw(whose) => self.thaw(whose, weakened),
            Act::Disable { user, disabled, .. } => {
                self.record_act(&act, weakened)?;
                let answer = Box::new(self.friends.carry(act)?);
                if matches!(*answer, wire::directory::ToAdmin::User(_)) {
                    self.disable(user, disabled)?;
                }
                Ok(ToAdmin::Carried { answer, weakened: weakened.map(str::to_owned) })
            }
            // The warden does it, by the operator's word.
            Act::Other { .. } | Act::Rejoin(_) => {
                self.record_act(&act, weakened)?;
                Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
            }
            act => {
                if !matches!(&act, Act::AddPerson { role, .. } if !is_approving(role)) {
                    self.record_act(&act, weakened)?;
                }
                let answer = Box::new(self.friends.carry(act)?);
                Ok(ToAdmin::Carried { answer, weakened: weakened.map(str::to_owned) })
            }
        }
    }

    /// The entry is all that is done: whoever reads the logs looks for it. The directory has no
    /// log; it is told.
    fn acknowledge(
        &mut self,
        whose: WhoseLog,
        LostAt { size, root }: LostAt,
        (request, weakened): (Option<RequestId>, Option<&'static str>),
    ) -> Result<ToAdmin, Fault> {
        let forgotten = match whose {
            WhoseLog::Directory => self.friends.directory_forgot()?,
            _ => None,
        };
        let size = forgotten.unwrap_or(size);
        self.write(Body::LossAcknowledged {
            whose: whose.word().into(),
            size,
            root: Digest(root),
            request,
            weakened: weakened.map(Into::into),
        })?;
        if whose == WhoseLog::Directory {
            self.friends.carry(Act::AcknowledgeLoss { whose, size, root })?;
        }
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
    }

    /// A pass for somebody else's reading: an app password for one purpose and a short time.
    fn add_pass(
        &mut self,
        act: &Act,
        key: String,
        digest: &[u8],
        permission: Permission,
    ) -> Result<ToAdmin, Fault> {
        let Act::Read { user, purpose, for_ms, .. } = act else {
            return Ok(refused("a reading", act.word(), "see `sekisho help`"));
        };
        let (user, now) = (*user, now_ms());
        if *for_ms == 0 || *for_ms > PASS_MS {
            let hint = "--for 1h to 72h";
            return Ok(refused("at most 72 hours", &format!("{for_ms} ms"), hint));
        }
        if self.marks.is_decoy(user) {
            // To sign in with it would be an alarm, and nobody's mail lies there.
            return Ok(refused("a person", A_DECOY, "nobody's mail lies there; leave it out"));
        }
        if self.tables.person(self.key, user)?.is_none() {
            return Ok(nobody(user));
        }
        let (weakened, request) = match self.permit(act, permission)? {
            Ok(permit) => (permit.weakened, permit.request),
            Err(answer) => return Ok(*answer),
        };
        let verifier = self.friends.verifier("app-password", digest)?;
        self.write(Body::RuleChange {
            what: act.word().into(),
            tenant: act.tenant(),
            user: act.user(),
            weakened: weakened.map(Into::into),
            by: Some(self.asker),
            credential: Some(key.as_str().into()),
        })?;
        // The device says under which request, and until when.
        let request = request.map(|request| request.to_string()).unwrap_or_default();
        let device = format!("{}:{request}", now + for_ms);
        let protocol = Protocol::Pass(*purpose);
        let row = AppPasswordRow { key, protocol, device, verifier, made_ms: now };
        self.tables.add_app_password(self.key, user, &row)?;
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
    }

    /// Whether the ledger and its mirror keep a statement of just this loss.
    fn is_lost(&mut self, whose: WhoseLog, at: &LostAt) -> Result<bool, Fault> {
        if whose == WhoseLog::Directory {
            return Ok(self.friends.directory_forgot()?.is_some());
        }
        let (ledger, mirror) = self.friends.journal.lost().map_err(Fault::Unrecorded)?;
        Ok(match whose {
            WhoseLog::Ledger => ledger.contains(at),
            WhoseLog::Mirror => mirror.contains(at),
            WhoseLog::Both => ledger.contains(at) && mirror.contains(at),
            WhoseLog::Directory => false,
            // It is asked itself, before and after.
            WhoseLog::Mailbox => true,
        })
    }

    fn record_act(&mut self, act: &Act, weakened: Option<&str>) -> Result<(), Fault> {
        self.write(Body::RuleChange {
            what: act.word().into(),
            tenant: act.tenant(),
            user: act.user(),
            weakened: weakened.map(Into::into),
            by: None,
            credential: None,
        })
    }

    pub fn write(&mut self, body: Body) -> Result<(), Fault> {
        self.friends.journal.record(body).map_err(Fault::Unrecorded)
    }

    fn make_decoy(&mut self, user: UserId) -> Result<ToAdmin, Fault> {
        let Some(person) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        if !self.marks.is_decoy(user) {
            self.record(person.tenant, user, DECOY_ADDED, None)?;
        }
        self.marks.add_decoy(self.tables, self.key, (person.tenant, user))?;
        Ok(ToAdmin::Done { weakened: None })
    }

    /// An operator's word, at once: it protects.
    fn freeze(&mut self, whose: Whose) -> Result<ToAdmin, Fault> {
        let with = (&*self.tables, self.key, &mut *self.friends);
        if !self.marks.freeze(with, whose, true, Kind::Admin.word())? {
            let hint = "see `sekisho freeze list`";
            return Ok(refused("somebody who is not frozen", "none", hint));
        }
        self.sessions.end_whose(whose, self.friends);
        Ok(ToAdmin::Done { weakened: None })
    }

    fn thaw(&mut self, whose: Whose, weakened: Option<&str>) -> Result<ToAdmin, Fault> {
        self.record_act(&Act::Thaw(whose), weakened)?;
        let with = (&*self.tables, self.key, &mut *self.friends);
        if !self.marks.freeze(with, whose, false, Kind::Admin.word())? {
            return Ok(refused("a freeze to lift", "none", "see `sekisho freeze list`"));
        }
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
    }

    pub fn record(
        &mut self,
        tenant: TenantId,
        user: UserId,
        what: &str,
        weakened: Option<&str>,
    ) -> Result<(), Fault> {
        self.record_change((tenant, user), what, (weakened, None), None)
    }

    /// A secret was made, or ended: who brought it may know it, so that a scope follows what it
    /// opens. `credential` is an app password's id.
    pub fn record_secret(
        &mut self,
        tenant: TenantId,
        user: UserId,
        what: &str,
        details: (Option<&str>, Option<&str>),
    ) -> Result<(), Fault> {
        self.record_change((tenant, user), what, details, Some(self.asker))
    }

    fn record_change(
        &mut self,
        (tenant, user): (TenantId, UserId),
        what: &str,
        (weakened, credential): (Option<&str>, Option<&str>),
        by: Option<InstanceId>,
    ) -> Result<(), Fault> {
        self.write(Body::RuleChange {
            what: what.into(),
            tenant: Some(tenant),
            user: Some(user),
            weakened: weakened.map(Into::into),
            by,
            credential: credential.map(Into::into),
        })
    }
}

fn nobody(user: UserId) -> ToAdmin {
    refused("a person", &user.to_string(), "see `user list`")
}
