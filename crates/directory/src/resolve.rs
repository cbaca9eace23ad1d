//! What an address leads to: people of ours, and ways on, through forwards and groups.

use crate::Fault;
use crate::statements::{find, is_ended};
use crate::tables::Tables;
use crate::ways::{Beyond, GatewayRow};
use rows::RowKey;
use std::collections::{BTreeSet, HashMap};
use terms::{TenantId, UserId};
use wire::directory::{Absence, ONWARD, Onward, Path, SmartHost, Taken, catch_all};
use wire::lists;
use wire::post::Hop;
use wire::reports::takes_reports;

/// People behind one address; the vault signs for no more.
pub const PEOPLE: usize = 100;
pub const NOBODY: UserId = UserId([0; 8]);

/// Where mail for one address goes.
#[derive(Default)]
pub struct Found {
    pub people: Vec<UserId>,
    pub onward: Vec<Onward>,
    pub absence: Option<Absence>,
    /// The absence ends then, and with it what is said of the address.
    pub until_ms: Option<u64>,
    /// Nobody gave out this address: it is the catch-all's, or one that a gateway's server may
    /// know. Strangers make such addresses up.
    pub is_made_up: bool,
}

impl Found {
    /// Whether mail for it reaches anybody.
    pub fn reaches_somebody(&self) -> bool {
        !self.onward.iter().any(|way| way.path == Path::Report)
    }

    fn leads_nowhere(&self) -> bool {
        self.people.is_empty() && self.onward.is_empty()
    }

    pub fn is_too_large(&self) -> bool {
        self.people.len() > PEOPLE || self.onward.len() > ONWARD
    }
}

/// The tables as they stand at one moment.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    pub tables: &'a Tables,
    pub key: &'a RowKey,
    pub now: u64,
}

impl<'a> Lookup<'a> {
    /// `None`: nobody.
    pub fn find(self, address: &str, tenant: TenantId) -> Result<Option<Found>, Fault> {
        let place = self.place(address, tenant)?;
        let mut found = match &place {
            Place::Gateway(row, _) => gateway(address, row),
            Place::Caught(by) => self.walk(by, tenant)?,
            Place::Nobody => return Ok(None),
            Place::List => list(address),
            Place::Reports => reports(address),
            Place::Person(_) | Place::Group(_) => self.walk(address, tenant)?,
        };
        found.is_made_up = match &place {
            // A server that says yes to every name is asked for every name.
            Place::Gateway(row, stands) => row.taken == Taken::Any || *stands == Beyond::Checked,
            Place::Caught(_) | Place::Reports => true,
            Place::Person(_) | Place::Group(_) | Place::List | Place::Nobody => false,
        };
        if let Place::Person(user) = place {
            self.add_absence(&mut found, user)?;
        }
        Ok((!found.leads_nowhere()).then_some(found))
    }

    fn add_absence(self, found: &mut Found, user: UserId) -> Result<(), Fault> {
        let row = self.tables.way(self.key, user)?.absence;
        let is_now = |until: Option<u64>| until.is_none_or(|until| self.now < until);
        let row = row.filter(|row| is_now(row.until_ms) && found.people.contains(&user));
        if let Some(row) = row {
            found.until_ms = row.until_ms;
            found.absence = Some(Absence { user, subject: row.subject, text: row.text });
        }
        Ok(())
    }

    /// Where mail for a list's member goes, in the name of the list's tenant.
    pub fn lead(self, member: &str, tenant: TenantId) -> Result<Found, Fault> {
        let domain = member.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        if self.tables.domain(self.key, domain)?.is_some() {
            return self.walk(member, tenant);
        }
        let row = self.tables.tenant(self.key, tenant)?;
        let hop = hop(member, row.and_then(|row| row.sending.smart_host).as_ref());
        let way = Onward { user: NOBODY, to: member.to_owned(), hop, path: Path::Rewritten };
        Ok(Found { onward: vec![way], ..Found::default() })
    }

    fn walk(self, address: &str, tenant: TenantId) -> Result<Found, Fault> {
        let smart_host =
            self.tables.tenant(self.key, tenant)?.and_then(|row| row.sending.smart_host);
        let (found, seen) = (Found::default(), HashMap::new());
        let mut walk = Walk { look: self, tenant, smart_host, found, seen };
        walk.pass(address, NOBODY, true)?;
        Ok(walk.found)
    }

