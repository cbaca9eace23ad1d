//! Reports of others, as the scanner makes them of whole messages.

use crate::reports::read;
use data_encoding::BASE64_MIME;
use miniz_oxide::deflate::compress_to_vec;
use serde_json::json;
use wire::reports::{Report, TlsFailure, TlsPolicyKind};

fn tls_json() -> Vec<u8> {
    let failure = |from: &str, sessions: u64| {
        json!({
            "result-type": "certificate-expired", "sending-mta-ip": from,
            "receiving-mx-hostname": "mx1.kaede.example", "failed-session-count": sessions,
        })
    };
    json!({
        "organization-name": "There, Inc.",
        "date-range": { "start-datetime": "2026-11-28T00:00:00Z",
                        "end-datetime": "2026-11-28T23:59:59Z" },
        "contact-info": "tls@there.example",
        "report-id": "2026-11-28T00:00:00Z_kaede.example",
        "policies": [{
            "policy": { "policy-type": "sts", "policy-string": ["version: STSv1"],
                        "policy-domain": "kaede.example", "mx-host": "mx1.kaede.example" },
            "summary": { "total-successful-session-count": 117,
                         "total-failure-session-count": 4 },
            "failure-details": [
                failure("192.0.2.1", 1), failure("192.0.2.2", 2),
                { "result-type": "starttls-not-supported", "failed-session-count": 1 },
            ],
        }],
    })
    .to_string()
    .into_bytes()
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    [b"\x1f\x8b\x08\x08\0\0\0\0\0\x03report.json\0", &compress_to_vec(octets, 6)[..]].concat()
}

/// As RFC 8460 §5.3 shows it.
fn mail(report_type: &str, part_type: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "From: tls@there.example\r\nTo: tls-reports@kaede.example\r\nSubject: Report Domain: \
         kaede.example\r\nTLS-Report-Domain: kaede.example\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=\"{report_type}\"; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nThis is an aggregate TLS report.\r\n\
         --b\r\nContent-Type: {part_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    [head.as_bytes(), BASE64_MIME.encode(content).as_bytes(), b"\r\n--b--\r\n"].concat()
}

fn report_of(message: &[u8]) -> Option<Report> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(message.len());
    let bounce = notice::read(message);
    read(message, &message[..end], bounce.as_ref())
}

#[test]
fn a_tls_report_packed_or_not() {
    let check = |message: &[u8], is_report: bool| {
        let report = report_of(message);
        assert_eq!(report.is_some(), is_report, "{}", String::from_utf8_lossy(message));
        let Some(report) = report else { return };
        let Report::Tls(report) = report else { panic!("another kind") };
        assert_eq!((report.organisation.as_str(), report.begin_s), ("There, Inc.", 1_795_824_000));
        let [policy] = report.policies.as_slice() else { panic!("one policy") };
        assert_eq!((policy.kind, policy.domain.as_str()), (TlsPolicyKind::Sts, "kaede.example"));
        assert_eq!((policy.successful, policy.failed), (117, 4));
        let failure = |what: &str, mx: &str, sessions| TlsFailure {
            what: what.to_owned(),
            mx: mx.to_owned(),
            sessions,
        };
        let expected = [
            failure("certificate-expired", "mx1.kaede.example", 3),
            failure("starttls-not-supported", "", 1),
        ];
        assert_eq!(policy.failures, expected);
    };
    let packed = gzip(&tls_json());
    check(&mail("tlsrpt", "application/tlsrpt+gzip", &packed), true);
    check(&mail("tlsrpt", "application/tlsrpt+json", &tls_json()), true);
    check(&mail("tlsrpt", "application/gzip; name=report.json.gz", &packed), true);
    check(&mail("delivery-status", "application/gzip", &packed), false);
    check(&mail("tlsrpt", "application/tlsrpt+gzip", &packed[..packed.len() / 2]), false);
    check(&mail("tlsrpt", "application/tlsrpt+gzip", b"\x1f\x8b\x08"), false);
    check(&mail("tlsrpt", "application/tlsrpt+gzip", b""), false);
    // The whole message, without parts.
    let head = b"From: tls@there.example\r\nContent-Type: application/tlsrpt+json\r\n\r\n";
    check(&[&head[..], &tls_json()].concat(), true);
    // A report in a letter is a letter.
    let forwarded = mail("tlsrpt", "application/tlsrpt+gzip", &packed);
    let forwarded = String::from_utf8(forwarded).unwrap().replace("/report;", "/mixed;");
    check(forwarded.as_bytes(), false);
}

