//! Results as an Authentication-Results field. RFC 8601.

use crate::check::{AuthResults, Envelope};
use crate::dkim::{Dkim, DkimResult};
use crate::dmarc::DmarcResult;
use std::fmt::Write;

/// The longest value repeated from outside: an address (RFC 5321 §4.5.3.1.3 says 256), with room.
const VALUE_OCTETS: usize = 320;

/// The whole field, folded, with CRLF.
pub fn field(envelope: &Envelope<'_>, results: &AuthResults) -> String {
    let mut field = format!("Authentication-Results: {}", value(envelope.our_name));
    spf(&mut field, envelope, results);
    if results.dkim.is_empty() {
        field.push_str(";\r\n\tdkim=none");
    }
    for signature in &results.dkim {
        dkim(&mut field, signature);
    }
    dmarc(&mut field, results);
    arc(&mut field, results);
    field.push_str("\r\n");
    field
}

fn spf(field: &mut String, envelope: &Envelope<'_>, results: &AuthResults) {
    let mail_from = if envelope.mail_from.is_empty() {
        String::new()
    } else {
        format!(" smtp.mailfrom={}", value(envelope.mail_from))
    };
    // RFC 8601 §2.7.2: a null reverse-path leaves only the HELO name to speak of.
    if !mail_from.is_empty() {
        add(field, format_args!("spf={}{mail_from}", results.spf.result.word()));
    }
    let helo = value(envelope.helo);
    add(field, format_args!("spf={} smtp.helo={helo}", results.spf_helo.result.word()));
}

fn dkim(field: &mut String, signature: &Dkim) {
    add(field, format_args!("dkim={}", signature.result.word()));
    if !signature.reason.is_empty() {
        more(field, format_args!(" reason=\"{}\"", signature.reason));
    }
    if signature.result == DkimResult::Pass && signature.unsigned_octets > 0 {
        more(field, format_args!(" ({} octets of body not signed)", signature.unsigned_octets));
    }
    let named = [
        ("d", &signature.domain),
        ("i", &signature.identity),
        ("s", &signature.selector),
        ("a", &signature.algorithm),
        ("b", &signature.signature_start),
    ];
    for (name, text) in named.into_iter().filter(|(_, text)| !text.is_empty()) {
        more(field, format_args!(" header.{name}={}", value(text)));
    }
}

fn dmarc(field: &mut String, results: &AuthResults) {
    let dmarc = &results.dmarc;
    add(field, format_args!("dmarc={}", dmarc.result.word()));
    if dmarc.result != DmarcResult::None && !dmarc.policy_domain.is_empty() {
        more(field, format_args!(" policy.dmarc={}", dmarc.policy.word()));
    }
    if !dmarc.domain.is_empty() {
        more(field, format_args!(" header.from={}", value(&dmarc.domain)));
    }
}

fn arc(field: &mut String, results: &AuthResults) {
    let arc = &results.arc;
    add(field, format_args!("arc={}", arc.result.word()));
    if !arc.reason.is_empty() {
        more(field, format_args!(" reason=\"{}\"", arc.reason));
    }
}

fn add(field: &mut String, words: std::fmt::Arguments<'_>) {
    field.push_str(";\r\n\t");
    more(field, words);
}

fn more(field: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = field.write_fmt(words);
}

/// A value that cannot end the field or start another result: printable, and in quotes unless it
/// is made of letters that need none (RFC 8601 §2.2, RFC 2045 §5.1 token, and the at sign).
fn value(text: &str) -> String {
    let keep = |letter: &char| !letter.is_control();
    let clean: String = text.chars().filter(keep).take(VALUE_OCTETS).collect();
    let is_plain = |letter: char| {
        !letter.is_ascii()
            || letter.is_ascii_alphanumeric()
            || "!#$%&'*+-.^_`{|}~@".contains(letter)
    };
    if !clean.is_empty() && clean.chars().all(is_plain) {
        return clean;
    }
    format!("\"{}\"", clean.replace('\\', "\\\\").replace('"', "\\\""))
}
