//! Who comes how often. Facts in, a welcome or a refusal out; the clock is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use wire::control::Service;

/// Open connections of one client: a large relay keeps some dozens, an office behind one address
/// has some hundred mail programs with a few connections each.
const OPEN_SMTP: u32 = 100;
const OPEN_OWN: u32 = 1_000;
/// While so many strangers' connections are open, a client that has some is given no more of them:
/// what is left is for who comes first, so that a few addresses do not fill the house.
const BUSY_SMTP: u32 = 1_000;
const OPEN_WHILE_BUSY: u32 = 10;
/// New connections of one client in one minute.
const NEW_IN_A_MINUTE: u32 = 600;
/// Unknown recipients of one client in one hour; whoever goes on guesses names from a list.
const UNKNOWN_IN_AN_HOUR: u32 = 100;
/// Clients remembered; beyond it the quiet ones are forgotten, then strangers wait outside.
const CLIENTS: usize = 200_000;
/// Mail that arrives, reading, handing in, pages, and what the house has for itself.
const CLASSES: usize = 5;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Whether a client may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Welcome,
    TooMany,
    TooFast,
    /// It asked for too many people who are not here.
    Guessing,
    Crowded,
}

#[derive(Default)]
struct Record {
    /// By class: whoever reads here is not refused elsewhere for it.
    open: [u32; CLASSES],
    new: u32,
    minute_from_ms: u64,
    unknown: u32,
    hour_from_ms: u64,
}

/// All clients with a connection or a past.
pub struct Clients {
    records: HashMap<IpAddr, Record>,
    /// Open connections of the first class, all clients together.
    strangers: u32,
    /// In the demo, rates do not count for loopback.
    spares_loopback: bool,
}

impl Clients {
    pub fn new(spares_loopback: bool) -> Self {
        Self { records: HashMap::new(), strangers: 0, spares_loopback }
    }

    /// Counts a new connection in, if it is welcome.
    pub fn admit(&mut self, ip: IpAddr, service: Service, now_ms: u64) -> Admission {
        let ip = client(ip);
        let spared = self.spares_loopback && ip.is_loopback();
        if self.records.len() >= CLIENTS && !self.records.contains_key(&ip) {
            self.forget_quiet(now_ms);
            if self.records.len() >= CLIENTS {
                return Admission::Crowded;
            }
        }
        let is_stranger = service == Service::Smtp;
        let is_busy = is_stranger && self.strangers >= BUSY_SMTP;
        let record = self.records.entry(ip).or_default();
        record.turn(now_ms);
        let Some((open, limit)) = record.open_of(service) else { return Admission::TooMany };
        let limit = if is_busy { OPEN_WHILE_BUSY } else { limit };
        if !spared {
            if *open >= limit {
                return Admission::TooMany;
            }
            if record.new >= NEW_IN_A_MINUTE {
                return Admission::TooFast;
            }
            if is_stranger && record.unknown > UNKNOWN_IN_AN_HOUR {
                return Admission::Guessing;
            }
        }
        if let Some((open, _)) = record.open_of(service) {
            *open += 1;
        }
        record.new = record.new.saturating_add(1);
        self.strangers += u32::from(is_stranger);
        Admission::Welcome
    }

    /// A welcome connection is over.
    pub fn left(&mut self, ip: IpAddr, service: Service) {
        let record = self.records.get_mut(&client(ip));
        if let Some((open, _)) = record.and_then(|record| record.open_of(service)) {
            *open = open.saturating_sub(1);
        }
        if service == Service::Smtp {
            self.strangers = self.strangers.saturating_sub(1);
        }
    }

    /// It asked for so many unknown recipients.
    pub fn guessed(&mut self, ip: IpAddr, count: u32, now_ms: u64) {
        let record = self.records.entry(client(ip)).or_default();
        record.turn(now_ms);
        record.unknown = record.unknown.saturating_add(count);
    }

    /// Forgets clients without a connection and without a past that counts.
    pub fn forget_quiet(&mut self, now_ms: u64) {
        self.records.retain(|_, record| {
            record.turn(now_ms);
            record.open.iter().any(|open| *open > 0) || record.new > 0 || record.unknown > 0
        });
    }
}

impl Record {
    /// Open connections of this service's class, and how many there may be.
    fn open_of(&mut self, service: Service) -> Option<(&mut u32, u32)> {
        let (class, limit) = match service {
            Service::Smtp => (0, OPEN_SMTP),
            Service::Imaps | Service::Pop3s => (1, OPEN_OWN),
            Service::Submissions | Service::Submission => (2, OPEN_OWN),
            // Programs that look for their settings, and other servers for a policy.
            Service::Https => (3, OPEN_SMTP),
            Service::Zone | Service::Metrics => (4, OPEN_OWN),
        };
        self.open.get_mut(class).map(|open| (open, limit))
    }

    /// Begins a new minute and a new hour when their time has come, or the clock has jumped back.
    fn turn(&mut self, now_ms: u64) {
        if now_ms.wrapping_sub(self.minute_from_ms) >= MINUTE_MS {
            self.minute_from_ms = now_ms;
            self.new = 0;
        }
        if now_ms.wrapping_sub(self.hour_from_ms) >= HOUR_MS {
            self.hour_from_ms = now_ms;
            self.unknown = 0;
        }
    }
}

