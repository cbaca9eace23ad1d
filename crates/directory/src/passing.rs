//! Mail that goes on: people's forwards and answers while they are away, groups. For gateway
//! domains see `gateways`.

use crate::Fault;
use crate::address::{folded, is_sound_domain};
use crate::changes::{Changes, no_tenant, no_user, refused};
use crate::lists::{LetterRow, Telling};
use crate::resolve::{Lookup, PEOPLE};
use crate::tables::{PersonRow, Tables};
use crate::ways::{AbsenceRow, GroupRow, WayRow};
use compartment::now_ms;
use rows::RowKey;
use std::collections::BTreeSet;
use terms::{TenantId, UserId};
use wire::directory::{
    ABSENCE_SUBJECT_BYTES, ABSENCE_TEXT_BYTES, AbsenceTold, Forward, Group, Stated, ToAdmin,
};
use wire::lists::Language;

/// Addresses that one person's mail may go on to.
const FORWARDS: usize = 20;
/// Addresses that are looked at for a circle: ten times as many as one address may lead to.
const GROUPS_FOLLOWED: usize = 1_000;

/// The `what` of an entry that names who reads a group's mail from now on, behind a slash.
const READER: &str = "group.reader";
/// Of more at once no entry names each: the ledger is no list of members.
const READERS_NAMED: usize = 3;

