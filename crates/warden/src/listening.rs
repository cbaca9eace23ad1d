//! The listening sockets, which the warden keeps and others use.
//!
//! `gate`, `zone` and `metrics` are given copies, and a copy is the same open socket: whoever owns
//! one of these can shut it for everybody, for good. So we look, and open it again.

use crate::household::Household;
use crate::ports;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::{Order, Service};

/// Listening is looked at so often: some calls of the kernel.
const EVERY: Duration = Duration::from_millis(500);

/// Whose a service's sockets are.
fn owner(service: Service) -> Kind {
    match service {
        Service::Zone => Kind::Zone,
        Service::Metrics => Kind::Metrics,
        _ => Kind::Gate,
    }
}

/// Opens a socket again that no longer listens; says whether it was one.
fn reopened(socket: &OwnedFd) -> bool {
    let is_stream = socket_type(socket).is_ok_and(|form| form == rustix::net::SocketType::STREAM);
    // It keeps its address: that was given by bind.
    is_stream
        && socket_acceptconn(socket).is_ok_and(|listens| !listens)
        && rustix::net::listen(socket, ports::BACKLOG).is_ok()
}

impl Household {
    /// The listening sockets, to whom they belong; again at each restart: no backlog is lost.
    pub fn hand_listeners(&mut self, instance: InstanceId, kind: Kind) {
        let Some(member) = self.members.get(&instance) else { return };
        for (service, socket) in self.listeners.iter().filter(|one| owner(one.0) == kind) {
            if let Ok(socket) = socket.try_clone() {
                let _ = self.hub.send(member.control, 0, &Order::Listen(*service), vec![socket]);
            }
        }
    }

    /// A listener that was shut is open again, and whoever shut it is ended: nobody who keeps to
    /// its charter does.
    pub fn watch_listeners(&mut self, now: Instant) {
        let looked = self.looked_at_listeners.replace(now);
        if looked.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            self.looked_at_listeners = looked;
            return;
        }
        let mut shut: Vec<Kind> = Vec::new();
        for (service, socket) in &self.listeners {
            if reopened(socket) && !shut.contains(&owner(*service)) {
                shut.push(owner(*service));
            }
        }
        for kind in shut {
            let holder =
                self.parts.iter().find(|part| part.kind == kind).and_then(|one| one.holder);
            match holder {
                Some(holder) => self.end_liar(holder, kind, "it shut the doors of the house"),
                None => {
                    self.raise_alarm(self.own, kind, 0, "shutdown", "the doors were shut", None)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reopened;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::OwnedFd;

    #[test]
    fn what_was_shut_is_open_again() {
        // By its number, as ours are: a port that the kernel chose is given up when it is shut.
        let chosen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = TcpListener::bind(chosen).unwrap();
        let place = listener.local_addr().unwrap();
        let own: OwnedFd = listener.try_clone().unwrap().into();
        assert!(!reopened(&own));
        let stream = TcpStream::from(OwnedFd::from(listener));
        let _ = stream.shutdown(Shutdown::Both);
        assert!(TcpStream::connect(place).is_err());
        assert!(reopened(&own));
        TcpStream::connect(place).unwrap();
        assert!(!reopened(&own));
    }
}
