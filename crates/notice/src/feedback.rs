//! Feedback reports (RFC 5965), and the one other form that is seen: a reader, or a reader's mail
//! system, says what it thinks of a message.

use crate::returned::{about, address_of, fields, returned_to, text_of, texts};
use mime::{Message, Part};
use std::net::IpAddr;

/// Letters of one field.
const FIELD: usize = 320;
/// Complaints that one report may stand for: more is a jest.
const INCIDENTS: u32 = 10_000;

/// A feedback report, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// A word of §7.3, in lower case.
    pub kind: String,
    pub agent: String,
    /// The Message-ID of the mail that it is about, without its brackets.
    pub about: Option<String>,
    /// Whoever got it, as far as the report says so.
    pub recipient: Option<String>,
    pub source_ip: Option<IpAddr>,
    /// When the mail came there, in seconds since 1970.
    pub arrived: Option<i64>,
    pub incidents: u32,
}

/// Reads a message as a feedback report. `None`: it is none.
pub fn feedback(bytes: &[u8]) -> Option<Feedback> {
    let (message, _) = mime::parse(bytes);
    let is_report = |part: &&Part| part.content_type.is("message", "feedback-report");
    let Some(part) = message.parts().iter().find(is_report) else { return by_subject(&message) };
    let text = text_of(&message, part);
    let fields = fields(&text);
    let get = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty() && value.chars().count() <= FIELD)
    };
    // §3.1: these three are always there. Many leave the version away, some the program.
    let kind = get("feedback-type")?.to_lowercase();
    let named = get("original-rcpt-to").or_else(|| get("removal-recipient"));
    let recipient = named.and_then(address_of).or_else(|| returned_to(&message));
    let date = get("arrival-date").or_else(|| get("received-date"));
    let incidents = get("incidents").and_then(|number| number.parse().ok()).unwrap_or(1);
    Some(Feedback {
        kind,
        agent: get("user-agent").unwrap_or_default().to_owned(),
        about: about(&message, &texts(&message)),
        recipient,
        source_ip: get("source-ip").and_then(address),
        arrived: date.and_then(|date| mime::epoch_seconds(date.as_bytes())),
        incidents: u32::clamp(incidents, 1, INCIDENTS),
    })
}

/// How Microsoft's feedback loop (JMRP) writes: the message as a part, and its subject.
const SUBJECT: &str = "complaint about message from ";

/// Whether a subject is that of a complaint without a report.
pub fn is_complaint(subject: &[u8]) -> bool {
    mime::decode_words(subject).trim().to_lowercase().starts_with(SUBJECT)
}

fn by_subject(message: &Message<'_>) -> Option<Feedback> {
    let subject = message.value(message.part(0)?, "subject")?;
    let returned = message.parts().iter().skip(1).find(|part| part.is_message)?;
    if !is_complaint(&subject) {
        return None;
    }
    let subject = mime::decode_words(&subject).to_lowercase();
    let recipient = message.value(returned, "x-hmxmroriginalrecipient");
    let recipient = recipient.and_then(|value| address_of(&String::from_utf8_lossy(&value)));
    Some(Feedback {
        kind: "abuse".to_owned(),
        agent: String::new(),
        about: about(message, &texts(message)),
        recipient: recipient.or_else(|| returned_to(message)),
        source_ip: subject.trim().strip_prefix(SUBJECT).and_then(address),
        arrived: None,
        incidents: 1,
    })
}