    /// Whose an address of this tenant's domains is. Where nobody has it, reports may be taken.
    fn place(self, address: &str, tenant: TenantId) -> Result<Place, Fault> {
        Ok(match self.place_of(address, tenant)? {
            Place::Nobody if takes_reports(address) => Place::Reports,
            place => place,
        })
    }

    fn place_of(self, address: &str, tenant: TenantId) -> Result<Place, Fault> {
        let Self { tables, key, now } = self;
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        let gateway = tables.gateway(key, domain)?;
        // The server beyond has a postmaster of its own.
        if gateway.is_none() || tables.person_by_address(key, address)?.is_some() {
            if let Some((user, person)) = find(tables, key, address, tenant)? {
                let is_gone = person.disabled || is_ended(tables, key, tenant, user)?;
                return Ok(if is_gone { Place::Nobody } else { Place::Person(user) });
            }
        }
        if let Some((_, group)) = tables.group(key, address)?.filter(|(of, _)| *of == tenant) {
            return Ok(Place::Group(group.members));
        }
        if tables.list(key, address)?.is_some_and(|(of, _)| of == tenant) {
            return Ok(Place::List);
        }
        if let Some((_, row)) = tables.owned(key, address)?.filter(|(of, _)| *of == tenant) {
            return Ok(Place::Group(row.owners));
        }
        if let Some(row) = gateway {
            let always = address == catch_all(domain) || address.starts_with("postmaster@");
            let stands = match always || row.taken == Taken::Any {
                true => Beyond::Listed,
                false => tables.beyond(key, address, now)?,
            };
            return Ok(match stands {
                Beyond::Unknown => Place::Nobody,
                Beyond::Listed | Beyond::Checked => Place::Gateway(row, stands),
            });
        }
        Ok(tables.catch_all(key, domain)?.map_or(Place::Nobody, Place::Caught))
    }

    /// Whether an address of this tenant's domains is nobody's here, so that the tenant's own
    /// server may write as it: no person's (be they shut out), no group's, no list's.
    pub fn is_a_server_s(self, address: &str, tenant: TenantId) -> Result<bool, Fault> {
        Ok(match self.place(address, tenant)? {
            Place::Person(_) | Place::Group(_) | Place::List | Place::Reports => false,
            Place::Gateway(..) | Place::Caught(_) => true,
            Place::Nobody => self.tables.person_by_address(self.key, address)?.is_none(),
        })
    }

    /// Addresses of other people's whose mail reaches one of these, too.
    pub fn reaching(self, of: &BTreeSet<String>) -> Result<BTreeSet<(TenantId, String)>, Fault> {
        let mut leads: Vec<(TenantId, Vec<String>, Vec<String>)> = Vec::new();
        for (user, row) in self.tables.ways(self.key)? {
            if let Some((tenant, person)) = self.tables.person(self.key, user)? {
                let mut own = person.aliases;
                own.push(person.address);
                leads.push((tenant, own, row.to));
            }
        }
        for (tenant, group) in self.tables.groups(self.key)? {
            leads.push((tenant, vec![group.address], group.members));
        }
        for (tenant, list) in self.tables.lists(self.key)? {
            leads.push((tenant, vec![lists::owner(&list.address)], list.owners));
        }
        for (tenant, _) in self.tables.tenants(self.key)? {
            for row in self.tables.domain_rows(self.key, Some(tenant))? {
                leads
                    .extend(row.catch_all.map(|to| (tenant, vec![catch_all(&row.name)], vec![to])));
            }
        }
        let (mut reached, mut reaching) = (of.clone(), BTreeSet::new());
        loop {
            let before = reached.len();
            for (tenant, own, to) in &leads {
                if !to.iter().any(|to| reached.contains(to)) {
                    continue;
                }
                for address in own {
                    if reached.insert(address.clone()) {
                        reaching.insert((*tenant, address.clone()));
                    }
                }
            }
            if reached.len() == before {
                return Ok(reaching);
            }
        }
    }
}

enum Place {
    Person(UserId),
    /// Its members.
    Group(Vec<String>),
    /// Its members are told to whoever spreads its mail, and stand in no statement.
    List,
    Gateway(GatewayRow, Beyond),
    /// By the catch-all: that address.
    Caught(String),
    /// Of others, and nothing else.
    Reports,
    Nobody,
}

