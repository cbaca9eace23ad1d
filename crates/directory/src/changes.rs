//! What the command line may ask and change. Each change is recorded before it counts.

use crate::address::{domain_to_be, folded, is_sound, is_sound_domain};
use crate::friends::Friends;
use crate::resolve::Lookup;
use crate::spellings::refuse_letters;
use crate::statements::Statements;
use crate::tables::{DomainRow, PersonRow, Tables, TenantRow};
use crate::{Fault, trace_token};
use compartment::now_ms;
use evidence::Body;
use rows::RowKey;
use std::collections::BTreeSet;
use terms::plain::is_plain;
use terms::{TenantId, UserId};
use wire::approval::Act;
use wire::directory::{
    APPROVING, DECOY_ROLE, Domain, FromAdmin, Part, ROLES, SendingSettings, TRUSTED_SEALERS,
    Tenant, TenantSettings, ToAdmin, User, WAY_BACK,
};
use wire::lists;
use wire::pages::TransportPolicy;

/// Aliases of one person.
const ALIASES: usize = 100;
/// Names that speak for their domain (RFC 2142): others write to them in good faith, and
/// authorities of certificates ask whoever has one.
const SPEAKING: [&str; 8] =
    ["postmaster", "abuse", "hostmaster", "webmaster", "security", "noc", "admin", "administrator"];
/// A tenant's name in octets.
const TENANT_NAME_BYTES: usize = 100;

/// Whether a tenant may be called so.
pub fn is_tenant_name(name: &str) -> bool {
    let name = name.trim();
    !name.is_empty() && name.len() <= TENANT_NAME_BYTES && is_plain(name)
}

pub struct Changes<'a> {
    pub tables: &'a mut Tables,
    pub key: &'a RowKey,
    pub friends: &'a mut Friends,
    pub statements: &'a mut Statements,
    pub host_name: &'a str,
    /// Whose mail two persons agreed to have go to others, by identity's word.
    pub agreed: Option<Part>,
}

/// Our answer when a request cannot be carried out as it stands.
pub fn refused(expected: &str, found: &str, hint: &str) -> ToAdmin {
    ToAdmin::Refused {
        expected: expected.to_owned(),
        found: found.to_owned(),
        hint: hint.to_owned(),
    }
}

/// What a search for remains raises: what was found, or else that it did not see everything.
pub fn alarms_of_a_search(found: &[String], unread: &[String]) -> Vec<String> {
    let of = |places: &[String], what: &str| {
        let first = places.first()?;
        Some(format!("{what}: {} places, {first}", places.len()))
    };
    let found = of(found, "remains of an ended contract");
    let unread = of(unread, "a search for remains could not read everything");
    found.into_iter().chain(unread).collect()
}