impl Changes<'_> {
    /// Where a person's mail goes on to, changed or only shown.
    pub fn forward(
        &mut self,
        address: &str,
        change: Option<(Vec<String>, bool)>,
    ) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((user, tenant, person)) = self.look_up(&address)? else {
            return Ok(no_user(&address));
        };
        let Some((to, keep)) = change else { return self.show_way((user, tenant), &person) };
        if to.len() > FORWARDS {
            let hint = "for more people make a group: group add ADDRESS --tenant T --member A…";
            return Ok(refused("at most 20 addresses", &to.len().to_string(), hint));
        }
        let mut targets = Vec::with_capacity(to.len());
        for target in &to {
            let target = match self.target(target)? {
                Ok(target) => target,
                Err(refusal) => return Ok(refusal),
            };
            if person.address == target || person.aliases.contains(&target) {
                let hint = "--keep leaves a copy in their own mailbox";
                return Ok(refused("the address of another", &target, hint));
            }
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        if let Some(back) = self.comes_back(user, &targets)?.filter(|_| !keep) {
            let hint = "it forwards here already; --keep leaves a copy in their own mailbox";
            return Ok(refused("an address whose mail does not come back", &back, hint));
        }
        let mut row = self.tables.way(self.key, user)?;
        let keep = keep && !targets.is_empty();
        let is_lost = !targets.is_empty() && !keep && (row.keep || row.to.is_empty());
        let is_new = targets.iter().any(|target| !row.to.contains(target));
        if (is_new || is_lost)
            && let Some(answer) = self.unless_agreed(tenant, Some(user))
        {
            return Ok(answer);
        }
        let stood = self.stood(&person).filter(|_| is_new || is_lost);
        row.keep = keep;
        row.to = targets;
        let answer = self.keep_way((user, tenant), &person, &row, "user.forward")?;
        if let Some(stood) = stood.filter(|_| matches!(answer, ToAdmin::Forward(_))) {
            let (to, answer) = (row.to, String::new());
            self.tell_person(tenant, &person, Telling::Redirected { to, keep, answer, stood })?;
        }
        Ok(answer)
    }

    /// The first of these addresses that leads back to a person by groups, and forwards that keep
    /// no copy: mail in such a circle would be nobody's.
    fn comes_back(&self, user: UserId, targets: &[String]) -> Result<Option<String>, Fault> {
        for target in targets {
            let (mut left, mut passed) = (vec![target.clone()], BTreeSet::new());
            let mut groups = BTreeSet::new();
            while let Some(address) = left.pop() {
                let Some((next, ..)) = self.look_up(&address)? else {
                    let group = self.tables.group(self.key, &address)?;
                    if let Some((_, group)) = group.filter(|_| groups.insert(address)) {
                        left.extend(group.members);
                    }
                    continue;
                };
                if next == user {
                    return Ok(Some(target.clone()));
                }
                let way = self.tables.way(self.key, next)?;
                if passed.insert(next) && !way.keep {
                    left.extend(way.to);
                }
            }
        }
        Ok(None)
    }

    /// What is answered while a person is away.
    pub fn away(&mut self, address: &str, absence: Option<AbsenceTold>) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((user, tenant, person)) = self.look_up(&address)? else {
            return Ok(no_user(&address));
        };
        if let Some(refusal) = absence.as_ref().and_then(refuse_absence) {
            return Ok(refusal);
        }
        let mut row = self.tables.way(self.key, user)?;
        let absence = absence.map(|told| AbsenceRow {
            subject: told.subject,
            text: told.text,
            until_ms: told.until_ms,
        });
        // It is said in the person's name.
        if absence.is_some()
            && absence != row.absence
            && let Some(answer) = self.unless_agreed(tenant, Some(user))
        {
            return Ok(answer);
        }
        let told = absence.as_ref().filter(|_| absence != row.absence);
        let told = told.map(|absence| absence.text.clone());
        let stood = self.stood(&person);
        row.absence = absence;
        let shown = self.keep_way((user, tenant), &person, &row, "user.away")?;
        if let Some((answer, stood)) =
            told.zip(stood).filter(|_| matches!(shown, ToAdmin::Forward(_)))
        {
            let (to, keep) = (Vec::new(), true);
            self.tell_person(tenant, &person, Telling::Redirected { to, keep, answer, stood })?;
        }
        Ok(shown)
    }

    /// By what a person's own mailbox is found, as long as mail for them reaches it.
    fn stood(&mut self, person: &PersonRow) -> Option<(Vec<u8>, Vec<u8>)> {
        let (tables, key, friends) = (&*self.tables, self.key, &mut *self.friends);
        let address = person.address.as_str();
        let stated = self.statements.state(tables, key, friends, address, self.host_name, now_ms());
        match stated {
            Ok(Stated::Known { statement, signature }) => Some((statement, signature)),
            _ => None,
        }
    }

    /// A letter into a person's own mailbox, wherever else their mail goes.
    fn tell_person(
        &mut self,
        tenant: TenantId,
        person: &PersonRow,
        what: Telling,
    ) -> Result<(), Fault> {
        let row = LetterRow {
            what,
            to: person.address.clone(),
            list: format!("postmaster@{}", self.host_name),
            name: "Sekisho".to_owned(),
            language: Language::default(),
            at_ms: now_ms(),
        };
        self.tables.keep_letter(self.key, tenant, &row)
    }

    fn keep_way(
        &mut self,
        (user, tenant): (UserId, TenantId),
        person: &PersonRow,
        row: &WayRow,
        what: &str,
    ) -> Result<ToAdmin, Fault> {
        let mut addresses = vec![person.address.clone()];
        addresses.extend(person.aliases.iter().cloned());
        for domain in self.tables.domains(self.key, Some(tenant))? {
            addresses.push(format!("postmaster@{domain}"));
        }
        addresses.push(format!("postmaster@{}", self.host_name.to_lowercase()));
        let keep = |tables: &Tables, key: &RowKey| tables.keep_way(key, (tenant, user), row);
        let told = (tenant, Some(user), what);
        if let Some(refusal) = self.decide(keep, &person.address, told)? {
            return Ok(refusal);
        }
        self.restate_all(addresses)?;
        self.show_way((user, tenant), person)
    }

    /// A change stands if its address then leads to no more than a statement may name, and once it
    /// is recorded.
    ///
    /// It is tried out, taken back and made again: the note of what is recorded goes another way
    /// into the same file (`older`), which is nobody else's while a change is only tried.
    fn decide(
        &mut self,
        keep: impl Fn(&Tables, &RowKey) -> Result<(), Fault>,
        address: &str,
        (tenant, user, what): (TenantId, Option<UserId>, &str),
    ) -> Result<Option<ToAdmin>, Fault> {
        self.tables.try_out()?;
        let weighed = keep(self.tables, self.key).and_then(|()| {
            let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
            look.find(address, tenant)
        });
        self.tables.decide(false)?;
        if weighed?.is_some_and(|found| found.is_too_large()) {
            let hint = "with groups in groups and all forwards; a larger one is a mailing list";
            return Ok(Some(refused("at most 100 people in all", "more", hint)));
        }
        self.friends.record_change(tenant, user, what)?;
        keep(self.tables, self.key)?;
        Ok(None)
    }

    fn show_way(
        &self,
        (user, tenant): (UserId, TenantId),
        person: &PersonRow,
    ) -> Result<ToAdmin, Fault> {
        let row = self.tables.way(self.key, user)?;
        let absence = row.absence.map(|row| AbsenceTold {
            subject: row.subject,
            text: row.text,
            until_ms: row.until_ms,
        });
        let (address, tenant) = (person.address.clone(), self.tenant_name(tenant)?);
        Ok(ToAdmin::Forward(Forward { address, tenant, to: row.to, keep: row.keep, absence }))
    }

    /// An address that mail may go on to, in one spelling: anybody's outside, or somebody's here.
    pub(crate) fn target(&self, address: &str) -> Result<Result<String, ToAdmin>, Fault> {
        let address = address.trim();
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        let domain = terms::dns_name(domain);
        let ours = self.tables.domain(self.key, &domain)?;
        let Some(tenant) = ours else {
            // Elsewhere a letter's case, and what stands behind `+`, may mean something.
            let sound = smtp::Address::parse_with_any_dots(&format!("{local}@{domain}"))
                .filter(|_| local.len() <= 64 && is_sound_domain(&domain));
            let hint = "its domain such as example.jp, 例え.jp or xn--….jp";
            return Ok(match sound {
                Some(sound) => Ok(sound.written()),
                None => Err(refused("an address local@domain", address, hint)),
            });
        };
        let address = self.kept(&format!("{local}@{domain}"))?;
        let is_list = self.tables.list(self.key, &address)?.is_some();
        if is_list || self.tables.owned(self.key, &address)?.is_some() {
            let hint = "a list takes mail at its own address alone, for it asks who writes";
            return Ok(Err(refused("an address that is no list's", &address, hint)));
        }
        let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
        let is_there = look.find(&address, tenant)?.is_some_and(|found| found.reaches_somebody());
        let hint = "see `user list` and `group list`";
        Ok(match is_there {
            true => Ok(address),
            false => Err(refused("an address that somebody here has", &address, hint)),
        })
    }

    /// A group made, or its members changed.
    pub fn change_group(
        &mut self,
        address: &str,
        tenant: Option<&str>,
        (with, without): (&[String], &[String]),
    ) -> Result<ToAdmin, Fault> {
        let address = if tenant.is_some() { folded(address) } else { self.kept(address)? };
        let what = if tenant.is_some() { "group.add" } else { "group.set" };
        let (tenant, mut members, speakers) = match tenant {
            Some(name) => {
                let Some((id, _)) = self.tables.tenant_by_name(self.key, name)? else {
                    return Ok(no_tenant(name));
                };
                if let Some(refusal) = self.refuse_address(&address, id)? {
                    return Ok(refusal);
                }
                (id, Vec::new(), Vec::new())
            }
            None => match self.tables.group(self.key, &address)? {
                Some((id, group)) => (id, group.members, group.speakers),
                None => return Ok(no_group(&address)),
            },
        };
        // What others have until now, what an outsider is to read, and what is written to a group
        // already: whoever joins it reads that, a fresh account as well.
        let mut is_for_two = what == "group.add" && self.is_given_anew(&address, tenant)?;
        for member in with {
            let member = match self.target(member)? {
                Ok(member) => member,
                Err(refusal) => return Ok(refusal),
            };
            if member == address {
                return Ok(refused("the address of another", &member, "a group is not in itself"));
            }
            if let Some(by) = self.leads_back(&member, &address)? {
                let found = format!("{member}, whose mail comes back to {address} by {by}");
                let hint =
                    "take the one out of the other first: group set ADDRESS --without ADDRESS";
                return Ok(refused("groups that do not contain each other", &found, hint));
            }
            if !members.contains(&member) {
                is_for_two |= what == "group.set" || self.is_outside(&member, tenant)?;
                members.push(member);
            }
        }
        if let Some(stranger) = take_out(&mut members, without) {
            return Ok(refused("a member of the group", &stranger, "see `group list`"));
        }
        if members.is_empty() || members.len() > PEOPLE {
            let hint = "to end it: group remove ADDRESS";
            return Ok(refused("1 to 100 members", &members.len().to_string(), hint));
        }
        if is_for_two && let Some(answer) = self.unless_agreed(tenant, None) {
            return Ok(answer);
        }
        let row = GroupRow { address, members, speakers };
        let before = self.readers(&row.address, tenant)?;
        let keep = |tables: &Tables, key: &RowKey| tables.keep_group(key, tenant, &row);
        if let Some(refusal) = self.decide(keep, &row.address, (tenant, None, what))? {
            return Ok(refusal);
        }
        self.tell_readers(&row.address, tenant, &before)?;
        self.restate_all(vec![row.address.clone()])?;
        let row = self.without_leavers(tenant, row)?;
        Ok(ToAdmin::Groups(vec![self.shown(tenant, row)?]))
    }

    /// Whose mailboxes a group's mail reaches.
    fn readers(&self, address: &str, tenant: TenantId) -> Result<BTreeSet<UserId>, Fault> {
        let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
        let found = look.find(address, tenant)?;
        Ok(found.map(|found| found.people.into_iter().collect()).unwrap_or_default())
    }

    /// For each who read a group's mail `before`, an entry that names who reads it now as well.
    fn tell_readers(
        &mut self,
        address: &str,
        tenant: TenantId,
        before: &BTreeSet<UserId>,
    ) -> Result<(), Fault> {
        let now = self.readers(address, tenant)?;
        let mut joined: Vec<String> =
            now.difference(before).map(|user| format!("{READER}/{user}")).collect();
        if joined.len() > READERS_NAMED {
            joined = vec![READER.to_owned()];
        }
        for user in before {
            for what in &joined {
                self.friends.record_change(tenant, Some(*user), what)?;
            }
        }
        Ok(())
    }

    /// The group, at `from` or behind it, that has `address` among its members. Mail is passed by
    /// each only once (`resolve`), so a circle loses none; but nobody means one, and nobody sees
    /// any more who is in it.
    fn leads_back(&self, from: &str, address: &str) -> Result<Option<String>, Fault> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![from.to_owned()];
        while let Some(next) = waiting.pop() {
            if seen.len() >= GROUPS_FOLLOWED || !seen.insert(next.clone()) {
                continue;
            }
            let Some((_, group)) = self.tables.group(self.key, &next)? else { continue };
            if group.members.iter().any(|member| member == address) {
                return Ok(Some(next));
            }
            waiting.extend(group.members);
        }
        Ok(None)
    }

    /// Whether an address is elsewhere, or another tenant's.
    pub(crate) fn is_outside(&self, address: &str, tenant: TenantId) -> Result<bool, Fault> {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        Ok(self.tables.domain(self.key, domain)? != Some(tenant))
    }

    pub fn remove_group(&mut self, address: &str) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((tenant, group)) = self.tables.group(self.key, &address)? else {
            return Ok(no_group(&address));
        };
        self.friends.record_change(tenant, None, "group.remove")?;
        if !group.speakers.is_empty() {
            self.friends.speakers(tenant, &address, &[])?;
        }
        let (members, speakers) = (Vec::new(), Vec::new());
        let row = GroupRow { address: address.clone(), members, speakers };
        self.tables.keep_group(self.key, tenant, &row)?;
        self.restate_all(vec![address])?;
        Ok(ToAdmin::Groups(vec![self.shown(tenant, row)?]))
    }

    pub fn list_groups(
        &mut self,
        address: Option<&str>,
        tenant: Option<&str>,
    ) -> Result<ToAdmin, Fault> {
        if let Some(address) = address {
            let address = self.kept(address)?;
            return match self.tables.group(self.key, &address)? {
                Some((tenant, row)) => Ok(ToAdmin::Groups(vec![self.shown(tenant, row)?])),
                None => Ok(no_group(&address)),
            };
        }
        let of = match tenant {
            Some(name) => match self.tables.tenant_by_name(self.key, name)? {
                Some((id, _)) => Some(id),
                None => return Ok(no_tenant(name)),
            },
            None => None,
        };
        let groups = self.tables.groups(self.key)?.into_iter();
        let wanted = groups.filter(|(id, _)| of.is_none_or(|of| of == *id));
        let shown = wanted.map(|(tenant, row)| self.shown(tenant, row));
        Ok(ToAdmin::Groups(shown.collect::<Result<_, _>>()?))
    }

    pub(crate) fn shown(&self, tenant: TenantId, row: GroupRow) -> Result<Group, Fault> {
        let tenant = self.tenant_name(tenant)?;
        let mut writers = Vec::with_capacity(row.speakers.len());
        for user in row.speakers {
            writers.extend(self.tables.person(self.key, user)?.map(|(_, person)| person.address));
        }
        Ok(Group { address: row.address, tenant, members: row.members, writers })
    }

    pub(crate) fn tenant_name(&self, tenant: TenantId) -> Result<String, Fault> {
        Ok(self.tables.tenant(self.key, tenant)?.map(|row| row.name).unwrap_or_default())
    }
}

