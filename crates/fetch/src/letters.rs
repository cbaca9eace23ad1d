//! An alarm as a letter, given to the one relay that the operator named: not by our own queue,
//! which may be what is wrong.

use crate::Fault;
use crate::alarms::{not_taken, plain};
use crate::desk::Desk;
use crate::exchange::Place;
use crate::talk::{self, Talk};
use courier::{Outcome, Receiver, Tls, Want};
use data_encoding::BASE64;
use flight::date;
use mime::encode_words;
use smtp::Address;
use std::time::Instant;
use wire::fetch::{MailRoute, RelaySecurity, ToSentinel};

/// RFC 2045 §6.8.
const BASE64_LINE: usize = 76;

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
    let tls = match route.security {
        RelaySecurity::Implicit => Tls::Already,
        RelaySecurity::StartTls => Tls::Required,
        RelaySecurity::IfOffered => Tls::IfOffered,
    };
    let place = Place { port: route.port, at: route.at, from: None, is_anybodys: false };
    let talk = match talk::begin(&route.host, (place, tls), desk, until)? {
        Ok(talk) => talk,
        Err(why) => return Ok(not_taken(&why)),
    };
    let octets = octets(route, letter, &desk.host_name);
    let envelope = courier::Letter { size: octets.len() as u64, ..envelope };
    Ok(hand_over(talk, envelope, &octets, desk))
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
        encode_words(&plain(letter.subject)),
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

/// The letter given to the relay, and what it said.
fn hand_over(
    mut talk: Talk,
    envelope: courier::Letter,
    octets: &[u8],
    desk: &mut Desk,
) -> ToSentinel {
    let mut envelope = Some(envelope);
    let mut answer = None;
    let answer = loop {
        match talk.step(desk) {
            Want::Letter => match envelope.take() {
                Some(envelope) => talk.courier.begin(envelope),
                None => talk.courier.quit(),
            },
            Want::Text => {
                talk.courier.text(octets);
                talk.courier.end_text();
            }
            Want::Outcomes(outcomes) => answer = Some(of_all(&outcomes)),
            Want::Broken(broken) => {
                break answer.unwrap_or_else(|| not_taken(&broken.words()));
            }
            Want::Close => break answer.unwrap_or_else(|| not_taken("nothing was answered")),
            Want::Read(_) | Want::Secure => {}
        }
    };
    talk.line.close();
    answer
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