impl Changes<'_> {
    pub fn carry_out(&mut self, question: FromAdmin) -> ToAdmin {
        let answer = match question {
            FromAdmin::TenantAdd { name } => self.add_tenant(&name),
            FromAdmin::TenantList => self.list_tenants(),
            FromAdmin::TenantShow { name } => self.show_tenant(&name),
            FromAdmin::DomainAdd { domain, tenant } => self.add_domain(&domain, &tenant),
            FromAdmin::DomainList { tenant } => self.list_domains(tenant.as_deref()),
            FromAdmin::UserAdd { address, tenant, role, aliases } => {
                match APPROVING.contains(&role.as_str()) {
                    true => Ok(refused("a role that identity permits", &role, "user add does")),
                    false => self.add_user(&address, &tenant, &role, &aliases),
                }
            }
            FromAdmin::UserList { tenant } => self.list_users(tenant.as_deref()),
            FromAdmin::UserDisable { address, disabled } => self.shut_out(&address, disabled),
            FromAdmin::UserFind { address } => self.find_user(&address),
            FromAdmin::Names { users } => self.name_users(&users),
            FromAdmin::TraceTokens { digests } => self.trace_tokens(&digests),
            FromAdmin::Settings { tenant, settings } => self.protect(&tenant, &settings),
            FromAdmin::Cancel(part) => self.cancel_ending(part),
            // Else nothing is carried out.
            FromAdmin::IsOlder => Ok(ToAdmin::IsOlder(false)),
            FromAdmin::EndingList => self.list_endings(),
            FromAdmin::EndingsOf { address } => self.endings_of(&address),
            FromAdmin::NameSalts => self.name_salts(),
            FromAdmin::EndingWaits => self.ending_waits(),
            FromAdmin::HoldAdd { part, reason } => self.add_hold(part, &reason),
            FromAdmin::HoldList => self.list_holds(),
            FromAdmin::Patterns => self.patterns(),
            FromAdmin::QueueAct { part, message, act } => self.note_queue_act(part, message, act),
            FromAdmin::Sending { tenant, settings } => self.limit_sending(&tenant, settings),
            FromAdmin::CatchAll { domain, address } => {
                self.change_catch_all(&domain, address.as_deref())
            }
            FromAdmin::Transport { domain, mode, max_age_seconds } => {
                self.change_transport(&domain, mode, max_age_seconds)
            }
            FromAdmin::Forward { address, change } => self.forward(&address, change),
            FromAdmin::Away { address, absence } => self.away(&address, absence),
            FromAdmin::GroupChange { address, tenant, with, without } => {
                self.change_group(&address, tenant.as_deref(), (&with, &without))
            }
            FromAdmin::GroupRemove { address } => self.remove_group(&address),
            FromAdmin::GroupShare { address, with, without, none } => {
                self.share(&address, (&with, &without), none)
            }
            FromAdmin::GroupList { address, tenant } => {
                self.list_groups(address.as_deref(), tenant.as_deref())
            }
            FromAdmin::Gateway { domain, host, taken, list } => {
                self.set_gateway(&domain, host, taken, list.as_ref())
            }
            FromAdmin::GatewayShow { domain } => self.show_gateway(&domain),
            FromAdmin::Outlet { tenant, change } => self.outlet(&tenant, change),
            FromAdmin::GatewayList { domain, addresses, sync_ms, is_last, is_asked } => {
                match is_asked {
                    true => self.ask_with_list(&domain, &addresses, sync_ms, is_last),
                    false => self.list_gateway(&domain, &addresses, sync_ms, is_last),
                }
            }
            FromAdmin::List(command) => self.list_command(command),
            FromAdmin::Accepted(message) => self.show_accepted(message),
            FromAdmin::TlsReports { send } => self.tls_reports(send),
            FromAdmin::Reports(query) => self.show_reports(query),
            FromAdmin::Searched { contracts, files, bytes, found, .. } => {
                self.searched(contracts, files, bytes, &found)
            }
        };
        answer.unwrap_or_else(|fault| ToAdmin::Fault(fault.story()))
    }

    /// The answer where others would get mail of this part, or speak for it, and nobody agreed.
    pub fn unless_agreed(&self, tenant: TenantId, user: Option<UserId>) -> Option<ToAdmin> {
        let part = Part { tenant, user };
        (self.agreed != Some(part)).then_some(ToAdmin::ForTwo(part))
    }

    /// An act that identity found permitted.
    pub fn carry(&mut self, act: Act) -> ToAdmin {
        let answer = match act {
            Act::Redirect { tenant, user, change } => {
                self.agreed = Some(Part { tenant, user });
                return match self.carry_out(change.question()) {
                    // Who agreed may do so for another part than the one that it concerns.
                    ToAdmin::ForTwo(_) => {
                        let hint = "ask anew: what it concerns has changed";
                        refused("an act upon the part that was agreed upon", "another", hint)
                    }
                    answer => answer,
                };
            }
            Act::AddPerson { tenant, address, role, aliases } => {
                if APPROVING.contains(&role.as_str()) {
                    self.agreed = Some(Part { tenant, user: None });
                }
                match self.tables.tenant(self.key, tenant) {
                    Ok(Some(row)) => self.add_user(&address, &row.name, &role, &aliases),
                    Ok(None) => Ok(no_tenant(&tenant.to_string())),
                    Err(fault) => Err(fault),
                }
            }
            Act::Disable { user, disabled, .. } => self.shut_out_approver(user, disabled),
            Act::ChangeSettings { tenant, settings } => self.change_settings(tenant, settings),
            Act::ChangeSending { tenant, settings } => self.change_sending(tenant, settings),
            Act::TerminateTenant { tenant, grace_ms } => {
                self.begin_ending(Part { tenant, user: None }, grace_ms)
            }
            Act::TerminateUser { tenant, user, grace_ms } => {
                self.begin_ending(Part { tenant, user: Some(user) }, grace_ms)
            }
            Act::LiftHold { tenant, hold } => self.lift_hold(tenant, hold),
            other => Ok(refused("an act of the directory", other.word(), "another keeper's")),
        };
        answer.unwrap_or_else(|fault| ToAdmin::Fault(fault.story()))
    }

    /// Settings that protect as much as before.
    fn protect(&mut self, name: &str, settings: &TenantSettings) -> Result<ToAdmin, Fault> {
        let Some((tenant, row)) = self.tables.tenant_by_name(self.key, name)? else {
            return Ok(no_tenant(name));
        };
        if settings.is_weaker_than(&row.settings) {
            let hint = "less protection is an act for two persons";
            return Ok(refused("settings that protect as much", "less", hint));
        }
        self.change_settings(tenant, settings.clone())
    }

    fn change_settings(
        &mut self,
        tenant: TenantId,
        settings: TenantSettings,
    ) -> Result<ToAdmin, Fault> {
        let Some(mut row) = self.tables.tenant(self.key, tenant)? else {
            return Ok(no_tenant(&tenant.to_string()));
        };
        let marks =
            [settings.tag_from, settings.junk_from, settings.quarantine_from, settings.refuse_from];
        if marks.iter().any(|mark| !(0.0..=1_000.0).contains(mark)) {
            return Ok(refused("marks from 0 to 1000", &format!("{marks:?}"), "tenant show NAME"));
        }
        if let Some(sealer) = settings.trusted_sealers.iter().find(|name| !is_sound_domain(name)) {
            let hint = "write it in A-label form, as in the seal's d=";
            return Ok(refused("a domain name with two labels or more", sealer, hint));
        }
        let count = settings.trusted_sealers.len();
        if count > TRUSTED_SEALERS {
            let hint = "take others out first: --distrust-sealer DOMAIN";
            return Ok(refused("at most 50 trusted sealers", &count.to_string(), hint));
        }
        self.friends.record_change(tenant, None, "tenant.settings")?;
        row.settings = settings;
        self.tables.change_settings(self.key, tenant, &row)?;
        self.statements.forget_all();
        Ok(ToAdmin::Tenant(self.count(tenant, row)?))
    }

    /// What a search for remains found: recorded, and alarmed by the caller if it is anything.
    fn searched(
        &mut self,
        contracts: u64,
        files: u64,
        bytes: u64,
        found: &[String],
    ) -> Result<ToAdmin, Fault> {
        let found = found.len() as u64;
        self.friends.write(Body::Searched { contracts, files, bytes, found })?;
        Ok(ToAdmin::Done)
    }

    fn add_tenant(&mut self, name: &str) -> Result<ToAdmin, Fault> {
        let name = name.trim();
        if !is_tenant_name(name) {
            return Ok(refused("a tenant's name of 1 to 100 octets", name, "choose another name"));
        }
        let folded = name.to_lowercase();
        let same = |(_, row): &(TenantId, TenantRow)| row.name.to_lowercase() == folded;
        if let Some((_, row)) = self.tables.tenants(self.key)?.iter().find(|one| same(one)) {
            // Who reads `ACME` and types `acme` must not reach another organisation.
            let found = format!("{name}: there is {}", row.name);
            let hint = "names are compared without case; see `tenant list`; choose another name";
            return Ok(refused("a name that no tenant has", &found, hint));
        }
        let tenant = self.key_for_tenant(name)?;
        self.friends.record_change(tenant, None, "tenant.add")?;
        let row = TenantRow {
            name: name.to_owned(),
            settings: TenantSettings::default(),
            sending: SendingSettings::default(),
        };
        self.tables.add_tenant(self.key, tenant, &row)?;
        Ok(ToAdmin::Tenant(self.count(tenant, row)?))
    }

    fn list_tenants(&mut self) -> Result<ToAdmin, Fault> {
        let tenants = self.tables.tenants(self.key)?;
        let shown = tenants.into_iter().map(|(tenant, row)| self.count(tenant, row));
        Ok(ToAdmin::Tenants(shown.collect::<Result<_, _>>()?))
    }

    fn show_tenant(&mut self, name: &str) -> Result<ToAdmin, Fault> {
        match self.tables.tenant_by_name(self.key, name)? {
            Some((tenant, row)) => Ok(ToAdmin::Tenant(self.count(tenant, row)?)),
            None => Ok(no_tenant(name)),
        }
    }

    pub fn count(&self, tenant: TenantId, row: TenantRow) -> Result<Tenant, Fault> {
        let domains = self.tables.domains(self.key, Some(tenant))?.len() as u32;
        let users = self.tables.people(self.key, tenant)?.len() as u32;
        let part = Part { tenant, user: None };
        let ending = self.tables.ending(self.key, part)?.map(|row| row.ending);
        let holds = self.holds_on(part)?;
        let TenantRow { name, settings, sending } = row;
        Ok(Tenant { tenant, name, domains, users, settings, ending, holds, sending })
    }

    fn add_domain(&mut self, domain: &str, tenant: &str) -> Result<ToAdmin, Fault> {
        let domain = match domain_to_be(domain) {
            Ok(domain) => domain,
            Err((expected, hint)) => return Ok(refused(expected, domain, hint)),
        };
        let Some((id, row)) = self.tables.tenant_by_name(self.key, tenant)? else {
            return Ok(no_tenant(tenant));
        };
        if self.tables.domain(self.key, &domain)?.is_some() {
            let hint = "a domain belongs to one tenant; see `domain list`";
            return Ok(refused("a domain that no tenant has", &domain, hint));
        }
        self.friends.record_change(id, None, "domain.add")?;
        self.tables.add_domain(self.key, &domain, id)?;
        let (catch_all, transport) = (None, TransportPolicy::default());
        let added = DomainRow { name: domain, catch_all, transport };
        Ok(ToAdmin::Domain(self.told_domain(added, id, row.name)?))
    }

    pub fn told_domain(
        &self,
        row: DomainRow,
        of: TenantId,
        tenant: String,
    ) -> Result<Domain, Fault> {
        let DomainRow { name: domain, catch_all, transport } = row;
        let is_untold = self.is_untold(&domain, of)?;
        Ok(Domain { domain, tenant, catch_all, transport, is_untold })
    }

    fn list_domains(&mut self, tenant: Option<&str>) -> Result<ToAdmin, Fault> {
        let of = match tenant {
            Some(name) => match self.tables.tenant_by_name(self.key, name)? {
                Some(found) => vec![found],
                None => return Ok(no_tenant(name)),
            },
            None => self.tables.tenants(self.key)?,
        };
        let mut domains = Vec::new();
        for (id, row) in of {
            for one in self.tables.domain_rows(self.key, Some(id))? {
                domains.push(self.told_domain(one, id, row.name.clone())?);
            }
        }
        Ok(ToAdmin::Domains(domains))
    }

    fn add_user(
        &mut self,
        address: &str,
        tenant: &str,
        role: &str,
        aliases: &[String],
    ) -> Result<ToAdmin, Fault> {
        let Some((id, row)) = self.tables.tenant_by_name(self.key, tenant)? else {
            return Ok(no_tenant(tenant));
        };
        if !(ROLES.contains(&role) || role == DECOY_ROLE) || aliases.len() > ALIASES {
            let hint =
                "roles: user, approver, auditor, tenant-admin, operator; at most 100 aliases";
            return Ok(refused("a known role", role, hint));
        }
        let mut addresses = vec![folded(address)];
        addresses.extend(aliases.iter().map(|alias| folded(alias)));
        for address in &addresses {
            if let Some(refusal) = self.refuse_address(address, id)? {
                return Ok(refusal);
            }
        }
        let mut seen = BTreeSet::new();
        addresses.retain(|address| seen.insert(address.clone()));
        for address in &addresses {
            if self.is_given_anew(address, id)?
                && let Some(answer) = self.unless_agreed(id, None)
            {
                return Ok(answer);
            }
        }
        let user = self.key_for_user(id, &addresses)?;
        self.friends.record_change(id, Some(user), "user.add")?;
        let address = addresses.remove(0);
        let person = PersonRow {
            address,
            role: role.to_owned(),
            aliases: addresses,
            disabled: false,
            made_ms: now_ms(),
        };
        self.tables.add_person(self.key, user, id, &person)?;
        self.restate(id, &person, person.role == "tenant-admin")?;
        Ok(ToAdmin::User(shown(user, id, &row.name, person)))
    }

    /// Whether mail for a new address went to somebody else before: to its domain's own server, to
    /// whom it was taken from, or to the postmaster; or whoever has it speaks for the domain.
    pub fn is_given_anew(&mut self, address: &str, tenant: TenantId) -> Result<bool, Fault> {
        let (_, domain) = address.rsplit_once('@').unwrap_or_default();
        let (local, _) = address.split_once('@').unwrap_or_default();
        Ok(SPEAKING.contains(&local)
            || self.tables.gateway(self.key, domain)?.is_some()
            || self.friends.has_stood(address, tenant)?)
    }

    pub fn refuse_address(&self, address: &str, of: TenantId) -> Result<Option<ToAdmin>, Fault> {
        if let Some(refusal) = refuse_letters(address) {
            return Ok(Some(refusal));
        }
        if !is_sound(address) {
            let hint = "letters, digits, dot, hyphen, underscore; no `+` (it marks a detail)";
            return Ok(Some(refused("an address local@domain", address, hint)));
        }
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        if self.tables.domain(self.key, domain)? != Some(of) {
            let hint = "add it first: domain add DOMAIN --tenant T";
            return Ok(Some(refused("a domain of this tenant", domain, hint)));
        }
        if address.starts_with(WAY_BACK) {
            let hint = "return paths of mail that is passed on begin so";
            return Ok(Some(refused("another address", address, hint)));
        }
        if lists::word(address).is_some() {
            let hint = "words about a list's subscriptions look so";
            return Ok(Some(refused("another address", address, hint)));
        }
        let kept = self.kept(address)?;
        let is_group = self.tables.group(self.key, &kept)?.is_some();
        let is_list = self.tables.list(self.key, &kept)?.is_some()
            || self.tables.owned(self.key, &kept)?.is_some();
        if is_group || is_list || self.tables.person_by_address(self.key, &kept)?.is_some() {
            let hint = "see `user list`, `group list` and `list list`";
            return Ok(Some(refused("an address that nobody has", address, hint)));
        }
        Ok(None)
    }

    fn list_users(&mut self, tenant: Option<&str>) -> Result<ToAdmin, Fault> {
        let of = match tenant {
            Some(name) => match self.tables.tenant_by_name(self.key, name)? {
                Some(found) => vec![found],
                None => return Ok(no_tenant(name)),
            },
            None => self.tables.tenants(self.key)?,
        };
        let mut users = Vec::new();
        for (id, row) in of {
            let people = self.tables.people(self.key, id)?;
            users.extend(people.into_iter().map(|(user, who)| shown(user, id, &row.name, who)));
        }
        for (_, group) in self.tables.groups(self.key)? {
            let writers = users.iter_mut().filter(|one| group.speakers.contains(&one.user));
            writers.for_each(|one| one.writes_as.push(group.address.clone()));
        }
        Ok(ToAdmin::Users(users))
    }

    /// What was said of a person's addresses counts no more, nor of whoever is postmaster where
    /// nobody has that address: who stands there now is recorded, and signed for.
    ///
    /// Only an administrator, or somebody who goes or returns, moves the postmaster (`moves_it`). A
    /// move that no command stated would be taken for a redirection when mail asks next.
    pub fn restate(
        &mut self,
        tenant: TenantId,
        person: &PersonRow,
        moves_it: bool,
    ) -> Result<(), Fault> {
        let mut addresses = vec![person.address.clone()];
        addresses.extend(person.aliases.iter().cloned());
        if moves_it {
            let domains = self.tables.domains(self.key, Some(tenant))?;
            addresses.extend(domains.iter().map(|domain| format!("postmaster@{domain}")));
            addresses.push(format!("postmaster@{}", self.host_name.to_lowercase()));
        }
        self.restate_all(addresses)
    }

    /// These addresses, and those of others whose mail reaches them.
    pub fn restate_all(&mut self, addresses: Vec<String>) -> Result<(), Fault> {
        let look = Lookup { tables: self.tables, key: self.key, now: now_ms() };
        let own: BTreeSet<String> = addresses.iter().cloned().collect();
        let others = look.reaching(&own)?.into_iter().map(|(_, address)| address);
        let others: Vec<String> = others.collect();
        for address in addresses.into_iter().chain(others) {
            let (tables, key) = (&*self.tables, self.key);
            let stated = self.statements.restate(tables, key, self.friends, &address, now_ms());
            match stated {
                // Without the vault or the ledger the change stands, and mail for an address that
                // was another's waits until the next change.
                Ok(()) | Err(Fault::VaultAway | Fault::Unrecorded(_) | Fault::TooMany) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn find_user(&mut self, address: &str) -> Result<ToAdmin, Fault> {
        let address = self.kept(address)?;
        let Some((user, tenant, person)) = self.look_up(&address)? else {
            return Ok(no_user(&address));
        };
        let name = self.tables.tenant(self.key, tenant)?.map(|row| row.name).unwrap_or_default();
        let mut found = shown(user, tenant, &name, person);
        found.writes_as = self.writes_as(tenant, user)?;
        Ok(ToAdmin::User(found))
    }

    pub fn look_up(&self, address: &str) -> Result<Option<(UserId, TenantId, PersonRow)>, Fault> {
        let Some(user) = self.tables.person_by_address(self.key, address)? else {
            return Ok(None);
        };
        let found = self.tables.person(self.key, user)?;
        Ok(found.map(|(tenant, person)| (user, tenant, person)))
    }

    fn name_users(&mut self, users: &[UserId]) -> Result<ToAdmin, Fault> {
        let mut names = Vec::with_capacity(users.len());
        for user in users {
            let person = self.tables.person(self.key, *user)?;
            names.push(person.map(|(_, person)| person.address));
        }
        Ok(ToAdmin::Names(names))
    }

    fn trace_tokens(&mut self, digests: &[[u8; 32]]) -> Result<ToAdmin, Fault> {
        let tenants = self.tables.tenants(self.key)?;
        let tokens = tenants.iter().flat_map(|(tenant, _)| {
            digests.iter().map(|digest| trace_token(self.key, *tenant, digest))
        });
        Ok(ToAdmin::TraceTokens(tokens.collect()))
    }
}

/// Without what they write as beside their own addresses.
pub fn shown(user: UserId, tenant_id: TenantId, tenant: &str, person: PersonRow) -> User {
    User {
        user,
        tenant_id,
        tenant: tenant.to_owned(),
        address: person.address,
        role: person.role,
        aliases: person.aliases,
        disabled: person.disabled,
        writes_as: Vec::new(),
    }
}

pub fn no_tenant(name: &str) -> ToAdmin {
    refused("the name of a tenant", name, "see `tenant list`; add it with `tenant add NAME`")
}

pub fn no_user(address: &str) -> ToAdmin {
    refused("the address of a person", address, "see `user list`")
}
