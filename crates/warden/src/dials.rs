//! Sockets for `depart` and `fetch`: made and connected here, to the ports that the settings name,
//! so that whoever owns one of them reaches no other service, and nothing inside our own network.

use crate::household::Household;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::Peer;
use wire::control::{DIALS_BUSY, Order, Relay};
use wire::fetch::Outward;

impl Household {
    /// Answers every request: with a socket, or with why there is none.
    pub fn dial(&mut self, who: (Peer, Kind), call: u32, to: SocketAddr, from: Option<IpAddr>) {
        let (peer, kind) = who;
        if self.hub.is_behind(peer) {
            return;
        }
        self.note_dial(kind, to);
        let now = Instant::now();
        let allowed = match self.dials.take(1, now) {
            0 => Err(DIALS_BUSY.to_owned()),
            _ => {
                let (relay, outward) = (&self.plan.relay, &self.plan.outward);
                let is_asked = |port| self.inquiries.take(port, now);
                may_reach(relay, outward, (kind, to), is_asked)
            }
        };
        let dialled = allowed.and_then(|()| connected(to, from).map_err(|errno| errno.to_string()));
        let (refused, sockets) = match dialled {
            Ok(socket) => (None, vec![socket]),
            Err(why) => (Some(why), Vec::new()),
        };
        let _ = self.hub.send(peer, 0, &Order::Dialled { call, refused }, sockets);
    }
}

/// Inquiries that count at once, and the time in which one more does: the directory asks a little
/// less often. So little leaves by them if it and `fetch` are owned.
const INQUIRIES: u32 = 30;
const ONE_MORE: Duration = Duration::from_millis(200);
/// Sockets of one inquiry: four addresses, each with TLS and, where the way allows it, in clear.
const SOCKETS: u8 = 8;
/// An inquiry waits for its turn in `fetch` and is carried out within this.
const INQUIRY: Duration = Duration::from_secs(30);

/// Ports of mail that `fetch` may reach for a moment, because the directory has a question.
#[derive(Default)]
pub struct Inquiries {
    /// Port, sockets left, until when.
    open: VecDeque<(u16, u8, Instant)>,
    used: u32,
    since: Option<Instant>,
}

impl Inquiries {
    pub fn allow(&mut self, port: u16, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let more = now.duration_since(since).as_millis() / ONE_MORE.as_millis();
        if more > 0 {
            self.used = self.used.saturating_sub(u32::try_from(more).unwrap_or(u32::MAX));
            self.since = Some(now);
        }
        if self.used < INQUIRIES {
            self.used += 1;
            self.open.retain(|(_, left, until)| *left > 0 && now < *until);
            self.open.push_back((port, SOCKETS, now + INQUIRY));
        }
    }

    fn take(&mut self, port: u16, now: Instant) -> bool {
        self.open.retain(|(_, left, until)| *left > 0 && now < *until);
        let found = self.open.iter_mut().find(|(open, ..)| *open == port);
        found.map(|(_, left, _)| *left -= 1).is_some()
    }
}

/// Whether the settings let a compartment of this kind speak to that address. `is_asked`: whether
/// the directory has a customer's server asked at that port.
fn may_reach(
    relay: &Relay,
    outward: &Outward,
    (kind, to): (Kind, SocketAddr),
    is_asked: impl FnOnce(u16) -> bool,
) -> Result<(), String> {
    let port = to.port();
    // The operator named this very address for alarms: wherever it is.
    if kind == Kind::Fetch && outward.addresses().any(|named| named == to) {
        return Ok(());
    }
    let is_mail = port == relay.port || relay.smart_host_ports.contains(&port);
    let is_named = || port == relay.https_port || outward.ports().any(|named| named == port);
    let is_ours = match kind {
        Kind::Fetch => is_named() || (is_mail && is_asked(port)),
        _ => is_mail,
    };
    if !is_ours {
        return Err(format!("port {port} is none that {} may reach", kind.word()));
    }
    if !relay.private && !is_public(to.ip()) {
        return Err("the address is not a public one".to_owned());
    }
    Ok(())
}

/// Whether an address is of the internet at large (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !(is_special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4() {
        return !address.is_loopback() && !address.is_unspecified() && is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // 2000::/3 is what was given out; NAT64 leads to an address of version 4 that is not seen here.
    let is_given_out = first & 0xe000 == 0x2000;
    let is_documentation = first == 0x2001 && second == 0x0db8;
    let is_six_to_four = first == 0x2002;
    is_given_out && !is_documentation && !is_six_to_four
}

