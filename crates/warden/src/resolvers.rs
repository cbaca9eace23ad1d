//! Sockets for `names`: made and connected here, to the configured servers and nobody else, so that
//! whoever owns `names` reaches no other address. A fresh one for every question: the kernel draws
//! its source port anew.

use crate::household::Household;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::Peer;
use wire::control::Order;

/// Sockets beside one frame.
const AT_ONCE: u16 = 32;
/// Sockets in one second: more questions than a full house asks, and less than would hurt it.
const PER_SECOND: u32 = 8_192;
const SECOND: Duration = Duration::from_secs(1);

/// What is left of this second.
#[derive(Default)]
pub struct Allowance {
    since: Option<Instant>,
    given: u32,
}

impl Allowance {
    pub(crate) fn take(&mut self, wanted: u16, now: Instant) -> u16 {
        if self.since.is_none_or(|since| now.duration_since(since) >= SECOND) {
            (self.since, self.given) = (Some(now), 0);
        }
        let left = u16::try_from(PER_SECOND.saturating_sub(self.given)).unwrap_or(u16::MAX);
        let granted = wanted.min(AT_ONCE).min(left);
        self.given += u32::from(granted);
        granted
    }
}

impl Household {
    /// Answers every request, with nothing where there is nothing to give: nobody waits in vain.
    /// Who asks and does not read gets nothing more, so that no descriptors pile up.
    pub fn hand_resolvers(&mut self, names: Peer, server: u16, over_tcp: bool, wanted: u16) {
        if self.hub.is_behind(names) {
            return;
        }
        let address = self.plan.dns_servers.get(usize::from(server)).copied();
        let granted = self.resolvers.take(wanted, Instant::now());
        let make = |_| connected(address?, over_tcp).ok();
        let sockets: Vec<OwnedFd> = (0..granted).map_while(make).collect();
        let _ = self.hub.send(names, 0, &Order::Resolvers { server, over_tcp }, sockets);
    }
}

/// Never waits: a datagram socket is connected at once, a stream when its server answers.
fn connected(to: SocketAddr, over_tcp: bool) -> Result<OwnedFd, Errno> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = if over_tcp { SocketType::STREAM } else { SocketType::DGRAM };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, SECOND};
    use std::time::Instant;

    #[test]
    fn a_second_has_so_many_sockets_and_no_more() {
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        let given: u32 = (0..1_000).map(|_| u32::from(allowance.take(500, now))).sum();
        assert_eq!(given, 8_192);
        assert_eq!(allowance.take(3, now), 0);
        assert_eq!(allowance.take(3, now + SECOND), 3);
    }
}
