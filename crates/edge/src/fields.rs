//! The header fields that we put on top of a message; the rest of it stays as it came.

use crate::arrival::Received;
use crate::judgement::{Judged, Person};
use flight::date;
use std::fmt::Write;
use std::net::IpAddr;
use wire::scanner::PASSED;

/// Return-Path, Received, Authentication-Results and our verdict, in this order.
pub(crate) fn on_top(judged: &Judged, person: &Person, host_name: &str) -> String {
    let mut fields = return_path(&judged.received);
    fields.push_str(&received(&judged.received, host_name));
    fields.push_str(&judged.seen.authentication_results);
    fields.push_str(&copies::verdict_field(&person.judged));
    fields
}

/// Received, Authentication-Results, for a gateway's server our verdict, and the marks by which we
/// know it again. No Return-Path: this is no final delivery.
pub(crate) fn on_passed(
    judged: &Judged,
    verdict_of: Option<&policy::Judged>,
    marks: &[String],
    host_name: &str,
) -> String {
    let mut fields = received(&judged.received, host_name);
    fields.push_str(&judged.seen.authentication_results);
    fields.push_str(&verdict_of.map(copies::verdict_field).unwrap_or_default());
    let before = judged.seen.header.iter().flat_map(|header| header.marks());
    for mark in before.chain(marks.iter().map(String::as_str)) {
        let _ = write!(fields, "{PASSED}: {mark}\r\n");
    }
    fields
}

/// RFC 5321 §4.4: at final delivery, the sender of the envelope.
fn return_path(received: &Received) -> String {
    format!("Return-Path: <{}>\r\n", received.from())
}

/// RFC 5321 §4.4. No `for`: what stands there would tell one recipient of another.
fn received(received: &Received, host_name: &str) -> String {
    let offered = &received.offered;
    let client = match offered.client_ip {
        IpAddr::V4(four) => format!("[{four}]"),
        IpAddr::V6(six) => format!("[IPv6:{six}]"),
    };
    let tls = offered.tls.as_ref().map(|words| format!("\r\n\t({words})")).unwrap_or_default();
    format!(
        "Received: from {} ({client})\r\n\tby {host_name} with {} id {}{tls};\r\n\t{}\r\n",
        offered.helo,
        offered.protocol,
        received.id,
        date(received.at_ms),
    )
}
