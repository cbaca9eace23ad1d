//! Addresses that took a connection, or did not refuse one, and then said nothing: they are not
//! waited for again at once, for everybody else waits meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(60);
/// Beyond it those remembered longest are tried again.
const ADDRESSES: usize = 10_000;

#[derive(Default)]
pub(crate) struct Mute(HashMap<IpAddr, Instant>);

impl Mute {
    pub(crate) fn note(&mut self, address: IpAddr, now: Instant) {
        if self.0.len() >= ADDRESSES {
            self.0.retain(|_, since| now.duration_since(*since) < TIME);
        }
        if self.0.len() >= ADDRESSES {
            self.0.clear();
        }
        self.0.insert(address, now);
    }

    pub(crate) fn is(&self, address: IpAddr, now: Instant) -> bool {
        self.0.get(&address).is_some_and(|since| now.duration_since(*since) < TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_a_minute() {
        let (mut mute, now) = (Mute::default(), Instant::now());
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        mute.note(one, now);
        assert!(mute.is(one, now) && !mute.is(other, now));
        assert!(!mute.is(one, now + TIME));
        for number in 0..=ADDRESSES as u32 {
            mute.note(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(mute.0.len() <= ADDRESSES);
    }
}
