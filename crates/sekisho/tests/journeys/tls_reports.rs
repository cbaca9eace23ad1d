//! How TLS fared, from the session to the report that its destination gets.

use super::house::{Demo, Wishes, folder, within};
use super::leaving::{letter, signed_in, verdict, with_sink};
use super::sink::{Came, Sink};
use super::web::Web;
use data_encoding::BASE64;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// The demo's DNS says where it wants its reports.
const DOMAIN: &str = "reports.outside.example";

fn kept(demo: &Demo) -> Vec<Value> {
    let (value, code) = demo.ask(&["tls-reports", "list"]);
    assert_eq!(code, 0, "{value}");
    value["items"].as_array().cloned().unwrap_or_default()
}

/// The report in a letter: the part for programs, unpacked.
fn report(came: &Came) -> Value {
    let text = String::from_utf8(came.text.clone()).unwrap();
    let part = text.split("Content-Type: application/tlsrpt+gzip\r\n").nth(1).unwrap();
    let body = part.split("\r\n\r\n").nth(1).unwrap().split("--").next().unwrap();
    let body: String = body.split_whitespace().collect();
    let report = unpacked(&BASE64.decode(body.as_bytes()).unwrap());
    if let Some(read) = read_by_python(&came.text) {
        assert_eq!(read, report);
    }
    report
}

fn unpacked(packed: &[u8]) -> Value {
    let deflated = &packed[10..packed.len() - 8];
    let octets = miniz_oxide::inflate::decompress_to_vec(deflated).unwrap();
    serde_json::from_slice(&octets).unwrap()
}

/// What others make of the letter, if there is a Python.
fn read_by_python(letter: &[u8]) -> Option<Value> {
    const READING: &str = "\
import email, email.policy, gzip, json, sys
letter = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
assert letter.get_content_type() == 'multipart/report'
assert letter.get_param('report-type') == 'tlsrpt'
text, report = letter.iter_parts()
assert 'TLS の状況' in text.get_content()
assert report.get_content_type() == 'application/tlsrpt+gzip'
assert report.get_filename().endswith('.json.gz')
print(json.dumps(json.loads(gzip.decompress(report.get_payload(decode=True)))))
";
    let mut python = Command::new("python3")
        .args(["-c", READING])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    python.stdin.take()?.write_all(letter).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python does not read the report");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_destination_hears_how_tls_fared() {
    let (demo, sink) = with_sink("tls-reports");
    let to = format!("bob@{DOMAIN}");
    let mut sender = signed_in(&demo, "aoi@example.jp");
    for (to, subject) in [(to.as_str(), "counted"), ("bob@outside.example", "not counted")] {
        let octets = letter("aoi@example.jp", to, subject, "");
        assert_eq!(sender.letter("aoi@example.jp", &[to], &octets).unwrap().code, 250);
        sink.wait_for_subject(subject);
    }
    within(PATIENCE, "the count", || !kept(&demo).is_empty());
    let [one] = kept(&demo).try_into().expect("one domain wants reports");
    assert_eq!((&one["domain"], &one["tenant"]), (&DOMAIN.into(), &"Example Japan".into()));
    assert_eq!(one["failed_sessions"], 1, "the sink has no TLS: {one}");

    let (value, code) = demo.ask(&["tls-reports", "send"]);
    assert_eq!(code, 0, "{value}");
    let came = sink.wait("the report", |came| came.field("TLS-Report-Domain").is_some());
    assert_eq!((came.from.as_str(), came.to.as_slice()), ("", &[format!("tls@{DOMAIN}")][..]));
    assert_eq!(came.field("TLS-Report-Domain").as_deref(), Some(DOMAIN));
    assert_eq!(came.field("TLS-Report-Submitter").as_deref(), Some("example.jp"));
    let about = format!("Report Domain: {DOMAIN} Submitter: example.jp Report-ID: <");
    assert!(came.field("Subject").unwrap().starts_with(&about), "{came:?}");
    assert!(came.field("Content-Type").unwrap().contains("report-type=\"tlsrpt\""));
    let words = "rsa-sha256 pass, ed25519-sha256 pass, dmarc pass";
    assert_eq!(verdict(&demo, &came.text), words);

    let report = report(&came);
    assert_eq!(report["organization-name"], "Example Japan");
    assert_eq!(report["contact-info"], "postmaster@example.jp");
    assert!(report["date-range"]["start-datetime"].as_str().unwrap().ends_with("T00:00:00Z"));
    let outcome = &report["policies"][0];
    assert_eq!(outcome["policy"]["policy-type"], "no-policy-found");
    assert_eq!(outcome["policy"]["policy-domain"], DOMAIN);
    assert_eq!(outcome["summary"]["total-failure-session-count"], 1);
    let failure = &outcome["failure-details"][0];
    assert_eq!(failure["result-type"], "starttls-not-supported");
    assert_eq!(failure["receiving-mx-hostname"], "mx.outside.example");
    assert_eq!(failure["receiving-ip"], "127.0.0.1");

    // The report went where reports are wanted, and is in no report itself.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(kept(&demo), Vec::<Value>::new());
}