/// Never waits: the socket may still be on its way.
pub fn connected(to: SocketAddr, from: Option<IpAddr>) -> Result<OwnedFd, Errno> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(from) = from.filter(|from| from.is_ipv4() == to.is_ipv4()) {
        bind(&socket, &SocketAddr::new(from, 0))?;
    }
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::{INQUIRIES, INQUIRY, Inquiries, SOCKETS, is_public, may_reach};
    use std::time::Instant;
    use terms::Kind;
    use wire::control::Relay;
    use wire::fetch::{Outward, Webhook};

    #[test]
    fn inner_addresses_are_not_public() {
        let check = |address: &str, public: bool| {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        };
        check("8.8.8.8", true);
        check("2606:4700::1111", true);
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            check(inner, false);
        }
    }

    #[test]
    fn each_kind_has_its_ports() {
        let check = |kind, to: &str, allowed: bool| {
            let relay = Relay { private: true, ..Relay::default() };
            let to = (kind, to.parse().unwrap());
            let reached = may_reach(&relay, &Outward::default(), to, |_| false);
            assert_eq!(reached.is_ok(), allowed, "{to:?}");
        };
        check(Kind::Depart, "127.0.0.1:25", true);
        check(Kind::Depart, "127.0.0.1:587", true);
        check(Kind::Depart, "127.0.0.1:443", false);
        check(Kind::Fetch, "127.0.0.1:443", true);
        check(Kind::Fetch, "127.0.0.1:25", false);
        let (outside, none) = (Relay::default(), Outward::default());
        let here = "127.0.0.1:25".parse().unwrap();
        assert!(may_reach(&outside, &none, (Kind::Depart, here), |_| false).is_err());
    }

    /// Ports of mail are open to `fetch` for a question of the directory's, and for no more.
    #[test]
    fn an_inquiry_opens_its_port_for_a_moment() {
        let (mut inquiries, mut now) = (Inquiries::default(), Instant::now());
        let (relay, none) = (Relay::default(), Outward::default());
        let check = |inquiries: &mut Inquiries, kind, to: &str, now, allowed: bool| {
            let to = (kind, to.parse().unwrap());
            let reached = may_reach(&relay, &none, to, |port| inquiries.take(port, now));
            assert_eq!(reached.is_ok(), allowed, "{to:?}");
        };
        check(&mut inquiries, Kind::Fetch, "8.8.8.8:25", now, false);
        inquiries.allow(25, now);
        check(&mut inquiries, Kind::Fetch, "8.8.8.8:587", now, false);
        check(&mut inquiries, Kind::Fetch, "10.1.2.3:25", now, false);
        for _ in 1..SOCKETS {
            check(&mut inquiries, Kind::Fetch, "8.8.8.8:25", now, true);
        }
        check(&mut inquiries, Kind::Fetch, "8.8.8.8:25", now, false);
        inquiries.allow(22, now);
        check(&mut inquiries, Kind::Fetch, "8.8.8.8:22", now, false);
        inquiries.allow(25, now);
        now += INQUIRY;
        check(&mut inquiries, Kind::Fetch, "8.8.8.8:25", now, false);
        (0..1_000).for_each(|_| inquiries.allow(25, now));
        assert_eq!(inquiries.open.len(), INQUIRIES as usize);
    }

    /// One private address is named for alarms: that one, at that port, for `fetch` alone.
    #[test]
    fn a_named_address_is_that_one_and_no_other() {
        let named = "10.1.2.3:8443".parse().unwrap();
        let (host, path) = ("hook.example".to_owned(), "/".to_owned());
        let webhook = Webhook { host, port: 8443, path, at: Some(named) };
        let outward = Outward { webhook: Some(webhook), mail: None };
        let check = |kind, to: &str, allowed: bool| {
            let to = (kind, to.parse().unwrap());
            let reached = may_reach(&Relay::default(), &outward, to, |_| false);
            assert_eq!(reached.is_ok(), allowed, "{to:?}");
        };
        check(Kind::Fetch, "10.1.2.3:8443", true);
        check(Kind::Fetch, "10.1.2.3:443", false);
        check(Kind::Fetch, "10.1.2.4:8443", false);
        check(Kind::Fetch, "8.8.8.8:8443", true);
        check(Kind::Fetch, "8.8.8.8:25", false);
        check(Kind::Depart, "10.1.2.3:8443", false);
    }
}
