//! Numbers in, text out; over real sockets, with a warden that is played.

use compartment::House;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use wire::Channel;
use wire::control::{Order, Report, Service, Start};
use wire::metrics::Measure;

const LIMIT: Duration = Duration::from_secs(5);

fn ask(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn get(at: SocketAddr, path: &str) -> String {
    ask(at, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
}

#[test]
fn the_newest_numbers_are_told_and_slow_askers_are_not_waited_for() {
    let (warden, own) = Channel::pair().unwrap();
    let start = Start { kind_word: "metrics".to_owned(), ..Start::default() };
    warden.send(0, &Order::Begin(start), &[]).unwrap();
    let house = House::begin_on(own).unwrap();
    let serving = std::thread::spawn(move || crate::serve(house));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    warden.send(0, &Order::Listen(Service::Metrics), &[listener.into()]).unwrap();
    assert!(get(at, "/metrics").contains("# TYPE sekisho_processes gauge\n"));
    for value in [3, 4] {
        let counts = vec![Measure::Processes.count("gate", value).unwrap()];
        warden.send(0, &Order::Counted(counts), &[]).unwrap();
        warden.send(0, &Order::Pulse, &[]).unwrap();
        let alive: Report = warden.receive(Some(LIMIT)).unwrap().read().unwrap();
        assert!(matches!(alive, Report::Alive));
        let answer = get(at, "/metrics");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains(&format!("sekisho_processes{{kind=\"gate\"}} {value}\n")));
    }
    assert!(get(at, "/").starts_with("HTTP/1.1 404 "));
    let head = ask(at, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    let post = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na";
    assert!(ask(at, post).starts_with("HTTP/1.1 405 "));
    assert!(ask(at, "GET /metrics HTTP/1.1\nHost: x\n\n").starts_with("HTTP/1.1 400 "));
    // Somebody who says nothing, and somebody behind them.
    let _silent = TcpStream::connect(at).unwrap();
    let begun = Instant::now();
    assert!(get(at, "/metrics").starts_with("HTTP/1.1 200 "));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    warden.send(0, &Order::Stop, &[]).unwrap();
    serving.join().unwrap().unwrap();
}

/// In one round whoever speaks is answered, however many stand before them and say nothing.
#[test]
fn silent_askers_keep_nobody_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let _silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(at).unwrap()).collect();
    let mut asking = TcpStream::connect(at).unwrap();
    asking.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    crate::server::attend(&listener.into(), &[]);
    let mut answer = String::new();
    asking.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = asking.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
