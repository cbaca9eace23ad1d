//! Resources brought through a whole fetch, from a web server of the test's own.

// The jailed test plays the same world.
#[path = "../tests/world/mod.rs"]
mod world;

use compartment::House;
use std::sync::Arc;
use std::thread;
use terms::Kind;
use wire::Channel;
use wire::control::{Order, Start};
use wire::directory::SmartHost;
use wire::fetch::{
    Answer, Ask, FromSentinel, Inquiry, MailRoute, Outward, RelaySecurity, ToSentinel, Verdict,
    Webhook,
};
use wire::post::HopTls;
use world::{LIMIT, Web, ask, get, join, play_names, play_relay, play_server, play_warden, start};

/// A fetch on a thread of this process; its control channel and an asker.
fn settle(web: &Web, authorities: &str) -> (Arc<Channel>, Channel) {
    settle_with(web, start(authorities))
}

fn settle_with(web: &Web, start: Start) -> (Arc<Channel>, Channel) {
    let (control, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let control = Arc::new(control);
    play_names(join(&control, Kind::Names, 1));
    let asker = join(&control, Kind::Depart, 2);
    play_warden(control.clone(), web.at);
    let house = House::begin_on(theirs).unwrap();
    thread::spawn(move || crate::desk::attend(house).map_err(|fault| fault.to_string()));
    (control, asker)
}

fn failure(answer: Answer) -> String {
    match answer {
        Answer::Failed(why) => why,
        Answer::Got { status, .. } => format!("got {status}"),
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_resource_is_brought() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (_control, mut asker) = settle(&web, &web.pem);
    let got = |body: &str| Answer::Got {
        status: 200,
        content_type: "text/plain".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    assert_eq!(ask(&mut asker, &get("web.example")), got("hello"));
    let post = Ask::Post {
        host: "web.example".to_owned(),
        path: "/up".to_owned(),
        content_type: "application/tlsrpt+gzip".to_owned(),
        body: b"report".to_vec(),
    };
    assert_eq!(ask(&mut asker, &post), got("hello"));
    let requests = web.requests.lock().unwrap();
    assert!(requests[0].starts_with("GET /x HTTP/1.1\r\nHost: web.example\r\n"));
    assert!(requests[1].contains("\r\nContent-Length: 6\r\n"));
}

#[test]
fn what_is_not_the_host_s_or_not_whole_is_nothing() {
    let check = |name: &str, answer: &str, good_bye: bool, expected: &str| {
        let web = Web::that(name, Some(answer), good_bye);
        let (_control, mut asker) = settle(&web, &web.pem);
        let why = failure(ask(&mut asker, &get("web.example")));
        assert!(why.contains(expected), "{why}");
        why
    };
    check("web.example", HELLO, false, "got 200");
    check("evil.example", HELLO, true, wire::fetch::UNPROVEN);
    check("web.example", "HTTP/1.1 302 x\r\nLocation: https://b.example/\r\n\r\n", true, "got 302");
    check("web.example", "HTTP/1.1 200 OK\r\n\r\nhel", true, "got 200");
    // Cut by somebody in between: TLS says so.
    check("web.example", "HTTP/1.1 200 OK\r\n\r\nhel", false, "peer closed connection");
    check("web.example", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", true, "longer than");
    check("web.example", "nonsense\r\n\r\n", true, "not one of HTTP");
    let web = Web::that("web.example", Some(HELLO), true);
    let (_control, mut asker) = settle(&web, "");
    let why = failure(ask(&mut asker, &get("web.example")));
    assert!(why.contains("no authority"), "{why}");
    assert!(web.requests.lock().unwrap().is_empty());
}

#[test]
fn hosts_that_cannot_be_asked() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (_control, mut asker) = settle(&web, &web.pem);
    let mut check = |host: &str, expected: &str| {
        assert_eq!(failure(ask(&mut asker, &get(host))), expected);
    };
    check("inner.example", "the address is not a public one");
    check("nobody.example", "nobody.example has no address");
    check("192.0.2.1", "there can be no such resource");
    check("web.example", "got 200");
}

/// Somebody's silent host keeps nobody else's question for more than its ten seconds.
#[test]
fn a_silent_host_has_its_time_and_no_more() {
    let web = Web::that("web.example", None, true);
    let (control, mut asker) = settle(&web, &web.pem);
    let mut other = join(&control, Kind::Depart, 3);
    let before = std::time::Instant::now();
    let first = thread::spawn(move || failure(ask(&mut asker, &get("web.example"))));
    let second = failure(ask(&mut other, &get("nobody.example")));
    assert_eq!(second, "nobody.example has no address");
    assert!(before.elapsed().as_secs() < 20);
    assert!(first.join().unwrap().contains("timed out"));
    control.send(0, &Order::Stop, &[]).unwrap();
}

/// And is not waited for again at once, whatever name it is asked under.
#[test]
fn a_mute_address_is_waited_for_once() {
    let (web, known) = (Web::mute(), Web::that("web.example", None, true));
    let (control, mut asker) = settle(&web, &known.pem);
    let first = failure(ask(&mut asker, &get("also.example")));
    assert!(first.contains("timed out"), "{first}");
    for host in ["also.example", "web.example"] {
        assert_eq!(failure(ask(&mut asker, &get(host))), wire::fetch::BUSY, "{host}");
    }
    control.send(0, &Order::Stop, &[]).unwrap();
}

/// A fetch that knows a webhook at `web` and a relay at `relay`; the sentinel's channel to it.
fn with_routes(web: &Web, relay: std::net::SocketAddr) -> (Arc<Channel>, Channel) {
    let (host, path) = ("web.example".to_owned(), "/alarms?a=1".to_owned());
    let webhook = Some(Webhook { host, port: 8443, path, at: Some(web.at) });
    let mail = Some(MailRoute {
        host: "relay.example".to_owned(),
        port: 25,
        security: RelaySecurity::IfOffered,
        at: Some(relay),
        from: "sekisho@mx.example".to_owned(),
        to: vec!["ops@example.jp".to_owned(), "night@example.jp".to_owned()],
    });
    let outward = Outward { webhook, mail };
    let host_name = "mx.example".to_owned();
    let (control, _) = settle_with(web, Start { outward, host_name, ..start(&web.pem) });
    let sentinel = join(&control, Kind::Sentinel, 3);
    (control, sentinel)
}

fn say(sentinel: &mut Channel, alarm: &FromSentinel) -> ToSentinel {
    sentinel.ask(alarm, &[], LIMIT).unwrap().0
}

#[test]
fn an_alarm_is_posted_to_the_operator_s_webhook_with_its_proof() {
    let check = |answer: Option<&str>, is_taken: bool, said: &str| {
        let web = Web::that("web.example", answer, true);
        let (_control, mut sentinel) = with_routes(&web, web.at);
        let (signature, body) = ([0xab; 32], b"{\"id\":\"1\"}".to_vec());
        let alarm = FromSentinel::Webhook { timestamp: 1_764_406_800, signature, body };
        let found = say(&mut sentinel, &alarm);
        assert_eq!((found.is_taken, found.said.contains(said)), (is_taken, true), "{found:?}");
        web.requests.lock().unwrap().first().cloned().unwrap_or_default()
    };
    let request = check(Some(HELLO), true, "HTTP 200");
    assert!(request.starts_with("POST /alarms?a=1 HTTP/1.1\r\nHost: web.example:8443\r\n"));
    assert!(request.contains("\r\nSekisho-Timestamp: 1764406800\r\n"), "{request}");
    let signature = format!("\r\nSekisho-Signature: v1={}\r\n", "ab".repeat(32));
    assert!(request.contains(&signature), "{request}");
    check(Some("HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"), false, "HTTP 503");
    check(Some("HTTP/1.1 302 x\r\nLocation: https://b.example/\r\n\r\n"), false, "HTTP 302");
    check(None, false, "timed out");
}

/// Whoever owns the sentinel reaches nobody whom the operator did not name; and nobody else sends
/// alarms.
#[test]
fn an_alarm_goes_where_it_was_configured_and_nowhere_else() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (control, mut asker) = settle(&web, &web.pem);
    let mut sentinel = join(&control, Kind::Sentinel, 3);
    let alarm = FromSentinel::Webhook { timestamp: 1, signature: [0; 32], body: Vec::new() };
    let found = say(&mut sentinel, &alarm);
    assert_eq!((found.is_taken, found.said.as_str()), (false, "no such route is configured"));
    assert_eq!(failure(ask(&mut asker, &get("web.example"))), "got 200");
    // What the sentinel may say is no resource, and a question for one is no alarm of its.
    assert!(sentinel.ask::<_, Answer>(&get("web.example"), &[], LIMIT).is_err());
}

#[test]
fn an_alarm_is_given_to_the_relay_as_a_letter() {
    let letter = FromSentinel::Mail {
        id: "ab12".to_owned(),
        subject: "[Sekisho mx.example] 警報 / alarm".to_owned(),
        text: "関所\nline\n".to_owned(),
    };
    let web = Web::that("web.example", Some(HELLO), true);
    let (relay, heard) = play_relay("250 2.0.0 queued as 1");
    let (_control, mut sentinel) = with_routes(&web, relay);
    let found = say(&mut sentinel, &letter);
    assert!(found.is_taken && found.said.contains("queued as 1"), "{found:?}");
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("MAIL FROM:<sekisho@mx.example>"), "{heard}");
    assert!(heard.contains("RCPT TO:<night@example.jp>"), "{heard}");
    assert!(heard.contains("Message-ID: <ab12@mx.example>\r\n"), "{heard}");
    assert!(heard.contains("\r\n6Zai5omADQpsaW5lDQo=\r\n.\r\n"), "{heard}");
    let (relay, _) = play_relay("451 4.3.0 not now");
    let (_control, mut sentinel) = with_routes(&web, relay);
    let found = say(&mut sentinel, &letter);
    assert!(!found.is_taken && found.said.contains("not now"), "{found:?}");
}

/// A webhook that takes an alarm and then sleeps keeps no letter, and no pulse, waiting.
#[test]
fn routes_do_not_wait_for_each_other() {
    let web = Web::that("web.example", None, true);
    let (relay, _) = play_relay("250 2.0.0 queued as 1");
    let (control, sentinel) = with_routes(&web, relay);
    let webhook = FromSentinel::Webhook { timestamp: 1, signature: [0; 32], body: Vec::new() };
    sentinel.send(1, &webhook, &[]).unwrap();
    let began = std::time::Instant::now();
    while web.requests.lock().unwrap().is_empty() {
        assert!(began.elapsed() < LIMIT, "nothing was posted");
        thread::sleep(std::time::Duration::from_millis(10));
    }
    let (id, subject, text) = ("ab12".to_owned(), "alarm".to_owned(), "line\n".to_owned());
    let asked = std::time::Instant::now();
    sentinel.send(2, &FromSentinel::Mail { id, subject, text }, &[]).unwrap();
    let before = world::ALIVE.load(std::sync::atomic::Ordering::SeqCst);
    control.send(0, &Order::Pulse, &[]).unwrap();
    let first = sentinel.receive(Some(LIMIT)).unwrap();
    let answer: ToSentinel = first.read().unwrap();
    assert!(first.call == 2 && answer.is_taken, "{}: {answer:?}", first.call);
    assert!(asked.elapsed() < std::time::Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(world::ALIVE.load(std::sync::atomic::Ordering::SeqCst) > before);
    // It has its own time all the same.
    let second = sentinel.receive(Some(LIMIT)).unwrap();
    let answer: ToSentinel = second.read().unwrap();
    assert!(second.call == 1 && answer.said.contains("timed out"), "{answer:?}");
}

fn webhook() -> FromSentinel {
    FromSentinel::Webhook { timestamp: 1, signature: [0; 32], body: Vec::new() }
}

fn letter() -> FromSentinel {
    let (id, subject, text) = ("ab12".to_owned(), "alarm".to_owned(), "line\n".to_owned());
    FromSentinel::Mail { id, subject, text }
}

/// The answers to so many calls, each with the time that it took.
fn answers(sentinel: &Channel, many: usize) -> Vec<(u32, ToSentinel, std::time::Duration)> {
    let began = std::time::Instant::now();
    let answer = |_| {
        let frame = sentinel.receive(Some(LIMIT)).unwrap();
        (frame.call, frame.read().unwrap(), began.elapsed())
    };
    (0..many).map(answer).collect()
}

/// Wherever a webhook stalls, in the dial, in the handshake or after it, the letter leaves within a
/// second: also while something else is brought from a host that sleeps.
#[test]
fn a_route_that_stalls_keeps_no_other_waiting() {
    let silent = Web::that("web.example", None, true);
    let (mute, undialled) = (Web::mute(), world::UNDIALLED);
    for (at, what) in [(undialled, "dial"), (mute.at, "handshake"), (silent.at, "answer")] {
        let (relay, _) = play_relay("250 2.0.0 queued as 1");
        let web = Web { at, requests: Arc::default(), pem: silent.pem.clone() };
        let (control, sentinel) = with_routes(&web, relay);
        let asker = (what == "answer").then(|| join(&control, Kind::Depart, 9));
        if let Some(asker) = &asker {
            asker.send(7, &get("web.example"), &[]).unwrap();
            thread::sleep(std::time::Duration::from_millis(300));
        }
        sentinel.send(1, &webhook(), &[]).unwrap();
        sentinel.send(2, &letter(), &[]).unwrap();
        // Another for the webhook waits for its turn, and takes the letter's place nowhere.
        sentinel.send(3, &webhook(), &[]).unwrap();
        let found = answers(&sentinel, 2);
        let (call, answer, took) = &found[0];
        assert!(*call == 2 && answer.is_taken, "{what}: {found:?}");
        assert!(took.as_millis() < 1_000, "{what}: {took:?}");
        assert!(found[1].0 == 1 && !found[1].1.is_taken, "{what}: {found:?}");
        control.send(0, &Order::Stop, &[]).unwrap();
    }
}

/// The other way round; and a route that is only a little slow loses nothing to one that stalls.
#[test]
fn a_relay_that_stalls_keeps_no_webhook_waiting() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (control, sentinel) = with_routes(&web, Web::mute().at);
    sentinel.send(1, &letter(), &[]).unwrap();
    sentinel.send(2, &webhook(), &[]).unwrap();
    let found = answers(&sentinel, 1);
    assert!(found[0].0 == 2 && found[0].1.is_taken, "{found:?}");
    assert!(found[0].2.as_millis() < 1_000, "{found:?}");
    sentinel.send(3, &webhook(), &[]).unwrap();
    let found = answers(&sentinel, 1);
    assert!(found[0].0 == 3 && found[0].2.as_millis() < 1_000, "{found:?}");
    control.send(0, &Order::Stop, &[]).unwrap();
}

/// A directory's question about `bob@there.example`, to a server of this address.
fn inquire(directory: &mut Channel, host: &str, port: u16, tls: HopTls) -> Verdict {
    let host = SmartHost { name: host.to_owned(), port, tls };
    let inquiry = Inquiry { address: "bob@there.example".to_owned(), host, from: None };
    directory.ask(&inquiry, &[], LIMIT).unwrap().0
}

const HI: &str = "220 mx.there.example\r\n";
const EHLO: &str = "250-mx.there.example\r\n250 SIZE 1000\r\n";
const OK: &str = "250 ok\r\n";

#[test]
fn a_customer_s_server_is_asked_for_an_address() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (control, _) = settle(&web, &web.pem);
    let mut directory = join(&control, Kind::Directory, 4);
    let mut check = |says: &[&str], expected: Verdict| {
        let (at, heard) = play_server(says);
        let found = inquire(&mut directory, "127.0.0.1", at.port(), HopTls::IfOffered);
        assert_eq!(found, expected, "{says:?}");
        let heard = heard.lock().unwrap().clone();
        assert!(!heard.contains("DATA") && !heard.contains("VRFY"), "{heard}");
        heard
    };
    let heard = check(&[HI, EHLO, OK, OK, "221 bye\r\n"], Verdict::Has);
    assert!(heard.contains("MAIL FROM:<>") && heard.contains("RCPT TO:<bob@there.example>\r\n"));
    check(&[HI, EHLO, OK, "550 5.1.1 nobody\r\n"], Verdict::HasNot);
    check(&[HI, EHLO, OK, "550 5.7.1 you are blocked\r\n"], Verdict::NotNow);
    check(&[HI, EHLO, OK, "450 greylisted\r\n"], Verdict::NotNow);
    check(&[HI, EHLO, "550 no null senders here\r\n"], Verdict::Away);
    check(&["554 go away\r\n"], Verdict::Away);
}

