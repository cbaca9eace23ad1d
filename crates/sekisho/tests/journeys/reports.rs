//! Reports of others: how TLS fared with us, what readers complained about, what came back. Sent
//! by mail, told in words.

use super::house::{Demo, plainly, within};
use super::leaving::{letter, signed_in, with_sink};
use super::lists::signed_by;
use super::post::{Reply, Sender};
use super::sink::Sink;
use data_encoding::BASE64_MIME;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const FRIEND: &str = "friend@outside.example";

/// Each case has people of its own.
fn house() -> &'static (Demo, Sink) {
    static SHARED: OnceLock<(Demo, Sink)> = OnceLock::new();
    SHARED.get_or_init(|| with_sink("reports"))
}

fn done(demo: &Demo, words: &[&str]) -> Value {
    let (value, code) = demo.ask(words);
    assert_eq!(code, 0, "{words:?}: {value}");
    value
}

fn items(demo: &Demo, words: &[&str]) -> Vec<Value> {
    done(demo, words)["items"].as_array().cloned().unwrap_or_default()
}

fn offer(demo: &Demo, from: &str, to: &str, octets: &[u8]) -> Reply {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    sender.letter(from, &[to], octets).unwrap()
}

/// RFC 1952, with what it holds stored as it is (RFC 1951 §3.2.4).
fn gzip(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap();
    let stored = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), octets].concat();
    [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &stored[..]].concat()
}

/// As RFC 8460 §5.3 has it: three of 120 sessions failed.
fn tls_report(id: &str) -> Vec<u8> {
    let report = json!({
        "organization-name": "Sender, Inc.",
        "date-range": { "start-datetime": "2026-11-28T00:00:00Z",
                        "end-datetime": "2026-11-28T23:59:59Z" },
        "contact-info": "tls@sender.example",
        "report-id": id,
        "policies": [{
            "policy": { "policy-type": "sts", "policy-string": ["version: STSv1"],
                        "policy-domain": "example.jp", "mx-host": "mx.sekisho.localhost" },
            "summary": { "total-successful-session-count": 117,
                         "total-failure-session-count": 3 },
            "failure-details": [{
                "result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1",
                "receiving-mx-hostname": "mx.sekisho.localhost", "failed-session-count": 3,
            }],
        }],
    });
    let content = BASE64_MIME.encode(&gzip(report.to_string().as_bytes()));
    format!(
        "From: tls@sender.example\r\nTo: tls-reports@example.jp\r\n\
         Subject: Report Domain: example.jp Submitter: sender.example Report-ID: <{id}>\r\n\
         Message-ID: <{id}@sender.example>\r\nTLS-Report-Domain: example.jp\r\n\
         TLS-Report-Submitter: sender.example\r\nMIME-Version: 1.0\r\nContent-Type: \
         multipart/report; report-type=\"tlsrpt\"; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nThis is an aggregate TLS report.\r\n\
         --b\r\nContent-Type: application/tlsrpt+gzip\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{content}\r\n--b--\r\n"
    )
    .into_bytes()
}

