//! Alarms that leave the house: to a webhook, a relay and a collector of the test's own, one of
//! which goes away and comes back.

use super::house::{command, descendants, folder, free_ports, plainly, signal, within};
use super::install::Service;
use super::sink::Sink;
use super::web::{Posted, Web};
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER_PERMISSIVE;
use rustix::process::Signal;
use serde_json::Value;
use std::net::UdpSocket;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(90);
const SECRET: &str = "a secret of the operator and the receiver";

/// A receiver that believes what is signed, and answers 503 while it is away.
struct Receiver {
    port: u16,
    pem: String,
    is_away: Arc<AtomicBool>,
    came: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn open() -> Self {
        let is_away = Arc::new(AtomicBool::new(false));
        let came: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (away, memory) = (is_away.clone(), Arc::clone(&came));
        let web = Web::open(("hooks.example", 0), move |posted| {
            let message = proven(&posted);
            if away.load(Ordering::SeqCst) {
                return "503 away";
            }
            memory.lock().unwrap().push(message);
            "204 taken"
        });
        Self { port: web.port, pem: web.pem, is_away, came }
    }

    /// Incidents of a cause, over all messages.
    fn count(&self, cause: &str) -> u64 {
        let came = self.came.lock().unwrap();
        let items = came.iter().flat_map(|message| message["items"].as_array().unwrap().clone());
        items
            .filter(|item| item["cause"] == cause)
            .map(|item| item["count"].as_u64().unwrap())
            .sum()
    }
}

/// What was posted, if its proof holds.
fn proven(posted: &Posted) -> Value {
    let field = |name: &str| posted.fields.get(name).unwrap().as_str();
    let timestamp: u64 = field("Sekisho-Timestamp").parse().unwrap();
    let hex = field("Sekisho-Signature").strip_prefix("v1=").unwrap().as_bytes();
    let signature = HEXLOWER_PERMISSIVE.decode(hex).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [format!("{timestamp}.").as_bytes(), &posted.body].concat();
    hmac::verify(&key, &signed, &signature).expect("a proof that holds");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(timestamp) < 60);
    serde_json::from_slice(&posted.body).unwrap()
}

fn tried(service: &Service, route: &str) -> Value {
    let (answer, _) = service.try_ask(&["alarm", "test"]);
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().find(|item| item["route"] == route).unwrap_or(Value::Null)
}

