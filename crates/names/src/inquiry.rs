//! One question on its way: which server, which try, over what, and until when.

use crate::packet::{Reading, Sent, read_answer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, recvfrom, send};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::names::Question;

/// How long one server may take for one try.
pub const TRY_LIMIT: Duration = Duration::from_secs(2);
/// How long the last try that was refused waits for the probe: a resolver that lives answers that
/// from memory.
const LINGER: Duration = Duration::from_millis(500);
/// Tries for one question over all servers: 4 seconds at most, 6 with three servers.
const TRIES_LEAST: usize = 2;
const TRIES_MOST: usize = 3;
/// Packets on one socket that are not its answer, before the try is given up: somebody guesses.
const STRANGERS: u32 = 20;
/// The largest UDP packet read.
const PACKET_OCTETS: usize = 4_096;
/// How often a TCP connection that is not made yet is looked at.
pub const CONNECT_LOOK: Duration = Duration::from_millis(5);

/// What became of a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Wait,
    Told(wire::names::Answer),
    /// This try failed: go on with the next.
    Next,
    /// So did this one, by the server's own word: it is there.
    Sick,
    /// The server will not say: this name, or anything to us. The probe tells which.
    Refused,
    /// The answer is too long for UDP: go on over TCP.
    OverTcp,
}

/// The state of one TCP exchange.
enum Way {
    Udp { strangers: u32 },
    Connecting { framed: Vec<u8> },
    Reading { received: Vec<u8> },
}

/// One try.
pub struct Inquiry {
    sent: Sent,
    pub server: SocketAddr,
    trusted: bool,
    way: Way,
    pub until: Instant,
}

/// How many tries a question has.
pub fn tries(servers: usize) -> usize {
    servers.clamp(TRIES_LEAST, TRIES_MOST)
}

impl Inquiry {
    /// Sends a question over a fresh socket that is connected to its server. `None`: this try
    /// cannot be made.
    pub fn udp(question: &Question, to: Target, socket: &OwnedFd, now: Instant) -> Option<Self> {
        let id = u16::from_le_bytes(compartment::random::<2>());
        let chance = to.exact_case.then(compartment::random::<32>);
        let sent = Sent::new(question, id, chance)?;
        let packet = sent.packet()?;
        // What came before the question is no answer to it.
        drain(socket)?;
        // The kernel drew a random port when the warden connected it, and takes packets from its
        // server alone; we compare their source again.
        send(socket, &packet, SendFlags::NOSIGNAL).ok()?;
        let way = Way::Udp { strangers: 0 };
        let (server, trusted) = (to.server, to.trusted);
        Some(Self { sent, server, trusted, way, until: now + TRY_LIMIT })
    }

    /// The same question over TCP (RFC 7766), on a socket that is being connected.
    pub fn tcp(self, now: Instant) -> Option<Self> {
        let packet = self.sent.packet()?;
        let mut framed = u16::try_from(packet.len()).ok()?.to_be_bytes().to_vec();
        framed.extend_from_slice(&packet);
        let way = Way::Connecting { framed };
        Some(Self { way, until: now + TRY_LIMIT, ..self })
    }

    /// Stays a moment longer, for the probe's answer.
    pub fn linger(&mut self, now: Instant) {
        self.until = self.until.min(now + LINGER);
    }

    /// Whether the socket must be looked at before it becomes readable.
    pub fn is_connecting(&self) -> bool {
        matches!(self.way, Way::Connecting { .. })
    }

    /// Does what the socket is ready for.
    pub fn advance(&mut self, socket: &OwnedFd) -> Step {
        match self.way {
            Way::Udp { .. } => self.read_udp(socket),
            Way::Connecting { .. } => self.finish_connecting(socket),
            Way::Reading { .. } => self.read_tcp(socket),
        }
    }

    fn read_udp(&mut self, socket: &OwnedFd) -> Step {
        let mut packet = [0u8; PACKET_OCTETS];
        loop {
            let (size, from) = match recvfrom(socket, &mut packet, RecvFlags::DONTWAIT) {
                Ok((size, _, from)) => (size, from),
                Err(Errno::AGAIN) => return Step::Wait,
                Err(Errno::INTR) => continue,
                // The server's host says that nobody listens there.
                Err(_) => return Step::Next,
            };
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            let told = packet.get(..size).unwrap_or_default();
            let reading = if from == Some(self.server) {
                read_answer(told, &self.sent, self.trusted)
            } else {
                Reading::NotOurs
            };
            match reading {
                Reading::Answer(answer) => return Step::Told(answer),
                Reading::Truncated => return Step::OverTcp,
                Reading::Refused => return Step::Refused,
                Reading::Sick => return Step::Sick,
                Reading::NotOurs => {}
            }
            let Way::Udp { strangers } = &mut self.way else { return Step::Next };
            *strangers += 1;
            if *strangers > STRANGERS {
                return Step::Next;
            }
        }
    }

    fn finish_connecting(&mut self, socket: &OwnedFd) -> Step {
        let mut ready = [PollFd::new(socket, PollFlags::OUT)];
        match poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(0) | Err(Errno::INTR) => return Step::Wait,
            Ok(_) => {}
            Err(_) => return Step::Next,
        }
        let Way::Connecting { framed } = &self.way else { return Step::Next };
        // A question is far smaller than an empty send buffer: it goes whole or not at all.
        match send(socket, framed, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) if count == framed.len() => {}
            _ => return Step::Next,
        }
        self.way = Way::Reading { received: Vec::new() };
        Step::Wait
    }

    fn read_tcp(&mut self, socket: &OwnedFd) -> Step {
        let Way::Reading { received } = &mut self.way else { return Step::Next };
        let mut piece = [0u8; PACKET_OCTETS];
        loop {
            match recv(socket, &mut piece[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Step::Next,
                // At most 65,537 octets: the length prefix ends the loop below.
                Ok((_, count)) => received.extend(piece.iter().take(count)),
                Err(Errno::AGAIN) => return Step::Wait,
                Err(Errno::INTR) => continue,
                Err(_) => return Step::Next,
            }
            if let Some(packet) = whole(received) {
                return match read_answer(packet, &self.sent, self.trusted) {
                    Reading::Answer(answer) => Step::Told(answer),
                    Reading::Sick => Step::Sick,
                    Reading::Refused => Step::Refused,
                    Reading::Truncated | Reading::NotOurs => Step::Next,
                };
            }
        }
    }
}

/// Whom to ask, and how.
#[derive(Clone, Copy)]
pub struct Target {
    pub server: SocketAddr,
    /// Its AD bit counts.
    pub trusted: bool,
    pub exact_case: bool,
}

/// The packet behind its length, once it is there.
fn whole(received: &[u8]) -> Option<&[u8]> {
    let size: [u8; 2] = received.get(..2)?.try_into().ok()?;
    received.get(2..2 + usize::from(u16::from_be_bytes(size)))
}

/// Empties a socket that nobody has asked anything on; `None`: somebody floods it.
fn drain(socket: &OwnedFd) -> Option<()> {
    let mut packet = [0u8; PACKET_OCTETS];
    (0..STRANGERS)
        .any(|_| matches!(recv(socket, &mut packet[..], RecvFlags::DONTWAIT), Err(Errno::AGAIN)))
        .then_some(())
}
