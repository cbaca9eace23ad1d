//! Questions to `fetch`: one outside HTTPS resource each; alarms on their way out of the house; and
//! whether a customer's own server has an address.

use crate::directory::SmartHost;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// From `depart`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// `https://host/path`; the certificate must be the host's. At most `limit` octets.
    Get {
        host: String,
        path: String,
        limit: u32,
    },
    Post {
        host: String,
        path: String,
        content_type: String,
        body: Vec<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The status, the media type and what came.
    Got { status: u16, content_type: String, body: Vec<u8> },
    /// No address, no connection, no valid certificate, too long, …
    Failed(String),
}

/// [`Answer::Failed`] with these words says nothing of the resource: too many asked at once.
pub const BUSY: &str = "too many ask at once";
/// [`Answer::Failed`] begins with these words where the host answered and could not show who it is.
pub const UNPROVEN: &str = "its certificate is not believed";

/// From `sentinel`. Where an alarm goes is not among it: `fetch` was told at its start, so that
/// whoever owns the sentinel reaches nobody but the operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromSentinel {
    /// `signature`: HMAC-SHA-256 over the timestamp in decimal, a dot, and the body.
    Webhook { timestamp: u64, signature: [u8; 32], body: Vec<u8> },
    /// `id` is the same each time that one message is tried.
    Mail { id: String, subject: String, text: String },
}

/// What became of an alarm. What was said is the remote's words: cut, plain, never believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToSentinel {
    pub is_taken: bool,
    pub said: String,
}

/// From `directory`: does this server of a customer's have this address? The server stands in the
/// directory's own rows; no edge ever names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    pub address: String,
    pub host: SmartHost,
    /// From which of our addresses, where its tenant has one of its own.
    pub from: Option<IpAddr>,
}

/// What came of an [`Inquiry`]. Not one word of the server's is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It would take mail for it.
    Has,
    /// It said that there is nobody of that name.
    HasNot,
    /// It said something else about this address: it is full, greylisted, refused for a policy.
    NotNow,
    /// It could not be asked: no connection, no TLS as the way demands, no sensible answer.
    Away,
    /// Too many ask at once; nobody was asked.
    Busy,
}

/// Where alarms go: places that the operator named at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outward {
    pub webhook: Option<Webhook>,
    pub mail: Option<MailRoute>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub host: String,
    pub port: u16,
    pub path: String,
    /// Where that host is, if the DNS is not to be asked. It may be inside one's own network.
    pub at: Option<SocketAddr>,
}

/// A relay that is not our own queue: what is wrong with the house may be wrong with the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRoute {
    pub host: String,
    pub port: u16,
    pub security: RelaySecurity,
    pub at: Option<SocketAddr>,
    pub from: String,
    pub to: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelaySecurity {
    /// TLS from the first octet, with a certificate of the host's.
    Implicit,
    /// STARTTLS, with a certificate of the host's, or nothing.
    StartTls,
    /// STARTTLS with any certificate if it is offered, else in clear.
    IfOffered,
}

impl Outward {
    /// Addresses that may be dialled although they are not public, and no other such.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let webhook = self.webhook.iter().filter_map(|webhook| webhook.at);
        webhook.chain(self.mail.iter().filter_map(|mail| mail.at))
    }

    /// Ports at which the named hosts are.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        let webhook = self.webhook.iter().map(|webhook| webhook.port);
        webhook.chain(self.mail.iter().map(|mail| mail.port))
    }
}
