//! TLS reports (RFC 8460): what became of TLS with a destination in a day, as its owner is told,
//! and as others tell us.

use crate::lenient;
use serde::{Deserialize, Serialize};

/// Addresses that one record may name.
const ADDRESSES: usize = 8;
/// Octets of a report that is read: a day of the largest destinations.
pub const REPORT_BYTES: usize = 2 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    pub organization_name: String,
    pub date_range: DateRange,
    #[serde(default, deserialize_with = "lenient::nullable")]
    pub contact_info: String,
    pub report_id: String,
    pub policies: Vec<PolicyOutcome>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DateRange {
    pub start_datetime: String,
    pub end_datetime: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyOutcome {
    pub policy: Policy,
    pub summary: Summary,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::nullable"
    )]
    pub failure_details: Vec<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    pub policy_type: PolicyKind,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "lenient::texts")]
    pub policy_string: Vec<String>,
    pub policy_domain: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "lenient::texts")]
    pub mx_host: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyKind {
    #[serde(rename = "tlsa")]
    Tlsa,
    #[serde(rename = "sts")]
    Sts,
    #[serde(rename = "no-policy-found")]
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    pub total_successful_session_count: u64,
    pub total_failure_session_count: u64,
}

/// One way in which TLS failed. `result_type` is one of the words of §4.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    pub result_type: String,
    #[serde(default, rename = "sending-mta-ip", skip_serializing_if = "Option::is_none")]
    pub sending_mta_ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_mx_hostname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<String>,
    pub failed_session_count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason_code: Option<String>,
}

impl Report {
    /// `None`: no report, or not one that this standard describes.
    pub fn read(octets: &[u8]) -> Option<Self> {
        (octets.len() <= REPORT_BYTES).then(|| serde_json::from_slice(octets).ok()).flatten()
    }

    /// The time that it tells of, in seconds since 1970: the first and the last.
    pub fn seconds(&self) -> Option<(u64, u64)> {
        let DateRange { start_datetime, end_datetime } = &self.date_range;
        let range = (lenient::seconds(start_datetime)?, lenient::seconds(end_datetime)?);
        (range.0 <= range.1).then_some(range)
    }

    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Where a domain wants its reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportAddress {
    Mail(String),
    Https(String),
}

/// Host and path of a resource that reports can be handed up to: at the port of HTTPS alone, and
/// nothing that names a person there.
pub fn report_resource(uri: &str) -> Option<(String, String)> {
    let rest = uri.strip_prefix("https://")?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_part = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_part)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_name = host.len() <= 253 && host.contains('.') && host.split('.').all(is_label);
    let is_address = last.bytes().all(|octet| octet.is_ascii_digit());
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    let is_path = path.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
    (is_name && !is_address && is_path).then_some((host, path))
}

