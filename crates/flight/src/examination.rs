//! The scanner takes a message apart; what it asks meanwhile is answered by whoever has it.

use crate::{Fault, Text};
use std::time::{Duration, Instant};
use terms::Finding;
use wire::names::{Answer, Question};
use wire::reports::Report;
use wire::scanner::{Examined, FromScanner, NAMED, PASSED_MARKS, Sender, Task, ToScanner};
use wire::{Channel, Parcel};

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

/// The scanners of one instance, one at a time.
pub trait Scanners {
    /// One that is ready to be asked.
    fn ready(&mut self) -> Option<&mut Channel>;
    /// The one that was asked.
    fn at_work(&mut self) -> Option<&mut Channel>;
    /// It is there no longer: another is wanted.
    fn gone(&mut self);
    /// What it asks of the DNS.
    fn answer(&mut self, question: &Question) -> Answer;
    /// This message has killed as many as one message may.
    fn killed(&mut self);
}

/// How one attempt ended.
enum Attempt {
    Seen(Box<Examined>),
    Died,
    /// It was dead before it took the message: the message is not to blame.
    NeverTaken,
}

/// Facts about a message. A scanner that dies is replaced and asked once more; the message that
/// kills that one too is kept from everybody, with a finding that says so.
pub fn examine(
    text: &Text,
    sender: Option<&Sender>,
    host_name: &str,
    scanners: &mut impl Scanners,
) -> Result<Examined, Fault> {
    let (mut killed, mut never_taken) = (0, 0);
    while killed < SCANNERS {
        let (message, held) = match text.behind() {
            Some(_) => (Parcel::Behind { bytes: text.len() }, Vec::new()),
            None => text.parcel()?,
        };
        let (sender, host_name) = (sender.cloned(), host_name.to_owned());
        let task = ToScanner::Examine(Task { sender, host_name, message });
        match attempt(&task, &held, text.behind(), scanners)? {
            Attempt::Seen(seen) => return Ok(bounded(*seen, text.len())),
            Attempt::Died => killed += 1,
            Attempt::NeverTaken => never_taken += 1,
        }
        scanners.gone();
        if never_taken >= NEVER_TAKEN {
            return Err(Fault::NoScanner);
        }
    }
    scanners.killed();
    Ok(set_aside())
}

fn attempt(
    task: &ToScanner,
    held: &[std::os::fd::OwnedFd],
    behind: Option<&[u8]>,
    scanners: &mut impl Scanners,
) -> Result<Attempt, Fault> {
    let scanner = scanners.ready().ok_or(Fault::NoScanner)?;
    let call = scanner.next_call();
    let sent = scanner.send(call, task, held);
    if sent.and_then(|()| scanner.send_behind(behind.unwrap_or_default())).is_err() {
        return Ok(Attempt::NeverTaken);
    }
    let until = Instant::now() + EXAMINE_LIMIT;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let frame = match scanners.at_work().ok_or(Fault::NoScanner)?.receive(Some(left)) {
            Ok(frame) => frame,
            Err(wire::Fault::Unread) => return Ok(Attempt::NeverTaken),
            Err(_) => return Ok(Attempt::Died),
        };
        match frame.read() {
            Ok(FromScanner::Examined(seen)) => return Ok(Attempt::Seen(seen)),
            Ok(FromScanner::Question(question)) => {
                let answer = ToScanner::Answer(scanners.answer(&question));
                let scanner = scanners.at_work().ok_or(Fault::NoScanner)?;
                if scanner.send(frame.call, &answer, &[]).is_err() {
                    return Ok(Attempt::Died);
                }
            }
            Err(_) => return Ok(Attempt::Died),
        }
    }
}

/// What nobody could examine.
fn set_aside() -> Examined {
    Examined {
        findings: vec![Finding::new("scanner.killed", 10.0, "")],
        parts: 0,
        authentication: Vec::new(),
        authentication_results: String::new(),
        forged: Vec::new(),
        summary: Vec::new(),
        trace_digests: Vec::new(),
        header: None,
        micros: 0,
        report: None,
    }
}

/// A scanner that was taken over can lie about its message. It cannot make two fields of one, cut
/// outside the message, or flood.
fn bounded(mut seen: Examined, octets: u64) -> Examined {
    seen.findings.truncate(FINDINGS);
    seen.trace_digests.truncate(DIGESTS);
    if let Some(header) = &mut seen.header {
        header.passed.truncate(PASSED_MARKS);
        header.named.truncate(NAMED);
    }
    seen.report = seen.report.map(Report::bounded);
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
