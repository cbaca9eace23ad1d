//! Who writes as which address, and a tenant's say in what leaves: how fast, how large, by which
//! host.

use crate::directory::PublicKey;
use serde::{Deserialize, Serialize};
use terms::{TenantId, UserId};

/// What the vault signs: under which key a person's outgoing mail is sealed, and what they may.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Sending {
    pub address: String,
    pub tenant: TenantId,
    pub user: UserId,
    pub transit: PublicKey,
    /// The person's own address: whatever they write as, this is where they are told of it. Empty:
    /// a tenant's own server.
    pub home: String,
    /// The domain that signs for this sender: the address's own.
    pub domain: String,
    pub settings: SendingSettings,
    pub issued_ms: u64,
    pub valid_until_ms: u64,
}

/// Separates these statements from all others.
pub const SENDING_DOMAIN: &[u8] = b"sekisho sending statement v1\0";

/// The smallest limit of a message's octets: below it nothing would leave.
pub const LEAST_BYTES: u64 = 1_024;

/// A tenant's say in what leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendingSettings {
    pub in_ten_minutes: u32,
    pub in_a_day: u32,
    /// The largest message that may leave.
    pub bytes: u64,
    /// Every message that leaves waits so long, and can be taken back.
    pub delay_ms: u64,
    /// File kinds (as the scanner names them) that may not leave.
    pub refused_kinds: Vec<String>,
    /// A text put under every message that leaves the house; empty: none.
    pub notice: String,
    /// All mail leaves by this host; `None`: by MX.
    pub smart_host: Option<SmartHost>,
    /// The address of ours to leave from.
    pub source: Option<std::net::IpAddr>,
}

/// A host that a tenant's mail leaves by. Its credential is with the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmartHost {
    pub name: String,
    pub port: u16,
    pub tls: crate::post::HopTls,
}

impl SendingSettings {
    /// Whether more may leave under these, sooner or by another host than `before` let it.
    pub fn is_weaker_than(&self, before: &Self) -> bool {
        let is_let_go = |kind: &String| !self.refused_kinds.contains(kind);
        self.in_ten_minutes > before.in_ten_minutes
            || self.in_a_day > before.in_a_day
            || self.bytes > before.bytes
            || self.delay_ms < before.delay_ms
            || before.refused_kinds.iter().any(is_let_go)
            || self.leaves_by_another(before)
    }

    /// Another host sees all mail; so does whoever stands on the way to it without TLS.
    fn leaves_by_another(&self, before: &Self) -> bool {
        match (&self.smart_host, &before.smart_host) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(now), Some(before)) => {
                let is_open = |host: &SmartHost| host.tls == crate::post::HopTls::IfOffered;
                now.name != before.name
                    || now.port != before.port
                    || (is_open(now) && !is_open(before))
            }
        }
    }
}

/// Kinds of files that one tenant may refuse.
pub const REFUSED_KINDS: usize = 100;
/// A notice's octets: what a company's lawyers ask for.
pub const NOTICE_BYTES: usize = 4_000;
/// Recipients that a limit may allow: beyond it there is no limit.
pub const MOST_RECIPIENTS: u32 = 1_000_000;
/// Mail may wait for a day at most before it leaves.
pub const LONGEST_DELAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for SendingSettings {
    fn default() -> Self {
        Self {
            in_ten_minutes: 600,
            in_a_day: 10_000,
            bytes: terms::MESSAGE_BYTES as u64,
            delay_ms: 0,
            refused_kinds: Vec::new(),
            notice: String::new(),
            smart_host: None,
            source: None,
        }
    }
}
