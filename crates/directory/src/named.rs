//! Where an address stands in rows of others: groups, owners and members of lists, forwards and
//! catch-alls. At a person's end it is taken out of all of their contract, and looked for
//! afterwards. What people of other contracts wrote down is theirs, and stays.

use crate::Fault;
use crate::address::folded;
use crate::changes::Changes;
use crate::tables::Tables;
use rows::RowKey;
use std::collections::{BTreeMap, BTreeSet};
use terms::{TenantId, UserId};
use wire::directory::{EndingState, Part};
use wire::lists::{MEMBERS, owner};

/// Places that a search tells; one is enough for an alarm.
const TOLD: usize = 1_000;

impl Tables {
    pub fn addresses_of(&self, key: &RowKey, users: &[UserId]) -> Result<Vec<String>, Fault> {
        let mut addresses = Vec::new();
        for user in users {
            if let Some((_, person)) = self.person(key, *user)? {
                addresses.push(person.address);
                addresses.extend(person.aliases);
            }
        }
        Ok(addresses)
    }

    /// By these a search knows the addresses of a person who is gone. A contract's end leaves no
    /// rows of its own to look through.
    pub fn address_tokens(&self, key: &RowKey, part: Part) -> Result<Vec<[u8; 16]>, Fault> {
        let people: Vec<UserId> = part.user.into_iter().collect();
        let addresses = self.addresses_of(key, &people)?;
        Ok(addresses.iter().map(|address| token(key, address)).collect())
    }
}

/// As it may have been kept: as it is typed, and folded.
pub fn tokens_of(key: &RowKey, address: &str) -> [[u8; 16]; 2] {
    [token(key, address), token(key, &folded(address))]
}

fn token(key: &RowKey, address: &str) -> [u8; 16] {
    key.token("address", address.to_lowercase().as_bytes())
}