fn refuse_absence(told: &AbsenceTold) -> Option<ToAdmin> {
    let is_control = |one: char| one.is_control() && one != '\n';
    let AbsenceTold { subject, text, until_ms } = told;
    if subject.len() > ABSENCE_SUBJECT_BYTES || subject.chars().any(char::is_control) {
        return Some(refused("a subject of 200 octets at most", "another", "--subject TEXT"));
    }
    let is_empty = text.trim().is_empty();
    if is_empty || text.len() > ABSENCE_TEXT_BYTES || text.contains(is_control) {
        let hint = "--text TEXT, with line feeds between its lines";
        return Some(refused("a text of 4,000 octets at most", "another", hint));
    }
    let is_past = until_ms.is_some_and(|until| until <= now_ms());
    is_past.then(|| refused("a day to come", "one that is past", "--until 2027-01-31"))
}

/// Gives the first who is no member. A slip of the finger would else look like done, and mail go on
/// to whom it was to leave.
fn take_out(members: &mut Vec<String>, without: &[String]) -> Option<String> {
    let without: Vec<String> = without.iter().map(|one| folded(one)).collect();
    let is_in = |one: &&String| members.iter().any(|member| folded(member) == **one);
    if let Some(stranger) = without.iter().find(|one| !is_in(one)) {
        return Some(stranger.clone());
    }
    members.retain(|member| !without.contains(&folded(member)));
    None
}

pub(crate) fn no_group(address: &str) -> ToAdmin {
    refused("the address of a group", address, "see `group list`")
}
