//! `edge` or `dispatch`, and the `scanner` that is its own.

use crate::Parcel;
use crate::names::{Answer, Question};
use crate::parcel::bytes;
use crate::reports::Report;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use terms::Finding;

/// To the scanner.
#[derive(Serialize, Deserialize)]
pub enum ToScanner {
    Examine(Task),
    /// The answer to the one question that is open.
    Answer(Answer),
}

/// From the scanner.
#[derive(Serialize, Deserialize)]
pub enum FromScanner {
    /// Answered before anything else happens.
    Question(Question),
    Examined(Box<Examined>),
}

/// One message and where it came from.
#[derive(Serialize, Deserialize)]
pub struct Task {
    /// `None`: sender authentication is not run (no facts, not "failed").
    pub sender: Option<Sender>,
    pub host_name: String,
    pub message: Parcel,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Sender {
    pub client_ip: IpAddr,
    pub helo: String,
    /// Empty for the null sender.
    pub mail_from: String,
}

/// What the scanner says of it. It may lie; nothing here is trusted beyond this message.
#[derive(Clone, Serialize, Deserialize)]
pub struct Examined {
    pub findings: Vec<Finding>,
    pub parts: u32,
    /// `spf`, `dkim`, `dmarc`, `arc` as the policy needs them (`mailauth::AuthResults`, postcard).
    #[serde(with = "bytes")]
    pub authentication: Vec<u8>,
    /// The field to put on top: `Authentication-Results: …` with its CRLF; empty without a sender.
    pub authentication_results: String,
    /// Octet ranges of fields to be taken out: forged `Authentication-Results` that claim our name,
    /// whatever is called as our own fields are, and return paths that others wrote.
    pub forged: Vec<(u64, u64)>,
    /// `mime::Summary` (postcard) of the message as it came; sealed, not read, by `edge`.
    #[serde(with = "bytes")]
    pub summary: Vec<u8>,
    /// SHA-256 of what `trace` may look for (Message-ID, From, To, Subject), domain-separated.
    pub trace_digests: Vec<[u8; 32]>,
    /// What its header says of its way and its kind. `None`: nobody could read it, and it is
    /// neither passed on nor answered.
    pub header: Option<Header>,
    pub micros: u64,
    /// It reports what became of mail of ours, as far as it is to be believed.
    pub report: Option<Report>,
}

/// How our own fields begin.
pub const OURS: &str = "X-Sekisho-";
/// The field that marks what was passed on: a token for the address, which only this house knows.
pub const PASSED: &str = "X-Sekisho-Passed";
/// The field in which we say how a message was judged. Who else writes it pretends to be us.
pub const VERDICT: &str = "X-Sekisho-Verdict";
/// Marks that are read, and addresses named in To and Cc.
pub const PASSED_MARKS: usize = 64;
pub const NAMED: usize = 1_000;

/// A mark is a token of so many octets, in hexadecimal.
const MARK_BYTES: usize = 16;

impl Header {
    /// The marks that it came with, as fields: of those that are cut out as whatever else is called
    /// like ours, these go along with what is passed on, or a circle of several would never close.
    pub fn marks(&self) -> impl Iterator<Item = &str> {
        let is_digit = |octet: u8| octet.is_ascii_hexdigit();
        let marks = self.passed.iter().map(String::as_str);
        marks.filter(move |mark| mark.len() == 2 * MARK_BYTES && mark.bytes().all(is_digit))
    }
}

/// What a header says to whoever passes a message on or answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its `Received` fields: the hosts that it came through.
    pub received: u32,
    /// The values of [`PASSED`] fields.
    pub passed: Vec<String>,
    /// A machine wrote it, or it went to many: nobody waits for an answer (RFC 3834 §2).
    pub is_automatic: bool,
    /// `trace::digest` of each address in To and Cc, Resent ones too.
    pub named: Vec<[u8; 32]>,
    /// As it stands there, with its brackets; empty if there is none, or none of good form.
    pub message_id: String,
    /// References, or else In-Reply-To: message ids with single spaces between.
    pub references: String,
    /// Decoded, as much of it as an answer names; empty if there is none.
    pub subject: String,
    /// Whoever is in From, if that is one address and no more; else empty.
    pub author: String,
    /// It may go on however TLS fares (`TLS-Required: No`, RFC 8689 §5).
    pub is_heedless: bool,
    /// It is a notice: the address that the mail was for is not there any more.
    pub is_lost: bool,
    /// It has more fields, or more octets, than are read.
    pub is_overlong: bool,
}