/// A resource that is away at first gets the same report later, and once.
#[test]
fn a_destination_hears_by_https() {
    let sink = Sink::open();
    let mut wishes = Wishes::new("tls-reports-web");
    wishes.outside = Some(sink.port);
    let (came, handed) = mpsc::channel();
    let times = AtomicUsize::new(0);
    // The demo asks the outside's HTTPS at this port.
    let place = ("collector.outside.example", wishes.port_base + 44);
    let collector = Web::open(place, move |posted| {
        came.send(posted).unwrap();
        match times.fetch_add(1, Ordering::SeqCst) {
            0 => "503 not now",
            _ => "201 taken",
        }
    });
    let authority = folder("tls-reports-web-authority").join("authority.pem");
    std::fs::write(&authority, &collector.pem).unwrap();
    wishes.authority = Some(authority);
    let demo = Demo::start(wishes);
    let mut sender = signed_in(&demo, "aoi@example.jp");
    let to = "bob@web.outside.example";
    let octets = letter("aoi@example.jp", to, "counted", "");
    assert_eq!(sender.letter("aoi@example.jp", &[to], &octets).unwrap().code, 250);
    sink.wait_for_subject("counted");
    within(PATIENCE, "the count", || !kept(&demo).is_empty());
    let [one] = kept(&demo).try_into().expect("one domain wants reports");
    let wanted = "https://collector.outside.example/tls?for=web";
    assert_eq!((&one["domain"], &one["to"][0]), (&"web.outside.example".into(), &wanted.into()));

    let (value, code) = demo.ask(&["tls-reports", "send"]);
    assert_eq!(code, 0, "{value}");
    let first = handed.recv_timeout(PATIENCE).unwrap();
    within(PATIENCE, "it waits", || {
        demo.ask(&["queue", "list"]).0["items"][0]["state"] == "delayed"
    });
    let (list, _) = demo.ask(&["queue", "list"]);
    let message = list["items"][0]["id"].as_str().unwrap().to_owned();
    let (value, code) = demo.ask(&["queue", "release", &message]);
    assert_eq!(code, 0, "{value}");
    let second = handed.recv_timeout(PATIENCE).unwrap();
    for posted in [&first, &second] {
        assert_eq!(posted.what, "POST /tls?for=web");
        assert_eq!(posted.fields["Host"], "collector.outside.example");
        assert_eq!(posted.fields["Content-Type"], "application/tlsrpt+gzip");
    }
    assert_eq!(first.body, second.body);
    let report = unpacked(&second.body);
    assert_eq!(report["organization-name"], "Example Japan");
    let outcome = &report["policies"][0];
    assert_eq!(outcome["policy"]["policy-domain"], "web.outside.example");
    assert_eq!(outcome["summary"]["total-failure-session-count"], 1);
    within(PATIENCE, "an empty queue", || {
        demo.ask(&["queue", "list"]).0["items"].as_array().is_some_and(Vec::is_empty)
    });
    assert!(handed.recv_timeout(Duration::from_secs(1)).is_err(), "it was taken once");
}
