//! The road of a hop: its hosts in order, each with its addresses and with what it must show.

use crate::fates::Obstacle;
use crate::neighbours::Neighbours;
use crate::policies::{Found, policy_of};
use crate::tally::{Applied, Session, Why};
use crate::trust::Demand;
use notice::Reason;
use route::{Hosts, Mode, Mx, Tlsa, Usable};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use terms::TenantId;
use wire::names::{Outcome, Record, RecordKind, Security};
use wire::post::{Envelope, Finish, Hop, HopTls};
use wire::tls_report::Flaw;

/// Addresses of one host that are tried.
const ADDRESSES: usize = 8;

/// What a letter asks of its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// What the destination asks for.
    Usual,
    /// Nobody else is to read it (RFC 8689).
    Required,
    /// It tells of TLS that fails, or its author says so (RFC 8689 §5), and goes all the same; nor
    /// is it counted (RFC 8460 §3).
    Heedless,
}

impl Care {
    pub(crate) fn of(envelope: &Envelope) -> Self {
        // RFC 8689 §5: a notice is not lost for want of what its mail asked for.
        let is_required = envelope.require_tls && !envelope.from.is_empty();
        match (&envelope.finish, is_required) {
            (Finish::Report { .. }, _) => Self::Heedless,
            (_, true) => Self::Required,
            (_, false) if envelope.heedless => Self::Heedless,
            (_, false) => Self::Usual,
        }
    }
}

/// Where a hop leads.
pub(crate) enum Road {
    Hosts(Vec<Host>),
    /// Nowhere, and never will: whoever is left fails.
    Nowhere(Obstacle),
    /// Nobody can say now.
    Later(Obstacle),
}

/// A host to try; its addresses are looked up when it is its turn.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub name: String,
    pub port: u16,
    /// TLS from the first octet.
    pub is_implicit: bool,
    /// Named by the tenant: a host that it may have a sign-in to.
    pub is_named: bool,
    /// An address literal: there is nothing to look up.
    literal: Option<IpAddr>,
    /// What is demanded whatever the host's own records say.
    demand: Demand,
    /// The names by which signed records count for it: its own and the domain's. Empty: the way to
    /// its name was not signed, and DANE says nothing.
    signed_names: Vec<String>,
    /// The policy under which its sessions are counted; `None`: they are not.
    applied: Option<Applied>,
}

/// Where a host answers, what it must show there, and how that is counted.
pub(crate) struct Ways {
    pub addresses: Vec<SocketAddr>,
    pub demand: Demand,
    pub applied: Option<Applied>,
}

/// The hosts of a hop.
pub(crate) fn road(hop: &Hop, care: Care, tenant: TenantId, house: &mut Neighbours) -> Road {
    let require_tls = care == Care::Required;
    match hop {
        Hop::Here | Hop::List | Hop::On | Hop::Web { .. } => {
            Road::Later(Obstacle::ours("it goes nowhere"))
        }
        Hop::Host { name, port, tls } => {
            let demand = match tls {
                HopTls::Implicit | HopTls::StartTls => Demand::Named(name.clone()),
                HopTls::IfOffered if require_tls => Demand::Named(name.clone()),
                HopTls::IfOffered => Demand::Nothing,
            };
            let is_implicit = *tls == HopTls::Implicit;
            Road::Hosts(vec![Host {
                name: name.clone(),
                port: *port,
                is_implicit,
                is_named: true,
                literal: name.parse().ok(),
                demand,
                signed_names: Vec::new(),
                applied: None,
            }])
        }
        Hop::Domain(domain) => match literal(domain) {
            Some(_) if require_tls => Road::Nowhere(unproven(domain)),
            Some(literal) => {
                let name = domain.clone();
                Road::Hosts(vec![Host { literal, ..Host::plain(name, house.smtp_port()) }])
            }
            None => road_of_domain(domain, care, tenant, house),
        },
    }
}

impl Host {
    fn plain(name: String, port: u16) -> Self {
        let (demand, signed_names) = (Demand::Nothing, Vec::new());
        let (is_implicit, is_named, literal) = (false, false, None);
        let applied = None;
        Self { name, port, is_implicit, is_named, literal, demand, signed_names, applied }
    }

    /// Whether a tenant's sign-in may be said to it: it is named, and shows a certificate of that
    /// name.
    pub(crate) fn may_hear_secrets(&self) -> bool {
        self.is_named && matches!(self.demand, Demand::Named(_))
    }