/// The addresses in the TXT records of `_smtp._tls.` (§3). Two records count as none.
pub fn report_addresses(records: &[Vec<u8>]) -> Vec<ReportAddress> {
    let texts = records.iter().filter_map(|record| std::str::from_utf8(record).ok());
    let mut ours = texts.filter(|text| text.split(';').next().map(str::trim) == Some("v=TLSRPTv1"));
    let (Some(text), None) = (ours.next(), ours.next()) else { return Vec::new() };
    let rua = text.split(';').map(str::trim).find_map(|field| field.strip_prefix("rua="));
    let addresses = rua.unwrap_or_default().split(',').map(str::trim);
    let address = |uri: &str| {
        let mail = uri.strip_prefix("mailto:").filter(|mail| mail.contains('@'));
        match (mail, uri.starts_with("https://")) {
            (Some(mail), _) => Some(ReportAddress::Mail(mail.to_owned())),
            (None, true) => Some(ReportAddress::Https(uri.to_owned())),
            _ => None,
        }
    };
    addresses.filter_map(address).take(ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_for_reports() {
        let check = |uri: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(host, path)| (host.to_owned(), path.to_owned()));
            assert_eq!(report_resource(uri), expected, "{uri}");
        };
        let found = Some(("reports.there.example", "/v1?for=us"));
        check("https://Reports.There.example/v1?for=us", found);
        check("https://there.example", Some(("there.example", "/")));
        check("https://there.example?a=b", Some(("there.example", "/?a=b")));
        check("https://there.example:443/x", Some(("there.example", "/x")));
        for uri in [
            "http://there.example/",
            "https://there.example:8443/",
            "https://me@there.example/",
            "https://192.0.2.1/",
            "https://[2001:db8::1]/",
            "https://localhost/",
            "https:///x",
            "https://there.example/a b",
            "https://there.example/a\r\nX: y",
            "https://there.example/#a",
            "https://there..example/",
        ] {
            check(uri, None);
        }
    }

    #[test]
    fn a_report_is_what_the_standard_shows() {
        let report = Report {
            organization_name: "Here".to_owned(),
            date_range: DateRange {
                start_datetime: "2026-11-28T00:00:00Z".to_owned(),
                end_datetime: "2026-11-28T23:59:59Z".to_owned(),
            },
            contact_info: "tls@here.example".to_owned(),
            report_id: "r1@here.example".to_owned(),
            policies: vec![PolicyOutcome {
                policy: Policy {
                    policy_type: PolicyKind::Sts,
                    policy_string: vec!["version: STSv1".to_owned()],
                    policy_domain: "there.example".to_owned(),
                    mx_host: vec!["*.mail.there.example".to_owned()],
                },
                summary: Summary {
                    total_successful_session_count: 5,
                    total_failure_session_count: 1,
                },
                failure_details: vec![Failure {
                    result_type: "certificate-expired".to_owned(),
                    sending_mta_ip: Some("192.0.2.1".to_owned()),
                    receiving_mx_hostname: Some("mx.there.example".to_owned()),
                    receiving_ip: None,
                    failed_session_count: 1,
                    failure_reason_code: None,
                }],
            }],
        };
        let octets = report.write();
        let text = String::from_utf8(octets.clone()).unwrap();
        for key in [
            "organization-name",
            "start-datetime",
            "policy-type\":\"sts",
            "mx-host",
            "total-failure-session-count",
            "sending-mta-ip",
            "failed-session-count",
        ] {
            assert!(text.contains(key), "{key} in {text}");
        }
        assert_eq!(Report::read(&octets), Some(report));
        assert_eq!(Report::read(b"{}"), None);
        assert_eq!(Report::read(b"\xff"), None);
    }

    /// As RFC 8460 appendix B has it, and as it is seen: a text for several, fields that are null.
    #[test]
    fn reports_of_others_are_read_as_they_are() {
        let read = |changes: &[(&str, &str)]| {
            let text = r#"{"organization-name":"Company-X","date-range":{
                "start-datetime":"2016-04-01T00:00:00Z","end-datetime":"2016-04-01T23:59:59Z"},
                "contact-info":"sts-reporting@company-x.example",
                "report-id":"5065427c-23d3-47ca-b6e0-946ea0e8c4be","policies":[{"policy":{
                "policy-type":"sts","policy-string":["version: STSv1","mode: testing"],
                "policy-domain":"company-y.example","mx-host":"*.mail.company-y.example"},
                "summary":{"total-successful-session-count":5326,
                "total-failure-session-count":303},"failure-details":[{
                "result-type":"certificate-expired","sending-mta-ip":"2001:db8:abcd:0012::1",
                "receiving-mx-hostname":"mx1.mail.company-y.example",
                "failed-session-count":100}]}]}"#;
            let change = |text: String, (from, to): &(&str, &str)| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            };
            Report::read(changes.iter().fold(text.to_owned(), change).as_bytes())
        };
        let report = read(&[]).unwrap();
        assert_eq!(report.policies[0].policy.mx_host, ["*.mail.company-y.example"]);
        assert_eq!(report.seconds(), Some((1_459_468_800, 1_459_555_199)));
        let odd = read(&[
            (r#""sts-reporting@company-x.example""#, "null"),
            (r#"["version: STSv1","mode: testing"]"#, "null"),
            (r#""policies":["#, r#""other":{"a":[1]},"policies":["#),
        ]);
        assert_eq!(odd.unwrap().contact_info, "");
        let backwards = read(&[("2016-04-01T23", "2016-03-01T23")]).unwrap();
        assert_eq!(backwards.seconds(), None);
        assert_eq!(read(&[("5326", "-1")]), None);
        assert_eq!(read(&[(r#""sts""#, r#""other""#)]), None);
        assert_eq!(Report::read(&vec![b' '; REPORT_BYTES + 1]), None);
    }

    #[test]
    fn addresses_of_reports() {
        let check = |records: &[&str], expected: &[ReportAddress]| {
            let records: Vec<Vec<u8>> = records.iter().map(|r| r.as_bytes().to_vec()).collect();
            assert_eq!(report_addresses(&records), expected, "{records:?}");
        };
        let mail = |text: &str| ReportAddress::Mail(text.to_owned());
        let https = |text: &str| ReportAddress::Https(text.to_owned());
        check(&["v=TLSRPTv1; rua=mailto:a@b.example"], &[mail("a@b.example")]);
        check(
            &["v=TLSRPTv1;rua=https://b.example/x,mailto:a@b.example,ftp://no"],
            &[https("https://b.example/x"), mail("a@b.example")],
        );
        check(&["v=TLSRPTv1; rua=mailto:a@b", "v=TLSRPTv1; rua=mailto:c@d"], &[]);
        check(&["v=spf1 -all"], &[]);
        check(&[], &[]);
    }
}