#[test]
fn alarms_leave_the_house_and_wait_for_who_is_away() {
    let home = folder("alarms");
    let (receiver, sink) = (Receiver::open(), Sink::open());
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(LIMIT)).unwrap();
    std::fs::write(home.join("authority.pem"), &receiver.pem).unwrap();
    let secret = home.join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let words = ["--data", home.join("data").to_str().unwrap(), "--unseal"].map(str::to_owned);
    let kept = home.join("unseal");
    assert_eq!(command(&["init", &words[0], &words[1], &words[2], kept.to_str().unwrap()]).1, 0);
    let settings = format!(
        "file = {kept:?}\n[relay]\nauthorities = {:?}\n[sentinel]\n\
         silence_seconds = 5\nsyslog = \"udp://{}\"\n\
         [alarms]\nwebhook = \"https://hooks.example:{port}/in\"\nwebhook_secret = {secret:?}\n\
         webhook_at = \"127.0.0.1:{port}\"\nmail_relay = \"relay.example:{mail}:if-offered\"\n\
         mail_relay_at = \"127.0.0.1:{mail}\"\nmail_from = \"sekisho@mail.example\"\n\
         mail_to = [\"ops@example.jp\"]\ngather_seconds = 2",
        home.join("authority.pem"),
        collector.local_addr().unwrap(),
        port = receiver.port,
        mail = sink.port,
    );
    // A secret that everybody may read is none.
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    let open = home.join("open.toml");
    let house = format!("[house]\ndata = {:?}\n[unseal]\n{settings}\n", home.join("data"));
    std::fs::write(&open, house).unwrap();
    let (refused, code) = command(&["run", "--config", open.to_str().unwrap()]);
    assert!(code == 1 && refused["error"].to_string().contains("644"), "{refused}");
    mode(0o600);
    let start = || Service::start_with(&home, "data", free_ports(), &settings, &[], Stdio::null());
    let service = start();

    // Each route says what it answered.
    within(LIMIT, "the webhook takes a test", || tried(&service, "webhook")["arrived"] == true);
    assert_eq!(tried(&service, "webhook")["said"], "HTTP 204");
    for route in ["console", "ledger", "syslog", "mail"] {
        assert_eq!(tried(&service, route)["arrived"], true, "{route}");
    }
    let message = receiver.came.lock().unwrap()[0].clone();
    assert_eq!((&message["house"], &message["incidents"]), (&"mail.localhost".into(), &1.into()));
    assert!(message["words"]["ja"].as_str().unwrap().contains("試験"), "{message}");
    assert!(message["words"]["en"].as_str().unwrap().contains("this is a test"), "{message}");
    let letter = sink.wait("a letter", |came| came.to == ["ops@example.jp"]);
    assert_eq!(letter.field("Auto-Submitted").as_deref(), Some("auto-generated"));
    let mut line = [0; 1_000];
    let (count, _) = collector.recv_from(&mut line).unwrap();
    let line = String::from_utf8_lossy(&line[..count]).into_owned();
    assert!(line.starts_with("<81>1 ") && line.contains(" mail.localhost sekisho - test - "));
    let data = home.join("data").display().to_string();
    let (told, _, code) = plainly(&["alarm", "test", "--data", &data], "ja_JP.UTF-8");
    assert!(code == 0 && told.contains("メール: 届いた"), "{told}");

    // Away: everybody else is told as ever, and nothing is lost.
    receiver.is_away.store(true, Ordering::SeqCst);
    let (_, code) = service.try_ask(&["alarm", "test"]);
    assert_eq!(code, 1, "a route that does not take it is found wanting");
    // Three who say nothing for a while.
    let hush = |what: Signal| {
        for process in descendants(service.pid()) {
            if matches!(process.kind.as_str(), "names" | "post" | "mailbox") {
                signal(process.pid, what);
            }
        }
    };
    hush(Signal::STOP);
    let recorded = || {
        let (listed, _) = service.try_ask(&["alarms", "list"]);
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter(|item| item["cause"] == "silence").count()
    };
    within(LIMIT, "the ledger has them", || recorded() >= 3);
    hush(Signal::CONT);
    let subject = |came: &super::sink::Came| came.field("Subject").unwrap_or_default();
    sink.wait("a letter about them", |came| {
        let text = String::from_utf8_lossy(&came.text).into_owned();
        let body = text.split("\r\n\r\n").nth(1).unwrap_or_default().replace("\r\n", "");
        let body = data_encoding::BASE64.decode(body.as_bytes()).unwrap_or_default();
        !subject(came).is_empty() && String::from_utf8_lossy(&body).contains("silence × ")
    });
    let standing = || {
        let routes = service.ask(&["status"])["sentinel"]["routes"].clone();
        let routes = routes.as_array().cloned().unwrap_or_default();
        routes.into_iter().find(|route| route["route"] == "webhook").unwrap_or_default()
    };
    within(LIMIT, "it waits", || standing()["waiting"].as_u64() >= Some(3));
    assert_eq!(standing()["trouble"], "HTTP 503");
    assert_eq!(receiver.count("silence"), 0);

    // Over a restart, and then it arrives, in few messages.
    service.stop();
    receiver.came.lock().unwrap().clear();
    receiver.is_away.store(false, Ordering::SeqCst);
    let service = start();
    within(LIMIT, "what waited arrives", || receiver.count("silence") >= 3);
    assert!(receiver.came.lock().unwrap().len() <= 3, "a storm is few messages");
    service.stop();
    let _ = std::fs::remove_dir_all(&home);
}
