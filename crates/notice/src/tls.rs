//! The letter that carries a report about TLS (RFC 8460 §5.3): a text for people, and the report
//! for machines, packed.

use crate::list::phrase;
use crate::write::{push_base64, push_lines, washed};

/// A report in its letter.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Whose report it is, and the address that it is from.
    pub name: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    /// The domain that it is about.
    pub about: &'a str,
    /// Unique, without brackets.
    pub id: &'a str,
    /// Seconds since 1970: its time's beginning and end.
    pub time: (u64, u64),
    /// The report itself, packed.
    pub packed: &'a [u8],
    /// RFC 5322.
    pub date: &'a str,
    /// Unique, without brackets.
    pub message_id: &'a str,
    pub boundary: &'a str,
}

/// The whole letter, CRLF throughout.
pub fn write(report: &Report<'_>) -> Vec<u8> {
    let boundary = washed(report.boundary);
    let submitter = report.from.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    let (about, submitter) = (washed(report.about), washed(submitter));
    let id = washed(report.id);
    let mut out = String::new();
    let lines = [
        format!("From: {} <{}>", phrase(report.name), washed(report.from)),
        format!("To: <{}>", washed(report.to)),
        format!("Subject: Report Domain: {about}"),
        format!("\tSubmitter: {submitter}"),
        format!("\tReport-ID: <{id}>"),
        format!("Date: {}", washed(report.date)),
        format!("Message-ID: <{}>", washed(report.message_id)),
        format!("TLS-Report-Domain: {about}"),
        format!("TLS-Report-Submitter: {submitter}"),
        // RFC 8689 §3: a report about TLS that fails must not fail by it on its further way.
        "TLS-Required: No".to_owned(),
        "Auto-Submitted: auto-generated".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: multipart/report; report-type=\"tlsrpt\";".to_owned(),
        format!("\tboundary=\"{boundary}\""),
        String::new(),
        format!("--{boundary}"),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        String::new(),
    ];
    push_lines(&mut out, &lines);
    push_base64(&mut out, words(&about, &washed(report.name)).as_bytes());
    // §5.1.
    let (begin, end) = report.time;
    let file = format!("{submitter}!{about}!{begin}!{end}.json.gz");
    let lines = [
        format!("--{boundary}"),
        "Content-Type: application/tlsrpt+gzip".to_owned(),
        "Content-Transfer-Encoding: base64".to_owned(),
        "Content-Disposition: attachment;".to_owned(),
        format!("\tfilename=\"{file}\""),
        String::new(),
    ];
    push_lines(&mut out, &lines);
    push_base64(&mut out, report.packed);
    push_lines(&mut out, &[format!("--{boundary}--")]);
    out.into_bytes()
}

fn words(about: &str, name: &str) -> String {
    format!(
        "これは、{about} 宛てのメール配送における TLS の状況を集計した報告です (RFC 8460)。\r\n\
         {about} の DNS レコード (_smtp._tls) に従って、{name} が自動で送信しています。\r\n\
         添付ファイルは、プログラムで読むための形式 (gzip で圧縮した JSON) です。\r\n\r\n\
         This is a report about TLS in deliveries of mail to {about} (RFC 8460).\r\n\
         It is sent automatically by {name}, as the DNS record (_smtp._tls) asks for.\r\n\
         The attachment is for programs to read: JSON, compressed with gzip.\r\n"
    )
}

/// gzip (RFC 1952).
pub fn packed(octets: &[u8]) -> Vec<u8> {
    // No name, no time, from an unknown system.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(miniz_oxide::deflate::compress_to_vec(octets, 9));
    out.extend(check_sum(octets).to_le_bytes());
    let length = octets.len() % (1 << 32);
    out.extend(u32::try_from(length).unwrap_or_default().to_le_bytes());
    out
}

/// CRC-32, bit by bit: reports are a few kilobytes.
fn check_sum(octets: &[u8]) -> u32 {
    let add = |sum: u32, octet: &u8| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1))
        })
    };
    !octets.iter().fold(u32::MAX, add)
}

#[cfg(test)]
mod tests {
    use super::{Report, check_sum, packed, write};

    fn report<'a>(about: &'a str, packed: &'a [u8]) -> Report<'a> {
        Report {
            name: "かえで株式会社",
            from: "postmaster@kaede.example",
            to: "tls@there.example",
            about,
            id: "20261129.1@kaede.example",
            time: (1_795_910_400, 1_795_996_799),
            packed,
            date: "Mon, 30 Nov 2026 01:00:00 +0000",
            message_id: "1@mx.kaede.example",
            boundary: "b1",
        }
    }

    #[test]
    fn a_letter_as_the_standard_has_it() {
        let json = b"{\"organization-name\":\"Kaede\"}";
        let packed = packed(json);
        let octets = write(&report("there.example", &packed));
        assert!(octets.is_ascii());
        let (message, _) = mime::parse(&octets);
        let root = message.part(0).unwrap();
        let field = |name: &str| String::from_utf8(message.value(root, name).unwrap().to_vec());
        let subject = "Report Domain: there.example Submitter: kaede.example \
                       Report-ID: <20261129.1@kaede.example>";
        assert_eq!(
            field("subject").unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
            subject
        );
        assert_eq!(field("tls-report-domain").unwrap(), "there.example");
        assert_eq!(field("tls-report-submitter").unwrap(), "kaede.example");
        assert_eq!(field("tls-required").unwrap(), "No");
        let kind = field("content-type").unwrap();
        assert!(kind.starts_with("multipart/report; report-type=\"tlsrpt\";"), "{kind}");
        let text = String::from_utf8(octets).unwrap();
        let file = "kaede.example!there.example!1795910400!1795996799.json.gz";
        assert!(text.contains(file) && text.contains("Content-Type: application/tlsrpt+gzip\r\n"));
        assert!(mime::summarise(text.as_bytes()).snippet.contains("TLS の状況"));
    }

    #[test]
    fn a_name_begins_no_field() {
        let octets = write(&report("there.example\r\nBcc: x@y.example", b""));
        assert!(!String::from_utf8(octets).unwrap().contains("\nBcc"));
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        assert_eq!(check_sum(b"123456789"), 0xcbf4_3926);
        for octets in [&b""[..], b"a", &[7; 100_000]] {
            let packed = packed(octets);
            let (head, rest) = packed.split_at(10);
            assert_eq!(head[..4], [0x1f, 0x8b, 8, 0]);
            let (body, tail) = rest.split_at(rest.len() - 8);
            assert_eq!(miniz_oxide::inflate::decompress_to_vec(body).unwrap(), octets);
            assert_eq!(tail[..4], check_sum(octets).to_le_bytes());
            assert_eq!(tail[4..], (octets.len() as u32).to_le_bytes());
        }
    }
}
