//! The takeover brake: whether it is still the person who writes. What looks otherwise waits for
//! somebody, and the person is told.
//!
//! What is known: the rate, and how much came back (`post` counts both), what the scanner finds,
//! and here the network that the person writes from, and where the operator has given the
//! registries' lists the country that it is registered in, as far as the directory has seen them.
//!
//! A place is new for somebody only beside what was known before it: it was first seen less than a
//! day ago, **and** the person was known at least an hour longer than it. Who has no past (a
//! newcomer; everybody, when the directory first hears of networks, or of countries) is at home
//! where they are: their first place is as old as their past, and so never new. The directory keeps
//! both over a restart, so that there is no hour after one in which nothing is known.

use crate::neighbours::Neighbours;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use terms::UserId;

/// A network, or a country, that was first seen longer ago than this is the person's own.
const FAMILIAR: Duration = Duration::from_secs(24 * 60 * 60);
/// Without a past nothing is odd: a place that came so soon after the person's first is theirs, too
/// (the desk, and the telephone on the way home).
const KNOWN: Duration = Duration::from_secs(60 * 60);
/// Recipients from a network never seen before that make somebody look: a round mail to a
/// department from a hotel passes, a flood does not.
const FROM_NETWORK: u32 = 50;
/// The same from a country never seen before: who is abroad answers a few.
const FROM_COUNTRY: u32 = 5;

/// A limit is reached, and they press on: `post` has counted.
pub(crate) const PRESSED: &str = "outgoing.rate.pressed";

/// What is odd about the place that a person writes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    Nothing,
    Network,
    Country,
}

impl Odd {
    /// Recipients that may be written to from there before somebody looks, and what it is called.
    fn limit(self) -> Option<(u32, &'static str)> {
        match self {
            Self::Nothing => None,
            Self::Network => Some((FROM_NETWORK, "outgoing.network.new")),
            Self::Country => Some((FROM_COUNTRY, "outgoing.country.new")),
        }
    }
}

/// Of one connection's client: asked once, it does not change.
#[derive(Default)]
pub(crate) struct Brake {
    odd: Option<Odd>,
}

impl Brake {
    /// Why this message has to wait for somebody, if it has to.
    pub(crate) fn grips(
        &mut self,
        recipients: u32,
        (user, client): (UserId, IpAddr),
        house: &mut Neighbours,
    ) -> Option<&'static str> {
        // Every place is told to the directory, so that it is known when it counts.
        let odd = *self.odd.get_or_insert_with(|| odd(user, client, house));
        let (limit, reason) = odd.limit()?;
        // Over all connections of the person: a thief has many. Without an answer this one counts.
        let all = house.strange(recipients).unwrap_or(recipients);
        (all > limit).then_some(reason)
    }
}

fn odd(user: UserId, client: IpAddr, house: &mut Neighbours) -> Odd {
    if house.is_demo() && client.to_canonical().is_loopback() {
        return Odd::Nothing;
    }
    let is_new_network =
        is_new(&format!("writes {user}"), &format!("writes {user} {}", network(client)), house);
    // A country has a past of its own: the lists may be there since this morning only.
    let is_new_country = house.country(client).is_some_and(|country| {
        let [one, other] = country.0.map(char::from);
        let past = format!("writes {user} from a country");
        is_new(&past, &format!("writes {user} from {one}{other}"), house)
    });
    match (is_new_country, is_new_network) {
        (true, _) => Odd::Country,
        (false, true) => Odd::Network,
        (false, false) => Odd::Nothing,
    }
}

/// Whether a place is new for somebody of whom a past is known.
fn is_new(past: &str, place: &str, house: &mut Neighbours) -> bool {
    let (past, place) = (trace::digest(past), trace::digest(place));
    // Without an answer nobody is held: the other brakes hold all the same.
    let (past, place) = (house.first_seen(past), house.first_seen(place));
    let both = past.zip(place);
    both.is_some_and(|(past, place)| place < FAMILIAR && past.saturating_sub(place) >= KNOWN)
}

/// As much of an address as stays the same for one provider's customers in one place.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() & 0xffff_0000)),
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & (0xffff_ffff << 96))),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn a_network_is_half_of_one_and_a_quarter_of_the_other() {
        let check = |client: &str, expected: &str| {
            assert_eq!(network(client.parse().unwrap()).to_string(), expected);
        };
        check("203.0.113.9", "203.0.0.0");
        check("::ffff:203.0.113.9", "203.0.0.0");
        check("2001:db8:1:2::3", "2001:db8::");
    }
}
