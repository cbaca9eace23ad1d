//! One question a connection, over HTTP in the clear: it is for this machine, or for a network that
//! its owner chose.

use compartment::now_ms;
use http::{Answer, CONTINUE, Ending, Method, Reader, Step};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::metrics::{Count, exposition};

/// For one question and its answer, all in all: others wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections taken in one round, so that the warden is heard in between.
const ROUND: usize = 8;
/// Of the exposition format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers whoever waits at a listener that does not block.
pub(crate) fn attend(listener: &OwnedFd, counts: &[Count]) {
    for _ in 0..ROUND {
        match accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(connection) => drop(converse(&connection, counts)),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// `None`: the asker is gone, or too slow.
fn converse(connection: &OwnedFd, counts: &[Count]) -> Option<()> {
    let until = Instant::now() + PATIENCE;
    let mut reader = Reader::default();
    let mut piece = [0u8; 4096];
    loop {
        let (answer, is_head_only) = match reader.next_step() {
            Step::Request(request) => {
                let is_head = request.method == Method::Head;
                (answer(request.method, &request.path, counts), is_head)
            }
            Step::Refused(refusal) => (Answer::text(refusal.status(), refusal.words()), false),
            Step::Continue => {
                write(connection, CONTINUE, until)?;
                continue;
            }
            Step::Read => {
                wait(connection, PollFlags::IN, until)?;
                let (count, _) = recv(connection, &mut piece[..], RecvFlags::DONTWAIT).ok()?;
                reader.feed(piece.get(..count).filter(|came| !came.is_empty())?);
                continue;
            }
        };
        let octets = answer.octets(now_ms(), is_head_only, Ending::Closes);
        write(connection, &octets, until)?;
        let _ = rustix::net::shutdown(connection, rustix::net::Shutdown::Write);
        return Some(());
    }
}

pub(crate) fn answer(method: Method, path: &str, counts: &[Count]) -> Answer {
    let answer = match (path, method) {
        ("/metrics", Method::Get | Method::Head) => Answer::new(200, TEXT, exposition(counts)),
        ("/metrics", _) => {
            let words = "expected GET or HEAD; found another method\n";
            Answer::text(405, words).with("Allow", "GET, HEAD")
        }
        _ => Answer::text(404, "the numbers are at /metrics\n"),
    };
    answer.with("Cache-Control", "no-store").with("X-Content-Type-Options", "nosniff")
}

fn write(connection: &OwnedFd, mut octets: &[u8], until: Instant) -> Option<()> {
    while !octets.is_empty() {
        wait(connection, PollFlags::OUT, until)?;
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let count = send(connection, octets, flags).ok()?;
        octets = octets.get(count..).unwrap_or_default();
    }
    Some(())
}

fn wait(connection: &OwnedFd, flags: PollFlags, until: Instant) -> Option<()> {
    let left = until.saturating_duration_since(Instant::now());
    let limit =
        Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: i64::from(left.subsec_nanos()) };
    match poll(&mut [PollFd::new(connection, flags)], Some(&limit)) {
        Ok(1..) => Some(()),
        _ => None,
    }
}
