//! Whose voice counts for what, and that two are always left.
//!
//! Whoever makes, unmakes or speaks as somebody who decides for the house decides for the house:
//! so such acts concern it, whatever contract they are done in.

use crate::Fault;
use crate::people::{People, refused};
use crate::tables::Tables;
use rows::RowKey;
use terms::{TenantId, UserId};
use wire::approval::{Act, NEEDED, Request, State};
use wire::directory::{APPROVING, Part, is_of_house};
use wire::identity::ToAdmin;

impl People<'_> {
    /// Whose approvers decide about this act; none: the house's own.
    pub fn concerned(&mut self, act: &Act) -> Result<Option<TenantId>, Fault> {
        let part = match act {
            Act::AddPerson { tenant, role, .. } => {
                let standing = self.friends.standing(Part { tenant: *tenant, user: None })?;
                let is_of_house = is_of_house(role, standing.of_house);
                return Ok((!is_of_house).then_some(*tenant));
            }
            Act::TerminateTenant { tenant, .. } => Part { tenant: *tenant, user: None },
            Act::ResetPassword { tenant, user }
            | Act::TerminateUser { tenant, user, .. }
            | Act::Disable { tenant, user, .. } => Part { tenant: *tenant, user: Some(*user) },
            other => return Ok(other.tenant()),
        };
        let standing = self.friends.standing(part)?;
        let is_of_house = match (&standing.role, part.user) {
            (Some(role), _) => is_of_house(role, standing.of_house),
            (None, None) => standing.of_house,
            (None, Some(_)) => false,
        };
        Ok((!is_of_house).then_some(part.tenant))
    }

    /// The answer to an act after which no two would be left to decide. Nobody could undo it.
    pub fn unless_two_are_left(&mut self, act: &Act) -> Result<Option<ToAdmin>, Fault> {
        let part = match act {
            Act::Disable { tenant, user, disabled: true }
            | Act::TerminateUser { tenant, user, .. } => {
                Part { tenant: *tenant, user: Some(*user) }
            }
            Act::TerminateTenant { tenant, .. } => Part { tenant: *tenant, user: None },
            _ => return Ok(None),
        };
        let standing = self.friends.standing(part)?;
        let left = match self.concerned(act)? {
            None => standing.left_of_house,
            // With the contract its own approvers go, and nothing that they decide about is left.
            Some(_) if part.user.is_none() => return Ok(None),
            Some(_) if !standing.role.is_some_and(|role| is_approving(&role)) => return Ok(None),
            Some(_) => standing.left,
        };
        let found = format!("{left} without them");
        let hint = "first add one: user add ADDRESS --tenant T --role approver (or operator)";
        let expected = "two persons who may approve, also afterwards";
        Ok(((left as usize) < NEEDED).then(|| refused(expected, &found, hint)))
    }

    /// How many of those who agreed may still do so: a voice goes with its role.
    pub fn voices(&mut self, request: &Request) -> Result<usize, Fault> {
        let concerned = self.concerned(&request.act)?;
        let mut count = 0;
        for voice in &request.approvals {
            let Some(person) = self.tables.person(self.key, voice.user)? else { continue };
            let who = self.friends.who(&person.address)?;
            let counts = who.is_some_and(|who| {
                who.user == voice.user && who.may_approve(concerned) && !person.disabled
            });
            count += usize::from(counts);
        }
        Ok(count)
    }

    /// A person is shut out, or let in again: what they agreed to before counts no more, and they
    /// may agree anew. Before the change itself, so that no crash leaves a voice behind.
    pub fn take_back_voices(&mut self, user: UserId) -> Result<(), Fault> {
        take_back((self.tables, self.key), user)
    }

    /// Whether the person's role lets them approve anything, shut out or not.
    pub fn is_approver(&mut self, tenant: TenantId, user: UserId) -> Result<bool, Fault> {
        let standing = self.friends.standing(Part { tenant, user: Some(user) })?;
        Ok(standing.role.is_some_and(|role| is_approving(&role)))
    }
}

pub fn is_approving(role: &str) -> bool {
    APPROVING.contains(&role)
}

/// Takes a person's voice off every request that waits.
pub fn take_back((tables, key): (&Tables, &RowKey), user: UserId) -> Result<(), Fault> {
    for mut request in tables.requests(key)? {
        let before = request.approvals.len();
        request.approvals.retain(|voice| voice.user != user);
        let waits = matches!(request.state, State::Open | State::Approved);
        if !waits || request.approvals.len() == before {
            continue;
        }
        if request.approvals.len() < NEEDED {
            request.state = State::Open;
        }
        tables.keep_request(key, &request)?;
    }
    Ok(())
}
