//! Domains whose mail goes to their tenant's own server, and the lists of whom that has.

use crate::Fault;
use crate::address::{is_sound, is_sound_domain};
use crate::asked::ASKED;
use crate::changes::{Changes, refused};
use crate::statements::answers_for;
use crate::ways::GatewayRow;
use compartment::now_ms;
use std::net::IpAddr;
use terms::TenantId;
use wire::directory::{Gateway, LIST_PAGE, ListAsked, SmartHost, Taken, ToAdmin, catch_all};

impl Changes<'_> {
    /// The server that a domain's mail goes to, set or taken away; where it is asked for with a
    /// list, that comes with it or neither does.
    pub fn set_gateway(
        &mut self,
        domain: &str,
        host: Option<SmartHost>,
        taken: Taken,
        list: Option<&ListAsked>,
    ) -> Result<ToAdmin, Fault> {
        let (domain, tenant) = match self.domain_of_house(domain)? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        if host.is_some() && self.tables.catch_all(self.key, &domain)?.is_some() {
            let hint = "take it away first: domain set DOMAIN --catch-all none";
            return Ok(refused("a domain without a catch-all", &domain, hint));
        }
        if let Some(refusal) = host.as_ref().and_then(refuse_host) {
            return Ok(refusal);
        }
        let before = self.tables.gateway(self.key, &domain)?;
        if host.is_some()
            && let Some(refusal) = self.refuse_list(&domain, (before.as_ref(), taken), list)?
        {
            return Ok(refusal);
        }
        let is_known =
            |row: &GatewayRow| Some(&row.host) == host.as_ref() && !taken.is_wider_than(row.taken);
        if host.is_some()
            && !before.as_ref().is_some_and(is_known)
            && let Some(answer) = self.unless_agreed(tenant, None)
        {
            return Ok(answer);
        }
        self.friends.record_change(tenant, None, "domain.gateway")?;
        if list.is_some() {
            self.friends.record_change(tenant, None, "domain.gateway-list")?;
        }
        self.tables.try_out()?;
        let row = host.map(|host| GatewayRow { domain: domain.clone(), host, taken });
        let kept = self.keep_gateway((tenant, &domain), row.as_ref(), list.is_some());
        self.tables.decide(kept.is_ok())?;
        kept?;
        self.statements.forget_all();
        self.restate_all(vec![catch_all(&domain), format!("postmaster@{domain}")])?;
        self.shown_gateway(domain, tenant, None)
    }

    /// A domain that takes mail for whom a list names, and has none, would refuse everybody's.
    fn refuse_list(
        &self,
        domain: &str,
        (before, taken): (Option<&GatewayRow>, Taken),
        list: Option<&ListAsked>,
    ) -> Result<Option<ToAdmin>, Fault> {
        let Some(list) = list else {
            let has_list = before.is_some_and(|row| row.taken != Taken::Any);
            let hint = "domain gateway DOMAIN --host HOST:PORT --recipients FILE, once more";
            let none = || refused("a list of recipients with the host", "none", hint);
            return Ok((taken != Taken::Any && !has_list).then(none));
        };
        let told = self.tables.asked(self.key, domain)?;
        let found = match told.recipients {
            0 => "none that waits".to_owned(),
            many => format!("another, of {many}"),
        };
        let expected = format!("the list of {} that it is asked for with", list.recipients);
        let hint = "ask anew: domain gateway DOMAIN --host HOST:PORT --recipients FILE";
        let is_it = told == *list && list.recipients > 0 && taken != Taken::Any;
        Ok((!is_it).then(|| refused(&expected, &found, hint)))
    }

    fn keep_gateway(
        &self,
        (tenant, domain): (TenantId, &str),
        row: Option<&GatewayRow>,
        has_list: bool,
    ) -> Result<(), Fault> {
        let (tables, key, now) = (&*self.tables, self.key, now_ms());
        match row {
            Some(row) => tables.keep_gateway(key, tenant, row)?,
            None => tables.drop_gateway(key, domain)?,
        }
        if row.is_some_and(|row| row.taken == Taken::Any) {
            tables.drop_beyond(key, domain)?;
        }
        if has_list {
            let addresses = tables.asked_addresses(key, domain)?;
            tables.list_beyond(key, (tenant, domain), &addresses, now)?;
            tables.end_list(key, domain, now, now)?;
        }
        if has_list || row.is_none() {
            tables.drop_asked(key, domain)?;
        }
        tables.forget_statements()
    }

    pub fn show_gateway(&mut self, domain: &str) -> Result<ToAdmin, Fault> {
        match self.domain_of_house(domain)? {
            Ok((domain, tenant)) => self.shown_gateway(domain, tenant, None),
            Err(refusal) => Ok(refusal),
        }
    }

    /// A page of the recipients that a gateway's server has.
    pub fn list_gateway(
        &mut self,
        domain: &str,
        addresses: &[String],
        sync_ms: Option<u64>,
        is_last: bool,
    ) -> Result<ToAdmin, Fault> {
        let (domain, tenant) = match self.domain_of_house(domain)? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        let listed = self.tables.gateway(self.key, &domain)?.filter(|row| row.taken != Taken::Any);
        if listed.is_none() || addresses.len() > LIST_PAGE {
            let hint = "domain gateway DOMAIN --host HOST:PORT --recipients FILE";
            return Ok(refused("a gateway domain with a list", &domain, hint));
        }
        let whole = match self.its_own(&domain, addresses)? {
            Ok(whole) => whole,
            Err(refusal) => return Ok(refusal),
        };
        let sync_ms = match sync_ms {
            Some(sync_ms) => sync_ms,
            None => {
                self.friends.record_change(tenant, None, "domain.gateway-list")?;
                now_ms()
            }
        };
        self.tables.list_beyond(self.key, (tenant, &domain), &whole, sync_ms)?;
        if is_last {
            self.tables.end_list(self.key, &domain, sync_ms, now_ms())?;
        }
        self.shown_gateway(domain, tenant, Some(sync_ms))
    }

    /// A page of the recipients that a gateway is asked for with.
    pub fn ask_with_list(
        &mut self,
        domain: &str,
        addresses: &[String],
        told_ms: Option<u64>,
        is_last: bool,
    ) -> Result<ToAdmin, Fault> {
        let (domain, tenant) = match self.domain_of_house(domain)? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        let whole = match self.its_own(&domain, addresses)? {
            Ok(whole) if whole.len() <= LIST_PAGE => whole,
            Ok(_) => return Ok(refused("a page of a list", "a longer one", "")),
            Err(refusal) => return Ok(refusal),
        };
        let hint = "tell it anew, from one place";
        let told_ms = match told_ms {
            Some(told_ms) if self.tables.is_asked_since(self.key, &domain, told_ms)? => told_ms,
            Some(_) => return Ok(refused("the list that was begun", "another meanwhile", hint)),
            None => {
                let now = now_ms();
                self.tables.begin_asked(self.key, &domain, now)?;
                now
            }
        };
        self.tables.try_out()?;
        let kept = self.tables.add_asked(self.key, (tenant, &domain), &whole, told_ms);
        self.tables.decide(kept.is_ok())?;
        kept?;
        if self.tables.count_asked(self.key, &domain)? > ASKED {
            self.tables.drop_asked(self.key, &domain)?;
            let hint = "--recipients any, where the server itself refuses whom it has not";
            return Ok(refused("a list of a million recipients at most", "more", hint));
        }
        let asked = is_last.then(|| self.tables.asked(self.key, &domain)).transpose()?;
        let shown = self.shown_gateway(domain, tenant, Some(told_ms))?;
        Ok(match shown {
            ToAdmin::Gateway(shown) => ToAdmin::Gateway(Gateway { asked, ..shown }),
            other => other,
        })
    }

    /// Addresses in one spelling, all of them the domain's.
    fn its_own(
        &self,
        domain: &str,
        addresses: &[String],
    ) -> Result<Result<Vec<String>, ToAdmin>, Fault> {
        let mut whole = Vec::with_capacity(addresses.len());
        for address in addresses {
            let address = self.kept(address)?;
            let is_its_own = address.rsplit_once('@').is_some_and(|(_, of)| of == domain);
            if !is_its_own || !is_sound(&address) {
                let hint = "one address of the domain on each line";
                return Ok(Err(refused("an address of the domain", &address, hint)));
            }
            whole.push(address);
        }
        Ok(Ok(whole))
    }

    fn shown_gateway(
        &self,
        domain: String,
        tenant: TenantId,
        told_ms: Option<u64>,
    ) -> Result<ToAdmin, Fault> {
        let row = self.tables.gateway(self.key, &domain)?;
        let taken = row.as_ref().map_or(Taken::Any, |row| row.taken);
        let (mut recipients, mut in_grace, mut grace, mut sync_ms) = (None, 0, Vec::new(), told_ms);
        if taken != Taken::Any {
            let (all, going) = self.tables.count_beyond(self.key, &domain, now_ms())?;
            (recipients, in_grace) = (Some(all), going);
            grace = self.tables.grace(self.key, &domain, now_ms())?;
            sync_ms = sync_ms.or(self.tables.synced(self.key, &domain)?);
        }
        let checked = match taken {
            Taken::ListedOrChecked => Some(self.tables.count_checked(self.key, &domain)?),
            Taken::Any | Taken::Listed => None,
        };
        let is_untold = self.is_untold(&domain, tenant)?;
        Ok(ToAdmin::Gateway(Gateway {
            domain,
            tenant: self.tenant_name(tenant)?,
            host: row.map(|row| row.host),
            recipients,
            checked,
            sync_ms,
            in_grace,
            grace,
            is_untold,
            asked: None,
        }))
    }

    /// Whether nobody of its tenant hears of mail that a gateway's server refuses after we took it.
    pub fn is_untold(&self, domain: &str, tenant: TenantId) -> Result<bool, Fault> {
        Ok(self.tables.gateway(self.key, domain)?.is_some()
            && answers_for(self.tables, self.key, tenant)?.is_none())
    }

    /// A domain by any of its spellings, and whose it is.
    pub(crate) fn domain_of_house(
        &self,
        domain: &str,
    ) -> Result<Result<(String, TenantId), ToAdmin>, Fault> {
        let domain = terms::dns_name(domain);
        Ok(match self.tables.domain(self.key, &domain)? {
            Some(tenant) => Ok((domain, tenant)),
            None => Err(refused("a domain of this house", &domain, "see `domain list`")),
        })
    }
}

fn refuse_host(host: &SmartHost) -> Option<ToAdmin> {
    let is_sound = is_sound_domain(&host.name) || host.name.parse::<IpAddr>().is_ok();
    let hint = "--host HOST:PORT[:implicit|starttls|if-offered]";
    (!is_sound || host.port == 0)
        .then(|| refused("a host and its port", &format!("{}:{}", host.name, host.port), hint))
}
