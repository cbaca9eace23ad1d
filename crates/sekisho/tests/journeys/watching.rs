//! Whoever watches the house: numbers that move when something happens, and that name nobody.

use crate::house::{Demo, within};
use crate::letters::letter;
use crate::post::deliver;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

impl Demo {
    fn metrics(&self) -> String {
        let url = self.port("metrics");
        let at = url.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap().to_owned();
        let mut stream = TcpStream::connect(&at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {at}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn number(&self, series: &str) -> u64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

#[test]
fn numbers_move_with_what_happens_and_name_nobody() {
    let demo = Demo::fresh("metrics");
    let limit = Duration::from_secs(40);
    within(limit, "processes are counted", || demo.number("sekisho_processes{kind=\"gate\"}") == 1);
    let before = demo.number("sekisho_messages_total{verdict=\"deliver\"}");
    for _ in 0..3 {
        let reply = deliver(&demo.port("smtp"), &["aoi@example.jp"], &letter("watched", "hi\r\n"));
        assert_eq!(reply.code, 250);
    }
    let series = [
        ("sekisho_messages_kept_total", 3),
        ("sekisho_connections_total{service=\"smtp\"}", 3),
        ("sekisho_ledger_entries", 10),
        ("sekisho_mirror_entries", 10),
        ("sekisho_process_starts_total{kind=\"edge\"}", 1),
    ];
    for (series, least) in series {
        within(limit, series, || demo.number(series) >= least);
    }
    within(limit, "verdicts are counted", || {
        let verdicts = ["deliver", "tag", "junk", "quarantine", "refuse"];
        let of = |verdict: &&str| {
            demo.number(&format!("sekisho_messages_total{{verdict=\"{verdict}\"}}"))
        };
        verdicts.iter().map(of).sum::<u64>() >= before + 3
    });
    let text = demo.metrics();
    for word in ["example", "aoi", "@", "127.0.0.1"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<u64>().is_ok(), "{line}");
    }
    let alarms = demo.number("sekisho_alarms_total");
    assert_eq!(alarms, 0, "nobody left their charter: {}", demo.ask(&["alarms", "list"]).0);
    // The compartment is ended: its successor tells the same.
    let pid = demo.pid_of("metrics");
    crate::house::signal(pid, rustix::process::Signal::KILL);
    within(limit, "another one tells", || {
        std::panic::catch_unwind(|| demo.number("sekisho_messages_kept_total")).unwrap_or(0) >= 3
    });
    // Neither the house nor the kernel did it: whoever did has rights here.
    within(limit, "the kill is told", || {
        demo.ask(&["alarms", "list"]).0.to_string().contains("killed from outside the house")
    });
}