#[test]
fn a_tls_report_comes_to_nobody_s_address_and_is_told_in_words() {
    let (demo, _) = house();
    let to = "tls-reports@example.jp";
    // What the owner of the domain is told to publish.
    let records = demo.ask(&["domain", "check", "example.jp"]).0.to_string();
    assert!(records.contains("v=TLSRPTv1; rua=mailto:tls-reports@example.jp"), "{records}");
    let report = signed_by(demo, "sender.example", &tls_report("r1"));
    let reply = offer(demo, "tls@sender.example", to, &report);
    assert!(reply.code == 250 && reply.lines[0].contains("report noted"), "{reply:?}");
    // It comes again, and one that nobody has signed.
    assert_eq!(offer(demo, "tls@sender.example", to, &report).code, 250);
    assert_eq!(offer(demo, "tls@sender.example", to, &tls_report("r2")).code, 250);
    let all = items(demo, &["reports", "list", "--domain", "example.jp", "--kind", "tls"]);
    let is_proven = |proven: bool| all.iter().filter(|one| one["proven"] == proven).count();
    assert_eq!((all.len(), is_proven(true)), (2, 1), "{all:?}");
    let first = all.iter().find(|one| one["proven"] == true).unwrap();
    let english = "On 28 November 2026, sender.example could not deliver in 3 of 120 sessions for \
                   example.jp to mx.sekisho.localhost with TLS: the certificate had expired. \
                   What to do: ";
    let japanese = "2026年11月28日、sender.example から example.jp 宛ての接続 120 回のうち 3 回で、\
                    mx.sekisho.localhost との TLS が成立しませんでした：証明書の有効期限が切れていました。対処：";
    let words = &first["words"];
    assert!(words["en"].as_str().unwrap().starts_with(english), "{words}");
    assert!(words["ja"].as_str().unwrap().starts_with(japanese), "{words}");
    let id = first["id"].as_str().unwrap();
    let shown = done(demo, &["reports", "show", id]);
    assert_eq!(shown["policies"][0]["failures"][0]["sessions"], 3, "{shown}");
    assert_eq!(
        (&shown["organisation"], &shown["by"]),
        (&json!("Sender, Inc."), &json!("sender.example"))
    );
    // To people each in one language.
    let data = demo.data().display().to_string();
    let shown = ["reports", "show", id, "--data", &data];
    assert!(plainly(&[&shown[..], &["--lang", "en"]].concat(), "ja").0.contains(english));
    assert!(plainly(&shown, "ja").0.contains(japanese));
    assert_eq!(items(demo, &["reports", "list", "--domain", "example.net"]), [] as [Value; 0]);
    // It is no mailbox: whoever writes there hears where to write.
    let reply =
        offer(demo, "carol@sender.example", to, &letter("carol@sender.example", to, "hi", ""));
    assert!(reply.code == 550 && reply.lines[0].contains("postmaster@example.jp"), "{reply:?}");
}

/// As RFC 5965 has it, about this message.
fn complaint(domain: &str, about: &str, number: u32) -> Vec<u8> {
    let report = format!(
        "From: fbl@{domain}\r\nTo: abuse@example.jp\r\nSubject: complaint\r\n\
         Message-ID: <c{number}@{domain}>\r\nMIME-Version: 1.0\r\nContent-Type: \
         multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nA reader complained.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\
         User-Agent: Loop/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: <{FRIEND}>\r\n\
         Source-IP: 127.0.0.1\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: mina@example.jp\r\nTo: {FRIEND}\r\n\
         Subject: buy\r\nMessage-ID: <{about}>\r\n\r\nbuy now\r\n--b--\r\n"
    );
    report.into_bytes()
}

fn write(demo: &Demo, from: &str, subject: &str, id: &str) {
    write_to(demo, from, &[FRIEND], (subject, id));
}

fn write_to(demo: &Demo, from: &str, to: &[&str], (subject, id): (&str, &str)) {
    let octets = letter(from, FRIEND, subject, &format!("Message-ID: <{id}>\r\n"));
    let reply = signed_in(demo, from).letter(from, to, &octets).unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
}

/// The message that left, as `trace` shows it.
fn trace(demo: &Demo, query: &str) -> Value {
    // Until it is told, nothing is found: that is another code.
    let (found, _) = demo.ask(&["trace", query]);
    let found = found["items"].as_array().cloned().unwrap_or_default();
    found.into_iter().find(|item| item["direction"] == "out").unwrap_or_default()
}

