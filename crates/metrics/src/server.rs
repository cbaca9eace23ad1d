//! One question a connection, over HTTP in the clear: it is for this machine, or for a network that
//! its owner chose.

use compartment::now_ms;
use http::{Answer, CONTINUE, Ending, Method, Reader, Step};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::metrics::{Count, exposition};

/// For all who ask at one time: the warden is heard in between, and takes longer than that for a
/// silence.
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections attended to together.
const TOGETHER: usize = 64;
/// Of the exposition format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Somebody who asks, and what they have not taken yet of their answer.
struct Asker {
    connection: OwnedFd,
    reader: Reader,
    left: Vec<u8>,
    is_answered: bool,
}

/// Answers whoever waits at a listener that does not block. Those who say nothing keep nobody
/// waiting who does.
pub(crate) fn attend(listener: &OwnedFd, counts: &[Count]) {
    let until = Instant::now() + PATIENCE;
    let mut askers: Vec<Asker> = Vec::new();
    loop {
        let_in(listener, &mut askers);
        askers.retain_mut(|asker| asker.go_on(counts).is_some());
        if askers.is_empty() || !wait(listener, &askers, until) {
            return;
        }
    }
}

fn let_in(listener: &OwnedFd, askers: &mut Vec<Asker>) {
    while askers.len() < TOGETHER {
        match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(connection) => askers.push(Asker {
                connection,
                reader: Reader::default(),
                left: Vec::new(),
                is_answered: false,
            }),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

impl Asker {
    /// As far as it goes without waiting. `None`: it is over.
    fn go_on(&mut self, counts: &[Count]) -> Option<()> {
        let mut piece = [0u8; 4096];
        loop {
            if !self.write()? {
                return Some(());
            }
            if self.is_answered {
                let _ = rustix::net::shutdown(&self.connection, rustix::net::Shutdown::Write);
                return None;
            }
            let (answer, is_head_only) = match self.reader.next_step() {
                Step::Request(request) => {
                    let is_head = request.method == Method::Head;
                    (answer(request.method, &request.path, counts), is_head)
                }
                Step::Refused(refusal) => (Answer::text(refusal.status(), refusal.words()), false),
                Step::Continue => {
                    self.left = CONTINUE.to_vec();
                    continue;
                }
                Step::Read => {
                    match recv(&self.connection, &mut piece[..], RecvFlags::DONTWAIT) {
                        Ok((0, _)) => return None,
                        Ok((count, _)) => self.reader.feed(piece.get(..count)?),
                        Err(Errno::AGAIN | Errno::INTR) => return Some(()),
                        Err(_) => return None,
                    }
                    continue;
                }
            };
            self.left = answer.octets(now_ms(), is_head_only, Ending::Closes);
            self.is_answered = true;
        }
    }

    /// Whether all is written.
    fn write(&mut self) -> Option<bool> {
        while !self.left.is_empty() {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match send(&self.connection, &self.left, flags) {
                Ok(count) => drop(self.left.drain(..count.min(self.left.len()))),
                Err(Errno::AGAIN | Errno::INTR) => return Some(false),
                Err(_) => return None,
            }
        }
        Some(true)
    }
}

/// Until one of them can go on, or somebody new comes in. `false`: nobody did in time.
fn wait(listener: &OwnedFd, askers: &[Asker], until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    let limit =
        Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: i64::from(left.subsec_nanos()) };
    let wants = |asker: &Asker| if asker.left.is_empty() { PollFlags::IN } else { PollFlags::OUT };
    let mut all: Vec<PollFd<'_>> =
        askers.iter().map(|asker| PollFd::new(&asker.connection, wants(asker))).collect();
    if askers.len() < TOGETHER {
        all.push(PollFd::new(listener, PollFlags::IN));
    }
    !left.is_zero() && matches!(poll(&mut all, Some(&limit)), Ok(1..))
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
