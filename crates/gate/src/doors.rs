//! The listeners, and the last word to whom we turn away.

use rustix::net::{SendFlags, send};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::control::Service;

/// Without descriptors or memory, accepting again at once would only spin.
const PAUSE: Duration = Duration::from_millis(200);
/// Without descriptors: how many are told so before the pause.
const TURNED_AWAY: usize = 32;

/// One listener.
pub struct Door {
    listener: TcpListener,
    pub service: Service,
    shut_until: Option<Instant>,
    /// A place among our descriptors: without any other, whoever comes is taken to be told so.
    spare: Option<OwnedFd>,
}

/// Somebody at the door.
pub struct Caller {
    pub socket: OwnedFd,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub service: Service,
    /// Instances that died with it in their hands before they had begun.
    pub tries: u8,
}

impl Door {
    pub fn new(listener: OwnedFd, service: Service) -> std::io::Result<Self> {
        let listener = TcpListener::from(listener);
        // A client that gives up between the notice and the accept must not hold us here.
        listener.set_nonblocking(true)?;
        let spare = listener.try_clone().ok().map(OwnedFd::from);
        Ok(Self { listener, service, shut_until: None, spare })
    }

    /// The next one at the door, if any. `Err`: nobody can be let in for a moment.
    pub fn next(&mut self) -> Result<Option<Caller>, ()> {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    let local = stream.local_addr().unwrap_or(peer);
                    let (socket, service) = (OwnedFd::from(stream), self.service);
                    return Ok(Some(Caller { socket, peer, local, service, tries: 0 }));
                }
                Err(fault) => match fault.kind() {
                    ErrorKind::WouldBlock => return Ok(None),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.turn_some_away();
                        self.shut_until = Some(Instant::now() + PAUSE);
                        return Err(());
                    }
                },
            }
        }
    }

    /// There is no descriptor to serve anybody with: those who wait hear it instead of nothing.
    fn turn_some_away(&mut self) {
        for _ in 0..TURNED_AWAY {
            if self.spare.take().is_none() {
                break;
            }
            if let Ok((stream, peer)) = self.listener.accept() {
                let (socket, service) = (OwnedFd::from(stream), self.service);
                Caller { socket, peer, local: peer, service, tries: 0 }.turn_away("too busy");
            }
            self.spare = self.descriptor().ok();
        }
        if self.spare.is_none() {
            self.spare = self.descriptor().ok();
        }
    }

    /// A copy of the descriptor, to be watched.
    pub fn descriptor(&self) -> std::io::Result<OwnedFd> {
        self.listener.try_clone().map(OwnedFd::from)
    }

    /// Whether a door that was shut for a moment opens again.
    pub fn reopens(&mut self, now: Instant) -> bool {
        let reopens = self.shut_until.is_some_and(|until| until <= now);
        if reopens {
            self.shut_until = None;
        }
        reopens
    }
}

impl Caller {
    /// Turns somebody away: in words where the protocol begins in clear, silently where it begins
    /// with TLS. Nobody is waited for.
    pub fn turn_away(self, why: &str) {
        // The others wait for a handshake first.
        if matches!(self.service, Service::Smtp | Service::Submission) {
            let words = format!("421 4.3.2 {why}; try again later\r\n");
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let _ = send(&self.socket, words.as_bytes(), flags);
        }
    }
}