#[test]
fn a_complaint_names_the_sender_and_many_have_their_mail_wait() {
    let (demo, sink) = house();
    let mina = "mina@example.jp";
    // Whoever complains has to have got it.
    let readers = [FRIEND, "reader@sender.example", "reader@letters.example"];
    for number in 0..5 {
        let named = (format!("offer {number}"), format!("offer{number}@example.jp"));
        write_to(demo, mina, &readers, (&named.0, &named.1));
    }
    sink.wait_for_subject("offer 4");
    let id = |number: u32| format!("offer{number}@example.jp");
    within(PATIENCE, "traces", || (0..5).all(|number| trace(demo, &id(number))["state"] == "sent"));
    let complain = |domain: &str, about: u32, number: u32| {
        let octets = signed_by(demo, domain, &complaint(domain, &id(about), number));
        let reply = offer(demo, &format!("fbl@{domain}"), "abuse@example.jp", &octets);
        assert_eq!(reply.code, 250, "{reply:?}");
    };
    complain("sender.example", 0, 0);
    let all = items(demo, &["reports", "list", "--tenant", "Example Japan", "--kind", "feedback"]);
    let [first] = all.as_slice() else { panic!("{all:?}") };
    let english = "a reader at outside.example reported a message that mina@example.jp sent as \
                   unwanted (spam). Complaints about this sender in 30 days: 1. What to do: ask \
                   mina@example.jp";
    let japanese = "outside.example の受取人が、mina@example.jp が送ったメールを迷惑メールだと報告しました。\
                    この送信者への苦情は 30 日で 1 件です。対処：";
    let words = &first["words"];
    assert!(words["en"].as_str().unwrap().contains(english), "{words}");
    assert!(words["ja"].as_str().unwrap().contains(japanese), "{words}");
    let shown = done(demo, &["reports", "show", first["id"].as_str().unwrap()]);
    assert_eq!((&shown["sender"], &shown["message_id"]), (&json!(mina), &json!(id(0))));
    assert_eq!(trace(demo, &id(0))["reports"][0]["words"], *words);
    // One domain alone has nobody's mail wait, however much it complains, and neither does the same
    // complaint again.
    (1..5).for_each(|about| complain("sender.example", about, about));
    complain("letters.example", 0, 9);
    write_to(demo, mina, &readers, ("still leaves", "still@example.jp"));
    sink.wait_for_subject("still leaves");
    within(PATIENCE, "its trace", || trace(demo, "still@example.jp")["state"] == "sent");
    let octets =
        signed_by(demo, "letters.example", &complaint("letters.example", "still@example.jp", 10));
    assert_eq!(offer(demo, "fbl@letters.example", "abuse@example.jp", &octets).code, 250);
    write(demo, mina, "has to wait", "waits@example.jp");
    within(PATIENCE, "it waits", || trace(demo, "waits@example.jp")["state"] == "held");
    // Others write as before.
    write(demo, "rei@example.jp", "not about me", "rei1@example.jp");
    sink.wait_for_subject("not about me");
}

#[test]
fn what_comes_back_later_is_told_with_the_message() {
    let (demo, sink) = house();
    write(demo, "haru@example.jp", "accepted first", "haru1@example.jp");
    sink.wait_for_subject("accepted first");
    within(PATIENCE, "its trace", || trace(demo, "haru1@example.jp")["state"] == "sent");
    let bounce = |about: &str| {
        format!(
            "From: MAILER-DAEMON@sender.example\r\nTo: haru@example.jp\r\nSubject: Undelivered \
             Mail Returned to Sender\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; \
             report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.outside.example\r\n\r\nFinal-Recipient: rfc822; {FRIEND}\r\n\
             Action: failed\r\nStatus: 5.2.2\r\n\
             Diagnostic-Code: smtp; 552 5.2.2 mailbox full\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: haru@example.jp\r\n\
             Message-ID: <{about}>\r\n\r\n--b--\r\n"
        )
        .into_bytes()
    };
    assert_eq!(offer(demo, "", "haru@example.jp", &bounce("haru1@example.jp")).code, 250);
    assert_eq!(offer(demo, "", "haru@example.jp", &bounce("never-sent@example.jp")).code, 250);
    let told = trace(demo, "haru1@example.jp")["reports"][0].clone();
    assert_eq!(told["kind"], "returned", "{told}");
    let (english, japanese) = (told["words"]["en"].as_str(), told["words"]["ja"].as_str());
    let expected = "a message of haru@example.jp was given back. A recipient at outside.example \
                    (5.2.2): The mailbox is full.";
    assert!(english.unwrap().ends_with(expected), "{told}");
    let expected = "haru@example.jp のメールが戻されました。outside.example の宛先 (5.2.2)：\
                    相手のメールボックスがいっぱいです。";
    assert!(japanese.unwrap().ends_with(expected), "{told}");
    let all = items(demo, &["reports", "list", "--kind", "returned"]);
    assert_eq!(all.len(), 1, "{all:?}");
}
