//! What stands in the way of mail that leaves, as far as the keeper of the queue needs to know it.

use serde::{Deserialize, Serialize};

/// New ones stand at the end: a written queue has them by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The remote answered for this mail (an enhanced status code).
    Answered { class: u8, subject: u16, detail: u16 },
    /// The destination itself could not be reached: its other legs need not try.
    Unreachable,
    /// DNS, keys or evidence of ours: nobody's fault, try soon.
    Ours,
    /// TLS that must be there is not. Of an older queue, which does not say how.
    Unsafe,
    /// A configured host does not let us in with the sign-in that it was given, or wants one.
    NotSignedIn,
    /// The destination does not talk with this house now, and said so before any mail was offered:
    /// its other legs need not try.
    TurnedAway { class: u8, subject: u16, detail: u16 },
    /// No resolver of this house answers: nobody's fault outside, try soon.
    NoResolver,
    /// The remote had the whole text and never answered: it may have taken it (RFC 1047).
    MaybeTaken,
    /// TLS that must be there is not. `is_named`: with a host that the tenant named for its mail,
    /// and of which all that mail demands it.
    Insecure { flaw: TlsFlaw, is_named: bool },
    /// A configured host for which there is a sign-in cannot be told it.
    NoWayIn(WayIn),
    /// It asks for TLS on all of its way (REQUIRETLS), and nothing proves which server takes mail
    /// for the domain: 5.7.30, which a server says that has no REQUIRETLS, too.
    Unproven,
}

impl Why {
    /// It stands between a tenant and a host that it named: in the way of all its mail there, until
    /// somebody mends it.
    pub fn is_of_named_host(self) -> bool {
        matches!(self, Self::NotSignedIn | Self::NoWayIn(_) | Self::Insecure { is_named: true, .. })
    }
}

/// What is wrong with TLS that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsFlaw {
    /// STARTTLS is not offered, or refused.
    NotOffered,
    /// The certificate is for another name.
    OtherName,
    /// It has expired, or is not valid yet.
    Expired,
    /// Nobody known has issued it, or it is not sound.
    NotTrusted,
    /// No TLSA record is met by it.
    NoRecordMet,
    /// The domain's policy (MTA-STS) names none of its hosts.
    NotInPolicy,
    /// TLS could not be made.
    NotMade,
    /// This house knows no authority that could prove a certificate.
    NoAuthority,
}

impl TlsFlaw {
    pub const ALL: [Self; 8] = [
        Self::NotOffered,
        Self::OtherName,
        Self::Expired,
        Self::NotTrusted,
        Self::NoRecordMet,
        Self::NotInPolicy,
        Self::NotMade,
        Self::NoAuthority,
    ];
}

/// Why a sign-in could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WayIn {
    /// The host offers nobody to sign in.
    NotOffered,
    /// It does, in no way that we speak.
    NoneOfOurs,
    /// It says "not now" (4xx).
    NotNow,
}

impl WayIn {
    pub const ALL: [Self; 3] = [Self::NotOffered, Self::NoneOfOurs, Self::NotNow];
}
