//! The whole judgement of one message: who it says it is from, and who stands behind it.

use crate::arc::{self, Arc};
use crate::author::{self, Authors};
use crate::dkim::{self, Bodies, Dkim};
use crate::dmarc::{self, Dmarc};
use crate::fields;
use crate::report;
use crate::resolver::{Inquiry, Resolver};
use crate::spf::{self, Identity, Spf};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What the SMTP session knows.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub client_ip: IpAddr,
    pub helo: &'a str,
    /// MAIL FROM without angle brackets; empty for bounces.
    pub mail_from: &'a str,
    /// The name that our Authentication-Results carry.
    pub our_name: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

/// All that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthResults {
    /// The MAIL FROM identity.
    pub spf: Spf,
    /// The HELO identity.
    pub spf_helo: Spf,
    /// One for each signature looked at; empty without any.
    pub dkim: Vec<Dkim>,
    /// Whom From names.
    pub authors: Authors,
    pub dmarc: Dmarc,
    pub arc: Arc,
    /// The Authentication-Results field with its CRLF, to be put on top of the message.
    pub header: String,
}

/// Judges one message. `message` is what came, before anything was added.
pub fn check(envelope: &Envelope<'_>, message: &[u8], resolver: &mut dyn Resolver) -> AuthResults {
    let mut inquiry = Inquiry::new(resolver);
    let who = identity(envelope);
    let spf = spf::check_mail_from(&who, &mut inquiry);
    let spf_helo = spf::check_helo(&who, &mut inquiry);

    let parts = fields::take_apart(message);
    let mut bodies = Bodies::new(parts.body);
    let dkim = dkim::verify(&parts, &mut bodies, envelope.now, &mut inquiry);
    let arc = arc::verify(&parts, &mut bodies, &mut inquiry);
    let authors = author::authors(&parts);
    let dmarc = dmarc::judge(&authors, &spf, &dkim, &mut inquiry);

    let header = String::new();
    let mut results = AuthResults { spf, spf_helo, dkim, authors, dmarc, arc, header };
    results.header = report::field(envelope, &results);
    results
}

fn identity<'a>(envelope: &Envelope<'a>) -> Identity<'a> {
    Identity {
        client_ip: envelope.client_ip,
        helo: envelope.helo,
        mail_from: envelope.mail_from,
        our_name: envelope.our_name,
        now: envelope.now,
    }
}
