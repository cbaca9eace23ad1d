//! A tenant's say in what leaves, and who gets what nobody has an address for.

use crate::Fault;
use crate::address::is_sound_domain;
use crate::changes::{Changes, no_tenant, refused};
use crate::tables::DomainRow;
use std::net::IpAddr;
use terms::{MESSAGE_BYTES, TenantId};
use wire::directory::{
    LEAST_BYTES, LONGEST_DELAY_MS, MOST_RECIPIENTS, NOTICE_BYTES, REFUSED_KINDS, SendingSettings,
    SmartHost, ToAdmin, catch_all,
};

/// A kind's octets: the scanner's names are short words.
const KIND_BYTES: usize = 32;

impl Changes<'_> {
    /// Settings that let no more leave than before.
    pub fn limit_sending(
        &mut self,
        name: &str,
        settings: SendingSettings,
    ) -> Result<ToAdmin, Fault> {
        let Some((tenant, row)) = self.tables.tenant_by_name(self.key, name)? else {
            return Ok(no_tenant(name));
        };
        if settings.is_weaker_than(&row.sending) {
            let hint = "less protection is an act for two persons";
            return Ok(refused("settings that protect as much", "less", hint));
        }
        self.change_sending(tenant, settings)
    }

    pub fn change_sending(
        &mut self,
        tenant: TenantId,
        settings: SendingSettings,
    ) -> Result<ToAdmin, Fault> {
        let Some(mut row) = self.tables.tenant(self.key, tenant)? else {
            return Ok(no_tenant(&tenant.to_string()));
        };
        if let Some(refusal) = refuse(&settings) {
            return Ok(refusal);
        }
        self.friends.record_change(tenant, None, "tenant.sending")?;
        // What is passed on leaves by that host, too.
        let is_another_way = row.sending.smart_host != settings.smart_host;
        row.sending = settings;
        self.tables.change_sending(self.key, tenant, &row)?;
        if is_another_way {
            self.tables.forget_statements()?;
            self.statements.forget_all();
        }
        Ok(ToAdmin::Tenant(self.count(tenant, row)?))
    }

    /// Who gets mail for a domain's unknown addresses: somebody of the domain's own tenant.
    pub fn change_catch_all(
        &mut self,
        domain: &str,
        address: Option<&str>,
    ) -> Result<ToAdmin, Fault> {
        let (name, tenant) = match self.domain_of_house(domain)? {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        let mut found = None;
        if address.is_some() && self.tables.gateway(self.key, &name)?.is_some() {
            let hint = "its own server has them: domain gateway DOMAIN --none ends that";
            return Ok(refused("a domain whose mail is kept here", &name, hint));
        }
        if let Some(address) = address {
            let address = self.kept(address)?;
            let person = self.look_up(&address)?.filter(|(_, of, _)| *of == tenant);
            let Some((user, _, _)) = person.filter(|(_, _, person)| !person.disabled) else {
                let hint = "see `user list --tenant T`";
                return Ok(refused(
                    "the address of a person of the domain's tenant",
                    &address,
                    hint,
                ));
            };
            found = Some((user, address));
        }
        let Some(row) = self.tables.domain_row(self.key, &name)? else {
            return Ok(refused("a domain of this house", &name, "see `domain list`"));
        };
        let user = found.as_ref().map(|(user, _)| *user);
        let catcher = found.map(|(_, address)| address);
        if catcher.is_some()
            && catcher != row.catch_all
            && let Some(answer) = self.unless_agreed(tenant, None)
        {
            return Ok(answer);
        }
        self.friends.record_change(tenant, user, "domain.catch-all")?;
        let row = DomainRow { catch_all: catcher, ..row };
        self.tables.change_domain(self.key, &row)?;
        self.restate_all(vec![catch_all(&row.name)])?;
        let name = self.tenant_name(tenant)?;
        Ok(ToAdmin::Domain(self.told_domain(row, tenant, name)?))
    }
}

/// What cannot be, in words.
fn refuse(settings: &SendingSettings) -> Option<ToAdmin> {
    let shown = "tenant show NAME tells what stands now";
    let mut limits = [settings.in_ten_minutes, settings.in_a_day].into_iter();
    if let Some(wrong) = limits.find(|limit| !(1..=MOST_RECIPIENTS).contains(limit)) {
        return Some(refused("1 to 1,000,000 recipients", &wrong.to_string(), shown));
    }
    if !(LEAST_BYTES..=MESSAGE_BYTES as u64).contains(&settings.bytes) {
        let expected = format!("{LEAST_BYTES} to {MESSAGE_BYTES} octets");
        return Some(refused(&expected, &settings.bytes.to_string(), shown));
    }
    if settings.delay_ms > LONGEST_DELAY_MS {
        return Some(refused("a delay of a day at most", "a longer one", "--send-delay SECONDS"));
    }
    let is_control = |one: char| one.is_control() && one != '\n';
    if settings.notice.len() > NOTICE_BYTES || settings.notice.contains(is_control) {
        let hint = "--send-notice TEXT, with line feeds between its lines";
        return Some(refused("a text of 4,000 octets at most", "another", hint));
    }
    refuse_kinds(&settings.refused_kinds)
        .or_else(|| settings.smart_host.as_ref().and_then(refuse_host))
        .or_else(|| settings.source.and_then(refuse_source))
}

fn refuse_kinds(kinds: &[String]) -> Option<ToAdmin> {
    let is_word = |kind: &str| {
        let is_of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !kind.is_empty()
            && kind.len() <= KIND_BYTES
            && kind.bytes().all(|byte| is_of_word(byte) || b"-./*+".contains(&byte))
    };
    if kinds.len() > REFUSED_KINDS {
        let found = kinds.len().to_string();
        return Some(refused("at most 100 kinds", &found, "let others go: --allow-kind K"));
    }
    let wrong = kinds.iter().find(|kind| !is_word(kind))?;
    Some(refused("a kind of file", wrong, "as `scan` names it: exe, zip, pdf, …"))
}

fn refuse_host(host: &SmartHost) -> Option<ToAdmin> {
    let is_sound = is_sound_domain(&host.name) || host.name.parse::<IpAddr>().is_ok();
    let hint = "--smart-host HOST:PORT[:implicit|starttls|if-offered]";
    (!is_sound || host.port == 0)
        .then(|| refused("a host and its port", &format!("{}:{}", host.name, host.port), hint))
}

fn refuse_source(source: IpAddr) -> Option<ToAdmin> {
    (source.is_unspecified() || source.is_multicast())
        .then(|| refused("an address of this machine", &source.to_string(), "--source IP"))
}
