//! What the command line may change about people. Each change is recorded before it counts.

use crate::Fault;
use crate::friends::Friends;
use crate::marks::Marks;
use crate::sessions::Sessions;
use crate::tables::{AppPasswordRow, PersonRow, Tables};
use compartment::now_ms;
use evidence::Body;
use rows::RowKey;
use terms::{Kind, TenantId, UserId};
use wire::identity::{AppPassword, FromAdmin, Protocol, ToAdmin, Whose};

/// App passwords of one person: a few for each of their devices.
const APP_PASSWORDS: usize = 100;
const DEVICE_BYTES: usize = 100;
/// How a change is marked while nobody can approve it.
const WEAKENED: &str = "single-operator";

pub struct People<'a> {
    pub tables: &'a Tables,
    pub key: &'a RowKey,
    pub friends: &'a mut Friends,
    pub sessions: &'a mut Sessions,
    pub marks: &'a mut Marks,
    pub single_operator: bool,
}

fn refused(expected: &str, found: &str, hint: &str) -> ToAdmin {
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
            FromAdmin::PersonReset { user, salt, digest } => self.reset(user, salt, &digest),
            FromAdmin::PersonDisable { user, disabled } => self.disable(user, disabled),
            FromAdmin::AppPasswordAdd { user, protocol, device, key, digest } => {
                self.add_app_password(user, protocol, device, key, &digest)
            }
            FromAdmin::AppPasswordList { user } => self.list_app_passwords(user),
            FromAdmin::AppPasswordRevoke { key } => self.revoke_app_password(&key),
            FromAdmin::Decoy { user } => self.make_decoy(user),
            FromAdmin::Freeze { whose, frozen } => self.freeze(whose, frozen),
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
        self.record(tenant, user, "person.add", None)?;
        let row = PersonRow { tenant, address, salt, verifier, disabled: false };
        self.tables.keep_person(self.key, user, &row)?;
        Ok(ToAdmin::Done { weakened: None })
    }

    fn reset(&mut self, user: UserId, salt: Vec<u8>, digest: &[u8]) -> Result<ToAdmin, Fault> {
        let Some(mut row) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        row.verifier = self.friends.verifier("password", digest)?;
        row.salt = salt;
        let weakened = self.weakening();
        self.record(row.tenant, user, "person.reset", weakened)?;
        self.tables.keep_person(self.key, user, &row)?;
        self.sessions.end_of(Some(user), None, self.friends);
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
    }

    fn disable(&mut self, user: UserId, disabled: bool) -> Result<ToAdmin, Fault> {
        let Some(mut row) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        let what = if disabled { "person.disable" } else { "person.enable" };
        self.record(row.tenant, user, what, None)?;
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
        key: String,
        digest: &[u8],
    ) -> Result<ToAdmin, Fault> {
        let Some(person) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        let others = self.tables.app_passwords(self.key, user)?;
        let live = others.iter().filter(|other| !other.revoked && other.row.key != key).count();
        if live >= APP_PASSWORDS || device.len() > DEVICE_BYTES {
            let found = format!("{live} app passwords, a device name of {} octets", device.len());
            let hint = "revoke one that is not used: app-password revoke ID";
            return Ok(refused("at most 100 live ones, names of 100 octets", &found, hint));
        }
        let verifier = self.friends.verifier("app-password", digest)?;
        let weakened = self.weakening();
        self.record(person.tenant, user, "app-password.add", weakened)?;
        let row = AppPasswordRow { key, protocol, device, verifier, made_ms: now_ms() };
        self.tables.add_app_password(self.key, user, &row)?;
        Ok(ToAdmin::Done { weakened: weakened.map(str::to_owned) })
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
            let hint = "the id is printed by `app-password add`";
            return Ok(refused("the id of an app password", key, hint));
        };
        let Some(person) = self.tables.person(self.key, found.user)? else {
            return Ok(nobody(found.user));
        };
        self.record(person.tenant, found.user, "app-password.revoke", None)?;
        self.tables.revoke(self.key, key)?;
        self.sessions.end_of(None, Some(key), self.friends);
        Ok(ToAdmin::Done { weakened: None })
    }

    fn make_decoy(&mut self, user: UserId) -> Result<ToAdmin, Fault> {
        let Some(person) = self.tables.person(self.key, user)? else { return Ok(nobody(user)) };
        self.marks.add_decoy(self.tables, self.key, (person.tenant, user))?;
        Ok(ToAdmin::Done { weakened: None })
    }

    /// An operator's word. Lifting a freeze is what two persons should approve.
    fn freeze(&mut self, whose: Whose, frozen: bool) -> Result<ToAdmin, Fault> {
        let with = (self.tables, self.key, &mut *self.friends);
        let is_new = self.marks.freeze(with, whose, frozen, Kind::Admin)?;
        if !is_new {
            let expected = if frozen { "somebody who is not frozen" } else { "a freeze to lift" };
            return Ok(refused(expected, "none", "see `sekisho freeze list`"));
        }
        if frozen {
            self.sessions.end_whose(whose, self.friends);
        }
        let weakened = self.weakening().filter(|_| !frozen).map(str::to_owned);
        Ok(ToAdmin::Done { weakened })
    }

    /// Until two persons can approve, what would need them is done at once and marked.
    fn weakening(&self) -> Option<&'static str> {
        self.single_operator.then_some(WEAKENED)
    }

    fn record(
        &mut self,
        tenant: TenantId,
        user: UserId,
        what: &str,
        weakened: Option<&str>,
    ) -> Result<(), Fault> {
        let body = Body::RuleChange {
            what: what.into(),
            tenant: Some(tenant),
            user: Some(user),
            weakened: weakened.map(Into::into),
        };
        self.friends.journal.record(body).map_err(Fault::Unrecorded)
    }
}

fn nobody(user: UserId) -> ToAdmin {
    refused("a person", &user.to_string(), "see `user list`")
}
