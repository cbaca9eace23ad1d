//! Mail of a customer's own server, which goes out through us: what it shows, and who takes it.
//!
//! Three things must agree: where it comes from, a certificate that somebody vouches for, and the
//! secret in its header. The first two are seen before a recipient elsewhere is noted, the third
//! with the text; then the directory says whose it is, and a dispatch of that tenant's takes the
//! message as it takes a person's.

use crate::arrival::{Terms, in_doubt};
use crate::neighbours::Neighbours;
use flight::Text;
use rustls::pki_types::CertificateDer;
use smtp::{Address, Mail, Reply};
use std::net::IpAddr;
use terms::HEADER_BYTES;
use wire::control::Report;
use wire::directory::{Admitted, OUTLET_FIELD, Vouched, Wanted};
use wire::dispatch::{Submission, ToAccess};
use wire::post::Receiver;

/// A secret of ours is shorter.
const SECRET_BYTES: usize = 200;

/// How a client stands that comes from where a customer's server does.
#[derive(Default)]
pub(crate) struct Outlet {
    /// What servers at its address must show; none: it is anybody.
    wanted: Wanted,
    /// What of it is proven, each with the name that somebody vouches for. Several may be: which
    /// of them counts, the secret says.
    shown: Vec<Vouched>,
    has_shown: bool,
}

impl Outlet {
    /// Asked before a handshake: strangers are asked for no certificate.
    pub(crate) fn at(client: IpAddr, house: &mut Neighbours) -> Self {
        let wanted = house.outlets(client);
        Self { wanted, shown: Vec::new(), has_shown: false }
    }

    pub(crate) fn asks(&self) -> bool {
        !self.wanted.vouched.is_empty()
    }

    /// What the client showed in its handshake.
    pub(crate) fn look(&mut self, chain: &[CertificateDer<'static>]) {
        self.has_shown = !chain.is_empty();
        if !self.has_shown {
            return;
        }
        let well_known = tls::Authorities::read(&self.wanted.well_known);
        let by = |wanted: &Vouched| {
            let name = match wanted.authorities.as_slice() {
                [] => tls::vouched_name(chain, &well_known, &wanted.names),
                own => tls::vouched_name(chain, &tls::Authorities::these(own)?, &wanted.names),
            };
            Some(Vouched { names: vec![name?], authorities: wanted.authorities.clone() })
        };
        self.shown = self.wanted.vouched.iter().filter_map(by).collect();
    }

    /// Whether recipients elsewhere may be noted.
    pub(crate) fn is_proven(&self) -> bool {
        !self.shown.is_empty()
    }

    /// What a client hears that wants to write to somebody elsewhere. Strangers hear nothing of
    /// what others would have to show.
    pub(crate) fn refusal(&self) -> Reply {
        let words = match (self.asks(), self.has_shown) {
            (false, _) => "no mail is relayed here",
            (true, false) => "no mail is relayed without a client certificate, and none was shown",
            (true, true) => "no mail is relayed with this client certificate",
        };
        Reply::new(550, (7, 1), words)
    }
}

/// What came with MAIL and RCPT, for a dispatch.
pub(crate) struct Envelope {
    pub mail: Mail,
    pub receivers: Vec<Receiver>,
}

/// Over which connection it came.
pub(crate) struct Way<'a> {
    pub client_ip: IpAddr,
    pub helo: &'a str,
    pub protocol: &'a str,
    pub tls: Option<String>,
}

/// The secret in a message's header, if one stands there.
pub(crate) fn secret_in(text: &Text) -> Option<String> {
    text.look(|octets| {
        let octets = octets.get(..HEADER_BYTES).unwrap_or(octets);
        for line in octets.split(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                return None;
            }
            let Some((name, value)) = line.split_at_checked(OUTLET_FIELD.len()) else { continue };
            if name.eq_ignore_ascii_case(OUTLET_FIELD.as_bytes())
                && let Some(value) = value.trim_ascii_start().strip_prefix(b":")
            {
                let value = String::from_utf8_lossy(value.trim_ascii()).into_owned();
                return Some(value).filter(|value| value.len() <= SECRET_BYTES);
            }
        }
        None
    })
    .ok()
    .flatten()
}

/// From the end of the text to its one reply.
pub(crate) fn hand_on(
    envelope: Envelope,
    way: &Way<'_>,
    (outlet, secret): (&Outlet, Option<String>),
    text: Text,
    house: &mut Neighbours,
) -> Reply {
    if !outlet.is_proven() {
        return outlet.refusal();
    }
    let Some(secret) = secret else {
        let words =
            format!("no mail is relayed without the field {OUTLET_FIELD}, which is missing");
        return Reply::new(550, (7, 1), words);
    };
    let tenant = match house.admit((way.client_ip, &outlet.shown), secret) {
        Admitted::For(tenant) => tenant,
        Admitted::No => {
            house.report(&Report::Note { text: "an outlet's secret was none".to_owned() });
            let words = format!("no mail is relayed with this value of {OUTLET_FIELD}");
            return Reply::new(550, (7, 1), words);
        }
        Admitted::Later => return try_later(),
    };
    let Ok((text, held)) = text.parcel() else { return try_later() };
    let Envelope { mail, receivers } = envelope;
    let Terms { returns_all, envelope_id, require_tls, smtputf8 } = Terms::of(&mail);
    let submission = Submission {
        client_ip: way.client_ip,
        helo: way.helo.to_owned(),
        protocol: way.protocol.to_owned(),
        tls: way.tls.clone(),
        from: mail.from.as_ref().map(Address::written).unwrap_or_default(),
        recipients: receivers,
        returns_all,
        envelope_id,
        require_tls,
        smtputf8,
        text,
    };
    match house.submit(tenant, submission, &held) {
        Ok(ToAccess::Queued { text, .. }) => Reply::new(250, (0, 0), text),
        Ok(ToAccess::No { code, enhanced, text }) => Reply::new(code, enhanced, text),
        Ok(ToAccess::Yes | ToAccess::YesElsewhere | ToAccess::Room(_)) => try_later(),
        Err(true) => in_doubt(),
        Err(false) => try_later(),
    }
}

fn try_later() -> Reply {
    Reply::new(451, (3, 0), "try again later")
}

#[cfg(test)]
mod tests {
    use super::secret_in;
    use flight::Text;

    #[test]
    fn the_secret_stands_in_the_header_alone() {
        let check = |octets: &str, expected: Option<&str>| {
            let mut text = Text::new();
            text.push(octets.as_bytes()).unwrap();
            assert_eq!(secret_in(&text.finish().unwrap()).as_deref(), expected, "{octets:?}");
        };
        check("X-Sekisho-Outlet: abc\r\n\r\nx", Some("abc"));
        check("Subject: a long enough subject\r\nx-sekisho-OUTLET :  abc \r\n\r\n", Some("abc"));
        check("To: a\r\nX-Sekisho-Outlet: abc\r\n\r\nx", Some("abc"));
        check("Subject: a long enough subject\r\n\r\nX-Sekisho-Outlet: abc\r\n", None);
        check("X-Sekisho-Outlets: abc\r\n\r\n", None);
        check("", None);
        check(&format!("X-Sekisho-Outlet: {}\r\n\r\n", "a".repeat(300)), None);
    }
}
