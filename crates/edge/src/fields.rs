//! The header fields that we put on top of a message; the rest of it stays as it came.

use crate::arrival::Received;
use crate::judgement::{Judged, Person};
use std::fmt::Write;
use std::net::IpAddr;

/// Reasons named in a message's own header, the heaviest first.
const REASONS: usize = 8;

/// Return-Path, Received, Authentication-Results and our verdict, in this order.
pub(crate) fn on_top(judged: &Judged, person: &Person, host_name: &str) -> String {
    let mut fields = return_path(&judged.received);
    fields.push_str(&received(&judged.received, host_name));
    fields.push_str(&judged.seen.authentication_results);
    fields.push_str(&verdict(person));
    fields
}

/// RFC 5321 §4.4: at final delivery, the sender of the envelope.
fn return_path(received: &Received) -> String {
    let from = received.offered.from.as_ref().map(smtp::Address::written);
    format!("Return-Path: <{}>\r\n", from.unwrap_or_default())
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

fn verdict(person: &Person) -> String {
    let judged = &person.judged;
    let mut field =
        format!("X-Sekisho-Verdict: {}; score={:.1}", judged.verdict.word(), judged.score);
    for reason in judged.reasons.iter().take(REASONS) {
        // Ids are ours and short; a lying scanner's may be neither.
        let id: String =
            reason.id.chars().filter(|l| l.is_ascii_graphic() && *l != ';').take(60).collect();
        let _ = write!(field, ";\r\n\t{id}={:.1}", reason.weight);
    }
    field.push_str("\r\n");
    field
}

/// RFC 5322 §3.3, in UTC.
pub(crate) fn date(at_ms: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = at_ms / 1000;
    let days = seconds / 86_400;
    let of_day = seconds % 86_400;
    let (year, month, day) = civil(days);
    let weekday = DAYS.get((days % 7) as usize).copied().unwrap_or("Thu");
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or("Jan");
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day of a day counted from 1970, by years that begin in March: then the leap day
/// is a year's last, and months have the lengths of a straight line through 30.6 days.
fn civil(days: u64) -> (u64, u64, u64) {
    // Days from 1 March of the year 0 to 1 January 1970.
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates() {
        let check = |seconds: u64, expected: &str| assert_eq!(date(seconds * 1000), expected);
        check(0, "Thu, 1 Jan 1970 00:00:00 +0000");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000");
        check(1_709_251_199, "Thu, 29 Feb 2024 23:59:59 +0000");
        check(1_795_316_096, "Sun, 22 Nov 2026 02:54:56 +0000");
        check(4_102_444_799, "Thu, 31 Dec 2099 23:59:59 +0000");
    }
}
