//! Tables that are older than what was recorded of them: somebody put an older copy in their place,
//! or took them away, while nobody looked. What was ended since is ended again, from the evidence;
//! what was made since is gone, and whoever misses it is given a new one.

use crate::Fault;
use crate::friends::Friends;
use crate::marks::{self, DECOY_ADDED};
use crate::requests::NOTED;
use crate::tables::{Marks as Table, Tables};
use crate::voices::take_back;
use evidence::Body;
use journal::{Behind, Notes};
use rows::RowKey;
use std::rc::Rc;
use terms::{RequestId, TenantId, UserId};
use wire::approval::State;

/// People who are named in an alarm; of more, how many.
const NAMED: usize = 5;

/// The tables' own memory of their deeds, by a way of its own: it is durable before what the deed
/// itself changes.
pub struct Own {
    pub tables: Tables,
    pub key: Rc<RowKey>,
}

impl Notes for Own {
    fn read(&mut self) -> Option<Vec<u8>> {
        self.tables.note(&self.key, NOTED).ok().flatten()
    }

    fn keep(&mut self, noted: &[u8]) -> bool {
        self.tables.keep_note(&self.key, NOTED, &noted).is_ok()
    }
}

/// What was done again.
#[derive(Default)]
pub struct Again {
    deeds: u64,
    revoked: u64,
    requests: u64,
    decoys: u64,
    /// Whose password was another one since: the old one opens nothing.
    void: Vec<UserId>,
}

/// Does again what the tables have forgotten. It is recorded already; whatever is done twice, after
/// a crash, comes to the same.
pub fn do_again(
    (tables, key): (&Tables, &RowKey),
    friends: &mut Friends,
    behind: Behind,
) -> Result<Again, Fault> {
    let mut again = Again::default();
    let mut next = Some(behind.from_index);
    while let Some(from_index) = next {
        let (deeds, more) = friends.journal.forgotten(from_index).map_err(Fault::Unrecorded)?;
        for deed in deeds {
            again.deeds += 1;
            again.one((tables, key), deed, behind.is_blank)?;
        }
        next = more;
    }
    match friends.journal.catch_up(behind.last) {
        true => Ok(again),
        false => Err(Fault::Unrecorded(journal::Fault::Unnoted)),
    }
}

impl Again {
    fn one(&mut self, at: (&Tables, &RowKey), deed: Body, is_blank: bool) -> Result<(), Fault> {
        let (tables, key) = at;
        match deed {
            Body::RuleChange { what, tenant, user, credential, .. } => {
                match (what.as_str(), user) {
                    ("app-password.revoke", _) => {
                        if let Some(look_up) = credential {
                            self.revoked += u64::from(tables.revoke(key, look_up.as_str())?);
                        }
                        Ok(())
                    }
                    ("person.disable", Some(user)) => shut_out(at, user, true),
                    ("person.enable", Some(user)) => shut_out(at, user, false),
                    (DECOY_ADDED, Some(user)) => self.mark_decoy(at, tenant, user),
                    // Tables that remember nothing may be newer than a change of a password.
                    ("password.change" | "person.reset", Some(user)) if !is_blank => {
                        self.make_void(at, user)
                    }
                    ("approvals.two-persons", _) => tables.keep_two_persons(key, true),
                    ("approvals.single-operator", _) => tables.keep_two_persons(key, false),
                    _ => Ok(()),
                }
            }
            Body::CarryOut { request, .. } => self.close(at, request, State::CarriedOut),
            Body::Deny { request, .. } => self.close(at, request, State::Denied),
            Body::Expire { request } => self.close(at, request, State::Expired),
            Body::Freeze { what, tenant, user, .. } => {
                marks::freeze_again(tables, key, (what.as_str(), tenant, user), true)
            }
            Body::Unfreeze { what, tenant, user, .. } => {
                marks::freeze_again(tables, key, (what.as_str(), tenant, user), false)
            }
            _ => Ok(()),
        }
    }

    /// Its secret is gone, and its name tells.
    fn mark_decoy(
        &mut self,
        (tables, key): (&Tables, &RowKey),
        tenant: Option<TenantId>,
        user: UserId,
    ) -> Result<(), Fault> {
        let Some(tenant) = tenant else { return Ok(()) };
        self.decoys += 1;
        tables.keep_mark(key, Table::Decoy, &user.0, &(tenant, user))
    }

    /// A password that was changed since is nobody's any more: whoever knew the old one may be why.
    fn make_void(&mut self, (tables, key): (&Tables, &RowKey), user: UserId) -> Result<(), Fault> {
        let Some(mut row) = tables.person(key, user)? else { return Ok(()) };
        row.verifier.clear();
        tables.keep_person(key, user, &row)?;
        tables.keep_own_password(key, user, false)?;
        if !self.void.contains(&user) {
            self.void.push(user);
        }
        Ok(())
    }

    fn close(
        &mut self,
        (tables, key): (&Tables, &RowKey),
        request: RequestId,
        state: State,
    ) -> Result<(), Fault> {
        let Some(mut request) = tables.request(key, request)? else { return Ok(()) };
        if matches!(request.state, State::Open | State::Approved) {
            self.requests += 1;
            request.state = state;
            tables.keep_request(key, &request)?;
        }
        Ok(())
    }

    /// For an alarm.
    pub fn what(&self, is_blank: bool) -> String {
        let Self { deeds, revoked, requests, decoys, void } = self;
        let how = if is_blank { "remember nothing of what was" } else { "are older than what was" };
        let named: Vec<String> = void.iter().take(NAMED).map(ToString::to_string).collect();
        let named = named.join(", ");
        let whose = match void.len() {
            0 => String::new(),
            count => format!(
                "; {count} passwords that were changed since are void until `user reset` ({named})"
            ),
        };
        format!(
            "identity's tables {how} recorded of them: somebody put an older copy of DIR/identity \
             in its place, or removed it; of {deeds} changes what ended something is done again \
             ({revoked} app passwords, {requests} requests), what was made since is gone but \
             {decoys} decoys{whose}"
        )
    }
}

/// What they agreed to before counts no more, as when it was done.
fn shut_out((tables, key): (&Tables, &RowKey), user: UserId, disabled: bool) -> Result<(), Fault> {
    take_back((tables, key), user)?;
    let Some(mut row) = tables.person(key, user)? else { return Ok(()) };
    row.disabled = disabled;
    tables.keep_person(key, user, &row)
}
