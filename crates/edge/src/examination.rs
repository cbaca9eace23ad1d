//! The scanner takes the message apart; its questions to the DNS go through us.

use crate::Fault;
use crate::arrival::{Examined, Received};
use crate::neighbours::Neighbours;
use crate::questions::Questions;
use std::time::{Duration, Instant};
use terms::Finding;
use wire::control::Report;
use wire::scanner::{Examined as Seen, FromScanner, Sender, Task, ToScanner};

/// The scanner's own budget is shorter; one that is silent this long is as good as dead.
const EXAMINE_LIMIT: Duration = Duration::from_secs(60);
/// A message that kills this many scanners is set aside: a third would teach nobody anything.
const SCANNERS: usize = 2;
/// Scanners that may be dead before they take it, when their zygote dies with all of them.
const NEVER_TAKEN: usize = 6;
/// What a scanner may make of us: a lying one shall not fill our memory.
const FINDINGS: usize = 200;
const FIELD_BYTES: usize = 16 * 1024;
const DIGESTS: usize = 32;

/// How one attempt ended.
enum Attempt {
    Seen(Box<Seen>),
    Died,
    /// It was dead before it took the message: the message is not to blame.
    NeverTaken,
}

/// Facts about a message. A scanner that dies is replaced and asked once more; the message that
/// kills that one too is kept from everybody, with a finding that says so.
pub(crate) fn examine(received: Received, house: &mut Neighbours) -> Result<Examined, Fault> {
    let (mut killed, mut never_taken) = (0, 0);
    while killed < SCANNERS {
        match attempt(&received, house)? {
            Attempt::Seen(seen) => {
                let seen = bounded(*seen, received.text.len());
                return Ok(Examined { received, seen });
            }
            Attempt::Died => killed += 1,
            Attempt::NeverTaken => never_taken += 1,
        }
        house.scanner_gone();
        if never_taken >= NEVER_TAKEN {
            return Err(Fault::Away("scanner"));
        }
    }
    house.report(&Report::Alarm { what: format!("message {} killed two scanners", received.id) });
    Ok(Examined { received, seen: set_aside() })
}

fn attempt(received: &Received, house: &mut Neighbours) -> Result<Attempt, Fault> {
    let (message, held) = received.text.parcel()?;
    let offered = &received.offered;
    let sender = Sender {
        client_ip: offered.client_ip,
        helo: offered.helo.clone(),
        mail_from: offered.from.as_ref().map(smtp::Address::written).unwrap_or_default(),
    };
    let host_name = house.host_name().to_owned();
    let task = ToScanner::Examine(Task { sender: Some(sender), host_name, message });
    let scanner = house.scanner()?;
    let call = scanner.next_call();
    if scanner.send(call, &task, &held).is_err() {
        return Ok(Attempt::NeverTaken);
    }
    let until = Instant::now() + EXAMINE_LIMIT;
    let mut questions = Questions::default();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let frame = match house.scanner_channel()?.receive(Some(left)) {
            Ok(frame) => frame,
            Err(wire::Fault::Unread) => return Ok(Attempt::NeverTaken),
            Err(_) => return Ok(Attempt::Died),
        };
        match frame.read() {
            Ok(FromScanner::Examined(seen)) => return Ok(Attempt::Seen(seen)),
            Ok(FromScanner::Question(question)) => {
                let answer = questions.put(house, received, &question);
                let answered =
                    house.scanner_channel()?.send(frame.call, &ToScanner::Answer(answer), &[]);
                if answered.is_err() {
                    return Ok(Attempt::Died);
                }
            }
            Err(_) => return Ok(Attempt::Died),
        }
    }
}

/// What nobody could examine.
fn set_aside() -> Seen {
    Seen {
        findings: vec![Finding::new("scanner.killed", 10.0, "")],
        parts: 0,
        authentication: Vec::new(),
        authentication_results: String::new(),
        forged: Vec::new(),
        summary: Vec::new(),
        trace_digests: Vec::new(),
        micros: 0,
    }
}

/// A scanner that was taken over can lie about its message. It cannot make two fields of one, cut
/// outside the message, or flood.
fn bounded(mut seen: Seen, octets: u64) -> Seen {
    seen.findings.truncate(FINDINGS);
    seen.trace_digests.truncate(DIGESTS);
    if !is_one_field(&seen.authentication_results) {
        seen.authentication_results = String::new();
    }
    seen.forged.sort_unstable();
    let mut at = 0;
    let is_sound = seen.forged.iter().all(|(start, end)| {
        let sound = at <= *start && start < end && *end <= octets;
        at = *end;
        sound
    });
    if !is_sound {
        seen.forged.clear();
    }
    seen
}

/// One folded field of the right name, RFC 5322 §2.2.3: each further line begins with white space.
fn is_one_field(field: &str) -> bool {
    let Some(lines) = field.strip_suffix("\r\n") else { return field.is_empty() };
    let is_line = |(number, line): (usize, &str)| {
        let begins = match number {
            0 => line.starts_with("Authentication-Results: "),
            _ => line.starts_with([' ', '\t']),
        };
        begins && !line.trim().is_empty() && !line.contains(['\r', '\n', '\0'])
    };
    field.len() <= FIELD_BYTES && lines.split("\r\n").enumerate().all(is_line)
}

#[cfg(test)]
mod tests {
    use super::{bounded, is_one_field, set_aside};

    #[test]
    fn one_field_is_one_field() {
        let check = |field: &str, fits: bool| assert_eq!(is_one_field(field), fits, "{field:?}");
        check("", true);
        check("Authentication-Results: mx; spf=pass\r\n", true);
        check("Authentication-Results: mx;\r\n\tspf=pass\r\n", true);
        check("Authentication-Results: mx", false);
        check("Subject: mx\r\n", false);
        check("Authentication-Results: mx\r\nSubject: x\r\n", false);
        check("Authentication-Results: mx\r\n\r\n", false);
        check("Authentication-Results: mx\n\r\n", false);
        check("Authentication-Results: mx\r\n \r\n", false);
    }

    #[test]
    fn cuts_lie_inside_the_message_and_apart() {
        let check = |forged: &[(u64, u64)], left: usize| {
            let mut seen = set_aside();
            seen.forged = forged.to_vec();
            assert_eq!(bounded(seen, 100).forged.len(), left, "{forged:?}");
        };
        check(&[(10, 20), (0, 10)], 2);
        check(&[(0, 100)], 1);
        check(&[(0, 101)], 0);
        check(&[(0, 20), (10, 30)], 0);
        check(&[(5, 5)], 0);
        check(&[(7, 5)], 0);
    }
}