impl Changes<'_> {
    /// Takes a person's addresses out of every row of their contract; the addresses that lead
    /// elsewhere since. Done again after a crash, it finds the rest.
    pub(crate) fn take_out(
        &mut self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Vec<String>, Fault> {
        let own = self.tables.addresses_of(self.key, &[user])?;
        // As they are kept, and as others may have written them.
        let own: BTreeSet<String> =
            own.into_iter().flat_map(|one| [folded(&one), one.to_lowercase()]).collect();
        let mut changed = Vec::new();
        self.take_out_of_groups((tenant, user), &own, &mut changed)?;
        self.take_out_of_lists(tenant, &own, &mut changed)?;
        self.take_out_of_forwards((tenant, user), &own, &mut changed)?;
        for mut row in self.tables.domain_rows(self.key, Some(tenant))? {
            if row.catch_all.as_ref().is_some_and(|caught| is_in(&own, caught)) {
                self.friends.record_change(tenant, None, "domain.catch-all")?;
                row.catch_all = None;
                self.tables.change_domain(self.key, &row)?;
                self.statements.forget_all();
            }
        }
        Ok(changed)
    }

    fn take_out_of_groups(
        &mut self,
        (tenant, ended): (TenantId, UserId),
        own: &BTreeSet<String>,
        changed: &mut Vec<String>,
    ) -> Result<(), Fault> {
        for (of, mut group) in self.tables.groups(self.key)? {
            let before = (group.members.len(), group.speakers.len());
            group.members.retain(|member| !is_in(own, member));
            group.speakers.retain(|user| *user != ended);
            if of == tenant && (group.members.len(), group.speakers.len()) != before {
                self.friends.record_change(tenant, None, "group.set")?;
                if group.speakers.len() != before.1 {
                    self.friends.speakers(tenant, &group.address, &group.speakers)?;
                }
                // A group of nobody is none.
                self.tables.keep_group(self.key, tenant, &group)?;
                changed.push(group.address);
            }
        }
        Ok(())
    }

    fn take_out_of_lists(
        &mut self,
        tenant: TenantId,
        own: &BTreeSet<String>,
        changed: &mut Vec<String>,
    ) -> Result<(), Fault> {
        for (of, mut list) in self.tables.lists(self.key)? {
            if of != tenant {
                continue;
            }
            for member in own {
                let place = self.tables.member_place(self.key, &list.address, member)?;
                if self.tables.member(self.key, &place)?.is_some() {
                    self.friends.record_change(tenant, None, "list.member-remove")?;
                    self.tables.drop_member(self.key, &place)?;
                }
            }
            let before = list.owners.len();
            list.owners.retain(|owner| !is_in(own, owner));
            if list.owners.len() == before {
                continue;
            }
            if list.owners.is_empty() {
                // Somebody must be told what becomes of a list.
                let (_, domain) = list.address.rsplit_once('@').unwrap_or_default();
                list.owners.push(format!("postmaster@{domain}"));
            }
            self.friends.record_change(tenant, None, "list.set")?;
            self.tables.keep_list(self.key, tenant, &list)?;
            changed.push(owner(&list.address));
        }
        Ok(())
    }

    fn take_out_of_forwards(
        &mut self,
        (tenant, ended): (TenantId, UserId),
        own: &BTreeSet<String>,
        changed: &mut Vec<String>,
    ) -> Result<(), Fault> {
        for (user, mut way) in self.tables.ways(self.key)? {
            let before = way.to.len();
            way.to.retain(|to| !is_in(own, to));
            if user == ended || way.to.len() == before {
                continue;
            }
            let Some((of, person)) = self.tables.person(self.key, user)? else { continue };
            if of == tenant {
                self.friends.record_change(tenant, Some(user), "user.forward")?;
                self.tables.keep_way(self.key, (tenant, user), &way)?;
                changed.push(person.address);
                changed.extend(person.aliases);
            }
        }
        Ok(())
    }

    /// Where addresses of people who are destroyed stand nevertheless, with the person's id. An
    /// address that somebody has again is theirs now.
    pub(crate) fn still_named(&self) -> Result<Vec<(UserId, String)>, Fault> {
        let mut gone: BTreeMap<(TenantId, [u8; 16]), UserId> = BTreeMap::new();
        for row in self.tables.endings(self.key)? {
            let Part { tenant, user: Some(user) } = row.ending.part else { continue };
            if row.ending.state == EndingState::Destroyed {
                let of_person = row.addresses.into_iter().map(|token| ((tenant, token), user));
                gone.extend(of_person);
            }
        }
        let mut named = Vec::new();
        let tenants: BTreeSet<TenantId> = gone.keys().map(|(tenant, _)| *tenant).collect();
        for tenant in tenants {
            for (place, address) in self.named_in(tenant)? {
                let token = |address: &str| (tenant, token(self.key, address));
                let found =
                    gone.get(&token(&address)).or_else(|| gone.get(&token(&folded(&address))));
                if let Some(user) = found.filter(|_| named.len() < TOLD)
                    && self.is_nobody_s(&address)?
                {
                    named.push((*user, place));
                }
            }
        }
        Ok(named)
    }

    fn is_nobody_s(&self, address: &str) -> Result<bool, Fault> {
        let address = self.kept(address)?;
        Ok(self.tables.person_by_address(self.key, &address)?.is_none()
            && self.tables.group(self.key, &address)?.is_none()
            && self.tables.list(self.key, &address)?.is_none())
    }

    /// Every address that a contract's rows name, and where.
    fn named_in(&self, tenant: TenantId) -> Result<Vec<(String, String)>, Fault> {
        let mut named: Vec<(String, String)> = Vec::new();
        for (_, group) in self.tables.groups(self.key)?.into_iter().filter(|one| one.0 == tenant) {
            let place = format!("group {}", group.address);
            named.extend(group.members.into_iter().map(|member| (place.clone(), member)));
        }
        for (_, list) in self.tables.lists(self.key)?.into_iter().filter(|one| one.0 == tenant) {
            let place = format!("owners of list {}", list.address);
            named.extend(list.owners.into_iter().map(|owner| (place.clone(), owner)));
            let members = self.tables.members(self.key, &list.address, (None, MEMBERS))?;
            let place = format!("members of list {}", list.address);
            named.extend(members.into_iter().map(|(_, row)| (place.clone(), row.address)));
        }
        for (user, person) in self.tables.people(self.key, tenant)? {
            let place = format!("forward of {}", person.address);
            let way = self.tables.way(self.key, user)?;
            named.extend(way.to.into_iter().map(|to| (place.clone(), to)));
        }
        for row in self.tables.domain_rows(self.key, Some(tenant))? {
            let place = format!("catch-all of {}", row.name);
            named.extend(row.catch_all.map(|caught| (place, caught)));
        }
        Ok(named)
    }
}

fn is_in(own: &BTreeSet<String>, address: &str) -> bool {
    own.contains(&folded(address))
}
