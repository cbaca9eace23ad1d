//! An alarm as a letter, given to the one relay that the operator named: not by our own queue,
//! which may be what is wrong.

use crate::Fault;
use crate::alarms::{not_taken, plain};
use crate::desk::Desk;
use crate::exchange::reach;
use courier::{Courier, Outcome, Receiver, Tls, Want};
use data_encoding::BASE64;
use flight::date;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smtp::Address;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;
use tls::{Anybody, Line, client_config};
use wire::fetch::{MailRoute, RelaySecurity, ToSentinel};

/// Read at once.
const READ_BYTES: usize = 16 * 1024;
/// RFC 2045 §6.8.
const BASE64_LINE: usize = 76;
/// Octets in one encoded word (RFC 2047 §2: 75 with all that is around it).
const WORD_BYTES: usize = 42;

/// What is to be said.
pub(crate) struct Letter<'a> {
    pub id: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
}

/// Gives it to the relay.
pub(crate) fn send(
    route: &MailRoute,
    letter: &Letter<'_>,
    desk: &mut Desk,
    until: Instant,
) -> Result<ToSentinel, Fault> {
    let Some(envelope) = envelope(route) else {
        return Ok(not_taken("an address of the route cannot be written on the wire"));
    };
    let security = match security(route, desk) {
        Ok(security) => security,
        Err(why) => return Ok(not_taken(&why)),
    };
    let line = match reach(&route.host, (route.port, route.at), desk, until)? {
        Ok(line) => line,
        Err(why) => return Ok(not_taken(&why)),
    };
    let octets = octets(route, letter, &desk.host_name);
    let envelope = courier::Letter { size: octets.len() as u64, ..envelope };
    let courier = Courier::new(&desk.host_name, security.tls);
    Ok(Talk { line, courier, security, until }.hand_over(envelope, &octets))
}

/// `None`: an address is none.
fn envelope(route: &MailRoute) -> Option<courier::Letter> {
    let receiver = |address: &String| {
        let address = Address::parse(address)?;
        Some(Receiver { address, notify: None, original: None })
    };
    Some(courier::Letter {
        from: Some(Address::parse(&route.from)?),
        receivers: route.to.iter().map(receiver).collect::<Option<_>>()?,
        size: 0,
        has_eight_bits: false,
        needs_utf8: false,
        require_tls: false,
        returned: None,
        envelope_id: None,
    })
}

struct Security {
    tls: Tls,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

fn security(route: &MailRoute, desk: &mut Desk) -> Result<Security, String> {
    let tls = match route.security {
        RelaySecurity::Implicit => Tls::Already,
        RelaySecurity::StartTls => Tls::Required,
        RelaySecurity::IfOffered => Tls::IfOffered,
    };
    let config = match route.security {
        RelaySecurity::IfOffered => client_config(Arc::new(Anybody), &[]),
        _ => {
            let no_authority = || "no authority is known that could prove a certificate";
            client_config(desk.authorities().verifier().ok_or_else(no_authority)?, &[])
        }
    };
    let config = config.map_err(|fault| fault.to_string())?;
    let name = ServerName::try_from(route.host.clone()).map_err(|fault| fault.to_string())?;
    Ok(Security { tls, config, name })
}

/// The letter's own octets: all ASCII, so that every relay takes it.
fn octets(route: &MailRoute, letter: &Letter<'_>, host_name: &str) -> Vec<u8> {
    let mut text = format!(
        "Date: {}\r\nFrom: Sekisho <{}>\r\nTo: {}\r\nMessage-ID: <{}@{host_name}>\r\n\
         Subject: {}\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        date(compartment::now_ms()),
        route.from,
        route.to.join(",\r\n "),
        plain(letter.id),
        encoded(&plain(letter.subject)),
    );
    let body = BASE64.encode(letter.text.replace('\n', "\r\n").as_bytes());
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(BASE64_LINE));
        text.push_str(line);
        text.push_str("\r\n");
        rest = more;
    }
    text.into_bytes()
}