    /// Where it answers, and what it must show there.
    pub(crate) fn ways(&self, house: &mut Neighbours) -> Result<Ways, Obstacle> {
        let (demand, applied) = (self.demand.clone(), self.applied.clone());
        if let Some(address) = self.literal {
            let addresses = vec![SocketAddr::new(address, self.port)];
            return Ok(Ways { addresses, demand, applied });
        }
        let (addresses, is_signed) = addresses_of(&self.name, house)?;
        let (demand, applied) = match is_signed && !self.signed_names.is_empty() {
            true => self.demand_of_records(house)?,
            false => (demand, applied),
        };
        let at = |address| SocketAddr::new(address, self.port);
        Ok(Ways { addresses: addresses.into_iter().map(at).collect(), demand, applied })
    }

    /// RFC 7672 §2.2: what signed records of the host demand, they demand before any policy.
    fn demand_of_records(
        &self,
        house: &mut Neighbours,
    ) -> Result<(Demand, Option<Applied>), Obstacle> {
        let name = format!("_{}._tcp.{}", self.port, self.name);
        let answer = house.resolve(&name, RecordKind::Tlsa);
        let is_signed = answer.security == Security::Secure;
        let records = match answer.outcome {
            // Nothing is known of its records: the host is not to be used, and is not at fault.
            Outcome::Unanswered => return Err(Obstacle::no_resolver()),
            // §2.1.2: without an answer the host is not to be used.
            Outcome::Failed => {
                let words = "its TLSA records cannot be had";
                self.count_unmade((Flaw::DnssecInvalid, words.to_owned()), house);
                // The destination's DNS, and nothing of ours.
                return Err(Obstacle::answered((4, 4, 3), words)
                    .because(Reason::NoNames)
                    .at(&self.name));
            }
            Outcome::Records(records) => records,
            Outcome::NoRecords | Outcome::NoSuchName => Vec::new(),
        };
        let records = records.into_iter().filter_map(|record| match record {
            Record::Tlsa { usage, selector, matching, data } => {
                Some(Tlsa { usage, selector, matching, data })
            }
            _ => None,
        });
        let records: Vec<Tlsa> = records.collect();
        let (demand, applied) = (self.demand.clone(), self.applied.clone());
        let by_records =
            |why: Option<Why>| self.applied.as_ref().map(|one| one.by_records(&records, why));
        Ok(match route::usable(&records, is_signed) {
            Usable::Nothing => (demand, applied),
            // A policy's demand is more than none.
            Usable::AnyTls if self.demand.is_strict() => (demand, applied),
            Usable::AnyTls => {
                let unusable = (Flaw::TlsaInvalid, "no TLSA record can be used".to_owned());
                (Demand::AnyTls, by_records(Some(unusable)))
            }
            Usable::Keys(keys) => {
                let demand = Demand::Keys { records: keys, names: self.signed_names.clone() };
                (demand, by_records(None))
            }
        })
    }