/// Whatever is packed in: no more than a report's octets is made of it.
#[test]
fn a_report_that_bursts_is_none() {
    let spaces = vec![b' '; 64 * 1024 * 1024];
    let bomb = gzip(&[&tls_json(), &spaces[..]].concat());
    assert_eq!(report_of(&mail("tlsrpt", "application/tlsrpt+gzip", &bomb)), None);
    let deep = "[".repeat(100_000);
    assert_eq!(report_of(&mail("tlsrpt", "application/tlsrpt+json", deep.as_bytes())), None);
}

const ABUSE: &str = "From: fbl@there.example\r\nTo: fbl@kaede.example\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n\
    --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\
    User-Agent: Loop/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: <bob@reader.example>\r\n\
    Source-IP: 192.0.2.1\r\n\r\n\
    --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: aoi@kaede.example\r\n\
    Message-ID: <m1@kaede.example>\r\n\r\n--b--\r\n";

const BOUNCE: &str = "From: MAILER-DAEMON@there.example\r\nTo: aoi@kaede.example\r\n\
    Subject: Undelivered Mail\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n\
    --b\r\nContent-Type: message/delivery-status\r\n\r\n\
    Reporting-MTA: dns; mx.there.example\r\n\r\n\
    Final-Recipient: rfc822; bob@there.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
    Diagnostic-Code: smtp; 550 5.1.1 user unknown\r\n\r\n\
    --b\r\nContent-Type: text/rfc822-headers\r\n\r\n\
    Message-ID: <m1@kaede.example>\r\n\r\n--b--\r\n";

#[test]
fn complaints_and_what_came_back_keep_no_reader_s_name() {
    let Some(Report::Feedback(feedback)) = report_of(ABUSE.as_bytes()) else { panic!("none") };
    assert_eq!((feedback.kind.as_str(), feedback.about.as_str()), ("abuse", "m1@kaede.example"));
    assert_eq!(feedback.reader, "reader.example");
    let Some(Report::Returned(returned)) = report_of(BOUNCE.as_bytes()) else { panic!("none") };
    assert_eq!((returned.is_late, returned.about.as_str()), (false, "m1@kaede.example"));
    assert_eq!(returned.victims[0].domain, "there.example");
    assert_eq!(returned.victims[0].reason, "user-unknown");
    assert!(!format!("{feedback:?} {returned:?}").contains("bob"));
    let plain = "From: a@b.example\r\nSubject: hi\r\n\r\nhello\r\n";
    assert_eq!(report_of(plain.as_bytes()), None);
}

/// No message makes a report larger than is kept, whatever its octets.
#[test]
fn fuzz_reports() {
    let factor: u64 = std::env::var("SEKISHO_FUZZ_FACTOR").map_or(1, |f| f.parse().unwrap());
    let seeds = [
        mail("tlsrpt", "application/tlsrpt+gzip", &gzip(&tls_json())),
        mail("tlsrpt", "application/tlsrpt+json", &tls_json()),
        [&b"Content-Type: application/tlsrpt+json\r\n\r\n"[..], &tls_json()].concat(),
        ABUSE.as_bytes().to_vec(),
        BOUNCE.as_bytes().to_vec(),
    ];
    for seed in 1..2_000 * factor {
        let mut state = seed;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut octets = seeds[random(5)].clone();
        for _ in 0..random(20) {
            let at = random(octets.len());
            match random(3) {
                0 => octets[at] = random(256) as u8,
                1 => drop(octets.drain(at..(at + random(20)).min(octets.len()))),
                _ => {
                    let piece = octets[at..(at + random(60)).min(octets.len())].to_vec();
                    octets.splice(at..at, piece);
                }
            }
        }
        if let Some(report) = report_of(&octets) {
            assert_eq!(report.clone().bounded(), report);
            assert!(postcard::to_stdvec(&report).unwrap().len() < 20_000);
        }
    }
}
