//! Customers' own servers that send out through us: what each must show, all three of it at once.
//!
//! The address is looked at first, so that nobody else is even asked for a certificate; the
//! certificate is proven by the edge that made the handshake; the secret is known here alone, as a
//! keyed hash, so that an edge which was taken over has no server's name to speak in but of those
//! whose mail passes through it.

use crate::address::is_sound_domain;
use crate::changes::{Changes, no_tenant, refused};
use crate::tables::{Tables, seal, unseal};
use crate::{Desk, Fault};
use evidence::{Body, Word};
use rows::RowKey;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use terms::{InstanceId, TenantId};
use wire::control::Report;
use wire::directory::{
    Admitted, MOST_RECIPIENTS, OUTLET_AUTHORITIES, OUTLET_NAMES, OUTLET_NETWORKS, Outlet,
    OutletTerms, SendingSettings, ToAdmin, Vouched, Wanted,
};

/// Tenants whose servers share one address: the customers of one large provider.
const SHARING: usize = 64;
/// An authority's certificate.
const AUTHORITY_BYTES: usize = 8 * 1024;
/// How our secrets begin, so that one in a wrong place is found.
const PREFIX: &str = "sko-";
/// A secret's octets, in hexadecimal twice as many.
const SECRET_BYTES: usize = 20;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OutletRow {
    /// Its name in the ledger.
    pub id: [u8; 8],
    pub names: Vec<String>,
    pub authorities: Vec<Vec<u8>>,
    pub from: Vec<(IpAddr, u8)>,
    pub in_a_day: u32,
}

impl OutletRow {
    /// Whether nobody may send under these terms who may not now.
    fn allows_as_much_as(&self, terms: &OutletTerms) -> bool {
        terms.authorities == self.authorities
            && terms.in_a_day <= self.in_a_day
            && terms.names.iter().all(|name| self.names.contains(name))
            && terms.from.iter().all(|network| self.from.contains(network))
    }

    fn sends_from(&self, address: IpAddr) -> bool {
        self.from.iter().any(|network| is_within(address, *network))
    }

    /// A name alone says nothing: another tenant's own authority vouches for any.
    fn is_shown_by(&self, shown: &Vouched) -> bool {
        let has = |name: &String| self.names.contains(name);
        shown.authorities == self.authorities && shown.names.iter().any(has)
    }

    /// What a server may send, which is many people.
    pub fn limited(&self, settings: &SendingSettings) -> SendingSettings {
        let in_ten_minutes = (self.in_a_day / 10).max(1);
        SendingSettings { in_ten_minutes, in_a_day: self.in_a_day, ..settings.clone() }
    }
}

fn is_within(address: IpAddr, (network, bits): (IpAddr, u8)) -> bool {
    let differ = |one: u128, other: u128, width: u32| {
        let shift = width.saturating_sub(bits.into());
        (one ^ other).checked_shr(shift).unwrap_or(0)
    };
    match (address.to_canonical(), network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            differ(one.to_bits().into(), other.to_bits().into(), 32) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => differ(one.to_bits(), other.to_bits(), 128) == 0,
        _ => false,
    }
}

impl Tables {
    pub fn outlet(&self, key: &RowKey, tenant: TenantId) -> Result<Option<OutletRow>, Fault> {
        let found =
            self.outlet_where("SELECT tenant, sealed FROM outlet WHERE tenant = ?1", &tenant.0)?;
        Ok(found.and_then(|(_, sealed)| unseal(key, "outlet", &tenant.0, &sealed)))
    }

    fn outlet_by_secret(
        &self,
        key: &RowKey,
        secret: &str,
    ) -> Result<Option<(TenantId, OutletRow)>, Fault> {
        let token = key.token("outlet", secret.as_bytes());
        let found =
            self.outlet_where("SELECT tenant, sealed FROM outlet WHERE secret = ?1", &token)?;
        Ok(found.and_then(|(tenant, sealed)| {
            Some((TenantId::from_slice(&tenant)?, unseal(key, "outlet", &tenant, &sealed)?))
        }))
    }

