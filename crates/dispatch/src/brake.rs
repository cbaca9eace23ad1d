//! The takeover brake: whether it is still the person who writes. What looks otherwise waits for
//! somebody, and the person is told.
//!
//! Known here: the rate (`post` counts recipients), what the scanner finds, and the network that
//! the person writes from, as far as the directory has seen it. Not known: countries, and how much
//! of what left has come back.

use crate::neighbours::Neighbours;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use terms::UserId;

/// A network that was first seen longer ago than this is the person's own.
const FAMILIAR: Duration = Duration::from_secs(24 * 60 * 60);
/// Without a past nothing is odd: whom the directory has not known for so long (a newcomer, or
/// everybody after its restart) is not held for a new network.
const KNOWN: Duration = Duration::from_secs(60 * 60);
/// Recipients from a network never seen before that make somebody look: a round mail to a
/// department from a hotel passes, a flood does not.
const RECIPIENTS: u32 = 50;

/// What one connection has handed in so far.
#[derive(Default)]
pub(crate) struct Brake {
    recipients: u32,
    /// Of this connection's client: asked once, it does not change.
    is_strange: Option<bool>,
}

impl Brake {
    /// Whether this message has to wait for somebody.
    pub(crate) fn grips(
        &mut self,
        recipients: u32,
        (user, client): (UserId, IpAddr),
        house: &mut Neighbours,
    ) -> bool {
        self.recipients = self.recipients.saturating_add(recipients);
        // Every network is told to the directory, so that it is known when it counts.
        let is_strange = match self.is_strange {
            Some(is_strange) => is_strange,
            None => is_strange(user, client, house),
        };
        self.is_strange = Some(is_strange);
        is_strange && self.recipients > RECIPIENTS
    }
}

fn is_strange(user: UserId, client: IpAddr, house: &mut Neighbours) -> bool {
    if house.is_demo() && client.to_canonical().is_loopback() {
        return false;
    }
    let person = trace::digest(&format!("writes {user}"));
    let place = trace::digest(&format!("writes {user} {}", network(client)));
    // Without an answer nobody is held: the other brakes hold all the same.
    let (person, place) = (house.first_seen(person), house.first_seen(place));
    person.is_some_and(|since| since >= KNOWN) && place.is_some_and(|since| since < FAMILIAR)
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
