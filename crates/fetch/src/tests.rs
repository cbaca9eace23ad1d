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
use wire::fetch::{
    Answer, Ask, FromSentinel, MailRoute, Outward, RelaySecurity, ToSentinel, Webhook,
};
use world::{LIMIT, Web, ask, get, join, play_names, play_relay, play_warden, start};

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
