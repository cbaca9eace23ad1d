//! Addresses of several people that some of them write as, such as a desk's: groups whose people
//! were named for it. Mail for the address reaches the group as it always does; whoever writes as
//! it is recorded, limited and braked as themselves.
//!
//! Only those whom the group's mail reaches may: they see what is answered, and notices of what
//! failed find them. Whoever leaves the group, or the house, loses it with that.

use crate::Fault;
use crate::changes::{Changes, refused};
use crate::passing::no_group;
use crate::resolve::{Lookup, PEOPLE};
use crate::ways::GroupRow;
use compartment::now_ms;
use terms::{TenantId, UserId};
use wire::directory::ToAdmin;

impl Lookup<'_> {
    /// Who may write as an address of several, as it was agreed; `None`: it is no such address.
    pub fn speakers(self, address: &str, tenant: TenantId) -> Result<Option<Vec<UserId>>, Fault> {
        let group = self.tables.group(self.key, address)?.filter(|(of, _)| *of == tenant);
        Ok(group.map(|(_, group)| group.speakers).filter(|speakers| !speakers.is_empty()))
    }

    /// Whether mail for an address is kept for this person, or goes on in their name.
    pub fn reaches(self, (address, tenant): (&str, TenantId), user: UserId) -> Result<bool, Fault> {
        let found = self.find(address, tenant)?;
        Ok(found.is_some_and(|found| {
            found.people.contains(&user) || found.onward.iter().any(|way| way.user == user)
        }))
    }
}

impl Changes<'_> {
    /// Who of a group's people may write as its address. More of them is an act for two: it lets
    /// them speak for the others.
    pub fn share(
        &mut self,
        address: &str,
        (with, without): (&[String], &[String]),
        none: bool,
    ) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((tenant, mut row)) = self.tables.group(self.key, &address)? else {
            return Ok(no_group(&address));
        };
        let before = row.speakers.clone();
        if none {
            row.speakers.clear();
        }
        for one in without {
            let one = self.kept(one)?;
            if let Some((user, ..)) = self.look_up(&one)? {
                row.speakers.retain(|speaker| *speaker != user);
            }
        }
        for one in with {
            match self.speaker(one, &address, tenant)? {
                Ok(user) if row.speakers.contains(&user) => {}
                Ok(user) => row.speakers.push(user),
                Err(refusal) => return Ok(refusal),
            }
        }
        if row.speakers.len() > PEOPLE {
            let hint = "take others out first: group share ADDRESS --without ADDRESS";
            return Ok(refused("at most 100 people", &row.speakers.len().to_string(), hint));
        }
        let is_more = row.speakers.iter().any(|user| !before.contains(user));
        if is_more && let Some(answer) = self.unless_agreed(tenant, None) {
            return Ok(answer);
        }
        self.friends.record_change(tenant, None, "group.share")?;
        self.keep_speakers(tenant, &row)?;
        Ok(ToAdmin::Groups(vec![self.shown(tenant, row)?]))
    }

    /// A person of the group's tenant whom its mail reaches.
    fn speaker(
        &self,
        one: &str,
        address: &str,
        tenant: TenantId,
    ) -> Result<Result<UserId, ToAdmin>, Fault> {
        let one = self.kept(one)?;
        let person = self.look_up(&one)?.filter(|(_, of, _)| *of == tenant);
        let Some((user, ..)) = person.filter(|(_, _, person)| !person.disabled) else {
            let hint = "see `user list --tenant T`";
            return Ok(Err(refused("the address of a person of the group's tenant", &one, hint)));
        };
        let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
        if !look.reaches((address, tenant), user)? {
            let hint = "first: group set ADDRESS --member ADDRESS";
            return Ok(Err(refused("somebody whom the group's mail reaches", &one, hint)));
        }
        Ok(Ok(user))
    }

    /// The vault first: what it does not know of, nobody signs for.
    fn keep_speakers(&mut self, tenant: TenantId, row: &GroupRow) -> Result<(), Fault> {
        self.friends.speakers(tenant, &row.address, &row.speakers)?;
        self.tables.keep_group(self.key, tenant, row)
    }

    /// After a change of a group's members: who is no longer among its people writes as it no more,
    /// and does not come back to it unasked.
    pub(crate) fn without_leavers(
        &mut self,
        tenant: TenantId,
        mut row: GroupRow,
    ) -> Result<GroupRow, Fault> {
        let mut stay = Vec::with_capacity(row.speakers.len());
        for user in &row.speakers {
            let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
            if look.reaches((&row.address, tenant), *user)? {
                stay.push(*user);
            }
        }
        if stay.len() < row.speakers.len() {
            row.speakers = stay;
            self.keep_speakers(tenant, &row)?;
        }
        Ok(row)
    }

    /// The addresses of several that a person may write as.
    pub(crate) fn writes_as(&self, tenant: TenantId, user: UserId) -> Result<Vec<String>, Fault> {
        let groups = self.tables.groups(self.key)?.into_iter();
        let is_theirs =
            |(of, group): &(TenantId, GroupRow)| *of == tenant && group.speakers.contains(&user);
        Ok(groups.filter(is_theirs).map(|(_, group)| group.address).collect())
    }
}