    fn outlet_where(&self, sql: &str, by: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, Fault> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| {
                query.query_row(params![by], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(Fault::store("looking up an outlet"))
    }

    /// All of them.
    pub fn outlets(&self, key: &RowKey) -> Result<Vec<OutletRow>, Fault> {
        let fault = Fault::store("listing outlets");
        let mut query =
            self.db.prepare_cached("SELECT tenant, sealed FROM outlet").map_err(&fault)?;
        let rows = query
            .query_map((), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(&fault)?;
        Ok(rows
            .iter()
            .filter_map(|(tenant, sealed)| unseal(key, "outlet", tenant, sealed))
            .collect())
    }

    /// Keeps one; without a new secret the one before serves on.
    fn keep_outlet(
        &self,
        key: &RowKey,
        tenant: TenantId,
        row: &OutletRow,
        secret: Option<&str>,
    ) -> Result<(), Fault> {
        let sealed = seal(key, "outlet", &tenant.0, row)?;
        let fault = Fault::store("keeping an outlet");
        let kept = match secret {
            Some(secret) => {
                let token = key.token("outlet", secret.as_bytes());
                let insert =
                    "INSERT OR REPLACE INTO outlet (tenant, secret, sealed) VALUES (?1, ?2, ?3)";
                self.db.execute(insert, params![&tenant.0[..], &token[..], sealed])
            }
            None => self.db.execute(
                "UPDATE outlet SET sealed = ?2 WHERE tenant = ?1",
                params![&tenant.0[..], sealed],
            ),
        };
        kept.map(|_| ()).map_err(fault)
    }

    fn drop_outlet(&self, tenant: TenantId) -> Result<(), Fault> {
        let dropped = self.db.execute("DELETE FROM outlet WHERE tenant = ?1", (&tenant.0[..],));
        dropped.map(|_| ()).map_err(Fault::store("ending an outlet"))
    }
}

impl Changes<'_> {
    /// Set, ended, or only shown.
    pub fn outlet(
        &mut self,
        name: &str,
        change: Option<(Option<OutletTerms>, bool)>,
    ) -> Result<ToAdmin, Fault> {
        let Some((tenant, _)) = self.tables.tenant_by_name(self.key, name)? else {
            return Ok(no_tenant(name));
        };
        let before = self.tables.outlet(self.key, tenant)?;
        let mut secret = None;
        let (what, of) = (Word::new("outlet"), Some(tenant));
        match change {
            None => {}
            Some((None, _)) => {
                self.friends.record_change(tenant, None, "tenant.outlet.end")?;
                if before.is_some() {
                    self.friends.write(Body::KeyShred {
                        what,
                        epoch: 0,
                        tenant: of,
                        user: None,
                    })?;
                }
                self.tables.drop_outlet(tenant)?;
            }
            Some((Some(terms), is_fresh)) => {
                if let Some(refusal) = refuse(&terms) {
                    return Ok(refusal);
                }
                let is_known = before.as_ref().is_some_and(|row| row.allows_as_much_as(&terms));
                if (is_fresh || !is_known)
                    && let Some(answer) = self.unless_agreed(tenant, None)
                {
                    return Ok(answer);
                }
                if is_fresh || before.is_none() {
                    secret = Some(made());
                }
                let is_first = before.is_none();
                let id = before.map_or_else(compartment::random, |row| row.id);
                let OutletTerms { names, authorities, from, in_a_day } = terms;
                let row = OutletRow { id, names, authorities, from, in_a_day };
                self.friends.record_change(tenant, None, "tenant.outlet")?;
                if secret.is_some() {
                    let (epoch, tenant, user) = (0, of, None);
                    self.friends.write(match is_first {
                        true => Body::KeyCreate { what, epoch, tenant, user },
                        false => Body::KeyRotate { what, epoch, tenant, user },
                    })?;
                }
                self.tables.keep_outlet(self.key, tenant, &row, secret.as_deref())?;
            }
        }
        let row = self.tables.outlet(self.key, tenant)?;
        let terms = row.map(|row| OutletTerms {
            names: row.names,
            authorities: row.authorities,
            from: row.from,
            in_a_day: row.in_a_day,
        });
        Ok(ToAdmin::Outlet(Outlet { tenant: name.to_owned(), terms, secret }))
    }
}

impl Desk {
    /// What servers that send from there must show. They are few: all are kept at hand.
    pub(crate) fn outlets_at(&mut self, from: IpAddr) -> Option<Wanted> {
        let key = self.key.as_ref()?;
        if self.outlets.is_none() {
            self.outlets = self.tables.outlets(key).ok();
        }
        let all = self.outlets.as_ref()?;
        let mut wanted = Wanted::default();
        let found = &mut wanted.vouched;
        for row in all.iter().filter(|row| row.sends_from(from)) {
            let (names, authorities) = (row.names.clone(), row.authorities.clone());
            let vouched = Vouched { names, authorities };
            // A provider's customers all have its certificate.
            if !found.contains(&vouched) && found.len() < SHARING {
                found.push(vouched);
            }
        }
        if found.iter().any(|vouched| vouched.authorities.is_empty()) {
            wanted.well_known = self.authorities.clone();
        }
        Some(wanted)
    }

    /// Whether address, certificate and secret agree. Each edge that begins to speak for a tenant's
    /// server is recorded first.
    pub(crate) fn admit(
        &mut self,
        instance: InstanceId,
        (from, shown): (IpAddr, &[Vouched]),
        secret: &str,
        has: Option<TenantId>,
    ) -> Admitted {
        let key = self.key.as_ref().filter(|_| !self.known.is_older());
        let Some(key) = key else { return Admitted::Later };
        let found = match self.tables.outlet_by_secret(key, secret) {
            Ok(found) => found,
            Err(_) => return Admitted::Later,
        };
        let agrees = |(_, row): &(TenantId, OutletRow)| {
            row.sends_from(from) && shown.iter().take(SHARING).any(|shown| row.is_shown_by(shown))
        };
        let Some((tenant, row)) = found.filter(agrees) else { return Admitted::No };
        match self.tables.tenant(key, tenant) {
            Ok(Some(_)) => {}
            Ok(None) => return Admitted::No,
            Err(_) => return Admitted::Later,
        }
        if has == Some(tenant) {
            return Admitted::For(tenant);
        }
        let id: String = row.id.iter().map(|octet| format!("{octet:02x}")).collect();
        let (credential, name) = (Word::new("outlet"), Word::new(&id));
        let body = Body::CredentialUse { credential, instance, name, tenant: Some(tenant) };
        if self.friends.write(body).is_err() {
            return Admitted::Later;
        }
        let report = Report::Outlet { instance, tenant };
        match self.hub.send(self.warden, 0, &report, Vec::new()) {
            Ok(()) => Admitted::For(tenant),
            Err(_) => Admitted::Later,
        }
    }
}

fn made() -> String {
    let octets = compartment::random::<SECRET_BYTES>();
    octets.iter().fold(PREFIX.to_owned(), |text, octet| text + &format!("{octet:02x}"))
}

fn refuse(terms: &OutletTerms) -> Option<ToAdmin> {
    let OutletTerms { names, authorities, from, in_a_day } = terms;
    let hint = "tenant outlet NAME --certificate HOST --from NETWORK [--authority FILE]";
    if !(1..=OUTLET_NAMES).contains(&names.len()) {
        return Some(refused("1 to 8 names of its certificate", &names.len().to_string(), hint));
    }
    if let Some(wrong) = names.iter().find(|name| !is_sound_domain(name)) {
        return Some(refused("a host name in lower case", wrong, hint));
    }
    let are_sound = authorities.iter().all(|one| (1..=AUTHORITY_BYTES).contains(&one.len()));
    if authorities.len() > OUTLET_AUTHORITIES || !are_sound {
        let found = authorities.len().to_string();
        return Some(refused("at most 4 authorities", &found, "a PEM file of its own authority"));
    }
    if !(1..=OUTLET_NETWORKS).contains(&from.len()) {
        return Some(refused("1 to 64 networks", &from.len().to_string(), hint));
    }
    // A network of half the world is no address that agrees with anything.
    let is_narrow = |(network, bits): &(IpAddr, u8)| match network {
        IpAddr::V4(_) => (8..=32).contains(bits),
        IpAddr::V6(_) => (16..=128).contains(bits),
    };
    if let Some((network, bits)) = from.iter().find(|one| !is_narrow(one)) {
        let expected = "networks of /8 to /32, or /16 to /128 in version 6";
        return Some(refused(expected, &format!("{network}/{bits}"), hint));
    }
    (!(1..=MOST_RECIPIENTS).contains(in_a_day))
        .then(|| refused("1 to 1,000,000 recipients a day", &in_a_day.to_string(), "--in-a-day N"))
}

#[cfg(test)]
mod tests {
    use super::{is_within, made, refuse};
    use wire::directory::OutletTerms;

    #[test]
    fn networks() {
        let check = |address: &str, network: &str, bits: u8, expected: bool| {
            let found = is_within(address.parse().unwrap(), (network.parse().unwrap(), bits));
            assert_eq!(found, expected, "{address} in {network}/{bits}");
        };
        check("192.0.2.9", "192.0.2.0", 24, true);
        check("192.0.3.9", "192.0.2.0", 24, false);
        check("192.0.3.9", "192.0.2.0", 23, true);
        check("192.0.2.9", "192.0.2.9", 32, true);
        check("192.0.2.8", "192.0.2.9", 32, false);
        check("::ffff:192.0.2.9", "192.0.2.0", 24, true);
        check("2001:db8::1", "2001:db8::", 32, true);
        check("2001:db9::1", "2001:db8::", 32, false);
        check("2001:db8::1", "2001:db8::1", 128, true);
        check("192.0.2.9", "2001:db8::", 16, false);
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (made(), made());
        assert!(one.len() == 44 && one.starts_with("sko-") && one != other, "{one} {other}");
    }

    #[test]
    fn what_is_no_outlet() {
        let terms = |names: &[&str], from: &[(&str, u8)]| OutletTerms {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            authorities: Vec::new(),
            from: from.iter().map(|(ip, bits)| (ip.parse().unwrap(), *bits)).collect(),
            in_a_day: 10,
        };
        let check = |terms: OutletTerms, expected: bool| {
            assert_eq!(refuse(&terms).is_none(), expected, "{terms:?}");
        };
        let (name, net) = ("mail.example.jp", ("192.0.2.0", 24));
        check(terms(&[name], &[net]), true);
        check(terms(&[], &[net]), false);
        check(terms(&[name], &[]), false);
        check(terms(&["not a name"], &[net]), false);
        check(terms(&[name], &[("0.0.0.0", 0)]), false);
        check(terms(&[name], &[("::", 0)]), false);
        check(terms(&[name], &[("192.0.2.0", 33)]), false);
        check(OutletTerms { in_a_day: 0, ..terms(&[name], &[net]) }, false);
        check(OutletTerms { authorities: vec![vec![1]; 5], ..terms(&[name], &[net]) }, false);
        check(OutletTerms { authorities: vec![Vec::new()], ..terms(&[name], &[net]) }, false);
    }
}
