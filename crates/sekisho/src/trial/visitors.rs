//! The turn of `pages`: strangers visit, and something hostile answers them.

use super::cast::{Cast, PULSE};
use super::play::Phase;
use super::stage::House;
use crate::demo::reading;
use drill::Ask;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SERVE_SECONDS: u32 = 20;
/// A visitor is answered within it, or never will be.
const VISIT_LIMIT: Duration = Duration::from_secs(15);
/// Of an answer.
const ANSWER_BYTES: u64 = 64 * 1024;
/// Instances that stand ready: whichever is handed the visitor serves.
const READY: usize = 4;

/// What a mail program and a list's reader ask.
const REQUESTS: [(&str, &str); 2] = [
    (
        "autodiscover.example.jp",
        "POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: \
      autodiscover.example.jp\r\nContent-Length: 43\r\nConnection: close\r\n\r\n\
      <EMailAddress>aoi@example.jp</EMailAddress>",
    ),
    (
        "mta-sts.example.jp",
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.jp\r\n\
      Connection: close\r\n\r\n",
    ),
];

pub fn pages(house: &mut House, cast: &mut Cast, phase: &mut Phase) {
    if !cast.gather(phase, READY) && phase.intruders.is_empty() {
        return;
    }
    if let Some(first) = phase.intruders.first_mut() {
        first.does(&Ask::Acts(cast.facts.clone()));
        first.does(&Ask::Abuse(cast.facts.clone()));
        // Its channels are worn out by now: the visitors are for the others.
        first.ask(&Ask::Leave);
        first.drain();
    }
    let visitors: Vec<_> = REQUESTS.iter().map(|(host, text)| visit(house, host, text)).collect();
    let (until, mut serving) = (Instant::now() + VISIT_LIMIT, 0);
    while visitors.iter().any(|one| !one.is_finished()) && Instant::now() < until {
        cast.gather_now(phase);
        for one in phase.intruders.iter_mut().skip(serving).filter(|one| !one.gone) {
            one.ask(&Ask::Serve { seconds: SERVE_SECONDS });
        }
        serving = phase.intruders.len();
        phase.intruders.iter_mut().for_each(|one| one.hear(Duration::ZERO));
        std::thread::sleep(PULSE);
    }
    for one in &mut phase.intruders {
        one.hear(PULSE);
        one.ask(&Ask::Leave);
        one.drain();
    }
}

/// One visitor, who trusts the house's authority; what they were answered.
fn visit(house: &House, host: &'static str, text: &'static str) -> JoinHandle<Vec<u8>> {
    let (to, authority) = (house.ports.https(), house.authority.clone());
    std::thread::spawn(move || ask(to, host, &authority, text).unwrap_or_default())
}

fn ask(
    to: SocketAddr,
    host: &str,
    authority: &str,
    text: &str,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut line = reading::tls(to, host, authority)?;
    line.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    // An end without TLS's goodbye is an end as well.
    let _ = line.take(ANSWER_BYTES).read_to_end(&mut answer);
    Ok(answer)
}

/// Everything that a stranger may do with pages, for a foreign program to have frames of.
pub fn rehearse(house: &House) {
    for visitor in REQUESTS.iter().map(|(host, text)| visit(house, host, text)) {
        let _ = visitor.join();
    }
}

/// Whether visitors are answered as they should.
pub fn are_answered(house: &House) -> bool {
    let [_, (host, text)] = REQUESTS;
    let answer = visit(house, host, text).join().unwrap_or_default();
    String::from_utf8_lossy(&answer).contains("\r\n\r\nversion: STSv1\r\nmode: testing\r\n")
}