/// `192.0.2.1`, and with a comment or in brackets, as it is seen.
fn address(value: &str) -> Option<IpAddr> {
    let first = value.split_whitespace().next()?.trim_matches(['[', ']']);
    first.strip_prefix("IPv6:").unwrap_or(first).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Feedback, feedback};

    /// A report as RFC 5965 §B.2 shows one.
    pub fn sample() -> String {
        "From: <abusedesk@example.com>\nDate: Thu, 8 Mar 2005 17:40:36 EDT\n\
         Subject: FW: Earn money\nTo: <abuse@example.net>\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report;\n     boundary=\"p1\"\n\n\
         --p1\nContent-Type: text/plain; charset=\"US-ASCII\"\n\nThis is an email abuse report.\n\n\
         --p1\nContent-Type: message/feedback-report\n\nFeedback-Type: Abuse\n\
         User-Agent: SomeGenerator/1.0\nVersion: 1\nOriginal-Mail-From: <somespammer@example.net>\n\
         Original-Rcpt-To: <user@example.com>\nArrival-Date: Thu, 8 Mar 2005 14:00:00 -0500\n\
         Reporting-MTA: dns; mail.example.com\nSource-IP: 192.0.2.1\nIncidents: 3\n\n\
         --p1\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n\
         From: <somespammer@example.net>\nTo: <Undisclosed Recipients>\nSubject: Earn money\n\
         Message-ID: <8787KJKJ3K4J3K4J3K4J3.mail@example.net>\n\nSpam Spam Spam\n--p1--\n"
            .replace('\n', "\r\n")
    }

    #[test]
    fn a_report_as_the_standard_shows_it() {
        let expected = Feedback {
            kind: "abuse".into(),
            agent: "SomeGenerator/1.0".into(),
            about: Some("8787KJKJ3K4J3K4J3K4J3.mail@example.net".into()),
            recipient: Some("user@example.com".into()),
            source_ip: Some([192, 0, 2, 1].into()),
            arrived: Some(1_110_308_400),
            incidents: 3,
        };
        assert_eq!(feedback(sample().as_bytes()), Some(expected));
    }

    #[test]
    fn what_is_left_away_and_what_is_odd() {
        let read = |from: &str, to: &str| feedback(sample().replace(from, to).as_bytes());
        assert_eq!(read("Feedback-Type", "Feedback-Kind"), None);
        assert_eq!(read("message/feedback-report", "text/plain"), None);
        let header = read("message/rfc822", "text/rfc822-headers").unwrap();
        assert_eq!(header.about.as_deref(), Some("8787KJKJ3K4J3K4J3K4J3.mail@example.net"));
        let bare = read("Original-Rcpt-To: <user@example.com>\r\n", "").unwrap();
        assert_eq!(bare.recipient, None);
        assert_eq!(read("Incidents: 3", "Incidents: 0").unwrap().incidents, 1);
        assert_eq!(read("Incidents: 3", "Incidents: 4000000000").unwrap().incidents, 10_000);
        assert_eq!(read("Incidents: 3", "Incidents: many").unwrap().incidents, 1);
        let six = read("Source-IP: 192.0.2.1", "Source-IP: [IPv6:2001:db8::1]").unwrap();
        assert_eq!(six.source_ip, "2001:db8::1".parse().ok());
        assert_eq!(read("192.0.2.1", "nowhere").unwrap().source_ip, None);
    }

    #[test]
    fn a_complaint_by_its_subject() {
        let read = |subject: &str| {
            let mail = format!(
                "From: staff@hotmail.example\r\nSubject: {subject}\r\nContent-Type: \
                 multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
                 X-HmXmrOriginalRecipient: reader@example.com\r\nTo: x@example.net\r\n\
                 Message-ID: <m1@example.net>\r\n\r\nhello\r\n--b--\r\n"
            );
            feedback(mail.as_bytes())
        };
        let found = read(" complaint about message from 192.0.2.222").unwrap();
        assert_eq!(
            (found.kind.as_str(), found.about.as_deref()),
            ("abuse", Some("m1@example.net"))
        );
        assert_eq!(found.recipient.as_deref(), Some("reader@example.com"));
        assert_eq!(found.source_ip, "192.0.2.222".parse().ok());
        assert_eq!(read("Re: complaint about message from 192.0.2.222"), None);
        assert_eq!(read("hello"), None);
    }

    /// Whatever comes: no panic, and nothing beyond its bounds.
    #[test]
    fn fuzz_feedback() {
        let factor: u64 = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
        for seed in 1..2_000 * factor {
            let mut state = seed;
            let mut random = move |below: usize| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) as usize % below
            };
            let mut octets = sample().into_bytes();
            if random(3) == 0 {
                let text = sample().replace("FW: Earn money", "complaint about message from ");
                octets = text.replace("message/feedback-report", "text/plain").into_bytes();
            }
            for _ in 0..random(30) {
                let at = random(octets.len());
                match random(3) {
                    0 => octets[at] = random(256) as u8,
                    1 => drop(octets.drain(at..(at + random(20)).min(octets.len()))),
                    _ => {
                        let piece = octets[at..(at + random(40)).min(octets.len())].to_vec();
                        octets.splice(at..at, piece);
                    }
                }
            }
            if let Some(found) = feedback(&octets) {
                assert!(found.kind.chars().count() <= 2 * 320 && found.agent.len() <= 4 * 320);
                assert!((1..=10_000).contains(&found.incidents));
                assert!(found.about.is_none_or(|about| about.len() <= 998));
            }
        }
    }
}
