//! What has somebody's mail go to others, or lets others speak in somebody's name: acts for two
//! persons. Which of them are, the directory says, which knows what stood before.

use crate::directory::{AbsenceTold, FromAdmin, ListAsked, OutletTerms, SmartHost, Taken};
use crate::lists::Command;
use crate::pages::TransportMode;
use serde::{Deserialize, Serialize};

/// The change, whole: what was approved is exactly what is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Redirection {
    /// A person's mail goes on to another address, or is kept no longer.
    Forward { address: String, to: Vec<String>, keep: bool },
    /// Whoever writes to a person is answered in that person's name.
    Away { address: String, absence: AbsenceTold },
    /// Somebody gets what nobody has an address for.
    CatchAll { domain: String, address: String },
    /// Mail for a domain may come by a less safe way.
    Transport { domain: String, mode: Option<TransportMode>, max_age_seconds: Option<u32> },
    /// Somebody outside of the tenant is in a group, or a gateway's address becomes one.
    Group { address: String, tenant: Option<String>, with: Vec<String>, without: Vec<String> },
    /// A domain's mail goes to another server, for every name.
    Gateway { domain: String, host: SmartHost, taken: Taken },
    /// A server sends in the tenant's name.
    Outlet { tenant: String, terms: OutletTerms, is_fresh: bool },
    /// More people may write to a list, or somebody outside of the tenant reads what others write.
    List(Command),
    /// A gateway's address becomes a person's here.
    Person { address: String, tenant: String, role: String, aliases: Vec<String> },
    /// More of a group's people may write as its address.
    Share { address: String, with: Vec<String>, without: Vec<String> },
    /// A domain's mail goes to another server, for whom this list names.
    GatewayListed { domain: String, host: SmartHost, taken: Taken, list: ListAsked },
}

impl Redirection {
    /// Its name in the ledger, which is that of the change itself.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Forward { .. } => "user.forward",
            Self::Away { .. } => "user.away",
            Self::CatchAll { .. } => "domain.catch-all",
            Self::Transport { .. } => "domain.mta-sts",
            Self::Group { tenant: Some(_), .. } => "group.add",
            Self::Group { .. } => "group.set",
            Self::Gateway { .. } | Self::GatewayListed { .. } => "domain.gateway",
            Self::Outlet { .. } => "tenant.outlet",
            Self::List(Command::Members { .. }) => "list.member-add",
            Self::List(Command::Add { .. }) => "list.add",
            Self::List(_) => "list.set",
            Self::Person { .. } => "user.add",
            Self::Share { .. } => "group.share",
        }
    }

    /// As the directory is asked for it.
    pub fn question(self) -> FromAdmin {
        match self {
            Self::Forward { address, to, keep } => {
                FromAdmin::Forward { address, change: Some((to, keep)) }
            }
            Self::Away { address, absence } => FromAdmin::Away { address, absence: Some(absence) },
            Self::CatchAll { domain, address } => {
                FromAdmin::CatchAll { domain, address: Some(address) }
            }
            Self::Transport { domain, mode, max_age_seconds } => {
                FromAdmin::Transport { domain, mode, max_age_seconds }
            }
            Self::Group { address, tenant, with, without } => {
                FromAdmin::GroupChange { address, tenant, with, without }
            }
            Self::Gateway { domain, host, taken } => {
                FromAdmin::Gateway { domain, host: Some(host), taken, list: None }
            }
            Self::GatewayListed { domain, host, taken, list } => {
                FromAdmin::Gateway { domain, host: Some(host), taken, list: Some(list) }
            }
            Self::Outlet { tenant, terms, is_fresh } => {
                FromAdmin::Outlet { tenant, change: Some((Some(terms), is_fresh)) }
            }
            Self::List(command) => FromAdmin::List(command),
            Self::Person { address, tenant, role, aliases } => {
                FromAdmin::UserAdd { address, tenant, role, aliases }
            }
            Self::Share { address, with, without } => {
                FromAdmin::GroupShare { address, with, without, none: false }
            }
        }
    }
}