/// Whatever it says: an answer, in time, and the next question is put.
#[test]
fn a_hostile_server_says_nothing_that_counts() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (control, _) = settle(&web, &web.pem);
    let mut directory = join(&control, Kind::Directory, 4);
    let endless = "250-x\r\n".repeat(100_000);
    let long = "2".repeat(1_000_000);
    for says in [
        &[HI, EHLO, OK, "\r\n"][..],
        &[HI, EHLO, OK, "hello\r\n"],
        &[HI, EHLO, OK, "250-a\r\n550 b\r\n"],
        &[HI, EHLO, OK, "\0\0\0\u{1b}[2J\n"],
        &[HI, EHLO, OK, &long],
        &[HI, &endless],
        &["220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n", EHLO],
        // STARTTLS, and octets in clear behind it.
        &[HI, "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"],
        &[HI, EHLO, OK, "421 enough\r\n"],
    ] {
        let (at, _) = play_server(says);
        let began = std::time::Instant::now();
        let found = inquire(&mut directory, "127.0.0.1", at.port(), HopTls::IfOffered);
        let says: Vec<&str> = says.iter().map(|one| one.get(..80).unwrap_or(one)).collect();
        assert_eq!(found, Verdict::Away, "{says:?}");
        assert!(began.elapsed() < std::time::Duration::from_secs(6), "{says:?}");
    }
    // It sleeps: four seconds, all in all.
    for says in [&[][..], &[HI], &[HI, EHLO, OK, "25"]] {
        let (at, _) = play_server(says);
        let began = std::time::Instant::now();
        let found = inquire(&mut directory, "127.0.0.1", at.port(), HopTls::IfOffered);
        assert_eq!(found, Verdict::Away, "{says:?}");
        assert!((3..6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }
    let (at, _) = play_server(&[HI, EHLO, OK, OK]);
    let found = inquire(&mut directory, "127.0.0.1", at.port(), HopTls::IfOffered);
    assert_eq!(found, Verdict::Has, "and the next is asked");
}

/// Where the way demands TLS, nobody in between is told whom somebody writes to.
#[test]
fn an_address_is_asked_for_under_the_tls_that_the_way_demands() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (control, _) = settle(&web, &web.pem);
    let mut directory = join(&control, Kind::Directory, 4);
    let (at, heard) = play_server(&[HI, EHLO, OK, OK]);
    let found = inquire(&mut directory, "127.0.0.1", at.port(), HopTls::StartTls);
    assert_eq!(found, Verdict::Away, "it was stripped");
    let heard = heard.lock().unwrap().clone();
    assert!(!heard.contains("RCPT") && !heard.contains("bob"), "{heard}");
    // A certificate of another's.
    let found = inquire(&mut directory, "127.0.0.1", web.at.port(), HopTls::Implicit);
    assert_eq!(found, Verdict::Away);
    // Nobody's name.
    assert_eq!(inquire(&mut directory, "nobody.example", 25, HopTls::IfOffered), Verdict::Away);
    assert_eq!(inquire(&mut directory, "inner.example", 25, HopTls::IfOffered), Verdict::Away);
}

/// Nobody but the directory has a customer's server asked, and the directory nothing else.
#[test]
fn an_inquiry_is_the_directory_s_alone() {
    let web = Web::that("web.example", Some(HELLO), true);
    let (control, mut asker) = settle(&web, &web.pem);
    let (at, heard) = play_server(&[HI, EHLO, OK, OK]);
    let host = SmartHost { name: "127.0.0.1".to_owned(), port: at.port(), tls: HopTls::IfOffered };
    let inquiry = Inquiry { address: "bob@there.example".to_owned(), host, from: None };
    assert!(asker.ask::<_, Verdict>(&inquiry, &[], LIMIT).is_err());
    assert!(heard.lock().unwrap().is_empty());
    let mut directory = join(&control, Kind::Directory, 4);
    assert!(directory.ask::<_, Answer>(&get("web.example"), &[], LIMIT).is_err());
}
