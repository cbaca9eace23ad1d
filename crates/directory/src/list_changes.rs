//! The command line's acts upon mailing lists. Each is recorded before it counts; what the ledger
//! has of it names nobody.

use crate::Fault;
use crate::address::folded;
use crate::changes::{Changes, no_tenant, refused};
use crate::lists::{ListRow, MemberRow};
use compartment::{now_ms, random};
use terms::plain::is_plain;
use terms::{MESSAGE_BYTES, TenantId};
use wire::directory::ToAdmin;
use wire::lists::{
    Change, Command, List, MEMBERS, Member, NAME_BYTES, OWNER, OWNERS, PAGE, Posting, USUAL_BYTES,
    owner,
};

/// Lists of one tenant, and of the house in one answer.
const LISTS: usize = 1_000;

impl Changes<'_> {
    pub fn list_command(&mut self, command: Command) -> Result<ToAdmin, Fault> {
        match command {
            Command::Add { address, tenant, change } => self.add_list(&address, &tenant, &change),
            Command::Set { address, change } => self.set_list(&address, &change),
            Command::Remove { address } => self.remove_list(&address),
            Command::List { tenant } => self.show_lists(tenant.as_deref()),
            Command::Show { address } => self.show_list(&address),
            Command::Members { address, with, without } => {
                self.change_members(&address, &with, &without)
            }
        }
    }

    fn add_list(&mut self, address: &str, tenant: &str, change: &Change) -> Result<ToAdmin, Fault> {
        let address = folded(address);
        let Some((tenant, _)) = self.tables.tenant_by_name(self.key, tenant)? else {
            return Ok(no_tenant(tenant));
        };
        if let Some(refusal) = self.refuse_address(&address, tenant)? {
            return Ok(refusal);
        }
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        let owners = owner(&address);
        if local.ends_with(OWNER) || self.refuse_address(&owners, tenant)?.is_some() {
            let hint = "its owners are written to at NAME-owner; see `user list`, `group list`";
            return Ok(refused("a name whose NAME-owner is free, too", &address, hint));
        }
        if self.tables.gateway(self.key, domain)?.is_some() {
            let hint = "its own server has its addresses: make the list in another domain";
            return Ok(refused("a domain whose mail is kept here", domain, hint));
        }
        if self.tables.lists(self.key)?.iter().filter(|(of, _)| *of == tenant).count() >= LISTS {
            return Ok(refused("at most 1,000 lists", "more", "see `list list`"));
        }
        let mut row = ListRow {
            name: local.to_owned(),
            posting: Default::default(),
            language: Default::default(),
            bytes: USUAL_BYTES,
            owners: Vec::new(),
            address,
        };
        if let Some(refusal) = self.apply(&mut row, change)? {
            return Ok(refusal);
        }
        if row.owners.is_empty() {
            let postmaster =
                format!("postmaster@{}", row.address.rsplit_once('@').map_or("", |of| of.1));
            match self.target(&postmaster)? {
                Ok(postmaster) => row.owners.push(postmaster),
                Err(_) => {
                    let hint = "--owner ADDRESS: who is told what becomes of it";
                    return Ok(refused("an owner", "none", hint));
                }
            }
        }
        // As for `list set`: nobody alone gets an outsider behind NAME-owner by making it anew.
        let mut is_for_two =
            self.is_given_anew(&row.address, tenant)? || self.is_given_anew(&owners, tenant)?;
        for owner in &row.owners {
            is_for_two |= self.is_outside(owner, tenant)?;
        }
        if is_for_two && let Some(answer) = self.unless_agreed(tenant, None) {
            return Ok(answer);
        }
        self.keep_changed(tenant, row, "list.add")
    }

    fn set_list(&mut self, address: &str, change: &Change) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((tenant, mut row)) = self.tables.list(self.key, &address)? else {
            return Ok(no_list(&address));
        };
        let (posting, owners) = (row.posting, row.owners.clone());
        if let Some(refusal) = self.apply(&mut row, change)? {
            return Ok(refusal);
        }
        if row.owners.is_empty() {
            let hint = "--owner ADDRESS takes another one in first";
            return Ok(refused("an owner", "none", hint));
        }
        // Owners read what is written to them, and others who may write speak as the list.
        let mut is_for_two = row.posting.is_wider_than(posting);
        for owner in row.owners.iter().filter(|owner| !owners.contains(owner)) {
            is_for_two |= self.is_outside(owner, tenant)?;
        }
        if is_for_two && let Some(answer) = self.unless_agreed(tenant, None) {
            return Ok(answer);
        }
        self.keep_changed(tenant, row, "list.set")
    }

    /// Recorded, kept, and its two addresses stated anew.
    fn keep_changed(
        &mut self,
        tenant: TenantId,
        row: ListRow,
        what: &str,
    ) -> Result<ToAdmin, Fault> {
        self.friends.record_change(tenant, None, what)?;
        self.tables.keep_list(self.key, tenant, &row)?;
        self.restate_all(vec![row.address.clone(), owner(&row.address)])?;
        Ok(ToAdmin::Lists(vec![self.shown_list(tenant, row)?]))
    }

    fn apply(&self, row: &mut ListRow, change: &Change) -> Result<Option<ToAdmin>, Fault> {
        if let Some(name) = &change.name {
            let name = name.trim();
            let is_sound = !name.is_empty() && is_plain(name);
            if !is_sound || name.len() > NAME_BYTES {
                let hint = "--name TEXT stands in the mail's List-Id";
                return Ok(Some(refused("a name of 1 to 200 octets", name, hint)));
            }
            row.name = name.to_owned();
        }
        if let Some(bytes) = change.bytes {
            if !(1..=MESSAGE_BYTES as u64).contains(&bytes) {
                let expected = format!("1 to {MESSAGE_BYTES} octets");
                return Ok(Some(refused(&expected, &bytes.to_string(), "--bytes N")));
            }
            row.bytes = bytes;
        }
        row.posting = change.posting.unwrap_or(row.posting);
        row.language = change.language.unwrap_or(row.language);
        for owner in &change.with_owners {
            match self.target(owner)? {
                Ok(owner) if row.owners.contains(&owner) => {}
                Ok(owner) => row.owners.push(owner),
                Err(refusal) => return Ok(Some(refusal)),
            }
        }
        let gone: Vec<String> = change.without_owners.iter().map(|one| folded(one)).collect();
        row.owners.retain(|owner| !gone.contains(&folded(owner)));
        if row.owners.len() > OWNERS {
            let found = row.owners.len().to_string();
            return Ok(Some(refused("at most 20 owners", &found, "--without-owner ADDRESS")));
        }
        Ok(None)
    }

    fn remove_list(&mut self, address: &str) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((tenant, row)) = self.tables.list(self.key, &address)? else {
            return Ok(no_list(&address));
        };
        let shown = self.shown_list(tenant, row)?;
        self.friends.record_change(tenant, None, "list.remove")?;
        self.tables.drop_list(self.key, &address)?;
        self.restate_all(vec![owner(&address), address])?;
        Ok(ToAdmin::Lists(vec![shown]))
    }

    fn show_lists(&mut self, tenant: Option<&str>) -> Result<ToAdmin, Fault> {
        let of = match tenant {
            Some(name) => match self.tables.tenant_by_name(self.key, name)? {
                Some((id, _)) => Some(id),
                None => return Ok(no_tenant(name)),
            },
            None => None,
        };
        let mut lists = self.tables.lists(self.key)?;
        lists.retain(|(id, _)| of.is_none_or(|of| of == *id));
        lists.truncate(LISTS);
        let shown = lists.into_iter().map(|(tenant, row)| self.shown_list(tenant, row));
        Ok(ToAdmin::Lists(shown.collect::<Result<_, _>>()?))
    }

    fn show_list(&mut self, address: &str) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((tenant, row)) = self.tables.list(self.key, &address)? else {
            return Ok(no_list(&address));
        };
        let members = self.tables.members(self.key, &address, (None, MEMBERS))?;
        let shown = members.into_iter().map(|(place, row)| {
            let missed = self.tables.missed(self.key, &place)?;
            Ok(Member {
                address: row.address,
                since_ms: row.since_ms,
                returned: row.returned,
                undelivered: missed.as_ref().map_or(0, |missed| missed.many),
                undelivered_why: missed.map(|missed| missed.why),
                suspended_ms: row.suspended_ms,
            })
        });
        let mut shown: Vec<Member> = shown.collect::<Result<_, Fault>>()?;
        shown.sort_by(|one, other| one.address.cmp(&other.address));
        let list = List { shown: Some(shown), ..self.shown_list(tenant, row)? };
        Ok(ToAdmin::Lists(vec![list]))
    }

    fn shown_list(&self, tenant: TenantId, row: ListRow) -> Result<List, Fault> {
        let members = self.tables.members(self.key, &row.address, (None, MEMBERS))?;
        let suspended = members.iter().filter(|(_, row)| row.suspended_ms.is_some()).count();
        Ok(List {
            tenant: self.tenant_name(tenant)?,
            tenant_id: tenant,
            address: row.address,
            name: row.name,
            posting: row.posting,
            language: row.language,
            bytes: row.bytes,
            owners: row.owners,
            members: members.len() as u64,
            suspended: suspended as u64,
            shown: None,
        })
    }

    /// What owners alone write is meant for whoever they send it to; what others write is not. A
    /// colleague is one of those who write it before the list has any: afterwards its members wrote
    /// to each other, and an account may have been made to read that.
    fn are_for_two(
        &self,
        list: &ListRow,
        new: &[MemberRow],
        tenant: TenantId,
    ) -> Result<bool, Fault> {
        if list.posting == Posting::Owners || new.is_empty() {
            return Ok(false);
        }
        let has_members = self.tables.count_members(self.key, &list.address)? > 0;
        let is_outside = |row: &MemberRow| self.is_outside(&row.address, tenant);
        new.iter().try_fold(has_members, |is, row| Ok(is || is_outside(row)?))
    }

    /// All of it or nothing: who is taken in must be there, and who is let go a member.
    fn change_members(
        &mut self,
        address: &str,
        with: &[String],
        without: &[String],
    ) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((tenant, list)) = self.tables.list(self.key, &address)? else {
            return Ok(no_list(&address));
        };
        if with.len() + without.len() > PAGE {
            let found = (with.len() + without.len()).to_string();
            return Ok(refused("at most 250 at once", &found, "in several commands"));
        }
        let mut taken = Vec::with_capacity(with.len());
        for member in with {
            match self.target(member)? {
                Ok(member) => taken.push(member),
                Err(refusal) => return Ok(refusal),
            }
        }
        let mut gone = Vec::with_capacity(without.len());
        for member in without {
            let place = self.tables.member_place(self.key, &address, member.trim())?;
            match self.tables.member(self.key, &place)? {
                Some((_, row)) => gone.push((place, row)),
                None => {
                    let hint = "see `list show ADDRESS`";
                    return Ok(refused("the address of a member", member, hint));
                }
            }
        }
        let now = now_ms();
        let mut new: Vec<MemberRow> = Vec::with_capacity(taken.len());
        for member in taken {
            let place = self.tables.member_place(self.key, &address, &member)?;
            let is_new = |row: &MemberRow| folded(&row.address) != folded(&member);
            if self.tables.member(self.key, &place)?.is_none() && new.iter().all(is_new) {
                new.push(member_since(now, address.clone(), member));
            }
        }
        if self.are_for_two(&list, &new, tenant)?
            && let Some(answer) = self.unless_agreed(tenant, None)
        {
            return Ok(answer);
        }
        let many = self.tables.count_members(self.key, &address)? + new.len() as u64;
        if many > MEMBERS as u64 {
            let hint = "make a second list, or let others go first";
            return Ok(refused("at most 5,000 members", &many.to_string(), hint));
        }
        if !new.is_empty() {
            self.friends.record_change(tenant, None, "list.member-add")?;
        }
        if !gone.is_empty() {
            self.friends.record_change(tenant, None, "list.member-remove")?;
        }
        for row in &new {
            self.tables.keep_member(self.key, tenant, row)?;
        }
        for (place, row) in gone {
            self.end_subscription(tenant, &place, row)?;
        }
        Ok(ToAdmin::Lists(vec![self.shown_list(tenant, list)?]))
    }
}

fn member_since(since_ms: u64, list: String, address: String) -> MemberRow {
    let (nonce, returned, returned_ms, suspended_ms) = (random(), 0, 0, None);
    MemberRow { list, address, since_ms, nonce, returned, returned_ms, suspended_ms }
}

fn no_list(address: &str) -> ToAdmin {
    refused("the address of a list", address, "see `list list`")
}
