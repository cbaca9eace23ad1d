//! One message: taken apart, its sender looked at, its overview written. The same code serves the
//! jailed compartment and `sekisho scan`.

use crate::facts;
use mailauth::{ArcResult, AuthResults, Envelope, Resolver};
use mime::Summary;
use mime::detect::{Budget, examine as take_apart};
use notice::Bounce;
use policy::{Authentication, Facts, HouseRules, Judged};
use std::ops::Range;
use std::time::Instant;
use terms::{Finding, HEADER_BYTES};
use wire::scanner::{Examined, Header, OURS, Sender};

/// What is known of a message.
pub struct Given<'a> {
    pub message: &'a [u8],
    /// `None`: sender authentication is not run.
    pub sender: Option<&'a Sender>,
    /// Our own name.
    pub host_name: &'a str,
    /// Seconds since 1970.
    pub now_seconds: u64,
}

/// Examines a message. Questions to the DNS go to `resolver`.
pub fn examine(given: &Given<'_>, resolver: &mut dyn Resolver) -> Examined {
    let begin = Instant::now();
    let mut taken_apart = take_apart(given.message, &Budget::default());
    let results = given.sender.map(|sender| authenticate(given, sender, resolver));
    let facts = results.as_ref().map(facts::authentication);
    let forged = mailauth::forged_fields(given.message, given.host_name);
    let bounce = bounce(given);
    let header = header(given, &taken_apart.summary, bounce.as_ref());
    // A chain that holds may have come through here before; of what was not looked at nothing is
    // known.
    let is_broken = results.as_ref().is_some_and(|found| found.arc.result != ArcResult::Pass);
    let broken = match is_broken {
        true => mailauth::forged_arc_results(given.message, given.host_name),
        false => Vec::new(),
    };
    let cut = cut(given.message, &[forged.as_slice(), &broken].concat());
    cut_out(&mut taken_apart.summary, &cut);
    if !forged.is_empty() {
        // A list may send our own mark back to us: little weight.
        taken_apart.findings.push(Finding::new("auth.forged", 1.0, given.host_name));
    }
    let report = given.sender.and_then(|_| {
        crate::reports::read(given.message, &taken_apart.summary.header, bounce.as_ref())
    });
    Examined {
        findings: taken_apart.findings,
        parts: taken_apart.parts,
        // Nothing here can be too large or of no form: postcard writes what serde derives.
        authentication: facts
            .and_then(|facts| postcard::to_stdvec(&facts).ok())
            .unwrap_or_default(),
        authentication_results: results.map(|results| results.header).unwrap_or_default(),
        forged: cut.iter().map(|range| (range.start as u64, range.end as u64)).collect(),
        summary: postcard::to_stdvec(&taken_apart.summary).unwrap_or_default(),
        trace_digests: trace_digests(&taken_apart.summary),
        header: Some(header),
        micros: u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX),
        report,
    }
}

/// What comes from nobody may be a notice; of other mail it would be a claim.
fn bounce(given: &Given<'_>) -> Option<Bounce> {
    let is_from_nobody = given.sender.is_some_and(|sender| sender.mail_from.is_empty());
    is_from_nobody.then(|| notice::read(given.message)).flatten()
}

fn header(given: &Given<'_>, summary: &Summary, bounce: Option<&Bounce>) -> Header {
    let is_lost = bounce.is_some_and(|bounce| {
        let is_lost = |victim: &notice::Victim| victim.reason.is_lost();
        bounce.kind == notice::Kind::Failed && bounce.victims.iter().any(is_lost)
    });
    // The overview has only the first of a long header.
    let bytes = usize::try_from(summary.header_bytes).unwrap_or(usize::MAX).min(HEADER_BYTES);
    let whole = given.message.get(..bytes).unwrap_or(given.message);
    let is_overlong = mailauth::is_overlong(given.message);
    Header { is_lost, is_overlong, ..crate::header::read(whole) }
}

/// What is not kept: forged fields; whatever is called as our own fields are, which come later; the
/// secret of a customer's own server, which is for us alone, whoever the message is for; and the
/// return path that others wrote, for whoever delivers at last writes it (RFC 5321 §4.4).
fn cut(message: &[u8], forged: &[Range<usize>]) -> Vec<Range<usize>> {
    let is_ours = |name: &[u8]| {
        name.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS.as_bytes()))
            || name.eq_ignore_ascii_case(b"return-path")
    };
    let mut cut = mailauth::fields_such_as(message, is_ours);
    cut.extend_from_slice(forged);
    cut.sort_unstable_by_key(|range| range.start);
    cut
}

/// What is taken out of the message, the overview must not show either.
fn cut_out(summary: &mut Summary, cut: &[Range<usize>]) {
    // From the last to the first, so that the places before stay true.
    for range in cut.iter().rev() {
        let length = summary.header.len();
        summary.header.drain(range.start.min(length)..range.end.min(length));
        summary.header_bytes = summary.header_bytes.saturating_sub(range.len() as u64);
    }
}

/// Judges what an examination said, as `edge` does for one recipient.
pub fn judged(examined: &Examined, house: &HouseRules) -> Judged {
    let authentication: Option<Authentication> =
        postcard::from_bytes(&examined.authentication).ok();
    let authentication = authentication.as_ref();
    let findings = &examined.findings;
    policy::judge(&Facts { findings, authentication, house, allowed: false, waited: false })
}

fn authenticate(given: &Given<'_>, sender: &Sender, resolver: &mut dyn Resolver) -> AuthResults {
    let envelope = Envelope {
        client_ip: sender.client_ip,
        helo: &sender.helo,
        mail_from: &sender.mail_from,
        our_name: given.host_name,
        now: given.now_seconds,
    };
    mailauth::check(&envelope, given.message, resolver)
}

/// Addresses of To that a trace may look for.
const TRACED_RECIPIENTS: usize = 16;

/// Digests of what somebody who asks for this message would name.
fn trace_digests(summary: &Summary) -> Vec<[u8; 32]> {
    let to = mime::field_values(&summary.header, "to");
    let to = to.iter().flat_map(|value| mime::addresses(value)).filter_map(|entry| match entry {
        mime::Entry::Mailbox(address) => Some(address.address()),
        _ => None,
    });
    let mut digests = Vec::new();
    let first = [&summary.message_id, &summary.from_address, &summary.subject];
    let words = first.into_iter().cloned().chain(to.take(TRACED_RECIPIENTS));
    for word in words.filter(|word| !word.trim().is_empty()) {
        let digest = trace::digest(&word);
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests
}
