//! Words about customers' own servers that send out through us.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use terms::{TenantId, UserId};

/// What a customer's own server must show in its handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// Names, one of which its certificate must have.
    pub names: Vec<String>,
    /// Who may vouch for it (DER); none: the well-known authorities.
    pub authorities: Vec<Vec<u8>>,
}

/// What is wanted of clients at one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Of any of them; none: they are anybody.
    pub vouched: Vec<Vouched>,
    /// The well-known authorities (PEM), where somebody names no other.
    pub well_known: String,
}

/// Whether the three agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admitted {
    /// For this tenant. A dispatch in its server's name is on its way, if there is none.
    For(TenantId),
    /// Not with this secret.
    No,
    /// Nobody can say, or record it, now.
    Later,
}

/// In whose name a tenant's own server sends: it is no person, and no person has this id.
pub fn server_of(tenant: TenantId) -> UserId {
    UserId(tenant.0)
}

/// In whose name mail stands in a tenant's queue that a person of another tenant wrote to one of
/// its addresses (a list, a forward, a group), until it is known where it goes: no person's either.
pub fn guest_of(tenant: TenantId) -> UserId {
    UserId(tenant.0.map(|octet| !octet))
}

/// The field by which a tenant's own server shows whose it is. It goes no further than here.
pub const OUTLET_FIELD: &str = "X-Sekisho-Outlet";

/// A tenant's own server that sends out through us, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlet {
    pub tenant: String,
    /// `None`: there is none.
    pub terms: Option<OutletTerms>,
    /// Only where it was just made: it is shown once.
    pub secret: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutletTerms {
    /// Names, one of which its certificate must have.
    pub names: Vec<String>,
    /// DER; none: the well-known authorities.
    pub authorities: Vec<Vec<u8>>,
    /// Networks it sends from: an address and the bits that count.
    pub from: Vec<(IpAddr, u8)>,
    /// Recipients a day.
    pub in_a_day: u32,
}

/// Names, authorities and networks of one outlet.
pub const OUTLET_NAMES: usize = 8;
pub const OUTLET_AUTHORITIES: usize = 4;
pub const OUTLET_NETWORKS: usize = 64;