/// One client: an IPv4 address, or the /64 of an IPv6 one, which one customer has to itself.
pub fn client(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Admission, BUSY_SMTP, Clients, NEW_IN_A_MINUTE, OPEN_OWN, OPEN_SMTP, OPEN_WHILE_BUSY,
    };
    use std::net::IpAddr;
    use wire::control::Service;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn open_connections_are_bounded_for_each_client() {
        let mut clients = Clients::new(true);
        for _ in 0..OPEN_SMTP {
            assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 5), Admission::Welcome);
        }
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 5), Admission::TooMany);
        assert_eq!(clients.admit(ip("::ffff:192.0.2.1"), Service::Smtp, 5), Admission::TooMany);
        assert_eq!(clients.admit(ip("192.0.2.2"), Service::Smtp, 5), Admission::Welcome);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Imaps, 5), Admission::Welcome);
        clients.left(ip("192.0.2.1"), Service::Imaps);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 5), Admission::TooMany);
        clients.left(ip("192.0.2.1"), Service::Smtp);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 5), Admission::Welcome);
    }

    #[test]
    fn a_few_clients_do_not_fill_the_house() {
        let mut clients = Clients::new(false);
        let mut come = |client: u32| {
            let from = IpAddr::from((0x0a00_0000 + client).to_be_bytes());
            clients.admit(from, Service::Smtp, 5) == Admission::Welcome
        };
        let crowd = BUSY_SMTP / OPEN_SMTP;
        for _ in 0..OPEN_SMTP {
            assert!((0..crowd).all(&mut come));
        }
        assert!(!(0..crowd).any(&mut come));
        // Who comes now is heard, a few times at once.
        let heard = (0..OPEN_SMTP).filter(|_| come(crowd)).count();
        assert_eq!(heard, OPEN_WHILE_BUSY as usize);
        for _ in 0..OPEN_SMTP {
            clients.left("10.0.0.0".parse().unwrap(), Service::Smtp);
        }
        assert_eq!(
            clients.admit("10.0.0.0".parse().unwrap(), Service::Smtp, 5),
            Admission::Welcome
        );
    }

    #[test]
    fn people_who_hand_in_mail_are_counted_like_those_who_read() {
        for service in [Service::Submissions, Service::Submission, Service::Imaps] {
            let mut clients = Clients::new(false);
            // Unknown recipients are a stranger's sin: an office behind one address writes on.
            clients.guessed(ip("192.0.2.1"), 101, 5);
            for round in 0..OPEN_OWN {
                let minute = u64::from(round / NEW_IN_A_MINUTE) * 60_000 + 60_000;
                let admission = clients.admit(ip("192.0.2.1"), service, minute);
                assert_eq!(admission, Admission::Welcome, "{service:?} {round}");
            }
            let more = clients.admit(ip("192.0.2.1"), service, 600_000);
            assert_eq!(more, Admission::TooMany);
            let mut clients = Clients::new(false);
            for _ in 0..NEW_IN_A_MINUTE {
                clients.admit(ip("192.0.2.1"), service, 5);
                clients.left(ip("192.0.2.1"), service);
            }
            assert_eq!(clients.admit(ip("192.0.2.1"), service, 5), Admission::TooFast);
        }
    }

    #[test]
    fn an_office_that_reads_writes_and_looks_up_its_settings_too() {
        let mut clients = Clients::new(false);
        for _ in 0..OPEN_SMTP + 20 {
            assert_eq!(clients.admit(ip("192.0.2.1"), Service::Imaps, 5), Admission::Welcome);
        }
        for service in [Service::Smtp, Service::Https, Service::Submission] {
            let admission = clients.admit(ip("192.0.2.1"), service, 5);
            assert_eq!(admission, Admission::Welcome, "{service:?}");
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let mut clients = Clients::new(true);
        for host in 0..OPEN_SMTP {
            let host = ip(&format!("2001:db8::{host:x}"));
            assert_eq!(clients.admit(host, Service::Smtp, 5), Admission::Welcome);
        }
        assert_eq!(clients.admit(ip("2001:db8::ffff"), Service::Smtp, 5), Admission::TooMany);
        assert_eq!(clients.admit(ip("2001:db8:1::1"), Service::Smtp, 5), Admission::Welcome);
    }

    #[test]
    fn rates_begin_anew_with_time() {
        let mut clients = Clients::new(true);
        let mut come = |now| {
            let admission = clients.admit(ip("192.0.2.1"), Service::Smtp, now);
            if admission == Admission::Welcome {
                clients.left(ip("192.0.2.1"), Service::Smtp);
            }
            admission
        };
        for _ in 0..NEW_IN_A_MINUTE {
            assert_eq!(come(100_000), Admission::Welcome);
        }
        assert_eq!(come(159_999), Admission::TooFast);
        assert_eq!(come(160_000), Admission::Welcome);
        assert_eq!(come(1_000), Admission::Welcome);
    }

    #[test]
    fn whoever_guesses_names_stays_outside_for_an_hour() {
        let mut clients = Clients::new(true);
        clients.guessed(ip("192.0.2.1"), 101, 100_000);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 200_000), Admission::Guessing);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Imaps, 200_000), Admission::Welcome);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 3_800_000), Admission::Welcome);
        clients.left(ip("192.0.2.1"), Service::Smtp);
        clients.left(ip("192.0.2.1"), Service::Imaps);
        clients.forget_quiet(10_000_000);
        assert!(clients.records.is_empty());
    }

    #[test]
    fn the_demo_spares_loopback() {
        for (spares, expected) in [(true, Admission::Welcome), (false, Admission::TooFast)] {
            let mut clients = Clients::new(spares);
            let mut last = Admission::Welcome;
            for _ in 0..2 * NEW_IN_A_MINUTE {
                last = clients.admit(ip("127.0.0.1"), Service::Imaps, 5);
            }
            assert_eq!(last, expected);
        }
    }
}
