//! Mail that cannot leave, in a house whose settings make its times short: it is tried again, its
//! sender is told that it is late, and at the end it comes back; whom it was also for in secret
//! stands in what is said to its sender of that one's fate, and nowhere else.

use super::house::{command, folder, free_ports, within};
use super::install::Service;
use super::leaks::Secret;
use super::leaving::letter;
use super::post::Sender;
use data_encoding::BASE64;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Nothing listens there: each attempt fails at once.
const NOBODY: &str = "127.0.0.1:9:if-offered";
const TIMES: &str = "[relay]\nprivate = true\nsmart_host_ports = [9]\n\
    [queue]\nretry_seconds = [2, 3]\nlate_seconds = 6\nexpire_seconds = 20\n";

#[test]
fn what_does_not_leave_is_said_to_be_late_and_comes_back() {
    let home = folder("waiting");
    let unseal = home.join("unseal").display().to_string();
    let data = home.join("data").display().to_string();
    assert_eq!(command(&["init", "--data", &data, "--unseal", &unseal]).1, 0);
    let settings = format!("file = {unseal:?}\n{TIMES}");
    let service = Service::start_with(&home, "data", free_ports(), &settings, &[], Stdio::null());
    super::install::answer_nothing_known(service.ports + 53);
    for words in [
        &["tenant", "add", "Kaede"][..],
        &["domain", "add", "kaede.example", "--tenant", "Kaede"],
        &["user", "add", "kei@kaede.example", "--tenant", "Kaede"],
        &["tenant", "set", "Kaede", "--smart-host", NOBODY],
    ] {
        service.ask(words);
    }
    let password = |protocol: &str| {
        let add = ["app-password", "add", "kei@kaede.example", "--protocol", protocol];
        service.ask(&add)["secret"].as_str().unwrap().to_owned()
    };
    let (reads, writes) = (password("imap"), password("smtp"));
    let authority = home.join("ca.pem");
    std::fs::write(&authority, service.ask(&["authority"])["ca"].as_str().unwrap()).unwrap();
    let port = format!("127.0.0.1:{}", service.ports + 65);
    let mut sender = Sender::over_tls(&port, &authority).unwrap();
    assert_eq!(sender.say("EHLO client.example").code, 250);
    let words = format!("\0kei@kaede.example\0{writes}");
    assert_eq!(sender.say(&format!("AUTH PLAIN {}", BASE64.encode(words.as_bytes()))).code, 235);
    // The one in quotes goes the same way as any other (RFC 5321 §4.1.2).
    let hidden = Secret::new("hush4be2c91f", "outside.example");
    let to = ["friend@outside.example", "\"john doe\"@outside.example", &hidden.address];
    let secretly = format!("Bcc: {}\r\nbcc : (x)\r\n {}\r\n", hidden.address, hidden.address);
    let octets = letter("kei@kaede.example", to[0], "takes long", &secretly);
    assert_eq!(sender.say("MAIL FROM:<kei@kaede.example> RET=FULL").code, 250);
    to.iter().for_each(|to| assert_eq!(sender.say(&format!("RCPT TO:<{to}>")).code, 250));
    assert_eq!(sender.say("DATA").code, 354);
    sender.send(&super::post::stuffed(&octets)).unwrap();
    let reply = sender.say(".");
    assert_eq!(reply.code, 250, "{reply:?}");
    // Its journey is written behind the answer; by its id it is found before, or without.
    let mut words = reply.lines.iter().flat_map(|line| line.split_whitespace());
    let id = words.find(|word| word.len() == 32).unwrap();
    let found = service.ask(&["trace", id]);
    let item = &found["items"][0];
    assert_eq!(
        (item["id"].as_str(), item["direction"].as_str()),
        (Some(id), Some("out")),
        "{found}"
    );
    let begun = Instant::now();
    let notices = || {
        let all = service.inbox(&authority, &reads);
        all.iter().map(|octets| String::from_utf8_lossy(octets).into_owned()).collect::<Vec<_>>()
    };
    let waits = |action: &str| {
        within(Duration::from_secs(60), action, || notices().iter().any(|it| it.contains(action)));
        begun.elapsed()
    };
    let late = waits("Action: delayed");
    let gone = waits("Action: failed");
    println!("late after {late:?}, given back after {gone:?}");
    assert!(late >= Duration::from_secs(5) && gone >= Duration::from_secs(18), "{late:?} {gone:?}");
    let notices = notices();
    let count = |word: &str| notices.iter().filter(|it| it.contains(word)).count();
    assert_eq!((count("Action: delayed"), count("Action: failed")), (1, 1), "{notices:#?}");
    let last = notices.iter().find(|it| it.contains("Action: failed")).unwrap();
    assert!(last.contains("Status: 5.4.7") && last.contains("john doe"), "{last}");
    // Nobody was reached, and both notices say so.
    for (notice, status) in notices.iter().filter_map(|it| {
        let is_late = it.contains("Action: delayed");
        (is_late || it.contains("Action: failed"))
            .then_some((it, if is_late { "4.4.1" } else { "5.4.7" }))
    }) {
        assert!(notice.contains(&format!("\r\nStatus: {status}\r\n")), "{notice}");
        let part = notice.split("base64\r\n\r\n").nth(1).unwrap().split("\r\n--").next().unwrap();
        let words = BASE64.decode(part.replace("\r\n", "").as_bytes()).unwrap();
        let words = String::from_utf8(words).unwrap();
        for said in ["相手のサーバーにつながりません。", "The server could not be reached."]
        {
            assert!(words.contains(said), "{words}");
        }
        assert!(!notice.contains("Diagnostic-Code"), "nobody said anything: {notice}");
    }
    // `trace` says what became of it, a little later: its journey is told behind the notice.
    within(Duration::from_secs(20), "what became of it", || {
        service.try_ask(&["trace", "takes long"]).0["items"][0]["state"] == "not-sent"
    });
    check_hidden(&service, &notices, &hidden);
    service.stop();
    super::leaks::search_folder(&home.join("data"), &[&hidden]);
    let _ = std::fs::remove_dir_all(&home);
}

/// The sender reads what became of the hidden one's copy, as of any; what went with the notice, and
/// what operators see, does not say whom else it was for.
fn check_hidden(service: &Service, notices: &[String], hidden: &Secret) {
    for action in ["delayed", "failed"] {
        let is_it = |it: &&String| it.contains(&format!("Action: {action}\r\n"));
        let notice = notices.iter().find(is_it).unwrap();
        assert!(notice.contains(&format!("Final-Recipient: rfc822; {}\r\n", hidden.address)));
        let whole = if action == "failed" { "message/rfc822" } else { "text/rfc822-headers" };
        let returned = notice.split(&format!("Content-Type: {whole}")).nth(1);
        let returned = returned.unwrap_or_else(|| panic!("{action} returns {whole}: {notice}"));
        assert!(returned.contains("Subject: takes long\r\n"), "{returned}");
        assert!(!returned.to_ascii_lowercase().contains("bcc"), "{returned}");
        hidden.is_not_in(&format!("what went with the notice ({action})"), returned.as_bytes());
    }
    let queries: [&[&str]; 5] = [
        &["trace", "friend@outside.example"],
        &["trace", "takes long"],
        &["trace", "kei@kaede.example"],
        &["queue", "list"],
        &["status"],
    ];
    for query in queries {
        hidden.is_not_in(&query.join(" "), service.ask(query).to_string().as_bytes());
    }
}