/// RFC 2047: whole characters in each word.
fn encoded(text: &str) -> String {
    let mut words = Vec::new();
    let mut piece = String::new();
    for letter in text.chars() {
        if piece.len() + letter.len_utf8() > WORD_BYTES {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(letter);
    }
    words.push(piece);
    let encode = |word: &String| format!("=?UTF-8?B?{}?=", BASE64.encode(word.as_bytes()));
    words.iter().map(encode).collect::<Vec<_>>().join("\r\n ")
}

/// One connection: `courier` says what to write, this writes and reads it until `until`.
struct Talk {
    line: Line,
    courier: Courier,
    security: Security,
    until: Instant,
}

impl Talk {
    fn hand_over(mut self, envelope: courier::Letter, octets: &[u8]) -> ToSentinel {
        if self.security.tls == Tls::Already
            && let Err(fault) = self.secure()
        {
            return not_taken(&format!("TLS could not be made: {fault}"));
        }
        let mut envelope = Some(envelope);
        let mut answer = None;
        let answer = loop {
            match self.step() {
                Want::Letter => match envelope.take() {
                    Some(envelope) => self.courier.begin(envelope),
                    None => self.courier.quit(),
                },
                Want::Text => {
                    self.courier.text(octets);
                    self.courier.end_text();
                }
                Want::Outcomes(outcomes) => answer = Some(of_all(&outcomes)),
                Want::Broken(broken) => {
                    break answer.unwrap_or_else(|| not_taken(&broken.words()));
                }
                Want::Close => break answer.unwrap_or_else(|| not_taken("nothing was answered")),
                Want::Read(_) | Want::Secure => {}
            }
        };
        self.line.close();
        answer
    }

    /// Writes what there is to say, and does what needs nobody else.
    fn step(&mut self) -> Want {
        let want = self.courier.next();
        let output = self.courier.take_output();
        if !output.is_empty() && self.line.write(&output, self.until).is_err() {
            self.courier.closed();
            return Want::Read(std::time::Duration::ZERO);
        }
        match want {
            Want::Read(_) => self.read(),
            Want::Secure => match self.secure() {
                Ok(()) => self.courier.secured(),
                Err(fault) => self.courier.not_secured(fault.to_string()),
            },
            _ => {}
        }
        want
    }

    fn read(&mut self) {
        let mut buffer = [0; READ_BYTES];
        match self.line.read(&mut buffer, self.until) {
            Ok(0) => self.courier.closed(),
            Ok(count) => self.courier.feed(buffer.get(..count).unwrap_or(&[])),
            Err(fault) if fault.kind() == ErrorKind::TimedOut => self.courier.timed_out(),
            Err(_) => self.courier.closed(),
        }
    }

    fn secure(&mut self) -> io::Result<()> {
        let (config, name) = (self.security.config.clone(), self.security.name.clone());
        self.line.secure(config, name, self.until)
    }
}

/// Taken is what one operator gets; who did not is said.
fn of_all(outcomes: &[Outcome]) -> ToSentinel {
    let is_taken = |outcome: &&Outcome| matches!(outcome, Outcome::Taken(_));
    let taken = outcomes.iter().filter(is_taken).count();
    let shown = outcomes.iter().find(|outcome| !is_taken(outcome)).or(outcomes.first());
    let words = match shown {
        Some(Outcome::Taken(answer) | Outcome::Later(answer) | Outcome::Refused(answer)) => {
            answer.quoted()
        }
        Some(Outcome::Unfit(_)) => "the relay does not take mail of this kind".to_owned(),
        Some(Outcome::Unknown(broken)) => broken.words(),
        None => "the relay said nothing".to_owned(),
    };
    let said = match taken == outcomes.len() {
        true => words,
        false => format!("{taken} of {} taken: {words}", outcomes.len()),
    };
    ToSentinel { is_taken: taken > 0, said: plain(&said) }
}

#[cfg(test)]
mod tests {
    use super::{Letter, octets};
    use wire::fetch::{MailRoute, RelaySecurity};

    #[test]
    fn a_letter_is_ascii_in_short_lines_and_nobody_adds_a_field() {
        let route = MailRoute {
            host: "relay.example".to_owned(),
            port: 25,
            security: RelaySecurity::IfOffered,
            at: None,
            from: "sekisho@mx.example".to_owned(),
            to: vec!["ops@example.jp".to_owned(), "more@example.jp".to_owned()],
        };
        let subject = format!("警報\r\nBcc: x@y.example {}", "長".repeat(90));
        let letter = Letter { id: "ab", subject: &subject, text: &"関所\n".repeat(90) };
        let text = String::from_utf8(octets(&route, &letter, "mx.example")).unwrap();
        assert!(text.is_ascii());
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        assert!(!text.contains("\nBcc"));
        assert!(text.contains("To: ops@example.jp,\r\n more@example.jp\r\n"));
    }
}