fn reports(address: &str) -> Found {
    let way = Onward { user: NOBODY, to: address.to_owned(), hop: Hop::Here, path: Path::Report };
    Found { onward: vec![way], ..Found::default() }
}

fn list(address: &str) -> Found {
    let way = Onward { user: NOBODY, to: address.to_owned(), hop: Hop::List, path: Path::List };
    Found { onward: vec![way], ..Found::default() }
}

fn gateway(address: &str, row: &GatewayRow) -> Found {
    let hop = host(&row.host);
    let way = Onward { user: NOBODY, to: address.to_owned(), hop, path: Path::AsItCame };
    Found { onward: vec![way], ..Found::default() }
}

pub fn host(host: &SmartHost) -> Hop {
    Hop::Host { name: host.name.clone(), port: host.port, tls: host.tls }
}

/// The way outside to an address, as the tenant's settings want it.
pub fn hop(to: &str, smart_host: Option<&SmartHost>) -> Hop {
    let domain = to.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    smart_host.map_or_else(|| Hop::Domain(domain.to_owned()), host)
}

/// One address followed to its ends. Each is passed once, so that circles end.
struct Walk<'a> {
    look: Lookup<'a>,
    tenant: TenantId,
    smart_host: Option<SmartHost>,
    found: Found,
    /// Whether it led to anybody; `None`: not known yet.
    seen: HashMap<String, Option<bool>>,
}

impl Walk<'_> {
    /// In whose name, and whether mail is kept for whoever is found here: their own address, or
    /// one of theirs together. `false`: it leads to nobody.
    fn pass(&mut self, address: &str, by: UserId, is_shared: bool) -> Result<bool, Fault> {
        // A circle leads to nobody by itself: whoever stands in it keeps their mail.
        if let Some(known) = self.seen.get(address) {
            return Ok(known.unwrap_or(false));
        }
        self.seen.insert(address.to_owned(), None);
        let leads = match self.found.is_too_large() {
            true => false,
            false => self.pass_new(address, by, is_shared)?,
        };
        self.seen.insert(address.to_owned(), Some(leads));
        Ok(leads)
    }

    fn pass_new(&mut self, address: &str, by: UserId, is_shared: bool) -> Result<bool, Fault> {
        let Lookup { tables, key, .. } = self.look;
        let domain = address.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
        let Some(tenant) = tables.domain(key, domain)?.or_else(|| self.of_house(address)) else {
            let hop = hop(address, self.smart_host.as_ref());
            return Ok(self.go_on(by, address, hop));
        };
        match self.look.place(address, tenant)? {
            Place::Person(user) => self.pass_person((tenant, user), address, by, is_shared),
            Place::Group(members) => {
                let mut leads = false;
                for member in members {
                    leads |= self.pass(&member, by, is_shared)?;
                }
                Ok(leads)
            }
            Place::Gateway(row, _) => Ok(self.go_on(by, address, host(&row.host))),
            Place::Caught(caught) => self.pass(&caught, by, is_shared),
            Place::List | Place::Reports | Place::Nobody => Ok(false),
        }
    }

    /// `postmaster` at the host's own name, which is no domain of anybody's.
    fn of_house(&self, address: &str) -> Option<TenantId> {
        (self.seen.len() == 1 && address.starts_with("postmaster@")).then_some(self.tenant)
    }

    fn pass_person(
        &mut self,
        (tenant, user): (TenantId, UserId),
        address: &str,
        by: UserId,
        is_shared: bool,
    ) -> Result<bool, Fault> {
        let Lookup { tables, key, .. } = self.look;
        let is_kept = is_shared && tenant == self.tenant;
        let way = tables.way(key, user)?;
        let name = if is_kept { user } else { by };
        let mut leads = false;
        for to in &way.to {
            leads |= self.pass(to, name, false)?;
        }
        if leads && !way.keep {
            return Ok(true);
        }
        match is_kept {
            true if self.found.people.contains(&user) => {}
            true => self.found.people.push(user),
            false => drop(self.go_on(by, address, Hop::Here)),
        }
        Ok(true)
    }

    fn go_on(&mut self, user: UserId, to: &str, hop: Hop) -> bool {
        let way = Onward { user, to: to.to_owned(), hop, path: Path::Rewritten };
        self.found.onward.push(way);
        true
    }
}
