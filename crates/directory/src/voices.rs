//! Who may approve what two persons decide, and how somebody loses that voice or has it again.

use crate::Fault;
use crate::changes::{Changes, no_user, shown};
use crate::tables::PersonRow;
use std::collections::HashSet;
use terms::{TenantId, UserId};
use wire::directory::{APPROVING, Part, Standing, ToAdmin, Who};

/// Somebody with whom decisions are counted.
struct Counted {
    who: Who,
    /// Their tenant has an operator who is shut out, at the least.
    of_house: bool,
    /// They can answer, and no ending takes them away.
    stays: bool,
}

impl Changes<'_> {
    /// Who proves themselves, for identity.
    pub fn who(&self, address: &str) -> Result<Option<Who>, Fault> {
        let address = self.kept(address)?;
        let Some((user, tenant, person)) = self.look_up(&address)? else { return Ok(None) };
        if person.disabled {
            return Ok(None);
        }
        let people = self.tables.people(self.key, tenant)?;
        let of_house = people.iter().any(|(_, one)| is_operator(one) && !one.disabled);
        Ok(Some(Who { tenant, user, role: person.role, of_house }))
    }

    /// How many may approve what concerns `about`; and how many there are, with those who are shut
    /// out or whose contract ends.
    pub fn able(&self, about: Option<TenantId>) -> Result<(u32, u32), Fault> {
        let all = self.counted(None)?;
        let able = all.iter().filter(|one| one.stays && one.who.may_approve(about)).count();
        let known = all.into_iter().filter(|one| {
            let of_house = one.of_house;
            Who { of_house, ..one.who.clone() }.may_approve(about)
        });
        Ok((able as u32, known.count() as u32))
    }

    pub fn standing(&self, part: Part) -> Result<Standing, Fault> {
        let people = self.tables.people(self.key, part.tenant)?;
        let person = people.iter().find(|(user, _)| Some(*user) == part.user);
        let left = self.counted(Some(part))?;
        let voices = |about| {
            left.iter().filter(|one| one.stays && one.who.may_approve(about)).count() as u32
        };
        Ok(Standing {
            role: person.map(|(_, person)| person.role.clone()),
            of_house: people.iter().any(|(_, one)| is_operator(one)),
            left_of_house: voices(None),
            left: voices(Some(part.tenant)),
        })
    }

    /// Everybody whose role approves anything, as if `without` were gone.
    fn counted(&self, without: Option<Part>) -> Result<Vec<Counted>, Fault> {
        let mut ending: HashSet<Part> = HashSet::new();
        ending.extend(self.tables.endings(self.key)?.iter().map(|row| row.ending.part));
        ending.extend(without);
        let mut all = Vec::new();
        for (tenant, _) in self.tables.tenants(self.key)? {
            let people = self.tables.people(self.key, tenant)?;
            let is_ending = ending.contains(&Part { tenant, user: None });
            let stays = |user: UserId, one: &PersonRow| {
                let is_leaving = ending.contains(&Part { tenant, user: Some(user) });
                !one.disabled && !is_ending && !is_leaving
            };
            let has_operator =
                people.iter().any(|(user, one)| is_operator(one) && stays(*user, one));
            let of_house = people.iter().any(|(_, one)| is_operator(one));
            for (user, one) in people {
                let stays = stays(user, &one);
                let who = Who { tenant, user, role: one.role, of_house: has_operator };
                all.push(Counted { who, of_house, stays });
            }
        }
        Ok(all)
    }

    /// Whoever may approve is shut out and let in by identity's word alone: else one person could
    /// see to it that two are never found.
    pub fn shut_out(&mut self, address: &str, disabled: bool) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((user, tenant, person)) = self.look_up(&address)? else {
            return Ok(no_user(&address));
        };
        match APPROVING.contains(&person.role.as_str()) {
            true => Ok(ToAdmin::ForTwo(Part { tenant, user: Some(user) })),
            false => self.disable(user, (tenant, person), disabled),
        }
    }

    pub fn shut_out_approver(&mut self, user: UserId, disabled: bool) -> Result<ToAdmin, Fault> {
        match self.tables.person(self.key, user)? {
            Some(found) => self.disable(user, found, disabled),
            None => Ok(no_user(&user.to_string())),
        }
    }

    fn disable(
        &mut self,
        user: UserId,
        (tenant, mut person): (TenantId, PersonRow),
        disabled: bool,
    ) -> Result<ToAdmin, Fault> {
        let what = if disabled { "user.disable" } else { "user.enable" };
        self.friends.record_change(tenant, Some(user), what)?;
        person.disabled = disabled;
        self.tables.change_person(self.key, user, &person)?;
        self.restate(tenant, &person, true)?;
        let name = self.tables.tenant(self.key, tenant)?.map(|row| row.name).unwrap_or_default();
        let mut changed = shown(user, tenant, &name, person);
        changed.writes_as = self.writes_as(tenant, user)?;
        Ok(ToAdmin::User(changed))
    }
}

fn is_operator(person: &PersonRow) -> bool {
    person.role == "operator"
}