    /// A session that was not even begun, for what its records are like.
    fn count_unmade(&self, why: Why, house: &mut Neighbours) {
        let Some(applied) = &self.applied else { return };
        let session = Session { host: &self.name, at: None, from: None };
        house.tally.count(&applied.by_records(&[], None), session, Some(why));
    }
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`; `Some(None)` for a literal of another kind.
fn literal(domain: &str) -> Option<Option<IpAddr>> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    let is_six = inner.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:"));
    Some(match is_six {
        true => inner.get(5..).and_then(|six| six.parse::<Ipv6Addr>().ok()).map(IpAddr::V6),
        false => inner.parse().ok().map(IpAddr::V4),
    })
}

fn unproven(host: &str) -> Obstacle {
    let words = "REQUIRETLS: nothing proves who takes mail there";
    Obstacle::answered((5, 7, 30), words).at(host).because(Reason::Unproven)
}

fn road_of_domain(domain: &str, care: Care, tenant: TenantId, house: &mut Neighbours) -> Road {
    let answer = house.resolve(domain, RecordKind::Mx);
    let is_signed = answer.security == Security::Secure;
    let records = match answer.outcome {
        Outcome::Failed => return Road::Later(Obstacle::no_names()),
        Outcome::Unanswered => return Road::Later(Obstacle::no_resolver()),
        Outcome::NoSuchName => {
            let nobody = Obstacle::answered((5, 1, 2), "there is no such domain");
            return Road::Nowhere(nobody.because(Reason::HostUnknown));
        }
        Outcome::NoRecords => Vec::new(),
        Outcome::Records(records) => records,
    };
    let records: Vec<Mx> = records
        .into_iter()
        .filter_map(|record| match record {
            Record::Mx { preference, host } => Some(Mx { preference, host }),
            _ => None,
        })
        .collect();
    let random: Vec<u32> =
        records.iter().map(|_| u32::from_le_bytes(compartment::random())).collect();
    let hosts = match route::hosts(domain, &records, &random, &[house.host_name()]) {
        Hosts::Try(hosts) => hosts,
        Hosts::TakesNone => {
            // RFC 7505 §4.2.
            let none = Obstacle::answered((5, 1, 10), "the domain takes no mail (null MX)");
            return Road::Nowhere(none.because(Reason::HostUnknown));
        }
        Hosts::OnlyOurselves => {
            let ours = Obstacle::answered((5, 4, 6), "mail for the domain leads back to us");
            return Road::Nowhere(ours.because(Reason::LeadsBack));
        }
    };
    if care == Care::Heedless {
        let port = house.smtp_port();
        return Road::Hosts(hosts.into_iter().map(|found| Host::plain(found.name, port)).collect());
    }
    let found = match policy_of(domain, tenant, house) {
        Ok(found) => found,
        Err(obstacle) => return Road::Later(obstacle),
    };
    let hosts: Vec<String> = hosts.into_iter().map(|found| found.name).collect();
    asked_of(&hosts, domain, (is_signed, care), (found, house))
}

/// The hosts of a domain with what is asked of each, as far as its policy names them.
fn asked_of(
    hosts: &[String],
    domain: &str,
    (is_signed, care): (bool, Care),
    (Found { policy, flaw }, house): (Found, &mut Neighbours),
) -> Road {
    let policy = policy.filter(|policy| policy.mode != Mode::None);
    let is_enforced = policy.as_ref().is_some_and(|policy| policy.mode == Mode::Enforce);
    // RFC 8689 §4.2.1: the way to the host must be known to be the domain's own.
    let require_tls = care == Care::Required;
    if require_tls && !is_signed && !is_enforced {
        return Road::Nowhere(unproven(domain));
    }
    let applied = Applied::of_domain(domain, policy.as_ref(), flaw);
    let is_named = |name: &String| policy.as_ref().is_none_or(|policy| policy.names(name));
    let port = house.smtp_port();
    let host = |name: &String| {
        let mut host = Host::plain(name.clone(), port);
        if is_signed {
            host.signed_names = vec![host.name.clone(), domain.to_owned()];
        }
        host.demand = match &policy {
            _ if is_enforced || require_tls => Demand::Named(name.clone()),
            // RFC 8461 §5: delivered, and it is told what would have failed.
            Some(_) => Demand::Watched(name.clone()),
            None => Demand::Nothing,
        };
        let flaw = applied.flaw.clone().or((!is_named(name)).then(unnamed));
        host.applied = Some(applied.with(flaw));
        host
    };
    let fit: Vec<Host> =
        hosts.iter().filter(|name| !is_enforced || is_named(name)).map(host).collect();
    if fit.is_empty() {
        let first = hosts.first().map(String::as_str).unwrap_or_default();
        let session = Session { host: first, at: None, from: None };
        house.tally.count(&applied, session, Some(unnamed()));
        let words = "no host of the domain is one that its policy (MTA-STS) names";
        return Road::Later(Obstacle::of(wire::post::Why::Unsafe, (4, 7, 5), words));
    }
    Road::Hosts(fit)
}

fn unnamed() -> Why {
    (Flaw::ValidationFailure, "the policy does not name this host".to_owned())
}

/// Both families, version 6 first, in turns (RFC 8305 §4); whether every answer was signed.
fn addresses_of(name: &str, house: &mut Neighbours) -> Result<(Vec<IpAddr>, bool), Obstacle> {
    let mut families = [Vec::new(), Vec::new()];
    let (mut is_signed, mut has_failed) = (true, None);
    for (family, kind) in families.iter_mut().zip([RecordKind::Aaaa, RecordKind::A]) {
        let answer = house.resolve(name, kind);
        is_signed &= answer.security == Security::Secure;
        match answer.outcome {
            Outcome::Failed => has_failed = Some(Obstacle::no_names().at(name)),
            Outcome::Unanswered => has_failed = Some(Obstacle::no_resolver()),
            Outcome::Records(records) => {
                family.extend(records.iter().filter_map(|one| match one {
                    Record::A(four) => Some(IpAddr::V4(*four)),
                    Record::Aaaa(six) => Some(IpAddr::V6(*six)),
                    _ => None,
                }))
            }
            Outcome::NoRecords | Outcome::NoSuchName => {}
        }
    }
    let [six, four] = families;
    let mut addresses = Vec::new();
    for place in 0..six.len().max(four.len()) {
        addresses.extend(six.get(place).into_iter().chain(four.get(place)));
    }
    addresses.truncate(ADDRESSES);
    match (addresses.is_empty(), has_failed) {
        (false, _) => Ok((addresses, is_signed)),
        (true, Some(obstacle)) => Err(obstacle),
        // RFC 5321 §5.1: a host without an address is an error of the domain's.
        (true, None) => {
            let words = "the host has no address";
            Err(Obstacle::answered((5, 4, 4), words).at(name).because(Reason::HostUnknown))
        }
    }
}
