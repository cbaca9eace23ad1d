//! Who comes how often. Facts in, a welcome or a refusal out; the clock is an argument.

use crate::pool::INSTANCES;
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
/// Of the places that people who signed in leave, a part of so many may be held by connections that
/// have not signed in; beyond it, a client that has some of those is given no more until they have.
/// An office that comes back as a whole signs in by so many at a time.
const BUSY_PART: u32 = 4;
const UNSIGNED_WHILE_BUSY: u32 = 50;
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
    /// Of those where one signs in, in any class: where nobody has yet.
    unsigned: u32,
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
    /// Those where one signs in: where nobody has yet, and where somebody has.
    unsigned: u32,
    signed: u32,
    /// In the demo, rates do not count for loopback.
    spares_loopback: bool,
}

impl Clients {
    pub fn new(spares_loopback: bool) -> Self {
        let (strangers, unsigned, signed) = (0, 0, 0);
        Self { records: HashMap::new(), strangers, unsigned, signed, spares_loopback }
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
        let is_unsigned = is_signed_in_to(service);
        let waits_for_others = is_unsigned && self.has_many_unsigned();
        let record = self.records.entry(ip).or_default();
        record.turn(now_ms);
        let Some((open, limit)) = record.open_of(service) else { return Admission::TooMany };
        let limit = if is_busy { OPEN_WHILE_BUSY } else { limit };
        if !spared {
            if *open >= limit || (waits_for_others && record.unsigned >= UNSIGNED_WHILE_BUSY) {
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
        record.unsigned += u32::from(is_unsigned);
        self.unsigned += u32::from(is_unsigned);
        self.strangers += u32::from(is_stranger);
        Admission::Welcome
    }

    fn has_many_unsigned(&self) -> bool {
        let places = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
        self.unsigned >= places.saturating_sub(self.signed).div_ceil(BUSY_PART)
    }

    /// On one welcome connection of this client somebody has signed in.
    pub fn signed_in(&mut self, ip: IpAddr) {
        self.no_longer_unsigned(ip);
        self.signed += 1;
    }

    /// A welcome connection is over, on which somebody had signed in or not.
    pub fn left(&mut self, ip: IpAddr, service: Service, signed_in: bool) {
        let record = self.records.get_mut(&client(ip));
        if let Some((open, _)) = record.and_then(|record| record.open_of(service)) {
            *open = open.saturating_sub(1);
        }
        match service {
            Service::Smtp => self.strangers = self.strangers.saturating_sub(1),
            other if !is_signed_in_to(other) => {}
            _ if signed_in => self.signed = self.signed.saturating_sub(1),
            _ => self.no_longer_unsigned(ip),
        }
    }

    fn no_longer_unsigned(&mut self, ip: IpAddr) {
        self.unsigned = self.unsigned.saturating_sub(1);
        if let Some(record) = self.records.get_mut(&client(ip)) {
            record.unsigned = record.unsigned.saturating_sub(1);
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

/// Where people sign in, and have nothing before they have.
fn is_signed_in_to(service: Service) -> bool {
    match service {
        Service::Imaps | Service::Pop3s | Service::Submissions | Service::Submission => true,
        Service::Smtp | Service::Https | Service::Zone | Service::Metrics => false,
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
        Admission, BUSY_PART, BUSY_SMTP, Clients, NEW_IN_A_MINUTE, OPEN_OWN, OPEN_SMTP,
        OPEN_WHILE_BUSY, UNSIGNED_WHILE_BUSY,
    };
    use crate::pool::INSTANCES;
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
        clients.left(ip("192.0.2.1"), Service::Imaps, false);
        assert_eq!(clients.admit(ip("192.0.2.1"), Service::Smtp, 5), Admission::TooMany);
        clients.left(ip("192.0.2.1"), Service::Smtp, false);
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
            clients.left("10.0.0.0".parse().unwrap(), Service::Smtp, false);
        }
        assert_eq!(
            clients.admit("10.0.0.0".parse().unwrap(), Service::Smtp, 5),
            Admission::Welcome
        );
    }

    const PLACES: u32 = INSTANCES as u32;

    /// How many of `count` more connections are welcome, by turns at all ports where one signs in;
    /// not too fast.
    fn come(clients: &mut Clients, from: &str, count: u32) -> u32 {
        let services = [Service::Imaps, Service::Pop3s, Service::Submissions, Service::Submission];
        let begin = clients.signed + clients.unsigned;
        let is_welcome = |round: &u32| {
            let round = begin + round;
            let service = services[round as usize % services.len()];
            let minute = u64::from(round / 100 + 1) * 60_000;
            clients.admit(ip(from), service, minute) == Admission::Welcome
        };
        (0..count).filter(is_welcome).count() as u32
    }

    #[test]
    fn who_does_not_sign_in_leaves_places_to_those_who_do() {
        let mut clients = Clients::new(false);
        // One network of IPv6 is one client, at all ports together.
        let quarter = PLACES / BUSY_PART;
        assert_eq!(come(&mut clients, "2001:db8::1", quarter - 7), quarter - 7);
        assert_eq!(come(&mut clients, "2001:db8::ffff", PLACES), 7);
        // Who comes now is heard, and as often as they sign in.
        for _ in 0..20 {
            let heard = come(&mut clients, "192.0.2.1", 2 * UNSIGNED_WHILE_BUSY);
            assert_eq!(heard, UNSIGNED_WHILE_BUSY);
            (0..heard).for_each(|_| clients.signed_in(ip("192.0.2.1")));
        }
        assert_eq!(come(&mut clients, "2001:db8::2", PLACES), 0);
        // They leave, and so do those who never signed in.
        for _ in 0..20 * UNSIGNED_WHILE_BUSY {
            clients.left(ip("192.0.2.1"), Service::Imaps, true);
        }
        (0..quarter).for_each(|_| clients.left(ip("2001:db8::3"), Service::Pop3s, false));
        assert_eq!((clients.unsigned, clients.signed), (0, 0));
    }

    #[test]
    fn an_office_behind_one_address_is_as_large_as_before() {
        let mut clients = Clients::new(false);
        for round in 0..2 * OPEN_OWN {
            assert_eq!(come(&mut clients, "192.0.2.1", 1), 1, "{round}");
            clients.signed_in(ip("192.0.2.1"));
        }
        assert_eq!(clients.unsigned, 0);
    }

    #[test]
    fn when_most_places_are_taken_by_people_strangers_hold_few_of_the_rest() {
        let mut clients = Clients::new(false);
        for person in 0..PLACES - 400 {
            let from = IpAddr::from((0x0a00_0000 + person).to_be_bytes()).to_string();
            assert_eq!(come(&mut clients, &from, 1), 1);
            clients.signed_in(ip(&from));
        }
        assert_eq!(come(&mut clients, "192.0.2.1", PLACES), 400 / BUSY_PART);
        assert_eq!(come(&mut clients, "192.0.2.2", PLACES), UNSIGNED_WHILE_BUSY);
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
                clients.signed_in(ip("192.0.2.1"));
            }
            let more = clients.admit(ip("192.0.2.1"), service, 600_000);
            assert_eq!(more, Admission::TooMany);
            let mut clients = Clients::new(false);
            for _ in 0..NEW_IN_A_MINUTE {
                clients.admit(ip("192.0.2.1"), service, 5);
                clients.left(ip("192.0.2.1"), service, false);
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
                clients.left(ip("192.0.2.1"), Service::Smtp, false);
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
        clients.left(ip("192.0.2.1"), Service::Smtp, false);
        clients.left(ip("192.0.2.1"), Service::Imaps, false);
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
                clients.signed_in(ip("127.0.0.1"));
            }
            assert_eq!(last, expected);
        }
    }
}
