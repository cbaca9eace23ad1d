//! Resources brought through a whole fetch, from a web server of the test's own.

// The jailed test plays the same world.
#[path = "../tests/world/mod.rs"]
mod world;

use compartment::House;
use std::sync::Arc;
use std::thread;
use terms::Kind;
use wire::Channel;
use wire::control::Order;
use wire::fetch::{Answer, Ask};
use world::{Web, ask, get, join, play_names, play_warden, start};

/// A fetch on a thread of this process; its control channel and an asker.
fn settle(web: &Web, authorities: &str) -> (Arc<Channel>, Channel) {
    let (control, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Begin(start(authorities)), &[]).unwrap();
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
    check("evil.example", HELLO, true, "certificate");
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
    let mut other = join(&control, Kind::Sentinel, 3);
    let before = std::time::Instant::now();
    let first = thread::spawn(move || failure(ask(&mut asker, &get("web.example"))));
    let second = failure(ask(&mut other, &get("nobody.example")));
    assert_eq!(second, "nobody.example has no address");
    assert!(before.elapsed().as_secs() < 20);
    assert!(first.join().unwrap().contains("timed out"));
    control.send(0, &Order::Stop, &[]).unwrap();
}
