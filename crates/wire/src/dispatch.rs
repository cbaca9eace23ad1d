//! `access` and the `dispatch` that was born for its person; or an edge, and one for a tenant's own
//! server. The label says who writes.

use crate::Parcel;
use crate::post::Receiver;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// How long a yes said ahead may be counted on before a text comes: what it is really worth is
/// weighed once more with the text.
pub const AHEAD: Duration = Duration::from_secs(5);

/// How long a domain that is nobody's here may be taken for one without asking: it is looked up
/// once more with the text.
pub const FOREIGN: Duration = Duration::from_secs(30);

/// From `access`. Each is answered by [`ToAccess`].
#[derive(Serialize, Deserialize)]
pub enum FromAccess {
    /// MAIL: may this person write as this address? Empty: the null sender.
    From(String),
    /// RCPT: is there such a recipient, as far as it is ours to know?
    To(String),
    /// DATA: may so many recipients be written to now?
    Many(u32),
    /// The end of the text. Said yes to when it lies durable in the queue.
    Submit(Box<Submission>),
    /// RCPT: may the message go to so many, with this one? Answered by `Room`; nothing is promised
    /// or counted, so that a session that is given up has taken nothing from another.
    Room(u32),
}

/// One message as it was handed in.
#[derive(Serialize, Deserialize)]
pub struct Submission {
    pub client_ip: IpAddr,
    /// What the client calls itself.
    pub helo: String,
    /// The word behind `with` in Received.
    pub protocol: String,
    /// TLS version and suite.
    pub tls: Option<String>,
    /// Empty: the null sender.
    pub from: String,
    pub recipients: Vec<Receiver>,
    /// RET of RFC 3461: with the whole text.
    pub returns_all: Option<bool>,
    /// ENVID as it came, xtext.
    pub envelope_id: Option<String>,
    pub require_tls: bool,
    pub smtputf8: bool,
    pub text: Parcel,
}

/// What the client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAccess {
    Yes,
    /// Yes to a recipient whose domain is nobody's here, whoever of it: for as long as
    /// [`FOREIGN`] its others need not be asked for.
    YesElsewhere,
    /// A reply of SMTP: code, the enhanced code's last two numbers, words.
    No {
        code: u16,
        enhanced: (u16, u16),
        text: String,
    },
    /// It is in the queue; these words are the reply's. So many recipients may be written to in
    /// the next message: `Many` need not be asked for them within [`AHEAD`].
    Queued {
        text: String,
        ahead: u32,
    },
    /// As it stands now a message may go to so many; DATA asks once more.
    Room(u32),
}
